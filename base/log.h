/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Messages for people, on one stream, with the program's name in front: "kdump: WARNING: …".
 *
 *  Libraries do not print. A function that has to say something that is not an error takes a `struct kd_log *`, which
 *  may be NULL (silence). Programs make one with kd_log_init() and pass it on.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdio.h>

#include "base/error.h"

enum kd_log_level {
	KD_LOG_ERROR, /* something failed */
	KD_LOG_WARN,  /* the program goes on, but somebody should know; prefixed "WARNING: " */
	KD_LOG_INFO,  /* the normal amount */
	KD_LOG_DEBUG, /* -d, -v */
};

struct kd_log {
	FILE *stream;
	const char *name; /* program name in front of each line; NULL for none */
	enum kd_log_level level;
};

/** Log messages up to @level to @stream (borrowed). */
void kd_log_init(struct kd_log *log, FILE *stream, const char *name, enum kd_log_level level);

/** Write one line; the newline is added. Whatever bytes its text holds, it cannot command a terminal or begin another
 *  line (base/visible.h). @log may be NULL. */
void kd_log(const struct kd_log *log, enum kd_log_level level, const char *fmt, ...) PRINTF_FORMAT(3, 4);

#define kd_info(log, ...)  kd_log(log, KD_LOG_INFO, __VA_ARGS__)
#define kd_warn(log, ...)  kd_log(log, KD_LOG_WARN, __VA_ARGS__)
#define kd_debug(log, ...) kd_log(log, KD_LOG_DEBUG, __VA_ARGS__)

/** Print @err as an error line and destroy it; NULL prints nothing. Returns true if there was an error. */
_Bool kd_log_error(const struct kd_log *log, struct kd_error *err);

#endif
