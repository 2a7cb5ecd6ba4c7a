/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/net_link.h"
#include "base/netlink.h"
#include "base/parse.h"
#include "capture/clock.h"

enum {
	LINKS_MAX = 64,
	BOND_MIIMON_MS = 100, /* without it a bond never notices which of its devices has a carrier */
};

/* A link of the plan, by the name that it has there. */
struct network_link {
	const char *name;
	int index; /* in this kernel */
	bool used; /* it has an address, so it needs a carrier */
};

struct network {
	int requests; /* socket of requests */
	int events;   /* socket of announcements of links */
	int64_t deadline;
	size_t count;
	struct network_link link[LINKS_MAX];
};

/* --- links -------------------------------------------------------------------------------------------------------- */

static struct kd_error *note_link(struct network *network, const char *name, int index)
{
	if (network->count == LINKS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "the plan has more than %d links", LINKS_MAX);
	network->link[network->count++] = (struct network_link){ .name = name, .index = index };
	return NULL;
}

static struct kd_error *find_link(struct network *network, const char *name, struct network_link **ret)
{
	size_t i;

	for (i = 0; i < network->count && strcmp(network->link[i].name, name) != 0; i++)
		;
	if (i == network->count)
		return kd_error_create(KD_ERR_FORMAT, "link %s is not in the plan above this line", name);
	*ret = &network->link[i];
	return NULL;
}

static struct kd_error *find_index(struct network *network, const char *name, int *ret)
{
	struct network_link *link = NULL;
	struct kd_error *err = find_link(network, name, &link);

	if (!err)
		*ret = link->index;
	return err;
}

static void begin_link(struct kd_netlink_request *request, uint16_t flags, int index, bool up)
{
	const struct ifinfomsg body = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = up ? IFF_UP : 0,
	};

	kd_netlink_begin(request, RTM_NEWLINK, flags, &body, sizeof(body));
}

static struct kd_error *bring_up(const struct network *network, int index)
{
	struct kd_netlink_request request;

	begin_link(&request, 0, index, true);
	return kd_netlink_call(network->requests, &request, NULL, NULL);
}

/* Wait for the next announcement of a link. False: the deadline has passed. What the announcement says does not matter,
 * since the links are read again; so one that was lost does no harm either. */
static bool wait_for_event(const struct network *network)
{
	struct pollfd poll_fd = { .fd = network->events, .events = POLLIN };
	char message[8192];

	if (clock_ms() >= network->deadline || poll(&poll_fd, 1, clock_timeout(network->deadline)) <= 0)
		return false;
	while (recv(network->events, message, sizeof(message), MSG_DONTWAIT) > 0)
		;
	return true;
}

/* The device whose own hardware address is @address; 0: it is not there yet. */
static struct kd_error *look_for_device(const struct network *network, const unsigned char *address, size_t size,
					int *index)
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct kd_error *err;
	size_t i, own_size;

	*index = 0;
	err = kd_links_load(network->requests, &links);
	for (i = 0; !err && i < links.count && !*index; i++) {
		const unsigned char *own = kd_link_hardware(&links.link[i], &own_size);

		if (!links.link[i].kind[0] && own_size == size && memcmp(own, address, size) == 0)
			*index = links.link[i].index;
	}
	return err;
}

static struct kd_error *bad_word(const char *word)
{
	return kd_error_create(KD_ERR_FORMAT, "\"%s\" has another form in a plan", word);
}

/* @text as a hardware address, put into @request. */
static struct kd_error *put_hardware(struct kd_netlink_request *request, const char *text)
{
	unsigned char address[KD_LINK_ADDRESS_MAX];
	size_t size;

	if (!kd_link_address_parse(text, address, &size))
		return bad_word(text);
	kd_netlink_put(request, IFLA_ADDRESS, address, size);
	return NULL;
}

static struct kd_error *put_mtu(struct kd_netlink_request *request, const char *text)
{
	uint64_t mtu;

