/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the purgatories of all architectures have in common: the comparison and the words. It is included by the one
 *  file of each that defines put_char(), stop_devices() and reset(). Freestanding code: no library, no data
 *  relocations. */
#ifndef KDUMP_LOADER_PURGATORY_REPORT_H
#define KDUMP_LOADER_PURGATORY_REPORT_H

#include "base/sha256.h"
#include "kdump/loader/purgatory/purgatory.h"

extern struct purgatory_params purgatory_params __attribute__((visibility("hidden")));

static void put_char(char c);
static void stop_devices(void);
static __attribute__((noreturn)) void reset(void);
void purgatory_check(void);

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

	if (purgatory_params.stop_devices)
		stop_devices();
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

#endif
