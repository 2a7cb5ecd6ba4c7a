# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture changes nothing but the dump's own files: the disks of a guest, compared below its file systems.

The disks are copied when the machine has panicked and stands still, and compared with what the capture leaves, before
anything else sees them."""
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import disks, guest, host, kernels, lab, product, qemu, scenario, stages

DISK_SIZE = 400 << 20
BYSTANDER, MEMBERS = "vdb", ("vdc", "vdd", "vde")
HARM = "HARM: "  # before each finding of that kind
NOTHING = "nothing was written on any disk"
# What debugfs calls the dump's files and the directories that lead to them.
DUMPS = r"/(var(/crash(/[0-9.]+-.*)?)?)?/?$"
PACKAGES = {"mke2fs": "e2fsprogs", "e2fsck": "e2fsprogs", "lvm": "lvm2", "dmsetup": "dmsetup", "mdadm": "mdadm",
            "cryptsetup": "cryptsetup-bin", "mkfs.btrfs": "btrfs-progs", "btrfs": "btrfs-progs", "mkfs.minix": "util-linux",
            "filefrag": "e2fsprogs", "multipath": "multipath-tools", "fsck.minix": "util-linux", "mkfs.xfs": "xfsprogs", "xfs_repair": "xfsprogs", "sfdisk": "fdisk"}
CHECKERS = {"ext4": (), "xfs": ("mkfs.xfs", "xfs_repair"), "btrfs": ("mkfs.btrfs", "btrfs"),
            "minix": ("mkfs.minix", "fsck.minix")}


@dataclass(frozen=True)
class Row:
    """@make: the functions of vm/guest/unharmed; @modules: what they need of the kernel; @programs: of this machine;
    @refusal: kdumpctl may as well refuse to start, in words that match; @disarmed: or be found disarmed before the panic;
    @fault: what happens to the machine while it stands still, a function of the qemu.Machine that may return another one
    for later; @one_leg: the legs may differ, since one of them was lost; @conf: kdump.conf."""
    name: str
    text: str
    make: str
    modules: str = ""
    programs: tuple = ()
    fs: str = "ext4"
    disks: int = 2
    scsi: bool = False  # a further disk, sda, which can come and go
    paths: bool = False  # a further disk, sda, which is sdb as well
    kernel: str = "6.1-cloud"
    variables: dict = field(default_factory=dict)
    refusal: str | None = None
    disarmed: bool = False
    fault: object = None
    one_leg: bool = False
    serial: bool = False  # each disk tells a number of its own
    conf: str = "path /mnt/dump/var/crash"
    below: bool = False  # a container: what is written is no part of a file system's own
    quick: bool = False
    mutant: bool = False  # must be red when the capture looks for its target's UUID on all devices

    def run(self, installed, out, keep=False):
        """A line of text if nothing was harmed; else a host.Failure. @keep: also the target's images, if they are known."""
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix=".unharmed.", dir=host.CACHE) as place:
            return _Trial(self, installed, out, Path(place), keep).run()


