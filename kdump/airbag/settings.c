/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* "NAME", or "NAME OPTIONS". The name of a file in a directory, and no way out of that. */
static struct kd_error *add_module(char *text, struct airbag_settings *settings)
{
	char *blank = strchr(text, ' ');

	if (blank)
		*blank = '\0';
	if (!*text || *text == '.' || strchr(text, '/'))
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not the name of a module's file", text);
	if (settings->module_count == AIRBAG_MODULES_MAX)
		return kd_error_create(KD_ERR_FORMAT, "there are more than %d modules", AIRBAG_MODULES_MAX);
	settings->module[settings->module_count++] = (struct airbag_module){ text, blank ? blank + 1 : "" };
	return NULL;
}

static struct kd_error *take_line(char *line, struct airbag_settings *settings)
{
	char *value = strchr(line, ' ');

	if (!value)
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" has no value", line);
	*value++ = '\0';
	if (strcmp(line, "module") == 0)
		return add_module(value, settings);
	if (strcmp(line, "deadline") != 0)
		return kd_error_create(KD_ERR_FORMAT, "there is no setting \"%s\"", line);
	if (!kd_parse_u64(value, 10, &settings->deadline) || !settings->deadline || settings->deadline > UINT32_MAX)
		return kd_error_create(KD_ERR_FORMAT, "the deadline \"%s\" is not a number of seconds", value);
	return NULL;
}

struct kd_error *airbag_settings_parse(char *text, struct airbag_settings *ret)
{
	struct airbag_settings settings = { 0 };
	struct kd_error *err = NULL;
	char *line;

	while (!err && (line = strsep(&text, "\n")))
		if (*line)
			err = take_line(line, &settings);
	if (!err && !settings.deadline)
		err = kd_error_create(KD_ERR_FORMAT, "there is no deadline");
	if (err)
		return err;
	*ret = settings;
	return NULL;
}

struct kd_error *airbag_settings_format(const struct airbag_settings *settings, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	fprintf(out, "deadline %" PRIu64 "\n", settings->deadline);
	for (i = 0; i < settings->module_count; i++)
		fprintf(out, "module %s%s%s\n", settings->module[i].name, *settings->module[i].options ? " " : "",
			settings->module[i].options);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}
