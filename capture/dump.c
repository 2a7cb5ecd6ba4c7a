/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/parse.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/programs.h"
#include "capture/progress.h"
#include "capture/save.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/report.h"

/* Of the file of a dump. */
struct names {
	const char *complete, *incomplete, *retry; /* while "incomplete" holds the best dump so far */
};
static const struct names plain_names = { "vmcore", "vmcore-incomplete", "vmcore-incomplete.retry" };
/* What is encrypted is written from its beginning to its end: the flattened form of a dump. */
static const struct names encrypted_names = { "vmcore.flat.age", "vmcore-incomplete.flat.age",
					      "vmcore-incomplete.retry.flat.age" };

enum {
	CONSOLE_MS = 2000,
	FINISH_SECONDS = 120,
	ANSWER_MS = 20000, /* for a sync that tells whether the target still takes anything */
	ESTIMATE_PART = 4, /* of the time that is left */
};

/* A collector in a child process tells its parent all this through shared memory. */
struct dump_news {
	uint64_t done, total, page_size;
	struct dumpfilter_report report;
	struct copy_result copy;
	struct dumpfilter_estimate estimate; /* of RUNG_FILTER */
	bool plain_filter;                   /* core_collector does the same as RUNG_FILTER */
};

/* A running rung. */
struct rung_run {
	const struct dump_request *request;
	enum rung rung;
	const char *name; /* of the output file in request->dir */
	struct dump_news *news;
	struct dump_attempt *attempt;    /* is kept up to date, for whoever outlives this process */
	int report_fd;                   /* a file in memory for the report of the program dumpfilter; -1: none */
	int64_t start, changed, printed; /* clock_ms() */
	uint64_t seen;                   /* while this figure does not change, the collector makes no progress */
	uint64_t part_done;              /* pages, at part_start */
	int64_t part_start;              /* of the time in which the speed is measured, clock_ms() */
	bool slow;                       /* the collector was stopped for its speed */
	uint64_t size;                   /* of the output file, when it was last looked at */
};

static bool is_encrypted(const struct dump_request *request)
{
	return request->encryption->wanted;
}

static const struct names *names_of(const struct dump_request *request)
{
	return is_encrypted(request) ? &encrypted_names : &plain_names;
}

/* Only kernel pages, compressed as by default or not at all. */
static struct dumpfilter_options kernel_pages(bool compressed)
{
	return (struct dumpfilter_options){ .level = 31, .codec = compressed ? codecs_built_in[0] : NULL };
}

/* --- in the child ------------------------------------------------------------------------------------------------- */

static void report_progress(void *arg, uint64_t done, uint64_t total)
{
	struct dump_news *news = arg;

	news->done = done;
	news->total = total;
}

static struct kd_error *run_filter(const struct rung_run *run, struct dumpfilter_options options)
{
	options.log = run->request->log;
	options.progress = report_progress;
	options.progress_arg = run->news;
	options.flatten = options.early = is_encrypted(run->request);
	return dumpfilter_run(run->request->vmcore, run->name, &options, &run->news->report);
}

static struct kd_error *run_copy(const struct rung_run *run)
{
	struct copy_result *copy = &run->news->copy;
	const char *name = is_encrypted(run->request) ? NULL : run->name;
	struct kd_error *err = copy_vmcore(run->request->vmcore, name, report_progress, run->news, copy);

	if (copy->unreadable)
		kd_warn(run->request->log,
			"%" PRIu64 " bytes of %s could not be read, the first at offset 0x%" PRIx64 ": %s; "
			"in the copy they are zeros",
			copy->unreadable, run->request->vmcore, copy->first_unreadable, copy->error);
	return err;
}

/* To a stream, whoever reads it: dumpfilter and makedumpfile have one option for that. */
static size_t put_stream_options(const struct rung_run *run, char **argv)
{
	size_t argc = 0;

	if (is_encrypted(run->request))
		argv[argc++] = (char *)"-F";
	if (is_encrypted(run->request) && run->request->collector->kind == KD_COLLECTOR_DUMPFILTER)
		argv[argc++] = (char *)"--early";
	return argc;
}