class _Trial:
    """One run of a row."""

    def __init__(self, row, installed, out, place, keep):
        self._row, self._installed, self._out, self._place, self._keep = row, installed, out, place, keep
        self._findings = []  # (good, text)
        self._devices, self._targets = disks.Devices(), []

    def run(self):
        row = self._row
        kernel = kernels.named(row.kernel)
        images = self._make_disks()
        words = ["-no-reboot", *(("-device", "virtio-scsi-pci,id=scsi") if row.scsi else ())]
        for name, image in images.items():
            if row.paths and name == "sda":
                words += qemu.paths(image)
            elif name == "sda":  # of a kind that stays when the device goes
                words += ["-blockdev", f"driver=raw,node-name=drive-{name},file.driver=file,file.filename={image}",
                          "-device", f"scsi-hd,bus=scsi.0,drive=drive-{name},id={name}"]
            else:
                words += ["-drive", f"file={image},if=none,id=drive-{name},format=raw,cache=unsafe",
                          "-device", f"virtio-blk-pci,drive=drive-{name},id={name}" + f",serial=kdump-{name}" * row.serial]
        variables = {"MAKE": row.make, "FS": row.fs, "MODULES": row.modules, "CONF": row.conf, **row.variables}
        payload = [product.payload(self._installed),
                   guest.test_payload("unharmed", variables, programs(row))]
        with lab.switched_on(kernel, qemu.Hardware("1G", 1, extra=words), "crashkernel=192M panic=5", payload,
                             self._out / "serial.log", self._listen) as running:
            images["vda"] = running.disk
            return self._follow(running.machine, images)

    def _make_disks(self):
        images = {name: self._place / name for name in (BYSTANDER, *MEMBERS[:self._row.disks], *["sda"] * (self._row.scsi or self._row.paths))}
        for image in images.values():
            with open(image, "wb") as file:
                file.truncate(DISK_SIZE)
        return images

    def _listen(self, line):
        _, mark, rest = line.partition("KDTEST ")
        if not mark:
            return
        stage = rest.split()[0]
        text = rest.partition("text=")[2].strip()
        number = re.search(r"number=(\S+)", rest)
        if stage in ("good", "bad"):
            self._findings.append((stage == "good", text))
        elif stage == "device":
            self._devices.note(number[1], text)
        elif stage == "target":
            self._targets.append(number[1])

    def _follow(self, machine, images):
        row = self._row
        story = stages.Story(machine, 600)
        reached = story.expect("arm", f"{stages.mark('refused')}|{stages.mark('armed')}", 300)
        if "KDTEST refused" in reached.line:
            return self._refused(reached.values.get("text", ""))
        reached = story.expect("panic", rf"{stages.mark('disarmed')}|Kernel panic - not syncing", 150)
        if "KDTEST disarmed" in reached.line:
            if not row.disarmed:
                raise host.Failure("it is not armed any more before the panic")
            return "disarmed before the panic"
        later = self._stand_still(machine, images)
        if later:
            story.expect("capture", r"Run /\S+ as init process", 120)
            later(machine)
        story.end(300)
        self._compare(images)
        machine.again()
        story = stages.Story(machine, 300)
        story.expect("audit", stages.mark("end"), 240)
        story.end()
        return scenario.verdict(self._findings)

    def _refused(self, text):
        if not self._row.refusal:
            raise host.Failure(f"kdumpctl start refuses it: {text}")
        if not re.search(self._row.refusal, text, re.IGNORECASE | re.DOTALL):
            raise host.Failure(f"kdumpctl start refuses it, but not in words like {self._row.refusal!r}: {text}")
        return f"refused: {text}"

    def _stand_still(self, machine, images):
        """The system kernel is dead, the capture kernel has not begun: copy the disks."""
        machine.qmp("stop")
        try:
            while True:
                if "init process" in machine.line(time.monotonic() + 0.1):
                    raise host.Failure("the capture had begun before the machine could be stopped")
        except qemu.Late:
            pass
        for name, image in images.items():
            copy(image, self._place / f"{name}.before")
        later = self._row.fault(machine) if self._row.fault else None
        machine.qmp("cont")
        return later

    def _compare(self, images):
        row = self._row
        layouts = [self._devices.layout(number) for number in self._targets]
        before = {name: self._place / f"{name}.before" for name in images}
        if self._keep:
            keep_target(layouts, before, images, self._out)
        # With a journal elsewhere it could not be said here where that leads.
        self._findings += compare(layouts, before, images, layouts if row.fs == "ext4" and len(layouts) == 1 and not row.below else (),
                                  row.one_leg)


def copy(image, path):
    """Of a disk's image."""
    host.run("cp", "--sparse=always", "--reflink=auto", image, path)


def compare(layouts, before, after, ext4, one_leg=False):
    """What is to be said of the disks @after a capture to targets of @layouts: (good, text). @before, @after: the name of
    each disk -> its image. @ext4: those of @layouts that hold ext4 and its journal. @one_leg: the copies of a volume may
    differ, since a disk failed."""
    written = 0
    for name, image in after.items():
        blocks = disks.changed(before[name], image)
        written += len(blocks)
        strange = disks.outside(blocks, name, [area for layout in layouts for area in layout.areas()])
        yield (not strange, f"{HARM}{name}: {len(strange)} blocks beside the target were changed, the first at "
               f"{strange[0] * disks.BLOCK:#x}" if strange else f"{name}: nothing beside the target was changed")
    yield written, "something was written" if written else NOTHING
    for layout in layouts:
        unequal = [] if one_leg else layout.unequal(after)
        yield (not unequal, f"{HARM}the copies of the volume differ at {len(unequal)} places, the first at sector "
               f"{unequal[0]}" if unequal else "all copies of the volume are alike")
        odd = [] if one_leg else layout.odd(after)
        yield (not odd, f"{HARM}the parity is wrong at {len(odd)} places, the first at sector {odd[0]} of the members"
               if odd else "all parity is right")
    for layout in ext4:
        if layout.pieces is not None and layout.plain:
            yield _look_into(layout, before, after)


