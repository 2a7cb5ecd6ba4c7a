/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Process 1 of the capture kernel: prepare the machine, read the plan, start a child that carries it out (another
 *  one if that dies, once), wait for it with a deadline, and bring the machine back whatever has happened.
 *
 *  It does nothing that can block: it touches no target and no device, and loads no driver. It reads files of the image
 *  and of /proc, writes to the kernel's log, and starts, awaits and kills processes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/io.h"
#include "capture/action.h"
#include "capture/capture.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/comeback.h"
#include "capture/fence.h"
#include "capture/flight.h"
#include "capture/machine.h"
#include "capture/pstore.h"
#include "capture/watchdog.h"

#define PLAN_MAX     KD_MIB(1)
#define HANDOVER_MAX KD_MIB(1)

/* The capture ends by itself at the plan's deadline; if it still runs this much later, it is stuck. */
enum { GRACE_MS = 60 * 1000 };
/* So is a worker that has not run at all for that long: it wakes up once a second. */
enum { STUCK_SECONDS = 120 };

struct supervisor {
	struct capture_setup setup;
	struct watchdog watchdog;
	struct child_pulse pulse; /* of the worker */
	struct fence fence;
	pid_t teller; /* of the cluster's nodes; it goes on until the machine does; 0: none */
};

static void fault(int number)
{
	machine_say("process 1 has crashed; resetting the machine");
	action_reset();
}

/* A fault of process 1 would panic the capture kernel. */
static void catch_faults(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction action = { .sa_handler = fault };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		sigaction(faults[i], &action, NULL);
}

/* Without a plan there is no target, but the crashed kernel's log goes to the console, and the machine comes back. */
static struct kd_error *read_plan(struct kd_plan *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_read_file(KD_PLAN_PATH, PLAN_MAX, &text, NULL);

	if (!err)
		err = kd_plan_parse(text, KD_PLAN_PATH, ret);
	return err;
}

/* An image without it knows of no earlier crash and of no kernel to return to. Returns whether there is one. */
static bool read_handover(const struct kd_log *log, struct kd_handover *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	if (access(KD_HANDOVER_RECORD, F_OK) < 0)
		return false;
	err = kd_read_file(KD_HANDOVER_RECORD, HANDOVER_MAX, &text, NULL);
	if (!err)
		err = kd_handover_parse(text, KD_HANDOVER_RECORD, ret);
	return !kd_log_error(log, err);
}

/* What cannot be returned to is rebooted through the firmware. */
static enum kd_action choose_action(const struct capture_setup *setup)
{
	bool loop;
	enum kd_action action = capture_action(setup, &loop);

	if (!comeback_is_wanted(action) || setup->outcome->returning)
		return action;
	kd_info(setup->log, "no return by kexec; rebooting through the firmware");
	return KD_ACTION_REBOOT;
}

static struct kd_error *run_capture(void *arg)
{
	const struct supervisor *supervisor = arg;

	return capture_run(&supervisor->setup);
}

/* Process 1 inherits the orphans of hooks and of abandoned children. It leaves @worker to child_run(). */
static void reap_orphans(pid_t worker)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    info.si_pid == worker)
			return;
		waitpid(info.si_pid, NULL, WNOHANG);
	}
}

/* The worker keeps away from what can block, but not every driver and file system is known. */
static bool supervise(void *arg, pid_t worker)
{
	struct supervisor *supervisor = arg;

	watchdog_alive(&supervisor->watchdog);
	reap_orphans(worker);
	return child_silent(&supervisor->pulse, worker) < STUCK_SECONDS;
}

static bool is_guard(const void *arg, pid_t pid)
{
	const struct supervisor *supervisor = arg;

	return watchdog_owns(&supervisor->watchdog, pid) || (supervisor->teller > 0 && pid == supervisor->teller);
}

static _Noreturn void be_init(void)
{
	struct supervisor supervisor = { 0 };
	struct child_job job = { .name = "the capture", .run = run_capture, .tick = supervise, .arg = &supervisor };
	struct kd_handover handover = { 0 };
	struct kd_plan plan = { 0 };
	enum kd_action action;
	struct kd_log log;
	const struct capture_outcome *outcome;
	struct flight flight;
	const char *prefix;
	bool done;
	FILE *stream;

	supervisor.setup.started = clock_ms();
	catch_faults();
	machine_setup();
	watchdog_start(&supervisor.watchdog);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	stream = machine_log(&prefix);
	kd_log_init(&log, stream, prefix, KD_LOG_INFO);
	kd_info(&log, "capture kernel is up");
	supervisor.setup.log = &log;
	supervisor.setup.console = machine_console();
	supervisor.setup.sets_clock = true;
	supervisor.setup.plan_error = read_plan(&plan);
	if (supervisor.setup.plan_error && kd_log_error(&log, kd_plan_init(&plan)))
		action_reset();
	if (read_handover(&log, &handover))
		supervisor.setup.handover = &handover;
	outcome = supervisor.setup.outcome = shared_alloc(sizeof(*outcome));
	if (!outcome)
		action_reset();
	flight = (struct flight){ &supervisor.setup.outcome->flight, &log };
	flight_begin(&flight, plan.created);
	if (plan.pstore)
		pstore_keep_log(true);
	supervisor.setup.plan = &plan;
	supervisor.setup.deadline = clock_deadline(plan.deadline, INT64_MAX);
	job.deadline = supervisor.setup.deadline + GRACE_MS;
	supervisor.fence = (struct fence){ &plan, &log };
	if (plan.fence_count)
		supervisor.teller = child_start(fence_tell, &supervisor.fence);
	capture_supervise(&job, &supervisor.setup);
	machine_kill_others(is_guard, &supervisor);
	kd_info(&log, "result: %s", capture_result_words(outcome->result));
	done = outcome->result == CAPTURE_COMPLETE || outcome->vetoed;
	flight_note(&flight, KD_FLIGHT_RESULT, "%s", capture_result_name(outcome->result));
	action = choose_action(&supervisor.setup);
	flight_note(&flight, KD_FLIGHT_ACTION, "%s", kd_action_name(action));
	if (done)
		pstore_keep_log(false); /* the record is beside the dump */
	else if (plan.pstore)
		pstore_prepare(&supervisor.setup, &supervisor.watchdog);
	/* From a shell, nobody knows any more what has been loaded. */
	action_perform(action, plan.final_action == KD_ACTION_KEXEC ? KD_ACTION_REBOOT : plan.final_action,
		       outcome->progress.stuck, &supervisor.watchdog, &log);
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		be_init();
	fprintf(stderr,
		"%s is process 1 of a kdump capture kernel: it saves the memory of the kernel that crashed\n"
		"and reboots. mkdumprd(8) puts it into the capture initramfs as /init. Started here, it does nothing.\n"
		"See kdumpctl(8).\n",
		argc ? argv[0] : "capture");
	return 1;
}
