/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl _collect runs at boot: it takes dumps out of containers, announces new dumps and deletes old ones. Nothing
 * here fails the boot: an error is printed, and the remaining work goes on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#include "base/array.h"
#include "base/record.h"
#include "base/text.h"
#include "kdump/arming/boots.h"
#include "kdump/arming/creation_test.h"
#include "kdump/arming/journal.h"
#include "kdump/config/conf.h"
#include "kdump/dumps/dumps.h"
#include "kdump/dumps/pstore.h"
#include "kdump/dumps/retention.h"
#include "kdump/sizing/estimate.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/containers.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/trial.h"
#include "kdump/verbs/verbs.h"

#define SEEN_FILE      KD_STATEDIR "/seen"
#define NOTIFY_DIR     KD_SYSCONFDIR "/kdump/notify.d"
#define NOTIFY_SECONDS 60

/* On a machine without a record of seen dumps, a dump older than this is not new. */
#define NEWS_SECONDS (24 * 3600)

static void complain(const struct kdumpctl *ctl, struct kd_error *err)
{
	if (err)
		kd_warn(&ctl->log, "%s", err->text);
	kd_error_destroy(err);
}

/* --- the record of seen dumps ------------------------------------------------------------------------------------- */

static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);
	const char *p;

	for (p = strstr(text, line); p; p = strstr(p + 1, line))
		if ((p == text || p[-1] == '\n') && p[length] == '\n')
			return true;
	return false;
}

/* Is @dump new? @seen is the record of seen dumps, NULL if it does not exist yet. */
static bool is_news(const struct dump *dump, const char *seen)
{
	return seen ? !has_line(seen, dump->name) : dump->time > (int64_t)time(NULL) - NEWS_SECONDS;
}

static struct kd_error *read_seen(const struct kdumpctl *ctl, char **ret)
{
	struct kd_error *err = kd_record_read(&ctl->root, SEEN_FILE, ret);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	return err;
}

/* Dumps of a place that cannot be looked at now are not forgotten. */
static struct kd_error *write_seen(const struct kdumpctl *ctl, const struct all_dumps *all, const char *seen)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < all->count; i++)
		for (size_t j = 0; j < all->place[i].count; j++)
			if (!all->missed_count || !seen || !has_line(seen, all->place[i].dump[j].name))
				fprintf(out, "%s\n", all->place[i].dump[j].name);
	if (all->missed_count && seen)
		fputs(seen, out);
	if (fclose(out))
		return kd_error_nomem();
	return kd_record_write(&ctl->root, SEEN_FILE, text, size, 0600);
}

/* Keep the report for "kdumpctl estimate", which needs it after the dump has been deleted. */
static struct kd_error *keep_report(const struct kdumpctl *ctl, const struct dump *dump)
{
	const char *text;

	if (!dump->report)
		return NULL;
	text = json_object_to_json_string_ext(dump->report, JSON_C_TO_STRING_PRETTY);
	return text ? kd_record_write(&ctl->root, LAST_CAPTURE_PATH, text, strlen(text), 0600) : kd_error_nomem();
}

/* --- announcing --------------------------------------------------------------------------------------------------- */

struct announcement {
	char time[TERM_TIME_MAX];
	char *message;
	struct journal_field field[9];
};

/* The journal's fields are also the environment of the programs in notify.d. */
static struct kd_error *announce(const struct dump *dump, bool by_name, struct announcement *ret)
{
	*ret = (struct announcement){
		.field = {
			{ "KDUMP_DUMP", dump->path },
			{ "KDUMP_STATE", dump_state_name(dump->state) },
			{ "KDUMP_REASON", dump_reason(dump) },
			{ "KDUMP_KIND", dump->log.kind },
			{ "KDUMP_SIGNATURE", dump->log.signature[0] ? dump->log.signature : NULL },
			{ "KDUMP_KERNEL", dump->release },
			{ "KDUMP_HOST", dump->host },
			{ "KDUMP_TASK", dump->log.task },
			{ "KDUMP_WHERE", dump->log.rip ? dump->log.rip :
					 dump->log.frames ? dump->log.frame[0].text : NULL },
		},
	};
	term_time(dump->time, ret->time);
	return kd_format(&ret->message, "The kernel crashed at %s: %s (%s; \"kdumpctl info %s\" tells more)", ret->time,
			 dump_reason(dump), dump_state_name(dump->state), by_name ? dump->name : dump->path);
}

