/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target of the dump. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "base/target_types.h"
#include "base/text.h"
#include "base/trust.h"
#include "initramfs/drivers.h"
#include "kdump/sizing/census.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/terminal.h"

void check_target(const struct check_context *c, struct check_result *result)
{
	const struct target *target = c->target;
	_cleanup_free_ char *stack = NULL;

	if (!c->conf)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the configuration could not be read");
	if (!target)
		return check_say(result, c->left_out ? CHECK_WARNING : CHECK_FAILURE, NULL, "%s", c->target_error);
	/* The target is good without this. */
	if (target->node)
		kd_error_destroy(drivers_describe(&c->ctl->root, target->node, &stack));
	if (kd_target_is_container(kd_target_type_find(target->type)))
		return check_say(result, CHECK_OK, NULL, "%s %s, from which the next boot moves dumps to %s%s%s",
				 target->type, target->reserved ? target->reserved : target->device, target->directory,
				 stack ? ", now " : "", stack ? stack : "");
	check_say(result, CHECK_OK, NULL, "%s %s, directory %s%s%s%s%s", target->type, target->device, target->path,
		  target->mount_point ? ", mounted at " : ", not mounted",
		  target->mount_point ? target->mount_point : "", stack ? ", now " : "", stack ? stack : "");
}

/* Only writing a file shows quotas, immutable directories and failing devices; a mode does not. */
void check_writable(const struct check_context *c, struct check_result *result)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	const char *directory = c->target ? c->target->directory : NULL;
	struct kd_error *err;

	if (!directory || !kd_sysroot_is_live(&c->ctl->root))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the target is not mounted");
	if (geteuid())
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "only root can write there");
	if (!kd_sysroot_exists(&c->ctl->root, directory))
		return check_say(result, CHECK_OK, NULL, "\"kdumpctl start\" will create %s", directory);
	err = kd_format(&path, "%s/.kdump-check.XXXXXX", directory);
	if (err)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return check_say(result, CHECK_FAILURE,
				 "look at the attributes (lsattr -d) and the quota of the directory",
				 "no file can be created in %s: %s", directory, strerror(errno));
	if (write(fd, "x", 1) != 1 || fsync(fd) < 0)
		check_say(result, CHECK_FAILURE, "look at the kernel's log", "%s cannot be written: %s", directory,
			  strerror(errno));
	else
		check_say(result, CHECK_OK, NULL, "a file was written to %s", directory);
	unlink(path);
}

/* Dumps themselves count only if nobody else can write them (kdump/dumps/dumps.h). */
void check_owner(const struct check_context *c, struct check_result *result)
{
	const char *directory = c->target ? c->target->directory : NULL;
	_cleanup_close_ int fd = directory ? kd_sysroot_open_file(&c->ctl->root, directory, O_PATH | O_DIRECTORY) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the directory of the dumps is not there yet");
	if (kd_is_exchangeable(&st))
		check_say(result, CHECK_WARNING, "run \"chown root\" and \"chmod +t\" on the directory",
			  "others than root can rename or replace the dumps in %s (user %u, mode %04o), and old dumps "
			  "are not deleted there",
			  directory, st.st_uid, st.st_mode & 07777);
	else
		check_say(result, CHECK_OK, NULL, "only root can rename the dumps in %s", directory);
}

void check_space(const struct check_context *c, struct check_result *result)
{
	char need[TERM_SIZE_MAX], have[TERM_SIZE_MAX];
	struct census_dump dump;
	struct census census;
	struct kd_error *err;

	if (!c->target || c->target->available == UINT64_MAX)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the free space of the target is not known");
	err = census_take(&c->ctl->root, &census);
	if (err)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err);
	census_estimate(&c->ctl->root, &census, c->conf->core_collector, &dump);
	term_size(dump.bytes, need);
	term_size(c->target->available, have);
	if (c->target->available < dump.bytes)
		check_say(
			result, CHECK_FAILURE, "remove old dumps (kdumpctl list, remove), or choose another target",
			"There might not be enough space to save a vmcore. The size of %s should be greater than %" PRIu64
			" kilo bytes (%s are free)",
			c->target->device, dump.bytes >> 10, have);
	else
		check_say(result, CHECK_OK, NULL,
			  "a dump now would take about %s (%u %% of %" PRIu64 " pages, %s); %s are free", need,
			  dump.permil / 10, dump.pages,
			  dump.measured ? "as in the last capture" : "assumed compression", have);
}

