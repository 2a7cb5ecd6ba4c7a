/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transfer/server.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "capture/remote/packet.h"

enum {
	PIECE_MAX = 64 << 10,
	HEADER_MAX = 1024, /* of a packet with data */
	FILES_MAX = 256,
	SMALL_MAX = 16 << 20,
	PATH_SIZE = 4096,
};

struct file {
	char *path; /* NULL: free */
	bool directory;
	uint64_t size;
	mode_t mode;
	bool failed; /* something of it is lost */
	/* Small files. */
	unsigned char *data;
	size_t room;
	bool dirty; /* the server does not have it as it is */
	/* Dumps. */
	struct upload *upload; /* NULL: it has come to an end */
	bool finished;
	unsigned int writers; /* handles that may write */
};

/* An open file or directory. */
struct handle {
	bool used, writes;
	size_t file;
	size_t next; /* of a directory's entries */
};

struct server {
	int in, out;
	struct http *http;
	const struct settings *settings;
	const struct store *store;
	const struct kd_log *log;
	bool full; /* the server has no more room */
	struct file file[FILES_MAX];
	struct handle handle[32];
	struct packet_reader request;
	struct packet_writer answer; /* there is room for each */
	unsigned char request_data[PACKET_MAX], answer_data[PIECE_MAX + HEADER_MAX];
	int lost; /* errno of the connection */
};

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* A number that a packet does not have is 0. */
static uint32_t take_u32(struct server *server)
{
	uint32_t value = 0;

	packet_take_u32(&server->request, &value);
	return value;
}

static uint64_t take_u64(struct server *server)
{
	uint64_t value = 0;

	packet_take_u64(&server->request, &value);
	return value;
}

/* A path that begins with '/', without one at its end, and never empty. */
static bool take_path(struct server *server, char path[static PATH_SIZE])
{
	uint32_t size;
	const unsigned char *bytes = packet_take_bytes(&server->request, &size);

	while (bytes && size > 1 && bytes[size - 1] == '/')
		size--;
	if (!bytes || !size || size >= PATH_SIZE || *bytes != '/' || memchr(bytes, '\0', size))
		return false;
	memcpy(path, bytes, size);
	path[size] = '\0';
	return true;
}

static void begin(struct server *server, enum packet_type type, uint32_t id)
{
	packet_begin(&server->answer, type);
	packet_put_u32(&server->answer, id);
}

static void send(struct server *server)
{
	packet_end(&server->answer, 0);
	if (kd_write_all(server->out, server->answer.data, server->answer.size) < 0)
		server->lost = errno;
}

static void send_status(struct server *server, uint32_t id, enum packet_status status)
{
	begin(server, SSH_FXP_STATUS, id);
	packet_put_u32(&server->answer, status);
	packet_put_text(&server->answer, "");
	packet_put_text(&server->answer, "");
	send(server);
}

static void put_attributes(struct server *server, const struct file *file)
{
	packet_put_u32(&server->answer, SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID |
						SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME);
	packet_put_u64(&server->answer, file->size);
	packet_put_u32(&server->answer, 0);
	packet_put_u32(&server->answer, 0);
	packet_put_u32(&server->answer, file->mode);
	packet_put_u32(&server->answer, (uint32_t)time(NULL));
	packet_put_u32(&server->answer, (uint32_t)time(NULL));
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static struct file *find(struct server *server, const char *path)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (server->file[i].path && strcmp(server->file[i].path, path) == 0)
			return &server->file[i];
	return NULL;
}

static struct file *make(struct server *server, const char *path, mode_t mode)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *file = &server->file[i];

		if (file->path)
			continue;
		*file = (struct file){ .path = strdup(path), .mode = mode, .directory = S_ISDIR(mode) };
		return file->path ? file : NULL;
	}
	return NULL;
}

static void forget(struct file *file)
{
	if (file->upload)
		file->upload->store->free(file->upload);
	free(file->data);
	free(file->path);
	*file = (struct file){ 0 };
}

static bool is_dump(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return kd_starts_with(name, "vmcore") && !kd_starts_with(name, "vmcore-dmesg");
}

