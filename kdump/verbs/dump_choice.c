/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/verbs/dump_choice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/config/conf.h"
#include "kdump/dumps/named.h"
#include "kdump/storage/held.h"
#include "kdump/storage/target.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/verbs.h"

const struct verb_option dumps_path_options[] = {
	DUMP_PATH_OPTION,
	{ .name = NULL },
};

/* Read kdump.conf. A machine without it, where dumps are only examined, has the defaults. */
static struct kd_error *read_conf_or_default(const struct kdumpctl *ctl, struct kd_conf *ret)
{
	struct kd_error *err = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, ret);

	if (!err || err->errnum != ENOENT)
		return err;
	kd_error_destroy(err);
	return kd_conf_default(ret);
}

/* Servers whose files kdumpctl does not look at: the machine's own credentials may be good for nothing but adding
 * dumps. How somebody lists what is there: @command, what kdump.conf calls the server, @then, and with @has_path the
 * directory. */
static const struct elsewhere {
	const char *type;
	const char *command, *then;
	bool has_path;
} elsewhere[] = {
	{ "ssh", "ssh ", " ls ", true },
	{ "http", "rclone lsf :webdav: --webdav-url ", "", false },
	{ "s3", "aws s3 ls ", "/", false },
};

/* NULL: a target of @type can be looked at here. */
static const struct elsewhere *find_elsewhere(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_SIZE(elsewhere); i++)
		if (strcmp(type, elsewhere[i].type) == 0)
			return &elsewhere[i];
	return NULL;
}

/* The command for that. The caller owns *ret. */
static struct kd_error *way_to_look(const struct elsewhere *row, const struct target_request *request, char **ret)
{
	const char *endpoint = strcmp(row->type, "s3") == 0 ? request->access->s3_endpoint : NULL;

	return kd_format(ret, "%s%s%s%s%s%s", row->command, request->device, row->then,
			 row->has_path ? request->path : "", endpoint ? " --endpoint-url " : "",
			 endpoint ? endpoint : "");
}

static struct kd_error *refuse_elsewhere(const struct elsewhere *row, const struct target_request *request)
{
	_cleanup_free_ char *command = NULL;
	struct kd_error *err = way_to_look(row, request, &command);

	return err ? err :
		     kd_error_create(
			     KD_ERR_STATE,
			     "dumps go to %s, where kdumpctl does not look: \"%s\" lists them; fetch one, and name "
			     "the directory that it is in",
			     request->device, command);
}

/* The directory of @request's dumps, as dumps_directory() has it for the first target. */
static struct kd_error *directory_of(const struct kdumpctl *ctl, const struct target_request *request, char **ret)
{
	_cleanup_(target_free) struct target target = { 0 };
	const struct elsewhere *row = find_elsewhere(request->type);
	struct target_request here = *request;

	if (row)
		return refuse_elsewhere(row, request);
	here.mounted = true; /* nobody waits for a server that answers nothing to see other dumps */
	/* Without a target, path is a path of the machine itself, and so it is with a container. */
	if (request->type && !held_is_meant(request)) {
		struct kd_error *err = target_resolve(&ctl->root, &here, &ctl->log, &target);

		if (err)
			return kd_error_wrap(err, "where the dumps lie (--path DIR names another place)");
		if (!target.directory)
			return kd_error_create(
				KD_ERR_STATE,
				"the dump target %s is not mounted: mount it, and name the place with --path DIR",
				request->device);
	}
	*ret = kd_sysroot_path(&ctl->root, target.directory ? target.directory : request->path);
	return *ret ? NULL : kd_error_nomem();
}

/* Where there may be dumps that cannot be looked at now, and how to get at them; NULL: they can be. */
static struct kd_error *remark(const struct kdumpctl *ctl, const struct target_request *request)
{
	const struct elsewhere *row = find_elsewhere(request->type);
	_cleanup_free_ char *text = NULL, *unused = NULL;
	struct kd_error *why, *err;

