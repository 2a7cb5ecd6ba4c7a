/* SPDX-License-Identifier: GPL-2.0-or-later */
/* makedumpfile's command line, so that a caller of makedumpfile can call dumpfilter instead. */
#include "dumpfilter/cli/command.h"

#include <getopt.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "dumpfilter/vmcore/kdump_format.h"
#include "dumpfilter/write/writer.h"

#define MESSAGE_LEVEL_MAX 31
#define CYCLIC_BUFFER_MAX (UINT64_C(1) << 32)

enum long_option {
	OPTION_MESSAGE_LEVEL = 256,
	OPTION_DUMP_DMESG,
	OPTION_CHECK_PARAMS,
	OPTION_NUM_THREADS,
	OPTION_SIZE_LIMIT,
	OPTION_MAX_MEMORY,
	OPTION_CYCLIC_BUFFER,
	OPTION_ESTIMATE,
	OPTION_STRICT_COMPAT,
	OPTION_REPORT,
	OPTION_CONFIG,
	OPTION_MEM_USAGE,
	OPTION_JSON,
	OPTION_CONFIG_OPTIONAL,
	OPTION_SPLIT,
	OPTION_REASSEMBLE,
	OPTION_DRY_RUN,
	OPTION_SHOW_STATS,
	OPTION_VTOP,
	OPTION_PARTIAL_DMESG,
	OPTION_NON_MMAP,
	OPTION_CODEC, /* named by its row in the table of codecs */
	OPTION_UNCOMPRESSED,
	OPTION_EARLY,
	OPTION_IGNORED, /* dumpfilter does so anyway */
	OPTION_REFUSED, /* an option of makedumpfile; refused[] has the reason */
};

/* Options of makedumpfile that dumpfilter does not have, and the reason. */
static const struct {
	const char *name;
	const char *reason;
} refused[] = {
	{ "exclude-unused-vm", "crash and drgn need the struct pages that it leaves out to look pages up" },
	{ "fill-excluded-pages", "readers could not tell a page that was left out from one with that value" },
	{ "diskset", "dumps made by firmware (sadump) cannot be read" },
	{ "eppic", "use --config to erase data" },
	{ "xen-syms", "dumps of a Xen control domain cannot be filtered" },
	{ "xen-vmcoreinfo", "dumps of a Xen control domain cannot be filtered" },
	{ "xen_phys_start", "dumps of a Xen control domain cannot be filtered" },
	{ "X", "dumps of a Xen control domain cannot be filtered" },
};

static const char short_options[] = "+:d:clpzfDhvEFRXb:x:i:g:e";

static const struct option long_options[] = {
	{ "message-level", required_argument, NULL, OPTION_MESSAGE_LEVEL },
	{ "dump-dmesg", no_argument, NULL, OPTION_DUMP_DMESG },
	{ "check-params", no_argument, NULL, OPTION_CHECK_PARAMS },
	{ "num-threads", required_argument, NULL, OPTION_NUM_THREADS },
	{ "size-limit", required_argument, NULL, OPTION_SIZE_LIMIT },
	{ "max-memory", required_argument, NULL, OPTION_MAX_MEMORY },
	{ "estimate", no_argument, NULL, OPTION_ESTIMATE },
	{ "strict-compat", no_argument, NULL, OPTION_STRICT_COMPAT },
	{ "report", required_argument, NULL, OPTION_REPORT },
	{ "fast", no_argument, NULL, OPTION_CODEC },
	{ "small", no_argument, NULL, OPTION_CODEC },
	{ "uncompressed", no_argument, NULL, OPTION_UNCOMPRESSED },
	{ "early", no_argument, NULL, OPTION_EARLY },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ "split", no_argument, NULL, OPTION_SPLIT },
	{ "reassemble", no_argument, NULL, OPTION_REASSEMBLE },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "config-optional", no_argument, NULL, OPTION_CONFIG_OPTIONAL },
	{ "generate-vmcoreinfo", required_argument, NULL, 'g' },
	{ "read-vmcoreinfo", required_argument, NULL, 'i' },
	{ "diskset", required_argument, NULL, OPTION_REFUSED },
	{ "cyclic-buffer", required_argument, NULL, OPTION_CYCLIC_BUFFER },
	{ "splitblock-size", required_argument, NULL, OPTION_IGNORED },
	{ "work-dir", required_argument, NULL, OPTION_IGNORED },
	{ "non-mmap", no_argument, NULL, OPTION_NON_MMAP },
	{ "mem-usage", no_argument, NULL, OPTION_MEM_USAGE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "exclude-unused-vm", no_argument, NULL, OPTION_REFUSED },
	{ "partial-dmesg", no_argument, NULL, OPTION_PARTIAL_DMESG },
	{ "show-stats", no_argument, NULL, OPTION_SHOW_STATS },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "vtop", required_argument, NULL, OPTION_VTOP },
	{ "fill-excluded-pages", required_argument, NULL, OPTION_REFUSED },
	{ "eppic", required_argument, NULL, OPTION_REFUSED },
	{ "xen-syms", required_argument, NULL, OPTION_REFUSED },
	{ "xen-vmcoreinfo", required_argument, NULL, OPTION_REFUSED },
	{ "xen_phys_start", required_argument, NULL, OPTION_REFUSED },
	{ 0 },
};