static struct kd_error *run_program(const struct rung_run *run)
{
	const struct kd_plan_collector *collector = run->request->collector;
	char *const *word = collector->argv;
	/* Any other program may be a script, which runs further ones. */
	struct kd_error *err = programs_expand("",
					       collector->kind == KD_COLLECTOR_DUMPFILTER ? collector->argv[0] : NULL);
	char report[32], **argv;
	size_t argc = 0;

	if (err)
		return err;
	argv = calloc(kd_count_words(word) + 7, sizeof(*argv));
	if (!argv)
		return kd_error_nomem();
	argv[argc++] = *word++;
	if (run->report_fd >= 0 && collector->kind == KD_COLLECTOR_DUMPFILTER) {
		snprintf(report, sizeof(report), "/proc/self/fd/%d", run->report_fd);
		argv[argc++] = (char *)"--report";
		argv[argc++] = report;
	}
	argc += put_stream_options(run, argv + argc);
	while (*word)
		argv[argc++] = *word++;
	argv[argc++] = (char *)run->request->vmcore;
	if (!is_encrypted(run->request))
		argv[argc] = (char *)run->name;
	return child_exec(argv);
}

static struct kd_error *run_configured(const struct rung_run *run)
{
	const struct kd_plan_collector *collector = run->request->collector;
	struct dumpfilter_options options;
	struct kd_error *err;

	if (collector->kind != KD_COLLECTOR_BUILT_IN)
		return run_program(run);
	err = dumpfilter_parse_built_in(collector->argv, &options);
	if (err)
		return kd_error_wrap(err, "core_collector");
	run->news->plain_filter = options.level == 31 && options.codec;
	return run_filter(run, options);
}

/* Into the file run->name, or to standard output if the dump is encrypted. */
static struct kd_error *collect_plain(void *arg)
{
	const struct rung_run *run = arg;

	switch (run->rung) {
	case RUNG_CONFIGURED:
		return run_configured(run);
	case RUNG_FILTER:
		return run_filter(run, kernel_pages(true));
	case RUNG_STORE:
		return run_filter(run, kernel_pages(false));
	case RUNG_COPY:
		return run_copy(run);
	case RUNG_NONE:
		break;
	}
	return NULL;
}

static struct kd_error *collect(void *arg)
{
	struct rung_run *run = arg;
	const struct child_job job = { .name = "the collector",
				       .run = collect_plain,
				       .arg = run,
				       .deadline = run->request->deadline,
				       .expendable = true };

	if (fchdir(run->request->dir) < 0)
		return kd_error_os(errno, "cannot enter the dump directory");
	return is_encrypted(run->request) ? encryption_collect(run->request->encryption, run->name, &job) :
					    collect_plain(run);
}

/* --- in the parent ------------------------------------------------------------------------------------------------ */

/* The file's bytes on the disk: less than its length if it has holes. More is only space that the file system has
 * allocated ahead. */
static uint64_t disk_size(int dir, const char *name)
{
	struct stat st;
	uint64_t blocks;

	if (fstatat(dir, name, &st, 0) < 0)
		return 0;
	blocks = (uint64_t)st.st_blocks * 512;
	return blocks < (uint64_t)st.st_size ? blocks : (uint64_t)st.st_size;
}

static void show_progress(const struct rung_run *run, int64_t now)
{
	char line[128];
	size_t length;

	progress_format(line, sizeof(line) - 1, run->news->done, run->news->total, run->news->page_size,
			now - run->start);
	length = strlen(line);
	line[length++] = '\n';
	/* The descriptor does not block: a console that stops output (flow control) must not stop the dump. */
	(void)!write(run->request->console, line, length);
}

