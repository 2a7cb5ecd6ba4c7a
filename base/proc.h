/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Figures from files in /proc with lines such as "MemTotal:       16303160 kB". */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>

/** The figure of the line that begins with @key and a colon, in bytes. Returns false, with *ret untouched, if there is
 *  no such line or no number in it. */
bool kd_proc_figure(const char *text, const char *key, uint64_t *ret);

#endif
