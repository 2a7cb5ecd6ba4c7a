/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/json.h"
#include "base/klog.h"
#include "base/parse.h"
#include "capture/action.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/copy.h"
#include "capture/crash.h"
#include "capture/dump.h"
#include "capture/hooks.h"
#include "capture/ladder.h"
#include "capture/memory.h"
#include "capture/modules.h"
#include "capture/progress.h"
#include "capture/pstore.h"
#include "capture/quiesce.h"
#include "capture/report.h"
#include "capture/save.h"
#include "capture/target.h"
#include "capture/uevent.h"
#include "dumpfilter/report.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

static const struct encryption plain;

/* --- a directory of its own for each test that needs one ---------------------------------------------------------- */

static int make_directory(void **state)
{
	*state = calloc(1, TEMPORARY_SIZE);
	assert_non_null(*state);
	temporary_make(*state);
	return 0;
}

static int remove_directory(void **state)
{
	temporary_remove(*state);
	free(*state);
	return 0;
}

static void put_file(const char *directory, const char *name, const void *data, size_t size)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *parent = NULL;

	assert_true(asprintf(&path, "%s%s", directory, name) > 0);
	parent = strdup(path);
	*strrchr(parent, '/') = '\0';
	assert_no_error(kd_mkdir_p(parent, 0755));
	assert_no_error(kd_write_file_atomic(path, data, size, 0644));
}

/* --- quiesce ------------------------------------------------------------------------------------------------------ */

static void put_function(const char *root, const char *name, uint8_t command, uint8_t base_class, uint8_t header_type)
{
	uint8_t config[64] = { 0x86, 0x80, 0x0e, 0x10, command, 0x01 };
	char path[128];

	config[0x0b] = base_class;
	config[0x0e] = header_type;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	put_file(root, path, config, sizeof(config));
}

static uint16_t get_command(const char *root, const char *name)
{
	_cleanup_free_ char *data = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/config", root, name);
	assert_no_error(kd_read_file(path, 4096, &data, NULL));
	return (uint8_t)data[4] | (uint8_t)data[5] << 8;
}

static void test_quiesce_stops_masters_without_driver(void **state)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	const char *dir = *state;
	struct quiesce_result result;

	put_function(dir, "0000:00:01.0", 0x07, 0x06, 0x00); /* ISA bridge */
	put_function(dir, "0000:00:02.0", 0x07, 0x06, 0x81); /* PCI bridge, multi-function */
	put_function(dir, "0000:00:03.0", 0x07, 0x02, 0x00); /* network, no driver */
	put_function(dir, "0000:00:04.0", 0x03, 0x03, 0x00); /* display, no bus master */
	put_function(dir, "0000:00:05.0", 0x07, 0x01, 0x00); /* storage, with a driver */
	put_function(dir, "0000:00:05.1", 0x06, 0x0c, 0x80); /* serial bus, multi-function, no driver */
	put_function(dir, "0000:00:07.0", 0x06, 0x08, 0x00); /* I/O APIC or IOMMU, no driver */
	put_file(dir, "/sys/bus/pci/devices/0000:00:05.0/driver/unbind", "", 0);
	put_file(dir, "/sys/bus/pci/devices/0000:00:06.0/config", "short", 5);
	assert_no_error(kd_sysroot_open(dir, &root));
	assert_no_error(quiesce(&root, &result));
	assert_int_equal(result.count, 2);
	assert_int_equal(result.failed, 1);
	assert_true(strcmp(result.name[0], "0000:00:03.0") == 0 || strcmp(result.name[1], "0000:00:03.0") == 0);
	assert_int_equal(get_command(dir, "0000:00:01.0"), 0x107);
	assert_int_equal(get_command(dir, "0000:00:02.0"), 0x107);
	assert_int_equal(get_command(dir, "0000:00:03.0"), 0x103);
	assert_int_equal(get_command(dir, "0000:00:04.0"), 0x103);
	assert_int_equal(get_command(dir, "0000:00:05.0"), 0x107);
	assert_int_equal(get_command(dir, "0000:00:05.1"), 0x102);
	assert_int_equal(get_command(dir, "0000:00:07.0"), 0x106);
}

static void test_quiesce_leaves_absent_devices(void **state)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	uint8_t gone[64];
	struct quiesce_result result;

	assert_no_error(kd_sysroot_open(*state, &root));
	assert_no_error(quiesce(&root, &result)); /* no PCI at all */
	assert_int_equal(result.count + result.failed, 0);
	memset(gone, 0xff, sizeof(gone));
	put_file(*state, "/sys/bus/pci/devices/0000:01:00.0/config", gone, sizeof(gone));
	assert_no_error(quiesce(&root, &result));
	assert_int_equal(result.count + result.failed, 0);
	assert_int_equal(get_command(*state, "0000:01:00.0"), 0xffff);
}

/* --- child -------------------------------------------------------------------------------------------------------- */

static struct kd_error *succeed(void *arg)
{
	*(int *)arg = 42;
	return NULL;
}

static struct kd_error *fail_with_errno(void *arg)
{
	return kd_error_os(ENOSPC, "cannot write %s", "it");
}

static struct kd_error *fault(void *arg)
{
	abort();
}

static struct kd_error *hang(void *arg)
{
	pause();
	return NULL;
}

static struct kd_error *become_false(void *arg)
{
	static char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 3", NULL };

	return child_exec(argv);
}

static struct kd_error *become_nothing(void *arg)
{
	static char *const argv[] = { (char *)"/no/such/program", NULL };

	return child_exec(argv);
}

static bool give_up(void *arg, pid_t pid)
{
	return false;
}

static struct kd_error *run(struct kd_error *(*function)(void *arg), int ms, bool (*tick)(void *arg, pid_t pid),
			    void *arg, struct child_result *result)
{
	struct child_job job = {
		.name = "job", .run = function, .tick = tick, .arg = arg, .deadline = clock_ms() + ms
	};

	return child_run(&job, result);
}

static void test_child_ends(void **state)
{
	int *shared = shared_alloc(sizeof(*shared));
	struct child_result result;
	struct kd_error *err;

	assert_no_error(run(succeed, 10000, NULL, shared, &result));
	assert_int_equal(*shared, 42);
	assert_int_equal(result.end, CHILD_OK);
	err = run(fail_with_errno, 10000, NULL, NULL, &result);
	assert_int_equal(err->errnum, ENOSPC);
	assert_error(err, KD_ERR_OS, "cannot write it: No space left on device");
	assert_int_equal(result.end, CHILD_ERROR);
	assert_error(run(fault, 10000, NULL, NULL, &result), KD_ERR_STATE, "signal 6");
	assert_int_equal(result.end, CHILD_SIGNAL);
	assert_error(run(become_false, 10000, NULL, NULL, &result), KD_ERR_STATE, "exit status 3");
	assert_int_equal(result.end, CHILD_EXIT);
	assert_error(run(become_nothing, 10000, NULL, NULL, &result), KD_ERR_OS, "/no/such/program");
	munmap(shared, sizeof(*shared));
}

static void test_child_that_hangs_is_stopped(void **state)
{
	struct child_result result;
	int64_t start = clock_ms();

	assert_error(run(hang, 50, NULL, NULL, &result), KD_ERR_TIMEOUT, "too long");
	assert_int_equal(result.end, CHILD_KILLED);
	assert_error(run(hang, 60000, give_up, NULL, &result), KD_ERR_TIMEOUT, "too long");
	assert_true(clock_ms() - start < 10000);
}

static void release(volatile int *shared)
{
	shared[0] = 1;
}

/* Until release(), then it leaves a trace: it was not killed. */
static struct kd_error *wait_for_release(void *arg)
{
	volatile int *shared = arg;

	while (!shared[0])
		usleep(1000);
	shared[1] = 1;
	return NULL;
}

static void test_child_that_is_spared_goes_on(void **state)
{
	int *shared = shared_alloc(2 * sizeof(*shared));
	struct child_job job = {
		.name = "a driver", .run = wait_for_release, .arg = shared, .deadline = clock_ms() + 50, .spared = true
	};
	struct child_result result;

	assert_error(child_run(&job, &result), KD_ERR_TIMEOUT,
		     "a driver has not ended in its time; it goes on by itself");
	assert_int_equal(result.end, CHILD_LEFT);
	release(shared);
	assert_true(wait(NULL) > 0);
	assert_int_equal(shared[1], 1);
	munmap(shared, 2 * sizeof(*shared));
}

/* It survives SIGKILL as a process that is stuck in the kernel does: its own child traces it and holds it at its end
 * until release(). */
static struct kd_error *get_stuck(void *arg)
{
	volatile int *shared = arg;

	if (fork() == 0) {
		setsid(); /* not to be killed with the group */
		shared[1] = ptrace(PTRACE_SEIZE, getppid(), NULL, PTRACE_O_TRACEEXIT) == 0 ? 1 : -1;
		while (!shared[0])
			usleep(1000);
		_exit(0);
	}
	for (;;)
		pause();
}

