/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program dumpfilter(8). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "dumpfilter/cli/mem_usage.h"
#include "dumpfilter/report.h"
#include "dumpfilter/cli/supplement.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/write/output.h"

#define EXIT_USAGE 2
#define EXIT_FULL  3

static void print_usage(void)
{
	printf("Usage: dumpfilter [-c|-l|-p|-z|--fast|--small|--uncompressed] [-d LEVEL[,LEVEL]...] [-f] VMCORE DUMPFILE\n"
	       "       dumpfilter -E [-d LEVEL[,LEVEL]...] [-f] VMCORE DUMPFILE\n"
	       "       dumpfilter -F [-c|-l|-p|-z] [-d LEVEL] VMCORE >STREAM\n"
	       "       dumpfilter -R [-f] DUMPFILE <STREAM\n"
	       "       dumpfilter --split [-c|-l|-p|-z] [-d LEVEL] [-f] VMCORE DUMPFILE DUMPFILE...\n"
	       "       dumpfilter --reassemble [-f] DUMPFILE DUMPFILE... NEWDUMPFILE\n"
	       "       dumpfilter --dump-dmesg [-f] VMCORE LOGFILE\n"
	       "       dumpfilter --mem-usage [--json] [/proc/kcore]\n"
	       "\n"
	       "Filter and compress the memory of a crashed Linux kernel (/proc/vmcore, or a dump), or write\n"
	       "only the kernel's log.\n"
	       "\n"
	       "  -d LEVEL             leave out: 1 zero pages, 2 page cache, 4 page cache with private\n"
	       "                       data too, 8 user memory, 16 free pages; the sum, 0 to 31\n");
	for (size_t i = 0; codecs[i]; i++)
		if (codecs[i]->option)
			printf("  -%c                   compress with %s\n", codecs[i]->option, codecs[i]->name);
	printf("  --fast               compress fastest (lzo)\n"
	       "  --small              compress smallest (zlib)\n"
	       "  --uncompressed       do not compress; the default is zlib, nearly as fast as -l\n"
	       "  -E                   write an ELF file\n"
	       "  -F                   write to standard output, in the flattened format for pipes\n"
	       "  --early              with -F: the pages that matter most come first\n"
	       "  -R                   make a dump file of a flattened dump\n"
	       "  --split              split the dump into several files\n"
	       "  --reassemble         join the files that --split wrote\n"
	       "  --dry-run            write nothing (--show-stats prints the size the dump would have)\n"
	       "  --show-stats         print at the end how many pages were found and written\n"
	       "  --report FILE        write the same to FILE, for programs\n"
	       "  -f                   replace DUMPFILE if it exists\n"
	       "  -x VMLINUX           take symbols and types that the dump lacks from VMLINUX\n"
	       "  -i FILE              the same from a file that -g wrote\n"
	       "  -g FILE              make FILE from VMLINUX (-x); no dump\n"
	       "  --config FILE        overwrite the data that FILE names; no dump if any is not found\n"
	       "  --config-optional    only warn about data that is not found\n"
	       "  -D                   print more messages\n"
	       "  --dump-dmesg         write the kernel's log\n"
	       "  --mem-usage          show how the running kernel uses its memory\n"
	       "  --check-params       check the command line, do nothing\n"
	       "  --message-level N    1 progress, 4 errors, 8 debugging, 16 report; the sum (7)\n"
	       "  --num-threads N      threads to use (default: one per CPU, as far as memory allows)\n"
	       "  --estimate           print the size of a dump of VMCORE, and the memory it takes\n"
	       "  --size-limit SIZE    write at most this many bytes (K, M, G, T)\n"
	       "  --max-memory SIZE    use at most this much memory, in cycles if needed\n"
	       "  -h, --help           this text\n"
	       "  -v, --version        version and compressions\n");
}

static void print_version(void)
{
	printf("dumpfilter (%s) %s\ncompression:", PACKAGE_NAME, PACKAGE_VERSION);
	for (size_t i = 0; codecs[i]; i++)
		if (codecs[i]->option)
			printf(" %s", codecs[i]->name);
	printf("\n");
}

struct progress {
	struct timespec start;
	bool shown;
};

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *progress = arg;
	struct timespec now;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (double)(now.tv_sec - progress->start.tv_sec) + (double)(now.tv_nsec - progress->start.tv_nsec) / 1e9;
	fprintf(stderr, "\rCopying data: [%5.1f %%]  eta: %.0fs   ",
		total ? 100.0 * (double)done / (double)total : 100.0,
		done ? seconds * (double)(total - done) / (double)done : 0.0);
	progress->shown = true;
}

