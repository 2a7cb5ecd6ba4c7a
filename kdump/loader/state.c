/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of kexec in the running kernel: loaded, reserved, locked down. */
#include "kdump/loader/loader.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

/* Linux 7.0 ("kexec: move sysfs entries to /sys/kernel/kexec") has /sys/kernel/kexec/crash_size and its like; the older
 * names, /sys/kernel/kexec_crash_size and its like, are links to them. */
static struct kd_error *read_state(const struct kd_sysroot *root, const char *name, uint64_t *ret)
{
	struct kd_error *err = kd_sysroot_read_u64(root, 10, ret, "/sys/kernel/kexec/%s", name);

	if (!err || err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	err = kd_sysroot_read_u64(root, 10, ret, "/sys/kernel/kexec_%s", name);
	if (!err || err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	return kd_error_create(KD_ERR_STATE, "the running kernel has no kexec (CONFIG_KEXEC, CONFIG_CRASH_DUMP)");
}

struct kd_error *loader_loaded(const struct kd_sysroot *root, enum loader_policy policy, bool *ret)
{
	uint64_t value;
	struct kd_error *err = read_state(root, policy == LOADER_PANIC ? "crash_loaded" : "loaded", &value);

	if (!err)
		*ret = value != 0;
	return err;
}

const char *loader_forbidden(const struct kd_sysroot *root, enum loader_policy policy)
{
	/* The limit (Linux 6.3) says how many more loads are allowed; -1: any number. */
	static const struct {
		enum loader_policy policy;
		const char *limit, *none_left;
	} limits[] = {
		{ LOADER_PANIC, "kexec_load_limit_panic", "kernel.kexec_load_limit_panic is 0" },
		{ LOADER_REBOOT, "kexec_load_limit_reboot", "kernel.kexec_load_limit_reboot is 0" },
	};
	uint64_t value = 0;

	kd_error_destroy(kd_sysroot_read_u64(root, 10, &value, "/proc/sys/kernel/kexec_load_disabled"));
	if (value)
		return "kernel.kexec_load_disabled is 1";
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].policy == policy &&
		    !kd_error_discard(kd_sysroot_read_u64(root, 10, &value, "/proc/sys/kernel/%s", limits[i].limit)) &&
		    value == 0)
			return limits[i].none_left;
	return NULL;
}

struct kd_error *loader_crash_size(const struct kd_sysroot *root, uint64_t *ret)
{
	return read_state(root, "crash_size", ret);
}

/* "none [integrity] confidentiality": the word in brackets. */
struct kd_error *loader_lockdown(const struct kd_sysroot *root, char **ret)
{
	_cleanup_free_ char *line = NULL;
	struct kd_error *err = kd_sysroot_read_line(root, &line, "/sys/kernel/security/lockdown");
	char *start, *end;

	if (err) { /* a kernel without lockdown, or securityfs is not mounted */
		kd_error_destroy(err);
		return kd_set_text(ret, NULL);
	}
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end || end - start < 2)
		return kd_set_text(ret, NULL);
	*end = '\0';
	return kd_set_text(ret, strcmp(start + 1, "none") == 0 ? NULL : start + 1);
}
