/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/device_tree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define EDIT_ROOM     4096 /* more than all properties below take, but for the command line and the seed */
#define KASLR_SEED    8
#define PAGE_OF_OLD   4096
#define INITRD_START  "linux,initrd-start"
#define INITRD_END    "linux,initrd-end"
#define ELFCOREHDR    "linux,elfcorehdr"
#define USABLE_MEMORY "linux,usable-memory-range"

/* What was said to the running kernel, and must not be said again. */
static const char *const stale[] = {
	INITRD_START,
	INITRD_END,
	ELFCOREHDR,
	USABLE_MEMORY,
	"bootargs",
	"kaslr-seed",
	"rng-seed",
	"linux,ima-kexec-buffer",
	"linux,kho-fdt",
	"linux,kho-scratch",
	"linux,booted-from-kexec",
};

/* A tree that is being edited. */
struct tree {
	const char *name;
	void *fdt;
	int chosen;
	int address_cells, size_cells;
};

static struct kd_error *explain(const struct tree *tree, int error)
{
	if (error >= 0)
		return NULL;
	return kd_error_create(KD_ERR_FORMAT, "the device tree %s cannot be edited: %s", tree->name,
			       fdt_strerror(error));
}

static bool is_whole(const void *tree, size_t size)
{
	return size >= sizeof(struct fdt_header) && fdt_check_full(tree, size) == 0;
}

/* A number of one or two cells: boot loaders write either. */
static bool read_number(const void *fdt, int node, const char *property, uint64_t *ret)
{
	const uint8_t *value;
	int length;

	value = fdt_getprop(fdt, node, property, &length);
	if (!value || (length != 4 && length != 8))
		return false;
	for (*ret = 0; length; length--)
		*ret = *ret << 8 | *value++;
	return true;
}

/* --- reserved memory ---------------------------------------------------------------------------------------------- */

static bool is_reserved_for(const struct kd_range *range, uint64_t start, uint64_t size)
{
	uint64_t length = range->end - range->start;

	return length && start == range->start &&
	       (size == length || size == ((length + PAGE_OF_OLD - 1) & ~(uint64_t)(PAGE_OF_OLD - 1)));
}

/* Boot loaders reserve the initramfs and some the tree itself, kexec_file_load(2) the elfcorehdr. None is needed once
 * the kernel runs; without this, more memory would be lost with each reboot by kexec. */
static int drop_reservations(void *fdt, uint64_t tree_size, const struct kd_range *initrd,
			     const struct kd_range *elfcorehdr)
{
	int error = 0;

	for (int i = fdt_num_mem_rsv(fdt); i-- > 0 && error == 0;) {
		uint64_t start, size;

		error = fdt_get_mem_rsv(fdt, i, &start, &size);
		if (error == 0 && (is_reserved_for(initrd, start, size) || is_reserved_for(elfcorehdr, start, size) ||
				   size == tree_size))
			error = fdt_del_mem_rsv(fdt, i);
	}
	return error;
}

static int reserve(void *fdt, const struct kd_range *range)
{
	return range->end > range->start ? fdt_add_mem_rsv(fdt, range->start, range->end - range->start) : 0;
}

/* --- /chosen ------------------------------------------------------------------------------------------------------ */

static int find_chosen(void *fdt)
{
	int chosen = fdt_path_offset(fdt, "/chosen");

	return chosen == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, "chosen") : chosen;
}

/* An address and a size, as the root node's cells have them. */
static struct kd_range read_range(const struct tree *tree, const char *property)
{
	uint64_t number[2] = { 0 };
	const uint8_t *value;
	int length;

	value = fdt_getprop(tree->fdt, tree->chosen, property, &length);
	if (!value || length != 4 * (tree->address_cells + tree->size_cells))
		return (struct kd_range){ 0 };
	for (int i = 0; i < length; i++) {
		uint64_t *to = &number[i >= 4 * tree->address_cells];

		*to = *to << 8 | value[i];
	}
	return (struct kd_range){ number[0], number[0] + number[1] };
}