static void print_report(const struct dumpfilter_report *report, FILE *out)
{
	for (int i = 0; i < PAGE_CLASS_COUNT; i++)
		fprintf(out, "pages %-15s %12lu\n", page_class_name((enum page_class)i), report->pages[i]);
	fprintf(out, "pages %-15s %12lu\n", "shared", report->pages_shared);
	fprintf(out, "pages %-15s %12lu\n", "unreadable", report->unreadable);
	if (report->vital_unreadable)
		fprintf(out, "pages %-15s %12lu\n", "of these, vital", report->vital_unreadable);
	if (read_error_is_set(&report->first_unreadable))
		fprintf(out, "the first at 0x%lx: %s\n", report->first_unreadable.paddr, report->first_unreadable.text);
	fprintf(out, "pages %-15s %12lu\n", "written", report->pages_written);
	fprintf(out, "bytes %-15s %12lu\n", "written", report->bytes_written);
}

/* The dump does not depend on it, so a failure is only a warning. */
static void save_report(const char *path, const struct dumpfilter_report *report, const struct kd_log *log)
{
	FILE *out = fopen(path, "we");

	if (out)
		dumpfilter_report_write(out, report);
	if (!out || fclose(out) != 0)
		kd_warn(log, "--report %s: %s", path, strerror(errno));
}

/* Do the two names lead to one file? Devices do not count. */
static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	if (!a || !b)
		return false;
	if (stat(a, &x) < 0 || stat(b, &y) < 0)
		return strcmp(a, b) == 0;
	return S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_read(const struct dumpfilter_command *command, const char *path)
{
	const char *const file[] = { command->input, command->vmlinux, command->vmcoreinfo, command->config };
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(file) && !found; i++)
		found = same_file(path, file[i]);
	for (unsigned int i = 0; i < command->part_count && !found && command->reassemble; i++)
		found = same_file(path, command->part[i]);
	return found;
}

static struct kd_error *check_written(const struct dumpfilter_command *command, const char *path)
{
	if (!is_read(command, path))
		return NULL;
	return kd_error_create(KD_ERR_USAGE, "%s: the file is to be read and written: name another one", path);
}

/* A file that is written over while it is read is lost. */
static struct kd_error *check_outputs(const struct dumpfilter_command *command)
{
	struct kd_error *err = check_written(command, command->report);

	if (!err)
		err = check_written(command, command->generate);
	if (err || command->options.dry_run)
		return err;
	if (same_file(command->report, command->output))
		return kd_error_create(KD_ERR_USAGE, "--report %s: the dump is to be written there: name another file",
				       command->report);
	err = check_written(command, command->output);
	for (unsigned int i = 0; i < command->part_count && !err && !command->reassemble; i++)
		err = check_written(command, command->part[i]);
	return err;
}

static struct kd_error *rearrange(const struct dumpfilter_command *command)
{
	_cleanup_close_ int in = command->input ? open(command->input, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);

	if (in < 0)
		return kd_error_os(errno, "%s", command->input ? command->input : "standard input");
	return dumpfilter_rearrange(in, command->output, command->options.replace);
}

static struct kd_error *reassemble(const struct dumpfilter_command *command)
{
	return dumpfilter_reassemble(command->part, command->part_count, command->output, command->options.replace);
}

static struct kd_error *save_log(const struct dumpfilter_command *command, const char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	struct kd_error *err = output_create_fd(command->output, command->options.replace, &fd);

	if (!err && kd_write_all(fd, text, size) < 0)
		err = kd_error_os(errno, "%s", command->output);
	return err;
}

/* The file is made when there is something to write: of a damaged log as much as could be read. */
static struct kd_error *write_log(struct dumpfilter_command *command, const struct kd_log *log)
{
	_cleanup_(supplement_close) struct supplement *supplement = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out;
	struct kd_error *err = supplement_open(command, log, &supplement);

	if (err)
		return err;
	command->options.log = log;
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	err = dumpfilter_dmesg_with(command->input, out, &command->options);
	if (fclose(out) != 0 && !err)
		err = kd_error_nomem();
	if (!err)
		return save_log(command, text, size);
	if (size > 0)
		kd_error_destroy(save_log(command, text, size));
	return err;
}

static struct kd_error *write_dump(struct dumpfilter_command *command, const struct kd_log *log, bool *full_ret)
{
	struct dumpfilter_report report;
	struct progress progress = { 0 };
	_cleanup_(supplement_close) struct supplement *supplement = NULL;
	struct kd_error *err = supplement_open(command, log, &supplement);

	if (err)
		return err;
	clock_gettime(CLOCK_MONOTONIC, &progress.start);
	command->options.log = log;
	command->options.part = command->part;
	command->options.part_count = command->part_count;
	if ((command->message_level & DUMPFILTER_MESSAGE_PROGRESS) && isatty(STDERR_FILENO)) {
		command->options.progress = show_progress;
		command->options.progress_arg = &progress;
	}
	err = dumpfilter_run(command->input, command->output, &command->options, &report);
	if (progress.shown)
		fputc('\n', stderr);
	if (command->message_level & DUMPFILTER_MESSAGE_REPORT)
		print_report(&report, command->options.flatten ? stderr : stdout);
	if (command->report)
		save_report(command->report, &report, log);
	*full_ret = report.full;
	return err;
}

