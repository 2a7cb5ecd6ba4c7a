/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would keep "kdumpctl reboot" from working: a row for each obstacle. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/text.h"
#include "kdump/verbs/check/check.h"
#include "kdump/verbs/reboot.h"
#include "kdump/verbs/terminal.h"

struct look {
	struct kdumpctl *ctl;
	const struct reboot_request *request;
	const struct loader_image *image; /* NULL: it could not be made */
	const char *image_error;
};

typedef void look_function(const struct look *look, struct check_result *result);

/* --- the running kernel ------------------------------------------------------------------------------------------- */

static void look_kexec(const struct look *look, struct check_result *result)
{
	bool loaded = false;
	struct kd_error *err = loader_loaded(&look->ctl->root, LOADER_REBOOT, &loaded);

	if (err)
		return check_say_error(result, CHECK_FAILURE, err);
	if (loaded)
		return check_say(result, CHECK_WARNING, NULL,
				 "another kernel is loaded for the next reboot: it is replaced");
	check_say(result, CHECK_OK, NULL, "the running kernel can start another one");
}

static void look_loading(const struct look *look, struct check_result *result)
{
	const char *forbidden = loader_forbidden(&look->ctl->root, LOADER_REBOOT);

	if (forbidden)
		return check_say(result, CHECK_FAILURE, "reboot by the firmware (systemctl reboot)",
				 "%s: nothing more can be loaded until the next boot", forbidden);
	check_say(result, CHECK_OK, NULL, "loading a kernel is allowed");
}

static void look_lockdown(const struct look *look, struct check_result *result)
{
	_cleanup_free_ char *lockdown = NULL;

	if (kd_error_discard(loader_lockdown(&look->ctl->root, &lockdown)) || !lockdown)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "the kernel is not locked down");
	if (look->request->unified)
		return check_say(
			result, CHECK_FAILURE,
			"boot an entry with a separate, signed kernel file, or reboot by the firmware",
			"the kernel is locked down (%s), and the signature of a unified kernel image does not cover "
			"the kernel in it",
			lockdown);
	if (check_is_signed(&look->ctl->root, look->request->kernel))
		return check_say(result, CHECK_OK, NULL, "the kernel is locked down (%s), and %s is signed", lockdown,
				 look->request->kernel);
	check_say(result, CHECK_FAILURE, "install a signed kernel, or reboot by the firmware (systemctl reboot)",
		  "the kernel is locked down (%s), and %s carries no signature", lockdown, look->request->kernel);
}

static void look_hypervisor(const struct look *look, struct check_result *result)
{
	_cleanup_free_ char *type = NULL, *features = NULL;

	kd_error_destroy(kd_sysroot_read_line(&look->ctl->root, &type, "/sys/hypervisor/type"));
	if (!type || strcmp(type, "xen") != 0)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "not a guest of Xen");
	kd_error_destroy(kd_sysroot_read_line(&look->ctl->root, &features, "/sys/hypervisor/guest_type"));
	if (features && strcmp(features, "HVM") == 0)
		return check_say(result, CHECK_OK, NULL, "a fully virtualized guest of Xen");
	check_say(result, CHECK_FAILURE, "reboot by the hypervisor (systemctl reboot)",
		  "a paravirtualized guest of Xen, or its control domain, cannot start another kernel itself");
}

/* --- what is loaded ----------------------------------------------------------------------------------------------- */

static void look_image(const struct look *look, struct check_result *result)
{
	if (look->image)
		check_say(result, CHECK_OK, NULL, "%s and its command line fit", look->request->kernel);
	else
		check_say(result, CHECK_FAILURE, NULL, "%s", look->image_error);
}

/* Only a matter of seconds: no obstacle. */
static void look_fast(const struct look *look, struct check_result *result)
{
	const char *reason = look->image ? loader_image_not_fast(look->image) : NULL;

	if (!look->image || look->request->not_fast)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "not asked for");
	if (reason)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL,
				 "the kernel will be decompressed after the jump: %s", reason);
	check_say(result, CHECK_OK, NULL, "the kernel is decompressed before the jump");
}

