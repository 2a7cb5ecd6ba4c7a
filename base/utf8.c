/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/utf8.h"

#include <stddef.h>

#include "base/array.h"

unsigned int kd_utf8_read(const char *text, uint32_t *ret)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int length, i;
	uint32_t c;

	*ret = s[0];
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
	*ret = c;
	return length;
}

bool kd_utf8_is_harmful(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x08 },     { 0x0a, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },
		{ 0x200e, 0x200f }, { 0x202a, 0x202e }, { 0x2066, 0x2069 }, { 0xfffe, 0xffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}