static struct kd_error *parse_number(const char *text, const char *option, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (!kd_parse_u64(text, 0, &value) || value > max)
		return kd_error_create(KD_ERR_USAGE, "%s %s: not a number from 0 to %lu", option, text, max);
	*ret = value;
	return NULL;
}

static struct kd_error *parse_size(const char *text, const char *option, uint64_t *ret)
{
	uint64_t value;

	if (!kd_parse_size(text, &value) || value == 0)
		return kd_error_create(KD_ERR_USAGE,
				       "%s %s: not a size: a number of bytes, or a number followed by K, M, G or T",
				       option, text);
	*ret = value;
	return NULL;
}

/* "31" or "31,0": levels to be tried in turn; each one if the dump of the level before did not fit. */
static struct kd_error *parse_levels(const char *text, struct dumpfilter_options *options)
{
	unsigned int count = 0;

	for (const char *rest = text;; rest++) {
		size_t length = strcspn(rest, ",");
		char item[8] = "";
		uint64_t value = 0;
		struct kd_error *err;

		if (length < sizeof(item))
			memcpy(item, rest, length);
		err = parse_number(item, "-d", DUMP_LEVEL_MAX, &value);
		if (err) {
			kd_error_destroy(err);
			return kd_error_create(KD_ERR_USAGE, "-d %s: not a dump level from 0 to %d, nor a list of them",
					       text, DUMP_LEVEL_MAX);
		}
		if (count == 0)
			options->level = (unsigned int)value;
		else if (count <= DUMPFILTER_FALLBACK_MAX)
			options->fallback_level[options->fallback_count++] = (unsigned int)value;
		else
			return kd_error_create(KD_ERR_USAGE, "-d %s: more than %d dump levels", text,
					       DUMPFILTER_FALLBACK_MAX + 1);
		count++;
		rest += length;
		if (!*rest)
			return NULL;
	}
}

static struct kd_error *set_codec(const struct codec *codec, struct dumpfilter_command *command)
{
	if (command->codec_given && command->options.codec != codec)
		return kd_error_create(KD_ERR_USAGE, "give only one compression: -c, -l, -p, -z, --fast, --small or "
						     "--uncompressed");
	command->options.codec = codec;
	command->codec_given = true;
	return NULL;
}

static struct kd_error *select_codec(char option, const struct codec *const *table, struct dumpfilter_command *command)
{
	for (size_t i = 0; table[i]; i++)
		if (table[i]->option == option)
			return set_codec(table[i], command);
	return kd_error_create(KD_ERR_USAGE, "-%c: this program was built without that compression", option);
}

