/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Numbers, sizes and words out of text. Strict: no leading blanks, no trailing junk, no overflow. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** @base 10 or 16 (an 0x prefix is allowed with 16), or 0 for either by prefix. False leaves *ret untouched. */
bool kd_parse_u64(const char *text, int base, uint64_t *ret);
/** Decimal with an optional minus sign, or 0x hex (as VMCOREINFO's NUMBER() values come). */
bool kd_parse_s64(const char *text, int64_t *ret);
/** A number with an optional suffix K, M, G or T (powers of 1024, either case), as in crashkernel=. */
bool kd_parse_size(const char *text, uint64_t *ret);

/** Remove blanks at both ends, in place. Returns the first character kept. */
char *kd_strip(char *text);

/** Cut the next blank-separated word off *cursor, in place. Single and double quotes group and are removed;
 *  a backslash is an ordinary character. NULL at the end. *unterminated is set for a missing closing quote. */
char *kd_next_word(char **cursor, bool *unterminated);

/** Split @text into words as above: a NULL-terminated argv in one allocation (free it). NULL: no memory, or an
 *  unterminated quote (errno ENOMEM or EINVAL). @argc_ret may be NULL. */
char **kd_split_words(const char *text, size_t *argc_ret);

/** How many words @argv has before its NULL. */
size_t kd_count_words(char *const *argv);

bool kd_starts_with(const char *text, const char *prefix);

#endif
