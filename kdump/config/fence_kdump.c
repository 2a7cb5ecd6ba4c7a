/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/fence_kdump.h"

#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/parse.h"

static bool parse_number(const char *text, uint64_t min, uint64_t max, unsigned int *ret)
{
	uint64_t value;

	if (!kd_parse_u64(text, 10, &value) || value < min || value > max)
		return false;
	*ret = (unsigned int)value;
	return true;
}

static bool parse_port(const char *text, struct fence_kdump_args *args)
{
	return parse_number(text, 1, UINT16_MAX, &args->port);
}

static bool parse_family(const char *text, struct fence_kdump_args *args)
{
	static const struct {
		const char *name;
		int family;
	} families[] = { { "auto", AF_UNSPEC }, { "ipv4", AF_INET }, { "ipv6", AF_INET6 } };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (strcmp(text, families[i].name) != 0)
			continue;
		args->family = families[i].family;
		return true;
	}
	return false;
}

static bool parse_count(const char *text, struct fence_kdump_args *args)
{
	return parse_number(text, 0, UINT32_MAX, &args->count);
}

static bool parse_interval(const char *text, struct fence_kdump_args *args)
{
	return parse_number(text, 1, 86400, &args->interval);
}

static const struct {
	const char *short_name, *long_name, *values;
	bool (*parse)(const char *text, struct fence_kdump_args *args);
} options[] = {
	{ "-p", "--ipport", "a port", parse_port },
	{ "-f", "--family", "auto, ipv4 or ipv6", parse_family },
	{ "-c", "--count", "a number, 0 for no limit", parse_count },
	{ "-i", "--interval", "seconds, at least 1", parse_interval },
};

/* The value of option @i, if *word begins one: in the word itself, or in the next one, to which *word then points. */
static const char *value_of(size_t i, char *const **word)
{
	const char *text = **word, *long_name = options[i].long_name;

	if (strcmp(text, options[i].short_name) == 0 || strcmp(text, long_name) == 0) {
		if (!(*word)[1])
			return "";
		return *++*word;
	}
	if (kd_starts_with(text, long_name) && text[strlen(long_name)] == '=')
		return text + strlen(long_name) + 1;
	return kd_starts_with(text, options[i].short_name) ? text + strlen(options[i].short_name) : NULL;
}

static struct kd_error *parse_option(char *const **word, struct fence_kdump_args *args)
{
	const char *value;

	if (strcmp(**word, "-v") == 0 || strcmp(**word, "--verbose") == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		value = value_of(i, word);
		if (!value)
			continue;
		if (options[i].parse(value, args))
			return NULL;
		return kd_error_create(KD_ERR_CONFIG, "%s wants %s, not \"%s\"", options[i].short_name,
				       options[i].values, value);
	}
	return kd_error_create(KD_ERR_CONFIG, "\"%s\" is not an option: give any of -p, -f, -c and -i", **word);
}

struct kd_error *fence_kdump_parse(char *const *words, struct fence_kdump_args *ret)
{
	struct fence_kdump_args args = { .port = 7410, .family = AF_UNSPEC, .interval = 10 };
	struct kd_error *err = NULL;

	for (; *words && !err; words++)
		err = parse_option(&words, &args);
	if (!err)
		*ret = args;
	return err;
}
