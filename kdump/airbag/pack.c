/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/decompress.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "initramfs/image.h"
#include "initramfs/modules.h"
#include "kdump/airbag/airbag.h"
#include "kdump/airbag/settings.h"
#include "kdump/loader/image.h"
#include "kdump/loader/initrd.h"
#include "kdump/loader/loader.h"
#include "kdump/loader/memory_map.h"

#define RESERVATION_ALIGN KD_MIB(16) /* Linux rounds by it on x86_64 */
#define PROGRAM_MAX       (16 << 20)
#define MODULE_MAX        (64 << 20)
#define INITRD_MAX        KD_MIB(1024)

struct pack {
	const struct airbag_request *request;
	struct image *image;
	struct airbag_settings settings;
	struct modules *modules; /* of the new kernel; the settings borrow from it */
	uint64_t kernel_need, initrd_size;
};

static void pack_free(struct pack *pack)
{
	image_free(pack->image);
	modules_close(pack->modules);
}
static inline void pack_free_cleanup(struct pack *pack)
{
	pack_free(pack);
}

void airbag_free(struct airbag *airbag)
{
	free(airbag->archive);
	*airbag = (struct airbag){ 0 };
}

/* Takes @data over. */
static struct kd_error *add(struct pack *pack, const char *path, mode_t mode, void *data, size_t size)
{
	_cleanup_free_ char *full = NULL;
	struct kd_error *err = kd_format(&full, AIRBAG_DIRECTORY "%s", path);

	if (err) {
		free(data);
		return err;
	}
	return image_add_file(pack->image, full, mode, IMAGE_STORE_PLAIN, data, size);
}

static struct kd_error *add_text(struct pack *pack, const char *path, const char *text)
{
	char *copy = strdup(text);

	return copy ? add(pack, path, 0600, copy, strlen(copy)) : kd_error_nomem();
}

static struct kd_error *add_program(struct pack *pack)
{
	struct kd_error *err;
	size_t size;
	char *data;

	err = kd_read_file(pack->request->program, PROGRAM_MAX, &data, &size);
	return err ? err : add(pack, AIRBAG_INIT, 0700, data, size);
}

/* --- the old kernel ----------------------------------------------------------------------------------------------- */

/* Expanded, and the bzImage alone of a unified kernel image: the program in the new kernel need not do that. */
static struct kd_error *add_kernel(struct pack *pack)
{
	_cleanup_(kernel_image_free) struct kernel_image kernel = { 0 };
	struct kd_error *err = kernel_image_read(pack->request->root, pack->request->kernel, &kernel);
	void *copy;

	if (err)
		return err;
	copy = malloc(kernel.file_size);
	if (!copy)
		return kd_error_nomem();
	memcpy(copy, kernel.file, kernel.file_size);
	return add(pack, AIRBAG_KERNEL, 0600, copy, kernel.file_size);
}

static struct kd_error *add_initrd(struct pack *pack)
{
	const char *const *path = pack->request->initrd;
	const struct kernel_image no_kernel = { 0 };
	const struct loader_request request = {
		.root = pack->request->root,
		.initrd = path ? *path : NULL,
		.more_initrds = path && *path ? path + 1 : NULL,
	};
	_cleanup_(initrd_free) struct initrd initrd = { 0 };
	struct kd_error *err = initrd_read(&request, &no_kernel, INITRD_MAX, &initrd);

	pack->initrd_size = initrd.size;
	return err || !initrd.data ? err : add(pack, AIRBAG_INITRD, 0600, take_ptr(initrd.data), pack->initrd_size);
}

/* --- drivers of watchdogs ----------------------------------------------------------------------------------------- */

/* The module of watchdog @name; NULL: it has none, as one that is built in, or a software watchdog. */
static char *find_driver(const struct kd_sysroot *root, const char *name)
{
	_cleanup_free_ char *link = NULL, *path = NULL;
	const char *slash;

	if (kd_error_discard(kd_format(&link, "/sys/class/watchdog/%s/device/driver/module", name)) ||
	    kd_error_discard(kd_sysroot_realpath(root, link, &path)))
		return NULL;
	slash = strrchr(path, '/');
	return slash ? strdup(slash + 1) : NULL;
}

static struct kd_error *find_drivers(struct pack *pack)
{
	const struct airbag_request *request = pack->request;
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(request->root, "/sys/class/watchdog");
	struct kd_error *err = NULL;
	const char *name;

	while (dir && !err && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *driver = find_driver(request->root, name);
		bool found = false;

		if (!driver)
			continue;
		if (!pack->modules)
			err = modules_open(request->root, request->release, &pack->modules);
		if (!err)
			err = modules_add(pack->modules, driver, &found);
		if (!err && !found)
			kd_warn(request->log, "%s does not guard the trial: kernel %s has no driver %s", name,
				request->release, driver);
	}
	return err;
}

