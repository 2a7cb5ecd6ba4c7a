/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/kexec_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"

/* From Linux include/uapi/linux/kexec.h; the headers of distributions lack the newer flags. */
enum {
	CALL_ON_CRASH = 0x1,
	CALL_UPDATE_ELFCOREHDR = 0x4, /* Linux 6.6, a72bbec70da2 "crash: hotplug support for kexec_load()" */

	CALL_FILE_UNLOAD = 0x1,
	CALL_FILE_ON_CRASH = 0x2,
	CALL_FILE_NO_INITRAMFS = 0x4,
	/* Linux 6.8, cbc2fe9d9cb2 "kexec_file: add kexec_file flag to control debug printing" */
	CALL_FILE_DEBUG = 0x8,
};

/* struct kexec_segment with a const buf. */
struct call_segment {
	const void *buf;
	size_t bufsz;
	void *mem;
	size_t memsz;
};

/* The remedy for an errno of either call. */
static const struct {
	int errnum;
	enum kd_error_code code;
	const char *remedy;
} remedies[] = {
	{ EPERM, KD_ERR_STATE,
	  "loading needs root (CAP_SYS_BOOT), kernel.kexec_load_disabled=0, a kernel.kexec_load_limit_panic or "
	  "_reboot that is not 0 and, under lockdown, a kernel signed by a key that this machine trusts" },
	{ EACCES, KD_ERR_STATE, "the IMA policy of this machine demands a signed kernel" },
	{ EBUSY, KD_ERR_STATE, "another program is loading a kernel; try again" },
	{ ENOSYS, KD_ERR_STATE, "the running kernel is built without this call" },
	{ ENOEXEC, KD_ERR_UNSUPPORTED, "the running kernel cannot load this kernel format" },
	{ ENODATA, KD_ERR_STATE, "the kernel file is not signed" },
	{ ENOKEY, KD_ERR_STATE, "the kernel file is signed by a key that this machine does not trust" },
	{ EKEYREJECTED, KD_ERR_STATE, "the running kernel rejects the kernel file's signature" },
	{ EBADMSG, KD_ERR_FORMAT, "the kernel file's signature is damaged" },
	{ EADDRNOTAVAIL, KD_ERR_LIMIT, "the addresses for the kernel are not free; was the reservation shrunk?" },
	{ ENOMEM, KD_ERR_LIMIT, "there is not enough memory to load the kernel" },
};

static struct kd_error *explain(int errnum, const char *call)
{
	struct kd_error *err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(remedies); i++) {
		if (remedies[i].errnum != errnum)
			continue;
		err = kd_error_create(remedies[i].code, "%s: %s: %s", call, strerror(errnum), remedies[i].remedy);
		if (err->code != KD_ERR_NOMEM)
			err->errnum = errnum;
		return err;
	}
	return kd_error_os(errnum, "%s", call);
}

/* Others hold the lock only briefly: a load, a reader of kexec_crash_size, a hotplug update. */
static bool busy_retry(long result, unsigned int *tries)
{
	static const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };

	if (result == 0 || errno != EBUSY || ++*tries > 50)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static long load(uint64_t entry, size_t count, const struct call_segment *segment, unsigned long flags)
{
	unsigned int tries = 0;
	long result;

	do
		result = syscall(SYS_kexec_load, (unsigned long)entry, count, segment, flags);
	while (busy_retry(result, &tries));
	return result;
}

static long file_load(int kernel, int initrd, const char *cmdline, unsigned long flags)
{
	unsigned int tries = 0;
	long result;

	do
		result = syscall(SYS_kexec_file_load, kernel, initrd, cmdline ? strlen(cmdline) + 1 : 0, cmdline,
				 flags);
	while (busy_retry(result, &tries));
	return result;
}

struct kd_error *kexec_call_load(const struct kexec_call *call, const struct segments *segments, uint64_t entry)
{
	struct call_segment segment[SEGMENT_MAX];
	unsigned long flags = call->on_crash ? CALL_ON_CRASH : 0;
	long result;
	size_t i;

	for (i = 0; i < segments->count; i++)
		segment[i] = (struct call_segment){
			.buf = segments->segment[i].buf,
			.bufsz = segments->segment[i].bufsz,
			.mem = (void *)(uintptr_t)segments->segment[i].mem,
			.memsz = segments->segment[i].memsz,
		};
	result = load(entry, i, segment, call->hotplug ? flags | CALL_UPDATE_ELFCOREHDR : flags);
	/* A kernel that does not know the flag refuses the call before it changes anything. */
	if (result < 0 && errno == EINVAL && call->hotplug)
		result = load(entry, i, segment, flags);
	return result < 0 ? explain(errno, "kexec_load") : NULL;
}

