/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/kernel.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

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

/* Take @path if it exists, else add it to @tried. */
static struct kd_error *try_path(const struct kd_sysroot *root, const char *path, char **tried, char **ret)
{
	_cleanup_free_ char *before = NULL;

	if (kd_sysroot_exists(root, path))
		return kd_set_text(ret, path);
	before = *tried;
	*tried = NULL;
	return kd_format(tried, "%s%s%s", before ? before : "", before ? ", " : "", path);
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

struct kd_error *kernel_initramfs(const char *directory, const char *release, char **ret)
{
	return kd_format(ret, "%s/initramfs-%s.img", directory, release);
}

void kernel_free(struct kernel *kernel)
{
	free(kernel->release);
	free(kernel->path);
	*kernel = (struct kernel){ 0 };
}
