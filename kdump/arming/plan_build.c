/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/plan_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/programs.h"
#include "base/served_disk.h"
#include "base/text.h"
#include "initramfs/extra_file.h"
#include "kdump/arming/fence.h"
#include "kdump/arming/hook_file.h"
#include "kdump/arming/ways.h"
#include "kdump/network/network.h"
#include "kdump/config/collector.h"
#include "kdump/config/program.h"
#include "kdump/storage/volumes.h"

/* The whole capture may take as long as writing the whole memory at a rate that the slowest disks exceed. */
enum { CAPTURE_SECONDS_MIN = 3600, SLOWEST_BYTES_PER_SECOND = 10 * 1000 * 1000 };

/* --- programs ----------------------------------------------------------------------------------------------------- */

static struct kd_error *add_program(struct plan_programs *programs, const char *path)
{
	char **grown;
	size_t i;

	for (i = 0; i < programs->count; i++)
		if (strcmp(programs->path[i], path) == 0)
			return NULL;
	grown = realloc(programs->path, (programs->count + 2) * sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	programs->path = grown;
	grown[programs->count] = strdup(path);
	if (!grown[programs->count])
		return kd_error_nomem();
	grown[++programs->count] = NULL;
	return NULL;
}

void plan_programs_free(struct plan_programs *programs)
{
	size_t i;

	for (i = 0; i < programs->count; i++)
		free(programs->path[i]);
	free(programs->path);
	free(programs->missing);
	*programs = (struct plan_programs){ 0 };
}

/* --- hooks -------------------------------------------------------------------------------------------------------- */

/* The machine's busybox, with its text. */
struct busybox {
	char *path; /* NULL: there is none */
	char *text;
	size_t size;
};

static void busybox_free_cleanup(struct busybox *busybox)
{
	free(busybox->path);
	free(busybox->text);
}

static struct kd_error *find_busybox(const struct kd_sysroot *root, struct busybox *ret)
{
	struct kd_error *err = program_look_up(root, KD_BUSYBOX, &ret->path);

	if (!err && ret->path)
		kd_error_destroy(kd_sysroot_read(root, ret->path, &ret->text, &ret->size));
	return err;
}

/* It has a table of its commands, each ended by a NUL. */
static bool busybox_has(const struct busybox *busybox, const char *command)
{
	char word[32] = "";
	int length = snprintf(word + 1, sizeof(word) - 1, "%s", command);

	return busybox->text && memmem(busybox->text, busybox->size, word, (size_t)length + 2);
}

/* Scripts find the commands that Red Hat's capture image has, as far as this machine has them: in busybox, which is
 * small, or else as the programs that they are here. */
static struct kd_error *add_script_commands(const struct kd_sysroot *root, const struct busybox *busybox,
					    struct plan_programs *programs)
{
	struct kd_error *err = busybox->path ? add_program(programs, busybox->path) : NULL;

	for (const char *const *command = kd_script_commands; *command && !err; command++) {
		_cleanup_free_ char *path = NULL;

		if (busybox_has(busybox, *command))
			continue;
		err = program_look_up(root, *command, &path);
		if (!err && path)
			err = add_program(programs, path);
	}
	return err;
}

/* Does a link to busybox take the place of a command that this machine does not have as a program? */
static bool is_stood_in_for(const struct busybox *busybox, const char *word)
{
	const char *const *command = kd_script_commands;

	while (*command && strcmp(*command, word) != 0)
		command++;
	return *command && busybox_has(busybox, word);
}

static struct kd_error *note_missing(const char *what, const char *path, const char *command,
				     struct plan_programs *programs)
{
	_cleanup_free_ char *before = take_ptr(programs->missing);

	return kd_format(&programs->missing,
			 "%s%s: %s names the %s %s, which this machine does not have: at the crash it will not be "
			 "found\n",
			 before ? before : "", what, path, *command == '/' ? "file" : "command", command);
}

/* The commands that a script names come with it. */
static struct kd_error *add_named_commands(const struct kd_sysroot *root, const char *what, const char *path,
					   const struct busybox *busybox, struct plan_programs *programs)
{
	_cleanup_(hook_commands_free) struct hook_commands commands = { 0 };
	struct kd_error *err = hook_file_commands(root, path, &commands);

	for (size_t i = 0; i < commands.count && !err; i++) {
		_cleanup_free_ char *found = NULL;

		err = program_look_up(root, commands.word[i], &found);
		if (!err && !found && is_stood_in_for(busybox, commands.word[i]))
			continue;
		if (!err)
			err = found && kd_sysroot_exists(root, found) ?
				      add_program(programs, found) :
				      note_missing(what, path, commands.word[i], programs);
	}
	return err;
}

static struct kd_error *add_commands(const struct kd_sysroot *root, const char *what, const char *path,
				     struct plan_programs *programs)
{
	_cleanup_(busybox_free) struct busybox busybox = { 0 };
	struct kd_error *err = find_busybox(root, &busybox);

