/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/debug.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/parse.h"
#include "kdump/dumps/dumps.h"
#include "kdump/mounts.h"

enum { OPTION_DEBUGGER, OPTION_VMLINUX, OPTION_PRINT, OPTION_PATH };

const struct verb_option debug_options[] = {
	[OPTION_DEBUGGER] = { "debugger", 0, "NAME", "crash or drgn; without it: the first of them that is installed" },
	[OPTION_VMLINUX] = { "vmlinux", 0, "FILE", "the kernel with debugging symbols, instead of looking for it" },
	[OPTION_PRINT] = { "print", 0, NULL, "only print the command" },
	[OPTION_PATH] = { "path", 'p', "DIR", "dumps below DIR instead of where kdump.conf puts them" },
	{ .name = NULL },
};

/* --- build-ids -------------------------------------------------------------------------------------------------------- */

/* elf_end() returns a count that nobody needs. */
static void close_elf(Elf *elf)
{
	elf_end(elf);
}
DEFINE_CLEANUP(Elf *, close_elf)

static bool note_build_id(Elf_Data *data, char *hex, size_t size)
{
	size_t offset = 0, name, description, i;
	GElf_Nhdr note;

	while (data && (offset = gelf_getnote(data, offset, &note, &name, &description)) > 0) {
		const uint8_t *bytes = (const uint8_t *)data->d_buf + description;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp((char *)data->d_buf + name, "GNU", 4) != 0)
			continue;
		if (!note.n_descsz || note.n_descsz * 2 >= size)
			return false;
		for (i = 0; i < note.n_descsz; i++)
			snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
		return true;
	}
	return false;
}

/* The GNU build-id of an ELF file, as hex. False: not ELF, or it has none. */
static bool read_build_id(const struct kd_sysroot *root, const char *path, char *hex, size_t size)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY);
	_cleanup_(close_elf) Elf *elf = NULL;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	elf_version(EV_CURRENT);
	if (fd < 0 || !(elf = elf_begin(fd, ELF_C_READ_MMAP, NULL)))
		return false;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE &&
		    note_build_id(elf_getdata(section, NULL), hex, size))
			return true;
	return false;
}

/* --- places ----------------------------------------------------------------------------------------------------------- */

/* {r}: the release, {i}: the first two digits of the build-id, {d}: the rest. */
static const char *const places[] = {
	"/usr/lib/debug/.build-id/{i}/{d}.debug",
	"/usr/lib/debug/boot/vmlinux-{r}",
	"/usr/lib/debug/lib/modules/{r}/vmlinux",
	"/usr/lib/debug/lib/modules/{r}/vmlinux.debug",
	"/usr/lib/debug/boot/vmlinux-{r}.debug",
	"/lib/modules/{r}/vmlinux",
	"/lib/modules/{r}/build/vmlinux",
	"/boot/vmlinux-{r}",
};

/* Which package has the symbols, by ID or ID_LIKE of os-release(5). */
static const struct {
	const char *id, *install;
} packages[] = {
	{ "ubuntu", "apt install linux-image-{r}-dbgsym" },
	{ "debian", "apt install linux-image-{r}-dbg" },
	{ "fedora", "dnf debuginfo-install kernel-{r}" },
	{ "rhel", "dnf debuginfo-install kernel-{r}" },
	{ "centos", "dnf debuginfo-install kernel-{r}" },
	{ "suse", "zypper install kernel-default-debuginfo" },
	{ "arch", "pacman -S linux-debug" },
};

/* @pattern with its {…} replaced; NULL: no memory, or there is no value for one of them (errno EINVAL). */
static char *expand(const char *pattern, const char *release, const char *build_id)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool known = true;

	if (!out)
		return NULL;
	for (; *pattern; pattern++) {
		if (*pattern != '{') {
			fputc(*pattern, out);
			continue;
		}
		if (pattern[1] == 'r')
			fputs(release, out);
		else if (!build_id || strlen(build_id) < 4)
			known = false;
		else
			fprintf(out, pattern[1] == 'i' ? "%.2s" : "%s", pattern[1] == 'i' ? build_id : build_id + 2);
		pattern += 2;
	}
	if (fclose(out) || !known)
		return NULL;
	return_ptr(text);
}

