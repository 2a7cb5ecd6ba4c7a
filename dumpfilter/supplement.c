/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/supplement.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "dumpfilter/dump_names.h"
#include "dumpfilter/erase_config.h"

#define CONFIG_MAX (1u << 20)

struct supplement {
	struct erase_config *config;
	bool config_optional;
};

void supplement_close(struct supplement *supplement)
{
	if (!supplement)
		return;
	erase_config_destroy(supplement->config);
	free(supplement);
}

/* Names while one dump is looked through. */
struct lookup {
	struct address_space *space;
	struct dump_names dump;
	struct module_names **module;
	size_t module_count;
};

static void lookup_release(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->module_count; i++)
		module_names_close(lookup->module[i]);
	free(lookup->module);
	dump_names_release(&lookup->dump);
}
static inline void lookup_release_cleanup(struct lookup *lookup)
{
	lookup_release(lookup);
}

static struct kd_error *open_dump_names(struct lookup *lookup)
{
	return lookup->dump.btf ? NULL : dump_names_open(&lookup->dump, lookup->space);
}

static struct kd_error *open_module(struct lookup *lookup, const char *name, const struct debuginfo **ret)
{
	struct module_names **module =
		reallocarray(lookup->module, lookup->module_count + 1, sizeof(*lookup->module));
	struct kd_error *err;

	if (!module)
		return kd_error_nomem();
	lookup->module = module;
	module[lookup->module_count] = NULL;
	err = module_names_open(lookup->space, &lookup->dump.info, lookup->dump.btf, name,
				&module[lookup->module_count]);
	if (err)
		return err;
	*ret = NULL;
	if (module[lookup->module_count])
		*ret = module_names_info(module[lookup->module_count++]);
	return NULL;
}

static struct kd_error *open_names(void *arg, const char *object, const struct debuginfo **ret)
{
	struct lookup *lookup = arg;
	struct kd_error *err = open_dump_names(lookup);

	if (err)
		return err;
	if (strcmp(object, "vmlinux") != 0)
		return open_module(lookup, object, ret);
	*ret = &lookup->dump.info;
	return NULL;
}

static struct kd_error *find_erasures(void *arg, struct address_space *space, const struct kd_log *log,
				      struct erase *ret)
{
	const struct supplement *supplement = arg;
	_cleanup_(lookup_release) struct lookup lookup = { .space = space };
	const struct erase_names names = { .open = open_names, .arg = &lookup };

	return erase_config_resolve(supplement->config, &names, space, supplement->config_optional, log, ret);
}

static struct kd_error *read_config(struct supplement *supplement, struct dumpfilter_command *command)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct kd_error *err = kd_read_file(command->config, CONFIG_MAX, &text, &size);

	if (err)
		return err;
	if (strlen(text) != size)
		return kd_error_create(KD_ERR_CONFIG, "%s: not a text file", command->config);
	err = erase_config_parse(text, command->config, &supplement->config);
	if (err)
		return err;
	supplement->config_optional = command->config_optional;
	command->options.erase = find_erasures;
	command->options.erase_arg = supplement;
	return NULL;
}

struct kd_error *supplement_open(struct dumpfilter_command *command, struct supplement **ret)
{
	struct kd_error *err = NULL;

	*ret = NULL;
	if (!command->config)
		return NULL;
	_cleanup_(supplement_close) struct supplement *supplement = calloc(1, sizeof(*supplement));
	if (!supplement)
		return kd_error_nomem();
	if (command->config)
		err = read_config(supplement, command);
	if (err)
		return err;
	*ret = take_ptr(supplement);
	return NULL;
}
