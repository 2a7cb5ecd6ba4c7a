/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capture initramfs of made-up machines: which modules and programs go in, and what the image looks like. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/array.h"
#include "base/decompress.h"
#include "base/parse.h"
#include "base/secret.h"
#include "initramfs/elf_closure.h"
#include "initramfs/elf_object.h"
#include "initramfs/firmware.h"
#include "initramfs/initramfs.h"
#include "initramfs/secrets.h"
#include "tests/unit/initramfs/elf-testing.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#define RELEASE "6.1.0-test"
#define MODULES "/lib/modules/" RELEASE

/* A machine with a plan for it. */
struct machine {
	struct tree tree;
	struct kd_plan plan;
	char output[128], capture[128];
	struct initramfs_request request;
	struct initramfs_result result;
};

static const struct {
	const char *path, *modinfo, *exports, *imports;
} module_files[] = {
	{ "virtio/virtio.ko", "license=GPL", "v_core", "" },
	{ "virtio/virtio_ring.ko", "license=GPL", "v_ring", "v_core" },
	{ "virtio/virtio_pci.ko", "alias=pci:v00001AF4d*sv*sd*bc*sc*i*", "", "v_core v_ring" },
	{ "block/virtio_blk.ko", "alias=virtio:d00000002v*", "", "v_core v_ring" },
	{ "crypto/crc32c_generic.ko", "alias=crypto-crc32c", "", "" },
	{ "fs/jbd2.ko", "softdep=pre:+crypto-crc32c", "j_start", "" },
	{ "fs/ext4.ko", "alias=fs-ext4 softdep=pre:+crypto-crc32c", "", "j_start" },
	{ "fs/btrfs.ko", "alias=fs-btrfs", "", "" },
	{ "fs/vfat.ko", "alias=fs-vfat", "", "" },
	{ "nvme/nvme-core.ko", "license=GPL", "n_core", "" },
	{ "nvme/nvme.ko", "alias=pci:v*d*sv*sd*bc01sc08i02*", "", "n_core" },
	{ "extra/lead.ko", "softdep=post:+follow alias=pci:v00008086d*sv*sd*bc*sc*i*", "", "" },
	{ "extra/follow.ko", "license=GPL", "", "" },
	{ "wdt/iTCO_wdt.ko", "license=GPL", "", "" },
	{ "ipmi/ipmi_si.ko", "license=GPL", "", "" },
	{ "ipmi/ipmi_watchdog.ko", "license=GPL", "", "" },
	{ "firmware/efi/efi-pstore.ko", "license=GPL", "", "" },
	{ "pstore/ramoops.ko", "license=GPL", "", "" },
	{ "md/dm-mod.ko", "license=GPL", "dm_core", "" },
	{ "md/dm-crypt.ko", "license=GPL", "", "dm_core" },
	{ "md/dm-thin-pool.ko", "license=GPL", "", "dm_core" },
	{ "md/md-mod.ko", "license=GPL", "md_core", "" },
	{ "scsi/scsi_dh_alua.ko", "license=GPL", "", "" },
	{ "scsi/iscsi_tcp.ko", "license=GPL", "", "" },
	{ "nvme/nvme-tcp.ko", "license=GPL", "", "" },
	{ "nvme/nvme-rdma.ko", "license=GPL", "", "" },
	{ "crypto/crc32_generic.ko", "alias=crypto-crc32", "", "" },
	{ "infiniband/rdma_rxe.ko", "license=GPL", "", "" },
	{ "infiniband/mlx5_ib.ko", "license=GPL", "", "" },
	{ "md/raid1.ko", "alias=md-raid1", "", "md_core" },
	{ "md/raid456.ko", "alias=md-raid6", "", "md_core" },
	{ "md/dm-raid.ko", "license=GPL", "", "dm_core md_core" },
	{ "crypto/xts.ko", "alias=crypto-xts", "", "" },
	{ "crypto/ecb.ko", "alias=crypto-ecb", "", "" },
	{ "crypto/aesni-intel.ko", "alias=crypto-aes", "", "" },
	{ "crypto/padlock-aes.ko", "alias=crypto-aes", "", "" },
	{ "scsi/qla.ko", "firmware=ql/one.bin firmware=ql/two.bin firmware=ql/x*-y.?.bin firmware=../../etc/shadow", "",
	  "" },
	{ "net/nic.ko", "firmware=nic/gone.fw", "", "" },
};

#define BUILT_IN_INFO "xfs.license=GPL\0ahci.file=drivers/ata/ahci\0ahci.license=GPL\0ahci.firmware=ahci.bin"

static bool have_depmod(void)
{
	return access("/sbin/depmod", X_OK) == 0 || access("/usr/sbin/depmod", X_OK) == 0;
}

static void run_depmod(const struct tree *tree)
{
	char command[256];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin depmod -b %s " RELEASE, tree->path);
	assert_int_equal(system(command), 0);
}

static void make_modules(const struct tree *tree)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(module_files); i++) {
		char path[256];
		size_t size;
		void *data;

		module_make(module_files[i].modinfo, module_files[i].exports, module_files[i].imports, &data, &size);
		snprintf(path, sizeof(path), MODULES "/kernel/%s", module_files[i].path);
		tree_write(tree, path, data, size);
		free(data);
	}
	tree_text(tree, MODULES "/modules.order", "");
	tree_text(tree, MODULES "/modules.builtin", "kernel/fs/xfs/xfs.ko\nkernel/drivers/ata/ahci.ko\n");
	tree_write(tree, MODULES "/modules.builtin.modinfo", BUILT_IN_INFO, sizeof(BUILT_IN_INFO));
	run_depmod(tree);
}

/* A device bound to a driver, which is module @module unless that is NULL. */
static void make_device(const struct tree *tree, const char *directory, const char *driver, const char *module)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "%s/driver", directory);
	snprintf(target, sizeof(target), "/sys/bus/drivers/%s", driver);
	tree_directory(tree, target);
	tree_link(tree, path, target);
	if (!module)
		return;
	snprintf(path, sizeof(path), "/sys/bus/drivers/%s/module", driver);
	snprintf(target, sizeof(target), "/sys/module/%s", module);
	tree_directory(tree, target);
	tree_link(tree, path, target);
}

/* Block device @name at @directory, and the links and the stand-in for its node that lead there. */
static void make_block(const struct tree *tree, const char *name, const char *directory)
{
	char path[256];

	tree_directory(tree, directory);
	snprintf(path, sizeof(path), "/sys/class/block/%s", name);
	tree_link(tree, path, directory);
	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_text(tree, path, "");
}

#define VIRTIO_DEVICE  "/sys/devices/pci0000:00/0000:00:04.0"
#define NVME_DEVICE    "/sys/devices/pci0000:00/0000:00:05.0"
#define NVME_SUBSYSTEM "/sys/devices/virtual/nvme-subsystem/nvme-subsys0"
#define SATA_DEVICE    "/sys/devices/pci0000:00/0000:00:1f.2"

static void make_sysfs(const struct tree *tree)
{
	make_block(tree, "vda1", VIRTIO_DEVICE "/virtio1/block/vda/vda1");
	make_device(tree, VIRTIO_DEVICE, "virtio-pci", "virtio_pci");
	make_device(tree, VIRTIO_DEVICE "/virtio1", "virtio_blk", "virtio_blk");
	tree_link(tree, "/dev/disk/by-uuid/1111-2222", "../../vda1");
	tree_link(tree, "/dev/disk/by-label/my\\x20disk", "../../vda1");
	tree_link(tree, "/dev/disk/by-partuuid/0815-01", "../../vda1");

	make_block(tree, "nvme0n1p2", NVME_DEVICE "/nvme/nvme0/nvme0n1/nvme0n1p2");
	make_device(tree, NVME_DEVICE, "nvme", "nvme");
	make_block(tree, "nvme1n1", NVME_SUBSYSTEM "/nvme1n1");
	tree_link(tree, NVME_SUBSYSTEM "/nvme0", NVME_DEVICE "/nvme/nvme0");

	make_block(tree, "sda1", SATA_DEVICE "/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1");
	make_device(tree, SATA_DEVICE, "ahci", NULL);

	make_block(tree, "dm-0", "/sys/devices/virtual/block/dm-0");
	tree_text(tree, "/sys/devices/virtual/block/dm-0/dm/uuid", "LVM-abcdef\n");
	tree_link(tree, "/sys/devices/virtual/block/dm-0/slaves/vda1", VIRTIO_DEVICE "/virtio1/block/vda/vda1");
	make_block(tree, "dm-1", "/sys/devices/virtual/block/dm-1");
	tree_text(tree, "/sys/devices/virtual/block/dm-1/dm/uuid", "CRYPT-LUKS2-abcdef\n");
	tree_link(tree, "/sys/devices/virtual/block/dm-1/slaves/dm-0", "/sys/devices/virtual/block/dm-0");
	tree_link(tree, "/dev/mapper/secret", "../dm-1");
	make_block(tree, "md0", "/sys/devices/virtual/block/md0");
	make_block(tree, "sdz", "/sys/devices/platform/host9/session1/target9:0:0/9:0:0:1/block/sdz");
	make_block(tree, "nvme2n1", "/sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1");
	tree_directory(tree, "/sys/devices/virtual/nvme-fabrics/ctl/nvme2");
	tree_link(tree, "/sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2",
		  "/sys/devices/virtual/nvme-fabrics/ctl/nvme2");

	tree_text(tree, "/proc/sys/kernel/osrelease", RELEASE "\n");
}

