/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs. Red Hat's come first, in the order of its usage line, which scripts may know. */
#include "kdump/cli/verb_table.h"

#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "kdump/cli/completion.h"
#include "kdump/verbs/verbs.h"

const struct verb kdumpctl_verbs[] = {
	{
		.name = "estimate",
		.run = estimate_show,
		.group = VERB_GROUP_MEMORY,
		.flags = VERB_JSON,
		.help = "tell how much memory the capture needs on this machine",
	},
	{
		.name = "start",
		.run = arm_start,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE | VERB_DRY_RUN,
		.help = "load the capture kernel",
		.failed = "Starting kdump: [FAILED]",
	},
	{
		.name = "stop",
		.run = arm_stop,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE,
		.help = "unload the capture kernel",
		.failed = "Stopping kdump: [FAILED]",
	},
	{
		.name = "status",
		.run = status_show,
		.group = VERB_GROUP_ARM,
		.flags = VERB_JSON,
		.options = status_options,
		.help = "tell whether the capture kernel is loaded (-v: also which, and what has changed)",
	},
	{
		.name = "restart",
		.run = arm_restart,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE | VERB_DRY_RUN,
		.help = "load it again after a change of the configuration",
		.failed = "Starting kdump: [FAILED]",
	},
	{
		.name = "reload",
		.run = arm_reload,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE | VERB_DRY_RUN,
		.help = "load it again after a change of memory or CPUs",
		.failed = "Starting kdump: [FAILED]",
	},
	{
		.name = "rebuild",
		.run = arm_rebuild,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES,
		.help = "build the capture initramfs, and load nothing",
		.failed = "mkdumprd: failed to make kdump initrd",
	},
	{
		.name = "reset-crashkernel",
		.run = reset_crashkernel,
		.group = VERB_GROUP_MEMORY,
		.flags = VERB_CHANGES | VERB_DRY_RUN,
		.arguments = "[SIZE]",
		.arguments_max = 1,
		.options = reset_options,
		.looks = { "print" },
		.help = "reserve memory from the next boot on: set crashkernel= in the boot loader",
	},
	{
		.name = "propagate",
		.run = propagate_key,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES,
		.help = "make a key for dumps over ssh, and bring it to the server",
	},
	{
		.name = "showmem",
		.run = status_showmem,
		.group = VERB_GROUP_MEMORY,
		.help = "tell how much memory is reserved for the capture kernel",
	},
	{
		.name = "test",
		.run = test_run,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE,
		.options = test_options,
		.help = "crash this machine to prove that a dump is saved",
	},
	{
		.name = "setup-crypttab",
		.group = VERB_GROUP_ARM,
		.refused =
			"kdumpctl hands the key of an encrypted target over itself; where \"kdumpctl check\" says that the key "
			"cannot be had, add a key file with \"cryptsetup luksAddKey\", name it in crypttab(5), and \"kdumpctl "
			"restart\"",
	},
	{
		.name = "get-default-crashkernel",
		.run = reset_get_default,
		.group = VERB_GROUP_MEMORY,
		.arguments = "[kdump|fadump]",
		.arguments_max = 1,
		.help = "print the crashkernel= value for an unknown machine",
	},
	{
		.name = "_reset-crashkernel-after-update",
		.run = reset_after_update,
		.group = VERB_GROUP_MEMORY,
		.flags = VERB_CHANGES | VERB_DRY_RUN | VERB_HIDDEN,
		.help = "for package scripts",
	},
	{
		.name = "_reset-crashkernel-for-installed_kernel",
		.run = reset_for_kernel,
		.group = VERB_GROUP_MEMORY,
		.flags = VERB_CHANGES | VERB_DRY_RUN | VERB_HIDDEN,
		.arguments = "KVER",
		.arguments_min = 1,
		.arguments_max = 1,
		.help = "for kernel-install",
	},

	{
		.name = "check",
		.run = check_show,
		.group = VERB_GROUP_ARM,
		.flags = VERB_JSON,
		.help = "list what would keep a dump from being saved, with remedies",
	},
	{
		.name = "config",
		.run = config_show,
		.group = VERB_GROUP_ARM,
		.flags = VERB_JSON,
		.help = "list the settings in effect, and where each value comes from",
	},
	{
		.name = "prepare",
		.run = prepare_containers,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES,
		.options = prepare_options,
		.help = "make \"raw\" devices and reserved files ready: what the devices hold is lost",
	},
	{
		.name = "healthy",
		.run = trial_report_healthy,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE,
		.help = "run the checks of a kernel on trial, and end the trial if they pass",
	},
	{
		.name = "list",
		.run = dumps_list,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_JSON | VERB_FILE,
		.arguments = "[DIR]",
		.arguments_max = 1,
		.options = dumps_list_options,
		.help = "list the dumps (without DIR: where kdump.conf puts them)",
	},
	{
		.name = "info",
		.run = dumps_info,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_JSON | VERB_DUMP | VERB_FILE,
		.arguments = "[DUMP|FILE|DIR]",
		.arguments_max = 1,
		.options = dumps_info_options,
		.help = "tell what happened in a crash (without DUMP: the newest)",
	},
	{
		.name = "debug",
		.run = debug_dump,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_DUMP | VERB_FILE,
		.arguments = "[DUMP|FILE|DIR] [-- ARGUMENT…]",
		.arguments_max = SIZE_MAX,
		.options = debug_options,
		.help = "open a dump in crash or drgn (without DUMP: the newest)",
	},
	{
		.name = "log",
		.run = dumps_log,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_DUMP | VERB_FILE,
		.arguments = "[DUMP|FILE|DIR]",
		.arguments_max = 1,
		.options = dumps_log_options,
		.help = "print the kernel's log up to the crash",
	},
	{
		.name = "why",
		.run = dumps_why,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_JSON | VERB_DUMP | VERB_FILE,
		.arguments = "[DUMP|DIR]",
		.arguments_max = 1,
		.options = dumps_why_options,
		.help = "tell what became of a crash: what was tried and saved, and what to change",
	},
	{
		.name = "verify",
		.run = dumps_verify,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_JSON | VERB_DUMP | VERB_FILE,
		.arguments = "[DUMP|FILE|DIR]",
		.arguments_max = 1,
		.options = dumps_path_options,
		.help = "read a dump and tell whether it is whole and sound (without DUMP: the newest)",
	},
	{
		.name = "decrypt",
		.run = dumps_decrypt,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_DUMP | VERB_FILE,
		.arguments = "[DUMP|FILE|DIR] [OUT]",
		.arguments_max = 2,
		.options = dumps_decrypt_options,
		.help = "make an ordinary dump of an encrypted one (without DUMP: the newest)",
	},
	{
		.name = "remove",
		.run = dumps_remove,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_CHANGES | VERB_DUMP,
		.arguments = "DUMP…",
		.arguments_min = 1,
		.arguments_max = SIZE_MAX,
		.options = dumps_remove_options,
		.help = "delete dumps that are not pinned",
	},
	{
		.name = "pin",
		.run = dumps_pin,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_CHANGES | VERB_DUMP,
		.arguments = "DUMP…",
		.arguments_min = 1,
		.arguments_max = SIZE_MAX,
		.options = dumps_path_options,
		.help = "protect dumps from being deleted",
	},
	{
		.name = "unpin",
		.run = dumps_unpin,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_CHANGES | VERB_DUMP,
		.arguments = "DUMP…",
		.arguments_min = 1,
		.arguments_max = SIZE_MAX,
		.options = dumps_path_options,
		.help = "let dumps be deleted again",
	},
	{
		.name = "reboot",
		.run = reboot_run,
		.group = VERB_GROUP_REBOOT,
		.flags = VERB_CHANGES | VERB_LIVE | VERB_DRY_RUN,
		.options = reboot_options,
		.looks = { "check", "timing" },
		.help = "start another kernel without the firmware, after an orderly shutdown",
	},
	{
		.name = "_completion",
		.run = completion_print,
		.flags = VERB_HIDDEN,
		.arguments = "SHELL",
		.arguments_min = 1,
		.arguments_max = 1,
		.help = "print completions for bash, zsh or fish",
	},
	{
		.name = "_collect",
		.run = dumps_collect,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_CHANGES | VERB_HIDDEN,
		.help = "announce new dumps, and apply the limits of kdump.conf",
	},
	{
		.name = "_shutdown",
		.run = boots_shutdown,
		.group = VERB_GROUP_DUMPS,
		.flags = VERB_CHANGES | VERB_HIDDEN,
		.help = "note that the machine shuts down in an orderly way",
	},
	{
		.name = "_refresh",
		.run = refresh_run,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_LIVE | VERB_DRY_RUN | VERB_HIDDEN | VERB_REFRESH,
		.help = "load the capture kernel again if the image is not up to date",
	},
	{
		.name = "_kernel-installed",
		.run = refresh_kernel_installed,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_HIDDEN,
		.arguments = "KVER",
		.arguments_min = 1,
		.arguments_max = 1,
		.help = "build the image for a kernel that was installed",
	},
	{
		.name = "_kernel-removed",
		.run = refresh_kernel_removed,
		.group = VERB_GROUP_ARM,
		.flags = VERB_CHANGES | VERB_HIDDEN,
		.arguments = "KVER",
		.arguments_min = 1,
		.arguments_max = 1,
		.help = "delete the image of a kernel that was removed",
	},
};

const size_t kdumpctl_verb_count = ARRAY_SIZE(kdumpctl_verbs);

const struct verb *kdumpctl_find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < kdumpctl_verb_count; i++)
		if (strcmp(name, kdumpctl_verbs[i].name) == 0)
			return &kdumpctl_verbs[i];
	return NULL;
}

bool verb_is_shown(const struct verb *verb)
{
	return verb->run && !(verb->flags & VERB_HIDDEN);
}
