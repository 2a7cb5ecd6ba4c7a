/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From kdump.conf to the plan: hooks, programs, the collector. */
#include "kdump/arming/plan_build.h"
#include "kdump/config/collector.h"
#include "kdump/config/conf.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

static void parse_conf(const char *text, struct kd_conf *conf)
{
	assert_no_error(kd_conf_parse(text, "/etc/kdump.conf", conf, NULL, NULL));
}

static struct kd_error *build_plan(struct tree *m, const char *conf_text, struct kd_plan *plan,
				   struct plan_programs *programs)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target target = {
		.type = (char *)"ext4", .device = (char *)"UUID=x", .options = (char *)"", .path = (char *)"/var/crash"
	};

	parse_conf(conf_text, &conf);
	return plan_build(&m->root, &conf, "6.1", (const struct target *[]){ &target, NULL }, plan, programs);
}

static void test_plan(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	tree_text(m, "/proc/sys/kernel/hostname", "machine\n");
	tree_program(m, "/usr/bin/lsblk", "ELF");
	tree_program(m, "/srv/before", "ELF");
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/20-b", "ELF");
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a", "ELF");
	tree_text(m, KD_SYSCONFDIR "/kdump/pre.d/README", "not executable\n");
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a~", "an editor's\n");
	assert_no_error(build_plan(m,
				   "kdump_pre /srv/before --now\nfinal_action poweroff\n"
				   "extra_bins lsblk /usr/bin/lsblk",
				   &plan, &programs));
	assert_string_equal(plan.host, "machine");
	assert_string_equal(plan.kernel_release, "6.1");
	assert_string_equal(plan.collector[0], "dumpfilter");
	assert_int_equal(plan.final_action, KD_ACTION_POWEROFF);
	assert_int_equal(plan.hook_count, 3);
	assert_string_equal(plan.hook[0].when, "pre");
	assert_string_equal(plan.hook[0].argv[0], "/srv/before");
	assert_string_equal(plan.hook[0].argv[1], "--now");
	assert_string_equal(plan.hook[1].when, "pre.d");
	assert_string_equal(plan.hook[1].argv[0], KD_SYSCONFDIR "/kdump/pre.d/10-a");
	assert_int_equal(programs.count, 1);
	assert_string_equal(programs.path[0], "/usr/bin/lsblk");
	assert_null(programs.path[1]);
}

static void test_plan_collector(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan lzo = { 0 }, zstd = { 0 }, foreign = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs none = { 0 }, one = { 0 }, other = { 0 };

	tree_program(m, "/usr/sbin/dumpfilter", "ELF");
	tree_program(m, "/usr/bin/makedumpfile", "ELF");
	assert_no_error(build_plan(m, "core_collector dumpfilter -c -d 31", &lzo, &none));
	assert_string_equal(lzo.collector[0], "dumpfilter");
	assert_int_equal(none.count, 0);
	kd_plan_free(&lzo);
	plan_programs_free(&none);
	assert_no_error(build_plan(m, "core_collector dumpfilter --fast -d 31 --max-memory 24M", &lzo, &none));
	assert_string_equal(lzo.collector[0], "dumpfilter");
	assert_int_equal(none.count, 0);
	assert_no_error(build_plan(m, "core_collector dumpfilter -z -d 31", &zstd, &one));
	assert_string_equal(zstd.collector[0], "/usr/sbin/dumpfilter");
	assert_string_equal(zstd.collector[1], "-z");
	assert_int_equal(one.count, 1);
	assert_no_error(build_plan(m, "core_collector makedumpfile -l -d 31", &foreign, &other));
	assert_string_equal(foreign.collector[0], "/usr/bin/makedumpfile");
	assert_int_equal(other.count, 0);
}

/* Only the program erases, so it is chosen; its configuration is checked at start. */
static void test_plan_collector_erases(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };
	char *const short_form[] = { (char *)"makedumpfile", (char *)"--conf", (char *)"/a", NULL };
	char *const other[] = { (char *)"dumpfilter", (char *)"--config-optional", (char *)"--con", NULL };

	tree_program(m, "/usr/sbin/dumpfilter", "ELF");
	tree_text(m, "/etc/erase.conf", "erase key\n");
	tree_text(m, "/etc/bad.conf", "\nwipe key\n");
	assert_no_error(build_plan(m, "core_collector dumpfilter -l --config /etc/erase.conf", &plan, &programs));
	assert_string_equal(plan.collector[0], "/usr/sbin/dumpfilter");
	assert_string_equal(kd_collector_config(plan.collector), "/etc/erase.conf");
	assert_int_equal(programs.count, 1);
	assert_string_equal(kd_collector_config(short_form), "/a");
	assert_null(kd_collector_config(other));
	assert_error(build_plan(m, "core_collector dumpfilter -l --config=/etc/bad.conf", &plan, &programs),
		     KD_ERR_CONFIG, "/etc/kdump.conf: core_collector: --config: /etc/bad.conf:2: ");
	assert_error(build_plan(m, "core_collector dumpfilter -l --config=/etc/none.conf", &plan, &programs), KD_ERR_OS,
		     "/etc/none.conf");
	assert_error(build_plan(m, "core_collector dumpfilter -l --config=erase.conf", &plan, &programs), KD_ERR_CONFIG,
		     "an absolute path");
}

static void test_plan_errors(void **state)
{
	struct tree *m = *state;
	struct plan_programs programs;
	struct kd_plan plan;

	tree_text(m, "/srv/text", "no program");
	assert_error(build_plan(m, "kdump_post /srv/none", &plan, &programs), KD_ERR_NOT_FOUND,
		     "/etc/kdump.conf: kdump_post: Error: /srv/none not found.");
	assert_error(build_plan(m, "kdump_post /srv/text", &plan, &programs), KD_ERR_CONFIG, "\"chmod +x /srv/text\"");
	assert_error(build_plan(m, "extra_bins lftp", &plan, &programs), KD_ERR_NOT_FOUND,
		     "extra_bins: Error: lftp not found.");
	assert_error(build_plan(m, "core_collector dumpfilter -d 32", &plan, &programs), KD_ERR_USAGE,
		     "/etc/kdump.conf: core_collector: dumpfilter: ");
	assert_error(build_plan(m, "core_collector dumpfilter --dump-dmesg", &plan, &programs), KD_ERR_USAGE,
		     "writes no dump");
	assert_error(build_plan(m, "core_collector dumpfilter --max-memory 2M", &plan, &programs), KD_ERR_CONFIG,
		     "--max-memory: no dump is made with 2048 KiB");
	assert_error(build_plan(m, "core_collector dumpfilter --max-memory 2X", &plan, &programs), KD_ERR_USAGE,
		     "--max-memory 2X: not a size");
	assert_error(build_plan(m, "core_collector cp --sparse", &plan, &programs), KD_ERR_NOT_FOUND,
		     "core_collector: Error: cp not found.");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plan, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector_erases, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_errors, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
