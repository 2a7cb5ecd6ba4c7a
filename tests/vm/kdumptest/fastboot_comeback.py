# SPDX-License-Identifier: GPL-2.0-or-later
"""final_action kexec: back from the capture kernel without the firmware, and when not; the crash-loop breaker."""
import re
import shlex
import tempfile
from contextlib import contextmanager
from pathlib import Path

from . import fastboot, guest, kernels, lab as lab_module, product, qemu, stages
from .fastboot import Point
from .points import expect, wait_armed

LOADED = r"loaded kernel \S+, to return to it by kexec"
REFUSED = r"no return by kexec, but a reboot through the firmware: .*"
KEXEC = "208"  # /proc/sys/kernel/bootloader_type of a kernel that a kexec has started

# --- a small guest ----------------------------------------------------------------------------------------------------


@contextmanager
def _small(lab, name, rounds, lines="crash_loop off\n", firmware="bios", append="", seconds=900):
    """A small guest that goes through @rounds, see tests/vm/guest/comeback; its story."""
    kernel = kernels.named("6.1-cloud")
    hardware = qemu.Hardware(firmware=firmware)
    with tempfile.TemporaryDirectory() as place:
        initrd = Path(place, "initrd")
        guest.initramfs(kernel, hardware.bus, [], initrd)
        payload = [product.payload(lab.installed),
                   guest.test_payload("comeback", {"ROUNDS": " ".join(rounds), "LINES": lines},
                                      [(f"boot/initrd.img-{kernel.release}", initrd, 0o644)])]
        with lab_module.switched_on(kernel, hardware, f"crashkernel=192M panic=10 {append}", payload, lab.out / f"{name}.log",
                                    lab.echo) as running:
            yield stages.Story(running.machine, seconds)


def _arrive(story):
    return story.expect("boot", stages.mark("machine"), 150)


def _crash(story, way):
    """From the panic to what the capture says of the way back, @way."""
    began = story.expect("arm", stages.mark("panic"), 120)
    said = story.expect("capture", f"{LOADED}|{REFUSED}|crash loop: |result: ", 240)
    expect(re.search(way, said.line), f"instead of {way}: {said.line}")
    return began, said.line


def _same(first, now, by_kexec):
    for key in ("cpus", "memory", "map", "efi"):
        expect(first.values[key] == now.values[key], f"{key} was {first.values[key]}, is {now.values[key]}")
    expect((now.values["loader"] == KEXEC) == by_kexec, f"the kernel was started by loader {now.values['loader']}")


def rounds(firmware, quick):
    def run(lab):
        count = 20 if lab.full else quick
        plan = ["0:kexec"] * count + ["1:kexec"] + ["0:reboot"]
        times, places = [], set()
        # Without it the reservation is elsewhere in each boot; with it, it shows whether a return leaves it in its place.
        with _small(lab, f"comeback-{firmware}", plan, firmware=firmware, append="nokaslr", seconds=400 * (count + 2)) as story:
            first = last = _arrive(story)
            expect(first.values["loader"] != KEXEC, "the first boot is no boot by the firmware")
            for number in range(count):
                began, _ = _crash(story, LOADED)
                last = _arrive(story)
                _same(first, last, by_kexec=True)
                expect(int(last.values["dumps"]) == number + 1, f"{last.values['dumps']} dumps after {number + 1} panics")
                times.append(last.wall - began.wall)
                places.add(last.values["crash"])
            _, said = _crash(story, REFUSED)
            expect("only from the boot CPU" in said, said)
            _same(first, _arrive(story), by_kexec=False)
            story.expect("why", r"why: .*only from the boot CPU", 60)
            began, _ = _crash(story, "result: a complete dump|result: complete")
            now = _arrive(story)
            _same(first, now, by_kexec=False)
            plain = now.wall - began.wall
            expect(int(now.values["dumps"]) == count + 2, f"{now.values['dumps']} dumps")
            story.end()
        expect(len(places) == 1, f"the reservation moves: {places}")
        fastboot.figure(f"comeback_{firmware}", sum(times) / count, "s", peer=("final_action-reboot", plain))
        return (f"{count} panics on the boot CPU, back by kexec {min(times):.1f} to {max(times):.1f} s after each, on another CPU "
                f"through the firmware; final_action reboot {plain:.1f} s")
    return run


