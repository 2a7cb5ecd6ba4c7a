/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/array.h"

enum {
	WRITE_MAX = 1 << 20, /* bytes of one write, the kernel's limit: each costs a turn of every process on the way */
	REQUEST_MAX = WRITE_MAX + 8192,
	ANSWER_MAX = 64 << 10,
	PATH_SIZE = 4096,
	MINOR = 31, /* of the kernel's protocol, as it is written here */
};

/* A file or directory that the kernel knows by the place of its path in the table, counted from FUSE_ROOT_ID. */
struct node {
	char *path;       /* NULL: free */
	uint64_t lookups; /* that the kernel has not forgotten */
};

struct fuse {
	int fd;
	struct remote *remote;
	struct node *node;
	size_t count;
	unsigned char *answer; /* ANSWER_MAX */
};

/* The request that is being carried out. */
struct request {
	struct fuse *fuse;
	const struct fuse_in_header *header;
	const void *body;
	size_t size; /* of the body */
};

/* --- answers ------------------------------------------------------------------------------------------------------ */

static int answer(const struct request *request, int error, const void *data, size_t size)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + (error ? 0 : size)),
		.error = error,
		.unique = request->header->unique,
	};
	struct iovec part[2] = { { &header, sizeof(header) }, { (void *)data, size } };

	/* ENOENT: whoever waited for it was killed. */
	return writev(request->fuse->fd, part, error || !size ? 1 : 2) < 0 && errno != ENOENT ? -errno : 0;
}

static int answer_error(const struct request *request, int error)
{
	return answer(request, error, NULL, 0);
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static const char *path_of(const struct fuse *fuse, uint64_t id)
{
	return id >= FUSE_ROOT_ID && id - FUSE_ROOT_ID < fuse->count ? fuse->node[id - FUSE_ROOT_ID].path : NULL;
}

/* The path of entry @name of the request's node. */
static bool child_path(const struct request *request, uint64_t parent, const char *name, char path[static PATH_SIZE])
{
	const char *directory = path_of(request->fuse, parent);
	int length;

	if (!directory)
		return false;
	length = snprintf(path, PATH_SIZE, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, name);
	return length < PATH_SIZE;
}

/* The number of @path, which the kernel has looked up once more; 0: no memory. */
static uint64_t remember(struct fuse *fuse, const char *path)
{
	size_t i, free_place = fuse->count;
	struct node *grown;

	for (i = 0; i < fuse->count; i++) {
		if (fuse->node[i].path && strcmp(fuse->node[i].path, path) == 0) {
			fuse->node[i].lookups++;
			return FUSE_ROOT_ID + i;
		}
		if (!fuse->node[i].path && free_place == fuse->count)
			free_place = i;
	}
	if (free_place == fuse->count) {
		grown = realloc(fuse->node, (fuse->count + 1) * sizeof(*grown));
		if (!grown)
			return 0;
		fuse->node = grown;
		fuse->node[fuse->count++] = (struct node){ 0 };
	}
	fuse->node[free_place].path = strdup(path);
	fuse->node[free_place].lookups = 1;
	return fuse->node[free_place].path ? FUSE_ROOT_ID + free_place : 0;
}

static void forget(struct fuse *fuse, uint64_t id, uint64_t lookups)
{
	struct node *node;

	if (id <= FUSE_ROOT_ID || !path_of(fuse, id))
		return;
	node = &fuse->node[id - FUSE_ROOT_ID];
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	if (!node->lookups)
		free(take_ptr(node->path));
}

/* What was called @old, and what lies in it, is called @name from now on. */
static int rename_nodes(struct fuse *fuse, const char *old, const char *name)
{
	size_t length = strlen(old), i;

	for (i = 0; i < fuse->count; i++) {
		const char *path = fuse->node[i].path;
		char renamed[PATH_SIZE], *copy;

		if (!path || strncmp(path, old, length) != 0 || (path[length] && path[length] != '/'))
			continue;
		if (snprintf(renamed, sizeof(renamed), "%s%s", name, path + length) >= (int)sizeof(renamed))
			return -ENAMETOOLONG;
		copy = strdup(renamed);
		if (!copy)
			return -ENOMEM;
		free(fuse->node[i].path);
		fuse->node[i].path = copy;
	}
	return 0;
}

static void fill_attributes(const struct remote_attributes *from, uint64_t id, struct fuse_attr *to)
{
	*to = (struct fuse_attr){
		.ino = id,
		.size = from->size,
		.blocks = (from->size + 511) / 512,
		.atime = from->time,
		.mtime = from->time,
		.ctime = from->time,
		.mode = from->mode,
		.nlink = 1,
		.uid = from->uid,
		.gid = from->gid,
		.blksize = 4096,
	};
}

/* The entry at @path, which the kernel may ask for by its number from now on. Nothing of it is kept by the kernel. */
static int make_entry(struct fuse *fuse, const char *path, struct fuse_entry_out *ret)
{
	struct remote_attributes attributes;
	int result = fuse->remote->ops->stat(fuse->remote, path, &attributes);
	uint64_t id = result ? 0 : remember(fuse, path);

	if (result)
		return result;
	if (!id)
		return -ENOMEM;
	*ret = (struct fuse_entry_out){ .nodeid = id };
	fill_attributes(&attributes, id, &ret->attr);
	return 0;
}

static int answer_entry(const struct request *request, const char *path, int result)
{
	struct fuse_entry_out entry;

	if (!result)
		result = make_entry(request->fuse, path, &entry);
	return answer(request, result, &entry, sizeof(entry));
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* The kernel's own structures are as long as the version of its protocol says; names end with a NUL. */
#define BODY(request, type) ((const struct type *)(request)->body)

static const char *name_in(const struct request *request, size_t offset)
{
	const char *name = (const char *)request->body + offset;

	return request->size > offset && memchr(name, '\0', request->size - offset) ? name : NULL;
}

static int do_init(const struct request *request)
{
	const struct fuse_init_in *in = request->body;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = MINOR,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_ATOMIC_O_TRUNC | FUSE_PARALLEL_DIROPS),
		.max_background = 16,
		.congestion_threshold = 12,
		.max_write = WRITE_MAX,
		.time_gran = 1000000000,
		.max_pages = WRITE_MAX / 4096,
	};

	if (in->minor < MINOR)
		out.minor = in->minor;
	return answer(request, 0, &out, sizeof(out));
}

