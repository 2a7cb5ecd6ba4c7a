/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/elf_closure.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/programs.h"
#include "base/text.h"
#include "initramfs/elf_object.h"
#include "initramfs/names.h"

#define INPUT_MAX        ((size_t)256 << 20)
#define SCRIPT_DEPTH_MAX 4 /* scripts interpreted by scripts; the kernel's limit is 4 too */
#define CONF_DEPTH_MAX   4

static const char *const program_dirs[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", NULL,
};
/* The loader's own list, and Debian's directories for each architecture. As in the loader, libraries for another
 * architecture or word size are skipped. */
static const char *const library_dirs[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib/aarch64-linux-gnu",
	"/usr/lib/aarch64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
	NULL,
};

struct closure {
	const struct kd_sysroot *root;
	struct image *image;
	struct names *packed;
	struct names conf_dirs; /* of ld.so.conf(5) */
	struct names done;      /* canonical paths of the files that are complete */
	char *loader_dir;       /* of the program's loader, which every loader searches */
	char *main_path;        /* the program's canonical path */
	char *main_rpath;       /* its RPATH, which its libraries inherit; NULL for none */
};

static void closure_free(struct closure *closure)
{
	names_free(&closure->conf_dirs);
	names_free(&closure->done);
	free(closure->loader_dir);
	free(closure->main_path);
	free(closure->main_rpath);
}
static void closure_free_cleanup(struct closure *closure)
{
	closure_free(closure);
}

/* dirname(3) in new memory. */
static struct kd_error *directory_of(const char *path, char **ret)
{
	const char *slash = strrchr(path, '/');

	return kd_format(ret, "%.*s", slash && slash > path ? (int)(slash - path) : 1, slash ? path : ".");
}

static bool is_regular(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Find the path of @program, which may be a bare name. */
static struct kd_error *find_program(const struct kd_sysroot *root, const char *program, char **ret)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err;
	size_t i;

	if (strchr(program, '/')) {
		if (program[0] != '/' || !is_regular(root, program))
			return kd_error_create(KD_ERR_NOT_FOUND, "program %s does not exist", program);
		return kd_format(ret, "%s", program);
	}
	for (i = 0; program_dirs[i]; i++) {
		free(path);
		err = kd_format(&path, "%s/%s", program_dirs[i], program);
		if (err)
			return err;
		if (is_regular(root, path)) {
			*ret = take_ptr(path);
			return NULL;
		}
	}
	return kd_error_create(KD_ERR_NOT_FOUND, "program %s is in none of the usual directories", program);
}

/* --- ld.so.conf --------------------------------------------------------------------------------------------------- */
static struct kd_error *read_conf(struct closure *closure, const char *path, unsigned int depth);

static struct kd_error *include_confs(struct closure *closure, const char *pattern, unsigned int depth)
{
	const char *prefix = closure->root->prefix;
	_cleanup_free_ char *full = NULL;
	struct kd_error *err;
	glob_t found;
	size_t i;

	err = kd_format(&full, "%s%s%s", prefix, pattern[0] == '/' ? "" : "/etc/", pattern);
	if (err)
		return err;
	if (glob(full, 0, NULL, &found) != 0)
		return NULL;
	for (i = 0; i < found.gl_pathc && !err; i++)
		err = read_conf(closure, found.gl_pathv[i] + strlen(prefix), depth + 1);
	globfree(&found);
	return err;
}

static struct kd_error *read_conf(struct closure *closure, const char *path, unsigned int depth)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	char *line, *rest;

	err = depth < CONF_DEPTH_MAX ? kd_sysroot_read(closure->root, path, &text, NULL) : NULL;
	kd_error_destroy(err); /* a machine may have none */
	err = NULL;
	for (rest = text; rest && !err && (line = strsep(&rest, "\n"));) {
		line[strcspn(line, "#")] = '\0';
		line = kd_strip(line);
		if (kd_starts_with(line, "include") && isspace((unsigned char)line[strlen("include")]))
			err = include_confs(closure, kd_strip(line + strlen("include")), depth);
		else if (line[0] == '/')
			err = names_add(&closure->conf_dirs, line, NULL);
	}
	return err;
}

