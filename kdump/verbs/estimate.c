/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl estimate". */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/json.h"
#include "kdump/sizing/reservation.h"
#include "kdump/verbs/containers.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { COLUMN = 22 }; /* of the values */

/* --- printing ----------------------------------------------------------------------------------------------------- */

static void print_line(int column, const char *label, uint64_t bytes)
{
	printf("%-*s%" PRIu64 "M\n", column - 1, label, kd_mib_up(bytes));
}

/* Red Hat's lines. Scripts know their words and columns. */
static void print_known(const struct term *term, const struct estimate *estimate)
{
	size_t i;

	printf("%-25s%" PRIu64 "M\n", "Reserved crashkernel:", estimate->reserved >> 20);
	print_line(26, "Recommended crashkernel:", estimate->recommended);
	putchar('\n');
	print_line(COLUMN, "Kernel image size:", estimate->kernel);
	print_line(COLUMN, "Kernel modules size:", estimate->modules);
	print_line(COLUMN, "Initramfs size:", estimate->initramfs);
	print_line(COLUMN, "Runtime reservation:",
		   estimate->elfcorehdr + estimate->early + estimate->filter + estimate->mem_map);
	if (estimate->large_count) {
		puts("Large modules:");
		for (i = 0; i < estimate->large_count; i++)
			term_line(term, "    %s: %" PRIu64, estimate->large[i].name, estimate->large[i].size);
	} else {
		puts("Large modules: <none>");
	}
	if (estimate->reserved < estimate->recommended)
		printf("WARNING: Current crashkernel size is lower than recommended size %" PRIu64 "M.\n",
		       kd_mib_up(estimate->recommended));
}

static void print_source(const struct term *term, const struct estimate *estimate)
{
	char when[TERM_TIME_MAX];

	putchar('\n');
	print_line(COLUMN, "Computed need:", estimate->computed);
	if (!estimate->recorded) {
		puts("Recorded need:       none: no capture by this kernel has been recorded yet");
	} else {
		print_line(COLUMN, "Recorded need:", estimate->recorded);
		print_line(COLUMN, "Recorded peak:", estimate->recorded_peak);
		term_line(term, "Recorded in:         %s (%s)", estimate->report,
			  term_time(estimate->recorded_at, when));
	}
	if (estimate->returning)
		print_line(COLUMN, "Return by kexec:", estimate->returning);
	if (estimate->assumed_image)
		puts("The initramfs is not built yet, or you may not read it: its size and the size of its modules are assumed.");
	if (estimate_judge(estimate) == ESTIMATE_WASTEFUL)
		printf("%" PRIu64 "M more than the recommended size are reserved.\n",
		       (estimate->reserved - estimate->recommended) >> 20);
}

static void print_json(const struct kdumpctl *ctl, const struct estimate *estimate)
{
	static const char *const verdicts[] = {
		[ESTIMATE_NOTHING] = "nothing",
		[ESTIMATE_SMALL] = "small",
		[ESTIMATE_FITS] = "fits",
		[ESTIMATE_WASTEFUL] = "wasteful",
	};
	struct kd_json json = { .out = stdout };
	size_t i;

	kd_json_open(&json, NULL, '{');
	kd_json_u64(&json, "reserved_bytes", estimate->reserved);
	kd_json_u64(&json, "recommended_bytes", estimate->recommended);
	kd_json_u64(&json, "need_bytes", estimate->need);
	if (estimate->returning)
		kd_json_u64(&json, "return_bytes", estimate->returning);
	kd_json_string(&json, "verdict", verdicts[estimate_judge(estimate)]);
	kd_json_string(&json, "source", estimate->recorded ? "recorded" : "computed");
	kd_json_u64(&json, "memory_bytes", estimate->ram);
	kd_json_open(&json, "computed", '{');
	kd_json_u64(&json, "need_bytes", estimate->computed);
	kd_json_u64(&json, "kernel_bytes", estimate->kernel);
	kd_json_u64(&json, "initramfs_bytes", estimate->initramfs);
	kd_json_bool(&json, "initramfs_assumed", estimate->assumed_image);
	kd_json_u64(&json, "modules_bytes", estimate->modules);
	kd_json_u64(&json, "programs_bytes", estimate->programs);
	kd_json_u64(&json, "elfcorehdr_bytes", estimate->elfcorehdr);
	kd_json_u64(&json, "early_bytes", estimate->early);
	kd_json_u64(&json, "mem_map_bytes", estimate->mem_map);
	kd_json_u64(&json, "filter_bytes", estimate->filter);
	kd_json_close(&json, '}');
	kd_json_open(&json, "large_modules", '{');
	for (i = 0; i < estimate->large_count; i++)
		kd_json_u64(&json, estimate->large[i].name, estimate->large[i].size);
	kd_json_close(&json, '}');
	if (estimate->recorded) {
		kd_json_open(&json, "recorded", '{');
		kd_json_u64(&json, "need_bytes", estimate->recorded);
		kd_json_u64(&json, "peak_bytes", estimate->recorded_peak);
		kd_json_string(&json, "report", estimate->report);
		kd_json_u64(&json, "time", estimate->recorded_at);
		kd_json_close(&json, '}');
	}
	containers_put_fit(ctl, &json);
	kd_json_close(&json, '}');
}

struct kd_error *estimate_show(struct kdumpctl *ctl, int *status)
{
	_cleanup_(estimate_free) struct estimate estimate = { 0 };
	struct kd_error *err = reservation_estimate(&ctl->root, &ctl->log, ctl->conf_file, ctl->kernel, &estimate);
	struct term term;

	if (err)
		return err;
	if (ctl->json) {
		print_json(ctl, &estimate);
		return NULL;
	}
	term_init(&term, stdout);
	print_known(&term, &estimate);
	print_source(&term, &estimate);
	containers_print_fit(ctl, "Container:", COLUMN - 1);
	return NULL;
}
