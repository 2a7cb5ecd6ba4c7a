/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/drivers.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/array.h"
#include "base/block.h"
#include "base/parse.h"
#include "base/device_spec.h"
#include "base/served_disk.h"
#include "base/target_types.h"
#include "base/text.h"
#include "initramfs/names.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The path that link @directory/@entry leads to; *ret stays NULL if there is no such link. */
static struct kd_error *follow(const struct kd_sysroot *root, const char *directory, const char *entry, char **ret)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err;

	err = kd_format(&path, "%s/%s", directory, entry);
	if (err)
		return err;
	err = kd_sysroot_realpath(root, path, ret);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	return err;
}

/* Is the capture kernel a different build from the kernel whose sysfs is read? */
static bool is_other_kernel(const struct drivers *drivers)
{
	_cleanup_free_ char *running = NULL;
	struct kd_error *err;

	err = kd_sysroot_read_line(drivers->root, &running, "/proc/sys/kernel/osrelease");
	kd_error_destroy(err);
	return running && strcmp(running, drivers->release) != 0;
}

/* Is @name loaded as a module? A built-in module has no initstate. */
static bool is_loaded(const struct kd_sysroot *root, const char *name)
{
	_cleanup_free_ char *state = NULL;

	kd_error_destroy(kd_sysroot_read_line(root, &state, "/sys/module/%s/initstate", name));
	return state != NULL;
}

/* Read the modalias from the device's uevent, as not every bus has a file for it. *ret stays NULL if the device has
 * none. */
static struct kd_error *read_modalias(const struct kd_sysroot *root, const char *directory, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	char *line, *rest;

	err = kd_sysroot_read_line(root, &text, "%s/uevent", directory);
	kd_error_destroy(err);
	for (rest = text; rest && (line = strsep(&rest, "\n"));) {
		if (!kd_starts_with(line, "MODALIAS="))
			continue;
		return kd_set_text(ret, line + strlen("MODALIAS="));
	}
	return NULL;
}

/* Add the modules whose aliases match the device at @directory. In the running kernel only a loaded one can be its
 * driver. */
static struct kd_error *add_by_modalias(const struct drivers *drivers, const char *directory, bool *found)
{
	bool other_kernel = is_other_kernel(drivers);
	_cleanup_(names_free) struct names names = { 0 };
	_cleanup_free_ char *modalias = NULL;
	struct kd_error *err;
	size_t i;

	*found = false;
	err = read_modalias(drivers->root, directory, &modalias);
	if (err || !modalias)
		return err;
	err = modules_resolve(drivers->modules, modalias, &names);
	for (i = 0; i < names.count && !err; i++) {
		bool found_one = false;

		if (!other_kernel && !is_loaded(drivers->root, names.name[i]))
			continue;
		kd_debug(drivers->log, "module %s matches %s of %s", names.name[i], modalias, directory);
		err = modules_add(drivers->modules, names.name[i], &found_one);
		*found = *found || found_one;
	}
	return err;
}

/* Add the module that drives the device at @directory. A device that works without a driver in this kernel will do so
 * in the capture kernel. A driver without a link to a module is either built in (the capture kernel may have it as a
 * module) or belongs to one of the few modules, such as mmc_block, that do not set such a link. */
static struct kd_error *add_driver(const struct drivers *drivers, const char *directory)
{
	_cleanup_free_ char *driver = NULL, *module = NULL;
	struct kd_error *err;
	const char *name;
	bool found;

	err = follow(drivers->root, directory, "driver", &driver);
	if (err || !driver)
		return err;
	err = follow(drivers->root, directory, "driver/module", &module);
	if (err)
		return err;
	if (!module)
		return add_by_modalias(drivers, directory, &found);
	name = last_part(module);
	kd_debug(drivers->log, "module %s drives %s", name, directory);
	err = modules_add(drivers->modules, name, &found);
	if (!err && !found)
		err = add_by_modalias(drivers, directory, &found);
	if (!err && !found)
		err = kd_error_create(KD_ERR_NOT_FOUND, "kernel %s has no module %s, which drives %s here",
				      drivers->release, name, directory);
	return err;
}

static struct kd_error *walk_up(const struct drivers *drivers, const char *device, struct names *seen);

/* Add the devices that this one needs although it is not attached to them: PHYs, clocks, regulators, IOMMUs. sysfs
 * tells them since Linux 5.9 (287905e68dd2 "driver core: Expose device link details in sysfs"). */
