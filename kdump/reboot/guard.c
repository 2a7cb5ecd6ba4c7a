/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdump-reboot-guard kexec|firmware SECONDS: bounds a shutdown. SECONDS after its start it writes back what it can,
 * makes the file systems read-only and reboots, whatever the shutdown waits for.
 *
 * It has to outlive the shutdown itself. So it runs from memory, not from a file system that has to be unmounted, and
 * needs no library, hence no libc. Its name begins with '@': systemd-shutdown(8) does not kill such a process of
 * root's. It blocks every signal, has real-time priority, and is not a victim of the memory killer. What may hang
 * (sync(2), the remount, the reboot itself) is done by children, with deadlines of their own. If all of it hangs, the
 * last resort is the reset of sysrq-b, which waits for nothing. */
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#include "base/freestanding.h"

enum {
	SYNC_SECONDS = 10,    /* for sync(2) */
	REMOUNT_SECONDS = 10, /* for sysrq-u */
	REBOOT_SECONDS = 30,  /* for the drivers to stop their devices */
	COPY_SIZE = 1 << 30,  /* more than this program has */
	MESSAGE_MAX = 512,
};

/* --- instead of a libc -------------------------------------------------------------------------------------------- */

UNGUARDED static _Noreturn void leave(long status)
{
	for (;;)
		call(__NR_exit_group, status, 0, 0, 0, 0);
}

UNGUARDED static long open_file(const char *path, int flags)
{
	return call(__NR_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0, 0);
}

/* A line for the console and the log: level 1, alert. */
UNGUARDED static void say(long kmsg, const char *text)
{
	static const char prefix[] = "<1>kdump: ";
	char line[MESSAGE_MAX];
	size_t at = 0;

	while (prefix[at]) {
		line[at] = prefix[at];
		at++;
	}
	while (*text && at < sizeof(line))
		line[at++] = *text++;
	call(__NR_write, kmsg, (long)line, (long)at, 0, 0);
}

UNGUARDED static bool parse_seconds(const char *text, int64_t *ret)
{
	int64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > 1000000)
			return false;
		value = 10 * value + *text - '0';
	}
	*ret = value;
	return true;
}

/* --- living on ---------------------------------------------------------------------------------------------------- */

/* Start again from a copy in memory, as "@kdump-reboot-guard". Returns only on failure. */
UNGUARDED static void run_from_memory(char **argv)
{
	static char name[] = "@kdump-reboot-guard";
	char *const none[] = { NULL };
	char *words[] = { name, argv[1], argv[2], NULL };
	long file = open_file("/proc/self/exe", O_RDONLY);
	long memory = call(__NR_memfd_create, (long)(name + 1), MFD_CLOEXEC, 0, 0, 0);

	if (file < 0 || memory < 0)
		return;
	while (call(__NR_sendfile, memory, file, 0, COPY_SIZE, 0) > 0)
		;
	call(__NR_execveat, memory, (long)"", (long)words, (long)none, AT_EMPTY_PATH);
}

UNGUARDED static void be_hard_to_kill(void)
{
	uint64_t all = ~(uint64_t)0;
	struct sched_param priority = { .sched_priority = 1 };
	long file = open_file("/proc/self/oom_score_adj", O_WRONLY);

	call(__NR_write, file, (long)"-1000", 5, 0, 0);
	call(__NR_close, file, 0, 0, 0, 0);
	call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&all, 0, sizeof(all), 0);
	call(__NR_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0, 0, 0);
	call(__NR_sched_setscheduler, 0, SCHED_FIFO, (long)&priority, 0, 0);
	call(__NR_chdir, (long)"/", 0, 0, 0, 0);
	for (long fd = 0; fd < 3; fd++)
		call(__NR_close, fd, 0, 0, 0, 0);
}

UNGUARDED static void sleep_for(int64_t seconds)
{
	struct timespec time;

	call(__NR_clock_gettime, CLOCK_BOOTTIME, (long)&time, 0, 0, 0);
	time.tv_sec += seconds;
	while (call(__NR_clock_nanosleep, CLOCK_BOOTTIME, TIMER_ABSTIME, (long)&time, 0, 0) != 0)
		;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

struct guard {
	bool kexec;
	long kmsg, sysrq;
};

UNGUARDED static void write_back(const struct guard *guard)
{
	call(__NR_sync, 0, 0, 0, 0, 0);
}

/* The kernel does it later, and says so. */
UNGUARDED static void remount(const struct guard *guard)
{
	static const char done[] = "Emergency Remount complete";
	char line[MESSAGE_MAX];
	long log = open_file("/dev/kmsg", O_RDONLY), size;

	call(__NR_lseek, log, 0, 2 /* SEEK_END */, 0, 0);
	call(__NR_write, guard->sysrq, (long)"u", 1, 0, 0);
	while ((size = call(__NR_read, log, (long)line, sizeof(line), 0, 0)) > 0)
		for (long at = 0; at + (long)sizeof(done) - 1 <= size; at++) {
			size_t same = 0;

			while (same < sizeof(done) - 1 && line[at + (long)same] == done[same])
				same++;
			if (same == sizeof(done) - 1)
				return;
		}
}

UNGUARDED static void reboot(const struct guard *guard)
{
	if (guard->kexec) {
		call(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, 0, 0);
		say(guard->kmsg, "the loaded kernel does not start: rebooting by the firmware");
	}
	call(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0, 0);
}

/* Let a child do it, and wait for its end, but not longer than @seconds. */
UNGUARDED static void try_for(const struct guard *guard, void (*work)(const struct guard *guard), int64_t seconds)
{
	struct timespec limit = { .tv_sec = seconds };
	long child = call(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	struct pollfd ended = { .events = POLLIN };

	if (child == 0) {
		work(guard);
		leave(0);
	}
	ended.fd = (int)call(__NR_pidfd_open, child, 0, 0, 0, 0);
	call(__NR_ppoll, (long)&ended, 1, (long)&limit, 0, 0);
}

UNGUARDED _Noreturn void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	struct guard guard = { 0 };
	int64_t seconds;

	if (stack[0] != 3 || !parse_seconds(argv[2], &seconds))
		leave(2);
	if (argv[0][0] != '@') {
		run_from_memory(argv);
		leave(1);
	}
	guard.kexec = argv[1][0] == 'k';
	guard.kmsg = open_file("/dev/kmsg", O_WRONLY);
	guard.sysrq = open_file("/proc/sysrq-trigger", O_WRONLY);
	be_hard_to_kill();
	sleep_for(seconds);
	say(guard.kmsg,
	    "the shutdown has not ended in time (--stop-deadline): syncing, remounting read-only, rebooting");
	try_for(&guard, write_back, SYNC_SECONDS);
	try_for(&guard, remount, REMOUNT_SECONDS);
	try_for(&guard, reboot, REBOOT_SECONDS);
	say(guard.kmsg, "the machine does not reboot: resetting it");
	call(__NR_write, guard.sysrq, (long)"b", 1, 0, 0);
	leave(1);
}
