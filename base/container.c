/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/container.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/io.h"

enum {
	VERSION = 1,
	UNIT_MIN = 64 << 10,
	UNIT_MAX = 1 << 30,
	UNITS_USUAL = 16384, /* more units make the table longer, fewer waste more behind each file */
	CHUNK = 64 << 10,
	LOG_ROOM = 4 << 20,
	LOG_UNITS = 8, /* at least: a unit is not shared by files */
};

static const char label_magic[16] = { 'k', 'd', 'u', 'm', 'p', ' ', 'c', 'o', 'n', 't', 'a', 'i', 'n', 'e', 'r', '\n' };
static const char table_magic[16] = { 'k', 'd', 'u', 'm', 'p', ' ', 't', 'a', 'b', 'l', 'e', '\n' };

/* All numbers are little-endian. A checksum is the CRC-32 of the whole block or table, itself being 0. */
struct disk_label {
	char magic[16];
	uint32_t version;
	uint32_t checksum;
	uint8_t uuid[16];
	uint64_t size;
	uint64_t created;
	uint32_t unit_size;
	uint32_t unit_count;
	uint32_t table_size;
	uint32_t zero;
	uint8_t rest[KD_CONTAINER_BLOCK - 72];
};
static_assert(sizeof(struct disk_label) == KD_CONTAINER_BLOCK, "a label is one block");

struct disk_file {
	char path[KD_CONTAINER_PATH];
	uint64_t size;
	uint64_t time;
	uint32_t mode;
	uint8_t rest[20];
};
static_assert(sizeof(struct disk_file) == 256, "a row of a file has 256 bytes");

struct disk_unit {
	uint16_t owner;
	uint16_t flags;
	uint32_t index;
	uint32_t filled;
	uint32_t checksum;
};
static_assert(sizeof(struct disk_unit) == 16, "a row of a unit has 16 bytes");

struct disk_table {
	char magic[16];
	uint8_t uuid[16];
	uint64_t generation;
	uint32_t checksum;
	uint8_t rest[KD_CONTAINER_BLOCK - 44];
	struct disk_file file[KD_CONTAINER_FILES];
	struct disk_unit unit[];
};
static_assert(offsetof(struct disk_table, unit) == KD_CONTAINER_BLOCK + KD_CONTAINER_FILES * 256,
	      "the units follow the files");

/* --- the place ---------------------------------------------------------------------------------------------------- */

int kd_container_pread(const struct kd_container_place *place, void *data, size_t size, uint64_t offset)
{
	for (size_t done = 0, piece; done < size; done += piece) {
		uint64_t at, left = kd_extents_map(place->extents, offset + done, &at);
		ssize_t got;

		if (!left)
			return -ENOSPC;
		piece = left < size - done ? left : size - done;
		got = kd_pread_all(place->fd, (char *)data + done, piece, (off_t)at);
		if (got != (ssize_t)piece)
			return got < 0 ? -errno : -EIO;
	}
	return 0;
}

int kd_container_pwrite(const struct kd_container_place *place, const void *data, size_t size, uint64_t offset)
{
	for (size_t done = 0, piece; done < size; done += piece) {
		uint64_t at, left = kd_extents_map(place->extents, offset + done, &at);

		if (!left)
			return -ENOSPC;
		piece = left < size - done ? left : size - done;
		if (kd_pwrite_all(place->fd, (const char *)data + done, piece, (off_t)at) < 0)
			return -errno;
	}
	return 0;
}

uint32_t kd_container_sum(uint32_t sum, const void *data, size_t size)
{
	return (uint32_t)crc32_z(sum, data, size);
}

/* --- the label ---------------------------------------------------------------------------------------------------- */

static uint32_t table_size(uint32_t unit_count)
{
	size_t size = sizeof(struct disk_table) + unit_count * sizeof(struct disk_unit);

	return (uint32_t)((size + KD_CONTAINER_BLOCK - 1) / KD_CONTAINER_BLOCK * KD_CONTAINER_BLOCK);
}

static uint64_t data_offset(const struct kd_container_label *label)
{
	return KD_CONTAINER_BLOCK + UINT64_C(2) * label->table_size;
}

