/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading: loader_prepare() has built and checked everything, and the system calls follow. */
#include "kdump/loader/loader.h"

#include <errno.h>

#include "kdump/loader/kexec_call.h"
#include "kdump/loader/layout.h"

/* kexec_file_load(2) drops the armed panic kernel before it checks the signature of the new one. So first let it check
 * where nothing can be lost: load the new kernel for the next reboot, if no other is loaded for that. */
static struct kd_error *rehearse(const struct kexec_call *call, const struct kexec_files *files)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	struct kexec_call rehearsal = { .debug = call->debug };
	struct kexec_files kernel = *files;
	bool armed = false, taken = false;
	struct kd_error *err;

	if (!call->on_crash)
		return NULL;
	err = kd_sysroot_open(NULL, &root);
	if (!err)
		err = loader_loaded(&root, LOADER_PANIC, &armed);
	if (!err)
		err = loader_loaded(&root, LOADER_REBOOT, &taken);
	if (err || !armed || taken)
		return err;
	kernel.initrd = NULL; /* it carries no signature */
	kernel.secret_size = 0;
	err = kexec_call_file_load(&rehearsal, &kernel);
	return err ? err : kexec_call_unload(false);
}

static struct kd_error *load_files(const struct loader_image *image, const struct kexec_call *call,
				   const char **how_ret)
{
	struct kexec_files files = {
		.kernel = image->kernel.file,
		.kernel_size = image->kernel.file_size,
		.initrd = image->initrd.data,
		.initrd_size = image->initrd.size,
		.secret_size = image->initrd.secret_size,
		.cmdline = image->cmdline,
	};
	struct kd_error *err;

	err = rehearse(call, &files);
	if (!err)
		err = kexec_call_file_load(call, &files);
	if (!err && how_ret)
		*how_ret = "kexec_file_load";
	return err;
}

/* If kexec_load(2) is forbidden or missing, kexec_file_load(2) may work; it does not help against a fault in the
 * layout. */
static bool may_fall_back(const struct loader_image *image, const struct kd_error *err)
{
	return image->call == LOADER_CALL_AUTO &&
	       (err->errnum == EPERM || err->errnum == EACCES || err->errnum == ENOSYS);
}

struct kd_error *loader_load(const struct loader_image *image, const char **how_ret)
{
	struct kexec_call call = {
		.on_crash = image->policy == LOADER_PANIC,
		.hotplug = image->hotplug,
		.debug = image->log && image->log->level >= KD_LOG_DEBUG,
	};
	struct kd_error *err;

	if (!image->purgatory)
		return kd_error_create(KD_ERR_UNSUPPORTED, "this build has no purgatory for %s", image->arch->name);
	if (image->call == LOADER_CALL_FILE_LOAD)
		return load_files(image, &call, how_ret);
	err = kexec_call_load(&call, &image->segments, image->entry);
	if (err && may_fall_back(image, err)) {
		kd_info(image->log, "using kexec_file_load: %s", err->text);
		kd_error_destroy(err);
		return load_files(image, &call, how_ret);
	}
	if (!err && how_ret)
		*how_ret = "kexec_load";
	return err;
}

struct kd_error *loader_unload(enum loader_policy policy)
{
	return kexec_call_unload(policy == LOADER_PANIC);
}

struct kd_error *loader_reboot(void)
{
	return kexec_call_reboot();
}
