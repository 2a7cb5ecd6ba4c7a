/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What start, stop and reload say, with the system calls of kexec replaced: nothing is loaded here. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "kdump/arming/armed.h"
#include "kdump/loader/kexec_call.h"
#include "kdump/verbs/verbs.h"

/* --- the kernel --------------------------------------------------------------------------------------------------- */

static unsigned int loads, unloads;
static bool refuse_unload;

struct kd_error *kexec_call_load(const struct kexec_call *call, const struct segments *segments, uint64_t entry)
{
	loads++;
	return NULL;
}

struct kd_error *kexec_call_file_load(const struct kexec_call *call, const struct kexec_files *files)
{
	loads++;
	return NULL;
}

struct kd_error *kexec_call_unload(bool on_crash)
{
	assert_true(on_crash);
	unloads++;
	return refuse_unload ? kd_error_os(EBUSY, "kexec_load") : NULL;
}

struct kd_error *kexec_call_reboot(void)
{
	fail_msg("nobody wants to reboot");
	return NULL;
}

/* --- a machine ---------------------------------------------------------------------------------------------------- */

struct machine {
	struct tree tree;
	struct kdumpctl ctl;
	char *said; /* on standard error, once it is flushed */
	size_t size;
};

static void put(struct machine *m, const char *path, const char *text)
{
	tree_text(&m->tree, path, text);
}

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	FILE *out;

	assert_non_null(m);
	tree_make(&m->tree);
	m->ctl.root = m->tree.root;
	out = open_memstream(&m->said, &m->size);
	assert_non_null(out);
	kd_log_init(&m->ctl.log, out, "kdump", KD_LOG_INFO);
	m->ctl.conf_file = "/etc/kdump.conf";
	m->ctl.capture = "/capture";
	put(m, "/etc/kdump.conf", "");
	put(m, "/sys/kernel/kexec_crash_loaded", "0\n");
	put(m, "/sys/kernel/kexec_crash_size", "268435456\n");
	put(m, "/proc/sys/kernel/osrelease", "6.1\n");
	put(m, "/proc/sys/kernel/random/boot_id", "0000-boot\n");
	loads = unloads = 0;
	refuse_unload = false;
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fclose(m->ctl.log.stream);
	free(m->said);
	tree_remove(&m->tree);
	free(m);
	return 0;
}

static void assert_said(struct machine *m, const char *line)
{
	fflush(m->ctl.log.stream);
	if (!strstr(m->said, line))
		fail_msg("\"%s\" is not in:\n%s", line, m->said);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

/* Red Hat's: something is loaded, so there is nothing to do, and that is success. */
static void test_start_again(void **state)
{
	struct machine *m = *state;
	int status = 0;

	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	assert_no_error(arm_start(&m->ctl, &status));
	assert_int_equal(status, 0);
	assert_said(m, "kdump: WARNING: Kdump already running: [WARNING]\n");
	assert_int_equal(loads, 0);
}

static void test_stop(void **state)
{
	struct machine *m = *state;
	struct armed armed = { 0 };
	bool found = true;
	int status = 0;

	put(m, ARMED_PATH, "time 1\nboot_id 0000-boot\nkernel /boot/vmlinuz-6.1\n");
	assert_no_error(arm_stop(&m->ctl, &status));
	assert_int_equal(unloads, 1);
	assert_said(m, "kdump: kexec: unloaded kdump kernel\n");
	assert_said(m, "kdump: Stopping kdump: [OK]\n");
	assert_no_error(armed_read(&m->ctl.root, &armed, &found));
	assert_false(found);
}

/* main() adds "Stopping kdump: [FAILED]", and the record of what is loaded stays. */
static void test_stop_refused(void **state)
{
	struct machine *m = *state;
	_cleanup_(armed_free) struct armed armed = { 0 };
	bool found = false;
	int status = 0;

	put(m, ARMED_PATH, "time 1\nboot_id 0000-boot\nkernel /boot/vmlinuz-6.1\n");
	refuse_unload = true;
	assert_error(arm_stop(&m->ctl, &status), KD_ERR_OS, "kexec_load");
	assert_no_error(armed_read(&m->ctl.root, &armed, &found));
	assert_true(found);
}

/* A reload without anything loaded is said, and is tried. */
static void test_reload_of_nothing(void **state)
{
	struct machine *m = *state;
	int status = 0;

	assert_error(arm_reload(&m->ctl, &status), KD_ERR_NOT_FOUND, "the file of kernel 6.1 was not found");
	assert_said(m, "kdump: WARNING: Kdump was not running: [WARNING]\n");
	assert_int_equal(loads, 0);
}

/* What is armed stays armed when something is wrong with what should take its place. */
static void test_restart_that_fails(void **state)
{
	struct machine *m = *state;
	int status = 0;

	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	assert_error(arm_restart(&m->ctl, &status), KD_ERR_NOT_FOUND, "the file of kernel 6.1 was not found");
	assert_int_equal(unloads, 0);
	assert_int_equal(loads, 0);
}

/* Red Hat's words of "test", up to where it would crash. */
static void test_creation_test(void **state)
{
	struct machine *m = *state;
	int status = 0, out;

	assert_error(test_run(&m->ctl, &status), KD_ERR_STATE, "Kdump needs be operational before test.");
	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	assert_non_null(freopen("/dev/null", "r", stdin)); /* nobody who could say yes */
	/* The list of checks has lines that begin with "ok", too. */
	fflush(stdout);
	out = dup(STDOUT_FILENO);
	assert_true(out >= 0 && freopen("/dev/null", "w", stdout) != NULL);
	assert_no_error(test_run(&m->ctl, &status));
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0 && close(out) == 0);
	assert_int_equal(status, 0);
	assert_said(m, "DANGER!!! Will perform a kdump test by crashing the system, proceed? (y/N): ");
	assert_said(m, "kdump: Operation cancelled.\n");
	assert_int_equal(loads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_of_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_creation_test, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
