/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What logs say about crashes, which dumps there are, and which of them go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/klog.h"
#include "kdump/dumps/classes.h"
#include "kdump/dumps/crash_log.h"
#include "kdump/dumps/dumps.h"
#include "kdump/dumps/retention.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/html.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

static void parse(const char *text, struct crash_log *log)
{
	struct kd_error *err = crash_log_parse(text, log);

	assert_null(err);
}

static char *sample(const char *name)
{
	_cleanup_free_ char *path = NULL;
	char *text;

	assert_true(asprintf(&path, "%s/tests/data/dumps/%s", getenv("srcdir") ? getenv("srcdir") : ".", name) > 0);
	assert_no_error(kd_read_file(path, 1 << 20, &text, NULL));
	return text;
}

/* --- logs --------------------------------------------------------------------------------------------------------- */

/* Logs of kernels that really crashed. */
static void test_real_logs(void **state)
{
	static const struct {
		const char *file, *kind, *reason, *task, *rip, *frame, *taint;
	} rows[] = {
		{ "sysrq.log", "sysrq", "Kernel panic - not syncing: sysrq triggered crash", "sh", NULL,
		  "sysrq_handle_crash", NULL },
		{ "null.log", "null-dereference", "BUG: kernel NULL pointer dereference, address: 0000000000000000",
		  "insmod", "kdump_test_null_dereference+0x10/0x1c [kdump_test_panic]", "kdump_test_panic_init", "OE" },
		{ "softlockup.log", "rcu-stall", "Kernel panic - not syncing: RCU Stall", "insmod",
		  "kdump_test_soft_lockup+0xe/0x10 [kdump_test_panic]", "kdump_test_panic_init", "OE" },
		{ "stack.log", "stack-overflow", NULL, "insmod",
		  "kdump_test_stack_overflow+0x2d/0x95 [kdump_test_panic]", "kdump_test_stack_overflow", "OE" },
		{ "oom.log", "out-of-memory",
		  "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled", "tail", NULL,
		  "out_of_memory", NULL },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(crash_log_free) struct crash_log log = { 0 };
		_cleanup_free_ char *text = sample(rows[i].file);

		parse(text, &log);
		assert_string_equal(log.kind, rows[i].kind);
		if (rows[i].reason)
			assert_string_equal(log.reason, rows[i].reason);
		assert_string_equal(log.task, rows[i].task);
		assert_true(log.uptime > 5 && log.uptime < 100);
		if (rows[i].rip)
			assert_string_equal(log.rip, rows[i].rip);
		else
			assert_null(log.rip);
		if (rows[i].rip) /* leads, before its caller */
			assert_string_equal(log.frame[0].text, rows[i].rip);
		for (k = 0; k < log.frames && strcmp(log.frame[k].symbol, rows[i].frame) != 0; k++)
			;
		assert_true(k < log.frames);
		if (rows[i].taint)
			assert_string_equal(log.taint, rows[i].taint);
		else
			assert_null(log.taint);
		assert_string_equal(log.hardware,
				    "QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-debian-1.16.2-1 04/01/2014");
	}
}

/* The same bug elsewhere: other addresses, process, time stamps. Another bug: another place. */
static void test_signature(void **state)
{
	static const char format[] = "[  %s] BUG: kernel NULL pointer dereference, address: 00000000000000%s\n"
				     "[  %s] CPU: %s PID: 1%s Comm: x%s Not tainted 6.1.0 #1\n"
				     "[  %s] RIP: 0010:%s+0x1%s/0x2%s\n[  %s] Call Trace:\n[  %s]  caller+0x%s/0x30\n";
	_cleanup_(crash_log_free) struct crash_log a = { 0 }, b = { 0 }, c = { 0 };
	char text[1000];

#define MAKE(n, place) snprintf(text, sizeof(text), format, n, n, n, n, n, n, n, place, n, n, n, n, n)
	MAKE("12.5", "guilty");
	parse(text, &a);
	MAKE("77.1", "guilty.isra.0");
	parse(text, &b);
	MAKE("12.5", "innocent");
	parse(text, &c);
#undef MAKE
	assert_string_equal(a.signature, b.signature);
	assert_string_not_equal(a.signature, c.signature);
	assert_int_equal(strlen(a.signature), 8);
}

