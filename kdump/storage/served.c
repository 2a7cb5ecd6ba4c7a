/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/served.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/served_disk.h"
#include "base/text.h"
#include "kdump/network/network.h"

#define REMEDY "choose a dump target on another disk"

/* --- attributes --------------------------------------------------------------------------------------------------- */

/* *ret stays NULL if the attribute is missing or not set. */
static struct kd_error *read_attribute(const struct kd_sysroot *root, const char *directory, const char *name,
				       char **ret)
{
	static const char *const unset[] = { "", "(null)", "<NULL>", "none" };
	_cleanup_secret_ char *line = NULL;
	struct kd_error *err = kd_sysroot_read_line(root, &line, "%s/%s", directory, name);

	if (err && err->code == KD_ERR_NOMEM)
		return err;
	if (kd_error_discard(err))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(unset); i++)
		if (strcmp(line, unset[i]) == 0)
			return NULL;
	*ret = take_ptr(line);
	return NULL;
}

static struct kd_error *need_attribute(const struct kd_sysroot *root, const char *directory, const char *name,
				       char **ret)
{
	struct kd_error *err = read_attribute(root, directory, name, ret);

	return err || *ret ? err : kd_error_create(KD_ERR_NOT_FOUND, "%s/%s tells nothing", directory, name);
}

static struct kd_error *refuse(const char *disk, const char *what, const char *why)
{
	return kd_error_create(KD_ERR_UNSUPPORTED, "%s is a disk of a server, by %s, %s: " REMEDY, disk, what, why);
}

/* The name of a volume stays the same over boots; a slash would be read as that of a directory. */
static struct kd_error *add_volume(struct kd_plan *plan, const char *kind, const char *identity, const char *address,
				   char *const *words, bool secret)
{
	_cleanup_free_ char *name = NULL, *disk = NULL, *key = NULL;
	char *all[KD_SERVED_WORDS + 2] = { NULL };
	struct kd_error *err = kd_format(&name, "%s@%s", identity, address);

	if (!err)
		err = kd_format(&disk, "DISK=%s", identity);
	if (err)
		return err;
	for (char *p = name; (p = strpbrk(p, "/ "));)
		*p = '_';
	if (kd_plan_find_volume(plan, name))
		return NULL;
	if (secret)
		err = kd_format(&key, KD_PLAN_KEY_PREFIX "%s", name);
	if (err)
		return err;
	all[KD_SERVED_DISK] = disk;
	memcpy(all + 1, words, (KD_SERVED_WORDS - 1) * sizeof(*all));
	all[KD_SERVED_ISCSI_KEY] = key;
	return kd_plan_add_volume(plan, kind, name, all);
}

static struct kd_error *identify(const struct kd_sysroot *root, const char *disk, char **ret)
{
	struct kd_error *err = kd_disk_identity(root, disk, ret);

	return err || *ret ? err : refuse(disk, "a network", "and tells no World Wide Identifier");
}

/* --- iSCSI -------------------------------------------------------------------------------------------------------- */

/* "session3" of ".../host2/session3/target2:0:0/...". NULL: it is not on the way of @path. */
static char *part_of(const char *path, const char *prefix)
{
	const char *part = strstr(path, prefix), *digits = part ? part + strlen(prefix) : NULL;
	size_t count = digits ? strspn(digits, "0123456789") : 0;

	return count && (digits[count] == '/' || !digits[count]) ? strndup(part + 1, strlen(prefix) - 1 + count) : NULL;
}

/* Where the login was made to, if that is an address; else where the connection leads. */
static struct kd_error *read_portal(const struct kd_sysroot *root, const char *session, char **address, char **port)
{
	_cleanup_free_ char *connection = NULL;
	struct kd_error *err = kd_format(&connection, "/sys/class/iscsi_connection/connection%s:0",
					 session + strlen("session"));

	if (!err)
		err = read_attribute(root, connection, "persistent_address", address);
	if (!err && *address && net_address_parse(*address, &(struct net_address){ 0 }))
		return need_attribute(root, connection, "persistent_port", port);
	free(take_ptr(*address));
	if (!err)
		err = need_attribute(root, connection, "address", address);
	return err ? err : need_attribute(root, connection, "port", port);
}

/* Only the software initiator lives in the kernel alone: adapters have sessions of their own. */
static struct kd_error *check_transport(const struct kd_sysroot *root, const char *path, const char *disk)
{
	_cleanup_free_ char *host = part_of(path, "/host"), *name = NULL;

	if (host && !kd_error_discard(kd_sysroot_read_line(root, &name, "/sys/class/scsi_host/%s/proc_name", host)) &&
	    strcmp(name, "iscsi_tcp") == 0)
		return NULL;
	return refuse(disk, name ? name : "an unknown adapter",
		      "and the capture knows only the software initiator of iSCSI (iscsi_tcp)");
}