static void put_program(const struct machine *machine, const char *path, const char *text)
{
	size_t size;
	void *data;

	static_program_make(text, &data, &size);
	tree_write(&machine->tree, path, data, size);
	free(data);
}

/* Building the modules takes a depmod run, so it happens once; each test gets a fresh plan and output. */
static int make_group(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	tree_make(&machine->tree);
	make_sysfs(&machine->tree);
	if (have_depmod())
		make_modules(&machine->tree);
	put_program(machine, "/build/capture", "the capture program");
	*state = machine;
	return 0;
}

static int remove_group(void **state)
{
	struct machine *machine = *state;

	tree_remove(&machine->tree);
	free(machine);
	return 0;
}

static int make_plan(void **state)
{
	struct machine *machine = *state;

	assert_no_error(kd_plan_init(&machine->plan));
	free(machine->plan.kernel_release);
	machine->plan.kernel_release = strdup(RELEASE);
	machine->plan.created = 1;
	snprintf(machine->capture, sizeof(machine->capture), "%s/build/capture", machine->tree.path);
	snprintf(machine->output, sizeof(machine->output), "%s/output/test.img", machine->tree.path);
	machine->request = (struct initramfs_request){
		.root = &machine->tree.root,
		.plan = &machine->plan,
		.capture = machine->capture,
		.output = machine->output,
	};
	machine->result = (struct initramfs_result){ 0 };
	return 0;
}

static int remove_plan(void **state)
{
	struct machine *machine = *state;

	kd_plan_free(&machine->plan);
	unlink(tree_path(&machine->tree, "/output/test.img"));
	unlink(tree_path(&machine->tree, "/output/test.img.hash"));
	return 0;
}

static void add_target(struct machine *machine, const char *type, const char *device)
{
	assert_no_error(kd_plan_add_target(&machine->plan, type, device, "", "/var/crash", 60));
}

static struct kd_error *build(struct machine *machine)
{
	return initramfs_build(&machine->request, &machine->result);
}

/* @names: blank-separated modules in the plan's order, as "name" or "name(options)". */
static void assert_modules(const struct machine *machine, const char *names)
{
	char all[1024] = "";
	size_t i, length = 0;

	for (i = 0; i < machine->plan.module_count; i++) {
		const struct kd_plan_module *module = &machine->plan.module[i];
		const char *name = strrchr(module->file, '/') + 1;
		bool options = module->options[0] != '\0';

		assert_string_equal(strstr(name, ".ko"), ".ko.gz");
		length += snprintf(all + length, sizeof(all) - length, "%s%.*s%s%s%s", i ? " " : "",
				   (int)strcspn(name, "."), name, options ? "(" : "", module->options,
				   options ? ")" : "");
		assert_true(length < sizeof(all));
	}
	assert_string_equal(all, names);
}

/* --- drivers and modules ------------------------------------------------------------------------------------------ */

#define VIRTIO_MODULES "virtio virtio_ring virtio_pci virtio_blk"
#define EXT4_MODULES   "crc32c_generic jbd2 ext4"

static void test_virtio_disk(void **state)
{
	static const char *const names[] = {
		"/dev/vda1",         "UUID=1111-2222",   "LABEL=my disk",
		"LABEL=\"my disk\"", "PARTUUID=0815-01", "/dev/disk/by-uuid/1111-2222",
	};
	struct machine *machine = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		remove_plan(state);
		make_plan(state);
		add_target(machine, "ext4", names[i]);
		assert_no_error(build(machine));
		assert_modules(machine, VIRTIO_MODULES " " EXT4_MODULES);
	}
}

static void test_each_module_once(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "ext4", "/dev/nvme0n1p2");
	add_target(machine, "ext4", "/dev/vda1");
	assert_no_error(build(machine));
	assert_modules(machine, "nvme_core nvme " EXT4_MODULES " " VIRTIO_MODULES);
}

static void test_nvme_multipath(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "btrfs", "/dev/nvme1n1");
	assert_no_error(build(machine));
	assert_modules(machine, "nvme_core nvme btrfs");
}

/* The handler that knows passive paths has to be there before the disks are. */
static void test_path_handler(void **state)
{
	static const char disk[] = SATA_DEVICE "/ata2/host1/target1:0:0/1:0:0:0/block/sdb";
	struct machine *machine = *state;
	struct tree *tree = &machine->tree;
	char *words[] = { (char *)"0", (char *)"8", (char *)"linear", (char *)"PATHS=naa.6", (char *)"0", NULL };

	make_block(tree, "sdb", disk);
	tree_text(tree, SATA_DEVICE "/ata2/host1/target1:0:0/1:0:0:0/block/sdb/device/dh_state", "alua\n");
	make_block(tree, "dm-7", "/sys/devices/virtual/block/dm-7");
	tree_text(tree, "/sys/devices/virtual/block/dm-7/dm/name", "mpatha\n");
	tree_text(tree, "/sys/devices/virtual/block/dm-7/dm/uuid", "mpath-36\n");
	tree_link(tree, "/sys/devices/virtual/block/dm-7/slaves/sdb", disk);
	add_target(machine, "xfs", "/dev/dm-7");
	assert_no_error(kd_plan_add_volume(&machine->plan, "dm", "mpatha", words));
	assert_no_error(build(machine));
	assert_modules(machine, "scsi_dh_alua dm_mod");
}

static void test_built_in(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "xfs", "/dev/sda1");
	assert_no_error(build(machine));
	assert_modules(machine, "");
}

/* mmc_block does not link its driver to itself, and other modules that answer to the device are not in use. */
static void test_driver_without_module_link(void **state)
{
	struct machine *machine = *state;

	tree_text(&machine->tree, SATA_DEVICE "/uevent",
		  "DRIVER=ahci\nMODALIAS=pci:v00008086d00002922sv0sd0bc01sc08i02\n");
	tree_text(&machine->tree, "/sys/module/lead/initstate", "live\n");
	add_target(machine, "xfs", "/dev/sda1");
	assert_no_error(build(machine));
	assert_modules(machine, "lead follow");
	tree_delete(&machine->tree, "/sys/module/lead/initstate");
	tree_delete(&machine->tree, SATA_DEVICE "/uevent");
}

/* Another kernel than the one that runs may have as a module what is built in here. */
static void test_other_kernel(void **state)
{
	struct machine *machine = *state;

	tree_text(&machine->tree, "/proc/sys/kernel/osrelease", "6.12.0-other\n");
	tree_text(&machine->tree, SATA_DEVICE "/uevent",
		  "DRIVER=ahci\nMODALIAS=pci:v0000AAAAd00002922sv0sd0bc01sc08i02\n");
	add_target(machine, "xfs", "/dev/sda1");
	assert_no_error(build(machine));
	assert_modules(machine, "nvme_core nvme");
	tree_delete(&machine->tree, SATA_DEVICE "/uevent");
	tree_text(&machine->tree, "/proc/sys/kernel/osrelease", RELEASE "\n");
}

static void test_options_and_blacklist(void **state)
{
	struct machine *machine = *state;

	tree_text(&machine->tree, "/etc/modprobe.d/test.conf",
		  "options ext4 a=1 b=2\noptions nvme c=3\nblacklist virtio_blk\ninstall virtio_pci /bin/false\n"
		  "install minix /bin/true\nalias fs-minix nothing\n");
	add_target(machine, "ext4", "/dev/vda1");
	assert_no_error(build(machine));
	assert_modules(machine, VIRTIO_MODULES " crc32c_generic jbd2 ext4(a=1 b=2)");
	add_target(machine, "minix", "/dev/vda1");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "no module for file system minix");
	tree_delete(&machine->tree, "/etc/modprobe.d/test.conf");
}

static void test_extra_modules(void **state)
{
	static char *const extra[] = { (char *)"nvme", (char *)"lead", (char *)"nosuch", NULL };
	struct machine *machine = *state;
	char *text = NULL;
	struct kd_log log;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	kd_log_init(&log, out, "test", KD_LOG_WARN);
	machine->request.extra_modules = extra;
	machine->request.log = &log;
	assert_no_error(build(machine));
	fclose(out);
	assert_modules(machine, "nvme_core nvme lead follow");
	assert_string_equal(text, "test: WARNING: Module nosuch not found\n");
	free(text);
}

