/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of "kdumpctl check", each on a machine that is a directory, as it should be and as it should not. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "initramfs/image.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/creation_test.h"
#include "kdump/storage/volumes_source.h"
#include "kdump/verbs/check/check.h"

#define NOW 1800000000 /* later than any file that a test makes by itself */

struct machine {
	struct tree tree;
	struct kdumpctl ctl;
	struct kd_conf conf;
	struct target target;
	struct check_context context;
};

static void put(struct machine *m, const char *path, const char *text)
{
	tree_text(&m->tree, path, text);
}

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	tree_make(&m->tree);
	m->ctl.root = m->tree.root;
	m->ctl.conf_file = "/etc/kdump.conf";
	put(m, "/etc/kdump.conf", "");
	put(m, "/proc/sys/kernel/random/boot_id", "0000-boot\n");
	assert_no_error(kd_conf_parse(&(struct kd_conf_text){ .file = "/etc/kdump.conf", .text = "" }, 1, &m->conf,
				      NULL, NULL));
	m->target = (struct target){ .type = (char *)"ext4",
				     .device = (char *)"UUID=aaaa-1",
				     .node = (char *)"/dev/vda1",
				     .available = UINT64_MAX };
	m->context = (struct check_context){ .ctl = &m->ctl, .conf = &m->conf, .target = &m->target };
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	kd_conf_free(&m->conf);
	tree_remove(&m->tree);
	free(m);
	return 0;
}

/* What @check says has @part in it; whatever is wrong has a remedy, or says it. */
static void expect(const struct machine *m, check_function *check, enum check_verdict verdict, const char *part)
{
	struct check_result result = { .verdict = CHECK_NOT_APPLICABLE };

	check(&m->context, &result);
	assert_non_null(result.text);
	if (result.verdict != verdict || !strstr(result.text, part))
		fail_msg("%d \"%s\", expected %d with \"%s\"", result.verdict, result.text, verdict, part);
	free(result.text);
}

static void test_ext4(void **state)
{
	struct machine *m = *state;

	expect(m, check_file_system, CHECK_NOT_APPLICABLE, "is not mounted");
	put(m, "/sys/fs/ext4/vda1/errors_count", "0\n");
	expect(m, check_file_system, CHECK_OK, "/dev/vda1 has recorded no errors");
	put(m, "/sys/fs/ext4/vda1/errors_count", "7\n");
	expect(m, check_file_system, CHECK_WARNING, "/dev/vda1 has recorded 7 errors");
	m->target.type = (char *)"xfs";
	expect(m, check_file_system, CHECK_NOT_APPLICABLE, "keeps no count");
}

static void test_kdump_tools(void **state)
{
	struct machine *m = *state;

	expect(m, check_kdump_tools, CHECK_NOT_APPLICABLE, "there are no settings");
	put(m, "/etc/default/kdump-tools",
	    "# MAKEDUMP_ARGS=\"-c -d 31\"\nUSE_KDUMP=1\nKDUMP_COREDIR=\"/var/crash\"\nKDUMP_CMDLINE=\n");
	expect(m, check_kdump_tools, CHECK_OK, "nothing but defaults");
	put(m, "/etc/default/kdump-tools",
	    "USE_KDUMP=1\nKDUMP_COREDIR=\"/srv\"\n  MAKEDUMP_ARGS='-c -d 17'\nKDUMP_CMDLINE_APPEND=\"nr_cpus=1\"\n");
	expect(m, check_kdump_tools, CHECK_WARNING,
	       "kdumpctl does not read /etc/default/kdump-tools, which sets KDUMP_COREDIR (now path in kdump.conf), "
	       "MAKEDUMP_ARGS (now core_collector in kdump.conf), KDUMP_CMDLINE_APPEND (now KDUMP_COMMANDLINE_APPEND)");
}

