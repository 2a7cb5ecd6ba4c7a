/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loader.conf of systemd-boot, and the order of versions, which must be one. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kdump/boot/entry_order.h"
#include "kdump/boot/read_menu.h"
#include "tests/fuzz/fuzz.h"

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *pattern = NULL;
	char *other = strchr(text, '\f');

	if (other) {
		*other++ = '\0';
		REQUIRE(sign(boot_version_compare(text, other)) == -sign(boot_version_compare(other, text)));
		REQUIRE(boot_version_compare(text, text) == 0);
		return 0;
	}
	if (fuzz_error(read_menu_loader_conf(text, &pattern)) || !pattern)
		return 0;
	REQUIRE(!strpbrk(pattern, "\r\nABC"));
	return 0;
}
