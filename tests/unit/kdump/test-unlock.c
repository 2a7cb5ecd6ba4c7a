/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdumpctl reboot --unlock: the files of keys, what an initramfs takes, and who asks for a passphrase there. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/secret.h"
#include "initramfs/image.h"
#include "initramfs/secrets.h"
#include "kdump/loader/loader.h"
#include "kdump/unlock/cpio.h"
#include "kdump/unlock/key.h"
#include "kdump/unlock/openers.h"
#include "kdump/unlock/unlock.h"
#include "kdump/unlock/volumes.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#define LUKS     "c3e6dabd-cb37-45d5-9657-e229e5020d97"
#define PLAIN    "c3e6dabdcb3745d59657e229e5020d97"
#define OTHER    "00000000-cb37-45d5-9657-e229e5020d97"
#define UUID     "CRYPT-LUKS2-" PLAIN "-"
#define WORD     ":4:logon:cryptsetup:" LUKS "-d0"
#define KEYRING  "0 999 crypt aes-xts-plain64 " WORD " 0 8:3 32768 1 allow_discards\n"
#define HEX      "00ff11ee"
#define IN_TABLE "0 999 crypt aes-xts-plain64 " HEX " 0 8:3 32768\n"

/* --- a key's file ------------------------------------------------------------------------------------------------- */

static void test_key_file(void **state)
{
	static const uint8_t bytes[] = { 0, 0xff, 0x11, 0xee };
	_cleanup_secret_ char *text = NULL, *plain = NULL;
	struct unlock_key key;
	uint8_t found[UNLOCK_KEY_BYTES];
	char parameters[256];

	assert_no_error(unlock_key_format("root", UUID "root", KEYRING, HEX, &text));
	assert_string_equal(text, "uuid " UUID "\nname root\nkey " HEX "\ntable 0 999 crypt aes-xts-plain64 " WORD
				  " 0 * 32768 1 allow_discards\n");
	assert_no_error(unlock_key_parse(text, &key));
	assert_string_equal(key.uuid, UUID);
	assert_string_equal(key.name, "root");
	assert_int_equal(key.length, 999);
	assert_true(unlock_key_parameters(&key, "254:0", false, parameters, sizeof(parameters)));
	assert_string_equal(parameters, "aes-xts-plain64 " WORD " 0 254:0 32768 1 allow_discards");
	assert_true(unlock_key_parameters(&key, "254:0", true, parameters, sizeof(parameters)));
	assert_string_equal(parameters, "aes-xts-plain64 " HEX " 0 254:0 32768 1 allow_discards");
	assert_false(unlock_key_parameters(&key, "254:0", true, parameters, 20));
	assert_int_equal(unlock_key_bytes(key.hex, found), 4);
	assert_memory_equal(found, bytes, 4);
	assert_int_equal(unlock_key_bytes("0g", found), 0);
	assert_int_equal(unlock_key_bytes("012", found), 0);
	/* A key that is in the table is there once. */
	assert_no_error(unlock_key_format("root", UUID "root", IN_TABLE, HEX, &plain));
	assert_non_null(strstr(plain, "aes-xts-plain64 - 0 * 32768\n"));
}

static void test_key_file_refused(void **state)
{
	static const struct {
		const char *uuid, *table, *words;
	} cases[] = {
		{ "CRYPT-PLAIN-root", KEYRING, "not that of a LUKS volume" },
		{ "root", KEYRING, "not that of a LUKS volume" },
		{ UUID "root", "0 9 linear 8:3 0\n", "not one row of type crypt" },
		{ UUID "root", KEYRING KEYRING, "not one row of type crypt" },
		{ UUID "root", "0 9 crypt aes " HEX " 0 /dev/sda 0\n", "not one row of type crypt" },
		{ UUID "root", "0 9 crypt aes " HEX " 0 8:3\n", "not one row of type crypt" },
	};
	static const char *const damaged[] = {
		"",
		"uuid x\n",
		"uuid " UUID "\nname \n",
		"uuid " UUID "\nname a\nkey 00\ntable 0 9 crypt a b c 8:1 0\n",
		"uuid " UUID "\nname a\nkey 00\ntable 0 9 crypt a b c *\n",
	};
	struct unlock_key key;
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(unlock_key_format("root", cases[i].uuid, cases[i].table, HEX, &text), KD_ERR_UNSUPPORTED,
			     cases[i].words);
	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		_cleanup_free_ char *copy = strdup(damaged[i]);

		assert_error(unlock_key_parse(copy, &key), KD_ERR_FORMAT, "has no valid");
	}
}

