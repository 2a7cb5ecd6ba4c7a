/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan's network: which of its lines lead to a server, and what the kernel is asked for. The kernel is one of the
 * test's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <rdma/rdma_netlink.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/net_link.h"
#include "base/netlink.h"
#include "base/plan.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/dhcp.h"
#include "capture/fence.h"
#include "capture/network.h"
#include "tests/unit/testing.h"

/* --- a kernel ----------------------------------------------------------------------------------------------------- */

enum { THINGS_MAX = 16 };

static struct {
	struct kd_link link[THINGS_MAX];
	bool up[THINGS_MAX], dead[THINGS_MAX]; /* of link[] */
	size_t links;
	char thing[THINGS_MAX][80]; /* addresses and routes */
	size_t things;
	struct dhcp_answer answer; /* of the DHCP server; type 0: it does not answer */
	unsigned int asked;
	bool no_rdma;
	char *said; /* what has changed, a line each */
	size_t said_size;
	FILE *saying;
} kernel;

static struct kd_link *find_index(int index)
{
	return index > 0 && (size_t)index <= kernel.links ? &kernel.link[index - 1] : NULL;
}

static struct kd_link *add_link(const char *name, const char *hardware)
{
	struct kd_link *link = &kernel.link[kernel.links++];

	assert_true(kernel.links <= THINGS_MAX);
	*link = (struct kd_link){ .index = (int)kernel.links, .mtu = 1500 };
	snprintf(link->name, sizeof(link->name), "%s", name);
	assert_true(kd_link_address_parse(hardware, link->address, &link->address_size));
	memcpy(link->permanent, link->address, sizeof(link->permanent));
	link->permanent_size = link->address_size;
	return link;
}

unsigned int __wrap_if_nametoindex(const char *name);
unsigned int __wrap_if_nametoindex(const char *name)
{
	size_t i;

	for (i = 0; i < kernel.links; i++)
		if (strcmp(kernel.link[i].name, name) == 0)
			return kernel.link[i].index;
	errno = ENODEV;
	return 0;
}

char *__wrap_if_indextoname(unsigned int index, char *name);
char *__wrap_if_indextoname(unsigned int index, char *name)
{
	const struct kd_link *link = find_index((int)index);

	return link ? strcpy(name, link->name) : NULL;
}

/* Its requests come to the same place. */
struct kd_error *__wrap_kd_netlink_open_rdma(int *ret);
struct kd_error *__wrap_kd_netlink_open_rdma(int *ret)
{
	*ret = -1;
	return kernel.no_rdma ? kd_error_os(EPROTONOSUPPORT, "cannot ask the kernel") : NULL;
}

static void tell_links(kd_netlink_fn *fn, void *arg)
{
	size_t i;

	for (i = 0; i < kernel.links; i++) {
		const struct kd_link *link = &kernel.link[i];
		const unsigned int ready = kernel.dead[i] ? IFF_UP : IFF_UP | IFF_RUNNING | 1 << 16 /* IFF_LOWER_UP */;
		const struct ifinfomsg body = { .ifi_index = link->index, .ifi_flags = kernel.up[i] ? ready : 0 };
		struct kd_netlink_request answer;
		size_t info;

		kd_netlink_begin(&answer, RTM_NEWLINK, 0, &body, sizeof(body));
		kd_netlink_put_text(&answer, IFLA_IFNAME, link->name);
		kd_netlink_put_u32(&answer, IFLA_MTU, link->mtu);
		kd_netlink_put(&answer, IFLA_ADDRESS, link->address, link->address_size);
		kd_netlink_put(&answer, IFLA_PERM_ADDRESS, link->permanent, link->permanent_size);
		if (link->master)
			kd_netlink_put_u32(&answer, IFLA_MASTER, link->master);
		if (link->kind[0]) {
			info = kd_netlink_nest(&answer, IFLA_LINKINFO);
			kd_netlink_put_text(&answer, IFLA_INFO_KIND, link->kind);
			kd_netlink_close(&answer, info);
		}
		((struct nlmsghdr *)answer.buffer)->nlmsg_len = answer.size;
		assert_no_error(fn(arg, (struct nlmsghdr *)answer.buffer));
	}
}

static struct kd_error *make_link(const struct rtattr *const *part)
{
	const struct rtattr *info[IFLA_INFO_MAX + 1];
	const char *name = RTA_DATA(part[IFLA_IFNAME]);
	struct kd_link *link;

