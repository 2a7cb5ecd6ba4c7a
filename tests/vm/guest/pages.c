/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PID 1 of a guest whose memory is of interest: it makes pages of as many kinds as the kernel knows, writes what the kernel
 * says about every page frame (/proc/kpageflags) to the first disk, twice, and crashes the kernel. Static, for any
 * architecture.
 *
 * Disks: vda takes the snapshots, vdb becomes swap, vdc has an ext4 file system with a file "file". What a kernel cannot
 * do is said, and left out. */
#include <errno.h>
#include <fcntl.h>
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

#define MIB           ((size_t)1 << 20)
#define SNAPSHOT_STEP (32 * MIB) /* from one snapshot to the next, on the disk */
#define CHUNK         MIB

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static size_t page_size;

static void say(const char *what, int result)
{
	printf("pages: %s: %s\n", what, result < 0 ? strerror(errno) : "ok");
	fflush(stdout);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), done;

	if (fd < 0)
		return -1;
	done = (int)write(fd, text, strlen(text));
	close(fd);
	return done;
}

static long get(const char *path)
{
	FILE *in = fopen(path, "re");
	long value = -1;

	if (in && fscanf(in, "%ld", &value) != 1)
		value = -1;
	if (in)
		fclose(in);
	return value;
}

/* The number behind @key in a file of lines. */
static long get_line(const char *path, const char *key)
{
	char line[256];
	FILE *in = fopen(path, "re");
	long value = -1;

	while (in && fgets(line, sizeof(line), in))
		if (strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key));
	if (in)
		fclose(in);
	return value;
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

static int make_anonymous(void)
{
	uint8_t *memory = map(32 * MIB, 0);

	if (!memory)
		return -1;
	madvise(memory, 32 * MIB, MADV_NOHUGEPAGE);
	fill(memory, 32 * MIB, 3);
	return 0;
}

static int make_thp(void)
{
	uint8_t *memory = map(32 * MIB, 0);

	if (!memory || put("/sys/kernel/mm/transparent_hugepage/enabled", "always") < 0 ||
	    madvise(memory, 32 * MIB, MADV_HUGEPAGE) < 0)
		return -1;
	fill(memory, 32 * MIB, 5);
	return put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
}

/* Half of them in use, half in the pool. */
static int make_hugetlb(void)
{
	size_t size = (size_t)get_line("/proc/meminfo", "Hugepagesize:") << 10;
	uint8_t *memory;

	if (size > 4 * MIB || put("/proc/sys/vm/nr_hugepages", "8") < 0)
		return -1;
	memory = map(4 * size, MAP_HUGETLB);
	if (!memory)
		return -1;
	fill(memory, 4 * size, 7);
	return 0;
}

