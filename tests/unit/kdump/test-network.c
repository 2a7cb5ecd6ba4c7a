/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the machine's links, addresses and routes to the network of the plan. */
#include <errno.h>
#include <linux/if_ether.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <stdio.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/arming/fence.h"
#include "kdump/arming/ways.h"
#include "kdump/config/fence_kdump.h"
#include "kdump/network/network.h"
#include "kdump/storage/way.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

/* What the machine of the running test has. */
static struct kd_link links[8];
static size_t link_count;
static struct net_own_address own[4];
static size_t own_count;
static struct net_route route;
static struct net_rdma rdma[4];
static size_t rdma_count;

static struct net_address address(const char *text)
{
	struct net_address ret = { 0 };

	assert_true(net_address_parse(text, &ret));
	return ret;
}

static struct kd_error *fake_links(struct kd_links *ret)
{
	ret->link = malloc(sizeof(links));
	if (!ret->link)
		return kd_error_nomem();
	memcpy(ret->link, links, sizeof(links));
	ret->count = link_count;
	return NULL;
}

static struct kd_error *fake_addresses(struct net_addresses *ret)
{
	ret->address = malloc(sizeof(own));
	if (!ret->address)
		return kd_error_nomem();
	memcpy(ret->address, own, sizeof(own));
	ret->count = own_count;
	return NULL;
}

static struct kd_error *fake_route(const struct net_address *server, struct net_route *ret)
{
	if (!route.link)
		return kd_error_os(ENETUNREACH, "route");
	*ret = route;
	return NULL;
}

static struct kd_error *fake_rdmas(struct net_rdmas *ret)
{
	ret->port = malloc(sizeof(rdma));
	if (!ret->port)
		return kd_error_nomem();
	memcpy(ret->port, rdma, sizeof(rdma));
	ret->count = rdma_count;
	return NULL;
}

static const struct network_source fake = { fake_links, fake_addresses, fake_route, fake_rdmas };

static int setup(void **state)
{
	link_count = own_count = rdma_count = 0;
	route = (struct net_route){ 0 };
	return tree_setup(state);
}

static struct kd_link *add_link(int index, const char *name, const char *kind, const char *hardware)
{
	struct kd_link *link = &links[link_count++];

	*link = (struct kd_link){ .index = index, .mtu = 1500 };
	snprintf(link->name, sizeof(link->name), "%s", name);
	snprintf(link->kind, sizeof(link->kind), "%s", kind);
	assert_true(kd_link_address_parse(hardware, link->address, &link->address_size));
	return link;
}

/* A link with hardware behind it. */
static struct kd_link *add_device(struct tree *m, int index, const char *name, const char *hardware)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	tree_directory(m, path);
	return add_link(index, name, "", hardware);
}

static void add_own(int link, const char *text, unsigned int prefix)
{
	own[own_count++] = (struct net_own_address){ .link = link, .address = address(text), .prefix = prefix };
}

static void set_route(int link, const char *gateway, const char *source)
{
	route = (struct net_route){ .link = link, .source = address(source) };
	if (gateway)
		route.gateway = address(gateway);
}

static void expect_plan(struct tree *m, const char *server, const char *expected)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, read_again = { 0 };
	_cleanup_free_ char *text = NULL, *found = NULL;
	struct net_address to = address(server);
	char source[NET_ADDRESS_TEXT];
	char *begin, *end;

	assert_no_error(kd_plan_init(&plan));
	assert_no_error(network_resolve(&m->root, &fake, &to, &plan, source));
	/* A second target on the same server adds nothing. */
	assert_no_error(network_resolve(&m->root, &fake, &to, &plan, source));
	assert_no_error(kd_plan_format(&plan, &text));
	begin = strstr(text, "network ");
	end = strstr(text, "collector ");
	assert_true(begin && end);
	found = strndup(begin, end - begin);
	assert_string_equal(found, expected);
	assert_no_error(kd_plan_parse(text, "plan", &read_again));
	assert_int_equal(read_again.network_count, plan.network_count);
}

static void expect_refused(struct tree *m, enum kd_error_code code, const char *text)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	struct net_address to = address("10.1.0.9");
	char source[NET_ADDRESS_TEXT];

	assert_no_error(kd_plan_init(&plan));
	assert_error(network_resolve(&m->root, &fake, &to, &plan, source), code, text);
}

