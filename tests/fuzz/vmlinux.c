/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF kernels, with the relocations that follow them in a bzImage. */
#include <string.h>

#include "kdump/loader/vmlinux.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(vmlinux_free) struct vmlinux v = { 0 };
	size_t lists;

	if (fuzz_error(vmlinux_parse("vmlinux", data, size, &v)))
		return 0;
	lists = v.add64.count + v.sub32.count + v.add32.count;
	REQUIRE(v.size > 0 && v.size <= v.mem_size && v.mem_size <= VMLINUX_MAP_SIZE && v.entry < v.mem_size);
	REQUIRE(v.link % VMLINUX_ALIGN == 0 && v.movable == (lists > 0) && lists * 4 <= size);
	if (v.movable)
		vmlinux_move(&v, VMLINUX_ALIGN);
	return 0;
}
