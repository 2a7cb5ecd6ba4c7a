/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/identity.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/elf64.h"
#include "base/io.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/vmcore/kdump_format.h"

#define NOTES_MAX   (16u << 20) /* a note for each CPU, VMCOREINFO, and notes of drivers */
#define HEADERS_MAX 64          /* the header of the notes comes first */
#define BLOCK_MAX   (64u << 10)

/* Read @size bytes at @offset; NULL: the file is too short, or @size too large. Owned by the caller. */
static void *read_part(int fd, uint64_t offset, uint64_t size)
{
	_cleanup_free_ void *data = NULL;

	if (!size || size > NOTES_MAX || offset > INT64_MAX - NOTES_MAX || !(data = malloc(size)) ||
	    kd_pread_all(fd, data, size, (off_t)offset) != (ssize_t)size)
		return NULL;
	return_ptr(data);
}

static void read_keys(const void *text, size_t size, struct identity *ret)
{
	const struct vmcoreinfo info = { text, size };

	if (!vmcoreinfo_get_string(&info, "OSRELEASE", ret->release, sizeof(ret->release)))
		ret->release[0] = '\0';
	if (!vmcoreinfo_get_string(&info, "BUILD-ID", ret->build_id, sizeof(ret->build_id)))
		ret->build_id[0] = '\0';
}

static void read_notes(int fd, const Elf64_Phdr *phdr, struct identity *ret)
{
	_cleanup_free_ void *notes = read_part(fd, phdr->p_offset, phdr->p_filesz);
	struct kd_elf64_note note;
	size_t offset = 0;

	while (notes && kd_elf64_next_note(notes, phdr->p_filesz, &offset, &note))
		if (kd_elf64_note_is(&note, "VMCOREINFO"))
			read_keys(note.desc, note.desc_size, ret);
}

static void read_elf(int fd, const Elf64_Ehdr *ehdr, struct identity *ret)
{
	size_t count = ehdr->e_phnum < HEADERS_MAX ? ehdr->e_phnum : HEADERS_MAX, i;
	_cleanup_free_ Elf64_Phdr *phdr = read_part(fd, ehdr->e_phoff, count * sizeof(*phdr));

	for (i = 0; phdr && i < count; i++)
		if (phdr[i].p_type == PT_NOTE)
			read_notes(fd, &phdr[i], ret);
}

/* The sub header gives the position of VMCOREINFO since version 3. */
static void read_kdump(int fd, const struct kdump_header *header, struct identity *ret)
{
	_cleanup_free_ struct kdump_sub_header *sub = NULL;
	_cleanup_free_ void *text = NULL;

	if (header->header_version < 3 || header->block_size > BLOCK_MAX)
		return;
	sub = read_part(fd, header->block_size, sizeof(*sub));
	text = sub ? read_part(fd, sub->vmcoreinfo_offset, sub->vmcoreinfo_size) : NULL;
	if (text)
		read_keys(text, sub->vmcoreinfo_size, ret);
}

void identity_read(int fd, struct identity *ret)
{
	union {
		struct kdump_header kdump;
		Elf64_Ehdr elf;
	} head = { 0 };
	struct kd_error *err;

	*ret = (struct identity){ 0 };
	if (kd_pread_all(fd, &head, sizeof(head), 0) < (ssize_t)sizeof(head.elf))
		return;
	if (memcmp(head.kdump.signature, KDUMP_SIGNATURE, sizeof(head.kdump.signature)) == 0) {
		read_kdump(fd, &head.kdump, ret);
		return;
	}
	err = kd_elf64_check_core(&head.elf, "");
	if (!err)
		read_elf(fd, &head.elf, ret);
	kd_error_destroy(err);
}
