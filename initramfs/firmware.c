/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/firmware.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/decompress.h"
#include "base/parse.h"
#include "base/text.h"
#include "initramfs/kernel_config.h"

#define FIRMWARE_MAX     ((size_t)256 << 20)
#define FIRMWARE_DIR     "/lib/firmware"
#define USR_FIRMWARE_DIR "/usr" FIRMWARE_DIR
#define DIRECTORY_MAX    6

/* What the kernel can expand, in the order in which it tries (Linux drivers/base/firmware_loader/main.c). */
static const struct {
	const char *suffix, *option;
} forms[] = {
	{ "", NULL },
	{ ".zst", "CONFIG_FW_LOADER_COMPRESS_ZSTD" },
	{ ".xz", "CONFIG_FW_LOADER_COMPRESS_XZ" },
};

void firmware_free(struct firmware *firmware)
{
	for (size_t i = 0; i < firmware->count; i++) {
		free(firmware->file[i].path);
		free(firmware->file[i].name);
	}
	free(firmware->file);
	names_free(&firmware->missing);
	names_free(&firmware->destitute);
	*firmware = (struct firmware){ 0 };
}

/* --- looking for files -------------------------------------------------------------------------------------------- */

struct search {
	const struct kd_sysroot *root;
	struct names directories; /* in the order of the kernel */
	struct firmware *firmware;
};

/* The kernel does not know the last directory, but a machine that has it there may have told the kernel. */
static struct kd_error *find_directories(const struct kd_sysroot *root, const char *release, struct names *ret)
{
	static const char *const places[] = { FIRMWARE_DIR "/updates", FIRMWARE_DIR, USR_FIRMWARE_DIR };
	_cleanup_free_ char *own = NULL;
	struct kd_error *err = NULL;

	kd_error_destroy(kd_sysroot_read_line(root, &own, "/sys/module/firmware_class/parameters/path"));
	if (own && *kd_strip(own) == '/')
		err = names_add(ret, kd_strip(own), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(places) && !err; i++) {
		_cleanup_free_ char *path = NULL;

		err = kd_format(&path, "%s/%s", places[i], release);
		if (!err)
			err = names_add(ret, path, NULL);
		if (!err)
			err = names_add(ret, places[i], NULL);
	}
	return err;
}

static bool is_regular(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool has_file(const struct firmware *firmware, const char *name)
{
	for (size_t i = 0; i < firmware->count; i++)
		if (strcmp(firmware->file[i].name, name) == 0)
			return true;
	return false;
}

/* Takes ownership of @path. */
static struct kd_error *append(struct firmware *firmware, char *path, const char *name, const char *suffix)
{
	struct firmware_file *grown = realloc(firmware->file, (firmware->count + 1) * sizeof(*grown));
	char *own = strdup(name);

	if (grown)
		firmware->file = grown;
	if (!grown || !own) {
		free(own);
		free(path);
		return kd_error_nomem();
	}
	grown[firmware->count++] = (struct firmware_file){ path, own, suffix };
	return NULL;
}

/* Add the file that the kernel would load as @name. */
static struct kd_error *find_file(const struct search *search, const char *name, bool *found)
{
	*found = has_file(search->firmware, name);
	for (size_t form = 0; form < ARRAY_SIZE(forms) && !*found; form++)
		for (size_t i = 0; i < search->directories.count && !*found; i++) {
			_cleanup_free_ char *path = NULL;
			struct kd_error *err = kd_format(&path, "%s/%s%s", search->directories.name[i], name,
							 forms[form].suffix);

			if (err)
				return err;
			*found = is_regular(search->root, path);
			if (*found)
				return append(search->firmware, take_ptr(path), name, forms[form].suffix);
		}
	return NULL;
}

/* @file, in a directory of firmware, without the suffix of a compressed file. */
static char *plain_name(const char *file)
{
	size_t length = strlen(file);

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t suffix = strlen(forms[i].suffix);

		if (suffix && length > suffix && strcmp(file + length - suffix, forms[i].suffix) == 0)
			length -= suffix;
	}
	return strndup(file, length);
}

/* Add the files in @directory/@parent that match @pattern; they are asked for as "@parent/NAME". */
static struct kd_error *match_files(const struct search *search, const char *directory, const char *parent,
				    const char *pattern, bool *found)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	struct kd_error *err = kd_format(&path, "%s/%s", directory, parent);
	const char *entry;

	if (err)
		return err;
	dir = kd_sysroot_open_dir(search->root, path);
	while (dir && !err && (entry = kd_next_entry(dir))) {
		_cleanup_free_ char *plain = plain_name(entry), *name = NULL;
		bool found_one = false;

		if (!plain)
			return kd_error_nomem();
		if (fnmatch(pattern, plain, FNM_PERIOD) != 0)
			continue;
		err = kd_format(&name, "%s%s%s", parent, *parent ? "/" : "", plain);
		if (!err)
			err = find_file(search, name, &found_one);
		*found = *found || found_one;
	}
	return err;
}

