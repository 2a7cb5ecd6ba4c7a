/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/corrupt's engine: a real vmcore is damaged where the filter looks (headers, notes, page tables and
 * sections, struct pages), filtered in a process of its own with bounded time, memory and output, and mended.
 *
 *  corrupt VMCORE COUNT SEED DUMP: VMCORE is changed in place (and whole again afterwards); DUMP is written again and
 * again.
 *
 * Most runs may write little, so that they end for want of room: what is there by then must be a dump too. Every
 * twentieth has all the room that it needs. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "dumpfilter/dumpfilter.h"
#include "dumpfilter/kernel/address_space.h"
#include "dumpfilter/kernel/mem_map.h"
#include "dumpfilter/vmcore/vmcore.h"
#include "tests/unit/dumpfilter/dump-check.h"

#define CPU_SECONDS 20u                   /* the largest dump takes 2 */
#define MEMORY      (UINT64_C(768) << 20) /* address space: programs, 8 MiB windows, and bitmaps for up to 4 TiB */
#define SMALL       (UINT64_C(24) << 20)  /* output: all tables, and the first pages */
#define FULL_EVERY  20u
#define BLOCK_MAX   4096u

enum area { AREA_HEADERS, AREA_NOTES, AREA_TABLES, AREA_STRUCTS, AREAS };
static const char *const area_names[AREAS] = { "headers", "notes", "page tables, sections", "struct pages" };

enum verdict {
	VERDICT_FILTERED,   /* a whole dump, or one that ended for want of room */
	VERDICT_UNFILTERED, /* the same, with all pages kept */
	VERDICT_ERROR,      /* an error that says what is wrong */
	VERDICT_BROKEN,     /* a file that cannot be opened, or an error without text */
	VERDICT_CRASHED,
	VERDICT_ENDLESS,
	VERDICTS
};
static const char *const verdict_names[VERDICTS] = {
	"filtered", "unfiltered", "error", "BROKEN", "CRASHED", "ENDLESS"
};

/* A place in the file, and what was there. */
struct damage {
	uint64_t offset;
	size_t size;
	uint8_t before[BLOCK_MAX];
	char what[96];
};

struct victim {
	uint8_t *file;
	uint64_t size;
	struct kd_ranges area[AREAS]; /* offsets in the file */
};