	if (row) {
		err = way_to_look(row, request, &text);
		if (!err)
			kd_info(&ctl->log, "There may be more dumps in %s: \"%s\" lists them", request->device, text);
		return err;
	}
	why = directory_of(ctl, request, &unused);
	if (why)
		kd_info(&ctl->log, "There may be more dumps: %s", why->text);
	kd_error_destroy(why);
	return NULL;
}

void dumps_remark_elsewhere(const struct kdumpctl *ctl, size_t from)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = read_conf_or_default(ctl, &conf);

	for (size_t i = from; !err && i < chain_length(&conf); i++) {
		struct target_request request = chain_request(&conf, i);

		err = remark(ctl, &request);
	}
	kd_error_destroy(err);
}

struct kd_error *dumps_directory(const struct kdumpctl *ctl, char **ret)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = read_conf_or_default(ctl, &conf);
	struct target_request request;

	if (err)
		return err;
	request = kd_conf_target(&conf);
	return directory_of(ctl, &request, ret);
}

/* For dumps_load(), a directory that does not exist has no dumps. One that the user names has to be there. */
static struct kd_error *check_named(const char *directory)
{
	if (!*directory)
		return kd_error_create(KD_ERR_USAGE,
				       "the name of the directory with dumps is empty: name one, or leave it "
				       "out for the one in kdump.conf");
	if (access(directory, F_OK) < 0)
		return kd_error_os(errno, "cannot read %s", directory);
	return NULL;
}

/* --- all places --------------------------------------------------------------------------------------------------- */

void all_dumps_free(struct all_dumps *all)
{
	while (all->count)
		dumps_free(&all->place[--all->count]);
	while (all->missed_count)
		kd_error_destroy(all->missed[--all->missed_count]);
}

/* Two targets may be one directory. */
static bool is_loaded(const struct all_dumps *all, const char *directory)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->place[i].path, directory) == 0)
			return true;
	return false;
}

static struct kd_error *load_place(const struct kdumpctl *ctl, const struct target_request *request,
				   struct all_dumps *all)
{
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err = directory_of(ctl, request, &directory);

	if (err || is_loaded(all, directory))
		return err;
	err = dumps_load(directory, DUMPS_OF_MACHINE, &ctl->log, &all->place[all->count]);
	all->count += !err;
	return err;
}

struct kd_error *load_all_dumps(const struct kdumpctl *ctl, struct all_dumps *ret)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = read_conf_or_default(ctl, &conf);

	for (size_t i = 0; !err && i < chain_length(&conf) && i < CHAIN_MAX; i++) {
		struct target_request request = chain_request(&conf, i);
		struct kd_error *why;

		if (find_elsewhere(request.type))
			continue;
		why = load_place(ctl, &request, ret);
		ret->has_first = ret->has_first || (i == 0 && !why);
		if (why)
			ret->missed[ret->missed_count++] = why;
	}
	return err;
}

/* The machine's own, wherever they are. */
static struct kd_error *load_own(const struct kdumpctl *ctl, struct dumps *ret)
{
	_cleanup_(all_dumps_free) struct all_dumps all = { 0 };
	struct kd_error *err = load_all_dumps(ctl, &all);

	for (size_t i = 0; !err && i < all.count; i++)
		err = dumps_join(ret, &all.place[i]);
	/* What keeps one from looking at the first target says most. */
	return err || all.count ? err : dumps_directory(ctl, &ret->path);
}

struct kd_error *load_dumps(const struct kdumpctl *ctl, const char *directory, struct dumps *ret)
{
	struct kd_error *err = directory ? check_named(directory) : NULL;

	if (err)
		return err;
	return directory ? dumps_load(directory, DUMPS_OF_ANYBODY, &ctl->log, ret) : load_own(ctl, ret);
}

struct kd_error *choose_dump(const struct kdumpctl *ctl, const char *words, struct dumps *dumps, struct dump **ret)
{
	struct kd_error *err;

	if (dump_is_path(words))
		return dump_open(words, dumps, ret);
	err = load_dumps(ctl, ctl->option[DUMP_OPTION_PATH], dumps);
	if (!err)
		err = dumps_find(dumps, words, ret);
	if (!err || !dump_is_directory(words))
		return err;
	kd_error_destroy(err);
	dumps_free(dumps);
	return dump_open(words, dumps, ret);
}