/* The label at the end is not part of the data. */
static bool has_room(const struct kd_container_label *label)
{
	uint64_t data = (uint64_t)label->unit_count * label->unit_size; /* at most 2^50 */

	return label->size >= KD_CONTAINER_MIN && label->size <= INT64_MAX && label->size % KD_CONTAINER_BLOCK == 0 &&
	       data_offset(label) + data + KD_CONTAINER_BLOCK <= label->size;
}

struct kd_error *kd_container_plan(uint64_t size, const uint8_t uuid[static 16], uint64_t created,
				   struct kd_container_label *ret)
{
	struct kd_container_label label = { .size = size / KD_CONTAINER_BLOCK * KD_CONTAINER_BLOCK,
					    .created = created,
					    .unit_size = UNIT_MIN };

	if (size < KD_CONTAINER_MIN || size > INT64_MAX)
		return kd_error_create(KD_ERR_LIMIT,
				       "%" PRIu64 " bytes are not enough for a dump: at least %" PRIu64
				       " MiB are needed",
				       size, KD_CONTAINER_MIN >> 20);
	memcpy(label.uuid, uuid, sizeof(label.uuid));
	while (label.unit_size < UNIT_MAX && label.size / label.unit_size > UNITS_USUAL)
		label.unit_size *= 2;
	if (label.size / label.unit_size > KD_CONTAINER_UNITS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%" PRIu64 " bytes are more than a container can have", size);
	label.unit_count = (uint32_t)(label.size / label.unit_size);
	label.table_size = table_size(label.unit_count);
	while (!has_room(&label))
		label.unit_count--;
	*ret = label;
	return NULL;
}

static void build_label(const struct kd_container_label *label, struct disk_label *ret)
{
	*ret = (struct disk_label){
		.version = htole32(VERSION),
		.size = htole64(label->size),
		.created = htole64(label->created),
		.unit_size = htole32(label->unit_size),
		.unit_count = htole32(label->unit_count),
		.table_size = htole32(label->table_size),
	};
	memcpy(ret->magic, label_magic, sizeof(label_magic));
	memcpy(ret->uuid, label->uuid, sizeof(label->uuid));
	ret->checksum = htole32(kd_container_sum(0, ret, sizeof(*ret)));
}

struct kd_error *kd_container_parse_label(const void *block, struct kd_container_label *ret)
{
	struct kd_container_label label;
	struct disk_label disk;
	uint32_t sum;

	memcpy(&disk, block, sizeof(disk));
	if (memcmp(disk.magic, label_magic, sizeof(label_magic)) != 0)
		return kd_error_create(KD_ERR_NOT_FOUND, "there is no container of dumps");
	sum = le32toh(disk.checksum);
	disk.checksum = 0;
	if (kd_container_sum(0, &disk, sizeof(disk)) != sum)
		return kd_error_create(KD_ERR_FORMAT, "the container's label is damaged");
	if (le32toh(disk.version) != VERSION)
		return kd_error_create(KD_ERR_FORMAT, "the container has version %u of the format, not %d",
				       le32toh(disk.version), VERSION);
	label = (struct kd_container_label){
		.size = le64toh(disk.size),
		.created = le64toh(disk.created),
		.unit_size = le32toh(disk.unit_size),
		.unit_count = le32toh(disk.unit_count),
		.table_size = le32toh(disk.table_size),
	};
	memcpy(label.uuid, disk.uuid, sizeof(label.uuid));
	if (label.unit_size < UNIT_MIN || label.unit_size > UNIT_MAX || (label.unit_size & (label.unit_size - 1)) ||
	    !label.unit_count || label.unit_count > KD_CONTAINER_UNITS_MAX ||
	    label.table_size < table_size(label.unit_count) || label.table_size > table_size(KD_CONTAINER_UNITS_MAX) ||
	    label.table_size % KD_CONTAINER_BLOCK || !has_room(&label))
		return kd_error_create(KD_ERR_FORMAT, "the container's label contradicts itself");
	*ret = label;
	return NULL;
}

static struct kd_error *read_label(const struct kd_container_place *place, struct kd_container_label *ret)
{
	unsigned char block[KD_CONTAINER_BLOCK];
	int errnum = kd_container_pread(place, block, sizeof(block), 0);

