/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/dumpfilter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dumpfilter/address_space.h"
#include "dumpfilter/arch.h"
#include "dumpfilter/codec.h"
#include "dumpfilter/dmesg.h"
#include "dumpfilter/mem_map.h"
#include "dumpfilter/output.h"
#include "dumpfilter/page_class.h"
#include "dumpfilter/page_filter.h"
#include "dumpfilter/pfn_bitmap.h"
#include "dumpfilter/pipeline.h"
#include "dumpfilter/vmcore.h"
#include "dumpfilter/vmcoreinfo.h"
#include "dumpfilter/writer.h"

#define LEVEL_ZERO 1u
#define LEVEL_MAX  31u
/* Above this (256 GiB of RAM) the bitmaps for the order of writing would cost too much of the capture kernel's
 * memory, and only what the filter itself walked is written early. */
#define ORDER_BITMAP_MAX (UINT64_C(8) << 20)

/* A vmcore, opened; and the kernel's memory in it, as far as that can be made sense of. */
struct crash {
	struct vmcore *vmcore;
	struct vmcoreinfo info;
	struct address_space space;
	const char *machine;
};

/* The pages of one dump. */
struct selection {
	uint64_t end_pfn;
	struct pfn_bitmap kept, early, late;
};

static void crash_close(struct crash *crash)
{
	address_space_release(&crash->space);
	vmcore_close(crash->vmcore);
	crash->vmcore = NULL;
}
static inline void crash_close_cleanup(struct crash *crash)
{
	crash_close(crash);
}

static void selection_release(struct selection *selection)
{
	pfn_bitmap_release(&selection->kept);
	pfn_bitmap_release(&selection->early);
	pfn_bitmap_release(&selection->late);
}
static inline void selection_release_cleanup(struct selection *selection)
{
	selection_release(selection);
}

static struct kd_error *crash_open(struct crash *crash, const char *path)
{
	struct kd_error *err = vmcore_open(path, &crash->vmcore);

	if (err)
		return err;
	if (!arch_find(vmcore_machine(crash->vmcore)))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: dumps of ELF machine %u are not supported", path,
				       vmcore_machine(crash->vmcore));
	if (vmcore_is_xen(crash->vmcore))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: dumps of a Xen control domain are not supported", path);
	crash->machine = arch_find(vmcore_machine(crash->vmcore))->machine;
	crash->info.text = vmcore_vmcoreinfo(crash->vmcore, &crash->info.size);
	return NULL;
}

/* All pages that the file has. */
static void select_all(const struct crash *crash, const struct dumpfilter_options *options, struct selection *selection)
{
	pfn_bitmap_set_ranges(&selection->kept, vmcore_contents(crash->vmcore), crash->space.page_size,
			      options->strict_compat);
}

static struct kd_error *selection_init(struct selection *selection, const struct crash *crash,
				       const struct dumpfilter_options *options)
{
	uint64_t page_size = crash->space.page_size, end = vmcore_end_paddr(crash->vmcore);

	selection->end_pfn = end / page_size + (end % page_size != 0);
	if (!pfn_bitmap_init(&selection->kept, selection->end_pfn) ||
	    !pfn_bitmap_init(&selection->early, selection->end_pfn) ||
	    !pfn_bitmap_init(&selection->late, selection->end_pfn))
		return kd_error_create(KD_ERR_NOMEM, "%s: no memory for the bitmaps of %lu page frames",
				       vmcore_path(crash->vmcore), selection->end_pfn);
	select_all(crash, options, selection);
	return NULL;
}

/* The frames that were walked hold the kernel's most basic data. */
static bool walked_are_kept(const struct crash *crash, const struct selection *selection)
{
	const struct kd_ranges *walked = &crash->space.walked;
	uint64_t page_size = crash->space.page_size;

	for (size_t i = 0; i < walked->count; i++) {
		uint64_t start = walked->range[i].start / page_size, end = walked->range[i].end / page_size;

		if (pfn_bitmap_count(&selection->kept, start, end) != end - start)
			return false;
	}
	return true;
}

static struct kd_error *filter(struct crash *crash, const struct dumpfilter_options *options,
			       struct selection *selection, struct dumpfilter_report *report)
{
	_cleanup_(mem_map_release) struct mem_map map = { 0 };
	struct page_rules rules;
	bool order = selection->end_pfn / 8 <= ORDER_BITMAP_MAX;
	struct page_filter pass = {
		.level = options->level,
		.kept = &selection->kept,
		.early = order ? &selection->early : NULL,
		.late = order ? &selection->late : NULL,
	};
	struct kd_error *err = page_rules_init(&rules, &crash->info, options->log);

