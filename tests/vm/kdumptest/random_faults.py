# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures with faults injected at random moments: the machine is back by itself, no foreign byte has changed, and
something useful is saved wherever a target could take it. The caller has host.LOCK.

A guest arms itself once for each Stage and is then saved; every capture starts from there, just before the panic."""
import contextlib
import mmap
import random
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import disks, faults, guest, host, kernels, lab, panicmod, product, qemu, scenario, stages, unharmed

FAST = Path("/dev/shm")  # else the host's disk is the slowest part
DISK_SIZE = 400 << 20
MEMORY = "512M"
HANGS = "HANGS: "
WHOLE = ("vmcore", "vmcore.flat", "vmcore.retry")  # what a dump is called that is said to be complete
BACK_SECONDS = 150  # from the reset of the machine to its system's first word
LOOK_SECONDS = 900  # "kdumpctl verify" reads every page of a plain copy, and the emulator may have other work
ROOT_SECTORS = host.parse_size(guest.DISK_SIZE) // disks.SECTOR
# Of QEMU's devices those that a saved machine may have: nvme is none of them.
BUSES = {"virtio": ("virtio-blk-pci", ()), "scsi": ("scsi-hd,bus=scsi.0", ("-device", "virtio-scsi-pci,id=scsi")),
         "ide": ("ide-hd,bus=ide.0", ())}


@dataclass(frozen=True)
class Stage:
    """An armed machine. @disks: the target's, by the names that the guest gives them, whose first one has the faults;
    @bus: theirs, a key of BUSES; @make, @fs, @variables: as in tests/vm/guest/unharmed; @conf: kdump.conf; @second:
    "rootfs" is there for what the target does not take; @copies: another disk has the same; @crashkernel: the reservation;
    @network: QEMU's word for what its network card is connected with."""
    name: str
    text: str
    disks: tuple = ("vdc",)
    bus: str = "virtio"
    make: str = "disk"
    fs: str = "ext4"
    modules: str = ""
    programs: tuple = ()
    variables: dict = field(default_factory=dict)
    conf: str = "path /mnt/dump/var/crash"
    second: bool = False
    copies: bool = False
    crashkernel: str = "128M"
    weight: int = 4
    network: str = "hubport,id=net,hubid=0"
    below: bool = False  # a container: what is written is no part of a file system's own


STAGES = [
    Stage("ext4", "a disk of its own, and no other target"),
    Stage("rootfs", "the same, and failure_action dump_to_rootfs", second=True, weight=6,
          conf="ext4 /dev/vdc\npath /var/crash\nfailure_action dump_to_rootfs"),
    Stage("ata", "an ATA disk, and dump_to_rootfs", ("sda",), "ide", modules="ata_piix sd_mod", second=True,
          variables={"one": "/dev/sda"}, conf="ext4 /dev/sda\npath /var/crash\nfailure_action dump_to_rootfs"),
    Stage("xfs", "XFS on a SCSI disk", ("sda",), "scsi", fs="xfs", modules="sd_mod virtio_scsi",
          variables={"one": "/dev/sda"}),
    Stage("raid1", "RAID1 over two disks, one of which has the faults", ("vdc", "vdd"), make="md", modules="raid1",
          programs=("mdadm",), variables={"META": "1.0"}, copies=True),
    Stage("small", "a reservation at the floor", crashkernel="76M", weight=2),
]


class Places:
    """Where the crashed kernel has what: areas of its memory (start, length)."""

    def __init__(self):
        self._named, self._ram, self._capture = {}, [], []

    def note(self, line):
        """Heed a line of the guest's."""
        found = re.search(r"KDTEST place kind=(\S+) physical=(\S+) size=(\S+)", line)
        if found:
            self._named.setdefault(found[1], []).append((int(found[2], 0), int(found[3], 0)))
        found = re.search(r"KDTEST memory .*text= *([0-9a-f]+)-([0-9a-f]+) : (System RAM|Crash kernel)", line)
        if found:
            area = int(found[1], 16), int(found[2], 16) + 1
            (self._ram if found[3] == "System RAM" else self._capture).append(area)

    def of(self, name):
        """The areas of a name; for None all memory that the capture kernel does not use itself."""
        if name:
            if name not in self._named:
                raise host.Failure(f"the guest did not say where its {name} is")
            return self._named[name]
        found = []
        for start, end in self._ram:
            start = max(start, 1 << 20)  # what is below is used by any kernel that starts
            for first, last in sorted(self._capture):
                if start < last and first < end:
                    found += [(start, first - start)] * (start < first)
                    start = last
            found += [(start, end - start)] * (start < end)
        return found


