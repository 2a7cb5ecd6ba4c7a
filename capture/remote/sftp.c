/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/sftp.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/array.h"
#include "capture/clock.h"
#include "capture/remote/packet.h"

/* Every server takes packets of 34000 bytes; answers are as long as PACKET_MAX. A write may be longer where the server
 * says so: each packet costs a turn of this process, of the program behind the socket, and of this one. */
enum {
	PIECE = 32 << 10,
	PIECE_MAX = 128 << 10,
	OPEN_FILES = 32,
	HANDLE_MAX = 256,     /* bytes */
	ON_ITS_WAY = 2 << 20, /* bytes of writes that the server has not answered yet */
};

enum extension { FSYNC, POSIX_RENAME, STATVFS, LIMITS, EXTENSIONS };

static const char *const extension_names[EXTENSIONS] = {
	[FSYNC] = SFTP_FSYNC,
	[POSIX_RENAME] = SFTP_POSIX_RENAME,
	[STATVFS] = SFTP_STATVFS,
	[LIMITS] = SFTP_LIMITS,
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
	size_t piece; /* the most that is written at once */
	uint32_t next_id;
	unsigned int writes; /* that are not answered */
	int write_error;     /* of one of them, told by the next call */
	struct handle file[OPEN_FILES];
	struct packet_writer request; /* being made; paths are shorter than PATH_MAX */
	struct packet_reader answer;
	unsigned char request_data[4 * PATH_MAX + 1024], answer_data[PACKET_MAX];
};

/* --- the connection ----------------------------------------------------------------------------------------------- */

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

static void advance(struct iovec *part, size_t size)
{
	part->iov_base = (unsigned char *)part->iov_base + size;
	part->iov_len -= size;
}

