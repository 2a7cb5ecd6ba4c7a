/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/sftp.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "capture/clock.h"

enum packet_type {
	INIT = 1,
	VERSION = 2,
	OPEN = 3,
	CLOSE = 4,
	READ = 5,
	WRITE = 6,
	SETSTAT = 9,
	OPENDIR = 11,
	READDIR = 12,
	REMOVE = 13,
	MKDIR = 14,
	RMDIR = 15,
	STAT = 17, /* follows links, which are the server's business */
	RENAME = 18,
	STATUS = 101,
	HANDLE = 102,
	DATA = 103,
	NAME = 104,
	ATTRS = 105,
	EXTENDED = 200,
	EXTENDED_REPLY = 201,
};

enum { PROTOCOL = 3 };

/* Bits of SSH_FXP_OPEN. */
enum { PFLAG_READ = 1, PFLAG_WRITE = 2, PFLAG_CREAT = 8, PFLAG_TRUNC = 16, PFLAG_EXCL = 32 };

/* Which attributes follow. */
enum { ATTR_SIZE = 1, ATTR_UIDGID = 2, ATTR_PERMISSIONS = 4, ATTR_ACMODTIME = 8, ATTR_EXTENDED = (int)0x80000000 };

/* Every server takes packets of 34000 bytes; OpenSSH's limit for answers and requests is 256 KiB. */
enum {
	PIECE = 32 << 10,
	PACKET_MAX = 256 << 10,
	OPEN_FILES = 32,
	HANDLE_MAX = 256,  /* bytes */
	WRITES_OUT = 64,   /* writes that the server has not answered yet: as many as cover 2 MiB on their way */
	STATUS_EOF = 1,    /* not an error */
	STATUS_FAILURE = 4 /* of any kind */
};

enum extension { FSYNC, POSIX_RENAME, STATVFS, EXTENSIONS };

static const char *const extension_names[EXTENSIONS] = {
	[FSYNC] = "fsync@openssh.com",
	[POSIX_RENAME] = "posix-rename@openssh.com",
	[STATVFS] = "statvfs@openssh.com",
};

struct handle {
	bool used;
	uint32_t size;
	unsigned char bytes[HANDLE_MAX];
};

struct sftp {
	struct remote remote;
	int in, out;
	int patience_ms;
	char *directory;
	bool extension[EXTENSIONS];
	bool lost;
	uint32_t next_id;
	unsigned int writes; /* that are not answered */
	int write_error;     /* of one of them, told by the next call */
	struct handle file[OPEN_FILES];
	unsigned char request[PIECE + 1024]; /* being made */
	size_t request_size;
	unsigned char answer[PACKET_MAX];
	size_t answer_size, cursor; /* what is read of it */
};

/* --- the pipe ----------------------------------------------------------------------------------------------------- */

static int lose(struct sftp *sftp)
{
	sftp->lost = true;
	return -ENOTCONN;
}

static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		int n = poll(&poll_fd, 1, clock_timeout(deadline));

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static int send_all(struct sftp *sftp, const unsigned char *data, size_t size)
{
	int64_t deadline = clock_ms() + sftp->patience_ms;

	while (size) {
		ssize_t n = write(sftp->out, data, size);

		if (n < 0 && errno == EAGAIN) {
			if (!wait_for(sftp->out, POLLOUT, deadline))
				return lose(sftp);
			continue;
		}
		if (n < 0 && errno != EINTR)
			return lose(sftp);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
			deadline = clock_ms() + sftp->patience_ms; /* it moves */
		}
	}
	return 0;
}

