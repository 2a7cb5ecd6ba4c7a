/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initramfs/initramfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/decompress.h"
#include "base/io.h"
#include "base/programs.h"
#include "base/text.h"
#include "initramfs/drivers.h"
#include "initramfs/elf_closure.h"
#include "initramfs/elf_whole.h"
#include "initramfs/extra_file.h"
#include "initramfs/firmware.h"
#include "initramfs/hash.h"
#include "initramfs/kernel_config.h"
#include "initramfs/modules.h"

#define MODULE_DIR "/lib/modules" /* in the image */
#define INPUT_MAX  ((size_t)256 << 20)

/* The contents of "<output>.hash": one line "kdump-initramfs <input hash> <image hash> <image size> <unpacked size>".
 * */
struct record {
	char inputs[HASH_TEXT_SIZE];
	char image[HASH_TEXT_SIZE];
	uint64_t image_size;
	uint64_t unpacked_size;
};

static struct kd_error *record_path(const char *output, char **ret)
{
	return kd_format(ret, "%s.hash", output);
}

/* False: there is no record, or it was written by another program. */
static bool record_read(const char *output, struct record *ret)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct record record;
	struct kd_error *err;
	int end = 0;

	err = record_path(output, &path);
	if (!err)
		err = kd_read_file(path, 4096, &text, NULL);
	if (err) {
		kd_error_destroy(err);
		return false;
	}
	if (sscanf(text, "kdump-initramfs %64s %64s %" SCNu64 " %" SCNu64 "%n", record.inputs, record.image,
		   &record.image_size, &record.unpacked_size, &end) != 4 ||
	    !end)
		return false;
	*ret = record;
	return true;
}

static struct kd_error *record_write(const char *output, const struct record *record)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct kd_error *err;

	err = record_path(output, &path);
	if (!err)
		err = kd_format(&text, "kdump-initramfs %s %s %" PRIu64 " %" PRIu64 "\n", record->inputs, record->image,
				record->image_size, record->unpacked_size);
	return err ? err : kd_write_file_atomic(path, text, strlen(text), 0600);
}

/* Is the image at @output, byte for byte, the one that @record describes? */
static bool image_is_intact(const char *output, const struct record *record)
{
	_cleanup_free_ char *data = NULL;
	struct kd_error *err;
	char hash[HASH_TEXT_SIZE];
	size_t size;

	err = kd_read_file(output, INPUT_MAX, &data, &size);
	if (err) {
		kd_error_destroy(err);
		return false;
	}
	hash_bytes(data, size, hash);
	return size == record->image_size && strcmp(hash, record->image) == 0;
}

static struct initramfs_result result_of(const struct record *record, bool rebuilt)
{
	struct initramfs_result result = {
		.rebuilt = rebuilt,
		.image_size = record->image_size,
		.unpacked_size = record->unpacked_size,
	};

	memcpy(result.hash, record->inputs, sizeof(result.hash));
	return result;
}

/* --- collecting --------------------------------------------------------------------------------------------------- */

static void forget_modules(struct kd_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->module_count; i++) {
		free(plan->module[i].file);
		free(plan->module[i].options);
	}
	plan->module_count = 0;
}

/* Add the program at @source; *machine_ret: its ELF machine. */
static struct kd_error *add_static_program(struct image *image, const char *path, mode_t mode, enum image_store store,
					   const char *source, uint16_t *machine_ret)
{
	_cleanup_free_ char *data = NULL;
	struct kd_error *err;
	size_t size;

	err = kd_read_file(source, INPUT_MAX, &data, &size);
	if (!err)
		err = elf_whole_program(data, size, source, machine_ret);
	return err ? err : image_add_file(image, path, mode, store, take_ptr(data), size);
}

/* Is the module in file @source, which may be compressed, one that a kernel for @machine could insert? */
static struct kd_error *check_module(const char *data, size_t size, const char *source, uint16_t machine)
{
	kd_decompress_fn *decompress = kd_decompress_probe(data, size);
	_cleanup_free_ void *expanded = NULL;
	struct kd_error *err = NULL;

	if (decompress)
		err = decompress(data, size, INPUT_MAX, source, &expanded, &size);
	return err ? err : elf_whole_module(expanded ? expanded : data, size, source, machine);
}

static struct kd_error *add_module(struct image *image, const char *path, const char *source, uint16_t machine)
{
	_cleanup_free_ char *data = NULL;
	struct kd_error *err;
	size_t size;

	err = kd_read_file(source, INPUT_MAX, &data, &size);
	if (!err)
		err = check_module(data, size, source, machine);
	return err ? err : image_add_file(image, path, 0600, IMAGE_STORE_GZIP, take_ptr(data), size);
}

/* Add the firmware that the modules ask for, as far as the machine has it. */
static struct kd_error *add_firmware(const struct initramfs_request *request, const struct modules *modules,
				     struct image *image)
{
	const char *release = request->plan->kernel_release;
	_cleanup_(firmware_free) struct firmware firmware = { 0 };
	struct kd_error *err = firmware_find(request->root, release, modules, &firmware);