static int send_all(struct sftp *sftp, struct iovec part[static 2])
{
	int64_t deadline = clock_ms() + sftp->patience_ms;

	while (part[0].iov_len || part[1].iov_len) {
		ssize_t n = writev(sftp->out, part, 2);

		if (n < 0 && errno == EAGAIN) {
			if (!wait_for(sftp->out, POLLOUT, deadline))
				return lose(sftp);
			continue;
		}
		if (n < 0 && errno != EINTR)
			return lose(sftp);
		if (n > 0) {
			size_t first = (size_t)n < part[0].iov_len ? (size_t)n : part[0].iov_len;

			advance(&part[0], first);
			advance(&part[1], (size_t)n - first);
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

/* @path as the server has it. */
static void put_path(struct sftp *sftp, const char *path)
{
	size_t top = strlen(sftp->directory), rest = strcmp(path, "/") == 0 ? 0 : strlen(path);

	packet_put_u32(&sftp->request, (uint32_t)(top + rest));
	packet_put(&sftp->request, sftp->directory, top);
	packet_put(&sftp->request, path, rest);
}

static void put_handle(struct sftp *sftp, int file)
{
	packet_put_bytes(&sftp->request, sftp->file[file].bytes, sftp->file[file].size);
}

static void begin(struct sftp *sftp, enum packet_type type)
{
	packet_begin(&sftp->request, type);
	packet_put_u32(&sftp->request, ++sftp->next_id);
}

static void begin_extended(struct sftp *sftp, enum extension extension)
{
	begin(sftp, SSH_FXP_EXTENDED);
	packet_put_text(&sftp->request, extension_names[extension]);
}

/* What was made, and @data behind it. */
static int send_with(struct sftp *sftp, const void *data, size_t size)
{
	struct iovec part[] = { { sftp->request.data, sftp->request.size }, { (void *)data, size } };

	if (sftp->lost)
		return -ENOTCONN;
	packet_end(&sftp->request, size);
	return send_all(sftp, part);
}

static int send_request(struct sftp *sftp)
{
	return send_with(sftp, NULL, 0);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static int receive_packet(struct sftp *sftp, int64_t deadline)
{
	uint32_t length;

	if (receive_all(sftp, (unsigned char *)&length, sizeof(length), deadline))
		return -ENOTCONN;
	length = be32toh(length);
	if (!length || length > sizeof(sftp->answer_data))
		return lose(sftp);
	if (receive_all(sftp, sftp->answer_data, length, deadline))
		return -ENOTCONN;
	sftp->answer = (struct packet_reader){ .data = sftp->answer_data, .size = length };
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
	if (!packet_take_u8(&sftp->answer, type) || !packet_take_u32(&sftp->answer, &found))
		return lose(sftp);
	if (found == id)
		return 0;
	/* Only writes are not waited for. */
	if (*type != SSH_FXP_STATUS || !sftp->writes || !packet_take_u32(&sftp->answer, &status))
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
	if (type == SSH_FXP_STATUS) {
		if (!packet_take_u32(&sftp->answer, &status))
			return lose(sftp);
		if (status == SSH_FX_EOF)
			return expected == SSH_FXP_DATA || expected == SSH_FXP_NAME ? 1 : -EIO;
		if (status || expected == SSH_FXP_STATUS)
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
	if (!packet_take_u32(&sftp->answer, &flags) ||
	    ((flags & SSH_FILEXFER_ATTR_SIZE) && !packet_take_u64(&sftp->answer, &ret->size)) ||
	    ((flags & SSH_FILEXFER_ATTR_UIDGID) &&
	     (!packet_take_u32(&sftp->answer, &ret->uid) || !packet_take_u32(&sftp->answer, &ret->gid))) ||
	    ((flags & SSH_FILEXFER_ATTR_PERMISSIONS) && !packet_take_u32(&sftp->answer, &ret->mode)) ||
	    ((flags & SSH_FILEXFER_ATTR_ACMODTIME) &&
	     (!packet_take_u32(&sftp->answer, &access_time) || !packet_take_u32(&sftp->answer, &change_time))))
		return false;
	ret->time = change_time;
	if (flags & (uint32_t)SSH_FILEXFER_ATTR_EXTENDED) {
		uint32_t count, size;

		if (!packet_take_u32(&sftp->answer, &count))
			return false;
		while (count--)
			if (!packet_take_bytes(&sftp->answer, &size) || !packet_take_bytes(&sftp->answer, &size))
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
	return call(sftp, SSH_FXP_STATUS);
}

static int sftp_stat(struct remote *remote, const char *path, struct remote_attributes *ret)
{
	struct sftp *sftp = from(remote);
	int result;

	begin(sftp, SSH_FXP_STAT);
	put_path(sftp, path);
	result = call(sftp, SSH_FXP_ATTRS);
	if (result)
		return result;
	return take_attributes(sftp, ret) ? 0 : lose(sftp);
}

static int take_handle(struct sftp *sftp)
{
	uint32_t size;
	const unsigned char *bytes = packet_take_bytes(&sftp->answer, &size);
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
	flags |= how & REMOTE_READ ? SSH_FXF_READ : 0;
	flags |= how & REMOTE_WRITE ? SSH_FXF_WRITE : 0;
	flags |= how & REMOTE_CREATE ? SSH_FXF_CREAT : 0;
	flags |= how & REMOTE_EXCLUSIVE ? SSH_FXF_EXCL : 0;
	/* SSH_FXF_TRUNC needs SSH_FXF_CREAT. */
	flags |= how & REMOTE_TRUNCATE ? SSH_FXF_TRUNC | SSH_FXF_CREAT : 0;
	begin(sftp, SSH_FXP_OPEN);
	put_path(sftp, path);
	packet_put_u32(&sftp->request, flags);
	packet_put_u32(&sftp->request, how & REMOTE_CREATE ? SSH_FILEXFER_ATTR_PERMISSIONS : 0);
	if (how & REMOTE_CREATE)
		packet_put_u32(&sftp->request, mode & 07777);
	result = call(sftp, SSH_FXP_HANDLE);
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

		begin(sftp, SSH_FXP_READ);
		put_handle(sftp, file);
		packet_put_u64(&sftp->request, offset + done);
		packet_put_u32(&sftp->request, (uint32_t)piece);
		result = call(sftp, SSH_FXP_DATA);
		if (result > 0)
			break;
		if (result < 0)
			return result;
		bytes = packet_take_bytes(&sftp->answer, &got);
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
		size_t piece = size - done < sftp->piece ? size - done : sftp->piece;
		int result = settle_writes(sftp, (unsigned int)(ON_ITS_WAY / sftp->piece - 1));

		if (result)
			return result;
		begin(sftp, SSH_FXP_WRITE);
		put_handle(sftp, file);
		packet_put_u64(&sftp->request, offset + done);
		packet_put_u32(&sftp->request, (uint32_t)piece);
		result = send_with(sftp, (const unsigned char *)data + done, piece);
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
		result = call(sftp, SSH_FXP_STATUS);
	}
	return result ? result : take_write_error(sftp);
}

static int sftp_close_file(struct remote *remote, int file)
{
	struct sftp *sftp = from(remote);
	int result = settle_writes(sftp, 0);

	sftp->file[file].used = false;
	if (!result) {
		begin(sftp, SSH_FXP_CLOSE);
		put_handle(sftp, file);
		result = call(sftp, SSH_FXP_STATUS);
	}
	return result ? result : take_write_error(sftp);
}

static int sftp_truncate(struct remote *remote, const char *path, uint64_t size)
{
	struct sftp *sftp = from(remote);
	int result = settle_writes(sftp, 0);

	if (result)
		return result;
	begin(sftp, SSH_FXP_SETSTAT);
	put_path(sftp, path);
	packet_put_u32(&sftp->request, SSH_FILEXFER_ATTR_SIZE);
	packet_put_u64(&sftp->request, size);
	return call(sftp, SSH_FXP_STATUS);
}

static int sftp_chmod(struct remote *remote, const char *path, mode_t mode)
{
	struct sftp *sftp = from(remote);

	begin(sftp, SSH_FXP_SETSTAT);
	put_path(sftp, path);
	packet_put_u32(&sftp->request, SSH_FILEXFER_ATTR_PERMISSIONS);
	packet_put_u32(&sftp->request, mode & 07777);
	return call(sftp, SSH_FXP_STATUS);
}

static int sftp_mkdir(struct remote *remote, const char *path, mode_t mode)
{
	struct sftp *sftp = from(remote);

	begin(sftp, SSH_FXP_MKDIR);
	put_path(sftp, path);
	packet_put_u32(&sftp->request, SSH_FILEXFER_ATTR_PERMISSIONS);
	packet_put_u32(&sftp->request, mode & 07777);
	return call(sftp, SSH_FXP_STATUS);
}

/* The protocol's own rename does not replace a file. */
static int sftp_rename(struct remote *remote, const char *old, const char *name)
{
	struct sftp *sftp = from(remote);
	int result;

	if (sftp->extension[POSIX_RENAME]) {
		begin_extended(sftp, POSIX_RENAME);
	} else {
		result = call_path(remote, SSH_FXP_REMOVE, name);
		if (result && result != -ENOENT)
			return result;
		begin(sftp, SSH_FXP_RENAME);
	}
	put_path(sftp, old);
	put_path(sftp, name);
	return call(sftp, SSH_FXP_STATUS);
}

static int sftp_unlink(struct remote *remote, const char *path)
{
	return call_path(remote, SSH_FXP_REMOVE, path);
}

static int sftp_rmdir(struct remote *remote, const char *path)
{
	return call_path(remote, SSH_FXP_RMDIR, path);
}

/* Call @entry with each name of the answer. */
static int hand_on_names(struct sftp *sftp, int (*entry)(void *arg, const char *name), void *arg)
{
	struct remote_attributes attributes;
	uint32_t count, size, unused;
	char name[256];
	int result = 0;

	if (!packet_take_u32(&sftp->answer, &count))
		return lose(sftp);
	while (count-- && !result) {
		const unsigned char *bytes = packet_take_bytes(&sftp->answer, &size);

		if (!bytes || !packet_take_bytes(&sftp->answer, &unused) || !take_attributes(sftp, &attributes))
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
	begin(sftp, SSH_FXP_OPENDIR);
	put_path(sftp, path);
	result = call(sftp, SSH_FXP_HANDLE);
	directory = result ? result : take_handle(sftp);
	if (directory < 0)
		return directory;
	do {
		begin(sftp, SSH_FXP_READDIR);
		put_handle(sftp, directory);
		result = call(sftp, SSH_FXP_NAME);
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
	result = call(sftp, SSH_FXP_EXTENDED_REPLY);
	if (result)
		return result;
	/* f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree … */
	if (!packet_take(&sftp->answer, 8))
		return lose(sftp);
	for (i = 0; i < ARRAY_SIZE(value); i++)
		if (!packet_take_u64(&sftp->answer, &value[i]))
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

/* How long a packet, an answer and a write may be, and how many files may be open; 0: not known. */
static void ask_for_limits(struct sftp *sftp)
{
	uint64_t packet, answer, writes;

	begin_extended(sftp, LIMITS);
	if (call(sftp, SSH_FXP_EXTENDED_REPLY))
		return;
	if (!packet_take_u64(&sftp->answer, &packet) || !packet_take_u64(&sftp->answer, &answer) ||
	    !packet_take_u64(&sftp->answer, &writes))
		lose(sftp);
	else if (writes > PIECE)
		sftp->piece = writes < PIECE_MAX ? (size_t)writes : PIECE_MAX;
}

static struct kd_error *greet(struct sftp *sftp)
{
	const unsigned char *name;
	uint32_t version, size;
	uint8_t type;

	packet_begin(&sftp->request, SSH_FXP_INIT);
	packet_put_u32(&sftp->request, SSH_FXP_PROTOCOL);
	if (send_request(sftp) || receive_packet(sftp, clock_ms() + sftp->patience_ms))
		return kd_error_create(KD_ERR_TIMEOUT, "the server does not answer as sftp-server(8) does");
	if (!packet_take_u8(&sftp->answer, &type) || type != SSH_FXP_VERSION ||
	    !packet_take_u32(&sftp->answer, &version) || version < SSH_FXP_PROTOCOL)
		return kd_error_create(KD_ERR_FORMAT, "the server does not speak SFTP version %d", SSH_FXP_PROTOCOL);
	while ((name = packet_take_bytes(&sftp->answer, &size))) {
		uint32_t unused;

		for (size_t i = 0; i < EXTENSIONS; i++)
			if (strlen(extension_names[i]) == size && memcmp(extension_names[i], name, size) == 0)
				sftp->extension[i] = true;
		if (!packet_take_bytes(&sftp->answer, &unused))
			break;
	}
	if (sftp->extension[LIMITS])
		ask_for_limits(sftp);
	return sftp->lost ? kd_error_create(KD_ERR_FORMAT, "the server does not say how long a write may be") : NULL;
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
	sftp->request = (struct packet_writer){ .data = sftp->request_data, .room = sizeof(sftp->request_data) };
	sftp->patience_ms = patience_ms;
	sftp->piece = PIECE;
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
