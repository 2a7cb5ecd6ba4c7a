/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/comeback.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/record.h"
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/arming/crash_loop.h"
#include "kdump/config/kernel.h"
#include "kdump/storage/target.h"
#include "kdump/storage/volume_keys.h"
#include "kdump/storage/volumes.h"

#define DEVICES "/sys/bus/pci/devices"

void comeback_free(struct comeback *comeback)
{
	free(comeback->release);
	free(comeback->kernel);
	free(comeback->initrd);
	free(comeback->kernel_file);
	free(comeback->initrd_file);
	free(comeback->refused);
	loader_parts_free(&comeback->parts);
	*comeback = (struct comeback){ 0 };
}

/* Whatever is wrong is a reason, but for a lack of memory. */
static struct kd_error *refuse(struct comeback *comeback, struct kd_error *err)
{
	struct kd_error *err2;

	if (!err || err->code == KD_ERR_NOMEM)
		return err;
	err2 = kd_set_text(&comeback->refused, err->text);
	kd_error_destroy(err);
	return err2;
}

/* --- which kernel ------------------------------------------------------------------------------------------------- */

/* The newest kernel that is older than @running, and complete. */
static struct kd_error *find_previous(const struct kd_sysroot *root, const struct settings *settings,
				      const char *running, char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/lib/modules");
	_cleanup_free_ char *best = NULL;
	const char *name;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_(kernel_free) struct kernel kernel = { 0 };
		_cleanup_free_ char *initrd = NULL;
		struct kd_error *err;

		if (!kernel_is_release(name) || strverscmp(name, running) >= 0 || (best && strverscmp(name, best) < 0))
			continue;
		err = kernel_find(root, settings, name, &kernel);
		if (!err)
			err = kernel_find_initrd(root, &kernel, &initrd);
		if (!err)
			err = kd_set_text(&best, name);
		if (err && err->code == KD_ERR_NOMEM)
			return err;
		kd_error_destroy(err);
	}
	if (!best)
		return kd_error_create(KD_ERR_NOT_FOUND, "no kernel older than %s is installed", running);
	*ret = take_ptr(best);
	return NULL;
}

static struct kd_error *find_files(const struct kd_sysroot *root, const struct settings *settings,
				   struct comeback *comeback)
{
	_cleanup_(kernel_free) struct kernel kernel = { 0 };
	_cleanup_free_ char *running = NULL;
	struct kd_error *err = kd_sysroot_read_line(root, &running, "/proc/sys/kernel/osrelease");

	if (!err && comeback->previous)
		err = find_previous(root, settings, running, &comeback->release);
	else if (!err)
		comeback->release = take_ptr(running);
	if (!err)
		err = kernel_find(root, settings, comeback->release, &kernel);
	if (!err)
		err = kernel_find_initrd(root, &kernel, &comeback->initrd);
	if (!err)
		err = kd_sysroot_realpath(root, kernel.path, &comeback->kernel);
	return err;
}

/* --- where it is -------------------------------------------------------------------------------------------------- */

/* The file system of @file, and its path there. */
static struct kd_error *resolve_file(const struct kd_sysroot *root, const char *file, struct target *target, char **ret)
{
	const char *name = strrchr(file, '/') + 1;
	_cleanup_free_ char *directory = strndup(file, name == file + 1 ? 1 : (size_t)(name - file - 1));
	struct target_request request = { .path = directory };
	const struct kd_target_type *type;
	struct kd_error *err = directory ? target_resolve(root, &request, NULL, target) : kd_error_nomem();

	if (err)
		return kd_error_wrap(err, "%s cannot be read by a capture kernel", file);
	type = kd_target_type_find(target->type);
	if (!type || type->source != KD_TARGET_BLOCK)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is on %s; a capture kernel reads kernels from disks",
				       file, target->type);
	return kd_format(ret, "%s/%s", target->path[1] ? target->path : "", name);
}

/* A key that the dump itself does not need is not fetched for this. */
static struct kd_error *check_keys(const struct kd_plan *more, const struct kd_plan *plan)
{
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };
	struct kd_error *err = volume_keys_list(more, &keys);

	for (size_t i = 0; i < keys.count && !err; i++)
		if (!kd_plan_find_volume(plan, keys.key[i].volume))
			err = kd_error_create(KD_ERR_UNSUPPORTED,
					      "the kernel is on the encrypted volume %s, which the dump does not need",
					      keys.key[i].volume);
	return err;
}

static struct kd_error *add_volumes(const struct kd_sysroot *root, const struct target *boot, struct kd_plan *plan)
{
	_cleanup_(kd_plan_free) struct kd_plan more = { 0 };
	struct kd_error *err = kd_plan_init(&more);

	if (!err)
		err = volumes_resolve(root, NULL, &volumes_live, boot, &more);
	if (!err)
		err = check_keys(&more, plan);
	for (size_t i = 0; i < more.volume_count && !err; i++)
		if (!kd_plan_find_volume(plan, more.volume[i].name))
			err = kd_plan_add_volume(plan, more.volume[i].kind, more.volume[i].name, more.volume[i].argv);
	return err;
}

static struct kd_error *find_file_system(const struct kd_sysroot *root, unsigned int deadline, struct kd_plan *plan,
					 struct comeback *comeback)
{
	_cleanup_(target_free) struct target boot = { 0 }, other = { 0 };
	_cleanup_free_ char *initrd = NULL;
	struct kd_error *err = kd_sysroot_realpath(root, comeback->initrd, &initrd);

