/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/extents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

static bool is_possible(uint64_t offset, uint64_t length)
{
	return length && offset % KD_EXTENT_ALIGN == 0 && length % KD_EXTENT_ALIGN == 0 && offset <= INT64_MAX &&
	       length <= INT64_MAX - offset;
}

struct kd_error *kd_extents_add(struct kd_extents *extents, uint64_t offset, uint64_t length)
{
	struct kd_extent *last = extents->count ? &extents->extent[extents->count - 1] : NULL, *grown;

	if (!is_possible(offset, length))
		return kd_error_create(KD_ERR_FORMAT,
				       "%" PRIu64 "+%" PRIu64 " is not a piece of a device in blocks of %d bytes",
				       offset, length, KD_EXTENT_ALIGN);
	if (kd_extents_size(extents) > INT64_MAX - length)
		return kd_error_create(KD_ERR_LIMIT, "the pieces are longer than any device");
	if (last && last->offset + last->length == offset) {
		last->length += length;
		return NULL;
	}
	if (extents->count == KD_EXTENTS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "it is in more than %d pieces", KD_EXTENTS_MAX);
	grown = realloc(extents->extent, (extents->count + 1) * sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	extents->extent = grown;
	grown[extents->count++] = (struct kd_extent){ offset, length };
	return NULL;
}

static bool overlaps(const struct kd_extents *extents, uint64_t offset, uint64_t length)
{
	for (size_t i = 0; i < extents->count; i++)
		if (offset < extents->extent[i].offset + extents->extent[i].length &&
		    extents->extent[i].offset < offset + length)
			return true;
	return false;
}

/* "OFFSET+LENGTH", which is cut in two. */
static struct kd_error *add_word(struct kd_extents *extents, char *word)
{
	char *plus = strchr(word, '+');
	uint64_t offset, length;

	if (plus)
		*plus = '\0';
	if (!plus || !kd_parse_u64(word, 10, &offset) || !kd_parse_u64(plus + 1, 10, &length))
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" does not begin with OFFSET+LENGTH", word);
	if (is_possible(offset, length) && overlaps(extents, offset, length))
		return kd_error_create(KD_ERR_FORMAT, "two pieces have byte %" PRIu64 " of the device", offset);
	return kd_extents_add(extents, offset, length);
}

struct kd_error *kd_extents_parse(const char *text, struct kd_extents *ret)
{
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *copy = strdup(text);
	struct kd_error *err = NULL;
	char *cursor = copy, *word;

	if (!copy)
		return kd_error_nomem();
	while (!err && (word = strsep(&cursor, ",")))
		err = add_word(&extents, word);
	if (err)
		return err;
	*ret = extents;
	extents = (struct kd_extents){ 0 };
	return NULL;
}

struct kd_error *kd_extents_format(const struct kd_extents *extents, char **ret)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < extents->count; i++)
		fprintf(out, "%s%" PRIu64 "+%" PRIu64, i ? "," : "", extents->extent[i].offset,
			extents->extent[i].length);
	if (fclose(out) != 0) {
		free(text);
		return kd_error_nomem();
	}
	*ret = text;
	return NULL;
}

uint64_t kd_extents_size(const struct kd_extents *extents)
{
	uint64_t size = 0;

	for (size_t i = 0; i < extents->count; i++)
		size += extents->extent[i].length;
	return size;
}

uint64_t kd_extents_map(const struct kd_extents *extents, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < extents->count; i++) {
		const struct kd_extent *extent = &extents->extent[i];

		if (offset < extent->length) {
			*ret = extent->offset + offset;
			return extent->length - offset;
		}
		offset -= extent->length;
	}
	return 0;
}

void kd_extents_free(struct kd_extents *extents)
{
	free(extents->extent);
	*extents = (struct kd_extents){ 0 };
}
