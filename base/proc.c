/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/proc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool kd_proc_figure(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);
	uint64_t kib;
	const char *line;
	char *end;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		line += length + 1;
		line += strspn(line, " \t");
		kib = strtoull(line, &end, 10);
		if (end == line || *line == '-' || kib > UINT64_MAX / 1024)
			return false;
		*ret = (uint64_t)kib * 1024;
		return true;
	}
	return false;
}
