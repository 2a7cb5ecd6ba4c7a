/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What files in /proc say, from their text. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>

/** Which boot this is: a UUID in lower case (drivers/char/random.c), another one after each. */
#define KD_BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
enum { KD_BOOT_ID_SIZE = 37 }; /* with its NUL */

/** The figure, in bytes, of the line that begins with @key and a colon ("MemTotal:       16303160 kB"). Returns false,
 *  with *ret untouched, if there is no such line or no number in it. */
bool kd_proc_figure(const char *text, const char *key, uint64_t *ret);

/** The APIC ID with which the first CPU of /proc/cpuinfo, whose text is @cpuinfo, came out of reset: of the CPU that
 *  the firmware, or the kernel before this one, has started. -1: it does not say. */
int64_t kd_proc_boot_cpu(const char *cpuinfo);

#endif
