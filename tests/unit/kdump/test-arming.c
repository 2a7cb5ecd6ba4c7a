/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What start, stop and reload say, with the system calls of kexec replaced: nothing is loaded here. */
#include "tests/unit/initramfs/elf-testing.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/handover.h"
#include "base/io.h"
#include "base/text.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/boots.h"
#include "kdump/arming/health.h"
#include "kdump/arming/kept.h"
#include "kdump/arming/transition.h"
#include "kdump/loader/arch.h"
#include "kdump/loader/kexec_call.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/verbs.h"

/* --- a machine ---------------------------------------------------------------------------------------------------- */

struct machine {
	struct tree tree;
	struct kdumpctl ctl;
	char *said; /* on standard error, once it is flushed */
	size_t size;
};

static void put(struct machine *m, const char *path, const char *text)
{
	tree_text(&m->tree, path, text);
}

/* --- the kernel --------------------------------------------------------------------------------------------------- */

static unsigned int loads, unloads;
static bool refuse_unload;
static struct machine *now; /* whose kernel this is */
static char *loaded_initrd; /* of the image that was loaded last */
static size_t loaded_initrd_size;

struct kd_error *kexec_call_load(const struct kexec_call *call, const struct segments *segments, uint64_t entry)
{
	const struct segment *initrd = segments_find(segments, "initramfs");

	loads++;
	put(now, "/sys/kernel/kexec_crash_loaded", "1\n");
	free(loaded_initrd);
	loaded_initrd_size = initrd->bufsz;
	loaded_initrd = malloc(loaded_initrd_size);
	assert_non_null(loaded_initrd);
	memcpy(loaded_initrd, initrd->buf, loaded_initrd_size);
	return NULL;
}

struct kd_error *kexec_call_file_load(const struct kexec_call *call, const struct kexec_files *files)
{
	loads++;
	return NULL;
}

struct kd_error *kexec_call_unload(bool on_crash)
{
	assert_true(on_crash);
	unloads++;
	if (!refuse_unload && now)
		put(now, "/sys/kernel/kexec_crash_loaded", "0\n");
	return refuse_unload ? kd_error_os(EBUSY, "kexec_load") : NULL;
}

struct kd_error *kexec_call_reboot(void)
{
	fail_msg("nobody wants to reboot");
	return NULL;
}

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	FILE *out;

	assert_non_null(m);
	tree_make(&m->tree);
	m->ctl.root = m->tree.root;
	out = open_memstream(&m->said, &m->size);
	assert_non_null(out);
	kd_log_init(&m->ctl.log, out, "kdump", KD_LOG_INFO);
	m->ctl.conf_file = "/etc/kdump.conf";
	m->ctl.capture = "/capture";
	put(m, "/etc/kdump.conf", "");
	put(m, "/sys/kernel/kexec_crash_loaded", "0\n");
	put(m, "/sys/kernel/kexec_crash_size", "268435456\n");
	put(m, "/proc/sys/kernel/osrelease", "6.1\n");
	put(m, "/proc/sys/kernel/random/boot_id", "0000-boot\n");
	loads = unloads = 0;
	refuse_unload = false;
	*state = now = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	now = NULL;
	free(take_ptr(loaded_initrd));
	fclose(m->ctl.log.stream);
	free(m->said);
	tree_remove(&m->tree);
	free(m);
	return 0;
}

/* Each row of a table has a machine of its own; the first one's is there already. */
static struct machine *machine_of_row(void **state, size_t row)
{
	if (row) {
		teardown(state);
		setup(state);
	}
	return *state;
}

