/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/unlock/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "initramfs/image.h"
#include "initramfs/secrets.h"
#include "kdump/storage/block.h"
#include "kdump/storage/luks.h"
#include "kdump/storage/mounts.h"
#include "kdump/storage/volume_keys.h"
#include "kdump/unlock/cpio.h"
#include "kdump/unlock/key.h"
#include "kdump/unlock/unlock.h"

enum { DEPTH_MAX = 16, PROGRAM_MAX = 16 << 20, INITRD_MAX = 1 << 30 };

static void drop_last(struct unlock_volumes *volumes)
{
	struct unlock_open *last = &volumes->volume[--volumes->count];

	free(last->name);
	free(last->uuid);
	free(last->luks);
	kd_secret_free(last->file);
	free(last->source);
}

void unlock_volumes_free(struct unlock_volumes *volumes)
{
	while (volumes->count)
		drop_last(volumes);
	free(volumes->volume);
	*volumes = (struct unlock_volumes){ 0 };
}

/* --- which there are ---------------------------------------------------------------------------------------------- */

/* The only device below @name, which LUKS has its header on. */
static struct kd_error *find_header(const struct kd_sysroot *root, const char *name, const char *volume, char **ret)
{
	_cleanup_(kd_names_free) struct kd_names slaves = { 0 };
	_cleanup_free_ char *path = NULL, *node = NULL;
	_cleanup_close_ int fd = -1;
	char header[UNLOCK_HEADER_MIN], luks[UNLOCK_UUID_SIZE];
	struct kd_error *err = kd_format(&path, "/sys/class/block/%s/slaves", name);

	if (!err)
		err = kd_sysroot_list(root, path, &slaves);
	if (!err && slaves.count == 1)
		err = kd_format(&node, "/dev/%s", slaves.name[0]);
	if (err)
		return err;
	if (node)
		fd = kd_sysroot_open_file(root, node, O_RDONLY | O_CLOEXEC);
	if (node && fd < 0)
		return kd_error_os(errno, "cannot read %s", node);
	if (!node || kd_read_all(fd, header, sizeof(header)) != sizeof(header) || !unlock_luks_uuid(header, luks))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"volume %s: there is no LUKS header on its device (a detached header, or LUKS2 with "
			"integrity): its key cannot be handed over",
			volume);
	err = luks_check(root, node);
	return err ? err : kd_set_text(ret, luks);
}

static struct kd_error *add(const struct kd_sysroot *root, const char *name, const char *uuid, bool needed,
			    struct unlock_volumes *volumes)
{
	_cleanup_free_ char *volume = NULL;
	struct unlock_open *grown, *last;
	struct kd_error *err = kd_sysroot_read_line(root, &volume, "/sys/class/block/%s/dm/name", name);

	if (err)
		return err;
	for (size_t i = 0; i < volumes->count; i++)
		if (strcmp(volumes->volume[i].name, volume) == 0)
			return NULL;
	grown = reallocarray(volumes->volume, volumes->count + 1, sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	volumes->volume = grown;
	last = &grown[volumes->count++];
	*last = (struct unlock_open){ .name = take_ptr(volume), .needed = needed };
	err = kd_set_text(&last->uuid, uuid);
	if (!err)
		err = find_header(root, name, last->name, &last->luks);
	if (err)
		drop_last(volumes);
	return err;
}

/* The volumes that device @name is made of. */
static struct kd_error *collect(const struct kd_sysroot *root, const char *name, unsigned int depth,
				struct unlock_volumes *volumes)
{
	_cleanup_(kd_names_free) struct kd_names slaves = { 0 };
	_cleanup_free_ char *uuid = NULL, *path = NULL;
	struct kd_error *err = NULL;

	if (depth == DEPTH_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s lies on more than %d devices in turn", name, DEPTH_MAX);
	kd_error_destroy(kd_sysroot_read_line(root, &uuid, "/sys/class/block/%s/dm/uuid", name));
	if (uuid && kd_starts_with(uuid, "CRYPT-PLAIN"))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"the root file system lies on a volume of plain dm-crypt (%s), whose key cannot be "
			"handed over: only LUKS is supported",
			uuid);
	if (uuid && kd_starts_with(uuid, "CRYPT-LUKS"))
		err = add(root, name, uuid, true, volumes);
	if (!err)
		err = kd_format(&path, "/sys/class/block/%s/slaves", name);
	if (err)
		return err;
	kd_error_destroy(kd_sysroot_list(root, path, &slaves)); /* it has none */
	for (size_t i = 0; i < slaves.count && !err; i++)
		err = collect(root, slaves.name[i], depth + 1, volumes);
	return err;
}

static struct kd_error *find_below(const struct kd_sysroot *root, const struct mount *mount,
				   struct unlock_volumes *volumes)
{
	_cleanup_free_ char *node = NULL;
	struct kd_error *err;

