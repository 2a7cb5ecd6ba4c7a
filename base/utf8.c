/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/utf8.h"

#include <stdint.h>

unsigned int kd_utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int length, i;
	uint32_t c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	c = s[0] & (0xff >> (length + 1));
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80) /* catches the final NUL too */
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((length == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
	    (length == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return length;
}