/* arm64, and a kernel that prints who printed. */
static void test_other_kernels(void **state)
{
	static const char arm[] =
		"[   52.1] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000\n"
		"[   52.1] Internal error: Oops: 0000000096000044 [#1] SMP\n"
		"[   52.1] Modules linked in: foo(O) bar [last unloaded: baz]\n"
		"[   52.1] CPU: 3 UID: 0 PID: 77 Comm: kworker/3:1 Kdump: loaded Tainted: [O]=OOT_MODULE, [W]=WARN\n"
		"[   52.1] Hardware name: linux,dummy-virt (DT)\n"
		"[   52.1] pc : do_it+0x10/0x20 [foo]\n[   52.1] lr : other+0x1/0x2\n"
		"[   52.1] Call trace:\n[   52.1]  do_it+0x10/0x20 [foo] (P)\n[   52.1]  process_one_work+0x1/0x2\n";
	static const char callers[] = "[   10.0][    C1] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]\n"
				      "[   10.0][    C1] CPU: 1 PID: 1 Comm: my task Not tainted 5.10.0 #1\n"
				      "[   10.1][  T123] Kernel panic - not syncing: softlockup: hung tasks\n";
	_cleanup_(crash_log_free) struct crash_log log = { 0 }, other = { 0 };

	parse(arm, &log);
	assert_string_equal(log.kind, "null-dereference");
	assert_string_equal(log.task, "kworker/3:1");
	assert_int_equal(log.cpu, 3);
	assert_int_equal(log.pid, 77);
	assert_string_equal(log.taint, "OW");
	assert_string_equal(log.rip, "do_it+0x10/0x20 [foo]");
	assert_int_equal(log.frames, 2);
	assert_int_equal(log.modules, 2);
	parse(callers, &other);
	assert_string_equal(other.kind, "soft-lockup");
	assert_string_equal(other.task, "my task");
	assert_string_equal(other.reason, "Kernel panic - not syncing: softlockup: hung tasks");
}

/* Each of these is a crash to everybody who looks: to the reason of a dump, to its page, to the capture. */
static void test_headlines(void **state)
{
	static const struct {
		const char *line, *kind;
		enum kd_klog_weight weight;
	} rows[] = {
		{ "[    1.0][  T12] Kernel panic - not syncing: Fatal exception", NULL, KD_KLOG_PANIC },
		{ "[    1.0] Kernel panic - not syncing: RCU Stall", "rcu-stall", KD_KLOG_PANIC },
		{ "[    1.0] BUG: unable to handle page fault for address: 00", "bad-address", KD_KLOG_FAULT },
		{ "[    1.0] BUG: Bad page state in process x", NULL, KD_KLOG_FAULT },
		{ "[    1.0] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!", "soft-lockup", KD_KLOG_FAULT },
		{ "[    1.0] general protection fault, probably for non-canonical address 0",
		  "general-protection-fault", KD_KLOG_FAULT },
		{ "[    1.0] Oops: 0002 [#1] PREEMPT SMP", "oops", KD_KLOG_OOPS },
		{ "[    1.0] INFO: task x:7 blocked for more than 120 seconds.", "hung-task", KD_KLOG_TROUBLE },
		{ "[    1.0] traps: x[7] general protection fault ip:1 sp:2 error:0 in x", NULL, KD_KLOG_PLAIN },
		{ "[    1.0] x[7]: BUG: unable to handle page fault", NULL, KD_KLOG_PLAIN },
		{ "[    1.0] x says Kernel panic - not syncing: no", NULL, KD_KLOG_PLAIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *kind;

		assert_int_equal(kd_klog_weigh(kd_klog_message(rows[i].line, NULL), &kind), rows[i].weight);
		if (rows[i].kind)
			assert_string_equal(kind, rows[i].kind);
		else
			assert_null(kind);
	}
}

/* A program that died just before is not the reason. */
static void test_fault_of_a_program(void **state)
{
	static const char text[] = "[   12.1] traps: demo[7] general protection fault ip:1 sp:2 error:0 in demo[1+2]\n"
				   "[   12.2] BUG: kernel NULL pointer dereference, address: 0000000000000000\n"
				   "[   12.2] Oops: 0002 [#1] PREEMPT SMP\n"
				   "[   12.3] Kernel panic - not syncing: Fatal exception\n";
	_cleanup_(crash_log_free) struct crash_log log = { 0 };

	parse(text, &log);
	assert_string_equal(log.kind, "null-dereference");
	assert_string_equal(log.reason, "BUG: kernel NULL pointer dereference, address: 0000000000000000");
}

/* Nothing, noise, and whatever a real log becomes when bytes of it change: no crash, no endless loop. */
static void test_hostile_logs(void **state)
{
	_cleanup_free_ char *text = sample("null.log");
	size_t length = strlen(text), i, k;
	unsigned int seed = 1;

	for (i = 0; i < 300; i++) {
		_cleanup_(crash_log_free) struct crash_log log = { 0 };
		_cleanup_free_ char *copy = strdup(text);

		assert_non_null(copy);
		for (k = 0; k < 40; k++)
			copy[rand_r(&seed) % length] = i % 3 ? 1 + rand_r(&seed) % 255 :
							       "\n []+/():?"[rand_r(&seed) % 10];
		copy[rand_r(&seed) % length] = i % 2 ? '\0' : '\n';
		parse(copy, &log);
		assert_true(log.frames <= CRASH_FRAMES_MAX && log.modules <= CRASH_MODULES_MAX);
	}
	{
		_cleanup_(crash_log_free) struct crash_log log = { 0 };

		parse("", &log);
		assert_string_equal(log.kind, "unknown");
		assert_null(log.reason);
	}
}

/* --- dumps -------------------------------------------------------------------------------------------------------- */

struct place {
	char path[TEMPORARY_SIZE];
};

static void put_file(const char *directory, const char *name, const char *text)
{
	_cleanup_free_ char *path = path_join(directory, name);

	assert_non_null(path);
	assert_no_error(kd_write_file_atomic(path, text, strlen(text), 0600));
}

/* Zeros behind what was put there: a header of zeros promises no more than itself. */
static void grow_file(const char *directory, const char *name, off_t size)
{
	_cleanup_free_ char *path = path_join(directory, name);

	assert_non_null(path);
	assert_int_equal(truncate(path, size), 0);
}

static char *make_dump(const struct place *place, const char *name)
{
	char *path = path_join(place->path, name);

	assert_non_null(path);
	assert_int_equal(mkdir(path, 0700), 0);
	return path;
}

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	temporary_make(place->path);
	*state = place;
	setenv("TZ", "UTC", 1);
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	temporary_remove(place->path);
	free(place);
	return 0;
}

