# SPDX-License-Identifier: GPL-2.0-or-later
"""Reboots by kexec, as an operator asks for them."""
from . import fastboot, kernels, stages
from .fastboot import Point
from .points import expect

# From kernel to kernel, without systemd. KDTEST lines tell how far it got.
HOP = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
say() { echo "KDTEST $* uptime=$(cut -d' ' -f1 /proc/uptime)"; }
say "arrived release=$(uname -r)"
grep -q last= /proc/cmdline && poweroff -f
(cd /; find init bin lib* usr kernel -print 2>/dev/null | cpio -o -H newc >/tmp/next 2>/dev/null)
kexec -l /kernel/next --initrd=/tmp/next --append="$(cat /proc/cmdline) last=1" || { say failed text=load; poweroff -f; }
say leaving
exec kexec -e -f
"""


def hop(lab):
    """6.1 loads 6.1 and jumps."""
    kernel = kernels.named("6.1-cloud")
    with lab.small("hop", kernel, HOP, files={"kernel/next": kernel.vmlinuz}) as story:
        story.expect("boot", stages.mark("arrived"), 90)
        left = story.expect("load", stages.mark("leaving"), 60)
        back = story.expect("jump", stages.mark("arrived"), 90)
        story.end()
    expect(back.values["release"] == kernel.release, f"{back.values['release']} runs")
    fastboot.figure("fastboot_hop", back.wall - left.wall, "s")
    return f"{kernel.release} to itself in {back.wall - left.wall:.1f} s, {back.values['uptime']} s of them after the kernel's start"


POINTS = [
    Point("hop", "kexec -l and kexec -e, 6.1 to 6.1, without systemd", hop, quick=True),
]
