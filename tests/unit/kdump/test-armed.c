/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of the armed image, and the changes that kdumpctl notices, on made-up machines. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/inputs.h"
#include "kdump/arming/transition.h"

#define ROOT_MOUNT "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n"

static int setup(void **state)
{
	struct tree *m;

	tree_setup(state);
	m = *state;
	tree_text(m, "/etc/kdump.conf", "path /var/crash\n");
	tree_text(m, "/etc/fstab", "UUID=aaaa-1 /crash ext4 noauto 0 0\n");
	tree_text(m, "/etc/kdump/pre.d/one", "one");
	tree_text(m, "/boot/vmlinuz", "kernel");
	tree_text(m, "/root/file", "secret");
	tree_text(m, "/var/crash/dump", "");
	tree_text(m, "/dev/vda1", "");
	tree_text(m, "/sys/class/block/vda1/dev", "254:1\n");
	tree_text(m, "/proc/self/mountinfo", ROOT_MOUNT);
	tree_text(m, "/proc/sys/kernel/random/boot_id", "0000-boot\n");
	tree_text(m, "/sys/devices/system/cpu/present", "0-1\n");
	tree_text(m, "/proc/iomem", "00001000-0009fbff : System RAM\n00100000-7ffdffff : System RAM\n");
	tree_text(m, "/sys/class/watchdog/watchdog0/state", "inactive\n");
	tree_text(m, "/sys/class/watchdog/watchdog1/state", "inactive\n");
	tree_link(m, "/dev/disk/by-uuid/aaaa-1", "../../vda1");
	return 0;
}

static void test_armed(void **state)
{
	struct tree *m = *state;
	struct left_out left_out = { 3, (char *)"ext4 LABEL=\"a b\" is left out" };
	struct armed armed = {
		.kernel = (char *)"/boot/vmlinuz",
		.cmdline = (char *)"a b=\"c d\"",
		.time = 42,
		.left_out = &left_out,
		.left_out_count = 1,
	};
	_cleanup_(armed_free) struct armed read = { 0 };
	_cleanup_free_ char *words = NULL;
	struct armed none;
	bool found;

	tree_text(m, "/proc/sys/kernel/random/boot_id", "one\n");
	assert_no_error(armed_read(&m->root, &none, &found));
	assert_false(found);
	assert_no_error(armed_write(&m->root, &armed));
	assert_no_error(armed_read(&m->root, &read, &found));
	assert_true(found);
	assert_string_equal(read.kernel, "/boot/vmlinuz");
	assert_string_equal(read.cmdline, "a b=\"c d\"");
	assert_null(read.target);
	assert_int_equal(read.time, 42);
	assert_int_equal(read.left_out_count, 1);
	assert_int_equal(read.left_out[0].member, 3);
	assert_string_equal(read.left_out[0].text, left_out.text);
	words = armed_describe(&read);
	assert_string_equal(words, "kernel ?, dumps go to ?; ext4 LABEL=\"a b\" is left out");

	tree_text(m, "/proc/sys/kernel/random/boot_id", "two\n");
	assert_no_error(armed_read(&m->root, &none, &found));
	assert_false(found);
	tree_text(m, ARMED_PATH, "nonsense\n");
	assert_error(armed_read(&m->root, &none, &found), KD_ERR_FORMAT, "not a \"key value\" line: nonsense");
	tree_text(m, ARMED_PATH, "left_out x y\n");
	assert_error(armed_read(&m->root, &none, &found), KD_ERR_FORMAT, "not a \"left_out MEMBER TEXT\" line: x");
	assert_no_error(armed_remove(&m->root));
	assert_no_error(armed_remove(&m->root));
	assert_no_error(armed_read(&m->root, &none, &found));
	assert_false(found);
}

static void test_armed_judge(void **state)
{
	assert_int_equal(armed_judge(false, false), ARMED_NOTHING);
	assert_int_equal(armed_judge(true, true), ARMED_OURS);
	assert_int_equal(armed_judge(true, false), ARMED_FOREIGN);
	assert_int_equal(armed_judge(false, true), ARMED_LOST);
}

