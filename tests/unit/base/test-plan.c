/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: written and read. */
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/plan.h"
#include "tests/unit/testing.h"

static void test_plan_round_trip(void **state)
{
	static char *const collector[] = { (char *)"/usr/bin/a copy", (char *)"--config=/etc/erase", NULL };
	static char *const hook[] = { (char *)"/etc/kdump/pre.d/a script", (char *)"", (char *)"100%", NULL };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, copy = { 0 };
	_cleanup_free_ char *text = NULL, *again = NULL;

	assert_no_error(kd_plan_init(&plan));
	plan.created = 1795409463;
	plan.utc_offset = -3600;
	plan.failure_action = KD_ACTION_SHELL;
	assert_no_error(kd_plan_add_module(&plan, "/lib/modules/virtio_pci.ko.gz", ""));
	assert_no_error(kd_plan_add_module(&plan, "/lib/modules/libata.ko.gz", "force=1.0:noncq debug=\"x\""));
	assert_no_error(kd_plan_add_target(&plan, "ext4", "UUID=1234", "subvol=/a b", "/var/crash", 60));
	assert_no_error(kd_plan_add_target(&plan, "nfs", "[fd00::9]:/x", "", "/", 60));
	assert_no_error(kd_plan_set_server(&plan, "fd00::9", false));
	assert_no_error(kd_plan_add_target(&plan, "nfs", "10.0.0.9:/x", "", "/", 60));
	assert_no_error(kd_plan_set_server(&plan, "10.0.0.9", true));
	assert_no_error(kd_plan_add_fence(&plan, "fd00::8", 7410, 10, 3));
	assert_no_error(kd_plan_add_hook(&plan, "pre.d", hook));
	assert_no_error(kd_plan_add_recipient(&plan, "age1one"));
	assert_no_error(kd_plan_add_recipient(&plan, "age1two"));
	plan.encryption.public = KD_PUBLIC_HOST | KD_PUBLIC_REASON;
	assert_no_error(kd_plan_format(&plan, &text));
	assert_non_null(strstr(text, "\ncollector built-in % dumpfilter\n"));
	free(take_ptr(text));
	assert_no_error(kd_plan_set_collector(&plan, KD_COLLECTOR_PROGRAM, "/etc/erase", collector));
	assert_no_error(kd_plan_format(&plan, &text));
	assert_non_null(strstr(text, "\ncollector program /etc/erase /usr/bin/a%20copy --config=/etc/erase\n"));
	assert_non_null(strstr(text, "\nmodule /lib/modules/libata.ko.gz force=1.0:noncq%20debug=%22x%22\n"));
	assert_non_null(strstr(text, "\nencrypt age1one\nencrypt age1two\npublic host\npublic reason\n"));
	assert_non_null(strstr(text, "\nhook pre.d /etc/kdump/pre.d/a%20script % 100%25\n"));
	assert_no_error(kd_plan_parse(text, "plan", &copy));
	assert_no_error(kd_plan_format(&copy, &again));
	assert_string_equal(text, again);
	assert_string_equal(copy.hook[0].argv[2], "100%");
	assert_int_equal(copy.encryption.count, 2);
	assert_int_equal(copy.encryption.public, KD_PUBLIC_HOST | KD_PUBLIC_REASON);
	assert_string_equal(copy.target[0].options, "subvol=/a b");
	assert_non_null(strstr(text, "\nfence-kdump fd00::8 7410 10 3\n"));
	assert_null(copy.target[0].server);
	assert_string_equal(copy.target[1].server, "fd00::9");
	assert_false(copy.target[1].alternative);
	assert_non_null(strstr(text, "\ntarget nfs 10.0.0.9:/x % / 60 10.0.0.9 alternative\n"));
	assert_true(copy.target[2].alternative);
	assert_null(copy.hook[0].argv[3]);
	assert_int_equal(copy.collector.kind, KD_COLLECTOR_PROGRAM);
	assert_string_equal(copy.collector.erase_config, "/etc/erase");
	assert_string_equal(copy.collector.argv[0], "/usr/bin/a copy");
	assert_null(copy.collector.argv[2]);
}

