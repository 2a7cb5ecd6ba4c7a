/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/vmcore/vmcore_format.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/elf64.h"
#include "base/io.h"

/* The kernel stops at 65535 program headers; a tool that writes holes may need more. */
#define PHNUM_MAX      (UINT32_C(1) << 24)
#define LARGEST_PAGE   UINT64_C(65536)
#define MAPPING_MAX    (2 * VMCORE_WINDOW_MAX)
#define ELF_INCOMPLETE 0x1u /* e_flags, as makedumpfile -E sets it */

static ssize_t read_in_turn(const struct vmcore *vmcore, void *buf, size_t size, uint64_t offset)
{
	ssize_t done;

	if (vmcore->turn)
		pthread_mutex_lock(vmcore->turn);
	done = kd_pread_all(vmcore->fd, buf, size, (off_t)offset);
	if (vmcore->turn)
		pthread_mutex_unlock(vmcore->turn);
	return done;
}

struct kd_error *vmcore_read_file(const struct vmcore *vmcore, uint64_t offset, void *buf, size_t size,
				  const char *what)
{
	ssize_t done;

	if (offset > INT64_MAX - size)
		return kd_error_create(KD_ERR_FORMAT, "%s: %s at offset 0x%lx: beyond any file", vmcore->path, what,
				       offset);
	if (vmcore->layer_read)
		done = vmcore->layer_read(vmcore, buf, size, offset);
	else
		done = read_in_turn(vmcore, buf, size, offset);
	if (done < 0)
		return kd_error_os(errno, "%s: %s at offset 0x%lx", vmcore->path, what, offset);
	if ((size_t)done != size)
		return kd_error_create(KD_ERR_FORMAT, "%s: the file ends within %s at offset 0x%lx", vmcore->path, what,
				       offset);
	return NULL;
}

/* e_phnum, or the real number behind PN_XNUM, which is in the first section header. */
static struct kd_error *count_program_headers(const struct vmcore *vmcore, const Elf64_Ehdr *ehdr, size_t *ret)
{
	struct kd_error *err;
	Elf64_Shdr shdr;
	uint64_t count = ehdr->e_phnum;

	if (ehdr->e_phnum == PN_XNUM) {
		if (ehdr->e_shoff == 0 || ehdr->e_shentsize != sizeof(shdr))
			return kd_error_create(KD_ERR_FORMAT, "%s: number of program headers is missing", vmcore->path);
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

static void set_notes_problem(struct vmcore *vmcore, struct kd_error *err)
{
	if (vmcore->notes_problem)
		kd_error_destroy(err);
	else
		vmcore->notes_problem = err;
}

struct kd_error *vmcore_append_notes(struct vmcore *vmcore, uint64_t offset, uint64_t size)
{
	uint8_t *notes;

	if (size > VMCORE_NOTES_MAX - vmcore->notes_size)
		return kd_error_create(KD_ERR_LIMIT, "%s: more than %lu bytes of notes", vmcore->path,
				       VMCORE_NOTES_MAX);
	if (size == 0)
		return NULL;
	notes = realloc(vmcore->notes, vmcore->notes_size + size);
	if (!notes)
		return kd_error_nomem();
	vmcore->notes = notes;
	struct kd_error *err = vmcore_read_file(vmcore, offset, notes + vmcore->notes_size, size, "notes");
	if (err && err->code == KD_ERR_OS) {
		set_notes_problem(vmcore, kd_error_os(err->errnum, "the notes of %s (at offset 0x%lx) cannot be read",
						      vmcore->path, offset));
		kd_error_destroy(err);
		return NULL;
	}
	if (err)
		return err;
	vmcore->notes_size += size;
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

	/* In /proc/kcore some are no memory but mappings of it, which have no physical address. */
	if (phdr->p_memsz == 0 || phdr->p_paddr == UINT64_MAX)
		return NULL;
	if (__builtin_add_overflow(phdr->p_paddr, phdr->p_memsz, &end) || phdr->p_filesz > phdr->p_memsz ||
	    __builtin_add_overflow(phdr->p_offset, phdr->p_filesz, &end) || end > INT64_MAX)
		return kd_error_create(KD_ERR_FORMAT, "%s: PT_LOAD at 0x%lx: sizes 0x%lx and 0x%lx, offset 0x%lx",
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
		err = kd_error_create(KD_ERR_FORMAT, "%s: no memory in it (no PT_LOAD)", vmcore->path);
	return err;
}

static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->paddr != y->paddr)
		return x->paddr < y->paddr ? -1 : 1;
	return x->size > y->size ? -1 : x->size < y->size;
}

/* What the file holds, as sorted disjoint extents. Segments that overlap repeat the same bytes, so any one of them
 * will do: each extent begins where the one before it ended. */
static struct kd_error *build_extents(struct vmcore *vmcore)
{
	uint64_t end = 0;
	size_t count = 0;

