/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "kdumpctl test": crash the machine on purpose. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "kdump/arming/creation_test.h"
#include "kdump/arming/health.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/terminal.h"
#include "kdump/verbs/verbs.h"

enum { OPTION_CRASH, OPTION_FORCE };

const struct verb_option test_options[] = {
	[OPTION_CRASH] = { .name = "crash", .help = "crash without asking" },
	[OPTION_FORCE] = { .name = "force", .help = "the same, under the name that Red Hat's kdumpctl has for it" },
	{ 0 },
};

static void explain(const struct health *health)
{
	char age[TERM_TIME_MAX];
	struct term term;

	term_init(&term, stdout);
	puts("This machine will crash now, save its memory, and reboot. Unsaved work is lost.");
	term_line(&term, "armed    %s", health->armed.kernel ? health->armed.kernel : "by another program");
	term_line(&term, "target   %s", health->armed.target ? health->armed.target : "not known");
	for (size_t i = 0; i < health->armed.left_out_count; i++)
		term_line(&term, "without  %s", health->armed.left_out[i].text);
	if (health->captured)
		term_line(&term, "last     %s (%s)", health->capture_name, term_age(health->captured, age));
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

/* root may write "c" to this file even if kernel.sysrq forbids that key. */
static struct kd_error *crash(void)
{
	_cleanup_close_ int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	sync();
	if (fd < 0 || write(fd, "c", 1) != 1)
		return kd_error_os(errno, "cannot crash the machine by /proc/sysrq-trigger");
	return kd_error_create(KD_ERR_STATE,
			       "the machine did not crash after \"c\" was written to /proc/sysrq-trigger");
}

struct kd_error *test_run(struct kdumpctl *ctl, int *status)
{
	_cleanup_(health_free) struct health health = { 0 };
	unsigned int failures;
	struct kd_error *err = health_check(&ctl->root, &ctl->log, &health);

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
	err = arm_reload(ctl, status);
	if (!err)
		err = creation_test_begin(&ctl->root);
	return err ? err : crash();
}
