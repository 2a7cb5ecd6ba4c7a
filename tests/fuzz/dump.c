/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filtered dumps as an attacker would write them: verify them, read them, filter them again.
 *
 * The input: a byte of flags (bits 0-1 the codec, bit 2 flattened, bits 3-7 the dump level of the second filtering),
 * then changes of a sound dump: a byte that says how many bytes (bits 0-6) and where (bit 7 set: in the headers,
 * bitmaps and page_descs), three bytes of offset, and the bytes themselves. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/verify.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"
#include "tests/unit/dumpfilter/dump-check.h"

#define CHANGES_MAX  64u
#define FRONT        (UINT64_C(32) << 10) /* what readers look at first */
#define FLAT_HEADER  4096u
#define FLAT_RECORDS 3u

static const struct codec *const codecs_used[4] = { NULL, &codec_zlib, &codec_lzo, &codec_zstd };

static struct template
{
	uint8_t *data;
	size_t size;
}
templates[8]; /* by the flags */

static void put_be64(uint8_t *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof(value));
}

/* The same dump in records, the last part first. */
static void flatten(const struct template *plain, struct template *flat)
{
	size_t part = plain->size / FLAT_RECORDS;
	uint8_t *at;

	flat->data = calloc(1, FLAT_HEADER + plain->size + (FLAT_RECORDS + 1) * 16);
	REQUIRE(flat->data);
	strcpy((char *)flat->data, "makedumpfile");
	put_be64(flat->data + 16, 1);
	put_be64(flat->data + 24, 1);
	at = flat->data + FLAT_HEADER;
	for (unsigned int i = FLAT_RECORDS; i > 0; i--) {
		size_t start = (i - 1) * part, size = i == FLAT_RECORDS ? plain->size - start : part;

		put_be64(at, start);
		put_be64(at + 8, size);
		memcpy(at + 16, plain->data + start, size);
		at += 16 + size;
	}
	put_be64(at, UINT64_MAX);
	put_be64(at + 8, UINT64_MAX);
	flat->size = (size_t)(at + 16 - flat->data);
}

static const struct template *get_template(unsigned int kind)
{
	struct template *template = &templates[kind];
	struct dumpfilter_options options = { .level = 31, .codec = codecs_used[kind & 3] };
	struct dumpfilter_report report;
	struct hostile sound;
	char path[64];
	struct stat st;
	int fd;

	if (template->data)
		return template;
	if (kind & 4) {
		flatten(get_template(kind & 3), template);
		return template;
	}
	snprintf(path, sizeof(path), "%s/template", fuzz_directory());
	hostile_make((const uint8_t *)"", 0, &sound);
	REQUIRE(!fuzz_error(dumpfilter_run(sound.path, path, &options, &report)) && !report.unfiltered);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
	template->size = (size_t)st.st_size;
	template->data = malloc(template->size);
	REQUIRE(template->data && kd_pread_all(fd, template->data, template->size, 0) == st.st_size);
	close(fd);
	unlink(path);
	return template;
}

static void change(uint8_t *dump, uint64_t dump_size, const uint8_t *data, size_t size)
{
	for (size_t at = 1, i = 0; size > at + 4 && i < CHANGES_MAX; i++) {
		uint64_t room = data[at] & 128 && dump_size > FRONT ? FRONT : dump_size, length = data[at] & 127u;
		uint64_t offset = (uint64_t)(data[at + 1] | data[at + 2] << 8 | data[at + 3] << 16) % room;

		at += 4;
		if (length > size - at)
			length = size - at;
		memcpy(dump + offset, data + at, length < room - offset ? length : room - offset);
		at += length;
	}
}

/* An undamaged dump verifies, and a dump that verifies can be read. */
static void verify(const char *path, bool changed)
{
	_cleanup_(verification_release) struct verification verification = { 0 };

	if (fuzz_error(verify_dump(path, 1, NULL, NULL, &verification)))
		return;
	REQUIRE(changed || verification.verdict == VERDICT_GOOD);
	REQUIRE(verification.problem_count <= VERIFY_PROBLEMS_MAX);
	for (unsigned int i = 0; i < verification.problem_count; i++)
		REQUIRE(*verification.problem[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size ? data[0] : 0;
	const struct template *template = get_template(flags & 7);
	struct dumpfilter_options options = { .level = flags >> 3 };
	_cleanup_free_ uint8_t *dump = malloc(template->size);
	_cleanup_fclose_ FILE *null = fopen("/dev/null", "we");
	struct dumpfilter_report report;
	struct dump_check check;
	const char *path;
	char out[64];

	REQUIRE(dump && null);
	memcpy(dump, template->data, template->size);
	change(dump, template->size, data, size);
	path = fuzz_file(dump, template->size);
	verify(path, memcmp(dump, template->data, template->size) != 0);
	fuzz_error(dumpfilter_dmesg(path, null, NULL));
	snprintf(out, sizeof(out), "%s/dump", fuzz_directory());
	if (!fuzz_error(dumpfilter_run(path, out, &options, &report)))
		REQUIRE(!dump_check(out, &check));
	unlink(out);
	return 0;
}
