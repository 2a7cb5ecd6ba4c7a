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

enum packet_type {
	INIT = 1,
	VERSION = 2,
	OPEN = 3,
	CLOSE = 4,
	READ = 5,
	WRITE = 6,
	LSTAT = 7,
	SETSTAT = 9,
	OPENDIR = 11,
	READDIR = 12,
	REMOVE = 13,
	MKDIR = 14,
	RMDIR = 15,
	STAT = 17,
	RENAME = 18,
	STATUS = 101,
	HANDLE = 102,
	DATA = 103,
	NAME = 104,
	ATTRS = 105,
	EXTENDED = 200,
	EXTENDED_REPLY = 201,
};

enum status { OK = 0, END = 1, NO_FILE = 2, DENIED = 3, FAILURE = 4, UNSUPPORTED = 8 };

enum { PFLAG_WRITE = 2, PFLAG_CREAT = 8, PFLAG_TRUNC = 16, PFLAG_EXCL = 32 };
enum { ATTR_SIZE = 1, ATTR_UIDGID = 2, ATTR_PERMISSIONS = 4, ATTR_ACMODTIME = 8 };

enum {
	PACKET_MAX = 256 << 10,
	PIECE_MAX = 64 << 10,
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
	unsigned char packet[PACKET_MAX];
	size_t size, cursor;
	unsigned char answer[PIECE_MAX + 1024];
	size_t used;
	int lost; /* errno of the pipe */
};

/* --- packets ------------------------------------------------------------------------------------------------------ */

static const unsigned char *take(struct server *server, size_t size)
{
	const unsigned char *place = server->packet + server->cursor;

	if (size > server->size - server->cursor)
		return NULL;
	server->cursor += size;
	return place;
}

static uint32_t take_u32(struct server *server)
{
	const unsigned char *place = take(server, sizeof(uint32_t));
	uint32_t value = 0;

	if (place)
		memcpy(&value, place, sizeof(value));
	return be32toh(value);
}

static uint64_t take_u64(struct server *server)
{
	uint64_t high = take_u32(server);

	return high << 32 | take_u32(server);
}

/* *size := that of the bytes; NULL: the packet is shorter. */
static const unsigned char *take_bytes(struct server *server, uint32_t *size)
{
	*size = take_u32(server);
	return take(server, *size);
}

/* A path that begins with '/', without one at its end, and never empty. */
static bool take_path(struct server *server, char path[static PATH_SIZE])
{
	uint32_t size;
	const unsigned char *bytes = take_bytes(server, &size);

	while (bytes && size > 1 && bytes[size - 1] == '/')
		size--;
	if (!bytes || !size || size >= PATH_SIZE || *bytes != '/' || memchr(bytes, '\0', size))
		return false;
	memcpy(path, bytes, size);
	path[size] = '\0';
	return true;
}

static void put(struct server *server, const void *data, size_t size)
{
	/* Every answer is shorter than the buffer. */
	if (size > sizeof(server->answer) - server->used)
		size = sizeof(server->answer) - server->used;
	memcpy(server->answer + server->used, data, size);
	server->used += size;
}

static void put_u32(struct server *server, uint32_t value)
{
	value = htobe32(value);
	put(server, &value, sizeof(value));
}

static void put_u64(struct server *server, uint64_t value)
{
	value = htobe64(value);
	put(server, &value, sizeof(value));
}

static void put_text(struct server *server, const char *text)
{
	put_u32(server, (uint32_t)strlen(text));
	put(server, text, strlen(text));
}

static void begin(struct server *server, enum packet_type type, uint32_t id)
{
	uint8_t byte = (uint8_t)type;

	server->used = 4; /* the length, when it is known */
	put(server, &byte, 1);
	put_u32(server, id);
}

static void send(struct server *server)
{
	uint32_t length = htobe32((uint32_t)(server->used - 4));

	memcpy(server->answer, &length, sizeof(length));
	if (kd_write_all(server->out, server->answer, server->used) < 0)
		server->lost = errno;
}

static void send_status(struct server *server, uint32_t id, enum status status)
{
	begin(server, STATUS, id);
	put_u32(server, status);
	put_text(server, "");
	put_text(server, "");
	send(server);
}

