/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of a crashed kernel: an attacker may have written every byte. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/klog.h"
#include "kdump/dumps/crash_log.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_(crash_log_free) struct crash_log log = { 0 };
	const char *tail = kd_klog_tail(text, 3);

	REQUIRE(tail >= text && tail <= text + size);
	if (fuzz_error(crash_log_parse(text, &log)))
		return 0;
	REQUIRE(log.kind && log.frames <= CRASH_FRAMES_MAX && log.modules <= CRASH_MODULES_MAX);
	REQUIRE(memchr(log.signature, '\0', sizeof(log.signature)));
	for (size_t i = 0; i < log.frames; i++)
		REQUIRE(log.frame[i].text && log.frame[i].symbol);
	return 0;
}
