/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/container.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "capture/remote/fuse.h"

enum {
	WINDOW = 2 << 20,      /* bytes that wait for the device, twice */
	COMMIT_MIN = 1 << 20,  /* bytes of data that a power cut, or a device that fails, costs at least … */
	COMMIT_MAX = 32 << 20, /* … and at most; between them, a fifth of what was written */
	SEAL = 64 << 20,       /* bytes that are read again for the checksums of a finished file */
	BLOCK = 4096,
};

/* A part of the device that was written, and may not be on it yet. */
struct window {
	off_t start, end;
	uint64_t written;
};

struct store {
	struct remote remote;
	struct kd_container *container;
	int fd;
	uint32_t next_unit; /* where the search for a free one begins */
	uint32_t free_units;
	unsigned int open_count[KD_CONTAINER_FILES];
	bool changed;                    /* the table differs from the one on the device */
	int failed;                      /* the first errno of the device: what it has lost is not known */
	uint64_t committed, uncommitted; /* bytes of data that the table on the device knows, and that it does not */
	struct window now, before;
};

static struct store *store_of(struct remote *remote)
{
	return (struct store *)remote;
}

/* --- the device --------------------------------------------------------------------------------------------------- */

static void flush_window(struct store *store, const struct window *window, unsigned int how)
{
	off_t size = window->end - window->start;

	if (!window->written)
		return;
	/* Not every file has it, and what it finds out fdatasync(2) finds out as well. */
	(void)!sync_file_range(store->fd, window->start, size, how);
	if (how & SYNC_FILE_RANGE_WAIT_AFTER)
		posix_fadvise(store->fd, window->start, size, POSIX_FADV_DONTNEED);
}