static void look_initrd(const struct look *look, struct check_result *result)
{
	if (look->request->initrd || look->request->unified)
		return check_say(result, CHECK_OK, NULL, "%s",
				 look->request->initrd ? look->request->initrd[0] : "in the unified kernel image");
	check_say(result, CHECK_WARNING, NULL,
		  "the entry has none: the kernel must find its root file system by itself");
}

/* What systemd-stub(7) would hand over beside the image: credentials and extensions. Of addons the command lines are
 * taken (kdump/boot/read_menu_systemd_boot.c). */
static void look_extras(const struct look *look, struct check_result *result)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	_cleanup_free_ char *directory = NULL;

	if (!look->request->unified || kd_error_discard(kd_format(&directory, "%s.extra.d", look->request->kernel)) ||
	    !kd_sysroot_exists(&look->ctl->root, directory) ||
	    kd_error_discard(kd_sysroot_list(&look->ctl->root, directory, &names)))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "none");
	for (size_t i = 0; i < names.count; i++)
		if (!kd_ends_with(names.name[i], ".addon.efi"))
			return check_say(result, CHECK_WARNING,
					 "reboot by the firmware (systemctl reboot) if the next boot needs it",
					 "%s/%s is not handed over: only the unified kernel image itself does that",
					 directory, names.name[i]);
	check_say(result, CHECK_OK, NULL, "the command lines of the image's addons are appended");
}

/* While it is loaded, the kernel's pages and the files are in memory twice. */
static void look_memory(const struct look *look, struct check_result *result)
{
	_cleanup_free_ char *meminfo = NULL;
	uint64_t available = 0, need = look->image ? 2 * loader_image_memory(look->image) : 0;

	kd_error_destroy(kd_sysroot_read(&look->ctl->root, "/proc/meminfo", &meminfo, NULL));
	if (!need || !meminfo || !kd_proc_figure(meminfo, "MemAvailable", &available))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "not known");
	if (available < need)
		return check_say(result, CHECK_FAILURE, "stop something that needs much memory",
				 "loading takes %" PRIu64 " MiB for a moment, and %" PRIu64 " MiB are available",
				 kd_mib_up(need), available >> 20);
	check_say(result, CHECK_OK, NULL, "loading takes %" PRIu64 " of %" PRIu64 " MiB that are available",
		  kd_mib_up(need), available >> 20);
}

/* A kernel that counts loads (since 6.3, if it is told to) would have one less. */
static bool counts_loads(const struct kd_sysroot *root)
{
	_cleanup_free_ char *left = NULL;

	return !kd_error_discard(kd_sysroot_read_line(root, &left, "/proc/sys/kernel/kexec_load_limit_reboot")) &&
	       strcmp(left, "-1") != 0;
}

/* The only proof is to load it: where nothing is loaded, nothing can be lost. */
static void look_load(const struct look *look, struct check_result *result)
{
	const struct kd_sysroot *root = &look->ctl->root;
	bool loaded = true;
	const char *how = "";
	struct kd_error *err;

	if (!look->image || !look->ctl->option[REBOOT_CHECK])
		return check_say(result, CHECK_NOT_APPLICABLE, NULL, "not tried");
	if (!kd_sysroot_is_live(root) || geteuid() != 0)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL,
				 "not tried: only root can, on the running machine");
	if (kd_error_discard(loader_loaded(root, LOADER_REBOOT, &loaded)) || loaded)
		return check_say(result, CHECK_NOT_APPLICABLE, NULL,
				 "not tried: a kernel is loaded, which would be lost");
	if (counts_loads(root))
		return check_say(result, CHECK_NOT_APPLICABLE, NULL,
				 "not tried: the kernel counts loads (kernel.kexec_load_limit_reboot)");
	err = loader_load(look->image, &how);
	if (err)
		return check_say_error(result, CHECK_FAILURE, err);
	kd_error_destroy(loader_unload(LOADER_REBOOT));
	check_say(result, CHECK_OK, NULL, "the kernel took it by %s (it is unloaded again)", how);
}

/* --- systemd ------------------------------------------------------------------------------------------------------ */

static void look_systemd(const struct look *look, struct check_result *result)
{
	if (kd_sysroot_exists(&look->ctl->root, "/run/systemd/system"))
		return check_say(result, CHECK_OK, NULL, "systemd stops the services");
	check_say(result, CHECK_FAILURE, "stop the services yourself, then \"kexec -e -f\"", "systemd is not running");
}

