/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl(8): arm the machine for its own crash, and tell whether it is armed. */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kdump/kdumpctl.h"
#include "base/array.h"
#include "kdump/lock.h"

enum {
	CHANGES = 1 << 0, /* the machine's state: needs root, and one at a time */
	LIVE = 1 << 1,    /* only on the machine itself, unless --dry-run */
};

static const struct verb {
	const char *name;
	kdumpctl_verb *run; /* NULL: Red Hat's, and not there yet */
	unsigned int flags;
	const char *help;
	const char *failed; /* last line when it fails */
} verbs[] = {
	{ "start", service_start, CHANGES | LIVE, "load the capture kernel", "Starting kdump: [FAILED]" },
	{ "stop", service_stop, CHANGES | LIVE, "unload the capture kernel", "Stopping kdump: [FAILED]" },
	{ "status", status_show, 0, "is the capture kernel loaded? (-v: which, and what changed since)", NULL },
	{ "restart", service_restart, CHANGES | LIVE, "load it anew after a change of the configuration",
	  "Starting kdump: [FAILED]" },
	{ "reload", service_reload, CHANGES | LIVE, "load it anew after a change of memory or CPUs",
	  "Starting kdump: [FAILED]" },
	{ "rebuild", service_rebuild, CHANGES, "build the capture initramfs, load nothing",
	  "mkdumprd: failed to make kdump initrd" },
	{ "showmem", status_showmem, 0, "how much memory is reserved for the capture kernel", NULL },

	{ "estimate", NULL, 0, NULL, NULL },
	{ "reset-crashkernel", NULL, 0, NULL, NULL },
	{ "propagate", NULL, 0, NULL, NULL },
	{ "test", NULL, 0, NULL, NULL },
	{ "setup-crypttab", NULL, 0, NULL, NULL },
	{ "get-default-crashkernel", NULL, 0, NULL, NULL },
};

static void print_usage(FILE *out, const char *prefix)
{
	const char *separator = "{";
	size_t i;

	fprintf(out, "%sUsage: kdumpctl ", prefix);
	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!verbs[i].run)
			continue;
		fprintf(out, "%s%s", separator, verbs[i].name);
		separator = "|";
	}
	fputs("}\n", out);
}

static int print_help(void)
{
	size_t i;

	print_usage(stdout, "");
	puts("\nArm this machine so that a kernel crash leaves a dump, and tell whether it is armed.\n");
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].run)
			printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
	puts("\nOptions:\n"
	     "  -v, --verbose      say more\n"
	     "      --json         status on standard output, for programs\n"
	     "      --dry-run      start, restart, reload: resolve, build and print everything, load nothing\n"
	     "      --kernel KVER  capture with this kernel instead of the running or the configured one\n"
	     "      --config FILE  instead of " KD_SYSCONFDIR "/kdump.conf\n"
	     "      --sysroot DIR  look at the machine whose files lie below DIR\n"
	     "      --capture FILE instead of " KD_LIBEXECDIR "/capture\n"
	     "  -h, --help         print this\n"
	     "  -V, --version      print the version\n"
	     "\nSee kdumpctl(8) and kdump.conf(5).");
	return 0;
}

static int usage_error(void)
{
	print_usage(stderr, "kdump: ");
	return 1;
}

enum { OPT_SYSROOT = 256, OPT_DRY_RUN, OPT_CONFIG, OPT_JSON, OPT_KERNEL, OPT_CAPTURE };

static const struct option options[] = {
	{ "verbose", no_argument, NULL, 'v' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct kdumpctl *ctl, const char **sysroot)
{
	int c;

	while ((c = getopt_long(argc, argv, "vhV", options, NULL)) != -1) {
		switch (c) {
		case 'v':
			ctl->verbose = true;
			break;
		case OPT_JSON:
			ctl->json = true;
			break;
		case OPT_DRY_RUN:
			ctl->dry_run = true;
			break;
		case OPT_KERNEL:
			ctl->kernel = optarg;
			break;
		case OPT_CONFIG:
			ctl->conf_file = optarg;
			break;
		case OPT_SYSROOT:
			*sysroot = optarg;
			break;
		case OPT_CAPTURE:
			ctl->capture = optarg;
			break;
		case 'h':
			return print_help();
		case 'V':
			puts("kdumpctl (" PACKAGE_NAME ") " PACKAGE_VERSION);
			return 0;
		default:
			return usage_error();
		}
	}
	return -1;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

/* May this verb do its work here? */
static struct kd_error *check_allowed(const struct kdumpctl *ctl, const struct verb *verb)
{
	bool live = kd_sysroot_is_live(&ctl->root);

	if (!verb->run)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s is not implemented yet", verb->name);
	if (ctl->dry_run && (!(verb->flags & LIVE) || verb->run == service_stop))
		return kd_error_create(KD_ERR_USAGE, "--dry-run makes no sense with %s", verb->name);
	if (ctl->json && verb->run != status_show)
		return kd_error_create(KD_ERR_USAGE, "--json makes no sense with %s", verb->name);
	if ((verb->flags & LIVE) && !live && !ctl->dry_run)
		return kd_error_create(KD_ERR_USAGE,
				       "%s works on the running machine only: with --sysroot, use --dry-run", verb->name);
	if ((verb->flags & CHANGES) && live && geteuid() != 0)
		return kd_error_create(KD_ERR_STATE, "kdumpctl %s needs root (CAP_SYS_BOOT): use sudo", verb->name);
	if (!kd_sysroot_exists(&ctl->root, ctl->conf_file)) {
		kd_info(&ctl->log, "%s%s does not exist: an empty file there is enough", ctl->root.prefix,
			ctl->conf_file);
		return kd_error_create(KD_ERR_CONFIG, "Error: No kdump config file found!");
	}
	return NULL;
}

static struct kd_error *run_verb(struct kdumpctl *ctl, const struct verb *verb, int *status)
{
	_cleanup_close_ int lock = -1;
	struct kd_error *err = NULL;

	if ((verb->flags & CHANGES) && !ctl->dry_run)
		err = lock_take(&ctl->root, &ctl->log, &lock);
	return err ? err : verb->run(ctl, status);
}

int main(int argc, char **argv)
{
	struct kdumpctl ctl = { .conf_file = KD_SYSCONFDIR "/kdump.conf", .capture = KD_LIBEXECDIR "/capture" };
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { .fd = -1 };
	const char *sysroot = NULL;
	const struct verb *verb;
	struct kd_error *err;
	int status;

	status = parse_options(argc, argv, &ctl, &sysroot);
	if (status >= 0)
		return status;
	verb = optind == argc - 1 ? find_verb(argv[optind]) : NULL;
	if (!verb)
		return usage_error();
	kd_log_init(&ctl.log, stderr, "kdump", ctl.verbose ? KD_LOG_DEBUG : KD_LOG_INFO);
	umask(022); /* what must not be read by others is made with a narrower mode */

	status = 0;
	err = kd_sysroot_open(sysroot, &root);
	if (!err) {
		ctl.root = root;
		err = check_allowed(&ctl, verb);
	}
	if (kd_log_error(&ctl.log, err))
		return 1;
	if (kd_log_error(&ctl.log, run_verb(&ctl, verb, &status))) {
		if (verb->failed)
			kd_log(&ctl.log, KD_LOG_ERROR, "%s", verb->failed);
		return 1;
	}
	return status;
}