	if (major(mount->number))
		err = block_by_number(root, mount->number, &node);
	else if (kd_starts_with(mount->source, "/dev/"))
		err = kd_sysroot_realpath(root, mount->source, &node);
	else
		return NULL; /* no block device */
	return err ? err : collect(root, strrchr(node, '/') + 1, 0, volumes);
}

static struct kd_error *find_needed(const struct kd_sysroot *root, struct unlock_volumes *volumes)
{
	static const char *const places[] = { "/", "/usr" };
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	struct kd_error *err = mounts_load_system(root, &mounts);

	for (size_t i = 0; i < ARRAY_SIZE(places) && !err; i++) {
		const struct mount *mount = mounts_find(&mounts, places[i]);

		if (mount)
			err = find_below(root, mount, volumes);
	}
	return err;
}

/* Whatever else is open; one that is not as it should be is somebody else's matter. */
static struct kd_error *find_others(const struct kd_sysroot *root, struct unlock_volumes *volumes)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = kd_sysroot_list(root, "/sys/class/block", &names);

	for (size_t i = 0; i < names.count && !err; i++) {
		_cleanup_free_ char *uuid = NULL;

		kd_error_destroy(kd_sysroot_read_line(root, &uuid, "/sys/class/block/%s/dm/uuid", names.name[i]));
		if (uuid && kd_starts_with(uuid, "CRYPT-LUKS"))
			err = add(root, names.name[i], uuid, false, volumes);
		if (err && err->code != KD_ERR_NOMEM) {
			kd_error_destroy(err);
			err = NULL;
		}
	}
	return err;
}

struct kd_error *unlock_volumes_find(const struct kd_sysroot *root, struct unlock_volumes *ret)
{
	struct kd_error *err;

	*ret = (struct unlock_volumes){ 0 };
	err = find_needed(root, ret);
	if (!err && !ret->count)
		err = kd_error_create(
			KD_ERR_CONFIG,
			"the root file system does not lie on an encrypted volume: nothing is to be unlocked");
	return err ? err : find_others(root, ret);
}

/* --- what the initramfs takes ------------------------------------------------------------------------------------- */

enum part { PART_DEBIAN = 1, PART_DRACUT = 2, PART_CRYPTSETUP = 4, PART_SYSTEMD = 8 };

/* Files that tell what it can do, by the end of their paths. */
static const struct {
	const char *ending;
	enum part part;
} marks[] = {
	{ "/scripts/local-top/cryptroot", PART_DEBIAN },
	{ "-parse-crypt.sh", PART_DRACUT },
	{ "bin/cryptsetup", PART_CRYPTSETUP },
	{ "/systemd-cryptsetup", PART_SYSTEMD },
};

struct abilities {
	unsigned int parts; /* enum part */
	char *crypttab;     /* Debian's table */
	bool no_memory;
};

