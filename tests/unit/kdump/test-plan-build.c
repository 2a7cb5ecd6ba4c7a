/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From kdump.conf to the plan: hooks, programs, the collector. */
#include "base/array.h"
#include "kdump/arming/plan_build.h"
#include "kdump/config/collector.h"
#include "kdump/config/conf.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

/* As much of an ELF file as is looked at. */
#define ELF_FILE "\177ELF\2\1\1\1\1\1\1\1\1\1\1\1\2\1\76\1\1\1\1\1"

static void parse_conf(const char *text, struct kd_conf *conf)
{
	assert_no_error(
		kd_conf_parse(&(struct kd_conf_text){ .file = "/etc/kdump.conf", .text = text }, 1, conf, NULL, NULL));
}

static struct kd_error *build_plan(struct tree *m, const char *conf_text, struct kd_plan *plan,
				   struct plan_programs *programs)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target target = {
		.type = (char *)"ext4", .device = (char *)"UUID=x", .options = (char *)"", .path = (char *)"/var/crash"
	};

	parse_conf(conf_text, &conf);
	return plan_build(&m->root, &conf, "6.1", (const struct target *[]){ &target, NULL }, plan, programs);
}

/* The whole capture may take as long as the memory needs on a slow disk. */
static void test_times(void **state)
{
	static const struct {
		const char *conf, *memory;
		unsigned int deadline, device, mount, stall;
	} cases[] = {
		{ "", NULL, 3600, 120, 300, 300 },
		{ "", "MemTotal:       16303160 kB\n", 3600, 120, 300, 300 },
		{ "", "MemTotal:     2147483648 kB\n", 219902, 120, 300, 300 },
		{ "capture_timeout 7200\ndevice_timeout 30\nmount_timeout 60\nstall_timeout 90",
		  "MemTotal:     2147483648 kB\n", 7200, 30, 60, 90 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
		_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

		if (cases[i].memory)
			tree_text(*state, "/proc/meminfo", cases[i].memory);
		assert_no_error(build_plan(*state, cases[i].conf, &plan, &programs));
		assert_int_equal(plan.deadline, cases[i].deadline);
		assert_int_equal(plan.target[0].deadline, cases[i].device);
		assert_int_equal(plan.mount_timeout, cases[i].mount);
		assert_int_equal(plan.stall_timeout, cases[i].stall);
	}
}

static void test_plan(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	tree_text(m, "/proc/sys/kernel/hostname", "machine\n");
	tree_program(m, "/usr/bin/lsblk", ELF_FILE);
	tree_program(m, "/srv/before", ELF_FILE);
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/20-b", ELF_FILE);
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a", ELF_FILE);
	tree_text(m, KD_SYSCONFDIR "/kdump/pre.d/README", "not executable\n");
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a~", "an editor's\n");
	tree_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a.dpkg-old", "a package manager's\n");
	assert_no_error(build_plan(m,
				   "kdump_pre /srv/before --now\nfinal_action poweroff\n"
				   "extra_bins lsblk /usr/bin/lsblk",
				   &plan, &programs));
	assert_string_equal(plan.host, "machine");
	assert_string_equal(plan.kernel_release, "6.1");
	assert_string_equal(plan.collector.argv[0], "dumpfilter");
	assert_int_equal(plan.final_action, KD_ACTION_POWEROFF);
	assert_int_equal(plan.hook_count, 3);
	assert_string_equal(plan.hook[0].when, "pre");
	assert_string_equal(plan.hook[0].argv[0], "/srv/before");
	assert_string_equal(plan.hook[0].argv[1], "--now");
	assert_string_equal(plan.hook[1].when, "pre.d");
	assert_string_equal(plan.hook[1].argv[0], KD_SYSCONFDIR "/kdump/pre.d/10-a");
	assert_int_equal(programs.count, 1);
	assert_string_equal(programs.path[0], "/usr/bin/lsblk");
	assert_null(programs.path[1]);
}

/* A hook that the kernel could not run is refused, with the directive and the file; a text goes to the shell. */
static void test_plan_scripts(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	tree_program(m, "/bin/sh", ELF_FILE);
	tree_program(m, "/usr/bin/grep", ELF_FILE);
	tree_program(m, "/srv/windows", "#!/bin/sh\r\nexit 0\r\n");
	assert_error(build_plan(m, "kdump_pre /srv/windows", &plan, &programs), KD_ERR_CONFIG,
		     "/etc/kdump.conf:1: kdump_pre: /srv/windows: the file has Windows line ends");
	tree_program(m, "/srv/text", "grep x /proc/mounts\n");
	assert_no_error(build_plan(m, "kdump_post /srv/text one", &plan, &programs));
	assert_string_equal(plan.hook[0].argv[0], "/bin/sh");
	assert_string_equal(plan.hook[0].argv[1], "/srv/text");
	assert_string_equal(plan.hook[0].argv[2], "one");
	assert_null(plan.hook[0].argv[3]);
	/* The commands that scripts use, as far as this machine has them. */
	assert_null(programs.missing);
	assert_int_equal(programs.count, 2);
	assert_string_equal(programs.path[0], "/usr/bin/grep");
	assert_string_equal(programs.path[1], "/srv/text");
}

/* Red Hat's image has these, and its users' scripts rely on them, also where the names are made up at run time. */
static void test_plan_usual_commands(void **state)
{
	static const char *const usual[] = { "dd",     "tail",  "date", "sync",   "cut",    "head",
					     "awk",    "sed",   "stat", "printf", "logger", "mount",
					     "umount", "mkdir", "cp",   "grep",   "sleep",  "cat" };
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };
	char path[64];

	tree_program(m, "/bin/sh", ELF_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		snprintf(path, sizeof(path), "/usr/bin/%s", usual[i]);
		tree_program(m, path, ELF_FILE);
	}
	tree_program(m, "/srv/script", "#!/bin/sh\n$tool x\n");
	assert_no_error(build_plan(m, "kdump_pre /srv/script", &plan, &programs));
	assert_int_equal(programs.count, ARRAY_SIZE(usual));
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		assert_string_equal(strrchr(programs.path[i], '/') + 1, usual[i]);
}

