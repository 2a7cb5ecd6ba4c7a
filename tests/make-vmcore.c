/* SPDX-License-Identifier: GPL-2.0-or-later */
/* make-vmcore FILE: the vmcore of a small machine made up, for cases that need one. Its pages differ, some are zero, 64
 * are free, 300 in a row and another one are user memory. Its log ends with a panic. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/dumpfilter/dumpfilter-testing.h"

int main(int argc, char **argv)
{
	/* All of it fits once around the ring. */
	static const char *const log[] = {
		"Booting",
		"Kernel panic - not syncing: made up by a test",
		"CPU: 1 PID: 7 Comm: sh Not tainted 6.1.0-test #1",
		"Call Trace:",
		" sysrq_made_up+0x1/0x20",
	};
	struct machine machine;
	uint64_t begin = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: make-vmcore FILE\n");
		return 2;
	}
	machine_init_log(&machine);
	for (unsigned int i = 0; i < sizeof(log) / sizeof(*log); i++) {
		uint64_t end = begin + 8 + ((strlen(log[i]) + 7) & ~UINT64_C(7));

		machine_add_record(&machine, i, 2, begin, end, log[i]);
		begin = end;
	}
	machine_info(&machine, "CRASHTIME=1795409463\n");
	for (uint64_t pfn = 2048; pfn < 4096; pfn++)
		for (uint64_t i = 0; i < 4096; i += 64)
			machine_put(&machine, pfn * 4096 + i, pfn * 77 + i * pfn, 8);
	machine_put(&machine, machine_page(2560) + 48, (uint32_t)-129, 4); /* buddy, order 6 */
	machine_put(&machine, machine_page(2560) + 40, 6, 8);
	for (uint64_t pfn = 3000; pfn < 3300; pfn++)
		machine_put(&machine, machine_page(pfn) + 24, 1, 8); /* anonymous */
	machine_put(&machine, machine_page(2100) + 24, 1, 8);
	machine_write(&machine, argv[1]);
	machine_release(&machine);
	return 0;
}
