/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handover: one that was read is written as text that gives the same; its segments are sound. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/handover.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *first = NULL, *second = NULL;
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 }, again = { 0 };

	if (fuzz_error(kd_handover_parse(text, "handover", &handover)))
		return 0;
	for (size_t i = 0; i < handover.segments; i++) {
		const struct kd_handover_segment *segment = &handover.segment[i];

		REQUIRE(segment->size <= segment->memory && segment->address + segment->memory > segment->address);
		REQUIRE(segment->file[0] == '/');
		for (size_t k = 0; k < i; k++)
			REQUIRE(segment->address >= handover.segment[k].address + handover.segment[k].memory ||
				segment->address + segment->memory <= handover.segment[k].address);
	}
	if (handover.seed)
		REQUIRE(handover.seeded < handover.segments &&
			handover.seed + KD_HANDOVER_SEED <= handover.segment[handover.seeded].size);
	REQUIRE(!fuzz_error(kd_handover_format(&handover, &first)));
	REQUIRE(!fuzz_error(kd_handover_parse(first, "handover", &again)));
	REQUIRE(!fuzz_error(kd_handover_format(&again, &second)));
	REQUIRE(strcmp(first, second) == 0);
	return 0;
}
