/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Page frames that every dump has, whatever their struct pages say: without them it cannot be opened, and a struct
 *  page may have been overwritten by what crashed the kernel. They are known by where they lie:
 *
 *      tables     page tables of the kernel, and what was read on the way to the struct pages; stacks of the CPUs
 *      mem_map    the struct pages themselves
 *      image      the kernel image, without the parts that the kernel gives to its page allocator while it boots
 *      per-CPU    the part of per-CPU memory that the kernel reserves while it boots
 *      log        the ring of printk
 *      boot       memory that the architecture sets apart for booting
 *
 *  Where the kernel's symbols are not known (VMCOREINFO says where they are since 6.0), data of the image and per-CPU
 *  memory cannot be found. Then, and in the rest of the memory from before the page allocator, the flag counts that
 *  such pages have (page_rules_learn_boot()). Per-CPU memory that was added later is kernel memory like any other.
 */
#ifndef DUMPFILTER_PAGES_VITAL_H
#define DUMPFILTER_PAGES_VITAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ranges.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/pages/landmarks.h"

enum vital_kind { VITAL_TABLES, VITAL_MEM_MAP, VITAL_IMAGE, VITAL_PERCPU, VITAL_LOG, VITAL_BOOT, VITAL_KINDS };
/** "the kernel's page tables", … */
const char *vital_kind_words(enum vital_kind kind);
/** Rules that would drop most of these frames do not fit the kernel. */
bool vital_kind_is_telling(enum vital_kind kind);

/** Page frames [start, end). */
struct vital_range {
	uint64_t start, end;
	enum vital_kind kind;
};

/** A zeroed struct has none. */
struct vital {
	struct vital_range *range; /* by rising start; they do not overlap */
	size_t count;
	uint64_t pages[VITAL_KINDS];
};

/** Find them. @mem_map: where the struct pages lie. KD_ERR_NOMEM: *ret is still zeroed. */
struct kd_error *vital_find(struct address_space *space, const struct kd_ranges *mem_map,
			    const struct landmarks *landmarks, struct vital *ret) MUST_CHECK;
void vital_release(struct vital *vital);
static inline void vital_release_cleanup(struct vital *vital)
{
	vital_release(vital);
}

/** The index of the first range that ends above @pfn; vital->count if there is none. */
size_t vital_first_above(const struct vital *vital, uint64_t pfn);
/** Is it one that a reader of the dump needs? Those of VITAL_BOOT nobody reads. */
bool vital_is_needed(const struct vital *vital, uint64_t pfn);

#endif
