/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/ssh.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/run.h"
#include "base/text.h"
#include "kdump/network/network.h"

#define SSH "/usr/bin/ssh"

const char *ssh_key(const struct kd_sysroot *root, const char *configured)
{
	if (configured)
		return configured;
	return kd_sysroot_exists(root, SSH_KEY_RSA) ? SSH_KEY_RSA : SSH_KEY_ED25519;
}

/* --- what ssh's configuration says -------------------------------------------------------------------------------- */

/* The value of @key in the output of "ssh -G", lines of "key value"; NULL: it is not there. The caller owns it. */
static char *setting(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strncmp(text, key, length) == 0 && text[length] == ' ')
			return strndup(text + length + 1, strcspn(text + length + 1, "\n"));
	return NULL;
}

static struct kd_error *ask_ssh(const char *destination, char *text, size_t size)
{
	const char *const argv[] = { SSH, "-G", "--", destination, NULL };
	struct kd_error *err;
	int status;

	err = kd_run(argv, true, text, size, &status);
	if (!err && (!WIFEXITED(status) || WEXITSTATUS(status)))
		err = kd_error_create(KD_ERR_CONFIG, "ssh -G refuses it: %.200s", kd_strip(text));
	return err;
}

/* The way that ssh would take must be one that capture can take. */
static struct kd_error *refuse_detours(const char *text)
{
	static const char *const detours[] = { "proxyjump", "proxycommand" };

	for (size_t i = 0; i < ARRAY_SIZE(detours); i++) {
		_cleanup_free_ char *value = setting(text, detours[i]);

		if (value && strcmp(value, "none") != 0)
			return kd_error_create(
				KD_ERR_UNSUPPORTED,
				"ssh's configuration has %s %s, and the capture kernel can only reach the "
				"server itself: choose a server that is reached without it",
				detours[i], value);
	}
	return NULL;
}

/* The name under which the server's host key is known. */
static struct kd_error *key_alias(const char *text, const char *host, const char *port, char **ret)
{
	_cleanup_free_ char *alias = setting(text, "hostkeyalias");

	if (alias) {
		*ret = take_ptr(alias);
		return NULL;
	}
	return strcmp(port, "22") == 0 ? kd_set_text(ret, host) : kd_format(ret, "[%s]:%s", host, port);
}

static struct kd_error *resolve_host(const char *host, char **ret)
{
	_cleanup_free_ struct net_address_text *address = NULL;
	size_t count;
	struct kd_error *err = net_resolve_server(host, &address, &count);

	return err ? err : kd_set_text(ret, address[0].text);
}

/* --- what the image needs ----------------------------------------------------------------------------------------- */

/* The files of known host keys that exist; *ret := their names with blanks between them. */
static struct kd_error *need_known_hosts(const struct kd_sysroot *root, const char *text, struct target *target,
					 char **ret)
{
	static const char *const keys[] = { "userknownhostsfile", "globalknownhostsfile" };
	struct kd_error *err = kd_set_text(ret, "");

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !err; i++) {
		_cleanup_free_ char *files = setting(text, keys[i]);
		char *cursor = files, *file;

		while (!err && cursor && (file = strsep(&cursor, " "))) {
			_cleanup_free_ char *before = NULL;

			if (*file != '/' || !kd_sysroot_exists(root, file))
				continue;
			before = take_ptr(*ret);
			err = kd_format(ret, "%s%s%s", before, *before ? " " : "", file);
			if (!err)
				err = target_need(target, file);
		}
	}
	return err;
}

static struct kd_error *need_key(const struct kd_sysroot *root, const char *key, struct target *target)
{
	if (!kd_sysroot_exists(root, key))
		return kd_error_create(
			KD_ERR_NOT_FOUND,
			"the key %s does not exist: \"kdumpctl propagate\" makes one and brings it to the "
			"server",
			key);
	return target_need(target, key);
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

/* Connect as capture will, and leave at once: the server's sftp ends when there is no more input. */
static struct kd_error *try_to_connect(const struct target *target)
{
	_cleanup_free_ char *copy = strdup(target->options);
	const char *argv[64] = { SSH,
				 "-o",
				 "BatchMode=yes",
				 "-o",
				 "StrictHostKeyChecking=yes",
				 "-o",
				 "IdentitiesOnly=yes",
				 "-o",
				 "ConnectTimeout=20" };
	char *cursor = copy, *option, said[1024];
	struct kd_error *err;
	size_t count = 9;
	int status;

	if (!copy)
		return kd_error_nomem();
	while ((option = strsep(&cursor, ",")) && count < ARRAY_SIZE(argv) - 6) {
		argv[count++] = "-o";
		argv[count++] = option;
	}
	argv[count++] = "-s";
	argv[count++] = "--";
	argv[count++] = target->device;
	argv[count++] = "sftp";
	err = kd_run(argv, true, said, sizeof(said), &status);
	if (err || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return err;
	for (char *newline = said; (newline = strpbrk(newline, "\r\n"));)
		*newline = ' ';
	return kd_error_create(KD_ERR_STATE,
			       "cannot connect to %s by sftp without a question: %.300s: you probably need to run "
			       "\"kdumpctl propagate\"",
			       target->device, kd_strip(said));
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static struct kd_error *fill_in(const struct kd_sysroot *root, const struct target_request *request, const char *text,
				struct target *target)
{
	_cleanup_free_ char *host = setting(text, "hostname"), *port = setting(text, "port"),
			    *user = setting(text, "user"), *alias = NULL, *known = NULL;
	const char *key = ssh_key(root, request->key);
	struct kd_error *err;

	if (!host || !port || !user)
		return kd_error_create(KD_ERR_UNSUPPORTED, "ssh -G does not name the host, port and user");
	err = refuse_detours(text);
	if (!err)
		err = key_alias(text, host, port, &alias);
	if (!err)
		err = resolve_host(host, &target->server);
	if (!err)
		err = kd_set_text(&target->server_name, host);
	if (!err)
		err = kd_format(&target->device, "%s@%s", user, target->server);
	if (!err)
		err = target_need(target, SSH);
	if (!err)
		err = need_key(root, key, target);
	if (!err)
		err = need_known_hosts(root, text, target, &known);
	if (!err)
		err = kd_format(&target->options, "Port=%s,HostKeyAlias=%s,IdentityFile=%s,UserKnownHostsFile=%s", port,
				alias, key, known);
	return err;
}

struct kd_error *ssh_resolve(const struct kd_sysroot *root, const struct target_request *request, struct target *target)
{
	_cleanup_free_ char *text = malloc(64 << 10);
	struct kd_error *err;

	if (!text)
		return kd_error_nomem();
	if (!kd_sysroot_is_live(root))
		return kd_error_create(KD_ERR_UNSUPPORTED, "another machine's ssh cannot be asked for the way to %s",
				       request->device);
	if (!kd_sysroot_exists(root, SSH))
		return kd_error_create(KD_ERR_NOT_FOUND, SSH " is missing: install OpenSSH's client");
	err = ask_ssh(request->device, text, 64 << 10);
	if (!err)
		err = fill_in(root, request, text, target);
	if (!err)
		err = kd_set_text(&target->type, "ssh");
	if (!err)
		err = kd_set_text(&target->path, request->path);
	return err ? err : try_to_connect(target);
}
