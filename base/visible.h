/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Text that may hold any bytes, such as names of files, the log of a crashed kernel and its report, printed so that it
 *  can neither command a terminal nor look like other text: bytes that are not UTF-8, and characters that are harmful
 *  (base/utf8.h), are printed as \xNN, byte for byte.
 *
 *  The logger (base/log.h) and the verbs' tables (kdump/verbs/terminal.h) print through this. */
#ifndef BASE_VISIBLE_H
#define BASE_VISIBLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

#define KD_VISIBLE_MAX 17 /* four bytes as \xNN, and a NUL */

/** @ret := the form of the character at @text. *columns := its width on a terminal, where a character that is printed
 *  as it is counts as one. Returns its length in bytes; 0 at the end of the text. */
unsigned int kd_visible_character(const char *text, char ret[KD_VISIBLE_MAX], unsigned int *columns);

/** Print @text. @lines: newlines are printed as they are; otherwise all of it stays in one line. */
void kd_visible_put(FILE *out, const char *text, bool lines);

/** Print one line, as vfprintf(3) does, but without a newline at its end. */
void kd_visible_print(FILE *out, const char *fmt, va_list ap) PRINTF_FORMAT(2, 0);

#endif
