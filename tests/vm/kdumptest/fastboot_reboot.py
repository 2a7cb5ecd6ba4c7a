# SPDX-License-Identifier: GPL-2.0-or-later
"""Reboots by kexec, as an operator asks for them."""
import re
import time

from . import fastboot, kernels, stages
from .fastboot import Point
from .points import expect

# From kernel to kernel, without systemd. KDTEST lines tell how far it got. The line @LEAVE@ takes it away.
HOP = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
say() { echo "KDTEST $* uptime=$(cut -d' ' -f1 /proc/uptime)"; }
say "arrived release=$(uname -r) by=$(sed -n 's/.*last=\(\w*\).*/\1/p' /proc/cmdline)"
grep -q last= /proc/cmdline && poweroff -f
(cd /; find init bin lib* usr kernel -print 2>/dev/null | cpio -o -H newc >/tmp/next 2>/dev/null)
kexec -l /kernel/next --initrd=/tmp/next --append="$(cat /proc/cmdline) last=kexec" || { say failed text=load; poweroff -f; }
say leaving
@LEAVE@
"""
# Nothing ever ends by itself here. The guard lives on when everything is killed, as at the end of a shutdown.
GUARD = r"""reboot-guard @ACTION@ 8 &
sleep 1
for name in /proc/[0-9]*/cmdline; do grep -q '^@kdump-reboot-guard' $name && guard=${name%/cmdline}; done
[ "$guard" ] || { say failed text=no guard; poweroff -f; }
case $(readlink $guard/exe) in /memfd:*) ;; *) say failed text=$(readlink $guard/exe); poweroff -f;; esac
kill -TERM ${guard#/proc/}
[ -d $guard ] && say guarded
while :; do sleep 1000; done
"""


def hop(lab):
    """6.1 loads 6.1 and jumps."""
    kernel = kernels.named("6.1-cloud")
    with lab.small("hop", kernel, HOP.replace("@LEAVE@", "exec kexec -e -f"), files={"kernel/next": kernel.vmlinuz}) as story:
        story.expect("boot", stages.mark("arrived"), 90)
        left = story.expect("load", stages.mark("leaving"), 60)
        back = story.expect("jump", stages.mark("arrived"), 90)
        story.end()
    expect(back.values["release"] == kernel.release, f"{back.values['release']} runs")
    fastboot.figure("fastboot_hop", back.wall - left.wall, "s")
    return f"{kernel.release} to itself in {back.wall - left.wall:.1f} s, {back.values['uptime']} s of them after the kernel's start"


def guard(action, arrived):
    """The guard of --stop-deadline ends what does not end by itself. @arrived: what the next boot's command line tells."""
    def run(lab):
        kernel = kernels.named("6.1-cloud")
        script = HOP.replace("@LEAVE@", GUARD.replace("@ACTION@", action))
        with lab.small(f"guard-{action}", kernel, script, "loglevel=7", ("usr/sbin/kexec", "usr/libexec/kdump/reboot-guard"),
                       files={"kernel/next": kernel.vmlinuz}) as story:
            story.expect("start", stages.mark("guarded"), 120)
            story.expect("deadline", "kdump: the shutdown has not ended in time", 60)
            story.expect("remount", "Emergency Remount complete", 30)
            back = story.expect("jump", stages.mark("arrived"), 120)
        expect(back.values["by"] == arrived, f"the next boot says by={back.values['by']!r}")
        return "synced, remounted, " + ("jumped" if arrived else "reset")
    return run


# Says on the serial port that it answers, and leaves a line on the disk when it is stopped in good order.
SERVICE = """[Unit]
After=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo KDTEST answering $(cat /proc/sys/kernel/random/boot_id) $(uname -r) >/dev/ttyS0'
ExecStop=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >>/var/log/stopped'
[Install]
WantedBy=multi-user.target
"""
DIRTY = "journalctl -b -k --no-pager | grep -iE 'EXT4-fs.*(recover|orphan|error)'"


def prepare(guest):
    """Put the service into a Debian, and start it."""
    guest.run(f"cat >/etc/systemd/system/answering.service <<'END'\n{SERVICE}END\nsystemctl enable --now answering.service")


def leave(guest, command, wanted, kexec=True):
    """Let @command take the machine to the kernel @wanted; seconds until the service answers there. @kexec: without the
    firmware, and what ran before was stopped in good order."""
    boot, resets = guest.run("cat /proc/sys/kernel/random/boot_id").strip(), guest.resets
    began = time.monotonic()
    guest.start(command)
    guest.forget_agent()
    line, answered = guest.expect(rf"KDTEST answering (?!{boot})", 300, f"{command}: the service")
    guest.login()
    expect(line.split()[-1] == wanted, f"{command}: {line.split()[-1]} runs, not {wanted}")
    expect((guest.resets == resets) == kexec, f"{command}: {guest.resets - resets} boots by the firmware")
    stopped = guest.run("cat /var/log/stopped").split()
    expect(stopped.count(boot) == 1, f"{command}: the service was not stopped once in {boot}: {stopped}")
    dirty = guest.run(DIRTY, check=False)[1]
    expect(not dirty, f"{command}: the file system was not unmounted cleanly:\n{dirty}")
    return answered - began


def look_at_variables(guest):
    """The firmware's variables can be read and written."""
    guest.run("""grep -q efivarfs /proc/mounts || mount -t efivarfs efivarfs /sys/firmware/efi/efivars
        cd /sys/firmware/efi/efivars; ls BootOrder-* >/dev/null
        v=KdumpTest-c7263873-4c29-4688-9c8c-d8f98c6142e5
        printf '\\007\\000\\000\\000x' >$v; [ "$(tail -c 1 $v)" = x ]; chattr -i $v; rm $v""")


def there_and_back(firmware):
    def run(lab):
        old, new = fastboot.release("6.1"), fastboot.release("6.12")
        times = {"kdumpctl reboot": [], "systemctl kexec": [], "reboot": []}
        with lab.debian(f"reboot-{firmware}", firmware=firmware) as guest:
            prepare(guest)
            said = guest.run("kdumpctl reboot --check", check=False)
            expect(said[0] == 0 and "ok       load " in said[1], f"--check: {said}")
            for _ in range(10 if lab.full else 1):
                times["kdumpctl reboot"].append(leave(guest, f"kdumpctl reboot --kernel {old}", old))
                times["kdumpctl reboot"].append(leave(guest, "kdumpctl reboot", new))
                if firmware != "bios":
                    look_at_variables(guest)
            times["systemctl kexec"].append(leave(
                guest, f"kexec -l /boot/vmlinuz-{new} --initrd=/boot/initrd.img-{new} --reuse-cmdline && systemctl kexec", new))
            times["reboot"].append(leave(guest, "systemctl reboot", new, kexec=False))
        for name, seconds in times.items():
            fastboot.figure(f"fastboot_{name.replace(' ', '_')}_{firmware}", sum(seconds) / len(seconds), "s")
        return f"{len(times['kdumpctl reboot'])} reboots by kexec; to the service " + ", ".join(
            f"{name} {sum(seconds) / len(seconds):.0f} s" for name, seconds in times.items())
    return run


def chosen(guest):
    """The version that "kdumpctl reboot" would start."""
    return re.search(r"^version +(\S+)", guest.run("kdumpctl reboot --dry-run"), re.MULTILINE)[1]


def choice(lab):
    """What "kdumpctl reboot" chooses is what GRUB itself starts."""
    old, new = fastboot.release("6.1"), fastboot.release("6.12")
    with lab.debian("choice") as guest:
        prepare(guest)
        expect(chosen(guest) == new, f"default: {chosen(guest)}")
        guest.run("grub-reboot '1>2'")
        expect(chosen(guest) == old, f"once: {chosen(guest)}")
        leave(guest, "systemctl reboot", old, kexec=False)
        expect(chosen(guest) == new, f"after once: {chosen(guest)}")
        guest.run("grub-reboot '1>2'")
        leave(guest, "kdumpctl reboot", old)
        expect(chosen(guest) == new, f"the entry for one boot is not used up: {guest.run('grub-editenv - list')}")
        guest.run("sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=saved/' /etc/default/grub && update-grub && grub-set-default '1>2'", 300)
        expect(chosen(guest) == old, f"saved: {chosen(guest)}")
        leave(guest, "systemctl reboot", old, kexec=False)
    return "default, once and saved"


POINTS = [
    Point("hop", "kexec -l and kexec -e, 6.1 to 6.1, without systemd", hop, quick=True),
    Point("guard-kexec", "the guard of --stop-deadline jumps when nothing else ends", guard("kexec", "kexec")),
    Point("guard-firmware", "the same guard, told to go through the firmware", guard("firmware", "")),
    Point("reboot-bios", "kdumpctl reboot on a full Debian 12, 6.12 to 6.1 and back, beside systemctl kexec and reboot (SeaBIOS)",
          there_and_back("bios")),
    Point("reboot-ovmf", "the same with OVMF; EFI variables stay usable", there_and_back("ovmf")),
    Point("choice", "the entry is the one that GRUB itself starts: default, once, saved", choice),
]
