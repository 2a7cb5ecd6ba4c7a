/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/names/dump_names.h"

#include <stdlib.h>

/* Kernels have 5 MiB of BTF, modules a few KiB. */
#define BTF_MAX (UINT64_C(64) << 20)

void dump_names_release(struct dump_names *names)
{
	btf_destroy(names->btf);
	kallsyms_close(names->kallsyms);
	*names = (struct dump_names){ 0 };
}

struct kd_error *dump_names_read_btf(struct address_space *space, uint64_t vaddr, uint64_t size, const struct btf *base,
				     struct btf **ret)
{
	uint8_t *data;
	struct kd_error *err;

	if (size == 0 || size > BTF_MAX)
		return kd_error_create(KD_ERR_FORMAT, "BTF of %lu bytes", size);
	data = malloc(size);
	if (!data)
		return kd_error_nomem();
	err = address_space_read(space, vaddr, data, size);
	if (err) {
		free(data);
		return err;
	}
	return btf_parse(data, size, base, ret);
}

struct kd_error *dump_names_open(struct dump_names *names, struct address_space *space)
{
	uint64_t start, stop;
	struct kd_error *err;

	*names = (struct dump_names){ 0 };
	err = kallsyms_open(space, &names->kallsyms);
	if (err)
		return err;
	if (!kallsyms_symbols.find(names->kallsyms, "__start_BTF", &start) ||
	    !kallsyms_symbols.find(names->kallsyms, "__stop_BTF", &stop))
		return kd_error_create(KD_ERR_NOT_FOUND, "the kernel's types: it was built without BTF");
	err = dump_names_read_btf(space, start, stop - start, NULL, &names->btf);
	if (err)
		return kd_error_wrap(err, "the kernel's types");
	names->info = (struct debuginfo){
		.types = &btf_types,
		.types_data = names->btf,
		.symbols = &kallsyms_symbols,
		.symbols_data = names->kallsyms,
	};
	return NULL;
}
