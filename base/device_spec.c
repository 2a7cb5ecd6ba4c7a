/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/device_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/container.h"
#include "base/parse.h"
#include "base/text.h"

bool kd_device_spec_is(const char *word)
{
	return kd_device_name_parse(word, &(struct kd_device_name){ 0 });
}

/* --- text --------------------------------------------------------------------------------------------------------- */

/* A comma ends a condition only where another one begins: labels and serial numbers may hold commas. */
static size_t condition_length(const char *text)
{
	const char *comma = text;

	while ((comma = strchr(comma, ','))) {
		if (kd_device_spec_is(comma + 1))
			return comma - text;
		comma++;
	}
	return strlen(text);
}

struct kd_error *kd_device_spec_parse(const char *text, struct kd_device_spec *ret)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	const char *rest = text;

	do {
		size_t length = condition_length(rest);
		struct kd_device_name name;

		if (!kd_device_name_parse(rest, &name) || spec.value[name.key])
			return kd_error_create(KD_ERR_FORMAT, "%s is not a device", text);
		spec.value[name.key] = strndup(name.value, rest + length - name.value);
		if (!spec.value[name.key])
			return kd_error_nomem();
		rest += length;
	} while (*rest++ == ',');
	*ret = spec;
	spec = (struct kd_device_spec){ 0 };
	return NULL;
}

struct kd_error *kd_device_spec_format(const struct kd_device_spec *spec, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	/* The place first, then what is on it. */
	for (size_t key = KD_DEVICE_KEYS; key-- > 0;)
		if (spec->value[key])
			fprintf(out, "%s%s%s", ftell(out) ? "," : "",
				key == KD_DEVICE_PATH ? "" : kd_device_key_prefix(key), spec->value[key]);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

void kd_device_spec_free(struct kd_device_spec *spec)
{
	for (size_t i = 0; i < KD_DEVICE_KEYS; i++)
		free(spec->value[i]);
	*spec = (struct kd_device_spec){ 0 };
}

/* --- containers --------------------------------------------------------------------------------------------------- */

struct kd_error *kd_device_container(const struct kd_device_spec *spec, char **uuid, uint64_t *offset)
{
	const char *value = spec->value[KD_DEVICE_CONTAINER], *at = value ? strchr(value, '@') : NULL;

	*offset = 0;
	if (at && !kd_parse_u64(at + 1, 10, offset))
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not UUID@OFFSET", value);
	*uuid = value ? strndup(value, strcspn(value, "@")) : NULL;
	return value && !*uuid ? kd_error_nomem() : NULL;
}

bool kd_device_has_container(int fd, const struct kd_device_spec *spec)
{
	_cleanup_free_ char *uuid = NULL;
	uint64_t offset;

	if (kd_error_discard(kd_device_container(spec, &uuid, &offset)))
		return false;
	return !uuid || kd_container_is_at(fd, offset, uuid);
}

/* --- what sysfs says ---------------------------------------------------------------------------------------------- */

struct kd_error *kd_whole_disk(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_free_ char *path = NULL, *link = NULL, *partition = NULL;
	struct kd_error *err = kd_format(&link, "/sys/class/block/%s", name);
	char *slash;

	if (!err)
		err = kd_sysroot_realpath(root, link, &path);
	if (err)
		return err;
	kd_error_destroy(kd_sysroot_read_line(root, &partition, "%s/partition", path));
	if (partition && (slash = strrchr(path, '/')))
		*slash = '\0';
	slash = strrchr(path, '/');
	return kd_set_text(ret, slash ? slash + 1 : path);
}

struct kd_error *kd_disk_identity(const struct kd_sysroot *root, const char *name, char **ret)
{
	/* NVMe; SCSI and ATA; virtio; MMC (a card's serial number is not unique, its whole register is). */
	static const char *const attributes[] = { "wwid", "device/wwid", "serial", "device/cid", "device/serial" };

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		_cleanup_free_ char *line = NULL;
		struct kd_error *err = kd_sysroot_read_line(root, &line, "/sys/class/block/%s/%s", name, attributes[i]);

		if (err && err->code == KD_ERR_NOMEM)
			return err;
		if (!kd_error_discard(err) && *kd_strip(line))
			return kd_set_text(ret, kd_strip(line));
	}
	return kd_set_text(ret, NULL);
}

/* The device-mapper's name if it has one, else the kernel's, is what the plan calls a volume. */
static bool is_volume(const struct kd_sysroot *root, const char *disk, const char *volume)
{
	_cleanup_free_ char *name = NULL;

	if (kd_error_discard(kd_sysroot_read_line(root, &name, "/sys/class/block/%s/dm/name", disk)))
		return strcmp(disk, volume) == 0;
	return strcmp(name, volume) == 0;
}

bool kd_device_is_place(const struct kd_sysroot *root, const char *name, const struct kd_device_spec *spec)
{
	const char *volume = spec->value[KD_DEVICE_VOLUME], *paths = spec->value[KD_DEVICE_PATHS];
	const char *expected = paths ? paths : spec->value[KD_DEVICE_DISK];
	_cleanup_free_ char *disk = NULL, *identity = NULL;

	if (!volume && !expected)
		return true;
	if (kd_error_discard(kd_whole_disk(root, name, &disk)) || (volume && !is_volume(root, disk, volume)) ||
	    (paths && strcmp(disk, name) != 0))
		return false;
	if (!expected)
		return true;
	return !kd_error_discard(kd_disk_identity(root, disk, &identity)) && identity &&
	       strcmp(identity, expected) == 0;
}

bool kd_device_has_holders(const struct kd_sysroot *root, const char *name)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_closedir_ DIR *dir = NULL;

	if (kd_error_discard(kd_format(&path, "/sys/class/block/%s/holders", name)))
		return false;
	dir = kd_sysroot_open_dir(root, path);
	return dir && kd_next_entry(dir);
}
