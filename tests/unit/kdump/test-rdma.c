/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel says of its RDMA devices, also a malformed one. The kernel is one of the test's own. */
#include "tests/unit/testing.h"

#include <errno.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/netlink.h"
#include "kdump/network/network.h"

/* --- a kernel ----------------------------------------------------------------------------------------------------- */

struct port {
	const char *name; /* NULL: the message is empty */
	uint32_t device, link, driver;
};

static struct {
	const struct port *port;
	size_t count;
	int no_rdma, no_chardev; /* errno */
	bool names_without_end;
} kernel;

struct kd_error *__wrap_kd_netlink_open_rdma(int *ret);
struct kd_error *__wrap_kd_netlink_open_rdma(int *ret)
{
	*ret = -1;
	return kernel.no_rdma ? kd_error_os(kernel.no_rdma, "cannot ask the kernel about RDMA devices") : NULL;
}

static struct kd_error *tell(const struct port *port, uint16_t command, kd_netlink_fn *fn, void *arg)
{
	struct kd_netlink_request answer;

	kd_netlink_begin(&answer, kd_netlink_rdma(command), 0, NULL, 0);
	if (port->name) {
		kd_netlink_put_u32(&answer, RDMA_NLDEV_ATTR_DEV_INDEX, port->device);
		kd_netlink_put(&answer, RDMA_NLDEV_ATTR_DEV_NAME, port->name,
			       strlen(port->name) + !kernel.names_without_end);
	}
	if (port->name && command == RDMA_NLDEV_CMD_PORT_GET && port->link)
		kd_netlink_put_u32(&answer, RDMA_NLDEV_ATTR_NDEV_INDEX, port->link);
	if (port->name && command == RDMA_NLDEV_CMD_GET_CHARDEV && port->driver)
		kd_netlink_put_u32(&answer, RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID, port->driver);
	((struct nlmsghdr *)answer.buffer)->nlmsg_len = answer.size;
	return fn(arg, (struct nlmsghdr *)answer.buffer);
}

struct kd_error *__wrap_kd_netlink_call(int fd, struct kd_netlink_request *request, kd_netlink_fn *fn, void *arg);
struct kd_error *__wrap_kd_netlink_call(int fd, struct kd_netlink_request *request, kd_netlink_fn *fn, void *arg)
{
	struct nlmsghdr *message = (struct nlmsghdr *)request->buffer;
	const struct rtattr *part[RDMA_NLDEV_ATTR_CHARDEV_TYPE + 1];
	uint16_t command = RDMA_NL_GET_OP(message->nlmsg_type);
	struct kd_error *err = NULL;
	uint32_t device;

	assert_false(request->overflow);
	message->nlmsg_len = request->size;
	assert_int_equal(message->nlmsg_type, kd_netlink_rdma(command));
	kd_netlink_attributes(NLMSG_DATA(message), NLMSG_PAYLOAD(message, 0), part, ARRAY_SIZE(part));
	device = kd_netlink_u32(part[RDMA_NLDEV_ATTR_DEV_INDEX]);
	if (command == RDMA_NLDEV_CMD_GET_CHARDEV) {
		assert_string_equal(RTA_DATA(part[RDMA_NLDEV_ATTR_CHARDEV_TYPE]), "uverbs");
		if (kernel.no_chardev)
			return kd_error_os(kernel.no_chardev, "the kernel refuses it");
	}
	for (size_t i = 0; i < kernel.count && !err; i++) {
		const struct port *port = &kernel.port[i];
		/* Further ports of a device follow its first one. */
		bool further = i && port[-1].device == port->device;

		if (command == RDMA_NLDEV_CMD_PORT_GET)
			err = port->device == device ? tell(port, command, fn, arg) : NULL;
		else if (!further && (command == RDMA_NLDEV_CMD_GET || port->device == device))
			err = tell(port, command, fn, arg);
	}
	return err;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

static void set_ports(const struct port *port, size_t count)
{
	kernel.port = port;
	kernel.count = count;
}

static void test_devices(void **state)
{
	/* The second one has two ports, one of them with InfiniBand. */
	static const struct port ports[] = {
		{ "rxe0", 7, 2, RDMA_DRIVER_RXE },
		{ "mlx4_0", 9, 0, RDMA_DRIVER_MLX4 },
		{ "mlx4_0", 9, 3, RDMA_DRIVER_MLX4 },
	};
	struct net_rdmas found = { 0 };

	set_ports(ports, ARRAY_SIZE(ports));
	assert_no_error(rdma_live(&found));
	assert_int_equal(found.count, ARRAY_SIZE(ports));
	for (size_t i = 0; i < found.count; i++) {
		assert_string_equal(found.port[i].name, ports[i].name);
		assert_int_equal(found.port[i].link, ports[i].link);
		assert_int_equal(found.port[i].driver, ports[i].driver);
	}
	free(found.port);
}

static void test_no_rdma(void **state)
{
	struct net_rdmas found = { 0 };

	assert_no_error(rdma_live(&found));
	assert_int_equal(found.count, 0);
	kernel.no_rdma = EPROTONOSUPPORT;
	assert_no_error(rdma_live(&found));
	assert_int_equal(found.count, 0);
	kernel.no_rdma = EPERM;
	assert_error(rdma_live(&found), KD_ERR_OS, "list of RDMA devices: cannot ask");
}

/* A device that programs cannot use, a driver that does not tell its number, a message without anything. */
static void test_silence(void **state)
{
	static const struct port ports[] = { { "hns_0", 1, 2, RDMA_DRIVER_UNKNOWN }, { NULL, 3, 2, RDMA_DRIVER_RXE } };
	struct net_rdmas found = { 0 };

	set_ports(ports, 1);
	assert_no_error(rdma_live(&found));
	assert_int_equal(found.count, 1);
	assert_int_equal(found.port[0].driver, RDMA_DRIVER_UNKNOWN);
	free(found.port);
	kernel.no_chardev = ENOENT;
	assert_no_error(rdma_live(&found));
	assert_int_equal(found.port[0].driver, RDMA_DRIVER_UNKNOWN);
	assert_int_equal(found.port[0].link, 2);
	free(found.port);
	kernel.no_chardev = 0;
	set_ports(&ports[1], 1);
	assert_no_error(rdma_live(&found));
	assert_int_equal(found.count, 0);
	free(found.port);
}

/* A name that is too long, or has no end within its attribute. */
static void test_names(void **state)
{
	static const char *const names[] = { "12345678",
					     "a123456789b123456789c123456789d123456789e123456789f123456789g123456789" };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(names); i++) {
		const struct port port = { names[i / 2], 1, 2, RDMA_DRIVER_RXE };
		struct net_rdmas found = { 0 };

		set_ports(&port, 1);
		kernel.names_without_end = i % 2;
		assert_no_error(rdma_live(&found));
		assert_memory_equal(found.port[0].name, port.name, strlen(found.port[0].name));
		assert_int_equal(strlen(found.port[0].name), i / 2 ? sizeof(found.port[0].name) - 1 : 8);
		free(found.port);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_devices, setup),
		cmocka_unit_test_setup(test_no_rdma, setup),
		cmocka_unit_test_setup(test_silence, setup),
		cmocka_unit_test_setup(test_names, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
