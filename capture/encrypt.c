/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/encrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/io.h"

void encryption_init(const struct kd_plan_encryption *plan, struct encryption *ret)
{
	*ret = (struct encryption){ .wanted = plan->count > 0 };
	for (size_t i = 0; i < plan->count && !ret->problem; i++) {
		if (i == KD_AGE_RECIPIENTS_MAX)
			ret->problem = kd_error_create(KD_ERR_LIMIT, "the plan has more than %d recipients",
						       KD_AGE_RECIPIENTS_MAX);
		else
			ret->problem = kd_age_recipient_parse(plan->recipient[i], &ret->recipient[ret->count++]);
	}
}

struct kd_error *encryption_wait(void)
{
	char byte;

	while (getrandom(&byte, sizeof(byte), 0) < 0)
		if (errno != EINTR)
			return kd_error_os(errno, "the kernel has no random numbers");
	return NULL;
}

struct kd_error *encryption_begin(const struct encryption *encryption, int fd, const char *name,
				  struct kd_age_writer **ret)
{
	if (encryption->problem)
		return kd_error_create(KD_ERR_STATE, "%s is not saved, because it cannot be encrypted: %s", name,
				       encryption->problem->text);
	if (!encryption->random)
		return kd_error_create(KD_ERR_STATE,
				       "%s is not saved, because it cannot be encrypted: the kernel has no random "
				       "numbers",
				       name);
	return kd_age_begin(fd, name, encryption->recipient, encryption->count, ret);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static ssize_t write_stream(void *cookie, const char *data, size_t size)
{
	struct kd_error *err = kd_age_write(cookie, data, size);

	if (!err)
		return (ssize_t)size;
	errno = err->errnum ? err->errnum : EIO;
	kd_error_destroy(err);
	return 0;
}

FILE *encryption_stream(struct kd_age_writer *writer)
{
	return fopencookie(writer, "w", (cookie_io_functions_t){ .write = write_stream });
}

/* --- a collector's output ----------------------------------------------------------------------------------------- */

struct piped {
	const struct child_job *job;
	int pipe[2];
};

static struct kd_error *run_piped(void *arg)
{
	const struct piped *piped = arg;

	if (dup2(piped->pipe[1], STDOUT_FILENO) < 0)
		return kd_error_os(errno, "cannot redirect the output of %s", piped->job->name);
	/* A collector must not wait for the end of its own output. */
	close(piped->pipe[0]);
	close(piped->pipe[1]);
	return piped->job->run(piped->job->arg);
}

static struct kd_error *pump(int in, struct kd_age_writer *writer)
{
	_cleanup_free_ char *buf = malloc(KD_AGE_CHUNK);
	struct kd_error *err = buf ? NULL : kd_error_nomem();

	while (!err) {
		ssize_t got = read(in, buf, KD_AGE_CHUNK);

		if (got == 0)
			return NULL;
		if (got < 0 && errno != EINTR)
			return kd_error_os(errno, "cannot read the dump that is made");
		if (got > 0)
			err = kd_age_write(writer, buf, (size_t)got);
	}
	return err;
}

/* @pipe becomes this function's own. */
static struct kd_error *collect(const struct child_job *job, int pipe[2], struct kd_age_writer *writer)
{
	struct piped piped = { .job = job, .pipe = { pipe[0], pipe[1] } };
	const struct child_job piped_job = {
		.name = job->name,
		.run = run_piped,
		.arg = &piped,
		.deadline = job->deadline,
		.expendable = job->expendable,
	};
	struct child child;
	struct kd_error *err = child_begin(&piped_job, &child), *job_err;

	close(pipe[1]);
	if (err) {
		close(pipe[0]);
		return err;
	}
	err = pump(pipe[0], writer);
	/* A job whose output nobody takes ends soon: by SIGPIPE, or with this process. */
	close(pipe[0]);
	if (err)
		return err;
	job_err = child_end(&child, NULL);
	return job_err ? job_err : kd_age_finish(writer);
}

struct kd_error *encryption_collect(const struct encryption *encryption, const char *name, const struct child_job *job)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = NULL;
	struct kd_error *err;
	int pipe[2];

	if (fd < 0)
		return kd_error_os(errno, "cannot create %s", name);
	err = encryption_begin(encryption, fd, name, &writer);
	if (!err && pipe2(pipe, O_CLOEXEC) < 0)
		err = kd_error_os(errno, "cannot make a pipe");
	if (!err)
		err = collect(job, pipe, writer);
	if (fsync(fd) < 0 && !err)
		err = kd_error_os(errno, "cannot sync %s", name);
	return err;
}
