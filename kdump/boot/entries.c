/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/entries.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/boot/read_menu.h"

enum { ENTRIES_MAX = 1024, INITRDS_MAX = 64 };

/* --- the list ----------------------------------------------------------------------------------------------------- */

struct kd_error *boot_entries_add(struct boot_entries *entries, struct boot_entry **ret)
{
	struct boot_entry *grown, *entry;

	if (entries->count == ENTRIES_MAX)
		return kd_error_create(KD_ERR_LIMIT, "the boot loader's menu has more than %d entries", ENTRIES_MAX);
	grown = reallocarray(entries->entry, entries->count + 1, sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	entries->entry = grown;
	entry = &grown[entries->count++];
	*entry = (struct boot_entry){
		.id = strdup(""), .title = strdup(""), .version = strdup(""), .options = strdup("")
	};
	if (!entry->id || !entry->title || !entry->version || !entry->options)
		return kd_error_nomem();
	*ret = entry;
	return NULL;
}

struct kd_error *boot_entry_add_initrd(struct boot_entry *entry, const char *path)
{
	size_t count = entry->initrd ? kd_count_words(entry->initrd) : 0;
	char **grown;

	if (count == INITRDS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "the entry \"%s\" has more than %d initramfs files", entry->title,
				       INITRDS_MAX);
	grown = reallocarray(entry->initrd, count + 2, sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	entry->initrd = grown;
	grown[count] = strdup(path);
	grown[count + 1] = NULL;
	return grown[count] ? NULL : kd_error_nomem();
}

void boot_files_free(char **files)
{
	for (char **file = files; file && *file; file++)
		free(*file);
	free(files);
}

static void free_entry(struct boot_entry *entry)
{
	boot_files_free(entry->initrd);
	free(entry->id);
	free(entry->title);
	free(entry->version);
	free(entry->top);
	free(entry->uuid);
	free(entry->kernel);
	free(entry->options);
}

void boot_entries_free(struct boot_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free_entry(&entries->entry[i]);
	free(entries->entry);
	for (size_t i = 0; i < entries->submenus; i++) {
		free(entries->submenu[i]->id);
		free(entries->submenu[i]->title);
		free(entries->submenu[i]);
	}
	free(entries->submenu);
	*entries = (struct boot_entries){ 0 };
}

/* --- looking for one ---------------------------------------------------------------------------------------------- */

/* A kernel's file is usually called vmlinuz-VERSION. */
static struct kd_error *complete(struct boot_entry *entry)
{
	const char *name = entry->kernel ? strrchr(entry->kernel, '/') : NULL;

	name = name ? strchr(name, '-') : NULL;
	return name && !*entry->version ? kd_set_text(&entry->version, name + 1) : NULL;
}

/* "none fits; there are: …" */
static struct kd_error *not_found(const struct boot_entries *entries, const char *what, const char *name)
{
	_cleanup_free_ char *list = NULL;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < entries->count; i++) {
		const struct boot_entry *entry = &entries->entry[i];

		if (entry->kernel)
			fprintf(out, "%s\"%s\" (%s)", ftell(out) > 0 ? ", " : "", *entry->id ? entry->id : entry->title,
				entry->version);
	}
	if (fclose(out))
		return kd_error_nomem();
	return kd_error_create(KD_ERR_NOT_FOUND, "the boot loader's menu has no entry %s %s; it has %s", what, name,
			       *list ? list : "no kernel");
}

struct kd_error *boot_entries_find(const struct boot_entries *entries, const char *name, size_t *ret)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct boot_entry *entry = &entries->entry[i];

		if (strcmp(entry->id, name) == 0 || strcmp(entry->title, name) == 0 ||
		    (entry->kernel && strcmp(entry->kernel, name) == 0)) {
			*ret = i;
			return NULL;
		}
	}
	return not_found(entries, "called", name);
}

struct kd_error *boot_entries_find_version(const struct boot_entries *entries, const char *version, size_t *ret)
{
	/* A recovery entry of the same kernel may come first in a menu. */
	for (size_t i = 0; i <= entries->count; i++) {
		size_t index = i ? i - 1 : entries->next;
		const struct boot_entry *entry = &entries->entry[index];

		if (entry->kernel && strcmp(entry->version, version) == 0) {
			*ret = index;
			return NULL;
		}
	}
	return not_found(entries, "with kernel", version);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static dev_t file_system_of(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_dev : 0;
}

/* A file system of its own has no kernels of the root in it. */
static const char *const apart[] = { "/boot", "", "/efi", "/boot/efi", NULL };
static const char *const together[] = { "", "/boot", "/efi", "/boot/efi", NULL };

/* The number of the device whose file system has @uuid; 0: not known. */
static dev_t device_of(const struct kd_sysroot *root, const char *uuid)
{
	_cleanup_free_ char *link = NULL, *node = NULL, *number = NULL;
	unsigned int high, low;
	int end = 0;

	if (strchr(uuid, '/') || kd_error_discard(kd_format(&link, "/dev/disk/by-uuid/%s", uuid)) ||
	    kd_error_discard(kd_sysroot_realpath(root, link, &node)) ||
	    kd_error_discard(kd_sysroot_read_line(root, &number, "/sys/class/block/%s/dev", strrchr(node, '/') + 1)) ||
	    sscanf(number, "%u:%u%n", &high, &low, &end) != 2 || number[end])
		return 0;
	return makedev(high, low);
}

/* A file of the same name may be on another file system, as when the one that is meant is not mounted. btrfs has
 * numbers that are no device's: there it cannot be told. */
static bool is_meant(const struct kd_sysroot *root, const char *path, const char *uuid)
{
	dev_t wanted = uuid ? device_of(root, uuid) : 0, found = file_system_of(root, path);

	return !wanted || !major(found) || wanted == found;
}

static struct kd_error *try_below(const struct kd_sysroot *root, const char *top, const char *path, const char *uuid,
				  char **ret)
{
	_cleanup_free_ char *candidate = NULL;
	struct kd_error *err = kd_format(&candidate, "%s%s", top, path);

	if (!err && kd_sysroot_exists(root, candidate) && is_meant(root, candidate, uuid))
		*ret = take_ptr(candidate);
	return err;
}

/* A path in the boot loader's terms counts from the top of a file system, which is mounted somewhere. */
static struct kd_error *search(const struct kd_sysroot *root, const char *path, const char *uuid, char **ret)
{
	bool boot_apart = file_system_of(root, "/boot") != file_system_of(root, "/");
	struct kd_error *err = NULL;