static int do_lookup(const struct request *request)
{
	const char *name = name_in(request, 0);
	char path[PATH_SIZE];

	if (!name || !child_path(request, request->header->nodeid, name, path))
		return answer_error(request, -ESTALE);
	return answer_entry(request, path, 0);
}

static int do_forget(const struct request *request)
{
	forget(request->fuse, request->header->nodeid, BODY(request, fuse_forget_in)->nlookup);
	return 0;
}

static int do_batch_forget(const struct request *request)
{
	const struct fuse_batch_forget_in *in = request->body;
	const struct fuse_forget_one *one = (const void *)(in + 1);
	size_t count = (request->size - sizeof(*in)) / sizeof(*one), i;

	for (i = 0; i < in->count && i < count; i++)
		forget(request->fuse, one[i].nodeid, one[i].nlookup);
	return 0;
}

static int answer_attributes(const struct request *request)
{
	const char *path = path_of(request->fuse, request->header->nodeid);
	struct remote *remote = request->fuse->remote;
	struct remote_attributes attributes;
	struct fuse_attr_out out = { 0 };
	int result = path ? remote->ops->stat(remote, path, &attributes) : -ESTALE;

	if (!result)
		fill_attributes(&attributes, request->header->nodeid, &out.attr);
	return answer(request, result, &out, sizeof(out));
}

/* Owners and times stay as the server has them. */
static int do_setattr(const struct request *request)
{
	const struct fuse_setattr_in *in = request->body;
	const char *path = path_of(request->fuse, request->header->nodeid);
	struct remote *remote = request->fuse->remote;
	int result = path ? 0 : -ESTALE;

	if (!result && (in->valid & FATTR_SIZE))
		result = remote->ops->truncate(remote, path, in->size);
	if (!result && (in->valid & FATTR_MODE))
		result = remote->ops->chmod(remote, path, in->mode);
	return result ? answer_error(request, result) : answer_attributes(request);
}

