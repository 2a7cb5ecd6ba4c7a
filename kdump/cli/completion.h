/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Completions for shells, from the table of verbs. */
#ifndef KDUMP_CLI_COMPLETION_H
#define KDUMP_CLI_COMPLETION_H

#include "kdump/verbs/kdumpctl.h"

/** Print the script for the shell that the argument names: bash, zsh, fish. KD_ERR_USAGE. */
kdumpctl_verb completion_print;

#endif
