/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PID 1 of a guest whose memory is of interest: it makes pages of as many kinds as the kernel knows, says how many of
 *each the kernel counts, writes what the kernel says about every page frame (/proc/kpageflags) to the first disk, has
 *the host stop the machine and copy its memory, does the former once more, and crashes the kernel. Static, for any
 *architecture.
 *
 * Disks: vda takes the snapshots, vdb becomes swap, vdc has an ext4 file system with a file "file", vdd is for
 *capture.c.
 *
 * What it says, a line each, all numbers of page frames in decimal:
 *	pages: KIND: ok            the pages of this kind are there; or the reason why not
 *	pages: count NAME NUMBER   what the kernel counts
 *	pages: range NAME PFN NUMBER   where they lie
 *	pages: ask WHAT            the host is to do something: inflate, plug, unplug, hold */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pid1.h"

#define SNAPSHOT_STEP (32 * MIB) /* from one snapshot to the next, on the disk */
#define HUGE_SIZE     (2 * MIB)  /* a size of hugetlb pages that all architectures have, with pages of 4 and 16 KiB */
#define HUGE_COUNT    8u
#define BALLOON       (32 * MIB)            /* as in memory.py */
#define PLUGGED_FROM  UINT64_C(0x100000000) /* where the machine puts memory that is added to it */
#define PLUGGED_COUNT 2u

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21u << 26)
#endif
#define KEXEC_FILE_ON_CRASH 2ul
#ifndef SYS_kexec_file_load
#define SYS_kexec_file_load 294 /* arm64 */
#endif

#define HUGE_POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define THP       "/sys/kernel/mm/transparent_hugepage/"
#define BLOCKS    "/sys/devices/system/memory/"

static size_t page_size;

/* The number behind @key in a file of lines; without @key the number that the file begins with. -1: none. */
static long get(const char *path, const char *key)
{
	size_t length = key ? strlen(key) : 0;
	char line[256];
	FILE *in = fopen(path, "re");
	long value = -1;

	while (value < 0 && in && fgets(line, sizeof(line), in))
		if (!key || strncmp(line, key, length) == 0)
			value = atol(line + length);
	if (in)
		fclose(in);
	return value;
}

/* Until @there says so; there is no event to wait for. */
static int wait_until(bool (*there)(void))
{
	for (int i = 0; i < 6000; i++) {
		if (there())
			return 0;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	errno = ETIMEDOUT;
	return -1;
}

static void ask(const char *what)
{
	printf("pages: ask %s\n", what);
	fflush(stdout);
}

static void count(const char *name, long frames)
{
	printf("pages: count %s %ld\n", name, frames);
	fflush(stdout);
}

static void range(const char *name, uint64_t address, uint64_t size)
{
	printf("pages: range %s %" PRIu64 " %" PRIu64 "\n", name, address / page_size, size / page_size);
	fflush(stdout);
}

/* Every page different, none of zeros. */
static void fill(uint8_t *memory, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i += page_size) {
		memset(memory + i, (int)(seed + i / page_size) | 1, page_size);
		memcpy(memory + i, &i, sizeof(i));
	}
}

static uint8_t *map(size_t size, int flags)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Memory of single pages, filled. */
static uint8_t *map_small(size_t size, unsigned int seed)
{
	uint8_t *memory = map(size, 0);

	if (memory) {
		madvise(memory, size, MADV_NOHUGEPAGE);
		fill(memory, size, seed);
	}
	return memory;
}

static int make_anonymous(void)
{
	return map_small(32 * MIB, 3) ? 0 : -1;
}

/* Memory that is made with one of the kernel's switches on "always". */
static int make_with(const char *path, size_t size, size_t alignment)
{
	uint8_t *memory = map(size + alignment, 0);

	if (!memory || put(path, "always") < 0)
		return -1;
	memory += -(uintptr_t)memory & (alignment - 1);
	fill(memory, size, 5);
	return put(path, "madvise");
}

