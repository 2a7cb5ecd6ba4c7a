# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that tests/vm/random-faults injects into captures: a row for every kind; and what a fault is, for tests/vm/faults too.

A row draws an Injection from a random.Random: in how the target's disk is opened, in what happens to it while the capture
runs, in the crashed kernel's memory, or inside the capture kernel."""
import signal
import subprocess
import time
from dataclasses import dataclass

from . import host

# How much must be saved: anything or nothing; a dump, a part of one, or the log; a whole dump.
NOTHING, SOMETHING, DUMP = range(3)
EIO, ENOSPC = 5, 28
WRITES = 90   # about as many requests as a capture writes to its target
SECONDS = 10  # about as long as it runs on a machine that does nothing else


@dataclass
class Injection:
    """One fault of one capture. @open(place, image, keep): QEMU's words for the drive behind the target's first disk, and
    @keep is given what must be closed in the end; @live(capture): what happens when @when has come: after so many
    ("writes", n) to that disk or so many ("seconds", s) of the capture program, or a ("share", x) of what the target gets
    in a capture without a fault; @damage(memory, places): of the crashed kernel's memory; @words: for kdump_test_fault in
    the capture kernel, and @proof: what that then says. @typed: for the guest's script before the panic; @dead(capture): what happens between the panic and
    the capture kernel, @undo(capture): and before the system looks. @expect: what must be saved all the same, @other: and
    with a second target. @seconds: until the capture has ended. @failing: the disk may lose what was written."""
    text: str
    open: object = None
    live: object = None
    when: tuple = ()
    damage: object = None
    words: str = ""
    proof: str = ""
    typed: str = ""
    dead: object = None
    undo: object = None
    expect: int = SOMETHING
    other: int = SOMETHING
    seconds: float = 240
    failing: bool = False


@dataclass(frozen=True)
class Kind:
    """@slot: of two kinds with the same one, a capture gets only one; @draw(random): an Injection; @weight: how often."""
    name: str
    text: str
    slot: str
    draw: object
    weight: int = 4


def drive(name, words):
    """QEMU's words for a drive whose errors reach the guest; @words: what is behind it."""
    return ["-drive", f"if=none,id=drive-{name},cache=writeback,werror=report,rerror=report,{words}"]


def plain(image):
    """The same for an image, without a fault."""
    return f"driver=raw,file.driver=file,file.filename={image}"


# --- the disk ------------------------------------------------------------------------------------------------------

def _blkdebug(event, iotype, number, errno, once):
    """Request @number of a kind fails, and, unless @once, all of its kind behind it."""
    rules = [f'[set-state]\nevent = "{event}"\nstate = "{state}"\nnew_state = "{state + 1}"\n' for state in range(1, number)]
    rules.append(f'[inject-error]\nevent = "{event}"\nstate = "{number}"\nerrno = "{errno}"\niotype = "{iotype}"\n'
                 f'once = "{"on" if once else "off"}"\n')

    def opened(place, image, _keep):
        config = place / "blkdebug.conf"
        config.write_text("\n".join(rules), encoding="ascii")
        return (f"driver=raw,file.driver=blkdebug,file.config={config},file.image.driver=file,"
                f"file.image.filename={image}")
    return opened


def _failing(word, event, iotype, errno, most):
    def draw(random):
        number, once = random.randint(1, most), random.random() < 0.5
        return Injection(f"{word} {number}{'' if once else ' and all later ones'}: errno {errno}",
                         _blkdebug(event, iotype, number, errno, once), expect=NOTHING, failing=True, seconds=500)
    return draw


def _slow(random):
    speed = round(2 ** random.uniform(18, 23))
    return Injection(f"{speed >> 10} KiB/s", lambda _place, image, _keep: f"{plain(image)},throttling.bps-total={speed}",
                     expect=DUMP, other=DUMP, seconds=600)


def _replaced(_random):
    return Injection("another disk in its place, which is empty",
                     lambda _place, _image, _keep: "driver=null-co,size=400M,read-zeroes=on", expect=NOTHING, failing=True)


def _when(random):
    """A moment of the capture: half of them between two writes."""
    if random.random() < 0.5:
        return "writes", random.randint(1, WRITES)
    return "seconds", round(random.uniform(0, SECONDS), 1)


def _lost(random):
    def live(capture):
        capture.machine.qmp("human-monitor-command", **{"command-line": f"drive_del drive-{capture.disks[0]}"})
    return Injection("", live=live, when=_when(random), expect=NOTHING, failing=True, seconds=500)


def _unplugged(random):
    return Injection("", live=lambda capture: capture.machine.qmp("device_del", id=capture.disks[0]), when=_when(random),
                     expect=NOTHING, failing=True, seconds=500)


