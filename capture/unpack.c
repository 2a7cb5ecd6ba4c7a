/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The /init of the capture initramfs: expand /capture.gz, remove it, become it.
 *
 * While the kernel unpacks the initramfs, it holds it twice, and that moment decides how much crashkernel memory is
 * needed. So the initramfs holds the capture program as a compressed member, like the modules, and this program expands
 * it after the kernel has freed its own copy. This program is small because it has no libc: a static glibc alone would
 * be fifteen times as big. zlib's inflate needs four functions of a libc, which are here.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/freestanding.h"

#define MEMBER  "/capture.gz"
#define PROGRAM "/capture"

/* --- instead of a libc -------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#include <asm/prctl.h>

/* zlib was built with the compiler's stack protector, which reads its canary from %fs:0x28. */
static void prepare_stack_protector(void)
{
	static uint64_t thread_block[16];

	call(__NR_arch_prctl, ARCH_SET_FS, (long)thread_block, 0, 0, 0);
}
#else
/* The canary of the stack protector, with which zlib was built, is a variable of the libc's here. */
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x00aff10a;

static void prepare_stack_protector(void)
{
}
#endif

_Noreturn void __stack_chk_fail(void);
void *malloc(size_t size);
void free(void *p);
void *memcpy(void *restrict to, const void *restrict from, size_t size);

static uint8_t heap[64 << 10] __attribute__((aligned(16))); /* inflate: 7 KiB of state and a window of 32 KiB */
static size_t heap_used;

void *malloc(size_t size)
{
	void *p = heap + heap_used;

	if (size > sizeof(heap) - heap_used)
		return NULL;
	heap_used += (size + 15) & ~(size_t)15;
	return p;
}

void free(void *p)
{
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	while (size--)
		*out++ = *in++;
	return to;
}

/* If process 1 ends, the kernel panics, and with panic= on its command line it reboots. */
static _Noreturn void die(const char *why)
{
	size_t length = 0;

	while (why[length])
		length++;
	call(__NR_write, 2, (long)why, length, 0, 0);
	call(__NR_exit_group, 1, 0, 0, 0, 0);
	__builtin_unreachable();
}

_Noreturn void __stack_chk_fail(void)
{
	die("kdump: stack corrupted while unpacking\n");
}

/* --- expanding ---------------------------------------------------------------------------------------------------- */

static void write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		long n = call(__NR_write, fd, (long)data, size, 0, 0);

		if (n <= 0)
			die("kdump: cannot write " PROGRAM "\n");
		data += n;
		size -= n;
	}
}

static void expand(int in, int out)
{
	static uint8_t packed[16 << 10], plain[64 << 10];
	static z_stream z;
	int status = Z_OK;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		die("kdump: inflateInit2 failed\n");
	while (status != Z_STREAM_END) {
		if (!z.avail_in) {
			long n = call(__NR_read, in, (long)packed, sizeof(packed), 0, 0);

			if (n <= 0)
				die("kdump: " MEMBER " is truncated\n");
			z.next_in = packed;
			z.avail_in = n;
		}
		z.next_out = plain;
		z.avail_out = sizeof(plain);
		status = inflate(&z, Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END)
			die("kdump: " MEMBER " is corrupt\n");
		write_all(out, plain, sizeof(plain) - z.avail_out);
	}
}

_Noreturn void start(long *stack)
{
	char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
	long in, out;

	prepare_stack_protector();
	in = call(__NR_openat, AT_FDCWD, (long)MEMBER, O_RDONLY, 0, 0);
	if (in < 0)
		die("kdump: " MEMBER " is missing\n");
	out = call(__NR_openat, AT_FDCWD, (long)PROGRAM, O_WRONLY | O_CREAT | O_TRUNC, 0700, 0);
	if (out < 0)
		die("kdump: cannot create " PROGRAM "\n");
	expand(in, out);
	call(__NR_close, in, 0, 0, 0, 0);
	call(__NR_close, out, 0, 0, 0, 0); /* execve(2) of an open file fails with ETXTBSY */
	call(__NR_unlinkat, AT_FDCWD, (long)MEMBER, 0, 0, 0);
	call(__NR_execve, (long)PROGRAM, (long)argv, (long)envp, 0, 0);
	die("kdump: cannot run " PROGRAM "\n");
}
