/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/record.h"
#include "kdump/airbag/ask.h"

#define GUARD_PATH KD_RUNDIR "/deferred"

/* Returns whether there was one. */
static bool remove_note(const struct kd_sysroot *root)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, GUARD_PATH);

	return path && unlink(path) == 0;
}

struct kd_error *guard_defer(const struct kd_sysroot *root, const struct kd_log *log, bool load, bool *ret)
{
	struct airbag_status status = { 0 };
	struct kd_error *err = kd_sysroot_is_live(root) ? airbag_status(&status) : NULL;

	*ret = false;
	if (err || !status.pending)
		return err;
	if (load)
		err = kd_record_write(root, GUARD_PATH, "load\n", 5, 0600);
	else
		remove_note(root);
	if (err)
		return err;
	kd_info(log,
		"this kernel is on trial for another %" PRIu64
		" seconds, and the old kernel stays loaded until then; \"kdumpctl healthy\" %s",
		status.left, load ? "loads the capture kernel" : "unloads it");
	*ret = true;
	return NULL;
}

bool guard_take(const struct kd_sysroot *root)
{
	return remove_note(root);
}
