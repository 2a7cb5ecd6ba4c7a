/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/temporary.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>

#include "tests/unit/testing.h"

void temporary_make(char path[TEMPORARY_SIZE])
{
	const char *base = getenv("TMPDIR");

	assert_true(snprintf(path, TEMPORARY_SIZE, "%s/%.20s.XXXXXX", base ? base : "/tmp",
			     program_invocation_short_name) < TEMPORARY_SIZE);
	assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void temporary_remove(const char *path)
{
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}