static int make_thp(void)
{
	long huge = get(THP "hpage_pmd_size", NULL);

	return huge > 0 ? make_with(THP "enabled", 2 * (size_t)huge > 32 * MIB ? 2 * (size_t)huge : 32 * MIB,
				    (size_t)huge) :
			  -1;
}

/* Huge, but smaller than what one entry of the middle page table maps. */
static int make_small_thp(void)
{
	return make_with(THP "hugepages-64kB/enabled", 8 * MIB, MIB);
}

/* Half of them in use, half in the pool. What their page structs lose to them by HVO is more memory for others. */
static int make_hugetlb(void)
{
	uint8_t *memory;
	long before = get("/proc/meminfo", "MemTotal:");

	if (put(HUGE_POOL, "8") < 0)
		return -1;
	memory = map(HUGE_COUNT / 2 * HUGE_SIZE, MAP_HUGETLB | MAP_HUGE_2MB);
	if (!memory)
		return -1;
	fill(memory, HUGE_COUNT / 2 * HUGE_SIZE, 7);
	count("hvo", (get("/proc/meminfo", "MemTotal:") - before) * 1024 / (long)page_size);
	return 0;
}

static bool ksm_is_done(void)
{
	return get("/sys/kernel/mm/ksm/pages_sharing", NULL) >= (long)(7 * MIB / page_size);
}

/* Which page frames memory lies in that is made of but a few. */
static int say_frames(const char *name, const uint8_t *memory, size_t size)
{
	uint64_t entry, last = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < size; i += page_size) {
		if (pread(fd, &entry, 8, (off_t)((uintptr_t)(memory + i) / page_size * 8)) != 8)
			return -1;
		entry &= (UINT64_C(1) << 55) - 1;
		if (entry != last)
			range(name, entry * page_size, page_size);
		last = entry;
	}
	return close(fd);
}

static int make_ksm(void)
{
	uint8_t *memory = map(8 * MIB, 0);
	int found;

	if (!memory || madvise(memory, 8 * MIB, MADV_MERGEABLE) < 0 || madvise(memory, 8 * MIB, MADV_NOHUGEPAGE) < 0)
		return -1;
	memset(memory, 0x5a, 8 * MIB);
	put("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	put("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	if (put("/sys/kernel/mm/ksm/run", "1") < 0)
		return -1;
	found = wait_until(ksm_is_done);
	put("/sys/kernel/mm/ksm/run", "0");
	return found < 0 ? found : say_frames("ksm", memory, 8 * MIB);
}

/* Written out, and half of it read again: that is in memory and in swap. */
static int make_swap_cache(void)
{
	uint32_t header[3] = { 1, (uint32_t)(64 * MIB / page_size - 1), 0 };
	uint8_t *memory, *first = calloc(1, page_size);
	int fd = open("/dev/vdb", O_RDWR | O_CLOEXEC);
	unsigned int sum = 0;

	if (fd < 0 || !first)
		return -1;
	memcpy(first + 1024, header, sizeof(header));
	memcpy(first + page_size - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, first, page_size, 0) < 0 || fsync(fd) < 0 || close(fd) < 0 || swapon("/dev/vdb", 0) < 0)
		return -1;
	memory = map_small(32 * MIB, 9);
	if (!memory || madvise(memory, 32 * MIB, MADV_PAGEOUT) < 0)
		return -1;
	for (size_t i = 0; i < 16 * MIB; i += page_size)
		sum += memory[i + sizeof(i)];
	return sum ? 0 : -1;
}

static int read_all(const char *path, size_t limit)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return -1;
	for (size_t total = 0; total < limit && (done = read(fd, buf, sizeof(buf))) > 0;)
		total += (size_t)done;
	close(fd);
	return 0;
}

static int write_file(const char *path, size_t size)
{
	static char buf[65536];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	memset(buf, 'f', sizeof(buf));
	for (size_t done = 0; done < size; done += sizeof(buf))
		if (write(fd, buf, sizeof(buf)) < 0)
			return -1;
	fsync(fd);
	close(fd);
	return 0;
}

