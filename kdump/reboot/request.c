/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/reboot/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "kdump/boot/entries.h"

/* --- making ------------------------------------------------------------------------------------------------------- */

static struct kd_error *choose(const struct boot_entries *entries, const struct reboot_choice *choice, size_t *ret)
{
	if (choice->entry)
		return boot_entries_find(entries, choice->entry, ret);
	if (choice->version)
		return boot_entries_find_version(entries, choice->version, ret);
	*ret = entries->next;
	return NULL;
}

/* The boot loader's own words for the kernel are not the kernel's. */
static struct kd_error *take_cmdline(const struct boot_entry *entry, struct reboot_request *request)
{
	return loader_cmdline_remove(entry->options, "BOOT_IMAGE initrd", &request->cmdline);
}

static struct kd_error *take(const struct kd_sysroot *root, const struct boot_entry *entry,
			     struct reboot_request *request)
{
	struct kd_error *err = kd_set_text(&request->title, *entry->title ? entry->title : entry->id);

	if (!err && !entry->kernel)
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"the entry \"%s\" of the boot loader starts something else than a Linux kernel: choose "
			"another one with --entry or --kernel",
			request->title);
	if (!err)
		err = kd_set_text(&request->version, entry->version);
	if (!err)
		err = boot_entry_file(root, entry, entry->kernel, &request->kernel);
	if (!err)
		err = boot_entry_initrds(root, entry, &request->initrd);
	if (!err)
		err = take_cmdline(entry, request);
	request->unified = entry->unified;
	return err;
}

struct kd_error *reboot_request_make(const struct kd_sysroot *root, const struct reboot_choice *choice,
				     struct reboot_request *ret)
{
	_cleanup_(reboot_request_free) struct reboot_request request = { 0 };
	_cleanup_(boot_entries_free) struct boot_entries entries = { 0 };
	bool next = !choice->entry && !choice->version;
	size_t index = 0;
	struct kd_error *err = boot_entries_load(root, choice->loader, &entries);

	if (!err)
		err = choose(&entries, choice, &index);
	if (!err)
		err = kd_set_text(&request.why, next ? entries.why : "chosen");
	if (!err)
		err = take(root, &entries.entry[index], &request);
	if (err)
		return err;
	/* What the next boot takes once is used up by going there, however it was named. */
	request.forget = index == entries.next ? entries.forget : NULL;
	*ret = request;
	request = (struct reboot_request){ 0 };
	return NULL;
}

struct kd_error *reboot_request_append(struct reboot_request *request, const char *words)
{
	_cleanup_free_ char *before = take_ptr(request->cmdline);

	return kd_format(&request->cmdline, "%s%s%s", before, *before ? " " : "", words);
}

/* --- archives ----------------------------------------------------------------------------------------------------- */

struct kd_error *reboot_archives_add(struct reboot_archives *archives, const void *data, size_t size)
{
	size_t padded = (archives->size + 3) & ~(size_t)3;
	char *joined = calloc(1, padded + size);

	if (!joined)
		return kd_error_nomem();
	if (archives->size)
		memcpy(joined, archives->data, archives->size);
	memcpy(joined + padded, data, size);
	kd_secret_free(archives->data);
	*archives = (struct reboot_archives){ joined, padded + size };
	return NULL;
}

void reboot_archives_free(struct reboot_archives *archives)
{
	kd_secret_free(archives->data);
	*archives = (struct reboot_archives){ 0 };
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

struct kd_error *reboot_request_prepare(const struct kd_sysroot *root, const struct reboot_request *request,
					const struct kd_log *log, struct loader_image **ret)
{
	const struct loader_request loader = {
		.root = root,
		.policy = LOADER_REBOOT,
		.kernel = request->kernel,
		.initrd = request->initrd ? request->initrd[0] : NULL,
		.more_initrds = request->initrd ? (const char *const *)request->initrd + 1 : NULL,
		.secret = request->archives.data,
		.secret_size = request->archives.size,
		.cmdline = request->cmdline,
		.fast = !request->not_fast,
		.log = log,
	};

	return loader_prepare(&loader, ret);
}

void reboot_request_free(struct reboot_request *request)
{
	boot_files_free(request->initrd);
	free(request->title);
	free(request->version);
	free(request->why);
	free(request->kernel);
	free(request->cmdline);
	reboot_archives_free(&request->archives);
	*request = (struct reboot_request){ 0 };
}
