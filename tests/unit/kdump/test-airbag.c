/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trial of a kernel: what is packed, what it is told, how it is ended, and what is known of it afterwards. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/text.h"
#include "kdump/airbag/airbag.h"
#include "kdump/airbag/ask.h"
#include "kdump/airbag/checks.h"
#include "kdump/airbag/deadman.h"
#include "kdump/airbag/pack.h"
#include "kdump/airbag/settings.h"
#include "kdump/airbag/trial.h"
#include "kdump/loader/loader.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#define BOOT_OLD "11111111-2222-3333-4444-555555555555"
#define BOOT_NEW "66666666-7777-8888-9999-aaaaaaaaaaaa"

/* --- settings ----------------------------------------------------------------------------------------------------- */

static void test_settings(void **state)
{
	const struct airbag_settings given = {
		.deadline = 120,
		.module = { { "a.ko", "" }, { "b.ko", "x=1 y=\"2 3\"" } },
		.module_count = 2,
	};
	_cleanup_free_ char *text = NULL;
	struct airbag_settings settings;

	assert_no_error(airbag_settings_format(&given, &text));
	assert_string_equal(text, "deadline 120\nmodule a.ko\nmodule b.ko x=1 y=\"2 3\"\n");
	assert_no_error(airbag_settings_parse(text, &settings));
	assert_int_equal(settings.deadline, 120);
	assert_int_equal(settings.module_count, 2);
	assert_string_equal(settings.module[0].name, "a.ko");
	assert_string_equal(settings.module[0].options, "");
	assert_string_equal(settings.module[1].options, "x=1 y=\"2 3\"");
}

static void test_bad_settings(void **state)
{
	static const struct {
		const char *text, *said;
	} bad[] = {
		{ "", "no deadline" },
		{ "deadline 0\n", "not a number of seconds" },
		{ "deadline 1m\n", "not a number of seconds" },
		{ "deadline 99999999999\n", "not a number of seconds" },
		{ "deadline\n", "has no value" },
		{ "deadline 1\nmodule ../../init\n", "not the name of a module's file" },
		{ "deadline 1\nmodule  x\n", "not the name of a module's file" },
		{ "deadline 1\nspeed 2\n", "no setting \"speed\"" },
	};
	struct airbag_settings settings;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *text = strdup(bad[i].text);

		assert_error(airbag_settings_parse(text, &settings), KD_ERR_FORMAT, bad[i].said);
	}
}

/* --- command lines ------------------------------------------------------------------------------------------------ */

static void assert_own(const char *cmdline, const char *expected)
{
	_cleanup_free_ char *own = NULL;

	assert_no_error(loader_own_cmdline(cmdline, &own));
	assert_string_equal(own, expected);
}

/* What a trial adds is for the trial alone: it is gone from whatever is derived from a running kernel's line. */
static void test_command_lines(void **state)
{
	const struct trial trial = { .id = "00c0ffee" };
	_cleanup_free_ char *tried = NULL, *returned = NULL, *again = NULL;

	assert_no_error(trial_cmdline(&trial, "root=/dev/sda1 ro panic=0", "160M", &tried));
	assert_non_null(strstr(tried, "root=/dev/sda1 ro panic=0 kdump.try=00c0ffee "));
	assert_non_null(strstr(tried, " rdinit=/kdump-airbag/init "));
	assert_non_null(strstr(tried, " panic=10 "));
	assert_non_null(strstr(tried, " crashkernel=160M"));
	assert_own(tried, "root=/dev/sda1 ro panic=0");
	assert_no_error(trial_returned_cmdline(&trial, tried, &returned));
	assert_string_equal(returned, "kdump.returned=00c0ffee reset_devices root=/dev/sda1 ro panic=0");
	assert_own(returned, "root=/dev/sda1 ro panic=0");
	assert_no_error(trial_returned_cmdline(&trial, returned, &again));
	assert_string_equal(again, returned);
	assert_own("a \"b c\" reset_devices d", "a \"b c\" reset_devices d");
	assert_own("kdump.returned=00c0ffee reset_devices a reset_devices", "a reset_devices");
	assert_own("", "");
}