	for (size_t i = 0; i < firmware.count; i++)
		kd_debug(request->log, "firmware %s is in the image", firmware.file[i].path);
	for (size_t i = 0; i < firmware.missing.count; i++)
		kd_debug(request->log, "module %s is firmware that this machine does not have",
			 firmware.missing.name[i]);
	return err ? err : firmware_add(request->root, release, &firmware, image);
}

/* Add the modules, which are for a kernel of @machine, to the image and to the plan. */
static struct kd_error *add_modules(const struct initramfs_request *request, uint16_t machine, struct image *image)
{
	const char *release = request->plan->kernel_release;
	_cleanup_(modules_close) struct modules *modules = NULL;
	const struct module_file *file;
	struct drivers drivers;
	struct kd_error *err;
	size_t count, i;

	err = modules_open(request->root, release, &modules);
	drivers = (struct drivers){ request->root, modules, release, request->log, request->plan };
	if (!err)
		err = drivers_add_plan(&drivers, request->extra_modules);
	if (err)
		return err;
	forget_modules(request->plan);
	file = modules_list(modules, &count);
	for (i = 0; i < count && !err; i++) {
		_cleanup_free_ char *path = NULL;

		err = kd_format(&path, MODULE_DIR "/%s.ko.gz", file[i].name);
		if (err)
			return err;
		err = add_module(image, path, file[i].path, machine);
		if (!err)
			err = kd_plan_add_module(request->plan, path, file[i].options);
	}
	return err ? err : add_firmware(request, modules, image);
}

/* Add the file that tells the collector which data to erase: without it there is no dump. */
static struct kd_error *add_collector_config(const struct initramfs_request *request, struct image *image)
{
	const char *path = request->plan->collector.erase_config;
	struct kd_error *err;
	size_t size;
	char *data;

	if (!*path)
		return NULL;
	err = kd_sysroot_read(request->root, path, &data, &size);
	return err ? err : image_add_file(image, path, 0600, IMAGE_STORE_PLAIN, data, size);
}

/* Programs that are put into the image, and the list of what each of them needs. */
struct programs {
	const struct kd_sysroot *root;
	struct image *image;
	FILE *list;
};

static struct kd_error *add_program(const struct programs *programs, const char *program)
{
	_cleanup_(names_free) struct names packed = { 0 };
	struct kd_error *err = elf_closure_add(programs->root, program, programs->image, &packed);

	if (err || !packed.count)
		return err;
	fprintf(programs->list, "%s%c", program, '\0');
	for (size_t i = 0; i < packed.count; i++)
		fprintf(programs->list, "%s%c", packed.name[i], '\0');
	fputc('\0', programs->list);
	return NULL;
}

static struct kd_error *add_all_programs(const struct initramfs_request *request, const struct programs *programs)
{
	const struct kd_plan *plan = request->plan;
	struct kd_error *err = NULL;
	char *const *program;
	size_t i;

	if (plan->collector.kind != KD_COLLECTOR_BUILT_IN)
		err = kd_error_wrap(add_program(programs, plan->collector.argv[0]), "core_collector");
	if (!err)
		err = kd_error_wrap(add_collector_config(request, programs->image), "core_collector");
	for (i = 0; i < plan->hook_count && !err; i++)
		err = kd_error_wrap(add_program(programs, plan->hook[i].argv[0]), "%s hook", plan->hook[i].when);
	if (!err && plan->failure_action == KD_ACTION_SHELL)
		err = kd_error_wrap(add_program(programs, "/bin/sh"), "failure_action shell");
	for (program = request->extra_bins; program && *program && !err; program++)
		err = kd_error_wrap(add_program(programs, *program), "extra_bins");
	return err;
}

static struct kd_error *add_programs(const struct initramfs_request *request, struct image *image)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	struct programs programs = { request->root, image, open_memstream(&text, &size) };
	struct kd_error *err = programs.list ? add_all_programs(request, &programs) : kd_error_nomem();

	if (programs.list && fclose(programs.list) != 0 && !err)
		err = kd_error_nomem();
	if (err || !size)
		return err;
	return image_add_file(image, KD_PROGRAMS_PATH, 0600, IMAGE_STORE_PLAIN, take_ptr(text), size);
}

static struct kd_error *add_extra_files(const struct initramfs_request *request, struct image *image)
{
	struct kd_error *err = NULL;

	for (char *const *path = request->extra_files; path && *path && !err; path++)
		err = kd_error_wrap(extra_file_add(request->root, *path, image), "extra_files");
	return err;
}

static struct kd_error *add_skeleton(struct image *image)
{
	static const struct {
		const char *path;
		mode_t mode;
	} directories[] = {
		{ "/dev", 0755 }, { "/mnt", 0700 }, { "/proc", 0555 },
		{ "/run", 0755 }, { "/sys", 0555 }, { "/tmp", 01777 },
	};
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directories) && !err; i++)
		err = image_add_directory(image, directories[i].path, directories[i].mode);
	/* The kernel opens the console before it runs /init. */
	return err ? err : image_add_character_device(image, "/dev/console", 0600, 5, 1);
}