static void look_masked(const struct look *look, struct check_result *result)
{
	static const char *const units[] = { "kexec.target", "systemd-kexec.service" };
	static const char *const places[] = { "/etc", "/run" };

	for (size_t i = 0; i < ARRAY_SIZE(units) * ARRAY_SIZE(places); i++) {
		const char *unit = units[i / 2];
		_cleanup_free_ char *target = NULL;
		char path[96];

		snprintf(path, sizeof(path), "%s/systemd/system/%s", places[i % 2], unit);
		kd_error_destroy(kd_sysroot_realpath(&look->ctl->root, path, &target));
		if (target && strcmp(target, "/dev/null") == 0)
			return check_say(result, CHECK_FAILURE, "\"systemctl unmask\" it", "%s is masked", unit);
	}
	check_say(result, CHECK_OK, NULL, "kexec.target can be reached");
}

/* Where systemd looks for it was decided when systemd was built. Without it systemd ends with a reboot by firmware. */
static void look_program(const struct look *look, struct check_result *result)
{
	static const char *const places[] = { "/usr/sbin/kexec", "/sbin/kexec", "/usr/bin/kexec" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (kd_sysroot_exists(&look->ctl->root, places[i]))
			return check_say(result, CHECK_OK, NULL, "%s", places[i]);
	check_say(result, CHECK_FAILURE, "install kexec(8), which belongs to this package",
		  "/usr/sbin/kexec, which systemd runs at the end of the shutdown, does not exist");
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

/* Drivers whose devices the next kernel does not get to work without a reset by the firmware. */
static const struct {
	const char *module, *reason;
} drivers[] = {
	{ "nvidia", "its GPU may stay unusable until the firmware resets it" },
	{ "amdgpu", "its security processor does not start a second time on some GPUs" },
	{ "radeon", "its GPU may stay unusable until the firmware resets it" },
	{ "xen_pcifront", "a paravirtualized guest of Xen cannot start another kernel itself" },
};

static void look_drivers(const struct look *look, struct check_result *result)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/module/%s/drivers", drivers[i].module);
		if (kd_sysroot_exists(&look->ctl->root, path))
			return check_say(result, CHECK_FAILURE, "reboot by the firmware (systemctl reboot), or --force",
					 "driver %s: %s", drivers[i].module, drivers[i].reason);
	}
	check_say(result, CHECK_OK, NULL, "none that is known not to survive");
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	look_function *run;
} looks[] = {
	{ "kexec", look_kexec },           { "loading", look_loading },
	{ "lockdown", look_lockdown },     { "hypervisor", look_hypervisor },
	{ "image", look_image },           { "fast start", look_fast },
	{ "initramfs", look_initrd },      { "image's extras", look_extras },
	{ "memory", look_memory },         { "load", look_load },
	{ "systemd", look_systemd },       { "kexec.target", look_masked },
	{ "kexec program", look_program }, { "drivers", look_drivers },
};

struct kd_error *reboot_check(struct kdumpctl *ctl, const struct reboot_request *request, bool all,
			      unsigned int *obstacles)
{
	_cleanup_(loader_image_free) struct loader_image *image = NULL;
	_cleanup_(kd_error_destroy) struct kd_error *err = reboot_request_prepare(&ctl->root, request, NULL, &image);
	const struct look look = { ctl, request, image, err ? err->text : NULL };
	struct term term;

	*obstacles = 0;
	term_init(&term, stdout);
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		struct check_result result = { .verdict = CHECK_NOT_APPLICABLE };

		looks[i].run(&look, &result);
		*obstacles += result.verdict == CHECK_FAILURE;
		if (all)
			check_print(&term, looks[i].name, &result);
		else if (result.verdict == CHECK_FAILURE)
			kd_warn(&ctl->log, "%s%s%s", result.text ? result.text : "", result.remedy ? ": " : "",
				result.remedy ? result.remedy : "");
		free(result.text);
	}
	if (all)
		printf("\n%u obstacles\n", *obstacles);
	return NULL;
}
