/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the record of a capture says, for people: sentences, the reason why it did not go well, and what to change. */
#ifndef KDUMP_DUMPS_STORY_H
#define KDUMP_DUMPS_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kdump/dumps/flight.h"

/** How a capture ended, from the best to the worst. */
enum story_end {
	STORY_COMPLETE, /* a complete dump was saved */
	STORY_VETOED,   /* kdump_pre forbade it */
	STORY_PARTIAL,  /* a dump from which pages are missing */
	STORY_LOG,      /* only the crashed kernel's log */
	STORY_NOTHING,  /* neither */
};

enum { STORY_REMEDIES = 8 };

struct story_line {
	double seconds; /* of the capture kernel's uptime */
	char *text;
};

struct story {
	enum story_end end;
	struct story_line *line; /* what happened, in order */
	size_t count;
	double seconds;       /* at the last event */
	unsigned int targets; /* that were tried */
	bool cut;             /* the record ends in the middle of a step: nobody could write to it any more */
	char *why; /* why there is no complete dump, a sentence without its full stop; NULL: it is complete */
	const char *remedy[STORY_REMEDIES]; /* what to change, without full stops; NULL ends the list */
};

/** Tell the story of @flight. KD_ERR_NOMEM. */
struct kd_error *story_tell(const struct dump_flight *flight, struct story *ret) MUST_CHECK;
/** A zeroed struct is allowed. */
void story_free(struct story *story);
static inline void story_free_cleanup(struct story *story)
{
	story_free(story);
}

/** "a complete dump", "nothing" …: what was saved. */
const char *story_end_words(enum story_end end);

#endif
