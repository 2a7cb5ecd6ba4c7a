/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine and its kernel. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/io.h"
#include "kdump/arming/health.h"
#include "kdump/loader/loader.h"
#include "kdump/sizing/reservation.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/terminal.h"

void check_kexec(const struct check_context *c, struct check_result *result)
{
	bool loaded;
	struct kd_error *err = loader_loaded(&c->ctl->root, LOADER_PANIC, &loaded);

	if (err)
		check_say_error(result, CHECK_FAILURE, kd_error_wrap(err, "Kdump is not supported on this kernel"));
	else
		check_say(result, CHECK_OK, NULL, "the kernel can load another one");
}

void check_load_disabled(const struct check_context *c, struct check_result *result)
{
	const char *forbidden = loader_forbidden(&c->ctl->root, LOADER_PANIC);
	bool loaded = false;

	if (!kd_sysroot_exists(&c->ctl->root, "/proc/sys/kernel/kexec_load_disabled"))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL,
				 "the kernel does not tell whether loading is allowed");
	if (!forbidden)
		return check_say(result, CHECK_OK, NULL, "kexec loading is allowed");
	kd_error_destroy(loader_loaded(&c->ctl->root, LOADER_PANIC, &loaded));
	if (loaded)
		check_say(result, CHECK_WARNING, NULL,
			  "%s: the loaded image stays, and cannot be replaced before the next boot", forbidden);
	else
		check_say(result, CHECK_FAILURE, "set it only after kdump.service has started, and reboot",
			  "%s: nothing can be loaded until the next boot", forbidden);
}

void check_reservation(const struct check_context *c, struct check_result *result)
{
	_cleanup_(estimate_free) struct estimate estimate = { 0 };
	uint64_t reserved;
	struct kd_error *err = loader_crash_size(&c->ctl->root, &reserved);

	if (err)
		return check_say_error(result, CHECK_FAILURE, err);
	if (!reserved)
		return check_say(result, CHECK_FAILURE, "\"kdumpctl reset-crashkernel\", and reboot",
				 "No memory reserved for crash kernel");
	err = reservation_estimate(&c->ctl->root, &c->ctl->log, c->ctl->conf_file, c->ctl->kernel, &estimate);
	if (err) {
		kd_error_destroy(err);
		return check_say(result, CHECK_OK, NULL, "%" PRIu64 " MiB", reserved >> 20);
	}
	/* The loader refuses such a reservation. Between this and the need nobody can tell. */
	if (reserved < estimate.kernel + estimate.initramfs)
		check_say(result, CHECK_FAILURE, "\"kdumpctl reset-crashkernel\", and reboot",
			  "%" PRIu64 " MiB, but kernel and initramfs alone take %" PRIu64
			  " MiB while the kernel boots, and the capture needs %" PRIu64,
			  reserved >> 20, kd_mib_up(estimate.kernel + estimate.initramfs), kd_mib_up(estimate.need));
	else if (estimate_judge(&estimate) == ESTIMATE_SMALL)
		check_say(result, CHECK_WARNING, "\"kdumpctl reset-crashkernel\", and reboot",
			  "%" PRIu64 " MiB, but the capture needs %" PRIu64, reserved >> 20, kd_mib_up(estimate.need));
	else
		check_say(result, CHECK_OK, NULL, "%" PRIu64 " MiB, of which the capture needs %" PRIu64,
			  reserved >> 20, kd_mib_up(estimate.need));
}

/* Does the PE file @path have a certificate table? The running kernel judges who signed it. */
bool check_is_signed(const struct kd_sysroot *root, const char *path)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, path, O_RDONLY | O_NONBLOCK);
	uint32_t offset, entry[2];
	uint16_t magic;
	uint8_t pe[4];

	/* e_lfanew; behind "PE\0\0" and the COFF header (24 bytes) the optional header, in which the certificate table
	 * is entry 4 of the data directories, at 112 (PE32+) or 96 (PE32). */
	if (fd < 0 || kd_pread_all(fd, &offset, 4, 0x3c) != 4 || kd_pread_all(fd, pe, 4, offset) != 4 ||
	    memcmp(pe, "PE\0\0", 4) != 0 || kd_pread_all(fd, &magic, 2, (off_t)offset + 24) != 2)
		return false;
	return kd_pread_all(fd, entry, sizeof(entry), (off_t)offset + 24 + (magic == 0x20b ? 112 : 96) + 32) ==
		       (ssize_t)sizeof(entry) &&
	       entry[0] && entry[1];
}

void check_signature(const struct check_context *c, struct check_result *result)
{
	_cleanup_free_ char *lockdown = NULL;

	if (kd_error_discard(loader_lockdown(&c->ctl->root, &lockdown)) || !lockdown || !c->kernel)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the kernel is not locked down");
	if (check_is_signed(&c->ctl->root, c->kernel->path))
		check_say(result, CHECK_OK, NULL, "the kernel is locked down, and %s is signed", c->kernel->path);
	else
		check_say(result, CHECK_FAILURE,
			  "install a signed kernel (Debian: linux-image-amd64), or sign it (sbsign)",
			  "the kernel is locked down, and %s carries no signature", c->kernel->path);
}

