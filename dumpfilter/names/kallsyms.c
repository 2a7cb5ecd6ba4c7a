/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/kallsyms.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define TOKENS      256u
#define TOKENS_SIZE (64u << 10) /* of all token strings; a 16-bit index reaches no further */
#define SYMBOLS_MAX (8u << 20)
#define NAMES_MAX   (UINT64_C(64) << 20)
#define NAMES_CHUNK (UINT64_C(256) << 10)
/* A length byte with this bit is the low half of a longer one (6.1, 73bbb94466fd "kallsyms: support "big" kernel
 * symbols"). */
#define LONG_NAME 0x80u
/* KSYM_NAME_LEN since 6.1 (b8a94bfb3395 "kallsyms: increase maximum kernel symbol length to 512"). */
#define NAME_SIZE 512u

/* How an address is made of the 32-bit value at @slot. */
struct address_rule {
	const char *name;
	bool needs_base;
	uint64_t (*address)(uint64_t base, uint64_t slot, int32_t value);
};

/* x86_64 before 6.15 (01157ddc58dc "kallsyms: Remove KALLSYMS_ABSOLUTE_PERCPU"): per-CPU symbols are offsets of their
 * own, the others count down from the base. */
static uint64_t absolute_percpu(uint64_t base, uint64_t slot, int32_t value)
{
	return value >= 0 ? (uint64_t)value : base - 1 - (uint64_t)(int64_t)value;
}

static uint64_t base_relative(uint64_t base, uint64_t slot, int32_t value)
{
	return base + (uint32_t)value;
}

/* 7.0. */
static uint64_t place_relative(uint64_t base, uint64_t slot, int32_t value)
{
	return slot + (uint64_t)(int64_t)value;
}

static const struct address_rule rules[] = {
	{ "absolute-percpu", true, absolute_percpu },
	{ "base-relative", true, base_relative },
	{ "place-relative", false, place_relative },
};

struct kallsyms {
	struct address_space *space;
	uint32_t count;
	uint64_t offsets; /* virtual address */
	uint64_t base;
	const struct address_rule *rule;
	uint8_t *names;
	uint64_t names_size;
	char tokens[TOKENS_SIZE + 1];
	uint16_t token[TOKENS]; /* offsets in tokens */
};

void kallsyms_close(struct kallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	free(kallsyms->names);
	free(kallsyms);
}

/* The name at @offset: its tokens, and where the next one begins. False if it is not all there (yet). */
static bool next_name(const struct kallsyms *kallsyms, uint64_t *offset, const uint8_t **tokens_ret, size_t *count_ret)
{
	uint64_t position = *offset;
	size_t count;

	if (position >= kallsyms->names_size)
		return false;
	count = kallsyms->names[position++];
	if (count & LONG_NAME) {
		if (position >= kallsyms->names_size)
			return false;
		count = (count & ~(size_t)LONG_NAME) | (size_t)kallsyms->names[position++] << 7;
	}
	if (count > kallsyms->names_size - position)
		return false;
	*tokens_ret = kallsyms->names + position;
	*count_ret = count;
	*offset = position + count;
	return true;
}

/* The first @size characters of what the tokens stand for, behind the letter of the symbol's type; behind a shorter
 * name, zeros. */
static void spell(const struct kallsyms *kallsyms, const uint8_t *tokens, size_t count, char *ret, size_t size)
{
	bool letter = true;
	size_t used = 0;

	for (size_t i = 0; i < count && used < size; i++) {
		const char *text = kallsyms->tokens + kallsyms->token[tokens[i]];

		if (letter && *text) {
			text++;
			letter = false;
		}
		while (*text && used < size)
			ret[used++] = *text++;
	}
	memset(ret + used, 0, size - used);
}

static bool name_matches(const struct kallsyms *kallsyms, const uint8_t *tokens, size_t count, const char *name)
{
	char spelled[NAME_SIZE];
	size_t size = strlen(name) + 1;

	if (size > sizeof(spelled))
		return false;
	spell(kallsyms, tokens, count, spelled, size);
	return memcmp(spelled, name, size) == 0;
}

