/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/watchdog.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

void watchdog_pet(int *fd)
{
	if (*fd < 0)
		*fd = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);
	if (*fd >= 0)
		ioctl(*fd, WDIOC_KEEPALIVE, 0);
}

void watchdog_stop(int fd)
{
	if (fd >= 0 && write(fd, "V", 1) == 1)
		close(fd);
}