static void test_obstacles(void **state)
{
	static const char *const lines[] = { "ro -- single", "ro rdinit=/bin/sh", "-- x", "ro --" };
	const struct trial trial = { .id = "00c0ffee" };
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_error(trial_cmdline(&trial, lines[i], NULL, &text), KD_ERR_UNSUPPORTED, "leaves no place");
	assert_no_error(trial_cmdline(&trial, "a=x--y --z norrdinit=1", NULL, &text));
	assert_null(strstr(text, "crashkernel="));
	free(text);
}

/* --- the record --------------------------------------------------------------------------------------------------- */

static void be_boot(const struct tree *tree, const char *boot, const char *cmdline)
{
	tree_text(tree, "/proc/sys/kernel/random/boot_id", boot);
	tree_text(tree, "/proc/cmdline", cmdline);
}

static void begin_trial(const struct tree *tree, struct trial *ret)
{
	be_boot(tree, BOOT_OLD, "ro\n");
	tree_text(tree, "/proc/sys/kernel/osrelease", "6.1.0\n");
	tree_text(tree, "/proc/sys/kernel/panic", "0\n");
	tree_text(tree, "/proc/sys/kernel/panic_on_oops", "0\n");
	tree_text(tree, "/proc/sys/kernel/softlockup_panic", "0\n");
	assert_no_error(trial_new(&tree->root, ret));
	assert_no_error(kd_set_text(&ret->to, "6.12.0"));
	ret->deadline = 120;
	assert_no_error(trial_write(&tree->root, ret));
}

static void test_record(void **state)
{
	const struct tree *tree = *state;
	_cleanup_(trial_free) struct trial trial = { 0 }, read = { 0 };
	bool found = true;

	assert_no_error(trial_read(&tree->root, &read, &found));
	assert_false(found);
	begin_trial(tree, &trial);
	assert_int_equal(strlen(trial.id), 8);
	assert_no_error(kd_set_text(&trial.failed, "web: exit status 1"));
	assert_no_error(trial_write(&tree->root, &trial));
	assert_no_error(trial_read(&tree->root, &read, &found));
	assert_true(found);
	assert_int_equal(read.state, TRIAL_PENDING);
	assert_string_equal(read.id, trial.id);
	assert_string_equal(read.from, "6.1.0");
	assert_string_equal(read.to, "6.12.0");
	assert_string_equal(read.failed, "web: exit status 1");
	assert_string_equal(read.settings, "panic=0 panic_on_oops=0 softlockup_panic=0");
	assert_int_equal(read.deadline, 120);
}

static void test_bad_record(void **state)
{
	static const char *const bad[] = {
		"id 00c0ffee\nfrom a\n",
		"id 00C0FFEE\nfrom a\nto b\n",
		"id 00c0ffee0\nfrom a\nto b\n",
		"id 00c0ffee\nfrom a\nto b\nstate well\n",
		"id 00c0ffee\nfrom a\nto b\ntime x\n",
		"nonsense\n",
	};
	struct trial trial;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *text = strdup(bad[i]);

		assert_code(trial_parse(text, &trial), KD_ERR_FORMAT);
	}
}

