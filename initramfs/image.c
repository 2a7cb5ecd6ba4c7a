/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/image.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include "base/array.h"
#include "base/decompress.h"
#include "base/visible.h"
#include "initramfs/hash.h"

/* Change this when the same list gives a different archive. */
#define IMAGE_FORMAT "kdump-initramfs 1"

/* zlib's level 9 takes ten times as long as 6 on kernel modules and saves 0.8 %. */
#define GZIP_LEVEL    6
#define EXPANDED_MAX  ((size_t)256 << 20)
#define UNPACKED_PAGE 4096

struct entry {
	char *path;
	mode_t mode; /* type and permissions */
	enum image_store store;
	void *data; /* content of a file, target of a symbolic link */
	size_t size;
	dev_t device;
};

struct image {
	struct entry *entry;
	size_t count;
	size_t capacity;
};

/* Rows of enum image_compression. */
static const struct {
	const char *name;
	const char *kernel_config; /* the option that the kernel needs as "=y"; NULL: every kernel can expand it */
	int (*add_filter)(struct archive *archive);
	const char *options; /* of the filter: no times in the output */
} compressions[] = {
	[IMAGE_COMPRESSION_NONE] = { "none", NULL, archive_write_add_filter_none, NULL },
	[IMAGE_COMPRESSION_GZIP] = { "gzip", "CONFIG_RD_GZIP", archive_write_add_filter_gzip,
				     "gzip:!timestamp,gzip:compression-level=6" },
	/* The kernel allocates the window, which is half a MiB at level 1 and 8 MiB at level 9. */
	[IMAGE_COMPRESSION_ZSTD] = { "zstd", "CONFIG_RD_ZSTD", archive_write_add_filter_zstd,
				     "zstd:compression-level=1" },
};
#define COMPRESSION_COUNT ARRAY_SIZE(compressions)

