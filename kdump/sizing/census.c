/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/sizing/census.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"
#include "base/record.h"
#include "base/ranges.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/pages/page_class.h"
#include "kdump/config/collector.h"
#include "kdump/loader/memory_map.h"
#include "kdump/sizing/estimate.h"

#define RUN_PAGES  4096u
#define LOOK_PAGES (1u << 20)

/* Bits of /proc/kpageflags. */
#define FLAG(bit)     (UINT64_C(1) << (bit))
#define LRU           FLAG(5)
#define SLAB          FLAG(7)
#define BUDDY         FLAG(10)
#define ANON          FLAG(12)
#define SWAPCACHE     FLAG(13)
#define SWAPBACKED    FLAG(14)
#define COMPOUND_HEAD FLAG(15)
#define COMPOUND_TAIL FLAG(16)
#define HUGE          FLAG(17)
#define HWPOISON      FLAG(19)
#define NOPAGE        FLAG(20)
#define OFFLINE       FLAG(23)
#define PGTABLE       FLAG(26)
#define PRIVATE       FLAG(35)

static enum page_class class_of(uint64_t flags)
{
	if (flags & HWPOISON)
		return PAGE_HWPOISON;
	if (flags & SLAB)
		return PAGE_KEEP;
	if (flags & BUDDY)
		return PAGE_FREE;
	if (flags & (OFFLINE | NOPAGE))
		return PAGE_OFFLINE;
	if (flags & HUGE)
		return PAGE_USER;
	if (flags & PGTABLE)
		return PAGE_KEEP;
	if (flags & ANON)
		return PAGE_USER;
	if (!(flags & LRU) && (flags & (SWAPCACHE | SWAPBACKED)) != (SWAPCACHE | SWAPBACKED))
		return PAGE_KEEP;
	return flags & PRIVATE ? PAGE_CACHE_PRIVATE : PAGE_CACHE;
}

enum page_class census_classify(uint64_t flags, enum page_class *head)
{
	/* For a tail page the kernel shows some flags of the head. Which ones depends on its version. */
	if ((flags & COMPOUND_TAIL) && !(flags & (HWPOISON | BUDDY)) && *head != PAGE_CLASS_COUNT)
		return *head;
	*head = flags & COMPOUND_HEAD ? class_of(flags) : PAGE_CLASS_COUNT;
	return class_of(flags);
}

/* --- where RAM is ------------------------------------------------------------------------------------------------- */

/* The RAM that the capture kernel will find, which does not include its own. */
static struct kd_error *find_ram(const struct kd_sysroot *root, struct kd_ranges *ret)
{
	_cleanup_(memory_map_free) struct memory_map map = { 0 };
	struct kd_error *err = memory_map_read(root, &map);

	if (err)
		return err;
	return kd_ranges_copy(&map.ram, ret) && kd_ranges_subtract_all(ret, &map.crash) ? NULL : kd_error_nomem();
}

/* --- by flags ----------------------------------------------------------------------------------------------------- */

static bool look_at(int fd, uint64_t pfn, uint64_t count, struct census *census)
{
	enum page_class head = PAGE_CLASS_COUNT;
	uint64_t flags[RUN_PAGES], i;
	ssize_t size = kd_pread_all(fd, flags, count * sizeof(*flags), (off_t)(pfn * sizeof(*flags)));

	if (size < 0)
		return false;
	for (i = 0; i < (uint64_t)size / sizeof(*flags); i++)
		census->pages[census_classify(flags[i], &head)]++;
	census->looked_at += i;
	return true;
}

/* Look at one of every @step runs of RAM. */
static bool look_at_all(int fd, const struct kd_ranges *ram, uint64_t step, struct census *census)
{
	uint64_t run = 0, pfn;
	size_t i;

	for (i = 0; i < ram->count; i++) {
		uint64_t end = ram->range[i].end / census->page_size;

		for (pfn = ram->range[i].start / census->page_size; pfn < end; pfn += RUN_PAGES)
			if (run++ % step == 0 &&
			    !look_at(fd, pfn, end - pfn < RUN_PAGES ? end - pfn : RUN_PAGES, census))
				return false;
	}
	return census->looked_at;
}

static void scale(struct census *census)
{
	size_t i;

	for (i = 0; i < PAGE_CLASS_COUNT; i++)
		census->pages[i] =
			(uint64_t)((double)census->pages[i] * (double)census->total / (double)census->looked_at);
}

/* False: the flags cannot be read here. */
static bool count_flags(const struct kd_sysroot *root, const struct kd_ranges *ram, struct census *census)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, "/proc/kpageflags", O_RDONLY);

	if (fd < 0 || !census->total || !look_at_all(fd, ram, (census->total + LOOK_PAGES - 1) / LOOK_PAGES, census))
		return false;
	if (census->looked_at < census->total)
		scale(census);
	return true;
}

/* --- by sums ------------------------------------------------------------------------------------------------------ */

static uint64_t get_pages(const char *meminfo, const char *key, uint64_t page_size)
{
	uint64_t bytes = 0;

	return kd_proc_figure(meminfo, key, &bytes) ? bytes / page_size : 0;
}

