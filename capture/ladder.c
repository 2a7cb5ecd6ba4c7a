/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/ladder.h"

#include <errno.h>

static const struct {
	const char *name, *words;
} rungs[] = {
	[RUNG_CONFIGURED] = { "configured", "as core_collector says" },
	[RUNG_FILTER] = { "filter", "with the built-in filter, and only the kernel's pages" },
	[RUNG_STORE] = { "store", "without compression, and only the kernel's pages" },
	[RUNG_COPY] = { "copy", "with a plain copy of all memory" },
	[RUNG_NONE] = { "none", "no more" },
};

const char *rung_name(enum rung rung)
{
	return rungs[rung].name;
}

const char *rung_words(enum rung rung)
{
	return rungs[rung].words;
}

bool ladder_is_target_error(int errnum)
{
	switch (errnum) {
	case EIO:
	case EROFS:
	case ENODEV:
	case ENXIO:
	case ENOTCONN:
	case ESTALE:
	case ETIMEDOUT:
	case EUCLEAN:
		return true;
	}
	return false;
}

static bool is_space_error(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG;
}

/* If there was no room, only a smaller dump can fit. */
static bool may_be_smaller(enum rung rung, const struct ladder_facts *facts)
{
	return rung == RUNG_CONFIGURED && !facts->plain_filter;
}

/* What is free, and what the incomplete dump has. A quota, or a limit to the size of files, is known by the latter
 * alone. */
static uint64_t room(const struct ladder_facts *facts)
{
	return facts->errnum == ENOSPC ? facts->space + facts->file_size : facts->file_size;
}

/* A collector that is stuck in the kernel holds that disk or directory: the next one would be stuck as well. What one
 * could not read, no other reads. */
static bool is_at_end(const struct ladder_facts *facts)
{
	return facts->end == CHILD_LEFT || facts->out_of_time || facts->erases || facts->unreadable ||
	       ladder_is_target_error(facts->errnum);
}

bool ladder_needs_estimate(enum rung rung, const struct ladder_facts *facts)
{
	return !is_at_end(facts) && is_space_error(facts->errnum) && may_be_smaller(rung, facts);
}

bool ladder_must_replace(const struct ladder_facts *facts)
{
	return is_space_error(facts->errnum) && (facts->errnum != ENOSPC || facts->space < facts->filter_size);
}

/* Of the pages of a copy most are free, cached or zero. */
static uint64_t worth(const struct ladder_standing *standing)
{
	return standing->chosen ? 2 * standing->pages : standing->pages;
}

bool ladder_is_better(const struct ladder_standing *one, const struct ladder_standing *other)
{
	if (one->complete != other->complete)
		return one->complete;
	if (one->front != other->front)
		return one->front;
	return worth(one) > worth(other);
}

enum rung ladder_next(enum rung rung, const struct ladder_facts *facts)
{
	if (is_at_end(facts))
		return RUNG_NONE;
	if (is_space_error(facts->errnum))
		return may_be_smaller(rung, facts) && facts->filter_size <= room(facts) ? RUNG_FILTER : RUNG_NONE;
	if (rung == RUNG_CONFIGURED && facts->plain_filter)
		return RUNG_STORE;
	if (rung == RUNG_STORE && facts->space < facts->vmcore_size)
		return RUNG_NONE;
	return rung < RUNG_NONE ? rung + 1 : RUNG_NONE;
}

/* Would @rest pages, at @done pages in @ms, need more than @limit_ms? No page at all is too slow in any case. */
static bool needs_more_than(uint64_t rest, uint64_t done, int64_t ms, int64_t limit_ms)
{
	return (double)rest * (double)ms > (double)limit_ms * (double)done;
}

bool ladder_is_too_slow(const struct ladder_pace *pace)
{
	uint64_t rest = pace->total > pace->done ? pace->total - pace->done : 0;

	if (!pace->next || !rest || pace->elapsed_ms < LADDER_PACE_MS || pace->recent_ms < LADDER_PACE_MS ||
	    pace->left_ms < 3 * pace->elapsed_ms)
		return false;
	return needs_more_than(rest, pace->done, pace->elapsed_ms, 2 * pace->left_ms) &&
	       needs_more_than(rest, pace->recent_done, pace->recent_ms, 2 * pace->left_ms);
}
