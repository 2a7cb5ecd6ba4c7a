/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel log: the ring buffer since 5.10, and the records before it. */
#include <stdio.h>

#include "base/array.h"
#include "dumpfilter/dumpfilter.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/testing.h"

static struct kd_error *read_log_with(const struct machine *machine, bool since_clear, char *text, size_t size)
{
	struct dumpfilter_options options = { .since_clear = since_clear };
	FILE *out = fmemopen(text, size, "w");
	struct kd_error *err;

	assert_non_null(out);
	memset(text, 0, size);
	machine_write(machine, core);
	err = dumpfilter_dmesg_with(core, out, &options);
	fclose(out);
	return err;
}

static struct kd_error *read_log(const struct machine *machine, char *text, size_t size)
{
	return read_log_with(machine, false, text, size);
}

static struct kd_error *read_log_since_clear(const struct machine *machine, char *text, size_t size)
{
	return read_log_with(machine, true, text, size);
}

#define MISSING "-- the log is damaged here: records are missing --\n"

static void test_log(void **state)
{
	uint64_t start = UINT64_MAX - 127; /* 128 bytes before positions wrap */
	struct machine machine;
	char text[4096];

	machine_init_log(&machine);
	/* The log needs no mem_map. */
	machine_forget(&machine, "SYMBOL(mem_section)");
	machine_add_record(&machine, 0, 2, start, start + 32, "first");
	machine_add_record(&machine, 1, 1, start + 32, start + 64, "two\nlines \t\x1b\xc3");
	machine_add_record(&machine, 2, 0, start + 64, start + 80, "reserved");
	machine_add_record(&machine, 3, 3, start + 80, start + 96, "reusable");
	machine_add_record(&machine, 4, 2, 3, 3, "");                                                 /* no text */
	machine_add_record(&machine, 5, 2, start + 96, start + 128 + 40, "at the start of the ring"); /* wraps */
	machine_add_record(&machine, 6, 2, 40, 56, "cut");
	machine_put(&machine, PHYS(LOG_INFOS + (LOG_TAIL_ID + 6) % 8 * 88 + 16), 200, 2); /* longer than its block */
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_memory_equal(text,
			    "[    0.000000] first\n"
			    "[    1.000001] two\n"
			    "               lines \t\\x1b\\xc3\n"
			    "[    4.000004] \n"
			    "[    5.000005] at the start of the ring\n"
			    "[    6.000006] cut\\x00\\x00\\x00\\x00\\x00\n",
			    166);

	/* What came after the fifth, of a counter that is odd and hence has the second half. */
	machine_info(&machine,
		     "SYMBOL(clear_seq)=%lx\nOFFSET(printk_info.seq)=0\nSIZE(latched_seq)=24\n"
		     "OFFSET(latched_seq.val)=8\n",
		     PRB + 0x40);
	for (uint64_t i = 0; i < 7; i++)
		machine_put(&machine, PHYS(LOG_INFOS + (LOG_TAIL_ID + i) % 8 * 88), 100 + i, 8);
	machine_put(&machine, PHYS(PRB + 0x40), 3, 4);
	machine_put(&machine, PHYS(PRB + 0x48), 101, 8);
	machine_put(&machine, PHYS(PRB + 0x50), 105, 8);
	assert_no_error(read_log_since_clear(&machine, text, sizeof(text)));
	assert_memory_equal(text, "[    5.000005] at the start of the ring\n[    6.000006] cut", 58);
	machine_put(&machine, PHYS(PRB + 0x40), 4, 4);
	assert_no_error(read_log_since_clear(&machine, text, sizeof(text)));
	assert_memory_equal(text, "[    1.000001] two\n", 19);

	/* A block that belongs to another record by now. */
	machine_add_record(&machine, 7, 2, 56, 80, "lost");
	machine_put(&machine, PHYS(LOG_TEXT + 56), 12345, 8);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_non_null(strstr(text, "[    7.000007] \n"));

	/* A head that is never reached: every slot is looked at once. */
	machine_put(&machine, PHYS(LOG_RING + 24), 0x777, 8);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_non_null(strstr(text, "[    7.000007] \n"));

	/* A tail that was overwritten: every slot that holds a record is taken, the oldest first. */
	machine_put(&machine, PHYS(LOG_RING + 32), 0x5555555, 8);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_memory_equal(text, MISSING "[    0.000000] first\n[    1.000001] two\n", sizeof(MISSING) + 37);
	assert_non_null(strstr(text, "[    7.000007] \n"));
	machine_put(&machine, PHYS(LOG_RING + 32), LOG_TAIL_ID, 8);

	/* Sizes that no kernel has, and those that are more than the memory. */
	machine_put(&machine, PHYS(LOG_RING), 40, 4);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_put(&machine, PHYS(LOG_RING), 30, 4);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_put(&machine, PHYS(LOG_RING), 3, 4);
	machine_put(&machine, PHYS(LOG_RING + 64), 30, 4);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_put(&machine, PHYS(LOG_RING + 64), 8, 4);
	machine_put(&machine, PHYS(LOG_RING), 3, 4);
	/* The text is not there, and only the record that has none is whole. */
	machine_put(&machine, PHYS(LOG_RING + 72), 0x1000, 8);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_string_equal(text, MISSING "[    4.000004] \n" MISSING);
	/* The descriptors are not there. */
	machine_put(&machine, PHYS(LOG_RING + 8), 0x1000, 8);
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_HOLE);
	machine_forget(&machine, "SYMBOL(prb)");
	assert_code(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT);
	machine_release(&machine);
}

