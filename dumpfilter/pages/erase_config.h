/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Data that must not be in the dump, named as in makedumpfile.conf(5):
 *
 *      [module]                                            the names that follow are this module's (default: vmlinux)
 *      erase EXPRESSION                                    as much as its type says
 *      erase EXPRESSION size N[K|M]
 *      erase EXPRESSION size EXPRESSION
 *      erase EXPRESSION nullify                            a pointer
 *      for NAME in EXPRESSION                              an array
 *      for NAME in EXPRESSION via MEMBER                   structs, each pointing to the next
 *      for NAME in EXPRESSION within STRUCT:MEMBER         a list of the kernel's (struct list_head)
 *      erase NAME.MEMBER …
 *      endfor
 *
 *  EXPRESSION is SYMBOL[.member…]; "." goes through pointers too. Where the type of a symbol is not known (BTF has none
 *  for most variables) it is written in front: (struct uts_namespace) init_uts_ns.name, (char *) secret, (u8[32]) key.
 */
#ifndef DUMPFILTER_PAGES_ERASE_CONFIG_H
#define DUMPFILTER_PAGES_ERASE_CONFIG_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/names/debuginfo.h"
#include "dumpfilter/pages/erase.h"

struct erase_config;

/** Parse @text; @name is the file's, for messages. KD_ERR_CONFIG ("name:line: …"). */
struct kd_error *erase_config_parse(const char *text, const char *name, struct erase_config **ret) MUST_CHECK;
void erase_config_destroy(struct erase_config *config); /* NULL is allowed */
DEFINE_CLEANUP(struct erase_config *, erase_config_destroy)

/** Where names are looked up. */
struct erase_names {
	/** The names of an object: "vmlinux", or a module. NULL in *ret: no such module was loaded. What *ret points to
	 *  lives until the resolving is over. */
	struct kd_error *(*open)(void *arg, const char *object, const struct debuginfo **ret);
	void *arg;
};

/** Find everything that @config names. A NULL pointer and a module that was not loaded are not errors. Data that cannot
 *  be found is an error, because it would be in the dump. With @optional it is a warning. KD_ERR_NOT_FOUND,
 *  KD_ERR_HOLE, KD_ERR_CONFIG, KD_ERR_LIMIT: the text names the line. */
struct kd_error *erase_config_resolve(const struct erase_config *config, const struct erase_names *names,
				      struct address_space *space, bool optional, const struct kd_log *log,
				      struct erase *ret) MUST_CHECK;

#endif