static struct kd_error *walk_suppliers(const struct drivers *drivers, const char *directory, struct names *seen)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(drivers->root, directory);
	struct kd_error *err = NULL;
	const char *entry;

	while (!err && dir && (entry = kd_next_entry(dir))) {
		_cleanup_free_ char *link = NULL, *supplier = NULL;

		if (!kd_starts_with(entry, "supplier:"))
			continue;
		err = kd_format(&link, "%s/%s", directory, entry);
		if (err)
			return err;
		err = follow(drivers->root, link, "supplier", &supplier);
		if (!err && supplier)
			err = walk_up(drivers, supplier, seen);
	}
	return err;
}

/* Walk from the device to the root of its bus. The device that it is attached to is inserted before it. */
static struct kd_error *walk_up(const struct drivers *drivers, const char *device, struct names *seen)
{
	_cleanup_free_ char *parent = strdup(device);
	struct kd_error *err;
	bool first;
	char *slash;

	if (!parent)
		return kd_error_nomem();
	if (!kd_starts_with(device, "/sys/devices/"))
		return NULL;
	err = names_add(seen, device, &first);
	if (err || !first)
		return err;
	slash = strrchr(parent, '/');
	*slash = '\0';
	err = walk_up(drivers, parent, seen);
	if (!err)
		err = walk_suppliers(drivers, device, seen);
	if (!err)
		err = add_driver(drivers, device);
	return err;
}

#define MULTIPATH "mpath-" /* how the dm/uuid of a multipath device begins */

/* Kinds of block devices that programs assemble: by dm/uuid for the device mapper, else by name. */
static const struct {
	const char *prefix, *what;
} dm_kinds[] = {
	{ "LVM-", "LVM logical volume" },
	{ "CRYPT-", "encrypted volume" },
	{ MULTIPATH, "multipath device" },
	{ "DMRAID-", "firmware RAID" },
	{ "", "device-mapper volume" },
}, name_kinds[] = {
	{ "md", "software RAID" },
	{ "loop", "loop device" },
	{ "bcache", "bcache volume" },
	{ "zram", "compressed RAM disk" },
	{ "ram", "RAM disk" },
	{ "nbd", "network block device" },
	{ "drbd", "replicated device" },
	{ "", "virtual device" },
};

static const char *stack_kind(const struct kd_sysroot *root, const char *directory)
{
	_cleanup_free_ char *uuid = NULL;
	struct kd_error *err;
	size_t i;

	err = kd_sysroot_read_line(root, &uuid, "%s/dm/uuid", directory);
	kd_error_destroy(err);
	for (i = 0; uuid && i < ARRAY_SIZE(dm_kinds); i++) {
		if (kd_starts_with(uuid, dm_kinds[i].prefix))
			return dm_kinds[i].what;
	}
	for (i = 0; !kd_starts_with(last_part(directory), name_kinds[i].prefix); i++)
		;
	return name_kinds[i].what;
}

#define STACK_DEPTH_MAX 8

/* "dm-1 (encrypted volume) on dm-0 (LVM logical volume) on vda3 and vdb1" */
static struct kd_error *describe_stack(const struct kd_sysroot *root, const char *directory, unsigned int depth,
				       FILE *out)
{
	_cleanup_free_ char *slaves = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	struct kd_error *err = NULL;
	const char *entry, *word = "on";

	fprintf(out, "%s", last_part(directory));
	if (!kd_starts_with(directory, "/sys/devices/virtual/block/") || depth == STACK_DEPTH_MAX)
		return NULL;
	fprintf(out, " (%s)", stack_kind(root, directory));
	err = kd_format(&slaves, "%s/slaves", directory);
	if (err)
		return err;
	dir = kd_sysroot_open_dir(root, slaves);
	while (!err && dir && (entry = kd_next_entry(dir))) {
		_cleanup_free_ char *slave = NULL;

		err = follow(root, slaves, entry, &slave);
		if (err || !slave)
			continue;
		fprintf(out, " %s ", word);
		word = "and";
		err = describe_stack(root, slave, depth + 1, out);
	}
	return err;
}

/* Disks that a server provides once a program has logged in there, by a part of their path. */
static const struct {
	const char *part, *what;
} remote_kinds[] = {
	{ "/session", "an iSCSI disk" },
	{ "/nvme-fabrics/", "an NVMe over Fabrics disk" },
	{ "/rbd/", "a Ceph block device" },
};

/* Has the plan a login for the disk at @device, or for the one that it is a partition of? */
static bool is_planned(const struct drivers *drivers, const char *device)
{
	_cleanup_free_ char *disk = NULL, *identity = NULL, *name = NULL;

	if (!drivers->plan || kd_error_discard(kd_whole_disk(drivers->root, last_part(device), &disk)) ||
	    kd_error_discard(kd_disk_identity(drivers->root, disk, &identity)) || !identity ||
	    kd_error_discard(kd_format(&name, "DISK=%s", identity)))
		return false;
	for (size_t i = 0; i < drivers->plan->volume_count; i++)
		if (kd_served_is_disk(&drivers->plan->volume[i], name))
			return true;
	return false;
}