void check_armed(const struct check_context *c, struct check_result *result)
{
	_cleanup_(health_free) struct health health = { 0 };
	_cleanup_free_ char *reason = NULL;
	struct kd_error *err = health_check(&c->ctl->root, &c->ctl->log, &health);

	if (err)
		return check_say_error(result, CHECK_WARNING, err);
	if (!health.loaded)
		return check_say(result, CHECK_FAILURE, "\"kdumpctl start\"", "%s", health_sentence(&health));
	reason = health_reason(&health);
	if (health_is_stale(&health))
		check_say(result, CHECK_WARNING, "\"kdumpctl restart\"", "the loaded image is not up to date: %s",
			  reason ? reason : "");
	else if (health.armed.left_out_count)
		check_say(result, CHECK_WARNING, "\"kdumpctl reload\" takes it in when it can be had", "%s",
			  health.armed.left_out[0].text);
	else
		check_say(result, health.state == ARMED_OURS ? CHECK_OK : CHECK_WARNING, NULL, "%s",
			  health_sentence(&health));
}

/* Links that "systemctl enable" makes. */
static const char *enabled_in(const struct kd_sysroot *root, const char *unit)
{
	static const char *const targets[] = { "sysinit", "basic", "multi-user" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		_cleanup_close_ int fd = -1;
		char path[128];

		snprintf(path, sizeof(path), "/etc/systemd/system/%s.target.wants", targets[i]);
		fd = kd_sysroot_open_file(root, path, O_PATH | O_DIRECTORY);
		/* The link itself: where it leads does not matter. */
		if (fd >= 0 && faccessat(fd, unit, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return targets[i];
	}
	return NULL;
}

void check_unit(const struct check_context *c, struct check_result *result)
{
	const char *target;

	if (!kd_sysroot_exists(&c->ctl->root, "/run/systemd/system"))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "systemd does not run here");
	target = enabled_in(&c->ctl->root, "kdump.service");
	if (target)
		check_say(result, CHECK_OK, NULL, "kdump.service is wanted by %s.target", target);
	else
		check_say(result, CHECK_WARNING, "\"systemctl enable kdump\"", "kdump.service is not enabled");
}

void check_rivals(const struct check_context *c, struct check_result *result)
{
	static const char *const units[] = { "kdump-tools.service", "kexec-load.service", "linux-crashdump.service" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (enabled_in(&c->ctl->root, units[i]))
			return check_say(result, CHECK_WARNING, "disable one of the two services",
					 "%s is enabled too, and also loads a capture kernel", units[i]);
	check_say(result, CHECK_OK, NULL, "no other service loads a capture kernel");
}

static uint64_t sysctl(const struct kd_sysroot *root, const char *name)
{
	uint64_t value = 0;
	struct kd_error *err = kd_sysroot_read_u64(root, 10, &value, "/proc/sys/kernel/%s", name);

	kd_error_destroy(err);
	return value;
}

/* All of these are the administrator's choice, so none of them is a fault. */
void check_panic(const struct check_context *c, struct check_result *result)
{
	const struct kd_sysroot *root = &c->ctl->root;
	bool oops = sysctl(root, "panic_on_oops"), hung = sysctl(root, "hung_task_panic");

	check_say(result, CHECK_OK, NULL,
		  "an oops %s; a hung task %s (kernel.panic_on_oops %d, kernel.hung_task_panic %d)",
		  oops ? "leaves a dump" : "leaves a dump only if it panics",
		  hung ? "panics and leaves one" : "leaves none", oops, hung);
}

void check_watchdog(const struct check_context *c, struct check_result *result)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(&c->ctl->root, "/sys/class/watchdog");
	const char *name;

	while (dir && (name = kd_next_entry(dir))) {
		_cleanup_free_ char *state = NULL, *identity = NULL;
		struct kd_error *err;

		err = kd_sysroot_read_line(&c->ctl->root, &state, "/sys/class/watchdog/%s/state", name);
		kd_error_destroy(err);
		err = kd_sysroot_read_line(&c->ctl->root, &identity, "/sys/class/watchdog/%s/identity", name);
		kd_error_destroy(err);
		if (state && strcmp(state, "active") == 0)
			check_say(result, CHECK_OK, NULL, "%s (%s) is running: its driver is put into the image", name,
				  identity ? identity : "?");
	}
	if (!result->text)
		check_say(result, CHECK_NOT_APPLICABLE, NULL, "no watchdog is running");
}

#define HOUR 3600

/* A file that is newer than the machine's clock: the clock was set back, or its battery is empty. */
static const char *newer_file(const struct check_context *c)
{
	const char *const paths[] = { c->conf ? c->conf->file : NULL, c->kernel ? c->kernel->path : NULL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_close_ int fd = paths[i] ? kd_sysroot_open_file(&c->ctl->root, paths[i], O_PATH) : -1;
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_mtime > c->now + HOUR)
			return paths[i];
	}
	return NULL;
}

/* The capture kernel only has the hardware clock. It names dumps by that, and their ages count from there. */
void check_clock(const struct check_context *c, struct check_result *result)
{
	uint64_t hardware = 0;
	const char *newer;
	struct kd_error *err;

	if (!c->now)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "a captured tree has no clock");
	newer = newer_file(c);
	if (newer)
		return check_say(result, CHECK_WARNING, "set the clock (timedatectl set-ntp true)",
				 "the clock is behind the time of %s", newer);
	err = kd_sysroot_read_u64(&c->ctl->root, 10, &hardware, "/sys/class/rtc/rtc0/since_epoch");
	if (err)
		return check_say_error(result, CHECK_NOT_APPLICABLE, err);
	if ((int64_t)hardware > c->now + HOUR / 2 || (int64_t)hardware < c->now - HOUR / 2)
		check_say(result, CHECK_WARNING, "\"hwclock --systohc --utc\"",
			  "the hardware clock, read as UTC, is off by %" PRId64
			  " minutes: dumps will have that time in their names",
			  ((int64_t)hardware - c->now) / 60);
	else
		check_say(result, CHECK_OK, NULL, "system and hardware clock agree");
}