/* A program may read for minutes before it writes. What uses less than a hundredth of a CPU only waits. */
static uint64_t work_of_program(const struct rung_run *run, pid_t pid)
{
	const struct dump_request *request = run->request;

	if (run->rung != RUNG_CONFIGURED || request->collector->kind == KD_COLLECTOR_BUILT_IN)
		return 0;
	return child_cpu(pid) / (uint64_t)(request->stall_ms / 100 + 1);
}

static bool is_gone(const struct dump_request *request)
{
	return disks_are_gone(request->disks, request->root);
}

/* The least that so many bytes of a file hold: no page takes much more than its own size. */
static uint64_t pages_in(uint64_t size)
{
	return (size + 4095) / 4096;
}

/* Look at the speed once in LADDER_PACE_MS. */
static bool is_too_slow(struct rung_run *run, int64_t now)
{
	const struct dump_news *news = run->news;
	const struct ladder_pace pace = {
		.done = news->done,
		.total = news->total,
		.elapsed_ms = now - run->start,
		.recent_done = news->done - run->part_done,
		.recent_ms = now - run->part_start,
		.left_ms = run->request->deadline - now,
		.next = run->request->next,
	};

	if (pace.recent_ms < LADDER_PACE_MS)
		return false;
	run->slow = ladder_is_too_slow(&pace);
	run->part_done = news->done;
	run->part_start = now;
	return run->slow;
}

static struct kd_error *sync_output(void *arg)
{
	const struct rung_run *run = arg;
	_cleanup_close_ int fd = openat(run->request->dir, run->name, O_WRONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) == 0 ? NULL : kd_error_os(errno, "cannot sync %s", run->name);
}

static bool watch_sync(void *arg, pid_t pid)
{
	const struct rung_run *run = arg;

	return !is_gone(run->request);
}

/* The collector made no progress. Is that its own fault (NULL), or does the target take nothing any more? */
static struct kd_error *ask_target(struct rung_run *run, enum child_end *end)
{
	const struct dump_request *request = run->request;
	int64_t patience = request->stall_ms < ANSWER_MS ? request->stall_ms : ANSWER_MS;
	const struct child_job job = { .name = "a sync of the dump",
				       .run = sync_output,
				       .tick = watch_sync,
				       .arg = run,
				       .deadline = clock_ms() + patience };
	struct child_result result;
	struct kd_error *err = child_run(&job, &result);

	if (result.end == CHILD_LEFT)
		*end = CHILD_LEFT;
	if (err && err->code == KD_ERR_TIMEOUT)
		err->errnum = ETIMEDOUT;
	return kd_error_wrap(err, "the target takes nothing any more");
}

/* The collector was stopped before its time. Why, if that is not for its own faults? Such a target is left; @end tells
 * whether it is stuck. */
static struct kd_error *explain(struct rung_run *run, struct kd_error *err, enum child_end *end)
{
	const struct dump_request *request = run->request;
	struct kd_error *silent = NULL;

	if (*end == CHILD_KILLED && !run->slow && !is_gone(request) && clock_ms() < request->deadline)
		silent = ask_target(run, end);
	if (is_gone(request)) {
		kd_error_destroy(silent);
		silent = kd_error_os(ENODEV, "the target's disk was unplugged");
	}
	if (silent) {
		kd_error_destroy(err);
		return silent;
	}
	if (!run->slow)
		return err;
	kd_error_destroy(err);
	err = kd_error_create(KD_ERR_TIMEOUT,
			      "the target is too slow: after %" PRId64 " s it has %" PRIu64 " of %" PRIu64
			      " pages, and %" PRId64 " s are left",
			      (int64_t)(clock_ms() - run->start) / 1000, run->news->done, run->news->total,
			      (int64_t)(request->deadline - clock_ms()) / 1000);
	if (err->code != KD_ERR_NOMEM)
		err->errnum = ETIMEDOUT;
	return err;
}

