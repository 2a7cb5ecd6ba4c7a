/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/modules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/decompress.h"
#include "base/io.h"
#include "capture/child.h"

#define MODULE_MAX (64u << 20)

static bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static struct kd_error *insert(void *arg)
{
	const struct kd_plan_module *module = arg;
	_cleanup_free_ char *file = NULL;
	_cleanup_free_ void *expanded = NULL;
	size_t size;
	struct kd_error *err = kd_read_file(module->file, MODULE_MAX, &file, &size);

	if (err)
		return err;
	if (has_suffix(module->file, ".gz")) {
		err = kd_decompress_gzip(file, size, MODULE_MAX, module->file, &expanded, &size);
		if (err)
			return err;
		free(take_ptr(file));
	}
	/* Before the insertion, when memory is tightest. */
	unlink(module->file);
	if (syscall(SYS_init_module, expanded ? expanded : file, size, module->options) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot insert %s", module->file);
	return NULL;
}

struct kd_error *module_insert(const struct kd_plan_module *module, int64_t deadline)
{
	char name[256];
	struct child_job job = {
		.name = name, .run = insert, .arg = (void *)module, .deadline = deadline, .spared = true
	};

	snprintf(name, sizeof(name), "inserting %s", module->file);
	return child_run(&job, NULL);
}
