/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/arming.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/target_types.h"
#include "base/text.h"
#include "initramfs/initramfs.h"
#include "base/served_disk.h"
#include "initramfs/secrets.h"
#include "kdump/airbag/guard.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/chain.h"
#include "kdump/arming/comeback.h"
#include "kdump/arming/crash_loop.h"
#include "kdump/arming/creation_test.h"
#include "kdump/arming/inputs.h"
#include "kdump/arming/kept.h"
#include "kdump/arming/plan_build.h"
#include "kdump/arming/transition.h"
#include "kdump/config/kernel.h"
#include "kdump/config/settings.h"
#include "kdump/loader/loader.h"
#include "kdump/sizing/reservation.h"
#include "kdump/storage/target.h"
#include "kdump/storage/volume_keys.h"

/* One attempt to arm. All of it is known before anything is changed. */
struct arming {
	const struct arming_request *request;
	const struct kd_sysroot *root; /* the request's */
	const struct kd_log *log;      /* the request's */
	struct kd_conf conf;
	struct settings settings;
	struct kernel kernel;
	struct chain chain;
	struct kd_plan plan;
	struct plan_programs programs;
	struct volume_keys keys;
	struct comeback comeback;
	struct kd_handover handover;
	char *initrd;    /* below the root */
	char *directory; /* of a dry run's temporary image, below the root; NULL: none */
	char *cmdline;
	char *map;      /* where the capture writes, see kept_map() */
	char *fallback; /* why an earlier image is loaded; NULL: it is a new one */
	struct initramfs_result image;
	struct inputs inputs; /* each is noted before it is read, so that a change in between is seen later */
};

static struct arming arming_new(const struct arming_request *request)
{
	return (struct arming){ .request = request, .root = request->root, .log = request->log };
}

static void arming_free(struct arming *arming)
{
	kd_conf_free(&arming->conf);
	settings_free(&arming->settings);
	kernel_free(&arming->kernel);
	chain_free(&arming->chain);
	kd_plan_free(&arming->plan);
	plan_programs_free(&arming->programs);
	volume_keys_free(&arming->keys);
	comeback_free(&arming->comeback);
	kd_handover_free(&arming->handover);
	free(arming->initrd);
	free(arming->directory);
	free(arming->cmdline);
	free(arming->map);
	free(arming->fallback);
	inputs_free(&arming->inputs);
}
static inline void arming_free_cleanup(struct arming *arming)
{
	arming_free(arming);
}

/* --- feasibility -------------------------------------------------------------------------------------------------- */

/* Can a capture kernel be loaded here at all? *loaded: is one already loaded? */
static struct kd_error *check_feasible(const struct kd_sysroot *root, bool *loaded)
{
	uint64_t reserved;
	struct kd_error *err;

	err = loader_loaded(root, LOADER_PANIC, loaded);
	if (err)
		return kd_error_wrap(err, "Kdump is not supported on this kernel");
	err = loader_crash_size(root, &reserved);
	if (err)
		return err;
	if (!reserved)
		return kd_error_create(
			KD_ERR_STATE,
			"No memory reserved for crash kernel: run \"kdumpctl reset-crashkernel\" (it adds "
			"crashkernel=… to the kernel's command line) and reboot");
	return NULL;
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */

/* Without KDUMP_COMMANDLINE the loader changes the running kernel's command line. With it, only what brings the machine
 * back is added. */
static struct kd_error *make_cmdline(const struct kd_sysroot *root, const struct settings *settings, char **ret)
{
	const char *append = settings->commandline_append ? settings->commandline_append : "";
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	if (!settings->commandline)
		return loader_capture_cmdline(root, settings->commandline_remove, settings->commandline_append, ret);
	err = kd_format(&text, "%s%s%s", settings->commandline, *append ? " " : "", append);
	return err ? err : loader_complete_cmdline(text, settings->commandline_remove, ret);
}

static struct kd_error *load_conf(struct arming *arming)
{
	const char *file = arming->request->conf_file;
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err = kd_conf_directory(file, &directory);

	if (!err)
		err = inputs_add(arming->root, &arming->inputs, INPUT_CONFIG, file);
	if (!err)
		err = inputs_add(arming->root, &arming->inputs, INPUT_DROP_INS, directory);
	return err ? err : kd_conf_load(arming->root, arming->log, file, &arming->conf);
}

/* Both files are inputs: the second one counts as soon as the first one does not exist. */
static struct kd_error *note_settings(struct arming *arming)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < SETTINGS_FILES && !err; i++)
		err = inputs_add(arming->root, &arming->inputs, INPUT_CONFIG, settings_files[i]);
	return err;
}

static struct kd_error *note_target(struct arming *arming, const struct target *target)
{
	struct kd_error *err;

