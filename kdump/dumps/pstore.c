/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/pstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/klog.h"
#include "base/parse.h"
#include "base/text.h"
#include "base/trust.h"

#define KERNELS_STORE "/sys/fs/pstore"
#define SYSTEMD_STORE "/var/lib/systemd/pstore"
#define QUOTE         "kdump: | "

/* --- records ------------------------------------------------------------------------------------------------------ */

struct record {
	char *path; /* below the root */
	char *text; /* behind its head */
	char reason[16];
	uint64_t number, count, part;
	int64_t time;
};

struct records {
	struct record *record;
	size_t count;
};

static void records_free(struct records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		free(records->record[i].path);
		free(records->record[i].text);
	}
	free(records->record);
}
static inline void records_free_cleanup(struct records *records)
{
	records_free(records);
}

/* "Panic#1 Part2" and a newline. */
static bool parse_head(char *text, struct record *record, char **rest)
{
	char *newline = strchr(text, '\n'), *hash = strchr(text, '#'), *part = strstr(text, " Part");

	if (!newline || !hash || !part || hash > part || part > newline || hash == text ||
	    (size_t)(hash - text) >= sizeof(record->reason))
		return false;
	*newline = *hash = *part = '\0';
	if (!kd_parse_u64(hash + 1, 10, &record->count) || !kd_parse_u64(part + strlen(" Part"), 10, &record->part))
		return false;
	memcpy(record->reason, text, strlen(text) + 1);
	*rest = newline + 1;
	return true;
}

/* The text of a record that counts; NULL: it does not. */
static char *read_text(const struct kd_sysroot *root, const char *path, int64_t *time)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = malloc(PSTORE_RECORD + 1);
	struct stat st;
	ssize_t got;

	if (fd < 0 || !text || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !kd_is_trusted(&st))
		return NULL;
	got = kd_read_all(fd, text, PSTORE_RECORD);
	if (got <= 0)
		return NULL;
	text[got] = '\0';
	*time = st.st_mtime;
	return_ptr(text);
}

static struct kd_error *add_record(const struct kd_sysroot *root, const char *path, struct records *records)
{
	struct record record = { 0 }, *grown;
	_cleanup_free_ char *text = read_text(root, path, &record.time);
	const char *dash = strrchr(path, '-');
	char *rest;

	/* A record that could not be expanded has a suffix behind its number. */
	if (!text || !dash || !kd_parse_u64(dash + 1, 10, &record.number) || !parse_head(text, &record, &rest))
		return NULL;
	grown = realloc(records->record, (records->count + 1) * sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	records->record = grown;
	record.path = strdup(path);
	record.text = strdup(rest);
	if (!record.path || !record.text) {
		free(record.path);
		free(record.text);
		return kd_error_nomem();
	}
	records->record[records->count++] = record;
	return NULL;
}

static struct kd_error *scan(const struct kd_sysroot *root, const char *directory, unsigned int depth,
			     struct records *records)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, directory);
	struct kd_error *err = NULL;
	const char *name;

	while (dir && !err && records->count < PSTORE_RECORDS && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *path = NULL;

		err = kd_format(&path, "%s/%s", directory, name);
		if (!err && kd_starts_with(name, "dmesg-"))
			err = add_record(root, path, records);
		else if (!err && depth)
			err = scan(root, path, depth - 1, records);
	}
	return err;
}

/* The parts of a log follow each other, and the newest is the first. */
static int by_number(const void *a, const void *b)
{
	const struct record *left = a, *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return left->part < right->part ? -1 : left->part > right->part;
}

/* --- logs --------------------------------------------------------------------------------------------------------- */

/* Is @record the next part of the log that @before belongs to? */
static bool continues(const struct record *before, const struct record *record)
{
	return record->part == before->part + 1 && record->count == before->count &&
	       strcmp(record->reason, before->reason) == 0;
}

static void log_free(struct pstore_log *log)
{
	for (size_t i = 0; i < log->file_count; i++)
		free(log->file[i]);
	free(log->file);
	free(log->text);
	free(log->flight);
}

