/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/btf.h"

#include <stdlib.h>
#include <string.h>

#define BTF_MAGIC   0xeb9fu
#define BTF_VERSION 1u
/* Typedefs of typedefs, members of anonymous members: no more than this, and hence never in a circle. */
#define DEPTH_MAX    32u
#define POINTER_SIZE 8u

struct btf_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t header_size;
	uint32_t type_offset, type_size; /* behind the header */
	uint32_t string_offset, string_size;
};
_Static_assert(sizeof(struct btf_header) == 24, "BTF header");

struct btf_type {
	uint32_t name;
	uint32_t info; /* bits 0-15: elements that follow; 24-28: kind; 31: kind flag */
	uint32_t size_or_type;
};
_Static_assert(sizeof(struct btf_type) == 12, "BTF type");

struct btf_member {
	uint32_t name;
	uint32_t type;
	uint32_t offset; /* bits; with the kind flag 24 of them, and above them the size of a bit field */
};

struct btf_array {
	uint32_t type, index_type, count;
};

struct btf_enum {
	uint32_t name;
	uint32_t low;
	uint32_t high; /* ENUM64 only */
};

enum btf_kind {
	BTF_INT = 1,
	BTF_PTR,
	BTF_ARRAY,
	BTF_STRUCT,
	BTF_UNION,
	BTF_ENUM,
	BTF_FWD,
	BTF_TYPEDEF,
	BTF_VOLATILE,
	BTF_CONST,
	BTF_RESTRICT,
	BTF_FUNC,
	BTF_FUNC_PROTO,
	BTF_VAR,
	BTF_DATASEC,
	BTF_FLOAT,
	BTF_DECL_TAG,
	BTF_TYPE_TAG,
	BTF_ENUM64,
	BTF_KIND_COUNT
};

/* Bytes that follow a type: some once, and some for each of its elements. */
static const struct {
	uint8_t once, each;
} kind_sizes[BTF_KIND_COUNT] = {
	[BTF_INT] = { 4, 0 },      [BTF_ARRAY] = { 12, 0 },     [BTF_STRUCT] = { 0, 12 }, [BTF_UNION] = { 0, 12 },
	[BTF_ENUM] = { 0, 8 },     [BTF_FUNC_PROTO] = { 0, 8 }, [BTF_VAR] = { 4, 0 },     [BTF_DATASEC] = { 0, 12 },
	[BTF_DECL_TAG] = { 4, 0 }, [BTF_ENUM64] = { 0, 12 },
};

struct btf {
	const struct btf *base;
	uint8_t *data;
	const uint8_t *types;
	const char *strings; /* the last one is terminated */
	uint32_t string_size;
	uint32_t first_id, first_string; /* 1 and 0 without a base */
	uint32_t count;
	uint32_t *offset; /* of each type, in types */
};

static unsigned int kind_of(const struct btf_type *type)
{
	return type->info >> 24 & 0x1f;
}

static uint32_t element_count(const struct btf_type *type)
{
	return type->info & 0xffff;
}

static bool kind_flag(const struct btf_type *type)
{
	return type->info >> 31;
}

void btf_destroy(struct btf *btf)
{
	if (!btf)
		return;
	free(btf->offset);
	free(btf->data);
	free(btf);
}

static struct kd_error *check_header(struct btf *btf, size_t size, uint32_t *type_size_ret)
{
	struct btf_header header;
	uint64_t types, strings;

	if (size < sizeof(header))
		return kd_error_create(KD_ERR_FORMAT, "BTF of %zu bytes", size);
	memcpy(&header, btf->data, sizeof(header));
	if (header.magic != BTF_MAGIC || header.version != BTF_VERSION)
		return kd_error_create(KD_ERR_FORMAT, "no BTF: magic 0x%x, version %u", header.magic, header.version);
	types = (uint64_t)header.header_size + header.type_offset;
	strings = (uint64_t)header.header_size + header.string_offset;
	if (header.header_size < sizeof(header) || types > size || header.type_size > size - types || strings > size ||
	    header.string_size > size - strings || types % 4)
		return kd_error_create(KD_ERR_FORMAT, "BTF: types or names lie beyond its %zu bytes", size);
	if (header.string_size && btf->data[strings + header.string_size - 1] != '\0')
		return kd_error_create(KD_ERR_FORMAT, "BTF: the last name does not end");
	btf->types = btf->data + types;
	btf->strings = (const char *)btf->data + strings;
	btf->string_size = header.string_size;
	*type_size_ret = header.type_size;
	return NULL;
}

/* Where each type begins. Afterwards every type is known to lie, with its elements, within the data. */
static struct kd_error *index_types(struct btf *btf, uint32_t type_size)
{
	uint32_t capacity = type_size / sizeof(struct btf_type);

