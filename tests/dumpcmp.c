/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dumpcmp [--allow-superset] [--vmcore RAW] A [B]: do two kdump-compressed files hold the same pages?
 *
 * Shares no code with the library on purpose: layouts are written down a second time, so that a mistake in one place
 * shows. Exit status: 0 the same, 1 different, 2 trouble.
 *
 * --allow-superset: A may have pages that B has not (pages that are RAM only in part).
 * --vmcore RAW: every page of A is what the vmcore has.
 */
#include "config.h"

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#endif
#ifdef HAVE_SNAPPY
#include <snappy-c.h>
#endif

#define SHOWN     8u /* pfns named per kind of difference */
#define BLOCK_MAX 65536u

struct file {
	const char *path;
	const uint8_t *data;
	uint64_t size;
};

struct dump {
	struct file file;
	uint32_t block_size, status;
	uint64_t max_mapnr;
	const uint8_t *bitmap1, *bitmap2, *notes;
	uint64_t notes_size, desc_offset;
	uint64_t rank; /* of the page that comes next */
	uint8_t page[BLOCK_MAX];
};

struct tally {
	const char *what;
	uint64_t count;
	uint64_t first[SHOWN];
};

static void add(struct tally *tally, uint64_t pfn)
{
	if (tally->count < SHOWN)
		tally->first[tally->count] = pfn;
	tally->count++;
}

static void show(const struct tally *tally)
{
	printf("%-24s %10" PRIu64, tally->what, tally->count);
	for (uint64_t i = 0; i < tally->count && i < SHOWN; i++)
		printf(" 0x%" PRIx64, tally->first[i]);
	printf("\n");
}

static const uint8_t *at(const struct file *file, uint64_t offset, uint64_t size)
{
	if (offset > file->size || size > file->size - offset)
		errx(2, "%s: ends before offset %" PRIu64, file->path, offset + size);
	return file->data + offset;
}

static uint32_t u32(const struct file *file, uint64_t offset)
{
	uint32_t value;

	memcpy(&value, at(file, offset, sizeof(value)), sizeof(value));
	return value;
}

static uint64_t u64(const struct file *file, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, at(file, offset, sizeof(value)), sizeof(value));
	return value;
}

static void open_file(struct file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(2, "%s", path);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		err(2, "%s", path);
	close(fd);
	*file = (struct file){ .path = path, .data = map, .size = (uint64_t)st.st_size };
}

static void open_dump(struct dump *dump, const char *path)
{
	uint64_t sub, bitmap_offset, bitmap_size;
	uint32_t version;

	open_file(&dump->file, path);
	if (memcmp(at(&dump->file, 0, 8), "KDUMP   ", 8) != 0)
		errx(2, "%s: not a kdump-compressed file", path);
	version = u32(&dump->file, 8);
	dump->status = u32(&dump->file, 424);
	dump->block_size = u32(&dump->file, 428);
	if (dump->block_size < 4096 || dump->block_size > BLOCK_MAX || (dump->block_size & (dump->block_size - 1)))
		errx(2, "%s: block size %u", path, dump->block_size);
	if (u64(&dump->file, 416) != 0)
		errx(2, "%s: tv_usec is not 0", path);
	sub = dump->block_size;
	dump->max_mapnr = version >= 6 ? u64(&dump->file, sub + 96) : u32(&dump->file, 440);
	bitmap_offset = (1 + (uint64_t)u32(&dump->file, 432)) * dump->block_size;
	bitmap_size = (uint64_t)u32(&dump->file, 436) * dump->block_size;
	if (bitmap_size / 2 < (dump->max_mapnr + 7) / 8)
		errx(2, "%s: bitmaps of %" PRIu64 " bytes for %" PRIu64 " pages", path, bitmap_size, dump->max_mapnr);
	dump->bitmap1 = at(&dump->file, bitmap_offset, bitmap_size);
	dump->bitmap2 = dump->bitmap1 + bitmap_size / 2;
	dump->desc_offset = bitmap_offset + bitmap_size;
	dump->notes_size = u64(&dump->file, sub + 56);
	dump->notes = at(&dump->file, u64(&dump->file, sub + 48), dump->notes_size);
	for (uint64_t bit = dump->max_mapnr; bit < bitmap_size * 4; bit++)
		if ((dump->bitmap1[bit / 8] | dump->bitmap2[bit / 8]) >> (bit % 8) & 1)
			errx(2, "%s: a bit beyond the last page is set", path);
}