static struct kd_error *refuse_remote(const char *device)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(remote_kinds); i++) {
		if (strstr(device, remote_kinds[i].part))
			return kd_error_create(
				KD_ERR_UNSUPPORTED,
				"%s is %s, which this version cannot reach from the capture kernel; choose "
				"a file system on a local disk as the dump target in kdump.conf",
				last_part(device), remote_kinds[i].what);
	}
	return NULL;
}

static struct kd_error *stack_text(const struct kd_sysroot *root, const char *directory, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	size_t size;
	FILE *out;

	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	err = describe_stack(root, directory, 0, out);
	if (fclose(out) != 0 && !err)
		err = kd_error_nomem();
	if (!err)
		*ret = take_ptr(text);
	return err;
}

struct kd_error *drivers_describe(const struct kd_sysroot *root, const char *node, char **ret)
{
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err = kd_block_directory(root, node, &directory);

	return err ? err : stack_text(root, directory, ret);
}

static struct kd_error *refuse_stack(const struct drivers *drivers, const char *directory)
{
	_cleanup_free_ char *stack = NULL;
	struct kd_error *err = stack_text(drivers->root, directory, &stack);

	if (err)
		return err;
	return kd_error_create(KD_ERR_UNSUPPORTED,
			       "this version cannot assemble %s in the capture kernel; choose a file system "
			       "on a disk, a partition, LVM, software RAID or LUKS as the dump target in kdump.conf",
			       stack);
}

/* NVMe multipath: the disk is virtual, and the directory of its subsystem links to the controllers that reach it. */
static struct kd_error *walk_nvme_controllers(const struct drivers *drivers, const char *device, struct names *seen)
{
	static const char prefix[] = "/sys/devices/virtual/nvme-subsystem/";
	size_t length = sizeof(prefix) - 1 + strcspn(device + sizeof(prefix) - 1, "/");
	_cleanup_free_ char *subsystem = strndup(device, length);
	_cleanup_closedir_ DIR *dir = NULL;
	struct kd_error *err = NULL;
	const char *entry;
	size_t count = 0;

	if (!subsystem)
		return kd_error_nomem();
	dir = kd_sysroot_open_dir(drivers->root, subsystem);
	while (!err && dir && (entry = kd_next_entry(dir))) {
		_cleanup_free_ char *controller = NULL;

		if (!kd_starts_with(entry, "nvme") || entry[4 + strspn(entry + 4, "0123456789")] != '\0')
			continue;
		err = follow(drivers->root, subsystem, entry, &controller);
		if (err || !controller)
			continue;
		count++;
		err = refuse_remote(controller);
		if (!err)
			err = walk_up(drivers, controller, seen);
	}
	if (!err && !count)
		err = kd_error_create(KD_ERR_NOT_FOUND, "no NVMe controller reaches %s", device);
	return err;
}

/* The length of the part of @directory that names the virtual device itself and not a partition of it; 0: @directory is
 * not that of a virtual device. */
static size_t virtual_device_length(const char *directory)
{
	static const char prefix[] = "/sys/devices/virtual/block/";

	if (!kd_starts_with(directory, prefix))
		return 0;
	return sizeof(prefix) - 1 + strcspn(directory + sizeof(prefix) - 1, "/");
}

/* The volume of the plan that is the device at @directory, or that contains it as a partition; NULL: there is none. */
static const struct kd_plan_volume *volume_of(const struct drivers *drivers, const char *directory)
{
	size_t length = virtual_device_length(directory);
	_cleanup_free_ char *dm = NULL, *whole = NULL;

	if (!drivers->plan || !length)
		return NULL;
	whole = strndup(directory, length);
	if (!whole)
		return NULL;
	kd_error_destroy(kd_sysroot_read_line(drivers->root, &dm, "%s/dm/name", whole));
	return kd_plan_find_volume(drivers->plan, dm ? dm : last_part(whole));
}

static struct kd_error *walk_block_device(const struct drivers *drivers, const char *device, unsigned int depth);

static struct kd_error *add_if_there(const struct drivers *drivers, const char *prefix, const char *name);

/* The handler that knows which paths of a disk are passive. The kernel asks for it as soon as it has found the disk. */
static struct kd_error *add_path_handler(const struct drivers *drivers, const char *disk)
{
	_cleanup_free_ char *handler = NULL;

	if (kd_error_discard(kd_sysroot_read_line(drivers->root, &handler, "%s/device/dh_state", disk)) ||
	    strcmp(handler, "detached") == 0)
		return NULL;
	return add_if_there(drivers, "scsi_dh_", handler);
}

