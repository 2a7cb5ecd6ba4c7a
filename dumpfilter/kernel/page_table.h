/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Walks of the crashed kernel's page tables: the same for all architectures, which differ in struct paging and in what
 *  an entry means (struct arch_ops, entry_kind). */
#ifndef DUMPFILTER_KERNEL_PAGE_TABLE_H
#define DUMPFILTER_KERNEL_PAGE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dumpfilter/kernel/address_space.h"

/** Where @vaddr is mapped to, and how many bytes from there on belong to the same entry. KD_ERR_HOLE. */
struct kd_error *page_table_walk(struct address_space *space, uint64_t vaddr, uint64_t *paddr_ret,
				 uint64_t *size_ret) MUST_CHECK;

/** As above, but an unmapped address is not an error (false): then *@size_ret says how many bytes from there on belong
 *  to the same empty entry. */
bool page_table_look(struct address_space *space, uint64_t vaddr, uint64_t *paddr_ret, uint64_t *size_ret);

enum page_rights {
	PAGE_WRITABLE, /* or not mapped at all, as it is with memory that has had its time */
	PAGE_READ_ONLY,
	PAGE_CODE,
};

/** Finds the kernel's access rights at @vaddr, and how many bytes from there on have the same entry or are unmapped: at
 *  least one page. */
enum page_rights page_table_rights(struct address_space *space, uint64_t vaddr, uint64_t *size_ret);

/** Call @visit with the physical address of every table that the kernel's addresses lead to. Tables that cannot be
 *  read are left out, and so are more than any kernel has: broken entries may lead in circles. */
void page_table_visit(struct address_space *space, void (*visit)(struct address_space *space, uint64_t paddr));

#endif
