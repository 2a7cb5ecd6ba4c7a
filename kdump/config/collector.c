/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "kdump/config/collector.h"

#include <string.h>

#include "base/plan.h"
#include "dumpfilter/codec/codec.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/pages/erase_config.h"

/* The codecs that dumpfilter's command line can name. Nothing is compressed here, so the rows have no functions. */
static const struct codec usual = { .name = "zlib" };
static const struct codec fast = { .name = "lzo", .long_option = "fast" };
static const struct codec small = { .name = "zlib", .long_option = "small" };
static const struct codec zlib = { .name = "zlib", .option = 'c' };
static const struct codec lzo = { .name = "lzo", .option = 'l' };
#ifdef HAVE_SNAPPY
static const struct codec snappy = { .name = "snappy", .option = 'p' };
#endif
static const struct codec zstd = { .name = "zstd", .option = 'z' };

const struct codec *const codecs[] = {
	&usual,  &fast, &small, &zlib, &lzo,
#ifdef HAVE_SNAPPY
	&snappy,
#endif
	&zstd,   NULL,
};

/* The capture program is linked without libraries for compression, for their size. */
static bool capture_has(const struct codec *codec)
{
	return !codec || (codec->option != 'p' && codec->option != 'z');
}

/* What cannot be erased in the capture kernel costs the dump, so its file is read now. Names are looked up only then.
 */
struct kd_error *collector_check_config(const struct kd_sysroot *root, char *const *argv)
{
	_cleanup_(erase_config_destroy) struct erase_config *config = NULL;
	const char *path = kd_collector_config(argv);
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	size_t size;

	if (!path)
		return NULL;
	if (path[0] != '/')
		return kd_error_create(KD_ERR_CONFIG, "--config %s: an absolute path is needed", path);
	err = kd_sysroot_read(root, path, &text, &size);
	if (!err && kd_collector_is_dumpfilter(argv[0]))
		err = erase_config_parse(text, path, &config);
	return kd_error_wrap(err, "--config");
}

struct kd_error *collector_check(char *const *argv, bool *built_in)
{
	struct dumpfilter_command command;
	struct kd_error *err;
	int argc;

	*built_in = false;
	if (!kd_collector_is_dumpfilter(argv[0]))
		return NULL;
	for (argc = 0; argv[argc]; argc++)
		;
	err = dumpfilter_parse_command(argc, argv, &command);
	if (err)
		return kd_error_wrap(err, "dumpfilter");
	if (!dumpfilter_writes_file(&command))
		return kd_error_create(KD_ERR_USAGE, "dumpfilter writes no dump, or not one file, with these options");
	if (command.input || command.output)
		return kd_error_create(KD_ERR_USAGE, "dumpfilter: %s: the capture adds the names of the files",
				       command.input ? command.input : command.output);
	if (command.options.memory_limit && command.options.memory_limit < DUMPFILTER_MEMORY_MIN)
		return kd_error_create(KD_ERR_CONFIG,
				       "dumpfilter: --max-memory: no dump is made with %lu KiB, less than %lu",
				       command.options.memory_limit >> 10, DUMPFILTER_MEMORY_MIN >> 10);
	*built_in = capture_has(command.options.codec) && !dumpfilter_needs_program(&command);
	return NULL;
}
