# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests whose memory is of interest: made by vm/guest/pages.c, stopped and copied from outside by QEMU between two
looks at what the kernel says about each page frame; then crashed, and copied once more by a capture kernel."""
import functools
import re
import stat
import struct
import subprocess
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from . import cpio, foreign, guest, host, qemu, suite

DRIVERS = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_balloon", "qemu_fw_cfg", *guest.FILE_SYSTEM_DRIVERS]
CAPTURE_DRIVERS = ["virtio_pci", "virtio_mmio", "virtio_blk"]
CAPTURE_WORDS = "panic=0 nr_cpus=1 irqpoll reset_devices quiet loglevel=4 cgroup_disable=memory acpi_no_memhotplug"
SNAPSHOT_STEP = 32 << 20  # as in pages.c
BALLOON = 32 << 20        # as in pages.c
PLUGGED = 128 << 20       # each of two pieces: a block of memory of the kernel
VMCORE_MAX = 4 << 30
DEADLINE = 900
STRAYS = 512  # pages that change between the last look and the crash: above all those on the lists of two CPUs


@dataclass(frozen=True)
class Architecture:
    """How its guests are built and run."""
    compiler: str
    compiler_package: str
    qemu: str
    qemu_package: str
    console: str
    words: tuple
    crashkernel: str
    kexec_tools: bool = False  # its kernels cannot load a capture kernel by themselves


ARCHITECTURES = {
    "amd64": Architecture("gcc", "gcc", "qemu-system-x86_64", "qemu-system-x86", "ttyS0", ("-cpu", qemu.CPU), "160M"),
    "arm64": Architecture("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross", "qemu-system-aarch64",
                          "qemu-system-arm", "ttyAMA0",
                          ("-accel", "tcg,thread=multi", "-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"),
                          "192M", kexec_tools=True),
}


@dataclass(frozen=True)
class Guest:
    """A machine. @lacks: kinds of pages that it cannot have, and why."""
    kernel: str  # a name of foreign.named()
    architecture: str = "amd64"
    append: str = ""
    lacks: dict = field(default_factory=dict)
    memory: str = "1G"
    cpus: int = 2


@dataclass
class Memory:
    """What is left of a guest."""
    vmcore: Path    # as QEMU copied it, between the two snapshots
    captured: Path  # as the capture kernel copied it, after the crash
    flags: list     # two snapshots of /proc/kpageflags, arrays of 64-bit words by page frame
    made: dict = field(default_factory=dict)    # what vm/guest/pages.c made -> "ok", or why not
    counts: dict = field(default_factory=dict)  # what the kernel counts -> page frames
    frames: dict = field(default_factory=dict)  # what lies at a known place -> page frames


def make(machine, out):
    """Run a Guest to its end, and keep its memory in @out. A Memory."""
    kernel, arch = foreign.named(machine.kernel), ARCHITECTURES[machine.architecture]
    out.mkdir(parents=True, exist_ok=True)
    left = Memory(out / "vmcore", out / "captured", [])
    left.vmcore.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        place = Path(scratch)
        words = [host.need(arch.qemu, arch.qemu_package), *arch.words, "-m", machine.memory, "-smp", str(machine.cpus),
                 "-nodefaults", "-no-user-config", "-display", "none", "-chardev", "stdio,id=console,signal=off",
                 "-serial", "chardev:console", "-qmp", f"unix:{place}/qmp,server=on,wait=off",
                 "-kernel", str(kernel.vmlinuz), "-initrd", str(_initramfs(kernel, arch, place)), "-append",
                 f"console={arch.console} panic=0 quiet loglevel=4 crashkernel={arch.crashkernel} "
                 f"{machine.append}".strip(),
                 "-device", "vmcoreinfo", "-device", "virtio-balloon-pci", *_disks(place)]
        if machine.architecture == "amd64":
            words += qemu.accelerator(kernel)
        if "plugged" not in machine.lacks:
            words[words.index("-m") + 1] += ",slots=2,maxmem=4G"
            words[words.index("-append") + 1] += " plug=yes"
        with qemu.Machine(words, out / "serial.log", place) as running:
            size = _follow(running, left, host.parse_size(machine.memory))
        _move_program_headers(left.vmcore)
        left.flags = [_snapshot(place / "disk0", number) for number in range(2)]
        (place / "disk3").replace(left.captured)
        with open(left.captured, "r+b") as core:
            core.truncate(size)
    return left


def _move_program_headers(vmcore):
    """Put them right behind the ELF header, where makedumpfile looks for them; QEMU has sections there."""
    with open(vmcore, "r+b") as core:
        head = bytearray(core.read(64))
        start, count = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]
        core.seek(start)
        headers = core.read(56 * count)
        struct.pack_into("<QQ", head, 32, 64, 0)  # program headers, no section headers
        struct.pack_into("<HHH", head, 58, 0, 0, 0)
        core.seek(0)
        core.write(head + headers)


def _follow(running, left, memory):
    """Do what the guest asks for, and note what it says; the size of the vmcore that it has saved."""
    deadline = time.monotonic() + DEADLINE * host.PATIENCE
    try:
        while True:
            line = running.line(deadline)
            if "end Kernel panic" in line:
                raise host.Failure("the guest crashed without a capture kernel, or that crashed too:\n"
                                   + "\n".join(running.last))
            if not line.startswith("pages: "):
                continue
            line = line.removeprefix("pages: ")
            word, _, rest = line.partition(" ")
            if word == "ask":
                _ASKED[rest](running, left, memory)
            elif word == "count":
                name, number = rest.rsplit(" ", 1)
                left.counts[name] = int(number)
            elif word == "range":
                name, first, number = rest.rsplit(" ", 2)
                left.frames[name] = left.frames.get(name, []) + list(range(int(first), int(first) + int(number)))
            elif word == "vmcore":
                return int(rest)
            else:
                name, _, result = line.partition(": ")
                left.made[name] = result
    except (qemu.Gone, qemu.Late) as error:
        last = "\n".join(running.last)
        raise host.Failure(f"the guest did not come to its end ({type(error).__name__}):\n{last}") from error


def _inflate(running, _, memory):
    running.qmp("balloon", value=memory - BALLOON)


def _plug(running, _, __):
    for number in range(2):
        running.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": f"plugged{number}", "size": PLUGGED})
        running.qmp("device_add", driver="pc-dimm", id=f"dimm{number}", memdev=f"plugged{number}")


def _unplug(running, _, __):
    running.qmp("device_del", id="dimm0")


def _hold(running, left, _):
    running.qmp("stop")
    running.qmp("dump-guest-memory", paging=False, protocol=f"file:{left.vmcore}")
    running.qmp("cont")
    running.enter("go on")


_ASKED = {"inflate": _inflate, "plug": _plug, "unplug": _unplug, "hold": _hold}


def _initramfs(kernel, arch, place):
    """The initramfs of pages.c, with the kernel that captures, and the initramfs of that."""
    for name in ("pages", "capture"):
        host.run(host.need(arch.compiler, arch.compiler_package), "-O2", "-Wall", "-D_GNU_SOURCE", "-static", "-o",
                 place / name, guest.SCRIPTS / f"{name}.c", guest.SCRIPTS / "pid1.c")
    _archive(place / "capture.cpio", kernel, place / "capture", CAPTURE_DRIVERS)
    files = {"kernel": kernel.vmlinuz, "capture": place / "capture.cpio"}
    if arch.kexec_tools:
        root = suite.root(host.CACHE / "programs/bookworm/kexec-tools-arm64", "bookworm", ["kexec-tools"], "arm64")
        files |= {"kexec": root / "sbin/kexec", **_libraries(root, root / "sbin/kexec")}
    (place / "words").write_text(f"console={arch.console} {CAPTURE_WORDS}\n", encoding="ascii")
    return _archive(place / "initramfs", kernel, place / "pages", DRIVERS, files | {"capture-words": place / "words"})


def _archive(path, kernel, init, drivers, files=()):
    """An initramfs with @init, modules, and further files (name -> file of the host)."""
    with open(path, "wb") as out:
        archive, inserted = cpio.Archive(out), []
        archive.add_file("init", init, 0o755)
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        for module in guest.module_order(kernel, drivers):
            name = f"/modules.d/{len(inserted)}.ko"
            archive.add(name, stat.S_IFREG | 0o644, guest.expanded(kernel.modules / module))
            inserted.append(name)
        archive.add("modules", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in inserted).encode())
        for name in files:
            archive.add_file(name, files[name], 0o755)
        archive.close()
    return path


def _libraries(root, program):
    """Where @program looks for its libraries -> files below @root."""
    there = {path.name: path for path in root.rglob("*.so*") if path.is_file()}
    found, wanted = {}, [program]
    while wanted:
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", host.run("readelf", "-d", wanted.pop())):
            if f"lib/{name}" not in found:
                found[f"lib/{name}"] = there[name]
                wanted.append(there[name])
    return found


def _disks(place):
    """QEMU's words for the four disks of pages.c."""
    (place / "files").mkdir()
    (place / "files/file").write_bytes(bytes(range(256)) * (16 << 12))
    words = []
    for number, size in enumerate((2 * SNAPSHOT_STEP, 2 * SNAPSHOT_STEP, 2 * SNAPSHOT_STEP, VMCORE_MAX)):
        disk = place / f"disk{number}"
        with open(disk, "wb") as out:
            out.truncate(size)
        words += ["-drive", f"file={disk},if=none,id=disk{number},format=raw,cache=unsafe",
                  "-device", f"virtio-blk-pci,drive=disk{number}"]
    host.run(host.need("mkfs.ext4", "e2fsprogs"), "-q", "-d", place / "files", place / "disk2")
    return words


