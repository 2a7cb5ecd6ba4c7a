/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/crash_log.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/klog.h"
#include "base/parse.h"
#include "base/sha256.h"
#include "base/text.h"

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* All crashes of a kind have these frames, so they do not distinguish one crash from another. */
/* clang-format off */
static const char *const generic_frames[] = {
	"dump_stack", "dump_stack_lvl", "show_stack", "dump_backtrace", "__dump_stack", "panic", "vpanic", "nmi_panic",
	"__crash_kexec", "crash_kexec", "machine_kexec", "oops_end", "die", "__die", "__die_body", "no_context",
	"page_fault_oops", "bad_area", "__bad_area_nosemaphore", "do_user_addr_fault", "kernelmode_fixup_or_oops",
	"__do_page_fault", "do_page_fault", "exc_page_fault", "handle_page_fault", "page_fault", "do_trap",
	"do_error_trap", "exc_invalid_op", "handle_bug", "do_invalid_op", "invalid_op", "report_bug", "exc_nmi",
	"default_do_nmi", "nmi_handle", "end_repeat_nmi", "nmi", "watchdog_overflow_callback",
	"watchdog_timer_fn", "watchdog_hardlockup_check", "__hrtimer_run_queues", "hrtimer_interrupt",
	"__sysvec_apic_timer_interrupt", "sysvec_apic_timer_interrupt", "exc_general_protection", "out_of_memory",
	"exc_double_fault", "handle_stack_overflow", "die_kernel_fault", "do_mem_abort", "el1_abort", "el1h_64_sync",
	"el1h_64_sync_handler", "do_translation_fault", "entry_SYSCALL_64_after_hwframe", "do_syscall_64",
	"x64_sys_call", "ret_from_fork", "ret_from_fork_asm", "kthread", "show_regs", "rest_init",
};
/* clang-format on */

static const struct {
	char letter;
	const char *meaning;
} taints[] = {
	{ 'P', "a proprietary module was loaded" },
	{ 'F', "a module was force loaded" },
	{ 'S', "the processor or system is out of its specification" },
	{ 'R', "a module was force unloaded" },
	{ 'M', "the processor reported a machine check" },
	{ 'B', "a bad page was found, or a page's flags were wrong" },
	{ 'U', "taint was requested by a user program" },
	{ 'D', "the kernel had died before (an oops or BUG)" },
	{ 'A', "an ACPI table was overridden by the user" },
	{ 'W', "the kernel had issued a warning before" },
	{ 'C', "a staging driver was loaded" },
	{ 'I', "a workaround for a bug of the firmware was applied" },
	{ 'O', "a module from outside the kernel's tree was loaded" },
	{ 'E', "an unsigned module was loaded" },
	{ 'L', "a soft lockup had occurred before" },
	{ 'K', "the kernel was live patched" },
	{ 'X', "auxiliary, defined by the distribution" },
	{ 'T', "built with structure layout randomization" },
	{ 'N', "an in-kernel test was run" },
	{ 'J', "a fwctl function was used that may alter the device" },
};

const char *crash_log_taint(char letter)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(taints); i++)
		if (taints[i].letter == letter)
			return taints[i].meaning;
	return NULL;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

struct lines {
	char **line;
	size_t count;
};

#define STORY_MAX 250 /* lines that an oops may take up before its panic */

/* The kind of trouble that @line reports if it is not a panic; NULL: it reports no trouble, or not its kind. */
static const char *opening_kind(const char *line)
{
	const char *kind;

	return kd_klog_weigh(kd_klog_message(line, NULL), &kind) == KD_KLOG_PANIC ? NULL : kind;
}

static bool is_panic(const char *line)
{
	return kd_klog_weigh(kd_klog_message(line, NULL), NULL) == KD_KLOG_PANIC;
}

/* Find the line where the last crash of the log begins, and the line that gives its reason. False: there is no crash.
 */
static bool find_story(const struct lines *lines, size_t *begin, size_t *reason, const char **kind)
{
	size_t end = lines->count, i, first;
	const char *special;

	/* The last panic: later messages belong to the same crash. */
	for (i = lines->count; i > 0 && end == lines->count; i--)
		if (is_panic(lines->line[i - 1]))
			end = i - 1;
	while (end < lines->count && end > 0 && is_panic(lines->line[end - 1]))
		end--;
	*kind = NULL;
	first = end > STORY_MAX ? end - STORY_MAX : 0;
	/* Go back over the headlines that belong together: "BUG: …", then "Oops: …". */
	for (i = end; i > first; i--) {
		special = opening_kind(lines->line[i - 1]);
		if (special && *kind && *begin - (i - 1) > 12)
			break;
		if (special) {
			*kind = special;
			*begin = *reason = i - 1;
		}
	}
	if (end == lines->count)
		return *kind != NULL;
	kd_klog_weigh(kd_klog_message(lines->line[end], NULL), &special);
	/* A panic with a reason of its own outweighs the lines before it; "Fatal exception" only ends an oops. */
	if (special || !*kind) {
		if (!*kind || strcmp(special, *kind) != 0)
			*begin = end;
		*reason = end;
		*kind = special ? special : "panic";
	}
	return true;
}