static int do_mkdir(const struct request *request)
{
	const char *name = name_in(request, sizeof(struct fuse_mkdir_in));
	struct remote *remote = request->fuse->remote;
	char path[PATH_SIZE];

	if (!name || !child_path(request, request->header->nodeid, name, path))
		return answer_error(request, -ESTALE);
	return answer_entry(request, path, remote->ops->mkdir(remote, path, BODY(request, fuse_mkdir_in)->mode));
}

static unsigned int how_to_open(uint32_t flags)
{
	unsigned int how = 0;

	if ((flags & O_ACCMODE) != O_WRONLY)
		how |= REMOTE_READ;
	if ((flags & O_ACCMODE) != O_RDONLY)
		how |= REMOTE_WRITE;
	how |= flags & O_TRUNC ? REMOTE_TRUNCATE : 0;
	return how;
}

static struct fuse_open_out opened(int file)
{
	return (struct fuse_open_out){ .fh = (uint64_t)file, .open_flags = FOPEN_DIRECT_IO };
}

static int do_create(const struct request *request)
{
	const struct fuse_create_in *in = request->body;
	const char *name = name_in(request, sizeof(*in));
	struct remote *remote = request->fuse->remote;
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;
	char path[PATH_SIZE];
	int file, result;

	if (!name || !child_path(request, request->header->nodeid, name, path))
		return answer_error(request, -ESTALE);
	file = remote->ops->open(remote, path,
				 how_to_open(in->flags) | REMOTE_CREATE | (in->flags & O_EXCL ? REMOTE_EXCLUSIVE : 0),
				 in->mode);
	if (file < 0)
		return answer_error(request, file);
	result = make_entry(request->fuse, path, &out.entry);
	if (result)
		remote->ops->close(remote, file);
	out.open = opened(file);
	return answer(request, result, &out, sizeof(out));
}

static int do_open(const struct request *request)
{
	const char *path = path_of(request->fuse, request->header->nodeid);
	struct remote *remote = request->fuse->remote;
	struct fuse_open_out out;
	int file;

	if (!path)
		return answer_error(request, -ESTALE);
	file = remote->ops->open(remote, path, how_to_open(BODY(request, fuse_open_in)->flags), 0);
	out = opened(file);
	return answer(request, file < 0 ? file : 0, &out, sizeof(out));
}

static int do_read(const struct request *request)
{
	const struct fuse_read_in *in = request->body;
	struct remote *remote = request->fuse->remote;
	size_t size = in->size < ANSWER_MAX ? in->size : ANSWER_MAX;
	ssize_t got = remote->ops->read(remote, (int)in->fh, request->fuse->answer, size, in->offset);

	return answer(request, got < 0 ? (int)got : 0, request->fuse->answer, got < 0 ? 0 : (size_t)got);
}

static int do_write(const struct request *request)
{
	const struct fuse_write_in *in = request->body;
	struct remote *remote = request->fuse->remote;
	struct fuse_write_out out = { .size = in->size };
	int result = -EINVAL;

	if (in->size <= request->size - sizeof(*in))
		result = remote->ops->write(remote, (int)in->fh, in + 1, in->size, in->offset);
	return answer(request, result, &out, sizeof(out));
}

static int do_fsync(const struct request *request)
{
	struct remote *remote = request->fuse->remote;

	return answer_error(request, remote->ops->sync(remote, (int)BODY(request, fuse_fsync_in)->fh));
}

static int do_flush(const struct request *request)
{
	struct remote *remote = request->fuse->remote;
	int file = (int)BODY(request, fuse_flush_in)->fh;

	return answer_error(request, remote->ops->flush ? remote->ops->flush(remote, file) : 0);
}

static int do_release(const struct request *request)
{
	struct remote *remote = request->fuse->remote;

	return answer_error(request, remote->ops->close(remote, (int)BODY(request, fuse_release_in)->fh));
}

/* Nothing is kept, so there is nothing to do. */
static int do_nothing(const struct request *request)
{
	return answer_error(request, 0);
}

