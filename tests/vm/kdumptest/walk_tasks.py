# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by the debuggers' Python: open a dump with drgn, walk all tasks, print the stacks of what the CPUs ran. Every CPU
must have one, but for those that are named as without: nobody could save their registers."""
import argparse
import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import cpu_curr, task_cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--without", type=int, action="append", default=[], metavar="CPU")
    parser.add_argument("dump")
    parser.add_argument("symbols", nargs="+")
    options = parser.parse_args()
    prog = drgn.Program()
    prog.set_core_dump(options.dump)
    prog.load_debug_info(options.symbols)
    tasks = unread = 0
    without = set()
    for task in for_each_task(prog):
        tasks += 1
        try:
            task.comm.string_(), task.mm.value_(), len(prog.stack_trace(task))
        except drgn.FaultError as error:
            unread += 1
            print(f"{task.pid.value_()} {task.comm.string_().decode()}: {error}")
        except LookupError as error:
            without.add(task_cpu(task))
            print(f"{task.pid.value_()} {task.comm.string_().decode()}: {error}")
        except ValueError:
            pass  # a task that was running on another CPU has no saved registers
    print(f"{tasks} tasks, {unread} unreadable")
    for cpu in for_each_online_cpu(prog):
        try:
            print(f"CPU {cpu}:\n{prog.stack_trace(cpu_curr(prog, cpu))}")
        except LookupError as error:
            without.add(cpu)
            print(f"CPU {cpu}: {error}")
    return 1 if unread or not tasks or without != set(options.without) else 0


if __name__ == "__main__":
    sys.exit(main())
