/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/packaged.h"

#include <stddef.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"

/* The one list of these values, each group with its source. */
static const char *const packaged[] = {
	/* Red Hat's kdumpctl (kdump_get_arch_recommend_crashkernel() of kexec-tools and kdump-utils) and Anaconda.
	 * x86_64 and s390x: RHEL 9.0, Fedora 34; RHEL 9.5; RHEL 10, Fedora 41; and each with memory encryption. */
	"1G-4G:192M,4G-64G:256M,64G-:512M",
	"1G-2G:192M,2G-64G:256M,64G-:512M",
	"2G-64G:256M,64G-:512M",
	"1G-4G:256M,4G-64G:320M,64G-:576M",
	"1G-2G:256M,2G-64G:320M,64G-:576M",
	"2G-64G:320M,64G-:576M",
	/* aarch64: RHEL 10; pages of 64 KiB, RHEL 9 and 10. Those of RHEL 9 with pages of 4 KiB are above. */
	"2G-4G:256M,4G-64G:320M,64G-:576M",
	"1G-4G:356M,4G-64G:420M,64G-:676M",
	"2G-4G:356M,4G-64G:420M,64G-:676M",
	"2G-4G:256M,4G-64G:420M,64G-:676M",
	/* ppc64le. */
	"2G-4G:384M,4G-16G:512M,16G-64G:1G,64G-128G:2G,128G-:4G",
	/* What kernels of RHEL 8 take "auto" for, and its documentation names: x86_64 and s390x, aarch64. */
	"1G-4G:160M,4G-64G:192M,64G-1T:256M,1T-:512M",
	"2G-:448M",
	/* Debian's kdump-tools (/etc/default/grub.d/kdump-tools.cfg) until 1.8, and since; Ubuntu's until 24.04. */
	"384M-:128M",
	"512M-:192M",
	/* Ubuntu's kdump-tools since 24.10. */
	"2G-4G:320M,4G-32G:512M,32G-64G:1024M,64G-128G:2048M,128G-:4096M",
	/* Ubuntu's GRUB until 13.10 (/etc/grub.d/10_linux), where linux-crashdump was installed. */
	"384M-2G:64M,2G-:128M",
};

/* Does the value that begins at @text end with @suffix? @length: of the value. */
static bool ends_with(const char *text, size_t length, const char *suffix)
{
	size_t size = strlen(suffix);

	return length > size && strncmp(text + length - size, suffix, size) == 0;
}

/* SUSE's YaST and kdumptool measure the first part on each machine. The second one is always the same on x86_64: 64M
 * for the kernel's bounce buffers, and 8M (kdumptool calibrate: "Low: 72"). */
static bool is_suse(const char *setting)
{
	static const char low[] = "72M,low";
	size_t first = strcspn(setting, " "), last;
	const char *second = setting + first;

	if (!*second)
		return false;
	last = strlen(++second);
	return !strchr(second, ' ') &&
	       ((ends_with(setting, first, "M,high") && strcmp(second, low) == 0) ||
		(ends_with(second, last, "M,high") && first == strlen(low) && kd_starts_with(setting, low)));
}

bool crashkernel_is_packaged(const char *setting)
{
	static const char automatic[] = "auto";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(packaged); i++)
		if (strcmp(setting, packaged[i]) == 0)
			return true;
	if (kd_starts_with(setting, automatic) && strchr(",@ ", setting[strlen(automatic)]))
		return true; /* strchr() finds the end, too */
	return is_suse(setting);
}
