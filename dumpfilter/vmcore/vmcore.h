/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Memory of the crashed kernel, read from /proc/vmcore, from a file copied from it, or from a filtered dump.
 *
 *  The program chooses the formats that it can read (dumpfilter/vmcore/vmcore_format.h): ELF, kdump-compressed, and
 *  each of them flattened. In every format memory is found by its physical address; struct vmcore_origin describes the
 *  file.
 *
 *  Layout of ELF (Linux fs/proc/vmcore.c): an ELF64 ET_CORE header, one PT_NOTE, one PT_LOAD per range of RAM. Segments
 *  may overlap: the kernel image is described a second time, by its virtual address. Re-filtered ELF files differ: more
 *  program headers than a u16 can count, and segments whose tail is not in the file. /proc/kcore, the memory of the
 *  running kernel, can be read as well (Linux fs/proc/kcore.c; since 4.19, 23c85094fe18 "proc/kcore: add vmcoreinfo
 *  note to /proc/kcore"). Reading a frame that is poisoned in hardware can kill the machine: look at the struct page
 *  before reading a frame.
 */
#ifndef DUMPFILTER_VMCORE_VMCORE_H
#define DUMPFILTER_VMCORE_VMCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ranges.h"

struct vmcore;

/** One PT_LOAD, as the file has it. */
struct vmcore_segment {
	uint64_t vaddr; /* a hint: the kernel image's is right, others may be guesses of kexec-tools */
	uint64_t paddr;
	uint64_t memory_size;
	uint64_t file_size; /* <= memory_size; what lies beyond was left out by an earlier filter, or is cut off */
	uint64_t file_offset;
};

/** Where the memory comes from: what the file says about itself. */
struct vmcore_origin {
	const char *format; /* "ELF", "kdump" */
	bool flattened;     /* the format as a stream of records */
	bool incomplete;    /* its writer says that it is incomplete, or does not say that it is complete */
	unsigned int level; /* dump level that it was filtered at; 0 for ELF, which does not tell */
	/* For kdump only, else 0 or NULL: */
	uint64_t page_size;
	uint32_t codec; /* the header's flag; pages have their own (dumpfilter/codec/decoder.h) */
	bool split;     /* only the pages in [start_pfn, end_pfn) are in this file */
	uint64_t start_pfn, end_pfn;
	uint64_t stray_pages; /* in the dump although they are said not to be memory */
	uint64_t crash_time;  /* seconds since the epoch */
	uint64_t phys_base;
	uint64_t max_mapnr;
	const char (*utsname)[65]; /* six strings, terminated */
	const char *eraseinfo;     /* text: what was erased */
	size_t eraseinfo_size;
};

/** Open @path and check its headers; of memory nothing is read yet.
 *  @ret: owned by the caller, freed by vmcore_close(); untouched on error.
 *  KD_ERR_OS; KD_ERR_FORMAT (not a dump, or one whose headers contradict themselves); KD_ERR_UNSUPPORTED;
 *  KD_ERR_LIMIT (more of something than a real dump has). */
struct kd_error *vmcore_open(const char *path, struct vmcore **ret) MUST_CHECK;
void vmcore_close(struct vmcore *vmcore); /* NULL is allowed, as in free() */
DEFINE_CLEANUP(struct vmcore *, vmcore_close)

/** From now on no window maps the file. */
void vmcore_forbid_mmap(struct vmcore *vmcore);

const char *vmcore_path(const struct vmcore *vmcore);
/** Borrowed. */
const struct vmcore_origin *vmcore_origin(const struct vmcore *vmcore);
/** e_machine; EM_NONE if the file names one that is not known. */
uint16_t vmcore_machine(const struct vmcore *vmcore);

/** /proc/vmcore, or a file on a tmpfs: what is mapped of it can be read, while a mapping of another file may turn out
 *  to be unreadable when it is too late to do anything about it. */
bool vmcore_in_memory(const struct vmcore *vmcore);

/** Bytes of this process's memory that a window onto it takes at most: what is mapped of a file counts, that of
 *  /proc/vmcore does not. */
uint64_t vmcore_window_memory(const struct vmcore *vmcore);

/** In the file's order; none in formats other than ELF. Borrowed. */
const struct vmcore_segment *vmcore_segments(const struct vmcore *vmcore, size_t *count_ret);

/** The physical address ranges that have RAM (bytes, not rounded to pages). Borrowed. */
const struct kd_ranges *vmcore_ram(const struct vmcore *vmcore);
/** The part of it whose contents are in the file. Borrowed. */
const struct kd_ranges *vmcore_contents(const struct vmcore *vmcore);

/** Bytes of memory that the headers describe but which would lie behind the end of the file, because it is a truncated
 *  copy. */
uint64_t vmcore_missing(const struct vmcore *vmcore);
/** The physical address of the first of them, if there are any. */
uint64_t vmcore_first_missing(const struct vmcore *vmcore);

/** One past the highest physical address that has RAM, in bytes. */
uint64_t vmcore_end_paddr(const struct vmcore *vmcore);

/** All notes, one behind the other. Borrowed. */
const void *vmcore_notes(const struct vmcore *vmcore, size_t *size_ret);
/** Why some of them, maybe VMCOREINFO, could not be had; NULL: they are all there. Borrowed. */
const struct kd_error *vmcore_notes_problem(const struct vmcore *vmcore);
/** How many of them are a CPU's registers (NT_PRSTATUS). */
unsigned int vmcore_cpu_count(const struct vmcore *vmcore);
/** Text of the VMCOREINFO note, not NUL-terminated; NULL if the crashed kernel left none. Borrowed. */
const char *vmcore_vmcoreinfo(const struct vmcore *vmcore, size_t *size_ret);
/** Did the machine crash under Xen as its control domain (whose pages are not where they seem to be)? */
bool vmcore_is_xen(const struct vmcore *vmcore);

/** Copy @size bytes at physical address @paddr (any alignment) into @buf. Thread-safe.
 *  KD_ERR_HOLE if the file does not hold all of the range; KD_ERR_OS if the kernel does not hand it out; KD_ERR_FORMAT
 *  if the file is cut off or damaged there.
 *  On error the contents of @buf are unspecified. */
struct kd_error *vmcore_read(const struct vmcore *vmcore, uint64_t paddr, void *buf, size_t size) MUST_CHECK;

/** A window onto the file, for reading much of it in rising order: mapped if it is /proc/vmcore
 *  (whose read(2) maps and unmaps every single page) and can be mapped, else read: of a file, pieces that fit the
 *  cache cost half of the time that faults in a mapping take. For one thread at a time. */
struct vmcore_window {
	const struct vmcore *vmcore;
	bool no_mmap;        /* not worth it, or failed once: read */
	uint64_t file_start; /* of what is mapped, in the file */
	size_t mapped;
	uint8_t *map;
	void *reader; /* of formats that do not map */
};

void vmcore_window_init(struct vmcore_window *window, const struct vmcore *vmcore);
void vmcore_window_release(struct vmcore_window *window);

/** The bytes at [@paddr, @paddr + @size), for looking at until the next call: inside the mapping, or copied to @buf
 *  (of @size bytes). What the file does not hold reads as zeros, so that a page of which RAM covers only a part
 *  is whole; @size is at most VMCORE_WINDOW_MAX.
 *  KD_ERR_OS, KD_ERR_FORMAT, KD_ERR_HOLE (it should be there, but was never written): some of it is not readable; a
 *  smaller piece may be. */
struct kd_error *vmcore_window_get(struct vmcore_window *window, uint64_t paddr, size_t size, void *buf,
				   const uint8_t **ret) MUST_CHECK;

#define VMCORE_WINDOW_MAX (UINT64_C(4) << 20)

#endif