/* Records whose blocks overlap, so that together they have more text than the ring. */
static void test_log_too_much_text(void **state)
{
	struct machine machine;
	char text[4096];

	machine_init_log(&machine);
	for (unsigned int i = 0; i < 8; i++)
		machine_add_record(&machine, i, 2, i * 32, i * 32 + 32, "");
	for (unsigned int i = 0; i < 8; i++)
		machine_put(&machine, PHYS(LOG_INFOS + i * 88 + 16), 24, 2);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	for (unsigned int i = 0; i < 8; i++)
		machine_put(&machine, PHYS(LOG_INFOS + i * 88 + 16), 48, 2);
	for (unsigned int i = 0; i < 8; i++)
		machine_put(&machine, PHYS(LOG_DESCS + (LOG_TAIL_ID + i) % 8 * 24 + 16), i * 32 + 64, 8);
	/* As much text as the ring has, and no more. */
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_non_null(strstr(text, "[    4.000004]"));
	assert_non_null(strstr(text, MISSING));
	assert_in_range(strlen(text), 0, 8 * sizeof("[    0.000000] \n") + sizeof(MISSING) + 256 * sizeof("\\x00"));
	machine_release(&machine);
}

/* Before 5.10: records of 16 bytes and their text, in 256 bytes. */
static void put_record(struct machine *machine, uint64_t offset, uint64_t length, unsigned int seconds,
		       const char *text)
{
	machine_put(machine, PHYS(LOG_TEXT + offset), UINT64_C(1000000000) * seconds, 8);
	machine_put(machine, PHYS(LOG_TEXT + offset + 8), length, 2);
	machine_put(machine, PHYS(LOG_TEXT + offset + 10), strlen(text), 2);
	memcpy(machine->ram + PHYS(LOG_TEXT + offset + 16), text, strlen(text));
}

#define OLD_1 "[    1.000000] the oldest\n"
#define OLD_2 "[    2.000000] \n"
#define OLD_3 "[    3.000000] two\n               lines\\x1b\n"
#define OLD_4 "[    4.000000] sixteen letters!\n"