	/* Nothing is mounted of a container. */
	if (kd_target_is_container(kd_target_type_find(target->type)))
		return target->reserved ? inputs_add(arming->root, &arming->inputs, INPUT_RESERVED, target->reserved) :
					  NULL;
	err = target->directory ? inputs_add(arming->root, &arming->inputs, INPUT_MOUNT, target->directory) :
				  inputs_add(arming->root, &arming->inputs, INPUT_FSTAB, target->device);
	if (!err && target->server)
		err = inputs_add(arming->root, &arming->inputs, INPUT_NETWORK, target->server);
	return err;
}

/* Note the inputs that are known when everything is resolved. */
static struct kd_error *note_resolved(struct arming *arming)
{
	const struct kd_sysroot *root = arming->root;
	struct inputs *inputs = &arming->inputs;
	const struct target *targets[CHAIN_MAX + 1];
	struct kd_error *err;
	size_t i;

	err = inputs_add(root, inputs, INPUT_KERNEL, arming->kernel.path);
	if (!err)
		err = inputs_add(root, inputs, INPUT_WATCHDOG, "watchdog");
	if (!err)
		err = inputs_add(root, inputs, INPUT_PROGRAM, arming->request->capture);
	if (!err)
		err = inputs_add_plan(root, inputs, &arming->plan);
	for (i = 0; i < arming->programs.count && !err; i++)
		err = inputs_add(root, inputs, INPUT_PROGRAM, arming->programs.path[i]);
	for (i = 0; arming->conf.extra_files[i] && !err; i++)
		err = inputs_add(root, inputs, INPUT_FILE, arming->conf.extra_files[i]);
	for (i = 0; i < arming->plan.volume_count && !err; i++) {
		const struct kd_plan_volume *volume = &arming->plan.volume[i];

		err = strcmp(volume->kind, KD_PLAN_DEVICE) == 0 || kd_served_is(volume) ?
			      inputs_add(root, inputs, INPUT_DEVICE, volume->argv[0]) :
			      inputs_add(root, inputs, INPUT_VOLUME, volume->name);
		if (!err && kd_served_is(volume))
			err = inputs_add(root, inputs, INPUT_NETWORK, volume->argv[KD_SERVED_ADDRESS]);
	}
	for (i = 0; i < arming->plan.fence_count && !err; i++)
		err = inputs_add(root, inputs, INPUT_NETWORK, arming->plan.fence[i].node);
	for (i = 0; i < arming->plan.target_count && !err; i++)
		if (arming->plan.target[i].alternative)
			err = inputs_add(root, inputs, INPUT_NETWORK, arming->plan.target[i].server);
	if (!err && arming->plan.boot.type)
		err = inputs_add(root, inputs, INPUT_RETURN, arming->comeback.kernel);
	if (!err && arming->plan.boot.type)
		err = inputs_add(root, inputs, INPUT_RETURN, arming->comeback.initrd);
	chain_list(&arming->chain, targets);
	for (i = 0; targets[i] && !err; i++)
		err = note_target(arming, targets[i]);
	return err;
}

/* Earlier crashes, and where their dumps show them. */
static struct kd_error *collect_crashes(struct arming *arming)
{
	const struct target *targets[CHAIN_MAX + 1];
	const char *directory[CHAIN_MAX + 2];
	struct crash_loop_request request = {
		.root = arming->root,
		.loop = &arming->conf.crash_loop,
		.directory = directory,
		.local = chain_is_whole(&arming->chain), /* what is left out may have dumps, too */
		.now = time(NULL),
		.dry_run = arming->request->dry_run,
	};
	size_t count = 0;

	if (!arming->conf.crash_loop.count)
		return NULL;
	chain_list(&arming->chain, targets);
	directory[count++] = TARGET_DEFAULT_PATH;
	for (size_t i = 0; targets[i]; i++) {
		request.local = request.local && targets[i]->directory;
		if (targets[i]->directory && strcmp(targets[i]->directory, TARGET_DEFAULT_PATH) != 0)
			directory[count++] = targets[i]->directory;
	}
	directory[count] = NULL;
	return crash_loop_collect(&request, &arming->handover);
}

/* One crash more makes a loop. */
static bool is_loop_next(const struct arming *arming)
{
	const struct kd_plan_loop *loop = &arming->conf.crash_loop;

	return loop->count && kd_handover_recent(&arming->handover, time(NULL), loop->seconds) + 1 >= loop->count;
}

static void remark_loop(const struct arming *arming)
{
	_cleanup_free_ char *text = NULL;

	if (is_loop_next(arming) &&
	    !kd_error_discard(crash_loop_describe(&arming->conf.crash_loop, &arming->handover, time(NULL), &text)))
		kd_warn(arming->log, "crash loop: %s", text);
}

/* Which kernel the next crash leads to is known now: the kernel before this one, if that makes a loop. */
static struct kd_error *find_comeback(struct arming *arming)
{
	struct comeback *comeback = &arming->comeback;
	struct kd_error *err = collect_crashes(arming);

