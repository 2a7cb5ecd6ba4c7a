/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/creation_test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/record.h"

static struct kd_error *write_status(const struct kd_sysroot *root, const char *word, int64_t when)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %" PRId64 "\n", word, when);
	return kd_record_write(root, CREATION_TEST_PATH, text, strlen(text), 0644);
}

bool creation_test_read(const struct kd_sysroot *root, struct creation_test *ret)
{
	_cleanup_free_ char *text = NULL;

	return !kd_error_discard(kd_record_read(root, CREATION_TEST_PATH, &text)) &&
	       sscanf(text, "%15s %" SCNd64, ret->result, &ret->time) == 2;
}

struct kd_error *creation_test_begin(const struct kd_sysroot *root)
{
	return write_status(root, "pending", time(NULL));
}

static bool is_pending(const struct kd_sysroot *root, struct creation_test *ret)
{
	return creation_test_read(root, ret) && strcmp(ret->result, "pending") == 0;
}

struct kd_error *creation_test_clear(const struct kd_sysroot *root)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, CREATION_TEST_PATH);
	struct creation_test test;

	if (!path)
		return kd_error_nomem();
	if (is_pending(root, &test))
		return NULL;
	if (unlink(path) < 0 && errno != ENOENT)
		return kd_error_os(errno, "cannot remove %s", path);
	return NULL;
}

/* The same clock names the dump and wrote the record, but the name leaves out fractions of a second. */
static bool has_succeeded(const struct creation_test *test, const struct dumps *dumps)
{
	for (size_t i = 0; i < dumps->count; i++)
		if (dumps->dump[i].time + 1 >= test->time && dumps->dump[i].state == DUMP_COMPLETE)
			return true;
	return false;
}

struct kd_error *creation_test_settle(const struct kd_sysroot *root, const struct dumps *dumps, size_t count, bool all)
{
	struct creation_test test;
	bool success = false;

	if (!is_pending(root, &test))
		return NULL;
	for (size_t i = 0; i < count; i++)
		success = success || has_succeeded(&test, &dumps[i]);
	return success || all ? write_status(root, success ? "success" : "fail", test.time) : NULL;
}
