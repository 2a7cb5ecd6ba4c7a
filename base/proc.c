/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

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

int64_t kd_proc_boot_cpu(const char *cpuinfo)
{
	/* The one with which the CPU has come out of reset. It is in the first paragraph, that of the first CPU. */
	static const char key[] = "\ninitial apicid";
	const char *end = strstr(cpuinfo, "\n\n"), *found = strstr(cpuinfo, key);
	char digits[24];
	uint64_t id;

	if (!found || (end && found > end))
		return -1;
	found += strlen(key);
	found += strspn(found, "\t :");
	snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(found, "\n"), found);
	return kd_parse_u64(digits, 10, &id) && id <= UINT32_MAX ? (int64_t)id : -1;
}