/* Tell of an error of the store. The protocol has no word for a full disk; a question for its space finds it. */
static enum packet_status tell(struct server *server, struct file *file, struct kd_error *err)
{
	if (!err)
		return SSH_FX_OK;
	if (file)
		file->failed = true;
	server->full = server->full || err->errnum == ENOSPC;
	kd_log_error(server->log, err);
	return SSH_FX_FAILURE;
}

static struct kd_error *put_small(struct server *server, struct file *file)
{
	struct kd_error *err;

	if (!file->dirty)
		return NULL;
	err = store_put(server->http, file->path, file->data, (size_t)file->size);
	file->dirty = err != NULL;
	return err;
}

static enum packet_status write_small(struct file *file, uint64_t offset, const unsigned char *data, uint32_t size)
{
	if (offset > SMALL_MAX || offset + size > SMALL_MAX)
		return SSH_FX_FAILURE;
	if (offset + size > file->room) {
		size_t room = 2 * (size_t)(offset + size) + 4096;
		unsigned char *grown = realloc(file->data, room);

		if (!grown)
			return SSH_FX_FAILURE;
		memset(grown + file->room, 0, room - file->room);
		file->data = grown;
		file->room = room;
	}
	memcpy(file->data + offset, data, size);
	file->dirty = true;
	return SSH_FX_OK;
}

static enum packet_status write_file(struct server *server, struct file *file, uint64_t offset,
				     const unsigned char *data, uint32_t size)
{
	enum packet_status status;

	if (file->failed || file->finished || file->directory)
		return SSH_FX_FAILURE;
	if (is_dump(file->path))
		status = file->upload ? tell(server, file, server->store->write(file->upload, offset, data, size)) :
					SSH_FX_FAILURE;
	else
		status = write_small(file, offset, data, size);
	if (status == SSH_FX_OK && file->size < offset + size)
		file->size = offset + size;
	return status;
}

/* No more will be written to a dump. A server that has not taken all of it keeps nothing. */
static enum packet_status finish(struct server *server, struct file *file)
{
	if (file->upload && !file->finished) {
		file->finished = true;
		if (!file->failed)
			tell(server, file, server->store->finish(file->upload, file->size));
		if (file->failed)
			file->size = 0;
	}
	return file->failed ? SSH_FX_FAILURE : SSH_FX_OK;
}

/* The last word on a dump that nobody has called complete. */
static void settle(struct server *server, struct file *file)
{
	if (file->upload && finish(server, file) == SSH_FX_OK)
		tell(server, file, server->store->keep(file->upload));
	if (file->upload) {
		server->store->free(file->upload);
		file->upload = NULL;
	}
}

static void settle_all(struct server *server)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *file = &server->file[i];

		if (file->path && file->upload)
			settle(server, file);
		else if (file->path && !file->directory)
			tell(server, file, put_small(server, file));
	}
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static int new_handle(struct server *server, const struct file *file, bool writes)
{
	for (size_t i = 0; i < ARRAY_SIZE(server->handle); i++) {
		if (server->handle[i].used)
			continue;
		server->handle[i] = (struct handle){ true, writes, (size_t)(file - server->file), 0 };
		return (int)i;
	}
	return -1;
}

static struct handle *take_handle(struct server *server)
{
	uint32_t size, number;
	const unsigned char *bytes = packet_take_bytes(&server->request, &size);

	if (!bytes || size != sizeof(number))
		return NULL;
	memcpy(&number, bytes, sizeof(number));
	number = be32toh(number);
	return number < ARRAY_SIZE(server->handle) && server->handle[number].used ? &server->handle[number] : NULL;
}

static void send_handle(struct server *server, uint32_t id, int handle)
{
	if (handle < 0)
		return send_status(server, id, SSH_FX_FAILURE);
	begin(server, SSH_FXP_HANDLE, id);
	packet_put_u32(&server->answer, sizeof(uint32_t));
	packet_put_u32(&server->answer, (uint32_t)handle);
	send(server);
}

static enum packet_status begin_dump(struct server *server, struct file *file)
{
	/* The one before has failed, or somebody would have renamed it. */
	for (size_t i = 0; i < FILES_MAX; i++)
		if (server->file[i].path && server->file[i].upload)
			settle(server, &server->file[i]);
	return tell(server, file, server->store->begin(server->http, server->settings, file->path, &file->upload));
}

