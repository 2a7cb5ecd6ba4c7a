/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dumpfilter's command line, a word a line, and the parsers of numbers, sizes and words. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "tests/fuzz/fuzz.h"

static void parse_values(const char *text)
{
	static const int bases[] = { 0, 10, 16 };
	uint64_t number;
	int64_t signed_number;

	free(kd_split_words(text, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		kd_parse_u64(text, bases[i], &number);
	kd_parse_s64(text, &signed_number);
	kd_parse_size(text, &number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	char *argv[34] = { (char[]){ "dumpfilter" } }, *rest = text;
	struct dumpfilter_command command;
	int argc = 1;

	for (char *word; argc < 33 && (word = strsep(&rest, "\n"));) {
		parse_values(word);
		argv[argc++] = word;
	}
	if (fuzz_error(dumpfilter_parse_command(argc, argv, &command)))
		return 0;
	REQUIRE(command.options.level <= 31 && command.options.fallback_count <= DUMPFILTER_FALLBACK_MAX);
	for (unsigned int i = 0; i < command.options.fallback_count; i++)
		REQUIRE(command.options.fallback_level[i] <= 31);
	return 0;
}
