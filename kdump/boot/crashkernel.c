/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/crashkernel.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/text.h"
#include "kdump/loader/memory_map.h"

#define NAME     "crashkernel="
#define RAM_UNIT KD_MIB(128)

static const char *const suffix[] = {
	[CRASHKERNEL_PLAIN] = "",
	[CRASHKERNEL_HIGH] = ",high",
	[CRASHKERNEL_LOW] = ",low",
	[CRASHKERNEL_CMA] = ",cma",
};

const char *crashkernel_default(void)
{
	return "512M-1G:96M,1G-16G:128M,16G-128G:192M,128G-1T:256M,1T-:512M";
}

/* --- one value ---------------------------------------------------------------------------------------------------- */

/* Parse a size, digits and a unit, at *cursor, and move *cursor past it. */
static bool take_size(const char **cursor, uint64_t *ret)
{
	size_t length = strspn(*cursor, "0123456789abcdefABCDEFxX");
	char copy[32];

	length += (*cursor)[length] && strchr("kKmMgGtT", (*cursor)[length]) ? 1 : 0;
	if (!length || length >= sizeof(copy))
		return false;
	memcpy(copy, *cursor, length);
	copy[length] = '\0';
	if (!kd_parse_size(copy, ret))
		return false;
	*cursor += length;
	return true;
}

/* Parse START-[END]:SIZE. Returns the error, or NULL. */
static const char *take_range(const char **cursor, struct crashkernel_range *ret)
{
	ret->end = UINT64_MAX;
	if (!take_size(cursor, &ret->start))
		return "a size is expected where a range begins";
	if (*(*cursor)++ != '-')
		return "a range is START-END:SIZE";
	if (**cursor != ':' && !take_size(cursor, &ret->end))
		return "a size or ':' is expected after the '-' of a range";
	if (ret->end <= ret->start)
		return "a range ends before it begins";
	if (*(*cursor)++ != ':')
		return "a range is START-END:SIZE";
	if (!take_size(cursor, &ret->size))
		return "a size is expected after the ':' of a range";
	return NULL;
}

static const char *take_ranges(const char **cursor, struct crashkernel *value)
{
	const char *fault;

	value->by_memory = true;
	do {
		if (value->count == CRASHKERNEL_RANGES)
			return "has too many ranges";
		fault = take_range(cursor, &value->range[value->count++]);
	} while (!fault && *(*cursor)++ == ',');
	if (!fault)
		--*cursor; /* back to the character that ended the list */
	return fault;
}

static enum crashkernel_kind take_suffix(const char **cursor)
{
	size_t i;

	for (i = CRASHKERNEL_HIGH; i < ARRAY_SIZE(suffix); i++)
		if (strcmp(*cursor, suffix[i]) == 0) {
			*cursor += strlen(suffix[i]);
			return i;
		}
	return CRASHKERNEL_PLAIN;
}

/* Returns the error, or NULL. */
static const char *parse(const char *cursor, struct crashkernel *value)
{
	const char *fault = NULL;

	if (strchr(cursor, ':')) {
		fault = take_ranges(&cursor, value);
	} else {
		value->count = 1;
		value->range[0].end = UINT64_MAX;
		if (!take_size(&cursor, &value->range[0].size))
			fault = "a size is expected, as in 256M";
		else
			value->kind = take_suffix(&cursor);
	}
	if (fault)
		return fault;
	if (*cursor == '@') {
		cursor++;
		value->fixed = true;
		if (!take_size(&cursor, &value->offset))
			return "an address is expected after '@'";
	}
	return *cursor ? "unexpected text follows the value" : NULL;
}

struct kd_error *crashkernel_parse(const char *text, struct crashkernel *ret)
{
	struct crashkernel value = { 0 };
	const char *fault = parse(text, &value);

	if (fault)
		return kd_error_create(KD_ERR_USAGE,
				       NAME
				       "%s: %s (use SIZE, as in 256M, or START-END:SIZE,…, as in 1G-8G:128M,8G-:256M)",
				       text, fault);
	*ret = value;
	return NULL;
}

