/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The volumes of the running machine: device-mapper tables come from the kernel (Linux drivers/md/dm-ioctl.c), what
 * LUKS knows of keys from libcryptsetup, which is loaded only for an encrypted target. Copies of keys are
 * overwritten. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/array.h"
#include "base/secret.h"
#include "base/text.h"
#include "kdump/storage/kernel_key.h"
#include "kdump/storage/key_search.h"
#include "kdump/storage/volumes_source.h"

#define DM_CONTROL "/dev/mapper/control"
#define TABLE_MAX  ((size_t)1 << 20)
#define ROW_SIZE   64 /* of the text of a row, beside its parameters */

/* Print the rows behind @head as text. It is written where it stays: a stream would leave copies of keys behind. */
static struct kd_error *print_table(const struct dm_ioctl *head, char **ret)
{
	const char *data = (const char *)head + head->data_start;
	size_t size = head->data_size - head->data_start, next = 0, used = 0;
	size_t space = size + head->target_count * ROW_SIZE + 1;
	char *text = malloc(space);

	if (!text)
		return kd_error_nomem();
	*text = '\0';
	for (uint32_t i = 0; i < head->target_count && next + sizeof(struct dm_target_spec) <= size; i++) {
		const struct dm_target_spec *spec = (const void *)(data + next);
		const char *parameters = (const char *)(spec + 1);

		used += (size_t)snprintf(text + used, space - used, "%" PRIu64 " %" PRIu64 " %.*s %.*s\n",
					 (uint64_t)spec->sector_start, (uint64_t)spec->length,
					 (int)sizeof(spec->target_type), spec->target_type,
					 (int)(size - next - sizeof(*spec)), parameters);
		if (used >= space || spec->next <= next) /* counted from the first */
			break;
		next = spec->next;
	}
	*ret = text;
	return NULL;
}

static struct kd_error *read_table(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_close_ int control = -1;
	struct dm_ioctl *head;
	struct kd_error *err;

	if (!kd_sysroot_is_live(root))
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "a captured tree does not contain the tables of device-mapper volumes");
	kd_secret_guard();
	control = open(DM_CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0)
		return kd_error_os(errno, "cannot open " DM_CONTROL);
	head = calloc(1, TABLE_MAX);
	if (!head)
		return kd_error_nomem();
	*head = (struct dm_ioctl){
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = TABLE_MAX,
		.data_start = sizeof(*head),
		.flags = DM_STATUS_TABLE_FLAG | DM_SECURE_DATA_FLAG,
	};
	strncpy(head->name, name, sizeof(head->name) - 1);
	if (ioctl(control, DM_TABLE_STATUS, head) < 0)
		err = kd_error_os(errno, "cannot read the table of %s", name);
	else if (head->flags & DM_BUFFER_FULL_FLAG)
		err = kd_error_create(KD_ERR_LIMIT, "the table of %s is larger than %zu bytes", name, TABLE_MAX);
	else
		err = print_table(head, ret);
	explicit_bzero(head, TABLE_MAX);
	free(head);
	return err;
}

/* --- libcryptsetup ------------------------------------------------------------------------------------------------ */

struct crypt_device;

struct cryptsetup {
	int (*init_by_name)(struct crypt_device **device, const char *name);
	void (*free)(struct crypt_device *device);
	int (*keyfile_read)(struct crypt_device *device, const char *file, char **key, size_t *size, uint64_t offset,
			    size_t max, uint32_t flags);
	void (*safe_free)(void *data);
	int (*key_get)(struct crypt_device *device, int slot, char *key, size_t *size, const char *pass,
		       size_t pass_size);
	int (*key_verify)(struct crypt_device *device, const char *key, size_t size);
	void (*set_log)(struct crypt_device *device, void (*log)(int level, const char *text, void *arg), void *arg);
};

