# SPDX-License-Identifier: GPL-2.0-or-later
"""crash and drgn, of a suite new enough for every kernel tested here (bookworm's crash 8.0.2 does not open dumps of
6.12, its drgn 0.0.22 does not unwind them). Unpacked into the cache and run with their own libraries."""
import os
import subprocess
import tempfile
from pathlib import Path

from . import host, suite

SUITE = "trixie"
PACKAGES = ("crash", "python3-drgn")
LIMIT = 300  # seconds for one look at a dump
HANGS = 124  # exit code of a debugger that took longer


def root():
    """The directory that the debuggers are unpacked in, fetched on demand."""
    return suite.root(host.CACHE / "debuggers" / SUITE, SUITE, PACKAGES)


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
    command = suite.command(root(), *words)
    try:
        return subprocess.run(command, check=False, text=True, errors="replace", timeout=LIMIT * host.PATIENCE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=os.environ | {name: str(value) for name, value in environment.items()})
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace")
        return subprocess.CompletedProcess(command, HANGS, f"{said}\nit hung: killed after {late.timeout:.0f} s\n")
