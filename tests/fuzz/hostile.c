/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/hostile.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/elf64.h"
#include "base/io.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/dumpfilter/aarch64-testing.h"
#include "tests/unit/dumpfilter/debuginfo-testing.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"

#define CHANGES_MAX 64u
#define PLACES_MAX  12u
#define FILE_MAX    (UINT64_C(3) << 20)
#define INFO_MAX    (16u << 10)

/* Of the x86_64 machine's 24 MiB only the mem_map and the kernel image are in the file, so that a run takes a
 * millisecond. */
#define MAP_SIZE   (UINT64_C(384) << 10)
#define IMAGE_SIZE (UINT64_C(1728) << 10)
#define NOTES_AT   0x1000u
#define MAP_AT     0x8000u
#define IMAGE_AT   (MAP_AT + MAP_SIZE)

/* A sound vmcore, and where it may be changed: offsets in the file; a place without size is VMCOREINFO, to which lines
 * are added that win over the earlier ones. */
struct template
{
	uint8_t *file;
	uint64_t size;
	uint64_t notes_at, notes_end;
	uint8_t prstatus[392];
	size_t prstatus_size;
	char info[INFO_MAX];
	unsigned int place_count;
	struct place {
		uint64_t offset, size;
	} place[PLACES_MAX];
};

static struct template templates[4]; /* x86_64 with 4 and 5 levels, aarch64, x86_64 with names */

/* A file of the x86_64 machine's @vaddr. */
static uint64_t image_offset(uint64_t vaddr)
{
	return IMAGE_AT + (vaddr - STEXT);
}

/* struct item { char *text; struct item *next; struct list_head { next, prev } list; char name[16]; u64 number; }: one,
 * two and an array of both, in kallsyms and BTF. */
static void add_names(struct machine *machine)
{
	const uint64_t one = DATA_AT, two = DATA_AT + 0x40, array = DATA_AT + 0x100, text = DATA_AT + 0x200;
	/* Where the heap for booting ends, how many CPUs there are, and how far their memory lies from its template. */
	const uint64_t brk_end = DATA_AT + 0x308, percpu = STEXT + 0x68000;
	uint32_t number, character, list_ptr, list, chars, string, next, item, items;
	struct btf_builder b;
	uint8_t *data;
	size_t size;

	btf_begin(&b, 0, 0);
	number = btf_type(&b, "long unsigned int", KIND_INT, 0, 8);
	btf_words(&b, 64, 0, 0, 1);
	character = btf_type(&b, "char", KIND_INT, 0, 1);
	btf_words(&b, 8, 0, 0, 1);
	list_ptr = btf_type(&b, NULL, KIND_PTR, 0, b.types + 2);
	list = btf_type(&b, "list_head", KIND_STRUCT, 2, 16);
	btf_member(&b, "next", list_ptr, 0);
	btf_member(&b, "prev", list_ptr, 64);
	chars = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, character, number, 16, 3);
	string = btf_type(&b, NULL, KIND_PTR, 0, character);
	next = btf_type(&b, NULL, KIND_PTR, 0, b.types + 2);
	item = btf_type(&b, "item", KIND_STRUCT, 5, 56);
	btf_member(&b, "text", string, 0);
	btf_member(&b, "next", next, 64);
	btf_member(&b, "list", list, 128);
	btf_member(&b, "name", chars, 256);
	btf_member(&b, "number", number, 384);
	items = btf_type(&b, NULL, KIND_ARRAY, 0, 0);
	btf_words(&b, item, number, 2, 3);
	btf_type(&b, "one", KIND_VAR, 0, item);
	btf_words(&b, 1, 0, 0, 1);
	btf_type(&b, "array", KIND_VAR, 0, items);
	btf_words(&b, 1, 0, 0, 1);
	data = btf_finish(&b, &size);
	memcpy(machine->ram + PHYS(BTF_AT), data, size);
	free(data);

	/* clang-format off */
	const struct test_symbol symbol[] = {
		{ "T_stext", STEXT },   { "Done", one },  { "Dtwo", two },
		{ "darray", array },    { "dlist", one + 16 }, { "R__start_BTF", BTF_AT },
		{ "R__stop_BTF", BTF_AT + size },
		{ "T_etext", STEXT + 0x10000 }, { "R__start_rodata", STEXT + 0x20000 }, { "R__end_rodata", STEXT + 0x40000 },
		{ "D_sdata", STEXT + 0x50000 }, { "T__init_begin", STEXT + 0x60000 }, { "T__init_end", STEXT + 0x70000 },
		{ "B_end", STEXT + IMAGE_SIZE }, { "D_brk_end", brk_end }, { "D__per_cpu_start", percpu },
		{ "D__per_cpu_end", percpu + 0x1000 }, { "D__per_cpu_offset", brk_end + 16 }, { "Dnr_cpu_ids", brk_end + 8 },
	};
	/* clang-format on */
	machine_kallsyms(machine, symbol, ARRAY_SIZE(symbol), RULE_BASE_RELATIVE);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t self = one + i * 0x40, other = one + !i * 0x40;

		machine_put(machine, PHYS(self), text, 8);
		machine_put(machine, PHYS(self + 8), i ? 0 : other, 8);
		machine_put(machine, PHYS(self + 16), other + 16, 8);
		machine_put(machine, PHYS(self + 24), other + 16, 8);
		machine_put(machine, PHYS(self + 48), 24, 8);
		machine_put(machine, PHYS(array + i * 56), text, 8);
	}
	memcpy(machine->ram + PHYS(text), "a secret", 9);
	machine_put(machine, PHYS(brk_end), STEXT + IMAGE_SIZE - 0x8000, 8);
	machine_put(machine, PHYS(brk_end + 8), 2, 4);
	machine_put(machine, PHYS(brk_end + 16), 0x10000, 8);
	machine_put(machine, PHYS(brk_end + 24), 0x20000, 8);
}

