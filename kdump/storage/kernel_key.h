/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The key that dm-crypt encrypts a volume with, out of the memory of the running kernel.
 *
 *  cryptsetup(8) hands the key of a LUKS2 volume to dm-crypt through a keyring that ends with the program, and dm-crypt
 *  wipes its own copy (Linux drivers/md/dm-crypt.c, crypt_ctr_cipher()). What stays is the key schedule of the cipher.
 *  It is found from the mapping's name on, with the kernel's own symbols and types.
 */
#ifndef KDUMP_STORAGE_KERNEL_KEY_H
#define KDUMP_STORAGE_KERNEL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Find the key of @size bytes of mapping @name in @vmcore: "/proc/kcore", for which only root may ask, or a dump.
 *  @is_key tells whether a candidate is it. @ret: room for KEY_SEARCH_MAX bytes (key_search.h); the caller wipes it.
 *
 *  It takes a kernel that describes itself: kallsyms in VMCOREINFO (Linux 6.0) with data symbols
 *  (CONFIG_KALLSYMS_ALL), and BTF, of modules too (CONFIG_DEBUG_INFO_BTF_MODULES). KD_ERR_NOT_FOUND, KD_ERR_OS,
 *  KD_ERR_FORMAT, KD_ERR_HOLE, KD_ERR_LIMIT: why it cannot be had. */
struct kd_error *kernel_key_find(const char *vmcore, const char *name, size_t size,
				 bool (*is_key)(void *arg, const uint8_t *key, size_t size), void *arg,
				 uint8_t *ret) MUST_CHECK;

#endif
