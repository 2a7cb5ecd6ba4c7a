/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Entries in the system's journal that programs can tell apart (systemd.journal-fields(7)). Without systemd they go to
 *  syslog, without the fields. */
#ifndef KDUMP_ARMING_JOURNAL_H
#define KDUMP_ARMING_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

/* MESSAGE_ID of each kind of entry. kdumpctl(8) documents them, so they never change. */
#define JOURNAL_ARMED     "6f2f6fc3ed9f4272a45342acf95afb05" /* a crash leaves a dump from now on */
#define JOURNAL_NOT_ARMED "22bb05a8902a458c81b84af929c861ff" /* a crash leaves no dump from now on */
#define JOURNAL_STALE     "cc8315fd1f964db3b001760b2cc17e3b" /* armed, but the image is not up to date */
#define JOURNAL_LACKING   "69f66eb1a4ad4f71ab1dc09389c50e50" /* armed, but a target is left out */
#define JOURNAL_CRASH     "c72638734c2946889c8cd8f98c6142e5" /* a new dump was found */
#define JOURNAL_REMOVED   "85372fefd48849e4bff9411b8da728fc" /* retention has removed a dump */
#define JOURNAL_COMMITTED "6d69e4c205fc44d3a3a45e9f981c026d" /* a kernel on trial was reported healthy */
#define JOURNAL_RETURNED  "dd9ff4f8f0ab431891a87393fbdd17a5" /* the machine has returned from a trial */
#define JOURNAL_NOTIFY    "2794e6197e394a438c7af12025158338" /* a program of notify.d has failed */

struct journal_field {
	const char *name;  /* capital letters, digits and '_'; "KDUMP_…" */
	const char *value; /* NULL: left out */
};

/** Send one entry. @priority: syslog's LOG_ERR … If the journal does not listen, the entry is lost, as it
 *  would be with syslog. */
void journal_send(const char *message_id, int priority, const char *message, const struct journal_field *fields,
		  size_t count);

#endif
