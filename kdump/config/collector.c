/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/collector.h"

#include <string.h>

#include "base/parse.h"
#include "dumpfilter/dumpfilter.h"

bool collector_is_dumpfilter(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strcmp(slash ? slash + 1 : program, "dumpfilter") == 0;
}

/* The value of --config, which makedumpfile(8) has too; "" if it is not given. */
static const char *find_config(char *const *argv)
{
	static const char option[] = "--config";
	const char *config = "";

	for (size_t i = 1; argv[i]; i++) {
		size_t length = strcspn(argv[i], "=");

		/* getopt_long(3) accepts an abbreviated name. */
		if (length < strlen("--co") || length >= sizeof(option) || strncmp(argv[i], option, length) != 0)
			continue;
		if (argv[i][length])
			config = argv[i] + length + 1;
		else if (argv[i + 1])
			config = argv[i + 1];
	}
	return config;
}

static struct kd_error *check_dumpfilter(char *const *argv, struct dumpfilter_command *ret)
{
	struct dumpfilter_command command;
	struct kd_error *err = dumpfilter_parse_command((int)kd_count_words(argv), argv, &command);

	if (err)
		return err;
	if (!dumpfilter_writes_file(&command))
		return kd_error_create(KD_ERR_USAGE, "with these options it does not write exactly one dump file");
	if (command.input || command.output)
		return kd_error_create(KD_ERR_USAGE, "%s: give no file names; the capture adds them",
				       command.input ? command.input : command.output);
	if (command.options.memory_limit && command.options.memory_limit < DUMPFILTER_MEMORY_MIN)
		return kd_error_create(KD_ERR_CONFIG,
				       "--max-memory: %lu KiB are too little for a dump; it needs at least %lu KiB",
				       command.options.memory_limit >> 10, DUMPFILTER_MEMORY_MIN >> 10);
	*ret = command;
	return NULL;
}

static struct kd_error *decide_dumpfilter(char *const *argv, struct collector *ret)
{
	struct dumpfilter_options options;
	struct dumpfilter_command command = { 0 };
	struct kd_error *err = check_dumpfilter(argv, &command);

	if (err)
		return kd_error_wrap(err, "dumpfilter");
	ret->erase_config = command.config ? command.config : "";
	ret->kind = kd_error_discard(dumpfilter_parse_built_in(argv, &options)) ? KD_COLLECTOR_DUMPFILTER :
										  KD_COLLECTOR_BUILT_IN;
	return NULL;
}

/* The file is read now, since a mistake in it would cost the dump. */
static struct kd_error *check_config(const struct kd_sysroot *root, const struct collector *collector)
{
	const char *path = collector->erase_config;
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	if (path[0] != '/')
		return kd_error_create(KD_ERR_CONFIG, "--config %s: the path must be absolute", path);
	err = kd_sysroot_read(root, path, &text, NULL);
	/* The file of another program may have another syntax. */
	if (!err && collector->kind == KD_COLLECTOR_DUMPFILTER)
		err = dumpfilter_check_config(text, path);
	return kd_error_wrap(err, "--config");
}

struct kd_error *collector_decide(const struct kd_sysroot *root, char *const *argv, struct collector *ret)
{
	struct collector collector = { .kind = KD_COLLECTOR_PROGRAM };
	struct kd_error *err = NULL;

	if (collector_is_dumpfilter(argv[0]))
		err = decide_dumpfilter(argv, &collector);
	else
		collector.erase_config = find_config(argv);
	if (!err && *collector.erase_config)
		err = check_config(root, &collector);
	if (err)
		return err;
	*ret = collector;
	return NULL;
}
