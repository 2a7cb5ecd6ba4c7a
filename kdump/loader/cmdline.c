/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capture kernel's command line. Words are split and quoted as the kernel does it (lib/cmdline.c). */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/proc.h"
#include "kdump/loader/cmdline.h"
#include "kdump/loader/loader.h"

/* Parameters of the running kernel that have no meaning, cost memory or do harm in the capture kernel. A trailing '*'
 * matches any rest of the name. */
static const char *const removed[] = {
	/* The capture kernel would reserve memory again, or use memory that it does not have. */
	"crashkernel",
	"mem",
	"memmap",
	"hugepages",
	"hugepagesz",
	"default_hugepagesz",
	"hugetlb_cma",
	"cma",
	"kvm_cma_resv_ratio",
	"vmcp_cma",
	"cma_pernuma",
	"numa_cma",
	"reserve_mem",
	"log_buf_len",
	"swiotlb",
	"kernelcore",
	"movablecore",
	"movable_node",
	"add_efi_memmap",
	/* Tables of a size that was chosen for the healthy machine's memory. */
	"dhash_entries",
	"ihash_entries",
	"mhash_entries",
	"mphash_entries",
	"thash_entries",
	"tcpmhash_entries",
	"uhash_entries",
	"rhash_entries",
	/* The boot loader and an earlier kexec added these. */
	"BOOT_IMAGE",
	"initrd",
	"elfcorehdr",
	"kexec_jump_back_entry",
	"disable_cpu_apicid",
	/* The root file system and services of the healthy machine; the capture has a plan of its own. */
	"root",
	"rootflags",
	"rootfstype",
	"rootwait",
	"rootdelay",
	"ro",
	"rw",
	"init",
	"rdinit",
	"resume",
	"resume_offset",
	"resumedelay",
	"netroot",
	"fcoe",
	"iscsi_initiator",
	"rd.iscsi*",
	"rd.lvm*",
	"rd.luks*",
	"rd.md*",
	"rd.dm*",
	"rd.break",
	"rd.neednet",
	"systemd.*",
	"ignition.*",
	"kdump_test_id",
	/* The kernel itself would set up links and wait for a DHCP server, or make device-mapper volumes. */
	"ip",
	"nfsaddrs",
	"nfsroot",
	"dm_mod.create",
	"dm_mod.waitfor",
	/* Debugging aids cost memory and time. */
	"slub_debug",
	"slab_debug",
	"page_poison",
	"page_owner",
	"kasan*",
	"kfence.*",
	"kmemleak",
	"debug_pagealloc",
	"memtest",
	"trace_*",
	"ftrace*",
	"tp_printk",
	"kprobe_event",
	/* A warning must not end the capture in a second panic, and what must is in recovering[]. */
	"panic",
	"panic_*",
	"softlockup_panic",
	"hardlockup_panic",
	"hung_task_panic",
	"nmi_watchdog",
	"watchdog_thresh",
	"unknown_nmi_panic",
	"oops",
	"crash_kexec_post_notifiers",
	"sysctl.kernel.*",
	/* There is one CPU, and it has to do the work. */
	"isolcpus",
	"nohz_full",
	"rcu_nocbs",
	"irqaffinity",
	"nr_cpus",
	"maxcpus",
	/* The console should show the capture. */
	"quiet",
	"splash",
};

/* The capture kernel's own parameters. A kernel ignores parameters that it does not know. */
static const struct {
	const char *word;
	const char *why; /* printed nowhere: the reason is part of the table */
} appended[] = {
	{ "irqpoll", "handles interrupts that the dead kernel left asserted, and lost ones" },
	{ "nr_cpus=1", "each CPU costs memory, and starting others is a risk" },
	{ "reset_devices", "drivers reset hardware that is still running" },
	{ "mce=off", "do not die of the hardware error that caused the crash" },
	{ "hest_disable", "as above, for errors that the firmware reports" },
	{ "acpi_no_memhotplug", "hot-plugged memory belongs to the dead kernel, and goes into the dump" },
	{ "numa=off", "no memory-less nodes" },
	{ "pcie_ports=compat", "no hot-plug and error services" },
	{ "novmcoredd", "drivers' own dumps can take much memory" },
	{ "cma=0", "no reserve inside the reserve" },
	{ "hugetlb_cma=0", "as above" },
	{ "transparent_hugepage=never", "each huge page takes 2 MiB" },
	{ "cgroup.memory=nokmem", "4 MB of obj_cgroup arrays" },
	{ "no5lvl", "2 MB of sparse memory tables on CPUs with 5-level paging" },
	{ "kho=off", "memory for the handover to a next kernel" },
	{ "liveupdate=off", "as above" },
	{ "pstore.kmsg_bytes=4096", "a capture kernel that dies writes no more to the firmware's memory" },
	{ "cryptomgr.notests", "self-tests run while the initramfs is unpacked, when memory is lowest" },
	/* These set up things that no capture uses: 10,000 tracefs inodes (8.6 MB), slab's sysfs files (1 MB on 7.2,
	 * which has renamed the function), zswap, and parsed type information for BPF. The kernel adds up repeated
	 * lists, so the user's own list still counts. */
	{ "initcall_blacklist=tracer_init_tracefs,slab_sysfs_init,slab_late_init,init_zswap,cubictcp_register,"
	  "bpf_tcp_ca_kfunc_init,bpf_prog_test_run_init,kfunc_init,bpf_rstat_kfunc_init,bpf_key_sig_kfuncs_init",
	  "memory" },
};