/* Make the environment of a program: PATH and the fields. NULL-terminated; the caller owns each string. */
static void make_environment(const struct announcement *announcement, char *environment[12])
{
	size_t count = 0, i;

	environment[count] = strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	count += environment[count] != NULL;
	for (i = 0; i < ARRAY_SIZE(announcement->field); i++) {
		const struct journal_field *field = &announcement->field[i];

		if (field->value &&
		    !kd_error_discard(kd_format(&environment[count], "%s=%s", field->name, field->value)))
			count++;
	}
	environment[count] = NULL;
}

/* Wait for the child, at most NOTIFY_SECONDS. */
static struct kd_error *wait_for(pid_t pid, const char *path)
{
	_cleanup_close_ int fd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	bool late = fd >= 0 && poll(&poll_fd, 1, NOTIFY_SECONDS * 1000) == 0;
	int status;

	if (late)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		return kd_error_os(errno, "cannot wait for %s", path);
	if (late)
		return kd_error_create(KD_ERR_TIMEOUT, "%s was killed: it did not end within %d seconds", path,
				       NOTIFY_SECONDS);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return kd_error_create(KD_ERR_STATE, "%s failed (%s %d)", path,
				       WIFEXITED(status) ? "exit status" : "signal",
				       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return NULL;
}

static struct kd_error *run_program(const char *path, const struct dump *dump, const struct announcement *announcement)
{
	char *argv[] = { (char *)path, dump->path, NULL }, *environment[12];
	size_t i;
	pid_t pid;
	int errnum;

	make_environment(announcement, environment);
	errnum = posix_spawn(&pid, path, NULL, NULL, argv, environment);
	for (i = 0; environment[i]; i++)
		free(environment[i]);
	return errnum ? kd_error_os(errnum, "cannot run %s", path) : wait_for(pid, path);
}

static void notify(const struct kdumpctl *ctl, const struct dump *dump, const struct announcement *announcement)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };

	if (!kd_sysroot_is_live(&ctl->root))
		return;
	kd_error_destroy(kd_sysroot_list(&ctl->root, NOTIFY_DIR, &names)); /* nobody wants to know */
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_free_ char *path = kd_is_left_behind(names.name[i]) ? NULL :
									       path_join(NOTIFY_DIR, names.name[i]);
		struct kd_error *err;
		struct stat st;

		if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
			continue;
		err = run_program(path, dump, announcement);
		if (err)
			journal_send(JOURNAL_NOTIFY, LOG_WARNING, err->text, announcement->field,
				     ARRAY_SIZE(announcement->field));
		complain(ctl, err);
	}
}

/* @by_name: its name is enough for "kdumpctl info". */
static void tell(const struct kdumpctl *ctl, const struct dump *dump, bool by_name)
{
	struct announcement announcement;
	struct kd_error *err = announce(dump, by_name, &announcement);

	if (err) {
		complain(ctl, err);
		return;
	}
	kd_info(&ctl->log, "%s", announcement.message);
	if (kd_sysroot_is_live(&ctl->root))
		journal_send(JOURNAL_CRASH, LOG_CRIT, announcement.message, announcement.field,
			     ARRAY_SIZE(announcement.field));
	complain(ctl, keep_report(ctl, dump));
	notify(ctl, dump, &announcement);
	free(announcement.message);
}

/* --- retention ---------------------------------------------------------------------------------------------------- */

