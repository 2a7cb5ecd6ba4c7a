/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --stop-deadline: a guard that ends a shutdown which does not end by itself (kdump/reboot/guard.c). */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/run.h"
#include "base/text.h"
#include "kdump/verbs/reboot.h"

#define GUARD_PROGRAM KD_LIBEXECDIR "/reboot-guard"
#define GUARD_UNIT    "kdump-reboot-guard.service"

enum { DEADLINE_MAX = 86400 };

struct kd_error *reboot_deadline_prepare(struct kdumpctl *ctl, const char *value, struct reboot_request *request)
{
	uint64_t seconds;

	if (!kd_parse_u64(value, 10, &seconds) || seconds == 0 || seconds > DEADLINE_MAX)
		return kd_error_create(KD_ERR_USAGE, "--stop-deadline=%s: a number of seconds from 1 to %d is needed",
				       value, DEADLINE_MAX);
	if (!kd_sysroot_exists(&ctl->root, GUARD_PROGRAM))
		return kd_error_create(KD_ERR_NOT_FOUND, "--stop-deadline: %s does not exist: install kdump again",
				       GUARD_PROGRAM);
	return NULL;
}

/* A unit without the default dependencies is not stopped at shutdown; what its process does then is guard.c's. */
struct kd_error *reboot_deadline_start(struct kdumpctl *ctl, const char *value, const struct reboot_request *request)
{
	const char *const words[] = {
		"systemd-run",
		"--quiet",
		"--collect",
		"--unit=" GUARD_UNIT,
		"--property=DefaultDependencies=no",
		"--description=Bounds the shutdown of kdumpctl reboot",
		GUARD_PROGRAM,
		ctl->option[REBOOT_STOP_FIRMWARE] ? "firmware" : "kexec",
		value,
		NULL,
	};
	bool ok = false;
	struct kd_error *err = kd_run_shown(words, true, &ok);

	if (!err && !ok)
		err = kd_error_create(KD_ERR_STATE, "--stop-deadline: %s could not be started", GUARD_UNIT);
	return err;
}

/* It blocks every signal but SIGKILL. */
void reboot_deadline_stop(struct kdumpctl *ctl)
{
	static const char *const words[] = { "systemctl", "kill", "--signal=KILL", GUARD_UNIT, NULL };
	bool ok = false;

	kd_log_error(&ctl->log, kd_run_shown(words, true, &ok));
}
