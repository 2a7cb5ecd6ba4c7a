# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of the matrix: what is promised, one row per promise."""
import functools
import mmap
import shlex
from dataclasses import dataclass
from pathlib import Path

from . import checks, cycle, encrypted, host, panicmod, scenario


REDHAT = "-l --message-level 7 -d 31"  # core_collector's options where nobody changed them
KEXEC = Path(__file__).resolve().parents[1] / "kexec"


class Skip(Exception):
    """Cannot be run here; the text says why."""


@dataclass(frozen=True)
class Row:
    """@name for selection; @run(installed, out) returns a line of text or raises a host.Failure or Skip."""
    name: str
    run: object
    text: str
    quick: bool = False


def _cycle(name, words, quick=False, expect="sysrq_handle_crash", look=None, check=True, without=()):
    """A row that is one cycle: the words of its command line, the function that the backtrace must name, and @look,
    a function that is given cycle.json's content, the serial log and whether to object with a Failure. @without: CPUs whose
    registers nobody can save."""
    def run(installed, out):
        # Programs for another architecture are built when they are needed.
        tree = [] if "--arch" in words else ["--install", str(installed)]
        options = cycle.parser("").parse_args([*tree, *shlex.split(words)])
        result = cycle.run(options, out)
        if look:
            look(result, (out / "serial.log").read_text(errors="replace"))
        if check:
            _check(options, out, expect, without)
        seconds = result["capture_uptime"] or 0
        return f"{result['dump']['bytes']['vmcore'] / 1e6:.1f} MB, {seconds:.1f} s of capture kernel"
    return Row(name, run, words, quick)


def _check(options, out, expect, without):
    kernel = cycle.kernel_of(options)
    modules = [panicmod.build(kernel)] if options.panic.startswith("module:") else []
    bad = [check for check in checks.dump(kernel.vmlinux(), out / "vmcore", expect, modules, options.arch == "x86_64",
                                          without) if not check.good]
    if bad:
        raise host.Failure("\n".join(f"{check.name}: {check.detail}" for check in bad))


def _says(*texts):
    """The serial log must have each of @texts."""
    def look(_result, log):
        for text in texts:
            if text.lower() not in log.lower():
                raise host.Failure(f"the serial port never said {text!r}")
    return look


def _locked_down(result, log):
    """kexec_file_load was taken, the log says why, and the capture could do all of its work in lockdown, too."""
    _says("lockdown", "kexec_file_load")(result, log)
    if result["report"]["errors"]:
        raise host.Failure(f"the capture complains: {result['report']['errors']}")


def _rung(name):
    """The dump must come from this rung of the capture's ladder."""
    def look(result, _log):
        if result["report"]["rung"] != name:
            raise host.Failure(f"the dump is from rung {result['report']['rung']!r}, not {name!r}")
    return look


def _census(result, log):
    """dumpfilter itself made the dump, built in or as a program, and its count of the pages is in the report."""
    _rung("configured")(result, log)
    pages = result["report"].get("pages")
    if not pages:
        raise host.Failure("the report does not tell what pages there were")
    classes = ("keep", "cache", "cache_private", "user", "free", "hwpoison", "offline", "unaccepted")
    counted = sum(pages[name] for name in classes) * pages["page_size"]
    memory = result["report"]["kernel"]["memory"]
    if not pages["written"] or not pages["free"] or not 0.99 < counted / memory < 1.01:
        raise host.Failure(f"{counted} bytes of pages were counted in {memory} bytes of memory: {pages}")


def _cycles(result, log):
    """The dump was made with a part of its bitmaps at a time, and is as good as any."""
    _census(result, log)
    if result["report"]["pages"]["windows"] < 4:
        raise host.Failure(f"the dump was not made in cycles: {result['report']['pages']}")


def _erase(name, words):
    """A cycle whose uncompressed dump has no copy of the secret that erase.conf names, but one of its neighbour."""
    def run(installed, out):
        text = cycle_row.run(installed, out)
        with (out / "vmcore").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as dump:
            for secret, expected in (panicmod.SECRET, False), (panicmod.CONTROL, True):
                if (dump.find(secret) >= 0) != expected:
                    raise host.Failure(f"{secret.decode()} is {'not ' if expected else ''}in the dump")
        return text
    words += " --set 'core_collector dumpfilter -d 31 --config /etc/kdump-test/erase.conf'"
    cycle_row = _cycle(name, words, expect=panicmod.CAUSES["null"], look=_rung("configured"))
    return Row(name, run, words)


def _scenario(name, function, text, quick=False, **arguments):
    return Row(name, functools.partial(function, **arguments), text, quick)


def _arm64(name, words, quick=False, expect="sysrq_handle_crash", look=_rung("configured"), without=()):
    """A row that is one cycle of a machine for aarch64. Debian's crash for that is no program that runs here: drgn alone looks."""
    return _cycle(f"arm64-{name}", f"--arch aarch64 {words}", quick, expect, look, without=without)


