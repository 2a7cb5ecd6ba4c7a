/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A DHCP client (RFC 2131, 2132) that asks once: may the lease of the healthy machine still be used, and if not, what
 *  instead? Nobody renews it in the minutes of a capture. */
#ifndef CAPTURE_DHCP_H
#define CAPTURE_DHCP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/net_link.h"

enum { DHCP_PACKET_MAX = 1500 };

/** Types of messages (option 53). */
enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5, DHCP_NAK = 6 };

/** What a client says. Addresses are in network byte order; 0: none. */
struct dhcp_question {
	enum dhcp_type type;
	uint32_t id; /* of the transaction */
	const unsigned char *hardware;
	size_t hardware_size; /* at most 16 */
	in_addr_t wanted;     /* address that it would like to have */
	in_addr_t server;     /* whose offer it takes; 0: any that knows of the lease */
};

/** Write the IP packet of @question, from nobody to everybody. Returns its size. */
size_t dhcp_write(const struct dhcp_question *question, unsigned char packet[static DHCP_PACKET_MAX]);

/** What a server answers. */
struct dhcp_answer {
	enum dhcp_type type;
	in_addr_t address, server, router; /* the last two may be 0: not told */
	unsigned int prefix;               /* length; 32 if the server does not tell its mask, or tells none */
};

/** Read @size bytes of a packet of the network. False: it is not an answer to @question, or it is damaged. */
bool dhcp_read(const unsigned char *packet, size_t size, const struct dhcp_question *question, struct dhcp_answer *ret);

/** Ask the servers on @link, which is up, whether this machine may still have the address @lease; if one of them says
 *  no, or none answers, for another one. It takes at most nine seconds, and no answer is the last word.
 *  KD_ERR_TIMEOUT: nobody has answered. KD_ERR_OS. */
struct kd_error *dhcp_ask(const struct kd_link *link, in_addr_t lease, struct dhcp_answer *ret) MUST_CHECK;

#endif