	if (err) {
		kd_warn(arming->log, "earlier crashes are not known: %s", err->text);
		kd_error_destroy(err);
	}
	comeback->previous = is_loop_next(arming) && arming->conf.crash_loop.action == KD_ACTION_PREVIOUS;
	comeback->wanted = comeback->previous || arming->conf.final_action == KD_ACTION_KEXEC;
	return comeback->wanted ? comeback_find(arming->root, &arming->settings, arming->conf.device_timeout,
						&arming->plan, comeback) :
				  NULL;
}

static struct kd_error *resolve(struct arming *arming)
{
	const struct arming_request *request = arming->request;
	const struct target *targets[CHAIN_MAX + 1];
	struct kd_error *err;

	err = note_settings(arming);
	if (!err)
		err = settings_load(arming->root, arming->log, &arming->settings);
	if (!err)
		err = kernel_find(arming->root, &arming->settings, request->kernel, &arming->kernel);
	if (!err)
		err = chain_look(arming->root, arming->log, &arming->conf, &arming->chain);
	if (!err)
		err = chain_decide(arming->log, &arming->chain);
	chain_list(&arming->chain, targets);
	if (!err)
		err = plan_resolve(arming->root, arming->log, &arming->conf, arming->kernel.release, targets,
				   &arming->plan, &arming->programs);
	if (!err)
		err = find_comeback(arming);
	if (!err)
		err = make_cmdline(arming->root, &arming->settings, &arming->cmdline);
	if (err)
		return err;
	if (request->resolved)
		request->resolved(request->arg, &arming->conf, *targets);
	return NULL;
}

/* Only the default directory can be missing here: target_resolve() refuses any other that is missing. */
static struct kd_error *make_directory(const struct arming *arming)
{
	const char *directory = chain_first(&arming->chain)->directory;
	_cleanup_free_ char *path = NULL;

	if (!directory)
		return NULL;
	path = kd_sysroot_path(arming->root, directory);
	if (!path)
		return kd_error_nomem();
	if (access(path, F_OK) == 0)
		return NULL;
	kd_info(arming->log, "Creating %s", directory);
	return kd_mkdir_p(path, 0755);
}

/* --- building ----------------------------------------------------------------------------------------------------- */

enum build {
	BUILD_CHANGED, /* build if an input has changed since the last image was built */
	BUILD_CONF,    /* the same, and force_rebuild of kdump.conf counts */
	BUILD_ALWAYS,
};

/* The image goes to /var/lib/kdump, or for a dry run to a directory that is removed afterwards. */
static struct kd_error *choose_output(struct arming *arming)
{
	_cleanup_free_ char *directory = NULL, *made = NULL;
	struct kd_error *err;

	directory = kd_sysroot_path(arming->root, arming->request->dry_run ? "/tmp" : KD_STATEDIR);
	if (!directory)
		return kd_error_nomem();
	err = kd_mkdir_p(directory, arming->request->dry_run ? 01777 : 0755);
	if (err)
		return err;
	if (arming->request->dry_run) {
		err = kd_format(&made, "%s/kdump.XXXXXX", directory);
		if (err)
			return err;
		if (!mkdtemp(made))
			return kd_error_os(errno, "cannot create a directory in %s", directory);
		err = kd_set_text(&arming->directory, made + strlen(arming->root->prefix));
		if (err)
			return err;
	}
	return kernel_initramfs(arming->directory ? arming->directory : KD_STATEDIR, arming->kernel.release,
				&arming->initrd);
}

static void remove_temporary(const struct arming *arming)
{
	_cleanup_free_ char *image = NULL, *hash = NULL, *directory = NULL;

	if (!arming->directory)
		return;
	directory = kd_sysroot_path(arming->root, arming->directory);
	image = arming->initrd ? kd_sysroot_path(arming->root, arming->initrd) : NULL;
	if (image && !kd_error_discard(kd_format(&hash, "%s.hash", image))) {
		unlink(image);
		unlink(hash);
	}
	if (directory)
		rmdir(directory);
}

static struct kd_error *find_map(const struct arming *arming, char **ret)
{
	const struct target *targets[CHAIN_MAX + 1];

	chain_list(&arming->chain, targets);
	return kept_map(arming->root, targets, ret);
}

/* Does the image on the disk lead a capture to where it should write now? */
static struct kd_error *kept_fits(const struct arming *arming, bool *ret)
{
	_cleanup_(armed_free) struct armed kept = { 0 };
	struct kd_error *err;
	bool found;

	err = kept_read(arming->root, arming->initrd, &kept, &found);
	if (!err)
		*ret = found && kept.map && strcmp(kept.map, arming->map) == 0;
	return err;
}

/* force_no_rebuild keeps an image whose files have changed, but never one that writes to what may belong to others. */
static struct kd_error *may_keep(const struct arming *arming, enum build how, bool *ret)
{
	struct kd_error *err;

