/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /etc/default/kdump, which is read and not run. */
#include <stdio.h>

#include "base/array.h"
#include "kdump/config/settings.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

static void test_settings(void **state)
{
	_cleanup_(settings_free) struct settings s = { 0 };

	assert_no_error(settings_parse("\xef\xbb\xbf# Kernel \xc2\xa0\r\n\nKDUMP_KERNELVER=\"\"\n"
				       "KDUMP_COMMANDLINE_REMOVE=\"hugepages quiet\"\n"
				       "  KDUMP_COMMANDLINE_APPEND='nr_cpus=1 x=$y' # why\n"
				       "KEXEC_ARGS=\"-s\"\nKDUMP_IMG=vmlinuz\nKDUMP_STDLOGLVL=3\n"
				       "KDUMP_BOOTDIR=/boot #x\n",
				       "f", NULL, &s));
	assert_null(s.kernel_version);
	assert_string_equal(s.commandline_remove, "hugepages quiet");
	assert_string_equal(s.commandline_append, "nr_cpus=1 x=$y");
	assert_string_equal(s.image, "vmlinuz");
	assert_string_equal(s.boot_dir, "/boot");
	assert_int_equal(s.call, LOADER_CALL_FILE_LOAD);
	assert_string_equal(s.file, "f");
}

static void test_settings_errors(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "\nKDUMP_IMG=\"$(ls)\"\n", "f:2: value of KDUMP_IMG: quotes, $" },
		{ "KDUMP_IMG=`ls`\n", "no shell runs this file" },
		{ "KDUMP_IMG=\"abc\n", "closing quote" },
		{ "KDUMP_IMG=a b\n", "needs quotes" },
		{ "KDUMP_IMG=a;b\n", "needs quotes" },
		{ "KDUMP_IMG='a'b'\n", "not understood" },
		{ "KDUMP_IMG = a\n", "is not a name" },
		{ "export KDUMP_IMG=a\n", "is not a name" },
		{ "source /etc/x\n", "not a KEY=value line" },
		{ "KDUMP_IMG=\xc2\xa0x\n", "f:1: a no-break space (\\xc2\\xa0) stands in this line" },
		{ "KEXEC_ARGS=\"--mem-min=1\"\n", "f:1: KEXEC_ARGS takes -s, -c or -a, not --mem-min=1" },
		{ "KEXEC_ARGS=\"-s --noefi\"\n", "not --noefi: add noefi to KDUMP_COMMANDLINE_APPEND instead" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings s;

		assert_error(settings_parse(cases[i].text, "f", NULL, &s), KD_ERR_CONFIG, cases[i].expected);
	}
}

static void test_settings_unknown_warns(void **state)
{
	_cleanup_(settings_free) struct settings s = { 0 };
	_cleanup_free_ char *text = NULL;
	struct kd_log log;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	assert_no_error(settings_parse("KDUMP_SAVEDIR=\"/x\"\nKDUMP_STDLOGLVL=1\n", "f", &log, &s));
	fclose(out);
	assert_string_equal(text, "kdump: WARNING: f:1: the unknown setting KDUMP_SAVEDIR is ignored\n");
}

/* What Red Hat's and Debian's files have had over the years. */
static void test_settings_kexec_args(void **state)
{
	static const struct {
		const char *text, *warning;
		enum loader_call call;
	} cases[] = {
		{ "KEXEC_ARGS=\"--elf64-core-headers\"\n", "", LOADER_CALL_AUTO },
		{ "KEXEC_ARGS=\"-s --args-linux -p\"\n", "", LOADER_CALL_FILE_LOAD },
		{ "KEXEC_ARGS=\" --elf32-core-headers -c\"\n",
		  "kdump: WARNING: f:1: KEXEC_ARGS: --elf32-core-headers is ignored: the headers always have 64 bits, which "
		  "describe all memory\n",
		  LOADER_CALL_LOAD },
		{ "KEXEC_ARGS=\"--no-checks\"\n",
		  "kdump: WARNING: f:1: KEXEC_ARGS: --no-checks is ignored: kdumpctl always checks the loaded image\n",
		  LOADER_CALL_AUTO },
		{ "KEXEC_ARGS=\"--real-mode --dt-no-old-root\"\n",
		  "kdump: WARNING: f:1: KEXEC_ARGS: --real-mode is ignored: kernels are entered in 64-bit mode\n"
		  "kdump: WARNING: f:1: KEXEC_ARGS: --dt-no-old-root is ignored: this machine has no device tree\n",
		  LOADER_CALL_AUTO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(settings_free) struct settings s = { 0 };
		_cleanup_free_ char *text = NULL;
		struct kd_log log;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		kd_log_init(&log, out, "kdump", KD_LOG_INFO);
		assert_no_error(settings_parse(cases[i].text, "f", &log, &s));
		fclose(out);
		assert_string_equal(text, cases[i].warning);
		assert_int_equal(s.call, cases[i].call);
	}
}

static void test_settings_files(void **state)
{
	struct tree *m = *state;
	_cleanup_(settings_free) struct settings none = { 0 }, some = { 0 }, link = { 0 }, edited = { 0 };

	assert_no_error(settings_load(&m->root, NULL, &none));
	assert_null(none.file);
	assert_int_equal(none.call, LOADER_CALL_AUTO);
	tree_text(m, KD_SYSCONFDIR "/default/kdump", "KEXEC_ARGS=-c\n");
	assert_no_error(settings_load(&m->root, NULL, &some));
	assert_int_equal(some.call, LOADER_CALL_LOAD);
	/* Debian's package makes the other name a link, which "sed -i" turns into a file. */
	tree_link(m, KD_SYSCONFDIR "/sysconfig/kdump", "../default/kdump");
	assert_no_error(settings_load(&m->root, NULL, &link));
	assert_int_equal(link.call, LOADER_CALL_LOAD);
	tree_delete(m, KD_SYSCONFDIR "/sysconfig/kdump");
	tree_text(m, KD_SYSCONFDIR "/sysconfig/kdump", "KEXEC_ARGS=-s\n");
	assert_no_error(settings_load(&m->root, NULL, &edited));
	assert_int_equal(edited.call, LOADER_CALL_FILE_LOAD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_errors),
		cmocka_unit_test(test_settings_unknown_warns),
		cmocka_unit_test(test_settings_kexec_args),
		cmocka_unit_test_setup_teardown(test_settings_files, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
