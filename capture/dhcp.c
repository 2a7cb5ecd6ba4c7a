/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/dhcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "capture/clock.h"

enum {
	PORT_SERVER = 67,
	PORT_CLIENT = 68,
	OP_REQUEST = 1,
	OP_REPLY = 2,
	BROADCAST = 0x8000,
	COOKIE = 0x63825363,
	/* Options. */
	PAD = 0,
	MASK = 1,
	ROUTER = 3,
	WANTED = 50,
	TYPE = 53,
	SERVER = 54,
	PARAMETERS = 55,
	END = 255,
	MESSAGE_MIN = 300, /* of BOOTP: some relays drop what is shorter */
};

/* The fixed part of a message (RFC 2131, figure 1). */
struct message {
	uint8_t op, hardware_type, hardware_size, hops;
	uint32_t id;
	uint16_t seconds, flags;
	uint32_t client, yours, server, relay;
	uint8_t hardware[16];
	uint8_t names[64 + 128];
	uint32_t cookie;
};
_Static_assert(sizeof(struct message) == 240, "as on the wire");

struct headers {
	struct iphdr ip;
	struct udphdr udp;
	struct message message;
};
_Static_assert(sizeof(struct headers) == 20 + 8 + 240, "nothing in between");

/* --- a question --------------------------------------------------------------------------------------------------- */

/* The Internet checksum (RFC 1071) of an even number of bytes. */
static uint16_t checksum(const void *data, size_t size)
{
	const unsigned char *byte = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static unsigned char *put_option(unsigned char *at, uint8_t type, const void *data, uint8_t size)
{
	*at++ = type;
	*at++ = size;
	memcpy(at, data, size);
	return at + size;
}

static unsigned char *put_options(const struct dhcp_question *question, unsigned char *at)
{
	static const uint8_t parameters[] = { MASK, ROUTER };
	const uint8_t type = question->type;

	at = put_option(at, TYPE, &type, sizeof(type));
	if (question->wanted)
		at = put_option(at, WANTED, &question->wanted, sizeof(question->wanted));
	if (question->server)
		at = put_option(at, SERVER, &question->server, sizeof(question->server));
	at = put_option(at, PARAMETERS, parameters, sizeof(parameters));
	*at++ = END;
	return at;
}

size_t dhcp_write(const struct dhcp_question *question, unsigned char packet[static DHCP_PACKET_MAX])
{
	struct headers headers = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .daddr = INADDR_BROADCAST },
		/* No checksum, which is optional, so that there is nothing to get wrong for. */
		.udp = { .source = htons(PORT_CLIENT), .dest = htons(PORT_SERVER) },
		.message = { .op = OP_REQUEST,
			     .hardware_type = ARPHRD_ETHER,
			     .hardware_size = (uint8_t)question->hardware_size,
			     .id = question->id,
			     .flags = htons(BROADCAST), /* the link has no address that an answer could be sent to */
			     .cookie = htonl(COOKIE) },
	};
	size_t size;

	memset(packet, 0, DHCP_PACKET_MAX);
	size = (size_t)(put_options(question, packet + sizeof(headers)) - packet);
	if (size < sizeof(headers) - sizeof(headers.message) + MESSAGE_MIN)
		size = sizeof(headers) - sizeof(headers.message) + MESSAGE_MIN;
	headers.ip.tot_len = htons((uint16_t)size);
	headers.udp.len = htons((uint16_t)(size - sizeof(headers.ip)));
	headers.ip.check = checksum(&headers.ip, sizeof(headers.ip));
	memcpy(headers.message.hardware, question->hardware, question->hardware_size);
	memcpy(packet, &headers, sizeof(headers));
	return size;
}

/* --- an answer ---------------------------------------------------------------------------------------------------- */

static uint32_t read_u32(const unsigned char *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

static bool take_option(uint8_t type, const unsigned char *data, size_t size, struct dhcp_answer *answer)
{
	switch (type) {
	case TYPE:
		if (size != 1)
			return false;
		answer->type = data[0];
		break;
	case MASK:
		if (size != 4)
			return false;
		answer->prefix = (unsigned int)__builtin_popcount(read_u32(data));
		break;
	case ROUTER:
		if (size < 4)
			return false;
		answer->router = read_u32(data); /* the first one is preferred */
		break;
	case SERVER:
		if (size != 4)
			return false;
		answer->server = read_u32(data);
		break;
	}
	return true;
}

static bool read_options(const unsigned char *at, const unsigned char *end, struct dhcp_answer *answer)
{
	while (at < end && *at != END) {
		uint8_t type = *at++;
		size_t size;

		if (type == PAD)
			continue;
		if (at == end)
			return false;
		size = *at++;
		if (size > (size_t)(end - at) || !take_option(type, at, size, answer))
			return false;
		at += size;
	}
	return true;
}

/* The UDP datagram for a client in the IP packet: its message, and *end behind it. NULL: there is none. */
static const unsigned char *find_message(const unsigned char *packet, size_t size, const unsigned char **end)
{
	struct iphdr ip;
	struct udphdr udp;
	size_t header, length;

	if (size < sizeof(ip))
		return NULL;
	memcpy(&ip, packet, sizeof(ip));
	header = ip.ihl * 4u;
	length = ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || ip.protocol != IPPROTO_UDP || ntohs(ip.frag_off) & 0x3fff ||
	    length > size || length < header + sizeof(udp))
		return NULL;
	memcpy(&udp, packet + header, sizeof(udp));
	if (ntohs(udp.dest) != PORT_CLIENT || ntohs(udp.len) < sizeof(udp) || ntohs(udp.len) > length - header)
		return NULL;
	*end = packet + header + ntohs(udp.len);
	return packet + header + sizeof(udp);
}

