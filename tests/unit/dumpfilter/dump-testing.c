/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/dumpfilter/dump-testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

char core[96], dump[96];
static char dir[TEMPORARY_SIZE];

int dump_setup(void **state)
{
	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	snprintf(dump, sizeof(dump), "%s/dump", dir);
	return 0;
}

int dump_teardown(void **state)
{
	temporary_remove(dir);
	return 0;
}

void patch_file(const char *path, off_t offset, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(kd_pwrite_all(fd, data, size, offset), 0);
	close(fd);
}

struct kd_error *open_machine(struct opened *opened)
{
	machine_write(&opened->machine, core);
	assert_no_error(vmcore_open(core, &opened->vmcore));
	opened->info.text = vmcore_vmcoreinfo(opened->vmcore, &opened->info.size);
	return address_space_init(&opened->space, opened->vmcore, &opened->info, NULL);
}

void close_machine(struct opened *opened)
{
	address_space_release(&opened->space);
	vmcore_close(opened->vmcore);
}

struct vmcoreinfo info_of(const char *text)
{
	return (struct vmcoreinfo){ text, strlen(text) };
}

void read_result(struct result *result)
{
	uint64_t bitmaps;

	assert_no_error(kd_read_file(dump, 256 << 20, &result->file, &result->size));
	memcpy(&result->header, result->file, sizeof(result->header));
	memcpy(&result->sub, result->file + 4096, sizeof(result->sub));
	assert_memory_equal(result->header.signature, "KDUMP   ", 8);
	assert_int_equal(result->header.block_size, 4096);
	bitmaps = (1 + result->header.sub_header_blocks) * UINT64_C(4096);
	result->bitmap1 = (const uint8_t *)result->file + bitmaps;
	result->bitmap2 = result->bitmap1 + result->header.bitmap_blocks / 2 * 4096;
	result->descs = result->file + bitmaps + result->header.bitmap_blocks * UINT64_C(4096);
}

bool has(const uint8_t *bitmap, uint64_t pfn)
{
	return bitmap[pfn / 8] >> (pfn % 8) & 1;
}

struct page_desc desc_of(const struct result *result, uint64_t pfn)
{
	struct page_desc desc;
	uint64_t rank = 0;

	for (uint64_t i = 0; i < pfn; i++)
		rank += has(result->bitmap2, i);
	memcpy(&desc, result->descs + rank * sizeof(desc), sizeof(desc));
	return desc;
}

void expand(const struct result *result, uint64_t pfn, uint8_t *page)
{
	struct page_desc desc = desc_of(result, pfn);
	uLongf size = 4096;

	assert_true(has(result->bitmap2, pfn));
	assert_true(desc.offset && desc.offset + desc.size <= result->size && desc.size <= 4096);
	if (desc.flags == 0) {
		assert_int_equal(desc.size, 4096);
		memcpy(page, result->file + desc.offset, 4096);
	} else {
		assert_int_equal(desc.flags, 1);
		assert_int_equal(uncompress(page, &size, (const uint8_t *)result->file + desc.offset, desc.size), Z_OK);
		assert_int_equal(size, 4096);
	}
}

uint64_t excluded(const struct result *result)
{
	uint64_t count = 0;

	for (uint64_t pfn = 0; pfn < RAM_PAGES; pfn++)
		count += !has(result->bitmap2, pfn);
	return count;
}
