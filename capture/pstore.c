/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/pstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/klog.h"
#include "base/sysroot.h"
#include "capture/clock.h"
#include "capture/flight.h"

#define ALWAYS  "/sys/module/printk/parameters/always_kmsg_dump"
#define BACKEND "/sys/module/pstore/parameters/backend"
#define STORE   "/pstore"

/* One record of EFI's has 1 KiB, one of ERST's 8 KiB at most, compressed. Text of a log shrinks to a quarter or so. */
#define STORE_OPTIONS "kmsg_bytes=4096"

enum { RECORDS_MAX = 24, LOG_LINES = 50, LOG_SECONDS = 60, STORE_SECONDS = 30 };

void pstore_keep_log(bool always)
{
	_cleanup_close_ int fd = open(ALWAYS, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, always ? "Y\n" : "N\n", 2);
}

/* Has a driver registered itself? Without one the parameter's text is "(null)", or there is none. */
static bool has_store(void)
{
	_cleanup_close_ int fd = open(BACKEND, O_RDONLY | O_CLOEXEC);
	char first = '\0';

	return fd >= 0 && read(fd, &first, 1) == 1 && first != '(' && first != '\n';
}

bool pstore_has_room(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	unsigned int count = 0;

	while (dir && count < RECORDS_MAX && kd_next_entry(dir))
		count++;
	return dir && count < RECORDS_MAX;
}

static struct kd_error *limit_store(void *arg)
{
	mkdir(STORE, 0700);
	if (mount("pstore", STORE, "pstore", MS_NOSUID | MS_NOEXEC | MS_NODEV, STORE_OPTIONS) < 0)
		return kd_error_os(errno, "cannot mount pstore");
	if (!pstore_has_room(STORE))
		return kd_error_create(KD_ERR_LIMIT, "the store has %d records or more already", RECORDS_MAX);
	return NULL;
}

struct preparing {
	const struct capture_setup *setup;
	const struct watchdog *watchdog;
};

/* A target may have taken the log's file. */
static struct kd_error *have_log(void *arg)
{
	const struct preparing *preparing = arg;

	if (!preparing->setup->outcome->crash.log_size || access(CRASH_LOG, F_OK) == 0)
		return NULL;
	return crash_save_log(preparing->setup->log);
}

/* In the form in which the console has it, but below the level that a console shows: it may be there already. */
static void put_log(const struct kd_log *log)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next;

	if (kd_error_discard(kd_read_file(CRASH_LOG, CRASH_LOG_MAX + 65536, &text, NULL)))
		return;
	for (line = (char *)kd_klog_tail(text, LOG_LINES); *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		fprintf(log->stream, "<6>kdump: | %.400s\n", line);
		fflush(log->stream);
	}
}

static struct kd_error *put_all(void *arg)
{
	const struct preparing *preparing = arg;
	const struct flight flight = { &preparing->setup->outcome->flight, preparing->setup->log };

	put_log(preparing->setup->log);
	flight_repeat(&flight);
	return NULL;
}

static bool show_life(void *arg, pid_t pid)
{
	const struct preparing *preparing = arg;

	watchdog_alive(preparing->watchdog);
	return true;
}

static struct kd_error *run(struct preparing *preparing, const char *name, struct kd_error *(*function)(void *arg),
			    unsigned int seconds)
{
	struct child_job job = { .name = name,
				 .run = function,
				 .tick = show_life,
				 .arg = preparing,
				 .deadline = clock_deadline(seconds, INT64_MAX) };

	return child_run(&job, NULL);
}

void pstore_prepare(const struct capture_setup *setup, const struct watchdog *watchdog)
{
	struct preparing preparing = { setup, watchdog };
	struct kd_error *err;

	if (!has_store())
		return;
	err = run(&preparing, "the persistent store", limit_store, STORE_SECONDS);
	if (err) {
		kd_log_error(setup->log, kd_error_wrap(err, "the record does not go to pstore"));
		pstore_keep_log(false);
		return;
	}
	kd_log_error(setup->log, run(&preparing, "the crashed kernel's log", have_log, LOG_SECONDS));
	kd_log_error(setup->log, run(&preparing, "the record", put_all, STORE_SECONDS));
}
