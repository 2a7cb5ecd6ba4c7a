/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/trust.h"
#include "kdump/dumps/dumps.h"

enum { CHUNK = 1 << 20, BLOCK = 4096, NAMES = 100 };

#define BEGUN "vmcore-incomplete"
#define DRAFT ".kdump-collect" /* no name of a dump, so that half of one never counts */

/* A dump that is being moved. */
struct move {
	struct kd_container *container;
	const char *from;    /* its directory in the container: "/127.0.0.1-2026-…" */
	const char *to_path; /* the directory that gets it, for messages */
	int to;
	char draft[32]; /* its name while it is being filled */
	const struct kd_log *log;
};

/* --- one file ----------------------------------------------------------------------------------------------------- */

/* What is zero stays a hole. */
static int write_runs(int out, const char *data, size_t size, uint64_t offset)
{
	size_t start, end;

	for (start = 0; start < size; start = end + BLOCK) {
		for (end = start; end < size; end += BLOCK)
			if (kd_all_zero(data + end, size - end < BLOCK ? size - end : BLOCK))
				break;
		end = end < size ? end : size;
		if (end > start && kd_pwrite_all(out, data + start, end - start, (off_t)(offset + start)) < 0)
			return -1;
	}
	return 0;
}

static struct kd_error *copy_contents(const struct move *move, int number, int out)
{
	const struct kd_container_file *file = &move->container->file[number];
	_cleanup_free_ char *data = malloc(CHUNK);
	uint64_t offset = 0;

	if (!data)
		return kd_error_nomem();
	while (offset < file->size) {
		ssize_t got = kd_container_read(move->container, number, data, CHUNK, offset);

		if (got <= 0)
			return kd_error_os(got < 0 ? (int)-got : EIO, "cannot read %s", file->path);
		if (write_runs(out, data, (size_t)got, offset) < 0)
			return kd_error_os(errno, "cannot write %s", file->path);
		offset += (uint64_t)got;
	}
	if (ftruncate(out, (off_t)file->size) < 0 || fsync(out) < 0)
		return kd_error_os(errno, "cannot write %s", file->path);
	return NULL;
}

/* Under which name it is kept: a dump that is not what the capture wrote must not pass for a complete one. */
static struct kd_error *judge(const struct move *move, int number, const char **name)
{
	const char *path = move->container->file[number].path;
	uint32_t checked, wrong;
	int errnum = kd_container_check(move->container, number, &checked, &wrong);

	if (errnum)
		return kd_error_os(-errnum, "cannot read %s", path);
	if (!wrong)
		return NULL;
	/* The power may have been cut while the last of it was on its way. */
	if (strstr(*name, "incomplete"))
		return NULL;
	kd_warn(move->log, "%s is damaged: %u of %u parts differ from their checksums", path, wrong, checked);
	if (strcmp(*name, "vmcore") == 0)
		*name = BEGUN;
	return NULL;
}

static struct kd_error *copy_file(const struct move *move, int number, const char *name, int dir)
{
	_cleanup_close_ int out = -1;
	struct kd_error *err = judge(move, number, &name);

	if (err)
		return err;
	out = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return kd_error_os(errno, "cannot create %s", name);
	return copy_contents(move, number, out);
}

/* --- one dump ----------------------------------------------------------------------------------------------------- */

/* The name of file @number if it is a part of the dump; else NULL. */
static const char *part_name(const struct move *move, int number)
{
	const char *name = kd_container_name_in(move->container, number, move->from);

	/* What was cut off before anything was written to it says less than the log alone. */
	if (!name || strcmp(name, "reserved-for-report") == 0 ||
	    (strcmp(name, BEGUN) == 0 && !move->container->file[number].size))
		return NULL;
	return name;
}

static uint64_t bytes_of(const struct move *move)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < move->container->label.unit_count; i++) {
		const struct kd_container_unit *unit = &move->container->unit[i];

		if (unit->owner && kd_container_name_in(move->container, unit->owner - 1, move->from))
			bytes += unit->filled;
	}
	return bytes;
}

static struct kd_error *check_space(const struct move *move)
{
	uint64_t bytes = bytes_of(move) + KD_MIB(1);
	struct statvfs fs;

	if (fstatvfs(move->to, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= bytes)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "%" PRIu64 " MiB are needed in %s and %" PRIu64
			       " MiB are free: remove old dumps (kdumpctl list, "
			       "remove), then \"systemctl restart kdump-collect\"",
			       kd_mib_up(bytes), move->to_path, (uint64_t)fs.f_bavail * fs.f_frsize >> 20);
}

/* Remove what an attempt that was cut off has left. It has files only. What others have put there is theirs. */
static void remove_draft(const struct move *move)
{
	_cleanup_close_ int fd = openat(move->to, move->draft, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0 || kd_error_discard(kd_trust(move->draft, fd)) || !(dir = fdopendir(fd)))
		return;
	take_fd(fd);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	unlinkat(move->to, move->draft, AT_REMOVEDIR);
}