/* /proc/meminfo does not tell which cache has private data, so all cache counts as the class that is kept longer. */
static struct kd_error *count_sums(const struct kd_sysroot *root, struct census *census)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read(root, "/proc/meminfo", &text, NULL);
	uint64_t known, size = census->page_size;

	if (err)
		return err;
	memset(census->pages, 0, sizeof(census->pages));
	census->total = get_pages(text, "MemTotal", size);
	census->pages[PAGE_FREE] = get_pages(text, "MemFree", size);
	census->pages[PAGE_CACHE_PRIVATE] = get_pages(text, "Buffers", size) + get_pages(text, "Cached", size);
	census->pages[PAGE_USER] = get_pages(text, "AnonPages", size) + get_pages(text, "Hugetlb", size);
	known = census->pages[PAGE_FREE] + census->pages[PAGE_CACHE_PRIVATE] + census->pages[PAGE_USER];
	if (!census->total)
		return kd_error_create(KD_ERR_FORMAT, "/proc/meminfo has no MemTotal");
	census->pages[PAGE_KEEP] = known < census->total ? census->total - known : 0;
	census->looked_at = census->total;
	return NULL;
}

/* MemFree counts some free memory that has no flags: memory that a confidential guest never accepted, and memory whose
 * struct pages the kernel sets up only when they are needed (seen with a 6.18 built for micro-VMs, deferred_init=lazy:
 * 1.9 GiB in one piece read as 0). The free lists are not the cause: each page of a free block has BUDDY, also since
 * 6.17, where stable_page_flags() works on a copy (snapshot_page()). Pages in the lists of single CPUs count in MemFree
 * and have no flag, so a small difference is no reason to doubt the flags. */
static struct kd_error *correct_free(const struct kd_sysroot *root, struct census *census)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read(root, "/proc/meminfo", &text, NULL);
	uint64_t unused = err ? 0 : get_pages(text, "MemFree", census->page_size), missing;

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	if (err || unused <= census->pages[PAGE_FREE] + census->total / 16)
		return err;
	missing = unused - census->pages[PAGE_FREE];
	if (missing > census->pages[PAGE_KEEP])
		missing = census->pages[PAGE_KEEP];
	census->pages[PAGE_KEEP] -= missing;
	census->pages[PAGE_FREE] += missing;
	return NULL;
}

struct kd_error *census_take(const struct kd_sysroot *root, struct census *ret)
{
	_cleanup_(kd_ranges_free) struct kd_ranges ram = { 0 };
	struct census census = { .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
	struct kd_error *err = find_ram(root, &ram);

	if (err && err->code == KD_ERR_NOMEM)
		return err;
	kd_error_destroy(err);
	census.total = kd_ranges_total(&ram) / census.page_size;
	census.flags = count_flags(root, &ram, &census);
	if (!census.flags)
		err = count_sums(root, &census);
	else
		err = correct_free(root, &census);
	if (err)
		return err;
	*ret = census;
	return NULL;
}

/* --- the dump ----------------------------------------------------------------------------------------------------- */

#define PAGE_DESC_SIZE 24

static bool same_words(const char *text, char *const *argv)
{
	for (; *argv; argv++) {
		size_t length = strlen(*argv);

		if (strncmp(text, *argv, length) != 0 || text[length] != (argv[1] ? ' ' : '\0'))
			return false;
		text += length + (argv[1] != NULL);
	}
	return true;
}

static uint64_t get_number(struct json_object *object, const char *key)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
		return 0;
	number = json_object_get_int64(value);
	return number > 0 ? (uint64_t)number : 0;
}

/* The compression of the last capture; 0: there is none with this collector, or its report is not valid. */
static unsigned int recorded_permil(const struct kd_sysroot *root, char *const *collector)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_record_read(root, LAST_CAPTURE_PATH, &text);
	struct json_object *report = err ? NULL : json_tokener_parse(text), *words, *pages;
	double size, written, ratio = 0;

	kd_error_destroy(err);
	if (json_object_object_get_ex(report, "collector", &words) && json_object_is_type(words, json_type_string) &&
	    same_words(json_object_get_string(words), collector) &&
	    json_object_object_get_ex(report, "pages", &pages)) {
		size = (double)get_number(report, "vmcore_size");
		written = (double)get_number(pages, "written") * (double)get_number(pages, "page_size");
		ratio = written > 0 ? size / written * 1000 : 0;
	}
	json_object_put(report);
	return ratio >= 1 && ratio <= 1100 ? (unsigned int)ratio : 0;
}

/* makedumpfile compresses only if an option says so. */
static unsigned int usual_permil(const struct dumpfilter_command *command, const char *program)
{
	const struct codec *codec = command->options.codec;

	if (!codec || (!command->codec_given && !collector_is_dumpfilter(program)))
		return 1000;
	return codec->option == 'c' || codec->option == 'z' ? 350 : 450;
}

void census_estimate(const struct kd_sysroot *root, const struct census *census, char *const *collector,
		     struct census_dump *ret)
{
	struct dumpfilter_command command = { 0 };
	struct census_dump dump = { 0 };
	unsigned int recorded;
	struct kd_error *err;
	int argc, class;

	for (argc = 0; collector[argc]; argc++)
		;
	/* makedumpfile has the same options. Its -F and -E are not known here, and change the size little. */
	err = dumpfilter_parse_command(argc, collector, &command);
	dump.permil = err ? 1000 : usual_permil(&command, collector[0]);
	dump.level = err ? 0 : command.options.level;
	kd_error_destroy(err);
	for (class = 0; class < PAGE_CLASS_COUNT; class ++)
		if (!page_class_dropped(class, dump.level))
			dump.pages += census->pages[class];
	recorded = recorded_permil(root, collector);
	dump.measured = recorded;
	if (recorded)
		dump.permil = recorded;
	dump.bytes = dump.pages * census->page_size / 1000 * dump.permil + dump.pages * PAGE_DESC_SIZE +
		     census->total / 4;
	*ret = dump;
}
