/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Programs that kdump.conf or a hook names. */
#ifndef KDUMP_CONFIG_PROGRAM_H
#define KDUMP_CONFIG_PROGRAM_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sysroot.h"

/** The path of the program that @name means, searched as a shell does. An absolute @name is its own path, whether the
 *  file exists or not. *ret stays NULL if there is no such program; otherwise it is owned by the caller. */
struct kd_error *program_look_up(const struct kd_sysroot *root, const char *name, char **ret) MUST_CHECK;

/** The same, checked: KD_ERR_NOT_FOUND, KD_ERR_CONFIG (not a regular, executable file). @what says where it is
 *  named. */
struct kd_error *program_find(const struct kd_sysroot *root, const char *what, const char *name, char **ret) MUST_CHECK;

bool program_is_executable(const struct kd_sysroot *root, const char *path, bool *exists);

#endif
