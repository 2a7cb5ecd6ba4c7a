/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

/* Bytes of the UTF-8 character at @s, or 0 if there is none (RFC 3629: no overlong forms, surrogates, > U+10FFFF). */
static unsigned int utf8_length(const unsigned char *s)
{
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

static void put_quoted(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int length;

	fputc('"', out);
	for (; *s; s += length) {
		length = utf8_length(s);
		if (!length) {
			fputs("\\ufffd", out);
			length = 1;
		} else if (*s < ' ' || *s == 0x7f) {
			fprintf(out, "\\u%04x", *s);
		} else {
			if (*s == '"' || *s == '\\')
				fputc('\\', out);
			fwrite(s, 1, length, out);
		}
	}
	fputc('"', out);
}

static void new_line(struct kd_json *json)
{
	unsigned int i;

	fputc('\n', json->out);
	for (i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

/* All that stands before a value. */
static void begin(struct kd_json *json, const char *key)
{
	if (json->follows)
		fputc(',', json->out);
	if (json->depth)
		new_line(json);
	if (key) {
		put_quoted(json->out, key);
		fputs(": ", json->out);
	}
	json->follows = true;
}

void kd_json_open(struct kd_json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->follows = false;
}

void kd_json_close(struct kd_json *json, char bracket)
{
	json->depth--;
	if (json->follows)
		new_line(json);
	fputc(bracket, json->out);
	json->follows = true;
	if (!json->depth)
		fputc('\n', json->out);
}

void kd_json_string(struct kd_json *json, const char *key, const char *value)
{
	begin(json, key);
	if (value)
		put_quoted(json->out, value);
	else
		fputs("null", json->out);
}

void kd_json_u64(struct kd_json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%llu", (unsigned long long)value);
}

void kd_json_bool(struct kd_json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void kd_json_seconds(struct kd_json *json, const char *key, int64_t ms)
{
	begin(json, key);
	if (ms < 0)
		ms = 0;
	fprintf(json->out, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}
