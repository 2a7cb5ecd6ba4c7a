/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/elfcorehdr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/elf64.h"
#include "base/io.h"
#include "base/parse.h"

#define CPU_DIR "/sys/devices/system/cpu"

struct phdrs {
	Elf64_Phdr *phdr;
	size_t count;
};

static void phdrs_free(struct phdrs *p)
{
	free(p->phdr);
}

static inline void phdrs_free_cleanup(struct phdrs *p)
{
	phdrs_free(p);
}

/* The capture kernel reads p_offset as a physical address of the crashed kernel's memory. */
static struct kd_error *phdrs_add(struct phdrs *p, uint32_t type, uint64_t paddr, uint64_t vaddr, uint64_t size)
{
	Elf64_Phdr *grown;

	if (p->count == UINT16_MAX - 1)
		return kd_error_create(KD_ERR_LIMIT, "more than %d memory ranges and CPUs", UINT16_MAX - 1);
	grown = reallocarray(p->phdr, p->count + 1, sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	p->phdr = grown;
	p->phdr[p->count++] = (Elf64_Phdr){
		.p_type = type,
		.p_flags = type == PT_LOAD ? PF_R | PF_W | PF_X : 0,
		.p_offset = paddr,
		.p_paddr = paddr,
		.p_vaddr = vaddr,
		.p_filesz = size,
		.p_memsz = size,
	};
	return NULL;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Numbers of the cpuN directories, ascending. */
static struct kd_error *list_cpus(const struct kd_sysroot *root, uint64_t **ret, size_t *count_ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, CPU_DIR);
	_cleanup_free_ uint64_t *cpus = NULL;
	const char *name;
	size_t count = 0;

	if (!dir)
		return kd_error_os(errno, "%s%s", root->prefix, CPU_DIR);
	while ((name = kd_next_entry(dir))) {
		uint64_t *grown, number;

		if (!kd_starts_with(name, "cpu") || !kd_parse_u64(name + 3, 10, &number))
			continue;
		grown = reallocarray(cpus, count + 1, sizeof(*grown));
		if (!grown)
			return kd_error_nomem();
		cpus = grown;
		cpus[count++] = number;
	}
	if (count)
		qsort(cpus, count, sizeof(*cpus), compare_numbers);
	*ret = take_ptr(cpus);
	*count_ret = count;
	return NULL;
}

static struct kd_error *add_cpu_note(const struct kd_sysroot *root, uint64_t cpu, struct phdrs *phdrs)
{
	uint64_t address, size;
	struct kd_error *err;

	err = kd_sysroot_read_u64(root, 16, &address, CPU_DIR "/cpu%" PRIu64 "/crash_notes", cpu);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	if (!err)
		err = kd_sysroot_read_u64(root, 10, &size, CPU_DIR "/cpu%" PRIu64 "/crash_notes_size", cpu);
	return err ? err : phdrs_add(phdrs, PT_NOTE, address, 0, size);
}

/* "0x<address> <size>", both hex. */
static struct kd_error *add_vmcoreinfo_note(const struct kd_sysroot *root, struct phdrs *phdrs)
{
	_cleanup_free_ char *line = NULL;
	uint64_t address, size;
	struct kd_error *err;
	char *blank;

	err = kd_sysroot_read_line(root, &line, "/sys/kernel/vmcoreinfo");
	if (err)
		return err;
	blank = strchr(line, ' ');
	if (blank)
		*blank = '\0';
	if (!blank || !kd_parse_u64(line, 16, &address) || !kd_parse_u64(blank + 1, 16, &size))
		return kd_error_create(KD_ERR_FORMAT, "/sys/kernel/vmcoreinfo does not hold an address and a size");
	return phdrs_add(phdrs, PT_NOTE, address, 0, size);
}

static struct kd_error *add_notes(const struct kd_sysroot *root, struct phdrs *phdrs)
{
	_cleanup_free_ uint64_t *cpus = NULL;
	struct kd_error *err;
	size_t count = 0, i;

	err = list_cpus(root, &cpus, &count);
	for (i = 0; !err && i < count; i++)
		err = add_cpu_note(root, cpus[i], phdrs);
	if (!err && phdrs->count == 0)
		err = kd_error_create(KD_ERR_NOT_FOUND, "no CPU has " CPU_DIR "/cpuN/crash_notes");
	return err ? err : add_vmcoreinfo_note(root, phdrs);
}

/* The virtual addresses of the running kernel, from the program headers of /proc/kcore. */
struct kernel_map {
	bool has_direct_map, has_image;
	uint64_t direct_map; /* virtual address of physical 0 */
	Elf64_Phdr image;
};

static void learn_phdr(const struct loader_arch *arch, const Elf64_Phdr *phdr, const Elf64_Phdr *table, size_t count,
		       struct kernel_map *map)
{
	/* vmalloc, vmemmap and modules have no physical address. */
	if (phdr->p_type != PT_LOAD || phdr->p_paddr == UINT64_MAX || phdr->p_memsz == 0)
		return;
	if (arch->is_kernel_image(phdr, table, count)) {
		map->image = *phdr;
		map->has_image = true;
	} else if (!map->has_direct_map) {
		map->direct_map = phdr->p_vaddr - phdr->p_paddr;
		map->has_direct_map = true;
	}
}

struct kd_error *elfcorehdr_read_kcore(const struct kd_sysroot *root, Elf64_Phdr **ret, size_t *count_ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, "/proc/kcore", O_RDONLY);
	_cleanup_free_ Elf64_Phdr *phdr = NULL;
	struct kd_error *err;
	Elf64_Ehdr ehdr;
	size_t size;