static struct kd_error *show_usage(struct dumpfilter_command *command, const struct kd_log *log)
{
	enum mem_usage_style style = isatty(STDOUT_FILENO) ? MEM_USAGE_CHART : MEM_USAGE_TABLE;
	_cleanup_(supplement_close) struct supplement *supplement = NULL;
	struct dumpfilter_report report;
	struct kd_error *err = supplement_open(command, log, &supplement);

	command->options.log = log;
	if (!err)
		err = dumpfilter_census(command->input, &command->options, &report);
	if (err)
		return err;
	mem_usage_print(stdout, &report, command->json ? MEM_USAGE_JSON : style);
	return kd_flush_stdout();
}

static struct kd_error *show_translation(struct dumpfilter_command *command, const struct kd_log *log)
{
	_cleanup_(supplement_close) struct supplement *supplement = NULL;
	struct kd_error *err = supplement_open(command, log, &supplement);
	uint64_t paddr;

	command->options.log = log;
	if (!err)
		err = dumpfilter_translate(command->input, &command->options, command->vtop_address, &paddr);
	if (err)
		return err;
	printf("%-18s %s\n%-18lx %lx\n", "VIRTUAL", "PHYSICAL", command->vtop_address, paddr);
	return kd_flush_stdout();
}

static struct kd_error *print_estimate(struct dumpfilter_command *command, const struct kd_log *log)
{
	_cleanup_(supplement_close) struct supplement *supplement = NULL;
	struct dumpfilter_estimate estimate;
	struct kd_error *err = supplement_open(command, log, &supplement);

	command->options.log = log;
	if (!err)
		err = dumpfilter_estimate(command->input, &command->options, &estimate);
	if (err)
		return err;
	printf("pages  %15lu\nsize   %15lu\nmemory %15lu\n", estimate.pages, estimate.size, estimate.memory);
	return kd_flush_stdout();
}

/* Whether the operands that the command needs are there. */
static struct kd_error *check_operands(const struct dumpfilter_command *command)
{
	if (command->show_help || command->show_version || command->check_params || command->generate ||
	    command->mem_usage)
		return NULL;
	if (command->estimate)
		return command->input && !command->output ?
			       NULL :
			       kd_error_create(KD_ERR_USAGE, "--estimate takes one VMCORE and no other operand");
	if (command->input && (command->output || command->vtop))
		return NULL;
	if (command->rearrange || command->reassemble)
		return command->output ? NULL : kd_error_create(KD_ERR_USAGE, "the operand DUMPFILE is missing");
	if (command->options.flatten && !command->options.dry_run && isatty(STDOUT_FILENO))
		return kd_error_create(KD_ERR_USAGE,
				       "-F: standard output is a terminal; redirect it to a pipe or a file");
	if (command->options.flatten || command->options.dry_run)
		return command->input ? NULL : kd_error_create(KD_ERR_USAGE, "the operand VMCORE is missing");
	return kd_error_create(KD_ERR_USAGE, "the operands VMCORE and %s are missing",
			       command->dump_dmesg ? "LOGFILE" : "DUMPFILE");
}

/* *full_ret: it failed because there was not enough room. */
static struct kd_error *run(struct dumpfilter_command *command, const struct kd_log *log, bool *full_ret)
{
	if (command->generate)
		return supplement_generate(command, log);
	if (command->mem_usage)
		return show_usage(command, log);
	if (command->estimate)
		return print_estimate(command, log);
	if (command->vtop) {
		struct kd_error *err = show_translation(command, log);

		if (err || !command->output)
			return err;
	}
	if (command->rearrange)
		return rearrange(command);
	if (command->reassemble)
		return reassemble(command);
	return command->dump_dmesg ? write_log(command, log) : write_dump(command, log, full_ret);
}

int main(int argc, char **argv)
{
	struct dumpfilter_command command;
	bool full = false;
	struct kd_log log;
	struct kd_error *err;

	/* A limit on the size of files is a full disk like any other. */
	signal(SIGXFSZ, SIG_IGN);
	kd_log_init(&log, stderr, "dumpfilter", KD_LOG_INFO);
	err = dumpfilter_parse_command(argc, argv, &command);
	if (!err)
		err = check_operands(&command);
	if (!err)
		err = check_outputs(&command);
	if (kd_log_error(&log, err)) {
		fprintf(stderr, "Try 'dumpfilter --help'.\n");
		return EXIT_USAGE;
	}
	if (command.show_help)
		print_usage();
	if (command.show_version)
		print_version();
	if (command.show_help || command.show_version || command.check_params)
		return EXIT_SUCCESS;

	if (command.debug || (command.message_level & DUMPFILTER_MESSAGE_DEBUG))
		log.level = KD_LOG_DEBUG;
	else if (!(command.message_level & DUMPFILTER_MESSAGE_ERROR))
		log.level = KD_LOG_ERROR;
	err = run(&command, &log, &full);
	if (!kd_log_error(&log, err))
		return EXIT_SUCCESS;
	return full ? EXIT_FULL : EXIT_FAILURE;
}
