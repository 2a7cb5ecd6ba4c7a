/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PID 1 of the capture kernel of a guest that runs pages.c: /proc/vmcore, as it is, goes to the fourth disk. Static,
 * for any architecture. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pid1.h"

#define SECTOR 4096u

/* A full chunk, but at the end. */
static ssize_t read_chunk(int fd, char *buf)
{
	size_t size = 0;

	while (size < CHUNK) {
		ssize_t done = read(fd, buf + size, CHUNK - size);

		if (done < 0)
			return -1;
		if (done == 0)
			break;
		size += (size_t)done;
	}
	return (ssize_t)size;
}

static int save(int from, int to)
{
	char *buf = aligned_alloc(SECTOR, CHUNK);
	off_t offset = 0;
	ssize_t size;

	if (!buf)
		return -1;
	while ((size = read_chunk(from, buf)) > 0) {
		ssize_t padded = (size + SECTOR - 1) / SECTOR * SECTOR;

		memset(buf + size, 0, (size_t)(padded - size));
		if (pwrite(to, buf, (size_t)padded, offset) != padded)
			return -1;
		offset += size;
	}
	if (size < 0 || fsync(to) < 0)
		return -1;
	printf("pages: vmcore %" PRId64 "\n", (int64_t)offset);
	fflush(stdout);
	return 0;
}

int main(void)
{
	int from, to;

	pid1_start();
	from = open("/proc/vmcore", O_RDONLY | O_CLOEXEC);
	if (from < 0)
		say("/proc/vmcore", -1);
	to = open("/dev/vdd", O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (to < 0)
		say("/dev/vdd", -1);
	if (save(from, to) < 0)
		say("/proc/vmcore is not saved", -1);
	pid1_end();
}
