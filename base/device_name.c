/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/device_name.h"

#include <stddef.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/plan.h"

static const char *const prefixes[] = {
	[KD_DEVICE_PATH] = "/dev/",
	[KD_DEVICE_UUID] = "UUID=",
	[KD_DEVICE_LABEL] = "LABEL=",
	[KD_DEVICE_PARTUUID] = "PARTUUID=",
	[KD_DEVICE_PARTLABEL] = "PARTLABEL=",
	[KD_DEVICE_UUID_SUB] = "UUID_SUB=",
	[KD_DEVICE_VOLUME] = KD_PLAN_VOLUME_PREFIX,
	[KD_DEVICE_DISK] = "DISK=",
	[KD_DEVICE_PATHS] = "PATHS=",
	[KD_DEVICE_CONTAINER] = "CONTAINER=",
};

bool kd_device_name_parse(const char *text, struct kd_device_name *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if (!kd_starts_with(text, prefixes[i]) || !text[length])
			continue;
		*ret = (struct kd_device_name){ i, i == KD_DEVICE_PATH ? text : text + length };
		return true;
	}
	return false;
}

const char *kd_device_key_prefix(enum kd_device_key key)
{
	return prefixes[key];
}
