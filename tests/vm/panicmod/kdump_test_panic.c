// SPDX-License-Identifier: GPL-2.0-or-later
/* Panics when it is inserted, in the way that the parameter "how" names. Each way is a function with a name of its
 * own, never inlined, so that the backtrace in the dump can be checked for the cause. */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/version.h>

static char *how = "null";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "null, bug_irq, stack, lock, hardlockup or softlockup");

static noinline void kdump_test_null_dereference(void)
{
	int *volatile nothing = NULL;

	*nothing = 1;
}

static noinline enum hrtimer_restart kdump_test_bug_in_interrupt(struct hrtimer *timer)
{
	WARN_ON_ONCE(!in_hardirq());
	BUG();
	return HRTIMER_NORESTART;
}

static struct hrtimer timer;

static noinline void kdump_test_start_timer(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&timer, kdump_test_bug_in_interrupt, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#else
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer.function = kdump_test_bug_in_interrupt;
#endif
	hrtimer_start(&timer, ms_to_ktime(1), HRTIMER_MODE_REL_HARD);
	mdelay(1000);
}

/* Each call leaves 512 bytes on the stack; the result is used, so that it does not become a loop. */
static noinline unsigned int kdump_test_stack_overflow(unsigned int depth)
{
	volatile char frame[512];

	memset((void *)frame, depth, sizeof(frame));
	return depth > 1000000 ? frame[0] : kdump_test_stack_overflow(depth + 1) + frame[depth % sizeof(frame)];
}

static noinline void kdump_test_panic_under_lock(void)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	panic("kdump test: panic under a spinlock with interrupts off");
	spin_unlock_irqrestore(&lock, flags);
}

static noinline void kdump_test_hard_lockup(void)
{
	unsigned long flags;

	local_irq_save(flags);
	for (;;)
		cpu_relax();
	local_irq_restore(flags);
}

static noinline void kdump_test_soft_lockup(void)
{
	preempt_disable();
	for (;;)
		cpu_relax();
	preempt_enable();
}

/* Two secrets that erase.conf names, and a third that it does not. They are nowhere else in memory, so every letter is
 * kept as the one behind it. */
char kdump_test_secret[32], kdump_test_control[32];
char *kdump_test_pointer;

static noinline void kdump_test_reveal(char *to, const char *hidden)
{
	while (*hidden)
		WRITE_ONCE(*to++, READ_ONCE(*hidden++) - 1);
}

static void __init kdump_test_hide(void)
{
	kdump_test_pointer = kzalloc(32, GFP_KERNEL);
	if (kdump_test_pointer)
		kdump_test_reveal(kdump_test_pointer, "LEVNQ.UFTU.TFDSFU.5822");
	kdump_test_reveal(kdump_test_secret, "LEVNQ.UFTU.TFDSFU.5822");
	kdump_test_reveal(kdump_test_control, "LEVNQ.UFTU.DPOUSPM.5822");
}

static int __init kdump_test_panic_init(void)
{
	kdump_test_hide();
	if (strcmp(how, "null") == 0)
		kdump_test_null_dereference();
	else if (strcmp(how, "bug_irq") == 0)
		kdump_test_start_timer();
	else if (strcmp(how, "stack") == 0)
		return kdump_test_stack_overflow(1) ? -EIO : -EINVAL;
	else if (strcmp(how, "lock") == 0)
		kdump_test_panic_under_lock();
	else if (strcmp(how, "hardlockup") == 0)
		kdump_test_hard_lockup();
	else if (strcmp(how, "softlockup") == 0)
		kdump_test_soft_lockup();
	return -EINVAL;
}

static void __exit kdump_test_panic_exit(void)
{
}

module_init(kdump_test_panic_init);
module_exit(kdump_test_panic_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Panics on purpose, for testing crash dumps");
