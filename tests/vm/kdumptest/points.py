# SPDX-License-Identifier: GPL-2.0-or-later
"""What the packages promise on a full Debian, point by point."""
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import debian, host, scenario

CRASH_MESSAGE = "c72638734c2946889c8cd8f98c6142e5"  # kdump/arming/journal.h
LOAD = "while :; do dd if=/dev/zero of=/var/tmp/load bs=1M count=300 conv=fsync 2>/dev/null; tar -C /usr -cf - share | sha256sum; done"


@dataclass
class Lab:
    """Where results go, and the packages."""
    out: object
    debs: object
    echo: object

    def packages(self):
        if not self.debs:
            self.debs = host.CACHE / "debian" / "debs"
            host.run("rm", "-rf", self.debs)
            host.say("building the packages")
            host.run(host.SOURCE / "packaging/build-deb", self.debs, env={**os.environ, "DEB_BUILD_OPTIONS": "nocheck"})
        return [path for path in sorted(self.debs.glob("kdump_*.deb"))]

    def machine(self, name, **options):
        return debian.running(self.out / f"{name}.log", echo=self.echo, **options)


@dataclass
class Point:
    name: str
    text: str
    run: Callable
    quick: bool = False


def expect(condition, text):
    if not condition:
        raise host.Failure(text)


def figure(name, value, unit, peer=None):
    print(f"FIGURE {name} {value:.2f} {unit}" + (f" peer {peer[0]} {peer[1]:.2f}" if peer else ""), flush=True)


def install(guest, lab):
    """What an operator types; the machine is armed after the reboot."""
    for path in lab.packages():
        guest.push(path, f"/root/{path.name}")
    guest.run("cd /root && apt-get install -y ./kdump_*.deb", 300)
    said = guest.run("kdumpctl reset-crashkernel 2>&1", 120)
    expect("reboot" in said.lower(), f"reset-crashkernel does not ask for a reboot:\n{said}")
    again = guest.run("kdumpctl reset-crashkernel 2>&1", 120)
    expect("No need to update" in again or "reboot" in again.lower(), f"a second reset-crashkernel:\n{again}")
    guest.reboot()
    wait_armed(guest)


def wait_armed(guest):
    """systemd has finished starting; kdump is operational."""
    guest.run("systemctl is-system-running --wait || true", 240)
    status, said = guest.run("kdumpctl status 2>&1", check=False)
    expect(status == 0 and "Kdump is operational" in said,
           f"not armed:\n{said}\n{guest.run('systemctl status kdump.service; journalctl -b -u kdump.service --no-pager', check=False)[1]}")


def armed_after(guest):
    """Seconds from the kernel's start to the arming."""
    return int(guest.run("systemctl show -P ExecMainExitTimestampMonotonic kdump.service")) / 1e6


def crash_and_return(guest, load=True):
    """Panic under load; seconds from the panic to the login prompt."""
    if load:
        guest.start(LOAD)
        guest.start("while :; do sha256sum /usr/bin/* >/dev/null; done")
        guest.run("until [ -s /var/tmp/load ]; do sleep 0.2; done")
    began = guest.panic()
    seconds = guest.login(400) - began
    guest.run("systemctl is-system-running --wait || true", 240)
    return seconds


def newest(guest):
    return json.loads(guest.run("kdumpctl info --json"))


def check_crash(guest):
    """The dump, and everything that is said about it."""
    info = newest(guest)
    expect(info["state"] == "complete" and info["kind"] == "sysrq", f"info: {info}")
    expect(any("sysrq_handle_crash" in frame for frame in info["backtrace"]), f"backtrace: {info['backtrace']}")
    listed = json.loads(guest.run("kdumpctl list --json"))
    expect(listed[-1]["name"] == info["name"], f"list: {listed}")
    guest.run(f"kdumpctl log {info['name']} | grep -q 'sysrq triggered crash'")
    page = guest.run("kdumpctl info --html")
    expect(page.startswith("<!DOCTYPE html>") and "</html>" in page, "info --html is no page")
    entry = guest.run(f"journalctl -b MESSAGE_ID={CRASH_MESSAGE} -o json --no-pager")
    expect(info["name"] in entry, f"no entry in the journal:\n{entry}\n"
           + guest.run("systemctl status kdump-collect.service", check=False)[1])
    status, said = guest.run("kdumpctl debug 2>&1", check=False)
    expect(status == 1 and ("install" in said), f"debug without symbols: {status} {said}")
    return info


def boot(firmware):
    def run(lab):
        with lab.machine(f"boot-{firmware}", firmware=firmware) as guest:
            guest.login()
            install(guest, lab)
            seconds = armed_after(guest)
            figure(f"product_armed_{firmware}", seconds, "s")
            took = crash_and_return(guest, load=False)
            check_crash(guest)
            wait_armed(guest)
            return f"armed {seconds:.1f} s after the kernel's start; back {took:.1f} s after a panic, armed again"
    return run


def crash(lab):
    with lab.machine("crash") as guest:
        guest.login()
        install(guest, lab)
        ours = crash_and_return(guest)
        info = check_crash(guest)
        wait_armed(guest)
        retention(guest)
    peer = debian.packages("kdump-tools", "makedumpfile")
    with lab.machine("crash-peer") as guest:
        guest.login()
        guest.run(f"cd {guest.fetch(peer)} && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ./*.deb && "
                  "sed -i 's/^USE_KDUMP=0/USE_KDUMP=1/' /etc/default/kdump-tools && update-grub", 600)
        guest.reboot()
        guest.run("systemctl is-system-running --wait || true", 240)
        guest.run("kdump-config show; grep -q 1 /sys/kernel/kexec_crash_loaded")
        theirs = crash_and_return(guest)
        guest.run("ls /var/crash/*/dump*")
    figure("product_panic_to_login", ours, "s", ("kdump-tools", theirs))
    return f"{info['name']}; {ours:.1f} s from panic to login, kdump-tools {theirs:.1f} s: {theirs / ours:.2f} times as long"


