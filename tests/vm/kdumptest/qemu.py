# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine: a QEMU process, its serial port as lines with deadlines, and QMP."""
import json
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from . import cross, host

QEMU = "qemu-system-x86_64"
OVMF = Path("/usr/share/OVMF")
AAVMF = Path("/usr/share/AAVMF")
# Name -> code, variables, what else the machine must have. "secure" boots only what signing.signed() has made.
FIRMWARE = {
    "ovmf": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", []),
    "secure": ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.snakeoil.fd",
               ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]),
    "aavmf": (AAVMF / "AAVMF_CODE.fd", AAVMF / "AAVMF_VARS.fd", []),  # for arm64, with ACPI
}
DISK_DEVICES = {
    "virtio": ["-device", "virtio-blk-pci,drive=disk"],
    "scsi": ["-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=disk"],
    "ahci": ["-device", "ahci,id=ahci", "-device", "ide-hd,bus=ahci.0,drive=disk"],
    "nvme": ["-device", "nvme,drive=disk,serial=kdump"],
    "mmc": ["-device", "sdhci-pci", "-device", "sd-card,drive=disk"],
}
# Devices that are paths to one disk; drives have the same names with "drive-" before them.
PATHS = ("sda", "sdb")
# The emulator carries out "rep stosb" and "rep movsb" byte by byte, the more slowly where there was code. A kernel that
# is not told that they are fast takes eight bytes at a time.
CPU = "max,-erms,-fsrm"
# Terminal control that firmware mixes into its output.
_CONTROL = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|c)|\r")


@dataclass
class Hardware:
    """What the guest is made of."""
    memory: str = "2G"
    cpus: int = 2
    cpu: str = CPU
    firmware: str = "bios"  # or a row of FIRMWARE
    bus: str = "virtio"     # of the root disk: a key of DISK_DEVICES
    extra: list = field(default_factory=list)  # further words for QEMU
    target: cross.Target | None = None         # its architecture, if that is not x86_64

    @property
    def console(self):
        """The kernel's name of the serial port."""
        return self.target.console if self.target else "ttyS0"

    def board(self, kernel):
        """QEMU's program and the words for processor and board."""
        if self.target:
            return [host.need(self.target.qemu, self.target.qemu_package), *self.target.board]
        return [host.need(QEMU, "qemu-system-x86"), *accelerator(kernel), "-cpu", self.cpu]


def paths(image):
    """QEMU's words for a disk that is reached by all of PATHS."""
    words = ["-device", "virtio-scsi-pci,id=paths"]
    for name in PATHS:
        words += ["-drive", f"file={image},if=none,id=drive-{name},format=raw,cache=unsafe,file.locking=off",
                  "-device", f"scsi-hd,bus=paths.0,drive=drive-{name},id={name},share-rw=on,wwn=0x5000c5006b64756d"]
    return words


class Gone(Exception):
    """The machine ended."""


class Late(Exception):
    """The deadline passed."""


def accelerator(kernel):
    """QEMU's words for the fastest accelerator that works here. /dev/kvm may exist and yet run no kernel, so it is
    tried once per boot of this machine."""
    chosen = os.environ.get("KDUMP_TEST_ACCEL")
    if not chosen:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        verdict = host.CACHE / f"accelerator-{boot}"
        if not verdict.exists():
            for old in host.CACHE.glob("accelerator-*"):
                old.unlink()
            verdict.write_text("kvm" if _kvm_boots(kernel) else "tcg,thread=multi", encoding="ascii")
        chosen = verdict.read_text(encoding="ascii")
    return ["-accel", chosen]


def command(hardware, kernel, initramfs, append, disk, place):
    """The QEMU command line; @place is a directory for what the machine needs while it runs."""
    words = [*hardware.board(kernel), "-m", hardware.memory, "-smp", str(hardware.cpus), "-nodefaults",
             "-no-user-config", "-display", "none",
             "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
             "-qmp", f"unix:{place}/qmp,server=on,wait=off",
             "-kernel", str(kernel.vmlinuz), "-initrd", str(initramfs), "-append", append,
             "-drive", f"file={disk},if=none,id=disk,format=raw,cache=unsafe", *DISK_DEVICES[hardware.bus]]
    return words + firmware(hardware.firmware, place) + hardware.extra


def device_tree(hardware, path):
    """@path, to which QEMU has written what it tells a kernel about this machine."""
    host.run(*hardware.board(None), "-m", hardware.memory, "-smp", str(hardware.cpus), "-display", "none",
             "-machine", f"dumpdtb={path}")
    return path


def firmware(name, place):
    """QEMU's words for a row of FIRMWARE; none for a BIOS. @place: as in command()."""
    if name not in FIRMWARE:
        return []
    code, variables, words = FIRMWARE[name]
    if not (OVMF / code).exists():
        raise host.Failure("firmware is missing: apt-get install ovmf qemu-efi-aarch64")
    shutil.copy(OVMF / variables, place / "vars.fd")
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF / code}",
            "-drive", f"if=pflash,format=raw,file={place}/vars.fd", *words]