/* Number of the first symbol of this name, and how many there are, if there are no more than @enough. */
static unsigned int find_index(const struct kallsyms *kallsyms, const char *name, unsigned int enough, uint32_t *ret)
{
	unsigned int found = 0;
	uint64_t offset = 0;
	const uint8_t *tokens;
	size_t count;

	for (uint32_t i = 0; i < kallsyms->count && found < enough && next_name(kallsyms, &offset, &tokens, &count);
	     i++)
		if (name_matches(kallsyms, tokens, count, name) && found++ == 0)
			*ret = i;
	return found;
}

/* Names at @vaddr end before the next thing that VMCOREINFO knows of. */
static uint64_t names_limit(const struct vmcoreinfo *info, uint64_t vaddr)
{
	static const char *const others[] = { "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index",
					      "kallsyms_offsets", "kallsyms_relative_base" };
	uint64_t limit = NAMES_MAX, other;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (vmcoreinfo_symbol(info, others[i], &other) && other > vaddr && other - vaddr < limit)
			limit = other - vaddr;
	return limit;
}

/* Where the names end, nothing says exactly: they are read until there are enough of them. */
static struct kd_error *read_names(struct kallsyms *kallsyms, uint64_t vaddr)
{
	const uint64_t limit = names_limit(kallsyms->space->info, vaddr);
	uint64_t offset = 0;
	uint32_t seen = 0;
	const uint8_t *tokens;
	size_t count;

	while (seen < kallsyms->count) {
		uint8_t *names = realloc(kallsyms->names, kallsyms->names_size + NAMES_CHUNK);
		struct kd_error *err;

		if (!names)
			return kd_error_nomem();
		kallsyms->names = names;
		err = address_space_read(kallsyms->space, vaddr + kallsyms->names_size, names + kallsyms->names_size,
					 NAMES_CHUNK);
		if (err)
			return err;
		kallsyms->names_size += NAMES_CHUNK;
		while (seen < kallsyms->count && next_name(kallsyms, &offset, &tokens, &count))
			seen++;
		if (kallsyms->names_size >= limit && seen < kallsyms->count)
			return kd_error_create(KD_ERR_FORMAT, "the names of %u symbols take more than %lu bytes",
					       kallsyms->count, limit);
	}
	return NULL;
}

/* The strings end where the table of their offsets begins, which is read first. */
static struct kd_error *read_tokens(struct kallsyms *kallsyms, uint64_t table, uint64_t index)
{
	struct kd_error *err = address_space_read(kallsyms->space, index, kallsyms->token, sizeof(kallsyms->token));
	uint64_t size = index > table && index - table < TOKENS_SIZE ? index - table : 0;

	if (err)
		return err;
	if (!size)
		return kd_error_create(KD_ERR_FORMAT, "tokens at 0x%lx, their index at 0x%lx", table, index);
	err = address_space_read(kallsyms->space, table, kallsyms->tokens, size);
	if (err)
		return err;
	for (size_t i = 0; i < TOKENS; i++)
		if (kallsyms->token[i] >= size)
			return kd_error_create(KD_ERR_FORMAT, "token %zu lies at %u of %lu bytes", i,
					       kallsyms->token[i], size);
	return NULL;
}

static struct kd_error *choose_rule(struct kallsyms *kallsyms)
{
	static const char *const known[] = { "_stext", "swapper_pg_dir", "init_uts_ns" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		uint64_t expected, slot;
		uint32_t index, value;
		struct kd_error *err;

		if (!vmcoreinfo_symbol(kallsyms->space->info, known[i], &expected) ||
		    !find_index(kallsyms, known[i], 1, &index))
			continue;
		slot = kallsyms->offsets + (uint64_t)index * 4;
		err = address_space_read_u32(kallsyms->space, slot, &value);
		if (err)
			return err;
		for (size_t k = 0; k < ARRAY_SIZE(rules); k++) {
			if ((rules[k].needs_base && !kallsyms->base) ||
			    rules[k].address(kallsyms->base, slot, (int32_t)value) != expected)
				continue;
			kallsyms->rule = &rules[k];
			return NULL;
		}
	}
	return kd_error_create(KD_ERR_FORMAT, "no rule gives the addresses that VMCOREINFO has");
}

