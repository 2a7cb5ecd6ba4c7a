# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a dump good? Opened with crash and drgn, which know nothing of each other's code nor of ours."""
import re
from dataclasses import dataclass
from pathlib import Path

from . import debuggers

# What crash says when a page that it needs is not there, or a structure makes no sense.
TROUBLE = re.compile(r"page excluded|seek error|read error|invalid kernel virtual address|cannot (read|access|resolve|"
                     r"determine)|corrupt|not found in PID hash|do not match|zero-size memory", re.IGNORECASE)
COMMANDS = {
    "sys": r"RELEASE: ",
    "bt": r"^ #0 ",
    "bt -a": r"PID: ",
    "log": r"Linux version (.*\n)*.*(Kernel panic|Oops|BUG)",
    "mod": r"MODULE",
    "kmem -i": r"TOTAL MEM",
    "ps -S": r"RU: ",
}


@dataclass
class Check:
    """One finding about a dump."""
    name: str
    good: bool
    detail: str = ""


def dump(vmlinux, path, expect_bt=None, modules=(), crash=True, without=()):
    """All checks of the dump @path; @expect_bt: a function that the backtrace of a CPU must name; @modules: further
    files with debugging symbols; @crash: can this machine's crash open it? @without: the CPUs whose registers it has not."""
    if crash:
        yield from _by_crash(vmlinux, path, expect_bt)
    walk = debuggers.drgn(Path(__file__).with_name("walk_tasks.py"), *(f"--without={cpu}" for cpu in without), path,
                          vmlinux, *modules)
    yield Check("drgn: every task and its stack", walk.returncode == 0, walk.stdout[-2000:])
    if expect_bt:
        yield Check(f"drgn: a stack names {expect_bt}", _names(walk.stdout, expect_bt), walk.stdout[-4000:])


def _by_crash(vmlinux, path, expect_bt):
    outputs, said, code = debuggers.crash(vmlinux, path, list(COMMANDS))
    opened = code == 0 and not TROUBLE.search(said)
    yield Check("crash opens the dump", opened, said)
    found = dict(zip(COMMANDS, outputs))
    for command, pattern in COMMANDS.items():
        text = found[command]
        trouble = TROUBLE.search(text) if command != "log" else None
        good = bool(re.search(pattern, text, re.MULTILINE)) and not trouble
        yield Check(f"crash: {command}", good, text[-2000:])
    if expect_bt:
        yield Check(f"crash: bt -a names {expect_bt}", _names(found["bt -a"], expect_bt), found["bt -a"])


def _names(trace, function):
    """True if @trace has @function, also in a variant that the compiler split off."""
    return bool(re.search(rf"\b{re.escape(function)}(\.\w+)*\b", trace))