def _look_into(layout, before, after):
    """Whose the blocks are that have changed in the target's file system."""
    with tempfile.TemporaryDirectory(dir=host.CACHE) as place:
        one, two = Path(place, "before"), Path(place, "after")
        layout.extract(before, one)
        layout.extract(after, two)
        strangers = disks.strangers_of_ext4(one, two, DUMPS)
    return (not strangers, f"{HARM}blocks of others were written: {strangers}" if strangers
            else "only the dump's blocks and metadata were written")


def keep_target(layouts, before, after, out):
    """Images of a target whose place is known, for a person to look at."""
    if len(layouts) == 1 and layouts[0].pieces is not None:
        layouts[0].extract(before, out / "volume.before")
        layouts[0].extract(after, out / "volume.after")


def programs(row):
    files = {}
    for name in ("mke2fs", "e2fsck", "dmsetup", *CHECKERS[row.fs], *row.programs):
        for file in scenario.program(name, PACKAGES[name]):
            files[file[0]] = file
    if row.paths:
        files |= {file[0]: file for file in scenario.MULTIPATH}
    return list(files.values())


def _lose(name):
    """A disk gives nothing but errors from the panic on. (device_del would ask a kernel that is dead.)"""
    def fault(machine):
        machine.qmp("human-monitor-command", **{"command-line": f"drive_del drive-{name}"})
    return fault


def _cut(name):
    """A device is gone with the panic."""
    def fault(machine):
        machine.qmp("device_del", id=name)
    return fault


def _late(name, seconds):
    """A disk is gone with the panic, and there again when the capture kernel has run so long."""
    def fault(machine):
        machine.qmp("device_del", id=name)

        def later(machine):
            deadline = time.monotonic() + seconds
            try:
                while True:
                    machine.line(deadline)
            except qemu.Late:
                machine.qmp("device_add", driver="scsi-hd", bus="scsi.0", drive=f"drive-{name}", id=name)
            except qemu.Gone:  # it did not wait
                pass
        return later
    return fault


