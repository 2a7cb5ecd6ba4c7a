/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/secret.h"

#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

void kd_secret_free(void *secret)
{
	if (secret)
		explicit_bzero(secret, malloc_usable_size(secret));
	free(secret);
}

void kd_secret_guard(void)
{
	/* With MCL_ONFAULT only pages that are used anyway take memory. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		mlockall(MCL_CURRENT); /* best effort */
	prctl(PR_SET_DUMPABLE, 0);
}