static int do_rename(const struct request *request)
{
	bool second = request->header->opcode == FUSE_RENAME2;
	size_t size = second ? sizeof(struct fuse_rename2_in) : sizeof(struct fuse_rename_in);
	const char *old = name_in(request, size), *name = old ? name_in(request, size + strlen(old) + 1) : NULL;
	struct remote *remote = request->fuse->remote;
	char from[PATH_SIZE], to[PATH_SIZE];
	int result;

	if (second && BODY(request, fuse_rename2_in)->flags)
		return answer_error(request, -EINVAL);
	/* Both structures begin with the new directory. */
	if (!name || !child_path(request, request->header->nodeid, old, from) ||
	    !child_path(request, BODY(request, fuse_rename_in)->newdir, name, to))
		return answer_error(request, -ESTALE);
	result = remote->ops->rename(remote, from, to);
	return answer_error(request, result ? result : rename_nodes(request->fuse, from, to));
}

static int do_remove(const struct request *request)
{
	const char *name = name_in(request, 0);
	struct remote *remote = request->fuse->remote;
	char path[PATH_SIZE];

	if (!name || !child_path(request, request->header->nodeid, name, path))
		return answer_error(request, -ESTALE);
	return answer_error(request, request->header->opcode == FUSE_RMDIR ? remote->ops->rmdir(remote, path) :
									     remote->ops->unlink(remote, path));
}

static int do_statfs(const struct request *request)
{
	struct remote *remote = request->fuse->remote;
	struct remote_space space = { 0 };
	struct fuse_statfs_out out = { 0 };
	int result = remote->ops->space(remote, &space);

	out.st = (struct fuse_kstatfs){
		.blocks = space.blocks,
		.bfree = space.free,
		.bavail = space.available,
		.files = space.files,
		.ffree = space.files_free,
		.bsize = (uint32_t)space.block_size,
		.frsize = (uint32_t)space.block_size,
		.namelen = 255,
	};
	return answer(request, result, &out, sizeof(out));
}

/* The names of a directory, as many as fit, from the one that the kernel has not seen yet. */
struct listing {
	unsigned char *data;
	size_t size, used;
	uint64_t seen, number;
};

static int add_name(void *arg, const char *name)
{
	struct listing *listing = arg;
	size_t length = strlen(name), size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
	struct fuse_dirent *entry = (void *)(listing->data + listing->used);

	if (++listing->number <= listing->seen)
		return 0;
	if (size > listing->size - listing->used)
		return -EOVERFLOW; /* the kernel asks again */
	memset(entry, 0, size);
	entry->ino = UINT32_MAX; /* unknown: the kernel looks it up */
	entry->off = listing->number;
	entry->namelen = (uint32_t)length;
	memcpy(entry->name, name, length);
	listing->used += size;
	return 0;
}

static int do_readdir(const struct request *request)
{
	const struct fuse_read_in *in = request->body;
	const char *path = path_of(request->fuse, request->header->nodeid);
	struct remote *remote = request->fuse->remote;
	struct listing listing = {
		.data = request->fuse->answer,
		.size = in->size < ANSWER_MAX ? in->size : ANSWER_MAX,
		.seen = in->offset,
	};
	int result = path ? remote->ops->list(remote, path, add_name, &listing) : -ESTALE;

	if (result == -EOVERFLOW)
		result = 0;
	return answer(request, result, listing.data, listing.used);
}

static int do_opendir(const struct request *request)
{
	struct fuse_open_out out = { 0 };

	return answer(request, 0, &out, sizeof(out));
}