/* Of all devices and kinds. */
static void test_btrfs(void **state)
{
	static const char none[] = "write_errs 0\nread_errs 0\nflush_errs 0\ncorruption_errs 0\ngeneration_errs 0\n";
	struct machine *m = *state;

	m->target.type = (char *)"btrfs";
	expect(m, check_file_system, CHECK_NOT_APPLICABLE, "is not mounted");
	put(m, "/sys/fs/btrfs/aaaa-1/devinfo/1/error_stats", none);
	put(m, "/sys/fs/btrfs/aaaa-1/devinfo/2/error_stats", none);
	expect(m, check_file_system, CHECK_OK, "no errors");
	put(m, "/sys/fs/btrfs/aaaa-1/devinfo/2/error_stats",
	    "write_errs 2\nread_errs 0\nflush_errs 0\ncorruption_errs 3\ngeneration_errs 0\n");
	expect(m, check_file_system, CHECK_WARNING, "has recorded 5 errors");
	m->target.device = (char *)"DISK=SERIAL,UUID_SUB=bbbb,UUID=aaaa-1";
	expect(m, check_file_system, CHECK_WARNING, "has recorded 5 errors");
	put(m, "/sys/fs/btrfs/aaaa-1/devinfo/2/error_stats", "noise");
	expect(m, check_file_system, CHECK_OK, "no errors");
	m->target.device = (char *)"UUID=../../ext4";
	expect(m, check_file_system, CHECK_NOT_APPLICABLE, "is not mounted");
}

#define RELEASE       "6.1.0-test"
#define MODULES       "/lib/modules/" RELEASE
#define BUILT_IN_INFO "ahci.file=ata/ahci\0ahci.license=GPL\0ahci.firmware=ahci/one.bin\0ahci.firmware=ahci/two.bin"

/* A kernel that has everything built in, and an image for it. */
static bool make_kernel(struct machine *m)
{
	_cleanup_(image_free) struct image *image = NULL;
	_cleanup_free_ void *data = NULL;
	char command[256];
	uint64_t unpacked;
	size_t size;

	if (access("/sbin/depmod", X_OK) < 0 && access("/usr/sbin/depmod", X_OK) < 0)
		return false;
	put(m, MODULES "/modules.order", "");
	put(m, MODULES "/modules.builtin", "kernel/fs/ext4.ko\nkernel/ata/ahci.ko\nkernel/md/dm-mod.ko\n");
	tree_write(&m->tree, MODULES "/modules.builtin.modinfo", BUILT_IN_INFO, sizeof(BUILT_IN_INFO));
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin depmod -b %s " RELEASE, m->tree.path);
	assert_int_equal(system(command), 0);
	assert_no_error(image_new(&image));
	assert_no_error(image_add_directory(image, "/dev", 0755));
	assert_no_error(image_build(image, IMAGE_COMPRESSION_NONE, &data, &size, &unpacked));
	tree_write(&m->tree, "/image", data, size);
	m->context.initrd = (char *)"/image";
	return true;
}

/* The drivers of a volume are those of its disks, and of the volume. */
static void test_drivers_of_volume(void **state)
{
	static char *const table[] = { (char *)"0",         (char *)"8", (char *)"linear",
				       (char *)"/dev/vda1", (char *)"0", NULL };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	struct kernel kernel = { .release = (char *)RELEASE };
	struct machine *m = *state;

	if (!make_kernel(m))
		end_test("no depmod");
	put(m, "/dev/dm-0", "");
	put(m, "/sys/devices/virtual/block/dm-0/dm/name", "vg-dumps\n");
	tree_link(&m->tree, "/sys/class/block/dm-0", "/sys/devices/virtual/block/dm-0");
	assert_no_error(kd_plan_init(&plan));
	assert_no_error(kd_plan_add_target(&plan, "ext4", "/dev/dm-0", "", "/", 1));
	assert_no_error(kd_plan_add_volume(&plan, "dm", "vg-dumps", table));
	m->target.device = (char *)"/dev/dm-0";
	m->context.plan = &plan;
	m->context.kernel = &kernel;
	expect(m, check_drivers, CHECK_OK, "the 0 modules that the target needs are in the image");
	m->context.initrd = NULL;
	expect(m, check_drivers, CHECK_NOT_APPLICABLE, "no image");
}

