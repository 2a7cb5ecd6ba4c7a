/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/way.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

/* "ADDRESS:/EXPORT", with brackets around an IPv6 address. */
static struct kd_error *nfs_device(const struct target *target, const char *address, char **ret)
{
	const char *export = strstr(target->device, ":/");

	if (!export)
		return kd_error_create(KD_ERR_FORMAT, "\"%s\" is not SERVER:/DIRECTORY", target->device);
	return kd_format(ret, strchr(address, ':') ? "[%s]%s" : "%s%s", address, export);
}

/* The protocols of the kernel's mount options have a 6 behind them for IPv6: "tcp6". */
static void put_protocol(FILE *out, const char *option, const char *address)
{
	size_t length = strlen(option);

	while (length && option[length - 1] == '6')
		length--;
	fprintf(out, "%.*s%s", (int)length, option, strchr(address, ':') ? "6" : "");
}

static void put_nfs_option(FILE *out, const char *option, const char *address)
{
	/* The server's mount daemon is asked at the same address. */
	if (kd_starts_with(option, "mountaddr="))
		return;
	if (ftell(out))
		fputc(',', out);
	if (kd_starts_with(option, "addr="))
		fprintf(out, "addr=%s", address);
	else if (kd_starts_with(option, "proto=") || kd_starts_with(option, "mountproto="))
		put_protocol(out, option, address);
	else
		fputs(option, out);
}

static struct kd_error *nfs_options(const struct target *target, const char *address, char **ret)
{
	_cleanup_free_ char *copy = strdup(target->options), *text = NULL;
	char *cursor = copy, *option;
	size_t size;
	FILE *out = copy ? open_memstream(&text, &size) : NULL;

	if (!out)
		return kd_error_nomem();
	while ((option = strsep(&cursor, ",")))
		put_nfs_option(out, option, address);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

/* "USER@ADDRESS"; what is known of the host's key has a name of its own. */
static struct kd_error *ssh_device(const struct target *target, const char *address, char **ret)
{
	const char *at = strrchr(target->device, '@');

	return kd_format(ret, "%.*s%s", at ? (int)(at + 1 - target->device) : 0, target->device, address);
}

static struct kd_error *same_options(const struct target *target, const char *address, char **ret)
{
	return kd_set_text(ret, target->options);
}

static const struct {
	const char *type;
	struct kd_error *(*device)(const struct target *target, const char *address, char **ret);
	struct kd_error *(*options)(const struct target *target, const char *address, char **ret);
} types[] = {
	{ "nfs", nfs_device, nfs_options },
	{ "ssh", ssh_device, same_options },
};

struct kd_error *target_by_address(const struct target *target, const char *address, char **device, char **options)
{
	_cleanup_free_ char *own_device = NULL, *own_options = NULL;
	struct kd_error *err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types) && strcmp(types[i].type, target->type) != 0; i++)
		;
	if (i == ARRAY_SIZE(types))
		return kd_error_create(KD_ERR_UNSUPPORTED, "a target of type %s has one address", target->type);
	err = types[i].device(target, address, &own_device);
	if (!err)
		err = types[i].options(target, address, &own_options);
	if (err)
		return err;
	*device = take_ptr(own_device);
	*options = take_ptr(own_options);
	return NULL;
}