static void make_x86_64(struct template *template, unsigned int levels, bool names)
{
	const struct place places[] = {
		{ image_offset(ROOT_TABLE), 64 << 10 }, { image_offset(SECTIONS), 4096 },
		{ image_offset(SECTION_0), 4096 },      { MAP_AT, MAP_SIZE },
		{ image_offset(UTS_NS), 512 },          { image_offset(PRB), 16 << 10 },
		{ image_offset(STEXT), 4096 },          { 0, 0 },
		{ image_offset(KALLSYMS_AT), 8192 },    { image_offset(BTF_AT), 4096 },
		{ image_offset(DATA_AT), 4096 },
	};
	const Elf64_Phdr phdr[] = {
		{ .p_type = PT_NOTE, .p_offset = NOTES_AT },
		{ .p_type = PT_LOAD,
		  .p_vaddr = STEXT,
		  .p_paddr = PHYS(STEXT),
		  .p_offset = IMAGE_AT,
		  .p_filesz = IMAGE_SIZE,
		  .p_memsz = IMAGE_SIZE },
		{ .p_type = PT_LOAD,
		  .p_paddr = MEM_MAP,
		  .p_offset = MAP_AT,
		  .p_filesz = MAP_SIZE,
		  .p_memsz = MAP_SIZE },
		{ .p_type = PT_LOAD,
		  .p_paddr = PHYS(STEXT),
		  .p_offset = IMAGE_AT,
		  .p_filesz = IMAGE_SIZE,
		  .p_memsz = IMAGE_SIZE },
	};
	const uint64_t stack = STEXT + 0x2000;
	struct machine machine, log;

	machine_init(&machine, levels);
	if (names)
		add_names(&machine);
	/* The log's memory and keys, from a machine that has one. */
	machine_init_log(&log);
	machine_add_record(&log, 0, 2, 0, 32, "first");
	machine_add_record(&log, 1, 2, 32, 64, "two\nlines");
	memcpy(machine.ram + PHYS(PRB), log.ram + PHYS(PRB), 16 << 10);
	snprintf(template->info, sizeof(template->info), "%s%s", machine.info, strstr(log.info, "SYMBOL(prb)"));
	machine_release(&log);

	template->size = IMAGE_AT + IMAGE_SIZE;
	template->file = calloc(1, template->size);
	REQUIRE(template->file);
	kd_elf64_core_header((Elf64_Ehdr *)(void *)template->file, EM_X86_64, ARRAY_SIZE(phdr));
	memcpy(template->file + sizeof(Elf64_Ehdr), phdr, sizeof(phdr));
	memcpy(template->file + MAP_AT, machine.ram + MEM_MAP, MAP_SIZE);
	memcpy(template->file + IMAGE_AT, machine.ram + PHYS(STEXT), IMAGE_SIZE);
	machine_release(&machine);
	template->notes_at = NOTES_AT;
	template->notes_end = MAP_AT;
	template->prstatus_size = 336;
	memcpy(template->prstatus + 264, &stack, sizeof(stack));
	memcpy(template->place, places, sizeof(places));
	template->place_count = ARRAY_SIZE(places) - (names ? 0 : 3);
}

