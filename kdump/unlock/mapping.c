/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/unlock/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dm-ioctl.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
	CONTROL_MINOR = 236, /* Linux include/linux/miscdevice.h, MAPPER_CTRL_MINOR */
	MISC_MAJOR = 10,
	UDEV_SECONDS = 30,
	COOKIE_MAGIC = 0x0d4d, /* libdevmapper's: the upper half of a semaphore's key */
	PRIMARY_SOURCE =
		0x0040, /* DM_UDEV_PRIMARY_SOURCE_FLAG: whoever made the volume says so, not a repeated event */
};

/* One row, as the kernel takes it. */
struct request {
	struct dm_ioctl head;
	struct dm_target_spec spec;
	char parameters[UNLOCK_FILE_MAX];
};

static void prepare(struct dm_ioctl *head, size_t size, const char *name)
{
	*head = (struct dm_ioctl){
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = (uint32_t)size,
		.data_start = sizeof(*head),
	};
	strncpy(head->name, name, sizeof(head->name) - 1);
}

/* The node may not be there yet. To open it brings the driver. */
static struct kd_error *open_control(const char *scratch, int *ret)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err = kd_format(&path, "%s/control", scratch);

	if (err)
		return err;
	if (mknod(path, S_IFCHR | 0600, makedev(MISC_MAJOR, CONTROL_MINOR)) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot make %s", path);
	*ret = open(path, O_RDWR | O_CLOEXEC);
	return *ret < 0 ? kd_error_os(errno, "cannot open the device mapper") : NULL;
}

/* --- the kernel's keyring ----------------------------------------------------------------------------------------- */

/* Put the key where @word, ":64:logon:DESCRIPTION", says, in a keyring that ends with this process: dm-crypt takes it
 * from there, as it did from cryptsetup(8), and does not show it. Returns false if that does not work. */
static bool put_into_keyring(const char *word, const char *hex)
{
	uint8_t bytes[UNLOCK_KEY_BYTES];
	char type[16];
	int end = 0;
	unsigned int size;
	bool done;

	if (sscanf(word, ":%u:%15[a-z]:%n", &size, type, &end) != 2 || !end || unlock_key_bytes(hex, bytes) != size)
		return false;
	done = syscall(SYS_add_key, type, word + end, bytes, (size_t)size, KEY_SPEC_THREAD_KEYRING) >= 0;
	explicit_bzero(bytes, sizeof(bytes));
	return done;
}

/* --- udev --------------------------------------------------------------------------------------------------------- */

/* libdevmapper gives an event a number, whose lower half names a semaphore; "dmsetup udevcomplete", udev's last rule
 * for such an event, counts it down. */
struct cookie {
	uint32_t event; /* for the kernel */
	int semaphore;  /* -1: nobody will count it down */
};

static void make_cookie(struct cookie *cookie)
{
	uint16_t base = (uint16_t)getpid();

	cookie->semaphore = -1;
	if (access("/run/udev/control", F_OK) == 0)
		for (int tries = 0; tries < USHRT_MAX && cookie->semaphore < 0; tries++) {
			base = base == USHRT_MAX ? 1 : (uint16_t)(base + 1);
			cookie->semaphore = semget((key_t)COOKIE_MAGIC << 16 | base, 1, 0600 | IPC_CREAT | IPC_EXCL);
			if (cookie->semaphore < 0 && errno != EEXIST)
				break;
		}
	if (cookie->semaphore >= 0)
		semctl(cookie->semaphore, 0, SETVAL, 1);
	cookie->event = (uint32_t)PRIMARY_SOURCE << 16 | base;
}

/* @wait: until udev is done; else nothing has happened that udev will see. */
static void end_cookie(const struct cookie *cookie, bool wait)
{
	struct sembuf zero = { 0 };
	const struct timespec limit = { .tv_sec = UDEV_SECONDS };

	if (cookie->semaphore < 0)
		return;
	if (wait)
		semtimedop(cookie->semaphore, &zero, 1, &limit);
	semctl(cookie->semaphore, 0, IPC_RMID);
}

/* --- the mapping -------------------------------------------------------------------------------------------------- */

static struct kd_error *load(int control, const struct unlock_key *key, const char *name, const char *device)
{
	struct request request = {
		.spec = { .sector_start = key->start, .length = key->length, .target_type = "crypt" }
	};
	bool hidden = put_into_keyring(key->word, key->hex);
	struct kd_error *err = NULL;

	prepare(&request.head, sizeof(request), name);
	request.head.target_count = 1;
	request.head.flags = DM_SECURE_DATA_FLAG;
	if (!unlock_key_parameters(key, device, !hidden, request.parameters, sizeof(request.parameters)))
		err = kd_error_create(KD_ERR_LIMIT, "its device-mapper table is too long");
	else if (ioctl(control, DM_TABLE_LOAD, &request) < 0)
		err = kd_error_os(errno, "the kernel refuses its table");
	explicit_bzero(&request, sizeof(request));
	return err;
}

static struct kd_error *activate(int control, const char *name)
{
	struct cookie cookie;
	struct dm_ioctl head;
	struct kd_error *err = NULL;

	make_cookie(&cookie);
	prepare(&head, sizeof(head), name);
	head.event_nr = cookie.event;
	/* Without DM_SUSPEND_FLAG this call resumes the device, which activates the table. */
	if (ioctl(control, DM_DEV_SUSPEND, &head) < 0)
		err = kd_error_os(errno, "cannot activate it");
	end_cookie(&cookie, !err && head.flags & DM_UEVENT_GENERATED_FLAG);
	return err;
}

struct kd_error *mapping_make(const struct unlock_key *key, const char *name, const char *device, const char *scratch)
{
	_cleanup_close_ int control = -1;
	struct dm_ioctl head;
	struct kd_error *err = open_control(scratch, &control);

	if (err)
		return err;
	prepare(&head, sizeof(head), name);
	snprintf(head.uuid, sizeof(head.uuid), "%s%s", key->uuid, name);
	if (ioctl(control, DM_DEV_CREATE, &head) < 0)
		return kd_error_os(errno, "cannot create it");
	err = load(control, key, name, device);
	if (!err)
		err = activate(control, name);
	if (err) {
		prepare(&head, sizeof(head), name);
		ioctl(control, DM_DEV_REMOVE, &head);
	}
	return err;
}
