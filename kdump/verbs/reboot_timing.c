/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl reboot --timing: how long the last reboot took. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/run.h"
#include "base/text.h"
#include "kdump/reboot/times.h"
#include "kdump/verbs/reboot.h"
#include "kdump/verbs/terminal.h"

struct kd_error *reboot_timing_note(struct kdumpctl *ctl)
{
	struct reboot_note note = { 0 };
	struct utsname name;
	_cleanup_free_ char *boot = NULL;
	struct kd_error *err = kd_sysroot_read_line(&ctl->root, &boot, KD_BOOT_ID_PATH);

	if (err)
		return err;
	snprintf(note.boot, sizeof(note.boot), "%s", boot);
	if (uname(&name) == 0)
		snprintf(note.from, sizeof(note.from), "%s", name.release);
	reboot_moment_now(&note.command);
	return reboot_note_write(&ctl->root, &note);
}

/* --- what systemd knows ------------------------------------------------------------------------------------------- */

/* "NAME=1234" among the lines of @text. */
static uint64_t value_of(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		_cleanup_free_ char *number = NULL;
		uint64_t value = 0;

		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != '=')
			continue;
		number = strndup(line + length + 1, strcspn(line + length + 1, "\n"));
		return number && kd_parse_u64(number, 10, &value) ? value : 0;
	}
	return 0;
}

/* What the program prints; "" if it fails. */
static struct kd_error *ask(const char *const *words, char *text, size_t size)
{
	int status = 0;
	struct kd_error *err = kd_run(words, false, text, size, &status);

	if (!err && status)
		*text = '\0';
	return err;
}

static struct kd_error *ask_manager(struct reboot_arrival *arrival)
{
	static const char *const words[] = { "systemctl", "show", "--property=InitRDTimestampMonotonic",
					     "--property=UserspaceTimestampMonotonic", NULL };
	char text[512];
	struct kd_error *err = ask(words, text, sizeof(text));

	if (err)
		return err;
	arrival->initrd = value_of(text, "InitRDTimestampMonotonic");
	arrival->userspace = value_of(text, "UserspaceTimestampMonotonic");
	return NULL;
}

static struct kd_error *ask_unit(const char *unit, struct reboot_arrival *arrival)
{
	const char *const words[] = {
		"systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--", unit, NULL
	};
	char text[512];
	struct kd_error *err = ask(words, text, sizeof(text));

	if (err)
		return err;
	arrival->reached = value_of(text, "ActiveEnterTimestampMonotonic");
	return arrival->reached ? NULL : kd_error_create(KD_ERR_STATE, "%s is not up yet", unit);
}

/* The last entry of the boot before; nothing is known if its journal was not kept. */
static struct kd_error *ask_journal(const struct reboot_note *note, struct reboot_arrival *arrival)
{
	_cleanup_free_ char *match = NULL;
	char text[4096], *at;
	struct kd_error *err = kd_format(&match, "_BOOT_ID=%s", note->boot);

	if (err)
		return err;
	/* journalctl knows the ID without its dashes. */
	for (char *from = match, *to = match;; from++) {
		if (*from != '-')
			*to++ = *from;
		if (!*from)
			break;
	}
	err = ask((const char *const[]){ "journalctl", "--quiet", "--no-pager", "--lines=1", "--output=export",
					 "--output-fields=PRIORITY", match, NULL },
		  text, sizeof(text));
	at = err ? NULL : strstr(text, "__MONOTONIC_TIMESTAMP=");
	if (at)
		arrival->stopped = value_of(at, "__MONOTONIC_TIMESTAMP");
	return err;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static void print(const struct reboot_note *note, const char *unit, const struct reboot_times *times)
{
	static const char *const names[REBOOT_PHASES] = {
		[REBOOT_PHASE_STOP] = "services stopped", [REBOOT_PHASE_JUMP] = "unmounted, jumped",
		[REBOOT_PHASE_KERNEL] = "kernel",         [REBOOT_PHASE_INITRD] = "initramfs",
		[REBOOT_PHASE_USERSPACE] = "user space",  [REBOOT_PHASE_TOTAL] = "in all",
	};
	struct utsname name = { 0 };
	struct term term;

	uname(&name);
	term_init(&term, stdout);
	term_line(&term, "%s to %s, until %s was up; %s", note->from, name.release, unit,
		  times->by_counter ? "no firmware between" : "through the firmware: to the second only");
	for (size_t i = 0; i < REBOOT_PHASES; i++) {
		const char *words = i == REBOOT_PHASE_JUMP && !times->known[REBOOT_PHASE_STOP] ? "stopped, jumped" :
												 names[i];

		if (times->known[i])
			term_line(&term, "%-18s %9.3f s", words, (double)times->phase[i] / 1e6);
	}
}

struct kd_error *reboot_timing_show(struct kdumpctl *ctl, const char *unit)
{
	_cleanup_free_ char *boot = NULL;
	struct reboot_arrival arrival = { 0 };
	struct reboot_note note = { 0 };
	struct reboot_times times;
	struct kd_error *err = reboot_note_read(&ctl->root, &note);

	if (!err && !kd_sysroot_is_live(&ctl->root))
		return kd_error_create(KD_ERR_USAGE, "--timing works on the running machine only");
	if (!err)
		err = kd_sysroot_read_line(&ctl->root, &boot, KD_BOOT_ID_PATH);
	if (!err && strcmp(boot, note.boot) == 0)
		return kd_error_create(KD_ERR_STATE, "the machine has not rebooted since \"kdumpctl reboot\"");
	if (!err)
		err = ask_manager(&arrival);
	if (!err)
		err = ask_unit(unit, &arrival);
	if (!err)
		err = ask_journal(&note, &arrival);
	if (err)
		return err;
	reboot_moment_now(&arrival.now);
	reboot_times_make(&note, &arrival, &times);
	print(&note, unit, &times);
	return NULL;
}
