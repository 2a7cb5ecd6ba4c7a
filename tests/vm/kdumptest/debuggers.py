# SPDX-License-Identifier: GPL-2.0-or-later
"""crash and drgn, of a suite new enough for every kernel tested here (bookworm's crash 8.0.2 does not open dumps of
6.12, its drgn 0.0.22 does not unwind them). Unpacked into the cache and run with their own libraries."""
import os
import re
import subprocess
import tempfile
from pathlib import Path

from . import host

SUITE = "trixie"
PACKAGES = ("crash", "python3-drgn")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_APT = """Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
"""


def root():
    """The directory that the debuggers are unpacked in, fetched on demand."""
    place = host.CACHE / "debuggers" / SUITE
    if not place.exists():
        host.say(f"fetching {', '.join(PACKAGES)} of {SUITE}")
        with host.being_made(place) as draft, tempfile.TemporaryDirectory(prefix=".apt.", dir=host.CACHE) as apt:
            draft.mkdir()
            for package in _download(Path(apt)):
                host.run("dpkg-deb", "-x", package, draft)
    return place


def crash(vmlinux, dump, commands):
    """Have crash carry out @commands; (their outputs in order, what crash said besides, its exit code)."""
    with tempfile.TemporaryDirectory() as scratch:
        outputs = [Path(scratch, str(number)) for number in range(len(commands))]
        script = Path(scratch, "commands")
        script.write_text("".join(f"{command} > {output}\n" for command, output in zip(commands, outputs)) + "quit\n",
                          encoding="ascii")
        # crash calls programs such as gunzip by name, and wants HOME.
        done = _run([root() / "usr/bin/crash", "-s", "--no_crashrc", "-i", script, Path(vmlinux).resolve(), dump], {})
        return ([output.read_text(errors="replace") if output.exists() else "" for output in outputs],
                done.stdout, done.returncode)


def drgn(program, *arguments):
    """Run a Python program that imports drgn; the finished process."""
    home = root() / "usr"
    python = sorted(home.glob("bin/python3.[0-9]*"))[0]
    return _run([python, program, *arguments], {"PYTHONHOME": home,
                                                "PYTHONPATH": home / "lib/python3/dist-packages",
                                                "PYTHONDONTWRITEBYTECODE": "1"})


def _run(words, environment):
    """Run a program of the debuggers' root with the loader and the libraries that belong to it."""
    loader = root() / "usr/lib64/ld-linux-x86-64.so.2"
    libraries = root() / "usr/lib/x86_64-linux-gnu"
    return subprocess.run([str(word) for word in (loader, "--library-path", libraries, *words)], check=False,
                          text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          env=os.environ | {name: str(value) for name, value in environment.items()})


def _download(place):
    """The files of PACKAGES and all that they depend on, through an apt that knows of nothing installed."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "status").touch()
    (place / "apt.conf").write_text(_APT.format(root=place), encoding="ascii")
    (place / "sources.list").write_text(source(SUITE), encoding="ascii")
    environment = os.environ | {"APT_CONFIG": str(place / "apt.conf")}
    host.run("apt-get", "-q", "update", env=environment)
    host.run("apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "install", *PACKAGES,
             env=environment)
    return sorted((place / "cache/archives").glob("*.deb"))


def source(suite, architecture="amd64"):
    """An apt source of a Debian suite, from where this machine has its own packages."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    codename = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    listing = host.run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)")
    for line in listing.splitlines():
        name, uri = line.split(" ", 1)
        if codename and name == codename[1]:
            return f"deb [arch={architecture} signed-by={KEYS}] {uri} {suite} main\n"
    raise host.Failure("this machine's apt sources name no Debian suite")
