/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/run.h"
#include "base/text.h"
#include "kdump/boot/crashkernel.h"
#include "kdump/boot/entry_order.h"
#include "kdump/boot/packaged.h"

#define DROP_IN_HEADER "# Written by kdumpctl reset-crashkernel.\n"
#define SELINUX_LABEL  "security.selinux"

/* The setting to put in place of @old (NULL: no setting); NULL: keep @old. */
static const char *decide(const struct boot_request *request, const char *old)
{
	if (request->setting)
		return request->setting;
	if (old && request->recorded && strcmp(old, request->recorded) == 0)
		return request->recommended;
	if (request->only_recorded)
		return NULL;
	return !old || request->replace || crashkernel_is_packaged(old) ? request->recommended : NULL;
}

/* --- which entries ------------------------------------------------------------------------------------------------ */

static bool is_all(const struct boot_request *request)
{
	return !request->release && (!request->kernel || strcmp(request->kernel, "ALL") == 0);
}

/* Entries name kernels by the path that the boot loader uses, from the top of their file system. */
static bool same_kernel(const char *named, const char *asked)
{
	size_t n = strlen(named), a = strlen(asked);
	const char *longer = n > a ? named : asked, *shorter = n > a ? asked : named;
	size_t rest = n > a ? n - a : a - n;

	return strcmp(longer + rest, shorter) == 0 && *shorter == '/';
}

/* Is @release a whole part of the path @kernel, as in /boot/vmlinuz-6.1.0 or /id/6.1.0/linux? */
static bool names_release(const char *kernel, const char *release)
{
	size_t length = strlen(release);
	const char *found;

	for (found = kernel; (found = strstr(found, release)); found++)
		if (found > kernel && strchr("-/", found[-1]) && (!found[length] || found[length] == '/'))
			return true;
	return false;
}

/* GRUB's menu begins with the newest entry. */
static size_t menu_index(const struct boot_config *config, size_t file)
{
	size_t i, before = 0;

	for (i = 0; i < config->files; i++)
		if (config->file[i].by_tool && boot_entry_compare(config->file[i].path, config->file[file].path) > 0)
			before++;
	return before;
}

/* Is it the entry that GRUB starts by default? saved_entry of its environment is the name of an entry or its place in
 * the menu; without it, the first entry is the default. */
static bool is_default(const struct kd_sysroot *root, const struct boot_config *config, size_t file)
{
	_cleanup_free_ char *text = NULL, *wanted = NULL;
	const char *saved, *name = strrchr(config->file[file].path, '/') + 1;
	struct kd_error *err = kd_sysroot_read(root, "/boot/grub2/grubenv", &text, NULL);
	uint64_t place = 0;

	kd_error_destroy(err);
	saved = text ? strstr(text, "\nsaved_entry=") : NULL;
	if (saved)
		wanted = strndup(saved + 13, strcspn(saved + 13, "\n"));
	if (!wanted || !*wanted || kd_parse_u64(wanted, 10, &place) || strlen(name) < 5)
		return menu_index(config, file) == place;
	return strlen(wanted) == strlen(name) - 5 && strncmp(wanted, name, strlen(wanted)) == 0;
}

static bool is_asked(const struct kd_sysroot *root, const struct boot_plan *plan, const struct boot_request *request,
		     size_t file, const struct boot_region *region)
{
	if (is_all(request))
		return true;
	if (!region->kernel)
		return false;
	if (request->release)
		return names_release(region->kernel, request->release);
	if (strcmp(request->kernel, "DEFAULT") == 0)
		return is_default(root, &plan->config, file);
	return same_kernel(region->kernel, request->kernel);
}

static struct kd_error *check_kernel_option(const struct boot_plan *plan, const struct boot_request *request)
{
	if (is_all(request) || request->release)
		return NULL;
	if (strcmp(request->kernel, "DEFAULT") == 0)
		return plan->loader->indexed || !plan->loader->per_kernel ?
			       NULL :
			       kd_error_create(KD_ERR_USAGE,
					       "--kernel=DEFAULT: kdumpctl does not know which entry %s starts: name "
					       "the file of its kernel, or use ALL",
					       plan->loader->name);
	if (!plan->loader->per_kernel)
		return kd_error_create(KD_ERR_USAGE,
				       "--kernel=%s: %s gives all kernels the same command line; use --kernel=ALL",
				       request->kernel, plan->loader->name);
	return NULL;
}

/* --- deciding ----------------------------------------------------------------------------------------------------- */

static struct kd_error *get(const struct boot_file *file, const struct boot_region *region, char **ret)
{
	return crashkernel_get(file->text + region->start, region->end - region->start, ret);
}