static int make_ksm(void)
{
	uint8_t *memory = map(8 * MIB, 0);
	int found = -1;

	if (!memory || madvise(memory, 8 * MIB, MADV_MERGEABLE) < 0 || madvise(memory, 8 * MIB, MADV_NOHUGEPAGE) < 0)
		return -1;
	memset(memory, 0x5a, 8 * MIB);
	put("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	put("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	if (put("/sys/kernel/mm/ksm/run", "1") < 0)
		return -1;
	/* There is no event to wait for. */
	for (int i = 0; i < 600 && found < 0; i++) {
		if (get("/sys/kernel/mm/ksm/pages_sharing") >= (long)(7 * MIB / page_size))
			found = 0;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	put("/sys/kernel/mm/ksm/run", "0");
	errno = ETIMEDOUT;
	return found;
}

/* Written out, and half of it read again: that is in memory and in swap. */
static int make_swap_cache(void)
{
	uint32_t header[3] = { 1, (uint32_t)(64 * MIB / page_size - 1), 0 };
	uint8_t *memory = map(32 * MIB, 0), *first = calloc(1, page_size);
	int fd = open("/dev/vdb", O_RDWR | O_CLOEXEC);
	unsigned int sum = 0;

	if (fd < 0 || !memory || !first)
		return -1;
	memcpy(first + 1024, header, sizeof(header));
	memcpy(first + page_size - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, first, page_size, 0) < 0 || fsync(fd) < 0 || close(fd) < 0 || swapon("/dev/vdb", 0) < 0)
		return -1;
	madvise(memory, 32 * MIB, MADV_NOHUGEPAGE);
	fill(memory, 32 * MIB, 9);
	if (madvise(memory, 32 * MIB, MADV_PAGEOUT) < 0)
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

/* In a process of its own, which may be killed for it. */
static int make_poison(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		uint8_t *memory = map(4 * MIB, 0);

		if (!memory)
			_exit(1);
		madvise(memory, 4 * MIB, MADV_NOHUGEPAGE);
		fill(memory, 4 * MIB, 11);
		for (size_t i = 0; i < 4; i++)
			if (madvise(memory + i * page_size * 3, page_size, MADV_SOFT_OFFLINE) < 0)
				_exit(1);
		for (size_t i = 0; i < 4; i++)
			if (madvise(memory + 2 * MIB + i * page_size * 3, page_size, MADV_HWPOISON) < 0)
				_exit(1);
		_exit(0);
	}
	errno = ENOSYS;
	return pid > 0 && waitpid(pid, &status, 0) == pid && (status == 0 || WIFSIGNALED(status)) ? 0 : -1;
}

/* The highest block of memory that can be taken away. */
static int make_offline(void)
{
	char path[96];

	for (int block = 4096; block > 0; block--) {
		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", block);
		if (access(path, W_OK) == 0 && put(path, "offline") > 0)
			return 0;
	}
	errno = EBUSY;
	return -1;
}

/* The host blows the balloon up when it reads this line. */
static int make_balloon(void)
{
	if (get_line("/proc/vmstat", "balloon_inflate ") < 0) {
		errno = ENOENT;
		return -1;
	}
	printf("pages: inflate\n");
	fflush(stdout);
	for (int i = 0; i < 600; i++) {
		if (get_line("/proc/vmstat", "balloon_inflate ") >= (long)(16 * MIB / page_size))
			return 0;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	errno = ETIMEDOUT;
	return -1;
}

static const struct kind {
	const char *name;
	int (*make)(void);
} kinds[] = {
	{ "offline", make_offline }, /* before there is much to be moved */
	{ "hugetlb", make_hugetlb },
	{ "thp", make_thp },
	{ "anonymous", make_anonymous },
	{ "ksm", make_ksm },
	{ "swap cache", make_swap_cache },
	{ "page cache", make_cache },
	{ "poison", make_poison },
	{ "balloon", make_balloon },
};

static void insert_modules(void)
{
	char line[128];
	FILE *list = fopen("/modules", "re");

	while (list && fgets(line, sizeof(line), list)) {
		int fd;

		line[strcspn(line, "\n")] = '\0';
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			say(line, -1);
		close(fd);
	}
	if (list)
		fclose(list);
}

/* Past the page cache, from memory that has been there before: a snapshot should change nothing. */
static int snapshot(int disk, uint8_t *buf, off_t offset)
{
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	long entries = 0;
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
		entries += size / 8;
	} while (size == (ssize_t)CHUNK);
	close(flags);
	printf("pages: snapshot of %ld page frames\n", entries);
	fflush(stdout);
	return 0;
}

int main(void)
{
	uint8_t *buf;
	int disk, fd;

	page_size = (size_t)sysconf(_SC_PAGESIZE);
	mkdir("/proc", 0700);
	mkdir("/sys", 0700);
	mkdir("/dev", 0700);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	insert_modules();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		say(kinds[i].name, kinds[i].make());

	buf = map(CHUNK, MAP_POPULATE);
	disk = open("/dev/vda", O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (disk < 0 || !buf)
		say("/dev/vda", -1);
	mlock(buf, CHUNK);
	for (int i = 0; i < 2; i++)
		if (snapshot(disk, buf, (off_t)(i * SNAPSHOT_STEP)) < 0)
			say("snapshot", -1);
	say("crash", put("/proc/sysrq-trigger", "c"));
	for (;;)
		pause();
}