	btf->offset = calloc(capacity ? capacity : 1, sizeof(*btf->offset));
	if (!btf->offset)
		return kd_error_nomem();
	for (uint64_t offset = 0; offset < type_size;) {
		struct btf_type type;
		unsigned int kind;
		uint64_t size;

		if (type_size - offset < sizeof(type))
			return kd_error_create(KD_ERR_FORMAT, "BTF: type %u is cut off", btf->first_id + btf->count);
		memcpy(&type, btf->types + offset, sizeof(type));
		kind = kind_of(&type);
		if (kind == 0 || kind >= BTF_KIND_COUNT)
			return kd_error_create(KD_ERR_UNSUPPORTED, "BTF: type %u is of kind %u, which is not known",
					       btf->first_id + btf->count, kind);
		size = sizeof(type) + kind_sizes[kind].once + (uint64_t)kind_sizes[kind].each * element_count(&type);
		if (size > type_size - offset)
			return kd_error_create(KD_ERR_FORMAT, "BTF: type %u is cut off", btf->first_id + btf->count);
		btf->offset[btf->count++] = (uint32_t)offset;
		offset += size;
	}
	return NULL;
}

struct kd_error *btf_parse(uint8_t *data, size_t size, const struct btf *base, struct btf **ret)
{
	_cleanup_(btf_destroy) struct btf *btf = calloc(1, sizeof(*btf));
	uint32_t type_size = 0;
	struct kd_error *err;

	if (!btf) {
		free(data);
		return kd_error_nomem();
	}
	btf->data = data;
	btf->base = base;
	btf->first_id = base ? base->first_id + base->count : 1;
	btf->first_string = base ? base->first_string + base->string_size : 0;
	err = check_header(btf, size, &type_size);
	if (!err)
		err = index_types(btf, type_size);
	if (err)
		return err;
	*ret = take_ptr(btf);
	return NULL;
}

/* The type, where its elements begin, and the object that it belongs to (its strings may be the base's). */
static bool get_type(const struct btf *btf, type_id id, struct btf_type *ret, const uint8_t **elements_ret)
{
	while (btf && id < btf->first_id)
		btf = btf->base;
	if (!btf || id - btf->first_id >= btf->count)
		return false;
	memcpy(ret, btf->types + btf->offset[id - btf->first_id], sizeof(*ret));
	*elements_ret = btf->types + btf->offset[id - btf->first_id] + sizeof(*ret);
	return true;
}

static const char *get_string(const struct btf *btf, uint32_t offset)
{
	while (btf && offset < btf->first_string)
		btf = btf->base;
	return btf && offset - btf->first_string < btf->string_size ? btf->strings + (offset - btf->first_string) : "";
}

/* How well a type answers to the name that is looked for; 0: not at all. */
static int find_rank(const struct btf_type *type)
{
	switch (kind_of(type)) {
	case BTF_STRUCT:
	case BTF_UNION:
	case BTF_ENUM:
	case BTF_ENUM64:
		return 3;
	case BTF_TYPEDEF:
		return 2;
	case BTF_INT:
	case BTF_FLOAT:
		return 1;
	}
	return 0;
}

static bool find(const void *data, const char *name, type_id *ret)
{
	int best = 0;

	/* A module's own types come before the kernel's. */
	for (const struct btf *btf = data; btf && !best; btf = btf->base) {
		for (uint32_t i = 0; i < btf->count; i++) {
			struct btf_type type;

			memcpy(&type, btf->types + btf->offset[i], sizeof(type));
			if (find_rank(&type) > best && strcmp(get_string(btf, type.name), name) == 0) {
				best = find_rank(&type);
				*ret = btf->first_id + i;
			}
		}
	}
	return best != 0;
}

