# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that carries out a script of its own and reports what it finds, and the scenarios made of that."""
import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import guest, host, kernels, lab, links, panicmod, product, qemu, servers, stages


@dataclass
class Scenario:
    """@script of vm/guest runs in every boot of @kernel until it ends; it reports with good() and bad()."""
    script: str
    kernel: kernels.Kernel
    hardware: qemu.Hardware = field(default_factory=qemu.Hardware)
    append: str = "crashkernel=256M"
    variables: dict = field(default_factory=dict)
    files: list = field(default_factory=list)  # (name, file, permissions), for the guest's disk
    seconds: float = 240
    on_line: object = None                     # is called with every serial line
    on_machine: object = None                  # is called with the qemu.Machine when it is switched on
    lock: str | None = host.LOCK               # of the machine; None: the caller has it
    at_end: object = None                      # is called with the lab.Running when the machine is off


def follow(scenario, installed, out):
    """The findings: (good, text) in order. Fails if the guest does not come to its end."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    findings = []

    def listen(line):
        for word, good in (("good", True), ("bad", False)):
            _, mark, rest = line.partition(f"KDTEST {word} ")
            if mark:
                findings.append((good, rest.partition("text=")[2].strip()))
        if scenario.on_line:
            scenario.on_line(line)

    payload = [product.payload(installed), guest.test_payload(scenario.script, scenario.variables, scenario.files)]
    with lab.switched_on(scenario.kernel, scenario.hardware, scenario.append, payload, out / "serial.log",
                         listen, lock=scenario.lock) as running:
        if scenario.on_machine:
            scenario.on_machine(running.machine)
        story = stages.Story(running.machine, scenario.seconds)
        story.expect("script", stages.mark("end"), scenario.seconds)
        story.end()
        if scenario.at_end:
            running.machine.stop()
            scenario.at_end(running)
    return findings


def play(scenario, installed, out):
    """The same. Fails, too, if the guest finds nothing."""
    findings = follow(scenario, installed, out)
    if not findings:
        raise host.Failure("the guest found nothing")
    return findings


def verdict(findings):
    """A line of text for good findings; a Failure that names the bad ones."""
    bad = [text for good, text in findings if not good]
    if bad:
        raise host.Failure(f"{len(bad)} of {len(findings)} checks failed\n" + "\n".join(bad))
    return f"{len(findings)} checks"


def errors(installed, out):
    """Every mistake gets a message that helps, and what was armed stays armed."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "extra.img")
        guest.make_file_system("ext4", image, "64M")
        hardware = qemu.Hardware(extra=["-drive", f"file={image},if=none,id=extra,format=raw",
                                        "-device", "virtio-blk-pci,drive=extra"])
        return verdict(play(Scenario("errors", kernels.named("6.1-cloud"), hardware), installed, out))


def program(name, package, folder="usr/sbin"):
    """A program of this host with its libraries, as files of a Scenario; @folder is the program's in the guest."""
    path = host.need(name, package)
    needed = {f"{folder}/{name}": path}
    for library, file in product.libraries([path]).items():
        needed[library if library.startswith("/usr/") else f"usr{library}"] = file
    return [(place, file, 0o755) for place, file in needed.items()]


# What the machine has to open them with, beside what every one has.
_RDMA = ("nvme_rdma", "nvme_rdma_lost")
_NVME = ("nvme_tcp", *_RDMA)
_PROGRAMS = {**dict.fromkeys(("multipath", "multipath_lost"), [("multipath", "multipath-tools")]),
             **dict.fromkeys(("iscsi", "iscsi_lost"), [(name, "open-iscsi") for name in ("iscsid", "iscsiadm", "iscsistart")])}
# What multipath-tools load.
MULTIPATH = [(f"usr{file}", Path(file), 0o755) for file in (f"/lib/multipath/lib{kind}.so" for kind in (
    "checktur", "checkdirectio", "prioconst", "priosysfs", "prioalua"))]

