# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by the debuggers' Python: open a dump with drgn, walk all tasks, print the stacks of what the CPUs ran."""
import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import cpu_curr


def main(dump, *symbols):
    prog = drgn.Program()
    prog.set_core_dump(dump)
    prog.load_debug_info(symbols)
    tasks = unread = 0
    for task in for_each_task(prog):
        tasks += 1
        try:
            task.comm.string_(), task.mm.value_(), len(prog.stack_trace(task))
        except drgn.FaultError as error:
            unread += 1
            print(f"{task.pid.value_()} {task.comm.string_().decode()}: {error}")
        except ValueError:
            pass  # a task that was running on another CPU has no saved registers
    print(f"{tasks} tasks, {unread} unreadable")
    for cpu in for_each_online_cpu(prog):
        print(f"CPU {cpu}:\n{prog.stack_trace(cpu_curr(prog, cpu))}")
    return 1 if unread or not tasks else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
