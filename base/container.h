/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A container: the files of dumps below any file system, on a whole block device or in the sectors of a file. The
 *  capture kernel writes them there, and the machine takes them out at its next boot. kdump-container(5) describes the
 *  format:
 *
 *      label | table A | table B | units … | label
 *
 *  The label says that the place is a container, and which one; it never changes. A table says which files there are
 *  and which units of the data hold them. Each new table goes over the older one of the two, after the data that it
 *  speaks of: whenever the power is cut, one of them is whole. Nothing that is read is trusted.
 *
 *  The functions here read a container, and change its table as a whole. capture/remote/container.h writes files. */
#ifndef BASE_CONTAINER_H
#define BASE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/extents.h"
#include "base/sysroot.h"

enum {
	KD_CONTAINER_BLOCK = 4096,
	KD_CONTAINER_FILES = 64,
	KD_CONTAINER_PATH = 216, /* bytes of a path, with its NUL */
	KD_CONTAINER_UNITS_MAX = 1 << 20,
	KD_CONTAINER_UUID_TEXT = 37,
};
#define KD_CONTAINER_MIN (UINT64_C(16) << 20) /* bytes */

/** Where a container lies. Both are borrowed by what is opened on it. */
struct kd_container_place {
	int fd;
	const struct kd_extents *extents;
};

/** Its label. */
struct kd_container_label {
	uint8_t uuid[16];
	uint64_t size;      /* bytes of the container */
	uint64_t created;   /* seconds since the epoch */
	uint32_t unit_size; /* bytes, a power of two */
	uint32_t unit_count;
	uint32_t table_size; /* bytes of one table */
};

struct kd_container_file {
	char path[KD_CONTAINER_PATH]; /* "/NAME" or "/DIRECTORY/NAME"; "": the row is free */
	uint64_t size;                /* bytes; those that no unit has are zero */
	uint64_t time;                /* of the last change, seconds since the epoch */
	uint32_t mode;                /* type and permissions: a regular file or a directory */
};

enum kd_container_unit_flags {
	KD_CONTAINER_SUMMED = 1 << 0, /* the checksum counts */
};

/** A unit of the data. */
struct kd_container_unit {
	uint16_t owner;    /* 1 + the number of the file; 0: free */
	uint16_t flags;    /* enum kd_container_unit_flags */
	uint32_t index;    /* it holds the file from byte @index * unit_size on */
	uint32_t filled;   /* bytes that were written; those behind them are zero, whatever the device holds there */
	uint32_t checksum; /* CRC-32 of these bytes */
};

struct kd_container {
	struct kd_container_place place;
	struct kd_container_label label;
	uint64_t generation; /* of the table */
	unsigned int slot;   /* where the table lies: 0 or 1 */
	struct kd_container_file file[KD_CONTAINER_FILES];
	struct kd_container_unit *unit;
	uint32_t *bucket, *next; /* the units by file and index: 1 + number, 0 for the end */
};

/* --- the place ---------------------------------------------------------------------------------------------------- */

/** Read or write all of it. 0 or a negative errno; -ENOSPC: beyond the end. */
int kd_container_pread(const struct kd_container_place *place, void *data, size_t size, uint64_t offset);
int kd_container_pwrite(const struct kd_container_place *place, const void *data, size_t size, uint64_t offset);

/* --- the label ---------------------------------------------------------------------------------------------------- */

/** The label that a new container of @size bytes gets. KD_ERR_LIMIT: it is too small. */
struct kd_error *kd_container_plan(uint64_t size, const uint8_t uuid[static 16], uint64_t created,
				   struct kd_container_label *ret) MUST_CHECK;

/** Make an empty container, whatever was there. The label comes last, when the rest is on the device. KD_ERR_OS. */
struct kd_error *kd_container_make(const struct kd_container_place *place,
				   const struct kd_container_label *label) MUST_CHECK;

/** Parse a label of KD_CONTAINER_BLOCK bytes. KD_ERR_NOT_FOUND: it is not one; KD_ERR_FORMAT: it is damaged, or of
 *  another version. */
struct kd_error *kd_container_parse_label(const void *block, struct kd_container_label *ret) MUST_CHECK;

/** Read the label at byte @offset of @fd: is it that of the container @uuid, as text? @fd may be O_DIRECT. */
bool kd_container_is_at(int fd, uint64_t offset, const char *uuid);

void kd_container_uuid_text(const uint8_t uuid[static 16], char ret[static KD_CONTAINER_UUID_TEXT]);

/** The number of units that a dump leaves free for the logs of later crashes. */
uint32_t kd_container_log_units(const struct kd_container_label *label);

/* --- the whole ---------------------------------------------------------------------------------------------------- */

/** Open the container at @place: its label, which is at both ends, and the newer of its tables that is whole.
 *  KD_ERR_NOT_FOUND: there is none; KD_ERR_FORMAT: it is damaged, or not as long as the place; KD_ERR_OS. */
struct kd_error *kd_container_open(const struct kd_container_place *place, struct kd_container **ret) MUST_CHECK;
void kd_container_close(struct kd_container *container);
DEFINE_CLEANUP(struct kd_container *, kd_container_close)

/** Write the table over the older one of the two, behind everything that was written before. 0 or a negative errno. */
int kd_container_commit(struct kd_container *container);

/** The number of the file at @path; -ENOENT. */
int kd_container_find(const struct kd_container *container, const char *path);

/** The name of file @number if it lies in @directory ("/" or "/NAME") itself; else NULL. */
const char *kd_container_name_in(const struct kd_container *container, int number, const char *directory);

/** Read at most @size bytes of file @number at @offset; less at its end. A negative errno if the device fails. */
ssize_t kd_container_read(const struct kd_container *container, int number, void *data, size_t size, uint64_t offset);

/** Compare what is in the units of file @number with their checksums. *checked, *wrong: how many units have one, and
 *  how many of these differ. 0 or a negative errno. */
int kd_container_check(const struct kd_container *container, int number, uint32_t *checked, uint32_t *wrong);

/** Free the row and the units of file @number, in memory. */
void kd_container_remove(struct kd_container *container, int number);

/** The unit that holds the file from @index * unit_size on; NULL: none. */
struct kd_container_unit *kd_container_unit_of(const struct kd_container *container, int number, uint32_t index);

/** Give the file the free unit @unit for @index, or take it away. */
void kd_container_link(struct kd_container *container, struct kd_container_unit *unit, int number, uint32_t index);
void kd_container_unlink(struct kd_container *container, struct kd_container_unit *unit);

/** Where the unit begins in the container, in bytes. */
uint64_t kd_container_unit_offset(const struct kd_container *container, const struct kd_container_unit *unit);

/** Open a device to look for a label: what a file system has written to it is seen, not what was read before.
 *  -1 and errno. */
int kd_container_open_device(const struct kd_sysroot *root, const char *node);

/** The CRC-32 of @size bytes behind those that have checksum @sum (0: none). */
uint32_t kd_container_sum(uint32_t sum, const void *data, size_t size);

/** The CRC-32 of the bytes that were written to @unit, read from the device. 0 or a negative errno. */
int kd_container_sum_unit(const struct kd_container *container, const struct kd_container_unit *unit, uint32_t *ret);

#endif
