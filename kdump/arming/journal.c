/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "kdump/arming/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-journal.h>
#endif

#include "base/cleanup.h"

#ifdef HAVE_SYSTEMD

#define FIELDS_MAX 16

static bool add(struct iovec *vector, int *count, const char *name, const char *value)
{
	char *text;

	if (*count == FIELDS_MAX || asprintf(&text, "%s=%s", name, value) < 0)
		return false;
	vector[*count].iov_base = text;
	vector[(*count)++].iov_len = strlen(text);
	return true;
}

static bool send_entry(const char *message_id, int priority, const char *message, const struct journal_field *fields,
		       size_t count)
{
	struct iovec vector[FIELDS_MAX];
	char level[2] = { '0' + priority, '\0' };
	int used = 0, i;
	bool sent = add(vector, &used, "MESSAGE_ID", message_id) && add(vector, &used, "PRIORITY", level) &&
		    add(vector, &used, "SYSLOG_IDENTIFIER", "kdumpctl") && add(vector, &used, "MESSAGE", message);
	size_t k;

	for (k = 0; sent && k < count; k++)
		if (fields[k].value)
			sent = add(vector, &used, fields[k].name, fields[k].value);
	sent = sent && sd_journal_sendv(vector, used) == 0;
	for (i = 0; i < used; i++)
		free(vector[i].iov_base);
	return sent;
}

#else

static bool send_entry(const char *message_id, int priority, const char *message, const struct journal_field *fields,
		       size_t count)
{
	return false;
}

#endif

void journal_send(const char *message_id, int priority, const char *message, const struct journal_field *fields,
		  size_t count)
{
	if (send_entry(message_id, priority, message, fields, count))
		return;
	openlog("kdumpctl", LOG_PID, LOG_DAEMON);
	syslog(priority, "%s", message);
	closelog();
}
