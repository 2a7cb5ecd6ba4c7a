/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Programs with everything they need to start: dynamic loader, shared libraries, interpreters of scripts.
 *
 *  Every file goes in under its canonical path; names by which it is looked up (/bin/sh, libc.so.6) become symbolic
 *  links to it. A library that a program opens with dlopen(3) is not known and not included.
 *
 *  Programs and libraries are stored compressed (base/programs.h).
 */
#ifndef INITRAMFS_ELF_CLOSURE_H
#define INITRAMFS_ELF_CLOSURE_H

#include "base/error.h"
#include "base/sysroot.h"
#include "initramfs/image.h"
#include "initramfs/names.h"

/** Add @program to @image: an absolute path on the machine @root, or a name that is looked up in the usual directories.
 *  @packed: the paths of all files that it needs and that have to be expanded before it can run are added to it.
 *  KD_ERR_NOT_FOUND: the message names the missing program, library or interpreter, and the file that needs it. */
struct kd_error *elf_closure_add(const struct kd_sysroot *root, const char *program, struct image *image,
				 struct names *packed) MUST_CHECK;

#endif