# Kinds of targets, and what is special about each.
TARGETS = {
    "lvm": "a logical volume over two disks, which grows after arming",
    "thin": "a thin logical volume",
    "md": "RAID1",
    "degraded": "RAID1 that loses a disk in the crash",
    "luks": "LUKS: refused where no key can be had, and with a key file in crypttab, or a removed one, the dump arrives",
    "stack": "LUKS on a logical volume on RAID1",
    "subvolume": "a btrfs subvolume",
    "xfs": "xfs",
    "bind": "a bind mount of a directory deep in a disk",
    "var": "a separate /var",
    "minix": "minix",
    "multipath": "a disk that is reached by two paths",
    "multipath_lost": "the same: one path fails in the crash",
    "virtiofs": "a directory of the host",
    "nfs": "a directory of an NFS server",
    "bridged": "an NFS server behind a bridge on a bond",
    "ssh": "a server by ssh and sftp",
    "https": "a web server with WebDAV and TLS",
    "s3": "an S3 server",
    "raw": "a whole disk without a file system: refused while it holds something, then prepared, and collected",
    "file": "the sectors of a file on ext4, which is full, and broken by the panic",
    "file_xfs": "the sectors of a file on xfs, which is full, and broken by the panic",
    "chain": "two targets: the first one's disk is lost in the crash",
    "stopped": "two targets: the first one's NFS server answers nothing any more",
    "silent": "two targets: the first one's NFS server answers nothing when the machine is armed",
    "lent": "an NFS server, from an address that a DHCP server has lent to this machine no longer",
    "vlan": "an NFS server in a VLAN",
    "ipv6": "an NFS server by IPv6",
    "addresses": "an NFS server that has two addresses: the link to the first one goes in the crash",
    "iscsi": "a disk by iSCSI, with CHAP in either direction",
    "iscsi_lost": "two targets: the server of the first one's iSCSI disk answers nothing any more",
    "nvme_tcp": "a disk by NVMe over TCP",
    "nvme_rdma": "a disk by NVMe over RDMA, which is made of software on either side",
    "nvme_rdma_lost": "two targets: the server of the first one's disk by NVMe over RDMA answers nothing any more",
    "fenced": "a disk of its own, and a cluster that is told of the dump (fence_kdump)",
    "links": "an NFS server behind each of two links: the first one's goes in the crash",
    "rootfs": "failure_action dump_to_rootfs: the disk that is named is lost in the crash",
}

# crashkernel= of targets whose programs and libraries must not need more; every other kind has 192 MiB.
_RESERVED = {"ssh": "96M"}


def target(kind, installed, out):
    """A dump to a target of @kind (tests/vm/guest/target) on two disks; "degraded" and "rootfs" lose one of them in the
    crash."""
    programs = [("mke2fs", "e2fsprogs"), ("lvm", "lvm2"), ("mdadm", "mdadm"), ("cryptsetup", "cryptsetup-bin"),
                ("mkfs.btrfs", "btrfs-progs"), ("btrfs", "btrfs-progs"), ("mkfs.minix", "util-linux"),
                ("mkfs.xfs", "xfsprogs"), ("chattr", "e2fsprogs")]
    programs += _PROGRAMS.get(kind, ())
    files = {file[0]: file for name, package in programs for file in program(name, package)}
    machines, stopped, heard, serving = [], [], [], []

    def listen(line):
        if "KDTEST crash" not in line:
            return
        for server in stopped:
            server.send_signal(signal.SIGSTOP)
        if kind in ("links", "addresses"):
            machines[0].qmp("set_link", name="second", up=False)
        if kind in ("degraded", "rootfs", "chain"):
            # Reading it fails from now on. (device_del would ask a kernel that is about to die.)
            machines[0].qmp("human-monitor-command", **{"command-line": "drive_del second-drive"})
        if kind == "nvme_rdma_lost":
            serving[0].qmp("stop")
        if kind == "multipath_lost":
            machines[0].qmp("human-monitor-command", **{"command-line": f"drive_del drive-{qemu.PATHS[0]}"})

    with tempfile.TemporaryDirectory() as scratch:
        words = []
        for name in ("first", "second"):
            image = Path(scratch, name)
            with open(image, "wb") as file:
                file.truncate(1 << 30)
            words += ["-drive", f"file={image},if=none,id={name}-drive,format=raw,cache=unsafe",
                      "-device", f"virtio-blk-pci,drive={name}-drive,id={name}"]
        offered = {"virtiofs": _shared, "multipath": _two_paths, "multipath_lost": _two_paths, "nfs": _exported, "bridged": _exported, "ssh": _reached, "links": _exported_twice,
                   "https": _web, "s3": _objects, "vlan": _tagged, "ipv6": _by_ipv6, "addresses": _named,
                   "iscsi": _offered, "iscsi_lost": lambda folder: _offered(folder, stopped),
                   **dict.fromkeys(_NVME, lambda folder: nvme(folder, out, kind, serving)),
                   "stopped": lambda folder: _exported(folder, stopped),
                   "lent": lambda folder: _lent(folder, heard),
                   "fenced": lambda folder: _told(folder, heard)}.get(kind, _nothing)
        with offered(Path(scratch, "shared")) as (more, variables, brought):
            files |= {file[0]: file for file in brought}
            scenario = Scenario("target", kernels.named("6.1"), qemu.Hardware(extra=words + more),
                                f"crashkernel={_RESERVED.get(kind, '192M')} panic=5", {"KIND": kind, **variables},
                                list(files.values()), 300, listen, machines.append,
                                None if kind in _NVME else host.LOCK)
            findings = play(scenario, installed, out) + [ask() for ask in heard]
            if kind in _ARRIVED:
                findings.append(_ARRIVED[kind](Path(scratch, "shared"), variables, installed))
            return verdict(findings)


