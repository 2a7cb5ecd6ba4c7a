/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/unlock/key.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/secret.h"
#include "kdump/unlock/unlock.h"

#define UUID_START "CRYPT-LUKS"

/* --- the file ----------------------------------------------------------------------------------------------------- */

static struct kd_error *malformed(const char *what)
{
	return kd_error_create(KD_ERR_FORMAT, "the file of a volume key has no valid %s", what);
}

/* The next line of *text, which begins with @keyword; NULL: it does not. */
static char *next_line(char **text, const char *keyword)
{
	char *line = strsep(text, "\n");
	size_t length = strlen(keyword);

	if (!line || !kd_starts_with(line, keyword) || line[length] != ' ' || !line[length + 1])
		return NULL;
	return line + length + 1;
}

struct kd_error *unlock_key_parse(char *text, struct unlock_key *ret)
{
	struct unlock_key key = { 0 };
	char *row, *start, *length, *type, *device;

	key.uuid = next_line(&text, "uuid");
	if (!key.uuid || !kd_starts_with(key.uuid, UUID_START))
		return malformed("UUID");
	key.name = next_line(&text, "name");
	if (!key.name)
		return malformed("name");
	key.hex = next_line(&text, "key");
	if (!key.hex)
		return malformed("key");
	row = next_line(&text, "table");
	start = strsep(&row, " ");
	length = strsep(&row, " ");
	type = strsep(&row, " ");
	key.cipher = strsep(&row, " ");
	key.word = strsep(&row, " ");
	key.iv_offset = strsep(&row, " ");
	device = strsep(&row, " ");
	key.more = row;
	if (!row || !kd_parse_u64(start, 10, &key.start) || !kd_parse_u64(length, 10, &key.length) ||
	    strcmp(type, "crypt") != 0 || strcmp(device, "*") != 0)
		return malformed("table");
	*ret = key;
	return NULL;
}

/* The words of the only row of @table. Returns false if there are others, or a row is too short. */
static bool split_row(char *table, char *word[static 7], char **more)
{
	char *row = strsep(&table, "\n");

	for (size_t i = 0; i < 7; i++)
		if (!(word[i] = strsep(&row, " ")))
			return false;
	*more = row;
	return row && (!table || !*table);
}

static bool is_device_number(const char *word)
{
	size_t major = strspn(word, "0123456789");

	return major && word[major] == ':' && word[major + 1] &&
	       strspn(word + major + 1, "0123456789") == strlen(word + major + 1);
}

struct kd_error *unlock_key_format(const char *name, const char *uuid, const char *table, const char *hex, char **ret)
{
	_cleanup_secret_ char *copy = strdup(table), *text = malloc(UNLOCK_FILE_MAX);
	size_t prefix = strlen(uuid), ending = strlen(name);
	char *word[7], *more;
	int size;

	if (!copy || !text)
		return kd_error_nomem();
	if (!kd_starts_with(uuid, UUID_START) || prefix <= ending || strcmp(uuid + prefix - ending, name) != 0 ||
	    uuid[prefix - ending - 1] != '-')
		return kd_error_create(KD_ERR_UNSUPPORTED, "its device-mapper UUID, %s, is not that of a LUKS volume",
				       uuid);
	if (!split_row(copy, word, &more) || strcmp(word[2], "crypt") != 0 || !is_device_number(word[6]))
		return kd_error_create(KD_ERR_UNSUPPORTED, "its device-mapper table is not one row of type crypt");
	size = snprintf(text, UNLOCK_FILE_MAX, "uuid %.*s\nname %s\nkey %s\ntable %s %s %s %s %s %s * %s\n",
			(int)(prefix - ending), uuid, name, hex, word[0], word[1], word[2], word[3],
			word[4][0] == ':' ? word[4] : "-", word[5], more);
	if (size >= UNLOCK_FILE_MAX)
		return kd_error_create(KD_ERR_LIMIT, "its device-mapper table and key take more than %d bytes",
				       UNLOCK_FILE_MAX);
	*ret = take_ptr(text);
	return NULL;
}

bool unlock_key_parameters(const struct unlock_key *key, const char *device, bool with_key, char *ret, size_t size)
{
	int length = snprintf(ret, size, "%s %s %s %s %s", key->cipher, with_key ? key->hex : key->word, key->iv_offset,
			      device, key->more);

	return length >= 0 && (size_t)length < size;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return found ? (int)(found - digits) : -1;
}