	if (!err)
		err = mem_map_init(&map, &crash->space, selection->end_pfn);
	if (err)
		return err;
	page_filter_run(&pass, &rules, &map);
	if (!walked_are_kept(crash, selection)) {
		/* Poison is a matter of the machine's safety, not of the rules. */
		select_all(crash, options, selection);
		pass = (struct page_filter){ .poison_only = true, .kept = &selection->kept };
		page_filter_run(&pass, &rules, &map);
		report->pages[PAGE_HWPOISON] = pass.pages[PAGE_HWPOISON];
		return kd_error_create(KD_ERR_FORMAT, "the rules would drop the kernel's own page tables or mem_map");
	}
	for (size_t i = 0; i < PAGE_CLASS_COUNT; i++)
		report->pages[i] = pass.pages[i];
	return NULL;
}

/* What whoever opens the dump needs first: the kernel image (its page tables, logs and global data), and what was
 * walked, mem_map included. */
static void mark_early(struct crash *crash, struct selection *selection)
{
	const struct paging *paging = &crash->space.paging;
	const struct kd_ranges *walked = &crash->space.walked;
	uint64_t page_size = crash->space.page_size;
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(crash->vmcore, &count);

	for (size_t i = 0; i < count; i++)
		if (paging->image_size && segment[i].vaddr >= paging->image_base &&
		    segment[i].vaddr - paging->image_base < paging->image_size)
			pfn_bitmap_set(&selection->early, segment[i].paddr / page_size,
				       (segment[i].paddr + segment[i].memory_size - 1) / page_size + 1);
	for (size_t i = 0; i < walked->count; i++)
		pfn_bitmap_set(&selection->early, walked->range[i].start / page_size,
			       walked->range[i].end / page_size);
}

/* Decide about every page. What goes wrong here costs filtering, not the dump. */
static struct kd_error *select_pages(struct crash *crash, const struct dumpfilter_options *options,
				     struct selection *selection, struct dumpfilter_report *report)
{
	_cleanup_(kd_error_destroy) struct kd_error *problem =
		address_space_init(&crash->space, crash->vmcore, &crash->info, options->log);
	uint64_t total, others = 0;
	struct kd_error *err;

	if (problem)
		crash->space.page_size = crash->space.page_size >= PAGE_SIZE_MIN &&
							 crash->space.page_size <= PAGE_SIZE_MAX &&
							 !(crash->space.page_size & (crash->space.page_size - 1)) ?
						 crash->space.page_size :
						 PAGE_SIZE_MIN;
	err = selection_init(selection, crash, options);
	if (err)
		return err;
	total = pfn_bitmap_count(&selection->kept, 0, selection->end_pfn);
	if (!problem) {
		address_space_walk_tables(&crash->space);
		problem = filter(crash, options, selection, report);
	}
	if (problem) {
		report->unfiltered = true;
		kd_warn(options->log, "all pages are kept: %s", problem->text);
	}
	mark_early(crash, selection);
	for (size_t i = PAGE_CACHE; i < PAGE_CLASS_COUNT; i++)
		others += report->pages[i];
	report->pages[PAGE_KEEP] = total - others;
	report->page_size = crash->space.page_size;
	return NULL;
}

static void describe(struct crash *crash, const struct dumpfilter_options *options, const struct selection *selection,
		     const struct dumpfilter_report *report, struct dump_description *ret)
{
	*ret = (struct dump_description){
		.page_size = crash->space.page_size,
		.end_pfn = selection->end_pfn,
		.ram = vmcore_ram(crash->vmcore),
		.whole_tails = options->strict_compat,
		.kept = &selection->kept,
		.vmcoreinfo_size = crash->info.size,
		.phys_base = crash->space.arch->phys_base(&crash->space),
		.level = report->unfiltered ? options->level & LEVEL_ZERO : options->level,
		.cpu_count = vmcore_cpu_count(crash->vmcore),
		.codec_flag = options->codec ? options->codec->flag : 0,
	};
	ret->notes = vmcore_notes(crash->vmcore, &ret->notes_size);
	if (crash->info.text)
		ret->vmcoreinfo_offset = (size_t)(crash->info.text - (const char *)ret->notes);
	vmcoreinfo_decimal(&crash->info, "CRASHTIME", &ret->crash_time);

	_cleanup_(kd_error_destroy) struct kd_error *err = address_space_read_name(&crash->space, &ret->name);
	if (!err && strcmp(ret->name.sysname, "Linux") == 0)
		return;
	/* Readers take the architecture from here. */
	memset(&ret->name, 0, sizeof(ret->name));
	strcpy(ret->name.sysname, "Linux");
	strcpy(ret->name.version, "unknown");
	strcpy(ret->name.machine, crash->machine);
	if (!vmcoreinfo_get_string(&crash->info, "OSRELEASE", ret->name.release, sizeof(ret->name.release)))
		strcpy(ret->name.release, "unknown");
}

