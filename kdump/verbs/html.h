/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A dump as one HTML page, which loads nothing, runs no script and fits on a phone. */
#ifndef KDUMP_VERBS_HTML_H
#define KDUMP_VERBS_HTML_H

#include <stdio.h>

#include "kdump/dumps/dumps.h"

/** Write the page. All text from the dump is escaped. KD_ERR_OS. */
struct kd_error *html_write(FILE *out, const struct dump *dump) MUST_CHECK;

#endif
