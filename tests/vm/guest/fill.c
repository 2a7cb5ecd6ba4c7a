/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fill the memory of a guest of 6 GiB as a machine that has been at work for long: page cache, anonymous memory, huge
 * pages, shared memory, slab, buffers, stacks and page tables of the kernel, and what was used and is free again. What
 * the pages hold is text, pointers, records, program code, random bytes, zeros, and copies of each other.
 *
 * Every kind of memory is held by a process of its own, which stays when this program ends. Always the same bytes, as
 * far as that is up to it. Static, for any architecture. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB      ((size_t)1 << 20)
#define PAGE     ((size_t)4096)
#define RUN_MAX  48    /* pages of one content in a row */
#define BACK_MAX 65536 /* how far back a page may be copied from */
#define PLACE    "/var/tmp/fill"
#define FAST     PLACE "/tmpfs"

/* --- what pages hold ---------------------------------------------------------------------------------------------- */

enum content { RANDOM, TEXT, POINTERS, RECORDS, SPARSE, ZERO, COPY, CONTENT_COUNT };

/* How many of a hundred runs of pages have each content. */
struct mix {
	unsigned int share[CONTENT_COUNT];
};

static const struct mix anonymous_mix = {
	{ [RANDOM] = 13, [TEXT] = 22, [POINTERS] = 30, [RECORDS] = 14, [SPARSE] = 8, [ZERO] = 8, [COPY] = 5 }
};
static const struct mix file_mix = {
	{ [RANDOM] = 25, [TEXT] = 40, [RECORDS] = 22, [SPARSE] = 4, [ZERO] = 3, [COPY] = 6 }
};
static const struct mix buffer_mix = { { [RANDOM] = 15, [TEXT] = 30, [POINTERS] = 20, [RECORDS] = 15, [ZERO] = 20 } };

static uint64_t state = 1;

/* xorshift64* */
static uint64_t dice(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned int below(unsigned int end)
{
	return (unsigned int)((dice() >> 32) * end >> 32);
}

static void fill_random(uint8_t *page)
{
	for (size_t i = 0; i < PAGE; i += 8) {
		uint64_t value = dice();

		memcpy(page + i, &value, 8);
	}
}

#define PHRASES 4096

/* Made of words, of which the first come more often, and numbers. Emulated machines are slow: pages are made of
 * phrases. */
static struct phrase {
	uint8_t size, text[63];
} phrases[PHRASES];

static void make_phrases(void)
{
	/* clang-format off */
	static const char *const words[] = {
		"the ", "of ", "info: ", "0x00", "/usr/lib/", "request ", "to ", "done\n", "status=", "200 ", "GET ", "a ",
		"and ", "in ", "connection ", "from ", "10.0.", "192.168.", "closed\n", "error: ", "user ", "session ",
		"started\n", "timeout ", "kernel: ", "systemd[1]: ", "Started ", "node", "index.html ", "HTTP/1.1\" ",
		"cache ", "miss ", "hit ", "bytes ", "written ", "<div class=\"", "</div>\n", "return ", "struct ",
		"static ", "int ", "const ", "char *", "for (", "i++) ", "if (", "} else {\n", "NULL", "size_t ", "value ",
		"queue ", "thread ", "worker ", "process ", "memory ", "disk ", "network ", "interface ", "packet ", "dropped ",
		"retry ", "failed ", "warning: ", "deprecated ",
	};
	/* clang-format on */
	const unsigned int count = sizeof(words) / sizeof(words[0]);

	for (struct phrase *phrase = phrases; phrase < phrases + PHRASES; phrase++) {
		char text[128];
		size_t used = 0, wanted = 16 + below(32);

		while (used < wanted)
			used += (size_t)(below(6) ? sprintf(text + used, "%s", words[below(below(count) + 1)]) :
						    sprintf(text + used, "%u ", below(1u << below(24)) + 1));
		phrase->size = (uint8_t)(used < sizeof(phrase->text) ? used : sizeof(phrase->text));
		memcpy(phrase->text, text, phrase->size);
	}
}

static void fill_text(uint8_t *page)
{
	size_t used = 0;

	while (used + sizeof(phrases[0].text) <= PAGE) {
		const struct phrase *phrase = &phrases[below(PHRASES)];

		memcpy(page + used, phrase->text, sizeof(phrase->text)); /* what is too much is overwritten */
		used += phrase->size;
	}
	memset(page + used, ' ', PAGE - used);
}

/* Nodes of 64 bytes in lists and trees. */
static void fill_pointers(uint8_t *page)
{
	static uint64_t heap = UINT64_C(0x00007f3a50000000);

	for (size_t i = 0; i < PAGE; i += 64) {
		uint64_t number = dice();
		uint64_t node[8] = { heap + i + 64,
				     heap + i - 64,
				     heap - (number & 0xfffff) * 64,
				     number >> 20 & 0x3ff,
				     UINT64_C(0x000055d0c0de0000) + (number >> 30 & 31) * 64,
				     number & 7 ? 0 : number,
				     1,
				     number >> 36 & 3 ? 0 : heap + (number >> 38 & 0xfffff) * 64 };

		memcpy(page + i, node, sizeof(node));
	}
	heap += PAGE;
}

/* Rows of a table: a key, a time, two counters and a measured value. */
static void fill_records(uint8_t *page)
{
	static uint64_t key, now = UINT64_C(1700000000000000);

	for (size_t i = 0; i < PAGE; i += 32) {
		uint64_t number = dice();
		double value = 20.0 + (double)(number & 0x3ff) / 64.0;
		uint64_t row[4] = { ++key, now += number >> 10 & 0xfff,
				    (number >> 22 & 15) << 32 | (number >> 26 & 0xff) };

		memcpy(&row[3], &value, sizeof(value));
		memcpy(page + i, row, sizeof(row));
	}
}

static void fill_sparse(uint8_t *page)
{
	memset(page, 0, PAGE);
	for (unsigned int i = below(12) + 1; i > 0; i--) {
		uint64_t value = below(4) ? below(256) : dice();

		memcpy(page + 8 * below(PAGE / 8), &value, 8);
	}
}

/* Page @index of @memory. */
static void fill_page(uint8_t *memory, size_t index, enum content content)
{
	static void (*const fillers[])(uint8_t *) = { fill_random, fill_text, fill_pointers, fill_records,
						      fill_sparse };
	uint8_t *page = memory + index * PAGE;

	if (content == COPY && index > 0)
		memcpy(page, page - PAGE * (below(index < BACK_MAX ? (unsigned int)index : BACK_MAX) + 1), PAGE);
	else if (content < ZERO)
		fillers[content](page);
	else
		memset(page, 0, PAGE);
}

static enum content choose(const struct mix *mix)
{
	unsigned int number = below(100), content = 0;

	while (number >= mix->share[content])
		number -= mix->share[content++];
	return content;
}

static void fill(uint8_t *memory, size_t size, const struct mix *mix)
{
	for (size_t i = 0; i < size / PAGE;) {
		enum content content = choose(mix);

		for (unsigned int run = below(RUN_MAX) + 1; run > 0 && i < size / PAGE; run--)
			fill_page(memory, i++, content);
	}
}

/* --- kinds of memory ---------------------------------------------------------------------------------------------- */

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return -1;
	done = write(fd, text, strlen(text));
	close(fd);
	return done < 0 ? -1 : 0;
}