static bool is_multipath(const struct kd_sysroot *root, const char *directory)
{
	_cleanup_free_ char *uuid = NULL;

	return !kd_error_discard(kd_sysroot_read_line(root, &uuid, "%s/dm/uuid", directory)) &&
	       kd_starts_with(uuid, MULTIPATH);
}

/* Walk the devices that make up a volume. */
static struct kd_error *walk_slaves(const struct drivers *drivers, const char *device, unsigned int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *slaves = NULL;
	struct kd_error *err = NULL;
	const char *entry;

	if (depth == STACK_DEPTH_MAX)
		return refuse_stack(drivers, device);
	err = kd_format(&slaves, "%.*s/slaves", (int)virtual_device_length(device), device);
	if (err)
		return err;
	dir = kd_sysroot_open_dir(drivers->root, slaves);
	while (!err && dir && (entry = kd_next_entry(dir))) {
		_cleanup_free_ char *slave = NULL;

		err = follow(drivers->root, slaves, entry, &slave);
		if (!err && slave && is_multipath(drivers->root, device))
			err = add_path_handler(drivers, slave);
		if (!err && slave)
			err = walk_block_device(drivers, slave, depth + 1);
	}
	return err;
}

static struct kd_error *walk_block_device(const struct drivers *drivers, const char *device, unsigned int depth)
{
	_cleanup_(names_free) struct names seen = { 0 };
	struct kd_error *err;

	/* The modules of the login come with the plan's volume. */
	if (is_planned(drivers, device))
		return walk_up(drivers, device, &seen);
	err = refuse_remote(device);
	if (err)
		return err;
	if (kd_starts_with(device, "/sys/devices/virtual/nvme-subsystem/"))
		return walk_nvme_controllers(drivers, device, &seen);
	if (volume_of(drivers, device))
		return walk_slaves(drivers, device, depth);
	if (kd_starts_with(device, "/sys/devices/virtual/"))
		return refuse_stack(drivers, device);
	return walk_up(drivers, device, &seen);
}

/* --- volumes ------------------------------------------------------------------------------------------------------ */

static struct kd_error *add_alias(const struct drivers *drivers, const char *prefix, const char *name, bool *found)
{
	_cleanup_free_ char *alias = NULL;
	struct kd_error *err;

	err = kd_format(&alias, "%s%s", prefix, name);
	return err ? err : modules_add(drivers->modules, alias, found);
}

static struct kd_error *add_needed(const struct drivers *drivers, const char *prefix, const char *name)
{
	bool found;
	struct kd_error *err = add_alias(drivers, prefix, name, &found);

	if (!err && !found)
		err = kd_error_create(KD_ERR_NOT_FOUND, "kernel %s has no module %s%s", drivers->release, prefix, name);
	return err;
}

/* As add_needed(), for a module that the kernel may lack. */
static struct kd_error *add_if_there(const struct drivers *drivers, const char *prefix, const char *name)
{
	bool found;

	return add_alias(drivers, prefix, name, &found);
}

/* Add the modules that implement @algorithm ("xts(aes)") in the running kernel, from /proc/crypto: blocks of "key :
 * value" lines, in which the module follows the name. */
static struct kd_error *add_algorithm(const struct drivers *drivers, const char *algorithm)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = NULL;
	char *line, *cursor;
	bool ours = false;

	kd_error_destroy(kd_sysroot_read(drivers->root, "/proc/crypto", &text, NULL));
	for (cursor = text; cursor && !err && (line = strsep(&cursor, "\n"));) {
		char *value = strstr(line, ": ");

		if (!value)
			continue;
		value += 2;
		if (kd_starts_with(line, "name "))
			ours = strcmp(value, algorithm) == 0;
		else if (ours && kd_starts_with(line, "module ") && strcmp(value, "kernel") != 0)
			err = add_if_there(drivers, "", value);
	}
	return err;
}

/* @cipher is dm-crypt's: "aes-xts-plain64", "aes-cbc-essiv:sha256", "capi:xts(aes)-plain64". The running
 * kernel has loaded the modules with the best implementations; templates and generic modules are known by name. */
static struct kd_error *add_cipher(const struct drivers *drivers, const char *cipher)
{
	bool capi = kd_starts_with(cipher, "capi:");
	_cleanup_free_ char *copy = strdup(capi ? cipher + strlen("capi:") : cipher), *algorithm = NULL;
	char *rest = copy, *name, *mode, *iv, *hash;
	struct kd_error *err = NULL;

