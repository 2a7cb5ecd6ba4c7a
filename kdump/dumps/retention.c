/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/retention.h"

/* What there is as long as nothing more is removed. */
struct stock {
	uint64_t dumps, size, available;
};

static uint64_t wanted_free(const struct kd_conf *conf, const struct retention_space *space)
{
	uint64_t percent = space->total / 100 * conf->keep_free_percent;

	return percent > conf->keep_free ? percent : conf->keep_free;
}

/* The limit that @dump, the oldest that may go, offends; NULL: none. */
static const char *offended(const struct kd_conf *conf, const struct retention_space *space, const struct stock *stock,
			    const struct dump *dump, int64_t now)
{
	if (conf->keep_dumps && stock->dumps > conf->keep_dumps)
		return "keep_dumps";
	if (conf->keep_size && stock->size > conf->keep_size)
		return "keep_size";
	if (stock->available < wanted_free(conf, space))
		return "keep_free";
	if (conf->keep_days && conf->keep_days < INT64_MAX / 86400 &&
	    dump->time < now - (int64_t)conf->keep_days * 86400)
		return "keep_days";
	return NULL;
}

void retention_decide(const struct kd_conf *conf, const struct dumps *dumps, const struct retention_space *space,
		      int64_t now, const char **why)
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
		why[i] = offended(conf, space, &stock, dump, now);
		if (!why[i])
			continue;
		stock.dumps--;
		stock.size -= dump->size;
		stock.available += dump->size;
	}
}