static bool watch(void *arg, pid_t pid)
{
	struct rung_run *run = arg;
	int64_t now = clock_ms();
	uint64_t figure;

	/* Nobody tells a process that waits for it. */
	if (is_gone(run->request))
		return false;
	run->size = disk_size(run->request->dir, run->name);
	run->attempt->size = run->size;
	run->attempt->pages = pages_in(run->size);
	run->attempt->stop = now;
	figure = run->news->done + run->size + work_of_program(run, pid);
	memory_note(run->request->memory, run->request->root);
	if (figure != run->seen) {
		run->seen = figure;
		run->changed = now;
	}
	if (run->news->total && run->request->console >= 0 && now - run->printed >= CONSOLE_MS) {
		show_progress(run, now);
		run->printed = now;
	}
	return now - run->changed < run->request->stall_ms && !is_too_slow(run, now);
}

static int shell_status(const struct child_result *result)
{
	switch (result->end) {
	case CHILD_OK:
		return 0;
	case CHILD_SIGNAL:
	case CHILD_KILLED:
		return 128 + result->status;
	default:
		return result->status ? result->status : 1;
	}
}

/* Read the report of the program dumpfilter; any other program leaves the file empty. */
static void read_report(int fd, struct dumpfilter_report *ret)
{
	char text[2048];
	ssize_t size = kd_pread_all(fd, text, sizeof(text), 0);

	if (size > 0)
		dumpfilter_report_read(text, (size_t)size, ret);
}

/* The built-in filter counts what it has written when it ends by itself. Of its progress it tells once a second. A
 * server of objects that has not taken the whole file has nothing of it. */
static uint64_t count_pages(const struct dump_attempt *attempt, const struct dump_news *news)
{
	uint64_t least = pages_in(attempt->size);

	if (!attempt->filtered || !attempt->size)
		return least;
	if (attempt->end != CHILD_SIGNAL && attempt->end != CHILD_KILLED && attempt->end != CHILD_LEFT)
		return news->report.pages_written;
	return least && news->done > least ? news->done : least;
}

static struct kd_error *run_rung(const struct dump_request *request, enum rung rung, const char *name,
				 struct dump_news *news, struct dump_attempt *ret, int *status_ret)
{
	int64_t now = clock_ms();
	_cleanup_close_ int report_fd = memfd_create("report", 0);
	struct rung_run run = { .request = request,
				.rung = rung,
				.name = name,
				.news = news,
				.attempt = ret,
				.report_fd = report_fd,
				.start = now,
				.changed = now,
				.printed = now,
				.part_start = now };
	struct child_job job = { .name = "the collector",
				 .run = collect,
				 .tick = watch,
				 .arg = &run,
				 .deadline = request->deadline,
				 .expendable = true };
	struct child_result result;
	struct kd_error *err;

	*news = (struct dump_news){ .page_size = 4096 };
	*ret = (struct dump_attempt){
		.rung = rung, .end = CHILD_LEFT, .start = now, .stop = now, .error = "it did not come to its end"
	};
	err = child_run(&job, &result);
	if (err)
		err = explain(&run, err, &result.end);
	read_report(report_fd, &news->report);
	*ret = (struct dump_attempt){
		.rung = rung,
		.end = result.end,
		.start = now,
		.stop = clock_ms(),
		.peak_memory = result.peak_memory,
		.size = result.end == CHILD_LEFT ? run.size : disk_size(request->dir, name),
		.filtered = news->report.page_size != 0,
		.report = news->report,
		.copy = news->copy,
	};
	ret->pages = count_pages(ret, news);
	*status_ret = shell_status(&result);
	if (err)
		snprintf(ret->error, sizeof(ret->error), "%s", err->text);
	return err;
}

