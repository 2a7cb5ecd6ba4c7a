# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by the debuggers' Python: what drgn finds in a dump of which only a part was written, one line of key=value."""
import sys

import drgn
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg


def count(found):
    """How many there are up to where the dump fails."""
    number = 0
    try:
        for _ in found:
            number += 1
    except (drgn.FaultError, ValueError):
        pass
    return number


def main(dump, *symbols):
    prog = drgn.Program()
    prog.set_core_dump(dump)
    prog.load_debug_info(symbols)
    try:
        lines = get_dmesg(prog).count(b"\n")
    except (drgn.FaultError, ValueError):
        lines = 0
    print(f"log={lines} ps={count(task.comm.string_() for task in for_each_task(prog))} "
          f"bt={count(prog.crashed_thread().stack_trace())}")


if __name__ == "__main__":
    main(*sys.argv[1:])
