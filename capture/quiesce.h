/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Stop the DMA of the dead kernel's devices.
 *
 *  A network card that the crashed kernel had set up goes on writing packets into that kernel's buffers: memory that
 *  is being dumped. Drivers reset the devices that they claim; what no driver claims is told here to leave the bus
 *  alone, by clearing Bus Master Enable in its PCI command register (PCI Local Bus Specification 3.0, 6.2.2).
 *  Functions that serve others are left alone: bridges (base class 06) and system peripherals (base class 08: I/O
 *  APICs, IOMMUs). A driver that is inserted later sets the bit again for its own device (pci_set_master()).
 *  Reading a function that does not answer can take the machine seconds: run it in a child.
 */
#ifndef CAPTURE_QUIESCE_H
#define CAPTURE_QUIESCE_H

#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"

enum { QUIESCE_MAX_NAMES = 64 };

struct quiesce_result {
	unsigned int count;               /* functions that were bus masters and no longer are */
	unsigned int failed;              /* that could not be stopped */
	char name[QUIESCE_MAX_NAMES][16]; /* "0000:00:03.0" of the first of them */
};

/** Go through every PCI function of @root. A machine without PCI has nothing to stop. */
struct kd_error *quiesce(const struct kd_sysroot *root, struct quiesce_result *ret) MUST_CHECK;

#endif