/* Where the dump goes: what tells the device, and what it is made of. */
static void test_target(void **state)
{
	struct machine *m = *state;

	m->target.path = (char *)"/dumps";
	expect(m, check_target, CHECK_OK, "ext4 UUID=aaaa-1, directory /dumps, not mounted");
	m->target.device = (char *)"volume:vg-dumps,UUID=aaaa-1";
	m->target.node = (char *)"/dev/dm-0";
	m->target.mount_point = (char *)"/srv";
	put(m, "/dev/dm-0", "");
	put(m, "/sys/devices/virtual/block/dm-0/dm/uuid", "LVM-abcdef\n");
	tree_link(&m->tree, "/sys/class/block/dm-0", "/sys/devices/virtual/block/dm-0");
	tree_directory(&m->tree, "/sys/devices/pci/block/vda/vda3");
	tree_link(&m->tree, "/sys/devices/virtual/block/dm-0/slaves/vda3", "/sys/devices/pci/block/vda/vda3");
	expect(m, check_target, CHECK_OK,
	       "ext4 volume:vg-dumps,UUID=aaaa-1, directory /dumps, mounted at /srv, now dm-0 (LVM logical volume) on vda3");
	m->context.target = NULL;
	m->context.target_error = "why";
	expect(m, check_target, CHECK_FAILURE, "why");
	m->context.left_out = true;
	expect(m, check_target, CHECK_WARNING, "why");
}

static void test_firmware(void **state)
{
	static char *extra[] = { (char *)"ahci", NULL };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	struct kernel kernel = { .release = (char *)RELEASE };
	struct machine *m = *state;
	char **before = m->conf.extra_modules;

	expect(m, check_firmware, CHECK_NOT_APPLICABLE, "drivers of the target are not known");
	if (!make_kernel(m))
		end_test("no depmod");
	assert_no_error(kd_plan_init(&plan));
	m->context.plan = &plan;
	m->context.kernel = &kernel;
	expect(m, check_firmware, CHECK_NOT_APPLICABLE, "no driver of the image loads firmware");
	m->conf.extra_modules = extra;
	expect(m, check_firmware, CHECK_WARNING, "no firmware for ahci: ahci: ahci/one.bin, ahci: ahci/two.bin");
	put(m, "/lib/firmware/ahci/one.bin", "12345");
	expect(m, check_firmware, CHECK_OK, "1 files with 5");
	expect(m, check_firmware, CHECK_OK, "does not have ahci: ahci/two.bin");
	put(m, "/lib/firmware/ahci/two.bin.xz", "12345");
	expect(m, check_firmware, CHECK_OK, "2 files with 10");
	m->conf.extra_modules = before;
}

/* --- the whole command, on a machine whose target is encrypted ---------------------------------------------------- */

static struct kd_error *table(const struct kd_sysroot *root, const char *name, char **ret)
{
	*ret = strdup("0 999 crypt aes-xts-plain64 :64:logon:cryptsetup:1234-d0 0 254:3 32768\n");
	return *ret ? NULL : kd_error_nomem();
}

static struct kd_error *key_of(const char *name, const char *file, uint64_t offset, uint64_t size, char **ret)
{
	*ret = strdup("00ff11ee");
	return *ret ? NULL : kd_error_nomem();
}

static struct kd_error *kernel_key(const char *name, size_t size, char **ret)
{
	return kd_error_create(KD_ERR_NOT_FOUND, "no BTF");
}

/* Instead of the running machine's: a directory has no device mapper. */
const struct volumes_source volumes_live = { table, key_of, kernel_key };

static void point(struct machine *m, const char *path, const char *target)
{
	tree_link(&m->tree, path, target);
}

static void put_encrypted_target(struct machine *m)
{
	put(m, "/etc/kdump.conf", "ext4 /dev/mapper/secret\npath /\n");
	put(m, "/boot/vmlinuz-6.1", "");
	put(m, "/proc/self/mountinfo",
	    "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
	    "23 22 253:0 / /crash rw - ext4 /dev/mapper/secret rw\n");
	put(m, "/crash/lost+found", "");
	put(m, "/dev/vda1", "");
	put(m, "/sys/class/block/vda1/dev", "254:1\n");
	point(m, "/dev/disk/by-uuid/aaaa-2", "../../vda1");
	put(m, "/dev/dm-0", "");
	put(m, "/dev/vda3", "");
	point(m, "/dev/mapper/secret", "../dm-0");
	point(m, "/dev/disk/by-uuid/aaaa-1", "../../dm-0");
	point(m, "/dev/disk/by-partuuid/bbbb-3", "../../vda3");
	put(m, "/sys/devices/virtual/block/dm-0/dev", "253:0\n");
	put(m, "/sys/devices/virtual/block/dm-0/dm/name", "secret\n");
	put(m, "/sys/devices/virtual/block/dm-0/dm/uuid", "CRYPT-LUKS2-1234-secret\n");
	point(m, "/sys/devices/virtual/block/dm-0/slaves/vda3", "../../../../pci0/vda/vda3");
	point(m, "/sys/class/block/dm-0", "../../devices/virtual/block/dm-0");
	put(m, "/sys/devices/pci0/vda/vda3/dev", "254:3\n");
	put(m, "/sys/devices/pci0/vda/vda3/partition", "3\n");
	point(m, "/sys/class/block/vda3", "../../devices/pci0/vda/vda3");
	put(m, "/etc/crypttab", "secret /dev/vda3 /etc/keys/dumps luks\n");
	put(m, "/etc/keys/dumps", "secret");
	tree_mode(&m->tree, "/etc/keys/dumps", 0600);
}

