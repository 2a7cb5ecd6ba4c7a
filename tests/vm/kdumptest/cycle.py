# SPDX-License-Identifier: GPL-2.0-or-later
"""One crash cycle: a guest arms itself, panics, captures, and comes back."""
import argparse
import json
import shlex
import shutil
import tempfile
from pathlib import Path

from . import cross, foreign, guest, host, kernels, lab, panicmod, product, qemu, signing, stages

PANICS = "sysrq, nmi, oom, or module:NAME with NAME one of " + ", ".join(panicmod.CAUSES)


def parser(description):
    """The command line of tests/vm/cycle; the matrix' rows are written in it too."""
    parse = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    kernel = parse.add_argument_group("the kernel")
    kernel.add_argument("--release", choices=(*kernels.NAMES, "6.12-16k"),
                        help="a Debian kernel, fetched into the cache; 6.12-16k, with pages of 16 KiB, is for aarch64 only")
    kernel.add_argument("--arch", choices=("x86_64", *(target.machine for target in cross.TARGETS.values())), default="x86_64",
                        help="of kernel, machine and tree; aarch64: without firmware, a machine with a device tree only")
    kernel.add_argument("--kernel", type=Path, metavar="VMLINUZ", help="any kernel; with --modules")
    kernel.add_argument("--modules", type=Path, metavar="DIR", help="its modules (…/lib/modules/RELEASE)")
    machine = parse.add_argument_group("the machine")
    machine.add_argument("--memory", default="2G")
    machine.add_argument("--cpus", "--smp", type=int, default=2)
    machine.add_argument("--cpu", default=qemu.CPU, help="QEMU's CPU model")
    machine.add_argument("--firmware", choices=("bios", *qemu.FIRMWARE), default="bios",
                         help="secure: OVMF with Secure Boot and a kernel signed for it")
    machine.add_argument("--bus", choices=qemu.DISK_DEVICES, default="virtio", help="of the root disk")
    machine.add_argument("--extra-fs", choices=("ext4", "xfs", "btrfs"), help="dump to a second disk of this type")
    machine.add_argument("--qemu", default="", metavar="WORDS", help="further words for QEMU")
    system = parse.add_argument_group("the system")
    system.add_argument("--crashkernel", default="128M")
    system.add_argument("--crash-size", type=int, metavar="BYTES", help="shrink the reservation before arming")
    system.add_argument("--append", default="", metavar="STR", help="more kernel parameters")
    system.add_argument("--conf", type=Path, metavar="FILE", help="kdump.conf; default: the installed one")
    system.add_argument("--set", action="append", default=[], metavar="LINE", help="a line to add to kdump.conf")
    system.add_argument("--program", action="append", default=[], metavar="NAME",
                        help="a program of this machine that the guest is to have in /usr/bin")
    system.add_argument("--init-script", action="store_true", help="arm by packaging/busybox/S90kdump, as without systemd")
    system.add_argument("--load", default="", metavar="MODULES", help="modules to load before arming")
    system.add_argument("--run", type=Path, metavar="PROGRAM", help="a static program to run before the panic")
    system.add_argument("--panic", default="sysrq", metavar="HOW", help=PANICS)
    system.add_argument("--panic-cpu", type=int, metavar="N", help="the CPU to panic on")
    tree = parse.add_argument_group("this tree")
    tree.add_argument("--install", type=Path, metavar="DESTDIR", help="use what is installed there, build nothing")
    tree.add_argument("--no-build", action="store_true", help="use what the last build installed")
    parse.add_argument("--timeout", type=float, default=280, metavar="S", help="of the whole cycle")
    parse.add_argument("--keep", action="store_true", help="keep the disk and the initramfs in OUT/guest")
    parse.add_argument("--verbose", action="store_true", help="show the serial port")
    return parse


def kernel_of(options):
    """The kernel that the command line names."""
    if options.kernel and options.modules:
        return kernels.given(options.kernel, options.modules)
    if options.kernel or options.modules:
        raise host.Failure("--kernel and --modules go together")
    target = cross.of_machine(options.arch)
    if target:
        return foreign.named(f"{target.name}-{options.release or '6.1'}")
    return kernels.named(options.release or "6.1-cloud")


def installed_of(options):
    """The installation that the command line names, built if need be."""
    if options.install:
        return options.install.resolve()
    target = cross.of_machine(options.arch)
    return product.last_built(target) if options.no_build else product.build(target)


