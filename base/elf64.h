/* SPDX-License-Identifier: GPL-2.0-or-later */
/** ELF64 little-endian core files, as the kernel's fs/proc/vmcore.c reads and writes them. <elf.h> has the structs. */
#ifndef BASE_ELF64_H
#define BASE_ELF64_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Fill the header of a core file whose @phnum program headers follow it directly. */
void kd_elf64_core_header(Elf64_Ehdr *ehdr, uint16_t machine, uint16_t phnum);

/** Check that @ehdr starts a little-endian ELF64 ET_CORE with 56-byte program headers; @path is for the
 *  message. KD_ERR_FORMAT names the wrong field; KD_ERR_UNSUPPORTED: well formed, but another class or byte order. */
struct kd_error *kd_elf64_check_core(const Elf64_Ehdr *ehdr, const char *path) MUST_CHECK;

/** One note. The pointers point into the buffer that was walked. */
struct kd_elf64_note {
	const char *name; /* may lack a final NUL */
	size_t name_size; /* n_namesz: normally counts a NUL */
	const uint8_t *desc;
	size_t desc_size;
	uint32_t type;
};

/** Walk the notes in [notes, notes+size). Their parts are aligned to 4 bytes: so the kernel writes them, whatever
 *  p_align says. Start with *offset 0. Returns false at the end, at an empty note (namesz 0 and descsz 0) and at a note
 *  that would run past the buffer. */
bool kd_elf64_next_note(const void *notes, size_t size, size_t *offset, struct kd_elf64_note *ret);

/** Does the note carry this name (with or without the counted NUL)? */
bool kd_elf64_note_is(const struct kd_elf64_note *note, const char *name);

#endif