static void test_plan_refuses(void **state)
{
	static const char head[] = "kdump-plan 3\ncreated 1\nkernel 6.1\nhost h\naddress 127.0.0.1\nutc-offset 0\n"
				   "deadline 60\nmount-timeout 300\nstall-timeout 300\nquiesce on\npstore off\n";
	static const struct {
		const char *lines, *message;
	} cases[] = {
		{ "collector program % cp\nfailure-action reboot\nfinal-action reboot\n", "truncated" },
		{ "collector program % cp\nfailure-action reboot\nend\n", "the \"final-action\" line is missing" },
		{ "frobnicate 1\nend\n", "p:12: unknown key \"frobnicate\"" },
		{ "created 2\nend\n", "p:12: created appears twice" },
		{ "target ext4 UUID=1 % relative 60\nend\n", "p:12: bad value for target" },
		{ "target ext4 UUID=1 % /x 0\nend\n", "p:12: bad value for target" },
		{ "fence-kdump 10.0.0.8 0 10 0\nend\n", "p:12: bad value for fence-kdump" },
		{ "fence-kdump 10.0.0.8 65536 10 0\nend\n", "p:12: bad value for fence-kdump" },
		{ "fence-kdump 10.0.0.8 7410 0 0\nend\n", "p:12: bad value for fence-kdump" },
		{ "fence-kdump 10.0.0.8 7410 10 x\nend\n", "p:12: bad value for fence-kdump" },
		{ "target nfs 10.0.0.9:/x % /x 60 10.0.0.9 alternative\nend\n", "p:12: bad value for target" },
		{ "target nfs 10.0.0.9:/x % /x 60 10.0.0.9\ntarget nfs 10.0.0.9:/x % /x 60 10.0.0.8 x\nend\n",
		  "p:13: bad value for target" },
		{ "target nfs 10.0.0.9:/x % /x 60 %\nend\n", "p:12: bad value for target" },
		{ "target ext4 UUID=1 % /x\nend\n", "p:12: target has 4 words" },
		{ "module /a %2\nend\n", "p:12: bad escape" },
		{ "module /a %00\nend\n", "p:12: bad escape" },
		{ "module  /a\nend\n", "p:12: bad escape" },
		{ "collector cp\nend\n", "p:12: collector has 1 words" },
		{ "collector frobnicate % cp\nend\n", "p:12: bad value for collector: \"frobnicate\"" },
		{ "collector program relative cp\nend\n", "p:12: bad value for collector" },
		{ "collector program % %\nend\n", "p:12: bad value for collector" },
		{ "collector built-in /etc/erase dumpfilter\nend\n", "p:12: bad value for collector" },
		{ "final-action shell\nend\n", "p:12: bad value for final-action" },
	};
	static const char *const seconds[] = { "deadline", "mount-timeout", "stall-timeout" };
	struct kd_plan plan;
	char text[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "%s%s", head, cases[i].lines);
		assert_error(kd_plan_parse(text, "p", &plan), KD_ERR_FORMAT, cases[i].message);
	}
	/* One of an older version of kdump, whose collector line is another. */
	assert_error(kd_plan_parse("kdump-plan 1\ncollector cp\nend\n", "p", &plan), KD_ERR_FORMAT,
		     "p:1: \"kdump-plan 1\": this version of kdump reads only \"kdump-plan 3\"");
	for (i = 0; i < ARRAY_SIZE(seconds); i++) {
		snprintf(text, sizeof(text), "kdump-plan 3\n%s 0\nend\n", seconds[i]);
		assert_error(kd_plan_parse(text, "p", &plan), KD_ERR_FORMAT, "p:2: bad value for ");
	}
	assert_error(kd_plan_parse("", "p", &plan), KD_ERR_FORMAT, "p:1:");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_round_trip),
		cmocka_unit_test(test_plan_refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
