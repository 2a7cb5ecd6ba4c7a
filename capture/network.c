/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/net_link.h"
#include "base/netlink.h"
#include "base/parse.h"
#include "capture/clock.h"
#include "capture/dhcp.h"

enum { BOND_MIIMON_MS = 100 }; /* without it a bond never notices which of its devices has a carrier */

/* What has become of a line of the plan. */
struct network_link {
	int index;  /* in this kernel, of the link that the line makes; 0: it makes none, or is not needed */
	bool used;  /* it has an address, so it needs a carrier */
	bool moved; /* the line is an address that is not this machine's any more; the link has another one */
};

struct network {
	const struct kd_plan *plan;
	int requests; /* socket of requests */
	int events;   /* socket of announcements of links */
	int64_t deadline;
	bool rdma;                 /* with RDMA devices */
	struct network_link *link; /* one for each line of the plan */
};

/* --- links -------------------------------------------------------------------------------------------------------- */

static struct kd_error *find_link(struct network *network, const char *name, struct network_link **ret)
{
	size_t i;

	for (i = 0; i < network->plan->network_count; i++) {
		if (!network->link[i].index || strcmp(network->plan->network[i].name, name) != 0)
			continue;
		*ret = &network->link[i];
		return NULL;
	}
	return kd_error_create(KD_ERR_FORMAT, "link %s is not in the plan above this line", name);
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

/* The device whose own hardware address is @address. ret->index is 0: it is not there yet. */
static struct kd_error *look_for_device(const struct network *network, const unsigned char *address, size_t size,
					struct kd_link *ret)
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct kd_error *err;
	size_t i, own_size;

