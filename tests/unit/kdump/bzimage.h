/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A kernel made up for tests of what loads one. */
#ifndef TESTS_UNIT_KDUMP_BZIMAGE_H
#define TESTS_UNIT_KDUMP_BZIMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kdump/loader/le.h"

#define SETUP_SECTS  3
#define SETUP_SIZE   ((SETUP_SECTS + 1) * 512)
#define CODE_SIZE    20000
#define BZIMAGE_SIZE (SETUP_SIZE + CODE_SIZE)

struct bzimage {
	uint8_t byte[BZIMAGE_SIZE];
};

/* The header of Linux 6.1 around bytes that are not code. */
static inline void make_bzimage(struct bzimage *image, uint32_t init_size)
{
	uint8_t *h = image->byte;
	size_t i;

	memset(h, 0, BZIMAGE_SIZE);
	for (i = SETUP_SIZE; i < BZIMAGE_SIZE; i++)
		h[i] = i * 7;
	h[0x1f1] = SETUP_SECTS;
	put_le32(h + 0x1f4, CODE_SIZE / 16);
	put_le16(h + 0x1fe, 0xaa55);
	h[0x200] = 0xeb;
	h[0x201] = 0x6a;
	memcpy(h + 0x202, "HdrS", 4);
	put_le16(h + 0x206, 0x020f);
	h[0x211] = 1;
	put_le32(h + 0x22c, 0x7fffffff);
	put_le32(h + 0x230, 0x200000);
	h[0x234] = 1;
	put_le16(h + 0x236, 0x7f);
	put_le32(h + 0x238, 2047);
	put_le64(h + 0x258, 0x1000000);
	put_le32(h + 0x260, init_size);
}

#endif
