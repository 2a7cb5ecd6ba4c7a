/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The kernel's announcements of devices (NETLINK_KOBJECT_UEVENT, Linux lib/kobject_uevent.c). */
#ifndef CAPTURE_UEVENT_H
#define CAPTURE_UEVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Pointers into the message; NULL if the message does not have the field. */
struct uevent {
	const char *action;    /* "add", "change", "remove" … */
	const char *subsystem; /* "block" … */
	const char *devname;   /* below /dev */
};

/** Parse @message: "add@/devices/…", then NAME=value, each with a NUL behind it; @message[@size] must be NUL. */
bool uevent_parse(const char *message, size_t size, struct uevent *ret);

/** Open a socket that receives every event from now on. */
struct kd_error *uevent_open(int *ret) MUST_CHECK;

enum uevent_next { UEVENT_MESSAGE, UEVENT_LOST, UEVENT_TIMEOUT };

/** Wait for the next message of the kernel until @deadline (clock_ms()). UEVENT_LOST: the kernel dropped messages,
 *  so that everything must be looked at again. @size must leave room for a NUL. */
enum uevent_next uevent_wait(int fd, int64_t deadline, char *buf, size_t size, struct uevent *ret);

#endif
