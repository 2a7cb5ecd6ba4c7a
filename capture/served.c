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
#define CONNECT_MS   5000 /* a further try of a connection, with the second before it */
/* A connection that breaks may come back for so long; then what waits for the disk fails, and the next target is
 * taken. */
#define PATIENCE "30"

struct login {
	const struct kd_plan_volume *volume;
	int64_t deadline;
};

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

static struct kd_error *no_answer(const struct kd_plan_volume *volume, int errnum)
{
	return kd_error_create(KD_ERR_TIMEOUT, "server %s port %s does not answer: %s", volume->argv[KD_SERVED_ADDRESS],
			       volume->argv[KD_SERVED_PORT], strerror(errnum));
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
	return errnum ? no_answer(volume, errnum) : NULL;
}

/* --- NVMe --------------------------------------------------------------------------------------------------------- */

/* With RDMA each element of a queue has memory registered for it: 128 of them, as the kernel would have, take 1 MB more
 * (measured with soft RoCE on 6.1), and a dump needs no more than 32. */
static const char *transport(const struct kd_plan_volume *volume)
{
	return strcmp(volume->kind, KD_SERVED_NVME_RDMA) == 0 ? "rdma,queue_size=32" : "tcp";
}

struct kd_error *served_nvme_options(const struct kd_plan_volume *volume, char **ret)
{
	for (size_t i = KD_SERVED_ADDRESS; i < KD_SERVED_WORDS; i++)
		if (strpbrk(volume->argv[i], ",\n"))
			return kd_error_create(KD_ERR_FORMAT, "%s cannot be a part of a connection", volume->argv[i]);
	return kd_format(ret,
			 "transport=%s,traddr=%s,trsvcid=%s,nqn=%s,hostnqn=%s,hostid=%s,nr_io_queues=1,"
			 "reconnect_delay=2,ctrl_loss_tmo=" PATIENCE,
			 transport(volume), volume->argv[KD_SERVED_ADDRESS], volume->argv[KD_SERVED_PORT],
			 volume->argv[KD_SERVED_NAME], volume->argv[KD_SERVED_NVME_HOSTNQN],
			 volume->argv[KD_SERVED_NVME_HOSTID]);
}

static struct kd_error *connect_nvme(void *arg)
{
	const struct login *login = arg;
	_cleanup_close_ int fd = open(NVME_CONTROL, O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *options = NULL;
	struct kd_error *err = fd < 0 ? kd_error_os(errno, NVME_CONTROL) : served_nvme_options(login->volume, &options);

	if (err)
		return err;
	/* EALREADY: another target of the plan has connected to that subsystem. */
	if (write(fd, options, strlen(options)) < 0 && errno != EALREADY)
		return kd_error_os(errno, "cannot connect to %s", login->volume->argv[KD_SERVED_NAME]);
	return NULL;
}

/* Does the server not answer, or not yet? */
static bool is_absent(int errnum)
{
	return errnum == ECONNRESET || errnum == ECONNREFUSED || errnum == ETIMEDOUT || errnum == EHOSTUNREACH ||
	       errnum == ENETUNREACH || errnum == ENODEV;
}

/* Only a connection shows whether a server answers by RDMA. The kernel gives up after three seconds where nobody does,
 * and at once until the adapter and its addresses are there, which nothing announces. */
static struct kd_error *connect_nvme_rdma(void *arg)
{
	const struct login *login = arg;
	struct kd_error *err;
	int errnum;

	while ((err = connect_nvme(arg)) && is_absent(err->errnum)) {
		errnum = err->errnum;
		kd_error_destroy(err);
		if (clock_ms() + CONNECT_MS >= login->deadline)
			return no_answer(login->volume, errnum);
		poll(NULL, 0, 1000);
	}
	return err;
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
	const struct login *login = arg;
	const struct kd_plan_volume *volume = login->volume;
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

/* clang-format off */
static const struct {
	const char *kind;
	struct kd_error *(*network)(const struct kd_plan *plan, const char *server, int64_t deadline);
	struct kd_error *(*wait)(const struct kd_plan_volume *volume, int64_t deadline); /* NULL: log_in() does it */
	struct kd_error *(*log_in)(void *login); /* in a child, which is killed at the deadline */
} kinds[] = {
	{ KD_SERVED_ISCSI, network_up, wait_for_server, log_in_to_iscsi },
	{ KD_SERVED_NVME, network_up, wait_for_server, connect_nvme },
	{ KD_SERVED_NVME_RDMA, network_up_rdma, NULL, connect_nvme_rdma },
};
/* clang-format on */

struct kd_error *served_log_in(const struct kd_plan *plan, size_t index, int64_t deadline)
{
	const struct kd_plan_volume *volume = &plan->volume[index];
	int64_t now = clock_ms(), ways = 0;
	struct login login = { .volume = volume };
	struct child_job job = { .name = volume->kind, .arg = &login };
	struct kd_error *err;
	size_t kind = 0;

	while (kind + 1 < ARRAY_SIZE(kinds) && strcmp(kinds[kind].kind, volume->kind) != 0)
		kind++;
	for (size_t i = index; i < plan->volume_count; i++)
		ways += kd_served_is_disk(&plan->volume[i], volume->argv[KD_SERVED_DISK]);
	if (deadline > now && ways > 1)
		deadline = now + (deadline - now) / ways;
	err = kinds[kind].network(plan, volume->argv[KD_SERVED_ADDRESS], deadline);
	if (!err && kinds[kind].wait)
		err = kinds[kind].wait(volume, deadline);
	if (err)
		return err;
	login.deadline = job.deadline = deadline;
	job.run = kinds[kind].log_in;
	return child_run(&job, NULL);
}