# What is different on aarch64: the function that the backtrace must name, and the CPUs without registers. Nothing interrupts a
# CPU that spins with interrupts off: another one notices, and panics. And drgn does not get from the stack of interrupts to that
# of the task, as the kernel does in its log.
ARM64_CAUSES = {"hardlockup": ("panic_on_rcu_stall", [1]), "softlockup": ("watchdog_timer_fn", [])}


def _arm64_causes():
    for cause, function in panicmod.CAUSES.items():
        expect, without = ARM64_CAUSES.get(cause, (function, []))
        yield _arm64(f"panic-{cause.replace('_', '-')}", f"--release 6.1 --panic module:{cause} --panic-cpu 1", expect=expect,
                     without=without)


def _kexec(case, text, quick=False, arch=None):
    """A row that is a case of tests/vm/kexec."""
    def run(installed, out):
        # As in _cycle().
        host.run(KEXEC, *(["--arch", arch] if arch else ["--install", installed]), "--out", out, case)
        return text
    return Row(f"{'arm64-' if arch else ''}kexec-{case}", run, text, quick)


ROWS = [
    # Kernels.
    _cycle("kernel-6.1", "--release 6.1 --panic-cpu 1", quick=True),
    _cycle("kernel-6.1-cloud", "--release 6.1-cloud"),
    _cycle("kernel-6.12", "--release 6.12 --panic-cpu 1"),
    _cycle("kernel-6.12-cloud", "--release 6.12-cloud"),
    # Another architecture.
    _arm64("6.1", "--release 6.1", True),
    _arm64("6.12", "--release 6.12 --panic-cpu 1"),
    _arm64("6.12-16k", "--release 6.12-16k --crashkernel 192M"),
    _arm64("acpi", "--release 6.1 --firmware aavmf --crashkernel 160M"),
    _arm64("6.12-acpi", "--release 6.12 --firmware aavmf --crashkernel 160M"),
    _arm64("cpus-1", "--release 6.1 --cpus 1"),
    _arm64("cpus-2", "--release 6.1 --cpus 2 --panic-cpu 1"),
    _arm64("cpus-4", "--release 6.12 --cpus 4 --panic-cpu 3"),
    _arm64("memory-256M", "--release 6.1 --memory 256M --crashkernel 80M --append cma=0"),
    _arm64("memory-6G", "--release 6.12 --memory 6G --crashkernel 128M,high --append crashkernel=64M,low"),
    _arm64("disk-mmc", "--release 6.1 --bus mmc"),
    *_arm64_causes(),
    _arm64("panic-oom", "--release 6.1 --memory 1G --panic oom", expect="out_of_memory"),
    _arm64("init-script", "--release 6.1 --init-script"),
    _arm64("final-kexec", "--release 6.1 --set 'final_action kexec'", look=_says(
        "only PCI functions can be kept from writing to memory")),
    _kexec("reboots", "6.1 to 6.12 and back with kexec -e, with a device tree only", arch="aarch64"),
    _kexec("reboots-dtb", "the same, with another device tree", arch="aarch64"),
    _kexec("reboots-aavmf", "the same under EFI with ACPI, variables usable", arch="aarch64"),
    _kexec("five-levels", "6.12 with addresses of 52 bits is not asked for what it would die of", arch="aarch64"),
    _kexec("damage-kernel", "a byte flipped after loading: purgatory says so and resets the machine", arch="aarch64"),
    _kexec("damage-initramfs", "the same in the initramfs", arch="aarch64"),
    _kexec("damage-boot-info", "the same in the device tree", arch="aarch64"),
    # Memory and CPUs.
    _cycle("memory-1G", "--release 6.1 --memory 1G"),
    _cycle("memory-6G", "--release 6.1 --memory 6G"),
    _cycle("memory-6G-6.12", "--release 6.12-cloud --memory 6G"),
    _cycle("cpus-1", "--release 6.1-cloud --cpus 1"),
    _cycle("cpus-4", "--release 6.1-cloud --cpus 4 --panic-cpu 3"),
    _cycle("cpus-4-6.12", "--release 6.12 --cpus 4 --panic-cpu 2"),
    # Address space layout and paging.
    _cycle("nokaslr", "--release 6.1 --append nokaslr"),
    _cycle("nokaslr-6.12", "--release 6.12-cloud --append nokaslr"),
    _cycle("paging-4-level", "--release 6.1 --cpu qemu64"),
    _cycle("paging-4-level-6.12", "--release 6.12 --cpu qemu64"),
    _cycle("paging-no5lvl", "--release 6.1-cloud --append no5lvl"),
    # Reservations.
    _cycle("crashkernel-high", "--release 6.1 --memory 6G --crashkernel 192M,high "
           "--append crashkernel=64M,low"),
    _cycle("crashkernel-high-6.12", "--release 6.12-cloud --memory 6G --crashkernel 192M,high "
           "--append crashkernel=64M,low"),
    # Firmware and lockdown. Without Secure Boot a locked down kernel trusts no key, not even its own distribution's.
    _cycle("ovmf", "--release 6.1 --firmware ovmf"),
    _cycle("ovmf-6.12", "--release 6.12-cloud --firmware ovmf", quick=True),
    _cycle("lockdown", "--release 6.1 --firmware secure --append lockdown=integrity", look=_locked_down),
    _cycle("lockdown-6.12", "--release 6.12-cloud --firmware secure --append lockdown=integrity", look=_locked_down),
    # Targets.
    _cycle("target-ext4", "--release 6.1 --extra-fs ext4"),
    _cycle("target-xfs-disk", "--release 6.1 --extra-fs xfs"),
    _cycle("target-btrfs", "--release 6.1 --extra-fs btrfs"),
    _cycle("disk-nvme", "--release 6.1 --bus nvme"),
    _cycle("disk-ahci", "--release 6.1 --bus ahci"),
    _cycle("disk-scsi", "--release 6.1 --bus scsi"),
    *(_scenario(f"target-{kind}", scenario.target, text, kind=kind, quick=kind in ("stack", "nfs", "stopped"))
      for kind, text in scenario.TARGETS.items()),
    *(_scenario(f"luks-{name}-{release}", scenario.keyless,
                f"LUKS2 without a key file, {text}: the dump arrives, and the volume key is on no disk",
                quick=(name, release) == ("keyring", "6.12"), release=release, options=options)
      for release in ("6.1", "6.12")
      for name, options, text in (("keyring", "", "key in the kernel's keyring"),
                                  ("table", "--disable-keyring", "key in the device-mapper table"))),
    *(_scenario(f"target-encrypted{suffix}", encrypted.encrypted, text, medium=medium) for suffix, medium, text in (
        ("", "disk", "a thief of the disk finds nothing, and age opens the dump"),
        ("-nfs", "nfs", "who listens to the wire or has the server finds nothing"))),
    # Collectors: one that capture does not have built in, none at all, and one that fails.
    _cycle("collector-zstd", "--release 6.1-cloud --set 'core_collector dumpfilter -z -d 31'", look=_census),
    _cycle("collector-cycles", "--release 6.1-cloud --set 'core_collector dumpfilter --cyclic-buffer 16 -d 31'", look=_cycles),
    _cycle("collector-redhat", f"--release 6.1-cloud --set 'core_collector dumpfilter {REDHAT}'", look=_census),
    _cycle("collector-makedumpfile",
           f"--release 6.1-cloud --program makedumpfile --set 'core_collector makedumpfile {REDHAT}'",
           look=_rung("configured")),
    _cycle("collector-cp", "--release 6.1-cloud --memory 1G --set 'core_collector cp'", look=_rung("configured")),
    _cycle("collector-fails", "--release 6.1-cloud --set 'core_collector /bin/false'", look=_rung("filter")),
    # Secrets.
    _erase("erase", "--release 6.1-cloud --panic module:null"),
    _erase("erase-6.12", "--release 6.12-cloud --panic module:null"),
    # Causes.
    *(_cycle(f"panic-{cause.replace('_', '-')}", f"--release 6.1-cloud --panic module:{cause} --panic-cpu 1",
             expect=function, quick=cause == "null") for cause, function in panicmod.CAUSES.items()),
    _cycle("panic-null-6.12", "--release 6.12-cloud --panic module:null", expect=panicmod.CAUSES["null"]),
    _cycle("panic-nmi", "--release 6.1-cloud --panic nmi", expect="unknown_nmi_error"),
    _cycle("panic-oom", "--release 6.1-cloud --memory 1G --panic oom", expect="out_of_memory"),
    # What must not happen, and mistakes.
    _scenario("quiesce-on", scenario.quiesce, "memory holds still while a NIC receives a flood", step="on"),
    _scenario("quiesce-off", scenario.quiesce, "it does not, without the quiesce step", step="off"),
    _scenario("armed", scenario.armed, "events are told and healed, panics after them and in reloads are captured",
              reloads=20),
    _scenario("errors", scenario.errors, "mistakes get a helpful message and change nothing", quick=True),
    *(_scenario(f"stuck-{name}", scenario.stuck, case.text, case=case, quick=name == "probe")
      for name, case in scenario.STUCK.items()),
    # The flight recorder.
    *(_scenario(f"why-{kind}", scenario.flight, text, kind=kind)
      for kind, text in scenario.FLIGHTS.items()),
    # The loader by itself: ordinary reboots, damaged segments, refusals.
    _kexec("reboots-bios", "6.1 to 6.12 and back with kexec -e"),
    _kexec("reboots-ovmf", "the same under EFI, variables usable"),
    _kexec("damage-kernel", "a byte flipped after loading: purgatory resets the machine", quick=True),
    _kexec("damage-initramfs", "the same in the initramfs"),
    _kexec("damage-boot-info", "the same in the boot parameters"),
    _kexec("refusals-6.1-cloud", "refused loads leave what is armed"),
    _kexec("refusals-6.12", "refused loads leave what is armed"),
    _kexec("secure-boot", "lockdown by Secure Boot"),
]
