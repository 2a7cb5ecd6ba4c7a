/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd-boot(7): files of entries, and unified kernel images, of the EFI system partition and of the extended boot
 * loader partition, sorted; then the default. */
#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/boot/entry_order.h"
#include "kdump/boot/read_menu.h"
#include "kdump/loader/uki.h"

/* Where these partitions are mounted. */
static const char *const tops[] = { "/efi", "/boot/efi", "/boot" };

enum { SECTION_MAX = 64 << 10, PATTERN_MAX = 255 };

/* What an entry is sorted by. */
struct row {
	size_t entry; /* in menu.raw */
	const char *id;
	struct menu_sort_key key;
	bool bad;  /* its boots have all failed (automatic boot assessment) */
	bool left; /* the boot loader does not show it */
};

struct menu {
	const struct kd_sysroot *root;
	struct boot_entries raw; /* as they were read */
	struct row *row;         /* as many */
};

static void menu_free_cleanup(struct menu *menu)
{
	for (size_t i = 0; i < menu->raw.count; i++) {
		free(menu->row[i].key.sort_key);
		free(menu->row[i].key.machine);
		free(menu->row[i].key.version);
	}
	free(menu->row);
	boot_entries_free(&menu->raw);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* "NAME+LEFT-DONE.conf" counts boots; the id is what is left without that. True: there is no boot left. */
static bool strip_counter(char *name)
{
	char *suffix = strrchr(name, '.'), *plus = strrchr(name, '+'), *end;
	unsigned long left;

	if (!plus || !suffix || plus > suffix || !isdigit((unsigned char)plus[1]))
		return false;
	left = strtoul(plus + 1, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		strtoul(end + 1, &end, 10);
	if (end != suffix)
		return false;
	memmove(plus, suffix, strlen(suffix) + 1);
	return left == 0;
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = tolower((unsigned char)*text);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);

	return length > end && strcasecmp(name + length - end, suffix) == 0;
}

/* --- unified kernel images ---------------------------------------------------------------------------------------- */

/* The text of a section; *ret stays as it is if there is none. */
static struct kd_error *read_section(int fd, const char *head, size_t size, const char *name, char **ret)
{
	_cleanup_free_ char *text = NULL;
	uint64_t offset, length;

	if (!uki_find(head, size, name, &offset, &length))
		return NULL;
	if (length > SECTION_MAX)
		return kd_error_create(KD_ERR_LIMIT, "its section %s is larger than %d bytes", name, SECTION_MAX);
	text = calloc(1, length + 1);
	if (!text)
		return kd_error_nomem();
	if (pread(fd, text, length, offset) != (ssize_t)length)
		return kd_error_create(KD_ERR_FORMAT, "its section %s is not in the file", name);
	free(*ret);
	*ret = take_ptr(text);
	return NULL;
}

/* The value of "NAME=value" in the text of an os-release file; NULL: none. */
static struct kd_error *os_value(const char *text, const char *const *names, char **ret)
{
	struct kd_error *err = NULL;

	for (; *names && !*ret && !err; names++) {
		size_t length = strlen(*names);

		for (const char *line = text; line && *line && !*ret; line = strchr(line, '\n')) {
			_cleanup_free_ char *value = NULL;
			char *word, *cursor;
			bool unterminated = false;

			line += *line == '\n';
			if (strncmp(line, *names, length) != 0 || line[length] != '=')
				continue;
			value = strndup(line + length + 1, strcspn(line + length + 1, "\r\n"));
			if (!value)
				return kd_error_nomem();
			cursor = value;
			word = kd_next_word(&cursor, &unterminated);
			if (word && *word)
				err = kd_set_text(ret, word);
			if (err)
				return err;
		}
	}
	return err;
}

static struct kd_error *take_os_release(const char *text, struct boot_entry *entry, struct menu_sort_key *key)
{
	static const char *const sort[] = { "IMAGE_ID", "ID", NULL };
	static const char *const version[] = { "IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID", NULL };
	static const char *const title[] = { "PRETTY_NAME", "NAME", "IMAGE_ID", "ID", NULL };
	_cleanup_free_ char *found = NULL;
	struct kd_error *err = os_value(text, sort, &key->sort_key);

	if (!err)
		err = os_value(text, version, &key->version);
	if (!err)
		err = os_value(text, title, &found);
	return err || !found ? err : kd_set_text(&entry->title, found);
}

static struct kd_error *read_unified(struct menu *menu, const char *path, struct boot_entry *entry, struct row *row)
{
	_cleanup_free_ char *release = NULL;
	_cleanup_close_ int fd = -1;
	char head[UKI_HEAD_SIZE];
	uint64_t offset, length;
	ssize_t size;
	struct kd_error *err = kd_sysroot_open_text(menu->root, path, &fd);

	if (err)
		return err;
	size = pread(fd, head, sizeof(head), 0);
	/* Of EFI programs only those with a kernel are in the menu. */
	row->left = size < 0 || !uki_find(head, size, UKI_KERNEL, &offset, &length);
	if (row->left)
		return NULL;
	err = read_section(fd, head, size, UKI_RELEASE, &entry->version);
	if (!err)
		err = read_section(fd, head, size, ".cmdline", &entry->options);
	entry->version[strcspn(entry->version, "\r\n")] = '\0';
	entry->options[strcspn(entry->options, "\r\n")] = '\0';
	if (!err)
		err = read_section(fd, head, size, ".osrel", &release);
	if (!err && release)
		err = take_os_release(release, entry, &row->key);
	return kd_error_wrap(err, "%s", path);
}

/* systemd-stub(7) appends the command lines of addons, EFI programs without code. */
static struct kd_error *add_addon(const struct kd_sysroot *root, const char *path, struct boot_entry *entry)
{
	_cleanup_free_ char *words = NULL, *before = NULL;
	_cleanup_close_ int fd = -1;
	char head[UKI_HEAD_SIZE];
	struct kd_error *err = kd_sysroot_open_text(root, path, &fd);
	ssize_t size;

	if (err)
		return err;
	size = pread(fd, head, sizeof(head), 0);
	if (size > 0)
		err = read_section(fd, head, size, ".cmdline", &words);
	if (err || !words)
		return kd_error_wrap(err, "%s", path);
	words[strcspn(words, "\r\n")] = '\0';
	before = take_ptr(entry->options);
	return kd_format(&entry->options, "%s%s%s", before, *before ? " " : "", words);
}

/* Those in one directory, by name. */
static struct kd_error *add_addons(const struct kd_sysroot *root, const char *directory, struct boot_entry *entry)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = NULL;

	if (kd_sysroot_exists(root, directory))
		err = kd_sysroot_list(root, directory, &names);
	for (size_t i = 0; i < names.count && !err; i++) {
		_cleanup_free_ char *path = NULL;

		if (!has_suffix(names.name[i], ".addon.efi"))
			continue;
		err = kd_format(&path, "%s/%s", directory, names.name[i]);
		if (!err)
			err = add_addon(root, path, entry);
	}
	return err;
}