/* Where the machine has busybox, that stands in for them, but for what this one lacks, and for what a script names. */
static void test_plan_busybox(void **state)
{
	static const char busybox[] = ELF_FILE "\0awk\0cat\0concat\0grep\0logger\0";
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	tree_program(m, "/bin/sh", ELF_FILE);
	tree_program(m, "/usr/bin/busybox", "");
	tree_write(m, "/usr/bin/busybox", busybox, sizeof(busybox));
	tree_mode(m, "/usr/bin/busybox", 0755);
	tree_program(m, "/usr/bin/cat", ELF_FILE);
	tree_program(m, "/usr/bin/dd", ELF_FILE);
	tree_program(m, "/usr/bin/grep", ELF_FILE);
	tree_program(m, "/srv/script", "#!/bin/sh\ngrep x /proc/mounts | awk 1 | logger; lspci\n");
	assert_no_error(build_plan(m, "kdump_pre /srv/script", &plan, &programs));
	assert_int_equal(programs.count, 3);
	assert_string_equal(programs.path[0], "/usr/bin/busybox");
	assert_string_equal(programs.path[1], "/usr/bin/dd");
	assert_string_equal(programs.path[2], "/usr/bin/grep");
	/* awk and logger are busybox'. */
	assert_string_equal(
		programs.missing,
		"/etc/kdump.conf:1: kdump_pre: /srv/script names the command lspci, which this machine does "
		"not have: at the crash it will not be found\n");
}

/* What a script names is brought, too, or missed in time. */
static void test_plan_script_commands(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, other = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 }, none = { 0 };

	tree_program(m, "/bin/bash", ELF_FILE);
	tree_program(m, "/usr/bin/python3", ELF_FILE);
	tree_program(m, "/usr/sbin/ip", ELF_FILE);
	tree_text(m, "/srv/lib.sh", "f() { :; }\n");
	tree_program(m, "/srv/net", "#!/bin/bash\n. /srv/lib.sh\nip link | lldpcli && /opt/tool\n");
	assert_no_error(build_plan(m, "\nkdump_pre /srv/net", &plan, &programs));
	assert_int_equal(programs.count, 2);
	assert_string_equal(programs.path[0], "/srv/lib.sh");
	assert_string_equal(programs.path[1], "/usr/sbin/ip");
	assert_string_equal(programs.missing,
			    "/etc/kdump.conf:2: kdump_pre: /srv/net names the command lldpcli, which this machine does "
			    "not have: at the crash it will not be found\n"
			    "/etc/kdump.conf:2: kdump_pre: /srv/net names the file /opt/tool, which this machine does "
			    "not have: at the crash it will not be found\n");
	/* No shell reads this one. */
	tree_program(m, "/srv/python", "#!/usr/bin/python3\nimport os\n");
	assert_no_error(build_plan(m, "kdump_pre /srv/python", &other, &none));
	assert_null(none.missing);
}