	if (!err)
		err = add_script_commands(root, &busybox, programs);
	return err ? err : add_named_commands(root, what, path, &busybox, programs);
}

/* @argv as the capture runs it: a text without a "#!" line is given to the shell, and is one more file of the image. */
static struct kd_error *add_by_shell(const char *when, char **argv, struct kd_plan *plan,
				     struct plan_programs *programs)
{
	_cleanup_free_ char **words = NULL;
	struct kd_error *err;
	size_t count;

	for (count = 0; argv[count]; count++)
		;
	words = calloc(count + 2, sizeof(*words));
	if (!words)
		return kd_error_nomem();
	words[0] = (char *)"/bin/sh";
	memcpy(words + 1, argv, count * sizeof(*words));
	err = add_program(programs, argv[0]);
	return err ? err : kd_plan_add_hook(plan, when, words);
}

static struct kd_error *add_hook(const struct kd_sysroot *root, const char *what, const char *when, char **argv,
				 struct kd_plan *plan, struct plan_programs *programs)
{
	_cleanup_free_ char *path = NULL;
	enum hook_kind kind;
	struct kd_error *err;

	if (!argv[0])
		return kd_error_create(KD_ERR_CONFIG, "%s: the command is empty", what);
	err = program_find(root, what, argv[0], &path);
	if (!err)
		err = kd_error_wrap(hook_file_check(root, path, &kind), "%s", what);
	if (err)
		return err;
	argv[0] = path;
	if (kind != HOOK_PROGRAM)
		err = add_commands(root, what, path, programs);
	if (err)
		return err;
	return kind == HOOK_TEXT ? add_by_shell(when, argv, plan, programs) : kd_plan_add_hook(plan, when, argv);
}

static struct kd_error *add_command(const struct kd_sysroot *root, const struct kd_conf *conf, const char *directive,
				    const char *command, const char *when, struct kd_plan *plan,
				    struct plan_programs *programs)
{
	_cleanup_free_ char **argv = NULL, *what = NULL;
	struct kd_error *err;

	if (!command)
		return NULL;
	err = kd_conf_where(conf, directive, &what);
	if (err)
		return err;
	argv = kd_split_words(command, NULL);
	if (!argv)
		return errno == ENOMEM ? kd_error_nomem() :
					 kd_error_create(KD_ERR_CONFIG, "%s: closing quote missing", what);
	return add_hook(root, what, when, argv, plan, programs);
}

/* As Red Hat's: what is not executable is left alone, in the order of the names. */
static struct kd_error *add_directory(const struct kd_sysroot *root, const char *directory, const char *when,
				      struct kd_plan *plan, struct plan_programs *programs)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = kd_sysroot_list(root, directory, &names);

	if (err && err->errnum == ENOENT)
		return kd_error_destroy(err), NULL; /* there are no hooks */
	for (size_t i = 0; i < names.count && !err; i++) {
		_cleanup_free_ char *path = NULL;
		char *argv[2] = { NULL, NULL };
		bool exists;

		if (kd_is_left_behind(names.name[i]))
			continue;
		err = kd_format(&path, "%s/%s", directory, names.name[i]);
		argv[0] = path;
		if (!err && program_is_executable(root, path, &exists))
			err = add_hook(root, directory, when, argv, plan, programs);
	}
	return err;
}

static struct kd_error *add_hooks(const struct kd_sysroot *root, const struct kd_conf *conf, struct kd_plan *plan,
				  struct plan_programs *programs)
{
	const struct {
		const char *directive, *command, *when, *directory, *directory_when;
	} hooks[] = {
		{ "kdump_pre", conf->kdump_pre, "pre", KD_SYSCONFDIR "/kdump/pre.d", "pre.d" },
		{ "kdump_post", conf->kdump_post, "post", KD_SYSCONFDIR "/kdump/post.d", "post" },
		{ "kdump_emergency", conf->kdump_emergency, "emergency", KD_SYSCONFDIR "/kdump/emergency.d",
		  "emergency" },
	};
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hooks) && !err; i++) {
		err = add_command(root, conf, hooks[i].directive, hooks[i].command, hooks[i].when, plan, programs);
		if (!err)
			err = add_directory(root, hooks[i].directory, hooks[i].directory_when, plan, programs);
	}
	return err;
}

