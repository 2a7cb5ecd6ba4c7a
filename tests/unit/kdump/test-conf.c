/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdump.conf: values, and what is refused. */
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "kdump/config/conf.h"
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#define WARNING_SIZE 512

static void count_warning(void *arg, const char *message)
{
	++*(int *)arg;
}

static struct kd_error *parse(const char *text, const char *file, struct kd_conf *ret,
			      void (*warn)(void *arg, const char *message), void *warn_arg)
{
	const struct kd_conf_text only = { .file = file, .text = text };

	return kd_conf_parse(&only, 1, ret, warn, warn_arg);
}

static void test_conf_values(void **state)
{
	static const char text[] = "# comment\n"
				   "\n"
				   "path /var/crash2   # where\n"
				   "ext4 UUID=03138356-5e61-4ab3-b58e-27507ac41937\n"
				   "core_collector \"makedumpfile -l --message-level 7 -d 31\"\n"
				   "extra_bins /usr/bin/lftp /a/b\n"
				   "extra_files /etc/hosts '/etc/with blank'\n"
				   "\tdefault halt\n"
				   "force_rebuild 1\n"
				   "auto_reset_crashkernel yes\n"
				   "pstore no\n"
				   "device_timeout 30\nmount_timeout 86400\nstall_timeout 1\ncapture_timeout 60\n"
				   "keep_dumps 5\nkeep_days 90\nkeep_size 20G\nkeep_free 10%";
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	int warnings = 0;

	assert_no_error(parse(text, "k.conf", &conf, count_warning, &warnings));
	assert_int_equal(warnings, 1);
	assert_int_equal(conf.device_timeout, 30);
	assert_int_equal(conf.mount_timeout, 86400);
	assert_int_equal(conf.stall_timeout, 1);
	assert_int_equal(conf.capture_timeout, 60);
	assert_int_equal(conf.keep_dumps, 5);
	assert_int_equal(conf.keep_days, 90);
	assert_int_equal(conf.keep_size, UINT64_C(20) << 30);
	assert_int_equal(conf.keep_free, 0);
	assert_int_equal(conf.keep_free_percent, 10);
	assert_string_equal(conf.path, "/var/crash2");
	assert_string_equal(conf.target_type, "ext4");
	assert_string_equal(conf.target, "UUID=03138356-5e61-4ab3-b58e-27507ac41937");
	assert_int_equal(conf.target_line, 4);
	assert_string_equal(conf.core_collector[0], "makedumpfile");
	assert_string_equal(conf.core_collector[5], "31");
	assert_string_equal(conf.extra_bins[1], "/a/b");
	assert_null(conf.extra_modules[0]);
	assert_string_equal(conf.extra_files[1], "/etc/with blank");
	assert_int_equal(conf.failure_action, KD_ACTION_HALT);
	assert_false(conf.dump_to_rootfs);
	assert_int_equal(conf.final_action, KD_ACTION_REBOOT);
	assert_int_equal(conf.crash_loop.count, 3);
	assert_int_equal(conf.crash_loop.seconds, 3600);
	assert_int_equal(conf.crash_loop.action, KD_ACTION_REBOOT);
	assert_true(conf.force_rebuild);
	assert_true(conf.auto_reset_crashkernel);
	assert_false(conf.pstore);
}

static void test_conf_default_times(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	assert_no_error(parse("capture_timeout auto\n", "k", &conf, NULL, NULL));
	assert_int_equal(conf.device_timeout, 120);
	assert_int_equal(conf.mount_timeout, 300);
	assert_int_equal(conf.stall_timeout, 300);
	assert_int_equal(conf.capture_timeout, 0);
}

static void test_conf_rootfs(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	size_t i, found = 0;

	assert_no_error(parse("failure_action dump_to_rootfs\nvirtiofs dumps\n", "k", &conf, NULL, NULL));
	assert_true(conf.dump_to_rootfs);
	assert_int_equal(conf.failure_action, KD_ACTION_REBOOT);
	assert_string_equal(conf.target_type, "virtiofs");
	assert_string_equal(conf.target, "dumps");
	for (i = 0; i < conf.setting_count; i++)
		found += conf.setting[i].name && strcmp(conf.setting[i].name, "virtiofs") == 0 &&
			 strcmp(conf.setting[i].value, "dumps") == 0 && conf.setting[i].line == 2;
	assert_int_equal(found, 1);
}