static void test_old_log(void **state)
{
	static const struct {
		uint64_t at, value;
		size_t size;
		const char *text;
	} wrong[] = {
		/* The first one's index: all of them, from the buffer's start. */
		{ PRB + 16, 300, 4, MISSING OLD_3 OLD_4 MISSING OLD_1 OLD_2 MISSING },
		{ PRB + 24, 250, 4, OLD_1 OLD_2 MISSING OLD_3 OLD_4 }, /* the one behind the last is never met */
		{ PRB + 24, 300, 4, MISSING OLD_3 OLD_4 MISSING OLD_1 OLD_2 MISSING },
		{ LOG_TEXT + 32 + 8, 15, 2, OLD_1 OLD_2 OLD_3 MISSING },
		{ LOG_TEXT + 32 + 8, 250, 2, OLD_1 OLD_2 OLD_3 MISSING },
		{ LOG_TEXT + 32 + 10, 17, 2, OLD_1 OLD_2 OLD_3 MISSING },
		{ LOG_TEXT + 0 + 8, 250, 2, OLD_1 OLD_2 MISSING OLD_4 },
		{ LOG_TEXT + 0 + 8, 0, 2, OLD_1 OLD_2 MISSING OLD_4 },
	};
	struct machine machine;
	char text[4096];

	machine_init(&machine, 4);
	machine_info(&machine,
		     "SYMBOL(log_buf)=%lx\nSYMBOL(log_buf_len)=%lx\nSYMBOL(log_first_idx)=%lx\n"
		     "SYMBOL(log_next_idx)=%lx\nSIZE(printk_log)=16\nOFFSET(printk_log.ts_nsec)=0\n"
		     "OFFSET(printk_log.len)=8\nOFFSET(printk_log.text_len)=10\n",
		     PRB, PRB + 8, PRB + 16, PRB + 24);
	for (size_t i = 0; i <= ARRAY_SIZE(wrong); i++) {
		machine_put(&machine, PHYS(PRB), LOG_TEXT, 8);
		machine_put(&machine, PHYS(PRB + 8), 256, 4);
		machine_put(&machine, PHYS(PRB + 16), 160, 4);
		machine_put(&machine, PHYS(PRB + 24), 64, 4);
		put_record(&machine, 160, 40, 1, "the oldest");
		put_record(&machine, 200, 24, 2, "");
		put_record(&machine, 224, 0, 0, ""); /* the next is at the start */
		put_record(&machine, 0, 32, 3, "two\nlines\x1b");
		put_record(&machine, 32, 32, 4, "sixteen letters!");
		if (i == 0) {
			assert_no_error(read_log(&machine, text, sizeof(text)));
			assert_string_equal(text, "[    1.000000] the oldest\n"
						  "[    2.000000] \n"
						  "[    3.000000] two\n"
						  "               lines\\x1b\n"
						  "[    4.000000] sixteen letters!\n");
			continue;
		}
		machine_put(&machine, PHYS(wrong[i - 1].at), wrong[i - 1].value, wrong[i - 1].size);
		assert_no_error(read_log(&machine, text, sizeof(text)));
		assert_string_equal(text, wrong[i - 1].text);
	}
	/* Nothing is left. */
	machine_put(&machine, PHYS(PRB + 8), 8, 4);
	assert_error(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT, "its records are at 160 to 64 of 8 bytes");
	/* Empty. */
	machine_put(&machine, PHYS(PRB + 8), 256, 4);
	machine_put(&machine, PHYS(PRB + 24), 160, 4);
	assert_no_error(read_log(&machine, text, sizeof(text)));
	assert_string_equal(text, "");
	assert_error(read_log_since_clear(&machine, text, sizeof(text)), KD_ERR_UNSUPPORTED, "before 5.10");
	machine_forget(&machine, "OFFSET(printk_log.len)");
	assert_error(read_log(&machine, text, sizeof(text)), KD_ERR_FORMAT, "no printk_log.len in VMCOREINFO");
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_too_much_text),
		cmocka_unit_test(test_old_log),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