static bool load_cryptsetup(struct cryptsetup *ret)
{
	const struct {
		const char *name;
		void **place;
	} symbols[] = {
		{ "crypt_init_by_name", (void **)&ret->init_by_name },
		{ "crypt_free", (void **)&ret->free },
		{ "crypt_keyfile_device_read", (void **)&ret->keyfile_read },
		{ "crypt_safe_free", (void **)&ret->safe_free },
		{ "crypt_volume_key_get", (void **)&ret->key_get },
		{ "crypt_volume_key_verify", (void **)&ret->key_verify },
		{ "crypt_set_log_callback", (void **)&ret->set_log },
	};
	void *library = dlopen("libcryptsetup.so.12", RTLD_NOW);

	for (size_t i = 0; library && i < ARRAY_SIZE(symbols); i++)
		if (!(*symbols[i].place = dlsym(library, symbols[i].name)))
			return false;
	return library != NULL;
}

/* Only main() prints. */
static void say_nothing(int level, const char *text, void *arg)
{
}

static struct kd_error *to_hex(const unsigned char *key, size_t size, char **ret)
{
	char *text = malloc(2 * size + 1);

	if (!text)
		return kd_error_nomem();
	kd_hex(key, size, text);
	*ret = text;
	return NULL;
}

static struct kd_error *open_with(const struct cryptsetup *lib, struct crypt_device *device, const char *file,
				  uint64_t offset, uint64_t size, char **ret)
{
	unsigned char key[512];
	size_t key_size = sizeof(key), pass_size;
	struct kd_error *err;
	char *pass;
	int result = lib->keyfile_read(device, file, &pass, &pass_size, offset, size, 0);

	if (result < 0)
		return kd_error_os(-result, "cannot read its key file %s", file);
	result = lib->key_get(device, -1, (char *)key, &key_size, pass, pass_size);
	lib->safe_free(pass);
	if (result < 0)
		err = kd_error_create(KD_ERR_CONFIG,
				      "key file %s does not unlock it: \"cryptsetup luksAddKey\" adds a key to "
				      "the volume",
				      file);
	else
		err = to_hex(key, key_size, ret);
	explicit_bzero(key, sizeof(key));
	return err;
}

/* Load the library and open the header of volume @name. */
static struct kd_error *open_volume(const char *name, struct cryptsetup *lib, struct crypt_device **ret)
{
	int result;

	if (!load_cryptsetup(lib))
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "libcryptsetup.so.12, which knows LUKS, is missing: install libcryptsetup "
				       "(Debian: libcryptsetup12, Red Hat: cryptsetup-libs)");
	lib->set_log(NULL, say_nothing, NULL);
	result = lib->init_by_name(ret, name);
	return result < 0 ? kd_error_os(-result, "libcryptsetup cannot open it") : NULL;
}

static struct kd_error *read_file_key(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret)
{
	struct crypt_device *device = NULL;
	struct cryptsetup lib;
	struct kd_error *err = open_volume(name, &lib, &device);

	if (err)
		return err;
	err = open_with(&lib, device, file, offset, size, ret);
	lib.free(device);
	return err;
}

/* --- the kernel's memory ------------------------------------------------------------------------------------------ */

struct verification {
	const struct cryptsetup *lib;
	struct crypt_device *device;
};

/* The header of the volume has a digest of the key. */
static bool is_volume_key(void *arg, const uint8_t *key, size_t size)
{
	const struct verification *verification = arg;

	return verification->lib->key_verify(verification->device, (const char *)key, size) == 0;
}

static struct kd_error *read_kernel_key(const char *name, size_t size, char **ret)
{
	struct cryptsetup lib;
	struct verification verification = { .lib = &lib };
	struct kd_error *err = open_volume(name, &lib, &verification.device);
	uint8_t key[KEY_SEARCH_MAX];

	if (err)
		return err;
	err = kernel_key_find("/proc/kcore", name, size, is_volume_key, &verification, key);
	if (!err)
		err = to_hex(key, size, ret);
	explicit_bzero(key, sizeof(key));
	lib.free(verification.device);
	return err;
}

const struct volumes_source volumes_live = { read_table, read_file_key, read_kernel_key };