static bool bit(const uint8_t *bitmap, uint64_t max_mapnr, uint64_t pfn)
{
	return pfn < max_mapnr && (bitmap[pfn / 8] >> (pfn % 8) & 1);
}

/* Returns the size that came out. */
static uint64_t expand(uint32_t codec, const uint8_t *in, uint32_t in_size, uint8_t *out, uint64_t out_size)
{
	uLongf zlib_size = out_size;
	size_t size = out_size;

	switch (codec) {
	case 0x1:
		return uncompress(out, &zlib_size, in, in_size) == Z_OK ? zlib_size : 0;
#ifdef HAVE_LZO
	case 0x2: {
		lzo_uint lzo_size = out_size;

		return lzo1x_decompress_safe(in, in_size, out, &lzo_size, NULL) == LZO_E_OK ? lzo_size : 0;
	}
#endif
#ifdef HAVE_SNAPPY
	case 0x4:
		return snappy_uncompress((const char *)in, in_size, (char *)out, &size) == SNAPPY_OK ? size : 0;
#endif
	case 0x20:
		size = ZSTD_decompress(out, out_size, in, in_size);
		return ZSTD_isError(size) ? 0 : size;
	default:
		return 0;
	}
}

/* The next page of the dump into dump->page; false: its descriptor is empty. */
static bool next_page(struct dump *dump, uint64_t pfn)
{
	uint64_t desc = dump->desc_offset + 24 * dump->rank++;
	uint64_t offset = u64(&dump->file, desc);
	uint32_t size = u32(&dump->file, desc + 8), flags = u32(&dump->file, desc + 12);
	const uint8_t *data;
	uint64_t got;

	if (offset == 0)
		return false;
	if (size > dump->block_size || size == 0 || u64(&dump->file, desc + 16) != 0)
		errx(2, "%s: page_desc of 0x%" PRIx64 ": size %u", dump->file.path, pfn, size);
	data = at(&dump->file, offset, size);
	if (flags == 0) {
		memcpy(dump->page, data, size);
		got = size;
	} else {
		got = expand(flags, data, size, dump->page, dump->block_size);
	}
	if (got != dump->block_size)
		errx(2, "%s: page 0x%" PRIx64 " (codec 0x%x, %u bytes) does not expand", dump->file.path, pfn, flags,
		     size);
	return true;
}

static void raw_page(const struct file *raw, uint64_t start, uint64_t size, uint8_t *out)
{
	Elf64_Ehdr ehdr;
	uint64_t count;

	memcpy(&ehdr, at(raw, 0, sizeof(ehdr)), sizeof(ehdr));
	count = ehdr.e_phnum == PN_XNUM ? u32(raw, ehdr.e_shoff + 44) : ehdr.e_phnum;
	memset(out, 0, size);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t from, to;
		Elf64_Phdr phdr;

		memcpy(&phdr, at(raw, ehdr.e_phoff + i * sizeof(phdr), sizeof(phdr)), sizeof(phdr));
		if (phdr.p_type != PT_LOAD)
			continue;
		from = phdr.p_paddr > start ? phdr.p_paddr : start;
		to = phdr.p_paddr + phdr.p_filesz < start + size ? phdr.p_paddr + phdr.p_filesz : start + size;
		if (from < to)
			memcpy(out + (from - start), at(raw, phdr.p_offset + (from - phdr.p_paddr), to - from),
			       to - from);
	}
}

static int compare_with_raw(struct dump *dump, const char *path)
{
	struct tally differing = { .what = "differ from vmcore" }, lacking = { .what = "empty" };
	static uint8_t page[BLOCK_MAX];
	struct file raw;
	uint64_t pages = 0;

	open_file(&raw, path);
	dump->rank = 0;
	for (uint64_t pfn = 0; pfn < dump->max_mapnr; pfn++) {
		if (!bit(dump->bitmap2, dump->max_mapnr, pfn))
			continue;
		pages++;
		if (!next_page(dump, pfn)) {
			add(&lacking, pfn);
			continue;
		}
		raw_page(&raw, pfn * dump->block_size, dump->block_size, page);
		if (memcmp(page, dump->page, dump->block_size) != 0)
			add(&differing, pfn);
	}
	printf("%-24s %10" PRIu64 "\n", "compared with vmcore", pages);
	show(&differing);
	show(&lacking);
	return differing.count || lacking.count;
}

