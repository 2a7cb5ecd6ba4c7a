/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that go into the initramfs: the ELF file alone, and with everything that it needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "initramfs/elf_closure.h"
#include "initramfs/elf_object.h"
#include "tests/fuzz/fuzz.h"

/* A machine with the program, and a library that is a copy of it. */
static const struct kd_sysroot *make_root(const uint8_t *data, size_t size)
{
	static const char *const files[] = { "/bin/program", "/lib/libc.so.6" };
	static struct kd_sysroot root = { .fd = -1 };
	char path[96];

	if (root.fd < 0) {
		snprintf(path, sizeof(path), "%s/bin", fuzz_directory());
		REQUIRE(mkdir(path, 0700) == 0);
		snprintf(path, sizeof(path), "%s/lib", fuzz_directory());
		REQUIRE(mkdir(path, 0700) == 0);
		REQUIRE(!fuzz_error(kd_sysroot_open(fuzz_directory(), &root)));
	}
	for (size_t i = 0; i < 2; i++) {
		FILE *out;

		snprintf(path, sizeof(path), "%s%s", fuzz_directory(), files[i]);
		out = fopen(path, "we");
		REQUIRE(out && fwrite(data, 1, size, out) == size && fclose(out) == 0);
		REQUIRE(chmod(path, 0755) == 0);
	}
	return &root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_object_free) struct elf_object object = { 0 };
	_cleanup_(image_free) struct image *image = NULL;
	_cleanup_(names_free) struct names packed = { 0 };

	if (!fuzz_error(elf_object_parse(data, size, "program", &object)))
		elf_object_accepts(&object, data, size);
	REQUIRE(!fuzz_error(image_new(&image)));
	fuzz_error(elf_closure_add(make_root(data, size), "/bin/program", image, &packed));
	return 0;
}