	if (!kd_parse_u64(text, 10, &mtu) || !mtu || mtu > UINT32_MAX)
		return bad_word(text);
	kd_netlink_put_u32(request, IFLA_MTU, mtu);
	return NULL;
}

/* device NAME OWN-ADDRESS ADDRESS MTU */
static struct kd_error *apply_device(struct network *network, const char *name, char *const *word)
{
	unsigned char own[KD_LINK_ADDRESS_MAX];
	struct kd_netlink_request request;
	struct kd_error *err;
	size_t size;
	int index;

	if (!kd_link_address_parse(word[0], own, &size))
		return bad_word(word[0]);
	do
		err = look_for_device(network, own, size, &index);
	while (!err && !index && wait_for_event(network));
	if (!err && !index)
		return kd_error_create(KD_ERR_TIMEOUT, "no device with hardware address %s appeared", word[0]);
	if (err)
		return err;
	begin_link(&request, 0, index, false);
	err = put_mtu(&request, word[2]);
	if (!err && strcmp(word[0], word[1]) != 0)
		err = put_hardware(&request, word[1]);
	if (!err)
		err = kd_netlink_call(network->requests, &request, NULL, NULL);
	return err ? err : note_link(network, name, index);
}

/* Create the link that @request describes; it is named after its place in the plan, which no name of the kernel's can
 * contradict. One that is there already is taken. */
static struct kd_error *create_link(struct network *network, const char *name, struct kd_netlink_request *request,
				    int *ret)
{
	char own_name[IF_NAMESIZE];
	struct kd_error *err;

	snprintf(own_name, sizeof(own_name), "kdump%zu", network->count);
	kd_netlink_put_text(request, IFLA_IFNAME, own_name);
	err = kd_netlink_call(network->requests, request, NULL, NULL);
	if (err && err->errnum == EEXIST) {
		kd_error_destroy(err);
		err = NULL;
	}
	if (err)
		return err;
	*ret = (int)if_nametoindex(own_name);
	return *ret ? note_link(network, name, *ret) : kd_error_os(errno, "link %s", own_name);
}

/* vlan NAME LOWER ID PROTOCOL MTU */
static struct kd_error *apply_vlan(struct network *network, const char *name, char *const *word)
{
	struct kd_netlink_request request;
	uint64_t id, protocol;
	size_t info, data;
	struct kd_error *err;
	uint16_t value;
	int lower, index;

	if (!kd_parse_u64(word[1], 10, &id) || id > 4094)
		return bad_word(word[1]);
	if (!kd_parse_u64(word[2], 16, &protocol) || protocol > UINT16_MAX)
		return bad_word(word[2]);
	err = find_index(network, word[0], &lower);
	if (!err)
		err = bring_up(network, lower);
	if (err)
		return err;
	begin_link(&request, NLM_F_CREATE | NLM_F_EXCL, 0, false);
	kd_netlink_put_u32(&request, IFLA_LINK, lower);
	err = put_mtu(&request, word[3]);
	info = kd_netlink_nest(&request, IFLA_LINKINFO);
	kd_netlink_put_text(&request, IFLA_INFO_KIND, "vlan");
	data = kd_netlink_nest(&request, IFLA_INFO_DATA);
	value = (uint16_t)id;
	kd_netlink_put(&request, IFLA_VLAN_ID, &value, sizeof(value));
	value = htons((uint16_t)protocol);
	kd_netlink_put(&request, IFLA_VLAN_PROTOCOL, &value, sizeof(value));
	kd_netlink_close(&request, data);
	kd_netlink_close(&request, info);
	return err ? err : create_link(network, name, &request, &index);
}

static struct kd_error *enslave(struct network *network, const char *name, int master)
{
	struct kd_netlink_request request;
	struct kd_error *err;
	int index;

	err = find_index(network, name, &index);
	if (err)
		return err;
	begin_link(&request, 0, index, false);
	kd_netlink_put_u32(&request, IFLA_MASTER, master);
	return kd_error_wrap(kd_netlink_call(network->requests, &request, NULL, NULL), "device %s", name);
}