/* Put @count parts together, of which the first is the newest. They are emptied. */
static struct kd_error *join(struct record *record, size_t count, struct pstore_log *ret)
{
	struct pstore_log log = { .time = record->time };
	size_t size = 0, i;
	FILE *out = open_memstream(&log.text, &size);

	if (!out)
		return kd_error_nomem();
	for (i = count; i--;)
		fputs(record[i].text, out);
	log.file = calloc(count, sizeof(*log.file));
	log.flight = malloc(sizeof(*log.flight));
	if (fclose(out) != 0 || !log.file || !log.flight) {
		log_free(&log);
		return kd_error_nomem();
	}
	for (i = 0; i < count; i++)
		log.file[log.file_count++] = take_ptr(record[i].path);
	memcpy(log.reason, record->reason, sizeof(log.reason));
	if (!kd_flight_parse(log.text, log.flight)) {
		free(log.flight);
		log.flight = NULL;
	}
	*ret = log;
	return NULL;
}

struct kd_error *pstore_load(const struct kd_sysroot *root, struct pstore *ret)
{
	_cleanup_(records_free) struct records records = { 0 };
	_cleanup_(pstore_free) struct pstore pstore = { 0 };
	struct kd_error *err = scan(root, KERNELS_STORE, 0, &records);
	size_t i, next;

	if (!err)
		err = scan(root, SYSTEMD_STORE, PSTORE_DEPTH, &records);
	if (err)
		return err;
	if (records.count)
		qsort(records.record, records.count, sizeof(*records.record), by_number);
	pstore.log = calloc(records.count + 1, sizeof(*pstore.log));
	if (!pstore.log)
		return kd_error_nomem();
	for (i = 0; i < records.count && !err; i = next) {
		for (next = i + 1; next < records.count && continues(&records.record[next - 1], &records.record[next]);
		     next++)
			;
		err = join(&records.record[i], next - i, &pstore.log[pstore.count]);
		pstore.count += !err;
	}
	if (err)
		return err;
	*ret = pstore;
	pstore = (struct pstore){ 0 };
	return NULL;
}

void pstore_free(struct pstore *pstore)
{
	for (size_t i = 0; i < pstore->count; i++)
		log_free(&pstore->log[i]);
	free(pstore->log);
	*pstore = (struct pstore){ 0 };
}

bool pstore_is_kernels(const char *file)
{
	return kd_starts_with(file, KERNELS_STORE "/");
}

/* --- what a log says ---------------------------------------------------------------------------------------------- */

/* Cut the next line off *cursor: its message, without level and time. NULL: the end. */
static const char *next_message(char **cursor)
{
	char *line = *cursor && **cursor ? strsep(cursor, "\n") : NULL, *level;

	if (!line)
		return NULL;
	level = *line == '<' ? strchr(line, '>') : NULL;
	return kd_klog_message(level ? level + 1 : line, NULL);
}

struct kd_error *pstore_panic(const char *text, char **ret)
{
	_cleanup_free_ char *copy = strdup(text), *found = NULL;
	char *cursor = copy;
	const char *message;
	struct kd_error *err = NULL;

	if (!copy)
		return kd_error_nomem();
	while (!err && (message = next_message(&cursor)))
		if (kd_klog_weigh(message, NULL) == KD_KLOG_PANIC)
			err = kd_set_text(&found, message);
	if (!err)
		*ret = take_ptr(found);
	return err;
}

struct kd_error *pstore_quoted(const char *text, char **ret)
{
	_cleanup_free_ char *copy = strdup(text), *quoted = NULL;
	char *cursor = copy;
	const char *message;
	size_t size;
	FILE *out = open_memstream(&quoted, &size);

	if (!out || !copy) {
		if (out)
			fclose(out);
		return kd_error_nomem();
	}
	/* The end of the log may have been printed twice: the second time, it is the same. */
	while ((message = next_message(&cursor))) {
		const char *line = kd_starts_with(message, QUOTE) ? message + strlen(QUOTE) : NULL;

		fflush(out);
		if (line && *line && size + strlen(line) < PSTORE_QUOTED && !strstr(quoted, line))
			fprintf(out, "%s\n", line);
	}
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(quoted);
	return NULL;
}