static bool same_owner(const struct boot_region *a, const struct boot_region *b)
{
	return a->kernel && b->kernel ? strcmp(a->kernel, b->kernel) == 0 : !a->kernel && !b->kernel;
}

/* Does another region of @file set the parameter for the same kernel? */
static struct kd_error *said_elsewhere(const struct boot_file *file, const struct boot_region *region, bool *ret)
{
	size_t i;

	*ret = false;
	for (i = 0; !*ret && i < file->regions; i++) {
		_cleanup_free_ char *old = NULL;
		struct kd_error *err;

		if (file->region[i].void_ || !same_owner(&file->region[i], region))
			continue;
		err = get(file, &file->region[i], &old);
		if (err)
			return err;
		*ret = old != NULL;
	}
	return NULL;
}

/* @region is NULL for a new line. */
static struct kd_error *add_change(struct boot_plan *plan, size_t file, const struct boot_region *region,
				   const char *old, const char *wanted)
{
	struct boot_change *grown = reallocarray(plan->change, plan->changes + 1, sizeof(*grown)), *change;
	const char *kernel = region ? region->kernel : NULL;

	if (!grown)
		return kd_error_nomem();
	plan->change = grown;
	change = &grown[plan->changes++];
	*change = (struct boot_change){ .file = file, .region = region, .index = menu_index(&plan->config, file) };
	change->outcome = !wanted ? BOOT_KEPT : old && strcmp(old, wanted) == 0 ? BOOT_SAME : BOOT_CHANGED;
	change->kernel = kernel ? strdup(kernel) : NULL;
	change->old = old ? strdup(old) : NULL;
	change->new_ = change->outcome == BOOT_CHANGED ? strdup(wanted) : NULL;
	return (kernel && !change->kernel) || (old && !change->old) ||
			       (change->outcome == BOOT_CHANGED && !change->new_) ?
		       kd_error_nomem() :
		       NULL;
}

/* How many more of @open than of @close. */
static long nesting(const char *text, size_t size, char open, char close)
{
	long depth = 0;

	for (size_t i = 0; i < size; i++)
		depth += (text[i] == open) - (text[i] == close);
	return depth;
}

/* "$(echo crashkernel=1M)": would the change take one end of a shell's expansion away? */
static bool breaks_expansion(const char *old, size_t old_size, const char *words)
{
	size_t size = strlen(words);

	return nesting(old, old_size, '(', ')') != nesting(words, size, '(', ')') ||
	       nesting(old, old_size, '{', '}') != nesting(words, size, '{', '}') ||
	       (nesting(old, old_size, '`', 0) - nesting(words, size, '`', 0)) % 2 != 0;
}

/* Put @setting into @region of the file's text, as edited so far. */
static struct kd_error *edit(struct boot_plan *plan, size_t index, const struct boot_region *region,
			     const char *setting)
{
	const struct boot_file *file = &plan->config.file[index];
	const char *now = plan->text[index] ? plan->text[index] : file->text;
	_cleanup_free_ char *words = NULL;
	struct kd_error *err;
	char *text;

	if (region->bare && strchr(setting, ' '))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"%s: the value that contains crashkernel= has no quotes and cannot hold two words: put "
			"it in quotes",
			file->path);
	err = crashkernel_put(now + region->start, region->end - region->start, setting, &words);
	if (!err && breaks_expansion(now + region->start, region->end - region->start, words))
		err = kd_error_create(
			KD_ERR_UNSUPPORTED,
			"%s: crashkernel= is inside of $(…), ${…} or `…`, which only a shell can read: write "
			"crashkernel=%s there yourself",
			file->path, setting);
	if (err)
		return err;
	err = kd_format(&text, "%.*s%s%s%s", (int)region->start, now, region->missing ? region->missing : "", words,
			now + region->end);
	if (err)
		return err;
	free(plan->text[index]);
	plan->text[index] = text;
	return NULL;
}

/* *matched := true if the request selects the region; *said := true if it has the parameter now or will have it. */
static struct kd_error *decide_region(const struct kd_sysroot *root, struct boot_plan *plan,
				      const struct boot_request *request, size_t index,
				      const struct boot_region *region, bool *matched, bool *said)
{
	const struct boot_file *file = &plan->config.file[index];
	_cleanup_free_ char *old = NULL;
	bool elsewhere = false;
	const char *wanted;
	struct kd_error *err;

	if (region->void_ || !is_asked(root, plan, request, index, region))
		return NULL;
	err = get(file, region, &old);
	if (!err && !old)
		err = said_elsewhere(file, region, &elsewhere);
	if (err || (!old && (elsewhere || (!region->add && !region->missing))))
		return err;
	wanted = decide(request, old);
	*matched = true;
	*said |= old || wanted;
	return old || wanted ? add_change(plan, index, region, old, wanted) : NULL;
}