/* Forget the running kernel's boot. */
static int clear_chosen(struct tree *tree)
{
	struct kd_range initrd = { 0 }, elfcorehdr = read_range(tree, ELFCOREHDR);
	int error;

	if (!read_number(tree->fdt, tree->chosen, INITRD_START, &initrd.start) ||
	    !read_number(tree->fdt, tree->chosen, INITRD_END, &initrd.end) || initrd.end < initrd.start)
		initrd = (struct kd_range){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(stale); i++) {
		/* Nothing keeps a boot loader from saying something twice. */
		do
			error = fdt_delprop(tree->fdt, tree->chosen, stale[i]);
		while (error == 0);
		if (error != -FDT_ERR_NOTFOUND)
			return error;
	}
	return drop_reservations(tree->fdt, fdt_totalsize(tree->fdt), &initrd, &elfcorehdr);
}

/* libfdt and the kernel differ in what they assume where the root node does not say how long addresses are. */
static struct kd_error *learn_cells(struct tree *tree)
{
	int error = 0;

	if (!fdt_getprop(tree->fdt, 0, "#address-cells", NULL))
		error = fdt_setprop_u32(tree->fdt, 0, "#address-cells", 2);
	if (error == 0 && !fdt_getprop(tree->fdt, 0, "#size-cells", NULL))
		error = fdt_setprop_u32(tree->fdt, 0, "#size-cells", 2);
	if (error < 0)
		return explain(tree, error);
	tree->address_cells = fdt_address_cells(tree->fdt, 0);
	tree->size_cells = fdt_size_cells(tree->fdt, 0);
	if (tree->address_cells < 1 || tree->address_cells > 2 || tree->size_cells < 1 || tree->size_cells > 2)
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"the device tree %s has addresses of %d cells and sizes of %d; 1 and 2 are known", tree->name,
			tree->address_cells, tree->size_cells);
	return NULL;
}

/* False: it does not fit. */
static bool put_cells(uint8_t **to, uint64_t value, int cells)
{
	for (int shift = cells * 32; shift > 0;) {
		shift -= 8;
		*(*to)++ = (uint8_t)(value >> shift);
	}
	return cells == 2 || value <= UINT32_MAX;
}

static struct kd_error *append_range(const struct tree *tree, const char *property, const struct kd_range *range)
{
	uint8_t cells[16], *end = cells;

	if (!put_cells(&end, range->start, tree->address_cells) ||
	    !put_cells(&end, range->end - range->start, tree->size_cells))
		return kd_error_create(
			KD_ERR_LIMIT,
			"the device tree %s has addresses of 32 bits, and cannot name memory at 0x%" PRIx64, tree->name,
			range->start);
	return explain(tree, fdt_appendprop(tree->fdt, tree->chosen, property, cells, (int)(end - cells)));
}

static int set_initrd(const struct tree *tree, const struct kd_range *initrd)
{
	int error;

	if (initrd->end == initrd->start)
		return 0;
	error = fdt_setprop_u64(tree->fdt, tree->chosen, INITRD_START, initrd->start);
	return error < 0 ? error : fdt_setprop_u64(tree->fdt, tree->chosen, INITRD_END, initrd->end);
}

static int set_seed(const struct tree *tree, const struct device_tree_boot *boot)
{
	int error;

	if (!boot->seed || boot->seed_size <= KASLR_SEED)
		return 0;
	error = fdt_setprop(tree->fdt, tree->chosen, "kaslr-seed", boot->seed, KASLR_SEED);
	if (error < 0)
		return error;
	return fdt_setprop(tree->fdt, tree->chosen, "rng-seed", (const char *)boot->seed + KASLR_SEED,
			   (int)boot->seed_size - KASLR_SEED);
}

static struct kd_error *set_memory(const struct tree *tree, const struct device_tree_boot *boot)
{
	struct kd_error *err = NULL;

	if (boot->elfcorehdr.end > boot->elfcorehdr.start)
		err = append_range(tree, ELFCOREHDR, &boot->elfcorehdr);
	for (size_t i = 0; !err && i < boot->usable_count; i++)
		err = append_range(tree, USABLE_MEMORY, &boot->usable[i]);
	return err;
}

static struct kd_error *fill_chosen(const struct tree *tree, const struct device_tree_boot *boot)
{
	int error;