static void test_child_that_is_stuck_is_left(void **state)
{
	int *shared = shared_alloc(2 * sizeof(*shared));
	struct child_result result;
	struct kd_error *err = run(get_stuck, 1000, NULL, shared, &result);
	bool traced = shared[1] == 1;

	release(shared);
	assert_true(wait(NULL) > 0 || !traced);
	if (!traced) {
		kd_error_destroy(err);
		end_test("this sandbox allows no tracing");
	}
	assert_error(err, KD_ERR_TIMEOUT, "job is stuck and was left behind");
	assert_int_equal(result.end, CHILD_LEFT);
	munmap(shared, 2 * sizeof(*shared));
}

/* A process that waits for a child shows that it is alive. */
static void test_activity(void **state)
{
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;
	struct child_result result;

	assert_int_equal(child_activity("Name:\tx\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n"),
			 42);
	assert_int_equal(child_activity("Name:\tx\n"), 0);
	assert_no_error(kd_read_file("/proc/self/status", 1 << 20, &before, NULL));
	assert_error(run(hang, 2500, NULL, NULL, &result), KD_ERR_TIMEOUT, "too long");
	assert_no_error(kd_read_file("/proc/self/status", 1 << 20, &after, NULL));
	assert_true(child_activity(after) >= child_activity(before) + 3); /* two ticks and the end */
}

/* One that was stopped does not run any more. */
static void test_silent(void **state)
{
	struct child_pulse pulse = { 0 }, own = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(child_silent(&pulse, pid), i);
		usleep(1000);
		assert_int_equal(child_silent(&own, getpid()), 0);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(child_silent(&pulse, pid), 0); /* it has ended, which is not being stuck */
}

static struct kd_error *sleep_long(void *arg)
{
	sleep(30);
	return NULL;
}

static struct kd_error *have_a_child(void *arg)
{
	return run(sleep_long, INT_MAX, NULL, NULL, &(struct child_result){ 0 });
}

/* Who looks after a collector may be killed: the collector goes with it. */
static void test_children_die_with_their_parent(void **state)
{
	int pipe_fds[2];
	struct child_result result;
	struct pollfd poll_fd = { .events = 0 };

	assert_int_equal(pipe(pipe_fds), 0);
	assert_error(run(have_a_child, 500, NULL, NULL, &result), KD_ERR_TIMEOUT, "too long");
	close(pipe_fds[1]);
	poll_fd.fd = pipe_fds[0];
	assert_int_equal(poll(&poll_fd, 1, 10000), 1); /* all writers are gone */
	close(pipe_fds[0]);
}

static void test_cpu_time(void **state)
{
	static const struct {
		const char *stat;
		pid_t pid;
		uint64_t ticks;
	} cases[] = {
		{ "42 (cp) R 7 42 42 0 -1 4194304 100 0 0 0 5 6 7 8 20 0 1 0 1", 42, 26 },
		{ "43 (a) b (c) S 42 43 43 0 -1 4194304 100 0 0 0 1 2 3 4 20 0 1 0 1", 42, 10 }, /* a child's session */
		{ "44 (x) D 1 44 42 0 -1 4194304 100 0 0 0 1 0 0 0 20 0 1 0 1", 42, 1 },         /* an orphan */
		{ "45 (x) R 1 45 45 0 -1 4194304 100 0 0 0 1 0 0 0 20 0 1 0 1", 42, 0 },
		{ "42 (x) R 1", 42, 0 },
		{ "", 42, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(child_cpu_of(cases[i].stat, cases[i].pid),
				 cases[i].ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK));
	assert_int_equal(child_cpu(INT_MAX), 0);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void test_watchdog_decides(void **state)
{
	static const struct {
		enum watchdog_mode mode;
		unsigned int silent;
		enum watchdog_deed deed;
	} cases[] = {
		{ WATCHDOG_WATCH, 0, WATCHDOG_PET },       { WATCHDOG_WATCH, 29, WATCHDOG_PET },
		{ WATCHDOG_WATCH, 30, WATCHDOG_WAIT },     { WATCHDOG_WATCH, 179, WATCHDOG_WAIT },
		{ WATCHDOG_WATCH, 180, WATCHDOG_RESET },   { WATCHDOG_ATTEND, 0, WATCHDOG_PET },
		{ WATCHDOG_ATTEND, 100000, WATCHDOG_PET }, { WATCHDOG_OFF, 0, WATCHDOG_STOP },
		{ WATCHDOG_OFF, 100000, WATCHDOG_STOP },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(watchdog_decide(cases[i].mode, cases[i].silent), cases[i].deed);
}

/* A board and its BMC may have a watchdog each. One that nobody pets resets the machine within the dump. */
static void test_each_watchdog_is_petted(void **state)
{
	_cleanup_close_ int directory = -1;
	int fd[WATCHDOG_NODES] = { -1, -1, -1, -1, -1 };
	char path[TEMPORARY_SIZE];

	temporary_make(path);
	directory = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(directory >= 0);
	watchdog_open(directory, fd);
	assert_int_equal(fd[0], -1);
	assert_int_equal(mknodat(directory, "watchdog", S_IFREG | 0600, 0), 0);
	assert_int_equal(mknodat(directory, "watchdog1", S_IFREG | 0600, 0), 0);
	watchdog_open(directory, fd);
	assert_true(fd[0] >= 0 && fd[1] == -1 && fd[2] >= 0);
	/* Its driver came later. */
	assert_int_equal(mknodat(directory, "watchdog0", S_IFREG | 0600, 0), 0);
	watchdog_open(directory, fd);
	assert_true(fd[1] >= 0);
	for (size_t i = 0; i < WATCHDOG_NODES; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	temporary_remove(path);
}

/* Every action has a way out that takes no locks, or stands still because that is what was asked for. */
static void test_action_ways(void **state)
{
	assert_int_equal(action_way(KD_ACTION_REBOOT).command, (int)RB_AUTOBOOT);
	assert_int_equal(action_way(KD_ACTION_REBOOT).key, 'b');
	assert_int_equal(action_way(KD_ACTION_POWEROFF).command, (int)RB_POWER_OFF);
	assert_int_equal(action_way(KD_ACTION_POWEROFF).key, 'o');
	assert_int_equal(action_way(KD_ACTION_HALT).command, (int)RB_HALT_SYSTEM);
	assert_int_equal(action_way(KD_ACTION_HALT).key, '\0');
	assert_int_equal(action_way(KD_ACTION_SHELL).command, (int)RB_AUTOBOOT);
}

/* --- ladder ------------------------------------------------------------------------------------------------------- */

static void test_ladder_goes_down(void **state)
{
	struct ladder_facts facts = { .end = CHILD_SIGNAL, .plain_filter = false, .space = 100, .vmcore_size = 100 };

	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_FILTER);
	assert_int_equal(ladder_next(RUNG_FILTER, &facts), RUNG_STORE);
	assert_int_equal(ladder_next(RUNG_STORE, &facts), RUNG_COPY);
	assert_int_equal(ladder_next(RUNG_COPY, &facts), RUNG_NONE);
	facts.plain_filter = true; /* the same once more would end the same */
	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_STORE);
	facts.space = 99;
	assert_int_equal(ladder_next(RUNG_STORE, &facts), RUNG_NONE);
}

static void test_ladder_full_disk(void **state)
{
	struct ladder_facts facts = { .end = CHILD_ERROR, .errnum = ENOSPC, .space = 0, .vmcore_size = 100 };

	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_FILTER); /* which is smaller */
	assert_int_equal(ladder_next(RUNG_FILTER, &facts), RUNG_NONE);
	facts.plain_filter = true;
	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_NONE);
	assert_false(ladder_needs_estimate(RUNG_CONFIGURED, &facts));
}

/* An incomplete dump goes only if the one that gets its room can be expected to be complete. */
static void test_ladder_makes_room(void **state)
{
	static const struct {
		int errnum;
		uint64_t space, file_size, filter_size;
		enum rung next;
		bool replace;
	} rows[] = {
		{ ENOSPC, 0, 100, 100, RUNG_FILTER, true },
		{ ENOSPC, 0, 100, 101, RUNG_NONE, true },
		{ ENOSPC, 10, 100, 110, RUNG_FILTER, true },
		{ ENOSPC, 50, 100, 50, RUNG_FILTER, false }, /* there is room beside it */
		{ ENOSPC, 0, 100, UINT64_MAX, RUNG_NONE, true },
		{ EDQUOT, 1000, 100, 101, RUNG_NONE, true }, /* which is not for us */
		{ EDQUOT, 1000, 100, 100, RUNG_FILTER, true },
		{ EFBIG, 1000, 100, 100, RUNG_FILTER, true },
		{ EFAULT, 0, 100, 1000, RUNG_FILTER, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ladder_facts facts = { .end = CHILD_ERROR,
						    .errnum = rows[i].errnum,
						    .space = rows[i].space,
						    .file_size = rows[i].file_size,
						    .filter_size = rows[i].filter_size };

		assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), rows[i].next);
		assert_int_equal(ladder_needs_estimate(RUNG_CONFIGURED, &facts), rows[i].errnum != EFAULT);
		assert_int_equal(ladder_must_replace(&facts), rows[i].replace);
	}
}

