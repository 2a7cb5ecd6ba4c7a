/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kernel's announcements of devices (NETLINK_KOBJECT_UEVENT, Linux lib/kobject_uevent.c). */
#ifndef CAPTURE_UEVENT_H
#define CAPTURE_UEVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Pointers lead into the message; NULL where it does not say. */
struct uevent {
	const char *action;    /* "add", "change", "remove" … */
	const char *subsystem; /* "block" … */
	const char *devname;   /* below /dev */
};

/** Take @message apart: "add@/devices/…", then NAME=value, each with a NUL behind it; @message[@size] must be NUL. */
bool uevent_parse(const char *message, size_t size, struct uevent *ret);

/** A socket that hears every event from now on. */
struct kd_error *uevent_open(int *ret) MUST_CHECK;

enum uevent_next { UEVENT_MESSAGE, UEVENT_LOST, UEVENT_TIMEOUT };

/** Wait for the next message of the kernel until @deadline (clock_ms()). UEVENT_LOST: some were dropped, look again at
 *  everything. @size must leave room for a NUL. */
enum uevent_next uevent_wait(int fd, int64_t deadline, char *buf, size_t size, struct uevent *ret);

#endif