static void assert_said(struct machine *m, const char *line)
{
	fflush(m->ctl.log.stream);
	if (!strstr(m->said, line))
		fail_msg("\"%s\" is not in:\n%s", line, m->said);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

/* Red Hat's: something is loaded, so there is nothing to do, and that is success. */
static void test_start_again(void **state)
{
	struct machine *m = *state;
	int status = 0;

	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	assert_no_error(arm_start(&m->ctl, &status));
	assert_int_equal(status, 0);
	assert_said(m, "kdump: WARNING: Kdump already running: [WARNING]\n");
	assert_int_equal(loads, 0);
}

static void test_stop(void **state)
{
	struct machine *m = *state;
	struct armed armed = { 0 };
	bool found = true;
	int status = 0;

	put(m, ARMED_PATH, "time 1\nboot_id 0000-boot\nkernel /boot/vmlinuz-6.1\n");
	assert_no_error(arm_stop(&m->ctl, &status));
	assert_int_equal(unloads, 1);
	assert_said(m, "kdump: kexec: unloaded kdump kernel\n");
	assert_said(m, "kdump: Stopping kdump: [OK]\n");
	assert_no_error(armed_read(&m->ctl.root, &armed, &found));
	assert_false(found);
}

/* main() adds "Stopping kdump: [FAILED]", and the record of what is loaded stays. */
static void test_stop_refused(void **state)
{
	struct machine *m = *state;
	_cleanup_(armed_free) struct armed armed = { 0 };
	bool found = false;
	int status = 0;

	put(m, ARMED_PATH, "time 1\nboot_id 0000-boot\nkernel /boot/vmlinuz-6.1\n");
	refuse_unload = true;
	assert_error(arm_stop(&m->ctl, &status), KD_ERR_OS, "kexec_load");
	assert_no_error(armed_read(&m->ctl.root, &armed, &found));
	assert_true(found);
}

/* A reload without anything loaded is said, and is tried. */
static void test_reload_of_nothing(void **state)
{
	struct machine *m = *state;
	int status = 0;

	assert_error(arm_reload(&m->ctl, &status), KD_ERR_NOT_FOUND, "the file of kernel 6.1 was not found");
	assert_said(m, "kdump: WARNING: Kdump was not running: [WARNING]\n");
	assert_int_equal(loads, 0);
}

/* What is armed stays armed when something is wrong with what should take its place. */
static void test_restart_that_fails(void **state)
{
	struct machine *m = *state;
	int status = 0;

	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	assert_error(arm_restart(&m->ctl, &status), KD_ERR_NOT_FOUND, "the file of kernel 6.1 was not found");
	assert_int_equal(unloads, 0);
	assert_int_equal(loads, 0);
}

/* The machine was armed by kdumpctl for a file system on a RAID; no new image can be made, as there is no kernel. */
static void armed_before(struct machine *m)
{
	struct armed armed = { .kernel = (char *)"/boot/vmlinuz-6.1", .conf = (char *)"/etc/kdump.conf", .time = 1 };

	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	put(m, "/etc/kdump/pre.d/one", "one");
	put(m, "/sys/class/block/md0/md/level", "raid1\n");
	put(m, "/sys/class/block/md0/slaves/vda", "");
	put(m, "/sys/class/block/md0/dev", "9:0\n");
	put(m, "/sys/class/block/vdc/dev", "254:32\n");
	put(m, "/dev/md0", "");
	put(m, "/dev/vdc", "");
	tree_link(&m->tree, "/dev/disk/by-uuid/aaaa-1", "../../md0");
	assert_no_error(inputs_add(&m->tree.root, &armed.inputs, INPUT_HOOKS, "/etc/kdump/pre.d"));
	assert_no_error(inputs_add(&m->tree.root, &armed.inputs, INPUT_CONFIG, "/etc/kdump.conf"));
	assert_no_error(inputs_add(&m->tree.root, &armed.inputs, INPUT_DEVICE, "UUID=aaaa-1"));
	assert_no_error(inputs_add(&m->tree.root, &armed.inputs, INPUT_VOLUME, "md0"));
	assert_no_error(armed_write(&m->tree.root, &armed));
	inputs_free(&armed.inputs);
	put(m, TRANSITION_PATH, "armed kernel 6.1\n");
}

static void another_member(struct machine *m)
{
	tree_delete(&m->tree, "/sys/class/block/md0/slaves/vda");
	put(m, "/sys/class/block/md0/slaves/vdb", "");
}

/* A table of device-mapper cannot be read in a tree. */
static void unreadable_table(struct machine *m)
{
	put(m, ARMED_PATH, "time 1\nboot_id 0000-boot\ninput volume 00 vg-dumps\n");
}

static void no_volume(struct machine *m)
{
	tree_delete(&m->tree, "/sys/class/block/md0/md/level");
}

static void clone_mounted(struct machine *m)
{
	tree_delete(&m->tree, "/dev/disk/by-uuid/aaaa-1");
	tree_link(&m->tree, "/dev/disk/by-uuid/aaaa-1", "../../vdc");
}

static void no_device(struct machine *m)
{
	tree_delete(&m->tree, "/dev/disk/by-uuid/aaaa-1");
}

static void damaged_record(struct machine *m)
{
	put(m, ARMED_PATH, "time 1\nboot_id 0000-boot\ninput config\n");
}

static void other_boot(struct machine *m)
{
	put(m, ARMED_PATH, "time 1\nboot_id 0001-boot\ninput volume 00 md0\n");
}

static void edited(struct machine *m)
{
	put(m, "/etc/kdump.conf", "path /other\n");
}

static void nonsense(struct machine *m)
{
	put(m, "/etc/kdump.conf", "nonsense\n");
}

static void other_conf(struct machine *m)
{
	put(m, "/etc/other.conf", "");
	m->ctl.conf_file = "/etc/other.conf";
}

static void nothing(struct machine *m)
{
}

static void broken(struct machine *m)
{
	nonsense(m);
	another_member(m);
}

static void no_hook(struct machine *m)
{
	tree_delete(&m->tree, "/etc/kdump/pre.d/one");
}

static bool have_depmod(void)
{
	return access("/sbin/depmod", X_OK) == 0 || access("/usr/sbin/depmod", X_OK) == 0;
}

static bool can_return(void)
{
	return loader_arch_x86_64.purgatory && have_depmod();
}

/* The same machine can be armed: ext4 on vda1 is built into its kernel, which a hook's image is made for. */
static void make_whole(struct machine *m)
{
	static const char boot[] = "/sys/class/block/vda1";
	char command[2 * TEMPORARY_SIZE + 200];
	size_t size;
	void *data;

	snprintf(command, sizeof(command), "cp -r " TEST_DATA "/sysroot-x86-bios/* %s && chmod -R u+w %s", m->tree.path,
		 m->tree.path);
	assert_int_equal(system(command), 0);
	put(m, "/lib/modules/6.1/modules.order", "");
	put(m, "/lib/modules/6.1/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
	put(m, "/lib/modules/6.1/modules.builtin.modinfo", "");
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin depmod -b %s 6.1", m->tree.path);
	assert_int_equal(system(command), 0);
	tree_own_kernel(&m->tree, "/boot/vmlinuz-6.1", 0x3f98000);
	put(m, "/proc/self/mountinfo", "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n");
	put(m, "/sys/devices/virtio1/block/vda/vda1/dev", "254:1\n");
	put(m, "/sys/devices/virtio1/block/vda/vda1/partition", "1\n");
	tree_link(&m->tree, boot, "/sys/devices/virtio1/block/vda/vda1");
	tree_link(&m->tree, "/sys/dev/block/254:1", "/sys/devices/virtio1/block/vda/vda1");
	put(m, "/sys/devices/virtio1/block/vda/vda1/uevent", "DEVNAME=vda1\n");
	put(m, "/dev/vda1", "");
	tree_link(&m->tree, "/dev/disk/by-uuid/aaaa-1", "../../vda1");
	tree_directory(&m->tree, "/var/crash");
	static_program_make("capture", &data, &size);
	tree_write(&m->tree, "/capture", data, size);
	free(data);
	m->ctl.capture = strdup(tree_path(&m->tree, "/capture"));
	put(m, "/etc/kdump.conf", "kdump_post /srv/hook\n");
	tree_program(&m->tree, "/bin/sh", "x");
	tree_program(&m->tree, "/srv/hook", "#!/bin/sh\n");
}

#define SETTINGS                                                                                                       \
	"KDUMP_KERNELVER=\"\"\nKDUMP_COMMANDLINE=\"\"\nKDUMP_COMMANDLINE_REMOVE=\"hugepages slub_debug quiet\"\n"      \
	"KDUMP_COMMANDLINE_APPEND=\"irqpoll nr_cpus=1 reset_devices rootflags=nofail\"\n"                              \
	"KDUMP_BOOTDIR=\"/boot\"\nKDUMP_IMG=\"vmlinuz\"\nKDUMP_IMG_EXT=\"\"\n"
#define COLLECTOR "core_collector makedumpfile -l --message-level 7 -d 31\n"

/* What Red Hat's packages, Cockpit and Ansible's role write arms a machine that has nothing but kdump. */
static void test_configurations_of_others(void **state)
{
	static const struct {
		const char *name, *conf, *settings;
	} rows[] = {
		{ "RHEL 7", "#raw /dev/vg/lv_kdump\npath /var/crash\n" COLLECTOR "#core_collector scp\n",
		  SETTINGS "KEXEC_ARGS=\"--elf64-core-headers\"\n" },
		{ "RHEL 9", "auto_reset_crashkernel yes\npath /var/crash\n" COLLECTOR,
		  SETTINGS
		  "KEXEC_ARGS=\"-c\"\nKDUMP_STDLOGLVL=3\nKDUMP_SYSLOGLVL=0\nVMCORE_CREATION_NOTIFICATION=\"\"\n" },
		{ "Cockpit",
		  "# This file has been generated by Cockpit\n\npath /var/crash\n"
		  "core_collector makedumpfile -c --message-level 7 -d 31\n",
		  "" },
		{ "Ansible",
		  "# Ansible managed\n\next4 UUID=aaaa-1\n\npath /var/crash\n" COLLECTOR "failure_action poweroff\n",
		  "" },
		{ "Ansible on RHEL 7", "# Ansible managed\n\npath /var/crash\n" COLLECTOR "default reboot\n", "" },
	};

	if (!have_depmod())
		end_test("no depmod");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine *m = machine_of_row(state, i);
		struct kd_error *err;
		int status = 0;

		make_whole(m);
		put(m, "/etc/kdump.conf", rows[i].conf);
		put(m, KD_SYSCONFDIR "/sysconfig/kdump", rows[i].settings);
		err = arm_start(&m->ctl, &status);
		if (err || loads != 1)
			fail_msg("%s: %u loads, %s", rows[i].name, loads, err ? err->text : "no error");
		assert_said(m, "core_collector: makedumpfile is not installed: dumpfilter takes its place");
		assert_said(m, "kdump: Starting kdump: [OK]\n");
	}
}

/* "start" brings an outdated image up to date, or fails: it neither hides a bad configuration nor costs the image. */
static void test_start_outdated(void **state)
{
	static const struct {
		void (*change)(struct machine *m);
		const char *error; /* NULL: it is up to date, or not ours */
	} rows[] = {
		{ edited, "the file of kernel 6.1 was not found" },
		{ nonsense, "Invalid kdump config option nonsense" },
		{ no_hook, "the file of kernel 6.1 was not found" },
		{ other_conf, "the file of kernel 6.1 was not found" },
		{ other_boot, NULL },
		{ nothing, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine *m = machine_of_row(state, i);
		struct kd_error *err;
		int status = 0;

		armed_before(m);
		rows[i].change(m);
		err = arm_start(&m->ctl, &status);
		if (rows[i].error) {
			assert_non_null(err);
			assert_non_null(strstr(err->text, rows[i].error));
			assert_int_equal(transition_last(&m->tree.root), STANDING_STALE);
		} else {
			assert_no_error(err);
			assert_said(m, "kdump: WARNING: Kdump already running: [WARNING]\n");
		}
		kd_error_destroy(err);
		assert_int_equal(loads + unloads, 0);
	}
}

/* The machine was armed, and was booted since. */
static void reboot(struct machine *m)
{
	put(m, "/sys/kernel/kexec_crash_loaded", "0\n");
	put(m, "/proc/sys/kernel/random/boot_id", "0002-boot\n");
	tree_delete(&m->tree, TRANSITION_PATH);
	loads = 0;
}

static void hook_gone(struct machine *m)
{
	tree_delete(&m->tree, "/srv/hook");
}

static void hook_from_windows(struct machine *m)
{
	tree_program(&m->tree, "/srv/hook", "#!/bin/sh\r\n");
}

static void library_gone(struct machine *m)
{
	tree_delete(&m->tree, "/bin/sh");
}

static void hook_and_conf(struct machine *m)
{
	hook_gone(m);
	put(m, "/etc/kdump.conf", "kdump_post /srv/hook\nfinal_action halt\n");
}

static void hook_and_target(struct machine *m)
{
	hook_gone(m);
	tree_delete(&m->tree, "/dev/disk/by-uuid/aaaa-1");
	tree_link(&m->tree, "/dev/disk/by-uuid/bbbb-2", "../../vda1");
}

#define IMAGE KD_STATEDIR "/initramfs-6.1.img"

static void hook_and_image(struct machine *m)
{
	hook_gone(m);
	put(m, IMAGE, "damaged");
}

static void hook_and_record(struct machine *m)
{
	hook_gone(m);
	tree_delete(&m->tree, IMAGE KEPT_SUFFIX);
}

/* A boot is not left unarmed because a hook is gone that the image on the disk still has. But that image has to be the
 * one that the configuration means, and to lead where the target is. */
static void test_fall_back(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct machine *m);
		bool armed;
	} rows[] = {
		{ "hook gone", hook_gone, true },
		{ "hook from Windows", hook_from_windows, true },
		{ "interpreter gone", library_gone, true },
		{ "the configuration has changed, too", hook_and_conf, false },
		{ "the target is another", hook_and_target, false },
		{ "the image is damaged", hook_and_image, false },
		{ "nobody knows what the image was made for", hook_and_record, false },
	};

	if (!have_depmod())
		end_test("no depmod");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(health_free) struct health health = { 0 };
		struct kd_error *err;
		struct machine *m = machine_of_row(state, i);
		int status = 0;

		make_whole(m);
		assert_no_error(arm_start(&m->ctl, &status));
		assert_int_equal(loads, 1);
		reboot(m);
		rows[i].change(m);
		err = arm_start(&m->ctl, &status);
		if (!err != rows[i].armed || loads != (rows[i].armed ? 1 : 0))
			fail_msg("%s: %u loads, %s", rows[i].name, loads, err ? err->text : "no error");
		kd_error_destroy(err);
		if (!rows[i].armed) {
			assert_int_equal(transition_last(&m->tree.root), STANDING_NOT_ARMED);
			continue;
		}
		assert_said(m, "kdump: WARNING: loading an earlier image, ");
		assert_int_equal(transition_last(&m->tree.root), STANDING_STALE);
		assert_no_error(health_check(&m->tree.root, NULL, &health));
		assert_non_null(health.armed.fallback);
		assert_true(health_is_stale(&health));
		/* The unit tries again and again, to no harm; an administrator's restart says what is wrong. */
		assert_no_error(refresh_run(&m->ctl, &status));
		assert_int_equal(loads, 1);
		err = arm_restart(&m->ctl, &status);
		assert_non_null(err);
		kd_error_destroy(err);
		assert_int_equal(loads + unloads, 1);
		/* Once it is mended there is a new image. */
		tree_program(&m->tree, "/bin/sh", "y");
		tree_program(&m->tree, "/srv/hook", "#!/bin/sh\n");
		assert_no_error(refresh_run(&m->ctl, &status));
		health_free(&health);
		assert_no_error(health_check(&m->tree.root, NULL, &health));
		assert_null(health.armed.fallback);
		assert_int_equal(health.changes, 0);
		assert_int_equal(transition_last(&m->tree.root), STANDING_ARMED);
	}
}

