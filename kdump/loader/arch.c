/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "kdump/loader/arch.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/array.h"
#include "kdump/loader/loader.h"

static const struct loader_arch *const archs[] = {
	&loader_arch_x86_64,
#ifdef HAVE_FDT
	&loader_arch_aarch64,
#endif
};

#define ARCHS ARRAY_SIZE(archs)

const struct loader_arch *loader_arch_find(uint16_t machine)
{
	size_t i;

	for (i = 0; i < ARCHS; i++)
		if (archs[i]->machine == machine)
			return archs[i];
	return NULL;
}

uint16_t loader_arch_native(void)
{
	struct utsname name;
	size_t i;

	if (uname(&name) == 0)
		for (i = 0; i < ARCHS; i++)
			if (strcmp(archs[i]->name, name.machine) == 0)
				return archs[i]->machine;
	return EM_NONE;
}

bool loader_has_device_tree(void)
{
	return loader_arch_native() == EM_AARCH64;
}
