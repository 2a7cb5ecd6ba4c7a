# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that guests dump to, whose link, processes and disks can fail: a class for every kind of server.

A server's files lie in a file system of its own, a loop device behind which a process of QEMU's serves the image: when
that process dies, the disk gives I/O errors."""
import contextlib
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import host, links, scenario, servers, unharmed

DISK_SIZE = "128M"
CRASH = "var/crash"
HOST = "dumps.example"
# A dump's names, the best first: that which a second attempt has on an S3 server, where nothing can be renamed; on other
# servers it gets the first one's.
_CORES = ("vmcore.retry", "vmcore", "vmcore.flat", "vmcore-incomplete", "vmcore-incomplete.flat", "vmcore-incomplete.retry",
          "vmcore-incomplete.retry.flat")
# Names of directories that a capture makes: of the machine's address and the time.
_DUMP = re.compile(r"[0-9.]+-[0-9]")


class Service:
    """A server for one kind of machine. @port and @variables of the guest's script, @files of the guest, @conf: lines of
    kdump.conf. Use as a context manager; and within it, each capture is in a block of ready()."""
    name = ""
    # Faults that this kind of server cannot have -> why.
    without = {}
    # What is in its directory that is no file of anybody.
    _own = ("lost+found", "filler")

    def __init__(self, place):
        self._place = place
        self.folder = place / "export"  # what the server offers
        self.link = links.Link()
        self.variables = {"SERVER": self.name, "PORT": self.link.port}
        self.files, self.conf = [], ""
        self._server = self._process = self._disk = None
        self._sums, self._template = {}, place / "server"
        self._seen = self.folder  # while it is looked at: its files

    def __enter__(self):
        self.folder.mkdir()
        with tempfile.TemporaryDirectory() as root:
            _fill(Path(root))
            self._make_disk(root)
            self._sums = sums(Path(root))
        return self

    def _make_disk(self, root):
        """The template of the server's disk, with the files below @root."""
        host.run(host.need("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-d", root, self._template, DISK_SIZE)

    def __exit__(self, *error):
        self.link.refuse()

    # --- for one capture ---

    @contextlib.contextmanager
    def ready(self, place):
        """The server runs, on a fresh disk in @place. When the block ends it is off, and its files can be looked at until
        the next one."""
        image = place / "server"
        unharmed.copy(self._template, image)
        self.link.rate, self.link.sent = None, 0
        if not self.link.is_open():
            self.link.accept()
        with contextlib.ExitStack() as stack:
            self._disk = stack.enter_context(_served(image, place / "server-disk"))
            device = host.run("losetup", "-f", "--show", place / "server-disk").strip()
            stack.callback(_quietly, "losetup", "-d", device)
            host.run("mount", "-t", "ext4", device, self.folder)
            stack.callback(_unmount, self.folder)
            stack.callback(self.stop)
            self.start()
            yield

    @contextlib.contextmanager
    def looked_at(self, place):
        """After ready(): what the disk has, repaired if it needs that, is in @folder."""
        subprocess.run([host.need("e2fsck", "e2fsprogs"), "-fy", place / "server"], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        host.run("mount", "-o", "loop,ro", place / "server", self.folder)
        try:
            yield
        finally:
            _unmount(self.folder)

    def harm(self):
        """While it is looked at: the names of files that were not the capture's to change, and have changed."""
        now = sums(self._seen)
        return sorted(name for name in self._sums.keys() | now.keys() if self._sums.get(name) != now.get(name)
                      and name.partition("/")[0] not in self._own)

    def saved(self, installed):
        """While it is looked at: what each directory has that a capture has made, as tests/vm/guest/unharmed tells it."""
        for folder in sorted((self._seen / CRASH).iterdir()):
            if _DUMP.match(folder.name):
                yield _described(folder, installed)

    # --- the server ---

    def start(self, **words):
        """@words: of the server that _run() runs."""
        server = contextlib.ExitStack()
        self.link.to, self._process = server.enter_context(self._run(**words))
        self._server = server

    def stop(self):
        """End it, and all that it has started."""
        if self._server:
            self.send(signal.SIGKILL)
            self._server.close()
            self._server = None

    def send(self, number):
        """A signal to all its processes."""
        for pid in links.processes_below(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _run(self):
        """A context manager: (port, process)."""
        raise NotImplementedError

    # --- faults ---

    def vanish(self):
        """There is no such server any more."""
        self.link.refuse()
        self.stop()

    def appear(self):
        """There it is again."""
        self.start()
        self.link.accept()

    def deny(self):
        """It does not know this client any more."""
        raise NotImplementedError

    def impersonate(self):
        """Another server is in its place."""
        raise NotImplementedError

    def read_only(self):
        """Nothing can be written any more."""
        host.run("mount", "-o", "remount,ro", self.folder)

    def leave(self, size):
        """Not much more than @size bytes are free: ext4 keeps a little back."""
        with open(self.folder / "filler", "wb") as file:
            end, piece = 0, host.parse_size(DISK_SIZE)
            while piece >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), end, piece)
                    end += piece
                except OSError:
                    piece //= 2
            file.truncate(max(0, end - size))
            os.fsync(file.fileno())

    def break_disk(self):
        """The disk gives nothing but errors any more."""
        self._disk.kill()


class Nfs(Service):
    """nfs-ganesha."""
    name = "nfs"
    without = {"identity": "NFS with sec=sys knows servers by their address alone"}

    def __init__(self, place):
        super().__init__(place)
        self.conf = f"path /{CRASH}\nnfs 10.0.2.2:/dumps"

    def _run(self, access="RW"):
        return servers.nfs(self.folder, access)

    def deny(self):
        self.stop()
        self.start(access="NONE")


class Ssh(Service):
    """OpenSSH's, with sftp."""
    name = "ssh"

    def __init__(self, place):
        super().__init__(place)
        self._keys = place / "ssh"
        self._keys.mkdir()
        servers.ssh_client(self._keys, self.link.port)
        servers.ssh_key(self._keys / "stranger")
        self.conf = f"path {self.folder}/{CRASH}\nssh dumps"
        self.files = servers.ssh_files(self._keys) + scenario.program("ssh", "openssh-client", "usr/bin")

    @contextlib.contextmanager
    def _run(self, **words):
        port = servers.free_port()
        with servers.sshd(self._keys, port, **words) as process:
            yield port, process

    def deny(self):
        self.stop()
        self.start(authorized="stranger")

    def impersonate(self):
        self.stop()
        self.start(identity="stranger")


class Https(Service):
    """nginx, with WebDAV and TLS."""
    name = "https"
    without = {"errors": "HTTP has no word for a sync: nginx answers before anything is on its disk, and loses it alone"}
    _own = (*Service._own, ".body")
    _credentials = scenario.WEB_CREDENTIALS

    def __init__(self, place):
        super().__init__(place)
        self.folder = self._seen = place / "dumps"
        (place / "stranger").mkdir()
        for folder in (place, place / "stranger"):
            servers.certificate(folder, HOST)
        self.files = scenario.known_to_guest(place, self._credentials)
        self.conf = self._target() + "tls_ca /root/ca.pem"

    def _target(self):
        return f"http https://{HOST}:{self.link.port}/dumps/{CRASH}\nhttp_credentials /root/credentials\n"

    @contextlib.contextmanager
    def _run(self, **words):
        port = servers.free_port()
        with servers.nginx(self._place, port, **words) as process:
            yield port, process

    def deny(self):
        self.stop()
        self.start(secret="another-secret")

    def impersonate(self):
        self.stop()
        self.start(identity="stranger/server")


class S3(Https):
    """OpenStack Swift, with its S3 interface and TLS."""
    name = "s3"
    without = {}
    _credentials = scenario.S3_CREDENTIALS

    def __init__(self, place):
        super().__init__(place)
        self._ports = servers.swift_rings(place)

    def _target(self):
        return f"s3 s3://dumps/{CRASH}\ns3_endpoint https://{HOST}:{self.link.port}\ns3_credentials /root/credentials\n"

    def _make_disk(self, root):
        with tempfile.TemporaryDirectory() as empty:
            Path(empty, "disk").mkdir()
            super()._make_disk(empty)
        with self._mounted(self._template):
            self._call("PUT", "")
            for path in Path(root).rglob("*"):
                if path.is_file():
                    self._call("PUT", f"/{path.relative_to(root)}", path.read_bytes())

    def _call(self, method, name, data=None):
        return servers.swift_call(self._ports["proxy"], method, f"/dumps{name}", data)

    def _got(self, name):
        """What is there. The proxy answers 503 while the machine is too busy for the servers behind it."""
        deadline = time.monotonic() + 60 * host.PATIENCE
        while (content := self._call("GET", name)) is None:
            if time.monotonic() > deadline:
                raise host.Failure(f"Swift does not give /dumps{name}")
        return content

    @contextlib.contextmanager
    def _mounted(self, image):
        """The server runs on @image, and nobody else can reach it."""
        host.run("mount", "-o", "loop", image, self.folder)
        try:
            self.start()
            yield
        finally:
            self.stop()
            _unmount(self.folder)

    @contextlib.contextmanager
    def _run(self, **words):
        with servers.swift(self._place, self._ports, self.folder, **words) as process:
            yield self._ports["proxy"], process

    @contextlib.contextmanager
    def looked_at(self, place):
        """What the server gives to those who ask."""
        with super().looked_at(place):
            pass
        with self._mounted(place / "server"), tempfile.TemporaryDirectory() as objects:
            for name in self._got("").decode().split("\n"):
                if name:
                    path = Path(objects, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(self._got(f"/{name}"))
            self._seen = Path(objects)
            yield


# --- files ---------------------------------------------------------------------------------------------------------

def _fill(root):
    """What is there beside the dumps."""
    (root / CRASH / "older").mkdir(parents=True)
    (root / CRASH / "older/vmcore-dmesg.txt").write_text("an older log\n", encoding="ascii")
    (root / CRASH / "older/vmcore").write_bytes(os.urandom(300000))
    (root / "data").mkdir()
    (root / "data/random").write_bytes(os.urandom(1000000))


def sums(folder):
    """Digests of the files below @folder that are in no dump of a capture: name -> digest."""
    return {str(path.relative_to(folder)): path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if not any(_DUMP.match(part) for part in path.relative_to(folder).parts)}


def _described(folder, installed):
    core = next((name for name in _CORES if (folder / name).exists() and (folder / name).stat().st_size), "")
    code, said, size = "-", "", (folder / core).stat().st_size if core else 0
    if core:
        done = subprocess.run([installed / "usr/bin/kdumpctl", "verify", folder / core], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        code, said = str(done.returncode), done.stdout
    if (folder / f"{core}-incomplete.txt").exists():
        core = "vmcore-incomplete"  # as the server of objects calls it
    report = "".join(path.read_text(errors="replace") for path in folder.glob("report*.json"))
    result = re.search(r'^ *"result": "([a-z-]*)"', report, re.MULTILINE)
    return {"where": "server", "core": core, "verify": code,
            "log": str(sum(path.stat().st_size for path in folder.glob("vmcore-dmesg*.txt"))),
            "size": str(size), "result": result[1] if result else "",
            "text": f"{' '.join(sorted(path.name for path in folder.iterdir()))} {said.strip()}"}


# --- disks ---------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def _served(image, path):
    """@image as the file @path, which a process serves that can be killed; the process."""
    path.touch()
    words = ["setpriv", "--pdeathsig", "KILL", host.need("qemu-storage-daemon", "qemu-system-common"),
             "--blockdev", f"driver=file,filename={image},node-name=file", "--blockdev", "driver=raw,file=file,node-name=disk",
             "--export", f"type=fuse,id=disk,node-name=disk,mountpoint={path},writable=on"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20 * host.PATIENCE
            while not path.stat().st_size:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise host.Failure("qemu-storage-daemon does not serve the server's disk")
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
            process.wait()
            _quietly("umount", "-l", path)


def _quietly(*words):
    subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _unmount(folder):
    """What the kernel still writes takes some time; nobody may hold it for ever."""
    deadline = time.monotonic() + 10 * host.PATIENCE
    while subprocess.run(["umount", folder], check=False, stderr=subprocess.DEVNULL).returncode:
        if time.monotonic() > deadline:
            return _quietly("umount", "-l", folder)
        time.sleep(0.1)
    return None