@contextlib.contextmanager
def _lent(folder, heard):
    """An NFS server. Of the guest's packets those of the capture must come from the address that QEMU lends."""
    packets = folder.with_suffix(".pcap")

    def ask():
        seen = packets.read_bytes()
        # From 10.0.2.15 to 10.0.2.2, by TCP; an IP header has a checksum between the two.
        ours = sum(seen[at - 3:at - 2] == b"\x06" for at in _found(seen, bytes([10, 0, 2, 15, 10, 0, 2, 2])))
        return ours > 100, f"{ours} packets from the address that was lent"

    with _exported(folder) as (words, variables, files):
        heard.append(ask)
        yield words + ["-object", f"filter-dump,id=packets,netdev=net,file={packets},maxlen=128"], variables, files


def _found(data, part):
    at = data.find(part)
    while at >= 0:
        yield at
        at = data.find(part, at + 1)


@contextlib.contextmanager
def _told(folder, heard):
    """A node of a cluster, which is asked at the end what it has heard."""
    folder.mkdir()
    with servers.fence_kdump(folder) as (port, ask):
        heard.append(ask)
        yield servers.NETWORK, {"PORT": port}, []


def key_forms(key):
    """What a volume key would be found by: each of its halves, which is a key of AES, as it is and in hexadecimal."""
    half = len(key) // 2
    return [form for part in (key[:half], key[half:]) for form in (part, part.hex().encode(), part.hex().upper().encode())]


def find(path, needles):
    """Which of @needles are in the file @path, anywhere."""
    found, tail, longest = set(), b"", max(map(len, needles))
    with open(path, "rb") as file:
        while block := file.read(16 << 20):
            block = tail + block
            found |= {needle for needle in needles if needle in block}
            tail = block[-longest:]
    return found


def look_for_key(disks, needles):
    """None of @needles is on one of @disks, and what is put on the first is found."""
    for needle in needles:
        # Whoever does not find what is there proves nothing.
        with open(disks[0], "r+b") as file:
            file.seek((256 << 20) - 5)
            before = file.read(len(needle))
            file.seek((256 << 20) - 5)
            file.write(needle)
        if find(disks[0], needles) != {needle}:
            raise host.Failure("a key that was put there is not found")
        with open(disks[0], "r+b") as file:
            file.seek((256 << 20) - 5)
            file.write(before)
    for disk in disks:
        if find(disk, needles):
            raise host.Failure(f"the volume key is on {disk.name}")


def keyless(release, options, installed, out):
    """LUKS2 without a key file, opened with @options: the dump arrives, and the volume key is on no disk. @release: of the
    kernel."""
    keys, disks, words = [], [], []

    def listen(line):
        if "KDTEST key" in line:
            keys.append(bytes.fromhex(line.partition("hex=")[2].strip()))

    def look(running):
        if len(keys) != 1 or len(keys[0]) not in (32, 64):
            raise host.Failure(f"the guest told {len(keys)} keys")
        needles = key_forms(keys[0])
        look_for_key([disks[0], running.disk, *disks[1:]], needles)

    with tempfile.TemporaryDirectory() as scratch:
        for name in ("first", "second"):
            image = Path(scratch, name)
            with open(image, "wb") as file:
                file.truncate(1 << 30)
            disks.append(image)
            words += ["-drive", f"file={image},if=none,id={name}-drive,format=raw,cache=unsafe",
                      "-device", f"virtio-blk-pci,drive={name}-drive,id={name}"]
        files = [file for name, package in (("mke2fs", "e2fsprogs"), ("cryptsetup", "cryptsetup-bin"))
                 for file in program(name, package)]
        scenario = Scenario("target", kernels.named(release), qemu.Hardware(extra=words), "crashkernel=192M panic=5",
                            {"KIND": "luks", "KEYLESS": "yes", "OPEN": options},
                            list({file[0]: file for file in files}.values()), 400, listen, at_end=look)
        return verdict(play(scenario, installed, out)) + ", the volume key is on no disk"


