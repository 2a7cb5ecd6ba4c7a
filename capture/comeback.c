/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/comeback.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

/* --- which action ------------------------------------------------------------------------------------------------- */

enum kd_action comeback_action(const struct kd_plan *plan, const struct kd_handover *handover, bool done, int64_t now,
			       bool *loop_ret)
{
	const struct kd_plan_loop *loop = &plan->loop;
	enum kd_action action = done ? plan->final_action : plan->failure_action;
	size_t crashes = 1 + (handover ? kd_handover_recent(handover, now, loop->seconds) : 0);

	/* With any other action the machine does not come back by itself. */
	*loop_ret = loop->count && crashes >= loop->count && (action == KD_ACTION_REBOOT || action == KD_ACTION_KEXEC);
	return *loop_ret ? loop->action : action;
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

/* Words of panics that hardware has caused. What is broken wants a power cycle. */
static bool is_hardware(const char *panic)
{
	static const char *const words[] = {
		"achine check", "achine Check", "ardware error", "ardware Error", "broadcast exception", "NMI",
		"IOCK",         "SERR",         "AER",           "EDAC",          "Uncorrected"
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(panic, words[i]))
			return true;
	return false;
}

static struct kd_error *check_offer(const struct comeback_facts *facts)
{
	const struct kd_handover *handover = facts->handover;

	if (!handover)
		return kd_error_create(KD_ERR_STATE, "the image has no record of a kernel to return to");
	if (handover->refused)
		return kd_error_create(KD_ERR_STATE, "%s", handover->refused);
	if (!handover->release)
		return kd_error_create(KD_ERR_STATE, "no kernel to return to was laid out");
	if (handover->previous != (facts->action == KD_ACTION_PREVIOUS))
		return kd_error_create(KD_ERR_STATE, "kernel %s was laid out for another case", handover->release);
	return NULL;
}

static struct kd_error *check_capture(const struct comeback_facts *facts)
{
	if (!facts->complete)
		return kd_error_create(KD_ERR_STATE, "no complete dump was saved");
	if (facts->hanging)
		return kd_error_create(KD_ERR_STATE, "a disk hangs");
	return NULL;
}

static struct kd_error *check_reason(const struct comeback_facts *facts)
{
	if (!*facts->panic)
		return kd_error_create(KD_ERR_STATE, "the kernel's log does not say why it crashed");
	if (is_hardware(facts->panic))
		return kd_error_create(KD_ERR_STATE, "hardware may be at fault");
	return NULL;
}

/* A kernel that starts on another CPU than the firmware sends that one INIT, which the firmware takes for a reset. */
static struct kd_error *check_cpu(const struct comeback_facts *facts)
{
	if (facts->boot_cpu < 0)
		return kd_error_create(KD_ERR_STATE, "/proc/cpuinfo does not tell the CPU");
	if ((uint64_t)facts->boot_cpu != facts->handover->boot_cpu)
		return kd_error_create(KD_ERR_STATE,
				       "the kernel crashed on the CPU with APIC ID %" PRId64
				       "; only from the boot CPU, %" PRIu64 ", can all CPUs be started again",
				       facts->boot_cpu, facts->handover->boot_cpu);
	return NULL;
}

static struct kd_error *check_lockdown(const struct comeback_facts *facts)
{
	return facts->lockdown ? kd_error_create(KD_ERR_STATE, "the capture kernel is in lockdown") : NULL;
}

static struct kd_error *check_devices(const struct comeback_facts *facts)
{
	if (facts->masters)
		return kd_error_create(KD_ERR_STATE, "%u PCI functions could not be stopped", facts->masters);
	if (facts->absent)
		return kd_error_create(
			KD_ERR_STATE, "PCI function %s is not visible, so nobody has stopped it from writing to memory",
			facts->absent);
	if (facts->unbound)
		return kd_error_create(KD_ERR_STATE, "the devices behind PCI function %s are not visible",
				       facts->unbound);
	return NULL;
}

struct kd_error *comeback_check(const struct comeback_facts *facts)
{
	static struct kd_error *(*const checks[])(const struct comeback_facts *facts) = {
		check_offer, check_capture, check_reason, check_cpu, check_lockdown, check_devices,
	};
	struct kd_error *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !err; i++)
		err = checks[i](facts);
	return err;
}

/* --- what files of the machine say -------------------------------------------------------------------------------- */

bool comeback_is_mounted(const char *mounts, char *where, size_t size)
{
	static const char *const harmless[] = { "rootfs",   "ramfs",      "tmpfs",  "proc",   "sysfs",
						"devtmpfs", "securityfs", "pstore", "devpts", "efivarfs" };
	_cleanup_free_ char *copy = strdup(mounts);
	char *cursor = copy, *line;

	while (cursor && (line = strsep(&cursor, "\n"))) {
		const char *device = strsep(&line, " "), *point = strsep(&line, " "), *type = strsep(&line, " ");
		size_t i;

		if (!*device || !type)
			continue;
		for (i = 0; i < ARRAY_SIZE(harmless) && strcmp(type, harmless[i]) != 0; i++)
			;
		if (i < ARRAY_SIZE(harmless))
			continue;
		snprintf(where, size, "%s", point);
		return true;
	}
	return false;
}
