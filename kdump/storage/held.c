/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/held.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/block.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/target_types.h"
#include "base/text.h"
#include "base/trust.h"
#include "kdump/storage/block.h"
#include "kdump/storage/reserved.h"

#define PREPARE "\"kdumpctl prepare\" makes one there"
#define ENDS    KD_MIB(1) /* that must be blank on a device that nobody has named */

bool held_is_meant(const struct target_request *request)
{
	const struct kd_target_type *type = request->type ? kd_target_type_find(request->type) : NULL;

	return type && kd_target_is_container(type);
}

/* --- the place ---------------------------------------------------------------------------------------------------- */

/* Open the device of @request, as one piece. */
static struct kd_error *open_device(const struct kd_sysroot *root, const struct target_request *request, int flags,
				    struct held *held)
{
	struct kd_error *err = kd_block_find(root, request->device, &held->node);
	off_t size;

	if (!err)
		err = kd_format(&held->name, "%s %s", request->type, request->device);
	if (err)
		return err;
	held->fd = kd_sysroot_open_file(root, held->node, flags | O_CLOEXEC | O_NONBLOCK);
	if (held->fd < 0)
		return kd_error_os(errno, errno == EBUSY ? "%s is in use" : "cannot open %s", held->node);
	size = lseek(held->fd, 0, SEEK_END);
	if (size < 0)
		return kd_error_os(errno, "cannot tell the size of %s", held->node);
	if (size < KD_CONTAINER_BLOCK)
		return kd_error_create(KD_ERR_LIMIT, "%s is empty", held->node);
	return kd_extents_add(&held->extents, 0, (uint64_t)size / KD_CONTAINER_BLOCK * KD_CONTAINER_BLOCK);
}

static bool is_file(const struct target_request *request)
{
	return kd_target_type_find(request->type)->source == KD_TARGET_RESERVED;
}

/* "PATH SIZE", which kdump.conf's parser has seen. */
static struct kd_error *split_file(const char *value, char **path, uint64_t *size)
{
	size_t length = strcspn(value, " \t");

	*path = strndup(value, length);
	if (!*path)
		return kd_error_nomem();
	if (!kd_parse_size(value + length + strspn(value + length, " \t"), size))
		return kd_error_create(KD_ERR_CONFIG, "%s is not a file and a size", value);
	*size = *size / KD_CONTAINER_BLOCK * KD_CONTAINER_BLOCK;
	return NULL;
}

/* Open the file of @request through its file system. */
static struct kd_error *open_file(const struct kd_sysroot *root, const struct target_request *request, bool write,
				  struct held *held)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err = split_file(request->device, &path, &(uint64_t){ 0 });
	struct stat st;

	if (!err)
		err = kd_set_text(&held->node, path);
	if (!err)
		err = kd_format(&held->name, "%s %s", request->type, path);
	if (err)
		return err;
	fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s does not exist: " PREPARE, path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size < KD_CONTAINER_BLOCK)
		return kd_error_create(KD_ERR_STATE, "%s is not a container of dumps: " PREPARE, path);
	err = kd_trust(path, fd);
	if (!err && write) {
		err = reserved_protect(fd, path, false);
		held->unprotected = !err;
	}
	if (err)
		return err;
	held->fd = write ? kd_sysroot_open_file(root, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : take_fd(fd);
	if (held->fd < 0) {
		err = kd_error_os(errno, "cannot open %s", path);
		kd_error_destroy(reserved_protect(fd, path, true));
		return err;
	}
	return kd_extents_add(&held->extents, 0, (uint64_t)st.st_size / KD_CONTAINER_BLOCK * KD_CONTAINER_BLOCK);
}

static struct kd_error *open_place(const struct kd_sysroot *root, const struct target_request *request, bool write,
				   struct held *held)
{
	return is_file(request) ? open_file(root, request, write, held) :
				  open_device(root, request, write ? O_RDWR | O_EXCL : O_RDONLY, held);
}

static struct kd_container_place place_of(const struct held *held)
{
	return (struct kd_container_place){ .fd = held->fd, .extents = &held->extents };
}

static struct kd_error *open_container(struct held *held)
{
	const struct kd_container_place place = place_of(held);
	struct kd_error *err = kd_container_open(&place, &held->container);

	if (!err || err->code != KD_ERR_NOT_FOUND)
		return kd_error_wrap(err, "%s", held->name);
	kd_error_destroy(err);
	return kd_error_create(KD_ERR_NOT_FOUND, "there is no container of dumps on %s: " PREPARE, held->node);
}

