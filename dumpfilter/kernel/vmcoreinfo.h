/* SPDX-License-Identifier: GPL-2.0-or-later */
/** VMCOREINFO: what the crashed kernel says about itself, "KEY=VALUE" lines (Linux kernel/vmcore_info.c).
 *
 *  Keys are looked up whole. The order is not fixed, the last line may be cut off, and a key may come twice: what is
 *  appended at the crash wins. Whether a key is there decides how the dump is read, not the kernel's version.
 */
#ifndef DUMPFILTER_KERNEL_VMCOREINFO_H
#define DUMPFILTER_KERNEL_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Borrowed text; a zeroed struct is one without keys. */
struct vmcoreinfo {
	const char *text; /* not NUL-terminated */
	size_t size;
};

/** The value of @key, not NUL-terminated; false if the key is not there. */
bool vmcoreinfo_get(const struct vmcoreinfo *info, const char *key, const char **value_ret, size_t *size_ret);

/** The value as a string, in @buf ("" and false if the key is not there or the value does not fit). */
bool vmcoreinfo_get_string(const struct vmcoreinfo *info, const char *key, char *buf, size_t size);

/** Plain keys: decimal, or hexadecimal digits without 0x. */
bool vmcoreinfo_decimal(const struct vmcoreinfo *info, const char *key, uint64_t *ret);
bool vmcoreinfo_hex(const struct vmcoreinfo *info, const char *key, uint64_t *ret);

/** SYMBOL(name) is an address, KASLR included; the others are bytes, elements, or any number. On false (not there,
 *  or not a number) *ret is untouched. */
bool vmcoreinfo_symbol(const struct vmcoreinfo *info, const char *name, uint64_t *ret);
bool vmcoreinfo_size(const struct vmcoreinfo *info, const char *name, uint64_t *ret);
bool vmcoreinfo_offset(const struct vmcoreinfo *info, const char *name, uint64_t *ret);
bool vmcoreinfo_length(const struct vmcoreinfo *info, const char *name, uint64_t *ret);
bool vmcoreinfo_number(const struct vmcoreinfo *info, const char *name, int64_t *ret);

#endif