static void test_device(void **state)
{
	struct tree *m = *state;

	add_link(1, "lo", "", "00:00:00:00:00:00");
	add_device(m, 2, "eth0", "52:54:00:00:00:02");
	add_own(1, "127.0.0.1", 8);
	add_own(2, "10.0.2.15", 24);
	set_route(2, "10.0.2.2", "10.0.2.15");
	expect_plan(m, "10.1.0.9",
		    "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
		    "network address eth0 10.0.2.15 24\n"
		    "network route eth0 10.1.0.9 10.0.2.2 10.0.2.15\n");
	own[1].lease = true;
	expect_plan(m, "10.1.0.9",
		    "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
		    "network address eth0 10.0.2.15 24 lease\n"
		    "network route eth0 10.1.0.9 10.0.2.2 10.0.2.15\n");
}

/* The server is a neighbour, and somebody has given the device another address than its own. */
static void test_neighbour(void **state)
{
	struct tree *m = *state;
	struct kd_link *link = add_device(m, 2, "eth0", "02:00:00:00:00:aa");

	assert_true(kd_link_address_parse("52:54:00:00:00:02", link->permanent, &link->permanent_size));
	link->mtu = 9000;
	add_own(2, "fd00::15", 64);
	set_route(2, NULL, "fd00::15");
	expect_plan(m, "fd00::9",
		    "network device eth0 52:54:00:00:00:02 02:00:00:00:00:aa 9000\n"
		    "network address eth0 fd00::15 64\n"
		    "network route eth0 fd00::9 % fd00::15\n");
}

/* A routing daemon's address lies on lo. It must not bring lo's network to the device. */
static void test_address_of_another_link(void **state)
{
	struct tree *m = *state;

	add_link(1, "lo", "", "00:00:00:00:00:00");
	add_device(m, 2, "eth0", "52:54:00:00:00:02");
	add_own(1, "192.0.2.1", 24);
	set_route(2, "10.0.2.2", "192.0.2.1");
	expect_plan(m, "10.1.0.9",
		    "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
		    "network address eth0 192.0.2.1 32\n"
		    "network route eth0 10.1.0.9 10.0.2.2 192.0.2.1\n");
}

/* A bridge on a VLAN on a bond of two devices; a virtual machine's link in the bridge stays outside. */
static void test_stack(void **state)
{
	struct tree *m = *state;
	struct kd_link *link;

	add_device(m, 2, "eth0", "52:54:00:00:00:02")->master = 4;
	link = add_device(m, 3, "eth1", "52:54:00:00:00:02");
	link->master = 4;
	assert_true(kd_link_address_parse("52:54:00:00:00:03", link->permanent, &link->permanent_size));
	add_link(4, "bond0", "bond", "52:54:00:00:00:02")->bond_mode = 1;
	link = add_link(5, "bond0.7", "vlan", "52:54:00:00:00:02");
	link->lower = 4;
	link->master = 6;
	link->vlan_id = 7;
	link->vlan_protocol = ETH_P_8021Q;
	add_link(6, "br0", "bridge", "52:54:00:00:00:02");
	add_link(7, "vnet0", "tun", "fe:54:00:00:00:07")->master = 6;
	add_own(6, "10.0.2.15", 24);
	set_route(6, "10.0.2.2", "10.0.2.15");
	expect_plan(m, "10.1.0.9",
		    "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
		    "network device eth1 52:54:00:00:00:03 52:54:00:00:00:03 1500\n"
		    "network bond bond0 52:54:00:00:00:02 1500 1 eth0 eth1\n"
		    "network vlan bond0.7 bond0 7 8100 1500\n"
		    "network bridge br0 52:54:00:00:00:02 1500 bond0.7\n"
		    "network address br0 10.0.2.15 24\n"
		    "network route br0 10.1.0.9 10.0.2.2 10.0.2.15\n");
}