static void test_ladder_better(void **state)
{
	/* Each is better than those behind it. */
	static const struct ladder_standing by_worth[] = {
		{ true, true, true, 5 },       { true, true, true, 4 },     { true, false, true, 1000 },
		{ false, true, true, 100 },    { false, true, true, 99 },   { false, false, true, 1000 },
		{ false, false, false, 1024 }, { false, false, true, 400 }, { false, false, false, 1 },
		{ false, false, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(by_worth); i++)
		for (size_t k = 0; k < ARRAY_SIZE(by_worth); k++)
			assert_int_equal(ladder_is_better(&by_worth[i], &by_worth[k]), i < k);
}

static void test_ladder_gives_up_targets(void **state)
{
	struct ladder_facts facts = { .end = CHILD_ERROR, .errnum = EIO, .space = 100, .vmcore_size = 1 };

	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_NONE);
	facts.errnum = EFAULT; /* of /proc/vmcore */
	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_FILTER);
	facts.out_of_time = true;
	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_NONE);
	facts.out_of_time = false;
	facts.end = CHILD_LEFT; /* it holds the disk for ever */
	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_NONE);
}

/* The target is left only for another one, when that has time, and not for a burst of either kind. */
static void test_ladder_too_slow(void **state)
{
	static const struct {
		struct ladder_pace
			pace; /* done, total, elapsed, recently done, in, left; seconds are made milliseconds */
		bool slow;
	} cases[] = {
		/* At a page a second, 3600 of them: an hour is left, then half of one. */
		{ { 100, 3700, 100, 60, 60, 3600, true }, false },
		{ { 100, 3700, 100, 60, 60, 1799, true }, true },
		{ { 100, 3700, 100, 60, 60, 1801, true }, false },
		/* There is no other target. */
		{ { 100, 370000, 100, 60, 60, 3500, false }, false },
		/* It has just begun. */
		{ { 1, 370000, 59, 1, 59, 3500, true }, false },
		{ { 1, 370000, 60, 1, 60, 3500, true }, true },
		{ { 0, 370000, 60, 0, 60, 3500, true }, true },
		/* It began slowly, or is slow now. */
		{ { 100, 370000, 1000, 100000, 60, 3500, true }, false },
		{ { 300000, 370000, 1000, 1, 60, 3500, true }, false },
		/* A quarter of the time has gone. */
		{ { 100, 370000, 900, 60, 60, 2700, true }, true },
		{ { 100, 370000, 901, 60, 60, 2699, true }, false },
		/* Nothing is known, or left to do. */
		{ { 0, 0, 100, 0, 60, 3500, true }, false },
		{ { 3700, 3700, 100, 0, 60, 3500, true }, false },
		{ { UINT64_MAX / 2, UINT64_MAX, 60, UINT64_MAX / 2, 60, 3500, true }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ladder_pace pace = cases[i].pace;

		pace.elapsed_ms *= 1000;
		pace.recent_ms *= 1000;
		pace.left_ms *= 1000;
		if (ladder_is_too_slow(&pace) != cases[i].slow)
			fail_msg("case %zu", i);
	}
}

/* What has to be erased must not come back by another way. */
static void test_ladder_erasing(void **state)
{
	struct ladder_facts facts = { .end = CHILD_EXIT, .erases = true, .space = 100, .vmcore_size = 1 };

	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_NONE);
	facts.errnum = ENOSPC;
	assert_int_equal(ladder_next(RUNG_CONFIGURED, &facts), RUNG_NONE);
}

/* --- crash -------------------------------------------------------------------------------------------------------- */

static void assert_panic(const char *log, const char *expected)
{
	_cleanup_fclose_ FILE *in = tmpfile();
	char message[64];

	assert_non_null(in);
	fputs(log, in);
	rewind(in);
	crash_panic_message(in, message, sizeof(message));
	assert_string_equal(message, expected);
}

/* However large the log is, what is kept of it is not: its beginning and its newest records, in whole lines. */
static void test_log_bounded(void **state)
{
	static const char whole[] =
		"[    0.000000] zero\n[    1.000001] one\n[    2.000002] two\n               lines\n"
		"[    3.000003] three\n[    4.000004] four\n[    5.000005] five\n";
	static const char left_out[] = "-- the log is too long: records are left out here --\n";
	static const char *const text[] = { "zero", "one", "two\nlines", "three", "four", "five" };
	_cleanup_free_ char *path = NULL;
	struct machine machine;

	assert_true(asprintf(&path, "%s/vmcore.in", (char *)*state) > 0);
	machine_init_log(&machine);
	for (unsigned int i = 0; i < ARRAY_SIZE(text); i++)
		machine_add_record(&machine, i, 2, i * 32, (i + 1) * 32, text[i]);
	machine_write(&machine, path);
	machine_release(&machine);
	for (uint64_t max = 0; max <= sizeof(whole); max++) {
		_cleanup_fclose_ FILE *out = tmpfile();
		_cleanup_free_ char *written = NULL;
		size_t size, head, tail;
		const char *mark;

		assert_no_error(crash_write_log(path, out, max, NULL));
		rewind(out);
		assert_no_error(kd_read_fd(fileno(out), "log", 4096, &written, &size));
		mark = strstr(written, left_out);
		if (max + 1 >= sizeof(whole))
			assert_string_equal(written, whole);
		assert_true(size <= max + sizeof(left_out) + 24); /* a line */
		/* No mark: no line lies between both parts, or the newest is longer than its part. */
		if (!mark) {
			assert_true(strcmp(written, whole) == 0 || max / 4 * 3 < strlen("[    5.000005] five\n"));
			continue;
		}
		head = (size_t)(mark - written);
		tail = size - head - strlen(left_out);
		assert_memory_equal(written, whole, head);
		assert_true(head == 0 || written[head - 1] == '\n');
		assert_true(tail > 0 && tail <= max / 4 * 3);
		assert_string_equal(mark + strlen(left_out), whole + strlen(whole) - tail);
		assert_int_equal(whole[strlen(whole) - tail - 1], '\n');
	}
}

static void test_panic_message(void **state)
{
	assert_panic("", "");
	assert_panic("[    0.000000] Linux version 6.1\n", "");
	assert_panic("[    1.5] BUG: scheduling while atomic\n[    2.0] x\n[    3.0] Kernel panic - not syncing: sysrq "
		     "triggered crash\n[    3.1] CPU: 0\n",
		     "Kernel panic - not syncing: sysrq triggered crash");
	assert_panic("[    1.5][    T1] BUG: soft lockup\n[    2.0][   C3] BUG: kernel NULL pointer dereference\n"
		     "[    2.1] Oops: 0002 [#1] PREEMPT SMP\n",
		     "BUG: kernel NULL pointer dereference");
	assert_panic("[    2.1] Oops: 0002 [#1] PREEMPT SMP", "Oops: 0002 [#1] PREEMPT SMP");
	assert_panic("[1] user says Kernel panic - not syncing: no\n", "");
	assert_panic("[2] Kernel panic - not syncing: "
		     "0123456789012345678901234567890123456789012345678901234567890123456789\n",
		     "Kernel panic - not syncing: 01234567890123456789012345678901234");
}

