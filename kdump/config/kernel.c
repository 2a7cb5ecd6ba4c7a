/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/loader/le.h"
#include "kdump/loader/uki.h"

#define RELEASE_MAX 128

/* The places where distributions keep kernels; the release stands between the two parts. */
static const struct {
	const char *before, *after;
} places[] = {
	{ "/boot/vmlinuz-", "" },            /* nearly every distribution on x86_64 */
	{ "/boot/vmlinux-", "" },            /* ppc64 */
	{ "/boot/Image-", "" },              /* openSUSE on arm64, riscv64 */
	{ "/boot/kernel-", "" },             /* Gentoo */
	{ "/lib/modules/", "/vmlinuz" },     /* Fedora, Arch, image-based systems */
	{ "/usr/lib/modules/", "/vmlinuz" }, /* the same before /lib became a link */
	{ "/lib/modules/", "/Image" },
	{ "/lib/modules/", "/vmlinux" },
};

bool kernel_is_release(const char *text)
{
	return *text && *text != '.' && !strpbrk(text, "/ \t\n");
}

/* The path by KDUMP_BOOTDIR, KDUMP_IMG and KDUMP_IMG_EXT, any of which may be missing. */
static struct kd_error *configured_path(const struct settings *settings, const char *release, char **ret)
{
	return kd_format(ret, "%s/%s-%s%s", settings->boot_dir ? settings->boot_dir : "/boot",
			 settings->image ? settings->image : "vmlinuz", release,
			 settings->image_ext ? settings->image_ext : "");
}

static struct kd_error *add_tried(const char *path, char **tried)
{
	_cleanup_free_ char *before = take_ptr(*tried);

	return kd_format(tried, "%s%s%s", before ? before : "", before ? ", " : "", path);
}

/* Take @path if it exists, else add it to @tried. */
static struct kd_error *try_path(const struct kd_sysroot *root, const char *path, char **tried, char **ret)
{
	return kd_sysroot_exists(root, path) ? kd_set_text(ret, path) : add_tried(path, tried);
}

/* Try the places of distributions, up to the first one that has the kernel. */
static struct kd_error *try_places(const struct kd_sysroot *root, const char *release, char **tried, char **ret)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places) && !*ret && !err; i++) {
		_cleanup_free_ char *candidate = NULL;

		err = kd_format(&candidate, "%s%s%s", places[i].before, release, places[i].after);
		if (!err)
			err = try_path(root, candidate, tried, ret);
	}
	return err;
}

/* --- entries of the Boot Loader Specification --------------------------------------------------------------------- */

/* Where boot loaders look for kernels: /boot, and the EFI partition. */
static const char *const boot_roots[] = { "/boot", "/efi", "/boot/efi" };

/* kernel-install(8) writes ROOT/TOKEN/RELEASE/linux. */
static struct kd_error *try_token(const struct kd_sysroot *root, const char *token, const char *release, char **tried,
				  char **ret)
{
	struct kd_error *err = NULL;
	size_t i;

	if (!kernel_is_release(token))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(boot_roots) && !*ret && !err; i++) {
		_cleanup_free_ char *candidate = NULL;

		err = kd_format(&candidate, "%s/%s/%s/linux", boot_roots[i], token, release);
		if (!err)
			err = try_path(root, candidate, tried, ret);
	}
	return err;
}

static struct kd_error *try_tokens(const struct kd_sysroot *root, const char *release, char **tried, char **ret)
{
	static const char *const files[] = { "/etc/kernel/entry-token", "/etc/machine-id" };
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files) && !*ret && !err; i++) {
		_cleanup_free_ char *token = NULL;

		if (!kd_error_discard(kd_sysroot_read_line(root, &token, "%s", files[i])))
			err = try_token(root, token, release, tried, ret);
	}
	return err;
}

/* --- unified kernel images ---------------------------------------------------------------------------------------- */

/* The release in a unified kernel image. *ret stays NULL if @path is none, or does not say. */
static struct kd_error *read_uki_release(const struct kd_sysroot *root, const char *path, char **ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK);
	char head[UKI_HEAD_SIZE], release[RELEASE_MAX];
	ssize_t size = fd < 0 ? -1 : kd_pread_all(fd, head, sizeof(head), 0);
	uint64_t offset, length;

	if (size < 0 || !uki_find(head, size, UKI_RELEASE, &offset, &length) || length >= sizeof(release) ||
	    kd_pread_all(fd, release, length, offset) != (ssize_t)length)
		return NULL;
	release[length] = '\0';
	return kd_set_text(ret, kd_strip(release));
}

