/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl reset-crashkernel, get-default-crashkernel, and the verbs for package scripts. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/boot/changes.h"
#include "kdump/boot/crashkernel.h"
#include "kdump/config/conf.h"
#include "kdump/loader/loader.h"
#include "kdump/sizing/reservation.h"
#include "kdump/verbs/arm.h"
#include "kdump/verbs/verbs.h"

enum { RESET_KERNEL, RESET_BOOTLOADER, RESET_FORCE, RESET_PRINT, RESET_REBOOT, RESET_FADUMP };

const struct verb_option reset_options[] = {
	[RESET_KERNEL] = { "kernel", 0, "PATH|ALL|DEFAULT",
			   "change only the entries of this kernel; default: ALL, and new entries" },
	[RESET_BOOTLOADER] = { "bootloader", 0, "NAME", "grub, grubby, systemd-boot, u-boot-menu or extlinux" },
	[RESET_FORCE] = { "force", 0, NULL, "replace a size that an administrator chose, too" },
	[RESET_PRINT] = { "print", 0, NULL, "print the change, do not make it" },
	[RESET_REBOOT] = { "reboot", 0, NULL, "reboot if the change needs it" },
	[RESET_FADUMP] = { "fadump", 0, "on|off|nocma", "firmware-assisted dump: only on PPC" },
	{ 0 },
};

/* --- the recommendation and its record ---------------------------------------------------------------------------- */

/* Use the default with its ranges if it gives the same size: it stays right when the machine's memory changes. */
static struct kd_error *make_setting(const struct estimate *estimate, char **ret)
{
	if (estimate->recommended == crashkernel_setting_size(crashkernel_default(), estimate->ram))
		return kd_set_text(ret, crashkernel_default());
	return kd_format(ret, "%" PRIu64 "M", estimate->recommended >> 20);
}

/* The setting for this machine. *known := false if its need cannot be estimated; then it is the default. */
static struct kd_error *recommend(const struct kdumpctl *ctl, struct estimate *estimate, bool *known, char **ret)
{
	struct kd_error *err = reservation_estimate(&ctl->root, &ctl->log, ctl->conf_file, ctl->kernel, estimate);

	*known = !err;
	if (!err)
		return make_setting(estimate, ret);
	kd_info(&ctl->log, "%s: using the default", err->text);
	kd_error_destroy(err);
	return kd_set_text(ret, crashkernel_default());
}

/* *ret stays as it is if no valid setting is recorded. */
static struct kd_error *read_record(const struct kdumpctl *ctl, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read_line(&ctl->root, &text, BOOT_RECORD_PATH);

	if (err && err->errnum != ENOENT)
		return err;
	if (!err)
		err = crashkernel_check_setting(text);
	if (!err)
		*ret = take_ptr(text);
	kd_error_destroy(err);
	return NULL;
}

static struct kd_error *write_record(const struct kdumpctl *ctl, const char *setting)
{
	_cleanup_free_ char *path = kd_sysroot_path(&ctl->root, BOOT_RECORD_PATH);
	_cleanup_free_ char *directory = kd_sysroot_path(&ctl->root, KD_STATEDIR), *line = NULL;
	struct kd_error *err;

	if (!path || !directory)
		return kd_error_nomem();
	err = kd_format(&line, "%s\n", setting);
	if (!err)
		err = kd_mkdir_p(directory, 0755);
	return err ? err : kd_write_file_atomic(path, line, strlen(line), 0644);
}

/* The administrator has chosen a size, which is not to be changed from now on. */
static struct kd_error *remove_record(const struct kdumpctl *ctl)
{
	_cleanup_free_ char *path = kd_sysroot_path(&ctl->root, BOOT_RECORD_PATH);