	errno = EIO; /* for short reads */
	if (fd < 0 || kd_pread_all(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return kd_error_os(errno, "/proc/kcore");
	err = kd_elf64_check_core(&ehdr, "/proc/kcore");
	if (err)
		return err;
	size = ehdr.e_phnum * sizeof(*phdr);
	phdr = malloc(size + 1);
	if (!phdr)
		return kd_error_nomem();
	errno = EIO;
	if (kd_pread_all(fd, phdr, size, ehdr.e_phoff) != (ssize_t)size)
		return kd_error_os(errno, "/proc/kcore");
	*ret = take_ptr(phdr);
	*count_ret = ehdr.e_phnum;
	return NULL;
}

static struct kd_error *read_kernel_map(const struct kd_sysroot *root, const struct loader_arch *arch,
					struct kernel_map *ret)
{
	_cleanup_free_ Elf64_Phdr *phdr = NULL;
	size_t count = 0;
	struct kd_error *err = elfcorehdr_read_kcore(root, &phdr, &count);

	for (size_t i = 0; i < count; i++)
		learn_phdr(arch, &phdr[i], phdr, count, ret);
	return err;
}

/* RAM that the crashed kernel used: without the low memory that it leaves alone and the memory of the capture kernel.
 * */
static bool dumped_ram(const struct loader_arch *arch, const struct memory_map *memory, struct kd_ranges *ret)
{
	_cleanup_(kd_ranges_free) struct kd_ranges gart = { 0 };

	return kd_ranges_copy(&memory->ram, ret) && kd_ranges_clip(ret, arch->low_reserved, UINT64_MAX) &&
	       kd_ranges_subtract_all(ret, &memory->crash) && kd_ranges_subtract_all(ret, &memory->cma) &&
	       memory_list_ranges(&memory->iomem, MEMORY_GART, &gart) && kd_ranges_subtract_all(ret, &gart);
}

static struct kd_error *add_memory(const struct loader_arch *arch, const struct memory_map *memory,
				   const struct kernel_map *map, struct phdrs *phdrs)
{
	_cleanup_(kd_ranges_free) struct kd_ranges ram = { 0 };
	struct kd_error *err = NULL;
	size_t i;

	if (map->has_image)
		err = phdrs_add(phdrs, PT_LOAD, map->image.p_paddr, map->image.p_vaddr, map->image.p_memsz);
	if (!err && !dumped_ram(arch, memory, &ram))
		err = kd_error_nomem();
	for (i = 0; !err && i < ram.count; i++)
		err = phdrs_add(phdrs, PT_LOAD, ram.range[i].start,
				map->has_direct_map ? map->direct_map + ram.range[i].start : 0,
				ram.range[i].end - ram.range[i].start);
	return err;
}

static struct kd_error *assemble(const struct loader_arch *arch, const struct phdrs *phdrs, void **ret,
				 size_t *size_ret)
{
	size_t table = phdrs->count * sizeof(Elf64_Phdr);
	Elf64_Ehdr ehdr;
	char *data;

	data = malloc(sizeof(ehdr) + table);
	if (!data)
		return kd_error_nomem();
	kd_elf64_core_header(&ehdr, arch->machine, phdrs->count);
	memcpy(data, &ehdr, sizeof(ehdr));
	memcpy(data + sizeof(ehdr), phdrs->phdr, table);
	*ret = data;
	*size_ret = sizeof(ehdr) + table;
	return NULL;
}

struct kd_error *elfcorehdr_build(const struct kd_sysroot *root, const struct loader_arch *arch,
				  const struct memory_map *memory, const struct kd_log *log, void **ret,
				  size_t *size_ret)
{
	_cleanup_(phdrs_free) struct phdrs phdrs = { 0 };
	struct kernel_map map = { 0 };
	struct kd_error *err;

	err = add_notes(root, &phdrs);
	if (err)
		return kd_error_wrap(err, "cannot describe the CPUs to the capture kernel");
	err = read_kernel_map(root, arch, &map);
	if (err) {
		/* Only gdb, and dump tools that do not read VMCOREINFO, need them. */
		kd_debug(log, "virtual addresses are left out of the elfcorehdr: %s", err->text);
		kd_error_destroy(err);
	}
	err = add_memory(arch, memory, &map, &phdrs);
	return err ? err : assemble(arch, &phdrs, ret, size_ret);
}
