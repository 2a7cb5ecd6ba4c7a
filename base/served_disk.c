/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/served_disk.h"

#include <string.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "base/parse.h"

bool kd_served_is(const struct kd_plan_volume *volume)
{
	static const char *const kinds[] = { KD_SERVED_ISCSI, KD_SERVED_NVME, KD_SERVED_NVME_RDMA };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(volume->kind, kinds[i]) == 0)
			return kd_count_words(volume->argv) >= KD_SERVED_WORDS;
	return false;
}

bool kd_served_is_disk(const struct kd_plan_volume *volume, const char *device)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	struct kd_device_name disk;
	const char *wanted;

	if (!kd_served_is(volume) || !kd_device_name_parse(volume->argv[KD_SERVED_DISK], &disk) ||
	    kd_error_discard(kd_device_spec_parse(device, &spec)))
		return false;
	wanted = spec.value[KD_DEVICE_PATHS] ? spec.value[KD_DEVICE_PATHS] : spec.value[KD_DEVICE_DISK];
	return wanted && strcmp(disk.value, wanted) == 0;
}
