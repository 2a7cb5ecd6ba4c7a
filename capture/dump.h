/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Save the vmcore into a directory, encrypted if that is wanted. Each collector runs in a child process; if one fails,
 *  the next rung of the ladder is tried (ladder.h). */
#ifndef CAPTURE_DUMP_H
#define CAPTURE_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "capture/copy.h"
#include "capture/disks.h"
#include "capture/encrypt.h"
#include "capture/ladder.h"
#include "capture/memory.h"
#include "dumpfilter/dumpfilter.h"

struct dump_request {
	const char *vmcore; /* absolute path */
	int dir;            /* where "vmcore" is saved, or "vmcore-incomplete" if no rung works; encrypted, with
			       ".flat.age" behind that */
	const struct kd_plan_collector *collector;
	const struct encryption *encryption;
	int64_t deadline; /* of all rungs together */
	int64_t stall_ms; /* a collector that makes no progress for so long is stopped, and the next rung tried */
	bool next; /* another target follows, for which one that is too slow is given up (ladder_is_too_slow()) */
	const struct kd_log *log;
	int console; /* for progress; -1: none */
	const struct kd_sysroot *root;
	const struct disks *disks; /* that @dir lies on: when they are gone, so is the target */
	struct memory_use *memory; /* its peak is updated */
};

struct dump_attempt {
	enum rung rung;
	enum child_end end;
	int64_t start, stop;  /* clock_ms() */
	uint64_t peak_memory; /* of the collector */
	uint64_t size;        /* bytes on the disk; as last seen if the collector was left behind */
	uint64_t pages;       /* that the file holds, as far as known */
	bool filtered;        /* @report was filled, by the built-in filter or by the program dumpfilter */
	struct dumpfilter_report report;
	struct copy_result copy;
	char error[256]; /* "" if it worked */
};

struct dump_result {
	bool complete;
	bool stuck; /* nothing may touch this target any more: a child was left behind while it wrote to it, or its disk
		     * is gone */
	bool lost;  /* the target does not answer any more, or gives errors */
	bool final; /* neither another collector nor another target can save more: memory itself cannot be read */
	int status; /* exit status of the last collector, as in a shell: 0 is success */
	unsigned int count;
	unsigned int kept; /* index of the attempt whose file was kept, if a file was written */
	struct dump_attempt attempt[RUNG_NONE];
};

/** Returns NULL if "vmcore" is complete and on the disk; else the last rung's error, and "vmcore-incomplete" holds what
 *  could be saved. @ret is filled in both cases. */
struct kd_error *dump_save(const struct dump_request *request, struct dump_result *ret) MUST_CHECK;

#endif
