/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the way back that touches the machine: comeback.c decides. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/proc.h"
#include "capture/comeback.h"
#include "capture/device.h"
#include "capture/quiesce.h"
#include "capture/target.h"
#include "capture/volumes.h"

#define BOOT_MOUNT "/boot"
#define DEVICES    "/sys/bus/pci/devices"
#define LOCKDOWN   "/sys/kernel/security/lockdown"

_Static_assert((int)KD_HANDOVER_SEGMENTS == KEXEC_SEGMENT_MAX, "one segment, one line");

/* --- looking at the machine --------------------------------------------------------------------------------------- */

static bool is_locked_down(const struct kd_sysroot *root)
{
	_cleanup_free_ char *text = NULL;

	/* A kernel without it has no lockdown. */
	if (kd_sysroot_is_live(root))
		(void)mount("securityfs", "/sys/kernel/security", "securityfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	return !kd_error_discard(kd_sysroot_read(root, LOCKDOWN, &text, NULL)) && !strstr(text, "[none]");
}

static bool has_driver(const struct kd_sysroot *root, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%.64s/driver", name);
	return kd_sysroot_exists(root, path);
}

static void look_at_functions(const struct kd_sysroot *root, struct comeback_facts *facts)
{
	const struct kd_handover *handover = facts->handover;

	for (size_t i = 0; handover && i < handover->functions; i++) {
		const struct kd_handover_function *function = &handover->function[i];
		char path[128];

		snprintf(path, sizeof(path), DEVICES "/%s", function->name);
		if (!facts->absent && !kd_sysroot_exists(root, path))
			facts->absent = function->name;
		if (!facts->unbound && function->hides && !has_driver(root, function->name))
			facts->unbound = function->name;
	}
}

static struct kd_error *look(const struct kd_sysroot *root, struct comeback_facts *facts)
{
	_cleanup_free_ char *cpuinfo = NULL;
	struct quiesce_result quiet;
	struct kd_error *err = kd_sysroot_read(root, "/proc/cpuinfo", &cpuinfo, NULL);

	if (!err)
		err = quiesce(root, &quiet);
	if (err)
		return err;
	facts->boot_cpu = kd_proc_boot_cpu(cpuinfo);
	facts->lockdown = is_locked_down(root);
	facts->masters = quiet.failed;
	look_at_functions(root, facts);
	return NULL;
}

/* --- the file system with the kernel ------------------------------------------------------------------------------ */

/* A journal is not replayed: nothing is written. What the files then hold, their digests tell. */
static const char *without_replay(const char *type)
{
	static const struct {
		const char *type, *options;
	} rows[] = {
		{ "ext3", "noload" },
		{ "ext4", "noload" },
		{ "xfs", "norecovery" },
		{ "btrfs", "rescue=nologreplay" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].type, type) == 0)
			return rows[i].options;
	return "";
}

static struct kd_error *mount_boot(const struct kd_plan_target *boot, const char *node)
{
	const char *replay = without_replay(boot->type);
	char data[1024], all[sizeof(data) + 64];
	unsigned long flags = target_mount_flags(boot->options, data, sizeof(data));

	snprintf(all, sizeof(all), "%s%s%s", data, *data && *replay ? "," : "", replay);
	if (mkdir(BOOT_MOUNT, 0700) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot create " BOOT_MOUNT);
	if (mount(node, BOOT_MOUNT, boot->type, flags | MS_RDONLY, all) < 0)
		return kd_error_os(errno, "cannot mount %s (%s), where the kernel is, for reading", node, boot->type);
	return NULL;
}

/* The target of the dump may be the same file system; it is mounted already. */
static struct kd_error *find_boot(const struct comeback_request *request, bool *mounted, const char **directory)
{
	const struct kd_plan_target *boot = &request->plan->boot;
	char node[DEVICE_NODE_MAX];
	struct kd_error *err;

