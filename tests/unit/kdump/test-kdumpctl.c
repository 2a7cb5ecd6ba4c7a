/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl below its verbs: settings, mounts, target resolution on made-up machines, plan, record, kernel, lock. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/plan_build.h"
#include "kdump/cli/lock.h"
#include "kdump/config/kernel.h"
#include "kdump/config/settings.h"
#include "kdump/storage/block.h"
#include "kdump/storage/mounts.h"
#include "kdump/storage/target.h"
#include "tests/unit/temporary.h"

/* --- a machine in a directory ------------------------------------------------------------------------------------- */

struct machine {
	char directory[TEMPORARY_SIZE];
	struct kd_sysroot root;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	temporary_make(m->directory);
	assert_null(kd_sysroot_open(m->directory, &m->root));
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	kd_sysroot_close(&m->root);
	temporary_remove(m->directory);
	free(m);
	return 0;
}

static void make_parent(const char *path)
{
	char copy[512];

	snprintf(copy, sizeof(copy), "%s", path);
	*strrchr(copy, '/') = '\0';
	assert_null(kd_mkdir_p(copy, 0755));
}

static void put(struct machine *m, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", m->directory, path);
	make_parent(full);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void put_program(struct machine *m, const char *path, const char *text)
{
	char full[512];

	put(m, path, text);
	snprintf(full, sizeof(full), "%s%s", m->directory, path);
	assert_int_equal(chmod(full, 0755), 0);
}

static void put_link(struct machine *m, const char *path, const char *to)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", m->directory, path);
	make_parent(full);
	assert_int_equal(symlink(to, full), 0);
}

static void put_directory(struct machine *m, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", m->directory, path);
	assert_null(kd_mkdir_p(full, 0755));
}

/* A block device as udev and sysfs show it. */
static void put_device(struct machine *m, const char *name, const char *number, const char *uuid)
{
	char path[256], text[256];

	snprintf(path, sizeof(path), "/dev/%s", name);
	put(m, path, "");
	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	snprintf(text, sizeof(text), "%s\n", number);
	put(m, path, text);
	snprintf(path, sizeof(path), "/sys/dev/block/%s/uevent", number);
	snprintf(text, sizeof(text), "MAJOR=254\nDEVNAME=%s\nDEVTYPE=partition\n", name);
	put(m, path, text);
	if (!uuid)
		return;
	snprintf(path, sizeof(path), "/dev/disk/by-uuid/%s", uuid);
	snprintf(text, sizeof(text), "../../%s", name);
	put_link(m, path, text);
}

static void parse_conf(const char *text, struct kd_conf *conf)
{
	assert_null(kd_conf_parse(text, "/etc/kdump.conf", conf, NULL, NULL));
}

/* Expect an error whose text holds @text. */
static void expect_error(struct kd_error *err, enum kd_error_code code, const char *text)
{
	assert_non_null(err);
	if (err->code != code || !strstr(err->text, text))
		fail_msg("error %d \"%s\", expected %d with \"%s\"", err->code, err->text, code, text);
	kd_error_destroy(err);
}

static void expect_no_error(struct kd_error *err)
{
	if (err)
		fail_msg("unexpected error: %s", err->text);
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

static void test_settings(void **state)
{
	_cleanup_(settings_free) struct settings s = { 0 };

	expect_no_error(settings_parse("# Kernel\n\nKDUMP_KERNELVER=\"\"\n"
				       "KDUMP_COMMANDLINE_REMOVE=\"hugepages quiet\"\n"
				       "  KDUMP_COMMANDLINE_APPEND='nr_cpus=1 x=$y' # why\n"
				       "KEXEC_ARGS=\"-s\"\nKDUMP_IMG=vmlinuz\nKDUMP_STDLOGLVL=3\n"
				       "KDUMP_BOOTDIR=/boot #x\n",
				       "f", NULL, &s));
	assert_null(s.kernel_version);
	assert_string_equal(s.commandline_remove, "hugepages quiet");
	assert_string_equal(s.commandline_append, "nr_cpus=1 x=$y");
	assert_string_equal(s.image, "vmlinuz");
	assert_string_equal(s.boot_dir, "/boot");
	assert_int_equal(s.call, LOADER_CALL_FILE_LOAD);
	assert_string_equal(s.file, "f");
}

static void test_settings_errors(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "\nKDUMP_IMG=\"$(ls)\"\n", "f:2: value of KDUMP_IMG: quotes, $" },
		{ "KDUMP_IMG=`ls`\n", "not run by a shell" },
		{ "KDUMP_IMG=\"abc\n", "closing quote" },
		{ "KDUMP_IMG=a b\n", "needs quotes" },
		{ "KDUMP_IMG=a;b\n", "needs quotes" },
		{ "KDUMP_IMG='a'b'\n", "not understood" },
		{ "KDUMP_IMG = a\n", "is not a name" },
		{ "export KDUMP_IMG=a\n", "is not a name" },
		{ "source /etc/x\n", "not a KEY=value line" },
		{ "KEXEC_ARGS=\"--reset-vga\"\n", "f:1: KEXEC_ARGS takes -s, -c or -a, not --reset-vga" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings s;

		expect_error(settings_parse(cases[i].text, "f", NULL, &s), KD_ERR_CONFIG, cases[i].expected);
	}
}

