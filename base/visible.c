/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/visible.h"

#include <string.h>

#include "base/utf8.h"

unsigned int kd_visible_character(const char *text, char ret[KD_VISIBLE_MAX], unsigned int *columns)
{
	uint32_t character;
	unsigned int length, i;

	*columns = 0;
	if (!*text)
		return 0;
	length = kd_utf8_read(text, &character);
	if (length && !kd_utf8_is_harmful(character)) {
		memcpy(ret, text, length);
		ret[length] = '\0';
		*columns = 1;
		return length;
	}
	length = length ? length : 1;
	for (i = 0; i < length; i++)
		*columns += (unsigned int)sprintf(ret + 4 * i, "\\x%02x", (unsigned char)text[i]);
	return length;
}

void kd_visible_put(FILE *out, const char *text, bool lines)
{
	char form[KD_VISIBLE_MAX];
	unsigned int length, columns;

	for (; (length = kd_visible_character(text, form, &columns)); text += length)
		fputs(lines && *text == '\n' ? "\n" : form, out);
}

void kd_visible_print(FILE *out, const char *fmt, va_list ap)
{
	_cleanup_free_ char *large = NULL;
	char small[512];
	int length;
	va_list again;

	va_copy(again, ap);
	length = vsnprintf(small, sizeof(small), fmt, ap);
	if (length >= (int)sizeof(small) && vasprintf(&large, fmt, again) < 0)
		large = NULL; /* the beginning is better than nothing */
	va_end(again);
	if (length >= 0)
		kd_visible_put(out, large ? large : small, false);
}
