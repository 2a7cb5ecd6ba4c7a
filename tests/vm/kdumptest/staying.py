# SPDX-License-Identifier: GPL-2.0-or-later
"""Events on a full Debian that is armed: its units and rules bring it up to date by themselves, and a panic after it is
captured."""
import json
import time

from . import host, points

LIMIT = 5  # seconds from the event until status is well again, or tells the reason


def run(lab):
    """The machine with the events of EVENTS, one after the other."""
    took = []
    with lab.machine("staying", memory="2G,slots=2,maxmem=4G") as guest:
        guest.login()
        points.install(guest, lab)
        for name, event in EVENTS:
            took.append(f"{name} {_healed(guest, name, event):.1f} s")
        burst = _burst(guest)
        before = len(json.loads(guest.run("kdumpctl list --json")))
        points.crash_and_return(guest, load=False)
        dumps = json.loads(guest.run("kdumpctl list --json"))
        points.expect(len(dumps) == before + 1 and dumps[-1]["state"] == "complete", f"after the events: {dumps}")
    return f"healed after {', '.join(took)}; 50 events were {burst} runs; the panic after them was captured"


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


def _memory(guest):
    guest.machine.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "more", "size": 512 << 20})
    guest.machine.qmp("device_add", driver="pc-dimm", id="dimm", memdev="more")


def _uuid(guest):
    guest.run("tune2fs -U random $(findmnt -no SOURCE /) || tune2fs -f -U random $(findmnt -no SOURCE /)")


EVENTS = [("configuration", _edit), ("hook", _hook), ("CPU", _cpu), ("memory", _memory), ("target's UUID", _uuid)]

POINTS = [points.Point("staying", "edits, hotplug, another UUID: healed by itself, and the panic after them captured", run)]
