/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF: /proc/vmcore, copies of it, what an earlier filter made of one (-E), and /proc/kcore. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/elf64.h"
#include "dumpfilter/vmcore/elf_format.h"
#include "dumpfilter/vmcore/vmcore_format.h"

/* The kernel stops at 65535 program headers; a tool that writes holes may need more. */
#define PHNUM_MAX    (UINT32_C(1) << 24)
#define LARGEST_PAGE UINT64_C(65536)
#define MAPPING_MAX  (2 * VMCORE_WINDOW_MAX)

/* A range of physical memory and where the file has it. */
struct extent {
	uint64_t paddr;
	uint64_t size;
	uint64_t file_offset;
};

struct elf {
	size_t extent_count;
	struct extent extent[]; /* sorted and disjoint */
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* e_phnum, or the real number behind PN_XNUM, which is in the first section header. */
static struct kd_error *count_program_headers(const struct vmcore *vmcore, const Elf64_Ehdr *ehdr, size_t *ret)
{
	struct kd_error *err;
	Elf64_Shdr shdr;
	uint64_t count = ehdr->e_phnum;

	if (ehdr->e_phnum == PN_XNUM) {
		if (ehdr->e_shoff == 0 || ehdr->e_shentsize != sizeof(shdr))
			return kd_error_create(KD_ERR_FORMAT, "%s: the number of program headers is missing",
					       vmcore->path);
		err = vmcore_read_file(vmcore, ehdr->e_shoff, &shdr, sizeof(shdr), "section header");
		if (err)
			return err;
		count = shdr.sh_info;
	}
	if (count > PHNUM_MAX || count > vmcore->file_size / sizeof(Elf64_Phdr))
		return kd_error_create(KD_ERR_FORMAT, "%s: %lu program headers in a file of %lu bytes", vmcore->path,
				       count, vmcore->file_size);
	*ret = count;
	return NULL;
}

/* How much of [@paddr, @paddr + @size) the file has from @offset on: without a page of which it ends in the middle. */
static uint64_t not_cut_off(const struct vmcore *vmcore, uint64_t paddr, uint64_t offset, uint64_t size)
{
	uint64_t there = offset < vmcore->file_size ? vmcore->file_size - offset : 0, rest;

	if (there >= size)
		return size;
	rest = (paddr + there) % LARGEST_PAGE;
	return there > rest ? there - rest : 0;
}

/* @promised: what the file would hold if it did not end too early. */
static struct kd_error *add_segment(struct vmcore *vmcore, const Elf64_Phdr *phdr, struct kd_ranges *promised)
{
	uint64_t end;

	/* In /proc/kcore some are not memory but mappings of it, which have no physical address. */
	if (phdr->p_memsz == 0 || phdr->p_paddr == UINT64_MAX)
		return NULL;
	if (__builtin_add_overflow(phdr->p_paddr, phdr->p_memsz, &end) || phdr->p_filesz > phdr->p_memsz ||
	    __builtin_add_overflow(phdr->p_offset, phdr->p_filesz, &end) || end > INT64_MAX)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s: PT_LOAD at 0x%lx is impossible: sizes 0x%lx and 0x%lx, offset 0x%lx",
				       vmcore->path, phdr->p_paddr, phdr->p_memsz, phdr->p_filesz, phdr->p_offset);
	vmcore->segment[vmcore->segment_count++] = (struct vmcore_segment){
		.vaddr = phdr->p_vaddr,
		.paddr = phdr->p_paddr,
		.memory_size = phdr->p_memsz,
		.file_size = not_cut_off(vmcore, phdr->p_paddr, phdr->p_offset, phdr->p_filesz),
		.file_offset = phdr->p_offset,
	};
	if (!kd_ranges_add(&vmcore->ram, phdr->p_paddr, phdr->p_paddr + phdr->p_memsz) ||
	    (phdr->p_filesz && !kd_ranges_add(promised, phdr->p_paddr, phdr->p_paddr + phdr->p_filesz)))
		return kd_error_nomem();
	return NULL;
}

static struct kd_error *read_program_headers(struct vmcore *vmcore, const Elf64_Ehdr *ehdr, struct kd_ranges *promised)
{
	struct kd_error *err;
	size_t count = 0;

	err = count_program_headers(vmcore, ehdr, &count);
	if (err)
		return err;
	_cleanup_free_ Elf64_Phdr *phdr = calloc(count ? count : 1, sizeof(*phdr));
	vmcore->segment = calloc(count ? count : 1, sizeof(*vmcore->segment));
	if (!phdr || !vmcore->segment)
		return kd_error_nomem();
	err = vmcore_read_file(vmcore, ehdr->e_phoff, phdr, count * sizeof(*phdr), "program headers");
	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++) {
		if (phdr[i].p_type == PT_NOTE)
			err = vmcore_append_notes(vmcore, phdr[i].p_offset, phdr[i].p_filesz);
		else if (phdr[i].p_type == PT_LOAD)
			err = add_segment(vmcore, &phdr[i], promised);
	}
	if (!err && vmcore->segment_count == 0)
		err = kd_error_create(KD_ERR_FORMAT, "%s holds no memory (no PT_LOAD)", vmcore->path);
	return err;
}

static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->paddr != y->paddr)
		return x->paddr < y->paddr ? -1 : 1;
	return x->size > y->size ? -1 : x->size < y->size;
}

/* Makes sorted disjoint extents of the memory that the file holds. Segments that overlap repeat the same bytes, so any
 * one of them will do: each extent begins where the one before it ended. */
static struct kd_error *build_extents(struct vmcore *vmcore)
{
	uint64_t end = 0;
	struct elf *elf;

