/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "base/array.h"
#include "base/handover.h"
#include "base/text.h"
#include "tests/unit/testing.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* A record with everything. The path has a blank, which is no end of it. */
static const char whole[] = "kdump-handover 1\n"
			    "crash 1764000000\n"
			    "crash 1764000060\n"
			    "kernel 6.1.0-56-amd64\n"
			    "previous\n"
			    "boot-cpu 2\n"
			    "entry 0x14002000\n"
			    "segment kernel boot 15872 8000001 0x10000000 8003584 " DIGEST " /boot/vm linuz\n"
			    "segment boot-info image 0 5000 0x14000000 8192 " DIGEST " /etc/kdump.handover/boot-info\n"
			    "segment purgatory image 0 4096 0x14002000 4096 " DIGEST " /etc/kdump.handover/purgatory\n"
			    "seed boot-info 4900\n"
			    "pci 0000:00:01.0\n"
			    "hides 0000:00:0e.0\n"
			    "end\n";

static void test_round_trip(void **state)
{
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
	_cleanup_free_ char *text = NULL;

	assert_no_error(kd_handover_parse(whole, "record", &handover));
	assert_int_equal(handover.crashes, 2);
	assert_int_equal(handover.boot_cpu, 2);
	assert_true(handover.previous);
	assert_int_equal(handover.segments, 3);
	assert_string_equal(handover.segment[0].file, "/boot/vm linuz");
	assert_false(handover.segment[0].in_image);
	assert_int_equal(handover.segment[0].digest[1], 0x11);
	assert_int_equal(handover.seeded, 1);
	assert_int_equal(handover.functions, 2);
	assert_true(handover.function[1].hides);
	assert_no_error(kd_handover_format(&handover, &text));
	assert_string_equal(text, whole);
}

static void test_without_a_kernel(void **state)
{
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };

	assert_no_error(kd_handover_parse("kdump-handover 1\ncrash 5\nrefused lockdown (integrity)\nend\n", "record",
					  &handover));
	assert_string_equal(handover.refused, "lockdown (integrity)");
	assert_null(handover.release);
}

/* @whole with @from replaced by @to. */
static char *changed(const char *from, const char *to)
{
	const char *found = strstr(whole, from);
	char *text = NULL;

	assert_non_null(found);
	assert_no_error(kd_format(&text, "%.*s%s%s", (int)(found - whole), whole, to, found + strlen(from)));
	return text;
}

static void test_bad_records(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "kdump-handover 1", "kdump-handover 2" },
		{ "end\n", "" },
		{ "crash 1764000000", "crash soon" },
		{ "kernel 6.1", "kernel x\nkernel 6.1" },
		{ "boot-cpu 2", "boot-cpu -2" },
		{ "boot-cpu 2\n", "" },
		{ "pci ", "isa " },
		{ "pci 0000:00:01.0", "pci ../../etc" },
		{ "pci 0000:00:01.0", "pci 0123456789012345678901234" },
		/* the first instruction is in no segment */
		{ "entry 0x14002000", "entry 0x14003000" },
		{ "entry 0x14002000\n", "" },
		/* segments: not whole pages, smaller than its bytes, over another one, too far away, empty */
		{ "0x10000000", "0x10000800" },
		{ "8003584", "8003585" },
		{ "8003584", "4096" },
		{ "0x10000000", "0x13fff000" },
		{ "0x10000000", "0xfffffffffffff000" },
		{ "15872", "18446744073709551615" },
		{ "8000001", "0" },
		{ "segment kernel boot", "segment kernel disk" },
		{ "segment kernel boot", "segment kernel-with-a-long-name boot" },
		{ " /boot/vm", " boot/vm" },
		{ DIGEST " /boot", "0011 /boot" },
		{ "eeff /boot", "eefg /boot" },
		/* the seed: outside, in no segment, in a file of the disk */
		{ "seed boot-info 4900", "seed boot-info 4969" },
		{ "seed boot-info 4900", "seed boot-info 18446744073709551615" },
		{ "seed boot-info 4900", "seed elsewhere 4900" },
		{ "seed boot-info 4900", "seed kernel 4900" },
		{ "seed boot-info 4900", "seed boot-info" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
		_cleanup_free_ char *text = changed(cases[i].from, cases[i].to);

		assert_code(kd_handover_parse(text, "record", &handover), KD_ERR_FORMAT);
	}
}

static void test_a_line_break_in_a_path(void **state)
{
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
	_cleanup_free_ char *text = NULL;

	assert_no_error(kd_handover_parse(whole, "record", &handover));
	assert_no_error(kd_set_text(&handover.segment[0].file, "/boot/a\nend"));
	assert_code(kd_handover_format(&handover, &text), KD_ERR_FORMAT);
}

static void test_recent(void **state)
{
	struct kd_handover handover = { .crash = { 1000, 2000, 2500, 9000 }, .crashes = 4 };

	assert_int_equal(kd_handover_recent(&handover, 3000, 1000), 2);
	assert_int_equal(kd_handover_recent(&handover, 3000, 5000), 3); /* that at 9000 is in the future */
	assert_int_equal(kd_handover_recent(&handover, 500, 5000), 0);
	assert_int_equal(kd_handover_recent(&handover, 2000, 0), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_without_a_kernel),
		cmocka_unit_test(test_bad_records), cmocka_unit_test(test_a_line_break_in_a_path),
		cmocka_unit_test(test_recent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