static void test_active_watchdog(void **state)
{
	struct machine *machine = *state;
	const struct tree *tree = &machine->tree;

	make_device(tree, "/sys/devices/platform/iTCO_wdt", "iTCO_wdt", "iTCO_wdt");
	tree_text(tree, "/sys/devices/platform/iTCO_wdt/watchdog/watchdog0/state", "inactive\n");
	tree_link(tree, "/sys/class/watchdog/watchdog0", "/sys/devices/platform/iTCO_wdt/watchdog/watchdog0");
	assert_no_error(build(machine));
	assert_modules(machine, "");
	tree_text(tree, "/sys/devices/platform/iTCO_wdt/watchdog/watchdog0/state", "active\n");
	assert_no_error(build(machine));
	assert_modules(machine, "iTCO_wdt");
	/* Before the drivers that may take long. */
	add_target(machine, "ext4", "/dev/vda1");
	assert_no_error(build(machine));
	assert_modules(machine, "iTCO_wdt " VIRTIO_MODULES " crc32c_generic jbd2 ext4");
	tree_delete(tree, "/sys/class/watchdog/watchdog0");
}

/* Watchdogs that no device leads to: a super I/O chip's, and the BMC's. */
static void test_hidden_watchdogs(void **state)
{
	struct machine *machine = *state;
	const struct tree *tree = &machine->tree;

	tree_delete(tree, "/sys/module/iTCO_wdt"); /* which make_device() has left */
	tree_text(tree, "/sys/devices/virtual/watchdog/watchdog0/state", "active\n");
	tree_link(tree, "/sys/class/watchdog/watchdog0", "/sys/devices/virtual/watchdog/watchdog0");
	tree_text(tree, "/sys/module/softdog/initstate", "live\n");
	assert_no_error(build(machine));
	assert_modules(machine, "");
	tree_text(tree, "/sys/module/iTCO_wdt/initstate", "live\n");
	assert_no_error(build(machine));
	assert_modules(machine, "iTCO_wdt");
	tree_delete(tree, "/sys/class/watchdog/watchdog0");
	tree_text(tree, "/sys/module/ipmi_watchdog/initstate", "live\n");
	assert_no_error(build(machine));
	assert_modules(machine, "ipmi_si ipmi_watchdog");
	tree_delete(tree, "/sys/module/ipmi_watchdog/initstate");
	tree_delete(tree, "/sys/module/ipmi_watchdog");
}

/* The store that the kernel takes for the record of the capture: the one that is in use here, else EFI's. */
static void test_pstore(void **state)
{
	static const char backend[] = "/sys/module/pstore/parameters/backend";
	struct machine *machine = *state;
	const struct tree *tree = &machine->tree;

	assert_no_error(build(machine));
	assert_modules(machine, "");
	tree_text(tree, "/sys/firmware/efi/runtime", "0x1\n");
	assert_no_error(build(machine));
	assert_modules(machine, "efi_pstore");
	tree_text(tree, backend, "(null)\n");
	assert_no_error(build(machine));
	assert_modules(machine, "efi_pstore");
	tree_text(tree, backend, "efi\n"); /* its name before Linux 6.2 */
	assert_no_error(build(machine));
	assert_modules(machine, "efi_pstore");
	tree_text(tree, backend, "ramoops\n");
	assert_no_error(build(machine));
	assert_modules(machine, "ramoops");
	tree_text(tree, backend, "erst\n"); /* built in, and first */
	assert_no_error(build(machine));
	assert_modules(machine, "");
	tree_text(tree, backend, "(null)\n");
	machine->plan.pstore = false;
	assert_no_error(build(machine));
	assert_modules(machine, "");
	tree_delete(tree, backend);
	tree_delete(tree, "/sys/firmware/efi/runtime");
}

/* Add @name to the modules, and find the firmware of all of them. */
static void find_firmware(struct machine *machine, const char *name, struct firmware *ret)
{
	_cleanup_(modules_close) struct modules *modules = NULL;
	bool found;

	assert_no_error(modules_open(&machine->tree.root, RELEASE, &modules));
	assert_no_error(modules_add(modules, name, &found));
	assert_true(found);
	assert_no_error(firmware_find(&machine->tree.root, RELEASE, modules, ret));
}

static void expect_firmware(struct machine *machine, const char *expected)
{
	_cleanup_(firmware_free) struct firmware firmware = { 0 };
	char text[512] = "";

	find_firmware(machine, "qla", &firmware);
	for (size_t i = 0; i < firmware.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "",
			 firmware.file[i].path);
	assert_string_equal(text, expected);
}

/* The kernel looks for each form of a file in all places before it looks for the next form. */
static void test_firmware_places(void **state)
{
	static const struct {
		const char *file, *expected;
	} steps[] = {
		{ "/usr/lib/firmware/ql/one.bin", "/usr/lib/firmware/ql/one.bin" },
		{ "/lib/firmware/ql/one.bin.xz", "/usr/lib/firmware/ql/one.bin" },
		{ "/lib/firmware/ql/one.bin", "/lib/firmware/ql/one.bin" },
		{ "/lib/firmware/" RELEASE "/ql/one.bin", "/lib/firmware/" RELEASE "/ql/one.bin" },
		{ "/lib/firmware/updates/ql/one.bin", "/lib/firmware/updates/ql/one.bin" },
		{ "/lib/firmware/updates/" RELEASE "/ql/one.bin", "/lib/firmware/updates/" RELEASE "/ql/one.bin" },
		{ "/lib/firmware/ql/two.bin.zst",
		  "/lib/firmware/updates/" RELEASE "/ql/one.bin /lib/firmware/ql/two.bin.zst" },
	};
	struct machine *machine = *state;
	const struct tree *tree = &machine->tree;

	expect_firmware(machine, "");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		tree_text(tree, steps[i].file, "firmware");
		expect_firmware(machine, steps[i].expected);
	}
	tree_text(tree, "/srv/fw/ql/one.bin", "firmware");
	tree_text(tree, "/sys/module/firmware_class/parameters/path", "/srv/fw\n");
	expect_firmware(machine, "/srv/fw/ql/one.bin /lib/firmware/ql/two.bin.zst");
	tree_delete(tree, "/sys/module/firmware_class/parameters/path");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		tree_delete(tree, steps[i].file);
	/* A pattern stands for what it matches, once. */
	tree_text(tree, "/lib/firmware/ql/x1-y.1.bin", "");
	tree_text(tree, "/lib/firmware/ql/x1-y.1.bin.xz", "");
	tree_text(tree, "/lib/firmware/ql/x-y.2.bin.xz", "");
	tree_text(tree, "/lib/firmware/ql/x-y.23.bin", "");
	tree_link(tree, "/lib/firmware/ql/xx-y.3.bin", "/lib/firmware/ql/x1-y.1.bin");
	expect_firmware(machine,
			"/lib/firmware/ql/x-y.2.bin.xz /lib/firmware/ql/x1-y.1.bin /lib/firmware/ql/xx-y.3.bin");
	tree_delete(tree, "/lib/firmware/ql/x1-y.1.bin");
	tree_delete(tree, "/lib/firmware/ql/x1-y.1.bin.xz");
	tree_delete(tree, "/lib/firmware/ql/x-y.2.bin.xz");
	tree_delete(tree, "/lib/firmware/ql/xx-y.3.bin");
}

static void test_firmware_missing(void **state)
{
	_cleanup_(firmware_free) struct firmware some = { 0 }, none = { 0 };
	struct machine *machine = *state;

	tree_text(&machine->tree, "/lib/firmware/ql/two.bin", "");
	find_firmware(machine, "qla", &some);
	assert_int_equal(some.missing.count, 2);
	assert_string_equal(some.missing.name[0], "qla: ql/one.bin");
	assert_string_equal(some.missing.name[1], "qla: ql/x*-y.?.bin");
	assert_int_equal(some.destitute.count, 0);
	tree_delete(&machine->tree, "/lib/firmware/ql/two.bin");
	find_firmware(machine, "nic", &none);
	assert_int_equal(none.count, 0);
	assert_int_equal(none.destitute.count, 1);
	assert_string_equal(none.destitute.name[0], "nic");
}

static void test_stacks_are_refused(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "ext4", "/dev/mapper/secret");
	assert_error(build(machine), KD_ERR_UNSUPPORTED,
		     "cannot assemble dm-1 (encrypted volume) on dm-0 (LVM logical volume) on vda1 in the capture");
	remove_plan(state);
	make_plan(state);
	add_target(machine, "xfs", "/dev/md0");
	assert_error(build(machine), KD_ERR_UNSUPPORTED, "cannot assemble md0 (software RAID) in the capture kernel");
	assert_int_not_equal(access(machine->output, F_OK), 0);
}

static void add_volume(struct machine *machine, const char *kind, const char *name, const char *table)
{
	_cleanup_free_ char **words = kd_split_words(table, NULL);

	assert_no_error(kd_plan_add_volume(&machine->plan, kind, name, words));
}

