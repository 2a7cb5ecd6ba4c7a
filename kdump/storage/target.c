/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/target.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/block.h"
#include "base/parse.h"
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/storage/block.h"
#include "kdump/storage/mounts.h"

/* Why other file systems cannot take a dump. */
static const struct {
	const char *type, *why;
} refused[] = {
	{ "overlay", "combines directories of other file systems (a container or a live system)" },
	{ "tmpfs", "lies in memory, which the reboot erases" },
	{ "ramfs", "lies in memory, which the reboot erases" },
	{ "rootfs", "lies in memory, which the reboot erases" },
	{ "squashfs", "is read-only" },
	{ "nfs", "is on the network, and network targets are not implemented yet" },
	{ "nfs4", "is on the network, and network targets are not implemented yet" },
	{ "cifs", "is on the network, and network targets are not implemented yet" },
	{ "zfs", "is not part of the kernel" },
};

#define REMEDY "let \"path\" lead to a disk with " KD_TARGET_RECOMMENDED ", or name one, for example \"ext4 UUID=…\""

static struct kd_error *refuse_fs(const struct target_request *request, const struct mount *mount)
{
	const char *why = "is not a file system that the capture can mount";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		if (strcmp(mount->type, refused[i].type) == 0)
			why = refused[i].why;
	return kd_error_create(KD_ERR_UNSUPPORTED, "path %s lies on %s (mounted at %s), which %s: %s: " REMEDY,
			       request->path, mount->type, mount->mount_point, why, request->file);
}

