/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/sizing/need.h"

#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/parse.h"

#define PAGE_SIZE 4096
/* Slab, stacks, hash tables, per-CPU areas, the JIT's first block, and the memory that the allocator refuses to give
 * away at the end: 7 to 15 MiB on 5.10 to 7.2, with the command line that kdumpctl makes. A part finds room where
 * init_size has the kernel's relocations and a margin to expand it. */
#define EARLY     KD_MIB(7)
#define FOR_A_CPU KD_MIB(3) / 2 /* each further one: areas, stacks, threads; measured: 0.9 MiB on 6.1 */
/* The code and data of the kernel's initialization, and the gaps between its sections, are freed before the first
 * process: 7 to 11 MiB. */
#define FREED KD_MIB(6)
/* Struct pages come in blocks of 2 MiB for 128 MiB of addresses (Linux mm/sparse.c). The memory below 1 MiB takes one
 * block, and so does each section that the reservation lies in: one more than its size says, since it may straddle. */
#define SECTION        KD_MIB(128)
#define SECTION_MAP    KD_MIB(2)
#define FILTER_BUFFERS KD_MIB(5) /* resident size of the filter without its bitmaps, measured: 4.6 MiB */

static uint64_t mem_map(uint64_t reserved)
{
	return SECTION_MAP * (2 + (reserved + SECTION - 1) / SECTION);
}

struct need need_compute(const struct need_facts *facts)
{
	struct need need = {
		.early = EARLY + (facts->cpus > 1 ? facts->cpus - 1 : 0) * FOR_A_CPU,
		/* As in dumpfilter/pages/pfn_bitmap.c: a bit for each page. */
		.filter = 2 * (facts->ram / PAGE_SIZE / 8) + FILTER_BUFFERS,
	};
	uint64_t boot = facts->init_size + facts->initramfs + facts->elfcorehdr + need.early;
	/* The packed initramfs, which is half of the sum, goes at the same time. */
	uint64_t used = facts->modules + facts->programs + need.filter, freed = FREED + facts->initramfs / 2;
	uint64_t rest = boot + (used > freed ? used - freed : 0);

	need.mem_map = mem_map(rest);
	need.mem_map = mem_map(rest + need.mem_map); /* which may itself reach into one more section */
	need.total = rest + need.mem_map;
	return need;
}

unsigned int need_cpus(const char *cmdline, unsigned int present)
{
	static const char *const limits[] = { "nr_cpus=", "maxcpus=" };
	_cleanup_free_ char **words = kd_split_words(cmdline, NULL);
	uint64_t cpus = present;
	size_t i, k;

	for (i = 0; words && i < ARRAY_SIZE(limits); i++) {
		uint64_t limit = cpus;

		/* The last one counts. */
		for (k = 0; words[k]; k++)
			if (kd_starts_with(words[k], limits[i]))
				(void)kd_parse_u64(words[k] + strlen(limits[i]), 10, &limit);
		if (limit < cpus)
			cpus = limit;
	}
	return cpus ? cpus : 1;
}