static uint8_t *map(size_t size, int flags)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, data, size);

		if (done < 0)
			return -1;
		data += done;
		size -= (size_t)done;
	}
	return 0;
}

static int make_anonymous(size_t size)
{
	uint8_t *memory = map(size, 0);

	if (!memory || madvise(memory, size, MADV_NOHUGEPAGE) < 0)
		return -1;
	fill(memory, size, &anonymous_mix);
	return 0;
}

static int make_thp(size_t size)
{
	uint8_t *memory = map(size, 0);

	if (!memory || madvise(memory, size, MADV_HUGEPAGE) < 0)
		return -1;
	fill(memory, size, &anonymous_mix);
	return 0;
}

/* A quarter of them stays in the pool. */
static int make_hugetlb(size_t size)
{
	char count[24];
	uint8_t *memory;

	snprintf(count, sizeof(count), "%zu", size / (2 * MIB));
	if (put("/proc/sys/vm/nr_hugepages", count) < 0)
		return -1;
	memory = map(size / 4 * 3, MAP_HUGETLB);
	if (!memory)
		return -1;
	fill(memory, size / 4 * 3, &anonymous_mix);
	return 0;
}

/* Files of 32 MiB. */
static int write_files(const char *place, size_t size)
{
	const size_t step = 32 * MIB;
	uint8_t *buf = map(step, 0);
	char path[64];

	for (size_t i = 0; i < size / step && buf; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%zu", place, i);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		fill(buf, step, &file_mix);
		if (fd < 0 || write_all(fd, buf, step) < 0 || close(fd) < 0)
			return -1;
	}
	return buf ? munmap(buf, step) : -1;
}

/* Files that were written and are clean again, and files of the system that were read. */
static int make_page_cache(size_t size)
{
	char command[128];

	mkdir(PLACE "/files", 0700);
	if (write_files(PLACE "/files", size / 5 * 4) < 0)
		return -1;
	sync();
	snprintf(command, sizeof(command), "find /usr /boot -type f -exec cat {} + | head -c %zu >/dev/null", size / 5);
	return system(command) == 0 ? 0 : -1;
}

static int make_shmem(size_t size)
{
	return write_files(FAST, size);
}

