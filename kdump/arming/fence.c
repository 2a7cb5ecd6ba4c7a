/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/fence.h"

#include <string.h>
#include <sys/socket.h>

#include "kdump/config/fence_kdump.h"

struct fencing {
	const struct kd_sysroot *root;
	const struct network_source *network;
	struct fence_kdump_args args;
};

/* The first address of the family that is wanted. */
static struct kd_error *find_address(const struct fencing *fencing, const char *node, struct net_address_text *text,
				     struct net_address *ret)
{
	_cleanup_free_ struct net_address_text *found = NULL;
	struct kd_error *err;
	size_t count, i;

	err = net_resolve_server(node, &found, &count);
	for (i = 0; !err && i < count; i++) {
		if (!net_address_parse(found[i].text, ret) ||
		    (fencing->args.family != AF_UNSPEC && ret->family != fencing->args.family))
			continue;
		*text = found[i];
		return NULL;
	}
	return err ? err : kd_error_create(KD_ERR_NOT_FOUND, "it has no address that -f of fence_kdump_args allows");
}

static struct kd_error *add_node(const struct fencing *fencing, const char *node, struct kd_plan *plan, bool *own)
{
	char source[NET_ADDRESS_TEXT];
	struct net_address_text text;
	struct net_address address;
	struct kd_error *err;

	err = find_address(fencing, node, &text, &address);
	if (!err)
		err = net_address_is_own(fencing->network, &address, own);
	if (err || *own)
		return err;
	err = network_resolve(fencing->root, fencing->network, &address, plan, source);
	return err ? err :
		     kd_plan_add_fence(plan, text.text, fencing->args.port, fencing->args.interval,
				       fencing->args.count);
}

static struct kd_error *is_itself(const struct kd_conf *conf, const char *node)
{
	_cleanup_free_ char *where = NULL;
	struct kd_error *err = kd_conf_where(conf, "fence_kdump_nodes", &where);

	return err ? err :
		     kd_error_create(
			     KD_ERR_CONFIG,
			     "%s: Option fence_kdump_nodes cannot contain %s: it is this machine; name the other "
			     "nodes of the cluster",
			     where, node);
}

struct kd_error *fence_resolve(const struct kd_sysroot *root, const struct kd_log *log,
			       const struct network_source *network, const struct kd_conf *conf, struct kd_plan *plan)
{
	struct fencing fencing = { .root = root, .network = network };
	struct kd_error *err = fence_kdump_parse(conf->fence_kdump_args, &fencing.args);

	for (char *const *node = conf->fence_kdump_nodes; !err && *node; node++) {
		bool own = strcmp(*node, plan->host) == 0;
		struct kd_error *why = own ? NULL : add_node(&fencing, *node, plan, &own);

		if (own)
			err = is_itself(conf, *node);
		else if (why && why->code == KD_ERR_NOMEM)
			return why;
		else if (why)
			kd_warn(log, "fence_kdump_nodes: %s: it will not be told of a dump: %s", *node, why->text);
		kd_error_destroy(why);
	}
	return err;
}
