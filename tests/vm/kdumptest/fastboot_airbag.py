# SPDX-License-Identifier: GPL-2.0-or-later
"""A way back from a new kernel that is not good: "kdumpctl reboot --try" and "kdumpctl healthy"."""
import io
import stat
from contextlib import contextmanager

from . import cpio, fastboot, kernels, panicmod, qemu, small, stages
from .fastboot import Point
from .points import expect

DIRECTORY = "kdump-airbag"
STAGE = "usr/libexec/kdump/kdump-airbag"
# As kdump/airbag/trial.c has them.
TRIAL = "kdump.try=00c0ffee rdinit=/kdump-airbag/init panic=3 oops=panic softlockup_panic=1 unknown_nmi_panic crashkernel=160M"
RETURNED = "kdump.returned=00c0ffee reset_devices"

# The old kernel jumps to the new one, the new one does what fault= says, and the old one comes back. First it looks which
# devices may write to memory, before any driver is loaded.
INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
leftovers=$(ls -d /kdump-airbag* /proc /sys 2>/dev/null; cat /proc/mounts 2>/dev/null)
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
say() { echo "<1>KDTEST $* uptime=$(cut -d' ' -f1 /proc/uptime)" >/dev/kmsg; }
word() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
memory() { awk '/^MemTotal/ { print $2 }' /proc/meminfo; }
command() { hexdump -s 4 -n 1 -e '1/1 "%d"' "$1/config"; }
masters() { for d in /sys/bus/pci/devices/*; do [ $(($(command "$d") & 4)) = 0 ] || echo "${d##*/}"; done; }

old() {
	say "old release=$(uname -r) memory=$(memory) cpus=$(nproc)"
	if [ -e /early.ko ]; then insmod /early.ko; : >/dev/watchdog0; exec 9>/dev/watchdog0; fi
	cat /initrd /airbag >/tmp/next
	[ ! -e /damage ] || { head -c 300000 /dev/urandom; cat /airbag; } >/tmp/next
	kexec -l /next --initrd=/tmp/next --append="$(cat /append) fault=$(word fault) $(cat /trial)" || { say failed text=load; poweroff -f; }
	say leaving
	exec kexec -e -f
}