REMEDY = r".*\b(kdump\.conf|path|target|move|remove|use|choose|name|set)\b"
LVM, MD = ("lvm",), ("mdadm",)
ROWS = [
    Row("ext4", "a whole disk", "disk", disks=1, quick=True),
    Row("xfs", "a whole disk", "disk", fs="xfs", disks=1),
    Row("btrfs", "a whole disk", "disk", fs="btrfs", disks=1),
    Row("minix", "a whole disk", "disk", fs="minix", disks=1, kernel="6.1"),
    Row("partition", "beside another with the same label", "partition", programs=("sfdisk",), disks=1),
    Row("label", "named by a label that two disks have", "disk", disks=1, conf="ext4 LABEL=dumps\npath /var/crash",
        refusal=r"LABEL=dumps|label"),
    Row("lvm-linear", "a logical volume in two pieces", "linear", programs=LVM),
    Row("lvm-striped", "over two disks", "striped", programs=LVM),
    Row("lvm-raid1", "LVM's RAID1 (dm-raid)", "mirrored", "dm-raid raid1", LVM, disks=3, variables={"TYPE": "raid1 -m 1"},
        refusal="raid1" + REMEDY, quick=True, mutant=True),
    Row("lvm-mirror", "LVM's older mirror (dm-mirror)", "mirrored", "dm-mirror", LVM, disks=3, variables={"TYPE": "mirror -m 1"},
        refusal="mirror" + REMEDY),
    Row("lvm-snapshot", "an origin that has a snapshot", "snapshot", "dm-snapshot", LVM, refusal="snapshot" + REMEDY,
        quick=True),
    Row("lvm-cow", "a snapshot", "cow", "dm-snapshot", LVM, refusal="snapshot" + REMEDY),
    Row("lvm-thin", "a thin volume that has a snapshot", "thin", "dm-thin-pool", LVM),
    Row("lvm-cache", "a writeback cache", "cache", "dm-cache dm-cache-smq", LVM, variables={"TYPE": "writeback"},
        refusal="cache" + REMEDY),
    Row("lvm-writethrough", "a writethrough cache", "cache", "dm-cache dm-cache-smq", LVM,
        variables={"TYPE": "writethrough"}, refusal="cache" + REMEDY),
    Row("lvm-writecache", "a writecache", "cache", "dm-writecache", LVM, variables={"TYPE": "writecache"},
        refusal="writecache" + REMEDY),
    Row("lvm-raid5", "LVM's RAID5 (dm-raid)", "mirrored", "dm-raid raid456", LVM, disks=3, variables={"TYPE": "raid5 -i 2"},
        refusal="raid5" + REMEDY),
    Row("lvm-lost", "LVM's RAID1 that loses a disk in the crash", "mirrored", "dm-raid raid1", LVM, disks=3,
        variables={"TYPE": "raid1 -m 1"}, fault=_lose("vdd"), one_leg=True),
    Row("lvm-moved", "moved after arming, and cannot be armed again", "moved", "dm-mirror", LVM, disks=3, disarmed=True),
    Row("md-1.2", "RAID1", "md", "raid1", MD, variables={"META": "1.2"}),
    Row("md-1.0", "RAID1 with its superblock at the end", "md", "raid1", MD, variables={"META": "1.0"}, quick=True),
    Row("md-0.90", "RAID1 with the oldest superblock, which does not tell its members apart", "md", "raid1", MD,
        variables={"META": "0.90"}, refusal="cannot be told" + REMEDY),
    Row("md-stale", "RAID1 whose first half was removed and is still plugged in", "stale", "raid1", MD,
        variables={"META": "1.0"}, serial=True),
    Row("md-stale-nameless", "the same with disks that tell no serial number", "stale", "raid1", MD,
        variables={"META": "1.0"}, refusal="UUID" + REMEDY),
    Row("md-degraded", "RAID1 that has had one disk for long", "degraded", "raid1", MD, variables={"META": "1.0"}),
    Row("md-lost", "RAID1 that loses a disk in the crash", "md", "raid1", MD, variables={"META": "1.0"},
        fault=_lose("vdd"), one_leg=True),
    Row("md-late", "RAID1 whose second disk comes after 30 s", "md", "raid1 sd_mod virtio_scsi", MD, disks=1, scsi=True,
        variables={"META": "1.0", "two": "/dev/sda"}, fault=_late("sda", 30)),
    *(Row(f"md-raid{level}", f"RAID{level} over three disks", "level", module, MD, disks=3,
          variables={"META": "1.2", "TYPE": level})
      for level, module in (("0", "raid0"), ("5", "raid456"), ("10", "raid10"))),
    Row("stack", "LUKS on a logical volume on RAID1", "stack", "raid1", (*LVM, *MD, "cryptsetup"),
        variables={"META": "1.0"}),
    Row("luks-integrity", "LUKS with authenticated encryption", "luks", "dm-integrity", ("cryptsetup",), disks=1,
        variables={"OPTIONS": "--integrity hmac-sha256"}, refusal="(integrity|authenticated)" + REMEDY),
    Row("luks-reencrypt", "LUKS that is being encrypted with another key", "luks", "", ("cryptsetup",), disks=1,
        variables={"REENCRYPT": "yes"}, refusal="re-?encrypt" + REMEDY),
    Row("luks", "LUKS", "luks", programs=("cryptsetup",), disks=1),
    Row("luks-keyless", "LUKS without a key file", "luks", programs=("cryptsetup",), disks=1,
        variables={"KEYLESS": "none"}),
    Row("clone", "a copy with the same UUID comes after it", "clone", refusal="UUID" + REMEDY, quick=True),
    Row("original", "a copy with the same UUID comes before it", "original", refusal="UUID" + REMEDY),
    *(Row(f"{name}-serial", "the same, and each disk tells a serial number", name, serial=True)
      for name in ("clone", "original")),
    Row("ext4-journal", "the journal is on another disk", "journal"),
    Row("xfs-log", "the log is on another disk", "log", fs="xfs"),
    Row("btrfs-pair", "two disks", "pair", fs="btrfs"),
    *(Row(f"multipath{suffix}", f"a disk that is reached by two paths{text}", "multipath", "virtio_scsi sd_mod dm-multipath dm-service-time",
          ("multipath",), disks=0, paths=True, fault=fault, quick=not suffix)
      for suffix, text, fault in (("", "", None), ("-lost", ", one of which fails in the crash", _lose("sda")),
                                  ("-cut", ", one of which is gone with the crash", _cut("sda")))),
    Row("raw", "a partition without a file system", "raw", programs=("sfdisk",), disks=1, below=True,
        conf="raw /dev/vdc1\npath /var/crash", quick=True),
    *(Row(f"file-{fs}", f"the sectors of a file on {fs}, which is full", "file", fs=fs, programs=("filefrag",), disks=1,
          below=True, conf="reserved_file /mnt/dump/reserve 128M\npath /var/crash") for fs in ("ext4", "xfs")),
]