static void put_attributes(struct server *server, const struct file *file)
{
	put_u32(server, ATTR_SIZE | ATTR_UIDGID | ATTR_PERMISSIONS | ATTR_ACMODTIME);
	put_u64(server, file->size);
	put_u32(server, 0);
	put_u32(server, 0);
	put_u32(server, file->mode);
	put_u32(server, (uint32_t)time(NULL));
	put_u32(server, (uint32_t)time(NULL));
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
static enum status tell(struct server *server, struct file *file, struct kd_error *err)
{
	if (!err)
		return OK;
	if (file)
		file->failed = true;
	server->full = server->full || strstr(err->text, "answers 507") || strstr(err->text, "answers 413");
	kd_log_error(server->log, err);
	return FAILURE;
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

static enum status write_small(struct file *file, uint64_t offset, const unsigned char *data, uint32_t size)
{
	if (offset > SMALL_MAX || offset + size > SMALL_MAX)
		return FAILURE;
	if (offset + size > file->room) {
		size_t room = 2 * (size_t)(offset + size) + 4096;
		unsigned char *grown = realloc(file->data, room);

		if (!grown)
			return FAILURE;
		memset(grown + file->room, 0, room - file->room);
		file->data = grown;
		file->room = room;
	}
	memcpy(file->data + offset, data, size);
	file->dirty = true;
	return OK;
}

static enum status write_file(struct server *server, struct file *file, uint64_t offset, const unsigned char *data,
			      uint32_t size)
{
	enum status status;

	if (file->failed || file->finished || file->directory)
		return FAILURE;
	if (is_dump(file->path))
		status = file->upload ? tell(server, file, server->store->write(file->upload, offset, data, size)) :
					FAILURE;
	else
		status = write_small(file, offset, data, size);
	if (status == OK && file->size < offset + size)
		file->size = offset + size;
	return status;
}

/* No more will be written to a dump. */
static enum status finish(struct server *server, struct file *file)
{
	if (file->upload && !file->finished && !file->failed) {
		file->finished = true;
		tell(server, file, server->store->finish(file->upload, file->size));
	}
	return file->failed ? FAILURE : OK;
}

/* The last word on a dump that nobody has called complete. */
static void settle(struct server *server, struct file *file)
{
	if (file->upload && finish(server, file) == OK)
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
	const unsigned char *bytes = take_bytes(server, &size);

	if (!bytes || size != sizeof(number))
		return NULL;
	memcpy(&number, bytes, sizeof(number));
	number = be32toh(number);
	return number < ARRAY_SIZE(server->handle) && server->handle[number].used ? &server->handle[number] : NULL;
}

static void send_handle(struct server *server, uint32_t id, int handle)
{
	if (handle < 0)
		return send_status(server, id, FAILURE);
	begin(server, HANDLE, id);
	put_u32(server, sizeof(uint32_t));
	put_u32(server, (uint32_t)handle);
	send(server);
}

static enum status begin_dump(struct server *server, struct file *file)
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
		return send_status(server, id, FAILURE);
	flags = take_u32(server);
	file = find(server, path);
	if (file && ((flags & PFLAG_EXCL) || file->directory))
		return send_status(server, id, FAILURE);
	if (!file && !(flags & PFLAG_CREAT))
		return send_status(server, id, NO_FILE);
	if (!file) {
		file = make(server, path, S_IFREG | 0600);
		if (!file)
			return send_status(server, id, FAILURE);
		if (is_dump(path) && begin_dump(server, file) != OK) {
			forget(file);
			return send_status(server, id, FAILURE);
		}
		file->dirty = !is_dump(path);
	} else if (flags & PFLAG_TRUNC) {
		if (is_dump(path))
			return send_status(server, id, FAILURE);
		file->size = 0;
		file->dirty = true;
	}
	file->writers += (flags & PFLAG_WRITE) != 0;
	send_handle(server, id, new_handle(server, file, flags & PFLAG_WRITE));
}

static void do_close(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	enum status status = OK;
	struct file *file;

	if (!handle)
		return send_status(server, id, FAILURE);
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
		return send_status(server, id, UNSUPPORTED);
	if (offset >= file->size)
		return send_status(server, id, END);
	size = size < PIECE_MAX ? size : PIECE_MAX;
	size = size < file->size - offset ? size : (uint32_t)(file->size - offset);
	begin(server, DATA, id);
	put_u32(server, size);
	put(server, file->data + offset, size);
	send(server);
}

static void do_write(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	uint64_t offset = take_u64(server);
	uint32_t size;
	const unsigned char *data = take_bytes(server, &size);

	if (!handle || !handle->writes || !data || offset > UINT64_MAX / 2 || !server->file[handle->file].path)
		return send_status(server, id, FAILURE);
	send_status(server, id, write_file(server, &server->file[handle->file], offset, data, size));
}

static void do_stat(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	const struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file)
		return send_status(server, id, NO_FILE);
	begin(server, ATTRS, id);
	put_attributes(server, file);
	send(server);
}

/* Modes and owners are the server's affair. */
static void do_setstat(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file)
		return send_status(server, id, NO_FILE);
	if (take_u32(server) & ATTR_SIZE) {
		uint64_t size = take_u64(server);

		if (!is_dump(path) && size > file->room)
			return send_status(server, id, UNSUPPORTED);
		file->size = size;
	}
	send_status(server, id, OK);
}

static void do_opendir(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	const struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file || !file->directory)
		return send_status(server, id, NO_FILE);
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
		begin(server, NAME, id);
		put_u32(server, 1);
		put_text(server, file->path + length + 1);
		put_text(server, file->path + length + 1);
		put_attributes(server, file);
		return send(server);
	}
	send_status(server, id, END);
}