def run(options, out, echo=None):
    """Carry out the cycle; what it leaves goes to the directory @out. Returns what cycle.json says."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    kernel = kernel_of(options)
    if options.firmware == "secure":
        kernel = signing.signed(kernel)
    result = {"verdict": "failed", "release": kernel.release, "kernel": str(kernel.vmlinuz), "panic": options.panic,
              "crashkernel": options.crashkernel, "memory": options.memory, "cpus": options.cpus, "times": {}}
    try:
        with tempfile.TemporaryDirectory(prefix="kdump-cycle.") as scratch:
            _cycle(options, kernel, Path(scratch), out, result, echo)
        result["verdict"] = "ok"
    except stages.StageFailure as failure:
        result.update(stage=failure.stage, reason=failure.reason)
        raise
    except host.Failure as failure:
        result.update(stage="preparation", reason=str(failure))
        raise
    finally:
        (out / "cycle.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def _cycle(options, kernel, scratch, out, result, echo):
    hardware = qemu.Hardware(options.memory, options.cpus, options.cpu, options.firmware, options.bus,
                             shlex.split(options.qemu), cross.of_machine(options.arch))
    payload = _payload(options, kernel, scratch, hardware)
    append = f"crashkernel={options.crashkernel} {options.append}"
    with lab.switched_on(kernel, hardware, append, payload, out / "serial.log", echo,
                         out / "guest" if options.keep else None) as running:
        result["qemu"] = qemu.quoted(running.words)
        dump = None
        try:
            dump = _follow(stages.Story(running.machine, options.timeout), running.machine, options, result)
        finally:
            # What there is helps to understand a failure, too.
            running.machine.stop()
            _collect(running.disk, dump or "/var/crash", out, scratch, result)


def _follow(story, machine, options, result):
    """The stages of the cycle; the directory of the dump in the guest."""
    def note(name, event):
        result["times"][name] = {"wall": event.wall} | {
            key: float(event.values[key]) for key in ("uptime", "clock") if key in event.values}
        return event

    note("boot", story.expect("boot", stages.mark("boot"), 150))
    armed = note("armed", story.expect("arm", stages.mark("armed"), 90))
    result["initramfs_bytes"] = int(armed.values["initramfs"])
    result["reserved_bytes"] = int(armed.values["reserved"])
    if options.run:
        note("ran", story.expect("run", stages.mark("ran"), options.timeout))
    note("panic", story.expect("panic", stages.mark("panic"), 30))
    if options.panic == "nmi":
        story.expect("panic", stages.mark("nmi"), 30)
        machine.qmp("inject-nmi")
    capture = note("capture", story.expect("panic", r"[Cc]ommand line: |" + stages.mark("boot"), 120))
    # On arm64 the elfcorehdr is in the device tree.
    if ("elfcorehdr=" if options.arch == "x86_64" else "reset_devices") not in capture.line:
        raise stages.StageFailure("panic", "the machine was reset, no capture kernel started", machine.last)
    # A kernel's first word, whose clock begins anew: on arm64 that is "Booting Linux".
    leave = note("captured", story.expect("capture", r"Booting Linux |Linux version |" + stages.mark("boot"), options.timeout))
    result["capture_uptime"] = leave.before
    back = note("back", story.expect("back", stages.mark("back"), 150))
    story.expect("end", stages.mark("end"), 30)
    story.end()
    return back.values["dump"]


def _payload(options, kernel, scratch, hardware):
    """The guest's payload: this tree, its configuration, the script, and what the panic needs."""
    installed = installed_of(options)
    conf = scratch / "kdump.conf"
    own = installed / "etc/kdump.conf"
    text = (options.conf or own).read_text(encoding="utf-8") if options.conf or own.exists() else "path /var/crash\n"
    lines = list(options.set)
    variables = {"PANIC": options.panic, "PANIC_CPU": "" if options.panic_cpu is None else options.panic_cpu,
                 "CRASH_SIZE": options.crash_size or "", "LOAD": options.load, "DUMPS": "/var/crash"}
    if options.extra_fs:
        image = scratch / "extra.img"
        guest.make_file_system(options.extra_fs, image)
        hardware.extra += ["-drive", f"file={image},if=none,id=extra,format=raw,cache=unsafe",
                           "-device", "virtio-blk-pci,drive=extra"]
        variables |= {"EXTRA_FS": options.extra_fs, "DUMPS": "/mnt/dump/var/crash",
                      "EXTRA_DISK": "/dev/vdb" if options.bus == "virtio" else "/dev/vda"}
        lines.append(f"{options.extra_fs} {variables['EXTRA_DISK']}")
    conf.write_text(text + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    files = [("etc/kdump.conf", conf, 0o644)]
    for name in options.program:
        path = host.need(name, name)
        files.append((f"usr/bin/{name}", path, 0o755))
        files += [(place if place.startswith("/usr/") else f"/usr{place}", library, 0o755)
                  for place, library in product.libraries([path]).items()]
    if options.init_script:
        files.append(("etc/init.d/S90kdump", host.SOURCE / "packaging/busybox/S90kdump", 0o755))
    if options.run:
        files.append(("etc/kdump-test/run", options.run, 0o755))
    cause = options.panic.partition("module:")[2]
    if cause:
        files.append(("etc/kdump-test/kdump_test_panic.ko", panicmod.build(kernel), 0o644))
        files.append(("etc/kdump-test/erase.conf", panicmod.ERASE_CONF, 0o600))
    return [product.payload(installed, hardware.target), guest.test_payload("cycle", variables, files)]


def _collect(disk, folder, out, scratch, result):
    """Bring what the capture saved to @out."""
    guest.read_disk(disk, folder, scratch)
    saved = {}
    for path in sorted((scratch / Path(folder).name).rglob("*")):
        if path.is_file():
            shutil.move(path, out / path.name)
            saved[path.name] = (out / path.name).stat().st_size
    result["dump"] = {"name": Path(folder).name, "bytes": saved}
    report = out / "report.json"
    if report.exists():
        result["report"] = json.loads(report.read_text(encoding="utf-8"))