static struct kd_error *try_uki(const struct kd_sysroot *root, const char *directory, const char *name,
				const char *release, char **ret)
{
	_cleanup_free_ char *path = NULL, *own = NULL;
	struct kd_error *err;

	if (strlen(name) < 5 || strcasecmp(name + strlen(name) - 4, ".efi") != 0)
		return NULL;
	err = kd_format(&path, "%s/%s", directory, name);
	if (!err)
		err = read_uki_release(root, path, &own);
	if (!err && own && strcmp(own, release) == 0)
		*ret = take_ptr(path);
	return err;
}

static struct kd_error *try_ukis(const struct kd_sysroot *root, const char *release, char **tried, char **ret)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(boot_roots) && !*ret && !err; i++) {
		_cleanup_free_ char *directory = NULL;
		_cleanup_closedir_ DIR *dir = NULL;
		const char *name;

		err = kd_format(&directory, "%s/EFI/Linux", boot_roots[i]);
		dir = err ? NULL : kd_sysroot_open_dir(root, directory);
		while (dir && !err && !*ret && (name = kd_next_entry(dir)))
			err = try_uki(root, directory, name, release, ret);
		if (dir && !err && !*ret)
			err = add_tried(directory, tried);
	}
	return err;
}

/* --- what the boot loader said ------------------------------------------------------------------------------------ */

/* Is the file that the machine was booted from still the kernel @release? An update may have replaced it. A bzImage
 * names its release (Linux Documentation/arch/x86/boot.rst, kernel_version); what names none is taken. */
static bool may_be_release(const struct kd_sysroot *root, const char *path, const char *release)
{
	enum { MAGIC = 0x202, VERSION = 0x20e, BASE = 0x200, HEAD_SIZE = 0x8000 };
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK);
	_cleanup_free_ uint8_t *head = calloc(1, HEAD_SIZE);
	ssize_t size = fd < 0 || !head ? -1 : kd_pread_all(fd, head, HEAD_SIZE - 1, 0);
	const char *version;
	size_t offset;

	if (size < VERSION + 2 || memcmp(head + MAGIC, "HdrS", 4) != 0)
		return true;
	offset = BASE + get_le16(head + VERSION);
	version = (char *)head + offset;
	return offset == BASE || offset >= (size_t)size ||
	       (kd_starts_with(version, release) && (!version[strlen(release)] || version[strlen(release)] == ' '));
}

/* BOOT_IMAGE= is a path in the boot loader's terms, such as (hd0,gpt2)/vmlinuz. */
static struct kd_error *try_boot_image(const struct kd_sysroot *root, const char *release, char **tried, char **ret)
{
	static const char *const tops[] = { "", "/boot", "/efi", "/boot/efi" };
	_cleanup_free_ char *cmdline = NULL, *running = NULL, *path = NULL, *found = NULL;
	const char *image;
	struct kd_error *err = NULL;
	size_t i;

	if (kd_error_discard(kd_sysroot_read_line(root, &cmdline, "/proc/cmdline")) ||
	    kd_error_discard(kd_sysroot_read_line(root, &running, "/proc/sys/kernel/osrelease")) ||
	    strcmp(running, release) != 0 || !(image = strstr(cmdline, "BOOT_IMAGE=")))
		return NULL;
	image += strlen("BOOT_IMAGE=");
	if (*image == '(')
		image += strcspn(image, ") ") + 1;
	path = strndup(image, strcspn(image, " "));
	if (!path)
		return kd_error_nomem();
	for (i = 0; *path == '/' && i < ARRAY_SIZE(tops) && !found && !err; i++) {
		_cleanup_free_ char *candidate = NULL;

		err = kd_format(&candidate, "%s%s", tops[i], path);
		if (!err)
			err = try_path(root, candidate, tried, &found);
	}
	if (err || !found)
		return err;
	if (may_be_release(root, found, release))
		*ret = take_ptr(found);
	else
		err = add_tried(found, tried);
	return err;
}

static struct kd_error *find_file(const struct kd_sysroot *root, const struct settings *settings, const char *release,
				  char **ret)
{
	_cleanup_free_ char *tried = NULL, *path = NULL, *configured = NULL;
	struct kd_error *err;

	/* If the administrator has set a place, no other one is tried. */
	if (settings->boot_dir || settings->image || settings->image_ext) {
		err = configured_path(settings, release, &configured);
		if (!err)
			err = try_path(root, configured, &tried, &path);
	} else {
		err = try_places(root, release, &tried, &path);
		if (!err && !path)
			err = try_tokens(root, release, &tried, &path);
		if (!err && !path)
			err = try_ukis(root, release, &tried, &path);
		if (!err && !path)
			err = try_boot_image(root, release, &tried, &path);
	}
	if (err)
		return err;
	if (!path)
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "the file of kernel %s was not found (tried %s): install it, or name it with "
				       "KDUMP_BOOTDIR and KDUMP_IMG in %s",
				       release, tried, settings_files[0]);
	*ret = take_ptr(path);
	return NULL;
}

