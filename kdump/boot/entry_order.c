/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/boot/entry_order.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A part of a name. */
struct span {
	const char *at, *end;
};

static bool at_tilde(const struct span *span)
{
	return span->at < span->end && *span->at == '~';
}

/* Everything but letters, digits and '~' only separates. */
static void skip_separators(struct span *span)
{
	while (span->at < span->end && !isalnum((unsigned char)*span->at) && *span->at != '~')
		span->at++;
}

/* Cut the run of digits or of letters off the front of @span. */
static struct span take_run(struct span *span)
{
	struct span run = { span->at, span->at };
	bool digits = run.at < span->end && isdigit((unsigned char)*run.at);

	while (run.end < span->end && (digits ? isdigit((unsigned char)*run.end) : isalpha((unsigned char)*run.end)))
		run.end++;
	span->at = run.end;
	return run;
}

/* Numbers by value, words by their letters; a number is newer than a word. */
static int compare_runs(struct span a, struct span b)
{
	bool number = isdigit((unsigned char)*a.at);
	size_t a_size, b_size;
	int order;

	if (number != (bool)isdigit((unsigned char)*b.at))
		return number ? 1 : -1;
	while (number && a.at < a.end && *a.at == '0')
		a.at++;
	while (number && b.at < b.end && *b.at == '0')
		b.at++;
	a_size = a.end - a.at;
	b_size = b.end - b.at;
	if (number && a_size != b_size)
		return a_size > b_size ? 1 : -1;
	order = memcmp(a.at, b.at, a_size < b_size ? a_size : b_size);
	return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* Run by run; the one with more runs is newer, but what follows a '~' comes before the release. */
static int compare_versions(struct span a, struct span b)
{
	int order;

	for (;;) {
		skip_separators(&a);
		skip_separators(&b);
		if (at_tilde(&a) && at_tilde(&b)) {
			a.at++;
			b.at++;
			continue;
		}
		if (at_tilde(&a) || at_tilde(&b))
			return at_tilde(&a) ? -1 : 1;
		if (a.at == a.end || b.at == b.end)
			return (a.at < a.end) - (b.at < b.end);
		order = compare_runs(take_run(&a), take_run(&b));
		if (order)
			return order;
	}
}

/* Cut what follows the last '-' off the end of @span; empty if there is no '-'. */
static struct span take_last(struct span *span)
{
	const char *dash = memrchr(span->at, '-', span->end - span->at);
	struct span last = { dash ? dash + 1 : span->end, span->end };

	if (dash)
		span->end = dash;
	return last;
}

struct entry {
	struct span name, version, release;
};

static struct entry split(const char *path)
{
	static const char suffix[] = ".conf";
	const char *slash = strrchr(path, '/');
	struct span name = { slash ? slash + 1 : path, path + strlen(path) };
	struct entry entry;

	if (name.end - name.at > (ptrdiff_t)strlen(suffix) && strcmp(name.end - strlen(suffix), suffix) == 0)
		name.end -= strlen(suffix);
	entry.release = take_last(&name);
	entry.version = take_last(&name);
	entry.name = name;
	if (entry.version.at == entry.version.end) {
		entry.version = entry.release;
		entry.release.at = entry.release.end;
	}
	return entry;
}

int boot_entry_compare(const char *a, const char *b)
{
	struct entry first = split(a), second = split(b);
	int order = compare_versions(first.name, second.name);

	if (!order)
		order = compare_versions(first.version, second.version);
	return order ? order : compare_versions(first.release, second.release);
}

/* --- systemd-boot ------------------------------------------------------------------------------------------------- */

/* Where both have the same separator it is left behind; else the one that has it is older. 0: go on. */
static int compare_separator(char separator, const char **a, const char **b)
{
	bool in_a = **a == separator, in_b = **b == separator;

	*a += in_a && in_b;
	*b += in_a && in_b;
	return in_b - in_a;
}

static const char *skip_others(const char *at)
{
	while (*at && !isalnum((unsigned char)*at) && !strchr("~-^.", *at))
		at++;
	return at;
}

/* The runs at *@a and *@b, which are moved on. One without digits where the other has some is the empty number. */
static int compare_next_runs(const char **a, const char **b)
{
	bool digits = isdigit((unsigned char)**a) || isdigit((unsigned char)**b);
	struct span first = { *a, *a }, second = { *b, *b };

	while (digits ? isdigit((unsigned char)*first.end) : isalpha((unsigned char)*first.end))
		first.end++;
	while (digits ? isdigit((unsigned char)*second.end) : isalpha((unsigned char)*second.end))
		second.end++;
	*a = first.end;
	*b = second.end;
	if (first.at == first.end || second.at == second.end)
		return (first.at < first.end) - (second.at < second.end);
	return compare_runs(first, second);
}

int boot_version_compare(const char *a, const char *b)
{
	int order = 0;

	a = a ? a : "";
	b = b ? b : "";
	while (!order) {
		a = skip_others(a);
		b = skip_others(b);
		order = compare_separator('~', &a, &b);
		if (order)
			break;
		/* What goes on is newer, unless it goes on with a '~'. */
		if (!*a || !*b)
			return (*a != '\0') - (*b != '\0');
		for (const char *separator = "-^."; *separator && !order; separator++)
			order = compare_separator(*separator, &a, &b);
		if (!order)
			order = compare_next_runs(&a, &b);
	}
	return order;
}