def _snapshot(disk, number):
    with open(disk, "rb") as image:
        image.seek(number * SNAPSHOT_STEP)
        return array("Q", image.read(SNAPSHOT_STEP))


# --- what the kernel says ---------------------------------------------------------------------------------------------

# include/uapi/linux/kernel-page-flags.h, and two of include/linux/kernel-page-flags.h.
KPF = {"lru": 5, "slab": 7, "buddy": 10, "anon": 12, "swapcache": 13, "swapbacked": 14, "head": 15, "tail": 16, "huge": 17,
       "hwpoison": 19, "nopage": 20, "ksm": 21, "thp": 22, "offline": 23, "pgtable": 26, "reserved": 32, "private": 35}
KPF = {name: 1 << bit for name, bit in KPF.items()}


class Frame(NamedTuple):
    """What the kernel says about a page frame: its own word, that of the head of its compound page (what tails have in
    common with their head is only said there), and how many pages that has."""
    word: int
    head: int
    size: int

    def has(self, *names):
        """All of these flags?"""
        return all(self.word & KPF[name] for name in names)

    def head_has(self, *names):
        """All of these flags, on the head?"""
        return all(self.head & KPF[name] for name in names)

    def __str__(self):
        return "+".join(name for name in KPF if self.has(name)) or "nothing"


