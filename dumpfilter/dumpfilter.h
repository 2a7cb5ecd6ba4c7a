/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The library's interface: it reads a vmcore and writes a filtered, compressed dump (or the kernel's log).
 *
 *  Nothing here prints, exits or reads argv. Messages go to the log that the caller passes (it may be NULL); errors are
 *  returned.
 */
#ifndef DUMPFILTER_DUMPFILTER_H
#define DUMPFILTER_DUMPFILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "dumpfilter/pages/page_class.h"
#include "dumpfilter/vmcore/read_error.h"

struct address_space; /* dumpfilter/kernel/address_space.h */
struct codec;         /* dumpfilter/codec/codec.h */
struct writer_ops;    /* dumpfilter/write/writer.h */
struct erase;         /* dumpfilter/pages/erase.h */
struct vmcore;        /* dumpfilter/vmcore/vmcore.h */
struct vmcoreinfo;    /* dumpfilter/kernel/vmcoreinfo.h */

#define DUMPFILTER_FALLBACK_MAX 7
#define DUMPFILTER_PARTS_MAX    32                  /* files that one dump is split into */
#define DUMPFILTER_MEMORY_MIN   (UINT64_C(6) << 20) /* a dump takes more, of any machine */

struct dumpfilter_options {
	unsigned int level;              /* dump level, 0..31 */
	const struct codec *codec;       /* NULL stores pages as they are */
	const struct writer_ops *writer; /* NULL: kdump-compressed, in one file */
	bool flatten;                    /* write records for a pipe to standard output (@out_path is not used) */
	bool early;                      /* a stream has the pages that matter most first, as a file has */
	bool replace;                    /* a regular file @out_path gives way, once the vmcore could be read */
	bool dry_run;                    /* write nothing; the report says what it would be */
	const char *const *part;         /* for writer_split: the paths of all files but the first; borrowed */
	unsigned int part_count;
	/* Levels to be tried in turn, each when the one before did not fit on the disk. */
	unsigned int fallback_level[DUMPFILTER_FALLBACK_MAX];
	unsigned int fallback_count;
	unsigned int threads; /* 0: as many as fit this machine */
	uint64_t size_limit;  /* bytes that the output may have; 0: no limit */
	/* Bytes that this process may have resident: threads, and at last bitmaps of the whole machine, are given up
	 * for that; if it still cannot be done it is an error. 0: half of what the machine has available, if that is
	 * enough. */
	uint64_t memory_limit;
	uint64_t window_pages; /* decide about so many page frames at a time, if the format allows it; 0: as many as fit
				*/
	bool no_mmap;          /* read the vmcore, never map it */
	bool since_clear;      /* of the log: only records since it was last cleared ("dmesg -C") */
	bool strict_compat;    /* drop partial tail pages of a segment as makedumpfile does, for bit equality */
	/** VMCOREINFO from elsewhere, for keys that the vmcore's @own (zeroed: none) lacks: malloc'd, NULL for none.
	 * NULL: the vmcore's has to do. An error ends the run. */
	struct kd_error *(*vmcoreinfo)(void *arg, const struct vmcore *vmcore, const struct vmcoreinfo *own,
				       char **ret);
	/** Finds the data that must not be in the dump (*ret is zeroed). An error ends the run before anything is
	 *  written. NULL: nothing is erased. It is a callback so that the capture program is linked without the code
	 *  that it needs. */
	struct kd_error *(*erase)(void *arg, struct address_space *space, const struct kd_log *log, struct erase *ret);
	void *supplement;         /* the argument of both */
	const struct kd_log *log; /* borrowed; may be NULL */
	/** Called about once per second's worth of work, and at the end; pages. May be NULL. Calls come from any
	 *  thread, one at a time. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};

/** The result of a run. */
struct dumpfilter_report {
	uint64_t pages[PAGE_CLASS_COUNT]; /* found per class, dropped or not; PAGE_ZERO: stored as zero pages */
	uint64_t unreadable;       /* pages that the kernel would not hand out or that were cut off, not in the dump */
	uint64_t vital_unreadable; /* of these: pages that no reader can do without (dumpfilter/pages/vital.h) */
	struct read_error first_unreadable; /* the lowest of them; set if unreadable is not 0 */
	uint64_t pages_written;             /* page_descs filled */
	uint64_t pages_shared;              /* of these: equal to one written before, and not stored again */
	uint64_t bytes_written;             /* size of the output */
	uint64_t page_size;
	uint64_t windows; /* of page frames that were gone through one after the other; 1: all at once */
	bool front;       /* the pages that readers need first are all written; false if that is not known */
	bool full;        /* there was no room for all: the disk, a quota, options->size_limit */
	bool unfiltered;  /* the rules did not fit this kernel: everything was kept */
};

/** Filter @vmcore_path into @out_path, created with mode 0600 (an existing file is refused with EEXIST unless
 *  options->replace). The output can be opened by crash and drgn from early on and at any later moment; its header says
 *  "incomplete" until the last write. The file is fsynced before success is returned. On error the data that was
 *  written stays. @report may be NULL; it is filled as far as things went, on error too. KD_ERR_OS, KD_ERR_FORMAT (not
 *  a vmcore), KD_ERR_UNSUPPORTED (architecture, Xen). */
struct kd_error *dumpfilter_run(const char *vmcore_path, const char *out_path, const struct dumpfilter_options *options,
				struct dumpfilter_report *report) MUST_CHECK;

/** Put the records of a flattened dump, read from @in, into the new file @out_path (as for dumpfilter_run()).
 *  KD_ERR_OS; KD_ERR_FORMAT (not flattened; cut off: then what came is in the file, and its header, if that came, says
 *  that the dump is incomplete). */
struct kd_error *dumpfilter_rearrange(int in, const char *out_path, bool replace) MUST_CHECK;

/** A flattened dump that does not come from a file. */
struct dumpfilter_stream {
	/** Read @size bytes, or fewer at the end: *done. */
	struct kd_error *(*read)(void *arg, void *buf, size_t size, size_t *done);
	void *arg;
};
/** The same. @whole_ret: if the stream was cut off that is no error, and it is false; NULL: it is one. */
struct kd_error *dumpfilter_rearrange_stream(const struct dumpfilter_stream *stream, const char *out_path, bool replace,
					     bool *whole_ret) MUST_CHECK;

/** Make one dump of the @count files that --split has made of it. KD_ERR_OS; KD_ERR_FORMAT (not of one dump; one is
 *  missing; one is incomplete: then the new one is, too). */
struct kd_error *dumpfilter_reassemble(const char *const *part, unsigned int count, const char *out_path,
				       bool replace) MUST_CHECK;

/** Only count: which pages a dump would find. @options: log, vmcoreinfo and supplement count; PAGE_ZERO is not looked
 * for.
 *  @vmcore_path may be /proc/kcore. */
struct kd_error *dumpfilter_census(const char *vmcore_path, const struct dumpfilter_options *options,
				   struct dumpfilter_report *ret) MUST_CHECK;

/** Estimates a dump of @vmcore_path; nothing is written. The pages are read (at most 16 GiB), and a sample of them is
 *  compressed, by as many threads as a dump would use. */
struct dumpfilter_estimate {
	uint64_t pages;  /* that the dump would have */
	uint64_t size;   /* bytes of the output; rather a few percent more than less */
	uint64_t memory; /* bytes that this process has resident at the worst moment of a dump with the same options */
};
struct kd_error *dumpfilter_estimate(const char *vmcore_path, const struct dumpfilter_options *options,
				     struct dumpfilter_estimate *ret) MUST_CHECK;

/** Write the crashed kernel's log, oldest record first, as "[%5llu.%06llu] text" lines. */
struct kd_error *dumpfilter_dmesg(const char *vmcore_path, FILE *out, const struct kd_log *log) MUST_CHECK;
/** As above; @options: log, vmcoreinfo, supplement and since_clear count. */
struct kd_error *dumpfilter_dmesg_with(const char *vmcore_path, FILE *out,
				       const struct dumpfilter_options *options) MUST_CHECK;

/** The physical address of @vaddr, by the crashed kernel's page tables. @options as for dumpfilter_census().
 * KD_ERR_HOLE. */
struct kd_error *dumpfilter_translate(const char *vmcore_path, const struct dumpfilter_options *options, uint64_t vaddr,
				      uint64_t *ret) MUST_CHECK;

/** Facts about the crashed kernel; "" or 0 where the dump does not say. */
struct dumpfilter_identity {
	char release[65]; /* uname -r */
	char version[65];
	char machine[65];
	char nodename[65];
	char build_id[41];   /* hex */
	uint64_t crash_time; /* seconds since the epoch */
	uint64_t memory;     /* bytes of RAM in the dump */
	unsigned int cpus;   /* that saved their registers */
};
struct kd_error *dumpfilter_identify(const char *vmcore_path, struct dumpfilter_identity *ret) MUST_CHECK;

/** makedumpfile's bits of --message-level that mean something here. */
enum dumpfilter_message {
	DUMPFILTER_MESSAGE_PROGRESS = 1,
	DUMPFILTER_MESSAGE_ERROR = 4,
	DUMPFILTER_MESSAGE_DEBUG = 8,
	DUMPFILTER_MESSAGE_REPORT = 16,
};

/** dumpfilter's command line as data.
 *  @argv[0] is the program's name. Options are makedumpfile's, with one difference:
 *  pages are compressed when no option says how. KD_ERR_USAGE. */
struct dumpfilter_command {
	struct dumpfilter_options options;
	bool mem_usage, json;
	bool vtop; /* translate vtop_address; then the dump, if there is an output */
	uint64_t vtop_address;
	bool dump_dmesg, check_params, show_help, show_version;
	bool rearrange, reassemble, show_stats;
	bool codec_given; /* a codec, or none at all, was asked for; otherwise it is the first of the table */
	bool estimate;
	int message_level;      /* enum dumpfilter_message, and makedumpfile's other bits; default 7 */
	unsigned int debug;     /* number of -D */
	const char *vmlinux;    /* -x; this and what follows is borrowed from argv, and NULL when it is not given */
	const char *vmcoreinfo; /* -i: a file to be read */
	const char *generate;   /* -g: a file to be written, and no dump */
	const char *config;     /* --config: the file that names what is erased */
	const char *report;     /* --report: a file for what was found and written */
	bool config_optional;   /* data that cannot be found is only warned about */
	const char *input;      /* borrowed from argv; NULL when left out (capture fills it in) */
	const char *output;     /* --split: the first */
	const char *part[DUMPFILTER_PARTS_MAX]; /* --split: the other files; --reassemble: those to be read */
	unsigned int part_count;
};
/** Everything that the command line alone tells is checked, except that operands which capture fills in may be
 *  missing. */
struct kd_error *dumpfilter_parse_command(int argc, char *const *argv, struct dumpfilter_command *ret) MUST_CHECK;

/** The options of a core_collector that the capture program runs by itself. @argv[0] is not looked at.
 *  KD_ERR_USAGE: the command line is wrong, does not write exactly one dump file, or asks for a codec or something else
 *  that only the program has. */
struct kd_error *dumpfilter_parse_built_in(char *const *argv, struct dumpfilter_options *ret) MUST_CHECK;

/** Check @text, the contents of a file for --config. @path is the file's name, for messages. No name of the kernel is
 *  looked up. KD_ERR_CONFIG ("path:line: …"). */
struct kd_error *dumpfilter_check_config(const char *text, const char *path) MUST_CHECK;

/** Does @command need the program dumpfilter(8) for something other than its codec (erasing, a vmlinux, another
 *  format)? */
bool dumpfilter_needs_program(const struct dumpfilter_command *command);

/** Does it write exactly one dump file, as a core_collector must? */
bool dumpfilter_writes_file(const struct dumpfilter_command *command);

#endif
