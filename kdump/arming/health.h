/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Whether the machine is armed, and whether the loaded image still fits it. Any user may ask, and nothing is
 *  changed. */
#ifndef KDUMP_ARMING_HEALTH_H
#define KDUMP_ARMING_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/inputs.h"

struct health {
	enum armed_state state;
	bool loaded;
	uint64_t reserved;           /* bytes */
	struct armed armed;          /* zeroed if there is no record */
	uint64_t initrd_size;        /* 0: not known */
	uint64_t initrd_time;        /* when it was built */
	struct input_change *change; /* inputs that have changed since the load; borrows from armed */
	size_t changes;
	bool sandboxed;     /* this process has mounts of its own, so that it may not see every change */
	int64_t captured;   /* when the newest dump was taken; 0: there is none, or it cannot be read */
	char *capture_name; /* of its directory */
	uint64_t needed;    /* bytes of the reservation that the capture needs (estimate.h); 0: not known */
};

/** Look at the machine. A kernel without kexec is a warning on @log, and means that nothing is loaded. */
struct kd_error *health_check(const struct kd_sysroot *root, const struct kd_log *log, struct health *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void health_free(struct health *health);
static inline void health_free_cleanup(struct health *health)
{
	health_free(health);
}

/** Is the loaded image not the one that would be made now? */
bool health_is_stale(const struct health *health);

/** The state, as a word for programs and as a sentence for people. */
const char *health_word(const struct health *health);
const char *health_sentence(const struct health *health);

/** Why it is, as one line: "/etc/kdump.conf has changed, …"; owned by the caller, NULL: no memory. */
char *health_reason(const struct health *health);

#endif
