/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl remove, pin, unpin: the verbs that change dumps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kdump/dumps/named.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_FORCE = DUMP_OPTION_PATH + 1 };

const struct verb_option dumps_remove_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_FORCE] = { "force", 'f', NULL, "delete pinned dumps, too" },
	{ .name = NULL },
};

/* The dump that an operand selects, and its neighbours before any dump was changed. */
struct choice {
	struct dumps dumps;
	struct dump *dump;
};

struct choices {
	struct choice *choice;
	size_t count;
};

static void choices_free(struct choices *choices)
{
	size_t i;

	for (i = 0; i < choices->count; i++)
		dumps_free(&choices->choice[i].dumps);
	free(choices->choice);
}
static inline void choices_free_cleanup(struct choices *choices)
{
	choices_free(choices);
}

/* Split a path into its parent directory and the path that dumps_load() gives to a dump in it. */
static struct kd_error *split_path(const char *words, char **parent_ret, char **path_ret)
{
	_cleanup_free_ char *copy = strdup(words), *parent = NULL, *path = NULL;
	size_t length = strlen(words);
	char *slash;

	if (!copy)
		return kd_error_nomem();
	while (length > 1 && copy[length - 1] == '/')
		copy[--length] = '\0';
	slash = strrchr(copy, '/');
	parent = slash ? strndup(copy, slash == copy ? 1 : slash - copy) : strdup(".");
	path = parent ? path_join(parent, slash ? slash + 1 : copy) : NULL;
	if (!path)
		return kd_error_nomem();
	*parent_ret = take_ptr(parent);
	*path_ret = take_ptr(path);
	return NULL;
}

/* Find a dump by its path. Only a directory with the name of a dump may be changed, and not a link to one. */
static struct kd_error *find_path(const struct kdumpctl *ctl, const char *words, struct choice *ret)
{
	_cleanup_free_ char *parent = NULL, *path = NULL;
	struct kd_error *err;
	struct stat st;

	if (lstat(words, &st) < 0)
		return kd_error_os(errno, "%s", words);
	err = split_path(words, &parent, &path);
	if (!err)
		err = dumps_load(parent, DUMPS_OF_ANYBODY, &ctl->log, &ret->dumps);
	if (err)
		return err;
	err = dumps_find(&ret->dumps, path, &ret->dump);
	if (!err || err->code != KD_ERR_NOT_FOUND)
		return err;
	kd_error_destroy(err);
	return kd_error_create(KD_ERR_NOT_FOUND,
			       "%s does not have the name of a dump's directory "
			       "(ADDRESS-YYYY-MM-DD-HH:MM:SS or YYYYMMDDHHMM): only such directories can be "
			       "removed, pinned and unpinned",
			       words);
}

static struct kd_error *choose(const struct kdumpctl *ctl, const char *words, struct choice *ret)
{
	const char *path = ctl->option[DUMP_OPTION_PATH];
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	struct dump *dump;
	struct kd_error *err;

	if (!path && strchr(words, '/'))
		return find_path(ctl, words, ret);
	err = load_dumps(ctl, path, &dumps);
	if (!err)
		err = dumps_find(&dumps, words, &dump);
	return err ? err : find_path(ctl, dump->path, ret); /* in its own place */
}

/* Did an earlier operand select the same dump? */
static bool is_again(const struct choices *choices, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (strcmp(choices->choice[k].dump->path, choices->choice[i].dump->path) == 0)
			return true;
	return false;
}

/* Find all dumps that the operands select, then call @work for each. The first error ends the loop. */
static struct kd_error *for_each(struct kdumpctl *ctl,
				 struct kd_error *(*work)(struct kdumpctl *ctl, const struct dumps *dumps,
							  const struct dump *dump))
{
	_cleanup_(
		choices_free) struct choices choices = { .choice = calloc(ctl->argument_count, sizeof(struct choice)) };
	struct kd_error *err = NULL;
	size_t i;

	if (!choices.choice)
		return kd_error_nomem();
	for (i = 0; i < ctl->argument_count && !err; i++, choices.count++)
		err = choose(ctl, ctl->argument[i], &choices.choice[i]);
	for (i = 0; i < ctl->argument_count && !err; i++)
		if (!is_again(&choices, i))
			err = work(ctl, &choices.choice[i].dumps, choices.choice[i].dump);
	return err;
}

static struct kd_error *remove_one(struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump)
{
	struct kd_error *err;

	if (dump->pinned && !ctl->option[OPTION_FORCE])
		return kd_error_create(KD_ERR_STATE, "%s is pinned: run \"kdumpctl unpin %s\" first, or use --force",
				       dump->name, dump->path);
	err = dump_remove(dumps, dump);
	if (!err)
		kd_info(&ctl->log, "Removed %s", dump->path);
	return err;
}

static struct kd_error *pin_one(struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump)
{
	struct kd_error *err = dump_pin(dump, true);

	if (!err)
		kd_info(&ctl->log, "Pinned %s: it stays until it is unpinned", dump->name);
	return err;
}

static struct kd_error *unpin_one(struct kdumpctl *ctl, const struct dumps *dumps, const struct dump *dump)
{
	struct kd_error *err = dump_pin(dump, false);

	if (!err)
		kd_info(&ctl->log, "Unpinned %s", dump->name);
	return err;
}

struct kd_error *dumps_remove(struct kdumpctl *ctl, int *status)
{
	return for_each(ctl, remove_one);
}

struct kd_error *dumps_pin(struct kdumpctl *ctl, int *status)
{
	return for_each(ctl, pin_one);
}

struct kd_error *dumps_unpin(struct kdumpctl *ctl, int *status)
{
	return for_each(ctl, unpin_one);
}
