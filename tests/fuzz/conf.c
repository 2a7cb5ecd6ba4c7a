/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /etc/kdump.conf. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kdump/config/conf.h"
#include "tests/fuzz/fuzz.h"

static void remark(void *arg, const char *message)
{
	REQUIRE(*message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	if (fuzz_error(kd_conf_parse(&(struct kd_conf_text){ .file = "kdump.conf", .text = text }, 1, &conf, remark,
				     NULL)))
		return 0;
	REQUIRE(conf.path && conf.path[0] == '/');
	REQUIRE(conf.core_collector && conf.core_collector[0] && conf.extra_bins && conf.extra_modules);
	REQUIRE(!conf.target_type == !conf.target);
	REQUIRE(!conf.kdump_pre || conf.kdump_pre[0] == '/');
	REQUIRE(conf.keep_free_percent <= 100);
	return 0;
}