/* --- facts -------------------------------------------------------------------------------------------------------- */

/* Store a copy of @length bytes of @text in *field, unless it has a text already. False: no memory. */
static bool keep(char **field, const char *text, size_t length)
{
	if (!*field)
		*field = strndup(text, length);
	return *field != NULL;
}

/* "CPU: 1 PID: 138 Comm: sh Kdump: loaded Tainted: G        W  O       6.1.0 #1"; since 6.11 with "UID: 0". */
static bool read_cpu_line(const char *message, struct crash_log *log)
{
	const char *pid, *comm, *end, *taint;
	char letters[32];
	size_t used = 0;

	if (!kd_starts_with(message, "CPU: ") || !(pid = strstr(message, " PID: ")) ||
	    !(comm = strstr(pid, " Comm: ")) || log->task)
		return true;
	log->cpu = strtol(message + 5, NULL, 10);
	log->pid = strtol(pid + 6, NULL, 10);
	comm += 7;
	end = strstr(comm, " Kdump: ");
	if (!end)
		end = strstr(comm, " Tainted: ");
	if (!end)
		end = strstr(comm, " Not tainted");
	if (!end)
		end = comm + strcspn(comm, " ");
	if (!keep(&log->task, comm, end - comm))
		return false;
	taint = strstr(end, " Tainted: ");
	if (!taint)
		return true;
	/* One column per flag: its letter, or a blank; G stands for "nothing proprietary", and the release
	 * follows. 6.10 and later spell the letters out: "Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE". */
	for (taint += 10; *taint && used < sizeof(letters) - 1 && !isdigit((unsigned char)*taint); taint++) {
		if (*taint == '=')
			taint += strcspn(taint, " ") - 1;
		else if (isupper((unsigned char)*taint) && *taint != 'G')
			letters[used++] = *taint;
	}
	return !used || keep(&log->taint, letters, used);
}

/* "vfs_write+0xc7/0x3f0 [ext4]" */
static bool is_location(const char *text)
{
	size_t name = strcspn(text, "+ ");

	return name && text[name] == '+' && kd_starts_with(text + name, "+0x") && strchr(text + name, '/');
}

/* The length of the name alone, without the offset and the suffix that compilers append to clones. */
static size_t symbol_length(const char *text)
{
	size_t length = strcspn(text, "+ "), i;

	for (i = 1; i < length; i++)
		if (text[i] == '.')
			return i;
	return length;
}

static bool add_frame(struct crash_log *log, const char *text)
{
	struct crash_frame *frame = &log->frame[log->frames];

	if (log->frames == CRASH_FRAMES_MAX)
		return true;
	frame->text = strdup(text);
	frame->symbol = strndup(text, symbol_length(text));
	log->frames++;
	return frame->text && frame->symbol;
}

static bool read_rip(const char *message, struct crash_log *log)
{
	const char *place = NULL;

	if (kd_starts_with(message, "RIP: 0010:")) /* 0033: is user space */
		place = message + 10;
	else if (kd_starts_with(message, "pc : "))
		place = message + 5;
	return !place || !is_location(place) || keep(&log->rip, place, strlen(place));
}

static bool add_modules(struct crash_log *log, const char *list)
{
	size_t length;

	for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
		length = strcspn(list, " ");
		if (kd_starts_with(list, "[last"))
			break;
		if (log->modules == CRASH_MODULES_MAX)
			return true;
		log->module[log->modules] = strndup(list, length);
		if (!log->module[log->modules])
			return false;
		log->modules++;
		list += length;
	}
	return true;
}

enum trace { TRACE_BEFORE, TRACE_INSIDE, TRACE_AFTER };

/* Read a line of the first backtrace. Marks such as <TASK> and <IRQ> and the registers of an interrupted function may
 * stand between its frames. */
