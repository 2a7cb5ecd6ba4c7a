/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The facts that the dynamic loader reads from an ELF file of either word size and byte order. */
#ifndef INITRAMFS_ELF_OBJECT_H
#define INITRAMFS_ELF_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "initramfs/names.h"

struct elf_object {
	uint8_t ident[2]; /* EI_CLASS, EI_DATA */
	uint16_t machine;
	char *interpreter;   /* PT_INTERP; NULL for none */
	char *rpath;         /* DT_RPATH; NULL for none, or where DT_RUNPATH overrides it */
	char *runpath;       /* DT_RUNPATH; NULL for none */
	struct names needed; /* DT_NEEDED */
};

bool elf_object_probe(const void *data, size_t size);

/** @name is for messages. *ret is to be freed with elf_object_free(). KD_ERR_FORMAT. */
struct kd_error *elf_object_parse(const void *data, size_t size, const char *name, struct elf_object *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void elf_object_free(struct elf_object *object);
static inline void elf_object_free_cleanup(struct elf_object *object)
{
	elf_object_free(object);
}

/** Could a loader load into @object a library whose file starts with these @size bytes? */
bool elf_object_accepts(const struct elf_object *object, const void *head, size_t size);
#define ELF_OBJECT_HEAD_SIZE 20

#endif