static void do_remove(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	struct file *file = take_path(server, path) ? find(server, path) : NULL;

	if (!file || file->directory)
		return send_status(server, id, NO_FILE);
	if (file->upload)
		server->store->drop(file->upload);
	else if (!is_dump(path) && !file->dirty)
		kd_error_destroy(store_delete(server->http, path));
	forget(file);
	send_status(server, id, OK);
}

static void do_mkdir(struct server *server, uint32_t id)
{
	char path[PATH_SIZE];
	enum status status = FAILURE;

	if (take_path(server, path) && !find(server, path)) {
		status = tell(server, NULL, server->store->mkdir(server->http, path));
		if (status == OK && !make(server, path, S_IFDIR | 0700))
			status = FAILURE;
	}
	send_status(server, id, status);
}

static void do_rmdir(struct server *server, uint32_t id)
{
	send_status(server, id, UNSUPPORTED);
}

static enum status commit_dump(struct server *server, struct file *file, const char *path)
{
	enum status status = finish(server, file);

	/* Another name for what is still incomplete. */
	if (status != OK || !file->upload || strstr(path, "-incomplete"))
		return status;
	status = tell(server, file, server->store->commit(file->upload, path));
	server->store->free(file->upload);
	file->upload = NULL;
	return status;
}

static void rename_file(struct server *server, uint32_t id)
{
	char old[PATH_SIZE], path[PATH_SIZE];
	struct file *file, *other;
	enum status status = OK;
	char *copy;

	if (!take_path(server, old) || !take_path(server, path) || !(file = find(server, old)) || file->directory)
		return send_status(server, id, NO_FILE);
	copy = strdup(path);
	if (!copy || is_dump(old) != is_dump(path)) {
		free(copy);
		return send_status(server, id, FAILURE);
	}
	if (is_dump(path))
		status = commit_dump(server, file, path);
	other = find(server, path);
	if (status == OK && other && other != file)
		forget(other);
	if (status == OK) {
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

	begin(server, EXTENDED_REPLY, id);
	put_u64(server, 4096);
	put_u64(server, 4096);
	for (int i = 0; i < 3; i++)
		put_u64(server, blocks);
	for (int i = 0; i < 3; i++)
		put_u64(server, 1 << 20);
	put_u64(server, 0);
	put_u64(server, 0);
	put_u64(server, 255);
	send(server);
}

/* What is sent is with the server; a dump that is closed has been taken by it, or not. */
static void do_fsync(struct server *server, uint32_t id)
{
	struct handle *handle = take_handle(server);
	struct file *file = handle ? &server->file[handle->file] : NULL;
	enum status status = FAILURE;

	if (file && file->path)
		status = is_dump(file->path) && !handle->writes ? finish(server, file) : file->failed ? FAILURE : OK;
	send_status(server, id, status);
}

static const struct {
	const char *name, *value;
	void (*run)(struct server *server, uint32_t id);
} extensions[] = {
	{ "fsync@openssh.com", "1", do_fsync },
	{ "posix-rename@openssh.com", "1", rename_file },
	{ "statvfs@openssh.com", "2", send_space },
};

static void do_extended(struct server *server, uint32_t id)
{
	uint32_t size;
	const unsigned char *name = take_bytes(server, &size);

	for (size_t i = 0; name && i < ARRAY_SIZE(extensions); i++)
		if (strlen(extensions[i].name) == size && memcmp(extensions[i].name, name, size) == 0)
			return extensions[i].run(server, id);
	send_status(server, id, UNSUPPORTED);
}

static const struct {
	uint8_t type;
	void (*run)(struct server *server, uint32_t id);
} requests[] = {
	{ OPEN, do_open },       { CLOSE, do_close },       { READ, do_read },       { WRITE, do_write },
	{ LSTAT, do_stat },      { STAT, do_stat },         { SETSTAT, do_setstat }, { OPENDIR, do_opendir },
	{ READDIR, do_readdir }, { REMOVE, do_remove },     { MKDIR, do_mkdir },     { RMDIR, do_rmdir },
	{ RENAME, rename_file }, { EXTENDED, do_extended },
};

static void carry_out(struct server *server, uint8_t type)
{
	uint32_t id = take_u32(server);

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].type == type)
			return requests[i].run(server, id);
	send_status(server, id, UNSUPPORTED);
}

static void greet(struct server *server)
{
	uint8_t type = VERSION;

	server->used = 4;
	put(server, &type, 1);
	put_u32(server, 3);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		put_text(server, extensions[i].name);
		put_text(server, extensions[i].value);
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
	if (got != sizeof(length) || !length || length > sizeof(server->packet) ||
	    kd_read_all(server->in, server->packet, length) != (ssize_t)length)
		return kd_error_create(KD_ERR_FORMAT, "the other side does not speak SFTP");
	server->size = length;
	server->cursor = 0;
	return NULL;
}

static struct kd_error *serve(struct server *server)
{
	struct kd_error *err;
	bool end = false;

	while (!server->lost && !(err = receive(server, &end)) && !end) {
		uint8_t type = *take(server, 1);

		if (type == INIT)
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
