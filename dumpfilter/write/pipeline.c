/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/write/pipeline.h"

#include <assert.h>
#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "dumpfilter/pages/memory_plan.h"
#include "dumpfilter/pages/threads.h"

#define UNIT_BYTES (UINT64_C(2) << 20)   /* of input, whatever the size of a page */
#define READ_BYTES (UINT64_C(256) << 10) /* at once */
/* Beyond this many threads the disk is the limit. */
#define THREADS_MAX         64u
#define DEFAULT_THREADS_MAX 16u

/* Slots for the pages of one unit by their hash. */
#define LOCAL_SLOTS (2 * PAGE_UNIT_MAX)

/* Where the search for pages stands. */
struct cursor {
	unsigned int pass;
	uint64_t word;    /* index of the 64 pages that are looked at */
	uint64_t pending; /* which of them are still to be taken in this pass … */
	bool loaded;      /* … once this is set */
	uint64_t rank;    /* kept pages below the word */
};

/* State that the workers share. The lock protects everything that changes. */
struct shop {
	struct pipeline *pipeline;
	pthread_mutex_t lock;
	pthread_cond_t placed; /* a pass has no more unit under way */
	struct cursor cursor;
	unsigned int under_way[PIPELINE_PASSES]; /* units of each pass that were taken and are not placed yet */
	uint64_t pages;                          /* at most so many are written now */
	uint64_t total;
	time_t last_progress;
	struct kd_error *err; /* the first one */
};

struct worker {
	struct shop *shop;
	pthread_t thread;
	struct vmcore_window window;
	void *codec_context;
	uint8_t *read_buf; /* READ_BYTES, for what cannot be mapped */
	struct page_unit unit;
	unsigned int pass; /* of all pages of the unit */
	struct page_hash hash[PAGE_UNIT_MAX];
	uint16_t local[LOCAL_SLOTS];  /* index in the unit, + 1 */
	unsigned int repeated;        /* pages of the unit that share with another one of it */
	struct read_error unreadable; /* the unit's first */
	/* With pipeline->sample: where in a group of so many pages the next one is, and which one is compressed. */
	unsigned int group_position, group_choice;
	uint32_t dice;
};

static unsigned int unit_max(uint64_t page_size)
{
	return UNIT_BYTES / page_size < PAGE_UNIT_MAX ? (unsigned int)(UNIT_BYTES / page_size) : PAGE_UNIT_MAX;
}

uint64_t pipeline_unit_memory(uint64_t page_size)
{
	return unit_max(page_size) * page_size;
}

uint64_t pipeline_worker_memory(uint64_t page_size)
{
	return sizeof(struct worker) + READ_BYTES + pipeline_unit_memory(page_size) + page_size;
}

static void worker_destroy(struct worker *worker)
{
	if (!worker)
		return;
	vmcore_window_release(&worker->window);
	if (worker->codec_context)
		worker->shop->pipeline->codec->destroy(worker->codec_context);
	free(worker->read_buf);
	free(worker->unit.data);
	free(worker);
}
DEFINE_CLEANUP(struct worker *, worker_destroy)

static struct worker *worker_create(struct shop *shop)
{
	const struct pipeline *pipeline = shop->pipeline;
	const struct codec *codec = pipeline->codec;
	/* The last page of a unit may need the codec's room behind it. */
	size_t size = unit_max(pipeline->page_size) * pipeline->page_size +
		      (codec ? codec->bound(pipeline->page_size) : 0);

	_cleanup_(worker_destroy) struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker)
		return NULL;
	worker->shop = shop;
	vmcore_window_init(&worker->window, pipeline->vmcore);
	worker->read_buf = malloc(READ_BYTES);
	worker->unit.data = aligned_alloc(OUTPUT_ALIGN, (size + OUTPUT_ALIGN - 1) / OUTPUT_ALIGN * OUTPUT_ALIGN);
	if (!worker->read_buf || !worker->unit.data)
		return NULL;
	if (codec) {
		worker->codec_context = codec->create(pipeline->page_size);
		if (!worker->codec_context)
			return NULL;
	}
	return_ptr(worker);
}

/* --- which pages -------------------------------------------------------------------------------------------------- */

static uint64_t pages_of_pass(const struct pipeline *pipeline, unsigned int pass, uint64_t word)
{
	uint64_t pages = pfn_bitmap_word(pipeline->kept, word);
	bool others = !pipeline->pass[pass];

	for (unsigned int i = 0; pages && i < PIPELINE_PASSES; i++)
		if (pipeline->pass[i] && (others || i < pass))
			pages &= ~pfn_bitmap_word(pipeline->pass[i], word);
	return others ? pages : pages & pfn_bitmap_word(pipeline->pass[pass], word);
}

