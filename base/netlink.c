/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/netlink.h"

#include <errno.h>
#include <rdma/rdma_netlink.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel's answers to a dump are at most 32 KiB long (netlink_dump()). */
enum { ANSWER_SIZE = 32 << 10 };

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void *append(struct kd_netlink_request *request, size_t size)
{
	unsigned char *place = request->buffer + request->size;

	if (request->overflow || size > sizeof(request->buffer) - request->size) {
		request->overflow = true;
		return NULL;
	}
	memset(place, 0, size);
	request->size += size;
	return place;
}

void kd_netlink_begin(struct kd_netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	struct nlmsghdr *header;

	request->size = 0;
	request->overflow = false;
	header = append(request, NLMSG_SPACE(size));
	if (!header)
		return;
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	if (size)
		memcpy(NLMSG_DATA(header), body, size);
}

void kd_netlink_put(struct kd_netlink_request *request, uint16_t type, const void *data, size_t size)
{
	struct rtattr *attribute = append(request, RTA_SPACE(size));

	if (!attribute)
		return;
	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
}

void kd_netlink_put_u32(struct kd_netlink_request *request, uint16_t type, uint32_t value)
{
	kd_netlink_put(request, type, &value, sizeof(value));
}

void kd_netlink_put_text(struct kd_netlink_request *request, uint16_t type, const char *text)
{
	kd_netlink_put(request, type, text, strlen(text) + 1);
}

size_t kd_netlink_nest(struct kd_netlink_request *request, uint16_t type)
{
	size_t nest = request->size;

	kd_netlink_put(request, type, NULL, 0);
	return nest;
}

void kd_netlink_close(struct kd_netlink_request *request, size_t nest)
{
	struct rtattr *attribute = (struct rtattr *)(request->buffer + nest);

	if (!request->overflow)
		attribute->rta_len = request->size - nest;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static struct kd_error *open_socket(int protocol, uint32_t groups, const char *about, int *ret)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return kd_error_os(errno, "cannot ask the kernel about %s", about);
	*ret = take_fd(fd);
	return NULL;
}

struct kd_error *kd_netlink_open(uint32_t groups, int *ret)
{
	return open_socket(NETLINK_ROUTE, groups, "the network", ret);
}

struct kd_error *kd_netlink_open_rdma(int *ret)
{
	return open_socket(NETLINK_RDMA, 0, "RDMA devices", ret);
}

uint16_t kd_netlink_rdma(uint16_t command)
{
	return RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command);
}

/* What the kernel's last message says: 0 or a negative errno. */
static int result_of(const struct nlmsghdr *message)
{
	int result = 0;

	if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(result)))
		memcpy(&result, NLMSG_DATA(message), sizeof(result));
	return result;
}

/* Hand on the answers among @size bytes of messages. *done: the last one was there. */
static struct kd_error *hand_on(const struct nlmsghdr *message, size_t size, uint32_t sequence, kd_netlink_fn *fn,
				void *arg, bool *done)
{
	struct kd_error *err = NULL;

	for (; !err && !*done && NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_seq != sequence)
			continue;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
			int result = result_of(message);

			*done = true;
			if (result < 0)
				err = kd_error_os(-result, "the kernel refuses it");
		} else if (fn) {
			err = fn(arg, message);
		}
	}
	return err;
}

struct kd_error *kd_netlink_call(int fd, struct kd_netlink_request *request, kd_netlink_fn *fn, void *arg)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr *header = (struct nlmsghdr *)request->buffer;
	_cleanup_free_ struct nlmsghdr *answer = malloc(ANSWER_SIZE);
	struct kd_error *err = NULL;
	bool done = false;

	if (!answer)
		return kd_error_nomem();
	if (request->overflow)
		return kd_error_create(KD_ERR_LIMIT, "a request about the network is too long");
	header->nlmsg_len = request->size;
	header->nlmsg_flags |= NLM_F_ACK;
	/* A process has one request under way at a time. */
	header->nlmsg_seq = 1;
	if (sendto(fd, request->buffer, request->size, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return kd_error_os(errno, "cannot ask the kernel about the network");
	while (!err && !done) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_size = sizeof(from);
		ssize_t n = recvfrom(fd, answer, ANSWER_SIZE, 0, (struct sockaddr *)&from, &from_size);

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue; /* only announcements can be lost */
		if (n < 0)
			return kd_error_os(errno, "the kernel does not answer about the network");
		if (from.nl_pid == 0)
			err = hand_on(answer, n, header->nlmsg_seq, fn, arg, &done);
	}
	return err;
}

void kd_netlink_attributes(const void *first, size_t size, const struct rtattr **attributes, size_t count)
{
	const struct rtattr *attribute = first;

	memset(attributes, 0, count * sizeof(*attributes));
	for (; RTA_OK(attribute, size); attribute = RTA_NEXT(attribute, size))
		if ((attribute->rta_type & NLA_TYPE_MASK) < count)
			attributes[attribute->rta_type & NLA_TYPE_MASK] = attribute;
}

#define DEFINE_NUMBER(name, type)                                                                                      \
	type name(const struct rtattr *attribute)                                                                      \
	{                                                                                                              \
		type value = 0;                                                                                        \
                                                                                                                       \
		if (attribute && RTA_PAYLOAD(attribute) >= sizeof(value))                                              \
			memcpy(&value, RTA_DATA(attribute), sizeof(value));                                            \
		return value;                                                                                          \
	}

DEFINE_NUMBER(kd_netlink_u32, uint32_t)
DEFINE_NUMBER(kd_netlink_u16, uint16_t)
DEFINE_NUMBER(kd_netlink_u8, uint8_t)
