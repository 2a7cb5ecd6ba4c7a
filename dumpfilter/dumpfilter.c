/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/dumpfilter.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dumpfilter/codec/codec.h"
#include "dumpfilter/crashed_kernel.h"
#include "dumpfilter/estimate.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/kernel/dmesg.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/pages/memory_plan.h"
#include "dumpfilter/pages/pfn_bitmap.h"
#include "dumpfilter/pages/selection.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "dumpfilter/write/output.h"
#include "dumpfilter/write/page_share.h"
#include "dumpfilter/write/pipeline.h"
#include "dumpfilter/write/writer.h"

/* About the memory that writing a dump takes beside the memory of the workers. */
#define WRITING_MEMORY (UINT64_C(512) << 10)
/* For each thread: tables of a codec, and of a decoder if the vmcore is compressed. */
#define CODEC_MEMORY (UINT64_C(384) << 10)
/* Resident memory that the kernel adds to a process's count with a delay. */
#define LATE_MEMORY (UINT64_C(256) << 10)

static const struct writer_ops *writer_of(const struct dumpfilter_options *options)
{
	return options->writer ? options->writer : &writer_kdump;
}

/* A dump must not hold data that was to be erased, so every failure here ends the run. The pages that are read to find
 * that data are not needed by every reader of the dump, so they are not remembered as walked. */
static struct kd_error *find_erasures(struct crash *crash, const struct dumpfilter_options *options)
{
	struct kd_ranges walked = { 0 };
	struct kd_error *err;

	if (!options->erase)
		return NULL;
	if (crash->problem)
		return kd_error_create(KD_ERR_FORMAT,
				       "%s: the kernel's memory cannot be read, and so nothing can be "
				       "erased: no dump is written",
				       vmcore_path(crash->vmcore));
	if (!kd_ranges_copy(&crash->space.walked, &walked))
		return kd_error_nomem();
	err = options->erase(options->supplement, &crash->space, options->log, &crash->erase);
	kd_ranges_free(&crash->space.walked);
	crash->space.walked = walked;
	return kd_error_wrap(err, "no dump is written, because not everything that must be erased can be erased");
}

/* Puts the records of an earlier filter in front of this run's records of erased data. */
static struct kd_error *join_eraseinfo(struct crash *crash)
{
	const struct vmcore_origin *origin = vmcore_origin(crash->vmcore);
	char *joined;

	if (!origin->eraseinfo_size)
		return NULL;
	joined = malloc(origin->eraseinfo_size + crash->erase.info_size);
	if (!joined)
		return kd_error_nomem();
	memcpy(joined, origin->eraseinfo, origin->eraseinfo_size);
	if (crash->erase.info_size)
		memcpy(joined + origin->eraseinfo_size, crash->erase.info, crash->erase.info_size);
	free(crash->erase.info);
	crash->erase.info = joined;
	crash->erase.info_size += origin->eraseinfo_size;
	return NULL;
}

/* The kernel's name as the dump may have it. */
static struct kd_error *read_name(struct crash *crash, struct kernel_name *ret)
{
	uint64_t vaddr;
	struct kd_error *err = address_space_find_name(&crash->space, &vaddr);

	if (!err)
		err = address_space_read_name(&crash->space, ret);
	if (!err)
		erase_apply_virtual(&crash->erase, &crash->space, vaddr, ret, sizeof(*ret));
	return err;
}

/* The kernel's name as an earlier filter has found it. */
static bool name_of_origin(const struct crash *crash, struct kernel_name *ret)
{
	const struct vmcore_origin *origin = vmcore_origin(crash->vmcore);

	_Static_assert(sizeof(*ret) == 6 * sizeof(origin->utsname[0]), "six strings");
	if (!origin->utsname || strcmp(origin->utsname[0], "Linux") != 0)
		return false;
	memcpy(ret, origin->utsname, sizeof(*ret));
	return true;
}