static void test_clock(void **state)
{
	static const struct {
		uint64_t crash_time;
		int64_t booted, now, expected;
	} cases[] = {
		{ 1000000, 5, 1000006, 1000006 },        /* right */
		{ 1000000, 5, 1000050, 1000050 },        /* near enough */
		{ 1000000, 5, 1007206, 1000005 },        /* local time, two hours ahead */
		{ 1000000, 5, 996406, 1000005 },         /* an hour behind */
		{ 1000000, 600, 1000601, 1000601 },      /* a second worker, ten minutes later */
		{ 0, 5, 77, 77 },                        /* nobody knows */
		{ UINT64_MAX - 3, 5, 1000000, 1000000 }, /* the crashed kernel's memory is damaged */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(clock_since_crash(cases[i].crash_time, cases[i].booted, cases[i].now),
				 cases[i].expected);
}

static void test_log_tail(void **state)
{
	const char *log = "a\nb\nc\n";

	assert_string_equal(kd_klog_tail(log, 2), "b\nc\n");
	assert_ptr_equal(kd_klog_tail(log, 50), log);
	assert_string_equal(kd_klog_tail("x\ny", 1), "y");
	assert_string_equal(kd_klog_tail("", 3), "");
}

/* --- json and the report ------------------------------------------------------------------------------------------ */

static char *json_text(void (*write)(struct kd_json *json))
{
	struct kd_json json = { 0 };
	char *text = NULL;
	size_t size;

	json.out = open_memstream(&text, &size);
	write(&json);
	fclose(json.out);
	return text;
}

static void write_strings(struct kd_json *json)
{
	kd_json_open(json, NULL, '[');
	kd_json_string(json, NULL, "q\" b\\ t\t n\n \x01\x7f");
	kd_json_string(json, NULL, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"); /* ä € and one beyond the BMP */
	kd_json_string(json, NULL,
		       "\xff \xc0\xaf \xed\xa0\x80 \xe2\x82 \xc3"); /* stray, overlong, surrogate, cut short */
	kd_json_string(json, NULL, NULL);
	kd_json_close(json, ']');
}

static void write_nested(struct kd_json *json)
{
	kd_json_open(json, NULL, '{');
	kd_json_u64(json, "n", UINT64_MAX);
	kd_json_open(json, "empty", '[');
	kd_json_close(json, ']');
	kd_json_open(json, "o", '{');
	kd_json_bool(json, "b", true);
	kd_json_seconds(json, "s", 12034);
	kd_json_close(json, '}');
	kd_json_close(json, '}');
}

static void test_json(void **state)
{
	_cleanup_free_ char *strings = json_text(write_strings);
	_cleanup_free_ char *nested = json_text(write_nested);

	assert_string_equal(strings, "[\n  \"q\\\" b\\\\ t\\u0009 n\\u000a \\u0001\\u007f\",\n"
				     "  \"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\",\n"
				     "  \"\\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd \\ufffd\",\n"
				     "  null\n]\n");
	assert_string_equal(nested, "{\n  \"n\": 18446744073709551615,\n  \"empty\": [],\n  \"o\": {\n"
				    "    \"b\": true,\n    \"s\": 12.034\n  }\n}\n");
}

static void test_report_of_a_failure(void **state)
{
	static char *const collector[] = { (char *)"dumpfilter", (char *)"-d", (char *)"31", NULL };
	static const struct crash_facts crash;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	struct kd_flight flight = { 0 };
	struct report report = { .plan = &plan, .crash = &crash, .flight = &flight };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_no_error(kd_plan_init(&plan));
	assert_no_error(kd_plan_set_collector(&plan, KD_COLLECTOR_BUILT_IN, "", collector));
	assert_non_null(kd_flight_add(&flight, 1500, KD_FLIGHT_BEGIN, "save"));
	assert_non_null(kd_flight_add(&flight, 1600, KD_FLIGHT_BEGIN, "connect"));
	assert_non_null(kd_flight_add(&flight, 1700, KD_FLIGHT_ERROR, "a \"quoted\" reason"));
	assert_non_null(kd_flight_add(&flight, 1850, KD_FLIGHT_FAILED, "connect"));
	report_write(out, &report);
	fclose(out);
	assert_non_null(strstr(text, "\"result\": \"nothing\""));
	assert_non_null(strstr(text, "\"target\": null"));
	assert_non_null(strstr(text, "\"collector\": \"dumpfilter -d 31\""));
	assert_non_null(strstr(text, "\"complete_at\": null"));
	assert_non_null(strstr(text, "\"errors\": [\n    \"a \\\"quoted\\\" reason\"\n  ]"));
	/* What has not ended, as the step that writes the report, is not in it. */
	assert_non_null(strstr(text, "\"steps\": [\n    {\n      \"name\": \"connect\",\n      \"start\": 1.600,\n"
				     "      \"seconds\": 0.250,\n      \"ok\": false\n    }\n  ]"));
}

/* Firmware's memory is never filled: old records that nobody has collected keep new ones out. */
static void test_a_full_pstore(void **state)
{
	assert_false(pstore_has_room("/nosuch"));
	for (unsigned int i = 0; i < 24; i++) {
		char name[64];

		assert_true(pstore_has_room(*state));
		snprintf(name, sizeof(name), "/dmesg-efi_pstore-%u", i);
		put_file(*state, name, "x", 1);
	}
	assert_false(pstore_has_room(*state));
}

/* What the filter found of each class, for the next estimate and for people. */
static void test_report_census(void **state)
{
	static const struct crash_facts crash;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	static const struct kd_flight flight;
	struct report report = { .plan = &plan, .crash = &crash, .dump = { .count = 1 }, .flight = &flight };
	struct dumpfilter_report *pages = &report.dump.attempt[0].report;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_no_error(kd_plan_init(&plan));
	report.dump.attempt[0].filtered = true;
	pages->page_size = 4096;
	pages->pages_written = 77;
	pages->unreadable = 2;
	pages->vital_unreadable = 1;
	pages->first_unreadable = (struct read_error){ 0x7c000, "Input/output error" };
	for (unsigned int i = 0; i < PAGE_CLASS_COUNT; i++)
		pages->pages[i] = 100 + i;
	report_write(out, &report);
	fclose(out);
	assert_non_null(strstr(text, "\"pages\": {\n    \"page_size\": 4096,\n    \"written\": 77,"));
	assert_non_null(strstr(text, "\"unreadable\": 2,\n    \"first_unreadable\": {\n      \"address\": 507904,\n"
				     "      \"error\": \"Input/output error\"\n    },\n    \"vital_unreadable\": 1,"));
	assert_null(strstr(text, "\"copy\""));
	assert_non_null(strstr(text, "\"unfiltered\": false,"));
	for (unsigned int i = 0; i < PAGE_CLASS_COUNT; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\"%s\": %u", page_class_name(i), 100 + i);
		assert_non_null(strstr(text, line));
	}
}

/* --- progress, memory --------------------------------------------------------------------------------------------- */

static void assert_progress(uint64_t done, uint64_t total, int64_t ms, const char *expected)
{
	char line[128];

	progress_format(line, sizeof(line), done, total, 4096, ms);
	assert_string_equal(line, expected);
}

static void test_progress(void **state)
{
	assert_progress(0, 0, 0, "saving: 0 % of 0 MB");
	assert_progress(0, 1000000, 5000, "saving: 0 % of 4096 MB");
	assert_progress(250000, 1000000, 10000, "saving: 25 % of 4096 MB, 102 MB/s, 0:30 left");
	assert_progress(1000000, 1000000, 10000, "saving: 100 % of 4096 MB, 409 MB/s, 0:00 left");
	assert_progress(2000000, 1000000, 10000, "saving: 100 % of 4096 MB, 409 MB/s, 0:00 left");
	assert_progress(1, 7201, 1000, "saving: 0 % of 29 MB, 0 MB/s, 2:00:00 left");
	assert_progress(1, UINT64_MAX / 4096, 1000, "saving: 0 % of 18446744073709 MB, 0 MB/s, 99:59:59 left");
}

static void test_meminfo(void **state)
{
	uint64_t total, available;

	assert_true(memory_parse("MemTotal:        76300 kB\nMemFree:  1 kB\nMemAvailable:    50000 kB\n", &total,
				 &available));
	assert_int_equal(total, 76300 * 1024);
	assert_int_equal(available, 50000 * 1024);
	assert_false(memory_parse("MemTotal: 1 kB\n", &total, &available));
	assert_false(memory_parse("MemTotal: 1 kB\nMemAvailable: 2 kB\n", &total, &available));
}

/* --- modules ------------------------------------------------------------------------------------------------------ */

static void test_module_options(void **state)
{
	static const struct {
		const char *options, *cmdline, *expected;
	} cases[] = {
		{ "", "", "" },
		{ "a=1 b=2", "root=/dev/vda quiet\n", "a=1 b=2" },
		{ "a=1 b=2", "mpt3sas.a=7 irqpoll\n", "b=2 a=7" },
		{ "a=1 b=2", "mpt3sas.c=\"x y\" other.a=9", "a=1 b=2 c=\"x y\"" },
		{ "max_queue_depth=1 a", "mpt3sas.max-queue-depth=2 mpt3sas.a", "max-queue-depth=2 a" },
		{ "a=1", "mpt3sas.aa=2 mpt3sas. xmpt3sas.a=3 mpt3sasx.a=4", "a=1 aa=2" },
		{ "a=1", "mpt3sas.a=2 mpt3sas.a=3", "a=2 a=3" },
	};
	_cleanup_free_ char *dashes = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;

		assert_no_error(
			module_options("/lib/modules/mpt3sas.ko.gz", cases[i].options, cases[i].cmdline, &text));
		assert_string_equal(text, cases[i].expected);
	}
	assert_no_error(module_options("/lib/modules/usb-storage.ko", "quirks=1", "usb_storage.quirks=2", &dashes));
	assert_string_equal(dashes, "quirks=2");
}

/* --- devices and targets ------------------------------------------------------------------------------------------ */