static void look(void *arg, const char *name, mode_t mode, const void *data, size_t size)
{
	struct abilities *abilities = arg;
	_cleanup_free_ char *path = NULL;

	if (kd_error_discard(kd_format(&path, "/%s", name))) {
		abilities->no_memory = true;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (kd_ends_with(path, marks[i].ending))
			abilities->parts |= marks[i].part;
	if (strcmp(path, UNLOCK_CRYPTTAB) != 0 || size > UNLOCK_CRYPTTAB_MAX)
		return;
	free(abilities->crypttab);
	abilities->crypttab = strndup(data, size);
	abilities->no_memory = abilities->no_memory || !abilities->crypttab;
}

static struct kd_error *refuse(const char *what, const char *why)
{
	return kd_error_create(KD_ERR_UNSUPPORTED, "%s %s: it could not take the key of the root file system", what,
			       why);
}

static struct kd_error *check_parts(const struct abilities *abilities, const char *what, const char *cmdline)
{
	if (!(abilities->parts & (PART_DEBIAN | PART_DRACUT)))
		return refuse(what,
			      "has neither the scripts of Debian's cryptsetup-initramfs nor dracut's module crypt");
	if (abilities->parts & PART_DEBIAN && (!abilities->crypttab || strstr(cmdline, "cryptopts=")))
		return refuse(what, "does not open volumes by " UNLOCK_CRYPTTAB);
	if (!(abilities->parts & (PART_CRYPTSETUP | (abilities->parts & PART_DRACUT ? PART_SYSTEMD : 0))))
		return refuse(what, "has no program that opens LUKS volumes");
	return NULL;
}

/* Does the initramfs open the volume? dracut is told by the command line, or finds it by itself if it is needed. */
static bool is_opened(const struct abilities *abilities, const char *cmdline, const struct unlock_open *open)
{
	const struct unlock_volume volume = { open->luks, open->name };

	if (abilities->parts & PART_DEBIAN)
		return unlock_crypttab_names(abilities->crypttab, &volume);
	return open->needed || strstr(cmdline, open->luks);
}

static struct kd_error *choose(struct unlock_volumes *volumes, const struct abilities *abilities, const char *what,
			       const char *cmdline)
{
	size_t count = 0;

	for (size_t i = 0; i < volumes->count; i++) {
		struct unlock_open moved = volumes->volume[i];

		if (!is_opened(abilities, cmdline, &moved)) {
			if (moved.needed)
				return kd_error_create(KD_ERR_UNSUPPORTED,
						       "%s does not open volume %s (" UNLOCK_CRYPTTAB
						       " in it has no such row): it could not take its key",
						       what, moved.name);
			continue;
		}
		volumes->volume[i] = volumes->volume[count];
		volumes->volume[count++] = moved;
	}
	while (volumes->count > count)
		drop_last(volumes);
	return NULL;
}

struct kd_error *unlock_volumes_choose(struct unlock_volumes *volumes, const void *data, size_t size, const char *what,
				       const char *cmdline)
{
	struct abilities abilities = { 0 };
	struct kd_error *err = cpio_walk(data, size, INITRD_MAX, what, look, &abilities);

	if (!err && abilities.no_memory)
		err = kd_error_nomem();
	if (!err)
		err = check_parts(&abilities, what, cmdline);
	if (!err)
		err = choose(volumes, &abilities, what, cmdline);
	free(abilities.crypttab);
	return err;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static struct kd_error *fetch(const struct kd_sysroot *root, const struct volumes_source *source,
			      struct unlock_open *volume)
{
	_cleanup_(volume_keys_free) struct volume_keys keys = { calloc(1, sizeof(*keys.key)), 1 };
	_cleanup_secret_ char *table = NULL;
	struct kd_error *err;

	if (!keys.key) {
		keys.count = 0;
		return kd_error_nomem();
	}
	err = kd_set_text(&keys.key->volume, volume->name);
	if (!err)
		err = volume_keys_fetch(root, source, &keys);
	if (!err)
		err = source->table(root, volume->name, &table);
	if (!err)
		err = unlock_key_format(volume->name, volume->uuid, table, keys.key->text, &volume->file);
	if (!err)
		volume->source = take_ptr(keys.key->source);
	return err;
}

struct kd_error *unlock_volumes_fetch(const struct kd_sysroot *root, const struct volumes_source *source,
				      struct unlock_volumes *volumes)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < volumes->count && !err; i++)
		err = fetch(root, source, &volumes->volume[i]);
	return err;
}

/* --- archives ----------------------------------------------------------------------------------------------------- */

struct kd_error *unlock_volumes_pack(const struct unlock_volumes *volumes, char **ret, size_t *size_ret)
{
	_cleanup_free_ struct secret_file *file = calloc(volumes->count + 1, sizeof(*file));
	_cleanup_free_ char(*path)[sizeof(UNLOCK_KEYS) + UNLOCK_UUID_SIZE] = calloc(volumes->count + 1, sizeof(*path));

	if (!file || !path)
		return kd_error_nomem();
	for (size_t i = 0; i < volumes->count; i++) {
		const struct unlock_open *volume = &volumes->volume[i];

		snprintf(path[i], sizeof(path[i]), UNLOCK_KEYS "/%s", volume->luks);
		file[i] = (struct secret_file){ path[i], volume->file, strlen(volume->file) };
	}
	return secrets_archive(file, volumes->count, ret, size_ret);
}

struct kd_error *unlock_program_pack(const char *program, void **ret, size_t *size_ret)
{
	_cleanup_(image_free) struct image *image = NULL;
	struct kd_error *err;
	uint64_t unpacked;
	size_t size;
	char *data;

	err = image_new(&image);
	if (!err)
		err = kd_read_file(program, PROGRAM_MAX, &data, &size);
	if (!err)
		err = image_add_file(image, UNLOCK_PROGRAM, 0700, IMAGE_STORE_PLAIN, data, size);
	return err ? err : image_build(image, IMAGE_COMPRESSION_NONE, ret, size_ret, &unpacked);
}