static void fail(struct kd_error *err, const char *what)
{
	fprintf(stderr, "corrupt: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(99);
}

static uint64_t random_below(uint64_t limit)
{
	return limit ? ((uint64_t)(uint32_t)mrand48() << 32 | (uint32_t)mrand48()) % limit : 0;
}

/* The file's offsets of physical ranges. */
static void add_frames(struct victim *victim, enum area area, const struct vmcore *vmcore,
		       const struct kd_ranges *frames)
{
	size_t count;
	const struct vmcore_segment *segment = vmcore_segments(vmcore, &count);

	for (size_t i = 0; i < frames->count; i++)
		for (size_t j = 0; j < count; j++) {
			uint64_t start = frames->range[i].start, end = frames->range[i].end;
			uint64_t segment_end = segment[j].paddr + segment[j].file_size;

			if (start < segment[j].paddr)
				start = segment[j].paddr;
			if (end > segment_end)
				end = segment_end;
			if (start < end &&
			    !kd_ranges_add(&victim->area[area], segment[j].file_offset + start - segment[j].paddr,
					   segment[j].file_offset + end - segment[j].paddr))
				fail(NULL, "memory");
		}
}

/* Walk what the filter walks. */
static void find_areas(struct victim *victim, const char *path)
{
	_cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
	_cleanup_(address_space_release) struct address_space space = { 0 };
	_cleanup_(mem_map_release) struct mem_map map = { 0 };
	const Elf64_Ehdr *ehdr = (const void *)victim->file;
	const Elf64_Phdr *phdr = (const void *)(victim->file + ehdr->e_phoff);
	struct vmcoreinfo info;
	struct mem_map_run run;
	uint64_t pfn = 0;
	struct kd_error *err = vmcore_open(path, &vmcore);

	if (err)
		fail(err, path);
	info.text = vmcore_vmcoreinfo(vmcore, &info.size);
	err = address_space_init(&space, vmcore, &info, NULL);
	if (err)
		fail(err, path);
	address_space_walk_all(&space);
	err = mem_map_init(&map, &space, vmcore_end_paddr(vmcore) / space.page_size);
	if (err)
		fail(err, path);
	while (mem_map_next(&map, &pfn, map.end_pfn, &run))
		;
	if (!kd_ranges_add(&victim->area[AREA_HEADERS], 0, ehdr->e_phoff + ehdr->e_phnum * sizeof(*phdr)))
		fail(NULL, "memory");
	for (unsigned int i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_NOTE &&
		    !kd_ranges_add(&victim->area[AREA_NOTES], phdr[i].p_offset, phdr[i].p_offset + phdr[i].p_filesz))
			fail(NULL, "memory");
	add_frames(victim, AREA_TABLES, vmcore, &space.walked);
	add_frames(victim, AREA_STRUCTS, vmcore, &map.frames);
}

/* The byte at @position of all that an area has; ranges of few bytes count as much as they are long. */
static uint64_t place_in(const struct kd_ranges *ranges, uint64_t position)
{
	for (size_t i = 0; i < ranges->count; i++) {
		uint64_t size = ranges->range[i].end - ranges->range[i].start;

		if (position < size)
			return ranges->range[i].start + position;
		position -= size;
	}
	return ranges->range[0].start;
}

static void hurt(struct victim *victim, enum area area, struct damage *damage)
{
	static const char *const kinds[] = { "bit flipped", "8 random bytes", "zeros",
					     "ones",        "noise",          "bytes from elsewhere" };
	unsigned int kind = (unsigned int)random_below(ARRAY_SIZE(kinds));
	uint64_t offset = place_in(&victim->area[area], random_below(kd_ranges_total(&victim->area[area])));
	size_t size = kind == 0 ? 1 : kind == 1 ? 8 : (size_t)1 << random_below(13);
	uint8_t *at;

	if (kind == 1)
		offset &= ~UINT64_C(7);
	if (size > victim->size - offset)
		size = victim->size - offset;
	at = victim->file + offset;
	damage->offset = offset;
	damage->size = size;
	memcpy(damage->before, at, size);
	snprintf(damage->what, sizeof(damage->what), "%s: %zu bytes at 0x%lx: %s", area_names[area], size, offset,
		 kinds[kind]);
	switch (kind) {
	case 0:
		*at ^= (uint8_t)(1u << random_below(8));
		break;
	case 2:
	case 3:
		memset(at, kind == 2 ? 0 : 0xff, size);
		break;
	case 5:
		memcpy(at, victim->file + random_below(victim->size - size), size);
		break;
	default:
		for (size_t i = 0; i < size; i++)
			at[i] = (uint8_t)random_below(256);
	}
}

static void mend(struct victim *victim, const struct damage *damage)
{
	memcpy(victim->file + damage->offset, damage->before, damage->size);
}

static void limit(int resource, uint64_t value)
{
	struct rlimit rlimit = { value, value };

	if (setrlimit(resource, &rlimit) < 0)
		fail(NULL, "setrlimit");
}

/* In a process of its own: filter; what came of it is the exit status. */
_Noreturn static void run(struct victim *victim, const char *path, const char *out, bool full)
{
	struct dumpfilter_options options = { .level = 31 };
	struct dumpfilter_report report;
	struct kd_error *err;

	munmap(victim->file, victim->size);
	limit(RLIMIT_AS, MEMORY);
	limit(RLIMIT_CPU, CPU_SECONDS);
	limit(RLIMIT_CORE, 0);
	if (!full)
		limit(RLIMIT_FSIZE, SMALL);
	signal(SIGXFSZ, SIG_IGN);
	err = dumpfilter_run(path, out, &options, &report);
	if (err && (!err->text || !*err->text))
		_exit(VERDICT_BROKEN);
	/* Without room for even one page there is nothing to be opened. */
	if (err && (err->errnum != EFBIG || !report.pages_written)) {
		dprintf(STDERR_FILENO, "# %s\n", err->text);
		_exit(VERDICT_ERROR);
	}
	_exit(report.unfiltered ? VERDICT_UNFILTERED : VERDICT_FILTERED);
}

static enum verdict judge(struct victim *victim, const char *path, const char *out, bool full)
{
	struct dump_check check;
	const char *problem;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		fail(NULL, "fork");
	if (pid == 0)
		run(victim, path, out, full);
	if (waitpid(pid, &status, 0) != pid)
		fail(NULL, "waitpid");
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? VERDICT_ENDLESS : VERDICT_CRASHED;
	if (WEXITSTATUS(status) >= VERDICT_ERROR)
		return WEXITSTATUS(status) < VERDICTS ? (enum verdict)WEXITSTATUS(status) : VERDICT_CRASHED;
	problem = dump_check(out, &check);
	if (!problem && full && (check.incomplete || check.filled != check.pages))
		problem = "not complete";
	if (problem)
		printf("# %s\n", problem);
	return problem ? VERDICT_BROKEN : (enum verdict)WEXITSTATUS(status);
}

static void open_victim(struct victim *victim, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(NULL, path);
	victim->size = (uint64_t)st.st_size;
	victim->file = mmap(NULL, victim->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (victim->file == MAP_FAILED)
		fail(NULL, path);
	find_areas(victim, path);
}

int main(int argc, char **argv)
{
	unsigned long count, tally[AREAS][VERDICTS] = { { 0 } }, bad = 0;
	struct victim victim = { 0 };

	if (argc != 5) {
		fprintf(stderr, "usage: corrupt VMCORE COUNT SEED DUMP\n");
		return 99;
	}
	count = strtoul(argv[2], NULL, 10);
	srand48(strtol(argv[3], NULL, 10));
	open_victim(&victim, argv[1]);
	for (unsigned long i = 0; i < count; i++) {
		static struct damage damage;
		enum area area = (enum area)(i % AREAS);
		enum verdict verdict;

		unlink(argv[4]);
		hurt(&victim, area, &damage);
		verdict = judge(&victim, argv[1], argv[4], i / AREAS % FULL_EVERY == 0);
		if (verdict >= VERDICT_BROKEN) {
			bad++;
			printf("%s: run %lu: %s\n", verdict_names[verdict], i, damage.what);
			for (size_t j = 0; j < damage.size && j < 64; j++)
				printf("%s%02x", j ? " " : "# now ", victim.file[damage.offset + j]);
			printf("\n");
			fflush(stdout);
		}
		mend(&victim, &damage);
		tally[area][verdict]++;
	}
	unlink(argv[4]);
	printf("%-22s", "");
	for (size_t i = 0; i < VERDICTS; i++)
		printf(" %10s", verdict_names[i]);
	printf("\n");
	for (size_t i = 0; i < AREAS; i++) {
		printf("%-22s", area_names[i]);
		for (size_t j = 0; j < VERDICTS; j++)
			printf(" %10lu", tally[i][j]);
		printf("\n");
	}
	printf("FIGURE corrupt_runs %lu runs goal >= 10000\nFIGURE corrupt_bad %lu runs goal <= 0\n", count, bad);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