static void test_settings_unknown_warns(void **state)
{
	_cleanup_(settings_free) struct settings s = { 0 };
	_cleanup_free_ char *text = NULL;
	struct kd_log log;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	kd_log_init(&log, out, "kdump", KD_LOG_INFO);
	expect_no_error(settings_parse("KDUMP_SAVEDIR=\"/x\"\nKDUMP_STDLOGLVL=1\n", "f", &log, &s));
	fclose(out);
	assert_string_equal(text, "kdump: WARNING: f:1: KDUMP_SAVEDIR is not known here and ignored\n");
}

static void test_settings_files(void **state)
{
	struct machine *m = *state;
	_cleanup_(settings_free) struct settings none = { 0 }, some = { 0 };

	expect_no_error(settings_load(&m->root, NULL, &none));
	assert_null(none.file);
	assert_int_equal(none.call, LOADER_CALL_AUTO);
	put(m, KD_SYSCONFDIR "/default/kdump", "KEXEC_ARGS=-c\n");
	expect_no_error(settings_load(&m->root, NULL, &some));
	assert_int_equal(some.call, LOADER_CALL_LOAD);
}

/* --- kernel ------------------------------------------------------------------------------------------------------- */

static void test_kernel(void **state)
{
	struct machine *m = *state;
	struct settings settings = { 0 };
	_cleanup_(kernel_free) struct kernel running = { 0 }, named = { 0 }, configured = { 0 };
	struct kernel none = { 0 };

	put(m, "/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
	expect_error(kernel_find(&m->root, &settings, NULL, &none), KD_ERR_NOT_FOUND,
		     "tried /boot/vmlinuz-6.1.0-56-amd64, /boot/vmlinux-6.1.0-56-amd64");
	put(m, "/lib/modules/6.1.0-56-amd64/vmlinuz", "");
	expect_no_error(kernel_find(&m->root, &settings, NULL, &running));
	assert_string_equal(running.release, "6.1.0-56-amd64");
	assert_string_equal(running.path, "/lib/modules/6.1.0-56-amd64/vmlinuz");

	put(m, "/boot/vmlinuz-6.12", "");
	expect_no_error(kernel_find(&m->root, &settings, "6.12", &named));
	assert_string_equal(named.path, "/boot/vmlinuz-6.12");
	expect_error(kernel_find(&m->root, &settings, "../x", &none), KD_ERR_CONFIG, "is no kernel release");
	expect_error(kernel_find(&m->root, &settings, "", &none), KD_ERR_CONFIG, "is no kernel release");

	settings.image = (char *)"bz";
	settings.image_ext = (char *)".efi";
	settings.kernel_version = (char *)"7";
	expect_error(kernel_find(&m->root, &settings, NULL, &none), KD_ERR_NOT_FOUND, "(tried /boot/bz-7.efi)");
	put(m, "/boot/bz-7.efi", "");
	expect_no_error(kernel_find(&m->root, &settings, NULL, &configured));
	assert_string_equal(configured.path, "/boot/bz-7.efi");
}

/* --- mounts ------------------------------------------------------------------------------------------------------- */

static void test_paths(void **state)
{
	char *p;

	assert_string_equal(path_below("/var/crash", "/var"), "/crash");
	assert_string_equal(path_below("/var/crash", "/"), "/var/crash");
	assert_string_equal(path_below("/var", "/var"), "");
	assert_string_equal(path_below("/", "/"), "");
	assert_null(path_below("/variable", "/var"));
	assert_null(path_below("/", "/var"));
	assert_string_equal(p = path_join("/", ""), "/");
	free(p);
	assert_string_equal(p = path_join("/a/", "/b"), "/a/b");
	free(p);
	assert_string_equal(p = path_join("/@", ""), "/@");
	free(p);
	assert_string_equal(p = path_join("", "b"), "/b");
	free(p);
}

static const char *mount_point_of(const struct mounts *mounts, const char *path)
{
	const struct mount *mount = mounts_find(mounts, path);

	return mount ? mount->source : NULL;
}

static void test_mounts_find(void **state)
{
	struct machine *m = *state;
	_cleanup_(mounts_free) struct mounts mounts = { 0 };

	put(m, "/proc/self/mountinfo",
	    "22 1 254:1 / / rw,relatime shared:1 - ext4 root rw\n"
	    "23 22 254:2 / /var rw - ext4 hidden rw\n"
	    "24 23 254:3 / /var/crash rw - ext4 hidden-below rw\n"
	    "this line makes no sense\n"
	    "25 23 254:4 / /var rw - ext4 on-top rw\n"
	    "26 22 254:5 / /with\\040blank ro - xfs blank rw\n");
	expect_no_error(mounts_load(&m->root, &mounts));
	assert_int_equal(mounts.count, 5);
	assert_string_equal(mount_point_of(&mounts, "/etc"), "root");
	/* Mounted over: what lay below cannot be reached any more. */
	assert_string_equal(mount_point_of(&mounts, "/var/crash"), "on-top");
	assert_string_equal(mount_point_of(&mounts, "/variable"), "root");
	assert_string_equal(mount_point_of(&mounts, "/with blank/x"), "blank");
	assert_true(mounts.mount[4].read_only);
	assert_false(mounts.mount[0].read_only);
}

static void test_mounts_none(void **state)
{
	struct machine *m = *state;
	_cleanup_(mounts_free) struct mounts empty = { 0 }, loop = { 0 }, fstab = { 0 };

	put(m, "/proc/self/mountinfo", "");
	expect_no_error(mounts_load(&m->root, &empty));
	assert_null(mounts_find(&empty, "/var"));
	put(m, "/proc/self/mountinfo",
	    "1 1 254:1 / / rw - ext4 a rw\n2 3 254:1 / / rw - ext4 b rw\n"
	    "3 2 254:1 / / rw - ext4 c rw\n");
	expect_no_error(mounts_load(&m->root, &loop));
	assert_non_null(mounts_find(&loop, "/var"));
	expect_no_error(mounts_load_fstab(&m->root, &fstab));
	assert_int_equal(fstab.count, 0);
}

/* --- target ------------------------------------------------------------------------------------------------------- */

static struct kd_error *resolve(struct machine *m, const char *conf_text, struct target *target)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target_request request;

	parse_conf(conf_text, &conf);
	request = kd_conf_target(&conf);
	return target_resolve(&m->root, &request, NULL, target);
}