static void remove_expired(const struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump,
			   const char *why)
{
	_cleanup_free_ char *message = NULL;
	struct kd_error *err = dump_remove(dumps, dump);
	const struct journal_field fields[] = { { "KDUMP_DUMP", dump->path }, { "KDUMP_LIMIT", why } };

	if (!err)
		err = kd_format(&message, "Removed the dump %s to keep the limits of kdump.conf (%s)", dump->path, why);
	if (err) {
		complain(ctl, err);
		return;
	}
	kd_info(&ctl->log, "%s", message);
	if (kd_sysroot_is_live(&ctl->root))
		journal_send(JOURNAL_REMOVED, LOG_NOTICE, message, fields, ARRAY_SIZE(fields));
}

static struct kd_error *limit_place(const struct kdumpctl *ctl, const struct kd_conf *conf, const struct dumps *dumps)
{
	_cleanup_free_ const char **why = calloc(dumps->count + 1, sizeof(*why));
	struct retention_space space = { .available = UINT64_MAX };
	struct retention_limits limits;
	struct statvfs fs;
	size_t i;

	if (!why)
		return kd_error_nomem();
	if (statvfs(dumps->path, &fs) == 0)
		space = (struct retention_space){ (uint64_t)fs.f_bavail * fs.f_frsize,
						  (uint64_t)fs.f_blocks * fs.f_frsize };
	limits = (struct retention_limits){
		.dumps = conf->keep_dumps,
		.days = conf->keep_days,
		.size = conf->keep_size,
		.free = conf->keep_free,
		.free_percent = conf->keep_free_percent,
	};
	retention_decide(&limits, dumps, &space, time(NULL), why);
	for (i = 0; i < dumps->count; i++) {
		if (why[i] && dumps->exchangeable)
			return kd_error_create(KD_ERR_STATE,
					       "%s stays, although it exceeds %s: others than root can rename the "
					       "dumps in %s; run \"chown root\" and \"chmod +t\" on that directory",
					       dumps->dump[i].path, why[i], dumps->path);
		if (why[i])
			remove_expired(ctl, dumps, &dumps->dump[i], why[i]);
	}
	return NULL;
}

/* Each place has the limits for itself. */
static struct kd_error *apply_limits(const struct kdumpctl *ctl, const struct all_dumps *all)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, &conf);

	if (err)
		return err;
	for (size_t i = 0; i < all->count; i++) {
		kd_log_error(&ctl->log, err);
		err = limit_place(ctl, &conf, &all->place[i]);
	}
	return err;
}

/* --- records of captures ------------------------------------------------------------------------------------------ */

/* They go to this machine's own file system: a target that was lost in the crash is perhaps not back. */
static void bring_records(const struct kdumpctl *ctl)
{
	_cleanup_free_ char *directory = kd_sysroot_path(&ctl->root, DUMPS_DEFAULT);

	if (directory && pstore_collect(&ctl->root, directory, &ctl->log))
		kd_info(&ctl->log, "\"kdumpctl why\" tells what became of the crash");
}

struct kd_error *dumps_collect(struct kdumpctl *ctl, int *status)
{
	_cleanup_(all_dumps_free) struct all_dumps all = { 0 };
	_cleanup_free_ char *seen = NULL;
	struct kd_error *err;

	complain(ctl, boots_note(&ctl->root));
	trial_collect(ctl);
	containers_collect(ctl);
	bring_records(ctl);
	err = load_all_dumps(ctl, &all);
	if (err)
		return err;
	for (size_t i = all.count ? 0 : 1; i < all.missed_count; i++)
		kd_log_error(&ctl->log, take_ptr(all.missed[i]));
	if (!all.count && all.missed_count)
		return take_ptr(all.missed[0]);
	complain(ctl, read_seen(ctl, &seen));
	for (size_t i = 0; i < all.count; i++)
		for (size_t j = 0; j < all.place[i].count; j++)
			if (is_news(&all.place[i].dump[j], seen))
				tell(ctl, &all.place[i].dump[j], all.has_first && i == 0);
	complain(ctl, creation_test_settle(&ctl->root, all.place, all.count, !all.missed_count));
	complain(ctl, write_seen(ctl, &all, seen));
	return apply_limits(ctl, &all);
}