	if (!copy)
		return kd_error_nomem();
	if (capi) {
		mode = strsep(&rest, "(");
		name = rest ? strsep(&rest, ")") : NULL;
		iv = rest && *rest == '-' ? rest + 1 : NULL;
	} else {
		name = strsep(&rest, "-");
		mode = rest ? strsep(&rest, "-") : NULL;
		iv = rest;
	}
	if (!name || !mode)
		return kd_error_create(KD_ERR_UNSUPPORTED, "cipher %s has an unknown form", cipher);
	hash = iv ? strchr(iv, ':') : NULL;
	err = kd_format(&algorithm, "%s(%s)", mode, name);
	if (err)
		return err;
	if ((err = add_algorithm(drivers, name)) || (err = add_algorithm(drivers, algorithm)) ||
	    (err = add_if_there(drivers, "crypto-", mode)) || (err = add_if_there(drivers, "", mode)))
		return err;
	if (strcmp(mode, "xts") == 0)
		err = add_if_there(drivers, "", "ecb");
	if (!err && iv && kd_starts_with(iv, "essiv"))
		err = add_if_there(drivers, "", "essiv");
	return !err && hash ? add_if_there(drivers, "crypto-", hash + 1) : err;
}

/* The module of a device-mapper target; most are named after it. */
static const char *dm_module(const char *type)
{
	static const struct {
		const char *type, *module;
	} exceptions[] = {
		{ "linear", "dm-mod" },
		{ "striped", "dm-mod" },
		{ "error", "dm-mod" },
		{ "thin", "dm-thin-pool" },
		{ "snapshot-origin", "dm-snapshot" },
		{ "snapshot-merge", "dm-snapshot" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++)
		if (strcmp(exceptions[i].type, type) == 0)
			return exceptions[i].module;
	return NULL;
}

/* dm-raid asks for md's personality while its table is loaded, when nobody in the capture kernel could answer. @level
 * is its own word for it, "raid1", "raid6_zr"; the module's alias has the part before the layout. */
static struct kd_error *add_personality(const struct drivers *drivers, const char *level)
{
	_cleanup_free_ char *name = strndup(level, strcspn(level, "_"));

	return name ? add_needed(drivers, "md-", name) : kd_error_nomem();
}

/* @word: rows of START LENGTH TYPE PARAMETER…. */
static struct kd_error *add_dm(const struct drivers *drivers, char *const *word)
{
	struct kd_error *err = add_needed(drivers, "", "dm-mod");

	while (!err && *word) {
		char *const *row = word;
		const char *module;
		size_t count = 0;

		while (row[count] && strcmp(row[count], KD_PLAN_ROW_END) != 0)
			count++;
		word += count + (row[count] != NULL);
		if (count < 3)
			return kd_error_create(KD_ERR_FORMAT, "a row of its device-mapper table is too short");
		module = dm_module(row[2]);
		err = add_needed(drivers, module ? "" : "dm-", module ? module : row[2]);
		if (!err && strcmp(row[2], "crypt") == 0 && count > 3)
			err = add_cipher(drivers, row[3]);
		if (!err && strcmp(row[2], "raid") == 0 && count > 3)
			err = add_personality(drivers, row[3]);
	}
	return err;
}

/* @word: LEVEL VERSION MEMBER… */
static struct kd_error *add_md(const struct drivers *drivers, char *const *word)
{
	struct kd_error *err = add_needed(drivers, "", "md-mod");

	return err || !*word ? err : add_needed(drivers, "md-", *word);
}

static struct kd_error *walk_to_device(const struct drivers *drivers, const char *device, char **directory)
{
	_cleanup_free_ char *node = NULL;
	struct kd_error *err = kd_block_find(drivers->root, device, &node);

	if (!err)
		err = kd_block_directory(drivers->root, node, directory);
	return err ? err : walk_block_device(drivers, *directory, 0);
}

/* @word: DEVICE, which is a part of a target's file system. */
static struct kd_error *add_part(const struct drivers *drivers, char *const *word)
{
	_cleanup_free_ char *directory = NULL;

	return *word ? walk_to_device(drivers, *word, &directory) :
		       kd_error_create(KD_ERR_FORMAT, "its line in the plan names no device");
}

/* Both want checksums when a connection is made, for which the kernel would ask nobody in the capture. */
static struct kd_error *add_served(const struct drivers *drivers, const char *module)
{
	struct kd_error *err = add_if_there(drivers, "", "crc32c_generic");

	if (!err)
		err = add_if_there(drivers, "crypto-", "crc32c");
	return err ? err : add_needed(drivers, "", module);
}

static struct kd_error *add_iscsi(const struct drivers *drivers, char *const *word)
{
	struct kd_error *err = add_served(drivers, "iscsi_tcp");

	return err ? err : add_if_there(drivers, "", "sd_mod");
}

static struct kd_error *add_nvme(const struct drivers *drivers, char *const *word)
{
	return add_served(drivers, "nvme-tcp");
}

static struct kd_error *add_nvme_rdma(const struct drivers *drivers, char *const *word)
{
	return add_needed(drivers, "", "nvme-rdma");
}

static const struct {
	const char *kind;
	struct kd_error *(*add)(const struct drivers *drivers, char *const *word);
} volume_kinds[] = {
	{ "dm", add_dm },
	{ "md", add_md },
	{ KD_PLAN_DEVICE, add_part },
	{ KD_SERVED_ISCSI, add_iscsi },
	{ KD_SERVED_NVME, add_nvme },
	{ KD_SERVED_NVME_RDMA, add_nvme_rdma },
};

/* Add the modules that assemble @volume: those of its device-mapper targets and their ciphers, or of its RAID level.
 * add_target() adds those of the devices below it. */
static struct kd_error *add_volume(const struct drivers *drivers, const struct kd_plan_volume *volume)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(volume_kinds); i++)
		if (strcmp(volume->kind, volume_kinds[i].kind) == 0)
			return kd_error_wrap(volume_kinds[i].add(drivers, volume->argv), "volume %s", volume->name);
	return kd_error_create(KD_ERR_UNSUPPORTED, "volume %s: unknown kind %s", volume->name, volume->kind);
}

