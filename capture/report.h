/* SPDX-License-Identifier: GPL-2.0-or-later */
/** report.json: what happened in the capture kernel, for people and programs on the healthy machine.
 *
 *  One object. Times are seconds of the capture kernel's uptime, sizes are bytes, unless noted otherwise.
 *
 *      format            1; a higher number means that a field has changed its meaning
 *      result            "complete": vmcore is complete; "incomplete": vmcore-incomplete can be opened, but pages are
 *                        missing: it was cut off, or more than 1 % of its pages, or any vital one, could not be read;
 *                        "log-only": only vmcore-dmesg.txt was saved; "nothing"
 *      host              host name of the healthy machine
 *      panic             line of the log that tells why the kernel crashed, or null
 *      crash_time        seconds since the epoch (UTC), 0 if unknown
 *      kernel            of the crashed kernel: {release, version, machine, build_id, memory, cpus}
 *      target            {type, device: as in the plan, node, directory: below the target's root}
 *      collector         the words of core_collector
 *      rung              how the kept file was made: "configured", "filter", "store", "copy" (capture/ladder.h)
 *      attempts          every attempt: [{rung, start, seconds, size, peak_memory, error: null if it worked}]
 *      vmcore_size       bytes of the saved file on the disk
 *      log_size          bytes of vmcore-dmesg.txt
 *      pages             only from dumpfilter, built in or as a program: {page_size, written, unreadable,
 *                        first_unreadable: {address: the lowest physical one, error: why} or null, vital_unreadable:
 *                        how many of them no reader can do without, windows: the number of windows of page frames,
 *                        more than 1 to save memory, unfiltered: true if the rules did not fit this kernel and all
 *                        pages were kept, and a count for each class: keep, zero, cache, …}
 *      copy              only of a plain copy: {unreadable: bytes, which are zeros in the copy, first_unreadable:
 *                        {offset: in the vmcore, error: why} or null}
 *      quiesced          {count, failed, devices: [PCI functions whose DMA was stopped]}
 *      modules           {inserted, failed}
 *      memory            of the capture kernel: {total, peak: highest use seen, collector_peak: resident}
 *      steps             [{name, start, seconds, ok}] in order. The names are "setup" (the capture program starts),
 *                        "quiesce" (stop DMA), "modules", "random" (wait for random numbers, if the dump is
 *                        encrypted), "log" (read the crashed kernel's log), "save" (all targets,
 *                        and within it for each target: "connect", "save-log", "pre" (programs before the dump, on the
 *                        first target only), "reserve" space for the report, "dump", "report", and "disconnect" if
 *                        another target follows), "post" (programs after the dump), "disconnect", "trace" (if nothing
 *                        was saved, the end of the log goes to the console). A capture that was started a second
 *                        time has "trace" and "disconnect" before its second "save"; the steps that the first
 *                        one did not end have failed. kdumpctl info has its own words for them
 *      complete_at       when the dump was complete and on the disk; null if it is not
 *      errors            [text] of every error, in order
 */
#ifndef CAPTURE_REPORT_H
#define CAPTURE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/flight.h"
#include "base/plan.h"
#include "capture/crash.h"
#include "capture/dump.h"
#include "capture/memory.h"
#include "capture/quiesce.h"
#include "capture/target.h"

enum { REPORT_FORMAT = 1 };

enum capture_result { CAPTURE_NOTHING, CAPTURE_LOG_ONLY, CAPTURE_INCOMPLETE, CAPTURE_COMPLETE };
/** The result in plain language, to follow "result: ". */
const char *capture_result_words(enum capture_result result);

struct report {
	enum capture_result result;
	const struct kd_plan *plan;
	const struct crash_facts *crash;
	const struct kd_plan_target *target; /* NULL: no target was tried */
	const struct target_place *place;
	struct dump_result dump; /* on this target */
	int64_t complete_at;     /* 0: not complete */
	struct quiesce_result quiesce;
	unsigned int modules_inserted, modules_failed;
	struct memory_use memory;
	const struct kd_flight *flight; /* has the steps and the errors */
};

/** The result's word in the report. */
const char *capture_result_name(enum capture_result result);

/** Write @report as JSON. */
void report_write(FILE *out, const struct report *report);

/** Write what everybody may read of an encrypted dump, public.json: of the members above those that the plan calls
 *  public, and those that can be seen from outside anyway (format, result, crash_time, vmcore_size). */
void report_write_public(FILE *out, const struct report *report);

#endif
