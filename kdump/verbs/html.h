/* SPDX-License-Identifier: GPL-2.0-or-later */
/** One dump as one page for a browser: nothing is fetched, no script is run, it reads well on a phone. */
#ifndef KDUMP_VERBS_HTML_H
#define KDUMP_VERBS_HTML_H

#include <stdio.h>

#include "kdump/dumps/dumps.h"

/** Write the page. Whatever comes from the dump is escaped. KD_ERR_OS. */
struct kd_error *html_write(FILE *out, const struct dump *dump) MUST_CHECK;

#endif
