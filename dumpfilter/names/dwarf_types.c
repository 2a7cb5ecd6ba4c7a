/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "dumpfilter/names/dwarf_types.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBDW
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "base/array.h"

/* Typedefs of typedefs, members of anonymous members: no more than this. */
#define DEPTH_MAX     32u
#define DIMENSION_MAX 16u
#define POINTER_SIZE  8u
/* A dimension of an array is a type of its own: in the high bits, since DWARF has all of them in one entry. */
#define DIMENSION_SHIFT 56

/* The functions of libdw that are used. */
#define LIBDW_FUNCTIONS(X)                                                                                             \
	X(dwarf_begin)                                                                                                 \
	X(dwarf_end)                                                                                                   \
	X(dwarf_errmsg)                                                                                                \
	X(dwarf_get_units)                                                                                             \
	X(dwarf_child)                                                                                                 \
	X(dwarf_siblingof)                                                                                             \
	X(dwarf_tag)                                                                                                   \
	X(dwarf_dieoffset)                                                                                             \
	X(dwarf_offdie)                                                                                                \
	X(dwarf_attr_integrate)                                                                                        \
	X(dwarf_hasattr)                                                                                               \
	X(dwarf_formref_die)                                                                                           \
	X(dwarf_formstring)                                                                                            \
	X(dwarf_formudata)                                                                                             \
	X(dwarf_formsdata)                                                                                             \
	X(dwarf_bytesize)

struct libdw {
#define POINTER(name) __typeof__(&name) name;
	LIBDW_FUNCTIONS(POINTER)
#undef POINTER
};

enum entry_kind {
	ENTRY_NONE,
	ENTRY_TYPE,
	ENTRY_VARIABLE,
};

/* One name of the index, a hash table with open addressing. */
struct entry {
	const char *name; /* in the file's mapping by libdw */
	Dwarf_Off offset;
	uint8_t kind;
	uint8_t rank; /* of several that have the name the best counts */
};

struct dwarf_types {
	void *library;
	struct libdw dw;
	Dwarf *dwarf;
	struct entry *entry;
	size_t count, size; /* a power of two */
};

void dwarf_types_close(struct dwarf_types *types)
{
	if (!types)
		return;
	if (types->dwarf)
		types->dw.dwarf_end(types->dwarf);
	if (types->library)
		dlclose(types->library);
	free(types->entry);
	free(types);
}
DEFINE_CLEANUP(struct dwarf_types *, dwarf_types_close)

static struct kd_error *load_library(struct dwarf_types *types)
{
	static const char name[] = "libdw.so.1";

	types->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!types->library)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is not installed", name);
#define FIND(function)                                                                                                 \
	types->dw.function = (__typeof__(types->dw.function))dlsym(types->library, #function);                         \
	if (!types->dw.function)                                                                                       \
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s has no " #function "()", name);
	LIBDW_FUNCTIONS(FIND)
#undef FIND
	return NULL;
}

static size_t hash(const char *name)
{
	size_t value = 5381;

	for (; *name; name++)
		value = value * 33 ^ (unsigned char)*name;
	return value;
}

/* Where @name is, or would be. */
static struct entry *slot_of(struct entry *entry, size_t size, enum entry_kind kind, const char *name)
{
	size_t i = hash(name) & (size - 1);

	while (entry[i].kind != ENTRY_NONE && (entry[i].kind != kind || strcmp(entry[i].name, name) != 0))
		i = (i + 1) & (size - 1);
	return &entry[i];
}

static bool grow(struct dwarf_types *types)
{
	size_t size = types->size ? 2 * types->size : 1 << 16;
	struct entry *entry = calloc(size, sizeof(*entry));

	if (!entry)
		return false;
	for (size_t i = 0; i < types->size; i++)
		if (types->entry[i].kind != ENTRY_NONE)
			*slot_of(entry, size, types->entry[i].kind, types->entry[i].name) = types->entry[i];
	free(types->entry);
	types->entry = entry;
	types->size = size;
	return true;
}

