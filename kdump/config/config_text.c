/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Characters that web pages and word processors put in the place of blanks and quotes. */
static const struct {
	const char *bytes, *name, *instead;
} lookalikes[] = {
	{ "\xc2\xa0", "a no-break space", "a blank" },       { "\xe2\x80\xaf", "a narrow no-break space", "a blank" },
	{ "\xe2\x80\x8b", "a zero-width space", "nothing" }, { "\xe3\x80\x80", "an ideographic space", "a blank" },
	{ BYTE_ORDER_MARK, "a byte order mark", "nothing" }, { "\xe2\x80\x9c", "a typographic quote", "\"" },
	{ "\xe2\x80\x9d", "a typographic quote", "\"" },     { "\xe2\x80\x98", "a typographic quote", "'" },
	{ "\xe2\x80\x99", "a typographic quote", "'" },
};

struct kd_error *config_read(const struct kd_sysroot *root, const char *file, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct kd_error *err = kd_sysroot_read(root, file, &text, &size);

	if (err)
		return err;
	if (kd_starts_with(text, "\xff\xfe") || kd_starts_with(text, "\xfe\xff"))
		return kd_error_create(KD_ERR_CONFIG,
				       "%s is in UTF-16: \"iconv -f UTF-16 -t UTF-8\" makes a text of it", file);
	if (strlen(text) != size)
		return kd_error_create(KD_ERR_CONFIG, "%s has a NUL byte at offset %zu: remove it", file, strlen(text));
	*ret = take_ptr(text);
	return NULL;
}

const char *config_skip_mark(const char *text)
{
	return text + (kd_starts_with(text, BYTE_ORDER_MARK) ? strlen(BYTE_ORDER_MARK) : 0);
}

struct kd_error *config_check_line(const char *line)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lookalikes); i++) {
		_cleanup_free_ char *bytes = NULL;
		struct kd_error *err;

		if (!strstr(line, lookalikes[i].bytes))
			continue;
		err = config_escape(lookalikes[i].bytes, &bytes);
		return err ? err :
			     kd_error_create(KD_ERR_CONFIG,
					     "%s (%s) stands in this line, perhaps copied from a web page: write %s "
					     "instead",
					     lookalikes[i].name, bytes, lookalikes[i].instead);
	}
	return NULL;
}

struct kd_error *config_escape(const char *text, char **ret)
{
	char *escaped = malloc(4 * strlen(text) + 1), *out = escaped;

	if (!escaped)
		return kd_error_nomem();
	for (; *text; text++)
		out += *text >= ' ' && *text <= '~' ? sprintf(out, "%c", *text) :
						      sprintf(out, "\\x%02x", (unsigned char)*text);
	*out = '\0';
	*ret = escaped;
	return NULL;
}