static bool headers_differ(const struct dump *a, const struct dump *b, bool superset)
{
	bool differ = false;

	if (superset ? a->max_mapnr < b->max_mapnr : a->max_mapnr != b->max_mapnr) {
		printf("max_mapnr: %" PRIu64 " and %" PRIu64 "\n", a->max_mapnr, b->max_mapnr);
		differ = true;
	}
	if (a->block_size != b->block_size)
		errx(2, "block sizes %u and %u", a->block_size, b->block_size);
	if (a->notes_size != b->notes_size || memcmp(a->notes, b->notes, a->notes_size) != 0) {
		printf("notes differ\n");
		differ = true;
	}
	/* utsname, time; cpus; phys_base. */
	if (memcmp(a->file.data + 12, b->file.data + 12, 390 + 6 + 8) != 0 ||
	    u32(&a->file, 460) != u32(&b->file, 460) || u64(&a->file, a->block_size) != u64(&b->file, b->block_size)) {
		printf("headers differ\n");
		differ = true;
	}
	if ((a->status ^ b->status) & 0x18) {
		printf("status: 0x%x and 0x%x\n", a->status, b->status);
		differ = true;
	}
	return differ;
}

static int compare(struct dump *a, struct dump *b, bool superset)
{
	struct tally only_a = { .what = "only in A" }, only_b = { .what = "only in B" };
	struct tally memory_a = { .what = "memory only in A" }, memory_b = { .what = "memory only in B" };
	struct tally differing = { .what = "differing" };
	uint64_t max_mapnr = a->max_mapnr > b->max_mapnr ? a->max_mapnr : b->max_mapnr, both = 0;
	bool differ = headers_differ(a, b, superset);

	a->rank = b->rank = 0;
	for (uint64_t pfn = 0; pfn < max_mapnr; pfn++) {
		bool in_a = bit(a->bitmap2, a->max_mapnr, pfn), in_b = bit(b->bitmap2, b->max_mapnr, pfn);
		bool ram_a = bit(a->bitmap1, a->max_mapnr, pfn), ram_b = bit(b->bitmap1, b->max_mapnr, pfn);
		bool got_a = in_a && next_page(a, pfn), got_b = in_b && next_page(b, pfn);

		if (ram_a != ram_b)
			add(ram_a ? &memory_a : &memory_b, pfn);
		if (in_a != in_b) {
			add(in_a ? &only_a : &only_b, pfn);
		} else if (in_a) {
			both++;
			if (got_a != got_b || (got_a && memcmp(a->page, b->page, a->block_size) != 0))
				add(&differing, pfn);
		}
	}
	printf("%-24s %10" PRIu64 "\n", "in both", both);
	show(&only_a);
	show(&only_b);
	show(&memory_a);
	show(&memory_b);
	show(&differing);
	return differ || only_b.count || memory_b.count || differing.count ||
	       (!superset && (only_a.count || memory_a.count));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "allow-superset", no_argument, NULL, 's' },
		{ "vmcore", required_argument, NULL, 'r' },
		{ 0 },
	};
	static struct dump a, b;
	const char *vmcore = NULL;
	bool superset = false;
	int option, status = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			superset = true;
		else if (option == 'r')
			vmcore = optarg;
		else
			return 2;
	}
	if (argc - optind != 2 && !(vmcore && argc - optind == 1))
		errx(2, "usage: dumpcmp [--allow-superset] [--vmcore RAW] A [B]");
	open_dump(&a, argv[optind]);
	if (argc - optind == 2) {
		open_dump(&b, argv[optind + 1]);
		status |= compare(&a, &b, superset);
	}
	if (vmcore)
		status |= compare_with_raw(&a, vmcore);
	return status;
}