static bool describe_at(const struct btf *btf, type_id id, unsigned int depth, struct type *ret)
{
	struct btf_type type;
	struct btf_array array;
	struct type element;
	const uint8_t *elements;

	for (;; depth++) {
		if (id == TYPE_ID_VOID) {
			*ret = (struct type){ .kind = TYPE_VOID };
			return true;
		}
		if (depth >= DEPTH_MAX || !get_type(btf, id, &type, &elements))
			return false;
		switch (kind_of(&type)) {
		case BTF_TYPEDEF:
		case BTF_VOLATILE:
		case BTF_CONST:
		case BTF_RESTRICT:
		case BTF_TYPE_TAG:
			id = type.size_or_type;
			continue;
		case BTF_INT:
		case BTF_ENUM:
		case BTF_ENUM64:
		case BTF_FLOAT:
			*ret = (struct type){ .kind = TYPE_INTEGER,
					      .id = id,
					      .size = type.size_or_type,
					      .is_char = kind_of(&type) == BTF_INT &&
							 strcmp(get_string(btf, type.name), "char") == 0 };
			return true;
		case BTF_PTR:
			*ret = (struct type){
				.kind = TYPE_POINTER, .id = id, .size = POINTER_SIZE, .target = type.size_or_type
			};
			return true;
		case BTF_STRUCT:
		case BTF_UNION:
			*ret = (struct type){ .kind = TYPE_STRUCT, .id = id, .size = type.size_or_type };
			return true;
		case BTF_ARRAY:
			memcpy(&array, elements, sizeof(array));
			if (!describe_at(btf, array.type, depth + 1, &element))
				return false;
			*ret = (struct type){
				.kind = TYPE_ARRAY, .id = id, .target = array.type, .count = array.count
			};
			return !__builtin_mul_overflow(element.size, array.count, &ret->size);
		default:
			*ret = (struct type){ .kind = TYPE_OTHER, .id = id };
			return true;
		}
	}
}

static bool describe(const void *data, type_id id, struct type *ret)
{
	struct type type;

	if (!describe_at(data, id, 0, &type))
		return false;
	*ret = type;
	return true;
}

/* @budget: structs that may yet be looked into, all in all. A real struct has few anonymous members; one that was
 * made to have many of them, nested, would take for ever. */
static bool member_at(const struct btf *btf, type_id id, const char *name, uint64_t base, unsigned int depth,
		      unsigned int *budget, struct type_member *ret)
{
	const uint8_t *elements;
	struct btf_type type;

	if (depth >= DEPTH_MAX || *budget == 0 || !get_type(btf, id, &type, &elements) ||
	    (kind_of(&type) != BTF_STRUCT && kind_of(&type) != BTF_UNION))
		return false;
	--*budget;
	for (uint32_t i = 0; i < element_count(&type); i++) {
		struct btf_member member;
		const char *member_name;
		uint64_t bits;
		bool bit_field;
		struct type nested;

		memcpy(&member, elements + i * sizeof(member), sizeof(member));
		member_name = get_string(btf, member.name);
		bits = kind_flag(&type) ? member.offset & 0xffffff : member.offset;
		bit_field = bits % 8 || (kind_flag(&type) && member.offset >> 24);
		if (!*member_name && describe(btf, member.type, &nested) && nested.kind == TYPE_STRUCT &&
		    member_at(btf, nested.id, name, base + bits / 8, depth + 1, budget, ret))
			return true;
		if (*member_name && strcmp(member_name, name) == 0) {
			*ret = (struct type_member){ base + bits / 8, bit_field, member.type };
			return true;
		}
	}
	return false;
}

static bool member(const void *data, type_id id, const char *name, struct type_member *ret)
{
	unsigned int budget = 4096;

	return member_at(data, id, name, 0, 0, &budget, ret);
}

static bool enumerator(const void *data, type_id id, const char *name, int64_t *ret)
{
	const struct btf *btf = data;
	const uint8_t *elements;
	struct type resolved;
	struct btf_type type;

	if (!describe(btf, id, &resolved) || !get_type(btf, resolved.id, &type, &elements) ||
	    (kind_of(&type) != BTF_ENUM && kind_of(&type) != BTF_ENUM64))
		return false;
	for (uint32_t i = 0, size = kind_sizes[kind_of(&type)].each; i < element_count(&type); i++) {
		struct btf_enum value = { 0 };

		memcpy(&value, elements + i * size, size);
		if (strcmp(get_string(btf, value.name), name) != 0)
			continue;
		if (kind_of(&type) == BTF_ENUM64)
			*ret = (int64_t)((uint64_t)value.high << 32 | value.low);
		/* The kind flag says signed; kernels before 6.0 (6089fb325cf7 "bpf: Add btf enum64 support") do not set
		 * it, and mean signed. */
		else
			*ret = (int32_t)value.low;
		return true;
	}
	return false;
}

static bool variable(const void *data, const char *name, type_id *ret)
{
	for (const struct btf *btf = data; btf; btf = btf->base) {
		for (uint32_t i = 0; i < btf->count; i++) {
			struct btf_type type;

			memcpy(&type, btf->types + btf->offset[i], sizeof(type));
			if (kind_of(&type) == BTF_VAR && strcmp(get_string(btf, type.name), name) == 0) {
				*ret = type.size_or_type;
				return true;
			}
		}
	}
	return false;
}

const struct types_ops btf_types = {
	.find = find,
	.describe = describe,
	.member = member,
	.enumerator = enumerator,
	.variable = variable,
};