static bool is_directory(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

/* Follow the links of the path. The default directory may be missing, since kdumpctl creates it: then its parent is
 * resolved. */
static struct kd_error *resolve_path(const struct kd_sysroot *root, const struct target_request *request, char **ret)
{
	_cleanup_free_ char *parent = NULL, *real = NULL;
	struct kd_error *err = kd_sysroot_realpath(root, request->path, ret);

	if (!err || err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	if (strcmp(request->path, TARGET_DEFAULT_PATH) != 0)
		return kd_error_create(KD_ERR_NOT_FOUND, "path %s (%s) does not exist: \"mkdir -p %s\" creates it",
				       request->path, request->file, request->path);
	parent = strndup(request->path, strrchr(request->path, '/') - request->path);
	if (!parent)
		return kd_error_nomem();
	err = kd_sysroot_realpath(root, parent, &real);
	if (err)
		return err;
	*ret = path_join(real, strrchr(request->path, '/'));
	return *ret ? NULL : kd_error_nomem();
}

/* The node of the mounted device. The source tells it where the device number does not (btrfs). */
static struct kd_error *node_of_mount(const struct kd_sysroot *root, const struct mount *mount, char **ret)
{
	struct kd_error *err;

	if (major(mount->number)) {
		err = block_by_number(root, mount->number, ret);
		if (!err)
			return NULL;
		kd_error_destroy(err);
	}
	return kd_error_wrap(kd_block_find(root, mount->source, ret), "device mounted at %s", mount->mount_point);
}

/* The configuration names no target: take the file system that contains the path. */
static struct kd_error *resolve_by_path(const struct kd_sysroot *root, const struct target_request *request,
					const struct mounts *mounts, struct target *target)
{
	_cleanup_free_ char *path = NULL;
	const struct mount *mount;
	const struct kd_target_type *type;
	struct kd_error *err;

	err = resolve_path(root, request, &path);
	if (err)
		return err;
	mount = mounts_find(mounts, path);
	if (!mount)
		return kd_error_create(KD_ERR_NOT_FOUND, "no mount contains path %s: " REMEDY, request->path);
	type = kd_target_type_find(mount->type);
	if (!type)
		return refuse_fs(request, mount);
	if (mount->read_only)
		return kd_error_create(KD_ERR_STATE,
				       "path %s lies on %s, which is mounted read-only at %s: "
				       "\"mount -o remount,rw %s\", or choose another path or target in %s",
				       request->path, mount->source, mount->mount_point, mount->mount_point,
				       request->file);
	err = type->source == KD_TARGET_TAG ? kd_set_text(&target->device, mount->source) :
					      node_of_mount(root, mount, &target->node);
	if (!err)
		err = kd_set_text(&target->type, mount->type);
	if (!err)
		err = kd_set_text(&target->options, type->options);
	if (!err)
		err = kd_set_text(&target->mount_point, mount->mount_point);
	if (err)
		return err;
	target->path = path_join(mount->root, path_below(path, mount->mount_point));
	target->directory = take_ptr(path);
	return target->path ? NULL : kd_error_nomem();
}

/* Does @mount, which may be an entry of fstab, mount @node? */
static bool mount_has_node(const struct kd_sysroot *root, const struct mount *mount, const char *node)
{
	_cleanup_free_ char *source = NULL;

	if (major(mount->number))
		return block_has_number(root, node, mount->number);
	return !kd_error_discard(kd_block_find(root, mount->source, &source)) && strcmp(source, node) == 0;
}

static struct kd_error *wrong_type(const struct target_request *request, const char *type)
{
	return kd_error_create(KD_ERR_CONFIG, "%s:%u: %s holds %s, not %s: write \"%s %s\"", request->file,
			       request->line, request->device, type, request->type, type, request->device);
}

static struct kd_error *no_directory(const struct target_request *request, const char *mount_point)
{
	_cleanup_free_ char *directory = path_join(mount_point, request->path);

	return kd_error_create(KD_ERR_NOT_FOUND,
			       "directory %s does not exist on the dump target %s: \"mkdir -p %s\" creates it",
			       request->path, request->device, directory ? directory : request->path);
}

/* The place where @mount shows @path, which is counted from the top of the file system (or of the subvolume, if @type
 * has them). *ret stays NULL if @mount does not show it. */
static struct kd_error *directory_through(const struct kd_target_type *type, const struct mount *mount,
					  const char *path, char **ret)
{
	const char *rest = type->subvolumes ? path : path_below(path, mount->root);

	*ret = rest ? path_join(mount->mount_point, rest) : NULL;
	return rest && !*ret ? kd_error_nomem() : NULL;
}

/* @mount mounts the named target. *found is false if this mount does not show the path. */
static struct kd_error *take_mount(const struct kd_sysroot *root, const struct target_request *request,
				   const struct mount *mount, struct target *target, bool *found)
{
	const struct kd_target_type *type = kd_target_type_find(mount->type);
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err;

	err = directory_through(type, mount, request->path, &directory);
	*found = !err && directory && is_directory(root, directory);
	if (err || !*found)
		return err;
	if (mount->read_only)
		return kd_error_create(KD_ERR_STATE,
				       "the dump target %s is mounted read-only at %s: \"mount -o remount,rw %s\"",
				       request->device, mount->mount_point, mount->mount_point);
	target->path = type->subvolumes ? path_join(mount->root, request->path) : strdup(request->path);
	if (!target->path)
		return kd_error_nomem();
	target->directory = take_ptr(directory);
	err = kd_set_text(&target->mount_point, mount->mount_point);
	if (!err)
		err = kd_set_text(&target->options, type->options);
	return err;
}

/* Does @mount mount the target that the configuration names? */
static bool is_target(const struct kd_sysroot *root, const struct mount *mount, const struct target *target)
{
	if (target->node)
		return mount_has_node(root, mount, target->node);
	return strcmp(mount->type, target->type) == 0 && strcmp(mount->source, target->device) == 0;
}

/* Look for the target among the mounts. */
static struct kd_error *resolve_mounted(const struct kd_sysroot *root, const struct target_request *request,
					const struct mounts *mounts, struct target *target, bool *found)
{
	const struct mount *seen = NULL;
	size_t i;

	*found = false;
	for (i = 0; i < mounts->count; i++) {
		const struct mount *mount = &mounts->mount[i];
		struct kd_error *err;

		if (!is_target(root, mount, target))
			continue;
		if (strcmp(mount->type, request->type) != 0)
			return wrong_type(request, mount->type);
		seen = mount;
		err = take_mount(root, request, mount, target, found);
		if (err || *found)
			return err;
	}
	return seen ? no_directory(request, seen->mount_point) : NULL;
}

/* Keep those of fstab's options that decide which part of the file system a mount shows. */
static struct kd_error *useful_options(const struct kd_target_type *type, const char *options, char **ret)
{
	static const char *const names[] = { "subvol", "subvolid" };
	_cleanup_free_ char *text = strdup("");
	struct kd_error *err;
	size_t i, size;
	char *value;

	for (i = 0; type->subvolumes && text && i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *before = text;

		if (mnt_optstr_get_option(options, names[i], &value, &size) || !value) {
			before = NULL;
			continue;
		}
		text = NULL;
		err = kd_format(&text, "%s%s%s=%.*s", before, *before ? "," : "", names[i], (int)size, value);
		if (err)
			return err;
	}
	if (!text)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

/* Mount the target without a mount point, to look at it. The mount ends when its descriptor is closed. */
static struct kd_error *mount_detached(const struct target *target, int *ret)
{
	_cleanup_close_ int context = fsopen(target->type, FSOPEN_CLOEXEC), fd = -1;
	const char *source = target->node ? target->node : target->device;
	char *value;
	size_t size;

	if (context < 0 && errno == ENODEV)
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "the running kernel does not know file system %s: \"modprobe %s\" shows why",
				       target->type, target->type);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return kd_error_os(errno, "cannot mount %s (%s) to look at it", source, target->type);
	if (mnt_optstr_get_option(target->options, "subvol", &value, &size) == 0 && value) {
		_cleanup_free_ char *subvolume = strndup(value, size);

		if (!subvolume)
			return kd_error_nomem();
		if (fsconfig(context, FSCONFIG_SET_STRING, "subvol", subvolume, 0) < 0)
			return kd_error_os(errno, "cannot select subvolume %s of %s", subvolume, source);
	}
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (fd = fsmount(context, FSMOUNT_CLOEXEC, 0)) < 0)
		return kd_error_os(errno, "cannot mount %s (%s) to look at it", source, target->type);
	*ret = take_fd(fd);
	return NULL;
}

/* The target is in fstab but not mounted (Red Hat: "noauto"): look into it. */
static struct kd_error *look_inside(const struct target_request *request, const char *mount_point,
				    struct target *target)
{
	_cleanup_close_ int fd = -1, dir = -1;
	struct statvfs space;
	struct kd_error *err;

	err = mount_detached(target, &fd);
	if (err)
		return err;
	dir = openat(fd, request->path + 1, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && request->path[1])
		return no_directory(request, mount_point);
	if (fstatvfs(fd, &space) == 0)
		target->available = (uint64_t)space.f_bavail * space.f_frsize;
	return NULL;
}

static struct kd_error *resolve_fstab(const struct kd_sysroot *root, const struct target_request *request,
				      struct target *target)
{
	_cleanup_(mounts_free) struct mounts fstab = { 0 };
	_cleanup_free_ char *type = NULL;
	struct kd_error *err;
	size_t i;

	err = mounts_load_fstab(root, &fstab);
	if (err)
		return err;
	for (i = 0; i < fstab.count && !is_target(root, &fstab.mount[i], target); i++)
		;
	if (i == fstab.count)
		return kd_error_create(KD_ERR_CONFIG,
				       "%s:%u: Dump target \"%s\" is neither mounted nor in /etc/fstab: "
				       "mount it, or add it there with the option noauto",
				       request->file, request->line, request->device);
	type = target->node ? block_fs_type(root, target->node) : NULL;
	if (type && strcmp(type, request->type) != 0)
		return wrong_type(request, type);
	err = useful_options(kd_target_type_find(request->type), fstab.mount[i].options, &target->options);
	if (!err)
		err = kd_set_text(&target->path, request->path);
	if (!err && kd_sysroot_is_live(root))
		err = look_inside(request, fstab.mount[i].mount_point, target);
	return err;
}

/* The configuration names the target. */
static struct kd_error *resolve_named(const struct kd_sysroot *root, const struct target_request *request,
				      const struct mounts *mounts, struct target *target)
{
	const struct kd_target_type *type = kd_target_type_find(request->type);
	struct kd_error *err;
	bool found;

	if (!type)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s:%u: target type %s is not implemented yet",
				       request->file, request->line, request->type);
	err = type->source == KD_TARGET_TAG ? kd_set_text(&target->device, request->device) :
					      kd_block_find(root, request->device, &target->node);
	if (err)
		return kd_error_wrap(err, "%s:%u", request->file, request->line);
	err = kd_set_text(&target->type, request->type);
	if (!err)
		err = resolve_mounted(root, request, mounts, target, &found);
	if (!err && !found)
		err = resolve_fstab(root, request, target);
	return err;
}

