/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"
#include "base/visible.h"
#include "kdump/dumps/named.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/crash_version.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_DEBUGGER = DUMP_OPTION_PATH + 1, OPTION_VMLINUX, OPTION_PRINT };

const struct verb_option debug_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_DEBUGGER] = { "debugger", 0, "NAME", "crash or drgn; default: the first one that is installed" },
	[OPTION_VMLINUX] = { "vmlinux", 0, "FILE", "the kernel with debugging symbols; default: search for it" },
	[OPTION_PRINT] = { "print", 0, NULL, "print the command, do not run it" },
	{ .name = NULL },
};

/* --- build-ids ---------------------------------------------------------------------------------------------------- */

/* elf_end() returns a count, which a cleanup function must not. */
static void close_elf(Elf *elf)
{
	elf_end(elf);
}
DEFINE_CLEANUP(Elf *, close_elf)

static bool note_build_id(Elf_Data *data, char *hex, size_t size)
{
	size_t offset = 0, name, description;
	GElf_Nhdr note;

	while (data && (offset = gelf_getnote(data, offset, &note, &name, &description)) > 0) {
		const uint8_t *bytes = (const uint8_t *)data->d_buf + description;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp((char *)data->d_buf + name, "GNU", 4) != 0)
			continue;
		if (!note.n_descsz || note.n_descsz * 2 >= size)
			return false;
		kd_hex(bytes, note.n_descsz, hex);
		return true;
	}
	return false;
}

#define BUILD_ID_MAX 129 /* hex digits and the NUL; linkers use 20 bytes, SHA-512 has 64 */

/* Read the GNU build-id of an ELF file below @root (NULL: of a plain path), as hex. False: the file is not ELF or has
 * no build-id. */
static bool read_build_id(const struct kd_sysroot *root, const char *path, char *hex, size_t size)
{
	_cleanup_close_ int fd = root ? kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK) :
					open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
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

/* --- places ------------------------------------------------------------------------------------------------------- */

/* Paths of kernels with symbols. {r} is the release, {f} its last part ("default" of "6.4.0-150600-default"), {i} the
 * first two digits of the build-id, {d} the rest. */
/* clang-format off */
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
/* clang-format on */

/* The command that installs the symbols, by ID or ID_LIKE of os-release(5). */
static const struct {
	const char *id, *install;
} packages[] = {
	{ "ubuntu", "apt install linux-image-{r}-dbgsym" },
	{ "debian", "apt install linux-image-{r}-dbg" },
	{ "fedora", "dnf debuginfo-install kernel-{r}" },
	{ "rhel", "dnf debuginfo-install kernel-{r}" },
	{ "centos", "dnf debuginfo-install kernel-{r}" },
	{ "suse", "zypper install kernel-{f}-debuginfo" },
	{ "arch", "pacman -S linux-debug" },
};

/* The value of the letter in a pattern's braces, NULL if unknown; *length := its length. */
static const char *value_of(char letter, const char *release, const char *build_id, size_t *length)
{
	const char *flavour = strrchr(release, '-'), *value = NULL;

	switch (letter) {
	case 'r':
		value = release;
		break;
	case 'f':
		value = flavour ? flavour + 1 : release;
		break;
	case 'i':
		value = build_id;
		break;
	case 'd':
		value = build_id ? build_id + 2 : NULL;
		break;
	}
	*length = !value ? 0 : letter == 'i' ? 2 : strlen(value);
	return value;
}

/* Replace each {…} in @pattern. NULL: no memory, or a value is unknown. */
static char *expand(const char *pattern, const char *release, const char *build_id)
{
	_cleanup_free_ char *text = NULL;
	const char *value;
	size_t size, length;
	FILE *out = open_memstream(&text, &size);
	bool known = true;

	if (!out)
		return NULL;
	for (; *pattern; pattern++) {
		if (*pattern != '{') {
			fputc(*pattern, out);
			continue;
		}
		value = value_of(pattern[1], release, build_id, &length);
		known = known && value;
		fwrite(value ? value : "", 1, length, out);
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
			if (strncmp(p, word, length) == 0 && !isalnum((unsigned char)p[-1]) &&
			    !isalnum((unsigned char)p[length]))
				return true;
	}
	return false;
}

