# SPDX-License-Identifier: GPL-2.0-or-later
"""Events on a full Debian that is armed: its units and rules bring it up to date by themselves, and the panic right
after each is captured; so are panics at random moments while reloads follow each other.

The armed machine is saved once and restored for each panic. The disk that dumps go to is left out of that, so that they
gather there; nothing mounts it until the end."""
import json
import random
import re
import time

from . import debian, host, points

LIMIT = 5  # seconds from the event until status is well again, or tells the reason
RELOADS = 20
SNAPSHOT = "armed"
TARGET = """mkfs.ext4 -q -L dumps /dev/vdb && mkdir /mnt/dumps &&
echo 'LABEL=dumps /mnt/dumps ext4 noauto 0 0' >>/etc/fstab &&
printf 'ext4 LABEL=dumps\\npath /\\n' >/etc/kdump.conf && udevadm settle && kdumpctl restart 2>&1"""
TRACE = """cd /sys/kernel/tracing && echo 1 | tee events/syscalls/sys_{enter,exit}_kexec_load/enable >/dev/null &&
kdumpctl restart >/dev/null 2>&1; cat trace; echo 0 >events/enable"""


def run(lab):
    """Each panic begins with the machine as it was when it was armed. What was plugged in is only gone with QEMU."""
    with debian.disk_for_runs() as disk:
        dumps = disk.with_name("dumps")
        with open(dumps, "wb") as file:
            file.truncate(host.parse_size("8G"))
        extra = ["-drive", f"file={dumps},if=none,id=dumps,format=raw,cache=unsafe", "-device", "virtio-blk-pci,drive=dumps"]

        def machine(name, *words):
            return lab.machine(name, disk=disk, memory="2G,slots=2,maxmem=4G", extra=[*extra, *words])

        with machine("staying") as guest:
            guest.login()
            points.install(guest, lab)
            guest.run(TARGET)
            window = _window(guest)
            points.figure("product_reload_window", window, "s")
            burst = _burst(guest)
            guest.run("kdumpctl status --strict")
            guest.save(SNAPSHOT)
            lost = _reloads(guest)
        took = []
        for name, event in EVENTS:
            with machine(f"staying-{name}", "-S") as guest:
                guest.restore(SNAPSHOT)
                seconds = _healed(guest, name, event)
                guest.panic()
                lost += _lost(guest, name)
            took.append(f"{name} {seconds:.1f} s")
            points.figure(f"product_healed_{name}", seconds, "s")
        with machine("staying-after", "-S") as guest:
            guest.restore(SNAPSHOT)
            guest.run("mount /mnt/dumps")
            states = [dump["state"] for dump in json.loads(guest.run("kdumpctl list --json --path /mnt/dumps"))]
    panics = len(EVENTS) + RELOADS
    points.expect(not lost and states == ["complete"] * panics, f"of {panics} panics {len(lost)} were not captured, the "
                  f"dumps are {states}:\n" + "\n".join(lost))
    return (f"healed after {', '.join(took)}; 50 events were {burst} runs; {panics} panics captured, one after each and "
            f"{RELOADS} during reloads; a changed image is loaded within {window * 1000:.0f} ms")


def _reloads(guest):
    """Panics at random moments while reloads follow each other; those that were not captured, in words."""
    lost = []
    for _ in range(RELOADS):
        moment = random.uniform(0, 2 * LIMIT)
        guest.restore(SNAPSHOT)
        guest.start(f"(while :; do kdumpctl reload; done) & sleep {moment}; echo c >/proc/sysrq-trigger")
        guest.expect("Kernel panic - not syncing", 60)
        lost += _lost(guest, f"{moment:.3f} s after the first reload")
    return lost


def _lost(guest, name):
    """Nothing if the panic came to its good end, else a text that tells of it."""
    said, _ = guest.expect(r"kdump: result: |Rebooting in ", 120, name)
    guest.machine.wait(60 * host.PATIENCE)
    return [] if "result: complete" in said else [f"{name}: {said}", *guest.machine.last]


def _window(guest):
    """Seconds that the kernel takes to replace what is loaded: it has nothing to boot in that time."""
    trace = guest.run(TRACE)
    stamps = re.findall(r"([0-9.]+): sys_kexec_load(\(| -> )", trace)
    points.expect(len(stamps) >= 2 and stamps[-1][1] == " -> ", f"no kexec_load in the trace:\n{trace}")
    return float(stamps[-1][0]) - float(stamps[-2][0])


def _loaded_at(guest):
    """When the record was written, with its fraction: it changes with each load."""
    return guest.run("stat -c %.9Y /run/kdump/armed").strip()


def _healed(guest, name, event):
    """Let it happen; seconds of the guest until a new record is there and status has nothing to object."""
    before, began = _loaded_at(guest), _uptime(guest)
    event(guest)
    limit = LIMIT * host.PATIENCE
    status, said = guest.run(f'''for i in $(seq {int(limit * 10)}); do
        [ "$(stat -c %.9Y /run/kdump/armed)" != {before} ] && kdumpctl status --strict 2>&1 && exit 0
        sleep 0.1
        done
        kdumpctl status --strict 2>&1; journalctl -b -u kdump-refresh -n 20; systemctl status kdump-refresh.path
        exit 1''', check=False)
    points.expect(status == 0, f"{name}: not healed within {limit} s:\n{said}")
    return _uptime(guest) - began


def _uptime(guest):
    return float(guest.run("cut -d' ' -f1 /proc/uptime"))


def _burst(guest):
    """Fifty events at once: how often the service ran."""
    count = "journalctl -b -u kdump-refresh.service --no-pager | grep -c Finished || true"
    before = int(guest.run(count))
    guest.run("for i in $(seq 50); do udevadm trigger --action=change /sys/class/block/vda; done; udevadm settle")
    time.sleep(LIMIT)
    runs = int(guest.run(count)) - before
    points.expect(0 < runs < 25, f"50 events were {runs} runs")
    points.expect("kdump-refresh.path" not in guest.run("systemctl --failed --no-legend"), "the path unit has failed")
    return runs


def _edit(guest):
    guest.run("echo '# edited' >>/etc/kdump.conf")


def _hook(guest):
    guest.run("mkdir -p /etc/kdump/post.d && install -m 755 /bin/true /etc/kdump/post.d/one")


def _cpu(guest):
    free = [slot for slot in guest.machine.qmp("query-hotpluggable-cpus") if "qom-path" not in slot]
    guest.machine.qmp("device_add", driver=free[-1]["type"], id="more-cpu", **free[-1]["props"])
    # One that was never online would be woken by the panic's NMI, in the emulator, and run the firmware.
    guest.run("until echo 1 >/sys/devices/system/cpu/cpu2/online; do sleep 0.1; done 2>/dev/null")


def _memory(guest):
    guest.machine.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "more", "size": 512 << 20})
    guest.machine.qmp("device_add", driver="pc-dimm", id="dimm", memdev="more")


def _uuid(guest):
    # It was mounted by captures, and tune2fs wants it checked since.
    guest.run("e2fsck -fp /dev/vdb >/dev/null || [ $? = 1 ] && tune2fs -U random /dev/vdb")


# The last one changes the disk of the dumps, which no snapshot brings back.
EVENTS = [("configuration", _edit), ("hook", _hook), ("cpu", _cpu), ("memory", _memory), ("uuid", _uuid)]

POINTS = [points.Point("staying", "edits, hotplug, another UUID: healed by itself, and the panic after each captured, as "
                       f"are {RELOADS} during reloads", run)]