	error = fdt_setprop_string(tree->fdt, tree->chosen, "bootargs", boot->cmdline);
	if (error == 0)
		error = set_initrd(tree, &boot->initrd);
	if (error == 0)
		error = set_seed(tree, boot);
	if (error == 0)
		error = fdt_setprop_empty(tree->fdt, tree->chosen, "linux,booted-from-kexec");
	return error < 0 ? explain(tree, error) : set_memory(tree, boot);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

static struct kd_error *edit(struct tree *tree, const struct device_tree_boot *boot)
{
	struct kd_error *err;

	err = learn_cells(tree);
	if (err)
		return err;
	tree->chosen = find_chosen(tree->fdt);
	if (tree->chosen < 0)
		return explain(tree, tree->chosen);
	err = explain(tree, clear_chosen(tree));
	if (err)
		return err;
	/* What was reserved stands in front of the nodes: it has moved them. */
	tree->chosen = find_chosen(tree->fdt);
	err = fill_chosen(tree, boot);
	/* The elfcorehdr is reserved by the kernel itself, which complains if it has been already. */
	if (!err)
		err = explain(tree, reserve(tree->fdt, &boot->initrd));
	return err ? err : explain(tree, fdt_pack(tree->fdt));
}

struct kd_error *device_tree_make(const char *name, const void *old, size_t old_size,
				  const struct device_tree_boot *boot, void **ret, size_t *size_ret)
{
	_cleanup_free_ void *fdt = NULL;
	struct tree tree = { .name = name };
	struct kd_error *err;
	size_t size;

	if (!is_whole(old, old_size))
		return kd_error_create(KD_ERR_FORMAT, "%s is not a flattened device tree, or is truncated or damaged",
				       name);
	size = fdt_totalsize(old) + strlen(boot->cmdline) + boot->seed_size + boot->usable_count * 16 + EDIT_ROOM;
	if (size > INT32_MAX)
		return kd_error_create(KD_ERR_LIMIT, "the device tree %s is too large: %zu bytes", name, size);
	tree.fdt = fdt = calloc(1, size);
	if (!fdt)
		return kd_error_nomem();
	err = explain(&tree, fdt_open_into(old, fdt, (int)size));
	if (!err)
		err = edit(&tree, boot);
	if (err)
		return err;
	*size_ret = fdt_totalsize(fdt);
	*ret = take_ptr(fdt);
	return NULL;
}

const char *device_tree_psci_method(const void *tree, size_t size)
{
	static const char *const kinds[] = { "arm,psci-1.0", "arm,psci-0.2" }; /* the older one cannot reset */

	for (size_t i = 0; is_whole(tree, size) && i < ARRAY_SIZE(kinds); i++) {
		int node = fdt_node_offset_by_compatible(tree, -1, kinds[i]), length;
		const char *method = node >= 0 ? fdt_getprop(tree, node, "method", &length) : NULL;

		if (method && length > 0 && method[length - 1] == '\0')
			return method;
	}
	return NULL;
}

static void print_property(const void *fdt, int offset, FILE *out)
{
	const char *name;
	const uint8_t *value;
	int length;

	value = fdt_getprop_by_offset(fdt, offset, &name, &length);
	if (!value || strcmp(name, "bootargs") == 0)
		return;
	if (strcmp(name, "kaslr-seed") == 0 || strcmp(name, "rng-seed") == 0) {
		fprintf(out, "  %s: %d random bytes\n", name, length);
		return;
	}
	fprintf(out, "  %s", name);
	for (int i = 0; i < length; i++)
		fprintf(out, "%s%02x", i % 8 ? "" : " 0x", value[i]);
	fputc('\n', out);
}

void device_tree_print(const void *tree, FILE *out)
{
	int chosen = fdt_path_offset(tree, "/chosen"), offset;

	fprintf(out, "device tree, %" PRIu32 " bytes, /chosen:\n", (uint32_t)fdt_totalsize(tree));
	fdt_for_each_property_offset(offset, tree, chosen) print_property(tree, offset, out);
	for (int i = 0; i < fdt_num_mem_rsv(tree); i++) {
		uint64_t start, size;

		if (fdt_get_mem_rsv(tree, i, &start, &size) == 0)
			fprintf(out, "  reserved 0x%012" PRIx64 "-0x%012" PRIx64 "\n", start, start + size);
	}
}
