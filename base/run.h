/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Run a program of the machine and read what it prints. */
#ifndef BASE_RUN_H
#define BASE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** Run @argv (NULL-terminated; without a slash the program is searched in PATH) without input, and wait for its end.
 *  @text := the first @size - 1 bytes of its standard output, with @errors also of its standard error, and a NUL.
 *  *status as of waitpid(2). KD_ERR_OS: it could not be run. */
struct kd_error *kd_run(const char *const *argv, bool errors, char *text, size_t size, int *status) MUST_CHECK;

/** Run @argv as above, with this program's own input and output, and wait for its end. @to_errors: its standard output
 *  goes to standard error. *ok: it exited with 0. KD_ERR_OS: it could not be run. */
struct kd_error *kd_run_shown(const char *const *argv, bool to_errors, bool *ok) MUST_CHECK;

#endif