/* "brcm/brcmfmac*-sdio.*.bin". Patterns in the names of directories are not known to exist. */
static struct kd_error *find_pattern(const struct search *search, const char *pattern, bool *found)
{
	const char *slash = strrchr(pattern, '/');
	_cleanup_free_ char *parent = strndup(pattern, slash ? slash - pattern : 0);
	struct kd_error *err = parent ? NULL : kd_error_nomem();

	*found = false;
	for (size_t i = 0; i < search->directories.count && !err; i++)
		err = match_files(search, search->directories.name[i], parent, slash ? slash + 1 : pattern, found);
	return err;
}

static struct kd_error *find_for_module(const struct search *search, const struct modules *modules, const char *module)
{
	_cleanup_(names_free) struct names wanted = { 0 };
	struct kd_error *err = modules_firmware(modules, module, &wanted);
	bool any = false;

	for (size_t i = 0; i < wanted.count && !err; i++) {
		const char *name = wanted.name[i];
		_cleanup_free_ char *text = NULL;
		bool found = false;

		/* A name that leads out of the directory is none. */
		if (strstr(name, ".."))
			continue;
		err = strpbrk(name, "*?[") ? find_pattern(search, name, &found) : find_file(search, name, &found);
		any = any || found;
		if (err || found)
			continue;
		err = kd_format(&text, "%s: %s", module, name);
		if (!err)
			err = names_add(&search->firmware->missing, text, NULL);
	}
	return err || any || !wanted.count ? err : names_add(&search->firmware->destitute, module, NULL);
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct firmware_file *)a)->name, ((const struct firmware_file *)b)->name);
}

struct kd_error *firmware_find(const struct kd_sysroot *root, const char *release, const struct modules *modules,
			       struct firmware *ret)
{
	_cleanup_(firmware_free) struct firmware firmware = { 0 };
	struct search search = { .root = root, .firmware = &firmware };
	const struct names *visited = modules_visited(modules);
	struct kd_error *err = find_directories(root, release, &search.directories);

	for (size_t i = 0; i < visited->count && !err; i++)
		err = find_for_module(&search, modules, visited->name[i]);
	names_free(&search.directories);
	if (err)
		return err;
	/* The order of a directory is not the same on each machine. */
	if (firmware.count)
		qsort(firmware.file, firmware.count, sizeof(*firmware.file), compare_files);
	*ret = firmware;
	firmware = (struct firmware){ 0 };
	return NULL;
}

/* --- adding them to the image ------------------------------------------------------------------------------------- */

/* Can kernel @release expand files with @suffix? Only if its configuration says so. */
static struct kd_error *can_expand(const struct kd_sysroot *root, const char *release, const char *suffix, bool *ret)
{
	enum kernel_config config = KERNEL_CONFIG_YES;
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(forms) && !err; i++)
		if (forms[i].option && strcmp(forms[i].suffix, suffix) == 0)
			err = kernel_config_find(root, release, forms[i].option, &config);
	*ret = config == KERNEL_CONFIG_YES;
	return err;
}

/* Takes ownership of *@data, which is replaced. */
static struct kd_error *expand(const char *path, char **data, size_t *size)
{
	kd_decompress_fn *decompress = kd_decompress_probe(*data, *size);
	void *expanded = NULL;
	struct kd_error *err;

	if (!decompress)
		return kd_error_create(KD_ERR_FORMAT, "firmware %s is not compressed as its name says", path);
	err = decompress(*data, *size, FIRMWARE_MAX, path, &expanded, size);
	if (err)
		return err;
	free(*data);
	*data = expanded;
	return NULL;
}

static struct kd_error *add_file(const struct kd_sysroot *root, const char *release, const struct firmware_file *file,
				 struct image *image)
{
	_cleanup_free_ char *data = NULL, *path = NULL;
	struct kd_error *err;
	size_t size;
	bool as_it_is;

	err = can_expand(root, release, file->suffix, &as_it_is);
	if (!err)
		err = kd_format(&path, FIRMWARE_DIR "/%s%s", file->name, as_it_is ? file->suffix : "");
	if (!err)
		err = kd_sysroot_read_max(root, file->path, FIRMWARE_MAX, &data, &size);
	if (!err && !as_it_is)
		err = expand(file->path, &data, &size);
	return err ? err : image_add_file(image, path, 0600, IMAGE_STORE_PLAIN, take_ptr(data), size);
}

struct kd_error *firmware_add(const struct kd_sysroot *root, const char *release, const struct firmware *firmware,
			      struct image *image)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < firmware->count && !err; i++)
		err = add_file(root, release, &firmware->file[i], image);
	return err;
}
