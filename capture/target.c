/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/array.h"
#include "base/io.h"
#include "base/sysroot.h"
#include "base/target_types.h"
#include "capture/clock.h"
#include "capture/device.h"
#include "capture/network.h"
#include "capture/programs.h"
#include "capture/remote/program.h"
#include "capture/remote/container.h"
#include "capture/remote/ssh.h"
#include "capture/uevent.h"
#include "capture/volumes.h"

/* The time that a target has to appear after a volume was given up, or started at the last moment. */
#define VOLUME_SECONDS 5

enum { NAMES_MAX = 100 };

/* --- mount options ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	unsigned long flag; /* 0: ignored */
} mount_words[] = {
	{ "defaults", 0 },
	{ "rw", 0 },
	{ "ro", 0 },
	{ "auto", 0 },
	{ "noauto", 0 },
	{ "user", 0 },
	{ "nouser", 0 },
	{ "users", 0 },
	{ "owner", 0 },
	{ "group", 0 },
	{ "nofail", 0 },
	{ "_netdev", 0 },
	{ "dev", 0 },
	{ "suid", 0 },
	{ "exec", 0 },
	{ "async", 0 },
	{ "atime", 0 },
	{ "relatime", MS_RELATIME },
	{ "norelatime", 0 },
	{ "noatime", MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME },
	{ "strictatime", MS_STRICTATIME },
	{ "lazytime", MS_LAZYTIME },
	{ "nodev", MS_NODEV },
	{ "nosuid", MS_NOSUID },
	{ "noexec", MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC },
};

static bool find_mount_word(const char *word, size_t length, unsigned long *flags)
{
	size_t i;

	/* Options for systemd, mount(8) and similar programs, and those that target_find() has resolved. */
	if (memmem(word, length, "=" KD_PLAN_VOLUME_PREFIX, strlen("=" KD_PLAN_VOLUME_PREFIX)) ||
	    (length > 2 && (strncmp(word, "x-", 2) == 0 || strncmp(word, "X-", 2) == 0)) ||
	    (length > 8 && strncmp(word, "comment=", 8) == 0))
		return true;
	for (i = 0; i < ARRAY_SIZE(mount_words); i++) {
		if (strlen(mount_words[i].name) == length && strncmp(mount_words[i].name, word, length) == 0) {
			*flags |= mount_words[i].flag;
			return true;
		}
	}
	return false;
}

unsigned long target_mount_flags(const char *options, char *data, size_t size)
{
	unsigned long flags = 0;
	size_t used = 0;

	data[0] = '\0';
	while (*options) {
		size_t length = strcspn(options, ",");

		if (length && !find_mount_word(options, length, &flags) && used + length + 2 <= size) {
			if (used)
				data[used++] = ',';
			memcpy(data + used, options, length);
			used += length;
			data[used] = '\0';
		}
		options += length + (options[length] == ',');
	}
	return flags;
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static enum kd_target_source source(const struct kd_plan_target *target)
{
	return kd_target_type_find(target->type)->source;
}

static bool is_container(const struct kd_plan_target *target)
{
	return kd_target_is_container(kd_target_type_find(target->type));
}

/* @parts: options without which there is no file system. */
static bool mount_node(const struct kd_plan_target *target, const char *node, const char *parts)
{
	const char *words = kd_target_type_find(target->type)->always;
	char data[1024], always[sizeof(((struct target_place *)NULL)->parts) + 64];
	char with_always[sizeof(data) + sizeof(always) + 1];
	unsigned long flags = target_mount_flags(target->options, data, sizeof(data));

	snprintf(always, sizeof(always), "%s%s%s", parts, *parts && words ? "," : "", words ? words : "");
	/* The last of several options for the same thing counts. */
	snprintf(with_always, sizeof(with_always), "%s%s%s", data, *data && *always ? "," : "", always);
	/* The kernel may refuse options, or the file system in its present state. The dump matters more than the
	 * options. */
	return mount(node, TARGET_MOUNT, target->type, flags, with_always) == 0 ||
	       (source(target) != KD_TARGET_NFS && mount(node, TARGET_MOUNT, target->type, 0, always) == 0);
}

/* A file system that found damage may have become read-only. */
static bool make_writable(void)
{
	struct statvfs fs;

	if (statvfs(TARGET_MOUNT, &fs) < 0)
		return false;
	if (!(fs.f_flag & ST_RDONLY))
		return true;
	if (mount(NULL, TARGET_MOUNT, NULL, MS_REMOUNT, NULL) == 0)
		return true;
	errno = EROFS;
	return false;
}

/* Returns 0 or an errno. */
static int try_mount(const struct kd_plan_target *target, const char *node, const char *parts)
{
	int errnum;

	if (!mount_node(target, node, parts))
		return errno;
	if (make_writable())
		return 0;
	errnum = errno;
	umount2(TARGET_MOUNT, MNT_DETACH);
	return errnum;
}

static struct kd_error *cannot_mount(const struct kd_plan_target *target, const char *node, int errnum)
{
	return kd_error_os(errnum, "cannot mount %s (%s) for writing", node, target->type);
}

/* Any device that the kernel announces may have the tag. It announces tags themselves only since Linux 6.9
 * (9086b2d9e9f3 "virtiofs: emit uevents on filesystem events"). */
static struct kd_error *wait_for_tag(const struct kd_plan_target *target, int64_t deadline)
{
	_cleanup_close_ int events = -1;
	char message[8192];
	struct uevent event;
	struct kd_error *err = uevent_open(&events);
	int errnum;

	if (err)
		return err;
	do
		errnum = try_mount(target, target->device, "");
	while (errnum && uevent_wait(events, deadline, message, sizeof(message), &event) != UEVENT_TIMEOUT);
	return errnum ? cannot_mount(target, target->device, errnum) : NULL;
}

/* A server that restarts, or a switch that has just seen the link come up, refuses at first. */
static bool may_pass(int errnum)
{
	static const int passing[] = { ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH,
				       EHOSTDOWN,    ETIMEDOUT,  EIO,          EAGAIN };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(passing) && passing[i] != errnum; i++)
		;
	return i < ARRAY_SIZE(passing);
}

