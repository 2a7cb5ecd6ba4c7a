/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RDMA devices on the way to a server, for the plan. */
#include <rdma/ib_user_ioctl_verbs.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "kdump/network/network.h"

#define REMEDY "choose a dump target on another disk"

/* As in network.c: a machine with more has a loop. */
enum { DEPTH_MAX = 8 };

/* An adapter has its device as soon as its module is inserted; one of software is made again on the link. */
static const struct driver {
	unsigned int number;
	const char *module;
	const char *type;    /* of a device of software; NULL: it is an adapter's */
	const char *refused; /* why it is of no use in a capture kernel; NULL: it may be */
} drivers[] = {
	{ .number = RDMA_DRIVER_RXE, .module = "rdma_rxe", .type = "rxe" },
	{ .number = RDMA_DRIVER_SIW, .module = "siw", .type = "siw" },
	{ .number = RDMA_DRIVER_MLX4, .module = "mlx4_ib" },
	{ .number = RDMA_DRIVER_MLX5, .module = "mlx5_ib" },
	{ .number = RDMA_DRIVER_IRDMA, .module = "irdma" },
	{ .number = RDMA_DRIVER_QEDR, .module = "qedr" },
	/* Linux drivers/net/ethernet/broadcom/bnxt/bnxt.c: bnxt_alloc_ctx_mem() */
	{ .number = RDMA_DRIVER_BNXT_RE, .module = "bnxt_re", .refused = "bnxt_en has no memory for RDMA" },
	/* c5a8c0f3aa72 "cxgb4: Force cxgb4 driver as MASTER in kdump kernel" */
	{ .number = RDMA_DRIVER_CXGB4, .module = "iw_cxgb4", .refused = "cxgb4 switches RDMA off" },
};

static const struct driver *find_driver(unsigned int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (drivers[i].number == number)
			return &drivers[i];
	return NULL;
}

/* Is @wanted the index of @link, or of one that it stands on? */
static bool leads_over(const struct kd_links *links, const struct kd_link *link, int wanted, unsigned int depth)
{
	if (link->index == wanted || depth > DEPTH_MAX)
		return link->index == wanted;
	for (size_t i = 0; i < links->count; i++) {
		const struct kd_link *lower = &links->link[i];

		if ((lower->master == link->index || lower->index == link->lower) &&
		    leads_over(links, lower, wanted, depth + 1))
			return true;
	}
	return false;
}

static struct kd_error *add_device(const struct net_rdma *port, const struct kd_link *link, struct kd_plan *plan)
{
	const struct driver *driver = find_driver(port->driver);

	if (!driver)
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"RDMA device %s has a driver that the capture does not know (RDMA_DRIVER number %u): " REMEDY,
			port->name, port->driver);
	if (driver->refused)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "RDMA device %s does not work in a capture kernel (%s there): " REMEDY,
				       port->name, driver->refused);
	return kd_plan_add_network(plan, "rdma", link->name,
				   (char *const[]){ (char *)driver->module, (char *)driver->type, NULL });
}

static struct kd_error *add_devices(const struct kd_links *links, const struct net_rdmas *rdmas,
				    const struct kd_link *link, struct kd_plan *plan)
{
	struct kd_error *err = NULL;
	size_t count = 0;

	for (size_t i = 0; i < rdmas->count && !err; i++) {
		const struct kd_link *own = kd_links_find(links, rdmas->port[i].link);

		if (!own || !leads_over(links, link, own->index, 0))
			continue;
		err = add_device(&rdmas->port[i], own, plan);
		count++;
	}
	if (err || count)
		return err;
	return kd_error_create(KD_ERR_UNSUPPORTED,
			       "no RDMA device belongs to link %s, by which the server is reached: " REMEDY,
			       link->name);
}

struct kd_error *network_resolve_rdma(const struct network_source *network, const struct net_address *server,
				      struct kd_plan *plan)
{
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct net_rdmas rdmas = { 0 };
	struct net_route route = { 0 };
	const struct kd_link *link;
	struct kd_error *err = network->route(server, &route);

	if (!err)
		err = network->links(&links);
	if (err)
		return err;
	link = kd_links_find(&links, route.link);
	if (!link)
		return kd_error_create(KD_ERR_NOT_FOUND, "the kernel names no link to reach the server by");
	err = network->rdmas(&rdmas);
	if (!err)
		err = add_devices(&links, &rdmas, link, plan);
	free(rdmas.port);
	return err;
}