/* The stack of the test above, with volumes in the plan: the disk's drivers, then what puts each layer together. */
static void test_volumes(void **state)
{
	struct machine *machine = *state;

	tree_text(&machine->tree, "/sys/devices/virtual/block/dm-0/dm/name", "vg-root\n");
	tree_text(&machine->tree, "/sys/devices/virtual/block/dm-1/dm/name", "secret\n");
	tree_text(&machine->tree, "/proc/crypto",
		  "name         : xts(aes)\ndriver       : xts-aes-aesni\nmodule       : aesni_intel\n\n"
		  "name         : aes\ndriver       : aes-generic\nmodule       : kernel\n\n"
		  "name         : crc32c\ndriver       : crc32c-generic\nmodule       : crc32c_generic\n");
	add_volume(machine, "dm", "vg-root", "0 8 linear UUID=x 2048 ; 8 8 thin volume:pool 1");
	add_volume(machine, "dm", "secret", "0 8 crypt aes-xts-plain64 key:secret 0 volume:vg-root 0");
	add_target(machine, "xfs", "/dev/mapper/secret");
	assert_no_error(build(machine));
	assert_modules(machine, VIRTIO_MODULES " dm_mod dm_thin_pool dm_crypt aesni_intel xts ecb");

	remove_plan(state);
	make_plan(state);
	tree_link(&machine->tree, "/sys/devices/virtual/block/md0/slaves/vda1",
		  VIRTIO_DEVICE "/virtio1/block/vda/vda1");
	add_volume(machine, "md", "md0", "raid1 1.2 UUID_SUB=a UUID_SUB=b");
	add_target(machine, "xfs", "/dev/md0");
	assert_no_error(build(machine));
	assert_modules(machine, VIRTIO_MODULES " md_mod raid1");

	/* A log on another disk. */
	remove_plan(state);
	make_plan(state);
	add_volume(machine, "device", "logdev0-of-1", "/dev/vda1");
	add_target(machine, "xfs", "/dev/nvme1n1");
	assert_no_error(build(machine));
	assert_modules(machine, "nvme_core nvme " VIRTIO_MODULES);

	/* Which kind of RAID is in the table only. */
	remove_plan(state);
	make_plan(state);
	add_volume(machine, "dm", "vg-root", "0 8 raid raid1 1 0 1 - UUID=x ; 8 8 raid raid6_zr 1 64 1 - UUID=y");
	add_volume(machine, "dm", "secret", "0 8 linear volume:vg-root 0");
	add_target(machine, "xfs", "/dev/mapper/secret");
	assert_no_error(build(machine));
	assert_modules(machine, VIRTIO_MODULES " dm_mod md_mod dm_raid raid1 raid456");

	remove_plan(state);
	make_plan(state);
	add_volume(machine, "dm", "vg-root", "0 8 flakey 8:0 0");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "no module dm-flakey");
}

/* Secrets are not in the image, but in an archive of their own, for memory. */
static void test_secrets(void **state)
{
	struct machine *machine = *state;
	const struct secret_file file[] = { { "/etc/kdump.keys/one", "0123", 4 }, { "/two", "01234", 5 } };
	_cleanup_free_ char *path = NULL, *listing = NULL;
	_cleanup_secret_ char *archive = NULL;
	size_t size, length;
	FILE *out;

	assert_no_error(secrets_archive(file, 0, &archive, &size));
	assert_null(archive);
	assert_int_equal(size, 0);
	assert_no_error(secrets_archive(file, ARRAY_SIZE(file), &archive, &size));
	assert_int_equal(size % 4, 0);
	tree_write(&machine->tree, "/secrets", archive, size);
	path = kd_sysroot_path(&machine->tree.root, "/secrets");
	assert_non_null(path);
	out = open_memstream(&listing, &length);
	assert_non_null(out);
	assert_no_error(image_list(path, out));
	assert_int_equal(fclose(out), 0);
	assert_string_equal(listing, "drwxr-xr-x          0 /etc\n"
				     "drwxr-xr-x          0 /etc/kdump.keys\n"
				     "-rw-------          4 /etc/kdump.keys/one\n"
				     "-rw-------          5 /two\n");
	assert_memory_equal(memmem(archive, size, "two\0", 4),
			    "two\0\0\0"
			    "01234\0\0\0",
			    14);
}

static void test_remote_disks_are_refused(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "ext4", "/dev/sdz");
	assert_error(build(machine), KD_ERR_UNSUPPORTED, "sdz is an iSCSI disk");
	remove_plan(state);
	make_plan(state);
	add_target(machine, "ext4", "/dev/nvme2n1");
	assert_error(build(machine), KD_ERR_UNSUPPORTED, "nvme2 is an NVMe over Fabrics disk");
}

/* With the login in the plan they are not. */
static void test_served_disks(void **state)
{
	struct machine *machine = *state;
	struct tree *tree = &machine->tree;
	char *iscsi[] = { (char *)"DISK=naa.1",
			  (char *)"192.0.2.1",
			  (char *)"3260",
			  (char *)"iqn.x",
			  (char *)"1",
			  (char *)"iqn.y",
			  NULL };
	char *nvme[] = { (char *)"DISK=uuid.2",
			 (char *)"192.0.2.1",
			 (char *)"4420",
			 (char *)"nqn.x",
			 (char *)"nqn.y",
			 (char *)"1",
			 NULL };

	tree_text(tree, "/sys/devices/platform/host9/session1/target9:0:0/9:0:0:1/block/sdz/device/wwid", "naa.1\n");
	tree_text(tree, "/sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1/wwid", "uuid.2\n");
	add_target(machine, "xfs", "/dev/sdz");
	add_target(machine, "xfs", "/dev/nvme2n1");
	assert_no_error(kd_plan_add_volume(&machine->plan, "iscsi", "naa.1@192.0.2.1", iscsi));
	assert_no_error(kd_plan_add_volume(&machine->plan, "nvme", "uuid.2@192.0.2.1", nvme));
	assert_no_error(build(machine));
	assert_modules(machine, "crc32c_generic iscsi_tcp nvme_tcp");
}

/* An RDMA device of software needs checksums, an adapter's only its module. */
static void test_rdma(void **state)
{
	static const struct {
		const char *module, *type, *expected;
	} cases[] = {
		{ "rdma_rxe", "rxe", "crc32_generic crc32c_generic rdma_rxe nvme_rdma" },
		{ "mlx5_ib", NULL, "mlx5_ib nvme_rdma" },
	};
	struct machine *machine = *state;
	char *nvme[] = { (char *)"DISK=uuid.2",
			 (char *)"10.9.0.1",
			 (char *)"4420",
			 (char *)"nqn.x",
			 (char *)"nqn.y",
			 (char *)"1",
			 NULL };

	tree_text(&machine->tree, "/sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1/wwid", "uuid.2\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *words[] = { (char *)cases[i].module, (char *)cases[i].type, NULL };

		if (i) {
			remove_plan(state);
			make_plan(state);
		}
		add_target(machine, "xfs", "/dev/nvme2n1");
		assert_no_error(kd_plan_add_network(&machine->plan, "rdma", "eth0", words));
		assert_no_error(kd_plan_add_volume(&machine->plan, "nvme-rdma", "uuid.2@10.9.0.1", nvme));
		assert_no_error(build(machine));
		assert_modules(machine, cases[i].expected);
	}
	assert_no_error(kd_plan_add_network(&machine->plan, "rdma", "eth0", (char *const[]){ (char *)"qedr", NULL }));
	assert_error(build(machine), KD_ERR_NOT_FOUND, "network link eth0: kernel");
	remove_plan(state);
	make_plan(state);
	assert_no_error(kd_plan_add_network(&machine->plan, "rdma", "eth0", (char *const[]){ NULL }));
	assert_error(build(machine), KD_ERR_FORMAT, "its line in the plan names no module");
}

/* A kernel that has a file system does not make it a target that the capture can mount. */
static void test_unknown_type(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "vfat", "/dev/vda1");
	assert_error(build(machine), KD_ERR_UNSUPPORTED, "the capture cannot mount vfat; choose a target with ext2");
}

static void test_btrfs_of_two_devices(void **state)
{
	struct machine *machine = *state;

	tree_directory(&machine->tree, "/sys/fs/btrfs/abc/devices/vda1");
	tree_directory(&machine->tree, "/sys/fs/btrfs/abc/devices/sda1");
	add_target(machine, "btrfs", "/dev/vda1");
	assert_error(build(machine), KD_ERR_UNSUPPORTED, "spans 2 devices");
	tree_delete(&machine->tree, "/sys/fs/btrfs/abc/devices/sda1");
	assert_no_error(build(machine));
}

