/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl prepare": make the containers of targets that have no file system. No other verb ever writes to a device
 * that does not hold one. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "base/text.h"
#include "kdump/config/conf.h"
#include "kdump/dumps/waiting.h"
#include "kdump/sizing/census.h"
#include "kdump/storage/held.h"
#include "kdump/verbs/containers.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_FORCE };

const struct verb_option prepare_options[] = {
	[OPTION_FORCE] = { "force", 0, NULL,
			   "also where there is data without a name, or a container, whose dumps are lost" },
	{ .name = NULL },
};

static struct kd_error *prepare(const struct kdumpctl *ctl, const struct target_request *request, void *arg)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	char size[TERM_SIZE_MAX];
	unsigned int waiting;
	struct kd_error *err;
	bool made;

	err = held_prepare(&ctl->root, request, ctl->option[OPTION_FORCE], &made);
	if (!err)
		err = held_open(&ctl->root, request, false, &held);
	if (err)
		return kd_error_wrap(err, "%s:%u", request->file, request->line);
	term_size(held_available(held.container), size);
	waiting = held_count(held.container);
	if (made)
		kd_info(&ctl->log, "%s is ready for dumps of %s: \"kdumpctl restart\" puts it into use", held.name,
			size);
	else
		kd_info(&ctl->log, "%s was ready already (%s free, %u dump%s not collected yet): nothing was changed",
			held.name, size, waiting, waiting == 1 ? "" : "s");
	return NULL;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

typedef struct kd_error *container_function(const struct kdumpctl *ctl, const struct target_request *request,
					    void *arg);

/* Call @each for every container of kdump.conf until it fails. *count: how many there are. */
static struct kd_error *for_each(const struct kdumpctl *ctl, const struct kd_conf *conf, container_function *each,
				 void *arg, unsigned int *count)
{
	struct kd_error *err = NULL;

	*count = 0;
	for (size_t i = 0; i <= conf->further_count && !err; i++) {
		struct target_request request = i ? kd_conf_further(conf, i - 1) : kd_conf_target(conf);

		if (!held_is_meant(&request))
			continue;
		++*count;
		err = each(ctl, &request, arg);
	}
	return err;
}

struct kd_error *prepare_containers(struct kdumpctl *ctl, int *status)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, &conf);
	unsigned int count;

	if (!err)
		err = for_each(ctl, &conf, prepare, NULL, &count);
	if (!err && !count)
		err = kd_error_create(
			KD_ERR_CONFIG,
			"%s names no target that has to be prepared: write \"raw DEVICE\" or \"reserved_file FILE "
			"SIZE\" there first",
			conf.file);
	return err;
}

/* --- dumps that wait ---------------------------------------------------------------------------------------------- */

static void complain(const struct kdumpctl *ctl, struct kd_error *err)
{
	if (err)
		kd_warn(&ctl->log, "%s", err->text);
	kd_error_destroy(err);
}

/* A container that has no dump is not opened for writing. */
static struct kd_error *count_waiting(const struct kdumpctl *ctl, const struct target_request *request,
				      unsigned int *count, char **name)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = held_open(&ctl->root, request, false, &held);

	*count = err ? 0 : held_count(held.container);
	*name = take_ptr(held.name);
	return err;
}

static struct kd_error *collect(const struct kdumpctl *ctl, const struct target_request *request, void *arg)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	_cleanup_free_ char *name = NULL, *directory = NULL;
	unsigned int count, moved;
	struct kd_error *err = count_waiting(ctl, request, &count, &name);

	if (err || !count) {
		complain(ctl, err);
		return NULL;
	}
	/* Where the first target's file system is not mounted, the usual place is better than none. */
	err = dumps_directory(ctl, &directory);
	if (err) {
		complain(ctl, err);
		directory = kd_sysroot_path(&ctl->root, TARGET_DEFAULT_PATH);
	}
	err = directory ? held_open(&ctl->root, request, true, &held) : kd_error_nomem();
	if (!err)
		err = waiting_collect(&held, directory, &ctl->log, &moved);
	if (!err && moved)
		kd_info(&ctl->log, "Moved %u dump%s from %s to %s", moved, moved == 1 ? "" : "s", name, directory);
	complain(ctl, err);
	return NULL;
}

