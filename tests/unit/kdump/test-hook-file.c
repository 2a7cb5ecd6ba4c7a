/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "kdump/arming/hook_file.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

struct machine {
	char path[TEMPORARY_SIZE];
	struct kd_sysroot root;
};

static void machine_init(struct machine *m)
{
	char path[128];

	temporary_make(m->path);
	assert_no_error(kd_sysroot_open(m->path, &m->root));
	snprintf(path, sizeof(path), "%s/bin", m->path);
	assert_no_error(kd_mkdir_p(path, 0755));
	snprintf(path, sizeof(path), "%s/bin/sh", m->path);
	assert_no_error(kd_write_file_atomic(path, "\177ELF", 4, 0755));
	snprintf(path, sizeof(path), "%s/bin/env", m->path);
	assert_no_error(kd_write_file_atomic(path, "\177ELF", 4, 0755));
}

static void machine_release(struct machine *m)
{
	kd_sysroot_close(&m->root);
	temporary_remove(m->path);
}

static struct kd_error *check(const struct machine *m, const char *text, size_t size, enum hook_kind *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/hook", m->path);
	assert_no_error(kd_write_file_atomic(path, text, size, 0755));
	return hook_file_check(&m->root, "/hook", ret);
}

#define TEXT(text) text, sizeof(text) - 1

static void test_can_be_run(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		enum hook_kind kind;
	} cases[] = {
		{ TEXT("#!/bin/sh\nexit 0\n"), HOOK_SCRIPT },
		{ TEXT("#! /bin/sh -e\n"), HOOK_SCRIPT },
		{ TEXT("#!/bin/sh"), HOOK_SCRIPT },
		{ TEXT("#!/bin/env sh \n"), HOOK_SCRIPT },
		{ TEXT("#!/bin/env -S sh -e\n"), HOOK_SCRIPT },
		{ TEXT("touch /mnt/it\n"), HOOK_TEXT },
		{ TEXT("\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0"), HOOK_PROGRAM },
	};
	struct machine m;

	machine_init(&m);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum hook_kind kind;

		assert_no_error(check(&m, cases[i].text, cases[i].size, &kind));
		assert_int_equal(kind, cases[i].kind);
	}
	machine_release(&m);
}

static void test_cannot_be_run(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *part;
	} cases[] = {
		{ TEXT(""), "/hook is empty" },
		{ TEXT("#!/bin/sh\r\nexit 0\r\n"), "Windows line ends" },
		{ TEXT("exit 0\r\n"), "Windows line ends" },
		{ TEXT("\xef\xbb\xbf#!/bin/sh\n"), "byte order mark" },
		{ TEXT("#!/usr/bin/perl\n"), "its interpreter /usr/bin/perl does not exist" },
		{ TEXT("#!\n"), "does not name an interpreter" },
		{ TEXT("#! /bin/env sh  -e \n"), "env would look for one program named \"sh  -e\"" },
		{ TEXT("#!sh\n"), "does not name an interpreter" },
		{ TEXT("\177ELF"), "is cut off" },
		{ TEXT("#!/hook\n"), "lead from one to the next without end" },
		{ TEXT("MZ\0\0"), "neither a program nor a script" },
	};
	struct machine m;
	enum hook_kind kind;

	machine_init(&m);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(check(&m, cases[i].text, cases[i].size, &kind), KD_ERR_CONFIG, cases[i].part);
	assert_error(hook_file_check(&m.root, "/none", &kind), KD_ERR_OS, "/none: No such file");
	machine_release(&m);
}

/* On the machine itself a program must be one of its own kind. */
static void test_architecture(void **state)
{
	struct kd_sysroot live;
	char directory[TEMPORARY_SIZE], path[128];
	uint8_t foreign[64] = "\177ELF\2\1\1";
	_cleanup_free_ char *program = NULL;
	enum hook_kind kind;
	size_t size;

	temporary_make(directory);
	assert_no_error(kd_sysroot_open(NULL, &live));
	snprintf(path, sizeof(path), "%s/foreign", directory);
	foreign[18] = 0xee; /* e_machine that nobody has */
	foreign[19] = 0xee;
	assert_no_error(kd_write_file_atomic(path, foreign, sizeof(foreign), 0755));
	assert_error(hook_file_check(&live, path, &kind), KD_ERR_CONFIG, "another architecture");
	assert_no_error(hook_file_check(&live, "/proc/self/exe", &kind));
	assert_int_equal(kind, HOOK_PROGRAM);
	/* Its beginning alone is what an interrupted copy leaves. */
	assert_no_error(kd_read_file("/proc/self/exe", SIZE_MAX / 2, &program, &size));
	assert_no_error(kd_write_file_atomic(path, program, 200, 0755));
	assert_error(hook_file_check(&live, path, &kind), KD_ERR_CONFIG, "is cut off");
	assert_no_error(kd_write_file_atomic(path, program, 8192, 0755));
	assert_error(hook_file_check(&live, path, &kind), KD_ERR_CONFIG, "is cut off");
	kd_sysroot_close(&live);
	temporary_remove(directory);
}