static void do_open(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	struct file *file;
	uint32_t flags;

	if (!take_path(server, path))
		return send_status(server, id, SSH_FX_FAILURE);
	flags = take_u32(server);
	file = find(server, path);
	if (file && ((flags & SSH_FXF_EXCL) || file->directory))
		return send_status(server, id, SSH_FX_FAILURE);
	if (!file && !(flags & SSH_FXF_CREAT))
		return send_status(server, id, SSH_FX_NO_SUCH_FILE);
	if (!file) {
		file = make(server, path, S_IFREG | 0600);
		if (!file)
			return send_status(server, id, SSH_FX_FAILURE);
		if (is_dump(path) && begin_dump(server, file) != SSH_FX_OK) {
			forget(file);
			return send_status(server, id, SSH_FX_FAILURE);
		}
		file->dirty = !is_dump(path);
	} else if (flags & SSH_FXF_TRUNC) {
		if (is_dump(path))
			return send_status(server, id, SSH_FX_FAILURE);
		file->size = 0;
		file->dirty = true;
	}
	file->writers += (flags & SSH_FXF_WRITE) != 0;
	send_handle(server, id, new_handle(server, file, flags & SSH_FXF_WRITE));
}

static void do_close(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	enum packet_status status = SSH_FX_OK;
	struct file *file;

	if (!handle)
		return send_status(server, id, SSH_FX_FAILURE);
	file = &server->file[handle->file];
	handle->used = false;
	if (handle->writes && file->path && file->writers && --file->writers == 0) {
		if (is_dump(file->path))
			status = finish(server, file);
		else if (!strstr(file->path, "-incomplete"))
			status = tell(server, file, put_small(server, file));
	}
	send_status(server, id, status);
}

static void do_read(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	uint64_t offset = take_u64(server);
	uint32_t size = take_u32(server);
	const struct file *file = handle ? &server->file[handle->file] : NULL;

	/* What is at the server is not fetched again. */
	if (!file || !file->data)
		return send_status(server, id, SSH_FX_OP_UNSUPPORTED);
	if (offset >= file->size)
		return send_status(server, id, SSH_FX_EOF);
	size = size < PIECE_MAX ? size : PIECE_MAX;
	size = size < file->size - offset ? size : (uint32_t)(file->size - offset);
	begin(server, SSH_FXP_DATA, id);
	packet_put_u32(&server->answer, size);
	packet_put(&server->answer, file->data + offset, size);
	send(server);
}

static void do_write(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	uint64_t offset = take_u64(server);
	uint32_t size;
	const unsigned char *data = packet_take_bytes(&server->request, &size);

	if (!handle || !handle->writes || !data || offset > UINT64_MAX / 2 || !server->file[handle->file].path)
		return send_status(server, id, SSH_FX_FAILURE);
	send_status(server, id, write_file(server, &server->file[handle->file], offset, data, size));
}

static void do_stat(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	const struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file)
		return send_status(server, id, SSH_FX_NO_SUCH_FILE);
	begin(server, SSH_FXP_ATTRS, id);
	put_attributes(server, file);
	send(server);
}

/* Modes and owners are the server's affair. */
static void do_setstat(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file)
		return send_status(server, id, SSH_FX_NO_SUCH_FILE);
	if (take_u32(server) & SSH_FILEXFER_ATTR_SIZE) {
		uint64_t size = take_u64(server);

		if (!is_dump(path) && size > file->room)
			return send_status(server, id, SSH_FX_OP_UNSUPPORTED);
		file->size = size;
	}
	send_status(server, id, SSH_FX_OK);
}

static void do_opendir(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	const struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file || !file->directory)
		return send_status(server, id, SSH_FX_NO_SUCH_FILE);
	send_handle(server, id, new_handle(server, file, false));
}

/* One name at a time. */
static void do_readdir(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	const char *top = handle ? server->file[handle->file].path : NULL;
	size_t length = top && strcmp(top, "/") != 0 ? strlen(top) : 0;

	for (; top && handle->next < FILES_MAX; handle->next++) {
		const struct file *file = &server->file[handle->next];

		if (!file->path || strlen(file->path) <= length + 1 || strncmp(file->path, top, length) != 0 ||
		    file->path[length] != '/' || strchr(file->path + length + 1, '/'))
			continue;
		handle->next++;
		begin(server, SSH_FXP_NAME, id);
		packet_put_u32(&server->answer, 1);
		packet_put_text(&server->answer, file->path + length + 1);
		packet_put_text(&server->answer, file->path + length + 1);
		put_attributes(server, file);
		return send(server);
	}
	send_status(server, id, SSH_FX_EOF);
}