/* A plan that a person wrote may lack devices of a file system that has several. */
static struct kd_error *refuse_multiple_devices(const struct drivers *drivers, const struct kd_target_type *type,
						const char *device)
{
	_cleanup_free_ char *list = NULL;
	_cleanup_closedir_ DIR *all = NULL;
	const char *fsid, *entry;
	struct kd_error *err;

	err = kd_format(&list, "/sys/fs/%s", type->name);
	if (err)
		return err;
	all = kd_sysroot_open_dir(drivers->root, list);
	while (all && (fsid = kd_next_entry(all))) {
		_cleanup_free_ char *path = NULL;
		_cleanup_closedir_ DIR *devices = NULL;
		bool ours = false;
		size_t count = 0;

		err = kd_format(&path, "%s/%s/devices", list, fsid);
		if (err)
			return err;
		devices = kd_sysroot_open_dir(drivers->root, path);
		while (devices && (entry = kd_next_entry(devices))) {
			count++;
			ours = ours || strcmp(entry, last_part(device)) == 0;
		}
		if (ours && count > 1)
			return kd_error_create(
				KD_ERR_UNSUPPORTED,
				"its %s spans %zu devices, but the plan names one; have kdumpctl make the "
				"plan, or choose a file system on one device",
				type->name, count);
	}
	return NULL;
}

static struct kd_error *add_file_system(const struct drivers *drivers, const char *type)
{
	struct kd_error *err;
	bool found;

	err = add_alias(drivers, "fs-", type, &found);
	/* Before Linux 5.2 a kernel does not list the aliases of what is built in (898490c010b5 "moduleparam: Save
	 * information about built-in modules in separate file"). */
	if (!err && !found)
		err = modules_add(drivers->modules, type, &found);
	if (!err && !found)
		err = kd_error_create(KD_ERR_NOT_FOUND, "kernel %s has no module for file system %s", drivers->release,
				      type);
	return err;
}

/* Add all devices of the driver: sysfs tells which of them has the tag only since Linux 6.9 (a8f62f50b4e4 "virtiofs:
 * export filesystem tags through sysfs"). */
static struct kd_error *add_tag_devices(const struct drivers *drivers, const char *directory)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(drivers->root, directory);
	_cleanup_(names_free) struct names seen = { 0 };
	struct kd_error *err = NULL;
	const char *entry;

	while (dir && !err && (entry = kd_next_entry(dir))) {
		_cleanup_free_ char *device = NULL;

		err = follow(drivers->root, directory, entry, &device);
		if (!err && device)
			err = walk_up(drivers, device, &seen);
	}
	return err;
}

static struct kd_error *add_block_devices(const struct drivers *drivers, const char *device,
					  const struct kd_target_type *type, const char *options)
{
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err = walk_to_device(drivers, device, &directory);

	/* The drivers of the other devices are added with the plan's volumes. */
	if (!err && type->several_devices && !strstr(options, "device=" KD_PLAN_VOLUME_PREFIX))
		err = refuse_multiple_devices(drivers, type, directory);
	return err;
}

/* Each version of the protocol is a module, which the kernel asks for when nobody could load it. */
static struct kd_error *add_nfs_version(const struct drivers *drivers, const char *options)
{
	return add_needed(drivers, "", strstr(options, "vers=3") ? "nfsv3" : "nfsv4");
}

static struct kd_error *add_network_device(const struct drivers *drivers, const char *name)
{
	_cleanup_(names_free) struct names seen = { 0 };
	_cleanup_free_ char *directory = NULL, *device = NULL;
	struct kd_error *err = kd_format(&directory, "/sys/class/net/%s", name);

	if (!err)
		err = follow(drivers->root, directory, "device", &device);
	if (!err && !device)
		err = kd_error_create(KD_ERR_NOT_FOUND, "it is not there any more");
	return err ? err : walk_up(drivers, device, &seen);
}