static void expect_target(struct machine *m, const char *conf, const char *expected)
{
	_cleanup_(target_free) struct target t = { 0 };
	char found[512];

	expect_no_error(resolve(m, conf, &t));
	snprintf(found, sizeof(found), "%s %s [%s] %s", t.type, t.device, t.options, t.path);
	assert_string_equal(found, expected);
}

static void expect_refused(struct machine *m, const char *conf, enum kd_error_code code, const char *text)
{
	struct target t = { 0 };

	expect_error(resolve(m, conf, &t), code, text);
	assert_null(t.type);
}

#define ROOT_MOUNT "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro\n"

static void put_root(struct machine *m, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), ROOT_MOUNT "%s", more);
	put(m, "/proc/self/mountinfo", text);
	put_device(m, "vda1", "254:1", "aaaa-1");
	put_directory(m, "/var/crash");
}

static void test_target_plain(void **state)
{
	struct machine *m = *state;

	put_root(m, "");
	expect_target(m, "", "ext4 UUID=aaaa-1 [] /var/crash");
	put_directory(m, "/srv/dumps");
	expect_target(m, "path /srv/dumps", "ext4 UUID=aaaa-1 [] /srv/dumps");
	put_link(m, "/dumps", "/srv/dumps");
	expect_target(m, "path /dumps", "ext4 UUID=aaaa-1 [] /srv/dumps");
}

