/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/vmcore/vmcore_format.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/elf64.h"
#include "base/io.h"

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
	return vmcore->in_memory && !vmcore->is_proc ? vmcore->format->mapping_max : 0;
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

void vmcore_window_release(struct vmcore_window *window)
{
	if (window->vmcore)
		window->vmcore->format->window_release(window);
}

struct kd_error *vmcore_window_get(struct vmcore_window *window, uint64_t paddr, size_t size, void *buf,
				   const uint8_t **ret)
{
	assert(size <= VMCORE_WINDOW_MAX);
	return window->vmcore->format->window_get(window, paddr, size, buf, ret);
}