/* Edit from the last region to the first, so that the offsets of the remaining regions stay valid. */
static struct kd_error *edit_all(struct boot_plan *plan)
{
	struct kd_error *err = NULL;
	size_t i;

	for (i = plan->changes; !err && i-- > 0;) {
		const struct boot_change *change = &plan->change[i];

		if (change->outcome == BOOT_CHANGED && change->region && !plan->config.file[change->file].by_tool)
			err = edit(plan, change->file, change->region, change->new_);
	}
	return err;
}

/* No region takes the parameter: add a line at the end of the file that the loader's row names. */
static struct kd_error *add_line(const struct kd_sysroot *root, struct boot_plan *plan,
				 const struct boot_request *request)
{
	const char *path = plan->loader->add_to(root), *wanted = decide(request, NULL);
	_cleanup_free_ char *words = NULL;
	struct kd_error *err;
	size_t i, length;

	if (!wanted)
		return NULL;
	for (i = 0; i < plan->config.files; i++)
		if (strcmp(plan->config.file[i].path, path) == 0)
			break;
	if (i == plan->config.files) {
		char **grown;

		err = boot_config_add_absent(path, &plan->config);
		if (err)
			return err;
		grown = reallocarray(plan->text, plan->config.files, sizeof(*grown));
		if (!grown)
			return kd_error_nomem();
		plan->text = grown;
		plan->text[i] = NULL;
	}
	err = crashkernel_put("", 0, wanted, &words);
	if (err)
		return err;
	length = strlen(plan->config.file[i].text);
	err = kd_format(&plan->text[i], "%s%s%s%s%s", plan->config.file[i].text,
			!length                                       ? DROP_IN_HEADER :
			plan->config.file[i].text[length - 1] == '\n' ? "" :
									"\n",
			plan->loader->add_before, words, plan->loader->add_after);
	if (err)
		return err;
	return add_change(plan, i, NULL, NULL, wanted);
}

static struct kd_error *decide_all(const struct kd_sysroot *root, struct boot_plan *plan,
				   const struct boot_request *request)
{
	bool matched = false, said = false;
	struct kd_error *err = NULL;
	size_t i, j;

	for (i = 0; !err && i < plan->config.files; i++)
		for (j = 0; !err && j < plan->config.file[i].regions; j++)
			err = decide_region(root, plan, request, i, &plan->config.file[i].region[j], &matched, &said);
	if (err)
		return err;
	/* A setting for all kernels also covers the default kernel and new kernels. */
	if (!said && plan->loader->add_to)
		return add_line(root, plan, request);
	if (!matched && !request->release && !request->only_recorded)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s has no entry for kernel %s", plan->loader->name,
				       request->kernel ? request->kernel : "ALL");
	return NULL;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static struct kd_error *add_command(struct boot_plan *plan, const char *const *words)
{
	char ***grown = reallocarray(plan->command, plan->commands + 1, sizeof(*grown)), **copy;
	size_t i;

	if (!grown)
		return kd_error_nomem();
	plan->command = grown;
	copy = calloc(BOOT_COMMAND_WORDS + 1, sizeof(*copy));
	if (!copy)
		return kd_error_nomem();
	grown[plan->commands++] = copy;
	for (i = 0; i < BOOT_COMMAND_WORDS && words[i]; i++) {
		copy[i] = strdup(words[i]);
		if (!copy[i])
			return kd_error_nomem();
	}
	return NULL;
}

static struct kd_error *add_grubby(const struct kd_sysroot *root, struct boot_plan *plan, const char *kernel,
				   const char *setting)
{
	_cleanup_free_ char *which = NULL, *words = NULL, *args = NULL;
	const char *tool = kd_sysroot_exists(root, "/usr/sbin/grubby") ? "/usr/sbin/grubby" : "/usr/bin/grubby";
	bool below_boot = kd_starts_with(kernel, "/boot/") || kernel[0] != '/';
	struct kd_error *err = crashkernel_put("", 0, setting, &words);

	if (!err)
		err = kd_format(&which, "--update-kernel=%s%s", below_boot ? "" : "/boot", kernel);
	if (!err)
		err = kd_format(&args, "--args=%s", words);
	return err ? err : add_command(plan, (const char *const[]){ tool, which, args, NULL });
}

