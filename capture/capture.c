/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/klog.h"
#include "base/parse.h"
#include "base/target_types.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/comeback.h"
#include "capture/disks.h"
#include "capture/flight.h"
#include "capture/hooks.h"
#include "capture/machine.h"
#include "capture/modules.h"
#include "capture/save.h"

enum {
	MODULE_SECONDS = 30,
	PAPER_SECONDS = 60,
	SECOND_LOOK_SECONDS = 15,
	STUCK_SECONDS = 120, /* without a sign of life of the child that makes the dump, at most */
	HELD_SECONDS = 10,   /* behind stall_timeout, by which that child judges the collector */
	LEAVE_SECONDS = 30,  /* for a target, when another one comes next; the only one may just be slow */
	TRACE_LINES = 50,
	RESERVE_SIZE = 512 << 10, /* kexec-dmesg.log and report.json */
	CLOSING_MS = 30 * 1000,   /* the most that the dump leaves for the report and the unmount */
	/* Commands of syslog(2). */
	KLOG_READ_ALL = 3,
	KLOG_SIZE_BUFFER = 10,
};

struct capture {
	const struct capture_setup *setup;
	const struct kd_plan *plan;
	const struct kd_log *log;
	struct kd_sysroot root;
	struct report report;
	struct flight flight;
	struct encryption encryption;
	int64_t deadline; /* of the running step */
	struct capture_progress *progress;
	struct disks disks; /* of report.target; none: it is on a server, or they are not known */
	bool connected;     /* report.target is mounted, and has a directory for this crash */
	bool stuck;         /* a child was left behind, or the disk is gone: the target must not be touched any more */
	bool traced;        /* the end of the crashed kernel's log is on the console */
};

enum on_failure {
	GO_ON, /* with the next step */
	STOP,  /* without this step the rest of the table is of no use */
	STOP_IF_STUCK,
};

struct step {
	const char *name;
	struct kd_error *(*run)(struct capture *capture);
	unsigned int seconds; /* deadline; 0: that of the whole capture */
	enum on_failure on_failure;
};

/* The target must not be touched any more. */
static void leave_alone(struct capture *capture)
{
	capture->stuck = capture->progress->stuck = true;
	machine_make_room();
}

/* Log the error and put it into the report; the capture goes on. */
static void complain(struct capture *capture, struct kd_error *err)
{
	if (!err)
		return;
	flight_note(&capture->flight, KD_FLIGHT_ERROR, "%s", err->text);
	kd_log_error(capture->log, err);
}

/* Returns true unless a step that stops the table has failed. */
static bool run_steps(struct capture *capture, const struct step *steps, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct kd_error *err;
		bool ok;

		flight_note(&capture->flight, KD_FLIGHT_BEGIN, "%s", steps[i].name);
		capture->deadline = steps[i].seconds ? clock_deadline(steps[i].seconds, capture->setup->deadline) :
						       capture->setup->deadline;
		err = steps[i].run(capture);
		ok = !err;
		complain(capture, err);
		memory_note(&capture->report.memory, &capture->root);
		flight_note(&capture->flight, ok ? KD_FLIGHT_END : KD_FLIGHT_FAILED, "%s", steps[i].name);
		if (!ok && (steps[i].on_failure == STOP || (steps[i].on_failure == STOP_IF_STUCK && capture->stuck)))
			return false;
	}
	return true;
}

/* Run @run in a child, until @deadline: what touches a disk or parses the crashed kernel's memory may hang or crash. */
static struct kd_error *run_until(struct capture *capture, const char *name, struct kd_error *(*run)(void *arg),
				  void *arg, int64_t deadline)
{
	struct child_job job = { .name = name, .run = run, .arg = arg, .deadline = deadline };
	struct child_result result;
	struct kd_error *err = child_run(&job, &result);

	if (result.end == CHILD_LEFT)
		leave_alone(capture);
	return err;
}

static struct kd_error *run_apart(struct capture *capture, const char *name, struct kd_error *(*run)(void *arg),
				  void *arg)
{
	return run_until(capture, name, run, arg, capture->deadline);
}

/* The worker does not touch the target, and sysfs does not either. */
static bool is_there(void *arg, pid_t pid)
{
	const struct capture *capture = arg;

	return !disks_are_gone(&capture->disks, &capture->root);
}

