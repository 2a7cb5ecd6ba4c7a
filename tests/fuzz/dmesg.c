/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's log in hostile memory. A ring's records cannot have more text than the ring. */
#include <stdio.h>

#include "base/cleanup.h"
#include "dumpfilter/dumpfilter.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"

/* All memory of the machine as text of four characters a byte, and a time for each record. */
#define TEXT_MAX (UINT64_C(32) << 20)

static uint64_t written;

static ssize_t count_bytes(void *cookie, const char *buf, size_t size)
{
	written += size;
	return (ssize_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_fclose_ FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = count_bytes });
	struct dumpfilter_identity identity;
	struct hostile hostile;

	REQUIRE(out);
	written = 0;
	hostile_make(data, size, &hostile);
	fuzz_error(dumpfilter_dmesg(hostile.path, out, NULL));
	fflush(out);
	REQUIRE(written <= TEXT_MAX);
	fuzz_error(dumpfilter_identify(hostile.path, &identity));
	return 0;
}
