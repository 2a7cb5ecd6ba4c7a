/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/served.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/served_disk.h"
#include "base/text.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/network.h"
#include "capture/programs.h"

#define NVME_CONTROL "/dev/nvme-fabrics"
#define KEY_MAX      4096
/* A connection that breaks may come back for so long; then what waits for the disk fails, and the next target is
 * taken. */
#define PATIENCE "30"

/* --- the server --------------------------------------------------------------------------------------------------- */

union server {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool parse_server(const char *address, const char *port_text, union server *ret)
{
	uint64_t port;

	if (!kd_parse_u64(port_text, 10, &port) || !port || port > UINT16_MAX)
		return false;
	*ret = (union server){ .v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) } };
	if (inet_pton(AF_INET, address, &ret->v4.sin_addr) == 1)
		return true;
	*ret = (union server){ .v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) } };
	return inet_pton(AF_INET6, address, &ret->v6.sin6_addr) == 1;
}

/* Returns 0 or an errno. */
static int try_connect(const union server *to, int64_t deadline)
{
	_cleanup_close_ int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int status = 0, count;
	socklen_t size = sizeof(status);

	if (fd < 0)
		return errno;
	if (connect(fd, &to->any, sizeof(*to)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	count = poll(&poll_fd, 1, clock_timeout(deadline));
	if (count <= 0)
		return count ? errno : ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &size) < 0 ? errno : status;
}

/* Whoever logs in to a server that is dead waits for it in the kernel, for minutes. A server that restarts refuses at
 * first, and nothing announces that it answers, so it is asked again each second. */
static struct kd_error *wait_for_server(const struct kd_plan_volume *volume, int64_t deadline)
{
	const char *address = volume->argv[KD_SERVED_ADDRESS], *port = volume->argv[KD_SERVED_PORT];
	union server to;
	int errnum;

	if (!parse_server(address, port, &to))
		return kd_error_create(KD_ERR_FORMAT, "%s port %s is not an address", address, port);
	do
		errnum = try_connect(&to, deadline);
	while (errnum && clock_ms() + 1000 < deadline && poll(NULL, 0, 1000) == 0);
	return errnum ? kd_error_create(KD_ERR_TIMEOUT, "server %s port %s does not answer: %s", address, port,
					strerror(errnum)) :
			NULL;
}

/* --- NVMe over TCP ------------------------------------------------------------------------------------------------ */

struct kd_error *served_nvme_options(const struct kd_plan_volume *volume, char **ret)
{
	for (size_t i = KD_SERVED_ADDRESS; i < KD_SERVED_WORDS; i++)
		if (strpbrk(volume->argv[i], ",\n"))
			return kd_error_create(KD_ERR_FORMAT, "%s cannot be a part of a connection", volume->argv[i]);
	return kd_format(ret,
			 "transport=tcp,traddr=%s,trsvcid=%s,nqn=%s,hostnqn=%s,hostid=%s,nr_io_queues=1,"
			 "reconnect_delay=2,ctrl_loss_tmo=" PATIENCE,
			 volume->argv[KD_SERVED_ADDRESS], volume->argv[KD_SERVED_PORT], volume->argv[KD_SERVED_NAME],
			 volume->argv[KD_SERVED_NVME_HOSTNQN], volume->argv[KD_SERVED_NVME_HOSTID]);
}

static struct kd_error *connect_nvme(void *arg)
{
	const struct kd_plan_volume *volume = arg;
	_cleanup_close_ int fd = open(NVME_CONTROL, O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *options = NULL;
	struct kd_error *err = fd < 0 ? kd_error_os(errno, NVME_CONTROL) : served_nvme_options(volume, &options);

	if (err)
		return err;
	/* EALREADY: another target of the plan has connected to that subsystem. */
	if (write(fd, options, strlen(options)) < 0 && errno != EALREADY)
		return kd_error_os(errno, "cannot connect to %s", volume->argv[KD_SERVED_NAME]);
	return NULL;
}

/* --- iSCSI -------------------------------------------------------------------------------------------------------- */

static struct kd_error *add_secret(char *secret, const char **argv, size_t count)
{
	static const char *const options[KD_SERVED_CHAP_LINES] = { "-u", "-w", "-U", "-W" };

	for (size_t i = 0; i < KD_SERVED_CHAP_LINES; i++) {
		char *line = strsep(&secret, "\n");

		if (!line || (!*line && i < 2))
			return kd_error_create(KD_ERR_FORMAT, "its secret is malformed");
		if (!*line)
			continue;
		argv[count++] = options[i];
		argv[count++] = line;
	}
	argv[count] = NULL;
	return NULL;
}

struct kd_error *served_iscsi_command(const struct kd_plan_volume *volume, char *secret,
				      const char *argv[static SERVED_ARGV_MAX])
{
	const char *const words[] = {
		KD_SERVED_ISCSI_PROGRAM,
		"-i",
		volume->argv[KD_SERVED_ISCSI_INITIATOR],
		"-t",
		volume->argv[KD_SERVED_NAME],
		"-g",
		volume->argv[KD_SERVED_ISCSI_GROUP],
		"-a",
		volume->argv[KD_SERVED_ADDRESS],
		"-p",
		volume->argv[KD_SERVED_PORT],
		"-P",
		"node.session.timeo.replacement_timeout=" PATIENCE,
		NULL,
	};
	size_t count = ARRAY_SIZE(words) - 1;

	_Static_assert(ARRAY_SIZE(words) + 2 * KD_SERVED_CHAP_LINES <= SERVED_ARGV_MAX, "no room");
	memcpy(argv, words, sizeof(words));
	return secret ? add_secret(secret, argv, count) : NULL;
}

/* The session is the kernel's: it stays when the program ends. */
static struct kd_error *log_in_to_iscsi(void *arg)
{
	const struct kd_plan_volume *volume = arg;
	const char *key = volume->argv[KD_SERVED_ISCSI_KEY], *argv[SERVED_ARGV_MAX];
	_cleanup_secret_ char *secret = NULL;
	_cleanup_free_ char *path = NULL;
	struct kd_error *err = programs_expand("", KD_SERVED_ISCSI_PROGRAM);
	size_t size;

	if (!err && key && !kd_starts_with(key, KD_PLAN_KEY_PREFIX))
		err = kd_error_create(KD_ERR_FORMAT, "%s is not a key", key);
	if (!err && key)
		err = kd_format(&path, KD_PLAN_KEYS "/%s", key + strlen(KD_PLAN_KEY_PREFIX));
	if (!err && key)
		err = kd_read_file(path, KEY_MAX, &secret, &size);
	if (!err)
		err = served_iscsi_command(volume, secret, argv);
	return err ? err : child_exec((char *const *)argv);
}

/* --- any kind ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *kind;
	struct kd_error *(*log_in)(void *volume); /* in a child, which is killed at the deadline */
} kinds[] = {
	{ KD_SERVED_ISCSI, log_in_to_iscsi },
	{ KD_SERVED_NVME, connect_nvme },
};

static struct kd_error *log_in(const struct kd_plan_volume *volume, int64_t deadline)
{
	struct child_job job = { .name = volume->kind, .arg = (void *)volume, .deadline = deadline };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, volume->kind) == 0)
			job.run = kinds[i].log_in;
	return child_run(&job, NULL);
}

struct kd_error *served_log_in(const struct kd_plan *plan, size_t index, int64_t deadline)
{
	const struct kd_plan_volume *volume = &plan->volume[index];
	int64_t now = clock_ms(), ways = 0;
	struct kd_error *err;

	for (size_t i = index; i < plan->volume_count; i++)
		ways += kd_served_is_disk(&plan->volume[i], volume->argv[KD_SERVED_DISK]);
	if (deadline > now && ways > 1)
		deadline = now + (deadline - now) / ways;
	err = network_up(plan, volume->argv[KD_SERVED_ADDRESS], deadline);
	if (!err)
		err = wait_for_server(volume, deadline);
	return err ? err : log_in(volume, deadline);
}