static void test_target_separate_var(void **state)
{
	struct machine *m = *state;

	put_root(m, "30 22 254:2 / /var rw,relatime - xfs /dev/vda2 rw,attr2\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	expect_target(m, "", "xfs UUID=bbbb-2 [] /crash");
}

static void test_target_bind(void **state)
{
	struct machine *m = *state;

	put_root(m, "30 22 254:2 /exports/dumps /var/crash rw - ext4 /dev/vda2 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	expect_target(m, "", "ext4 UUID=bbbb-2 [] /exports/dumps");
	/* Named, path counts from the top of the file system, of which only this part is mounted. */
	expect_target(m, "ext4 /dev/vda2\npath /exports/dumps", "ext4 UUID=bbbb-2 [] /exports/dumps");
	expect_refused(m, "ext4 /dev/vda2\npath /other", KD_ERR_NOT_FOUND, "directory /other does not exist");
}

static void test_target_btrfs(void **state)
{
	struct machine *m = *state;

	put(m, "/proc/self/mountinfo",
	    "22 1 0:30 /@ / rw,relatime - btrfs /dev/vda1 rw,subvolid=256,subvol=/@\n"
	    "30 22 0:30 /@/srv/x /mnt/bind rw - btrfs /dev/vda1 rw,subvolid=256,subvol=/@\n"
	    "31 22 0:30 /@data /data rw - btrfs /dev/vda1 rw,subvolid=257,subvol=/@data\n");
	put_device(m, "vda1", "254:1", "cccc-3");
	put_directory(m, "/var/crash");
	put_directory(m, "/mnt/bind/d");
	put_directory(m, "/data/crash");
	expect_target(m, "", "btrfs UUID=cccc-3 [subvolid=5] /@/var/crash");
	expect_target(m, "path /mnt/bind/d", "btrfs UUID=cccc-3 [subvolid=5] /@/srv/x/d");
	expect_target(m, "path /data/crash", "btrfs UUID=cccc-3 [subvolid=5] /@data/crash");
	/* Named, path counts from the subvolume in which it is found. */
	expect_target(m, "btrfs UUID=cccc-3\npath /crash", "btrfs UUID=cccc-3 [subvolid=5] /@data/crash");
}

static void test_target_refused(void **state)
{
	struct machine *m = *state;

	put(m, "/proc/self/mountinfo",
	    "22 1 0:40 / / rw - overlay overlay rw,lowerdir=/l\n"
	    "23 22 0:41 / /run rw - tmpfs tmpfs rw\n");
	put_directory(m, "/var/crash");
	put_directory(m, "/run/x");
	expect_refused(m, "", KD_ERR_UNSUPPORTED,
		       "path /var/crash lies on overlay (mounted at /), which combines directories");
	expect_refused(m, "path /run/x", KD_ERR_UNSUPPORTED, "tmpfs (mounted at /run), which lies in memory");
}

static void test_target_read_only(void **state)
{
	struct machine *m = *state;

	put_root(m, "30 22 254:2 / /srv rw - ext4 /dev/vda2 ro\n31 22 254:1 /var /ro ro - ext4 /dev/vda1 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	put_directory(m, "/srv/d");
	put_directory(m, "/ro/crash");
	expect_refused(m, "path /srv/d", KD_ERR_STATE, "mounted read-only at /srv: \"mount -o remount,rw /srv\"");
	expect_refused(m, "path /ro/crash", KD_ERR_STATE, "mounted read-only at /ro");
	expect_refused(m, "ext4 UUID=bbbb-2\npath /d", KD_ERR_STATE, "UUID=bbbb-2 is mounted read-only at /srv");
	put(m, "/sys/class/block/vda1/ro", "1\n");
	expect_refused(m, "", KD_ERR_STATE, "/dev/vda1 is write-protected");
}

static void test_target_missing_path(void **state)
{
	struct machine *m = *state;
	_cleanup_(target_free) struct target t = { 0 };

	put(m, "/proc/self/mountinfo", ROOT_MOUNT);
	put_device(m, "vda1", "254:1", "aaaa-1");
	put_directory(m, "/var");
	expect_refused(m, "path /srv/none", KD_ERR_NOT_FOUND, "\"mkdir -p /srv/none\" creates it");
	/* The default directory is made by start. */
	expect_no_error(resolve(m, "", &t));
	assert_string_equal(t.path, "/var/crash");
	assert_string_equal(t.directory, "/var/crash");
	expect_refused(m, "ext4 /dev/vda1\npath /none", KD_ERR_NOT_FOUND, "\"mkdir -p /none\" creates it");
}

static void test_target_named(void **state)
{
	struct machine *m = *state;

	put_root(m, "30 22 254:2 / /srv rw - xfs /dev/vda2 rw\n");
	put_device(m, "vda2", "254:2", "bbbb-2");
	put_link(m, "/dev/disk/by-label/dump\\x20disk", "../../vda2");
	put_link(m, "/dev/disk/by-partlabel/dumps", "../../vda2");
	put_directory(m, "/srv/d");
	expect_target(m, "xfs /dev/vda2\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_target(m, "xfs UUID=bbbb-2\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_target(m, "xfs LABEL=\"dump disk\"\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_target(m, "xfs PARTLABEL=dumps\npath /d", "xfs UUID=bbbb-2 [] /d");
	expect_refused(m, "path /d\next4 /dev/vda2", KD_ERR_CONFIG,
		       "/etc/kdump.conf:2: /dev/vda2 holds xfs, not ext4: write \"xfs /dev/vda2\"");
	expect_refused(m, "ext4 /dev/vdz1", KD_ERR_NOT_FOUND, "/etc/kdump.conf:1: there is no device /dev/vdz1");
	expect_refused(m, "ext4 UUID=dead", KD_ERR_NOT_FOUND, "there is no device UUID=dead");
	expect_refused(m, "ext4 UUID=../../etc", KD_ERR_NOT_FOUND, "there is no device");
}

static void test_target_fstab(void **state)
{
	struct machine *m = *state;

	put_root(m, "");
	put_device(m, "vdb1", "254:17", "dddd-4");
	expect_refused(m, "ext4 /dev/vdb1", KD_ERR_CONFIG,
		       "Dump target \"/dev/vdb1\" is neither mounted nor in /etc/fstab");
	put(m, "/etc/fstab", "# no\nUUID=aaaa-1 / ext4 defaults 0 1\nUUID=dddd-4 /dump ext4 noauto,noatime 0 0\n");
	expect_target(m, "ext4 /dev/vdb1", "ext4 UUID=dddd-4 [] /var/crash");
	put(m, "/etc/fstab", "UUID=dddd-4 /dump btrfs noauto,subvol=@dump,compress=zstd 0 0\n");
	expect_target(m, "btrfs /dev/vdb1\npath /", "btrfs UUID=dddd-4 [subvol=@dump] /");
}

/* No udev links: the kernel's name has to do. */
static void test_target_without_uuid(void **state)
{
	struct machine *m = *state;

	put(m, "/proc/self/mountinfo", ROOT_MOUNT);
	put_device(m, "vda1", "254:1", NULL);
	put_directory(m, "/var/crash");
	expect_target(m, "", "ext4 /dev/vda1 [] /var/crash");
}

/* --- plan --------------------------------------------------------------------------------------------------------- */

static struct kd_error *build_plan(struct machine *m, const char *conf_text, struct kd_plan *plan,
				   struct plan_programs *programs)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target target = {
		.type = (char *)"ext4", .device = (char *)"UUID=x", .options = (char *)"", .path = (char *)"/var/crash"
	};

	parse_conf(conf_text, &conf);
	return plan_build(&m->root, &conf, "6.1", (const struct target *[]){ &target, NULL }, plan, programs);
}

static void test_plan(void **state)
{
	struct machine *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };

	put(m, "/proc/sys/kernel/hostname", "machine\n");
	put_program(m, "/usr/bin/lsblk", "ELF");
	put_program(m, "/srv/before", "ELF");
	put_program(m, KD_SYSCONFDIR "/kdump/pre.d/20-b", "ELF");
	put_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a", "ELF");
	put(m, KD_SYSCONFDIR "/kdump/pre.d/README", "not executable\n");
	put_program(m, KD_SYSCONFDIR "/kdump/pre.d/10-a~", "an editor's\n");
	expect_no_error(build_plan(m,
				   "kdump_pre /srv/before --now\nfinal_action poweroff\n"
				   "extra_bins lsblk /usr/bin/lsblk",
				   &plan, &programs));
	assert_string_equal(plan.host, "machine");
	assert_string_equal(plan.kernel_release, "6.1");
	assert_string_equal(plan.collector[0], "dumpfilter");
	assert_int_equal(plan.final_action, KD_ACTION_POWEROFF);
	assert_int_equal(plan.hook_count, 3);
	assert_string_equal(plan.hook[0].when, "pre");
	assert_string_equal(plan.hook[0].argv[0], "/srv/before");
	assert_string_equal(plan.hook[0].argv[1], "--now");
	assert_string_equal(plan.hook[1].when, "pre.d");
	assert_string_equal(plan.hook[1].argv[0], KD_SYSCONFDIR "/kdump/pre.d/10-a");
	assert_int_equal(programs.count, 1);
	assert_string_equal(programs.path[0], "/usr/bin/lsblk");
	assert_null(programs.path[1]);
}

static void test_plan_collector(void **state)
{
	struct machine *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan lzo = { 0 }, zstd = { 0 }, foreign = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs none = { 0 }, one = { 0 }, other = { 0 };

	put_program(m, "/usr/sbin/dumpfilter", "ELF");
	put_program(m, "/usr/bin/makedumpfile", "ELF");
	expect_no_error(build_plan(m, "core_collector dumpfilter -c -d 31", &lzo, &none));
	assert_string_equal(lzo.collector[0], "dumpfilter");
	assert_int_equal(none.count, 0);
	kd_plan_free(&lzo);
	plan_programs_free(&none);
	expect_no_error(build_plan(m, "core_collector dumpfilter --fast -d 31 --max-memory 24M", &lzo, &none));
	assert_string_equal(lzo.collector[0], "dumpfilter");
	assert_int_equal(none.count, 0);
	expect_no_error(build_plan(m, "core_collector dumpfilter -z -d 31", &zstd, &one));
	assert_string_equal(zstd.collector[0], "/usr/sbin/dumpfilter");
	assert_string_equal(zstd.collector[1], "-z");
	assert_int_equal(one.count, 1);
	expect_no_error(build_plan(m, "core_collector makedumpfile -l -d 31", &foreign, &other));
	assert_string_equal(foreign.collector[0], "/usr/bin/makedumpfile");
	assert_int_equal(other.count, 0);
}

/* Erasing is the program's, and its file is checked now. */
static void test_plan_collector_erases(void **state)
{
	struct machine *m = *state;
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_(plan_programs_free) struct plan_programs programs = { 0 };
	char *const short_form[] = { (char *)"makedumpfile", (char *)"--conf", (char *)"/a", NULL };
	char *const other[] = { (char *)"dumpfilter", (char *)"--config-optional", (char *)"--con", NULL };

	put_program(m, "/usr/sbin/dumpfilter", "ELF");
	put(m, "/etc/erase.conf", "erase key\n");
	put(m, "/etc/bad.conf", "\nwipe key\n");
	expect_no_error(build_plan(m, "core_collector dumpfilter -l --config /etc/erase.conf", &plan, &programs));
	assert_string_equal(plan.collector[0], "/usr/sbin/dumpfilter");
	assert_string_equal(kd_collector_config(plan.collector), "/etc/erase.conf");
	assert_int_equal(programs.count, 1);
	assert_string_equal(kd_collector_config(short_form), "/a");
	assert_null(kd_collector_config(other));
	expect_error(build_plan(m, "core_collector dumpfilter -l --config=/etc/bad.conf", &plan, &programs),
		     KD_ERR_CONFIG, "/etc/kdump.conf: core_collector: --config: /etc/bad.conf:2: ");
	expect_error(build_plan(m, "core_collector dumpfilter -l --config=/etc/none.conf", &plan, &programs), KD_ERR_OS,
		     "/etc/none.conf");
	expect_error(build_plan(m, "core_collector dumpfilter -l --config=erase.conf", &plan, &programs), KD_ERR_CONFIG,
		     "an absolute path");
}

static void test_plan_errors(void **state)
{
	struct machine *m = *state;
	struct plan_programs programs;
	struct kd_plan plan;

	put(m, "/srv/text", "no program");
	expect_error(build_plan(m, "kdump_post /srv/none", &plan, &programs), KD_ERR_NOT_FOUND,
		     "/etc/kdump.conf: kdump_post: Error: /srv/none not found.");
	expect_error(build_plan(m, "kdump_post /srv/text", &plan, &programs), KD_ERR_CONFIG, "\"chmod +x /srv/text\"");
	expect_error(build_plan(m, "extra_bins lftp", &plan, &programs), KD_ERR_NOT_FOUND,
		     "extra_bins: Error: lftp not found.");
	expect_error(build_plan(m, "core_collector dumpfilter -d 32", &plan, &programs), KD_ERR_USAGE,
		     "/etc/kdump.conf: core_collector: dumpfilter: ");
	expect_error(build_plan(m, "core_collector dumpfilter --dump-dmesg", &plan, &programs), KD_ERR_USAGE,
		     "writes no dump");
	expect_error(build_plan(m, "core_collector dumpfilter --max-memory 2M", &plan, &programs), KD_ERR_CONFIG,
		     "--max-memory: no dump is made with 2048 KiB");
	expect_error(build_plan(m, "core_collector dumpfilter --max-memory 2X", &plan, &programs), KD_ERR_USAGE,
		     "--max-memory 2X: not a size");
	expect_error(build_plan(m, "core_collector cp --sparse", &plan, &programs), KD_ERR_NOT_FOUND,
		     "core_collector: Error: cp not found.");
}

/* --- record and lock ---------------------------------------------------------------------------------------------- */

static void test_armed(void **state)
{
	struct machine *m = *state;
	struct armed armed = { .kernel = (char *)"/boot/vmlinuz", .cmdline = (char *)"a b=\"c d\"", .time = 42 };
	_cleanup_(armed_free) struct armed read = { 0 };
	struct armed none;
	bool found;

	put(m, "/proc/sys/kernel/random/boot_id", "one\n");
	expect_no_error(armed_read(&m->root, &none, &found));
	assert_false(found);
	expect_no_error(armed_write(&m->root, &armed));
	expect_no_error(armed_read(&m->root, &read, &found));
	assert_true(found);
	assert_string_equal(read.kernel, "/boot/vmlinuz");
	assert_string_equal(read.cmdline, "a b=\"c d\"");
	assert_null(read.target);
	assert_int_equal(read.time, 42);

	put(m, "/proc/sys/kernel/random/boot_id", "two\n");
	expect_no_error(armed_read(&m->root, &none, &found));
	assert_false(found);
	put(m, ARMED_PATH, "nonsense\n");
	expect_error(armed_read(&m->root, &none, &found), KD_ERR_FORMAT, "not a \"key value\" line: nonsense");
	expect_no_error(armed_remove(&m->root));
	expect_no_error(armed_remove(&m->root));
	expect_no_error(armed_read(&m->root, &none, &found));
	assert_false(found);
}

static void test_armed_judge(void **state)
{
	assert_int_equal(armed_judge(false, false), ARMED_NOTHING);
	assert_int_equal(armed_judge(true, true), ARMED_OURS);
	assert_int_equal(armed_judge(true, false), ARMED_FOREIGN);
	assert_int_equal(armed_judge(false, true), ARMED_LOST);
}

static void test_armed_hash(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *hash = NULL;

	put(m, "/f", "abc");
	expect_no_error(armed_hash_file(&m->root, "/f", &hash));
	assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A link where the lock should be is put away, and what it leads to is left alone. */
static void test_lock_link(void **state)
{
	struct machine *m = *state;
	_cleanup_close_ int fd = -1;
	struct stat st;
	char path[128];

	put(m, "/victim", "text");
	put_link(m, LOCK_PATH, "../../victim");
	expect_no_error(lock_take(&m->root, NULL, &fd));
	snprintf(path, sizeof(path), "%s%s", m->directory, LOCK_PATH);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_errors),
		cmocka_unit_test(test_settings_unknown_warns),
		TEST(test_settings_files),
		TEST(test_kernel),
		cmocka_unit_test(test_paths),
		TEST(test_mounts_find),
		TEST(test_mounts_none),
		TEST(test_target_plain),
		TEST(test_target_separate_var),
		TEST(test_target_bind),
		TEST(test_target_btrfs),
		TEST(test_target_refused),
		TEST(test_target_read_only),
		TEST(test_target_missing_path),
		TEST(test_target_named),
		TEST(test_target_fstab),
		TEST(test_target_without_uuid),
		TEST(test_plan),
		TEST(test_plan_collector),
		TEST(test_plan_collector_erases),
		TEST(test_plan_errors),
		TEST(test_armed),
		cmocka_unit_test(test_armed_judge),
		TEST(test_armed_hash),
		TEST(test_lock_link),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
