/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Parse a number at the start of @text; *end is the first character after it. */
static bool parse_prefix(const char *text, int base, uint64_t *ret, const char **end)
{
	unsigned long long value;
	char *stop;

	if (!isalnum((unsigned char)text[0])) /* strtoull would skip blanks and accept a sign */
		return false;
	/* Never octal: 010 is ten in every file that this project reads. */
	if (base == 0)
		base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;
	errno = 0;
	value = strtoull(text, &stop, base);
	if (errno || stop == text)
		return false;
	*ret = value;
	*end = stop;
	return true;
}

bool kd_parse_u64(const char *text, int base, uint64_t *ret)
{
	const char *end;
	uint64_t value;

	if (!parse_prefix(text, base, &value, &end) || *end)
		return false;
	*ret = value;
	return true;
}

bool kd_parse_s64(const char *text, int64_t *ret)
{
	bool negative = *text == '-';
	uint64_t value;

	if (!kd_parse_u64(text + negative, negative ? 10 : 0, &value))
		return false;
	if (negative && value > (uint64_t)INT64_MAX + 1)
		return false;
	*ret = (int64_t)(negative ? -value : value);
	return true;
}

bool kd_parse_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "kmgt";
	const char *end, *suffix;
	uint64_t value;
	unsigned int shift = 0;

	if (!parse_prefix(text, 0, &value, &end))
		return false;
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (value << shift >> shift != value)
		return false;
	*ret = value << shift;
	return true;
}

char *kd_strip(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

char *kd_next_word(char **cursor, bool *unterminated)
{
	char *in = *cursor, *out, *word;
	char quote = '\0';

	while (isspace((unsigned char)*in))
		in++;
	if (!*in) {
		*cursor = in;
		return NULL;
	}
	for (word = out = in; *in && (quote || !isspace((unsigned char)*in)); in++) {
		if (quote && *in == quote)
			quote = '\0';
		else if (!quote && (*in == '"' || *in == '\''))
			quote = *in;
		else
			*out++ = *in;
	}
	*cursor = *in ? in + 1 : in;
	*out = '\0';
	if (quote && unterminated)
		*unterminated = true;
	return word;
}

char **kd_split_words(const char *text, size_t *argc_ret)
{
	/* Each word takes at least one character and a blank. */
	size_t length = strlen(text), slots = length / 2 + 2, argc = 0;
	char **argv = malloc(slots * sizeof(*argv) + length + 1);
	bool unterminated = false;
	char *cursor;

	if (!argv)
		return NULL;
	cursor = strcpy((char *)(argv + slots), text);
	while ((argv[argc] = kd_next_word(&cursor, &unterminated)))
		argc++;
	if (unterminated) {
		free(argv);
		errno = EINVAL;
		return NULL;
	}
	if (argc_ret)
		*argc_ret = argc;
	return argv;
}

size_t kd_count_words(char *const *argv)
{
	size_t count = 0;

	while (argv[count])
		count++;
	return count;
}

bool kd_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool kd_ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text), end = strlen(suffix);

	return length >= end && strcmp(text + length - end, suffix) == 0;
}
