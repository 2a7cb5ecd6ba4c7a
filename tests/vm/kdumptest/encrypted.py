# SPDX-License-Identifier: GPL-2.0-or-later
"""An encrypted dump tells nothing to who has the disk, the server, the wire or the image; age opens it."""
import contextlib
import json
import mmap
import tempfile
import zlib
from pathlib import Path

from . import checks, guest, host, kernels, qemu, scenario, servers

WORD = "kdumptest"
WORDS = [f"{WORD}-{place}-{7 * 11 * 13}".encode() for place in ("memory", "log", "hook")]


def _has(path, text):
    """Is @text in the file @path?"""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
        return content.find(text) >= 0


def _members(path):
    """The image itself, and what its gzip members hold."""
    data = path.read_bytes()
    yield data
    at = data.find(b"\x1f\x8b\x08")
    while at >= 0:
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(data[at:])
        at = data.find(b"\x1f\x8b\x08", at + 1)


@contextlib.contextmanager
def _medium(medium, scratch):
    """QEMU's words, variables, and the files that a thief would have."""
    if medium == "disk":
        image = scratch / "disk.img"
        with image.open("wb") as file:
            file.truncate(1 << 30)
        yield ["-drive", f"file={image},if=none,id=dumps,format=raw,cache=unsafe",
               "-device", "virtio-blk-pci,drive=dumps"], {}, lambda: [image]
        return
    shared, capture = scratch / "shared", scratch / "packets"
    shared.mkdir()
    with servers.nfs(shared) as (port, _process):
        words = servers.NETWORK + ["-object", f"filter-dump,id=packets,netdev=net,file={capture}"]
        yield words, {"PORT": port}, lambda: [capture, *(file for file in shared.glob("var/crash/*/*"))]


def _run(installed, out, medium, scratch, recipient):
    """Crash once. The words that a thief finds; the directory of the dump, the image."""
    scratch.mkdir()
    kernel = kernels.named("6.1")
    with _medium(medium, scratch) as (words, variables, haystacks):
        played = scenario.Scenario("encrypted", kernel, qemu.Hardware(extra=words), "crashkernel=192M panic=5",
                                   {"MEDIUM": medium, "WORD": WORD, "RECIPIENT": recipient, **variables},
                                   scenario.program("mke2fs", "e2fsprogs"), 300)
        scenario.verdict(scenario.play(played, installed, out))
        found = [word for word in WORDS if any(_has(file, word) for file in haystacks())]
        if medium == "disk":
            (scratch / "files").mkdir()
            guest.read_disk(scratch / "disk.img", "/var/crash", scratch / "files")
            guest.read_disk(scratch / "disk.img", "/image", scratch)
            dump = next((scratch / "files").glob("crash/*"))
        else:
            dump = next((scratch / "shared").glob("var/crash/*"))
    return found, dump, scratch / ("image" if medium == "disk" else "shared/image")


def _open(installed, scratch, key, dump):
    """age and dumpfilter -R make an ordinary dump of it, kdumpctl decrypt the same one; debuggers open it."""
    flat, by_age, by_kdumpctl = scratch / "flat", scratch / "by-age", scratch / "by-kdumpctl"
    host.run(host.need("age", "age"), "-d", "-i", key, "-o", flat, dump / "vmcore.flat.age")
    host.run(Path(installed, "usr/sbin/dumpfilter"), "-R", flat, by_age)
    host.run(Path(installed, "usr/bin/kdumpctl"), "decrypt", "--identity", key, dump, by_kdumpctl)
    if by_age.read_bytes() != (by_kdumpctl / "vmcore").read_bytes():
        raise host.Failure("age and kdumpctl decrypt make different dumps")
    for place, name in zip(WORDS, ("vmcore", "vmcore-dmesg.txt", "kexec-dmesg.log")):
        if not _has(by_kdumpctl / name, place):
            raise host.Failure(f"{place.decode()} is not in {name} after decryption")
    bad = [check for check in checks.dump(kernels.named("6.1").vmlinux(), by_age, "sysrq_handle_crash")
           if not check.good]
    if bad:
        raise host.Failure("\n".join(f"{check.name}: {check.detail}" for check in bad))


def _figures(report):
    """What a capture took, by its report."""
    found = json.loads(report.read_text(encoding="utf-8"))
    kept = found["attempts"][-1]
    return f"{found['memory']['peak'] / 1e6:.1f} MB of memory, {kept['size'] / 1e6:.1f} MB in {kept['seconds']:.1f} s"


def encrypted(medium, installed, out):
    """The words are found in a dump that is not encrypted, and nowhere in one that is."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        key = scratch / "key"
        host.run(host.need("age-keygen", "age"), "-o", key)
        key.chmod(0o600)
        lines = key.read_text(encoding="ascii").splitlines()
        recipient = next(line.split()[-1] for line in lines if "public key" in line)
        identity = next(line for line in lines if not line.startswith("#")).encode()
        found, dump, _image = _run(installed, out / "control", medium, scratch / "control", "")
        if found != WORDS:
            raise host.Failure(f"without encryption only {found} of {WORDS} are found: this test could not fail")
        plain = _figures(dump / "report.json")
        found, dump, image = _run(installed, out / "encrypted", medium, scratch / "encrypted", recipient)
        if found:
            raise host.Failure(f"{found} can be read although the dump is encrypted")
        if any(word in member for member in _members(image) for word in (*WORDS, identity)):
            raise host.Failure("a word, or the secret key, is in the image")
        if not any(recipient.encode() in member for member in _members(image)):
            raise host.Failure("the public key is not found in the image: nothing would be")
        _open(installed, scratch, key, dump)
        sealed = _figures(scratch / "by-kdumpctl/report.json")
        return f"{len(WORDS)} words are found, and none when encrypted; plain {plain}; encrypted {sealed}"
