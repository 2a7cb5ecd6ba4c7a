/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks of servers: found on a made-up machine, written into the plan, and logged in to by it. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/secret.h"
#include "base/served_disk.h"
#include "base/text.h"
#include "capture/clock.h"
#include "capture/served.h"
#include "capture/volumes.h"
#include "kdump/storage/served.h"
#include "kdump/storage/volume_keys.h"

#define SESSION    "/sys/class/iscsi_session/session7"
#define CONNECTION "/sys/class/iscsi_connection/connection7:0"
#define SCSI_DISK  "/sys/devices/platform/host3/session7/target3:0:0/3:0:0:1/block/sdb"
#define IQN        "iqn.2026-11.example:dumps"
#define NQN        "nqn.2026-11.example:dumps"

struct machine {
	struct tree tree;
	struct kd_plan plan;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	tree_make(&m->tree);
	assert_no_error(kd_plan_init(&m->plan));
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	kd_plan_free(&m->plan);
	tree_remove(&m->tree);
	free(m);
	return 0;
}

static void put(const struct machine *m, const char *directory, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	tree_text(&m->tree, path, text);
}

static void add_iscsi(const struct machine *m)
{
	tree_link(&m->tree, "/sys/class/block/sdb", SCSI_DISK);
	put(m, SCSI_DISK, "device/wwid", "t10.IET     00010001\n");
	put(m, "/sys/class/scsi_host/host3", "proc_name", "iscsi_tcp\n");
	put(m, SESSION, "targetname", IQN "\n");
	put(m, SESSION, "tpgt", "1\n");
	put(m, SESSION, "initiatorname", "iqn.2026-11.example:machine\n");
	put(m, SESSION, "username", "(null)\n");
	put(m, CONNECTION, "persistent_address", "192.0.2.1\n");
	put(m, CONNECTION, "persistent_port", "3260\n");
	put(m, CONNECTION, "address", "192.0.2.9\n");
	put(m, CONNECTION, "port", "3261\n");
	put(m, CONNECTION, "header_digest", "0\n");
	tree_text(&m->tree, KD_SERVED_ISCSI_PROGRAM, "");
}

