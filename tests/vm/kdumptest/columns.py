# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to a target while a capture writes to it, for tests/vm/faults: a column for every fault.

A column draws Injections for a machine of a row; it says why when a kind of target cannot have that fault."""
import os
import signal
from dataclasses import dataclass, replace

from . import disks, faults
from .faults import DUMP, NOTHING, SOMETHING, Injection

HALF = ("share", 0.5)
AT_ONCE = ("seconds", 0)
LATE = 10
KIB_PER_SECOND = 1
POWER_CUTS = 10
LONG = 120  # seconds of a capture that waits for what does not come
EATEN = (32, 24, 16, 12, 8, 4, 2)  # MiB that the capture kernel has left when its driver has eaten the rest
SUPERBLOCK = 256 << 10  # so much of the beginning of any file system


class NotApplicable(Exception):
    """The text says why this kind of target cannot have this fault."""


@dataclass(frozen=True)
class Column:
    """@of_disk(random), @of_server(random): the Injection for that kind of target, or, as a text, why there is none; one
    in place of both may be @of_any. @times: captures that a cell is made of; @until(outcome): of these the last one;
    @seconds: that one takes from the panic to the end of the system's look, on a machine that does nothing else."""
    name: str
    text: str
    of_disk: object = None
    of_server: object = None
    of_any: object = None
    times: int = 1
    until: object = None
    seconds: int = 45
    slot: str = "target"

    def _made(self, row):
        return self.of_any or (self.of_server if row.service else self.of_disk)

    def without(self, row):
        """Why a row's kind of target cannot have this fault; None: it can."""
        made = self._made(row)
        return row.without.get(self.name) or (made if isinstance(made, str) else None)

    def draw(self, bench, random, number):
        """The Injection of capture @number, from 0, of a cell."""
        reason = self.without(bench.row)
        if reason:
            raise NotApplicable(reason)
        injection = self._made(bench.row)(random, number, bench)
        return replace(injection, expect=injection.other) if bench.row.another else injection


# --- disks ---------------------------------------------------------------------------------------------------------

def _of_each(change):
    """change(capture, name) for each disk of the target."""
    def live(capture):
        for name in capture.disks:
            change(capture, name)
    return live


def _unplug(capture, name):
    capture.machine.qmp("device_del", id=name)


def _plug(capture, name):
    capture.machine.qmp("blockdev-add", driver="raw", **{"node-name": f"late-{name}"},
                        file={"driver": "file", "filename": str(capture.place / name)})
    capture.machine.qmp("device_add", driver="scsi-hd", bus="scsi.0", drive=f"late-{name}", id=name)


def _fail(capture, name):
    capture.machine.qmp("human-monitor-command", **{"command-line": f"drive_del drive-{name}"})


def _limit(rate):
    def change(capture, name):
        capture.machine.qmp("block_set_io_throttle", id=name, bps=rate, bps_rd=0, bps_wr=0, iops=0, iops_rd=0, iops_wr=0)
    return change


class _Superblock:
    """Of the target's file system: garbage while the capture runs."""

    def __init__(self):
        self._kept = []

    def spoil(self, capture):
        garbage = os.urandom(SUPERBLOCK)  # on the copies of a RAID1, too
        for disk, sector in capture.layout().pieces[0].legs:
            with open(capture.place / disk, "r+b") as image:
                image.seek(sector * disks.SECTOR)
                self._kept.append((disk, sector, image.read(SUPERBLOCK)))
                image.seek(sector * disks.SECTOR)
                image.write(garbage)
            capture.touched.add(disk)

    def restore(self, capture):
        for disk, sector, content in self._kept:
            with open(capture.place / disk, "r+b") as image:
                image.seek(sector * disks.SECTOR)
                image.write(content)


def _corrupt(_random, _number, _bench):
    block = _Superblock()
    return Injection("", dead=block.spoil, undo=block.restore, expect=NOTHING, other=DUMP)


def _read_only_disk(_random, _number, _bench):
    return Injection("", open=lambda _place, image, _keep: f"{faults.plain(image)},read-only=on", expect=NOTHING, other=DUMP)


def _replaced(_random, _number, _bench):
    return Injection("an empty disk", open=lambda _place, _image, _keep: "driver=null-co,size=400M,read-zeroes=on",
                     expect=NOTHING, other=DUMP, failing=True)


def _filled_disk(share):
    def draw(_random, _number, bench):
        free = int(bench.size * share)
        return Injection(f"{free >> 10} KiB are free", typed=f"fill_up {free >> 10}", expect=SOMETHING if free else NOTHING,
                         other=DUMP)
    return draw


# --- servers -------------------------------------------------------------------------------------------------------

def _of_server(expect, other=DUMP, live=None, when=(), dead=None, text=""):
    """@live, @dead: of the service."""
    def draw(_random, _number, _bench):
        return Injection(text, live=live and (lambda capture: live(capture.service)), when=when,
                         dead=dead and (lambda capture: dead(capture.service)), expect=expect, other=other)
    return draw


def _filled_server(share):
    def draw(_random, _number, bench):
        free = int(bench.size * share)
        return Injection(f"{free >> 10} KiB are free", dead=lambda capture: capture.service.leave(free),
                         expect=SOMETHING if free else NOTHING, other=DUMP)
    return draw


