# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests whose memory is of interest: made by vm/guest/pages.c, dumped from outside by QEMU after the panic, together
with what the kernel said about each page frame just before."""
import stat
import struct
import subprocess
import tempfile
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from . import cpio, guest, host, qemu

DRIVERS = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_balloon", "qemu_fw_cfg", *guest.FILE_SYSTEM_DRIVERS]
SNAPSHOT_STEP = 32 << 20  # as in pages.c
BALLOON = 32 << 20
DEADLINE = 600
STRAY_MAX = 0.001  # of all pages: what changes between the last snapshot and the crash


@dataclass(frozen=True)
class Architecture:
    """How its guests are built and run."""
    compiler: str
    compiler_package: str
    qemu: str
    qemu_package: str
    console: str
    words: tuple = ()


ARCHITECTURES = {
    "amd64": Architecture("gcc", "gcc", "qemu-system-x86_64", "qemu-system-x86", "ttyS0", ("-cpu", "max")),
    "arm64": Architecture("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross", "qemu-system-aarch64",
                          "qemu-system-arm", "ttyAMA0",
                          ("-accel", "tcg,thread=multi", "-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on")),
}


@dataclass
class Memory:
    """What is left of a guest."""
    vmcore: Path
    flags: list  # two snapshots of /proc/kpageflags, arrays of 64-bit words by page frame
    said: list = field(default_factory=list)  # lines of vm/guest/pages.c: "hugetlb: ok"


def make(kernel, architecture, out, append="", memory="1G", cpus=2):
    """Boot @kernel, crash it, and keep its memory in @out. A Memory."""
    arch = ARCHITECTURES[architecture]
    out.mkdir(parents=True, exist_ok=True)
    vmcore = out / "vmcore"
    vmcore.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        _initramfs(kernel, arch, place)
        disks = _disks(place)
        words = [host.need(arch.qemu, arch.qemu_package), *arch.words, "-m", memory, "-smp", str(cpus), "-nodefaults",
                 "-no-user-config", "-display", "none", "-chardev", "stdio,id=console,signal=off", "-serial",
                 "chardev:console", "-qmp", f"unix:{place}/qmp,server=on,wait=off", "-kernel", str(kernel.vmlinuz),
                 "-initrd", f"{place}/initramfs", "-append",
                 f"console={arch.console} panic=0 quiet loglevel=4 {append}".strip(),
                 "-device", "vmcoreinfo", "-device", "virtio-balloon-pci", *disks]
        if architecture == "amd64":
            words[1:1] = qemu.accelerator(kernel)
        with qemu.Machine(words, out / "serial.log", place) as machine:
            said = _until_panic(machine, host.parse_size(memory))
            machine.qmp("stop")
            machine.qmp("dump-guest-memory", paging=False, protocol=f"file:{vmcore}")
        flags = [_snapshot(place / "disk0", number) for number in range(2)]
    return Memory(vmcore, flags, said)


def _until_panic(machine, memory):
    """Follow the guest; what it said about the kinds of pages that it made."""
    said, deadline = [], time.monotonic() + DEADLINE * host.PATIENCE
    try:
        while True:
            line = machine.line(deadline)
            if line.startswith("pages: inflate"):
                machine.qmp("balloon", value=memory - BALLOON)
            elif line.startswith("pages: "):
                said.append(line.removeprefix("pages: "))
            elif "end Kernel panic" in line:
                return said
    except (qemu.Gone, qemu.Late) as error:
        last = "\n".join(machine.last)
        raise host.Failure(f"the guest did not come to its panic ({type(error).__name__}):\n{last}") from error


def _initramfs(kernel, arch, place):
    host.run(host.need(arch.compiler, arch.compiler_package), "-O2", "-Wall", "-D_GNU_SOURCE", "-static", "-o", place / "init",
             guest.SCRIPTS / "pages.c")
    with open(place / "initramfs", "wb") as out:
        archive, inserted = cpio.Archive(out), []
        archive.add_file("init", place / "init", 0o755)
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        for module in guest.module_order(kernel, DRIVERS):
            name = f"/modules.d/{len(inserted)}.ko"
            archive.add(name, stat.S_IFREG | 0o644, guest.expanded(kernel.modules / module))
            inserted.append(name)
        archive.add("modules", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in inserted).encode())
        archive.close()


def _disks(place):
    """QEMU's words for the three disks of pages.c."""
    (place / "files").mkdir()
    (place / "files/file").write_bytes(bytes(range(256)) * (16 << 12))
    words = []
    for number in range(3):
        disk = place / f"disk{number}"
        with open(disk, "wb") as out:
            out.truncate(2 * SNAPSHOT_STEP)
        words += ["-drive", f"file={disk},if=none,id=disk{number},format=raw,cache=unsafe",
                  "-device", f"virtio-blk-pci,drive=disk{number}"]
    host.run(host.need("mkfs.ext4", "e2fsprogs"), "-q", "-d", place / "files", place / "disk2")
    return words