/* Add one command for all entries if all change alike, otherwise one for each. */
static struct kd_error *add_tool_commands(const struct kd_sysroot *root, struct boot_plan *plan,
					  const struct boot_request *request)
{
	const char *setting = NULL;
	bool alike = is_all(request);
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < plan->changes; i++) {
		const struct boot_change *change = &plan->change[i];

		if (!plan->config.file[change->file].by_tool)
			continue;
		if (change->outcome == BOOT_CHANGED)
			setting = change->new_;
		alike &= change->outcome == BOOT_CHANGED;
	}
	if (!setting)
		return NULL;
	if (strchr(setting, ' '))
		return kd_error_create(KD_ERR_UNSUPPORTED, "grubby takes one value of crashkernel=, not \"%s\"",
				       setting);
	if (alike)
		return add_grubby(root, plan, "ALL", setting);
	for (i = 0; !err && i < plan->changes; i++)
		if (plan->change[i].outcome == BOOT_CHANGED && plan->config.file[plan->change[i].file].by_tool)
			err = add_grubby(root, plan, plan->change[i].kernel, plan->change[i].new_);
	return err;
}

const struct boot_change *boot_plan_kept(const struct boot_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->changes; i++)
		if (plan->change[i].outcome == BOOT_KEPT)
			return &plan->change[i];
	return NULL;
}

bool boot_plan_changes(const struct boot_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->changes; i++)
		if (plan->change[i].outcome == BOOT_CHANGED)
			return true;
	return false;
}

const char *boot_plan_result(const struct boot_plan *plan)
{
	const struct boot_change *last = plan->changes ? &plan->change[plan->changes - 1] : NULL;

	return !last ? NULL : last->new_ ? last->new_ : last->old;
}

/* Does a generated file lack the setting that is configured? It does after a run that failed half-way. */
static struct kd_error *is_outdated(const struct kd_sysroot *root, const struct boot_plan *plan, bool *ret)
{
	const char *setting = boot_plan_result(plan), *const *path = plan->loader->generated;
	_cleanup_free_ char *words = NULL;
	struct kd_error *err = NULL;

	*ret = boot_plan_changes(plan);
	if (!*ret && setting)
		err = crashkernel_put("", 0, setting, &words);
	for (; !err && !*ret && words && path && *path; path++) {
		_cleanup_free_ char *text = NULL;

		err = kd_sysroot_read(root, *path, &text, NULL);
		if (err && err->errnum == ENOENT) {
			kd_error_destroy(err);
			err = NULL;
		}
		*ret = text && !strstr(text, words);
	}
	return err;
}

