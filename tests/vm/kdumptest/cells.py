# SPDX-License-Identifier: GPL-2.0-or-later
"""The cells of tests/vm/faults: a row for every kind of target, and each capture with a fault of a column. The caller has
host.LOCK.

The machine of a row arms itself once and is then saved, as in random_faults; every capture starts from there."""
import contextlib
import random
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import disks, faults, host, random_faults, services, unharmed
from .random_faults import Stage

# As an administrator sets them who wants the machine back soon.
LIMITS = "device_timeout 30\nmount_timeout 30\nstall_timeout 30\ncapture_timeout 150"
# What capture says when no target has anything.
ON_CONSOLE = "the end of the crashed kernel's log"
USER_NETWORK = "user,id=net"


@dataclass(frozen=True)
class Row:
    """@stage: its machine, without LIMITS and the server's lines of kdump.conf; @service: a class of services, if the
    target is a server; @another: there is a second place for the dump; @without: faults that this kind of target cannot
    have -> why."""
    name: str
    text: str
    stage: Stage
    service: object = None
    another: bool = False
    without: dict = field(default_factory=dict)


def _disk(name, text, another=False, fs="ext4", modules="", without=None, **more):
    """A row of SCSI disks, which can come and go."""
    variables = {"one": "/dev/sda", "two": "/dev/sdb", **more.pop("variables", {})}
    stage = Stage(name, text, **{"disks": ("sda",), "bus": "scsi", "fs": fs, "modules": f"sd_mod virtio_scsi {modules}".strip(),
                                 "variables": variables, **more})
    return Row(name, text, stage, another=another, without=without or {})


def _server(name, text, service, disk=False):
    """A row of a server, and, with @disk, of a disk that is tried after it."""
    local = {"disks": ("sda",), "bus": "scsi", "modules": "sd_mod virtio_scsi", "variables": {"one": "/dev/sda"},
             "conf": "path /var/crash\next4 /dev/sda"} if disk else {"disks": (), "make": "nothing", "conf": ""}
    return Row(name, text, Stage(name, text, network=USER_NETWORK, **local), service, disk, service.without)


# A container is as large as it was made, and a dump that it does not hold is one that a full disk does not hold.
CONTAINER = {"full": "nothing but dumps fills a container, and they leave at each boot",
             "fills": "the size of a container is given when it is made; see tests/unit/capture"}


ROWS = [
    _disk("ext4", "ext4 on a disk"),
    _disk("xfs", "XFS on a disk", fs="xfs"),
    _disk("btrfs", "btrfs on a disk", fs="btrfs"),
    _disk("stack", "LUKS on LVM on RAID1", disks=("sda", "sdb"), make="stack", modules="raid1",
          programs=("lvm", "mdadm", "cryptsetup"), variables={"META": "1.2"}),
    _disk("rootfs", "ext4 on a disk, then the root file system (dump_to_rootfs)", True, second=True,
          conf="ext4 /dev/sda\npath /var/crash\nfailure_action dump_to_rootfs"),
    _disk("luks", "LUKS without a key file", make="luks", programs=("cryptsetup",), variables={"KEYLESS": "none"}),
    _disk("raw", "a partition without a file system", make="raw", programs=("sfdisk",), below=True, without=CONTAINER,
          conf="raw /dev/sda1\npath /var/crash"),
    _disk("file", "the sectors of a file of a full ext4", make="file", programs=("filefrag",), below=True,
          without=CONTAINER, conf="reserved_file /mnt/dump/reserve 128M\npath /var/crash"),
    _server("nfs", "an NFS server", services.Nfs),
    _server("ssh", "a server by ssh and sftp", services.Ssh),
    _server("https", "a web server with WebDAV and TLS", services.Https),
    _server("s3", "an S3 server", services.S3),
    _server("nfs+disk", "an NFS server, then ext4 on a disk", services.Nfs, True),
    _server("ssh+disk", "a server by ssh, then ext4 on a disk", services.Ssh, True),
]


def _scratch(stack):
    top = random_faults.FAST if random_faults.FAST.is_dir() else host.CACHE
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdump-faults.", dir=top)))