/* Finds the kernel's name by either way. False: neither gives the name of a kernel of this architecture. */
static bool find_name(struct crash *crash, struct kernel_name *ret)
{
	_cleanup_(kd_error_destroy) struct kd_error *err = read_name(crash, ret);

	return (!err && strcmp(ret->sysname, "Linux") == 0 && strcmp(ret->machine, crash->machine) == 0) ||
	       name_of_origin(crash, ret);
}

/* The vmcore's notes, with what was found of VMCOREINFO if there was none: readers need it. */
static void describe_notes(struct crash *crash, const struct kd_log *log, struct dump_description *ret)
{
	static const char name[12] = "VMCOREINFO";
	const Elf64_Nhdr nhdr = { .n_namesz = sizeof("VMCOREINFO"), .n_descsz = (uint32_t)crash->info.size };
	size_t used = 0;
	const char *own;

	ret->notes = vmcore_notes(crash->vmcore, &ret->notes_size);
	own = vmcore_vmcoreinfo(crash->vmcore, &ret->vmcoreinfo_size);
	if (own && ret->vmcoreinfo_size) {
		ret->vmcoreinfo_offset = (size_t)(own - (const char *)ret->notes);
		return;
	}
	ret->vmcoreinfo_size = 0;
	if (!crash->info.size)
		return;
	/* Parts of notes are multiples of four bytes. */
	crash->notes = calloc(1, ret->notes_size + sizeof(nhdr) + sizeof(name) + crash->info.size + 6);
	if (!crash->notes) {
		kd_warn(log, "out of memory: the dump has no VMCOREINFO");
		return;
	}
	if (ret->notes_size)
		memcpy(crash->notes, ret->notes, ret->notes_size);
	used = (ret->notes_size + 3) / 4 * 4;
	memcpy(crash->notes + used, &nhdr, sizeof(nhdr));
	memcpy(crash->notes + used + sizeof(nhdr), name, sizeof(name));
	used += sizeof(nhdr) + sizeof(name);
	memcpy(crash->notes + used, crash->info.text, crash->info.size);
	ret->vmcoreinfo_offset = used;
	ret->vmcoreinfo_size = crash->info.size;
	ret->notes = crash->notes;
	ret->notes_size = used + (crash->info.size + 3) / 4 * 4;
}

static void describe(struct crash *crash, const struct dumpfilter_options *options, const struct selection *selection,
		     const struct dumpfilter_report *report, struct dump_description *ret)
{
	const struct vmcore_origin *origin = vmcore_origin(crash->vmcore);
	const bool compressed = options->codec && !writer_of(options)->uncompressed;

	*ret = (struct dump_description){
		.page_size = crash->space.page_size,
		.end_pfn = selection->end_pfn,
		.ram = vmcore_ram(crash->vmcore),
		.whole_tails = options->strict_compat,
		.kept_pages = selection->pages,
		.kept = selection->window_count > 1 ? NULL : &selection->kept,
		.phys_base = crash->space.arch->phys_base(&crash->space),
		.level = (report->unfiltered ? options->level & DUMP_LEVEL_ZERO : options->level) | origin->level,
		.cpu_count = vmcore_cpu_count(crash->vmcore),
		.codec_flag = compressed ? options->codec->flag : 0,
		.eraseinfo = crash->erase.info,
		.eraseinfo_size = crash->erase.info_size,
		.machine = vmcore_machine(crash->vmcore),
		.part = options->part,
		.part_count = options->part_count,
	};
	ret->segment = vmcore_segments(crash->vmcore, &ret->segment_count);
	describe_notes(crash, options->log, ret);
	ret->crash_time = origin->crash_time;
	vmcoreinfo_decimal(&crash->info, "CRASHTIME", &ret->crash_time);
	if (find_name(crash, &ret->name))
		return;
	/* Readers take the architecture from here. */
	memset(&ret->name, 0, sizeof(ret->name));
	strcpy(ret->name.sysname, "Linux");
	strcpy(ret->name.version, "unknown");
	strcpy(ret->name.machine, crash->machine);
	if (!vmcoreinfo_get_string(&crash->info, "OSRELEASE", ret->name.release, sizeof(ret->name.release)))
		strcpy(ret->name.release, "unknown");
}