@contextlib.contextmanager
def _by_ipv6(folder):
    """QEMU's host is fec0::2, which stands for ::1 here."""
    folder.mkdir()
    with servers.nfs(folder, address="::1") as (port, _process):
        yield servers.NETWORK, {"PORT": port}, []


@contextlib.contextmanager
def _named(folder):
    """The same directory, by the name of a server that has two addresses."""
    with _exported_twice(folder) as (words, variables, files):
        (folder / "hosts").write_text("10.0.3.2 dumps.example\n10.0.2.2 dumps.example\n", encoding="ascii")
        (folder / "nsswitch.conf").write_text("hosts: files\n", encoding="ascii")
        (folder / "host.conf").write_text("multi on\n", encoding="ascii")  # else the first line is all that it has
        yield words, variables, files + [(f"etc/{name}", folder / name, 0o644)
                                         for name in ("hosts", "nsswitch.conf", "host.conf")]


@contextlib.contextmanager
def _tagged(folder):
    """The network is behind a port of a switch that knows nothing but VLAN 100."""
    with _exported(folder) as (_words, variables, files), links.tagged(100) as (trunk, plain):
        yield ["-netdev", "user,id=user", "-netdev", f"socket,id=plain,{plain}", "-netdev", f"socket,id=net,{trunk}",
               "-netdev", "hubport,hubid=1,id=one,netdev=user", "-netdev", "hubport,hubid=1,id=two,netdev=plain",
               "-device", "virtio-net-pci,netdev=net,mac=52:54:00:6b:64:01"], variables, files


@contextlib.contextmanager
def _offered(folder, servers_to_stop=None):
    """A disk, by iSCSI."""
    with open(folder, "wb") as file:
        file.truncate(1 << 30)
    with servers.iscsi(folder) as (port, process):
        if servers_to_stop is not None:
            servers_to_stop.append(process)
        yield servers.NETWORK, {"PORT": port}, []


