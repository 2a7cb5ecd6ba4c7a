/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/mounts.h"

#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

DEFINE_CLEANUP(struct libmnt_table *, mnt_unref_table)
DEFINE_CLEANUP(struct libmnt_iter *, mnt_free_iter)

static bool has_option(const char *options, const char *name)
{
	return options && mnt_optstr_get_option(options, name, NULL, NULL) == 0;
}

static char *copy(const char *text, const char *otherwise)
{
	return strdup(text ? text : otherwise);
}

static bool copy_entry(struct libmnt_fs *fs, struct mount *ret)
{
	const char *vfs = mnt_fs_get_vfs_options(fs), *super = mnt_fs_get_fs_options(fs);

	*ret = (struct mount){
		.id = mnt_fs_get_id(fs),
		.parent = mnt_fs_get_parent_id(fs),
		.number = mnt_fs_get_devno(fs),
		.root = copy(mnt_fs_get_root(fs), "/"),
		.mount_point = copy(mnt_fs_get_target(fs), ""),
		.type = copy(mnt_fs_get_fstype(fs), ""),
		.source = copy(mnt_fs_get_source(fs), ""),
		.options = copy(mnt_fs_get_options(fs), ""),
		.read_only = has_option(vfs, "ro") || has_option(super, "ro"),
	};
	return ret->root && ret->mount_point && ret->type && ret->source && ret->options;
}

static struct kd_error *copy_table(struct libmnt_table *table, struct mounts *ret)
{
	_cleanup_(mnt_free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	int entries = mnt_table_get_nents(table);
	struct libmnt_fs *fs;

	mounts.mount = calloc(entries > 0 ? entries : 1, sizeof(*mounts.mount));
	if (!iter || !mounts.mount)
		return kd_error_nomem();
	while (mounts.count < (size_t)entries && mnt_table_next_fs(table, iter, &fs) == 0)
		if (!copy_entry(fs, &mounts.mount[mounts.count++]))
			return kd_error_nomem();
	*ret = mounts;
	mounts = (struct mounts){ 0 };
	return NULL;
}

/* libmount skips a line that it cannot read if this returns 1. One bad line must not cost the dump. */
static int skip_line(struct libmnt_table *table, const char *file, int line)
{
	return 1;
}

static struct kd_error *load(const struct kd_sysroot *root, const char *path, struct mounts *ret)
{
	_cleanup_(mnt_unref_table) struct libmnt_table *table = mnt_new_table();
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	struct kd_error *err;
	size_t size;

	if (!table)
		return kd_error_nomem();
	err = kd_sysroot_read(root, path, &text, &size);
	if (err)
		return err;
	mnt_table_set_parser_errcb(table, skip_line);
	if (size) {
		file = fmemopen(text, size, "r");
		if (!file)
			return kd_error_os(errno, "cannot read %s%s", root->prefix, path);
		if (mnt_table_parse_stream(table, file, path))
			return kd_error_create(KD_ERR_FORMAT, "%s%s is malformed", root->prefix, path);
	}
	return copy_table(table, ret);
}

struct kd_error *mounts_load(const struct kd_sysroot *root, struct mounts *ret)
{
	return load(root, "/proc/self/mountinfo", ret);
}

struct kd_error *mounts_load_system(const struct kd_sysroot *root, struct mounts *ret)
{
	struct kd_error *err = load(root, "/proc/1/mountinfo", ret);

	if (!err || kd_sysroot_is_live(root) || err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	return mounts_load(root, ret);
}

struct kd_error *mounts_load_fstab(const struct kd_sysroot *root, struct mounts *ret)
{
	struct kd_error *err = load(root, "/etc/fstab", ret);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		*ret = (struct mounts){ 0 };
		return NULL;
	}
	return err;
}

void mounts_free(struct mounts *mounts)
{
	size_t i;

	for (i = 0; i < mounts->count; i++) {
		free(mounts->mount[i].root);
		free(mounts->mount[i].mount_point);
		free(mounts->mount[i].type);
		free(mounts->mount[i].source);
		free(mounts->mount[i].options);
	}
	free(mounts->mount);
	*mounts = (struct mounts){ 0 };
}

const char *path_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	while (length && dir[length - 1] == '/')
		length--;
	if (strncmp(path, dir, length) != 0 || (path[length] && path[length] != '/'))
		return NULL;
	path += length;
	return strcmp(path, "/") != 0 ? path : "";
}

char *path_join(const char *dir, const char *rest)
{
	int length = strlen(dir);
	char *path;

	while (length && dir[length - 1] == '/')
		length--;
	while (*rest == '/')
		rest++;
	if (asprintf(&path, "%.*s%s%s", length, dir, *rest || !length ? "/" : "", rest) < 0)
		return NULL;
	return path;
}

/* The mount at the top of the table: its parent is outside of the table, or it is its own parent. */
static const struct mount *find_top(const struct mounts *mounts)
{
	size_t i, k;

	for (i = 0; i < mounts->count; i++) {
		const struct mount *mount = &mounts->mount[i];

		if (strcmp(mount->mount_point, "/") != 0)
			continue;
		for (k = 0; k < mounts->count; k++)
			if (mounts->mount[k].id == mount->parent && k != i)
				break;
		if (k == mounts->count)
			return mount;
	}
	return NULL;
}

/* Every mount of every namespace has an identifier of its own (Linux fs/namespace.c, mnt_alloc_id()). */
bool mounts_are_private(const struct kd_sysroot *root)
{
	_cleanup_(mounts_free) struct mounts own = { 0 }, system = { 0 };
	const struct mount *own_top, *system_top;

	if (kd_error_discard(mounts_load(root, &own)) || kd_error_discard(mounts_load_system(root, &system)))
		return false;
	own_top = find_top(&own);
	system_top = find_top(&system);
	return own_top && system_top && own_top->id != system_top->id;
}

/* The first mount on @parent that a walk along @path meets. */
static const struct mount *find_child(const struct mounts *mounts, const struct mount *parent, const char *path)
{
	const struct mount *found = NULL;
	size_t i;

	for (i = 0; i < mounts->count; i++) {
		const struct mount *mount = &mounts->mount[i];

		if (mount != parent && mount->parent == parent->id && path_below(path, mount->mount_point) &&
		    (!found || strlen(mount->mount_point) < strlen(found->mount_point)))
			found = mount;
	}
	return found;
}

const struct mount *mounts_find(const struct mounts *mounts, const char *path)
{
	const struct mount *found = find_top(mounts), *next;
	size_t steps;

	/* No real table has a loop; the bound keeps a bad one from being followed forever. */
	for (steps = 0; found && steps < mounts->count; steps++, found = next) {
		next = find_child(mounts, found, path);
		if (!next)
			break;
	}
	return found;
}
