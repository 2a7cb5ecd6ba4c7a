# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules that panic and get stuck in the ways real kernels do, built against a guest's kernel."""
import shutil
from pathlib import Path

from . import host

SOURCE = Path(__file__).resolve().parents[1] / "panicmod"
# What it hides in its memory, and the file that names the first of them for dumpfilter's --config.
SECRET, CONTROL = b"KDUMP-TEST-SECRET-4711", b"KDUMP-TEST-CONTROL-4711"
ERASE_CONF = SOURCE / "erase.conf"
# Value of the module's parameter "how" -> a function that the backtrace of the dump names.
CAUSES = {
    "null": "kdump_test_null_dereference",
    "bug_irq": "kdump_test_bug_in_interrupt",
    "stack": "kdump_test_stack_overflow",
    "lock": "kdump_test_panic_under_lock",
    "hardlockup": "kdump_test_hard_lockup",
    "softlockup": "kdump_test_soft_lockup",
}


def build(kernel, name="kdump_test_panic"):
    """The module @name for @kernel, in the cache."""
    sources = sorted(path for path in SOURCE.iterdir() if path.is_file() and path != ERASE_CONF)
    module = host.CACHE / "panicmod" / f"{kernel.release}-{host.digest(*sources)}" / f"{name}.ko"
    if not module.exists():
        tree = kernel.build_tree()
        with host.being_made(module.parent) as draft:
            draft.mkdir()
            for path in sources:
                shutil.copy(path, draft)
            host.run(host.need("make", "make"), "-C", tree, f"M={draft}", *kernel.build_words(), "modules")
    return module