struct kd_error *boot_plan_make(const struct kd_sysroot *root, const struct boot_loader *loader,
				const struct boot_request *request, struct boot_plan *ret)
{
	_cleanup_(boot_plan_free) struct boot_plan plan = { .loader = loader };
	const char *const *command;
	bool outdated = false;
	struct kd_error *err;

	err = check_kernel_option(&plan, request);
	if (!err)
		err = loader->read(root, &plan.config);
	if (err)
		return err;
	plan.text = calloc(plan.config.files + 1, sizeof(*plan.text));
	if (!plan.text)
		return kd_error_nomem();
	err = decide_all(root, &plan, request);
	if (!err)
		err = edit_all(&plan);
	if (!err)
		err = add_tool_commands(root, &plan, request);
	if (!err)
		err = is_outdated(root, &plan, &outdated);
	command = boot_loader_command(loader, root);
	if (!err && command && outdated)
		err = add_command(&plan, command);
	if (err)
		return err;
	*ret = plan;
	plan = (struct boot_plan){ 0 };
	return NULL;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static bool same_line(const char *a, const char *b)
{
	size_t length = strcspn(a, "\n");

	return strcspn(b, "\n") == length && strncmp(a, b, length) == 0;
}

static const char *print_one(FILE *out, char sign, const char *text)
{
	size_t length = strcspn(text, "\n");

	fprintf(out, "%c%.*s\n", sign, (int)length, text);
	return text + length + (text[length] == '\n');
}

static const char *skip_line(const char *text)
{
	text += strcspn(text, "\n");
	return text + (*text == '\n');
}

/* An edit replaces words in a line or inserts a line, so these are the only differences. */
static void print_diff(const char *old, const char *new_, FILE *out)
{
	while (*old || *new_) {
		if (*old && *new_ && same_line(old, new_)) {
			old = skip_line(old);
			new_ = skip_line(new_);
		} else if (*new_ && same_line(old, skip_line(new_))) {
			new_ = print_one(out, '+', new_);
		} else {
			if (*old)
				old = print_one(out, '-', old);
			if (*new_)
				new_ = print_one(out, '+', new_);
		}
	}
}

static void print_command(char *const *words, FILE *out)
{
	fputs("run:", out);
	for (; *words; words++)
		fprintf(out, strchr(*words, ' ') ? " \"%s\"" : " %s", *words);
	fputc('\n', out);
}

void boot_plan_print(const struct boot_plan *plan, FILE *out)
{
	size_t i;

	for (i = 0; i < plan->config.files; i++) {
		const struct boot_file *file = &plan->config.file[i];

		if (!plan->text[i])
			continue;
		fprintf(out, "--- %s\n+++ %s\n", file->absent ? "/dev/null" : file->path, file->path);
		print_diff(file->text, plan->text[i], out);
	}
	for (i = 0; i < plan->commands; i++)
		print_command(plan->command[i], out);
}

/* --- doing -------------------------------------------------------------------------------------------------------- */

/* Give the new file the owner, mode and label of the old one. Some file systems, such as that of the EFI partition,
 * have no owners and labels: failing to set them there changes nothing. */
static int copy_attributes(const char *path, int fd)
{
	char label[256];
	struct stat st;
	ssize_t size;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? fchmod(fd, 0644) : -1;
	if (fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		return -1;
	size = getxattr(path, SELINUX_LABEL, label, sizeof(label));
	if (size > 0 && fsetxattr(fd, SELINUX_LABEL, label, size, 0) < 0 && errno != ENOTSUP && errno != EPERM)
		return -1;
	return fchmod(fd, st.st_mode & 07777);
}

static struct kd_error *replace_file(const char *path, const char *text)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	err = kd_format(&temporary, "%s.XXXXXX", path);
	if (err)
		return err;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return kd_error_os(errno, "cannot write %s", path);
	if (kd_write_all(fd, text, strlen(text)) < 0 || copy_attributes(path, fd) < 0 || fsync(fd) < 0 ||
	    rename(temporary, path) < 0) {
		err = kd_error_os(errno, "cannot write %s", path);
		unlink(temporary);
		return err;
	}
	return kd_sync_parent(path);
}

static struct kd_error *make_parent(const char *path)
{
	_cleanup_free_ char *directory = strndup(path, strrchr(path, '/') - path);

	return directory ? kd_mkdir_p(directory, 0755) : kd_error_nomem();
}

static struct kd_error *write_files(const struct kd_sysroot *root, const struct boot_plan *plan,
				    const struct kd_log *log)
{
	size_t i;

	for (i = 0; i < plan->config.files; i++) {
		_cleanup_free_ char *path = NULL;
		struct kd_error *err = NULL;

		if (!plan->text[i])
			continue;
		path = kd_sysroot_path(root, plan->config.file[i].path);
		if (!path)
			return kd_error_nomem();
		if (plan->config.file[i].absent)
			err = make_parent(path);
		if (!err)
			err = replace_file(path, plan->text[i]);
		if (err)
			return err;
		kd_info(log, "Wrote %s", plan->config.file[i].path);
	}
	return NULL;
}

struct kd_error *boot_run(const char *const *words)
{
	bool ok;
	struct kd_error *err = kd_run_shown(words, true, &ok);

	return err || ok ? err :
			   kd_error_create(KD_ERR_STATE,
					   "%s failed: the change has no effect until this command succeeds", words[0]);
}

struct kd_error *boot_plan_apply(const struct kd_sysroot *root, const struct boot_plan *plan, const struct kd_log *log)
{
	struct kd_error *err = write_files(root, plan, log);
	size_t i;

	for (i = 0; !err && i < plan->commands; i++) {
		if (kd_sysroot_is_live(root))
			err = boot_run((const char *const *)plan->command[i]);
		else
			print_command(plan->command[i], stdout);
	}
	return err;
}

void boot_plan_free(struct boot_plan *plan)
{
	size_t i, j;

	for (i = 0; plan->text && i < plan->config.files; i++)
		free(plan->text[i]);
	free(plan->text);
	for (i = 0; i < plan->changes; i++) {
		free(plan->change[i].kernel);
		free(plan->change[i].old);
		free(plan->change[i].new_);
	}
	free(plan->change);
	for (i = 0; i < plan->commands; i++) {
		for (j = 0; plan->command[i][j]; j++)
			free(plan->command[i][j]);
		free(plan->command[i]);
	}
	free(plan->command);
	boot_config_free(&plan->config);
	*plan = (struct boot_plan){ 0 };
}
