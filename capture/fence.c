/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/fence.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "capture/clock.h"
#include "capture/network.h"

/* The message has the byte order of whoever sends it (fence-agents, agents/kdump/fence_kdump.h). */
struct message {
	uint32_t magic, version;
};
_Static_assert(sizeof(struct message) == 8, "eight bytes on the wire");

static const struct message message = { .magic = 0x1b302a40, .version = 1 };

/* The links of a machine come up one after another; what is still missing then is worth a word. */
enum { PATIENCE_MS = 60 * 1000, LOOK_MS = 1000 };

struct node {
	const struct kd_plan_fence *plan;
	int64_t next; /* clock_ms() of the next message or look at the network */
	unsigned int sent;
	bool reached, complained;
};

static struct kd_error *make_address(const struct kd_plan_fence *fence, struct sockaddr_storage *ret, socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, fence->node, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)fence->port);
		*size = sizeof(*v4);
		return NULL;
	}
	if (inet_pton(AF_INET6, fence->node, &v6->sin6_addr) != 1)
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not an address", fence->node);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)fence->port);
	*size = sizeof(*v6);
	return NULL;
}

static struct kd_error *send_message(const struct kd_plan_fence *fence)
{
	struct sockaddr_storage address;
	_cleanup_close_ int fd = -1;
	socklen_t size = 0;
	struct kd_error *err = make_address(fence, &address, &size);

	if (err)
		return err;
	fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&address, size) != sizeof(message))
		return kd_error_os(errno, "cannot send to it");
	return NULL;
}

/* Set up what is there of the way to the node, without waiting, and send. */
static struct kd_error *tell(const struct fence *fence, struct node *node)
{
	struct kd_error *err = node->reached ? NULL : network_up(fence->plan, node->plan->node, clock_ms());

	if (!err)
		err = send_message(node->plan);
	return kd_error_wrap(err, "fence_kdump: node %s", node->plan->node);
}

static void take_turn(const struct fence *fence, struct node *node, int64_t started)
{
	struct kd_error *err = tell(fence, node);

	node->next = clock_ms() + (err ? LOOK_MS : node->plan->interval * INT64_C(1000));
	node->sent += !err;
	if (!err && !node->reached)
		kd_info(fence->log, "fence_kdump: node %s is told of the dump", node->plan->node);
	if (!err)
		node->reached = true;
	if (!err || node->complained || clock_ms() - started < PATIENCE_MS) {
		kd_error_destroy(err);
		return;
	}
	node->complained = true;
	kd_log_error(fence->log, err);
}

static bool is_done(const struct node *node)
{
	return node->plan->count && node->sent >= node->plan->count;
}

void fence_tell(void *arg)
{
	const struct fence *fence = arg;
	size_t count = fence->plan->fence_count, i;
	_cleanup_free_ struct node *nodes = calloc(count + 1, sizeof(*nodes));
	int64_t started = clock_ms(), next = 0;

	for (i = 0; nodes && i < count; i++)
		nodes[i].plan = &fence->plan->fence[i];
	while (nodes && next < INT64_MAX) {
		next = INT64_MAX;
		for (i = 0; i < count; i++) {
			if (is_done(&nodes[i]))
				continue;
			if (clock_ms() >= nodes[i].next)
				take_turn(fence, &nodes[i], started);
			if (!is_done(&nodes[i]) && nodes[i].next < next)
				next = nodes[i].next;
		}
		if (next < INT64_MAX)
			poll(NULL, 0, clock_timeout(next));
	}
}
