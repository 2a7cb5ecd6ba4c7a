/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/chain.h"

#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/arming/plan_build.h"

bool chain_may_leave_out(const struct kd_error *err)
{
	static const enum kd_error_code passing[] = { KD_ERR_NOT_FOUND, KD_ERR_STATE, KD_ERR_OS, KD_ERR_TIMEOUT };

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (err->code == passing[i])
			return true;
	return false;
}

/* --- members ------------------------------------------------------------------------------------------------------ */

size_t chain_length(const struct kd_conf *conf)
{
	return 1 + conf->further_count + conf->dump_to_rootfs;
}

static bool is_rootfs(const struct kd_conf *conf, size_t member)
{
	return member > conf->further_count;
}

struct target_request chain_request(const struct kd_conf *conf, size_t member)
{
	struct target_request request = member && !is_rootfs(conf, member) ? kd_conf_further(conf, member - 1) :
									     kd_conf_target(conf);

	if (is_rootfs(conf, member))
		request.type = request.device = NULL;
	return request;
}

static struct kd_error *name_of(const struct kd_conf *conf, size_t member, char **ret)
{
	const struct target_request request = chain_request(conf, member);
	_cleanup_free_ char *where = NULL;
	struct kd_error *err;

	if (request.type)
		return kd_format(ret, "%s:%u: target %s %s", request.file, request.line, request.type, request.device);
	err = kd_conf_where(conf, is_rootfs(conf, member) ? "failure_action" : "path", &where);
	return err ? err : kd_format(ret, "%s %s", where, is_rootfs(conf, member) ? "dump_to_rootfs" : request.path);
}

/* Is it there, with what its device consists of and the network that leads to it? */
static struct kd_error *try_member(const struct kd_sysroot *root, const struct kd_log *log, const struct kd_conf *conf,
				   size_t member, struct target *ret)
{
	const struct target_request request = chain_request(conf, member);
	_cleanup_(target_free) struct target target = { 0 };
	struct kd_error *err = target_resolve(root, &request, log, &target);

	if (!err)
		err = plan_try_target(root, &target);
	if (err) /* of what is left out, the warning names the directive */
		return is_rootfs(conf, member) && !chain_may_leave_out(err) ?
			       kd_error_wrap(err, "failure_action dump_to_rootfs") :
			       err;
	*ret = target;
	target = (struct target){ 0 };
	return NULL;
}

struct kd_error *chain_look(const struct kd_sysroot *root, const struct kd_log *log, const struct kd_conf *conf,
			    struct chain *ret)
{
	size_t count = chain_length(conf);

	if (count > CHAIN_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s:%u: there are more than %d targets",
				       conf->further[conf->further_count - 1].file,
				       conf->further[conf->further_count - 1].line, CHAIN_MAX);
	for (size_t i = 0; i < count; i++) {
		struct chain_member *member = &ret->member[ret->count++];
		struct kd_error *err = name_of(conf, i, &member->name);

		if (err)
			return err;
		member->err = try_member(root, log, conf, i, &member->target);
		if (member->err && member->err->code == KD_ERR_NOMEM)
			return take_ptr(member->err);
	}
	return NULL;
}

static bool is_there(const struct chain_member *member)
{
	return member->target.type != NULL;
}

void chain_list(const struct chain *chain, const struct target *list[static CHAIN_MAX + 1])
{
	for (size_t i = 0; i < chain->count; i++)
		if (is_there(&chain->member[i]))
			*list++ = &chain->member[i].target;
	*list = NULL;
}

const struct target *chain_first(const struct chain *chain)
{
	const struct target *list[CHAIN_MAX + 1];

	chain_list(chain, list);
	return *list;
}

bool chain_is_whole(const struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		if (!is_there(&chain->member[i]))
			return false;
	return true;
}

void chain_free(struct chain *chain)
{
	while (chain->count) {
		struct chain_member *member = &chain->member[--chain->count];

		free(member->name);
		target_free(&member->target);
		kd_error_destroy(member->err);
		*member = (struct chain_member){ 0 };
	}
}

/* --- what is left out --------------------------------------------------------------------------------------------- */

/* Name the place in kdump.conf once, although most errors begin with it as well. The record has it as one line. */
static struct kd_error *explain(const struct chain_member *member, char **ret)
{
	const char *why = member->err->text, *end = strstr(member->name, ": ");
	size_t place = end ? (size_t)(end + 2 - member->name) : 0;
	struct kd_error *err;

	if (strncmp(why, member->name, place) == 0)
		why += place;
	err = kd_format(ret, "%s is left out: %s", member->name, why);
	for (char *c = err ? NULL : *ret; c && (c = strpbrk(c, "\r\n"));)
		*c = ' ';
	return err;
}

static struct kd_error *warn(const struct kd_log *log, const struct chain_member *member)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = explain(member, &text);

	if (!err)
		kd_warn(log, "%s; \"kdumpctl reload\" takes it in when it can be had", text);
	return err;
}

struct kd_error *chain_decide(const struct kd_log *log, struct chain *chain)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < chain->count; i++)
		if (chain->member[i].err && !chain_may_leave_out(chain->member[i].err))
			return take_ptr(chain->member[i].err);
	for (size_t i = chain_first(chain) ? 0 : 1; i < chain->count && !err; i++)
		if (chain->member[i].err)
			err = warn(log, &chain->member[i]);
	return err || chain_first(chain) ? err : take_ptr(chain->member[0].err);
}

struct kd_error *chain_note_left_out(const struct chain *chain, struct armed *armed)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < chain->count && !err; i++) {
		_cleanup_free_ char *text = NULL;

		if (!chain->member[i].err)
			continue;
		err = explain(&chain->member[i], &text);
		if (!err)
			err = armed_add_left_out(armed, (unsigned int)i, text);
	}
	return err;
}

/* --- what has come back ------------------------------------------------------------------------------------------- */

static bool is_on_server(const struct target_request *request)
{
	static const enum kd_target_source servers[] = { KD_TARGET_NFS, KD_TARGET_SSH, KD_TARGET_OBJECTS };
	const struct kd_target_type *type = request->type ? kd_target_type_find(request->type) : NULL;

	for (size_t i = 0; type && i < ARRAY_SIZE(servers); i++)
		if (type->source == servers[i])
			return true;
	return false;
}

struct kd_error *chain_find_returned(const struct kd_sysroot *root, const struct kd_conf *conf,
				     const struct armed *armed, bool servers, char **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < armed->left_out_count; i++) {
		_cleanup_(target_free) struct target target = { 0 };
		_cleanup_free_ char *name = NULL;
		size_t member = armed->left_out[i].member;
		struct target_request request;
		struct kd_error *err;
		bool away;

		if (member >= chain_length(conf))
			continue;
		request = chain_request(conf, member);
		if (!servers && is_on_server(&request))
			continue;
		err = try_member(root, NULL, conf, member, &target);
		if (err && err->code == KD_ERR_NOMEM)
			return err;
		away = err && chain_may_leave_out(err);
		kd_error_destroy(err);
		if (away)
			continue;
		err = name_of(conf, member, &name);
		return err ? err : kd_format(ret, "%s is there again", name);
	}
	return NULL;
}