static struct kd_error *check_digests(const struct kd_sysroot *root, const char *session, const char *disk)
{
	static const char *const names[] = { "header_digest", "data_digest" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t used = 0;

		kd_error_destroy(kd_sysroot_read_u64(root, 10, &used, "/sys/class/iscsi_connection/connection%s:0/%s",
						     session + strlen("session"), names[i]));
		if (used)
			return refuse(disk, "iSCSI", "with digests, which the capture does not ask for");
	}
	return NULL;
}

static struct kd_error *resolve_session(const struct kd_sysroot *root, const char *disk, const char *session,
					struct kd_plan *plan)
{
	_cleanup_free_ char *directory = NULL, *identity = NULL, *address = NULL, *port = NULL, *target = NULL,
			    *group = NULL, *initiator = NULL, *user = NULL;
	struct kd_error *err = kd_format(&directory, "/sys/class/iscsi_session/%s", session);

	if (!err)
		err = check_digests(root, session, disk);
	if (!err)
		err = identify(root, disk, &identity);
	if (!err)
		err = read_portal(root, session, &address, &port);
	if (!err)
		err = need_attribute(root, directory, "targetname", &target);
	if (!err)
		err = need_attribute(root, directory, "tpgt", &group);
	if (!err)
		err = need_attribute(root, directory, "initiatorname", &initiator);
	if (!err)
		err = read_attribute(root, directory, "username", &user);
	return err ? err :
		     add_volume(plan, KD_SERVED_ISCSI, identity, address,
				(char *const[]){ address, port, target, group, initiator }, user != NULL);
}

static struct kd_error *resolve_iscsi(const struct kd_sysroot *root, const char *disk, const char *path,
				      struct kd_plan *plan)
{
	_cleanup_free_ char *session = part_of(path, "/session");
	struct kd_error *err;

	if (!session)
		return NULL;
	err = check_transport(root, path, disk);
	if (!err && !kd_sysroot_exists(root, KD_SERVED_ISCSI_PROGRAM))
		err = kd_error_create(
			KD_ERR_NOT_FOUND,
			"%s is an iSCSI disk, and " KD_SERVED_ISCSI_PROGRAM
			", by which the capture logs in, is missing: install it (Debian: open-iscsi, Red Hat: "
			"iscsi-initiator-utils)",
			disk);
	return err ? err : kd_error_wrap(resolve_session(root, disk, session, plan), "iSCSI disk %s", disk);
}

/* --- its secret --------------------------------------------------------------------------------------------------- */

static bool is_session(const struct kd_sysroot *root, const char *session, const char *target, const char *address)
{
	_cleanup_free_ char *name = NULL, *found = NULL, *port = NULL;

	return !kd_error_discard(
		       kd_sysroot_read_line(root, &name, "/sys/class/iscsi_session/%s/targetname", session)) &&
	       strcmp(name, target) == 0 && !kd_error_discard(read_portal(root, session, &found, &port)) &&
	       strcmp(found, address) == 0;
}

/* Join @line, missing ones as empty ones. */
static char *join_lines(char *const *line, size_t count)
{
	size_t size = 1, used = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		size += (line[i] ? strlen(line[i]) : 0) + 1;
	text = malloc(size);
	for (size_t i = 0; i < count && text; i++)
		used += (size_t)snprintf(text + used, size - used, "%s\n", line[i] ? line[i] : "");
	return text;
}

static struct kd_error *read_secret(const struct kd_sysroot *root, const char *session, char **ret)
{
	static const char *const names[KD_SERVED_CHAP_LINES] = { "username", "password", "username_in", "password_in" };
	char *line[KD_SERVED_CHAP_LINES] = { NULL };
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err = kd_format(&directory, "/sys/class/iscsi_session/%s", session);

	for (size_t i = 0; i < ARRAY_SIZE(names) && !err; i++)
		err = read_attribute(root, directory, names[i], &line[i]);
	if (!err && (!line[0] || !line[1]))
		err = kd_error_create(KD_ERR_NOT_FOUND, "the kernel does not tell the password of its session");
	if (!err && !(*ret = join_lines(line, ARRAY_SIZE(line))))
		err = kd_error_nomem();
	for (size_t i = 0; i < ARRAY_SIZE(line); i++)
		kd_secret_free(line[i]);
	return err;
}

struct kd_error *served_secret(const struct kd_sysroot *root, const char *target, const char *address, char **ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/sys/class/iscsi_session");
	const char *session;

	kd_secret_guard();
	while (dir && (session = kd_next_entry(dir)))
		if (kd_starts_with(session, "session") && is_session(root, session, target, address))
			return read_secret(root, session, ret);
	return kd_error_create(KD_ERR_NOT_FOUND, "this machine has no session with %s at %s any more", target, address);
}

/* --- NVMe --------------------------------------------------------------------------------------------------------- */

/* The value of @name in "traddr=10.0.2.2,trsvcid=4420,src_addr=10.0.2.15". */
static struct kd_error *address_part(const char *text, const char *name, char **ret)
{
	size_t length = strlen(name);