/* What "kdumpctl check --json" prints. */
static char *run_check(struct machine *m)
{
	_cleanup_close_ int own = dup(STDOUT_FILENO);
	FILE *file = tmpfile();
	unsigned int failures;
	struct kd_error *err;
	char *text = NULL;
	long size;

	assert_non_null(file);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	m->ctl.json = true;
	err = check_everything(&m->ctl, &failures);
	fflush(stdout);
	assert_true(dup2(own, STDOUT_FILENO) >= 0);
	assert_no_error(err);
	size = lseek(fileno(file), 0, SEEK_END);
	text = calloc(1, size + 1);
	assert_non_null(text);
	assert_int_equal(kd_pread_all(fileno(file), text, size, 0), size);
	fclose(file);
	return text;
}

static void expect_row(struct machine *m, const char *name, const char *part)
{
	_cleanup_free_ char *text = run_check(m), *needle = NULL;
	const char *row, *found;

	assert_true(asprintf(&needle, "\"name\": \"%s\"", name) > 0);
	row = strstr(text, needle);
	assert_non_null(row);
	found = strstr(row, part);
	if (!found || found > strchr(row, '}'))
		fail_msg("no \"%s\" in %s", part, row);
}

static void test_keys_of_machine(void **state)
{
	struct machine *m = *state;

	m->ctl.kernel = "6.1";
	expect_row(m, "keys", "whether the capture needs keys is not known");
	put_encrypted_target(m);
	expect_row(m, "keys", "the keys of encrypted volumes can be had (secret: key file /etc/keys/dumps)");
	tree_mode(&m->tree, "/etc/keys/dumps", 0604);
	expect_row(m, "keys", "users other than root can read the key file /etc/keys/dumps");
	put(m, "/etc/crypttab", "secret /dev/vda3 none luks\n");
	expect_row(m, "keys", "does not name a key file for secret; no BTF. Name a file");
	put(m, "/etc/kdump.conf", "ext4 /dev/vda1\npath /\n");
	expect_row(m, "keys", "no volume of the target is encrypted");
}

/* Hooks that are there, and cannot be run when their time has come. */
static void test_hook_directories(void **state)
{
	static const char announcing[] = KD_SYSCONFDIR "/kdump/notify.d/mail";
	struct machine *m = *state;

	expect(m, check_hook_directories, CHECK_NOT_APPLICABLE, "no hooks in " KD_SYSCONFDIR "/kdump");
	tree_program(&m->tree, "/bin/sh", "x");
	tree_program(&m->tree, KD_SYSCONFDIR "/kdump/post.d/text", "touch /mnt/it\n");
	tree_program(&m->tree, announcing, "#!/bin/sh\n");
	expect(m, check_hook_directories, CHECK_OK, "2 hooks");
	tree_program(&m->tree, announcing, "#!/bin/sh\r\n");
	expect(m, check_hook_directories, CHECK_WARNING, "the file has Windows line ends");
	tree_program(&m->tree, announcing, "mail root\n");
	expect(m, check_hook_directories, CHECK_WARNING, "mail is a text that does not name an interpreter");
	tree_mode(&m->tree, announcing, 0644);
	expect(m, check_hook_directories, CHECK_WARNING, "mail is not executable");
	tree_mode(&m->tree, announcing, 0757);
	expect(m, check_hook_directories, CHECK_WARNING, "every user can write to");
}

