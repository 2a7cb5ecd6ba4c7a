/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The initramfs of an image, put together from its parts. */
#ifndef KDUMP_LOADER_INITRD_H
#define KDUMP_LOADER_INITRD_H

#include "kdump/loader/image.h"
#include "kdump/loader/loader.h"

struct initrd {
	char *data; /* NULL: there is none */
	size_t size;
	size_t secret_size; /* the last bytes of it are secret */
};

/** Read the initramfs that @request names; if it names none, the one in the unified kernel image @kernel, with that
 *  image's microcode in front. Behind it goes the secret. KD_ERR_LIMIT if it takes more than @max bytes, before it is
 *  read. Owned by the caller. */
struct kd_error *initrd_read(const struct loader_request *request, const struct kernel_image *kernel, uint64_t max,
			     struct initrd *ret) MUST_CHECK;

void initrd_free(struct initrd *initrd); /* wipes the secret; zeroed is allowed */
static inline void initrd_free_cleanup(struct initrd *initrd)
{
	initrd_free(initrd);
}

#endif