static void test_uevent(void **state)
{
	static const char add[] = "add@/devices/pci0000:00/virtio1/block/vda\0ACTION=add\0DEVPATH=/devices/x\0"
				  "SUBSYSTEM=block\0MAJOR=254\0DEVNAME=vda\0SEQNUM=1";
	static const char udev[] = "libudev\0\xfe\xed\xca\xfe@ACTION=add";
	struct uevent event;

	assert_true(uevent_parse(add, sizeof(add) - 1, &event));
	assert_string_equal(event.action, "add");
	assert_string_equal(event.subsystem, "block");
	assert_string_equal(event.devname, "vda");
	assert_true(uevent_parse("x@/\0ACTION=change", sizeof("x@/\0ACTION=change") - 1, &event));
	assert_null(event.subsystem);
	assert_false(uevent_parse(udev, sizeof(udev) - 1, &event));
	assert_false(uevent_parse("", 0, &event));
	assert_false(uevent_parse("add@/devices", 12, &event));
}

static void test_mount_flags(void **state)
{
	char data[16];

	assert_int_equal(target_mount_flags("", data, sizeof(data)), 0);
	assert_string_equal(data, "");
	assert_int_equal(target_mount_flags("ro,noatime,nofail,x-systemd.automount,nosuid", data, sizeof(data)),
			 MS_NOATIME | MS_NOSUID);
	assert_string_equal(data, "");
	assert_int_equal(target_mount_flags("subvol=@,defaults,ssd,,", data, sizeof(data)), 0);
	assert_string_equal(data, "subvol=@,ssd");
	target_mount_flags("subvol=longer-than-the-buffer,ssd", data, sizeof(data));
	assert_string_equal(data, "ssd");
}

/* What the capture asks the kernel for, which refuses it here. */
static char mount_calls[256];

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
	size_t used = strlen(mount_calls);

	snprintf(mount_calls + used, sizeof(mount_calls) - used, "%s %s %lu %s\n", source, type, flags,
		 (const char *)data);
	errno = EIO;
	return -1;
}

static void test_mount_options(void **state)
{
	static const struct {
		const char *type, *options, *calls;
	} cases[] = {
		{ "ext4", "",
		  "/dev/vda ext4 0 errors=continue,noinit_itable\n/dev/vda ext4 0 errors=continue,noinit_itable\n" },
		{ "ext2", "errors=panic",
		  "/dev/vda ext2 0 errors=panic,errors=continue\n/dev/vda ext2 0 errors=continue\n" },
		{ "ext3", "nosuid,ro", "/dev/vda ext3 2 errors=continue\n/dev/vda ext3 0 errors=continue\n" },
		{ "xfs", "", "/dev/vda xfs 0 \n/dev/vda xfs 0 \n" },
		{ "btrfs", "subvolid=5", "/dev/vda btrfs 0 subvolid=5\n/dev/vda btrfs 0 \n" },
		{ "xfs", "nosuid,logdev=volume:a", "/dev/vda xfs 2 logdev=/dev/vdb\n/dev/vda xfs 0 logdev=/dev/vdb\n" },
		{ "ext4", "journal_path=volume:a",
		  "/dev/vda ext4 0 logdev=/dev/vdb,errors=continue,noinit_itable\n"
		  "/dev/vda ext4 0 logdev=/dev/vdb,errors=continue,noinit_itable\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kd_plan_target target = { .type = (char *)cases[i].type,
						 .options = (char *)cases[i].options,
						 .path = (char *)"/crash" };
		struct target_place place = { .node = "/dev/vda" };

		if (strstr(cases[i].options, "volume:"))
			strcpy(place.parts, "logdev=/dev/vdb");
		mount_calls[0] = '\0';
		assert_error(target_mount(&(struct kd_plan){ 0 }, &target, 0, &place), KD_ERR_OS,
			     "cannot mount /dev/vda");
		assert_string_equal(mount_calls, cases[i].calls);
	}
}

static void test_directory_name(void **state)
{
	char name[64];

	target_directory_name(name, sizeof(name), "127.0.0.1", 1700000000, 0, 0);
	assert_string_equal(name, "127.0.0.1-2023-11-14-22:13:20");
	target_directory_name(name, sizeof(name), "10.1.2.3", 1700000000, 7200, 2);
	assert_string_equal(name, "10.1.2.3-2023-11-15-00:13:20-2");
	target_directory_name(name, sizeof(name), "fe80::1", 1709164799, -3600, 0);
	assert_string_equal(name, "fe80::1-2024-02-28-22:59:59");
}

/* Everybody may make directories in /var/crash of Ubuntu, also in advance, who knows when the machine will crash. */
static void test_directory_whose_names_are_taken(void **state)
{
	_cleanup_close_ int directory = -1;
	char path[TEMPORARY_SIZE], name[300];

	temporary_make(path);
	directory = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(directory >= 0);
	for (unsigned int i = 0; i < 200; i++) {
		target_directory_name(name, sizeof(name), "127.0.0.1", 1700000000, 0, i);
		assert_int_equal(mkdirat(directory, name, 0700), 0);
	}
	assert_no_error(target_make_directory(directory, "127.0.0.1", 1700000000, 0, name, sizeof(name)));
	assert_int_equal(strncmp(name, "127.0.0.1-2023-11-14-22:13:20-", 30), 0);
	assert_int_equal(faccessat(directory, name, W_OK, 0), 0);
	temporary_remove(path);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static struct kd_error *fill_text(FILE *out, void *arg)
{
	fputs(arg, out);
	return NULL;
}

static struct kd_error *fill_half(FILE *out, void *arg)
{
	fputs("half", out);
	return kd_error_create(KD_ERR_FORMAT, "it broke off");
}

static void test_save_file(void **state)
{
	_cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *text = NULL;
	struct stat st;

	assert_no_error(save_file(dir, &plain, "x.part", "x", fill_text, (char *)"one"));
	assert_no_error(save_file(dir, &plain, "x.part", "x", fill_text, (char *)"two"));
	assert_int_equal(fstatat(dir, "x", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	_cleanup_close_ int file = openat(dir, "x", O_RDONLY | O_CLOEXEC);
	assert_no_error(kd_read_fd(file, "x", 100, &text, NULL));
	assert_string_equal(text, "two");
	assert_int_equal(fstatat(dir, "x.part", &st, 0), -1);
	assert_error(save_file(dir, &plain, "y.part", "y", fill_half, NULL), KD_ERR_FORMAT, "broke off");
	assert_int_equal(fstatat(dir, "y", &st, 0), -1);
	assert_int_equal(fstatat(dir, "y.part", &st, 0), 0); /* what there is, stays */
}

static void test_reserve(void **state)
{
	_cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY);
	struct stat st;

	assert_no_error(save_reserve(dir, 100000));
	assert_int_equal(fstatat(dir, "reserved-for-report", &st, 0), 0);
	assert_int_equal(st.st_size, 100000);
	save_release(dir);
	assert_int_equal(fstatat(dir, "reserved-for-report", &st, 0), -1);
	save_release(dir); /* twice is fine */
}

/* Reads of these bytes of any file fail, as on a bad disk. */
static struct {
	off_t start, end;
} bad_bytes;

/* In place of the C library's, for the program's own code too. */
ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	if (offset < bad_bytes.end && offset + (off_t)size > bad_bytes.start) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, size, offset);
}

static void test_copy_keeps_holes(void **state)
{
	enum { SIZE = 3 * 1024 * 1024 + 100 };
	_cleanup_free_ char *data = calloc(1, SIZE);
	_cleanup_free_ char *copied = NULL;
	struct copy_result result = { 0 };
	char from[128], to[128];
	size_t size;

	memset(data, 1, 5000);
	data[2 * 1024 * 1024 + 4095] = 2;
	data[SIZE - 1] = 3;
	put_file(*state, "/from", data, SIZE);
	snprintf(from, sizeof(from), "%s/from", (char *)*state);
	snprintf(to, sizeof(to), "%s/to", (char *)*state);
	assert_no_error(copy_vmcore(from, to, NULL, NULL, &result));
	assert_no_error(kd_read_file(to, SIZE, &copied, &size));
	assert_int_equal(size, SIZE);
	assert_memory_equal(copied, data, SIZE);
	assert_int_equal(result.written, 4 * 4096 - (4096 - 100));
	assert_int_equal(result.unreadable, 0);
	assert_string_equal(result.error, "");
	assert_error(copy_vmcore(from, to, NULL, NULL, &result), KD_ERR_OS, "File exists");
}

/* --- the dump ----------------------------------------------------------------------------------------------------- */

static struct kd_log *dump_log; /* of the next ones; may be NULL */
static int64_t dump_stall_ms = 30000;
static struct disks dump_disks; /* which sysfs of @directory tells about, if there are any */