/* Which boots tell that the machine has returned, and by which way. */
static void test_settle(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *tried = NULL, *back = NULL, *text = NULL;
	_cleanup_(trial_free) struct trial trial = { 0 }, settled = { 0 };
	bool returned;

	begin_trial(tree, &trial);
	assert_no_error(trial_settle(&tree->root, &settled, &returned));
	assert_false(returned); /* it has not begun */
	assert_no_error(kd_format(&tried, "ro kdump.try=%s panic=10\n", trial.id));
	be_boot(tree, BOOT_NEW, tried);
	assert_no_error(trial_settle(&tree->root, &settled, &returned));
	assert_false(returned); /* it goes on */
	assert_no_error(kd_format(&back, "kdump.returned=%s reset_devices ro\n", trial.id));
	be_boot(tree, BOOT_NEW, back);
	assert_no_error(trial_settle(&tree->root, &settled, &returned));
	assert_true(returned);
	assert_string_equal(settled.how, TRIAL_BY_PANIC);
	assert_no_error(trial_describe(&settled, &text));
	assert_non_null(strstr(text, "6.12.0 failed"));
	assert_non_null(strstr(text, "at once, by a panic"));
	trial_free(&settled);
	assert_no_error(trial_settle(&tree->root, &settled, &returned));
	assert_false(returned); /* it is told once */
}

static void test_settle_through_firmware(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *text = NULL;
	_cleanup_(trial_free) struct trial trial = { 0 }, settled = { 0 };
	bool returned;

	begin_trial(tree, &trial);
	assert_no_error(kd_set_text(&trial.failed, "/etc/kdump/healthy.d/web failed (exit status 1)"));
	assert_no_error(trial_write(&tree->root, &trial));
	be_boot(tree, BOOT_NEW, "BOOT_IMAGE=/vmlinuz ro kdump.returned=deadbeef\n"); /* of another trial */
	assert_no_error(trial_settle(&tree->root, &settled, &returned));
	assert_true(returned);
	assert_string_equal(settled.how, TRIAL_BY_FIRMWARE);
	assert_no_error(trial_describe(&settled, &text));
	assert_non_null(strstr(text, "through the firmware"));
	assert_non_null(strstr(text, "healthy.d/web failed"));
}

static void assert_text(const struct tree *tree, const char *path, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	tree_read(tree, path, &text, &size);
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(text, expected, size);
}

/* After the trial the settings are the old kernel's, but for those that somebody has set meanwhile. */
static void test_restore_settings(void **state)
{
	const struct tree *tree = *state;
	_cleanup_(trial_free) struct trial trial = { 0 };

	begin_trial(tree, &trial);
	tree_text(tree, "/proc/sys/kernel/panic", "10\n");
	tree_text(tree, "/proc/sys/kernel/panic_on_oops", "1\n");
	tree_text(tree, "/proc/sys/kernel/softlockup_panic", "0\n");
	assert_no_error(
		kd_set_text(&trial.settings, "panic=30 panic_on_oops=0 softlockup_panic=1 hostname=x nonsense"));
	tree_text(tree, "/proc/sys/kernel/hostname", "1\n");
	trial_restore_settings(&tree->root, &trial, NULL);
	assert_text(tree, "/proc/sys/kernel/panic", "30");
	assert_text(tree, "/proc/sys/kernel/panic_on_oops", "0");
	assert_text(tree, "/proc/sys/kernel/softlockup_panic", "0\n");
	assert_text(tree, "/proc/sys/kernel/hostname", "1\n");
}

/* --- the deadman -------------------------------------------------------------------------------------------------- */

/* The deadman in a child, with a socket of its own and files in the place of the kernel's. */
static pid_t start_deadman(const struct tree *tree, char name[64], bool armed)
{
	struct deadman deadman = { .deadline = deadman_now() + 600 * 1000, .armed = armed, .sysrq = -1 };
	int listener;
	pid_t pid;

	snprintf(name, 64, "kdump-test-%d", getpid());
	tree_directory(tree, "/sys/class/watchdog");
	listener = deadman_listen(name);
	assert_true(listener >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		deadman.sys = open(tree_path(tree, "/sys"), O_PATH | O_DIRECTORY | O_CLOEXEC);
		deadman_run(&deadman, listener);
		_exit(0);
	}
	close(listener);
	return pid;
}

