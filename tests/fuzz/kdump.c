/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps that were filtered: kdump-compressed, and flattened. So that small inputs reach everything, the input is the
 * parts of a file without what lies between them: first byte odd: header (464 bytes), sub header with notes (512),
 * bitmaps (64 each), the rest; even: the records of a flattened dump. */
#include <string.h>

#include "base/cleanup.h"
#include "dumpfilter/vmcore/flattened_format.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/fuzz/fuzz.h"

#define BLOCK    4096u
#define READ_MAX 64

static uint8_t file[16 * BLOCK];

/* Move up to @size bytes of the input to @offset of the file. */
static void place(const uint8_t **data, size_t *left, size_t offset, size_t size)
{
	if (size > *left)
		size = *left;
	memcpy(file + offset, *data, size);
	*data += size;
	*left -= size;
}

static size_t build(const uint8_t *data, size_t size)
{
	bool kdump = *data++ & 1;
	size_t offset = kdump ? 4 * BLOCK : FLATTENED_HEADER_SIZE, rest;

	size--;
	memset(file, 0, sizeof(file));
	if (kdump) {
		place(&data, &size, 0, 464);
		memcpy(file, "KDUMP   ", 8);
		place(&data, &size, BLOCK, 512);
		place(&data, &size, 2 * BLOCK, 64);
		place(&data, &size, 3 * BLOCK, 64);
	} else {
		memcpy(file, FLATTENED_SIGNATURE, sizeof(FLATTENED_SIGNATURE));
		file[16 + 7] = file[24 + 7] = 1; /* type and version */
	}
	rest = size < sizeof(file) - offset ? size : sizeof(file) - offset;
	memcpy(file + offset, data, rest);
	return offset + rest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	const struct kd_ranges *ram, *contents;
	struct vmcore_window window;
	static uint8_t buf[65536];
	unsigned int reads = 0;
	const uint8_t *seen;

	if (size == 0 || fuzz_error(vmcore_open(fuzz_file(file, build(data, size)), &vmcore)))
		return 0;
	ram = vmcore_ram(vmcore);
	contents = vmcore_contents(vmcore);
	REQUIRE(ram->count > 0 && vmcore_end_paddr(vmcore) > 0);
	vmcore_window_init(&window, vmcore);
	for (size_t i = 0; i < contents->count && reads < READ_MAX; i++) {
		const struct kd_range *range = &contents->range[i];

		REQUIRE(range->start < range->end && kd_ranges_contain(ram, range->start, range->end));
		for (uint64_t paddr = range->start; paddr < range->end && reads < READ_MAX; paddr += 4096, reads++) {
			if (!fuzz_error(vmcore_window_get(&window, paddr, 4096, buf, &seen)))
				buf[0] ^= seen[4095];
			if (!fuzz_error(vmcore_read(vmcore, paddr + 1, buf + 1, 4096)))
				REQUIRE(kd_ranges_contain(contents, paddr + 1, paddr + 4097));
		}
	}
	vmcore_window_release(&window);
	return 0;
}