/* How to install the symbols on this distribution; owned by the caller. */
static char *advice(const struct kd_sysroot *root, const char *release)
{
	_cleanup_free_ char *text = NULL;
	bool known = !kd_error_discard(kd_sysroot_read(root, "/etc/os-release", &text, NULL));
	size_t i;

	for (i = 0; known && i < ARRAY_SIZE(packages); i++)
		if (has_word(text, "ID=", packages[i].id) || has_word(text, "ID_LIKE=", packages[i].id))
			return expand(packages[i].install, release, NULL);
	return strdup("install the kernel's debug package, or name the file with --vmlinux");
}

/* --- debuginfod --------------------------------------------------------------------------------------------------- */

/* Download the symbols with libdebuginfod, if it is installed and servers are configured: the user decides about
 * downloads, and the library is not a dependency. NULL: not found. */
static char *fetch(const struct kdumpctl *ctl, const char *build_id)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	void *library, *(*begin)(void), *client = NULL;
	int (*find)(void *, const unsigned char *, int, char **), fd = -1;
	void (*end)(void *);
	char *path = NULL;

	if (!urls || !*urls || !(library = dlopen("libdebuginfod.so.1", RTLD_NOW)))
		return NULL;
	*(void **)&begin = dlsym(library, "debuginfod_begin");
	*(void **)&find = dlsym(library, "debuginfod_find_debuginfo");
	*(void **)&end = dlsym(library, "debuginfod_end");
	if (begin && find && end && (client = begin())) {
		kd_info(&ctl->log, "Asking %s for the symbols of build %s", urls, build_id);
		fd = find(client, (const unsigned char *)build_id, 0,
			  &path); /* a length of 0 says that the id is hex text */
		end(client);
	}
	if (fd >= 0)
		close(fd);
	dlclose(library);
	return fd >= 0 ? path : NULL;
}

/* The file that the library or another tool downloaded before; the library need not be installed. NULL: there is none.
 */
static char *cached(const char *build_id)
{
	const char *home = getenv("HOME"), *own = getenv("DEBUGINFOD_CACHE_PATH"), *xdg = getenv("XDG_CACHE_HOME");
	_cleanup_free_ char *path = NULL;
	char found[BUILD_ID_MAX];
	struct kd_error *err;

	if (own)
		err = kd_format(&path, "%s/%s/debuginfo", own, build_id);
	else if (xdg)
		err = kd_format(&path, "%s/debuginfod_client/%s/debuginfo", xdg, build_id);
	else
		err = kd_format(&path, "%s/.cache/debuginfod_client/%s/debuginfo", home ? home : "", build_id);
	if (kd_error_discard(err))
		return NULL;
	if (!read_build_id(NULL, path, found, sizeof(found)) || strcmp(found, build_id) != 0)
		return NULL;
	return_ptr(path);
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

/* These strings come from a report and become parts of paths, so only well-formed ones are used. */
static bool is_release(const char *text)
{
	return text && *text && *text != '.' && !strchr(text, '/');
}

static bool is_build_id(const char *text)
{
	return text && strlen(text) >= 8 && strspn(text, "0123456789abcdef") == strlen(text);
}

/* Find the vmlinux of kernel @release with the GNU build-id @build_id (hex; NULL: unknown, then the release decides)
 * in the places where distributions install it. KD_ERR_NOT_FOUND: the text names the package to install, and a file
 * with another build-id. */
static struct kd_error *find_installed(const struct kd_sysroot *root, const char *release, const char *build_id,
				       char **ret)
{
	_cleanup_free_ char *other = NULL, *remedy = NULL;
	char found[BUILD_ID_MAX];
	size_t i;

	if (!is_release(release))
		return kd_error_create(KD_ERR_NOT_FOUND, "\"%s\" is not the release of a kernel", release);
	if (!is_build_id(build_id))
		build_id = NULL;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = expand(places[i], release, build_id);

		if (!path || !read_build_id(root, path, found, sizeof(found)))
			continue;
		if (!build_id || strcmp(found, build_id) == 0) {
			*ret = kd_sysroot_path(root, path);
			return *ret ? NULL : kd_error_nomem();
		}
		free(other);
		other = take_ptr(path);
	}
	remedy = advice(root, release);
	if (!remedy)
		return kd_error_nomem();
	return kd_error_create(KD_ERR_NOT_FOUND, "no kernel %s with debugging symbols%s%s is installed%s%s%s: %s",
			       release, build_id ? " of build " : "", build_id ? build_id : "", other ? " (" : "",
			       other ? other : "", other ? " has another build-id)" : "", remedy);
}

