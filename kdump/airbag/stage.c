/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kdump-airbag: process 1 of a kernel on trial, for about a second (airbag.h).
 *
 * It runs in the kernel's rootfs, where nothing is mounted and there are no devices, and leaves that as it was.
 * Whatever fails here is said in the kernel's log, and the boot goes on: a panic then resets the machine, as panic=
 * demands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/decompress.h"
#include "base/io.h"
#include "base/log.h"
#include "base/sysroot.h"
#include "kdump/airbag/airbag.h"
#include "kdump/airbag/deadman.h"
#include "kdump/airbag/settings.h"
#include "kdump/loader/loader.h"

#define PROC "/proc"
#define SYS  "/sys"
#define KMSG AIRBAG_DIRECTORY "/kmsg"
#define INIT "/init"
#define MEBI (1 << 20)

enum { DEADLINE_DEFAULT = 120 };

struct stage {
	struct kd_log log;
	FILE *kmsg;
	char *text; /* of the settings, which borrow from it */
	struct airbag_settings settings;
	struct deadman_module module[AIRBAG_MODULES_MAX];
	struct deadman deadman;
};

/* The packed kernel is expanded, so this program needs no library for that. */
kd_decompress_fn *kd_decompress_probe(const void *data, size_t size)
{
	return NULL;
}

/* Lines of a log, one write(2) each. Without a console the first files would become standard input and output of
 * /init, if they stayed open. */
static void open_log(struct stage *stage)
{
	mknod(KMSG, S_IFCHR | 0600, makedev(1, 11));
	stage->kmsg = fopen(KMSG, "we");
	unlink(KMSG);
	if (stage->kmsg)
		setvbuf(stage->kmsg, NULL, _IOLBF, 1024);
	kd_log_init(&stage->log, stage->kmsg ? stage->kmsg : stderr, "kdump airbag", KD_LOG_INFO);
}

static void mount_at(const struct stage *stage, const char *type, const char *path)
{
	if (mkdir(path, 0700) < 0 || mount(type, path, type, MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
		kd_warn(&stage->log, "cannot mount %s: %s", type, strerror(errno));
}

/* What is open stays usable. */
static void unmount_at(const char *path)
{
	umount2(path, MNT_DETACH);
	rmdir(path);
}

static void read_settings(struct stage *stage)
{
	struct kd_error *err = kd_read_file(AIRBAG_DIRECTORY AIRBAG_SETTINGS, MEBI, &stage->text, NULL);

	stage->settings = (struct airbag_settings){ .deadline = DEADLINE_DEFAULT };
	if (!err)
		err = airbag_settings_parse(stage->text, &stage->settings);
	kd_log_error(&stage->log, kd_error_wrap(err, "the settings are not valid"));
}

static struct kd_error *read_cmdline(char **ret)
{
	struct kd_error *err = kd_read_file(AIRBAG_DIRECTORY AIRBAG_CMDLINE, MEBI, ret, NULL);

	if (!err)
		(*ret)[strcspn(*ret, "\n")] = '\0';
	return err;
}

/* Load the old kernel as this boot's panic kernel. */
static struct kd_error *arm(const struct stage *stage)
{
	_cleanup_(kd_sysroot_close) struct kd_sysroot root = { 0 };
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	_cleanup_free_ char *cmdline = NULL;
	struct kd_error *err = kd_sysroot_open(AIRBAG_DIRECTORY, &root);
	struct loader_request request = {
		.root = &root,
		.policy = LOADER_PANIC,
		.whole_machine = true,
		.kernel = AIRBAG_KERNEL,
		.log = &stage->log,
	};

	if (!err)
		err = read_cmdline(&cmdline);
	if (err)
		return err;
	request.cmdline = cmdline;
	if (kd_sysroot_exists(&root, AIRBAG_INITRD))
		request.initrd = AIRBAG_INITRD;
	err = loader_prepare(&request, &image);
	return err ? err : loader_load(image, NULL);
}

/* Drivers of watchdogs are kept in memory for the deadman, since their files go. */
static void read_modules(struct stage *stage)
{
	size_t i;

	for (i = 0; i < stage->settings.module_count; i++) {
		struct deadman_module *module = &stage->module[stage->deadman.module_count];
		_cleanup_free_ char *path = NULL;
		char *data;

		if (asprintf(&path, "%s/%s", AIRBAG_DIRECTORY AIRBAG_MODULES, stage->settings.module[i].name) < 0)
			return;
		if (kd_log_error(&stage->log, kd_read_file(path, 64 * MEBI, &data, &module->size)))
			continue;
		unlink(path);
		module->data = data;
		module->name = stage->settings.module[i].name;
		module->options = stage->settings.module[i].options;
		stage->deadman.module_count++;
	}
	stage->deadman.module = stage->module;
}

/* The packed files take as much memory as they are long. */
static void remove_files(void)
{
	static const char *const files[] = { AIRBAG_KERNEL, AIRBAG_INITRD, AIRBAG_CMDLINE, AIRBAG_SETTINGS };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s%s", AIRBAG_DIRECTORY, files[i]) >= 0)
			unlink(path);
	}
	rmdir(AIRBAG_DIRECTORY AIRBAG_MODULES);
	unmount_at(AIRBAG_DIRECTORY PROC);
	unmount_at(AIRBAG_DIRECTORY SYS);
	unlink(AIRBAG_PROGRAM);
	rmdir(AIRBAG_DIRECTORY);
}

/* The deadman must not be the one whom a machine without memory ends. Its child takes this over. */
static void set_oom_score(const char *score)
{
	_cleanup_close_ int fd = open(AIRBAG_DIRECTORY PROC "/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && kd_write_all(fd, score, strlen(score)) < 0)
		return; /* it is an ordinary process then */
}

static void leave_deadman(struct stage *stage, char *name)
{
	stage->deadman.sysrq = open(AIRBAG_DIRECTORY PROC "/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	stage->deadman.sys = open(AIRBAG_DIRECTORY SYS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	set_oom_score("-1000");
	if (!deadman_start(&stage->deadman, name))
		kd_warn(&stage->log, "no process watches the deadline: %s", strerror(errno));
	set_oom_score("0");
}

static void prepare(struct stage *stage, char *name)
{
	struct kd_error *err;

	open_log(stage);
	stage->deadman.log = &stage->log;
	mount_at(stage, "proc", AIRBAG_DIRECTORY PROC);
	mount_at(stage, "sysfs", AIRBAG_DIRECTORY SYS);
	read_settings(stage);
	stage->deadman.deadline += (int64_t)stage->settings.deadline * 1000;
	err = arm(stage);
	stage->deadman.armed = !err;
	if (err)
		kd_warn(&stage->log,
			"a panic of this kernel leads through the firmware: the old kernel cannot be armed: %s",
			err->text);
	else
		kd_info(&stage->log, "a panic of this kernel starts the old one");
	kd_error_destroy(err);
	read_modules(stage);
	leave_deadman(stage, name);
	remove_files();
}

int main(int argc, char **argv, char **envp)
{
	struct stage stage = { .deadman.deadline = deadman_now() };
	char *name = argc > 0 ? argv[0] : NULL;

	if (getpid() != 1 || !name || !*name) {
		fprintf(stderr, "kdump-airbag: this is process 1 of a kernel that \"kdumpctl reboot --try\" starts\n");
		return 2;
	}
	prepare(&stage, name);
	argv[0] = (char *)INIT;
	execve(INIT, argv, envp);
	/* The end of process 1 is a panic, which starts the old kernel. */
	kd_log(&stage.log, KD_LOG_ERROR, "cannot run " INIT ": %s", strerror(errno));
	return 1;
}
