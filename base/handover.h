/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What kdumpctl tells the capture about the boot in which it loads the image: earlier crashes of this machine, and the
 *  kernel to which final_action kexec returns.
 *
 *  All of it is computed while the machine is healthy. The capture kernel only sees its own part of the memory map, and
 *  it may run on another CPU than the firmware started; so the record has the whole layout of the returning kernel:
 *  which bytes go to which physical addresses, what they must hash to, and what else must hold.
 *
 *  The loader puts the record and its small files behind the image, in memory only, because they differ from boot to
 *  boot. It is a text file (kdump-plan(5)) with one "key value…" per line; the first line is "kdump-handover 1", the
 *  last "end". Writer and reader are of one build: an unknown key is an error.
 */
#ifndef BASE_HANDOVER_H
#define BASE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"

/* In the capture kernel's file system. */
#define KD_HANDOVER_DIR    "/etc/kdump.handover"
#define KD_HANDOVER_RECORD KD_HANDOVER_DIR "/record"

enum {
	KD_HANDOVER_SEGMENTS = 16, /* KEXEC_SEGMENT_MAX of Linux */
	KD_HANDOVER_CRASHES = 64,
	KD_HANDOVER_FUNCTIONS = 8192, /* of PCI */
	KD_HANDOVER_FUNCTION = 24,    /* characters of the name of one, with the NUL */
	KD_HANDOVER_SEED = 32,        /* bytes */
	KD_HANDOVER_PAGE = 4096,
};

/** Some bytes of a file, and where they go. */
struct kd_handover_segment {
	char name[16];         /* "kernel" …, for messages */
	bool in_image;         /* the file is in the capture kernel's own file system, not in that of the plan's boot */
	uint64_t offset, size; /* in the file */
	uint64_t address;      /* physical, of whole pages */
	uint64_t memory;       /* bytes there, in whole pages; zeros follow the bytes of the file */
	uint8_t digest[KD_SHA256_SIZE];
	char *file; /* absolute path */
};

/** A PCI function that the healthy machine had. */
struct kd_handover_function {
	char name[KD_HANDOVER_FUNCTION]; /* "0000:00:1f.2" */
	bool hides; /* only its driver (Intel VMD, Thunderbolt) shows what is behind it, so that it can be stopped */
};

struct kd_handover {
	int64_t crash[KD_HANDOVER_CRASHES]; /* when this machine crashed before; seconds since the epoch */
	size_t crashes;
	char *refused;     /* why this boot has no kernel to return to; NULL: it has one, or none was asked for */
	char *release;     /* of the kernel to return to; NULL: there is none, and nothing of the following counts */
	bool previous;     /* it is not the kernel that crashed but the one before */
	uint64_t boot_cpu; /* the APIC ID of the CPU that the firmware started */
	uint64_t entry;    /* physical address at which it starts */
	uint64_t seed;     /* where KD_HANDOVER_SEED random bytes go, from the start of segment @seeded; 0: nowhere */
	size_t seeded;
	struct kd_handover_segment segment[KD_HANDOVER_SEGMENTS];
	size_t segments;
	struct kd_handover_function *function;
	size_t functions;
};

/** Parse the text of a record. @name is for messages. Sizes and addresses are checked: segments are whole pages and do
 *  not overlap, the entry lies in one of them, and so does the seed. Free *ret with kd_handover_free().
 *  KD_ERR_FORMAT. */
struct kd_error *kd_handover_parse(const char *text, const char *name, struct kd_handover *ret) MUST_CHECK;

/** The record as text, owned by the caller. KD_ERR_FORMAT: a path or name cannot be written. */
struct kd_error *kd_handover_format(const struct kd_handover *handover, char **ret) MUST_CHECK;

/** KD_ERR_LIMIT: there are too many. */
struct kd_error *kd_handover_add_function(struct kd_handover *handover, const char *name, bool hides) MUST_CHECK;

/** How many of the earlier crashes are at most @seconds older than one at @now. Later ones do not count: a clock was
 *  wrong. */
size_t kd_handover_recent(const struct kd_handover *handover, int64_t now, int64_t seconds);

/** A zeroed struct is allowed. */
void kd_handover_free(struct kd_handover *handover);
static inline void kd_handover_free_cleanup(struct kd_handover *handover)
{
	kd_handover_free(handover);
}

#endif
