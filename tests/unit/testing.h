/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cmocka, and assertions about struct kd_error. */
#ifndef TESTS_UNIT_TESTING_H
#define TESTS_UNIT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* End a test here. cmocka's own skip() prints "not ok", which is a failure to automake. */
#define end_test(reason)                                                                                               \
	do {                                                                                                           \
		printf("# %s: skipped, %s\n", __func__, reason);                                                       \
		return;                                                                                                \
	} while (0)

#define assert_no_error(expr)                                                                                          \
	do {                                                                                                           \
		struct kd_error *_err = (expr);                                                                        \
		if (_err)                                                                                              \
			fail_msg("%s", _err->text);                                                                    \
	} while (0)

/** @expr is an error of this kind. */
#define assert_code(expr, expected)                                                                                    \
	do {                                                                                                           \
		struct kd_error *_err = (expr);                                                                        \
		assert_non_null(_err);                                                                                 \
		assert_int_equal(_err->code, expected);                                                                \
		kd_error_destroy(_err);                                                                                \
	} while (0)

/** @err is an error of this kind whose text contains @part; it is destroyed. */
static inline void assert_error(struct kd_error *err, enum kd_error_code code, const char *part)
{
	assert_non_null(err);
	if (err->code != code || !strstr(err->text, part))
		fail_msg("code %d \"%s\", expected code %d with \"%s\"", err->code, err->text, code, part);
	kd_error_destroy(err);
}

#endif
