/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Configuration files as editors of other systems and web pages leave them. */
#ifndef KDUMP_CONFIG_CONFIG_TEXT_H
#define KDUMP_CONFIG_CONFIG_TEXT_H

#include "base/error.h"
#include "base/sysroot.h"

/** Read the text of @file. *ret is owned by the caller. KD_ERR_OS; KD_ERR_CONFIG: the file is not text in UTF-8 or
 *  ASCII, so that lines of it would not be seen. */
struct kd_error *config_read(const struct kd_sysroot *root, const char *file, char **ret) MUST_CHECK;

/** @text behind the byte order mark, if it begins with one. */
const char *config_skip_mark(const char *text);

/** Check a line without its comment. KD_ERR_CONFIG: it has a character that looks like a blank or a quote but is none;
 *  the text names it and says what to do. */
struct kd_error *config_check_line(const char *line) MUST_CHECK;

/** @text with all bytes but printable ASCII as \xNN, for messages. *ret is owned by the caller. */
struct kd_error *config_escape(const char *text, char **ret) MUST_CHECK;

#endif