@contextlib.contextmanager
def nvme(image, out, kind, serving):
    """A disk of another machine, by NVMe over TCP or RDMA; that machine is appended to @serving. @image: the disk, an empty
    one unless it is there."""
    with open(image, "ab") as file:
        file.truncate(1 << 30)
    port = servers.free_port()
    hardware = qemu.Hardware("512M", 1, extra=[
        "-drive", f"file={image},if=none,id=offered,format=raw,cache=unsafe", "-device", "virtio-blk-pci,drive=offered",
        "-netdev", f"socket,id=net,listen=127.0.0.1:{port}", "-device", "virtio-net-pci,netdev=net,mac=52:54:00:6b:64:11"])
    files = program("rdma", "iproute2") if kind in _RDMA else []
    variables = {"TRANSPORT": kind.split("_")[1]}
    payload = [guest.test_payload("nvmet", variables, files)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with lab.switched_on(kernels.named("6.1"), hardware, "", payload, out.with_name(f"{out.name}-server.log")) as server:
        stages.Story(server.machine, 240).expect("serve", stages.mark("serving"), 240)
        serving.append(server.machine)
        yield ["-netdev", f"socket,id=net,connect=127.0.0.1:{port}",
               "-device", "virtio-net-pci,netdev=net,mac=52:54:00:6b:64:12"], variables, [
                   *files, ("etc/kdump-test/nvme", guest.SCRIPTS / "nvme", 0o644)]


@contextlib.contextmanager
def _two_paths(folder):
    """A disk that is reached by two paths."""
    with open(folder, "wb") as file:
        file.truncate(1 << 30)
    yield qemu.paths(folder), {}, MULTIPATH


@contextlib.contextmanager
def _nothing(_folder):
    yield [], {}, []


@contextlib.contextmanager
def _exported(folder, servers_to_stop=None):
    """A directory of the host, by NFS: QEMU's words, variables of the script, and no files."""
    folder.mkdir()
    with servers.nfs(folder) as (port, process):
        if servers_to_stop is not None:
            servers_to_stop.append(process)
        yield servers.NETWORK, {"PORT": port}, []


@contextlib.contextmanager
def _exported_twice(folder):
    """The same directory, which is reached through either of two links."""
    with _exported(folder) as (words, variables, files):
        yield words + servers.SECOND_NETWORK, variables, files


@contextlib.contextmanager
def _reached(folder):
    """A server by ssh, with a directory for dumps: QEMU's words, variables of the script, and files of the guest."""
    folder.mkdir()
    dumps = folder / "dumps"
    dumps.mkdir()
    with servers.ssh(folder):
        yield servers.NETWORK, {"REMOTE": dumps}, servers.ssh_files(folder) + program("ssh", "openssh-client", "usr/bin")


# Of kdump.conf's http_credentials and s3_credentials.
WEB_CREDENTIALS = f"kdump:{servers.SECRET}\n"
S3_CREDENTIALS = f"aws_access_key_id = kdump:dumps\naws_secret_access_key = {servers.SECRET}\n"


def known_to_guest(folder, credentials):
    """Files of a guest that knows the server "dumps.example"."""
    (folder / "hosts").write_text("10.0.2.2 dumps.example\n", encoding="ascii")
    (folder / "nsswitch.conf").write_text("hosts: files\n", encoding="ascii")
    (folder / "credentials").write_text(credentials, encoding="ascii")
    return [("etc/hosts", folder / "hosts", 0o644), ("etc/nsswitch.conf", folder / "nsswitch.conf", 0o644),
            ("root/ca.pem", folder / "ca.pem", 0o644), ("root/credentials", folder / "credentials", 0o600)]


@contextlib.contextmanager
def _web(folder):
    """A web server, with a directory for dumps."""
    folder.mkdir()
    with servers.https(folder, "dumps.example") as port:
        yield servers.NETWORK, {"PORT": port}, known_to_guest(folder, WEB_CREDENTIALS)


@contextlib.contextmanager
def _objects(folder):
    """An S3 server, with a bucket for dumps."""
    folder.mkdir()
    with servers.s3(folder, "dumps.example") as port:
        servers.swift_call(port, "PUT", "/dumps")
        yield servers.NETWORK, {"PORT": port}, known_to_guest(folder, S3_CREDENTIALS)


def _web_arrived(folder, _variables, installed):
    names = sorted(str(path.relative_to(folder / "dumps")) for path in (folder / "dumps").rglob("*") if path.is_file())
    streams = list((folder / "dumps").glob("*/vmcore.flat"))
    if len(streams) != 1 or any("-incomplete" in name for name in names):
        return False, f"no dump: {names}"
    dump = folder / "vmcore"
    with open(streams[0], "rb") as stream:
        subprocess.run([installed / "usr/sbin/dumpfilter", "-R", dump], stdin=stream, check=True)
    return _whole(dump.read_bytes(), streams[0].with_name("report.json").read_bytes(), names)


def _objects_arrived(_folder, variables, _installed):
    get = lambda path: servers.swift_call(variables["PORT"], "GET", path)  # noqa: E731
    names = (get("/dumps") or b"").decode().split()
    dumps = [name for name in names if name.endswith("/vmcore")]
    if len(dumps) != 1 or any("-incomplete" in name for name in names):
        return False, f"no dump: {names}"
    return _whole(get(f"/dumps/{dumps[0]}"), get(f"/dumps/{dumps[0][:-6]}report.json"), names)


def _whole(dump, report, names):
    good = dump.startswith(b"KDUMP   ") and len(dump) > 10 << 20 and b'"result": "complete"' in report
    return good, f"the dump arrived: {len(dump) >> 10} KiB, {names}" if good else f"no whole dump: {names} {report[:2000]}"


_ARRIVED = {"https": _web_arrived, "s3": _objects_arrived}


@contextlib.contextmanager
def _shared(folder):
    """A directory of the host for a guest of 2 GiB, by the tag "shared": QEMU's words, no variables and no files."""
    daemon = Path("/usr/lib/qemu/virtiofsd")
    if not daemon.exists():
        raise host.Failure(f"{daemon} is missing: apt-get install qemu-system-common")
    folder.mkdir()
    path = folder.with_name("virtiofs.sock")
    with subprocess.Popen([daemon, f"--socket-path={path}", "-o", f"source={folder}", "-o", "sandbox=chroot"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10 * host.PATIENCE
            while not path.exists() and time.monotonic() < deadline and server.poll() is None:
                time.sleep(0.05)
            yield ["-object", "memory-backend-memfd,id=ram,size=2G,share=on", "-numa", "node,memdev=ram",
                   "-chardev", f"socket,id=virtiofs,path={path}",
                   "-device", "vhost-user-fs-pci,chardev=virtiofs,tag=shared"], {}, []
        finally:
            server.terminate()


def armed(reloads, installed, out):
    """After an edit, a CPU, memory, another UUID: status has the reason, _refresh heals, and the panic is captured; so
    are @reloads panics at random moments while reloads follow each other."""
    machines = []

    def listen(line):
        qmp = machines[0].qmp if machines else None
        if "KDTEST plug" in line and "what=cpu" in line:
            qmp("device_add", driver="max-x86_64-cpu", id="cpu1", **{"socket-id": 1, "core-id": 0, "thread-id": 0})
        elif "KDTEST plug" in line and "what=memory" in line:
            qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "more", "size": 512 << 20})
            qmp("device_add", driver="pc-dimm", id="dimm", memdev="more")

    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "extra.img")
        guest.make_file_system("ext4", image, "1G")
        hardware = qemu.Hardware("1G,slots=2,maxmem=4G", "1,sockets=2,maxcpus=2",
                                 extra=["-drive", f"file={image},if=none,id=extra,format=raw",
                                        "-device", "virtio-blk-pci,drive=extra"])
        # A panic that is not captured comes back, too, and is counted.
        scenario = Scenario("armed", kernels.named("6.1"), hardware, "crashkernel=256M panic=5",
                            {"RELOADS": reloads}, program("tune2fs", "e2fsprogs"), 400 + 60 * reloads, listen,
                            machines.append)
        return verdict(play(scenario, installed, out))