/* Those for every image, then those of the image @path. */
static struct kd_error *find_addons(const struct kd_sysroot *root, const char *top, const char *path,
				    struct boot_entry *entry)
{
	_cleanup_free_ char *common = NULL, *own = NULL;
	struct kd_error *err = kd_format(&common, "%s/loader/addons", top);

	if (!err)
		err = kd_format(&own, "%s.extra.d", path);
	if (!err)
		err = add_addons(root, common, entry);
	return err ? err : add_addons(root, own, entry);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The entry that was appended last gets its row, and its place. */
static struct kd_error *add_row(struct menu *menu, const char *top, char *id, bool bad)
{
	struct row *grown = reallocarray(menu->row, menu->raw.count, sizeof(*grown));
	struct boot_entry *entry = &menu->raw.entry[menu->raw.count - 1];
	struct kd_error *err;

	if (!grown)
		return kd_error_nomem();
	menu->row = grown;
	grown[menu->raw.count - 1] = (struct row){ .entry = menu->raw.count - 1, .bad = bad };
	err = kd_set_text(&entry->id, id);
	return err ? err : kd_set_text(&entry->top, top);
}

static struct kd_error *add_unified(struct menu *menu, const char *top, const char *name, char *id, bool bad)
{
	_cleanup_free_ char *path = NULL;
	struct boot_entry *entry = NULL;
	struct kd_error *err = boot_entries_add(&menu->raw, &entry);

