/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A key of AES, found by what a kernel computes of it.
 *
 *  Whoever encrypts with AES keeps the key's schedule: the round keys, of which the first ones are the key itself and
 *  each further one follows from those before it (FIPS 197, section 5.2). No other data looks like that, so a schedule
 *  is recognised wherever it lies in an object, whichever implementation laid the object out.
 */
#ifndef KDUMP_STORAGE_KEY_SEARCH_H
#define KDUMP_STORAGE_KEY_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_SEARCH_MAX 64 /* bytes of a key: XTS takes two of AES-256 */

/** Memory that is searched, and what is looked for. */
struct key_search {
	/** Copy @size bytes at @vaddr to @buf; false: they cannot be read. */
	bool (*read)(void *arg, uint64_t vaddr, void *buf, size_t size);
	/** Is this the key? Every key that is found is asked for. */
	bool (*is_key)(void *arg, const uint8_t *key, size_t size);
	void *arg;   /* of both */
	size_t size; /* of the key, in bytes */
};

/** Follow the pointers in the object at @vaddr, and those in the objects that they lead to, until a schedule of the
 *  key, or the two schedules of its halves, has been found. The nearest objects come first; their number is bounded.
 *  @ret has room for KEY_SEARCH_MAX bytes. Returns whether there is such a key; @ret is untouched otherwise. */
bool key_search(const struct key_search *search, uint64_t vaddr, uint8_t *ret);

#endif