	*ret = (struct kd_link){ 0 };
	err = kd_links_load(network->requests, &links);
	for (i = 0; !err && i < links.count && !ret->index; i++) {
		const unsigned char *own = kd_link_hardware(&links.link[i], &own_size);

		if (!links.link[i].kind[0] && own_size == size && memcmp(own, address, size) == 0)
			*ret = links.link[i];
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

static struct kd_error *parse_mtu(const char *text, uint32_t *ret)
{
	uint64_t mtu;

	if (!kd_parse_u64(text, 10, &mtu) || !mtu || mtu > UINT32_MAX)
		return bad_word(text);
	*ret = (uint32_t)mtu;
	return NULL;
}

static struct kd_error *put_mtu(struct kd_netlink_request *request, const char *text)
{
	uint32_t mtu = 0;
	struct kd_error *err = parse_mtu(text, &mtu);

	if (!err)
		kd_netlink_put_u32(request, IFLA_MTU, mtu);
	return err;
}

/* Give the device what it lacks. Some drivers take the link down for a new MTU, even if it equals the old one. A device
 * that belongs to a bond or bridge already has been here before, and may have the bond's address. */
static struct kd_error *set_up_device(const struct network *network, const struct kd_link *device, char *const *word)
{
	unsigned char address[KD_LINK_ADDRESS_MAX];
	struct kd_netlink_request request;
	struct kd_error *err;
	bool other_address;
	uint32_t mtu = 0;
	size_t size;

	err = parse_mtu(word[2], &mtu);
	if (!err && !kd_link_address_parse(word[1], address, &size))
		err = bad_word(word[1]);
	if (err || device->master)
		return err;
	other_address = device->address_size != size || memcmp(device->address, address, size) != 0;
	if (device->mtu == mtu && !other_address)
		return NULL;
	begin_link(&request, 0, device->index, false);
	if (device->mtu != mtu)
		kd_netlink_put_u32(&request, IFLA_MTU, mtu);
	if (other_address)
		kd_netlink_put(&request, IFLA_ADDRESS, address, size);
	return kd_netlink_call(network->requests, &request, NULL, NULL);
}

/* device NAME OWN-ADDRESS ADDRESS MTU */
static struct kd_error *apply_device(struct network *network, size_t line, char *const *word)
{
	unsigned char own[KD_LINK_ADDRESS_MAX];
	struct kd_link device;
	struct kd_error *err;
	size_t size;

	if (!kd_link_address_parse(word[0], own, &size))
		return bad_word(word[0]);
	do
		err = look_for_device(network, own, size, &device);
	while (!err && !device.index && wait_for_event(network));
	if (!err && !device.index)
		return kd_error_create(KD_ERR_TIMEOUT, "no device with hardware address %s appeared", word[0]);
	if (!err)
		err = set_up_device(network, &device, word);
	network->link[line].index = device.index;
	return err;
}

/* Does what @err says matter? Whoever came before, for another target, has made the same. */
static struct kd_error *unless_there(struct kd_error *err)
{
	if (!err || err->errnum != EEXIST)
		return err;
	kd_error_destroy(err);
	return NULL;
}

/* Create the link that @request describes; it is named after its place in the plan, which no name of the kernel's can
 * contradict. One that is there already is taken. */
static struct kd_error *create_link(struct network *network, size_t line, struct kd_netlink_request *request)
{
	char own_name[IF_NAMESIZE];
	struct kd_error *err;

	snprintf(own_name, sizeof(own_name), "kdump%zu", line);
	kd_netlink_put_text(request, IFLA_IFNAME, own_name);
	err = unless_there(kd_netlink_call(network->requests, request, NULL, NULL));
	if (err)
		return err;
	network->link[line].index = (int)if_nametoindex(own_name);
	return network->link[line].index ? NULL : kd_error_os(errno, "link %s", own_name);
}

/* vlan NAME LOWER ID PROTOCOL MTU */
static struct kd_error *apply_vlan(struct network *network, size_t line, char *const *word)
{
	struct kd_netlink_request request;
	uint64_t id, protocol;
	size_t info, data;
	struct kd_error *err;
	uint16_t value;
	int lower;

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
	return err ? err : create_link(network, line, &request);
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
static struct kd_error *apply_bond(struct network *network, size_t line, char *const *word)
{
	struct kd_netlink_request request;
	struct kd_error *err;
	size_t info, data;
	uint64_t mode;
	uint8_t value;

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
		err = create_link(network, line, &request);
	for (word += 3; !err && *word; word++)
		err = enslave(network, *word, network->link[line].index);
	return err ? err : bring_up(network, network->link[line].index);
}

/* bridge NAME ADDRESS MTU DEVICE…: spanning tree stays off, so that it forwards at once. */
static struct kd_error *apply_bridge(struct network *network, size_t line, char *const *word)
{
	struct kd_netlink_request request;
	struct kd_error *err;
	size_t info;
	int port;

	begin_link(&request, NLM_F_CREATE | NLM_F_EXCL, 0, false);
	err = put_hardware(&request, word[0]);
	if (!err)
		err = put_mtu(&request, word[1]);
	info = kd_netlink_nest(&request, IFLA_LINKINFO);
	kd_netlink_put_text(&request, IFLA_INFO_KIND, "bridge");
	kd_netlink_close(&request, info);
	if (!err)
		err = create_link(network, line, &request);
	for (word += 2; !err && *word; word++) {
		err = find_index(network, *word, &port);
		if (!err)
			err = enslave(network, *word, network->link[line].index);
		if (!err)
			err = bring_up(network, port);
	}
	return err ? err : bring_up(network, network->link[line].index);
}

/* rdma NAME MODULE [TYPE]: the module of an adapter has made its device. */
static struct kd_error *apply_rdma(struct network *network, size_t line, char *const *word)
{
	char link_name[IF_NAMESIZE], own_name[IF_NAMESIZE];
	struct kd_netlink_request request;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;
	int index;

	if (!network->rdma || !word[1])
		return NULL;
	err = find_index(network, network->plan->network[line].name, &index);
	if (!err && !if_indextoname((unsigned int)index, link_name))
		err = kd_error_os(errno, "it is gone");
	if (!err)
		err = kd_netlink_open_rdma(&fd);
	if (err)
		return err;
	snprintf(own_name, sizeof(own_name), "kdump%zu", line);
	kd_netlink_begin(&request, kd_netlink_rdma(RDMA_NLDEV_CMD_NEWLINK), 0, NULL, 0);
	kd_netlink_put_text(&request, RDMA_NLDEV_ATTR_DEV_NAME, own_name);
	kd_netlink_put_text(&request, RDMA_NLDEV_ATTR_LINK_TYPE, word[1]);
	kd_netlink_put_text(&request, RDMA_NLDEV_ATTR_NDEV_NAME, link_name);
	return unless_there(kd_netlink_call(fd, &request, NULL, NULL));
}

/* --- carriers ----------------------------------------------------------------------------------------------------- */

/* Does every link that has an address have a carrier? *without: the name of one that has none. */
static struct kd_error *look_at_carriers(const struct network *network, const char **without)
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct kd_error *err = kd_links_load(network->requests, &links);
	size_t i;

	*without = NULL;
	for (i = 0; !err && i < network->plan->network_count; i++) {
		const struct kd_link *link = kd_links_find(&links, network->link[i].index);

		if (network->link[i].used && (!link || !link->running))
			*without = network->plan->network[i].name;
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

static bool is_source(const struct kd_plan_network *route, const struct kd_plan_network *address);

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

/* An address of a link, and the router that a server has told with it. */
struct own_address {
	struct address address;
	uint8_t prefix;
	in_addr_t router; /* 0: none */
};

static struct kd_error *put_address(const struct network *network, int link, const struct own_address *own)
{
	const struct address *address = &own->address;
	const struct ifaddrmsg body = {
		.ifa_family = address->family,
		.ifa_prefixlen = own->prefix,
		/* The healthy machine had this address until now: nobody else has it. */
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned int)link,
	};
	struct kd_netlink_request request;

	kd_netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	kd_netlink_put(&request, IFA_LOCAL, address->bytes, address->size);
	kd_netlink_put(&request, IFA_ADDRESS, address->bytes, address->size);
	return unless_there(kd_netlink_call(network->requests, &request, NULL, NULL));
}

static struct kd_error *put_default_route(const struct network *network, int link, in_addr_t router)
{
	const struct rtmsg body = { .rtm_family = AF_INET,
				    .rtm_table = RT_TABLE_MAIN,
				    .rtm_protocol = RTPROT_DHCP,
				    .rtm_type = RTN_UNICAST,
				    .rtm_flags = RTNH_F_ONLINK };
	struct kd_netlink_request request;

	kd_netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	kd_netlink_put_u32(&request, RTA_OIF, link);
	kd_netlink_put(&request, RTA_GATEWAY, &router, sizeof(router));
	return unless_there(kd_netlink_call(network->requests, &request, NULL, NULL));
}

/* What is there of a lease already. */
struct leased {
	int link;
	const struct address *address;
	bool same, other; /* the link has the address; it has another one */
};

static struct kd_error *look_at_address(void *arg, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	const struct rtattr *part[IFA_MAX + 1];
	struct leased *leased = arg;

	if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof(*body)) ||
	    body->ifa_family != AF_INET || body->ifa_index != (unsigned int)leased->link)
		return NULL;
	kd_netlink_attributes(IFA_RTA(body), IFA_PAYLOAD(message), part, IFA_MAX + 1);
	if (part[IFA_LOCAL] && RTA_PAYLOAD(part[IFA_LOCAL]) == leased->address->size &&
	    memcmp(RTA_DATA(part[IFA_LOCAL]), leased->address->bytes, leased->address->size) == 0)
		leased->same = true;
	else
		leased->other = true;
	return NULL;
}

static struct kd_error *look_at_addresses(const struct network *network, struct leased *leased)
{
	const struct ifaddrmsg body = { .ifa_family = AF_INET };
	struct kd_netlink_request request;

