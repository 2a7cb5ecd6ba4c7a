/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of the program dumpfilter, which has all codecs. */
#include "dumpfilter/cli/command.h"

struct kd_error *dumpfilter_parse_command(int argc, char *const *argv, struct dumpfilter_command *ret)
{
	return command_parse(argc, argv, codecs, ret);
}
