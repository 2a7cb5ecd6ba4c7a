/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl reboot --try": the running kernel goes along, packed, and returns unless the new one is reported
 * healthy. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "kdump/airbag/pack.h"
#include "kdump/airbag/trial.h"
#include "kdump/boot/crashkernel.h"
#include "kdump/boot/entries.h"
#include "kdump/verbs/reboot.h"
#include "kdump/verbs/trial.h"

#define PROGRAM "kdump-airbag" /* beside the capture program */
#define UNIT    "/etc/systemd/system/multi-user.target.wants/kdump-healthy.service"

enum { DEADLINE_DEFAULT = 120, DEADLINE_MIN = 10, DEADLINE_MAX = 24 * 60 * 60 };

static struct kd_error *read_deadline(const struct kdumpctl *ctl, uint64_t *ret)
{
	const char *text = ctl->option[REBOOT_DEADLINE];
	uint64_t deadline = DEADLINE_DEFAULT;

	if (text && (!kd_parse_u64(text, 10, &deadline) || deadline < DEADLINE_MIN || deadline > DEADLINE_MAX))
		return kd_error_create(KD_ERR_USAGE, "--deadline=%s is not a number of seconds from %d to %d", text,
				       DEADLINE_MIN, DEADLINE_MAX);
	*ret = deadline;
	return NULL;
}

/* --- what would come back ----------------------------------------------------------------------------------------- */

/* The running kernel's files, as its entry in the boot loader's menu names them. */
struct old_kernel {
	char *kernel;
	char **initrd; /* NULL-terminated, or NULL */
};

static void old_kernel_free(struct old_kernel *old)
{
	free(old->kernel);
	boot_files_free(old->initrd);
}
static inline void old_kernel_free_cleanup(struct old_kernel *old)
{
	old_kernel_free(old);
}

static struct kd_error *find_old(const struct kdumpctl *ctl, const struct boot_entries *entries, const char *release,
				 struct old_kernel *ret)
{
	const struct boot_entry *entry;
	struct kd_error *err;
	size_t index;

	err = boot_entries_find_version(entries, release, &index);
	if (err)
		return kd_error_wrap(err, "the running kernel cannot be packed to return");
	entry = &entries->entry[index];
	if (entry->unified)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "the running kernel is a unified kernel image (%s), which cannot be packed to "
				       "return",
				       entry->kernel);
	err = boot_entry_file(&ctl->root, entry, entry->kernel, &ret->kernel);
	return err ? err : boot_entry_initrds(&ctl->root, entry, &ret->initrd);
}

static const char *title_of(const struct boot_entry *entry)
{
	return *entry->title ? entry->title : entry->id;
}

/* Through the firmware the machine comes to the boot loader's default: the layer below the airbag. */
static void warn_of_default(const struct kdumpctl *ctl, const struct boot_entries *entries,
			    const struct reboot_request *request)
{
	const struct boot_entry *next = &entries->entry[entries->next];

	if (*next->version && strcmp(next->version, request->version) == 0)
		kd_warn(&ctl->log,
			"the boot loader's next entry is \"%s\" (%s), the new kernel: what leads through the firmware (a "
			"hang, a fault before its init, with UEFI a panic on another CPU than the first) starts the new "
			"kernel again, without a trial; make the old kernel the default before",
			title_of(next), entries->why);
	if (entries->forget)
		kd_warn(&ctl->log,
			"the boot loader's next entry is for one boot only (%s); which one it takes after a reset depends on "
			"its default",
			entries->why);
}

static void warn_of_unit(const struct kdumpctl *ctl)
{
	if (!kd_sysroot_exists(&ctl->root, UNIT))
		kd_warn(&ctl->log,
			"kdump-healthy.service is not enabled: run \"kdumpctl healthy\" in the new kernel in time, "
			"or the old one returns");
}

/* --- the new kernel ----------------------------------------------------------------------------------------------- */

/* *ret := the value of crashkernel= that the trial needs; NULL: the command line's own is enough. */
static struct kd_error *find_reservation(const struct kdumpctl *ctl, const char *cmdline, uint64_t need, char **ret)
{
	_cleanup_free_ char *setting = NULL;
	struct kd_error *err = crashkernel_get(cmdline, strlen(cmdline), &setting);
	uint64_t ram;

	if (!err)
		err = crashkernel_ram(&ctl->root, &ram);
	if (err)
		return err;
	*ret = NULL;
	if (setting && crashkernel_setting_size(setting, ram) >= need)
		return NULL;
	kd_info(&ctl->log, "the trial reserves %" PRIu64 " MiB for the old kernel instead of crashkernel=%s",
		need >> 20, setting ? setting : "0");
	return kd_format(ret, "%" PRIu64 "M", need >> 20);
}

