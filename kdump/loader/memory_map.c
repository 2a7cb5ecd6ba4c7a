/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/memory_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"

/* Names in /proc/iomem and in /sys/firmware/memmap/N/type; the first of a type is the one to print. */
static const struct {
	const char *name;
	enum memory_type type;
	bool prefix; /* "System RAM (kmem)" is RAM too */
} types[] = {
	{ "System RAM", MEMORY_RAM, true },
	{ "Reserved", MEMORY_RESERVED, false },
	{ "reserved", MEMORY_RESERVED, false },
	{ "Unknown E820 type", MEMORY_RESERVED, false },
	{ "ACPI Tables", MEMORY_ACPI, false },
	{ "ACPI Non-volatile Storage", MEMORY_NVS, false },
	{ "Unusable memory", MEMORY_UNUSABLE, false },
	{ "Persistent Memory", MEMORY_PMEM, false },
	{ "Persistent Memory (legacy)", MEMORY_PMEM_LEGACY, false },
	{ "Soft Reserved", MEMORY_SOFT_RESERVED, false },
	{ "Crash kernel", MEMORY_CRASH, false },
	{ "GART", MEMORY_GART, false },
};

#define TYPES ARRAY_SIZE(types)

const char *memory_type_name(enum memory_type type)
{
	size_t i;

	for (i = 0; i < TYPES; i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

static bool parse_type(const char *name, enum memory_type *ret)
{
	size_t i;

	for (i = 0; i < TYPES; i++) {
		if (types[i].prefix ? !kd_starts_with(name, types[i].name) : strcmp(name, types[i].name) != 0)
			continue;
		*ret = types[i].type;
		return true;
	}
	return false;
}

bool memory_list_add(struct memory_list *list, uint64_t start, uint64_t end, enum memory_type type)
{
	struct memory_entry *grown;

	if (start >= end)
		return true;
	grown = reallocarray(list->entry, list->count + 1, sizeof(*grown));
	if (!grown)
		return false;
	grown[list->count++] = (struct memory_entry){ { start, end }, type };
	list->entry = grown;
	return true;
}

bool memory_list_ranges(const struct memory_list *list, enum memory_type type, struct kd_ranges *ret)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->entry[i].type == type &&
		    !kd_ranges_add(ret, list->entry[i].range.start, list->entry[i].range.end))
			return false;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct memory_entry *x = a, *y = b;

	return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

void memory_list_sort(struct memory_list *list)
{
	if (list->count)
		qsort(list->entry, list->count, sizeof(*list->entry), compare_entries);
}

void memory_list_free(struct memory_list *list)
{
	free(list->entry);
	*list = (struct memory_list){ 0 };
}

/* "start-end" in hex, end inclusive, in place. */
static bool parse_range(char *text, struct kd_range *ret)
{
	char *dash = strchr(text, '-');
	uint64_t start, last;

	if (!dash)
		return false;
	*dash = '\0';
	if (!kd_parse_u64(text, 16, &start) || !kd_parse_u64(dash + 1, 16, &last) || last < start || last == UINT64_MAX)
		return false;
	*ret = (struct kd_range){ start, last + 1 };
	return true;
}

/* One line of /proc/iomem: "  00100000-7ffdffff : System RAM". */
static struct kd_error *add_iomem_line(struct memory_map *map, char *line, uint64_t *highest)
{
	char *name = strstr(line, " : ");
	enum memory_type type;
	struct kd_range range;

	if (!name)
		return NULL;
	*name = '\0';
	if (!parse_range(kd_strip(line), &range))
		return NULL;
	if (range.end > *highest)
		*highest = range.end;
	if (!parse_type(name + 3, &type))
		return NULL;
	if (!memory_list_add(&map->iomem, range.start, range.end, type))
		return kd_error_nomem();
	/* Both reservations have the same name. The main one has the higher address, and lines are in ascending order.
	 * */
	if (type == MEMORY_CRASH)
		map->crash_main = range;
	return NULL;
}

static struct kd_error *read_iomem(const struct kd_sysroot *root, struct memory_map *map)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	uint64_t highest = 0;
	char *cursor, *line;

	err = kd_sysroot_read(root, "/proc/iomem", &text, NULL);
	if (err)
		return err;
	for (cursor = text; (line = strsep(&cursor, "\n"));) {
		err = add_iomem_line(map, line, &highest);
		if (err)
			return err;
	}
	if (highest <= 1)
		return kd_error_create(KD_ERR_STATE,
				       "/proc/iomem hides its addresses; run this as root (CAP_SYS_ADMIN)");
	if (!memory_list_ranges(&map->iomem, MEMORY_RAM, &map->ram) ||
	    !memory_list_ranges(&map->iomem, MEMORY_CRASH, &map->crash))
		return kd_error_nomem();
	return NULL;
}