/* Is @word one of the values of @key in os-release, with or without quotes? */
static bool has_word(const char *text, const char *key, const char *word)
{
	size_t length = strlen(word), key_length = strlen(key);
	const char *line = text, *p;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, key, key_length) != 0)
			continue;
		for (p = line + key_length; *p && *p != '\n'; p++)
			if (strncmp(p, word, length) == 0 && !strchr("abcdefghijklmnopqrstuvwxyz", p[length]))
				return true;
	}
	return false;
}

/* How to get the symbols here; owned by the caller. */
static char *advice(const struct kd_sysroot *root, const char *release)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_sysroot_read(root, "/etc/os-release", &text, NULL);
	size_t i;

	kd_error_destroy(err);
	for (i = 0; !err && i < ARRAY_SIZE(packages); i++)
		if (has_word(text, "ID=", packages[i].id) || has_word(text, "ID_LIKE=", packages[i].id))
			return expand(packages[i].install, release, NULL);
	return strdup("install the kernel's debug package, or name the file with --vmlinux");
}

/* --- debuginfod -------------------------------------------------------------------------------------------------------- */

/* Through the library if it is installed and servers are configured: downloads are the user's decision, and the library
 * no dependency. NULL: not to be had. */
static char *fetch(const struct kdumpctl *ctl, const char *build_id)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	void *library, *(*begin)(void), *client = NULL;
	int (*find)(void *, const unsigned char *, int, char **), fd = -1;
	void (*end)(void *);
	char *path = NULL;

	if (!urls || !*urls || !build_id || !(library = dlopen("libdebuginfod.so.1", RTLD_NOW)))
		return NULL;
	*(void **)&begin = dlsym(library, "debuginfod_begin");
	*(void **)&find = dlsym(library, "debuginfod_find_debuginfo");
	*(void **)&end = dlsym(library, "debuginfod_end");
	if (begin && find && end && (client = begin())) {
		kd_info(&ctl->log, "Asking %s for the symbols of build %s", urls, build_id);
		fd = find(client, (const unsigned char *)build_id, 0, &path); /* length 0: the id is hex text */
		end(client);
	}
	if (fd >= 0)
		close(fd);
	dlclose(library);
	return fd >= 0 ? path : NULL;
}

/* --- finding ------------------------------------------------------------------------------------------------------------ */

struct kd_error *debug_find_vmlinux(const struct kd_sysroot *root, const char *release, const char *build_id, char **ret)
{
	_cleanup_free_ char *other = NULL, *remedy = NULL;
	char found[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = expand(places[i], release, build_id);

		if (!path || !read_build_id(root, path, found, sizeof(found)))
			continue;
		if (!build_id || strcmp(found, build_id) == 0) {
			*ret = take_ptr(path);
			return NULL;
		}
		free(other);
		other = take_ptr(path);
	}
	remedy = advice(root, release);
	if (!remedy)
		return kd_error_nomem();
	return kd_error_create(KD_ERR_NOT_FOUND, "no kernel %s with debugging symbols%s%s is installed%s%s%s: %s", release,
			       build_id ? " of build " : "", build_id ? build_id : "", other ? " (" : "", other ? other : "",
			       other ? " is of another build)" : "", remedy);
}

static struct kd_error *find_vmlinux(const struct kdumpctl *ctl, const struct dump *dump, char **ret)
{
	struct kd_error *err;
	char *fetched;