static void test_enumeration(void **state)
{
	struct place *place = *state;
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *log = sample("sysrq.log"), *report = sample("report.json");
	_cleanup_free_ char *whole = make_dump(place, "127.0.0.1-2026-11-24-02:00:23"),
			    *half = make_dump(place, "fe80::1-2026-11-23-02:00:23"),
			    *broken = make_dump(place, "127.0.0.1-2026-11-22-02:00:23-1"),
			    *debian = make_dump(place, "202611211031"), *other = make_dump(place, "lost+found"),
			    *link = NULL;
	struct dump *found;
	struct kd_error *err;

	put_file(whole, "vmcore", "KDUMP   …");
	grow_file(whole, "vmcore", 44390900); /* as its report says */
	put_file(whole, "vmcore-dmesg.txt", log);
	put_file(whole, "report.json", report);
	put_file(half, "vmcore-incomplete", "KDUMP   …");
	put_file(half, "vmcore-dmesg.txt", log);
	put_file(half, "report.json", "{ \"crash_time\": \"yesterday\", \"kernel\": [1, 2], \"steps\": 7 ");
	put_file(broken, "vmcore", "not a dump");
	put_file(broken, "pinned", "");
	put_file(debian, "dump.202611211031", "KDUMP   ");
	grow_file(debian, "dump.202611211031", 4096);
	put_file(debian, "dmesg.202611211031", log);
	put_file(other, "vmcore", "KDUMP   ");
	put_file(place->path, "127.0.0.1-2026-11-20-02:00:23", "a file, not a directory");
	link = path_join(place->path, "127.0.0.1-2026-11-19-02:00:23");
	assert_int_equal(symlink(other, link), 0);

	assert_no_error(dumps_load(place->path, DUMPS_OF_MACHINE, NULL, &dumps));
	assert_int_equal(dumps.count, 4);
	assert_string_equal(dumps.dump[0].name, "202611211031");
	assert_int_equal(dumps.dump[0].state, DUMP_COMPLETE);
	assert_string_equal(dumps.dump[0].log.kind, "sysrq");
	assert_int_equal(dumps.dump[1].state, DUMP_DAMAGED);
	assert_true(dumps.dump[1].pinned);
	assert_string_equal(dump_reason(&dumps.dump[1]), "unknown");
	assert_int_equal(dumps.dump[2].state, DUMP_INCOMPLETE);
	assert_int_equal(dumps.dump[2].time, 1795399223);
	assert_null(dumps.dump[2].report);
	assert_int_equal(dumps.dump[3].state, DUMP_COMPLETE);
	assert_int_equal(dumps.dump[3].time, 1795485623);
	assert_string_equal(dumps.dump[3].release, "6.1.0-56-cloud-amd64");
	assert_string_equal(dump_reason(&dumps.dump[3]), "sysrq triggered crash");
	assert_string_equal(dumps.dump[3].log.signature, dumps.dump[2].log.signature);

	assert_no_error(dumps_find(&dumps, NULL, &found));
	assert_ptr_equal(found, &dumps.dump[3]);
	assert_no_error(dumps_find(&dumps, "-2", &found));
	assert_ptr_equal(found, &dumps.dump[2]);
	assert_no_error(dumps_find(&dumps, "fe80", &found));
	assert_ptr_equal(found, &dumps.dump[2]);
	err = dumps_find(&dumps, "127.0.0.1", &found); /* two */
	assert_error(err, KD_ERR_NOT_FOUND, "several dumps");
	err = dumps_find(&dumps, "../../etc", &found);
	assert_error(err, KD_ERR_NOT_FOUND, "there is no dump");
}