/* --- looking for a library ---------------------------------------------------------------------------------------- */

/* *ret: @directory/@name, if it is a library that @object can use. */
static struct kd_error *try_directory(const struct closure *closure, const struct elf_object *object,
				      const char *directory, const char *name, char **ret)
{
	char head[ELF_OBJECT_HEAD_SIZE];
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;
	ssize_t n;

	err = kd_format(&path, "%s/%s", directory, name);
	if (err || !is_regular(closure->root, path))
		return err;
	fd = kd_sysroot_open_file(closure->root, path, O_RDONLY | O_NONBLOCK);
	n = fd < 0 ? -1 : kd_read_all(fd, head, sizeof(head));
	if (n > 0 && elf_object_accepts(object, head, n))
		*ret = take_ptr(path);
	return NULL;
}

/* @search is a list of directories as in RPATH. The directory of @path, the file that has the list, replaces $ORIGIN. A
 * directory with another $-token is skipped. */
static struct kd_error *try_search_path(const struct closure *closure, const struct elf_object *object,
					const char *search, const char *path, const char *name, char **ret)
{
	_cleanup_free_ char *copy = NULL, *origin = NULL;
	struct kd_error *err;
	char *element, *rest;

	if (!search)
		return NULL;
	err = directory_of(path, &origin);
	if (!err)
		err = kd_format(&copy, "%s", search);
	for (rest = copy; !err && !*ret && (element = strsep(&rest, ":"));) {
		_cleanup_free_ char *directory = NULL;
		const char *tail = NULL;

		if (kd_starts_with(element, "$ORIGIN"))
			tail = element + strlen("$ORIGIN");
		else if (kd_starts_with(element, "${ORIGIN}"))
			tail = element + strlen("${ORIGIN}");
		err = kd_format(&directory, "%s%s", tail ? origin : "", tail ? tail : element);
		if (!err && directory[0] == '/' && !strchr(directory, '$'))
			err = try_directory(closure, object, directory, name, ret);
	}
	return err;
}

static struct kd_error *try_list(const struct closure *closure, const struct elf_object *object,
				 const char *const *directories, size_t count, const char *name, char **ret)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < count && directories[i] && !err && !*ret; i++)
		err = try_directory(closure, object, directories[i], name, ret);
	return err;
}

/* Find library @name as the loader would for @object, which was loaded from @path. *by_rpath_ret: a path inside @object
 * led to it, so that the loader finds it in the capture environment too. */
