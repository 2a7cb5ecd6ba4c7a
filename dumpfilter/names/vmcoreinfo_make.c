/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/vmcoreinfo_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

/* Where the key is not a symbol, what it stands for. */
static const struct {
	const char *key, *symbol;
} aliases[] = { { "swapper_pg_dir", "init_top_pgt" } };

/* clang-format off */
static const char *const symbols[] = {
	"init_uts_ns", "_stext", "swapper_pg_dir", "init_top_pgt", "init_level4_pgt", "__pgtable_l5_enabled",
	"mem_section", "mem_map", "contig_page_data", "node_data", "node_online_map", "vmap_area_list",
	"prb", "printk_rb_static", "clear_seq", "log_buf", "log_buf_len", "log_first_idx", "log_next_idx", "clear_idx",
	"kallsyms_names", "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets",
	"kallsyms_relative_base",
};
/* clang-format on */

/* clang-format off */
static const char *const sizes[] = {
	"page", "pglist_data", "zone", "free_area", "list_head", "nodemask_t", "mem_section",
	"printk_ringbuffer", "prb_desc_ring", "prb_desc", "prb_data_blk_lpos", "printk_info", "dev_printk_info",
	"prb_data_ring", "atomic_long_t", "latched_seq", "printk_log",
};
/* clang-format on */

/* "struct.member". */
/* clang-format off */
static const char *const offsets[] = {
	"uts_namespace.name", "mem_section.section_mem_map",
	"page.flags", "page._refcount", "page.mapping", "page.lru", "page._mapcount", "page.private",
	"page.compound_dtor", "page.compound_order", "page.compound_head", "page.compound_info",
	"folio._folio_dtor", "folio._folio_order",
	"pglist_data.node_zones", "pglist_data.nr_zones", "pglist_data.node_mem_map", "pglist_data.node_start_pfn",
	"pglist_data.node_spanned_pages", "pglist_data.node_id",
	"zone.free_area", "zone.vm_stat", "zone.spanned_pages", "free_area.free_list",
	"list_head.next", "list_head.prev", "vmap_area.va_start", "vmap_area.list",
	"printk_ringbuffer.desc_ring", "printk_ringbuffer.text_data_ring", "printk_ringbuffer.fail",
	"prb_desc_ring.count_bits", "prb_desc_ring.descs", "prb_desc_ring.infos", "prb_desc_ring.head_id",
	"prb_desc_ring.tail_id", "prb_desc.state_var", "prb_desc.text_blk_lpos", "prb_data_blk_lpos.begin",
	"prb_data_blk_lpos.next", "printk_info.seq", "printk_info.ts_nsec", "printk_info.text_len",
	"printk_info.caller_id", "printk_info.dev_info", "dev_printk_info.subsystem", "dev_printk_info.device",
	"prb_data_ring.size_bits", "prb_data_ring.data", "prb_data_ring.head_lpos", "prb_data_ring.tail_lpos",
	"atomic_long_t.counter", "latched_seq.val",
	"printk_log.ts_nsec", "printk_log.len", "printk_log.text_len", "printk_log.dict_len", "printk_log.caller_id",
};
/* clang-format on */

/* How many elements an array has: a member "struct.member", or a variable. */
static const struct {
	const char *key, *array;
} lengths[] = {
	{ "zone.free_area", "zone.free_area" },
	{ "free_area.free_list", "free_area.free_list" },
	{ "printk_info_subsystem", "dev_printk_info.subsystem" },
	{ "printk_info_device", "dev_printk_info.device" },
	{ "mem_section", "mem_section" },
	{ "node_data", "node_data" },
};

/* How VMCOREINFO's value is made from an enumerator's. */
enum number_rule {
	AS_IT_IS,
	AS_MASK,     /* the bit of this number */
	AS_TOP_BYTE, /* page types since 6.12 */
	AS_INVERTED, /* page types before: bits that are cleared in a word of ones */
};