static void keep_warning(void *arg, const char *message)
{
	snprintf(arg, WARNING_SIZE, "%s", message);
}

static void test_conf_ssh(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	assert_no_error(parse("ssh root@server\nsshkey /root/key\npath /dumps\n", "k", &conf, NULL, NULL));
	assert_string_equal(conf.target_type, "ssh");
	assert_string_equal(conf.target, "root@server");
	assert_string_equal(kd_conf_target(&conf).key, "/root/key");
}

static void test_conf_objects(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct target_request second;

	assert_no_error(parse("http https://server:8443/dumps\nhttp_credentials /root/login\ntls_ca /root/ca.pem\n"
			      "s3 s3://bucket/lab\ns3_credentials /root/keys\ns3_endpoint http://store\ns3_region x\n"
			      "s3_style virtual\n",
			      "k", &conf, NULL, NULL));
	assert_string_equal(conf.target_type, "http");
	assert_string_equal(conf.target, "https://server:8443/dumps");
	assert_string_equal(kd_conf_target(&conf).access->http_credentials, "/root/login");
	second = kd_conf_further(&conf, 0);
	assert_string_equal(second.type, "s3");
	assert_string_equal(second.device, "s3://bucket/lab");
	assert_string_equal(second.access->s3_credentials, "/root/keys");
	assert_string_equal(second.access->s3_endpoint, "http://store");
	assert_string_equal(second.access->s3_region, "x");
	assert_string_equal(second.access->s3_style, "virtual");
	assert_string_equal(second.access->tls_ca, "/root/ca.pem");
}

static void expect_further(const struct kd_conf *conf, size_t i, const char *expected)
{
	const struct target_request request = kd_conf_further(conf, i);
	char found[256];

	snprintf(found, sizeof(found), "%s %s %s line %u", request.type, request.device, request.path, request.line);
	assert_string_equal(found, expected);
}

/* A path is for the targets behind it, the first one also for those before it. */
static void test_conf_chain(void **state)
{
	static const char text[] = "nfs server:/x\npath /a\next4 UUID=b\npath /c\nssh root@d\n";
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 }, plain = { 0 };
	size_t i;

	assert_no_error(parse(text, "k", &conf, NULL, NULL));
	assert_string_equal(conf.target_type, "nfs");
	assert_string_equal(conf.path, "/a");
	assert_int_equal(conf.further_count, 2);
	expect_further(&conf, 0, "ext4 UUID=b /a line 3");
	expect_further(&conf, 1, "ssh root@d /c line 5");
	assert_true(kd_conf_has_target(&conf, "ssh"));
	assert_false(kd_conf_has_target(&conf, "xfs"));
	for (i = 0; i < conf.setting_count; i++) {
		if (conf.setting[i].name && strcmp(conf.setting[i].name, "nfs") == 0)
			assert_string_equal(conf.setting[i].value, "server:/x, then ext4 UUID=b, then ssh root@d");
		if (conf.setting[i].name && strcmp(conf.setting[i].name, "path") == 0)
			assert_string_equal(conf.setting[i].value, "/a");
	}
	assert_no_error(parse("ext4 UUID=a\nxfs UUID=b\n", "k", &plain, NULL, NULL));
	expect_further(&plain, 0, "xfs UUID=b /var/crash line 2");
}

/* The same target twice is one. */
static void test_conf_target_twice(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	char warning[WARNING_SIZE] = "";

	assert_no_error(parse("ext4 UUID=a\npath /x\next4 UUID=a\n", "k", &conf, keep_warning, warning));
	assert_string_equal(warning, "k:3: the target ext4 UUID=a is also on line 1; it is tried once");
	assert_string_equal(conf.target, "UUID=a");
	assert_int_equal(conf.further_count, 0);
}

