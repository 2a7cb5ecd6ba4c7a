/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/crashed_kernel.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/names/vmcoreinfo_make.h"

void crash_close(struct crash *crash)
{
	erase_release(&crash->erase);
	address_space_release(&crash->space);
	vmcore_close(crash->vmcore);
	free(crash->info_text);
	free(crash->notes);
	kd_error_destroy(crash->problem);
	crash->problem = NULL;
	crash->vmcore = NULL;
}

/* Adds @more to VMCOREINFO; lines that it had before take precedence. */
static struct kd_error *extend_info(struct crash *crash, const char *more)
{
	char *text = vmcoreinfo_join(more, &crash->info);

	if (!text)
		return kd_error_nomem();
	free(crash->info_text);
	crash->info_text = text;
	crash->info = (struct vmcoreinfo){ text, strlen(text) };
	return NULL;
}

/* Readers of the dump will miss the same notes. */
static void tell_of_notes(const struct crash *crash, const struct kd_log *log)
{
	const struct kd_error *problem = vmcore_notes_problem(crash->vmcore);

	if (problem)
		kd_warn(log, "%s; the dump %s", problem->text,
			crash->info.size ? "may lack the registers of CPUs" : "has no VMCOREINFO");
}

struct kd_error *crash_open(struct crash *crash, const char *path, const struct dumpfilter_options *options)
{
	struct kd_error *err = vmcore_open(path, &crash->vmcore);

	if (err)
		return err;
	if (!arch_find(vmcore_machine(crash->vmcore)))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: dumps of ELF machine %u are not supported", path,
				       vmcore_machine(crash->vmcore));
	if (vmcore_is_xen(crash->vmcore))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: dumps of a Xen control domain are not supported", path);
	if (options && options->no_mmap)
		vmcore_forbid_mmap(crash->vmcore);
	crash->machine = arch_find(vmcore_machine(crash->vmcore))->machine;
	crash->info.text = vmcore_vmcoreinfo(crash->vmcore, &crash->info.size);
	if (options && options->vmcoreinfo) {
		_cleanup_free_ char *more = NULL;

		err = options->vmcoreinfo(options->supplement, crash->vmcore, &crash->info, &more);
		if (!err && more)
			err = extend_info(crash, more);
	}
	if (!err && options)
		tell_of_notes(crash, options->log);
	return err;
}

/* The kernel's own symbols and types may give keys that VMCOREINFO lacks. If they do not, nothing changes. */
static void learn_info(struct crash *crash, const struct dumpfilter_options *options)
{
	_cleanup_(dump_names_release) struct dump_names names = { 0 };
	_cleanup_free_ char *more = NULL;
	_cleanup_(kd_error_destroy) struct kd_error *err = NULL;

	if (!vmcoreinfo_lacks(&crash->info))
		return;
	err = dump_names_open(&names, &crash->space);
	if (!err)
		err = vmcoreinfo_make(&names.info, &crash->info, &more);
	if (!err)
		err = extend_info(crash, more);
	if (err)
		kd_debug(options->log,
			 "VMCOREINFO lacks keys, and the kernel's own symbols and types do not give them: %s",
			 err->text);
	else
		kd_debug(options->log, "VMCOREINFO lacks keys; the kernel's own symbols and types give: %s", more);
}

void crash_explore(struct crash *crash, const struct dumpfilter_options *options)
{
	crash->problem = address_space_init(&crash->space, crash->vmcore, &crash->info, options->log);
	if (crash->problem)
		return;
	learn_info(crash, options);
	address_space_walk_all(&crash->space);
}
