/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kd_error nomem = {
	.code = KD_ERR_NOMEM,
	.text = (char *)"out of memory",
};

struct kd_error *kd_error_nomem(void)
{
	return &nomem;
}

/* Takes ownership of @text, which may be NULL after a failed allocation. */
static struct kd_error *error_from_text(enum kd_error_code code, int errnum, char *text)
{
	struct kd_error *err = text ? malloc(sizeof(*err)) : NULL;

	if (!err) {
		free(text);
		return &nomem;
	}
	*err = (struct kd_error){ .code = code, .errnum = errnum, .text = text };
	return err;
}

struct kd_error *kd_error_create(enum kd_error_code code, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return error_from_text(code, 0, text);
}

struct kd_error *kd_error_os(int errnum, const char *fmt, ...)
{
	_cleanup_free_ char *what = NULL;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	if (!what || asprintf(&text, "%s: %s", what, strerror(errnum)) < 0)
		text = NULL;
	return error_from_text(KD_ERR_OS, errnum, text);
}

struct kd_error *kd_error_wrap(struct kd_error *err, const char *fmt, ...)
{
	_cleanup_free_ char *outer = NULL;
	char *text;
	va_list ap;

	if (!err || err == &nomem)
		return err;
	va_start(ap, fmt);
	if (vasprintf(&outer, fmt, ap) < 0)
		outer = NULL;
	va_end(ap);
	/* Without memory for the outer words, @err keeps its text. */
	if (!outer || asprintf(&text, "%s: %s", outer, err->text) < 0)
		return err;
	free(err->text);
	err->text = text;
	return err;
}

void kd_error_destroy(struct kd_error *err)
{
	if (!err || err == &nomem)
		return;
	free(err->text);
	free(err);
}

_Bool kd_error_discard(struct kd_error *err)
{
	_Bool failed = err;

	kd_error_destroy(err);
	return failed;
}