/* @crash has been explored. */
static struct selection_request make_request(struct crash *crash, const struct dumpfilter_options *options)
{
	const struct writer_ops *writer = writer_of(options);

	return (struct selection_request){
		.space = &crash->space,
		.problem = crash->problem,
		.log = options->log,
		.level = options->level,
		.strict_compat = options->strict_compat,
		.unordered = options->flatten && !options->early,
		.whole = !writer->put_window,
		.window_pages = options->window_pages,
		.gap_min = writer->gap_min,
		.run_memory = writer->run_memory,
	};
}

/* Plans the threads, tables and windows that fit the memory that may be used. */
static struct kd_error *plan_memory(struct crash *crash, const struct dumpfilter_options *options,
				    const struct selection_request *request, struct memory_plan *ret)
{
	struct memory_needs needs = {
		.limit = options->memory_limit,
		.strict = options->memory_limit > 0,
		.mapping = vmcore_window_memory(crash->vmcore),
		.worker = pipeline_worker_memory(crash->space.page_size) * (writer_of(options)->copies ? 2 : 1) +
			  CODEC_MEMORY,
		.share = writer_of(options)->sharing ? PAGE_SHARE_BYTES_MAX : 0,
		.share_least = PAGE_SHARE_BYTES_MIN,
		.threads = options->threads ? options->threads : pipeline_default_threads(PAGE_SIZE_MAX),
	};
	struct kd_error *err;

	vmcore_window_release(&crash->space.window);
	memory_resident(&needs.resident, &needs.peak);
	if (!needs.strict) {
		uint64_t available = memory_available();

		needs.limit = available ? needs.resident + available / MEMORY_PART_DUMP : UINT64_MAX;
	}
	selection_needs(request, &needs);
	err = memory_plan_make(&needs, ret);
	if (err)
		return kd_error_wrap(err, "%s", vmcore_path(crash->vmcore));
	if (needs.mapping && !ret->mapping)
		crash->space.window.no_mmap = true;
	if (ret->window < needs.pages)
		kd_debug(options->log, "in cycles: %lu page frames at a time, of %lu; %u threads, %s", ret->window,
			 needs.pages, ret->threads,
			 ret->share ? "equal pages stored once" : "no search for equal pages");
	return NULL;
}

/* Returns NULL if equal pages are not looked for. */
static struct page_share *make_share(const struct crash *crash, const struct memory_plan *plan,
				     const struct selection *selection)
{
	return plan->share ?
		       page_share_create(crash->space.page_size, page_share_bytes(selection->pages, plan->share)) :
		       NULL;
}

/* Everything but the writer is set. */
static struct pipeline make_pipeline(const struct crash *crash, const struct dumpfilter_options *options,
				     const struct memory_plan *plan, const struct selection *selection)
{
	struct pipeline pipeline = {
		.vmcore = crash->vmcore,
		.page_size = crash->space.page_size,
		.kept = &selection->kept,
		.codec = writer_of(options)->uncompressed ? NULL : options->codec,
		.threads = plan->threads,
		.share_zero_pages = options->level & DUMP_LEVEL_ZERO,
		.erase = crash->erase.count ? &crash->erase : NULL,
		.vital = &selection->vital,
		.total = selection->pages,
	};

	_Static_assert(PASS_COUNT == PIPELINE_PASSES, "a bitmap for each");
	for (size_t i = 0; i < PASS_COUNT; i++)
		pipeline.pass[i] = i == PASS_OTHERS ? NULL : &selection->order.pass[i];
	return pipeline;
}

/* Pages that the vmcore would have if it were whole. */
static void report_missing(const struct crash *crash, const struct dumpfilter_options *options,
			   struct dumpfilter_report *report)
{
	report->unreadable = vmcore_missing(crash->vmcore) / report->page_size;
	if (!report->unreadable)
		return;
	report->first_unreadable = (struct read_error){ vmcore_first_missing(crash->vmcore),
							"the vmcore is truncated" };
	kd_warn(options->log, "%s is truncated: %lu pages of memory are missing, the first at 0x%lx",
		vmcore_path(crash->vmcore), report->unreadable, report->first_unreadable.paddr);
}

