/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"

enum {
	KLOG_CONSOLE_LEVEL = 8, /* of syslog(2) */
	LEVEL_NOTICE_SHOWN = 6, /* levels below this one are shown; notice is 5 */
	RECORD_MAX = 900,       /* a write to /dev/kmsg of more than 992 bytes is refused (LOG_LINE_MAX) */
};

static const struct {
	const char *type, *path, *options;
	unsigned long flags;
} mounts[] = {
	{ "proc", "/proc", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV },
	{ "sysfs", "/sys", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV },
	{ "devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC },
};

static void write_setting(const char *path, const char *value, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, value, size);
}

/* The user may have asked for more than notice (loglevel=, debug): never lower it. */
static void raise_console_level(void)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/printk", O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && atoi(text) < LEVEL_NOTICE_SHOWN)
		klogctl(KLOG_CONSOLE_LEVEL, NULL, LEVEL_NOTICE_SHOWN);
}

void machine_setup(void)
{
	size_t i;
	int fd;

	umask(077);
	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].path, 0755);
		mount(mounts[i].type, mounts[i].path, mounts[i].type, mounts[i].flags, mounts[i].options);
	}
	/* The kernel gives its root half of the memory that it sees before it has freed anything: too little for the
	 * programs of a target. What is not used costs nothing. */
	mount(NULL, "/", NULL, MS_REMOUNT, "size=90%");
	mkdir("/tmp", 0700); /* makedumpfile and hooks expect one */
	fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	for (i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	raise_console_level();
	/* By default the kernel drops all but ten lines in five seconds. */
	write_setting("/proc/sys/kernel/printk_devkmsg", "on\n", 3);
}

void machine_make_room(void)
{
	/* Of the free memory; by default 20 per cent, and everybody is slowed down from 15 on. Now that is 30. */
	write_setting("/proc/sys/vm/dirty_ratio", "50\n", 3);
}

void machine_say(const char *text)
{
	char line[128] = "<2>kdump: ";

	strncat(line, text, sizeof(line) - strlen(line) - 2);
	strcat(line, "\n");
	write_setting("/dev/kmsg", line, strlen(line));
}

void machine_emergency(char key)
{
	write_setting("/proc/sysrq-trigger", &key, 1);
}

void machine_kill_others(bool (*spare)(const void *arg, pid_t pid), const void *arg)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name); /* 0: not a process */

		if (pid > 0 && pid != getpid() && !spare(arg, pid))
			kill(pid, SIGKILL);
	}
}

FILE *machine_log(const char **prefix)
{
	static char buffer[RECORD_MAX];
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");

	*prefix = stream ? "<5>kdump" : "kdump";
	if (!stream)
		return stderr;
	setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
	return stream;
}

int machine_console(void)
{
	return open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}
