/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kexec(8): the loader's second front end, beside kdumpctl. It has the options of kexec-tools that are in use. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/text.h"
#include "kdump/loader/ignored_options.h"
#include "kdump/loader/loader.h"

#define STATUS_UNREADABLE 255
#define INITRDS_MAX       32

struct options {
	bool load, panic, unload, exec, force, status, reserved_size;
	bool no_checks, no_ifdown, no_sync, debug, dry_run, reuse_cmdline, fast;
	enum loader_call call;
	unsigned int corrupt_segment;
	uint64_t mem_min, mem_max;
	const char *kernel, *append, *sysroot, *dtb;
	const char *initrd[INITRDS_MAX + 1]; /* NULL ends the list */
	size_t initrds;
};

enum {
	OPT_APPEND = 256,
	OPT_INITRD,
	OPT_REUSE_CMDLINE,
	OPT_PRINT_CKR_SIZE,
	OPT_SYSROOT,
	OPT_DRY_RUN,
	OPT_CORRUPT,
	OPT_FAST,
	OPT_MEM_MIN,
	OPT_MEM_MAX,
	OPT_IGNORED, /* kdump/loader/ignored_options.h */
	OPT_DTB,
	OPT_REFUSED, /* options of kexec-tools that this program does not have: refused[] */
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ "load", no_argument, NULL, 'l' },
	{ "load-panic", no_argument, NULL, 'p' },
	{ "unload", no_argument, NULL, 'u' },
	{ "exec", no_argument, NULL, 'e' },
	{ "force", no_argument, NULL, 'f' },
	{ "status", no_argument, NULL, 'S' },
	{ "debug", no_argument, NULL, 'd' },
	{ "no-checks", no_argument, NULL, 'i' },
	{ "no-ifdown", no_argument, NULL, 'x' },
	{ "no-sync", no_argument, NULL, 'y' },
	{ "type", required_argument, NULL, 't' },
	{ "kexec-file-syscall", no_argument, NULL, 's' },
	{ "kexec-syscall", no_argument, NULL, 'c' },
	{ "kexec-syscall-auto", no_argument, NULL, 'a' },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "command-line", required_argument, NULL, OPT_APPEND },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "ramdisk", required_argument, NULL, OPT_INITRD },
	{ "reuse-cmdline", no_argument, NULL, OPT_REUSE_CMDLINE },
	{ "print-ckr-size", no_argument, NULL, OPT_PRINT_CKR_SIZE },
	{ "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "fast", no_argument, NULL, OPT_FAST },
	{ "mem-min", required_argument, NULL, OPT_MEM_MIN },
	{ "mem-max", required_argument, NULL, OPT_MEM_MAX },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "test-corrupt-segment", required_argument, NULL, OPT_CORRUPT },
	/* Accepted: kdump/loader/ignored_options.c has the reason of each. */
	{ "args-linux", no_argument, NULL, OPT_IGNORED },
	{ "hotplug", no_argument, NULL, OPT_IGNORED },
	{ "elf64-core-headers", no_argument, NULL, OPT_IGNORED },
	{ "elf32-core-headers", no_argument, NULL, OPT_IGNORED },
	{ "real-mode", no_argument, NULL, OPT_IGNORED },
	{ "entry-32bit", no_argument, NULL, OPT_IGNORED },
	{ "pass-memmap-cmdline", no_argument, NULL, OPT_IGNORED },
	{ "reset-vga", no_argument, NULL, OPT_IGNORED },
	{ "console-vga", no_argument, NULL, OPT_IGNORED },
	{ "console-serial", no_argument, NULL, OPT_IGNORED },
	{ "serial", required_argument, NULL, OPT_IGNORED },
	{ "serial-baud", required_argument, NULL, OPT_IGNORED },
	{ "reuse-video-type", no_argument, NULL, OPT_IGNORED },
	{ "no-cma", no_argument, NULL, OPT_IGNORED },
	{ "force-dtb", no_argument, NULL, OPT_IGNORED },
	{ "dt-no-old-root", no_argument, NULL, OPT_IGNORED },
	/* Refused by name: refused[] has the remedy of each. */
	{ "exec-live-update", no_argument, NULL, OPT_REFUSED },
	{ "reuseinitrd", no_argument, NULL, OPT_REFUSED },
	{ "load-preserve-context", no_argument, NULL, OPT_REFUSED },
	{ "load-jump-back-helper", no_argument, NULL, OPT_REFUSED },
	{ "load-live-update", no_argument, NULL, OPT_REFUSED },
	{ "entry", required_argument, NULL, OPT_REFUSED },
	{ "dtb", required_argument, NULL, OPT_DTB },
	{ "devicetreeblob", required_argument, NULL, OPT_DTB },
	{ "module", required_argument, NULL, OPT_REFUSED },
	{ "noefi", no_argument, NULL, OPT_REFUSED },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *name, *remedy;
} refused[] = {
	{ "exec-live-update", "it is for Xen; use kexec-tools there" },
	{ "load-live-update", "it is for Xen; use kexec-tools there" },
	{ "reuseinitrd", "the running kernel does not keep its initramfs; give the file with --initrd" },
	{ "load-preserve-context", "the running kernel cannot be returned to; leave it out" },
	{ "load-jump-back-helper", "the running kernel cannot be returned to; leave it out" },
	{ "entry", "the kernel file says where it is entered; leave it out" },
	{ "dtb", "this machine has no device tree; leave it out" },
	{ "devicetreeblob", "this machine has no device tree; leave it out" },
	{ "module", "it is for multiboot kernels; give a Linux kernel" },
	{ "noefi", "--append=noefi does the same" },
};

