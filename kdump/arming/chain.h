/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The chain of targets: those of kdump.conf in their order, and at last, with failure_action dump_to_rootfs, the file
 *  system that has the path on this machine. The capture tries one after the other.
 *
 *  A target that cannot be had now (its disk is unplugged, its server does not answer) is left out, and the others are
 *  armed. What is wrong in kdump.conf itself is an error, as is a target that is refused because a dump could do harm
 *  there.
 */
#ifndef KDUMP_ARMING_CHAIN_H
#define KDUMP_ARMING_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/arming/armed.h"
#include "kdump/config/conf.h"
#include "kdump/storage/target.h"

enum { CHAIN_MAX = 16 };

struct chain_member {
	char *name;           /* "/etc/kdump.conf:3: target ext4 UUID=…" */
	struct target target; /* zeroed if it cannot be used */
	struct kd_error *err; /* why not */
};

struct chain {
	struct chain_member member[CHAIN_MAX];
	size_t count;
};

/** How many targets @conf has, and what it says of one of them; dump_to_rootfs has neither a type nor a device. */
size_t chain_length(const struct kd_conf *conf);
struct target_request chain_request(const struct kd_conf *conf, size_t member);

/** May a machine be armed without a target that has failed with @err? This is the only rule: errors that are about the
 *  machine and what it can reach now pass (KD_ERR_NOT_FOUND, KD_ERR_STATE, KD_ERR_OS, KD_ERR_TIMEOUT), errors that are
 *  about what kdump.conf asks for do not. */
bool chain_may_leave_out(const struct kd_error *err);

/** Try each target of @conf. *ret is to be freed on failure, too. KD_ERR_LIMIT: there are more than CHAIN_MAX. */
struct kd_error *chain_look(const struct kd_sysroot *root, const struct kd_log *log, const struct kd_conf *conf,
			    struct chain *ret) MUST_CHECK;

/** Can the machine be armed with what is there? Each target that is left out then is a warning on @log. Otherwise the
 *  error of the first target that must not be left out, or of the first one. It is taken out of @chain. */
struct kd_error *chain_decide(const struct kd_log *log, struct chain *chain) MUST_CHECK;

/** The targets that can be used, with a NULL at the end, and the first of them; NULL: there is none. */
void chain_list(const struct chain *chain, const struct target *list[static CHAIN_MAX + 1]);
const struct target *chain_first(const struct chain *chain);

/** Can all of them be used? */
bool chain_is_whole(const struct chain *chain);

/** Note in @armed which targets are left out, and why. */
struct kd_error *chain_note_left_out(const struct chain *chain, struct armed *armed) MUST_CHECK;

/** Try those targets of @conf again that were left out of the image @armed, with @servers those on servers, too.
 *  *ret := the first one, as a sentence, that start would not leave out now; NULL: there is none. Owned by the
 *  caller. */
struct kd_error *chain_find_returned(const struct kd_sysroot *root, const struct kd_conf *conf,
				     const struct armed *armed, bool servers, char **ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void chain_free(struct chain *chain);
static inline void chain_free_cleanup(struct chain *chain)
{
	chain_free(chain);
}

#endif
