/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/klog.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"

/* --- tables ------------------------------------------------------------------------------------------------------- */

enum where { AT_START, ANYWHERE };

/* Messages that report a crash. The first row that fits counts. */
static const struct {
	const char *words;
	enum where where;
	enum kd_klog_weight weight;
	const char *kind;
} headlines[] = {
	{ "sysrq: Trigger a crash", AT_START, KD_KLOG_FAULT, "sysrq" },
	{ "BUG: kernel NULL pointer dereference", AT_START, KD_KLOG_FAULT, "null-dereference" },
	{ "BUG: unable to handle kernel NULL pointer dereference", AT_START, KD_KLOG_FAULT, "null-dereference" },
	{ "Unable to handle kernel NULL pointer dereference", AT_START, KD_KLOG_FAULT, "null-dereference" },
	{ "BUG: stack guard page was hit", AT_START, KD_KLOG_FAULT, "stack-overflow" },
	{ "BUG: TASK stack guard page was hit", AT_START, KD_KLOG_FAULT, "stack-overflow" },
	{ "BUG: IRQ stack guard page was hit", AT_START, KD_KLOG_FAULT, "stack-overflow" },
	{ "kernel stack overflow", AT_START, KD_KLOG_FAULT, "stack-overflow" },
	{ "BUG: unable to handle page fault", AT_START, KD_KLOG_FAULT, "bad-address" },
	{ "BUG: unable to handle kernel paging request", AT_START, KD_KLOG_FAULT, "bad-address" },
	{ "Unable to handle kernel paging request", AT_START, KD_KLOG_FAULT, "bad-address" },
	{ "Unable to handle kernel access", AT_START, KD_KLOG_FAULT, "bad-address" },
	/* A program's fault is logged with the program's name in front. */
	{ "general protection fault", AT_START, KD_KLOG_FAULT, "general-protection-fault" },
	{ "kernel BUG at ", AT_START, KD_KLOG_FAULT, "bug" },
	{ "divide error: ", AT_START, KD_KLOG_FAULT, "divide-error" },
	{ "invalid opcode: ", AT_START, KD_KLOG_FAULT, "invalid-opcode" },
	{ "double fault: ", AT_START, KD_KLOG_FAULT, "double-fault" },
	{ "BUG: scheduling while atomic", AT_START, KD_KLOG_FAULT, "scheduling-while-atomic" },
	{ "BUG: soft lockup", ANYWHERE, KD_KLOG_FAULT, "soft-lockup" },
	{ "Watchdog detected hard LOCKUP", ANYWHERE, KD_KLOG_FAULT, "hard-lockup" },
	{ "self-detected stall on CPU", ANYWHERE, KD_KLOG_TROUBLE, "rcu-stall" },
	{ "detected stalls on CPUs/tasks", ANYWHERE, KD_KLOG_TROUBLE, "rcu-stall" },
	{ "blocked for more than", ANYWHERE, KD_KLOG_TROUBLE, "hung-task" },
	{ "invoked oom-killer", ANYWHERE, KD_KLOG_TROUBLE, "out-of-memory" },
	{ "Machine check: ", ANYWHERE, KD_KLOG_FAULT, "machine-check" },
	{ "BUG: KASAN: ", AT_START, KD_KLOG_FAULT, "kasan" },
	{ "Internal error: ", AT_START, KD_KLOG_FAULT, "oops" },
	{ "Oops: ", AT_START, KD_KLOG_OOPS, "oops" },
	{ "Oops - ", AT_START, KD_KLOG_OOPS, "oops" },
	/* Without a kind: the kernel survives most of these, and they do not explain a later crash. */
	{ "BUG: ", AT_START, KD_KLOG_FAULT, NULL },
	{ "Unable to handle kernel ", AT_START, KD_KLOG_FAULT, NULL },
};

/* Kinds of panics, by words anywhere in the message. */
static const struct {
	const char *words, *kind;
} panics[] = {
	{ "sysrq triggered crash", "sysrq" },
	{ "Out of memory", "out-of-memory" },
	{ "System is deadlocked on memory", "out-of-memory" },
	{ "out of memory", "out-of-memory" },
	{ "hung_task: blocked tasks", "hung-task" },
	{ "softlockup: hung tasks", "soft-lockup" },
	{ "Hard LOCKUP", "hard-lockup" },
	{ "hard LOCKUP", "hard-lockup" },
	{ "RCU Stall", "rcu-stall" },
	{ "Attempted to kill init", "init-killed" },
	{ "corrupted stack end", "stack-overflow" },
	{ "stack-protector", "stack-corruption" },
	{ "VFS: Unable to mount root fs", "no-root" },
	{ "No working init found", "no-init" },
	{ "Machine Check", "machine-check" },
	{ "machine check", "machine-check" },
	{ "NMI", "nmi" },
	{ "panic_on_warn", "warning" },
};

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* "[   12.345678] " and "[  T123] " or "[    C0] " (CONFIG_PRINTK_CALLER), which may follow. */
const char *kd_klog_message(const char *line, double *time_ret)
{
	const char *p = line;
	double stamp = -1;
	char *end;

	if (*p == '[') {
		double value = strtod(p + 1, &end);

		if (end != p + 1 && *end == ']') {
			stamp = value;
			p = end + 1;
			p += *p == ' ';
		}
	}
	if (stamp >= 0 && *p == '[') {
		const char *q = p + 1;

		q += strspn(q, " ");
		if ((*q == 'T' || *q == 'C') && isdigit((unsigned char)q[1])) {
			q += 1 + strspn(q + 1, "0123456789");
			if (*q == ']')
				p = q + 1 + (q[1] == ' ');
		}
	}
	if (time_ret)
		*time_ret = stamp;
	return p;
}

const char *kd_klog_tail(const char *text, size_t count)
{
	const char *p = text + strlen(text);

	while (p > text && count) {
		p--;
		if (p > text && p[-1] == '\n')
			count--;
	}
	return p;
}

char **kd_klog_cut(char *text, size_t *count_ret)
{
	size_t count = 0;
	char **line, *p;

	for (p = text; *p; p++)
		count += *p == '\n';
	line = calloc(count + 1, sizeof(*line));
	if (!line)
		return NULL;
	for (count = 0; text && *text; count++)
		line[count] = strsep(&text, "\n");
	*count_ret = count;
	return line;
}

/* --- crashes ------------------------------------------------------------------------------------------------------ */

static const char *panic_kind(const char *message)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(panics); i++)
		if (strstr(message, panics[i].words))
			return panics[i].kind;
	return NULL;
}

static enum kd_klog_weight weigh(const char *message, const char **kind)
{
	size_t i;

	*kind = NULL;
	if (kd_starts_with(message, KD_KLOG_PANIC_WORDS)) {
		*kind = panic_kind(message);
		return KD_KLOG_PANIC;
	}
	for (i = 0; i < ARRAY_SIZE(headlines); i++) {
		if (headlines[i].where == AT_START ? !kd_starts_with(message, headlines[i].words) :
						     !strstr(message, headlines[i].words))
			continue;
		*kind = headlines[i].kind;
		return headlines[i].weight;
	}
	return KD_KLOG_PLAIN;
}

enum kd_klog_weight kd_klog_weigh(const char *message, const char **kind_ret)
{
	const char *kind;

	return weigh(message, kind_ret ? kind_ret : &kind);
}