/* Modules for dracut are modules for us; the rest is warned of. */
static void test_conf_dracut_args(void **state)
{
	static const struct {
		const char *text, *modules[4];
		const char *warning; /* a part of it; "": there is none */
	} cases[] = {
		{ "dracut_args --add-drivers mpt3sas\n", { "mpt3sas" }, "" },
		{ "extra_modules a\ndracut_args --add-drivers \"b c\"\n", { "a", "b", "c" }, "" },
		{ "dracut_args --add-drivers=b\nextra_modules a\n", { "b", "a" }, "" },
		{ "dracut_args --omit-drivers \"cfg80211 snd\" --add-drivers \"ext2 ext3\"\n",
		  { "ext2", "ext3" },
		  "k:1: option 'dracut_args': the image is not built by dracut" },
		{ "dracut_args --mount \"/dev/sda1 /mnt ext4 rw\"\n", { NULL }, "as in \"ext4 DEVICE\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
		char warning[WARNING_SIZE] = "";
		size_t k = 0;

		assert_no_error(parse(cases[i].text, "k", &conf, keep_warning, warning));
		for (; cases[i].modules[k]; k++)
			assert_string_equal(conf.extra_modules[k], cases[i].modules[k]);
		assert_null(conf.extra_modules[k]);
		assert_int_equal(*cases[i].warning != '\0', *warning != '\0');
		assert_non_null(strstr(warning, cases[i].warning));
	}
}

/* Files from Windows: a byte order mark, its line ends. */
static void test_conf_windows(void **state)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };

	assert_no_error(parse("\xef\xbb\xbf"
			      "# comment\r\npath /x\r\n\r\ncore_collector \"dumpfilter -c\"\r\n"
			      "extra_bins a # b\r\n",
			      "k", &conf, NULL, NULL));
	assert_string_equal(conf.path, "/x");
	assert_string_equal(conf.core_collector[1], "-c");
	assert_string_equal(conf.extra_bins[0], "a");
	assert_null(conf.extra_bins[1]);
}

/* What cannot be read as text would be cut off, and the machine armed without its directives. */
static void test_conf_files(void **state)
{
	static const char nul[] = "path /x\n\0final_action halt\n";
	struct tree *m = *state;
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct kd_conf none;

	tree_write(m, "/bom", "\xef\xbb\xbfpath /x\n", 11);
	assert_no_error(kd_conf_load(&m->root, NULL, "/bom", &conf));
	assert_string_equal(conf.path, "/x");
	tree_write(m, "/utf16", "\xff\xfe#\0\n\0", 6);
	assert_error(kd_conf_load(&m->root, NULL, "/utf16", &none), KD_ERR_CONFIG, "/utf16 is in UTF-16: \"iconv");
	tree_write(m, "/nul", nul, sizeof(nul) - 1);
	assert_error(kd_conf_load(&m->root, NULL, "/nul", &none), KD_ERR_CONFIG, "/nul has a NUL byte at offset 8");
}

/* Files beside it: the last word counts, targets add up, and every message names its own file. */
static void test_conf_drop_ins(void **state)
{
	struct tree *m = *state;
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	_cleanup_free_ char *where = NULL;
	struct kd_conf none;

	tree_text(m, "/etc/k.conf", "path /main\nkeep_dumps 3\nfinal_action halt\n");
	tree_text(m, "/etc/k.conf.d/20-b.conf", "\nkeep_dumps 7\nnfs server:/b\n");
	tree_text(m, "/etc/k.conf.d/10-a.conf", "keep_dumps 5\npath /a\next4 /dev/sda1\n");
	tree_text(m, "/etc/k.conf.d/30-c.conf~", "keep_dumps 9\n");
	tree_text(m, "/etc/k.conf.d/.hidden.conf", "keep_dumps 9\n");
	assert_no_error(kd_conf_load(&m->root, NULL, "/etc/k.conf", &conf));
	assert_int_equal(conf.keep_dumps, 7);
	assert_int_equal(conf.final_action, KD_ACTION_HALT);
	assert_string_equal(conf.path, "/a");
	assert_string_equal(kd_conf_target(&conf).file, "/etc/k.conf.d/10-a.conf");
	assert_int_equal(kd_conf_target(&conf).line, 3);
	assert_int_equal(conf.further_count, 1);
	assert_string_equal(kd_conf_further(&conf, 0).file, "/etc/k.conf.d/20-b.conf");
	assert_int_equal(kd_conf_further(&conf, 0).line, 3);
	assert_no_error(kd_conf_where(&conf, "keep_dumps", &where));
	assert_string_equal(where, "/etc/k.conf.d/20-b.conf:2: keep_dumps");

	tree_text(m, "/etc/k.conf.d/20-b.conf", "keep_dumps 7\nkeep_dumps 8\n");
	assert_error(kd_conf_load(&m->root, NULL, "/etc/k.conf", &none), KD_ERR_CONFIG,
		     "/etc/k.conf.d/20-b.conf:2: Duplicated kdump config value of option keep_dumps (first on line 1)");
	tree_text(m, "/etc/k.conf.d/20-b.conf", "frobnicate 1\n");
	assert_error(kd_conf_load(&m->root, NULL, "/etc/k.conf", &none), KD_ERR_CONFIG,
		     "/etc/k.conf.d/20-b.conf:1: Invalid kdump config option frobnicate");
	tree_delete(m, "/etc/k.conf.d/20-b.conf");
	tree_text(m, "/etc/k.conf", "path /main\next4 /dev/sda1\n");
	tree_text(m, "/etc/k.conf.d/10-a.conf", "path /a\n");
	assert_error(kd_conf_load(&m->root, NULL, "/etc/k.conf", &none), KD_ERR_CONFIG,
		     "/etc/k.conf.d/10-a.conf:1: Duplicated kdump config value of option path (first on line 1 of "
		     "/etc/k.conf): no target follows it");
}

