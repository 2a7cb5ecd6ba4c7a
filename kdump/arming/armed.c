/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/armed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/text.h"

static const struct {
	const char *key;
	size_t offset; /* of the char * in struct armed */
} keys[] = {
	{ "boot_id", offsetof(struct armed, boot_id) },
	{ "kernel", offsetof(struct armed, kernel) },
	{ "release", offsetof(struct armed, release) },
	{ "initrd", offsetof(struct armed, initrd) },
	{ "initrd_hash", offsetof(struct armed, initrd_hash) },
	{ "image_hash", offsetof(struct armed, image_hash) },
	{ "conf", offsetof(struct armed, conf) },
	{ "cmdline", offsetof(struct armed, cmdline) },
	{ "call", offsetof(struct armed, call) },
	{ "target", offsetof(struct armed, target) },
	{ "directory", offsetof(struct armed, directory) },
	{ "map", offsetof(struct armed, map) },
	{ "fallback", offsetof(struct armed, fallback) },
	{ "comeback", offsetof(struct armed, comeback) },
	{ "crashes", offsetof(struct armed, crashes) },
};

static char **field(const struct armed *armed, size_t i)
{
	return (char **)((char *)armed + keys[i].offset);
}

static struct kd_error *read_boot_id(const struct kd_sysroot *root, char **ret)
{
	return kd_sysroot_read_line(root, ret, KD_BOOT_ID_PATH);
}

static struct kd_error *format(const struct armed *armed, const char *boot_id, char **ret)
{
	_cleanup_free_ char *text = NULL;
	FILE *out;
	size_t size, i;

	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	fprintf(out, "time %" PRIu64 "\nboot_id %s\n", armed->time, boot_id);
	for (i = 1; i < ARRAY_SIZE(keys); i++)
		if (*field(armed, i))
			fprintf(out, "%s %s\n", keys[i].key, *field(armed, i));
	for (i = 0; i < armed->left_out_count; i++)
		fprintf(out, "left_out %u %s\n", armed->left_out[i].member, armed->left_out[i].text);
	inputs_print(&armed->inputs, out);
	if (fclose(out))
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

struct kd_error *armed_write_to(const struct kd_sysroot *root, const char *path, mode_t mode, const struct armed *armed)
{
	_cleanup_free_ char *text = NULL, *boot_id = NULL;
	struct kd_error *err;

	err = read_boot_id(root, &boot_id);
	if (!err)
		err = format(armed, boot_id, &text);
	return err ? err : kd_record_write(root, path, text, strlen(text), mode);
}

struct kd_error *armed_write(const struct kd_sysroot *root, const struct armed *armed)
{
	return armed_write_to(root, ARMED_PATH, 0644, armed);
}

struct kd_error *armed_add_left_out(struct armed *armed, unsigned int member, const char *text)
{
	struct left_out *grown = realloc(armed->left_out, (armed->left_out_count + 1) * sizeof(*grown));

	if (!grown)
		return kd_error_nomem();
	armed->left_out = grown;
	grown[armed->left_out_count] = (struct left_out){ member, strdup(text) };
	return grown[armed->left_out_count++].text ? NULL : kd_error_nomem();
}

void armed_free_left_out(struct armed *armed)
{
	while (armed->left_out_count)
		free(armed->left_out[--armed->left_out_count].text);
	free(take_ptr(armed->left_out));
}

/* "MEMBER TEXT". */
static struct kd_error *parse_left_out(char *value, struct armed *armed)
{
	char *text = strchr(value, ' ');
	uint64_t member;

	if (text)
		*text++ = '\0';
	return text && kd_parse_u64(value, 10, &member) && member <= UINT_MAX ?
		       armed_add_left_out(armed, (unsigned int)member, text) :
		       kd_error_create(KD_ERR_FORMAT, "not a \"left_out MEMBER TEXT\" line: %s", value);
}

/* Unknown keys are skipped: another version of kdumpctl may have written them. */
static struct kd_error *parse_line(char *line, struct armed *armed)
{
	char *value = strchr(line, ' ');
	size_t i;