static struct cursor start_of_pass(const struct pipeline *pipeline, unsigned int pass)
{
	return (struct cursor){ .pass = pass, .word = pipeline->kept->start_pfn / 64, .rank = pipeline->first_rank };
}

/* The next pages in the order of writing, all of one pass, which is returned. An empty unit: no more. */
static unsigned int pick_pages(const struct pipeline *pipeline, struct cursor *cursor, unsigned int max,
			       struct page_unit *unit)
{
	uint64_t words = pipeline->kept->end_pfn / 64 + 1;
	unsigned int end_pass = pipeline->end_pass ? pipeline->end_pass : PIPELINE_PASSES, pass = cursor->pass;

	unit->count = 0;
	unit->used = 0;
	while (unit->count < max && cursor->pass < end_pass && (cursor->pass == pass || !unit->count)) {
		pass = cursor->pass;
		uint64_t kept = pfn_bitmap_word(pipeline->kept, cursor->word);

		if (!cursor->loaded)
			cursor->pending = kept ? pages_of_pass(pipeline, cursor->pass, cursor->word) : 0;
		cursor->loaded = true;
		for (; cursor->pending && unit->count < max; cursor->pending &= cursor->pending - 1) {
			uint64_t below = (cursor->pending & -cursor->pending) - 1;

			unit->page[unit->count++] = (struct unit_page){
				.pfn = cursor->word * 64 + (uint64_t)__builtin_popcountll(below),
				.rank = cursor->rank + (uint64_t)__builtin_popcountll(kept & below),
			};
		}
		if (cursor->pending)
			break;
		cursor->rank += (uint64_t)__builtin_popcountll(kept);
		cursor->loaded = false;
		if (++cursor->word == words)
			*cursor = start_of_pass(pipeline, cursor->pass + 1);
	}
	return pass;
}

/* --- how they are packed ------------------------------------------------------------------------------------------ */

/* An earlier page of this unit that equals page @index, by their hashes; -1: none, and from now on it is this one. */
static int find_in_unit(struct worker *worker, unsigned int index)
{
	struct page_hash hash = worker->hash[index];
	uint16_t *slot = &worker->local[hash.low % LOCAL_SLOTS];

	if (*slot && page_hash_equal(worker->hash[*slot - 1], hash))
		return *slot - 1;
	*slot = (uint16_t)(index + 1);
	return -1;
}

/* Is it the page of its group that is compressed? Any of them with the same chance, since memory has patterns. */
static bool is_in_sample(struct worker *worker)
{
	const unsigned int sample = worker->shop->pipeline->sample;
	bool chosen;

	if (worker->group_position == 0) {
		worker->dice = worker->dice * 1664525 + 1013904223;
		worker->group_choice = (unsigned int)((uint64_t)worker->dice * sample >> 32);
	}
	chosen = worker->group_position == worker->group_choice;
	worker->group_position = (worker->group_position + 1) % sample;
	return chosen;
}

static void compress_page(struct worker *worker, struct unit_page *page, const uint8_t *data)
{
	const struct pipeline *pipeline = worker->shop->pipeline;
	struct page_unit *unit = &worker->unit;
	size_t size = 0;

	page->offset = unit->used;
	page->size = PIPELINE_NO_SIZE;
	if (pipeline->sample && !is_in_sample(worker))
		return;
	if (pipeline->codec)
		size = pipeline->codec->compress(worker->codec_context, data, pipeline->page_size,
						 unit->data + unit->used);
	if (size == 0 || size >= pipeline->page_size) {
		size = pipeline->page_size;
		memcpy(unit->data + unit->used, data, size);
		page->flags = 0;
	} else {
		page->flags = pipeline->codec->flag;
	}
	page->size = (uint32_t)size;
	unit->used += size;
}

/* Looks up all pages of a run at once, to take the lock seldom. */
static void find_shared(struct worker *worker, unsigned int first, unsigned int count)
{
	struct shop *shop = worker->shop;
	struct page_place place;

	pthread_mutex_lock(&shop->lock);
	for (unsigned int i = first; i < first + count; i++) {
		struct unit_page *page = &worker->unit.page[i];

		if (page->state != UNIT_PAGE_DATA || !page_share_find(shop->pipeline->share, worker->hash[i], &place))
			continue;
		page->state = UNIT_PAGE_SHARED;
		page->offset = place.offset;
		page->size = place.size;
		page->flags = place.flags;
	}
	pthread_mutex_unlock(&shop->lock);
}

