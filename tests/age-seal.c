/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encrypt standard input to standard output with base/age.h: "age-seal RECIPIENT…". With --cut the last chunk is left
 * out, as if the capture had died. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/age.h"
#include "base/error.h"

static struct kd_error *seal(bool cut, const struct kd_age_recipient *recipient, size_t count)
{
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = NULL;
	struct kd_error *err = kd_age_begin(STDOUT_FILENO, "standard output", recipient, count, &writer);
	char buf[7777]; /* pieces that fit no chunk */
	ssize_t got;

	while (!err && (got = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		err = kd_age_write(writer, buf, (size_t)got);
	return err || cut ? err : kd_age_finish(writer);
}

int main(int argc, char **argv)
{
	struct kd_age_recipient recipient[KD_AGE_RECIPIENTS_MAX];
	bool cut = argc > 1 && strcmp(argv[1], "--cut") == 0;
	struct kd_error *err = NULL;
	size_t count = 0;

	for (char **word = argv + 1 + cut; *word && !err && count < KD_AGE_RECIPIENTS_MAX; word++)
		err = kd_error_wrap(kd_age_recipient_parse(*word, &recipient[count++]), "%s", *word);
	if (!err && !count)
		err = kd_error_create(KD_ERR_USAGE, "name a recipient");
	if (!err)
		err = seal(cut, recipient, count);
	if (err)
		fprintf(stderr, "%s\n", err->text);
	return err != NULL;
}