	kd_netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &body, sizeof(body));
	return kd_netlink_call(network->requests, &request, look_at_address, leased);
}

static struct kd_error *ask_for_lease(const struct network *network, int index, struct own_address *own)
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct kd_error *err = kd_links_load(network->requests, &links);
	const struct kd_link *link = kd_links_find(&links, index);
	struct dhcp_answer answer;
	in_addr_t lease;

	if (err || !link)
		return err;
	memcpy(&lease, own->address.bytes, sizeof(lease));
	/* Where nobody answers, the healthy machine's address is still the best one. */
	if (kd_error_discard(dhcp_ask(link, lease, &answer)) || answer.address == lease)
		return NULL;
	memcpy(own->address.bytes, &answer.address, sizeof(answer.address));
	own->prefix = (uint8_t)answer.prefix;
	own->router = answer.router;
	return NULL;
}

/* An address that was lent, and may have been lent to another machine since. The time for which it was lent when the
 * plan was made says nothing: the healthy machine has renewed it. So the server is asked. */
static struct kd_error *apply_lease(struct network *network, size_t line, int link, struct own_address *own)
{
	struct address before = own->address;
	struct leased leased = { .link = link, .address = &before };
	struct kd_error *err = look_at_addresses(network, &leased);

	network->link[line].moved = !err && !leased.same && leased.other;
	if (err || leased.same || leased.other)
		return err;
	err = wait_for_carriers(network);
	if (!err)
		err = ask_for_lease(network, link, own);
	if (err)
		return err;
	network->link[line].moved = memcmp(before.bytes, own->address.bytes, before.size) != 0;
	err = put_address(network, link, own);
	return err || !own->router ? err : put_default_route(network, link, own->router);
}

