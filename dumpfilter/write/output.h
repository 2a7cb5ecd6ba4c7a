/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The file being made. Tables are written in place; data is placed behind them in large pieces, each of them where it
 *  was claimed, so that several threads write at once and none waits for another.
 *
 *  Data can go past the page cache (O_DIRECT), which a capture kernel has little of: where the file system takes it.
 *  Then pieces start at multiples of OUTPUT_ALIGN.
 */
#ifndef DUMPFILTER_WRITE_OUTPUT_H
#define DUMPFILTER_WRITE_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum output_kind {
	OUTPUT_FILE,
	OUTPUT_STREAM,  /* records for a pipe, in the flattened format, instead of a file */
	OUTPUT_NOWHERE, /* nothing is written; only how much it would be is counted */
};

struct output {
	enum output_kind kind;
	int fd;
	int direct_fd;    /* the same file with O_DIRECT; -1: none */
	const char *path; /* borrowed */
	bool replace;     /* a regular file that is there already gives way */
	uint64_t limit;   /* the file must not become longer than this; 0: no limit */
	uint64_t end;     /* claimed so far */
	bool full;        /* the disk, a quota or the limit: there was no room for something */
	/* For a stream: the file's beginning, which is sent when data follows, but for the bytes that say whether the
	 * dump is complete; and a lock, because one thread at a time writes. */
	uint8_t *head;
	size_t head_size;
	bool head_sent;
	size_t held_offset, held_size;
	pthread_mutex_t lock;
};

#define OUTPUT_ALIGN 4096u

/** Create @path (mode 0600, must not exist) for writing. @replace: a regular file there is removed first; anything
 *  else, such as a link or a device, is refused (KD_ERR_USAGE). KD_ERR_OS. */
struct kd_error *output_create_fd(const char *path, bool replace, int *fd_ret) MUST_CHECK;
/** Create @path as output_create_fd() does, by output->replace. @direct: write data past the page cache where possible,
 *  which pays if other threads compute while one waits for the disk. Release it even after an error. */
struct kd_error *output_create(struct output *output, const char *path, bool direct) MUST_CHECK;
/** Records go to the open @fd, which is borrowed; @name is for messages. Only the bytes of output_hold() may be written
 *  more than once. Release it even after an error. KD_ERR_NOMEM, KD_ERR_OS (its header is written). */
struct kd_error *output_create_stream(struct output *output, int fd, const char *name) MUST_CHECK;
/** The bytes [@offset, @offset + @size), below OUTPUT_ALIGN, change when the dump is complete, so a stream has them as
 *  its last record. They are named before anything is written. Of other kinds of output it is nothing. */
void output_hold(struct output *output, size_t offset, size_t size);
/** The last records: what was held back, and the end. Without them a reader takes it for cut off. Of other kinds of
 *  output it is nothing. */
struct kd_error *output_end_stream(struct output *output) MUST_CHECK;
void output_release(struct output *output);
static inline void output_release_cleanup(struct output *output)
{
	output_release(output);
}

/** Throw away all that was written. KD_ERR_UNSUPPORTED for a stream. */
struct kd_error *output_restart(struct output *output) MUST_CHECK;

/** Write at @offset. Thread-safe. Here and below: what does not fit is an error with errnum ENOSPC, EDQUOT or EFBIG,
 *  and sets output->full. */
struct kd_error *output_write_at(struct output *output, uint64_t offset, const void *data, size_t size) MUST_CHECK;

/** Make sure that [@offset, @offset + @size) has its place on the disk and reads as zeros. */
struct kd_error *output_reserve(struct output *output, uint64_t offset, uint64_t size) MUST_CHECK;

/** Data begins at @offset, a multiple of OUTPUT_ALIGN. */
void output_begin_data(struct output *output, uint64_t offset);
/** Room for @size bytes behind all that was claimed before: where it begins. Thread-safe. */
uint64_t output_claim(struct output *output, size_t size);
/** Write @size bytes to @offset, where they were claimed. @data is aligned to OUTPUT_ALIGN, and may be overwritten
 *  behind @size up to the next multiple of it. Thread-safe.
 *  @done_ret: how many of the bytes are in the file; set in any case, and less than @size after an error. */
struct kd_error *output_put(struct output *output, uint64_t offset, void *data, size_t size,
			    size_t *done_ret) MUST_CHECK;

/** Has the disk refused anything that was written so far? The kernel writes later, and tells otherwise only
 *  fdatasync(2); until then some file systems take data for a disk that is broken, slowly.
 *  Does not wait. Thread-safe. */
struct kd_error *output_check(struct output *output) MUST_CHECK;

/** Make the file (of OUTPUT_FILE) so long, with zeros. */
struct kd_error *output_extend(struct output *output, uint64_t size) MUST_CHECK;

/** How long the file is, or would be. */
uint64_t output_size(const struct output *output);

/** fdatasync(2). */
struct kd_error *output_sync(struct output *output) MUST_CHECK;

#endif
