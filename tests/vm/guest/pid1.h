/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs that are PID 1 of a guest have in common. */
#ifndef TESTS_VM_GUEST_PID1_H
#define TESTS_VM_GUEST_PID1_H

#include <stddef.h>
#include <stdint.h>

#define MIB   ((size_t)1 << 20)
#define CHUNK MIB

/** Mount what a kernel offers, open the console, insert the modules that the file /modules names. */
void pid1_start(void);

/** Tell the host: "pages: WHAT: ok", or errno's text if @result is below 0. */
void say(const char *what, int result);

/** Write @text to the file @path. Below 0: errno. */
int put(const char *path, const char *text);

/** Wait for good: the host takes it from here. */
void pid1_end(void) __attribute__((noreturn));

#endif
