/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories on servers: the real sftp-server of OpenSSH behind a pipe, and a server that misbehaves. Where the
 * machine lets root mount a FUSE file system, everything is done through one as well. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "capture/remote/fuse.h"
#include "capture/remote/packet.h"
#include "capture/remote/sftp.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define SERVER     "/usr/lib/openssh/sftp-server"
#define PATIENCE   20000 /* ms: longer than a busy machine needs */
#define IMPATIENCE 300

struct fixture {
	char directory[TEMPORARY_SIZE];
	pid_t server;
	struct remote *remote;
};

/* Start @run with its standard input and output on pipes. */
static pid_t start(void (*run)(void), int *in, int *out)
{
	int to[2], back[2];
	pid_t pid;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(back, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], STDIN_FILENO);
		dup2(back[1], STDOUT_FILENO);
		run();
		_exit(1);
	}
	assert_true(pid > 0);
	close(to[0]);
	close(back[1]);
	*in = back[0];
	*out = to[1];
	return pid;
}

static void run_server(void)
{
	execl(SERVER, SERVER, "-e", NULL);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int in, out;

	signal(SIGPIPE, SIG_IGN);
	temporary_make(f->directory);
	*state = f;
	if (access(SERVER, X_OK) < 0)
		return 0;
	f->server = start(run_server, &in, &out);
	assert_no_error(sftp_open(in, out, f->directory, PATIENCE, &f->remote));
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sftp_close(f->remote);
	if (f->server)
		waitpid(f->server, NULL, 0);
	temporary_remove(f->directory);
	free(f);
	return 0;
}

#define NEED_SERVER(f)                                                                                                 \
	do {                                                                                                           \
		if (!(f)->remote)                                                                                      \
			end_test("no " SERVER);                                                                        \
	} while (0)

static const char *local(const struct fixture *f, const char *path)
{
	static char full[TEMPORARY_SIZE + 300];

	snprintf(full, sizeof(full), "%s%s", f->directory, path);
	return full;
}

static void fill(unsigned char *data, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 31 + i / 251 + seed);
}

/* Does the file on the server's side have @data? */
static void assert_file(const struct fixture *f, const char *path, const void *data, size_t size)
{
	_cleanup_free_ unsigned char *found = malloc(size + 1);
	_cleanup_close_ int fd = open(local(f, path), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && found);
	assert_int_equal(pread(fd, found, size + 1, 0), size);
	assert_memory_equal(found, data, size);
}

/* --- SFTP --------------------------------------------------------------------------------------------------------- */