	if (!boot->type)
		return kd_error_create(KD_ERR_STATE, "the plan does not say where the kernel is");
	volumes_assemble(request->root, request->plan, boot->device, NULL, request->deadline, request->log);
	err = device_wait(request->root, boot->device, DEVICE_MOUNT, NULL, request->deadline, request->log, node);
	if (err)
		return err;
	*directory = TARGET_MOUNT;
	if (request->mounted && strcmp(request->mounted, node) == 0)
		return NULL;
	*directory = BOOT_MOUNT;
	err = mount_boot(boot, node);
	*mounted = !err;
	return err;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* Map the bytes of @segment. The page cache holds them as long as there is memory, and the kernel copies them from
 * there: nothing is in memory twice. A disk that fails now ends this process by SIGBUS. */
static struct kd_error *map_segment(const struct kd_sysroot *files, const struct kd_handover_segment *segment,
				    uint8_t **ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(files, segment->file, O_RDONLY | O_CLOEXEC);
	uint64_t skip = segment->offset % KD_HANDOVER_PAGE;
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot open %s", segment->file);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < segment->offset + segment->size)
		return kd_error_create(KD_ERR_FORMAT, "%s is shorter than when the capture kernel was loaded",
				       segment->file);
	map = mmap(NULL, segment->size + skip, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		   (off_t)(segment->offset - skip));
	if (map == MAP_FAILED)
		return kd_error_os(errno, "cannot map %s", segment->file);
	*ret = (uint8_t *)map + skip;
	return NULL;
}

static struct kd_error *check_digest(const struct kd_handover_segment *segment, const uint8_t *data)
{
	uint8_t digest[KD_SHA256_SIZE];
	struct kd_sha256 ctx;

	kd_sha256_init(&ctx);
	kd_sha256_update(&ctx, data, segment->size);
	kd_sha256_final(&ctx, digest);
	if (memcmp(digest, segment->digest, sizeof(digest)) == 0)
		return NULL;
	return kd_error_create(KD_ERR_FORMAT,
			       "%s differs from what it was when the capture kernel was loaded (SHA-256 mismatch)",
			       segment->file);
}

static struct kd_error *put_seed(const struct kd_handover *handover, size_t number, uint8_t *data)
{
	if (!handover->seed || handover->seeded != number)
		return NULL;
	if (getrandom(data + handover->seed, KD_HANDOVER_SEED, 0) != KD_HANDOVER_SEED)
		return kd_error_os(errno, "cannot get random numbers");
	return NULL;
}

/* The mappings end with this process. */
static struct kd_error *load(const struct kd_sysroot *image, const struct kd_sysroot *boot,
			     const struct kd_handover *handover)
{
	struct kexec_segment segment[KD_HANDOVER_SEGMENTS];
	struct kd_error *err = NULL;

	for (size_t i = 0; i < handover->segments && !err; i++) {
		const struct kd_handover_segment *from = &handover->segment[i];
		uint8_t *data = NULL;

		err = map_segment(from->in_image ? image : boot, from, &data);
		if (!err)
			err = check_digest(from, data);
		if (!err)
			err = put_seed(handover, i, data);
		if (!err)
			segment[i] = (struct kexec_segment){ data, from->size, (void *)(uintptr_t)from->address,
							     from->memory };
	}
	if (err)
		return err;
	if (syscall(SYS_kexec_load, (unsigned long)handover->entry, handover->segments, segment, 0UL) < 0)
		return kd_error_os(errno, "the capture kernel does not load kernel %s", handover->release);
	return NULL;
}

static struct kd_error *load_from(const struct comeback_request *request, const char *directory)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot boot = { .fd = -1 };
	struct kd_error *err = kd_sysroot_open(directory, &boot);

	return err ? err : load(request->root, &boot, request->facts.handover);
}

struct kd_error *comeback_load(struct comeback_request *request)
{
	const char *directory = NULL;
	bool mounted = false;
	struct kd_error *err = look(request->root, &request->facts);

	if (!err)
		err = comeback_check(&request->facts);
	if (!err)
		err = find_boot(request, &mounted, &directory);
	if (!err)
		err = load_from(request, directory);
	/* What is mapped keeps it busy until this process ends, which is at once. */
	if (mounted && umount2(BOOT_MOUNT, MNT_DETACH) < 0 && !err)
		err = kd_error_os(errno, "cannot unmount the file system with the kernel");
	return err;
}