	if (__wrap_if_nametoindex(name))
		return kd_error_os(EEXIST, "the kernel refuses it");
	kd_netlink_attributes(RTA_DATA(part[IFLA_LINKINFO]), RTA_PAYLOAD(part[IFLA_LINKINFO]), info, ARRAY_SIZE(info));
	link = add_link(name, "02:00:00:00:00:00");
	snprintf(link->kind, sizeof(link->kind), "%s", (const char *)RTA_DATA(info[IFLA_INFO_KIND]));
	fprintf(kernel.saying, "make %s %s\n", link->kind, name);
	return NULL;
}

static struct kd_error *change_link(const struct nlmsghdr *message)
{
	const struct ifinfomsg *body = NLMSG_DATA(message);
	const struct rtattr *part[IFLA_MAX + 1];
	struct kd_link *link = find_index(body->ifi_index), *master;

	kd_netlink_attributes(IFLA_RTA(body), IFLA_PAYLOAD(message), part, ARRAY_SIZE(part));
	if (!body->ifi_index)
		return make_link(part);
	assert_non_null(link);
	if (body->ifi_flags & IFF_UP && !kernel.up[link - kernel.link]) {
		kernel.up[link - kernel.link] = true;
		fprintf(kernel.saying, "%s up\n", link->name);
	}
	if (part[IFLA_MTU]) {
		link->mtu = kd_netlink_u32(part[IFLA_MTU]);
		fprintf(kernel.saying, "%s mtu %u\n", link->name, link->mtu);
	}
	if (part[IFLA_ADDRESS]) {
		memcpy(link->address, RTA_DATA(part[IFLA_ADDRESS]), link->address_size);
		fprintf(kernel.saying, "%s address\n", link->name);
	}
	master = find_index((int)kd_netlink_u32(part[IFLA_MASTER]));
	if (master && link->master != master->index) {
		link->master = master->index;
		fprintf(kernel.saying, "%s into %s\n", link->name, master->name);
	}
	return NULL;
}

static struct kd_error *add_thing(const char *thing)
{
	size_t i;

	for (i = 0; i < kernel.things; i++)
		if (strcmp(kernel.thing[i], thing) == 0)
			return kd_error_os(EEXIST, "the kernel refuses it");
	assert_true(kernel.things < THINGS_MAX);
	snprintf(kernel.thing[kernel.things++], sizeof(kernel.thing[0]), "%s", thing);
	fprintf(kernel.saying, "%s\n", thing);
	return NULL;
}

static struct kd_error *add_address(const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	const struct rtattr *part[IFA_MAX + 1];
	char text[INET6_ADDRSTRLEN], thing[80];

	kd_netlink_attributes(IFA_RTA(body), IFA_PAYLOAD(message), part, ARRAY_SIZE(part));
	assert_non_null(inet_ntop(body->ifa_family, RTA_DATA(part[IFA_LOCAL]), text, sizeof(text)));
	snprintf(thing, sizeof(thing), "%s has %s/%d", find_index((int)body->ifa_index)->name, text,
		 body->ifa_prefixlen);
	return add_thing(thing);
}

static struct kd_error *add_route(const struct nlmsghdr *message)
{
	const struct rtmsg *body = NLMSG_DATA(message);
	const struct rtattr *part[RTA_MAX + 1];
	char text[INET6_ADDRSTRLEN] = "all", thing[80];

	kd_netlink_attributes(RTM_RTA(body), RTM_PAYLOAD(message), part, ARRAY_SIZE(part));
	if (part[RTA_DST])
		assert_non_null(inet_ntop(body->rtm_family, RTA_DATA(part[RTA_DST]), text, sizeof(text)));
	snprintf(thing, sizeof(thing), "%s leads to %s%s", find_index((int)kd_netlink_u32(part[RTA_OIF]))->name, text,
		 part[RTA_PREFSRC] ? "" : " from any");
	return add_thing(thing);
}

static struct kd_error *add_rdma(const struct nlmsghdr *message)
{
	const struct rtattr *part[RDMA_NLDEV_ATTR_LINK_TYPE + 1];
	char thing[80];

	kd_netlink_attributes(NLMSG_DATA(message), NLMSG_PAYLOAD(message, 0), part, ARRAY_SIZE(part));
	snprintf(thing, sizeof(thing), "%s has %s", (const char *)RTA_DATA(part[RDMA_NLDEV_ATTR_NDEV_NAME]),
		 (const char *)RTA_DATA(part[RDMA_NLDEV_ATTR_LINK_TYPE]));
	return add_thing(thing);
}

