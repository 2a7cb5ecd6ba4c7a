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
#include "kdump/storage/directory.h"
#include "kdump/storage/external.h"
#include "kdump/storage/held.h"
#include "kdump/storage/mounts.h"
#include "kdump/storage/nfs.h"
#include "kdump/storage/objects.h"
#include "kdump/storage/ssh.h"

/* Why other file systems cannot take a dump. */
static const struct {
	const char *type, *why;
} refused[] = {
	{ "overlay", "combines directories of other file systems (a container or a live system)" },
	{ "tmpfs", "lies in memory, which the reboot erases" },
	{ "ramfs", "lies in memory, which the reboot erases" },
	{ "rootfs", "lies in memory, which the reboot erases" },
	{ "squashfs", "is read-only" },
	{ "cifs", "is on the network, and network targets are not implemented yet" },
	{ "zfs", "is not part of the kernel" },
	{ "autofs", "is an automount on which nothing could be mounted (\"ls\" there shows why)" },
};

#define REMEDY "let \"path\" lead to a disk with " KD_TARGET_RECOMMENDED ", or name one, for example \"ext4 UUID=…\""

static struct kd_error *refuse_fs(const struct target_request *request, const char *type, const char *mount_point)
{
	const char *why = "is not a file system that the capture can mount";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		if (strcmp(type, refused[i].type) == 0)
			why = refused[i].why;
	return kd_error_create(KD_ERR_UNSUPPORTED, "path %s lies on %s (mounted at %s), which %s: %s: " REMEDY,
			       request->path, type, mount_point, why, request->file);
}

