/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flight record: what is noted comes back, also out of a kernel's log; what is hostile stays within bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/flight.h"
#include "tests/unit/testing.h"

static char *written(const struct kd_flight *flight)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	kd_flight_write(out, flight);
	fclose(out);
	return text;
}

static void assert_text(const struct kd_flight *flight, enum kd_flight_kind kind, const char *text)
{
	const struct kd_flight_event *event = kd_flight_last(flight, kind);

	assert_non_null(event);
	assert_string_equal(kd_flight_text(flight, event), text);
}

static void test_what_is_noted_comes_back(void **state)
{
	struct kd_flight flight = { .id = "5f3a9c21" }, read;
	_cleanup_free_ char *text = NULL;

	kd_flight_add(&flight, 1000, KD_FLIGHT_START, "%d %d", 1, 2);
	kd_flight_add(&flight, 1010, KD_FLIGHT_BEGIN, "connect");
	kd_flight_add(&flight, 1020, KD_FLIGHT_ERROR, "two\nlines\x1b[31m");
	kd_flight_add(&flight, 1030, KD_FLIGHT_FAILED, "connect");
	text = written(&flight);
	assert_string_equal(text, "kdump-flight: 5f3a9c21 0 1000 start 1 2\n"
				  "kdump-flight: 5f3a9c21 1 1010 begin connect\n"
				  "kdump-flight: 5f3a9c21 2 1020 error two lines [31m\n"
				  "kdump-flight: 5f3a9c21 3 1030 failed connect\n");
	assert_int_equal(kd_flight_parse(text, &read), 4);
	assert_string_equal(read.id, "5f3a9c21");
	assert_text(&read, KD_FLIGHT_ERROR, "two lines [31m");
	assert_ptr_equal(kd_flight_end_of(&read, 1), &read.event[3]);
	assert_null(kd_flight_last(&read, KD_FLIGHT_RESULT));
}

/* pstore gives the parts of a log back, with levels and times, with other messages between, and a line may be there
 * twice: as it happened, and repeated at the end. */
static void test_a_kernels_log(void **state)
{
	static const char log[] = "cut-flight: 00c0ffee 0 1 start 9 9\n"
				  "<6>[    2.000001] kdump-flight: 00c0ffee 2 2001 end setup\n"
				  "<6>[    2.100000] usb 1-1: new device\n"
				  "[    2.2][    T1] kdump-flight: 00c0ffee 1 2000 begin setup\n"
				  "<6>[    2.000001] kdump-flight: 00c0ffee 2 2001 end setup\n"
				  "<4>[    3.0] kdump-flight: 00c0ffee 3 3000 result nothing";
	struct kd_flight flight;

	assert_int_equal(kd_flight_parse(log, &flight), 3);
	assert_int_equal(flight.event[0].number, 1);
	assert_int_equal(flight.event[0].kind, KD_FLIGHT_BEGIN);
	assert_ptr_equal(kd_flight_end_of(&flight, 0), &flight.event[1]);
	assert_text(&flight, KD_FLIGHT_RESULT, "nothing");
}

/* Whoever could write to the crashed kernel's log cannot speak for the capture, whose lines quote that log. */
static void test_lines_that_do_not_count(void **state)
{
	static const char *const lines[] = {
		"<5>[    2.0] kdump: | [    1.0] kdump-flight: 00c0ffee 0 1 result complete\n",
		"<6>[    2.0] user: kdump-flight: 00c0ffee 0 1 result complete\n",
		"<6>[    2.0] kdump-flight: 00C0FFEE 0 1 result complete\n",
		"<6>[    2.0] kdump-flight: 00c0ffe 0 1 result complete\n",
		"<6>[    2.0] kdump-flight: 00c0ffee -1 1 result complete\n",
		"<6>[    2.0] kdump-flight: 00c0ffee 4294967296 1 result complete\n",
		"<6>[    2.0] kdump-flight: 00c0ffee 0 99999999999999999999 result complete\n",
		"<6>[    2.0] kdump-flight: 00c0ffee 0 1 triumph complete\n",
		"<6>[    2.0] kdump-flight: 00c0ffee 0\n",
		"<6>[    2.0] kdump-flight:\n",
	};
	struct kd_flight flight;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (kd_flight_parse(lines[i], &flight))
			fail_msg("this counts: %s", lines[i]);
	/* The first line says whose record it is. */
	assert_int_equal(kd_flight_parse("kdump-flight: 00c0ffee 0 1 result nothing\n"
					 "kdump-flight: badc0de5 1 2 result complete\n",
					 &flight),
			 1);
	assert_text(&flight, KD_FLIGHT_RESULT, "nothing");
}

static void test_bounds(void **state)
{
	struct kd_flight flight = { .id = "00000000" };
	_cleanup_free_ char *text = NULL;
	char longest[4096];
	struct kd_flight read;
	size_t i;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (i = 0; i < KD_FLIGHT_ERRORS; i++)
		assert_non_null(kd_flight_add(&flight, 1, KD_FLIGHT_ERROR, "%s", longest));
	/* Errors leave room for what happens later. */
	assert_null(kd_flight_add(&flight, 1, KD_FLIGHT_ERROR, "one more"));
	assert_non_null(kd_flight_add(&flight, 2, KD_FLIGHT_RESULT, "nothing"));
	for (i = 0; i < 2 * KD_FLIGHT_EVENTS; i++)
		kd_flight_add(&flight, 3, KD_FLIGHT_BEGIN, "step");
	assert_int_equal(flight.count, KD_FLIGHT_EVENTS);
	assert_in_range(flight.used, 1, KD_FLIGHT_POOL);
	text = written(&flight);
	assert_int_equal(kd_flight_parse(text, &read), KD_FLIGHT_EVENTS);
	assert_text(&read, KD_FLIGHT_RESULT, "nothing");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_noted_comes_back),
		cmocka_unit_test(test_a_kernels_log),
		cmocka_unit_test(test_lines_that_do_not_count),
		cmocka_unit_test(test_bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
