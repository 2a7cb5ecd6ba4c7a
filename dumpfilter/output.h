/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The file being made: data is appended in large aligned writes, tables before it are filled in as it lands. */
#ifndef DUMPFILTER_OUTPUT_H
#define DUMPFILTER_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct output {
	int fd;
	const char *path; /* borrowed */
	uint8_t *buf;
	size_t used;         /* bytes in buf … */
	uint64_t buf_offset; /* … which belong here; a multiple of OUTPUT_ALIGN */
	uint64_t written;    /* appended data below this offset has been handed to the kernel */
};

#define OUTPUT_ALIGN 4096u

/** Create @path (mode 0600, must not exist). To be released in any case. */
struct kd_error *output_create(struct output *output, const char *path) MUST_CHECK;
void output_release(struct output *output);
static inline void output_release_cleanup(struct output *output)
{
	output_release(output);
}

/** Throw away all that was written. */
struct kd_error *output_restart(struct output *output) MUST_CHECK;

/** Write at @offset, at once. */
struct kd_error *output_write_at(struct output *output, uint64_t offset, const void *data, size_t size) MUST_CHECK;

/** Make sure that [@offset, @offset + @size) has its place on the disk and reads as zeros. */
struct kd_error *output_reserve(struct output *output, uint64_t offset, uint64_t size) MUST_CHECK;

/** Appended data begins at @offset, a multiple of OUTPUT_ALIGN. */
void output_begin_data(struct output *output, uint64_t offset);
/** Where the next byte will be. */
uint64_t output_position(const struct output *output);
/** Append. May write what came before; after an error, output->written says how far it got. */
struct kd_error *output_append(struct output *output, const void *data, size_t size) MUST_CHECK;
/** Hand all appended data to the kernel. */
struct kd_error *output_flush(struct output *output) MUST_CHECK;

/** fdatasync(2). */
struct kd_error *output_sync(struct output *output) MUST_CHECK;

#endif
