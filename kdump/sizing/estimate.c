/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/sizing/estimate.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/record.h"
#include "base/text.h"
#include "base/trust.h"
#include "kdump/boot/crashkernel.h"
#include "kdump/loader/image.h"
#include "kdump/loader/loader.h"
#include "kdump/sizing/need.h"

#define MARGIN         KD_MIB(16) /* beyond the need: crashes differ, and drivers allocate more under load */
#define STEP           KD_MIB(8)  /* recommendations are multiples of this: they should not change with each capture */
#define FILTER_BUFFERS KD_MIB(5)  /* resident size of the filter without its bitmaps, measured: 4.6 MiB */
#define ASSUMED_IMAGE  KD_MIB(4)  /* two to four times the images that were measured */
#define LARGE_MODULE   KD_MIB(1)
#define WASTE          KD_MIB(128)
#define PAGE_SIZE      4096
#define REPORT_MAX     KD_MIB(1)
#define REPORTS_MAX    4096

/* --- kernel and image --------------------------------------------------------------------------------------------- */

static struct kd_error *read_kernel(const struct estimate_request *request, struct estimate *estimate)
{
	struct kernel_image image = { 0 };
	struct kd_error *err = kernel_image_read(request->root, request->kernel, &image);

	if (err)
		return err;
	estimate->kernel = image.mem_size;
	kernel_image_free(&image);
	return NULL;
}

static void note_module(struct estimate *estimate, const char *path, uint64_t size)
{
	const char *name = strrchr(path, '/');
	size_t i;

	name = name ? name + 1 : path;
	if (size < LARGE_MODULE)
		return;
	for (i = estimate->large_count; i > 0 && estimate->large[i - 1].size < size; i--)
		if (i < ESTIMATE_LARGE_MODULES)
			estimate->large[i] = estimate->large[i - 1];
	if (i == ESTIMATE_LARGE_MODULES)
		return;
	snprintf(estimate->large[i].name, sizeof(estimate->large[i].name), "%.*s", (int)strcspn(name, "."), name);
	estimate->large[i].size = size;
	if (estimate->large_count < ESTIMATE_LARGE_MODULES)
		estimate->large_count++;
}

/* The last four bytes of a gzip member are the size that it expands to (RFC 1952, ISIZE). */
static bool read_isize(struct archive *archive, uint64_t size, uint64_t *ret)
{
	uint8_t block[16384], tail[4] = { 0 };
	uint64_t seen = 0;
	ssize_t n, i;

	if (size < 18)
		return false;
	while ((n = archive_read_data(archive, block, sizeof(block))) > 0) {
		for (i = n > 4 ? n - 4 : 0; i < n; i++) {
			memmove(tail, tail + 1, 3);
			tail[3] = block[i];
		}
		seen += n;
	}
	*ret = tail[0] | (uint64_t)tail[1] << 8 | (uint64_t)tail[2] << 16 | (uint64_t)tail[3] << 24;
	return n == 0 && seen == size;
}

