/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dumpfilter. */
#include <stdio.h>

#include "base/array.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/write/writer.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/testing.h"

static struct kd_error *parse(struct dumpfilter_command *command, const char *line)
{
	static char buf[256];
	char *argv[24] = { NULL };
	int argc = 0;

	snprintf(buf, sizeof(buf), "dumpfilter %s", line);
	for (char *word = strtok(buf, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return dumpfilter_parse_command(argc, argv, command);
}

static void test_command(void **state)
{
	/* clang-format off */
	static const char *const refused[] = {
		"-E -l a b", "-F a b", "-x", "-g", "-d", "-d 32 a b", "-d 1, a b", "-c -l", "--split a b", "--what a b",
		"-q", "a b c", "-d x a b", "--num-threads", "--message-level 32", "-E -F a", "-E --split a b c",
		"-F -d 1,31 a", "--split -d 1,31 a b c", "--reassemble a b", "--reassemble -E a b c", "-R a b c",
		"--dry-run --dump-dmesg a b", "-R --dump-dmesg a b", "--dry-run --reassemble a b c", "-F --split a b c",
		"--vtop x a", "-c --fast", "--uncompressed -l", "--small --uncompressed", "--partial-dmesg a b",
		"--json a b", "--mem-usage a b",
	};
	/* clang-format on */
	struct dumpfilter_command command;

	assert_no_error(parse(&command, "-l -d 31"));
	assert_int_equal(command.options.level, 31);
	assert_int_equal(command.options.codec->option, 'l');
	assert_null(command.input);
	assert_null(command.output);
	assert_int_equal(command.message_level, 7);
	assert_no_error(parse(&command, "-cd17,31,0 /proc/vmcore -f out --message-level 31 -D -D --num-threads 4"));
	assert_int_equal(command.options.level, 17);
	assert_int_equal(command.options.fallback_count, 2);
	assert_int_equal(command.options.fallback_level[0], 31);
	assert_int_equal(command.options.fallback_level[1], 0);
	assert_string_equal(command.input, "/proc/vmcore");
	assert_string_equal(command.output, "out");
	assert_true(command.options.replace);
	assert_int_equal(command.debug, 2);
	assert_int_equal(command.message_level, 31);
	assert_int_equal(command.options.threads, 4);
	assert_no_error(parse(&command, "--num-threads 0 --size-limit 3G --estimate a"));
	assert_int_equal(command.options.threads, 1);
	assert_int_equal(command.options.size_limit, UINT64_C(3) << 30);
	assert_true(command.estimate);
	assert_string_equal(command.input, "a");
	assert_null(command.output);
	assert_no_error(parse(&command, "--dump-dmesg a b"));
	assert_true(command.dump_dmesg);
	/* Without a word about compression: our own. */
	assert_false(command.codec_given);
	assert_ptr_equal(command.options.codec, codecs[0]);
	assert_no_error(parse(&command, "--uncompressed a b"));
	assert_true(command.codec_given);
	assert_null(command.options.codec);
	assert_no_error(parse(&command, "--fast --fast a b"));
	assert_string_equal(command.options.codec->long_option, "fast");
	assert_no_error(parse(&command, "--small a b"));
	assert_string_equal(command.options.codec->long_option, "small");
	assert_no_error(parse(&command, "--check-params -z -d 31"));
	assert_true(command.check_params);
	assert_false(dumpfilter_needs_program(&command));
	assert_no_error(parse(&command, "-x vmlinux -i info a b"));
	assert_string_equal(command.vmlinux, "vmlinux");
	assert_string_equal(command.vmcoreinfo, "info");
	assert_true(dumpfilter_needs_program(&command));
	assert_no_error(parse(&command, "-x vmlinux -g info"));
	assert_string_equal(command.generate, "info");
	assert_no_error(parse(&command, "--config a.conf --config-optional a b"));
	assert_string_equal(command.config, "a.conf");
	assert_true(command.config_optional && dumpfilter_needs_program(&command));
	/* What makedumpfile has and this has not is refused with a reason. */
	assert_error(parse(&command, "-e a b"), KD_ERR_USAGE, "--exclude-unused-vm is not supported: crash and drgn");
	assert_error(parse(&command, "--exclude-unused-vm a b"), KD_ERR_USAGE, "is not supported: crash and drgn");
	assert_error(parse(&command, "--fill-excluded-pages 0 a b"), KD_ERR_USAGE, "is not supported: readers");
	assert_error(parse(&command, "--diskset=a b"), KD_ERR_USAGE, "is not supported: dumps made by firmware");
	assert_error(parse(&command, "--eppic a b c"), KD_ERR_USAGE, "is not supported: use --config");
	assert_error(parse(&command, "-X a b"), KD_ERR_USAGE, "-X is not supported: dumps of a Xen");
	assert_error(parse(&command, "--xen-syms x a b"), KD_ERR_USAGE, "--xen-syms is not supported: dumps of a Xen");
	assert_error(parse(&command, "--xen-vmcoreinfo x a b"), KD_ERR_USAGE, "is not supported: dumps of a Xen");
	assert_error(parse(&command, "--xen_phys_start 1 a b"), KD_ERR_USAGE, "is not supported: dumps of a Xen");
	assert_no_error(parse(&command, "--work-dir /tmp --non-mmap a b"));
	assert_true(command.options.no_mmap);
	assert_no_error(parse(&command, "--dump-dmesg --partial-dmesg a b"));
	assert_true(command.options.since_clear);
	assert_no_error(parse(&command, "--vtop ffffffff81000000 a"));
	assert_true(command.vtop && command.vtop_address == STEXT && !command.output);
	assert_string_equal(command.input, "a");
	assert_no_error(parse(&command, "--vtop 0xffffffff81000000 a b"));
	assert_string_equal(command.output, "b");
	assert_no_error(parse(&command, "--mem-usage --json"));
	assert_string_equal(command.input, "/proc/kcore");
	assert_true(command.mem_usage && command.json);
	assert_no_error(parse(&command, "--mem-usage core"));
	assert_string_equal(command.input, "core");
	assert_no_error(parse(&command, "-h -v"));
	assert_true(command.show_help && command.show_version);
	/* Red Hat's line. */
	assert_no_error(parse(&command, "-l --message-level 7 -d 31"));
	assert_true(dumpfilter_writes_file(&command));
	assert_false(dumpfilter_needs_program(&command));

	assert_no_error(parse(&command, "-E -d 31 a b"));
	assert_ptr_equal(command.options.writer, &writer_elf);
	assert_true(dumpfilter_writes_file(&command) && dumpfilter_needs_program(&command));
	assert_no_error(parse(&command, "-F -c a"));
	assert_true(command.options.flatten);
	assert_string_equal(command.input, "a");
	assert_false(dumpfilter_writes_file(&command));
	assert_no_error(parse(&command, "-R a"));
	assert_true(command.rearrange && !command.input);
	assert_string_equal(command.output, "a");
	assert_no_error(parse(&command, "--split -z a b c d"));
	assert_ptr_equal(command.options.writer, &writer_split);
	assert_string_equal(command.input, "a");
	assert_string_equal(command.output, "b");
	assert_int_equal(command.part_count, 2);
	assert_string_equal(command.part[1], "d");
	assert_false(dumpfilter_writes_file(&command));
	assert_no_error(parse(&command, "--reassemble a b c"));
	assert_string_equal(command.output, "c");
	assert_int_equal(command.part_count, 2);
	assert_string_equal(command.part[0], "a");
	assert_no_error(parse(&command, "--dry-run --show-stats -d 31 a"));
	assert_string_equal(command.input, "a");
	assert_int_equal(command.message_level, 7 | 16);
	assert_no_error(
		parse(&command, "--non-mmap --cyclic-buffer 1024 --work-dir /tmp -b 4 --splitblock-size 1 -l a b"));
	assert_int_equal(command.options.window_pages, 8 << 20);
	assert_int_equal(command.options.memory_limit, 0);
	assert_no_error(parse(&command, "--max-memory 24M a b"));
	assert_int_equal(command.options.memory_limit, 24 << 20);
	assert_error(parse(&command, "--max-memory 24X a b"), KD_ERR_USAGE, "--max-memory 24X: not a size");
	assert_error(parse(&command, "--max-memory 0 a b"), KD_ERR_USAGE, "--max-memory 0: not a size");
	assert_error(parse(&command, "--cyclic-buffer 1M a b"), KD_ERR_USAGE, "--cyclic-buffer 1M: not a number");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_code(parse(&command, refused[i]), KD_ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