static struct kd_error *find_library(const struct closure *closure, const struct elf_object *object, const char *path,
				     const char *name, char **ret, bool *by_rpath_ret)
{
	const char *loader_dir[] = { closure->loader_dir };
	const char *const *conf_dirs = (const char *const *)closure->conf_dirs.name;
	struct kd_error *err;

	err = try_search_path(closure, object, object->rpath, path, name, ret);
	if (!err && !*ret)
		err = try_search_path(closure, object, closure->main_rpath, closure->main_path, name, ret);
	if (!err && !*ret)
		err = try_search_path(closure, object, object->runpath, path, name, ret);
	*by_rpath_ret = *ret != NULL;
	if (!err && !*ret)
		err = try_list(closure, object, conf_dirs, closure->conf_dirs.count, name, ret);
	if (!err && !*ret)
		err = try_list(closure, object, loader_dir, 1, name, ret);
	if (!err && !*ret)
		err = try_list(closure, object, library_dirs, SIZE_MAX, name, ret);
	if (!err && !*ret)
		err = kd_error_create(KD_ERR_NOT_FOUND, "%s needs library %s, which does not exist", path, name);
	return err;
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

/* Read the file at @path. *real_ret is its canonical name; @path becomes a link to it if the two differ. *data_ret is
 * its content, which the caller adds; it stays NULL if the file was added before. */
static struct kd_error *claim_file(struct closure *closure, const char *path, char **real_ret, char **data_ret,
				   size_t *size_ret)
{
	_cleanup_free_ char *real = NULL;
	struct kd_error *err;
	bool first;

	err = kd_sysroot_realpath(closure->root, path, &real);
	if (!err && strcmp(real, path) != 0)
		err = image_add_symlink(closure->image, path, real);
	if (!err)
		err = names_add(&closure->done, real, &first);
	if (!err && first)
		err = kd_sysroot_read_max(closure->root, real, INPUT_MAX, data_ret, size_ret);
	if (err)
		return err;
	if (first && *size_ret == 0)
		return kd_error_create(KD_ERR_FORMAT, "%s is empty: install its package again", real);
	*real_ret = take_ptr(real);
	return NULL;
}

/* Take over @data, the ELF file @path. */
static struct kd_error *add_packed(struct closure *closure, const char *path, char *data, size_t size)
{
	_cleanup_free_ char *owned = data, *member = NULL;
	struct kd_error *err = kd_format(&member, "%s" KD_PROGRAMS_SUFFIX, path);

	if (!err)
		err = names_add(closure->packed, path, NULL);
	return err ? err : image_add_file(closure->image, member, 0755, IMAGE_STORE_GZIP, take_ptr(owned), size);
}

static struct kd_error *add_libraries(struct closure *closure, const struct elf_object *object, const char *path);

/* @path: where the loader will find the library. */
static struct kd_error *add_library(struct closure *closure, const char *path)
{
	_cleanup_(elf_object_free) struct elf_object object = { 0 };
	_cleanup_free_ char *real = NULL, *data = NULL;
	struct kd_error *err;
	size_t size = 0;

	err = claim_file(closure, path, &real, &data, &size);
	if (err || !data)
		return err;
	err = elf_object_parse(data, size, real, &object);
	if (err)
		return err;
	err = add_packed(closure, real, take_ptr(data), size);
	return err ? err : add_libraries(closure, &object, path);
}

/* The image has no ld.so.cache, so the loader would not find libraries in a directory that only ld.so.conf names. A
 * link in the loader's own directory leads to each of them. */
static struct kd_error *add_needed(struct closure *closure, const struct elf_object *object, const char *path,
				   const char *name)
{
	_cleanup_free_ char *found = NULL, *real = NULL, *link = NULL;
	struct kd_error *err;
	bool by_rpath;

	if (strchr(name, '/'))
		return add_library(closure, name);
	err = find_library(closure, object, path, name, &found, &by_rpath);
	if (err)
		return err;
	if (by_rpath)
		return add_library(closure, found);
	err = kd_sysroot_realpath(closure->root, found, &real);
	if (!err)
		err = add_library(closure, real);
	if (!err)
		err = kd_format(&link, "%s/%s", closure->loader_dir, name);
	if (!err && strcmp(link, real) != 0)
		err = image_add_symlink(closure->image, link, real);
	return err;
}

/* The number of libraries limits the depth, as each is added once. */
static struct kd_error *add_libraries(struct closure *closure, const struct elf_object *object, const char *path)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < object->needed.count && !err; i++)
		err = add_needed(closure, object, path, object->needed.name[i]);
	return err;
}

/* Take over @data. */
static struct kd_error *add_elf_program(struct closure *closure, const char *real, char *data, size_t size)
{
	_cleanup_(elf_object_free) struct elf_object object = { 0 };
	_cleanup_free_ char *owned = data, *loader = NULL;
	struct kd_error *err;

