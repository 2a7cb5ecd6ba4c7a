/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Port I/O, since only RAM is mapped. */
#include "kdump/loader/purgatory/report.h"

#define SPIN 100000000u /* bounds loops that wait for hardware, which may be absent */

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put_char(char c)
{
	uint16_t port = purgatory_params.serial;
	unsigned int spin;

	if (!port)
		return;
	/* Line status: transmitter empty. An absent UART reads as all ones, so the loop ends at once. */
	for (spin = 0; spin < SPIN / 1000 && !(inb(port + 5) & 0x20); spin++)
		;
	outb(port, c);
}

static void pause_a_while(void)
{
	volatile unsigned int spin;

	for (spin = 0; spin < SPIN; spin++)
		;
}

/* The ways to reset a PC, the most likely first. The last one needs no hardware. */
static __attribute__((noreturn)) void reset(void)
{
	static const struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} no_idt = { 0, 0 };

	outb(0xcf9, 0x02);
	outb(0xcf9, 0x0e);
	pause_a_while();
	outb(0x64, 0xfe);
	pause_a_while();
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
	for (;;)
		;
}
