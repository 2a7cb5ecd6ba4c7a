/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The purgatory as bytes in the loader; the build says where the file is. */
	.section .rodata.purgatory, "a", @progbits
	.balign	16
	.globl loader_purgatory
loader_purgatory:
	.incbin PURGATORY_FILE
	.globl loader_purgatory_end
loader_purgatory_end:
	.section .note.GNU-stack, "", @progbits
