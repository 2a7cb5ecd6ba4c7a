/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crashkernel= as data and in command lines; the regions of boot loaders' files. */
#include "tests/unit/testing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "kdump/boot/crashkernel.h"
#include "kdump/boot/regions.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* --- values ------------------------------------------------------------------------------------------------------- */

static void test_values(void **state)
{
	static const uint64_t K = 1024, M = 1024 * K, G = 1024 * M, NONE = UINT64_MAX;
	const struct {
		const char *text;
		struct crashkernel value; /* with its last range alone */
	} cases[] = {
		{ "256M", { CRASHKERNEL_PLAIN, false, { { 0, NONE, 256 * M } }, 1, false, 0 } },
		{ "262144K", { CRASHKERNEL_PLAIN, false, { { 0, NONE, 256 * M } }, 1, false, 0 } },
		{ "0x10000000", { CRASHKERNEL_PLAIN, false, { { 0, NONE, 256 * M } }, 1, false, 0 } },
		{ "256M@16M", { CRASHKERNEL_PLAIN, false, { { 0, NONE, 256 * M } }, 1, true, 16 * M } },
		{ "512M,high", { CRASHKERNEL_HIGH, false, { { 0, NONE, 512 * M } }, 1, false, 0 } },
		{ "72m,low", { CRASHKERNEL_LOW, false, { { 0, NONE, 72 * M } }, 1, false, 0 } },
		{ "1G,cma", { CRASHKERNEL_CMA, false, { { 0, NONE, G } }, 1, false, 0 } },
		{ "384M-:128M", { CRASHKERNEL_PLAIN, true, { { 384 * M, NONE, 128 * M } }, 1, false, 0 } },
		{ "1G-2G:64M,2048M-:128M@16M",
		  { CRASHKERNEL_PLAIN, true, { { 2 * G, NONE, 128 * M } }, 2, true, 16 * M } },
		{ "0-1G:0,1G-2G:100", { CRASHKERNEL_PLAIN, true, { { G, 2 * G, 100 } }, 2, false, 0 } },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct crashkernel *expected = &cases[i].value;
		struct crashkernel value;

		assert_no_error(crashkernel_parse(cases[i].text, &value));
		assert_int_equal(value.kind, expected->kind);
		assert_int_equal(value.by_memory, expected->by_memory);
		assert_int_equal(value.count, expected->count);
		assert_memory_equal(&value.range[value.count - 1], &expected->range[0], sizeof(value.range[0]));
		assert_int_equal(value.fixed, expected->fixed);
		assert_int_equal(value.offset, expected->offset);
	}
}

static void test_bad_values(void **state)
{
	static const char *const cases[] = {
		"",
		"M",
		"256X",
		"256M,",
		"256M,hihg",
		"256M@",
		"1G-",
		"1G-2G",
		"1G-2G:",
		"2G-1G:64M",
		"1G-1G:64M",
		"1G-:64M,",
		"1G:64M",
		"-1G:64M",
		"256M 1",
		"256M,high@16M",
		"99999999999999999999M",
		"1G-:64M,high",
	};
	struct crashkernel value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(crashkernel_parse(cases[i], &value), KD_ERR_USAGE, "crashkernel=");
}

static void test_too_many_ranges(void **state)
{
	char text[1024] = "";
	struct crashkernel value;
	int i;

	for (i = 0; i <= CRASHKERNEL_RANGES; i++)
		sprintf(text + strlen(text), "%s%dG-%dG:1M", i ? "," : "", i, i + 1);
	assert_error(crashkernel_parse(text, &value), KD_ERR_USAGE, "too many ranges");
}

static uint64_t size_for(const char *text, uint64_t ram)
{
	struct crashkernel value;

	assert_no_error(crashkernel_parse(text, &value));
	return crashkernel_size(&value, ram);
}

static void test_size_by_memory(void **state)
{
	assert_int_equal(size_for("256M", GIB(1)), MIB(256));
	assert_int_equal(size_for("1G-2G:64M,2G-:128M", MIB(512)), 0);
	assert_int_equal(size_for("1G-2G:64M,2G-:128M", MIB(1500)), MIB(64));
	assert_int_equal(size_for("1G-2G:64M,2G-:128M", GIB(64)), MIB(128));
	/* A little less than 2 GiB is 2 GiB of which the firmware has taken some. */
	assert_int_equal(size_for("1G-2G:64M,2G-:128M", GIB(2) - MIB(100)), MIB(128));
	assert_int_equal(size_for("1G-2G:64M,2G-:128M", GIB(2) - MIB(128)), MIB(64));
	/* More than there is: the kernel refuses the parameter. */
	assert_int_equal(size_for("0-:2G", GIB(1)), 0);
	assert_int_equal(crashkernel_setting_size("512M,high 72M,low 1G,cma", GIB(8)), MIB(584));
	assert_int_equal(crashkernel_setting_size("nonsense", GIB(8)), 0);
	assert_no_error(crashkernel_check_setting(crashkernel_default()));
	assert_int_equal(crashkernel_setting_size(crashkernel_default(), MIB(256)), 0);
	assert_int_equal(crashkernel_setting_size(crashkernel_default(), GIB(2)), MIB(128));
	assert_int_equal(crashkernel_setting_size(crashkernel_default(), GIB(4096)), MIB(512));
}

