/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MMU is off: every address is physical, and memory answers as slowly as a device. */
#include "kdump/loader/purgatory/report.h"

#define SPIN 100000u /* bounds the loop that waits for a UART, which may not run any more */

/* Registers of the PL011 (ARM DDI 0183), and the flag for "no room to transmit". */
enum { PL011_DATA = 0x00, PL011_FLAGS = 0x18, PL011_FULL = 1 << 5 };

/* Arm Power State Coordination Interface (DEN0022), SYSTEM_RESET. */
#define PSCI_SYSTEM_RESET 0x84000009

static void put_char(char c)
{
	volatile uint32_t *uart = (volatile uint32_t *)purgatory_params.serial;
	unsigned int spin;

	if (!uart)
		return;
	for (spin = 0; spin < SPIN && uart[PL011_FLAGS / 4] & PL011_FULL; spin++)
		;
	uart[PL011_DATA / 4] = (uint8_t)c;
}

/* The loader refuses what would need it (struct loader_arch, stops_devices). */
static void stop_devices(void)
{
}

/* Without firmware that can reset, all that is left is a watchdog. */
static __attribute__((noreturn)) void reset(void)
{
	register uint64_t x0 __asm__("x0") = PSCI_SYSTEM_RESET;

	if (purgatory_params.reset == PURGATORY_RESET_HVC)
		__asm__ volatile("hvc #0" : "+r"(x0) : : "memory");
	else if (purgatory_params.reset == PURGATORY_RESET_SMC)
		__asm__ volatile("smc #0" : "+r"(x0) : : "memory");
	for (;;)
		__asm__ volatile("wfi");
}