	if (err)
		return err;
	err = add_row(menu, top, id, bad);
	if (!err)
		err = kd_format(&entry->kernel, "/EFI/Linux/%s", name);
	if (!err)
		err = kd_format(&path, "%s%s", top, entry->kernel);
	entry->unified = true;
	if (!err)
		err = read_unified(menu, path, entry, &menu->row[menu->raw.count - 1]);
	if (err || menu->row[menu->raw.count - 1].left)
		return err;
	return find_addons(menu->root, top, path, entry);
}

/* What has no kernel, or one that is not there, is not in the menu. */
static bool is_left(const struct menu *menu, const struct boot_entry *entry)
{
	_cleanup_free_ char *file = NULL;
	struct kd_error *err;

	if (!entry->kernel)
		return true;
	err = boot_entry_file(menu->root, entry, entry->kernel, &file);
	kd_error_destroy(err);
	return !file;
}

static struct kd_error *add_specification(struct menu *menu, const char *top, const char *name, char *id, bool bad)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct menu_sort_key key = { 0 };
	size_t before = menu->raw.count;
	struct kd_error *err = kd_format(&path, "%s/loader/entries/%s", top, name), *more = NULL;

	if (!err)
		err = kd_sysroot_read(menu->root, path, &text, NULL);
	if (err)
		return err;
	err = read_menu_specification(text, id, &menu->raw, &key);
	if (menu->raw.count > before)
		more = add_row(menu, top, id, bad);
	if (menu->raw.count == before || more) {
		free(key.sort_key);
		free(key.machine);
		free(key.version);
		kd_error_destroy(err ? more : NULL);
		return err ? err : more;
	}
	menu->row[before].key = key;
	menu->row[before].left = key.foreign || is_left(menu, &menu->raw.entry[before]);
	return err;
}

typedef struct kd_error *add_file(struct menu *menu, const char *top, const char *name, char *id, bool bad);

static struct kd_error *add_files(struct menu *menu, const char *top, const char *folder, const char *suffix,
				  add_file *add)
{
	_cleanup_free_ char *directory = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	struct kd_error *err = kd_format(&directory, "%s/%s", top, folder);
	const char *name;

	if (err)
		return err;
	dir = kd_sysroot_open_dir(menu->root, directory);
	while (dir && !err && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *id = NULL;
		bool bad;

		if (!has_suffix(name, suffix))
			continue;
		id = strdup(name);
		if (!id)
			return kd_error_nomem();
		lower(id);
		bad = strip_counter(id);
		err = add(menu, top, name, id, bad);
	}
	return err;
}

/* --- the order ---------------------------------------------------------------------------------------------------- */

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_rows(const void *first, const void *second)
{
	const struct row *a = first, *b = second;
	int order = a->left - b->left;

	if (!order)
		order = a->bad - b->bad;
	if (!order)
		order = !a->key.sort_key - !b->key.sort_key;
	if (!order && a->key.sort_key) {
		order = compare_text(a->key.sort_key, b->key.sort_key);
		if (!order)
			order = compare_text(a->key.machine, b->key.machine);
		if (!order)
			order = -boot_version_compare(a->key.version, b->key.version);
	}
	return order ? order : -boot_version_compare(a->id, b->id);
}

/* Move what the boot loader shows to @ret, in its order. */
static struct kd_error *sort_into(struct menu *menu, struct boot_entries *ret)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < menu->raw.count; i++)
		menu->row[i].id = menu->raw.entry[i].id;
	if (menu->raw.count)
		qsort(menu->row, menu->raw.count, sizeof(menu->row[0]), compare_rows);
	for (size_t i = 0; i < menu->raw.count && !menu->row[i].left && !err; i++) {
		struct boot_entry *from = &menu->raw.entry[menu->row[i].entry], *to = NULL, moved;

		err = boot_entries_add(ret, &to);
		if (err)
			break;
		moved = *from;
		*from = *to;
		*to = moved;
		to->index = i;
	}
	return err;
}

/* --- the default -------------------------------------------------------------------------------------------------- */

/* A variable of the Boot Loader Interface: four bytes of attributes, then UTF-16. NULL: it is not set. */
static struct kd_error *read_variable(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_free_ char *path = NULL, *value = NULL, *text = NULL;
	size_t size = 0, length = 0;
	struct kd_error *err = kd_format(&path, "/sys/firmware/efi/efivars/%s-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
					 name);

	if (err || !kd_sysroot_exists(root, path))
		return err;
	err = kd_sysroot_read_max(root, path, SECTION_MAX, &value, &size);
	if (err)
		return err;
	text = calloc(1, size + 1);
	if (!text)
		return kd_error_nomem();
	for (size_t at = 4; at + 1 < size && (value[at] || value[at + 1]); at += 2) {
		unsigned char low = value[at]; /* whether char has a sign depends on the architecture */

		text[length++] = value[at + 1] || !low || low > 0x7f ? '?' : tolower(low);
	}
	if (length)
		*ret = take_ptr(text);
	return NULL;
}