/* Words where a command stands; "" ends a list. */
static void test_commands(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "ip link show # not this\n", "ip " },
		{ "a; b && c || d | e & f\ng", "a b c d e f g " },
		{ "echo rm; printf x; [ -e /x ] && test -f y\n", "" },
		{ "if a; then b; elif c; then d; else e; fi\n", "a b c d e " },
		{ "while ! a; do b; done <c >d 2>&1 | e\n", "a b e " },
		{ "for f in a b $(c d); do e \"$f\"; done\n", "c e " },
		{ "for ((i = 0; i < 3; i++)); do a; done; ((x > y)) && b\n", "a b " },
		{ "case $(a) in b | c) d ;; (e) f ;; *) g; esac; h\n", "a d f g h " },
		{ "case x in\n a)\n  b\n  case y in c) d;; esac\n  ;;\n e) f ;;\nesac\ng\n", "b d f g " },
		{ "f() { a; }\nfunction g { b; }\nh () (c)\nf; g; h\n", "a b c " },
		{ "f\nf() { a; }\n", "a " },
		{ "A=b C=\"d e\" F+=g f=(h i) j[1]=k l m\n", "l " },
		{ "x=$(a | b `c` $((d + e)) ${f:-g})\n", "a b c " },
		{ "echo \"$(a \"b\") `c`\" 'd $(e)' \\$(f)\n", "a c f " },
		{ "$a b; \"$c\"/d; \"e\" f\n", "e " },
		{ "a <<END b\nc\nEND\nd <<-'X'\n\te\n\tX\nf <<<g\n", "a d f " },
		{ ">x a; 2>y b; exec 3>&1 >c; &>d e; d <(f) >(g)\n", "a b e d f g " },
		{ "exec a; command b; command -v c; env X=1 d; nice -n 5 e; xargs f\n", "a b env d nice xargs f " },
		{ "[[ a && b < c || ( d ) ]] && e\n", "e " },
		{ ". /lib/a.sh; source /b; . ./c; . $d\n", "/lib/a.sh /b " },
		{ "/usr/bin/a; ./b; c/d; -e; a=b\n", "/usr/bin/a c/d " },
		{ "a \\\n b\n\\\nc\n", "a c " },
		{ "{ a; b; }; ( c; d ); time e; ! f; a; a\n", "a b c d e f " },
		{ "eval \"a b\"; trap 'c' EXIT\n", "" },
		{ "\"a", "a " },
		{ "$(((((((`\"${", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(hook_commands_free) struct hook_commands commands = { 0 };
		char words[256] = "";

		assert_no_error(hook_commands_find(cases[i].text, &commands));
		for (size_t k = 0; k < commands.count; k++)
			snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s ", commands.word[k]);
		if (strcmp(words, cases[i].words) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", cases[i].text, words, cases[i].words);
	}
}

static void test_commands_of_files(void **state)
{
	static const struct {
		const char *text;
		size_t size, count;
	} cases[] = {
		{ TEXT("#!/bin/sh -e\na; b\n"), 2 },
		{ TEXT("#!/usr/bin/env bash\na; b\n"), 2 },
		{ TEXT("#!/bin/busybox sh\na; b\n"), 2 },
		{ TEXT("a; b\n"), 2 },
		{ TEXT("#!/usr/bin/perl\na; b\n"), 0 },
		{ TEXT("\177ELF a; b\n"), 0 },
		{ TEXT("#!"), 0 },
	};
	struct machine m;
	char path[128];

	machine_init(&m);
	snprintf(path, sizeof(path), "%s/hook", m.path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(hook_commands_free) struct hook_commands commands = { 0 };

		assert_no_error(kd_write_file_atomic(path, cases[i].text, cases[i].size, 0755));
		assert_no_error(hook_file_commands(&m.root, "/hook", &commands));
		assert_int_equal(commands.count, cases[i].count);
	}
	machine_release(&m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_can_be_run),        cmocka_unit_test(test_cannot_be_run),
		cmocka_unit_test(test_architecture),      cmocka_unit_test(test_commands),
		cmocka_unit_test(test_commands_of_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