	if (!value)
		return kd_error_create(KD_ERR_FORMAT, "not a \"key value\" line: %s", line);
	*value++ = '\0';
	if (strcmp(line, "input") == 0)
		return inputs_parse_line(value, &armed->inputs);
	if (strcmp(line, "left_out") == 0)
		return parse_left_out(value, armed);
	if (strcmp(line, "time") == 0)
		return kd_parse_u64(value, 10, &armed->time) ?
			       NULL :
			       kd_error_create(KD_ERR_FORMAT, "time is not a number: %s", value);
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(line, keys[i].key) == 0)
			return kd_set_text(field(armed, i), value);
	return NULL;
}

static struct kd_error *parse(char *text, const char *path, struct armed *armed)
{
	char *line, *next;

	for (line = text; *line; line = next) {
		struct kd_error *err;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		err = parse_line(line, armed);
		if (err)
			return kd_error_wrap(err, "%s", path);
	}
	return NULL;
}

struct kd_error *armed_read_from(const struct kd_sysroot *root, const char *path, struct armed *ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_(armed_free) struct armed armed = { 0 };
	struct kd_error *err = kd_record_read(root, path, &text);

	if (!err)
		err = parse(text, path, &armed);
	if (err)
		return err;
	*ret = armed;
	armed = (struct armed){ 0 };
	return NULL;
}

struct kd_error *armed_read(const struct kd_sysroot *root, struct armed *ret, bool *found)
{
	_cleanup_free_ char *boot_id = NULL;
	_cleanup_(armed_free) struct armed armed = { 0 };
	struct kd_error *err;

	*ret = armed;
	*found = false;
	err = armed_read_from(root, ARMED_PATH, &armed);
	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	if (!err)
		err = read_boot_id(root, &boot_id);
	if (err)
		return err;
	if (!armed.boot_id || strcmp(armed.boot_id, boot_id) != 0)
		return NULL;
	*found = true;
	*ret = armed;
	armed = (struct armed){ 0 };
	return NULL;
}

char *armed_describe(const struct armed *armed)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "kernel %s, dumps go to %s", armed->release ? armed->release : "?",
		armed->target ? armed->target : "?");
	for (i = 0; i < armed->left_out_count; i++)
		fprintf(out, "; %s", armed->left_out[i].text);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

struct kd_error *armed_remove(const struct kd_sysroot *root)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, ARMED_PATH);

	if (!path)
		return kd_error_nomem();
	if (unlink(path) < 0 && errno != ENOENT)
		return kd_error_os(errno, "cannot remove %s", path);
	return NULL;
}

void armed_free(struct armed *armed)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		free(*field(armed, i));
	armed_free_left_out(armed);
	inputs_free(&armed->inputs);
	*armed = (struct armed){ 0 };
}

enum armed_state armed_judge(bool loaded, bool recorded)
{
	if (loaded)
		return recorded ? ARMED_OURS : ARMED_FOREIGN;
	return recorded ? ARMED_LOST : ARMED_NOTHING;
}

struct kd_error *armed_hash_file(const struct kd_sysroot *root, const char *path, char **ret)
{
	_cleanup_close_ int fd = -1;
	uint8_t digest[KD_SHA256_SIZE], buffer[16384];
	struct kd_error *err = kd_sysroot_open_text(root, path, &fd);
	struct kd_sha256 sha;
	ssize_t n;
	char *hex;

	if (err)
		return err;
	kd_sha256_init(&sha);
	while ((n = kd_read_all(fd, buffer, sizeof(buffer))) > 0)
		kd_sha256_update(&sha, buffer, n);
	if (n < 0)
		return kd_error_os(errno, "cannot read %s%s", root->prefix, path);
	kd_sha256_final(&sha, digest);
	hex = malloc(2 * KD_SHA256_SIZE + 1);
	if (!hex)
		return kd_error_nomem();
	kd_hex(digest, sizeof(digest), hex);
	*ret = hex;
	return NULL;
}