def _snapshot(disk, number):
    with open(disk, "rb") as image:
        image.seek(number * SNAPSHOT_STEP)
        return array("Q", image.read(SNAPSHOT_STEP))


# --- what dumpfilter makes of it --------------------------------------------------------------------------------------

# Classes in the order in which levels tell them apart: dump level -> class of what it, and none before it, leaves out.
LEVELS = {0: "poison", 2: "cache", 4: "cache_private", 8: "user", 16: "free"}

# include/uapi/linux/kernel-page-flags.h, and two of include/linux/kernel-page-flags.h.
KPF = {"lru": 5, "slab": 7, "buddy": 10, "anon": 12, "swapcache": 13, "swapbacked": 14, "tail": 16, "huge": 17,
       "hwpoison": 19, "nopage": 20, "offline": 23, "pgtable": 26, "reserved": 32, "private": 35}
KPF = {name: 1 << bit for name, bit in KPF.items()}


def expected(flags):
    """The class of every page frame, by what the kernel said about it."""
    classes, head = [], 0
    for word in flags:
        # What tails have in common with their head is only said of the head.
        head = head if word & KPF["tail"] else word
        classes.append(_expected(word, head))
    return classes


def _expected(word, head):
    if word & (KPF["hwpoison"] | KPF["offline"]):
        return "poison"
    if word & (KPF["nopage"] | KPF["slab"] | KPF["pgtable"] | KPF["reserved"]):
        return "keep"
    if word & KPF["buddy"]:
        return "free"
    if word & (KPF["huge"] | KPF["anon"]):
        return "user"
    if head & KPF["lru"] or head & KPF["swapcache"] and head & KPF["swapbacked"]:
        return "cache_private" if head & KPF["private"] else "cache"
    return "keep"


def bitmaps(dump):
    """(memory, dumped) of a kdump file: two integers with a bit per page frame."""
    with open(dump, "rb") as file:
        header = file.read(464)
        block, sub_blocks, bitmap_blocks = struct.unpack_from("<III", header, 428)
        file.seek(block * (1 + sub_blocks))
        half = block * bitmap_blocks // 2
        return [int.from_bytes(file.read(half), "little") for _ in range(2)]


def judged(program, vmcore, out, extra=()):
    """The class that a filter (dumpfilter, makedumpfile) gives every page frame of @vmcore; "" where there is no
    memory."""
    kept = {}
    for level in LEVELS:
        dump = out / f"judged.{level}"
        dump.unlink(missing_ok=True)
        done = subprocess.run([program, *extra, "-d", str(level), vmcore, dump], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0 or "all pages are kept" in done.stdout:
            raise host.Failure(f"{program} -d {level}: {done.stdout}")
        ram, kept[level] = bitmaps(dump)
        dump.unlink()
    frames = ram.bit_length()
    ram = _bits(ram, frames)
    kept = {level: _bits(value, frames) for level, value in kept.items()}
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


def compare(memory, verdicts):
    """How often each pair (what the kernel said, what the filter says) comes, over the page frames that are memory and
    were the same in both snapshots; and an example of each. What the kernel has no word for has to be kept."""
    first, second = (expected(flags) for flags in memory.flags)
    pairs, example = Counter(), {}
    for pfn, (before, now, verdict) in enumerate(zip(first, second, verdicts)):
        if verdict and before == now:
            pairs[now, verdict] += 1
            example.setdefault((now, verdict), pfn)
    return pairs, example


def verdict(pairs):
    """(pages judged, pages that differ, pages in use that are left out)."""
    total = sum(pairs.values())
    differ = sum(count for (said, found), count in pairs.items() if said != found)
    lost = sum(count for (said, found), count in pairs.items() if said == "keep" and found != "keep")
    return total, differ, lost


def table(pairs, example):
    """The pairs, for people; those that differ with a page frame to look at."""
    lines = [f"{count:8} {said:14}" + ("" if said == found else f" judged {found}, as pfn 0x{example[said, found]:x}")
             for (said, found), count in sorted(pairs.items())]
    return "\n".join(lines)