/* The first row of a key that the types have counts. */
static const struct {
	const char *key, *type, *enumerator;
	enum number_rule rule;
} numbers[] = {
	{ "NR_FREE_PAGES", "zone_stat_item", "NR_FREE_PAGES", AS_IT_IS },
	{ "PG_lru", "pageflags", "PG_lru", AS_IT_IS },
	{ "PG_private", "pageflags", "PG_private", AS_IT_IS },
	{ "PG_swapcache", "pageflags", "PG_swapcache", AS_IT_IS },
	{ "PG_swapbacked", "pageflags", "PG_swapbacked", AS_IT_IS },
	{ "PG_slab", "pageflags", "PG_slab", AS_IT_IS },
	{ "PG_hwpoison", "pageflags", "PG_hwpoison", AS_IT_IS },
	{ "PG_hugetlb", "pageflags", "PG_hugetlb", AS_IT_IS },
	{ "PG_head_mask", "pageflags", "PG_head", AS_MASK },
	{ "HUGETLB_PAGE_DTOR", "compound_dtor_id", "HUGETLB_PAGE_DTOR", AS_IT_IS },
	{ "PAGE_BUDDY_MAPCOUNT_VALUE", "pagetype", "PGTY_buddy", AS_TOP_BYTE },
	{ "PAGE_BUDDY_MAPCOUNT_VALUE", "pagetype", "PG_buddy", AS_INVERTED },
	{ "PAGE_OFFLINE_MAPCOUNT_VALUE", "pagetype", "PGTY_offline", AS_TOP_BYTE },
	{ "PAGE_OFFLINE_MAPCOUNT_VALUE", "pagetype", "PG_offline", AS_INVERTED },
	{ "PAGE_SLAB_MAPCOUNT_VALUE", "pagetype", "PGTY_slab", AS_TOP_BYTE },
	{ "PAGE_SLAB_MAPCOUNT_VALUE", "pagetype", "PG_slab", AS_INVERTED },
	{ "PAGE_HUGETLB_MAPCOUNT_VALUE", "pagetype", "PGTY_hugetlb", AS_TOP_BYTE },
	{ "PAGE_HUGETLB_MAPCOUNT_VALUE", "pagetype", "PG_hugetlb", AS_INVERTED },
	{ "PAGE_UNACCEPTED_MAPCOUNT_VALUE", "pagetype", "PGTY_unaccepted", AS_TOP_BYTE },
};

/* Before page types were an enumeration (6.10) these were macros, the same since 4.18. */
static const struct {
	const char *key;
	int value;
} old_numbers[] = {
	{ "PAGE_BUDDY_MAPCOUNT_VALUE", ~0x80 },
	{ "PAGE_OFFLINE_MAPCOUNT_VALUE", ~0x100 },
};

/* Keys without which pages of some class are kept, or nothing is filtered at all; of each row one is enough. */
/* clang-format off */
static const char *const needed[][3] = {
	{ "SIZE(page)" }, { "OFFSET(page.flags)" }, { "OFFSET(page.mapping)" }, { "OFFSET(page._mapcount)" },
	{ "OFFSET(page.private)" }, { "OFFSET(page.compound_head)", "OFFSET(page.compound_info)" },
	{ "SYMBOL(mem_section)", "SYMBOL(mem_map)" }, { "SIZE(mem_section)", "SYMBOL(mem_map)" },
	{ "OFFSET(mem_section.section_mem_map)", "SYMBOL(mem_map)" },
	{ "NUMBER(PG_lru)" }, { "NUMBER(PG_private)" }, { "NUMBER(PG_swapbacked)" }, { "NUMBER(PG_hwpoison)" }, { "NUMBER(PG_head_mask)" },
	{ "NUMBER(PG_slab)", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)" },
	{ "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)" }, { "LENGTH(zone.free_area)" },
	{ "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)", "NUMBER(PG_hugetlb)", "NUMBER(HUGETLB_PAGE_DTOR)" },
};
/* clang-format on */

struct maker {
	const struct debuginfo *info;
	const struct vmcoreinfo *have;
	FILE *out;
};

static bool has(const struct vmcoreinfo *have, const char *key)
{
	const char *value;
	size_t size;

	return vmcoreinfo_get(have, key, &value, &size);
}

bool vmcoreinfo_lacks(const struct vmcoreinfo *have)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		bool found = false;

		for (size_t k = 0; k < ARRAY_SIZE(needed[i]) && needed[i][k]; k++)
			found |= has(have, needed[i][k]);
		if (!found)
			return true;
	}
	return false;
}

/* Is "KIND(name)" wanted? */
static bool wanted(const struct maker *maker, const char *kind, const char *name)
{
	char key[128];

	snprintf(key, sizeof(key), "%s(%s)", kind, name);
	return !has(maker->have, key);
}

