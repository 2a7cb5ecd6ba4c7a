/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is armed, said by the kernel and by the record of the last load, and what has changed since. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/json.h"
#include "kdump/armed.h"
#include "kdump/kdumpctl.h"
#include "kdump/loader/loader.h"
#include "kdump/term.h"

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

static void print_details(const struct kdumpctl *ctl, const struct status *status)
{
	const struct armed *armed = &status->armed;
	char when[TERM_TIME_MAX], age[TERM_TIME_MAX];
	size_t i;

	printf("state         %s\n", states[status->state].sentence);
	if (armed->time) {
		printf("loaded        %s (%s), %s\n", term_time(armed->time, when), term_age(armed->time, age),
		       armed->call ? armed->call : "?");
	}
	if (armed->kernel)
		printf("kernel        %s (%s)\n", armed->kernel, armed->release ? armed->release : "?");
	if (armed->initrd) {
		printf("initramfs     %s", armed->initrd);
		if (status->initrd_size)
			printf(" (%.1f MiB, built %s)", status->initrd_size / 1048576.0,
			       term_age(status->initrd_time, age));
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

static void put_known(struct kd_json *json, const char *key, const char *text)
{
	if (text)
		kd_json_string(json, key, text);
}

static void print_json(const struct status *status)
{
	const struct armed *armed = &status->armed;
	struct kd_json json = { .out = stdout };
	size_t i;

	kd_json_open(&json, NULL, '{');
	kd_json_bool(&json, "operational", status->loaded);
	kd_json_string(&json, "state", states[status->state].word);
	kd_json_u64(&json, "reserved_bytes", status->reserved);
	if (armed->time)
		kd_json_u64(&json, "loaded_at", armed->time);
	put_known(&json, "loaded_by", armed->call);
	put_known(&json, "kernel", armed->kernel);
	put_known(&json, "kernel_release", armed->release);
	put_known(&json, "initramfs", armed->initrd);
	put_known(&json, "initramfs_sha256", armed->initrd_hash);
	if (status->initrd_size) {
		kd_json_u64(&json, "initramfs_bytes", status->initrd_size);
		kd_json_u64(&json, "initramfs_built_at", status->initrd_time);
	}
	put_known(&json, "target", armed->target);
	put_known(&json, "command_line", armed->cmdline);
	kd_json_open(&json, "changed", '[');
	for (i = 0; i < status->changes; i++)
		kd_json_string(&json, NULL, status->change[i].what);
	kd_json_close(&json, ']');
	kd_json_close(&json, '}');
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
