/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/key_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Objects of the crypto layer are small: with two schedules and what alignment costs, 1100 bytes. What lies behind a
 * smaller one is looked at in vain. */
#define OBJECT_SIZE 2048u
#define PAGE        4096u
/* From the table of ciphers to the schedule it is five pointers at most: table, cipher, wrapper, asynchronous queue,
 * child, block cipher. */
#define DEPTH_MAX    7u
#define OBJECTS_MAX  2048u
#define FOUND_MAX    16u
#define POINTER_SIZE 8u
/* All of these objects are in the kernel's mapping of RAM, which is no larger than this. */
#define DISTANCE_MAX (UINT64_C(1) << 46)

/* --- key schedules ------------------------------------------------------------------------------------------------ */

/* Multiplication in AES's field by x. */
static uint8_t times_x(uint8_t value)
{
	return (uint8_t)(value << 1 ^ (value & 0x80 ? 0x1b : 0));
}

static uint8_t rotate(uint8_t value, unsigned int bits)
{
	return (uint8_t)(value << bits | value >> (8 - bits));
}

/* The inverse in the field is the 254th power. */
static uint8_t inverse(uint8_t value)
{
	uint8_t power = value, result = 1;

	for (unsigned int exponent = 254; exponent; exponent >>= 1) {
		uint8_t product[2] = { 0 };

		for (unsigned int bit = 8; bit-- > 0;) {
			product[0] = times_x(product[0]) ^ (result >> bit & 1 ? power : 0);
			product[1] = times_x(product[1]) ^ (power >> bit & 1 ? power : 0);
		}
		if (exponent & 1)
			result = product[0];
		power = product[1];
	}
	return value ? result : 0;
}

/* FIPS 197, section 5.1.1. */
static uint8_t substitute(uint8_t value)
{
	uint8_t b = inverse(value);

	return b ^ rotate(b, 1) ^ rotate(b, 2) ^ rotate(b, 3) ^ rotate(b, 4) ^ 0x63;
}

struct substitution {
	uint8_t of[256];
};

static void make_substitution(struct substitution *ret)
{
	for (unsigned int value = 0; value < sizeof(ret->of); value++)
		ret->of[value] = substitute((uint8_t)value);
}

/* Is word @i of the schedule at @data what follows from the words before it? */
static bool follows(const struct substitution *box, const uint8_t *data, size_t i, size_t key_words, uint8_t round)
{
	const uint8_t *before = data + 4 * (i - 1), *first = data + 4 * (i - key_words), *word = data + 4 * i;

	for (unsigned int byte = 0; byte < 4; byte++) {
		uint8_t change = before[byte];

		if (i % key_words == 0)
			change = box->of[before[(byte + 1) % 4]] ^ (byte == 0 ? round : 0);
		else if (key_words > 6 && i % key_words == 4)
			change = box->of[before[byte]];
		if (word[byte] != (first[byte] ^ change))
			return false;
	}
	return true;
}

static bool is_aes_size(size_t key_size)
{
	return key_size == 16 || key_size == 24 || key_size == 32;
}

static bool is_schedule(const struct substitution *box, const uint8_t *data, size_t size, size_t key_size)
{
	size_t key_words = key_size / 4, words = 4 * (key_words + 7);
	uint8_t round = 1;

	if (!is_aes_size(key_size) || size < 4 * words)
		return false;
	for (size_t i = key_words; i < words; i++) {
		if (!follows(box, data, i, key_words, round))
			return false;
		if (i % key_words == 0)
			round = times_x(round);
	}
	return true;
}

/* --- the search --------------------------------------------------------------------------------------------------- */

struct object {
	uint64_t vaddr;
	unsigned int depth;
};

struct state {
	const struct key_search *search;
	struct substitution box;
	uint64_t origin;
	uint8_t *ret;
	bool done;
	size_t objects;
	size_t halves; /* keys of half the size that were found */
	struct object object[OBJECTS_MAX];
	uint8_t half[FOUND_MAX][KEY_SEARCH_MAX / 2];
	uint8_t data[OBJECT_SIZE];
};

static void state_free(struct state *state)
{
	if (state)
		explicit_bzero(state, sizeof(*state));
	free(state);
}
DEFINE_CLEANUP(struct state *, state_free)

static void try_key(struct state *state, const uint8_t *key)
{
	if (state->done || !state->search->is_key(state->search->arg, key, state->search->size))
		return;
	memcpy(state->ret, key, state->search->size);
	state->done = true;
}

/* A key of half the size may be either half of XTS's, with any of those that were found before. */
static void try_half(struct state *state, const uint8_t *half)
{
	size_t size = state->search->size / 2;
	uint8_t key[KEY_SEARCH_MAX];

	for (size_t i = 0; i < state->halves; i++)
		if (memcmp(state->half[i], half, size) == 0)
			return;
	if (state->halves == FOUND_MAX)
		return;
	memcpy(state->half[state->halves++], half, size);
	for (size_t i = 0; i < state->halves; i++) {
		memcpy(key, half, size);
		memcpy(key + size, state->half[i], size);
		try_key(state, key);
		memcpy(key, state->half[i], size);
		memcpy(key + size, half, size);
		try_key(state, key);
	}
	explicit_bzero(key, sizeof(key));
}

static void look_for_schedules(struct state *state, size_t size)
{
	for (size_t at = 0; at + 4 <= size && !state->done; at += 4) {
		const uint8_t *data = state->data + at;

		if (is_schedule(&state->box, data, size - at, state->search->size))
			try_key(state, data);
		else if (is_schedule(&state->box, data, size - at, state->search->size / 2))
			try_half(state, data);
	}
}

static void add_object(struct state *state, uint64_t vaddr, unsigned int depth)
{
	uint64_t distance = vaddr > state->origin ? vaddr - state->origin : state->origin - vaddr;

	if (vaddr % POINTER_SIZE || distance >= DISTANCE_MAX || state->objects == OBJECTS_MAX)
		return;
	for (size_t i = 0; i < state->objects; i++)
		if (state->object[i].vaddr == vaddr)
			return;
	state->object[state->objects++] = (struct object){ vaddr, depth };
}

static void follow_pointers(struct state *state, size_t size, unsigned int depth)
{
	for (size_t at = 0; at + POINTER_SIZE <= size && depth < DEPTH_MAX; at += POINTER_SIZE) {
		uint64_t vaddr;

		memcpy(&vaddr, state->data + at, sizeof(vaddr));
		add_object(state, vaddr, depth + 1);
	}
}

/* What can be read of the object: it may be the last one of its page. */
static size_t read_object(struct state *state, uint64_t vaddr)
{
	const struct key_search *search = state->search;
	size_t size = PAGE - vaddr % PAGE;

	if (search->read(search->arg, vaddr, state->data, OBJECT_SIZE))
		return OBJECT_SIZE;
	return size < OBJECT_SIZE && search->read(search->arg, vaddr, state->data, size) ? size : 0;
}

bool key_search(const struct key_search *search, uint64_t vaddr, uint8_t *ret)
{
	_cleanup_(state_free) struct state *state = calloc(1, sizeof(*state));

	if (!state || search->size < 16 || search->size > KEY_SEARCH_MAX)
		return false;
	state->search = search;
	state->origin = vaddr;
	state->ret = ret;
	make_substitution(&state->box);
	add_object(state, vaddr, 0);
	for (size_t i = 0; i < state->objects && !state->done; i++) {
		size_t size = read_object(state, state->object[i].vaddr);

		look_for_schedules(state, size);
		follow_pointers(state, size, state->object[i].depth);
	}
	return state->done;
}
