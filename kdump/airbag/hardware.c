/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/hardware.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/sysroot.h"

/* In the rootfs, for the moment between its making and its opening: /dev may not be mounted yet, or not be ours. */
#define NODE "/.kdump-airbag-watchdog"

/* *text := attribute @attribute of watchdog @name; "" if it has none. */
static void read_attribute(const struct hardware *hardware, const char *name, const char *attribute, char text[32])
{
	_cleanup_close_ int fd = -1;
	char path[300];
	ssize_t size;

	snprintf(path, sizeof(path), "class/watchdog/%s/%s", name, attribute);
	fd = openat(hardware->sys, path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : kd_read_all(fd, text, 31);
	text[size < 0 ? 0 : size] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool is_taken(const struct hardware *hardware, const char *name)
{
	size_t i;

	for (i = 0; i < hardware->count; i++)
		if (strcmp(hardware->watchdog[i].name, name) == 0)
			return true;
	return false;
}

static int open_device(const char *numbers)
{
	unsigned int major, minor;
	int fd;

	if (sscanf(numbers, "%u:%u", &major, &minor) != 2)
		return -1;
	unlink(NODE);
	if (mknod(NODE, S_IFCHR | 0600, makedev(major, minor)) < 0)
		return -1;
	fd = open(NODE, O_WRONLY | O_CLOEXEC);
	unlink(NODE);
	return fd;
}

static void take(struct hardware *hardware, const char *name)
{
	struct hardware_watchdog *watchdog = &hardware->watchdog[hardware->count];
	char numbers[32], nowayout[32];
	int seconds = HARDWARE_SECONDS;

	read_attribute(hardware, name, "dev", numbers);
	read_attribute(hardware, name, "nowayout", nowayout);
	if (strcmp(nowayout, "1") == 0)
		return;
	watchdog->fd = open_device(numbers);
	if (watchdog->fd < 0)
		return;
	snprintf(watchdog->name, sizeof(watchdog->name), "%.15s", name);
	hardware->count++;
	ioctl(watchdog->fd, WDIOC_SETTIMEOUT, &seconds);
}

void hardware_take(struct hardware *hardware)
{
	int fd = openat(hardware->sys, "class/watchdog", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const char *name;

	while (dir && hardware->count < HARDWARE_MAX && (name = kd_next_entry(dir)))
		if (strlen(name) < sizeof(hardware->watchdog[0].name) && !is_taken(hardware, name))
			take(hardware, name);
}

void hardware_pet(const struct hardware *hardware)
{
	size_t i;

	for (i = 0; i < hardware->count; i++)
		ioctl(hardware->watchdog[i].fd, WDIOC_KEEPALIVE, 0);
}

void hardware_release(struct hardware *hardware)
{
	size_t i;

	for (i = 0; i < hardware->count; i++) {
		/* "V" before the end is what stops it. */
		if (write(hardware->watchdog[i].fd, "V", 1) != 1)
			hardware_pet(hardware);
		close(hardware->watchdog[i].fd);
	}
	hardware->count = 0;
}