/* @word: MODULE [TYPE]. A soft device makes the checksums of its packets itself, and asks for them when it is made. */
static struct kd_error *add_rdma(const struct drivers *drivers, char *const *word)
{
	static const char *const checksums[] = { "crc32_generic", "crypto-crc32", "crc32c_generic", "crypto-crc32c" };
	struct kd_error *err = NULL;

	if (!word[0])
		return kd_error_create(KD_ERR_FORMAT, "its line in the plan names no module");
	for (size_t i = 0; i < ARRAY_SIZE(checksums) && word[1] && !err; i++)
		err = add_if_there(drivers, "", checksums[i]);
	return err ? err : add_needed(drivers, "", word[0]);
}

/* Add the modules for a part of the plan's network: the driver of a device, or the kind of link. */
static struct kd_error *add_network(const struct drivers *drivers, const struct kd_plan_network *network)
{
	static const struct {
		const char *kind, *module;
	} kinds[] = { { "vlan", "8021q" }, { "bond", "bonding" }, { "bridge", "bridge" } };
	struct kd_error *err = NULL;
	size_t i;

	if (strcmp(network->kind, "device") == 0)
		err = add_network_device(drivers, network->name);
	for (i = 0; i < ARRAY_SIZE(kinds) && !err; i++)
		if (strcmp(network->kind, kinds[i].kind) == 0)
			err = add_needed(drivers, "", kinds[i].module);
	if (!err && strcmp(network->kind, "rdma") == 0)
		err = add_rdma(drivers, network->argv);
	/* Most kernels have IPv6 built in. */
	if (!err && strcmp(network->kind, "address") == 0 && strchr(network->argv[0], ':'))
		err = add_if_there(drivers, "", "ipv6");
	if (!err && strcmp(network->kind, "address") == 0 && kd_count_words(network->argv) > 2)
		err = add_if_there(drivers, "", "af_packet"); /* to ask the DHCP server */
	return kd_error_wrap(err, "network link %s", network->name);
}

/* A program that is talked to over a socket, and a file system in front of it. Most kernels have sockets built in. */
static struct kd_error *add_program_target(const struct drivers *drivers)
{
	struct kd_error *err = add_if_there(drivers, "", "unix");

	return err ? err : add_needed(drivers, "", "fuse");
}

/* Add the modules for device @device ("UUID=…", "/dev/…"; virtiofs: a tag) and the file system @type_name on it, which
 * is mounted with @options. */
static struct kd_error *add_target(const struct drivers *drivers, const char *device, const char *type_name,
				   const char *options)
{
	const struct kd_target_type *type = kd_target_type_find(type_name);
	struct kd_error *err;

	if (!type)
		err = kd_error_create(KD_ERR_UNSUPPORTED,
				      "the capture cannot mount %s; choose a target with " KD_TARGET_RECOMMENDED,
				      type_name);
	else if (type->source == KD_TARGET_TAG)
		err = add_tag_devices(drivers, type->devices);
	else if (type->source == KD_TARGET_SSH || type->source == KD_TARGET_OBJECTS)
		return kd_error_wrap(add_program_target(drivers), "dump target %s", device);
	else if (type->source == KD_TARGET_NFS)
		err = add_nfs_version(drivers, options);
	else
		err = add_block_devices(drivers, device, type, options);
	if (!err && kd_target_is_container(type))
		return add_needed(drivers, "", "fuse");
	if (!err)
		err = add_file_system(drivers, type_name);
	return kd_error_wrap(err, "dump target %s", device);
}

#define VIRTUAL_DEVICES "/sys/devices/virtual/"

static bool watchdog_is_active(const struct kd_sysroot *root, const char *name)
{
	_cleanup_free_ char *state = NULL;
	struct kd_error *err;

	err = kd_sysroot_read_line(root, &state, "/sys/class/watchdog/%s/state", name);
	kd_error_destroy(err);
	return state && strcmp(state, "active") == 0;
}

/* A watchdog of a super I/O chip has no device that would lead to its driver, but the driver is loaded. (softdog has no
 * device either, but it ended with its kernel.) */
static struct kd_error *add_loaded_watchdogs(const struct drivers *drivers)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(drivers->root, "/sys/module");
	struct kd_error *err = NULL;
	const char *name;
	bool found;

	while (dir && !err && (name = kd_next_entry(dir))) {
		if (strstr(name, "wdt"))
			err = modules_add(drivers->modules, name, &found);
	}
	return err;
}

/* The BMC's watchdog does not appear in /sys/class/watchdog at all. The module that talks to the BMC is not among its
 * dependencies. */