static void test_refused(void **state)
{
	static const char *const kinds[] = { "team", "wireguard", "openvswitch", "veth", "tun", "macvlan", "ipoib" };
	struct tree *m = *state;

	add_own(2, "10.0.2.15", 24);
	set_route(2, "10.0.2.2", "10.0.2.15");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char text[64];

		link_count = 0;
		add_link(2, "link", kinds[i], "52:54:00:00:00:02");
		snprintf(text, sizeof(text), "the way to server 10.1.0.9: it leads through link link (%s)", kinds[i]);
		expect_refused(m, KD_ERR_UNSUPPORTED, text);
	}
	link_count = 0;
	add_link(2, "dummy0", "", "52:54:00:00:00:02");
	expect_refused(m, KD_ERR_UNSUPPORTED, "dummy0 (it has no hardware)");
	link_count = 0;
	add_device(m, 2, "wlan0", "52:54:00:00:00:02");
	tree_directory(m, "/sys/class/net/wlan0/phy80211");
	expect_refused(m, KD_ERR_UNSUPPORTED, "wlan0 (it is wireless)");
	link_count = 0;
	add_link(2, "br0", "bridge", "52:54:00:00:00:02");
	add_link(3, "vnet0", "tun", "fe:54:00:00:00:07")->master = 2;
	expect_refused(m, KD_ERR_UNSUPPORTED, "br0 (no part of it has hardware)");
	/* Links that stand on each other. */
	link_count = 0;
	add_link(2, "a", "vlan", "52:54:00:00:00:02")->lower = 3;
	add_link(3, "b", "vlan", "52:54:00:00:00:02")->lower = 2;
	expect_refused(m, KD_ERR_UNSUPPORTED, "too many links stand on each other");
}

/* --- RDMA --------------------------------------------------------------------------------------------------------- */

static void add_rdma(const char *name, int link, unsigned int driver)
{
	struct net_rdma *port = &rdma[rdma_count++];

	*port = (struct net_rdma){ .link = link, .driver = driver };
	snprintf(port->name, sizeof(port->name), "%s", name);
}

static struct kd_error *resolve_rdma(struct kd_plan *plan)
{
	const struct net_address to = address("10.1.0.9");

	assert_no_error(kd_plan_init(plan));
	return network_resolve_rdma(&fake, &to, plan);
}

/* The devices below a VLAN on a bond, and none that lies elsewhere. */
static void test_rdma(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char *text = NULL;
	struct tree *m = *state;

	add_device(m, 2, "eth0", "52:54:00:00:00:02")->master = 4;
	add_device(m, 3, "eth1", "52:54:00:00:00:03");
	add_link(4, "bond0", "bond", "52:54:00:00:00:02");
	add_link(5, "bond0.7", "vlan", "52:54:00:00:00:02")->lower = 4;
	set_route(5, NULL, "10.1.0.15");
	add_rdma("rxe0", 4, RDMA_DRIVER_RXE);
	add_rdma("mlx5_0", 2, RDMA_DRIVER_MLX5);
	add_rdma("mlx5_1", 3, RDMA_DRIVER_MLX5);
	add_rdma("mlx4_0", 0, RDMA_DRIVER_MLX4);
	assert_no_error(resolve_rdma(&plan));
	assert_no_error(kd_plan_format(&plan, &text));
	assert_non_null(strstr(text, "network rdma bond0 rdma_rxe rxe\nnetwork rdma eth0 mlx5_ib\ncollector "));
}

static void test_rdma_refused(void **state)
{
	static const struct {
		int link;
		unsigned int driver;
		const char *text;
	} cases[] = {
		{ 3, RDMA_DRIVER_RXE,
		  "no RDMA device belongs to link eth0, by which the server is reached: choose a dump target" },
		{ 0, RDMA_DRIVER_MLX5, "no RDMA device belongs to link eth0" },
		{ 2, RDMA_DRIVER_UNKNOWN,
		  "RDMA device x has a driver that the capture does not know (RDMA_DRIVER number 0): choose" },
		{ 2, 4711, "does not know (RDMA_DRIVER number 4711): choose" },
		{ 2, RDMA_DRIVER_BNXT_RE, "RDMA device x does not work in a capture kernel (bnxt_en has no memory" },
		{ 2, RDMA_DRIVER_CXGB4, "RDMA device x does not work in a capture kernel (cxgb4 switches RDMA off" },
	};
	_cleanup_(kd_plan_free) struct kd_plan no_route = { 0 }, no_link = { 0 };
	struct tree *m = *state;

	assert_error(resolve_rdma(&no_route), KD_ERR_OS, "route");
	set_route(2, NULL, "10.1.0.15");
	assert_error(resolve_rdma(&no_link), KD_ERR_NOT_FOUND, "the kernel names no link");
	add_device(m, 2, "eth0", "52:54:00:00:00:02");
	add_device(m, 3, "eth1", "52:54:00:00:00:03");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };

		rdma_count = 0;
		add_rdma("x", cases[i].link, cases[i].driver);
		assert_error(resolve_rdma(&plan), KD_ERR_UNSUPPORTED, cases[i].text);
		assert_int_equal(plan.network_count, 0);
	}
}

/* --- nodes of a cluster ------------------------------------------------------------------------------------------- */

