/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/page_class.h"

#include <assert.h>
#include <string.h>

#include "dumpfilter/vmcore/kdump_format.h"

/* More flags than this there are, but none that matters here; above them come zone, node and section. */
#define FLAG_BITS UINT64_C(0xffffff)

#define MAPPING_ANON 1u
#define TAIL         1u
/* 16 GiB of 4 KiB pages: more than the largest hugetlb page of any architecture. */
#define ORDER_MAX 22u
/* An int below this in _mapcount is not a count but a type; -1 is "not mapped", and a few below are underflows. */
#define MAPCOUNT_RESERVE (-128)

static const struct {
	const char *name;
	unsigned int levels; /* bits of the dump level, any of which leaves the class out */
} classes[PAGE_CLASS_COUNT] = {
	[PAGE_KEEP] = { "keep", 0 },
	[PAGE_ZERO] = { "zero", 0 }, /* it is stored once instead */
	[PAGE_CACHE] = { "cache", DUMP_LEVEL_CACHE | DUMP_LEVEL_CACHE_PRIVATE },
	[PAGE_CACHE_PRIVATE] = { "cache_private", DUMP_LEVEL_CACHE_PRIVATE },
	[PAGE_USER] = { "user", DUMP_LEVEL_USER },
	[PAGE_FREE] = { "free", DUMP_LEVEL_FREE },
	[PAGE_HWPOISON] = { "hwpoison", 0 },
	[PAGE_OFFLINE] = { "offline", 0 },
	[PAGE_UNACCEPTED] = { "unaccepted", DUMP_LEVEL_FREE },
};

const char *page_class_name(enum page_class page_class)
{
	assert(page_class < PAGE_CLASS_COUNT);
	return classes[page_class].name;
}

bool page_class_dropped(enum page_class page_class, unsigned int level)
{
	return page_class == PAGE_HWPOISON || page_class == PAGE_OFFLINE || (level & classes[page_class].levels);
}

/* NUMBER(name) as a bit number; 0 if there is none. */
static uint64_t flag_mask(const struct vmcoreinfo *info, const char *name)
{
	int64_t bit;

	return vmcoreinfo_number(info, name, &bit) && bit >= 0 && bit < 64 ? UINT64_C(1) << bit : 0;
}

/* Printed as a long, compared as an int. */
static struct page_type_rule type_rule(const struct vmcoreinfo *info, const char *name)
{
	struct page_type_rule rule = { .mask = UINT32_MAX };
	int64_t number;

	rule.known = vmcoreinfo_number(info, name, &number);
	if (rule.known) {
		rule.value = (uint32_t)number;
		if ((rule.value & 0xffffff) == 0)
			rule.mask = 0xff000000;
	}
	return rule;
}

static bool type_matches(const struct page_type_rule *rule, uint32_t type)
{
	return rule->known && (type & rule->mask) == rule->value;
}

/* A field of @width bytes within the struct. */
static bool field_offset(const struct page_rules *rules, const struct vmcoreinfo *info, const char *name,
			 uint64_t width, uint64_t *ret)
{
	uint64_t offset;

	if (!vmcoreinfo_offset(info, name, &offset) || offset > rules->struct_size - width)
		return false;
	*ret = offset;
	return true;
}

/* A byte of the first tail page, which struct folio counts from the head. */
static bool tail_byte_offset(const struct page_rules *rules, const struct vmcoreinfo *info, const char *page_name,
			     const char *folio_name, uint64_t *ret)
{
	uint64_t offset;

	if (field_offset(rules, info, page_name, 1, ret))
		return true;
	if (!vmcoreinfo_offset(info, folio_name, &offset) || offset < rules->struct_size ||
	    offset >= 2 * rules->struct_size)
		return false;
	*ret = offset - rules->struct_size;
	return true;
}

static void init_compound(struct page_rules *rules, const struct vmcoreinfo *info)
{
	int64_t dtor;

	if (rules->hugetlb.known) {
		rules->compound = COMPOUND_PAGE_TYPE;
	} else if ((rules->hugetlb_flag = flag_mask(info, "PG_hugetlb"))) {
		rules->compound = COMPOUND_FLAG;
	} else if (tail_byte_offset(rules, info, "page.compound_order", "folio._folio_order", &rules->order_offset)) {
		rules->compound = COMPOUND_DTOR;
		rules->has_hugetlb_dtor = tail_byte_offset(rules, info, "page.compound_dtor", "folio._folio_dtor",
							   &rules->dtor_offset) &&
					  vmcoreinfo_number(info, "HUGETLB_PAGE_DTOR", &dtor) && dtor > 0 && dtor < 256;
		if (rules->has_hugetlb_dtor)
			rules->hugetlb_dtor = (uint8_t)dtor;
	}
}

