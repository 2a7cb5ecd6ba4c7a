/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The formats that a vmcore can be in: one row of operations, and one source file, each. For vmcore.c and the rows;
 *  everybody else uses dumpfilter/vmcore/vmcore.h. */
#ifndef DUMPFILTER_VMCORE_VMCORE_FORMAT_H
#define DUMPFILTER_VMCORE_VMCORE_FORMAT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/ranges.h"
#include "dumpfilter/vmcore/vmcore.h"

/* A device driver's dump note may have many MiB; no kernel writes more than this. */
#define VMCORE_NOTES_MAX (UINT64_C(64) << 20)

struct vmcore {
	int fd;
	char *path;
	uint64_t file_size;
	bool is_proc;   /* reading it page by page is slow, mapping it is not; else it is the other way round */
	bool in_memory; /* see vmcore_in_memory() */
	/* The file is /proc/kcore: readers take turns, because the data goes through one page that belongs to the open
	 * file (Linux fs/proc/kcore.c, open_kcore()). */
	pthread_mutex_t *turn; /* NULL: it is not */

	/* A layer between the file and its format (NULL: none), such as records that say where their data belongs. */
	void *layer;
	ssize_t (*layer_read)(const struct vmcore *vmcore, void *buf, size_t size, uint64_t offset);
	void (*layer_close)(void *layer);

	const struct vmcore_format *format;
	void *data; /* the format's own */

	/* Filled by the format. */
	struct vmcore_origin origin;
	uint16_t machine;
	struct vmcore_segment *segment;
	size_t segment_count;
	struct kd_ranges ram;
	struct kd_ranges contents;
	uint64_t missing, first_missing; /* see vmcore_missing() */
	uint8_t *notes;
	size_t notes_size;
	struct kd_error *notes_problem; /* the first; see vmcore_notes_problem() */

	unsigned int cpu_count;
	const char *vmcoreinfo;
	size_t vmcoreinfo_size;
	bool xen;
};

struct vmcore_format {
	const char *name;
	const char *magic;    /* the file begins with it */
	uint64_t mapping_max; /* bytes of the file that a window maps, at most; 0: windows map nothing */
	/** Fill the fields above; there must be some RAM. What it has made by then is freed by close(), also after an
	 *  error. */
	struct kd_error *(*open)(struct vmcore *vmcore);
	void (*close)(struct vmcore *vmcore);
	/** Copy @size bytes; what the file does not hold becomes zeros, and *holes is set. Thread-safe. */
	struct kd_error *(*read)(const struct vmcore *vmcore, uint64_t paddr, uint8_t *buf, size_t size, bool *holes);
	/** vmcore_window_get() and vmcore_window_release(). */
	struct kd_error *(*window_get)(struct vmcore_window *window, uint64_t paddr, size_t size, void *buf,
				       const uint8_t **ret);
	void (*window_release)(struct vmcore_window *window);
};

extern const struct vmcore_format vmcore_elf;
extern const struct vmcore_format vmcore_kdump;     /* kdump-compressed, with all decoders */
extern const struct vmcore_format vmcore_flattened; /* makedumpfile -F, of any of the above */

/** The formats that a program reads, NULL-terminated: all (dumpfilter/vmcore/formats.c), unless it defines this table
 * itself; then it is linked with the readers that it names and no others. */
extern const struct vmcore_format *const vmcore_formats[];

/** The row that a file with this beginning (of at least 16 bytes) belongs to; NULL: none of the program's. */
const struct vmcore_format *vmcore_find_format(const void *head);

/** Read from the file (below a layer: what it stands for). KD_ERR_OS; KD_ERR_FORMAT if it ends too early. @what is for
 *  the message. */
struct kd_error *vmcore_read_file(const struct vmcore *vmcore, uint64_t offset, void *buf, size_t size,
				  const char *what) MUST_CHECK;

/** Append the notes at @offset of the file. If reading them fails they are left out and the vmcore has a notes_problem:
 *  a dump without notes is better than none. KD_ERR_LIMIT; KD_ERR_FORMAT as above. */
struct kd_error *vmcore_append_notes(struct vmcore *vmcore, uint64_t offset, uint64_t size) MUST_CHECK;

/** A page of a kdump file as it is there, compressed: into @buf of one page. KD_ERR_HOLE: it is not there; the others
 * as vmcore_window_get(). */
struct kd_error *vmcore_kdump_packed(struct vmcore_window *window, uint64_t pfn, void *buf, uint32_t *size_ret,
				     uint32_t *flags_ret) MUST_CHECK;

#endif