/* --- collector ---------------------------------------------------------------------------------------------------- */

/* Red Hat's kdump writes a stream to ssh and raw targets, so its core_collector has -F there. Here a dump is an
 * ordinary file wherever it goes. @words has room for the whole command. */
static void take_words(const struct kd_conf *conf, char **words)
{
	bool stream = kd_conf_has_target(conf, "ssh") || kd_conf_has_target(conf, "raw");
	char **word;

	for (word = conf->core_collector; *word; word++)
		if (!stream || strcmp(*word, "-F") != 0)
			*words++ = *word;
	*words = NULL;
}

/* If the kernel could not run the file, the capture would fall back to the built-in filter, and the dump would not be
 * the one that was asked for. */
static struct kd_error *find_collector(const struct kd_sysroot *root, const char *what, const char *program, char **ret)
{
	_cleanup_free_ char *path = NULL;
	enum hook_kind kind;
	struct kd_error *err = program_find(root, what, program, &path);

	if (!err)
		err = kd_error_wrap(hook_file_check(root, path, &kind), "%s", what);
	if (!err && kind == HOOK_TEXT)
		err = kd_error_create(KD_ERR_CONFIG,
				      "%s: %s is a text whose first line does not name an interpreter: write "
				      "\"#!/bin/sh\"",
				      what, path);
	if (!err)
		*ret = take_ptr(path);
	return err;
}

static struct kd_error *set_collector(const struct kd_sysroot *root, const struct kd_conf *conf, struct kd_plan *plan)
{
	_cleanup_free_ char *path = NULL, *what = NULL, **argv = NULL;
	struct collector collector;
	struct kd_error *err;

	err = kd_conf_where(conf, "core_collector", &what);
	if (err)
		return err;
	argv = calloc(kd_count_words(conf->core_collector) + 1, sizeof(*argv));
	if (!argv)
		return kd_error_nomem();
	take_words(conf, argv);
	err = collector_decide(root, argv, &collector);
	if (!err && *conf->encrypt)
		err = collector_check_stream(&collector, argv);
	if (err)
		return kd_error_wrap(err, "%s", what);
	if (collector.kind != KD_COLLECTOR_BUILT_IN)
		err = find_collector(root, what, collector.program, &path);
	if (err)
		return err;
	argv[0] = path ? path : (char *)collector.program;
	return kd_plan_set_collector(plan, collector.kind, collector.erase_config, argv);
}

/* --- encryption --------------------------------------------------------------------------------------------------- */

static struct kd_error *set_encryption(const struct kd_conf *conf, struct kd_plan *plan)
{
	struct kd_error *err = NULL;

	for (char **recipient = conf->encrypt; *recipient && !err; recipient++)
		err = kd_plan_add_recipient(plan, *recipient);
	plan->encryption.public = *conf->encrypt ? conf->encrypt_public : 0;
	return err;
}

/* The address begins the name of a dump's directory. */
static struct kd_error *hide_address(struct kd_plan *plan)
{
	bool hidden = plan->encryption.count && !(plan->encryption.public & KD_PUBLIC_HOST);

	return hidden ? kd_set_text(&plan->address, "dump") : NULL;
}