/* Names and inodes of small files, sockets, messages: about a kilobyte each, four, and two. */
static int make_slab(size_t size)
{
	static struct {
		long type;
		uint8_t text[2048 - 64];
	} message = { .type = 1 };
	const struct rlimit limit = { 1 << 16, 1 << 16 };
	static uint8_t page[PAGE];
	char path[96];
	int pair[2], queue;

	for (size_t i = 0; i < size / 2 / 1024; i++) {
		if (i % 4096 == 0) {
			snprintf(path, sizeof(path), FAST "/names%zu", i / 4096);
			mkdir(path, 0700);
		}
		snprintf(path, sizeof(path), FAST "/names%zu/%s-%" PRIx64 ".conf", i / 4096,
			 i % 3 ? "object" : "a-longer-name-of-it", dice());
		if (mknod(path, S_IFREG | 0600, 0) < 0)
			return -1;
	}
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	for (size_t i = 0; i < size / 4 / 4096; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			return -1;
	put("/proc/sys/kernel/msgmnb", "200000000");
	queue = msgget(IPC_PRIVATE, 0600);
	for (size_t i = 0; i < size / 4 / 2048; i++) {
		fill_page(page, 0, i % 8 < 5 ? TEXT : RECORDS);
		memcpy(message.text, page, sizeof(message.text));
		if (msgsnd(queue, &message, sizeof(message.text), IPC_NOWAIT) < 0)
			return -1;
	}
	return 0;
}

/* Pages that the kernel holds as a driver would, full of data on their way: pipes. */
static int make_buffers(size_t size)
{
	uint8_t *buf = map(MIB, 0);
	int ends[2];

	put("/proc/sys/fs/pipe-user-pages-soft", "0");
	for (size_t done = 0; done < size; done += MIB) {
		if (!buf || pipe(ends) < 0 || fcntl(ends[1], F_SETPIPE_SZ, (int)MIB) < 0)
			return -1;
		fill(buf, MIB, &buffer_mix);
		if (write_all(ends[1], buf, MIB) < 0)
			return -1;
	}
	return 0;
}

/* Rings for packets of which none has come: the kernel's, and zeros. */
static int make_rings(size_t size)
{
	const struct tpacket_req ring = {
		.tp_block_size = MIB, .tp_block_nr = 32, .tp_frame_size = 2048, .tp_frame_nr = 32 * MIB / 2048
	};

	for (size_t done = 0; done < size; done += 32 * MIB) {
		int fd = socket(AF_PACKET, SOCK_RAW, 0);

		if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0)
			return -1;
	}
	return 0;
}

/* Each maps a page of zeros, which needs a table for itself. */
static int make_page_tables(size_t size)
{
	const size_t step = 2 * MIB, count = size / PAGE;
	const volatile uint8_t *memory = map(count * step, MAP_NORESERVE);
	unsigned int sum = 0;

	if (!memory || madvise((void *)(uintptr_t)memory, count * step, MADV_NOHUGEPAGE) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		for (unsigned int pages = below(40) + 1; pages > 0; pages--)
			sum += memory[i * step + below(512) * PAGE];
	return sum == 0 ? 0 : -1;
}

/* Processes that wait: what the kernel knows of them, and their stacks; about 64 KiB each. */
static int make_processes(size_t size)
{
	for (size_t i = 0; i < size / (64 << 10); i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -1;
		while (pid == 0)
			pause();
	}
	return 0;
}

/* Filled, and gone with the process that did it; and a file that was deleted. */
static int make_freed(size_t size)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(make_anonymous(size / 8 * 7) < 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return -1;
	mkdir(FAST "/gone", 0700);
	return write_files(FAST "/gone", size / 8) < 0 ? -1 : system("rm -r " FAST "/gone");
}

static const struct kind {
	const char *name;
	int (*make)(size_t size);
	size_t mib;
} kinds[] = {
	{ "hugetlb", make_hugetlb, 256 }, /* before memory is in pieces */
	{ "THP", make_thp, 320 },
	{ "page cache", make_page_cache, 1400 },
	{ "anonymous memory", make_anonymous, 1480 },
	{ "slab", make_slab, 280 },
	{ "shared memory", make_shmem, 288 },
	{ "buffers", make_buffers, 150 },
	{ "rings", make_rings, 224 },
	{ "page tables", make_page_tables, 80 },
	{ "processes", make_processes, 80 },
	{ "freed", make_freed, 700 }, /* last: what is free is used again */
};

/* In a process that stays; wait until it has made it. */
static bool make(const struct kind *kind)
{
	int ends[2], result = -1;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		state = kind->mib;
		result = kind->make(kind->mib * MIB) < 0 ? errno : 0;
		if (write(ends[1], &result, sizeof(result)) < 0 || result != 0)
			_exit(1);
		close(ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (pid < 0 || read(ends[0], &result, sizeof(result)) != sizeof(result))
		result = -1;
	close(ends[0]);
	printf("fill: %s, %zu MiB: %s\n", kind->name, kind->mib,
	       result == 0 ? "ok" :
	       result < 0  ? "the process is gone" :
			     strerror(result));
	fflush(stdout);
	return result == 0;
}

int main(void)
{
	bool good = true;

	mkdir(PLACE, 0700);
	mkdir(FAST, 0700);
	if (mount("fill", FAST, "tmpfs", 0, "size=100%,nr_inodes=0") < 0) {
		perror("fill: " FAST);
		return 1;
	}
	make_phrases();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		good &= make(&kinds[i]);
	return good ? 0 : 1;
}