/* Decide which pages are kept, with as much memory as there is. @crash has been explored. */
static struct kd_error *make_selection(struct crash *crash, const struct dumpfilter_options *options,
				       struct memory_plan *plan, struct selection *selection,
				       struct dumpfilter_report *report)
{
	const struct selection_request request = make_request(crash, options);
	struct kd_error *err = plan_memory(crash, options, &request, plan);

	if (!err)
		err = selection_make(selection, &request, plan);
	if (err)
		return err;
	memcpy(report->pages, selection->found, sizeof(report->pages));
	report->unfiltered = selection->unfiltered;
	report->page_size = crash->space.page_size;
	report_missing(crash, options, report);
	return NULL;
}

/* Decides which pages of the opened vmcore are written. */
static struct kd_error *select_pages(struct crash *crash, const struct dumpfilter_options *options,
				     struct memory_plan *plan, struct selection *selection,
				     struct dumpfilter_report *report)
{
	struct kd_error *err;

	crash_explore(crash, options);
	err = find_erasures(crash, options);
	return err ? err : make_selection(crash, options, plan, selection, report);
}

/* @first: none of the window's pages has been written yet. */
static struct kd_error *write_window(struct crash *crash, struct selection *selection, size_t number,
				     enum page_phase phase, bool first, struct pipeline *pipeline)
{
	struct kd_error *err = selection_load(selection, number);

	if (!err && first)
		err = pipeline->ops->put_window(pipeline->writer, &selection->kept);
	if (err || !selection->window[number].phase[phase])
		return err;
	vmcore_window_release(&crash->space.window);
	pipeline->first_pass = page_phases[phase].first;
	pipeline->end_pass = page_phases[phase].end;
	return pipeline_run(pipeline);
}

/* The pages that a reader needs first are written first, for all windows. The first phase also visits windows without
 * such pages, because it writes their part of bitmap 2, by which readers find every page_desc. */
static struct kd_error *write_cycles(struct crash *crash, struct selection *selection, struct pipeline *pipeline)
{
	unsigned int first = selection->order.kind == PAGE_ORDER_NONE ? PHASE_OTHERS : PHASE_FRONT;
	struct kd_error *err = NULL;

	for (unsigned int phase = first; phase < PHASE_COUNT && !err; phase++) {
		pipeline->first_rank = 0;
		for (size_t i = 0; i < selection->window_count && !err; i++) {
			const struct selection_window *window = &selection->window[i];

			if (phase == first ? window->kept : window->phase[phase])
				err = write_window(crash, selection, i, (enum page_phase)phase, phase == first,
						   pipeline);
			pipeline->first_rank += window->kept;
		}
	}
	return err;
}

/* Are the pages that readers need first all in the file, although something failed? Pages of a pass follow when all
 * pages of earlier ones are there; in cycles this goes for phases. */
static bool has_front(const struct selection *selection, const struct pipeline *pipeline)
{
	unsigned int front = selection->window_count > 1 ? page_phases[PHASE_FRONT].end : PASS_BASIC + 1;

	return selection->order.kind != PAGE_ORDER_NONE && pipeline->failed_passes &&
	       !(pipeline->failed_passes & ((1u << front) - 1));
}

static void warn_unreadable(const struct kd_log *log, const struct pipeline *pipeline, const char *consequence)
{
	if (pipeline->unreadable)
		kd_warn(log, "%lu pages could not be read, the first at 0x%lx: %s; %s", pipeline->unreadable,
			pipeline->first_unreadable.paddr, pipeline->first_unreadable.text, consequence);
}