	for (; *text; text += strcspn(text, ","), text += *text == ',')
		if (strncmp(text, name, length) == 0 && text[length] == '=') {
			*ret = strndup(text + length + 1, strcspn(text, ",") - length - 1);
			return *ret ? NULL : kd_error_nomem();
		}
	return kd_error_create(KD_ERR_NOT_FOUND, "its address has no %s", name);
}

/* The transports of the kernel that the capture knows. */
struct transport {
	const char *name, *kind, *what;
};
static const struct transport transports[] = {
	{ "tcp", KD_SERVED_NVME, "NVMe over TCP" },
	{ "rdma", KD_SERVED_NVME_RDMA, "NVMe over RDMA" },
};

/* What a server may ask for beside the name of the machine. */
static struct kd_error *check_controller(const struct kd_sysroot *root, const char *directory, const char *disk,
					 const struct transport *transport)
{
	static const struct {
		const char *attribute, *what;
	} secrets[] = {
		{ "dhchap_secret", "with authentication (DH-HMAC-CHAP), which the capture does not know" },
		{ "tls_key", "with TLS, which the capture does not know" },
	};
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(secrets) && !err; i++) {
		_cleanup_secret_ char *value = NULL;

		err = read_attribute(root, directory, secrets[i].attribute, &value);
		if (!err && value)
			err = refuse(disk, transport->what, secrets[i].what);
	}
	return err;
}

static struct kd_error *add_controller(const struct kd_sysroot *root, const char *disk, const char *directory,
				       const struct transport *transport, struct kd_plan *plan)
{
	_cleanup_free_ char *identity = NULL, *address = NULL, *host = NULL, *port = NULL, *subsystem = NULL,
			    *hostnqn = NULL, *hostid = NULL;
	struct kd_error *err = check_controller(root, directory, disk, transport);

	if (!err)
		err = identify(root, disk, &identity);
	if (!err)
		err = need_attribute(root, directory, "address", &address);
	if (!err)
		err = address_part(address, "traddr", &host);
	if (!err)
		err = address_part(address, "trsvcid", &port);
	if (!err)
		err = need_attribute(root, directory, "subsysnqn", &subsystem);
	if (!err)
		err = need_attribute(root, directory, "hostnqn", &hostnqn);
	if (!err)
		err = need_attribute(root, directory, "hostid", &hostid);
	return err ? err :
		     add_volume(plan, transport->kind, identity, host,
				(char *const[]){ host, port, subsystem, hostnqn, hostid }, false);
}

/* @name: "nvme3". Those of this machine's own disks need no login. */
static struct kd_error *resolve_controller(const struct kd_sysroot *root, const char *disk, const char *name,
					   struct kd_plan *plan)
{
	_cleanup_free_ char *directory = NULL, *transport = NULL, *why = NULL;
	struct kd_error *err = kd_format(&directory, "/sys/class/nvme/%s", name);

	if (!err)
		err = read_attribute(root, directory, "transport", &transport);
	if (err || !transport || strcmp(transport, "pcie") == 0)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (strcmp(transport, transports[i].name) == 0)
			return kd_error_wrap(add_controller(root, disk, directory, &transports[i], plan),
					     "NVMe disk %s", disk);
	err = kd_format(&why, "NVMe over %s", transport);
	return err ? err : refuse(disk, why, "and the capture knows only NVMe over TCP and over RDMA");
}

static bool is_controller(const char *name)
{
	return kd_starts_with(name, "nvme") && name[4] && !name[4 + strspn(name + 4, "0123456789")];
}

/* With multipath, the disk is its subsystem's, whose directory has the controllers; else its controller's. */
static struct kd_error *resolve_nvme(const struct kd_sysroot *root, const char *disk, const char *path,
				     struct kd_plan *plan)
{
	_cleanup_free_ char *above = strndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_closedir_ DIR *dir = NULL;
	struct kd_error *err = NULL;
	const char *name;

	if (!above)
		return kd_error_nomem();
	name = strrchr(above, '/') + 1;
	if (is_controller(name))
		return resolve_controller(root, disk, name, plan);
	if (!kd_starts_with(name, "nvme-subsys"))
		return NULL;
	dir = kd_sysroot_open_dir(root, above);
	while (dir && !err && (name = kd_next_entry(dir)))
		if (is_controller(name))
			err = resolve_controller(root, disk, name, plan);
	return err;
}

struct kd_error *served_resolve(const struct kd_sysroot *root, const char *disk, struct kd_plan *plan)
{
	_cleanup_free_ char *link = NULL, *path = NULL;
	struct kd_error *err = kd_format(&link, "/sys/class/block/%s", disk);

	if (!err && kd_error_discard(kd_sysroot_realpath(root, link, &path)))
		return NULL; /* sysfs does not know it */
	if (!err)
		err = resolve_iscsi(root, disk, path, plan);
	return err ? err : resolve_nvme(root, disk, path, plan);
}