static void test_conf_encrypt(void **state)
{
	static const char one[] = "age1f8nslzszklq85g4f5xl5f72x30v27nt67cgczfpwx7dgxt6x79es073kw7";
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 }, other = { 0 };
	char text[512];

	snprintf(text, sizeof(text), "encrypt %s %s # two\n", one, one);
	assert_no_error(parse(text, "k", &conf, NULL, NULL));
	assert_string_equal(conf.encrypt[1], one);
	assert_null(conf.encrypt[2]);
	assert_int_equal(conf.encrypt_public, KD_PUBLIC_HOST);
	assert_no_error(parse("encrypt_public kernel console\n", "k", &other, NULL, NULL));
	assert_null(other.encrypt[0]);
	assert_int_equal(other.encrypt_public, KD_PUBLIC_KERNEL | KD_PUBLIC_CONSOLE);
}

static void test_conf_refuses(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "foo bar", "k:1: Invalid kdump config option foo" },
		{ "path\xc2\xa0/x", "k:1: a no-break space (\\xc2\\xa0) stands in this line, perhaps copied" },
		{ "\npath /x\xe2\x80\x8b", "k:2: a zero-width space (\\xe2\\x80\\x8b) stands in this line" },
		{ "core_collector \xe2\x80\x9c"
		  "dumpfilter -c\xe2\x80\x9d",
		  "a typographic quote (\\xe2\\x80\\x9c)" },
		{ "p\xc3\xa4th /x", "k:1: Invalid kdump config option p\\xc3\\xa4th; see kdump.conf(5)" },
		{ "\npath\n", "k:2: Invalid kdump config value for option 'path'" },
		{ "path # nothing\n", "k:1: Invalid kdump config value for option 'path'" },
		{ "path var/crash\n", "\"var/crash\"; give an absolute path" },
		{ "path /a\npath /b\n", "k:2: Duplicated kdump config value of option path (first on line 1)" },
		{ "path /a\next4 /dev/sda\npath /b\n",
		  "k:3: Duplicated kdump config value of option path (first on line 1): no target follows it" },
		{ "ext4 sda1\n", "give /dev/" },
		{ "ext4 /etc/passwd\n", "give /dev/" },
		{ "ext4 UUID_SUB=1\n", "give /dev/" },
		{ "ext4 LABEL=\n", "give /dev/" },
		{ "\nencrypt age1xyz\n", "k:2: Invalid kdump config value for option 'encrypt': \"age1xyz…\" is not a "
					 "public key of age: a recipient has 62 characters" },
		{ "encrypt AGE-SECRET-KEY-1XU58833YMEJAGG0GH7F68YMYZ3ZDPFXV43EJZ65DP02PPRWLE20QP889DG\n",
		  "\"AGE-SECR…\" is not a public key of age: it does not begin with \"age1\"" },
		{ "encrypt_public nothing\n", "use none, or some of host, kernel, reason, memory and console" },
		{ "encrypt_public none host\n", "use none, or some of host" },
		{ "net 1.2.3.4\n", "k:1: Deprecated kdump config option: net. Refer to kdump.conf manpage" },
		{ "nfs host\n", "k:1: Invalid kdump config value for option 'nfs': \"host\"; give SERVER:/DIRECTORY" },
		{ "ssh root@\n", "k:1: Invalid kdump config value for option 'ssh': \"root@\"; give USER@SERVER" },
		{ "ssh -oProxyCommand=x@y\n", "give USER@SERVER" },
		{ "ssh root@server:/dumps\n", "give USER@SERVER" },
		{ "http server/dumps\n", "give https://SERVER/DIRECTORY" },
		{ "http https:///dumps\n", "give https://SERVER/DIRECTORY" },
		{ "http https://user@server/dumps\n", "give https://SERVER/DIRECTORY" },
		{ "http https://server/dumps?x\n", "give https://SERVER/DIRECTORY" },
		{ "s3 bucket\n", "give s3://BUCKET/PREFIX" },
		{ "s3 s3:///prefix\n", "give s3://BUCKET/PREFIX" },
		{ "s3_endpoint server\n", "give https://SERVER" },
		{ "s3_style host\n", "use path or virtual" },
		{ "s3_region a,b\n", "give the region's name" },
		{ "http_credentials secret\n", "give an absolute path" },
		{ "sshkey key\n", "give an absolute path" },
		{ "nfs host:export\n", "give SERVER:/DIRECTORY" },
		{ "nfs :/x\n", "give SERVER:/DIRECTORY" },
		{ "nfs ::1:/x\n", "an IPv6 address in brackets" },
		{ "nfs a b:/x\n", "give SERVER:/DIRECTORY" },
		{ "nfs -a:/x\n", "give SERVER:/DIRECTORY" },
		{ "nfs [::1:/x\n", "give SERVER:/DIRECTORY" },
		{ "dracut_args\n", "k:1: Invalid kdump config value for option 'dracut_args'" },
		{ "dracut_args --add-drivers 'x\n", "close the quote" },
		{ "virtiofs /dev/vda\n", "give the tag" },
		{ "failure_action panic\n", "use reboot, halt, poweroff, shell or dump_to_rootfs" },
		{ "final_action shell\n", "use reboot, halt, poweroff or kexec" },
		{ "final_action previous-kernel\n", "use reboot, halt, poweroff or kexec" },
		{ "failure_action kexec\n", "use reboot, halt, poweroff, shell or dump_to_rootfs" },
		{ "crash_loop on\n", "as in \"3 60 poweroff\"" },
		{ "crash_loop 1 60 poweroff\n", "a number of crashes from 2" },
		{ "crash_loop 51 60 poweroff\n", "from 2 to 50" },
		{ "crash_loop 3 0 poweroff\n", "minutes from 1" },
		{ "crash_loop 3 44641 poweroff\n", "to 44640" },
		{ "crash_loop 3 60 kexec\n", "reboot, halt, poweroff or previous-kernel" },
		{ "crash_loop 3 60 shell\n", "reboot, halt, poweroff or previous-kernel" },
		{ "crash_loop 3 60\n", "use off" },
		{ "crash_loop 3 60 reboot now\n", "use off" },
		{ "device_timeout 0\n", "\"0\"; use seconds, from 1 to 86400" },
		{ "mount_timeout 86401\n", "use seconds, from 1 to 86400" },
		{ "stall_timeout 5m\n", "\"5m\"; use seconds, from 1 to 86400" },
		{ "capture_timeout 59\n", "use auto, or seconds from 60 to 2678400" },
		{ "capture_timeout 2678401\n", "use auto, or seconds from 60 to 2678400" },
		{ "force_rebuild 2\n", "k:1: Invalid kdump config value for option 'force_rebuild': \"2\"" },
		{ "force_rebuild 1\nforce_no_rebuild 1\n", "enabled simultaneously" },
		{ "core_collector \" \"\n", "only blanks" },
		{ "core_collector makedumpfile 'x\n", "close the quote" },
	};
	struct kd_conf conf;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(parse(cases[i].text, "k", &conf, NULL, NULL), KD_ERR_CONFIG, cases[i].message);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf_values),
		cmocka_unit_test(test_conf_default_times),
		cmocka_unit_test(test_conf_rootfs),
		cmocka_unit_test(test_conf_ssh),
		cmocka_unit_test(test_conf_objects),
		cmocka_unit_test(test_conf_chain),
		cmocka_unit_test(test_conf_target_twice),
		cmocka_unit_test(test_conf_dracut_args),
		cmocka_unit_test(test_conf_windows),
		cmocka_unit_test_setup_teardown(test_conf_files, tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_conf_drop_ins, tree_setup, tree_teardown),
		cmocka_unit_test(test_conf_encrypt),
		cmocka_unit_test(test_conf_refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