	return errnum ? kd_error_os(-errnum, "cannot read the container's label") :
			kd_container_parse_label(block, ret);
}

void kd_container_uuid_text(const uint8_t uuid[static 16], char ret[static KD_CONTAINER_UUID_TEXT])
{
	snprintf(ret, KD_CONTAINER_UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 uuid[0], uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8], uuid[9], uuid[10],
		 uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
}

int kd_container_open_device(const struct kd_sysroot *root, const char *node)
{
	int fd = kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECT);

	return fd >= 0 || errno != EINVAL ? fd : kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

bool kd_container_is_at(int fd, uint64_t offset, const char *uuid)
{
	_Alignas(KD_CONTAINER_BLOCK) unsigned char block[KD_CONTAINER_BLOCK];
	char text[KD_CONTAINER_UUID_TEXT];
	struct kd_container_label label;

	if (offset > INT64_MAX || kd_pread_all(fd, block, sizeof(block), (off_t)offset) != (ssize_t)sizeof(block) ||
	    kd_error_discard(kd_container_parse_label(block, &label)))
		return false;
	kd_container_uuid_text(label.uuid, text);
	return strcmp(text, uuid) == 0;
}

uint32_t kd_container_log_units(const struct kd_container_label *label)
{
	uint32_t units = LOG_ROOM / label->unit_size;

	if (units < LOG_UNITS)
		units = LOG_UNITS;
	return units < label->unit_count / 4 ? units : label->unit_count / 4;
}

/* --- units by file and index -------------------------------------------------------------------------------------- */

static uint32_t *bucket_of(const struct kd_container *container, int number, uint32_t index)
{
	return &container->bucket[(index + (uint32_t)number * 7919u) % container->label.unit_count];
}

struct kd_container_unit *kd_container_unit_of(const struct kd_container *container, int number, uint32_t index)
{
	uint32_t i = *bucket_of(container, number, index);

	for (; i; i = container->next[i - 1])
		if (container->unit[i - 1].owner == number + 1 && container->unit[i - 1].index == index)
			return &container->unit[i - 1];
	return NULL;
}

static void chain(struct kd_container *container, const struct kd_container_unit *unit)
{
	uint32_t *bucket = bucket_of(container, unit->owner - 1, unit->index), i = (uint32_t)(unit - container->unit);

	container->next[i] = *bucket;
	*bucket = i + 1;
}

void kd_container_link(struct kd_container *container, struct kd_container_unit *unit, int number, uint32_t index)
{
	*unit = (struct kd_container_unit){ .owner = (uint16_t)(number + 1), .index = index };
	chain(container, unit);
}

void kd_container_unlink(struct kd_container *container, struct kd_container_unit *unit)
{
	uint32_t *link = bucket_of(container, unit->owner - 1, unit->index), i = (uint32_t)(unit - container->unit);

	while (*link != i + 1)
		link = &container->next[*link - 1];
	*link = container->next[i];
	*unit = (struct kd_container_unit){ 0 };
}

uint64_t kd_container_unit_offset(const struct kd_container *container, const struct kd_container_unit *unit)
{
	return data_offset(&container->label) + (uint64_t)(unit - container->unit) * container->label.unit_size;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* "NAME" may be the name of a file: without a slash, not "." or "..", and printable on one line. */
static bool is_name(const char *name, size_t length)
{
	if (!length || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))))
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f || name[i] == '/')
			return false;
	return true;
}

/* "/NAME" or "/DIRECTORY/NAME", where the directory is there. */
static bool is_path(const struct kd_container *container, const char *path)
{
	const char *slash = *path == '/' ? strchr(path + 1, '/') : NULL;
	char parent[KD_CONTAINER_PATH];
	int number;

	if (*path != '/' || !is_name(slash ? slash + 1 : path + 1, strlen(slash ? slash + 1 : path + 1)))
		return false;
	if (!slash)
		return true;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	number = kd_container_find(container, parent);
	return number >= 0 && S_ISDIR(container->file[number].mode);
}