_OTHER_TARGET = "ext4 /dev/vdb\nfailure_action dump_to_rootfs"


@dataclass
class Stuck:
    """What gets stuck in the capture kernel: @options of the driver kdump_test_stuck. @expect: what must be saved all the
    same, as tests/vm/guest/stuck knows it. The machine must be back @seconds after the panic, and the serial port have
    had @says. @conf: more lines of kdump.conf; @watchdog: a watchdog of QEMU and its driver, running since before;
    @silent: the line of the serial port from which on the second disk answers nothing, for @silence seconds or until the
    machine resets."""
    text: str
    options: str = ""
    seconds: float = 500
    expect: str = "complete"
    says: str = ""
    conf: str = ""
    watchdog: str = ""
    silent: str = ""
    silence: float = 0
    rate: int = 1  # bytes per second


STUCK = {
    "init": Stuck("a driver's init never returns", "how=init", 240, says="has not ended in its time"),
    "slow": Stuck("a driver needs 33 s, more than its time: it is not killed", "how=slow seconds=33", 240,
                  says="KDTEST slow text=whole"),
    "slow-100": Stuck("a driver needs 100 s", "how=slow seconds=100", 300, says="it goes on by itself"),
    "probe": Stuck("a driver's probe never returns and holds its device's lock", "how=probe", 300, says="by sysrq"),
    "mount": Stuck("a mount never returns: the next target has the dump", "how=function function=vfs_get_tree calls=1",
                   300, says="left behind", conf=f"{_OTHER_TARGET}\nmount_timeout 60"),
    "mounts": Stuck("no mount returns", "how=function function=vfs_get_tree", 300, "nothing",
                    says="nothing could be saved; the end of the crashed kernel's log", conf="mount_timeout 60"),
    "collector": Stuck("the collector hangs in the kernel: the next target has the dump",
                       "how=function function=ext4_da_write_begin beyond=4194304 calls=1", 400, says="left behind",
                       conf=f"{_OTHER_TARGET}\nstall_timeout 60"),
    "sync": Stuck("the last sync never returns", "how=function function=ksys_sync", 400, says="sync is stuck"),
    "worker": Stuck("process 1's child hangs in the kernel", "how=function function=ksys_read who=worker", 500, "nothing",
                    says="the capture is stuck"),
    "init-process": Stuck("process 1 hangs in the kernel", "how=function function=__x64_sys_poll who=init", 500,
                          "nothing", says="process 1 is stuck"),
    "disk-slow": Stuck("a disk, and so its driver, needs 100 s: the dump gets there", expect="second", seconds=300,
                       says="has not ended in its time", conf="ext4 /dev/vdb", silent="capture kernel is up",
                       silence=100),
    "disk-first": Stuck("a disk answers nothing from the crash on: the next target has the dump", says="did not appear",
                        conf=f"{_OTHER_TARGET}\ndevice_timeout 40", silent="Kernel panic - not syncing"),
    "disk-middle": Stuck("a disk answers nothing from the middle of the dump on: the next target has it",
                         says="left behind", conf=f"{_OTHER_TARGET}\ncore_collector dumpfilter -d 1\nstall_timeout 60",
                         silent="saving: "),
    "disk-crawls": Stuck("a disk becomes so slow that the dump could not be finished: the next target has it",
                         says="the target is too slow", silent="saving: ", rate=40 << 10,
                         conf=f"{_OTHER_TARGET}\ncore_collector dumpfilter -d 1\ncapture_timeout 900"),
    "disk-last": Stuck("a disk answers nothing when the dump is complete", expect="second", says="left behind",
                       conf="ext4 /dev/vdb", silent="vmcore saved"),
    "processes": Stuck("a hook leaves so many processes that no other can be started: the log is saved", seconds=400,
                       expect="log", says="Resource temporarily unavailable", conf="kdump_pre /etc/kdump-test/fork"),
    "panic": Stuck("the capture kernel panics", "how=panic", 200, "nothing", says="kdump test: the capture kernel dies"),
    "softlockup": Stuck("a driver spins", "how=softlockup", 400, "nothing", says="softlockup: hung tasks"),
    "irqs": Stuck("a driver spins with interrupts off; a hardware watchdog was running", "how=irqs", 400, "nothing",
                  watchdog="i6300esb"),
}


