/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/nfs.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "base/array.h"
#include "base/text.h"
#include "kdump/network/network.h"
#include "kdump/storage/directory.h"

/* A server that is gone ends a request after tries of 15, 30 and 45 s; "hard", the default, would wait forever. */
#define PATIENCE "soft,timeo=150,retrans=2"
/* On the healthy machine somebody waits for "start", and what cannot be had now is taken in later. */
#define IMPATIENCE "timeo=50,retrans=1"

/* "SERVER:/EXPORT", taken apart. */
struct nfs_name {
	char *server; /* without the brackets around an IPv6 address */
	char *export;
};

static void nfs_name_free(struct nfs_name *name)
{
	free(name->server);
	free(name->export);
}
static void nfs_name_free_cleanup(struct nfs_name *name)
{
	nfs_name_free(name);
}

bool nfs_is_type(const char *type)
{
	return strcmp(type, "nfs") == 0 || strcmp(type, "nfs4") == 0;
}

/* *ok is false if @text has another form. */
static struct kd_error *parse_name(const char *text, struct nfs_name *ret, bool *ok)
{
	const char *colon = *text == '[' ? strstr(text, "]:") : strchr(text, ':');
	size_t skip = *text == '[';

	*ok = false;
	if (!colon || colon == text + skip)
		return NULL;
	ret->server = strndup(text + skip, colon - text - skip);
	colon += skip;
	if (colon[1] != '/')
		return ret->server ? NULL : kd_error_nomem();
	ret->export = strdup(colon + 1);
	*ok = true;
	return ret->server && ret->export ? NULL : kd_error_nomem();
}

/* --- the options -------------------------------------------------------------------------------------------------- */

/* Append ",NAME=VALUE" for option @name of the mount, if it has one. */
static struct kd_error *keep_option(const char *options, const char *name, char **text)
{
	_cleanup_free_ char *before = NULL;
	char *value;
	size_t size;

	if (mnt_optstr_get_option(options, name, &value, &size) || !value)
		return NULL;
	before = *text;
	*text = NULL;
	return kd_format(text, "%s,%s=%.*s", before, name, (int)size, value);
}

/* The kernel is told everything: in the capture kernel there is no mount.nfs(8) that would ask the server. Locks are of
 * no use there, and would need a daemon. */
static struct kd_error *make_options(const char *mount_options, const char *address, char **ret)
{
	static const char *const kept[] = { "vers",       "proto",     "port",  "mountport",
					    "mountproto", "mountaddr", "rsize", "wsize" };
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_format(&text, "addr=%s,nolock," PATIENCE, address);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kept) && !err; i++)
		err = keep_option(mount_options, kept[i], &text);
	if (!err)
		*ret = take_ptr(text);
	return err;
}

static struct kd_error *check_security(const char *options, const char *device)
{
	char *value;
	size_t size;

	if (mnt_optstr_get_option(options, "sec", &value, &size) || !value ||
	    (size == 3 && strncmp(value, "sys", 3) == 0))
		return NULL;
	return kd_error_create(
		KD_ERR_UNSUPPORTED,
		"%s is mounted with sec=%.*s, for which the capture kernel has no keys: export it to this "
		"machine with sec=sys",
		device, (int)size, value);
}

/* --- what a mount tells ------------------------------------------------------------------------------------------- */

/* Fill in what does not depend on the directory. */
static struct kd_error *take_server(const char *device, const char *options, struct target *target)
{
	_cleanup_(nfs_name_free) struct nfs_name name = { 0 };
	struct net_address address;
	struct kd_error *err;
	char *value;
	size_t size;
	bool ok;

	err = check_security(options, device);
	if (!err)
		err = parse_name(device, &name, &ok);
	if (err)
		return err;
	if (!ok || mnt_optstr_get_option(options, "addr", &value, &size) || !value)
		return kd_error_create(KD_ERR_UNSUPPORTED, "the mount of %s does not tell its server's address",
				       device);
	target->server = strndup(value, size);
	if (!target->server)
		return kd_error_nomem();
	if (!net_address_parse(target->server, &address))
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s: \"%s\" is not an address that capture can use", device,
				       target->server);
	err = kd_format(&target->device, address.family == AF_INET6 ? "[%s]:%s" : "%s:%s", target->server, name.export);
	if (!err)
		err = make_options(options, target->server, &target->options);
	if (!err)
		err = kd_set_text(&target->server_name, name.server);
	return err ? err : kd_set_text(&target->type, "nfs");
}

