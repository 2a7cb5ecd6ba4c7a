// SPDX-License-Identifier: GPL-2.0-or-later
/* Faults inside a guest. Inserted with places=1 it tells the host where the kernel has its log and its mem_map, so that
 * the host can damage them after the panic. In the capture kernel it does what QEMU's command line says, in the fw_cfg
 * file "opt/org.kdump/test": eat all memory but so much, kill a process of the capture after some time or at an NMI,
 * panic at an NMI: the host injects one at the moment that it wants. */
#include <linux/io.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>

#include <asm/nmi.h>

static bool places;
module_param(places, bool, 0);

/* --- what the host asks for --------------------------------------------------------------------------------------- */

/* QEMU docs/specs/fw_cfg.rst: ports, the key of the directory, an entry of it. */
enum { SELECTOR = 0x510, DATA = 0x511, DIRECTORY = 0x19 };

struct entry {
	__be32 size;
	__be16 select;
	__be16 reserved;
	char name[56];
};

static void fw_cfg_read(void *to, size_t size)
{
	u8 *byte = to;

	while (size--)
		*byte++ = inb(DATA);
}

static void fw_cfg_words(char *text, size_t size)
{
	struct entry entry;
	__be32 count;
	u32 left;

	outw(DIRECTORY, SELECTOR);
	fw_cfg_read(&count, sizeof(count));
	for (left = be32_to_cpu(count); left; left--) {
		fw_cfg_read(&entry, sizeof(entry));
		if (strcmp(entry.name, "opt/org.kdump/test") != 0)
			continue;
		size = min_t(size_t, size - 1, be32_to_cpu(entry.size));
		outw(be16_to_cpu(entry.select), SELECTOR);
		fw_cfg_read(text, size);
		text[size] = '\0';
		return;
	}
}

static unsigned long word(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? simple_strtoul(found + strlen(name), NULL, 10) : 0;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Never given back. */
static void eat(unsigned long rest_kib)
{
	unsigned long pages = 0;

	while (si_mem_available() > (long)(rest_kib >> (PAGE_SHIFT - 10)) &&
	       alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN))
		pages++;
	pr_alert("KDTEST fault text=%lu KiB of memory are eaten\n", pages << (PAGE_SHIFT - 10));
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

static pid_t worker;
static unsigned long kill_ms;
static bool kill_child;

/* The youngest process below @top, or @top itself. */
static struct task_struct *youngest_below(struct task_struct *top)
{
	struct task_struct *child, *found = top;

	for_each_process(child)
	{
		struct task_struct *parent = child;

		while (parent != top && parent->pid > 1)
			parent = rcu_dereference(parent->real_parent);
		if (parent == top)
			found = child;
	}
	return found;
}

static void kill_one(void)
{
	struct task_struct *victim;

	rcu_read_lock();
	victim = pid_task(find_pid_ns(worker, &init_pid_ns), PIDTYPE_PID);
	if (victim && kill_child)
		victim = youngest_below(victim);
	if (victim)
		send_sig(SIGKILL, victim, 1);
	pr_alert("KDTEST fault text=process %d is killed\n", victim ? victim->pid : 0);
	rcu_read_unlock();
}

static int killer(void *unused)
{
	schedule_timeout_uninterruptible(msecs_to_jiffies(kill_ms));
	kill_one();
	return 0;
}

/* --- at an NMI ---------------------------------------------------------------------------------------------------- */

static bool dies;
static struct irq_work struck;

static void strike(struct irq_work *work)
{
	if (dies)
		panic("kdump test: the capture kernel dies");
	kill_one();
}

static int nmi(unsigned int type, struct pt_regs *regs)
{
	irq_work_queue(&struck);
	return NMI_HANDLED;
}

/* --- in the capture kernel ---------------------------------------------------------------------------------------- */

static void be_in_capture(void)
{
	char text[128] = "";

	fw_cfg_words(text, sizeof(text));
	if (word(text, "rest="))
		eat(word(text, "rest="));
	kill_ms = word(text, "kill=");
	kill_child = word(text, "child=");
	/* capture starts a process for every module. */
	worker = task_tgid_nr(rcu_dereference_raw(current->real_parent));
	if (kill_ms)
		kthread_run(killer, NULL, "kdump_test_fault");
	dies = word(text, "dies=");
	init_irq_work(&struck, strike);
	if (word(text, "nmi=") && register_nmi_handler(NMI_UNKNOWN, nmi, 0, "kdump_test_fault") != 0)
		pr_alert("KDTEST fault text=no handler of NMIs\n");
}

/* --- places ------------------------------------------------------------------------------------------------------- */

typedef unsigned long (*lookup_fn)(const char *name);

static lookup_fn find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	lookup_fn found;

	if (register_kprobe(&probe) < 0)
		return NULL;
	found = (lookup_fn)probe.addr;
	unregister_kprobe(&probe);
	return found;
}

static void tell(const char *kind, const void *address, unsigned long size)
{
	pr_alert("KDTEST place kind=%s physical=%#llx size=%#lx\n", kind, (u64)slow_virt_to_phys((void *)address),
		 size);
}

/* The first members of struct printk_ringbuffer (kernel/printk/printk_ringbuffer.h), 5.10 and later. */
struct ring_head {
	unsigned int count_bits;
	void *descs;
	void *infos;
};

static void tell_places(void)
{
	unsigned long pfn, end, step = PMD_SIZE / sizeof(struct page);
	lookup_fn lookup = find_lookup();
	struct ring_head **prb = lookup ? (struct ring_head **)lookup("prb") : NULL;
	char **log_buf = lookup ? (char **)lookup("log_buf") : NULL;
	unsigned int *log_buf_len = lookup ? (unsigned int *)lookup("log_buf_len") : NULL;
	unsigned long *max = lookup ? (unsigned long *)lookup("max_pfn") : NULL;

	if (!prb || !log_buf || !log_buf_len || !max)
		return;
	end = *max;
	tell("log-text", *log_buf, *log_buf_len);
	/* 24 and 88 bytes each (struct prb_desc, struct printk_info). */
	tell("log-records", (*prb)->descs, 24UL << (*prb)->count_bits);
	tell("log-records", (*prb)->infos, 88UL << (*prb)->count_bits);
	/* A part of the mem_map lies in a page of 2 MiB each. */
	for (pfn = 0; pfn < end; pfn += step)
		if (pfn_valid(pfn))
			tell("mem_map", pfn_to_page(pfn), min(step, end - pfn) * sizeof(struct page));
}

static int __init kdump_test_fault_init(void)
{
	if (places)
		tell_places();
	else
		be_in_capture();
	return 0;
}

module_init(kdump_test_fault_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Faults in a guest, for testing a capture");