/* @option: a letter, or an enum long_option. */
static struct kd_error *select_writer(int option, const char *name, struct dumpfilter_options *options)
{
	for (size_t i = 0; writers[i]; i++) {
		if (writers[i]->option != option)
			continue;
		if (options->writer && options->writer != writers[i])
			return kd_error_create(KD_ERR_USAGE, "%s: give only one output format", name);
		options->writer = writers[i];
		return NULL;
	}
	return kd_error_create(KD_ERR_USAGE, "%s: this program was built without that format", name);
}

static struct kd_error *refuse(const char *name)
{
	const char *reason = "";

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (strcmp(refused[i].name, name) == 0)
			reason = refused[i].reason;
	return kd_error_create(KD_ERR_USAGE, "%s%s is not supported: %s", name[1] ? "--" : "-", name, reason);
}

static struct kd_error *select_long_codec(const char *option, const struct codec *const *table,
					  struct dumpfilter_command *command)
{
	for (size_t i = 0; table[i]; i++)
		if (table[i]->long_option && strcmp(table[i]->long_option, option) == 0)
			return set_codec(table[i], command);
	return kd_error_create(KD_ERR_USAGE, "--%s: this program was built without that compression", option);
}

static struct kd_error *apply_option(int option, int long_index, const char *arg, const struct codec *const *table,
				     struct dumpfilter_command *command)
{
	uint64_t number = 0;
	struct kd_error *err = NULL;

	switch (option) {
	case 'd':
		command->options.fallback_count = 0;
		return parse_levels(arg, &command->options);
	case 'c':
	case 'l':
	case 'p':
	case 'z':
		return select_codec((char)option, table, command);
	case 'E':
		return select_writer('E', "-E", &command->options);
	case OPTION_SPLIT:
		return select_writer(WRITER_SPLIT, "--split", &command->options);
	case 'F':
		command->options.flatten = true;
		return NULL;
	case 'R':
		command->rearrange = true;
		return NULL;
	case OPTION_REASSEMBLE:
		command->reassemble = true;
		return NULL;
	case OPTION_DRY_RUN:
		command->options.dry_run = true;
		return NULL;
	case OPTION_SHOW_STATS:
		command->show_stats = true;
		return NULL;
	case 'b':
		return NULL;
	case 'f':
		command->options.replace = true;
		return NULL;
	case 'D':
		command->debug++;
		return NULL;
	case 'h':
		command->show_help = true;
		return NULL;
	case 'v':
		command->show_version = true;
		return NULL;
	case OPTION_MESSAGE_LEVEL:
		err = parse_number(arg, "--message-level", MESSAGE_LEVEL_MAX, &number);
		if (!err)
			command->message_level = (int)number;
		return err;
	case OPTION_NUM_THREADS:
		err = parse_number(arg, "--num-threads", 4096, &number);
		if (!err) /* with makedumpfile 0 means no threads besides the main one */
			command->options.threads = number ? (unsigned int)number : 1;
		return err;
	case OPTION_ESTIMATE:
		command->estimate = true;
		return NULL;
	case OPTION_SIZE_LIMIT:
		return parse_size(arg, "--size-limit", &command->options.size_limit);
	case OPTION_REPORT:
		command->report = arg;
		return NULL;
	case OPTION_MAX_MEMORY:
		return parse_size(arg, "--max-memory", &command->options.memory_limit);
	case OPTION_CYCLIC_BUFFER:
		/* The argument is the size of a bitmap in KiB. */
		err = parse_number(arg, "--cyclic-buffer", CYCLIC_BUFFER_MAX, &number);
		if (!err)
			command->options.window_pages = number << 13;
		return err;
	case OPTION_DUMP_DMESG:
		command->dump_dmesg = true;
		return NULL;
	case OPTION_CHECK_PARAMS:
		command->check_params = true;
		return NULL;
	case OPTION_STRICT_COMPAT:
		command->options.strict_compat = true;
		return NULL;
	case 'x':
		command->vmlinux = arg;
		return NULL;
	case 'i':
		command->vmcoreinfo = arg;
		return NULL;
	case 'g':
		command->generate = arg;
		return NULL;
	case OPTION_MEM_USAGE:
		command->mem_usage = true;
		return NULL;
	case OPTION_JSON:
		command->json = true;
		return NULL;
	case OPTION_CONFIG:
		command->config = arg;
		return NULL;
	case OPTION_CONFIG_OPTIONAL:
		command->config_optional = true;
		return NULL;
	case OPTION_VTOP:
		/* Hexadecimal, with or without 0x, as makedumpfile takes it. */
		if (!kd_parse_u64(arg, 16, &command->vtop_address))
			return kd_error_create(KD_ERR_USAGE, "--vtop %s: not a hexadecimal address", arg);
		command->vtop = true;
		return NULL;
	case OPTION_PARTIAL_DMESG:
		command->options.since_clear = true;
		return NULL;
	case OPTION_NON_MMAP:
		command->options.no_mmap = true;
		return NULL;
	case OPTION_IGNORED:
		return NULL;
	case 'e':
		return refuse("exclude-unused-vm");
	case 'X':
		return refuse("X");
	case OPTION_REFUSED:
		return refuse(long_options[long_index].name);
	case OPTION_CODEC:
		return select_long_codec(long_options[long_index].name, table, command);
	case OPTION_UNCOMPRESSED:
		return set_codec(NULL, command);
	case OPTION_EARLY:
		command->options.early = true;
		return NULL;
	default:
		return kd_error_create(KD_ERR_USAGE, "-%c is not supported", option);
	}
}

