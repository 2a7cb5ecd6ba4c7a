# SPDX-License-Identifier: GPL-2.0-or-later
"""A full Debian 12 in a virtual machine: systemd, GRUB on a GPT disk that boots by BIOS and by EFI, ext4 root.

The disk is made once (mmdebstrap, mke2fs, and grub-install in the machine itself) and kept; each machine runs on an overlay of it. Commands
are carried out by an agent on a virtio port; the serial port shows what an operator would see."""
import base64
import functools
import http.server
import json
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import host, kernels, qemu

PACKAGES = ("systemd systemd-sysv udev dbus linux-image-amd64 grub-pc-bin grub-efi-amd64-bin grub2-common "
            "initramfs-tools e2fsprogs iproute2 kmod procps python3 apt-utils less zstd login passwd "
            # what our packages depend on, so that installing them needs no network
            "libarchive13 libblkid1 libelf1 libjson-c5 libkmod2 liblzma5 liblzo2-2 libmount1 libsnappy1v5 libsodium23 "
            "libzstd1").split()
DISK_SIZE = "10G"
AGENT = Path(__file__).resolve().parents[1] / "guest/agent"
LOGIN = r"^Debian GNU/Linux 12 \S+ ttyS0"
FILES = {
    "etc/hostname": "product\n",
    "etc/hosts": "127.0.0.1 localhost product\n",
    "etc/fstab": "LABEL=root / ext4 errors=remount-ro 0 1\n",
    # The default, zstd -19 with every module, takes half an hour of an emulated machine.
    "etc/initramfs-tools/conf.d/kdump-test": "COMPRESS=gzip\nMODULES=dep\n",
    "etc/systemd/network/20-wired.network": "[Match]\nName=en*\n[Network]\nDHCP=yes\n",
    "etc/default/grub": 'GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_CMDLINE_LINUX_DEFAULT=""\n'
                        'GRUB_CMDLINE_LINUX="console=ttyS0 panic=10"\nGRUB_TERMINAL=console\nGRUB_DISABLE_OS_PROBER=true\n',
    "etc/systemd/system/kdump-test-agent.service":
        "[Unit]\nBindsTo=dev-virtio\\x2dports-kdump\\x2dtest.device\nAfter=dev-virtio\\x2dports-kdump\\x2dtest.device\n"
        "[Service]\nExecStart=/usr/local/sbin/kdump-test-agent\nRestart=always\n[Install]\nWantedBy=multi-user.target\n",
}
INSTALL = """set -e
grub-install --target=i386-pc /dev/vda
mkdir -p /boot/efi && mount /dev/vda2 /boot/efi
grub-install --target=x86_64-efi --removable --no-nvram --efi-directory=/boot/efi
umount /boot/efi
update-grub
sync
"""
FETCH = """import sys, urllib.parse, urllib.request
for name in sys.argv[2].split():
    urllib.request.urlretrieve(f"{sys.argv[1]}/{urllib.parse.quote(name)}", name)
"""
# Partitions in sectors: the one that GRUB keeps its core in, the EFI system partition, the root file system.
SECTOR, ESP_START, ESP_SECTORS, ROOT_START = 512, 4096, 131072, 135168


def image(*more):
    """The pristine disk, a qcow2 image in the cache. @more: further packages on it."""
    key = host.digest(" ".join([*PACKAGES, *more]), json.dumps(FILES), INSTALL, AGENT, DISK_SIZE)
    path = host.CACHE / "debian" / f"disk-{key}.qcow2"
    if not path.exists():
        host.say("making the disk of a full Debian 12 (once; three minutes)")
        with host.being_made(path) as draft, tempfile.TemporaryDirectory(prefix=".debian.", dir=host.CACHE) as place:
            raw = Path(place, "raw")
            _make_raw(raw, Path(place), more)
            host.run(host.need("qemu-img", "qemu-utils"), "convert", "-O", "qcow2", raw, draft)
    return path


def root_tar(*more):
    """What mmdebstrap makes of PACKAGES and @more."""
    names = [*PACKAGES, *more]
    tar = host.CACHE / "debian" / f"root-{host.digest(' '.join(names))}.tar"
    if not tar.exists():
        with host.being_made(tar) as draft:
            host.run(host.need("mmdebstrap", "mmdebstrap"), "--format=tar", "--variant=minbase",
                     f"--include={','.join(names)}", "bookworm", draft, *_sources())
    return tar


def _make_raw(raw, place, more):
    root = place / "root"
    fill(root_tar(*more), root)
    _partition(raw, root)
    # GRUB wants to see the disk that it is installed on: the machine itself does that, booted without it.
    kernel = max((root / "boot").glob("vmlinuz-*"))
    initrd = kernel.with_name(kernel.name.replace("vmlinuz", "initrd.img"))
    extra = ["-kernel", str(kernel), "-initrd", str(initrd), "-append", "root=LABEL=root rw console=ttyS0"]
    with _switched_on(raw, "raw", place / "install.log", place, extra) as guest:
        guest.login()
        guest.run(INSTALL, 300)
        guest.start("systemctl poweroff")
        guest.machine.wait(120 * host.PATIENCE)