	vmcore->extent = calloc(vmcore->segment_count, sizeof(*vmcore->extent));
	if (!vmcore->extent)
		return kd_error_nomem();
	for (size_t i = 0; i < vmcore->segment_count; i++) {
		const struct vmcore_segment *segment = &vmcore->segment[i];

		vmcore->extent[i] = (struct extent){ segment->paddr, segment->file_size, segment->file_offset };
	}
	qsort(vmcore->extent, vmcore->segment_count, sizeof(*vmcore->extent), compare_extents);
	for (size_t i = 0; i < vmcore->segment_count; i++) {
		struct extent extent = vmcore->extent[i];
		uint64_t known = end > extent.paddr ? end - extent.paddr : 0;

		if (known >= extent.size)
			continue;
		extent.paddr += known;
		extent.file_offset += known;
		extent.size -= known;
		end = extent.paddr + extent.size;
		vmcore->extent[count++] = extent;
		if (!kd_ranges_add(&vmcore->contents, extent.paddr, end))
			return kd_error_nomem();
	}
	vmcore->extent_count = count;
	return NULL;
}

/* Nobody finds a note behind one whose size leads out of the notes, so what is there ends at @offset. */
static void cut_bad_notes(struct vmcore *vmcore, size_t offset)
{
	Elf64_Nhdr nhdr;

	if (offset > vmcore->notes_size || vmcore->notes_size - offset < sizeof(nhdr))
		return;
	memcpy(&nhdr, vmcore->notes + offset, sizeof(nhdr));
	if (!nhdr.n_namesz && !nhdr.n_descsz)
		return;
	set_notes_problem(vmcore,
			  kd_error_create(KD_ERR_FORMAT,
					  "the notes of %s cannot be read: the one at byte 0x%zx is larger than what "
					  "is left of them",
					  vmcore->path, offset));
	vmcore->notes_size = offset;
}

static void parse_notes(struct vmcore *vmcore)
{
	struct kd_elf64_note note;
	size_t offset = 0;

	while (kd_elf64_next_note(vmcore->notes, vmcore->notes_size, &offset, &note)) {
		if (kd_elf64_note_is(&note, "CORE") && note.type == NT_PRSTATUS) {
			vmcore->cpu_count++;
		} else if (kd_elf64_note_is(&note, "VMCOREINFO")) {
			vmcore->vmcoreinfo = (const char *)note.desc;
			vmcore->vmcoreinfo_size = note.desc_size;
		} else if (kd_elf64_note_is(&note, "Xen") || kd_elf64_note_is(&note, "VMCOREINFO_XEN")) {
			vmcore->xen = true;
		}
	}
	cut_bad_notes(vmcore, offset);
}

static struct kd_error *read_headers(struct vmcore *vmcore)
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
	vmcore->origin.incomplete |= ehdr.e_flags & ELF_INCOMPLETE;
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

static bool has_magic(const struct vmcore_format *format, const void *head)
{
	return memcmp(head, format->magic, strlen(format->magic)) == 0;
}

const struct vmcore_format *vmcore_find_format(const void *head)
{
	for (size_t i = 0; vmcore_formats[i]; i++)
		if (has_magic(vmcore_formats[i], head))
			return vmcore_formats[i];
	return NULL;
}

static bool is_kcore(const struct stat *st)
{
	struct stat kcore;

	return stat("/proc/kcore", &kcore) == 0 && kcore.st_dev == st->st_dev && kcore.st_ino == st->st_ino;
}

static struct kd_error *open_format(struct vmcore *vmcore)
{
	char head[16] = "";
	struct statfs fs;
	struct stat st;
	struct kd_error *err;

