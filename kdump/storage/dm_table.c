/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/dm_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"

/* The first words of a row: START LENGTH TYPE CIPHER. */
struct row {
	char type[32];
	char first[256]; /* parameter; dm-crypt's is the cipher */
	const char *text;
};

#define ELSEWHERE "choose a dump target on another volume"

/* Read-only facts about Linux drivers/md: what each type does beside mapping sectors is in its ->map() and ->ctr(). */
static const struct {
	const char *type;
	const char *why; /* NULL: a capture may write through it */
} types[] = {
	{ "linear", NULL },
	{ "striped", NULL },
	{ "crypt", NULL },
	{ "thin", NULL },
	{ "thin-pool", NULL },
	{ "raid", NULL },
	{ "multipath", NULL },
	{ "snapshot-origin", "it has snapshots, which a dump written without them would silently change: remove the "
			     "snapshots (\"lvs\" shows them), or " ELSEWHERE },
	{ "snapshot", "it is a snapshot: " ELSEWHERE },
	{ "snapshot-merge",
	  "a snapshot is being merged into it: wait until \"lvs\" shows that it is done, or " ELSEWHERE },
	{ "cache",
	  "its cache may hold newer data than the disk: \"lvconvert --splitcache\" takes the cache away, or " ELSEWHERE },
	{ "writecache",
	  "its cache holds newer data than the disk: \"lvconvert --splitcache\" takes the cache away, or " ELSEWHERE },
	{ "mirror",
	  "mirrors of the old kind keep a log of their own: \"lvconvert --type raid1\" makes a new one of it (what "
	  "pvmove moves is one as well, until it has ended), or " ELSEWHERE },
};

static const char *why_refused(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return types[i].why;
	return "nobody has shown yet that such volumes survive a capture: " ELSEWHERE;
}

/* A row of dm-crypt's with "integrity:TAG:MODE" among its options, or a cipher that authenticates. */
static bool is_authenticated(const struct row *row)
{
	const char *end = strchr(row->text, '\n'), *option = strstr(row->text, " integrity:");

	return kd_starts_with(row->first, "capi:authenc(") || strstr(row->first, "aead") ||
	       (option && (!end || option < end));
}

static struct kd_error *check_row(const struct row *row)
{
	const char *why = why_refused(row->type);

	if (!why && strcmp(row->type, "crypt") == 0 && is_authenticated(row))
		why = "authenticated encryption cannot be set up in the capture kernel yet: " ELSEWHERE;
	return why ? kd_error_create(KD_ERR_UNSUPPORTED, "device-mapper type %s: %s", row->type, why) : NULL;
}

struct kd_error *dm_table_check(const char *table)
{
	unsigned int rows = 0, encrypted = 0;
	struct row row;

	for (row.text = table; *row.text; row.text += strcspn(row.text, "\n"), row.text += *row.text == '\n') {
		struct kd_error *err;

		row.first[0] = '\0';
		if (sscanf(row.text, "%*[0-9] %*[0-9] %31[^ \n] %255[^ \n]", row.type, row.first) < 1)
			continue; /* an empty line; one that is too short is told of where the row is taken apart */
		err = check_row(&row);
		if (err)
			return err;
		rows++;
		encrypted += strcmp(row.type, "crypt") == 0;
	}
	/* LUKS2 that is being re-encrypted has a part for each key, and the boundary between them moves. */
	if (encrypted && rows > 1)
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"its encryption changes part by part (%u parts): let \"cryptsetup reencrypt\" end first", rows);
	return NULL;
}