def _sources():
    """Debian's archive, security updates among it: these have the newest kernels."""
    return ["deb http://deb.debian.org/debian bookworm main", "deb http://deb.debian.org/debian bookworm-updates main",
            "deb http://deb.debian.org/debian-security bookworm-security main"]


def fill(tar, root):
    """Unpack @tar, of root_tar(), into the new folder @root, with FILES, and the agent that the tests talk to."""
    root.mkdir()
    host.run("tar", "-C", root, "-xf", tar)
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    agent = root / "usr/local/sbin/kdump-test-agent"
    shutil.copy(AGENT, agent)
    agent.chmod(0o755)
    host.run("systemctl", "-q", f"--root={root}", "enable", "kdump-test-agent.service", "systemd-networkd.service")
    host.run("chroot", root, "passwd", "-q", "-d", "root")


def _partition(raw, root):
    size = host.parse_size(DISK_SIZE)
    with open(raw, "wb") as file:
        file.truncate(size)
    table = ("label: gpt\n"
             f"start=2048, size={ESP_START - 2048}, type=21686148-6449-6E6F-744E-656564454649\n"
             f"start={ESP_START}, size={ESP_SECTORS}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"
             f"start={ROOT_START}, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n")
    subprocess.run([host.need("sfdisk", "fdisk"), "-q", str(raw)], check=True, text=True, input=table)
    esp = raw.with_name("esp")
    with open(esp, "wb") as file:
        file.truncate(ESP_SECTORS * SECTOR)
    host.run(host.need("mkfs.vfat", "dosfstools"), "-n", "EFI", esp)
    host.run("dd", f"if={esp}", f"of={raw}", f"bs={SECTOR}", f"seek={ESP_START}", "conv=notrunc,sparse")
    blocks = (size // SECTOR - ROOT_START - 2048) // 8
    host.run(host.need("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-b", "4096", "-L", "root", "-d", root,
             "-E", f"offset={ROOT_START * SECTOR}", raw, str(blocks))


class Debian:
    """A running machine. Commands go through the agent; serial lines are awaited by expect()."""

    def __init__(self, machine, place):
        self.machine, self._place = machine, place
        self._agent, self._pending, self._number = None, b"", 0
        self.resets = 0  # how often the firmware has started it again

    def expect(self, pattern, seconds, what=None):
        """Read serial lines until one matches; its text, and when it came (time.monotonic())."""
        wanted = re.compile(pattern)
        deadline = time.monotonic() + seconds * host.PATIENCE
        while True:
            try:
                line = self.machine.line(deadline)
            except qemu.Gone:
                self._again()
                continue
            except qemu.Late as error:
                last = "\n".join(self.machine.last)
                raise host.Failure(f"{what or pattern}: not there after {seconds} s\n--- the serial port's last "
                                   f"lines:\n{last}") from error
            if wanted.search(line):
                return line, time.monotonic()

    def forget_agent(self):
        """The machine is about to reboot: what its agent has not answered will not be answered."""
        if self._agent:
            self._agent.close()
        self._agent, self._pending = None, b""

    def _again(self):
        """A reboot is a new QEMU: it would go on translating, and be slowed down by, what the former kernel had in
        memory."""
        self.forget_agent()
        self.resets += 1
        self.machine.again()

    def login(self, seconds=240):
        """The login prompt is there; when it came."""
        return self.expect(LOGIN, seconds, "login prompt")[1]

    def drain(self):
        """Take in what the serial port has said, so that it does not stop the machine."""
        try:
            while True:
                self.machine.line(time.monotonic())
        except qemu.Late:
            pass

    def _ask(self, request, seconds):
        if not self._agent:
            self._agent = socket.socket(socket.AF_UNIX)
            self._agent.connect(str(self._place / "agent"))
            self._agent.setblocking(False)
        self._number += 1
        message = json.dumps({"id": self._number, **request}).encode() + b"\n"
        deadline = time.monotonic() + seconds * host.PATIENCE
        while message:
            if select.select([], [self._agent], [], 1)[1]:
                message = message[self._agent.send(message):]
            self.drain()
            if time.monotonic() > deadline:
                raise host.Failure(f"the guest's agent does not listen: {request.get('run', 'a file')}")
        while time.monotonic() < deadline:
            self.drain()
            if select.select([self._agent], [], [], 0.2)[0]:
                self._pending += self._agent.recv(1 << 20)
            while b"\n" in self._pending:
                line, _, self._pending = self._pending.partition(b"\n")
                answer = json.loads(line)
                if answer["id"] == self._number:
                    return answer
        raise host.Failure(f"no answer from the guest within {seconds} s: {request.get('run', 'a file')}")

    def run(self, command, seconds=120, check=True):
        """Run a command of the shell; its output (and, without @check, (status, output))."""
        answer = self._ask({"run": command}, seconds)
        if not check:
            return answer["status"], answer["output"]
        if answer["status"]:
            raise host.Failure(f"guest: {command}: exit code {answer['status']}\n{answer['output'][-3000:]}")
        return answer["output"]

    def start(self, command):
        """Run something in the background, apart from the agent."""
        self.run(f"systemd-run --quiet --collect bash -c {_quoted(command)}")

    def push(self, file, path):
        """Copy a file of the host into the guest."""
        data, append = Path(file).read_bytes(), False
        for start in range(0, len(data), 300000):
            piece = base64.b64encode(data[start:start + 300000]).decode()
            self._ask({"write": path, "append": append, "data": piece}, 60)
            append = True

    def fetch(self, folder):
        """As push(), for many bytes: copy the files of a folder of the host into a new folder of the guest, which is
        returned."""
        names = "\n".join(path.name for path in sorted(folder.iterdir()))
        place = self.run("mktemp -d").strip()
        with served(folder) as url:
            self.run("until ip route | grep -q default; do sleep 0.2; done")
            self.run(f"cd {place} && python3 -c {_quoted(FETCH)} {url} {_quoted(names)}", 600)
        return place

    def reboot(self):
        """An orderly reboot; the login prompt is there again."""
        self.start("systemctl reboot")
        return self.login()

    def save(self, name):
        """Keep its state, and its disk's, on that disk, for restore()."""
        self.machine.job("snapshot-save", tag=name, vmstate="root", devices=["root"])

    def restore(self, name):
        """Go on from where save() was called, in a machine made of the same hardware that is running or off."""
        if self.machine.is_off():
            self._again()
        self.machine.job("snapshot-load", tag=name, vmstate="root", devices=["root"])
        self.machine.qmp("cont")

    def panic(self):
        """Crash it; when that was."""
        self.start("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger")
        return self.expect(r"Kernel panic - not syncing", 60)[1]


def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


@contextmanager
def _switched_on(disk, kind, log, place, extra=(), firmware="bios", memory="2G", echo=None):
    words = [host.need(qemu.QEMU, "qemu-system-x86"), *qemu.accelerator(kernels.named("6.1")), "-cpu", qemu.CPU,
             "-m", memory, "-smp", "2,maxcpus=4", "-nodefaults", "-no-user-config", "-display", "none",
             "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
             "-qmp", f"unix:{place}/qmp,server=on,wait=off",
             "-drive", f"file={disk},if=none,id=disk,node-name=root,format={kind},cache=unsafe",
             "-device", "virtio-blk-pci,drive=disk",
             "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={place}/agent,server=on,wait=off",
             "-device", "virtserialport,chardev=agent,name=kdump-test",
             "-nic", "user,model=virtio-net-pci", "-no-reboot", *qemu.firmware(firmware, place), *extra]
    with qemu.Machine(words, log, place, echo) as machine:
        yield Debian(machine, place)


@contextmanager
def disk_for_runs(base=None):
    """A fresh overlay of @base, by default the pristine disk, in a directory of its own, for machines one after the other."""
    with host.scratch() as place:
        overlay = place / "disk.qcow2"
        host.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base or image(), "-F", "qcow2", overlay)
        yield overlay


@contextmanager
def running(log, disk=None, echo=None, kind="qcow2", **hardware):
    """A machine, switched on. @disk: of disk_for_runs(); default: a fresh one; @kind: its format. @hardware: as _switched_on()
    knows it."""
    with ExitStack() as stack:
        disk = disk or stack.enter_context(disk_for_runs())
        yield stack.enter_context(_switched_on(disk, kind, log, disk.parent, echo=echo, **hardware))


@contextmanager
def served(folder):
    """Serve the files of @folder to guests; the URL that they reach it by."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://10.0.2.2:{server.server_port}"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def packages(*names):
    """A folder of the cache with these packages and whatever else of theirs the guest lacks, as .deb files."""
    folder = host.CACHE / "debian" / f"packages-{host.digest(*names, *PACKAGES, time.strftime('%Y-%m'))}"
    if not folder.exists():
        with host.being_made(folder) as draft, tempfile.NamedTemporaryFile() as status:
            (draft / "partial").mkdir(parents=True)
            # The host's apt decides, as if it were the guest's: by what is installed there.
            status.write(host.run("tar", "-xOf", root_tar(), "./var/lib/dpkg/status").encode())
            status.flush()
            host.run("apt-get", "-q", "-y", "--no-install-recommends", "--download-only",
                     "-o", f"Dir::State::status={status.name}", "-o", f"Dir::Cache::archives={draft}",
                     "-o", "Debug::NoLocking=1", "install", *names)
            shutil.rmtree(draft / "partial")
            (draft / "lock").unlink(missing_ok=True)
    return folder
