# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest guest: a kernel, and an initramfs with busybox, a script as its init, and programs of this tree."""
import io
import lzma
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

from . import cpio, cross, host, product, qemu


def command_line(append="", hardware=None):
    """Of a kernel that starts such a guest, whoever loads it."""
    return f"console={(hardware or qemu.Hardware()).console} quiet panic=5 {append}".strip()


def initramfs(script, programs=(), files=None, target=None):
    """An initramfs as bytes. @script is the text of /init; @programs are files that go, with their libraries, into /usr/sbin;
    @files: further ones, name -> bytes or Path (which keeps its permissions); @target: the cross.Target of another
    architecture."""
    out = io.BytesIO()
    archive = cpio.Archive(out)
    archive.add("init", stat.S_IFREG | 0o755, script.encode())
    archive.add_file("bin/busybox", cross.busybox(target), 0o755)
    for program in programs:
        archive.add_file(f"usr/sbin/{program.name}", program, 0o755)
        archive.add_link(f"bin/{program.name}", f"/usr/sbin/{program.name}")
    for name, file in product.libraries(programs, target).items():
        # Here /lib is no link into /usr.
        archive.add_file(name.removeprefix("/usr") if target else name, file, 0o755)
    for name, data in (files or {}).items():
        if isinstance(data, bytes):
            archive.add(name, stat.S_IFREG | 0o644, data)
        else:
            archive.add(name, stat.S_IFREG | data.stat().st_mode & 0o777, data.read_bytes())
    archive.close()
    return out.getvalue()


def only(files):
    """An archive with nothing but these: name -> bytes."""
    out = io.BytesIO()
    archive = cpio.Archive(out)
    for name, data in files.items():
        archive.add(name, stat.S_IFREG | 0o644, data)
    archive.close()
    return out.getvalue()


def module(kernel, path):
    """A module of @kernel, expanded; @path is below its modules' kernel/, without the ending of a compressed file."""
    folder = kernel.modules / "kernel"
    for file in folder.glob(f"{path}*"):
        return lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
    raise host.Failure(f"{folder} has no {path}")


@contextmanager
def switched_on(kernel, archive, append, log, hardware=None, echo=None):
    """Boot @kernel with the initramfs @archive and the parameters @append; a qemu.Machine. It has an empty disk of 1 MiB."""
    with tempfile.TemporaryDirectory(prefix="kdump-small.") as scratch:
        place = Path(scratch)
        (place / "initramfs").write_bytes(archive)
        (place / "disk").write_bytes(bytes(1 << 20))
        hardware = hardware or qemu.Hardware()
        words = qemu.command(hardware, kernel, place / "initramfs", command_line(append, hardware), place / "disk", place)
        with qemu.Machine(words, log, place, echo) as machine:
            yield machine
