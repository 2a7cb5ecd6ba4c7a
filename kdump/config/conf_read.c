/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration file, as every verb reads it. */
#include <stdlib.h>

#include "kdump/verbs/kdumpctl.h"

static void conf_remark(void *arg, const char *message)
{
	kd_warn((const struct kd_log *)arg, "%s", message);
}

struct kd_error *kdumpctl_read_conf(const struct kdumpctl *ctl, struct kd_conf *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read(&ctl->root, ctl->conf_file, &text, NULL);

	if (!err)
		err = kd_conf_parse(text, ctl->conf_file, ret, conf_remark, (void *)&ctl->log);
	return err;
}
