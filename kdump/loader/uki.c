/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/uki.h"

#include <string.h>

#include "kdump/loader/le.h"

/* Offsets (Microsoft PE/COFF specification): in the file, behind the signature, in a row of the section table. */
enum {
	MZ_PE_OFFSET = 0x3c,
	PE_SECTIONS = 4 + 2,
	PE_OPTIONAL_SIZE = 4 + 16,
	PE_HEADER_SIZE = 4 + 20,
	SECTION_NAME_SIZE = 8,
	SECTION_VIRTUAL_SIZE = 8,
	SECTION_RAW_SIZE = 16,
	SECTION_RAW_OFFSET = 20,
	SECTION_SIZE = 40,
};

bool uki_find(const void *head, size_t size, const char *name, uint64_t *offset, uint64_t *length)
{
	static const char profile[SECTION_NAME_SIZE + 1] = ".profile"; /* as long as a name can be: without a NUL */
	const uint8_t *file = head;
	char padded[SECTION_NAME_SIZE] = "";
	size_t pe, table;

	if (size < MZ_PE_OFFSET + 4 || memcmp(file, "MZ", 2) != 0)
		return false;
	pe = get_le32(file + MZ_PE_OFFSET);
	if (pe > size || size - pe < PE_HEADER_SIZE || memcmp(file + pe, "PE\0\0", 4) != 0)
		return false;
	memcpy(padded, name, strlen(name) < sizeof(padded) ? strlen(name) : sizeof(padded));
	table = pe + PE_HEADER_SIZE + get_le16(file + pe + PE_OPTIONAL_SIZE);
	for (unsigned int i = 0; i < get_le16(file + pe + PE_SECTIONS); i++, table += SECTION_SIZE) {
		uint32_t virtual_size, raw_size;

		if (table > size || size - table < SECTION_SIZE)
			return false;
		if (memcmp(file + table, profile, SECTION_NAME_SIZE) == 0)
			return false;
		if (memcmp(file + table, padded, sizeof(padded)) != 0)
			continue;
		virtual_size = get_le32(file + table + SECTION_VIRTUAL_SIZE);
		raw_size = get_le32(file + table + SECTION_RAW_SIZE);
		*offset = get_le32(file + table + SECTION_RAW_OFFSET);
		/* The size in the file is rounded up. */
		*length = virtual_size && virtual_size < raw_size ? virtual_size : raw_size;
		return true;
	}
	return false;
}
