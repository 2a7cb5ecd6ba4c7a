/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the capture: configuration, kernel, image, programs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "initramfs/drivers.h"
#include "initramfs/elf_closure.h"
#include "initramfs/firmware.h"
#include "initramfs/image.h"
#include "initramfs/modules.h"
#include "kdump/arming/armed.h"
#include "kdump/arming/hook_file.h"
#include "kdump/storage/volume_keys.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/terminal.h"

void check_configuration(const struct check_context *c, struct check_result *result)
{
	if (c->conf)
		check_say(result, CHECK_OK, NULL, "%s", c->ctl->conf_file);
	else
		check_say(result, CHECK_FAILURE, NULL, "%s", c->conf_error);
}

void check_settings(const struct check_context *c, struct check_result *result)
{
	if (!c->settings)
		check_say(result, CHECK_FAILURE, NULL, "%s", c->settings_error);
	else
		check_say(result, CHECK_OK, NULL, "%s", c->settings->file ? c->settings->file : "defaults");
}

void check_kernel(const struct check_context *c, struct check_result *result)
{
	if (c->kernel)
		check_say(result, CHECK_OK, NULL, "%s", c->kernel->path);
	else if (c->kernel_error)
		check_say(result, CHECK_FAILURE, NULL, "%s", c->kernel_error);
	else
		check_say(result, CHECK_NOT_APPLICABLE, NULL, "the settings could not be read");
}

void check_programs(const struct check_context *c, struct check_result *result)
{
	if (c->plan)
		check_say(result, CHECK_OK, NULL, "the collector %s and %zu hooks%s", c->plan->collector.argv[0],
			  c->plan->hook_count, c->plan->encryption.count ? "; the dump is encrypted" : "");
	else if (c->plan_error)
		check_say(result, CHECK_FAILURE, NULL, "%s", c->plan_error);
	else
		check_say(result, CHECK_NOT_APPLICABLE, NULL, "the kernel or the target could not be resolved");
}

/* Loader, libraries and interpreters. If one is missing, no image is built. */
void check_libraries(const struct check_context *c, struct check_result *result)
{
	_cleanup_(image_free) struct image *image = NULL;
	_cleanup_(names_free) struct names packed = { 0 };
	struct kd_error *err;
	size_t i;

	if (!c->plan || !c->plan->hook_count)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "there are no hooks");
	err = image_new(&image);
	for (i = 0; i < c->plan->hook_count && !err; i++)
		err = elf_closure_add(&c->ctl->root, c->plan->hook[i].argv[0], image, &packed);
	if (err)
		check_say_error(result, CHECK_FAILURE, err);
	else
		check_say(result, CHECK_OK, NULL, "all programs and libraries that the hooks need exist");
}

static bool read_listing(const char *path, char **ret)
{
	size_t size;
	FILE *out = open_memstream(ret, &size);
	bool failed;

	if (!out)
		return false;
	failed = kd_error_discard(image_list(path, out));
	fclose(out);
	return !failed;
}

void check_image(const struct check_context *c, struct check_result *result)
{
	_cleanup_close_ int fd = c->initrd ? kd_sysroot_open_file(&c->ctl->root, c->initrd, O_RDONLY | O_NONBLOCK) : -1;
	_cleanup_free_ char *path = NULL, *listing = NULL;
	struct stat st;

	if (!c->initrd)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the kernel of the image is not known");
	if (fd < 0 && errno == EACCES)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "only root can read %s", c->initrd);
	if (fd < 0)
		return check_say(result, CHECK_WARNING, "\"kdumpctl start\" builds it", "%s does not exist yet",
				 c->initrd);
	path = kd_sysroot_path(&c->ctl->root, c->initrd);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !path || !read_listing(path, &listing) ||
	    !strstr(listing, " /init\n") || !strstr(listing, " " KD_PLAN_PATH "\n"))
		check_say(result, CHECK_FAILURE, "\"kdumpctl rebuild\" builds it again", "%s is damaged", c->initrd);
	else
		check_say(result, CHECK_OK, NULL, "%s is readable and holds a plan", c->initrd);
}