/* bond NAME ADDRESS MTU MODE DEVICE…: the devices must be down when they join it, and it brings them up. */
static struct kd_error *apply_bond(struct network *network, const char *name, char *const *word)
{
	struct kd_netlink_request request;
	struct kd_error *err;
	size_t info, data;
	uint64_t mode;
	uint8_t value;
	int index;

	if (!kd_parse_u64(word[2], 10, &mode) || mode > UINT8_MAX)
		return bad_word(word[2]);
	begin_link(&request, NLM_F_CREATE | NLM_F_EXCL, 0, false);
	err = put_hardware(&request, word[0]);
	if (!err)
		err = put_mtu(&request, word[1]);
	info = kd_netlink_nest(&request, IFLA_LINKINFO);
	kd_netlink_put_text(&request, IFLA_INFO_KIND, "bond");
	data = kd_netlink_nest(&request, IFLA_INFO_DATA);
	value = (uint8_t)mode;
	kd_netlink_put(&request, IFLA_BOND_MODE, &value, sizeof(value));
	kd_netlink_put_u32(&request, IFLA_BOND_MIIMON, BOND_MIIMON_MS);
	kd_netlink_close(&request, data);
	kd_netlink_close(&request, info);
	if (!err)
		err = create_link(network, name, &request, &index);
	for (word += 3; !err && *word; word++)
		err = enslave(network, *word, index);
	return err ? err : bring_up(network, index);
}

/* bridge NAME ADDRESS MTU DEVICE…: spanning tree stays off, so that it forwards at once. */
static struct kd_error *apply_bridge(struct network *network, const char *name, char *const *word)
{
	struct kd_netlink_request request;
	struct kd_error *err;
	size_t info;
	int index, port;

	begin_link(&request, NLM_F_CREATE | NLM_F_EXCL, 0, false);
	err = put_hardware(&request, word[0]);
	if (!err)
		err = put_mtu(&request, word[1]);
	info = kd_netlink_nest(&request, IFLA_LINKINFO);
	kd_netlink_put_text(&request, IFLA_INFO_KIND, "bridge");
	kd_netlink_close(&request, info);
	if (!err)
		err = create_link(network, name, &request, &index);
	for (word += 2; !err && *word; word++) {
		err = find_index(network, *word, &port);
		if (!err)
			err = enslave(network, *word, index);
		if (!err)
			err = bring_up(network, port);
	}
	return err ? err : bring_up(network, index);
}

/* --- addresses and routes ----------------------------------------------------------------------------------------- */

struct address {
	uint8_t family, bits; /* bits: of the whole address */
	uint8_t size;
	unsigned char bytes[16];
};

static struct kd_error *parse_address(const char *text, struct address *ret)
{
	*ret = (struct address){ .family = AF_INET, .bits = 32, .size = 4 };
	if (inet_pton(AF_INET, text, ret->bytes) == 1)
		return NULL;
	*ret = (struct address){ .family = AF_INET6, .bits = 128, .size = 16 };
	return inet_pton(AF_INET6, text, ret->bytes) == 1 ? NULL : bad_word(text);
}

/* address NAME ADDRESS PREFIX-LENGTH */
static struct kd_error *apply_address(struct network *network, const char *name, char *const *word)
{
	struct ifaddrmsg body = { .ifa_scope = RT_SCOPE_UNIVERSE };
	struct kd_netlink_request request;
	struct address address;
	struct kd_error *err;
	uint64_t prefix;
	struct network_link *link = NULL;

	err = parse_address(word[0], &address);
	if (!err && (!kd_parse_u64(word[1], 10, &prefix) || prefix > address.bits))
		err = bad_word(word[1]);
	if (!err)
		err = find_link(network, name, &link);
	if (!err)
		err = bring_up(network, link->index);
	if (err)
		return err;
	link->used = true;
	body.ifa_family = address.family;
	body.ifa_prefixlen = prefix;
	body.ifa_index = link->index;
	/* The healthy machine had this address until now: nobody else has it. */
	body.ifa_flags = address.family == AF_INET6 ? IFA_F_NODAD : 0;
	kd_netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	kd_netlink_put(&request, IFA_LOCAL, address.bytes, address.size);
	kd_netlink_put(&request, IFA_ADDRESS, address.bytes, address.size);
	return kd_netlink_call(network->requests, &request, NULL, NULL);
}