static bool take_files(struct kd_container *container, const struct disk_table *table)
{
	for (int i = 0; i < KD_CONTAINER_FILES; i++) {
		const struct disk_file *disk = &table->file[i];
		struct kd_container_file *file = &container->file[i];

		if (!memchr(disk->path, '\0', sizeof(disk->path)))
			return false;
		*file = (struct kd_container_file){ .size = le64toh(disk->size),
						    .time = le64toh(disk->time),
						    .mode = le32toh(disk->mode) };
		strcpy(file->path, disk->path);
	}
	for (int i = 0; i < KD_CONTAINER_FILES; i++) {
		const struct kd_container_file *file = &container->file[i];

		if (!*file->path)
			continue;
		if ((!S_ISREG(file->mode) && !S_ISDIR(file->mode)) || file->mode & ~(uint32_t)(S_IFMT | 07777) ||
		    file->size > INT64_MAX || !is_path(container, file->path) ||
		    kd_container_find(container, file->path) != i)
			return false;
	}
	return true;
}

static bool take_unit(struct kd_container *container, struct kd_container_unit *unit)
{
	const struct kd_container_file *file = &container->file[unit->owner - 1];
	uint32_t size = container->label.unit_size;
	uint64_t start = (uint64_t)unit->index * size;

	if (!*file->path || !S_ISREG(file->mode) || unit->flags & ~KD_CONTAINER_SUMMED || unit->filled > size ||
	    start >= file->size || unit->filled > file->size - start ||
	    kd_container_unit_of(container, unit->owner - 1, unit->index))
		return false;
	chain(container, unit);
	return true;
}

static bool take_units(struct kd_container *container, const struct disk_table *table)
{
	memset(container->bucket, 0, container->label.unit_count * sizeof(*container->bucket));
	for (uint32_t i = 0; i < container->label.unit_count; i++) {
		const struct disk_unit *disk = &table->unit[i];

		container->unit[i] = (struct kd_container_unit){
			.owner = le16toh(disk->owner),
			.flags = le16toh(disk->flags),
			.index = le32toh(disk->index),
			.filled = le32toh(disk->filled),
			.checksum = le32toh(disk->checksum),
		};
		if (container->unit[i].owner > KD_CONTAINER_FILES ||
		    (container->unit[i].owner && !take_unit(container, &container->unit[i])))
			return false;
	}
	return true;
}

static uint64_t slot_offset(const struct kd_container_label *label, unsigned int slot)
{
	return KD_CONTAINER_BLOCK + (uint64_t)slot * label->table_size;
}

/* *generation_ret: of the table in @slot, 0 if it is not whole. */
static int read_table(const struct kd_container *container, unsigned int slot, struct disk_table *table,
		      uint64_t *generation_ret)
{
	const struct kd_container_label *label = &container->label;
	uint32_t sum;
	int errnum = kd_container_pread(&container->place, table, label->table_size, slot_offset(label, slot));

	if (errnum)
		return errnum;
	sum = le32toh(table->checksum);
	table->checksum = 0;
	*generation_ret = memcmp(table->magic, table_magic, sizeof(table_magic)) == 0 &&
					  memcmp(table->uuid, label->uuid, sizeof(label->uuid)) == 0 &&
					  kd_container_sum(0, table, label->table_size) == sum ?
				  le64toh(table->generation) :
				  0;
	return 0;
}

static struct kd_error *load_table(struct kd_container *container)
{
	_cleanup_free_ struct disk_table *table = malloc(container->label.table_size);
	uint64_t generation[2] = { 0, 0 };
	int errnum[2];

	if (!table)
		return kd_error_nomem();
	for (unsigned int slot = 0; slot < 2; slot++)
		errnum[slot] = read_table(container, slot, table, &generation[slot]);
	container->slot = generation[1] > generation[0];
	if (!generation[container->slot])
		return errnum[0] ? kd_error_os(-errnum[0], "cannot read the container's tables") :
				   kd_error_create(KD_ERR_FORMAT, "neither table of the container is whole");
	if (container->slot == 0)
		errnum[0] = read_table(container, 0, table, &generation[0]);
	if (errnum[container->slot])
		return kd_error_os(-errnum[container->slot], "cannot read the container's table");
	container->generation = generation[container->slot];
	if (!take_files(container, table) || !take_units(container, table))
		return kd_error_create(KD_ERR_FORMAT, "the container's table contradicts itself");
	return NULL;
}

