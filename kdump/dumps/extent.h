/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Has a dump file all the bytes that its header promises? */
#ifndef KDUMP_DUMPS_EXTENT_H
#define KDUMP_DUMPS_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

/** Is the file @fd, of @size bytes, shorter than its headers say, or do they say that it is incomplete? Only headers,
 *  bitmap and the last page_descs are read: verify looks at all. False for a header that is not understood. */
bool extent_is_short(int fd, uint64_t size);

#endif
