/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Menus of "key words" lines: entries of the Boot Loader Specification, and extlinux.conf. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/boot/read_menu.h"

/* As the Boot Loader Specification calls this machine. */
#if defined(__x86_64__)
#define KD_EFI_ARCHITECTURE "x64"
#elif defined(__aarch64__)
#define KD_EFI_ARCHITECTURE "aa64"
#else
#define KD_EFI_ARCHITECTURE ""
#endif

/* Cut the next line off *cursor that is neither empty nor a comment, in place. NULL: the end. */
static char *next_line(char **cursor, char **value)
{
	char *line;

	while ((line = strsep(cursor, "\n"))) {
		line = kd_strip(line);
		if (!*line || *line == '#')
			continue;
		*value = line + strcspn(line, " \t");
		if (**value)
			*(*value)++ = '\0';
		*value = kd_strip(*value);
		return line;
	}
	return NULL;
}

/* Append @more to the words @text. */
static struct kd_error *append_words(char **text, const char *more)
{
	_cleanup_free_ char *before = take_ptr(*text);

	return kd_format(text, "%s%s%s", before, *before && *more ? " " : "", more);
}

static struct kd_error *add_initrds(struct boot_entry *entry, char *words, const char *separators)
{
	struct kd_error *err = NULL;
	char *word;

	while (!err && (word = strsep(&words, separators)))
		if (*word)
			err = boot_entry_add_initrd(entry, word);
	return err;
}

/* --- Boot Loader Specification, type 1 ---------------------------------------------------------------------------- */

/* Where the text of a key goes; NULL: nowhere. */
static char **text_of(struct boot_entry *entry, struct menu_sort_key *key, const char *name)
{
	const struct {
		const char *name;
		char **text;
	} texts[] = {
		{ "title", &entry->title },
		{ "version", &entry->version },
		{ "linux", &entry->kernel },
		{ "uki", &entry->kernel },
		{ "sort-key", key ? &key->sort_key : NULL },
		{ "machine-id", key ? &key->machine : NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i].name, name) == 0)
			return texts[i].text;
	return NULL;
}

static struct kd_error *take_specification(struct boot_entry *entry, struct menu_sort_key *key, const char *name,
					   char *value)
{
	char **text = text_of(entry, key, name);

	entry->unified |= strcmp(name, "uki") == 0;
	if (text)
		return kd_set_text(text, value);
	if (strcmp(name, "initrd") == 0)
		return add_initrds(entry, value, " \t");
	if (strcmp(name, "options") == 0)
		return append_words(&entry->options, value);
	if (strcmp(name, "architecture") == 0 && key)
		key->foreign = strcasecmp(value, KD_EFI_ARCHITECTURE) != 0;
	return NULL;
}

struct kd_error *read_menu_specification(const char *text, const char *name, struct boot_entries *ret,
					 struct menu_sort_key *key)
{
	_cleanup_free_ char *copy = strdup(text);
	char *cursor = copy, *word, *value;
	struct boot_entry *entry = NULL;
	struct kd_error *err = copy ? boot_entries_add(ret, &entry) : kd_error_nomem();

	if (!err)
		err = kd_set_text(&entry->id, name);
	while (!err && (word = next_line(&cursor, &value)))
		err = take_specification(entry, key, word, value);
	if (!err && key && *entry->version)
		err = kd_set_text(&key->version, entry->version);
	return err;
}

/* --- extlinux ----------------------------------------------------------------------------------------------------- */

/* "KERNEL", or "KERNEL#CONFIGURATION" of a FIT image, which is no kernel file. */
static struct kd_error *take_extlinux(struct boot_entry *entry, const char *key, char *value)
{
	if (strcasecmp(key, "menu") == 0 && strncasecmp(value, "label", 5) == 0)
		return kd_set_text(&entry->title, kd_strip(value + 5));
	if (strcasecmp(key, "linux") == 0 || strcasecmp(key, "kernel") == 0)
		return strchr(value, '#') ? NULL : kd_set_text(&entry->kernel, value);
	if (strcasecmp(key, "initrd") == 0)
		return add_initrds(entry, value, ",");
	if (strcasecmp(key, "append") == 0)
		return kd_set_text(&entry->options, strcmp(value, "-") == 0 ? "" : value);
	return NULL;
}