static bool is_link(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* @path is where the path of the request leads. The default directory may be missing, since kdumpctl creates it. */
static struct kd_error *check_directory(const struct kd_sysroot *root, const struct target_request *request,
					const char *path)
{
	bool is_default = strcmp(request->path, TARGET_DEFAULT_PATH) == 0;
	_cleanup_free_ char *link = NULL;
	struct kd_error *err = NULL;

	if (directory_exists(root, path))
		return NULL;
	if (strcmp(path, request->path) != 0)
		err = kd_format(&link, ", which leads to %s,", path);
	if (err)
		return err;
	if (kd_sysroot_exists(root, path))
		return kd_error_create(KD_ERR_CONFIG,
				       "path %s (%s)%s is not a directory: name a directory, or move the file away",
				       request->path, request->file, link ? link : "");
	/* Its parent may be reached by links, the directory itself may not be one that leads to nothing. */
	if (is_default && !is_link(root, request->path))
		return NULL;
	return kd_error_create(KD_ERR_NOT_FOUND, "path %s (%s)%s does not exist: \"mkdir -p %s\" creates it",
			       request->path, request->file, link ? link : "", path);
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

/* @path, a directory of this machine that @mount shows, is the target's. */
static struct kd_error *take_directory(const struct kd_sysroot *root, const struct mount *mount, const char *path,
				       struct target *target)
{
	const struct kd_target_type *type = kd_target_type_find(mount->type);
	struct kd_error *err = kd_sysroot_is_live(root) ? directory_check_usable(root, path) : NULL;

	if (!err)
		err = kd_set_text(&target->directory, path);
	if (!err)
		err = kd_set_text(&target->mount_point, mount->mount_point);
	if (!err)
		err = kd_set_text(&target->options, type->options);
	if (!err && target->node)
		err = external_find(root, mount->type, target->node, mount->options, target);
	if (err)
		return err;
	target->path = path_join(mount->root, path_below(path, mount->mount_point));
	return target->path ? NULL : kd_error_nomem();
}

/* @mount, of a type that can be a target, shows @path, which the request leads to. */
static struct kd_error *take_path(const struct kd_sysroot *root, const struct target_request *request,
				  const struct mount *mount, const char *path, struct target *target)
{
	const struct kd_target_type *type = kd_target_type_find(mount->type);
	struct kd_error *err;

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
	return err ? err : take_directory(root, mount, path, target);
}

/* Does @mount, which may be an entry of fstab, mount @node? */
static bool mount_has_node(const struct kd_sysroot *root, const struct mount *mount, const char *node)
{
	_cleanup_free_ char *source = NULL;

	if (major(mount->number))
		return block_has_number(root, node, mount->number);
	return !kd_error_discard(kd_block_find(root, mount->source, &source)) && strcmp(source, node) == 0;
}

/* Name the line that asks for the target; an entry of fstab has no number. */
static struct kd_error *blame(const struct target_request *request, struct kd_error *err)
{
	return request->line ? kd_error_wrap(err, "%s:%u", request->file, request->line) :
			       kd_error_wrap(err, "%s", request->file);
}

static struct kd_error *wrong_type(const struct target_request *request, const char *type)
{
	return blame(request, kd_error_create(KD_ERR_CONFIG, "%s holds %s, not %s: write \"%s %s\"", request->device,
					      type, request->type, type, request->device));
}

/* The place where @mount shows the path of the request, which counts from the top of the file system (or of the
 * subvolume, if its type has them). *ret stays NULL if @mount does not show it. */
static struct kd_error *directory_through(const struct target_request *request, const struct mount *mount, char **ret)
{
	const struct kd_target_type *type = kd_target_type_find(mount->type);
	const char *rest = type->subvolumes ? request->path : path_below(request->path, mount->root);

	*ret = rest ? path_join(mount->mount_point, rest) : NULL;
	return rest && !*ret ? kd_error_nomem() : NULL;
}

/* Does @mount mount the target that the configuration names? */
static bool is_target(const struct kd_sysroot *root, const struct mount *mount, const struct target *target)
{
	if (target->node)
		return mount_has_node(root, mount, target->node);
	return strcmp(mount->type, target->type) == 0 && strcmp(mount->source, target->device) == 0;
}

/* @mount mounts the named target. *found is false if the path does not lead to a directory of the target there. */
static struct kd_error *take_mount(const struct kd_sysroot *root, const struct target_request *request,
				   const struct mounts *mounts, const struct mount *mount, struct target *target,
				   bool *found)
{
	_cleanup_free_ char *directory = NULL, *real = NULL;
	struct kd_error *err = directory_through(request, mount, &directory);

	*found = false;
	if (!err && directory)
		err = directory_follow(root, directory, &real);
	if (err || !real || !directory_exists(root, real))
		return err;
	/* Links are followed now: the capture sees nothing but the target. They, or another mount, may lead away. */
	mount = mounts_find(mounts, real);
	*found = mount && is_target(root, mount, target);
	if (!*found)
		return NULL;
	if (mount->read_only)
		return kd_error_create(KD_ERR_STATE,
				       "the dump target %s is mounted read-only at %s: \"mount -o remount,rw %s\"",
				       request->device, mount->mount_point, mount->mount_point);
	return take_directory(root, mount, real, target);
}

/* Say why the target's directory cannot be used through @mount. */
static struct kd_error *no_directory(const struct kd_sysroot *root, const struct target_request *request,
				     const struct mount *mount)
{
	_cleanup_free_ char *directory = NULL, *real = NULL;
	struct kd_error *err = directory_through(request, mount, &directory);
	const char *name;

	if (!err && directory)
		err = directory_follow(root, directory, &real);
	if (err)
		return err;
	name = directory ? directory : request->path;
	if (real && directory_exists(root, real))
		return kd_error_create(
			KD_ERR_CONFIG,
			"directory %s of the dump target %s cannot be used: %s leads to another file system: "
			"choose another path, or name that file system in %s",
			request->path, request->device, name, request->file);
	if (real && kd_sysroot_exists(root, real))
		return kd_error_create(
			KD_ERR_CONFIG,
			"%s on the dump target %s is not a directory: choose another path in %s, or move "
			"%s away",
			request->path, request->device, request->file, name);
	return kd_error_create(KD_ERR_NOT_FOUND,
			       "directory %s does not exist on the dump target %s: \"mkdir -p %s\" creates it",
			       request->path, request->device, real ? real : name);
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
		if (!seen)
			seen = mount;
		err = take_mount(root, request, mounts, mount, target, found);
		if (err || *found)
			return err;
	}
	return seen ? no_directory(root, request, seen) : NULL;
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
	for (size_t i = 0; i < TARGET_PARTS && target->part[i].node; i++)
		if (fsconfig(context, FSCONFIG_SET_STRING, target->part[i].option, target->part[i].node, 0) < 0)
			return kd_error_os(errno, "cannot mount %s (%s) with %s=%s to look at it", source, target->type,
					   target->part[i].option, target->part[i].node);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (fd = fsmount(context, FSMOUNT_CLOEXEC, 0)) < 0)
		return kd_error_os(errno, "cannot mount %s (%s) to look at it", source, target->type);
	*ret = take_fd(fd);
	return NULL;
}

