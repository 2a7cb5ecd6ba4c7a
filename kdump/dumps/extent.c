/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/extent.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

#include "base/age.h"
#include "base/array.h"
#include "base/elf64.h"
#include "base/io.h"
#include "dumpfilter/vmcore/elf_format.h"
#include "dumpfilter/vmcore/flattened_format.h"
#include "dumpfilter/vmcore/kdump_format.h"

#define BLOCK_MAX (64u << 10)
/* More is not looked at: a sparse file of a stranger may promise anything. */
#define SEGMENTS_MAX 65536
#define BITMAP_MAX   (128u << 20) /* of 4 TiB of memory */
#define LAST_MAX     65536        /* page_descs that are looked at: the last pages are usually the last in the file */

/* Read exactly @size bytes at @offset. */
static bool read_at(int fd, uint64_t offset, void *data, size_t size)
{
	return offset <= INT64_MAX - size && kd_pread_all(fd, data, size, (off_t)offset) == (ssize_t)size;
}

/* --- ELF ---------------------------------------------------------------------------------------------------------- */

static bool elf_is_short(int fd, uint64_t size, const Elf64_Ehdr *ehdr)
{
	struct kd_error *err = kd_elf64_check_core(ehdr, "");
	uint64_t count = ehdr->e_phnum, i;
	Elf64_Phdr phdr;
	Elf64_Shdr shdr;

	if (kd_error_discard(err))
		return false;
	if (ehdr->e_flags & ELF_STATUS_INCOMPLETE)
		return true;
	if (count == PN_XNUM) {
		if (!read_at(fd, ehdr->e_shoff, &shdr, sizeof(shdr)))
			return true;
		count = shdr.sh_info;
	}
	for (i = 0; i < count && i < SEGMENTS_MAX; i++)
		if (!read_at(fd, ehdr->e_phoff + i * sizeof(phdr), &phdr, sizeof(phdr)) || phdr.p_offset > size ||
		    phdr.p_filesz > size - phdr.p_offset)
			return true;
	return false;
}

/* --- kdump-compressed --------------------------------------------------------------------------------------------- */

/* How many pages the dump has: the bits of the second bitmap, at [@offset, @offset + @size). False: the file ends. */
static bool count_pages(int fd, uint64_t offset, uint64_t size, uint64_t *ret)
{
	uint64_t words[8192], done, count = 0;

	for (done = 0; done < size; done += sizeof(words)) {
		size_t piece = size - done < sizeof(words) ? size - done : sizeof(words), i;

		memset(words, 0, sizeof(words));
		if (!read_at(fd, offset + done, words, piece))
			return false;
		for (i = 0; i < ARRAY_SIZE(words); i++)
			count += (uint64_t)__builtin_popcountll(words[i]);
	}
	*ret = count;
	return true;
}

/* Do the last of @count page_descs at @offset, or their pages, lie behind the end? */
static bool descs_are_short(int fd, uint64_t size, uint64_t offset, uint64_t count)
{
	uint64_t i = count > LAST_MAX ? count - LAST_MAX : 0;
	struct page_desc desc[256];

	while (i < count) {
		size_t piece = count - i < ARRAY_SIZE(desc) ? count - i : ARRAY_SIZE(desc), k;

		if (!read_at(fd, offset + i * sizeof(desc[0]), desc, piece * sizeof(desc[0])))
			return true;
		for (k = 0; k < piece; k++)
			if (desc[k].offset > size || desc[k].size > size - desc[k].offset)
				return true;
		i += piece;
	}
	return false;
}

static bool kdump_is_short(int fd, uint64_t size, const struct kdump_header *header)
{
	uint64_t block = header->block_size, bitmap = block * header->bitmap_blocks / 2, end, count;
	struct kdump_sub_header sub;

	if (!block || block > BLOCK_MAX)
		return false;
	end = block * (UINT64_C(1) + header->sub_header_blocks + header->bitmap_blocks);
	if ((header->status & KDUMP_STATUS_INCOMPLETE) || end > size)
		return true;
	/* The bitmap of one file of several has the pages of all of them. */
	if (!read_at(fd, block, &sub, sizeof(sub)) || sub.split || bitmap > BITMAP_MAX)
		return false;
	return !count_pages(fd, end - bitmap, bitmap, &count) || descs_are_short(fd, size, end, count);
}

/* --- flattened ---------------------------------------------------------------------------------------------------- */

/* A stream ends with a record of its own. */
static bool stream_is_short(int fd, uint64_t size)
{
	static const struct flattened_record last = { UINT64_MAX, UINT64_MAX };
	struct flattened_record record;

	return size < FLATTENED_HEADER_SIZE + sizeof(record) ||
	       !read_at(fd, size - sizeof(record), &record, sizeof(record)) ||
	       memcmp(&record, &last, sizeof(record)) != 0;
}

/* --- encrypted ---------------------------------------------------------------------------------------------------- */

/* The last chunk can have any length. A file that ends within the tag of one was cut off. */
static bool sealed_is_short(int fd, uint64_t size)
{
	char head[16384]; /* more than a header for KD_AGE_RECIPIENTS_MAX */
	ssize_t got = kd_pread_all(fd, head, sizeof(head), 0);
	uint64_t payload;

	if (got < 0)
		return false;
	if (!kd_age_payload_offset(head, (size_t)got, &payload))
		return (uint64_t)got == size;
	return payload > size || !kd_age_may_be_whole(size - payload);
}

bool extent_is_short(int fd, uint64_t size)
{
	union {
		struct kdump_header kdump;
		Elf64_Ehdr elf;
		char text[sizeof(struct kdump_header)];
	} head = { 0 };
	ssize_t got = kd_pread_all(fd, &head, sizeof(head), 0);

	if (got < 0)
		return false;
	if (memcmp(head.text, KD_AGE_MAGIC, strlen(KD_AGE_MAGIC)) == 0)
		return sealed_is_short(fd, size);
	if (memcmp(head.text, FLATTENED_SIGNATURE, strlen(FLATTENED_SIGNATURE)) == 0)
		return stream_is_short(fd, size);
	if (memcmp(head.text, KDUMP_SIGNATURE, strlen(KDUMP_SIGNATURE)) == 0)
		return got < (ssize_t)sizeof(head.kdump) || kdump_is_short(fd, size, &head.kdump);
	if (memcmp(head.text, ELFMAG, SELFMAG) == 0)
		return got < (ssize_t)sizeof(head.elf) || elf_is_short(fd, size, &head.elf);
	return false;
}
