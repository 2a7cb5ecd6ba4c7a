/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/boots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/record.h"
#include "base/text.h"

/* The file has a line for each boot, the newest first: ID SINCE ARMED SHUTDOWN SIGN. */

/* --- signs of life ------------------------------------------------------------------------------------------------ */

/* Whatever writes regularly. */
static const char *const logs[] = { "/var/log/syslog", "/var/log/messages", "/var/log/kern.log", "/var/log/wtmp" };
#define JOURNALS "/var/log/journal"

static void take_sign(const struct kd_sysroot *root, const char *path, int64_t end, int64_t *sign)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	/* What this boot has written already tells nothing of the one before. */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime < end && st.st_mtime > *sign)
		*sign = st.st_mtime;
}

static void take_signs_in(const struct kd_sysroot *root, const char *directory, unsigned int depth, int64_t end,
			  int64_t *sign)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, directory);
	const char *name;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *path = NULL;

		if (kd_error_discard(kd_format(&path, "%s/%s", directory, name)))
			return;
		if (depth)
			take_signs_in(root, path, depth - 1, end, sign);
		else
			take_sign(root, path, end, sign);
	}
}

/* The last sign of life before @end, when this boot began; not before @since. */
static int64_t last_sign(const struct kd_sysroot *root, int64_t since, int64_t end)
{
	int64_t sign = since;

	for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
		take_sign(root, logs[i], end, &sign);
	take_signs_in(root, JOURNALS, 1, end, &sign);
	return sign > since ? sign : 0;
}

/* --- the record --------------------------------------------------------------------------------------------------- */

static bool is_id(const char *id)
{
	return strlen(id) == KD_BOOT_ID_SIZE - 1 && strspn(id, "0123456789abcdef-") == KD_BOOT_ID_SIZE - 1;
}

/* What is not a line of ours is a boot of which nothing is known. */
static void parse(char *line, struct boot *ret)
{
	struct boot boot = { 0 };
	int64_t *const number[] = { &boot.since, &boot.armed, &boot.shutdown, &boot.sign };
	bool unterminated;
	char *word = kd_next_word(&line, &unterminated);

	if (!word || !is_id(word))
		return;
	memcpy(boot.id, word, KD_BOOT_ID_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(number); i++) {
		word = kd_next_word(&line, &unterminated);
		if (!word || !kd_parse_s64(word, number[i]) || *number[i] < 0)
			return;
	}
	*ret = boot;
}

/* When this boot began, from /proc/stat; 0: unknown. */
static int64_t boot_time(const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	uint64_t seconds;
	char *line;

	kd_error_destroy(kd_sysroot_read(root, "/proc/stat", &text, NULL));
	line = text ? strstr(text, "\nbtime ") : NULL;
	if (!line)
		return 0;
	line += strlen("\nbtime ");
	line[strcspn(line, "\n")] = '\0';
	return kd_parse_u64(line, 10, &seconds) && seconds <= INT64_MAX ? (int64_t)seconds : 0;
}

static struct kd_error *read_text(const struct kd_sysroot *root, char **ret)
{
	struct kd_error *err = kd_record_read(root, BOOTS_PATH, ret);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	return err;
}

struct kd_error *boots_read(const struct kd_sysroot *root, struct boots *ret)
{
	_cleanup_free_ char *text = NULL, *id = NULL;
	struct boots boots = { 0 };
	struct kd_error *err = read_text(root, &text);
	char *cursor = text;

	if (!err)
		err = kd_sysroot_read_line(root, &id, KD_BOOT_ID_PATH);
	if (err)
		return err;
	if (cursor)
		parse(strsep(&cursor, "\n"), &boots.now);
	if (cursor)
		parse(strsep(&cursor, "\n"), &boots.before);
	if (strcmp(boots.now.id, id) != 0) {
		boots.before = boots.now;
		boots.now = (struct boot){ .since = boot_time(root) };
		if (is_id(id))
			memcpy(boots.now.id, id, KD_BOOT_ID_SIZE);
		if (*boots.before.id)
			boots.before.sign = last_sign(root, boots.before.since, boots.now.since);
	}
	*ret = boots;
	return NULL;
}

static struct kd_error *write_boots(const struct kd_sysroot *root, const struct boots *boots)
{
	const struct boot *const list[] = { &boots->now, &boots->before };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (*list[i]->id)
			fprintf(out, "%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", list[i]->id,
				list[i]->since, list[i]->armed, list[i]->shutdown, list[i]->sign);
	if (fclose(out) != 0)
		return kd_error_nomem();
	return kd_record_write(root, BOOTS_PATH, text, size, 0644);
}

struct kd_error *boots_note_armed(const struct kd_sysroot *root, bool armed)
{
	struct boots boots;
	struct kd_error *err = boots_read(root, &boots);

	if (err)
		return err;
	/* The disk is not written to each time that the same image is loaded again. */
	if (armed == (boots.now.armed != 0) && boots.now.since)
		return boots_note(root);
	boots.now.armed = armed ? time(NULL) : 0;
	return write_boots(root, &boots);
}

struct kd_error *boots_note_shutdown(const struct kd_sysroot *root)
{
	struct boots boots;
	struct kd_error *err = boots_read(root, &boots);

	if (err)
		return err;
	boots.now.shutdown = time(NULL);
	return write_boots(root, &boots);
}

struct kd_error *boots_note(const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	struct boots boots;
	struct kd_error *err = boots_read(root, &boots);

	if (!err)
		err = read_text(root, &text);
	if (err || (text && kd_starts_with(text, boots.now.id)))
		return err;
	return write_boots(root, &boots);
}