bool dhcp_read(const unsigned char *packet, size_t size, const struct dhcp_question *question, struct dhcp_answer *ret)
{
	struct dhcp_answer answer = { .prefix = 32 };
	const unsigned char *end = NULL, *start = find_message(packet, size, &end);
	struct message message;

	if (!start || (size_t)(end - start) < sizeof(message))
		return false;
	memcpy(&message, start, sizeof(message));
	if (message.op != OP_REPLY || message.cookie != htonl(COOKIE) || message.id != question->id ||
	    message.hardware_size != question->hardware_size ||
	    memcmp(message.hardware, question->hardware, question->hardware_size) != 0 ||
	    !read_options(start + sizeof(message), end, &answer))
		return false;
	answer.address = message.yours;
	if (answer.type != DHCP_NAK && ((answer.type != DHCP_OFFER && answer.type != DHCP_ACK) || !answer.address))
		return false;
	if (!answer.prefix || answer.prefix > 32)
		answer.prefix = 32;
	*ret = answer;
	return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

struct client {
	int fd;
	int link;
	struct dhcp_question question;
};

static struct kd_error *send_question(const struct client *client)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = client->link,
		.sll_halen = ETH_ALEN,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	unsigned char packet[DHCP_PACKET_MAX];
	size_t size = dhcp_write(&client->question, packet);

	if (sendto(client->fd, packet, size, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)size)
		return kd_error_os(errno, "cannot send to the DHCP servers");
	return NULL;
}

static bool is_wanted(const struct client *client, const struct dhcp_answer *answer)
{
	return client->question.type == DHCP_DISCOVER ? answer->type == DHCP_OFFER : answer->type != DHCP_OFFER;
}

/* False: there was no answer until @deadline. */
static bool receive_answer(const struct client *client, int64_t deadline, struct dhcp_answer *ret)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };
	unsigned char packet[DHCP_PACKET_MAX];

	while (clock_ms() < deadline && poll(&poll_fd, 1, clock_timeout(deadline)) > 0) {
		ssize_t size = recv(client->fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (size > 0 && dhcp_read(packet, (size_t)size, &client->question, ret) && is_wanted(client, ret))
			return true;
	}
	return false;
}

/* Ask @question twice, with the patience of one second and of two. */
static struct kd_error *ask(struct client *client, enum dhcp_type type, in_addr_t wanted, in_addr_t server,
			    struct dhcp_answer *ret, bool *answered)
{
	struct kd_error *err = NULL;

	client->question.type = type;
	client->question.wanted = wanted;
	client->question.server = server;
	*answered = false;
	if (getrandom(&client->question.id, sizeof(client->question.id), GRND_NONBLOCK) < 0)
		client->question.id = (uint32_t)clock_ms();
	for (int seconds = 1; seconds <= 2 && !*answered && !err; seconds++) {
		err = send_question(client);
		if (!err)
			*answered = receive_answer(client, clock_ms() + seconds * 1000, ret);
	}
	return err;
}

static struct kd_error *ask_all(struct client *client, in_addr_t lease, struct dhcp_answer *ret)
{
	struct dhcp_answer offer;
	bool answered;
	/* As a client does that starts again with a lease that it knows (RFC 2131, 3.2). */
	struct kd_error *err = ask(client, DHCP_REQUEST, lease, 0, ret, &answered);

	if (err || (answered && ret->type == DHCP_ACK))
		return err;
	err = ask(client, DHCP_DISCOVER, 0, 0, &offer, &answered);
	if (!err && answered)
		err = ask(client, DHCP_REQUEST, offer.address, offer.server, ret, &answered);
	if (!err && (!answered || ret->type != DHCP_ACK))
		err = kd_error_create(KD_ERR_TIMEOUT, "no DHCP server grants an address");
	return err;
}

struct kd_error *dhcp_ask(const struct kd_link *link, in_addr_t lease, struct dhcp_answer *ret)
{
	struct sockaddr_ll own = { .sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_IP),
				   .sll_ifindex = link->index };
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct client client = { .fd = fd, .link = link->index };

	if (link->address_size != ETH_ALEN)
		return kd_error_create(KD_ERR_UNSUPPORTED, "link %s is not like Ethernet", link->name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return kd_error_os(errno, "cannot speak with DHCP servers on link %s", link->name);
	client.question.hardware = link->address;
	client.question.hardware_size = link->address_size;
	return ask_all(&client, lease, ret);
}
