/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/ways.h"

#include <string.h>

#include "kdump/storage/way.h"

enum { WAYS_MAX = 3 };

static struct kd_error *resolve(const struct kd_sysroot *root, const struct network_source *network, const char *server,
				struct kd_plan *plan)
{
	char source[NET_ADDRESS_TEXT];
	struct net_address address;

	if (!net_address_parse(server, &address))
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not an address", server);
	return network_resolve(root, network, &address, plan, source);
}

static bool is_reachable(const struct kd_sysroot *root, const struct network_source *network, const char *server)
{
	_cleanup_(kd_plan_free) struct kd_plan scratch = { 0 };

	return !kd_error_discard(resolve(root, network, server, &scratch));
}

static struct kd_error *add_way(const struct target *target, const char *address, unsigned int deadline,
				struct kd_plan *plan)
{
	_cleanup_free_ char *device = NULL, *options = NULL;
	struct kd_error *err = target_by_address(target, address, &device, &options);

	if (!err)
		err = kd_plan_add_target(plan, target->type, device, options, target->path, deadline);
	return err ? err : kd_plan_set_server(plan, address, true);
}

struct kd_error *ways_add_addresses(const struct kd_sysroot *root, const struct network_source *network,
				    const struct target *target, const struct net_address_text *addresses, size_t count,
				    struct kd_plan *plan)
{
	size_t first = plan->target_count - 1, i;
	unsigned int deadline = plan->target[first].deadline;
	struct kd_error *err = NULL;

	for (i = 0; i < count && plan->target_count - first <= WAYS_MAX && !err; i++)
		if (strcmp(addresses[i].text, target->server) != 0 && is_reachable(root, network, addresses[i].text))
			err = add_way(target, addresses[i].text, deadline, plan);
	if (err && err->code == KD_ERR_UNSUPPORTED) {
		kd_error_destroy(err);
		err = NULL;
	}
	deadline /= (unsigned int)(plan->target_count - first);
	for (i = first; i < plan->target_count; i++)
		plan->target[i].deadline = deadline ? deadline : 1;
	return err;
}

struct kd_error *ways_add(const struct kd_sysroot *root, const struct network_source *network,
			  const struct target *target, struct kd_plan *plan)
{
	_cleanup_free_ struct net_address_text *addresses = NULL;
	size_t count = 0;

	if (kd_error_discard(net_resolve_server(target->server_name, &addresses, &count)))
		return NULL;
	return ways_add_addresses(root, network, target, addresses, count, plan);
}

struct kd_error *ways_resolve(const struct kd_sysroot *root, const struct network_source *network, struct kd_plan *plan)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < plan->target_count && !err; i++)
		if (plan->target[i].alternative)
			err = resolve(root, network, plan->target[i].server, plan);
	return err;
}