	for (const char *const *top = boot_apart ? apart : together; *top && !err && !*ret; top++)
		err = try_below(root, *top, path, uuid, ret);
	return err;
}

struct kd_error *boot_entry_file(const struct kd_sysroot *root, const struct boot_entry *entry, const char *path,
				 char **ret)
{
	/* "(hd0,gpt2)/vmlinuz" */
	const char *below = *path == '(' && strchr(path, ')') ? strchr(path, ')') + 1 : path, *subvolume;
	_cleanup_free_ char *found = NULL;
	struct kd_error *err = NULL;

	if (entry->top)
		err = try_below(root, entry->top, below, entry->uuid, &found);
	else if (*below == '/')
		err = search(root, below, entry->uuid, &found);
	/* btrfs: the boot loader also names the subvolume that is mounted at the top. */
	subvolume = kd_starts_with(below, "/@") ? strchr(below + 1, '/') : NULL;
	if (!err && !found && subvolume && !entry->top)
		err = search(root, subvolume, entry->uuid, &found);
	if (!err && !found)
		err = kd_error_create(KD_ERR_NOT_FOUND,
				      "%s%s, which the boot loader's entry \"%s\" names, does not exist on %s%s: "
				      "mount the file system that has it (/boot?)",
				      entry->top ? entry->top : "", path, *entry->title ? entry->title : entry->id,
				      entry->uuid ? "a mounted file system with UUID " : "this machine",
				      entry->uuid ? entry->uuid : "");
	if (!err)
		*ret = take_ptr(found);
	return err;
}

struct kd_error *boot_entry_initrds(const struct kd_sysroot *root, const struct boot_entry *entry, char ***ret)
{
	size_t count = entry->initrd ? kd_count_words(entry->initrd) : 0;
	struct kd_error *err = NULL;
	char **files;

	if (!count)
		return NULL;
	files = calloc(count + 1, sizeof(*files));
	if (!files)
		return kd_error_nomem();
	for (size_t i = 0; i < count && !err; i++)
		err = boot_entry_file(root, entry, entry->initrd[i], &files[i]);
	if (err)
		boot_files_free(files);
	else
		*ret = files;
	return err;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *loader; /* struct boot_loader.name */
	struct kd_error *(*read)(const struct kd_sysroot *root, struct boot_entries *ret);
} readers[] = {
	{ "grub", read_menu_grub },
	{ "grubby", read_menu_grub },
	{ "systemd-boot", read_menu_systemd_boot },
	{ "u-boot-menu", read_menu_extlinux },
	{ "extlinux", read_menu_extlinux },
};

static struct kd_error *no_loader(void)
{
	return kd_error_create(
		KD_ERR_NOT_FOUND,
		"no boot loader whose menu kdumpctl can read was found (GRUB, systemd-boot, extlinux): load the "
		"kernel with \"kexec -l KERNEL --initrd=FILE --append=OPTIONS\", then \"systemctl kexec\"");
}

/* Unified kernel images alone are a menu for systemd-boot. */
static struct kd_error *loader_name(const struct kd_sysroot *root, const char *name, const char **ret)
{
	const struct boot_loader *loader = NULL;
	struct kd_error *err = boot_loader_choose(root, name, &loader);

	if (err && err->code == KD_ERR_NOT_FOUND) {
		kd_error_destroy(err);
		err = read_menu_has_unified(root) ? NULL : no_loader();
	}
	if (!err)
		*ret = loader ? loader->name : "systemd-boot";
	return err;
}

struct kd_error *boot_entries_load(const struct kd_sysroot *root, const char *name, struct boot_entries *ret)
{
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };
	const char *loader = NULL;
	struct kd_error *err = loader_name(root, name, &loader);

	for (size_t i = 0; i < ARRAY_SIZE(readers) && !err; i++)
		if (strcmp(readers[i].loader, loader) == 0)
			err = readers[i].read(root, &entries);
	for (size_t i = 0; i < entries.count && !err; i++)
		err = complete(&entries.entry[i]);
	if (!err && !entries.count)
		err = kd_error_create(KD_ERR_NOT_FOUND, "the menu of the boot loader (%s) has no entry", loader);
	if (err)
		return err;
	*ret = entries;
	entries = (struct boot_entries){ 0 };
	return NULL;
}