/* The collector's line of the plan of @conf_text. */
static void assert_collector(struct tree *m, const char *conf_text, const char *expected)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };
	_cleanup_free_ char *text = NULL;
	char *line;

	assert_no_error(build_plan(m, conf_text, &plan, &programs));
	assert_int_equal(programs.count, 0); /* the image builder knows by the plan what it needs */
	assert_no_error(kd_plan_format(&plan, &text));
	line = strstr(text, "\ncollector ") + strlen("\ncollector ");
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, expected);
}

/* Who runs it is decided here, not at the crash. */
static void test_plan_collector(void **state)
{
	struct tree *m = *state;

	tree_program(m, "/usr/sbin/dumpfilter", ELF_FILE);
	tree_program(m, "/usr/bin/makedumpfile", ELF_FILE);
	assert_collector(m, "", "built-in % dumpfilter -d 31");
	assert_collector(m, "core_collector dumpfilter -c -d 31", "built-in % dumpfilter -c -d 31");
	assert_collector(m, "core_collector /usr/sbin/dumpfilter --small", "built-in % /usr/sbin/dumpfilter --small");
	assert_collector(m, "core_collector dumpfilter --fast -d 31 --max-memory 24M",
			 "built-in % dumpfilter --fast -d 31 --max-memory 24M");
	assert_collector(m, "core_collector dumpfilter -z -d 31", "dumpfilter % /usr/sbin/dumpfilter -z -d 31");
	assert_collector(m, "core_collector dumpfilter -E", "dumpfilter % /usr/sbin/dumpfilter -E");
	assert_collector(m, "core_collector makedumpfile -l -d 31", "program % /usr/bin/makedumpfile -l -d 31");
}

/* Without makedumpfile, dumpfilter takes its place with the same options, as far as it has them. */
static void test_plan_collector_without_makedumpfile(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	assert_collector(m, "core_collector makedumpfile -l --message-level 7 -d 31",
			 "built-in % dumpfilter -l --message-level 7 -d 31");
	assert_collector(m, "core_collector /usr/sbin/makedumpfile -c -d 17", "built-in % dumpfilter -c -d 17");
	assert_error(build_plan(m, "core_collector makedumpfile -z", &plan, &programs), KD_ERR_NOT_FOUND,
		     "core_collector: Error: dumpfilter not found.");
	tree_program(m, "/usr/sbin/dumpfilter", ELF_FILE);
	assert_collector(m, "core_collector makedumpfile -z", "dumpfilter % /usr/sbin/dumpfilter -z");
	assert_error(
		build_plan(m, "core_collector makedumpfile --eppic x.c", &plan, &programs), KD_ERR_NOT_FOUND,
		"makedumpfile is not installed, and dumpfilter cannot take its place (--eppic is not supported: use "
		"--config to erase data): install makedumpfile");
	assert_error(build_plan(m, "core_collector makedumpfile -F -l", &plan, &programs), KD_ERR_NOT_FOUND,
		     "(-F writes to standard output");
}

/* A program makedumpfile that takes -d only tells of everything else that it is wrong. */
static void test_plan_collector_asks_makedumpfile(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, good = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 }, few = { 0 };
	struct kd_sysroot tree = m->root;
	char conf[512];

	tree_program(m, "/makedumpfile",
		     "#!/bin/sh\n"
		     "[ \"$*\" = \"--check-params -d 31 vmcore dumpfile\" ] && exit 0\n"
		     "echo Commandline parameter is; echo invalid. >&2\nexit 1\n");
	assert_no_error(kd_sysroot_open(NULL, &m->root));
	snprintf(conf, sizeof(conf), "core_collector %s/makedumpfile -d 31", m->path);
	assert_no_error(build_plan(m, conf, &good, &few));
	snprintf(conf, sizeof(conf), "core_collector %s/makedumpfile -nosuchoption", m->path);
	assert_error(build_plan(m, conf, &plan, &programs), KD_ERR_USAGE,
		     "--check-params refuses the options: Commandline parameter is invalid.");
	/* What both programs have is not to be asked. */
	snprintf(conf, sizeof(conf), "core_collector %s/makedumpfile -d 31 -F", m->path);
	assert_error(build_plan(m, conf, &plan, &programs), KD_ERR_USAGE, "makedumpfile: -F writes to standard output");
	snprintf(conf, sizeof(conf), "core_collector %s/makedumpfile d 31", m->path);
	assert_error(build_plan(m, conf, &plan, &programs), KD_ERR_USAGE, "d: did you mean \"-d 31\"?");
	kd_sysroot_close(&m->root);
	m->root = tree;
}

