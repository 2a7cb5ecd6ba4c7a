/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Every verb and its options, by the file that has them; kdump/cli/verb_table.c says what each is called. */
#ifndef KDUMP_VERBS_VERBS_H
#define KDUMP_VERBS_VERBS_H

#include "kdump/verbs/kdumpctl.h"

/* arm.c */
kdumpctl_verb arm_start, arm_stop, arm_restart, arm_reload, arm_rebuild;

/* check/check.c */
kdumpctl_verb check_show;

/* collect.c */
kdumpctl_verb dumps_collect;

/* config.c */
kdumpctl_verb config_show;

/* containers.c */
kdumpctl_verb prepare_containers;
extern const struct verb_option prepare_options[];

/* debug.c */
kdumpctl_verb debug_dump;
extern const struct verb_option debug_options[];

/* decrypt.c */
kdumpctl_verb dumps_decrypt;
extern const struct verb_option dumps_decrypt_options[];

/* dump_choice.c: of verbs that only choose a dump */
extern const struct verb_option dumps_path_options[];

/* estimate.c */
kdumpctl_verb estimate_show;

/* healthy.c */
kdumpctl_verb trial_report_healthy;

/* info.c */
kdumpctl_verb dumps_info;
extern const struct verb_option dumps_info_options[];

/* list.c */
kdumpctl_verb dumps_list;
extern const struct verb_option dumps_list_options[];

/* log.c */
kdumpctl_verb dumps_log;
extern const struct verb_option dumps_log_options[];

/* manage.c */
kdumpctl_verb dumps_remove, dumps_pin, dumps_unpin;
extern const struct verb_option dumps_remove_options[];

/* propagate.c */
kdumpctl_verb propagate_key;

/* reboot.c */
kdumpctl_verb reboot_run;
extern const struct verb_option reboot_options[];

/* refresh.c */
kdumpctl_verb refresh_run, refresh_kernel_installed, refresh_kernel_removed;

/* reset_crashkernel.c */
kdumpctl_verb reset_crashkernel, reset_get_default;
/* For package scripts: if auto_reset_crashkernel is on, replace the value that kdumpctl recommended last if it is no
 * longer right. */
kdumpctl_verb reset_after_update;
/* For kernel-install: give the entry of a new kernel the setting that kdumpctl wrote for the others. */
kdumpctl_verb reset_for_kernel;
extern const struct verb_option reset_options[];

/* status.c */
kdumpctl_verb status_show, status_showmem;
extern const struct verb_option status_options[];

/* test.c */
kdumpctl_verb test_run;
extern const struct verb_option test_options[];

/* verify.c */
kdumpctl_verb dumps_verify;

/* why.c */
kdumpctl_verb dumps_why, boots_shutdown;
extern const struct verb_option dumps_why_options[];

#endif