static struct disk_table *build_table(const struct kd_container *container, uint64_t generation)
{
	struct disk_table *table = calloc(1, container->label.table_size);

	if (!table)
		return NULL;
	memcpy(table->magic, table_magic, sizeof(table_magic));
	memcpy(table->uuid, container->label.uuid, sizeof(container->label.uuid));
	table->generation = htole64(generation);
	for (int i = 0; i < KD_CONTAINER_FILES; i++) {
		const struct kd_container_file *file = &container->file[i];

		table->file[i] = (struct disk_file){ .size = htole64(file->size),
						     .time = htole64(file->time),
						     .mode = htole32(file->mode) };
		strcpy(table->file[i].path, file->path);
	}
	for (uint32_t i = 0; container->unit && i < container->label.unit_count; i++) {
		const struct kd_container_unit *unit = &container->unit[i];

		table->unit[i] = (struct disk_unit){ .owner = htole16(unit->owner),
						     .flags = htole16(unit->flags),
						     .index = htole32(unit->index),
						     .filled = htole32(unit->filled),
						     .checksum = htole32(unit->checksum) };
	}
	table->checksum = htole32(kd_container_sum(0, table, container->label.table_size));
	return table;
}

static int sync_place(const struct kd_container_place *place)
{
	return fdatasync(place->fd) < 0 ? -errno : 0;
}

int kd_container_commit(struct kd_container *container)
{
	unsigned int slot = !container->slot;
	_cleanup_free_ struct disk_table *table = build_table(container, container->generation + 1);
	int errnum = table ? sync_place(&container->place) : -ENOMEM;

	if (!errnum)
		errnum = kd_container_pwrite(&container->place, table, container->label.table_size,
					     slot_offset(&container->label, slot));
	if (!errnum)
		errnum = sync_place(&container->place);
	if (errnum)
		return errnum;
	container->generation++;
	container->slot = slot;
	return 0;
}

/* --- making and opening ------------------------------------------------------------------------------------------- */

struct kd_error *kd_container_make(const struct kd_container_place *place, const struct kd_container_label *label)
{
	struct kd_container empty = { .place = *place, .label = *label };
	struct disk_label block;
	int errnum;

	build_label(label, &block);
	empty.slot = 1;
	errnum = kd_container_commit(&empty);
	if (!errnum)
		errnum = kd_container_commit(&empty);
	if (!errnum)
		errnum = kd_container_pwrite(place, &block, sizeof(block), label->size - KD_CONTAINER_BLOCK);
	if (!errnum)
		errnum = sync_place(place);
	if (!errnum)
		errnum = kd_container_pwrite(place, &block, sizeof(block), 0);
	if (!errnum)
		errnum = sync_place(place);
	return errnum ? kd_error_os(-errnum, "cannot write the container") : NULL;
}

/* What has been put on the device since may have left one end of it as it was. */
static struct kd_error *check_end(const struct kd_container *container)
{
	unsigned char block[2][KD_CONTAINER_BLOCK];
	int errnum = kd_container_pread(&container->place, block[0], sizeof(block[0]), 0);

	if (!errnum)
		errnum = kd_container_pread(&container->place, block[1], sizeof(block[1]),
					    container->label.size - KD_CONTAINER_BLOCK);
	if (errnum)
		return kd_error_os(-errnum, "cannot read the container's labels");
	return memcmp(block[0], block[1], sizeof(block[0])) == 0 ?
		       NULL :
		       kd_error_create(KD_ERR_FORMAT,
				       "the container's label is not at its end: something else was written "
				       "there");
}

struct kd_error *kd_container_open(const struct kd_container_place *place, struct kd_container **ret)
{
	_cleanup_(kd_container_close) struct kd_container *container = calloc(1, sizeof(*container));
	struct kd_error *err;