/* Run the ladder on "vmcore.in" below @directory, into that directory. */
static struct kd_error *dump_by(const char *directory, const struct kd_plan_collector *collector,
				struct dump_result *result)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	_cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY);
	struct memory_use memory = { 0 };
	char vmcore[128];
	struct dump_request request = { .vmcore = vmcore,
					.dir = dir,
					.collector = collector,
					.encryption = &plain,
					.console = -1,
					.deadline = clock_ms() + 30000,
					.stall_ms = dump_stall_ms,
					.root = &root,
					.disks = &dump_disks,
					.memory = &memory,
					.log = dump_log };

	snprintf(vmcore, sizeof(vmcore), "%s/vmcore.in", directory);
	assert_no_error(kd_sysroot_open(dump_disks.count ? directory : NULL, &root));
	return dump_save(&request, result);
}

/* With this shell script as core_collector. */
static struct kd_error *dump_erasing(const char *directory, const char *script, const char *erase_config,
				     struct dump_result *result)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, (char *)"sh", NULL };
	const struct kd_plan_collector collector = { KD_COLLECTOR_PROGRAM, (char *)erase_config, argv };

	return dump_by(directory, &collector, result);
}

static struct kd_error *dump_with(const char *directory, const char *script, struct dump_result *result)
{
	return dump_erasing(directory, script, "", result);
}

static void assert_content(const char *directory, const char *name, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	char path[128];
	struct kd_error *err;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	err = kd_read_file(path, 4096, &text, NULL);
	if (!expected) {
		assert_error(err, KD_ERR_OS, "No such file");
		return;
	}
	assert_no_error(err);
	assert_string_equal(text, expected);
}

static void test_dump_by_a_program(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "memory", 6);
	assert_no_error(dump_with(*state, "cp $1 $2", &result));
	assert_true(result.complete);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.count, 1);
	assert_content(*state, "vmcore", "memory");
	assert_content(*state, "vmcore-incomplete", NULL);
}

static void remove_file(const char *directory, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", directory, name);
	assert_int_equal(unlink(path), 0);
}

/* By a program, which writes @lines if it is asked for a report. */
static struct kd_error *run_reporting_program(const char *directory, enum kd_collector_kind kind, const char *lines,
					      struct dump_result *result)
{
	_cleanup_free_ char *script = NULL, *program = NULL;
	char *argv[] = { NULL, (char *)"-z", NULL };
	const struct kd_plan_collector collector = { kind, (char *)"", argv };
	int size = asprintf(&script,
			    "#!/bin/sh\nif [ \"$1\" = --report ]; then\ncat >$2 <<'END'\n%sEND\nshift 2\nfi\n"
			    "[ $1 = -z ] && cp $2 $3\n",
			    lines);

	assert_true(size > 0 && asprintf(&program, "%s/program", directory) > 0);
	put_file(directory, "/program", script, (size_t)size);
	assert_int_equal(chmod(program, 0700), 0);
	argv[0] = program;
	put_file(directory, "/vmcore.in", "memory", 6);
	return dump_by(directory, &collector, result);
}

static void dump_by_reporting_program(const char *directory, enum kd_collector_kind kind, const char *lines,
				      struct dump_result *result)
{
	assert_no_error(run_reporting_program(directory, kind, lines, result));
	assert_int_equal(result->count, 1);
	assert_content(directory, "vmcore", "memory");
	remove_file(directory, "/vmcore");
	remove_file(directory, "/program");
}

static void test_dump_reported_by_a_program(void **state)
{
	struct dumpfilter_report told = { .page_size = 4096,
					  .pages_written = 900,
					  .pages_shared = 8,
					  .unreadable = 7,
					  .first_unreadable = { 0x7c000, "Input/output error" },
					  .bytes_written = UINT64_MAX,
					  .windows = 6,
					  .unfiltered = true,
					  .full = true };
	_cleanup_free_ char *lines = NULL, *cut = NULL;
	struct dump_result result;
	size_t size;
	FILE *out = open_memstream(&lines, &size);

	for (unsigned int i = 0; i < PAGE_CLASS_COUNT; i++)
		told.pages[i] = 100 + i;
	dumpfilter_report_write(out, &told);
	fclose(out);
	dump_by_reporting_program(*state, KD_COLLECTOR_DUMPFILTER, lines, &result);
	assert_true(result.attempt[0].filtered);
	assert_memory_equal(&result.attempt[0].report, &told, sizeof(told));
	assert_int_equal(result.attempt[0].pages, 900);
	/* No other program is asked for it, and less than all is nothing. */
	dump_by_reporting_program(*state, KD_COLLECTOR_PROGRAM, lines, &result);
	assert_false(result.attempt[0].filtered);
	/* Of a path in it, no new line comes about. */
	strcpy(told.first_unreadable.text, "a\nb: cut off");
	free(take_ptr(lines));
	out = open_memstream(&lines, &size);
	dumpfilter_report_write(out, &told);
	fclose(out);
	dump_by_reporting_program(*state, KD_COLLECTOR_DUMPFILTER, lines, &result);
	assert_string_equal(result.attempt[0].report.first_unreadable.text, "a b: cut off");
	cut = strndup(lines, (size_t)(strstr(lines, "free=") - lines));
	dump_by_reporting_program(*state, KD_COLLECTOR_DUMPFILTER, cut, &result);
	assert_false(result.attempt[0].filtered);
	dump_by_reporting_program(*state, KD_COLLECTOR_DUMPFILTER, "", &result);
	assert_false(result.attempt[0].filtered);
}

/* A collector that was content is not believed if the dump lacks too much: it stays incomplete, and nothing else is
 * tried, since nothing else could read it. */
static void test_dump_unreadable(void **state)
{
	static const struct {
		uint64_t written, unreadable, vital;
		bool complete;
	} rows[] = {
		{ 990, 10, 0, true }, { 989, 11, 0, false }, { 99, 1, 0, true }, { 98, 1, 0, false },
		{ 999, 1, 1, false }, { 0, 1, 0, false },    { 1, 0, 0, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dumpfilter_report told = { .page_size = 4096,
						  .pages_written = rows[i].written,
						  .unreadable = rows[i].unreadable,
						  .vital_unreadable = rows[i].vital,
						  .first_unreadable = { 0x7c000, "Bad address" } };
		_cleanup_free_ char *lines = NULL;
		struct dump_result result;
		size_t size;
		FILE *out = open_memstream(&lines, &size);

		assert_int_equal(dumpfilter_report_is_complete(&told), rows[i].complete);
		dumpfilter_report_write(out, &told);
		fclose(out);
		if (rows[i].complete) {
			dump_by_reporting_program(*state, KD_COLLECTOR_DUMPFILTER, lines, &result);
			assert_true(result.complete && !result.final && result.status == 0);
			continue;
		}
		assert_error(run_reporting_program(*state, KD_COLLECTOR_DUMPFILTER, lines, &result), KD_ERR_HOLE,
			     "the first at 0x7c000: Bad address");
		assert_true(!result.complete && result.final && result.status == 1);
		assert_int_equal(result.count, 1);
		assert_non_null(strstr(result.attempt[0].error, "pages could not be read"));
		assert_content(*state, "vmcore", NULL);
		assert_content(*state, "vmcore-incomplete", "memory");
		remove_file(*state, "/vmcore-incomplete");
		remove_file(*state, "/program");
	}
}

/* The same of a plain copy, which is the last that can be tried. */
static void test_copy_unreadable(void **state)
{
	enum { PAGES = 200 };
	_cleanup_free_ char *data = calloc(PAGES, 4096);
	struct dump_result result;

	put_file(*state, "/vmcore.in", data, PAGES * 4096);
	bad_bytes.start = 2 * 4096;
	bad_bytes.end = 5 * 4096;
	assert_error(dump_with(*state, "exit 3", &result), KD_ERR_HOLE, "12288 of 819200 bytes could not be read");
	bad_bytes.end = 0;
	assert_true(!result.complete && result.final);
	assert_int_equal(result.attempt[result.kept].rung, RUNG_COPY);
	assert_content(*state, "vmcore", NULL);
	remove_file(*state, "/vmcore-incomplete");
}

/* With the built-in filter, and up to two words of the command line. */
static struct kd_error *dump_built_in(const char *directory, const char *first, const char *second,
				      struct dump_result *result)
{
	char *argv[] = { (char *)"dumpfilter", (char *)first, (char *)second, NULL };
	const struct kd_plan_collector collector = { KD_COLLECTOR_BUILT_IN, (char *)"", argv };

	return dump_by(directory, &collector, result);
}

static void test_dump_built_in(void **state)
{
	_cleanup_free_ char *path = NULL;
	struct dump_result result;
	struct machine machine;

	assert_true(asprintf(&path, "%s/vmcore.in", (char *)*state) > 0);
	machine_init(&machine, 4);
	machine_write(&machine, path);
	machine_release(&machine);
	assert_no_error(dump_built_in(*state, "-d", "31", &result));
	assert_true(result.complete);
	assert_int_equal(result.count, 1);
	assert_true(result.attempt[0].filtered && result.attempt[0].pages > 0);
	remove_file(*state, "/vmcore");
	/* The command line counts: without -d pages of zeros are pages like any other. */
	result.attempt[1] = result.attempt[0];
	assert_no_error(dump_built_in(*state, "--uncompressed", NULL, &result));
	assert_int_equal(result.count, 1);
	assert_true(result.attempt[0].size > result.attempt[1].size);
}

static void put_noise(struct machine *machine, uint64_t pfn, uint64_t end, uint64_t flags)
{
	for (; pfn < end; pfn++) {
		machine_put(machine, machine_page(pfn), flags, 8);
		for (uint64_t at = pfn * 4096; at < (pfn + 1) * 4096; at += 8)
			machine_put(machine, at, at * UINT64_C(0x9e3779b97f4a7c15), 8);
	}
}

/* Not all of memory fits. An incomplete dump goes only for one that can be expected to be complete. */
static void test_dump_full_disk(void **state)
{
	static const struct {
		rlim_t limit;
		bool complete;
		unsigned int count;
	} rows[] = { { 12 << 20, true, 2 }, { 4 << 20, false, 1 } };
	_cleanup_free_ char *path = NULL, *file = NULL;
	struct machine machine;
	struct rlimit before;

	assert_true(asprintf(&path, "%s/vmcore.in", (char *)*state) > 0);
	machine_init(&machine, 4);
	put_noise(&machine, 2100, 4000, 0);
	put_noise(&machine, 4700, 6100, LRU);
	machine_write(&machine, path);
	machine_release(&machine);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rlimit limit = { rows[i].limit, before.rlim_max };
		struct dump_result result;
		struct kd_error *err;
		struct stat st;

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		err = dump_built_in(*state, "-d", "1", &result);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(result.complete, rows[i].complete);
		assert_int_equal(result.count, rows[i].count);
		assert_int_equal(result.attempt[0].report.full, true);
		assert_true(asprintf(&file, "%s/%s", (char *)*state, err ? "vmcore-incomplete" : "vmcore") > 0);
		assert_int_equal(stat(file, &st), 0);
		assert_true(st.st_size > 3 << 20);
		assert_int_equal(unlink(file), 0);
		free(take_ptr(file));
		kd_error_destroy(err);
		assert_content(*state, "vmcore-incomplete", NULL);
		assert_content(*state, "vmcore-incomplete.retry", NULL);
	}
	signal(SIGXFSZ, SIG_DFL);
}