/* The file should equal the loaded image: a start that finds a kernel loaded does not look at it again. */
void check_armed_image(const struct check_context *c, struct check_result *result)
{
	_cleanup_(armed_free) struct armed armed = { 0 };
	_cleanup_free_ char *hash = NULL;
	bool found = false;
	struct kd_error *err = armed_read(&c->ctl->root, &armed, &found);

	if (err)
		return check_say_error(result, CHECK_WARNING, err);
	if (!found || !armed.initrd || !armed.initrd_hash)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "there is no record of a loaded image");
	err = armed_hash_file(&c->ctl->root, armed.initrd, &hash);
	if (err && err->errnum == EACCES)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err);
	if (err)
		return check_say_error(result, CHECK_WARNING, err);
	if (strcmp(hash, armed.initrd_hash) != 0)
		check_say(result, CHECK_WARNING, "\"kdumpctl restart\" loads it",
			  "%s differs from the image that was loaded (SHA-256 mismatch)", armed.initrd);
	else
		check_say(result, CHECK_OK, NULL, "%s is the image that was loaded", armed.initrd);
}

/* Can others than root read the key file of one of @keys? *ret := its name, or NULL. */
static void find_open_file(const struct kd_sysroot *root, const struct volume_keys *keys, const char **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < keys->count && !*ret; i++) {
		const char *file = keys->key[i].file;
		_cleanup_close_ int fd = file ? kd_sysroot_open_file(root, file, O_PATH) : -1;
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0077))
			*ret = file;
	}
}

/* The keys of encrypted volumes, which are fetched at each start. */
void check_keys(const struct check_context *c, struct check_result *result)
{
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };
	_cleanup_free_ char *text = NULL;
	const char *open_file;
	struct kd_error *err;

	if (!c->plan)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "whether the capture needs keys is not known");
	err = volume_keys_list(c->plan, &keys);
	if (!err && !keys.count)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "no volume of the target is encrypted");
	if (!err)
		err = volume_keys_fetch(&c->ctl->root, &volumes_live, &keys);
	if (!err)
		err = kd_set_text(&text, "");
	for (size_t i = 0; i < keys.count && !err; i++) {
		_cleanup_free_ char *before = take_ptr(text);

		err = kd_format(&text, "%s%s%s: %s", before, i ? ", " : "", keys.key[i].volume, keys.key[i].source);
	}
	if (err && err->errnum == EACCES)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err);
	if (err)
		return check_say_error(result, CHECK_FAILURE, err);
	find_open_file(&c->ctl->root, &keys, &open_file);
	if (open_file)
		return check_say(result, CHECK_WARNING, "\"chmod 600\"",
				 "users other than root can read the key file %s", open_file);
	check_say(result, CHECK_OK, NULL, "the keys of encrypted volumes can be had (%s)", text);
}

/* The modules that an image for the plan would hold now. */
static struct kd_error *find_modules(const struct check_context *c, struct modules **ret)
{
	struct kd_error *err = modules_open(&c->ctl->root, c->kernel->release, ret);
	struct drivers drivers = { .root = &c->ctl->root, .release = c->kernel->release, .plan = c->plan };

	drivers.modules = *ret;
	return err ? err : drivers_add_plan(&drivers, c->conf->extra_modules);
}

/* The drivers that the target needs now, compared with those in the image. */
void check_drivers(const struct check_context *c, struct check_result *result)
{
	_cleanup_(modules_close) struct modules *modules = NULL;
	_cleanup_free_ char *path = c->initrd ? kd_sysroot_path(&c->ctl->root, c->initrd) : NULL, *listing = NULL;
	const struct module_file *file;
	struct kd_error *err;
	size_t count, i;

	if (!c->plan || !path || !read_listing(path, &listing))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "there is no image to compare with");
	err = find_modules(c, &modules);
	if (err)
		return check_say_error(result, CHECK_FAILURE, err);
	file = modules_list(modules, &count);
	for (i = 0; i < count; i++) {
		_cleanup_free_ char *needle = NULL;

		err = kd_format(&needle, " /lib/modules/%s.ko", file[i].name);
		if (err)
			return check_say_error(result, CHECK_NOT_APPLICABLE, err);
		if (!strstr(listing, needle))
			return check_say(result, CHECK_FAILURE, "\"kdumpctl restart\" builds the image again",
					 "the target needs the module %s, which is not in the image", file[i].name);
	}
	check_say(result, CHECK_OK, NULL, "the %zu modules that the target needs are in the image", count);
}

