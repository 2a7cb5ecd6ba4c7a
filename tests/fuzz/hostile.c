/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/hostile.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/elf64.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/dumpfilter-testing.h"

/* Of the machine's 24 MiB only the mem_map and the kernel image are in the file, so that a run takes a millisecond. */
#define MAP_SIZE    (UINT64_C(384) << 10)
#define IMAGE_SIZE  (UINT64_C(1280) << 10)
#define NOTES_AT    0x1000u
#define MAP_AT      0x8000u
#define IMAGE_AT    (MAP_AT + MAP_SIZE)
#define FILE_SIZE   (IMAGE_AT + IMAGE_SIZE)
#define CHANGES_MAX 64u

static struct machine machines[2]; /* 4 and 5 levels */
static uint8_t *file;

/* Where changes go: places in physical memory, but for the last. */
static const struct place {
	uint64_t paddr, size;
} places[] = {
	{ PHYS(ROOT_TABLE), 64 << 10 },
	{ PHYS(SECTIONS), 4096 },
	{ PHYS(SECTION_0), 4096 },
	{ MEM_MAP, MAP_SIZE },
	{ PHYS(UTS_NS), 512 },
	{ PHYS(PRB), 16 << 10 },
	{ PHYS(STEXT), 4096 },
	{ 0, 0 }, /* lines of VMCOREINFO, which win over earlier ones */
};

static const char *prepare(void)
{
	static char path[64];
	int fd;

	if (file)
		return path;
	for (unsigned int i = 0; i < 2; i++) {
		struct machine log;

		machine_init(&machines[i], 4 + i);
		/* The log's memory and keys, from a machine that has one. */
		machine_init_log(&log);
		machine_add_record(&log, 0, 2, 0, 32, "first");
		machine_add_record(&log, 1, 2, 32, 64, "two\nlines");
		memcpy(machines[i].ram + PHYS(PRB), log.ram + PHYS(PRB), 16 << 10);
		machine_info(&machines[i], "%s", strstr(log.info, "SYMBOL(prb)"));
		machine_release(&log);
	}
	fd = memfd_create("hostile", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && ftruncate(fd, FILE_SIZE) == 0);
	file = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(file != MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static uint8_t *in_file(uint64_t paddr)
{
	return paddr < PHYS(STEXT) ? file + MAP_AT + (paddr - MEM_MAP) : file + IMAGE_AT + (paddr - PHYS(STEXT));
}

static uint8_t *put_note(uint8_t *out, const char *name, uint32_t type, const void *desc, size_t size)
{
	Elf64_Nhdr nhdr = { .n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = (uint32_t)size, .n_type = type };

	memcpy(out, &nhdr, sizeof(nhdr));
	out += sizeof(nhdr);
	memset(out, 0, 16);
	memcpy(out, name, strlen(name));
	out += (nhdr.n_namesz + 3) & ~3u;
	memcpy(out, desc, size);
	memset(out + size, 0, 4);
	return out + ((size + 3) & ~(size_t)3);
}

static void put_headers(const char *info, size_t info_size)
{
	uint8_t prstatus[336] = { 0 }, *end;
	uint64_t stack = STEXT + 0x2000;
	Elf64_Phdr phdr[4] = {
		{ .p_type = PT_NOTE, .p_offset = NOTES_AT },
		{ .p_type = PT_LOAD, .p_vaddr = STEXT, .p_paddr = PHYS(STEXT), .p_offset = IMAGE_AT,
		  .p_filesz = IMAGE_SIZE, .p_memsz = IMAGE_SIZE },
		{ .p_type = PT_LOAD, .p_paddr = MEM_MAP, .p_offset = MAP_AT, .p_filesz = MAP_SIZE,
		  .p_memsz = MAP_SIZE },
		{ .p_type = PT_LOAD, .p_paddr = PHYS(STEXT), .p_offset = IMAGE_AT, .p_filesz = IMAGE_SIZE,
		  .p_memsz = IMAGE_SIZE },
	};

	memcpy(prstatus + 264, &stack, sizeof(stack));
	end = put_note(file + NOTES_AT, "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus));
	end = put_note(end, "VMCOREINFO", 0, info, info_size);
	REQUIRE(end <= file + MAP_AT);
	phdr[0].p_filesz = phdr[0].p_memsz = (uint64_t)(end - (file + NOTES_AT));
	kd_elf64_core_header((Elf64_Ehdr *)(void *)file, EM_X86_64, ARRAY_SIZE(phdr));
	memcpy(file + sizeof(Elf64_Ehdr), phdr, sizeof(phdr));
}

void hostile_make(const uint8_t *data, size_t size, struct hostile *ret)
{
	const char *path = prepare();
	uint8_t flags = size ? data[0] : 0;
	const struct machine *machine = &machines[flags >> 5 & 1];
	static char info[16 << 10];
	size_t info_size = strlen(machine->info);

	memcpy(file + MAP_AT, machine->ram + MEM_MAP, MAP_SIZE);
	memcpy(file + IMAGE_AT, machine->ram + PHYS(STEXT), IMAGE_SIZE);
	memcpy(info, machine->info, info_size);
	for (size_t at = 1, i = 0; size > at + 4 && i < CHANGES_MAX; i++) {
		const struct place *place = &places[data[at] % ARRAY_SIZE(places)];
		size_t length = data[at + 1] & 127u;
		uint64_t offset = (uint64_t)(data[at + 2] | data[at + 3] << 8) * 8;

		at += 4;
		if (length > size - at)
			length = size - at;
		if (!place->size && info_size + length < sizeof(info)) {
			memcpy(info + info_size, data + at, length);
			info_size += length;
			info[info_size++] = '\n';
		} else if (place->size) {
			offset %= place->size;
			memcpy(in_file(place->paddr + offset), data + at,
			       length < place->size - offset ? length : place->size - offset);
		}
		at += length;
	}
	put_headers(info, info_size);
	*ret = (struct hostile){ .path = path, .level = flags & 31u };
}
