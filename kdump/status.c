/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is armed, said by the kernel and by the record of the last load, and what has changed since. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "kdump/armed.h"
#include "kdump/kdumpctl.h"
#include "kdump/loader/loader.h"

/* Red Hat's exit status when nothing is loaded, which is also LSB's "program is not running". */
#define STATUS_NOT_OPERATIONAL 3

struct change {
	const char *what; /* a file */
	const char *how;  /* "has changed since", "is gone" */
};

struct status {
	enum armed_state state;
	bool loaded;
	uint64_t reserved;
	struct armed armed;  /* zeroed if there is no record */
	uint64_t initrd_size;
	uint64_t initrd_time; /* when it was built */
	struct change change[3];
	size_t changes;
};

static void status_free(struct status *status)
{
	armed_free(&status->armed);
}
static inline void status_free_cleanup(struct status *status)
{
	status_free(status);
}

static const struct {
	const char *word, *sentence;
} states[] = {
	[ARMED_NOTHING] = { "nothing", "nothing is loaded" },
	[ARMED_OURS] = { "armed", "armed by kdumpctl" },
	[ARMED_FOREIGN] = { "foreign", "armed, but not by kdumpctl: \"kdumpctl restart\" takes over" },
	[ARMED_LOST] = { "lost", "NOT armed: kdumpctl had loaded a kernel, and it was unloaded by something else" },
};

/* --- finding out ---------------------------------------------------------------------------------------------- */

/* Compare a file with its hash at the time of the load. */
static struct kd_error *compare(const struct kd_sysroot *root, const char *path, const char *hash,
				struct status *status)
{
	_cleanup_free_ char *now = NULL;
	struct kd_error *err;

	if (!path || !hash)
		return NULL;
	err = armed_hash_file(root, path, &now);
	if (err && err->errnum == EACCES) { /* the image is readable for root only: no answer then */
		kd_error_destroy(err);
		return NULL;
	}
	if (err && err->errnum != ENOENT)
		return err;
	if (err || strcmp(now, hash))
		status->change[status->changes++] = (struct change){ path, err ? "is gone" : "has changed since" };
	kd_error_destroy(err);
	return NULL;
}

static struct kd_error *find_changes(const struct kdumpctl *ctl, struct status *status)
{
	const struct armed *armed = &status->armed;
	struct kd_error *err;

	err = compare(&ctl->root, armed->conf, armed->conf_hash, status);
	if (!err)
		err = compare(&ctl->root, armed->initrd, armed->initrd_hash, status);
	if (!err && armed->kernel && !kd_sysroot_exists(&ctl->root, armed->kernel))
		status->change[status->changes++] = (struct change){ armed->kernel, "is gone" };
	return err;
}

static void look_at_initrd(const struct kdumpctl *ctl, struct status *status)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!status->armed.initrd)
		return;
	fd = kd_sysroot_open_file(&ctl->root, status->armed.initrd, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	status->initrd_size = st.st_size;
	status->initrd_time = st.st_mtime;
}

static struct kd_error *gather(const struct kdumpctl *ctl, struct status *status)
{
	struct kd_error *err;
	bool recorded;

	err = loader_loaded(&ctl->root, LOADER_PANIC, &status->loaded);
	if (err && err->code == KD_ERR_STATE) { /* a kernel without kexec has nothing loaded */
		kd_warn(&ctl->log, "%s", err->text);
		kd_error_destroy(err);
		return NULL;
	}
	if (!err)
		err = loader_crash_size(&ctl->root, &status->reserved);
	if (!err)
		err = armed_read(&ctl->root, &status->armed, &recorded);
	if (err)
		return err;
	status->state = armed_judge(status->loaded, recorded);
	look_at_initrd(ctl, status);
	return status->state == ARMED_OURS ? find_changes(ctl, status) : NULL;
}

/* --- for people ----------------------------------------------------------------------------------------------- */

static void print_time(uint64_t seconds, char *buffer, size_t size)
{
	time_t when = seconds;
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(buffer, size, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buffer, size, "?");
}