def _leave_memory(machine):
    """What is saved of a machine, or read, is without its memory, which is a file already."""
    machine.qmp("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])


class Armed:
    """A machine that was saved when it was armed. Use as a context manager."""

    def __init__(self, stage, installed, out, files=()):
        """@files: more of the guest's, as test_payload() takes them."""
        self.stage, self._installed, self._out, self._files = stage, installed, out, files
        self.places, self.devices, self.target = Places(), disks.Devices(), None
        self._kernel = kernels.named("6.1-cloud")
        self._refused = ""

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        top = FAST if FAST.is_dir() else host.CACHE
        self._place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kdump-faults.", dir=top)))
        try:
            self._arm()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error):
        self._stack.close()

    def _arm(self):
        stage, place = self.stage, self._place
        guest.copy_disk(self._kernel, place / "vda")
        for name in (unharmed.BYSTANDER, *stage.disks):
            with open(place / name, "wb") as file:
                file.truncate(DISK_SIZE)
        module = panicmod.build(self._kernel, "kdump_test_fault")
        with tempfile.TemporaryDirectory(dir=host.CACHE) as scratch:
            files = scenario.with_module(self._kernel, module, Path(scratch))
            files += [("etc/kdump-test/kdump_test_fault.ko", module, 0o644), *self._files]
            row = unharmed.Row(stage.name, stage.text, stage.make, fs=stage.fs, programs=stage.programs)
            variables = {"MAKE": stage.make, "FS": stage.fs, "MODULES": stage.modules, "FAULTS": "yes",
                         "CONF": f"{stage.conf}\nextra_modules kdump_test_fault", **stage.variables}
            payload = [product.payload(self._installed), guest.test_payload("unharmed", variables, files + unharmed.programs(row))]
            guest.initramfs(self._kernel, "virtio", payload, place / "initramfs")
        with self.machine(place, self._out / f"{stage.name}.log", echo=self._listen) as machine:
            story = stages.Story(machine, 300)
            reached = story.expect("arm", f"{stages.mark('refused')}|{stages.mark('waiting')}", 300)
            if "KDTEST refused" in reached.line:
                raise host.Failure(f"kdumpctl start refuses it: {reached.values.get('text', '')}")
            machine.qmp("stop")
            _leave_memory(machine)
            machine.qmp("migrate", uri=f"exec:cat >{place}/state")
            while machine.qmp("query-migrate")["status"] not in ("completed", "failed"):
                time.sleep(0.05)
            if machine.qmp("query-migrate")["status"] == "failed":
                raise host.Failure("the armed machine could not be saved")

    def go_on(self, machine):
        """With one that was switched on to be where this one was saved."""
        _leave_memory(machine)
        machine.qmp("migrate-incoming", uri=f"exec:cat {self._place}/state")
        while machine.qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.05)
        machine.qmp("cont")

    def _listen(self, line):
        self.places.note(line)
        _, mark, rest = line.partition("KDTEST ")
        number, text = re.search(r"number=(\S+)", rest), rest.partition("text=")[2].strip()
        if mark and rest.startswith("device "):
            self.devices.note(number[1], text)
        elif mark and rest.startswith("target "):
            self.target = number[1]

    def copy(self, place):
        """Its disks and its memory, for one capture: name of a disk -> image."""
        images = {name: place / name for name in ("vda", unharmed.BYSTANDER, *self.stage.disks)}
        for name in (*images, "memory"):
            unharmed.copy(self._place / name, place / name)
        return images

    def before(self):
        """The images that copies() were made of."""
        return {name: self._place / name for name in ("vda", unharmed.BYSTANDER, *self.stage.disks)}

    def machine(self, place, log, drives=None, words="", saved=False, echo=None):
        """A qemu.Machine with the disks and the memory in @place. @drives: names of disks -> what is behind them instead
        of their images; @words: for kdump_test_fault; @saved: goes on where it was saved, once it is told to."""
        stage = self.stage
        extra = ["-no-reboot", "-machine", "memory-backend=ram",
                 "-object", f"memory-backend-file,id=ram,size={MEMORY},mem-path={place}/memory,share=on",
                 "-netdev", stage.network, "-device", "virtio-net-pci,netdev=net,romfile=",
                 "-fw_cfg", f"name=opt/org.kdump/test,string={words or 'nothing'}"]
        for name in (unharmed.BYSTANDER, *stage.disks):
            device, controller = BUSES[stage.bus if name in stage.disks else "virtio"]
            extra += [*(controller if controller and controller[1] not in extra else ()),
                      *faults.drive(name, (drives or {}).get(name) or faults.plain(place / name)),
                      "-device", f"{device},drive=drive-{name},id={name}"]
        if saved:
            extra += ["-incoming", "defer"]
        append = f"console=ttyS0 {lab.BASE_APPEND} crashkernel={stage.crashkernel} panic=5"
        command = qemu.command(qemu.Hardware(MEMORY, 1, extra=extra), self._kernel, self._place / "initramfs", append,
                               place / "vda", place)
        return qemu.Machine(command, log, place, echo, lock=None)