/* force_no_rebuild keeps an image whose files have changed, but none that leads to another target. */
static void test_no_rebuild(void **state)
{
	_cleanup_free_ char *first = NULL, *second = NULL, *third = NULL;
	struct machine *m = *state;
	int status = 0;

	if (!have_depmod())
		end_test("no depmod");
	make_whole(m);
	put(m, "/etc/kdump.conf", "kdump_post /srv/hook\nforce_no_rebuild 1\n");
	assert_no_error(arm_start(&m->ctl, &status));
	assert_no_error(armed_hash_file(&m->tree.root, IMAGE, &first));
	reboot(m);
	tree_program(&m->tree, "/srv/hook", "#!/bin/sh\necho other\n");
	assert_no_error(arm_start(&m->ctl, &status));
	assert_no_error(armed_hash_file(&m->tree.root, IMAGE, &second));
	assert_string_equal(first, second);
	reboot(m);
	tree_delete(&m->tree, "/dev/disk/by-uuid/aaaa-1");
	tree_link(&m->tree, "/dev/disk/by-uuid/bbbb-2", "../../vda1");
	assert_no_error(arm_start(&m->ctl, &status));
	assert_said(m, "is built again in spite of force_no_rebuild");
	assert_no_error(armed_hash_file(&m->tree.root, IMAGE, &third));
	assert_string_not_equal(second, third);
}

