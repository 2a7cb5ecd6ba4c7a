/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/objects.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/run.h"
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/network/network.h"

#define REGION "us-east-1" /* what AWS takes where none is given, and other servers do not look at */

/* Where distributions have the certificates of the authorities that they trust, in one file. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
	"/etc/ssl/ca-bundle.pem",             /* openSUSE, SLES */
};

/* --- the URL ------------------------------------------------------------------------------------------------------ */

struct kd_error *objects_s3_url(const char *place, const struct target_access *access, char **ret)
{
	const char *bucket = place + strlen("s3://"), *region = access->s3_region ? access->s3_region : REGION;
	int length = (int)strcspn(bucket, "/");
	_cleanup_free_ char *aws = NULL;
	const char *endpoint = access->s3_endpoint, *host;
	struct kd_error *err = kd_format(&aws, "https://s3.%s.amazonaws.com", region);
	int end;

	if (err)
		return err;
	endpoint = endpoint ? endpoint : aws;
	host = strstr(endpoint, "://") + 3;
	for (end = (int)strlen(endpoint); end && endpoint[end - 1] == '/';)
		end--;
	if (access->s3_style ? strcmp(access->s3_style, "virtual") == 0 : !access->s3_endpoint)
		return kd_format(ret, "%.*s%.*s.%.*s%s", (int)(host - endpoint), endpoint, length, bucket,
				 end - (int)(host - endpoint), host, bucket + length);
	return kd_format(ret, "%.*s/%s", end, endpoint, bucket);
}

static struct kd_error *make_url(const struct target_request *request, char **ret)
{
	struct kd_error *err = strcmp(request->type, "s3") == 0 ?
				       objects_s3_url(request->device, request->access, ret) :
				       kd_set_text(ret, request->device);

	/* Paths of objects begin with one. */
	for (size_t length = err ? 0 : strlen(*ret); length && (*ret)[length - 1] == '/';)
		(*ret)[--length] = '\0';
	return err;
}

/* The host of @url, without brackets. */
static struct kd_error *host_of(const char *url, char **ret)
{
	const char *host = strstr(url, "://") + 3;

	return *host == '[' ? kd_format(ret, "%.*s", (int)strcspn(host + 1, "]/"), host + 1) :
			      kd_format(ret, "%.*s", (int)strcspn(host, ":/"), host);
}

/* --- what the image needs ----------------------------------------------------------------------------------------- */

static struct kd_error *add_option(struct target *target, const char *name, const char *value)
{
	_cleanup_free_ char *before = take_ptr(target->options);

	if (strpbrk(value, ", \t\n"))
		return kd_error_create(KD_ERR_CONFIG, "%s has a comma or a blank: give it another name", value);
	return kd_format(&target->options, "%s%s%s=%s", before ? before : "", before && *before ? "," : "", name,
			 value);
}

static struct kd_error *add_addresses(const char *host, struct target *target)
{
	_cleanup_free_ struct net_address_text *address = NULL;
	size_t count;
	struct kd_error *err = net_resolve_server(host, &address, &count);

	if (!err)
		err = kd_set_text(&target->server, address[0].text);
	/* As many as the capture takes. */
	for (size_t i = 0; !err && i < count && i < 8; i++)
		err = add_option(target, "address", address[i].text);
	return err;
}

static struct kd_error *add_authorities(const struct kd_sysroot *root, const char *configured, struct target *target)
{
	const char *path = configured;
	struct kd_error *err;

	for (size_t i = 0; i < ARRAY_SIZE(bundles) && !path; i++)
		if (kd_sysroot_exists(root, bundles[i]))
			path = bundles[i];
	if (!path)
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "this machine trusts no authority: install ca-certificates, or "
				       "name the file with the server's by tls_ca");
	if (!kd_sysroot_exists(root, path))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s (tls_ca) does not exist", path);
	err = add_option(target, "ca", path);
	return err ? err : target_need(target, path);
}

static struct kd_error *add_credentials(const struct kd_sysroot *root, const char *path, struct target *target)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_PATH);
	struct kd_error *err;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kd_error_create(KD_ERR_NOT_FOUND, "the file with the credentials %s does not exist", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0077))
		return kd_error_create(KD_ERR_CONFIG, "others than root can read the credentials: \"chmod 600 %s\"",
				       path);
	err = add_option(target, "credentials", path);
	return err ? err : target_need(target, path);
}

static struct kd_error *add_access(const struct kd_sysroot *root, const struct target_request *request,
				   struct target *target)
{
	const struct target_access *access = request->access;
	bool s3 = strcmp(request->type, "s3") == 0;
	const char *credentials = s3 ? access->s3_credentials : access->http_credentials;
	struct kd_error *err = NULL;

	if (s3 && !credentials)
		return kd_error_create(KD_ERR_CONFIG, "s3_credentials is missing: it names a file like "
						      "~/.aws/credentials, with mode 0600");
	if (kd_starts_with(target->device, "https://"))
		err = add_authorities(root, access->tls_ca, target);
	if (!err && s3)
		err = add_option(target, "region", access->s3_region ? access->s3_region : REGION);
	return err || !credentials ? err : add_credentials(root, credentials, target);
}

/* --- the connection ----------------------------------------------------------------------------------------------- */

static struct kd_error *try_to_write(const struct kd_sysroot *root, const struct target *target)
{
	_cleanup_free_ char *host = NULL, *name = NULL;
	const char *program = kd_target_type_find(target->type)->program;
	struct kd_error *err = kd_sysroot_read_line(root, &host, "/proc/sys/kernel/hostname");
	char said[1024];
	int status;

	if (!err)
		err = kd_format(&name, "kdump-check-%s", host);
	if (err)
		return err;
	const char *const argv[] = { program, "--check", name, target->type, target->device, target->options, NULL };

	err = kd_run(argv, true, said, sizeof(said), &status);
	if (err || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return err;
	for (char *newline = said; (newline = strpbrk(newline, "\r\n"));)
		*newline = ' ';
	return kd_error_create(
		KD_ERR_STATE, "cannot write to %s: %.400s: check the URL, the credentials, what they allow, and tls_ca",
		target->device, kd_strip(said));
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

struct kd_error *objects_resolve(const struct kd_sysroot *root, const struct target_request *request,
				 struct target *target)
{
	static const struct target_access nothing;
	struct target_request full = *request;
	const char *program = kd_target_type_find(request->type)->program;
	_cleanup_free_ char *host = NULL;
	struct kd_error *err;

	full.access = request->access ? request->access : &nothing;
	if (!kd_sysroot_is_live(root))
		return kd_error_create(KD_ERR_UNSUPPORTED, "another machine's way to %s cannot be tried",
				       request->device);
	if (!kd_sysroot_exists(root, program))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is missing: this kdump was built without libcurl",
				       program);
	err = make_url(&full, &target->device);
	if (!err)
		err = host_of(target->device, &host);
	if (!err)
		err = kd_set_text(&target->options, "");
	if (!err)
		err = add_addresses(host, target);
	if (!err)
		err = target_need(target, program);
	if (!err)
		err = add_access(root, &full, target);
	if (!err)
		err = kd_set_text(&target->type, request->type);
	if (!err)
		err = kd_set_text(&target->path, "/");
	return err ? err : try_to_write(root, target);
}
