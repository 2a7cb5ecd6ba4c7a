/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dumpfilter/dump-check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/vmcore/kdump_format.h"

#define BITMAP_MAX (UINT64_C(1) << 31)
#define DESCS      4096u

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	return kd_pread_all(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

static const char *check_descs(int fd, uint64_t offset, uint32_t block_size, struct dump_check *check)
{
	static struct page_desc desc[DESCS];

	for (uint64_t done = 0, count; done < check->pages; done += count) {
		count = check->pages - done < DESCS ? check->pages - done : DESCS;
		if (!read_at(fd, desc, count * sizeof(desc[0]), offset + done * sizeof(desc[0])))
			return "page_descs are missing";
		for (uint64_t i = 0; i < count; i++) {
			if (desc[i].size > block_size || desc[i].offset + desc[i].size > check->size)
				return "a page_desc leads out of the file";
			if (!desc[i].offset != !desc[i].size)
				return "a page_desc that is half filled";
			check->filled += desc[i].offset != 0;
		}
	}
	return NULL;
}

const char *dump_check(const char *path, struct dump_check *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct dump_check check = { 0 };
	struct kdump_header header;
	struct kdump_sub_header sub;
	uint64_t bitmap, half;
	const char *problem;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return "not there";
	check.size = (uint64_t)st.st_size;
	if (!read_at(fd, &header, sizeof(header), 0) || memcmp(header.signature, KDUMP_SIGNATURE, 8) != 0)
		return "no header";
	if (header.block_size < 4096 || header.block_size > 65536 || (header.block_size & (header.block_size - 1)))
		return "block size";
	if (!read_at(fd, &sub, sizeof(sub), header.block_size))
		return "no sub header";
	if (sub.notes_offset + sub.notes_size > check.size ||
	    sub.notes_offset + sub.notes_size > (uint64_t)header.block_size * (1 + header.sub_header_blocks))
		return "notes";
	check.incomplete = header.status & KDUMP_STATUS_INCOMPLETE;
	bitmap = (uint64_t)header.block_size * (1 + header.sub_header_blocks);
	half = (uint64_t)header.block_size * header.bitmap_blocks / 2;
	if (half * 8 < sub.max_mapnr_64 || half > BITMAP_MAX)
		return "bitmaps too small, or absurd";

	_cleanup_free_ uint8_t *bits = malloc(2 * half);
	if (!bits || !read_at(fd, bits, 2 * half, bitmap))
		return "bitmaps are missing";
	for (uint64_t i = 0; i < half; i++) {
		if (bits[half + i] & ~bits[i])
			return "a page that is dumped, but not memory";
		check.pages += (uint64_t)__builtin_popcount(bits[half + i]);
	}
	problem = check_descs(fd, bitmap + 2 * half, header.block_size, &check);
	if (problem)
		return problem;
	*ret = check;
	return NULL;
}