static struct kd_error *load(struct kallsyms *kallsyms)
{
	const struct vmcoreinfo *info = kallsyms->space->info;
	uint64_t names, count, table, index, base;
	struct kd_error *err;

	if (!vmcoreinfo_symbol(info, "kallsyms_names", &names) ||
	    !vmcoreinfo_symbol(info, "kallsyms_num_syms", &count) ||
	    !vmcoreinfo_symbol(info, "kallsyms_token_table", &table) ||
	    !vmcoreinfo_symbol(info, "kallsyms_token_index", &index) ||
	    !vmcoreinfo_symbol(info, "kallsyms_offsets", &kallsyms->offsets))
		return kd_error_create(KD_ERR_NOT_FOUND, "VMCOREINFO does not say where they are (kernels before 6.0)");
	err = address_space_read_u32(kallsyms->space, count, &kallsyms->count);
	if (!err && vmcoreinfo_symbol(info, "kallsyms_relative_base", &base))
		err = address_space_read_u64(kallsyms->space, base, &kallsyms->base);
	if (err)
		return err;
	if (kallsyms->count == 0 || kallsyms->count > SYMBOLS_MAX)
		return kd_error_create(KD_ERR_FORMAT, "%u symbols", kallsyms->count);
	err = read_tokens(kallsyms, table, index);
	if (!err)
		err = read_names(kallsyms, names);
	if (!err)
		err = choose_rule(kallsyms);
	return err;
}

struct kd_error *kallsyms_open(struct address_space *space, struct kallsyms **ret)
{
	_cleanup_(kallsyms_close) struct kallsyms *kallsyms = calloc(1, sizeof(*kallsyms));
	struct kd_error *err;

	if (!kallsyms)
		return kd_error_nomem();
	kallsyms->space = space;
	err = load(kallsyms);
	if (err)
		return kd_error_wrap(err, "the kernel's symbols (kallsyms)");
	*ret = take_ptr(kallsyms);
	return NULL;
}

/* The address of symbol number @index, in rising order of addresses. */
static struct kd_error *kallsyms_address(struct kallsyms *kallsyms, uint32_t index, uint64_t *ret)
{
	uint64_t slot = kallsyms->offsets + (uint64_t)index * 4;
	uint32_t value;
	struct kd_error *err = address_space_read_u32(kallsyms->space, slot, &value);

	if (!err)
		*ret = kallsyms->rule->address(kallsyms->base, slot, (int32_t)value);
	return err;
}

void kallsyms_find_all(struct kallsyms *kallsyms, const char *const *name, size_t count, uint64_t *ret)
{
	uint32_t heads[KALLSYMS_FIND_MAX] = { 0 }; /* their first characters, which few names share */
	uint64_t offset = 0;
	const uint8_t *tokens;
	size_t length;

	for (size_t k = 0; k < count; k++)
		memcpy(&heads[k], name[k], strnlen(name[k], sizeof(heads[k])));
	memset(ret, 0, count * sizeof(*ret));
	for (uint32_t i = 0; i < kallsyms->count && next_name(kallsyms, &offset, &tokens, &length); i++) {
		uint32_t head;

		spell(kallsyms, tokens, length, (char *)&head, sizeof(head));
		for (size_t k = 0; k < count; k++) {
			if (head != heads[k] || ret[k] || !name_matches(kallsyms, tokens, length, name[k]))
				continue;
			kd_error_destroy(kallsyms_address(kallsyms, i, &ret[k]));
		}
	}
}

static unsigned int find(void *data, const char *name, uint64_t *ret)
{
	struct kallsyms *kallsyms = data;
	uint32_t index;
	unsigned int found = find_index(kallsyms, name, UINT_MAX, &index);
	struct kd_error *err = found ? kallsyms_address(kallsyms, index, ret) : NULL;

	if (!err)
		return found;
	kd_error_destroy(err);
	return 0;
}

const struct symbols_ops kallsyms_symbols = { .find = find };