/* --- a chain of targets ------------------------------------------------------------------------------------------- */

#define CHAIN "kdump_post /srv/hook\next4 UUID=aaaa-1\next4 UUID=bbbb-2\n"

/* A second disk, with a second target. */
static void plug_in(struct machine *m)
{
	static const char part[] = "/sys/devices/virtio2/block/vdb/vdb1";

	put(m, "/sys/devices/virtio2/block/vdb/vdb1/dev", "254:17\n");
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/partition", "1\n");
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/uevent", "DEVNAME=vdb1\n");
	tree_link(&m->tree, "/sys/class/block/vdb1", part);
	tree_link(&m->tree, "/sys/dev/block/254:17", part);
	put(m, "/dev/vdb1", "");
	tree_link(&m->tree, "/dev/disk/by-uuid/bbbb-2", "../../vdb1");
	tree_directory(&m->tree, "/mnt/var/crash");
}

static void mount_both(struct machine *m)
{
	put(m, "/proc/self/mountinfo",
	    "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n"
	    "23 22 254:17 / /mnt rw,relatime - ext4 /dev/vdb1 rw\n");
}

static void umount_second(struct machine *m)
{
	put(m, "/proc/self/mountinfo", "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n");
}

static void unplug(struct machine *m)
{
	umount_second(m);
	tree_delete(&m->tree, "/dev/disk/by-uuid/bbbb-2");
	tree_delete(&m->tree, "/dev/vdb1");
	tree_delete(&m->tree, "/sys/class/block/vdb1");
	tree_delete(&m->tree, "/sys/dev/block/254:17");
}

static void remount_read_only(struct machine *m)
{
	put(m, "/proc/self/mountinfo",
	    "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n"
	    "23 22 254:17 / /mnt ro,relatime - ext4 /dev/vdb1 ro\n");
}