/* The rung below is left out when it would do the same again. */
static void test_dump_built_in_falls(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "not ELF", 7);
	assert_no_error(dump_built_in(*state, "-d", "31", &result));
	assert_int_equal(result.count, 3);
	assert_int_equal(result.attempt[1].rung, RUNG_STORE);
	assert_int_equal(result.attempt[2].rung, RUNG_COPY);
	assert_no_error(dump_built_in(*state, "-d", "1", &result));
	assert_int_equal(result.count, 4);
	assert_int_equal(result.attempt[1].rung, RUNG_FILTER);
}

/* kdumpctl writes no such plan; a dump is made all the same. */
static void test_dump_built_in_refuses(void **state)
{
	static const struct {
		const char *option, *text;
	} cases[] = {
		{ "-z", "core_collector: -z: this program was built without that compression" },
		{ "--frobnicate", "core_collector: unknown option --frobnicate" },
		{ "-E", "core_collector: -E: this program was built without that format" },
		{ "-xvmlinux", "core_collector: only the program dumpfilter has these options" },
		{ "--dump-dmesg", "core_collector: with these options dumpfilter does not write exactly one" },
	};
	struct dump_result result;

	put_file(*state, "/vmcore.in", "not ELF", 7);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_no_error(dump_built_in(*state, cases[i].option, NULL, &result));
		assert_true(result.complete);
		assert_true(kd_starts_with(result.attempt[0].error, cases[i].text));
		assert_int_equal(result.attempt[1].rung, RUNG_FILTER);
		assert_content(*state, "vmcore", "not ELF");
		remove_file(*state, "/vmcore");
	}
}

static void test_dump_falls_to_a_copy(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "not ELF", 7);
	assert_no_error(dump_with(*state, "echo part > $2; exit 3", &result));
	assert_true(result.complete);
	assert_int_equal(result.count, 4);
	assert_int_equal(result.attempt[result.kept].rung, RUNG_COPY);
	assert_string_equal(result.attempt[0].error, "the collector failed with exit status 3");
	assert_true(result.attempt[1].error[0] && result.attempt[2].error[0] && !result.attempt[3].error[0]);
	assert_content(*state, "vmcore", "not ELF");
	assert_content(*state, "vmcore-incomplete", NULL);
	assert_content(*state, "vmcore-incomplete.retry", NULL);
}

/* What is said on the way is for people, who do not know the ladder; and what could not be read, they are told. */
static void test_dump_says_what_is_next(void **state)
{
	static const char *const lines[] = {
		"the collector failed with exit status 3; trying again with the built-in filter, and only the kernel's pages\n",
		"; trying again without compression, and only the kernel's pages\n",
		"; trying again with a plain copy of all memory\n",
		"/vmcore.in could not be read, the first at offset 0x2000: Input/output error; in the copy they are zeros\n",
	};
	static const struct crash_facts crash;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	static const struct kd_flight flight;
	struct report report = { .plan = &plan, .crash = &crash, .flight = &flight };
	_cleanup_free_ char *said = NULL, *written = NULL, *path = NULL, *zeros = calloc(200, 4096);
	FILE *out;
	size_t size;
	struct kd_log log;

	assert_true(asprintf(&path, "%s/said", (char *)*state) > 0);
	out = fopen(path, "we");
	setbuf(out, NULL);
	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	memset(zeros, 1, 200 * 4096);
	put_file(*state, "/vmcore.in", zeros, 200 * 4096);
	bad_bytes.start = 2 * 4096;
	bad_bytes.end = 3 * 4096 + 1;
	dump_log = &log;
	assert_no_error(dump_with(*state, "exit 3", &report.dump));
	dump_log = NULL;
	bad_bytes.end = 0;
	fclose(out);
	assert_int_equal(report.dump.attempt[report.dump.kept].copy.unreadable, 2 * 4096);
	assert_no_error(kd_read_file(path, 4096, &said, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(said, lines[i]))
			fail_msg("\"%s\" is not in:\n%s", lines[i], said);
	assert_no_error(kd_plan_init(&plan));
	out = open_memstream(&written, &size);
	report_write(out, &report);
	fclose(out);
	assert_non_null(strstr(written,
			       "\"copy\": {\n    \"unreadable\": 8192,\n    \"first_unreadable\": {\n"
			       "      \"offset\": 8192,\n      \"error\": \"Input/output error\"\n    }\n  },"));
}

static void test_hooks_say_when(void **state)
{
	static char *argv[] = { (char *)"/bin/true", NULL };
	struct kd_plan_hook hooks[] = {
		{ .when = (char *)"pre.d", .argv = argv },
		{ .when = (char *)"pre", .argv = argv },
		{ .when = (char *)"post", .argv = argv },
		{ .when = (char *)"emergency", .argv = argv },
	};
	struct kd_plan plan = { .hook = hooks, .hook_count = ARRAY_SIZE(hooks) };
	_cleanup_free_ char *said = NULL;
	struct kd_log log;
	size_t size;
	FILE *out = open_memstream(&said, &size);

	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		assert_no_error(hooks_run(&plan, hooks[i].when, NULL, clock_ms() + 30000, &log));
	fclose(out);
	assert_string_equal(said, "kdump: running /bin/true before the dump\nkdump: running /bin/true before the dump\n"
				  "kdump: running /bin/true after the dump\n"
				  "kdump: running /bin/true since no whole dump was saved\n");
}

static void test_dump_with_erasure_never_falls(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "secret", 6);
	assert_error(dump_erasing(*state, "exit 3", "/etc/erase.conf", &result), KD_ERR_STATE, "exit status 3");
	assert_false(result.complete);
	assert_int_equal(result.count, 1);
	assert_content(*state, "vmcore", NULL);
	assert_content(*state, "vmcore-incomplete", NULL);
}

/* A collector that does nothing is stopped, and the next rung has the rest of the time. */
static void test_dump_that_stalls(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "not ELF", 7);
	dump_stall_ms = 1500;
	assert_no_error(dump_with(*state, "echo part > $2; exec sleep 60", &result));
	dump_stall_ms = 30000;
	assert_int_equal(result.attempt[0].end, CHILD_KILLED);
	assert_true(result.attempt[0].stop - result.attempt[0].start < 20000);
	assert_int_equal(result.attempt[1].rung, RUNG_FILTER);
	assert_content(*state, "vmcore", "not ELF");
}

