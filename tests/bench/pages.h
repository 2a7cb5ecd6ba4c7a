/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The pages of an uncompressed dump (dumpfilter --uncompressed -d LEVEL), or of any file cut into pages. */
#ifndef TESTS_BENCH_PAGES_H
#define TESTS_BENCH_PAGES_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dumpfilter/vmcore/kdump_format.h"

struct pages {
	size_t page_size, count;
	const uint8_t **page;
};

static inline void add_page(struct pages *pages, const uint8_t *page)
{
	/* Zero pages are not compressed. */
	if (page[0] == 0 && memcmp(page, page + 1, pages->page_size - 1) == 0)
		return;
	if (pages->count % 65536 == 0) {
		pages->page = realloc(pages->page, (pages->count + 65536) * sizeof(*pages->page));
		if (!pages->page)
			err(2, NULL);
	}
	pages->page[pages->count++] = page;
}

static inline void add_dump(struct pages *pages, const char *path, const uint8_t *data, size_t size)
{
	struct kdump_sub_header sub;
	struct kdump_header header;
	struct page_desc desc;
	size_t half, offset;

	memcpy(&header, data, sizeof(header));
	if (header.block_size != pages->page_size || size < 2 * header.block_size)
		errx(2, "%s: pages of %u bytes", path, header.block_size);
	memcpy(&sub, data + header.block_size, sizeof(sub));
	half = (size_t)header.bitmap_blocks / 2 * header.block_size;
	offset = (1 + (size_t)header.sub_header_blocks) * header.block_size + half;
	for (size_t pfn = 0, at = offset + half; pfn < sub.max_mapnr_64; pfn++) {
		if (offset + pfn / 8 >= size || !(data[offset + pfn / 8] & 1 << pfn % 8))
			continue;
		if (at + sizeof(desc) > size)
			errx(2, "%s: cut off", path);
		memcpy(&desc, data + at, sizeof(desc));
		at += sizeof(desc);
		if (desc.flags)
			errx(2, "%s: is compressed", path);
		if (desc.offset && desc.offset + pages->page_size <= size)
			add_page(pages, data + desc.offset);
	}
}

static inline void pages_add(struct pages *pages, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const uint8_t *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(2, "%s", path);
	if ((size_t)st.st_size < pages->page_size) {
		close(fd);
		return;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		err(2, "%s", path);
	close(fd);
	if (memcmp(data, KDUMP_SIGNATURE, 8) == 0) {
		add_dump(pages, path, data, (size_t)st.st_size);
		return;
	}
	for (size_t at = 0; at + pages->page_size <= (size_t)st.st_size; at += pages->page_size)
		add_page(pages, data + at);
}

#endif
