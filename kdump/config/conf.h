/* SPDX-License-Identifier: GPL-2.0-or-later */
/** /etc/kdump.conf: "key value" lines (kdump.conf(5)), Red Hat's directives.
 *
 *  After it the files of the directory FILE.d whose names end in ".conf" are read, in the order of their names: a
 *  directive takes the place of what an earlier file says, and a target goes behind those of earlier files. So
 *  kdump.conf itself can be left to tools that know only Red Hat's directives.
 *
 *  Trailing "# comment" and surrounding quotes are stripped; blank and comment lines are ignored. No shell, ever:
 *  commands are split into words. Unknown, duplicate, empty, contradictory or removed directives are
 *  KD_ERR_CONFIG, with file:line, value and remedy in the text; Red Hat's wording is kept inside it:
 *
 *      /etc/kdump.conf:3: Invalid kdump config option foo
 *      /etc/kdump.conf:4: Invalid kdump config value for option 'path': …
 *      /etc/kdump.conf:5: Duplicated kdump config value of option path (first on line 2)
 *      /etc/kdump.conf:7: Deprecated kdump config option: net. Refer to kdump.conf manpage for alternatives.
 */
#ifndef KDUMP_CONFIG_CONF_H
#define KDUMP_CONFIG_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** The value of one directive, and where it comes from. */
struct kd_conf_setting {
	const char
		*name; /* of the directive; NULL: there is nothing to tell (refused ones, targets that are not given) */
	char *value;   /* as written, without quotes around it; NULL: it is not given and has no default */
	const char *file;  /* that has it, owned by the conf; NULL: the default */
	unsigned int line; /* in the file; 0: the default */
};

/** A target that is tried when those before it have failed. */
struct kd_conf_further {
	char *type, *device;
	char *path;       /* NULL: that of the first target */
	const char *file; /* that names it, owned by the conf */
	unsigned int line;
};

struct kd_conf {
	char *file;     /* path it was read from, for messages */
	char **drop_in; /* paths of what was read after it */
	size_t drop_in_count;
	char *target_type;               /* "ext4" …; NULL: the file system that path lies on */
	char *target;                    /* device, LABEL=, UUID= …; NULL with target_type NULL */
	struct kd_conf_further *further; /* further targets, in their order */
	size_t further_count;
	const char *target_file;                        /* file that names the target, one of the above */
	unsigned int target_line;                       /* line of the target directive, 0 for none */
	struct target_access access;                    /* of http and s3 */
	char *sshkey;                                   /* file of the private key; NULL: the usual one */
	char *path;                                     /* default "/var/crash"; always absolute */
	char **core_collector;                          /* argv, NULL-terminated; default "dumpfilter -d 31" */
	char **encrypt;                                 /* recipients (base/age.h); NULL-terminated, never NULL */
	unsigned int encrypt_public;                    /* enum kd_public; default host */
	char *kdump_pre, *kdump_post, *kdump_emergency; /* commands (words, no shell); NULL for none */
	char **extra_bins;                              /* NULL-terminated lists, never NULL */
	char **extra_modules;
	char **extra_files;
	char **fence_kdump_nodes;      /* names or addresses */
	char **fence_kdump_args;       /* kdump/config/fence_kdump.h parses them */
	enum kd_action failure_action; /* default reboot */
	bool dump_to_rootfs;         /* before that, try path on the file system that has it when no target is named */
	enum kd_action final_action; /* default reboot */
	struct kd_plan_loop crash_loop; /* default 3 crashes in 60 minutes: reboot; count 0: off */
	/* Seconds. */
	unsigned int device_timeout;  /* for the target's device to appear */
	unsigned int mount_timeout;   /* for it to be mounted then */
	unsigned int stall_timeout;   /* without progress, after which a collector is stopped */
	unsigned int capture_timeout; /* for the whole capture; 0: as long as so much memory may take */
	bool pstore;                  /* default yes: the record of a capture may go to ERST or EFI variables */
	bool force_rebuild, force_no_rebuild;
	bool auto_reset_crashkernel; /* default yes: packages may change a crashkernel= that kdumpctl chose */
	/* Which dumps stay (kdump/dumps/retention.h); 0: no such limit, which is the default. */
	uint64_t keep_dumps, keep_days;
	uint64_t keep_size;              /* bytes */
	uint64_t keep_free;              /* bytes, or … */
	unsigned int keep_free_percent;  /* … percent of the file system */
	struct kd_conf_setting *setting; /* the same as text, in the order of the table of directives */
	size_t setting_count;
};

/** The text of a file of configuration, and the file's path for messages. */
struct kd_conf_text {
	const char *file, *text;
};

/** Parse the @count texts, at least one, on top of each other. *ret is to be freed with kd_conf_free().
 *  @warn, if not NULL, is called with a message for each obsolete directive ("default"). */
struct kd_error *kd_conf_parse(const struct kd_conf_text *texts, size_t count, struct kd_conf *ret,
			       void (*warn)(void *arg, const char *message), void *warn_arg) MUST_CHECK;

/** Defaults only, as from an empty file. */
struct kd_error *kd_conf_default(struct kd_conf *ret) MUST_CHECK;

/** "FILE:LINE: DIRECTIVE", the beginning of a message; without a line if no file has it. The caller owns *ret. */
struct kd_error *kd_conf_where(const struct kd_conf *conf, const char *directive, char **ret) MUST_CHECK;

/** The target that @conf asks for. The strings belong to @conf. */
struct target_request kd_conf_target(const struct kd_conf *conf);
/** The same for further target @i. */
struct target_request kd_conf_further(const struct kd_conf *conf, size_t i);

/** Is a target of this type among them? */
bool kd_conf_has_target(const struct kd_conf *conf, const char *type);

/** A zeroed struct is allowed. */
void kd_conf_free(struct kd_conf *conf);
static inline void kd_conf_free_cleanup(struct kd_conf *conf)
{
	kd_conf_free(conf);
}

/** The directory of files that are read after @file. The caller owns *ret. */
struct kd_error *kd_conf_directory(const char *file, char **ret) MUST_CHECK;

/** Read and parse @file below @root, and what is in the directory beside it. Remarks are warnings on @log, which may be
 *  NULL. KD_ERR_OS, KD_ERR_CONFIG. */
struct kd_error *kd_conf_load(const struct kd_sysroot *root, const struct kd_log *log, const char *file,
			      struct kd_conf *ret) MUST_CHECK;

#endif