static void make_aarch64(struct template *template)
{
	const uint64_t stack = ARM_STACK + 0x100;
	char path[64];
	struct stat st;
	struct arm arm;
	int fd;

	snprintf(path, sizeof(path), "%s/arm", fuzz_directory());
	arm_init_mem_map(&arm);
	arm_write(&arm, path, true, stack);
	snprintf(template->info, sizeof(template->info), "%s", arm.info);
	arm_release(&arm);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
	template->size = (uint64_t)st.st_size;
	template->file = malloc(template->size);
	REQUIRE(template->file && kd_pread_all(fd, template->file, template->size, 0) == st.st_size);
	close(fd);
	unlink(path);
	template->notes_at = ARM_NOTES_AT;
	template->notes_end = ARM_DATA_AT;
	template->prstatus_size = 392;
	memcpy(template->prstatus + 112 + 31 * 8, &stack, sizeof(stack));
	template->place[0] = (struct place){ ARM_DATA_AT, template->size - ARM_DATA_AT };
	template->place_count = 2;
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

static void put_notes(const struct template *template, uint8_t *file, const char *info, size_t info_size)
{
	Elf64_Phdr *phdr = (Elf64_Phdr *)(void *)(file + sizeof(Elf64_Ehdr));
	uint8_t *end = put_note(file + template->notes_at, "CORE", NT_PRSTATUS, template->prstatus,
				template->prstatus_size);

	end = put_note(end, "VMCOREINFO", 0, info, info_size);
	REQUIRE(end <= file + template->notes_end);
	phdr->p_filesz = phdr->p_memsz = (uint64_t)(end - (file + template->notes_at));
}

/* The file that is filtered, of the size of any template. */
static uint8_t *open_file(const char **path_ret, int *fd_ret)
{
	static uint8_t *file;
	static char path[64];
	static int fd;

	if (!file) {
		make_x86_64(&templates[0], 4, false);
		make_x86_64(&templates[1], 5, false);
		make_aarch64(&templates[2]);
		make_x86_64(&templates[3], 4, true);
		fd = memfd_create("hostile", MFD_CLOEXEC);
		REQUIRE(fd >= 0 && ftruncate(fd, FILE_MAX) == 0);
		file = mmap(NULL, FILE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		REQUIRE(file != MAP_FAILED);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	*path_ret = path;
	*fd_ret = fd;
	return file;
}

void hostile_make(const uint8_t *data, size_t size, struct hostile *ret)
{
	static char info[INFO_MAX];
	uint8_t flags = size ? data[0] : 0;
	const char *path;
	int fd;
	uint8_t *file = open_file(&path, &fd);
	const struct template *template = &templates[flags & 128 ? 3 : flags & 64 ? 2 : flags >> 5 & 1];
	size_t info_size = strlen(template->info);

	REQUIRE(template->size <= FILE_MAX && ftruncate(fd, (off_t) template->size) == 0);
	memcpy(file, template->file, template->size);
	memcpy(info, template->info, info_size);
	for (size_t at = 1, i = 0; size > at + 4 && i < CHANGES_MAX; i++) {
		const struct place *place = &template->place[data[at] % template->place_count];
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
			memcpy(file + place->offset + offset, data + at,
			       length < place->size - offset ? length : place->size - offset);
		}
		at += length;
	}
	put_notes(template, file, info, info_size);
	*ret = (struct hostile){ .path = path, .level = flags & 31u };
}
