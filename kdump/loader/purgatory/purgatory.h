/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The contract between the loader and the purgatory, the code that runs between the two kernels.
 *
 *  The purgatory is a flat, position-independent blob. The dying kernel jumps to its first byte (x86_64: in 64-bit
 *  mode, with an identity map and interrupts off; aarch64: with the MMU and interrupts off). The parameters lie
 *  PURGATORY_PARAMS bytes behind its start; the loader fills them in. The purgatory stops the devices if it is told so,
 *  and hashes the regions. If all match, it starts the kernel; otherwise it names each changed region and resets the
 *  machine. */
#ifndef KDUMP_LOADER_PURGATORY_PURGATORY_H
#define KDUMP_LOADER_PURGATORY_PURGATORY_H

#define PURGATORY_CHECK       8 /* u32: offset of the function that compares the hashes, for tests */
#define PURGATORY_PARAMS      16
#define PURGATORY_PARAMS_SIZE 1072
#define PURGATORY_REGIONS     16

/* Offsets of members of struct purgatory_params that entry.S reads. */
#define PURGATORY_ENTRY       0
#define PURGATORY_BOOT_INFO   8
#define PURGATORY_PAGE_TABLES 24

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct purgatory_region {
	uint64_t start;
	uint64_t size;
	char name[16]; /* NUL-terminated */
	uint8_t digest[32];
};

/* How to call the firmware. */
enum purgatory_reset { PURGATORY_RESET_NONE, PURGATORY_RESET_HVC, PURGATORY_RESET_SMC };

struct purgatory_params {
	uint64_t entry;        /* of the kernel */
	uint64_t boot_info;    /* its argument: x86_64 zero page, aarch64 device tree */
	uint64_t serial;       /* for messages: I/O port of a 16550 (x86_64), address of a PL011 (aarch64); 0: none */
	uint64_t page_tables;  /* x86_64: to use from now on (identity_map.h); 0: those that are there */
	uint32_t regions;      /* used entries below */
	uint32_t reset;        /* aarch64: enum purgatory_reset */
	uint32_t stop_devices; /* x86_64: 1: no PCI device may write to memory any more */
	uint32_t reserved;
	struct purgatory_region region[PURGATORY_REGIONS];
};

_Static_assert(sizeof(struct purgatory_params) == PURGATORY_PARAMS_SIZE, "entry.S leaves this much room");
_Static_assert(offsetof(struct purgatory_params, entry) == PURGATORY_ENTRY, "entry.S jumps there");
_Static_assert(offsetof(struct purgatory_params, boot_info) == PURGATORY_BOOT_INFO, "entry.S passes it");
_Static_assert(offsetof(struct purgatory_params, page_tables) == PURGATORY_PAGE_TABLES, "entry.S loads it");
#endif

#endif