static void test_deadman(void **state)
{
	const struct tree *tree = *state;
	struct airbag_status status = { .pending = true };
	char name[64];
	int result;
	pid_t pid;

	assert_no_error(airbag_status_of("kdump-test-nobody", &status));
	assert_false(status.pending);
	assert_error(airbag_commit_of("kdump-test-nobody"), KD_ERR_STATE, "no process");
	pid = start_deadman(tree, name, true);
	assert_no_error(airbag_status_of(name, &status));
	assert_true(status.pending);
	assert_true(status.armed);
	assert_true(status.left > 500 && status.left <= 600);
	assert_string_equal(status.watchdogs, "");
	assert_no_error(airbag_commit_of(name));
	assert_int_equal(waitpid(pid, &result, 0), pid);
	assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
	assert_no_error(airbag_status_of(name, &status));
	assert_false(status.pending);
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

static void test_checks(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *directory = strdup(tree_path(tree, "/healthy.d"));

	assert_no_error(checks_run(directory, 10, NULL)); /* there is none */
	tree_program(tree, "/healthy.d/20-second", "#!/bin/sh\necho second >>\"${0%/*}/../ran\"\n");
	tree_program(tree, "/healthy.d/10-first", "#!/bin/sh\necho first >>\"${0%/*}/../ran\"\n");
	tree_program(tree, "/healthy.d/00-old~", "#!/bin/sh\nexit 1\n");
	tree_program(tree, "/healthy.d/00-new.dpkg-new", "#!/bin/sh\nexit 1\n");
	tree_text(tree, "/healthy.d/README", "no program\n");
	assert_no_error(checks_run(directory, 10, NULL));
	assert_text(tree, "/ran", "first\nsecond\n");
	tree_program(tree, "/healthy.d/15-bad", "#!/bin/sh\nexit 3\n");
	assert_error(checks_run(directory, 10, NULL), KD_ERR_STATE, "15-bad failed (exit status 3)");
	assert_text(tree, "/ran", "first\nsecond\nfirst\n");
}

/* A late check is killed with its children. */
static void test_late_check(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *directory = strdup(tree_path(tree, "/healthy.d"));

	tree_program(tree, "/healthy.d/late", "#!/bin/sh\nsleep 1000 & wait\n");
	assert_error(checks_run(directory, 1, NULL), KD_ERR_TIMEOUT, "late did not end within 1 seconds");
}

static void test_strangers_check(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *directory = strdup(tree_path(tree, "/healthy.d"));

	tree_program(tree, "/healthy.d/open", "#!/bin/sh\n");
	tree_mode(tree, "/healthy.d/open", 0777);
	assert_error(checks_run(directory, 10, NULL), KD_ERR_STATE, "can write");
	tree_mode(tree, "/healthy.d/open", 0755);
	tree_mode(tree, "/healthy.d", 0777);
	assert_error(checks_run(directory, 10, NULL), KD_ERR_STATE, "can write");
}

/* --- packing ------------------------------------------------------------------------------------------------------ */

static void make_machine(const struct tree *tree)
{
	tree_text(tree, "/proc/iomem", "00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n");
	tree_text(tree, "/proc/cpuinfo", "flags\t\t: fpu\n");
	tree_kernel(tree, "/boot/vmlinuz-6.1.0", 0x2000000);
	tree_text(tree, "/boot/initrd.img-6.1.0", "microcode");
	tree_text(tree, "/boot/second", "files");
	tree_text(tree, "/stage", "the program");
	tree_directory(tree, "/sys/bus/pci/devices/0000:00:01.0");
}

static struct airbag_request request_of(const struct tree *tree, const char *program)
{
	static const char *const initrd[] = { "/boot/initrd.img-6.1.0", "/boot/second", NULL };

	return (struct airbag_request){
		.root = &tree->root,
		.program = program,
		.kernel = "/boot/vmlinuz-6.1.0",
		.initrd = initrd,
		.cmdline = "kdump.returned=00c0ffee ro",
		.release = "6.12.0",
		.deadline = 90,
	};
}

/* The newc archive has the member @name, with this content; NULL: with any. */
static void assert_member(const struct airbag *airbag, const char *name, mode_t permissions, const char *content,
			  size_t size)
{
	const char *p = airbag->archive, *end = p + airbag->size;

	while (p + 110 < end && memcmp(p, "070701", 6) == 0) {
		unsigned int mode, name_size, length;
		const char *at;

		assert_int_equal(sscanf(p + 14, "%8x", &mode), 1);
		assert_int_equal(sscanf(p + 54, "%8x", &length), 1);
		assert_int_equal(sscanf(p + 94, "%8x", &name_size), 1);
		at = p + ((110 + name_size + 3) & ~3u);
		if (strcmp(p + 110, name) == 0) {
			assert_int_equal(mode, S_IFREG | permissions);
			assert_int_equal(length, size);
			if (content)
				assert_memory_equal(at, content, size);
			return;
		}
		p = at + ((length + 3) & ~3u);
	}
	fail_msg("no %s in the archive", name);
}

static void test_pack(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *program = strdup(tree_path(tree, "/stage"));
	_cleanup_(airbag_free) struct airbag airbag = { 0 };
	struct airbag_request request = request_of(tree, program);
	struct stat kernel;

	make_machine(tree);
	assert_int_equal(stat(tree_path(tree, request.kernel), &kernel), 0);
	assert_no_error(airbag_pack(&request, &airbag));
	assert_int_equal(airbag.size % 4, 0);
	assert_member(&airbag, "kdump-airbag/init", 0700, "the program", 11);
	assert_member(&airbag, "kdump-airbag/kernel", 0600, NULL, kernel.st_size);
	/* Another archive begins at a multiple of four bytes. */
	assert_member(&airbag, "kdump-airbag/initrd", 0600, "microcode\0\0\0files", 17);
	assert_member(&airbag, "kdump-airbag/cmdline", 0600, request.cmdline, strlen(request.cmdline));
	assert_member(&airbag, "kdump-airbag/settings", 0600, "deadline 90\n", 12);
	assert_int_equal(airbag.need % (16 << 20), 0);
	assert_true(airbag.need >= 0x2000000 && airbag.need <= 0x4000000);
}

/* Where the old kernel could not come back safely, nothing is packed. */
static void test_pack_refused(void **state)
{
	const struct tree *tree = *state;
	_cleanup_free_ char *program = strdup(tree_path(tree, "/stage"));
	struct airbag_request request = request_of(tree, program);
	struct airbag airbag;

	make_machine(tree);
	tree_directory(tree, "/sys/bus/pci/devices/10000:01:00.0");
	assert_error(airbag_pack(&request, &airbag), KD_ERR_STATE, "10000:01:00.0");
	tree_delete(tree, "/sys/bus/pci/devices/10000:01:00.0");
	tree_text(tree, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_error(airbag_pack(&request, &airbag), KD_ERR_STATE, "lockdown (integrity)");
	tree_text(tree, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	tree_kernel(tree, "/boot/vmlinuz-6.1.0", 0x30000000);
	assert_error(airbag_pack(&request, &airbag), KD_ERR_LIMIT, "more than a quarter of the machine's 2047 MiB");
	tree_delete(tree, "/boot/second");
	assert_code(airbag_pack(&request, &airbag), KD_ERR_OS);
}

#define TREE(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_obstacles),
		TREE(test_record),
		cmocka_unit_test(test_bad_record),
		TREE(test_settle),
		TREE(test_settle_through_firmware),
		TREE(test_restore_settings),
		TREE(test_deadman),
		TREE(test_checks),
		TREE(test_late_check),
		TREE(test_strangers_check),
		TREE(test_pack),
		TREE(test_pack_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("airbag", tests, NULL, NULL);
}
