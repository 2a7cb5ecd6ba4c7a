/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/crypttab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

#define CRYPTTAB "/etc/crypttab"

enum { FIELDS = 4 };

void crypttab_entry_free(struct crypttab_entry *entry)
{
	free(entry->key_file);
	*entry = (struct crypttab_entry){ 0 };
}

static struct kd_error *refuse(const char *name, const char *why)
{
	return kd_error_create(KD_ERR_UNSUPPORTED, CRYPTTAB " %s for %s", why, name);
}

/* Take the options that tell where in the file the key lies. */
static struct kd_error *apply_options(const char *name, char *options, struct crypttab_entry *entry)
{
	char *option;

	while (options && (option = strsep(&options, ","))) {
		bool good = true;

		if (kd_starts_with(option, "keyfile-offset="))
			good = kd_parse_u64(strchr(option, '=') + 1, 10, &entry->offset);
		else if (kd_starts_with(option, "keyfile-size="))
			good = kd_parse_u64(strchr(option, '=') + 1, 10, &entry->size);
		else if (kd_starts_with(option, "keyscript="))
			return refuse(name, "asks a program for the key");
		if (!good)
			return kd_error_create(KD_ERR_CONFIG, CRYPTTAB ": %s: bad option \"%s\"", name, option);
	}
	return NULL;
}

static struct kd_error *take_entry(const struct kd_sysroot *root, const char *name, char **field,
				   struct crypttab_entry *ret)
{
	_cleanup_(crypttab_entry_free) struct crypttab_entry entry = { 0 };
	_cleanup_close_ int fd = -1;
	const char *file = field[2];
	struct kd_error *err;
	struct stat st;

	if (!file || strcmp(file, "none") == 0 || strcmp(file, "-") == 0)
		return refuse(name, "does not name a key file");
	if (*file != '/' || strchr(file, ':'))
		return refuse(name, "does not name a regular file");
	fd = kd_sysroot_open_file(root, file, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "its key file %s%s", root->prefix, file);
	if (!S_ISREG(st.st_mode))
		return refuse(name, "does not name a regular file");
	err = kd_set_text(&entry.key_file, file);
	if (!err)
		err = apply_options(name, field[3], &entry);
	if (err)
		return err;
	*ret = entry;
	entry = (struct crypttab_entry){ 0 };
	return NULL;
}

/* The fields of the entry for @name, in @text, which is owned by the caller. field[0] is NULL if there is none. */
static struct kd_error *find_entry(const struct kd_sysroot *root, const char *name, char *field[static FIELDS],
				   char **text)
{
	struct kd_error *err = kd_sysroot_read(root, CRYPTTAB, text, NULL);
	char *line, *cursor;

	field[0] = NULL;
	if (err && err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	for (cursor = *text; cursor && (line = strsep(&cursor, "\n"));) {
		size_t count = 0;
		char *word;

		memset(field, 0, FIELDS * sizeof(*field));
		while (count < FIELDS && (word = strsep(&line, " \t")))
			if (*word)
				field[count++] = word;
		if (count && *field[0] != '#' && strcmp(field[0], name) == 0)
			return NULL;
	}
	field[0] = NULL;
	return NULL;
}

struct kd_error *crypttab_find(const struct kd_sysroot *root, const char *name, struct crypttab_entry *ret)
{
	_cleanup_free_ char *text = NULL;
	char *field[FIELDS];
	struct kd_error *err = find_entry(root, name, field, &text);

	if (err)
		return err;
	return field[0] ? take_entry(root, name, field, ret) : refuse(name, "has no entry");
}

struct kd_error *crypttab_check_lasting(const struct kd_sysroot *root, const char *name)
{
	static const char *const generators[] = { "/dev/urandom", "/dev/random", "/dev/hwrng", "/dev/hw_random" };
	_cleanup_free_ char *text = NULL;
	char *field[FIELDS];
	struct kd_error *err = find_entry(root, name, field, &text);

	if (err || !field[0] || !field[2])
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(generators); i++)
		if (strcmp(field[2], generators[i]) == 0)
			return kd_error_create(KD_ERR_UNSUPPORTED,
					       CRYPTTAB " gives it a new key at each boot (%s), so that nobody could "
							"read a dump there: choose a dump target on another volume",
					       field[2]);
	return NULL;
}