bool image_compression_parse(const char *name, enum image_compression *ret)
{
	size_t i;

	for (i = 0; i < COMPRESSION_COUNT; i++) {
		if (strcmp(name, compressions[i].name) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

const char *image_compression_config(enum image_compression compression)
{
	return compressions[compression].kernel_config;
}

struct kd_error *image_new(struct image **ret)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		return kd_error_nomem();
	*ret = image;
	return NULL;
}

static void entry_free(struct entry *entry)
{
	free(entry->path);
	free(entry->data);
}

void image_free(struct image *image)
{
	size_t i;

	if (!image)
		return;
	for (i = 0; i < image->count; i++)
		entry_free(&image->entry[i]);
	free(image->entry);
	free(image);
}

static const struct entry *find(const struct image *image, const char *path)
{
	size_t i;

	for (i = 0; i < image->count; i++) {
		if (strcmp(image->entry[i].path, path) == 0)
			return &image->entry[i];
	}
	return NULL;
}

/* Take over @entry, also on failure. */
static struct kd_error *append(struct image *image, struct entry entry)
{
	const struct entry *old;

	if (!entry.path) {
		entry_free(&entry);
		return kd_error_nomem();
	}
	old = find(image, entry.path);
	if (old) {
		bool same_kind = (old->mode & S_IFMT) == (entry.mode & S_IFMT);
		struct kd_error *err = NULL;

		if (!same_kind)
			err = kd_error_create(KD_ERR_FORMAT, "%s would be two kinds of file in the initramfs",
					      entry.path);
		entry_free(&entry);
		return err;
	}
	if (image->count == image->capacity) {
		size_t capacity = image->capacity ? image->capacity * 2 : 32;
		struct entry *grown = reallocarray(image->entry, capacity, sizeof(*grown));

		if (!grown) {
			entry_free(&entry);
			return kd_error_nomem();
		}
		image->entry = grown;
		image->capacity = capacity;
	}
	image->entry[image->count++] = entry;
	return NULL;
}

static struct kd_error *add_parents(struct image *image, const char *path)
{
	struct kd_error *err = NULL;
	const char *slash;

	if (path[0] != '/' || path[1] == '\0')
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not a path for the initramfs", path);
	for (slash = strchr(path + 1, '/'); slash && !err; slash = strchr(slash + 1, '/'))
		err = append(image, (struct entry){ .path = strndup(path, slash - path), .mode = S_IFDIR | 0755 });
	return err;
}

static struct kd_error *add(struct image *image, struct entry entry, const char *path)
{
	struct kd_error *err = add_parents(image, path);

	if (err) {
		entry_free(&entry);
		return err;
	}
	entry.path = strdup(path);
	return append(image, entry);
}

struct kd_error *image_add_file(struct image *image, const char *path, mode_t mode, enum image_store store, void *data,
				size_t size)
{
	struct entry entry = { .mode = S_IFREG | mode, .store = store, .data = data, .size = size };

	return add(image, entry, path);
}

struct kd_error *image_add_directory(struct image *image, const char *path, mode_t mode)
{
	return add(image, (struct entry){ .mode = S_IFDIR | mode }, path);
}

struct kd_error *image_add_symlink(struct image *image, const char *path, const char *target)
{
	struct entry entry = { .mode = S_IFLNK | 0777, .data = strdup(target), .size = strlen(target) };

	return entry.data ? add(image, entry, path) : kd_error_nomem();
}

struct kd_error *image_add_character_device(struct image *image, const char *path, mode_t mode, unsigned int major,
					    unsigned int minor)
{
	return add(image, (struct entry){ .mode = S_IFCHR | mode, .device = makedev(major, minor) }, path);
}

/* A directory sorts before what is in it. */
static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static void sort(struct image *image)
{
	qsort(image->entry, image->count, sizeof(*image->entry), compare_paths);
}

static void hash_u64(struct kd_sha256 *sha, uint64_t value)
{
	uint8_t bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = value >> (8 * i);
	kd_sha256_update(sha, bytes, sizeof(bytes));
}

void image_hash(struct image *image, enum image_compression compression, char ret[static HASH_TEXT_SIZE])
{
	struct kd_sha256 sha;
	size_t i;

	sort(image);
	kd_sha256_init(&sha);
	kd_sha256_update(&sha, IMAGE_FORMAT, sizeof(IMAGE_FORMAT));
	hash_u64(&sha, compression);
	for (i = 0; i < image->count; i++) {
		const struct entry *entry = &image->entry[i];

		kd_sha256_update(&sha, entry->path, strlen(entry->path) + 1);
		hash_u64(&sha, entry->mode);
		hash_u64(&sha, entry->store);
		hash_u64(&sha, entry->device);
		hash_u64(&sha, entry->size);
		if (entry->size)
			kd_sha256_update(&sha, entry->data, entry->size);
	}
	hash_final(&sha, ret);
}

static struct kd_error *gzip(const void *data, size_t size, const char *what, void **ret, size_t *size_ret)
{
	z_stream stream = { 0 };
	_cleanup_free_ void *out = NULL;
	unsigned long bound;

	if (size > UINT_MAX / 2)
		return kd_error_create(KD_ERR_LIMIT, "%s is too large", what);
	/* 15 + 16: the largest window, with a gzip header. */
	if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return kd_error_nomem();
	bound = deflateBound(&stream, size);
	out = malloc(bound);
	if (!out) {
		deflateEnd(&stream);
		return kd_error_nomem();
	}
	stream.next_in = (Bytef *)(uintptr_t)data;
	stream.avail_in = size;
	stream.next_out = out;
	stream.avail_out = bound;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
		deflateEnd(&stream);
		return kd_error_create(KD_ERR_LIMIT, "cannot compress %s", what);
	}
	deflateEnd(&stream);
	*ret = take_ptr(out);
	*size_ret = stream.total_out;
	return NULL;
}

/* The bytes to store for @entry; *ret stays NULL when the entry's own bytes are stored. */
static struct kd_error *stored_bytes(const struct entry *entry, void **ret, size_t *size_ret)
{
	_cleanup_free_ void *expanded = NULL;
	kd_decompress_fn *decompress;
	struct kd_error *err = NULL;
	size_t size = entry->size;

	*size_ret = entry->size;
	if (entry->store == IMAGE_STORE_PLAIN)
		return NULL;
	decompress = kd_decompress_probe(entry->data, entry->size);
	if (decompress == kd_decompress_gzip)
		return NULL; /* is stored as it is */
	if (decompress)
		err = decompress(entry->data, entry->size, EXPANDED_MAX, entry->path, &expanded, &size);
	if (err)
		return err;
	return gzip(expanded ? expanded : entry->data, size, entry->path, ret, size_ret);
}

static struct kd_error *archive_failure(struct archive *archive, const char *what)
{
	const char *text = archive_error_string(archive);

	return kd_error_create(KD_ERR_OS, "cannot archive %s: %s", what, text ? text : "unknown error");
}

static struct kd_error *write_entry(struct archive *archive, struct archive_entry *header, const struct entry *entry,
				    size_t index, uint64_t *unpacked)
{
	_cleanup_free_ void *made = NULL;
	struct kd_error *err;
	size_t size = 0;

	err = stored_bytes(entry, &made, &size);
	if (err)
		return err;
	archive_entry_clear(header);
	archive_entry_set_pathname(header, entry->path + 1);
	archive_entry_set_mode(header, entry->mode);
	archive_entry_set_nlink(header, 1);
	archive_entry_set_ino64(header, index + 1);
	archive_entry_set_mtime(header, 0, 0);
	archive_entry_set_size(header, 0);
	if (S_ISLNK(entry->mode))
		archive_entry_set_symlink(header, entry->data);
	else if (S_ISCHR(entry->mode))
		archive_entry_set_rdev(header, entry->device);
	else if (S_ISREG(entry->mode))
		archive_entry_set_size(header, size);
	if (archive_write_header(archive, header) != ARCHIVE_OK)
		return archive_failure(archive, entry->path);
	if (!S_ISREG(entry->mode) || !size)
		return NULL;
	if (archive_write_data(archive, made ? made : entry->data, size) != (ssize_t)size)
		return archive_failure(archive, entry->path);
	*unpacked += (size + UNPACKED_PAGE - 1) / UNPACKED_PAGE * UNPACKED_PAGE;
	return NULL;
}

static struct kd_error *write_archive(struct image *image, enum image_compression compression, struct archive *archive,
				      struct archive_entry *header, FILE *out, uint64_t *unpacked)
{
	struct kd_error *err = NULL;
	size_t i;

	if (archive_write_set_format_cpio_newc(archive) != ARCHIVE_OK ||
	    compressions[compression].add_filter(archive) != ARCHIVE_OK ||
	    archive_write_set_options(archive, compressions[compression].options) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open_FILE(archive, out) != ARCHIVE_OK)
		return archive_failure(archive, "the initramfs");
	for (i = 0; i < image->count && !err; i++)
		err = write_entry(archive, header, &image->entry[i], i, unpacked);
	if (!err && archive_write_close(archive) != ARCHIVE_OK)
		err = archive_failure(archive, "the initramfs");
	return err;
}

struct kd_error *image_build(struct image *image, enum image_compression compression, void **ret, size_t *size_ret,
			     uint64_t *unpacked_ret)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *header = archive_entry_new();
	_cleanup_free_ char *data = NULL;
	struct kd_error *err;
	uint64_t unpacked = 0;
	size_t size = 0;
	FILE *out = open_memstream(&data, &size);

	sort(image);
	err = archive && header && out ? write_archive(image, compression, archive, header, out, &unpacked) :
					 kd_error_nomem();
	archive_entry_free(header);
	archive_write_free(archive);
	if (out && fclose(out) != 0 && !err)
		err = kd_error_nomem();
	if (err)
		return err;
	*ret = take_ptr(data);
	*size_ret = size;
	*unpacked_ret = unpacked;
	return NULL;
}

