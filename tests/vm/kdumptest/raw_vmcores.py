# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw vmcores of real kernels, as /proc/vmcore had them: made once and kept in the cache.

"2G" is of a guest that did little but arm itself; its cycle takes less than a minute. "6G" is of one whose memory
vm/guest/fill.c has filled before the panic; that takes about two minutes under software emulation, and its capture kernel
as long to copy the 6 GiB to the guest's disk: five minutes on a machine with other work. Room for them is needed twice
meanwhile."""
import shutil
import tempfile
from pathlib import Path

from . import cycle, guest, host, kernels

RELEASE = "6.1"
SET = "core_collector cp"
FILL = guest.SCRIPTS / "fill.c"
WORDS = {
    "2G": ["--memory", "2G"],
    "6G": ["--memory", "6G", "--timeout", "900"],
}
FILLED = {"6G"}


def make(name):
    """The vmcore @name, a key of WORDS."""
    kernel = kernels.named(RELEASE)
    filler = [FILL] if name in FILLED else []
    key = host.digest(host.stamp(kernel.vmlinuz), SET, *WORDS[name], guest.SCRIPTS / "cycle", *filler)
    place = host.CACHE / "vmcores" / f"{name}-{key}"
    if not place.exists():
        host.say(f"making a vmcore of {kernel.release} with {name}")
        for old in place.parent.glob(f"{name}-*"):
            shutil.rmtree(old)
        with host.being_made(place) as draft, tempfile.TemporaryDirectory() as scratch:
            words = ["--release", RELEASE, "--set", SET, *WORDS[name]]
            for source in filler:
                words += ["--run", str(_compiled(source, Path(scratch)))]
            cycle.run(cycle.parser("").parse_args(words), draft)
    return place / "vmcore"


def _compiled(source, scratch):
    """A program for any guest."""
    program = scratch / source.stem
    host.run(host.need("gcc", "gcc"), "-O2", "-Wall", "-D_GNU_SOURCE", "-static", "-o", program, source)
    return program