static void put_header(char *header, const char *uuid)
{
	memset(header, 0, UNLOCK_HEADER_MIN);
	memcpy(header, "LUKS\xba\xbe\0\2", 8);
	memcpy(header + 168, uuid, strlen(uuid));
}

static void test_luks_uuid(void **state)
{
	char header[UNLOCK_HEADER_MIN], uuid[UNLOCK_UUID_SIZE];

	put_header(header, "C3E6dabd-cb37-45d5-9657-e229e5020d97");
	assert_true(unlock_luks_uuid(header, uuid));
	assert_string_equal(uuid, LUKS);
	/* It becomes a part of a path. */
	put_header(header, "../../../../etc/shadow-0000-00000000");
	assert_false(unlock_luks_uuid(header, uuid));
	put_header(header, LUKS);
	header[0] = 'l';
	assert_false(unlock_luks_uuid(header, uuid));
}

/* --- Debian's table ----------------------------------------------------------------------------------------------- */

static void test_crypttab(void **state)
{
	static const struct unlock_volume volume[] = { { LUKS, "root" }, { OTHER, "swap" } };
	_cleanup_free_ char *edited = NULL;

	assert_no_error(unlock_crypttab_edit("# root UUID=" LUKS " none luks\n"
					     "cryptroot UUID=" LUKS " none luks,keyscript=/lib/ask,discard,tries=9\n"
					     "swap /dev/disk/by-id/x\t/etc/key\n"
					     "other UUID=1 none luks",
					     volume, 2, &edited));
	assert_string_equal(edited, "# root UUID=" LUKS " none luks\n"
				    "cryptroot UUID=" LUKS " " UNLOCK_PROGRAM " luks,discard\n"
				    "swap /dev/disk/by-id/x " UNLOCK_PROGRAM " \n"
				    "other UUID=1 none luks\n");
	assert_true(unlock_crypttab_names("a UUID=" LUKS " none luks\n", &volume[0]));
	assert_false(unlock_crypttab_names("# UUID=" LUKS "\na UUID=" OTHER " none luks\n", &volume[0]));
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

static void test_openers(void **state)
{
	static const struct {
		const char *words;
		const char *device, *volume; /* NULL: it is asked for something else */
	} cases[] = {
		{ "/sbin/cryptsetup -T1 --type=luks --key-file=/kdump-unlock/init open -- /dev/vda1 root", "/dev/vda1",
		  "root" },
		{ "cryptsetup luksOpen -T5 -t 0 /dev/vda1 luks-1", "/dev/vda1", "luks-1" },
		{ "cryptsetup -d - luksOpen /dev/vda1 luks-1", "/dev/vda1", "luks-1" },
		{ "cryptsetup isLuks open", NULL, NULL },
		{ "cryptsetup status root", NULL, NULL },
		{ "/usr/lib/systemd/systemd-cryptsetup attach root /dev/disk/by-uuid/1 none luks",
		  "/dev/disk/by-uuid/1", "root" },
		{ "systemd-cryptsetup detach root", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char **argv = kd_split_words(cases[i].words, NULL);
		const struct opener *opener = opener_find(argv[0]);
		const char *device = NULL, *volume = NULL;

		assert_non_null(opener);
		assert_int_equal(opener->is_asked(argv, &device, &volume), cases[i].device != NULL);
		if (!cases[i].device)
			continue;
		assert_string_equal(device, cases[i].device);
		assert_string_equal(volume, cases[i].volume);
	}
	assert_null(opener_find("/sbin/dmsetup"));
}

/* If the key is of no use, cryptsetup asks itself. */
static void test_opener_clean(void **state)
{
	_cleanup_free_ char **argv = kd_split_words("cryptsetup --key-file=" UNLOCK_PROGRAM " open a b", NULL);

	opener_clean(argv);
	assert_string_equal(argv[1], "open");
	assert_null(argv[4]);
}

static void test_own_cmdline(void **state)
{
	_cleanup_free_ char *own = NULL;

	assert_string_equal(LOADER_UNLOCK, "rdinit=" UNLOCK_PROGRAM);
	assert_no_error(loader_own_cmdline("root=a " LOADER_UNLOCK " quiet", &own));
	assert_string_equal(own, "root=a quiet");
}

/* --- an initramfs ------------------------------------------------------------------------------------------------- */

struct content {
	const char *path, *text; /* text NULL: the end */
};

/* Microcode in an archive of its own, then the files, compressed. */
static void make_initrd(const struct content *content, char **ret, size_t *size_ret)
{
	static const struct secret_file early = { "/kernel/x86/microcode", "code", 4 };
	_cleanup_(image_free) struct image *image = NULL;
	_cleanup_free_ char *first = NULL;
	_cleanup_free_ void *second = NULL;
	size_t first_size, second_size;
	uint64_t unpacked;

	assert_no_error(secrets_archive(&early, 1, &first, &first_size));
	assert_no_error(image_new(&image));
	for (; content->path; content++)
		assert_no_error(image_add_file(image, content->path, 0755, IMAGE_STORE_PLAIN, strdup(content->text),
					       strlen(content->text)));
	assert_no_error(image_build(image, IMAGE_COMPRESSION_GZIP, &second, &second_size, &unpacked));
	*size_ret = first_size + 512 + second_size;
	*ret = calloc(1, *size_ret);
	assert_non_null(*ret);
	memcpy(*ret, first, first_size);
	memcpy(*ret + first_size + 512, second, second_size);
}

static void count_member(void *arg, const char *name, mode_t mode, const void *data, size_t size)
{
	*(size_t *)arg += strcmp(name, "kernel/x86/microcode") == 0 && size == 4 ? 1 :
			  strcmp(name, "a/b") == 0                               ? 100 :
										   0;
}

static void test_walk(void **state)
{
	static const struct content content[] = { { "/a/b", "text" }, { 0 } };
	_cleanup_free_ char *data = NULL;
	size_t size, found = 0;

	make_initrd(content, &data, &size);
	assert_no_error(cpio_walk(data, size, 1 << 20, "it", count_member, &found));
	assert_int_equal(found, 101);
	assert_error(cpio_walk(data, size, 16, "it", count_member, &found), KD_ERR_LIMIT, "it");
	/* A name that does not end, and a size that is no number. */
	data[110 + 6] = 'x';
	assert_error(cpio_walk(data, size, 1 << 20, "it", count_member, &found), KD_ERR_FORMAT, "damaged at byte 0");
	assert_error(cpio_walk("07070", 5, 1 << 20, "it", count_member, &found), KD_ERR_FORMAT, "damaged at byte 0");
}

/* --- a machine ---------------------------------------------------------------------------------------------------- */

static void put_block(struct tree *m, const char *name, const char *number, const char *below)
{
	char path[128], text[128];

	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	snprintf(text, sizeof(text), "%s\n", number);
	tree_text(m, path, text);
	snprintf(path, sizeof(path), "/sys/dev/block/%s/uevent", number);
	snprintf(text, sizeof(text), "DEVNAME=%s\nDEVTYPE=disk\n", name);
	tree_text(m, path, text);
	snprintf(path, sizeof(path), "/sys/class/block/%s/slaves", name);
	tree_directory(m, path);
	if (!below)
		return;
	snprintf(path, sizeof(path), "/sys/class/block/%s/slaves/%s", name, below);
	tree_directory(m, path);
}

static void put_mapping(struct tree *m, const char *name, const char *volume, const char *uuid)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", name);
	tree_text(m, path, volume);
	snprintf(path, sizeof(path), "/sys/class/block/%s/dm/uuid", name);
	tree_text(m, path, uuid);
}

/* "/" on LVM on LUKS on vda3, and a volume for swap on vda2. */
static void put_machine(struct tree *m)
{
	char header[UNLOCK_HEADER_MIN];

	tree_text(m, "/proc/self/mountinfo", "29 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n");
	put_block(m, "vda2", "254:2", NULL);
	put_block(m, "vda3", "254:3", NULL);
	put_block(m, "dm-0", "253:0", "vda3");
	put_block(m, "dm-1", "253:1", "dm-0");
	put_block(m, "dm-2", "253:2", "vda2");
	put_mapping(m, "dm-0", "crypt\n", UUID "crypt\n");
	put_mapping(m, "dm-1", "vg-root\n", "LVM-1\n");
	put_mapping(m, "dm-2", "swap\n", "CRYPT-LUKS1-00000000cb3745d59657e229e5020d97-swap\n");
	put_header(header, LUKS);
	tree_write(m, "/dev/vda3", header, sizeof(header));
	put_header(header, OTHER);
	tree_write(m, "/dev/vda2", header, sizeof(header));
	tree_text(m, "/dev/dm-0", "");
	tree_text(m, "/dev/dm-1", "");
}

static struct kd_error *choose(struct tree *m, const struct content *content, const char *cmdline,
			       struct unlock_volumes *volumes)
{
	_cleanup_free_ char *data = NULL;
	size_t size;

	unlock_volumes_free(volumes);
	assert_no_error(unlock_volumes_find(&m->root, volumes));
	assert_int_equal(volumes->count, 2);
	make_initrd(content, &data, &size);
	return unlock_volumes_choose(volumes, data, size, "/boot/initrd", cmdline);
}

#define DEBIAN                                                                                                         \
	{ "/scripts/local-top/cryptroot", "#" },                                                                       \
	{                                                                                                              \
		"/usr/sbin/cryptsetup", "#"                                                                            \
	}

static void test_choose(void **state)
{
	static const struct content none[] = { { "/init", "#" }, { 0 } };
	static const struct content debian[] = { DEBIAN,
						 { "/cryptroot/crypttab", "crypt UUID=" LUKS " none luks\n" },
						 { 0 } };
	static const struct content both[] = {
		DEBIAN,
		{ "/cryptroot/crypttab", "crypt UUID=" LUKS " none luks\nswap UUID=" OTHER " none luks\n" },
		{ 0 },
	};
	static const struct content other[] = { DEBIAN,
						{ "/cryptroot/crypttab", "swap UUID=" OTHER " none luks\n" },
						{ 0 } };
	static const struct content dracut[] = { { "/usr/lib/dracut/hooks/cmdline/30-parse-crypt.sh", "#" },
						 { "/usr/lib/systemd/systemd-cryptsetup", "#" },
						 { 0 } };
	static const struct content bare[] = { { "/usr/lib/dracut/hooks/cmdline/30-parse-crypt.sh", "#" }, { 0 } };
	_cleanup_(unlock_volumes_free) struct unlock_volumes volumes = { 0 };
	struct tree *m = *state;

	put_machine(m);
	assert_no_error(choose(m, debian, "root=a", &volumes));
	assert_int_equal(volumes.count, 1);
	assert_string_equal(volumes.volume[0].name, "crypt");
	assert_string_equal(volumes.volume[0].uuid, UUID "crypt");
	assert_string_equal(volumes.volume[0].luks, LUKS);
	assert_no_error(choose(m, both, "root=a", &volumes));
	assert_int_equal(volumes.count, 2);
	assert_no_error(choose(m, dracut, "root=a", &volumes));
	assert_int_equal(volumes.count, 1);
	assert_no_error(choose(m, dracut, "rd.luks.uuid=" LUKS " rd.luks.uuid=luks-" OTHER, &volumes));
	assert_int_equal(volumes.count, 2);
	assert_error(choose(m, none, "", &volumes), KD_ERR_UNSUPPORTED,
		     "/boot/initrd has neither the scripts of Debian's");
	assert_error(choose(m, other, "", &volumes), KD_ERR_UNSUPPORTED, "does not open volume crypt");
	assert_error(choose(m, debian, "cryptopts=source=x", &volumes), KD_ERR_UNSUPPORTED, "does not open volumes by");
	assert_error(choose(m, bare, "", &volumes), KD_ERR_UNSUPPORTED, "no program that opens LUKS volumes");
}

static void test_find_refused(void **state)
{
	_cleanup_(unlock_volumes_free) struct unlock_volumes volumes = { 0 };
	struct tree *m = *state;

	put_machine(m);
	tree_text(m, "/dev/vda3", "no header");
	assert_error(unlock_volumes_find(&m->root, &volumes), KD_ERR_UNSUPPORTED,
		     "volume crypt: there is no LUKS header");
	unlock_volumes_free(&volumes);
	put_mapping(m, "dm-0", "crypt\n", "CRYPT-PLAIN-crypt\n");
	assert_error(unlock_volumes_find(&m->root, &volumes), KD_ERR_UNSUPPORTED, "plain dm-crypt (CRYPT-PLAIN-crypt)");
	unlock_volumes_free(&volumes);
	tree_text(m, "/proc/self/mountinfo", "29 1 254:3 / / rw - ext4 /dev/vda3 rw\n");
	tree_text(m, "/dev/vda3", "");
	assert_error(unlock_volumes_find(&m->root, &volumes), KD_ERR_CONFIG, "does not lie on an encrypted volume");
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static struct kd_error *table(const struct kd_sysroot *root, const char *name, char **ret)
{
	*ret = strdup(KEYRING);
	return NULL;
}

static struct kd_error *kernel_key(const char *name, size_t size, char **ret)
{
	assert_string_equal(name, "crypt");
	assert_int_equal(size, 4);
	*ret = strdup(HEX);
	return NULL;
}

static void check_member(void *arg, const char *name, mode_t mode, const void *data, size_t size)
{
	if (strcmp(name, "kdump-unlock/keys/" LUKS) != 0)
		return;
	assert_int_equal(mode & 0777, 0600);
	assert_non_null(memmem(data, size, "\nkey " HEX "\n", strlen("\nkey " HEX "\n")));
	*(bool *)arg = true;
}

static void test_fetch_and_pack(void **state)
{
	static const struct content debian[] = { DEBIAN,
						 { "/cryptroot/crypttab", "crypt UUID=" LUKS " none luks\n" },
						 { 0 } };
	static const struct volumes_source source = { .table = table, .kernel_key = kernel_key };
	_cleanup_(unlock_volumes_free) struct unlock_volumes volumes = { 0 };
	_cleanup_secret_ char *archive = NULL;
	struct tree *m = *state;
	bool found = false;
	size_t size;

	put_machine(m);
	assert_no_error(choose(m, debian, "", &volumes));
	assert_no_error(unlock_volumes_fetch(&m->root, &source, &volumes));
	assert_string_equal(volumes.volume[0].source, "the running kernel's memory");
	assert_no_error(unlock_volumes_pack(&volumes, &archive, &size));
	assert_no_error(cpio_walk(archive, size, 1 << 20, "it", check_member, &found));
	assert_true(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_file),
		cmocka_unit_test(test_key_file_refused),
		cmocka_unit_test(test_luks_uuid),
		cmocka_unit_test(test_crypttab),
		cmocka_unit_test(test_openers),
		cmocka_unit_test(test_opener_clean),
		cmocka_unit_test(test_own_cmdline),
		cmocka_unit_test(test_walk),
		cmocka_unit_test_setup_teardown(test_choose, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_find_refused, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_fetch_and_pack, tree_setup, tree_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