class Machine:
    """A running QEMU. Use as a context manager: leaving it ends the machine. One runs at a time (host.LOCK)."""

    def __init__(self, words, log, place, echo=None, lock=host.LOCK):
        """@log: file that gets the serial port's output; @place: as given to command(); @echo is called with each
        line; @lock: None for a caller who has it already."""
        self._words, self._log_path, self._place, self._echo = words, log, place, echo
        self._lock = host.locked(lock) if lock else nullcontext()
        self._pending = b""
        self._qmp = None
        self.last = []  # the last serial lines

    def __enter__(self):
        self._lock.__enter__()
        self.started = time.monotonic()
        self._log = open(self._log_path, "wb")
        self._start()
        return self

    def _start(self):
        # A killed test takes its machine along.
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self._words], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def again(self):
        """Switch it on anew, after it ended by itself as it should."""
        if self._process.wait():
            raise host.Failure(f"QEMU ended with {self._process.returncode}: {self.last[-1:]}")
        self._close()
        self._qmp, self._pending = None, b""
        self._start()

    def _close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        if self._qmp:
            self._qmp.close()

    def stop(self):
        """Switch the machine off; its disks may be read afterwards."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *error):
        self.stop()
        self._close()
        self._log.close()
        self._lock.__exit__(*error)

    def _read(self):
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            raise Gone
        self._log.write(data)
        self._log.flush()
        self._pending += data

    def line(self, deadline):
        """The next serial line; Late if it is not there at @deadline (time.monotonic()), Gone if QEMU ended."""
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise Late
            self._read()
        raw, _, self._pending = self._pending.partition(b"\n")
        line = _CONTROL.sub("", raw.decode(errors="replace"))
        self.last = self.last[-29:] + [line]
        if self._echo:
            self._echo(line)
        return line

    def question(self, text, deadline):
        """The serial port ends with @text, without a new line; Late as in line()."""
        while text.encode() not in self._pending:
            if b"\n" in self._pending:
                self.line(deadline)
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise Late
            self._read()

    def enter(self, text):
        """Type a line at the serial port."""
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()

    def is_off(self):
        """Has it ended?"""
        return self._process.poll() is not None

    def wait(self, seconds):
        """Wait for the machine to end by itself; what it still says goes to the log."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.line(deadline)
        except Gone:
            self._process.wait()

    def qmp(self, execute, **arguments):
        """Carry out a QMP command; its result."""
        return self._protocol().execute(execute, arguments)

    def written(self):
        """How often each drive was written to since the machine was switched on: its name -> requests."""
        return {drive["device"]: drive["stats"]["wr_operations"] for drive in self.qmp("query-blockstats")}

    def job(self, execute, **arguments):
        """Carry out a QMP command that goes on in the background, to its end."""
        self._protocol().execute(execute, {"job-id": execute, **arguments})
        self._protocol().wait("JOB_STATUS_CHANGE", {"id": execute, "status": "concluded"})
        error = next(job.get("error") for job in self.qmp("query-jobs") if job["id"] == execute)
        self.qmp("job-dismiss", id=execute)
        if error:
            raise host.Failure(f"QMP {execute}: {error}")

    def _protocol(self):
        if not self._qmp:
            self._qmp = _Qmp(self._place / "qmp")
        return self._qmp


class _Qmp:
    """A client of QEMU's machine protocol (QEMU docs/interop/qmp-spec)."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(120 * host.PATIENCE)
        self._events = []
        self._connect(str(path))
        self._file = self._socket.makefile("r", encoding="utf-8")
        self._file.readline()  # greeting
        self.execute("qmp_capabilities", {})

    def _connect(self, path):
        """QEMU makes the socket some time after its start; one of an earlier run may still lie there."""
        deadline = time.monotonic() + 30 * host.PATIENCE
        while True:
            try:
                return self._socket.connect(path)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if time.monotonic() > deadline:
                    raise host.Failure(f"QMP: {path}: {error.strerror}") from error
            time.sleep(0.1)

    def execute(self, name, arguments):
        message = {"execute": name, "arguments": arguments} if arguments else {"execute": name}
        self._socket.sendall(json.dumps(message).encode())
        while True:
            answer = self._next(name)
            if "error" in answer:
                raise host.Failure(f"QMP {name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def wait(self, name, data):
        """Until an event of this name with these data has come."""
        while not any(event["event"] == name and data.items() <= event["data"].items() for event in self._events):
            self._next(name)
        self._events.clear()

    def _next(self, what):
        """The next answer; events are kept for wait()."""
        try:
            answer = json.loads(self._file.readline() or "{}")
        except OSError as error:
            raise host.Failure(f"QMP {what}: {error}") from error
        if not answer:
            raise host.Failure(f"QMP {what}: QEMU hung up")
        if "event" in answer:
            self._events.append(answer)
        return answer

    def close(self):
        self._file.close()
        self._socket.close()


def _kvm_boots(kernel):
    """True if @kernel says its first word under KVM soon."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    words = [host.need(QEMU, "qemu-system-x86"), "-accel", "kvm", "-cpu", "max", "-m", "512M", "-nodefaults",
             "-display", "none", "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console", "-no-reboot",
             "-kernel", str(kernel.vmlinuz), "-append", "console=ttyS0 panic=-1"]
    with tempfile.NamedTemporaryFile() as log, Machine(words, log.name, None) as machine:
        deadline = time.monotonic() + 10
        try:
            while "Linux version" not in machine.line(deadline):
                pass
        except (Gone, Late):
            return False
    return True


def quoted(words):
    """The command as a person would type it."""
    return shlex.join(str(word) for word in words)
