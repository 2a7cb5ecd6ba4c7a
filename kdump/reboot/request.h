/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A reboot by kexec, as data: the entry of the boot loader's menu that is meant, and what of it is loaded. */
#ifndef KDUMP_REBOOT_REQUEST_H
#define KDUMP_REBOOT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/boot/loaders.h"
#include "kdump/loader/loader.h"

/** Which entry. All NULL: the one that the boot loader would take next. */
struct reboot_choice {
	const char *entry;   /* its id, title or kernel file */
	const char *version; /* of its kernel, as "uname -r" prints it; not together with @entry */
	const char *loader;  /* the boot loader's name; NULL: the one that boots this machine */
};

/** cpio archives, one behind the other. */
struct reboot_archives {
	void *data; /* malloc(); may hold keys */
	size_t size;
};

struct reboot_request {
	char *title;   /* of the entry, for messages; its id if it has none */
	char *version; /* of the kernel; "": the entry does not tell */
	char *why;     /* how it was chosen: "GRUB's default" */
	char *kernel;  /* path below the root */
	char **initrd; /* paths below the root, in their order; NULL-terminated, or NULL */
	char *cmdline;
	bool not_fast;                                   /* the kernel is decompressed after the jump, not before it */
	bool unified;                                    /* @kernel is a unified kernel image */
	struct reboot_archives archives;                 /* follow the initramfs files, in memory only */
	const char *const (*forget)[BOOT_COMMAND_WORDS]; /* see struct boot_entries */
};

/** Read the boot loader's menu and take the chosen entry. @ret is to be freed by reboot_request_free(). Errors as of
 *  boot_entries_load(), boot_entries_find() and boot_entry_file(); KD_ERR_UNSUPPORTED: the entry has no kernel. */
struct kd_error *reboot_request_make(const struct kd_sysroot *root, const struct reboot_choice *choice,
				     struct reboot_request *ret) MUST_CHECK;

/** Put @words at the end of the command line, behind a blank. */
struct kd_error *reboot_request_append(struct reboot_request *request, const char *words) MUST_CHECK;

/** Put a copy of the archive @data behind the others, from a multiple of four bytes on, as the kernel looks for it. The
 *  memory that held the others is wiped. */
struct kd_error *reboot_archives_add(struct reboot_archives *archives, const void *data, size_t size) MUST_CHECK;

/** Wipe and free them. A zeroed struct is allowed. */
void reboot_archives_free(struct reboot_archives *archives);
static inline void reboot_archives_free_cleanup(struct reboot_archives *archives)
{
	reboot_archives_free(archives);
}

/** Read the files and lay everything out: what loader_load() takes. As in loader_prepare(). */
struct kd_error *reboot_request_prepare(const struct kd_sysroot *root, const struct reboot_request *request,
					const struct kd_log *log, struct loader_image **ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void reboot_request_free(struct reboot_request *request);
static inline void reboot_request_free_cleanup(struct reboot_request *request)
{
	reboot_request_free(request);
}

#endif