/* Keep the last @secret bytes of the file out of swap space, to which the pages of such a file may go. They stay locked
 * as long as they are mapped. *length_ret is what to unmap. */
static void *lock_end(int file, size_t size, size_t secret, size_t *length_ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), start = (size - secret) / page * page;
	void *map = mmap(NULL, size - start, PROT_READ, MAP_SHARED, file, (off_t)start);

	if (map == MAP_FAILED)
		return NULL;
	if (mlock(map, size - start) < 0) {
		munmap(map, size - start);
		return NULL;
	}
	*length_ret = size - start;
	return map;
}

/* A file in memory. While the kernel reads it, nobody has it open for writing: the kernel may refuse such files. */
struct memory_file {
	int fd;
	size_t size, secret;
	void *locked;
	size_t locked_size;
};

static int open_again(int fd, int flags)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return open(link, flags | O_CLOEXEC);
}

/* @secret: the last bytes that are to be kept secret. */
static struct kd_error *memory_file_make(const char *name, const void *data, size_t size, size_t secret,
					 struct memory_file *ret)
{
	_cleanup_close_ int writer = memfd_create(name, MFD_CLOEXEC);

	if (writer < 0 || ftruncate(writer, (off_t)size) < 0)
		return kd_error_os(errno, "cannot copy the %s", name);
	ret->fd = open_again(writer, O_RDONLY);
	if (ret->fd < 0)
		return kd_error_os(errno, "cannot copy the %s", name);
	if (secret && !(ret->locked = lock_end(ret->fd, size, secret, &ret->locked_size)))
		return kd_error_os(errno, "cannot lock the keys in memory");
	ret->size = size;
	ret->secret = secret;
	return kd_write_all(writer, data, size) < 0 ? kd_error_os(errno, "cannot copy the %s", name) : NULL;
}

static void memory_file_close(struct memory_file *file)
{
	static const char zeros[4096];
	_cleanup_close_ int writer = file->secret ? open_again(file->fd, O_WRONLY) : -1;
	size_t part;

	for (size_t left = file->secret; left && writer >= 0; left -= part) {
		part = left < sizeof(zeros) ? left : sizeof(zeros);
		if (kd_pwrite_all(writer, zeros, part, (off_t)(file->size - left)) < 0)
			break; /* the file ends with this process all the same */
	}
	if (file->locked)
		munmap(file->locked, file->locked_size);
	if (file->fd >= 0)
		close(file->fd);
}
static inline void memory_file_close_cleanup(struct memory_file *file)
{
	memory_file_close(file);
}

struct kd_error *kexec_call_file_load(const struct kexec_call *call, const struct kexec_files *files)
{
	_cleanup_(memory_file_close) struct memory_file kernel = { .fd = -1 }, initrd = { .fd = -1 };
	unsigned long flags = call->on_crash ? CALL_FILE_ON_CRASH : 0;
	struct kd_error *err = memory_file_make("kernel", files->kernel, files->kernel_size, 0, &kernel);
	long result;

	if (!err && files->initrd)
		err = memory_file_make("initramfs", files->initrd, files->initrd_size, files->secret_size, &initrd);
	if (err)
		return err;
	if (!files->initrd)
		flags |= CALL_FILE_NO_INITRAMFS;
	result = file_load(kernel.fd, initrd.fd, files->cmdline, call->debug ? flags | CALL_FILE_DEBUG : flags);
	if (result < 0 && errno == EINVAL && call->debug)
		result = file_load(kernel.fd, initrd.fd, files->cmdline, flags);
	return result < 0 ? explain(errno, "kexec_file_load") : NULL;
}

/* Lockdown forbids kexec_load(2) even for unloading; kexec_file_load(2) may be missing in the running kernel. */
struct kd_error *kexec_call_unload(bool on_crash)
{
	if (file_load(-1, -1, NULL, CALL_FILE_UNLOAD | (on_crash ? CALL_FILE_ON_CRASH : 0)) == 0)
		return NULL;
	if (load(0, 0, NULL, on_crash ? CALL_ON_CRASH : 0) == 0)
		return NULL;
	return explain(errno, "kexec_load");
}

struct kd_error *kexec_call_reboot(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	if (errno == EINVAL)
		return kd_error_create(KD_ERR_STATE, "no kernel is loaded to reboot into; load one with kexec -l");
	return explain(errno, "reboot");
}
