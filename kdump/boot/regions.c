/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/regions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"

enum { ENTRIES_MAX = 1024 };

static struct kd_error *add_region(struct boot_file *file, const struct boot_region *region)
{
	struct boot_region *grown = reallocarray(file->region, file->regions + 1, sizeof(*grown));

	if (!grown)
		return kd_error_nomem();
	file->region = grown;
	grown[file->regions++] = *region;
	return NULL;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* A line "key words", as offsets in the text. */
struct line {
	size_t key, key_end;     /* after leading blanks */
	size_t value, value_end; /* without blanks at either end */
	size_t end;              /* the newline or the end */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Parse the line at *at, and move *at to the next line. False: end of the text. */
static bool next_line(const char *text, size_t *at, struct line *line)
{
	size_t i = *at;

	if (!text[i])
		return false;
	line->end = i + strcspn(text + i, "\n");
	while (is_blank(text[i]))
		i++;
	line->key = i;
	while (i < line->end && !is_blank(text[i]))
		i++;
	line->key_end = i;
	while (is_blank(text[i]))
		i++;
	line->value = i;
	line->value_end = line->end;
	while (line->value_end > line->value && is_blank(text[line->value_end - 1]))
		line->value_end--;
	*at = line->end + (text[line->end] == '\n');
	return true;
}

static bool key_is(const char *text, const struct line *line, const char *key)
{
	size_t length = strlen(key);

	return line->key_end - line->key == length && strncasecmp(text + line->key, key, length) == 0;
}

/* --- entries and labels ------------------------------------------------------------------------------------------- */

/* The parts of one boot entry that have been read so far. */
struct entry {
	char *kernel;
	size_t kernel_end;  /* end of its line */
	size_t first, last; /* the entry's regions, [first, last) */
};

/* The entry is complete. Its regions belong to its kernel, and the last region takes a new word. If it has no region,
 * add one after the line that names the kernel. */
static struct kd_error *end_entry(struct boot_file *file, struct entry *entry, const char *missing)
{
	struct kd_error *err = NULL;
	size_t i;

	if (entry->kernel && entry->first == file->regions)
		err = add_region(file, &(struct boot_region){ .start = entry->kernel_end,
							      .end = entry->kernel_end,
							      .missing = missing });
	for (i = entry->first; !err && entry->kernel && i < file->regions; i++) {
		file->region[i].kernel = strdup(entry->kernel);
		file->region[i].add = i + 1 == file->regions;
		if (!file->region[i].kernel)
			err = kd_error_nomem();
	}
	free(entry->kernel);
	*entry = (struct entry){ .first = file->regions };
	return err;
}

static struct kd_error *set_kernel(struct entry *entry, const char *text, const struct line *line)
{
	free(entry->kernel);
	entry->kernel = strndup(text + line->value, line->value_end - line->value);
	entry->kernel_end = line->end;
	return entry->kernel ? NULL : kd_error_nomem();
}

static struct kd_error *add_line(struct boot_file *file, const struct line *line)
{
	return add_region(file, &(struct boot_region){ .start = line->value, .end = line->value_end });
}

struct kd_error *boot_scan_entry(struct boot_file *file, const void *arg)
{
	struct entry entry = { 0 };
	struct kd_error *err = NULL;
	struct line line;
	size_t at = 0;

	while (!err && next_line(file->text, &at, &line)) {
		if (key_is(file->text, &line, "linux"))
			err = set_kernel(&entry, file->text, &line);
		else if (key_is(file->text, &line, "options"))
			err = add_line(file, &line);
	}
	if (!err)
		err = end_entry(file, &entry, "\noptions ");
	free(entry.kernel);
	return err;
}

struct kd_error *boot_scan_extlinux(struct boot_file *file, const void *arg)
{
	struct entry entry = { 0 };
	struct kd_error *err = NULL;
	struct line line;
	size_t at = 0;

