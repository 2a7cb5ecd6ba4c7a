/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/transition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/array.h"
#include "base/text.h"
#include "kdump/arming/boots.h"
#include "kdump/arming/journal.h"

static const struct {
	const char *word;
	const char *message_id;
	int priority;
	const char *sentence;
} standings[] = {
	[STANDING_OFF] = { "off", JOURNAL_NOT_ARMED, LOG_NOTICE, "Kernel crashes leave no dump from now on" },
	[STANDING_ARMED] = { "armed", JOURNAL_ARMED, LOG_INFO, "Armed: a kernel crash leaves a dump" },
	[STANDING_STALE] = { "stale", JOURNAL_STALE, LOG_WARNING, "Armed, but not up to date" },
	[STANDING_LACKING] = { "lacking", JOURNAL_LACKING, LOG_WARNING, "Armed, but not for every target" },
	[STANDING_NOT_ARMED] = { "not-armed", JOURNAL_NOT_ARMED, LOG_ERR,
				 "Not armed: a kernel crash would leave no dump" },
};

static char *read_note(const struct kd_sysroot *root)
{
	char *text = NULL;

	kd_error_destroy(kd_record_read(root, TRANSITION_PATH, &text));
	return text;
}

enum standing transition_last(const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = read_note(root);
	size_t length = text ? strcspn(text, " \n") : 0, i;

	for (i = 0; i < ARRAY_SIZE(standings); i++)
		if (text && strlen(standings[i].word) == length && memcmp(text, standings[i].word, length) == 0)
			return i;
	return STANDING_OFF;
}

char *transition_failure(const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	size_t word = strlen(standings[STANDING_NOT_ARMED].word);

	if (transition_last(root) == STANDING_NOT_ARMED)
		text = read_note(root);
	return text && text[word] ? strndup(text + word + 1, strcspn(text + word + 1, "\n")) : NULL;
}

static void tell_journal(enum standing standing, const char *reason)
{
	const struct journal_field fields[] = { { "KDUMP_STATE", standings[standing].word },
						{ "KDUMP_REASON", reason } };
	_cleanup_free_ char *message = NULL;

	if (kd_error_discard(kd_format(&message, "%s: %s", standings[standing].sentence, reason)))
		return;
	journal_send(standings[standing].message_id, standings[standing].priority, message, fields, ARRAY_SIZE(fields));
}

void transition_note(const struct kd_sysroot *root, const struct kd_log *log, enum standing standing,
		     const char *reason)
{
	_cleanup_free_ char *before = read_note(root), *now = NULL;
	struct kd_error *err;

	if (kd_error_discard(kd_format(&now, "%s %s\n", standings[standing].word, reason)))
		return;
	if (before && strcmp(before, now) == 0)
		return;
	err = boots_note_armed(root, standing != STANDING_OFF && standing != STANDING_NOT_ARMED);
	if (err) {
		kd_warn(log, "%s", err->text);
		kd_error_destroy(err);
	}
	err = kd_record_write(root, TRANSITION_PATH, now, strlen(now), 0644);
	if (err) {
		kd_warn(log, "%s", err->text);
		kd_error_destroy(err);
	}
	if (kd_sysroot_is_live(root))
		tell_journal(standing, reason);
}
