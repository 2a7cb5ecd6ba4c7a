/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl healthy": the operator's checks of a kernel on trial, and the end of the trial. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/array.h"
#include "base/text.h"
#include "kdump/airbag/ask.h"
#include "kdump/airbag/checks.h"
#include "kdump/airbag/guard.h"
#include "kdump/airbag/trial.h"
#include "kdump/arming/journal.h"
#include "kdump/loader/loader.h"
#include "kdump/verbs/arm.h"
#include "kdump/verbs/trial.h"
#include "kdump/verbs/verbs.h"

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void send(const char *message_id, int priority, const char *message, const struct trial *trial)
{
	const struct journal_field fields[] = {
		{ "KDUMP_TRIAL", trial->id },   { "KDUMP_KERNEL", trial->to },     { "KDUMP_OLD_KERNEL", trial->from },
		{ "KDUMP_RETURN", trial->how }, { "KDUMP_REASON", trial->failed },
	};

	journal_send(message_id, priority, message, fields, ARRAY_SIZE(fields));
}

void trial_collect(const struct kdumpctl *ctl)
{
	_cleanup_(trial_free) struct trial trial = { 0 };
	_cleanup_free_ char *message = NULL;
	bool returned = false;
	struct kd_error *err = trial_settle(&ctl->root, &trial, &returned);

	if (!err && returned)
		err = trial_describe(&trial, &message);
	if (message) {
		kd_warn(&ctl->log, "%s", message);
		if (kd_sysroot_is_live(&ctl->root))
			send(JOURNAL_RETURNED, LOG_ERR, message, &trial);
	}
	kd_log_error(&ctl->log, kd_error_wrap(err, "cannot tell what became of the last trial of a kernel"));
}

/* --- the trial ---------------------------------------------------------------------------------------------------- */

/* The record of the trial that this boot is; *found is false if this boot is none, or its record is lost. */
static struct kd_error *find_trial(const struct kdumpctl *ctl, const char *id, struct trial *ret, bool *found)
{
	struct kd_error *err = trial_read(&ctl->root, ret, found);

	if (err || !*found || strcmp(ret->id, id) == 0)
		return err;
	trial_free(ret);
	*found = false;
	return NULL;
}

/* The old kernel reads why this one was not healthy. */
static struct kd_error *note_failure(const struct kdumpctl *ctl, struct trial *trial, struct kd_error *err)
{
	struct kd_error *err2 = kd_set_text(&trial->failed, err->text);

	if (!err2 && *trial->id)
		err2 = trial_write(&ctl->root, trial);
	kd_log_error(&ctl->log, kd_error_wrap(err2, "the old kernel will not be able to tell what failed"));
	return kd_error_wrap(err, "this kernel is not healthy");
}

/* Nothing of the airbag is left behind: a panic starts the capture kernel, or, where nobody wants that, resets. */
static void replace_airbag(struct kdumpctl *ctl)
{
	bool wanted = guard_take(&ctl->root);
	struct kd_error *err = wanted ? arm_refresh(ctl) : loader_unload(LOADER_PANIC);

	if (err && wanted && !kd_error_discard(loader_unload(LOADER_PANIC)))
		err = kd_error_wrap(err, "a panic leaves no dump, and resets the machine");
	kd_log_error(&ctl->log, err);
}

static struct kd_error *commit(struct kdumpctl *ctl, bool pending, struct trial *trial)
{
	_cleanup_free_ char *message = NULL;
	struct kd_error *err = pending ? airbag_commit() : NULL;

	if (err)
		return err;
	replace_airbag(ctl);
	trial_restore_settings(&ctl->root, trial, &ctl->log);
	if (!*trial->id)
		return NULL;
	trial->state = TRIAL_COMMITTED;
	err = kd_set_text(&trial->failed, NULL);
	if (!err)
		err = trial_write(&ctl->root, trial);
	if (!err)
		err = kd_format(&message, "Kernel %s is healthy: its trial has ended, and kernel %s will not return",
				trial->to, trial->from);
	if (err)
		return err;
	kd_info(&ctl->log, "%s", message);
	send(JOURNAL_COMMITTED, LOG_NOTICE, message, trial);
	return NULL;
}

struct kd_error *trial_report_healthy(struct kdumpctl *ctl, int *status)
{
	_cleanup_(trial_free) struct trial trial = { 0 };
	struct airbag_status airbag = { 0 };
	char id[TRIAL_ID_SIZE];
	bool found = false;
	struct kd_error *err = trial_word(&ctl->root, LOADER_TRIAL, id);

	if (!err)
		err = airbag_status(&airbag);
	if (!err && *id)
		err = find_trial(ctl, id, &trial, &found);
	if (err)
		return err;
	if (!*id || (!airbag.pending && found && trial.state == TRIAL_COMMITTED)) {
		kd_info(&ctl->log, "%s",
			*id ? "this kernel was reported healthy before" : "this kernel is not on trial");
		return NULL;
	}
	if (!airbag.pending)
		kd_warn(&ctl->log,
			"no process watches the deadline of this trial: it was killed, or could not be started");
	err = checks_run(CHECKS_DIRECTORY, CHECK_SECONDS, &ctl->log);
	return err ? note_failure(ctl, &trial, err) : commit(ctl, airbag.pending, &trial);
}
