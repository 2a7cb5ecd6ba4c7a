/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/crash.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/io.h"

#define LOG_MAX (64u << 20)

/* In order of how much they tell; within one, the last counts, since older ones were survived. */
static const char *const reasons[][6] = {
	{ "Kernel panic - not syncing: ", NULL },
	{ "BUG: ", "kernel BUG at ", "Unable to handle kernel ", "general protection fault", "Internal error: ", NULL },
	{ "Oops: ", NULL },
};

/* The text of a log line, behind "[   12.345678] " and "[    T1] ", both optional. */
static const char *skip_stamps(const char *line, const char *end)
{
	while (line < end && *line == '[') {
		const char *close = memchr(line, ']', end - line);

		if (!close || close - line > 24)
			break;
		for (line = close + 1; line < end && *line == ' ';)
			line++;
	}
	return line;
}

static bool starts_with_any(const char *text, size_t length, const char *const *prefixes)
{
	for (; *prefixes; prefixes++) {
		size_t prefix = strlen(*prefixes);

		if (length >= prefix && memcmp(text, *prefixes, prefix) == 0)
			return true;
	}
	return false;
}

void crash_panic_message(const char *log, size_t size, char *buf, size_t buf_size)
{
	const size_t ranks = ARRAY_SIZE(reasons);
	const char *end = log + size, *line, *next;
	size_t best = ranks, rank, length;

	buf[0] = '\0';
	for (line = log; line < end; line = next) {
		const char *newline = memchr(line, '\n', end - line), *stop = newline ? newline : end;

		next = newline ? newline + 1 : end;
		line = skip_stamps(line, stop);
		length = stop - line;
		for (rank = 0; rank < ranks && rank <= best; rank++) {
			if (!starts_with_any(line, length, reasons[rank]))
				continue;
			best = rank;
			if (length > buf_size - 1)
				length = buf_size - 1;
			memcpy(buf, line, length);
			buf[length] = '\0';
			break;
		}
	}
}

const char *crash_log_tail(const char *log, size_t size, unsigned int lines)
{
	const char *p = log + size;

	if (p > log && p[-1] == '\n')
		p--;
	for (; p > log; p--) {
		if (p[-1] == '\n' && --lines == 0)
			break;
	}
	return p;
}

static struct kd_error *save_log(const struct kd_log *log)
{
	_cleanup_fclose_ FILE *out = fopen(CRASH_LOG, "we");
	struct kd_error *err;

	if (!out)
		return kd_error_os(errno, "cannot create " CRASH_LOG);
	err = dumpfilter_dmesg(CRASH_VMCORE, out, log);
	if (!err && fflush(out) != 0)
		err = kd_error_os(errno, "cannot write " CRASH_LOG);
	return err;
}

struct kd_error *crash_examine(const struct kd_log *log, struct crash_facts *ret)
{
	_cleanup_(kd_error_destroy) struct kd_error *identity_err = NULL;
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	size_t size;

	identity_err = dumpfilter_identify(CRASH_VMCORE, &ret->identity);
	err = save_log(log);
	if (err)
		return kd_error_wrap(err, "no log of the crashed kernel");
	err = kd_read_file(CRASH_LOG, LOG_MAX, &text, &size);
	if (err)
		return err;
	ret->log_size = size;
	crash_panic_message(text, size, ret->panic, sizeof(ret->panic));
	return take_ptr(identity_err);
}