/* Lines "start-end", end inclusive. A kernel without this file ("crash: export crashkernel CMA reservation to
 * userspace") may still have such a reservation: the capture kernel then does not use it. */
static struct kd_error *read_cma(const struct kd_sysroot *root, struct memory_map *map)
{
	_cleanup_(kd_error_destroy) struct kd_error *err = NULL;
	_cleanup_free_ char *text = NULL;
	char *cursor, *line;
	struct kd_range range;

	err = kd_sysroot_read(root, "/sys/kernel/kexec/crash_cma_ranges", &text, NULL);
	if (err && err->errnum == ENOENT)
		return NULL;
	if (err)
		return take_ptr(err);
	for (cursor = text; (line = strsep(&cursor, "\n"));)
		if (parse_range(line, &range) && !kd_ranges_add(&map->cma, range.start, range.end))
			return kd_error_nomem();
	return NULL;
}

static struct kd_error *read_firmware_entry(const struct kd_sysroot *root, size_t n, struct memory_map *map)
{
	_cleanup_free_ char *name = NULL;
	enum memory_type type;
	struct kd_error *err;
	uint64_t start, last;

	err = kd_sysroot_read_u64(root, 16, &start, "/sys/firmware/memmap/%zu/start", n);
	if (!err)
		err = kd_sysroot_read_u64(root, 16, &last, "/sys/firmware/memmap/%zu/end", n);
	if (!err)
		err = kd_sysroot_read_line(root, &name, "/sys/firmware/memmap/%zu/type", n);
	if (err)
		return err;
	if (!parse_type(name, &type) || type >= MEMORY_TYPES)
		type = MEMORY_RESERVED;
	if (last == UINT64_MAX || !memory_list_add(&map->firmware, start, last + 1, type))
		return last == UINT64_MAX ? NULL : kd_error_nomem();
	return NULL;
}

/* The entries are numbered without gaps. */
static struct kd_error *read_firmware(const struct kd_sysroot *root, struct memory_map *map)
{
	char path[64];
	size_t n;

	for (n = 0;; n++) {
		struct kd_error *err;

		snprintf(path, sizeof(path), "/sys/firmware/memmap/%zu", n);
		if (!kd_sysroot_exists(root, path))
			break;
		err = read_firmware_entry(root, n, map);
		if (err)
			return err;
	}
	memory_list_sort(&map->firmware);
	return NULL;
}

struct kd_error *memory_map_read(const struct kd_sysroot *root, struct memory_map *ret)
{
	struct memory_map map = { 0 };
	struct kd_error *err;

	err = read_iomem(root, &map);
	if (!err)
		err = read_cma(root, &map);
	if (!err)
		err = read_firmware(root, &map);
	if (err) {
		memory_map_free(&map);
		return kd_error_wrap(err, "cannot read the memory map");
	}
	*ret = map;
	return NULL;
}

void memory_map_free(struct memory_map *map)
{
	memory_list_free(&map->iomem);
	memory_list_free(&map->firmware);
	kd_ranges_free(&map->ram);
	kd_ranges_free(&map->crash);
	kd_ranges_free(&map->cma);
}
