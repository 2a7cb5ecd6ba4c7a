/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running machine's network, by rtnetlink(7). */
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#include "base/netlink.h"
#include "kdump/network/network.h"

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void read_address(const struct rtattr *attribute, int family, struct net_address *ret)
{
	if (!attribute || RTA_PAYLOAD(attribute) < address_size(family))
		return;
	ret->family = family;
	memcpy(ret->bytes, RTA_DATA(attribute), address_size(family));
}

static struct kd_error *live_links(struct kd_links *ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_netlink_open(0, &fd);

	return err ? err : kd_links_load(fd, ret);
}

static struct kd_error *add_address(void *arg, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	const struct rtattr *part[IFA_MAX + 1];
	struct net_addresses *addresses = arg;
	struct net_own_address *address;
	struct ifa_cacheinfo times;

	if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof(*body)) ||
	    (body->ifa_family != AF_INET && body->ifa_family != AF_INET6))
		return NULL;
	address = realloc(addresses->address, (addresses->count + 1) * sizeof(*address));
	if (!address)
		return kd_error_nomem();
	addresses->address = address;
	address += addresses->count++;
	*address = (struct net_own_address){ .link = (int)body->ifa_index, .prefix = body->ifa_prefixlen };
	kd_netlink_attributes(IFA_RTA(body), IFA_PAYLOAD(message), part, IFA_MAX + 1);
	if (part[IFA_CACHEINFO] && RTA_PAYLOAD(part[IFA_CACHEINFO]) >= sizeof(times)) {
		memcpy(&times, RTA_DATA(part[IFA_CACHEINFO]), sizeof(times));
		address->lease = body->ifa_family == AF_INET && times.ifa_valid != UINT32_MAX;
	}
	/* On a link between two machines IFA_ADDRESS is the other's. */
	read_address(part[IFA_LOCAL] ? part[IFA_LOCAL] : part[IFA_ADDRESS], body->ifa_family, &address->address);
	return NULL;
}

static struct kd_error *live_addresses(struct net_addresses *ret)
{
	const struct ifaddrmsg body = { .ifa_family = AF_UNSPEC };
	struct net_addresses addresses = { 0 };
	struct kd_netlink_request request;
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_netlink_open(0, &fd);

	if (err)
		return err;
	kd_netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &body, sizeof(body));
	err = kd_netlink_call(fd, &request, add_address, &addresses);
	if (err) {
		free(addresses.address);
		return kd_error_wrap(err, "list of addresses");
	}
	*ret = addresses;
	return NULL;
}

static struct kd_error *take_route(void *arg, const struct nlmsghdr *message)
{
	const struct rtmsg *body = NLMSG_DATA(message);
	const struct rtattr *part[RTA_MAX + 1];
	struct net_route *route = arg;

	if (message->nlmsg_type != RTM_NEWROUTE || message->nlmsg_len < NLMSG_LENGTH(sizeof(*body)))
		return NULL;
	if (body->rtm_type == RTN_LOCAL)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "the address is this machine's own: choose a server that survives the crash");
	kd_netlink_attributes(RTM_RTA(body), RTM_PAYLOAD(message), part, RTA_MAX + 1);
	if (part[RTA_VIA])
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "its gateway has an address of the other family, which capture cannot use");
	route->link = (int)kd_netlink_u32(part[RTA_OIF]);
	read_address(part[RTA_GATEWAY], body->rtm_family, &route->gateway);
	read_address(part[RTA_PREFSRC], body->rtm_family, &route->source);
	return NULL;
}

static struct kd_error *live_route(const struct net_address *server, struct net_route *ret)
{
	const struct rtmsg body = {
		.rtm_family = server->family,
		.rtm_dst_len = 8 * address_size(server->family),
	};
	struct kd_netlink_request request;
	struct net_route route = { 0 };
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_netlink_open(0, &fd);

	if (err)
		return err;
	/* The kernel decides as for a packet: its rules and several tables have their say. */
	kd_netlink_begin(&request, RTM_GETROUTE, 0, &body, sizeof(body));
	kd_netlink_put(&request, RTA_DST, server->bytes, address_size(server->family));
	err = kd_netlink_call(fd, &request, take_route, &route);
	if (err)
		return kd_error_wrap(err, "route");
	*ret = route;
	return NULL;
}

struct kd_error *net_resolve_server(const char *name, struct net_address_text **ret, size_t *count)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	_cleanup_free_ struct net_address_text *addresses = NULL;
	struct addrinfo *found = NULL, *one;
	int result = getaddrinfo(name, NULL, &hints, &found);
	size_t known = 0;

	if (result)
		return kd_error_create(
			KD_ERR_NOT_FOUND,
			"server %s: %s: \"getent hosts %s\" asks for it; check the name, or give an address", name,
			gai_strerror(result), name);
	for (one = found; one; one = one->ai_next)
		known++;
	addresses = calloc(known, sizeof(*addresses));
	for (known = 0, one = found; addresses && one; one = one->ai_next)
		known += getnameinfo(one->ai_addr, one->ai_addrlen, addresses[known].text, NI_MAXHOST, NULL, 0,
				     NI_NUMERICHOST) == 0;
	freeaddrinfo(found);
	if (!addresses)
		return kd_error_nomem();
	if (!known)
		return kd_error_create(KD_ERR_NOT_FOUND, "server %s has no address: give one", name);
	*ret = take_ptr(addresses);
	*count = known;
	return NULL;
}

const struct network_source network_live = { live_links, live_addresses, live_route, rdma_live };