static void test_pin_and_remove(void **state)
{
	struct place *place = *state;
	_cleanup_(dumps_free) struct dumps dumps = { 0 }, after = { 0 };
	_cleanup_free_ char *a = make_dump(place, "127.0.0.1-2026-11-24-02:00:23"),
			    *outside = path_join(place->path, "keep"), *link = path_join(a, "link");

	put_file(a, "vmcore", "KDUMP   ");
	put_file(place->path, "keep", "mine");
	assert_int_equal(symlink(outside, link), 0);
	assert_no_error(dumps_load(place->path, DUMPS_OF_MACHINE, NULL, &dumps));
	assert_int_equal(dumps.count, 1);
	assert_no_error(dump_pin(&dumps.dump[0], true));
	assert_no_error(dumps_load(place->path, DUMPS_OF_MACHINE, NULL, &after));
	assert_true(after.dump[0].pinned);
	assert_no_error(dump_pin(&dumps.dump[0], false));
	assert_no_error(dump_remove(&dumps, &dumps.dump[0]));
	assert_int_equal(access(a, F_OK), -1);
	assert_int_equal(access(outside, F_OK), 0);
}

/* A time that is written as users write it. */
static void test_times(void **state)
{
	const int64_t now = 1795485623; /* 2026-11-24 02:00:23 UTC */
	static const struct {
		const char *text;
		int64_t time;
	} rows[] = {
		{ "@17", 17 },
		{ "now", 1795485623 },
		{ "today", 1795478400 },
		{ "yesterday", 1795392000 },
		{ "2026-11-24", 1795478400 },
		{ "2026-11-24 02:00", 1795485600 },
		{ "2026-11-24 02:00:23", 1795485623 },
		{ "3 days ago", 1795485623 - 3 * 86400 },
		{ "1 hour ago", 1795485623 - 3600 },
	};
	static const char *const bad[] = { "",           "tomorrow's", "2026-13-40", "3 days",
					   "x days ago", "3 dogs ago", "@",          "@-1" };
	int64_t time;
	size_t i;

	setenv("TZ", "UTC", 1);
	tzset();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(dumps_parse_time(rows[i].text, now, &time));
		assert_int_equal(time, rows[i].time);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(dumps_parse_time(bad[i], now, &time));
}

/* --- retention ---------------------------------------------------------------------------------------------------- */

#define DAY 86400