/* Warn of a file that is not, or may not be, the kernel that crashed. */
static void compare_build_ids(const struct kdumpctl *ctl, const struct dump *dump, const char *path)
{
	char found[BUILD_ID_MAX];

	if (!read_build_id(NULL, path, found, sizeof(found)))
		kd_warn(&ctl->log, "%s has no build-id: nothing shows that it is the kernel that crashed%s%s", path,
			dump->build_id ? ", which has " : "", dump->build_id ? dump->build_id : "");
	else if (dump->build_id && strcmp(found, dump->build_id) != 0)
		kd_warn(&ctl->log, "%s has the build-id %s, but the kernel that crashed has %s", path, found,
			dump->build_id);
}

/* Use the file that the user names in any case: the user may know better. */
static struct kd_error *named_vmlinux(const struct kdumpctl *ctl, const struct dump *dump, char **ret)
{
	const char *path = ctl->option[OPTION_VMLINUX];

	struct stat st;

	if (stat(path, &st) < 0 || access(path, R_OK) < 0)
		return kd_error_os(errno, "--vmlinux=%s", path);
	if (!S_ISREG(st.st_mode))
		return kd_error_create(KD_ERR_FORMAT, "--vmlinux=%s is not a regular file", path);
	compare_build_ids(ctl, dump, path);
	*ret = strdup(path);
	return *ret ? NULL : kd_error_nomem();
}

static struct kd_error *find_vmlinux(const struct kdumpctl *ctl, const struct dump *dump, char **ret)
{
	struct kd_error *err;
	char *fetched;

	if (ctl->option[OPTION_VMLINUX])
		return named_vmlinux(ctl, dump, ret);
	if (!dump->release)
		return kd_error_create(
			KD_ERR_NOT_FOUND,
			"%s does not say which kernel crashed: name the kernel with symbols by --vmlinux", dump->path);
	err = find_installed(&ctl->root, dump->release, dump->build_id, ret);
	if (!err || err->code != KD_ERR_NOT_FOUND || !is_build_id(dump->build_id))
		return err;
	fetched = cached(dump->build_id);
	if (!fetched)
		fetched = fetch(ctl, dump->build_id);
	if (!fetched)
		return err;
	kd_error_destroy(err);
	*ret = fetched;
	return NULL;
}

/* --- debuggers ---------------------------------------------------------------------------------------------------- */

/* The debuggers and their command lines, in order of preference. */
static const struct debugger {
	const char *name, *before_vmlinux, *before_vmcore;
	const char *package;
	bool reads_flattened; /* the stream of makedumpfile -F */
} debuggers[] = {
	{ "crash", NULL, NULL, "crash", true },
	{ "drgn", "-s", "-c", "python3-drgn or drgn", false },
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

/* *ret := true if the next debugger should be used instead of @debugger. Only crash is ever known to be too old. */
static struct kd_error *pass_over(const struct kdumpctl *ctl, const struct debugger *debugger, const struct dump *dump,
				  bool *ret)
{
	_cleanup_free_ char *why = NULL;
	struct kd_error *err;

	*ret = false;
	if (strcmp(debugger->name, "crash") != 0)
		return NULL;
	err = crash_too_old(dump->release, &why);
	if (err || !why)
		return err;
	*ret = !ctl->option[OPTION_DEBUGGER] && dump->form != DUMP_FLATTENED && is_installed("drgn");
	if (*ret)
		kd_info(&ctl->log, "%s: using drgn instead", why);
	else
		kd_warn(&ctl->log, "%s: drgn may open this dump", why);
	return NULL;
}

static struct kd_error *choose_debugger(const struct kdumpctl *ctl, const struct dump *dump,
					const struct debugger **ret)
{
	const char *name = ctl->option[OPTION_DEBUGGER];
	bool flattened = dump->form == DUMP_FLATTENED, too_old;
	struct kd_error *err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(debuggers); i++) {
		const struct debugger *debugger = &debuggers[i];

		if (name && strcmp(name, debugger->name) != 0)
			continue;
		if (flattened && !debugger->reads_flattened) {
			if (name)
				return kd_error_create(
					KD_ERR_UNSUPPORTED,
					"%s does not read flattened dumps: use crash, or makedumpfile -R", name);
			continue;
		}
		if (is_installed(debugger->name)) {
			err = pass_over(ctl, debugger, dump, &too_old);
			if (err)
				return err;
			if (too_old)
				continue;
			*ret = debugger;
			return NULL;
		}
		if (name)
			return kd_error_create(KD_ERR_NOT_FOUND, "%s is not installed: install the package %s", name,
					       debugger->package);
	}
	if (name)
		return kd_error_create(KD_ERR_USAGE, "--debugger=%s: use crash or drgn", name);
	return kd_error_create(KD_ERR_NOT_FOUND,
			       flattened ?
				       "crash is not installed: install it, since only crash reads flattened dumps" :
				       "neither crash nor drgn is installed: install one of them");
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

/* Can the word be shown as it is? */
static bool is_visible(const char *word)
{
	char form[KD_VISIBLE_MAX];
	unsigned int length, columns;

	for (; (length = kd_visible_character(word, form, &columns)); word += length)
		if (columns != 1)
			return false;
	return true;
}

/* Print a word for a shell, in quotes if it needs them. */
static void print_word(const char *word)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=/.,:@%";

	if (*word && strspn(word, harmless) == strlen(word)) {
		fputs(word, stdout);
		return;
	}
	if (!is_visible(word)) { /* bash and others read \xNN between such quotes */
		fputs("$'", stdout);
		for (; *word; word++)
			printf(isalnum((unsigned char)*word) || *word == '/' ? "%c" : "\\x%02x", (unsigned char)*word);
		putchar('\'');
		return;
	}
	putchar('\'');
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, stdout);
	putchar('\'');
}