/* Files of a disk that were read and written, of memory, and the disk itself. */
static int make_cache(void)
{
	mkdir("/mnt", 0700);
	mkdir("/tmp", 0700);
	if (mount("tmp", "/tmp", "tmpfs", 0, NULL) < 0 || write_file("/tmp/file", 8 * MIB) < 0)
		return -1;
	if (mount("/dev/vdc", "/mnt", "ext4", 0, NULL) < 0)
		return -1;
	if (read_all("/mnt/file", 64 * MIB) < 0 || write_file("/mnt/written", 8 * MIB) < 0)
		return -1;
	return read_all("/dev/vdc", 8 * MIB);
}

static void go_on(int signal)
{
	(void)signal;
}

/* In a process of its own, which the kernel tells of what happens to its memory. */
static int in_child(int (*make)(int), int argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGBUS, go_on);
		_exit(make(argument) < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

static int poison(int unused)
{
	uint8_t *memory = map_small(4 * MIB, 11);

	(void)unused;
	if (!memory)
		return -1;
	for (size_t i = 0; i < 4; i++)
		if (madvise(memory + i * page_size * 3, page_size, MADV_SOFT_OFFLINE) < 0)
			return -1;
	for (size_t i = 0; i < 4; i++)
		if (madvise(memory + 2 * MIB + i * page_size * 3, page_size, MADV_HWPOISON) < 0)
			return -1;
	return 0;
}

static int make_poison(void)
{
	return in_child(poison, 0);
}

static int poison_huge(int fd)
{
	uint8_t *memory = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -1;
	fill(memory, HUGE_SIZE, 13);
	return madvise(memory + 5 * page_size, page_size, MADV_HWPOISON);
}

/* A hugetlb page of a file that stays open: it stays in one piece, poison and all. */
static int make_poison_huge(void)
{
	int fd = (int)syscall(SYS_memfd_create, "huge", MFD_HUGETLB | MFD_HUGE_2MB);

	return fd < 0 || ftruncate(fd, HUGE_SIZE) < 0 ? -1 : in_child(poison_huge, fd);
}

static uint64_t block_size(void)
{
	char line[32] = "";
	FILE *in = fopen(BLOCKS "block_size_bytes", "re");

	if (in && !fgets(line, sizeof(line), in))
		line[0] = '\0';
	if (in)
		fclose(in);
	return strtoull(line, NULL, 16);
}

static int block_state(unsigned int block, const char *state)
{
	char path[96];

	snprintf(path, sizeof(path), BLOCKS "memory%u/state", block);
	return put(path, state);
}

static bool block_is_there(unsigned int block)
{
	char path[96];

	snprintf(path, sizeof(path), BLOCKS "memory%u", block);
	return access(path, F_OK) == 0;
}

/* The highest block of memory that can be taken away. */
static int make_offline(void)
{
	for (unsigned int block = 64; block > 0; block--) {
		if (block_is_there(block) && block_state(block, "offline") > 0) {
			range("offline", block * block_size(), block_size());
			return 0;
		}
	}
	errno = EBUSY;
	return -1;
}

static bool balloon_is_full(void)
{
	return get("/proc/vmstat", "balloon_inflate ") >= (long)(BALLOON / page_size);
}

static int make_balloon(void)
{
	if (get("/proc/vmstat", "balloon_inflate ") < 0) {
		errno = ENOENT;
		return -1;
	}
	ask("inflate");
	return wait_until(balloon_is_full);
}

static unsigned int plugged_block(unsigned int number)
{
	return (unsigned int)(PLUGGED_FROM / block_size()) + number;
}

static bool block_is_online(unsigned int block)
{
	char path[96], state[16] = "";
	FILE *in;

	snprintf(path, sizeof(path), BLOCKS "memory%u/state", block);
	in = fopen(path, "re");
	if (in && !fgets(state, sizeof(state), in))
		state[0] = '\0';
	if (in)
		fclose(in);
	return strcmp(state, "online\n") == 0;
}

static bool memory_is_plugged(void)
{
	for (unsigned int i = 0; i < PLUGGED_COUNT; i++)
		if (!block_is_online(plugged_block(i)))
			return false;
	return true;
}

/* How many pages of anonymous memory lie in a block: KPF_ANON. */
static long anonymous_in(unsigned int block)
{
	uint64_t frames = block_size() / page_size, first = block * frames, *words = calloc(frames, sizeof(*words));
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	long found = 0;

	if (fd >= 0 && words && pread(fd, words, frames * 8, (off_t)(first * 8)) == (ssize_t)(frames * 8))
		for (uint64_t i = 0; i < frames; i++)
			found += words[i] >> 12 & 1;
	if (fd >= 0)
		close(fd);
	free(words);
	return found;
}

static uint8_t *plugged_memory;

/* Memory that the host adds, nearly filled by a process. What can be moved goes there first. */
static int make_plugged(void)
{
	if (!getenv("plug")) { /* a word of the kernel's command line */
		errno = ENODEV;
		return -1;
	}
	if (put(BLOCKS "auto_online_blocks", "online_movable") < 0)
		return -1;
	ask("plug");
	if (wait_until(memory_is_plugged) < 0)
		return -1;
	plugged_memory = map_small(PLUGGED_COUNT * block_size() - 32 * MIB, 15);
	errno = ENODATA;
	for (unsigned int i = 0; i < PLUGGED_COUNT; i++)
		if (anonymous_in(plugged_block(i)) < (long)(block_size() / page_size / 2))
			return -1;
	return 0;
}

static bool memory_is_unplugged(void)
{
	return !block_is_there(plugged_block(0));
}

/* The first half of it is taken away again, with what is in there: that has to move. */
static int make_unplugged(void)
{
	if (!plugged_memory) {
		errno = ENODEV;
		return -1;
	}
	if (munmap(plugged_memory, block_size()) < 0)
		return -1;
	ask("unplug");
	if (wait_until(memory_is_unplugged) < 0)
		return -1;
	range("unplugged", PLUGGED_FROM, block_size());
	range("plugged", PLUGGED_FROM + block_size(), block_size());
	return 0;
}

/* kexec-tools look in /proc/kallsyms for the address of what /proc/iomem calls "Kernel code", by the name _text. An
 * arm64 kernel has but _stext there, which is that address; without one they make an elfcorehdr that describes no
 * memory. */
static int mend_symbols(void)
{
	char line[256];
	FILE *in = fopen("/proc/kallsyms", "re"), *out = fopen("/kallsyms", "we");
	uint64_t address;
	char name[128];

	if (!in || !out)
		return -1;
	while (fgets(line, sizeof(line), in))
		if (sscanf(line, "%" SCNx64 " %*c %127s", &address, name) == 2 && strcmp(name, "_stext") == 0)
			fprintf(out, "%" PRIx64 " T _text\n%s", address, line);
	fclose(in);
	if (fclose(out) < 0)
		return -1;
	return mount("/kallsyms", "/proc/kallsyms", NULL, MS_BIND, NULL);
}

static int load_by_kexec_tools(const char *words)
{
	char append[256];
	int status;
	pid_t pid;

	if (mend_symbols() < 0)
		return -1;
	snprintf(append, sizeof(append), "--append=%s", words);
	pid = fork();
	if (pid == 0) {
		execl("/kexec", "kexec", "-p", "/kernel", "--initrd=/capture", append, NULL);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || umount("/proc/kallsyms") < 0)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

/* By the kernel itself where it can, else by kexec-tools. */
static int load(const char *words)
{
	int kernel = open("/kernel", O_RDONLY | O_CLOEXEC), initrd = open("/capture", O_RDONLY | O_CLOEXEC), done;

	if (kernel < 0 || initrd < 0)
		return -1;
	done = (int)syscall(SYS_kexec_file_load, kernel, initrd, strlen(words) + 1, words, KEXEC_FILE_ON_CRASH);
	close(kernel);
	close(initrd);
	return done < 0 && errno == ENOSYS ? load_by_kexec_tools(words) : done;
}

/* The kernel that takes over when this one crashes; its files have then gone from memory. */
static int make_armed(void)
{
	char words[200] = "";
	FILE *in = fopen("/capture-words", "re");
	int done;

	if (in && fgets(words, sizeof(words), in))
		words[strcspn(words, "\n")] = '\0';
	if (in)
		fclose(in);
	done = load(words);
	unlink("/kernel");
	unlink("/capture");
	return done;
}

static const struct kind {
	const char *name;
	int (*make)(void);
} kinds[] = {
	{ "offline", make_offline }, /* before there is much to be moved */
	{ "hugetlb", make_hugetlb },
	{ "thp", make_thp },
	{ "small thp", make_small_thp },
	{ "anonymous", make_anonymous },
	{ "ksm", make_ksm },
	{ "swap cache", make_swap_cache },
	{ "page cache", make_cache },
	{ "poison", make_poison },
	{ "poison in hugetlb", make_poison_huge },
	{ "balloon", make_balloon },
	{ "plugged", make_plugged },
	{ "armed", make_armed }, /* before memory goes away: so the capture kernel is told of memory that is no more */
	{ "unplugged", make_unplugged },
};

/* What the kernel counts, in its own units. */
static const struct counter {
	const char *name, *path, *key;
	size_t unit; /* 0: pages */
} counters[] = {
	{ "hugetlb", HUGE_POOL, NULL, HUGE_SIZE },
	{ "thp", "/proc/meminfo", "AnonHugePages:", 1024 },
	{ "ksm", "/sys/kernel/mm/ksm/pages_shared", NULL, 0 },
	{ "swap cache", "/proc/meminfo", "SwapCached:", 1024 },
	{ "poison", "/proc/meminfo", "HardwareCorrupted:", 1024 },
	{ "balloon", "/proc/vmstat", "balloon_inflate ", 0 },
	{ "page table", "/proc/meminfo", "PageTables:", 1024 },
	{ "free", "/proc/meminfo", "MemFree:", 1024 },
};

static void say_counters(void)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		long value = get(counters[i].path, counters[i].key);

		count(counters[i].name,
		      value < 0 || !counters[i].unit ? value : value * (long)counters[i].unit / (long)page_size);
	}
}

