/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/hook_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* The kernel looks at this much of a "#!" line (Linux include/uapi/linux/binfmts.h, BINPRM_BUF_SIZE). */
#define HEAD_SIZE 256

/* An interpreter that is a script is followed so often (fs/exec.c, exec_binprm). */
#define SCRIPTS_MAX 5

struct head {
	const char *path;
	char data[HEAD_SIZE + 1]; /* NUL behind it */
	size_t size;
};

static struct kd_error *read_head(const struct kd_sysroot *root, const char *path, struct head *ret)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = kd_sysroot_open_text(root, path, &fd);
	ssize_t size;

	if (err)
		return err;
	size = kd_read_all(fd, ret->data, HEAD_SIZE);
	if (size < 0)
		return kd_error_os(errno, "cannot read %s%s", root->prefix, path);
	ret->path = path;
	ret->size = (size_t)size;
	ret->data[size] = '\0';
	return NULL;
}

static bool begins(const struct head *head, const char *text)
{
	return head->size >= strlen(text) && memcmp(head->data, text, strlen(text)) == 0;
}

/* The ELF machine of this program, which was built for the machine that it runs on. */
static uint16_t own_machine(void)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr ehdr = { .e_machine = EM_NONE };

	if (fd < 0 || kd_pread_all(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return EM_NONE;
	return ehdr.e_machine;
}

/* Does the file have all the bytes that its program headers announce? What is not ELF of 64 bits is not judged. */
static bool is_whole(const struct kd_sysroot *root, const struct head *head)
{
	_cleanup_close_ int fd = -1;
	Elf64_Ehdr ehdr;
	struct stat st;

	if (head->data[EI_CLASS] != ELFCLASS64)
		return true;
	if (kd_error_discard(kd_sysroot_open_text(root, head->path, &fd)) || fstat(fd, &st) < 0)
		return true;
	if (kd_pread_all(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return false;
	for (unsigned int i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr phdr;
		off_t place = (off_t)(ehdr.e_phoff + i * sizeof(phdr));

		if (kd_pread_all(fd, &phdr, sizeof(phdr), place) != sizeof(phdr))
			return false;
		if (phdr.p_type == PT_LOAD &&
		    (phdr.p_offset > (uint64_t)st.st_size || phdr.p_filesz > (uint64_t)st.st_size - phdr.p_offset))
			return false;
	}
	return ehdr.e_phnum > 0;
}

static struct kd_error *check_elf(const struct kd_sysroot *root, const struct head *head)
{
	uint16_t machine, own = own_machine();

	if (head->size < offsetof(Elf64_Ehdr, e_version))
		return kd_error_create(KD_ERR_CONFIG, "%s is cut off: install it again", head->path);
	memcpy(&machine, head->data + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	/* A captured tree may be another machine's. */
	if (!kd_sysroot_is_live(root) || own == EM_NONE)
		return NULL;
	if (machine == own)
		return is_whole(root, head) ?
			       NULL :
			       kd_error_create(KD_ERR_CONFIG, "%s is cut off: install it again", head->path);
	return kd_error_create(KD_ERR_CONFIG,
			       "%s is a program for another architecture (ELF machine %u, this one is %u): install one "
			       "for this machine",
			       head->path, machine, own);
}

/* The kernel hands all @words behind the interpreter on as one, which only option -S of env(1) takes apart. */
static bool is_env_with_words(const char *interpreter, const char *words)
{
	return strcmp(strrchr(interpreter, '/'), "/env") == 0 && *words != '-' && strpbrk(words, " \t");
}

/* An interpreter may be a script with an interpreter of its own; @depth is the number of scripts before. */
static struct kd_error *check_interpreter(const struct kd_sysroot *root, const struct head *head, unsigned int depth)
{
	_cleanup_(kd_error_destroy) struct kd_error *unreadable = NULL;
	_cleanup_free_ char *line = strndup(head->data + 2, strcspn(head->data + 2, "\n"));
	const char *interpreter;
	char *rest = line;
	struct head next;

	if (!line)
		return kd_error_nomem();
	if (strchr(line, '\r'))
		return kd_error_create(KD_ERR_CONFIG,
				       "%s: the file has Windows line ends, and there is no interpreter of that name: "
				       "\"sed -i 's/\\r$//' %s\" removes them",
				       head->path, head->path);
	interpreter = kd_next_word(&rest, &(bool){ false });
	if (!interpreter || *interpreter != '/')
		return kd_error_create(KD_ERR_CONFIG,
				       "%s: its first line does not name an interpreter by an absolute path: write "
				       "\"#!/bin/sh\"",
				       head->path);
	if (!kd_sysroot_exists(root, interpreter))
		return kd_error_create(KD_ERR_CONFIG,
				       "%s: its interpreter %s does not exist: install it, or name another one in the "
				       "file's first line",
				       head->path, interpreter);
	if (depth == SCRIPTS_MAX)
		return kd_error_create(KD_ERR_CONFIG,
				       "%s: the interpreters of scripts lead from one to the next without end: write "
				       "\"#!/bin/sh\"",
				       head->path);
	rest = kd_strip(rest);
	if (is_env_with_words(interpreter, rest))
		return kd_error_create(KD_ERR_CONFIG,
				       "%s: env would look for one program named \"%s\": write \"#!%s -S %s\"",
				       head->path, rest, interpreter, rest);
	unreadable = read_head(root, interpreter, &next);
	return unreadable || !begins(&next, "#!") ? NULL : check_interpreter(root, &next, depth + 1);
}

struct kd_error *hook_file_check(const struct kd_sysroot *root, const char *path, enum hook_kind *ret)
{
	struct head head;
	struct kd_error *err = read_head(root, path, &head);

	if (err)
		return err;
	if (!head.size)
		return kd_error_create(KD_ERR_CONFIG, "%s is empty: write it, or remove it", path);
	if (begins(&head, ELFMAG)) {
		*ret = HOOK_PROGRAM;
		return check_elf(root, &head);
	}
	if (begins(&head, "#!")) {
		*ret = HOOK_SCRIPT;
		return check_interpreter(root, &head, 0);
	}
	if (begins(&head, BYTE_ORDER_MARK))
		return kd_error_create(
			KD_ERR_CONFIG,
			"%s: a byte order mark stands before its first line, which hides the interpreter "
			"from the kernel: \"sed -i '1s/^\\xef\\xbb\\xbf//' %s\" removes it",
			path, path);
	if (memchr(head.data, '\0', head.size))
		return kd_error_create(KD_ERR_CONFIG, "%s is neither a program nor a script: it cannot be run", path);
	if (strchr(head.data, '\r'))
		return kd_error_create(KD_ERR_CONFIG,
				       "%s: the file has Windows line ends: \"sed -i 's/\\r$//' %s\" removes them",
				       path, path);
	*ret = HOOK_TEXT;
	return NULL;
}

/* Is @word, a path or a name, a shell whose language hook_commands.c reads? */
static bool is_shell(const char *word)
{
	static const char *const shells[] = { "sh", "ash", "bash", "dash", "ksh", "mksh" };
	const char *slash = strrchr(word, '/');
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shells); i++)
		if (strcmp(slash ? slash + 1 : word, shells[i]) == 0)
			return true;
	return false;
}

/* "#!/bin/sh -e", "#!/usr/bin/env bash", "#!/bin/busybox sh"; a text without such a line is given to /bin/sh. */
static struct kd_error *is_for_shell(const struct head *head, bool *ret)
{
	_cleanup_free_ char *line = NULL;
	const char *word;
	char *rest;

	*ret = !begins(head, "#!") && !begins(head, ELFMAG);
	if (!begins(head, "#!"))
		return NULL;
	rest = line = strndup(head->data + 2, strcspn(head->data + 2, "\n"));
	if (!line)
		return kd_error_nomem();
	word = kd_next_word(&rest, &(bool){ false });
	*ret = word && is_shell(word);
	if (word && !*ret)
		word = kd_next_word(&rest, &(bool){ false });
	*ret |= word && is_shell(word);
	return NULL;
}

struct kd_error *hook_file_commands(const struct kd_sysroot *root, const char *path, struct hook_commands *ret)
{
	_cleanup_free_ char *text = NULL;
	struct head head;
	bool shell = false;
	struct kd_error *err = read_head(root, path, &head);

	if (!err)
		err = is_for_shell(&head, &shell);
	if (!err && shell)
		err = kd_sysroot_read(root, path, &text, NULL);
	if (err)
		return err;
	*ret = (struct hook_commands){ 0 };
	return shell ? hook_commands_find(text, ret) : NULL;
}