static struct kd_error *remark(const struct kdumpctl *ctl, const struct target_request *request, void *arg)
{
	_cleanup_free_ char *name = NULL;
	unsigned int count;

	if (!kd_error_discard(count_waiting(ctl, request, &count, &name)) && count)
		kd_info(&ctl->log, "%u more dump%s in %s: \"systemctl restart kdump-collect\" brings %s here", count,
			count == 1 ? " waits" : "s wait", name, count == 1 ? "it" : "them");
	return NULL;
}

/* Bytes of the files in the directory @top. */
static uint64_t size_of(const struct kd_container *container, const char *top)
{
	uint64_t size = 0;

	for (int i = 0; i < KD_CONTAINER_FILES; i++) {
		const struct kd_container_file *file = &container->file[i];

		if (kd_starts_with(file->path, top) && file->path[strlen(top)] == '/')
			size += file->size;
	}
	return size;
}

static struct kd_error *put(const struct kdumpctl *ctl, const struct target_request *request, void *arg)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_json *json = arg;

	if (kd_error_discard(held_open(&ctl->root, request, false, &held)))
		return NULL;
	for (int i = 0; i < KD_CONTAINER_FILES; i++) {
		const struct kd_container_file *file = &held.container->file[i];

		if (!S_ISDIR(file->mode))
			continue;
		kd_json_open(json, NULL, '{');
		kd_json_string(json, "name", file->path + 1);
		kd_json_string(json, "path", NULL);
		kd_json_u64(json, "time", file->time);
		kd_json_string(json, "state", "waiting");
		kd_json_u64(json, "size", size_of(held.container, file->path));
		kd_json_string(json, "container", held.name);
		kd_json_close(json, '}');
	}
	return NULL;
}

/* --- what fits ---------------------------------------------------------------------------------------------------- */

struct container_state {
	const char *name;
	const char *error; /* why the rest is not known; NULL: it is */
	uint64_t size, available;
	unsigned int waiting;
	uint64_t dump; /* bytes that a dump would take now; 0: not known */
};

struct look {
	const struct kd_conf *conf;
	void (*tell)(const struct kdumpctl *ctl, const struct container_state *state, void *arg);
	void *arg;
};

static uint64_t dump_bytes(const struct kdumpctl *ctl, const struct kd_conf *conf)
{
	struct census_dump dump;
	struct census census;

	if (kd_error_discard(census_take(&ctl->root, &census)))
		return 0;
	census_estimate(&ctl->root, &census, conf->core_collector, &dump);
	return dump.bytes;
}

static struct kd_error *look_at(const struct kdumpctl *ctl, const struct target_request *request, void *arg)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	const struct look *look = arg;
	struct container_state state = { .dump = dump_bytes(ctl, look->conf) };
	_cleanup_free_ char *name = NULL;
	struct kd_error *err = held_open(&ctl->root, request, false, &held);

	if (err) {
		kd_error_destroy(kd_format(&name, "%s %s", request->type, request->device));
		state.error = err->text;
	} else {
		state.size = held.container->label.size;
		state.available = held_available(held.container);
		state.waiting = held_count(held.container);
	}
	state.name = err ? name : held.name;
	if (state.name)
		look->tell(ctl, &state, look->arg);
	kd_error_destroy(err);
	return NULL;
}

static void look_at_all(const struct kdumpctl *ctl, struct look look)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = kd_conf_load(&ctl->root, NULL, ctl->conf_file, &conf);

	look.conf = &conf;
	kd_error_destroy(err ? err : for_each(ctl, &conf, look_at, &look, &(unsigned int){ 0 }));
}

