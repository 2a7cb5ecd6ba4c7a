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

#include "base/parse.h"
#include "base/text.h"
#include "kdump/loader/ignored_options.h"
#include "kdump/loader/loader.h"

#define STATUS_UNREADABLE 255

struct options {
	bool load, panic, unload, exec, force, status, reserved_size;
	bool no_checks, no_ifdown, no_sync, debug, dry_run, reuse_cmdline;
	enum loader_call call;
	unsigned int corrupt_segment;
	const char *kernel, *initrd, *append, *sysroot;
};

enum {
	OPT_APPEND = 256,
	OPT_INITRD,
	OPT_REUSE_CMDLINE,
	OPT_PRINT_CKR_SIZE,
	OPT_SYSROOT,
	OPT_DRY_RUN,
	OPT_CORRUPT,
	OPT_IGNORED, /* kdump/loader/ignored_options.h */
	OPT_MISSING, /* options of kexec-tools that this program does not have */
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
	/* Refused by name. */
	{ "exec-live-update", no_argument, NULL, OPT_MISSING },
	{ "mem-min", required_argument, NULL, OPT_MISSING },
	{ "mem-max", required_argument, NULL, OPT_MISSING },
	{ "reuseinitrd", no_argument, NULL, OPT_MISSING },
	{ "load-preserve-context", no_argument, NULL, OPT_MISSING },
	{ "load-jump-back-helper", no_argument, NULL, OPT_MISSING },
	{ "load-live-update", no_argument, NULL, OPT_MISSING },
	{ "entry", required_argument, NULL, OPT_MISSING },
	{ "dtb", required_argument, NULL, OPT_MISSING },
	{ "devicetreeblob", required_argument, NULL, OPT_MISSING },
	{ "module", required_argument, NULL, OPT_MISSING },
	{ "noefi", no_argument, NULL, OPT_MISSING },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: kexec [OPTION]... [KERNEL]\n"
	"Load KERNEL to start it without firmware, at the next reboot or when this kernel panics.\n\n"
	"  -l, --load                load KERNEL for the next reboot\n"
	"  -p, --load-panic          load KERNEL to start it on panic\n"
	"  -u, --unload              unload the loaded kernel (with -p: the panic kernel)\n"
	"  -e, --exec                reboot into the loaded kernel at once\n"
	"  -S, --status              exit with 1 if a panic kernel is loaded (-l: a kernel for the next reboot), else 0\n"
	"      --initrd=FILE, --ramdisk=FILE\n"
	"                            initramfs for KERNEL\n"
	"      --append=STRING, --command-line=STRING\n"
	"                            command line for KERNEL\n"
	"      --reuse-cmdline       start with the running kernel's command line, then add --append\n"
	"  -s, --kexec-file-syscall  use kexec_file_load(2)\n"
	"  -c, --kexec-syscall       use kexec_load(2)\n"
	"  -a, --kexec-syscall-auto  use kexec_load(2), or kexec_file_load(2) where kexec_load(2) is forbidden (default)\n"
	"  -i, --no-checks           start the loaded kernel without checking its SHA-256 sums\n"
	"  -f, --force               without -l, -p, -e: reboot at once instead of calling shutdown\n"
	"  -x, --no-ifdown           -e: leave network interfaces up\n"
	"  -y, --no-sync             -e: do not write back file systems\n"
	"  -t, --type=TYPE           type of KERNEL: only bzImage is supported\n"
	"      --print-ckr-size      print the bytes reserved for a panic kernel\n"
	"      --dry-run             with -l, -p: print the layout, load nothing\n"
	"      --sysroot=DIR         with --dry-run, -S, --print-ckr-size: describe the machine captured in DIR\n"
	"  -d, --debug               print each step and the layout\n"
	"  -h, --help                show this text\n"
	"  -v, --version             show the version\n\n"
	"Without -l, -p, -u, -e, -S: load KERNEL, then shutdown -r now.\n";

/* Scripts look for "kexec-tools" and three numbers, to tell what the program can do: its options are that version's. */
static const char version[] = "kexec-tools 2.0.32 (" PACKAGE_NAME " " PACKAGE_VERSION ")\n";

static struct kd_error *parse_type(const char *type)
{
	if (strcmp(type, "bzImage") == 0 || strcmp(type, "bzImage64") == 0 || strcmp(type, "uki") == 0)
		return NULL;
	return kd_error_create(KD_ERR_USAGE, "--type=%s is not supported; give a bzImage, which needs no --type", type);
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
		o->initrd = optarg;
		return NULL;
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
	case OPT_IGNORED:
		say_ignored(log, long_options[index].name);
		return NULL;
	case OPT_MISSING:
		return kd_error_create(KD_ERR_USAGE, "--%s is not supported by this kexec%s", long_options[index].name,
				       strcmp(long_options[index].name, "noefi") == 0 ?
					       ": --append=noefi does the same" :
					       "");
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
	if (o->dry_run && o->unload)
		return kd_error_create(KD_ERR_USAGE, "--dry-run is for -l and -p; -u would unload the kernel");
	return NULL;
}

/* The running kernel's command line (with --reuse-cmdline), then --append. */
static struct kd_error *make_cmdline(const struct options *o, const struct kd_sysroot *root, char **ret)
{
	_cleanup_free_ char *running = NULL, *kept = NULL;
	const char *append = o->append ? o->append : "";
	struct kd_error *err;

	if (!o->reuse_cmdline)
		return kd_format(ret, "%s", append);
	err = kd_sysroot_read(root, "/proc/cmdline", &running, NULL);
	if (!err)
		err = loader_cmdline_remove(running,
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
		.initrd = o->initrd,
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

static struct kd_error *exec(const struct options *o, const struct kd_sysroot *root, const struct kd_log *log)
{
	struct kd_error *err;
	bool loaded;

	err = loader_loaded(root, LOADER_REBOOT, &loaded);
	if (err)
		return err;
	if (!loaded)
		return kd_error_create(KD_ERR_STATE, "Nothing has been loaded!");
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
	if (done)
		return EXIT_SUCCESS;
	if (o.debug)
		log.level = KD_LOG_DEBUG;
	if (!err)
		err = kd_sysroot_open(o.sysroot, &root);
	if (!err && o.status)
		return status(&o, &root, &log);
	if (!err)
		err = run(&o, &root, &log);
	return kd_log_error(&log, err) ? EXIT_FAILURE : EXIT_SUCCESS;
}