def _slow_down(service):
    service.link.rate = KIB_PER_SECOND << 10


def _set_link(up):
    def change(capture):
        capture.machine.qmp("set_link", name="net", up=up)
    return change


def _link(expect, **moments):
    return lambda _random, _number, _bench: Injection("", expect=expect, other=DUMP, **moments)


# --- inside the capture kernel, and the power ----------------------------------------------------------------------

def _strike(capture):
    capture.machine.qmp("inject-nmi")


def _eaten(_random, number, _bench):
    return Injection(f"{EATEN[number]} MiB are left", words=f"rest={EATEN[number] << 10}", proof="of memory are eaten",
                     expect=NOTHING, other=NOTHING)


def _cut(random, number, _bench):
    # One in each part of the capture; the last ones when it is nearly over.
    share = (number + random.random()) / POWER_CUTS * 1.05
    return Injection("", live=lambda capture: capture.cut(), when=("share", round(share, 2)), expect=NOTHING, other=NOTHING,
                     failing=True)


def _disk(expect, other=DUMP, live=None, when=(), dead=None, failing=True):
    """@live, @dead: of each disk."""
    return lambda _random, _number, _bench: Injection("", live=live and _of_each(live), when=when,
                                                      dead=dead and _of_each(dead), expect=expect, other=other,
                                                      failing=failing)


NO_LINK = "a disk has no link beside itself: see absent, lost and hangs"
INSIDE = "the server's own affair, which shows as another fault"
COLUMNS = [
    Column("works", "no fault: all others mean something only if this is good",
           of_any=lambda _random, _number, _bench: Injection("", expect=DUMP, other=DUMP)),
    Column("absent", "it is not there in the capture kernel (unplugged; nobody listens)",
           _disk(NOTHING, dead=_unplug), _of_server(NOTHING, dead=lambda service: service.vanish()), seconds=70),
    Column("late", f"it appears {LATE} s after the capture program has begun",
           _disk(DUMP, dead=_unplug, live=_plug, when=("seconds", LATE), failing=False),
           _of_server(DUMP, dead=lambda service: service.vanish(), live=lambda service: service.appear(),
                      when=("seconds", LATE))),
    Column("full", "it is full", _filled_disk(0), _filled_server(0)),
    Column("fills", "it has room for half of the dump", _filled_disk(0.5), _filled_server(0.5)),
    Column("errors", "I/O errors, from the middle of the dump on (drive_del; the server's disk)",
           _disk(SOMETHING, live=_fail, when=HALF), _of_server(SOMETHING, live=lambda service: service.break_disk(), when=HALF)),
    Column("hangs", "it answers nothing any more, from the middle on (a limit of 1 byte/s; SIGSTOP)",
           _disk(SOMETHING, live=_limit(1), when=HALF),
           _of_server(SOMETHING, live=lambda service: service.send(signal.SIGSTOP), when=HALF), seconds=LONG),
    Column("silent", "it answers nothing from the panic on",
           _disk(NOTHING, dead=_limit(1)), _of_server(NOTHING, dead=lambda service: service.send(signal.SIGSTOP)),
           seconds=LONG),
    Column("throttled", f"{KIB_PER_SECOND} KiB/s, from the middle on",
           _disk(SOMETHING, live=_limit(KIB_PER_SECOND << 10), when=HALF),
           _of_server(SOMETHING, live=_slow_down, when=HALF), seconds=LONG),
    Column("no-link", "the network has no link", NO_LINK, _link(NOTHING, dead=_set_link(False)), seconds=LONG),
    Column("lost", "it is unplugged, the network's link goes, half-way", _disk(SOMETHING, live=_unplug, when=HALF),
           _link(SOMETHING, live=_set_link(False), when=HALF), seconds=LONG),
    Column("credentials", "the server does not take the client's", "a disk asks for none; a volume's key is in the plan",
           _of_server(NOTHING, dead=lambda service: service.deny())),
    Column("identity", "another one is in its place (an empty disk; another host key)",
           _replaced, _of_server(NOTHING, dead=lambda service: service.impersonate())),
    Column("read-only", "nothing can be written to it", _read_only_disk,
           _of_server(NOTHING, dead=lambda service: service.read_only())),
    Column("corrupt", "garbage where the file system's superblock is", _corrupt, INSIDE),
    Column("worker-dies", "the process that carries out the plan is killed at 30 %",
           of_any=lambda _random, _number, _bench: Injection("", words="nmi=1", proof="is killed", live=_strike,
                                                             when=("share", 0.3), expect=DUMP, other=DUMP)),
    Column("memory", "less and less memory, until the dump fails", of_any=_eaten, times=len(EATEN),
           until=lambda outcome: outcome.level() < DUMP),
    Column("panic", "the capture kernel panics at 30 %",
           of_any=lambda _random, _number, _bench: Injection("", words="nmi=1 dies=1", proof="the capture kernel dies",
                                                             live=_strike, when=("share", 0.3), expect=SOMETHING,
                                                             other=SOMETHING, failing=True)),
    Column("power", f"the power is cut, at {POWER_CUTS} random moments", of_any=_cut, times=POWER_CUTS),
]
