/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/verbs/dump_choice.h"

#include <errno.h>
#include <unistd.h>

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

struct kd_error *dumps_directory(const struct kdumpctl *ctl, char **ret)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	_cleanup_(target_free) struct target target = { 0 };
	struct kd_error *err = read_conf_or_default(ctl, &conf);
	struct target_request request;

	if (err)
		return err;
	request = kd_conf_target(&conf);
	/* Without a target, path is a path of the machine itself, and so it is with a container. */
	if (conf.target_type && !held_is_meant(&request)) {
		err = target_resolve(&ctl->root, &request, &ctl->log, &target);
		if (err)
			return kd_error_wrap(err, "where the dumps lie (--path DIR names another place)");
		if (!target.directory)
			return kd_error_create(
				KD_ERR_STATE,
				"the dump target %s is not mounted: mount it, and name the place with --path DIR",
				conf.target);
	}
	*ret = kd_sysroot_path(&ctl->root, target.directory ? target.directory : conf.path);
	return *ret ? NULL : kd_error_nomem();
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

struct kd_error *load_dumps(const struct kdumpctl *ctl, const char *directory, struct dumps *ret)
{
	_cleanup_free_ char *configured = NULL;
	struct kd_error *err = directory ? check_named(directory) : dumps_directory(ctl, &configured);

	if (err)
		return err;
	return directory ? dumps_load(directory, DUMPS_OF_ANYBODY, &ctl->log, ret) :
			   dumps_load(configured, DUMPS_OF_MACHINE, &ctl->log, ret);
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
