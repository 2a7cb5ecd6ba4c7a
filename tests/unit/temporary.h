/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A temporary directory for a test. */
#ifndef TESTS_UNIT_TEMPORARY_H
#define TESTS_UNIT_TEMPORARY_H

#define TEMPORARY_SIZE 64

/** Make a new directory below $TMPDIR or /tmp; its name has the name of the test. A failure fails the test. */
void temporary_make(char path[TEMPORARY_SIZE]);
/** Remove the directory and everything in it. */
void temporary_remove(const char *path);

#endif