static uint64_t whole_pages(uint64_t size)
{
	return (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
}

/* Programs and libraries are members that are executable (initramfs/elf_closure.c). */
static bool is_program(struct archive_entry *entry, const char *path, size_t length)
{
	return length > 3 && strcmp(path + length - 3, ".gz") == 0 && (archive_entry_mode(entry) & 0111);
}

/* What the member @path of @size bytes will take beyond those. */
static bool add_program(struct archive *archive, uint64_t size, struct estimate *estimate)
{
	uint64_t expanded;

	if (!read_isize(archive, size, &expanded))
		return false;
	if (expanded > size)
		estimate->programs += whole_pages(expanded) - whole_pages(size);
	return true;
}

/* Add the sizes of the unpacked files. False: it is not an archive. */
static bool add_contents(struct archive *archive, struct estimate *estimate)
{
	struct archive_entry *entry;
	int result;

	while ((result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);
		uint64_t size = archive_entry_size(entry) > 0 ? archive_entry_size(entry) : 0, expanded = size;
		size_t length = path ? strlen(path) : 0;

		estimate->initramfs += whole_pages(size);
		if (is_program(entry, path, length) && !add_program(archive, size, estimate))
			return false;
		if (length < 3 || !strstr(path, "lib/modules/"))
			continue;
		if (strcmp(path + length - 3, ".gz") == 0 && !read_isize(archive, size, &expanded))
			return false;
		estimate->modules += whole_pages(expanded);
		note_module(estimate, path, expanded);
	}
	return result == ARCHIVE_EOF;
}

/* False: there is no image, or it cannot be read. */
static bool read_image(const struct estimate_request *request, struct estimate *estimate)
{
	_cleanup_close_ int fd = request->initrd ?
					 kd_sysroot_open_file(request->root, request->initrd, O_RDONLY | O_NONBLOCK) :
					 -1;
	struct archive *archive;
	struct stat st;
	bool known;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return false;
	archive = archive_read_new();
	if (!archive)
		return false;
	known = archive_read_support_format_cpio(archive) == ARCHIVE_OK &&
		archive_read_support_filter_all(archive) >= ARCHIVE_WARN &&
		archive_read_open_fd(archive, fd, 65536) == ARCHIVE_OK && add_contents(archive, estimate);
	archive_read_free(archive);
	if (known)
		estimate->initramfs += whole_pages(st.st_size);
	return known;
}

static void assume_image(struct estimate *estimate)
{
	estimate->assumed_image = true;
	estimate->initramfs = 2 * ASSUMED_IMAGE;
	estimate->modules = ASSUMED_IMAGE;
	estimate->large_count = 0;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static struct kd_error *read_elfcorehdr(const struct kd_sysroot *root, uint64_t *ret)
{
	struct kd_error *err = kd_sysroot_read_u64(root, 10, ret, "/sys/kernel/crash_elfcorehdr_size");

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		err = NULL;
	}
	return err;
}

/* The highest number of a CPU that the machine has, plus one: "0-3,8" -> 9. */
static unsigned int count_cpus(const struct kd_sysroot *root)
{
	_cleanup_free_ char *list = NULL;
	uint64_t last = 0;
	const char *p;

	if (kd_error_discard(kd_sysroot_read_line(root, &list, "/sys/devices/system/cpu/present")))
		return 1;
	for (p = list; *p; p += strcspn(p, "-,"), p += strspn(p, "-,"))
		last = strtoul(p, NULL, 10);
	return last + 1;
}

static void compute(const struct estimate_request *request, struct estimate *estimate)
{
	const struct need_facts facts = {
		.init_size = estimate->kernel,
		.initramfs = estimate->initramfs,
		.modules = estimate->modules,
		.programs = estimate->programs,
		.elfcorehdr = estimate->elfcorehdr,
		.ram = estimate->ram,
		.cpus = request->cmdline ? need_cpus(request->cmdline, count_cpus(request->root)) : 1,
	};
	struct need need = need_compute(&facts);

	estimate->early = need.early;
	estimate->mem_map = need.mem_map;
	estimate->filter = need.filter;
	estimate->computed = need.total;
}

static uint64_t file_size(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void compute_return(const struct estimate_request *request, struct estimate *estimate)
{
	if (request->return_kernel && request->return_initrd)
		estimate->returning = loader_return_need(estimate->kernel,
							 file_size(request->root, request->return_kernel),
							 file_size(request->root, request->return_initrd));
}

/* --- recorded captures -------------------------------------------------------------------------------------------- */

struct recorded {
	char *path;
	int64_t time;
	uint64_t total, peak;
};

static bool get_size(struct json_object *object, const char *key, uint64_t *ret)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
		return false;
	number = json_object_get_int64(value);
	if (number <= 0)
		return false;
	*ret = number;
	return true;
}

/* Is this the report of a capture by kernel @release that has measured its memory? */
static bool parse_report(const char *text, const char *release, struct recorded *ret)
{
	struct json_object *report = json_tokener_parse(text), *kernel, *memory, *name;
	bool good;

	good = json_object_object_get_ex(report, "kernel", &kernel) &&
	       json_object_object_get_ex(kernel, "release", &name) && json_object_is_type(name, json_type_string) &&
	       strcmp(json_object_get_string(name), release) == 0 &&
	       json_object_object_get_ex(report, "memory", &memory) && get_size(memory, "total", &ret->total) &&
	       get_size(memory, "peak", &ret->peak) && ret->peak < ret->total;
	json_object_put(report);
	return good;
}

/* Take the report in @fd if it is newer than @newest, and root alone can have written it. @path becomes its name, or is
 * freed. */
static void take_report(int fd, char *path, const char *release, struct recorded *newest)
{
	_cleanup_free_ char *name = path, *text = NULL;
	struct recorded found = { 0 };
	struct stat st;

	if (!name || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !kd_is_trusted(&st) ||
	    (uint64_t)st.st_size > REPORT_MAX || (newest->path && st.st_mtime <= newest->time))
		return;
	text = calloc(1, st.st_size + 1);
	if (!text || kd_read_all(fd, text, st.st_size) != st.st_size || !parse_report(text, release, &found))
		return;
	found.time = st.st_mtime;
	found.path = take_ptr(name);
	free(newest->path);
	*newest = found;
}

/* Consider the report of the dump in directory @name. Links are not followed. False: it is not a directory, or others
 * than root can write to it. */
static bool consider(int dumps, const char *directory, const char *name, const char *release, struct recorded *newest)
{
	_cleanup_close_ int dir = openat(dumps, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	static const char *const files[] = { "report.json", "public.json" };
	_cleanup_close_ int fd = -1;
	const char *file = NULL;
	char *path = NULL;
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0 || !kd_is_trusted(&st))
		return false;
	/* Of an encrypted dump, public.json has what may be read; not without "memory" in encrypt_public. */
	for (size_t i = 0; i < ARRAY_SIZE(files) && fd < 0; i++) {
		file = files[i];
		fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	}
	if (!kd_error_discard(kd_format(&path, "%s/%s/%s", directory, name, file)))
		take_report(fd, path, release, newest);
	return true;
}

/* Dumps are deleted, but the report of the last one is kept. */
static void consider_last(const struct estimate_request *request, struct recorded *newest)
{
	_cleanup_close_ int fd = -1;

	if (!kd_error_discard(kd_record_open(request->root, LAST_CAPTURE_PATH, &fd)))
		take_report(fd, strdup(LAST_CAPTURE_PATH), request->release, newest);
}

static void find_recorded(const struct estimate_request *request, struct recorded *newest)
{
	_cleanup_closedir_ DIR *dir = request->dumps ? kd_sysroot_open_dir(request->root, request->dumps) : NULL;
	unsigned int seen = 0;
	const char *name;

	/* What others put there does not count towards the limit. */
	while (dir && seen < REPORTS_MAX && (name = kd_next_entry(dir)))
		seen += consider(dirfd(dir), request->dumps, name, request->release, newest);
}

/* The kernel kept the difference between the reservation and MemTotal for itself. If the reservation has changed since,
 * that difference may be absurd; then init_size is used, which is a little more than what a kernel keeps. */
static uint64_t kept_by_kernel(const struct estimate *estimate, const struct recorded *recorded)
{
	uint64_t kept = estimate->reserved > recorded->total ? estimate->reserved - recorded->total : 0;
	uint64_t most = estimate->kernel + estimate->elfcorehdr + estimate->reserved / 32;

	return kept >= estimate->kernel / 2 && kept <= most ? kept : estimate->kernel;
}

static void use_recorded(const struct estimate_request *request, struct estimate *estimate)
{
	/* Nothing is recorded before the first process runs, when the whole kernel and two images are in memory. */
	uint64_t boot = estimate->kernel + estimate->initramfs + estimate->elfcorehdr + estimate->early +
			estimate->mem_map;
	struct recorded newest = { 0 };

	find_recorded(request, &newest);
	if (!newest.path)
		consider_last(request, &newest);
	if (!newest.path)
		return;
	estimate->report = newest.path;
	estimate->recorded_at = newest.time;
	estimate->recorded_peak = newest.peak;
	estimate->recorded = kept_by_kernel(estimate, &newest) + newest.peak;
	if (estimate->recorded < boot)
		estimate->recorded = boot;
}

/* --- the result --------------------------------------------------------------------------------------------------- */

static void recommend(struct estimate *estimate)
{
	uint64_t usual = crashkernel_setting_size(crashkernel_default(), estimate->ram);

	estimate->need = estimate->recorded ? estimate->recorded : estimate->computed;
	if (estimate->need < estimate->returning)
		estimate->need = estimate->returning;
	estimate->recommended = (estimate->need + MARGIN + STEP - 1) / STEP * STEP;
	if (!estimate->recorded && estimate->recommended < usual)
		estimate->recommended = usual;
}

struct kd_error *estimate_make(const struct estimate_request *request, struct estimate *ret)
{
	struct estimate estimate = { 0 };
	struct kd_error *err;

	err = loader_crash_size(request->root, &estimate.reserved);
	if (!err)
		err = crashkernel_ram(request->root, &estimate.ram);
	if (!err)
		err = read_kernel(request, &estimate);
	if (!err)
		err = read_elfcorehdr(request->root, &estimate.elfcorehdr);
	if (err)
		return kd_error_wrap(err, "cannot tell how much memory the capture needs");
	if (!read_image(request, &estimate))
		assume_image(&estimate);
	compute(request, &estimate);
	use_recorded(request, &estimate);
	compute_return(request, &estimate);
	recommend(&estimate);
	*ret = estimate;
	return NULL;
}

void estimate_free(struct estimate *estimate)
{
	free(estimate->report);
	*estimate = (struct estimate){ 0 };
}

enum estimate_verdict estimate_judge(const struct estimate *estimate)
{
	if (!estimate->reserved)
		return ESTIMATE_NOTHING;
	if (estimate->reserved < estimate->need)
		return ESTIMATE_SMALL;
	if (estimate->reserved > 2 * estimate->recommended && estimate->reserved - estimate->recommended > WASTE)
		return ESTIMATE_WASTEFUL;
	return ESTIMATE_FITS;
}
