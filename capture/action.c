/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/action.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <mntent.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/machine.h"
#include "capture/programs.h"

#define SHELL "/bin/sh"

enum { SYNC_SECONDS = 60, REBOOT_SECONDS = 30, EMERGENCY_SECONDS = 10 };

struct ending {
	struct action_way way;
	const struct watchdog *watchdog;
	const struct kd_log *log;
};

_Noreturn void action_reset(void)
{
	machine_emergency('b');
	/* This kernel has no sysrq. When process 1 ends, the kernel panics, and panic= resets the machine. */
	_exit(1);
}

static struct kd_error *sync_disks(void *arg)
{
	sync();
	return NULL;
}

/* What hooks have mounted, or what could not be unmounted. A target that was left is not among them. */
static struct kd_error *sync_mounted(void *arg)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;

	if (!mounts)
		return kd_error_os(errno, "cannot read /proc/self/mounts");
	while ((entry = getmntent(mounts))) {
		_cleanup_close_ int fd = open(entry->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			syncfs(fd);
	}
	endmntent(mounts);
	return NULL;
}

static struct kd_error *call_reboot(void *arg)
{
	const struct ending *ending = arg;

	reboot(ending->way.command);
	return kd_error_os(errno, "the kernel refuses reboot(2)");
}

static struct kd_error *run_shell(void *arg)
{
	static char *const argv[] = { (char *)SHELL, NULL };

	ioctl(STDIN_FILENO, TIOCSCTTY, 1);
	/* The shell itself may have been expanded. */
	kd_error_destroy(programs_expand("", NULL));
	return child_exec(argv);
}

struct action_way action_way(enum kd_action action)
{
	switch (action) {
	case KD_ACTION_HALT:
		return (struct action_way){ RB_HALT_SYSTEM, '\0' };
	case KD_ACTION_POWEROFF:
		return (struct action_way){ RB_POWER_OFF, 'o' };
	case KD_ACTION_KEXEC:
	case KD_ACTION_PREVIOUS:
		/* If devices do not let go, the firmware is the way back. */
		return (struct action_way){ (int)LINUX_REBOOT_CMD_KEXEC, 'b' };
	default:
		return (struct action_way){ RB_AUTOBOOT, 'b' };
	}
}

static bool show_life(void *arg, pid_t pid)
{
	const struct ending *ending = arg;

	watchdog_alive(ending->watchdog);
	return true;
}

static void run(struct ending *ending, const char *name, struct kd_error *(*function)(void *arg), unsigned int seconds)
{
	struct child_job job = { .name = name,
				 .run = function,
				 .tick = show_life,
				 .arg = ending,
				 .deadline = clock_deadline(seconds, INT64_MAX) };

	kd_log_error(ending->log, child_run(&job, NULL));
}

/* reboot(2) has failed or hangs. */
static _Noreturn void finish_by_force(const struct ending *ending)
{
	const struct timespec while_it_works = { .tv_sec = EMERGENCY_SECONDS };

	if (!ending->way.key) {
		kd_warn(ending->log,
			"the kernel did not halt in time; the machine stands still until somebody resets it");
		for (;;)
			pause();
	}
	kd_warn(ending->log, "the kernel did not go down in time; forcing it by sysrq");
	machine_emergency(ending->way.key);
	/* The kernel powers off in the background, and takes the devices' locks for it as reboot(2) does. */
	nanosleep(&while_it_works, NULL);
	action_reset();
}

_Noreturn void action_perform(enum kd_action action, enum kd_action after, bool stuck, const struct watchdog *watchdog,
			      const struct kd_log *log)
{
	struct ending ending = { .watchdog = watchdog, .log = log };
	/* This wait alone has no deadline: failure_action shell has called a person to the console. */
	struct child_job shell = { .name = SHELL, .run = run_shell, .deadline = INT64_MAX };

	if (action == KD_ACTION_SHELL) {
		watchdog_set(watchdog, WATCHDOG_ATTEND);
		kd_info(log, "starting " SHELL " on the console; exit it to %s", kd_action_name(after));
		kd_log_error(log, child_run(&shell, NULL));
		watchdog_alive(watchdog);
		watchdog_set(watchdog, WATCHDOG_WATCH);
		action = after;
	}
	ending.way = action_way(action);
	run(&ending, "sync", stuck ? sync_mounted : sync_disks, SYNC_SECONDS);
	kd_info(log, "%s", kd_action_name(action));
	if (ending.way.command == (int)RB_HALT_SYSTEM || ending.way.command == RB_POWER_OFF)
		watchdog_set(watchdog, WATCHDOG_OFF);
	run(&ending, kd_action_name(action), call_reboot, REBOOT_SECONDS);
	finish_by_force(&ending);
}