/* What has a name of its own is somebody's: "LVM2_member", "swap", "gpt". */
static struct kd_error *refuse_contents(const struct kd_sysroot *root, const struct held *held)
{
	_cleanup_free_ char *signature = block_signature(root, held->node);

	if (block_has_parts(root, held->node))
		return kd_error_create(
			KD_ERR_CONFIG,
			"%s has partitions, or other devices stand on it: name one that is for dumps alone",
			held->node);
	if (!signature)
		return NULL;
	return kd_error_create(
		KD_ERR_CONFIG,
		"%s holds %s, and dumps would overwrite it: name another device, or erase it with \"wipefs "
		"-a %s\" if nobody needs it",
		held->node, signature, held->node);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

struct kd_error *held_open(const struct kd_sysroot *root, const struct target_request *request, bool write,
			   struct held *ret)
{
	struct kd_error *err;

	*ret = (struct held){ .fd = -1 };
	err = open_place(root, request, write, ret);
	if (!err)
		err = open_container(ret);
	if (err)
		held_close(ret);
	return err;
}

void held_close(struct held *held)
{
	kd_container_close(held->container);
	kd_extents_free(&held->extents);
	if (held->unprotected)
		kd_error_destroy(reserved_protect(held->fd, held->node, true)); /* if not, the armed image is told */
	if (held->fd >= 0)
		close(held->fd);
	free(held->name);
	free(held->node);
	*held = (struct held){ .fd = -1 };
}

uint64_t held_available(const struct kd_container *container)
{
	uint64_t free_units = 0;
	uint32_t logs = kd_container_log_units(&container->label);

	for (uint32_t i = 0; i < container->label.unit_count; i++)
		free_units += !container->unit[i].owner;
	return free_units > logs ? (free_units - logs) * container->label.unit_size : 0;
}

unsigned int held_count(const struct kd_container *container)
{
	unsigned int count = 0;

	for (int i = 0; i < KD_CONTAINER_FILES; i++)
		count += S_ISDIR(container->file[i].mode);
	return count;
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */

/* How the capture finds a container whose label lies at byte @offset of @node, and its pieces. */
static struct kd_error *describe(const struct kd_sysroot *root, const struct held *held, const char *node,
				 const struct kd_extents *extents, struct target *target)
{
	_cleanup_free_ char *label = NULL;
	uint64_t offset = extents->extent[0].offset;
	char uuid[KD_CONTAINER_UUID_TEXT];
	struct kd_error *err;

	kd_container_uuid_text(held->container->label.uuid, uuid);
	err = offset ? kd_format(&label, "%s@%" PRIu64, uuid, offset) : kd_set_text(&label, uuid);
	if (!err)
		err = block_container_identity(root, node, label, &target->device);
	if (!err)
		err = kd_extents_format(extents, &target->options);
	return err ? err : kd_set_text(&target->node, node);
}

static struct kd_error *describe_file(const struct kd_sysroot *root, const struct held *held, struct target *target)
{
	_cleanup_(kd_extents_free) struct kd_extents extents = { 0 };
	_cleanup_free_ char *node = NULL;
	struct kd_error *err = reserved_locate(root, held->node, &extents, &node);

	if (!err)
		err = describe(root, held, node, &extents, target);
	return err ? err : kd_set_text(&target->reserved, held->node);
}

struct kd_error *held_resolve(const struct kd_sysroot *root, const struct target_request *request,
			      struct target *target)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = open_place(root, request, false, &held);

	if (!err && !is_file(request))
		err = refuse_contents(root, &held);
	if (!err)
		err = open_container(&held);
	if (!err)
		err = is_file(request) ? describe_file(root, &held, target) :
					 describe(root, &held, held.node, &held.extents, target);
	if (!err)
		err = kd_set_text(&target->type, request->type);
	if (!err)
		err = kd_set_text(&target->path, "/");
	if (err)
		return err;
	target->available = held_available(held.container);
	return NULL;
}

/* --- preparing ---------------------------------------------------------------------------------------------------- */

static struct kd_error *is_blank(const struct held *held, bool *ret)
{
	const struct kd_container_place place = place_of(held);
	uint64_t size = kd_extents_size(&held->extents), part = size < ENDS ? size : ENDS;
	_cleanup_free_ char *data = malloc(part);
	int errnum = 0;