static struct kd_error *bad_option(int result, const char *word)
{
	if (result == ':')
		return kd_error_create(KD_ERR_USAGE, "%s: the argument is missing", word);
	return kd_error_create(KD_ERR_USAGE, "unknown option %s", word);
}

/* The options decide what the operands mean. Operands may be missing, because capture names the files itself. */
static struct kd_error *assign_operands(struct dumpfilter_command *command, const char *const *operand,
					unsigned int count)
{
	bool split = command->options.writer && command->options.writer->option == WRITER_SPLIT;
	unsigned int max = split || command->reassemble ? DUMPFILTER_PARTS_MAX + 1 : command->options.flatten ? 1 : 2;

	if (count > max)
		return kd_error_create(KD_ERR_USAGE, "%s: one operand too many%s", operand[max],
				       command->options.flatten ? " (-F writes to standard output)" : "");
	if ((split || command->reassemble) && count < 3 && (count > 0 || command->reassemble))
		return kd_error_create(KD_ERR_USAGE,
				       split ? "--split: VMCORE and at least two DUMPFILEs are needed" :
					       "--reassemble: at least two files and DUMPFILE are needed");
	if (command->reassemble) {
		command->output = operand[--count];
		memcpy(command->part, operand, count * sizeof(*operand));
		command->part_count = count;
	} else if (split && count > 0) {
		command->input = operand[0];
		command->output = operand[1];
		memcpy(command->part, operand + 2, (count - 2) * sizeof(*operand));
		command->part_count = count - 2;
	} else if (count == 1 && (command->options.flatten || (command->options.dry_run && !command->rearrange))) {
		command->input = operand[0];
	} else {
		command->input = count == 2 ? operand[0] : NULL;
		command->output = count == 2 ? operand[1] : operand[0];
	}
	return NULL;
}

/* Refuse options that contradict each other. */
static struct kd_error *check_together(const struct dumpfilter_command *command)
{
	const struct dumpfilter_options *options = &command->options;
	const char *format = options->writer ? (options->writer->option == WRITER_SPLIT ? "--split" : "-E") : NULL;