/* What keeps the collector waiting keeps others waiting, too: no other way of dumping helps on such a target. */
static void test_dump_on_a_target_that_takes_nothing(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "not ELF", 7);
	dump_stall_ms = 1500;
	assert_error(dump_with(*state, "mkfifo $2; exec sleep 60", &result), KD_ERR_TIMEOUT,
		     "the target takes nothing any more: a sync of the dump took too long");
	dump_stall_ms = 30000;
	assert_int_equal(result.count, 1);
	assert_true(result.lost);
	assert_true(result.attempt[0].stop - result.attempt[0].start < 20000);
	assert_content(*state, "vmcore", NULL);
}

/* A disk that is pulled out answers nothing, so neither is the collector's time waited for, nor another way tried. */
static void test_dump_on_a_disk_that_goes(void **state)
{
	struct dump_result result;
	char path[128];

	put_file(*state, "/vmcore.in", "not ELF", 7);
	snprintf(path, sizeof(path), "%s/sys/class/block/vda", (const char *)*state);
	assert_no_error(kd_mkdir_p(path, 0700));
	put_file(*state, "/sys/class/block/vda/size", "2048\n", 5);
	dump_disks = (struct disks){ .name = { "vda" }, .count = 1 };
	assert_error(dump_with(*state, "echo part > $2; echo 0 > sys/class/block/vda/size; exec sleep 60", &result),
		     KD_ERR_OS, "the target's disk was unplugged");
	dump_disks.count = 0;
	assert_int_equal(result.count, 1);
	assert_true(result.stuck);
	assert_true(result.attempt[0].stop - result.attempt[0].start < 20000);
}

/* A program that reads all memory before it writes, in a child of its own, is not stuck. */
static void test_dump_that_works_before_it_writes(void **state)
{
	struct dump_result result;

	put_file(*state, "/vmcore.in", "memory", 6);
	dump_stall_ms = 2500;
	assert_no_error(dump_with(*state, "timeout 6 sh -c 'while :; do :; done'; cp $1 $2", &result));
	dump_stall_ms = 30000;
	assert_int_equal(result.count, 1);
	assert_content(*state, "vmcore", "memory");
}

static void test_dump_keeps_the_best_part(void **state)
{
	struct dump_result result;
	struct kd_error *err;

	/* No vmcore: every rung fails, and only the first has left something. */
	err = dump_with(*state, "echo part > $2; kill -9 $$", &result);
	assert_error(err, KD_ERR_OS, "vmcore.in");
	assert_false(result.complete);
	assert_int_equal(result.attempt[0].end, CHILD_SIGNAL);
	assert_int_equal(result.kept, 0);
	assert_true(result.status != 0);
	assert_content(*state, "vmcore", NULL);
	assert_content(*state, "vmcore-incomplete", "part\n");
	assert_content(*state, "vmcore-incomplete.retry", NULL);
}

/* The built-in filter counts its pages at the end. One that is killed has not come to that, but its file is better than
 * the beginning of a copy. */
static void test_dump_keeps_the_part_of_who_was_killed(void **state)
{
	_cleanup_free_ char *path = NULL;
	struct rlimit before, core, limit, no_core;
	struct dump_result result;
	struct machine machine;
	struct kd_error *err;

	assert_true(asprintf(&path, "%s/vmcore.in", (char *)*state) > 0);
	machine_init(&machine, 4);
	put_noise(&machine, 2100, 4000, 0);
	machine_write(&machine, path);
	machine_release(&machine);
	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_FSIZE, &before);
	no_core = (struct rlimit){ 0, core.rlim_max };
	limit = (struct rlimit){ 4 << 20, before.rlim_max };
	/* Whoever writes beyond it is killed by SIGXFSZ. */
	assert_int_equal(setrlimit(RLIMIT_CORE, &no_core) | setrlimit(RLIMIT_FSIZE, &limit), 0);
	err = dump_built_in(*state, "-d", "1", &result);
	assert_int_equal(setrlimit(RLIMIT_CORE, &core) | setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_error(err, KD_ERR_STATE, "died from signal");
	assert_int_equal(result.attempt[0].end, CHILD_SIGNAL);
	assert_true(result.attempt[0].filtered);
	assert_true(result.attempt[0].pages >= 1000);
	assert_int_equal(result.attempt[result.count - 1].rung, RUNG_COPY);
	/* Threads write out of order: on a busy machine the second try's part may be larger than the first one's. */
	assert_int_not_equal(result.attempt[result.kept].rung, RUNG_COPY);
	assert_content(*state, "vmcore-incomplete.retry", NULL);
}

struct shared_dump {
	const char *directory;
	struct dump_result result;
};

static void dump_for_ever(void *arg)
{
	struct shared_dump *dump = arg;

	kd_error_destroy(dump_with(dump->directory, "echo part > $2; exec sleep 600", &dump->result));
}

/* Who looks after the collectors may be killed or held by the target: what lies there is known all the same. */
static void test_dump_whose_end_is_not_seen(void **state)
{
	struct shared_dump *dump = shared_alloc(sizeof(*dump));
	volatile uint64_t *pages = &dump->result.attempt[0].pages;
	int64_t deadline = clock_ms() + 30000;
	pid_t pid;

	put_file(*state, "/vmcore.in", "memory", 6);
	dump->directory = *state;
	pid = child_start(dump_for_ever, dump);
	assert_true(pid > 0);
	while (!*pages && clock_ms() < deadline)
		usleep(10000);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(dump->result.count, 1);
	assert_int_equal(dump->result.attempt[0].pages, 1);
	assert_int_equal(dump->result.attempt[0].size, 5);
	assert_string_equal(dump->result.attempt[0].error, "it did not come to its end");
	munmap(dump, sizeof(*dump));
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(test_quiesce_stops_masters_without_driver),
		WITH_DIRECTORY(test_quiesce_leaves_absent_devices),
		WITH_DIRECTORY(test_a_full_pstore),
		cmocka_unit_test(test_child_ends),
		cmocka_unit_test(test_child_that_hangs_is_stopped),
		cmocka_unit_test(test_child_that_is_spared_goes_on),
		cmocka_unit_test(test_child_that_is_stuck_is_left),
		cmocka_unit_test(test_activity),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_children_die_with_their_parent),
		cmocka_unit_test(test_cpu_time),
		cmocka_unit_test(test_watchdog_decides),
		cmocka_unit_test(test_each_watchdog_is_petted),
		cmocka_unit_test(test_action_ways),
		cmocka_unit_test(test_ladder_goes_down),
		cmocka_unit_test(test_ladder_full_disk),
		cmocka_unit_test(test_ladder_makes_room),
		cmocka_unit_test(test_ladder_better),
		cmocka_unit_test(test_ladder_gives_up_targets),
		cmocka_unit_test(test_ladder_too_slow),
		cmocka_unit_test(test_ladder_erasing),
		cmocka_unit_test(test_panic_message),
		WITH_DIRECTORY(test_log_bounded),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_log_tail),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_report_of_a_failure),
		cmocka_unit_test(test_report_census),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_meminfo),
		cmocka_unit_test(test_module_options),
		cmocka_unit_test(test_uevent),
		cmocka_unit_test(test_mount_flags),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_directory_name),
		cmocka_unit_test(test_directory_whose_names_are_taken),
		WITH_DIRECTORY(test_save_file),
		WITH_DIRECTORY(test_reserve),
		WITH_DIRECTORY(test_copy_keeps_holes),
		WITH_DIRECTORY(test_dump_by_a_program),
		WITH_DIRECTORY(test_dump_reported_by_a_program),
		WITH_DIRECTORY(test_dump_unreadable),
		WITH_DIRECTORY(test_dump_full_disk),
		WITH_DIRECTORY(test_copy_unreadable),
		WITH_DIRECTORY(test_dump_built_in),
		WITH_DIRECTORY(test_dump_built_in_falls),
		WITH_DIRECTORY(test_dump_built_in_refuses),
		WITH_DIRECTORY(test_dump_falls_to_a_copy),
		WITH_DIRECTORY(test_dump_says_what_is_next),
		cmocka_unit_test(test_hooks_say_when),
		WITH_DIRECTORY(test_dump_with_erasure_never_falls),
		WITH_DIRECTORY(test_dump_that_stalls),
		WITH_DIRECTORY(test_dump_on_a_target_that_takes_nothing),
		WITH_DIRECTORY(test_dump_on_a_disk_that_goes),
		WITH_DIRECTORY(test_dump_that_works_before_it_writes),
		WITH_DIRECTORY(test_dump_keeps_the_best_part),
		WITH_DIRECTORY(test_dump_keeps_the_part_of_who_was_killed),
		WITH_DIRECTORY(test_dump_whose_end_is_not_seen),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
