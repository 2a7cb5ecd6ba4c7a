/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory that the capture needs, on made-up machines with the figures of real ones. */
#include "tests/unit/testing.h"
#include "tests/unit/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "kdump/config/settings.h"
#include "kdump/sizing/estimate.h"
#include "kdump/sizing/reservation.h"

#define MIB(n)  ((uint64_t)(n) << 20)
#define RELEASE "6.1.0-56-amd64"

static void put_number(const struct tree *m, const char *path, uint64_t number)
{
	char text[32];

	sprintf(text, "%" PRIu64 "\n", number);
	tree_text(m, path, text);
}

static void set_le(uint8_t *at, uint64_t value, int bytes)
{
	while (bytes--) {
		*at++ = value;
		value >>= 8;
	}
}

static void put_kernel(const struct tree *m, uint32_t init_size)
{
	tree_kernel(m, "/boot/vmlinuz", init_size);
}

static void add_member(struct archive *archive, const char *path, const void *data, size_t size)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	archive_entry_set_size(entry, size);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(archive, data, size), size);
	archive_entry_free(entry);
}

/* An image with a program and a module whose last bytes say that it expands to @expanded. */
static void put_image(const struct tree *m, size_t program, uint32_t expanded)
{
	struct archive *archive = archive_write_new();
	uint8_t *data = calloc(1, program + 4096), module[32] = { 0 };
	size_t used, size = program + 4096;
	char *out = malloc(size);

	set_le(module + 28, expanded, 4);
	assert_int_equal(archive_write_set_format_cpio_newc(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_set_bytes_in_last_block(archive, 1), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(archive, out, size, &used), ARCHIVE_OK);
	add_member(archive, "capture.gz", data, program);
	add_member(archive, "lib/modules/ext4.ko.gz", module, sizeof(module));
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	tree_write(m, "/var/lib/kdump/image", out, used);
	free(data);
	free(out);
}

static void put_report_file(const struct tree *m, const char *dump, const char *file, const char *release,
			    uint64_t total, uint64_t peak)
{
	char text[256], path[128];

	sprintf(text,
		"{\"kernel\": {\"release\": \"%s\"}, \"memory\": {\"total\": %" PRIu64 ", \"peak\": %" PRIu64 "}}",
		release, total, peak);
	sprintf(path, "/var/crash/%s/%s", dump, file);
	tree_text(m, path, text);
}

static void put_report(const struct tree *m, const char *dump, const char *release, uint64_t total, uint64_t peak)
{
	put_report_file(m, dump, "report.json", release, total, peak);
}

/* 2 GiB, 128 MiB reserved, the generic kernel of Debian 12 and an image like its own. */
static int setup(void **state)
{
	struct tree *m;

	tree_setup(state);
	m = *state;
	put_number(m, "/sys/kernel/kexec_crash_size", MIB(128));
	tree_text(m, "/proc/meminfo", "MemTotal:        2012073 kB\nMemFree: 1 kB\n");
	put_kernel(m, 66682880);
	put_image(m, 1250000, 2400000);
	return 0;
}

static void make(const struct tree *m, struct estimate *ret)
{
	struct estimate_request request = {
		.root = &m->root,
		.kernel = "/boot/vmlinuz",
		.release = RELEASE,
		.initrd = "/var/lib/kdump/image",
		.dumps = "/var/crash",
	};

	assert_no_error(estimate_make(&request, ret));
}

/* Between @low and a quarter more. */
static void assert_about(uint64_t size, uint64_t low)
{
	assert_in_range(size, low, low + low / 4);
}

static void test_computed(void **state)
{
	struct estimate estimate;

	make(*state, &estimate);
	assert_int_equal(estimate.reserved, MIB(128));
	assert_int_equal(estimate.kernel, 66682880);
	assert_int_equal(estimate.modules, 2400256);
	assert_in_range(estimate.initramfs, 2500000, 2520000);
	assert_false(estimate.assumed_image);
	assert_null(estimate.report);
	assert_about(estimate.computed, MIB(72)); /* the measured floor */
	assert_int_equal(estimate.need, estimate.computed);
	assert_int_equal(estimate.recommended, MIB(128)); /* the default */
	assert_int_equal(estimate.large_count, 1);
	assert_string_equal(estimate.large[0].name, "ext4");
	assert_int_equal(estimate.large[0].size, 2400000);
	assert_int_equal(estimate_judge(&estimate), ESTIMATE_FITS);
	estimate_free(&estimate);
}

static void test_computed_cloud(void **state)
{
	struct estimate estimate;

	put_kernel(*state, 53968896);
	put_image(*state, 690000, 2400000);
	make(*state, &estimate);
	assert_about(estimate.computed, MIB(58));
	estimate_free(&estimate);
}

static void test_large_machine(void **state)
{
	struct estimate small, large;

	make(*state, &small);
	tree_text(*state, "/proc/meminfo", "MemTotal: 1073741824 kB\n"); /* 1 TiB */
	put_number(*state, "/sys/kernel/crash_elfcorehdr_size", 900000);
	make(*state, &large);
	/* Two bits a page; and the elfcorehdr. */
	assert_in_range(large.computed - small.computed, MIB(64), MIB(67));
	assert_int_equal(large.recommended, MIB(512));
	assert_int_equal(estimate_judge(&large), ESTIMATE_SMALL);
	estimate_free(&small);
	estimate_free(&large);
}

static void test_no_image(void **state)
{
	struct estimate with, without;

	make(*state, &with);
	tree_text(*state, "/var/lib/kdump/image", "070701 is how an archive begins, and this is none");
	make(*state, &without);
	assert_true(without.assumed_image);
	assert_true(without.computed > with.computed);
	estimate_free(&with);
	estimate_free(&without);
}

static void test_no_kernel(void **state)
{
	struct tree *m = *state;
	struct estimate_request request = { .root = &m->root, .kernel = "/boot/nothing", .release = RELEASE };
	struct estimate estimate;

	assert_error(estimate_make(&request, &estimate), KD_ERR_OS, "cannot tell how much memory the capture needs");
}

/* The figures of a capture with crashkernel=128M; it also worked with 72M. */
static void test_recorded(void **state)
{
	struct estimate estimate;

	put_report(*state, "127.0.0.1-2026-01-01-00:00:00", RELEASE, 80867328, 22802432);
	make(*state, &estimate);
	assert_string_equal(estimate.report, "/var/crash/127.0.0.1-2026-01-01-00:00:00/report.json");
	assert_int_equal(estimate.recorded_peak, 22802432);
	assert_about(estimate.recorded, MIB(72));
	assert_int_equal(estimate.need, estimate.recorded);
	assert_int_equal(estimate.recommended, MIB(96));
	estimate_free(&estimate);
}

/* Of an encrypted dump, what kdump.conf calls public. */
static void test_recorded_public(void **state)
{
	struct estimate estimate;

	put_report_file(*state, "127.0.0.1-2026-01-01-00:00:00", "public.json", RELEASE, 80867328, 22802432);
	make(*state, &estimate);
	assert_string_equal(estimate.report, "/var/crash/127.0.0.1-2026-01-01-00:00:00/public.json");
	assert_int_equal(estimate.recorded_peak, 22802432);
	estimate_free(&estimate);
}

/* The record of the last capture stays when its dump is deleted; a report beside a dump takes precedence. */
static void test_recorded_last(void **state)
{
	static const char text[] = "{\"kernel\": {\"release\": \"" RELEASE "\"}, "
				   "\"memory\": {\"total\": 80867328, \"peak\": 22802432}}";
	struct estimate estimate;

	tree_text(*state, LAST_CAPTURE_PATH, text);
	make(*state, &estimate);
	assert_string_equal(estimate.report, LAST_CAPTURE_PATH);
	assert_int_equal(estimate.recorded_peak, 22802432);
	estimate_free(&estimate);
	put_report(*state, "127.0.0.1-2026-01-01-00:00:00", RELEASE, 80867328, 22802433);
	make(*state, &estimate);
	assert_int_equal(estimate.recorded_peak, 22802433);
	estimate_free(&estimate);
}

static void test_recorded_cloud(void **state)
{
	struct estimate estimate;

	put_kernel(*state, 53968896);
	put_image(*state, 690000, 2400000);
	put_report(*state, "d", RELEASE, 94056448, 21061632);
	make(*state, &estimate);
	assert_about(estimate.recorded, MIB(58));
	estimate_free(&estimate);
}

/* The reservation has changed since: the memory that the kernel kept is unknown, and its init_size stands in for it. */
static void test_recorded_elsewhere(void **state)
{
	struct estimate estimate;

	put_report(*state, "d", RELEASE, MIB(400), 22802432);
	make(*state, &estimate);
	assert_int_equal(estimate.recorded, estimate.kernel + 22802432);
	estimate_free(&estimate);
}

/* A small peak is no reason to go below what booting takes. */
static void test_recorded_floor(void **state)
{
	struct estimate estimate;

	put_report(*state, "d", RELEASE, 80867328, 1);
	make(*state, &estimate);
	assert_true(estimate.recorded > estimate.kernel + estimate.initramfs);
	estimate_free(&estimate);
}

static void test_reports_passed_over(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"kernel\": 1}",
		"{\"kernel\": {\"release\": \"5.10\"}, \"memory\": {\"total\": 80867328, \"peak\": 22802432}}",
		"{\"kernel\": {\"release\": \"" RELEASE "\"}, \"memory\": {\"total\": -1, \"peak\": 22802432}}",
		"{\"kernel\": {\"release\": \"" RELEASE "\"}, \"memory\": {\"total\": 5, \"peak\": 22802432}}",
		"{\"kernel\": {\"release\": \"" RELEASE "\"}, \"memory\": {\"total\": \"5\", \"peak\": []}}",
		"{\"kernel\": {\"release\": \"" RELEASE "\"}, \"memory\": 7}",
	};
	struct tree *m = *state;
	struct estimate estimate;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		tree_text(m, "/var/crash/d/report.json", texts[i]);
		make(m, &estimate);
		assert_null(estimate.report);
		assert_int_equal(estimate.recorded, 0);
		estimate_free(&estimate);
	}
	/* Links lead out of the place. */
	put_report(m, "../elsewhere", RELEASE, 80867328, 22802432);
	tree_link(m, "/var/crash/link", "../elsewhere");
	make(m, &estimate);
	assert_null(estimate.report);
	estimate_free(&estimate);
}