static void say_what_is_kept(const struct page_rules *rules, const struct kd_log *log)
{
	if (!rules->lru)
		kd_debug(log, "page cache is kept: no NUMBER(PG_lru)");
	if (!rules->private_flag)
		kd_debug(log, "page cache counts as private: no NUMBER(PG_private)");
	if (!rules->slab.known && !rules->slab_flag)
		kd_debug(log, "user pages are kept: neither NUMBER(PG_slab) nor a page type for slab");
	if (!rules->buddy.known || !rules->has_private || !rules->free_orders)
		kd_debug(log, "free pages are kept: no NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE), OFFSET(page.private) or "
			      "LENGTH(zone.free_area)");
	if (rules->compound == COMPOUND_UNKNOWN || !rules->head)
		kd_debug(log, "tails of compound pages are kept: no order in VMCOREINFO");
	if (!rules->hwpoison)
		kd_debug(log, "hwpoison is not looked for: no NUMBER(PG_hwpoison)");
}

struct kd_error *page_rules_init(struct page_rules *rules, const struct vmcoreinfo *info, const struct kd_log *log)
{
	int64_t mask;

	*rules = (struct page_rules){ 0 };
	if (!vmcoreinfo_size(info, "page", &rules->struct_size) || rules->struct_size < 16 ||
	    !field_offset(rules, info, "page.flags", 8, &rules->flags) ||
	    !field_offset(rules, info, "page.mapping", 8, &rules->mapping) ||
	    !field_offset(rules, info, "page._mapcount", 4, &rules->mapcount))
		return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO does not describe struct page");
	if (field_offset(rules, info, "page.compound_head", 8, &rules->compound_head))
		rules->fake_heads = true;
	else if (!field_offset(rules, info, "page.compound_info", 8, &rules->compound_head))
		return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO does not tell tails of compound pages");
	rules->has_private = field_offset(rules, info, "page.private", 8, &rules->private_data);

	rules->lru = flag_mask(info, "PG_lru");
	rules->private_flag = flag_mask(info, "PG_private");
	rules->swapcache = flag_mask(info, "PG_swapcache");
	rules->swapbacked = flag_mask(info, "PG_swapbacked");
	rules->slab_flag = flag_mask(info, "PG_slab");
	rules->hwpoison = flag_mask(info, "PG_hwpoison");
	if (vmcoreinfo_number(info, "PG_head_mask", &mask))
		rules->head = (uint64_t)mask;

	rules->slab = type_rule(info, "PAGE_SLAB_MAPCOUNT_VALUE");
	rules->buddy = type_rule(info, "PAGE_BUDDY_MAPCOUNT_VALUE");
	rules->offline = type_rule(info, "PAGE_OFFLINE_MAPCOUNT_VALUE");
	rules->unaccepted = type_rule(info, "PAGE_UNACCEPTED_MAPCOUNT_VALUE");
	rules->hugetlb = type_rule(info, "PAGE_HUGETLB_MAPCOUNT_VALUE");
	if (!vmcoreinfo_length(info, "zone.free_area", &rules->free_orders) || rules->free_orders > ORDER_MAX)
		rules->free_orders = 0;
	init_compound(rules, info);
	say_what_is_kept(rules, log);
	return NULL;
}

static uint32_t get_u32(const uint8_t *page, uint64_t offset)
{
	uint32_t value;

	memcpy(&value, page + offset, sizeof(value));
	return value;
}

/* With hugetlb vmemmap optimisation (5.14, f41f2ed43ca5 "mm: hugetlb: free the vmemmap pages associated with each
 * HugeTLB page", to 7.0) the tails' structs are the head's page of structs, mapped again: they look like heads. The
 * struct behind one is a true tail and tells where the real head is. */
static bool is_fake_head(const struct page_rules *rules, uint64_t vaddr, const uint8_t *next)
{
	uint64_t word;

	if (!rules->fake_heads)
		return false;
	word = page_get_u64(next, rules->compound_head);
	return (word & TAIL) && word - TAIL != vaddr;
}

void page_rules_learn_boot(struct page_rules *rules, const uint8_t *page)
{
	/* Flags that such a page cannot have, but for damage. */
	uint64_t others = rules->lru | rules->private_flag | rules->swapcache | rules->swapbacked | rules->slab_flag |
			  rules->hwpoison | rules->head;
	uint64_t flags = page_get_u64(page, rules->flags) & FLAG_BITS & ~others;

	/* It is a single flag. */
	rules->boot_flag = flags & (flags - 1) ? 0 : flags;
}

struct compound {
	unsigned int order;
	bool hugetlb;
};

static struct compound decode_compound(const struct page_rules *rules, uint64_t pfn, const uint8_t *page,
				       const uint8_t *tail)
{
	struct compound compound = { 0 };
	uint64_t tail_flags = page_get_u64(tail, rules->flags);

	switch (rules->compound) {
	case COMPOUND_PAGE_TYPE:
		compound.order = tail_flags & 0xff;
		compound.hugetlb = type_matches(&rules->hugetlb, get_u32(page, rules->mapcount));
		break;
	case COMPOUND_FLAG:
		compound.order = tail_flags & 0xff;
		compound.hugetlb = tail_flags & rules->hugetlb_flag;
		break;
	case COMPOUND_DTOR:
		compound.order = tail[rules->order_offset];
		compound.hugetlb = rules->has_hugetlb_dtor && tail[rules->dtor_offset] == rules->hugetlb_dtor;
		break;
	case COMPOUND_UNKNOWN:
		break;
	}
	if (compound.order > ORDER_MAX || (pfn & ((UINT64_C(1) << compound.order) - 1)))
		compound.order = 0;
	return compound;
}

