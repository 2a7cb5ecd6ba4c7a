/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Freestanding code: no library, no data relocations. It uses port I/O, since only RAM is mapped. */
#include "base/sha256.h"
#include "kdump/loader/purgatory/purgatory.h"

#define SPIN 100000000u /* bounds loops that wait for hardware, which may be absent */

extern struct purgatory_params purgatory_params __attribute__((visibility("hidden")));
void purgatory_check(void);

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

static void put_text(const char *text)
{
	while (*text)
		put_char(*text++);
}

static void put_hex(uint64_t value)
{
	int shift;

	put_text("0x");
	for (shift = 60; shift >= 0; shift -= 4) {
		unsigned int digit = value >> shift & 15;

		put_char(digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
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

static int matches(const struct purgatory_region *region)
{
	uint8_t digest[KD_SHA256_SIZE], differs = 0;
	struct kd_sha256 ctx;
	unsigned int i;

	kd_sha256_init(&ctx);
	kd_sha256_update(&ctx, (const void *)region->start, region->size);
	kd_sha256_final(&ctx, digest);
	for (i = 0; i < sizeof(digest); i++)
		differs |= digest[i] ^ region->digest[i];
	return !differs;
}

void purgatory_check(void)
{
	unsigned int i, bad = 0;

	for (i = 0; i < purgatory_params.regions; i++) {
		const struct purgatory_region *region = &purgatory_params.region[i];

		if (matches(region))
			continue;
		bad++;
		put_text("\r\npurgatory: SHA-256 mismatch: the ");
		put_text(region->name);
		put_text(" loaded at ");
		put_hex(region->start);
		put_text(" was overwritten");
	}
	if (!bad)
		return;
	put_text("\r\npurgatory: the kernel is not started; resetting the machine\r\n");
	reset();
}