static void do_remove(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file || file->directory)
		return send_status(server, id, SSH_FX_NO_SUCH_FILE);
	if (file->upload)
		server->store->drop(file->upload);
	else if (!is_dump(path) && !file->dirty)
		kd_error_destroy(store_delete(server->http, path));
	forget(file);
	send_status(server, id, SSH_FX_OK);
}

static void do_mkdir(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	enum packet_status status = SSH_FX_FAILURE;

	if (take_path(server, path) && !find(server, path)) {
		status = tell(server, NULL, server->store->mkdir(server->http, path));
		if (status == SSH_FX_OK && !make(server, path, S_IFDIR | 0700))
			status = SSH_FX_FAILURE;
	}
	send_status(server, id, status);
}

static void do_rmdir(struct server *server, uint32_t id)
{
	send_status(server, id, SSH_FX_OP_UNSUPPORTED);
}

static enum packet_status commit_dump(struct server *server, struct file *file, const char *path)
{
	enum packet_status status = finish(server, file);

	/* Another name for what is still incomplete. */
	if (status != SSH_FX_OK || !file->upload || strstr(path, "-incomplete"))
		return status;
	status = tell(server, file, server->store->commit(file->upload, path));
	if (status != SSH_FX_OK && server->store->hidden)
		file->size = 0;
	server->store->free(file->upload);
	file->upload = NULL;
	return status;
}

static void rename_file(struct server *server, uint32_t id)
{
	char old[PATH_SIZE], path[PATH_SIZE];
	struct file *file, *other;
	enum packet_status status = SSH_FX_OK;
	char *copy;

	if (!take_path(server, old) || !take_path(server, path) || !(file = find(server, old)) || file->directory)
		return send_status(server, id, SSH_FX_NO_SUCH_FILE);
	copy = strdup(path);
	if (!copy || is_dump(old) != is_dump(path)) {
		free(copy);
		return send_status(server, id, SSH_FX_FAILURE);
	}
	if (is_dump(path))
		status = commit_dump(server, file, path);
	other = find(server, path);
	if (status == SSH_FX_OK && other && other != file)
		forget(other);
	if (status == SSH_FX_OK) {
		free(file->path);
		file->path = copy;
		copy = NULL;
		if (!is_dump(path))
			status = tell(server, file, put_small(server, file));
	}
	free(copy);
	send_status(server, id, status);
}

/* As statvfs(3) has it: nobody can know, but after the server has said that it is full. */
static void send_space(struct server *server, uint32_t id)
{
	uint64_t blocks = server->full ? 0 : UINT64_C(1) << 40;

	begin(server, SSH_FXP_EXTENDED_REPLY, id);
	packet_put_u64(&server->answer, 4096);
	packet_put_u64(&server->answer, 4096);
	for (int i = 0; i < 3; i++)
		packet_put_u64(&server->answer, blocks);
	for (int i = 0; i < 3; i++)
		packet_put_u64(&server->answer, 1 << 20);
	packet_put_u64(&server->answer, 0);
	packet_put_u64(&server->answer, 0);
	packet_put_u64(&server->answer, 255);
	send(server);
}

/* How long packets, what is read and what is written at once may be, and the number of handles. */
static void send_limits(struct server *server, uint32_t id)
{
	begin(server, SSH_FXP_EXTENDED_REPLY, id);
	packet_put_u64(&server->answer, PACKET_MAX);
	packet_put_u64(&server->answer, PIECE_MAX);
	packet_put_u64(&server->answer, PACKET_MAX - HEADER_MAX);
	packet_put_u64(&server->answer, ARRAY_SIZE(server->handle));
	send(server);
}

/* What is sent is with the server; a dump that is closed has been taken by it, or not. */
static void do_fsync(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	struct file *file = handle ? &server->file[handle->file] : NULL;
	enum packet_status status = SSH_FX_FAILURE;

	if (file && file->path)
		status = is_dump(file->path) && !handle->writes ? finish(server, file) :
			 file->failed                           ? SSH_FX_FAILURE :
								  SSH_FX_OK;
	send_status(server, id, status);
}

