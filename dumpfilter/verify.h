/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Is a dump sound? All of it is read: headers, bitmaps, every page_desc, the data of every page. */
#ifndef DUMPFILTER_VERIFY_H
#define DUMPFILTER_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "dumpfilter/vmcore/vmcore.h"

enum verdict {
	VERDICT_GOOD,
	VERDICT_INCOMPLETE, /* the data in it is sound, but some is missing */
	VERDICT_DAMAGED,    /* some data differs from what was written */
};
/** "good", "incomplete", "damaged". */
const char *verdict_name(enum verdict verdict);

#define VERIFY_PROBLEMS_MAX 16u

struct verification {
	enum verdict verdict;
	struct vmcore_origin origin; /* utsname is NULL */
	uint64_t file_size;
	uint64_t page_size;
	uint64_t memory_pages;     /* that the machine had */
	uint64_t pages;            /* that should be in the file … */
	uint64_t good_pages;       /* … and are */
	uint64_t missing_pages;    /* never written, or cut off */
	uint64_t damaged_pages;    /* cannot be expanded, or have an impossible place */
	uint64_t unreadable_pages; /* the disk does not give them */
	unsigned int cpus;         /* that saved their registers */
	/* Problems, each with the page or the offset; further ones are not kept. */
	char *problem[VERIFY_PROBLEMS_MAX];
	unsigned int problem_count;
};

/** @threads: how many to read with, at least 1. @progress is called from time to time by one of them; NULL: not.
 *  A file that cannot be opened as a dump is damaged, which is a result; KD_ERR_OS, KD_ERR_UNSUPPORTED, KD_ERR_NOMEM:
 *  it could not be looked at. */
struct kd_error *verify_dump(const char *path, unsigned int threads,
			     void (*progress)(void *arg, uint64_t done, uint64_t total), void *progress_arg,
			     struct verification *ret) MUST_CHECK;

/** Add a problem that was found elsewhere. */
void verify_add_problem(struct verification *verification, enum verdict verdict, const char *fmt, ...)
	PRINTF_FORMAT(3, 4);

/** A zeroed struct is allowed. */
void verification_release(struct verification *verification);
static inline void verification_release_cleanup(struct verification *verification)
{
	verification_release(verification);
}

#endif
