/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The machine's network links, as rtnetlink(7) tells them. */
#ifndef BASE_NET_LINK_H
#define BASE_NET_LINK_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { KD_LINK_ADDRESS_MAX = 32 }; /* MAX_ADDR_LEN of the kernel */

struct kd_link {
	int index;
	int lower;  /* index of the link below (vlan); 0: none */
	int master; /* index of the bond or bridge that it belongs to; 0: none */
	char name[IF_NAMESIZE];
	char kind[16]; /* "vlan" "bond" …; "" for a device */
	unsigned char address[KD_LINK_ADDRESS_MAX],
		permanent[KD_LINK_ADDRESS_MAX]; /* the one in use; the device's own */
	size_t address_size, permanent_size;
	unsigned int mtu;
	unsigned int vlan_id, vlan_protocol; /* ETH_P_8021Q or ETH_P_8021AD */
	unsigned int bond_mode;
	bool running; /* up, with a carrier */
};

struct kd_links {
	struct kd_link *link;
	size_t count;
};

/** All links. @fd is of kd_netlink_open(). KD_ERR_OS. */
struct kd_error *kd_links_load(int fd, struct kd_links *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void kd_links_free(struct kd_links *links);
static inline void kd_links_free_cleanup(struct kd_links *links)
{
	kd_links_free(links);
}

/** NULL if there is none. */
const struct kd_link *kd_links_find(const struct kd_links *links, int index);

/** The device's own hardware address where the kernel tells it, else the one in use. */
const unsigned char *kd_link_hardware(const struct kd_link *link, size_t *size);

/** "52:54:00:12:34:56". @text has room for 3 * @size characters. */
void kd_link_address_format(const unsigned char *address, size_t size, char *text);
bool kd_link_address_parse(const char *text, unsigned char address[static KD_LINK_ADDRESS_MAX], size_t *size);

#endif
