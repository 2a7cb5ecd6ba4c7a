/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/retention.h"

/* The dumps that are left after those removed so far. */
struct stock {
	uint64_t dumps, size, available;
};

static uint64_t wanted_free(const struct retention_limits *limits, const struct retention_space *space)
{
	uint64_t percent = space->total / 100 * limits->free_percent;

	return percent > limits->free ? percent : limits->free;
}

/* The limit that is exceeded while @dump, the oldest dump that may be deleted, exists; NULL: none. */
static const char *offended(const struct retention_limits *limits, const struct retention_space *space,
			    const struct stock *stock, const struct dump *dump, int64_t now)
{
	if (limits->dumps && stock->dumps > limits->dumps)
		return "keep_dumps";
	if (limits->size && stock->size > limits->size)
		return "keep_size";
	if (stock->available < wanted_free(limits, space))
		return "keep_free";
	if (limits->days && limits->days < INT64_MAX / 86400 && dump->time < now - (int64_t)limits->days * 86400)
		return "keep_days";
	return NULL;
}

void retention_decide(const struct retention_limits *limits, const struct dumps *dumps,
		      const struct retention_space *space, int64_t now, const char **why)
{
	struct stock stock = { .dumps = dumps->count, .available = space->available };
	size_t i;

	for (i = 0; i < dumps->count; i++) {
		why[i] = NULL;
		stock.size += dumps->dump[i].size;
	}
	for (i = 0; i + 1 < dumps->count; i++) {
		const struct dump *dump = &dumps->dump[i];

		if (dump->pinned)
			continue;
		why[i] = offended(limits, space, &stock, dump, now);
		if (!why[i])
			continue;
		stock.dumps--;
		stock.size -= dump->size;
		stock.available += dump->size;
	}
}
