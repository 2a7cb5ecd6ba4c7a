/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/modules.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libkmod.h>

#include "base/array.h"
#include "base/io.h"
#include "base/text.h"

struct modules {
	struct kmod_ctx *kmod;
	struct names seen; /* modules visited, including built-in ones */
	struct module_file *file;
	size_t count;
	size_t capacity;
};

static void kmod_module_unref_p(struct kmod_module **module)
{
	if (*module)
		kmod_module_unref(*module);
}

static void kmod_list_p(struct kmod_list **list)
{
	kmod_module_unref_list(*list);
}

#define _cleanup_module_      __attribute__((cleanup(kmod_module_unref_p)))
#define _cleanup_module_list_ __attribute__((cleanup(kmod_list_p)))

/* The directories of modprobe.d(5), highest priority first. */
static const char *const config_dirs[] = {
	"/etc/modprobe.d",
	"/run/modprobe.d",
	"/usr/local/lib/modprobe.d",
	"/lib/modprobe.d",
};
#define CONFIG_DIR_COUNT (ARRAY_SIZE(config_dirs))

/* Without these paths libkmod would use those of this host. */
static struct kd_error *open_kmod(const struct kd_sysroot *root, const char *directory, struct kmod_ctx **ret)
{
	char *paths[CONFIG_DIR_COUNT + 2] = { NULL };
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < CONFIG_DIR_COUNT && !err; i++) {
		paths[i] = kd_sysroot_path(root, config_dirs[i]);
		if (!paths[i])
			err = kd_error_nomem();
	}
	/* The soft dependencies that are stored in the modules; libkmod reads them only as configuration. */
	if (!err)
		err = kd_format(&paths[i], "%s/modules.softdep", directory);
	if (!err) {
		*ret = kmod_new(directory, (const char *const *)paths);
		if (!*ret)
			err = kd_error_os(errno, "cannot open the module index in %s", directory);
	}
	for (i = 0; i < CONFIG_DIR_COUNT + 1; i++)
		free(paths[i]);
	return err;
}

static struct kd_error *find_directory(const struct kd_sysroot *root, const char *release, char **ret)
{
	_cleanup_free_ char *directory = NULL, *real = NULL, *full = NULL;
	struct kd_error *err;

	if (release[0] == '\0' || strchr(release, '/') || release[0] == '.')
		return kd_error_create(KD_ERR_USAGE, "\"%s\" is not a kernel release", release);
	err = kd_format(&directory, "/lib/modules/%s", release);
	if (err)
		return err;
	err = kd_sysroot_realpath(root, directory, &real);
	if (err) {
		kd_error_destroy(err);
		return kd_error_create(KD_ERR_NOT_FOUND, "no modules for kernel %s: %s%s does not exist", release,
				       root->prefix, directory);
	}
	full = kd_sysroot_path(root, real);
	if (!full)
		return kd_error_nomem();
	*ret = take_ptr(full);
	return NULL;
}

/* The head of an index of depmod(8): magic number, version and place of the root, big-endian (kmod, libkmod-index.h).
 * */
#define INDEX_MAGIC 0xb007f457u
#define INDEX_HEAD  12

/* Say why libkmod cannot read the index at @path: libkmod itself says only "Invalid argument". NULL: it is readable. */
static struct kd_error *blame_index(const char *path, bool optional, const char *release)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t head[INDEX_HEAD / 4];
	ssize_t size;

	if (fd < 0 && errno == ENOENT)
		return optional ?
			       NULL :
			       kd_error_create(KD_ERR_NOT_FOUND, "%s does not exist: run \"depmod %s\"", path, release);
	size = fd < 0 ? -1 : kd_read_all(fd, head, sizeof(head));
	if (size < 0)
		return kd_error_os(errno, "cannot read %s", path);
	if (size == 0)
		return kd_error_create(KD_ERR_FORMAT, "%s is empty: run \"depmod %s\"", path, release);
	if (size < INDEX_HEAD)
		return kd_error_create(KD_ERR_FORMAT, "%s ends after %zd bytes: run \"depmod %s\"", path, size,
				       release);
	if (be32toh(head[0]) != INDEX_MAGIC)
		return kd_error_create(KD_ERR_FORMAT, "%s is not an index of modules: run \"depmod %s\"", path,
				       release);
	return NULL;
}

/* Name the index in @directory that libkmod failed to read with @errnum. */
static struct kd_error *find_bad_index(const char *directory, const char *release, int errnum)
{
	static const struct {
		const char *name;
		bool optional; /* to libkmod */
	} index[] = {
		{ "modules.dep.bin", false },     { "modules.alias.bin", false },
		{ "modules.symbols.bin", false }, { "modules.builtin.alias.bin", true },
		{ "modules.builtin.bin", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(index); i++) {
		_cleanup_free_ char *path = NULL;
		struct kd_error *err;

		err = kd_format(&path, "%s/%s", directory, index[i].name);
		if (err)
			return err;
		err = blame_index(path, index[i].optional, release);
		if (err)
			return err;
	}
	return kd_error_os(errnum, "cannot read the module index in %s (\"depmod %s\" writes a new one)", directory,
			   release);
}

struct kd_error *modules_open(const struct kd_sysroot *root, const char *release, struct modules **ret)
{
	_cleanup_(modules_close) struct modules *modules = calloc(1, sizeof(*modules));
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err;
	int r;

