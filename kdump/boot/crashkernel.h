/* SPDX-License-Identifier: GPL-2.0-or-later */
/** crashkernel=: its values, and its words in a command line (Linux kernel/crash_reserve.c;
 *  Documentation/admin-guide/kdump/kdump.rst).
 *
 *      SIZE[@OFFSET]                              one size for every machine
 *      START-[END]:SIZE[,START-[END]:SIZE…][@OFFSET]   by the machine's memory
 *      SIZE,high  SIZE,low  SIZE,cma              above 4 GiB; below it, beside high; movable memory, beside all others
 *
 *  A *setting* is what a command line says as a whole: the values without their "crashkernel=", blank separated, as
 *  in "512M,high 72M,low". ",cma" is an addition to any of the others: it stays when those are changed, and is
 *  changed only by a setting that has one.
 */
#ifndef KDUMP_BOOT_CRASHKERNEL_H
#define KDUMP_BOOT_CRASHKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sysroot.h"

enum { CRASHKERNEL_RANGES = 32 };

enum crashkernel_kind { CRASHKERNEL_PLAIN, CRASHKERNEL_HIGH, CRASHKERNEL_LOW, CRASHKERNEL_CMA };

/** A machine with [start, end) bytes of memory reserves @size; @end is UINT64_MAX where there is no limit. */
struct crashkernel_range {
	uint64_t start, end, size;
};

struct crashkernel {
	enum crashkernel_kind kind;
	bool by_memory; /* has ranges; without, there is one from 0 on */
	struct crashkernel_range range[CRASHKERNEL_RANGES];
	size_t count;
	bool fixed; /* has an offset */
	uint64_t offset;
};

/** Parse one value ("256M", without "crashkernel="). KD_ERR_USAGE says what is wrong with it. */
struct kd_error *crashkernel_parse(const char *text, struct crashkernel *ret) MUST_CHECK;

/** Bytes that a kernel on a machine with @ram bytes of memory reserves for @value; 0: none. As the kernel does, ranges
 *  are compared with the memory rounded up to 128 MiB, since firmware keeps some for itself. */
uint64_t crashkernel_size(const struct crashkernel *value, uint64_t ram);

/** Check every value of a setting. KD_ERR_USAGE. */
struct kd_error *crashkernel_check_setting(const char *setting) MUST_CHECK;

/** Bytes that a setting reserves, without ",cma"; 0 where it has no size for this machine or cannot be read. */
uint64_t crashkernel_setting_size(const char *setting, uint64_t ram);

/** What the @size bytes at @cmdline set, without ",cma": the last plain value, since that is what the kernel takes,
 *  else all the others. *ret is owned by the caller, and NULL if there is none. Values are not checked. */
struct kd_error *crashkernel_get(const char *cmdline, size_t size, char **ret) MUST_CHECK;

/** A copy of @cmdline (@size bytes) in which @setting has the place of the first crashkernel= word, or stands at its
 *  end (but before "--"). All else is kept byte by byte. *ret is owned by the caller. */
struct kd_error *crashkernel_put(const char *cmdline, size_t size, const char *setting, char **ret) MUST_CHECK;

/** Bytes of memory of the machine as its kernel counts them: System RAM in /proc/iomem, or, where that is hidden,
 *  MemTotal, which is a little less. */
struct kd_error *crashkernel_ram(const struct kd_sysroot *root, uint64_t *ret) MUST_CHECK;

/** The setting for a machine of which nothing is known, in the syntax with ranges.
 *
 *  Measured floors are 72M (Debian's generic kernel) and 58M (cloud), on virtual machines of 2 GiB with virtio and
 *  ext4: nearly all of it is the kernel itself, and any reservation must cover that. Real machines have controllers
 *  whose drivers take tens of megabytes more: 128M, which Debian reserves, too. (Red Hat's 256M carry a dracut image
 *  with systemd.) Beyond, what grows with memory is the filter's: two bitmaps of one bit a page are 64 MiB for each
 * TiB; and machines that large have more, and larger, controllers. Below 1 GiB, 96M is all that is worth giving up;
 * below 512M nothing is. */
const char *crashkernel_default(void);

#endif
