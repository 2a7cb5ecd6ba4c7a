# SPDX-License-Identifier: GPL-2.0-or-later
"""This tree for another architecture: built by a cross compiler against a root of Debian's libraries of that
architecture, which is not installed, and run by qemu-user."""
import re
from dataclasses import dataclass
from pathlib import Path

from . import host, suite

SUITE = "bookworm"
EMULATOR_SUITE = "trixie"  # older ones do not know openat2(2)


@dataclass(frozen=True)
class Target:
    """What programs for an architecture are made with."""
    name: str      # as Debian calls it
    machine: str   # as uname -m says it
    triplet: str
    emulator: str  # of qemu-user
    packages: str  # variable of tests/lib/packages: the libraries
    qemu: str      # of whole machines
    qemu_package: str
    board: tuple   # words for QEMU
    console: str

    @property
    def compiler(self):
        """The words of the C compiler."""
        return [host.need(f"{self.triplet}-gcc", f"gcc-{self.triplet}"), f"--sysroot={self.root()}"]

    def tool(self, name):
        """A program of binutils."""
        return host.need(f"{self.triplet}-{name}", f"binutils-{self.triplet}")

    def root(self):
        """Where the libraries are, with headers; fetched if they are not there."""
        names = _words(self.packages)
        place = host.CACHE / "roots" / f"{self.name}-{host.digest(SUITE, *names)}"
        return suite.root(place, SUITE, names, self.name)

    def configuration(self):
        """Words for configure, and variables of its environment."""
        library = self.root() / "usr/lib" / self.triplet
        words = [f"--host={self.triplet}", f"CC={' '.join(self.compiler)}"]
        return words, {"PKG_CONFIG_SYSROOT_DIR": str(self.root()), "PKG_CONFIG_LIBDIR": str(library / "pkgconfig")}

    def emulation(self):
        """Words that carry out a program of this architecture here."""
        place = host.CACHE / "programs" / EMULATOR_SUITE / self.emulator
        suite.root(place, EMULATOR_SUITE, ["qemu-user"], member=f"usr/bin/{self.emulator}")
        return [str(place / "usr/bin" / self.emulator), "-L", str(self.root())]

    def busybox(self):
        """A static busybox."""
        place = host.CACHE / "programs" / SUITE / f"busybox-{self.name}"
        return suite.root(place, SUITE, ["busybox-static"], self.name, "bin/busybox") / "bin/busybox"

    def libraries(self, programs):
        """What dynamic @programs need: path as the loader looks for it -> file."""
        there = {path.name: path for folder in ("lib", "usr/lib") for path in (self.root() / folder).rglob("*.so*")}
        found, wanted = {}, list(programs)
        while wanted:
            text = host.run(self.tool("readelf"), "-ld", wanted.pop())
            names = {name: f"/usr/lib/{self.triplet}/{name}" for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text)}
            interpreter = re.search(r"program interpreter: /(\S+)\]", text)
            if interpreter:
                names[Path(interpreter[1]).name] = f"/usr/{interpreter[1]}"
            for name, place in names.items():
                if name not in there:
                    raise host.Failure(f"{name} is missing in {self.root()}")
                if place not in found:
                    found[place] = there[name].resolve()
                    wanted.append(found[place])
        return found


TARGETS = {target.name: target for target in (
    Target("arm64", "aarch64", "aarch64-linux-gnu", "qemu-aarch64", "arm64_libraries", "qemu-system-aarch64",
           "qemu-system-arm", ("-accel", "tcg,thread=multi", "-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"),
           "ttyAMA0"),
)}


def busybox(target):
    """A static busybox for @target, or for this machine."""
    return target.busybox() if target else host.need("busybox", "busybox-static")


def of_machine(name):
    """The Target of what uname -m calls @name; None for x86_64, whose programs are built by this machine's compiler."""
    return next((target for target in TARGETS.values() if target.machine == name), None)


def _words(variable):
    """The words of a variable of tests/lib/packages."""
    return host.run("bash", "-c", '. "$1" && echo ${!2}', "-", host.SOURCE / "tests/lib/packages", variable).split()
