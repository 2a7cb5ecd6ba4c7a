/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/verbs/crash_version.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/array.h"
#include "base/run.h"
#include "base/text.h"

struct version {
	unsigned int part[3];
};

/* The first kernel that needs a newer crash, and that version of crash; newest first. */
static const struct {
	struct version kernel, crash;
	const char *reason;
} needs[] = {
	/* Linux ac3b43283923 ("module: replace module_layout with module_memory"); crash 8.0.3 is older than this
	 * commit. Seen with crash 8.0.2 and Linux 6.12. */
	{ { { 6, 4 } }, { { 8, 0, 4 } }, "Linux 6.4 changed the description of modules" },
	/* Linux d122019bf061 ("mm: Split slab into its own type"); crash-utility/crash issue 115, with 8.0.0. */
	{ { { 5, 17 } }, { { 8, 0, 1 } }, "Linux 5.17 changed the description of slabs" },
};

static int compare(const struct version *a, const struct version *b)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(a->part); i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return 0;
}

/* Parse the first words of "crash --version", "crash 8.0.2". False: unknown words. */
static bool parse_version(const char *text, struct version *ret)
{
	return sscanf(text, " crash %u.%u.%u", &ret->part[0], &ret->part[1], &ret->part[2]) >= 2;
}

static bool ask(struct version *ret)
{
	static const char *const argv[] = { "crash", "--version", NULL };
	char text[4096];
	int status;

	return !kd_error_discard(kd_run(argv, false, text, sizeof(text), &status)) && parse_version(text, ret);
}

struct kd_error *crash_too_old(const char *release, char **ret)
{
	struct version kernel = { 0 }, crash = { 0 };
	size_t i;

	*ret = NULL;
	if (!release || sscanf(release, "%u.%u", &kernel.part[0], &kernel.part[1]) != 2 || !ask(&crash))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(needs); i++) {
		if (compare(&kernel, &needs[i].kernel) < 0 || compare(&crash, &needs[i].crash) >= 0)
			continue;
		return kd_format(ret,
				 "crash %u.%u.%u is too old for Linux %u.%u (%s; crash %u.%u.%u or newer is needed)",
				 crash.part[0], crash.part[1], crash.part[2], kernel.part[0], kernel.part[1],
				 needs[i].reason, needs[i].crash.part[0], needs[i].crash.part[1],
				 needs[i].crash.part[2]);
	}
	return NULL;
}
