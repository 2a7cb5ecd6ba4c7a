/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/cli/supplement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "dumpfilter/kernel/arch.h"
#include "dumpfilter/names/dump_names.h"
#include "dumpfilter/names/module_names.h"
#include "dumpfilter/names/vmcoreinfo_make.h"
#include "dumpfilter/names/vmlinux.h"
#include "dumpfilter/pages/erase_config.h"

#define FILE_MAX (1u << 20)

struct supplement {
	struct vmlinux *vmlinux;
	const char *info_path; /* borrowed from argv */
	char *info;            /* the text of that file */
	struct erase_config *config;
	bool config_optional;
};

void supplement_close(struct supplement *supplement)
{
	if (!supplement)
		return;
	vmlinux_close(supplement->vmlinux);
	free(supplement->info);
	erase_config_destroy(supplement->config);
	free(supplement);
}

static struct kd_error *read_text(const char *path, char **ret)
{
	size_t size;
	struct kd_error *err = kd_read_file(path, FILE_MAX, ret, &size);

	if (!err && strlen(*ret) != size)
		err = kd_error_create(KD_ERR_CONFIG, "%s is not a text file", path);
	return err;
}

/* --- VMCOREINFO --------------------------------------------------------------------------------------------------- */

/* @release and @build_id, from the file @path, must not contradict the vmcore. */
static struct kd_error *check_identity(const char *path, const char *release, const char *build_id,
				       const struct vmcoreinfo *own)
{
	char own_release[65], own_id[65];

	if (*release && vmcoreinfo_get_string(own, "OSRELEASE", own_release, sizeof(own_release)) &&
	    strcmp(release, own_release) != 0)
		return kd_error_create(KD_ERR_USAGE, "%s belongs to kernel %s, but kernel %s crashed", path, release,
				       own_release);
	if (*build_id && vmcoreinfo_get_string(own, "BUILD-ID", own_id, sizeof(own_id)) &&
	    strcmp(build_id, own_id) != 0)
		return kd_error_create(KD_ERR_USAGE,
				       "%s belongs to a different build (%s) than the kernel that crashed (%s)", path,
				       build_id, own_id);
	return NULL;
}

/* How far the kernel was moved from @stext, where a file has it (KASLR). */
static uint64_t find_move(const struct vmcore *vmcore, const struct vmcoreinfo *own, uint64_t stext)
{
	const struct arch_ops *arch = arch_find(vmcore_machine(vmcore));
	uint64_t value;

	if (vmcoreinfo_hex(own, "KERNELOFFSET", &value))
		return value;
	if (vmcoreinfo_symbol(own, "_stext", &value))
		return value - stext;
	return arch && arch->image_move ? arch->image_move(vmcore, stext) : 0;
}

/* Adds the lines that a vmlinux gives and its symbols and types do not. */
static struct kd_error *make_from_vmlinux(const struct vmlinux *vmlinux, uint64_t move, const struct vmcoreinfo *own,
					  char **ret)
{
	_cleanup_free_ char *made = NULL;
	const char *value;
	size_t size;
	struct kd_error *err = vmcoreinfo_make(vmlinux_debuginfo(vmlinux), own, &made);
	char line[4][128] = { "" };

	if (err)
		return err;
	if (*vmlinux_release(vmlinux) && !vmcoreinfo_get(own, "OSRELEASE", &value, &size))
		snprintf(line[0], sizeof(line[0]), "OSRELEASE=%s\n", vmlinux_release(vmlinux));
	if (*vmlinux_build_id(vmlinux) && !vmcoreinfo_get(own, "BUILD-ID", &value, &size))
		snprintf(line[1], sizeof(line[1]), "BUILD-ID=%s\n", vmlinux_build_id(vmlinux));
	if (move && !vmcoreinfo_get(own, "KERNELOFFSET", &value, &size))
		snprintf(line[2], sizeof(line[2]), "KERNELOFFSET=%lx\n", move);
	if (vmlinux_page_size(vmlinux) && !vmcoreinfo_get(own, "PAGESIZE", &value, &size))
		snprintf(line[3], sizeof(line[3]), "PAGESIZE=%u\n", vmlinux_page_size(vmlinux));
	return kd_format(ret, "%s%s%s%s%s", line[0], line[1], line[2], line[3], made);
}

