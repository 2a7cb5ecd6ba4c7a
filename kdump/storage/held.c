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
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/storage/block.h"

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
			KD_ERR_STATE,
			"%s has partitions, or other devices stand on it: name one that is for dumps alone",
			held->node);
	if (!signature)
		return NULL;
	return kd_error_create(
		KD_ERR_STATE,
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
	err = open_device(root, request, write ? O_RDWR | O_EXCL : O_RDONLY, ret);
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

static struct kd_error *resolve(const struct kd_sysroot *root, const struct kd_log *log, const struct held *held,
				const struct target_request *request, struct target *target)
{
	char uuid[KD_CONTAINER_UUID_TEXT];
	struct kd_error *err;

	kd_container_uuid_text(held->container->label.uuid, uuid);
	err = block_container_identity(root, log, held->node, uuid, &target->device);
	if (!err)
		err = kd_extents_format(&held->extents, &target->options);
	if (!err)
		err = kd_set_text(&target->type, request->type);
	if (!err)
		err = kd_set_text(&target->path, "/");
	if (!err)
		err = kd_set_text(&target->node, held->node);
	target->available = held_available(held->container);
	return err;
}

struct kd_error *held_resolve(const struct kd_sysroot *root, const struct kd_log *log,
			      const struct target_request *request, struct target *target)
{
	_cleanup_(held_close) struct held held = { .fd = -1 };
	struct kd_error *err = open_device(root, request, O_RDONLY, &held);

	if (!err)
		err = refuse_contents(root, &held);
	if (!err)
		err = open_container(&held);
	return err ? err : resolve(root, log, &held, request, target);
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

struct kd_error *held_prepare(const struct kd_sysroot *root, const struct target_request *request, bool force,
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