	if (!path)
		return kd_error_nomem();
	if (unlink(path) < 0 && errno != ENOENT)
		return kd_error_os(errno, "cannot remove %s", path);
	return NULL;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* The place of a change: "kernel=/boot/vmlinuz-…", or the file for all kernels. */
static void name_place(const struct boot_plan *plan, const struct boot_change *change, char *buffer, size_t size)
{
	if (change->kernel)
		snprintf(buffer, size, "kernel=%s%s",
			 plan->loader->indexed && !kd_starts_with(change->kernel, "/boot/") ? "/boot" : "",
			 change->kernel);
	else if (plan->loader->per_kernel)
		snprintf(buffer, size, "new kernels (%s)", plan->config.file[change->file].path);
	else
		snprintf(buffer, size, "kernel=ALL");
}

static void say_change(const struct kdumpctl *ctl, const struct boot_plan *plan, const struct boot_change *change)
{
	char place[512], index[64] = "";

	name_place(plan, change, place, sizeof(place));
	if (plan->loader->indexed && change->kernel)
		snprintf(index, sizeof(index), ", grub entry index=%zu", change->index);
	switch (change->outcome) {
	case BOOT_CHANGED:
		kd_info(&ctl->log, "Updated crashkernel=%s for %s%s", change->new_, place, index);
		break;
	case BOOT_SAME:
		kd_info(&ctl->log, "No need to update crashkernel value for %s", place);
		break;
	case BOOT_KEPT:
		break; /* say_kept() */
	}
}

/* Nothing that was asked for has happened to a size that stays, so this is no success. */
static bool say_kept(const struct kdumpctl *ctl, const struct boot_plan *plan)
{
	const struct boot_change *kept = boot_plan_kept(plan);

	if (kept)
		kd_warn(&ctl->log,
			"An administrator chose crashkernel=%s in %s, so it stays: give a SIZE, or --force to replace "
			"it with the recommended one",
			kept->old, plan->config.file[kept->file].path);
	return kept;
}

/* Has the running kernel already reserved the size of @setting? */
static bool is_in_effect(const struct kdumpctl *ctl, const char *setting)
{
	_cleanup_free_ char *cmdline = NULL, *running = NULL;
	uint64_t reserved = 0, ram = 0;
	struct kd_error *err;
	bool same;

	err = loader_crash_size(&ctl->root, &reserved);
	if (!err)
		err = crashkernel_ram(&ctl->root, &ram);
	if (!err)
		err = kd_sysroot_read_line(&ctl->root, &cmdline, "/proc/cmdline");
	if (!err)
		err = crashkernel_get(cmdline, strlen(cmdline), &running);
	same = !err && reserved &&
	       ((running && strcmp(running, setting) == 0) || crashkernel_setting_size(setting, ram) == reserved);
	kd_error_destroy(err);
	return same;
}

static struct kd_error *advise_reboot(const struct kdumpctl *ctl, const struct boot_plan *plan, bool wanted)
{
	static const char *const reboot[] = { "/usr/bin/systemctl", "reboot", NULL };
	const char *setting = boot_plan_result(plan);

	if (!setting)
		return NULL;
	if (is_in_effect(ctl, setting)) {
		if (boot_plan_changes(plan))
			kd_info(&ctl->log, "The running kernel has already reserved this size: no reboot is needed.");
		return NULL;
	}
	kd_info(&ctl->log, "Please reboot the system for the change to take effect.");
	return wanted && kd_sysroot_is_live(&ctl->root) ? boot_run(reboot) : NULL;
}

/* After the next boot such a machine would have no reservation, and leave no dump. */
static void warn_of_size(const struct kdumpctl *ctl, const char *setting)
{
	uint64_t ram, size;

	if (kd_error_discard(crashkernel_ram(&ctl->root, &ram)))
		return;
	size = crashkernel_setting_size(setting, ram);
	if (!size)
		kd_warn(&ctl->log,
			"crashkernel=%s reserves nothing on this machine, which has %" PRIu64 " MiB of memory", setting,
			ram >> 20);
	else if (size >= ram)
		kd_warn(&ctl->log,
			"crashkernel=%s is more than the memory of this machine (%" PRIu64
			" MiB): its kernel would reserve nothing",
			setting, ram >> 20);
}

/* --- verbs -------------------------------------------------------------------------------------------------------- */

/* Decide on the changes, and print or apply them. */
static struct kd_error *carry_out(const struct kdumpctl *ctl, const char *bootloader,
				  const struct boot_request *request, bool print, struct boot_plan *plan)
{
	const struct boot_loader *loader;
	struct kd_error *err;
	size_t i;

	err = boot_loader_choose(&ctl->root, bootloader, &loader);
	if (err)
		return err;
	if (!bootloader)
		kd_debug(&ctl->log, "The boot loader is %s", loader->name);
	err = boot_plan_make(&ctl->root, loader, request, plan);
	if (err)
		return err;
	if (print) {
		boot_plan_print(plan, stdout);
		if (!plan->commands && !boot_plan_changes(plan))
			kd_info(&ctl->log, "Nothing would change (%s)", loader->name);
		return NULL;
	}
	err = boot_plan_apply(&ctl->root, plan, &ctl->log);
	if (err)
		return err;
	for (i = 0; i < plan->changes; i++)
		say_change(ctl, plan, &plan->change[i]);
	return NULL;
}

static struct kd_error *check_options(const struct kdumpctl *ctl)
{
	struct kd_error *err;
	struct utsname name;

