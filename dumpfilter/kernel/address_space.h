/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Virtual memory of the crashed kernel: its own page tables, walked in the vmcore.
 *
 *  Which frames were walked and read is remembered. These hold the kernel's most basic data, so two things follow:
 *  every dump must have them, early (a reader needs them first), and rules that would drop most of them do not fit this
 *  kernel (dumpfilter/pages/vital.h).
 */
#ifndef DUMPFILTER_KERNEL_ADDRESS_SPACE_H
#define DUMPFILTER_KERNEL_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/ranges.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/vmcore/vmcore.h"

#define PAGE_TABLE_LEVELS_MAX 5
#define PAGE_SIZE_MIN         4096u
#define PAGE_SIZE_MAX         65536u
/* Kernel stacks are aligned to their size: 16 KiB on x86_64 and on aarch64, twice that with KASAN. */
#define ADDRESS_SPACE_STACK UINT64_C(16384)

struct arch_ops; /* dumpfilter/kernel/arch.h */

/** The kernel's page tables, as far as the architectures agree about them. */
struct paging {
	uint64_t root;           /* physical address of the top table */
	unsigned int levels;     /* 0: the tables are not known */
	unsigned int page_shift; /* log2 of a page and of a table … */
	unsigned int index_bits; /* … and of its entries */
	unsigned int va_bits;    /* of an address, that count; what the other levels leave is the top one's */
	unsigned int kernel_bit; /* set in every address of the kernel */
	bool shared_root;        /* only the upper half of the top table is the kernel's */
	uint64_t address_mask;   /* bits of an entry that are an address … */
	uint64_t high_mask;      /* … and those that are when shifted left by high_shift */
	unsigned int high_shift;
	uint64_t write_mask;  /* bits of an entry that tell whether memory may be written … */
	uint64_t write_value; /* … and what they are if it may */
	uint64_t no_execute;  /* the bit of an entry that says that it is not code */
	uint64_t image_base;  /* virtual addresses [image_base, image_base + image_size) are the kernel image … */
	uint64_t image_size;
	uint64_t image_paddr;    /* … which lies at this physical address (modulo 2^64) */
	struct kd_range modules; /* virtual addresses that modules are loaded to; empty if that is not known */
};

/** One table per level is kept: walks of neighbouring addresses read nothing. */
struct table_cache {
	uint64_t paddr;
	bool valid;
	uint64_t *entry;
};

struct address_space {
	const struct vmcore *vmcore;
	const struct vmcoreinfo *info;
	const struct arch_ops *arch;
	const struct kd_log *log;
	struct vmcore_window window;
	uint64_t page_size;
	struct paging paging;
	struct table_cache cache[PAGE_TABLE_LEVELS_MAX];
	struct kd_ranges walked; /* physical, whole pages: tables, and all that was read */
	uint64_t failed;         /* physical address of the last read that failed */
};

/** Find the page tables and check them: they must map the image where its formula does, and the kernel's name must be
 *  where VMCOREINFO says. All pointers are borrowed; @log may be NULL. Release it even after an error; page_size is
 *  usable then, too. KD_ERR_UNSUPPORTED (architecture); KD_ERR_FORMAT, KD_ERR_HOLE (not usable). */
struct kd_error *address_space_init(struct address_space *space, const struct vmcore *vmcore,
				    const struct vmcoreinfo *info, const struct kd_log *log) MUST_CHECK;
void address_space_release(struct address_space *space);
static inline void address_space_release_cleanup(struct address_space *space)
{
	address_space_release(space);
}

/** Physical address of @vaddr, and how many bytes from there on belong to the same mapping. KD_ERR_HOLE. */
struct kd_error *address_space_translate(struct address_space *space, uint64_t vaddr, uint64_t *paddr_ret,
					 uint64_t *size_ret) MUST_CHECK;

/** Copy @size bytes at @vaddr. KD_ERR_HOLE if they are not mapped, or not in the dump. */
struct kd_error *address_space_read(struct address_space *space, uint64_t vaddr, void *buf, size_t size) MUST_CHECK;
/** As above, but what was read is remembered in @frames. */
struct kd_error *address_space_read_into(struct address_space *space, uint64_t vaddr, void *buf, size_t size,
					 struct kd_ranges *frames) MUST_CHECK;
/** As above, but without a copy where possible: *@ret points into a mapping of the vmcore, or to @buf, until the next
 *  call. */
struct kd_error *address_space_view(struct address_space *space, uint64_t vaddr, void *buf, size_t size,
				    struct kd_ranges *frames, const uint8_t **ret) MUST_CHECK;
/** Remembers in @frames every page of [@vaddr, @vaddr + @size) that could be read, without reading it. */
void address_space_find_frames(struct address_space *space, uint64_t vaddr, size_t size, struct kd_ranges *frames);
struct kd_error *address_space_read_u32(struct address_space *space, uint64_t vaddr, uint32_t *ret) MUST_CHECK;
struct kd_error *address_space_read_u64(struct address_space *space, uint64_t vaddr, uint64_t *ret) MUST_CHECK;

/** Remember as walked every page table below the kernel's half of the root, and the stacks that the CPUs were on. Best
 *  effort. */
void address_space_walk_all(struct address_space *space);

/** struct new_utsname of the crashed kernel: six strings of 65 bytes. */
struct kernel_name {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
/** Where it lies. KD_ERR_FORMAT: VMCOREINFO does not say. */
struct kd_error *address_space_find_name(const struct address_space *space, uint64_t *ret) MUST_CHECK;
/** Every string is terminated. */
struct kd_error *address_space_read_name(struct address_space *space, struct kernel_name *ret) MUST_CHECK;

/** For the architectures: the table at @paddr, of one page, kept until another one of the same level is asked for. */
struct kd_error *address_space_table(struct address_space *space, unsigned int level, uint64_t paddr,
				     const uint64_t **ret) MUST_CHECK;

#endif
