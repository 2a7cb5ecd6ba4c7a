/* SPDX-License-Identifier: GPL-2.0-or-later */
/** rtnetlink(7): requests to the kernel about links, addresses and routes, and its answers. Those about RDMA devices
 *  (Linux drivers/infiniband/core/nldev.c) have the same form. */
#ifndef BASE_NETLINK_H
#define BASE_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** A request. It is built by kd_netlink_begin() and any number of attributes; what does not fit any more makes
 *  kd_netlink_call() fail. */
struct kd_netlink_request {
	_Alignas(struct nlmsghdr) unsigned char buffer[2048];
	size_t size;
	bool overflow;
};

/** Begin a request of type @type (RTM_…), with NLM_F_… @flags and the structure that the type begins with; one about
 *  RDMA devices has none. */
void kd_netlink_begin(struct kd_netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size);
void kd_netlink_put(struct kd_netlink_request *request, uint16_t type, const void *data, size_t size);
void kd_netlink_put_u32(struct kd_netlink_request *request, uint16_t type, uint32_t value);
void kd_netlink_put_text(struct kd_netlink_request *request, uint16_t type, const char *text);
/** Begin an attribute that holds others. Returns what kd_netlink_close() needs to end it. */
size_t kd_netlink_nest(struct kd_netlink_request *request, uint16_t type);
void kd_netlink_close(struct kd_netlink_request *request, size_t nest);

/** A socket that also receives announcements of the RTMGRP_… @groups. *ret is a descriptor. KD_ERR_OS. */
struct kd_error *kd_netlink_open(uint32_t groups, int *ret) MUST_CHECK;

/** A socket for requests of type kd_netlink_rdma(). KD_ERR_OS; EPROTONOSUPPORT: this kernel has no RDMA, or it is not
 *  loaded. */
struct kd_error *kd_netlink_open_rdma(int *ret) MUST_CHECK;
/** @command: RDMA_NLDEV_CMD_…. */
uint16_t kd_netlink_rdma(uint16_t command);

/** What becomes of a message of the kernel. The first error ends the call. */
typedef struct kd_error *kd_netlink_fn(void *arg, const struct nlmsghdr *message);

/** Send @request and read its answers until the kernel says that there are no more. @fn (may be NULL) is called with
 *  each. The kernel's refusal is KD_ERR_OS with its errno. Announcements that arrive in between are dropped. */
struct kd_error *kd_netlink_call(int fd, struct kd_netlink_request *request, kd_netlink_fn *fn, void *arg) MUST_CHECK;

/** Sort the attributes in the last @size bytes of a message by their type: attributes[type] is the last one of that
 *  type, or NULL; types of @count and more are passed over. */
void kd_netlink_attributes(const void *first, size_t size, const struct rtattr **attributes, size_t count);
/** The attribute's number; 0 if it is NULL or shorter than that. */
uint32_t kd_netlink_u32(const struct rtattr *attribute);
uint16_t kd_netlink_u16(const struct rtattr *attribute);
uint8_t kd_netlink_u8(const struct rtattr *attribute);

#endif
