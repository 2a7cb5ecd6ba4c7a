/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the program in the new kernel's initramfs is told, as lines of text:
 *
 *      deadline 120             seconds after which the machine goes back unless the trial is committed
 *      module iTCO_wdt.ko a=1   a driver of a watchdog, below AIRBAG_MODULES, and its parameters; in insertion order
 */
#ifndef KDUMP_AIRBAG_SETTINGS_H
#define KDUMP_AIRBAG_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { AIRBAG_MODULES_MAX = 16 };

/** @name and @options are borrowed from the text. */
struct airbag_settings {
	uint64_t deadline;
	struct airbag_module {
		const char *name;
		const char *options; /* "": none */
	} module[AIRBAG_MODULES_MAX];
	size_t module_count;
};

/** Parse @text, which is changed. KD_ERR_FORMAT. */
struct kd_error *airbag_settings_parse(char *text, struct airbag_settings *ret) MUST_CHECK;

/** The text of @settings; owned by the caller. KD_ERR_NOMEM. */
struct kd_error *airbag_settings_format(const struct airbag_settings *settings, char **ret) MUST_CHECK;

#endif
