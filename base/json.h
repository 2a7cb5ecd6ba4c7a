/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Write one JSON value to a stream (RFC 8259, two blanks of indentation). Nesting is the caller's to balance.
 *  Strings may hold anything: bytes that are not UTF-8 come out as U+FFFD. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct kd_json {
	FILE *out;          /* borrowed */
	unsigned int depth; /* open objects and arrays */
	bool follows;       /* something stands before the next value in its object or array */
};

/** Open with '{' or '['; @key is NULL inside arrays and at the top. */
void kd_json_open(struct kd_json *json, const char *key, char bracket);
/** Close with '}' or ']'. */
void kd_json_close(struct kd_json *json, char bracket);

void kd_json_string(struct kd_json *json, const char *key, const char *value); /* NULL value: null */
void kd_json_u64(struct kd_json *json, const char *key, uint64_t value);
void kd_json_bool(struct kd_json *json, const char *key, bool value);
/** @ms milliseconds as seconds: 1234 is 1.234. */
void kd_json_seconds(struct kd_json *json, const char *key, int64_t ms);

#endif