	if (ctl->option[OPTION_VMLINUX]) {
		*ret = strdup(ctl->option[OPTION_VMLINUX]);
		return *ret ? NULL : kd_error_nomem();
	}
	if (!dump->release)
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "%s does not tell which kernel crashed: name its file with symbols by --vmlinux", dump->path);
	err = debug_find_vmlinux(&ctl->root, dump->release, dump->build_id, ret);
	if (!err || err->code != KD_ERR_NOT_FOUND || !(fetched = fetch(ctl, dump->build_id)))
		return err;
	kd_error_destroy(err);
	*ret = fetched;
	return NULL;
}

/* --- debuggers ----------------------------------------------------------------------------------------------------------- */

/* Their command lines; {} are the kernel and the dump. */
static const struct debugger {
	const char *name, *before_vmlinux, *before_vmcore;
	const char *install;
} debuggers[] = {
	{ "crash", NULL, NULL, "crash" },
	{ "drgn", "-s", "-c", "python3-drgn" },
};

static bool is_installed(const char *name)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *copy = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	char *cursor = copy, *directory;

	while (cursor && (directory = strsep(&cursor, ":"))) {
		_cleanup_free_ char *file = path_join(directory, name);

		if (file && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static struct kd_error *choose_debugger(const char *name, const struct debugger **ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(debuggers); i++) {
		if (name ? strcmp(name, debuggers[i].name) != 0 : !is_installed(debuggers[i].name))
			continue;
		*ret = &debuggers[i];
		if (is_installed(debuggers[i].name))
			return NULL;
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is not installed: the package is called %s", name,
				       debuggers[i].install);
	}
	if (name)
		return kd_error_create(KD_ERR_USAGE, "--debugger=%s: use crash or drgn", name);
	return kd_error_create(KD_ERR_NOT_FOUND, "neither crash nor drgn is installed: install one of these packages");
}

struct kd_error *debug_dump(struct kdumpctl *ctl, int *status)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *vmlinux = NULL, *vmcore = NULL;
	_cleanup_free_ const char **argv = calloc(ctl->argument_count + 6, sizeof(*argv));
	/* "kdumpctl debug -- -s": only what follows is the debugger's. getopt has taken the dashes away, and a dump's name
	 * never begins with one but to count from the end. */
	const char *words = ctl->argument_count ? ctl->argument[0] : NULL;
	const struct debugger *debugger = NULL;
	struct dump *dump;
	struct kd_error *err;
	size_t count = 0, i;

	if (!argv)
		return kd_error_nomem();
	err = dumps_load(ctl, ctl->option[OPTION_PATH], &dumps);
	if (!err)
		err = dumps_find(&dumps, words, &dump);
	if (!err && (!dump->vmcore || dump->state == DUMP_DAMAGED))
		err = kd_error_create(KD_ERR_STATE, "%s holds no dump that could be opened: \"kdumpctl log %s\" shows the log",
				      dump->path, dump->name);
	if (!err)
		err = choose_debugger(ctl->option[OPTION_DEBUGGER], &debugger);
	if (!err)
		err = find_vmlinux(ctl, dump, &vmlinux);
	if (err)
		return err;
	vmcore = path_join(dump->path, dump->vmcore);
	if (!vmcore)
		return kd_error_nomem();
	if (dump->state == DUMP_INCOMPLETE)
		kd_warn(&ctl->log, "the dump is incomplete: some memory will be missing");
	argv[count++] = debugger->name;
	if (debugger->before_vmlinux)
		argv[count++] = debugger->before_vmlinux;
	argv[count++] = vmlinux;
	if (debugger->before_vmcore)
		argv[count++] = debugger->before_vmcore;
	argv[count++] = vmcore;
	for (i = 1; i < ctl->argument_count; i++)
		argv[count++] = ctl->argument[i];
	if (ctl->option[OPTION_PRINT]) {
		for (i = 0; i < count; i++)
			printf("%s%s", i ? " " : "", argv[i]);
		putchar('\n');
		return NULL;
	}
	execvp(argv[0], (char **)argv);
	return kd_error_os(errno, "cannot run %s", argv[0]);
}
