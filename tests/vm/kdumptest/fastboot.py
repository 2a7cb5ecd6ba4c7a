# SPDX-License-Identifier: GPL-2.0-or-later
"""What the points of tests/vm/fastboot stand on: a small guest, a full Debian with this tree and two kernels, figures.

A module fastboot_NAME.py beside this one has points: its POINTS, a list of Point."""
import importlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import debian, host, kernels, small, stages

RELEASES = ("6.1", "6.12")  # of the full Debian
MORE = [kernels.NAMES["6.12"], "libfdt1"]  # packages; the build beside which this runs has found libfdt


@dataclass
class Point:
    """A promise. @run is called with the Lab; it returns words for the report, or raises host.Failure.
    @quick: one of the points of tests/run, six minutes for all."""
    name: str
    text: str
    run: Callable
    quick: bool = False


def all_points():
    """All points, in the order of their modules' names."""
    found = []
    for path in sorted(Path(__file__).parent.glob("fastboot_*.py")):
        found += importlib.import_module(f"{__package__}.{path.stem}").POINTS
    return found


def figure(name, value, unit, goal=None, peer=None):
    """A measured value. @goal: ("<=" or ">=", value); @peer: (name, value)."""
    print(f"FIGURE {name} {value:.2f} {unit}" + (f" goal {goal[0]} {goal[1]:.2f}" if goal else "")
          + (f" peer {peer[0]} {peer[1]:.2f}" if peer else ""), flush=True)


@dataclass
class Lab:
    """@installed: where this tree is installed; @out: for what serial ports say; @full: take the time for all rounds."""
    installed: Path
    out: Path
    echo: Callable | None
    full: bool

    @contextmanager
    def small(self, name, kernel, script, append="", programs=("usr/sbin/kexec",), files=None, hardware=None, seconds=600):
        """A small guest (see small.py) with programs of this tree; its story (stages.Story) within @seconds."""
        archive = small.initramfs(script, [self.installed / program for program in programs], files)
        with small.switched_on(kernel, archive, append, self.out / f"{name}.log", hardware, self.echo) as machine:
            yield stages.Story(machine, seconds)

    @contextmanager
    def debian(self, name, **hardware):
        """A full Debian 12 at its login prompt, with the kernels of RELEASES and this tree, whose units are there and not enabled.
        GRUB starts the newest kernel by default. A kexec stays in the same QEMU; a reset is a new one, and counted: guest.resets.
        @hardware: firmware, memory, extra, as debian.running() takes them."""
        with debian.disk_for_runs(debian.image(*MORE)) as disk, \
                debian.running(self.out / f"{name}.log", disk, self.echo, **hardware) as guest:
            guest.login()
            self.put(guest)
            yield guest

    def put(self, guest):
        """Put this tree into a running Debian."""
        with packed(self.installed) as folder:
            place = guest.fetch(folder)
        guest.run(f"tar -C / --no-same-owner --keep-directory-symlink -xf {place}/tree.tar && rm -r {place} && "
                  "systemctl daemon-reload")


@contextmanager
def packed(installed):
    """A folder with tree.tar: an installation without what no guest reads."""
    with host.scratch() as place:
        host.run("tar", "-C", installed, "--exclude=./usr/share/man", "-cf", place / "tree.tar", ".")
        yield place


def release(name):
    """The kernel release that the full Debian has of @name, a key of RELEASES."""
    found = re.findall(r"/vmlinuz-(\S+)", host.run("tar", "-tf", debian.root_tar(*MORE), "--wildcards", "./boot/vmlinuz-*"))
    return next(text for text in found if text.startswith(f"{name}."))
