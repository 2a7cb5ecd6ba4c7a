/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/network/network.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

/* Links that stand on links that stand on …; a machine with more has a loop. */
enum { DEPTH_MAX = 8 };

struct resolving {
	const struct kd_sysroot *root;
	const struct kd_links *links;
	struct kd_plan *plan;
};

/* --- addresses ---------------------------------------------------------------------------------------------------- */

bool net_address_parse(const char *text, struct net_address *ret)
{
	*ret = (struct net_address){ .family = AF_INET };
	if (inet_pton(AF_INET, text, ret->bytes) == 1)
		return true;
	*ret = (struct net_address){ .family = AF_INET6 };
	return inet_pton(AF_INET6, text, ret->bytes) == 1;
}

static void net_address_format(const struct net_address *address, char text[static NET_ADDRESS_TEXT])
{
	if (!address->family || !inet_ntop(address->family, address->bytes, text, NET_ADDRESS_TEXT))
		*text = '\0';
}

/* --- links -------------------------------------------------------------------------------------------------------- */

#define WORD(text) ((char *)(text))

static struct kd_error *add_link(const struct resolving *resolving, const struct kd_link *link, unsigned int depth);

static struct kd_error *refuse(const struct kd_link *link, const char *what)
{
	return kd_error_create(
		KD_ERR_UNSUPPORTED,
		"it leads through link %s (%s), which the capture kernel cannot set up: give the server a "
		"route through a network device, or through a vlan, bond or bridge of such",
		link->name, what);
}

static struct kd_error *add_device(const struct resolving *resolving, const struct kd_link *link)
{
	const struct kd_link *master = kd_links_find(resolving->links, link->master);
	char own[3 * KD_LINK_ADDRESS_MAX], now[3 * KD_LINK_ADDRESS_MAX], mtu[16];
	_cleanup_free_ char *device = NULL, *radio = NULL;
	const unsigned char *address;
	struct kd_error *err;
	size_t size;

	err = kd_format(&device, "/sys/class/net/%s/device", link->name);
	if (!err)
		err = kd_format(&radio, "/sys/class/net/%s/phy80211", link->name);
	if (err)
		return err;
	if (!kd_sysroot_exists(resolving->root, device))
		return refuse(link, "it has no hardware");
	if (kd_sysroot_exists(resolving->root, radio))
		return refuse(link, "it is wireless");
	address = kd_link_hardware(link, &size);
	if (!size)
		return refuse(link, "it has no hardware address");
	kd_link_address_format(address, size, own);
	kd_link_address_format(link->address, link->address_size, now);
	snprintf(mtu, sizeof(mtu), "%u", link->mtu);
	/* A bond gives its devices the address that they have now. */
	return kd_plan_add_network(resolving->plan, "device", link->name,
				   (char *const[]){ own, master && strcmp(master->kind, "bond") == 0 ? own : now, mtu,
						    NULL });
}

static struct kd_error *add_vlan(const struct resolving *resolving, const struct kd_link *link, unsigned int depth)
{
	const struct kd_link *lower = kd_links_find(resolving->links, link->lower);
	char id[16], protocol[16], mtu[16];
	struct kd_error *err;

	if (!lower)
		return refuse(link, "the link below it is not in this network namespace");
	snprintf(id, sizeof(id), "%u", link->vlan_id);
	snprintf(protocol, sizeof(protocol), "%04x", link->vlan_protocol);
	snprintf(mtu, sizeof(mtu), "%u", link->mtu);
	err = add_link(resolving, lower, depth + 1);
	return err ? err :
		     kd_plan_add_network(resolving->plan, "vlan", link->name,
					 (char *const[]){ WORD(lower->name), id, protocol, mtu, NULL });
}

/* Does @link lead to the outside? What virtual machines and containers bring to a bridge does not. */
static bool has_hardware(const struct resolving *resolving, const struct kd_link *link, unsigned int depth)
{
	_cleanup_free_ char *device = NULL;
	const struct kd_link *lower;
	size_t i;

	if (depth > DEPTH_MAX)
		return false;
	if (!link->kind[0])
		return !kd_error_discard(kd_format(&device, "/sys/class/net/%s/device", link->name)) &&
		       kd_sysroot_exists(resolving->root, device);
	if (strcmp(link->kind, "vlan") == 0) {
		lower = kd_links_find(resolving->links, link->lower);
		return lower && has_hardware(resolving, lower, depth + 1);
	}
	for (i = 0; i < resolving->links->count; i++)
		if (resolving->links->link[i].master == link->index &&
		    has_hardware(resolving, &resolving->links->link[i], depth + 1))
			return true;
	return false;
}

/* Add the links that @link is made of, and then itself: the @count @words, and the names of its parts. */
static struct kd_error *add_with_parts(const struct resolving *resolving, const struct kd_link *link,
				       unsigned int depth, char *const *words, size_t count)
{
	const struct kd_links *links = resolving->links;
	_cleanup_free_ char **all = calloc(count + links->count + 1, sizeof(*all));
	size_t first = count;

	if (!all)
		return kd_error_nomem();
	memcpy(all, words, count * sizeof(*all));
	for (size_t i = 0; i < links->count; i++) {
		const struct kd_link *part = &links->link[i];
		struct kd_error *err;

		if (part->master != link->index || !has_hardware(resolving, part, depth))
			continue;
		err = add_link(resolving, part, depth + 1);
		if (err)
			return err;
		all[count++] = WORD(part->name);
	}
	if (count == first)
		return refuse(link, "no part of it has hardware");
	return kd_plan_add_network(resolving->plan, link->kind, link->name, all);
}