static void test_retention(void **state)
{
	enum { COUNT = 5 };
	static const struct {
		const char *name;
		struct retention_limits limits;
		struct retention_space space;
		const char *goes; /* a letter per dump: '-' stays, 'x' goes */
	} rows[] = {
		{ "no limit", { 0 }, { 0, 1000 }, "-----" },
		{ "count", { .dumps = 3 }, { 1000, 1000 }, "x-x--" },
		{ "one at least", { .dumps = 1 }, { 1000, 1000 }, "x-xx-" },
		{ "size", { .size = 350 }, { 1000, 1000 }, "x-x--" },
		{ "age", { .days = 2 }, { 1000, 1000 }, "x-x--" },
		{ "free", { .free = 100 }, { 50, 1000 }, "x----" },
		{ "free percent", { .free_percent = 25 }, { 90, 1000 }, "x-x--" },
		{ "what cannot be reached", { .free = 1000000 }, { 50, 1000 }, "x-xx-" },
	};
	struct dump dump[COUNT] = { 0 };
	struct dumps dumps = { .dump = dump, .count = COUNT };
	const char *why[COUNT];
	char goes[COUNT + 1] = "";
	size_t i, k;

	for (i = 0; i < COUNT; i++)
		dump[i] = (struct dump){ .size = 100, .time = (int64_t)i * DAY };
	dump[1].pinned = true;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		retention_decide(&rows[i].limits, &dumps, &rows[i].space, 5 * DAY, why);
		for (k = 0; k < COUNT; k++)
			goes[k] = why[k] ? 'x' : '-';
		if (strcmp(goes, rows[i].goes) != 0)
			fail_msg("%s: %s instead of %s", rows[i].name, goes, rows[i].goes);
	}
}

