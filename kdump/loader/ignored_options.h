/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Options of kexec-tools that change nothing for this loader: kexec(8) and KEXEC_ARGS accept them. */
#ifndef KDUMP_LOADER_IGNORED_OPTIONS_H
#define KDUMP_LOADER_IGNORED_OPTIONS_H

/** Why the long option @name (without "--", "=" and what follows are not looked at) is ignored: NULL if it is no such
 *  option, "" if the loader always does what it asks for, else a reason to tell. */
const char *loader_ignored_option(const char *name);

#endif
