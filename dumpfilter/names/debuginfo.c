/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/debuginfo.h"

#include <string.h>

#define NAME_MAX_LENGTH 128u

bool debuginfo_symbol(const struct debuginfo *info, const char *name, uint64_t *ret)
{
	return info->symbols->find(info->symbols_data, name, ret) > 0;
}

bool debuginfo_member(const struct debuginfo *info, const char *name, const char *path, struct type_member *ret)
{
	struct type_member found = { 0 };
	uint64_t offset = 0;
	struct type type;

	if (!info->types->find(info->types_data, name, &found.type))
		return false;
	for (;;) {
		size_t length = strcspn(path, ".");
		char part[NAME_MAX_LENGTH];

		if (length >= sizeof(part) || !info->types->describe(info->types_data, found.type, &type) ||
		    type.kind != TYPE_STRUCT)
			return false;
		memcpy(part, path, length);
		part[length] = '\0';
		if (!info->types->member(info->types_data, type.id, part, &found))
			return false;
		offset += found.offset;
		if (!path[length])
			break;
		path += length + 1;
	}
	found.offset = offset;
	*ret = found;
	return true;
}

bool debuginfo_size(const struct debuginfo *info, const char *name, uint64_t *ret)
{
	struct type type;
	type_id id;

	if (!info->types->find(info->types_data, name, &id) || !info->types->describe(info->types_data, id, &type) ||
	    type.size == 0)
		return false;
	*ret = type.size;
	return true;
}
