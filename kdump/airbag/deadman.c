/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/deadman.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "kdump/airbag/airbag.h"
#include "kdump/airbag/hardware.h"

enum { TICK_MS = 1000, SYNC_MS = 5000, PANIC_MS = 3000, REQUEST_MS = 1000 };

int64_t deadman_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- going back --------------------------------------------------------------------------------------------------- */

/* Wait at most @ms for the child @pid. */
static void wait_for(pid_t pid, int ms)
{
	_cleanup_close_ int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (fd >= 0)
		poll(&poll_fd, 1, ms);
}

/* What the new kernel's journal says is worth keeping, but a file system that hangs must not keep the machine here. */
static void write_back(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sync();
		_exit(0);
	}
	wait_for(pid, SYNC_MS);
}

static void panic(const struct deadman *deadman)
{
	while (write(deadman->sysrq, "c", 1) < 0 && errno == EINTR)
		;
}

/* The old kernel starts on the CPU that panics, and on any but the boot CPU it would reset the machine when it starts
 * the boot CPU (UEFI; Linux before 6.9), or do without it. A CPU 0 that is stuck does not run the child. */
static void panic_on_boot_cpu(const struct deadman *deadman)
{
	pid_t pid = fork();

	if (pid == 0) {
		cpu_set_t boot_cpu;

		CPU_ZERO(&boot_cpu);
		CPU_SET(0, &boot_cpu);
		sched_setaffinity(0, sizeof(boot_cpu), &boot_cpu);
		panic(deadman);
		_exit(0);
	}
	wait_for(pid, PANIC_MS);
}

static void go_back(const struct deadman *deadman)
{
	kd_log(deadman->log, KD_LOG_ERROR,
	       "nobody has reported this kernel healthy in time: going back to the old one%s",
	       deadman->armed ? "" : ", through the firmware");
	write_back();
	panic_on_boot_cpu(deadman);
	panic(deadman);
	reboot(RB_AUTOBOOT); /* this kernel has no SysRq */
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

int deadman_listen(const char *name)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);

	if (fd < 0)
		return -1;
	memcpy(address.sun_path + 1, name, length); /* behind a NUL: the abstract name space */
	if (bind(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + length) < 0 ||
	    listen(fd, 4) < 0)
		return -1;
	return take_fd(fd);
}

/* Root of another user name space has another number here. */
static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void describe(const struct deadman *deadman, const struct hardware *hardware, char text[AIRBAG_TEXT_MAX])
{
	int64_t left = deadman->deadline - deadman_now();
	size_t i;
	int n = snprintf(text, AIRBAG_TEXT_MAX, "pending %" PRId64 " %s", left < 0 ? 0 : left / 1000,
			 deadman->armed ? "armed" : "firmware");

	for (i = 0; i < hardware->count; i++)
		n += snprintf(text + n, AIRBAG_TEXT_MAX - n, " %s", hardware->watchdog[i].name);
}

static void reply(int fd, const char *text)
{
	while (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* Answer one request. True: the trial is committed. The watchdogs are stopped before the answer says so. */
static bool serve(const struct deadman *deadman, struct hardware *hardware, int listener)
{
	static const struct timeval timeout = { .tv_sec = REQUEST_MS / 1000 };
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char text[AIRBAG_TEXT_MAX];
	ssize_t size;

	if (fd < 0 || !is_root(fd))
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	size = recv(fd, text, sizeof(text) - 1, 0);
	text[size < 0 ? 0 : size] = '\0';
	if (strcmp(text, "status") == 0) {
		describe(deadman, hardware, text);
		reply(fd, text);
	}
	if (strcmp(text, "commit") != 0)
		return false;
	hardware_release(hardware);
	kd_info(deadman->log, "this kernel was reported healthy");
	reply(fd, "committed");
	return true;
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static void insert_modules(const struct deadman *deadman)
{
	size_t i;

	for (i = 0; i < deadman->module_count; i++) {
		const struct deadman_module *module = &deadman->module[i];

		if (syscall(SYS_init_module, module->data, module->size, module->options) < 0 && errno != EEXIST)
			kd_warn(deadman->log, "cannot insert %s, the driver of a watchdog: %s", module->name,
				strerror(errno));
	}
}

/* How long poll() may wait. */
static int tick(const struct deadman *deadman)
{
	int64_t left = deadman->deadline - deadman_now();

	return left < 0 ? 0 : left < TICK_MS ? (int)left : TICK_MS;
}

void deadman_run(const struct deadman *deadman, int listener)
{
	struct hardware hardware = { .sys = deadman->sys };
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };

	insert_modules(deadman);
	while (deadman_now() < deadman->deadline) {
		hardware_take(&hardware);
		hardware_pet(&hardware);
		if (poll(&poll_fd, 1, tick(deadman)) > 0 && serve(deadman, &hardware, listener))
			return;
	}
	go_back(deadman);
}

static void ignore_signals(void)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* no zombies */
}

/* A busy machine must not delay it, nor a full one end or swap it. */
static void take_precedence(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };

	sched_setscheduler(0, SCHED_FIFO, &lowest);
	mlockall(MCL_CURRENT | MCL_FUTURE);
}

bool deadman_start(const struct deadman *deadman, char *name)
{
	_cleanup_close_ int listener = deadman_listen(AIRBAG_SOCKET);
	pid_t pid;

	if (listener < 0)
		return false;
	pid = fork();
	if (pid != 0)
		return pid > 0;
	name[0] = '@';
	prctl(PR_SET_NAME, "kdump-airbag");
	setsid();
	ignore_signals();
	take_precedence();
	deadman_run(deadman, listener);
	_exit(0);
}