class _Silence:
    """Makes the disk of drive "extra" answer nothing while it lasts, by a limit of a byte per second."""

    def __init__(self, case):
        self._case, self._machine, self._began, self._timer = case, None, False, None

    def on_machine(self, machine):
        self._machine = machine

    def _limit(self, rate):
        self._machine.qmp("block_set_io_throttle", device="extra", bps=rate, bps_rd=0, bps_wr=0, iops=0, iops_rd=0,
                          iops_wr=0)

    def _begin(self):
        self._began = True
        # The first request under a limit is still carried out, whatever its size. It is not to be the guest's.
        self._machine.qmp("stop")
        self._limit(self._case.rate)
        self._machine.qmp("human-monitor-command", **{"command-line": 'qemu-io extra "read 0 4k"'})
        self._machine.qmp("cont")
        if self._case.silence:
            self._timer = threading.Timer(self._case.silence, self._limit, [0])
            self._timer.daemon = True
            self._timer.start()

    def _end(self):
        if self._timer:
            self._timer.cancel()
        self._limit(0)

    def on_line(self, line):
        if not self._case.silent:
            return
        if not self._began and self._case.silent in line:
            self._begin()
        elif self._began and any(word in line for word in ("sysrq: Resetting", "Restarting system", "Rebooting in")):
            self._end()


def with_module(kernel, module, scratch):
    """Files of a Scenario: @module among those of @kernel, and indexes that have it."""
    folder = scratch / "lib/modules"
    folder.mkdir(parents=True)
    host.run("cp", "-al", kernel.modules, folder)
    folder /= kernel.release
    for index in folder.glob("modules.*"):
        index.rename(f"{index}.old")  # not to be written through the link
        shutil.copy(f"{index}.old", index)
    shutil.copy(module, folder)
    host.run(host.need("depmod", "kmod"), "-b", scratch, kernel.release)
    return [(f"usr/lib/modules/{kernel.release}/{path.name}", path, 0o644)
            for path in (folder / module.name, *folder.glob("modules.*")) if path.suffix != ".old"]


def stuck(case, installed, out):
    """The machine is back by itself whatever gets stuck in the capture kernel."""
    kernel = kernels.named("6.1" if case.watchdog else "6.1-cloud")  # a cloud kernel has no drivers for watchdogs
    times, said = [], []
    silence = _Silence(case)

    def listen(line):
        said.append(line)
        silence.on_line(line)
        # The capture kernel may print the end of the crashed kernel's log, which has such a line, too.
        if "kdump: |" not in line and ("KDTEST crash" in line or "KDTEST boot" in line):
            times.append(time.monotonic())

    with tempfile.TemporaryDirectory(dir=host.CACHE) as scratch:
        image = Path(scratch, "extra.img")
        guest.make_file_system("ext4", image, "2G")
        words = ["-drive", f"file={image},if=none,id=extra,format=raw,cache=unsafe", "-device",
                 "virtio-blk-pci,drive=extra"]
        if case.watchdog:
            words += ["-device", case.watchdog, "-action", "watchdog=reset"]
        files = with_module(kernel, panicmod.build(kernel, "kdump_test_stuck"), Path(scratch))
        variables = {"OPTIONS": case.options, "CONF": case.conf, "WATCHDOG": case.watchdog, "EXPECT": case.expect}
        scenario = Scenario("stuck", kernel, qemu.Hardware("1G", extra=words), "crashkernel=192M", variables, files,
                            case.seconds + 200, listen, silence.on_machine)
        findings = play(scenario, installed, out)
    if case.says and not any(case.says in line for line in said):
        findings.append((False, f"the serial port never said {case.says!r}"))
    seconds = times[-1] - times[-2]  # from the panic to the system kernel
    findings.append((seconds < case.seconds * host.PATIENCE, f"back after {seconds:.0f} s"))
    verdict(findings)
    return f"back after {seconds:.0f} s; {findings[0][1]}"