static void assert_volume(const struct machine *m, size_t number, const char *expected)
{
	const struct kd_plan_volume *volume = &m->plan.volume[number];
	char text[1024];
	size_t used;

	assert_true(number < m->plan.volume_count);
	used = (size_t)snprintf(text, sizeof(text), "%s %s", volume->kind, volume->name);
	for (char **word = volume->argv; *word; word++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", *word);
	assert_string_equal(text, expected);
	assert_true(kd_served_is(volume));
}

/* --- iSCSI -------------------------------------------------------------------------------------------------------- */

static void test_iscsi(void **state)
{
	struct machine *m = *state;

	add_iscsi(m);
	assert_no_error(served_resolve(&m->tree.root, "sdb", &m->plan));
	/* Another target may be on the same disk. */
	assert_no_error(served_resolve(&m->tree.root, "sdb", &m->plan));
	assert_int_equal(m->plan.volume_count, 1);
	assert_volume(m, 0,
		      "iscsi t10.IET_____00010001@192.0.2.1 DISK=t10.IET     00010001 192.0.2.1 3260 " IQN
		      " 1 iqn.2026-11.example:machine");
}

/* A portal that was given by name: where the connection leads. */
static void test_portal_with_a_name(void **state)
{
	struct machine *m = *state;

	add_iscsi(m);
	put(m, CONNECTION, "persistent_address", "storage.example\n");
	assert_no_error(served_resolve(&m->tree.root, "sdb", &m->plan));
	assert_string_equal(m->plan.volume[0].argv[KD_SERVED_ADDRESS], "192.0.2.9");
	assert_string_equal(m->plan.volume[0].argv[KD_SERVED_PORT], "3261");
}

/* The password goes into the memory of the capture kernel, and the plan has its name alone. */
static void test_chap(void **state)
{
	struct machine *m = *state;
	_cleanup_(volume_keys_free) struct volume_keys keys = { 0 };
	_cleanup_free_ char *text = NULL;

	add_iscsi(m);
	put(m, SESSION, "username", "kdump\n");
	put(m, SESSION, "password", "tell nobody\n");
	put(m, SESSION, "username_in", "server\n");
	put(m, SESSION, "password_in", "nor this\n");
	assert_no_error(served_resolve(&m->tree.root, "sdb", &m->plan));
	assert_string_equal(m->plan.volume[0].argv[KD_SERVED_ISCSI_KEY], "key:t10.IET_____00010001@192.0.2.1");
	assert_no_error(kd_plan_format(&m->plan, &text));
	assert_null(strstr(text, "nobody"));
	assert_no_error(volume_keys_list(&m->plan, &keys));
	assert_int_equal(keys.count, 1);
	assert_no_error(volume_keys_fetch(&m->tree.root, NULL, &keys));
	assert_string_equal(keys.key[0].volume, "t10.IET_____00010001@192.0.2.1");
	assert_string_equal(keys.key[0].text, "kdump\ntell nobody\nserver\nnor this\n");
	tree_delete(&m->tree, SESSION "/password");
	volume_keys_free(&keys);
	assert_no_error(volume_keys_list(&m->plan, &keys));
	assert_error(volume_keys_fetch(&m->tree.root, NULL, &keys), KD_ERR_NOT_FOUND,
		     "the kernel does not tell the password");
	put(m, CONNECTION, "persistent_address", "192.0.2.2\n");
	assert_error(volume_keys_fetch(&m->tree.root, NULL, &keys), KD_ERR_NOT_FOUND,
		     "no session with " IQN " at 192.0.2.1 any more");
}

static void test_iscsi_refused(void **state)
{
	struct machine *m = *state;

	add_iscsi(m);
	put(m, CONNECTION, "header_digest", "1\n");
	assert_error(served_resolve(&m->tree.root, "sdb", &m->plan), KD_ERR_UNSUPPORTED,
		     "with digests, which the capture does not ask for: choose");
	put(m, CONNECTION, "header_digest", "0\n");
	put(m, "/sys/class/scsi_host/host3", "proc_name", "qla4xxx\n");
	assert_error(served_resolve(&m->tree.root, "sdb", &m->plan), KD_ERR_UNSUPPORTED, "by qla4xxx, and the capture");
	put(m, "/sys/class/scsi_host/host3", "proc_name", "iscsi_tcp\n");
	tree_delete(&m->tree, KD_SERVED_ISCSI_PROGRAM);
	assert_error(served_resolve(&m->tree.root, "sdb", &m->plan), KD_ERR_NOT_FOUND, "Debian: open-iscsi");
	assert_int_equal(m->plan.volume_count, 0);
}

static const struct kd_plan_volume iscsi_volume = {
	.kind = (char *)KD_SERVED_ISCSI,
	.name = (char *)"x",
	.argv = (char *[]){ (char *)"DISK=naa.1", (char *)"192.0.2.1", (char *)"3260", (char *)IQN, (char *)"1",
			    (char *)"iqn.x", (char *)"key:x", NULL },
};

static void test_iscsi_command(void **state)
{
	static const struct {
		const char *secret, *words;
	} cases[] = {
		{ NULL, "" },
		{ "kdump\nsecret\n\n\n", " -u kdump -w secret" },
		{ "kdump\nsecret\nserver\nother\n", " -u kdump -w secret -U server -W other" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *secret = cases[i].secret ? strdup(cases[i].secret) : NULL, *expected = NULL;
		const char *argv[SERVED_ARGV_MAX];
		char text[512] = "";

		assert_no_error(served_iscsi_command(&iscsi_volume, secret, argv));
		for (const char **word = argv; *word; word++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "", *word);
		assert_no_error(kd_format(&expected,
					  "/usr/sbin/iscsistart -i iqn.x -t " IQN " -g 1 -a 192.0.2.1 -p 3260 -P "
					  "node.session.timeo.replacement_timeout=30%s",
					  cases[i].words));
		assert_string_equal(text, expected);
	}
}

static void test_malformed_secret(void **state)
{
	static const char *const secrets[] = { "", "kdump", "kdump\n\n\n\n", "\nsecret\n\n\n", "kdump\nsecret" };

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		_cleanup_free_ char *secret = strdup(secrets[i]);
		const char *argv[SERVED_ARGV_MAX];

		assert_error(served_iscsi_command(&iscsi_volume, secret, argv), KD_ERR_FORMAT, "malformed");
	}
}

/* --- NVMe --------------------------------------------------------------------------------------------------------- */

#define SUBSYSTEM "/sys/devices/virtual/nvme-subsystem/nvme-subsys4"

static void describe_controller(const struct machine *m, const char *name, const char *transport, const char *address)
{
	char directory[64];

	snprintf(directory, sizeof(directory), "/sys/class/nvme/%s", name);
	put(m, directory, "transport", transport);
	put(m, directory, "address", address);
	put(m, directory, "subsysnqn", NQN "\n");
	put(m, directory, "hostnqn", "nqn.2026-11.example:machine\n");
	put(m, directory, "hostid", "6b64756d-7020-4e65-8573-74686f737431\n");
	put(m, directory, "dhchap_secret", "none\n");
}

static void add_controller(const struct machine *m, const char *name, const char *transport, const char *address)
{
	char link[128], target[128];

	describe_controller(m, name, transport, address);
	snprintf(link, sizeof(link), SUBSYSTEM "/%s", name);
	snprintf(target, sizeof(target), "/sys/devices/virtual/nvme-fabrics/ctl/%s", name);
	tree_directory(&m->tree, target);
	tree_link(&m->tree, link, target);
}

static void add_nvme(const struct machine *m)
{
	put(m, SUBSYSTEM "/nvme4n1", "wwid", "uuid.6b64756d-7020-4e65-8573-746e766d6574\n");
	tree_link(&m->tree, "/sys/class/block/nvme4n1", SUBSYSTEM "/nvme4n1");
	add_controller(m, "nvme4", "tcp\n", "traddr=10.9.0.1,trsvcid=4420,src_addr=10.9.0.2\n");
}

#define NVME_VOLUME(kind, address)                                                                                     \
	"nvme" kind " uuid.6b64756d-7020-4e65-8573-746e766d6574@" address                                              \
	" DISK=uuid.6b64756d-7020-4e65-8573-746e766d6574 " address " 4420 " NQN                                        \
	" nqn.2026-11.example:machine 6b64756d-7020-4e65-8573-74686f737431"

static void test_nvme(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *options = NULL;

	add_nvme(m);
	assert_no_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan));
	assert_int_equal(m->plan.volume_count, 1);
	assert_volume(m, 0, NVME_VOLUME("", "10.9.0.1"));
	assert_no_error(served_nvme_options(&m->plan.volume[0], &options));
	assert_string_equal(options, "transport=tcp,traddr=10.9.0.1,trsvcid=4420,nqn=" NQN
				     ",hostnqn=nqn.2026-11.example:machine,hostid=6b64756d-7020-4e65-8573-74686f737431,"
				     "nr_io_queues=1,reconnect_delay=2,ctrl_loss_tmo=30");
}

