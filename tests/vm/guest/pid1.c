/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void say(const char *what, int result)
{
	printf("pages: %s: %s\n", what, result < 0 ? strerror(errno) : "ok");
	fflush(stdout);
}

int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), done;

	if (fd < 0)
		return -1;
	done = (int)write(fd, text, strlen(text));
	close(fd);
	return done;
}

static void insert_modules(void)
{
	char line[128];
	FILE *list = fopen("/modules", "re");

	while (list && fgets(line, sizeof(line), list)) {
		int fd;

		line[strcspn(line, "\n")] = '\0';
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			say(line, -1);
		close(fd);
	}
	if (list)
		fclose(list);
}

void pid1_start(void)
{
	int fd;

	mkdir("/proc", 0700);
	mkdir("/sys", 0700);
	mkdir("/dev", 0700);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	insert_modules();
}

void pid1_end(void)
{
	for (;;)
		pause();
}