/* initrd= on the command line of syslinux names the file, too. */
static struct kd_error *take_initrd_word(struct boot_entry *entry)
{
	const char *word = entry->initrd ? NULL : strstr(entry->options, "initrd=");
	_cleanup_free_ char *files = NULL;

	if (!word || (word > entry->options && word[-1] != ' '))
		return NULL;
	word += strlen("initrd=");
	files = strndup(word, strcspn(word, " "));
	return files ? add_initrds(entry, files, ",") : kd_error_nomem();
}

static struct kd_error *add_label(struct boot_entries *entries, const char *name, const char *append,
				  struct boot_entry **ret)
{
	struct boot_entry *entry = NULL;
	struct kd_error *err = boot_entries_add(entries, &entry);

	if (err)
		return err;
	entry->index = entries->count - 1;
	err = kd_set_text(&entry->id, name);
	if (!err)
		err = kd_set_text(&entry->title, name);
	if (!err)
		err = kd_set_text(&entry->options, append);
	*ret = entry;
	return err;
}

/* @append: of all entries, in what stands before them. */
static struct kd_error *take_line(const char *key, char *value, char **append, char **chosen, struct boot_entry **entry,
				  struct boot_entries *entries)
{
	if (strcasecmp(key, "label") == 0)
		return add_label(entries, value, *append, entry);
	if (strcasecmp(key, "default") == 0 || strcasecmp(key, "ontimeout") == 0)
		return kd_set_text(chosen, value);
	if (*entry)
		return take_extlinux(*entry, key, value);
	return strcasecmp(key, "append") == 0 ? kd_set_text(append, value) : NULL;
}

static void choose_label(const char *chosen, struct boot_entries *entries)
{
	entries->why = "the first entry";
	for (size_t i = 0; i < entries->count && chosen; i++)
		if (strcmp(entries->entry[i].id, chosen) == 0) {
			entries->next = i;
			entries->why = "the default of extlinux.conf";
			return;
		}
}

struct kd_error *read_menu_extlinux_text(const char *text, struct boot_entries *ret)
{
	_cleanup_free_ char *append = strdup(""), *chosen = NULL, *copy = strdup(text);
	char *cursor = copy, *key, *value;
	struct boot_entry *entry = NULL;
	struct kd_error *err = append && copy ? NULL : kd_error_nomem();

	while (!err && (key = next_line(&cursor, &value)))
		err = take_line(key, value, &append, &chosen, &entry, ret);
	for (size_t i = 0; i < ret->count && !err; i++)
		err = take_initrd_word(&ret->entry[i]);
	if (!err)
		choose_label(chosen, ret);
	return err;
}

/* A path without a slash in front counts from the directory of the file @conf. */
static struct kd_error *complete_path(const char *conf, char **path)
{
	_cleanup_free_ char *relative = NULL;

	if (!*path || **path == '/')
		return NULL;
	relative = take_ptr(*path);
	return kd_format(path, "%.*s/%s", (int)(strrchr(conf, '/') - conf), conf, relative);
}

static struct kd_error *complete_paths(const char *conf, struct boot_entries *entries)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < entries->count && !err; i++) {
		err = complete_path(conf, &entries->entry[i].kernel);
		for (char **file = entries->entry[i].initrd; file && *file && !err; file++)
			err = complete_path(conf, file);
	}
	return err;
}

struct kd_error *read_menu_extlinux(const struct kd_sysroot *root, struct boot_entries *ret)
{
	static const char *const files[] = { "/boot/extlinux/extlinux.conf", "/boot/extlinux.conf",
					     "/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *text = NULL;
		struct kd_error *err;

		if (!kd_sysroot_exists(root, files[i]))
			continue;
		err = kd_sysroot_read(root, files[i], &text, NULL);
		if (!err)
			err = read_menu_extlinux_text(text, ret);
		return err ? err : complete_paths(files[i], ret);
	}
	return kd_error_create(KD_ERR_NOT_FOUND, "%s does not exist: mount /boot", files[0]);
}
