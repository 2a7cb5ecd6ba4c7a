# SPDX-License-Identifier: GPL-2.0-or-later
"""kexec(8): starts without decompressor, and the kernels and initramfs that it loads."""
import lzma
import struct

from . import fastboot, kernels, small, stages
from .fastboot import Point
from .points import expect
from .qemu import Hardware

# The kernel's command line names the task: what is loaded next.
INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
quiet="console=ttyS0 quiet panic=5"
say() { echo "KDTEST $*"; }
fail() { say "failed stage=$task text=$*"; poweroff -f; }
load() { kexec -l "$@" 2>/tmp/said || fail "$(cat /tmp/said)"; }
jump() { say "leaving task=$task"; exec kexec -e -f; }
task=$(sed -n 's/.*task=\([^ ]*\).*/\1/p' /proc/cmdline)
say "arrived task=$task parts=$(echo $(ls / | grep part)) memory=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"
$task
poweroff -f
"""

# A unified image with microcode, initramfs and command line of its own, then a kernel and two initramfs files.
IMAGES = INIT.replace("$task\npoweroff", r"""
pack() { (cd /; find init bin lib* usr kernel -print 2>/dev/null | cpio -o -H newc 2>/dev/null); }
case $task in
images) load /kernel/uki; jump ;;
unified)
	pack >/tmp/first
	cp /proc/version /part-second
	(cd /; echo part-second | cpio -o -H newc >/tmp/second 2>/dev/null)
	load --fast /kernel/plain --initrd=/tmp/first --initrd=/tmp/second --append="$quiet task=two"
	grep -q "after the jump" /tmp/said && fail "$(cat /tmp/said)"
	jump ;;
esac
poweroff""")

# An archive with a file of 1 GiB behind the one with the system.
LARGE = INIT.replace("$task\npoweroff", r"""
case $task in
large)
	(cd /; find init bin lib* usr kernel -print 2>/dev/null | cpio -o -H newc >/tmp/first 2>/dev/null)
	(cd /tmp; truncate -s 1073741829 part; mkdir x; mv part x/part-large
	 cd x; echo part-large | cpio -o -H newc >/tmp/second 2>/dev/null; rm part-large)
	say "made bytes=$(stat -c %s /tmp/second)"
	load --fast /kernel/plain --initrd=/tmp/first --initrd=/tmp/second --append="$quiet task=there"
	jump ;;