	if (!data)
		return kd_error_nomem();
	*ret = true;
	for (int end = 0; !errnum && end < 2; end++) {
		errnum = kd_container_pread(&place, data, part, end ? size - part : 0);
		*ret = *ret && !errnum && kd_all_zero(data, part);
	}
	return errnum ? kd_error_os(-errnum, "cannot read %s", held->node) : NULL;
}

static struct kd_error *make_container(const struct held *held)
{
	const struct kd_container_place place = place_of(held);
	struct kd_container_label label;
	uint8_t uuid[16];
	struct kd_error *err;

	if (getrandom(uuid, sizeof(uuid), 0) != (ssize_t)sizeof(uuid))
		return kd_error_os(errno, "cannot make a UUID");
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* a random UUID (RFC 9562) */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	err = kd_container_plan(kd_extents_size(&held->extents), uuid, (uint64_t)time(NULL), &label);
	if (!err)
		err = kd_container_make(&place, &label);
	return kd_error_wrap(err, "%s", held->node);
}

/* May what is there be overwritten? *make: it is not a container that can stay. */
static struct kd_error *judge(struct held *held, bool force, bool *make)
{
	struct kd_error *err = open_container(held);
	bool blank;

	*make = force || err;
	if (!err || err->code == KD_ERR_OS)
		return err;
	kd_error_destroy(err);
	if (force)
		return NULL;
	err = is_blank(held, &blank);
	if (err || blank)
		return err;
	return kd_error_create(
		KD_ERR_STATE,
		"%s is not blank, although nothing on it has a name: look at it (\"wipefs %s\", \"hexdump -C\"), "
		"and run \"kdumpctl prepare --force\" if nobody needs it",
		held->node, held->node);
}

static struct kd_error *prepare_device(const struct kd_sysroot *root, const struct target_request *request, bool force,
				       bool *made)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = open_device(root, request, O_RDWR | O_EXCL, &held);

	if (!err)
		err = refuse_contents(root, &held);
	if (!err)
		err = judge(&held, force, made);
	return err || !*made ? err : make_container(&held);
}

/* A file that is there stays, if it is what it should be. */
static struct kd_error *keep_file(const struct kd_sysroot *root, const struct target_request *request, const char *path,
				  uint64_t size)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = held_open(root, request, true, &held);

	if (err)
		return kd_error_wrap(err,
				     "%s exists and is kept as it is (another name, or \"chattr -i\" and \"rm\", makes "
				     "room)",
				     path);
	if (held.container->label.size != size)
		return kd_error_create(
			KD_ERR_STATE,
			"%s has %" PRIu64 " MiB, and kdump.conf says %" PRIu64
			" MiB: \"kdumpctl prepare --force\" makes it again, without the dumps that wait there",
			path, held.container->label.size >> 20, size >> 20);
	return NULL;
}

static struct kd_error *remove_file(const struct kd_sysroot *root, const struct target_request *request,
				    const char *path)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = held_open(root, request, true, &held);

	if (!err && unlink(path) < 0)
		err = kd_error_os(errno, "cannot remove %s", path);
	if (!err)
		held.unprotected = false; /* it is gone */
	return err;
}

static struct kd_error *make_file(const struct kd_sysroot *root, const struct target_request *request, const char *path,
				  uint64_t size)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = NULL;

	if (size < KD_CONTAINER_MIN)
		return kd_error_create(KD_ERR_LIMIT, "%s: a container has at least %" PRIu64 " MiB", path,
				       KD_CONTAINER_MIN >> 20);
	err = reserved_make(root, path, size);
	if (!err)
		err = open_place(root, request, true, &held);
	return err ? err : make_container(&held);
}

static struct kd_error *prepare_file(const struct kd_sysroot *root, const struct target_request *request, bool force,
				     bool *made)
{
	_cleanup_free_ char *path = NULL;
	uint64_t size = 0;
	struct kd_error *err = split_file(request->device, &path, &size);

	if (err)
		return err;
	*made = force || !kd_sysroot_exists(root, path);
	if (!*made)
		return keep_file(root, request, path, size);
	if (kd_sysroot_exists(root, path))
		err = remove_file(root, request, path);
	return err ? err : make_file(root, request, path, size);
}

struct kd_error *held_prepare(const struct kd_sysroot *root, const struct target_request *request, bool force,
			      bool *made)
{
	return is_file(request) ? prepare_file(root, request, force, made) : prepare_device(root, request, force, made);
}
