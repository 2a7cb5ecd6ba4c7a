/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A directory for what a test makes. */
#ifndef TESTS_UNIT_TEMPORARY_H
#define TESTS_UNIT_TEMPORARY_H

#define TEMPORARY_SIZE 64

/** A new one, below $TMPDIR or /tmp; its name says whose it is. What goes wrong fails the test. */
void temporary_make(char path[TEMPORARY_SIZE]);
/** With all that is in it. */
void temporary_remove(const char *path);

#endif
