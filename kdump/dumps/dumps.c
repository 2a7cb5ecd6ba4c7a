/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/dumps.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/age.h"
#include "base/array.h"
#include "base/io.h"
#include "base/klog.h"
#include "base/parse.h"
#include "base/text.h"
#include "base/trust.h"
#include "kdump/dumps/extent.h"
#include "kdump/dumps/identity.h"
#include "kdump/storage/mounts.h"

#define REPORT_MAX KD_MIB(1)
#define PIN_FILE   "pinned"
#define TIME_MAX   253402300799 /* the end of the year 9999 */

const char *dump_state_name(enum dump_state state)
{
	static const char *const names[DUMP_STATES] = {
		[DUMP_COMPLETE] = "complete", [DUMP_INCOMPLETE] = "incomplete", [DUMP_LOG_ONLY] = "log-only",
		[DUMP_DAMAGED] = "damaged",   [DUMP_NOTHING] = "nothing",
	};

	return names[state];
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

struct json_object *report_get(struct json_object *report, const char *path)
{
	char key[64];

	while (report && *path) {
		size_t length = strcspn(path, ".");

		if (length >= sizeof(key) || !json_object_is_type(report, json_type_object))
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		if (!json_object_object_get_ex(report, key, &report))
			return NULL;
		path += length + (path[length] == '.');
	}
	return report;
}

const char *report_string(struct json_object *report, const char *path)
{
	struct json_object *value = report_get(report, path);

	return value && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

double report_number(struct json_object *report, const char *path)
{
	struct json_object *value = report_get(report, path);

	if (!value || (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double)))
		return 0;
	return json_object_get_double(value);
}

uint64_t report_u64(struct json_object *report, const char *path)
{
	struct json_object *value = report_get(report, path);
	int64_t number = value && json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;

	return number > 0 ? number : 0;
}

bool report_find_unreadable(struct json_object *report, struct unreadable *ret)
{
	static const struct {
		const char *count, *unit, *error, *place;
		bool is_offset;
	} kinds[] = {
		{ "pages.unreadable", "pages", "pages.first_unreadable.error", "pages.first_unreadable.address",
		  false },
		{ "copy.unreadable", "bytes", "copy.first_unreadable.error", "copy.first_unreadable.offset", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		*ret = (struct unreadable){
			.count = report_u64(report, kinds[i].count),
			.unit = kinds[i].unit,
			.error = report_string(report, kinds[i].error),
			.first = report_u64(report, kinds[i].place),
			.is_offset = kinds[i].is_offset,
		};
		if (ret->count)
			return true;
	}
	return false;
}

const char *report_unreadable(struct json_object *report, char *buf, size_t size)
{
	struct unreadable unreadable;

	if (!report_find_unreadable(report, &unreadable))
		return NULL;
	if (unreadable.error)
		snprintf(buf, size, "%" PRIu64 " %s, the first at %s0x%" PRIx64 ": %s", unreadable.count,
			 unreadable.unit, unreadable.is_offset ? "offset " : "", unreadable.first, unreadable.error);
	else /* older reports do not record the first one */
		snprintf(buf, size, "%" PRIu64 " %s", unreadable.count, unreadable.unit);
	return buf;
}

const char *report_step_words(const char *name)
{
	static const struct {
		const char *name, *words;
	} steps[] = {
		{ "setup", "Set-up" },
		{ "quiesce", "Stop DMA" },
		{ "modules", "Load drivers" },
		{ "random", "Random numbers" },
		{ "log", "Find the log" },
		{ "pre", "kdump_pre" },
		{ "save", "Save" },
		{ "connect", "Mount target" },
		{ "save-log", "Save the log" },
		{ "reserve", "Reserve space" },
		{ "dump", "Save the dump" },
		{ "report", "Write report" },
		{ "post", "kdump_post" },
		{ "comeback", "Load kernel" },
		{ "disconnect", "Unmount target" },
		{ "trace", "Log to console" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (strcmp(name, steps[i].name) == 0)
			return steps[i].words;
	return name;
}

/* --- one dump ----------------------------------------------------------------------------------------------------- */

/* Does @text begin like @pattern? 'd' stands for a digit, every other character for itself. */
static bool looks_like(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++)
		if (*pattern == 'd' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	return true;
}

/* mktime() makes the 14th of February of a 45th of January; an hour it may move, where clocks are set forward. */
static bool to_time(const struct tm *given, int64_t *ret)
{
	struct tm tm = *given;

	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	*ret = mktime(&tm);
	return tm.tm_mon == given->tm_mon && tm.tm_mday == given->tm_mday;
}

bool dump_time_of_name(const char *name, int64_t *ret)
{
	static const char stamp[] = "dddd-dd-dd-dd:dd:dd";
	struct tm tm = { .tm_isdst = -1 };
	size_t length = strlen(name), i;
	const char *p = NULL;

	/* Records and messages have a name in one line. */
	for (i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	for (i = 1; i + strlen(stamp) <= length && !p; i++)
		if (name[i - 1] == '-' && looks_like(name + i, stamp))
			p = name + i;
	if (p) {
		const char *rest = p + strlen(stamp);

		if (*rest && (*rest != '-' || !rest[1] || strspn(rest + 1, "0123456789") != strlen(rest + 1)))
			return false;
		sscanf(p, "%4d-%2d-%2d-%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		       &tm.tm_sec);
	} else if (length == 12 && looks_like(name, "dddddddddddd")) {
		sscanf(name, "%4d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min);
	} else {
		return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return to_time(&tm, ret);
}

/* The names of the files of a dump, for all programs that write dumps. A name that ends in '.' is a prefix. */
static const struct {
	const char *name;
	bool log;
	enum dump_state state; /* of a dump whose vmcore has this name */
} files[] = {
	{ "vmcore", false, DUMP_COMPLETE },
	{ "vmcore.flat", false, DUMP_COMPLETE },
	{ "dump.", false, DUMP_COMPLETE },
	{ "vmcore.flat.age", false, DUMP_COMPLETE },
	{ "vmcore-incomplete", false, DUMP_INCOMPLETE },
	{ "vmcore-incomplete.flat.age", false, DUMP_INCOMPLETE },
	{ "vmcore-dmesg.txt", true, DUMP_LOG_ONLY },
	{ "dmesg.", true, DUMP_LOG_ONLY },
	{ "vmcore-dmesg-incomplete.txt", true, DUMP_LOG_ONLY },
	{ "vmcore-dmesg.txt.age", true, DUMP_LOG_ONLY },
	{ "vmcore-dmesg-incomplete.txt.age", true, DUMP_LOG_ONLY },
};

static bool file_fits(size_t row, const char *name)
{
	const char *pattern = files[row].name;
	size_t length = strlen(pattern);

	return pattern[length - 1] == '.' ? kd_starts_with(name, pattern) : strcmp(name, pattern) == 0;
}

/* Take one file of the directory. best[]: the row of the dump and of the log found so far; the first row wins. */
static bool take_file(struct dump *dump, const char *name, size_t best[2])
{
	size_t row;

	for (row = 0; row < ARRAY_SIZE(files) && !file_fits(row, name); row++)
		;
	if (row == ARRAY_SIZE(files) || row >= best[files[row].log])
		return true;
	best[files[row].log] = row;
	if (files[row].log) {
		if (!dump->vmcore)
			dump->state = files[row].state;
		free(dump->log_file);
		return (dump->log_file = strdup(name)) != NULL;
	}
	free(dump->vmcore);
	dump->state = files[row].state;
	return (dump->vmcore = strdup(name)) != NULL;
}

struct kd_error *dump_open_entries(const char *path, int fd, DIR **ret)
{
	_cleanup_close_ int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (!dir)
		return kd_error_os(errno, "cannot read %s", path);
	copy = -1; /* the stream owns it now */
	*ret = dir;
	return NULL;
}

struct kd_error *dump_scan(struct dump *dump, int fd)
{
	size_t best[2] = { ARRAY_SIZE(files), ARRAY_SIZE(files) };
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	struct kd_error *err = dump_open_entries(dump->path, fd, &dir);

	if (err)
		return err;
	if (fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot read %s", dump->path);
	dump->device = st.st_dev;
	dump->inode = st.st_ino;
	dump->foreign = !kd_is_trusted(&st);
	dump->state = DUMP_NOTHING;
	while ((entry = readdir(dir))) {
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		dump->size += (uint64_t)st.st_blocks * 512;
		if (strcmp(entry->d_name, PIN_FILE) == 0)
			dump->pinned = true;
		if (!take_file(dump, entry->d_name, best))
			return kd_error_nomem();
	}
	return NULL;
}

/* The text of a regular file of the directory; NULL if it cannot be read for any reason. @trusted: also NULL if others
 * than root can have written it. */
static char *read_member(int fd, const char *name, size_t max, bool trusted)
{
	_cleanup_close_ int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t got;

	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode) || (trusted && !kd_is_trusted(&st)))
		return NULL;
	if ((size_t)st.st_size > max)
		st.st_size = max;
	text = malloc(st.st_size + 1);
	got = text ? kd_read_all(file, text, st.st_size) : -1;
	if (got < 0)
		return NULL;
	text[got] = '\0';
	return_ptr(text);
}

/* Is the ELF file a core? Programs and kernels may lie beside a dump. Big-endian cores count as well: the reader
 * refuses them with a message. */
static bool is_core(const char *head)
{
	return head[EI_DATA] == ELFDATA2MSB ? head[17] == ET_CORE : head[16] == ET_CORE && !head[17];
}

/* A dump is kdump-compressed, ELF, or makedumpfile's flattened stream; or one of these, encrypted. */
bool dump_recognise(int fd, const char *name, enum dump_form *ret)
{
	static const struct {
		const char *magic;
		enum dump_form form;
	} forms[] = {
		{ "KDUMP   ", DUMP_ORDINARY },      { "DISKDUMP", DUMP_ORDINARY },    { ELFMAG, DUMP_ORDINARY },
		{ "makedumpfile", DUMP_FLATTENED }, { KD_AGE_MAGIC, DUMP_ENCRYPTED },
	};
	_cleanup_close_ int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char head[32] = "";
	struct stat st;
	size_t i;

	if (file < 0)
		return false;
	errno = 0;
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode) || kd_read_all(file, head, sizeof(head) - 1) < 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(forms) && !kd_starts_with(head, forms[i].magic); i++)
		;
	if (i == ARRAY_SIZE(forms) || (forms[i].magic[0] == ELFMAG0 && !is_core(head)))
		return false;
	*ret = forms[i].form;
	return true;
}

bool dump_file_is_encrypted(const char *name)
{
	return name && kd_ends_with(name, KD_AGE_SUFFIX);
}

struct kd_error *dump_refuse_encrypted(const struct dump *dump, const char *name)
{
	bool encrypted = name == dump->vmcore ? dump->form == DUMP_ENCRYPTED : dump_file_is_encrypted(name);

	if (!encrypted)
		return NULL;
	return kd_error_create(KD_ERR_UNSUPPORTED,
			       "%s/%s is encrypted: where the secret key is, \"kdumpctl decrypt --identity FILE %s\"",
			       dump->path, name, dump_operand(dump));
}

/* Copy @text to *field, unless it is empty. */
static struct kd_error *take_text(char **field, const char *text)
{
	return text && *text ? kd_set_text(field, text) : NULL;
}

static struct kd_error *read_report(struct dump *dump, int fd)
{
	bool anybody = dump->given || dump->foreign; /* the user looks at it, and nothing follows from it */
	_cleanup_free_ char *text = read_member(fd, "report.json", REPORT_MAX, !anybody);
	struct kd_error *err;
	const char *result;
	uint64_t when;

	if (!text)
		text = read_member(fd, "public.json", REPORT_MAX, !anybody);
	if (!text)
		return NULL;
	dump->report = json_tokener_parse(text);
	if (!dump->report || !json_object_is_type(dump->report, json_type_object))
		return NULL;
	result = report_string(dump->report, "result");
	if (result && strcmp(result, dump_state_name(DUMP_INCOMPLETE)) == 0 && dump->state == DUMP_COMPLETE)
		dump->state = DUMP_INCOMPLETE;
	when = report_u64(dump->report, "crash_time");
	if (when && when <= TIME_MAX)
		dump->time = (int64_t)when;
	err = take_text(&dump->host, report_string(dump->report, "host"));
	if (!err)
		err = take_text(&dump->release, report_string(dump->report, "kernel.release"));
	if (!err)
		err = take_text(&dump->build_id, report_string(dump->report, "kernel.build_id"));
	return err;
}

/* Read the release and build-id from the dump if the report does not have them. */
static struct kd_error *read_identity(struct dump *dump, int fd)
{
	_cleanup_close_ int file = -1;
	struct kd_error *err = NULL;
	struct identity identity;

	if ((dump->release && dump->build_id) || dump->form == DUMP_ENCRYPTED)
		return NULL;
	file = openat(fd, dump->vmcore, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file < 0)
		return NULL;
	identity_read(file, &identity);
	/* Release and build-id belong together: if the report names another kernel, the report counts alone. */
	if (dump->release && identity.release[0] && strcmp(dump->release, identity.release) != 0)
		return NULL;
	if (!dump->release)
		err = take_text(&dump->release, identity.release);
	if (!err && !dump->build_id)
		err = take_text(&dump->build_id, identity.build_id);
	return err;
}

/* A file that was cut off keeps its name: a report says how many bytes were written, and else the headers do. */
static void compare_size(struct dump *dump, int fd)
{
	_cleanup_close_ int file = openat(fd, dump->vmcore, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (dump->state != DUMP_COMPLETE || file < 0 || fstat(file, &st) < 0)
		return;
	if ((uint64_t)st.st_size < report_u64(dump->report, "vmcore_size") || extent_is_short(file, st.st_size))
		dump->state = DUMP_INCOMPLETE;
}

/* Without a report, take the release from the log: "Linux version 6.1.0-56-amd64 (…". */
static bool release_of_log(struct dump *dump, const char *text)
{
	static const char words[] = "] Linux version ";
	const char *p = dump->release ? NULL : strstr(text, words);

	if (!p)
		return true;
	p += strlen(words);
	dump->release = strndup(p, strcspn(p, " \n"));
	return dump->release != NULL;
}

struct kd_error *dump_read_log_text(struct dump *dump, const char *log)
{
	return release_of_log(dump, log) ? crash_log_parse(log, &dump->log) : kd_error_nomem();
}

struct kd_error *dump_read_files(struct dump *dump, int fd, bool alone)
{
	_cleanup_free_ char *log = NULL;
	struct kd_error *err = alone ? NULL : read_report(dump, fd);

	if (err)
		return err;
	/* A dump that this user may not read is not called damaged. */
	if (dump->vmcore && !dump_recognise(fd, dump->vmcore, &dump->form) && errno != EACCES)
		dump->state = DUMP_DAMAGED;
	else if (dump->vmcore && (err = read_identity(dump, fd)))
		return err;
	if (dump->vmcore)
		compare_size(dump, fd);
	log = dump->log_file && !dump_file_is_encrypted(dump->log_file) ?
		      read_member(fd, dump->log_file, DUMP_LOG_MAX, false) :
		      NULL;
	return log ? dump_read_log_text(dump, log) : NULL;
}

static void dump_free(struct dump *dump)
{
	free(dump->name);
	free(dump->path);
	free(dump->given);
	free(dump->host);
	free(dump->release);
	free(dump->build_id);
	free(dump->vmcore);
	free(dump->log_file);
	json_object_put(dump->report);
	crash_log_free(&dump->log);
}

const char *dump_reason(const struct dump *dump)
{
	const char *reason = dump->log.reason ? dump->log.reason : report_string(dump->report, "panic");
	static const char panic[] = KD_KLOG_PANIC_WORDS ": ";

	if (!reason && (dump->form == DUMP_ENCRYPTED || dump_file_is_encrypted(dump->log_file)))
		return "not known, since the dump is encrypted";
	if (!reason)
		return "unknown";
	return kd_starts_with(reason, panic) ? reason + strlen(panic) : reason;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct dump *left = a, *right = b;

	if (left->time != right->time)
		return left->time < right->time ? -1 : 1;
	if (strcmp(left->name, right->name) != 0)
		return strcmp(left->name, right->name);
	/* Two places have something of one crash: what is more of a dump counts as newer. */
	return (left->state < right->state) - (left->state > right->state);
}

struct loading {
	struct dumps *dumps;
	enum dumps_owner owner;
	struct kd_error *skipped; /* why the first directory does not count */
	size_t skipped_count;
};

static void skip(struct loading *loading, struct kd_error *err)
{
	loading->skipped_count++;
	if (loading->skipped)
		kd_error_destroy(err);
	else
		loading->skipped = err;
}

static void tell_skipped(struct loading *loading, const struct kd_log *log)
{
	char others[64] = "";

	if (!loading->skipped)
		return;
	if (loading->skipped_count > 1)
		snprintf(others, sizeof(others), ", nor do %zu other directories", loading->skipped_count - 1);
	kd_warn(log, "%s: it does not count as a dump of this machine%s", loading->skipped->text, others);
	kd_error_destroy(loading->skipped);
}

/* Append a dump of which only the name is known; NULL: no memory. */
static struct dump *append(struct dumps *dumps, const char *name, const char *path, int64_t when)
{
	struct dump *grown = realloc(dumps->dump, (dumps->count + 1) * sizeof(*grown)), *dump;

	if (!grown)
		return NULL;
	dumps->dump = grown;
	dump = &grown[dumps->count++];
	*dump = (struct dump){ .name = strdup(name), .path = strdup(path), .time = when };
	return dump->name && dump->path ? dump : NULL;
}

/* Read the dump in directory @fd, which is open for openat() only: the user need not be allowed to read it. */
static struct kd_error *read_dump(struct dump *dump, int fd)
{
	_cleanup_close_ int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct kd_error *err;

	if (dir < 0 && errno == EACCES)
		return kd_error_os(EACCES, "cannot read %s: use sudo", dump->path);
	if (dir < 0)
		return kd_error_os(errno, "cannot read %s", dump->path);
	err = dump_scan(dump, dir);
	return err ? err : dump_read_files(dump, dir, false);
}

/* Add the directory @name if it has the name of a dump. */
static struct kd_error *add(struct loading *loading, int parent, const char *name)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct dump *dump;
	struct kd_error *err;
	int64_t when;

	if (!dump_time_of_name(name, &when))
		return NULL;
	path = path_join(loading->dumps->path, name);
	if (!path)
		return kd_error_nomem();
	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? kd_error_os(EACCES, "cannot read %s: use sudo", path) : NULL;
	err = kd_trust(path, fd);
	if (err && loading->owner == DUMPS_OF_MACHINE) {
		skip(loading, err);
		return NULL;
	}
	kd_error_destroy(err);
	dump = append(loading->dumps, name, path, when);
	return dump ? read_dump(dump, fd) : kd_error_nomem();
}

/* The length of a path without its trailing slashes. */
static size_t path_length(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return length;
}

struct kd_error *dumps_load(const char *directory, enum dumps_owner owner, const struct kd_log *log, struct dumps *ret)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	struct loading loading = { .dumps = &dumps, .owner = owner };
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	struct kd_error *err = NULL;
	struct stat st;

	dumps.path = strdup(directory);
	if (!dumps.path)
		return kd_error_nomem();
	dir = opendir(dumps.path);
	if (!dir && errno != ENOENT)
		return kd_error_os(errno, "cannot read %s", dumps.path);
	if (dir && fstat(dirfd(dir), &st) < 0)
		return kd_error_os(errno, "cannot read %s", dumps.path);
	dumps.exchangeable = dir && kd_is_exchangeable(&st);
	while (!err && dir && (entry = readdir(dir)))
		err = add(&loading, dirfd(dir), entry->d_name);
	tell_skipped(&loading, log);
	if (err)
		return err;
	if (dumps.count)
		qsort(dumps.dump, dumps.count, sizeof(*dumps.dump), by_time);
	*ret = dumps;
	dumps = (struct dumps){ 0 };
	return NULL;
}

struct kd_error *dumps_join(struct dumps *dumps, struct dumps *more)
{
	_cleanup_free_ char *path = NULL;
	struct dump *all;
	struct kd_error *err;

	err = kd_format(&path, "%s%s%s", dumps->path ? dumps->path : "", dumps->path ? ", " : "", more->path);
	if (err)
		return err;
	all = reallocarray(dumps->dump, dumps->count + more->count + 1, sizeof(*all));
	if (!all)
		return kd_error_nomem();
	if (more->count)
		memcpy(all + dumps->count, more->dump, more->count * sizeof(*all));
	dumps->dump = all;
	dumps->count += more->count;
	dumps->exchangeable |= more->exchangeable;
	free(dumps->path);
	dumps->path = take_ptr(path);
	more->count = 0; /* they have moved */
	dumps_free(more);
	qsort(all, dumps->count, sizeof(*all), by_time);
	return NULL;
}

void dumps_free(struct dumps *dumps)
{
	size_t i;

	for (i = 0; i < dumps->count; i++)
		dump_free(&dumps->dump[i]);
	free(dumps->dump);
	free(dumps->path);
	*dumps = (struct dumps){ 0 };
}

/* Find a dump by its number: "-1" is the newest. */
static bool counted(const struct dumps *dumps, const char *words, struct dump **ret)
{
	uint64_t number;

	if (words[0] != '-' || !kd_parse_u64(words + 1, 10, &number) || !number || number > dumps->count)
		return false;
	*ret = &dumps->dump[dumps->count - number];
	return true;
}

struct kd_error *dumps_find(const struct dumps *dumps, const char *words, struct dump **ret)
{
	struct dump *found = NULL;
	size_t i, matches = 0, length;

	if (!dumps->count && words)
		return kd_error_create(KD_ERR_NOT_FOUND, "there is no dump %s: there are none in %s", words,
				       dumps->path);
	if (!dumps->count)
		return kd_error_create(KD_ERR_NOT_FOUND, "No dumps found in %s", dumps->path);
	if (!words)
		words = "-1";
	if (counted(dumps, words, ret))
		return NULL;
	length = path_length(words);
	for (i = dumps->count; i-- > 0;) {
		struct dump *dump = &dumps->dump[i];

		if (strcmp(dump->name, words) == 0 ||
		    (strncmp(dump->path, words, length) == 0 && !dump->path[length])) {
			*ret = dump;
			return NULL;
		}
		if (*words && (kd_starts_with(dump->name, words) || strcmp(dump->log.signature, words) == 0)) {
			matches += !found || strcmp(found->name, dump->name) != 0;
			found = found ? found : dump;
		}
	}
	if (matches != 1)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s %s: \"kdumpctl list\" names the dumps in %s",
				       matches ? "several dumps match" : "there is no dump", words, dumps->path);
	*ret = found;
	return NULL;
}

/* --- changing them ------------------------------------------------------------------------------------------------ */

/* Open the directory @name of @dump, as seen from the directory @parent. */
static struct kd_error *open_directory(int parent, const char *name, const struct dump *dump, int *ret)
{
	_cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot open %s", dump->path);
	if (st.st_dev != dump->device || st.st_ino != dump->inode)
		return kd_error_create(KD_ERR_STATE, "%s was replaced by another directory meanwhile: try again",
				       dump->path);
	*ret = take_fd(fd);
	return NULL;
}

/* The same for a dump that is changed: nobody else may be able to write there, now either. */
static struct kd_error *open_to_change(int parent, const char *name, const struct dump *dump, int *ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = open_directory(parent, name, dump, &fd);

	if (!err)
		err = kd_trust(dump->path, fd);
	if (!err)
		*ret = take_fd(fd);
	return err;
}

struct kd_error *dump_read_log_file(const struct dump *dump, char **ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = open_directory(AT_FDCWD, dump->path, dump, &fd);
	char *text;

	if (err)
		return err;
	text = read_member(fd, dump->log_file, DUMP_LOG_MAX, false);
	if (!text)
		return kd_error_create(KD_ERR_NOT_FOUND, "cannot read %s/%s", dump->path, dump->log_file);
	*ret = text;
	return NULL;
}

char *dump_read_member(const struct dump *dump, const char *name, size_t max)
{
	_cleanup_close_ int fd = -1;

	if (kd_error_discard(open_directory(AT_FDCWD, dump->path, dump, &fd)))
		return NULL;
	return read_member(fd, name, max, !dump->given && !dump->foreign);
}

struct kd_error *dump_pin(const struct dump *dump, bool pin)
{
	_cleanup_close_ int fd = -1, file = -1;
	struct kd_error *err = open_to_change(AT_FDCWD, dump->path, dump, &fd);

	if (err)
		return err;
	if (pin) {
		file = openat(fd, PIN_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (file < 0 || fsync(file) < 0)
			return kd_error_os(errno, "cannot create %s/" PIN_FILE, dump->path);
	} else if (unlinkat(fd, PIN_FILE, 0) < 0 && errno != ENOENT) {
		return kd_error_os(errno, "cannot delete %s/" PIN_FILE, dump->path);
	}
	return fsync(fd) < 0 ? kd_error_os(errno, "cannot sync %s", dump->path) : NULL;
}

/* Delete the entries of the directory, which @fd becomes the owner of. */
static struct kd_error *remove_entries(const struct dump *dump, int fd)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close(fd);
		return kd_error_os(errno, "cannot read %s", dump->path);
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			return kd_error_os(errno, "cannot delete %s/%s", dump->path, entry->d_name);
	}
	return NULL;
}

struct kd_error *dump_remove(const struct dumps *dumps, const struct dump *dump)
{
	_cleanup_close_ int parent = open(dumps->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct kd_error *err;

	if (parent < 0)
		return kd_error_os(errno, "cannot open %s", dumps->path);
	err = open_to_change(parent, dump->name, dump, &fd);
	if (!err)
		err = remove_entries(dump, take_fd(fd));
	if (err)
		return err;
	if (unlinkat(parent, dump->name, AT_REMOVEDIR) < 0)
		return kd_error_os(errno, "cannot delete %s", dump->path);
	return fsync(parent) < 0 ? kd_error_os(errno, "cannot sync %s", dumps->path) : NULL;
}
