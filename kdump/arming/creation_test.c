/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/creation_test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "kdump/arming/health.h"
#include "kdump/config/settings.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/terminal.h"

enum { OPTION_CRASH, OPTION_FORCE };

const struct verb_option creation_test_options[] = {
	[OPTION_CRASH] = { .name = "crash", .help = "do not ask" },
	[OPTION_FORCE] = { .name = "force", .help = "the same, as Red Hat's kdumpctl calls it" },
	{ 0 },
};

/* --- the record --------------------------------------------------------------------------------------------------- */

static struct kd_error *write_status(const struct kdumpctl *ctl, const char *word, int64_t when)
{
	_cleanup_free_ char *path = kd_sysroot_path(&ctl->root, CREATION_TEST_PATH),
			    *directory = kd_sysroot_path(&ctl->root, KD_STATEDIR);
	char text[64];
	struct kd_error *err;

	if (!path || !directory)
		return kd_error_nomem();
	snprintf(text, sizeof(text), "%s %" PRId64 "\n", word, when);
	err = kd_mkdir_p(directory, 0755);
	return err ? err : kd_write_file_atomic(path, text, strlen(text), 0644);
}

/* False: there is no record, or none that makes sense. */
static bool read_status(const struct kdumpctl *ctl, char word[16], int64_t *when)
{
	_cleanup_free_ char *text = NULL;

	return !kd_error_discard(kd_sysroot_read(&ctl->root, CREATION_TEST_PATH, &text, NULL)) &&
	       sscanf(text, "%15s %" SCNd64, word, when) == 2;
}

struct kd_error *creation_test_clear(const struct kdumpctl *ctl)
{
	_cleanup_free_ char *path = kd_sysroot_path(&ctl->root, CREATION_TEST_PATH);
	char word[16];
	int64_t when;

	if (!path)
		return kd_error_nomem();
	if (read_status(ctl, word, &when) && strcmp(word, "pending") == 0)
		return NULL;
	if (unlink(path) < 0 && errno != ENOENT)
		return kd_error_os(errno, "cannot remove %s", path);
	return NULL;
}

/* The clock of a dump is the one that wrote the record, but for the seconds that its name leaves out. */
struct kd_error *creation_test_settle(const struct kdumpctl *ctl, const struct dumps *dumps)
{
	bool success = false;
	char word[16];
	int64_t when;
	size_t i;

	if (!read_status(ctl, word, &when) || strcmp(word, "pending") != 0)
		return NULL;
	for (i = 0; i < dumps->count; i++)
		if (dumps->dump[i].time + 1 >= when && dumps->dump[i].state == DUMP_COMPLETE)
			success = true;
	return write_status(ctl, success ? "success" : "fail", when);
}

/* Only the word "no" silences it, as in Red Hat's settings. */
static bool is_wanted(const struct kdumpctl *ctl)
{
	_cleanup_(settings_free) struct settings settings = { 0 };

	return kd_error_discard(settings_load(&ctl->root, NULL, &settings)) || !settings.creation_notification ||
	       strcmp(settings.creation_notification, "no") != 0;
}

void creation_test_remark(const struct kdumpctl *ctl)
{
	char word[16], date[TERM_TIME_MAX];
	int64_t when;

	if (!is_wanted(ctl))
		return;
	if (!read_status(ctl, word, &when)) {
		kd_info(&ctl->log, "No vmcore creation test performed!");
		return;
	}
	term_time(when, date);
	if (strcmp(word, "success") == 0)
		kd_info(&ctl->log, "Notice: Last successful vmcore creation test on %s", date);
	else if (strcmp(word, "fail") == 0)
		kd_info(&ctl->log, "Last NOT successful vmcore creation test on %s", date);
	else
		kd_info(&ctl->log, "Require manual check for vmcore creation test of %s", date);
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static void explain(const struct health *health)
{
	char age[TERM_TIME_MAX];

	printf("This machine will crash now, save its memory, and reboot; what is not saved elsewhere is lost.\n"
	       "armed    %s\ntarget   %s\n",
	       health->armed.kernel ? health->armed.kernel : "by another program",
	       health->armed.target ? health->armed.target : "not known");
	if (health->captured)
		printf("last     %s (%s)\n", health->capture_name, term_age(health->captured, age));
	putchar('\n');
}

/* Only a terminal can say yes. */
static bool ask(const struct kdumpctl *ctl)
{
	char answer[8] = "";

	fprintf(ctl->log.stream, "DANGER!!! Will perform a kdump test by crashing the system, proceed? (y/N): ");
	fflush(ctl->log.stream);
	if (!isatty(STDIN_FILENO) || !fgets(answer, sizeof(answer), stdin))
		fputc('\n', ctl->log.stream);
	return *answer == 'y' || *answer == 'Y';
}

/* root may write "c" there whatever kernel.sysrq allows at the keyboard. */
static struct kd_error *crash(void)
{
	_cleanup_close_ int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	sync();
	if (fd < 0 || write(fd, "c", 1) != 1)
		return kd_error_os(errno, "cannot crash the machine by /proc/sysrq-trigger");
	return kd_error_create(KD_ERR_STATE, "the machine has survived \"c\" in /proc/sysrq-trigger");
}

struct kd_error *creation_test_run(struct kdumpctl *ctl, int *status)
{
	_cleanup_(health_free) struct health health = { 0 };
	unsigned int failures;
	struct kd_error *err = health_check(ctl, &health);

	if (err)
		return err;
	if (!health.loaded)
		return kd_error_create(KD_ERR_STATE, "Kdump needs be operational before test.");
	explain(&health);
	err = check_everything(ctl, &failures);
	if (err)
		return err;
	fflush(stdout);
	if (!ctl->option[OPTION_CRASH] && !ctl->option[OPTION_FORCE] && !ask(ctl)) {
		kd_info(&ctl->log, "Operation cancelled.");
		return NULL;
	}
	err = service_reload(ctl, status);
	if (!err)
		err = write_status(ctl, "pending", time(NULL)); /* durable: the machine is about to crash */
	return err ? err : crash();
}