there) say "size bytes=$(stat -c %s /part-large)" ;;
esac
poweroff""")


# The ELF file of a kernel, entered as it is.
ELF = INIT.replace("$task\npoweroff", r"""
case $task in
elf) load -t elf /kernel/vmlinux --args-linux --initrd=/kernel/initrd --append="$quiet no5lvl task=entered"; jump ;;
esac
poweroff""")


def vmlinux(kernel):
    """The ELF file that is compressed (xz) inside a bzImage, with what follows it there."""
    data = kernel.vmlinuz.read_bytes()
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (data[0x1f1] + 1) * 512 + offset
    return lzma.LZMADecompressor().decompress(data[start:start + length])


def uki(sections):
    """A unified kernel image: @sections is a list of (name, bytes)."""
    head, rows, at = 4096, b"", 4096
    for name, data in sections:
        rows += struct.pack("<8sIIIIIIHHI", name.encode(), len(data), 0, len(data), at, 0, 0, 0, 0, 0)
        at += len(data)
    start = b"MZ".ljust(0x3c, b"\0") + struct.pack("<I", 0x80)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 0, 0)
    return (start.ljust(0x80, b"\0") + coff + rows).ljust(head, b"\0") + b"".join(data for _, data in sections)


def images(lab):
    """A unified kernel image brings all it has; two initramfs files are both unpacked."""
    kernel = kernels.named("6.1")
    program = [lab.installed / "usr/sbin/kexec"]
    inner = small.initramfs(IMAGES, program, {"kernel/plain": kernel.vmlinuz, "part-initrd": b"1"})
    code = small.only({"part-ucode": b"1"})
    image = uki([(".linux", kernel.vmlinuz.read_bytes()), (".initrd", inner), (".ucode", code),
                 (".cmdline", b"console=ttyS0 quiet panic=5 task=unified\n")])
    with lab.small("kexec-images", kernel, IMAGES, "task=images", files={"kernel/uki": image}) as story:
        story.expect("boot", stages.mark("arrived") + " task=images", 90)
        there = story.expect("unified image", stages.mark("arrived") + " task=unified", 150)
        expect("parts=part-initrd part-ucode " in there.line, f"of the unified image came {there.line}")
        there = story.expect("two initramfs files", stages.mark("arrived") + " task=two", 150)
        expect("parts=part-second " in there.line, f"of two files came {there.line}")
        story.end()
    return "a unified image with microcode, initramfs and command line; two initramfs files"


def elf(lab):
    """A vmlinux file."""
    kernel = kernels.named("6.1")
    files = {"kernel/vmlinux": vmlinux(kernel), "kernel/initrd": small.initramfs(ELF)}
    with lab.small("kexec-elf", kernel, ELF, "no5lvl task=elf", files=files) as story:
        story.expect("boot", stages.mark("arrived") + " task=elf", 120)
        story.expect("jump", stages.mark("arrived") + " task=entered", 150)
        story.end()
    return "a vmlinux file"


def large(lab):
    """An initramfs of more than 1 GiB, loaded by --fast."""
    kernel = kernels.named("6.1")
    with lab.small("kexec-large", kernel, LARGE, "task=large", files={"kernel/plain": kernel.vmlinuz},
                   hardware=Hardware(memory="6G"), seconds=1200) as story:
        story.expect("boot", stages.mark("arrived"), 90)
        story.expect("an archive of 1 GiB", stages.mark("made"), 300)
        story.expect("load", stages.mark("leaving"), 300)
        there = story.expect("jump", stages.mark("size"), 500)
        expect(" bytes=1073741829" in there.line, f"unpacked: {there.line}")
        story.end()
    return "an initramfs of 1 GiB and 5 bytes"


def places(guest):
    """Where the kernel's text is: (physical, virtual)."""
    return tuple(guest.run("sed -n 's/-.* : Kernel code$//p' /proc/iomem; sed -n 's/ T _stext$//p' /proc/kallsyms").split())


def fast(lab):
    """6.1 to 6.12 and back by --fast; kexec -e stops the services first; each kernel has random addresses."""
    found = []
    with lab.debian("kexec-fast") as guest:
        guest.run("mkdir -p /var/log/journal && systemctl restart systemd-journald && journalctl --flush")
        for name in ("6.1", "6.12", "6.1"):
            release = fastboot.release(name)
            said = guest.run(f"kexec --fast -l /boot/vmlinuz-{release} --initrd=/boot/initrd.img-{release} --reuse-cmdline 2>&1")
            expect("after the jump" not in said, said)
            guest.start("kexec -e")
            guest.login()
            expect(guest.run("uname -r").strip() == release, f"{guest.run('uname -r').strip()} runs, not {release}")
            log = guest.run("journalctl -b -1 -n 400 --no-pager")
            expect("Reached target" in log and "kexec" in log and "Journal stopped" in log,
                   "the services were not stopped before the jump: " + log[-1000:])
            found.append(places(guest))
    for what, values in zip(("physical", "virtual"), zip(*found)):
        expect(len(set(values)) > 1, f"KASLR is lost: the {what} address was {values[0]} each time")
    return "6.1, 6.12 and 6.1 at " + ", ".join(f"{physical}/{virtual}" for physical, virtual in found)


POINTS = [
    Point("kexec-images", "a unified kernel image as a whole; two initramfs files", images, quick=True),
    Point("kexec-elf", "a vmlinux file, as --args-linux", elf),
    Point("kexec-large", "an initramfs of more than 1 GiB", large),
    Point("kexec-fast", "kexec --fast on a full Debian, 6.1 to 6.12 to 6.1; services stop, KASLR is not lost", fast),
]