	if (!container)
		return kd_error_nomem();
	container->place = *place;
	err = read_label(place, &container->label);
	if (err)
		return err;
	if (container->label.size > kd_extents_size(place->extents))
		return kd_error_create(KD_ERR_FORMAT,
				       "the container has %" PRIu64 " bytes, and its place only %" PRIu64,
				       container->label.size, kd_extents_size(place->extents));
	err = check_end(container);
	if (err)
		return err;
	container->unit = calloc(container->label.unit_count, sizeof(*container->unit));
	container->bucket = calloc(container->label.unit_count, sizeof(*container->bucket));
	container->next = calloc(container->label.unit_count, sizeof(*container->next));
	if (!container->unit || !container->bucket || !container->next)
		return kd_error_nomem();
	err = load_table(container);
	if (err)
		return err;
	*ret = take_ptr(container);
	return NULL;
}

void kd_container_close(struct kd_container *container)
{
	if (!container)
		return;
	free(container->unit);
	free(container->bucket);
	free(container->next);
	free(container);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

int kd_container_find(const struct kd_container *container, const char *path)
{
	for (int i = 0; *path && i < KD_CONTAINER_FILES; i++)
		if (strcmp(container->file[i].path, path) == 0)
			return i;
	return -ENOENT;
}

const char *kd_container_name_in(const struct kd_container *container, int number, const char *directory)
{
	const char *path = container->file[number].path;
	size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, length) != 0 || path[length] != '/' || strchr(path + length + 1, '/'))
		return NULL;
	return path + length + 1;
}

ssize_t kd_container_read(const struct kd_container *container, int number, void *data, size_t size, uint64_t offset)
{
	const struct kd_container_file *file = &container->file[number];
	uint32_t unit_size = container->label.unit_size;

	if (offset >= file->size)
		return 0;
	size = file->size - offset < size ? file->size - offset : size;
	for (size_t done = 0, piece; done < size; done += piece) {
		uint64_t at = offset + done;
		uint32_t inside = (uint32_t)(at % unit_size);
		const struct kd_container_unit *unit = at / unit_size > UINT32_MAX ?
							       NULL :
							       kd_container_unit_of(container, number,
										    (uint32_t)(at / unit_size));
		bool is_filled = unit && inside < unit->filled;
		size_t room = (is_filled ? unit->filled : unit_size) - inside;
		int errnum = 0;

		piece = room < size - done ? room : size - done;
		if (is_filled)
			errnum = kd_container_pread(&container->place, (char *)data + done, piece,
						    kd_container_unit_offset(container, unit) + inside);
		else
			memset((char *)data + done, 0, piece);
		if (errnum)
			return errnum;
	}
	return (ssize_t)size;
}

int kd_container_sum_unit(const struct kd_container *container, const struct kd_container_unit *unit, uint32_t *ret)
{
	_cleanup_free_ char *data = malloc(CHUNK);
	uint32_t sum = 0, done, piece;

	if (!data)
		return -ENOMEM;
	for (done = 0; done < unit->filled; done += piece) {
		int errnum;

		piece = unit->filled - done < CHUNK ? unit->filled - done : CHUNK;
		errnum = kd_container_pread(&container->place, data, piece,
					    kd_container_unit_offset(container, unit) + done);
		if (errnum)
			return errnum;
		sum = kd_container_sum(sum, data, piece);
	}
	*ret = sum;
	return 0;
}

int kd_container_check(const struct kd_container *container, int number, uint32_t *checked, uint32_t *wrong)
{
	*checked = *wrong = 0;
	for (uint32_t i = 0; i < container->label.unit_count; i++) {
		const struct kd_container_unit *unit = &container->unit[i];
		uint32_t sum;
		int errnum;

		if (unit->owner != number + 1 || !(unit->flags & KD_CONTAINER_SUMMED))
			continue;
		errnum = kd_container_sum_unit(container, unit, &sum);
		if (errnum)
			return errnum;
		++*checked;
		*wrong += sum != unit->checksum;
	}
	return 0;
}

void kd_container_remove(struct kd_container *container, int number)
{
	for (uint32_t i = 0; i < container->label.unit_count; i++)
		if (container->unit[i].owner == number + 1)
			kd_container_unlink(container, &container->unit[i]);
	container->file[number] = (struct kd_container_file){ 0 };
}
