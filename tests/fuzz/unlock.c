/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kdumpctl reboot --unlock reads: an initramfs, a key's file, Debian's table of volumes. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kdump/unlock/cpio.h"
#include "kdump/unlock/key.h"
#include "tests/fuzz/fuzz.h"

struct bounds {
	unsigned int sum;
};

static void member(void *arg, const char *name, mode_t mode, const void *data, size_t size)
{
	struct bounds *bounds = arg;

	REQUIRE(name[0] != '/');
	for (size_t i = 0; i < size; i++) /* the sanitizers see a byte that is not there */
		bounds->sum += ((const unsigned char *)data)[i];
}

static void try_key(char *text)
{
	struct unlock_key key;
	uint8_t bytes[UNLOCK_KEY_BYTES];
	char parameters[64];

	if (fuzz_error(unlock_key_parse(text, &key)))
		return;
	REQUIRE(*key.uuid && *key.name && *key.hex && key.cipher && key.more);
	REQUIRE(unlock_key_bytes(key.hex, bytes) <= sizeof(bytes));
	if (unlock_key_parameters(&key, "8:3", true, parameters, sizeof(parameters)))
		REQUIRE(strlen(parameters) < sizeof(parameters));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct unlock_volume volume = { "c3e6dabd-cb37-45d5-9657-e229e5020d97", "root" };
	_cleanup_free_ char *text = fuzz_text(data, size), *edited = NULL, *again = NULL;
	char uuid[UNLOCK_UUID_SIZE];
	struct bounds bounds = { 0 };

	fuzz_error(cpio_walk(data, size, 1 << 20, "it", member, &bounds));
	if (size >= UNLOCK_HEADER_MIN && unlock_luks_uuid(data, uuid))
		REQUIRE(strspn(uuid, "0123456789abcdef-") == sizeof(uuid) - 1);
	REQUIRE(!fuzz_error(unlock_crypttab_edit(text, &volume, 1, &edited)));
	REQUIRE(unlock_crypttab_names(text, &volume) == unlock_crypttab_names(edited, &volume));
	REQUIRE(!fuzz_error(unlock_crypttab_edit(edited, &volume, 1, &again)));
	REQUIRE(strcmp(edited, again) == 0);
	try_key(text);
	return 0;
}
