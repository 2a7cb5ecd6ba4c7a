/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/health.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "kdump/airbag/ask.h"
#include "kdump/dumps/dumps.h"
#include "kdump/loader/loader.h"
#include "kdump/sizing/estimate.h"
#include "kdump/storage/mounts.h"

static const struct {
	const char *word, *sentence;
} states[] = {
	[ARMED_NOTHING] = { "nothing", "nothing is loaded" },
	[ARMED_OURS] = { "armed", "armed by kdumpctl" },
	[ARMED_TRIAL] = { "trial", "this kernel is on trial: a panic starts the old kernel, and leaves no dump" },
	[ARMED_FOREIGN] = { "foreign", "armed by another program: \"kdumpctl restart\" takes over" },
	[ARMED_LOST] = { "lost", "NOT armed: another program has unloaded the capture kernel, or a load has failed" },
};

/* What is loaded on trial is not a capture kernel. */
static struct kd_error *judge_trial(const struct kd_sysroot *root, struct health *health)
{
	struct airbag_status airbag = { 0 };
	struct kd_error *err = kd_sysroot_is_live(root) ? airbag_status(&airbag) : NULL;

	if (!airbag.pending)
		return err;
	health->state = ARMED_TRIAL;
	health->loaded = false;
	return NULL;
}

static void look_at_initrd(const struct kd_sysroot *root, struct health *health)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!health->armed.initrd)
		return;
	fd = kd_sysroot_open_file(root, health->armed.initrd, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	health->initrd_size = st.st_size;
	health->initrd_time = st.st_mtime;
}

/* As a rule only root can read dumps. Other users get no answer. */
static void look_at_dumps(const struct kd_sysroot *root, struct health *health)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *path = NULL;
	struct kd_error *err;

	if (!health->armed.directory)
		return;
	path = kd_sysroot_path(root, health->armed.directory);
	err = path ? dumps_load(path, DUMPS_OF_MACHINE, NULL, &dumps) : kd_error_nomem();
	if (!err && dumps.count) {
		health->captured = dumps.dump[dumps.count - 1].time;
		health->capture_name = take_ptr(dumps.dump[dumps.count - 1].name);
	}
	kd_error_destroy(err);
}

/* The kernel and its initramfs are the inputs of that kind, in this order. */
static const char *return_file(const struct health *health, size_t number)
{
	const struct inputs *inputs = &health->armed.inputs;

	for (size_t i = 0; i < inputs->count; i++)
		if (strcmp(inputs_kind(&inputs->input[i]), INPUT_RETURN) == 0 && number-- == 0)
			return inputs->input[i].name;
	return NULL;
}

static void look_at_need(const struct kd_sysroot *root, struct health *health)
{
	_cleanup_(estimate_free) struct estimate estimate = { 0 };
	const struct estimate_request request = {
		.root = root,
		.kernel = health->armed.kernel,
		.release = health->armed.release,
		.initrd = health->armed.initrd,
		.cmdline = health->armed.cmdline,
		.dumps = health->armed.directory,
		.return_kernel = return_file(health, 0),
		.return_initrd = return_file(health, 1),
	};
	struct kd_error *err;

	if (!request.kernel || !request.release || !request.initrd)
		return;
	err = estimate_make(&request, &estimate);
	if (!err)
		health->needed = estimate.need;
	kd_error_destroy(err);
}

struct kd_error *health_check(const struct kd_sysroot *root, const struct kd_log *log, struct health *ret)
{
	_cleanup_(health_free) struct health health = { 0 };
	struct kd_error *err;
	bool recorded;

	err = loader_loaded(root, LOADER_PANIC, &health.loaded);
	if (err && err->code == KD_ERR_STATE) {
		kd_warn(log, "%s", err->text);
		kd_error_destroy(err);
		*ret = (struct health){ 0 };
		return NULL;
	}
	if (!err)
		err = loader_crash_size(root, &health.reserved);
	if (!err)
		err = armed_read(root, &health.armed, &recorded);
	if (err)
		return err;
	health.state = armed_judge(health.loaded, recorded);
	err = judge_trial(root, &health);
	if (err)
		return err;
	health.sandboxed = mounts_are_private(root);
	look_at_initrd(root, &health);
	look_at_dumps(root, &health);
	look_at_need(root, &health);
	if (health.state == ARMED_OURS)
		err = inputs_compare(root, &health.armed.inputs, &health.change, &health.changes);
	if (err)
		return err;
	*ret = health;
	health = (struct health){ 0 };
	return NULL;
}

void health_free(struct health *health)
{
	free(health->change);
	free(health->capture_name);
	armed_free(&health->armed);
	*health = (struct health){ 0 };
}

bool health_is_stale(const struct health *health)
{
	return health->changes != 0 || health->armed.fallback;
}

const char *health_word(const struct health *health)
{
	return states[health->state].word;
}

const char *health_sentence(const struct health *health)
{
	return states[health->state].sentence;
}

char *health_reason(const struct health *health)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (i = 0; i < health->changes; i++)
		fprintf(out, "%s%s %s", i ? ", " : "", health->change[i].name, health->change[i].how);
	if (!health->changes && health->armed.fallback)
		fprintf(out, "armed with %s", health->armed.fallback);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
