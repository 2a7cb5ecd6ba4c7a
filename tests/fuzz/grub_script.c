/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GRUB's configuration. What comes behind a form feed is its environment; it may include itself. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kdump/boot/grub_script.h"
#include "tests/fuzz/fuzz.h"

static struct kd_error *load_environment(void *arg, struct grub_variables *variables)
{
	return grub_environment_parse(arg, variables);
}

static struct kd_error *add_entries(void *arg, const struct grub_variables *variables, struct boot_entries *entries)
{
	struct boot_entry *entry = NULL;
	struct kd_error *err = boot_entries_add(entries, &entry);

	return err ? err : kd_set_text(&entry->options, grub_variable_get(variables, "kernelopts"));
}

static bool has_file(void *arg, const char *path, bool filled)
{
	return strlen(path) % 2;
}

static struct kd_error *read_file(void *arg, const char *path, char **ret)
{
	return strcmp(path, "env") == 0 ? kd_set_text(ret, arg) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_(grub_variables_free) struct grub_variables variables = { 0 };
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };
	char *environment = strchr(text, '\f');
	const struct grub_hooks hooks = { load_environment, add_entries, has_file, read_file,
					  environment ? environment + 1 : (char *)"" };

	if (environment)
		*environment = '\0';
	if (fuzz_error(grub_script_run(text, "grub.cfg", &hooks, &variables, &entries)))
		return 0;
	for (size_t i = 0; i < entries.count; i++) {
		const struct boot_entry *entry = &entries.entry[i];

		REQUIRE(entry->id && entry->title && entry->version && entry->options);
		for (size_t j = 0; j < i; j++)
			REQUIRE(entries.entry[j].submenu != entry->submenu || entries.entry[j].index != entry->index);
	}
	return 0;
}