static bool get_attribute(const struct dwarf_types *types, Dwarf_Die *die, unsigned int name, Dwarf_Attribute *ret)
{
	return types->dw.dwarf_attr_integrate(die, name, ret) != NULL;
}

static bool get_number(const struct dwarf_types *types, Dwarf_Die *die, unsigned int name, uint64_t *ret)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!get_attribute(types, die, name, &attribute) || types->dw.dwarf_formudata(&attribute, &value) != 0)
		return false;
	*ret = value;
	return true;
}

static const char *get_name(const struct dwarf_types *types, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	return get_attribute(types, die, DW_AT_name, &attribute) ? types->dw.dwarf_formstring(&attribute) : NULL;
}

/* The type that @die has; false: none, which is void. */
static bool get_type(const struct dwarf_types *types, Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;

	return get_attribute(types, die, DW_AT_type, &attribute) && types->dw.dwarf_formref_die(&attribute, ret);
}

/* How well an entry answers to a name that is looked for; 0: not at all. */
static uint8_t rank_of(const struct dwarf_types *types, Dwarf_Die *die, enum entry_kind *kind)
{
	/* Its own, not that of a declaration that it completes. */
	bool declared = types->dw.dwarf_hasattr(die, DW_AT_declaration);

	*kind = ENTRY_TYPE;
	switch (types->dw.dwarf_tag(die)) {
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return declared ? 0 : 3;
	case DW_TAG_typedef:
		return 2;
	case DW_TAG_base_type:
		return 1;
	case DW_TAG_variable:
		*kind = ENTRY_VARIABLE;
		return declared ? 1 : 2;
	}
	return 0;
}

static bool add_entry(struct dwarf_types *types, Dwarf_Die *die)
{
	enum entry_kind kind;
	uint8_t rank = rank_of(types, die, &kind);
	const char *name = rank ? get_name(types, die) : NULL;
	struct entry *entry;

	if (!name || !*name)
		return true;
	if (types->count * 2 >= types->size && !grow(types))
		return false;
	entry = slot_of(types->entry, types->size, kind, name);
	if (entry->kind == ENTRY_NONE)
		types->count++;
	else if (entry->rank >= rank)
		return true;
	*entry = (struct entry){ name, types->dw.dwarf_dieoffset(die), (uint8_t)kind, rank };
	return true;
}

static struct kd_error *build_index(struct dwarf_types *types)
{
	const struct libdw *dw = &types->dw;
	Dwarf_CU *unit = NULL;
	Dwarf_Die unit_die, die;

	while (dw->dwarf_get_units(types->dwarf, unit, &unit, NULL, NULL, &unit_die, NULL) == 0) {
		if (dw->dwarf_child(&unit_die, &die) != 0)
			continue;
		do {
			if (!add_entry(types, &die))
				return kd_error_nomem();
		} while (dw->dwarf_siblingof(&die, &die) == 0);
	}
	return types->count ? NULL : kd_error_create(KD_ERR_FORMAT, "there is no DWARF in the file");
}

struct kd_error *dwarf_types_open(int fd, struct dwarf_types **ret)
{
	_cleanup_(dwarf_types_close) struct dwarf_types *types = calloc(1, sizeof(*types));
	struct kd_error *err;

	if (!types)
		return kd_error_nomem();
	err = load_library(types);
	if (err)
		return err;
	types->dwarf = types->dw.dwarf_begin(fd, DWARF_C_READ);
	if (!types->dwarf)
		return kd_error_create(KD_ERR_FORMAT, "libdw: %s", types->dw.dwarf_errmsg(-1));
	err = build_index(types);
	if (err)
		return err;
	*ret = take_ptr(types);
	return NULL;
}

static bool find_entry(const struct dwarf_types *types, enum entry_kind kind, const char *name, Dwarf_Die *ret)
{
	const struct entry *entry = types->size ? slot_of(types->entry, types->size, kind, name) : NULL;

	return entry && entry->kind != ENTRY_NONE && types->dw.dwarf_offdie(types->dwarf, entry->offset, ret);
}

