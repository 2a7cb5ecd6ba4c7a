/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transfer/settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"

enum { CREDENTIALS_MAX = 8192 };

/* --- the address -------------------------------------------------------------------------------------------------- */

/* "HOST", "HOST:PORT" or "[ADDRESS]:PORT", @length characters of it. */
static struct kd_error *parse_authority(const char *text, size_t length, struct settings *settings)
{
	const char *bracket = *text == '[' ? memchr(text, ']', length) : NULL;
	const char *colon = memchr(bracket ? bracket : text, ':', length - (size_t)((bracket ? bracket : text) - text));
	size_t host = colon ? (size_t)(colon - text) : length;
	_cleanup_free_ char *port = NULL;
	uint64_t number = settings->tls ? 443 : 80;

	if (colon && !(port = strndup(colon + 1, length - host - 1)))
		return kd_error_nomem();
	if (!host || (port && (!kd_parse_u64(port, 10, &number) || !number || number > UINT16_MAX)))
		return kd_error_create(KD_ERR_FORMAT, "%.*s is not a host with a port", (int)length, text);
	settings->port = (unsigned)number;
	settings->host = strndup(text, host);
	return settings->host ? NULL : kd_error_nomem();
}

static struct kd_error *parse_url(const char *url, struct settings *settings)
{
	const char *authority;
	size_t length;

	settings->tls = kd_starts_with(url, "https://");
	if (!settings->tls && !kd_starts_with(url, "http://"))
		return kd_error_create(KD_ERR_FORMAT, "%s does not begin with http:// or https://", url);
	/* What is sent over the wire has to be what is signed, and nothing else. */
	if (url[strcspn(url, " \t\r\n\"'<>\\^`{|}?#@")] || url[strlen(url) - 1] == '/')
		return kd_error_create(KD_ERR_FORMAT, "%s has characters that a directory's URL cannot have", url);
	authority = strchr(url, '/') + 2;
	length = strcspn(authority, "/");
	if (!length)
		return kd_error_create(KD_ERR_FORMAT, "%s does not name a host", url);
	return parse_authority(authority, length, settings);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static struct kd_error *set_address(struct settings *settings, const char *value)
{
	if (settings->address_count == SETTINGS_ADDRESSES)
		return kd_error_create(KD_ERR_FORMAT, "more than %d addresses", SETTINGS_ADDRESSES);
	return kd_set_text(&settings->address[settings->address_count++], value);
}

static struct kd_error *set_ca(struct settings *settings, const char *value)
{
	return kd_set_text(&settings->ca, value);
}

static struct kd_error *set_region(struct settings *settings, const char *value)
{
	return kd_set_text(&settings->region, value);
}

static struct kd_error *take_login(struct settings *settings, char *text)
{
	char *line = kd_strip(text), *colon;
	struct kd_error *err;

	line[strcspn(line, "\r\n")] = '\0';
	if (kd_starts_with(line, "Bearer "))
		return kd_set_text(&settings->token, kd_strip(line + strlen("Bearer ")));
	colon = strchr(line, ':');
	if (!colon || colon == line || !colon[1])
		return kd_error_create(KD_ERR_FORMAT, "it has neither \"USER:PASSWORD\" nor \"Bearer TOKEN\"");
	*colon = '\0';
	err = kd_set_text(&settings->user, line);
	return err ? err : kd_set_text(&settings->password, colon + 1);
}

/* As in ~/.aws/credentials. The last line of each kind counts. */
static struct kd_error *take_keys(struct settings *settings, char *text)
{
	const struct {
		const char *name;
		char **field;
	} keys[] = {
		{ "aws_access_key_id", &settings->user },
		{ "aws_secret_access_key", &settings->password },
		{ "aws_session_token", &settings->token },
	};
	struct kd_error *err = NULL;
	char *line;

	while (!err && (line = strsep(&text, "\n"))) {
		char *equals = strchr(line, '=');

		if (!equals)
			continue;
		*equals = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(keys) && !err; i++)
			if (strcmp(kd_strip(line), keys[i].name) == 0)
				err = kd_set_text(keys[i].field, kd_strip(equals + 1));
	}
	if (!err && (!settings->user || !settings->password))
		err = kd_error_create(KD_ERR_FORMAT, "it has no lines \"aws_access_key_id = …\" and "
						     "\"aws_secret_access_key = …\"");
	return err;
}

static struct kd_error *set_credentials(struct settings *settings, const char *path)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_read_file(path, CREDENTIALS_MAX, &text, NULL);

	if (err)
		return err;
	return kd_error_wrap(settings->s3 ? take_keys(settings, text) : take_login(settings, text), "%s", path);
}

static const struct {
	const char *name;
	struct kd_error *(*set)(struct settings *settings, const char *value);
} options_known[] = {
	{ "address=", set_address },
	{ "ca=", set_ca },
	{ "region=", set_region },
	{ "credentials=", set_credentials },
};

static struct kd_error *set_option(struct settings *settings, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(options_known); i++)
		if (kd_starts_with(option, options_known[i].name))
			return options_known[i].set(settings, option + strlen(options_known[i].name));
	return kd_error_create(KD_ERR_FORMAT, "unknown option \"%s\"", option);
}

struct kd_error *settings_parse(const char *type, const char *url, const char *options, struct settings *ret)
{
	_cleanup_(settings_free) struct settings settings = { .s3 = strcmp(type, "s3") == 0 };
	_cleanup_free_ char *copy = strdup(options);
	char *rest = copy, *option;
	struct kd_error *err;

	if (!copy)
		return kd_error_nomem();
	if (!settings.s3 && strcmp(type, "http") != 0)
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is neither http nor s3", type);
	err = kd_set_text(&settings.url, url);
	if (!err)
		err = parse_url(url, &settings);
	while (!err && (option = strsep(&rest, ",")))
		if (*option)
			err = set_option(&settings, option);
	if (!err && settings.tls && !settings.ca)
		err = kd_error_create(KD_ERR_FORMAT, "%s needs the option ca=", url);
	if (!err && settings.s3 && (!settings.user || !settings.region))
		err = kd_error_create(KD_ERR_FORMAT, "s3 needs the options credentials= and region=");
	if (err)
		return err;
	*ret = settings;
	settings = (struct settings){ 0 };
	return NULL;
}

void settings_free(struct settings *settings)
{
	free(settings->url);
	free(settings->host);
	for (size_t i = 0; i < settings->address_count; i++)
		free(settings->address[i]);
	free(settings->ca);
	free(settings->user);
	free(settings->password);
	free(settings->token);
	free(settings->region);
	*settings = (struct settings){ 0 };
}
