/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What an ELF dump says in fields that elf(5) leaves to the file's kind. */
#ifndef DUMPFILTER_VMCORE_ELF_FORMAT_H
#define DUMPFILTER_VMCORE_ELF_FORMAT_H

/** Set in e_flags, as makedumpfile -E does: the dump is incomplete. */
#define ELF_STATUS_INCOMPLETE 0x1u

#endif
