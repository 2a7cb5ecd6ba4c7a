/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of the capture's steps, with targets and collectors made for this test: what they do, and in which order,
 * is noted in a file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "capture/action.h"
#include "capture/capture.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/comeback.h"
#include "capture/quiesce.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

enum { TARGETS = 2 };

/* The machine of a test. */
static struct {
	char directory
		[TEMPORARY_SIZE]; /* holds a directory for each target, "up-N" if target N is there, and "notes" */
	bool dump_fails, dump_hangs, dump_is_held;
	bool one_disk;       /* for all targets */
	pid_t worker;        /* which must not touch a target */
	int64_t appears;     /* clock_ms() at which targets appear */
	const char *dies_in; /* the worker, in this mock of a step */
	bool dies_always;
	unsigned int replay_ms;
	bool sync_is_slow;
	bool unplugged; /* the first target's disk, while it is mounted */
} machine;

static PRINTF_FORMAT(1, 2) void note(const char *format, ...)
{
	char path[128], text[64];
	va_list ap;
	int fd, size;

	va_start(ap, format);
	size = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/notes", machine.directory);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, (size_t)size), size);
	close(fd);
}

static bool exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", machine.directory, name);
	return access(path, F_OK) == 0;
}

static void put_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", machine.directory, name);
	assert_no_error(kd_write_file_atomic(path, "", 0, 0600));
}

/* Called by a child of the worker, in step @step. */
static void kill_worker(const char *step)
{
	if (!machine.dies_in || strcmp(machine.dies_in, step) != 0 || (exists("died") && !machine.dies_always))
		return;
	put_file("died");
	kill(getppid(), SIGKILL);
	for (;;)
		pause(); /* dies with it */
}

/* --- in place of the capture's own -------------------------------------------------------------------------------- */

