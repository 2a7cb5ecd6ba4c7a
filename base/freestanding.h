/* SPDX-License-Identifier: GPL-2.0-or-later */
/** For programs without a libc: the system call, and the first instructions, which call start() with the stack that the
 *  kernel has made: argc, argv, envp. Included by the one file of such a program. Another architecture is a block
 *  here. */
#ifndef BASE_FREESTANDING_H
#define BASE_FREESTANDING_H

#include <asm/unistd.h>

/** A distribution's flags follow the build's own and ask for a stack protector. Its canary is a libc's. */
#define UNGUARDED __attribute__((no_stack_protector))

_Noreturn void start(long *stack);

#if defined(__x86_64__)
UNGUARDED static inline long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call start\n");
#elif defined(__aarch64__)
UNGUARDED static inline long call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	b start\n");
#else
#error "freestanding.h: system calls of this architecture are missing"
#endif

#endif