/* As for hooks: what the kernel could not run is told now. */
static void test_plan_collector_that_cannot_be_run(void **state)
{
	static const struct {
		const char *content, *text;
	} cases[] = {
		{ "#!/bin/sh\r\ncp $1 $2\r\n",
		  "/etc/kdump.conf:1: core_collector: /srv/collect: the file has Windows line ends" },
		{ "\xef\xbb\xbf#!/bin/sh\n", "a byte order mark stands before its first line" },
		{ "#!/usr/bin/perl\n", "its interpreter /usr/bin/perl does not exist" },
		{ "", "/srv/collect is empty" },
		{ "cp $1 $2\n",
		  "core_collector: /srv/collect is a text whose first line does not name an interpreter" },
	};
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	tree_program(m, "/bin/sh", ELF_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tree_program(m, "/srv/collect", cases[i].content);
		assert_error(build_plan(m, "core_collector /srv/collect", &plan, &programs), KD_ERR_CONFIG,
			     cases[i].text);
	}
	tree_program(m, "/srv/collect", "#!/bin/sh\ncp $1 $2\n");
	assert_collector(m, "core_collector /srv/collect", "program % /srv/collect");
}

/* Only the program erases, so it is chosen; its configuration is checked at start. */
static void test_plan_collector_erases(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	tree_program(m, "/usr/sbin/dumpfilter", ELF_FILE);
	tree_program(m, "/usr/bin/makedumpfile", ELF_FILE);
	tree_text(m, "/etc/erase.conf", "erase key\n");
	tree_text(m, "/etc/bad.conf", "\nwipe key\n");
	assert_collector(m, "core_collector dumpfilter -l --config /etc/erase.conf",
			 "dumpfilter /etc/erase.conf /usr/sbin/dumpfilter -l --config /etc/erase.conf");
	assert_collector(m, "core_collector makedumpfile --conf /etc/erase.conf",
			 "program /etc/erase.conf /usr/bin/makedumpfile --conf /etc/erase.conf");
	/* Another program's file may be in another language. */
	assert_collector(m, "core_collector makedumpfile --config=/etc/none --config=/etc/bad.conf",
			 "program /etc/bad.conf /usr/bin/makedumpfile --config=/etc/none --config=/etc/bad.conf");
	assert_collector(m, "core_collector makedumpfile --config-optional --con",
			 "program % /usr/bin/makedumpfile --config-optional --con");
	assert_error(build_plan(m, "core_collector dumpfilter -l --config=/etc/bad.conf", &plan, &programs),
		     KD_ERR_CONFIG, "/etc/kdump.conf:1: core_collector: --config: /etc/bad.conf:2: ");
	assert_error(build_plan(m, "core_collector dumpfilter -l --config=/etc/none.conf", &plan, &programs), KD_ERR_OS,
		     "/etc/none.conf");
	assert_error(build_plan(m, "core_collector dumpfilter -l --config=erase.conf", &plan, &programs), KD_ERR_CONFIG,
		     "the path must be absolute");
}

#define RECIPIENT "age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw7"

/* What a dump is encrypted to, and which collectors can be. */
static void test_plan_encryption(void **state)
{
	static const struct {
		const char *collector;
		enum kd_error_code code;
		const char *text;
	} cases[] = {
		{ "core_collector dumpfilter -d 31,1", KD_ERR_USAGE,
		  "core_collector: an encrypted dump is written as a stream (-F): several dump levels" },
		{ "core_collector dumpfilter -E", KD_ERR_USAGE, "-F cannot be combined with -E" },
		{ "core_collector cp --sparse=always", KD_ERR_UNSUPPORTED,
		  "the output of cp cannot be encrypted: use dumpfilter or makedumpfile, or remove encrypt" },
		{ "core_collector dumpfilter -z -d 1", 0, NULL },
		{ "core_collector makedumpfile -l -d 31", 0, NULL },
	};
	struct tree *m = *state;

	tree_program(m, "/usr/sbin/dumpfilter", ELF_FILE);
	tree_program(m, "/usr/sbin/makedumpfile", ELF_FILE);
	tree_program(m, "/usr/bin/cp", ELF_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
		_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };
		char conf[512];
		struct kd_error *err;

		snprintf(conf, sizeof(conf), "encrypt " RECIPIENT "\n%s\n", cases[i].collector);
		err = build_plan(m, conf, &plan, &programs);
		if (cases[i].code) {
			assert_error(err, cases[i].code, cases[i].text);
			continue;
		}
		assert_no_error(err);
		assert_int_equal(plan.encryption.count, 1);
		assert_string_equal(plan.encryption.recipient[0], RECIPIENT);
		assert_int_equal(plan.encryption.public, KD_PUBLIC_HOST);
	}
}