static void test_fence_args(void **state)
{
	static const struct {
		const char *text;
		struct fence_kdump_args args;
		const char *error;
	} cases[] = {
		{ "", { 7410, AF_UNSPEC, 0, 10 }, NULL },
		{ "-p 7410 -f auto -c 0 -i 10", { 7410, AF_UNSPEC, 0, 10 }, NULL },
		{ "-v -p7411 --family=ipv6 --count 3 -i1", { 7411, AF_INET6, 3, 1 }, NULL },
		{ "-f ipv4", { 7410, AF_INET, 0, 10 }, NULL },
		{ "-p 65536", { 0 }, "-p wants a port, not \"65536\"" },
		{ "-p", { 0 }, "-p wants a port, not \"\"" },
		{ "-i 0", { 0 }, "-i wants seconds, at least 1, not \"0\"" },
		{ "-f ipx", { 0 }, "-f wants auto, ipv4 or ipv6, not \"ipx\"" },
		{ "-c -1", { 0 }, "-c wants a number, 0 for no limit, not \"-1\"" },
		{ "-x", { 0 }, "\"-x\" is not an option" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char **words = kd_split_words(cases[i].text, NULL);
		struct fence_kdump_args args = { 0 };
		struct kd_error *err = fence_kdump_parse(words, &args);

		if (cases[i].error) {
			assert_error(err, KD_ERR_CONFIG, cases[i].error);
			continue;
		}
		assert_no_error(err);
		assert_int_equal(args.port, cases[i].args.port);
		assert_int_equal(args.family, cases[i].args.family);
		assert_int_equal(args.count, cases[i].args.count);
		assert_int_equal(args.interval, cases[i].args.interval);
	}
}

/* The nodes in @value of fence_kdump_nodes as lines of the plan. */
static struct kd_error *resolve_nodes(struct tree *m, const char *value, struct kd_plan *plan)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	char text[256];
	struct kd_conf_text one = { "/etc/kdump.conf", text };

	snprintf(text, sizeof(text), "fence_kdump_nodes %s\nfence_kdump_args -p 7411 -f ipv4 -i 5\n", value);
	assert_no_error(kd_conf_parse(&one, 1, &conf, NULL, NULL));
	assert_no_error(kd_plan_init(plan));
	assert_no_error(kd_set_text(&plan->host, "myself"));
	return fence_resolve(&m->root, NULL, &fake, &conf, plan);
}

static void test_fence_nodes(void **state)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, by_name = { 0 }, by_address = { 0 }, no_way = { 0 };
	_cleanup_free_ char *text = NULL;
	struct tree *m = *state;

	add_device(m, 2, "eth0", "52:54:00:00:00:02");
	add_own(2, "10.0.2.15", 24);
	assert_error(resolve_nodes(m, "10.0.2.15", &by_address), KD_ERR_CONFIG,
		     "Option fence_kdump_nodes cannot contain 10.0.2.15: it is this machine");
	assert_error(resolve_nodes(m, "myself", &by_name), KD_ERR_CONFIG,
		     "Option fence_kdump_nodes cannot contain myself: it is this machine");
	/* Without a way, or an address, they are left out. */
	assert_no_error(resolve_nodes(m, "10.1.0.9 no.such.host.invalid", &no_way));
	assert_int_equal(no_way.fence_count, 0);
	set_route(2, "10.0.2.2", "10.0.2.15");
	assert_no_error(resolve_nodes(m, "10.1.0.9 10.1.0.10", &plan));
	assert_no_error(kd_plan_format(&plan, &text));
	assert_non_null(strstr(text, "network device eth0 52:54:00:00:00:02 52:54:00:00:00:02 1500\n"
				     "network address eth0 10.0.2.15 24\n"
				     "network route eth0 10.1.0.9 10.0.2.2 10.0.2.15\n"
				     "network route eth0 10.1.0.10 10.0.2.2 10.0.2.15\n"
				     "fence-kdump 10.1.0.9 7411 5 0\nfence-kdump 10.1.0.10 7411 5 0\n"));
}

static void expect_way(const char *device, const char *options, const char *address, const char *expected)
{
	struct target target = { .type = (char *)(strchr(device, '@') ? "ssh" : "nfs"),
				 .device = (char *)device,
				 .options = (char *)options };
	_cleanup_free_ char *new_device = NULL, *new_options = NULL;
	char found[256];

	assert_no_error(target_by_address(&target, address, &new_device, &new_options));
	snprintf(found, sizeof(found), "%s %s", new_device, new_options);
	assert_string_equal(found, expected);
}