	*ret = false;
	if (how == BUILD_ALWAYS || !arming->conf.force_no_rebuild)
		return NULL;
	err = kept_fits(arming, ret);
	if (!err && !*ret && kd_sysroot_exists(arming->root, arming->initrd))
		kd_warn(arming->log,
			"%s is built again in spite of force_no_rebuild: the target or the volumes below it are not those that "
			"it was built for",
			arming->initrd);
	return err;
}

static struct kd_error *build(struct arming *arming, enum build how)
{
	_cleanup_free_ char *output = NULL;
	struct initramfs_request request = {
		.root = arming->root,
		.plan = &arming->plan,
		.capture = arming->request->capture,
		.extra_bins = arming->programs.path,
		.extra_modules = arming->conf.extra_modules,
		.extra_files = arming->conf.extra_files,
		.force = how == BUILD_ALWAYS || (how == BUILD_CONF && arming->conf.force_rebuild),
		.log = arming->log,
	};
	struct kd_error *err;

	err = choose_output(arming);
	if (err)
		return err;
	request.output = output = kd_sysroot_path(arming->root, arming->initrd);
	if (!output)
		return kd_error_nomem();
	err = find_map(arming, &arming->map);
	if (!err)
		err = may_keep(arming, how, &request.no_rebuild);
	if (err)
		return err;
	err = initramfs_build(&request, &arming->image);
	if (err)
		return err;
	if (!arming->request->dry_run)
		kernel_link_initramfs(arming->root, arming->kernel.release, arming->initrd);
	if (arming->image.rebuilt)
		kd_info(arming->log, "Rebuilt %s (%.1f MiB)", arming->initrd, arming->image.image_size / 1048576.0);
	return NULL;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static struct kd_error *add_file(struct secret_file *file, size_t *count, const char *path, const void *data,
				 size_t size)
{
	char *copy = strdup(path);

	if (!copy)
		return kd_error_nomem();
	file[(*count)++] = (struct secret_file){ copy, data, size };
	return NULL;
}

/* @record is in use as long as the files are. */
static struct kd_error *add_handover(const struct arming *arming, const char *record, struct secret_file *file,
				     size_t *count)
{
	const struct kd_handover *handover = &arming->handover;
	struct kd_error *err = add_file(file, count, KD_HANDOVER_RECORD, record, strlen(record));

	for (size_t i = 0; i < handover->segments && !err; i++) {
		const struct loader_part *part = &arming->comeback.parts.part[i];

		if (part->data)
			err = add_file(file, count, handover->segment[i].file, part->data, part->size);
	}
	return err;
}

/* Everything that is not in the image because it belongs to this boot: the keys that were fetched, and the handover.
 * It becomes an archive of the files that the capture reads. */
static struct kd_error *pack_boot_files(const struct arming *arming, char **ret, size_t *size_ret)
{
	const struct volume_keys *keys = &arming->keys;
	_cleanup_free_ struct secret_file *file = calloc(keys->count + KD_HANDOVER_SEGMENTS + 1, sizeof(*file));
	_cleanup_free_ char *record = NULL;
	struct kd_error *err = file ? kd_handover_format(&arming->handover, &record) : kd_error_nomem();
	size_t count = 0;

	for (size_t i = 0; i < keys->count && !err; i++) {
		const struct volume_key *key = &keys->key[i];
		char *path = NULL;

		err = kd_format(&path, KD_PLAN_KEYS "/%s", key->volume);
		if (!err)
			file[count++] = (struct secret_file){ path, key->text, strlen(key->text) };
	}
	if (!err && (arming->comeback.wanted || arming->handover.crashes))
		err = add_handover(arming, record, file, &count);
	if (!err)
		err = secrets_archive(file, count, ret, size_ret);
	while (count > 0)
		free((char *)file[--count].path);
	return err;
}

static struct kd_error *prepare_image(const struct arming *arming, struct loader_image **ret)
{
	_cleanup_secret_ char *secret = NULL;
	struct kd_error *err;
	struct loader_request request = {
		.root = arming->root,
		.policy = LOADER_PANIC,
		.call = arming->settings.call,
		.kernel = arming->kernel.path,
		.initrd = arming->initrd,
		.cmdline = arming->cmdline,
		.log = arming->log,
	};

	err = pack_boot_files(arming, &secret, &request.secret_size);
	if (err)
		return err;
	request.secret = secret;
	return loader_prepare(&request, ret);
}

static void describe_free(struct armed *armed)
{
	armed_free_left_out(armed);
	free(armed->target);
	free(armed->initrd_hash);
	free(armed->comeback);
	free(armed->crashes);
}
static inline void describe_free_cleanup(struct armed *armed)
{
	describe_free(armed);
}

/* @ret borrows from @arming all strings but those that describe_free() frees, which the caller owns. */
static struct kd_error *describe(const struct arming *arming, struct armed *ret)
{
	const struct target *first = chain_first(&arming->chain);
	struct armed armed = {
		.kernel = arming->kernel.path,
		.release = arming->kernel.release,
		.initrd = arming->initrd,
		.conf = (char *)arming->request->conf_file,
		.cmdline = arming->cmdline,
		.directory = first->directory,
		.map = arming->map,
		.fallback = arming->fallback,
		.time = time(NULL),
		.inputs = arming->inputs, /* borrowed, too */
	};
	struct kd_error *err = kd_format(&armed.target, "%s %s %s", first->type, first->device, first->path);

