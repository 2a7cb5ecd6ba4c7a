/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Volumes: the capture assembles what LVM, software RAID and encryption assembled on the healthy machine, from the
 *  plan, by the kernel's own interfaces and without their programs. */
#ifndef CAPTURE_VOLUMES_H
#define CAPTURE_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/plan.h"
#include "base/sysroot.h"
#include "capture/disks.h"

/** Which volumes of @plan make up @device (as in its targets), by their places in the plan. Owned by the caller;
 *  NULL: no memory. */
bool *volumes_below(const struct kd_plan *plan, const char *device);

/** Assemble these volumes in the plan's order, and wait for their members until @deadline (clock_ms()), but not on the
 *  disks @avoid. A volume that exists stays as it is. It may block as long as a disk does: run it in a child. Returns
 *  how many volumes are missing; the log says why. */
size_t volumes_assemble(const struct kd_sysroot *root, const struct kd_plan *plan, const char *device,
			const struct disks *avoid, int64_t deadline, const struct kd_log *log);

/** Make a device-mapper table as the ioctl wants it (struct dm_target_spec, parameters, struct …) from the plan's
 *  words: rows of START LENGTH TYPE PARAMETER…, KD_PLAN_ROW_END between them. @translate turns each parameter into text
 *  (to be freed); *ret is owned by the caller, *rows_ret counts the rows. KD_ERR_FORMAT. */
struct kd_error *volumes_dm_table(char *const *words,
				  struct kd_error *(*translate)(void *arg, const char *word, char **ret), void *arg,
				  char **ret, size_t *size_ret, unsigned int *rows_ret) MUST_CHECK;

/** Replace the legs of dm-raid rows in @words (as above) that are not @there by KD_PLAN_NO_LEG, unless the level needs
 *  them: then a row stays as it is. Returns how many legs were replaced. */
unsigned int volumes_drop_legs(char **words, bool (*there)(void *arg, const char *word), void *arg);

#endif
