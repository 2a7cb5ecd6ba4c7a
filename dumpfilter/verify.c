/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/verify.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/pages/threads.h"

#define PIECE_BYTES (UINT64_C(256) << 10) /* at once */
#define SHARE_BYTES (UINT64_C(64) << 20)  /* of memory, that a thread takes for itself */
#define THREADS_MAX 64u

/* State that the threads share. */
struct work {
	const struct vmcore *vmcore;
	uint64_t page_size;
	pthread_mutex_t lock; /* for the rest */
	uint64_t next;        /* physical address of the next share */
	struct verification *result;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_GOOD] = "good",
		[VERDICT_INCOMPLETE] = "incomplete",
		[VERDICT_DAMAGED] = "damaged",
	};

	return names[verdict];
}

void verification_release(struct verification *verification)
{
	for (unsigned int i = 0; i < verification->problem_count; i++)
		free(verification->problem[i]);
	verification->problem_count = 0;
}

void verify_add_problem(struct verification *verification, enum verdict verdict, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	if (verdict > verification->verdict)
		verification->verdict = verdict;
	if (verification->problem_count == VERIFY_PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) >= 0)
		verification->problem[verification->problem_count++] = text;
	va_end(args);
}

/* Counts a page that could not be read. In an ELF file data cannot be recognised as damaged, only as missing. */
static void add_bad_page(struct work *work, const struct kd_error *err)
{
	struct verification *result = work->result;
	enum verdict verdict = VERDICT_DAMAGED;

	pthread_mutex_lock(&work->lock);
	if (err->code == KD_ERR_OS) {
		result->unreadable_pages++;
	} else if (err->code == KD_ERR_HOLE || work->result->origin.page_size == 0) {
		result->missing_pages++;
		verdict = VERDICT_INCOMPLETE;
	} else {
		result->damaged_pages++;
	}
	verify_add_problem(result, verdict, "%s", err->text);
	pthread_mutex_unlock(&work->lock);
}

/* [@start, @end) lies in one range of the contents. Pieces end where pages do, so that a bad page is one page. */
static uint64_t read_range(struct work *work, struct vmcore_window *window, uint8_t *buf, uint64_t start, uint64_t end)
{
	uint64_t good = 0, piece;

	for (uint64_t paddr = start; paddr < end; paddr += piece) {
		const uint8_t *data;

		piece = PIECE_BYTES - paddr % PIECE_BYTES;
		if (piece > end - paddr)
			piece = end - paddr;
		struct kd_error *err = vmcore_window_get(window, paddr, piece, buf, &data);
		if (err && piece > work->page_size) { /* one by one */
			piece = work->page_size - paddr % work->page_size;
			kd_error_destroy(err);
			err = vmcore_window_get(window, paddr, piece, buf, &data);
		}
		if (err)
			add_bad_page(work, err);
		else
			good += (paddr % work->page_size + piece + work->page_size - 1) / work->page_size;
		kd_error_destroy(err);
	}
	return good;
}

/* Read what the contents have of [@start, @end). Returns pages. */
static uint64_t read_share(struct work *work, struct vmcore_window *window, uint8_t *buf, uint64_t start, uint64_t end)
{
	const struct kd_ranges *contents = vmcore_contents(work->vmcore);
	uint64_t good = 0;

	for (size_t i = kd_ranges_first_above(contents, start); i < contents->count && contents->range[i].start < end;
	     i++) {
		const struct kd_range *range = &contents->range[i];

		good += read_range(work, window, buf, range->start > start ? range->start : start,
				   range->end < end ? range->end : end);
	}
	return good;
}

/* Take the next share, which begins where there is something. False: there is none. */
static bool take_share(struct work *work, uint64_t good, uint64_t *start_ret, uint64_t *end_ret)
{
	const struct kd_ranges *contents = vmcore_contents(work->vmcore);
	struct verification *result = work->result;
	size_t i;

	pthread_mutex_lock(&work->lock);
	result->good_pages += good;
	if (work->progress)
		work->progress(work->progress_arg, result->good_pages, result->pages);
	i = kd_ranges_first_above(contents, work->next);
	if (i < contents->count) {
		*start_ret = contents->range[i].start > work->next ? contents->range[i].start : work->next;
		*end_ret = *start_ret > UINT64_MAX - SHARE_BYTES ? UINT64_MAX : (*start_ret | (SHARE_BYTES - 1)) + 1;
		work->next = *end_ret;
	}
	pthread_mutex_unlock(&work->lock);
	return i < contents->count;
}

static void *read_shares(void *arg)
{
	struct work *work = arg;
	struct vmcore_window window;
	uint8_t *buf = malloc(PIECE_BYTES);
	uint64_t good = 0, start = 0, end = 0;

	vmcore_window_init(&window, work->vmcore);
	while (buf && take_share(work, good, &start, &end))
		good = read_share(work, &window, buf, start, end);
	vmcore_window_release(&window);
	free(buf);
	return buf ? work : NULL;
}

