/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running machine's RDMA devices (Linux drivers/infiniband/core/nldev.c). */
#include <errno.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/netlink.h"
#include "kdump/network/network.h"

enum { ATTRIBUTES = RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID + 1 }; /* that are read */

struct devices {
	uint32_t *index; /* in the kernel */
	size_t count;
};

static void read_attributes(const struct nlmsghdr *message, const struct rtattr *part[static ATTRIBUTES])
{
	kd_netlink_attributes(NLMSG_DATA(message), NLMSG_PAYLOAD(message, 0), part, ATTRIBUTES);
}

static struct kd_error *take_device(void *arg, const struct nlmsghdr *message)
{
	const struct rtattr *part[ATTRIBUTES];
	struct devices *devices = arg;
	uint32_t *index = realloc(devices->index, (devices->count + 1) * sizeof(*index));

	if (!index)
		return kd_error_nomem();
	devices->index = index;
	read_attributes(message, part);
	index[devices->count++] = kd_netlink_u32(part[RDMA_NLDEV_ATTR_DEV_INDEX]);
	return NULL;
}

static struct kd_error *take_driver(void *arg, const struct nlmsghdr *message)
{
	const struct rtattr *part[ATTRIBUTES];

	read_attributes(message, part);
	*(unsigned int *)arg = kd_netlink_u32(part[RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID]);
	return NULL;
}

struct ports {
	struct net_rdmas *all;
	unsigned int driver; /* of those that come now */
};

static struct kd_error *take_port(void *arg, const struct nlmsghdr *message)
{
	const struct rtattr *part[ATTRIBUTES], *name;
	struct ports *ports = arg;
	struct net_rdma *port = realloc(ports->all->port, (ports->all->count + 1) * sizeof(*port));

	if (!port)
		return kd_error_nomem();
	ports->all->port = port;
	port += ports->all->count++;
	read_attributes(message, part);
	name = part[RDMA_NLDEV_ATTR_DEV_NAME];
	*port = (struct net_rdma){ .link = (int)kd_netlink_u32(part[RDMA_NLDEV_ATTR_NDEV_INDEX]),
				   .driver = ports->driver };
	if (name)
		snprintf(port->name, sizeof(port->name), "%.*s", (int)RTA_PAYLOAD(name), (const char *)RTA_DATA(name));
	return NULL;
}

static void begin(struct kd_netlink_request *request, uint16_t command, uint16_t flags)
{
	kd_netlink_begin(request, kd_netlink_rdma(command), flags, NULL, 0);
}

/* Programs find their library for a device by the same number. A device that only the kernel can use has none. */
static struct kd_error *ask_for_driver(int fd, uint32_t device, unsigned int *ret)
{
	struct kd_netlink_request request;
	struct kd_error *err;

	begin(&request, RDMA_NLDEV_CMD_GET_CHARDEV, 0);
	kd_netlink_put_u32(&request, RDMA_NLDEV_ATTR_DEV_INDEX, device);
	kd_netlink_put_text(&request, RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
	err = kd_netlink_call(fd, &request, take_driver, ret);
	if (!err || err->code == KD_ERR_NOMEM)
		return err;
	kd_error_destroy(err);
	return NULL;
}

static struct kd_error *ask_for_ports(int fd, uint32_t device, struct ports *ports)
{
	struct kd_netlink_request request;

	begin(&request, RDMA_NLDEV_CMD_PORT_GET, NLM_F_DUMP);
	kd_netlink_put_u32(&request, RDMA_NLDEV_ATTR_DEV_INDEX, device);
	return kd_netlink_call(fd, &request, take_port, ports);
}

struct kd_error *rdma_live(struct net_rdmas *ret)
{
	struct net_rdmas rdmas = { 0 };
	struct devices devices = { 0 };
	struct kd_netlink_request request;
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_netlink_open_rdma(&fd);

	if (err && err->errnum == EPROTONOSUPPORT) {
		kd_error_destroy(err);
		*ret = rdmas;
		return NULL;
	}
	if (!err) {
		begin(&request, RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
		err = kd_netlink_call(fd, &request, take_device, &devices);
	}
	for (size_t i = 0; i < devices.count && !err; i++) {
		struct ports ports = { .all = &rdmas, .driver = RDMA_DRIVER_UNKNOWN };

		err = ask_for_driver(fd, devices.index[i], &ports.driver);
		if (!err)
			err = ask_for_ports(fd, devices.index[i], &ports);
	}
	free(devices.index);
	if (err)
		free(rdmas.port);
	else
		*ret = rdmas;
	return kd_error_wrap(err, "list of RDMA devices");
}