static struct kd_error *from_vmlinux(const struct supplement *supplement, const struct vmcore *vmcore,
				     const struct vmcoreinfo *own, char **ret)
{
	struct vmlinux *vmlinux = supplement->vmlinux;
	uint64_t stext, move = 0;
	struct kd_error *err = check_identity(vmlinux_path(vmlinux), vmlinux_release(vmlinux),
					      vmlinux_build_id(vmlinux), own);

	if (err)
		return err;
	vmlinux_move(vmlinux, 0);
	if (debuginfo_symbol(vmlinux_debuginfo(vmlinux), "_stext", &stext))
		move = find_move(vmcore, own, stext);
	vmlinux_move(vmlinux, move);
	return make_from_vmlinux(vmlinux, move, own, ret);
}

/* The file's lines, with symbols where this boot had them. */
static struct kd_error *move_symbols(const char *text, uint64_t move, char **ret)
{
	_cleanup_free_ char *moved = NULL;
	size_t size;
	FILE *out = open_memstream(&moved, &size);

	if (!out)
		return kd_error_nomem();
	if (move)
		fprintf(out, "KERNELOFFSET=%lx\n", move);
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t length = strcspn(text, "\n"), name = strcspn(text, "=\n");
		char number[32];
		uint64_t value;

		snprintf(number, sizeof(number), "%.*s", (int)(length - name ? length - name - 1 : 0), text + name + 1);
		if (kd_starts_with(text, "SYMBOL(") && kd_parse_u64(number, 16, &value))
			fprintf(out, "%.*s=%lx\n", (int)name, text, value + move);
		else
			fprintf(out, "%.*s\n", (int)length, text);
	}
	if (fclose(out) != 0 || !moved)
		return kd_error_nomem();
	*ret = take_ptr(moved);
	return NULL;
}

static struct kd_error *from_file(const struct supplement *supplement, const struct vmcore *vmcore,
				  const struct vmcoreinfo *own, char **ret)
{
	const struct vmcoreinfo file = { supplement->info, strlen(supplement->info) };
	char release[65], build_id[65];
	uint64_t stext, value, move = 0;
	struct kd_error *err;

	vmcoreinfo_get_string(&file, "OSRELEASE", release, sizeof(release));
	vmcoreinfo_get_string(&file, "BUILD-ID", build_id, sizeof(build_id));
	err = check_identity(supplement->info_path, release, build_id, own);
	if (err)
		return err;
	/* A file that says how far the kernel was moved has the symbols where they were then. */
	if (vmcoreinfo_symbol(&file, "_stext", &stext)) {
		if (vmcoreinfo_hex(&file, "KERNELOFFSET", &value))
			stext -= value;
		else
			value = 0;
		move = find_move(vmcore, own, stext) - value;
	}
	return move_symbols(supplement->info, move, ret);
}

static struct kd_error *find_vmcoreinfo(void *arg, const struct vmcore *vmcore, const struct vmcoreinfo *own,
					char **ret)
{
	const struct supplement *supplement = arg;
	_cleanup_free_ char *file = NULL, *made = NULL, *text = NULL, *joined = NULL;
	const struct arch_ops *arch = arch_find(vmcore_machine(vmcore));
	char numbers[ARCH_NUMBERS_MAX] = "";
	struct kd_error *err = NULL;

	if (supplement->info)
		err = from_file(supplement, vmcore, own, &file);
	if (!err && supplement->vmlinux)
		err = from_vmlinux(supplement, vmcore, own, &made);
	if (err)
		return err;
	err = kd_format(&text, "%s%s", made ? made : "", file ? file : "");
	if (err)
		return err;
	joined = vmcoreinfo_join(text, own);
	if (!joined)
		return kd_error_nomem();
	if (arch && arch->boot_numbers)
		arch->boot_numbers(vmcore, &(struct vmcoreinfo){ joined, strlen(joined) }, numbers);
	return kd_format(ret, "%s%s", numbers, text);
}