static struct kd_error *write_pages(struct crash *crash, const struct dumpfilter_options *options,
				    const struct memory_plan *plan, struct selection *selection, struct writer *writer,
				    struct dumpfilter_report *report)
{
	_cleanup_(page_share_destroy) struct page_share *share = make_share(crash, plan, selection);
	struct pipeline pipeline = make_pipeline(crash, options, plan, selection);
	struct kd_error *err;

	pipeline.share = share;
	pipeline.ops = writer_of(options);
	pipeline.writer = writer;
	pipeline.progress = options->progress;
	pipeline.progress_arg = options->progress_arg;
	vmcore_window_release(&crash->space.window);
	err = selection->window_count > 1 ? write_cycles(crash, selection, &pipeline) : pipeline_run(&pipeline);
	report->windows = selection->window_count;
	report->pages[PAGE_ZERO] = pipeline.zero;
	report->pages_shared = pipeline.shared;
	report->unreadable += pipeline.unreadable;
	report->vital_unreadable = pipeline.vital_unreadable;
	read_error_join(&report->first_unreadable, &pipeline.first_unreadable);
	report->pages_written = pipeline.written;
	report->front = !err || has_front(selection, &pipeline);
	warn_unreadable(options->log, &pipeline, "the dump lacks them (an ELF file has zeros instead)");
	if (err) {
		writer_of(options)->give_up(writer);
		return err;
	}
	return writer_of(options)->finish(writer);
}

static struct kd_error *write_dump(struct crash *crash, struct output *output, const struct dumpfilter_options *options,
				   const struct memory_plan *plan, struct selection *selection,
				   struct dumpfilter_report *report)
{
	struct dump_description dump;
	struct writer *writer = NULL;
	struct kd_error *err;

	describe(crash, options, selection, report, &dump);
	err = writer_of(options)->begin(output, &dump, &writer);
	if (!err)
		err = write_pages(crash, options, plan, selection, writer, report);
	if (!err)
		err = output_end_stream(output);
	report->bytes_written = output_size(output);
	writer_of(options)->destroy(writer);
	return err;
}

static struct kd_error *check_levels(const struct dumpfilter_options *options)
{
	unsigned int highest = options->level;

	for (unsigned int i = 0; i < options->fallback_count && i < DUMPFILTER_FALLBACK_MAX; i++)
		if (options->fallback_level[i] > highest)
			highest = options->fallback_level[i];
	if (highest > DUMP_LEVEL_MAX || options->fallback_count > DUMPFILTER_FALLBACK_MAX)
		return kd_error_create(KD_ERR_USAGE,
				       "dump level %u is not between 0 and %u, or there are too many levels", highest,
				       DUMP_LEVEL_MAX);
	return NULL;
}

static struct kd_error *estimate_data(struct crash *crash, const struct dumpfilter_options *options,
				      const struct memory_plan *plan, struct selection *selection,
				      struct estimate *estimate)
{
	_cleanup_(page_share_destroy) struct page_share *share = make_share(crash, plan, selection);
	struct pipeline pipeline = make_pipeline(crash, options, plan, selection);
	struct kd_error *err = NULL;

	pipeline.share = share;
	estimate_init(estimate, selection->pages, crash->space.page_size);
	for (size_t i = 0; i < selection->window_count && !err; i++) {
		if (selection->window[i].kept)
			err = selection_load(selection, i);
		if (err || !selection->window[i].kept)
			continue;
		vmcore_window_release(&crash->space.window);
		err = estimate_run(estimate, &pipeline, &selection->kept);
	}
	warn_unreadable(options->log, &pipeline, "the size does not include them");
	return err;
}

/* The estimate has just used as many workers and all bitmaps as a dump does; but if only a sample was compressed, the
 * workers' units were nearly empty. */
static uint64_t estimate_memory(const struct crash *crash, const struct memory_plan *plan,
				const struct estimate *estimate)
{
	uint64_t now, peak;

	memory_resident(&now, &peak);
	peak += WRITING_MEMORY + LATE_MEMORY;
	if (estimate->sample > 1)
		peak += plan->threads * pipeline_unit_memory(crash->space.page_size);
	return peak < plan->memory ? peak : plan->memory;
}

