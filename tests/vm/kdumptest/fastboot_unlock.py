# SPDX-License-Identifier: GPL-2.0-or-later
"""A full Debian whose root file system is encrypted, and reboots by kexec without a question; the key stays on no disk."""
import json
import re
import shutil
import time
import uuid
import zlib
from contextlib import contextmanager
from pathlib import Path

from . import debian, fastboot, guest, host, product, scenario
from .fastboot import Point
from .points import expect

PACKAGES = ["cryptsetup-initramfs", "dracut-core"]
PASSPHRASE = "a question"
QUESTION = "nlock disk root"  # "Please unlock disk root: "
SIZE = "2800M"
HEADER = 32  # MiB before the data
FILES = {
    "etc/fstab": "/dev/mapper/root / ext4 errors=remount-ro 0 1\n",
    "etc/crypttab": "root UUID=@LUKS@ none luks,initramfs\n",
    "etc/initramfs-tools/conf.d/kdump-test": "COMPRESS=gzip\nMODULES=list\nRESUME=none\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\ncrc32c_generic\ndm_crypt\nxts\naes_generic\nsha256_generic\n",
}
# dracut's beside them, by systemd: "kdumpctl reboot --entry dracut".
DRACUT = ["--force", "--no-hostonly", "--no-hostonly-cmdline", "--gzip", "--modules", "systemd systemd-initrd base crypt dm rootfs-block udev-rules",
          "--drivers", "virtio_pci virtio_blk ext4 crc32c_generic dm_crypt xts aes_generic sha256_generic"]
ENTRY = "label {name}\n linux /boot/vmlinuz-{release}\n initrd /boot/{initrd}\n append root=/dev/mapper/root ro console=ttyS0 panic=10{more}\n"


def _inside(root, *words):
    """Run a command in @root, with /proc and /dev."""
    host.run("unshare", "--mount", "sh", "-c", 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"',
             root, *words)


def _fill(root, luks):
    """Unpack Debian, make it one with an encrypted root file system, whose UUID is @luks, and make its initramfs files."""
    debian.fill(debian.root_tar(*fastboot.MORE, *PACKAGES), root)
    old, new = fastboot.release("6.1"), fastboot.release("6.12")
    menu = "default next\n" + ENTRY.format(name="next", release=new, initrd=f"initrd.img-{new}", more="") + ENTRY.format(
        name="dracut", release=old, initrd="dracut.img", more=" rd.luks.name=@LUKS@=root")
    for name, text in {**FILES, "boot/extlinux/extlinux.conf": menu}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.replace("@LUKS@", luks), encoding="utf-8")
    _inside(root, "update-initramfs", "-u", "-k", "all")
    _inside(root, "dracut", *DRACUT, "/boot/dracut.img", old)


def _image():
    """The encrypted disk, a raw image in the cache, and beside it the kernel and the initramfs that a boot loader would start."""
    key = host.digest(" ".join(debian.PACKAGES + fastboot.MORE + PACKAGES + DRACUT), json.dumps(FILES), ENTRY, SIZE, HEADER, PASSPHRASE)
    folder = host.CACHE / "debian" / f"encrypted-{key}"
    if folder.exists():
        return folder
    host.say("making the disk of a Debian with an encrypted root file system (once; three minutes)")
    with host.being_made(folder) as draft, host.scratch() as place:
        draft.mkdir()
        root, disk, phrase = place / "root", draft / "disk", draft / "passphrase"
        phrase.write_text(PASSPHRASE, encoding="utf-8")
        luks = str(uuid.uuid4())
        _fill(root, luks)
        old = fastboot.release("6.1")
        shutil.copy(root / f"boot/vmlinuz-{old}", draft / "kernel")
        shutil.copy(root / f"boot/initrd.img-{old}", draft / "initrd")
        _make_disk(disk, SIZE, root, luks, phrase)
    return folder


def _key(disk, phrase):
    """The volume key."""
    said = host.run("cryptsetup", "luksDump", "-q", "--dump-volume-key", "--key-file", phrase, disk)
    return bytes.fromhex("".join(re.findall(r"\b[0-9a-f]{2}\b", said.partition("MK dump:")[2].partition("Digest")[0])))


def _encrypt(disk, luks, phrase):
    """Encrypt the file system of the raw image @disk, which leaves HEADER MiB at its end."""
    host.run(host.need("cryptsetup", "cryptsetup-bin"), "reencrypt", "--encrypt", "--type", "luks2", "--uuid", luks, "--pbkdf", "pbkdf2",
             "--pbkdf-force-iterations", "1000", "--reduce-device-size", f"{HEADER}M", "--batch-mode", "--key-file", phrase, disk)


