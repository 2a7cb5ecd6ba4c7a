/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Values of crashkernel= that tools and packages of distributions write without asking. */
#ifndef KDUMP_BOOT_PACKAGED_H
#define KDUMP_BOOT_PACKAGED_H

#include <stdbool.h>

/** Did such a tool write @setting (kdump/boot/crashkernel.h)? Then nobody chose it. "auto" counts in any case, since it
 *  reserves nothing with a kernel that is not Red Hat's. */
bool crashkernel_is_packaged(const char *setting);

#endif
