/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/dumps/secret_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/parse.h"

enum { FILE_MAX = 64 << 10 };

/* What people give instead of a file of keys, by how it begins. */
static const struct {
	const char *prefix, *remedy;
} others[] = {
	{ "age-encryption.org/", "it is encrypted itself: \"age -d FILE | kdumpctl decrypt --identity - …\"" },
	{ "-----BEGIN AGE ENCRYPTED", "it is encrypted itself: \"age -d FILE | kdumpctl decrypt --identity - …\"" },
	{ "age1", "it is the public key: give the file with the secret one" },
	{ "AGE-PLUGIN-", "keys of plugins cannot be used here: open the dump with age(1), then \"dumpfilter -R\"" },
	{ "-----BEGIN OPENSSH", "keys of ssh cannot be used here: open the dump with age(1), then \"dumpfilter -R\"" },
};

static struct kd_error *add_key(const char *path, unsigned int number, const char *line, struct secret_keys *keys)
{
	struct kd_age_identity *grown;
	struct kd_error *err;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (kd_starts_with(line, others[i].prefix))
			return kd_error_create(KD_ERR_UNSUPPORTED, "%s:%u: %s", path, number, others[i].remedy);
	/* realloc(3) could leave a copy of the keys behind. */
	grown = calloc(keys->count + 1, sizeof(*grown));
	if (!grown)
		return kd_error_nomem();
	err = kd_age_identity_parse(line, &grown[keys->count]);
	if (err) {
		free(grown);
		return kd_error_wrap(err, "%s:%u: this is not a secret key of age", path, number);
	}
	for (size_t i = 0; i < keys->count; i++) {
		grown[i] = keys->key[i];
		kd_age_identity_erase(&keys->key[i]);
	}
	free(keys->key);
	keys->key = grown;
	keys->count++;
	return NULL;
}

static struct kd_error *parse(const char *path, char *text, struct secret_keys *keys)
{
	struct kd_error *err = NULL;
	unsigned int number = 0;
	char *line;

	while (!err && (line = strsep(&text, "\n"))) {
		number++;
		line = kd_strip(line);
		if (*line && *line != '#')
			err = add_key(path, number, line, keys);
	}
	if (!err && !keys->count)
		err = kd_error_create(KD_ERR_FORMAT, "%s has no secret key (a line that begins with AGE-SECRET-KEY-1)",
				      path);
	return err;
}

static void warn_of_readers(const char *path, int fd, const struct kd_log *log)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IRGRP | S_IROTH)))
		kd_warn(log, "%s holds secret keys, and others can read it: \"chmod 600 %s\"", path, path);
}

/* The text is read in one piece, so that no copy of a part stays in memory. */
static struct kd_error *read_text(const char *path, int fd, char *text)
{
	ssize_t got = kd_read_all(fd, text, FILE_MAX);

	if (got < 0)
		return kd_error_os(errno, "cannot read %s", path);
	if (got == FILE_MAX)
		return kd_error_create(KD_ERR_FORMAT, "%s is too long for a file of keys", path);
	if (memchr(text, '\0', (size_t)got))
		return kd_error_create(KD_ERR_FORMAT, "%s is not a text file", path);
	return NULL;
}

struct kd_error *secret_keys_read(const char *path, const struct kd_log *log, struct secret_keys *ret)
{
	_cleanup_(secret_keys_free) struct secret_keys keys = { 0 };
	bool standard_input = strcmp(path, "-") == 0;
	_cleanup_close_ int file = standard_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = calloc(1, FILE_MAX + 1);
	struct kd_error *err;

	if (!text)
		return kd_error_nomem();
	if (standard_input)
		path = "standard input";
	else if (file < 0)
		return kd_error_os(errno, "cannot open %s", path);
	else
		warn_of_readers(path, file, log);
	err = read_text(path, standard_input ? STDIN_FILENO : file, text);
	if (!err)
		err = parse(path, text, &keys);
	kd_age_erase(text, FILE_MAX);
	if (err)
		return err;
	*ret = keys;
	keys = (struct secret_keys){ 0 };
	return NULL;
}

void secret_keys_free(struct secret_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		kd_age_identity_erase(&keys->key[i]);
	free(keys->key);
	*keys = (struct secret_keys){ 0 };
}
