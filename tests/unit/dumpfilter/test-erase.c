/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Erasing data: the language of makedumpfile.conf, and that no copy stays in the dump. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/pages/erase_config.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "tests/unit/dumpfilter/dump-testing.h"
#include "tests/unit/dumpfilter/secrets-testing.h"
#include "tests/unit/testing.h"

static const char *text_of_config;
static bool optional;

static struct kd_error *open_names(void *arg, const char *object, const struct debuginfo **ret)
{
	struct dump_names *names = arg;

	*ret = strcmp(object, "vmlinux") == 0 ? &names->info : NULL;
	return NULL;
}

static struct kd_error *find_erasures(void *arg, struct address_space *space, const struct kd_log *log,
				      struct erase *ret)
{
	_cleanup_(erase_config_destroy) struct erase_config *config = NULL;
	_cleanup_(dump_names_release) struct dump_names names = { 0 };
	struct kd_error *err = erase_config_parse(text_of_config, "conf", &config);

	if (!err)
		err = dump_names_open(&names, space);
	if (!err)
		err = erase_config_resolve(config, &(struct erase_names){ open_names, &names }, space, optional, log,
					   ret);
	return err;
}

static struct kd_error *run(const char *config)
{
	struct dumpfilter_options options = { .level = 0, .erase = find_erasures };

	text_of_config = config;
	unlink(dump);
	return dumpfilter_run(core, dump, &options, NULL);
}

static unsigned int count(const char *text, size_t length)
{
	_cleanup_free_ char *data = NULL;
	unsigned int found = 0;
	size_t size;

	assert_no_error(kd_read_file(dump, 64 << 20, &data, &size));
	for (const char *at = data; (at = memmem(at, size - (size_t)(at - data), text, length)); at++)
		found++;
	return found;
}

static void read_dump(uint64_t offset, void *buf, size_t size)
{
	_cleanup_fclose_ FILE *in = fopen(dump, "r");

	assert_non_null(in);
	fseek(in, (long)offset, SEEK_SET);
	assert_int_equal(fread(buf, 1, size, in), size);
}

static void make_core(void)
{
	struct machine machine;

	machine_init(&machine, 4);
	machine_add_secret_types(&machine);
	machine_add_secrets(&machine);
	machine_write(&machine, core);
	machine_release(&machine);
}

/* Each row: a configuration, the number of canaries that it leaves, and the record in the dump. */
static void test_erase(void **state)
{
	static const struct {
		const char *config;
		unsigned int left;
		const char *info;
	} cases[] = {
		{ "# nothing\n", 9, "" },
		{ "# nothing\n\n  # at all", 9, "" },
		{ "erase one.buffer", 8, "erase one.buffer size 24\n" },
		{ "erase one.buffer size 11 # comment", 8, "erase one.buffer size 11\n" },
		{ "erase text", 8, "erase text size 24\n" },
		{ "erase pointer", 8, "erase pointer size 128\n" },
		{ "erase pointer.buffer", 8, "erase pointer.buffer size 24\n" },
		{ "erase one.next.next.buffer", 8, "erase one.next.next.buffer size 24\n" },
		{ "erase one.name", 8, "erase one.name size 14\n" },
		{ "erase one.addr size one.size", 8, "erase one.addr size 14\n" },
		{ "erase one.raw size 1K", 5, /* and what lies behind */
		  "erase one.raw size 1024\n" },
		{ "erase pointer.name", 9, "" }, /* NULL */
		{ "erase pointer.name.x", 9, "" },
		{ "erase one.name.x", 9, NULL },
		{ "erase array", 7, "erase array size 256\n" },
		{ "[vmlinux]\nerase text\n[other]\nerase nothing\n[vmlinux]\nerase array", 6,
		  "erase text size 24\nerase array size 256\n" },
		{ "erase (char [16]) untyped", 8, "erase untyped size 16\n" },
		{ "erase (char[11])across", 8, "erase across size 11\n" },
		{ "erase (struct secret) untyped.name nullify", 8, "erase untyped.name nullify\n" },
		{ "erase (struct secret *) pointer.buffer", 8, "erase pointer.buffer size 24\n" },
		{ "for s in one via next\nerase s.buffer\nendfor", 6, "erase s.buffer size 72\n" },
		{ "for s in pointer via next\nerase s.buffer\nerase s.addr size s.size\nendfor", 5,
		  "erase s.buffer size 72\nerase s.addr size 14\n" },
		{ "for s in head within secret:list\nerase s.buffer\nendfor", 6, "erase s.buffer size 72\n" },
		{ "for s in head.next within struct secret:list\nerase s.buffer\nendfor", 6,
		  "erase s.buffer size 72\n" },
		{ "for s in head_ptr within secret:list\nerase s.buffer\nendfor", 6, "erase s.buffer size 72\n" },
		{ "for s in array\nerase s.buffer\nendfor\nerase text", 6,
		  "erase s.buffer size 48\nerase text size 24\n" },
		{ "for s in one.more\nerase s.buffer\nendfor", 8, "erase s.buffer size 24\n" },
		{ "for s in one.next.more\nerase s.buffer\nendfor", 9, "" },
	};

	make_core();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kdump_sub_header sub;
		char info[128] = "";

		if (!cases[i].info) {
			assert_error(run(cases[i].config), KD_ERR_CONFIG, "is not a struct");
			continue;
		}
		assert_no_error(run(cases[i].config));
		if (count(CANARY, strlen(CANARY)) != cases[i].left)
			fail_msg("%s: %u canaries", cases[i].config, count(CANARY, strlen(CANARY)));
		read_dump(4096, &sub, sizeof(sub));
		assert_int_equal(sub.eraseinfo_size, strlen(cases[i].info));
		read_dump(sub.eraseinfo_offset, info, sub.eraseinfo_size);
		assert_string_equal(info, cases[i].info);
	}
	/* What is erased reads as X, what is nullified as zeros, and their neighbours are as they were. */
	assert_no_error(run("erase one.name nullify\nerase one.buffer size 4"));
	assert_int_equal(count("XXXXRY-4711", 11), 1);
	uint64_t words[] = { 0, BYTES, 14 };
	assert_int_equal(count((char *)words, sizeof(words)), 1);
}