/* Pieces in any order, more of them than are on their way at once; synced, renamed. */
static void test_write(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 5 << 20, PIECE = 150001 };
	_cleanup_free_ unsigned char *data = malloc(SIZE), *back = malloc(SIZE + 10);
	struct remote_attributes attributes;
	const struct remote_ops *ops;
	struct stat st;
	size_t offset;
	int file;

	NEED_SERVER(f);
	ops = f->remote->ops;
	fill(data, SIZE, 1);
	file = ops->open(f->remote, "/a-incomplete", REMOTE_READ | REMOTE_WRITE | REMOTE_CREATE | REMOTE_EXCLUSIVE,
			 0600);
	assert_true(file >= 0);
	for (offset = SIZE / PIECE * PIECE;; offset -= PIECE) {
		size_t size = SIZE - offset < PIECE ? SIZE - offset : PIECE;

		assert_int_equal(ops->write(f->remote, file, data + offset, size, offset), 0);
		if (!offset)
			break;
	}
	assert_int_equal(ops->sync(f->remote, file), 0);
	assert_int_equal(ops->read(f->remote, file, back, SIZE + 10, 0), SIZE);
	assert_memory_equal(back, data, SIZE);
	assert_int_equal(ops->close(f->remote, file), 0);
	assert_int_equal(ops->stat(f->remote, "/a-incomplete", &attributes), 0);
	assert_int_equal(attributes.size, SIZE);
	assert_int_equal(attributes.mode, S_IFREG | 0600);
	assert_int_equal(stat(local(f, "/a-incomplete"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(ops->rename(f->remote, "/a-incomplete", "/a"), 0);
	assert_file(f, "/a", data, SIZE);
}

static void test_errors(void **state)
{
	struct fixture *f = *state;
	struct remote_attributes attributes;
	const struct remote_ops *ops;
	int file;

	NEED_SERVER(f);
	ops = f->remote->ops;
	assert_int_equal(ops->stat(f->remote, "/none", &attributes), -ENOENT);
	assert_int_equal(ops->open(f->remote, "/none", REMOTE_READ, 0), -ENOENT);
	assert_int_equal(ops->unlink(f->remote, "/none"), -ENOENT);
	assert_true(ops->mkdir(f->remote, "/", 0700) < 0);
	file = ops->open(f->remote, "/read-only", REMOTE_READ | REMOTE_CREATE, 0400);
	assert_true(file >= 0);
	/* The write is on its way before the server refuses it; whoever syncs is told. */
	assert_int_equal(ops->write(f->remote, file, "x", 1, 0), 0);
	assert_true(ops->sync(f->remote, file) < 0);
	assert_int_equal(ops->sync(f->remote, file), 0);
	assert_int_equal(ops->close(f->remote, file), 0);
	assert_false(ops->is_lost(f->remote));
}

static int count_name(void *arg, const char *name)
{
	++*(unsigned int *)arg;
	return 0;
}

static void test_directories(void **state)
{
	struct fixture *f = *state;
	const struct remote_ops *ops;
	struct remote_space space;
	unsigned int count = 0;

	NEED_SERVER(f);
	ops = f->remote->ops;
	assert_int_equal(ops->mkdir(f->remote, "/d", 0700), 0);
	for (unsigned int i = 0; i < 300; i++) {
		char path[32];
		int file;

		snprintf(path, sizeof(path), "/d/file-%u", i);
		file = ops->open(f->remote, path, REMOTE_WRITE | REMOTE_CREATE, 0600);
		assert_true(file >= 0);
		assert_int_equal(ops->close(f->remote, file), 0);
	}
	assert_int_equal(ops->list(f->remote, "/d", count_name, &count), 0);
	assert_int_equal(count, 300);
	assert_true(ops->rmdir(f->remote, "/d") < 0);
	assert_int_equal(ops->truncate(f->remote, "/d/file-7", 1000), 0);
	assert_int_equal(ops->chmod(f->remote, "/d/file-7", 0640), 0);
	assert_int_equal(ops->space(f->remote, &space), 0);
	assert_true(space.blocks >= space.available && space.block_size);
}

/* A server that is killed ends every call, now and later. */
static void test_lost(void **state)
{
	struct fixture *f = *state;
	struct remote_attributes attributes;

	NEED_SERVER(f);
	kill(f->server, SIGKILL);
	assert_int_equal(f->remote->ops->stat(f->remote, "/", &attributes), -ENOTCONN);
	assert_true(f->remote->ops->is_lost(f->remote));
	assert_int_equal(f->remote->ops->stat(f->remote, "/", &attributes), -ENOTCONN);
}

/* --- servers that misbehave --------------------------------------------------------------------------------------- */

static void run_silent(void)
{
	for (;;)
		pause();
}

static void run_noise(void)
{
	for (;;)
		(void)!write(STDOUT_FILENO, "SSH-2.0-motd\r\n", 14);
}

/* Take what was asked, and greet as a server does. */
static void greet(void)
{
	static const unsigned char hello[] = { 0, 0, 0, 5, 2, 0, 0, 0, 3 };
	char request[4096];

	(void)!read(STDIN_FILENO, request, sizeof(request));
	(void)!write(STDOUT_FILENO, hello, sizeof(hello));
	(void)!read(STDIN_FILENO, request, sizeof(request));
}

static void say(const void *data, size_t size)
{
	greet();
	(void)!write(STDOUT_FILENO, data, size);
	run_silent();
}

static void run_long_packet(void)
{
	static const unsigned char packet[] = { 0x7f, 0xff, 0xff, 0xff, 105 };

	say(packet, sizeof(packet));
}

static void run_empty_packet(void)
{
	static const unsigned char packet[] = { 0, 0, 0, 0 };

	say(packet, sizeof(packet));
}

static void run_other_id(void)
{
	static const unsigned char packet[] = { 0, 0, 0, 9, 105, 0, 0, 0, 77, 0, 0, 0, 0 };

	say(packet, sizeof(packet));
}

/* Attributes that end before they say what they promise. */
static void run_short_attributes(void)
{
	static const unsigned char packet[] = { 0, 0, 0, 13, 105, 0, 0, 0, 1, 0, 0, 0, 15, 0, 0, 0, 0 };

	say(packet, sizeof(packet));
}

static void run_many_extended(void)
{
	static const unsigned char packet[] = { 0, 0, 0, 13, 105, 0, 0, 0, 1, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };

	say(packet, sizeof(packet));
}

static void run_handle_for_attributes(void)
{
	static const unsigned char packet[] = { 0, 0, 0, 10, 102, 0, 0, 0, 1, 0, 0, 0, 1, 'x' };

	say(packet, sizeof(packet));
}

static void run_half_packet(void)
{
	static const unsigned char packet[] = { 0, 0, 0, 29, 105, 0, 0 };

	say(packet, sizeof(packet));
}

static void expect_no_greeting(void (*run)(void), enum kd_error_code code)
{
	struct remote *remote = NULL;
	int in, out;
	pid_t pid = start(run, &in, &out);

	assert_code(sftp_open(in, out, "/", IMPATIENCE, &remote), code);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_no_greeting(void **state)
{
	expect_no_greeting(run_silent, KD_ERR_TIMEOUT);
	expect_no_greeting(run_noise, KD_ERR_TIMEOUT);
}

static void test_bad_answers(void **state)
{
	static void (*const servers[])(void) = {
		run_long_packet,   run_empty_packet,          run_other_id,    run_short_attributes,
		run_many_extended, run_handle_for_attributes, run_half_packet,
	};

	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		struct remote_attributes attributes;
		struct remote *remote = NULL;
		int in, out;
		pid_t pid = start(servers[i], &in, &out);

		assert_no_error(sftp_open(in, out, "/", PATIENCE / 20, &remote));
		assert_int_equal(remote->ops->stat(remote, "/x", &attributes), -ENOTCONN);
		assert_true(remote->ops->is_lost(remote));
		sftp_close(remote);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* --- how much is written at once ---------------------------------------------------------------------------------- */

static uint64_t told_limit, longest_packet;

/* The answer of a server that tells a limit, and, as the size of any file, the length of the longest packet so far. */
static void answer_limited(uint8_t type, uint32_t id, struct packet_writer *answer)
{
	static const uint8_t types[256] = {
		[SSH_FXP_INIT] = SSH_FXP_VERSION,
		[SSH_FXP_EXTENDED] = SSH_FXP_EXTENDED_REPLY,
		[SSH_FXP_OPEN] = SSH_FXP_HANDLE,
		[SSH_FXP_STAT] = SSH_FXP_ATTRS,
	};

	packet_begin(answer, types[type] ? types[type] : SSH_FXP_STATUS);
	packet_put_u32(answer, type == SSH_FXP_INIT ? SSH_FXP_PROTOCOL : id);
	if (type == SSH_FXP_INIT)
		packet_put_text(answer, SFTP_LIMITS);
	if (type == SSH_FXP_INIT || type == SSH_FXP_OPEN)
		packet_put_text(answer, "1");
	for (int i = 0; i < 4 && type == SSH_FXP_EXTENDED; i++)
		packet_put_u64(answer, i == 2 ? told_limit : 77);
	if (type == SSH_FXP_STAT) {
		packet_put_u32(answer, SSH_FILEXFER_ATTR_SIZE);
		packet_put_u64(answer, longest_packet);
	}
	if (!types[type])
		packet_put_u32(answer, SSH_FX_OK);
	packet_end(answer, 0);
}

static void run_limited(void)
{
	static unsigned char request[PACKET_MAX], reply[256];
	struct packet_writer answer = { .data = reply, .room = sizeof(reply) };
	uint32_t length;

	while (kd_read_all(STDIN_FILENO, &length, sizeof(length)) == sizeof(length)) {
		struct packet_reader reader = { .data = request, .size = be32toh(length) };
		uint32_t id = 0;
		uint8_t type = 0;

		if (reader.size > sizeof(request) ||
		    kd_read_all(STDIN_FILENO, request, reader.size) != (ssize_t)reader.size)
			_exit(1);
		if (reader.size > longest_packet)
			longest_packet = reader.size;
		if (packet_take_u8(&reader, &type) && packet_take_u32(&reader, &id))
			answer_limited(type, id, &answer);
		kd_write_all(STDOUT_FILENO, reply, answer.size);
	}
	_exit(0);
}

static void test_limits(void **state)
{
	/* Before the data: type, number, handle, offset, size. */
	enum { SIZE = 1 << 20, HEAD = 1 + 4 + (4 + 1) + 8 + 4 };
	static const struct {
		uint64_t told, used;
	} cases[] = {
		{ 0, 32 << 10 }, { 1, 32 << 10 }, { 100000, 100000 }, { 261120, 128 << 10 }, { UINT64_MAX, 128 << 10 },
	};
	_cleanup_free_ unsigned char *data = calloc(1, SIZE);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct remote_attributes attributes;
		struct remote *remote = NULL;
		int in, out, file;
		pid_t pid;

		told_limit = cases[i].told;
		pid = start(run_limited, &in, &out);
		assert_no_error(sftp_open(in, out, "", PATIENCE, &remote));
		file = remote->ops->open(remote, "/file", REMOTE_WRITE | REMOTE_CREATE, 0600);
		assert_true(file >= 0);
		assert_int_equal(remote->ops->write(remote, file, data, SIZE, 0), 0);
		assert_int_equal(remote->ops->sync(remote, file), 0);
		assert_int_equal(remote->ops->stat(remote, "/file", &attributes), 0);
		assert_int_equal(attributes.size, cases[i].used + HEAD);
		sftp_close(remote);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* A server that reads nothing more does not hold up who writes. */
static void test_stalled(void **state)
{
	struct fixture *f = *state;
	enum { SIZE = 1 << 20 };
	_cleanup_free_ unsigned char *data = calloc(1, SIZE);
	struct remote *remote = NULL;
	int in, out, file, result = 0;
	pid_t pid;

	NEED_SERVER(f);
	pid = start(run_server, &in, &out);
	assert_no_error(sftp_open(in, out, f->directory, IMPATIENCE * 3, &remote));
	file = remote->ops->open(remote, "/stalled", REMOTE_WRITE | REMOTE_CREATE, 0600);
	assert_true(file >= 0);
	kill(pid, SIGSTOP);
	for (unsigned int i = 0; i < 8 && !result; i++)
		result = remote->ops->write(remote, file, data, SIZE, i * (uint64_t)SIZE);
	assert_int_equal(result, -ENOTCONN);
	kill(pid, SIGKILL);
	sftp_close(remote);
	waitpid(pid, NULL, 0);
}

/* --- the file system in front of it ------------------------------------------------------------------------------- */

struct served {
	char mount_point[TEMPORARY_SIZE];
	pid_t pid;
};

/* False: this machine has no FUSE, or not for this user. */
static bool serve(struct fixture *f, struct served *ret)
{
	int fd;

	temporary_make(ret->mount_point);
	if (kd_error_discard(fuse_mount(ret->mount_point, &fd))) {
		temporary_remove(ret->mount_point);
		return false;
	}
	ret->pid = fork();
	if (ret->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(kd_error_discard(fuse_serve(fd, f->remote)) ? 1 : 0);
	}
	close(fd);
	return true;
}

static void serve_end(struct served *served)
{
	int status = -1;

	umount2(served->mount_point, 0);
	waitpid(served->pid, &status, 0);
	rmdir(served->mount_point);
	assert_int_equal(status, 0);
}

/* What capture does: a directory, files under another name first, written at offsets, synced and renamed. */
static void dump_through(const struct fixture *f, int root)
{
	enum { SIZE = 3 << 20 };
	_cleanup_free_ unsigned char *data = malloc(SIZE);
	_cleanup_close_ int dir = -1, fd = -1;
	struct statvfs space;
	struct stat st;

	fill(data, SIZE, 5);
	assert_int_equal(mkdirat(root, "crash", 0700), 0);
	assert_int_equal(mkdirat(root, "crash", 0700), -1);
	assert_int_equal(errno, EEXIST);
	dir = openat(root, "crash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(fsync(dir), 0);
	fd = openat(dir, "vmcore-incomplete", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data + SIZE / 2, SIZE / 2, SIZE / 2), SIZE / 2);
	assert_int_equal(pwrite(fd, data, SIZE / 2, 0), SIZE / 2);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(renameat(dir, "vmcore-incomplete", dir, "vmcore"), 0);
	assert_int_equal(fstatat(dir, "vmcore", &st, 0), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_file(f, "/crash/vmcore", data, SIZE);
	/* The file is still open by its number, and has a new name. */
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_file(f, "/crash/vmcore", data, 100);
	assert_int_equal(fallocate(fd, 0, 0, 4096), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(unlinkat(dir, "vmcore", 0), 0);
	assert_int_equal(fstatat(dir, "vmcore", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fstatvfs(dir, &space), 0);
	assert_true(space.f_bavail);
}

static void list_through(int root)
{
	_cleanup_close_ int dir = -1;
	unsigned int count = 0;
	DIR *names;

	assert_int_equal(mkdirat(root, "many", 0700), 0);
	dir = openat(root, "many", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < 2000; i++) {
		char name[64];
		int fd;

		snprintf(name, sizeof(name), "a-file-with-a-name-that-takes-some-room-%u", i);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	names = fdopendir(take_fd(dir));
	while (readdir(names))
		count++;
	closedir(names);
	assert_int_equal(count, 2000);
}

static void test_file_system(void **state)
{
	struct fixture *f = *state;
	struct served served;
	int root;

	NEED_SERVER(f);
	if (!serve(f, &served))
		end_test("no FUSE here");
	root = open(served.mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	dump_through(f, root);
	list_through(root);
	close(root);
	serve_end(&served);
}

/* Nobody hangs when the server is gone. */
static void test_file_system_lost(void **state)
{
	struct fixture *f = *state;
	struct served served;
	char path[TEMPORARY_SIZE + 8];
	struct stat st;
	int status, fd;

	NEED_SERVER(f);
	if (!serve(f, &served))
		end_test("no FUSE here");
	snprintf(path, sizeof(path), "%s/file", served.mount_point);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	kill(f->server, SIGKILL);
	assert_int_equal(fsync(fd), -1);
	close(fd);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(waitpid(served.pid, &status, 0), served.pid);
	assert_int_not_equal(status, 0);
	umount2(served.mount_point, MNT_DETACH);
	rmdir(served.mount_point);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_greeting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_answers, setup, teardown),
		cmocka_unit_test(test_limits),
		cmocka_unit_test_setup_teardown(test_stalled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_system, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_system_lost, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
