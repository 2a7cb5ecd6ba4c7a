/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/handover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

#define FIRST_LINE "kdump-handover 1"

enum { FUNCTIONS_AT_ONCE = 64, DIGEST_DIGITS = 2 * KD_SHA256_SIZE };

/* --- building ----------------------------------------------------------------------------------------------------- */

struct kd_error *kd_handover_add_function(struct kd_handover *handover, const char *name, bool hides)
{
	size_t count = handover->functions;
	struct kd_handover_function *grown;

	if (count == KD_HANDOVER_FUNCTIONS)
		return kd_error_create(KD_ERR_LIMIT, "more than %d PCI functions", KD_HANDOVER_FUNCTIONS);
	if (!*name || strlen(name) >= sizeof(grown->name) || strpbrk(name, " /\n"))
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not the name of a PCI function", name);
	if (count % FUNCTIONS_AT_ONCE == 0) {
		grown = realloc(handover->function, (count + FUNCTIONS_AT_ONCE) * sizeof(*grown));
		if (!grown)
			return kd_error_nomem();
		handover->function = grown;
	}
	handover->function[count] = (struct kd_handover_function){ .hides = hides };
	strcpy(handover->function[count].name, name);
	handover->functions++;
	return NULL;
}

size_t kd_handover_recent(const struct kd_handover *handover, int64_t now, int64_t seconds)
{
	size_t recent = 0;

	for (size_t i = 0; i < handover->crashes; i++)
		recent += handover->crash[i] <= now && now - handover->crash[i] <= seconds;
	return recent;
}

void kd_handover_free(struct kd_handover *handover)
{
	for (size_t i = 0; i < handover->segments; i++)
		free(handover->segment[i].file);
	free(handover->refused);
	free(handover->release);
	free(handover->function);
	*handover = (struct kd_handover){ 0 };
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void put_segment(FILE *out, const struct kd_handover_segment *segment)
{
	char digest[DIGEST_DIGITS + 1];

	kd_hex(segment->digest, sizeof(segment->digest), digest);
	fprintf(out, "segment %s %s %" PRIu64 " %" PRIu64 " 0x%" PRIx64 " %" PRIu64 " %s %s\n", segment->name,
		segment->in_image ? "image" : "boot", segment->offset, segment->size, segment->address, segment->memory,
		digest, segment->file);
}

static void put_kernel(FILE *out, const struct kd_handover *handover)
{
	fprintf(out, "kernel %s\n", handover->release);
	if (handover->previous)
		fputs("previous\n", out);
	fprintf(out, "boot-cpu %" PRIu64 "\n", handover->boot_cpu);
	fprintf(out, "entry 0x%" PRIx64 "\n", handover->entry);
	for (size_t i = 0; i < handover->segments; i++)
		put_segment(out, &handover->segment[i]);
	if (handover->seed)
		fprintf(out, "seed %s %" PRIu64 "\n", handover->segment[handover->seeded].name, handover->seed);
	for (size_t i = 0; i < handover->functions; i++)
		fprintf(out, "%s %s\n", handover->function[i].hides ? "hides" : "pci", handover->function[i].name);
}

struct kd_error *kd_handover_format(const struct kd_handover *handover, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	fputs(FIRST_LINE "\n", out);
	for (size_t i = 0; i < handover->crashes; i++)
		fprintf(out, "crash %" PRId64 "\n", handover->crash[i]);
	if (handover->refused)
		fprintf(out, "refused %.*s\n", (int)strcspn(handover->refused, "\n"), handover->refused);
	if (handover->release)
		put_kernel(out, handover);
	fputs("end\n", out);
	if (fclose(out) != 0)
		return kd_error_nomem();
	/* A newline in a path would begin another line; then what is read back is not what was written. */
	for (size_t i = 0; i < handover->segments; i++)
		if (strchr(handover->segment[i].file, '\n') || handover->segment[i].file[0] != '/')
			return kd_error_create(KD_ERR_FORMAT, "the name of a kernel or initramfs has a line break");
	*ret = take_ptr(text);
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

typedef struct kd_error *line_fn(struct kd_handover *handover, char *value, bool *good);

static struct kd_error *line_crash(struct kd_handover *handover, char *value, bool *good)
{
	int64_t when;

	*good = handover->crashes < KD_HANDOVER_CRASHES && kd_parse_s64(value, &when);
	if (*good)
		handover->crash[handover->crashes++] = when;
	return NULL;
}

static struct kd_error *line_refused(struct kd_handover *handover, char *value, bool *good)
{
	*good = *value && !handover->refused;
	return *good ? kd_set_text(&handover->refused, value) : NULL;
}

static struct kd_error *line_kernel(struct kd_handover *handover, char *value, bool *good)
{
	*good = *value && !handover->release;
	return *good ? kd_set_text(&handover->release, value) : NULL;
}

static struct kd_error *line_previous(struct kd_handover *handover, char *value, bool *good)
{
	*good = !*value;
	handover->previous = true;
	return NULL;
}

static struct kd_error *line_boot_cpu(struct kd_handover *handover, char *value, bool *good)
{
	*good = kd_parse_u64(value, 10, &handover->boot_cpu) && handover->boot_cpu <= UINT32_MAX;
	return NULL;
}

static struct kd_error *line_entry(struct kd_handover *handover, char *value, bool *good)
{
	*good = kd_parse_u64(value, 0, &handover->entry);
	return NULL;
}

static bool parse_digest(const char *text, uint8_t digest[static KD_SHA256_SIZE])
{
	if (strlen(text) != DIGEST_DIGITS)
		return false;
	for (size_t i = 0; i < KD_SHA256_SIZE; i++) {
		const char pair[] = { text[2 * i], text[2 * i + 1], '\0' };
		uint64_t byte;

		if (!kd_parse_u64(pair, 16, &byte))
			return false;
		digest[i] = byte;
	}
	return true;
}

/* Sizes are bounded so that no sum of two of these numbers overflows. */
static bool is_sound(const struct kd_handover_segment *segment)
{
	const uint64_t most = UINT64_C(1) << 48;

	return segment->offset < most && segment->address < most && segment->memory < most && segment->size &&
	       segment->size <= segment->memory && segment->memory % KD_HANDOVER_PAGE == 0 &&
	       segment->address % KD_HANDOVER_PAGE == 0;
}

static bool overlaps(const struct kd_handover *handover, const struct kd_handover_segment *segment)
{
	for (size_t i = 0; i < handover->segments; i++) {
		const struct kd_handover_segment *other = &handover->segment[i];

		if (segment->address < other->address + other->memory &&
		    other->address < segment->address + segment->memory)
			return true;
	}
	return false;
}

/* The path is the rest of the line. */
static struct kd_error *line_segment(struct kd_handover *handover, char *value, bool *good)
{
	struct kd_handover_segment segment = { 0 };
	char *word[7];

	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strsep(&value, " ");
		if (!value)
			return NULL;
	}
	segment.in_image = strcmp(word[1], "image") == 0;
	*good = handover->segments < KD_HANDOVER_SEGMENTS && *word[0] && strlen(word[0]) < sizeof(segment.name) &&
		(segment.in_image || strcmp(word[1], "boot") == 0) && kd_parse_u64(word[2], 10, &segment.offset) &&
		kd_parse_u64(word[3], 10, &segment.size) && kd_parse_u64(word[4], 0, &segment.address) &&
		kd_parse_u64(word[5], 10, &segment.memory) && parse_digest(word[6], segment.digest) && *value == '/' &&
		is_sound(&segment) && !overlaps(handover, &segment);
	if (!*good)
		return NULL;
	strcpy(segment.name, word[0]);
	handover->segment[handover->segments] = segment;
	return kd_set_text(&handover->segment[handover->segments++].file, value);
}

static struct kd_error *line_seed(struct kd_handover *handover, char *value, bool *good)
{
	const char *name = strsep(&value, " ");
	uint64_t at;

	for (size_t i = 0; i < handover->segments; i++) {
		if (strcmp(handover->segment[i].name, name) != 0 || !value || !kd_parse_u64(value, 10, &at))
			continue;
		*good = at && at <= handover->segment[i].size && handover->segment[i].size - at >= KD_HANDOVER_SEED &&
			handover->segment[i].in_image;
		handover->seed = at;
		handover->seeded = i;
		break;
	}
	return NULL;
}

static struct kd_error *add_function(struct kd_handover *handover, const char *value, bool hides, bool *good)
{
	struct kd_error *err = kd_handover_add_function(handover, value, hides);

	*good = !err;
	if (!err || err->code == KD_ERR_NOMEM)
		return err;
	kd_error_destroy(err);
	return NULL;
}

static struct kd_error *line_pci(struct kd_handover *handover, char *value, bool *good)
{
	return add_function(handover, value, false, good);
}

static struct kd_error *line_hides(struct kd_handover *handover, char *value, bool *good)
{
	return add_function(handover, value, true, good);
}

static const struct {
	const char *key;
	line_fn *parse;
} keys[] = {
	{ "crash", line_crash },       { "refused", line_refused },   { "kernel", line_kernel },
	{ "previous", line_previous }, { "boot-cpu", line_boot_cpu }, { "entry", line_entry },
	{ "segment", line_segment },   { "seed", line_seed },         { "pci", line_pci },
	{ "hides", line_hides },
};

static struct kd_error *parse_line(struct kd_handover *handover, char *line, bool *good)
{
	char *value = line, *key = strsep(&value, " ");

	*good = false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(key, keys[i].key) == 0)
			return keys[i].parse(handover, value ? value : key + strlen(key), good);
	return NULL;
}