/* What reports of now and of before tell, and made-up ones. */
static void test_unreadable(void **state)
{
	static const struct {
		const char *report, *expected;
	} rows[] = {
		{ "{}", NULL },
		{ "{\"pages\": {\"unreadable\": 0, \"first_unreadable\": null}}", NULL },
		{ "{\"pages\": {\"unreadable\": 3}}", "3 pages" },
		{ "{\"pages\": {\"unreadable\": 206, \"first_unreadable\": {\"address\": 507904, \"error\": \"Bad address\"}}}",
		  "206 pages, the first at 0x7c000: Bad address" },
		{ "{\"copy\": {\"unreadable\": 8192, \"first_unreadable\": {\"offset\": 4096, \"error\": \"Bad address\"}}}",
		  "8192 bytes, the first at offset 0x1000: Bad address" },
		{ "{\"pages\": {\"unreadable\": 1, \"first_unreadable\": {\"address\": [], \"error\": {}}}}",
		  "1 pages" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_object *report = json_tokener_parse(rows[i].report);
		char text[256];
		const char *said = report_unreadable(report, text, sizeof(text));

		assert_non_null(report);
		if (rows[i].expected)
			assert_string_equal(said, rows[i].expected);
		else
			assert_null(said);
		json_object_put(report);
	}
}

/* The report has names of its own for the steps. */
static void test_step_words(void **state)
{
	_cleanup_free_ char *text = sample("report.json");
	struct json_object *report = json_tokener_parse(text), *steps = report_get(report, "steps");

	assert_true(steps && json_object_array_length(steps) == 12);
	for (size_t i = 0; i < json_object_array_length(steps); i++) {
		const char *name = report_string(json_object_array_get_idx(steps, i), "name");

		assert_string_not_equal(report_step_words(name), name);
		assert_in_range(strlen(report_step_words(name)), 1, 14);
	}
	assert_string_equal(report_step_words("save-log"), "Save the log");
	assert_string_equal(report_step_words("new"), "new");
	json_object_put(report);
}

/* Each page counts once, and figures that cannot be true do not make a sum that wraps. */
static void test_classes(void **state)
{
	static const struct {
		const char *pages;
		uint64_t kept, free, all;
	} rows[] = {
		{ "{}", 0, 0, 0 },
		{ "{\"page_size\": 4096, \"keep\": 10, \"zero\": 4, \"free\": 6}", 6 * 4096, 6 * 4096, 16 * 4096 },
		{ "{\"page_size\": 4096, \"keep\": 1, \"zero\": 4}", 0, 0, 4 * 4096 },
		{ "{\"page_size\": 9223372036854775807, \"keep\": 2, \"free\": 2}", UINT64_MAX - 1, 0, UINT64_MAX - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dump dump = { .report = json_object_new_object() };
		uint64_t bytes[DUMP_CLASSES];

		json_object_object_add(dump.report, "pages", json_tokener_parse(rows[i].pages));
		assert_int_equal(dump_class_bytes(&dump, bytes), rows[i].all);
		assert_int_equal(bytes[0], rows[i].kept);
		assert_string_equal(dump_classes[5].key, "free");
		assert_int_equal(bytes[5], rows[i].free);
		json_object_put(dump.report);
	}
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* Whatever a log says, none of it becomes markup, and nothing is fetched. */
static void test_page_escapes(void **state)
{
	struct place *place = *state;
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *path = make_dump(place, "127.0.0.1-2026-11-24-02:00:23"), *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);

	put_file(
		path, "vmcore-dmesg.txt",
		"[    1.0] Kernel panic - not syncing: <script>alert(\"1\")</script> & \x01\xff\xc3\xa4\n"
		"[    1.0] CPU: 0 PID: 1 Comm: <b>bold</b> Not tainted 1\n[    1.0] Call Trace:\n[    1.0]  <img src=x>+0x1/0x2\n");
	put_file(path, "report.json",
		 "{\"steps\": [{\"name\": \"<svg onload=1>\", \"start\": 1, \"seconds\": 2},"
		 "{\"name\": \"save-log\", \"start\": 1, \"seconds\": 1}, 5, null], \"pages\": {\"unreadable\": 3,"
		 "\"first_unreadable\": {\"address\": 507904, \"error\": \"<b>bad</b>\"}}}");
	assert_no_error(dumps_load(place->path, DUMPS_OF_MACHINE, NULL, &dumps));
	assert_int_equal(dumps.count, 1);
	assert_no_error(html_write(out, &dumps.dump[0]));
	fclose(out);
	assert_non_null(
		strstr(page,
		       "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; \xef\xbf\xbd\xef\xbf\xbd\xc3\xa4"));
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<b>"));
	assert_non_null(strstr(page, "3 pages, the first at 0x7c000: &lt;b&gt;bad"));
	assert_non_null(strstr(page, "Save the log"));
	assert_null(strstr(page, "save-log"));
	assert_null(strstr(page, "<img"));
	assert_null(strstr(page, "<svg onload"));
	assert_null(strstr(page, "http:"));
	assert_null(strstr(page, "https:"));
	assert_null(strstr(page, "url("));
}

/* What a line of the log is shown as. */
static void test_page_severities(void **state)
{
	static const struct {
		const char *line, *severity;
	} rows[] = {
		{ "Kernel panic - not syncing: x", "fatal" },
		{ "WARNING: CPU: 1 PID: 7 at mm/x.c:1 f+0x1/0x2", "error" },
		{ "WARNING: something failed, with an error: x", "error" },
		{ "mce: [Hardware Error]: x", "error" },
		{ "x: Warning: odd", "warn" },
		{ "x: probe failed with error -5", "warn" },
		{ "x: loading out-of-tree module taints kernel.", "warn" },
		{ "watchdog: BUG: soft lockup - CPU#1 stuck for 22s!", "fatal" },
		{ "Watchdog detected hard LOCKUP on cpu 1", "fatal" },
		{ "INFO: task x:7 blocked for more than 120 seconds.", "error" },
		{ "traps: x[7] general protection fault ip:1 sp:2 error:0 in x", "warn" },
		{ "Code: 00", "detail" },
		{ "x: fine", "plain" },
	};
	struct place *place = *state;
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *path = make_dump(place, "127.0.0.1-2026-11-24-02:00:23"), *page = NULL, *log = NULL;
	size_t size, i;
	FILE *out = open_memstream(&log, &size);

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		fprintf(out, "[    %zu.0] %s\n", i, rows[i].line);
	fclose(out);
	put_file(path, "vmcore-dmesg.txt", log);
	assert_no_error(dumps_load(place->path, DUMPS_OF_MACHINE, NULL, &dumps));
	out = open_memstream(&page, &size);
	assert_no_error(html_write(out, &dumps.dump[0]));
	fclose(out);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *wanted = NULL;

		assert_true(asprintf(&wanted, "<span class=\"%s\">%s</span>", rows[i].severity, rows[i].line) > 0);
		if (!strstr(page, wanted))
			fail_msg("not %s: %s", rows[i].severity, rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_logs),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_other_kernels),
		cmocka_unit_test(test_headlines),
		cmocka_unit_test(test_fault_of_a_program),
		cmocka_unit_test(test_hostile_logs),
		cmocka_unit_test_setup_teardown(test_enumeration, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_pin_and_remove, make_place, remove_place),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_step_words),
		cmocka_unit_test(test_classes),
		cmocka_unit_test_setup_teardown(test_page_escapes, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_page_severities, make_place, remove_place),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