	if (!err)
		err = resolve_file(root, comeback->kernel, &boot, &comeback->kernel_file);
	if (!err)
		err = resolve_file(root, initrd, &other, &comeback->initrd_file);
	if (!err && strcmp(boot.device, other.device) != 0)
		err = kd_error_create(KD_ERR_UNSUPPORTED, "%s and %s are on different file systems", comeback->kernel,
				      comeback->initrd);
	if (!err)
		err = add_volumes(root, &boot, plan);
	return err ? err : kd_plan_set_boot(plan, boot.type, boot.device, boot.options, deadline);
}

struct kd_error *comeback_find(const struct kd_sysroot *root, const struct settings *settings, unsigned int deadline,
			       struct kd_plan *plan, struct comeback *comeback)
{
	struct kd_error *err = loader_can_return();

	if (!err)
		err = find_files(root, settings, comeback);
	if (!err)
		err = find_file_system(root, deadline, plan, comeback);
	return refuse(comeback, err);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static struct kd_error *first_cpu(const struct kd_sysroot *root, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read(root, "/proc/cpuinfo", &text, NULL);
	int64_t id = err ? -1 : kd_proc_boot_cpu(text);

	if (!err && id < 0)
		err = kd_error_create(KD_ERR_UNSUPPORTED,
				      "/proc/cpuinfo does not tell which CPU the machine booted on");
	if (!err)
		*ret = (uint64_t)id;
	return err;
}

static struct kd_error *keep_boot_cpu(const struct kd_sysroot *root, uint64_t id)
{
	_cleanup_free_ char *text = NULL, *old = NULL;
	struct kd_error *err = kd_format(&text, "%" PRIu64 "\n", id);

	if (err)
		return err;
	kd_error_destroy(kd_record_read(root, BOOT_CPU_PATH, &old));
	return old && strcmp(old, text) == 0 ? NULL : kd_record_write(root, BOOT_CPU_PATH, text, strlen(text), 0644);
}

/* After a kexec the first CPU may be another one than the firmware's, so what an earlier boot has noted counts. */
static struct kd_error *find_boot_cpu(const struct kd_sysroot *root, bool dry_run, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	if (!crash_loop_booted_by_kexec(root)) {
		err = first_cpu(root, ret);
		return err || dry_run ? err : keep_boot_cpu(root, *ret);
	}
	err = kd_record_read(root, BOOT_CPU_PATH, &text);
	if (!err && kd_parse_u64(kd_strip(text), 10, ret))
		return NULL;
	kd_error_destroy(err);
	return kd_error_create(
		KD_ERR_STATE,
		"the boot CPU is not known, because this machine has not booted through its firmware since "
		"this version of kdump is installed; reboot it once");
}

/* Drivers that show devices which no other driver does. */
static bool hides(const struct kd_sysroot *root, const char *name)
{
	static const char *const drivers[] = { "vmd", "thunderbolt" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%.64s", drivers[i], name);
		if (kd_sysroot_exists(root, path))
			return true;
	}
	return false;
}

/* Virtual functions are among them; the capture kernel sees them only if it has the driver of the physical one. */
static struct kd_error *list_functions(const struct kd_sysroot *root, struct kd_handover *handover)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, DEVICES);
	struct kd_error *err = NULL;
	const char *name;

	while (dir && !err && (name = kd_next_entry(dir)))
		err = kd_handover_add_function(handover, name, hides(root, name));
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kd_handover_function *)a)->name, ((const struct kd_handover_function *)b)->name);
}

static struct kd_error *describe_machine(const struct kd_sysroot *root, bool dry_run, struct kd_handover *handover)
{
	struct kd_error *err = find_boot_cpu(root, dry_run, &handover->boot_cpu);

	if (!err)
		err = list_functions(root, handover);
	/* The directory's order is not the same each time, and an image that is loaded is compared with a new one. */
	if (!err && handover->functions)
		qsort(handover->function, handover->functions, sizeof(*handover->function), by_name);
	return err;
}

static struct kd_error *lay_out(const struct kd_sysroot *root, const struct kd_log *log, bool dry_run,
				struct comeback *comeback, struct kd_handover *handover)
{
	_cleanup_(kd_handover_free) struct kd_handover made = { 0 };
	_cleanup_free_ char *running = NULL, *cmdline = NULL;
	struct loader_request request = {
		.root = root,
		.policy = LOADER_RETURN,
		.call = LOADER_CALL_LOAD,
		.kernel = comeback->kernel,
		.initrd = comeback->initrd,
		.log = log,
	};
	struct kd_error *err = kd_sysroot_read_line(root, &running, "/proc/cmdline");

	if (!err)
		err = loader_own_cmdline(running, &cmdline);
	request.cmdline = cmdline;
	if (!err)
		err = loader_handover(&request, comeback->kernel_file, comeback->initrd_file, &made, &comeback->parts);
	if (!err)
		err = describe_machine(root, dry_run, &made);
	if (!err)
		err = kd_set_text(&made.release, comeback->release);
	if (err)
		return err;
	made.previous = comeback->previous;
	memcpy(made.crash, handover->crash, sizeof(made.crash));
	made.crashes = handover->crashes;
	*handover = made;
	made = (struct kd_handover){ 0 };
	return NULL;
}

struct kd_error *comeback_lay_out(const struct kd_sysroot *root, const struct kd_log *log, bool dry_run,
				  struct comeback *comeback, struct kd_handover *handover)
{
	struct kd_error *err = NULL;

	if (!comeback->wanted)
		return NULL;
	if (!comeback->refused)
		err = refuse(comeback, lay_out(root, log, dry_run, comeback, handover));
	if (err || !comeback->refused)
		return err;
	kd_warn(log, "after a crash this machine reboots through its firmware, not by kexec: %s", comeback->refused);
	return kd_set_text(&handover->refused, comeback->refused);
}
