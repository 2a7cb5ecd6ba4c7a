/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl reboot. */
#include "kdump/verbs/reboot.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/run.h"
#include "base/visible.h"
#include "kdump/boot/changes.h"
#include "kdump/verbs/trial.h"
#include "kdump/verbs/verbs.h"

enum { OVERLAY_MAX = 1 << 30 };

const struct verb_option reboot_options[] = {
	[REBOOT_KERNEL] = { "kernel", 0, "VERSION", "start the kernel of this version (uname -r)" },
	[REBOOT_ENTRY] = { "entry", 0, "ID",
			   "start this entry of the boot loader's menu: its id, title or kernel file" },
	[REBOOT_NEXT] = { "next", 0, NULL, "start what the boot loader would take next: the default" },
	[REBOOT_APPEND] = { "append", 0, "WORDS", "add these parameters to the command line, for this boot" },
	[REBOOT_OVERLAY] = { "overlay", 0, "FILE", "let this cpio archive follow the initramfs, for this boot" },
	[REBOOT_NO_FAST] = { "no-fast", 0, NULL,
			     "decompress the kernel after the jump, as a boot loader's kernel does" },
	[REBOOT_UNLOCK] = { "unlock", 0, NULL,
			    "hand the keys of the encrypted root file system over, so that nobody is asked" },
	[REBOOT_BOOTLOADER] = { "bootloader", 0, "NAME", "grub, grubby, systemd-boot, u-boot-menu or extlinux" },
	[REBOOT_CHECK] = { "check", 0, NULL, "list what would keep it from working here, change nothing" },
	[REBOOT_TIMING] = { "timing", 0, "[UNIT]",
			    "print how long the last one took, until UNIT (multi-user.target) was up" },
	[REBOOT_FORCE] = { "force", 0, NULL, "reboot in spite of an obstacle" },
	[REBOOT_STOP_DEADLINE] = { "stop-deadline", 0, "SECONDS", "jump then, even if something has not stopped" },
	[REBOOT_STOP_FIRMWARE] = { "stop-firmware", 0, NULL, "at that deadline reboot by the firmware instead" },
	[REBOOT_TRY] = { "try", 0, NULL, "return to the running kernel unless the new one is reported healthy" },
	[REBOOT_DEADLINE] = { "deadline", 0, "SECONDS", "with --try: how long the new kernel has for that (120)" },
	[REBOOT_OPTIONS] = { 0 },
};

static struct kd_error *append(struct kdumpctl *ctl, const char *value, struct reboot_request *request)
{
	return reboot_request_append(request, value);
}

static struct kd_error *overlay(struct kdumpctl *ctl, const char *value, struct reboot_request *request)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	struct kd_error *err = kd_sysroot_read_max(&ctl->root, value, OVERLAY_MAX, &data, &size);

	return err ? kd_error_wrap(err, "--overlay") : reboot_archives_add(&request->archives, data, size);
}

static struct kd_error *no_fast(struct kdumpctl *ctl, const char *value, struct reboot_request *request)
{
	request->not_fast = true;
	return NULL;
}

static const struct reboot_part parts[] = {
	{ REBOOT_NO_FAST, no_fast, NULL, NULL },
	{ REBOOT_OVERLAY, overlay, NULL, NULL },
	{ REBOOT_APPEND, append, NULL, NULL },
	{ REBOOT_UNLOCK, reboot_unlock_prepare, NULL, NULL },
	{ REBOOT_STOP_DEADLINE, reboot_deadline_prepare, reboot_deadline_start, reboot_deadline_stop },
	{ REBOOT_TRY, try_prepare, try_loaded, try_stays }, /* last: behind its words nothing else may stand */
};

/* --- the parts ---------------------------------------------------------------------------------------------------- */

static bool takes_part(const struct kdumpctl *ctl, const struct reboot_part *part)
{
	return ctl->option[part->option];
}

static struct kd_error *prepare_parts(struct kdumpctl *ctl, struct reboot_request *request)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && !err; i++)
		if (takes_part(ctl, &parts[i]) && parts[i].prepare)
			err = parts[i].prepare(ctl, ctl->option[parts[i].option], request);
	return err;
}

static struct kd_error *parts_loaded(struct kdumpctl *ctl, const struct reboot_request *request)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && !err; i++)
		if (takes_part(ctl, &parts[i]) && parts[i].loaded)
			err = parts[i].loaded(ctl, ctl->option[parts[i].option], request);
	return err;
}

static void machine_stays(struct kdumpctl *ctl)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (takes_part(ctl, &parts[i]) && parts[i].stays)
			parts[i].stays(ctl);
	kd_log_error(&ctl->log, loader_unload(LOADER_REBOOT));
}

