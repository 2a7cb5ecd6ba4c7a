/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Parse numbers, sizes and words. Strict: no leading blanks, no trailing characters, no overflow. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** @base: 10; 16 (0x is allowed in front); 0: 16 after 0x, else 10. *ret is untouched if it returns false. */
bool kd_parse_u64(const char *text, int base, uint64_t *ret);
/** Decimal with an optional minus sign, or 0x hex (as in VMCOREINFO's NUMBER() values). */
bool kd_parse_s64(const char *text, int64_t *ret);
/** A number with an optional suffix K, M, G or T (powers of 1024, either case), as in crashkernel=. */
bool kd_parse_size(const char *text, uint64_t *ret);

/** Remove blanks at both ends, in place. Returns the first remaining character. */
char *kd_strip(char *text);

/** Cut the next word off *cursor, in place. Blanks separate words. Single and double quotes protect blanks and are
 *  removed; a backslash is an ordinary character. Returns NULL at the end. *unterminated is set if a closing quote is
 *  missing. */
char *kd_next_word(char **cursor, bool *unterminated);

/** Split @text into words as above: a NULL-terminated argv in one allocation (free it). NULL: no memory, or a closing
 *  quote is missing (errno ENOMEM or EINVAL). @argc_ret may be NULL. */
char **kd_split_words(const char *text, size_t *argc_ret);

/** The number of words in @argv, without the final NULL. */
size_t kd_count_words(char *const *argv);

bool kd_starts_with(const char *text, const char *prefix);
bool kd_ends_with(const char *text, const char *suffix);

#endif
