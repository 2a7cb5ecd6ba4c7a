/* SPDX-License-Identifier: GPL-2.0-or-later */
/** A unified kernel image made up for tests: a PE file with sections of text, which nothing could start. */
#ifndef TESTS_UNIT_UKI_H
#define TESTS_UNIT_UKI_H

#include <stdint.h>
#include <string.h>

enum { UKI_SECTIONS_MAX = 8, UKI_SECTION_SIZE = 512 };

struct uki_section {
	const char *name, *text; /* name NULL ends a list */
};

/** Write the file @path: headers of 512 bytes, then 512 bytes for each section. */
static inline void uki_write(const struct tree *m, const char *path, const struct uki_section *section)
{
	uint8_t file[(UKI_SECTIONS_MAX + 1) * UKI_SECTION_SIZE] = "MZ";
	uint8_t *pe = file + 0x80, *row = pe + 24;
	size_t count = 0;

	file[0x3c] = 0x80;
	memcpy(pe, "PE\0\0", 4);
	for (; section[count].name; count++, row += 40) {
		size_t place = (count + 1) * UKI_SECTION_SIZE, length = strlen(section[count].text);

		memcpy(row, section[count].name, strlen(section[count].name));
		row[8] = (uint8_t)length;
		row[9] = (uint8_t)(length >> 8);
		row[17] = UKI_SECTION_SIZE >> 8;
		row[20] = (uint8_t)place;
		row[21] = (uint8_t)(place >> 8);
		memcpy(file + place, section[count].text, length);
	}
	pe[6] = (uint8_t)count;
	tree_write(m, path, file, (count + 1) * UKI_SECTION_SIZE);
}

#endif