static void test_target_by_address(void **state)
{
	struct target disk = { .type = (char *)"ext4", .device = (char *)"/dev/vda1", .options = (char *)"" };
	char *device, *options;

	expect_way("10.0.2.2:/dumps", "addr=10.0.2.2,nolock,vers=4.2,proto=tcp", "10.0.2.3",
		   "10.0.2.3:/dumps addr=10.0.2.3,nolock,vers=4.2,proto=tcp");
	expect_way("10.0.2.2:/a:/b", "addr=10.0.2.2,nolock,vers=3,proto=udp,mountproto=udp,mountaddr=10.0.2.2",
		   "fd00::2", "[fd00::2]:/a:/b addr=fd00::2,nolock,vers=3,proto=udp6,mountproto=udp6");
	expect_way("[fd00::2]:/dumps", "addr=fd00::2,proto=tcp6,port=2049", "10.0.2.2",
		   "10.0.2.2:/dumps addr=10.0.2.2,proto=tcp,port=2049");
	expect_way("me@home@10.0.2.2", "Port=22,HostKeyAlias=dumps", "fd00::2",
		   "me@home@fd00::2 Port=22,HostKeyAlias=dumps");
	assert_error(target_by_address(&disk, "fd00::2", &device, &options), KD_ERR_UNSUPPORTED,
		     "ext4 has one address");
}

/* A target for each address that there is a way to. They share its time. */
static void test_ways(void **state)
{
	static const struct net_address_text addresses[] = {
		{ "10.1.0.9" }, { "10.1.0.10" }, { "10.1.0.11" }, { "10.1.0.12" }, { "10.1.0.13" }
	};
	struct target target = { .type = (char *)"nfs",
				 .device = (char *)"10.1.0.10:/x",
				 .options = (char *)"addr=10.1.0.10",
				 .path = (char *)"/",
				 .server = (char *)"10.1.0.10" };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char *text = NULL;
	struct tree *m = *state;

	add_device(m, 2, "eth0", "52:54:00:00:00:02");
	add_own(2, "10.0.2.15", 24);
	assert_no_error(kd_plan_init(&plan));
	assert_no_error(kd_plan_add_target(&plan, target.type, target.device, target.options, target.path, 120));
	assert_no_error(kd_plan_set_server(&plan, target.server, false));
	/* There is no route. */
	assert_no_error(ways_add_addresses(&m->root, &fake, &target, addresses, ARRAY_SIZE(addresses), &plan));
	assert_int_equal(plan.target_count, 1);
	assert_int_equal(plan.target[0].deadline, 120);
	set_route(2, "10.0.2.2", "10.0.2.15");
	assert_no_error(ways_add_addresses(&m->root, &fake, &target, addresses, ARRAY_SIZE(addresses), &plan));
	assert_no_error(ways_resolve(&m->root, &fake, &plan));
	assert_no_error(kd_plan_format(&plan, &text));
	assert_non_null(strstr(text, "network route eth0 10.1.0.9 10.0.2.2 10.0.2.15\n"
				     "network route eth0 10.1.0.11 10.0.2.2 10.0.2.15\n"
				     "network route eth0 10.1.0.12 10.0.2.2 10.0.2.15\n"
				     "target nfs 10.1.0.10:/x addr=10.1.0.10 / 30 10.1.0.10\n"
				     "target nfs 10.1.0.9:/x addr=10.1.0.9 / 30 10.1.0.9 alternative\n"
				     "target nfs 10.1.0.11:/x addr=10.1.0.11 / 30 10.1.0.11 alternative\n"
				     "target nfs 10.1.0.12:/x addr=10.1.0.12 / 30 10.1.0.12 alternative\n"));
}

static void test_no_way(void **state)
{
	struct tree *m = *state;

	expect_refused(m, KD_ERR_OS, "the way to server 10.1.0.9: route: Network is unreachable");
	add_device(m, 2, "eth0", "52:54:00:00:00:02");
	set_route(2, "10.0.2.2", "10.0.2.15");
	expect_refused(m, KD_ERR_NOT_FOUND, "this machine has no address 10.0.2.15 any more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_device, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_neighbour, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_address_of_another_link, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_stack, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_no_way, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_rdma, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_rdma_refused, setup, tree_teardown),
		cmocka_unit_test(test_fence_args),
		cmocka_unit_test(test_target_by_address),
		cmocka_unit_test_setup_teardown(test_ways, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_fence_nodes, setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