static void test_missing_things(void **state)
{
	struct machine *machine = *state;

	add_target(machine, "ext4", "UUID=dead");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "there is no device UUID=dead");
	remove_plan(state);
	make_plan(state);
	add_target(machine, "ext4", "vda1");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "vda1 is not a device: write /dev/");
	remove_plan(state);
	make_plan(state);
	add_target(machine, "minix", "/dev/vda1");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "no module for file system minix");
	remove_plan(state);
	make_plan(state);
	tree_link(&machine->tree, "/sys/devices/pci0000:00/driver", "/sys/bus/drivers/odd");
	tree_directory(&machine->tree, "/sys/module/odd");
	tree_link(&machine->tree, "/sys/bus/drivers/odd/module", "/sys/module/odd");
	add_target(machine, "ext4", "/dev/vda1");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "has no module odd, which drives /sys/devices/pci0000:00 here");
	tree_delete(&machine->tree, "/sys/devices/pci0000:00/driver");
}

/* Files of a package that was unpacked while the machine lost its power: found now, not at the crash. */
static void test_damaged_files(void **state)
{
	static const char *const modules[] = { "/fs/jbd2.ko", "/fs/ext4.ko" }, *const programs[] = { "", "-init" };
	struct machine *machine = *state;
	size_t size, i, cut;
	void *data;

	add_target(machine, "ext4", "/dev/vda1");
	put_program(machine, "/build/capture-init", "expands it");
	assert_no_error(build(machine));
	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		char path[128];

		snprintf(path, sizeof(path), MODULES "/kernel%s", modules[i]);
		tree_read(&machine->tree, path, (char **)&data, &size);
		for (cut = 0; cut < size; cut += cut < 64 ? 1 : 101) {
			tree_write(&machine->tree, path, data, cut);
			assert_error(build(machine), KD_ERR_FORMAT, "install its package again");
			assert_error(build(machine), KD_ERR_FORMAT, modules[i]);
		}
		tree_write(&machine->tree, path, data, size);
		((unsigned char *)data)[18] = 183; /* e_machine: EM_AARCH64 */
		tree_write(&machine->tree, path, data, size);
		assert_error(build(machine), KD_ERR_FORMAT, "another architecture (ELF machine 183)");
		((unsigned char *)data)[18] = 62;
		tree_write(&machine->tree, path, data, size);
		free(data);
	}
	static_program_make("x", &data, &size);
	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/build/capture%s", programs[i]);
		for (cut = 0; cut < size; cut++) {
			tree_write(&machine->tree, path, data, cut);
			assert_error(build(machine), KD_ERR_FORMAT, "capture program: ");
		}
		tree_text(&machine->tree, path, "#!/bin/sh\n");
		assert_error(build(machine), KD_ERR_FORMAT, "is not an ELF file of 64 bits");
		put_program(machine, path, "the capture program");
	}
	free(data);
	program_make("/lib64/ld.so", NULL, NULL, "libc.so.6", true, &data, &size);
	tree_write(&machine->tree, "/build/capture", data, size);
	assert_error(build(machine), KD_ERR_FORMAT, "link it with -static");
	free(data);
	tree_delete(&machine->tree, "/build/capture-init");
	put_program(machine, "/build/capture", "the capture program");
	assert_no_error(build(machine));
}

/* The file that is damaged is named, and what to do. */
static void test_damaged_index(void **state)
{
	static const struct {
		const char *file, *text, *why;
	} cases[] = {
		{ MODULES "/modules.builtin.bin", "", MODULES "/modules.builtin.bin is empty" },
		{ MODULES "/modules.dep.bin", "\xb0\x07\xf4\x57", MODULES "/modules.dep.bin ends after 4 bytes" },
		{ MODULES "/modules.alias.bin", "something quite different",
		  MODULES "/modules.alias.bin is not an index" },
		{ MODULES "/modules.symbols.bin", NULL, MODULES "/modules.symbols.bin does not exist" },
	};
	struct machine *machine = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kd_error *err;

		if (cases[i].text)
			tree_text(&machine->tree, cases[i].file, cases[i].text);
		else
			tree_delete(&machine->tree, cases[i].file);
		err = build(machine);
		run_depmod(&machine->tree);
		assert_non_null(err);
		assert_non_null(strstr(err->text, "run \"depmod " RELEASE "\""));
		assert_error(err, cases[i].text ? KD_ERR_FORMAT : KD_ERR_NOT_FOUND, cases[i].why);
	}
}

static void test_missing_kernel(void **state)
{
	struct machine *machine = *state;

	free(machine->plan.kernel_release);
	machine->plan.kernel_release = strdup("1.2.3");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "no modules for kernel 1.2.3");
	tree_directory(&machine->tree, "/lib/modules/1.2.3");
	assert_error(build(machine), KD_ERR_NOT_FOUND, "run \"depmod 1.2.3\"");
	free(machine->plan.kernel_release);
	machine->plan.kernel_release = strdup("../../etc");
	assert_error(build(machine), KD_ERR_USAGE, "is not a kernel release");
}

/* --- the image ---------------------------------------------------------------------------------------------------- */

/* The content of @path in the archive at @output; fails the test if it is not there. */
static char *archived(const char *output, const char *path, size_t *size_ret)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	char *data = NULL;

	archive_read_support_filter_all(archive);
	archive_read_support_format_cpio(archive);
	assert_int_equal(archive_read_open_filename(archive, output, 4096), ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
		assert_int_equal(archive_entry_mtime(entry), 0);
		assert_int_equal(archive_entry_uid(entry), 0);
		assert_int_equal(archive_entry_gid(entry), 0);
		if (strcmp(archive_entry_pathname(entry), path) != 0)
			continue;
		*size_ret = archive_entry_size(entry);
		data = calloc(1, *size_ret + 1);
		assert_int_equal(archive_read_data(archive, data, *size_ret), *size_ret);
	}
	archive_read_free(archive);
	if (!data)
		fail_msg("%s is not in the archive", path);
	return data;
}

static void assert_in_image(const struct machine *machine, const char *path, const void *content, size_t size)
{
	size_t found_size;
	char *found = archived(machine->output, path, &found_size);

	assert_int_equal(found_size, size);
	assert_memory_equal(found, content, size);
	free(found);
}

static void assert_program_in_image(const struct machine *machine, const char *path, const char *text)
{
	size_t size;
	void *data;

	static_program_make(text, &data, &size);
	assert_in_image(machine, path, data, size);
	free(data);
}

static void assert_listed(const char *path, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_no_error(image_list(path, out));
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_content(void **state)
{
	struct machine *machine = *state;
	char *plan, expected[2048], *old;
	struct stat st;
	size_t size;

	add_target(machine, "btrfs", "/dev/sda1");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	assert_no_error(kd_plan_format(&machine->plan, &plan));
	assert_in_image(machine, "etc/kdump.plan", plan, strlen(plan));
	assert_program_in_image(machine, "init", "the capture program");
	assert_int_equal(stat(machine->output, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(machine->result.image_size, st.st_size);
	assert_int_equal(machine->result.unpacked_size, 3 * 4096);
	old = archived(machine->output, "lib/modules/btrfs.ko.gz", &size);
	snprintf(expected, sizeof(expected),
		 "drwxr-xr-x          0 /dev\n"
		 "crw-------          0 /dev/console\n"
		 "drwxr-xr-x          0 /etc\n"
		 "-rw------- %10zu /etc/kdump.plan\n"
		 "-rwxr-xr-x        139 /init\n"
		 "drwxr-xr-x          0 /lib\n"
		 "drwxr-xr-x          0 /lib/modules\n"
		 "-rw------- %10zu /lib/modules/btrfs.ko.gz\n"
		 "drwx------          0 /mnt\n"
		 "dr-xr-xr-x          0 /proc\n"
		 "drwxr-xr-x          0 /run\n"
		 "dr-xr-xr-x          0 /sys\n"
		 "drwxrwxrwt          0 /tmp\n",
		 strlen(plan), size);
	assert_listed(machine->output, expected);
	free(old);
	free(plan);
}

/* Whatever a module is compressed with on disk, the image holds one gzip member that expands to the same bytes. */
static void test_compressed_modules(void **state)
{
	struct machine *machine = *state;
	size_t size, packed_size, stored_size, expanded_size;
	char *module, *packed, *stored;
	void *expanded;
	int i;

	tree_read(&machine->tree, MODULES "/kernel/fs/btrfs.ko", &module, &size);
	add_target(machine, "btrfs", "/dev/sda1");
	for (i = 0; i < 2; i++) {
		assert_no_error(build(machine));
		stored = archived(machine->output, "lib/modules/btrfs.ko.gz", &stored_size);
		assert_no_error(kd_decompress_gzip(stored, stored_size, 1 << 20, "module", &expanded, &expanded_size));
		assert_int_equal(expanded_size, size);
		assert_memory_equal(expanded, module, size);
		free(expanded);
		free(stored);
		if (i)
			break;
		packed = malloc(ZSTD_compressBound(size));
		packed_size = ZSTD_compress(packed, ZSTD_compressBound(size), module, size, 3);
		tree_write(&machine->tree, MODULES "/kernel/fs/btrfs.ko", packed, packed_size);
		free(packed);
	}
	assert_true(machine->result.rebuilt);
	tree_write(&machine->tree, MODULES "/kernel/fs/btrfs.ko", module, size);
	free(module);
}

/* A file that the kernel cannot expand, or perhaps cannot, is expanded. */
static void test_firmware_in_image(void **state)
{
	static const struct {
		const char *config;
		bool kept;
	} rows[] = {
		{ NULL, false },
		{ "CONFIG_FW_LOADER_COMPRESS=y\nCONFIG_FW_LOADER_COMPRESS_XZ=y\n", false },
		{ "CONFIG_FW_LOADER_COMPRESS_ZSTD=y\n", true },
	};
	static char *const extra[] = { (char *)"qla", NULL };
	struct machine *machine = *state;
	char packed[256];
	size_t packed_size = ZSTD_compress(packed, sizeof(packed), "two", 3, 3);

	machine->request.extra_modules = extra;
	tree_text(&machine->tree, "/lib/firmware/ql/one.bin", "one");
	tree_write(&machine->tree, "/lib/firmware/ql/two.bin.zst", packed, packed_size);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].config)
			tree_text(&machine->tree, "/boot/config-" RELEASE, rows[i].config);
		machine->request.force = true;
		assert_no_error(build(machine));
		assert_in_image(machine, "lib/firmware/ql/one.bin", "one", 3);
		if (rows[i].kept)
			assert_in_image(machine, "lib/firmware/ql/two.bin.zst", packed, packed_size);
		else
			assert_in_image(machine, "lib/firmware/ql/two.bin", "two", 3);
	}
	/* A changed file makes a new image, an unchanged one does not. */
	machine->request.force = false;
	assert_no_error(build(machine));
	assert_false(machine->result.rebuilt);
	tree_text(&machine->tree, "/lib/firmware/ql/one.bin", "uno");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	tree_text(&machine->tree, "/lib/firmware/ql/two.bin.zst", "not zstd");
	tree_delete(&machine->tree, "/boot/config-" RELEASE);
	assert_error(build(machine), KD_ERR_FORMAT, "ql/two.bin.zst is not compressed as its name says");
	tree_delete(&machine->tree, "/lib/firmware/ql/two.bin.zst");
	tree_delete(&machine->tree, "/lib/firmware/ql/one.bin");
}

