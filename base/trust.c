/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/trust.h"

#include <errno.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)

static bool has_trusted_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

bool kd_is_trusted(const struct stat *st)
{
	return has_trusted_owner(st) && !(st->st_mode & OTHERS_WRITE);
}

bool kd_is_exchangeable(const struct stat *st)
{
	return !has_trusted_owner(st) || ((st->st_mode & OTHERS_WRITE) && !(st->st_mode & S_ISVTX));
}

struct kd_error *kd_trust(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return kd_error_os(errno, "cannot tell whose %s is", path);
	if (!has_trusted_owner(&st))
		return kd_error_create(KD_ERR_STATE, "%s belongs to user %u, not to root", path, st.st_uid);
	if (!kd_is_trusted(&st))
		return kd_error_create(KD_ERR_STATE, "others than root can write to %s (mode %04o)", path,
				       st.st_mode & 07777);
	return NULL;
}