static void test_armed_hash(void **state)
{
	struct tree *m = *state;
	_cleanup_free_ char *hash = NULL;

	tree_text(m, "/f", "abc");
	assert_no_error(armed_hash_file(&m->root, "/f", &hash));
	assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static const struct {
	const char *kind, *name;
} all[] = {
	{ INPUT_CONFIG, "/etc/kdump.conf" }, { INPUT_CONFIG, "/etc/default/kdump" },
	{ INPUT_HOOKS, "/etc/kdump/pre.d" }, { INPUT_HOOKS, "/etc/kdump/post.d" },
	{ INPUT_KERNEL, "/boot/vmlinuz" },   { INPUT_FILE, "/root/file" },
	{ INPUT_DEVICE, "UUID=aaaa-1" },     { INPUT_MOUNT, "/var/crash" },
	{ INPUT_FSTAB, "UUID=aaaa-1" },      { INPUT_CPUS, "CPUs" },
	{ INPUT_MEMORY, "memory" },          { INPUT_WATCHDOG, "watchdog" },
};

/* Record all inputs on disk and read the record back. */
static void arm(struct tree *m, struct armed *ret)
{
	struct armed armed = { .release = (char *)"6.1", .time = 1 };
	bool found;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		assert_no_error(inputs_add(&m->root, &armed.inputs, all[i].kind, all[i].name));
	assert_int_equal(armed.inputs.count, ARRAY_SIZE(all));
	assert_no_error(inputs_add(&m->root, &armed.inputs, all[0].kind, all[0].name));
	assert_int_equal(armed.inputs.count, ARRAY_SIZE(all)); /* each only once */
	assert_no_error(armed_write(&m->root, &armed));
	inputs_free(&armed.inputs);
	assert_no_error(armed_read(&m->root, ret, &found));
	assert_true(found);
	assert_int_equal(ret->inputs.count, ARRAY_SIZE(all));
}

/* Exactly one input has changed: @kind @name @how. If @kind is NULL, none has changed. */
static void expect_change(struct tree *m, const struct armed *armed, const char *kind, const char *name,
			  const char *how)
{
	_cleanup_free_ struct input_change *change = NULL;
	size_t count;

	assert_no_error(inputs_compare(&m->root, &armed->inputs, &change, &count));
	assert_int_equal(count, kind ? 1 : 0);
	if (!kind)
		return;
	assert_string_equal(change->kind, kind);
	assert_string_equal(change->name, name);
	assert_string_equal(change->how, how);
	assert_non_null(change->meaning);
	assert_non_null(strstr(change->remedy, "kdumpctl reload"));
}

static void test_each_change(void **state)
{
	struct tree *m = *state;
	const struct {
		const char *file, *text; /* NULL text: removed */
		const char *kind, *name, *how;
	} rows[] = {
		{ "/etc/kdump.conf", "path /other\n", INPUT_CONFIG, "/etc/kdump.conf", "has changed" },
		{ "/etc/kdump.conf", NULL, INPUT_CONFIG, "/etc/kdump.conf", "has disappeared" },
		{ "/etc/default/kdump", "A=b\n", INPUT_CONFIG, "/etc/default/kdump", "has appeared" },
		{ "/etc/kdump/pre.d/one", "two", INPUT_HOOKS, "/etc/kdump/pre.d", "has changed" },
		{ "/etc/kdump/post.d/one", "one", INPUT_HOOKS, "/etc/kdump/post.d", "has appeared" },
		{ "/boot/vmlinuz", "kernel", INPUT_KERNEL, "/boot/vmlinuz", "has changed" }, /* replaced by the same */
		{ "/root/file", NULL, INPUT_FILE, "/root/file", "has disappeared" },
		{ "/sys/class/block/vda1/dev", "254:2\n", INPUT_DEVICE, "UUID=aaaa-1", "has changed" },
		{ "/proc/self/mountinfo", "22 1 254:1 / / ro - ext4 /dev/vda1 ro\n", INPUT_MOUNT, "/var/crash",
		  "has changed" },
		{ "/proc/self/mountinfo", ROOT_MOUNT "23 22 254:2 / /var rw - ext4 /dev/vda2 rw\n", INPUT_MOUNT,
		  "/var/crash", "has changed" },
		{ "/etc/fstab", "UUID=aaaa-1 /crash ext4 subvol=x 0 0\n", INPUT_FSTAB, "UUID=aaaa-1", "has changed" },
		{ "/etc/fstab", "", INPUT_FSTAB, "UUID=aaaa-1", "has disappeared" },
		{ "/sys/devices/system/cpu/present", "0-2\n", INPUT_CPUS, "CPUs", "has changed" },
		{ "/proc/iomem", "00001000-0009fbff : System RAM\n", INPUT_MEMORY, "memory", "has changed" },
		{ "/sys/class/watchdog/watchdog1/state", "active\n", INPUT_WATCHDOG, "watchdog", "has appeared" },
		{ "/sys/module/ipmi_watchdog/refcnt", "1\n", INPUT_WATCHDOG, "watchdog", "has appeared" },
		/* Seen by somebody who is not root: no answer, so no change. */
		{ "/proc/iomem", "00000000-00000000 : System RAM\n", NULL, NULL, NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(armed_free) struct armed armed = { 0 };

		if (i) {
			tree_teardown(state);
			setup(state);
			m = *state;
		}
		arm(m, &armed);
		expect_change(m, &armed, NULL, NULL, NULL);
		if (rows[i].text)
			tree_text(m, rows[i].file, rows[i].text);
		else
			tree_delete(m, rows[i].file);
		expect_change(m, &armed, rows[i].kind, rows[i].name, rows[i].how);
	}
}

/* The file system got another UUID: the device of the plan and the line of fstab do not exist. */
static void test_uuid(void **state)
{
	struct tree *m = *state;
	_cleanup_(armed_free) struct armed armed = { 0 };
	_cleanup_free_ struct input_change *change = NULL;
	size_t count;

	arm(m, &armed);
	tree_delete(m, "/dev/disk/by-uuid/aaaa-1");
	tree_link(m, "/dev/disk/by-uuid/bbbb-2", "../../vda1");
	assert_no_error(inputs_compare(&m->root, &armed.inputs, &change, &count));
	assert_int_equal(count, 2);
	assert_string_equal(change[0].kind, INPUT_DEVICE);
	assert_string_equal(change[0].how, "has disappeared");
	assert_string_equal(change[1].kind, INPUT_FSTAB);
}

/* A file system that was made anew on the same volume: the volume is there, what the plan means is not. */
static void test_uuid_on_volume(void **state)
{
	struct tree *m = *state;
	_cleanup_(inputs_free) struct inputs inputs = { 0 };
	_cleanup_free_ struct input_change *change = NULL;
	size_t count;

	tree_text(m, "/dev/dm-0", "");
	tree_text(m, "/sys/class/block/dm-0/dev", "253:0\n");
	tree_text(m, "/sys/class/block/dm-0/dm/name", "vg-dumps\n");
	tree_link(m, "/dev/disk/by-uuid/cccc-3", "../../dm-0");
	assert_no_error(inputs_add(&m->root, &inputs, INPUT_DEVICE, "volume:vg-dumps,UUID=cccc-3"));
	tree_delete(m, "/dev/disk/by-uuid/cccc-3");
	tree_link(m, "/dev/disk/by-uuid/dddd-4", "../../dm-0");
	assert_no_error(inputs_compare(&m->root, &inputs, &change, &count));
	assert_int_equal(count, 1);
	assert_string_equal(change[0].how, "has disappeared");
	assert_false(change[0].dangerous);
}

/* One more watchdog is opened, and all are closed. */
static void test_watchdogs(void **state)
{
	struct tree *m = *state;
	_cleanup_(inputs_free) struct inputs inputs = { 0 };
	_cleanup_free_ struct input_change *more = NULL, *none = NULL;
	size_t count;

	tree_text(m, "/sys/class/watchdog/watchdog0/state", "active\n");
	assert_no_error(inputs_add(&m->root, &inputs, INPUT_WATCHDOG, "watchdog"));
	tree_text(m, "/sys/class/watchdog/watchdog1/state", "active\n");
	assert_no_error(inputs_compare(&m->root, &inputs, &more, &count));
	assert_int_equal(count, 1);
	assert_string_equal(more->how, "has changed");
	tree_delete(m, "/sys/class/watchdog/watchdog0/state");
	tree_delete(m, "/sys/class/watchdog/watchdog1/state");
	assert_no_error(inputs_compare(&m->root, &inputs, &none, &count));
	assert_int_equal(count, 1);
	assert_string_equal(none->how, "has disappeared");
}

/* A kernel that keeps the image up to date itself. */
static void test_hardware(void **state)
{
	struct tree *m = *state;
	_cleanup_(inputs_free) struct inputs both = { 0 }, memory = { 0 };

	tree_text(m, "/sys/devices/system/cpu/crash_hotplug", "0\n");
	assert_no_error(inputs_add_hardware(&m->root, &both));
	assert_int_equal(both.count, 2);
	tree_text(m, "/sys/devices/system/cpu/crash_hotplug", "1\n");
	assert_no_error(inputs_add_hardware(&m->root, &memory));
	assert_int_equal(memory.count, 1);
	assert_string_equal(inputs_kind(&memory.input[0]), INPUT_MEMORY);
}

/* A kind that is not in the table is a programming error and aborts at once. */
static void test_unknown_kind(void **state)
{
	struct tree *m = *state;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit none = { 0 };
		struct inputs inputs = { 0 };

		setrlimit(RLIMIT_CORE, &none);
		fclose(stderr);
		kd_error_destroy(inputs_add(&m->root, &inputs, "no such kind", "/etc/kdump.conf"));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_lines(void **state)
{
	_cleanup_(inputs_free) struct inputs inputs = { 0 };

	assert_no_error(inputs_parse_line("config - /a name with blanks", &inputs));
	assert_int_equal(inputs.count, 1);
	assert_string_equal(inputs.input[0].name, "/a name with blanks");
	assert_string_equal(inputs.input[0].identity, "-");
	assert_no_error(inputs_parse_line("of-tomorrow 1 x", &inputs));
	assert_int_equal(inputs.count, 1);
	assert_error(inputs_parse_line("config", &inputs), KD_ERR_FORMAT, "input");
	assert_error(inputs_parse_line("config -", &inputs), KD_ERR_FORMAT, "input");
	assert_error(inputs_parse_line("config - ", &inputs), KD_ERR_FORMAT, "input");
	assert_error(inputs_parse_line("config  x", &inputs), KD_ERR_FORMAT, "input");
}

static void test_transitions(void **state)
{
	struct tree *m = *state;

	assert_int_equal(transition_last(&m->root), STANDING_OFF);
	transition_note(&m->root, NULL, STANDING_NOT_ARMED, "no target");
	assert_int_equal(transition_last(&m->root), STANDING_NOT_ARMED);
	transition_note(&m->root, NULL, STANDING_ARMED, "kernel 6.1");
	assert_int_equal(transition_last(&m->root), STANDING_ARMED);
	transition_note(&m->root, NULL, STANDING_LACKING, "kernel 6.1; ext4 UUID=b is left out");
	assert_int_equal(transition_last(&m->root), STANDING_LACKING);
	transition_note(&m->root, NULL, STANDING_STALE, "/etc/kdump.conf has changed");
	assert_int_equal(transition_last(&m->root), STANDING_STALE);
	tree_text(m, TRANSITION_PATH, "armedness\n");
	assert_int_equal(transition_last(&m->root), STANDING_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_armed, tree_setup, tree_teardown),
		cmocka_unit_test(test_armed_judge),
		cmocka_unit_test_setup_teardown(test_armed_hash, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_each_change, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_uuid, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_uuid_on_volume, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_watchdogs, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_hardware, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_unknown_kind, setup, tree_teardown),
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_transitions, setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