static const char usage[] =
	"Usage: kexec [OPTION]... [KERNEL]\n"
	"Load KERNEL to start it without firmware, at the next reboot or when this kernel panics.\n\n"
	"  -l, --load                load KERNEL for the next reboot\n"
	"  -p, --load-panic          load KERNEL to start it on panic\n"
	"  -u, --unload              unload the loaded kernel (with -p: the panic kernel)\n"
	"  -e, --exec                reboot into the loaded kernel; services are stopped first, unless -f is given\n"
	"  -S, --status              exit with 1 if a panic kernel is loaded (-l: a kernel for the next reboot), else 0\n"
	"      --initrd=FILE, --ramdisk=FILE\n"
	"                            initramfs for KERNEL; given several times: one after the other\n"
	"      --append=STRING, --command-line=STRING\n"
	"                            command line for KERNEL\n"
	"      --reuse-cmdline       start with the running kernel's command line, then add --append\n"
	"  -s, --kexec-file-syscall  use kexec_file_load(2)\n"
	"  -c, --kexec-syscall       use kexec_load(2)\n"
	"  -a, --kexec-syscall-auto  use kexec_load(2), or kexec_file_load(2) where kexec_load(2) is forbidden (default)\n"
	"  -i, --no-checks           start the loaded kernel without checking its SHA-256 sums\n"
	"      --fast                with -l: decompress KERNEL now, not after the jump\n"
	"      --mem-min=ADDRESS, --mem-max=ADDRESS\n"
	"                            load between these physical addresses only\n"
	"  -f, --force               -e, and without -l, -p, -e: reboot at once, without stopping services\n"
	"  -x, --no-ifdown           -e -f: leave network interfaces up\n"
	"  -y, --no-sync             -e -f: do not write back file systems\n"
	"  -t, --type=TYPE           type of KERNEL; it is recognised without\n"
	"      --print-ckr-size      print the bytes reserved for a panic kernel\n"
	"      --dry-run             with -l, -p: print the layout, load nothing\n"
	"      --sysroot=DIR         with --dry-run, -S, --print-ckr-size: describe the machine captured in DIR\n"
	"  -d, --debug               print each step and the layout\n"
	"  -h, --help                show this text\n"
	"  -v, --version             show the version\n\n"
	"Without -l, -p, -u, -e, -S: load KERNEL, then shutdown -r now.\n";

/* Scripts look for "kexec-tools" and three numbers, to tell what the program can do: its options are that version's. */
static const char version[] = "kexec-tools 2.0.32 (" PACKAGE_NAME " " PACKAGE_VERSION ")\n";