static void tell_addresses(kd_netlink_fn *fn, void *arg)
{
	for (size_t i = 0; i < kernel.things; i++) {
		struct ifaddrmsg body = { .ifa_family = AF_INET };
		struct kd_netlink_request answer;
		char name[80], text[80];
		struct in_addr address;

		if (sscanf(kernel.thing[i], "%79s has %79[0-9.]/", name, text) != 2 ||
		    inet_pton(AF_INET, text, &address) != 1)
			continue;
		body.ifa_index = __wrap_if_nametoindex(name);
		kd_netlink_begin(&answer, RTM_NEWADDR, 0, &body, sizeof(body));
		kd_netlink_put(&answer, IFA_LOCAL, &address, sizeof(address));
		((struct nlmsghdr *)answer.buffer)->nlmsg_len = answer.size;
		assert_no_error(fn(arg, (struct nlmsghdr *)answer.buffer));
	}
}

struct kd_error *__wrap_dhcp_ask(const struct kd_link *link, in_addr_t lease, struct dhcp_answer *ret);
struct kd_error *__wrap_dhcp_ask(const struct kd_link *link, in_addr_t lease, struct dhcp_answer *ret)
{
	assert_true(link->running);
	assert_int_equal(lease, inet_addr("10.0.2.15"));
	kernel.asked++;
	if (!kernel.answer.type)
		return kd_error_create(KD_ERR_TIMEOUT, "no DHCP server grants an address");
	*ret = kernel.answer;
	return NULL;
}

struct kd_error *__wrap_kd_netlink_call(int fd, struct kd_netlink_request *request, kd_netlink_fn *fn, void *arg);
struct kd_error *__wrap_kd_netlink_call(int fd, struct kd_netlink_request *request, kd_netlink_fn *fn, void *arg)
{
	struct nlmsghdr *message = (struct nlmsghdr *)request->buffer;

	assert_false(request->overflow);
	message->nlmsg_len = request->size;
	if (message->nlmsg_type == kd_netlink_rdma(RDMA_NLDEV_CMD_NEWLINK))
		return add_rdma(message);
	switch (message->nlmsg_type) {
	case RTM_GETLINK:
		tell_links(fn, arg);
		return NULL;
	case RTM_GETADDR:
		tell_addresses(fn, arg);
		return NULL;
	case RTM_NEWLINK:
		return change_link(message);
	case RTM_NEWADDR:
		return add_address(message);
	case RTM_NEWROUTE:
		return add_route(message);
	}
	fail_msg("request %d", message->nlmsg_type);
	return NULL;
}

static int setup(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.saying = open_memstream(&kernel.said, &kernel.said_size);
	assert_non_null(kernel.saying);
	return 0;
}

static int setup_other(void **state)
{
	static bool answers;

	*state = &answers;
	return setup(state);
}

static int teardown(void **state)
{
	fclose(kernel.saying);
	free(kernel.said);
	return 0;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

/* Set up the way to @server; what the kernel has then changed. Nothing makes it wait longer than a moment. */
static struct kd_error *bring_up_by(struct kd_error *(*up)(const struct kd_plan *plan, const char *server,
							   int64_t deadline),
				    const struct kd_plan *plan, const char *server, const char *expected)
{
	struct kd_error *err;

	rewind(kernel.saying);
	err = up(plan, server, clock_ms() + 50);
	fputc('\0', kernel.saying);
	fflush(kernel.saying);
	assert_string_equal(kernel.said, expected);
	return err;
}

static struct kd_error *bring_up(const struct kd_plan *plan, const char *server, const char *expected)
{
	return bring_up_by(network_up, plan, server, expected);
}

/* An empty plan with @lines. */
static void make_plan(struct kd_plan *plan, const char *lines)
{
	_cleanup_(kd_plan_free) struct kd_plan empty = { 0 };
	_cleanup_free_ char *before = NULL, *text = NULL;
	const char *rest;

	assert_no_error(kd_plan_init(&empty));
	assert_no_error(kd_plan_format(&empty, &before));
	rest = strstr(before, "collector ");
	assert_non_null(rest);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(rest - before), before, lines, rest) > 0);
	assert_no_error(kd_plan_parse(text, "plan", plan));
}