	err = elf_object_parse(data, size, real, &object);
	if (!err)
		err = add_packed(closure, real, take_ptr(owned), size);
	if (err || !object.interpreter)
		return err;
	if (!is_regular(closure->root, object.interpreter))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s needs loader %s, which does not exist", real,
				       object.interpreter);
	free(closure->loader_dir);
	free(closure->main_path);
	free(closure->main_rpath);
	closure->loader_dir = NULL;
	closure->main_rpath = object.rpath ? strdup(object.rpath) : NULL;
	closure->main_path = strdup(real);
	if (!closure->main_path || (object.rpath && !closure->main_rpath))
		return kd_error_nomem();
	err = kd_sysroot_realpath(closure->root, object.interpreter, &loader);
	if (!err)
		err = directory_of(loader, &closure->loader_dir);
	if (!err)
		err = add_library(closure, object.interpreter);
	return err ? err : add_libraries(closure, &object, real);
}

static struct kd_error *add_program(struct closure *closure, const char *program, unsigned int depth);

/* The program that env(1) is to run, by its arguments @rest of a "#!" line: "python3", "-S python3 -u",
 * "-S NAME=VALUE python3". NULL: that cannot be told. */
static char *program_of_env(char *rest)
{
	static const char *const splits[] = { "-S", "-vS", "--split-string=" };
	char *word = kd_next_word(&rest, &(bool){ false });
	size_t i;

	if (!word || *word != '-')
		return word;
	for (i = 0; i < ARRAY_SIZE(splits) && !kd_starts_with(word, splits[i]); i++)
		;
	if (i == ARRAY_SIZE(splits))
		return NULL;
	word += strlen(splits[i]);
	while (word && (!*word || strchr(word, '=')))
		word = kd_next_word(&rest, &(bool){ false });
	return word && *word != '-' ? word : NULL;
}

/* Take over @data, which starts with "#!". */
static struct kd_error *add_script(struct closure *closure, const char *real, char *data, size_t size,
				   unsigned int depth)
{
	_cleanup_free_ char *owned = data, *line = strndup(data + 2, strcspn(data + 2, "\n"));
	char *rest = line, *interpreter, *program = NULL;
	struct kd_error *err;

	if (!line)
		return kd_error_nomem();
	err = image_add_file(closure->image, real, 0755, IMAGE_STORE_PLAIN, take_ptr(owned), size);
	if (err)
		return err;
	interpreter = kd_next_word(&rest, &(bool){ false });
	if (!interpreter || interpreter[0] != '/' || depth == SCRIPT_DEPTH_MAX)
		return kd_error_create(KD_ERR_FORMAT, "%s: its first line does not name an interpreter", real);
	err = add_program(closure, interpreter, depth + 1);
	if (!err && strcmp(strrchr(interpreter, '/'), "/env") == 0)
		program = program_of_env(rest);
	if (program)
		err = add_program(closure, program, depth + 1);
	return kd_error_wrap(err, "interpreter of %s", real);
}

/* What is no program keeps its permissions: ssh refuses a key that others can read. */
static mode_t mode_of(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_mode & 0777 : 0755;
}

static struct kd_error *add_program(struct closure *closure, const char *program, unsigned int depth)
{
	_cleanup_free_ char *path = NULL, *real = NULL, *data = NULL;
	struct kd_error *err;
	size_t size = 0;

	err = find_program(closure->root, program, &path);
	if (!err)
		err = claim_file(closure, path, &real, &data, &size);
	if (err || !data)
		return err;
	if (elf_object_probe(data, size))
		return add_elf_program(closure, real, take_ptr(data), size);
	if (kd_starts_with(data, "#!"))
		return add_script(closure, real, take_ptr(data), size, depth);
	return image_add_file(closure->image, real, mode_of(closure->root, real), IMAGE_STORE_PLAIN, take_ptr(data),
			      size);
}

struct kd_error *elf_closure_add(const struct kd_sysroot *root, const char *program, struct image *image,
				 struct names *packed)
{
	_cleanup_(closure_free) struct closure closure = { .root = root, .image = image, .packed = packed };
	struct kd_error *err;

	err = read_conf(&closure, "/etc/ld.so.conf", 0);
	return err ? err : add_program(&closure, program, 0);
}