static void remove_directory(struct machine *m)
{
	assert_int_equal(rmdir(tree_path(&m->tree, "/mnt/var/crash")), 0);
}

static void lose_first(struct machine *m)
{
	tree_delete(&m->tree, "/dev/disk/by-uuid/aaaa-1");
}

static void lose_both(struct machine *m)
{
	lose_first(m);
	unplug(m);
}

static void root_read_only(struct machine *m)
{
	put(m, "/proc/self/mountinfo",
	    "22 1 254:1 / / ro,relatime - ext4 /dev/vda1 ro\n"
	    "23 22 254:17 / /mnt rw,relatime - ext4 /dev/vdb1 rw\n");
}

/* A volume of which the capture could not know that it does no harm: in a tree, its table is not known. */
static void put_on_volume(struct machine *m)
{
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/dm/name", "vg-dumps\n");
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/dm/uuid", "LVM-abcdef\n");
	tree_delete(&m->tree, "/sys/devices/virtio2/block/vdb/vdb1/partition");
}

/* The kernel takes it apart just now. */
static void put_on_vanishing_array(struct machine *m)
{
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/md/level", "raid1\n");
	tree_delete(&m->tree, "/sys/devices/virtio2/block/vdb/vdb1/partition");
}

static void put_on_reshaped_array(struct machine *m)
{
	put_on_vanishing_array(m);
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/md/metadata_version", "1.2\n");
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/md/reshape_position", "4096\n");
}

static void put_holder(struct machine *m)
{
	put(m, "/sys/devices/virtio2/block/vdb/vdb1/holders/dm-0/dev", "253:0\n");
	assert_int_equal(truncate(tree_path(&m->tree, "/dev/vdb1"), 1 << 20), 0);
}

static void assert_left_out(struct machine *m, const char *text)
{
	_cleanup_(armed_free) struct armed armed = { 0 };
	bool found;

	assert_no_error(armed_read(&m->tree.root, &armed, &found));
	assert_int_equal(armed.left_out_count, text ? 1 : 0);
	if (text && !strstr(armed.left_out[0].text, text))
		fail_msg("\"%s\" is not in: %s", text, armed.left_out[0].text);
	assert_int_equal(transition_last(&m->tree.root), text ? STANDING_LACKING : STANDING_ARMED);
}

/* A target that cannot be had now is left out, and said; a wrong configuration is an error, and so is no target. */
static void test_chain(void **state)
{
	static const struct {
		void (*change)(struct machine *m);
		const char *conf, *target; /* NULL: start fails */
		const char *words;         /* about what is left out, or the error; NULL: nothing is left out */
	} rows[] = {
		{ nothing, CHAIN, "UUID=aaaa-1", NULL },
		{ unplug, CHAIN, "UUID=aaaa-1",
		  "/etc/kdump.conf:3: target ext4 UUID=bbbb-2 is left out: there is no device UUID=bbbb-2" },
		{ umount_second, CHAIN, "UUID=aaaa-1",
		  "/etc/kdump.conf:3: target ext4 UUID=bbbb-2 is left out: Dump target \"UUID=bbbb-2\" is neither" },
		{ remount_read_only, CHAIN, "UUID=aaaa-1",
		  "UUID=bbbb-2 is left out: the dump target UUID=bbbb-2 is mo" },
		{ remove_directory, CHAIN, "UUID=aaaa-1",
		  "UUID=bbbb-2 is left out: directory /var/crash does not exist" },
		{ put_on_vanishing_array, CHAIN, "UUID=aaaa-1",
		  "UUID=bbbb-2 is left out: dump target /dev/vdb1: volume vd" },
		{ lose_first, CHAIN, "UUID=bbbb-2",
		  "/etc/kdump.conf:2: target ext4 UUID=aaaa-1 is left out: there is no device UUID=aaaa-1" },
		{ nothing, CHAIN "nfs server:/dumps\n", "UUID=aaaa-1",
		  "/etc/kdump.conf:4: target nfs server:/dumps is left out: server:/dumps is not mounted" },
		{ unplug, "ext4 UUID=bbbb-2\nfailure_action dump_to_rootfs\n", "UUID=aaaa-1",
		  "/etc/kdump.conf:1: target ext4 UUID=bbbb-2 is left out: there is no device" },
		{ root_read_only, "ext4 UUID=bbbb-2\nfailure_action dump_to_rootfs\n", "UUID=bbbb-2",
		  "/etc/kdump.conf:2: failure_action dump_to_rootfs is left out: path /var/crash lies on /dev/vda1, which" },
		{ lose_both, CHAIN, NULL, "/etc/kdump.conf:2: there is no device UUID=aaaa-1" },
		{ unplug, "ext4 UUID=bbbb-2\n", NULL, "/etc/kdump.conf:1: there is no device UUID=bbbb-2" },
		{ nothing, CHAIN "nonsense\n", NULL, "/etc/kdump.conf:4: Invalid kdump config option nonsense" },
		{ nothing, CHAIN "path relative\n", NULL,
		  "/etc/kdump.conf:4: Invalid kdump config value for option 'path'" },
		{ nothing, "ext4 UUID=aaaa-1\nxfs UUID=bbbb-2\n", NULL,
		  "/etc/kdump.conf:2: UUID=bbbb-2 holds ext4, not xfs" },
		{ put_on_volume, CHAIN, NULL, "volume vg-dumps: " },
		{ put_on_reshaped_array, CHAIN, NULL, "vdb1 is being reshaped" },
		{ put_holder, "ext4 UUID=aaaa-1\nraw /dev/vdb1\n", NULL, "other devices stand on it" },
		{ nothing, CHAIN "ssh root@server\n", NULL, "another machine's ssh cannot be asked" },
	};

	if (!have_depmod())
		end_test("no depmod");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(armed_free) struct armed armed = { 0 };
		struct kd_error *err;
		struct machine *m = machine_of_row(state, i);
		int status = 0;
		bool found;

		make_whole(m);
		plug_in(m);
		mount_both(m);
		rows[i].change(m);
		put(m, "/etc/kdump.conf", rows[i].conf);
		err = arm_start(&m->ctl, &status);
		if (!err != !!rows[i].target || (err && !strstr(err->text, rows[i].words)))
			fail_msg("row %zu: %s", i, err ? err->text : "no error");
		assert_int_equal(loads, rows[i].target ? 1 : 0);
		if (!err) {
			assert_no_error(armed_read(&m->tree.root, &armed, &found));
			assert_non_null(strstr(armed.target, rows[i].target));
			assert_left_out(m, rows[i].words);
		}
		if (!err && rows[i].words) {
			assert_said(m, rows[i].words);
			assert_said(m, "; \"kdumpctl reload\" takes it in when it can be had\n");
		}
		kd_error_destroy(err);
	}
}

