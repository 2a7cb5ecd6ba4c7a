/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/volume_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/secret.h"
#include "base/served_disk.h"
#include "base/text.h"
#include "kdump/storage/crypttab.h"
#include "kdump/storage/dm_table.h"
#include "kdump/storage/served.h"

void volume_keys_free(struct volume_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->key[i].volume);
		free(keys->key[i].target);
		free(keys->key[i].portal);
		kd_secret_free(keys->key[i].text);
		free(keys->key[i].source);
		free(keys->key[i].file);
	}
	free(keys->key);
	*keys = (struct volume_keys){ 0 };
}

static struct kd_error *add(struct volume_keys *keys, const struct kd_plan_volume *volume, const char *name)
{
	struct volume_key *grown = reallocarray(keys->key, keys->count + 1, sizeof(*grown));
	struct kd_error *err;

	if (!grown)
		return kd_error_nomem();
	keys->key = grown;
	grown[keys->count++] = (struct volume_key){ 0 };
	grown += keys->count - 1;
	err = kd_set_text(&grown->volume, name);
	if (!err && kd_served_is(volume))
		err = kd_set_text(&grown->target, volume->argv[KD_SERVED_NAME]);
	return err || !grown->target ? err : kd_set_text(&grown->portal, volume->argv[KD_SERVED_ADDRESS]);
}

struct kd_error *volume_keys_list(const struct kd_plan *plan, struct volume_keys *ret)
{
	struct kd_error *err = NULL;

	*ret = (struct volume_keys){ 0 };
	for (size_t i = 0; i < plan->volume_count; i++)
		for (char *const *word = plan->volume[i].argv; *word && !err; word++)
			if (kd_starts_with(*word, KD_PLAN_KEY_PREFIX))
				err = add(ret, &plan->volume[i], *word + strlen(KD_PLAN_KEY_PREFIX));
	return err;
}

/* --- where a key may be ------------------------------------------------------------------------------------------- */

/* The word of @table that is the key: hexadecimal digits, or ":SIZE:TYPE:DESCRIPTION" of a key in the kernel's keyring
 * (Linux Documentation/admin-guide/device-mapper/dm-crypt.rst). It is cut out of the table. */
static struct kd_error *find_word(char *table, char **ret)
{
	char *line = strsep(&table, "\n"), *word;
	size_t place = 0;

	while ((word = strsep(&line, " ")))
		if (*word && place++ == DM_CRYPT_KEY) {
			*ret = word;
			return NULL;
		}
	return kd_error_create(KD_ERR_FORMAT, "its device-mapper table has no key");
}

static struct kd_error *from_file(const struct kd_sysroot *root, const struct volumes_source *source,
				  struct volume_key *key)
{
	_cleanup_(crypttab_entry_free) struct crypttab_entry entry = { 0 };
	struct kd_error *err = crypttab_find(root, key->volume, &entry);

	if (!err)
		err = source->file_key(key->volume, entry.key_file, entry.offset, entry.size, &key->text);
	if (!err)
		err = kd_format(&key->source, "key file %s", entry.key_file);
	if (!err)
		key->file = take_ptr(entry.key_file);
	return err;
}

static struct kd_error *from_kernel(const struct volumes_source *source, const char *word, struct volume_key *key)
{
	struct kd_error *err;
	unsigned int size;

	if (sscanf(word, ":%u:", &size) != 1 || size == 0)
		return kd_error_create(KD_ERR_FORMAT, "its device-mapper table has a malformed key");
	err = source->kernel_key(key->volume, size, &key->text);
	return err ? err : kd_set_text(&key->source, "the running kernel's memory");
}

/* @file, @kernel: why the key could be had neither way; they are destroyed. */
static struct kd_error *refuse(struct kd_error *file, struct kd_error *kernel)
{
	struct kd_error *err = kd_error_create(
		KD_ERR_UNSUPPORTED,
		"it is encrypted, and its volume key, which lies in the kernel's keyring, cannot be had: %s; %s. Name a file "
		"with a key in /etc/crypttab (\"cryptsetup luksAddKey\" adds one to the volume), open the volume with "
		"\"cryptsetup open --disable-keyring\", or choose a target that is not encrypted",
		file->text, kernel->text);

	kd_error_destroy(file);
	kd_error_destroy(kernel);
	return err;
}

static struct kd_error *from_session(const struct kd_sysroot *root, struct volume_key *key)
{
	struct kd_error *err = served_secret(root, key->target, key->portal, &key->text);

	return err ? err : kd_set_text(&key->source, "its session");
}

static struct kd_error *from_mapping(const struct kd_sysroot *root, const struct volumes_source *source,
				     struct volume_key *key)
{
	_cleanup_secret_ char *table = NULL;
	struct kd_error *err = source->table(root, key->volume, &table), *err2;
	char *word = NULL;

	if (!err)
		err = find_word(table, &word);
	if (err)
		return err;
	if (*word != ':') {
		err = kd_set_text(&key->text, word);
		return err ? err : kd_set_text(&key->source, "its device-mapper table");
	}
	err = from_file(root, source, key);
	if (!err || err->code == KD_ERR_NOMEM)
		return err;
	err2 = from_kernel(source, word, key);
	if (err2)
		return refuse(err, err2);
	kd_error_destroy(err);
	return NULL;
}

static struct kd_error *fetch(const struct kd_sysroot *root, const struct volumes_source *source,
			      struct volume_key *key)
{
	return key->target ? from_session(root, key) : from_mapping(root, source, key);
}

struct kd_error *volume_keys_fetch(const struct kd_sysroot *root, const struct volumes_source *source,
				   struct volume_keys *keys)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < keys->count && !err; i++)
		err = kd_error_wrap(fetch(root, source, &keys->key[i]), "volume %s", keys->key[i].volume);
	return err;
}
