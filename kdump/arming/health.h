/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Is the machine armed, and does what is armed still fit it? Asked without changing anything, as any user. */
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
	struct input_change *change; /* since it was loaded; borrows from armed */
	size_t changes;
	int64_t captured;   /* when the newest dump was taken; 0: there is none, or that cannot be told */
	char *capture_name; /* of its directory */
	uint64_t needed;    /* bytes of reservation that the capture takes (estimate.h); 0: not known */
};

/** Look. A kernel without kexec has nothing loaded, and says so on @log. */
struct kd_error *health_check(const struct kd_sysroot *root, const struct kd_log *log, struct health *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void health_free(struct health *health);
static inline void health_free_cleanup(struct health *health)
{
	health_free(health);
}

/** The state as programs and as people read it. */
const char *health_word(const struct health *health);
const char *health_sentence(const struct health *health);

/** The changes in a line: "/etc/kdump.conf has changed, …"; owned by the caller, NULL: no memory. */
char *health_reason(const struct health *health);

#endif
