/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>

#include "base/cleanup.h"
#include "base/visible.h"

void kd_log_init(struct kd_log *log, FILE *stream, const char *name, enum kd_log_level level)
{
	*log = (struct kd_log){ .stream = stream, .name = name, .level = level };
}

void kd_log(const struct kd_log *log, enum kd_log_level level, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *line, *out;
	va_list ap;

	if (!log || level > log->level)
		return;
	/* A line is written at once: /dev/kmsg makes a record of each write(2), and standard error keeps nothing back.
	 * Without memory it comes in pieces. */
	line = open_memstream(&text, &size);
	out = line ? line : log->stream;
	if (log->name)
		fprintf(out, "%s: ", log->name);
	if (level == KD_LOG_WARN)
		fputs("WARNING: ", out);
	va_start(ap, fmt);
	kd_visible_print(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
	if (line && fclose(line) == 0)
		fwrite(text, 1, size, log->stream);
	fflush(log->stream);
}

_Bool kd_log_error(const struct kd_log *log, struct kd_error *err)
{
	if (!err)
		return 0;
	kd_log(log, KD_LOG_ERROR, "%s", err->text);
	kd_error_destroy(err);
	return 1;
}
