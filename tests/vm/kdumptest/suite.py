# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of another Debian suite or architecture: unpacked below a directory of their own, run with their own loader and libraries."""
import os
import re
import tempfile
from pathlib import Path

from . import host

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_APT = """Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
"""


def root(place, suite, packages, architecture="amd64", member=None):
    """@place, where @packages of @suite and all that they depend on are unpacked, fetched if it is not there. @member: only
    this file of them."""
    if not place.exists():
        host.say(f"fetching {', '.join(packages)} of {suite}")
        with host.being_made(place) as draft, tempfile.TemporaryDirectory(prefix=".apt.", dir=host.CACHE) as apt:
            draft.mkdir()
            for package in _download(Path(apt), suite, packages, architecture):
                if not member:
                    host.run("dpkg-deb", "-x", package, draft)
                elif f"./{member}\n" in host.run("bash", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -t', "-", package):
                    host.run("bash", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -xC "$2" "./$3"', "-", package, draft,
                             member)
            _links_inside(draft)
    return place


def _links_inside(root):
    """Let absolute links lead to where they would lead if @root were the root directory."""
    for path in root.rglob("*"):
        if path.is_symlink() and os.readlink(path).startswith("/"):
            target = os.path.relpath(root / os.readlink(path)[1:], path.parent)
            path.unlink()
            path.symlink_to(target)


# Architecture -> who carries out its programs here, its loader, its libraries.
_LOADERS = {
    "amd64": ((), "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"),
    "arm64": (("qemu-aarch64", "qemu-user"), "usr/lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"),
}


def command(place, *words, architecture="amd64"):
    """@words as a command line: the first is a program below @place, where root() has unpacked it."""
    emulator, loader, libraries = _LOADERS[architecture]
    return [str(word) for word in (*([host.need(*emulator)] if emulator else ()), place / loader, "--library-path",
                                   place / libraries, *words)]


def _download(place, suite, packages, architecture):
    """The files of @packages, through an apt that knows of nothing installed."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "status").touch()
    (place / "apt.conf").write_text(_APT.format(root=place, architecture=architecture), encoding="ascii")
    (place / "sources.list").write_text(source(suite, architecture), encoding="ascii")
    environment = os.environ | {"APT_CONFIG": str(place / "apt.conf")}
    host.run("apt-get", "-q", "update", env=environment)
    host.run("apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "install", *packages,
             env=environment)
    return sorted((place / "cache/archives").glob("*.deb"))


def source(suite, architecture="amd64"):
    """An apt source of @suite, from where this machine has its own packages."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    codename = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    listing = host.run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)")
    for line in listing.splitlines():
        name, uri = line.split(" ", 1)
        if codename and name == codename[1]:
            return f"deb [arch={architecture} signed-by={KEYS}] {uri} {suite} main\n"
    raise host.Failure("this machine's apt sources name no Debian suite")
