/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First and last instructions of the purgatory. The dying kernel jumps here at EL1 or EL2 with interrupts masked and the
 * MMU off, but without a stack: the purgatory brings its own.
 */
#include "kdump/loader/purgatory/purgatory.h"

	.section .entry, "awx", @progbits
	.globl purgatory_start
purgatory_start:
	msr	daifset, #0xf
	b	1f
	.org	PURGATORY_CHECK
	.word	purgatory_check - purgatory_start
	.org	PURGATORY_PARAMS
	.globl purgatory_params
purgatory_params:
	.skip	PURGATORY_PARAMS_SIZE

1:	adrp	x9, stack_end
	add	x9, x9, :lo12:stack_end
	mov	sp, x9
	mov	x29, #0
	mov	x30, #0
	bl	purgatory_check

	/* Linux Documentation/arm64/booting.rst: x0 is the device tree, x1 to x3 are zero. */
	adrp	x9, purgatory_params
	add	x9, x9, :lo12:purgatory_params
	ldr	x4, [x9, #PURGATORY_ENTRY]
	ldr	x0, [x9, #PURGATORY_BOOT_INFO]
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	br	x4

	.section .stack, "aw", @progbits
	.balign	16
	.skip	4096
stack_end:

	.section .note.GNU-stack, "", @progbits
