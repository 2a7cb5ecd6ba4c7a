/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/kernel/arch.h"

#include "base/array.h"

static const struct arch_ops *const architectures[] = {
	&arch_x86_64,
	&arch_aarch64,
};

const struct arch_ops *arch_find(uint16_t elf_machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i]->elf_machine == elf_machine)
			return architectures[i];
	return NULL;
}