/* The same for work on the target, @run of @capture itself. When its disk is pulled out, that ends at once. */
static struct kd_error *run_on_target(struct capture *capture, const char *name, struct kd_error *(*run)(void *arg),
				      int64_t deadline)
{
	struct child_job job = { .name = name, .run = run, .tick = is_there, .arg = capture, .deadline = deadline };
	struct child_result result;
	struct kd_error *err = child_run(&job, &result);

	if (err && !is_there(capture, 0)) {
		kd_error_destroy(err);
		err = kd_error_os(ENODEV, "%s: the target's disk was unplugged", name);
		result.end = CHILD_LEFT;
	}
	if (result.end == CHILD_LEFT)
		leave_alone(capture);
	return err;
}

static void achieve(struct capture *capture, enum capture_result result)
{
	const struct dump_result *dump = &capture->report.dump;

	capture->report.result = result;
	if (result == CAPTURE_LOG_ONLY)
		flight_note(&capture->flight, KD_FLIGHT_SAVED, "log");
	else
		flight_note(&capture->flight, KD_FLIGHT_SAVED, "%s %" PRIu64, capture_result_name(result),
			    dump->attempt[dump->kept].size);
	if (result > capture->setup->outcome->result)
		capture->setup->outcome->result = result;
}

/* --- before the targets ------------------------------------------------------------------------------------------- */

struct quiescing {
	const struct kd_sysroot *root;
	struct quiesce_result result;
};

static struct kd_error *quiesce_devices(void *arg)
{
	struct quiescing *quiescing = arg;

	return quiesce(quiescing->root, &quiescing->result);
}

static struct kd_error *step_quiesce(struct capture *capture)
{
	struct quiesce_result *result = &capture->report.quiesce;
	/* Never unmapped: a child that was left behind may still write to it. */
	struct quiescing *quiescing = shared_alloc(sizeof(*quiescing));
	struct kd_error *err;

	if (!capture->plan->quiesce || capture->progress->quiesced)
		return NULL;
	capture->progress->quiesced = true;
	if (!quiescing)
		return kd_error_nomem();
	quiescing->root = &capture->root;
	err = run_apart(capture, "stopping the devices' DMA", quiesce_devices, quiescing);
	*result = quiescing->result;
	if (err)
		return err;
	kd_info(capture->log, "DMA of %u devices stopped", result->count);
	if (result->failed)
		return kd_error_create(KD_ERR_STATE, "DMA of %u devices could not be stopped", result->failed);
	return NULL;
}

static struct kd_error *step_modules(struct capture *capture)
{
	size_t *next = &capture->progress->modules;

	while (*next < capture->plan->module_count) {
		struct kd_error *err = module_insert(&capture->plan->module[(*next)++],
						     clock_deadline(MODULE_SECONDS, capture->deadline));

		if (err)
			capture->report.modules_failed++;
		else
			capture->report.modules_inserted++;
		capture->progress->stuck |= err && err->code == KD_ERR_TIMEOUT;
		complain(capture, err);
	}
	return NULL;
}

static struct kd_error *wait_for_random(void *arg)
{
	return encryption_wait();
}

static struct kd_error *step_random(struct capture *capture)
{
	struct kd_error *err = run_apart(capture, "waiting for random numbers", wait_for_random, NULL);

	capture->encryption.random = !err;
	return err;
}

/* What may be read on the console, and so wherever that is recorded. */
static bool may_print_log(const struct capture *capture)
{
	return !capture->encryption.wanted || (capture->plan->encryption.public & KD_PUBLIC_CONSOLE);
}

static struct kd_error *examine_crash(void *arg)
{
	const struct capture *capture = arg;

	return crash_examine(capture->log, &capture->setup->outcome->crash);
}

/* Certificates and signatures are judged by the time. */
static void correct_clock(const struct capture *capture)
{
	int64_t now = (int64_t)time(NULL);
	struct timespec right = { .tv_sec = clock_since_crash(capture->setup->outcome->crash.identity.crash_time,
							      clock_ms() / 1000, now) };

	if (right.tv_sec != now && clock_settime(CLOCK_REALTIME, &right) == 0)
		kd_info(capture->log, "the clock was %" PRId64 " seconds off; it is now as in the crashed kernel",
			now - (int64_t)right.tv_sec);
}

static struct kd_error *step_log(struct capture *capture)
{
	const struct crash_facts *crash = &capture->setup->outcome->crash;
	struct kd_error *err;

