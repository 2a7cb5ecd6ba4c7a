/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conditions of a return by kexec, and the crash-loop breaker: decided by facts alone. */
#include "base/array.h"
#include "base/proc.h"
#include "capture/comeback.h"
#include "tests/unit/testing.h"

static struct kd_handover offered = { .release = (char *)"6.1.0", .boot_cpu = 3 };
static struct kd_handover previous = { .release = (char *)"6.0.0", .boot_cpu = 3, .previous = true };
static struct kd_handover refused = { .refused = (char *)"this machine is in lockdown" };
static struct kd_handover empty;

/* A crash after which the way back is open. */
static const struct comeback_facts open_way = {
	.action = KD_ACTION_KEXEC,
	.handover = &offered,
	.complete = true,
	.panic = "Kernel panic - not syncing: sysrq triggered crash",
	.boot_cpu = 3,
};

static void test_open(void **state)
{
	struct comeback_facts facts = open_way;

	assert_no_error(comeback_check(&facts));
	facts.handover = &previous;
	facts.action = KD_ACTION_PREVIOUS;
	assert_no_error(comeback_check(&facts));
	facts = open_way;
	facts.panic = "Kernel panic - not syncing: Hard LOCKUP";
	assert_no_error(comeback_check(&facts));
}

/* Each fact that speaks against it, alone. */
static void test_closed(void **state)
{
#define WITH(words, ...)                                                                                               \
	{                                                                                                              \
		words, .facts = {                                                                                      \
			.action = KD_ACTION_KEXEC,                                                                     \
			.handover = &offered,                                                                          \
			.complete = true,                                                                              \
			.panic = "BUG: kernel NULL pointer dereference",                                               \
			.boot_cpu = 3,                                                                                 \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
	static const struct {
		const char *words;
		struct comeback_facts facts;
	} cases[] = {
		WITH("no record", .handover = NULL),
		WITH("this machine is in lockdown", .handover = &refused),
		WITH("no kernel to return to", .handover = &empty),
		WITH("for another case", .handover = &previous),
		WITH("for another case", .action = KD_ACTION_PREVIOUS),
		WITH("no complete dump", .complete = false),
		WITH("a disk hangs", .hanging = true),
		WITH("does not say why", .panic = ""),
		WITH("hardware", .panic = "Kernel panic - not syncing: Fatal machine check"),
		WITH("hardware", .panic = "Kernel panic - not syncing: Machine check from unknown source"),
		WITH("hardware", .panic = "Kernel panic - not syncing: Fatal hardware error!"),
		WITH("hardware", .panic = "Kernel panic - not syncing: NMI IOCK error: Not continuing"),
		WITH("hardware", .panic = "Kernel panic - not syncing: NMI: Not continuing"),
		WITH("hardware", .panic = "Kernel panic - not syncing: EDAC MC0: UE"),
		WITH("hardware",
		     .panic = "Kernel panic - not syncing: Timeout: Not all CPUs entered broadcast exception handler"),
		WITH("only from the boot CPU, 3", .boot_cpu = 1),
		WITH("does not tell the CPU", .boot_cpu = -1),
		WITH("lockdown", .lockdown = true),
		WITH("1 PCI functions", .masters = 1),
		WITH("0000:00:03.0 is not visible", .absent = "0000:00:03.0"),
		WITH("behind PCI function 0000:00:0e.0", .unbound = "0000:00:0e.0"),
	};
#pragma GCC diagnostic pop

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(comeback_check(&cases[i].facts), KD_ERR_STATE, cases[i].words);
}

static void test_action(void **state)
{
	static struct kd_handover known = { .crash = { 1000, 9000, 9500 }, .crashes = 3 };
	static const struct {
		enum kd_action final, failure, loop_action;
		unsigned int count, seconds;
		const struct kd_handover *handover;
		bool done;
		enum kd_action expected;
		bool loop;
	} cases[] = {
		{ KD_ACTION_KEXEC, KD_ACTION_REBOOT, KD_ACTION_REBOOT, 3, 3600, NULL, true, KD_ACTION_KEXEC, false },
		{ KD_ACTION_KEXEC, KD_ACTION_REBOOT, KD_ACTION_REBOOT, 3, 3600, &known, true, KD_ACTION_REBOOT, true },
		{ KD_ACTION_KEXEC, KD_ACTION_REBOOT, KD_ACTION_REBOOT, 3, 600, &known, true, KD_ACTION_KEXEC, false },
		{ KD_ACTION_KEXEC, KD_ACTION_REBOOT, KD_ACTION_REBOOT, 0, 0, &known, true, KD_ACTION_KEXEC, false },
		{ KD_ACTION_KEXEC, KD_ACTION_REBOOT, KD_ACTION_REBOOT, 4, 20000, &known, true, KD_ACTION_REBOOT, true },
		{ KD_ACTION_KEXEC, KD_ACTION_REBOOT, KD_ACTION_REBOOT, 5, 20000, &known, true, KD_ACTION_KEXEC, false },
		/* a capture that fails is a crash as well */
		{ KD_ACTION_REBOOT, KD_ACTION_REBOOT, KD_ACTION_POWEROFF, 3, 3600, &known, false, KD_ACTION_POWEROFF,
		  true },
		{ KD_ACTION_REBOOT, KD_ACTION_REBOOT, KD_ACTION_PREVIOUS, 3, 3600, &known, true, KD_ACTION_PREVIOUS,
		  true },
		/* the machine stands still anyway, or somebody sits before it */
		{ KD_ACTION_HALT, KD_ACTION_SHELL, KD_ACTION_POWEROFF, 2, 3600, &known, true, KD_ACTION_HALT, false },
		{ KD_ACTION_HALT, KD_ACTION_SHELL, KD_ACTION_POWEROFF, 2, 3600, &known, false, KD_ACTION_SHELL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kd_plan plan = {
			.final_action = cases[i].final,
			.failure_action = cases[i].failure,
			.loop = { cases[i].count, cases[i].seconds, cases[i].loop_action },
		};
		bool loop;

		assert_int_equal(comeback_action(&plan, cases[i].handover, cases[i].done, 10000, &loop),
				 cases[i].expected);
		assert_int_equal(loop, cases[i].loop);
	}
}

static void test_boot_cpu(void **state)
{
	assert_int_equal(kd_proc_boot_cpu("processor\t: 0\napicid\t\t: 7\ninitial apicid\t: 4\n\nprocessor\t: 1\n"), 4);
	/* that of another CPU does not count */
	assert_int_equal(kd_proc_boot_cpu("processor\t: 0\n\nprocessor\t: 1\ninitial apicid\t: 4\n"), -1);
	assert_int_equal(kd_proc_boot_cpu("processor\t: 0\ninitial apicid\t: four\n"), -1);
	assert_int_equal(kd_proc_boot_cpu("processor\t: 0\ninitial apicid\t: 99999999999\n"), -1);
	assert_int_equal(kd_proc_boot_cpu(""), -1);
}

static void test_is_mounted(void **state)
{
	char where[16] = "";

	assert_false(comeback_is_mounted("rootfs / rootfs rw 0 0\nproc /proc proc rw 0 0\n", where, sizeof(where)));
	assert_true(
		comeback_is_mounted("proc /proc proc rw 0 0\n/dev/vda1 /target ext4 rw 0 0\n", where, sizeof(where)));
	assert_string_equal(where, "/target");
	assert_true(comeback_is_mounted("10.0.0.1:/x /target nfs4 rw 0 0\n", where, sizeof(where)));
	assert_false(comeback_is_mounted("", where, sizeof(where)));
	assert_false(comeback_is_mounted("broken\n\n", where, sizeof(where)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),     cmocka_unit_test(test_closed),     cmocka_unit_test(test_action),
		cmocka_unit_test(test_boot_cpu), cmocka_unit_test(test_is_mounted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("comeback", tests, NULL, NULL);
}
