/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No page is placed before all pages of earlier passes are, however long a worker takes over them.
 *
 * One worker gets a page of the first pass and stalls in its codec, until another worker has either placed pages of a
 * later pass, which is the fault, or begun to wait for its turn: the linker sends pthread_cond_wait() through here.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "dumpfilter/write/pipeline.h"
#include "tests/unit/dumpfilter/dumpfilter-testing.h"
#include "tests/unit/temporary.h"
#include "tests/unit/testing.h"

#define KEPT_PAGES (2 * PAGE_UNIT_MAX)
#define FIRST_PFN  UINT64_C(2300)
#define MARK       UINT64_C(0x5354414c4c) /* begins the page over which the worker stalls */

struct writer {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool other_waits;         /* another worker waits for its turn … */
	unsigned int others;      /* … or has placed pages of the later pass */
	unsigned int firsts;      /* pages of the first pass that were placed */
	unsigned int others_then; /* how many others there were when the first pass was placed */
	bool fails;               /* to place the first pass is an error */
};

/* The codec's context has no way to it but this, nor has pthread_cond_wait(). */
static struct writer *current;

int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	if (cond != &current->moved) {
		pthread_mutex_lock(&current->lock);
		current->other_waits = true;
		pthread_cond_signal(&current->moved);
		pthread_mutex_unlock(&current->lock);
	}
	return __real_pthread_cond_wait(cond, mutex);
}

static void *create(size_t page_size)
{
	return current;
}

static void destroy(void *context)
{
}

static size_t bound(size_t size)
{
	return size;
}

/* Pages are stored as they are. */
static size_t compress_page(void *context, const void *in, size_t in_size, void *out)
{
	struct writer *writer = context;
	uint64_t mark;

	memcpy(&mark, in, sizeof(mark));
	if (mark != MARK)
		return 0;
	pthread_mutex_lock(&writer->lock);
	while (!writer->other_waits && !writer->others)
		pthread_cond_wait(&writer->moved, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	return 0;
}

static const struct codec codec_stalling = {
	.name = "stalling", .create = create, .destroy = destroy, .bound = bound, .compress = compress_page
};

static struct kd_error *put(struct writer *writer, struct page_unit *unit)
{
	struct kd_error *err = NULL;

	pthread_mutex_lock(&writer->lock);
	for (unsigned int i = 0; i < unit->count && !err; i++) {
		if (unit->page[i].pfn != FIRST_PFN) {
			writer->others++;
			continue;
		}
		if (writer->fails)
			err = kd_error_create(KD_ERR_OS, "the disk is full");
		writer->firsts++;
		writer->others_then = writer->others;
	}
	pthread_cond_signal(&writer->moved);
	pthread_mutex_unlock(&writer->lock);
	return err;
}

static const struct writer_ops writer_counting = { .name = "counting", .concurrent = true, .put = put };

static void write_vmcore(const char *path)
{
	struct machine machine;

	machine_init(&machine, 4);
	machine_put(&machine, FIRST_PFN * 4096, MARK, 8);
	machine_write(&machine, path);
	machine_release(&machine);
}

/* KEPT_PAGES pages, of which one is in @pass and all others in the pass behind, by two workers. */
static void run(unsigned int pass, struct writer *writer, const char *error)
{
	_cleanup_(pfn_bitmap_release) struct pfn_bitmap kept = { 0 }, first = { 0 }, none = { 0 };
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	char dir[TEMPORARY_SIZE], core[96];
	struct kd_error *err;

	temporary_make(dir);
	snprintf(core, sizeof(core), "%s/vmcore", dir);
	write_vmcore(core);
	assert_no_error(vmcore_open(core, &vmcore));
	assert_true(pfn_bitmap_init(&kept, RAM_PAGES) && pfn_bitmap_init(&first, RAM_PAGES) &&
		    pfn_bitmap_init(&none, RAM_PAGES));
	pfn_bitmap_set(&kept, FIRST_PFN - KEPT_PAGES / 2, FIRST_PFN + KEPT_PAGES / 2);
	pfn_bitmap_set(&first, FIRST_PFN, FIRST_PFN + 1);
	struct pipeline pipeline = {
		.vmcore = vmcore,
		.page_size = 4096,
		.kept = &kept,
		.codec = &codec_stalling,
		.threads = 2,
		.ops = &writer_counting,
		.writer = writer,
	};
	for (unsigned int i = 0; i < PIPELINE_PASSES; i++)
		pipeline.pass[i] = i == pass ? &first : &none;
	pipeline.pass[pass + 1] = NULL;
	current = writer;
	err = pipeline_run(&pipeline);
	if (error)
		assert_error(err, KD_ERR_OS, error);
	else
		assert_no_error(err);
	temporary_remove(dir);
}

static void test_first_pass_is_awaited(void **state)
{
	for (unsigned int pass = 0; pass + 1 < PIPELINE_PASSES; pass++) {
		struct writer writer = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

		run(pass, &writer, NULL);
		assert_int_equal(writer.firsts, 1);
		assert_int_equal(writer.others_then, 0);
		assert_int_equal(writer.others, KEPT_PAGES - 1);
	}
}

/* Whoever waits for a pass that ends with an error must not wait for ever. */
static void test_first_pass_fails(void **state)
{
	struct writer writer = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .fails = true };

	run(0, &writer, "the disk is full");
	assert_int_equal(writer.firsts, 1);
	assert_int_equal(writer.others_then, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_pass_is_awaited),
		cmocka_unit_test(test_first_pass_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
