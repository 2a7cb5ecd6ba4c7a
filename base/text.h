/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Allocated strings. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

#include "base/error.h"

/** asprintf(3) that returns an error. *ret is owned by the caller, and untouched on failure: KD_ERR_NOMEM. */
struct kd_error *kd_format(char **ret, const char *fmt, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;
/** The same with the arguments in @ap. */
struct kd_error *kd_vformat(char **ret, const char *fmt, va_list ap) PRINTF_FORMAT(2, 0) MUST_CHECK;

/** Replace the string that @field owns by a copy of @value (NULL: by NULL). @value may be that string or a part of it.
 *  @field is untouched on failure: KD_ERR_NOMEM. */
struct kd_error *kd_set_text(char **field, const char *value) MUST_CHECK;

/** Write @size bytes as lower-case hexadecimal digits and a NUL: @ret has room for 2 * @size + 1 characters. */
void kd_hex(const void *data, size_t size, char *ret);

#endif
