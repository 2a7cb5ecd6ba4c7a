/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/loaders.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"

#define GRUB_DROP_INS  "/etc/default/grub.d"
#define UBOOT_DROP_INS "/etc/u-boot-menu/conf.d"

static bool any_exists(const struct kd_sysroot *root, const char *const *path)
{
	for (; *path; path++)
		if (kd_sysroot_exists(root, *path))
			return true;
	return false;
}

/* --- GRUB, configured by a file that a shell reads ---------------------------------------------------------------- */

static const char *const grub_names[] = { "GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT", NULL };
static const char *const grub_linux[] = { "GRUB_CMDLINE_LINUX", NULL };

static bool detect_grub(const struct kd_sysroot *root)
{
	static const char *const tools[] = { "/usr/sbin/update-grub",   "/usr/sbin/grub-mkconfig",
					     "/usr/bin/grub-mkconfig",  "/usr/sbin/grub2-mkconfig",
					     "/usr/bin/grub2-mkconfig", NULL };

	return kd_sysroot_exists(root, "/etc/default/grub") && any_exists(root, tools);
}

static struct kd_error *read_grub(const struct kd_sysroot *root, struct boot_config *ret)
{
	struct kd_error *err = boot_config_add(root, "/etc/default/grub", boot_scan_shell, grub_names, ret);

	if (!err)
		err = boot_config_add_all(root, GRUB_DROP_INS, ".cfg", boot_scan_shell, grub_names, ret);
	boot_config_void(ret, "GRUB_CMDLINE_LINUX");
	boot_config_void(ret, "GRUB_CMDLINE_LINUX_DEFAULT");
	return err;
}

/* Only Debian's GRUB reads drop-ins; the upstream grub-mkconfig does not. */
static const char *grub_add_to(const struct kd_sysroot *root)
{
	return kd_sysroot_exists(root, "/usr/sbin/update-grub") || kd_sysroot_exists(root, GRUB_DROP_INS) ?
		       GRUB_DROP_INS "/kdump.cfg" :
		       "/etc/default/grub";
}

static const char *const grub_commands[][BOOT_COMMAND_WORDS] = {
	{ "/usr/sbin/update-grub" },
	{ "/usr/sbin/grub-mkconfig", "-o", "/boot/grub/grub.cfg" },
	{ "/usr/bin/grub-mkconfig", "-o", "/boot/grub/grub.cfg" },
	{ "/usr/sbin/grub2-mkconfig", "-o", "/boot/grub2/grub.cfg" },
	{ "/usr/bin/grub2-mkconfig", "-o", "/boot/grub2/grub.cfg" },
	{ NULL },
};

static const char *const grub_generated[] = { "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", NULL };

/* --- GRUB with entries that grubby keeps (Fedora, Red Hat) -------------------------------------------------------- */

static bool detect_grubby(const struct kd_sysroot *root)
{
	static const char *const tools[] = { "/usr/sbin/grubby", "/usr/bin/grubby", NULL };

	return any_exists(root, tools) && kd_sysroot_exists(root, "/boot/loader/entries");
}

/* Read the entries, and the files from which new entries are made. */
static struct kd_error *read_grubby(const struct kd_sysroot *root, struct boot_config *ret)
{
	struct kd_error *err = boot_config_add_all(root, "/boot/loader/entries", ".conf", boot_scan_entry, NULL, ret);
	size_t i;

	for (i = 0; i < ret->files; i++)
		ret->file[i].by_tool = true;
	if (!err)
		err = boot_config_add(root, "/etc/kernel/cmdline", boot_scan_words, NULL, ret);
	if (!err)
		err = boot_config_add(root, "/etc/default/grub", boot_scan_shell_add, grub_linux, ret);
	return err;
}

/* --- systemd-boot ------------------------------------------------------------------------------------------------- */

static const char *const entry_directories[] = { "/efi/loader/entries", "/boot/efi/loader/entries",
						 "/boot/loader/entries" };

static bool detect_systemd_boot(const struct kd_sysroot *root)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(entry_directories); i++)
		if (kd_sysroot_exists(root, entry_directories[i]))
			return true;
	return false;
}

/* An EFI variable names the boot loader that started this kernel: four bytes of attributes, then UTF-16 (Boot Loader
 * Interface). */
static bool detect_systemd_boot_running(const struct kd_sysroot *root)
{
	static const char path[] = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
	static const char name[] = "systemd-boot";
	_cleanup_free_ char *value = NULL;
	size_t size, i;
	struct kd_error *err = kd_sysroot_read(root, path, &value, &size);

	if (err) {
		kd_error_destroy(err);
		return false;
	}
	if (size < 4 + 2 * strlen(name))
		return false;
	for (i = 0; i < strlen(name); i++)
		if (value[4 + 2 * i] != name[i] || value[5 + 2 * i])
			return false;
	return detect_systemd_boot(root);
}

/* kernel-install(8) writes /etc/kernel/cmdline into new entries. Without that file, it uses the running kernel's
 * command line. */
static struct kd_error *read_systemd_boot(const struct kd_sysroot *root, struct boot_config *ret)
{
	struct kd_error *err = boot_config_add(root, "/etc/kernel/cmdline", boot_scan_words, NULL, ret);
	size_t i;

