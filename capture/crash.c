/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/crash.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/klog.h"

#define LOG_MAX KD_MIB(64)

void crash_panic_message(char *log, char *buf, size_t size)
{
	enum kd_klog_weight best = KD_KLOG_PLAIN, weight;
	char *line;

	buf[0] = '\0';
	while ((line = strsep(&log, "\n"))) {
		const char *message = kd_klog_message(line, NULL);

		weight = kd_klog_weigh(message, NULL);
		if (weight == KD_KLOG_PLAIN || weight < best)
			continue;
		best = weight;
		snprintf(buf, size, "%s", message);
	}
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
		return kd_error_wrap(err, "cannot save the log of the crashed kernel");
	err = kd_read_file(CRASH_LOG, LOG_MAX, &text, &size);
	if (err)
		return err;
	ret->log_size = size;
	crash_panic_message(text, ret->panic, sizeof(ret->panic));
	return take_ptr(identity_err);
}