/* --- command lines ------------------------------------------------------------------------------------------------ */

static void test_get(void **state)
{
	static const struct {
		const char *cmdline, *setting;
	} cases[] = {
		{ "", NULL },
		{ "ro quiet", NULL },
		{ "ro crashkernel=256M quiet", "256M" },
		{ "crashkernel=1M crashkernel=2M", "2M" },
		{ "crashkernel=512M,high crashkernel=72M,low", "512M,high 72M,low" },
		{ "crashkernel=512M,high crashkernel=256M crashkernel=72M,low", "256M" },
		{ "crashkernel=64M,cma", NULL },
		{ "crashkernel=64M,cma crashkernel=128M", "128M" },
		{ "xcrashkernel=1M foo=\"a crashkernel=2M\" 'b crashkernel=3M'", NULL },
		{ "foo=\\\"a b\\\" crashkernel=4M", "4M" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char *setting = NULL;

		assert_no_error(crashkernel_get(cases[i].cmdline, strlen(cases[i].cmdline), &setting));
		if (cases[i].setting)
			assert_string_equal(setting, cases[i].setting);
		else
			assert_null(setting);
		free(setting);
	}
}

static void test_put(void **state)
{
	static const struct {
		const char *cmdline, *setting, *result;
	} cases[] = {
		{ "", "1M", "crashkernel=1M" },
		{ "ro", "1M", "ro crashkernel=1M" },
		{ "  ro\tfoo=\"a  b\"  ", "1M", "  ro\tfoo=\"a  b\" crashkernel=1M  " },
		{ "ro  crashkernel=9M\tquiet", "1M", "ro  crashkernel=1M\tquiet" },
		{ "a crashkernel=9M,high  crashkernel=8M,low b", "1M", "a crashkernel=1M b" },
		{ "a crashkernel=9M b", "2M,high 1M,low", "a crashkernel=2M,high crashkernel=1M,low b" },
		{ "a crashkernel=7M,cma crashkernel=9M", "1M", "a crashkernel=7M,cma crashkernel=1M" },
		{ "a crashkernel=7M,cma crashkernel=9M", "1M 5M,cma", "a crashkernel=1M crashkernel=5M,cma" },
		{ "a -- b", "1M", "a crashkernel=1M -- b" },
		{ "-- b", "1M", "crashkernel=1M -- b" },
		{ "$X", "1M", "$X crashkernel=1M" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char *result;

		assert_no_error(crashkernel_put(cases[i].cmdline, strlen(cases[i].cmdline), cases[i].setting, &result));
		assert_string_equal(result, cases[i].result);
		free(result);
	}
}

/* With any text before: putting a region twice equals putting it once, and the rest stays unchanged. */
static void test_put_is_idempotent(void **state)
{
	static const char pieces[] = " \t\"'=-ac";
	char cmdline[16], *once, *twice, *got;
	unsigned int seed = 1, n, i;

	for (n = 0; n < 20000; n++) {
		for (i = 0; i < sizeof(cmdline) - 1; i++) {
			seed = seed * 1103515245 + 12345;
			cmdline[i] = pieces[(seed >> 16) % (sizeof(pieces) - 1)];
		}
		cmdline[i] = '\0';
		assert_no_error(crashkernel_put(cmdline, i, "1M", &once));
		assert_no_error(crashkernel_get(once, strlen(once), &got));
		if (got) { /* none where a quote stays open */
			assert_string_equal(got, "1M");
			assert_no_error(crashkernel_put(once, strlen(once), "1M", &twice));
			assert_string_equal(once, twice);
			free(twice);
		}
		free(once);
		free(got);
	}
}

static void test_check_setting(void **state)
{
	assert_no_error(crashkernel_check_setting("512M,high 72M,low"));
	assert_no_error(crashkernel_check_setting("256M,cma 512M,high"));
	assert_no_error(crashkernel_check_setting("256M 256M,cma"));
	assert_error(crashkernel_check_setting("72M,low"), KD_ERR_USAGE, "72M,low reserves nothing by itself");
	assert_error(crashkernel_check_setting("256M,cma"), KD_ERR_USAGE, "256M,cma reserves nothing by itself");
	assert_error(crashkernel_check_setting("72M,low 256M,cma"), KD_ERR_USAGE, "put SIZE,high beside it");
	assert_error(crashkernel_check_setting(""), KD_ERR_USAGE, "empty");
	assert_error(crashkernel_check_setting("256M\" init=/bin/sh"), KD_ERR_USAGE, "quotes");
	assert_error(crashkernel_check_setting("256M init=/bin/sh"), KD_ERR_USAGE, "init=/bin/sh");
	assert_error(crashkernel_check_setting("$(reboot)"), KD_ERR_USAGE, "a size is expected");
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void scan(boot_scan *scanner, const void *arg, const char *text, struct boot_file *file)
{
	*file = (struct boot_file){ .path = strdup("/f"), .text = strdup(text) };
	assert_no_error(scanner(file, arg));
}

static void assert_region(const struct boot_file *file, size_t i, const char *words, const char *kernel)
{
	const struct boot_region *region = &file->region[i];

	assert_true(i < file->regions);
	assert_int_equal(region->end - region->start, strlen(words));
	assert_memory_equal(file->text + region->start, words, strlen(words));
	if (kernel)
		assert_string_equal(region->kernel, kernel);
	else
		assert_null(region->kernel);
}

static void release(struct boot_file *file)
{
	struct boot_config config = { .file = malloc(sizeof(*file)), .files = 1 };

	config.file[0] = *file;
	boot_config_free(&config);
}

static const char *const names[] = { "A", NULL };

static void test_scan_shell(void **state)
{
	struct boot_file file;

	scan(boot_scan_shell, names,
	     "# A=\"no\"\n A=\"one two\" # A=3\nexport A='$x \"y\"'\nAB=1\nA=bare\nA+=\"\\\" z\"'t'\n", &file);
	assert_int_equal(file.regions, 5);
	assert_region(&file, 0, "one two", NULL);
	assert_region(&file, 1, "$x \"y\"", NULL);
	assert_region(&file, 2, "bare", NULL);
	assert_true(file.region[2].bare);
	assert_region(&file, 3, "\\\" z", NULL);
	assert_region(&file, 4, "t", NULL);
	release(&file);
}

static void test_scan_shell_open_quote(void **state)
{
	struct boot_file file = { .path = strdup("/f"), .text = strdup("A=\"one\n\n") };

	assert_error(boot_scan_shell(&file, names), KD_ERR_FORMAT, "/f: a \" is not closed");
	release(&file);
}

static void test_void(void **state)
{
	struct boot_config config = { .file = calloc(1, sizeof(*config.file)), .files = 1 };

	scan(boot_scan_shell, names, "A=\"1\"\nA=\"2\"\nA=\"$A 3\"\nA+=4\nA=\"${A} 5\"\n", &config.file[0]);
	boot_config_void(&config, "A");
	assert_true(config.file[0].region[0].void_);
	assert_false(config.file[0].region[1].void_);
	assert_false(config.file[0].region[2].void_);
	assert_false(config.file[0].region[3].void_);
	assert_false(config.file[0].region[4].void_);
	boot_config_free(&config);
}

static void test_scan_entry(void **state)
{
	struct boot_file file;

	scan(boot_scan_entry, NULL, "title x\noptions  a b \nlinux /k\noptions c", &file);
	assert_int_equal(file.regions, 2);
	assert_region(&file, 0, "a b", "/k");
	assert_false(file.region[0].add);
	assert_region(&file, 1, "c", "/k");
	assert_true(file.region[1].add);
	release(&file);
}

static void test_scan_extlinux(void **state)
{
	struct boot_file file;

	scan(boot_scan_extlinux, NULL, "append top\nlabel a\n linux /a\nlabel b\n\tKERNEL /b\n\tAPPEND x y\n", &file);
	assert_int_equal(file.regions, 3);
	assert_region(&file, 0, "top", NULL);
	assert_false(file.region[0].add);
	assert_region(&file, 1, "", "/a");
	assert_string_equal(file.region[1].missing, "\n\tappend ");
	assert_region(&file, 2, "x y", "/b");
	assert_true(file.region[2].add);
	release(&file);
}

static void test_scan_words(void **state)
{
	struct boot_file file;

	scan(boot_scan_words, NULL, "# comment\nro quiet \n", &file);
	assert_int_equal(file.regions, 1);
	assert_region(&file, 0, "ro quiet", NULL);
	release(&file);
	scan(boot_scan_words, NULL, "", &file);
	assert_int_equal(file.regions, 1);
	assert_true(file.region[0].add);
	release(&file);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_too_many_ranges),
		cmocka_unit_test(test_size_by_memory),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_put_is_idempotent),
		cmocka_unit_test(test_check_setting),
		cmocka_unit_test(test_scan_shell),
		cmocka_unit_test(test_scan_shell_open_quote),
		cmocka_unit_test(test_void),
		cmocka_unit_test(test_scan_entry),
		cmocka_unit_test(test_scan_extlinux),
		cmocka_unit_test(test_scan_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
