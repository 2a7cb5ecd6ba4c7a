/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Pieces of a block device or a file that are used as one stretch of bytes, in this order. As text, in a plan:
 *  "OFFSET+LENGTH,OFFSET+LENGTH", decimal, in bytes. */
#ifndef BASE_EXTENTS_H
#define BASE_EXTENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { KD_EXTENTS_MAX = 1024, KD_EXTENT_ALIGN = 4096 };

struct kd_extent {
	uint64_t offset, length; /* multiples of KD_EXTENT_ALIGN; the length is not 0 */
};

struct kd_extents {
	struct kd_extent *extent;
	size_t count;
};

/** Append a piece; one that continues the last piece makes that longer. KD_ERR_FORMAT: it is empty, not aligned, or
 *  lies beyond what an off_t can say. KD_ERR_LIMIT: there are KD_EXTENTS_MAX already, or all of them together are too
 *  long. */
struct kd_error *kd_extents_add(struct kd_extents *extents, uint64_t offset, uint64_t length) MUST_CHECK;

/** Parse @text. Pieces that overlap are KD_ERR_FORMAT, as is no piece at all. *ret is to be freed. */
struct kd_error *kd_extents_parse(const char *text, struct kd_extents *ret) MUST_CHECK;

/** The text of @extents, owned by the caller. */
struct kd_error *kd_extents_format(const struct kd_extents *extents, char **ret) MUST_CHECK;

uint64_t kd_extents_size(const struct kd_extents *extents);

/** Where byte @offset of the stretch lies: returns how many bytes follow it without a gap (0: it is beyond the end),
 *  and *ret := its offset in the device. */
uint64_t kd_extents_map(const struct kd_extents *extents, uint64_t offset, uint64_t *ret);

/** A zeroed struct is allowed. */
void kd_extents_free(struct kd_extents *extents);
static inline void kd_extents_free_cleanup(struct kd_extents *extents)
{
	kd_extents_free(extents);
}

#endif