static void print_command(const char *const *argv)
{
	size_t i;

	for (i = 0; argv[i]; i++) {
		fputs(i ? " " : "", stdout);
		print_word(argv[i]);
	}
	putchar('\n');
}

/* The index of the debugger's first operand. Operands after the dump or after "--" belong to the debugger, so "debug
 * -- -s" opens the newest dump. */
static size_t own_arguments(const struct kdumpctl *ctl)
{
	return ctl->leading ? 1 : 0;
}

static struct kd_error *find_dump(const struct kdumpctl *ctl, struct dumps *dumps, struct dump **ret)
{
	struct vmcore_origin origin = { 0 };
	struct dump *dump;
	struct kd_error *err = choose_dump(ctl, own_arguments(ctl) ? ctl->argument[0] : NULL, dumps, &dump);

	if (!err && (dump->given || !dump->release))
		err = dump_look_inside(dump, &origin);
	if (err)
		return err;
	if (!dump->vmcore || dump->state == DUMP_DAMAGED)
		return kd_error_create(KD_ERR_STATE,
				       "%s has no dump that can be opened: \"kdumpctl log %s\" prints the log",
				       dump->path, dump_operand(dump));
	err = dump_refuse_encrypted(dump, dump->vmcore);
	if (err)
		return err;
	if (dump->state == DUMP_INCOMPLETE)
		kd_warn(&ctl->log, "%s is incomplete: some memory will be missing", dump->name);
	*ret = dump;
	return NULL;
}

struct kd_error *debug_dump(struct kdumpctl *ctl, int *status)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	_cleanup_free_ char *vmlinux = NULL, *vmcore = NULL;
	_cleanup_free_ const char **argv = calloc(ctl->argument_count + 6, sizeof(*argv));
	const struct debugger *debugger = NULL;
	struct dump *dump = NULL;
	struct kd_error *err;
	size_t count = 0, i;

	if (!argv)
		return kd_error_nomem();
	err = find_dump(ctl, &dumps, &dump);
	if (!err)
		err = choose_debugger(ctl, dump, &debugger);
	if (!err)
		err = find_vmlinux(ctl, dump, &vmlinux);
	if (err)
		return err;
	vmcore = path_join(dump->path, dump->vmcore);
	if (!vmcore)
		return kd_error_nomem();
	argv[count++] = debugger->name;
	if (debugger->before_vmlinux)
		argv[count++] = debugger->before_vmlinux;
	argv[count++] = vmlinux;
	if (debugger->before_vmcore)
		argv[count++] = debugger->before_vmcore;
	argv[count++] = vmcore;
	for (i = own_arguments(ctl); i < ctl->argument_count; i++)
		argv[count++] = ctl->argument[i];
	if (ctl->option[OPTION_PRINT]) {
		print_command(argv);
		return NULL;
	}
	execvp(argv[0], (char **)argv);
	return kd_error_os(errno, "cannot run %s", argv[0]);
}
