/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/kernel/vmcoreinfo.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"

bool vmcoreinfo_get(const struct vmcoreinfo *info, const char *key, const char **value_ret, size_t *size_ret)
{
	const char *line, *end;
	size_t key_size = strlen(key);
	bool found = false;

	if (!info->size)
		return false;
	line = info->text;
	end = info->text + info->size;
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *line_end = newline ? newline : end;
		size_t length = (size_t)(line_end - line);

		if (length > key_size && line[key_size] == '=' && memcmp(line, key, key_size) == 0) {
			*value_ret = line + key_size + 1;
			*size_ret = length - key_size - 1;
			found = true;
		}
		line = line_end + 1;
	}
	return found;
}

bool vmcoreinfo_get_string(const struct vmcoreinfo *info, const char *key, char *buf, size_t size)
{
	const char *value;
	size_t length;

	buf[0] = '\0';
	if (!vmcoreinfo_get(info, key, &value, &length))
		return false;
	/* The note's tail may be padded with NULs: a string ends there. */
	length = strnlen(value, length);
	if (length >= size)
		return false;
	memcpy(buf, value, length);
	buf[length] = '\0';
	return true;
}

bool vmcoreinfo_decimal(const struct vmcoreinfo *info, const char *key, uint64_t *ret)
{
	char value[32];

	return vmcoreinfo_get_string(info, key, value, sizeof(value)) && kd_parse_u64(value, 10, ret);
}

bool vmcoreinfo_hex(const struct vmcoreinfo *info, const char *key, uint64_t *ret)
{
	char value[32];

	return vmcoreinfo_get_string(info, key, value, sizeof(value)) && kd_parse_u64(value, 16, ret);
}

/* Write "KIND(name)"; names are short, and one that is not is in no kernel. */
static bool make_key(char *key, size_t size, const char *kind, const char *name)
{
	int length = snprintf(key, size, "%s(%s)", kind, name);

	return length > 0 && (size_t)length < size;
}

bool vmcoreinfo_symbol(const struct vmcoreinfo *info, const char *name, uint64_t *ret)
{
	char key[128];

	return make_key(key, sizeof(key), "SYMBOL", name) && vmcoreinfo_hex(info, key, ret);
}

bool vmcoreinfo_size(const struct vmcoreinfo *info, const char *name, uint64_t *ret)
{
	char key[128];

	return make_key(key, sizeof(key), "SIZE", name) && vmcoreinfo_decimal(info, key, ret);
}

bool vmcoreinfo_offset(const struct vmcoreinfo *info, const char *name, uint64_t *ret)
{
	char key[128];

	return make_key(key, sizeof(key), "OFFSET", name) && vmcoreinfo_decimal(info, key, ret);
}

bool vmcoreinfo_length(const struct vmcoreinfo *info, const char *name, uint64_t *ret)
{
	char key[128];

	return make_key(key, sizeof(key), "LENGTH", name) && vmcoreinfo_decimal(info, key, ret);
}

bool vmcoreinfo_number(const struct vmcoreinfo *info, const char *name, int64_t *ret)
{
	char key[128], value[32];

	return make_key(key, sizeof(key), "NUMBER", name) && vmcoreinfo_get_string(info, key, value, sizeof(value)) &&
	       kd_parse_s64(value, ret);
}
