/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/parse.h"
#include "capture/clock.h"

enum { RECEIVE_BUFFER = 1 << 20, GROUP_KERNEL = 1 };

bool uevent_parse(const char *message, size_t size, struct uevent *ret)
{
	const char *end = message + size, *at = memchr(message, '@', size), *p;
	struct uevent event = { 0 };

	/* Messages of libudev, which belong to another group, start differently. */
	if (!at || strlen(message) < (size_t)(at - message))
		return false;
	for (p = message + strlen(message) + 1; p < end; p += strlen(p) + 1) {
		if (kd_starts_with(p, "ACTION="))
			event.action = p + strlen("ACTION=");
		else if (kd_starts_with(p, "SUBSYSTEM="))
			event.subsystem = p + strlen("SUBSYSTEM=");
		else if (kd_starts_with(p, "DEVNAME="))
			event.devname = p + strlen("DEVNAME=");
	}
	if (!event.action)
		return false;
	*ret = event;
	return true;
}

struct kd_error *uevent_open(int *ret)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	int size = RECEIVE_BUFFER;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return kd_error_os(errno, "cannot receive announcements of devices");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*ret = take_fd(fd);
	return NULL;
}

enum uevent_next uevent_wait(int fd, int64_t deadline, char *buf, size_t size, struct uevent *ret)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	/* Check the clock too, so that a storm of events does not last forever. */
	while (clock_ms() < deadline && poll(&poll_fd, 1, clock_timeout(deadline)) > 0) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_size = sizeof(from);
		ssize_t n = recvfrom(fd, buf, size - 1, 0, (struct sockaddr *)&from, &from_size);

		if (n < 0 && errno == ENOBUFS)
			return UEVENT_LOST;
		if (n <= 0 || from.nl_pid != 0) /* not from the kernel */
			continue;
		buf[n] = '\0';
		if (uevent_parse(buf, n, ret))
			return UEVENT_MESSAGE;
	}
	return UEVENT_TIMEOUT;
}
