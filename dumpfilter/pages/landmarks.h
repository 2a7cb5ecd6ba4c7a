/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Addresses of the kernel's own symbols that tell which memory is what, all of them found in one pass. */
#ifndef DUMPFILTER_PAGES_LANDMARKS_H
#define DUMPFILTER_PAGES_LANDMARKS_H

#include <stdint.h>

#include "dumpfilter/kernel/address_space.h"

enum landmark {
	/* Parts of the image. */
	LANDMARK_TEXT,
	LANDMARK_TEXT_END,
	LANDMARK_SCHEDULER,
	LANDMARK_SCHEDULER_END,
	LANDMARK_RODATA,
	LANDMARK_RODATA_END,
	LANDMARK_TYPES,
	LANDMARK_TYPES_END,
	LANDMARK_DATA,
	LANDMARK_END,
	/* Parts of it that the kernel gives to the page allocator while it boots. */
	LANDMARK_INIT,
	LANDMARK_INIT_END,
	LANDMARK_LOCKS,
	LANDMARK_LOCKS_END,
	LANDMARK_DECRYPTED,
	LANDMARK_DECRYPTED_END,
	LANDMARK_BRK_END, /* a variable that holds an address */
	/* Per-CPU memory. */
	LANDMARK_PERCPU, /* may be 0 */
	LANDMARK_PERCPU_END,
	LANDMARK_PERCPU_OFFSETS,
	LANDMARK_CPU_COUNT,
	/* Pointers to slab caches. */
	LANDMARK_TASK_CACHE,
	LANDMARK_MM_CACHE,
	LANDMARK_NODE_CACHE,
	LANDMARK_CACHE_CACHE,
	LANDMARK_FIRST_PIDS,
	LANDMARK_PIDS_CACHE,
	LANDMARK_COUNT
};

/** Virtual addresses; 0: not known. */
struct landmarks {
	uint64_t vaddr[LANDMARK_COUNT];
};

/** Ask the kernel's own table of symbols, if VMCOREINFO says where it lies. What is read for that is not remembered as
 *  walked: a reader of the dump does not need it. */
void landmarks_find(struct address_space *space, struct landmarks *ret);

/** [@start, @end); empty if either is not known, or they are the wrong way round. */
struct kd_range landmarks_range(const struct landmarks *landmarks, enum landmark start, enum landmark end);

#endif