/* The file's header repeats the kernel's name. */
static void test_name(void **state)
{
	struct kdump_header header;
	struct machine machine;

	machine_init(&machine, 4);
	machine_add_secret_types(&machine);
	machine_put_text(&machine, UTS_NS + 65, CANARY);
	machine_put_text(&machine, UTS_NS + 325, CANARY);
	machine_kallsyms(&machine,
			 (struct test_symbol[]){ { "T_stext", STEXT },
						 { "Dinit_uts_ns", UTS_NS },
						 { "R__start_BTF", BTF_AT },
						 { "R__stop_BTF", BTF_AT + 0x10000 } },
			 4, RULE_BASE_RELATIVE);
	machine_write(&machine, core);
	assert_no_error(run("erase (char [325]) init_uts_ns size 325"));
	assert_int_equal(count(CANARY, strlen(CANARY)), 1);
	assert_no_error(run("erase (char [390]) init_uts_ns"));
	assert_int_equal(count(CANARY, strlen(CANARY)), 0);
	read_dump(0, &header, sizeof(header));
	/* Readers need the architecture. */
	assert_string_equal(header.utsname[4], "x86_64");
	machine_release(&machine);
}

static void test_syntax(void **state)
{
	static const struct {
		const char *config, *text;
	} cases[] = {
		{ "", "conf is empty, and nothing would be erased" },
		{ "\nwipe one", "conf:2: \"erase\", \"for\"" },
		{ "erase", "conf:1: a symbol is expected" },
		{ "erase 1x", "conf:1: a symbol is expected" },
		{ "erase one.", "conf:1: a symbol is expected" },
		{ "erase one..two", "conf:1: a symbol is expected" },
		{ "erase .one", "conf:1: a symbol is expected" },
		{ "erase one two", "conf:1: \"size\" or \"nullify\"" },
		{ "erase one size", "conf:1: a symbol is expected" },
		{ "erase one size 0", "conf:1: the size is not" },
		{ "erase one size 2G", "conf:1: the size is not" },
		{ "erase one size 4Q", "conf:1: the size is not" },
		{ "erase one size -4", "conf:1: a symbol is expected" },
		{ "erase one size 99999999999999999999999999999999999", "conf:1: the size is not" },
		{ "erase one size 4 5", "conf:1: unexpected text: \"5\"" },
		{ "erase one nullify 5", "conf:1: unexpected text: \"5\"" },
		{ "erase (struct one", "conf:1: a type and \")\"" },
		{ "erase () one", "conf:1: a type and \")\"" },
		{ "erase (char [x]) one", "conf:1: \"[\", the number" },
		{ "erase (char [0]) one", "conf:1: \"[\", the number" },
		{ "[other", "conf:1: \"[module]\"" },
		{ "[]", "conf:1: \"[module]\"" },
		{ "[a] erase one", "conf:1: something follows" },
		{ "for s", "conf:1: a name and \"in\"" },
		{ "for s in", "conf:1: a symbol is expected" },
		{ "for s in one via", "conf:1: the member that leads" },
		{ "for s in one within secret", "conf:1: \"struct:member\"" },
		{ "for s in one around x", "conf:1: unexpected text: \"around x\"" },
		{ "for s in one\nerase s\n", "conf:2: the file ends within a loop" },
		{ "for s in one\nfor t in s\nendfor", "conf:2: a loop within a loop" },
		{ "for s in one\n[other]\nendfor", "conf:2: a section begins within" },
		{ "\n\nendfor", "conf:3: \"endfor\" without" },
		{ "endfor 1", "conf:1: \"endfor\" without" },
	};
	struct erase_config *config;
	char text[8192];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(erase_config_parse(cases[i].config, "conf", &config), KD_ERR_CONFIG, cases[i].text);
	/* Names without end, commands without end. */
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "erase ", 6);
	assert_error(erase_config_parse(text, "conf", &config), KD_ERR_CONFIG, "conf:1: ");
	memcpy(text, "erase (", 7);
	assert_error(erase_config_parse(text, "conf", &config), KD_ERR_CONFIG, "conf:1: ");
	memcpy(text, "[", 1);
	assert_error(erase_config_parse(text, "conf", &config), KD_ERR_CONFIG, "conf:1: ");
}