static void pack_pages(struct worker *worker, unsigned int first, unsigned int count, const uint8_t *data)
{
	const struct pipeline *pipeline = worker->shop->pipeline;
	uint64_t page_size = pipeline->page_size;

	for (unsigned int i = 0; i < count; i++) {
		bool zero = pipeline->share_zero_pages && kd_all_zero(data + i * page_size, page_size);

		worker->unit.page[first + i].state = zero ? UNIT_PAGE_ZERO : UNIT_PAGE_DATA;
		if (pipeline->share && !zero)
			worker->hash[first + i] = page_share_hash(pipeline->share, data + i * page_size);
	}
	if (pipeline->share)
		find_shared(worker, first, count);
	for (unsigned int i = 0; i < count; i++) {
		struct unit_page *page = &worker->unit.page[first + i];
		int same = -1;

		if (page->state != UNIT_PAGE_DATA)
			continue;
		if (pipeline->share)
			same = find_in_unit(worker, first + i);
		if (same < 0) {
			compress_page(worker, page, data + i * page_size);
			continue;
		}
		worker->repeated++;
		page->offset = worker->unit.page[same].offset;
		page->size = worker->unit.page[same].size;
		page->flags = worker->unit.page[same].flags;
	}
}

/* Pack @count pages with consecutive pfns; one by one where they cannot be read together. */
static void pack_run(struct worker *worker, unsigned int first, unsigned int count)
{
	const struct pipeline *pipeline = worker->shop->pipeline;
	uint64_t size = count * pipeline->page_size, paddr = worker->unit.page[first].pfn * pipeline->page_size;
	const uint8_t *data;
	struct kd_error *err = vmcore_window_get(&worker->window, paddr, size, worker->read_buf, &data);

	if (!err) {
		data = erase_apply(pipeline->erase, paddr, data, size, worker->read_buf);
		pack_pages(worker, first, count, data);
		return;
	}
	if (count == 1) {
		worker->unit.page[first].state = UNIT_PAGE_UNREADABLE;
		read_error_add(&worker->unreadable, paddr, err);
	}
	kd_error_destroy(err);
	for (unsigned int i = 0; i < count && count > 1; i++)
		pack_run(worker, first + i, 1);
}

static void pack_unit(struct worker *worker)
{
	struct page_unit *unit = &worker->unit;
	unsigned int run_max = (unsigned int)(READ_BYTES / worker->shop->pipeline->page_size);

	worker->repeated = 0;
	worker->unreadable = (struct read_error){ 0 };
	memset(worker->local, 0, sizeof(worker->local));
	for (unsigned int i = 0, count; i < unit->count; i += count) {
		for (count = 1; count < run_max && i + count < unit->count; count++)
			if (unit->page[i + count].pfn != unit->page[i].pfn + count)
				break;
		pack_run(worker, i, count);
	}
}

/* --- the workers -------------------------------------------------------------------------------------------------- */

static void report_progress(struct shop *shop)
{
	const struct pipeline *pipeline = shop->pipeline;
	uint64_t done = pipeline->written + pipeline->unreadable;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!pipeline->progress || (now.tv_sec == shop->last_progress && done < shop->total))
		return;
	shop->last_progress = now.tv_sec;
	pipeline->progress(pipeline->progress_arg, done, shop->total);
}

static bool take_unit(struct worker *worker)
{
	struct shop *shop = worker->shop;

	pthread_mutex_lock(&shop->lock);
	worker->unit.count = 0;
	if (!shop->err)
		worker->pass = pick_pages(shop->pipeline, &shop->cursor, unit_max(shop->pipeline->page_size),
					  &worker->unit);
	if (worker->unit.count)
		shop->under_way[worker->pass]++;
	pthread_mutex_unlock(&shop->lock);
	return worker->unit.count > 0;
}

static bool is_earlier_pass_under_way(const struct worker *worker)
{
	for (unsigned int pass = 0; pass < worker->pass; pass++)
		if (worker->shop->under_way[pass])
			return true;
	return false;
}

/* Wait until the pages of all earlier passes are in the file. When the disk is full, a worker that was slow with pages
 * that are needed first must not find that faster ones have filled it with pages that are needed less. */
static void await_turn(struct worker *worker)
{
	struct shop *shop = worker->shop;

	pthread_mutex_lock(&shop->lock);
	while (is_earlier_pass_under_way(worker))
		pthread_cond_wait(&shop->placed, &shop->lock);
	pthread_mutex_unlock(&shop->lock);
}

