/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmcore-dmesg(8): the log of a crashed kernel, for scripts that call kexec-tools' program of this name. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/visible.h"
#include "dumpfilter/dumpfilter.h"

enum { EXIT_USAGE = 1, EXIT_OPEN = 2, EXIT_FORMAT = 3 };

/* Files and programs get the log as it is. A terminal gets no commands from it: a carriage return hides a line. */
static struct kd_error *write_log(const char *path, const struct kd_log *log)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *out = NULL;
	struct kd_error *err;
	size_t size;

	if (!isatty(STDOUT_FILENO))
		return dumpfilter_dmesg(path, stdout, log);
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	err = dumpfilter_dmesg(path, out, log);
	if (fclose(take_ptr(out)) == 0)
		kd_visible_put(stdout, text, true);
	return err;
}

int main(int argc, char **argv)
{
	_cleanup_close_ int fd = -1;
	struct kd_log log;

	kd_log_init(&log, stderr, "vmcore-dmesg", KD_LOG_INFO);
	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return EXIT_USAGE;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		kd_log(&log, KD_LOG_ERROR, "cannot open %s: %s", argv[1], strerror(errno));
		return EXIT_OPEN;
	}
	if (kd_log_error(&log, write_log(argv[1], &log)))
		return EXIT_FORMAT;
	return kd_log_error(&log, kd_flush_stdout()) ? EXIT_FORMAT : 0;
}