static bool read_trace(const char *message, enum trace *trace, struct crash_log *log)
{
	const char *text = message + strspn(message, " ");

	if (*trace == TRACE_BEFORE && (kd_starts_with(text, "Call Trace:") || kd_starts_with(text, "Call trace:"))) {
		*trace = TRACE_INSIDE;
		/* The trace of an exception begins with the caller of the interrupted function. */
		return !log->rip || add_frame(log, log->rip);
	}
	if (*trace != TRACE_INSIDE)
		return true;
	if (kd_starts_with(text, "Modules linked in") || kd_starts_with(text, "---[") ||
	    kd_starts_with(text, "CPU: ")) {
		*trace = TRACE_AFTER;
		return true;
	}
	/* arm64 repeats the interrupted function in the trace, followed by " (P)". */
	if (log->frames == 1 && log->rip && kd_starts_with(text, log->rip))
		return true;
	return *text == '?' || !is_location(text) || add_frame(log, text);
}

static bool read_line(const char *message, enum trace *trace, struct crash_log *log)
{
	static const char hardware[] = "Hardware name: ", modules[] = "Modules linked in:";

	if (!read_cpu_line(message, log) || !read_rip(message, log) || !read_trace(message, trace, log))
		return false;
	if (kd_starts_with(message, hardware) && !keep(&log->hardware, message + strlen(hardware), strlen(message)))
		return false;
	return !kd_starts_with(message, modules) || log->modules || add_modules(log, message + strlen(modules));
}

/* --- signature ---------------------------------------------------------------------------------------------------- */

static bool is_generic(const char *symbol)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(generic_frames); i++)
		if (strcmp(symbol, generic_frames[i]) == 0)
			return true;
	return kd_starts_with(symbol, "asm_") || kd_starts_with(symbol, "__x64_sys_") ||
	       kd_starts_with(symbol, "__pfx_");
}

#define SIGNATURE_FRAMES 5

static void sign(struct crash_log *log)
{
	uint8_t digest[KD_SHA256_SIZE];
	struct kd_sha256 hash;
	size_t i, used = 0;

	kd_sha256_init(&hash);
	kd_sha256_update(&hash, log->kind, strlen(log->kind) + 1);
	if (log->rip)
		kd_sha256_update(&hash, log->rip, symbol_length(log->rip));
	i = log->rip && log->frames && strcmp(log->frame[0].text, log->rip) == 0;
	for (; i < log->frames && used < SIGNATURE_FRAMES; i++) {
		if (is_generic(log->frame[i].symbol))
			continue;
		kd_sha256_update(&hash, "\n", 1);
		kd_sha256_update(&hash, log->frame[i].symbol, strlen(log->frame[i].symbol));
		used++;
	}
	/* Without a location, sign the words of the reason. Numbers differ from crash to crash and are left out. */
	for (i = 0; !used && !log->rip && log->reason && log->reason[i]; i++)
		if (!isxdigit((unsigned char)log->reason[i]))
			kd_sha256_update(&hash, &log->reason[i], 1);
	kd_sha256_final(&hash, digest);
	kd_hex(digest, (CRASH_SIGNATURE_MAX - 1) / 2, log->signature);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

struct kd_error *crash_log_parse(const char *text, struct crash_log *ret)
{
	_cleanup_(crash_log_free) struct crash_log log = { .kind = "unknown", .pid = -1, .cpu = -1 };
	_cleanup_free_ char *copy = strdup(text);
	_cleanup_free_ char **line = NULL;
	struct lines lines = { 0 };
	enum trace trace = TRACE_BEFORE;
	size_t i, reason = 0;
	double stamp;

	line = copy ? kd_klog_cut(copy, &lines.count) : NULL;
	if (!line)
		return kd_error_nomem();
	lines.line = line;
	log.line = lines.count;
	if (find_story(&lines, &log.line, &reason, &log.kind)) {
		const char *message = kd_klog_message(lines.line[reason], &stamp);

		if (stamp > 0)
			log.uptime = stamp;
		if (!keep(&log.reason, message, strlen(message)))
			return kd_error_nomem();
	} else {
		log.kind = "unknown";
	}
	for (i = log.line; i < lines.count; i++)
		if (!read_line(kd_klog_message(lines.line[i], NULL), &trace, &log))
			return kd_error_nomem();
	sign(&log);
	*ret = log;
	log = (struct crash_log){ 0 };
	return NULL;
}

void crash_log_free(struct crash_log *log)
{
	size_t i;

	free(log->reason);
	free(log->task);
	free(log->taint);
	free(log->hardware);
	free(log->rip);
	for (i = 0; i < log->frames; i++) {
		free(log->frame[i].text);
		free(log->frame[i].symbol);
	}
	for (i = 0; i < log->modules; i++)
		free(log->module[i]);
	*log = (struct crash_log){ 0 };
}