static int receive_all(struct sftp *sftp, unsigned char *data, size_t size, int64_t deadline)
{
	while (size) {
		ssize_t n;

		if (!wait_for(sftp->in, POLLIN, deadline))
			return lose(sftp);
		n = read(sftp->in, data, size);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return lose(sftp);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void put(struct sftp *sftp, const void *data, size_t size)
{
	/* Paths are shorter than PATH_MAX and data than PIECE, so nothing that is made here is cut off. */
	if (size > sizeof(sftp->request) - sftp->request_size)
		size = sizeof(sftp->request) - sftp->request_size;
	memcpy(sftp->request + sftp->request_size, data, size);
	sftp->request_size += size;
}

static void put_u8(struct sftp *sftp, uint8_t value)
{
	put(sftp, &value, sizeof(value));
}

static void put_u32(struct sftp *sftp, uint32_t value)
{
	value = htobe32(value);
	put(sftp, &value, sizeof(value));
}

static void put_u64(struct sftp *sftp, uint64_t value)
{
	value = htobe64(value);
	put(sftp, &value, sizeof(value));
}

static void put_bytes(struct sftp *sftp, const void *data, size_t size)
{
	put_u32(sftp, (uint32_t)size);
	put(sftp, data, size);
}

static void put_text(struct sftp *sftp, const char *text)
{
	put_bytes(sftp, text, strlen(text));
}

/* @path as the server has it. */
static void put_path(struct sftp *sftp, const char *path)
{
	size_t top = strlen(sftp->directory), rest = strcmp(path, "/") == 0 ? 0 : strlen(path);

	put_u32(sftp, (uint32_t)(top + rest));
	put(sftp, sftp->directory, top);
	put(sftp, path, rest);
}

static void put_handle(struct sftp *sftp, int file)
{
	put_bytes(sftp, sftp->file[file].bytes, sftp->file[file].size);
}

static void begin(struct sftp *sftp, enum packet_type type)
{
	sftp->request_size = 4; /* the length, when it is known */
	put_u8(sftp, type);
	put_u32(sftp, ++sftp->next_id);
}

static void begin_extended(struct sftp *sftp, enum extension extension)
{
	begin(sftp, EXTENDED);
	put_text(sftp, extension_names[extension]);
}

static int send_request(struct sftp *sftp)
{
	uint32_t length = htobe32((uint32_t)(sftp->request_size - 4));

	if (sftp->lost)
		return -ENOTCONN;
	memcpy(sftp->request, &length, sizeof(length));
	return send_all(sftp, sftp->request, sftp->request_size);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Take @size bytes of the answer; NULL if it is shorter. */
static const unsigned char *take(struct sftp *sftp, size_t size)
{
	const unsigned char *place = sftp->answer + sftp->cursor;

	if (size > sftp->answer_size - sftp->cursor)
		return NULL;
	sftp->cursor += size;
	return place;
}

static bool take_u8(struct sftp *sftp, uint8_t *ret)
{
	const unsigned char *place = take(sftp, 1);

	if (place)
		*ret = *place;
	return place;
}

static bool take_u32(struct sftp *sftp, uint32_t *ret)
{
	const unsigned char *place = take(sftp, sizeof(*ret));

	if (!place)
		return false;
	memcpy(ret, place, sizeof(*ret));
	*ret = be32toh(*ret);
	return true;
}

static bool take_u64(struct sftp *sftp, uint64_t *ret)
{
	const unsigned char *place = take(sftp, sizeof(*ret));

	if (!place)
		return false;
	memcpy(ret, place, sizeof(*ret));
	*ret = be64toh(*ret);
	return true;
}

static const unsigned char *take_bytes(struct sftp *sftp, uint32_t *size)
{
	return take_u32(sftp, size) ? take(sftp, *size) : NULL;
}

static int receive_packet(struct sftp *sftp, int64_t deadline)
{
	uint32_t length;

	if (receive_all(sftp, (unsigned char *)&length, sizeof(length), deadline))
		return -ENOTCONN;
	length = be32toh(length);
	if (!length || length > sizeof(sftp->answer))
		return lose(sftp);
	if (receive_all(sftp, sftp->answer, length, deadline))
		return -ENOTCONN;
	sftp->answer_size = length;
	sftp->cursor = 0;
	return 0;
}

/* The error that a status means (SSH_FX_…). */
static int status_error(uint32_t status)
{
	static const int errors[] = { 0, 0, -ENOENT, -EACCES, -EIO, -EPROTO, -ENOTCONN, -ENOTCONN, -EOPNOTSUPP };

	return status < ARRAY_SIZE(errors) ? errors[status] : -EIO;
}

/* Receive a packet of any kind. An answer to a write that went out earlier is noted, and *type is 0. */
static int receive_any(struct sftp *sftp, uint32_t id, int64_t deadline, uint8_t *type)
{
	uint32_t found, status;
	int result = receive_packet(sftp, deadline);

	if (result)
		return result;
	if (!take_u8(sftp, type) || !take_u32(sftp, &found))
		return lose(sftp);
	if (found == id)
		return 0;
	/* Only writes are not waited for. */
	if (*type != STATUS || !sftp->writes || !take_u32(sftp, &status))
		return lose(sftp);
	sftp->writes--;
	if (status && !sftp->write_error)
		sftp->write_error = status_error(status);
	*type = 0;
	return 0;
}

/* Receive the answer to the last request. Returns 0 if it is of type @expected, the error if it is a status, and 1 for
 * the end of a file or directory. */
static int receive_answer(struct sftp *sftp, enum packet_type expected)
{
	int64_t deadline = clock_ms() + sftp->patience_ms;
	uint32_t id = sftp->next_id, status;
	uint8_t type;
	int result;

	do {
		unsigned int writes = sftp->writes;

		result = receive_any(sftp, id, deadline, &type);
		if (result)
			return result;
		if (sftp->writes != writes)
			deadline = clock_ms() + sftp->patience_ms; /* it moves */
	} while (!type);
	if (type == STATUS) {
		if (!take_u32(sftp, &status))
			return lose(sftp);
		if (status == STATUS_EOF)
			return expected == DATA || expected == NAME ? 1 : -EIO;
		if (status || expected == STATUS)
			return status_error(status);
		return lose(sftp);
	}
	return type == expected ? 0 : lose(sftp);
}

static int call(struct sftp *sftp, enum packet_type expected)
{
	int result = send_request(sftp);

	return result ? result : receive_answer(sftp, expected);
}

static int ask_for_space(struct sftp *sftp, struct remote_space *ret);

/* What a write that went out earlier has come to. The protocol has no word for a full disk. */
static int take_write_error(struct sftp *sftp)
{
	struct remote_space space;
	int error = sftp->write_error;

	sftp->write_error = 0;
	if (error == -EIO && ask_for_space(sftp, &space) == 0 && !space.available)
		return -ENOSPC;
	return error;
}

static bool take_attributes(struct sftp *sftp, struct remote_attributes *ret)
{
	uint32_t flags, access_time, change_time = 0;

	*ret = (struct remote_attributes){ 0 };
	if (!take_u32(sftp, &flags) || ((flags & ATTR_SIZE) && !take_u64(sftp, &ret->size)) ||
	    ((flags & ATTR_UIDGID) && (!take_u32(sftp, &ret->uid) || !take_u32(sftp, &ret->gid))) ||
	    ((flags & ATTR_PERMISSIONS) && !take_u32(sftp, &ret->mode)) ||
	    ((flags & ATTR_ACMODTIME) && (!take_u32(sftp, &access_time) || !take_u32(sftp, &change_time))))
		return false;
	ret->time = change_time;
	if (flags & (uint32_t)ATTR_EXTENDED) {
		uint32_t count, size;

		if (!take_u32(sftp, &count))
			return false;
		while (count--)
			if (!take_bytes(sftp, &size) || !take_bytes(sftp, &size))
				return false;
	}
	return true;
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

static struct sftp *from(struct remote *remote)
{
	return (struct sftp *)remote;
}

/* A request with a path alone, answered by a status. */
static int call_path(struct remote *remote, enum packet_type type, const char *path)
{
	struct sftp *sftp = from(remote);

	begin(sftp, type);
	put_path(sftp, path);
	return call(sftp, STATUS);
}

static int sftp_stat(struct remote *remote, const char *path, struct remote_attributes *ret)
{
	struct sftp *sftp = from(remote);
	int result;

	begin(sftp, STAT);
	put_path(sftp, path);
	result = call(sftp, ATTRS);
	if (result)
		return result;
	return take_attributes(sftp, ret) ? 0 : lose(sftp);
}

static int take_handle(struct sftp *sftp)
{
	uint32_t size;
	const unsigned char *bytes = take_bytes(sftp, &size);
	int file;

	if (!bytes || size > HANDLE_MAX)
		return lose(sftp);
	for (file = 0; file < OPEN_FILES && sftp->file[file].used; file++)
		;
	if (file == OPEN_FILES)
		return lose(sftp); /* checked before */
	sftp->file[file].used = true;
	sftp->file[file].size = size;
	memcpy(sftp->file[file].bytes, bytes, size);
	return file;
}

static bool may_open(const struct sftp *sftp)
{
	int file;

	for (file = 0; file < OPEN_FILES && sftp->file[file].used; file++)
		;
	return file < OPEN_FILES;
}

static int sftp_open_file(struct remote *remote, const char *path, unsigned int how, mode_t mode)
{
	struct sftp *sftp = from(remote);
	uint32_t flags = 0;
	int result;

	if (!may_open(sftp))
		return -ENFILE;
	flags |= how & REMOTE_READ ? PFLAG_READ : 0;
	flags |= how & REMOTE_WRITE ? PFLAG_WRITE : 0;
	flags |= how & REMOTE_CREATE ? PFLAG_CREAT : 0;
	flags |= how & REMOTE_EXCLUSIVE ? PFLAG_EXCL : 0;
	/* PFLAG_TRUNC needs PFLAG_CREAT. */
	flags |= how & REMOTE_TRUNCATE ? PFLAG_TRUNC | PFLAG_CREAT : 0;
	begin(sftp, OPEN);
	put_path(sftp, path);
	put_u32(sftp, flags);
	put_u32(sftp, how & REMOTE_CREATE ? ATTR_PERMISSIONS : 0);
	if (how & REMOTE_CREATE)
		put_u32(sftp, mode & 07777);
	result = call(sftp, HANDLE);
	return result ? result : take_handle(sftp);
}

static ssize_t sftp_read(struct remote *remote, int file, void *data, size_t size, uint64_t offset)
{
	struct sftp *sftp = from(remote);
	size_t done = 0;

	while (done < size) {
		size_t piece = size - done < PIECE ? size - done : PIECE;
		const unsigned char *bytes;
		uint32_t got;
		int result;

		begin(sftp, READ);
		put_handle(sftp, file);
		put_u64(sftp, offset + done);
		put_u32(sftp, (uint32_t)piece);
		result = call(sftp, DATA);
		if (result > 0)
			break;
		if (result < 0)
			return result;
		bytes = take_bytes(sftp, &got);
		if (!bytes || !got || got > piece)
			return lose(sftp);
		memcpy((unsigned char *)data + done, bytes, got);
		done += got;
	}
	return (ssize_t)done;
}

/* Note answers that are there already, and wait for one if too many are missing. */
static int settle_writes(struct sftp *sftp, unsigned int most)
{
	while (sftp->writes && (sftp->writes > most || wait_for(sftp->in, POLLIN, 0))) {
		uint8_t type;
		int result = receive_any(sftp, 0, clock_ms() + sftp->patience_ms, &type);

		if (result)
			return result;
	}
	return 0;
}

static int sftp_write(struct remote *remote, int file, const void *data, size_t size, uint64_t offset)
{
	struct sftp *sftp = from(remote);
	size_t done = 0;

	while (done < size) {
		size_t piece = size - done < PIECE ? size - done : PIECE;
		int result = settle_writes(sftp, WRITES_OUT - 1);

		if (result)
			return result;
		begin(sftp, WRITE);
		put_handle(sftp, file);
		put_u64(sftp, offset + done);
		put_bytes(sftp, (const unsigned char *)data + done, piece);
		result = send_request(sftp);
		if (result)
			return result;
		sftp->writes++;
		done += piece;
	}
	return take_write_error(sftp);
}

static int sftp_sync(struct remote *remote, int file)
{
	struct sftp *sftp = from(remote);
	int result = settle_writes(sftp, 0);

	if (!result && sftp->extension[FSYNC]) {
		begin_extended(sftp, FSYNC);
		put_handle(sftp, file);
		result = call(sftp, STATUS);
	}
	return result ? result : take_write_error(sftp);
}

static int sftp_close_file(struct remote *remote, int file)
{
	struct sftp *sftp = from(remote);
	int result = settle_writes(sftp, 0);

	sftp->file[file].used = false;
	if (!result) {
		begin(sftp, CLOSE);
		put_handle(sftp, file);
		result = call(sftp, STATUS);
	}
	return result ? result : take_write_error(sftp);
}

static int sftp_truncate(struct remote *remote, const char *path, uint64_t size)
{
	struct sftp *sftp = from(remote);
	int result = settle_writes(sftp, 0);

	if (result)
		return result;
	begin(sftp, SETSTAT);
	put_path(sftp, path);
	put_u32(sftp, ATTR_SIZE);
	put_u64(sftp, size);
	return call(sftp, STATUS);
}

static int sftp_chmod(struct remote *remote, const char *path, mode_t mode)
{
	struct sftp *sftp = from(remote);

	begin(sftp, SETSTAT);
	put_path(sftp, path);
	put_u32(sftp, ATTR_PERMISSIONS);
	put_u32(sftp, mode & 07777);
	return call(sftp, STATUS);
}

static int sftp_mkdir(struct remote *remote, const char *path, mode_t mode)
{
	struct sftp *sftp = from(remote);

	begin(sftp, MKDIR);
	put_path(sftp, path);
	put_u32(sftp, ATTR_PERMISSIONS);
	put_u32(sftp, mode & 07777);
	return call(sftp, STATUS);
}

/* The protocol's own rename does not replace a file. */
static int sftp_rename(struct remote *remote, const char *old, const char *name)
{
	struct sftp *sftp = from(remote);
	int result;

	if (sftp->extension[POSIX_RENAME]) {
		begin_extended(sftp, POSIX_RENAME);
	} else {
		result = call_path(remote, REMOVE, name);
		if (result && result != -ENOENT)
			return result;
		begin(sftp, RENAME);
	}
	put_path(sftp, old);
	put_path(sftp, name);
	return call(sftp, STATUS);
}

static int sftp_unlink(struct remote *remote, const char *path)
{
	return call_path(remote, REMOVE, path);
}

static int sftp_rmdir(struct remote *remote, const char *path)
{
	return call_path(remote, RMDIR, path);
}

/* Call @entry with each name of the answer. */
static int hand_on_names(struct sftp *sftp, int (*entry)(void *arg, const char *name), void *arg)
{
	struct remote_attributes attributes;
	uint32_t count, size, unused;
	char name[256];
	int result = 0;

	if (!take_u32(sftp, &count))
		return lose(sftp);
	while (count-- && !result) {
		const unsigned char *bytes = take_bytes(sftp, &size);

		if (!bytes || !take_bytes(sftp, &unused) || !take_attributes(sftp, &attributes))
			return lose(sftp);
		/* What no file system could have made is not shown. */
		if (!size || size >= sizeof(name) || memchr(bytes, '/', size) || memchr(bytes, '\0', size))
			continue;
		memcpy(name, bytes, size);
		name[size] = '\0';
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			result = entry(arg, name);
	}
	return result;
}

static int sftp_list(struct remote *remote, const char *path, int (*entry)(void *arg, const char *name), void *arg)
{
	struct sftp *sftp = from(remote);
	int result, directory;

	if (!may_open(sftp))
		return -ENFILE;
	begin(sftp, OPENDIR);
	put_path(sftp, path);
	result = call(sftp, HANDLE);
	directory = result ? result : take_handle(sftp);
	if (directory < 0)
		return directory;
	do {
		begin(sftp, READDIR);
		put_handle(sftp, directory);
		result = call(sftp, NAME);
		if (!result)
			result = hand_on_names(sftp, entry, arg);
	} while (!result);
	if (!sftp->lost)
		sftp_close_file(remote, directory);
	return result < 0 ? result : 0;
}

static int ask_for_space(struct sftp *sftp, struct remote_space *ret)
{
	uint64_t value[6];
	size_t i;
	int result;

	if (!sftp->extension[STATVFS])
		return -EOPNOTSUPP;
	begin_extended(sftp, STATVFS);
	put_path(sftp, "/");
	result = call(sftp, EXTENDED_REPLY);
	if (result)
		return result;
	/* f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree … */
	if (!take(sftp, 8))
		return lose(sftp);
	for (i = 0; i < ARRAY_SIZE(value); i++)
		if (!take_u64(sftp, &value[i]))
			return lose(sftp);
	*ret = (struct remote_space){ value[0], value[1], value[2], value[3], value[4], value[5] };
	return 0;
}

static int sftp_space(struct remote *remote, struct remote_space *ret)
{
	return ask_for_space(from(remote), ret);
}

static bool sftp_is_lost(const struct remote *remote)
{
	return ((const struct sftp *)remote)->lost;
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

static struct kd_error *greet(struct sftp *sftp)
{
	const unsigned char *name;
	uint32_t version, size;
	uint8_t type;

	sftp->request_size = 4;
	put_u8(sftp, INIT);
	put_u32(sftp, PROTOCOL);
	if (send_request(sftp) || receive_packet(sftp, clock_ms() + sftp->patience_ms))
		return kd_error_create(KD_ERR_TIMEOUT, "the server does not answer as sftp-server(8) does");
	if (!take_u8(sftp, &type) || type != VERSION || !take_u32(sftp, &version) || version < PROTOCOL)
		return kd_error_create(KD_ERR_FORMAT, "the server does not speak SFTP version %d", PROTOCOL);
	while ((name = take_bytes(sftp, &size))) {
		uint32_t unused;

		for (size_t i = 0; i < EXTENSIONS; i++)
			if (strlen(extension_names[i]) == size && memcmp(extension_names[i], name, size) == 0)
				sftp->extension[i] = true;
		if (!take_bytes(sftp, &unused))
			break;
	}
	return NULL;
}

static const struct remote_ops sftp_ops = {
	.stat = sftp_stat,
	.open = sftp_open_file,
	.read = sftp_read,
	.write = sftp_write,
	.sync = sftp_sync,
	.close = sftp_close_file,
	.truncate = sftp_truncate,
	.chmod = sftp_chmod,
	.mkdir = sftp_mkdir,
	.rename = sftp_rename,
	.unlink = sftp_unlink,
	.rmdir = sftp_rmdir,
	.list = sftp_list,
	.space = sftp_space,
	.is_lost = sftp_is_lost,
};

struct kd_error *sftp_open(int in, int out, const char *directory, int patience_ms, struct remote **ret)
{
	struct sftp *sftp = calloc(1, sizeof(*sftp));
	struct kd_error *err;

	if (!sftp || !(sftp->directory = strdup(directory))) {
		free(sftp);
		close(in);
		close(out);
		return kd_error_nomem();
	}
	sftp->remote.ops = &sftp_ops;
	sftp->in = in;
	sftp->out = out;
	sftp->patience_ms = patience_ms;
	/* A server that stops reading must not stop this process. */
	fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
	err = greet(sftp);
	if (err) {
		sftp_close(&sftp->remote);
		return err;
	}
	*ret = &sftp->remote;
	return NULL;
}

void sftp_close(struct remote *remote)
{
	struct sftp *sftp = from(remote);

	if (!remote)
		return;
	close(sftp->in);
	close(sftp->out);
	free(sftp->directory);
	free(sftp);
}
