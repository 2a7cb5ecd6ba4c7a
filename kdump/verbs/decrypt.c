/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl decrypt: an encrypted dump becomes an ordinary one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kdump/dumps/decrypt.h"
#include "kdump/dumps/named.h"
#include "kdump/storage/mounts.h"
#include "kdump/verbs/dump_choice.h"
#include "kdump/verbs/dump_options.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_IDENTITY = DUMP_OPTION_PATH + 1, OPTION_PARTIAL };

/* What of it could be read is there. */
enum { EXIT_PARTIAL = 2 };

const struct verb_option dumps_decrypt_options[] = {
	DUMP_PATH_OPTION,
	[OPTION_IDENTITY] = { "identity", 'i', "FILE",
			      "the file with the secret key, as age-keygen writes it (-: standard input)" },
	[OPTION_PARTIAL] = { "partial", 0, NULL, "of a file that was cut off or is damaged take what comes before" },
	{ .name = NULL },
};

struct decrypting {
	const struct kdumpctl *ctl;
	const struct secret_keys *keys;
	bool partial;
	unsigned int files;       /* that were decrypted */
	unsigned int incomplete;  /* of these */
	struct kd_error *failure; /* of the first file that could not be */
};

static struct kd_error *decrypt_one(struct decrypting *decrypting, const char *path, const char *out)
{
	struct decrypted result;
	struct kd_error *err = decrypt_file(path, out, decrypting->keys, decrypting->partial, &result);
	struct term term;

	if (err)
		return err;
	decrypting->files++;
	decrypting->incomplete += !result.whole;
	term_init(&term, stdout);
	term_line(&term, "%s", out);
	if (!result.whole)
		kd_warn(&decrypting->ctl->log, "%s is incomplete: %s", out, result.missing);
	free(result.missing);
	return NULL;
}

/* --- a file ------------------------------------------------------------------------------------------------------- */

/* Without a name of its own the plain file lies beside the encrypted one. */
static struct kd_error *decrypt_named(struct decrypting *decrypting, const char *path, const char *out)
{
	_cleanup_free_ char *plain = NULL;
	struct kd_error *err = out ? NULL : decrypt_name(path, &plain);

	if (!err && !out && !plain)
		err = kd_error_create(KD_ERR_USAGE, "%s does not end in " KD_AGE_SUFFIX ": name the file to be written",
				      path);
	return err ? err : decrypt_one(decrypting, path, out ? out : plain);
}

/* --- a directory -------------------------------------------------------------------------------------------------- */

static int is_encrypted(const struct dirent *entry)
{
	return dump_file_is_encrypted(entry->d_name);
}

/* One file that cannot be decrypted does not keep the others from it. */
static void decrypt_entry(struct decrypting *decrypting, const char *directory, const char *name, const char *out)
{
	_cleanup_free_ char *plain = NULL, *from = path_join(directory, name), *to = NULL;
	struct kd_error *err = from ? decrypt_name(name, &plain) : kd_error_nomem();

	if (!err && !(to = path_join(out, plain)))
		err = kd_error_nomem();
	if (!err)
		err = decrypt_one(decrypting, from, to);
	if (!err)
		return;
	if (!decrypting->failure) {
		decrypting->failure = err;
		return;
	}
	kd_warn(&decrypting->ctl->log, "%s", err->text);
	kd_error_destroy(err);
}

static struct kd_error *decrypt_directory(struct decrypting *decrypting, const char *directory, const char *out)
{
	struct dirent **entry = NULL;
	int count = scandir(directory, &entry, is_encrypted, alphasort), i;

	if (count < 0)
		return kd_error_os(errno, "cannot read %s", directory);
	for (i = 0; i < count; i++) {
		decrypt_entry(decrypting, directory, entry[i]->d_name, out);
		free(entry[i]);
	}
	free(entry);
	if (!count)
		return kd_error_create(KD_ERR_NOT_FOUND, "%s has no encrypted file", directory);
	return take_ptr(decrypting->failure);
}

static struct kd_error *decrypt_dump(struct decrypting *decrypting, const char *words, const char *out)
{
	_cleanup_(dumps_free) struct dumps dumps = { 0 };
	struct dump *dump;
	struct kd_error *err = choose_dump(decrypting->ctl, words, &dumps, &dump);

	if (err)
		return err;
	if (out && mkdir(out, 0700) < 0 && errno != EEXIST)
		return kd_error_os(errno, "cannot create the directory %s", out);
	return decrypt_directory(decrypting, dump->path, out ? out : dump->path);
}

struct kd_error *dumps_decrypt(struct kdumpctl *ctl, int *status)
{
	_cleanup_(secret_keys_free) struct secret_keys keys = { 0 };
	const char *words = ctl->argument_count ? ctl->argument[0] : NULL;
	const char *out = ctl->argument_count > 1 ? ctl->argument[1] : NULL;
	struct decrypting decrypting = { .ctl = ctl, .keys = &keys, .partial = ctl->option[OPTION_PARTIAL] };
	struct kd_error *err;

	if (!ctl->option[OPTION_IDENTITY])
		return kd_error_create(KD_ERR_USAGE,
				       "decrypt: name the file with the secret key: --identity FILE (made by "
				       "\"age-keygen\"; the public key in it is what encrypt in kdump.conf names)");
	err = secret_keys_read(ctl->option[OPTION_IDENTITY], &ctl->log, &keys);
	if (!err)
		err = dump_is_named_file(words) ? decrypt_named(&decrypting, words, out) :
						  decrypt_dump(&decrypting, words, out);
	if (!err && decrypting.incomplete)
		*status = EXIT_PARTIAL;
	return err;
}