	while (!err && next_line(file->text, &at, &line)) {
		if (key_is(file->text, &line, "label"))
			err = end_entry(file, &entry, "\n\tappend ");
		else if (key_is(file->text, &line, "linux") || key_is(file->text, &line, "kernel"))
			err = set_kernel(&entry, file->text, &line);
		else if (key_is(file->text, &line, "append"))
			err = add_line(file, &line);
	}
	if (!err)
		err = end_entry(file, &entry, "\n\tappend ");
	free(entry.kernel);
	return err;
}

struct kd_error *boot_scan_words(struct boot_file *file, const void *arg)
{
	struct kd_error *err = NULL;
	struct line line;
	size_t at = 0;

	while (!err && next_line(file->text, &at, &line))
		if (line.key < line.end && file->text[line.key] != '#')
			err = add_region(file, &(struct boot_region){ .start = line.key, .end = line.value_end });
	if (!err && !file->regions)
		err = add_region(file, &(struct boot_region){ .start = at, .end = at });
	if (!err)
		file->region[file->regions - 1].add = true;
	return err;
}

/* --- shell -------------------------------------------------------------------------------------------------------- */

/* Is there "NAME=" or "NAME+=" at @text, with or without "export"? Returns the start of the value, or NULL. */
static const char *assignment(const char *text, const char *name)
{
	size_t length = strlen(name);

	if (kd_starts_with(text, "export") && is_blank(text[6]))
		text += 6 + strspn(text + 6, " \t");
	if (strncmp(text, name, length) != 0)
		return NULL;
	text += length;
	text += *text == '+';
	return *text == '=' ? text + 1 : NULL;
}

/* The end of a piece of a shell word that starts at @at, after an opening @quote (0: without quotes). */
static size_t piece_end(const char *text, size_t at, char quote)
{
	while (text[at] && (quote ? text[at] != quote : !strchr(" \t\r\n;#&|\"'", text[at])))
		at += quote != '\'' && text[at] == '\\' && text[at + 1] ? 2 : 1;
	return at;
}

/* Add the pieces of the value at @at: "…", '…' and the unquoted text between them. */
static struct kd_error *add_pieces(struct boot_file *file, size_t at, size_t *end)
{
	const char *text = file->text;
	struct kd_error *err = NULL;

	while (!err && text[at] && !strchr(" \t\r\n;#&|", text[at])) {
		char quote = text[at] == '"' || text[at] == '\'' ? text[at] : 0;
		size_t start = at + !!quote;

		at = piece_end(text, start, quote);
		if (quote && !text[at])
			return kd_error_create(KD_ERR_FORMAT, "%s: a %c is not closed: correct the file first",
					       file->path, quote);
		err = add_region(file, &(struct boot_region){ .start = start, .end = at, .bare = !quote });
		at += !!quote;
	}
	*end = at;
	return err;
}

struct kd_error *boot_scan_shell(struct boot_file *file, const void *arg)
{
	struct kd_error *err = NULL;
	struct line line;
	size_t at = 0;

	if (strstr(file->text, "\r\n"))
		return kd_error_create(KD_ERR_FORMAT,
				       "%s has Windows line ends, and a shell would end the command line with a "
				       "carriage return: \"sed -i 's/\\r$//' %s\" removes them",
				       file->path, file->path);
	while (!err && next_line(file->text, &at, &line)) {
		const char *const *name;

		for (name = arg; !err && *name; name++) {
			const char *value = assignment(file->text + line.key, *name);
			size_t end = at;

			if (!value)
				continue;
			err = add_pieces(file, value - file->text, &end);
			if (!err && end > at) /* the quote spans several lines */
				at = end + strcspn(file->text + end, "\n");
			break;
		}
	}
	return err;
}

struct kd_error *boot_scan_shell_add(struct boot_file *file, const void *arg)
{
	struct kd_error *err = boot_scan_shell(file, arg);

