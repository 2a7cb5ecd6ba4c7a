/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/boot/entry_order.h"
#include "kdump/boot/grub_script.h"
#include "kdump/boot/read_menu.h"

struct grub {
	const struct kd_sysroot *root;
	char *directory; /* with grub.cfg and grubenv */
};

static void grub_free_cleanup(struct grub *grub)
{
	free(grub->directory);
}

/* --- what the script asks for ------------------------------------------------------------------------------------- */

static struct kd_error *load_environment(void *arg, struct grub_variables *variables)
{
	const struct grub *grub = arg;
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct kd_error *err = kd_format(&path, "%s/grubenv", grub->directory);

	if (err || !kd_sysroot_exists(grub->root, path))
		return err;
	err = kd_sysroot_read(grub->root, path, &text, NULL);
	return err ? err : grub_environment_parse(text, variables);
}

static bool find_file(const struct grub *grub, const char *path, char **ret)
{
	const struct boot_entry anywhere = { .title = (char *)"", .id = (char *)"" };
	struct kd_error *err = boot_entry_file(grub->root, &anywhere, path, ret);

	kd_error_destroy(err);
	return *ret;
}

static bool has_file(void *arg, const char *path, bool filled)
{
	const struct grub *grub = arg;
	_cleanup_free_ char *file = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!find_file(grub, path, &file))
		return false;
	fd = kd_sysroot_open_file(grub->root, file, O_PATH);
	return fd >= 0 && fstat(fd, &st) == 0 && (!filled || st.st_size > 0);
}

static struct kd_error *read_file(void *arg, const char *path, char **ret)
{
	const struct grub *grub = arg;
	_cleanup_free_ char *file = NULL;

	return find_file(grub, path, &file) ? kd_sysroot_read(grub->root, file, ret, NULL) : NULL;
}

/* Put the variables of an entry's line in their places: "root=… $kernelopts". */
static struct kd_error *expand(const struct grub_variables *variables, char **text)
{
	_cleanup_free_ char *expanded = NULL;
	const char *at = *text;
	size_t size;
	FILE *out = open_memstream(&expanded, &size);

	if (!out)
		return kd_error_nomem();
	while (*at) {
		char name[64];
		size_t length = 0;

		if (*at != '$') {
			fputc(*at++, out);
			continue;
		}
		for (at++; (isalnum((unsigned char)*at) || *at == '_') && length < sizeof(name) - 1; at++)
			name[length++] = *at;
		name[length] = '\0';
		fputs(grub_variable_get(variables, name), out);
	}
	if (fclose(out))
		return kd_error_nomem();
	free(*text);
	*text = take_ptr(expanded);
	return NULL;
}

/* A variable may stand for several files, or for none. */
static struct kd_error *expand_initrds(const struct grub_variables *variables, struct boot_entry *entry)
{
	char **before = take_ptr(entry->initrd);
	struct kd_error *err = NULL;

	for (char **file = before; file && *file; file++) {
		char *cursor, *word;

		if (!err)
			err = expand(variables, file);
		cursor = *file;
		while (!err && (word = strsep(&cursor, " \t")))
			if (*word)
				err = boot_entry_add_initrd(entry, word);
		free(*file);
	}
	free(before);
	return err;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return boot_entry_compare((*b)->d_name, (*a)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return suffix && strcmp(suffix, ".conf") == 0;
}

static struct kd_error *add_entry(const struct grub *grub, const char *directory, const char *name,
				  const struct grub_variables *variables, struct boot_entries *entries)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t before = entries->count;
	struct boot_entry *entry;
	struct kd_error *err = kd_format(&path, "%s/%s", directory, name);

	if (!err)
		err = kd_sysroot_read(grub->root, path, &text, NULL);
	if (!err)
		err = read_menu_specification(text, name, entries, NULL);
	if (err || entries->count == before)
		return err;
	entry = &entries->entry[before];
	entry->id[strlen(entry->id) - strlen(".conf")] = '\0';
	err = expand(variables, &entry->options);
	return err ? err : expand_initrds(variables, entry);
}

static struct kd_error *add_entries(void *arg, const struct grub_variables *variables, struct boot_entries *entries)
{
	static const char directory[] = "/boot/loader/entries";
	const struct grub *grub = arg;
	_cleanup_close_ int fd = kd_sysroot_open_file(grub->root, directory, O_RDONLY | O_DIRECTORY);
	struct dirent **names = NULL;
	struct kd_error *err = NULL;
	int count = fd < 0 ? 0 : scandirat(fd, ".", &names, is_entry, newest_first);

	for (int i = 0; i < count; i++) {
		if (!err)
			err = add_entry(grub, directory, names[i]->d_name, variables, entries);
		free(names[i]);
	}
	free(names);
	return err;
}

/* --- the default -------------------------------------------------------------------------------------------------- */

/* GRUB takes whatever is a number for a place in the menu. A '>' of a title is written twice. */
static bool is_meant(const char *name, size_t length, size_t index, const char *id, const char *title)
{
	const char *const names[] = { id, title };
	uint64_t number;
	char digits[24];

	if (length && length < sizeof(digits) && strspn(name, "0123456789") >= length) {
		memcpy(digits, name, length);
		digits[length] = '\0';
		return kd_parse_u64(digits, 10, &number) && number == index;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *at = names[i], *end = name + length, *in = name;

		while (in < end && *at && *in == *at) {
			in += *in == '>' ? 2 : 1;
			at++;
		}
		if (in == end && !*at && *names[i])
			return true;
	}
	return false;
}