static struct kd_error *list_entries(struct archive *archive, const char *path, FILE *out)
{
	struct archive_entry *entry;
	int r;

	if (archive_read_support_filter_all(archive) != ARCHIVE_OK ||
	    archive_read_support_format_cpio(archive) != ARCHIVE_OK ||
	    archive_read_open_filename(archive, path, 1 << 16) != ARCHIVE_OK)
		return kd_error_create(KD_ERR_OS, "cannot read %s: %s", path, archive_error_string(archive));
	while ((r = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
		const char *target = archive_entry_symlink(entry);

		fprintf(out, "%s %9" PRId64 " /", archive_entry_strmode(entry), (int64_t)archive_entry_size(entry));
		kd_visible_put(out, archive_entry_pathname(entry), false);
		fputs(target ? " -> " : "", out);
		kd_visible_put(out, target ? target : "", false);
		fputc('\n', out);
	}
	if (r != ARCHIVE_EOF)
		return kd_error_create(KD_ERR_FORMAT, "%s: %s", path, archive_error_string(archive));
	return NULL;
}

struct kd_error *image_list(const char *path, FILE *out)
{
	struct archive *archive = archive_read_new();
	struct kd_error *err;

	if (!archive)
		return kd_error_nomem();
	err = list_entries(archive, path, out);
	archive_read_free(archive);
	return err;
}