def damaged(lab):
    with _small(lab, "comeback-damaged", ["0:kexec:damage"]) as story:
        first = _arrive(story)
        _, said = _crash(story, REFUSED)
        expect("SHA-256 mismatch" in said, said)
        now = _arrive(story)
        _same(first, now, by_kexec=False)
        expect(now.values["dumps"] == "1", "the dump is missing")
        story.expect("why", r"why: .*SHA-256 mismatch", 60)
        story.end()
    return "dumped, refused by its digest, back through the firmware"


def breaker(lab):
    with _small(lab, "comeback-breaker", ["0:kexec", "0:kexec", "0:kexec"], "crash_loop 3 60 poweroff\n") as story:
        _arrive(story)
        for _ in range(2):
            _crash(story, LOADED)
            expect(_arrive(story).values["loader"] == KEXEC, "the firmware has started it")
        story.expect("status", r"crash loop: 2 crashes within 60 minutes; 3 lead to poweroff", 120)
        _, said = _crash(story, "crash loop: ")
        expect("the action is poweroff" in said, said)
        story.end(120)
    return "two panics: back by kexec; the third within an hour: off"


# --- a full Debian ----------------------------------------------------------------------------------------------------

TOTAL = """import re
print(sum(int(b, 16) - int(a, 16) for a, b in re.findall(r'^(\\w+)-(\\w+) : System RAM$', open('/proc/iomem').read(), re.M)) >> 16)"""


def _machine(machine):
    return machine.run("nproc").strip(), machine.run(f"python3 -c {shlex.quote(TOTAL)}").strip()


def _login_after_panic(machine):
    """Seconds from a panic on CPU 0 to the login prompt, and how often the firmware has started the machine meanwhile."""
    resets = machine.resets
    machine.start("echo 1 > /proc/sys/kernel/sysrq; exec taskset -c 0 sh -c 'echo c > /proc/sysrq-trigger'")
    began = machine.expect(r"Kernel panic - not syncing", 60)[1]
    return machine.login(400) - began, machine.resets - resets


def full(lab):
    with lab.debian("comeback-debian") as machine:
        machine.run("printf 'path /var/crash\\nfinal_action kexec\\n' >/etc/kdump.conf && mkdir -p /var/crash && "
                    "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&crashkernel=256M /' /etc/default/grub && update-grub && "
                    "systemctl enable kdump.service", 120)
        machine.reboot()
        wait_armed(machine)
        before = _machine(machine)
        seconds, resets = _login_after_panic(machine)
        expect(resets == 0, "the firmware has started the machine")
        after = _machine(machine)
        expect(after == before, f"CPUs and memory were {before}, are {after}")
        wait_armed(machine)
        machine.run("echo 'path /var/crash' >/etc/kdump.conf; kdumpctl restart 2>&1")
        plain, resets = _login_after_panic(machine)
        expect(resets == 1, f"{resets} resets for final_action reboot")
    fastboot.figure("comeback_panic_to_login", seconds, "s", peer=("final_action-reboot", plain))
    return f"{seconds:.1f} s from panic to login, with final_action reboot {plain:.1f} s"


POINTS = [
    Point("comeback-bios", "final_action kexec with SeaBIOS: several panics in a row; another CPU; beside final_action reboot",
          rounds("bios", 2), quick=True),
    Point("comeback-ovmf", "the same with OVMF; EFI variables work", rounds("ovmf", 1)),
    Point("comeback-damaged", "a damaged kernel file: back through the firmware, and said", damaged),
    Point("comeback-breaker", "the third panic within an hour switches the machine off", breaker),
    Point("comeback-debian", "a full Debian: from panic to login, beside final_action reboot", full),
]
