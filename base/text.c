/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kd_error *kd_vformat(char **ret, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return kd_error_nomem();
	*ret = text;
	return NULL;
}

struct kd_error *kd_format(char **ret, const char *fmt, ...)
{
	struct kd_error *err;
	va_list ap;

	va_start(ap, fmt);
	err = kd_vformat(ret, fmt, ap);
	va_end(ap);
	return err;
}

struct kd_error *kd_set_text(char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return kd_error_nomem();
	free(*field);
	*field = copy;
	return NULL;
}

void kd_hex(const void *data, size_t size, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *byte = data;

	for (size_t i = 0; i < size; i++) {
		*ret++ = digits[byte[i] >> 4];
		*ret++ = digits[byte[i] & 15];
	}
	*ret = '\0';
}
