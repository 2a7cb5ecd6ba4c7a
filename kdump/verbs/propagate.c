/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl propagate": make a key for dumps, and bring it to the ssh target. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/run.h"
#include "base/text.h"
#include "kdump/config/conf.h"
#include "kdump/storage/ssh.h"
#include "kdump/verbs/verbs.h"

/* Run one of OpenSSH's programs on the user's terminal, as passwords may be asked for. */
static struct kd_error *run_openssh(const char *const *argv, bool *ok)
{
	struct kd_error *err = kd_run_shown(argv, false, ok);

	return err && err->errnum == ENOENT ? kd_error_wrap(err, "OpenSSH's client is missing: install it") : err;
}

static struct kd_error *make_key(const struct kdumpctl *ctl, const char *key)
{
	_cleanup_free_ char *host = NULL, *comment = NULL;
	struct kd_error *err;
	bool ok;

	if (kd_sysroot_exists(&ctl->root, key)) {
		kd_info(&ctl->log, "Using existing keys...");
		return NULL;
	}
	kd_error_destroy(kd_sysroot_read_line(&ctl->root, &host, "/proc/sys/kernel/hostname"));
	err = kd_format(&comment, "kdump@%s", host ? host : "localhost");
	if (err)
		return err;
	kd_info(&ctl->log, "Generating new ssh keys...");
	err = run_openssh((const char *const[]){ "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f",
						 key, NULL },
			  &ok);
	return err || ok ? err : kd_error_create(KD_ERR_STATE, "ssh-keygen could not make %s", key);
}

/* A key that needs no passphrase should be able to do no more than what it is for. */
static void recommend_restriction(const struct kdumpctl *ctl, const char *public_key)
{
	_cleanup_free_ char *text = NULL;

	if (kd_error_discard(kd_sysroot_read_line(&ctl->root, &text, "%s", public_key)))
		return;
	printf("The key can do everything that its user can. To let it only write files, replace its line in the "
	       "server's authorized_keys by:\n"
	       "restrict,command=\"internal-sftp\" %s\n",
	       text);
}

/* The first server that is reached by ssh; NULL: there is none. */
static const char *find_server(const struct kd_conf *conf)
{
	if (conf->target_type && strcmp(conf->target_type, "ssh") == 0)
		return conf->target;
	for (size_t i = 0; i < conf->further_count; i++)
		if (strcmp(conf->further[i].type, "ssh") == 0)
			return conf->further[i].device;
	return NULL;
}

struct kd_error *propagate_key(struct kdumpctl *ctl, int *status)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	_cleanup_free_ char *public_key = NULL;
	const char *key, *server;
	struct kd_error *err;
	bool ok;

	err = kd_conf_load(&ctl->root, &ctl->log, ctl->conf_file, &conf);
	if (err)
		return err;
	server = find_server(&conf);
	if (!server)
		return kd_error_create(KD_ERR_CONFIG, "No ssh config specified in %s. Can't propagate", conf.file);
	if (!kd_sysroot_is_live(&ctl->root))
		return kd_error_create(KD_ERR_STATE, "a key is made for the running machine only");
	key = ssh_key(&ctl->root, conf.sshkey);
	err = make_key(ctl, key);
	if (!err)
		err = kd_format(&public_key, "%s.pub", key);
	if (!err)
		err = run_openssh((const char *const[]){ "ssh-copy-id", "-i", public_key, server, NULL }, &ok);
	if (err)
		return err;
	if (!ok)
		return kd_error_create(KD_ERR_STATE, "Failed to propagate ssh key, could not transfer %s to %s", key,
				       server);
	kd_info(&ctl->log, "%s has been added to the authorized_keys of %s", key, server);
	recommend_restriction(ctl, public_key);
	return NULL;
}