static bool find(const void *data, const char *name, type_id *ret)
{
	const struct dwarf_types *types = data;
	Dwarf_Die die;

	if (!find_entry(types, ENTRY_TYPE, name, &die))
		return false;
	*ret = types->dw.dwarf_dieoffset(&die);
	return true;
}

static bool variable(const void *data, const char *name, type_id *ret)
{
	const struct dwarf_types *types = data;
	Dwarf_Die die, type;

	if (!find_entry(types, ENTRY_VARIABLE, name, &die) || !get_type(types, &die, &type))
		return false;
	*ret = types->dw.dwarf_dieoffset(&type);
	return true;
}

/* How many elements a dimension has; 0 if that is not said. */
static uint64_t dimension_count(const struct dwarf_types *types, Dwarf_Die *range)
{
	uint64_t value;

	if (get_number(types, range, DW_AT_count, &value))
		return value;
	return get_number(types, range, DW_AT_upper_bound, &value) && value < INT64_MAX ? value + 1 : 0;
}

static bool describe_at(const struct dwarf_types *types, type_id id, unsigned int depth, struct type *ret);

static bool describe_array(const struct dwarf_types *types, Dwarf_Die *array, unsigned int dimension,
			   unsigned int depth, struct type *ret)
{
	type_id id = types->dw.dwarf_dieoffset(array);
	uint64_t count[DIMENSION_MAX], total = 1;
	unsigned int dimensions = 0;
	Dwarf_Die range, element;
	struct type described;

	if (types->dw.dwarf_child(array, &range) == 0) {
		do {
			if (types->dw.dwarf_tag(&range) == DW_TAG_subrange_type && dimensions < DIMENSION_MAX)
				count[dimensions++] = dimension_count(types, &range);
		} while (types->dw.dwarf_siblingof(&range, &range) == 0);
	}
	if (dimension >= dimensions || !get_type(types, array, &element) ||
	    !describe_at(types, types->dw.dwarf_dieoffset(&element), depth + 1, &described))
		return false;
	for (unsigned int i = dimension; i < dimensions; i++)
		if (__builtin_mul_overflow(total, count[i], &total))
			return false;
	*ret = (struct type){
		.kind = TYPE_ARRAY,
		.id = id | (type_id)dimension << DIMENSION_SHIFT,
		.count = count[dimension],
		.target = dimension + 1 < dimensions ? id | (type_id)(dimension + 1) << DIMENSION_SHIFT :
						       types->dw.dwarf_dieoffset(&element),
	};
	return !__builtin_mul_overflow(total, described.size, &ret->size);
}

static bool describe_at(const struct dwarf_types *types, type_id id, unsigned int depth, struct type *ret)
{
	unsigned int dimension = (unsigned int)(id >> DIMENSION_SHIFT);
	Dwarf_Die die, target;
	const char *name;
	int size;

	id &= (UINT64_C(1) << DIMENSION_SHIFT) - 1;
	for (; depth < DEPTH_MAX; depth++) {
		if (id == TYPE_ID_VOID) {
			*ret = (struct type){ .kind = TYPE_VOID };
			return true;
		}
		if (!types->dw.dwarf_offdie(types->dwarf, id, &die))
			return false;
		size = types->dw.dwarf_bytesize(&die);
		name = get_name(types, &die);
		switch (types->dw.dwarf_tag(&die)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			id = get_type(types, &die, &target) ? types->dw.dwarf_dieoffset(&target) : TYPE_ID_VOID;
			continue;
		case DW_TAG_base_type:
		case DW_TAG_enumeration_type:
			*ret = (struct type){ .kind = TYPE_INTEGER,
					      .id = id,
					      .size = size > 0 ? (uint64_t)size : 0,
					      .is_char = name && strcmp(name, "char") == 0 };
			return true;
		case DW_TAG_pointer_type:
			*ret = (struct type){ .kind = TYPE_POINTER, .id = id, .size = POINTER_SIZE };
			if (get_type(types, &die, &target))
				ret->target = types->dw.dwarf_dieoffset(&target);
			return true;
		case DW_TAG_structure_type:
		case DW_TAG_union_type:
			/* Declared here, and complete elsewhere. */
			if (size < 0 && name && find_entry(types, ENTRY_TYPE, name, &target) &&
			    types->dw.dwarf_dieoffset(&target) != id) {
				id = types->dw.dwarf_dieoffset(&target);
				continue;
			}
			*ret = (struct type){ .kind = size < 0 ? TYPE_OTHER : TYPE_STRUCT,
					      .id = id,
					      .size = size > 0 ? (uint64_t)size : 0 };
			return true;
		case DW_TAG_array_type:
			return describe_array(types, &die, dimension, depth, ret);
		default:
			*ret = (struct type){ .kind = TYPE_OTHER, .id = id };
			return true;
		}
	}
	return false;
}

