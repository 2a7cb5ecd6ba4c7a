/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Targets on servers of objects: "http https://SERVER/DIRECTORY" and "s3 s3://BUCKET/PREFIX". */
#ifndef KDUMP_STORAGE_OBJECTS_H
#define KDUMP_STORAGE_OBJECTS_H

#include "base/error.h"
#include "base/sysroot.h"
#include "kdump/storage/target.h"

/** Resolve @request: the server's addresses, and the files that the image needs. Then an object is written to the
 *  server, as the capture will, and removed again if that is allowed.
 *  KD_ERR_NOT_FOUND (a file or the server does not exist), KD_ERR_CONFIG (others may read the credentials),
 *  KD_ERR_STATE (the server refuses). Each message says what to do. */
struct kd_error *objects_resolve(const struct kd_sysroot *root, const struct target_request *request,
				 struct target *target) MUST_CHECK;

/** The URL that the objects of "s3://BUCKET/PREFIX" lie below. *ret is owned by the caller. KD_ERR_NOMEM. */
struct kd_error *objects_s3_url(const char *place, const struct target_access *access, char **ret) MUST_CHECK;

#endif