	if (crash->log_size)
		return NULL;
	err = run_apart(capture, "reading the crashed kernel's log", examine_crash, capture);
	if (capture->setup->sets_clock)
		correct_clock(capture);
	if (crash->identity.release[0] && may_print_log(capture))
		kd_info(capture->log, "Linux %s crashed: %s", crash->identity.release,
			crash->panic[0] ? crash->panic : "its log does not say why");
	flight_note(&capture->flight, KD_FLIGHT_CRASH, "%" PRIu64 " %s", crash->identity.crash_time,
		    crash->identity.release);
	/* The record also goes into the capture kernel's own log. */
	if (crash->panic[0] && may_print_log(capture))
		flight_note(&capture->flight, KD_FLIGHT_PANIC, "%s", crash->panic);
	return err;
}

/* As with Red Hat's kdump, kdump_pre may forbid the dump, but the programs in its directory may not. */
static struct kd_error *step_pre(struct capture *capture)
{
	struct kd_error *err;

	capture->progress->prepared = true;
	complain(capture, hooks_run(capture->plan, "pre.d", NULL, capture->deadline, capture->log));
	err = hooks_run(capture->plan, "pre", NULL, capture->deadline, capture->log);
	/* A command that could not be run has not forbidden anything. */
	if (err && (err->code == KD_ERR_OS || err->code == KD_ERR_FORMAT || err->code == KD_ERR_NOMEM)) {
		complain(capture, err);
		return NULL;
	}
	if (err) {
		capture->setup->outcome->vetoed = true;
		flight_note(&capture->flight, KD_FLIGHT_VETO, "%s", err->text);
	}
	return kd_error_wrap(err, "no dump");
}

/* --- on a target -------------------------------------------------------------------------------------------------- */

/* Only children touch it, each within a deadline: where one of them hangs, whoever comes next hangs as well. */

static uint64_t crash_time(const struct capture *capture)
{
	/* The capture kernel takes the time from the hardware clock, which may hold local time or be wrong. */
	uint64_t when = capture->setup->outcome->crash.identity.crash_time;

	return when ? when : (uint64_t)time(NULL);
}

static struct kd_error *find_target(void *arg)
{
	const struct capture *capture = arg;

	return target_find(&capture->root, capture->plan, capture->report.target, &capture->progress->hanging,
			   capture->deadline, capture->log, &capture->setup->outcome->place);
}

static struct kd_error *mount_target(void *arg)
{
	const struct capture *capture = arg;

	return target_mount(capture->plan, capture->report.target, crash_time(capture),
			    &capture->setup->outcome->place);
}

static bool hangs(const struct capture *capture, const char *node)
{
	const char *name = kd_starts_with(node, "/dev/") ? node + strlen("/dev/") : node;

	return disks_hold(&capture->progress->hanging, &capture->root, name);
}

/* A device that sysfs does not know cannot be seen to go. */
static void note_disks(struct capture *capture)
{
	disks_add(&capture->disks, &capture->root, capture->setup->outcome->place.node);
	if (disks_are_gone(&capture->disks, &capture->root))
		capture->disks.count = 0;
}

static struct kd_error *step_connect(struct capture *capture)
{
	const struct kd_plan_target *target = capture->report.target;
	struct target_place *place = &capture->setup->outcome->place;
	struct kd_error *err;

	/* After a disk hung for minutes, every other one has had its time. The way to a server is not set up before. */
	capture->deadline = clock_deadline(capture->progress->hanging.count && !target->server ? SECOND_LOOK_SECONDS :
												 target->deadline,
					   capture->setup->deadline);
	*place = (struct target_place){ 0 };
	capture->disks.count = 0;
	/* The child gives up waiting by itself. It may then have to start a volume, which is work like a mount. */
	capture->progress->mounted = true; /* or soon: a tag or a server is found by mounting it */
	err = run_until(capture, "looking for the target", find_target, capture,
			clock_deadline(target->deadline + capture->plan->mount_timeout, capture->setup->deadline));
	if (!err && hangs(capture, place->node))
		err = kd_error_create(KD_ERR_STATE, "%s is on a disk that hangs", place->node);
	if (!err)
		note_disks(capture);
	if (!err)
		err = run_on_target(capture, "mounting the target", mount_target,
				    clock_deadline(capture->plan->mount_timeout, capture->setup->deadline));
	if (err)
		return kd_error_wrap(err, "target %s", target->device);
	capture->connected = true;
	flight_note(&capture->flight, KD_FLIGHT_DIRECTORY, "%s", place->directory);
	kd_info(capture->log, "saving to %s (%s), %s", target->device, place->node, place->directory);
	return NULL;
}