/* Every type is recognised by its contents; these can be. */
static struct kd_error *parse_type(const char *type)
{
	static const char *const types[] = { "bzImage", "bzImage64", "uki", "elf", "elf-x86_64", "vmlinux" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return NULL;
	return kd_error_create(KD_ERR_USAGE,
			       "--type=%s is not supported; give a bzImage, a unified kernel image or a vmlinux, which "
			       "need no --type",
			       type);
}

static struct kd_error *parse_address(const char *name, const char *text, uint64_t *ret)
{
	if (kd_parse_u64(text, 0, ret))
		return NULL;
	return kd_error_create(KD_ERR_USAGE, "--%s=%s: not an address, such as 0x1000000", name, text);
}

static struct kd_error *add_initrd(const char *file, struct options *o)
{
	if (o->initrds == INITRDS_MAX)
		return kd_error_create(KD_ERR_USAGE, "--initrd=%s: more than %d files", file, INITRDS_MAX);
	o->initrd[o->initrds++] = file;
	return NULL;
}

static struct kd_error *refuse(const char *name)
{
	const char *remedy = "";

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (strcmp(refused[i].name, name) == 0)
			remedy = refused[i].remedy;
	return kd_error_create(KD_ERR_USAGE, "--%s is not supported by this kexec: %s", name, remedy);
}

static struct kd_error *parse_segment(const char *text, unsigned int *ret)
{
	uint64_t number;

	if (!kd_parse_u64(text, 10, &number) || number > 16)
		return kd_error_create(KD_ERR_USAGE, "--test-corrupt-segment=%s: not a segment number", text);
	*ret = number;
	return NULL;
}

static void say_ignored(const struct kd_log *log, const char *name)
{
	const char *reason = loader_ignored_option(name);

	if (reason && *reason)
		kd_info(log, "--%s is ignored: %s", name, reason);
}

static struct kd_error *take_option(int option, int index, const struct kd_log *log, struct options *o)
{
	switch (option) {
	case 'l':
		o->load = true;
		return NULL;
	case 'p':
		o->panic = true;
		return NULL;
	case 'u':
		o->unload = true;
		return NULL;
	case 'e':
		o->exec = true;
		return NULL;
	case 'f':
		o->force = true;
		return NULL;
	case 'S':
		o->status = true;
		return NULL;
	case 'd':
		o->debug = true;
		return NULL;
	case 'i':
		o->no_checks = true;
		return NULL;
	case 'x':
		o->no_ifdown = true;
		return NULL;
	case 'y':
		o->no_sync = true;
		return NULL;
	case 's':
		o->call = LOADER_CALL_FILE_LOAD;
		return NULL;
	case 'c':
		o->call = LOADER_CALL_LOAD;
		return NULL;
	case 'a':
		o->call = LOADER_CALL_AUTO;
		return NULL;
	case 't':
		return parse_type(optarg);
	case OPT_APPEND:
		o->append = optarg;
		return NULL;
	case OPT_INITRD:
		return add_initrd(optarg, o);
	case OPT_REUSE_CMDLINE:
		o->reuse_cmdline = true;
		return NULL;
	case OPT_PRINT_CKR_SIZE:
		o->reserved_size = true;
		return NULL;
	case OPT_SYSROOT:
		o->sysroot = optarg;
		return NULL;
	case OPT_DRY_RUN:
		o->dry_run = true;
		return NULL;
	case OPT_CORRUPT:
		return parse_segment(optarg, &o->corrupt_segment);
	case OPT_FAST:
		o->fast = true;
		return NULL;
	case OPT_MEM_MIN:
		return parse_address("mem-min", optarg, &o->mem_min);
	case OPT_MEM_MAX:
		return parse_address("mem-max", optarg, &o->mem_max);
	case OPT_IGNORED:
		say_ignored(log, long_options[index].name);
		return NULL;
	case OPT_DTB:
		o->dtb = optarg;
		return loader_has_device_tree() ? NULL : refuse(long_options[index].name);
	case OPT_REFUSED:
		return refuse(long_options[index].name);
	default: /* getopt has printed the error */
		return kd_error_create(KD_ERR_USAGE, "see kexec --help");
	}
}

/* *done: --help or --version has been printed. */
static struct kd_error *parse_options(int argc, char **argv, const struct kd_log *log, struct options *o, bool *done)
{
	struct kd_error *err = NULL;
	int option, index = 0;