@dataclass
class Outcome:
    """What became of a capture. @kinds: names of its faults; @back: the system runs again; @saved: (where, values) of
    each directory that it made; @bad: what must not be."""
    kinds: list = field(default_factory=list)
    back: bool = False
    saved: list = field(default_factory=list)
    bad: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    seconds: float = 0.0

    def level(self):
        """How much was saved, as faults have it."""
        return max((_level(values) for values in self.saved), default=faults.NOTHING)

    def text(self):
        """The same for a person."""
        return ", ".join(f"{_name(values)} on {values['where']}" for values in self.saved if _name(values)) or "nothing"


def _level(values):
    if values["core"] in WHOLE and values["verify"] == "0":
        return faults.DUMP
    return faults.SOMETHING if _name(values) else faults.NOTHING


def _name(values):
    words = []
    if values["core"]:
        words.append(f"{'dump' if values['core'] in WHOLE else 'part of a dump'} ({int(values['size']) >> 10} KiB)")
    if int(values["log"]):
        words.append("log")
    return " and ".join(words)


class Capture:
    """One capture from an Armed machine, with its faults."""

    def __init__(self, armed, seed, out):
        """@seed decides everything that is left to chance."""
        self._armed, self._random, self._out = armed, random.Random(seed), out
        self.chosen, self.touched = [], set()  # the latter: disks that were changed from outside
        self.missed = False                    # it was over before something could happen to it
        self.disks = armed.stage.disks[:1]  # that have the faults
        self.machine = None
        self._timers = []  # (when, function)
        self._outcome = Outcome()

    def run(self, kinds=()):
        """The Outcome. @kinds: names of the faults instead of drawn ones."""
        return self.suffer(faults.drawn(self._random, kinds))

    def suffer(self, chosen):
        """The Outcome of these kinds and their injections."""
        self.chosen = chosen
        self._outcome.kinds = [kind.name for kind, _ in self.chosen]
        with contextlib.ExitStack() as stack:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdump-faults.",
                                                                         dir=FAST if FAST.is_dir() else host.CACHE)))
            self.place, images, before = place, self._armed.copy(place), self._armed.before()
            self._capture(place, images, before)
            self._compare(before, images)
            for _, injection in chosen:
                if injection.undo:
                    injection.undo(self)
            self._return(place)
        return self._judged()

    def _capture(self, place, images, before):
        injections = [injection for _, injection in self.chosen]
        words = " ".join(injection.words for injection in injections if injection.words)
        # Whoever serves an image must have left it before anyone else opens it.
        with contextlib.ExitStack() as stack:
            drives = {name: injection.open(place, images[name], stack.callback) for injection in injections
                      if injection.open for name in self.disks}
            self.machine = stack.enter_context(self._armed.machine(place, self._out / "capture.log", drives, words, saved=True))
            try:
                self._panic(place, before)
                self._follow()
            except qemu.Gone:
                self._bad("the machine ended before the capture")
            except stages.StageFailure as failure:
                self._bad(str(failure))

    def after(self, seconds, function):
        """Call @function so much later."""
        self._timers.append((time.monotonic() + seconds, function))

    def _bad(self, text):
        self._outcome.bad.append(text)

    def _panic(self, place, before):
        """To the first word of the capture kernel; then what is in memory is damaged."""
        machine = self.machine
        self._armed.go_on(machine)
        story = stages.Story(machine, 200)
        for line in [injection.typed for _, injection in self.chosen if injection.typed]:
            machine.enter(line)
            story.expect("prepare", stages.mark("prepared"), 60)
        machine.enter("go")
        story.expect("panic", "Kernel panic - not syncing", 60)
        self._began = time.monotonic()
        story.expect("panic", "Linux version", 120)
        machine.qmp("stop")
        # The system has written to its disks since it was saved.
        written = machine.written()
        for _, injection in self.chosen:
            if injection.dead:
                injection.dead(self)
        for name in before:
            if name in self.touched or written.get("disk" if name == "vda" else f"drive-{name}"):
                before[name] = place / f"{name}.before"
                unharmed.copy(place / name, before[name])
        damages = [injection.damage for _, injection in self.chosen if injection.damage]
        with open(place / "memory", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            for damage in damages:
                damage(memory, self._armed.places)
        machine.qmp("cont")

    def _follow(self):
        """To the end of the capture."""
        machine, seconds = self.machine, max(injection.seconds for _, injection in self.chosen)
        deadline = time.monotonic() + seconds * host.PATIENCE
        waiting = [injection for _, injection in self.chosen if injection.live]
        started = None
        while True:
            try:
                line = machine.line(min(deadline, time.monotonic() + 0.05))
            except qemu.Late:
                line = ""
            except qemu.Gone:
                break
            now = time.monotonic()
            if now > deadline:
                self._bad(f"{HANGS}the machine is not back {seconds:.0f} s after the panic")
                break
            if re.search(r"Run /\S+ as init process", line):
                started = now
            self._fire(now)
            self._watch()
            if started:
                waiting = [injection for injection in waiting if not self._strike(injection, now - started)]
        self.missed = bool(waiting)
        self._outcome.notes += [f"it was over before {moment(injection)}" for injection in waiting]
        self._outcome.seconds = time.monotonic() - self._began

    def _fire(self, now):
        for timer in [timer for timer in self._timers if timer[0] <= now]:
            self._timers.remove(timer)
            timer[1]()

    def _strike(self, injection, seconds):
        """Let it happen if its moment has come: true."""
        unit, number = injection.when
        try:
            if self._reached(unit, seconds) < number:
                return False
            injection.live(self)
        except (host.Failure, OSError) as error:
            # It may just have ended.
            self._outcome.notes.append(f"{moment(injection)}: {error}")
        return True

    def _reached(self, unit, seconds):
        """How far the capture is, of which the capture program has run for @seconds."""
        return seconds if unit == "seconds" else self.written()

    def written(self):
        """How often the disks that have the faults were written to."""
        written = self.machine.written()
        return sum(written.get(f"drive-{name}", 0) for name in self.disks)

    def _watch(self):
        """Is called again and again while the capture runs."""

    def _compare(self, before, images):
        stage = self._armed.stage
        targets = [self._armed.devices.layout(self._armed.target)] if self._armed.target else []
        root = disks.Layout([disks.Piece(ROOT_SECTORS, [("vda", 0)])])
        ext4 = [root] * stage.second + targets * (stage.fs == "ext4" and not stage.below and not self.touched)
        failing = any(injection.failing for _, injection in self.chosen)
        for good, text in unharmed.compare([*targets, *[root] * stage.second], before, images, ext4, failing):
            if not good and text != unharmed.NOTHING:
                self._bad(text)

    def _return(self, place):
        """The system, on sound disks, looks at what there is."""
        with self._armed.machine(place, self._out / "back.log", echo=self._listen) as machine:
            story = stages.Story(machine, BACK_SECONDS + LOOK_SECONDS)
            try:
                self._outcome.seconds += story.expect("back", stages.mark("boot"), BACK_SECONDS).wall
                self._outcome.back = not any(text.startswith(HANGS) for text in self._outcome.bad)
                story.expect("look", stages.mark("end"), LOOK_SECONDS)
                story.end()
            except stages.StageFailure as failure:
                self._bad(str(failure))

    def _listen(self, line):
        marked = re.search(r"KDTEST (saved|bad) (.*)", line)
        if not marked:
            return
        head, _, text = marked[2].partition("text=")
        if marked[1] == "bad":
            self._bad(text)
        else:
            self._outcome.saved.append(dict(word.split("=", 1) for word in head.split() if "=" in word) | {"text": text})

    def _judged(self):
        outcome, stage = self._outcome, self._armed.stage
        for values in outcome.saved:
            if values["core"] in WHOLE and values["verify"] != "0":
                self._bad(f"LIES: what is called {values['core']} is not whole: {values['text']}")
            elif values["core"] and values["result"] == "complete" and values["core"] not in WHOLE:
                self._bad(f"LIES: the report calls it complete: {values['text']}")
        expected = min(injection.other if stage.second or stage.copies and kind.slot == "disk" else injection.expect
                       for kind, injection in self.chosen)
        if outcome.level() < expected:
            self._bad(f"LOST: {outcome.text()} is saved, though {('', 'something', 'a dump')[expected]} could be")
        return outcome


def moment(injection):
    """When an injection happens, for a person."""
    return injection.when and "{1:g} {0}".format(*injection.when)


def named(chosen):
    """Kinds and injections for a person."""
    words = []
    for kind, injection in chosen:
        text = " ".join(filter(None, (injection.text, injection.when and f"at {moment(injection)}")))
        words.append(f"{kind.name}{': ' if text else ''}{text}")
    return " + ".join(words)


def stage_of(seed, names):
    """The Stage of a capture; @names: of those to choose from."""
    left = [stage for stage in STAGES if not names or stage.name in names]
    if not left:
        raise host.Failure("no such stage; see --list")
    return random.Random(f"stage of {seed}").choices(left, [stage.weight for stage in left])[0]


def fresh(folder):
    """An empty directory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