static struct kd_error *put_unit(struct worker *worker)
{
	struct shop *shop = worker->shop;
	const struct writer_ops *ops = shop->pipeline->ops;
	struct kd_error *err;

	await_turn(worker);
	if (ops->concurrent)
		return ops->put(shop->pipeline->writer, &worker->unit);
	pthread_mutex_lock(&shop->lock);
	err = ops->put(shop->pipeline->writer, &worker->unit);
	pthread_mutex_unlock(&shop->lock);
	return err;
}

static void count_page(struct worker *worker, unsigned int index)
{
	struct pipeline *pipeline = worker->shop->pipeline;
	const struct unit_page *page = &worker->unit.page[index];
	struct page_place place = { worker->unit.place + page->offset, page->size, page->flags };

	switch (page->state) {
	case UNIT_PAGE_DATA:
		if (pipeline->share)
			page_share_add(pipeline->share, worker->hash[index], &place);
		break;
	case UNIT_PAGE_ZERO:
		pipeline->zero++;
		break;
	case UNIT_PAGE_SHARED:
		pipeline->shared++;
		break;
	case UNIT_PAGE_UNREADABLE:
		pipeline->unreadable++;
		pipeline->vital_unreadable += pipeline->vital && vital_is_needed(pipeline->vital, page->pfn);
		return;
	}
	pipeline->written++;
}

static void account(struct worker *worker, struct kd_error *err)
{
	struct shop *shop = worker->shop;

	pthread_mutex_lock(&shop->lock);
	if (--shop->under_way[worker->pass] == 0)
		pthread_cond_broadcast(&shop->placed);
	if (err)
		shop->pipeline->failed_passes |= 1u << worker->pass;
	if (!err) {
		for (unsigned int i = 0; i < worker->unit.count; i++)
			count_page(worker, i);
		shop->pipeline->shared += worker->repeated;
		read_error_join(&shop->pipeline->first_unreadable, &worker->unreadable);
		report_progress(shop);
	} else if (!shop->err) {
		shop->err = err;
	} else {
		kd_error_destroy(err);
	}
	pthread_mutex_unlock(&shop->lock);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (take_unit(worker)) {
		pack_unit(worker);
		account(worker, put_unit(worker));
	}
	return NULL;
}

static unsigned int worker_count(const struct pipeline *pipeline, uint64_t pages)
{
	uint64_t per_unit = unit_max(pipeline->page_size), units = pages / per_unit + (pages % per_unit != 0);
	unsigned int threads = pipeline->threads < THREADS_MAX ? pipeline->threads : THREADS_MAX;

	return units < threads ? (unsigned int)units : threads;
}

/* Starts one more worker. False: there is no memory for it, and the others do its work. */
static bool start_worker(struct shop *shop, struct worker **ret)
{
	_cleanup_(worker_destroy) struct worker *worker = worker_create(shop);

	if (!worker || !thread_start(&worker->thread, work, worker))
		return false;
	*ret = take_ptr(worker);
	return true;
}

static void run_workers(struct shop *shop, struct worker *own)
{
	unsigned int count = worker_count(shop->pipeline, shop->pages), started = 0;
	struct worker *others[THREADS_MAX];

	while (started + 1 < count && start_worker(shop, &others[started]))
		started++;
	work(own);
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(others[i]->thread, NULL);
		worker_destroy(others[i]);
	}
}

struct kd_error *pipeline_run(struct pipeline *pipeline)
{
	uint64_t pages = pfn_bitmap_count(pipeline->kept, 0, pipeline->kept->end_pfn);
	struct shop shop = {
		.pipeline = pipeline,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.placed = PTHREAD_COND_INITIALIZER,
		.cursor = start_of_pass(pipeline, pipeline->first_pass),
		.pages = pages,
		.total = pipeline->total ? pipeline->total : pages,
	};
	_cleanup_(worker_destroy) struct worker *worker = worker_create(&shop);

	assert(pipeline->threads > 0);
	if (!worker)
		return kd_error_nomem();
	run_workers(&shop, worker);
	return shop.err;
}

unsigned int pipeline_default_threads(uint64_t page_size)
{
	uint64_t more = memory_available() / MEMORY_PART_WORKERS /
			(pipeline_worker_memory(page_size) + THREAD_STACK_BYTES);
	unsigned int threads = DEFAULT_THREADS_MAX;
	cpu_set_t cpus;

	/* A machine with more CPUs than the set has room for has enough of them. */
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && (unsigned int)CPU_COUNT(&cpus) < threads)
		threads = (unsigned int)CPU_COUNT(&cpus);
	return more + 1 < threads ? (unsigned int)more + 1 : threads;
}
