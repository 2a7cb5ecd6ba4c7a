/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Questions to a kernel's command line. */
#ifndef KDUMP_LOADER_CMDLINE_H
#define KDUMP_LOADER_CMDLINE_H

#include <stdbool.h>

/** Has one of the parameters this name, with a value or without? To the kernel '-' and '_' are equal. */
bool cmdline_has(const char *cmdline, const char *name);

#endif
