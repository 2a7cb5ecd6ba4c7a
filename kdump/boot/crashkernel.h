/* SPDX-License-Identifier: GPL-2.0-or-later */
/** crashkernel=: its values, and its words on a command line (Linux kernel/crash_reserve.c;
 *  Documentation/admin-guide/kdump/kdump.rst).
 *
 *      SIZE[@OFFSET]                              one size for every machine
 *      START-[END]:SIZE[,START-[END]:SIZE…][@OFFSET]   by the machine's memory
 *      SIZE,high  SIZE,low  SIZE,cma              above 4 GiB; below it, beside high; movable memory, beside all others
 *
 *  A *setting* is all values of a command line, without their "crashkernel=" and separated by blanks: "512M,high
 *  72M,low". ",cma" is added to any of the other forms: it stays when those change, and only a setting with ",cma"
 *  changes it.
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

/** A machine with [start, end) bytes of memory reserves @size; @end is UINT64_MAX if the range has no upper limit. */
struct crashkernel_range {
	uint64_t start, end, size;
};

struct crashkernel {
	enum crashkernel_kind kind;
	bool by_memory; /* has ranges; otherwise there is one range that starts at 0 */
	struct crashkernel_range range[CRASHKERNEL_RANGES];
	size_t count;
	bool fixed; /* the value has an offset */
	uint64_t offset;
};

/** Parse one value ("256M", without "crashkernel="). KD_ERR_USAGE, with the fault in the text. */
struct kd_error *crashkernel_parse(const char *text, struct crashkernel *ret) MUST_CHECK;

/** The bytes that a kernel reserves for @value on a machine with @ram bytes of memory; 0: none. Firmware keeps some
 *  memory for itself, so ranges are compared with the memory rounded up to 128 MiB, as in the kernel. */
uint64_t crashkernel_size(const struct crashkernel *value, uint64_t ram);

/** Check every value of a setting: it has to reserve something, and in megabytes. ",low" and ",cma" need a plain value
 *  or ",high" beside them. KD_ERR_USAGE. */
struct kd_error *crashkernel_check_setting(const char *setting) MUST_CHECK;

/** The bytes that a setting reserves, without ",cma"; 0 if it has no size for this machine or is malformed. */
uint64_t crashkernel_setting_size(const char *setting, uint64_t ram);

/** The setting in the @size bytes at @cmdline, without ",cma": the last plain value, which is the one that the kernel
 *  uses, or else all other values. *ret is owned by the caller, and NULL if there is no setting. Values are not
 *  checked. */
struct kd_error *crashkernel_get(const char *cmdline, size_t size, char **ret) MUST_CHECK;

/** Copy @cmdline (@size bytes) with @setting in place of the first crashkernel= word, or at the end (but before "--").
 *  All other bytes are kept. *ret is owned by the caller. */
struct kd_error *crashkernel_put(const char *cmdline, size_t size, const char *setting, char **ret) MUST_CHECK;

/** The memory of the machine in bytes, as its kernel counts it: System RAM in /proc/iomem or, if that is hidden,
 *  MemTotal, which is slightly less. */
struct kd_error *crashkernel_ram(const struct kd_sysroot *root, uint64_t *ret) MUST_CHECK;

/** The setting for a machine without an estimate, with ranges.
 *
 *  The smallest reservations that work are 72M (Debian's generic kernel) and 58M (cloud kernel), measured on virtual
 *  machines of 2 GiB with virtio and ext4. Nearly all of that is the kernel itself, and any reservation must cover it.
 *  Real machines have controllers whose drivers need tens of megabytes more: hence 128M, as Debian reserves. (Red Hat's
 *  256M hold a dracut image with systemd.) The need of the filter grows with memory: its two bitmaps have one bit for
 *  each page, 64 MiB for each TiB. Larger machines also have more and larger controllers. Below 1 GiB, more than 96M
 *  costs the machine too much; below 512M, any reservation does. */
const char *crashkernel_default(void);

#endif
