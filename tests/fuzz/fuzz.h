/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the fuzz targets share. A target is one LLVMFuzzerTestOneInput(), linked with libFuzzer (tests/fuzz/run), or
 * with replay.c, which runs the files that it is given.
 *
 *  A target fails by dying: a sanitizer's report, an abort() where the interface breaks a promise, or a timeout.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** abort() unless @condition. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/** Destroy @err (NULL is success), which must say something. True if there was one. */
bool fuzz_error(struct kd_error *err);

/** A NUL-terminated copy, of exactly that size so that a sanitizer sees what is read beyond it. Owned by the caller. */
char *fuzz_text(const uint8_t *data, size_t size);

/** A directory in memory, made once and removed at exit. */
const char *fuzz_directory(void);

/** A file in memory with these contents, the same one each time: its path. */
const char *fuzz_file(const uint8_t *data, size_t size);

#endif
