/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies a file as the capture program writes a dump:
 *     remote-copy FROM DIRECTORY                             to a directory, wherever that lies
 *     remote-copy FROM DIRECTORY ssh DESTINATION OPTIONS     of a server that is reached by ssh; OPTIONS as in a plan
 *     remote-copy FROM DIRECTORY http|s3 URL OPTIONS         of a server of objects
 * When it ends, the file has its final name and is on the server's disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/target_types.h"
#include "capture/clock.h"
#include "capture/copy.h"
#include "capture/remote/program.h"
#include "capture/remote/ssh.h"
#include "capture/save.h"

#define MOUNT_POINT "/run/remote-copy"
#define INCOMPLETE  "vmcore-incomplete"

enum { CONNECT_SECONDS = 120 };

static struct kd_error *copy(const char *from, int dir)
{
	struct copy_result result = { 0 };
	struct kd_error *err;

	if (dir < 0 || fchdir(dir) < 0)
		return kd_error_os(errno, "cannot enter the directory");
	unlink(INCOMPLETE);
	err = copy_vmcore(from, INCOMPLETE, NULL, NULL, &result);
	if (!err && result.unreadable)
		err = kd_error_create(KD_ERR_HOLE, "%s could not be read", from);
	return err ? err : save_finish(dir, INCOMPLETE, "vmcore");
}

static struct kd_error *mount_server(char **words)
{
	int64_t deadline = clock_deadline(CONNECT_SECONDS, INT64_MAX);
	const struct kd_target_type *type = kd_target_type_find(words[0]);
	const char *argv[] = { NULL, words[0], words[1], words[2], NULL };

	if (!type || !type->program)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is not a type of server", words[0]);
	if (type->source != KD_TARGET_OBJECTS)
		return ssh_mount(words[1], words[2], MOUNT_POINT, deadline);
	argv[0] = type->program;
	return program_mount(argv, MOUNT_POINT, deadline);
}

static struct kd_error *connect_and_copy(char **argv)
{
	_cleanup_close_ int root = -1, dir = -1;
	struct kd_error *err = argv[3] ? mount_server(argv + 3) : NULL;

	if (err)
		return err;
	root = open(argv[3] ? MOUNT_POINT : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = openat(root, argv[2] + strspn(argv[2], "/"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return copy(argv[1], dir);
}

int main(int argc, char **argv)
{
	struct kd_error *err;

	if (argc != 3 && argc != 6) {
		fprintf(stderr, "usage: remote-copy FROM DIRECTORY [ssh|http|s3 SERVER OPTIONS]\n");
		return 2;
	}
	err = connect_and_copy(argv);
	if (err) {
		fprintf(stderr, "remote-copy: %s\n", err->text);
		kd_error_destroy(err);
		return 1;
	}
	if (argc == 6 && (chdir("/") < 0 || umount2(MOUNT_POINT, MNT_DETACH) < 0))
		return 1;
	return 0;
}
