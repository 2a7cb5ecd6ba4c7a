/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of the filter that the capture program has built in. */
#include "dumpfilter/cli/command.h"

#include "base/parse.h"

struct kd_error *dumpfilter_parse_built_in(char *const *argv, struct dumpfilter_options *ret)
{
	struct dumpfilter_command command;
	struct kd_error *err = command_parse((int)kd_count_words(argv), argv, codecs_built_in, &command);

	if (err)
		return err;
	if (dumpfilter_needs_program(&command))
		return kd_error_create(KD_ERR_USAGE, "only the program dumpfilter has these options");
	if (!dumpfilter_writes_file(&command))
		return kd_error_create(KD_ERR_USAGE,
				       "with these options dumpfilter does not write exactly one dump file");
	*ret = command.options;
	return NULL;
}