	vmcore->data = elf = calloc(1, sizeof(*elf) + vmcore->segment_count * sizeof(elf->extent[0]));
	if (!elf)
		return kd_error_nomem();
	for (size_t i = 0; i < vmcore->segment_count; i++) {
		const struct vmcore_segment *segment = &vmcore->segment[i];

		elf->extent[i] = (struct extent){ segment->paddr, segment->file_size, segment->file_offset };
	}
	qsort(elf->extent, vmcore->segment_count, sizeof(elf->extent[0]), compare_extents);
	for (size_t i = 0; i < vmcore->segment_count; i++) {
		struct extent extent = elf->extent[i];
		uint64_t known = end > extent.paddr ? end - extent.paddr : 0;

		if (known >= extent.size)
			continue;
		extent.paddr += known;
		extent.file_offset += known;
		extent.size -= known;
		end = extent.paddr + extent.size;
		elf->extent[elf->extent_count++] = extent;
		if (!kd_ranges_add(&vmcore->contents, extent.paddr, end))
			return kd_error_nomem();
	}
	return NULL;
}

static struct kd_error *open_elf(struct vmcore *vmcore)
{
	_cleanup_(kd_ranges_free) struct kd_ranges promised = { 0 };
	struct kd_error *err;
	Elf64_Ehdr ehdr;

	err = vmcore_read_file(vmcore, 0, &ehdr, sizeof(ehdr), "ELF header");
	if (!err)
		err = kd_elf64_check_core(&ehdr, vmcore->path);
	if (err)
		return err;
	vmcore->machine = ehdr.e_machine;
	vmcore->origin.incomplete |= ehdr.e_flags & ELF_STATUS_INCOMPLETE;
	err = read_program_headers(vmcore, &ehdr, &promised);
	if (!err)
		err = build_extents(vmcore);
	if (err)
		return err;
	if (!kd_ranges_subtract_all(&promised, &vmcore->contents))
		return kd_error_nomem();
	vmcore->missing = kd_ranges_total(&promised);
	vmcore->first_missing = promised.count ? promised.range[0].start : 0;
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The first extent that ends above @paddr; NULL if there is none. */
static const struct extent *find_extent(const struct vmcore *vmcore, uint64_t paddr)
{
	const struct elf *elf = vmcore->data;
	size_t low = 0, high = elf->extent_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct extent *extent = &elf->extent[middle];

		if (extent->paddr + extent->size > paddr)
			high = middle;
		else
			low = middle + 1;
	}
	return low < elf->extent_count ? &elf->extent[low] : NULL;
}

/* Copy @size bytes; what the file does not hold becomes zeros, and *holes is set. */
static struct kd_error *read_pieces(const struct vmcore *vmcore, uint64_t paddr, uint8_t *buf, size_t size, bool *holes)
{
	while (size > 0) {
		const struct extent *extent = find_extent(vmcore, paddr);
		uint64_t piece;

		if (!extent || extent->paddr > paddr) {
			piece = extent ? extent->paddr - paddr : size;
			if (piece > size)
				piece = size;
			memset(buf, 0, piece);
			*holes = true;
		} else {
			uint64_t inside = paddr - extent->paddr;

			piece = extent->size - inside;
			if (piece > size)
				piece = size;
			struct kd_error *err = vmcore_read_file(vmcore, extent->file_offset + inside, buf, piece,
								"memory");
			if (err)
				return err;
		}
		paddr += piece;
		buf += piece;
		size -= piece;
	}
	return NULL;
}

static void unmap(struct vmcore_window *window)
{
	if (window->map)
		munmap(window->map, window->mapped);
	window->map = NULL;
	window->mapped = 0;
}

/* Move the mapping so that it starts with the (host) page of @offset. It never leads past the end of the file:
 * the kernel refuses that for /proc/vmcore, and touching such a page of another file is fatal. */
static bool move_window(struct vmcore_window *window, uint64_t offset, size_t size)
{
	uint64_t host_page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = offset & ~(host_page - 1);
	uint64_t length = MAPPING_MAX;
	void *map;

	unmap(window);
	if (window->no_mmap || offset + size > window->vmcore->file_size)
		return false;
	if (length > window->vmcore->file_size - start)
		length = window->vmcore->file_size - start;
	map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, window->vmcore->fd, (off_t)start);
	if (map == MAP_FAILED) {
		window->no_mmap = true;
		return false;
	}
	window->file_start = start;
	window->mapped = length;
	window->map = map;
	return true;
}

static struct kd_error *window_get(struct vmcore_window *window, uint64_t paddr, size_t size, void *buf,
				   const uint8_t **ret)
{
	const struct extent *extent = find_extent(window->vmcore, paddr);
	struct kd_error *err;
	bool holes;

	if (extent && extent->paddr <= paddr && size <= extent->size - (paddr - extent->paddr)) {
		uint64_t offset = extent->file_offset + (paddr - extent->paddr);

		if ((window->map && offset >= window->file_start && size <= window->mapped &&
		     offset - window->file_start <= window->mapped - size) ||
		    move_window(window, offset, size)) {
			*ret = window->map + (offset - window->file_start);
			return NULL;
		}
	}
	err = read_pieces(window->vmcore, paddr, buf, size, &holes);
	if (err)
		return err;
	*ret = buf;
	return NULL;
}

static void close_elf(struct vmcore *vmcore)
{
	free(vmcore->data);
	vmcore->data = NULL;
}

const struct vmcore_format vmcore_elf = {
	.name = "ELF",
	.magic = ELFMAG,
	.mapping_max = MAPPING_MAX,
	.open = open_elf,
	.close = close_elf,
	.read = read_pieces,
	.window_get = window_get,
	.window_release = unmap,
};