	if (!err)
		err = chain_note_left_out(&arming->chain, &armed);
	if (!err)
		err = crash_loop_describe(&arming->conf.crash_loop, &arming->handover, time(NULL), &armed.crashes);
	if (!err && arming->comeback.wanted)
		err = arming->comeback.refused ?
			      kd_format(&armed.comeback, "through the firmware: %s", arming->comeback.refused) :
			      kd_format(&armed.comeback, "by kexec to kernel %s", arming->comeback.release);
	if (!err)
		err = armed_hash_file(arming->root, arming->initrd, &armed.initrd_hash);
	if (err)
		describe_free(&armed);
	else
		*ret = armed;
	return err;
}

/* Note how the machine stands once @armed is loaded. */
static void note_armed(const struct arming *arming, const struct armed *armed)
{
	_cleanup_free_ char *reason = armed_describe(armed);

	if (arming->fallback)
		transition_note(arming->root, arming->log, STANDING_STALE, arming->fallback);
	else if (reason)
		transition_note(arming->root, arming->log, armed->left_out_count ? STANDING_LACKING : STANDING_ARMED,
				reason);
}

static struct kd_error *record(struct arming *arming, const char *call, const char *image_hash)
{
	_cleanup_(describe_free) struct armed armed = { 0 };
	struct kd_error *err = inputs_add_hardware(arming->root, &arming->inputs);

	if (!err)
		err = describe(arming, &armed);
	if (err)
		return err;
	armed.call = (char *)call;
	armed.image_hash = (char *)image_hash;
	err = armed_write(arming->root, &armed);
	note_armed(arming, &armed);
	return err;
}

/* Without its record the image is as good; it can only not be loaded in a later boot in place of one that cannot be
 * made. */
static void keep(const struct arming *arming)
{
	_cleanup_(describe_free) struct armed armed = { 0 };
	struct kd_error *err = describe(arming, &armed);

	if (!err)
		err = kept_write(arming->root, &armed);
	if (err)
		kd_warn(arming->log, "%s", err->text);
	kd_error_destroy(err);
}

/* The remark is advice: if the need cannot be computed, the machine is armed all the same. */
static void remark_reservation(const struct arming *arming)
{
	_cleanup_(estimate_free) struct estimate estimate = { 0 };
	struct estimate_request request = {
		.root = arming->root,
		.kernel = arming->kernel.path,
		.release = arming->kernel.release,
		.initrd = arming->initrd,
		.cmdline = arming->cmdline,
		.dumps = chain_first(&arming->chain)->directory,
		.return_kernel = arming->plan.boot.type ? arming->comeback.kernel : NULL,
		.return_initrd = arming->plan.boot.type ? arming->comeback.initrd : NULL,
	};
	struct kd_error *err = estimate_make(&request, &estimate);

	if (!err)
		reservation_remark(arming->log, &estimate);
	else
		kd_debug(arming->log, "%s", err->text);
	kd_error_destroy(err);
}

/* Is this very image already loaded? After kexec_file_load nobody can tell, since the kernel adds segments to it. */
static bool is_loaded_already(const struct kd_sysroot *root, const char *image_hash)
{
	_cleanup_(armed_free) struct armed armed = { 0 };
	bool loaded = false, recorded = false;
	struct kd_error *err = loader_loaded(root, LOADER_PANIC, &loaded);

	if (!err)
		err = armed_read(root, &armed, &recorded);
	kd_error_destroy(err);
	return loaded && recorded && armed.call && strcmp(armed.call, "kexec_load") == 0 && armed.image_hash &&
	       strcmp(armed.image_hash, image_hash) == 0;
}

/* While the kernel swaps images it has none: it frees the old one first, and a panic does not wait. So only "restart"
 * loads an image that is already loaded. */
static struct kd_error *load(struct arming *arming, const struct loader_image *image, enum build how)
{
	char image_hash[HASH_TEXT_SIZE];
	const char *call = "kexec_load";
	struct kd_sha256 sha;
	struct kd_error *err;