new() {
	deadman=$(pidof kdump-airbag)
	case $(cat "/proc/$deadman/cmdline") in @*) name=ok ;; esac
	say "new release=$(uname -r) armed=$(cat /sys/kernel/kexec_crash_loaded) deadman=$deadman name=$name watchdog=$(cat /sys/class/watchdog/watchdog0/state) text=${leftovers:-nothing}"
	# Devices without a driver may write, as they may after any driver.
	for d in /sys/bus/pci/devices/*; do printf '\007' | dd of="$d/config" bs=1 seek=4 conv=notrunc 2>/dev/null; done
	say "fault masters=$(masters | wc -l)"
	fault=$(word fault)
	case $fault in
	panic-*) exec taskset -c "${fault#panic-}" sh -c 'echo c >/proc/sysrq-trigger' ;;
	exit) exit 1 ;;
	module-*) insmod /fault.ko "how=${fault#module-}"; sleep 1000 ;;
	shell) exec sh ;;
	kill) kill -9 "$deadman"; sleep 1000 ;;
	esac
	sleep 1000
}

back() {
	say "back release=$(uname -r) memory=$(memory) cpus=$(nproc) masters=$(masters | wc -l) text=$(masters | tr '\n' ' ')"
	poweroff -f
}

case $(cat /proc/cmdline) in
*kdump.returned=00c0ffee*) back ;;
*kdump.try=*) new ;;
*) old ;;
esac
"""


def archive(lab, kernel, initramfs, append, deadline, modules):
    """What "kdumpctl reboot --try" puts behind the new kernel's initramfs."""
    out = io.BytesIO()
    files = cpio.Archive(out)
    files.add_file(f"{DIRECTORY}/init", lab.installed / STAGE, 0o700)
    files.add_file(f"{DIRECTORY}/kernel", kernel.vmlinuz, 0o600)
    files.add(f"{DIRECTORY}/initrd", stat.S_IFREG | 0o600, initramfs)
    files.add(f"{DIRECTORY}/cmdline", stat.S_IFREG | 0o600, f"{append} {RETURNED}\n".encode())
    settings = f"deadline {deadline}\n" + "".join(f"module {name}\n" for name in modules)
    files.add(f"{DIRECTORY}/settings", stat.S_IFREG | 0o600, settings.encode())
    for name, data in modules.items():
        files.add(f"{DIRECTORY}/modules/{name}", stat.S_IFREG | 0o600, data)
    files.close()
    return out.getvalue()


class Trial:
    """One trial in the small guest, from 6.1 to 6.1."""

    def __init__(self, lab, name, fault, deadline=600, append="", modules=None, files=None, hardware=None):
        kernel = kernels.named("6.1" if modules else "6.1-cloud")
        command_line = small.command_line(append, hardware)
        initramfs = small.initramfs(INIT)
        contents = {"next": kernel.vmlinuz, "initrd": small.initramfs(INIT, files=files),
                    "airbag": archive(lab, kernel, initramfs, command_line, deadline, modules or {}),
                    "append": command_line.encode(), "trial": TRIAL.encode()} | (files or {})
        self.kernel = kernel
        self.guest = lab.small(f"airbag-{name}", kernel, INIT, f"{append} fault={fault}", files=contents, hardware=hardware)

    def __enter__(self):
        self.story = self.guest.__enter__()
        self.old = self.story.expect("the old kernel", stages.mark("old"), 120)
        self.story.expect("load", stages.mark("leaving"), 60)
        return self

    def __exit__(self, *error):
        return self.guest.__exit__(*error)

    def arrives(self):
        """The new kernel starts with the old one armed, and with nothing of the airbag left in its rootfs."""
        self.new = self.story.expect("the new kernel", stages.mark("new"), 120)
        values = self.new.values
        expect(values["armed"] == "1", f"the old kernel is not armed: {self.new.line}")
        expect(values["name"] == "ok", f"the deadman is not spared by systemd: {self.new.line}")
        expect(values["text"].startswith("nothing"), f"the airbag leaves something behind: {values['text']}")
        self.fault = self.story.expect("the fault", stages.mark("fault"), 60)

    def returns(self, name, seconds=60, cpus=2):
        """The old kernel is back without the firmware, with all memory, and no device may write to that."""
        back = self.story.expect("back", stages.mark("back") + "|" + stages.mark("old"), seconds)
        expect("KDTEST back" in back.line, "the machine went through the firmware")
        self.story.end()
        expect(int(self.fault.values["masters"]) > 0, "no device could write before, so this shows nothing")
        expect(back.values["masters"] == "0", f"devices may write to the old kernel's memory: {back.values['text']}")
        expect(abs(int(back.values["memory"]) - int(self.old.values["memory"])) < 1024,
               f"{self.old.values['memory']} kB became {back.values['memory']} kB")
        expect(int(back.values["cpus"]) == cpus, f"{back.values['cpus']} CPUs")
        took = back.wall - self.fault.wall
        fastboot.figure(f"airbag_{name}", took, "s")
        return f"back in {took:.1f} s"

    def resets(self, name, seconds):
        """The machine is back through the firmware."""
        back = self.story.expect("back", stages.mark("back") + "|" + stages.mark("old"), seconds)
        expect("KDTEST old" in back.line, "the machine did not go through the firmware")
        took = back.wall - getattr(self, "fault", self.old).wall
        fastboot.figure(f"airbag_{name}", took, "s")
        return f"back through the firmware in {took:.1f} s"


def returns(name, fault, **options):
    """A point: the fault, and the old kernel is back at once."""
    def run(lab):
        with Trial(lab, name, fault, **options) as trial:
            trial.arrives()
            return trial.returns(name)
    return run


def driver(cause):
    """A driver that fails in the way that @cause names."""
    def run(lab):
        kernel = kernels.named("6.1-cloud")
        with Trial(lab, cause, f"module-{cause}", deadline=25, files={"fault.ko": panicmod.build(kernel).read_bytes()}) as trial:
            trial.arrives()
            return trial.returns(cause, 120)
    return run


def late(lab):
    """Nobody reports the new kernel healthy."""
    with Trial(lab, "late", "shell", deadline=25) as trial:
        trial.arrives()
        return trial.returns("late")


def broken(lab):
    """The new kernel's initramfs is damaged, and with it what hangs behind it."""
    with Trial(lab, "broken", "none", files={"damage": b""}) as trial:
        return trial.resets("broken", 120)


def hung(lab):
    """The only CPU spins with interrupts off: nothing but the hardware watchdog helps."""
    kernel = kernels.named("6.1")
    watchdog = {f"{name}.ko": small.module(kernel, f"drivers/watchdog/{name}.ko") for name in ("watchdog", "i6300esb")}
    hardware = qemu.Hardware(cpus=1, extra=["-device", "i6300esb", "-action", "watchdog=reset"])
    with Trial(lab, "hung", "module-hardlockup", append="watchdog.stop_on_reboot=0", modules=watchdog,
               files={"fault.ko": panicmod.build(kernel).read_bytes()}, hardware=hardware) as trial:
        trial.arrives()
        expect(trial.new.values["watchdog"] == "active", f"the watchdog does not run: {trial.new.line}")
        return trial.resets("hung", 120)


# --- kdumpctl, without systemd ----------------------------------------------------------------------------------------

# The small guest with a boot loader's menu, and systemctl that knows one word.
WHOLE = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /run/systemd/system /run/lock /var/lib/kdump /boot/grub /etc/default
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
say() { echo "<1>KDTEST $* uptime=$(cut -d' ' -f1 /proc/uptime)" >/dev/kmsg; }
word() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
release=$(uname -r) task=$(word task)

old() {
	say "old release=$release"
	printf '#!/bin/sh\n[ "$1" != kexec ] || exec kexec -e -f\n' >/bin/systemctl
	chmod 755 /bin/systemctl
	: >/etc/default/grub
	: >/usr/sbin/update-grub
	cat >/boot/grub/grub.cfg <<-END
	set default="0"
	menuentry 'The new kernel' {
		linux /boot/vmlinuz-$release console=ttyS0 quiet task=$task
		initrd /boot/initrd.img-$release
	}
	END
	kdumpctl reboot --try --deadline=40 --force >/tmp/said 2>&1
	say "failed text=$(tr '\n' '|' </tmp/said)"
	poweroff -f
}

new() {
	say "new loaded=$(cat /sys/kernel/kexec_crash_loaded) text=$(kdumpctl status 2>&1 | tr '\n' '|')"
	say fault
	[ "$task" != late ] || sleep 1000
	kdumpctl start >/tmp/said 2>&1
	kdumpctl healthy >>/tmp/said 2>&1
	say "healthy status=$? loaded=$(cat /sys/kernel/kexec_crash_loaded) deadman=$(pidof kdump-airbag) text=$(tr '\n' '|' </tmp/said)"
	poweroff -f
}

case $(cat /proc/cmdline) in
*kdump.returned=*) say "back release=$release text=$(cat /proc/cmdline)"; poweroff -f ;;
*kdump.try=*) new ;;
*) old ;;
esac
"""


@contextmanager
def whole(lab, task):
    """kdumpctl packs the running kernel and jumps; the story from there on."""
    kernel = kernels.named("6.1-cloud")
    programs = [lab.installed / name for name in ("usr/bin/kdumpctl", "usr/sbin/kexec")]
    files = {"etc/kdump.conf": b"path /var/crash\n", STAGE: lab.installed / STAGE}
    inner = small.initramfs(WHOLE, programs, files)
    files |= {f"boot/vmlinuz-{kernel.release}": kernel.vmlinuz, f"boot/initrd.img-{kernel.release}": inner}
    archive = small.initramfs(WHOLE, programs, files)
    with small.switched_on(kernel, archive, f"task={task}", lab.out / f"airbag-whole-{task}.log", None, lab.echo) as machine:
        story = stages.Story(machine, 600)
        story.expect("the old kernel", stages.mark("old"), 120)
        new = story.expect("the new kernel", stages.mark("new"), 200)
        expect(new.values["loaded"] == "1", f"the old kernel is not armed: {new.line}")
        expect("on trial" in new.values["text"], f"kdumpctl status does not tell: {new.line}")
        yield story


def whole_healthy(lab):
    """The trial ends, and nothing of it is left."""
    with whole(lab, "healthy") as story:
        end = story.expect("healthy", stages.mark("healthy"), 60)
        story.end()
    expect(end.values["status"] == "0" and end.values["loaded"] == "0" and not end.values["deadman"], end.line)
    expect("stays loaded until then" in end.values["text"], f"start did not wait for the end of the trial: {end.line}")
    return "committed; nothing is loaded, and nobody watches"


def whole_late(lab):
    """Nobody reports it healthy."""
    with whole(lab, "late") as story:
        fault = story.expect("the fault", stages.mark("fault"), 60)
        back = story.expect("back", stages.mark("back") + "|" + stages.mark("old"), 120)
        story.end()
    expect("KDTEST back" in back.line, "the machine went through the firmware")
    expect("kdump.returned=" in back.values["text"] and "task=late" in back.values["text"], back.line)
    return f"back {back.wall - fault.wall:.1f} s after the start, with the old command line"


# --- a full Debian ---------------------------------------------------------------------------------------------------

COMMITTED = "6d69e4c205fc44d3a3a45e9f981c026d"  # kdump/arming/journal.h
BACK = "dd9ff4f8f0ab431891a87393fbdd17a5"


@contextmanager
def debian_guest(lab, name):
    """A full Debian with this tree, whose units are enabled."""
    with lab.debian(f"airbag-{name}") as guest:
        guest.run("systemctl enable kdump kdump-collect kdump-healthy && mkdir -p /etc/kdump/healthy.d && systemctl start kdump-collect")
        yield guest


def attempt(guest, options, seconds=400):
    """A trial begins; the next login prompt is there."""
    guest.start(f"kdumpctl reboot --try {options} >/var/log/try 2>&1")
    guest.expect(r"kexec_core: Starting new kernel|Starting new kernel|reboot: Restarting", 180, "the jump")
    return guest.login(seconds)


def wait_for(guest, command, seconds=200):
    guest.run(f"until {command}; do sleep 0.5; done", seconds)


def returned(guest, by_panic):
    """The old kernel runs, and says so."""
    line = guest.run("cat /proc/cmdline")
    expect("kdump.try=" not in line, f"the new kernel runs: {line}")
    expect(("kdump.returned=" in line) == by_panic, f"by {'firmware' if by_panic else 'panic'}: {line}")
    wait_for(guest, f"journalctl -b -q MESSAGE_ID={BACK} | grep -q 'The trial of kernel'")
    why = guest.run("kdumpctl why", check=False)[1]
    expect("The trial of kernel" in why, f"kdumpctl why: {why}")
    return why


def good(lab):
    """Reported healthy: nothing of the trial is left, and a crash leaves a dump."""
    with debian_guest(lab, "good") as guest:
        settings = "sysctl kernel.panic kernel.panic_on_oops kernel.softlockup_panic kernel.hung_task_panic kernel.unknown_nmi_panic"
        before = guest.run(settings)
        guest.run("printf '#!/bin/sh\\ncp /proc/cmdline /run/checked\\n' >/etc/kdump/healthy.d/10-check && chmod 755 /etc/kdump/healthy.d/10-check")
        attempt(guest, "--deadline=600")
        wait_for(guest, f"journalctl -b -q MESSAGE_ID={COMMITTED} | grep -q 'is healthy'", 300)
        expect("kdump.try=" in guest.run("cat /run/checked"), "the check has not run")
        expect(not guest.run("pidof kdump-airbag || :").strip(), "the deadman still runs")
        wait_for(guest, "kdumpctl status 2>&1 | grep -q 'Kdump is operational'")
        expect(guest.run(settings) == before, f"settings of the trial stay: {guest.run(settings)}")
        expect("armed by kdumpctl" in guest.run("kdumpctl status -v 2>&1"), "the capture kernel is not loaded")
        guest.panic()
        guest.login(600)
        wait_for(guest, "kdumpctl list | grep -q .", 100)
        said = guest.run("kdumpctl list")
        return f"committed; a panic afterwards left a dump: {said.splitlines()[-1].strip()}"


def faults(lab):
    """Each fault leads back to the old kernel of the same guest."""
    with debian_guest(lab, "faults") as guest:
        guest.run("printf '#!/bin/sh\\nexit 7\\n' >/etc/kdump/healthy.d/50-web && chmod 755 /etc/kdump/healthy.d/50-web")
        attempt(guest, "--deadline=150")
        guest.login(600)
        why = returned(guest, True)
        expect("50-web failed (exit status 7)" in why, f"kdumpctl why does not name the check: {why}")
        attempt(guest, "--deadline=300 --append=init=/bin/false")
        returned(guest, True)
        resets = guest.resets
        attempt(guest, "--deadline=300 --append=root=UUID=00000000-0000-0000-0000-000000000000", 600)
        returned(guest, False)
        expect(guest.resets == resets + 1, "not through the firmware")
        return "an unhealthy service and init=/bin/false at once, a wrong root= through the firmware"


POINTS = [
    Point("airbag-panic", "a panic on the boot CPU: the old kernel is back, with all memory, and no device may write to it",
          returns("panic", "panic-0"), quick=True),
    Point("airbag-panic-other", "a panic on another CPU, BIOS", returns("panic-other", "panic-1")),
    Point("airbag-exit", "init ends", returns("exit", "exit")),
    Point("airbag-late", "an emergency shell, or a kernel that never becomes healthy: the deadline", late, quick=True),
    Point("airbag-oops", "an oops in a driver", driver("null")),
    Point("airbag-softlockup", "a driver that spins with interrupts on", driver("softlockup")),
    Point("airbag-hardlockup", "a driver that spins with interrupts off on one of two CPUs", driver("hardlockup")),
    Point("airbag-hung", "the only CPU spins with interrupts off: the watchdog", hung),
    Point("airbag-whole-healthy", "kdumpctl reboot --try, then healthy, on a small guest", whole_healthy),
    Point("airbag-whole-late", "kdumpctl reboot --try, and nobody reports", whole_late),
    Point("airbag-debian-good", "a full Debian: reported healthy by the unit, then a panic leaves a dump", good),
    Point("airbag-debian-faults", "a full Debian: a failed check, init=/bin/false, a wrong root=", faults),
    Point("airbag-broken", "a damaged initramfs: panic=, through the firmware", broken),
]
