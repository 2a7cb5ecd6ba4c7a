/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/watchdog.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/child.h"
#include "capture/machine.h"

enum { STOP_MS = 5000 };

struct watchdog_news {
	volatile unsigned int beats; /* signs of life so far */
	volatile enum watchdog_mode mode;
};

enum watchdog_deed watchdog_decide(enum watchdog_mode mode, unsigned int silent)
{
	if (mode == WATCHDOG_OFF)
		return WATCHDOG_STOP;
	if (mode == WATCHDOG_ATTEND || silent < WATCHDOG_PET_SECONDS)
		return WATCHDOG_PET;
	return silent < WATCHDOG_RESET_SECONDS ? WATCHDOG_WAIT : WATCHDOG_RESET;
}

/* How one of the two processes sees process 1. Seconds are counted, not taken from a clock: a virtual machine that was
 * paused for an hour is not a process 1 that was silent for an hour. */
struct watch {
	const struct watchdog_news *news;
	unsigned int beats, silent;
};

static enum watchdog_deed next_deed(struct watch *watch)
{
	static const struct timespec second = { .tv_sec = 1 };
	unsigned int beats;

	nanosleep(&second, NULL);
	beats = watch->news->beats;
	watch->silent = beats == watch->beats ? watch->silent + 1 : 0;
	watch->beats = beats;
	return watchdog_decide(watch->news->mode, watch->silent);
}

void watchdog_open(int directory, int fd[static WATCHDOG_NODES])
{
	/* The first one is the same device as one of the others, or that of ipmi_watchdog, which has no number. */
	static const char *const names[WATCHDOG_NODES] = { "watchdog", "watchdog0", "watchdog1", "watchdog2",
							   "watchdog3" };

	for (size_t i = 0; i < WATCHDOG_NODES; i++)
		if (fd[i] < 0)
			fd[i] = openat(directory, names[i], O_WRONLY | O_CLOEXEC);
}

static void pet(int directory, int fd[static WATCHDOG_NODES])
{
	watchdog_open(directory, fd);
	for (size_t i = 0; i < WATCHDOG_NODES; i++)
		if (fd[i] >= 0)
			ioctl(fd[i], WDIOC_KEEPALIVE, 0);
}

static void stop(int fd[static WATCHDOG_NODES])
{
	for (size_t i = 0; i < WATCHDOG_NODES; i++)
		if (fd[i] >= 0 && write(fd[i], "V", 1) == 1)
			close(fd[i]);
}

static void keep(void *arg)
{
	int fd[WATCHDOG_NODES], directory = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct watch watch = { .news = arg };
	enum watchdog_deed deed;

	for (size_t i = 0; i < WATCHDOG_NODES; i++)
		fd[i] = -1;
	while ((deed = next_deed(&watch)) != WATCHDOG_STOP)
		if (deed == WATCHDOG_PET)
			pet(directory, fd);
	stop(fd);
}

static void guard(void *arg)
{
	struct watch watch = { .news = arg };

	for (;;) {
		enum watchdog_deed deed = next_deed(&watch);

		if (deed == WATCHDOG_RESET) {
			machine_say("process 1 is stuck; resetting the machine");
			machine_emergency('b');
		}
		if (deed == WATCHDOG_STOP)
			return;
	}
}

void watchdog_start(struct watchdog *watchdog)
{
	*watchdog = (struct watchdog){ .news = shared_alloc(sizeof(*watchdog->news)), .keeper = -1, .guard = -1 };
	if (!watchdog->news)
		return;
	watchdog->keeper = child_start(keep, watchdog->news);
	watchdog->guard = child_start(guard, watchdog->news);
}

void watchdog_alive(const struct watchdog *watchdog)
{
	if (watchdog->news)
		watchdog->news->beats++;
}

void watchdog_set(const struct watchdog *watchdog, enum watchdog_mode mode)
{
	_cleanup_close_ int keeper = -1;
	struct pollfd poll_fd = { .events = POLLIN };

	if (!watchdog->news)
		return;
	watchdog->news->mode = mode;
	if (mode != WATCHDOG_OFF || watchdog->keeper < 0)
		return;
	poll_fd.fd = keeper = syscall(SYS_pidfd_open, watchdog->keeper, 0);
	if (keeper >= 0)
		poll(&poll_fd, 1, STOP_MS);
}

bool watchdog_owns(const struct watchdog *watchdog, pid_t pid)
{
	return pid == watchdog->keeper || pid == watchdog->guard;
}