static int do_getattr(const struct request *request)
{
	return answer_attributes(request);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static const struct {
	uint32_t opcode;
	size_t size; /* of the body, at least */
	int (*carry_out)(const struct request *request);
} operations[] = {
	{ FUSE_INIT, 16, do_init }, /* before version 7.36 it is that short */
	{ FUSE_LOOKUP, 1, do_lookup },
	{ FUSE_FORGET, sizeof(struct fuse_forget_in), do_forget },
	{ FUSE_BATCH_FORGET, sizeof(struct fuse_batch_forget_in), do_batch_forget },
	{ FUSE_GETATTR, 0, do_getattr },
	{ FUSE_SETATTR, sizeof(struct fuse_setattr_in), do_setattr },
	{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in), do_mkdir },
	{ FUSE_CREATE, sizeof(struct fuse_create_in), do_create },
	{ FUSE_OPEN, sizeof(struct fuse_open_in), do_open },
	{ FUSE_READ, sizeof(struct fuse_read_in), do_read },
	{ FUSE_WRITE, sizeof(struct fuse_write_in), do_write },
	{ FUSE_FSYNC, sizeof(struct fuse_fsync_in), do_fsync },
	{ FUSE_FLUSH, sizeof(struct fuse_flush_in), do_flush },
	{ FUSE_RELEASE, sizeof(struct fuse_release_in), do_release },
	{ FUSE_OPENDIR, 0, do_opendir },
	{ FUSE_READDIR, sizeof(struct fuse_read_in), do_readdir },
	{ FUSE_RELEASEDIR, 0, do_nothing },
	{ FUSE_FSYNCDIR, 0, do_nothing },
	{ FUSE_RENAME, sizeof(struct fuse_rename_in), do_rename },
	{ FUSE_RENAME2, sizeof(struct fuse_rename2_in), do_rename },
	{ FUSE_UNLINK, 1, do_remove },
	{ FUSE_RMDIR, 1, do_remove },
	{ FUSE_STATFS, 0, do_statfs },
};

static int carry_out(const struct request *request)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		if (operations[i].opcode != request->header->opcode)
			continue;
		if (request->size < operations[i].size)
			return answer_error(request, -EINVAL);
		return operations[i].carry_out(request);
	}
	/* The kernel does not ask again for what does not exist. An interrupted request is answered in any case. */
	return request->header->opcode == FUSE_INTERRUPT ? 0 : answer_error(request, -ENOSYS);
}

static struct kd_error *serve(struct fuse *fuse, unsigned char *buffer)
{
	while (!fuse->remote->ops->is_lost(fuse->remote)) {
		struct request request = { .fuse = fuse, .header = (void *)buffer };
		ssize_t n = read(fuse->fd, buffer, REQUEST_MAX);
		int result;

		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < 0 && errno == ENODEV)
			return NULL; /* unmounted */
		if (n < (ssize_t)sizeof(*request.header))
			return kd_error_os(n < 0 ? errno : EPROTO, "cannot serve the target's file system");
		if (request.header->opcode == FUSE_DESTROY)
			return NULL;
		request.body = buffer + sizeof(*request.header);
		request.size = (size_t)n - sizeof(*request.header);
		result = carry_out(&request);
		if (result)
			return kd_error_os(-result, "the kernel does not take an answer of the target's file system");
	}
	return kd_error_os(ENOTCONN, "the server is lost");
}

struct kd_error *fuse_mount(const char *mount_point, int *ret)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];

	if (fd < 0)
		return kd_error_os(errno, "cannot open /dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("kdump", mount_point, "fuse", MS_NOSUID | MS_NODEV | MS_NOATIME, options) < 0)
		return kd_error_os(errno, "cannot mount %s (fuse)", mount_point);
	*ret = take_fd(fd);
	return NULL;
}

struct kd_error *fuse_serve(int fd, struct remote *remote)
{
	struct fuse fuse = { .fd = fd, .remote = remote, .answer = malloc(ANSWER_MAX) };
	_cleanup_free_ unsigned char *buffer = malloc(REQUEST_MAX);
	struct kd_error *err = NULL;
	size_t i;

	if (!fuse.answer || !buffer || remember(&fuse, "/") != FUSE_ROOT_ID)
		err = kd_error_nomem();
	if (!err)
		err = serve(&fuse, buffer);
	for (i = 0; i < fuse.count; i++)
		free(fuse.node[i].path);
	free(fuse.node);
	free(fuse.answer);
	return err;
}

struct kd_error *fuse_serve_apart(int fd, struct remote *remote, void (*close_remote)(struct remote *remote))
{
	pid_t pid = fork();

	if (pid < 0)
		return kd_error_os(errno, "cannot start the target's file system");
	if (pid == 0) {
		struct kd_error *err;

		setsid();
		err = fuse_serve(fd, remote);
		if (err)
			dprintf(STDERR_FILENO, "kdump: %s\n", err->text);
		close_remote(remote);
		_exit(err ? 1 : 0);
	}
	return NULL;
}
