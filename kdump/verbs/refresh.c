/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that units, rules and package scripts call to keep the loaded image up to date. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/record.h"
#include "base/text.h"
#include "kdump/arming/chain.h"
#include "kdump/arming/health.h"
#include "kdump/arming/kept.h"
#include "kdump/arming/transition.h"
#include "kdump/config/kernel.h"
#include "kdump/config/settings.h"
#include "kdump/verbs/arm.h"
#include "kdump/verbs/status.h"
#include "kdump/verbs/verbs.h"

/* udev's rules create this file. It is removed before each look, and while it exists there is another look: so any
 * number of events causes one reload, and no event is missed. After the last look kdump-refresh.path starts the
 * service again. */
#define REQUEST_PATH KD_RUNDIR "/request"
#define ROUNDS_MAX   10 /* the path unit goes on from there */

/* Made anew when targets on servers that are left out were tried again. The timer's five minutes may be less. */
#define TRIED_PATH  KD_RUNDIR "/tried"
#define TRY_SECONDS 240

static struct kd_error *forget_request(const struct kd_sysroot *root)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, REQUEST_PATH);

	if (!path)
		return kd_error_nomem();
	if (unlink(path) < 0 && errno != ENOENT)
		return kd_error_os(errno, "cannot remove %s", path);
	return NULL;
}

/* Is there nothing that a reload would improve? */
static bool is_well(const struct health *health)
{
	return health->state == ARMED_FOREIGN || health->state == ARMED_TRIAL ||
	       (health->state == ARMED_OURS && !health_is_stale(health));
}

static void note_well(const struct kdumpctl *ctl, const struct health *health)
{
	_cleanup_free_ char *reason = NULL;

	if (health->state == ARMED_TRIAL)
		return;
	if (health->state == ARMED_FOREIGN) {
		transition_note(&ctl->root, &ctl->log, STANDING_STALE, "another program has loaded a kernel");
		return;
	}
	reason = armed_describe(&health->armed);
	if (reason)
		transition_note(&ctl->root, &ctl->log, health->armed.left_out_count ? STANDING_LACKING : STANDING_ARMED,
				reason);
}

/* Servers are tried every few minutes, and not at each event of a device: one that is silent takes its time. */
static bool is_time_for_servers(const struct kdumpctl *ctl)
{
	_cleanup_free_ char *path = kd_sysroot_path(&ctl->root, TRIED_PATH);
	struct stat st;

	if (path && stat(path, &st) == 0 && st.st_mtime <= time(NULL) && time(NULL) - st.st_mtime < TRY_SECONDS)
		return false;
	if (!ctl->dry_run)
		kd_error_destroy(kd_record_write(&ctl->root, TRIED_PATH, "", 0, 0644));
	return true;
}

/* *ret := which target that is left out is there again; NULL: none. */
static struct kd_error *find_returned(const struct kdumpctl *ctl, const struct armed *armed, char **ret)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err;

	*ret = NULL;
	if (!armed->left_out_count)
		return NULL;
	err = kd_conf_load(&ctl->root, NULL, ctl->conf_file, &conf);
	return err ? err : chain_find_returned(&ctl->root, &conf, armed, is_time_for_servers(ctl), ret);
}

/* *well: a reload would improve nothing. *reason := why it would, as far as it is known. */
static struct kd_error *look(const struct kdumpctl *ctl, bool *well, char **reason)
{
	_cleanup_(health_free) struct health health = { 0 };
	struct kd_error *err = health_check(&ctl->root, &ctl->log, &health);

	*well = false;
	/* A record that cannot be read is written again. */
	if (err && err->code == KD_ERR_FORMAT) {
		struct kd_error *err2 = kd_set_text(reason, err->text);

		kd_error_destroy(err);
		return err2;
	}
	if (err)
		return err;
	*well = is_well(&health);
	if (*well)
		err = find_returned(ctl, &health.armed, reason);
	if (err)
		return err;
	if (*reason) {
		*well = false;
		return NULL;
	}
	if (*well && !ctl->dry_run)
		note_well(ctl, &health);
	if (health_is_stale(&health) || *well) {
		*reason = health_reason(&health);
		return *reason ? NULL : kd_error_nomem();
	}
	return kd_set_text(reason, health_sentence(&health));
}

