/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include <inttypes.h>

#include "base/utf8.h"

static void put_quoted(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int length;
	uint32_t character;

	fputc('"', out);
	for (; *s; s += length) {
		length = kd_utf8_read((const char *)s, &character);
		if (!length) {
			fputs("\\ufffd", out);
			length = 1;
		} else if (*s == '\t' || kd_utf8_is_harmful(character)) { /* JSON is read on terminals, too */
			fprintf(out, "\\u%04x", character);
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

/* The comma, the line break and the key in front of a value. */
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
	fprintf(json->out, "%" PRIu64, value);
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
	fprintf(json->out, "%" PRId64 ".%03d", (int64_t)(ms / 1000), (int)(ms % 1000));
}
