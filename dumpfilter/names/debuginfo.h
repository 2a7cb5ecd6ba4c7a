/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Names of the crashed kernel: where its symbols lie, and what its types look like.
 *
 *  Both come from the dump itself (kallsyms, BTF) or from a vmlinux file (symbol table, DWARF); who asks need not know
 *  which. Sources are rows of operations over data of their own.
 */
#ifndef DUMPFILTER_NAMES_DEBUGINFO_H
#define DUMPFILTER_NAMES_DEBUGINFO_H

#include <stdbool.h>
#include <stdint.h>

/** A type within its source. */
typedef uint64_t type_id;
#define TYPE_ID_VOID UINT64_C(0)

enum type_kind {
	TYPE_VOID,
	TYPE_INTEGER, /* and enumerations, booleans, floating point numbers */
	TYPE_POINTER,
	TYPE_ARRAY,
	TYPE_STRUCT, /* and unions */
	TYPE_OTHER,  /* functions, and what is only declared */
};

/** A type without its typedefs and qualifiers. */
struct type {
	enum type_kind kind;
	type_id id;     /* of this, not of a typedef that leads to it */
	uint64_t size;  /* bytes; 0: not known, or empty */
	type_id target; /* pointer: what it points to; array: its elements */
	uint64_t count; /* array: elements of this dimension */
	bool is_char;   /* "char" itself: what strings are made of */
};

struct type_member {
	uint64_t offset; /* bytes from the start of the struct, through anonymous members */
	bool bit_field;  /* not whole bytes */
	type_id type;
};

/** Each returns false, with *ret untouched, if the name does not exist. The data may be wrong, but wrong data causes no
 *  bad access. */
struct types_ops {
	/** A struct, union, enumeration or typedef by its name; one that is complete is preferred. */
	bool (*find)(const void *data, const char *name, type_id *ret);
	bool (*describe)(const void *data, type_id id, struct type *ret);
	/** @id: what describe() calls a struct. Members of anonymous members count as its own. */
	bool (*member)(const void *data, type_id id, const char *name, struct type_member *ret);
	/** A constant of the enumeration @id. */
	bool (*enumerator)(const void *data, type_id id, const char *name, int64_t *ret);
	/** The type of a variable. BTF knows it only of a few. */
	bool (*variable)(const void *data, const char *name, type_id *ret);
};

struct symbols_ops {
	/** How many symbols have the name @name (static ones need not be unique); *ret is the address of the first,
	 *  in the memory of the crashed kernel. */
	unsigned int (*find)(void *data, const char *name, uint64_t *ret);
};

/** Names of one object: of vmlinux, or of a module. Borrowed from whatever made it. */
struct debuginfo {
	const struct types_ops *types;
	const void *types_data;
	const struct symbols_ops *symbols;
	void *symbols_data;
};

/** Shorthands. */
bool debuginfo_symbol(const struct debuginfo *info, const char *name, uint64_t *ret);
/** @path: "member.member…" of struct (or typedef) @name, through nested structs. */
bool debuginfo_member(const struct debuginfo *info, const char *name, const char *path, struct type_member *ret);
/** sizeof(@name). */
bool debuginfo_size(const struct debuginfo *info, const char *name, uint64_t *ret);

#endif