static struct kd_error *read_only(const struct mount *mount)
{
	return kd_error_create(KD_ERR_STATE,
			       "the dump target %s is mounted read-only at %s: \"mount -o remount,rw %s\"",
			       mount->source, mount->mount_point, mount->mount_point);
}

/* The directory @rest below the mount is the target's. A bind mount of a directory deeper down tells
 * that in its source (nfs_show_devname()). */
static struct kd_error *take_directory(const struct mount *mount, const char *rest, struct target *target)
{
	struct kd_error *err;

	if (mount->read_only)
		return read_only(mount);
	err = take_server(mount->source, mount->options, target);
	if (!err)
		err = kd_set_text(&target->mount_point, mount->mount_point);
	if (!err)
		err = kd_set_text(&target->path, *rest ? rest : "/");
	if (err)
		return err;
	target->directory = path_join(mount->mount_point, rest);
	return target->directory ? NULL : kd_error_nomem();
}

struct kd_error *nfs_take_path(const struct target_request *request, const struct mount *mount, const char *path,
			       struct target *target)
{
	return kd_error_wrap(take_directory(mount, path_below(path, mount->mount_point), target), "path %s",
			     request->path);
}

/* --- without a mount ---------------------------------------------------------------------------------------------- */

/* Mount @device by @options ("name=value,flag,…"), without a mount point. -1 and errno. */
static int try_mount(const char *device, const char *options)
{
	_cleanup_close_ int context = fsopen("nfs", FSOPEN_CLOEXEC);
	_cleanup_free_ char *copy = strdup(options);
	char *cursor = copy, *option;

	if (context < 0 || !copy || fsconfig(context, FSCONFIG_SET_STRING, "source", device, 0) < 0)
		return -1;
	while ((option = strsep(&cursor, ","))) {
		char *value = strchr(option, '=');

		if (value)
			*value++ = '\0';
		if (fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value, 0) < 0)
			return -1;
	}
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(context, FSMOUNT_CLOEXEC, 0);
}

/* A server that cannot be reached by one version of the protocol cannot be by the next, which would wait as long. */
static bool is_unreachable(int errnum)
{
	return errnum == ETIMEDOUT || errnum == EHOSTUNREACH || errnum == ENETUNREACH;
}

/* Mount the export in the newest version of the protocol that the server takes. @target gets what worked. */
static struct kd_error *probe_versions(const char *device, const char *address, struct target *target, int *ret)
{
	static const char *const versions[] = { "vers=4.2", "vers=4.1", "vers=4", "vers=3" };
	struct kd_error *err;
	int errnum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		_cleanup_free_ char *options = NULL, *source = NULL, *impatient = NULL;

		err = kd_format(&source, "%s,addr=%s", versions[i], address);
		if (!err)
			err = make_options(source, address, &options);
		if (!err)
			err = kd_format(&impatient, "%s," IMPATIENCE, options);
		if (err)
			return err;
		*ret = try_mount(target->device, impatient);
		if (*ret >= 0) {
			target->options = take_ptr(options);
			return NULL;
		}
		if (errno == ENODEV)
			return kd_error_create(KD_ERR_NOT_FOUND,
					       "the running kernel does not know NFS: \"modprobe nfs\" shows why");
		/* What another version was refused for tells more than that the server does not take this one. */
		if (!errnum || errno != EPROTONOSUPPORT)
			errnum = errno;
		if (is_unreachable(errnum))
			break;
	}
	return kd_error_os(errnum, "cannot mount %s", device);
}

