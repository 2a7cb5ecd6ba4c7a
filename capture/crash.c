/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/crash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/klog.h"

#define LEFT_OUT "-- the log is too long: records are left out here --\n"

void crash_panic_message(FILE *log, char *buf, size_t size)
{
	enum kd_klog_weight best = KD_KLOG_PLAIN, weight;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	buf[0] = '\0';
	while (getline(&line, &room, log) >= 0) {
		const char *message;

		line[strcspn(line, "\n")] = '\0';
		message = kd_klog_message(line, NULL);
		weight = kd_klog_weigh(message, NULL);
		if (weight == KD_KLOG_PLAIN || weight < best)
			continue;
		best = weight;
		snprintf(buf, size, "%s", message);
	}
}

/* --- a log that may be of any size -------------------------------------------------------------------------------- */

/* Takes a log and keeps whole lines of it: those that begin in [0, head), and those that begin at @tail or later. */
struct log_ends {
	FILE *out;
	uint64_t at, head, tail;
	bool keep, in_line;
};

static void begin_line(struct log_ends *ends)
{
	bool keep = ends->at < ends->head || ends->at >= ends->tail;

	if (keep && !ends->keep)
		fputs(LEFT_OUT, ends->out);
	ends->keep = keep;
}

static ssize_t put_ends(void *cookie, const char *data, size_t size)
{
	struct log_ends *ends = cookie;

	for (size_t done = 0, piece; done < size; done += piece) {
		const char *newline = memchr(data + done, '\n', size - done);

		piece = newline ? (size_t)(newline + 1 - (data + done)) : size - done;
		if (!ends->in_line)
			begin_line(ends);
		ends->in_line = !newline;
		if (ends->keep && fwrite(data + done, 1, piece, ends->out) != piece)
			return 0;
		ends->at += piece;
	}
	return (ssize_t)size;
}

/* @size_ret: of all of the log. */
static struct kd_error *write_ends(const char *vmcore, FILE *out, uint64_t head, uint64_t tail,
				   const struct kd_log *log, uint64_t *size_ret)
{
	struct log_ends ends = { .out = out, .head = head, .tail = tail, .keep = true };
	_cleanup_fclose_ FILE *all = fopencookie(&ends, "w", (cookie_io_functions_t){ .write = put_ends });
	struct kd_error *err;

	if (!all)
		return kd_error_nomem();
	err = dumpfilter_dmesg(vmcore, all, log);
	*size_ret = ends.at;
	return err;
}

struct kd_error *crash_write_log(const char *vmcore, FILE *out, uint64_t max, const struct kd_log *log)
{
	uint64_t size;
	struct kd_error *err = write_ends(vmcore, out, max, UINT64_MAX, log, &size);

	if (!err && size > max) {
		kd_warn(log, "the crashed kernel's log has %" PRIu64 " bytes; records are left out in its middle",
			size);
		rewind(out);
		if (ftruncate(fileno(out), 0) < 0)
			return kd_error_os(errno, "cannot empty the log");
		err = write_ends(vmcore, out, max / 4, size - max / 4 * 3, NULL, &size);
	}
	if (!err && fflush(out) != 0)
		err = kd_error_os(errno, "cannot write the log");
	return err;
}

struct kd_error *crash_save_log(const struct kd_log *log)
{
	_cleanup_fclose_ FILE *out = fopen(CRASH_LOG, "we");

	if (!out)
		return kd_error_os(errno, "cannot create " CRASH_LOG);
	return kd_error_wrap(crash_write_log(CRASH_VMCORE, out, CRASH_LOG_MAX, log),
			     "cannot save the log of the crashed kernel");
}

/* What there is of the log, even if reading it has failed. */
static struct kd_error *look_at_log(struct crash_facts *ret)
{
	_cleanup_fclose_ FILE *in = fopen(CRASH_LOG, "re");
	struct stat st;

	if (!in || fstat(fileno(in), &st) < 0)
		return kd_error_os(errno, "cannot open " CRASH_LOG);
	ret->log_size = (uint64_t)st.st_size;
	crash_panic_message(in, ret->panic, sizeof(ret->panic));
	return NULL;
}

struct kd_error *crash_examine(const struct kd_log *log, struct crash_facts *ret)
{
	_cleanup_(kd_error_destroy) struct kd_error *identity_err = NULL, *log_err = NULL;
	struct kd_error *err;

	identity_err = dumpfilter_identify(CRASH_VMCORE, &ret->identity);
	log_err = crash_save_log(log);
	err = look_at_log(ret);
	if (!log_err)
		return err ? err : take_ptr(identity_err);
	kd_error_destroy(err);
	return take_ptr(log_err);
}
