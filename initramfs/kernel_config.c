/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/kernel_config.h"

#include <stdbool.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

/* Does @text, the configuration of a kernel, set "@option=y"? */
static bool config_has(const char *text, const char *option)
{
	size_t length = strlen(option);
	const char *line = text;

	for (; line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, option, length) == 0 && strncmp(line + length, "=y", 2) == 0)
			return true;
	}
	return false;
}

struct kd_error *kernel_config_find(const struct kd_sysroot *root, const char *release, const char *option,
				    enum kernel_config *ret)
{
	static const struct {
		const char *before, *after; /* the release */
	} places[] = { { "/boot/config-", "" }, { "/lib/modules/", "/config" } };

	*ret = KERNEL_CONFIG_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(places) && *ret == KERNEL_CONFIG_UNKNOWN; i++) {
		_cleanup_free_ char *path = NULL, *text = NULL;
		struct kd_error *err = kd_format(&path, "%s%s%s", places[i].before, release, places[i].after);

		if (err)
			return err;
		kd_error_destroy(kd_sysroot_read(root, path, &text, NULL));
		if (text)
			*ret = config_has(text, option) ? KERNEL_CONFIG_YES : KERNEL_CONFIG_NO;
	}
	return NULL;
}
