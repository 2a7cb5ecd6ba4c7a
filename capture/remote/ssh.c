/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/ssh.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/target_types.h"
#include "capture/remote/program.h"

enum { OPTIONS_MAX = 32 };

/* Nobody is there to answer a question, and a host key that is not known is not the server that was meant. */
static const char *const always[] = {
	"BatchMode=yes",     "StrictHostKeyChecking=yes", "IdentitiesOnly=yes",
	"ConnectTimeout=20", "ServerAliveInterval=15",    "ServerAliveCountMax=3",
};

/* ssh(1) wants to know who runs it. */
static void make_passwd(void)
{
	static const char root[] = "root:x:0:0:root:/root:/bin/sh\n";
	_cleanup_close_ int fd = -1;

	mkdir("/etc", 0755);
	fd = open("/etc/passwd", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)!kd_write_all(fd, root, sizeof(root) - 1);
}

struct kd_error *ssh_mount(const char *destination, const char *options, const char *mount_point, int64_t deadline)
{
	const char *argv[2 * OPTIONS_MAX + 8];
	_cleanup_free_ char *copy = strdup(options);
	char *rest = copy, *option;
	size_t count = 0, i;

	if (!copy)
		return kd_error_nomem();
	make_passwd();
	argv[count++] = kd_target_type_find("ssh")->program;
	for (i = 0; i < ARRAY_SIZE(always); i++) {
		argv[count++] = "-o";
		argv[count++] = always[i];
	}
	while ((option = strsep(&rest, ",")) && count < 2 * OPTIONS_MAX) {
		argv[count++] = "-o";
		argv[count++] = option;
	}
	argv[count++] = "-s";
	argv[count++] = "--";
	argv[count++] = destination;
	argv[count++] = "sftp";
	argv[count] = NULL;
	return program_mount(argv, mount_point, deadline);
}
