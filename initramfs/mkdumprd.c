/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mkdumprd(8): build the capture initramfs for a plan. */
#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "initramfs/initramfs.h"

#define EXIT_USAGE 2
#define PLAN_MAX   ((size_t)1 << 20)

struct options {
	const char *plan;   /* file; "-" for standard input */
	const char *kernel; /* NULL: the plan's */
	const char *capture;
	const char *sysroot; /* NULL: this machine */
	const char *output;
	char **extra_bins, **extra_modules, **extra_files; /* NULL-terminated, room for argc */
	enum image_compression compression;
	bool force, print, verbose;
};

static void options_free(struct options *options)
{
	free(options->extra_bins);
	free(options->extra_modules);
	free(options->extra_files);
}
static void options_free_cleanup(struct options *options)
{
	options_free(options);
}

enum {
	OPT_CAPTURE = 256,
	OPT_EXTRA_BIN,
	OPT_EXTRA_MODULE,
	OPT_EXTRA_FILE,
	OPT_COMPRESSION,
	OPT_SYSROOT,
	OPT_PRINT,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "force", no_argument, NULL, 'f' },
	{ "plan", required_argument, NULL, 'p' },
	{ "kernel", required_argument, NULL, 'k' },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "extra-bin", required_argument, NULL, OPT_EXTRA_BIN },
	{ "extra-module", required_argument, NULL, OPT_EXTRA_MODULE },
	{ "extra-file", required_argument, NULL, OPT_EXTRA_FILE },
	{ "compression", required_argument, NULL, OPT_COMPRESSION },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "print", no_argument, NULL, OPT_PRINT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: mkdumprd [options] --plan FILE OUTPUT [KERNEL]\n"
	      "       mkdumprd --print IMAGE\n"
	      "\n"
	      "Build the initramfs that captures a kernel crash, if its inputs have changed.\n"
	      "\n"
	      "  -p, --plan FILE         the plan to build for (kdump-plan(5)); - reads it from standard input\n"
	      "  -f, --force             build even if nothing has changed\n"
	      "  -k, --kernel RELEASE    use the modules of this kernel (default: the plan's)\n"
	      "      --capture FILE      the capture program (default: " KD_LIBEXECDIR "/capture)\n"
	      "      --extra-bin FILE    add a program and its libraries; may be repeated\n"
	      "      --extra-module NAME add a kernel module; may be repeated\n"
	      "      --extra-file FILE   add a file as it is; may be repeated\n"
	      "      --compression NAME  compress the whole archive: none (default), gzip, zstd\n"
	      "      --sysroot DIR       read the machine captured in DIR instead of this one\n"
	      "      --print             list the contents of the image\n"
	      "  -v, --verbose           say which device needs which module\n"
	      "  -h, --help              print this help\n"
	      "      --version           print the version\n",
	      out);
}

static void append(char **list, char *item)
{
	while (*list)
		list++;
	*list = item;
}

/* Positional arguments: OUTPUT [KERNEL]. */
static struct kd_error *take_arguments(int count, char **arguments, struct options *ret)
{
	if (count < 1 || count > 2)
		return kd_error_create(KD_ERR_USAGE, "%s; try --help",
				       count ? "too many arguments" : "no output given");
	ret->output = arguments[0];
	if (count == 2)
		ret->kernel = arguments[1];
	if (!ret->plan && !ret->print)
		return kd_error_create(KD_ERR_USAGE, "no --plan given; \"kdumpctl rebuild\" makes one from kdump.conf");
	return NULL;
}

/* *done_ret: the help or the version was printed. */
static struct kd_error *parse_options(int argc, char **argv, struct options *ret, bool *done_ret)
{
	int c;

	ret->extra_bins = calloc(argc, sizeof(char *));
	ret->extra_modules = calloc(argc, sizeof(char *));
	ret->extra_files = calloc(argc, sizeof(char *));
	if (!ret->extra_bins || !ret->extra_modules || !ret->extra_files)
		return kd_error_nomem();
	while ((c = getopt_long(argc, argv, "fp:k:vh", long_options, NULL)) != -1) {
		switch (c) {
		case 'f':
			ret->force = true;
			break;
		case 'p':
			ret->plan = optarg;
			break;
		case 'k':
			ret->kernel = optarg;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case OPT_CAPTURE:
			ret->capture = optarg;
			break;
		case OPT_EXTRA_BIN:
			append(ret->extra_bins, optarg);
			break;
		case OPT_EXTRA_MODULE:
			append(ret->extra_modules, optarg);
			break;
		case OPT_EXTRA_FILE:
			append(ret->extra_files, optarg);
			break;
		case OPT_COMPRESSION:
			if (!image_compression_parse(optarg, &ret->compression))
				return kd_error_create(KD_ERR_USAGE, "--compression %s: use none, gzip or zstd",
						       optarg);
			break;
		case OPT_SYSROOT:
			ret->sysroot = optarg;
			break;
		case OPT_PRINT:
			ret->print = true;
			break;
		case 'h':
			usage(stdout);
			*done_ret = true;
			return NULL;
		case OPT_VERSION:
			puts("mkdumprd (" PACKAGE_NAME ") " PACKAGE_VERSION);
			*done_ret = true;
			return NULL;
		default: /* getopt has printed the reason */
			return kd_error_create(KD_ERR_USAGE, "try --help");
		}
	}
	return take_arguments(argc - optind, argv + optind, ret);
}

static struct kd_error *read_plan(const struct options *options, struct kd_plan *ret)
{
	const char *file = strcmp(options->plan, "-") == 0 ? "/dev/stdin" : options->plan;
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;

	err = kd_read_file(file, PLAN_MAX, &text, NULL);
	if (!err)
		err = kd_plan_parse(text, options->plan, ret);
	return err || !options->kernel ? err : kd_set_text(&ret->kernel_release, options->kernel);
}

static struct kd_error *build(const struct options *options, const struct kd_log *log)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	const struct initramfs_request request = {
		.root = &root,
		.plan = &plan,
		.capture = options->capture,
		.extra_bins = options->extra_bins,
		.extra_modules = options->extra_modules,
		.extra_files = options->extra_files,
		.output = options->output,
		.compression = options->compression,
		.force = options->force,
		.log = log,
	};
	struct initramfs_result result;
	struct kd_error *err;

	err = read_plan(options, &plan);
	if (!err)
		err = kd_sysroot_open(options->sysroot, &root);
	if (!err)
		err = initramfs_build(&request, &result);
	if (err)
		return err;
	kd_info(log, "%s is %s: %" PRIu64 " bytes, %" PRIu64 " unpacked, for kernel %s, made of %s", options->output,
		result.rebuilt ? "built" : "up to date", result.image_size, result.unpacked_size, plan.kernel_release,
		result.hash);
	return NULL;
}

int main(int argc, char **argv)
{
	_cleanup_(options_free) struct options options = { .capture = KD_LIBEXECDIR "/capture" };
	struct kd_error *err;
	struct kd_log log;
	bool done = false, is_usage;

	kd_log_init(&log, stderr, "mkdumprd", KD_LOG_INFO);
	err = parse_options(argc, argv, &options, &done);
	if (options.verbose)
		log.level = KD_LOG_DEBUG;
	if (!err && !done && options.plan)
		err = build(&options, &log);
	if (!err && !done && options.print)
		err = image_list(options.output, stdout);
	if (!err)
		err = kd_flush_stdout();
	is_usage = err && err->code == KD_ERR_USAGE;
	if (!kd_log_error(&log, err))
		return EXIT_SUCCESS;
	return is_usage ? EXIT_USAGE : EXIT_FAILURE;
}