static struct kd_error *change_request(const struct kdumpctl *ctl, const struct trial *trial,
				       const struct airbag *airbag, struct reboot_request *request)
{
	_cleanup_free_ char *crashkernel = NULL, *cmdline = NULL;
	struct kd_error *err = find_reservation(ctl, request->cmdline, airbag->need, &crashkernel);

	if (!err)
		err = trial_cmdline(trial, request->cmdline, crashkernel, &cmdline);
	if (!err)
		err = kd_set_text(&request->cmdline, cmdline);
	return err ? err : reboot_archives_add(&request->archives, airbag->archive, airbag->size);
}

static struct kd_error *read_cmdline(const struct kdumpctl *ctl, const struct trial *trial, char **ret)
{
	_cleanup_free_ char *running = NULL;
	struct kd_error *err = kd_sysroot_read_line(&ctl->root, &running, "/proc/cmdline");

	return err ? err : trial_returned_cmdline(trial, running, ret);
}

static struct kd_error *find_program(const struct kdumpctl *ctl, char **ret)
{
	const char *slash = strrchr(ctl->capture, '/');

	return kd_format(ret, "%.*s" PROGRAM, slash ? (int)(slash - ctl->capture) + 1 : 0, ctl->capture);
}

static struct kd_error *pack(const struct kdumpctl *ctl, const struct trial *trial, const struct old_kernel *old,
			     const char *release, struct airbag *ret)
{
	_cleanup_free_ char *cmdline = NULL, *program = NULL;
	struct airbag_request request = {
		.root = &ctl->root,
		.kernel = old->kernel,
		.initrd = (const char *const *)old->initrd,
		.release = release,
		.deadline = trial->deadline,
		.log = &ctl->log,
	};
	struct kd_error *err = read_cmdline(ctl, trial, &cmdline);

	if (!err)
		err = find_program(ctl, &program);
	if (err)
		return err;
	request.cmdline = cmdline;
	request.program = program;
	return airbag_pack(&request, ret);
}

/* The trial as its record has it. */
static struct kd_error *make_trial(const struct kdumpctl *ctl, const struct reboot_request *request,
				   const struct boot_entries *entries, struct trial *ret)
{
	struct kd_error *err = trial_new(&ctl->root, ret);

	if (!err)
		err = read_deadline(ctl, &ret->deadline);
	if (!err)
		err = kd_set_text(&ret->to, *request->version ? request->version : request->title);
	if (!err)
		err = kd_set_text(&ret->default_title, title_of(&entries->entry[entries->next]));
	return err;
}

/* --- the parts of the reboot -------------------------------------------------------------------------------------- */

struct kd_error *try_prepare(struct kdumpctl *ctl, const char *value, struct reboot_request *request)
{
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };
	_cleanup_(old_kernel_free) struct old_kernel old = { 0 };
	_cleanup_(airbag_free) struct airbag airbag = { 0 };
	_cleanup_(trial_free) struct trial trial = { 0 };
	struct kd_error *err = boot_entries_load(&ctl->root, ctl->option[REBOOT_BOOTLOADER], &entries);

	if (!err)
		err = make_trial(ctl, request, &entries, &trial);
	if (!err)
		err = find_old(ctl, &entries, trial.from, &old);
	if (!err)
		err = pack(ctl, &trial, &old, request->version, &airbag);
	if (!err)
		err = change_request(ctl, &trial, &airbag, request);
	if (err)
		return kd_error_wrap(err, "--try");
	warn_of_default(ctl, &entries, request);
	warn_of_unit(ctl);
	return NULL;
}

struct kd_error *try_loaded(struct kdumpctl *ctl, const char *value, const struct reboot_request *request)
{
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };
	_cleanup_(trial_free) struct trial trial = { 0 };
	struct kd_error *err = boot_entries_load(&ctl->root, ctl->option[REBOOT_BOOTLOADER], &entries);

	if (!err)
		err = make_trial(ctl, request, &entries, &trial);
	if (!err)
		err = trial_find_id(request->cmdline, LOADER_TRIAL, trial.id);
	if (!err)
		err = trial_write(&ctl->root, &trial);
	if (err)
		return kd_error_wrap(err, "--try");
	kd_info(&ctl->log,
		"trial %s of kernel %s: unless it is reported healthy within %" PRIu64
		" seconds of its init, kernel %s returns; through the firmware the boot loader takes \"%s\" (%s)",
		trial.id, trial.to, trial.deadline, trial.from, trial.default_title, entries.why);
	return NULL;
}

void try_stays(struct kdumpctl *ctl)
{
	kd_log_error(&ctl->log, trial_forget(&ctl->root));
}