/* Built-in drivers ask for theirs once the image is unpacked. */
static void test_firmware_of_built_in(void **state)
{
	struct machine *machine = *state;

	tree_text(&machine->tree, "/lib/firmware/ahci.bin", "built in");
	machine->request.extra_modules = (char *[]){ (char *)"ahci", NULL };
	assert_no_error(build(machine));
	assert_in_image(machine, "lib/firmware/ahci.bin", "built in", 8);
	tree_delete(&machine->tree, "/lib/firmware/ahci.bin");
}

static void test_extra_files(void **state)
{
	static const struct {
		const char *path, *why;
		enum kd_error_code code;
	} bad[] = {
		{ "etc/relative", "extra_files: etc/relative is not an absolute path", KD_ERR_CONFIG },
		{ "/etc/gone", "/etc/gone does not exist", KD_ERR_NOT_FOUND },
		{ "/etc/app", "/etc/app is not a regular file: name the files in it", KD_ERR_CONFIG },
		{ "/init", "the image has files of its own at /init: copy the file", KD_ERR_CONFIG },
		{ "/etc/kdump.plan", "files of its own at /etc/kdump.plan", KD_ERR_CONFIG },
		{ "/etc/to-init", "files of its own at /etc/to-init", KD_ERR_CONFIG },
		{ "/run/x", "files of its own at /run/x", KD_ERR_CONFIG },
	};
	static char *const files[] = { (char *)"/etc/app/secret", (char *)"/etc/app.conf", (char *)"/initial", NULL };
	struct machine *machine = *state;
	const struct tree *tree = &machine->tree;
	char *listing = NULL;
	size_t size;
	FILE *out;

	tree_text(tree, "/etc/app/secret", "secret");
	tree_mode(tree, "/etc/app/secret", 0400);
	tree_mode(tree, "/etc/app", 0700);
	tree_text(tree, "/usr/share/app.conf", "conf");
	tree_mode(tree, "/usr/share/app.conf", 04755);
	tree_link(tree, "/etc/app.conf", "/usr/share/app.conf");
	tree_text(tree, "/initial", "its name only begins as one of the image's own");
	tree_text(tree, "/init", "");
	tree_text(tree, "/run/x", "");
	tree_text(tree, "/etc/kdump.plan", "");
	tree_link(tree, "/etc/to-init", "../init");
	machine->request.extra_files = files;
	assert_no_error(build(machine));
	assert_in_image(machine, "etc/app/secret", "secret", 6);
	assert_in_image(machine, "usr/share/app.conf", "conf", 4);
	assert_program_in_image(machine, "init", "the capture program");
	out = open_memstream(&listing, &size);
	assert_no_error(image_list(machine->output, out));
	fclose(out);
	assert_non_null(strstr(listing, "drwx------          0 /etc/app\n"));
	assert_non_null(strstr(listing, "-r--------          6 /etc/app/secret\n"));
	assert_non_null(strstr(listing, "-rwsr-xr-x          4 /usr/share/app.conf\n"));
	assert_non_null(strstr(listing, " /etc/app.conf -> /usr/share/app.conf\n"));
	free(listing);
	/* A changed file, and a changed mode, make a new image. */
	assert_no_error(build(machine));
	assert_false(machine->result.rebuilt);
	tree_mode(tree, "/etc/app/secret", 0440);
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	tree_text(tree, "/usr/share/app.conf", "more");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		machine->request.extra_files = (char *[]){ (char *)bad[i].path, NULL };
		assert_error(build(machine), bad[i].code, bad[i].why);
	}
	tree_delete(tree, "/init");
}

static void test_compressed_archives(void **state)
{
	static const struct {
		enum image_compression compression;
		const char *magic;
		size_t magic_size;
	} rows[] = {
		{ IMAGE_COMPRESSION_NONE, "070701", 6 },
		{ IMAGE_COMPRESSION_GZIP, "\x1f\x8b", 2 },
		{ IMAGE_COMPRESSION_ZSTD, "\x28\xb5\x2f\xfd", 4 },
	};
	struct machine *machine = *state;
	size_t i, size, again_size;
	char *image, *again;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		machine->request.compression = rows[i].compression;
		assert_no_error(build(machine));
		assert_true(machine->result.rebuilt);
		tree_read(&machine->tree, "/output/test.img", &image, &size);
		assert_memory_equal(image, rows[i].magic, rows[i].magic_size);
		/* zstd's window (RFC 8878, 3.1.1.1.2) is memory that the capture kernel must spare: at most 1 MiB. */
		if (rows[i].compression == IMAGE_COMPRESSION_ZSTD)
			assert_in_range(10 + ((uint8_t)image[5] >> 3), 10, 20);
		assert_program_in_image(machine, "init", "the capture program");
		machine->request.force = true;
		assert_no_error(build(machine));
		machine->request.force = false;
		assert_true(machine->result.rebuilt);
		tree_read(&machine->tree, "/output/test.img", &again, &again_size);
		assert_int_equal(again_size, size);
		assert_memory_equal(again, image, size);
		free(image);
		free(again);
	}
}

static void test_kernel_cannot_expand(void **state)
{
	static const struct {
		const char *path, *config, *magic;
	} rows[] = {
		{ "/boot/config-" RELEASE, "# CONFIG_RD_GZIP is not set\nCONFIG_RD_ZSTD=y\n", "0707" },
		{ "/boot/config-" RELEASE, "CONFIG_X=y\nCONFIG_RD_GZIP=y\n", "\x1f\x8b" },
		{ MODULES "/config", "CONFIG_X=y\n", "0707" },
	};
	struct machine *machine = *state;
	size_t i, size;
	char *image;

	machine->request.compression = IMAGE_COMPRESSION_GZIP;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tree_text(&machine->tree, rows[i].path, rows[i].config);
		assert_no_error(build(machine));
		tree_read(&machine->tree, "/output/test.img", &image, &size);
		assert_memory_equal(image, rows[i].magic, strlen(rows[i].magic));
		free(image);
		tree_delete(&machine->tree, rows[i].path);
	}
}

static void test_unchanged_is_not_rebuilt(void **state)
{
	struct machine *machine = *state;
	char hash[HASH_TEXT_SIZE];

	add_target(machine, "ext4", "/dev/vda1");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	strcpy(hash, machine->result.hash);
	machine->plan.created = 99;
	assert_no_error(build(machine));
	assert_false(machine->result.rebuilt);
	assert_string_equal(machine->result.hash, hash);
	assert_modules(machine, VIRTIO_MODULES " " EXT4_MODULES);

	machine->plan.deadline++;
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	assert_string_not_equal(machine->result.hash, hash);
	put_program(machine, "/build/capture", "another capture");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	put_program(machine, "/build/capture", "the capture program");
	machine->request.force = true;
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
}