/* Two servers behind a device each, a third one on the second device. */
static const char two_devices[] = "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
				  "network address eth0 10.0.2.15 24\n"
				  "network route eth0 10.1.0.9 10.0.2.2 10.0.2.15\n"
				  "network device eth1 52:54:00:00:00:03 52:54:00:00:00:03 9000\n"
				  "network address eth1 10.0.3.15 24\n"
				  "network route eth1 10.0.3.2 % 10.0.3.15\n"
				  "network address eth1 fd00::15 64\n"
				  "network route eth1 fd00::9 % fd00::15\n";
/* A bridge on a VLAN on a bond of two devices. */
static const char stack[] = "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
			    "network device eth1 52:54:00:00:00:03 52:54:00:00:00:03 1500\n"
			    "network bond bond0 52:54:00:00:00:02 1500 1 eth0 eth1\n"
			    "network vlan bond0.7 bond0 7 8100 1500\n"
			    "network bridge br0 52:54:00:00:00:02 1500 bond0.7\n"
			    "network address br0 10.0.2.15 24\n"
			    "network route br0 10.1.0.9 10.0.2.2 10.0.2.15\n"
			    "network device 1500 52:54:00:00:00:04 52:54:00:00:00:04 1500\n"
			    "network address 1500 10.0.4.15 24\n"
			    "network route 1500 10.0.4.2 % %\n";

/* A VLAN on a device with RDMA by software, and an adapter that nothing leads to. */
static const char rdma[] = "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
			   "network vlan eth0.7 eth0 7 8100 1500\n"
			   "network address eth0.7 10.0.2.15 24\n"
			   "network route eth0.7 10.0.2.2 % 10.0.2.15\n"
			   "network rdma eth0 rdma_rxe rxe\n"
			   "network device eth1 52:54:00:00:00:03 52:54:00:00:00:03 1500\n"
			   "network address eth1 10.0.3.15 24\n"
			   "network route eth1 10.0.3.2 % 10.0.3.15\n"
			   "network rdma eth1 mlx5_ib\n";

