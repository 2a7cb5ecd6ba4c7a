/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel files for the loader. */
#include <stdlib.h>
#include <string.h>

#include "kdump/loader/image.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(kernel_image_free) struct kernel_image image = { 0 };
	void *file = malloc(size ? size : 1);

	REQUIRE(file);
	if (size)
		memcpy(file, data, size);
	if (fuzz_error(kernel_image_parse("vmlinuz", file, size, &image)))
		return 0;
	if (!image.vmlinux.memory)
		REQUIRE(image.load >= image.file && image.load + image.load_size <= image.file + image.file_size);
	REQUIRE(image.load_size > 0 && image.mem_size >= image.load_size && image.entry < image.mem_size);
	REQUIRE(image.align && (image.align & (image.align - 1)) == 0);
	REQUIRE(image.header && !image.initrd.data == !image.initrd.size && !image.ucode.data == !image.ucode.size);
	if (image.vmlinux.memory || fuzz_error(kernel_image_unpack(&image)))
		return 0;
	REQUIRE(image.load_size > 0 && image.load_size <= image.mem_size && image.entry < image.mem_size);
	return 0;
}