def _frozen(random):
    def live(capture):
        limits = dict.fromkeys(("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
        capture.machine.qmp("block_set_io_throttle", id=capture.disks[0], **{**limits, "bps": 1})
    return Injection("", live=live, when=_when(random), expect=NOTHING, failing=True, seconds=1200)


class _Server:
    """A process that serves an image to QEMU."""

    def __init__(self, place, image):
        self._socket = place / "nbd"
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", host.need("qemu-nbd", "qemu-utils"), "-t", "-f", "raw", "-k",
                                          str(self._socket), str(image)], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20 * host.PATIENCE
        while not self._socket.exists():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise host.Failure("qemu-nbd does not serve")
            time.sleep(0.05)

    def words(self):
        return f"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={self._socket}"

    def send(self, number):
        self._process.send_signal(number)

    def close(self):
        self._process.kill()
        self._process.wait()


def _stopped(random):
    seconds, servers = round(2 ** random.uniform(1, 6)), []

    def opened(place, image, keep):
        servers.append(_Server(place, image))
        keep(servers[0].close)
        return servers[0].words()

    def live(capture):
        servers[0].send(signal.SIGSTOP)
        capture.after(seconds, lambda: servers[0].send(signal.SIGCONT))
    return Injection(f"for {seconds} s", opened, live, _when(random), expect=DUMP, other=DUMP, seconds=400)


# --- memory of the crashed kernel ----------------------------------------------------------------------------------

def _damaged(place, most, expect):
    """@place: a kind of kdump_test_fault's, or None for all memory that the capture kernel has not."""
    def draw(random):
        count, size = round(2 ** random.uniform(0, most)), 2 ** random.randint(0, 6)
        seed = random.getrandbits(32)

        def damage(memory, places):
            pick = type(random)(seed)
            areas = places.of(place)
            for start, length in pick.choices(areas, [length for _, length in areas], k=count):
                at = start + pick.randrange(max(1, length - size)) // 8 * 8
                memory[at:at + size] = pick.randbytes(size)
        return Injection(f"{count} times {size} random bytes", damage=damage, expect=expect, other=expect)
    return draw


# --- inside the capture kernel -------------------------------------------------------------------------------------

def _eaten(random):
    rest = round(2 ** random.uniform(10, 15))
    return Injection(f"all but {rest} KiB", words=f"rest={rest}", expect=NOTHING, other=NOTHING, seconds=500)


def _killed(child, expect):
    def draw(random):
        after = random.randint(50, SECONDS * 1000)
        return Injection(f"after {after} ms", words=f"kill={after} child={child}", expect=expect, other=expect)
    return draw


def _unlinked(random):
    return Injection("", live=lambda capture: capture.machine.qmp("set_link", name="net", up=False),
                     when=("seconds", round(random.uniform(0, SECONDS), 1)), expect=DUMP, other=DUMP)


KINDS = [
    Kind("none", "no fault: all others mean something only if this is good", "none",
         lambda _random: Injection("", expect=DUMP, other=DUMP), 1),
    Kind("write-error", "a write to the target's disk fails (blkdebug)", "disk",
         _failing("write", "write_aio", "write", EIO, WRITES), 8),
    Kind("read-error", "a read fails", "disk", _failing("read", "read_aio", "read", EIO, 200), 6),
    Kind("flush-error", "a flush fails", "disk", _failing("flush", "flush_to_disk", "flush", EIO, 12), 5),
    Kind("no-space", "the disk has no room for what is written, as a thin volume that is full", "disk",
         _failing("write", "write_aio", "write", ENOSPC, WRITES)),
    Kind("slow", "the disk is slow (throttled)", "disk", _slow, 3),
    Kind("replaced", "the disk is another, empty one (null-co)", "disk", _replaced, 1),
    Kind("lost", "the disk gives nothing but errors (drive_del)", "disk", _lost, 8),
    Kind("unplugged", "the disk is unplugged (device_del)", "disk", _unplugged, 6),
    Kind("stopped", "whoever serves the disk stops for a while (qemu-nbd, SIGSTOP)", "disk", _stopped, 8),
    Kind("frozen", "the disk answers nothing any more", "disk", _frozen, 1),
    Kind("log-text", "random bytes in the text of the crashed kernel's log", "memory", _damaged("log-text", 12, DUMP)),
    Kind("log-records", "random bytes in its records", "memory", _damaged("log-records", 12, DUMP)),
    Kind("mem_map", "random bytes in its struct pages", "memory", _damaged("mem_map", 14, SOMETHING), 6),
    Kind("anywhere", "random bytes anywhere in its memory", "memory", _damaged(None, 14, SOMETHING), 6),
    Kind("eaten", "the capture kernel has hardly any memory left", "capture", _eaten, 6),
    Kind("killed-worker", "the process that carries out the plan is killed", "capture", _killed(0, DUMP), 6),
    Kind("killed-child", "its youngest descendant is killed, as by the kernel when there is no memory", "capture", _killed(1, SOMETHING), 6),
    Kind("link", "the network goes", "link", _unlinked, 2),
]


def drawn(random, names=()):
    """One or two kinds with their injections; @names: of the kinds to take instead."""
    if names:
        return [(kind, kind.draw(random)) for kind in KINDS if kind.name in names]
    count, chosen = (2 if random.random() < 0.3 else 1), []
    while len(chosen) < count:
        taken = [other.slot for other, _ in chosen]
        left = [kind for kind in KINDS if kind.slot not in taken and (kind.slot != "none" or count == 1)]
        kind = random.choices(left, [kind.weight for kind in left])[0]
        chosen.append((kind, kind.draw(random)))
    return chosen