/* --- no descriptors are left open --------------------------------------------------------------------------------- */

static bool streams_fail;

/* Instead of the C library's. */
DIR *fdopendir(int fd)
{
	DIR *(*real)(int fd) = (DIR * (*)(int)) dlsym(RTLD_NEXT, "fdopendir");

	if (!streams_fail)
		return real(fd);
	errno = ENOMEM;
	return NULL;
}

/* The lowest number that is free. */
static int next_descriptor(void)
{
	int fd = dup(STDOUT_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void test_no_memory_for_directories(void **state)
{
	check_function *const reads_directories[] = { check_hook_directories, check_watchdog, check_file_system };
	struct machine *m = *state;
	int next = next_descriptor();

	put(m, "/etc/kdump/post.d/hook", "");
	put(m, "/sys/class/watchdog/watchdog0/state", "active\n");
	put(m, "/sys/fs/btrfs/aaaa-1/devinfo/1/error_stats", "");
	m->target.type = (char *)"btrfs";
	for (size_t i = 0; i < ARRAY_SIZE(reads_directories); i++) {
		struct check_result result = { .verdict = CHECK_NOT_APPLICABLE };

		streams_fail = true;
		reads_directories[i](&m->context, &result);
		streams_fail = false;
		free(result.text);
		assert_int_equal(next_descriptor(), next);
	}
}

static void test_armed_image(void **state)
{
	struct machine *m = *state;
	struct armed armed = { .initrd = (char *)"/image" };
	_cleanup_free_ char *hash = NULL;

	expect(m, check_armed_image, CHECK_NOT_APPLICABLE, "no record");
	put(m, "/image", "one");
	assert_no_error(armed_hash_file(&m->ctl.root, "/image", &hash));
	armed.initrd_hash = hash;
	assert_no_error(armed_write(&m->ctl.root, &armed));
	expect(m, check_armed_image, CHECK_OK, "/image is the image that was loaded");
	put(m, "/image", "two");
	expect(m, check_armed_image, CHECK_WARNING, "/image differs from the image that was loaded");
	tree_delete(&m->tree, "/image");
	expect(m, check_armed_image, CHECK_WARNING, "/image");
}

static void test_clock(void **state)
{
	static const struct {
		int64_t off; /* of the hardware clock, seconds */
		enum check_verdict verdict;
		const char *part;
	} cases[] = {
		{ 0, CHECK_OK, "agree" },
		{ 1700, CHECK_OK, "agree" },
		{ 7200, CHECK_WARNING, "off by 120 minutes" }, /* it has local time */
		{ -NOW, CHECK_WARNING, "minutes: dumps" },     /* its battery is dead */
	};
	const struct kernel kernel = { .path = (char *)"/boot/vmlinuz-6.1", .release = (char *)"6.1" };
	struct machine *m = *state;
	char text[32];
	size_t i;

	expect(m, check_clock, CHECK_NOT_APPLICABLE, "has no clock");
	m->context.kernel = &kernel;
	put(m, "/boot/vmlinuz-6.1", "");
	m->context.now = NOW;
	expect(m, check_clock, CHECK_NOT_APPLICABLE, "rtc0");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "%" PRId64 "\n", (int64_t)NOW + cases[i].off);
		put(m, "/sys/class/rtc/rtc0/since_epoch", text);
		expect(m, check_clock, cases[i].verdict, cases[i].part);
	}
	m->context.now = 1000000;
	expect(m, check_clock, CHECK_WARNING, "the clock is behind the time of /etc/kdump.conf");
}

/* Red Hat's words; by what the pages are used for. */
static void test_space(void **state)
{
	struct machine *m = *state;

	put(m, "/proc/meminfo",
	    "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nBuffers: 0 kB\nCached: 2097152 kB\n"
	    "AnonPages: 524288 kB\nHugetlb: 0 kB\n");
	expect(m, check_space, CHECK_NOT_APPLICABLE, "not known");
	m->target.available = UINT64_C(4) << 30;
	expect(m, check_space, CHECK_OK, "a dump now would take about");
	m->target.available = UINT64_C(1) << 20;
	expect(m, check_space, CHECK_FAILURE,
	       "There might not be enough space to save a vmcore. The size of UUID=aaaa-1 should be greater than ");
}