/* With the program that expands it beside it, the capture program goes in compressed. */
static void test_compressed_capture(void **state)
{
	struct machine *machine = *state;
	_cleanup_free_ void *plain = NULL;
	size_t size, plain_size;
	char *member;

	put_program(machine, "/build/capture-init", "expands it");
	assert_no_error(build(machine));
	assert_program_in_image(machine, "init", "expands it");
	member = archived(machine->output, "capture.gz", &size);
	assert_no_error(kd_decompress_gzip(member, size, 200, "capture.gz", &plain, &plain_size));
	assert_int_equal(plain_size, 139);
	assert_memory_equal((char *)plain + 120, "the capture program", 19);
	free(member);
}

static void test_damaged_image_is_rebuilt(void **state)
{
	struct machine *machine = *state;
	size_t size;
	char *image;

	assert_no_error(build(machine));
	tree_read(&machine->tree, "/output/test.img", &image, &size);
	image[size / 2] ^= 1;
	tree_write(&machine->tree, "/output/test.img", image, size);
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	tree_write(&machine->tree, "/output/test.img", image, size - 1);
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	tree_delete(&machine->tree, "/output/test.img");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	tree_text(&machine->tree, "/output/test.img.hash", "garbage");
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	assert_no_error(build(machine));
	assert_false(machine->result.rebuilt);
	free(image);
}

static void test_no_rebuild(void **state)
{
	struct machine *machine = *state;

	machine->request.no_rebuild = true;
	assert_no_error(build(machine));
	assert_true(machine->result.rebuilt);
	machine->plan.deadline++;
	assert_no_error(build(machine));
	assert_false(machine->result.rebuilt);
}

static void test_conflicting_kinds(void **state)
{
	struct image *image;

	assert_no_error(image_new(&image));
	assert_no_error(image_add_symlink(image, "/a", "/b"));
	assert_no_error(image_add_symlink(image, "/a", "/b"));
	assert_error(image_add_directory(image, "/a", 0755), KD_ERR_FORMAT, "/a would be two kinds of file");
	assert_error(image_add_directory(image, "a", 0755), KD_ERR_FORMAT, "\"a\" is not a path");
	image_free(image);
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

#define LOADER "/lib64/ld.so"

static void write_program(const struct tree *tree, const char *path, const char *interpreter, const char *runpath,
			  const char *needed, bool elf64)
{
	size_t size;
	void *data;

	program_make(interpreter, NULL, runpath, needed, elf64, &data, &size);
	tree_write(tree, path, data, size);
	free(data);
}

/* Paths in @image and where its links lead, in one line. */
static void assert_closure(struct image *image, const char *expected)
{
	char path[] = "/tmp/kdump-image.XXXXXX", *text = NULL, all[1024] = "", *line, *rest;
	uint64_t unpacked;
	size_t size;
	void *data;
	FILE *out;
	int fd;

	assert_no_error(image_build(image, IMAGE_COMPRESSION_NONE, &data, &size, &unpacked));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	free(data);
	out = open_memstream(&text, &size);
	assert_no_error(image_list(path, out));
	fclose(out);
	unlink(path);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		if (*line == '\0' || *line == 'd')
			continue;
		strncat(all, strchr(line, '/'), sizeof(all) - strlen(all) - 2);
		strcat(all, "\n");
	}
	assert_string_equal(all, expected);
	free(text);
}

/* RPATH: the older kind of search path, which is inherited and which a RUNPATH beside it overrides. */
static void write_rpath_programs(const struct tree *tree)
{
	size_t size;
	void *data;

	program_make(LOADER, "$ORIGIN/inherited", NULL, "libold.so", true, &data, &size);
	tree_write(tree, "/opt/app/old", data, size);
	free(data);
	write_program(tree, "/opt/app/inherited/libold.so", NULL, NULL, "libolder.so", true);
	write_program(tree, "/opt/app/inherited/libolder.so", NULL, NULL, "", true);
	program_make(LOADER, "$ORIGIN/inherited", "/none", "libold.so", true, &data, &size);
	tree_write(tree, "/opt/app/overridden", data, size);
	free(data);
}

static int make_programs(void **state)
{
	struct machine *machine = *state;
	const struct tree *tree = &machine->tree;

	write_program(tree, "/usr/lib64/ld-2.0.so", NULL, NULL, "", true);
	if (access(tree_path(tree, LOADER), F_OK) != 0) {
		tree_link(tree, "/lib64", "usr/lib64");
		tree_link(tree, LOADER, "ld-2.0.so");
		tree_link(tree, "/usr/bin/sh", "dash");
		tree_link(tree, "/bin", "usr/bin");
		tree_link(tree, "/opt/lib/libconf.so.1", "libconf.so.1.2");
	}
	write_program(tree, "/usr/bin/dash", LOADER, NULL, "libc.so.6", true);
	write_program(tree, "/usr/lib64/libc.so.6", NULL, NULL, "", true);
	/* Found through its own path only, and needs another through its own. */
	write_program(tree, "/opt/app/run", LOADER, "/none:$ORIGIN/lib", "libapp.so libc.so.6", true);
	write_program(tree, "/opt/app/lib/libapp.so", NULL, "${ORIGIN}/more", "libmore.so", true);
	write_program(tree, "/opt/app/lib/more/libmore.so", NULL, NULL, "libc.so.6", true);
	write_rpath_programs(tree);
	/* Found through ld.so.conf, behind one for another machine. */
	write_program(tree, "/usr/bin/conf", LOADER, NULL, "libconf.so.1", true);
	write_program(tree, "/opt/lib/libconf.so.1.2", NULL, NULL, "", true);
	write_program(tree, "/opt/lib32/libconf.so.1", NULL, NULL, "", false);
	tree_text(tree, "/etc/ld.so.conf", "# none\ninclude ld.so.conf.d/*.conf\n");
	tree_text(tree, "/etc/ld.so.conf.d/a.conf", "/opt/lib32\n /opt/lib # comment\n");
	write_program(tree, "/usr/bin/broken", LOADER, NULL, "libc.so.6 libgone.so.3", true);
	write_program(tree, "/usr/bin/loaderless", "/lib64/gone.so", NULL, "", true);
	tree_text(tree, "/usr/bin/script", "#!/bin/sh -e\necho\n");
	tree_text(tree, "/usr/bin/envscript", "#! /usr/bin/env  script\n");
	tree_text(tree, "/usr/bin/splitscript", "#!/usr/bin/env -S A=1 B= script -x\n");
	tree_text(tree, "/usr/bin/splitless", "#!/usr/bin/env -Snothing\n");
	write_program(tree, "/usr/bin/env", NULL, NULL, "", true);
	tree_text(tree, "/usr/bin/loop", "#!/usr/bin/loop\n");
	tree_text(tree, "/usr/bin/bare", "#!sh script\n");
	tree_text(tree, "/usr/bin/orphan", "#!/usr/bin/nothing\n");
	return 0;
}

static const struct {
	const char *program;
	enum kd_error_code code;
	const char *expected; /* what is in the image, or words of the error */
} closures[] = {
	{ "sh", 0,
	  LOADER " -> /usr/lib64/ld-2.0.so\n/usr/bin/dash.gz\n/usr/bin/sh -> /usr/bin/dash\n"
		 "/usr/lib64/ld-2.0.so.gz\n/usr/lib64/libc.so.6.gz\n" },
	{ "/opt/app/run", 0,
	  LOADER
	  " -> /usr/lib64/ld-2.0.so\n/opt/app/lib/libapp.so.gz\n/opt/app/lib/more/libmore.so.gz\n/opt/app/run.gz\n"
	  "/usr/lib64/ld-2.0.so.gz\n/usr/lib64/libc.so.6.gz\n" },
	{ "/opt/app/old", 0,
	  LOADER " -> /usr/lib64/ld-2.0.so\n/opt/app/inherited/libold.so.gz\n/opt/app/inherited/libolder.so.gz\n"
		 "/opt/app/old.gz\n/usr/lib64/ld-2.0.so.gz\n" },
	{ "/opt/app/overridden", KD_ERR_NOT_FOUND, "/opt/app/overridden needs library libold.so" },
	{ "conf", 0,
	  LOADER " -> /usr/lib64/ld-2.0.so\n/opt/lib/libconf.so.1.2.gz\n/usr/bin/conf.gz\n/usr/lib64/ld-2.0.so.gz\n"
		 "/usr/lib64/libconf.so.1 -> /opt/lib/libconf.so.1.2\n" },
	{ "splitless", KD_ERR_NOT_FOUND, "interpreter of /usr/bin/splitless: program nothing is in none" },
	{ "splitscript", 0,
	  "/bin/sh -> /usr/bin/dash\n" LOADER " -> /usr/lib64/ld-2.0.so\n/usr/bin/dash.gz\n/usr/bin/env.gz\n"
	  "/usr/bin/script\n/usr/bin/splitscript\n/usr/lib64/ld-2.0.so.gz\n/usr/lib64/libc.so.6.gz\n" },
	{ "envscript", 0,
	  "/bin/sh -> /usr/bin/dash\n" LOADER " -> /usr/lib64/ld-2.0.so\n/usr/bin/dash.gz\n/usr/bin/env.gz\n"
	  "/usr/bin/envscript\n/usr/bin/script\n/usr/lib64/ld-2.0.so.gz\n/usr/lib64/libc.so.6.gz\n" },
	{ "/usr/bin/broken", KD_ERR_NOT_FOUND, "/usr/bin/broken needs library libgone.so.3" },
	{ "loaderless", KD_ERR_NOT_FOUND, "/usr/bin/loaderless needs loader /lib64/gone.so" },
	{ "orphan", KD_ERR_NOT_FOUND, "interpreter of /usr/bin/orphan: program /usr/bin/nothing does not exist" },
	{ "bare", KD_ERR_FORMAT, "/usr/bin/bare: its first line does not name an interpreter" },
	{ "nosuch", KD_ERR_NOT_FOUND, "program nosuch is in none of the usual directories" },
	{ "usr/bin/sh", KD_ERR_NOT_FOUND, "program usr/bin/sh does not exist" },
};

