/* SPDX-License-Identifier: GPL-2.0-or-later */
/** UTF-8 (RFC 3629) in text that may hold any bytes. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/** The number of bytes of the character at @text (1 to 4), and *ret := the character; 0 if there is no valid character:
 *  an overlong form, a surrogate, beyond U+10FFFF, cut off. Control characters count as characters. A NUL has length 1;
 *  inside a character it is an error. */
unsigned int kd_utf8_read(const char *text, uint32_t *ret);

/** Does the character command a terminal, or make the text around it read differently: controls other than a tab (C0,
 *  DEL, C1), marks and overrides of the writing direction, U+FFFE and U+FFFF? */
bool kd_utf8_is_harmful(uint32_t character);

#endif