static bool describe(const void *data, type_id id, struct type *ret)
{
	struct type type;

	if (!describe_at(data, id, 0, &type))
		return false;
	*ret = type;
	return true;
}

static bool member_at(const struct dwarf_types *types, type_id id, const char *name, uint64_t base, unsigned int depth,
		      struct type_member *ret)
{
	Dwarf_Die die, child, type;

	if (depth >= DEPTH_MAX || !types->dw.dwarf_offdie(types->dwarf, id, &die) ||
	    types->dw.dwarf_child(&die, &child) != 0)
		return false;
	do {
		const char *child_name = get_name(types, &child);
		uint64_t offset = 0, bits = 0, bit_size = 0;
		struct type nested;
		bool bit_field;

		if (types->dw.dwarf_tag(&child) != DW_TAG_member || !get_type(types, &child, &type))
			continue;
		bit_field = get_number(types, &child, DW_AT_bit_size, &bit_size);
		if (!get_number(types, &child, DW_AT_data_member_location, &offset) &&
		    get_number(types, &child, DW_AT_data_bit_offset, &bits))
			offset = bits / 8;
		if (!child_name && describe(types, types->dw.dwarf_dieoffset(&type), &nested) &&
		    nested.kind == TYPE_STRUCT && member_at(types, nested.id, name, base + offset, depth + 1, ret))
			return true;
		if (child_name && strcmp(child_name, name) == 0) {
			*ret = (struct type_member){ base + offset, bit_field, types->dw.dwarf_dieoffset(&type) };
			return true;
		}
	} while (types->dw.dwarf_siblingof(&child, &child) == 0);
	return false;
}

static bool member(const void *data, type_id id, const char *name, struct type_member *ret)
{
	return member_at(data, id, name, 0, 0, ret);
}

static bool enumerator(const void *data, type_id id, const char *name, int64_t *ret)
{
	const struct dwarf_types *types = data;
	Dwarf_Attribute attribute;
	Dwarf_Die die, child;
	struct type type;
	Dwarf_Sword value;

	if (!describe(types, id, &type) || type.kind != TYPE_INTEGER ||
	    !types->dw.dwarf_offdie(types->dwarf, type.id, &die) || types->dw.dwarf_child(&die, &child) != 0)
		return false;
	do {
		const char *child_name = get_name(types, &child);

		if (!child_name || strcmp(child_name, name) != 0)
			continue;
		if (!get_attribute(types, &child, DW_AT_const_value, &attribute) ||
		    types->dw.dwarf_formsdata(&attribute, &value) != 0)
			return false;
		*ret = value;
		return true;
	} while (types->dw.dwarf_siblingof(&child, &child) == 0);
	return false;
}

const struct types_ops dwarf_types_ops = {
	.find = find,
	.describe = describe,
	.member = member,
	.enumerator = enumerator,
	.variable = variable,
};

#else

struct kd_error *dwarf_types_open(int fd, struct dwarf_types **ret)
{
	return kd_error_create(KD_ERR_UNSUPPORTED, "this program was built without libdw");
}

void dwarf_types_close(struct dwarf_types *types)
{
}

const struct types_ops dwarf_types_ops;

#endif
