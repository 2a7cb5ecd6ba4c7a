/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/programs.h"

#include <stddef.h>

const char *const kd_script_commands[] = { "dd",  "tail", "date",   "sync",   "cut",   "head",   "awk",
					   "sed", "stat", "printf", "logger", "mount", "umount", "mkdir",
					   "cp",  "grep", "sleep",  "cat",    NULL };
