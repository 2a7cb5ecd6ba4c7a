/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device trees of boot loaders, edited for the next kernel. */
#include <config.h>

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#ifdef HAVE_FDT
#include <libfdt.h>

#include "kdump/loader/device_tree.h"

static const char seed[136] = "random";
static const struct kd_range usable[] = { { 0x60000000, 0x68000000 }, { 0x50000000, 0x50800000 } };
static const struct device_tree_boot boots[] = {
	{ .cmdline = "root=/dev/vda1 quiet", .initrd = { 0x48000000, 0x48001234 } },
	{ .cmdline = "reset_devices",
	  .initrd = { 0x61000000, 0x61001000 },
	  .elfcorehdr = { 0x62000000, 0x62010000 },
	  .usable = usable,
	  .usable_count = ARRAY_SIZE(usable),
	  .seed = seed,
	  .seed_size = sizeof(seed) },
	{ .cmdline = "" },
};

static int length_of(const void *fdt, const char *property)
{
	int length;

	return fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), property, &length) ? length : 0;
}

/* The next kernel is told this, and nothing of what its predecessor was told. */
static void check(const void *fdt, size_t size, const struct device_tree_boot *boot)
{
	int cells = 4 * (fdt_address_cells(fdt, 0) + fdt_size_cells(fdt, 0)), chosen = fdt_path_offset(fdt, "/chosen");
	bool initrd = boot->initrd.end > 0, elfcorehdr = boot->elfcorehdr.end > 0;
	const char *text = fdt_getprop(fdt, chosen, "bootargs", NULL);

	REQUIRE(fdt_check_full(fdt, size) == 0 && fdt_totalsize(fdt) == size);
	REQUIRE(text && strcmp(text, boot->cmdline) == 0);
	REQUIRE(length_of(fdt, "linux,initrd-start") == (initrd ? 8 : 0));
	REQUIRE(length_of(fdt, "linux,initrd-end") == (initrd ? 8 : 0));
	REQUIRE(length_of(fdt, "linux,elfcorehdr") == (elfcorehdr ? cells : 0));
	REQUIRE(length_of(fdt, "linux,usable-memory-range") == (int)boot->usable_count * cells);
	REQUIRE(length_of(fdt, "kaslr-seed") == (boot->seed ? 8 : 0));
	REQUIRE(length_of(fdt, "rng-seed") == (boot->seed ? 128 : 0));
}

static void edit(const void *data, size_t size, const struct device_tree_boot *boot)
{
	_cleanup_free_ void *first = NULL, *second = NULL;
	size_t first_size, second_size;
	FILE *out;

	if (fuzz_error(device_tree_make("tree", data, size, boot, &first, &first_size)))
		return;
	check(first, first_size, boot);
	out = fopen("/dev/null", "w");
	REQUIRE(out);
	device_tree_print(first, out);
	fclose(out);
	/* A reboot by kexec after the other does not make it grow. */
	REQUIRE(!fuzz_error(device_tree_make("tree", first, first_size, boot, &second, &second_size)));
	check(second, second_size, boot);
	REQUIRE(second_size <= first_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The library wants trees to begin at a multiple of 8 bytes. */
	_cleanup_free_ void *tree = malloc(size ? size : 1);
	const char *method;

	REQUIRE(tree);
	if (size)
		memcpy(tree, data, size);
	method = device_tree_psci_method(tree, size);
	if (method)
		REQUIRE(method > (char *)tree && strlen(method) < size);
	for (size_t i = 0; i < ARRAY_SIZE(boots); i++)
		edit(tree, size, &boots[i]);
	return 0;
}
#else
/* Built without libfdt, there is no editor. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return 0;
}
#endif
