/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Text that may be anything, taken as UTF-8 as far as it is (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/** Bytes of the character at @text (1 to 4), or 0 if there is none: overlong forms, surrogates, beyond U+10FFFF, cut
 * off. Control characters count as characters. A NUL has length 1; inside a character it is an error. */
unsigned int kd_utf8_length(const char *text);

#endif
