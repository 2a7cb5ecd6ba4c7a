/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/names.h"

#include <stdlib.h>
#include <string.h>

static bool contain(const struct names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->count; i++) {
		if (strcmp(names->name[i], name) == 0)
			return true;
	}
	return false;
}

struct kd_error *names_add(struct names *names, const char *name, bool *added)
{
	_cleanup_free_ char *copy = NULL;

	if (added)
		*added = false;
	if (contain(names, name))
		return NULL;
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? names->capacity * 2 : 16;
		char **grown = reallocarray(names->name, capacity, sizeof(*grown));

		if (!grown)
			return kd_error_nomem();
		names->name = grown;
		names->capacity = capacity;
	}
	copy = strdup(name);
	if (!copy)
		return kd_error_nomem();
	names->name[names->count++] = take_ptr(copy);
	if (added)
		*added = true;
	return NULL;
}

void names_free(struct names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct names){ 0 };
}