/* The capture kernel counts, not the running one; and so do the CPUs that its command line starts. */
static void test_configured_kernel(void **state)
{
	struct tree *m = *state;
	struct kd_log log = { 0 };
	struct estimate running, other, more;

	tree_kernel(m, "/boot/vmlinuz-" RELEASE, 66682880);
	tree_kernel(m, "/boot/vmlinuz-7.2", 90 << 20);
	tree_text(m, "/proc/sys/kernel/osrelease", RELEASE "\n");
	tree_text(m, "/proc/cmdline", "a\n");
	tree_text(m, "/sys/devices/system/cpu/present", "0-7\n");
	tree_text(m, "/etc/kdump.conf", "path /var/crash\n");
	assert_no_error(reservation_estimate(&m->root, &log, "/etc/kdump.conf", NULL, &running));
	assert_int_equal(running.kernel, 66682880);
	tree_text(m, settings_files[0], "KDUMP_KERNELVER=7.2\n");
	assert_no_error(reservation_estimate(&m->root, &log, "/etc/kdump.conf", NULL, &other));
	assert_int_equal(other.kernel, 90 << 20);
	assert_true(other.need > running.need + MIB(26));
	tree_text(m, settings_files[0],
		  "KDUMP_KERNELVER=7.2\nKDUMP_COMMANDLINE_REMOVE=nr_cpus\nKDUMP_COMMANDLINE_APPEND=nr_cpus=3\n");
	assert_no_error(reservation_estimate(&m->root, &log, "/etc/kdump.conf", NULL, &more));
	assert_int_equal(more.early - other.early, MIB(3));
	estimate_free(&running);
	estimate_free(&other);
	estimate_free(&more);
}

