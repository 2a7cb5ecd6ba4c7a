/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "capture/clock.h"

enum { TICK_MS = 1000, KILL_GRACE_MS = 5000 };

/* An error on its way from the child to the parent. */
struct letter {
	enum kd_error_code code; /* 0: no error */
	int errnum;
	char text[1024];
};

void *shared_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void set_oom_score(const char *score)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, score, strlen(score));
}

static void become_child(bool expendable, bool spared)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		signal(faults[i], SIG_DFL);
	setsid(); /* a process group of its own, to be killed as a whole */
	if (!spared)
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would wait for it any more */
	set_oom_score(expendable ? "1000" : "-1000");
}

static _Noreturn void child_main(const struct child_job *job, struct letter *letter)
{
	struct kd_error *err;

	become_child(job->expendable, job->spared);
	err = job->run(job->arg);
	if (err) {
		letter->errnum = err->errnum;
		strncpy(letter->text, err->text, sizeof(letter->text) - 1);
		letter->code = err->code;
	}
	_exit(err ? 1 : 0);
}

/* Wait for the end of @pid, with ticks; false when the deadline passed or tick() had enough. It wakes up even if there
 * is no tick(): so this process shows that it is not stuck itself. */
static bool wait_end(const struct child_job *job, pid_t pid, int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
	int64_t next_tick = clock_ms() + TICK_MS;

	for (;;) {
		int64_t until = next_tick < job->deadline ? next_tick : job->deadline;

		if (poll(&poll_fd, 1, clock_timeout(until)) > 0)
			return true;
		if (clock_ms() >= job->deadline)
			return false;
		if (clock_ms() < next_tick)
			continue;
		if (job->tick && !job->tick(job->arg, pid))
			return false;
		next_tick = clock_ms() + TICK_MS;
	}
}

static struct kd_error *judge(const struct child_job *job, int status, bool killed, const struct letter *letter,
			      struct child_result *result)
{
	struct kd_error *err;

	if (WIFSIGNALED(status)) {
		result->end = killed ? CHILD_KILLED : CHILD_SIGNAL;
		result->status = WTERMSIG(status);
		if (killed)
			return kd_error_create(KD_ERR_TIMEOUT, "%s took too long and was stopped", job->name);
		return kd_error_create(KD_ERR_STATE, "%s died from signal %d%s", job->name, result->status,
				       result->status == SIGKILL ? " (out of memory?)" : "");
	}
	result->status = WEXITSTATUS(status);
	if (letter->code) {
		result->end = CHILD_ERROR;
		err = kd_error_create(letter->code, "%s", letter->text);
		if (err->code != KD_ERR_NOMEM)
			err->errnum = letter->errnum;
		return err;
	}
	result->end = result->status ? CHILD_EXIT : CHILD_OK;
	if (result->status)
		return kd_error_create(KD_ERR_STATE, "%s failed with exit status %d", job->name, result->status);
	return NULL;
}

/* @pid, which had its time, must die. False: it is stuck in the kernel. */
static bool kill_child(pid_t pid, int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	kill(-pid, SIGKILL);
	kill(pid, SIGKILL); /* it may not have called setsid() yet */
	return poll(&poll_fd, 1, KILL_GRACE_MS) > 0;
}

/* The letter stays mapped, since the child may still write it. */
static struct kd_error *leave_behind(const struct child_job *job, struct child_result *result)
{
	result->end = CHILD_LEFT;
	return kd_error_create(KD_ERR_TIMEOUT,
			       job->spared ? "%s has not ended in its time; it goes on by itself" :
					     "%s is stuck and was left behind",
			       job->name);
}

struct kd_error *child_begin(const struct child_job *job, struct child *ret)
{
	struct child child = { .job = job, .letter = shared_alloc(sizeof(*child.letter)), .pidfd = -1 };
	struct kd_error *err;

	if (!child.letter)
		return kd_error_nomem();
	child.pid = fork();
	if (child.pid == 0)
		child_main(job, child.letter);
	if (child.pid > 0)
		child.pidfd = syscall(SYS_pidfd_open, child.pid, 0);
	if (child.pid < 0 || child.pidfd < 0) {
		err = kd_error_os(errno, "cannot start %s", job->name);
		if (child.pid > 0)
			kill(child.pid, SIGKILL);
		munmap(child.letter, sizeof(*child.letter));
		return err;
	}
	*ret = child;
	return NULL;
}

struct kd_error *child_end(struct child *child, struct child_result *ret)
{
	struct child_result unused, *result = ret ? ret : &unused;
	_cleanup_close_ int pidfd = child->pidfd;
	const struct child_job *job = child->job;
	bool killed = !wait_end(job, child->pid, pidfd);
	struct rusage usage = { 0 };
	struct kd_error *err;
	int status = 0;

	*result = (struct child_result){ .end = CHILD_NONE };
	if (killed && (job->spared || !kill_child(child->pid, pidfd)))
		return leave_behind(job, result);
	wait4(child->pid, &status, 0, &usage);
	result->peak_memory = usage.ru_maxrss * UINT64_C(1024);
	err = judge(job, status, killed, child->letter, result);
	munmap(child->letter, sizeof(*child->letter));
	return err;
}

struct kd_error *child_run(const struct child_job *job, struct child_result *ret)
{
	struct child child;
	struct kd_error *err = child_begin(job, &child);

	if (err && ret)
		*ret = (struct child_result){ .end = CHILD_NONE };
	return err ? err : child_end(&child, ret);
}

pid_t child_start(void (*run)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	become_child(false, false);
	run(arg);
	_exit(0);
}

static uint64_t switches(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

uint64_t child_activity(const char *status)
{
	return switches(status, "\nvoluntary_ctxt_switches:") + switches(status, "\nnonvoluntary_ctxt_switches:");
}

/* The text of /proc/NAME/FILE; "" if the process has ended. */
static void read_proc(const char *name, const char *file, char *text, size_t size)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	ssize_t got = 0;

	if (asprintf(&path, "/proc/%s/%s", name, file) > 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		got = read(fd, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
}

unsigned int child_silent(struct child_pulse *pulse, pid_t pid)
{
	char name[16], status[4096];
	uint64_t now;

	snprintf(name, sizeof(name), "%d", (int)pid);
	read_proc(name, "status", status, sizeof(status));
	now = child_activity(status);
	pulse->silent = now && now == pulse->activity ? pulse->silent + 1 : 0;
	pulse->activity = now;
	return pulse->silent;
}

uint64_t child_cpu_of(const char *stat, pid_t pid)
{
	const char *end = strrchr(stat, ')'); /* the name before it may hold anything */
	uint64_t user, kernel, children_user, children_kernel;
	int parent, session;

	if (!end ||
	    sscanf(end + 1, " %*c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &parent, &session, &user, &kernel, &children_user, &children_kernel) != 6)
		return 0;
	if (atoi(stat) != pid && parent != pid && session != pid)
		return 0;
	return (user + kernel + children_user + children_kernel) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t child_cpu(pid_t pid)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t sum = 0;

	while (proc && (entry = readdir(proc))) {
		char stat[1024];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		read_proc(entry->d_name, "stat", stat, sizeof(stat));
		sum += child_cpu_of(stat, pid);
	}
	return sum;
}

struct kd_error *child_exec(char *const *argv)
{
	execvp(argv[0], argv);
	return kd_error_os(errno, "cannot run %s", argv[0]);
}
