/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/kept.h"

#include <string.h>

#include "base/plan.h"
#include "base/text.h"
#include "initramfs/hash.h"
#include "kdump/storage/volumes.h"

/* The plan has a word that stands for the key, whatever the key is. */
static struct kd_error *no_key(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret)
{
	return kd_set_text(ret, "");
}

struct kd_error *kept_map(const struct kd_sysroot *root, const struct target *const *targets, char **ret)
{
	const struct volumes_source source = { volumes_live.table, no_key };
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_plan_init(&plan);
	char hash[HASH_TEXT_SIZE];

	for (; *targets && !err; targets++) {
		const struct target *target = *targets;

		err = kd_plan_add_target(&plan, target->type, target->device, target->options, target->path, 0);
		if (!err)
			err = volumes_resolve(root, NULL, &source, target, &plan, &keys);
	}
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
