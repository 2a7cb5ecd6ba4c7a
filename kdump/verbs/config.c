/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl config": the settings in effect, and where each value comes from. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "kdump/config/conf.h"
#include "kdump/config/settings.h"
#include "kdump/verbs/verbs.h"
#include "kdump/verbs/terminal.h"

struct listing {
	struct term term;
	struct kd_json json;
	bool as_json;
};

struct value {
	const char *name, *value; /* value NULL: not set */
	const char *file;         /* that sets the value … */
	unsigned int line;        /* … on this line; 0: none does */
	const char *option;       /* of the command line, which overrides the file; NULL: none */
};

static void put(struct listing *listing, const struct value *value)
{
	const char *source = value->option ? "command line" : value->line ? "file" : "default";

	kd_json_open(&listing->json, NULL, '{');
	kd_json_string(&listing->json, "name", value->name);
	kd_json_string(&listing->json, "value", value->value);
	kd_json_string(&listing->json, "source", source);
	if (!value->option && value->line) {
		kd_json_string(&listing->json, "file", value->file);
		kd_json_u64(&listing->json, "line", value->line);
	}
	kd_json_close(&listing->json, '}');
}

static void print(struct listing *listing, const struct value *value)
{
	const struct term *term = &listing->term;
	int width = 0;

	printf("%-28s  %s", value->name, term_start(term, value->option || value->line ? TERM_BOLD : TERM_DIM));
	if (value->option)
		width = printf("%s", value->option);
	else if (value->line)
		width = printf("%s:%u", value->file, value->line);
	else
		width = printf("default");
	printf("%s%*s  ", term_stop(term), width < 24 ? 24 - width : 0, "");
	term_text(term, value->value ? value->value : "-");
	putchar('\n');
}

static void list(struct listing *listing, const struct value *value)
{
	if (listing->as_json)
		put(listing, value);
	else
		print(listing, value);
}

static void list_conf(struct listing *listing, const struct kd_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->setting_count; i++) {
		const struct kd_conf_setting *setting = &conf->setting[i];

		if (setting->name)
			list(listing, &(struct value){ .name = setting->name,
						       .value = setting->value,
						       .file = setting->file,
						       .line = setting->line });
	}
}

static void list_settings(struct listing *listing, const struct kdumpctl *ctl, const struct settings *settings)
{
	struct value value = { .file = settings->file };
	size_t i;

	for (i = 0; settings_get(settings, i, &value.name, &value.value, &value.line); i++) {
		value.option = NULL;
		if (ctl->kernel && strcmp(value.name, "KDUMP_KERNELVER") == 0) {
			value.option = "--kernel";
			value.value = ctl->kernel;
		}
		list(listing, &value);
	}
}

struct kd_error *config_show(struct kdumpctl *ctl, int *status)
{
	_cleanup_(settings_free) struct settings settings = { 0 };
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct listing listing = { .json = { .out = stdout }, .as_json = ctl->json };
	struct kd_error *err = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, &conf);

	if (!err)
		err = settings_load(&ctl->root, &ctl->log, &settings);
	if (err)
		return err;
	term_init(&listing.term, stdout);
	if (ctl->json) {
		kd_json_open(&listing.json, NULL, '{');
		kd_json_open(&listing.json, "settings", '[');
	}
	list_conf(&listing, &conf);
	list_settings(&listing, ctl, &settings);
	if (ctl->json) {
		kd_json_close(&listing.json, ']');
		kd_json_close(&listing.json, '}');
	}
	return NULL;
}