	kd_sha256_init(&sha);
	loader_image_hash(image, &sha);
	hash_final(&sha, image_hash);
	if (how == BUILD_CHANGED && is_loaded_already(arming->root, image_hash)) {
		kd_info(arming->log, "kexec: this kdump kernel is already loaded");
	} else {
		err = loader_load(image, &call);
		if (err)
			return kd_error_wrap(err, "kexec: failed to load kdump kernel");
		kd_info(arming->log, "kexec: loaded kdump kernel");
	}
	/* The machine is armed even if the record cannot be written. */
	err = record(arming, call, image_hash);
	if (err) {
		kd_warn(arming->log,
			"\"kdumpctl status\" cannot describe the loaded image, since its record was not written: %s",
			err->text);
		kd_error_destroy(err);
	}
	kd_info(arming->log, "Starting kdump: [OK]");
	return NULL;
}

static struct kd_error *print_layout(const struct arming *arming, const struct loader_image *image)
{
	_cleanup_free_ char *plan = NULL;
	struct kd_error *err = kd_plan_format(&arming->plan, &plan);

	if (err)
		return err;
	printf("kernel         %s\ninitramfs      %" PRIu64 " bytes, %" PRIu64 " unpacked\n\n", arming->kernel.path,
	       arming->image.image_size, arming->image.unpacked_size);
	loader_print(image, stdout);
	printf("\nplan\n%s", plan);
	return NULL;
}

/* Fetch the keys of the volumes of @plan. They are in no image, and are fetched anew for each load. */
static struct kd_error *fetch_keys(struct arming *arming, const struct kd_plan *plan)
{
	struct kd_error *err;

	volume_keys_free(&arming->keys);
	err = volume_keys_list(plan, &arming->keys);
	if (!err)
		err = volume_keys_fetch(arming->root, &volumes_live, &arming->keys);
	for (size_t i = 0; i < arming->keys.count && !err; i++)
		kd_debug(arming->log, "the key of volume %s is from %s", arming->keys.key[i].volume,
			 arming->keys.key[i].source);
	return err;
}

/* Build the image for what is resolved, and keep the record of its inputs. */
static struct kd_error *make_image(struct arming *arming, enum build how)
{
	struct kd_error *err = note_resolved(arming);

	if (!err)
		err = build(arming, how);
	if (!err)
		err = inputs_add_modules(arming->root, &arming->inputs, &arming->plan);
	if (!err)
		err = inputs_add(arming->root, &arming->inputs, INPUT_INITRAMFS, arming->initrd);
	if (!err && !arming->request->dry_run)
		keep(arming);
	return err;
}

/* --- the image of an earlier boot --------------------------------------------------------------------------------- */

/* *ret: @kept was made with the present configuration. */
static struct kd_error *has_same_settings(const struct arming *arming, const struct armed *kept, bool *ret)
{
	_cleanup_free_ struct input_change *change = NULL;
	size_t count = 0;
	struct kd_error *err = inputs_compare(arming->root, &kept->inputs, &change, &count);

	*ret = kept->conf && strcmp(kept->conf, arming->request->conf_file) == 0;
	for (size_t i = 0; i < count; i++)
		if (strcmp(change[i].kind, INPUT_CONFIG) == 0 || strcmp(change[i].kind, INPUT_DROP_INS) == 0)
			*ret = false;
	return err;
}

/* Take the image on the disk for the new one, with the inputs that it was made from. *ret is false if it is not for
 * this configuration, or if it leads elsewhere. */
static struct kd_error *recall(struct arming *arming, bool *ret)
{
	_cleanup_(armed_free) struct armed kept = { 0 };
	struct kd_error *err = NULL;
	bool same = false;

	*ret = false;
	if (!arming->initrd)
		err = kernel_initramfs(KD_STATEDIR, arming->kernel.release, &arming->initrd);
	if (!err && !arming->map)
		err = find_map(arming, &arming->map);
	if (!err && !arming->cmdline)
		err = make_cmdline(arming->root, &arming->settings, &arming->cmdline);
	if (!err)
		err = kept_read(arming->root, arming->initrd, &kept, &same);
	if (!err && same)
		err = has_same_settings(arming, &kept, &same);
	if (err || !same || !kept.map || strcmp(kept.map, arming->map) != 0)
		return err;
	inputs_free(&arming->inputs);
	*ret = true;
	return inputs_recall(arming->root, &kept.inputs, &arming->inputs);
}

/* The image of an earlier boot leads to the same volumes, whose keys are fetched anew. */
static struct kd_error *fetch_keys_again(struct arming *arming)
{
	const struct target *targets[CHAIN_MAX + 1];
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	struct kd_error *err;

	chain_list(&arming->chain, targets);
	err = kept_plan(arming->root, targets, &plan);
	return err ? err : fetch_keys(arming, &plan);
}

/* A hook or a program that the image needs is gone, which @err says. An unarmed machine gets the image that was
 * made when it was there. Returns NULL then, else @err. */
static struct kd_error *fall_back(struct arming *arming, struct kd_error *err)
{
	struct kd_error *err2;
	bool loaded = true, found = false;