/* --- the request -------------------------------------------------------------------------------------------------- */

static const struct {
	size_t option, needs;
} pairs[] = {
	{ REBOOT_DEADLINE, REBOOT_TRY },
	{ REBOOT_STOP_FIRMWARE, REBOOT_STOP_DEADLINE },
};

static struct kd_error *choose(const struct kdumpctl *ctl, struct reboot_request *ret)
{
	const struct reboot_choice choice = {
		.entry = ctl->option[REBOOT_ENTRY],
		.version = ctl->option[REBOOT_KERNEL],
		.loader = ctl->option[REBOOT_BOOTLOADER],
	};
	unsigned int ways = (choice.entry != NULL) + (choice.version != NULL) + (ctl->option[REBOOT_NEXT] != NULL);

	/* Whoever sets a deadline relies on it. */
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (ctl->option[pairs[i].option] && !ctl->option[pairs[i].needs])
			return kd_error_create(KD_ERR_USAGE, "--%s is for --%s: give that, too, or leave it out",
					       reboot_options[pairs[i].option].name,
					       reboot_options[pairs[i].needs].name);
	if (ways > 1)
		return kd_error_create(KD_ERR_USAGE, "--kernel, --entry and --next exclude each other");
	return reboot_request_make(&ctl->root, &choice, ret);
}

static void print_line(const char *name, const char *value)
{
	printf("%-8s ", name);
	kd_visible_put(stdout, value, false);
	putchar('\n');
}

static void print_request(const struct reboot_request *request)
{
	print_line("entry", request->title);
	print_line("because", request->why);
	print_line("version", *request->version ? request->version : "not known");
	print_line("kernel", request->kernel);
	for (char **path = request->initrd; path && *path; path++)
		print_line("initrd", *path);
	print_line("options", request->cmdline);
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */

/* The boot loader forgets it when it starts the entry; this time nobody starts the boot loader. */
static struct kd_error *forget_once(const struct kdumpctl *ctl, const struct reboot_request *request)
{
	for (size_t i = 0; request->forget && request->forget[i][0]; i++)
		if (kd_sysroot_exists(&ctl->root, request->forget[i][0]))
			return boot_run(request->forget[i]);
	return NULL;
}

/* systemd finds a kernel loaded, and loads none itself. */
static struct kd_error *leave(const struct kdumpctl *ctl)
{
	static const char *const words[] = { "systemctl", "kexec", NULL };
	bool ok = false;
	struct kd_error *err = kd_run_shown(words, true, &ok);

	if (!err && !ok)
		err = kd_error_create(KD_ERR_STATE, "\"systemctl kexec\" failed: the machine stays");
	return err;
}

static struct kd_error *load(struct kdumpctl *ctl, const struct reboot_request *request)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	const char *how = "";
	struct kd_error *err = reboot_request_prepare(&ctl->root, request, &ctl->log, &image);

	if (!err)
		err = loader_load(image, &how);
	if (!err)
		kd_info(&ctl->log, "loaded %s by %s: rebooting into \"%s\" (%s)", request->kernel, how, request->title,
			request->why);
	return err;
}

static struct kd_error *go(struct kdumpctl *ctl, const struct reboot_request *request)
{
	struct kd_error *err = load(ctl, request);

	if (err)
		return kd_error_wrap(err, "cannot load %s; the machine stays as it is", request->kernel);
	err = reboot_timing_note(ctl);
	if (!err)
		err = parts_loaded(ctl, request);
	if (!err)
		err = forget_once(ctl, request);
	if (!err)
		err = leave(ctl);
	if (err)
		machine_stays(ctl);
	return err;
}

struct kd_error *reboot_run(struct kdumpctl *ctl, int *status)
{
	_cleanup_(reboot_request_free) struct reboot_request request = { 0 };
	bool check = ctl->option[REBOOT_CHECK];
	unsigned int obstacles = 0;
	const char *timing = ctl->option[REBOOT_TIMING];
	struct kd_error *err;

	if (timing)
		return reboot_timing_show(ctl, *timing ? timing : "multi-user.target");
	err = choose(ctl, &request);
	if (!err)
		err = prepare_parts(ctl, &request);
	if (!err && ctl->dry_run && !check) {
		print_request(&request);
		return NULL;
	}
	if (!err)
		err = reboot_check(ctl, &request, check, &obstacles);
	if (err)
		return err;
	if (check) {
		*status = obstacles ? 1 : 0;
		return NULL;
	}
	if (obstacles && !ctl->option[REBOOT_FORCE])
		return kd_error_create(KD_ERR_STATE,
				       "the reboot would not work here: see above; --force tries it all the same");
	return go(ctl, &request);
}
