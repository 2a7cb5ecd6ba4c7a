/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables, sections, struct pages and VMCOREINFO as an enemy would write them: a filter's whole run. What comes out
 * is a dump whose tables hold together, or an error. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/kdump_format.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"

static void read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	REQUIRE(kd_pread_all(fd, buf, size, (off_t)offset) == (ssize_t)size);
}

/* What every reader relies on. */
static void check_dump(const char *path, const struct dumpfilter_report *report)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct kdump_header header;
	struct kdump_sub_header sub;
	uint64_t bitmap, half, descs, filled = 0, count = 0;
	struct stat st;

	REQUIRE(fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size <= HOSTILE_DUMP_MAX);
	read_at(fd, &header, sizeof(header), 0);
	read_at(fd, &sub, sizeof(sub), header.block_size);
	REQUIRE(memcmp(header.signature, KDUMP_SIGNATURE, 8) == 0);
	REQUIRE(!(header.status & KDUMP_STATUS_INCOMPLETE));
	bitmap = (uint64_t)header.block_size * (1 + header.sub_header_blocks);
	half = (uint64_t)header.block_size * header.bitmap_blocks / 2;
	REQUIRE(half * 8 >= sub.max_mapnr_64);
	descs = bitmap + 2 * half;

	_cleanup_free_ uint8_t *bits = malloc(2 * half);
	REQUIRE(bits);
	read_at(fd, bits, 2 * half, bitmap);
	for (uint64_t i = 0; i < half; i++) {
		REQUIRE((bits[half + i] & ~bits[i]) == 0);
		count += (uint64_t)__builtin_popcount(bits[half + i]);
	}
	for (uint64_t i = 0; i < count; i++) {
		struct page_desc desc;

		read_at(fd, &desc, sizeof(desc), descs + i * sizeof(desc));
		REQUIRE(desc.size <= header.block_size && desc.offset + desc.size <= (uint64_t)st.st_size);
		filled += desc.offset != 0;
	}
	REQUIRE(filled == report->pages_written && count == report->pages_written + report->unreadable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dumpfilter_options options = { 0 };
	struct dumpfilter_report report;
	struct hostile hostile;
	char out[64];

	snprintf(out, sizeof(out), "%s/dump", fuzz_directory());
	hostile_make(data, size, &hostile);
	options.level = hostile.level;
	if (!fuzz_error(dumpfilter_run(hostile.path, out, &options, &report)))
		check_dump(out, &report);
	unlink(out);
	return 0;
}