/* The length of the first part of "1>0". */
static size_t part_length(const char *name)
{
	size_t length = 0;

	while (name[length] && (name[length] != '>' || name[length + 1] == '>'))
		length += name[length] == '>' ? 2 : 1;
	return length;
}

/* What is called @name in the menu @submenu, or stands at @index there if @name is NULL: an entry or a submenu. */
static bool find_in(const struct boot_entries *entries, const struct boot_submenu *submenu, const char *name,
		    size_t length, const struct boot_submenu **inner, size_t *ret)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct boot_entry *entry = &entries->entry[i];

		if (entry->submenu == submenu &&
		    (name ? is_meant(name, length, entry->index, entry->id, entry->title) : entry->index == 0)) {
			*ret = i;
			return true;
		}
	}
	for (size_t i = 0; i < entries->submenus; i++) {
		const struct boot_submenu *candidate = entries->submenu[i];

		if (candidate->parent == submenu &&
		    (name ? is_meant(name, length, candidate->index, candidate->id, candidate->title) :
			    candidate->index == 0)) {
			*inner = candidate;
			return true;
		}
	}
	return false;
}

/* "2", "1>0", a title, an id, or those mixed. In each menu GRUB takes the first row if none is called that. */
static size_t find_default(const struct boot_entries *entries, const char *name)
{
	const struct boot_submenu *submenu = NULL, *inner;
	size_t found = 0;

	do {
		size_t length = part_length(name);

		inner = NULL;
		if (!find_in(entries, submenu, name, length, &inner, &found) &&
		    !find_in(entries, submenu, NULL, 0, &inner, &found))
			return 0;
		name += length + (name[length] == '>');
		submenu = inner;
	} while (inner);
	return found;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static struct kd_error *set_known(const struct grub *grub, struct grub_variables *variables)
{
	const char *const known[][2] = {
		{ "prefix", grub->directory },
		{ "config_directory", grub->directory },
		{ "grub_platform", kd_sysroot_exists(grub->root, "/sys/firmware/efi") ? "efi" : "pc" },
		{ "grub_cpu", "x86_64" },
		{ "feature_menuentry_id", "y" },
		{ "feature_platform_search_hint", "y" },
	};
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(known) && !err; i++)
		err = grub_variable_set(variables, known[i][0], known[i][1]);
	return err;
}

static const char *const forget_once[][BOOT_COMMAND_WORDS] = {
	{ "/usr/bin/grub2-editenv", "-", "unset", "next_entry" },
	{ "/usr/bin/grub-editenv", "-", "unset", "next_entry" },
	{ NULL },
};

/* The default is what the script makes of the environment; the environment tells whether it is for one boot. */
static struct kd_error *choose(struct grub *grub, const struct grub_variables *variables, struct boot_entries *entries)
{
	_cleanup_(grub_variables_free) struct grub_variables environment = { 0 };
	const char *name = grub_variable_get(variables, "default"), *once, *saved;
	struct kd_error *err = load_environment(grub, &environment);

	if (err)
		return err;
	once = grub_variable_get(&environment, "next_entry");
	saved = grub_variable_get(&environment, "saved_entry");
	entries->next = find_default(entries, name);
	if (*once && strcmp(once, name) == 0) {
		entries->why = "GRUB's next_entry, for one boot";
		entries->forget = forget_once;
	} else {
		entries->why = *saved && strcmp(saved, name) == 0 ? "GRUB's saved_entry" : "GRUB's default";
	}
	return NULL;
}

/* Red Hat's GRUB for EFI had its files on the EFI system partition until RHEL 8; a link in /etc tells. */
static struct kd_error *find_directory(const struct kd_sysroot *root, char **ret)
{
	static const char *const files[] = { "/etc/grub2-efi.cfg", "/boot/grub2/grub.cfg", "/boot/grub/grub.cfg" };

	for (size_t i = kd_sysroot_exists(root, "/sys/firmware/efi") ? 0 : 1; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = NULL;
		struct kd_error *err;

		if (!kd_sysroot_exists(root, files[i]))
			continue;
		err = kd_sysroot_realpath(root, files[i], &path);
		if (err)
			return err;
		*strrchr(path, '/') = '\0';
		*ret = take_ptr(path);
		return NULL;
	}
	return kd_error_create(KD_ERR_NOT_FOUND,
			       "neither /boot/grub/grub.cfg nor /boot/grub2/grub.cfg exists: mount /boot");
}

struct kd_error *read_menu_grub(const struct kd_sysroot *root, struct boot_entries *ret)
{
	_cleanup_(grub_variables_free) struct grub_variables variables = { 0 };
	_cleanup_(grub_free) struct grub grub = { .root = root };
	_cleanup_free_ char *path = NULL, *text = NULL;
	const struct grub_hooks hooks = { load_environment, add_entries, has_file, read_file, &grub };
	struct kd_error *err = find_directory(root, &grub.directory);

	if (!err)
		err = kd_format(&path, "%s/grub.cfg", grub.directory);
	if (!err)
		err = kd_sysroot_read(root, path, &text, NULL);
	if (!err)
		err = set_known(&grub, &variables);
	if (!err)
		err = grub_script_run(text, path, &hooks, &variables, ret);
	return err ? err : choose(&grub, &variables, ret);
}