/* The target is in fstab but not mounted (Red Hat: "noauto"): look into it, with links as the capture follows them. */
static struct kd_error *look_inside(const struct target_request *request, const char *mount_point,
				    struct target *target)
{
	struct kd_sysroot inside = { .prefix = (char *)"/", .fd = -1 };
	_cleanup_close_ int fd = -1;
	struct statvfs space;
	struct kd_error *err;

	err = mount_detached(target, &fd);
	if (err)
		return err;
	inside.fd = fd;
	if (!directory_exists(&inside, request->path))
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "there is no directory %s on the dump target %s, which is not mounted: \"mount "
				       "%s\", and create it below %s",
				       request->path, request->device, mount_point, mount_point);
	err = directory_check_usable(&inside, request->path);
	if (err)
		return err;
	if (fstatvfs(fd, &space) == 0)
		target->available = (uint64_t)space.f_bavail * space.f_frsize;
	return NULL;
}

/* The target is mounted by @entry of fstab, when it is. */
static struct kd_error *take_fstab_entry(const struct kd_sysroot *root, const struct target_request *request,
					 const struct mount *entry, struct target *target)
{
	_cleanup_free_ char *type = target->node ? block_fs_type(root, target->node) : NULL;
	struct kd_error *err;

	if (type && strcmp(type, request->type) != 0)
		return wrong_type(request, type);
	err = useful_options(kd_target_type_find(request->type), entry->options, &target->options);
	if (!err)
		err = kd_set_text(&target->path, request->path);
	if (!err && target->node)
		err = external_find(root, request->type, target->node, entry->options, target);
	if (!err && kd_sysroot_is_live(root))
		err = look_inside(request, entry->mount_point, target);
	return err;
}

static struct kd_error *resolve_fstab(const struct kd_sysroot *root, const struct target_request *request,
				      const struct mounts *fstab, struct target *target)
{
	size_t i;

	for (i = 0; i < fstab->count && !is_target(root, &fstab->mount[i], target); i++)
		;
	if (i == fstab->count)
		return blame(request, kd_error_create(KD_ERR_NOT_FOUND,
						      "Dump target \"%s\" is neither mounted nor in /etc/fstab: "
						      "mount it, or add it there with the option noauto",
						      request->device));
	return take_fstab_entry(root, request, &fstab->mount[i], target);
}