/* Use the compression that was asked for, or none if the kernel's configuration says that it cannot expand it. If the
 * configuration is missing, the kernel is assumed to expand it, as the kernels of all distributions do. */
static struct kd_error *choose_compression(const struct initramfs_request *request, enum image_compression *ret)
{
	const char *option = image_compression_config(request->compression), *release = request->plan->kernel_release;
	enum kernel_config config = KERNEL_CONFIG_YES;
	struct kd_error *err = option ? kernel_config_find(request->root, release, option, &config) : NULL;

	*ret = config == KERNEL_CONFIG_NO ? IMAGE_COMPRESSION_NONE : request->compression;
	if (!err && config == KERNEL_CONFIG_NO)
		kd_debug(request->log, "kernel %s lacks %s: the archive stays uncompressed", release, option);
	return err;
}

static struct kd_error *add_plan(const struct kd_plan *plan, struct image *image)
{
	struct kd_error *err;
	char *text;

	err = kd_plan_format(plan, &text);
	return err ? err : image_add_file(image, KD_PLAN_PATH, 0600, IMAGE_STORE_PLAIN, text, strlen(text));
}

/* The capture program is compressed in the image if the program that expands it exists: while the kernel unpacks the
 * image it holds every byte of it twice. */
static struct kd_error *add_capture(const char *capture, struct image *image, uint16_t *machine_ret)
{
	_cleanup_free_ char *unpack = NULL;
	struct kd_error *err;

	err = kd_format(&unpack, "%s-init", capture);
	if (err)
		return err;
	if (access(unpack, F_OK) < 0)
		return add_static_program(image, "/init", 0755, IMAGE_STORE_PLAIN, capture, machine_ret);
	err = add_static_program(image, "/init", 0755, IMAGE_STORE_PLAIN, unpack, machine_ret);
	return err ? err : add_static_program(image, "/capture.gz", 0600, IMAGE_STORE_GZIP, capture, machine_ret);
}

/* Add everything but the plan, which this completes. */
static struct kd_error *collect(const struct initramfs_request *request, struct image *image)
{
	struct kd_error *err;
	uint16_t machine;

	err = add_skeleton(image);
	if (!err)
		err = kd_error_wrap(add_capture(request->capture, image, &machine), "capture program");
	if (!err)
		err = add_modules(request, machine, image);
	if (!err)
		err = add_programs(request, image);
	return err ? err : add_extra_files(request, image);
}

/* The hash of @image and the plan, without the time when the plan was made. */
static struct kd_error *hash_inputs(const struct initramfs_request *request, struct image *image,
				    enum image_compression compression, char ret[static HASH_TEXT_SIZE])
{
	_cleanup_free_ char *text = NULL, *all = NULL;
	struct kd_plan timeless = *request->plan;
	struct kd_error *err;
	char files[HASH_TEXT_SIZE];

	timeless.created = 0;
	err = kd_plan_format(&timeless, &text);
	if (err)
		return err;
	image_hash(image, compression, files);
	err = kd_format(&all, "%s\n%s", files, text);
	if (err)
		return err;
	hash_bytes(all, strlen(all), ret);
	return NULL;
}

static struct kd_error *write_image(const struct initramfs_request *request, struct image *image,
				    enum image_compression compression, struct record *record)
{
	_cleanup_free_ char *parent = NULL;
	_cleanup_free_ void *data = NULL;
	const char *slash = strrchr(request->output, '/');
	struct kd_error *err;
	size_t size;

	err = add_plan(request->plan, image);
	if (!err)
		err = image_build(image, compression, &data, &size, &record->unpacked_size);
	if (err)
		return err;
	hash_bytes(data, size, record->image);
	record->image_size = size;
	if (slash && slash > request->output) {
		parent = strndup(request->output, slash - request->output);
		err = parent ? kd_mkdir_p(parent, 0755) : kd_error_nomem();
	}
	if (!err)
		err = kd_write_file_atomic(request->output, data, size, 0600);
	return err ? err : record_write(request->output, record);
}

struct kd_error *initramfs_build(const struct initramfs_request *request, struct initramfs_result *ret)
{
	_cleanup_(image_free) struct image *image = NULL;
	enum image_compression compression;
	struct record old, new;
	struct kd_error *err;
	bool have_old;

	have_old = !request->force && record_read(request->output, &old) && image_is_intact(request->output, &old);
	if (have_old && request->no_rebuild) {
		*ret = result_of(&old, false);
		return NULL;
	}
	err = image_new(&image);
	if (!err)
		err = collect(request, image);
	if (!err)
		err = choose_compression(request, &compression);
	if (!err)
		err = hash_inputs(request, image, compression, new.inputs);
	if (err)
		return kd_error_wrap(err, "cannot build %s", request->output);
	if (have_old && strcmp(old.inputs, new.inputs) == 0) {
		*ret = result_of(&old, false);
		return NULL;
	}
	err = write_image(request, image, compression, &new);
	if (err)
		return kd_error_wrap(err, "cannot build %s", request->output);
	*ret = result_of(&new, true);
	return NULL;
}