/* The crashed kernel's log, wherever it lies. */
FILE *fopen(const char *path, const char *mode)
{
	static char text[] = "[    1.0] Kernel panic - not syncing: test\n";
	int fd;

	if (strcmp(path, CRASH_LOG) == 0)
		return fmemopen(text, sizeof(text) - 1, "r");
	fd = open(path, (*mode == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC) | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

int unlink(const char *path)
{
	if (strcmp(path, CRASH_LOG) != 0)
		return unlinkat(AT_FDCWD, path, 0);
	put_file("log-is-freed");
	return 0;
}

struct kd_error *quiesce(const struct kd_sysroot *root, struct quiesce_result *ret)
{
	note(getpid() == machine.worker ? "the worker stops devices\n" : "stop devices\n");
	return NULL;
}

struct kd_error *crash_examine(const struct kd_log *log, struct crash_facts *ret)
{
	ret->log_size = 43;
	return NULL;
}

struct kd_error *crash_save_log(const struct kd_log *log)
{
	return NULL;
}

struct kd_error *target_find(const struct kd_sysroot *root, const struct kd_plan *plan,
			     const struct kd_plan_target *target, const struct disks *avoid, int64_t deadline,
			     const struct kd_log *log, struct target_place *ret)
{
	bool hurried = deadline - clock_ms() < target->deadline * INT64_C(500);
	char up[16];

	while (clock_ms() < machine.appears)
		usleep(1000);
	snprintf(up, sizeof(up), "up-%s", target->device);
	note("connect %s%s\n", target->device, hurried ? " in a hurry" : "");
	kill_worker("find");
	if (!exists(up))
		return kd_error_create(KD_ERR_TIMEOUT, "it did not appear");
	snprintf(ret->node, sizeof(ret->node), "/dev/%s", machine.one_disk ? "kdump-test" : target->device);
	return NULL;
}

bool __wrap_disks_are_gone(const struct disks *disks, const struct kd_sysroot *root);
bool __wrap_disks_are_gone(const struct disks *disks, const struct kd_sysroot *root)
{
	return disks->count && exists("unplugged");
}

struct kd_error *target_mount(const struct kd_plan *plan, const struct kd_plan_target *target, uint64_t crash_time,
			      struct target_place *place)
{
	if (machine.unplugged && !exists("unplugged")) {
		put_file("unplugged");
		sleep(60);
	}
	usleep(machine.replay_ms * 1000);
	snprintf(place->directory, sizeof(place->directory), "%s", target->path);
	return NULL;
}

struct kd_error *target_open(const struct target_place *place, int *ret)
{
	if (getpid() == machine.worker)
		note("the worker opens a target\n");
	*ret = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? kd_error_os(errno, "%s", place->directory) : NULL;
}

struct kd_error *target_disconnect(void)
{
	note(getpid() == machine.worker ? "the worker disconnects\n" : "disconnect\n");
	return NULL;
}

void target_abandon(void)
{
	note("abandon\n");
}

struct kd_error *dump_save(const struct dump_request *request, struct dump_result *ret)
{
	note("dump%s\n", getpid() == machine.worker                                ? " by the worker" :
			 faccessat(request->dir, "vmcore-dmesg.txt", F_OK, 0) == 0 ? " behind its log" :
										     "");
	kill_worker("dump");
	if (machine.dump_is_held)
		raise(SIGSTOP); /* does not run, as who waits for a server that is silent */
	*ret = (struct dump_result){ .count = 1, .complete = !machine.dump_fails, .stuck = machine.dump_hangs };
	return machine.dump_fails ? kd_error_create(KD_ERR_STATE, "no dump") : NULL;
}

/* What the end of a capture does to the machine; it is not this one that is to go down. */
void sync(void)
{
	int64_t patience = clock_ms() + (machine.sync_is_slow ? 20000 : 0);

	while (clock_ms() < patience && !exists("petted"))
		usleep(10000);
	note("sync%s\n", machine.sync_is_slow && exists("petted") ? ", petting the watchdog" : "");
}

void __wrap_watchdog_alive(const struct watchdog *watchdog);
void __wrap_watchdog_alive(const struct watchdog *watchdog)
{
	put_file("petted");
}

int syncfs(int fd)
{
	put_file("synced");
	return 0;
}

int reboot(int command)
{
	note("reboot\n");
	kill(getppid(), SIGKILL); /* who would force it */
	return 0;
}

void __wrap_machine_emergency(char key);
void __wrap_machine_emergency(char key)
{
	note("emergency\n");
	_exit(1);
}

void __wrap_machine_make_room(void);
void __wrap_machine_make_room(void)
{
	note("room\n");
}

struct kd_error *comeback_load(struct comeback_request *request)
{
	note("load%s%s\n", request->facts.complete ? "" : " without a dump",
	     request->mounted ? " beside the target" : "");
	return comeback_check(&request->facts);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

/* A plan of targets 0 and 1, and a shell script as kdump_pre that also notes itself; NULL: none. */
static void make_plan(struct kd_plan *plan, const char *pre, unsigned int targets)
{
	assert_no_error(kd_plan_init(plan));
	plan->quiesce = false;
	for (unsigned int i = 0; i < targets; i++) {
		char path[128], device[2] = { (char)('0' + i), '\0' };

		snprintf(path, sizeof(path), "%s/%u", machine.directory, i);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_no_error(kd_plan_add_target(plan, "ext4", device, "", path, 60));
	}
	if (pre) {
		_cleanup_free_ char *script = NULL;
		char *argv[] = { (char *)"/bin/sh", (char *)"-c", NULL, NULL };

		assert_true(asprintf(&script, "cd %s; echo pre >>notes; %s", machine.directory, pre) > 0);
		argv[2] = script;
		assert_no_error(kd_plan_add_hook(plan, "pre", argv));
	}
}

static void make_target(unsigned int number)
{
	char name[16];

	snprintf(name, sizeof(name), "up-%u", number);
	put_file(name);
}

static void assert_saved(const char *expected)
{
	_cleanup_free_ char *text = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/notes", machine.directory);
	assert_no_error(kd_read_file(path, 4096, &text, NULL));
	assert_string_equal(text, expected);
}

/* Capture by @plan; what then must be noted. */
static void capture_with(const struct kd_plan *plan, const struct kd_handover *handover,
			 struct capture_outcome *outcome, const char *expected)
{
	struct kd_log log;
	struct capture_setup setup = {
		.plan = plan,
		.handover = handover,
		.log = &log,
		.console = -1,
		.started = clock_ms(),
		.deadline = clock_deadline(60, INT64_MAX),
		.outcome = outcome,
	};
	_cleanup_fclose_ FILE *said = fopen("/dev/null", "w");

	kd_log_init(&log, said, "kdump", KD_LOG_INFO);
	assert_no_error(capture_run(&setup));
	assert_saved(expected);
}

static void capture(const struct kd_plan *plan, struct capture_outcome *outcome, const char *expected)
{
	capture_with(plan, NULL, outcome, expected);
}

struct fixture {
	struct kd_plan plan;
	struct capture_outcome *outcome;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	temporary_make(machine.directory);
	machine.dump_fails = machine.dump_hangs = machine.dump_is_held = machine.one_disk = false;
	machine.worker = getpid();
	machine.appears = 0;
	machine.dies_in = NULL;
	machine.dies_always = false;
	machine.replay_ms = 0;
	machine.sync_is_slow = machine.unplugged = false;
	fixture->outcome = shared_alloc(sizeof(*fixture->outcome));
	assert_non_null(fixture->outcome);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	temporary_remove(machine.directory);
	munmap(fixture->outcome, sizeof(*fixture->outcome));
	kd_plan_free(&fixture->plan);
	free(fixture);
	return 0;
}

static void test_the_log_is_saved_before_kdump_pre(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, "test -e 0/vmcore-dmesg.txt", 1);
	capture(&fixture->plan, fixture->outcome, "connect 0\npre\ndump behind its log\ndisconnect\n");
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
}

/* The memory that the log takes is the dump's, once the log is on the target. */
static void test_a_saved_log_takes_no_memory(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, "test -e log-is-freed", 1);
	capture(&fixture->plan, fixture->outcome, "connect 0\npre\ndump behind its log\ndisconnect\n");
}

/* A device that does not answer must not hold the worker. */
static void test_devices_are_stopped_by_a_child(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.quiesce = true;
	capture(&fixture->plan, fixture->outcome, "stop devices\nconnect 0\ndump behind its log\ndisconnect\n");
}

static void test_kdump_pre_forbids_the_dump(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	make_plan(&fixture->plan, "exit 1", TARGETS);
	capture(&fixture->plan, fixture->outcome, "connect 0\npre\ndisconnect\n");
	assert_true(fixture->outcome->vetoed);
	assert_int_equal(fixture->outcome->result, CAPTURE_LOG_ONLY);
	assert_true(exists("0/vmcore-dmesg.txt"));
	assert_true(exists("0/report.json"));
}

/* What could not be run, as a file that is damaged or of another machine, has not forbidden anything. */
static void test_kdump_pre_that_cannot_be_run(void **state)
{
	static char *const missing[] = { (char *)"/no/such/program", NULL };
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	assert_no_error(kd_plan_add_hook(&fixture->plan, "pre", missing));
	capture(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\ndisconnect\n");
	assert_false(fixture->outcome->vetoed);
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
}

/* It runs once, whatever the targets do. */
static void test_kdump_pre_runs_once(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	machine.dump_fails = true;
	make_plan(&fixture->plan, "true", TARGETS);
	capture(&fixture->plan, fixture->outcome,
		"connect 0\npre\ndump behind its log\ndisconnect\nconnect 1\ndump behind its log\ndisconnect\n");
}

static void test_kdump_pre_brings_a_target_up(void **state)
{
	struct fixture *fixture = *state;

	make_plan(&fixture->plan, ">up-1", TARGETS);
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndisconnect\nconnect 1\npre\ndisconnect\nconnect 0\ndisconnect\nconnect 1\n"
		"dump behind its log\ndisconnect\n");
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
}

/* A journal may be replayed for longer than the device was waited for, however late that came. */
static void test_waiting_and_mounting_are_two_budgets(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.target[0].deadline = 1;
	machine.appears = clock_ms() + 900;
	machine.replay_ms = 6000;
	capture(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\ndisconnect\n");
}

static void test_a_mount_has_its_own_limit(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = clock_ms();

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.mount_timeout = 1;
	machine.replay_ms = 60000;
	capture(&fixture->plan, fixture->outcome, "connect 0\ndisconnect\n");
	assert_true(clock_ms() - start < 30000);
}

/* A disk that hangs is not touched again, whatever else is on it. */
static void test_a_second_target_on_a_disk_that_hangs(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	machine.dump_fails = machine.dump_hangs = machine.one_disk = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndump behind its log\nroom\nabandon\nconnect 1 in a hurry\ndisconnect\n");
	assert_true(exists("0/vmcore-dmesg.txt"));
	assert_false(exists("1/vmcore-dmesg.txt"));
}

static void test_a_second_target_on_another_disk(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	machine.dump_fails = machine.dump_hangs = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndump behind its log\nroom\nabandon\nconnect 1 in a hurry\ndump behind its log\nroom\nabandon\n");
}

/* Disks had the time of the first one to appear, but the network is set up only now. */
static void test_a_server_after_a_disk_that_hangs(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	machine.dump_fails = machine.dump_hangs = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	assert_no_error(kd_plan_set_server(&fixture->plan, "10.0.2.2", false));
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndump behind its log\nroom\nabandon\nconnect 1\ndump behind its log\nroom\nabandon\n");
}

/* A second address of the server is for one that cannot be reached. */
static void test_another_way(void **state)
{
	struct fixture *fixture = *state;

	make_target(1);
	make_plan(&fixture->plan, NULL, TARGETS);
	assert_no_error(kd_plan_set_server(&fixture->plan, "10.0.2.2", true));
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndisconnect\nconnect 1\ndump behind its log\ndisconnect\n");
}

static void test_another_way_to_a_full_disk(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	machine.dump_fails = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	assert_no_error(kd_plan_set_server(&fixture->plan, "10.0.2.2", true));
	capture(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\ndisconnect\n");
}

static void test_another_way_to_a_server_that_is_lost(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_target(1);
	machine.dump_fails = machine.dump_hangs = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	assert_no_error(kd_plan_set_server(&fixture->plan, "10.0.2.2", true));
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndump behind its log\nroom\nabandon\nconnect 1\ndump behind its log\nroom\nabandon\n");
}

/* Whatever waits for a disk that was pulled out is ended, and the next target has the dump. */
static void test_a_disk_that_is_unplugged(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = clock_ms();

	make_target(0);
	make_target(1);
	machine.unplugged = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	capture(&fixture->plan, fixture->outcome,
		"connect 0\nroom\nabandon\nconnect 1\ndump behind its log\ndisconnect\n");
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
	assert_int_equal(fixture->outcome->progress.hanging.count, 0);
	assert_true(clock_ms() - start < 30000);
}

/* The child that looks after the collectors is killed, and so ends; but what has held it would hold the next one. */
static void test_a_target_that_holds_whoever_looks_at_it(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = clock_ms();

	make_target(0);
	machine.dump_is_held = true;
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.stall_timeout = 1;
	capture(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\nroom\nabandon\n");
	assert_true(clock_ms() - start < 40000);
}

/* --- a worker that dies ------------------------------------------------------------------------------------------- */

static struct kd_error *run_setup(void *arg)
{
	return capture_run(arg);
}

/* Capture by @plan as process 1 does it; *said: the log, owned by the caller. */
static void supervise(const struct kd_plan *plan, struct capture_outcome *outcome, const char *expected, char **said)
{
	struct kd_log log;
	struct capture_setup setup = {
		.plan = plan,
		.log = &log,
		.console = -1,
		.started = clock_ms(),
		.deadline = clock_deadline(60, INT64_MAX),
		.outcome = outcome,
	};
	struct child_job job = { .name = "the capture", .run = run_setup, .arg = &setup, .deadline = setup.deadline };
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/said", machine.directory);
	out = fopen(path, "w");
	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	capture_supervise(&job, &setup);
	assert_int_equal(fclose(out), 0);
	assert_saved(expected);
	assert_no_error(kd_read_file(path, 65536, said, NULL));
}

static void test_a_second_worker_goes_on(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *said = NULL;

	make_target(0);
	machine.dies_in = "find";
	make_plan(&fixture->plan, "true", 1);
	assert_no_error(kd_plan_add_module(&fixture->plan, "/gone.ko", ""));
	supervise(&fixture->plan, fixture->outcome,
		  "connect 0\ndisconnect\nconnect 0\npre\ndump behind its log\ndisconnect\n", &said);
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
	assert_non_null(strstr(said, "starting a second time: the capture died from signal 9"));
	/* What had its turn is left out. */
	assert_non_null(strstr(said, "gone.ko"));
	assert_null(strstr(strstr(said, "starting a second time"), "gone.ko"));
}

/* The program has run, and what it would have said of the dump is not known. */
static void test_a_second_worker_does_not_run_kdump_pre_again(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *said = NULL;

	make_target(0);
	make_plan(&fixture->plan, "kill -9 $PPID; sleep 60", 1);
	supervise(&fixture->plan, fixture->outcome,
		  "connect 0\npre\ndisconnect\nconnect 0\ndump behind its log\ndisconnect\n", &said);
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
}

/* The record in the directory of target @number. */
static void read_flight(unsigned int number, struct kd_flight *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%u/" KD_FLIGHT_FILE, machine.directory, number);
	assert_no_error(kd_read_file(path, 65536, &text, NULL));
	assert_true(kd_flight_parse(text, ret) > 0);
}

/* How the step @name ended for the @th time (from 0). */
static enum kd_flight_kind end_of(const struct kd_flight *flight, const char *name, unsigned int th)
{
	for (size_t i = 0; i < flight->count; i++) {
		const struct kd_flight_event *end;

		if (flight->event[i].kind != KD_FLIGHT_BEGIN ||
		    strcmp(kd_flight_text(flight, &flight->event[i]), name) != 0 || th--)
			continue;
		end = kd_flight_end_of(flight, i);
		return end ? end->kind : KD_FLIGHT_BEGIN;
	}
	fail_msg("no step %s", name);
	return KD_FLIGHT_KINDS;
}

/* Each target has a record of what happened until it was left; the one of the last has all. */
static void test_each_target_has_the_record(void **state)
{
	struct fixture *fixture = *state;
	struct kd_flight flight;

	memcpy(fixture->outcome->flight.id, "00c0ffee", 9);
	make_target(0);
	make_target(1);
	machine.dump_fails = true;
	make_plan(&fixture->plan, NULL, TARGETS);
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndump behind its log\ndisconnect\nconnect 1\ndump behind its log\ndisconnect\n");
	read_flight(0, &flight);
	assert_int_equal(end_of(&flight, "dump", 0), KD_FLIGHT_FAILED);
	assert_string_equal(kd_flight_text(&flight, kd_flight_last(&flight, KD_FLIGHT_TARGET)), "ext4 0");
	read_flight(1, &flight);
	assert_int_equal(end_of(&flight, "connect", 1), KD_FLIGHT_END);
	assert_string_equal(kd_flight_text(&flight, kd_flight_last(&flight, KD_FLIGHT_TARGET)), "ext4 1");
	assert_string_equal(kd_flight_text(&flight, kd_flight_last(&flight, KD_FLIGHT_ERROR)),
			    "no complete dump was saved");
	/* Process 1 shares it, and has the steps after the target was left. */
	assert_int_equal(end_of(&fixture->outcome->flight, "trace", 0), KD_FLIGHT_END);
}

/* A machine that is lost in the middle of the dump has left a record, too. */
static void test_the_record_is_there_before_the_dump(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *said = NULL;
	struct kd_flight flight;

	memcpy(fixture->outcome->flight.id, "00c0ffee", 9);
	make_target(0);
	machine.dies_in = "dump";
	machine.dies_always = true;
	make_plan(&fixture->plan, NULL, 1);
	supervise(&fixture->plan, fixture->outcome,
		  "connect 0\ndump behind its log\ndisconnect\nconnect 0\ndump behind its log\n", &said);
	read_flight(0, &flight);
	/* The second worker has closed what the first one left open. */
	assert_int_equal(end_of(&flight, "dump", 0), KD_FLIGHT_FAILED);
	assert_int_equal(end_of(&flight, "save", 0), KD_FLIGHT_FAILED);
	assert_int_equal(end_of(&flight, "reserve", 1), KD_FLIGHT_BEGIN);
	assert_non_null(
		strstr(kd_flight_text(&flight, kd_flight_last(&flight, KD_FLIGHT_AGAIN)), "died from signal 9"));
	/* It is in the log as well, which goes to pstore if this kernel dies. */
	assert_non_null(strstr(said, "<6>kdump-flight: 00c0ffee "));
}

static void test_a_second_worker_dumps_to_the_next_target(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *said = NULL;

	make_target(0);
	make_target(1);
	machine.dies_in = "dump";
	make_plan(&fixture->plan, NULL, TARGETS);
	supervise(&fixture->plan, fixture->outcome,
		  "connect 0\ndump behind its log\ndisconnect\nconnect 1\ndump behind its log\ndisconnect\n", &said);
	assert_int_equal(fixture->outcome->result, CAPTURE_COMPLETE);
	assert_true(exists("0/vmcore-dmesg.txt"));
}

/* There is no third one. At least the console has the end of the log. */
static void test_a_second_worker_dies_too(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *said = NULL;

	make_target(0);
	machine.dies_in = "find";
	machine.dies_always = true;
	make_plan(&fixture->plan, NULL, 1);
	supervise(&fixture->plan, fixture->outcome, "connect 0\ndisconnect\nconnect 0\n", &said);
	assert_int_equal(fixture->outcome->result, CAPTURE_NOTHING);
	assert_non_null(strstr(said, "nothing has been saved yet; the end of the crashed kernel's log:"));
	assert_non_null(strstr(said, "| [    1.0] Kernel panic - not syncing: test\n"));
}

/* What the target has of the log may be lost with it. */
static void test_without_a_dump_the_console_has_the_log(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *said = NULL;

	make_target(0);
	machine.dump_fails = true;
	make_plan(&fixture->plan, NULL, 1);
	supervise(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\ndisconnect\n", &said);
	assert_int_equal(fixture->outcome->result, CAPTURE_LOG_ONLY);
	assert_non_null(strstr(said, "no complete dump was saved; the end of the crashed kernel's log:"));
	assert_non_null(strstr(said, "| [    1.0] Kernel panic - not syncing: test\n"));
}

static struct kd_handover offered = { .release = (char *)"6.1", .crash = { 100 }, .crashes = 1 };

/* Before the report, which so tells of it; after the dump, which is worth more. */
static void test_a_kernel_to_return_to(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.final_action = KD_ACTION_KEXEC;
	snprintf(fixture->outcome->crash.panic, sizeof(fixture->outcome->crash.panic), "panic");
	capture_with(&fixture->plan, &offered, fixture->outcome,
		     "connect 0\ndump behind its log\nload beside the target\ndisconnect\n");
	assert_true(fixture->outcome->loaded);
	/* This machine has file systems mounted, as no capture kernel would any more. */
	assert_false(fixture->outcome->returning);
}

static void test_no_kernel_to_return_to(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *text = NULL;
	char path[128];

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.final_action = KD_ACTION_KEXEC;
	capture(&fixture->plan, fixture->outcome,
		"connect 0\ndump behind its log\nload beside the target\ndisconnect\n");
	assert_false(fixture->outcome->loaded);
	snprintf(path, sizeof(path), "%s/0/flight.log", machine.directory);
	assert_no_error(kd_read_file(path, 65536, &text, NULL));
	assert_non_null(
		strstr(text, "error no return by kexec, but a reboot through the firmware: the image has no record"));
}

/* The second crash is a loop: it leads to another action, and the record says so. */
static void test_a_crash_loop(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *text = NULL;
	char path[128];

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	fixture->plan.final_action = KD_ACTION_KEXEC;
	fixture->plan.loop = (struct kd_plan_loop){ 2, 600, KD_ACTION_POWEROFF };
	fixture->outcome->crash.identity.crash_time = 400;
	capture_with(&fixture->plan, &offered, fixture->outcome, "connect 0\ndump behind its log\ndisconnect\n");
	snprintf(path, sizeof(path), "%s/0/flight.log", machine.directory);
	assert_no_error(kd_read_file(path, 65536, &text, NULL));
	assert_non_null(strstr(text, "crash loop: at least 2 crashes within 10 minutes, so the action is poweroff"));
}

/* Without a program that could help, nothing is tried twice. */
static void test_no_target(void **state)
{
	struct fixture *fixture = *state;

	make_plan(&fixture->plan, NULL, 1);
	capture(&fixture->plan, fixture->outcome, "connect 0\ndisconnect\n");
	assert_int_equal(fixture->outcome->result, CAPTURE_NOTHING);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void end_capture(void *arg)
{
	const struct capture_outcome *outcome = arg;
	const struct watchdog nobody = { 0 };
	struct kd_log log;
	_cleanup_fclose_ FILE *said = fopen("/dev/null", "w");

	kd_log_init(&log, said, "kdump", KD_LOG_INFO);
	action_perform(KD_ACTION_REBOOT, KD_ACTION_REBOOT, outcome->progress.stuck, &nobody, &log);
}

static void assert_ends(struct capture_outcome *outcome, const char *expected)
{
	pid_t pid = child_start(end_capture, outcome);

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_saved(expected);
}

static void test_the_end_syncs(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	make_plan(&fixture->plan, NULL, 1);
	capture(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\ndisconnect\n");
	assert_ends(fixture->outcome, "connect 0\ndump behind its log\ndisconnect\nsync\nreboot\n");
}

/* A sync may take a minute. Who pets the watchdog gives up process 1 when that is silent for half of it. */
static void test_a_sync_does_not_starve_the_watchdog(void **state)
{
	struct fixture *fixture = *state;

	machine.sync_is_slow = true;
	assert_ends(fixture->outcome, "sync, petting the watchdog\nreboot\n");
}

/* sync(2) would wait for the disk that was left, and for nothing else. */
static void test_the_end_does_not_wait_for_a_disk_that_was_left(void **state)
{
	struct fixture *fixture = *state;

	make_target(0);
	machine.dump_fails = machine.dump_hangs = true;
	make_plan(&fixture->plan, NULL, 1);
	capture(&fixture->plan, fixture->outcome, "connect 0\ndump behind its log\nroom\nabandon\n");
	assert_ends(fixture->outcome, "connect 0\ndump behind its log\nroom\nabandon\nreboot\n");
	/* What is still mounted has its turn. */
	assert_true(exists("synced"));
}

#define WITH_MACHINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MACHINE(test_the_log_is_saved_before_kdump_pre),
		WITH_MACHINE(test_a_saved_log_takes_no_memory),
		WITH_MACHINE(test_devices_are_stopped_by_a_child),
		WITH_MACHINE(test_kdump_pre_forbids_the_dump),
		WITH_MACHINE(test_kdump_pre_that_cannot_be_run),
		WITH_MACHINE(test_kdump_pre_runs_once),
		WITH_MACHINE(test_kdump_pre_brings_a_target_up),
		WITH_MACHINE(test_waiting_and_mounting_are_two_budgets),
		WITH_MACHINE(test_a_mount_has_its_own_limit),
		WITH_MACHINE(test_a_second_target_on_a_disk_that_hangs),
		WITH_MACHINE(test_a_second_target_on_another_disk),
		WITH_MACHINE(test_a_server_after_a_disk_that_hangs),
		WITH_MACHINE(test_another_way),
		WITH_MACHINE(test_another_way_to_a_full_disk),
		WITH_MACHINE(test_another_way_to_a_server_that_is_lost),
		WITH_MACHINE(test_a_disk_that_is_unplugged),
		WITH_MACHINE(test_a_target_that_holds_whoever_looks_at_it),
		WITH_MACHINE(test_a_second_worker_goes_on),
		WITH_MACHINE(test_a_second_worker_does_not_run_kdump_pre_again),
		WITH_MACHINE(test_each_target_has_the_record),
		WITH_MACHINE(test_the_record_is_there_before_the_dump),
		WITH_MACHINE(test_a_second_worker_dumps_to_the_next_target),
		WITH_MACHINE(test_a_second_worker_dies_too),
		WITH_MACHINE(test_without_a_dump_the_console_has_the_log),
		WITH_MACHINE(test_a_kernel_to_return_to),
		WITH_MACHINE(test_no_kernel_to_return_to),
		WITH_MACHINE(test_a_crash_loop),
		WITH_MACHINE(test_no_target),
		WITH_MACHINE(test_the_end_syncs),
		WITH_MACHINE(test_a_sync_does_not_starve_the_watchdog),
		WITH_MACHINE(test_the_end_does_not_wait_for_a_disk_that_was_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