/* udev's link to a device by a tag is that tag. *ret is owned by the caller. */
static struct kd_error *tag_of(const char *device, char **ret)
{
	static const struct {
		const char *directory, *prefix;
	} links[] = {
		{ "/dev/disk/by-uuid/", "UUID=" },
		{ "/dev/disk/by-label/", "LABEL=" },
		{ "/dev/disk/by-partuuid/", "PARTUUID=" },
		{ "/dev/disk/by-partlabel/", "PARTLABEL=" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (kd_starts_with(device, links[i].directory))
			return kd_format(ret, "%s%s", links[i].prefix, device + strlen(links[i].directory));
	return kd_set_text(ret, device);
}

static struct kd_error *ambiguous(const struct target_request *request, const char *node, const char *other)
{
	return kd_error_create(KD_ERR_CONFIG,
			       "%s and %s both carry %s: name the one that is meant by a link in /dev/disk/by-id or "
			       "/dev/disk/by-path, or give the other one a new UUID or label",
			       node, other, request->device);
}

/* The device that is mounted as the request has it, by a tag. *ret stays NULL if none is. */
static struct kd_error *find_mounted(const struct kd_sysroot *root, const struct target_request *request,
				     const struct mounts *mounts, const char *tag, char **ret)
{
	_cleanup_free_ char *found = NULL;
	struct kd_error *err = NULL;

	for (size_t i = 0; i < mounts->count && !err; i++) {
		_cleanup_free_ char *node = NULL;

		if (strcmp(mounts->mount[i].type, request->type) != 0 ||
		    kd_error_discard(node_of_mount(root, &mounts->mount[i], &node)) || !block_has_name(root, node, tag))
			continue;
		if (found && strcmp(found, node) != 0)
			return ambiguous(request, found, node);
		err = kd_set_text(&found, node);
	}
	if (!err)
		*ret = take_ptr(found);
	return err;
}

/* A tag may be on several devices, by a clone or a snapshot, and udev's link leads to any of them. If one is mounted,
 * it is meant. */
static struct kd_error *find_device(const struct kd_sysroot *root, const struct target_request *request,
				    const struct mounts *mounts, char **ret)
{
	_cleanup_free_ char *tag = NULL, *node = NULL, *twin = NULL;
	struct kd_error *err = tag_of(request->device, &tag);

	if (!err)
		err = find_mounted(root, request, mounts, tag, &node);
	if (!err && !node) {
		err = kd_block_find(root, request->device, &node);
		if (!err && block_has_name(root, node, tag))
			err = block_find_twin(root, node, tag, &twin);
	}
	if (!err && twin)
		err = ambiguous(request, node, twin);
	if (!err)
		*ret = take_ptr(node);
	return err;
}

/* What the target is mounted by, now or by an entry of fstab. */
static struct kd_error *take_device(const struct kd_sysroot *root, const struct target_request *request,
				    const struct mounts *mounts, struct target *target)
{
	struct kd_error *err = kd_set_text(&target->type, request->type);

	if (err)
		return err;
	if (kd_target_type_find(request->type)->source == KD_TARGET_TAG)
		return kd_set_text(&target->device, request->device);
	return find_device(root, request, mounts, &target->node);
}

/* The path is that of the directory on this machine that the next boot moves the dumps to. */
static struct kd_error *resolve_container(const struct kd_sysroot *root, const struct target_request *request,
					  struct target *target)
{
	struct kd_error *err = NULL;

	if (request->path) {
		err = directory_follow(root, request->path, &target->directory);
		if (!err)
			err = check_directory(root, request, target->directory);
	}
	return err ? err : blame(request, held_resolve(root, request, target));
}

/* The configuration names the target. */
static struct kd_error *resolve_named(const struct kd_sysroot *root, const struct target_request *request,
				      const struct mounts *mounts, const struct mounts *fstab, struct target *target)
{
	struct kd_error *err;
	bool found;

	if (!kd_target_type_find(request->type))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s:%u: target type %s is not implemented yet",
				       request->file, request->line, request->type);
	if (kd_target_type_find(request->type)->source == KD_TARGET_NFS)
		return blame(request, nfs_resolve(root, request, mounts, target));
	if (kd_target_type_find(request->type)->source == KD_TARGET_SSH)
		return blame(request, ssh_resolve(root, request, target));
	if (kd_target_type_find(request->type)->source == KD_TARGET_OBJECTS)
		return blame(request, objects_resolve(root, request, target));
	if (held_is_meant(request))
		return resolve_container(root, request, target);
	err = blame(request, take_device(root, request, mounts, target));
	if (!err)
		err = resolve_mounted(root, request, mounts, target, &found);
	if (!err && !found)
		err = resolve_fstab(root, request, fstab, target);
	return err;
}

/* The entry of fstab whose file system belongs over @path, but is not mounted: @mount shows the directory below it.
 * *point_ret: its mount point, links followed. */
static struct kd_error *find_unmounted(const struct kd_sysroot *root, const struct mounts *fstab,
				       const struct mount *mount, const char *path, const struct mount **ret,
				       char **point_ret)
{
	const char *shown = mount ? mount->mount_point : "/";
	bool waits = mount && strcmp(mount->type, "autofs") == 0; /* an automount that shows nothing yet */

	*ret = NULL;
	for (size_t i = 0; i < fstab->count; i++) {
		_cleanup_free_ char *point = NULL;
		struct kd_error *err = NULL;

		if (*fstab->mount[i].mount_point == '/')
			err = directory_follow(root, fstab->mount[i].mount_point, &point);
		if (err)
			return err;
		if (!point || !path_below(path, point) ||
		    (path_below(shown, point) && !(waits && strcmp(shown, point) == 0)) ||
		    (*ret && strlen(point) < strlen(*point_ret)))
			continue;
		*ret = &fstab->mount[i];
		err = kd_set_text(point_ret, point);
		if (err)
			return err;
	}
	return NULL;
}

/* @path lies on the file system of @entry of fstab, which belongs at @point. */
static struct kd_error *take_unmounted(const struct kd_sysroot *root, const struct target_request *request,
				       const struct mounts *mounts, const struct mount *entry, const char *point,
				       const char *path, struct target *target)
{
	const char *rest = path_below(path, point);
	_cleanup_free_ char *type = NULL, *node = NULL;
	struct target_request inner = {
		.type = entry->type, .device = entry->source, .path = *rest ? rest : "/", .file = "/etc/fstab"
	};
	struct kd_error *err;
	bool found = false;

	if (strcmp(entry->type, "auto") == 0 && !kd_error_discard(kd_block_find(root, entry->source, &node)))
		inner.type = type = block_fs_type(root, node);
	if (nfs_is_type(entry->type)) {
		inner.type = "nfs";
		return blame(&inner, nfs_resolve(root, &inner, mounts, target));
	}
	if (!inner.type || !kd_target_type_find(inner.type))
		return refuse_fs(request, inner.type ? inner.type : "something unknown", point);
	err = take_device(root, &inner, mounts, target);
	if (!err)
		err = resolve_mounted(root, &inner, mounts, target, &found);
	return err || found ? err : take_fstab_entry(root, &inner, entry, target);
}

/* The configuration names no target: take the file system that contains the path. */
static struct kd_error *resolve_by_path(const struct kd_sysroot *root, const struct target_request *request,
					const struct mounts *mounts, const struct mounts *fstab, struct target *target)
{
	_cleanup_free_ char *path = NULL, *point = NULL;
	const struct mount *mount, *entry = NULL;
	struct kd_error *err;

	err = kd_error_wrap(directory_follow(root, request->path, &path), "path (%s)", request->file);
	if (err)
		return err;
	mount = mounts_find(mounts, path);
	err = find_unmounted(root, fstab, mount, path, &entry, &point);
	if (!err && entry)
		return kd_error_wrap(
			take_unmounted(root, request, mounts, entry, point, path, target),
			"path %s (%s) lies on the file system that /etc/fstab mounts at %s, and that is not "
			"mounted (\"mount %s\" mounts it)",
			request->path, request->file, point, point);
	if (err)
		return err;
	if (!mount)
		return kd_error_create(KD_ERR_NOT_FOUND, "no mount contains path %s: " REMEDY, request->path);
	if (!kd_target_type_find(mount->type) && !nfs_is_type(mount->type))
		return refuse_fs(request, mount->type, mount->mount_point);
	err = check_directory(root, request, path);
	if (!err && nfs_is_type(mount->type))
		return nfs_take_path(request, mount, path, target);
	return err ? err : take_path(root, request, mount, path, target);
}

static struct kd_error *name_device(const struct kd_sysroot *root, const struct kd_log *log, struct target *target)
{
	if (block_is_read_only(root, target->node))
		return kd_error_create(
			KD_ERR_STATE,
			"the target %s is write-protected: the capture could not write to it; choose another target",
			target->node);
	return target->device ? NULL : block_identity(root, log, target->node, &target->device);
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
	_cleanup_(mounts_free) struct mounts mounts = { 0 }, fstab = { 0 };
	struct kd_error *err;