struct kd_error *dumpfilter_estimate(const char *vmcore_path, const struct dumpfilter_options *options,
				     struct dumpfilter_estimate *ret)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	_cleanup_(selection_release) struct selection selection = { 0 };
	struct dumpfilter_report report = { 0 };
	struct dump_description dump;
	struct memory_plan plan;
	struct estimate estimate;
	struct kd_error *err = check_levels(options);

	if (!err)
		err = crash_open(&crash, vmcore_path, options);
	if (!err)
		err = select_pages(&crash, options, &plan, &selection, &report);
	if (err)
		return err;
	describe(&crash, options, &selection, &report, &dump);
	err = estimate_data(&crash, options, &plan, &selection, &estimate);
	if (err)
		return err;
	*ret = (struct dumpfilter_estimate){
		.pages = selection.pages,
		.size = writer_kdump.front_size(&dump) + estimate_size(&estimate),
		.memory = estimate_memory(&crash, &plan, &estimate),
	};
	return NULL;
}

/* A run whose dump did not fit. */
struct attempt {
	unsigned int level;
	struct dumpfilter_report report;
};

static struct kd_error *open_output(struct output *output, const char *path, const struct dumpfilter_options *options,
				    unsigned int threads)
{
	if (output->path)
		return output_restart(output);
	if (options->dry_run) {
		output->kind = OUTPUT_NOWHERE;
		output->path = "(nowhere)";
		return NULL;
	}
	if (options->flatten)
		return output_create_stream(output, STDOUT_FILENO, "standard output");
	return output_create(output, path, threads > 1);
}

/* The dump of the run before did not fit: can this one be better? What this level drops was written last, so if not
 * even all other pages fitted, they do not fit now. Pages of the units that failed were not counted; and the contents
 * of zero pages may not have to be stored any more. */
static bool may_fit(const struct attempt *before, const struct dumpfilter_options *options,
		    const struct memory_plan *plan, const struct selection *selection)
{
	bool fewer_zeros = (options->level & DUMP_LEVEL_ZERO) && !(before->level & DUMP_LEVEL_ZERO);

	return selection->order.kind != PAGE_ORDER_FINE || fewer_zeros ||
	       selection->pages <= before->report.pages_written + plan->threads * PAGE_UNIT_MAX;
}

/* Makes one dump at options->level. The output is created, or emptied, when there is something to write that may be
 * better than what was there @before (NULL: nothing). */
static struct kd_error *run_level(const char *vmcore_path, const char *out_path, struct output *output,
				  const struct dumpfilter_options *options, const struct attempt *before,
				  struct dumpfilter_report *report)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	_cleanup_(selection_release) struct selection selection = { 0 };
	struct memory_plan plan;
	struct kd_error *err = crash_open(&crash, vmcore_path, options);

	*report = (struct dumpfilter_report){ 0 };
	if (!err)
		err = select_pages(&crash, options, &plan, &selection, report);
	if (!err)
		err = join_eraseinfo(&crash);
	if (!err && before && !may_fit(before, options, &plan, &selection)) {
		err = kd_error_os(
			ENOSPC, "%s: a dump at level %u would have %lu pages, but only %lu found room; these are kept",
			output->path, options->level, selection.pages, before->report.pages_written);
		*report = before->report;
	}
	if (!err)
		err = open_output(output, out_path, options, plan.threads);
	if (!err)
		err = write_dump(&crash, output, options, &plan, &selection, report);
	return err;
}

struct kd_error *dumpfilter_run(const char *vmcore_path, const char *out_path, const struct dumpfilter_options *options,
				struct dumpfilter_report *report)
{
	_cleanup_(output_release) struct output output = {
		.fd = -1, .direct_fd = -1, .replace = options->replace, .limit = options->size_limit
	};
	struct dumpfilter_options current = *options;
	struct dumpfilter_report unwanted;
	struct kd_error *err = check_levels(options);

