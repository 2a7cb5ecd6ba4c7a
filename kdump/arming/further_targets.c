/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/further_targets.h"

struct kd_error *further_targets_resolve(const struct kd_sysroot *root, const struct kd_log *log,
					 const struct kd_conf *conf, struct further_targets *ret)
{
	const struct target_request first = kd_conf_target(conf);
	struct kd_error *err = NULL;

	if (conf->further_count + conf->dump_to_rootfs > FURTHER_TARGETS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s:%u: there are more than %d targets",
				       conf->further[conf->further_count - 1].file,
				       conf->further[conf->further_count - 1].line, FURTHER_TARGETS_MAX + 1);
	for (size_t i = 0; i < conf->further_count && !err; i++) {
		const struct target_request request = kd_conf_further(conf, i);

		err = target_resolve(root, &request, log, &ret->target[ret->count]);
		ret->count += !err;
	}
	if (!err && conf->dump_to_rootfs) {
		err = target_resolve_rootfs(root, &first, log, &ret->target[ret->count]);
		ret->count += !err;
	}
	return err;
}

void further_targets_list(const struct target *first, const struct further_targets *further,
			  const struct target *list[static FURTHER_TARGETS_MAX + 2])
{
	*list++ = first;
	for (size_t i = 0; i < further->count; i++)
		*list++ = &further->target[i];
	*list = NULL;
}

void further_targets_free(struct further_targets *further)
{
	while (further->count)
		target_free(&further->target[--further->count]);
}
