/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Additions by the operator: VMCOREINFO from a file, a configuration for erasing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "dumpfilter/cli/supplement.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

static char dir[TEMPORARY_SIZE], core[96], dump[96], file[96];

static int make_dir(void **state)
{
	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	snprintf(dump, sizeof(dump), "%s/dump", dir);
	snprintf(file, sizeof(file), "%s/file", dir);
	return 0;
}

static int remove_dir(void **state)
{
	temporary_remove(dir);
	return 0;
}

/* A machine with 16 free pages. Its VMCOREINFO is in a file, with symbols @move below their addresses. */
static void make_machine(struct machine *machine, uint64_t move)
{
	char text[16384] = "";

	machine_init(machine, 4);
	machine_put(machine, machine_page(128) + 48, (uint32_t)-129, 4);
	machine_put(machine, machine_page(128) + 40, 4, 8);
	for (const char *line = machine->info; *line; line = strchr(line, '\n') + 1) {
		const char *value = strchr(line, '=') + 1;
		size_t used = strlen(text);

		if (strncmp(line, "SYMBOL(", 7) == 0)
			snprintf(text + used, sizeof(text) - used, "%.*s%lx\n", (int)(value - line), line,
				 strtoul(value, NULL, 16) - move);
		else if (strncmp(line, "NUMBER(phys_base)", 17) != 0)
			snprintf(text + used, sizeof(text) - used, "%.*s", (int)(strchr(line, '\n') + 1 - line), line);
	}
	assert_no_error(kd_write_file_atomic(file, text, strlen(text), 0600));
	machine->info[0] = '\0';
}

static struct kd_error *run(struct dumpfilter_command *command, struct dumpfilter_report *report)
{
	_cleanup_(supplement_close) struct supplement *supplement = NULL;
	struct kd_error *err;

	*report = (struct dumpfilter_report){ 0 };
	command->options.level = 31;
	unlink(dump);
	err = supplement_open(command, NULL, &supplement);
	return err ? err : dumpfilter_run(core, dump, &command->options, report);
}

/* Each row: the vmcore's own VMCOREINFO, and the distance of its symbols from those of the file. */
static void test_vmcoreinfo_file(void **state)
{
	static const struct {
		const char *info;
		uint64_t move;
	} cases[] = {
		{ "", 0 },
		{ "", 0x1000000 }, /* the image's segment tells */
		{ "KERNELOFFSET=1000000\n", 0x1000000 },
		{ "SYMBOL(_stext)=ffffffff81000000\n", 0x200000 },
		{ "OSRELEASE=6.1.0-test\nBUILD-ID=00112233\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dumpfilter_command command = { .vmcoreinfo = file };
		struct dumpfilter_report report;
		struct kdump_sub_header sub;
		_cleanup_free_ char *data = NULL;
		struct machine machine;
		size_t size;

		make_machine(&machine, cases[i].move);
		strcpy(machine.info, cases[i].info);
		machine_write(&machine, core);
		assert_no_error(run(&command, &report));
		assert_false(report.unfiltered);
		assert_int_equal(report.pages[PAGE_FREE], 16);
		assert_no_error(kd_read_file(dump, 64 << 20, &data, &size));
		memcpy(&sub, data + 4096, sizeof(sub));
		assert_true(sub.vmcoreinfo_offset > sub.notes_offset);
		assert_true(sub.vmcoreinfo_offset + sub.vmcoreinfo_size <= sub.notes_offset + sub.notes_size);
		/* Who reads the dump needs it, too. */
		if (!*cases[i].info) {
			data[sub.vmcoreinfo_offset + sub.vmcoreinfo_size] = '\0';
			assert_non_null(strstr(data + sub.vmcoreinfo_offset, "SYMBOL(_stext)=ffffffff81000000\n"));
			assert_non_null(strstr(data + sub.vmcoreinfo_offset, "NUMBER(phys_base)=0\n"));
		}
		machine_release(&machine);
	}
}

static void test_refused(void **state)
{
	struct dumpfilter_command command = { .vmcoreinfo = file };
	struct dumpfilter_report report;
	struct machine machine;

	make_machine(&machine, 0);
	strcpy(machine.info, "OSRELEASE=6.1.0-other\n");
	machine_write(&machine, core);
	assert_error(run(&command, &report), KD_ERR_USAGE,
		     "belongs to kernel 6.1.0-test, but kernel 6.1.0-other crashed");
	strcpy(machine.info, "BUILD-ID=44556677\n");
	machine_write(&machine, core);
	assert_error(run(&command, &report), KD_ERR_USAGE, "belongs to a different build (00112233)");
	assert_int_equal(access(dump, F_OK), -1);
	machine_release(&machine);

	assert_no_error(kd_write_file_atomic(file, "A=1\0B", 5, 0600));
	assert_error(run(&command, &report), KD_ERR_CONFIG, "not a text file");
	command = (struct dumpfilter_command){ .vmcoreinfo = "/nonexistent" };
	assert_error(run(&command, &report), KD_ERR_OS, "/nonexistent");
	command = (struct dumpfilter_command){ .vmlinux = file };
	assert_error(run(&command, &report), KD_ERR_FORMAT, "not an ELF file");
	command = (struct dumpfilter_command){ .generate = dump };
	assert_error(supplement_generate(&command, NULL), KD_ERR_USAGE, "name the vmlinux to make it from with -x");
	command = (struct dumpfilter_command){ .generate = dump, .vmlinux = "/proc/self/exe" };
	struct kd_error *err = supplement_generate(&command, NULL);
	assert_non_null(err); /* not a kernel, or no types to be had */
	kd_error_destroy(err);
	assert_int_equal(access(dump, F_OK), -1);
}

static void test_config(void **state)
{
	struct dumpfilter_command command = { .config = file };
	struct dumpfilter_report report;
	struct machine machine;

	assert_no_error(kd_write_file_atomic(file, "\nwipe x\n", 8, 0600));
	assert_error(run(&command, &report), KD_ERR_CONFIG, "/file:2: ");

	/* Names that are nowhere to be had are no reason to write what should be erased. */
	machine_init(&machine, 4);
	machine_write(&machine, core);
	assert_no_error(kd_write_file_atomic(file, "erase x\n", 8, 0600));
	assert_error(run(&command, &report), KD_ERR_NOT_FOUND, "/file:1: [vmlinux]: the kernel's symbols (kallsyms)");
	assert_int_equal(access(dump, F_OK), -1);
	command.config_optional = true;
	assert_no_error(run(&command, &report));
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmcoreinfo_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_config),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
