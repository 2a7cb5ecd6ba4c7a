/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Port I/O, since only RAM is mapped. */
#include "kdump/loader/purgatory/report.h"

#define SPIN 100000000u /* bounds loops that wait for hardware, which may be absent */

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
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

/* --- devices ------------------------------------------------------------------------------------------------------ */

/* Configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3.2), which reaches segment 0. */
enum { PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc, PCI_COMMAND = 4, PCI_HEADER = 12 };
#define PCI_ENABLE        0x80000000u
#define PCI_MULTIFUNCTION 0x00800000u /* of the word at PCI_HEADER */
#define PCI_MASTER        4u          /* of the command register */
#define PCI_FUNCTIONS     (256 * 32 * 8)

/* @function: bus, device and function, as in an address. */
static uint32_t pci_read(uint32_t function, uint32_t offset)
{
	outl(PCI_ADDRESS, PCI_ENABLE | function << 8 | offset);
	return inl(PCI_DATA);
}

static int pci_exists(uint32_t function)
{
	return (pci_read(function, 0) & 0xffff) != 0xffff;
}

/* A word is written, since ones clear the bits of the status register beside it. Reading it back waits until all that
 * the device has sent before has reached memory. */
static void pci_stop(uint32_t function)
{
	uint32_t command = pci_read(function, PCI_COMMAND);

	if (!(command & PCI_MASTER))
		return;
	outw(PCI_DATA, command & ~PCI_MASTER);
	pci_read(function, PCI_COMMAND);
}

/* The panic did not stop the devices. They would write received packets and finished requests to memory that belongs to
 * the next kernel. An orderly kexec clears the same bit of the same devices (Linux drivers/pci/pci-driver.c,
 * pci_device_shutdown()). */
static void stop_devices(void)
{
	uint32_t function, step;

	for (function = 0; function < PCI_FUNCTIONS; function += step) {
		step = function & 7 ? 1 : 8;
		if (!pci_exists(function))
			continue;
		if (pci_read(function, PCI_HEADER) & PCI_MULTIFUNCTION)
			step = 1;
		pci_stop(function);
	}
}