static void test_plan_errors(void **state)
{
	struct tree *m = *state;
	struct plan_programs programs;
	struct kd_plan plan;

	tree_text(m, "/srv/text", "no program");
	assert_error(build_plan(m, "kdump_post /srv/none", &plan, &programs), KD_ERR_NOT_FOUND,
		     "/etc/kdump.conf:1: kdump_post: Error: /srv/none not found.");
	assert_error(build_plan(m, "kdump_post /srv/text", &plan, &programs), KD_ERR_CONFIG, "\"chmod +x /srv/text\"");
	assert_error(build_plan(m, "kdump_post /srv", &plan, &programs), KD_ERR_CONFIG,
		     "/srv is not a regular file: name a program");
	assert_error(build_plan(m, "extra_bins /srv", &plan, &programs), KD_ERR_CONFIG,
		     "/srv is not a regular file: name a program");
	assert_error(build_plan(m, "extra_bins lftp", &plan, &programs), KD_ERR_NOT_FOUND,
		     "extra_bins: Error: lftp not found.");
	assert_error(build_plan(m, "\nextra_files /srv/text /srv/none", &plan, &programs), KD_ERR_NOT_FOUND,
		     "/etc/kdump.conf:2: extra_files: /srv/none does not exist: create it, or remove its name");
	assert_error(build_plan(m, "extra_files /srv", &plan, &programs), KD_ERR_CONFIG,
		     "/etc/kdump.conf:1: extra_files: /srv is not a regular file: name the files in it");
	assert_error(build_plan(m, "core_collector dumpfilter -d 32", &plan, &programs), KD_ERR_USAGE,
		     "/etc/kdump.conf:1: core_collector: dumpfilter: ");
	assert_error(build_plan(m, "core_collector dumpfilter --dump-dmesg", &plan, &programs), KD_ERR_USAGE,
		     "dumpfilter: with these options it does not write exactly one dump file");
	assert_error(build_plan(m, "core_collector dumpfilter --max-memory 2M", &plan, &programs), KD_ERR_CONFIG,
		     "--max-memory: 2048 KiB are too little for a dump");
	assert_error(build_plan(m, "core_collector dumpfilter --size-limit 10", &plan, &programs), KD_ERR_CONFIG,
		     "--size-limit: no dump fits into 10 bytes: did you mean 10M?");
	assert_error(build_plan(m, "core_collector dumpfilter --size-limit 64K", &plan, &programs), KD_ERR_CONFIG,
		     "did you mean 64M?");
	assert_error(build_plan(m, "core_collector dumpfilter --max-memory 2X", &plan, &programs), KD_ERR_USAGE,
		     "--max-memory 2X: not a size");
	assert_error(build_plan(m, "core_collector dumpfilter d 17 -c", &plan, &programs), KD_ERR_USAGE,
		     "dumpfilter: d: did you mean \"-d 17\"?");
	assert_error(build_plan(m, "core_collector dumpfilter -d 17 c", &plan, &programs), KD_ERR_USAGE,
		     "c: did you mean \"-c\"?");
	assert_error(build_plan(m, "core_collector dumpfilter -d 31 out", &plan, &programs), KD_ERR_USAGE,
		     "out: give no file names");
	assert_error(build_plan(m, "core_collector cp --sparse", &plan, &programs), KD_ERR_NOT_FOUND,
		     "core_collector: Error: cp not found.");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_times, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_scripts, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_usual_commands, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_busybox, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_script_commands, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector_without_makedumpfile, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector_asks_makedumpfile, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector_that_cannot_be_run, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_collector_erases, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_encryption, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_plan_errors, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