def _make_disk(disk, size, root, luks, phrase):
    """An encrypted disk with what is in @root."""
    host.run("truncate", "-s", size, disk)
    host.run(host.need("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-b", "4096", "-d", root, disk,
             str((host.parse_size(size) >> 12) - (HEADER << 8)))
    _encrypt(disk, luks, phrase)


@contextmanager
def _booted(lab, name):
    """The machine after its first boot, which has asked, and the folder of its disk."""
    image = _image()
    with host.scratch() as place:
        for file in image.iterdir():
            host.run("cp", "--sparse=always", file, place)
        extra = ["-kernel", str(place / "kernel"), "-initrd", str(place / "initrd"),
                 "-append", "root=/dev/mapper/root ro console=ttyS0 panic=10"]
        with debian.running(lab.out / f"{name}.log", place / "disk", lab.echo, kind="raw", extra=extra) as machine:
            machine.machine.question(QUESTION, time.monotonic() + 240 * host.PATIENCE)
            machine.machine.enter(PASSPHRASE)
            machine.login(400)
            lab.put(machine)
            yield machine, place


def _count(path, needle):
    """How often @needle is in the file."""
    found, tail = 0, b""
    with open(path, "rb") as file:
        while block := file.read(16 << 20):
            block = tail + block
            found += block.count(needle)
            tail = block[len(block) - len(needle) + 1:]
    return found


def _expanded(path):
    """An initramfs as the kernel unpacks it: what is compressed in it, expanded, behind it."""
    data = path.read_bytes()
    at = data.find(b"\x1f\x8b\x08")
    return data + (zlib.decompressobj(31).decompress(data[at:]) if at >= 0 else b"")


def _look_at_disk(place, needles, count=3):
    """The key is nowhere on the disk, as it is and below the encryption, nor in one of @count initramfs files; what is put there is
    found."""
    disk, header = place / "disk", place / "header"
    scenario.look_for_key([disk], needles)
    host.run("cryptsetup", "reencrypt", "--decrypt", "--header", header, "--force-offline-reencrypt", "--batch-mode",
             "--key-file", place / "passphrase", disk)
    scenario.look_for_key([disk], needles)
    files = place / "boot"
    files.mkdir()
    guest.read_disk(disk, "/boot", files)
    initrds = [path for path in (files / "boot").iterdir() if path.name.startswith("initrd") or path.name == "dracut.img"]
    expect(len(initrds) == count, f"initramfs files: {initrds}")
    for path in initrds:
        expanded = path.with_suffix(".expanded")
        expanded.write_bytes(_expanded(path))
        expect(scenario.find(expanded, [b"cryptsetup"]), f"{path.name} was not expanded: nothing would be found")
        expect(not scenario.find(expanded, needles), f"the volume key is in {path.name}")


def _in_memory(machine, place, key):
    """How often each form of the key is in the machine's memory: (binary, hexadecimal)."""
    machine.machine.qmp("pmemsave", **{"val": 0, "size": 2 << 30, "filename": str(place / "memory")})
    return tuple(_count(place / "memory", form) for form in (key[:len(key) // 2], key[:len(key) // 2].hex().encode()))


def unlock(entry, release):
    """kdumpctl reboot --unlock takes the machine to @entry of its menu."""
    def run(lab):
        with _booted(lab, f"unlock-{entry}") as (machine, place):
            key = _key(place / "disk", place / "passphrase")
            expect(len(key) == 64, f"the volume key has {len(key)} bytes")
            boot = machine.run("cat /proc/sys/kernel/random/boot_id").strip()
            table = machine.run("dmsetup table --showkeys root; dmsetup info -c --noheadings -o uuid root")
            said = machine.run(f"kdumpctl reboot --bootloader=extlinux --entry={entry} --unlock --check 2>&1", 300)
            expect("0 obstacles" in said, said)
            machine.start(f"kdumpctl reboot --bootloader=extlinux --entry={entry} --unlock >/var/log/unlock 2>&1")
            machine.forget_agent()
            machine.expect("Starting new kernel", 300, "the jump")
            machine.login(600)
            expect(machine.run("cat /proc/sys/kernel/random/boot_id").strip() != boot, "it has not rebooted")
            expect(machine.run("uname -r").strip() == fastboot.release(release), machine.run("uname -r"))
            log = machine.run("dmesg | grep 'kdump unlock'")
            expect("volume root on " in log and "is open, by the key" in log, log)
            expect(machine.run("dmsetup table --showkeys root; dmsetup info -c --noheadings -o uuid root") == table,
                   "the volume is not open as it was before")
            expect(not machine.run("pidof kdump-unlock || :").strip(), "a process of the initramfs still has keys")
            binary, hexadecimal = _in_memory(machine, place, key)
            expect(binary, "the key is not found in memory, where the kernel has it: nothing would be found")
            machine.start("systemctl poweroff")
            machine.machine.wait(240 * host.PATIENCE)
            _look_at_disk(place, scenario.key_forms(key))
        questions = (lab.out / f"unlock-{entry}.log").read_bytes().count(QUESTION.encode())
        expect(questions == 1, f"{questions} questions instead of the first boot's")
        return f"no question; on no disk; in memory {binary} times binary, {hexadecimal} times hexadecimal"
    return run


# The smallest root file system: it goes on by "kdumpctl reboot", where the real one has systemd.
SMALL = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/bin
mount -o remount,rw /
mkdir -p /run/systemd/system /run/lock /run/cryptsetup /var/lib/kdump
say() { echo "KDTEST $* uptime=$(cut -d' ' -f1 /proc/uptime)" >/dev/console; }
say "root release=$(uname -r) volume=$(cat /sys/block/dm-0/dm/name),$(cat /sys/block/dm-0/dm/uuid)"
if grep -q kdump-unlock /proc/cmdline; then
	for file in /proc/[0-9]*/comm; do grep -q kdump-unlock $file && say "left text=$(cat $file)"; done
	say "unlocked text=$(dmesg | grep 'kdump unlock' | tr '\n' '|')"
	read word
	umount -a -r; sync; poweroff -f
fi
kdumpctl reboot --bootloader=extlinux --unlock >/tmp/said 2>&1
say "failed text=$(tr '\n' '|' </tmp/said)"
poweroff -f
"""


def _small_root(root, installed, image):
    release = fastboot.release("6.1")
    programs = [installed / "usr/bin/kdumpctl", installed / "usr/sbin/kexec", Path(host.need("cryptsetup", "cryptsetup-bin"))]
    files = {"bin/busybox": host.need("busybox", "busybox-static"), "usr/bin/kdumpctl": programs[0], "usr/sbin/kexec": programs[1],
             "usr/libexec/kdump/kdump-unlock": installed / "usr/libexec/kdump/kdump-unlock",
             "usr/libexec/kdump/capture": installed / "usr/libexec/kdump/capture", "etc/kdump.conf": installed / "etc/kdump.conf",
             f"boot/vmlinuz-{release}": image / "kernel", f"boot/initrd.img-{release}": image / "initrd",
             **{name.lstrip("/"): file for name, file in product.libraries(programs).items()}}
    for name, file in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / name)
    texts = {"sbin/init": SMALL, "bin/systemctl": "#!/bin/busybox sh\n[ $1 != kexec ] || exec kexec -e -f\n",
             "boot/extlinux/extlinux.conf": "default next\n" + ENTRY.format(name="next", release=release, initrd=f"initrd.img-{release}",
                                                                             more="")}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
        (root / name).chmod(0o755)
    for name in ("proc", "sys", "dev", "run", "tmp", "var"):
        (root / name).mkdir(exist_ok=True)


def small_root(lab):
    """Debian's initramfs in front of a small root file system."""
    image, name = _image(), "unlock-small"
    with host.scratch() as place:
        phrase, disk = image / "passphrase", place / "disk"
        _small_root(place / "root", lab.installed, image)
        _make_disk(disk, "512M", place / "root", host.run("cryptsetup", "luksUUID", image / "disk").strip(), phrase)
        key = _key(disk, phrase)
        extra = ["-kernel", str(image / "kernel"), "-initrd", str(image / "initrd"),
                 "-append", "root=/dev/mapper/root ro console=ttyS0 panic=10"]
        with debian.running(lab.out / f"{name}.log", disk, lab.echo, kind="raw", memory="1G", extra=extra) as machine:
            machine.machine.question(QUESTION, time.monotonic() + 240 * host.PATIENCE)
            machine.machine.enter(PASSPHRASE)
            before = machine.expect("KDTEST root", 200)[0]
            machine.expect("Linux version", 200, "the jump")
            after = machine.expect("KDTEST root", 300)[0]
            told = machine.expect("KDTEST (unlocked|left)", 60)[0]
            binary, hexadecimal = _in_memory(machine, place, key)
            machine.machine.enter("end")
            machine.machine.wait(100 * host.PATIENCE)
        wanted = re.search(r"volume=\S+", before)[0]
        expect(wanted in after, f"the volume is not open as it was before: {before}, {after}")
        expect("KDTEST unlocked" in told and "volume root on " in told and "is open, by the key" in told, told)
        expect(binary, "the key is not found in memory, where the kernel has it: nothing would be found")
        shutil.copy(phrase, place / "passphrase")
        _look_at_disk(place, scenario.key_forms(key), 1)
    questions = (lab.out / f"{name}.log").read_bytes().count(QUESTION.encode())
    expect(questions == 1, f"{questions} questions instead of the first boot's")
    return f"no question; on no disk; in memory {binary} times binary, {hexadecimal} times hexadecimal"


POINTS = [
    Point("unlock-small", "a small encrypted root behind Debian's initramfs: 6.1 to 6.1 without a question, the key is on no disk", small_root),
    Point("unlock-debian", "an encrypted root, cryptsetup-initramfs: 6.1 to 6.12 without a question, the key is on no disk",
          unlock("next", "6.12")),
    Point("unlock-dracut", "the same, 6.1 to 6.1 with dracut's initramfs and systemd in it", unlock("dracut", "6.1")),
]