/* 7.2 (not 6.12) sets two buffers of 2 MiB aside for the checksums of disks with T10 protection information, and dies
 * at boot if memory has no such block left. With such a disk it needs them, so they go only if this machine has
 * none. */
#define NO_INTEGRITY_BUFFERS "initcall_blacklist=bio_integrity_initfn"

/* Every capture kernel has these, one whose command line is the user's own included: a kernel that dies or hangs brings
 * the machine back. A hung task must not: a child of the capture that is stuck has been left behind on purpose. */
static const struct {
	const char *word;
	const char *why;
} recovering[] = {
	{ "panic=10", "a capture kernel that dies resets the machine" },
	{ "softlockup_panic=1", "so does one in which a driver spins" },
	{ "nmi_watchdog=panic", "and with interrupts off, where there is an NMI watchdog; this starts none" },
	{ "watchdog_thresh=30", "but not one that is only slow: 60 seconds, and 30 with interrupts off" },
};

/* The next word of *cursor; moves *cursor behind it. Double quotes group and stay part of the word. False at the end.
 * */
static bool next_word(const char **cursor, const char **word, size_t *length)
{
	const char *p = *cursor + strspn(*cursor, " \t\n");
	bool quoted = false;

	*word = p;
	for (; *p && (quoted || !strchr(" \t\n", *p)); p++)
		if (*p == '"')
			quoted = !quoted;
	*length = p - *word;
	*cursor = p;
	return *length != 0;
}

/* A parameter's name: up to '=', without a quote in front. */
static size_t name_length(const char **word, size_t length)
{
	const char *equals;

	if (length && **word == '"') {
		(*word)++;
		length--;
	}
	equals = memchr(*word, '=', length);
	return equals ? (size_t)(equals - *word) : length;
}

/* To the kernel '-' and '_' are equal. */
static bool same_char(char a, char b)
{
	return a == b || ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

/* Does the name of @word match @pattern (a name, or its beginning and '*')? */
static bool name_matches(const char *word, size_t length, const char *pattern, size_t pattern_length)
{
	bool prefix = pattern_length && pattern[pattern_length - 1] == '*';
	size_t name = name_length(&word, length), i;

	pattern_length -= prefix;
	if (prefix ? name < pattern_length : name != pattern_length)
		return false;
	for (i = 0; i < pattern_length; i++)
		if (!same_char(word[i], pattern[i]))
			return false;
	return true;
}

static bool in_list(const char *word, size_t length, const char *list)
{
	const char *pattern;
	size_t pattern_length;

	while (next_word(&list, &pattern, &pattern_length))
		if (name_matches(word, length, pattern, pattern_length))
			return true;
	return false;
}

static bool is_removed(const char *word, size_t length)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(removed); i++)
		if (name_matches(word, length, removed[i], strlen(removed[i])))
			return true;
	return false;
}

static void put_word(FILE *out, const char *word, size_t length)
{
	fprintf(out, "%s%.*s", ftell(out) ? " " : "", (int)length, word);
}

/* Parameters end at "--": the rest is for the healthy machine's init. */
static bool is_end(const char *word, size_t length)
{
	return length == 2 && memcmp(word, "--", 2) == 0;
}

static void put_running(FILE *out, const char *running, const char *remove)
{
	const char *word;
	size_t length;

	while (next_word(&running, &word, &length) && !is_end(word, length))
		if (!is_removed(word, length) && !in_list(word, length, remove))
			put_word(out, word, length);
}

