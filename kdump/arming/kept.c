/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/kept.h"

#include <string.h>

#include "base/text.h"
#include "initramfs/hash.h"
#include "kdump/storage/volumes.h"

struct kd_error *kept_plan(const struct kd_sysroot *root, const struct target *const *targets, struct kd_plan *ret)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	struct kd_error *err = kd_plan_init(&plan);

	for (; *targets && !err; targets++) {
		const struct target *target = *targets;

		err = kd_plan_add_target(&plan, target->type, target->device, target->options, target->path, 0);
		if (!err)
			err = volumes_resolve(root, NULL, &volumes_live, target, &plan);
	}
	if (err)
		return err;
	*ret = plan;
	plan = (struct kd_plan){ 0 };
	return NULL;
}

struct kd_error *kept_map(const struct kd_sysroot *root, const struct target *const *targets, char **ret)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kept_plan(root, targets, &plan);
	char hash[HASH_TEXT_SIZE];

	if (!err)
		err = kd_plan_format(&plan, &text);
	if (err)
		return err;
	hash_bytes(text, strlen(text), hash);
	return kd_set_text(ret, hash);
}

struct kd_error *kept_write(const struct kd_sysroot *root, const struct armed *armed)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err = kd_format(&path, "%s" KEPT_SUFFIX, armed->initrd);

	return err ? err : armed_write_to(root, path, 0600, armed);
}

struct kd_error *kept_read(const struct kd_sysroot *root, const char *initrd, struct armed *ret, bool *found)
{
	_cleanup_(armed_free) struct armed armed = { 0 };
	_cleanup_free_ char *path = NULL, *hash = NULL;
	struct kd_error *err;

	*ret = armed;
	*found = false;
	err = kd_format(&path, "%s" KEPT_SUFFIX, initrd);
	if (!err)
		err = armed_read_from(root, path, &armed);
	if (!err)
		err = armed_hash_file(root, initrd, &hash);
	if (err && err->code != KD_ERR_NOMEM) {
		kd_error_destroy(err);
		return NULL;
	}
	if (err || !armed.initrd_hash || strcmp(armed.initrd_hash, hash) != 0)
		return err;
	*ret = armed;
	armed = (struct armed){ 0 };
	*found = true;
	return NULL;
}
