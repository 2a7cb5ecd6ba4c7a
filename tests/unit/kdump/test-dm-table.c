/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "kdump/storage/dm_table.h"
#include "tests/unit/testing.h"

static void test_taken(void **state)
{
	static const char *const tables[] = {
		"0 2097152 linear 254:3 2048\n2097152 4096 striped 2 128 254:3 0 254:30 5\n",
		"0 999 crypt aes-xts-plain64 :64:logon:cryptsetup:1234-d0 0 253:0 32768 1 allow_discards\n",
		"0 204800 thin 253:4 1\n",
		"0 204800 thin-pool 253:2 253:3 128 0 1 skip_block_zeroing",
		"0 409600 raid raid1 3 0 region_size 4096 2 253:0 253:1 253:2 253:3\n",
		"0 8192 multipath 0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1\n",
		"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		assert_no_error(dm_table_check(tables[i]));
}

static void test_refused(void **state)
{
	static const struct {
		const char *table, *part;
	} cases[] = {
		{ "0 8192 snapshot-origin 253:2\n", "remove the snapshots" },
		{ "0 8192 snapshot 253:2 253:3 P 8\n", "it is a snapshot" },
		{ "0 100 linear 8:1 0\n100 8192 snapshot-origin 253:2\n", "device-mapper type snapshot-origin" },
		{ "0 8192 cache 253:1 253:2 253:3 128 0 smq 0\n", "--splitcache" },
		{ "0 8192 writecache s 253:1 253:2 4096 0\n", "--splitcache" },
		{ "0 8192 mirror core 1 1024 2 253:0 0 253:1 0\n", "--type raid1" },
		{ "0 8192 linear 253:0 0\n8192 8192 mirror core 1 1024 2 253:0 0 253:1 0\n", "pvmove" },
		{ "0 8192 era 253:0 253:1 8192\n", "device-mapper type era: nobody has shown" },
		{ "0 8192 vdo V4 /dev/x 4096 4096 10\n", "device-mapper type vdo" },
		{ "0 8 crypt capi:authenc(hmac(sha256),xts(aes))-random :96:k 0 8:1 0 1 integrity:48:aead\n",
		  "authenticated encryption" },
		{ "0 8 crypt aes-gcm-random :32:k 0 8:1 0 1 integrity:28:aead\n", "authenticated encryption" },
		{ "0 8 crypt aes-xts-plain64 :64:a 0 8:1 0\n8 8 crypt aes-xts-plain64 :64:b 0 8:1 8\n", "reencrypt" },
		{ "0 8 crypt aes-xts-plain64 :64:a 0 8:1 0\n8 8 linear 8:1 8\n", "reencrypt" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(dm_table_check(cases[i].table), KD_ERR_UNSUPPORTED, cases[i].part);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
