/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Write one JSON value to a stream (RFC 8259, two blanks of indentation). The caller balances the nesting.
 *  Strings may hold any bytes: those that are not UTF-8 are written as U+FFFD. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct kd_json {
	FILE *out;          /* borrowed */
	unsigned int depth; /* open objects and arrays */
	bool follows;       /* the open object or array already has a value */
};

/** Open with '{' or '['; @key is NULL inside arrays and at the top. */
void kd_json_open(struct kd_json *json, const char *key, char bracket);
/** Close with '}' or ']'. */
void kd_json_close(struct kd_json *json, char bracket);

void kd_json_string(struct kd_json *json, const char *key, const char *value); /* NULL value: null */
void kd_json_u64(struct kd_json *json, const char *key, uint64_t value);
void kd_json_bool(struct kd_json *json, const char *key, bool value);
/** @ms milliseconds, written as seconds: 1234 as 1.234. */
void kd_json_seconds(struct kd_json *json, const char *key, int64_t ms);

#endif
