/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/unlock/openers.h"

#include <string.h>

#include "base/parse.h"
#include "kdump/unlock/unlock.h"

/* "cryptsetup OPTION… open|luksOpen [OPTION…] [--] DEVICE NAME": all whom Debian's and dracut's scripts call it by. */
static bool cryptsetup_is_asked(char *const *argv, const char **device, const char **volume)
{
	size_t count = kd_count_words(argv);

	if (count < 4)
		return false;
	for (size_t i = 1; i < count - 2; i++)
		if (strcmp(argv[i], "open") == 0 || strcmp(argv[i], "luksOpen") == 0) {
			*device = argv[count - 2];
			*volume = argv[count - 1];
			return true;
		}
	return false;
}

/* "systemd-cryptsetup attach VOLUME DEVICE [KEY FILE [OPTIONS]]" */
static bool systemd_is_asked(char *const *argv, const char **device, const char **volume)
{
	if (kd_count_words(argv) < 4 || strcmp(argv[1], "attach") != 0)
		return false;
	*volume = argv[2];
	*device = argv[3];
	return true;
}

const struct opener openers[] = {
	{ "cryptsetup", cryptsetup_is_asked, false },
	{ "systemd-cryptsetup", systemd_is_asked, true },
	{ 0 },
};

const char *const opener_paths[] = {
	"/sbin/cryptsetup",
	"/usr/sbin/cryptsetup",
	"/bin/cryptsetup",
	"/usr/bin/cryptsetup",
	"/lib/systemd/systemd-cryptsetup",
	"/usr/lib/systemd/systemd-cryptsetup",
	"/usr/bin/systemd-cryptsetup",
	NULL,
};

const char *opener_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const struct opener *opener_find(const char *name)
{
	for (const struct opener *opener = openers; opener->name; opener++)
		if (strcmp(opener->name, opener_base(name)) == 0)
			return opener;
	return NULL;
}

void opener_clean(char **argv)
{
	char **to = argv;

	for (; *argv; argv++)
		if (strcmp(*argv, "--key-file=" UNLOCK_PROGRAM) != 0)
			*to++ = *argv;
	*to = NULL;
}