static void test_below(void **state)
{
	static const struct {
		const char *lines, *server, *needed;
	} cases[] = {
		{ two_devices, "10.1.0.9", "+++-----" }, { two_devices, "10.0.3.2", "---+++--" },
		{ two_devices, "fd00::9", "---+--++" },  { two_devices, "10.0.2.2", "--------" },
		{ stack, "10.1.0.9", "+++++++---" },     { stack, "10.0.4.2", "-------+++" },
		{ rdma, "10.0.2.2", "+++++----" },       { rdma, "10.0.3.2", "-----++++" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
		_cleanup_free_ bool *below = NULL;
		char found[32] = "";

		make_plan(&plan, cases[i].lines);
		below = network_below(&plan, cases[i].server);
		assert_non_null(below);
		for (size_t j = 0; j < plan.network_count; j++)
			found[j] = below[j] ? '+' : '-';
		assert_string_equal(found, cases[i].needed);
	}
}

/* The first server's device is dead, or not there at all. */
static void test_dead_link(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	static const char way[] = "second mtu 9000\nsecond up\nsecond has 10.0.3.15/24\nsecond leads to 10.0.3.2\n";

	make_plan(&plan, two_devices);
	add_link("first", "52:54:00:00:00:02");
	kernel.dead[0] = true;
	add_link("second", "52:54:00:00:00:03");
	assert_error(bring_up(&plan, "10.1.0.9", "first up\nfirst has 10.0.2.15/24\nfirst leads to 10.1.0.9\n"),
		     KD_ERR_TIMEOUT, "link eth0 has no carrier");
	assert_no_error(bring_up(&plan, "10.0.3.2", way));
	memset(kernel.link[0].permanent, 0, KD_LINK_ADDRESS_MAX);
	assert_error(bring_up(&plan, "10.1.0.9", ""), KD_ERR_TIMEOUT,
		     "network device eth0: no device with hardware address 52:54:00:00:00:02 appeared");
	assert_no_error(bring_up(&plan, "fd00::9", "second has fd00::15/64\nsecond leads to fd00::9\n"));
}

/* A second target on the same server, or a second try. */
static void test_once(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

	make_plan(&plan, stack);
	add_link("first", "52:54:00:00:00:02");
	add_link("second", "52:54:00:00:00:03");
	assert_no_error(bring_up(&plan, "10.1.0.9",
				 "make bond kdump2\nfirst into kdump2\nsecond into kdump2\nkdump2 up\n"
				 "make vlan kdump3\nmake bridge kdump4\nkdump3 into kdump4\nkdump3 up\nkdump4 up\n"
				 "kdump4 has 10.0.2.15/24\nkdump4 leads to 10.1.0.9\n"));
	/* The bond gives its devices its own address. */
	memcpy(kernel.link[1].address, kernel.link[0].address, KD_LINK_ADDRESS_MAX);
	assert_no_error(bring_up(&plan, "10.1.0.9", ""));
	add_link("third", "52:54:00:00:00:04");
	assert_no_error(
		bring_up(&plan, "10.0.4.2", "third up\nthird has 10.0.4.15/24\nthird leads to 10.0.4.2 from any\n"));
}

/* Only whoever needs it gets an RDMA device, once; that of an adapter comes with its module. */
static void test_rdma(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

	make_plan(&plan, rdma);
	add_link("first", "52:54:00:00:00:02");
	add_link("second", "52:54:00:00:00:03");
	kernel.no_rdma = true;
	assert_no_error(bring_up(&plan, "10.0.2.2",
				 "first up\nmake vlan kdump1\nkdump1 up\nkdump1 has 10.0.2.15/24\n"
				 "kdump1 leads to 10.0.2.2\n"));
	assert_error(bring_up_by(network_up_rdma, &plan, "10.0.2.2", ""), KD_ERR_OS, "network rdma eth0: cannot ask");
	kernel.no_rdma = false;
	assert_no_error(bring_up_by(network_up_rdma, &plan, "10.0.2.2", "first has rxe\n"));
	assert_no_error(bring_up_by(network_up_rdma, &plan, "10.0.2.2", ""));
	assert_no_error(bring_up_by(network_up_rdma, &plan, "10.0.3.2",
				    "second up\nsecond has 10.0.3.15/24\nsecond leads to 10.0.3.2\n"));
}

/* Somebody gave the device another hardware address than its own. */
static void test_other_address(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

	make_plan(&plan, "network device eth0 52:54:00:00:00:02 02:00:00:00:00:aa 1500\n"
			 "network address eth0 10.0.2.15 24\n"
			 "network route eth0 10.0.2.2 % 10.0.2.15\n");
	add_link("first", "52:54:00:00:00:02");
	assert_no_error(bring_up(&plan, "10.0.2.2",
				 "first address\nfirst up\nfirst has 10.0.2.15/24\nfirst leads to 10.0.2.2\n"));
	assert_no_error(bring_up(&plan, "10.0.2.2", ""));
}

/* Three servers behind a device whose address is lent, one of them on the link itself. */
static const char lent[] = "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
			   "network address eth0 10.0.2.15 24 lease\n"
			   "network route eth0 10.1.0.9 10.0.2.2 10.0.2.15\n"
			   "network route eth0 10.0.2.7 % 10.0.2.15\n"
			   "network address eth0 fd00::15 64\n"
			   "network route eth0 fd00::9 fd00::2 fd00::15\n";

/* It is still this machine's, or nobody can tell. The server is asked once. */
static void test_lease_that_stays(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

	make_plan(&plan, lent);
	add_link("first", "52:54:00:00:00:02");
	kernel.dead[0] = true;
	assert_error(bring_up(&plan, "10.1.0.9", "first up\n"), KD_ERR_TIMEOUT, "link eth0 has no carrier");
	kernel.dead[0] = false;
	if (*state)
		kernel.answer = (struct dhcp_answer){ DHCP_ACK, inet_addr("10.0.2.15"), 0, inet_addr("10.0.2.2"), 24 };
	assert_no_error(bring_up(&plan, "10.1.0.9", "first has 10.0.2.15/24\nfirst leads to 10.1.0.9\n"));
	assert_no_error(bring_up(&plan, "10.0.2.7", "first leads to 10.0.2.7\n"));
	assert_no_error(bring_up(&plan, "fd00::9", "first has fd00::15/64\nfirst leads to fd00::9\n"));
	assert_int_equal(kernel.asked, 1);
}

/* It is another machine's now. */
static void test_lease_that_is_gone(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

	make_plan(&plan, lent);
	add_link("first", "52:54:00:00:00:02");
	kernel.answer = (struct dhcp_answer){ DHCP_ACK, inet_addr("10.0.2.77"), 0, inet_addr("10.0.2.3"), 25 };
	assert_no_error(bring_up(&plan, "10.1.0.9", "first up\nfirst has 10.0.2.77/25\nfirst leads to all from any\n"));
	assert_no_error(bring_up(&plan, "10.0.2.7", "first leads to 10.0.2.7 from any\n"));
	assert_no_error(bring_up(&plan, "fd00::9", "first has fd00::15/64\nfirst leads to fd00::9\n"));
	assert_int_equal(kernel.asked, 1);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *lines, *text;
	} cases[] = {
		{ "network route eth0 10.0.2.2 % %\n", "link eth0 is not in the plan above this line" },
		{ "network device eth0 x x 1500\nnetwork route eth0 10.0.2.2 % %\n", "\"x\" has another form" },
		{ "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\nnetwork address eth0 10.0.2.15 24 lent\n"
		  "network route eth0 10.0.2.2 % %\n",
		  "\"lent\" has another form" },
		{ "network vlan eth0 eth9 7 8100 1500\nnetwork route eth0 10.0.2.2 % %\n",
		  "link eth9 is not in the plan" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

		kernel.links = 0;
		add_link("first", "52:54:00:00:00:02");
		make_plan(&plan, cases[i].lines);
		assert_error(bring_up(&plan, "10.0.2.2", ""), KD_ERR_FORMAT, cases[i].text);
	}
}

/* --- DHCP --------------------------------------------------------------------------------------------------------- */

static const unsigned char hardware[] = { 0x52, 0x54, 0, 0, 0, 2 };

static void test_dhcp_question(void **state)
{
	const struct dhcp_question question = { .type = DHCP_REQUEST,
						.id = 0x78563412,
						.hardware = hardware,
						.hardware_size = sizeof(hardware),
						.wanted = inet_addr("10.0.2.15") };
	unsigned char packet[DHCP_PACKET_MAX];
	static const unsigned char options[] = {
		0x63, 0x82, 0x53, 0x63, 53, 1, 3, 50, 4, 10, 0, 2, 15, 55, 2, 1, 3, 255
	};
	uint32_t sum = 0;

	assert_int_equal(dhcp_write(&question, packet), 328);
	assert_memory_equal(packet + 12, "\0\0\0\0\xff\xff\xff\xff\0\x44\0\x43", 12);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	assert_memory_equal(packet + 28, "\1\1\6\0\x12\x34\x56\x78\0\0\x80\0", 12);
	assert_memory_equal(packet + 28 + 28, hardware, sizeof(hardware));
	assert_memory_equal(packet + 28 + 236, options, sizeof(options));
}

/* A server's packet with @options, whose first byte after the cookie they are. */
static size_t make_answer(unsigned char packet[static DHCP_PACKET_MAX], const void *options, size_t size)
{
	const size_t whole = 28 + 240 + size;

	memset(packet, 0, DHCP_PACKET_MAX);
	memcpy(packet, "\x45\0\0\0\0\0\0\0\x40\x11\0\0\x0a\0\2\2\xff\xff\xff\xff\0\x43\0\x44", 24);
	packet[2] = (unsigned char)(whole >> 8);
	packet[3] = (unsigned char)whole;
	packet[24] = (unsigned char)((whole - 20) >> 8);
	packet[25] = (unsigned char)(whole - 20);
	memcpy(packet + 28, "\2\1\6\0\x12\x34\x56\x78", 8);
	memcpy(packet + 28 + 16, "\x0a\0\2\x0f", 4);
	memcpy(packet + 28 + 28, hardware, sizeof(hardware));
	memcpy(packet + 28 + 236, "\x63\x82\x53\x63", 4);
	memcpy(packet + 28 + 240, options, size);
	return whole;
}

static void test_dhcp_answer(void **state)
{
	static const unsigned char ack[] = { 0, 53, 1,  5, 1, 4, 255, 255, 254, 0, 3, 8, 10,  0,
					     2, 2,  10, 0, 2, 3, 54,  4,   10,  0, 2, 2, 255, 9 };
	static const unsigned char nak[] = { 53, 1, 6 }, discover[] = { 53, 1, 1 }, long_type[] = { 53, 2, 5, 5 },
				   beyond[] = { 53, 1, 5, 3, 200, 1 }, no_size[] = { 53, 1, 5, 3 },
				   mask[] = { 53, 1, 5, 1, 3, 255, 255, 255 };
	struct dhcp_question question = {
		.type = DHCP_DISCOVER, .id = 0x78563412, .hardware = hardware, .hardware_size = sizeof(hardware)
	};
	unsigned char packet[DHCP_PACKET_MAX];
	struct dhcp_answer answer;
	size_t size = make_answer(packet, ack, sizeof(ack));

	assert_true(dhcp_read(packet, size, &question, &answer));
	assert_int_equal(answer.type, DHCP_ACK);
	assert_int_equal(answer.address, inet_addr("10.0.2.15"));
	assert_int_equal(answer.router, inet_addr("10.0.2.2"));
	assert_int_equal(answer.server, inet_addr("10.0.2.2"));
	assert_int_equal(answer.prefix, 23);
	/* Cut off anywhere, or not for this client. */
	for (size_t i = 0; i < size; i++)
		assert_false(dhcp_read(packet, i, &question, &answer));
	question.id++;
	assert_false(dhcp_read(packet, size, &question, &answer));
	question.id--;
	packet[28 + 28]++;
	assert_false(dhcp_read(packet, size, &question, &answer));
	size = make_answer(packet, nak, sizeof(nak));
	assert_true(dhcp_read(packet, size, &question, &answer));
	assert_int_equal(answer.type, DHCP_NAK);
	assert_false(dhcp_read(packet, make_answer(packet, discover, sizeof(discover)), &question, &answer));
	assert_false(dhcp_read(packet, make_answer(packet, long_type, sizeof(long_type)), &question, &answer));
	assert_false(dhcp_read(packet, make_answer(packet, beyond, sizeof(beyond)), &question, &answer));
	assert_false(dhcp_read(packet, make_answer(packet, no_size, sizeof(no_size)), &question, &answer));
	assert_false(dhcp_read(packet, make_answer(packet, mask, sizeof(mask)), &question, &answer));
	/* A part of a larger packet; another protocol. */
	size = make_answer(packet, ack, sizeof(ack));
	packet[6] = 0x20;
	assert_false(dhcp_read(packet, size, &question, &answer));
	packet[6] = 0;
	packet[9] = 6;
	assert_false(dhcp_read(packet, size, &question, &answer));
}

/* --- fence_kdump -------------------------------------------------------------------------------------------------- */

/* A socket of this machine that messages come to; *port: its port. */
static int listen_here(unsigned int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void assert_told(int fd, int64_t within_ms)
{
	static const uint32_t expected[2] = { 0x1b302a40, 1 };
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char message[64];

	assert_int_equal(poll(&poll_fd, 1, (int)within_ms), 1);
	assert_int_equal(recv(fd, message, sizeof(message), 0), sizeof(expected));
	assert_memory_equal(message, expected, sizeof(expected));
}

/* The first node's device is not there: the others are told all the same, one of them twice, and one without an end. */
static void test_fence(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_close_ int twice = -1, for_ever = -1;
	unsigned int twice_port, for_ever_port;
	struct fence fence = { .plan = &plan };
	struct kd_log log;
	_cleanup_fclose_ FILE *said = fopen("/dev/null", "w");
	char more[64];
	pid_t pid;

	kd_log_init(&log, said, "kdump", KD_LOG_INFO);
	fence.log = &log;
	make_plan(&plan, two_devices);
	twice = listen_here(&twice_port);
	for_ever = listen_here(&for_ever_port);
	assert_no_error(kd_plan_add_fence(&plan, "10.1.0.9", 7410, 1, 0));
	assert_no_error(kd_plan_add_fence(&plan, "127.0.0.1", twice_port, 1, 2));
	assert_no_error(kd_plan_add_fence(&plan, "127.0.0.1", for_ever_port, 1, 0));
	pid = child_start(fence_tell, &fence);
	assert_true(pid > 0);
	for (int i = 0; i < 4; i++)
		assert_told(for_ever, 30000);
	assert_told(twice, 1);
	assert_told(twice, 1);
	assert_int_equal(recv(twice, more, sizeof(more), MSG_DONTWAIT), -1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below),
		cmocka_unit_test_setup_teardown(test_dead_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rdma, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_that_stays, setup, teardown),
		{ "test_lease_that_is_confirmed", test_lease_that_stays, setup_other, teardown, NULL },
		cmocka_unit_test_setup_teardown(test_lease_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, setup, teardown),
		cmocka_unit_test(test_dhcp_question),
		cmocka_unit_test(test_dhcp_answer),
		cmocka_unit_test_setup_teardown(test_fence, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
