/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl start", "stop", "restart", "reload" and "rebuild". */
#include "kdump/verbs/arm.h"

#include "kdump/arming/arming.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/verbs.h"

static void check(void *ctl, const struct kd_conf *conf, const struct target *target)
{
	check_cheaply(ctl, conf, target);
}

static struct arming_request make_request(struct kdumpctl *ctl)
{
	return (struct arming_request){
		.root = &ctl->root,
		.log = &ctl->log,
		.conf_file = ctl->conf_file,
		.kernel = ctl->kernel,
		.capture = ctl->capture,
		.dry_run = ctl->dry_run,
		.resolved = check,
		.arg = ctl,
	};
}

struct kd_error *arm_start(struct kdumpctl *ctl, int *status)
{
	const struct arming_request request = make_request(ctl);

	return arming_start(&request);
}

struct kd_error *arm_restart(struct kdumpctl *ctl, int *status)
{
	const struct arming_request request = make_request(ctl);

	/* A unit saw the edited configuration first, and has just loaded it. */
	return ctl->waited ? arming_refresh(&request) : arming_restart(&request);
}

struct kd_error *arm_reload(struct kdumpctl *ctl, int *status)
{
	const struct arming_request request = make_request(ctl);

	return arming_reload(&request);
}

struct kd_error *arm_rebuild(struct kdumpctl *ctl, int *status)
{
	const struct arming_request request = make_request(ctl);

	return arming_rebuild(&request);
}

struct kd_error *arm_stop(struct kdumpctl *ctl, int *status)
{
	return arming_stop(&ctl->root, &ctl->log);
}

struct kd_error *arm_refresh(struct kdumpctl *ctl)
{
	const struct arming_request request = make_request(ctl);

	return arming_refresh(&request);
}

struct kd_error *arm_build_ahead(struct kdumpctl *ctl, const char *release)
{
	struct arming_request request = make_request(ctl);

	request.kernel = release;
	return arming_build(&request);
}
