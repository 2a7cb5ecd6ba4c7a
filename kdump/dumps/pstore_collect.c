/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What captures have left in the persistent store becomes a part of their dumps, or a dump of its own. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/record.h"
#include "base/text.h"
#include "kdump/dumps/flight.h"
#include "kdump/dumps/pstore.h"

#define BROUGHT_PATH KD_STATEDIR "/flights"

/* IDs of the captures that were brought, the newest last. */
enum { BROUGHT_MAX = 64 };

struct collecting {
	const struct kd_sysroot *root;
	const struct kd_log *log;
	const char *directory; /* on this machine, where dumps are */
	char *brought;         /* lines of the record; NULL: there is none */
	struct dumps dumps;    /* in that directory */
	size_t made;           /* new ones */
};

/* --- the record of IDs -------------------------------------------------------------------------------------------- */

static bool was_brought(const struct collecting *collecting, const char *id)
{
	return collecting->brought && strstr(collecting->brought, id);
}

static struct kd_error *note_brought(struct collecting *collecting, const char *id)
{
	const char *before = collecting->brought ? collecting->brought : "";
	char *text;
	struct kd_error *err = kd_format(&text, "%s%s\n", before, id);
	size_t length;

	if (err)
		return err;
	free(collecting->brought);
	collecting->brought = text;
	length = strlen(text);
	if (length > BROUGHT_MAX * (KD_FLIGHT_ID + 1))
		text += length - BROUGHT_MAX * (KD_FLIGHT_ID + 1);
	return kd_record_write(collecting->root, BROUGHT_PATH, text, strlen(text), 0600);
}

/* --- where it belongs --------------------------------------------------------------------------------------------- */

static const struct dump *find_dump(const struct collecting *collecting, const char *id)
{
	struct dump_flight flight;
	const struct dump *found = NULL;

	for (size_t i = 0; i < collecting->dumps.count && !found; i++) {
		const struct dump *dump = &collecting->dumps.dump[i];

		if (kd_error_discard(dump_read_flight(dump, &flight)))
			continue;
		if (strcmp(flight.record->id, id) == 0)
			found = dump;
		dump_flight_free(&flight);
	}
	return found;
}

static struct kd_error *write_member(const char *directory, const char *name, const char *text)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err = kd_format(&path, "%s/%s", directory, name);

	return err ? err : kd_write_file_atomic(path, text, strlen(text), 0600);
}

/* The dump may have a log of the same capture already: it went down in two ways. */
static struct kd_error *add_to(const struct dump *dump, const struct pstore_log *log)
{
	_cleanup_free_ char *before = dump_read_member(dump, PSTORE_FILE, KD_FLIGHT_LOG), *all = NULL;
	struct kd_error *err;

	if (before && strstr(before, log->text))
		return NULL;
	err = kd_format(&all, "%s%s", before ? before : "", log->text);
	return err ? err : write_member(dump->path, PSTORE_FILE, all);
}

static struct kd_error *make_directory(const struct collecting *collecting, int64_t crash, char **ret)
{
	time_t seconds = (time_t)crash;
	unsigned int number = 0;
	struct tm tm;
	char when[32] = "";
	struct kd_error *err = kd_mkdir_p(collecting->directory, 0755);

	if (err)
		return err;
	if (!localtime_r(&seconds, &tm) || !strftime(when, sizeof(when), "%Y-%m-%d-%H:%M:%S", &tm))
		return kd_error_create(KD_ERR_FORMAT, "%" PRId64 " is not a time", crash);
	for (unsigned int attempt = 0; attempt < 100; attempt++, number = kd_next_number(number)) {
		_cleanup_free_ char *path = NULL;
		char suffix[16] = "";

		if (number)
			snprintf(suffix, sizeof(suffix), "-%u", number);
		err = kd_format(&path, "%s/127.0.0.1-%s%s", collecting->directory, when, suffix);
		if (err)
			return err;
		if (mkdir(path, 0700) == 0) {
			*ret = take_ptr(path);
			return NULL;
		}
		if (errno != EEXIST)
			return kd_error_os(errno, "cannot create %s", path);
	}
	return kd_error_create(KD_ERR_LIMIT, "there are too many dumps of the same second");
}

/* The record, the log as the store had it, and what it quotes of the crashed kernel's log. */
static struct kd_error *make_dump(struct collecting *collecting, const struct pstore_log *log)
{
	_cleanup_free_ char *path = NULL, *quoted = NULL;
	int64_t crash = flight_crash_time(log->flight);
	struct kd_error *err = pstore_quoted(log->text, &quoted);

	if (!err)
		err = make_directory(collecting, crash ? crash : log->time, &path);
	if (!err)
		err = write_member(path, PSTORE_FILE, log->text);
	if (!err && *quoted)
		err = write_member(path, "vmcore-dmesg.txt", quoted);
	if (err)
		return err;
	kd_info(collecting->log, "Brought the record of a capture from the persistent store to %s", path);
	collecting->made++;
	dumps_free(&collecting->dumps);
	return dumps_load(collecting->directory, DUMPS_OF_MACHINE, NULL, &collecting->dumps);
}

/* Only the kernel's own store is emptied, which is small. */
static struct kd_error *remove_records(const struct collecting *collecting, const struct pstore_log *log)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < log->file_count; i++) {
		_cleanup_free_ char *path = kd_sysroot_path(collecting->root, log->file[i]);

		if (path && pstore_is_kernels(log->file[i]) && unlink(path) < 0 && errno != ENOENT && !err)
			err = kd_error_os(errno, "cannot remove %s", path);
	}
	return err;
}

static struct kd_error *bring(struct collecting *collecting, const struct pstore_log *log)
{
	const char *id = log->flight->id;
	const struct dump *dump = find_dump(collecting, id);
	struct kd_error *err = NULL;

	if (dump)
		err = add_to(dump, log);
	else if (!was_brought(collecting, id) || pstore_is_kernels(log->file[0]))
		err = make_dump(collecting, log);
	if (!err && !was_brought(collecting, id))
		err = note_brought(collecting, id);
	return err ? err : remove_records(collecting, log);
}

size_t pstore_collect(const struct kd_sysroot *root, const char *directory, const struct kd_log *log)
{
	struct collecting collecting = { .root = root, .log = log, .directory = directory };
	_cleanup_(pstore_free) struct pstore pstore = { 0 };
	struct kd_error *err = pstore_load(root, &pstore);

	if (!err)
		err = dumps_load(directory, DUMPS_OF_MACHINE, NULL, &collecting.dumps);
	if (!err && collecting.dumps.exchangeable)
		err = kd_error_create(
			KD_ERR_STATE,
			"others than root can rename the dumps in %s; run \"chown root\" and \"chmod +t\" on "
			"that directory",
			directory);
	kd_error_destroy(kd_record_read(root, BROUGHT_PATH, &collecting.brought));
	for (size_t i = 0; i < pstore.count && !err; i++)
		if (pstore.log[i].flight)
			err = kd_error_wrap(bring(&collecting, &pstore.log[i]), "a record in the persistent store");
	if (err)
		kd_warn(log, "%s", err->text);
	kd_error_destroy(err);
	dumps_free(&collecting.dumps);
	free(collecting.brought);
	return collecting.made;
}
