/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First and last instructions of the purgatory. The dying kernel jumps here in 64-bit mode with an identity map and
 * interrupts off, but without a usable GDT, IDT or stack: the purgatory brings its own.
 */
#include "kdump/loader/purgatory/purgatory.h"

	.section .entry, "awx", @progbits
	.code64
	.globl purgatory_start
purgatory_start:
	cli
	cld
	jmp	1f
	.org	PURGATORY_CHECK
	.long	purgatory_check - purgatory_start
	.org	PURGATORY_PARAMS
	.globl purgatory_params
purgatory_params:
	.skip	PURGATORY_PARAMS_SIZE

1:	leaq	gdt(%rip), %rax
	movq	%rax, gdt_pointer+2(%rip)
	lgdt	gdt_pointer(%rip)
	leaq	stack_end(%rip), %rsp
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	pushq	$0x10
	leaq	2f(%rip), %rax
	pushq	%rax
	lretq

	/* A kexec maps its segments, but not the memory behind the kernel's, into which that expands itself. The first
	 * page is the root for 4-level paging; the second one is that for 5 levels, which CR4.LA57 tells. */
2:	movq	purgatory_params+PURGATORY_PAGE_TABLES(%rip), %rax
	testq	%rax, %rax
	jz	4f
	movq	%cr4, %rcx
	btl	$12, %ecx
	jnc	3f
	addq	$4096, %rax
3:	movq	%rax, %cr3

4:	call	purgatory_check

	/* x86 64-bit boot protocol: rsi is the zero page. */
	movq	purgatory_params+PURGATORY_BOOT_INFO(%rip), %rsi
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	jmp	*purgatory_params+PURGATORY_ENTRY(%rip)

	/* The selectors of the boot protocol: 0x10 flat 64-bit code, 0x18 flat data. */
	.balign	16
gdt:	.quad	0
	.quad	0
	.quad	0x00af9a000000ffff
	.quad	0x00cf92000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.quad	0

	.section .stack, "aw", @progbits
	.balign	16
	.skip	4096
stack_end:

	.section .note.GNU-stack, "", @progbits