# What becomes of the dump, and where its story must survive.
FLIGHTS = {
    "good": "a good dump: why says so in one sentence",
    "erst": "the target's disk is lost in the crash: why tells the story from ACPI ERST",
    "efi": "the same from EFI variables",
    "died": "the capture kernel panics: why tells it from ACPI ERST",
}


def flight(kind, installed, out):
    """kdumpctl why tells after the reboot what happened, wherever the record is (tests/vm/guest/flight)."""
    kernel = kernels.named("6.1-cloud")
    machines = []

    def listen(line):
        if "KDTEST crash" in line and kind in ("erst", "efi"):
            machines[0].qmp("human-monitor-command", **{"command-line": "drive_del extra"})

    with tempfile.TemporaryDirectory(dir=host.CACHE) as scratch:
        image, store = Path(scratch, "extra.img"), Path(scratch, "erst")
        guest.make_file_system("ext4", image, "1G")
        words = ["-drive", f"file={image},if=none,id=extra,format=raw,cache=unsafe", "-device",
                 "virtio-blk-pci,drive=extra"]
        if kind in ("erst", "died"):
            words += ["-object", f"memory-backend-file,id=erst,mem-path={store},size=64K,share=on",
                      "-device", "acpi-erst,memdev=erst"]
        files = []
        if kind == "died":
            files = with_module(kernel, panicmod.build(kernel, "kdump_test_stuck"), Path(scratch))
        hardware = qemu.Hardware("1G", firmware="ovmf" if kind == "efi" else "bios", extra=words)
        scenario = Scenario("flight", kernel, hardware, "crashkernel=192M panic=5", {"KIND": kind}, files, 300, listen,
                            machines.append)
        return verdict(play(scenario, installed, out))


def quiesce(step, installed, out):
    """A NIC without a driver in the capture kernel goes on receiving a flood: with the quiesce step ("on") the
    memory holds still, without it ("off") it does not."""
    said = []
    with tempfile.TemporaryDirectory() as scratch, _flood() as (words, start):
        reader = Path(scratch, "vmcore-twice")
        host.run(host.need("gcc", "gcc"), "-O2", "-static", "-o", reader,
                 Path(__file__).resolve().parents[1] / "vmcore-twice.c")

        def listen(line):
            said.append(line)
            if "KDTEST flood" in line:
                start()

        scenario = Scenario("quiesce", kernels.named("6.1"), qemu.Hardware("1G", extra=words), "crashkernel=256M",
                            {"QUIESCE": step}, [("usr/bin/vmcore-twice", reader, 0o755)], on_line=listen)
        findings = play(scenario, installed, out)
    changed = [line for line in said if "pages changed" in line]
    still = len(changed) == 1 and "vmcore-twice: 0 of " in changed[0]
    findings.append((len(changed) == 1 and still == (step == "on"), f"memory {changed}"))
    return f"{verdict(findings)}, {changed[0].partition('vmcore-twice: ')[2]}"


@contextlib.contextmanager
def _flood():
    """An e1000 for the guest, and a function that starts a flood of broadcast frames to it: (QEMU words, start)."""
    stop, threads = threading.Event(), []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        frame = b"\xff" * 6 + b"\x02kdump" + b"\x88\xb5" + bytes(range(256)) * 4

        def run():
            number = 0
            while not stop.is_set():
                number += 1
                with contextlib.suppress(OSError):
                    sender.sendto(frame + number.to_bytes(8, "big"), ("127.0.0.1", port))
                time.sleep(0.02)

        def start():
            if not threads:
                threads.append(threading.Thread(target=run, daemon=True))
                threads[0].start()

        local = sender.getsockname()[1]
        try:
            yield (["-netdev", f"socket,id=net,udp=127.0.0.1:{local},localaddr=127.0.0.1:{port}",
                    "-device", "e1000,netdev=net"], start)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
