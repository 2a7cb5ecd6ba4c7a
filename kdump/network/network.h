/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The way from this machine to a server, for the plan: links by their hardware addresses, the addresses that this
 *  machine has there, and the route. The capture sets up the same, without DHCP, names or routing daemons. */
#ifndef KDUMP_NETWORK_NETWORK_H
#define KDUMP_NETWORK_NETWORK_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/net_link.h"
#include "base/plan.h"
#include "base/sysroot.h"

/** An IPv4 or IPv6 address. */
struct net_address {
	int family; /* AF_INET, AF_INET6; 0: none */
	unsigned char bytes[16];
};
/** Room for the text of any address. */
enum { NET_ADDRESS_TEXT = INET6_ADDRSTRLEN };
bool net_address_parse(const char *text, struct net_address *ret);

/** The text of an address, as getnameinfo(3) writes it. */
struct net_address_text {
	char text[NI_MAXHOST];
};

/** The addresses of server @name, which is a name or an address itself, in the order in which they are to be tried.
 *  *ret is owned by the caller; *count is at least 1. KD_ERR_NOT_FOUND. */
struct kd_error *net_resolve_server(const char *name, struct net_address_text **ret, size_t *count) MUST_CHECK;

/** An address that a link of this machine has. */
struct net_own_address {
	int link; /* its index */
	struct net_address address;
	unsigned int prefix;
	bool lease; /* IPv4: it is for a limited time, as a DHCP server lends it */
};

/** How the kernel reaches a server now. */
struct net_route {
	int link;                   /* index of the link */
	struct net_address gateway; /* family 0: the server is on that link */
	struct net_address source;  /* of this machine's packets */
};

struct net_addresses {
	struct net_own_address *address;
	size_t count;
};

/** A port of an RDMA device. */
struct net_rdma {
	char name[64];       /* of the device */
	int link;            /* index of the link that has it; 0: none, as with InfiniBand */
	unsigned int driver; /* RDMA_DRIVER_… of the kernel; RDMA_DRIVER_UNKNOWN: it does not tell */
};

struct net_rdmas {
	struct net_rdma *port;
	size_t count;
};

/** The facts that only the running machine can tell. */
struct network_source {
	struct kd_error *(*links)(struct kd_links *ret);
	struct kd_error *(*addresses)(struct net_addresses *ret);
	/** KD_ERR_OS: there is no route. */
	struct kd_error *(*route)(const struct net_address *server, struct net_route *ret);
	struct kd_error *(*rdmas)(struct net_rdmas *ret);
};
extern const struct network_source network_live;

/** Is @address one of this machine's own? KD_ERR_OS. */
struct kd_error *net_address_is_own(const struct network_source *network, const struct net_address *address,
				    bool *ret) MUST_CHECK;

/** Append to @plan what the way to @server is made of. *source := the address that this machine has there.
 *  KD_ERR_UNSUPPORTED: it leads through a link that capture cannot make; the message names it and says what to do.
 *  KD_ERR_NOT_FOUND: the route has no link or address. KD_ERR_OS: there is no route. */
struct kd_error *network_resolve(const struct kd_sysroot *root, const struct network_source *network,
				 const struct net_address *server, struct kd_plan *plan,
				 char source[static NET_ADDRESS_TEXT]) MUST_CHECK;

/** After network_resolve(): append to @plan the RDMA devices of the links that lead to @server.
 *  KD_ERR_UNSUPPORTED: there is none, or one that capture cannot have; the message says what to do. KD_ERR_OS. */
struct kd_error *network_resolve_rdma(const struct network_source *network, const struct net_address *server,
				      struct kd_plan *plan) MUST_CHECK;

/** All RDMA devices of the running machine. @ret->port is owned by the caller. KD_ERR_OS. */
struct kd_error *rdma_live(struct net_rdmas *ret) MUST_CHECK;

#endif