/* "a, b, c" */
static char *join(const struct names *names)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && i < names->count; i++)
		fprintf(out, "%s%s", i ? ", " : "", names->name[i]);
	if (out && fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static uint64_t firmware_size(const struct kd_sysroot *root, const struct firmware *firmware)
{
	uint64_t size = 0;

	for (size_t i = 0; i < firmware->count; i++) {
		_cleanup_close_ int fd = kd_sysroot_open_file(root, firmware->file[i].path, O_PATH);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0)
			size += st.st_size;
	}
	return size;
}

/* A module names the firmware of each device that it knows, and of each version. So a missing file means little if
 * there are others. */
void check_firmware(const struct check_context *c, struct check_result *result)
{
	_cleanup_(modules_close) struct modules *modules = NULL;
	_cleanup_(firmware_free) struct firmware firmware = { 0 };
	_cleanup_free_ char *missing = NULL, *destitute = NULL;
	char size[TERM_SIZE_MAX];
	struct kd_error *err;

	if (!c->plan)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the drivers of the target are not known");
	err = find_modules(c, &modules);
	if (!err)
		err = firmware_find(&c->ctl->root, c->kernel->release, modules, &firmware);
	if (err)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err); /* row "drivers" has it */
	if (!firmware.count && !firmware.missing.count)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "no driver of the image loads firmware");
	missing = join(&firmware.missing);
	destitute = join(&firmware.destitute);
	term_size(firmware_size(&c->ctl->root, &firmware), size);
	if (firmware.destitute.count)
		return check_say(
			result, CHECK_WARNING,
			"install the package with the firmware (Debian: firmware-*, Red Hat: linux-firmware) if "
			"the device works only with it",
			"this machine has no firmware for %s: %s", destitute ? destitute : "", missing ? missing : "");
	check_say(result, CHECK_OK, NULL, "%zu files with %s go into the image%s%s", firmware.count, size,
		  firmware.missing.count ? "; this machine does not have " : "",
		  firmware.missing.count && missing ? missing : "");
}

/* At the crash, files that are not executable are skipped without a word. start does not look at what @announces a dump
 * after the next boot, and no shell runs that if it is a text. */
static void check_hook(const struct check_context *c, const char *path, mode_t mode, bool announces,
		       struct check_result *result)
{
	enum hook_kind kind = HOOK_PROGRAM;
	struct kd_error *err;

	if (!(mode & 0111))
		return check_say(result, CHECK_WARNING,
				 "run \"chmod +x\" on it if it is a hook, otherwise move it to another directory",
				 "%s is not executable, and is not run", path);
	if (mode & 0002)
		return check_say(result, CHECK_WARNING, "\"chmod o-w\"",
				 "every user can write to %s, which runs as root", path);
	err = hook_file_check(&c->ctl->root, path, &kind);
	if (err)
		return check_say_error(result, CHECK_WARNING, err);
	if (kind == HOOK_TEXT && announces)
		check_say(result, CHECK_WARNING, "write \"#!/bin/sh\" into its first line",
			  "%s is a text that does not name an interpreter, and cannot be run", path);
}

void check_hook_directories(const struct check_context *c, struct check_result *result)
{
	static const struct {
		const char *name;
		bool announces;
	} directories[] = { { "pre.d", false }, { "post.d", false }, { "emergency.d", false }, { "notify.d", true } };
	unsigned int programs = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directories); i++) {
		_cleanup_free_ char *path = NULL;
		_cleanup_closedir_ DIR *dir = NULL;
		struct kd_error *err = kd_format(&path, KD_SYSCONFDIR "/kdump/%s", directories[i].name);
		const char *name;
		struct stat st;

		if (err)
			return check_say_error(result, CHECK_NOT_APPLICABLE, err);
		dir = kd_sysroot_open_dir(&c->ctl->root, path);
		while (dir && (name = kd_next_entry(dir))) {
			_cleanup_free_ char *file = NULL;

			if (kd_is_left_behind(name) || fstatat(dirfd(dir), name, &st, 0) < 0 || !S_ISREG(st.st_mode))
				continue;
			programs++;
			err = kd_format(&file, "%s/%s", path, name);
			if (err)
				return check_say_error(result, CHECK_NOT_APPLICABLE, err);
			check_hook(c, file, st.st_mode, directories[i].announces, result);
		}
	}
	if (!result->text && programs)
		check_say(result, CHECK_OK, NULL, "%u hooks", programs);
	else if (!result->text)
		check_say(result, CHECK_NOT_APPLICABLE, NULL, "no hooks in " KD_SYSCONFDIR "/kdump");
}