	if (!chain_first(&arming->chain) || arming->request->dry_run || err->code == KD_ERR_NOMEM)
		return err;
	kd_error_destroy(loader_loaded(arming->root, LOADER_PANIC, &loaded));
	if (loaded)
		return err;
	err2 = recall(arming, &found);
	if (!err2 && found)
		err2 = fetch_keys_again(arming);
	if (!err2 && found)
		err2 = kd_format(&arming->fallback,
				 "an earlier image, %s, since a new one cannot be made: %s; mend that, then "
				 "\"kdumpctl reload\"",
				 arming->initrd, err->text);
	if (err2)
		kd_debug(arming->log, "no earlier image: %s", err2->text);
	kd_error_destroy(err2);
	if (!arming->fallback)
		return err;
	kd_error_destroy(err);
	kd_warn(arming->log, "loading %s", arming->fallback);
	return NULL;
}

/* --- arming ------------------------------------------------------------------------------------------------------- */

/* Do everything from the configuration to the system call, which a dry run leaves out. The old image stays loaded until
 * the new one takes its place, without an unload in between. */
static struct kd_error *arm(struct arming *arming, enum build how)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	struct kd_error *err;

	err = resolve(arming);
	if (!err)
		err = fetch_keys(arming, &arming->plan);
	if (!err && !arming->request->dry_run)
		err = make_directory(arming);
	if (!err)
		err = make_image(arming, how);
	if (!err && arming->image.rebuilt && !arming->request->dry_run)
		err = creation_test_clear(arming->root);
	if (err)
		err = fall_back(arming, err);
	if (!err)
		err = comeback_lay_out(arming->root, arming->log, arming->request->dry_run, &arming->comeback,
				       &arming->handover);
	if (!err)
		err = prepare_image(arming, &image);
	if (!err)
		remark_loop(arming);
	if (!err)
		remark_reservation(arming);
	if (!err)
		err = arming->request->dry_run ? print_layout(arming, image) : load(arming, image, how);
	remove_temporary(arming);
	return err;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

/* *deferred: this boot is on trial, and the capture kernel is loaded when that has ended. */
static struct kd_error *defer(const struct arming_request *request, bool *deferred)
{
	*deferred = false;
	return request->dry_run ? NULL : guard_defer(request->root, request->log, true, deferred);
}

/* *loaded: is a capture kernel already loaded? */
static struct kd_error *begin(struct arming *arming, bool *loaded)
{
	struct kd_error *err = check_feasible(arming->root, loaded);

	return err ? err : load_conf(arming);
}

/* What kdumpctl has loaded, if it is that which is loaded. */
struct loaded {
	struct armed armed;
	bool ours;                   /* else another program has loaded it, and the rest is zeroed */
	bool unknown;                /* the record of it cannot be read */
	struct input_change *change; /* since the load */
	size_t changes;
};

static void loaded_free(struct loaded *loaded)
{
	free(loaded->change);
	armed_free(&loaded->armed);
}
static inline void loaded_free_cleanup(struct loaded *loaded)
{
	loaded_free(loaded);
}

/* *ret is to be freed on failure, too. KD_ERR_NOMEM. */
static struct kd_error *look_at_loaded(const struct kd_sysroot *root, struct loaded *ret)
{
	struct kd_error *err;

	*ret = (struct loaded){ 0 };
	err = armed_read(root, &ret->armed, &ret->ours);
	if (err && err->code != KD_ERR_NOMEM) {
		kd_error_destroy(err);
		ret->ours = ret->unknown = true;
		return NULL;
	}
	return err ? err : inputs_compare(root, &ret->armed.inputs, &ret->change, &ret->changes);
}

/* *ret := what makes the loaded image dangerous, as a sentence; NULL: nothing does. If its record cannot be read,
 * nobody can tell any more what it would write to. */
static struct kd_error *find_danger(const struct kd_sysroot *root, char **ret)
{
	_cleanup_(loaded_free) struct loaded loaded = { 0 };
	struct kd_error *err = look_at_loaded(root, &loaded);

	if (!err && loaded.unknown)
		return kd_set_text(ret, "the record of what it was made from cannot be read");
	for (size_t i = 0; i < loaded.changes && !err; i++)
		if (loaded.change[i].dangerous)
			return kd_format(ret, "%s %s since, and %s", loaded.change[i].name, loaded.change[i].how,
					 loaded.change[i].meaning);
	return err;
}

/* Would loading again change what is loaded? Another program's image is not ours to judge. */
static struct kd_error *find_outdated(const struct arming *arming, bool *ret)
{
	_cleanup_(loaded_free) struct loaded loaded = { 0 };
	_cleanup_free_ char *returned = NULL;
	const struct arming_request *request = arming->request;
	struct kd_error *err = look_at_loaded(request->root, &loaded);
	const char *conf = loaded.armed.conf;