def retention(guest):
    """Limits, pins, a full disk, and files that are none of ours."""
    name = newest(guest)["name"]
    guest.run(f"cp /var/crash/{name}/vmcore /var/tmp/whole")
    guest.run("""cd /var/crash
        for n in 1 2 3 4; do mkdir 127.0.0.1-2020-01-0$n-00:00:00; cp /var/tmp/whole 127.0.0.1-2020-01-0$n-00:00:00/vmcore; done
        mkdir 127.0.0.1-2017-01-01-00:00:00; head -c 1000000 /var/tmp/whole >127.0.0.1-2017-01-01-00:00:00/vmcore; rm /var/tmp/whole
        mkdir 202001011200 lost+found 'x;rm -rf' 127.0.0.1-2019-01-01-00:00:00
        head -c 4096 /dev/urandom >127.0.0.1-2019-01-01-00:00:00/vmcore; head -c 4096 /dev/urandom >127.0.0.1-2019-01-01-00:00:00/report.json
        head -c 4096 /dev/urandom >127.0.0.1-2019-01-01-00:00:00/vmcore-dmesg.txt
        ln -s /etc 127.0.0.1-2018-01-01-00:00:00; mkfifo 202001011200/dmesg.202001011200; : >_usr_bin_x.0.crash
        kdumpctl pin 127.0.0.1-2020-01-01-00:00:00""")
    listed = {dump["name"]: dump["state"] for dump in json.loads(guest.run("kdumpctl list --json"))}
    expect(listed.get("127.0.0.1-2019-01-01-00:00:00") == "damaged" and "127.0.0.1-2018-01-01-00:00:00" not in listed
           and listed[name] == "complete" and len(listed) == 8, f"list: {listed}")
    expect([listed.get(f"127.0.0.1-20{date}-00:00:00") for date in ("17-01-01", "20-01-01", "20-01-04")]
           == ["incomplete", "complete", "complete"], f"a dump that was cut off, and whole ones: {listed}")
    guest.run("kdumpctl info 127.0.0.1-2019")
    guest.run("echo keep_dumps 3 >>/etc/kdump.conf; fallocate -l $(($(df -B1 --output=avail / | tail -1) - 4096)) /var/tmp/full; "
              "kdumpctl _collect; rm /var/tmp/full")
    left = [dump["name"] for dump in json.loads(guest.run("kdumpctl list --json"))]
    expect(left == ["127.0.0.1-2020-01-01-00:00:00", "127.0.0.1-2020-01-04-00:00:00", name], f"after retention: {left}")
    expect(guest.run("ls /etc/hostname /var/crash/_usr_bin_x.0.crash 'lost+found' -d /var/crash/lost+found", check=False)[1].count("No such") <= 1,
           "something was deleted that is no dump")


def upgrade(lab):
    kernel = debian.packages("linux-image-6.12-amd64")
    release = re.search(r"linux-image-(6\.12\.\S+?)_", " ".join(path.name for path in kernel.iterdir()))[1]
    with lab.machine("upgrade") as guest:
        guest.login()
        install(guest, lab)
        guest.run(f"cd {guest.fetch(kernel)} && apt-get install -y --no-install-recommends ./*.deb", 900)
        old = guest.run("uname -r").strip()
        expect(guest.run(f"ls /var/lib/kdump/initramfs-{release}.img", check=False)[0] == 0, "no image was built ahead")
        guest.reboot()
        now = guest.run("uname -r").strip()
        expect(now == release, f"{now} runs instead of {release}")
        wait_armed(guest)
        details = guest.run("kdumpctl status -v 2>&1")
        expect(release in details, details)
        guest.run(f"apt-get purge -y linux-image-{old}", 300)
        expect(guest.run(f"ls /var/lib/kdump/initramfs-{old}.img*", check=False)[0] != 0, "the old image is still there")
        took = crash_and_return(guest, load=False)
        check_crash(guest)
        return f"{old} to {release}: armed without a step more; back {took:.1f} s after a panic"


def targets(lab):
    """Every kind of target, with what the package holds, in a small guest that makes it anew."""
    bad = []
    with tempfile.TemporaryDirectory() as place:
        for path in lab.packages():
            host.run("dpkg-deb", "-x", path, place)
        for kind, text in scenario.TARGETS.items():
            try:
                print(f"        target {kind}: {text}: {scenario.target(kind, Path(place), lab.out / f'target-{kind}')}",
                      flush=True)
            except host.Failure as failure:
                bad.append(f"{kind}: {failure}")
    expect(not bad, "\n".join(bad))
    return f"{len(scenario.TARGETS)} kinds of targets"


POINTS = [
    Point("boot-bios", "apt install, reset-crashkernel, reboot: armed; panic, dump, back and armed (SeaBIOS)", boot("bios"), quick=True),
    Point("boot-ovmf", "the same with OVMF", boot("ovmf")),
    Point("crash", "panic under load, what is said of it, retention and foreign files; beside kdump-tools", crash),
    Point("targets", "LVM, RAID, LUKS, btrfs subvolume, xfs, bind mount, separate /var, virtiofs …: the dump arrives", targets),
    Point("upgrade", "6.1 to 6.12 by apt, and the old kernel removed", upgrade),
]