/* Past the page cache, from memory that has been there before: a snapshot should change nothing. */
static int snapshot(int disk, uint8_t *buf, off_t offset)
{
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (flags < 0)
		return -1;
	do {
		for (size = 0; size < (ssize_t)CHUNK;) {
			ssize_t done = read(flags, buf + size, CHUNK - (size_t)size);

			if (done <= 0)
				break;
			size += done;
		}
		memset(buf + size, 0, CHUNK - (size_t)size);
		if (pwrite(disk, buf, CHUNK, offset) != (ssize_t)CHUNK)
			return -1;
		offset += (off_t)CHUNK;
	} while (size == (ssize_t)CHUNK);
	close(flags);
	return 0;
}

int main(void)
{
	uint8_t *buf;
	char answer;
	int disk;

	page_size = (size_t)sysconf(_SC_PAGESIZE);
	pid1_start();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		say(kinds[i].name, kinds[i].make());

	buf = map(CHUNK, MAP_POPULATE);
	count("page size", (long)page_size);
	disk = open("/dev/vda", O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (disk < 0 || !buf)
		say("/dev/vda", -1);
	mlock(buf, CHUNK);
	say_counters();
	say("snapshot", snapshot(disk, buf, 0));
	ask("hold");
	if (read(STDIN_FILENO, &answer, 1) != 1) /* a line, when it goes on */
		say("hold", -1);
	say("snapshot", snapshot(disk, buf, SNAPSHOT_STEP));
	fsync(disk);
	say("crash", put("/proc/sysrq-trigger", "c"));
	pid1_end();
}