	if (!err && file->regions && !file->region[file->regions - 1].bare)
		file->region[file->regions - 1].add = true;
	return err;
}

/* Does the assignment to @name that starts with @region drop the old value? */
static bool forgets(const struct boot_file *file, const struct boot_region *region, const char *name)
{
	size_t length = strlen(name), start = region->start - !region->bare, i;

	/* Only the first piece follows "NAME=". */
	if (start < length + 1 || file->text[start - 1] != '=' ||
	    strncmp(file->text + start - 1 - length, name, length) != 0 ||
	    (start > length + 1 && !strchr(" \t\n;", file->text[start - 2 - length])))
		return false;
	for (i = region->start; i < region->end; i++)
		if (file->text[i] == '$' &&
		    (strncmp(file->text + i + 1, name, length) == 0 ||
		     (file->text[i + 1] == '{' && strncmp(file->text + i + 2, name, length) == 0)))
			return false;
	return true;
}

/* Is @region a piece of an assignment to @name? The name is before the first '=' of the line. */
static bool is_of(const struct boot_file *file, const struct boot_region *region, const char *name)
{
	size_t start = region->start;

	while (start > 0 && file->text[start - 1] != '\n')
		start--;
	start += strspn(file->text + start, " \t");
	return assignment(file->text + start, name) != NULL;
}

void boot_config_void(struct boot_config *config, const char *name)
{
	bool forgotten = false;
	size_t i, j;

	for (i = config->files; i-- > 0;) {
		struct boot_file *file = &config->file[i];

		for (j = file->regions; j-- > 0;) {
			if (!is_of(file, &file->region[j], name))
				continue;
			file->region[j].void_ = forgotten;
			forgotten |= forgets(file, &file->region[j], name);
		}
	}
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static struct kd_error *append(struct boot_config *config, struct boot_file **ret)
{
	struct boot_file *grown = reallocarray(config->file, config->files + 1, sizeof(*grown));

	if (!grown)
		return kd_error_nomem();
	config->file = grown;
	*ret = &grown[config->files++];
	**ret = (struct boot_file){ 0 };
	return NULL;
}

struct kd_error *boot_config_add(const struct kd_sysroot *root, const char *path, boot_scan *scan, const void *arg,
				 struct boot_config *config)
{
	_cleanup_free_ char *text = NULL, *real = NULL;
	struct boot_file *file = NULL;
	struct kd_error *err;
	size_t size;

	err = kd_sysroot_read(root, path, &text, &size);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	if (!err && strlen(text) != size)
		err = kd_error_create(KD_ERR_FORMAT, "%s%s is not a text file", root->prefix, path);
	if (!err)
		err = kd_sysroot_realpath(root, path, &real);
	if (!err)
		err = append(config, &file);
	if (err)
		return err;
	file->text = take_ptr(text);
	file->path = take_ptr(real);
	return scan(file, arg);
}

struct kd_error *boot_config_add_all(const struct kd_sysroot *root, const char *directory, const char *suffix,
				     boot_scan *scan, const void *arg, struct boot_config *config)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = kd_sysroot_list(root, directory, &names);

	if (err && (err->errnum == ENOENT || err->errnum == ENOTDIR))
		return kd_error_destroy(err), NULL;
	for (size_t i = 0; i < names.count && i < ENTRIES_MAX && !err; i++) {
		size_t length = strlen(names.name[i]), tail = strlen(suffix);
		_cleanup_free_ char *path = NULL;

		if (length <= tail || strcmp(names.name[i] + length - tail, suffix) != 0)
			continue;
		err = kd_format(&path, "%s/%s", directory, names.name[i]);
		if (!err)
			err = boot_config_add(root, path, scan, arg, config);
	}
	return err;
}

struct kd_error *boot_config_add_absent(const char *path, struct boot_config *config)
{
	struct boot_file *file = NULL;
	struct kd_error *err = append(config, &file);

	if (err)
		return err;
	file->absent = true;
	file->path = strdup(path);
	file->text = strdup("");
	return file->path && file->text ? NULL : kd_error_nomem();
}

void boot_config_free(struct boot_config *config)
{
	size_t i, j;

	for (i = 0; i < config->files; i++) {
		for (j = 0; j < config->file[i].regions; j++)
			free(config->file[i].region[j].kernel);
		free(config->file[i].region);
		free(config->file[i].path);
		free(config->file[i].text);
	}
	free(config->file);
	*config = (struct boot_config){ 0 };
}