static struct kd_error *add_ipmi_watchdog(const struct drivers *drivers)
{
	static const char *const modules[] = { "ipmi_si", "ipmi_watchdog" };
	struct kd_error *err = NULL;
	bool found;
	size_t i;

	if (!kd_sysroot_exists(drivers->root, "/sys/module/ipmi_watchdog"))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(modules) && !err; i++)
		err = modules_add(drivers->modules, modules[i], &found);
	return err;
}

/* Add the modules for the watchdogs that are running. Without its driver nobody stops or feeds a watchdog, and it
 * resets the machine in the middle of the dump. */
static struct kd_error *add_watchdogs(const struct drivers *drivers)
{
	struct kd_error *err = add_ipmi_watchdog(drivers);
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(drivers->root, "/sys/class/watchdog");
	_cleanup_(names_free) struct names seen = { 0 };
	const char *name;

	while (dir && !err && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *device = NULL;

		if (!watchdog_is_active(drivers->root, name))
			continue;
		err = follow(drivers->root, "/sys/class/watchdog", name, &device);
		if (!err && device && strncmp(device, VIRTUAL_DEVICES, strlen(VIRTUAL_DEVICES)) == 0)
			err = add_loaded_watchdogs(drivers);
		else if (!err && device)
			err = walk_up(drivers, device, &seen);
		err = kd_error_wrap(err, "watchdog %s", name);
	}
	return err;
}

/* --- pstore ------------------------------------------------------------------------------------------------------- */

enum { EFI_FREE_MIN = 64 << 10 };

/* Firmware whose variables fill its memory may not boot any more. Kernels before 6.6 do not tell what is free, but any
 * of them refuses to write into the last 5 KiB (EFI_MIN_RESERVE in arch/x86/platform/efi/quirks.c). */
static bool efi_has_room(const struct kd_sysroot *root)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, "/sys/firmware/efi/efivars");
	struct statfs fs;

	return !path || statfs(path, &fs) < 0 || fs.f_type != EFIVARFS_MAGIC || !fs.f_blocks ||
	       (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= EFI_FREE_MIN;
}

/* The module of the store that keeps the capture's record; NULL: it is built in, or there is none. The kernel takes the
 * first one that registers. */
static const char *pstore_module(const struct kd_sysroot *root)
{
	_cleanup_free_ char *backend = NULL;

	kd_error_destroy(kd_sysroot_read_line(root, &backend, "/sys/module/pstore/parameters/backend"));
	if (backend && strcmp(backend, "ramoops") == 0)
		return "ramoops";
	if (backend && strcmp(backend, "(null)") != 0 && !kd_starts_with(backend, "efi"))
		return NULL;
	return kd_sysroot_exists(root, "/sys/firmware/efi/runtime") && efi_has_room(root) ? "efi_pstore" : NULL;
}

/* Last: a dump is worth more than a record of how it failed. */
static struct kd_error *add_pstore(const struct drivers *drivers)
{
	const char *module = drivers->plan->pstore ? pstore_module(drivers->root) : NULL;
	bool found;

	return module ? modules_add(drivers->modules, module, &found) : NULL;
}

/* --- all of a plan ------------------------------------------------------------------------------------------------ */

static struct kd_error *add_extra(const struct drivers *drivers, char *const *extra_modules)
{
	struct kd_error *err = NULL;
	bool found;

	for (; extra_modules && *extra_modules && !err; extra_modules++) {
		err = modules_add(drivers->modules, *extra_modules, &found);
		if (!err && !found)
			kd_warn(drivers->log, "Module %s not found", *extra_modules);
	}
	return err;
}

struct kd_error *drivers_add_plan(const struct drivers *drivers, char *const *extra_modules)
{
	const struct kd_plan *plan = drivers->plan;
	/* First: a watchdog that runs must be petted while drivers of disks, which can take minutes, are inserted. */
	struct kd_error *err = add_watchdogs(drivers);

	/* A dump may succeed without the driver of a watchdog. Without an image there is none. */
	if (err && err->code != KD_ERR_NOMEM) {
		kd_warn(drivers->log, "%s", err->text);
		kd_error_destroy(err);
		err = NULL;
	}
	for (size_t i = 0; i < plan->target_count && !err; i++)
		err = add_target(drivers, plan->target[i].device, plan->target[i].type, plan->target[i].options);
	if (!err && plan->boot.type)
		err = add_target(drivers, plan->boot.device, plan->boot.type, plan->boot.options);
	for (size_t i = 0; i < plan->network_count && !err; i++)
		err = add_network(drivers, &plan->network[i]);
	for (size_t i = 0; i < plan->volume_count && !err; i++)
		err = add_volume(drivers, &plan->volume[i]);
	if (!err)
		err = add_extra(drivers, extra_modules);
	return err ? err : add_pstore(drivers);
}