	if (ctl->option[RESET_FADUMP]) {
		if (uname(&name) < 0 || !kd_starts_with(name.machine, "ppc64"))
			return kd_error_create(KD_ERR_USAGE, "Option --fadump only valid on PPC");
		return kd_error_create(KD_ERR_UNSUPPORTED, "firmware-assisted dumps are not supported");
	}
	err = ctl->argument_count ? crashkernel_check_setting(ctl->argument[0]) : NULL;
	if (err) /* the text contains the argument already, but these words are Red Hat's */
		return kd_error_wrap(err, "%s not recognized", ctl->argument[0]);
	return NULL;
}

/* Build the image now: its size counts for the estimate, the next boot only has to load it, and errors in the
 * configuration are reported before the reboot. */
static void build_ahead(struct kdumpctl *ctl)
{
	struct kd_error *err = kd_sysroot_is_live(&ctl->root) ? arm_build_ahead(ctl, ctl->kernel) : NULL;

	if (err)
		kd_warn(&ctl->log, "cannot build a capture image yet: %s", err->text);
	kd_error_destroy(err);
}

struct kd_error *reset_crashkernel(struct kdumpctl *ctl, int *status)
{
	_cleanup_(boot_plan_free) struct boot_plan plan = { 0 };
	_cleanup_(estimate_free) struct estimate estimate = { 0 };
	_cleanup_free_ char *recommended = NULL, *recorded = NULL;
	struct boot_request request = {
		.setting = ctl->argument_count ? ctl->argument[0] : NULL,
		.kernel = ctl->option[RESET_KERNEL],
		.replace = ctl->option[RESET_FORCE] != NULL,
	};
	bool known;
	struct kd_error *err;

	err = check_options(ctl);
	if (!err && request.setting)
		warn_of_size(ctl, request.setting);
	if (!err && !ctl->dry_run)
		build_ahead(ctl);
	if (!err && !request.setting)
		err = recommend(ctl, &estimate, &known, &recommended);
	if (!err)
		err = read_record(ctl, &recorded);
	request.recommended = recommended;
	request.recorded = recorded;
	if (!err)
		err = carry_out(ctl, ctl->option[RESET_BOOTLOADER], &request, ctl->dry_run, &plan);
	if (!err && say_kept(ctl, &plan))
		*status = 1;
	if (err || ctl->dry_run)
		return err;
	if (request.setting)
		err = remove_record(ctl);
	else if (boot_plan_changes(&plan))
		err = write_record(ctl, recommended);
	return err ? err : advise_reboot(ctl, &plan, ctl->option[RESET_REBOOT] != NULL);
}

/* May kdumpctl change crashkernel= by itself? *recorded := the setting that it wrote; NULL: it may not. */
static struct kd_error *may_act(const struct kdumpctl *ctl, char **recorded)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, &conf);

	return err || !conf.auto_reset_crashkernel ? err : read_record(ctl, recorded);
}

static bool is_still_right(const struct estimate *estimate, const char *setting)
{
	struct estimate now = *estimate;

	now.reserved = crashkernel_setting_size(setting, estimate->ram);
	return estimate_judge(&now) == ESTIMATE_FITS;
}

struct kd_error *reset_after_update(struct kdumpctl *ctl, int *status)
{
	_cleanup_(boot_plan_free) struct boot_plan plan = { 0 };
	_cleanup_(estimate_free) struct estimate estimate = { 0 };
	_cleanup_free_ char *recommended = NULL, *recorded = NULL;
	struct boot_request request = { .only_recorded = true };
	struct kd_error *err;
	bool known;

	err = may_act(ctl, &recorded);
	if (err || !recorded)
		return err;
	err = recommend(ctl, &estimate, &known, &recommended);
	if (err || strcmp(recommended, recorded) == 0 || (known && is_still_right(&estimate, recorded)))
		return err;
	request.recommended = recommended;
	request.recorded = recorded;
	err = carry_out(ctl, NULL, &request, ctl->dry_run, &plan);
	if (err || ctl->dry_run || !boot_plan_changes(&plan))
		return err;
	err = write_record(ctl, recommended);
	return err ? err : advise_reboot(ctl, &plan, false);
}

struct kd_error *reset_for_kernel(struct kdumpctl *ctl, int *status)
{
	_cleanup_(boot_plan_free) struct boot_plan plan = { 0 };
	_cleanup_free_ char *recorded = NULL;
	struct boot_request request = { .release = ctl->argument[0] };
	const struct boot_loader *loader;
	struct kd_error *err;

	err = may_act(ctl, &recorded);
	if (err || !recorded)
		return err;
	err = boot_loader_choose(&ctl->root, NULL, &loader);
	if (err || !loader->per_kernel) /* a setting for all kernels covers this one */
		return err;
	request.recommended = request.recorded = recorded;
	return carry_out(ctl, NULL, &request, ctl->dry_run, &plan);
}

struct kd_error *reset_get_default(struct kdumpctl *ctl, int *status)
{
	const char *mechanism = ctl->argument_count ? ctl->argument[0] : "kdump";

	if (strcmp(mechanism, "fadump") == 0)
		return kd_error_create(KD_ERR_UNSUPPORTED, "fadump: firmware-assisted dumps are only on PPC");
	if (strcmp(mechanism, "kdump") != 0)
		return kd_error_create(KD_ERR_USAGE, "%s not recognized: use kdump", mechanism);
	puts(crashkernel_default());
	return NULL;
}