/* What was left out is taken in when it is back, by the unit or by "start"; while it stays away nothing is loaded. */
static void test_chain_returns(void **state)
{
	struct machine *m = *state;
	int status = 0;

	if (!have_depmod())
		end_test("no depmod");
	make_whole(m);
	put(m, "/etc/kdump.conf", CHAIN);
	assert_no_error(arm_start(&m->ctl, &status));
	assert_left_out(m, "UUID=bbbb-2");
	for (size_t i = 0; i < 3; i++)
		assert_no_error(refresh_run(&m->ctl, &status));
	assert_no_error(arm_start(&m->ctl, &status));
	assert_said(m, "Kdump already running");
	assert_int_equal(loads, 1);
	/* There, but not mounted: one more reload would change nothing. */
	plug_in(m);
	assert_no_error(refresh_run(&m->ctl, &status));
	assert_int_equal(loads, 1);
	mount_both(m);
	assert_no_error(refresh_run(&m->ctl, &status));
	assert_said(m, "kdump: loaded again: /etc/kdump.conf:3: target ext4 UUID=bbbb-2 is there again\n");
	assert_left_out(m, NULL);
	assert_no_error(refresh_run(&m->ctl, &status));
	assert_int_equal(loads, 2);
	unplug(m);
	for (size_t i = 0; i < 3; i++)
		assert_no_error(refresh_run(&m->ctl, &status));
	assert_left_out(m, "UUID=bbbb-2");
	assert_int_equal(loads, 3);
	plug_in(m);
	mount_both(m);
	assert_no_error(arm_start(&m->ctl, &status));
	assert_left_out(m, NULL);
	assert_int_equal(loads, 4);
}

/* What has come back as something dangerous is not left out any more: the unit says so, and what is loaded stays. */
static void test_chain_returns_dangerous(void **state)
{
	_cleanup_free_ char *note = NULL;
	struct machine *m = *state;
	int status = 0;

	if (!have_depmod())
		end_test("no depmod");
	make_whole(m);
	put(m, "/etc/kdump.conf", CHAIN);
	assert_no_error(arm_start(&m->ctl, &status));
	plug_in(m);
	mount_both(m);
	put_on_volume(m);
	for (size_t i = 0; i < 3; i++)
		assert_no_error(refresh_run(&m->ctl, &status));
	assert_int_equal(loads + unloads, 1);
	assert_int_equal(transition_last(&m->tree.root), STANDING_STALE);
	tree_read(&m->tree, TRANSITION_PATH, &note, &(size_t){ 0 });
	assert_non_null(strstr(note, "volume vg-dumps: "));
}

/* Every target is listed, with its own verdict: without one of two, a crash leaves a dump. */
static void test_chain_checked(void **state)
{
	static const struct {
		void (*change)(struct machine *m);
		unsigned int failures; /* more than with both */
	} rows[] = { { nothing, 0 }, { unplug, 0 }, { lose_both, 2 }, { put_on_volume, 1 } };
	unsigned int failures, before = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine *m = machine_of_row(state, i);
		struct kd_error *err;
		int out;

		make_whole(m);
		plug_in(m);
		mount_both(m);
		put(m, "/etc/kdump.conf", CHAIN);
		rows[i].change(m);
		fflush(stdout);
		out = dup(STDOUT_FILENO);
		assert_true(out >= 0 && freopen("/dev/null", "w", stdout) != NULL);
		err = check_everything(&m->ctl, &failures);
		fflush(stdout);
		assert_true(dup2(out, STDOUT_FILENO) >= 0 && close(out) == 0);
		assert_no_error(err);
		if (!i)
			before = failures;
		assert_int_equal(failures, before + rows[i].failures);
	}
}

/* --- what is loaded once ------------------------------------------------------------------------------------------ */

/* An edit starts the unit, and the administrator types "restart": one load, whoever gets the lock first. */
static void test_load_once(void **state)
{
	struct machine *m = *state;
	int status = 0;

	if (!have_depmod())
		end_test("no depmod");
	make_whole(m);
	assert_no_error(arm_start(&m->ctl, &status));
	put(m, "/etc/kdump.conf", "final_action halt\n");
	assert_no_error(refresh_run(&m->ctl, &status));
	assert_int_equal(loads, 2);
	m->ctl.waited = true;
	assert_no_error(arm_restart(&m->ctl, &status));
	assert_int_equal(loads, 2);
	m->ctl.waited = false;
	put(m, "/etc/kdump.conf", "final_action poweroff\n");
	assert_no_error(arm_restart(&m->ctl, &status));
	assert_int_equal(loads, 3);
	assert_no_error(refresh_run(&m->ctl, &status));
	assert_int_equal(loads, 3);
}

