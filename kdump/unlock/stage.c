/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdump-unlock: opens LUKS volumes in the next kernel's initramfs with the keys that the former kernel had (unlock.h).
 *
 * Whatever fails is said in the kernel's log, and the boot goes on: somebody is asked for the passphrase. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "kdump/unlock/key.h"
#include "kdump/unlock/mapping.h"
#include "kdump/unlock/openers.h"
#include "kdump/unlock/unlock.h"

#define KMSG UNLOCK_DIRECTORY "/kmsg"
#define INIT "/init"

enum { KEYS_MAX = 64 };

struct stage {
	struct kd_log log;
	FILE *kmsg;
	struct kd_names names; /* of the keys' files: UUIDs of LUKS headers */
	int key[KEYS_MAX];     /* open files of keys; -1: done with */
	size_t key_count;
};

/* Without a console the first files would become standard input and output of /init, if they stayed open. */
static void open_log(struct stage *stage)
{
	mknod(KMSG, S_IFCHR | 0600, makedev(1, 11));
	stage->kmsg = fopen(KMSG, "we");
	if (stage->kmsg)
		setvbuf(stage->kmsg, NULL, _IOLBF, 1024);
	kd_log_init(&stage->log, stage->kmsg ? stage->kmsg : stderr, "kdump unlock", KD_LOG_INFO);
}

/* The file system is memory, and its pages are written in place. */
static bool wipe(int fd)
{
	static const char zeros[UNLOCK_FILE_MAX];

	return kd_pwrite_all(fd, zeros, sizeof(zeros), 0) == 0;
}

/* --- process 1 ---------------------------------------------------------------------------------------------------- */

static void open_keys(struct stage *stage)
{
	struct kd_sysroot root = { 0 };
	struct kd_error *err = kd_sysroot_open("/", &root);

	if (!err)
		err = kd_sysroot_list(&root, UNLOCK_KEYS, &stage->names);
	kd_log_error(&stage->log, err);
	for (size_t i = 0; i < stage->names.count && i < KEYS_MAX; i++) {
		_cleanup_free_ char *path = NULL;

		if (kd_error_discard(kd_format(&path, UNLOCK_KEYS "/%s", stage->names.name[i])))
			return;
		stage->key[stage->key_count++] = open(path, O_RDWR | O_CLOEXEC);
	}
	kd_sysroot_close(&root);
}

/* Wipe what was deleted. Returns how many are left. */
static size_t wipe_deleted(struct stage *stage)
{
	size_t left = 0;

	for (size_t i = 0; i < stage->key_count; i++) {
		struct stat st;

		if (stage->key[i] < 0)
			continue;
		if (fstat(stage->key[i], &st) == 0 && st.st_nlink) {
			left++;
			continue;
		}
		wipe(stage->key[i]);
		close(stage->key[i]);
		stage->key[i] = -1;
	}
	return left;
}

/* A key whose volume nobody opens goes when the initramfs does. systemd does not end a process of root's whose name
 * begins with "@" when it changes to the real root (https://systemd.io/ROOT_STORAGE_DAEMONS). */
static void leave_wiper(struct stage *stage, char *name)
{
	int watch = inotify_init1(IN_CLOEXEC);
	char events[4096];

	if (watch < 0 || inotify_add_watch(watch, UNLOCK_KEYS, IN_DELETE) < 0 || fork() != 0) {
		if (watch >= 0)
			close(watch);
		return;
	}
	name[0] = '@';
	prctl(PR_SET_NAME, "kdump-unlock");
	setsid();
	for (int number = 1; number < SIGRTMIN; number++)
		signal(number, SIG_IGN);
	while (wipe_deleted(stage) && (read(watch, events, sizeof(events)) > 0 || errno == EINTR))
		;
	_exit(0);
}

/* Put this program in the place of those that open volumes. */
static void take_places(const struct stage *stage)
{
	for (const char *const *path = opener_paths; *path; path++) {
		_cleanup_free_ char *aside = NULL;
		struct stat st, own;

		if (lstat(*path, &st) < 0 || !S_ISREG(st.st_mode) || stat(UNLOCK_PROGRAM, &own) < 0 ||
		    (st.st_ino == own.st_ino && st.st_dev == own.st_dev))
			continue;
		if (kd_error_discard(kd_format(&aside, UNLOCK_DIRECTORY "/%s", opener_base(*path))))
			return;
		if (rename(*path, aside) < 0 || link(UNLOCK_PROGRAM, *path) < 0)
			kd_warn(&stage->log, "cannot take the place of %s: %s", *path, strerror(errno));
	}
}

/* The name of each key's volume is in its file. The key itself is overwritten in this process's memory. */
static struct kd_error *read_volume(int fd, const char *luks, struct unlock_volume *ret)
{
	char text[UNLOCK_FILE_MAX + 1] = "";
	struct unlock_key key;
	struct kd_error *err = NULL;

	if (kd_pread_all(fd, text, UNLOCK_FILE_MAX, 0) < 0)
		err = kd_error_os(errno, "cannot read the key of %s", luks);
	if (!err)
		err = unlock_key_parse(text, &key);
	if (!err) {
		ret->luks = luks;
		ret->name = strdup(key.name);
		err = ret->name ? NULL : kd_error_nomem();
	}
	explicit_bzero(text, sizeof(text));
	return err;
}