def frames(flags):
    """A Frame for every word of a snapshot."""
    heads, head = [], 0
    for pfn, word in enumerate(flags):
        head = head if word & KPF["tail"] else pfn
        heads.append(head)
    sizes = Counter(heads)
    return [Frame(word, flags[head], sizes[head]) for word, head in zip(flags, heads)]


@functools.lru_cache(maxsize=None)
def expected(frame):
    """The class of a page frame, by what the kernel said about it. What the kernel has no word for has to be kept."""
    if frame.has("hwpoison") or frame.has("offline"):
        return "poison"
    # One poisoned piece condemns all of a hugetlb page: which one it is the kernel notes elsewhere.
    if frame.has("huge") and frame.head_has("hwpoison"):
        return "poison"
    if any(frame.has(name) for name in ("nopage", "slab", "pgtable", "reserved")):
        return "keep"
    if frame.has("buddy"):
        return "free"
    if frame.has("huge") or frame.has("anon"):
        return "user"
    if frame.head_has("lru") or frame.head_has("swapcache", "swapbacked"):
        return "cache_private" if frame.head_has("private") else "cache"
    return "keep"


@dataclass(frozen=True)
class Kind:
    """Pages that a guest must hold. @least: bytes of them; @counted: what the kernel itself counts (Memory.counts), with
    which the flags must agree."""
    name: str
    belongs: Callable  # is a Frame one of them?
    least: int
    counted: str = ""
    pages: int = 1  # at least as many, whatever their size