/* Hooks are programs of the administrator's: nothing stands between them and the target. */
static struct kd_error *remark_encryption(const struct kd_log *log, const struct kd_conf *conf,
					  const struct kd_plan *plan)
{
	_cleanup_free_ char *where = NULL;
	struct kd_error *err = plan->encryption.count && plan->hook_count ? kd_conf_where(conf, "encrypt", &where) :
									    NULL;

	if (where)
		kd_warn(log,
			"%s: what the commands before and after the dump (%s, …) write to the target themselves is not "
			"encrypted",
			where, plan->hook[0].argv[0]);
	return err;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static int utc_offset(const struct kd_sysroot *root, time_t now)
{
	struct tm tm;

	/* Another machine's time zone is not ours. */
	return kd_sysroot_is_live(root) && localtime_r(&now, &tm) ? (int)tm.tm_gmtoff : 0;
}

static struct kd_error *describe_machine(const struct kd_sysroot *root, const char *release, struct kd_plan *plan)
{
	_cleanup_free_ char *host = NULL;
	struct kd_error *err;

	plan->created = time(NULL);
	plan->utc_offset = utc_offset(root, plan->created);
	err = kd_sysroot_read_line(root, &host, "/proc/sys/kernel/hostname");
	kd_error_destroy(err);
	err = kd_set_text(&plan->host, host ? host : "localhost");
	if (!err)
		err = kd_set_text(&plan->address, "127.0.0.1");
	if (!err)
		err = kd_set_text(&plan->kernel_release, release);
	return err;
}

static struct kd_error *add_extra_bins(const struct kd_sysroot *root, const struct kd_conf *conf,
				       struct plan_programs *programs)
{
	_cleanup_free_ char *what = NULL;
	struct kd_error *err = NULL;
	size_t i;

	err = kd_conf_where(conf, "extra_bins", &what);
	if (err)
		return err;
	for (i = 0; conf->extra_bins[i] && !err; i++) {
		_cleanup_free_ char *path = NULL;

		err = program_find(root, what, conf->extra_bins[i], &path);
		if (!err)
			err = add_program(programs, path);
	}
	return err;
}

static unsigned int capture_seconds(const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	uint64_t memory;

	if (kd_error_discard(kd_sysroot_read(root, "/proc/meminfo", &text, NULL)) ||
	    !kd_proc_figure(text, "MemTotal", &memory) || memory / SLOWEST_BYTES_PER_SECOND < CAPTURE_SECONDS_MIN)
		return CAPTURE_SECONDS_MIN;
	return (unsigned int)(memory / SLOWEST_BYTES_PER_SECOND);
}

static void set_times(const struct kd_sysroot *root, const struct kd_conf *conf, struct kd_plan *plan)
{
	plan->deadline = conf->capture_timeout ? conf->capture_timeout : capture_seconds(root);
	plan->mount_timeout = conf->mount_timeout;
	plan->stall_timeout = conf->stall_timeout;
	/* What the persistent store holds is not encrypted. */
	plan->pstore = conf->pstore && (!*conf->encrypt || (conf->encrypt_public & KD_PUBLIC_CONSOLE));
}

static struct kd_error *check_extra_files(const struct kd_sysroot *root, const struct kd_conf *conf)
{
	_cleanup_free_ char *what = NULL;
	struct kd_error *err = NULL;

	for (size_t i = 0; conf->extra_files[i] && !err; i++)
		err = extra_file_check(root, conf->extra_files[i]);
	if (!err || kd_error_discard(kd_conf_where(conf, "extra_files", &what)))
		return err;
	return kd_error_wrap(err, "%s", what);
}

struct kd_error *plan_build(const struct kd_sysroot *root, const struct kd_conf *conf, const char *release,
			    const struct target *const *targets, struct kd_plan *plan, struct plan_programs *programs)
{
	_cleanup_(plan_programs_free) struct plan_programs needed = { 0 };
	_cleanup_(kd_plan_free) struct kd_plan built = { 0 };
	struct kd_error *err;

	err = kd_plan_init(&built);
	if (!err)
		err = describe_machine(root, release, &built);
	for (; *targets && !err; targets++) {
		err = kd_plan_add_target(&built, (*targets)->type, (*targets)->device, (*targets)->options,
					 (*targets)->path, conf->device_timeout);
		if (!err)
			err = kd_plan_set_server(&built, (*targets)->server, false);
		/* The network of another machine cannot be asked. */
		if (!err && (*targets)->server_name && kd_sysroot_is_live(root))
			err = ways_add(root, &network_live, *targets, &built);
		for (size_t i = 0; i < TARGET_NEEDS && (*targets)->need[i] && !err; i++)
			err = add_program(&needed, (*targets)->need[i]);
	}
	if (!err)
		err = set_collector(root, conf, &built);
	if (!err)
		err = set_encryption(conf, &built);
	if (!err)
		err = add_hooks(root, conf, &built, &needed);
	if (!err)
		err = add_extra_bins(root, conf, &needed);
	if (!err)
		err = check_extra_files(root, conf);
	if (err)
		return err;
	set_times(root, conf, &built);
	built.failure_action = conf->failure_action;
	built.final_action = conf->final_action;
	built.loop = conf->crash_loop;
	*plan = built;
	built = (struct kd_plan){ 0 };
	*programs = needed;
	needed = (struct plan_programs){ 0 };
	return NULL;
}

/* What was decided otherwise than kdump.conf says, and what a hook will miss. */
static struct kd_error *remark(const struct kd_log *log, const struct kd_conf *conf, const struct kd_plan *plan,
			       const struct plan_programs *programs)
{
	const char *program = conf->core_collector[0];
	_cleanup_free_ char *where = NULL;
	struct kd_error *err = kd_conf_where(conf, "core_collector", &where);
	const char *line;

	if (err)
		return err;
	if (collector_is_makedumpfile(program) && plan->collector.kind != KD_COLLECTOR_PROGRAM)
		kd_info(log, "%s: %s is not installed: dumpfilter takes its place, with the same options", where,
			program);
	for (line = programs->missing; line && *line; line += strcspn(line, "\n") + 1)
		kd_warn(log, "%.*s", (int)strcspn(line, "\n"), line);
	return NULL;
}

/* @source := the address that this machine has on the way to @address. */
static struct kd_error *add_way(const struct kd_sysroot *root, const char *address, struct kd_plan *plan,
				char source[static NET_ADDRESS_TEXT])
{
	struct net_address server;

	if (!kd_sysroot_is_live(root))
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "the network of another machine cannot be asked for the way to %s", address);
	if (!net_address_parse(address, &server))
		return kd_error_create(KD_ERR_UNSUPPORTED, "\"%s\" is not an address", address);
	return network_resolve(root, &network_live, &server, plan, source);
}

