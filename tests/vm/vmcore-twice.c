/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Does the memory that is being dumped hold still? Reads /proc/vmcore twice and compares a hash of every page.
 *
 *      vmcore-twice [FILE]
 *
 *  Prints "vmcore-twice: N of M pages changed" and exits with 0 if N is 0, with 1 if it is not, with 2 if it could not
 *  read. For the tests' capture images, as a kdump_pre hook, so it needs nothing but itself: link it statically. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, CHUNK_PAGES = 64 };

static uint32_t hash_page(const uint64_t *word)
{
	uint64_t hash = 0;
	size_t i;

	for (i = 0; i < PAGE / sizeof(*word); i++) {
		hash = (hash ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash >> 32);
}

/* Hash every page of @fd. The first time into @hash, the second time compare. Returns the pages that differ, or -1. */
static int64_t read_once(int fd, uint32_t *hash, size_t pages, int compare)
{
	static uint64_t buf[CHUNK_PAGES][PAGE / sizeof(uint64_t)];
	int64_t changed = 0;
	size_t page, i;

	for (page = 0; page < pages; page += CHUNK_PAGES) {
		if (pread(fd, buf, sizeof(buf), (off_t)page * PAGE) < 0)
			return -1;
		for (i = 0; i < CHUNK_PAGES && page + i < pages; i++) {
			uint32_t now = hash_page(buf[i]);

			if (compare && hash[page + i] != now)
				changed++;
			hash[page + i] = now;
		}
	}
	return changed;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/proc/vmcore";
	int fd = open(path, O_RDONLY);
	uint32_t *hash;
	struct stat st;
	int64_t changed;
	size_t pages;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "vmcore-twice: %s: %s\n", path, strerror(errno));
		return 2;
	}
	pages = st.st_size / PAGE;
	hash = calloc(pages + 1, sizeof(*hash));
	changed = !hash || read_once(fd, hash, pages, 0) < 0 ? -1 : read_once(fd, hash, pages, 1);
	if (changed < 0) {
		fprintf(stderr, "vmcore-twice: %s: %s\n", path, strerror(errno));
		return 2;
	}
	printf("vmcore-twice: %" PRId64 " of %zu pages changed\n", (int64_t)changed, pages);
	return changed ? 1 : 0;
}