static bool matches(const struct boot_entries *entries, const char *pattern, size_t *ret)
{
	if (!pattern || strlen(pattern) > PATTERN_MAX)
		return false;
	for (size_t i = 0; i < entries->count; i++)
		if (fnmatch(pattern, entries->entry[i].id, 0) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

static const char *const forget_oneshot[][BOOT_COMMAND_WORDS] = {
	{ "/usr/bin/bootctl", "set-oneshot", "" },
	{ NULL },
};

struct defaults {
	char *once, *variable, *saved, *conf;
};

static void defaults_free_cleanup(struct defaults *defaults)
{
	free(defaults->once);
	free(defaults->variable);
	free(defaults->saved);
	free(defaults->conf);
}

static void choose(const struct defaults *defaults, struct boot_entries *entries)
{
	const struct {
		const char *pattern, *why;
	} rules[] = {
		{ defaults->once, "systemd-boot's LoaderEntryOneShot, for one boot" },
		{ defaults->variable, "systemd-boot's LoaderEntryDefault" },
		{ defaults->conf, "the default of loader.conf" },
	};

	entries->why = "the first entry";
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		bool saved = rules[i].pattern && strcmp(rules[i].pattern, "@saved") == 0;

		if (!matches(entries, saved ? defaults->saved : rules[i].pattern, &entries->next))
			continue;
		entries->why = saved ? "systemd-boot's saved entry" : rules[i].why;
		if (i == 0)
			entries->forget = forget_oneshot;
		return;
	}
}

struct kd_error *read_menu_loader_conf(const char *text, char **ret)
{
	struct kd_error *err = NULL;

	for (const char *line = text; line && *line && !err; line = strchr(line, '\n')) {
		_cleanup_free_ char *copy = NULL;
		char *word;

		line += *line == '\n';
		copy = strndup(line, strcspn(line, "\r\n"));
		if (!copy)
			return kd_error_nomem();
		word = kd_strip(copy);
		if (!kd_starts_with(word, "default") || (word[7] != ' ' && word[7] != '\t'))
			continue;
		word = kd_strip(word + 7);
		lower(word);
		err = kd_set_text(ret, word);
	}
	return err;
}

static struct kd_error *read_conf(const struct kd_sysroot *root, char **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		_cleanup_free_ char *path = NULL, *text = NULL;
		struct kd_error *err = kd_format(&path, "%s/loader/loader.conf", tops[i]);

		if (err)
			return err;
		if (!kd_sysroot_exists(root, path))
			continue;
		err = kd_sysroot_read(root, path, &text, NULL);
		return err ? err : read_menu_loader_conf(text, ret);
	}
	return NULL;
}

static struct kd_error *read_defaults(const struct kd_sysroot *root, struct defaults *ret)
{
	struct kd_error *err = read_variable(root, "LoaderEntryOneShot", &ret->once);

	if (!err)
		err = read_variable(root, "LoaderEntryDefault", &ret->variable);
	if (!err)
		err = read_variable(root, "LoaderEntryLastBooted", &ret->saved);
	return err ? err : read_conf(root, &ret->conf);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

bool read_menu_has_unified(const struct kd_sysroot *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/EFI/Linux", tops[i]);
		if (kd_sysroot_exists(root, path))
			return true;
	}
	return false;
}

struct kd_error *read_menu_systemd_boot(const struct kd_sysroot *root, struct boot_entries *ret)
{
	_cleanup_(defaults_free) struct defaults defaults = { 0 };
	_cleanup_(menu_free) struct menu menu = { .root = root };
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(tops) && !err; i++) {
		err = add_files(&menu, tops[i], "loader/entries", ".conf", add_specification);
		if (!err)
			err = add_files(&menu, tops[i], "EFI/Linux", ".efi", add_unified);
	}
	if (!err)
		err = sort_into(&menu, ret);
	if (!err)
		err = read_defaults(root, &defaults);
	if (!err)
		choose(&defaults, ret);
	return err;
}