static struct kd_error *add_rdma(const char *address, struct kd_plan *plan)
{
	struct net_address server;

	if (!net_address_parse(address, &server))
		return kd_error_create(KD_ERR_UNSUPPORTED, "\"%s\" is not an address", address);
	return network_resolve_rdma(&network_live, &server, plan);
}

/* Disks of servers are reached over the network, some by RDMA devices or a program. */
static struct kd_error *add_served_disks(const struct kd_sysroot *root, struct kd_plan *plan,
					 struct plan_programs *programs)
{
	char source[NET_ADDRESS_TEXT];
	struct kd_error *err = NULL;

	for (size_t i = 0; i < plan->volume_count && !err; i++) {
		const struct kd_plan_volume *volume = &plan->volume[i];

		if (!kd_served_is(volume))
			continue;
		err = add_way(root, volume->argv[KD_SERVED_ADDRESS], plan, source);
		if (!err && strcmp(volume->kind, KD_SERVED_NVME_RDMA) == 0)
			err = add_rdma(volume->argv[KD_SERVED_ADDRESS], plan);
		if (!err && strcmp(volume->kind, KD_SERVED_ISCSI) == 0)
			err = add_program(programs, KD_SERVED_ISCSI_PROGRAM);
		err = kd_error_wrap(err, "%s disk %s", volume->kind, volume->argv[KD_SERVED_NAME]);
	}
	return err;
}

/* Dumps on a server are told apart by the address that this machine has there. */
static struct kd_error *add_network(const struct kd_sysroot *root, const struct target *target, struct kd_plan *plan)
{
	char source[NET_ADDRESS_TEXT];
	struct kd_error *err;

	if (!target->server)
		return NULL;
	err = add_way(root, target->server, plan, source);
	return err ? err : kd_set_text(&plan->address, source);
}

struct kd_error *plan_try_target(const struct kd_sysroot *root, const struct target *target)
{
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };
	_cleanup_(kd_plan_free) struct kd_plan scratch = { 0 };
	struct kd_error *err = kd_plan_init(&scratch);

	if (!err)
		err = volumes_resolve(root, NULL, &volumes_live, target, &scratch);
	if (!err)
		err = add_network(root, target, &scratch);
	return err ? err : add_served_disks(root, &scratch, &programs);
}

struct kd_error *plan_resolve(const struct kd_sysroot *root, const struct kd_log *log, const struct kd_conf *conf,
			      const char *release, const struct target *const *targets, struct kd_plan *plan,
			      struct plan_programs *programs)
{
	struct kd_error *err = plan_build(root, conf, release, targets, plan, programs);

	if (!err)
		err = remark(log, conf, plan, programs);
	if (!err)
		err = remark_encryption(log, conf, plan);
	for (size_t i = 0; targets[i] && !err; i++) {
		err = volumes_resolve(root, log, &volumes_live, targets[i], plan);
		if (!err)
			err = add_network(root, targets[i], plan);
	}
	if (!err)
		err = add_served_disks(root, plan, programs);
	if (!err)
		err = hide_address(plan);
	if (!err)
		err = ways_resolve(root, &network_live, plan);
	/* The network of another machine cannot be asked. */
	return err || !kd_sysroot_is_live(root) ? err : fence_resolve(root, log, &network_live, conf, plan);
}