	if (fstat(vmcore->fd, &st) < 0)
		return kd_error_os(errno, "%s", vmcore->path);
	vmcore->file_size = (uint64_t)st.st_size;
	vmcore->is_proc = fstatfs(vmcore->fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
	if (is_kcore(&st)) {
		vmcore->turn = malloc(sizeof(*vmcore->turn));
		if (!vmcore->turn)
			return kd_error_nomem();
		pthread_mutex_init(vmcore->turn, NULL);
	}
	vmcore->in_memory = vmcore->is_proc || (fstatfs(vmcore->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC);
	if (kd_pread_all(vmcore->fd, head, sizeof(head), 0) < 0)
		return kd_error_os(errno, "%s", vmcore->path);
	vmcore->format = vmcore_find_format(head);
	if (!vmcore->format) /* its reader says what is wrong */
		vmcore->format = &vmcore_elf;
	err = vmcore->format->open(vmcore);
	if (err)
		return err;
	vmcore->origin.format = vmcore->format->name;
	parse_notes(vmcore);
	return NULL;
}

struct kd_error *vmcore_open(const char *path, struct vmcore **ret)
{
	struct kd_error *err;

	_cleanup_(vmcore_close) struct vmcore *vmcore = calloc(1, sizeof(*vmcore));
	if (!vmcore)
		return kd_error_nomem();
	vmcore->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (vmcore->fd < 0)
		return kd_error_os(errno, "%s", path);
	vmcore->path = strdup(path);
	if (!vmcore->path)
		return kd_error_nomem();
	err = open_format(vmcore);
	if (err)
		return err;
	*ret = take_ptr(vmcore);
	return NULL;
}

void vmcore_close(struct vmcore *vmcore)
{
	if (!vmcore)
		return;
	if (vmcore->format && vmcore->format->close)
		vmcore->format->close(vmcore);
	if (vmcore->layer)
		vmcore->layer_close(vmcore->layer);
	if (vmcore->fd >= 0)
		close(vmcore->fd);
	kd_ranges_free(&vmcore->ram);
	kd_ranges_free(&vmcore->contents);
	free(vmcore->turn);
	free(vmcore->path);
	free(vmcore->segment);
	free(vmcore->extent);
	free(vmcore->notes);
	kd_error_destroy(vmcore->notes_problem);
	free(vmcore);
}

const char *vmcore_path(const struct vmcore *vmcore)
{
	return vmcore->path;
}

const struct vmcore_origin *vmcore_origin(const struct vmcore *vmcore)
{
	return &vmcore->origin;
}

uint16_t vmcore_machine(const struct vmcore *vmcore)
{
	return vmcore->machine;
}

bool vmcore_in_memory(const struct vmcore *vmcore)
{
	return vmcore->in_memory;
}

uint64_t vmcore_window_memory(const struct vmcore *vmcore)
{
	return vmcore->in_memory && !vmcore->is_proc && vmcore->format == &vmcore_elf ? MAPPING_MAX : 0;
}

const struct vmcore_segment *vmcore_segments(const struct vmcore *vmcore, size_t *count_ret)
{
	*count_ret = vmcore->segment_count;
	return vmcore->segment;
}

const struct kd_ranges *vmcore_ram(const struct vmcore *vmcore)
{
	return &vmcore->ram;
}

const struct kd_ranges *vmcore_contents(const struct vmcore *vmcore)
{
	return &vmcore->contents;
}

uint64_t vmcore_missing(const struct vmcore *vmcore)
{
	return vmcore->missing;
}

uint64_t vmcore_first_missing(const struct vmcore *vmcore)
{
	return vmcore->first_missing;
}

uint64_t vmcore_end_paddr(const struct vmcore *vmcore)
{
	return vmcore->ram.range[vmcore->ram.count - 1].end;
}

const void *vmcore_notes(const struct vmcore *vmcore, size_t *size_ret)
{
	*size_ret = vmcore->notes_size;
	return vmcore->notes;
}

const struct kd_error *vmcore_notes_problem(const struct vmcore *vmcore)
{
	return vmcore->notes_problem;
}

unsigned int vmcore_cpu_count(const struct vmcore *vmcore)
{
	return vmcore->cpu_count;
}

const char *vmcore_vmcoreinfo(const struct vmcore *vmcore, size_t *size_ret)
{
	*size_ret = vmcore->vmcoreinfo_size;
	return vmcore->vmcoreinfo;
}

bool vmcore_is_xen(const struct vmcore *vmcore)
{
	return vmcore->xen;
}

/* The first extent that ends above @paddr; NULL if there is none. */
static const struct extent *find_extent(const struct vmcore *vmcore, uint64_t paddr)
{
	size_t low = 0, high = vmcore->extent_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct extent *extent = &vmcore->extent[middle];

		if (extent->paddr + extent->size > paddr)
			high = middle;
		else
			low = middle + 1;
	}
	return low < vmcore->extent_count ? &vmcore->extent[low] : NULL;
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

struct kd_error *vmcore_read(const struct vmcore *vmcore, uint64_t paddr, void *buf, size_t size)
{
	struct kd_error *err;
	bool holes = false;

	if (paddr > UINT64_MAX - size)
		return kd_error_create(KD_ERR_HOLE, "physical address 0x%lx is beyond any memory", paddr);
	err = vmcore->format->read(vmcore, paddr, buf, size, &holes);
	if (err)
		return err;
	if (holes)
		return kd_error_create(KD_ERR_HOLE, "physical address 0x%lx (%zu bytes) is not in %s", paddr, size,
				       vmcore->path);
	return NULL;
}

void vmcore_forbid_mmap(struct vmcore *vmcore)
{
	vmcore->is_proc = vmcore->in_memory = false;
}

void vmcore_window_init(struct vmcore_window *window, const struct vmcore *vmcore)
{
	*window = (struct vmcore_window){ .vmcore = vmcore, .no_mmap = !vmcore->is_proc };
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

const struct vmcore_format vmcore_elf = {
	.name = "ELF",
	.magic = ELFMAG,
	.open = read_headers,
	.read = read_pieces,
	.window_get = window_get,
	.window_release = unmap,
};

void vmcore_window_release(struct vmcore_window *window)
{
	if (window->vmcore)
		window->vmcore->format->window_release(window);
}

struct kd_error *vmcore_window_get(struct vmcore_window *window, uint64_t paddr, size_t size, void *buf,
				   const uint8_t **ret)
{
	return window->vmcore->format->window_get(window, paddr, size, buf, ret);
}