	while (!err && (option = getopt_long(argc, argv, "hvlpuefSdixyt:sca", long_options, &index)) != -1) {
		if (option == 'h' || option == 'v') {
			fputs(option == 'h' ? usage : version, stdout);
			*done = true;
			return NULL;
		}
		err = take_option(option, index, log, o);
	}
	if (err)
		return err;
	if (argc - optind > 1)
		return kd_error_create(KD_ERR_USAGE, "kexec loads one kernel, not both %s and %s", argv[optind],
				       argv[optind + 1]);
	o->kernel = argv[optind];
	if (o->sysroot && !o->dry_run && !o->status && !o->reserved_size)
		return kd_error_create(KD_ERR_USAGE, "--sysroot needs --dry-run, --status or --print-ckr-size");
	if (o->fast && o->panic)
		return kd_error_create(KD_ERR_USAGE, "--fast is for the next reboot; a panic kernel has no need of it");
	if (o->mem_max && o->mem_max <= o->mem_min)
		return kd_error_create(KD_ERR_USAGE, "--mem-max must be above --mem-min");
	if (o->dry_run && o->unload)
		return kd_error_create(KD_ERR_USAGE, "--dry-run is for -l and -p; -u would unload the kernel");
	if (o->dry_run && o->exec && !o->load && !o->panic)
		return kd_error_create(KD_ERR_USAGE, "--dry-run is for -l and -p; -e would reboot, and is not tried");
	return NULL;
}

/* The running kernel's command line (with --reuse-cmdline), without what was for a trial of it, then --append. NULL
 * without both: a unified kernel image has its own. */
static struct kd_error *make_cmdline(const struct options *o, const struct kd_sysroot *root, char **ret)
{
	_cleanup_free_ char *running = NULL, *own = NULL, *kept = NULL;
	const char *append = o->append ? o->append : "";
	struct kd_error *err;

	if (!o->reuse_cmdline)
		return kd_set_text(ret, o->append);
	err = kd_sysroot_read(root, "/proc/cmdline", &running, NULL);
	if (!err)
		err = loader_own_cmdline(running, &own);
	if (!err)
		err = loader_cmdline_remove(own,
					    o->panic ?
						    "BOOT_IMAGE initrd elfcorehdr kexec_jump_back_entry crashkernel" :
						    "BOOT_IMAGE initrd elfcorehdr kexec_jump_back_entry",
					    &kept);
	if (err)
		return err;
	return kd_format(ret, "%s%s%s", kept, *kept && *append ? " " : "", append);
}

static struct kd_error *load(const struct options *o, const struct kd_sysroot *root, const struct kd_log *log)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot here = { 0 };
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	_cleanup_free_ char *cmdline = NULL;
	struct loader_request request = {
		.root = root,
		.files = &here,
		.policy = o->panic ? LOADER_PANIC : LOADER_REBOOT,
		.call = o->call,
		.kernel = o->kernel,
		.dtb = o->dtb,
		.initrd = o->initrd[0],
		.more_initrds = o->initrds ? o->initrd + 1 : NULL,
		.mem_min = o->mem_min,
		.mem_max = o->mem_max,
		.fast = o->fast,
		.no_checksum = o->no_checks,
		.corrupt_segment = o->corrupt_segment,
		.log = log,
	};
	struct kd_error *err;
	const char *how;

	if (!o->kernel)
		return kd_error_create(KD_ERR_USAGE, "no kernel specified; see kexec --help");
	err = kd_sysroot_open(NULL, &here);
	if (!err)
		err = make_cmdline(o, root, &cmdline);
	request.cmdline = cmdline;
	if (!err)
		err = loader_prepare(&request, &image);
	if (err)
		return err;
	if (o->dry_run || o->debug)
		loader_print(image, o->dry_run ? stdout : stderr);
	if (o->dry_run)
		return NULL;
	err = loader_load(image, &how);
	if (!err)
		kd_debug(log, "loaded by %s", how);
	return err;
}

/* An interface that is up would write received packets into memory that the next kernel believes free. */
static void interfaces_down(const struct kd_log *log)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *list = if_nameindex(), *interface;

	for (interface = list; list && fd >= 0 && interface->if_name; interface++) {
		struct ifreq request = { 0 };

		strncpy(request.ifr_name, interface->if_name, IFNAMSIZ - 1);
		if (ioctl(fd, SIOCGIFFLAGS, &request) < 0 || !(request.ifr_flags & IFF_UP) ||
		    request.ifr_flags & IFF_LOOPBACK)
			continue;
		request.ifr_flags &= ~IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
			kd_warn(log, "cannot bring down %s: %s", interface->if_name, strerror(errno));
	}
	if (list)
		if_freenameindex(list);
}