static void test_closures(void **state)
{
	struct machine *machine = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(closures); i++) {
		_cleanup_(names_free) struct names packed = { 0 };
		struct kd_error *err;
		struct image *image;

		assert_no_error(image_new(&image));
		err = elf_closure_add(&machine->tree.root, closures[i].program, image, &packed);
		if (closures[i].code) {
			assert_error(err, closures[i].code, closures[i].expected);
		} else {
			assert_no_error(err);
			assert_closure(image, closures[i].expected);
		}
		image_free(image);
	}
}

/* The programs that a plan needs come without being asked for. */
/* A program, or a library of one, that a package manager did not get to write. */
static void test_damaged_programs(void **state)
{
	static const char *const files[] = { "/cut/program", "/lib/libcut.so" };
	struct machine *machine = *state;
	struct image *image;
	size_t size, cut, i;
	void *data;

	program_make("/lib/ld.so", NULL, NULL, "libcut.so", true, &data, &size);
	tree_write(&machine->tree, files[0], data, size);
	free(data);
	program_make(NULL, NULL, NULL, "", true, &data, &size);
	tree_write(&machine->tree, "/lib/ld.so", data, size);
	tree_write(&machine->tree, files[1], data, size);
	free(data);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *whole = NULL;

		tree_read(&machine->tree, files[i], &whole, &size);
		for (cut = size + 1; cut-- > 4;) {
			_cleanup_(names_free) struct names packed = { 0 };
			struct kd_error *err;

			tree_write(&machine->tree, files[i], whole, cut);
			assert_no_error(image_new(&image));
			err = elf_closure_add(&machine->tree.root, files[0], image, &packed);
			if (cut == size)
				assert_no_error(err);
			else /* a library that is not recognized is looked for elsewhere */
				assert_error(err, err ? err->code : KD_ERR_FORMAT, strrchr(files[i], '/') + 1);
			image_free(image);
		}
		tree_write(&machine->tree, files[i], whole, size);
	}
	tree_text(&machine->tree, files[0], "");
	assert_no_error(image_new(&image));
	assert_error(elf_closure_add(&machine->tree.root, files[0], image, &(struct names){ 0 }), KD_ERR_FORMAT,
		     "/cut/program is empty: install its package again");
	image_free(image);
}

static void test_programs_of_the_plan(void **state)
{
	static char *const collector[] = { (char *)"conf", (char *)"-l", (char *)"--config=/etc/erase.conf", NULL };
	static char *const hook[] = { (char *)"/usr/bin/script", NULL };
	static char *const broken[] = { (char *)"broken", NULL };
	static const char list[] = "conf\0/usr/bin/conf\0/usr/lib64/ld-2.0.so\0/opt/lib/libconf.so.1.2\0\0"
				   "/usr/bin/script\0/usr/bin/dash\0/usr/lib64/ld-2.0.so\0/usr/lib64/libc.so.6\0\0"
				   "/bin/sh\0/usr/bin/dash\0/usr/lib64/ld-2.0.so\0/usr/lib64/libc.so.6\0\0";
	struct machine *machine = *state;
	size_t size;

	machine->plan.failure_action = KD_ACTION_SHELL;
	tree_text(&machine->tree, "/etc/erase.conf", "erase key\n");
	assert_no_error(kd_plan_set_collector(&machine->plan, KD_COLLECTOR_PROGRAM, "/etc/erase.conf", collector));
	assert_no_error(kd_plan_add_hook(&machine->plan, "post", hook));
	assert_no_error(build(machine));
	free(archived(machine->output, "usr/bin/conf.gz", &size));
	free(archived(machine->output, "etc/erase.conf", &size));
	free(archived(machine->output, "usr/bin/script", &size));
	free(archived(machine->output, "usr/bin/dash.gz", &size));
	/* What has to be expanded before each of them can run. */
	assert_in_image(machine, "etc/kdump.programs", list, sizeof(list) - 1);
	machine->request.extra_bins = broken;
	assert_error(build(machine), KD_ERR_NOT_FOUND, "extra_bins: /usr/bin/broken needs library");
}

/* This very program on this very machine, whatever that is. */
static void test_real_program(void **state)
{
	struct kd_sysroot live;
	struct image *image;
	char self[512] = "";
	struct kd_error *err;
	char *text;
	size_t size, i, libraries = 0;
	struct names packed = { 0 };
	struct elf_object object;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_no_error(kd_sysroot_open(NULL, &live));
	assert_no_error(kd_sysroot_read(&live, self, &text, &size));
	assert_no_error(elf_object_parse(text, size, self, &object));
	for (i = 0; i < object.needed.count; i++)
		libraries += strstr(object.needed.name[i], "libarchive") != NULL;
	assert_int_equal(libraries, 1);
	elf_object_free(&object);
	/* Every truncation is an error or an object, and touches no memory that is not ours. */
	for (i = 0; i < size && i < 65536; i += 61) {
		char *cut = malloc(i + 1);

		memcpy(cut, text, i);
		err = elf_object_parse(cut, i, "cut", &object);
		if (!err)
			elf_object_free(&object);
		kd_error_destroy(err);
		free(cut);
	}
	free(text);
	assert_no_error(image_new(&image));
	assert_no_error(elf_closure_add(&live, self, image, &packed));
	image_free(image);
	names_free(&packed);
	kd_sysroot_close(&live);
}

#define initramfs_test(function) cmocka_unit_test_setup_teardown(function, make_plan, remove_plan)

int main(void)
{
	const struct CMUnitTest tests[] = {
		initramfs_test(test_virtio_disk),
		initramfs_test(test_each_module_once),
		initramfs_test(test_nvme_multipath),
		initramfs_test(test_path_handler),
		initramfs_test(test_built_in),
		initramfs_test(test_driver_without_module_link),
		initramfs_test(test_other_kernel),
		initramfs_test(test_options_and_blacklist),
		initramfs_test(test_extra_modules),
		initramfs_test(test_active_watchdog),
		initramfs_test(test_hidden_watchdogs),
		initramfs_test(test_pstore),
		initramfs_test(test_firmware_places),
		initramfs_test(test_firmware_missing),
		initramfs_test(test_firmware_in_image),
		initramfs_test(test_firmware_of_built_in),
		initramfs_test(test_stacks_are_refused),
		initramfs_test(test_volumes),
		initramfs_test(test_secrets),
		initramfs_test(test_remote_disks_are_refused),
		initramfs_test(test_served_disks),
		initramfs_test(test_rdma),
		initramfs_test(test_unknown_type),
		initramfs_test(test_btrfs_of_two_devices),
		initramfs_test(test_missing_things),
		initramfs_test(test_damaged_files),
		initramfs_test(test_damaged_index),
		initramfs_test(test_missing_kernel),
		initramfs_test(test_content),
		initramfs_test(test_compressed_modules),
		initramfs_test(test_extra_files),
		initramfs_test(test_compressed_archives),
		initramfs_test(test_kernel_cannot_expand),
		initramfs_test(test_unchanged_is_not_rebuilt),
		initramfs_test(test_compressed_capture),
		initramfs_test(test_damaged_image_is_rebuilt),
		initramfs_test(test_no_rebuild),
		cmocka_unit_test(test_conflicting_kinds),
		cmocka_unit_test_setup(test_closures, make_programs),
		initramfs_test(test_damaged_programs),
		initramfs_test(test_programs_of_the_plan),
		cmocka_unit_test(test_real_program),
	};

	/* cmocka's own skip() prints "not ok", which is a failure to automake. */
	if (!have_depmod()) {
		puts("1..0 # SKIP the program depmod is missing (package kmod)");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("initramfs", tests, make_group, remove_group);
}
