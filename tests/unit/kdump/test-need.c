/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The computed need, beside the floors of real kernels that tests/bench/crashkernel-floor found. */
#include "tests/unit/testing.h"

#include <stdio.h>

#include "base/array.h"
#include "base/bytes.h"
#include "kdump/sizing/need.h"

#define GIB(n) KD_MIB((n)*1024)

/* Debian's kernels in a guest of 2 GiB with virtio and ext4: a capture in @floor MiB saves a whole dump, one in two to
 * four MiB less does not. The other figures are those that estimate_make() finds. */
static const struct {
	const char *release;
	uint64_t init_size, initramfs, modules;
	unsigned int floor;
} kernels[] = {
	{ "5.10.0-32-amd64", 62365696, 2564096, 2424832, 64 },
	{ "5.10.0-32-cloud-amd64", 47570944, 1560576, 204800, 50 },
	{ "6.1.0-56-amd64", 66682880, 2793472, 2809856, 72 },
	{ "6.1.0-56-cloud-amd64", 53968896, 1560576, 294912, 58 },
	{ "6.12.117+deb12-amd64", 58646528, 2793472, 3051520, 68 },
	{ "6.12.117+deb12-cloud-amd64", 58572800, 1810432, 77824, 66 },
	{ "7.2.13+deb14-amd64", 63234048, 2936832, 3268608, 76 },
	{ "7.2.13+deb14-cloud-amd64", 63156224, 1441792, 81920, 72 },
	/* In a guest of 256 MiB with a device tree only. */
	{ "6.1.0-50-arm64", 33619968, 2781184, 2023424, 46 },
	/* With a network card on virtio, to an NFS server; 76 MiB are not enough. */
	{ "6.1.0-56-amd64 nfs", 66682880, 4034560, 5939200, 80 },
	/* To a disk by NVMe over RDMA, with soft RoCE. */
	{ "6.1.0-56-amd64 nvme_rdma", 66682880, 4988928, 6201344, 80 },
	{ "6.12.117+deb12-amd64 nvme_rdma", 58646528, 5255168, 7237632, 74 },
};

static struct need compute(size_t i)
{
	const struct need_facts facts = {
		.init_size = kernels[i].init_size,
		.initramfs = kernels[i].initramfs,
		.modules = kernels[i].modules,
		.ram = GIB(2),
		.cpus = 1,
	};

	return need_compute(&facts);
}

static void test_floors(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kernels); i++) {
		uint64_t total = compute(i).total, floor = KD_MIB(kernels[i].floor);

		print_message("# %s: floor %u, need %.1f\n", kernels[i].release, kernels[i].floor, total / 1048576.0);
		assert_in_range(total, floor, floor + floor / 4);
	}
}

/* Before the first process, modules and filter do not count; afterwards, what exceeds the freed init sections. */
static void test_peaks(void **state)
{
	struct need_facts facts = {
		.init_size = KD_MIB(60),
		.initramfs = KD_MIB(3),
		.elfcorehdr = KD_MIB(1),
		.ram = GIB(2),
	};
	struct need boot = need_compute(&facts), run;

	assert_int_equal(boot.total, KD_MIB(64) + boot.early + boot.mem_map);
	/* The low memory, and two sections that the reservation may straddle. */
	assert_int_equal(boot.mem_map, KD_MIB(6));
	facts.modules = KD_MIB(2);
	assert_int_equal(need_compute(&facts).total, boot.total);
	facts.modules = KD_MIB(12);
	run = need_compute(&facts);
	facts.modules++;
	assert_true(run.total > boot.total);
	assert_int_equal(need_compute(&facts).total, run.total + 1);
}

/* A machine of 1 TiB: two bits for each page; and the reservation that holds them touches one section more. */
static void test_large_machine(void **state)
{
	const struct need_facts facts = { .init_size = KD_MIB(60), .ram = GIB(1024) };
	const struct need_facts less = { .init_size = KD_MIB(60), .ram = GIB(2) };
	struct need large = need_compute(&facts), small = need_compute(&less);

	assert_int_equal(large.filter - small.filter, KD_MIB(64) - KD_MIB(64) / 512);
	assert_int_equal(large.mem_map, KD_MIB(8));
}

/* The struct pages count for the reservation that they make larger. */
static void test_section_border(void **state)
{
	struct need_facts facts = { .init_size = KD_MIB(60), .ram = GIB(2) };
	struct need need = need_compute(&facts);

	facts.init_size += KD_MIB(128) - need.total;
	need = need_compute(&facts);
	assert_int_equal(need.total, KD_MIB(128));
	facts.init_size++;
	need = need_compute(&facts);
	assert_int_equal(need.mem_map, KD_MIB(8));
	assert_int_equal(need.total, KD_MIB(130) + 1);
}

static void test_cpus(void **state)
{
	static const struct {
		const char *cmdline;
		unsigned int present, cpus;
	} cases[] = {
		{ "a nr_cpus=1 b", 8, 1 },
		{ "a b", 8, 8 },
		{ "nr_cpus=1 nr_cpus=4", 8, 4 }, /* the last one counts */
		{ "nr_cpus=16", 8, 8 },
		{ "nr_cpus=4 maxcpus=2", 8, 2 },
		{ "maxcpus=0", 8, 1 }, /* no other CPU is started */
		{ "nr_cpus=x xnr_cpus=2", 8, 8 },
		{ "", 0, 1 },
	};
	struct need_facts facts = { .init_size = KD_MIB(60), .cpus = 1 };
	uint64_t one = need_compute(&facts).total;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(need_cpus(cases[i].cmdline, cases[i].present), cases[i].cpus);
	facts.cpus = 5;
	assert_in_range(need_compute(&facts).total - one, KD_MIB(4), KD_MIB(8));
	facts.cpus = 0;
	assert_int_equal(need_compute(&facts).total, one);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floors),        cmocka_unit_test(test_peaks),
		cmocka_unit_test(test_large_machine), cmocka_unit_test(test_section_border),
		cmocka_unit_test(test_cpus),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
