/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A vmcore and the dump of it in a directory of the test's own, and what a reader of its own finds in the dump.
 *  Whatever goes wrong fails the running test. */
#ifndef TESTS_UNIT_DUMPFILTER_DUMP_TESTING_H
#define TESTS_UNIT_DUMPFILTER_DUMP_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"

/** Paths in the directory that dump_setup() makes. */
extern char core[96], dump[96];

/** Fixtures of cmocka: the directory, with nothing in it. */
int dump_setup(void **state);
int dump_teardown(void **state);

/** Overwrite bytes of a file. */
void patch_file(const char *path, off_t offset, const void *data, size_t size);

/** A machine and its vmcore, opened. */
struct opened {
	struct machine machine;
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
};

/** Write the machine's vmcore and open it. */
struct kd_error *open_machine(struct opened *opened);
/** The machine stays. */
void close_machine(struct opened *opened);

struct vmcoreinfo info_of(const char *text);

struct result {
	char *file;
	size_t size;
	struct kdump_header header;
	struct kdump_sub_header sub;
	const uint8_t *bitmap1, *bitmap2;
	const char *descs;
};

/** Read the dump; free() result->file. */
void read_result(struct result *result);
bool has(const uint8_t *bitmap, uint64_t pfn);
struct page_desc desc_of(const struct result *result, uint64_t pfn);
/** The contents of a page that the dump has. */
void expand(const struct result *result, uint64_t pfn, uint8_t *page);
/** How many pages the dump does not have. */
uint64_t excluded(const struct result *result);

#endif
