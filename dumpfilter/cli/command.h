/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The parser behind dumpfilter_parse_command() and dumpfilter_parse_built_in(), which differ in their codecs. */
#ifndef DUMPFILTER_CLI_COMMAND_H
#define DUMPFILTER_CLI_COMMAND_H

#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"

/** As dumpfilter_parse_command(), but only the codecs of @table (see codec.h) can be named. */
struct kd_error *command_parse(int argc, char *const *argv, const struct codec *const *table,
			       struct dumpfilter_command *ret) MUST_CHECK;

#endif
