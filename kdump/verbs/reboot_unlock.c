/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl reboot --unlock": the volume keys of the root file system go along, in memory alone. */
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "kdump/loader/image.h"
#include "kdump/loader/initrd.h"
#include "kdump/unlock/volumes.h"
#include "kdump/verbs/reboot.h"
#include "kdump/verbs/verbs.h"

#define PROGRAM "kdump-unlock" /* beside the capture program */

enum { INITRD_MAX = 1 << 30 };

/* What would undo it, or be undone by it. */
static struct kd_error *check_words(const struct kdumpctl *ctl, const struct reboot_request *request)
{
	if (ctl->option[REBOOT_TRY])
		return kd_error_create(
			KD_ERR_USAGE,
			"--unlock and --try exclude each other: the kernel that returns from a trial would "
			"ask for the passphrase");
	if (strstr(request->cmdline, "rdinit="))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"the command line has rdinit=: the program that opens the volumes would not run");
	return NULL;
}

static struct kd_error *choose_volumes(const struct kdumpctl *ctl, const struct reboot_request *request,
				       struct unlock_volumes *volumes)
{
	const struct loader_request loader = {
		.root = &ctl->root,
		.initrd = request->initrd ? request->initrd[0] : NULL,
		.more_initrds = request->initrd ? (const char *const *)request->initrd + 1 : NULL,
	};
	_cleanup_(kernel_image_free) struct kernel_image kernel = { 0 };
	_cleanup_(initrd_free) struct initrd initrd = { 0 };
	const char *what = request->initrd ? request->initrd[0] : request->kernel;
	struct kd_error *err = kernel_image_read(&ctl->root, request->kernel, &kernel);

	if (!err)
		err = initrd_read(&loader, &kernel, INITRD_MAX, &initrd);
	if (!err && !initrd.data)
		err = kd_error_create(KD_ERR_UNSUPPORTED, "the entry has no initramfs, which would open the volume");
	return err ? err : unlock_volumes_choose(volumes, initrd.data, initrd.size, what, request->cmdline);
}

static struct kd_error *add_keys(const struct unlock_volumes *volumes, struct reboot_request *request)
{
	_cleanup_secret_ char *archive = NULL;
	size_t size = 0;
	struct kd_error *err = unlock_volumes_pack(volumes, &archive, &size);

	return err ? err : reboot_archives_add(&request->archives, archive, size);
}

static struct kd_error *add_program(const struct kdumpctl *ctl, struct reboot_request *request)
{
	const char *slash = strrchr(ctl->capture, '/');
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ void *archive = NULL;
	size_t size = 0;
	struct kd_error *err = kd_format(&path, "%.*s" PROGRAM, slash ? (int)(slash - ctl->capture) + 1 : 0,
					 ctl->capture);

	if (!err)
		err = unlock_program_pack(path, &archive, &size);
	return err ? err : reboot_archives_add(&request->archives, archive, size);
}

static void say(const struct kdumpctl *ctl, const struct unlock_volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++)
		kd_info(&ctl->log, "the key of volume %s, from %s, goes into the memory of the next kernel",
			volumes->volume[i].name, volumes->volume[i].source);
}

static struct kd_error *prepare(struct kdumpctl *ctl, struct reboot_request *request)
{
	_cleanup_(unlock_volumes_free) struct unlock_volumes volumes = { 0 };
	struct kd_error *err = check_words(ctl, request);

	if (!err)
		err = unlock_volumes_find(&ctl->root, &volumes);
	if (!err)
		err = choose_volumes(ctl, request, &volumes);
	kd_secret_guard();
	if (!err)
		err = unlock_volumes_fetch(&ctl->root, &volumes_live, &volumes);
	if (!err)
		err = add_program(ctl, request);
	if (!err)
		err = add_keys(&volumes, request);
	if (!err)
		err = reboot_request_append(request, LOADER_UNLOCK);
	if (!err)
		say(ctl, &volumes);
	return err;
}

struct kd_error *reboot_unlock_prepare(struct kdumpctl *ctl, const char *value, struct reboot_request *request)
{
	return kd_error_wrap(prepare(ctl, request), "--unlock");
}