/* --- settings of kdump-tools -------------------------------------------------------------------------------------- */

/* Where a setting of Debian's and Ubuntu's kdump-tools goes. The first ones say what happens without a setting, if they
 * have this value. */
static const struct {
	const char *key, *usual, *here;
} kdump_tools[] = {
	{ "USE_KDUMP", "1", "\"systemctl enable kdump\"" },
	{ "KDUMP_COREDIR", "/var/crash", "path in kdump.conf" },
	{ "KDUMP_DUMP_DMESG", "1", "nothing: the log is always saved" },
	{ "KDUMP_FAIL_CMD", "reboot -f", "failure_action in kdump.conf" },
	{ "KDUMP_NUM_DUMPS", "0", "keep_dumps in kdump.conf" },
	{ "MAKEDUMP_ARGS", NULL, "core_collector in kdump.conf" },
	{ "KDUMP_CMDLINE", NULL, "KDUMP_COMMANDLINE" },
	{ "KDUMP_CMDLINE_APPEND", NULL, "KDUMP_COMMANDLINE_APPEND" },
	{ "KDUMP_KEXEC_ARGS", NULL, "KEXEC_ARGS" },
	{ "KDUMP_KERNEL", NULL, "KDUMP_BOOTDIR and KDUMP_IMG" },
	{ "KDUMP_INITRD", NULL, "nothing: kdumpctl builds its own" },
	{ "KDUMP_SYSCTL", NULL, "/etc/sysctl.d" },
	{ "SSH", NULL, "nothing yet: dumps go to local file systems" },
	{ "SSH_KEY", NULL, "nothing yet: dumps go to local file systems" },
	{ "NFS", NULL, "nothing yet: dumps go to local file systems" },
	{ "FTP", NULL, "nothing yet: dumps go to local file systems" },
};

static bool is_set(const char *text, const char *key, const char *usual)
{
	_cleanup_free_ char *copy = strdup(text);
	char *cursor = copy, *line;
	bool set = false;

	/* A shell reads that file, so the last assignment counts. */
	while (cursor && (line = strsep(&cursor, "\n"))) {
		char *value = strchr(line = kd_strip(line), '=');
		size_t length;

		if (!value || (size_t)(value - line) != strlen(key) || strncmp(line, key, strlen(key)) != 0)
			continue;
		value = kd_strip(value + 1);
		length = strlen(value);
		if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
			value[length - 1] = '\0';
			value++;
		}
		set = *value && (!usual || strcmp(value, usual) != 0);
	}
	return set;
}

/* The package goes when this one comes, but its settings stay until it is purged. */
void check_kdump_tools(const struct check_context *c, struct check_result *result)
{
	static const char path[] = "/etc/default/kdump-tools";
	_cleanup_free_ char *text = NULL, *list = NULL;
	struct kd_error *err = kd_sysroot_read(&c->ctl->root, path, &text, NULL);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "there are no settings of kdump-tools");
	}
	for (size_t i = 0; i < ARRAY_SIZE(kdump_tools) && !err; i++) {
		_cleanup_free_ char *before = NULL;

		if (!is_set(text, kdump_tools[i].key, kdump_tools[i].usual))
			continue;
		before = take_ptr(list);
		err = kd_format(&list, "%s%s%s (now %s)", before ? before : "", before ? ", " : "", kdump_tools[i].key,
				kdump_tools[i].here);
	}
	if (err)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err);
	if (list)
		check_say(result, CHECK_WARNING, "move the values, then \"apt purge kdump-tools\" removes the file",
			  "kdumpctl does not read %s, which sets %s", path, list);
	else
		check_say(result, CHECK_OK, NULL, "%s sets nothing but defaults", path);
}
