/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/net_link.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/netlink.h"

/* IFF_LOWER_UP of linux/if.h, which cannot be included beside net/if.h with every C library. */
enum { LOWER_UP = 1 << 16 };

static size_t copy_address(const struct rtattr *attribute, unsigned char address[static KD_LINK_ADDRESS_MAX])
{
	size_t size = attribute ? RTA_PAYLOAD(attribute) : 0;

	if (size > KD_LINK_ADDRESS_MAX)
		return 0;
	if (size)
		memcpy(address, RTA_DATA(attribute), size);
	return size;
}

static void copy_text(const struct rtattr *attribute, char *text, size_t size)
{
	if (attribute)
		snprintf(text, size, "%.*s", (int)RTA_PAYLOAD(attribute), (const char *)RTA_DATA(attribute));
}

/* What is known of a link that is made of others. */
static void read_kind(const struct rtattr *info, struct kd_link *link)
{
	const struct rtattr *part[IFLA_INFO_MAX + 1], *data[64];

	kd_netlink_attributes(RTA_DATA(info), RTA_PAYLOAD(info), part, IFLA_INFO_MAX + 1);
	copy_text(part[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
	if (!part[IFLA_INFO_DATA])
		return;
	kd_netlink_attributes(RTA_DATA(part[IFLA_INFO_DATA]), RTA_PAYLOAD(part[IFLA_INFO_DATA]), data, 64);
	if (strcmp(link->kind, "vlan") == 0) {
		link->vlan_id = kd_netlink_u16(data[IFLA_VLAN_ID]);
		link->vlan_protocol = ntohs(kd_netlink_u16(data[IFLA_VLAN_PROTOCOL]));
	} else if (strcmp(link->kind, "bond") == 0) {
		link->bond_mode = kd_netlink_u8(data[IFLA_BOND_MODE]);
	}
}

static struct kd_error *add_link(void *arg, const struct nlmsghdr *message)
{
	const struct rtattr *part[IFLA_MAX + 1];
	const struct ifinfomsg *body = NLMSG_DATA(message);
	const unsigned int ready = IFF_UP | IFF_RUNNING | LOWER_UP;
	struct kd_links *links = arg;
	struct kd_link *link;

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof(*body)))
		return NULL;
	link = realloc(links->link, (links->count + 1) * sizeof(*link));
	if (!link)
		return kd_error_nomem();
	links->link = link;
	link += links->count++;
	*link = (struct kd_link){ .index = body->ifi_index, .running = (body->ifi_flags & ready) == ready };
	kd_netlink_attributes(IFLA_RTA(body), IFLA_PAYLOAD(message), part, IFLA_MAX + 1);
	copy_text(part[IFLA_IFNAME], link->name, sizeof(link->name));
	link->lower = (int)kd_netlink_u32(part[IFLA_LINK]);
	link->master = (int)kd_netlink_u32(part[IFLA_MASTER]);
	link->mtu = kd_netlink_u32(part[IFLA_MTU]);
	link->address_size = copy_address(part[IFLA_ADDRESS], link->address);
	link->permanent_size = copy_address(part[IFLA_PERM_ADDRESS], link->permanent);
	if (part[IFLA_LINKINFO])
		read_kind(part[IFLA_LINKINFO], link);
	return NULL;
}

struct kd_error *kd_links_load(int fd, struct kd_links *ret)
{
	const struct ifinfomsg body = { .ifi_family = AF_UNSPEC };
	_cleanup_(kd_links_free) struct kd_links links = { 0 };
	struct kd_netlink_request request;
	struct kd_error *err;

	kd_netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, &body, sizeof(body));
	err = kd_netlink_call(fd, &request, add_link, &links);
	if (err)
		return kd_error_wrap(err, "list of links");
	*ret = links;
	links = (struct kd_links){ 0 };
	return NULL;
}

void kd_links_free(struct kd_links *links)
{
	free(links->link);
	*links = (struct kd_links){ 0 };
}

const struct kd_link *kd_links_find(const struct kd_links *links, int index)
{
	size_t i;

	for (i = 0; i < links->count; i++)
		if (links->link[i].index == index)
			return &links->link[i];
	return NULL;
}

const unsigned char *kd_link_hardware(const struct kd_link *link, size_t *size)
{
	*size = link->permanent_size ? link->permanent_size : link->address_size;
	return link->permanent_size ? link->permanent : link->address;
}

void kd_link_address_format(const unsigned char *address, size_t size, char *text)
{
	size_t i;

	*text = '\0';
	for (i = 0; i < size; i++)
		text += sprintf(text, "%s%02x", i ? ":" : "", address[i]);
}

bool kd_link_address_parse(const char *text, unsigned char address[static KD_LINK_ADDRESS_MAX], size_t *size)
{
	unsigned int value;
	int length;

	for (*size = 0; *size < KD_LINK_ADDRESS_MAX; text++) {
		if (sscanf(text, "%2x%n", &value, &length) != 1 || length != 2)
			return false;
		address[(*size)++] = value;
		text += length;
		if (!*text)
			return true;
		if (*text != ':')
			return false;
	}
	return false;
}