	if (!report)
		report = &unwanted;
	*report = (struct dumpfilter_report){ 0 };
	if (err)
		return err;
	err = run_level(vmcore_path, out_path, &output, &current, NULL, report);
	for (unsigned int i = 0; i < options->fallback_count && err && output.full; i++) {
		const struct attempt before = { current.level, *report };

		current.level = options->fallback_level[i];
		kd_warn(options->log, "%s; trying again at dump level %u", err->text, current.level);
		kd_error_destroy(err);
		err = run_level(vmcore_path, out_path, &output, &current, &before, report);
	}
	report->full = output.full;
	return err;
}

static struct kd_error *count_pages(struct crash *crash, const struct dumpfilter_options *options,
				    struct dumpfilter_report *report)
{
	_cleanup_(selection_release) struct selection selection = { 0 };
	struct memory_plan plan;

	crash_explore(crash, options);
	return make_selection(crash, options, &plan, &selection, report);
}

struct kd_error *dumpfilter_census(const char *vmcore_path, const struct dumpfilter_options *options,
				   struct dumpfilter_report *ret)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	struct dumpfilter_report report = { 0 };
	struct kd_error *err = crash_open(&crash, vmcore_path, options);

	if (!err)
		err = count_pages(&crash, options, &report);
	if (!err)
		*ret = report;
	return err;
}

struct kd_error *dumpfilter_dmesg(const char *vmcore_path, FILE *out, const struct kd_log *log)
{
	return dumpfilter_dmesg_with(vmcore_path, out, &(struct dumpfilter_options){ .log = log });
}

struct kd_error *dumpfilter_dmesg_with(const char *vmcore_path, FILE *out, const struct dumpfilter_options *options)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	struct kd_error *err = crash_open(&crash, vmcore_path, options);

	if (!err)
		err = address_space_init(&crash.space, crash.vmcore, &crash.info, options->log);
	if (!err)
		err = dmesg_write(&crash.space, options->since_clear, out);
	return err;
}

struct kd_error *dumpfilter_translate(const char *vmcore_path, const struct dumpfilter_options *options, uint64_t vaddr,
				      uint64_t *ret)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	struct kd_error *err = crash_open(&crash, vmcore_path, options);
	uint64_t size;

	if (!err)
		err = address_space_init(&crash.space, crash.vmcore, &crash.info, options->log);
	return err ? err : address_space_translate(&crash.space, vaddr, ret, &size);
}

struct kd_error *dumpfilter_identify(const char *vmcore_path, struct dumpfilter_identity *ret)
{
	_cleanup_(crash_close) struct crash crash = { 0 };
	struct dumpfilter_identity identity = { 0 };
	const struct vmcore_origin *origin;
	struct kernel_name name;
	struct kd_error *err = crash_open(&crash, vmcore_path, NULL);

	if (err)
		return err;
	origin = vmcore_origin(crash.vmcore);
	identity.crash_time = origin->crash_time;
	vmcoreinfo_get_string(&crash.info, "OSRELEASE", identity.release, sizeof(identity.release));
	vmcoreinfo_get_string(&crash.info, "BUILD-ID", identity.build_id, sizeof(identity.build_id));
	vmcoreinfo_decimal(&crash.info, "CRASHTIME", &identity.crash_time);
	strcpy(identity.machine, crash.machine);
	identity.memory = kd_ranges_total(vmcore_ram(crash.vmcore));
	identity.cpus = vmcore_cpu_count(crash.vmcore);

	_cleanup_(kd_error_destroy) struct kd_error *problem = address_space_init(&crash.space, crash.vmcore,
										  &crash.info, NULL);
	if (problem ? name_of_origin(&crash, &name) : find_name(&crash, &name)) {
		memcpy(identity.release, name.release, sizeof(identity.release));
		memcpy(identity.version, name.version, sizeof(identity.version));
		memcpy(identity.machine, name.machine, sizeof(identity.machine));
		memcpy(identity.nodename, name.nodename, sizeof(identity.nodename));
	}
	*ret = identity;
	return NULL;
}