/* route NAME SERVER GATEWAY SOURCE; empty words: the server is on the link itself, the kernel chooses the source. */
static struct kd_error *apply_route(struct network *network, const char *name, char *const *word)
{
	struct rtmsg body = {
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = *word[1] ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = *word[1] ? RTNH_F_ONLINK : 0,
	};
	struct address server, gateway = { 0 }, source = { 0 };
	struct kd_netlink_request request;
	struct kd_error *err;
	int index;

	err = parse_address(word[0], &server);
	if (!err && *word[1])
		err = parse_address(word[1], &gateway);
	if (!err && *word[2])
		err = parse_address(word[2], &source);
	if (!err)
		err = find_index(network, name, &index);
	if (err)
		return err;
	if ((gateway.size && gateway.family != server.family) || (source.size && source.family != server.family))
		return bad_word(word[0]);
	body.rtm_family = server.family;
	body.rtm_dst_len = server.bits;
	kd_netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	kd_netlink_put(&request, RTA_DST, server.bytes, server.size);
	kd_netlink_put_u32(&request, RTA_OIF, index);
	if (gateway.size)
		kd_netlink_put(&request, RTA_GATEWAY, gateway.bytes, gateway.size);
	if (source.size)
		kd_netlink_put(&request, RTA_PREFSRC, source.bytes, source.size);
	return kd_netlink_call(network->requests, &request, NULL, NULL);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *kind;
	size_t words; /* at least */
	struct kd_error *(*apply)(struct network *network, const char *name, char *const *word);
} kinds[] = {
	{ "device", 3, apply_device }, { "vlan", 4, apply_vlan },       { "bond", 4, apply_bond },
	{ "bridge", 3, apply_bridge }, { "address", 2, apply_address }, { "route", 3, apply_route },
};

static struct kd_error *apply(struct network *network, const struct kd_plan_network *line)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(line->kind, kinds[i].kind) == 0 && kd_count_words(line->argv) >= kinds[i].words)
			return kinds[i].apply(network, line->name, line->argv);
	return kd_error_create(KD_ERR_FORMAT, "the plan's line has another form");
}

/* Does every link that has an address have a carrier? *without: the name of one that has none. */
static struct kd_error *look_at_carriers(const struct network *network, const char **without)
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct kd_error *err = kd_links_load(network->requests, &links);
	size_t i;

	*without = NULL;
	for (i = 0; !err && i < network->count; i++) {
		const struct kd_link *link = kd_links_find(&links, network->link[i].index);

		if (network->link[i].used && (!link || !link->running))
			*without = network->link[i].name;
	}
	return err;
}

static struct kd_error *wait_for_carriers(const struct network *network)
{
	const char *without;
	struct kd_error *err;

	do
		err = look_at_carriers(network, &without);
	while (!err && without && wait_for_event(network));
	if (!err && without)
		err = kd_error_create(KD_ERR_TIMEOUT, "link %s has no carrier", without);
	return err;
}

struct kd_error *network_up(const struct kd_plan *plan, int64_t deadline)
{
	_cleanup_close_ int requests = -1, events = -1;
	struct network network = { .deadline = deadline };
	struct kd_error *err;
	size_t i;

	/* First listen, then look: what happens in between is not missed. */
	err = kd_netlink_open(RTMGRP_LINK, &events);
	if (!err)
		err = kd_netlink_open(0, &requests);
	if (err)
		return err;
	network.events = events;
	network.requests = requests;
	for (i = 0; !err && i < plan->network_count; i++)
		err = kd_error_wrap(apply(&network, &plan->network[i]), "network %s %s", plan->network[i].kind,
				    plan->network[i].name);
	return err ? err : wait_for_carriers(&network);
}