/* A machine with all that a return by kexec needs. */
static void make_return(struct machine *m)
{
	make_whole(m);
	put(m, "/etc/kdump.conf", "final_action kexec\n");
	put(m, "/boot/initrd.img-6.1", "an initramfs");
	put(m, "/proc/sys/kernel/bootloader_type", "114\n");
	tree_directory(&m->tree, "/sys/bus/pci/devices/0000:00:01.0");
	tree_directory(&m->tree, "/sys/bus/pci/devices/0000:00:0e.0");
	tree_directory(&m->tree, "/sys/bus/pci/drivers/vmd/0000:00:0e.0");
}

/* The text of the handover in what was loaded last: it is not packed. */
static char *handover_of(const struct machine *m)
{
	_cleanup_(kd_handover_free) struct kd_handover handover = { 0 };
	const char *record = memmem(loaded_initrd, loaded_initrd_size, "kdump-handover 1\n", 17);
	char *text = NULL, *end;

	if (!record)
		return NULL;
	assert_no_error(kd_format(&text, "%s", record));
	end = strstr(text, "\nend\n");
	assert_non_null(end);
	end[5] = '\0';
	assert_no_error(kd_handover_parse(text, "record", &handover));
	return text;
}

static void test_return(void **state)
{
	struct machine *m = *state;
	_cleanup_(armed_free) struct armed armed = { 0 };
	_cleanup_free_ char *record = NULL;
	bool found = false;
	int status = 0;

	if (!can_return())
		end_test("no return by kexec on this architecture, or no depmod");
	make_return(m);
	assert_no_error(arm_start(&m->ctl, &status));
	assert_no_error(armed_read(&m->ctl.root, &armed, &found));
	assert_string_equal(armed.comeback, "by kexec to kernel 6.1");
	assert_string_equal(armed.crashes, "0 crashes within 60 minutes; 3 lead to reboot");
	record = handover_of(m);
	assert_non_null(record);
	assert_non_null(strstr(record, "\nkernel 6.1\nboot-cpu 0\n"));
	assert_non_null(strstr(record, " /boot/vmlinuz-6.1\n"));
	assert_non_null(strstr(record, " /boot/initrd.img-6.1\n"));
	assert_non_null(strstr(record, "\npci 0000:00:01.0\nhides 0000:00:0e.0\n"));
	/* Another initramfs would be refused by its digest: this is a change. */
	put(m, "/boot/initrd.img-6.1", "another initramfs");
	assert_no_error(refresh_run(&m->ctl, &status));
	assert_int_equal(loads, 2);
	/* After a kexec the first CPU may be any; what was noted before it counts. */
	put(m, "/proc/sys/kernel/bootloader_type", "208\n");
	put(m, "/proc/cpuinfo", "processor\t: 0\ninitial apicid\t: 5\n\n");
	free(take_ptr(record));
	assert_no_error(arm_restart(&m->ctl, &status));
	record = handover_of(m);
	assert_non_null(strstr(record, "\nboot-cpu 0\n"));
}

/* A kernel keeps the words of its trial when that is over; what a crash starts does not get them. */
static void test_return_after_trial(void **state)
{
	static const char line[] = "root=/dev/vda1 words=own";
	struct machine *m = *state;
	const char *start;
	int status = 0;

	if (!can_return())
		end_test("no return by kexec on this architecture, or no depmod");
	make_return(m);
	put(m, "/proc/cmdline", "root=/dev/vda1 words=own kdump.try=00c0ffee rdinit=/kdump-airbag/init panic=3\n");
	assert_no_error(arm_start(&m->ctl, &status));
	assert_non_null(handover_of(m));
	start = memmem(loaded_initrd, loaded_initrd_size, line, strlen(line));
	assert_non_null(start);
	assert_memory_equal(start, line, sizeof(line)); /* with the NUL */
	assert_null(memmem(loaded_initrd, loaded_initrd_size, "kdump.try=", 10));
}

static void lose_initrd(struct machine *m)
{
	tree_delete(&m->tree, "/boot/initrd.img-6.1");
}

static void boot_by_kexec(struct machine *m)
{
	put(m, "/proc/sys/kernel/bootloader_type", "208\n");
}

