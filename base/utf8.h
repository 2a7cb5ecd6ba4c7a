/* SPDX-License-Identifier: GPL-2.0-or-later */
/** UTF-8 (RFC 3629) in text that may hold any bytes. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/** The number of bytes of the character at @text (1 to 4); 0 if there is no valid character: an overlong form, a
 *  surrogate, beyond U+10FFFF, cut off. Control characters count as characters. A NUL has length 1; inside a character
 *  it is an error. */
unsigned int kd_utf8_length(const char *text);

#endif