uint64_t crashkernel_size(const struct crashkernel *value, uint64_t ram)
{
	uint64_t rounded = (ram + RAM_UNIT - 1) / RAM_UNIT * RAM_UNIT;
	size_t i;

	for (i = 0; i < value->count; i++) {
		const struct crashkernel_range *range = &value->range[i];

		/* The kernel refuses the whole parameter if a size exceeds the memory. */
		if (value->by_memory && range->size >= rounded)
			return 0;
		if (!value->by_memory || (rounded >= range->start && rounded < range->end))
			return range->size;
	}
	return 0;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

/* Move *cursor to the next blank-separated value of a setting. Returns its length, 0 at the end. */
static size_t next_value(const char **cursor)
{
	*cursor += strspn(*cursor, " ");
	return strcspn(*cursor, " ");
}

static bool is_cma(const char *value, size_t length)
{
	size_t tail = strlen(suffix[CRASHKERNEL_CMA]);

	return length >= tail && memcmp(value + length - tail, suffix[CRASHKERNEL_CMA], tail) == 0;
}

static struct kd_error *parse_value(const char *value, size_t length, struct crashkernel *ret)
{
	_cleanup_free_ char *copy = strndup(value, length);

	return copy ? crashkernel_parse(copy, ret) : kd_error_nomem();
}

/* A number without a unit is bytes, and no kernel fits into less than a megabyte. A size of 0 beside one above 4 GiB
 * means something: no memory below. */
static struct kd_error *check_sizes(const char *text, size_t length, const struct crashkernel *value)
{
	bool some = value->kind == CRASHKERNEL_LOW;
	size_t i;

	for (i = 0; i < value->count; i++) {
		uint64_t size = value->range[i].size;

		some |= size != 0;
		if (size && size < KD_MIB(1))
			return kd_error_create(KD_ERR_USAGE,
					       NAME "%.*s reserves %" PRIu64 " bytes: did you mean %" PRIu64 "M?",
					       (int)length, text, size, size % 1024 ? size : size / 1024);
	}
	return some ? NULL :
		      kd_error_create(KD_ERR_USAGE, NAME "%.*s reserves nothing: did you mean 256M?", (int)length,
				      text);
}

struct kd_error *crashkernel_check_setting(const char *setting)
{
	bool base = false; /* is there a value that the others can be added to? */
	struct crashkernel value;
	const char *cursor;
	size_t length;

	if (setting[strcspn(setting, "\"'\\\t\n")])
		return kd_error_create(KD_ERR_USAGE, "a size for " NAME " has no quotes, backslashes or tabs: %s",
				       setting);
	cursor = setting;
	if (!next_value(&cursor))
		return kd_error_create(KD_ERR_USAGE, "a size for " NAME " is empty: use SIZE, as in 256M");
	for (cursor = setting; (length = next_value(&cursor)) != 0; cursor += length) {
		struct kd_error *err = parse_value(cursor, length, &value);

		if (!err)
			err = check_sizes(cursor, length, &value);
		if (err)
			return err;
		base |= value.kind == CRASHKERNEL_PLAIN || value.kind == CRASHKERNEL_HIGH;
	}
	return base ? NULL :
		      kd_error_create(KD_ERR_USAGE,
				      NAME "%s reserves nothing by itself: put SIZE,high beside it, as in "
					   "\"256M,high 72M,low\", or use a plain SIZE, as in 256M",
				      setting);
}

uint64_t crashkernel_setting_size(const char *setting, uint64_t ram)
{
	uint64_t sum = 0;
	size_t length;

	for (; (length = next_value(&setting)) != 0; setting += length) {
		struct crashkernel value;
		struct kd_error *err = parse_value(setting, length, &value);

		if (err) {
			kd_error_destroy(err);
			return 0;
		}
		if (value.kind != CRASHKERNEL_CMA)
			sum += crashkernel_size(&value, ram);
	}
	return sum;
}

/* --- words of a command line -------------------------------------------------------------------------------------- */

/* One word, [start, end) of the command line. */
struct word {
	size_t start, end;
};

/* Find the next word at or after @from. Quotes group words. So do escaped quotes, as in files that a shell reads. */
static bool next_word(const char *cmdline, size_t size, size_t from, struct word *ret)
{
	char quote = 0;
	size_t i;

	while (from < size && isspace((unsigned char)cmdline[from]))
		from++;
	for (i = from; i < size && (quote || !isspace((unsigned char)cmdline[i])); i++) {
		if (quote ? cmdline[i] == quote : cmdline[i] == '"' || cmdline[i] == '\'')
			quote = quote ? 0 : cmdline[i];
	}
	*ret = (struct word){ from, i };
	return from < size;
}

/* The value of a crashkernel= word; NULL: the word is another parameter. */
static const char *word_value(const char *cmdline, const struct word *word, size_t *length)
{
	size_t name = strlen(NAME);

	if (word->end - word->start < name || memcmp(cmdline + word->start, NAME, name) != 0)
		return NULL;
	*length = word->end - word->start - name;
	return cmdline + word->start + name;
}

static bool is_plain(const char *value, size_t length)
{
	size_t i;

	for (i = CRASHKERNEL_HIGH; i < ARRAY_SIZE(suffix); i++) {
		size_t tail = strlen(suffix[i]);

		if (length >= tail && memcmp(value + length - tail, suffix[i], tail) == 0)
			return false;
	}
	return true;
}

struct kd_error *crashkernel_get(const char *cmdline, size_t size, char **ret)
{
	_cleanup_free_ char *setting = NULL;
	bool plain = false;
	struct word word;
	size_t at, length;

	for (at = 0; next_word(cmdline, size, at, &word); at = word.end) {
		const char *value = word_value(cmdline, &word, &length);
		struct kd_error *err;
		bool replaces;
		char *grown;

		if (!value || is_cma(value, length) || (plain && !is_plain(value, length)))
			continue;
		replaces = !setting || is_plain(value, length);
		plain |= is_plain(value, length);
		err = kd_format(&grown, "%s%s%.*s", replaces ? "" : setting, replaces ? "" : " ", (int)length, value);
		if (err)
			return err;
		free(setting);
		setting = grown;
	}
	*ret = take_ptr(setting);
	return NULL;
}

static void put_setting(FILE *out, const char *setting)
{
	const char *blank = "";
	size_t length;

	for (; (length = next_value(&setting)) != 0; setting += length) {
		fprintf(out, "%s" NAME "%.*s", blank, (int)length, setting);
		blank = " ";
	}
}

static bool has_cma(const char *setting)
{
	size_t length;

	for (; (length = next_value(&setting)) != 0; setting += length)
		if (is_cma(setting, length))
			return true;
	return false;
}

/* The place for a new word: after the last word of the kernel ("--" starts those of init). */
static size_t append_place(const char *cmdline, size_t size)
{
	struct word word;
	size_t at, place = 0;

	for (at = 0; next_word(cmdline, size, at, &word); at = word.end) {
		if (word.end - word.start == 2 && memcmp(cmdline + word.start, "--", 2) == 0)
			break;
		place = word.end;
	}
	return place;
}

static void put_replaced(FILE *out, const char *cmdline, size_t size, const char *setting)
{
	bool replace_cma = has_cma(setting), placed = false;
	size_t at, length, copied = 0;
	struct word word;

	for (at = 0; next_word(cmdline, size, at, &word); at = word.end) {
		const char *value = word_value(cmdline, &word, &length);

		if (!value || (is_cma(value, length) && !replace_cma))
			continue;
		/* The blanks before a removed word are removed as well. */
		fwrite(cmdline + copied, 1, (placed ? at : word.start) - copied, out);
		if (!placed)
			put_setting(out, setting);
		placed = true;
		copied = word.end;
	}
	if (!placed) {
		copied = append_place(cmdline, size);
		fwrite(cmdline, 1, copied, out);
		if (copied)
			fputc(' ', out);
		put_setting(out, setting);
		if (!copied && size && !isspace((unsigned char)cmdline[0]))
			fputc(' ', out);
	}
	fwrite(cmdline + copied, 1, size - copied, out);
}

struct kd_error *crashkernel_put(const char *cmdline, size_t size, const char *setting, char **ret)
{
	char *text = NULL;
	size_t written;
	FILE *out = open_memstream(&text, &written);

	if (!out)
		return kd_error_nomem();
	put_replaced(out, cmdline, size, setting);
	if (fclose(out)) {
		free(text);
		return kd_error_nomem();
	}
	*ret = text;
	return NULL;
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static struct kd_error *read_mem_total(const struct kd_sysroot *root, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read(root, "/proc/meminfo", &text, NULL);

	if (!err && !kd_proc_figure(text, "MemTotal", ret))
		err = kd_error_create(KD_ERR_FORMAT, "/proc/meminfo has no MemTotal");
	return err;
}

struct kd_error *crashkernel_ram(const struct kd_sysroot *root, uint64_t *ret)
{
	_cleanup_(memory_map_free) struct memory_map map = { 0 };
	struct kd_error *err = memory_map_read(root, &map);

	if (err) {
		kd_error_destroy(err);
		return read_mem_total(root, ret);
	}
	*ret = kd_ranges_total(&map.ram);
	return NULL;
}