	if (!err)
		err = chain_find_returned(request->root, &arming->conf, &loaded.armed, true, &returned);
	for (size_t i = 0; i < loaded.armed.left_out_count && !returned; i++)
		kd_warn(request->log, "%s", loaded.armed.left_out[i].text);
	if (returned)
		kd_info(request->log, "%s", returned);
	for (size_t i = 0; i < loaded.changes; i++)
		kd_info(request->log, "%s %s since the capture kernel was loaded", loaded.change[i].name,
			loaded.change[i].how);
	*ret = loaded.unknown || loaded.changes || returned || loaded.armed.fallback ||
	       (conf && strcmp(conf, request->conf_file) != 0);
	return err;
}

/* Unload an image that must not run. *ret := the sentence for the journal. Returns whether it is still loaded. */
static bool disarm(const struct arming_request *request, const char *danger, const char *cause, char **ret)
{
	struct kd_error *err = loader_unload(LOADER_PANIC), *err2;
	bool loaded = err != NULL;

	if (err) {
		err2 = kd_format(ret, "the loaded image is dangerous, and cannot be unloaded (%s): %s", err->text,
				 danger);
	} else {
		kd_info(request->log, "kexec: unloaded kdump kernel");
		err = armed_remove(request->root);
		err2 = kd_format(ret,
				 "the loaded image was unloaded: %s; a new one cannot be made: %s; mend that, then "
				 "\"kdumpctl start\"",
				 danger, cause);
	}
	if (!err2)
		kd_warn(request->log, "%s", *ret);
	kd_error_destroy(err);
	kd_error_destroy(err2);
	return loaded;
}

/* If arming has failed with @err, unload what is loaded if it has become dangerous, and note how the machine stands
 * now. Returns @err. */
static struct kd_error *note_failure(const struct arming_request *request, struct kd_error *err)
{
	_cleanup_free_ char *danger = NULL, *reason = NULL;
	bool loaded = false;

	if (!err || request->dry_run)
		return err;
	kd_error_destroy(loader_loaded(request->root, LOADER_PANIC, &loaded));
	if (loaded && !kd_error_discard(find_danger(request->root, &danger)) && danger)
		loaded = disarm(request, danger, err->text, &reason);
	transition_note(request->root, request->log, loaded ? STANDING_STALE : STANDING_NOT_ARMED,
			reason ? reason : err->text);
	return err;
}

struct kd_error *arming_start(const struct arming_request *request)
{
	_cleanup_(arming_free) struct arming arming = arming_new(request);
	struct kd_error *err;
	bool loaded, deferred, outdated = true;

	err = defer(request, &deferred);
	if (err || deferred)
		return err;
	err = begin(&arming, &loaded);
	if (!err && loaded && !request->dry_run)
		err = find_outdated(&arming, &outdated);
	if (!err && !outdated) {
		kd_warn(request->log, "Kdump already running: [WARNING]");
		return NULL;
	}
	if (!err)
		err = arm(&arming, BUILD_CONF);
	return note_failure(request, err);
}

static struct kd_error *load_again(const struct arming_request *request, enum build how, bool expect_loaded)
{
	_cleanup_(arming_free) struct arming arming = arming_new(request);
	struct kd_error *err;
	bool loaded, deferred;

	err = defer(request, &deferred);
	if (err || deferred)
		return err;
	err = begin(&arming, &loaded);
	if (!err && expect_loaded && !loaded)
		kd_warn(request->log, "Kdump was not running: [WARNING]");
	if (!err)
		err = arm(&arming, how);
	return note_failure(request, err);
}

struct kd_error *arming_restart(const struct arming_request *request)
{
	return load_again(request, BUILD_CONF, false);
}

struct kd_error *arming_reload(const struct arming_request *request)
{
	return load_again(request, BUILD_CHANGED, true);
}

struct kd_error *arming_refresh(const struct arming_request *request)
{
	return load_again(request, BUILD_CHANGED, false);
}

static struct kd_error *build_only(const struct arming_request *request, enum build how)
{
	_cleanup_(arming_free) struct arming arming = arming_new(request);
	struct kd_error *err;

	err = load_conf(&arming);
	if (!err)
		err = resolve(&arming);
	return err ? err : make_image(&arming, how);
}

struct kd_error *arming_build(const struct arming_request *request)
{
	return build_only(request, BUILD_CHANGED);
}

struct kd_error *arming_rebuild(const struct arming_request *request)
{
	struct kd_error *err = build_only(request, BUILD_ALWAYS);

	return err ? err : creation_test_clear(request->root);
}

struct kd_error *arming_stop(const struct kd_sysroot *root, const struct kd_log *log)
{
	bool deferred;
	struct kd_error *err = guard_defer(root, log, false, &deferred);

	if (err || deferred)
		return err;
	err = loader_unload(LOADER_PANIC);
	if (err)
		return err;
	kd_info(log, "kexec: unloaded kdump kernel");
	err = armed_remove(root);
	if (err)
		return err;
	transition_note(root, log, STANDING_OFF, "kdumpctl stop");
	kd_info(log, "Stopping kdump: [OK]");
	return NULL;
}
