/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/write/page_share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct entry {
	struct page_hash hash;
	struct page_place place; /* size 0: empty */
};

/* Equal pages are often far from each other; but when there are few pages the table is hardly ever full. */
#define PAGES_PER_ENTRY 4

struct page_share {
	size_t words; /* of a page, and of the key */
	uint64_t *key;
	size_t slots; /* a power of two */
	struct entry entry[];
};

/* GRND_NONBLOCK: without enough entropy getrandom(2) fails instead of waiting. */
static bool draw_key(uint64_t *key, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t piece = getrandom((uint8_t *)key + done, size - done, GRND_NONBLOCK);

		if (piece <= 0)
			return false;
		done += (size_t)piece;
	}
	return true;
}

uint64_t page_share_bytes(uint64_t pages, uint64_t bytes)
{
	while (bytes > PAGE_SHARE_BYTES_MIN && bytes / sizeof(struct entry) > pages / PAGES_PER_ENTRY)
		bytes /= 2;
	return bytes;
}

struct page_share *page_share_create(size_t page_size, uint64_t bytes)
{
	_cleanup_(page_share_destroy) struct page_share *share = calloc(1, sizeof(*share) + bytes);

	assert(bytes >= PAGE_SHARE_BYTES_MIN && (bytes & (bytes - 1)) == 0);
	if (!share)
		return NULL;
	share->slots = bytes / sizeof(struct entry);
	share->words = page_size / sizeof(*share->key);
	share->key = malloc(page_size);
	if (!share->key || !draw_key(share->key, page_size))
		return NULL;
	return_ptr(share);
}

void page_share_destroy(struct page_share *share)
{
	if (!share)
		return;
	free(share->key);
	free(share);
}

struct page_hash page_share_hash(const struct page_share *share, const void *page)
{
	const uint8_t *data = page;
	const uint64_t *key = share->key;
	unsigned __int128 sum = 0;

	for (size_t i = 0; i < share->words; i += 2) {
		uint64_t a, b;

		memcpy(&a, data + 8 * i, 8);
		memcpy(&b, data + 8 * i + 8, 8);
		sum += (unsigned __int128)(a + key[i]) * (b + key[i + 1]);
	}
	return (struct page_hash){ (uint64_t)sum, (uint64_t)(sum >> 64) };
}

static size_t slot(const struct page_share *share, struct page_hash hash)
{
	return (hash.low ^ hash.high) & (share->slots - 1);
}

bool page_share_find(const struct page_share *share, struct page_hash hash, struct page_place *ret)
{
	const struct entry *entry = &share->entry[slot(share, hash)];

	if (!entry->place.size || !page_hash_equal(entry->hash, hash))
		return false;
	*ret = entry->place;
	return true;
}

void page_share_add(struct page_share *share, struct page_hash hash, const struct page_place *place)
{
	share->entry[slot(share, hash)] = (struct entry){ hash, *place };
}