struct kd_error *kernel_find(const struct kd_sysroot *root, const struct settings *settings, const char *release,
			     struct kernel *ret)
{
	_cleanup_free_ char *name = NULL;
	struct kd_error *err;

	if (!release)
		release = settings->kernel_version;
	if (release)
		err = kd_set_text(&name, release);
	else
		err = kd_error_wrap(kd_sysroot_read_line(root, &name, "/proc/sys/kernel/osrelease"),
				    "cannot read the release of the running kernel");
	if (err)
		return err;
	if (!kernel_is_release(name))
		return kd_error_create(KD_ERR_CONFIG, "\"%s\" is not a kernel release as uname -r prints it", name);
	err = find_file(root, settings, name, &ret->path);
	if (!err)
		ret->release = take_ptr(name);
	return err;
}

/* --- its initramfs ------------------------------------------------------------------------------------------------ */

/* The places where distributions keep them; the release stands between the two parts. */
static const struct {
	const char *before, *after;
} initrd_places[] = {
	{ "/boot/initrd.img-", "" },           /* Debian, Ubuntu */
	{ "/boot/initramfs-", ".img" },        /* Fedora, Red Hat, Arch */
	{ "/boot/initrd-", "" },               /* openSUSE */
	{ "/boot/initramfs-", "" },            /* Gentoo */
	{ "/lib/modules/", "/initramfs.img" }, /* image-based systems */
	{ "/usr/lib/modules/", "/initramfs.img" },
};

/* kernel-install(8) puts it beside the kernel. */
static struct kd_error *try_beside(const struct kd_sysroot *root, const struct kernel *kernel, char **tried, char **ret)
{
	_cleanup_free_ char *candidate = NULL;
	struct kd_error *err = kd_format(&candidate, "%.*s/initrd", (int)(strrchr(kernel->path, '/') - kernel->path),
					 kernel->path);

	return err ? err : try_path(root, candidate, tried, ret);
}

struct kd_error *kernel_find_initrd(const struct kd_sysroot *root, const struct kernel *kernel, char **ret)
{
	_cleanup_free_ char *tried = NULL, *path = NULL;
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(initrd_places) && !path && !err; i++) {
		_cleanup_free_ char *candidate = NULL;

		err = kd_format(&candidate, "%s%s%s", initrd_places[i].before, kernel->release, initrd_places[i].after);
		if (!err)
			err = try_path(root, candidate, &tried, &path);
	}
	if (!err && !path)
		err = try_beside(root, kernel, &tried, &path);
	if (err)
		return err;
	if (!path)
		return kd_error_create(KD_ERR_NOT_FOUND, "the initramfs of kernel %s was not found (tried %s)",
				       kernel->release, tried);
	*ret = take_ptr(path);
	return NULL;
}

struct kd_error *kernel_initramfs(const char *directory, const char *release, char **ret)
{
	return kd_format(ret, "%s/initramfs-%s.img", directory, release);
}

/* The link's path in /boot. True: nothing is there, or a link of ours, which *current tells. */
static bool find_link(const struct kd_sysroot *root, const char *release, char **path, char current[PATH_MAX])
{
	ssize_t length;

	current[0] = '\0';
	if (kd_error_discard(kd_format(path, "%s/boot/initramfs-%skdump.img", root->prefix, release)))
		return false;
	length = readlink(*path, current, PATH_MAX - 1);
	if (length < 0)
		return errno == ENOENT;
	current[length] = '\0';
	return strstr(current, KD_STATEDIR "/") != NULL;
}

void kernel_link_initramfs(const struct kd_sysroot *root, const char *release, const char *image)
{
	_cleanup_free_ char *path = NULL, *target = NULL;
	char current[PATH_MAX];

	if (!find_link(root, release, &path, current) || kd_error_discard(kd_format(&target, "..%s", image)) ||
	    strcmp(current, target) == 0)
		return;
	if (*current)
		unlink(path);
	if (symlink(target, path) < 0)
		return; /* it is for others, and this /boot cannot have it */
}

void kernel_unlink_initramfs(const struct kd_sysroot *root, const char *release)
{
	_cleanup_free_ char *path = NULL;
	char current[PATH_MAX];

	if (find_link(root, release, &path, current) && *current)
		unlink(path);
}

void kernel_free(struct kernel *kernel)
{
	free(kernel->release);
	free(kernel->path);
	*kernel = (struct kernel){ 0 };
}