static struct kd_error *name_device(const struct kd_sysroot *root, const struct kd_log *log, struct target *target)
{
	if (block_is_read_only(root, target->node))
		return kd_error_create(
			KD_ERR_STATE,
			"the target %s is write-protected: the capture could not write to it; choose another target",
			target->node);
	return block_identity(root, log, target->node, &target->device);
}

/* The checks and facts that do not depend on how the target was found. */
static struct kd_error *finish(const struct kd_sysroot *root, const struct kd_log *log, struct target *target)
{
	struct kd_error *err = target->node ? name_device(root, log, target) : NULL;
	struct statvfs space;

	if (err)
		return err;
	if (kd_sysroot_is_live(root) && target->mount_point && statvfs(target->mount_point, &space) == 0)
		target->available = (uint64_t)space.f_bavail * space.f_frsize;
	return NULL;
}

struct kd_error *target_resolve(const struct kd_sysroot *root, const struct target_request *request,
				const struct kd_log *log, struct target *ret)
{
	_cleanup_(target_free) struct target target = { .available = UINT64_MAX };
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	struct kd_error *err;

	err = mounts_load(root, &mounts);
	if (!err)
		err = request->type ? resolve_named(root, request, &mounts, &target) :
				      resolve_by_path(root, request, &mounts, &target);
	if (!err)
		err = finish(root, log, &target);
	if (err)
		return err;
	*ret = target;
	target = (struct target){ 0 };
	return NULL;
}

struct kd_error *target_resolve_rootfs(const struct kd_sysroot *root, const struct target_request *request,
				       const struct kd_log *log, struct target *ret)
{
	struct target_request unnamed = *request;

	unnamed.type = unnamed.device = NULL;
	return kd_error_wrap(target_resolve(root, &unnamed, log, ret), "failure_action dump_to_rootfs");
}

void target_free(struct target *target)
{
	free(target->type);
	free(target->device);
	free(target->options);
	free(target->path);
	free(target->node);
	free(target->mount_point);
	free(target->directory);
	*target = (struct target){ 0 };
}
