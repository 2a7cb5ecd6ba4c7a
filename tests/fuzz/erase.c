/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration of what is erased, resolved in hostile memory. The input: a byte of flags (bit 0: what cannot be found
 * does not matter), the configuration, a NUL, then changes of kallsyms, BTF and data: a byte that says how many bytes, two
 * bytes of offset (in units of 8), and the bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dumpfilter/dump_names.h"
#include "dumpfilter/erase_config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/secrets-testing.h"

#define FIRST KALLSYMS_AT
#define SIZE_OF_ALL (UINT64_C(512) << 10)
/* Where machine_write() puts the memory. */
#define RAM_AT 0x4000u

static struct machine machine;
static uint8_t *memory; /* FIRST, in the file */

static const char *prepare(void)
{
	static char path[64];
	uint8_t *file;
	int fd;

	if (memory)
		return path;
	machine_init(&machine, 4);
	machine_add_secret_types(&machine);
	machine_add_secrets(&machine);
	fd = memfd_create("erase", MFD_CLOEXEC);
	REQUIRE(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	machine_write(&machine, path);
	file = mmap(NULL, RAM_AT + RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(file != MAP_FAILED);
	memory = file + RAM_AT + PHYS(FIRST);
	return path;
}

static void change(const uint8_t *data, size_t size)
{
	memcpy(memory, machine.ram + PHYS(FIRST), SIZE_OF_ALL);
	while (size > 3) {
		size_t length = data[0];
		uint64_t offset = (uint64_t)(data[1] | data[2] << 8) * 8;

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		memcpy(memory + offset, data, length < SIZE_OF_ALL - offset ? length : SIZE_OF_ALL - offset);
		data += length;
		size -= length;
	}
}

static struct kd_error *open_names(void *arg, const char *object, const struct debuginfo **ret)
{
	struct dump_names *names = arg;

	*ret = strcmp(object, "vmlinux") == 0 ? &names->info : NULL;
	return NULL;
}

static void resolve(const struct erase_config *config, bool optional, struct address_space *space)
{
	_cleanup_(dump_names_release) struct dump_names names = { 0 };
	const struct erase_names source = { open_names, &names };
	_cleanup_(erase_release) struct erase erase = { 0 };
	static uint8_t page[4096], copy[4096];

	if (fuzz_error(dump_names_open(&names, space)) ||
	    fuzz_error(erase_config_resolve(config, &source, space, optional, NULL, &erase)))
		return;
	REQUIRE(!erase.count == !erase.info_size);
	for (size_t i = 0; i < erase.count; i++) {
		const struct erase_range *range = &erase.range[i];

		REQUIRE(range->start < range->end && range->start / 4096 == (range->end - 1) / 4096);
		REQUIRE(i == 0 || erase.range[i - 1].start <= range->start);
		REQUIRE(erase_apply(&erase, range->start & ~UINT64_C(4095), page, 4096, copy) == copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = prepare();
	_cleanup_(erase_config_destroy) struct erase_config *config = NULL;
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	_cleanup_(address_space_release) struct address_space space = { 0 };
	_cleanup_free_ char *text = size ? fuzz_text(data + 1, size - 1) : NULL;
	struct vmcoreinfo info;

	if (!text || fuzz_error(erase_config_parse(text, "conf", &config)))
		return 0;
	change(data + 1 + strlen(text), size - 1 - strlen(text));
	REQUIRE(!fuzz_error(vmcore_open(path, &vmcore)));
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	if (!fuzz_error(address_space_init(&space, vmcore, &info, NULL)))
		resolve(config, data[0] & 1, &space);
	return 0;
}