	if (!modules)
		return kd_error_nomem();
	err = find_directory(root, release, &directory);
	if (!err)
		err = open_kmod(root, directory, &modules->kmod);
	if (err)
		return err;
	kmod_set_log_priority(modules->kmod, 0);
	r = kmod_load_resources(modules->kmod);
	if (r < 0)
		return find_bad_index(directory, release, -r);
	*ret = take_ptr(modules);
	return NULL;
}

void modules_close(struct modules *modules)
{
	size_t i;

	if (!modules)
		return;
	for (i = 0; i < modules->count; i++) {
		free(modules->file[i].name);
		free(modules->file[i].path);
		free(modules->file[i].options);
	}
	free(modules->file);
	names_free(&modules->seen);
	if (modules->kmod)
		kmod_unref(modules->kmod);
	free(modules);
}

static struct kd_error *append(struct modules *modules, struct kmod_module *module)
{
	const char *options = kmod_module_get_options(module);
	struct module_file *file;

	if (modules->count == modules->capacity) {
		size_t capacity = modules->capacity ? modules->capacity * 2 : 16;

		file = reallocarray(modules->file, capacity, sizeof(*file));
		if (!file)
			return kd_error_nomem();
		modules->file = file;
		modules->capacity = capacity;
	}
	file = &modules->file[modules->count];
	file->name = strdup(kmod_module_get_name(module));
	file->path = strdup(kmod_module_get_path(module));
	file->options = strdup(options ? options : "");
	if (!file->name || !file->path || !file->options) {
		free(file->name);
		free(file->path);
		free(file->options);
		return kd_error_nomem();
	}
	modules->count++;
	return NULL;
}

static bool is_built_in(struct kmod_module *module)
{
	return kmod_module_get_initstate(module) == KMOD_MODULE_BUILTIN;
}

/* libkmod also returns a module that only a line of modprobe.d names. */
static bool is_there(struct kmod_module *module)
{
	return is_built_in(module) || kmod_module_get_path(module);
}

static struct kd_error *visit(struct modules *modules, struct kmod_module *module);

static struct kd_error *visit_list(struct modules *modules, struct kmod_list *list)
{
	struct kd_error *err = NULL;
	struct kmod_list *item;

	kmod_list_foreach(item, list)
	{
		_cleanup_module_ struct kmod_module *module = kmod_module_get_module(item);

		err = visit(modules, module);
		if (err)
			break;
	}
	return err;
}

/* Each module is visited once. This limits the depth and ends cycles. */
static struct kd_error *visit(struct modules *modules, struct kmod_module *module)
{
	_cleanup_module_list_ struct kmod_list *pre = NULL, *post = NULL, *hard = NULL;
	struct kd_error *err;
	bool first;

	err = names_add(&modules->seen, kmod_module_get_name(module), &first);
	if (err || !first)
		return err;
	if (is_built_in(module) || !is_there(module))
		return NULL;
	kmod_module_get_softdeps(module, &pre, &post);
	hard = kmod_module_get_dependencies(module);
	err = visit_list(modules, pre);
	if (!err)
		err = visit_list(modules, hard);
	if (!err)
		err = append(modules, module);
	if (!err)
		err = visit_list(modules, post);
	return err;
}

static struct kd_error *look_up(struct modules *modules, const char *alias, struct kmod_list **ret)
{
	int r = kmod_module_new_from_lookup(modules->kmod, alias, ret);

	return r < 0 && r != -ENOENT && r != -ENOSYS ? kd_error_os(-r, "cannot look up module %s", alias) : NULL;
}

struct kd_error *modules_add(struct modules *modules, const char *alias, bool *found)
{
	_cleanup_module_list_ struct kmod_list *list = NULL;
	struct kd_error *err = look_up(modules, alias, &list);

	struct kmod_list *item;

	if (err)
		return err;
	*found = false;
	kmod_list_foreach(item, list)
	{
		_cleanup_module_ struct kmod_module *module = kmod_module_get_module(item);

		*found = *found || is_there(module);
	}
	return visit_list(modules, list);
}

struct kd_error *modules_resolve(struct modules *modules, const char *modalias, struct names *ret)
{
	_cleanup_module_list_ struct kmod_list *list = NULL, *allowed = NULL;
	struct kd_error *err = look_up(modules, modalias, &list);
	struct kmod_list *item;
	int r;

	if (err || !list)
		return err;
	r = kmod_module_apply_filter(modules->kmod, KMOD_FILTER_BLACKLIST, list, &allowed);
	if (r < 0)
		return kd_error_os(-r, "cannot look up module %s", modalias);
	kmod_list_foreach(item, allowed)
	{
		_cleanup_module_ struct kmod_module *module = kmod_module_get_module(item);

		err = names_add(ret, kmod_module_get_name(module), NULL);
		if (err)
			break;
	}
	return err;
}

const struct names *modules_visited(const struct modules *modules)
{
	return &modules->seen;
}

struct kd_error *modules_firmware(const struct modules *modules, const char *name, struct names *ret)
{
	_cleanup_module_ struct kmod_module *module = NULL;
	struct kmod_list *info = NULL, *item;
	struct kd_error *err = NULL;
	int r = kmod_module_new_from_name(modules->kmod, name, &module);

	/* What is built in tells of itself only since Linux 5.2, and not to each libkmod. */
	if (r < 0 || kmod_module_get_info(module, &info) < 0)
		return r == -ENOMEM ? kd_error_nomem() : NULL;
	kmod_list_foreach(item, info)
	{
		if (strcmp(kmod_module_info_get_key(item), "firmware") == 0 && !err)
			err = names_add(ret, kmod_module_info_get_value(item), NULL);
	}
	kmod_module_info_free_list(info);
	return err;
}

const struct module_file *modules_list(const struct modules *modules, size_t *count_ret)
{
	*count_ret = modules->count;
	return modules->file;
}