/* Look once, and reload if necessary. *again: look once more, since the reload took some time. */
static struct kd_error *refresh_once(struct kdumpctl *ctl, bool *again)
{
	_cleanup_free_ char *reason = NULL;
	struct kd_error *err;
	bool well;

	*again = false;
	err = look(ctl, &well, &reason);
	if (err)
		return err;
	if (ctl->dry_run)
		printf("%s%s%s\n", well ? "up to date" : "would be loaded again", *reason ? ": " : "", reason);
	if (well || ctl->dry_run)
		return NULL;
	err = arm_refresh(ctl);
	if (err) {
		/* The journal has this error already. A unit that fails every few minutes would add nothing. */
		kd_debug(&ctl->log, "%s", err->text);
		kd_error_destroy(err);
		return NULL;
	}
	kd_info(&ctl->log, "loaded again: %s", reason);
	*again = true;
	return NULL;
}

static struct kd_error *write_metrics(const struct kdumpctl *ctl)
{
	_cleanup_(settings_free) struct settings settings = { 0 };
	_cleanup_(health_free) struct health health = { 0 };
	struct kd_error *err = settings_load(&ctl->root, NULL, &settings);

	if (err || !settings.metrics_file)
		return err;
	err = health_check(&ctl->root, &ctl->log, &health);
	return err ? err : status_write_metrics(&ctl->root, &health, settings.metrics_file);
}

/* Is the machine meant to be armed? */
static bool is_wanted(const struct kdumpctl *ctl)
{
	return ctl->dry_run || transition_last(&ctl->root) != STANDING_OFF;
}

static struct kd_error *refresh(struct kdumpctl *ctl)
{
	struct kd_error *err = NULL;
	bool again = true;
	int round;

	for (round = 0; round < ROUNDS_MAX && again && !err; round++) {
		if (!ctl->dry_run)
			err = forget_request(&ctl->root);
		if (err || !is_wanted(ctl))
			break;
		err = refresh_once(ctl, &again);
		again = again || (!ctl->dry_run && kd_sysroot_exists(&ctl->root, REQUEST_PATH));
	}
	return err;
}

struct kd_error *refresh_run(struct kdumpctl *ctl, int *status)
{
	struct kd_error *err = refresh(ctl);

	return err || ctl->dry_run ? err : write_metrics(ctl);
}

/* --- kernels come and go ------------------------------------------------------------------------------------------ */

static struct kd_error *check_release(const char *release)
{
	return kernel_is_release(release) ? NULL :
					    kd_error_create(KD_ERR_USAGE, "\"%s\" is not a kernel release", release);
}

/* For a new kernel the image is built now, so that its boot only has to load it. If it is the running kernel, its
 * modules were replaced under the same name. */
struct kd_error *refresh_kernel_installed(struct kdumpctl *ctl, int *status)
{
	_cleanup_free_ char *running = NULL;
	const char *release = ctl->argument[0];
	struct kd_error *err = check_release(release);

	if (!err)
		err = kd_sysroot_read_line(&ctl->root, &running, "/proc/sys/kernel/osrelease");
	if (err)
		return err;
	if (strcmp(release, running) != 0)
		return arm_build_ahead(ctl, release);
	return kd_sysroot_is_live(&ctl->root) ? refresh(ctl) : NULL;
}

struct kd_error *refresh_kernel_removed(struct kdumpctl *ctl, int *status)
{
	static const char *const suffixes[] = { "", ".hash", KEPT_SUFFIX };
	_cleanup_free_ char *image = NULL;
	struct kd_error *err = check_release(ctl->argument[0]);
	size_t i;

	if (!err)
		kernel_unlink_initramfs(&ctl->root, ctl->argument[0]);
	if (!err)
		err = kernel_initramfs(KD_STATEDIR, ctl->argument[0], &image);
	for (i = 0; i < ARRAY_SIZE(suffixes) && !err; i++) {
		_cleanup_free_ char *path = NULL;

		err = kd_format(&path, "%s%s%s", ctl->root.prefix, image, suffixes[i]);
		if (!err && unlink(path) < 0 && errno != ENOENT)
			err = kd_error_os(errno, "cannot remove %s", path);
	}
	return err;
}
