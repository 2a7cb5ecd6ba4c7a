/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/crash_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "base/record.h"
#include "base/text.h"
#include "base/trust.h"
#include "kdump/arming/boots.h"
#include "kdump/dumps/dumps.h"

/* type_of_loader of kexec, above four bits of version (Linux Documentation/arch/x86/boot.rst). Every kexec sets it. */
enum { LOADER_KEXEC = 0xd, LOADER_VERSION_BITS = 4 };

bool crash_loop_booted_by_kexec(const struct kd_sysroot *root)
{
	uint64_t type;

	return !kd_error_discard(kd_sysroot_read_u64(root, 10, &type, "/proc/sys/kernel/bootloader_type")) &&
	       type >> LOADER_VERSION_BITS == LOADER_KEXEC;
}

/* --- a list of times ---------------------------------------------------------------------------------------------- */

/* The newest ones, each once, in order. */
static void note(struct kd_handover *handover, int64_t when)
{
	int64_t *crash = handover->crash;
	size_t at = handover->crashes;

	while (at > 0 && crash[at - 1] > when)
		at--;
	if (at > 0 && crash[at - 1] == when)
		return;
	if (handover->crashes == KD_HANDOVER_CRASHES) {
		if (at == 0)
			return;
		at--;
		memmove(crash, crash + 1, at * sizeof(*crash));
	} else {
		memmove(crash + at + 1, crash + at, (handover->crashes - at) * sizeof(*crash));
		handover->crashes++;
	}
	crash[at] = when;
}

static void note_recent(const struct crash_loop_request *request, struct kd_handover *handover, int64_t when)
{
	if (when <= request->now && request->now - when <= request->loop->seconds)
		note(handover, when);
}

/* --- where crashes are known from --------------------------------------------------------------------------------- */

static struct kd_error *read_record(const struct crash_loop_request *request, struct kd_handover *handover)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_record_read(request->root, CRASHES_PATH, &text);
	char *cursor = text, *line;
	int64_t when;

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	while (!err && cursor && (line = strsep(&cursor, "\n")))
		if (kd_parse_s64(line, &when))
			note_recent(request, handover, when);
	return err;
}

static void look_into(const struct crash_loop_request *request, const char *directory, struct kd_handover *handover)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(request->root, directory);
	const char *name;
	int64_t when;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_close_ int fd = -1;
		struct stat st;

		if (!dump_time_of_name(name, &when))
			continue;
		fd = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && kd_is_trusted(&st))
			note_recent(request, handover, when);
	}
}

/* Dumps bear the crashed kernel's own time. What was noted of a boot that left none is not later than the next one. */
static bool has_one_since(const struct kd_handover *handover, int64_t since)
{
	return handover->crashes && handover->crash[handover->crashes - 1] > since;
}

/* How the boot before this one ended. A kexec without a shutdown is a capture's. */
static struct kd_error *look_at_boots(const struct crash_loop_request *request, struct kd_handover *handover)
{
	const struct kd_sysroot *root = request->root;
	struct boots boots;
	struct kd_error *err = boots_read(root, &boots);

	if (err)
		return err;
	if (!*boots.before.id || !boots.before.armed || boots.before.shutdown ||
	    (request->local && !crash_loop_booted_by_kexec(root)) || has_one_since(handover, boots.before.since))
		return NULL;
	note_recent(request, handover,
		    boots.before.sign ? boots.before.sign :
		    boots.now.since   ? boots.now.since :
					request->now);
	return NULL;
}

static struct kd_error *write_record(const struct crash_loop_request *request, const struct kd_handover *handover)
{
	_cleanup_free_ char *text = NULL, *old = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < handover->crashes; i++)
		fprintf(out, "%" PRId64 "\n", handover->crash[i]);
	if (fclose(out) != 0)
		return kd_error_nomem();
	kd_error_destroy(kd_record_read(request->root, CRASHES_PATH, &old));
	if (old ? strcmp(old, text) == 0 : size == 0)
		return NULL;
	return kd_record_write(request->root, CRASHES_PATH, text, size, 0644);
}

struct kd_error *crash_loop_collect(const struct crash_loop_request *request, struct kd_handover *handover)
{
	struct kd_error *err = read_record(request, handover);

	if (err)
		return err;
	for (const char *const *directory = request->directory; *directory; directory++)
		look_into(request, *directory, handover);
	err = look_at_boots(request, handover);
	return err || request->dry_run ? err : write_record(request, handover);
}

struct kd_error *crash_loop_describe(const struct kd_plan_loop *loop, const struct kd_handover *handover, int64_t now,
				     char **ret)
{
	size_t recent = kd_handover_recent(handover, now, loop->seconds);

	if (!loop->count)
		return NULL;
	return kd_format(ret, "%zu crash%s within %u minutes; %u lead to %s", recent, recent == 1 ? "" : "es",
			 loop->seconds / 60, loop->count, kd_action_name(loop->action));
}