/* A disk with two ways has a volume for each; one of this machine's own needs none. */
static void test_nvme_with_two_ways(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ bool *below = NULL;

	add_nvme(m);
	add_controller(m, "nvme5", "tcp\n", "traddr=2001:db8::1,trsvcid=4420\n");
	add_controller(m, "nvme6", "pcie\n", "0000:00:05.0\n");
	assert_no_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan));
	assert_int_equal(m->plan.volume_count, 2);
	assert_volume(m, m->plan.volume[0].name[strlen("uuid.6b64756d-7020-4e65-8573-746e766d6574@")] == '2' ? 1 : 0,
		      NVME_VOLUME("", "10.9.0.1"));
	below = volumes_below(&m->plan, "DISK=uuid.6b64756d-7020-4e65-8573-746e766d6574,UUID=1");
	assert_non_null(below);
	assert_true(below[0] && below[1]);
	free(below);
	below = volumes_below(&m->plan, "DISK=another,UUID=1");
	assert_non_null(below);
	assert_false(below[0] || below[1]);
}

/* The same over RDMA, whatever else the connection was told. */
static void test_nvme_rdma(void **state)
{
	struct machine *m = *state;
	_cleanup_free_ char *options = NULL;

	add_nvme(m);
	put(m, "/sys/class/nvme/nvme4", "transport", "rdma\n");
	put(m, "/sys/class/nvme/nvme4", "address", "traddr=10.9.0.1,trsvcid=4420,host_traddr=10.9.0.2\n");
	assert_no_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan));
	assert_int_equal(m->plan.volume_count, 1);
	assert_volume(m, 0, NVME_VOLUME("-rdma", "10.9.0.1"));
	assert_no_error(served_nvme_options(&m->plan.volume[0], &options));
	assert_string_equal(options, "transport=rdma,queue_size=32,traddr=10.9.0.1,trsvcid=4420,nqn=" NQN
				     ",hostnqn=nqn.2026-11.example:machine,hostid=6b64756d-7020-4e65-8573-74686f737431,"
				     "nr_io_queues=1,reconnect_delay=2,ctrl_loss_tmo=30");
}

/* What no kernel writes, but a broken one might. */
static void test_nvme_malformed(void **state)
{
	static const struct {
		const char *attribute, *text, *error;
	} cases[] = {
		{ "address", "\n", "/address tells nothing" },
		{ "address", "trsvcid=4420\n", "its address has no traddr" },
		{ "address", "traddr,traddr1=10.9.0.1,trsvcid\n", "its address has no traddr" },
		{ "address", "traddr=10.9.0.1\n", "its address has no trsvcid" },
		{ "subsysnqn", "\n", "/subsysnqn tells nothing" },
		{ "hostnqn", "\n", "/hostnqn tells nothing" },
		{ "hostid", "\n", "/hostid tells nothing" },
	};
	struct machine *m = *state;

	add_nvme(m);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		describe_controller(m, "nvme4", "rdma\n", "traddr=10.9.0.1,trsvcid=4420\n");
		put(m, "/sys/class/nvme/nvme4", cases[i].attribute, cases[i].text);
		assert_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan), KD_ERR_NOT_FOUND, cases[i].error);
	}
	assert_int_equal(m->plan.volume_count, 0);
}