static const struct {
	const char *name, *value;
	void (*run)(struct server *server, uint32_t id);
} extensions[] = {
	{ SFTP_FSYNC, "1", do_fsync },
	{ SFTP_POSIX_RENAME, "1", rename_file },
	{ SFTP_STATVFS, "2", send_space },
	{ SFTP_LIMITS, "1", send_limits },
};

static void do_extended(struct server *server, uint32_t id)
{
	uint32_t size;
	const unsigned char *name = packet_take_bytes(&server->request, &size);

	for (size_t i = 0; name && i < ARRAY_SIZE(extensions); i++)
		if (strlen(extensions[i].name) == size && memcmp(extensions[i].name, name, size) == 0)
			return extensions[i].run(server, id);
	send_status(server, id, SSH_FX_OP_UNSUPPORTED);
}

static const struct {
	uint8_t type;
	void (*run)(struct server *server, uint32_t id);
} requests[] = {
	{ SSH_FXP_OPEN, do_open },       { SSH_FXP_CLOSE, do_close },       { SSH_FXP_READ, do_read },
	{ SSH_FXP_WRITE, do_write },     { SSH_FXP_LSTAT, do_stat },        { SSH_FXP_STAT, do_stat },
	{ SSH_FXP_SETSTAT, do_setstat }, { SSH_FXP_OPENDIR, do_opendir },   { SSH_FXP_READDIR, do_readdir },
	{ SSH_FXP_REMOVE, do_remove },   { SSH_FXP_MKDIR, do_mkdir },       { SSH_FXP_RMDIR, do_rmdir },
	{ SSH_FXP_RENAME, rename_file }, { SSH_FXP_EXTENDED, do_extended },
};

static void carry_out(struct server *server, uint8_t type)
{
	uint32_t id = take_u32(server);

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].type == type)
			return requests[i].run(server, id);
	send_status(server, id, SSH_FX_OP_UNSUPPORTED);
}

static void greet(struct server *server)
{
	packet_begin(&server->answer, SSH_FXP_VERSION);
	packet_put_u32(&server->answer, SSH_FXP_PROTOCOL);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		packet_put_text(&server->answer, extensions[i].name);
		packet_put_text(&server->answer, extensions[i].value);
	}
	send(server);
}

/* *end: there is no more input. */
static struct kd_error *receive(struct server *server, bool *end)
{
	uint32_t length;
	ssize_t got = kd_read_all(server->in, &length, sizeof(length));

	*end = got == 0;
	if (got == 0)
		return NULL;
	length = be32toh(length);
	if (got != sizeof(length) || !length || length > sizeof(server->request_data) ||
	    kd_read_all(server->in, server->request_data, length) != (ssize_t)length)
		return kd_error_create(KD_ERR_FORMAT, "the other side does not speak SFTP");
	server->request = (struct packet_reader){ .data = server->request_data, .size = length };
	return NULL;
}

static struct kd_error *serve(struct server *server)
{
	struct kd_error *err;
	bool end = false;

	while (!server->lost && !(err = receive(server, &end)) && !end) {
		uint8_t type = *packet_take(&server->request, 1);

		if (type == SSH_FXP_INIT)
			greet(server);
		else
			carry_out(server, type);
	}
	return server->lost ? kd_error_os(server->lost, "the other side is gone") : err;
}

struct kd_error *server_run(int in, int out, struct http *http, const struct settings *settings,
			    const struct kd_log *log)
{
	struct server *server = calloc(1, sizeof(*server));
	struct kd_error *err;

	if (!server)
		return kd_error_nomem();
	server->in = in;
	server->out = out;
	server->answer = (struct packet_writer){ .data = server->answer_data, .room = sizeof(server->answer_data) };
	server->http = http;
	server->settings = settings;
	server->store = settings->s3 ? &store_s3 : &store_dav;
	server->log = log;
	err = make(server, "/", S_IFDIR | 0700) ? serve(server) : kd_error_nomem();
	settle_all(server);
	for (size_t i = 0; i < FILES_MAX; i++)
		if (server->file[i].path)
			forget(&server->file[i]);
	free(server);
	return err;
}