/* Is systemd process 1, and not yet the program that ends the shutdown (systemd-shutdown)? That one calls kexec -e. */
static bool init_is_systemd(const struct kd_sysroot *root)
{
	_cleanup_free_ char *name = NULL;
	struct kd_error *err;

	if (!kd_sysroot_exists(root, "/run/systemd/system"))
		return false;
	err = kd_sysroot_read_line(root, &name, "/proc/1/comm");
	if (err) {
		kd_error_destroy(err);
		return false;
	}
	return strcmp(name, "systemd") == 0;
}

static struct kd_error *stop_and_exec(const struct kd_log *log)
{
	kd_info(log, "stopping all services first (systemctl kexec); kexec -e -f does not");
	execlp("systemctl", "systemctl", "kexec", NULL);
	return kd_error_os(errno, "cannot run systemctl kexec; kexec -e -f reboots without stopping services");
}

static struct kd_error *exec(const struct options *o, const struct kd_sysroot *root, const struct kd_log *log)
{
	struct kd_error *err;
	bool loaded;

	err = loader_loaded(root, LOADER_REBOOT, &loaded);
	if (err)
		return err;
	if (!loaded)
		return kd_error_create(KD_ERR_STATE, "Nothing has been loaded!");
	if (!o->force && init_is_systemd(root))
		return stop_and_exec(log);
	if (!o->no_sync)
		sync();
	if (!o->no_ifdown)
		interfaces_down(log);
	return loader_reboot();
}

static struct kd_error *shut_down(void)
{
	execlp("shutdown", "shutdown", "-r", "now", NULL);
	return kd_error_os(errno, "cannot run shutdown -r now");
}

/* As kexec-tools: print nothing, and exit with 1 if a kernel is loaded. */
static int status(const struct options *o, const struct kd_sysroot *root, const struct kd_log *log)
{
	struct kd_error *err;
	bool loaded;

	err = loader_loaded(root, o->load ? LOADER_REBOOT : LOADER_PANIC, &loaded);
	return kd_log_error(log, err) ? STATUS_UNREADABLE : loaded;
}

static struct kd_error *print_reserved_size(const struct kd_sysroot *root)
{
	struct kd_error *err;
	uint64_t size;

	err = loader_crash_size(root, &size);
	if (!err)
		printf("%" PRIu64 "\n", size);
	return err;
}

static struct kd_error *require_reservation(const struct options *o, const struct kd_sysroot *root)
{
	struct kd_error *err;
	uint64_t size;

	if (!o->panic || o->unload || o->dry_run)
		return NULL;
	err = loader_crash_size(root, &size);
	if (!err && size == 0)
		fputs("Memory for crashkernel is not reserved\n"
		      "Please reserve memory by passing\"crashkernel=Y@X\" parameter to kernel\n"
		      "Then try to loading kdump kernel\n",
		      stderr);
	return err;
}

static struct kd_error *run(const struct options *o, const struct kd_sysroot *root, const struct kd_log *log)
{
	bool plain = !o->load && !o->panic && !o->exec && !o->unload;
	struct kd_error *err;

	if (o->reserved_size)
		return print_reserved_size(root);
	if (o->unload)
		return loader_unload(o->panic ? LOADER_PANIC : LOADER_REBOOT);
	err = require_reservation(o, root);
	if (!err && (o->load || o->panic || plain))
		err = load(o, root, log);
	if (err || o->dry_run)
		return err;
	if (o->exec || (plain && o->force))
		return exec(o, root, log);
	return plain ? shut_down() : NULL;
}

int main(int argc, char **argv)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	struct options o = { 0 };
	struct kd_error *err;
	struct kd_log log;
	bool done = false;

	kd_log_init(&log, stderr, "kexec", KD_LOG_INFO);
	err = parse_options(argc, argv, &log, &o, &done);
	if (o.debug)
		log.level = KD_LOG_DEBUG;
	if (!err && !done)
		err = kd_sysroot_open(o.sysroot, &root);
	if (!err && !done && o.status)
		return status(&o, &root, &log);
	if (!err && !done)
		err = run(&o, &root, &log);
	if (!err)
		err = kd_flush_stdout();
	if (!kd_log_error(&log, err))
		return EXIT_SUCCESS;
	return o.status ? STATUS_UNREADABLE : EXIT_FAILURE; /* 1 would mean that a kernel is loaded */
}