size_t unlock_key_bytes(const char *hex, uint8_t ret[static UNLOCK_KEY_BYTES])
{
	size_t size = strlen(hex) / 2;

	if (strlen(hex) % 2 || size > UNLOCK_KEY_BYTES)
		return 0;
	for (size_t i = 0; i < size; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return 0;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return size;
}

/* --- the header of a volume --------------------------------------------------------------------------------------- */

/* "LUKS On-Disk Format Specification" 1.2.3 and "LUKS2 On-Disk Format Specification": both have it at one place. */
bool unlock_luks_uuid(const void *header, char ret[static UNLOCK_UUID_SIZE])
{
	static const char magic[] = "LUKS\xba\xbe", form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	enum { UUID_OFFSET = 168 };
	const char *uuid = (const char *)header + UUID_OFFSET;

	if (memcmp(header, magic, sizeof(magic) - 1) != 0)
		return false;
	for (size_t i = 0; i < UNLOCK_UUID_SIZE - 1; i++) {
		if (form[i] == '-' ? uuid[i] != '-' : digit(uuid[i]) < 0)
			return false;
		ret[i] = (char)tolower((unsigned char)uuid[i]);
	}
	ret[UNLOCK_UUID_SIZE - 1] = '\0';
	return true;
}

/* --- Debian's table ----------------------------------------------------------------------------------------------- */

enum { FIELD_NAME, FIELD_SOURCE, FIELD_KEY, FIELD_OPTIONS, FIELDS };

/* A field of a line: where it begins and how long it is. */
struct field {
	const char *at;
	size_t size;
};

/* The fields of the line at @line, which ends at @end. Returns false for a comment, and for what is too short. */
static bool split_line(const char *line, const char *end, struct field field[static FIELDS])
{
	size_t count = 0;

	for (const char *at = line; count < FIELDS; count++) {
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at == end)
			break;
		field[count].at = at;
		while (at < end && *at != ' ' && *at != '\t')
			at++;
		field[count].size = (size_t)(at - field[count].at);
	}
	for (size_t i = count; i < FIELDS; i++)
		field[i] = (struct field){ end, 0 };
	return count > FIELD_SOURCE && *field[FIELD_NAME].at != '#';
}

static bool is_text(const struct field *field, const char *text)
{
	return field->size == strlen(text) && memcmp(field->at, text, field->size) == 0;
}

static bool has_text(const struct field *field, const char *text)
{
	return memmem(field->at, field->size, text, strlen(text)) != NULL;
}

static bool is_volume(const struct field field[static FIELDS], const struct unlock_volume *volume)
{
	return has_text(&field[FIELD_SOURCE], volume->luks) || is_text(&field[FIELD_NAME], volume->name);
}

/* The options without those that tell how to come by the passphrase, or what part of a key file it is. */
static void put_options(FILE *out, const struct field *options)
{
	static const char *const dropped[] = { "keyscript=", "keyfile-size=", "keyfile-offset=", "tries=" };
	const char *at = options->at, *end = at + options->size, *separator = "";

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
		bool drop = stop == at;

		for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
			drop = drop || ((size_t)(stop - at) >= strlen(dropped[i]) &&
					memcmp(at, dropped[i], strlen(dropped[i])) == 0);
		if (!drop) {
			fprintf(out, "%s%.*s", separator, (int)(stop - at), at);
			separator = ",";
		}
		at = comma ? comma + 1 : end;
	}
}

static void put_line(FILE *out, const char *line, const char *end, const struct unlock_volume *volume, size_t count)
{
	struct field field[FIELDS];
	bool found = false;

	if (split_line(line, end, field))
		for (size_t i = 0; i < count; i++)
			found = found || is_volume(field, &volume[i]);
	if (!found) {
		fwrite(line, 1, (size_t)(end - line), out);
	} else {
		fprintf(out, "%.*s %.*s " UNLOCK_PROGRAM " ", (int)field[FIELD_NAME].size, field[FIELD_NAME].at,
			(int)field[FIELD_SOURCE].size, field[FIELD_SOURCE].at);
		put_options(out, &field[FIELD_OPTIONS]);
	}
	fputc('\n', out);
}

struct kd_error *unlock_crypttab_edit(const char *text, const struct unlock_volume *volume, size_t count, char **ret)
{
	_cleanup_free_ char *made = NULL;
	size_t size;
	FILE *out = open_memstream(&made, &size);

	if (!out)
		return kd_error_nomem();
	while (*text) {
		size_t length = strcspn(text, "\n");

		put_line(out, text, text + length, volume, count);
		text += length + (text[length] == '\n');
	}
	if (fclose(out) != 0 || !made)
		return kd_error_nomem();
	*ret = take_ptr(made);
	return NULL;
}

bool unlock_crypttab_names(const char *text, const struct unlock_volume *volume)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		struct field field[FIELDS];

		if (split_line(text, text + length, field) && is_volume(field, volume))
			return true;
		text += length + (text[length] == '\n');
	}
	return false;
}
