/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The inside of struct loader_image: all decisions, and the bytes to load, as plain data. Only this folder includes
 *  it. */
#ifndef KDUMP_LOADER_LAYOUT_H
#define KDUMP_LOADER_LAYOUT_H

#include "kdump/loader/arch.h"
#include "kdump/loader/image.h"
#include "kdump/loader/initrd.h"
#include "kdump/loader/loader.h"
#include "kdump/loader/memory_map.h"
#include "kdump/loader/segments.h"

struct loader_image {
	enum loader_policy policy;
	enum loader_call call;
	bool whole_machine; /* with LOADER_PANIC: no capture kernel */
	const struct kd_log *log;
	const struct loader_arch *arch;
	struct kernel_image kernel;
	struct memory_map memory;
	struct segments segments;

	struct initrd initrd;
	void *elfcorehdr; /* panic kernels only */
	size_t elfcorehdr_size;
	void *boot_info; /* x86_64: zero page, command line, setup_data; aarch64: device tree */
	size_t boot_info_size;
	void *purgatory;
	void *page_tables; /* LOADER_RETURN only */
	char *dtb;         /* the device tree that the user wants; NULL: the running kernel's */
	size_t dtb_size;
	char *dtb_path;

	char *cmdline;      /* as requested */
	char *boot_cmdline; /* with what the loader adds */

	bool fast;      /* kernel.vmlinux is started, and nothing that unpacks it */
	char *not_fast; /* why not, although that was asked for; NULL: it was not, or fast is set */
	bool random;    /* at a random virtual address, which the loader has chosen */

	uint64_t kernel_address;
	uint64_t initrd_address;
	uint64_t elfcorehdr_address;
	uint64_t boot_info_address;
	uint64_t page_tables_address;
	uint64_t entry; /* the purgatory's */

	size_t seed;  /* where the random seed is in the boot info; 0: there is none */
	bool hotplug; /* the kernel may rewrite the elfcorehdr when CPUs or memory come and go */
};

/** Is it a capture kernel, which has an elfcorehdr and nothing but reserved memory? */
static inline bool loader_is_capture(const struct loader_image *image)
{
	return image->policy == LOADER_PANIC && !image->whole_machine;
}

#endif
