/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMCOREINFO, and struct pages classified by it. The input: the text, a NUL, the bytes of structs. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dumpfilter/kernel/vmcoreinfo.h"
#include "dumpfilter/pages/page_class.h"
#include "tests/fuzz/fuzz.h"

#define STRUCTS 8u

static void classify(const struct page_rules *rules, const uint8_t *data, size_t size)
{
	/* In memory of their own, so that sanitizers see a read behind them. */
	_cleanup_free_ uint8_t *pages = calloc(STRUCTS, rules->struct_size);
	struct page_rules learned = *rules;

	REQUIRE(pages);
	memcpy(pages, data, size < STRUCTS * rules->struct_size ? size : STRUCTS * rules->struct_size);
	page_rules_learn_boot(&learned, pages);
	for (unsigned int i = 0; i < STRUCTS; i++) {
		const uint8_t *page = pages + i * rules->struct_size;
		struct page_verdict verdict = page_classify(&learned, i, 0xffffea0000000000 + i * rules->struct_size,
							    page, i + 1 < STRUCTS ? page + rules->struct_size : NULL);

		REQUIRE(verdict.class < PAGE_CLASS_COUNT);
		REQUIRE(verdict.count > 0 && verdict.count <= UINT64_C(1) << 22);
		page_is_poisoned(&learned, page);
		for (unsigned int level = 0; level < 32; level++)
			page_class_dropped(verdict.class, level);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t text_size = nul ? (size_t)(nul - data) : size;
	_cleanup_free_ char *text = malloc(text_size ? text_size : 1);
	struct vmcoreinfo info = { .text = text, .size = text_size };
	struct page_rules rules;
	char value[65];
	uint64_t number;
	int64_t signed_number;

	REQUIRE(text);
	if (text_size)
		memcpy(text, data, text_size);
	vmcoreinfo_get_string(&info, "OSRELEASE", value, sizeof(value));
	REQUIRE(memchr(value, '\0', sizeof(value)));
	vmcoreinfo_decimal(&info, "CRASHTIME", &number);
	vmcoreinfo_hex(&info, "KERNELOFFSET", &number);
	vmcoreinfo_symbol(&info, "_stext", &number);
	vmcoreinfo_length(&info, "mem_section", &number);
	vmcoreinfo_number(&info, "phys_base", &signed_number);
	/* What is larger than any struct page mem_map_init() refuses. */
	if (!fuzz_error(page_rules_init(&rules, &info, NULL)) && rules.struct_size <= 1024)
		classify(&rules, nul ? nul + 1 : data, nul ? size - text_size - 1 : 0);
	return 0;
}
