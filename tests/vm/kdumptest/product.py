# SPDX-License-Identifier: GPL-2.0-or-later
"""This tree as a guest gets it: built, installed below a directory, with the libraries that it needs."""
import os
import re
import subprocess
from pathlib import Path

from . import host

CONFIGURE = ["--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var", "--libexecdir=/usr/libexec"]
# The libraries of another architecture are not where its programs look for them.
SANITIZERS = ["--enable-sanitizers", "LDFLAGS=-static-libasan -static-libubsan"]


def place_of_build(target=None, sanitizers=False):
    """Where this tree is built for the tests. @target: for another architecture, a cross.Target. @sanitizers: with ASan and
    UBSan."""
    name = host.digest(str(host.SOURCE)) + (f"-{target.name}" if target else "") + ("-sanitizers" if sanitizers else "")
    return host.CACHE / "build" / name


def last_built(target=None):
    """The installation that build() made before."""
    installed = place_of_build(target) / "installed"
    if not installed.is_dir():
        raise host.Failure("nothing was built yet: leave out --no-build")
    return installed


def build(target=None, sanitizers=False):
    """Build the tree and install it below a directory of the cache, which is returned."""
    return _build(host.SOURCE, place_of_build(target, sanitizers), target, SANITIZERS if sanitizers else [])


def of_commit(commit):
    """As build(), of another commit of this tree's repository."""
    place = host.CACHE / "build" / commit
    source = place / "source"
    if not source.exists():
        with host.being_made(source) as draft:
            draft.mkdir()
            host.run("bash", "-c", 'set -o pipefail; git -C "$1" archive "$2" | tar -x -C "$3"', "-", host.SOURCE, commit, draft)
    return _build(source, place)


def _build(source, place, target=None, more=()):
    installed = place / "installed"
    words, variables = target.configuration() if target else ([], {})
    with host.locked(place / ".lock"):
        if not (source / "configure").exists():
            host.run(source / "autogen.sh", cwd=source)
        if not (place / "Makefile").exists():
            host.say(f"building {source} in {place}")
            host.run(source / "configure", *CONFIGURE, "--enable-werror", *words, *more, cwd=place,
                     env=os.environ | variables)
        host.run("make", f"-j{os.cpu_count()}", cwd=place)
        host.run("rm", "-rf", installed)
        host.run("make", "install", f"DESTDIR={installed}", cwd=place)
    return installed


def programs(installed):
    """The programs below an installation directory."""
    for folder in ("usr/bin", "usr/sbin", "usr/libexec", "usr/lib/kdump"):
        for path in sorted((installed / folder).rglob("*")):
            if path.is_file() and not path.is_symlink() and _is_elf(path):
                yield path


def libraries(paths, target=None):
    """What the dynamic programs @paths need: path as the loader looks for it -> file, of this machine or of @target."""
    if target:
        return target.libraries(paths)
    found = {}
    for path in paths:
        listing = subprocess.run(["ldd", str(path)], check=False, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        missing = re.search(r"(\S+) => not found", listing)
        if missing:
            raise host.Failure(f"{path} needs {missing[1]}, which this machine has not")
        for name in re.findall(r"(?:=> )?(/\S+) \(0x", listing):
            found[name] = Path(name).resolve()
    return found


def payload(installed, target=None):
    """A payload function for guest.initramfs(): the installation and its libraries."""
    needed = libraries(programs(installed), target)

    def add(archive, prefix):
        for name, file in sorted(needed.items()):
            # The guest's /lib and /lib64 are links into /usr.
            place = name if name.startswith("/usr/") else f"/usr{name}"
            archive.add_file(f"{prefix}{place}", file, 0o755)
        for folder in ("usr/bin", "usr/sbin", "usr/libexec", "usr/lib", "etc", "var"):
            if (installed / folder).is_dir():
                archive.add_tree(f"{prefix}/{folder}", installed / folder)

    return add


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"
