/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The memory that a capture needs, computed from its kernel, its image and the machine.
 *
 *  There are two peaks, and the larger one counts. Before the first process the kernel holds itself with its init
 *  sections, the initramfs twice, struct pages, and what its initialization has allocated. Later it has freed its init
 *  sections, and the expanded modules and programs and the filter take their place.
 *
 *  tests/bench/crashkernel-floor measures the constants, by bisection on real kernels; the table of
 *  tests/unit/kdump/test-need.c has what it found. The sum is never below a measured floor and at most a quarter above
 *  it. Memory that drivers of real hardware allocate is not in it, for nobody can know it beforehand. */
#ifndef KDUMP_SIZING_NEED_H
#define KDUMP_SIZING_NEED_H

#include <stdint.h>

/** All sizes are bytes. */
struct need_facts {
	uint64_t init_size;  /* of the kernel's boot header: kernel, relocations, and room to expand them */
	uint64_t initramfs;  /* as loaded and unpacked, since both exist for a moment */
	uint64_t modules;    /* expanded */
	uint64_t programs;   /* what they take beyond their members in the initramfs, when they are expanded */
	uint64_t elfcorehdr; /* only where the kernel itself keeps it up to date */
	uint64_t ram;        /* of the machine whose pages the filter counts */
	unsigned int cpus;   /* that the capture kernel starts; 0 counts as 1 */
};

struct need {
	uint64_t early; /* what the kernel allocates before the first process, as far as init_size has no room for it */
	uint64_t mem_map; /* struct page of the sections that the reservation may touch */
	uint64_t filter;  /* two bitmaps of the machine's pages, and the filter's buffers */
	uint64_t total;   /* at the larger peak */
};

struct need need_compute(const struct need_facts *facts);

/** CPUs that a kernel with this command line starts on a machine with @present of them (nr_cpus=, maxcpus=). */
unsigned int need_cpus(const char *cmdline, unsigned int present);

#endif
