// SPDX-License-Identifier: GPL-2.0-or-later
/* Gets stuck when it is inserted, in the way that the parameter "how" names, or makes others get stuck. */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/preempt.h>
#include <linux/sched.h>

static char *how = "init";
module_param(how, charp, 0);
MODULE_PARM_DESC(
	how, "init: its init function never returns; probe: neither does its probe, which holds the device's "
	     "lock; slow: it takes \"seconds\"; panic; softlockup; irqs: spins with interrupts off; function: whoever "
	     "calls \"function\" never returns");
static unsigned int seconds = 33;
module_param(seconds, uint, 0);
static char *function = "ksys_sync";
module_param(function, charp, 0);
static char *who = "all";
module_param(who, charp, 0);
MODULE_PARM_DESC(who, "who gets stuck in \"function\": all, init (process 1), worker (its children)");
static unsigned long beyond;
module_param(beyond, ulong, 0);
MODULE_PARM_DESC(beyond, "only calls whose third argument (an offset in a file) is that great");
static int calls = INT_MAX;
module_param(calls, int, 0);
MODULE_PARM_DESC(calls, "so many of them get stuck; later ones go well");

/* No signal ends it. */
static noinline long kdump_test_stuck(void)
{
	pr_alert("KDTEST stuck comm=%s pid=%d text=%s\n", current->comm, current->pid, how);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
	return 0;
}

static noinline void kdump_test_slow(void)
{
	unsigned int i;

	/* A loader that was killed fails here, as kthread_run() does in real drivers. */
	for (i = 0; i < seconds && !fatal_signal_pending(current); i++)
		schedule_timeout_uninterruptible(HZ);
	pr_alert("KDTEST slow text=%s after %u seconds\n", fatal_signal_pending(current) ? "killed" : "whole", i);
}

static noinline void kdump_test_spin(bool interrupts)
{
	unsigned long flags = 0;

	pr_alert("KDTEST stuck text=%s\n", how);
	if (interrupts)
		preempt_disable();
	else
		local_irq_save(flags);
	for (;;)
		cpu_relax();
}

static int kdump_test_probe(struct platform_device *device)
{
	kdump_test_stuck();
	return 0;
}

static struct platform_driver driver = {
	.probe = kdump_test_probe,
	.driver = { .name = "kdump_test_stuck" },
};

static int stuck_in_probe(void)
{
	struct platform_device *device = platform_device_register_simple("kdump_test_stuck", -1, NULL, 0);

	return IS_ERR(device) ? PTR_ERR(device) : platform_driver_register(&driver);
}

static bool is_meant(void)
{
	if (strcmp(who, "init") == 0)
		return current->tgid == 1;
	if (strcmp(who, "worker") == 0)
		return current->real_parent->tgid == 1 && current->tgid != 1;
	return true;
}

static int __kprobes on_call(struct kprobe *probe, struct pt_regs *regs)
{
	static atomic_t count;

	if (!is_meant() || regs_get_kernel_argument(regs, 2) < beyond || atomic_inc_return(&count) > calls)
		return 0;
	/* Instead of the function. */
	instruction_pointer_set(regs, (unsigned long)kdump_test_stuck);
	return 1;
}

/* With one, a kprobe may change where its function goes on (Documentation/trace/kprobes.rst). */
static void __kprobes behind_call(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = { .pre_handler = on_call, .post_handler = behind_call };

static int __init kdump_test_stuck_init(void)
{
	if (strcmp(how, "init") == 0)
		kdump_test_stuck();
	else if (strcmp(how, "probe") == 0)
		return stuck_in_probe();
	else if (strcmp(how, "slow") == 0)
		kdump_test_slow();
	else if (strcmp(how, "panic") == 0)
		panic("kdump test: the capture kernel dies");
	else if (strcmp(how, "softlockup") == 0)
		kdump_test_spin(true);
	else if (strcmp(how, "irqs") == 0)
		kdump_test_spin(false);
	else if (strcmp(how, "function") == 0) {
		probe.symbol_name = function;
		return register_kprobe(&probe);
	} else
		return -EINVAL;
	return 0;
}

module_init(kdump_test_stuck_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gets stuck on purpose, for testing a capture kernel");