MIB = 1 << 20
HUGE = 2 * MIB   # as in pages.c
PMD_PAGES = 512  # at least, on every architecture
KINDS = [
    Kind("hugetlb", lambda frame: frame.has("huge"), 16 * MIB, "hugetlb"),
    Kind("thp", lambda frame: frame.has("thp", "anon") and frame.size >= PMD_PAGES, 32 * MIB, "thp"),
    Kind("small thp", lambda frame: frame.has("thp", "anon") and frame.size < PMD_PAGES, 8 * MIB),
    # Slabs can look like it.
    Kind("anonymous", lambda frame: frame.has("anon") and expected(frame) == "user", 64 * MIB),
    Kind("swap cache", lambda frame: frame.has("swapcache", "swapbacked"), 15 * MIB, "swap cache"),
    Kind("page cache", lambda frame: expected(frame) == "cache" and not frame.has("swapbacked"), 16 * MIB),
    Kind("private cache", lambda frame: expected(frame) == "cache_private", 4 * MIB),
    Kind("tmpfs", lambda frame: expected(frame) == "cache" and frame.has("swapbacked") and not frame.has("swapcache"),
         8 * MIB),
    Kind("poison", lambda frame: frame.has("hwpoison") and not frame.has("huge"), 0, "poison", pages=8),
    Kind("poison in hugetlb", lambda frame: frame.has("huge") and expected(frame) == "poison", 2 * MIB),
    Kind("balloon", lambda frame: frame.has("offline"), BALLOON, "balloon"),
    Kind("slab", lambda frame: frame.has("slab"), MIB),
    Kind("page table", lambda frame: frame.has("pgtable"), MIB // 8, "page table"),
    Kind("reserved", lambda frame: frame.has("reserved"), MIB),
    Kind("free", lambda frame: frame.has("buddy"), 64 * MIB, "free"),
]


# --- what a filter makes of it ----------------------------------------------------------------------------------------

# Classes in the order in which levels tell them apart: dump level -> class of what it, and none before it, leaves out.
LEVELS = {0: "poison", 2: "cache", 4: "cache_private", 8: "user", 16: "free"}


def bitmaps(dump):
    """(memory, dumped) of a kdump file: two integers with a bit per page frame."""
    with open(dump, "rb") as file:
        header = file.read(464)
        block, sub_blocks, bitmap_blocks = struct.unpack_from("<III", header, 428)
        file.seek(block * (1 + sub_blocks))
        half = block * bitmap_blocks // 2
        return [int.from_bytes(file.read(half), "little") for _ in range(2)]


def judged(program, vmcore, out):
    """The class that a filter (the words of a command: dumpfilter, makedumpfile) gives every page frame of @vmcore; ""
    where there is no memory."""
    kept = {}
    for level in LEVELS:
        dump = out / f"judged.{level}"
        dump.unlink(missing_ok=True)
        done = subprocess.run([*program, "-d", str(level), vmcore, dump], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0 or "all pages are kept" in done.stdout:
            raise host.Failure(f"{' '.join(str(word) for word in program)} -d {level}: {done.stdout}")
        ram, kept[level] = bitmaps(dump)
        dump.unlink()
    count = ram.bit_length()
    ram = _bits(ram, count)
    kept = {level: _bits(value, count) for level, value in kept.items()}
    classes = []
    for pfn, there in enumerate(ram):
        verdict = "keep" if there == "1" else ""
        for level, name in LEVELS.items():
            if verdict and kept[level][pfn] == "0":
                verdict = name
                break
        classes.append(verdict)
    return classes


def _bits(number, count):
    """Bit 0 first."""
    return bin(number)[:1:-1].ljust(count, "0")


@dataclass
class Census:
    """The kernel's word and a filter's verdict for every page frame that the kernel said the same of both times."""
    verdicts: list      # by page frame
    found: Counter      # (Frame, verdict) -> how many
    example: dict       # (Frame, verdict) -> one of them
    changed: int        # page frames that the kernel said something else of the second time

    def differing(self):
        """(Frame, verdict) that do not agree, where there is memory."""
        return [pair for pair in self.found if pair[1] and pair[1] != expected(pair[0])]

    def total(self, pairs=None):
        """How many page frames these pairs are; by default all that are memory."""
        return sum(self.found[pair] for pair in (pairs if pairs is not None else self.found) if pair[1])


def census(left, verdicts):
    """What the kernel said beside what a filter says."""
    found, example, changed = Counter(), {}, 0
    before, after = (frames(flags) for flags in left.flags)
    for pfn, (first, second, verdict) in enumerate(zip(before, after, verdicts)):
        if first == second:
            found[first, verdict] += 1
            example.setdefault((first, verdict), pfn)
        else:
            changed += 1
    return Census(verdicts, found, example, changed)


def lost(pairs):
    """Those of differing pairs where something is left out that had to be kept. Pages that lie ready for the allocator
    (per-CPU lists) have no flags to tell them from pages in use."""
    return [(frame, verdict) for frame, verdict in pairs if expected(frame) == "keep"]


def classes(taken):
    """The census by class, for people."""
    by_class = Counter()
    for (frame, verdict), count in taken.found.items():
        if verdict:
            by_class[expected(frame), verdict] += count
    lines = [f"{count:8} {said:14}" + ("" if said == verdict else f" judged {verdict}")
             for (said, verdict), count in sorted(by_class.items())]
    for frame, verdict in taken.differing():
        lines.append(f"{taken.found[frame, verdict]:8} of them: {frame}, as pfn 0x{taken.example[frame, verdict]:x}, "
                     f"judged {verdict}")
    return "\n".join(lines)


def kinds(guest, left, taken):
    """The census by kind: (lines for people, what is wrong with the guest)."""
    lines, wrong = [], []
    for name, result in left.made.items():
        if result != "ok" and name not in guest.lacks:
            wrong.append(f"{name}: {result}")
    lines.append(f"{'':20} {'counted':>8} {'flagged':>8}  judged")
    for kind in KINDS:
        verdicts = Counter()
        for (frame, verdict), count in taken.found.items():
            if kind.belongs(frame):
                verdicts[verdict or "no memory"] += count
        flagged, counted = verdicts.total(), left.counts.get(kind.counted)
        lines.append(f"{kind.name:20} {counted if counted is not None else '':>8} {flagged:8}  "
                     + ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common()))
        there = flagged >= max(kind.least / left.counts["page size"], kind.pages)
        if kind.name in guest.lacks:
            if there:
                wrong.append(f"{kind.name}: there, although {guest.lacks[kind.name]}")
            continue
        if not there:
            wrong.append(f"{kind.name}: only {flagged} pages of this kind")
        # Counters of the kernel are kept per CPU, and move on.
        if counted is not None and abs(flagged - counted) > 0.05 * counted + 64:
            wrong.append(f"{kind.name}: the kernel counts {counted} pages, its flags say {flagged}")
    # Of eight pages of page structs of each of eight hugetlb pages one or two are left.
    if (left.counts["hvo"] >= 8 * 6) == ("hvo" in guest.lacks):
        wrong.append(f"hvo: only {left.counts['hvo']} pages were freed")
    lines.append(f"{'hvo':20} {left.counts['hvo']:8}")
    return lines, wrong


# What lies at a place that the guest tells -> what the kernel says of all its pages, or of half of them at least; what a
# filter may make of them where QEMU's copy is read, and where the capture kernel's is. That has been told of the machine
# at some time before: it may list memory that is no more, of which nothing may be said. (A flag of its own KSM has, too,
# but 6.12 gives it to all anonymous pages.)
PLACES = {
    "ksm": (("ksm", 1.0), ("user",), ("user",)),
    "offline": (("nopage", 1.0), ("keep",), ("keep",)),
    "unplugged": (("nopage", 1.0), ("",), ("keep", "")),
    "plugged": (("anon", 0.5), ("user", "free", "keep"), ("user", "free", "keep")),
}


def places(guest, left, taken, captured):
    """The census of what lies at a known place: (lines for people, what is wrong)."""
    lines, wrong = [], []
    for name, (said, *may_be) in PLACES.items():
        if name in guest.lacks:
            continue
        pfns = left.frames.get(name, ())
        flagged = sum(1 for pfn in pfns if left.flags[1][pfn] & KPF[said[0]])
        verdicts = Counter(taken.verdicts[pfn] if pfn < len(taken.verdicts) else "" for pfn in pfns)
        lines.append(f"{name:20} {len(pfns):8} {flagged:8}  "
                     + ", ".join(f"{verdict or 'no memory'} {count}" for verdict, count in verdicts.most_common()))
        if not pfns or flagged < said[1] * len(pfns):
            wrong.append(f"{name}: {flagged} of {len(pfns)} pages are {said[0]}")
        if not set(verdicts) <= set(may_be[captured]):
            wrong.append(f"{name}: judged {', '.join(verdicts)}")
    return lines, wrong