/* Nothing announces that a server answers, so it is asked again each second. */
static struct kd_error *wait_for_export(const struct kd_plan *plan, const struct kd_plan_target *target,
					int64_t deadline)
{
	struct kd_error *err = network_up(plan, target->server, deadline);
	int errnum;

	if (err)
		return err;
	do
		errnum = try_mount(target, target->device, "");
	while (may_pass(errnum) && clock_ms() + 1000 < deadline && poll(NULL, 0, 1000) == 0);
	return errnum ? cannot_mount(target, target->device, errnum) : NULL;
}

/* A server that a program of the image connects to. */
static struct kd_error *wait_for_program(const struct kd_plan *plan, const struct kd_plan_target *target,
					 int64_t deadline)
{
	const char *program = kd_target_type_find(target->type)->program;
	const char *const argv[] = { program, target->type, target->device, target->options, NULL };
	struct kd_error *err = network_up(plan, target->server, deadline);

	if (!err)
		err = programs_expand("", program);
	if (err || source(target) == KD_TARGET_OBJECTS)
		return err ? err : program_mount(argv, TARGET_MOUNT, deadline);
	return ssh_mount(target->device, target->options, TARGET_MOUNT, deadline);
}

/* Create the directories of @path below @root, so that symbolic links lead into the target and not into the image. */
static struct kd_error *open_path(const struct kd_sysroot *root, const char *path, int *ret)
{
	_cleanup_free_ char *part = strdup(path);
	_cleanup_close_ int dir = kd_sysroot_open_file(root, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *p;

	if (!part)
		return kd_error_nomem();
	for (p = part; dir >= 0 && *p;) {
		char *name, saved;
		int next;

		while (*p == '/')
			p++;
		if (!*p)
			break;
		name = p;
		p += strcspn(p, "/");
		saved = *p;
		*p = '\0';
		if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
			return kd_error_os(errno, "cannot create directory %s on the target", part);
		next = kd_sysroot_open_file(root, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		*p = saved;
		close(dir);
		dir = next;
	}
	if (dir < 0)
		return kd_error_os(errno, "cannot open %s on the target", path);
	*ret = take_fd(dir);
	return NULL;
}

void target_directory_name(char *buf, size_t size, const char *address, uint64_t crash_time, int utc_offset,
			   unsigned int attempt)
{
	time_t local = (time_t)crash_time + utc_offset;
	char date[64] = "0000-00-00-00:00:00", suffix[16] = "";
	struct tm tm;

	if (gmtime_r(&local, &tm))
		snprintf(date, sizeof(date), "%04d-%02d-%02d-%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (attempt)
		snprintf(suffix, sizeof(suffix), "-%u", attempt);
	snprintf(buf, size, "%s-%s%s", address, date, suffix);
}

struct kd_error *target_make_directory(int dir, const char *address, uint64_t crash_time, int utc_offset, char *name,
				       size_t size)
{
	unsigned int suffix = 0;

	for (unsigned int count = 0; count < NAMES_MAX; count++) {
		target_directory_name(name, size, address, crash_time, utc_offset, suffix);
		if (mkdirat(dir, name, 0700) == 0 && fsync(dir) == 0)
			return NULL;
		if (errno != EEXIST)
			break;
		suffix = kd_next_number(suffix);
	}
	return kd_error_os(errno, "cannot create directory %s on the target", name);
}

static struct kd_error *make_directory(const struct kd_plan *plan, const char *path, uint64_t crash_time,
				       struct target_place *place)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	struct kd_error *err = kd_sysroot_open(TARGET_MOUNT, &root);
	_cleanup_close_ int dir = -1;
	char name[300];

	if (!err)
		err = open_path(&root, path, &dir);
	if (!err)
		err = target_make_directory(dir, plan->address, crash_time, plan->utc_offset, name, sizeof(name));
	if (!err)
		snprintf(place->directory, sizeof(place->directory), "%s/%s", path[1] ? path : "", name);
	return kd_error_wrap(err, "%s", path);
}

/* Wait for the devices that the target's options refer to, each one the plan's volume that the option names. */
static struct kd_error *find_parts(const struct kd_sysroot *root, const struct kd_plan *plan,
				   const struct kd_plan_target *target, const struct disks *avoid, int64_t deadline,
				   const struct kd_log *log, struct target_place *ret)
{
	const char *option = target->options;
	size_t used = 0;

	for (; *option; option += strcspn(option, ","), option += *option == ',') {
		int length = (int)strcspn(option, ","), word = (int)strcspn(option, "=");
		const struct kd_plan_volume *volume;
		char node[DEVICE_NODE_MAX];
		struct kd_error *err;

		if (!kd_plan_option_volume(plan, option, &volume))
			continue;
		if (!volume || !volume->argv[0])
			return kd_error_create(KD_ERR_FORMAT, "the plan has no device for %.*s", length, option);
		err = device_wait(root, volume->argv[0], DEVICE_MOUNT, avoid, deadline, log, node);
		if (err)
			return kd_error_wrap(err, "%.*s %s", word, option, volume->argv[0]);
		used += (size_t)snprintf(ret->parts + used, sizeof(ret->parts) - used, "%s%.*s=%s", used ? "," : "",
					 word, option, node);
		if (used >= sizeof(ret->parts))
			return kd_error_create(KD_ERR_LIMIT, "the target's file system has too many devices");
	}
	return NULL;
}

struct kd_error *target_find(const struct kd_sysroot *root, const struct kd_plan *plan,
			     const struct kd_plan_target *target, const struct disks *avoid, int64_t deadline,
			     const struct kd_log *log, struct target_place *ret)
{
	if (!kd_target_type_find(target->type))
		return kd_error_create(KD_ERR_UNSUPPORTED, "unknown target type %s", target->type);
	if (mkdir(TARGET_MOUNT, 0700) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot create " TARGET_MOUNT);
	/* A volume that has started late, without a member, has to be found. */
	if (volumes_assemble(root, plan, target->device, avoid, deadline, log) || clock_ms() >= deadline)
		deadline = clock_deadline(VOLUME_SECONDS, INT64_MAX);
	ret->parts[0] = '\0';
	if (source(target) == KD_TARGET_BLOCK || is_container(target)) {
		struct kd_error *err = device_wait(root, target->device, DEVICE_MOUNT, avoid, deadline, log, ret->node);

		return err ? err : find_parts(root, plan, target, avoid, deadline, log, ret);
	}
	snprintf(ret->node, sizeof(ret->node), "%s", target->device);
	switch (source(target)) {
	case KD_TARGET_TAG:
		return wait_for_tag(target, deadline);
	case KD_TARGET_NFS:
		return wait_for_export(plan, target, deadline);
	default:
		return wait_for_program(plan, target, deadline);
	}
}

struct kd_error *target_mount(const struct kd_plan *plan, const struct kd_plan_target *target, uint64_t crash_time,
			      struct target_place *place)
{
	struct kd_error *err = NULL;
	int errnum = source(target) == KD_TARGET_BLOCK ? try_mount(target, place->node, place->parts) : 0;

	if (errnum)
		return cannot_mount(target, place->node, errnum);
	if (is_container(target))
		err = container_mount(place->node, target->device, target->options, TARGET_MOUNT);
	return err ? err : make_directory(plan, target->path, crash_time, place);
}

struct kd_error *target_open(const struct target_place *place, int *ret)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	struct kd_error *err = kd_sysroot_open(TARGET_MOUNT, &root);
	int fd;

	if (err)
		return err;
	fd = kd_sysroot_open_file(&root, place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return kd_error_os(errno, "cannot open %s on the target", place->directory);
	*ret = fd;
	return NULL;
}

struct kd_error *target_disconnect(void)
{
	struct kd_error *err;

	if (umount2(TARGET_MOUNT, 0) == 0 || errno == EINVAL || errno == ENOENT)
		return NULL;
	err = kd_error_os(errno, "cannot unmount the target");
	sync();
	umount2(TARGET_MOUNT, MNT_DETACH);
	return err;
}

void target_abandon(void)
{
	umount2(TARGET_MOUNT, MNT_DETACH);
}
