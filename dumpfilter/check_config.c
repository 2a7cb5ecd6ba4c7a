/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/pages/erase_config.h"

struct kd_error *dumpfilter_check_config(const char *text, const char *path)
{
	_cleanup_(erase_config_destroy) struct erase_config *config = NULL;

	return erase_config_parse(text, path, &config);
}