/* "struct.member" in two. */
static bool find_member(const struct maker *maker, const char *text, struct type_member *ret)
{
	size_t length = strcspn(text, ".");
	char name[64];

	if (!text[length] || length >= sizeof(name))
		return false;
	memcpy(name, text, length);
	name[length] = '\0';
	return debuginfo_member(maker->info, name, text + length + 1, ret);
}

static void make_lengths(const struct maker *maker)
{
	const struct debuginfo *info = maker->info;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct type_member member;
		struct type type;

		if (!wanted(maker, "LENGTH", lengths[i].key))
			continue;
		if (!find_member(maker, lengths[i].array, &member) &&
		    !info->types->variable(info->types_data, lengths[i].array, &member.type))
			continue;
		if (info->types->describe(info->types_data, member.type, &type) && type.kind == TYPE_ARRAY &&
		    type.count)
			fprintf(maker->out, "LENGTH(%s)=%lu\n", lengths[i].key, type.count);
	}
}

static long apply_rule(enum number_rule rule, int64_t value)
{
	switch (rule) {
	case AS_MASK:
		return value >= 0 && value < 63 ? 1L << value : 0;
	case AS_TOP_BYTE:
		return (int32_t)((uint32_t)value << 24);
	case AS_INVERTED:
		return (int32_t) ~(uint32_t)value;
	case AS_IT_IS:
		break;
	}
	return (long)value;
}

static void make_numbers(const struct maker *maker)
{
	const struct debuginfo *info = maker->info;
	const char *done = "";
	type_id type;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t value;

		if (strcmp(numbers[i].key, done) == 0 || !wanted(maker, "NUMBER", numbers[i].key) ||
		    !info->types->find(info->types_data, numbers[i].type, &type) ||
		    !info->types->enumerator(info->types_data, type, numbers[i].enumerator, &value))
			continue;
		done = numbers[i].key;
		fprintf(maker->out, "NUMBER(%s)=%ld\n", numbers[i].key, apply_rule(numbers[i].rule, value));
	}
	if (!info->types->find(info->types_data, "pageflags", &type) ||
	    info->types->find(info->types_data, "pagetype", &type))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(old_numbers); i++)
		if (wanted(maker, "NUMBER", old_numbers[i].key))
			fprintf(maker->out, "NUMBER(%s)=%d\n", old_numbers[i].key, old_numbers[i].value);
}

static void make_all(const struct maker *maker)
{
	struct type_member member;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (wanted(maker, "SYMBOL", symbols[i]) && debuginfo_symbol(maker->info, symbols[i], &value))
			fprintf(maker->out, "SYMBOL(%s)=%lx\n", symbols[i], value);
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (wanted(maker, "SYMBOL", aliases[i].key) && !debuginfo_symbol(maker->info, aliases[i].key, &value) &&
		    debuginfo_symbol(maker->info, aliases[i].symbol, &value))
			fprintf(maker->out, "SYMBOL(%s)=%lx\n", aliases[i].key, value);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (wanted(maker, "SIZE", sizes[i]) && debuginfo_size(maker->info, sizes[i], &value))
			fprintf(maker->out, "SIZE(%s)=%lu\n", sizes[i], value);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		if (wanted(maker, "OFFSET", offsets[i]) && find_member(maker, offsets[i], &member))
			fprintf(maker->out, "OFFSET(%s)=%lu\n", offsets[i], member.offset);
	make_lengths(maker);
	make_numbers(maker);
}

struct kd_error *vmcoreinfo_make(const struct debuginfo *info, const struct vmcoreinfo *have, char **ret)
{
	struct maker maker = { .info = info, .have = have };
	_cleanup_free_ char *text = NULL;
	size_t size;

	maker.out = open_memstream(&text, &size);
	if (!maker.out)
		return kd_error_nomem();
	make_all(&maker);
	if (fclose(maker.out) != 0 || !text)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

char *vmcoreinfo_join(const char *more, const struct vmcoreinfo *own)
{
	size_t more_size = strlen(more), own_size = own->text ? strnlen(own->text, own->size) : 0;
	char *text = malloc(more_size + own_size + 1);

	if (!text)
		return NULL;
	memcpy(text, more, more_size);
	if (own_size)
		memcpy(text + more_size, own->text, own_size);
	text[more_size + own_size] = '\0';
	return text;
}