class Bench:
    """An armed machine of a row, and its server. Use as a context manager."""

    def __init__(self, row, installed, out):
        self.row, self.installed, self._out = row, installed, out
        self.service = self.armed = None
        self.total = self.size = 0  # what a capture without a fault sends to the target; the dump's bytes

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stage, files = self.row.stage, ()
            if self.row.service:
                self.service = stack.enter_context(self.row.service(_scratch(stack)))
                files = self.service.files
                stage = replace(stage, conf=f"{self.service.conf}\n{stage.conf}",
                                variables={**stage.variables, **self.service.variables})
            stage = replace(stage, conf=f"{stage.conf}\n{LIMITS}")
            with contextlib.ExitStack() as ready:
                if self.service:
                    ready.enter_context(self.service.ready(_scratch(ready)))
                self.armed = stack.enter_context(random_faults.Armed(stage, self.installed, self._out, files))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def measure(self, capture):
        """What captures have to do, by one that did it."""
        self.total = capture.got()
        self.size = max(int(values["size"]) for _, values in capture.saved())


class Cell(random_faults.Capture):
    """A capture from a Bench, with one fault."""

    def __init__(self, bench, seed, out):
        super().__init__(bench.armed, seed, out)
        self.bench, self.service = bench, bench.service
        self.disks = bench.armed.stage.disks
        self._got, self._base, self.was_cut, self.on_console = 0, 0, False, False
        self.may_miss = False  # the moment may be after the end of the capture

    def layout(self):
        """Where the target lies."""
        return self._armed.devices.layout(self._armed.target)

    def saved(self):
        """(where, values) of all that was saved."""
        return [(values["where"], values) for values in self._outcome.saved]

    def got(self):
        """How much the target got: bytes from the network, or requests of disks."""
        return self._got

    def cut(self):
        """The power."""
        self.was_cut = True
        self.machine.stop()

    def _capture(self, place, images, before):
        with contextlib.ExitStack() as stack:
            if self.service:
                stack.enter_context(self.service.ready(place))
            super()._capture(place, images, before)
        if self.service:
            with self.service.looked_at(place):
                self._outcome.saved += self.service.saved(self.bench.installed)
                for name in self.service.harm():
                    self._bad(f"{unharmed.HARM}the server's file {name} has changed")

    def _panic(self, place, before):
        super()._panic(place, before)
        self._base = self._measured()

    def _measured(self):
        return self.service.link.sent if self.service else self.written()

    def _reached(self, unit, seconds):
        if unit != "share":
            return super()._reached(unit, seconds)
        return (self._measured() - self._base) / max(1, self.bench.total)

    def _watch(self):
        if self.bench.total == 0:
            with contextlib.suppress(host.Failure, OSError):  # it may just have ended
                self._got = self._measured() - self._base

    def _compare(self, before, images):
        super()._compare(before, images)
        for name in self.touched:
            # Below the volume a RAID's own superblock may change.
            own = [area for area in self._armed.devices.layout(self._armed.target).own if area[0] == name]
            if disks.outside(disks.changed(before[name], images[name]), name, own):
                self._bad(f"{unharmed.HARM}{name} was written to, though its file system is none")

    def _judged(self):
        outcome = super()._judged()
        log = (self._out / "capture.log").read_text(errors="replace")
        self.on_console = ON_CONSOLE in log
        for _, injection in self.chosen:
            if injection.proof not in log:
                self._bad(f"the fault did not happen: nothing says {injection.proof!r}")
        if self.missed and not self.may_miss:
            self._bad("the fault did not happen: the capture was over before")
        if outcome.level() == faults.NOTHING and not self.on_console and not self.was_cut:
            self._bad("LOST: nothing is saved, and the end of the log is not on the console either")
        return outcome


def suffered(bench, column, number, out):
    """Capture @number of a cell: (the Injection, the Cell, its Outcome)."""
    seed = f"{bench.row.name}:{column.name}:{number}"
    injection = column.draw(bench, random.Random(seed), number)
    cell = Cell(bench, seed, random_faults.fresh(out / f"{column.name}-{number}"))
    cell.may_miss = column.times > 1
    outcome = cell.suffer([(column, injection)])
    return injection, cell, outcome