/* address NAME ADDRESS PREFIX-LENGTH [lease] */
static struct kd_error *apply_address(struct network *network, size_t line, char *const *word)
{
	struct network_link *link = NULL;
	struct own_address own = { 0 };
	struct kd_error *err;
	uint64_t prefix;

	err = parse_address(word[0], &own.address);
	if (!err && (!kd_parse_u64(word[1], 10, &prefix) || prefix > own.address.bits))
		err = bad_word(word[1]);
	if (!err && word[2] && (strcmp(word[2], KD_PLAN_LEASE) != 0 || own.address.family != AF_INET))
		err = bad_word(word[2]);
	if (!err)
		err = find_link(network, network->plan->network[line].name, &link);
	if (!err)
		err = bring_up(network, link->index);
	if (err)
		return err;
	link->used = true;
	own.prefix = (uint8_t)prefix;
	return word[2] ? apply_lease(network, line, link->index, &own) : put_address(network, link->index, &own);
}

/* Do packets by the route of @line come from an address that this machine has not any more? */
static bool has_moved(const struct network *network, size_t line)
{
	const struct kd_plan_network *lines = network->plan->network;

	for (size_t i = 0; i < network->plan->network_count; i++)
		if (network->link[i].moved && is_source(&lines[line], &lines[i]))
			return true;
	return false;
}

/* route NAME SERVER GATEWAY SOURCE; empty words: the server is on the link itself, the kernel chooses the source. */
static struct kd_error *apply_route(struct network *network, size_t line, char *const *word)
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
		err = find_index(network, network->plan->network[line].name, &index);
	if (err)
		return err;
	if ((gateway.size && gateway.family != server.family) || (source.size && source.family != server.family))
		return bad_word(word[0]);
	if (has_moved(network, line)) {
		/* The router is the one that came with the other address. */
		if (gateway.size)
			return NULL;
		source.size = 0;
	}
	body.rtm_family = server.family;
	body.rtm_dst_len = server.bits;
	kd_netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	kd_netlink_put(&request, RTA_DST, server.bytes, server.size);
	kd_netlink_put_u32(&request, RTA_OIF, index);
	if (gateway.size)
		kd_netlink_put(&request, RTA_GATEWAY, gateway.bytes, gateway.size);
	if (source.size)
		kd_netlink_put(&request, RTA_PREFSRC, source.bytes, source.size);
	return unless_there(kd_netlink_call(network->requests, &request, NULL, NULL));
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *kind;
	size_t words; /* at least */
	struct kd_error *(*apply)(struct network *network, size_t line, char *const *word);
	bool is_link;
	size_t parts, parts_end; /* the words that name the links that it is made of */
} kinds[] = {
	{ "device", 3, apply_device, true, 0, 0 },
	{ "vlan", 4, apply_vlan, true, 0, 1 },
	{ "bond", 4, apply_bond, true, 3, SIZE_MAX },
	{ "bridge", 3, apply_bridge, true, 2, SIZE_MAX },
	{ "rdma", 1, apply_rdma, false, 0, 0 },
	{ "address", 2, apply_address, false, 0, 0 },
	{ "route", 3, apply_route, false, 0, 0 },
};
/* clang-format on */