static struct kd_error *add_module(struct pack *pack, const struct module_file *module)
{
	_cleanup_free_ char *data = NULL, *path = NULL;
	kd_decompress_fn *decompress;
	void *expanded = NULL;
	struct kd_error *err;
	size_t size;

	if (pack->settings.module_count == AIRBAG_MODULES_MAX)
		return kd_error_create(KD_ERR_LIMIT, "the drivers of watchdogs need more than %d modules",
				       AIRBAG_MODULES_MAX);
	err = kd_read_file(module->path, MODULE_MAX, &data, &size);
	if (!err)
		err = kd_format(&path, AIRBAG_MODULES "/%s", module->name);
	if (err)
		return err;
	decompress = kd_decompress_probe(data, size);
	if (decompress)
		err = decompress(data, size, MODULE_MAX, module->path, &expanded, &size);
	if (err)
		return err;
	pack->settings.module[pack->settings.module_count++] = (struct airbag_module){ module->name, module->options };
	return add(pack, path, 0600, expanded ? expanded : take_ptr(data), size);
}

static struct kd_error *add_drivers(struct pack *pack)
{
	struct kd_error *err = find_drivers(pack);
	const struct module_file *module;
	size_t count = 0, i;

	if (err || !pack->modules)
		return err;
	module = modules_list(pack->modules, &count);
	for (i = 0; i < count && !err; i++)
		err = add_module(pack, &module[i]);
	return err;
}

static struct kd_error *add_settings(struct pack *pack)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	pack->settings.deadline = pack->request->deadline;
	err = airbag_settings_format(&pack->settings, &text);
	return err ? err : add_text(pack, AIRBAG_SETTINGS, text);
}

/* --- can it be done? ---------------------------------------------------------------------------------------------- */

/* The purgatory reaches segment 0. A device elsewhere, behind Intel's VMD for example, would go on writing to memory
 * that belongs to the old kernel. */
static struct kd_error *check_devices(const struct kd_sysroot *root)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/sys/bus/pci/devices");
	const char *name;

	while (dir && (name = kd_next_entry(dir)))
		if (!kd_starts_with(name, "0000:"))
			return kd_error_create(
				KD_ERR_STATE,
				"after a panic nothing could stop PCI device %s, which is not in segment 0: "
				"it would write to the old kernel's memory",
				name);
	return NULL;
}

static struct kd_error *check_lockdown(const struct kd_sysroot *root)
{
	_cleanup_free_ char *lockdown = NULL;
	struct kd_error *err = loader_lockdown(root, &lockdown);

	if (err || !lockdown)
		return err;
	return kd_error_create(
		KD_ERR_STATE,
		"the machine is in lockdown (%s), which forbids kexec_load: the old kernel cannot be armed as "
		"the panic kernel of the new one",
		lockdown);
}

static struct kd_error *find_need(const struct pack *pack, uint64_t *ret)
{
	const struct loader_request request = {
		.root = pack->request->root,
		.policy = LOADER_PANIC,
		.whole_machine = true,
		.kernel = pack->request->kernel,
		.cmdline = pack->request->cmdline,
	};
	_cleanup_(memory_map_free) struct memory_map memory = { 0 };
	struct kd_error *err = loader_whole_machine_need(&request, ret);
	uint64_t ram;

	if (!err)
		err = memory_map_read(request.root, &memory);
	if (err)
		return err;
	ram = kd_ranges_total(&memory.ram);
	*ret = (*ret + pack->initrd_size + RESERVATION_ALIGN - 1) / RESERVATION_ALIGN * RESERVATION_ALIGN;
	if (*ret <= ram / 4)
		return NULL;
	return kd_error_create(KD_ERR_LIMIT,
			       "the old kernel and its initramfs need a reservation of %" PRIu64
			       " MiB in the new kernel, more than a quarter of the machine's %" PRIu64 " MiB",
			       *ret >> 20, ram >> 20);
}

struct kd_error *airbag_pack(const struct airbag_request *request, struct airbag *ret)
{
	_cleanup_(pack_free) struct pack pack = { .request = request };
	struct airbag airbag = { 0 };
	struct kd_error *err = check_lockdown(request->root);
	uint64_t unpacked;

	if (!err)
		err = check_devices(request->root);
	if (!err)
		err = image_new(&pack.image);
	if (!err)
		err = add_program(&pack);
	if (!err)
		err = add_kernel(&pack);
	if (!err)
		err = add_initrd(&pack);
	if (!err)
		err = find_need(&pack, &airbag.need);
	if (!err)
		err = add_text(&pack, AIRBAG_CMDLINE, request->cmdline);
	if (!err)
		err = add_drivers(&pack);
	if (!err)
		err = add_settings(&pack);
	if (!err)
		err = image_build(pack.image, IMAGE_COMPRESSION_NONE, &airbag.archive, &airbag.size, &unpacked);
	if (err)
		return err;
	*ret = airbag;
	return NULL;
}
