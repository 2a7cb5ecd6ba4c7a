/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: a plan that was read is written as text that gives the same plan. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/plan.h"
#include "base/served_disk.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *first = NULL, *second = NULL;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 }, again = { 0 };

	if (fuzz_error(kd_plan_parse(text, "plan", &plan)))
		return 0;
	REQUIRE(!fuzz_error(kd_plan_format(&plan, &first)));
	REQUIRE(!fuzz_error(kd_plan_parse(first, "plan", &again)));
	REQUIRE(!fuzz_error(kd_plan_format(&again, &second)));
	REQUIRE(strcmp(first, second) == 0);
	/* Whoever has a disk of a server may rely on all its words. */
	for (size_t i = 0; i < plan.volume_count; i++)
		for (size_t j = 0; j < plan.target_count; j++)
			if (kd_served_is_disk(&plan.volume[i], plan.target[j].device))
				REQUIRE(plan.volume[i].argv[KD_SERVED_WORDS - 1]);
	return 0;
}