void check_inodes(const struct check_context *c, struct check_result *result)
{
	struct statvfs space;

	if (!c->target || !c->target->mount_point || !kd_sysroot_is_live(&c->ctl->root) ||
	    statvfs(c->target->mount_point, &space) < 0 || !space.f_files) /* btrfs makes them as needed */
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the file system does not count inodes");
	if (space.f_favail < 16)
		check_say(result, CHECK_FAILURE, "delete files on it", "%s has only %" PRIu64 " free inodes",
			  c->target->device, (uint64_t)space.f_favail);
	else
		check_say(result, CHECK_OK, NULL, "%" PRIu64 " inodes are free", (uint64_t)space.f_favail);
}

struct error_counts {
	uint64_t errors;
	bool known;
};

/* ext4's superblock keeps the count until the next fsck. */
static void count_ext4(const struct kd_sysroot *root, const struct target *target, struct error_counts *counts)
{
	const char *name = target->node ? strrchr(target->node, '/') : NULL;
	struct kd_error *err;

	if (!name)
		return;
	err = kd_sysroot_read_u64(root, 10, &counts->errors, "/sys/fs/ext4/%s/errors_count", name + 1);
	counts->known = !err;
	kd_error_destroy(err);
}

/* "write_errs 0" and four more such lines for each device (Linux 5.14), until "btrfs device stats -z". */
static void add_device_stats(const char *text, struct error_counts *counts)
{
	uint64_t value;
	int used;

	for (; sscanf(text, "%*63s %" SCNu64 "%n", &value, &used) == 1; text += used) {
		counts->errors += value;
		counts->known = true;
	}
}

static void count_btrfs(const struct kd_sysroot *root, const struct target *target, struct error_counts *counts)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	_cleanup_free_ char *path = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name, *uuid;

	if (kd_error_discard(kd_device_spec_parse(target->device, &spec)))
		return;
	uuid = spec.value[KD_DEVICE_UUID];
	if (!uuid || strchr(uuid, '/') || kd_error_discard(kd_format(&path, "/sys/fs/btrfs/%s/devinfo", uuid)))
		return;
	dir = kd_sysroot_open_dir(root, path);
	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *text = NULL;

		kd_error_destroy(kd_sysroot_read_line(root, &text, "%s/%s/error_stats", path, name));
		if (text)
			add_device_stats(text, counts);
	}
}

static const struct {
	const char *type; /* a beginning */
	void (*count)(const struct kd_sysroot *root, const struct target *target, struct error_counts *counts);
	const char *remedy;
} error_counters[] = {
	{ "ext", count_ext4, "unmount it and run fsck: the capture kernel may be unable to mount or write it" },
	{ "btrfs", count_btrfs,
	  "\"btrfs device stats\" lists them; replace a failing disk, run \"btrfs scrub\", then reset with -z" },
};

/* The errors that the file system itself has recorded. */
void check_file_system(const struct check_context *c, struct check_result *result)
{
	struct error_counts counts = { 0 };
	size_t i;

	for (i = 0; c->target && i < ARRAY_SIZE(error_counters); i++)
		if (kd_starts_with(c->target->type, error_counters[i].type))
			break;
	if (!c->target || i == ARRAY_SIZE(error_counters))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "this file system keeps no count of its errors");
	error_counters[i].count(&c->ctl->root, c->target, &counts);
	if (!counts.known)
		check_say(result, CHECK_NOT_APPLICABLE, NULL, "%s is not mounted, or does not report its errors",
			  c->target->device);
	else if (counts.errors)
		check_say(result, CHECK_WARNING, error_counters[i].remedy, "%s has recorded %" PRIu64 " errors",
			  c->target->node ? c->target->node : c->target->device, counts.errors);
	else
		check_say(result, CHECK_OK, NULL, "%s has recorded no errors",
			  c->target->node ? c->target->node : c->target->device);
}
