/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trial of a kernel reads: its settings, its record, command lines. What is accepted is written and read back
 * alike, and no command line keeps what a trial has added. */
#include <stdlib.h>
#include <string.h>

#include "kdump/airbag/settings.h"
#include "kdump/airbag/trial.h"
#include "kdump/loader/loader.h"
#include "tests/fuzz/fuzz.h"

static void settings(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *written, *again;
	struct airbag_settings first, second;

	if (!fuzz_error(airbag_settings_parse(text, &first))) {
		REQUIRE(!fuzz_error(airbag_settings_format(&first, &written)));
		again = strdup(written);
		REQUIRE(!fuzz_error(airbag_settings_parse(again, &second)));
		REQUIRE(first.deadline == second.deadline && first.module_count == second.module_count);
		for (size_t i = 0; i < first.module_count; i++)
			REQUIRE(!strchr(first.module[i].name, '/') &&
				strcmp(first.module[i].name, second.module[i].name) == 0 &&
				strcmp(first.module[i].options, second.module[i].options) == 0);
		free(again);
		free(written);
	}
	free(text);
}

static void record(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *said = NULL;
	struct trial trial;

	if (!fuzz_error(trial_parse(text, &trial))) {
		REQUIRE(strlen(trial.id) == TRIAL_ID_SIZE - 1 && trial.from && trial.to);
		REQUIRE(!fuzz_error(trial_describe(&trial, &said)));
		free(said);
		trial_free(&trial);
	}
	free(text);
}

static void command_line(const uint8_t *data, size_t size)
{
	const struct trial trial = { .id = "00c0ffee" };
	char *text = fuzz_text(data, size), *own, *again, *tried;

	REQUIRE(!fuzz_error(loader_own_cmdline(text, &own)));
	REQUIRE(!fuzz_error(loader_own_cmdline(own, &again)));
	REQUIRE(strcmp(own, again) == 0);
	free(again);
	if (!strchr(own, '"') && !fuzz_error(trial_cmdline(&trial, own, "160M", &tried))) {
		REQUIRE(!fuzz_error(loader_own_cmdline(tried, &again)));
		REQUIRE(strcmp(own, again) == 0);
		free(again);
		free(tried);
	}
	free(own);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	settings(data, size);
	record(data, size);
	command_line(data, size);
	return 0;
}
