/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF headers and notes of a vmcore, and reading by physical address. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/elf64.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/fuzz/fuzz.h"

static void read_around(const struct vmcore *vmcore, uint64_t paddr)
{
	static const size_t sizes[] = { 1, 8, 4096, 65536 };
	static uint8_t buf[65536];
	struct vmcore_window window;
	const uint8_t *seen;

	vmcore_window_init(&window, vmcore);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		bool failed = fuzz_error(vmcore_read(vmcore, paddr, buf, sizes[i]));

		if (!failed)
			REQUIRE(kd_ranges_contain(vmcore_contents(vmcore), paddr, paddr + sizes[i]));
		if (!fuzz_error(vmcore_window_get(&window, paddr, sizes[i], buf, &seen)))
			buf[0] ^= seen[0] ^ seen[sizes[i] - 1];
	}
	vmcore_window_release(&window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	const struct vmcore_segment *segment;
	struct kd_elf64_note note;
	size_t count, notes_size, info_size, offset = 0;
	const void *notes;
	const char *info;

	if (fuzz_error(vmcore_open(fuzz_file(data, size), &vmcore)))
		return 0;
	segment = vmcore_segments(vmcore, &count);
	REQUIRE(vmcore_end_paddr(vmcore) > 0);
	for (size_t i = 0; i < count && i < 32; i++) {
		REQUIRE(segment[i].file_size <= segment[i].memory_size);
		read_around(vmcore, segment[i].paddr);
		read_around(vmcore, segment[i].paddr + segment[i].file_size - 1);
	}
	read_around(vmcore, 0);
	read_around(vmcore, UINT64_MAX - 8);
	notes = vmcore_notes(vmcore, &notes_size);
	while (kd_elf64_next_note(notes, notes_size, &offset, &note))
		REQUIRE(note.desc + note.desc_size <= (const uint8_t *)notes + notes_size);
	info = vmcore_vmcoreinfo(vmcore, &info_size);
	if (info_size)
		REQUIRE(info >= (const char *)notes && info + info_size <= (const char *)notes + notes_size);
	return 0;
}