/* The memory of a capture kernel is small: while the device writes one part, the next one is collected. */
static void turn_window(struct store *store)
{
	flush_window(store, &store->before,
		     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	flush_window(store, &store->now, SYNC_FILE_RANGE_WRITE);
	store->before = store->now;
	store->now = (struct window){ 0 };
}

static void note_written(struct store *store, uint64_t offset, size_t size)
{
	struct window *window = &store->now;
	uint64_t at;

	if (!kd_extents_map(store->container->place.extents, offset, &at))
		return;
	if (!window->written || (off_t)at < window->start)
		window->start = (off_t)at;
	if (!window->written || (off_t)(at + size) > window->end)
		window->end = (off_t)(at + size);
	window->written += size;
	if (window->written >= WINDOW)
		turn_window(store);
}

static int put(struct store *store, const void *data, size_t size, uint64_t offset)
{
	int result = kd_container_pwrite(&store->container->place, data, size, offset);

	if (result)
		store->failed = result;
	else
		note_written(store, offset, size);
	return result;
}

static int commit(struct store *store)
{
	int result = store->failed;

	if (result || !store->changed)
		return result;
	result = kd_container_commit(store->container);
	if (result && result != -ENOMEM)
		store->failed = result;
	if (!result) {
		store->changed = false;
		store->committed += store->uncommitted;
		store->uncommitted = 0;
	}
	return result;
}

/* A table costs a write and waits for the device: the more there is to lose, the fewer of them. */
static bool is_due(const struct store *store)
{
	uint64_t share = store->committed / 4;

	return store->uncommitted >= COMMIT_MAX || store->uncommitted >= (share > COMMIT_MIN ? share : COMMIT_MIN);
}

static int change(struct store *store)
{
	store->changed = true;
	return commit(store);
}

/* --- units -------------------------------------------------------------------------------------------------------- */

/* Does the file have to leave room for logs? A dump does. */
static bool is_dump(const struct kd_container_file *file)
{
	const char *name = strrchr(file->path, '/');

	return name && kd_starts_with(name + 1, "vmcore") && !strstr(name, ".txt");
}

static struct kd_container_unit *take_unit(struct store *store, int number, uint32_t index)
{
	struct kd_container *container = store->container;
	const struct kd_container_label *label = &container->label;
	uint32_t needed = is_dump(&container->file[number]) ? kd_container_log_units(label) : 0;

	if (store->free_units <= needed)
		return NULL;
	while (container->unit[store->next_unit % label->unit_count].owner)
		store->next_unit++;
	store->next_unit %= label->unit_count;
	kd_container_link(container, &container->unit[store->next_unit], number, index);
	store->free_units--;
	return &container->unit[store->next_unit];
}

static void free_unit(struct store *store, struct kd_container_unit *unit)
{
	kd_container_unlink(store->container, unit);
	store->free_units++;
}

static void free_units(struct store *store, int number, uint32_t from)
{
	struct kd_container *container = store->container;

	for (uint32_t i = 0; i < container->label.unit_count; i++)
		if (container->unit[i].owner == number + 1 && container->unit[i].index >= from)
			free_unit(store, &container->unit[i]);
}

/* Behind what was written of a unit lies what the device held before. */
static int append(struct store *store, struct kd_container_unit *unit, const void *data, size_t size)
{
	int result = put(store, data, size, kd_container_unit_offset(store->container, unit) + unit->filled);

	if (result)
		return result;
	if (!unit->filled)
		unit->flags |= KD_CONTAINER_SUMMED;
	unit->checksum = kd_container_sum(unit->checksum, data, size);
	unit->filled += (uint32_t)size;
	return 0;
}

static int append_zeros(struct store *store, struct kd_container_unit *unit, uint32_t until)
{
	static unsigned char zeros[16 * BLOCK]; /* not const, which would put them into the file */
	int result = 0;

	while (!result && unit->filled < until) {
		uint32_t left = until - unit->filled;

		result = append(store, unit, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
	}
	return result;
}

static int write_unit(struct store *store, struct kd_container_unit *unit, const char *data, size_t size,
		      uint32_t inside)
{
	size_t over = 0;
	int result = append_zeros(store, unit, inside);

	if (!result && inside < unit->filled) {
		over = unit->filled - inside < size ? unit->filled - inside : size;
		unit->flags &= (uint16_t)~KD_CONTAINER_SUMMED;
		result = put(store, data, over, kd_container_unit_offset(store->container, unit) + inside);
	}
	return result || over == size ? result : append(store, unit, data + over, size - over);
}

/* A finished file gets the checksums that were lost when something was written over. */
static int seal(struct store *store, int number)
{
	struct kd_container *container = store->container;
	uint64_t read = 0;

	for (uint32_t i = 0; i < container->label.unit_count && read < SEAL; i++) {
		struct kd_container_unit *unit = &container->unit[i];
		int result;

		if (unit->owner != number + 1 || unit->flags & KD_CONTAINER_SUMMED)
			continue;
		result = kd_container_sum_unit(container, unit, &unit->checksum);
		if (result)
			return result;
		unit->flags |= KD_CONTAINER_SUMMED;
		read += unit->filled;
	}
	return 0;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void touch(struct kd_container_file *file)
{
	file->time = (uint64_t)time(NULL);
}

/* The open file of that number; NULL: it is not open, or was removed. */
static struct kd_container_file *open_file(struct store *store, int number)
{
	if (number < 0 || number >= KD_CONTAINER_FILES || !store->open_count[number] ||
	    !*store->container->file[number].path)
		return NULL;
	return &store->container->file[number];
}

static int fill_attributes(const struct kd_container_file *file, struct remote_attributes *ret)
{
	*ret = (struct remote_attributes){ .size = file->size, .mode = file->mode, .time = file->time };
	return 0;
}

static int do_stat(struct remote *remote, const char *path, struct remote_attributes *ret)
{
	const struct kd_container *container = store_of(remote)->container;
	int number = kd_container_find(container, path);

	if (strcmp(path, "/") == 0)
		return fill_attributes(&(struct kd_container_file){ .mode = S_IFDIR | 0700 }, ret);
	return number < 0 ? number : fill_attributes(&container->file[number], ret);
}

/* The container has directories of files, and no more. */
static int check_new_path(const struct kd_container *container, const char *path, uint32_t type)
{
	const char *slash = strrchr(path, '/');
	char parent[KD_CONTAINER_PATH];
	int number;

	if (strlen(path) >= KD_CONTAINER_PATH)
		return -ENAMETOOLONG;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return -EINVAL;
	if (slash == path)
		return 0;
	memcpy(parent, path, slash - path);
	parent[slash - path] = '\0';
	number = kd_container_find(container, parent);
	if (number < 0)
		return number;
	return S_ISDIR(container->file[number].mode) && type != S_IFDIR ? 0 : -EPERM;
}

static int make_file(struct store *store, const char *path, uint32_t type, mode_t mode)
{
	struct kd_container *container = store->container;
	int result = check_new_path(container, path, type);

	for (int i = 0; !result && i < KD_CONTAINER_FILES; i++) {
		struct kd_container_file *file = &container->file[i];

		if (*file->path || store->open_count[i])
			continue;
		*file = (struct kd_container_file){ .mode = type | (mode & 07777) };
		strcpy(file->path, path);
		touch(file);
		result = change(store);
		return result ? result : i;
	}
	return result ? result : -ENOSPC;
}

static int resize(struct store *store, int number, uint64_t size)
{
	struct kd_container *container = store->container;
	struct kd_container_file *file = &container->file[number];
	uint64_t unit_size = container->label.unit_size, from = (size + unit_size - 1) / unit_size;
	struct kd_container_unit *last;

	if (size > INT64_MAX)
		return -EFBIG;
	if (size < file->size && from <= UINT32_MAX) {
		free_units(store, number, (uint32_t)from);
		last = size % unit_size ? kd_container_unit_of(container, number, (uint32_t)(from - 1)) : NULL;
		if (last && last->filled > size % unit_size) {
			last->filled = (uint32_t)(size % unit_size);
			last->flags &= (uint16_t)~KD_CONTAINER_SUMMED;
		}
	}
	file->size = size;
	touch(file);
	return change(store);
}

static int do_open(struct remote *remote, const char *path, unsigned int how, mode_t mode)
{
	struct store *store = store_of(remote);
	int number = kd_container_find(store->container, path), result = 0;

	if (number >= 0 && (how & REMOTE_CREATE) && (how & REMOTE_EXCLUSIVE))
		return -EEXIST;
	if (number < 0 && (how & REMOTE_CREATE))
		number = make_file(store, path, S_IFREG, mode);
	if (number < 0)
		return number;
	if (S_ISDIR(store->container->file[number].mode))
		return -EISDIR;
	if (how & REMOTE_TRUNCATE && store->container->file[number].size)
		result = resize(store, number, 0);
	if (result)
		return result;
	store->open_count[number]++;
	return number;
}

static ssize_t do_read(struct remote *remote, int number, void *data, size_t size, uint64_t offset)
{
	struct store *store = store_of(remote);

	return open_file(store, number) ? kd_container_read(store->container, number, data, size, offset) : -EBADF;
}

/* As much of it as lies in one unit. */
static int write_piece(struct store *store, int number, const char *data, size_t size, uint64_t offset)
{
	struct kd_container *container = store->container;
	struct kd_container_file *file = &container->file[number];
	uint32_t unit_size = container->label.unit_size, index = (uint32_t)(offset / unit_size);
	struct kd_container_unit *unit = kd_container_unit_of(container, number, index);
	int result;

	store->changed = true;
	if (offset / unit_size > UINT32_MAX)
		return -EFBIG;
	if (!unit)
		unit = take_unit(store, number, index);
	if (!unit)
		return -ENOSPC;
	result = write_unit(store, unit, data, size, (uint32_t)(offset % unit_size));
	/* Zeros may have been written before it failed. */
	if ((uint64_t)index * unit_size + unit->filled > file->size)
		file->size = (uint64_t)index * unit_size + unit->filled;
	if (!unit->filled)
		free_unit(store, unit);
	return result;
}

static int do_write(struct remote *remote, int number, const void *data, size_t size, uint64_t offset)
{
	struct store *store = store_of(remote);
	struct kd_container_file *file = open_file(store, number);
	int result = file ? store->failed : -EBADF;

	if (!result && (offset > INT64_MAX || size > INT64_MAX - offset))
		result = -EFBIG;
	for (size_t done = 0, piece; !result && done < size; done += piece) {
		uint64_t at = offset + done, room = store->container->label.unit_size;

		room -= at % room;
		piece = room < size - done ? room : size - done;
		result = write_piece(store, number, (const char *)data + done, piece, at);
	}
	if (result)
		return result;
	touch(file);
	store->uncommitted += size;
	return is_due(store) ? commit(store) : 0;
}

static int do_sync(struct remote *remote, int number)
{
	struct store *store = store_of(remote);

	/* What was written over has no part in the table. */
	store->changed = true;
	return open_file(store, number) ? commit(store) : -EBADF;
}

static int do_flush(struct remote *remote, int number)
{
	struct store *store = store_of(remote);

	return open_file(store, number) ? commit(store) : -EBADF;
}

static int do_close(struct remote *remote, int number)
{
	struct store *store = store_of(remote);

	if (number < 0 || number >= KD_CONTAINER_FILES || !store->open_count[number])
		return -EBADF;
	store->open_count[number]--;
	return 0;
}

static int do_truncate(struct remote *remote, const char *path, uint64_t size)
{
	struct store *store = store_of(remote);
	int number = kd_container_find(store->container, path);

	if (number < 0)
		return number;
	return S_ISDIR(store->container->file[number].mode) ? -EISDIR : resize(store, number, size);
}

static int do_chmod(struct remote *remote, const char *path, mode_t mode)
{
	struct store *store = store_of(remote);
	int number = kd_container_find(store->container, path);

	if (number < 0)
		return number;
	store->container->file[number].mode &= S_IFMT;
	store->container->file[number].mode |= mode & 07777;
	return change(store);
}

static int do_mkdir(struct remote *remote, const char *path, mode_t mode)
{
	int number = kd_container_find(store_of(remote)->container, path);

	if (number >= 0 || strcmp(path, "/") == 0)
		return -EEXIST;
	number = make_file(store_of(remote), path, S_IFDIR, mode);
	return number < 0 ? number : 0;
}

static bool has_entries(const struct kd_container *container, const char *path)
{
	for (int i = 0; i < KD_CONTAINER_FILES; i++)
		if (kd_container_name_in(container, i, path))
			return true;
	return false;
}

static void remove_file(struct store *store, int number)
{
	free_units(store, number, 0);
	kd_container_remove(store->container, number);
}

static int do_rename(struct remote *remote, const char *from, const char *to)
{
	struct store *store = store_of(remote);
	struct kd_container *container = store->container;
	int number = kd_container_find(container, from), replaced = kd_container_find(container, to), result;

	if (number < 0)
		return number;
	if (number == replaced)
		return 0;
	result = check_new_path(container, to, container->file[number].mode & S_IFMT);
	if (!result && S_ISDIR(container->file[number].mode))
		result = has_entries(container, from) || replaced >= 0 ? -ENOTEMPTY : 0;
	if (!result && replaced >= 0 && S_ISDIR(container->file[replaced].mode))
		result = -EISDIR;
	if (!result && S_ISREG(container->file[number].mode))
		result = seal(store, number);
	if (result)
		return result;
	if (replaced >= 0)
		remove_file(store, replaced);
	strcpy(container->file[number].path, to);
	return change(store);
}

static int do_unlink(struct remote *remote, const char *path)
{
	struct store *store = store_of(remote);
	int number = kd_container_find(store->container, path);

	if (number < 0)
		return number;
	if (S_ISDIR(store->container->file[number].mode))
		return -EISDIR;
	remove_file(store, number);
	/* What gets the units next must not be read as the file that was there. */
	return change(store);
}

static int do_rmdir(struct remote *remote, const char *path)
{
	struct store *store = store_of(remote);
	int number = kd_container_find(store->container, path);

	if (number < 0)
		return number;
	if (!S_ISDIR(store->container->file[number].mode))
		return -ENOTDIR;
	if (has_entries(store->container, path))
		return -ENOTEMPTY;
	remove_file(store, number);
	return change(store);
}

static int do_list(struct remote *remote, const char *path, int (*entry)(void *arg, const char *name), void *arg)
{
	const struct kd_container *container = store_of(remote)->container;
	int result = 0;

	for (int i = 0; !result && i < KD_CONTAINER_FILES; i++) {
		const char *name = kd_container_name_in(container, i, path);

		if (name)
			result = entry(arg, name);
	}
	return result;
}

static int do_space(struct remote *remote, struct remote_space *ret)
{
	const struct store *store = store_of(remote);
	const struct kd_container_label *label = &store->container->label;
	uint64_t blocks = label->unit_size / BLOCK;
	uint32_t logs = kd_container_log_units(label), files = 0;

	for (int i = 0; i < KD_CONTAINER_FILES; i++)
		files += !*store->container->file[i].path;
	*ret = (struct remote_space){
		.block_size = BLOCK,
		.blocks = label->unit_count * blocks,
		.free = store->free_units * blocks,
		.available = store->free_units > logs ? (store->free_units - logs) * blocks : 0,
		.files = KD_CONTAINER_FILES,
		.files_free = files,
	};
	return 0;
}

/* A device that fails in one place may well take the log in another. */
static bool is_lost(const struct remote *remote)
{
	return false;
}

static const struct remote_ops ops = {
	.stat = do_stat,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.sync = do_sync,
	.flush = do_flush,
	.close = do_close,
	.truncate = do_truncate,
	.chmod = do_chmod,
	.mkdir = do_mkdir,
	.rename = do_rename,
	.unlink = do_unlink,
	.rmdir = do_rmdir,
	.list = do_list,
	.space = do_space,
	.is_lost = is_lost,
};

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static struct kd_error *check_uuid(const struct kd_container *container, const char *uuid)
{
	char found[KD_CONTAINER_UUID_TEXT];

	kd_container_uuid_text(container->label.uuid, found);
	if (strcmp(found, uuid) == 0)
		return NULL;
	return kd_error_create(KD_ERR_STATE, "container %s is there, not %s: nothing is written", found, uuid);
}

static void count_free(struct store *store)
{
	const struct kd_container *container = store->container;

	for (uint32_t i = 0; i < container->label.unit_count; i++)
		store->free_units += !container->unit[i].owner;
}

struct kd_error *container_open(const char *node, const struct kd_extents *extents, const char *uuid,
				struct remote **ret)
{
	struct store *store = calloc(1, sizeof(*store));
	struct kd_container_place place = { .fd = open(node, O_RDWR | O_CLOEXEC), .extents = extents };
	struct kd_error *err = NULL;

	if (!store || place.fd < 0) {
		err = store ? kd_error_os(errno, "cannot open %s", node) : kd_error_nomem();
		free(store);
		if (place.fd >= 0)
			close(place.fd);
		return err;
	}
	store->remote.ops = &ops;
	store->fd = place.fd;
	err = kd_container_open(&place, &store->container);
	if (!err)
		err = check_uuid(store->container, uuid);
	if (err) {
		container_close(&store->remote);
		return kd_error_wrap(err, "%s", node);
	}
	count_free(store);
	*ret = &store->remote;
	return NULL;
}

void container_close(struct remote *remote)
{
	struct store *store = remote ? store_of(remote) : NULL;

	if (!store)
		return;
	if (store->changed)
		(void)commit(store);
	kd_container_close(store->container);
	close(store->fd);
	free(store);
}

struct kd_error *container_mount(const char *node, const char *device, const char *extents_text,
				 const char *mount_point)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *uuid = NULL;
	_cleanup_close_ int fd = -1;
	struct remote *remote = NULL;
	struct kd_error *err = kd_device_spec_parse(device, &spec);

	if (!err)
		err = kd_extents_parse(extents_text, &extents);
	if (!err)
		err = kd_device_container(&spec, &uuid, &(uint64_t){ 0 });
	if (!err)
		err = container_open(node, &extents, uuid, &remote);
	if (!err)
		err = fuse_mount(mount_point, &fd);
	if (!err)
		err = fuse_serve_apart(fd, remote, container_close);
	container_close(remote);
	return err;
}