/* Where everybody can make files, somebody may have taken the name. */
static struct kd_error *make_draft(struct move *move)
{
	unsigned int number = 0;

	strcpy(move->draft, DRAFT);
	remove_draft(move);
	for (unsigned int i = 0; i < NAMES; i++) {
		if (mkdirat(move->to, move->draft, 0700) == 0)
			return NULL;
		if (errno != EEXIST)
			break;
		number = kd_next_number(number);
		snprintf(move->draft, sizeof(move->draft), DRAFT "-%u", number);
	}
	return kd_error_os(errno, "cannot create %s/%s", move->to_path, move->draft);
}

static struct kd_error *fill_draft(struct move *move)
{
	_cleanup_close_ int dir = -1;
	struct kd_error *err = make_draft(move);

	if (err)
		return err;
	dir = openat(move->to, move->draft, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return kd_error_os(errno, "cannot open %s/%s", move->to_path, move->draft);
	for (int i = 0; i < KD_CONTAINER_FILES && !err; i++) {
		const char *name = part_name(move, i);

		if (name)
			err = copy_file(move, i, name, dir);
	}
	if (!err && fsync(dir) < 0)
		err = kd_error_os(errno, "cannot sync %s/%s", move->to_path, move->draft);
	return err;
}

/* Give the draft the name of the dump; another of that name stays. */
static struct kd_error *publish_draft(const struct move *move)
{
	unsigned int suffix = 0;

	for (unsigned int i = 0; i < NAMES; i++) {
		char name[KD_CONTAINER_PATH + 12];

		snprintf(name, sizeof(name), suffix ? "%s-%u" : "%s", move->from + 1, suffix);
		if (renameat2(move->to, move->draft, move->to, name, RENAME_NOREPLACE) == 0) {
			if (fsync(move->to) < 0)
				return kd_error_os(errno, "cannot sync %s", move->to_path);
			return NULL;
		}
		if (errno != EEXIST)
			break;
		suffix = kd_next_number(suffix);
	}
	return kd_error_os(errno, "cannot create %s/%s", move->to_path, move->from + 1);
}

static bool has_files(const struct move *move)
{
	for (int i = 0; i < KD_CONTAINER_FILES; i++)
		if (part_name(move, i))
			return true;
	return false;
}

static struct kd_error *forget(const struct move *move, int directory)
{
	int errnum;

	for (int i = 0; i < KD_CONTAINER_FILES; i++)
		if (kd_container_name_in(move->container, i, move->from))
			kd_container_remove(move->container, i);
	kd_container_remove(move->container, directory);
	errnum = kd_container_commit(move->container);
	return errnum ? kd_error_os(-errnum, "cannot clear the container") : NULL;
}

static struct kd_error *move_dump(struct move *move, int directory)
{
	struct kd_error *err = NULL;

	if (has_files(move)) {
		err = check_space(move);
		if (!err)
			err = fill_draft(move);
		if (!err)
			err = publish_draft(move);
		if (err) {
			remove_draft(move);
			return err;
		}
	}
	return forget(move, directory);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* A directory, of a dump that is moved now. The path is a copy: the row goes with the dump. */
static struct kd_error *move_directory(struct move *move, int number, unsigned int *moved)
{
	char from[KD_CONTAINER_PATH];
	struct kd_error *err;
	int64_t when;

	strcpy(from, move->container->file[number].path);
	move->from = from;
	if (!dump_time_of_name(from + 1, &when)) {
		kd_warn(move->log, "%s is not the name of a dump: it stays where it is", from);
		return NULL;
	}
	err = move_dump(move, number);
	*moved += !err;
	return kd_error_wrap(err, "dump %s", from + 1);
}

struct kd_error *waiting_collect(struct held *held, const char *directory, const struct kd_log *log,
				 unsigned int *moved)
{
	struct move move = { .container = held->container, .to_path = directory, .to = -1, .log = log };
	struct kd_error *err = kd_mkdir_p(directory, 0755);
	_cleanup_close_ int to = -1;
	struct stat st;

	*moved = 0;
	if (!err && ((to = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fstat(to, &st) < 0))
		err = kd_error_os(errno, "cannot open %s", directory);
	/* Somebody could put a dump where half of one is removed. */
	if (!err && kd_is_exchangeable(&st))
		err = kd_error_create(
			KD_ERR_STATE,
			"others than root can rename the dumps in %s; run \"chown root\" and \"chmod +t\" on that "
			"directory",
			directory);
	move.to = to;
	for (int i = 0; i < KD_CONTAINER_FILES && !err; i++)
		if (S_ISDIR(held->container->file[i].mode))
			err = move_directory(&move, i, moved);
	return kd_error_wrap(err, "%s", held->name);
}
