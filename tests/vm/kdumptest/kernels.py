# SPDX-License-Identifier: GPL-2.0-or-later
"""Distribution kernels for guests: fetched once as packages, unpacked into the cache, never installed."""
import os
import re
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import host

# Short name -> the package that always depends on the newest kernel of its kind.
NAMES = {
    "6.1": "linux-image-amd64",
    "6.1-cloud": "linux-image-cloud-amd64",
    "6.12": "linux-image-6.12-amd64",
    "6.12-cloud": "linux-image-6.12-cloud-amd64",
}


@dataclass(frozen=True)
class Kernel:
    """A kernel on disk. @modules is the directory named like the release; @home, if set, its place in the cache."""
    release: str
    vmlinuz: Path
    modules: Path
    home: Path | None = None

    def vmlinux(self):
        """The kernel with debugging symbols, fetched on demand (hundreds of MB)."""
        path = self._home("debugging symbols") / "vmlinux"
        if not path.exists():
            host.say(f"fetching the debugging symbols of {self.release}")
            with _packages(f"linux-image-{self.release}-dbg={self._version()}") as (package,), \
                    host.being_made(path) as draft:
                member = f"./usr/lib/debug/boot/vmlinux-{self.release}"
                host.run("bash", "-c", 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -xOf - "$2" >"$3"',
                         "-", package, member, draft)
        return path

    def build_tree(self):
        """A directory to build modules against (make -C), fetched on demand."""
        tree = self._home("headers") / "headers"
        if not tree.exists():
            host.say(f"fetching the headers of {self.release}")
            with host.being_made(tree) as draft:
                draft.mkdir()
                self._headers(draft)
                _relocate(draft, tree)
        return tree / f"usr/src/linux-headers-{self.release}"

    def build_words(self):
        """What make needs to know besides, to build modules."""
        return ["CC=" + host.need("gcc-12", "gcc-12")]

    def _headers(self, draft):
        """Unpack the packages that build_tree() consists of."""
        for package in self._header_packages():
            with _packages(package) as (deb,):
                host.run("dpkg-deb", "-x", deb, draft)

    def _header_packages(self):
        package = f"linux-headers-{self.release}"
        depends = _depends(f"{package}={self._version()}")
        # The tools have no kernel's release in their name: the registry keeps the newest, which is as good.
        return [f"{package}={self._version()}"] + [
            f"{name}={self._version()}" for name in depends if name.endswith("-common")] + [
            name for name in depends if name.startswith("linux-kbuild-")]

    def _home(self, what):
        if not self.home:
            raise host.Failure(f"{self.release}: no {what}: only known for kernels named by --release")
        return self.home

    def _version(self):
        return (self.home / "version").read_text(encoding="ascii").strip()


def named(name):
    """The kernel of a short name of NAMES; the cached one, else the newest that the registry has."""
    if name not in NAMES:
        raise host.Failure(f"{name}: unknown release; known are {', '.join(NAMES)}")
    link = host.CACHE / "kernels" / name
    if not (link / "version").exists():
        with host.locked(host.CACHE / "kernels" / ".lock"):
            if not (link / "version").exists():
                home = _fetch(NAMES[name])
                link.unlink(missing_ok=True)
                link.symlink_to(home.name)
    home = link.resolve()
    release = home.name
    return Kernel(release, home / "vmlinuz", home / "lib/modules" / release, home)


def given(vmlinuz, modules):
    """A kernel that somebody has on disk."""
    vmlinuz, modules = Path(vmlinuz).resolve(), Path(modules).resolve()
    if not modules.is_dir():
        raise host.Failure(f"{modules}: not a directory")
    return Kernel(image_release(vmlinuz) or modules.name, vmlinuz, modules)


def image_release(vmlinuz):
    """The release that a bzImage claims (Documentation/arch/x86/boot.rst, kernel_version); None for other files."""
    with open(vmlinuz, "rb") as image:
        head = image.read(0x10000)
    if head[0x202:0x206] != b"HdrS":
        return None
    start = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    return head[start:head.index(b"\0", start)].split()[0].decode()


def _fetch(meta):
    image, version = _newest_image(meta)
    release = image.removeprefix("linux-image-")
    home = host.CACHE / "kernels" / release
    if not (home / "version").exists():
        host.say(f"fetching {image} {version}")
        with _packages(f"{image}={version}") as (package,), host.being_made(home) as draft:
            host.run("dpkg-deb", "-x", package, draft)
            shutil.move(draft / f"boot/vmlinuz-{release}", draft / "vmlinuz")
            host.run(host.need("depmod", "kmod"), "-b", draft, release)
            (draft / "version").write_text(version + "\n", encoding="ascii")
    return home


def _newest_image(meta):
    if not host.run("apt-cache", "search", "--names-only", f"^{re.escape(meta)}$").strip():
        host.run("apt-get", "update", "-q")
    for package, version in _depends(meta).items():
        if package.startswith("linux-image-"):
            return package, version
    raise host.Failure(f"{meta}: depends on no kernel image; is it in this machine's apt sources?")


def _depends(package):
    """Package names -> exact versions ('' for any) that @package depends on."""
    return depends_of(host.run("apt-cache", "show", "--no-all-versions", package))


def depends_of(text):
    """The same, out of what apt-cache shows."""
    line = re.search(r"^Depends: (.*)$", text, re.MULTILINE)
    return {match[1]: match[2] or "" for match in
            re.finditer(r"(?:^|, )([a-z0-9.+-]+)(?: \(= ([^)]*)\))?", line[1] if line else "")}


class _packages:
    """The downloaded files of some packages, gone again afterwards."""

    def __init__(self, *packages):
        self._packages = packages

    def __enter__(self):
        host.CACHE.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=".deb.", dir=host.CACHE)
        files = []
        for number, package in enumerate(self._packages):
            place = Path(self._folder.name, str(number))
            place.mkdir()
            try:
                host.run("apt-get", "-q", "download", package, cwd=place)
            except host.Failure as error:
                raise host.Failure(f"{error}\nIf the registry has a newer kernel by now, remove "
                                   f"{host.CACHE}/kernels and try again.") from error
            files += place.glob("*.deb")
        return files

    def __exit__(self, *_):
        self._folder.cleanup()


def _relocate(draft, tree):
    """Headers packages name each other by absolute paths: let those lead into @tree, where @draft will be."""
    for folder, folders, files in os.walk(draft / "usr"):
        for name in folders + files:
            path = Path(folder, name)
            if path.is_symlink() and os.readlink(path).startswith("/usr/"):
                target = f"{tree}{os.readlink(path)}"
                path.unlink()
                path.symlink_to(target)
            elif name == "Makefile" and path.parent.parent == draft / "usr/src" and not path.is_symlink():
                path.write_text(path.read_text(encoding="utf-8").replace("/usr/src/", f"{tree}/usr/src/"),
                                encoding="utf-8")
