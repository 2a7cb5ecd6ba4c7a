/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The map of physical memory: /proc/iomem, the firmware's map, the crashkernel reservation. */
#ifndef KDUMP_LOADER_MEMORY_MAP_H
#define KDUMP_LOADER_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ranges.h"
#include "base/sysroot.h"

enum memory_type {
	MEMORY_RAM,
	MEMORY_RESERVED,
	MEMORY_ACPI,
	MEMORY_NVS,
	MEMORY_UNUSABLE,
	MEMORY_PMEM,
	MEMORY_PMEM_LEGACY,
	MEMORY_SOFT_RESERVED,
	MEMORY_TYPES, /* the next kernel can be told about those above */
	MEMORY_CRASH = MEMORY_TYPES,
	MEMORY_GART,
};
/** As the kernel names it in /proc/iomem. */
const char *memory_type_name(enum memory_type type);

struct memory_entry {
	struct kd_range range;
	enum memory_type type;
};

struct memory_list {
	struct memory_entry *entry;
	size_t count;
};

struct memory_map {
	struct memory_list iomem;    /* the lines of /proc/iomem whose name is one of the above, at any depth */
	struct memory_list firmware; /* /sys/firmware/memmap by address; empty if the kernel has none */
	struct kd_ranges ram;        /* all System RAM, pieces joined */
	struct kd_ranges crash;      /* the crashkernel reservations, low and main */
	struct kd_range crash_main;  /* the one that takes the image; empty if nothing is reserved */
	struct kd_ranges cma;        /* crashkernel=…,cma */
};

/** KD_ERR_STATE when /proc/iomem hides its addresses (not root). */
struct kd_error *memory_map_read(const struct kd_sysroot *root, struct memory_map *ret) MUST_CHECK;
void memory_map_free(struct memory_map *map); /* zeroed is allowed */
static inline void memory_map_free_cleanup(struct memory_map *map)
{
	memory_map_free(map);
}

bool memory_list_add(struct memory_list *list, uint64_t start, uint64_t end, enum memory_type type);
/** *ret (zeroed or in use) grows by all entries of @type. */
bool memory_list_ranges(const struct memory_list *list, enum memory_type type, struct kd_ranges *ret);
void memory_list_sort(struct memory_list *list);
void memory_list_free(struct memory_list *list);
static inline void memory_list_free_cleanup(struct memory_list *list)
{
	memory_list_free(list);
}

#endif