static struct page_verdict verdict(enum page_class class, unsigned int order)
{
	return (struct page_verdict){ .class = class, .count = UINT64_C(1) << order };
}

void page_rules_set_caches(struct page_rules *rules, const uint64_t *cache, size_t count)
{
	rules->cache = cache;
	rules->cache_count = count;
	rules->lowest_cache = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		if (cache[i] < rules->lowest_cache)
			rules->lowest_cache = cache[i];
		if (cache[i] > rules->highest_cache)
			rules->highest_cache = cache[i];
	}
}

/* A slab's struct has the address of its cache; where, has changed with the kernels, and VMCOREINFO does not say. */
static bool names_cache(const struct page_rules *rules, const uint8_t *page)
{
	for (uint64_t offset = 0; offset + 8 <= rules->struct_size; offset += 8) {
		uint64_t word = page_get_u64(page, offset);

		/* Most words are nothing of the kind, and there are many slabs. */
		if (word < rules->lowest_cache || word > rules->highest_cache)
			continue;
		for (size_t i = 0; i < rules->cache_count; i++)
			if (word == rules->cache[i])
				return true;
	}
	return false;
}

/* The allocator aligns every block to its size. If this one is not, or larger than any, its struct page is damaged and
 * tells nothing, not even about this page. */
static struct page_verdict free_block(const struct page_rules *rules, enum page_class class, uint64_t pfn,
				      uint64_t order)
{
	if (order >= rules->free_orders || (pfn & ((UINT64_C(1) << order) - 1)))
		return verdict(PAGE_KEEP, 0);
	return verdict(class, (unsigned int)order);
}

struct page_verdict page_classify(const struct page_rules *rules, uint64_t pfn, uint64_t vaddr, const uint8_t *page,
				  const uint8_t *next)
{
	uint64_t flags = page_get_u64(page, rules->flags);
	uint64_t mapping = page_get_u64(page, rules->mapping);
	uint32_t mapcount = get_u32(page, rules->mapcount);
	struct compound compound = { 0 };
	bool slab, offline, typed, anon, cache;

	if (page_flags_uninitialised(flags))
		return verdict(PAGE_KEEP, 0);
	if ((flags & rules->head) && next) {
		if (is_fake_head(rules, vaddr, next))
			return verdict(PAGE_KEEP, 0);
		compound = decode_compound(rules, pfn, page, next);
	}
	if (compound.hugetlb && (flags & rules->hwpoison))
		return verdict(PAGE_HWPOISON, compound.order);
	if (page_get_u64(page, rules->compound_head) & TAIL)
		return verdict(PAGE_KEEP, 0);

	if (rules->slab.known)
		slab = type_matches(&rules->slab, mapcount);
	else
		slab = flags & rules->slab_flag;
	if (slab)
		return (struct page_verdict){ PAGE_KEEP, UINT64_C(1) << compound.order,
					      names_cache(rules, page) ? INTEREST_TASK : INTEREST_SLAB };

	/* What the allocator never had is neither free nor anybody's data, whatever else is there after damage. Only
	 * memory that a driver took back has the flag, too. */
	offline = type_matches(&rules->offline, mapcount);
	if ((flags & rules->boot_flag) && !offline)
		return (struct page_verdict){ PAGE_KEEP, 1, INTEREST_BOOT };
	if (rules->has_private && type_matches(&rules->buddy, mapcount)) {
		uint64_t order = page_get_u64(page, rules->private_data);

		return free_block(rules, PAGE_FREE, pfn, order);
	}
	if (rules->free_orders && type_matches(&rules->unaccepted, mapcount))
		return free_block(rules, PAGE_UNACCEPTED, pfn, rules->free_orders - 1);
	if (offline)
		return verdict(PAGE_OFFLINE, compound.order);
	if (compound.hugetlb)
		return verdict(PAGE_USER, compound.order);

	/* Owners of typed pages (page tables, zsmalloc, …) use mapping and flags for their own ends. Slab reads as
	 * anonymous since 6.2, so without a rule for slab nothing is. */
	typed = (int32_t)mapcount < MAPCOUNT_RESERVE;
	if (typed)
		return verdict(PAGE_KEEP, compound.order);
	anon = mapping & MAPPING_ANON;
	if (anon && !rules->slab.known && !rules->slab_flag)
		return verdict(PAGE_KEEP, compound.order);
	if (anon)
		return verdict(PAGE_USER, compound.order);
	cache = (flags & rules->lru) || ((flags & rules->swapcache) && (flags & rules->swapbacked));
	if (!cache)
		return verdict(PAGE_KEEP, compound.order);
	if (rules->private_flag && !(flags & rules->private_flag))
		return verdict(PAGE_CACHE, compound.order);
	return verdict(PAGE_CACHE_PRIVATE, compound.order);
}
