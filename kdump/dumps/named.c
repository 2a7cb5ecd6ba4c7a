/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dump that is opened by its path: a file or directory of any name, from any machine. No other file is opened, and
 * links inside the directory are not followed. */
#include "kdump/dumps/named.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/text.h"
#include "dumpfilter/dumpfilter.h"
#include "kdump/storage/mounts.h"

static bool is_of_type(const char *words, mode_t type)
{
	struct stat st;

	return words && words[0] != '-' && stat(words, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

bool dump_is_named_file(const char *words)
{
	return is_of_type(words, S_IFREG);
}

bool dump_is_directory(const char *words)
{
	return is_of_type(words, S_IFDIR);
}

bool dump_is_path(const char *words)
{
	return words && (strchr(words, '/') || dump_is_named_file(words));
}

static struct kd_error *no_dump(const char *path)
{
	return kd_error_create(KD_ERR_FORMAT, "%s is not a dump: it is not an ELF core, kdump-compressed or flattened",
			       path);
}

/* --- a directory -------------------------------------------------------------------------------------------------- */

/* The directory has none of the names that captures use: find the file that begins like a dump. */
static struct kd_error *find_inside(struct dump *dump, int fd, const char *words)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	struct kd_error *err = dump_open_entries(words, fd, &dir);
	enum dump_form form;

	if (err)
		return err;
	while ((entry = readdir(dir))) {
		/* Which of several encrypted files is the dump, nobody can see. */
		if (!dump_recognise(fd, entry->d_name, &form) || form == DUMP_ENCRYPTED)
			continue;
		if (dump->vmcore)
			return kd_error_create(KD_ERR_STATE,
					       "%s holds several dumps, such as %s and %s: name one of these files",
					       words, dump->vmcore, entry->d_name);
		dump->state = DUMP_COMPLETE;
		dump->vmcore = strdup(entry->d_name);
		if (!dump->vmcore)
			return kd_error_nomem();
	}
	return NULL;
}

static struct kd_error *read_directory(struct dump *dump, const char *real, const char *words)
{
	_cleanup_close_ int fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct kd_error *err;

	if (fd < 0)
		return kd_error_os(errno, "cannot open %s", words);
	dump->path = strdup(real);
	if (!dump->path)
		return kd_error_nomem();
	err = dump_scan(dump, fd);
	if (!err && !dump->vmcore)
		err = find_inside(dump, fd, words);
	if (!err)
		err = dump_read_files(dump, fd, false);
	if (err || dump->vmcore || dump->log_file || dump->report)
		return err;
	return kd_error_create(KD_ERR_NOT_FOUND,
			       "%s holds no dump: no file in it is an ELF core, kdump-compressed or "
			       "flattened; \"kdumpctl list %s\" shows the dumps below it",
			       words, words);
}

/* --- a file ------------------------------------------------------------------------------------------------------- */

/* The log and report beside the file belong to it if it has the name of a capture's dump. */
static struct kd_error *read_file(struct dump *dump, const char *real, const struct stat *st)
{
	_cleanup_close_ int fd = -1;
	const char *name = strrchr(real, '/') + 1;
	struct kd_error *err;
	bool alone;

	dump->path = strndup(real, name - real > 1 ? name - real - 1 : 1);
	if (!dump->path)
		return kd_error_nomem();
	fd = open(dump->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return kd_error_os(errno, "cannot open %s", dump->path);
	err = dump_scan(dump, fd);
	alone = err || !dump->vmcore || strcmp(dump->vmcore, name) != 0;
	kd_error_destroy(err); /* the directory may not be readable */
	if (alone) {
		free(dump->vmcore);
		free(dump->log_file);
		dump->log_file = NULL;
		dump->pinned = false;
		dump->state = DUMP_COMPLETE;
		dump->vmcore = strdup(name);
		if (!dump->vmcore)
			return kd_error_nomem();
	}
	dump->size = (uint64_t)st->st_blocks * 512;
	return dump_read_files(dump, fd, alone);
}

/* --- either ------------------------------------------------------------------------------------------------------- */

struct kd_error *dump_open(const char *path, struct dumps *dumps_ret, struct dump **ret)
{
	_cleanup_(dumps_free) struct dumps dumps = { .dump = calloc(1, sizeof(struct dump)), .count = 1 };
	_cleanup_free_ char *real = realpath(path, NULL); /* a link that the user names is followed */
	struct dump *dump = dumps.dump;
	struct kd_error *err;
	struct stat st;

	if (!dump) {
		dumps.count = 0;
		return kd_error_nomem();
	}
	if (!real || stat(real, &st) < 0)
		return kd_error_os(errno, "cannot open %s", path);
	dump->given = strdup(path);
	dump->name = strdup(strrchr(real, '/')[1] ? strrchr(real, '/') + 1 : real);
	if (!dump->given || !dump->name)
		return kd_error_nomem();
	if (S_ISREG(st.st_mode))
		err = read_file(dump, real, &st);
	else if (S_ISDIR(st.st_mode))
		err = read_directory(dump, real, path);
	else
		err = kd_error_create(KD_ERR_NOT_FOUND, "%s is not a dump: it is neither a file nor a directory", path);
	if (err)
		return err;
	if (!dump->time)
		dump_time_of_name(strrchr(dump->path, '/') + 1, &dump->time);
	*ret = dump;
	*dumps_ret = dumps;
	dumps = (struct dumps){ 0 };
	return NULL;
}

/* --- reading the dump itself -------------------------------------------------------------------------------------- */

/* A truncated dump has a truncated log. That is better than no log, and its last line says so. */
static struct kd_error *extract_log(const char *path, char **ret)
{
	_cleanup_free_ char *text = calloc(1, DUMP_LOG_MAX + 1);
	struct kd_error *err;
	FILE *out;

	if (!text)
		return kd_error_nomem();
	out = fmemopen(text, DUMP_LOG_MAX, "w"); /* a hostile dump may have more than this */
	if (!out)
		return kd_error_os(errno, "cannot read the log of %s", path);
	err = dumpfilter_dmesg(path, out, NULL);
	fclose(out);
	if (err && !*text)
		return kd_starts_with(err->text, path) ? err : kd_error_wrap(err, "%s", path);
	if (err) {
		_cleanup_free_ char *cut = take_ptr(text);
		struct kd_error *format_err = kd_format(&text, "%s(the rest of the log cannot be read: %s)\n", cut,
							err->text);

		kd_error_destroy(err);
		if (format_err)
			return format_err;
	}
	*ret = take_ptr(text);
	return NULL;
}

struct kd_error *dump_read_log(const struct dump *dump, char **ret)
{
	_cleanup_free_ char *path = dump->vmcore ? path_join(dump->path, dump->vmcore) : NULL;
	struct kd_error *err;

	err = dump_refuse_encrypted(dump, dump->log_file ? dump->log_file : dump->vmcore);
	if (err)
		return err;
	if (dump->log_file)
		return dump_read_log_file(dump, ret);
	if (!dump->vmcore)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s has no kernel log", dump->path);
	if (!path)
		return kd_error_nomem();
	return dump->state == DUMP_DAMAGED ? no_dump(path) : extract_log(path, ret);
}

static void take_identity(struct dump *dump, const struct dumpfilter_identity *identity)
{
	if (identity->crash_time)
		dump->time = (int64_t)identity->crash_time;
	if (!dump->release && *identity->release)
		dump->release = strdup(identity->release);
	if (!dump->build_id && *identity->build_id)
		dump->build_id = strdup(identity->build_id);
	if (!dump->host && *identity->nodename)
		dump->host = strdup(identity->nodename);
}

/* Read the headers of the file. If it is incomplete, its name need not say so. */
static struct kd_error *ask_file(struct dump *dump, const char *path, struct vmcore_origin *origin)
{
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	struct dumpfilter_identity identity;
	struct kd_error *err = vmcore_open(path, &vmcore);

	if (err)
		return err;
	*origin = *vmcore_origin(vmcore);
	origin->utsname = NULL;
	origin->eraseinfo = NULL;
	origin->eraseinfo_size = 0;
	/* A file from another machine need not have the name of an incomplete dump. */
	if (dump->given && dump->state == DUMP_COMPLETE && (origin->incomplete || vmcore_missing(vmcore)))
		dump->state = DUMP_INCOMPLETE;
	if (dump->report)
		return NULL;
	err = dumpfilter_identify(path, &identity);
	if (!err)
		take_identity(dump, &identity);
	kd_error_destroy(err);
	return NULL;
}

struct kd_error *dump_look_inside(struct dump *dump, struct vmcore_origin *origin)
{
	_cleanup_free_ char *log = NULL, *path = dump->vmcore ? path_join(dump->path, dump->vmcore) : NULL;
	struct kd_error *err = NULL;

	if (!path)
		return dump->vmcore ? kd_error_nomem() : NULL;
	if (dump->form == DUMP_ENCRYPTED)
		return NULL;
	err = dump->state == DUMP_DAMAGED ? no_dump(path) : ask_file(dump, path, origin);
	/* Problems of the file are reported by verify. Report one here only if there is nothing else to print. */
	if (err && dump->given && !dump->log_file && !dump->report)
		return err;
	if (!err && !dump->log_file)
		err = dump_read_log(dump, &log);
	kd_error_destroy(err);
	return log ? dump_read_log_text(dump, log) : NULL;
}