/* If something cannot be erased there is no dump, rather than one that contains it. */
static void test_refused(void **state)
{
	static const struct {
		const char *config;
		enum kd_error_code code;
		const char *text;
	} cases[] = {
		{ "erase text\nerase nothing", KD_ERR_NOT_FOUND,
		  "conf:2: nothing: the kernel has no symbol \"nothing\"" },
		{ "erase one.nothing", KD_ERR_NOT_FOUND, "conf:1: one.nothing: there is no member \"nothing\"" },
		{ "erase twice", KD_ERR_CONFIG, "the kernel has 2 symbols \"twice\"" },
		{ "erase untyped", KD_ERR_NOT_FOUND, "the type of \"untyped\" is not known" },
		{ "erase untyped size 8", KD_ERR_NOT_FOUND, "the type of \"untyped\" is not known" },
		{ "erase (struct nothing) untyped", KD_ERR_NOT_FOUND, "no \"nothing\"" },
		{ "erase one.addr", KD_ERR_CONFIG, "\"size\" is needed" },
		{ "erase one.raw", KD_ERR_CONFIG, "\"size\" is needed" },
		{ "erase one.bits", KD_ERR_CONFIG, "\"bits\" is a bit field" },
		{ "erase one.size nullify", KD_ERR_CONFIG, "not a pointer" },
		{ "erase one.addr size one.buffer", KD_ERR_CONFIG, "not an integer" },
		{ "erase dangling", KD_ERR_HOLE, "conf:1: dangling: virtual address 0xffffc90000000000" },
		{ "erase dangling.buffer", KD_ERR_HOLE, "conf:1: dangling.buffer: " },
		{ "for s in one\nerase s\nendfor", KD_ERR_CONFIG, "conf:1: one is not an array" },
		{ "for s in text via next\nerase s\nendfor", KD_ERR_CONFIG, "conf:1: text is not a struct" },
		{ "for s in one via x\nerase s.buffer\nendfor", KD_ERR_NOT_FOUND, "no member \"x\"" },
		{ "for s in head within nothing:list\nerase s\nendfor", KD_ERR_NOT_FOUND, "no \"nothing\"" },
		{ "for s in head within secret:x\nerase s\nendfor", KD_ERR_NOT_FOUND, "no member \"x\"" },
		{ "for s in text within secret:list\nerase s\nendfor", KD_ERR_CONFIG, "not a struct list_head" },
		{ "for s in array\nerase s.x\nendfor", KD_ERR_NOT_FOUND, "erased: conf:2: s.x: there is no member" },
	};

	make_core();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_error(run(cases[i].config), cases[i].code, cases[i].text);
		assert_int_equal(access(dump, F_OK), -1);
	}
	/* … unless it was said that it does not matter: then the rest is erased. */
	optional = true;
	assert_no_error(run("erase nothing\nfor s in array\nerase s.x\nerase s.buffer\nendfor\nerase text"));
	optional = false;
	assert_int_equal(count(CANARY, strlen(CANARY)), 6);
}

/* Endless lists, and a kernel whose memory makes no sense. */
static void test_hostile(void **state)
{
	struct machine machine;

	machine_init(&machine, 4);
	machine_add_secret_types(&machine);
	machine_add_secrets(&machine);
	machine_put_word(&machine, TWO + NEXT, TWO);
	machine_put_word(&machine, TWO + LIST, TWO + LIST);
	machine_write(&machine, core);
	assert_error(run("for s in one via next\nerase s.buffer\nendfor"), KD_ERR_LIMIT, "conf:");
	assert_error(run("for s in head within secret:list\nerase s.name\nendfor"), KD_ERR_LIMIT,
		     "conf:1: head: the list does not end");
	machine_put_word(&machine, ONE + SIZE, UINT64_C(1) << 40);
	machine_write(&machine, core);
	assert_error(run("erase one.addr size one.size"), KD_ERR_LIMIT, "more than 1 GiB");
	machine_forget(&machine, "SYMBOL(init_top_pgt)");
	machine_write(&machine, core);
	assert_error(run("erase text"), KD_ERR_FORMAT, "nothing can be erased");
	machine_release(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_erase),   cmocka_unit_test(test_name),    cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_hostile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dump_setup, dump_teardown);
}
