/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/sizing/reservation.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "kdump/config/conf.h"
#include "kdump/config/kernel.h"
#include "kdump/config/settings.h"
#include "kdump/storage/target.h"

/* Find the directory of the dumps, and whether a kexec follows. Errors of the target are not reported here but by
 * start. */
static struct kd_error *find_dumps(const struct kd_sysroot *root, const struct kd_log *log, const char *conf_file,
				   struct target *target, bool *returns)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = kd_conf_load(root, log, conf_file, &conf);

	for (size_t i = 0; i <= conf.further_count && !err && !target->directory; i++) {
		const struct target_request request = i ? kd_conf_further(&conf, i - 1) : kd_conf_target(&conf);

		target_free(target);
		kd_error_destroy(target_resolve(root, &request, NULL, target));
	}
	*returns = conf.final_action == KD_ACTION_KEXEC;
	return err;
}

struct kd_error *reservation_estimate(const struct kd_sysroot *root, const struct kd_log *log, const char *conf_file,
				      const char *release, struct estimate *ret)
{
	_cleanup_(settings_free) struct settings settings = { 0 };
	_cleanup_(kernel_free) struct kernel kernel = { 0 };
	_cleanup_(target_free) struct target target = { 0 };
	_cleanup_free_ char *initrd = NULL, *cmdline = NULL, *return_initrd = NULL;
	struct estimate_request request = { .root = root };
	struct kd_error *err;
	bool returns = false;

	err = settings_load(root, log, &settings);
	if (!err)
		err = kernel_find(root, &settings, release, &kernel);
	if (!err)
		err = find_dumps(root, log, conf_file, &target, &returns);
	if (!err)
		err = kernel_initramfs(KD_STATEDIR, kernel.release, &initrd);
	if (err)
		return err;
	request.kernel = kernel.path;
	request.release = kernel.release;
	request.initrd = initrd;
	request.dumps = target.directory;
	if (returns && !kd_error_discard(kernel_find_initrd(root, &kernel, &return_initrd))) {
		request.return_kernel = kernel.path;
		request.return_initrd = return_initrd;
	}
	/* Without a command line one CPU is assumed; start reports what is wrong with it. */
	if (settings.commandline)
		request.cmdline = settings.commandline;
	else if (!kd_error_discard(loader_capture_cmdline(root, settings.commandline_remove,
							  settings.commandline_append, &cmdline)))
		request.cmdline = cmdline;
	return estimate_make(&request, ret);
}

void reservation_remark(const struct kd_log *log, const struct estimate *estimate)
{
	uint64_t reserved = estimate->reserved >> 20, recommended = kd_mib_up(estimate->recommended);

	switch (estimate_judge(estimate)) {
	case ESTIMATE_SMALL:
		kd_warn(log,
			"%" PRIu64 " MiB are reserved for the capture kernel, but it needs %" PRIu64
			" MiB and may run out of memory: \"kdumpctl reset-crashkernel %" PRIu64 "M\", then reboot",
			reserved, kd_mib_up(estimate->need), recommended);
		break;
	case ESTIMATE_WASTEFUL:
		kd_info(log,
			"%" PRIu64 " MiB are reserved for the capture kernel, but %" PRIu64
			" MiB are enough: \"kdumpctl reset-crashkernel %" PRIu64
			"M\" gives the rest back at the next boot",
			reserved, recommended, recommended);
		break;
	case ESTIMATE_NOTHING:
	case ESTIMATE_FITS:
		break;
	}
}
