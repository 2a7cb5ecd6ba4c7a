/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/action.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "capture/child.h"
#include "capture/clock.h"
#include "capture/watchdog.h"

#define SHELL "/bin/sh"

enum { SYNC_SECONDS = 60 };

_Noreturn void action_reset(void)
{
	int fd;

	reboot(RB_AUTOBOOT);
	/* Refused (by a security module?): the other way to say it. */
	fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "b", 1);
	for (;;)
		pause();
}

static struct kd_error *sync_disks(void *arg)
{
	sync();
	return NULL;
}

static struct kd_error *run_shell(void *arg)
{
	static char *const argv[] = { (char *)SHELL, NULL };

	ioctl(STDIN_FILENO, TIOCSCTTY, 1);
	return child_exec(argv);
}

_Noreturn void action_perform(enum kd_action action, enum kd_action after, int watchdog, const struct kd_log *log)
{
	struct child_job syncing = { .name = "sync", .run = sync_disks };
	/* The one wait without a bound: for the person whom failure_action shell has called to the console. */
	struct child_job shell = { .name = SHELL, .run = run_shell, .deadline = INT64_MAX };

	if (action == KD_ACTION_SHELL) {
		watchdog_stop(watchdog);
		kd_info(log, "a shell; leave it to %s", kd_action_name(after));
		kd_log_error(log, child_run(&shell, NULL));
		action = after;
	}
	syncing.deadline = clock_deadline(SYNC_SECONDS, INT64_MAX);
	kd_log_error(log, child_run(&syncing, NULL));
	kd_info(log, "%s", kd_action_name(action));
	if (action == KD_ACTION_HALT || action == KD_ACTION_POWEROFF) {
		watchdog_stop(watchdog);
		reboot(action == KD_ACTION_HALT ? RB_HALT_SYSTEM : RB_POWER_OFF);
	}
	action_reset();
}