/* ARRAY_SIZE(kinds): the plan's line has another form. */
static size_t find_kind(const struct kd_plan_network *line)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(line->kind, kinds[i].kind) == 0 && kd_count_words(line->argv) >= kinds[i].words)
			break;
	return i;
}

static bool is_kind(const struct kd_plan_network *line, const char *kind)
{
	size_t found = find_kind(line);

	return found < ARRAY_SIZE(kinds) && strcmp(kinds[found].kind, kind) == 0;
}

/* Does line @line name the link of line @link among its parts, or belong to it? */
static bool stands_on(const struct kd_plan_network *line, const struct kd_plan_network *link)
{
	size_t kind = find_kind(line), of_link = find_kind(link), i;

	if (kind == ARRAY_SIZE(kinds) || of_link == ARRAY_SIZE(kinds) || !kinds[of_link].is_link)
		return false;
	if (!kinds[kind].is_link)
		return strcmp(line->name, link->name) == 0;
	for (i = kinds[kind].parts; i < kinds[kind].parts_end && line->argv[i]; i++)
		if (strcmp(line->argv[i], link->name) == 0)
			return true;
	return false;
}

/* Is @address the line of the address that packets by @route come from? */
static bool is_source(const struct kd_plan_network *route, const struct kd_plan_network *address)
{
	return is_kind(route, "route") && is_kind(address, "address") && strcmp(route->name, address->name) == 0 &&
	       (!*route->argv[2] || strcmp(route->argv[2], address->argv[0]) == 0);
}

bool *network_below(const struct kd_plan *plan, const char *server)
{
	bool *below = calloc(plan->network_count + 1, sizeof(*below));
	size_t i, j;

	/* A line refers only to lines before it. */
	for (i = below ? plan->network_count : 0; i-- > 0;) {
		const struct kd_plan_network *line = &plan->network[i];

		if (server && is_kind(line, "route") && strcmp(line->argv[0], server) == 0)
			below[i] = true;
		for (j = 0; below[i] && j < i; j++)
			if (stands_on(line, &plan->network[j]) || is_source(line, &plan->network[j]))
				below[j] = true;
	}
	/* Nothing stands on an RDMA device: it comes along with its link. */
	for (i = 0; below && i < plan->network_count; i++)
		for (j = 0; is_kind(&plan->network[i], "rdma") && j < i; j++)
			if (below[j] && stands_on(&plan->network[i], &plan->network[j]))
				below[i] = true;
	return below;
}

static struct kd_error *apply(struct network *network, size_t number)
{
	const struct kd_plan_network *line = &network->plan->network[number];
	size_t kind = find_kind(line);
	struct kd_error *err;

	if (kind == ARRAY_SIZE(kinds))
		err = kd_error_create(KD_ERR_FORMAT, "the plan's line has another form");
	else
		err = kinds[kind].apply(network, number, line->argv);
	return kd_error_wrap(err, "network %s %s", line->kind, line->name);
}

static struct kd_error *up(const struct kd_plan *plan, const char *server, bool rdma, int64_t deadline)
{
	_cleanup_free_ struct network_link *link = calloc(plan->network_count + 1, sizeof(*link));
	_cleanup_free_ bool *below = network_below(plan, server);
	_cleanup_close_ int requests = -1, events = -1;
	struct network network = { .plan = plan, .deadline = deadline, .rdma = rdma, .link = link };
	struct kd_error *err;
	size_t i;

	if (!link || !below)
		return kd_error_nomem();
	/* First listen, then look: what happens in between is not missed. */
	err = kd_netlink_open(RTMGRP_LINK, &events);
	if (!err)
		err = kd_netlink_open(0, &requests);
	if (err)
		return err;
	network.events = events;
	network.requests = requests;
	for (i = 0; !err && i < plan->network_count; i++)
		if (below[i])
			err = apply(&network, i);
	return err ? err : wait_for_carriers(&network);
}

struct kd_error *network_up(const struct kd_plan *plan, const char *server, int64_t deadline)
{
	return up(plan, server, false, deadline);
}

struct kd_error *network_up_rdma(const struct kd_plan *plan, const char *server, int64_t deadline)
{
	return up(plan, server, true, deadline);
}