/* Debian's scripts ask before they run cryptsetup(8), unless there is a key file. */
static struct kd_error *edit_crypttab(const struct stage *stage)
{
	struct unlock_volume volume[KEYS_MAX];
	_cleanup_free_ char *text = NULL, *edited = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_read_file(UNLOCK_CRYPTTAB, UNLOCK_CRYPTTAB_MAX, &text, NULL);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return NULL;
	}
	for (size_t i = 0; !err && i < stage->key_count; i++)
		err = read_volume(stage->key[i], stage->names.name[i], &volume[i]);
	if (!err)
		err = unlock_crypttab_edit(text, volume, stage->key_count, &edited);
	if (err)
		return err;
	fd = open(UNLOCK_CRYPTTAB, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || kd_write_all(fd, edited, strlen(edited)) < 0)
		return kd_error_os(errno, "cannot write " UNLOCK_CRYPTTAB);
	return NULL;
}

static int run_init(struct stage *stage, char **argv, char **envp)
{
	open_keys(stage);
	kd_log_error(&stage->log, kd_error_wrap(edit_crypttab(stage), "somebody may be asked for a passphrase"));
	take_places(stage);
	leave_wiper(stage, argv[0]);
	argv[0] = (char *)INIT;
	execve(INIT, argv, envp);
	kd_log(&stage->log, KD_LOG_ERROR, "cannot run " INIT ": %s", strerror(errno));
	return 1;
}

/* --- in the place of another program ------------------------------------------------------------------------------ */

/* Open the key's file of the volume on @device; *ret := -1: there is none. @number := of the device. */
static struct kd_error *find_key(const char *device, char number[static 32], char luks[static UNLOCK_UUID_SIZE],
				 int *ret)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *path = NULL;
	char header[UNLOCK_HEADER_MIN];
	struct kd_error *err;
	struct stat st;

	*ret = -1;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) ||
	    kd_read_all(fd, header, sizeof(header)) != sizeof(header) || !unlock_luks_uuid(header, luks))
		return NULL;
	snprintf(number, 32, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	err = kd_format(&path, UNLOCK_KEYS "/%s", luks);
	if (!err)
		*ret = open(path, O_RDWR | O_CLOEXEC);
	return err;
}

static struct kd_error *use_key(int fd, const char *volume, const char *number)
{
	char text[UNLOCK_FILE_MAX + 1] = "";
	struct unlock_key key;
	struct kd_error *err = NULL;

	if (kd_pread_all(fd, text, UNLOCK_FILE_MAX, 0) < 0)
		err = kd_error_os(errno, "cannot read its key");
	if (!err)
		err = unlock_key_parse(text, &key);
	if (!err)
		err = mapping_make(&key, volume, number, UNLOCK_DIRECTORY);
	explicit_bzero(text, sizeof(text));
	return err;
}

/* The key is wiped and deleted, whether it was of use or not. Returns true if the volume is open. */
static bool open_volume(const struct stage *stage, const char *device, const char *volume)
{
	char number[32], luks[UNLOCK_UUID_SIZE], path[sizeof(UNLOCK_KEYS) + UNLOCK_UUID_SIZE];
	_cleanup_close_ int fd = -1;
	struct kd_error *err = find_key(device, number, luks, &fd);

	if (!err && fd < 0)
		return false; /* it has none */
	if (!err)
		err = use_key(fd, volume, number);
	if (fd >= 0) {
		wipe(fd);
		snprintf(path, sizeof(path), UNLOCK_KEYS "/%s", luks);
		unlink(path);
	}
	if (!err)
		kd_info(&stage->log, "volume %s on %s is open, by the key of the former kernel, which is wiped", volume,
			device);
	else
		kd_warn(&stage->log, "cannot open volume %s on %s by the key of the former kernel, which is wiped: %s",
			volume, device, err->text);
	return !kd_error_discard(err);
}

static int run_opener(const struct stage *stage, const struct opener *opener, char **argv, char **envp)
{
	_cleanup_free_ char *path = NULL;
	const char *device, *volume;

	if (opener->is_asked(argv, &device, &volume) && open_volume(stage, device, volume) && !opener->goes_on)
		return 0;
	opener_clean(argv);
	if (!kd_error_discard(kd_format(&path, UNLOCK_DIRECTORY "/%s", opener->name)))
		execve(path, argv, envp);
	fprintf(stderr, "kdump-unlock: cannot run %s: %s\n", path ? path : opener->name, strerror(errno));
	return 1;
}

int main(int argc, char **argv, char **envp)
{
	struct stage stage = { 0 };
	const struct opener *opener = argc > 0 ? opener_find(argv[0]) : NULL;

	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (getpid() == 1 && argc > 0) {
		open_log(&stage);
		return run_init(&stage, argv, envp);
	}
	if (!opener) {
		fprintf(stderr, "kdump-unlock: this program opens volumes after \"kdumpctl reboot --unlock\"\n");
		return 2;
	}
	open_log(&stage);
	return run_opener(&stage, opener, argv, envp);
}
