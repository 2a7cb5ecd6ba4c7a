/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the persistent store and the record of boots hold, and the story that is told from it. The input: the record of
 * boots, and records of the store, with a NUL between them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "kdump/arming/boots.h"
#include "kdump/dumps/pstore.h"
#include "kdump/dumps/story.h"
#include "tests/fuzz/fuzz.h"

enum { RECORDS = 6 };

static void put(const char *name, const void *data, size_t size)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s%s", fuzz_directory(), name);
	out = fopen(path, "we");
	REQUIRE(out && fwrite(data, 1, size, out) == size && fclose(out) == 0);
}

static void make_machine(void)
{
	static const char *const directories[] = { "/sys/fs/pstore", "/proc/sys/kernel/random", KD_STATEDIR };
	static bool made;
	char path[128];

	if (made)
		return;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", fuzz_directory(), directories[i]);
		REQUIRE(!fuzz_error(kd_mkdir_p(path, 0755)));
	}
	put("/proc/sys/kernel/random/boot_id", "11111111-1111-1111-1111-111111111111\n", 37);
	made = true;
}

/* Cut the next piece off, up to a NUL. */
static void put_piece(const char *name, const uint8_t **data, size_t *size)
{
	const uint8_t *nul = *size ? memchr(*data, '\0', *size) : NULL;
	size_t length = nul ? (size_t)(nul - *data) : *size;

	put(name, *data, length);
	*data += length + (nul != NULL);
	*size -= length + (nul != NULL);
}

static void tell(const struct pstore_log *log)
{
	_cleanup_(story_free) struct story story = { 0 };
	_cleanup_free_ char *panic = NULL, *quoted = NULL;
	struct dump_flight flight = { .record = log->flight };

	REQUIRE(!fuzz_error(pstore_panic(log->text, &panic)));
	REQUIRE(!fuzz_error(pstore_quoted(log->text, &quoted)));
	REQUIRE(strlen(quoted) <= strlen(log->text) + 1);
	if (!log->flight)
		return;
	flight.panic = panic;
	REQUIRE(!fuzz_error(story_tell(&flight, &story)));
	REQUIRE(story.end <= STORY_NOTHING && (story.why || story.end == STORY_COMPLETE));
	REQUIRE(!story.remedy[STORY_REMEDIES - 1]);
	for (size_t i = 0; i < story.count; i++)
		REQUIRE(story.line[i].text && !strchr(story.line[i].text, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	_cleanup_(pstore_free) struct pstore pstore = { 0 };
	struct boots boots;
	size_t files = 0;

	make_machine();
	put_piece(BOOTS_PATH, &data, &size);
	for (unsigned int i = 0; i < RECORDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/sys/fs/pstore/dmesg-erst-%u", i);
		put_piece(name, &data, &size);
	}
	REQUIRE(!fuzz_error(kd_sysroot_open(fuzz_directory(), &root)));
	if (!fuzz_error(boots_read(&root, &boots)))
		REQUIRE(strlen(boots.before.id) < KD_BOOT_ID_SIZE && boots.before.armed >= 0);
	REQUIRE(!fuzz_error(pstore_load(&root, &pstore)));
	for (size_t i = 0; i < pstore.count; i++) {
		files += pstore.log[i].file_count;
		tell(&pstore.log[i]);
	}
	REQUIRE(files <= RECORDS);
	return 0;
}
