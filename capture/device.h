/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Block devices by name or by what is on them: "/dev/vda1", "UUID=…", "LABEL=…", "PARTUUID=…", "PARTLABEL=…", and
 *  "UUID_SUB=…" for one member of an array, all of whose members bear the same UUID. */
#ifndef CAPTURE_DEVICE_H
#define CAPTURE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum device_key { DEVICE_PATH, DEVICE_UUID, DEVICE_LABEL, DEVICE_PARTUUID, DEVICE_PARTLABEL, DEVICE_UUID_SUB };

struct device_tag {
	enum device_key key;
	const char *value; /* points into the text */
};

/** False: none of the forms above. */
bool device_tag_parse(const char *text, struct device_tag *ret);

/** Hand every block device that bears @tag to @take, those present first, then those that appear, until @take returns
 *  true or @deadline (clock_ms()) has passed: KD_ERR_TIMEOUT. @node is its path in /dev. */
struct kd_error *device_wait(const char *tag, int64_t deadline, bool (*take)(void *arg, const char *node),
			     void *arg) MUST_CHECK;

#endif