	if (options->writer && options->writer->uncompressed && options->codec && command->codec_given)
		return kd_error_create(KD_ERR_USAGE,
				       "%s cannot be combined with a compression (%s): it does not compress pages",
				       format, options->codec->name);
	if (options->early && !options->flatten)
		return kd_error_create(KD_ERR_USAGE, "--early is for -F: a file has the pages that matter most first "
						     "anyway");
	if (options->flatten && format)
		return kd_error_create(KD_ERR_USAGE,
				       "-F cannot be combined with %s: a pipe takes only one kdump-compressed file",
				       format);
	if (options->fallback_count && (options->flatten || (format && options->writer->option == WRITER_SPLIT)))
		return kd_error_create(KD_ERR_USAGE,
				       "several dump levels cannot be combined with %s, which has no second try",
				       options->flatten ? "-F" : format);
	if (options->dry_run && (command->reassemble || command->dump_dmesg || command->generate || command->rearrange))
		return kd_error_create(KD_ERR_USAGE, "--dry-run works only when a dump is written");
	if (command->rearrange + command->reassemble + command->dump_dmesg + (command->generate != NULL) > 1 ||
	    ((command->rearrange || command->reassemble || command->dump_dmesg) && (format || options->flatten)))
		return kd_error_create(KD_ERR_USAGE,
				       "give only one of -R, --reassemble, --dump-dmesg, -g, -E, -F and --split");
	return NULL;
}

/* Does it write a dump, in one file or many, or with --dry-run report what it would write? */
static bool writes_dump(const struct dumpfilter_command *command)
{
	return !command->dump_dmesg && !command->mem_usage && !command->estimate && !command->vtop &&
	       !command->generate && !command->rearrange && !command->reassemble;
}

/* getopt_long() must not permute argv, so it stops at each operand; it is then started again behind it. */
struct kd_error *command_parse(int argc, char *const *argv, const struct codec *const *table,
			       struct dumpfilter_command *ret)
{
	struct dumpfilter_command command = { .message_level = 7, .options.codec = table[0] };
	const char *operand[DUMPFILTER_PARTS_MAX + 2] = { NULL };
	struct kd_error *err;
	unsigned int operands = 0;

	opterr = 0;
	optind = 0; /* glibc: forget earlier calls */
	for (;;) {
		int long_index = 0, before = optind ? optind : 1;
		int option = getopt_long(argc, argv, short_options, long_options, &long_index);

		if (option == -1) {
			if (optind >= argc)
				break;
			if (operands == ARRAY_SIZE(operand))
				return kd_error_create(KD_ERR_USAGE, "%s: one operand too many", argv[optind]);
			operand[operands++] = argv[optind++];
			continue;
		}
		if (option == '?' || option == ':')
			return bad_option(option, argv[before]);
		err = apply_option(option, long_index, optarg, table, &command);
		if (err)
			return err;
	}
	if (command.options.since_clear && !command.dump_dmesg)
		return kd_error_create(KD_ERR_USAGE, "--partial-dmesg needs --dump-dmesg");
	if (command.report && !writes_dump(&command))
		return kd_error_create(KD_ERR_USAGE, "--report works only when a dump is written");
	if (command.json && !command.mem_usage)
		return kd_error_create(KD_ERR_USAGE, "--json needs --mem-usage");
	if (command.show_stats)
		command.message_level |= DUMPFILTER_MESSAGE_REPORT;
	if (command.mem_usage) {
		if (operands > 1)
			return kd_error_create(KD_ERR_USAGE, "%s: one operand too many", operand[1]);
		command.input = operands ? operand[0] : "/proc/kcore";
		*ret = command;
		return NULL;
	}
	/* --vtop and --estimate need no output. */
	if ((command.vtop || command.estimate) && operands == 1) {
		command.input = operand[0];
		*ret = command;
		return NULL;
	}
	err = check_together(&command);
	if (!err)
		err = assign_operands(&command, operand, operands);
	if (err)
		return err;
	*ret = command;
	return NULL;
}

bool dumpfilter_needs_program(const struct dumpfilter_command *command)
{
	return command->report || command->config || command->vmlinux || command->vmcoreinfo || command->generate ||
	       command->options.writer;
}

bool dumpfilter_writes_file(const struct dumpfilter_command *command)
{
	return writes_dump(command) && !command->check_params && !command->show_help && !command->show_version &&
	       !command->options.flatten && !command->options.dry_run &&
	       !(command->options.writer && command->options.writer->option == WRITER_SPLIT);
}