static struct kd_error *copy_text(FILE *out, void *arg)
{
	_cleanup_fclose_ FILE *in = fopen(CRASH_LOG, "re");
	char buf[4096];
	size_t n;

	if (!in)
		return kd_error_os(errno, "cannot open " CRASH_LOG);
	while ((n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	return NULL;
}

static struct kd_error *open_directory(const struct capture *capture, int *ret)
{
	return target_open(&capture->setup->outcome->place, ret);
}

/* The dump needs the memory that the log takes. Another target gets it from the vmcore again. */
static struct kd_error *save_crash_log(void *arg)
{
	const struct capture *capture = arg;
	_cleanup_close_ int dir = -1;
	struct kd_error *err = open_directory(capture, &dir);

	if (!err && access(CRASH_LOG, F_OK) < 0)
		err = crash_save_log(capture->log);
	if (!err)
		err = save_file(dir, &capture->encryption, "vmcore-dmesg-incomplete.txt", "vmcore-dmesg.txt", copy_text,
				NULL);
	if (!err)
		unlink(CRASH_LOG);
	return err;
}

static struct kd_error *step_save_log(struct capture *capture)
{
	struct kd_error *err;

	if (!capture->setup->outcome->crash.log_size)
		return NULL;
	err = run_on_target(capture, "saving vmcore-dmesg.txt", save_crash_log, capture->deadline);
	if (!err)
		achieve(capture, CAPTURE_LOG_ONLY);
	return err;
}

/* The record so far also tells of a capture that ends in the middle of the dump. */
static struct kd_error *reserve_space(void *arg)
{
	const struct capture *capture = arg;
	_cleanup_close_ int dir = -1;
	struct kd_error *err = open_directory(capture, &dir);

	if (!err)
		err = flight_save(dir, &capture->encryption, capture->flight.record);
	return err ? err : save_reserve(dir, RESERVE_SIZE);
}

/* Nor does a server of objects have room that could be given back. */
static struct kd_error *step_reserve(struct capture *capture)
{
	if (kd_target_type_find(capture->report.target->type)->source == KD_TARGET_OBJECTS)
		return NULL;
	return run_on_target(capture, "reserving space", reserve_space, capture->deadline);
}

/* Does another place follow, and not only another way to this one? */
static bool has_next_place(const struct capture *capture)
{
	size_t i = capture->progress->target + 1;

	while (i < capture->plan->target_count && capture->plan->target[i].alternative)
		i++;
	return i < capture->plan->target_count;
}

/* What the child that makes the dump shares with its parent. */
struct dumping {
	const struct capture *capture;
	struct dump_result result;
	struct memory_use memory;
	struct child_pulse pulse; /* of the child that looks after the collectors */
	bool held;                /* that child does not run: the target holds it */
};

static int64_t dump_deadline(const struct capture *capture)
{
	int64_t quarter = (capture->deadline - clock_ms()) / 4;

	return capture->deadline - (quarter < CLOSING_MS ? quarter : CLOSING_MS);
}

static struct kd_error *make_dump(void *arg)
{
	struct dumping *dumping = arg;
	const struct capture *capture = dumping->capture;
	_cleanup_close_ int dir = -1;
	struct dump_request request = {
		.vmcore = CRASH_VMCORE,
		.collector = &capture->plan->collector,
		.encryption = &capture->encryption,
		.deadline = dump_deadline(capture),
		.stall_ms = capture->plan->stall_timeout * INT64_C(1000),
		.next = has_next_place(capture),
		.log = capture->log,
		.console = capture->setup->console,
		.root = &capture->root,
		.disks = &capture->disks,
		.memory = &dumping->memory,
	};
	struct kd_error *err = open_directory(capture, &dir);

	request.dir = dir;
	return err ? err : dump_save(&request, &dumping->result);
}

/* It wakes up once a second, unless the target holds it: a server that is silent does, when the size of the dump is
 * looked at. Then nobody judges the collector by stall_timeout any more. */
static bool makes_dump(void *arg, pid_t pid)
{
	struct dumping *dumping = arg;
	unsigned int patience = dumping->capture->plan->stall_timeout + HELD_SECONDS;

	dumping->held = child_silent(&dumping->pulse, pid) >= (patience < STUCK_SECONDS ? patience : STUCK_SECONDS);
	return !dumping->held;
}

static struct kd_error *run_dump(struct capture *capture)
{
	/* Never unmapped: a child that was left behind may still write to it. */
	struct dumping *dumping = shared_alloc(sizeof(*dumping));
	struct child_job job = {
		.name = "the dump", .run = make_dump, .tick = makes_dump, .arg = dumping, .deadline = capture->deadline
	};
	struct child_result result;
	struct kd_error *err;

	if (!dumping)
		return kd_error_nomem();
	dumping->capture = capture;
	dumping->memory = capture->report.memory;
	err = child_run(&job, &result);
	capture->report.dump = dumping->result;
	capture->report.memory = dumping->memory;
	if (result.end == CHILD_LEFT || dumping->held || dumping->result.stuck)
		leave_alone(capture);
	return err;
}

static struct kd_error *step_dump(struct capture *capture)
{
	const struct dump_result *dump = &capture->report.dump;
	struct kd_error *err;

	capture->progress->dumping = true;
	err = run_dump(capture);
	capture->progress->dumping = false;
	if (!err) {
		capture->report.complete_at = clock_ms();
		achieve(capture, CAPTURE_COMPLETE);
		kd_info(capture->log, "vmcore saved: %" PRIu64 " kB in %" PRId64 " ms",
			dump->attempt[dump->kept].size / 1024,
			(int64_t)(dump->attempt[dump->kept].stop - dump->attempt[dump->kept].start));
	} else if (dump->count && dump->attempt[dump->kept].pages) {
		achieve(capture, CAPTURE_INCOMPLETE);
	}
	return err;
}

/* The log is on the disk before kdump_pre may forbid the dump, or hang. */
static const struct step arrival_steps[] = {
	{ "connect", step_connect, 0, STOP },
	{ "save-log", step_save_log, 60, STOP_IF_STUCK },
};
static const struct step pre_step[] = { { "pre", step_pre, 0, STOP } };
static const struct step dump_steps[] = {
	{ "reserve", step_reserve, 60, STOP_IF_STUCK },
	{ "dump", step_dump, 0, GO_ON },
};

/* --- the report and the capture kernel's log ---------------------------------------------------------------------- */

static struct kd_error *put_kernel_log(FILE *out, void *arg)
{
	int size = klogctl(KLOG_SIZE_BUFFER, NULL, 0), used;
	_cleanup_free_ char *buf = size > 0 ? malloc(size) : NULL;
	char *line, *end;

	if (!buf)
		return kd_error_nomem();
	used = klogctl(KLOG_READ_ALL, buf, size);
	if (used < 0)
		return kd_error_os(errno, "cannot read the kernel's log");
	for (line = buf; line < buf + used; line = end) {
		char *newline = memchr(line, '\n', buf + used - line), *level;

		end = newline ? newline + 1 : buf + used;
		/* "<6>[    1.234567] …": leave the level out, which does not help a reader. */
		level = *line == '<' ? memchr(line, '>', end - line) : NULL;
		line = level ? level + 1 : line;
		fwrite(line, 1, end - line, out);
	}
	return NULL;
}

static struct kd_error *put_report(FILE *out, void *arg)
{
	report_write(out, arg);
	return NULL;
}

static struct kd_error *put_public_report(FILE *out, void *arg)
{
	report_write_public(out, arg);
	return NULL;
}

static struct kd_error *save_papers(void *arg)
{
	struct capture *capture = arg;
	_cleanup_(kd_error_destroy) struct kd_error *log_err = NULL;
	_cleanup_close_ int dir = -1;
	struct kd_error *err = open_directory(capture, &dir);

	if (err)
		return err;
	save_release(dir);
	kd_error_destroy(flight_save(dir, &capture->encryption, capture->flight.record));
	log_err = save_file(dir, &capture->encryption, "kexec-dmesg-incomplete.log", "kexec-dmesg.log", put_kernel_log,
			    NULL);
	err = save_file(dir, &capture->encryption, "report-incomplete.json", "report.json", put_report,
			&capture->report);
	if (!err && capture->encryption.wanted)
		err = save_public_file(dir, "public-incomplete.json", "public.json", put_public_report,
				       &capture->report);
	return err ? err : take_ptr(log_err);
}

static struct kd_error *step_papers(struct capture *capture)
{
	return !capture->connected || capture->stuck ?
		       NULL :
		       run_on_target(capture, "saving the report", save_papers, capture->deadline);
}

/* --- from target to target ---------------------------------------------------------------------------------------- */

static struct kd_error *disconnect_target(void *arg)
{
	return target_disconnect();
}

static struct kd_error *abandon_target(void *arg)
{
	target_abandon();
	return NULL;
}

static struct kd_error *step_disconnect(struct capture *capture)
{
	capture->connected = false;
	capture->progress->mounted = false;
	if (capture->stuck) {
		/* One that is gone keeps nobody waiting. */
		if (is_there(capture, 0))
			disks_add(&capture->progress->hanging, &capture->root, capture->setup->outcome->place.node);
		return run_apart(capture, "leaving the target", abandon_target, NULL);
	}
	return run_on_target(capture, "unmounting the target", disconnect_target, capture->deadline);
}

static const struct step papers_step[] = { { "report", step_papers, PAPER_SECONDS, GO_ON } };
/* A target that is stuck is left in seconds. */
static const struct step disconnect_step[] = { { "disconnect", step_disconnect, 120, GO_ON } };

static void save_to_target(struct capture *capture)
{
	if (!run_steps(capture, arrival_steps, ARRAY_SIZE(arrival_steps)))
		return;
	if (!capture->progress->prepared && !run_steps(capture, pre_step, 1))
		return;
	run_steps(capture, dump_steps, ARRAY_SIZE(dump_steps));
}

/* Try the targets in turn, from number @first. The one that worked, or the last one, stays connected for the hooks. */
static void try_targets(struct capture *capture, size_t first)
{
	struct report *report = &capture->report;
	bool reached = false;
	size_t i;

	for (i = first; i < capture->plan->target_count; i++) {
		/* By another way, too, it would be the same full disk. */
		if (capture->plan->target[i].alternative && reached)
			continue;
		capture->progress->target = i;
		if (report->target)
			run_steps(capture, disconnect_step, 1);
		capture->stuck = false;
		report->target = &capture->plan->target[i];
		flight_note(&capture->flight, KD_FLIGHT_TARGET, "%s %s", report->target->type, report->target->device);
		report->dump = (struct dump_result){ 0 };
		report->result = CAPTURE_NOTHING;
		save_to_target(capture);
		reached = capture->connected && !capture->stuck && !report->dump.lost;
		run_steps(capture, papers_step, 1);
		if (report->result == CAPTURE_COMPLETE || report->dump.final || capture->setup->outcome->vetoed)
			return;
	}
}

/* A worker that died while it made a dump may die of it again: the next target comes first, if there is one. */
static size_t first_target(const struct capture *capture)
{
	const struct capture_progress *progress = capture->progress;

	return progress->target + (progress->dumping && progress->target + 1 < capture->plan->target_count);
}

static struct kd_error *step_save(struct capture *capture)
{
	const struct capture_outcome *outcome = capture->setup->outcome;

	try_targets(capture, first_target(capture));
	/* No target has appeared. The programs may be what brings one up. */
	if (!capture->progress->prepared && run_steps(capture, pre_step, 1) &&
	    (hooks_exist(capture->plan, "pre") || hooks_exist(capture->plan, "pre.d")))
		try_targets(capture, 0);
	capture->progress->target = capture->plan->target_count;
	if (outcome->vetoed || outcome->result == CAPTURE_COMPLETE)
		return NULL;
	return kd_error_create(KD_ERR_NOT_FOUND, "no complete dump was saved%s",
			       capture->plan->target_count ? "" : ": the plan has no target");
}

/* --- after the targets -------------------------------------------------------------------------------------------- */

static struct kd_error *step_post(struct capture *capture)
{
	bool complete = capture->setup->outcome->result == CAPTURE_COMPLETE;
	char status[16];

	if (capture->setup->outcome->vetoed || capture->progress->posted)
		return NULL;
	capture->progress->posted = true;
	snprintf(status, sizeof(status), "%d",
		 complete                   ? 0 :
		 capture->report.dump.count ? capture->report.dump.status :
					      1);
	complain(capture, hooks_run(capture->plan, "post", status, capture->deadline, capture->log));
	if (complete)
		return NULL;
	return hooks_run(capture->plan, "emergency", NULL, capture->deadline, capture->log);
}

/* The console is the last place that can keep the end of the log. */
static struct kd_error *print_log_text(struct capture *capture, const char *why)
{
	size_t size = capture->setup->outcome->crash.log_size;
	_cleanup_fclose_ FILE *in = fopen(CRASH_LOG, "re");
	_cleanup_free_ char *text = malloc(size + 1);
	char *line;

	if (!in)
		return kd_error_os(errno, "cannot open " CRASH_LOG);
	if (!text)
		return kd_error_nomem();
	size = fread(text, 1, size, in);
	text[size] = '\0';
	kd_info(capture->log, "%s; the end of the crashed kernel's log:", why);
	for (line = (char *)kd_klog_tail(text, TRACE_LINES); line < text + size;) {
		char *next = line + strcspn(line, "\n");

		*next = '\0';
		kd_info(capture->log, "| %s", line);
		line = next + 1;
	}
	capture->traced = true;
	return NULL;
}

static struct kd_error *print_log_end(struct capture *capture, const char *why)
{
	if (may_print_log(capture))
		return print_log_text(capture, why);
	kd_info(capture->log, "%s; dumps of this machine are encrypted, so its log is not printed here", why);
	capture->traced = true;
	return NULL;
}

/* A log that a server or a failing disk has taken may be lost all the same, so it is printed unless there is a dump. */
static struct kd_error *step_trace(struct capture *capture)
{
	const struct capture_outcome *outcome = capture->setup->outcome;
	const char *why = outcome->result == CAPTURE_NOTHING ? "nothing could be saved" : "no complete dump was saved";

	if (outcome->result == CAPTURE_COMPLETE || (outcome->vetoed && outcome->result != CAPTURE_NOTHING) ||
	    !outcome->crash.log_size)
		return NULL;
	if (!capture->traced)
		return print_log_end(capture, why);
	if (may_print_log(capture))
		kd_info(capture->log, "%s; the end of the crashed kernel's log is above", why);
	return NULL;
}

/* --- the way back by kexec ---------------------------------------------------------------------------------------- */

enum kd_action capture_action(const struct capture_setup *setup, bool *loop_ret)
{
	const struct capture_outcome *outcome = setup->outcome;
	uint64_t when = outcome->crash.identity.crash_time;

	return comeback_action(setup->plan, setup->handover, outcome->result == CAPTURE_COMPLETE || outcome->vetoed,
			       when ? (int64_t)when : (int64_t)time(NULL), loop_ret);
}

static struct kd_error *load_comeback(void *arg)
{
	return comeback_load(arg);
}

/* Before the report is written, so that it tells what has become of this. */
static struct kd_error *step_comeback(struct capture *capture)
{
	const struct capture_outcome *outcome = capture->setup->outcome;
	bool loop;
	struct comeback_request request = {
		.root = &capture->root,
		.plan = capture->plan,
		.facts = { .action = capture_action(capture->setup, &loop),
			   .handover = capture->setup->handover,
			   .complete = outcome->result == CAPTURE_COMPLETE,
			   .hanging = capture->stuck || capture->progress->stuck || capture->progress->hanging.count,
			   .panic = outcome->crash.panic },
		.mounted = capture->connected ? outcome->place.node : NULL,
		.deadline = capture->deadline,
		.log = capture->log,
	};
	struct kd_error *err = run_apart(capture, "loading the kernel to return to", load_comeback, &request);

	if (err)
		return kd_error_wrap(err, "no return by kexec, but a reboot through the firmware");
	capture->setup->outcome->loaded = true;
	kd_info(capture->log, "loaded kernel %s, to return to it by kexec", capture->setup->handover->release);
	return NULL;
}

static const struct step comeback_step[] = { { "comeback", step_comeback, 180, GO_ON } };

static void prepare_comeback(struct capture *capture)
{
	const struct kd_plan_loop *loop = &capture->plan->loop;
	bool is_loop;
	enum kd_action action = capture_action(capture->setup, &is_loop);

	if (is_loop)
		complain(capture,
			 kd_error_create(KD_ERR_STATE,
					 "crash loop: at least %u crashes within %u minutes, so the action is %s",
					 loop->count, loop->seconds / 60, kd_action_name(action)));
	if (comeback_is_wanted(action))
		run_steps(capture, comeback_step, 1);
}

/* The last look: a target that could not be unmounted is in use by somebody. */
static void settle_comeback(struct capture *capture)
{
	_cleanup_free_ char *mounts = NULL;
	struct kd_error *err;
	char where[128];

	if (!capture->setup->outcome->loaded)
		return;
	err = capture->stuck || capture->progress->stuck ?
		      kd_error_create(KD_ERR_STATE, "a process of the capture waits in the kernel") :
		      kd_sysroot_read(&capture->root, "/proc/mounts", &mounts, NULL);
	if (!err && comeback_is_mounted(mounts, where, sizeof(where)))
		err = kd_error_create(KD_ERR_STATE, "%s is still mounted", where);
	capture->setup->outcome->returning = !err;
	complain(capture, kd_error_wrap(err, "no return by kexec, but a reboot through the firmware"));
}

/* --- a second worker ---------------------------------------------------------------------------------------------- */

/* What killed the first worker may kill this one before it has saved anything. */
static struct kd_error *step_trace_first(struct capture *capture)
{
	if (capture->setup->outcome->result != CAPTURE_NOTHING || !capture->setup->outcome->crash.log_size)
		return NULL;
	return print_log_end(capture, "nothing has been saved yet");
}

static struct kd_error *step_disconnect_first(struct capture *capture)
{
	bool others = first_target(capture) > capture->progress->target;
	int64_t deadline = others ? clock_deadline(LEAVE_SECONDS, capture->deadline) : capture->deadline;
	struct kd_error *err = NULL;

	if (capture->progress->mounted)
		err = run_until(capture, "unmounting the target", disconnect_target, NULL, deadline);
	capture->progress->mounted = false;
	if (capture->stuck)
		disks_add(&capture->progress->hanging, &capture->root, capture->setup->outcome->place.node);
	return err;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct step before[] = {
	{ "quiesce", step_quiesce, 10, GO_ON },
	{ "modules", step_modules, 300, GO_ON },
};

/* Behind the modules, since drivers may be a source of random numbers. */
static const struct step random_step[] = { { "random", step_random, 60, GO_ON } };

static const struct step examination[] = {
	{ "log", step_log, 120, GO_ON },
};

static const struct step again[] = {
	{ "trace", step_trace_first, 60, GO_ON },
	{ "disconnect", step_disconnect_first, 120, GO_ON },
};

static const struct step saving[] = {
	{ "save", step_save, 0, GO_ON },
	{ "post", step_post, 0, GO_ON },
};
/* clang-format on */

static const struct step after[] = {
	{ "report", step_papers, PAPER_SECONDS, GO_ON }, /* again, with the errors of the hooks */
	{ "disconnect", step_disconnect, 120, GO_ON },
	{ "trace", step_trace, 60, GO_ON },
};

struct kd_error *capture_run(const struct capture_setup *setup)
{
	struct capture capture = {
		.setup = setup,
		.plan = setup->plan,
		.log = setup->log,
		.deadline = setup->deadline,
		.progress = &setup->outcome->progress,
		.report = { .plan = setup->plan,
			    .crash = &setup->outcome->crash,
			    .place = &setup->outcome->place,
			    .flight = &setup->outcome->flight },
		.flight = { &setup->outcome->flight, setup->log },
	};
	struct kd_error *err = kd_sysroot_open(NULL, &capture.root);

	if (err)
		return err;
	if (setup->again) {
		flight_note(&capture.flight, KD_FLIGHT_AGAIN, "%s", setup->again->text);
		flight_close(&capture.flight);
	} else {
		flight_note_at(&capture.flight, setup->started, KD_FLIGHT_BEGIN, "setup");
		flight_note(&capture.flight, KD_FLIGHT_END, "setup");
	}
	encryption_init(&setup->plan->encryption, &capture.encryption);
	complain(&capture, setup->plan_error);
	complain(&capture, setup->again);
	run_steps(&capture, before, ARRAY_SIZE(before));
	if (capture.encryption.wanted)
		run_steps(&capture, random_step, ARRAY_SIZE(random_step));
	run_steps(&capture, examination, ARRAY_SIZE(examination));
	if (setup->again)
		run_steps(&capture, again, ARRAY_SIZE(again));
	run_steps(&capture, saving, ARRAY_SIZE(saving));
	prepare_comeback(&capture);
	run_steps(&capture, after, ARRAY_SIZE(after));
	settle_comeback(&capture);
	return NULL;
}

/* A worker that has ended by itself has tried all there is. */
static bool may_go_on(const struct capture_setup *setup, enum child_end end)
{
	return (end == CHILD_SIGNAL || end == CHILD_KILLED || end == CHILD_LEFT || end == CHILD_NONE) &&
	       setup->outcome->result < CAPTURE_COMPLETE && !setup->outcome->vetoed && clock_ms() < setup->deadline;
}

void capture_supervise(const struct child_job *job, struct capture_setup *setup)
{
	struct child_result result;
	struct kd_error *err = child_run(job, &result);

	setup->outcome->progress.stuck |= result.end == CHILD_LEFT;
	if (err && may_go_on(setup, result.end)) {
		setup->again = kd_error_wrap(err, "starting a second time");
		err = child_run(job, &result);
		setup->outcome->progress.stuck |= result.end == CHILD_LEFT;
		kd_error_destroy(setup->again);
		setup->again = NULL;
	}
	kd_log_error(setup->log, err);
}
