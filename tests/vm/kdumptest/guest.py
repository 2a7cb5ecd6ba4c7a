# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest: a root disk per kernel, made once, and per run a small initramfs that lays the payload over it.

The disk has busybox, the kernel in /boot and its modules; everything that a test brings (this tree's programs, their
libraries, the test's script) comes as the payload, so that nothing has to be mounted or built as root on the host."""
import gzip
import io
import lzma
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import uuid
from pathlib import Path

from . import cpio, cross, host

SCRIPTS = Path(__file__).resolve().parents[1] / "guest"
ROOT_UUID = "6b64756d-7020-4e65-8573-746465737431"
DISK_SIZE = "16G"  # sparse; room for an unfiltered dump of the biggest guest; an SD card has a power of two
FOLDERS = ("boot dev etc lib/modules mnt/dump proc root run sys tmp usr/bin usr/sbin usr/lib usr/lib64 "
           "var/crash var/lib/kdump var/tmp").split()
# What no test guest can have; left out to keep the disk small.
ABSENT = re.compile(r"/kernel/(sound|drivers/(gpu|media|net/wireless|infiniband/(hw|ulp)|staging|iio|input|isdn|comedi|platform|mfd))/")
DISK_DRIVERS = {
    "virtio": ["virtio_pci", "virtio_blk"],
    "scsi": ["virtio_pci", "virtio_scsi", "sd_mod"],
    "ahci": ["ahci", "sd_mod"],
    "nvme": ["nvme"],
    "mmc": ["sdhci_pci", "mmc_block"],
}
FILE_SYSTEM_DRIVERS = ["crc32c_generic", "crc32c_intel", "ext4"]


def disk(kernel, target=None):
    """The pristine root disk of @kernel, a raw ext4 image in the cache: to be copied. @target: the cross.Target of another
    architecture."""
    busybox = cross.busybox(target)
    key = host.digest(host.stamp(kernel.vmlinuz), host.stamp(kernel.modules), host.stamp(busybox), Path(__file__))
    image = host.CACHE / "disks" / f"{kernel.release}-{key}.img"
    if not image.exists():
        host.say(f"making the guest disk of {kernel.release}")
        for old in image.parent.glob(f"{kernel.release}-*.img"):
            old.unlink()
        with host.being_made(image) as draft, tempfile.TemporaryDirectory(prefix=".root.", dir=host.CACHE) as root:
            _fill_root(Path(root), kernel, busybox)
            host.run(host.need("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-U", ROOT_UUID, "-J", "size=16",
                     "-E", "root_owner=0:0", "-d", root, draft, DISK_SIZE)
    return image


def copy_disk(kernel, path, target=None):
    """A fresh root disk for one run."""
    host.run("cp", "--sparse=always", "--reflink=auto", disk(kernel, target), path)


def make_file_system(kind, path, size="8G"):
    """A further disk, with an empty file system but for the directory var/crash."""
    with tempfile.TemporaryDirectory() as root:
        with open(path, "wb") as image:
            image.truncate(host.parse_size(size))
        Path(root, "var/crash").mkdir(parents=True)
        if kind == "ext4":
            host.run(host.need("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-d", root, path)
        elif kind == "btrfs":
            host.run(host.need("mkfs.btrfs", "btrfs-progs"), "-q", "-r", root, path)
        else:
            prototype = Path(root, "prototype")
            prototype.write_text("/\n0 0\nd--755 0 0\nvar d--755 0 0\ncrash d--755 0 0\n$\n$\n$\n", encoding="ascii")
            host.run(host.need("mkfs.xfs", "xfsprogs"), "-q", "-p", prototype, path)


def read_disk(image, folder, out):
    """Copy @folder of a guest's root disk, and everything below it, into the directory @out."""
    debugfs = host.need("debugfs", "e2fsprogs")
    # Replays the journal if the guest did not come to a clean end; exit codes up to 2 mean repaired.
    subprocess.run([host.need("e2fsck", "e2fsprogs"), "-fy", str(image)], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    host.run(debugfs, "-R", f"rdump {folder} {out}", image)


def initramfs(kernel, bus, payload, path, target=None, packed=False):
    """Write the first initramfs to @path: busybox, the drivers of a disk on @bus, and the payload: functions that
    are given a cpio.Archive and a prefix to add below. @packed: the payload is compressed, for a guest whose memory would
    not hold it twice."""
    with open(path, "wb") as out:
        archive = cpio.Archive(out)
        archive.add_file("init", SCRIPTS / "init", 0o755)
        archive.add_file("bin/busybox", cross.busybox(target), 0o755)
        archive.add("root-uuid", stat.S_IFREG | 0o644, ROOT_UUID.encode())
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        for folder in ("proc", "sys", "root"):
            archive.add(folder, stat.S_IFDIR | 0o755)
        inserted = []
        for module in module_order(kernel, DISK_DRIVERS[bus] + FILE_SYSTEM_DRIVERS):
            name = f"/modules.d/{_plain_name(module)}"
            archive.add(name, stat.S_IFREG | 0o644, expanded(kernel.modules / module))
            inserted.append(name)
        archive.add("modules", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in inserted).encode())
        # The same payload is not copied again in later boots.
        archive.add("payload/etc/kdump-test/id", stat.S_IFREG | 0o644, uuid.uuid4().bytes)
        if packed:
            archive.add("payload.gz", stat.S_IFREG | 0o644, _compressed(payload))
        else:
            for add in payload:
                add(archive, "payload")
        archive.close()


def _compressed(payload):
    """The payload as an archive of its own."""
    out = io.BytesIO()
    archive = cpio.Archive(out)
    for add in payload:
        add(archive, "")
    archive.close()
    return gzip.compress(out.getvalue(), 1)


def module_order(kernel, names):
    """Files (relative to the modules directory) of the modules @names and what they depend on, in insertion order.
    Modules that the kernel has built in, or has not, are passed over."""
    depends = {}
    for line in (kernel.modules / "modules.dep").read_text(encoding="ascii").splitlines():
        file, _, needed = line.partition(":")
        depends[_module_name(file)] = (file, needed.split())
    order = []
    for name in names:
        if name in depends:
            file, needed = depends[name]
            # modules.dep lists what is needed last first.
            order += [module for module in (*reversed(needed), file) if module not in order]
    return order


def expanded(path):
    """The content of a module file, decompressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".zst":
        return subprocess.run([host.need("zstd", "zstd"), "-dcq"], input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    return data


def test_payload(script, variables, files=()):
    """The payload of a test: the guest's script (a file, or a name in vm/guest), its shell variables, and further
    (name, file of the host, permissions)."""
    env = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())

    def add(archive, prefix):
        archive.add_file(f"{prefix}/etc/kdump-test/rc", SCRIPTS / "rc", 0o755)
        archive.add_file(f"{prefix}/etc/kdump-test/script", SCRIPTS / script, 0o644)
        archive.add(f"{prefix}/etc/kdump-test/env", stat.S_IFREG | 0o644, env.encode())
        for name, path, permissions in files:
            archive.add_file(f"{prefix}/{name.strip('/')}", path, permissions)

    return add


def _plain_name(file):
    return re.sub(r"(\.ko)(\.\w+)?$", r"\1", Path(file).name)


def _module_name(file):
    return _plain_name(file).removesuffix(".ko").replace("-", "_")


def _fill_root(root, kernel, busybox):
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.move(root / "lib/modules", root / "usr/lib/modules")
    (root / "lib").rmdir()
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    shutil.copy(busybox, root / "usr/bin/busybox")
    # The list of this machine's own: the other one may not run here.
    for applet in host.run(host.need("busybox", "busybox-static"), "--list").split():
        link = root / "usr/bin" / applet
        if not link.exists():
            link.symlink_to("busybox")
    etc = {"fstab": f"UUID={ROOT_UUID} / ext4 defaults 0 1\n", "group": "root:x:0:\nnobody:x:65534:\n",
           "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n", "hostname": "kdump-test\n", "os-release": "ID=kdump-test\n"}
    for name, text in etc.items():
        (root / "etc" / name).write_text(text, encoding="ascii")
    (root / "etc/mtab").symlink_to("/proc/self/mounts")
    shutil.copy(kernel.vmlinuz, root / f"boot/vmlinuz-{kernel.release}")
    shutil.copytree(kernel.modules, root / "usr/lib/modules" / kernel.release, symlinks=True, ignore=_absent)


def _absent(folder, names):
    return [name for name in names if name in ("build", "source") or ABSENT.search(f"{folder}/{name}/")]