static void test_nvme_refused(void **state)
{
	struct machine *m = *state;

	add_nvme(m);
	put(m, "/sys/class/nvme/nvme4", "dhchap_secret", "DHHC-1:00:x\n");
	assert_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan), KD_ERR_UNSUPPORTED, "DH-HMAC-CHAP");
	put(m, "/sys/class/nvme/nvme4", "dhchap_secret", "none\n");
	put(m, "/sys/class/nvme/nvme4", "tls_key", "0x1\n");
	assert_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan), KD_ERR_UNSUPPORTED, "with TLS");
	put(m, "/sys/class/nvme/nvme4", "transport", "fc\n");
	assert_error(served_resolve(&m->tree.root, "nvme4n1", &m->plan), KD_ERR_UNSUPPORTED,
		     "nvme4n1 is a disk of a server, by NVMe over fc, and the capture knows only NVMe over TCP and "
		     "over RDMA: choose");
	assert_int_equal(m->plan.volume_count, 0);
}

/* What the administrator of the other side chooses cannot add options to a connection. */
static void test_nvme_options_refused(void **state)
{
	const struct kd_plan_volume volume = {
		.kind = (char *)KD_SERVED_NVME,
		.name = (char *)"x",
		.argv = (char *[]){ (char *)"DISK=1", (char *)"10.9.0.1", (char *)"4420",
				    (char *)"nqn.x,disable_sqflow", (char *)"nqn.y", (char *)"1", NULL },
	};
	char *options;

	assert_error(served_nvme_options(&volume, &options), KD_ERR_FORMAT, "cannot be a part");
}

/* --- servers that are gone ---------------------------------------------------------------------------------------- */

static unsigned int bind_port(int *fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*fd >= 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

/* Nothing listens at the port. The time is up for this way before it is for the next one. */
static void test_server_is_gone(void **state)
{
	struct machine *m = *state;
	_cleanup_close_ int fd = -1;
	int64_t start = clock_ms();
	char port[16];
	char *words[] = {
		(char *)"DISK=1", (char *)"127.0.0.1", port, (char *)NQN, (char *)"nqn.y", (char *)"1", NULL
	};

	snprintf(port, sizeof(port), "%u", bind_port(&fd));
	assert_no_error(kd_plan_add_volume(&m->plan, "nvme", "1@a", words));
	assert_no_error(kd_plan_add_volume(&m->plan, "nvme", "1@b", words));
	assert_error(served_log_in(&m->plan, 0, start + 4000), KD_ERR_TIMEOUT, "does not answer: Connection refused");
	assert_true(clock_ms() - start < 4000);
	words[KD_SERVED_PORT] = (char *)"0";
	assert_no_error(kd_plan_add_volume(&m->plan, "nvme", "2@a", words));
	assert_error(served_log_in(&m->plan, 2, start + 1000), KD_ERR_FORMAT, "is not an address");
}

/* By RDMA the kernel alone is asked, which has no such connections here. */
static void test_rdma_server(void **state)
{
	struct machine *m = *state;
	char *words[] = { (char *)"DISK=1", (char *)"127.0.0.1", (char *)"1", (char *)NQN,
			  (char *)"nqn.y",  (char *)"1",         NULL };

	if (access("/dev/nvme-fabrics", F_OK) == 0)
		skip();
	assert_no_error(kd_plan_add_volume(&m->plan, "nvme-rdma", "1@a", words));
	assert_error(served_log_in(&m->plan, 0, clock_ms() + 4000), KD_ERR_OS, "/dev/nvme-fabrics: No such file");
}

/* --- others ------------------------------------------------------------------------------------------------------- */

static void test_own_disk(void **state)
{
	struct machine *m = *state;

	tree_link(&m->tree, "/sys/class/block/sda", "/sys/devices/pci0/ata1/host0/target0:0:0/0:0:0:0/block/sda");
	tree_directory(&m->tree, "/sys/devices/pci0/ata1/host0/target0:0:0/0:0:0:0/block/sda");
	assert_no_error(served_resolve(&m->tree.root, "sda", &m->plan));
	assert_no_error(served_resolve(&m->tree.root, "vdz", &m->plan));
	assert_int_equal(m->plan.volume_count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_iscsi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_portal_with_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_iscsi_refused, setup, teardown),
		cmocka_unit_test(test_iscsi_command),
		cmocka_unit_test(test_malformed_secret),
		cmocka_unit_test_setup_teardown(test_nvme, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nvme_with_two_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nvme_rdma, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nvme_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nvme_refused, setup, teardown),
		cmocka_unit_test(test_nvme_options_refused),
		cmocka_unit_test_setup_teardown(test_server_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rdma_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_disk, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
