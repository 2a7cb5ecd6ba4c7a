# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest, put together and switched on."""
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import guest, host, qemu

# An emulator whose machine is busy gives the kernel too few ticks in its test of the timer, and it panics.
BASE_APPEND = f"root=UUID={guest.ROOT_UUID} rw net.ifnames=0 no_timer_check"

SMALL = 512 << 20  # bytes of memory that do not hold the payload twice


@dataclass
class Running:
    """A guest that is switched on. @disk: its root disk, to be read when it is off again."""
    machine: qemu.Machine
    disk: Path
    words: list


@contextmanager
def switched_on(kernel, hardware, append, payload, log, echo=None, keep=None, lock=host.LOCK):
    """Boot @kernel on a fresh disk with @payload (as guest.initramfs() takes it); what the serial port says goes to
    the file @log. Everything else is gone afterwards, unless @keep names a directory for it. @lock: as of a
    qemu.Machine."""
    host.CACHE.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=".run.", dir=host.CACHE))
    try:
        disk, first = place / "disk.img", place / "initramfs"
        with host.locked(host.CACHE / "disks" / ".lock"):
            guest.copy_disk(kernel, disk, hardware.target)
        guest.initramfs(kernel, hardware.bus, payload, first, hardware.target, host.parse_size(hardware.memory) <= SMALL)
        words = qemu.command(hardware, kernel, first, f"console={hardware.console} {BASE_APPEND} {append}".strip(), disk, place)
        with qemu.Machine(words, log, place, echo, lock) as machine:
            yield Running(machine, disk, words)
    finally:
        if keep:
            shutil.rmtree(keep, ignore_errors=True)
            shutil.move(place, keep)
        else:
            shutil.rmtree(place, ignore_errors=True)