/* Mount it from the first address that answers. */
static struct kd_error *probe_addresses(const struct target_request *request, const struct nfs_name *name,
					struct target *target, int *ret)
{
	_cleanup_free_ struct net_address_text *address = NULL;
	size_t count = 0, i;
	struct kd_error *err = net_resolve_server(name->server, &address, &count);

	*ret = -1;
	for (i = 0; i < count && *ret < 0; i++) {
		const char *text = address[i].text;

		kd_error_destroy(err);
		err = kd_set_text(&target->server, text);
		if (err)
			break;
		free(take_ptr(target->device));
		err = kd_format(&target->device, strchr(text, ':') ? "[%s]:%s" : "%s:%s", text, name->export);
		if (!err)
			err = probe_versions(request->device, text, target, ret);
	}
	return err;
}

static struct kd_error *no_directory(const struct target_request *request)
{
	return kd_error_create(
		KD_ERR_NOT_FOUND,
		"directory %s does not exist on the dump target %s: mount it and \"mkdir -p\" the directory "
		"there, or let \"path\" name another one",
		request->path, request->device);
}

static struct kd_error *look_inside(const struct target_request *request, const struct nfs_name *name,
				    struct target *target)
{
	_cleanup_close_ int fd = -1, dir = -1;
	struct statvfs space;
	struct kd_error *err;

	err = probe_addresses(request, name, target, &fd);
	if (err)
		return err;
	dir = request->path[1] ? openat(fd, request->path + 1, O_PATH | O_DIRECTORY | O_CLOEXEC) : dup(fd);
	if (dir < 0)
		return no_directory(request);
	if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return kd_error_os(errno,
				   "%s: root of this machine may not write to %s (the export needs no_root_squash)",
				   request->device, request->path);
	if (fstatvfs(fd, &space) == 0)
		target->available = (uint64_t)space.f_bavail * space.f_frsize;
	err = kd_set_text(&target->type, "nfs");
	if (!err)
		err = kd_set_text(&target->server_name, name->server);
	return err ? err : kd_set_text(&target->path, request->path);
}

/* --- the target that the configuration names ---------------------------------------------------------------------- */

/* A mount of the export that is named, as the machine's administrator wrote it. */
static const struct mount *find_mount(const struct mounts *mounts, const char *device)
{
	size_t length = strlen(device), i;

	while (length > 1 && device[length - 1] == '/')
		length--;
	for (i = 0; i < mounts->count; i++) {
		const char *source = mounts->mount[i].source;

		if (nfs_is_type(mounts->mount[i].type) && strncmp(source, device, length) == 0 &&
		    strspn(source + length, "/") == strlen(source + length))
			return &mounts->mount[i];
	}
	return NULL;
}

struct kd_error *nfs_resolve(const struct kd_sysroot *root, const struct target_request *request,
			     const struct mounts *mounts, struct target *target)
{
	const struct mount *mount = find_mount(mounts, request->device);
	_cleanup_(nfs_name_free) struct nfs_name name = { 0 };
	_cleanup_free_ char *directory = NULL, *real = NULL;
	struct kd_error *err;
	bool ok;

	err = parse_name(request->device, &name, &ok);
	if (err)
		return err;
	if (!ok)
		return kd_error_create(KD_ERR_CONFIG, "\"%s\" is not SERVER:/DIRECTORY", request->device);
	if (!mount && (request->mounted || !kd_sysroot_is_live(root)))
		return kd_error_create(KD_ERR_STATE, "%s is not mounted: mount it", request->device);
	if (!mount)
		return look_inside(request, &name, target);
	directory = path_join(mount->mount_point, request->path);
	if (!directory)
		return kd_error_nomem();
	err = directory_follow(root, directory, &real);
	if (err)
		return err;
	/* Links are followed now: the capture sees nothing but the target. They, or another mount, may lead away. */
	if (!directory_exists(root, real) || mounts_find(mounts, real) != mount)
		return kd_error_create(KD_ERR_NOT_FOUND,
				       "directory %s does not exist on the dump target %s: \"mkdir -p %s\" creates it",
				       request->path, request->device, directory);
	return take_directory(mount, path_below(real, mount->mount_point), target);
}