static uint64_t count_pages(const struct work *work)
{
	const struct kd_ranges *contents = vmcore_contents(work->vmcore);
	uint64_t pages = 0;

	for (size_t i = 0; i < contents->count; i++)
		pages += (contents->range[i].end + work->page_size - 1) / work->page_size -
			 contents->range[i].start / work->page_size;
	return pages;
}

static struct kd_error *read_all(struct work *work, unsigned int threads)
{
	pthread_t thread[THREADS_MAX];
	unsigned int started = 0;
	bool one_worked;

	while (started + 1 < threads && started < THREADS_MAX && thread_start(&thread[started], read_shares, work))
		started++;
	one_worked = read_shares(work) != NULL;
	while (started > 0) {
		void *worked;

		pthread_join(thread[--started], &worked);
		one_worked = one_worked || worked;
	}
	return one_worked ? NULL : kd_error_nomem();
}

/* Checks what a reader of the dump needs: the notes, and the kernel's page tables. */
static void check_kernel(const struct vmcore *vmcore, struct verification *result)
{
	enum verdict verdict = result->origin.incomplete || result->missing_pages ? VERDICT_INCOMPLETE :
										    VERDICT_DAMAGED;
	struct vmcoreinfo info = { 0 };

	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	result->cpus = vmcore_cpu_count(vmcore);
	if (vmcore_notes_problem(vmcore))
		verify_add_problem(result, verdict, "%s", vmcore_notes_problem(vmcore)->text);
	if (!info.text) {
		verify_add_problem(result, verdict, "the dump has no VMCOREINFO note");
		return;
	}
	if (!arch_find(vmcore_machine(vmcore)) || result->origin.split)
		return;
	_cleanup_(address_space_release) struct address_space space = { 0 };
	_cleanup_(kd_error_destroy) struct kd_error *err = address_space_init(&space, vmcore, &info, NULL);
	if (err)
		verify_add_problem(result, verdict, "the kernel's memory cannot be understood: %s", err->text);
}

static void describe(const struct vmcore *vmcore, struct verification *result)
{
	struct vmcoreinfo info = { 0 };

	result->origin = *vmcore_origin(vmcore);
	result->origin.utsname = NULL; /* it is the vmcore's */
	result->page_size = result->origin.page_size;
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	if (!result->page_size)
		vmcoreinfo_decimal(&info, "PAGESIZE", &result->page_size);
	if (result->page_size < PAGE_SIZE_MIN || result->page_size > PAGE_SIZE_MAX ||
	    (result->page_size & (result->page_size - 1)))
		result->page_size = PAGE_SIZE_MIN;
	result->memory_pages = kd_ranges_total(vmcore_ram(vmcore)) / result->page_size;
	if (result->origin.incomplete)
		verify_add_problem(result, VERDICT_INCOMPLETE,
				   result->origin.flattened ?
					   "the stream says that it is incomplete, or its end record is missing" :
					   "the dump's header says that it is incomplete");
	if (vmcore_missing(vmcore)) {
		result->missing_pages = vmcore_missing(vmcore) / result->page_size;
		verify_add_problem(result, VERDICT_INCOMPLETE,
				   "the file ends (at 0x%lx) before its memory does: it is truncated",
				   result->file_size);
	}
	if (result->origin.stray_pages)
		verify_add_problem(result, VERDICT_DAMAGED,
				   "the bitmaps contradict each other: %lu pages are in the dump, but are not memory",
				   result->origin.stray_pages);
}

struct kd_error *verify_dump(const char *path, unsigned int threads,
			     void (*progress)(void *arg, uint64_t done, uint64_t total), void *progress_arg,
			     struct verification *ret)
{
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	struct verification result = { 0 };
	struct work work = { .lock = PTHREAD_MUTEX_INITIALIZER, .result = &result };
	struct kd_error *err = vmcore_open(path, &vmcore);
	struct stat st;

	if (err && err->code != KD_ERR_FORMAT && err->code != KD_ERR_LIMIT)
		return err;
	if (stat(path, &st) == 0)
		result.file_size = (uint64_t)st.st_size;
	if (err) {
		verify_add_problem(&result, VERDICT_DAMAGED, "%s", err->text);
		kd_error_destroy(err);
		*ret = result;
		return NULL;
	}
	describe(vmcore, &result);
	work.vmcore = vmcore;
	work.page_size = result.page_size;
	work.progress = progress;
	work.progress_arg = progress_arg;
	result.pages = count_pages(&work) + result.missing_pages;
	err = read_all(&work, threads);
	if (err) {
		verification_release(&result);
		return err;
	}
	check_kernel(vmcore, &result);
	*ret = result;
	return NULL;
}