static void print_age(uint64_t since, char *buffer, size_t size)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	uint64_t now = time(NULL), age = now > since ? now - since : 0, count;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units) - 1 && age < units[i].seconds; i++)
		;
	count = age / units[i].seconds;
	snprintf(buffer, size, "%" PRIu64 " %s%s ago", count, units[i].unit, count == 1 ? "" : "s");
}

static void print_details(const struct kdumpctl *ctl, const struct status *status)
{
	const struct armed *armed = &status->armed;
	char when[64], age[64];
	size_t i;

	printf("state         %s\n", states[status->state].sentence);
	if (armed->time) {
		print_time(armed->time, when, sizeof(when));
		print_age(armed->time, age, sizeof(age));
		printf("loaded        %s (%s), %s\n", when, age, armed->call ? armed->call : "?");
	}
	if (armed->kernel)
		printf("kernel        %s (%s)\n", armed->kernel, armed->release ? armed->release : "?");
	if (armed->initrd) {
		print_age(status->initrd_time, age, sizeof(age));
		printf("initramfs     %s", armed->initrd);
		if (status->initrd_size)
			printf(" (%.1f MiB, built %s)", status->initrd_size / 1048576.0, age);
		putchar('\n');
	}
	if (armed->target)
		printf("target        %s\n", armed->target);
	if (armed->cmdline)
		printf("command line  %s\n", armed->cmdline);
	printf("reservation   %" PRIu64 " MiB\n", status->reserved >> 20);
	for (i = 0; i < status->changes; i++)
		printf("changed       %s %s: \"kdumpctl restart\" brings it up to date\n", status->change[i].what,
		       status->change[i].how);
}

/* --- for programs --------------------------------------------------------------------------------------------- */

static void json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void json_member(const char *key, const char *value)
{
	if (!value)
		return;
	printf(",\n  \"%s\": ", key);
	json_string(value);
}

static void json_number(const char *key, uint64_t value)
{
	printf(",\n  \"%s\": %" PRIu64, key, value);
}

static void print_json(const struct status *status)
{
	const struct armed *armed = &status->armed;
	size_t i;

	printf("{\n  \"operational\": %s", status->loaded ? "true" : "false");
	json_member("state", states[status->state].word);
	json_number("reserved_bytes", status->reserved);
	if (armed->time)
		json_number("loaded_at", armed->time);
	json_member("loaded_by", armed->call);
	json_member("kernel", armed->kernel);
	json_member("kernel_release", armed->release);
	json_member("initramfs", armed->initrd);
	json_member("initramfs_sha256", armed->initrd_hash);
	if (status->initrd_size) {
		json_number("initramfs_bytes", status->initrd_size);
		json_number("initramfs_built_at", status->initrd_time);
	}
	json_member("target", armed->target);
	json_member("command_line", armed->cmdline);
	printf(",\n  \"changed\": [");
	for (i = 0; i < status->changes; i++) {
		fputs(i ? ", " : "", stdout);
		json_string(status->change[i].what);
	}
	puts("]\n}");
}

/* --- verbs ---------------------------------------------------------------------------------------------------- */

struct kd_error *status_show(struct kdumpctl *ctl, int *exit_status)
{
	_cleanup_(status_free) struct status status = { 0 };
	struct kd_error *err = gather(ctl, &status);

	if (err)
		return err;
	kd_info(&ctl->log, "Kdump is %soperational", status.loaded ? "" : "not ");
	if (ctl->json)
		print_json(&status);
	else if (ctl->verbose)
		print_details(ctl, &status);
	if (fflush(stdout) || ferror(stdout))
		return kd_error_os(errno, "cannot write to standard output");
	*exit_status = status.loaded ? 0 : STATUS_NOT_OPERATIONAL;
	return NULL;
}

struct kd_error *status_showmem(struct kdumpctl *ctl, int *exit_status)
{
	uint64_t reserved;
	struct kd_error *err = loader_crash_size(&ctl->root, &reserved);

	if (err)
		return err;
	kd_info(&ctl->log, "Reserved %" PRIu64 "MB memory for crash kernel", reserved >> 20);
	return NULL;
}