struct kd_error *supplement_generate(const struct dumpfilter_command *command, const struct kd_log *log)
{
	_cleanup_(vmlinux_close) struct vmlinux *vmlinux = NULL;
	const struct vmcoreinfo none = { 0 };
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	if (!command->vmlinux)
		return kd_error_create(KD_ERR_USAGE, "-g %s: name the vmlinux to make it from with -x",
				       command->generate);
	err = vmlinux_open(command->vmlinux, log, &vmlinux);
	if (!err)
		err = make_from_vmlinux(vmlinux, 0, &none, &text);
	if (!err && !strstr(text, "OSRELEASE="))
		err = kd_error_create(KD_ERR_FORMAT, "%s is not a Linux kernel (it has no linux_banner)",
				      command->vmlinux);
	if (!err)
		err = kd_write_file_atomic(command->generate, text, strlen(text), 0644);
	return err;
}

/* --- erasing ------------------------------------------------------------------------------------------------------ */

/* Names while one dump is looked through. */
struct lookup {
	const struct supplement *supplement;
	struct address_space *space;
	struct dump_names dump;
	struct module_names **module;
	size_t module_count;
};

static void lookup_release(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->module_count; i++)
		module_names_close(lookup->module[i]);
	free(lookup->module);
	dump_names_release(&lookup->dump);
}
static inline void lookup_release_cleanup(struct lookup *lookup)
{
	lookup_release(lookup);
}

static struct kd_error *open_dump_names(struct lookup *lookup)
{
	return lookup->dump.btf ? NULL : dump_names_open(&lookup->dump, lookup->space);
}

static struct kd_error *open_module(struct lookup *lookup, const char *name, const struct debuginfo **ret)
{
	struct module_names **module = reallocarray(lookup->module, lookup->module_count + 1, sizeof(*lookup->module));
	struct kd_error *err;

	if (!module)
		return kd_error_nomem();
	lookup->module = module;
	module[lookup->module_count] = NULL;
	err = module_names_open(lookup->space, &lookup->dump.info, lookup->dump.btf, name,
				&module[lookup->module_count]);
	if (err)
		return err;
	*ret = NULL;
	if (module[lookup->module_count])
		*ret = module_names_info(module[lookup->module_count++]);
	return NULL;
}

/* The vmlinux knows more than the dump, of the kernel itself; of modules it knows nothing. */
static struct kd_error *open_names(void *arg, const char *object, const struct debuginfo **ret)
{
	struct lookup *lookup = arg;
	bool kernel = strcmp(object, "vmlinux") == 0;
	struct kd_error *err;

	if (kernel && lookup->supplement->vmlinux) {
		*ret = vmlinux_debuginfo(lookup->supplement->vmlinux);
		return NULL;
	}
	err = open_dump_names(lookup);
	if (err)
		return err;
	if (!kernel)
		return open_module(lookup, object, ret);
	*ret = &lookup->dump.info;
	return NULL;
}

static struct kd_error *find_erasures(void *arg, struct address_space *space, const struct kd_log *log,
				      struct erase *ret)
{
	const struct supplement *supplement = arg;
	_cleanup_(lookup_release) struct lookup lookup = { .supplement = supplement, .space = space };
	const struct erase_names names = { .open = open_names, .arg = &lookup };

	return erase_config_resolve(supplement->config, &names, space, supplement->config_optional, log, ret);
}

static struct kd_error *read_config(struct supplement *supplement, struct dumpfilter_command *command)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = read_text(command->config, &text);

	if (!err)
		err = erase_config_parse(text, command->config, &supplement->config);
	if (err)
		return err;
	supplement->config_optional = command->config_optional;
	command->options.erase = find_erasures;
	return NULL;
}

struct kd_error *supplement_open(struct dumpfilter_command *command, const struct kd_log *log, struct supplement **ret)
{
	struct kd_error *err = NULL;

	*ret = NULL;
	if (!dumpfilter_needs_program(command))
		return NULL;
	_cleanup_(supplement_close) struct supplement *supplement = calloc(1, sizeof(*supplement));
	if (!supplement)
		return kd_error_nomem();
	if (command->config)
		err = read_config(supplement, command);
	if (!err && command->vmcoreinfo)
		err = read_text(command->vmcoreinfo, &supplement->info);
	if (!err && command->vmlinux)
		err = vmlinux_open(command->vmlinux, log, &supplement->vmlinux);
	if (err)
		return err;
	supplement->info_path = command->vmcoreinfo;
	if (supplement->info || supplement->vmlinux)
		command->options.vmcoreinfo = find_vmcoreinfo;
	command->options.supplement = supplement;
	*ret = take_ptr(supplement);
	return NULL;
}