static uint64_t free_space(int dir)
{
	struct statvfs fs;

	return fstatvfs(dir, &fs) < 0 ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* A program cannot pass on its errno, but a full disk explains its failure. */
static int failure_errno(const struct dump_request *request, const struct kd_error *err, enum child_end end)
{
	if (end == CHILD_EXIT && free_space(request->dir) < KD_MIB(1))
		return ENOSPC;
	return err->errnum;
}

static struct kd_error *estimate_filter(void *arg)
{
	const struct rung_run *run = arg;
	struct dumpfilter_options options = kernel_pages(true);

	options.log = run->request->log;
	return dumpfilter_estimate(run->request->vmcore, &options, &run->news->estimate);
}

/* Bytes that RUNG_FILTER needs; UINT64_MAX: that cannot be found out in a part of the time that is left. */
static uint64_t filter_size(const struct dump_request *request, struct dump_news *news)
{
	struct rung_run run = { .request = request, .news = news };
	struct child_job job = { .name = "estimating a smaller dump",
				 .run = estimate_filter,
				 .arg = &run,
				 .deadline = clock_ms() + (request->deadline - clock_ms()) / ESTIMATE_PART,
				 .expendable = true };
	_cleanup_(kd_error_destroy) struct kd_error *err = child_run(&job, NULL);

	if (!err && is_encrypted(request))
		return kd_age_size(news->estimate.size, request->encryption->count);
	if (!err)
		return news->estimate.size;
	kd_warn(request->log, "%s", err->text);
	return UINT64_MAX;
}

/* @replace_ret: the incomplete dump must go before the next rung. */
static enum rung next_rung(const struct dump_request *request, const struct kd_error *err,
			   const struct dump_attempt *attempt, struct dump_news *news, bool unreadable,
			   bool *replace_ret)
{
	enum rung next;
	struct stat st;
	struct ladder_facts facts = {
		.end = attempt->end,
		.errnum = failure_errno(request, err, attempt->end),
		.out_of_time = clock_ms() >= request->deadline,
		.erases = *request->collector->erase_config,
		.plain_filter = news->plain_filter,
		.unreadable = unreadable,
		.space = attempt->end == CHILD_LEFT ? 0 : free_space(request->dir),
		.vmcore_size = stat(request->vmcore, &st) < 0 ? UINT64_MAX : (uint64_t)st.st_size,
		.file_size = attempt->size,
	};

	if (ladder_needs_estimate(attempt->rung, &facts))
		facts.filter_size = filter_size(request, news);
	next = ladder_next(attempt->rung, &facts);
	*replace_ret = next != RUNG_NONE && ladder_must_replace(&facts);
	return next;
}

/* The collector has worked; but with what it could not read, is this a complete dump? NULL: it is. */
static struct kd_error *judge_reading(const struct dump_attempt *attempt)
{
	const struct dumpfilter_report *report = &attempt->report;
	const struct copy_result *copy = &attempt->copy;

	if (attempt->filtered && !dumpfilter_report_is_complete(report))
		return kd_error_create(KD_ERR_HOLE,
				       "the dump is incomplete: %" PRIu64 " of its %" PRIu64
				       " pages could not be read, "
				       "%" PRIu64 " of them vital; the first at 0x%" PRIx64 ": %s",
				       report->unreadable, report->pages_written + report->unreadable,
				       report->vital_unreadable, report->first_unreadable.paddr,
				       report->first_unreadable.text);
	if (copy->unreadable > copy->size / 100 * DUMPFILTER_UNREADABLE_PERCENT)
		return kd_error_create(KD_ERR_HOLE,
				       "the copy is incomplete: %" PRIu64 " of %" PRIu64 " bytes could not be read, "
				       "the first at offset 0x%" PRIx64 ": %s",
				       copy->unreadable, copy->size, copy->first_unreadable, copy->error);
	return NULL;
}

static struct ladder_standing standing(const struct dump_attempt *attempt)
{
	return (struct ladder_standing){ .front = attempt->report.front,
					 .chosen = attempt->filtered,
					 .pages = attempt->pages };
}

/* The last attempt has failed: keep its file or the best one before it, whichever is better. Keep both if the target
 * must not be touched. */
static void keep_better(const struct dump_request *request, const char *name, struct dump_result *result)
{
	const struct names *names = names_of(request);
	unsigned int last = result->count - 1;
	const struct ladder_standing now = standing(&result->attempt[last]);
	const struct ladder_standing before = standing(&result->attempt[result->kept]);

	if (strcmp(name, names->incomplete) == 0) {
		result->kept = last; /* the first file */
	} else if (result->stuck) {
		return;
	} else if (ladder_is_better(&now, &before)) {
		renameat(request->dir, names->retry, request->dir, names->incomplete);
		result->kept = last;
	} else {
		unlinkat(request->dir, names->retry, 0);
	}
}

struct finish {
	const struct dump_request *request;
	const char *name, *final_name;
};

static struct kd_error *finish(void *arg)
{
	const struct finish *finish = arg;
	int dir = finish->request->dir;
	const struct names *names = names_of(finish->request);
	struct kd_error *err = save_finish(dir, finish->name, finish->final_name);

	if (!err && finish->final_name == names->complete && finish->name != names->incomplete)
		unlinkat(dir, names->incomplete, 0);
	return err;
}

static bool watch_finish(void *arg, pid_t pid)
{
	const struct finish *finish = arg;

	return !is_gone(finish->request);
}

/* @final_name: that of a complete dump, or @name once more. */
static struct kd_error *finish_dump(const struct dump_request *request, const char *name, const char *final_name,
				    struct dump_attempt *attempt)
{
	struct child_result result;
	struct kd_error *err;
	struct finish arg = { .request = request, .name = name, .final_name = final_name };
	struct child_job job = { .name = "syncing the dump",
				 .run = finish,
				 .tick = watch_finish,
				 .arg = &arg,
				 .deadline = clock_deadline(FINISH_SECONDS, request->deadline) };

	err = child_run(&job, &result);
	if (result.end == CHILD_LEFT)
		attempt->end = CHILD_LEFT;
	return err;
}

struct kd_error *dump_save(const struct dump_request *request, struct dump_result *ret)
{
	/* Never unmapped: a collector that could not be killed may still write to it. */
	struct dump_news *news = shared_alloc(sizeof(*news));
	const struct names *names = names_of(request);
	const char *name = names->incomplete;
	enum rung rung = RUNG_CONFIGURED;
	bool replace;

	*ret = (struct dump_result){ .status = 1 };
	if (!news)
		return kd_error_nomem();
	for (;;) {
		struct dump_attempt *attempt = &ret->attempt[ret->count++];
		_cleanup_(kd_error_destroy) struct kd_error *unreadable = NULL;
		struct kd_error *err = run_rung(request, rung, name, news, attempt, &ret->status);

		if (!err) {
			unreadable = judge_reading(attempt);
			err = finish_dump(request, name, unreadable ? name : names->complete, attempt);
			if (err && attempt->end != CHILD_LEFT && !disk_size(request->dir, name))
				attempt->size = attempt->pages = 0;
		}
		if (!err && unreadable) {
			err = take_ptr(unreadable);
			snprintf(attempt->error, sizeof(attempt->error), "%s", err->text);
			ret->final = true;
			ret->status = 1;
		}
		if (!err) {
			ret->kept = ret->count - 1;
			ret->complete = true;
			return NULL;
		}
		ret->stuck = attempt->end == CHILD_LEFT || is_gone(request);
		ret->lost = ladder_is_target_error(err->errnum);
		keep_better(request, name, ret);
		rung = next_rung(request, err, attempt, news, ret->final, &replace);
		if (rung == RUNG_NONE)
			return err;
		if (replace)
			unlinkat(request->dir, names->incomplete, 0);
		name = faccessat(request->dir, names->incomplete, F_OK, 0) == 0 ? names->retry : names->incomplete;
		kd_warn(request->log, "%s; trying again %s", err->text, rung_words(rung));
		kd_error_destroy(err);
	}
}