/* The machine is armed all the same, and says how it comes back. */
static void test_return_refused(void **state)
{
	static const struct {
		void (*change)(struct machine *m);
		const char *words;
	} cases[] = {
		{ lose_initrd, "the initramfs of kernel 6.1 was not found (tried /boot/initrd.img-6.1, " },
		{ boot_by_kexec, "the boot CPU is not known" },
	};

	if (!can_return())
		end_test("no return by kexec on this architecture, or no depmod");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine *m = *state;
		_cleanup_(armed_free) struct armed armed = { 0 };
		bool found = false;
		int status = 0;

		make_return(m);
		cases[i].change(m);
		assert_no_error(arm_start(&m->ctl, &status));
		assert_said(m, "not by kexec: ");
		assert_said(m, cases[i].words);
		assert_no_error(armed_read(&m->ctl.root, &armed, &found));
		assert_non_null(strstr(armed.comeback, cases[i].words));
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void put_crash(struct machine *m, const char *directory, int64_t ago)
{
	time_t when = time(NULL) - ago;
	char path[128], date[32];
	struct tm tm;

	assert_non_null(localtime_r(&when, &tm));
	strftime(date, sizeof(date), "%Y-%m-%d-%H:%M:%S", &tm);
	snprintf(path, sizeof(path), "%s/127.0.0.1-%s", directory, date);
	tree_directory(&m->tree, path);
}

/* Crashes are known by their dumps, also by those that were removed since, and of boots that ended badly. */
static void test_crash_loop(void **state)
{
	struct machine *m = *state;
	_cleanup_(armed_free) struct armed armed = { 0 };
	_cleanup_free_ char *record = NULL;
	bool found = false;
	char boots[300];
	int status = 0;

	if (!can_return())
		end_test("no return by kexec on this architecture, or no depmod");
	make_return(m);
	put(m, "/etc/kdump.conf", "final_action kexec\ncrash_loop 4 60 poweroff\n");
	put_crash(m, "/var/crash", 500);
	put_crash(m, "/var/crash", 400);
	put_crash(m, "/var/crash", 4000);
	assert_no_error(arm_start(&m->ctl, &status));
	assert_no_error(armed_read(&m->ctl.root, &armed, &found));
	assert_string_equal(armed.crashes, "2 crashes within 60 minutes; 4 lead to poweroff");
	record = handover_of(m);
	assert_int_equal(strncmp(record, "kdump-handover 1\ncrash ", 23), 0);
	/* The dumps are gone, and the machine has come back by kexec once more. */
	snprintf(boots, sizeof(boots), "rm -r %s", tree_path(&m->tree, "/var/crash"));
	assert_int_equal(system(boots), 0);
	tree_directory(&m->tree, "/var/crash");
	put(m, "/proc/sys/kernel/bootloader_type", "208\n");
	put(m, "/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000002\n");
	snprintf(boots, sizeof(boots), "00000000-0000-0000-0000-000000000001 %ld %ld 0 0\n", (long)time(NULL) - 50,
		 (long)time(NULL) - 40);
	put(m, BOOTS_PATH, boots);
	assert_no_error(arm_restart(&m->ctl, &status));
	assert_said(m, "kdump: WARNING: crash loop: 3 crashes within 60 minutes; 4 lead to poweroff\n");
}

/* What could make a capture write into foreign sectors is unloaded when nothing can take its place; what is merely old
 * stays. Whoever tries it: an administrator, or the unit that looks after it. */
static void test_disarm(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct machine *m);
		const char *said; /* NULL: the image stays */
	} rows[] = {
		{ "another member", another_member, "the loaded image was unloaded: md0 has changed since, and" },
		{ "and a broken kdump.conf", broken, "the loaded image was unloaded: md0 has changed since, and" },
		{ "no volume", no_volume, "the loaded image was unloaded: md0 has been unreadable since, and" },
		{ "unreadable table", unreadable_table,
		  "the loaded image was unloaded: vg-dumps has been unreadable since, and" },
		{ "a clone in its place", clone_mounted,
		  "the loaded image was unloaded: UUID=aaaa-1 has changed since" },
		{ "damaged record", damaged_record,
		  "the loaded image was unloaded: the record of what it was made from cannot be read" },
		/* The capture finds nothing, and writes nothing. */
		{ "no device", no_device, NULL },
		{ "another program's image", other_boot, NULL },
		{ "kdump.conf", edited, NULL },
		{ "hook", no_hook, NULL },
	};
	static kdumpctl_verb *const verbs[] = { arm_restart, arm_reload, refresh_run };

	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(verbs); i++) {
		size_t row = i / ARRAY_SIZE(verbs);
		_cleanup_(armed_free) struct armed armed = { 0 };
		_cleanup_free_ char *note = NULL;
		struct machine *m = machine_of_row(state, i);
		bool found = false;
		int status = 0;

		armed_before(m);
		rows[row].change(m);
		kd_error_destroy(verbs[i % ARRAY_SIZE(verbs)](&m->ctl, &status));
		if (unloads != (rows[row].said ? 1 : 0))
			fail_msg("%s: %u unloads", rows[row].name, unloads);
		assert_int_equal(loads, 0);
		if (!rows[row].said)
			continue;
		assert_said(m, rows[row].said);
		assert_said(m, "mend that, then \"kdumpctl start\"");
		assert_no_error(armed_read(&m->tree.root, &armed, &found));
		assert_false(found);
		/* The unit goes on trying, and the journal knows why. */
		assert_int_equal(transition_last(&m->tree.root), STANDING_NOT_ARMED);
		tree_read(&m->tree, TRANSITION_PATH, &note, NULL);
		assert_non_null(strstr(note, rows[row].said));
	}
}

/* The kernel may refuse to unload it, too. */
static void test_disarm_refused(void **state)
{
	struct machine *m = *state;
	int status = 0;

	armed_before(m);
	another_member(m);
	refuse_unload = true;
	assert_error(arm_restart(&m->ctl, &status), KD_ERR_NOT_FOUND, "the file of kernel 6.1 was not found");
	assert_said(m, "the loaded image is dangerous, and cannot be unloaded (kexec_load: ");
	assert_int_equal(transition_last(&m->tree.root), STANDING_STALE);
}

/* Red Hat's words of "test", up to where it would crash. */
static void test_creation_test(void **state)
{
	struct machine *m = *state;
	int status = 0, out;

	assert_error(test_run(&m->ctl, &status), KD_ERR_STATE, "Kdump needs be operational before test.");
	put(m, "/sys/kernel/kexec_crash_loaded", "1\n");
	assert_non_null(freopen("/dev/null", "r", stdin)); /* nobody who could say yes */
	/* The list of checks has lines that begin with "ok", too. */
	fflush(stdout);
	out = dup(STDOUT_FILENO);
	assert_true(out >= 0 && freopen("/dev/null", "w", stdout) != NULL);
	assert_no_error(test_run(&m->ctl, &status));
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0 && close(out) == 0);
	assert_int_equal(status, 0);
	assert_said(m, "DANGER!!! Will perform a kdump test by crashing the system, proceed? (y/N): ");
	assert_said(m, "kdump: Operation cancelled.\n");
	assert_int_equal(loads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_of_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fall_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configurations_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_rebuild, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_outdated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain_returns_dangerous, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chain_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_return, setup, teardown),
		cmocka_unit_test_setup_teardown(test_return_after_trial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_return_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disarm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disarm_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_creation_test, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
