# SPDX-License-Identifier: GPL-2.0-or-later
"""kexec(8): the kernels and initramfs that it loads."""
import struct

from . import kernels, small, stages
from .fastboot import Point
from .points import expect

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


POINTS = [
    Point("kexec-images", "a unified kernel image as a whole; two initramfs files", images, quick=True),
]