	/* What an automount mounts is in the table afterwards. */
	if (!request->type)
		(void)directory_exists(root, request->path);
	err = mounts_load(root, &mounts);
	if (!err)
		err = mounts_load_fstab(root, &fstab);
	if (!err)
		err = request->type ? resolve_named(root, request, &mounts, &fstab, &target) :
				      resolve_by_path(root, request, &mounts, &fstab, &target);
	if (!err)
		err = finish(root, log, &target);
	if (err)
		return err;
	*ret = target;
	target = (struct target){ 0 };
	return NULL;
}

struct kd_error *target_need(struct target *target, const char *path)
{
	size_t i;

	for (i = 0; i < TARGET_NEEDS && target->need[i]; i++)
		;
	return i < TARGET_NEEDS ? kd_set_text(&target->need[i], path) :
				  kd_error_create(KD_ERR_LIMIT, "the target needs more than %d files", TARGET_NEEDS);
}

void target_free(struct target *target)
{
	free(target->type);
	free(target->device);
	free(target->options);
	free(target->path);
	free(target->server);
	free(target->server_name);
	free(target->reserved);
	for (size_t i = 0; i < TARGET_PARTS; i++) {
		free(target->part[i].name);
		free(target->part[i].node);
	}
	for (size_t i = 0; i < TARGET_NEEDS; i++)
		free(target->need[i]);
	free(target->node);
	free(target->mount_point);
	free(target->directory);
	*target = (struct target){ 0 };
}