	for (i = 0; !err && i < ARRAY_SIZE(entry_directories); i++)
		err = boot_config_add_all(root, entry_directories[i], ".conf", boot_scan_entry, NULL, ret);
	return err;
}

/* --- U-Boot and extlinux ------------------------------------------------------------------------------------------ */

static const char *const uboot_names[] = { "U_BOOT_PARAMETERS", NULL };

static bool detect_uboot_menu(const struct kd_sysroot *root)
{
	return kd_sysroot_exists(root, "/usr/sbin/u-boot-update");
}

/* u-boot-update(8) takes /etc/kernel/cmdline only if U_BOOT_PARAMETERS is set nowhere. */
static struct kd_error *read_uboot_menu(const struct kd_sysroot *root, struct boot_config *ret)
{
	struct kd_error *err = boot_config_add(root, "/etc/default/u-boot", boot_scan_shell, uboot_names, ret);
	size_t regions = 0, i;

	if (!err)
		err = boot_config_add_all(root, UBOOT_DROP_INS, ".conf", boot_scan_shell, uboot_names, ret);
	if (err)
		return err;
	boot_config_void(ret, "U_BOOT_PARAMETERS");
	for (i = 0; i < ret->files; i++)
		regions += ret->file[i].regions;
	return regions ? NULL : boot_config_add(root, "/etc/kernel/cmdline", boot_scan_words, NULL, ret);
}

static const char *uboot_add_to(const struct kd_sysroot *root)
{
	return UBOOT_DROP_INS "/kdump.conf";
}

static const char *const uboot_commands[][BOOT_COMMAND_WORDS] = {
	{ "/usr/sbin/u-boot-update" },
	{ NULL },
};

static const char *const uboot_generated[] = { "/boot/extlinux/extlinux.conf", NULL };

static const char *const extlinux_files[] = { "/boot/extlinux/extlinux.conf", "/boot/extlinux.conf",
					      "/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg", NULL };

static bool detect_extlinux(const struct kd_sysroot *root)
{
	return any_exists(root, extlinux_files);
}

static struct kd_error *read_extlinux(const struct kd_sysroot *root, struct boot_config *ret)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; !err && extlinux_files[i]; i++)
		err = boot_config_add(root, extlinux_files[i], boot_scan_extlinux, NULL, ret);
	return err;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* The first loader that is detected is used: first the one that the firmware names, then those whose files a program
 * generates, then those that read their files directly. */
static const struct boot_loader boot_loaders[] = {
	{
		.name = "grubby",
		.detect = detect_grubby,
		.read = read_grubby,
		.per_kernel = true,
		.indexed = true,
	},
	{
		.name = "systemd-boot",
		.detect = detect_systemd_boot_running,
		.read = read_systemd_boot,
		.per_kernel = true,
	},
	{
		.name = "u-boot-menu",
		.detect = detect_uboot_menu,
		.read = read_uboot_menu,
		.add_to = uboot_add_to,
		.add_before = "U_BOOT_PARAMETERS=\"${U_BOOT_PARAMETERS:-ro quiet} ",
		.add_after = "\"\n",
		.commands = uboot_commands,
		.generated = uboot_generated,
	},
	{
		.name = "grub",
		.detect = detect_grub,
		.read = read_grub,
		.add_to = grub_add_to,
		.add_before = "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT ",
		.add_after = "\"\n",
		.commands = grub_commands,
		.generated = grub_generated,
	},
	{
		.name = "systemd-boot",
		.detect = detect_systemd_boot,
		.read = read_systemd_boot,
		.per_kernel = true,
	},
	{
		.name = "extlinux",
		.detect = detect_extlinux,
		.read = read_extlinux,
		.per_kernel = true,
	},
};

static const struct boot_loader *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(boot_loaders); i++)
		if (strcmp(boot_loaders[i].name, name) == 0)
			return &boot_loaders[i];
	return NULL;
}

struct kd_error *boot_loader_choose(const struct kd_sysroot *root, const char *name, const struct boot_loader **ret)
{
	const struct boot_loader *loader = name ? find(name) : NULL;
	size_t i;

	if (name && !loader)
		return kd_error_create(KD_ERR_USAGE,
				       "--bootloader=%s not recognized: use grub, grubby, systemd-boot, u-boot-menu or "
				       "extlinux",
				       name);
	for (i = 0; !loader && i < ARRAY_SIZE(boot_loaders); i++)
		if (boot_loaders[i].detect(root))
			loader = &boot_loaders[i];
	if (!loader)
		return kd_error_create(
			KD_ERR_NOT_FOUND,
			"no supported boot loader was found: add crashkernel=SIZE to the kernel's command line by hand "
			"(\"kdumpctl estimate\" recommends a size), or name the boot loader with --bootloader=");
	*ret = loader;
	return NULL;
}

const char *const *boot_loader_command(const struct boot_loader *loader, const struct kd_sysroot *root)
{
	size_t i;

	for (i = 0; loader->commands && loader->commands[i][0]; i++)
		if (kd_sysroot_exists(root, loader->commands[i][0]))
			return loader->commands[i];
	return NULL;
}