/* A kernel to return to needs segments, and its first instruction in one of them. */
static bool is_complete(const struct kd_handover *handover)
{
	if (!handover->release)
		return !handover->segments;
	if (handover->boot_cpu == UINT64_MAX)
		return false;
	for (size_t i = 0; i < handover->segments; i++)
		if (handover->entry >= handover->segment[i].address &&
		    handover->entry < handover->segment[i].address + handover->segment[i].size)
			return true;
	return false;
}

static struct kd_error *parse(char *text, const char *name, struct kd_handover *handover)
{
	unsigned int number = 1;
	char *line = strsep(&text, "\n");

	if (strcmp(line, FIRST_LINE) != 0)
		return kd_error_create(KD_ERR_FORMAT, "%s: the first line is not \"" FIRST_LINE "\"", name);
	while ((line = strsep(&text, "\n"))) {
		struct kd_error *err;
		bool good;

		number++;
		if (strcmp(line, "end") == 0 && is_complete(handover))
			return NULL;
		err = parse_line(handover, line, &good);
		if (err)
			return err;
		if (!good)
			return kd_error_create(KD_ERR_FORMAT, "%s:%u: bad line", name, number);
	}
	return kd_error_create(KD_ERR_FORMAT, "%s: the record is cut off", name);
}

struct kd_error *kd_handover_parse(const char *text, const char *name, struct kd_handover *ret)
{
	_cleanup_(kd_handover_free) struct kd_handover handover = { .boot_cpu = UINT64_MAX };
	_cleanup_free_ char *copy = strdup(text);
	struct kd_error *err = copy ? parse(copy, name, &handover) : kd_error_nomem();

	if (err)
		return err;
	*ret = handover;
	handover = (struct kd_handover){ 0 };
	return NULL;
}