static void test_judge(void **state)
{
	struct estimate estimate = { .need = MIB(70), .recommended = MIB(96) };

	assert_int_equal(estimate_judge(&estimate), ESTIMATE_NOTHING);
	estimate.reserved = MIB(69);
	assert_int_equal(estimate_judge(&estimate), ESTIMATE_SMALL);
	estimate.reserved = MIB(70);
	assert_int_equal(estimate_judge(&estimate), ESTIMATE_FITS);
	estimate.reserved = MIB(224); /* more than twice as much, but no more than 128 beyond */
	assert_int_equal(estimate_judge(&estimate), ESTIMATE_FITS);
	estimate.reserved = MIB(225);
	assert_int_equal(estimate_judge(&estimate), ESTIMATE_WASTEFUL);
	estimate.recommended = MIB(512); /* 129 beyond, but not twice as much */
	estimate.reserved = MIB(641);
	assert_int_equal(estimate_judge(&estimate), ESTIMATE_FITS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_computed, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_computed_cloud, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_large_machine, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_no_image, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_no_kernel, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_recorded, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_recorded_public, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_recorded_last, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_recorded_cloud, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_recorded_elsewhere, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_recorded_floor, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_reports_passed_over, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_configured_kernel, setup, tree_teardown),
		cmocka_unit_test(test_judge),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