/* A kernel in lockdown takes signed kernels only; "none" is no lockdown. */
static void test_signature(void **state)
{
	struct machine *m = *state;
	const struct kernel kernel = { .path = (char *)"/boot/vmlinuz" };

	put(m, "/boot/vmlinuz", "MZ");
	m->context.kernel = &kernel;
	expect(m, check_signature, CHECK_NOT_APPLICABLE, "is not locked down");
	put(m, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	expect(m, check_signature, CHECK_NOT_APPLICABLE, "is not locked down");
	put(m, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect(m, check_signature, CHECK_FAILURE, "/boot/vmlinuz carries no signature");
}

/* A kernel that takes no image any more: one that is loaded stays. "-1" is no limit. */
static void test_loading(void **state)
{
	struct machine *m = *state;

	expect(m, check_load_disabled, CHECK_NOT_APPLICABLE, "does not tell");
	put(m, "/proc/sys/kernel/kexec_load_disabled", "0\n");
	put(m, "/proc/sys/kernel/kexec_load_limit_reboot", "0\n");
	put(m, "/proc/sys/kernel/kexec_load_limit_panic", "-1\n");
	expect(m, check_load_disabled, CHECK_OK, "is allowed");
	put(m, "/proc/sys/kernel/kexec_load_limit_panic", "1\n");
	expect(m, check_load_disabled, CHECK_OK, "is allowed");
	put(m, "/proc/sys/kernel/kexec_load_limit_panic", "0\n");
	expect(m, check_load_disabled, CHECK_FAILURE, "kernel.kexec_load_limit_panic is 0: nothing can be loaded");
	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	expect(m, check_load_disabled, CHECK_WARNING, "kernel.kexec_load_limit_panic is 0: the loaded image stays");
	put(m, "/proc/sys/kernel/kexec_load_disabled", "1\n");
	expect(m, check_load_disabled, CHECK_WARNING, "kernel.kexec_load_disabled is 1: the loaded image stays");
}

/* An image that was built anew was not tested; a test that is not settled yet is another matter. */
static void test_creation_record(void **state)
{
	struct machine *m = *state;

	assert_no_error(creation_test_clear(&m->ctl.root)); /* there is none */
	put(m, CREATION_TEST_PATH, "success 1795485623\n");
	assert_no_error(creation_test_clear(&m->ctl.root));
	assert_false(kd_sysroot_exists(&m->ctl.root, CREATION_TEST_PATH));
	put(m, CREATION_TEST_PATH, "pending 1795485623\n");
	assert_no_error(creation_test_clear(&m->ctl.root));
	assert_true(kd_sysroot_exists(&m->ctl.root, CREATION_TEST_PATH));
}

/* What the loader refuses is a failure, what may be enough is a warning. */
static void test_reservation(void **state)
{
	static const struct {
		const char *reserved;
		enum check_verdict verdict;
		const char *part;
	} cases[] = {
		{ "0\n", CHECK_FAILURE, "No memory reserved" },
		{ "67108864\n", CHECK_FAILURE, "64 MiB, but kernel and initramfs alone take" },
		{ "80740352\n", CHECK_WARNING, "77 MiB, but the capture needs" },
		{ "134217728\n", CHECK_OK, "128 MiB, of which the capture needs" },
	};
	struct machine *m = *state;
	size_t i;

	tree_kernel(&m->tree, "/boot/vmlinuz-6", 60 << 20); /* and 8 for an image that is not there yet */
	put(m, "/proc/sys/kernel/osrelease", "6\n");
	put(m, "/proc/meminfo", "MemTotal: 2012073 kB\n");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		put(m, "/sys/kernel/kexec_crash_size", cases[i].reserved);
		expect(m, check_reservation, cases[i].verdict, cases[i].part);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kdump_tools),
		TEST(test_ext4),
		TEST(test_btrfs),
		TEST(test_drivers_of_volume),
		TEST(test_firmware),
		TEST(test_keys_of_machine),
		TEST(test_hook_directories),
		TEST(test_no_memory_for_directories),
		TEST(test_armed_image),
		TEST(test_clock),
		TEST(test_space),
		TEST(test_signature),
		TEST(test_loading),
		TEST(test_reservation),
		TEST(test_creation_record),
		TEST(test_target),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
