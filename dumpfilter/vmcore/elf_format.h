/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Values of an ELF dump that elf(5) does not define. */
#ifndef DUMPFILTER_VMCORE_ELF_FORMAT_H
#define DUMPFILTER_VMCORE_ELF_FORMAT_H

/** Set in e_flags, as makedumpfile -E does: the dump is incomplete. */
#define ELF_STATUS_INCOMPLETE 0x1u

#endif