struct fit_line {
	const char *label;
	int width;
};

static void print_fit(const struct kdumpctl *ctl, const struct container_state *state, void *arg)
{
	char have[TERM_SIZE_MAX], need[TERM_SIZE_MAX], waiting[48] = "", dump[80] = "";
	const struct fit_line *line = arg;
	struct term term;

	term_init(&term, stdout);
	if (state->error)
		return term_line(&term, "%-*s%s: %s", line->width, line->label, state->name, state->error);
	if (state->waiting)
		snprintf(waiting, sizeof(waiting), ", %u dump%s not collected yet", state->waiting,
			 state->waiting == 1 ? "" : "s");
	if (state->dump)
		snprintf(dump, sizeof(dump), "; a dump now would take about %s, which %s", term_size(state->dump, need),
			 state->dump <= state->available ? "fits" : "does not fit");
	term_line(&term, "%-*s%s: %s free%s%s", line->width, line->label, state->name,
		  term_size(state->available, have), waiting, dump);
}

void containers_print_fit(const struct kdumpctl *ctl, const char *label, int width)
{
	look_at_all(ctl, (struct look){ .tell = print_fit, .arg = &(struct fit_line){ label, width } });
}

static void put_fit(const struct kdumpctl *ctl, const struct container_state *state, void *arg)
{
	struct kd_json *json = arg;

	kd_json_open(json, NULL, '{');
	kd_json_string(json, "name", state->name);
	kd_json_string(json, "error", state->error);
	if (!state->error) {
		kd_json_u64(json, "size_bytes", state->size);
		kd_json_u64(json, "free_bytes", state->available);
		kd_json_u64(json, "waiting_dumps", state->waiting);
	}
	if (state->dump)
		kd_json_u64(json, "dump_bytes", state->dump);
	if (state->dump && !state->error)
		kd_json_bool(json, "fits", state->dump <= state->available);
	kd_json_close(json, '}');
}

void containers_put_fit(const struct kdumpctl *ctl, struct kd_json *json)
{
	kd_json_open(json, "containers", '[');
	look_at_all(ctl, (struct look){ .tell = put_fit, .arg = json });
	kd_json_close(json, ']');
}

/* What cannot be opened has changed since it was armed, which is told otherwise, or is root's alone. */
static void warn_of_fit(const struct kdumpctl *ctl, const struct container_state *state, void *arg)
{
	char have[TERM_SIZE_MAX], need[TERM_SIZE_MAX];

	if (!state->error && state->dump > state->available)
		kd_warn(&ctl->log, "%s has %s free, and a dump now would take about %s: %s", state->name,
			term_size(state->available, have), term_size(state->dump, need),
			state->waiting ? "\"systemctl restart kdump-collect\" moves the dumps out that wait there" :
					 "make it larger, or name a further target in kdump.conf");
}

void containers_warn_of_fit(const struct kdumpctl *ctl)
{
	look_at_all(ctl, (struct look){ .tell = warn_of_fit });
}

/* --- for other verbs ---------------------------------------------------------------------------------------------- */

void containers_collect(const struct kdumpctl *ctl)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_error *err = kd_conf_load(&ctl->root, NULL, ctl->conf_file, &conf);

	complain(ctl, err ? err : for_each(ctl, &conf, collect, NULL, &(unsigned int){ 0 }));
}

void containers_remark(const struct kdumpctl *ctl)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	if (!kd_error_discard(kd_conf_load(&ctl->root, NULL, ctl->conf_file, &conf)))
		kd_error_destroy(for_each(ctl, &conf, remark, NULL, &(unsigned int){ 0 }));
}

void containers_put(const struct kdumpctl *ctl, struct kd_json *json)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	if (!kd_error_discard(kd_conf_load(&ctl->root, NULL, ctl->conf_file, &conf)))
		kd_error_destroy(for_each(ctl, &conf, put, json, &(unsigned int){ 0 }));
}