static struct kd_error *write_pages(const struct crash *crash, const struct dumpfilter_options *options,
				    const struct selection *selection, struct writer *writer,
				    struct dumpfilter_report *report)
{
	struct pipeline pipeline = {
		.vmcore = crash->vmcore,
		.page_size = crash->space.page_size,
		.kept = &selection->kept,
		.early = &selection->early,
		.late = &selection->late,
		.codec = options->codec,
		.share_zero_pages = options->level & LEVEL_ZERO,
		.ops = &writer_kdump,
		.writer = writer,
		.progress = options->progress,
		.progress_arg = options->progress_arg,
	};
	struct kd_error *err = pipeline_run(&pipeline);

	report->pages[PAGE_ZERO] = pipeline.zero;
	report->unreadable = pipeline.unreadable;
	report->pages_written = pipeline.written;
	if (err) {
		writer_kdump.give_up(writer);
		return err;
	}
	return writer_kdump.finish(writer);
}

static struct kd_error *write_dump(struct crash *crash, const char *out_path, const struct dumpfilter_options *options,
				   const struct selection *selection, struct dumpfilter_report *report)
{
	_cleanup_(output_release) struct output output = { .fd = -1 };
	struct dump_description dump;
	struct writer *writer = NULL;
	struct kd_error *err;

	describe(crash, options, selection, report, &dump);
	err = output_create(&output, out_path);
	if (!err)
		err = writer_kdump.begin(&output, &dump, &writer);
	if (!err)
		err = write_pages(crash, options, selection, writer, report);
	report->bytes_written = output_position(&output);
	writer_kdump.destroy(writer);
	return err;
}

struct kd_error *dumpfilter_run(const char *vmcore_path, const char *out_path, const struct dumpfilter_options *options,
				struct dumpfilter_report *report)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	_cleanup_(selection_release) struct selection selection = { 0 };
	struct dumpfilter_report unwanted;
	struct kd_error *err;

	if (!report)
		report = &unwanted;
	*report = (struct dumpfilter_report){ 0 };
	if (options->level > LEVEL_MAX)
		return kd_error_create(KD_ERR_USAGE, "dump level %u is not in 0 to %u", options->level, LEVEL_MAX);
	err = crash_open(&crash, vmcore_path);
	if (!err)
		err = select_pages(&crash, options, &selection, report);
	if (!err)
		err = write_dump(&crash, out_path, options, &selection, report);
	return err;
}

struct kd_error *dumpfilter_dmesg(const char *vmcore_path, FILE *out, const struct kd_log *log)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	struct kd_error *err = crash_open(&crash, vmcore_path);

	if (!err)
		err = address_space_init(&crash.space, crash.vmcore, &crash.info, log);
	if (!err)
		err = dmesg_write(&crash.space, out);
	return err;
}

struct kd_error *dumpfilter_identify(const char *vmcore_path, struct dumpfilter_identity *ret)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	struct dumpfilter_identity identity = { 0 };
	struct kernel_name name;
	struct kd_error *err = crash_open(&crash, vmcore_path);

	if (err)
		return err;
	vmcoreinfo_get_string(&crash.info, "OSRELEASE", identity.release, sizeof(identity.release));
	vmcoreinfo_get_string(&crash.info, "BUILD-ID", identity.build_id, sizeof(identity.build_id));
	vmcoreinfo_decimal(&crash.info, "CRASHTIME", &identity.crash_time);
	strcpy(identity.machine, crash.machine);
	identity.memory = kd_ranges_total(vmcore_ram(crash.vmcore));
	identity.cpus = vmcore_cpu_count(crash.vmcore);

	_cleanup_(kd_error_destroy) struct kd_error *problem =
		address_space_init(&crash.space, crash.vmcore, &crash.info, NULL);
	if (!problem)
		problem = address_space_read_name(&crash.space, &name);
	if (!problem) {
		memcpy(identity.release, name.release, sizeof(identity.release));
		memcpy(identity.version, name.version, sizeof(identity.version));
		memcpy(identity.machine, name.machine, sizeof(identity.machine));
		memcpy(identity.nodename, name.nodename, sizeof(identity.nodename));
	}
	*ret = identity;
	return NULL;
}