static struct kd_error *add_bond(const struct resolving *resolving, const struct kd_link *link, unsigned int depth)
{
	char address[3 * KD_LINK_ADDRESS_MAX], mtu[16], mode[16];

	kd_link_address_format(link->address, link->address_size, address);
	snprintf(mtu, sizeof(mtu), "%u", link->mtu);
	snprintf(mode, sizeof(mode), "%u", link->bond_mode);
	return add_with_parts(resolving, link, depth, (char *const[]){ address, mtu, mode }, 3);
}

static struct kd_error *add_bridge(const struct resolving *resolving, const struct kd_link *link, unsigned int depth)
{
	char address[3 * KD_LINK_ADDRESS_MAX], mtu[16];

	kd_link_address_format(link->address, link->address_size, address);
	snprintf(mtu, sizeof(mtu), "%u", link->mtu);
	return add_with_parts(resolving, link, depth, (char *const[]){ address, mtu }, 2);
}

/* Links that are made of others; capture has the same rows. */
static const struct {
	const char *kind;
	struct kd_error *(*add)(const struct resolving *resolving, const struct kd_link *link, unsigned int depth);
} kinds[] = {
	{ "vlan", add_vlan },
	{ "bond", add_bond },
	{ "bridge", add_bridge },
};

static struct kd_error *add_link(const struct resolving *resolving, const struct kd_link *link, unsigned int depth)
{
	size_t i;

	if (depth > DEPTH_MAX)
		return refuse(link, "too many links stand on each other");
	if (!link->kind[0])
		return add_device(resolving, link);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, link->kind) == 0)
			return kinds[i].add(resolving, link, depth);
	return refuse(link, link->kind);
}

/* --- the way to a server ------------------------------------------------------------------------------------------ */

static bool same_address(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

struct kd_error *net_address_is_own(const struct network_source *network, const struct net_address *address, bool *ret)
{
	struct net_addresses own = { 0 };
	struct kd_error *err = network->addresses(&own);
	size_t i;

	*ret = false;
	for (i = 0; !err && i < own.count && !*ret; i++)
		*ret = same_address(&own.address[i].address, address);
	free(own.address);
	return err;
}

/* The address that packets to the server come from, with its prefix. */
static struct kd_error *add_address(const struct resolving *resolving, const struct net_addresses *addresses,
				    const struct net_route *route, const struct kd_link *link)
{
	char text[NET_ADDRESS_TEXT], prefix[16];
	size_t i;

	for (i = 0; i < addresses->count; i++) {
		const struct net_own_address *own = &addresses->address[i];

		if (!same_address(&own->address, &route->source))
			continue;
		net_address_format(&own->address, text);
		/* An address of another link (lo: a routing daemon's) is good for this link; its network is not. */
		snprintf(prefix, sizeof(prefix), "%u",
			 own->link == route->link       ? own->prefix :
			 own->address.family == AF_INET ? 32 :
							  128);
		return kd_plan_add_network(resolving->plan, "address", link->name,
					   (char *const[]){
						   text, prefix,
						   own->lease && own->link == route->link ? WORD(KD_PLAN_LEASE) : NULL,
						   NULL });
	}
	net_address_format(&route->source, text);
	return kd_error_create(KD_ERR_NOT_FOUND, "this machine has no address %s any more", text);
}

static struct kd_error *resolve(const struct resolving *resolving, const struct net_addresses *addresses,
				const struct net_address *server, const struct net_route *route,
				char source[static NET_ADDRESS_TEXT])
{
	const struct kd_link *link = kd_links_find(resolving->links, route->link);
	char to[NET_ADDRESS_TEXT], gateway[NET_ADDRESS_TEXT];
	struct kd_error *err;

	if (!link || !route->source.family)
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "the kernel names no link and address to reach the server from");
	err = add_link(resolving, link, 0);
	if (!err)
		err = add_address(resolving, addresses, route, link);
	if (err)
		return err;
	net_address_format(server, to);
	net_address_format(&route->gateway, gateway);
	net_address_format(&route->source, source);
	return kd_plan_add_network(resolving->plan, "route", link->name, (char *const[]){ to, gateway, source, NULL });
}

struct kd_error *network_resolve(const struct kd_sysroot *root, const struct network_source *network,
				 const struct net_address *server, struct kd_plan *plan,
				 char source[static NET_ADDRESS_TEXT])
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct resolving resolving = { .root = root, .links = &links, .plan = plan };
	struct net_addresses addresses = { 0 };
	struct net_route route = { 0 };
	char text[NET_ADDRESS_TEXT];
	struct kd_error *err;

	err = network->route(server, &route);
	if (!err)
		err = network->links(&links);
	if (!err)
		err = network->addresses(&addresses);
	if (!err)
		err = resolve(&resolving, &addresses, server, &route, source);
	free(addresses.address);
	net_address_format(server, text);
	return kd_error_wrap(err, "the way to server %s", text);
}