static void put_unless_removed(FILE *out, const char *word, const char *remove)
{
	if (!in_list(word, strlen(word), remove))
		put_word(out, word, strlen(word));
}

static void put_recovering(FILE *out, const char *remove)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(recovering); i++)
		put_unless_removed(out, recovering[i].word, remove);
}

/* Has the kernel found a checksum format on a disk of this machine? What cannot be read counts as one. */
static bool has_integrity(const struct kd_sysroot *root)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, "/sys/class/block");
	const char *name;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *format = NULL;
		struct kd_error *err;

		err = kd_sysroot_read_line(root, &format, "/sys/class/block/%s/integrity/format", name);
		if (err ? err->errnum != ENOENT : strcmp(format, "none") != 0) {
			kd_error_destroy(err);
			return true;
		}
		kd_error_destroy(err);
	}
	return !dir;
}

static void put_appended(FILE *out, const struct kd_sysroot *root, const char *remove, const char *append)
{
	size_t i, length;
	const char *word;

	for (i = 0; i < ARRAY_SIZE(appended); i++)
		put_unless_removed(out, appended[i].word, remove);
	if (!has_integrity(root))
		put_unless_removed(out, NO_INTEGRITY_BUFFERS, remove);
	put_recovering(out, remove);
	while (next_word(&append, &word, &length))
		put_word(out, word, length);
}

bool cmdline_has(const char *cmdline, const char *name)
{
	const char *word;
	size_t length;

	while (next_word(&cmdline, &word, &length))
		if (name_matches(word, length, name, strlen(name)))
			return true;
	return false;
}

/* For a user who wants more than one CPU: after a panic on another CPU, waking up the boot CPU resets the machine.
 * Linux before 6.9 (5c5682b9f87a "x86/cpu: Detect real BSP on crash kernels") must be told which CPU that is. */
static void put_boot_cpu(FILE *out, const struct kd_sysroot *root, const char *remove, const char *append)
{
	_cleanup_free_ char *cpuinfo = NULL;
	int64_t id;

	if (!in_list("nr_cpus", strlen("nr_cpus"), remove) && !cmdline_has(append, "nr_cpus"))
		return;
	kd_error_destroy(kd_sysroot_read(root, "/proc/cpuinfo", &cpuinfo, NULL));
	id = cpuinfo ? kd_proc_boot_cpu(cpuinfo) : -1;
	if (id >= 0)
		fprintf(out, " disable_cpu_apicid=%" PRId64, id);
}

static bool word_starts(const char *word, size_t length, const char *prefix)
{
	return length >= strlen(prefix) && memcmp(word, prefix, strlen(prefix)) == 0;
}

struct kd_error *loader_own_cmdline(const char *cmdline, char **ret)
{
	_cleanup_free_ char *text = NULL;
	const char *word;
	size_t size, length;
	bool returned = false;
	FILE *out;

	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	while (next_word(&cmdline, &word, &length) && !word_starts(word, length, LOADER_TRIAL)) {
		if (word_starts(word, length, LOADER_RETURNED))
			returned = true;
		else if (word_starts(word, length, LOADER_UNLOCK))
			continue;
		else if (!returned || ftell(out) || !word_starts(word, length, LOADER_RESET_DEVICES))
			put_word(out, word, length);
	}
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

struct kd_error *loader_capture_cmdline(const struct kd_sysroot *root, const char *remove, const char *append,
					char **ret)
{
	_cleanup_free_ char *given = NULL, *running = NULL, *text = NULL;
	struct kd_error *err;
	size_t size;
	FILE *out;

	err = kd_sysroot_read(root, "/proc/cmdline", &given, NULL);
	if (!err)
		err = loader_own_cmdline(given, &running);
	if (err)
		return err;
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	put_running(out, running, remove ? remove : "");
	put_appended(out, root, remove ? remove : "", append ? append : "");
	put_boot_cpu(out, root, remove ? remove : "", append ? append : "");
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

struct kd_error *loader_complete_cmdline(const char *cmdline, const char *remove, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size, length;
	const char *word;
	FILE *out;

	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	/* In front: what the user says of the same matter comes later, and counts. */
	put_recovering(out, remove ? remove : "");
	while (next_word(&cmdline, &word, &length))
		put_word(out, word, length);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

struct kd_error *loader_cmdline_remove(const char *cmdline, const char *remove, char **ret)
{
	_cleanup_free_ char *text = NULL;
	const char *word;
	size_t size, length;
	FILE *out;

	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	while (next_word(&cmdline, &word, &length))
		if (!in_list(word, length, remove))
			put_word(out, word, length);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}
