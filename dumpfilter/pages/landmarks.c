/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/landmarks.h"

#include "base/cleanup.h"
#include "dumpfilter/names/kallsyms.h"

static const char *const names[LANDMARK_COUNT] = {
	[LANDMARK_TEXT] = "_stext",
	[LANDMARK_TEXT_END] = "_etext",
	[LANDMARK_SCHEDULER] = "__sched_text_start",
	[LANDMARK_SCHEDULER_END] = "__sched_text_end",
	[LANDMARK_RODATA] = "__start_rodata",
	[LANDMARK_RODATA_END] = "__end_rodata",
	[LANDMARK_TYPES] = "__start_BTF",
	[LANDMARK_TYPES_END] = "__stop_BTF",
	[LANDMARK_DATA] = "_sdata",
	[LANDMARK_END] = "_end",
	[LANDMARK_INIT] = "__init_begin",
	[LANDMARK_INIT_END] = "__init_end",
	[LANDMARK_LOCKS] = "__smp_locks",
	[LANDMARK_LOCKS_END] = "__smp_locks_end",
	[LANDMARK_DECRYPTED] = "__start_bss_decrypted_unused",
	[LANDMARK_DECRYPTED_END] = "__end_bss_decrypted",
	[LANDMARK_BRK_END] = "_brk_end",
	[LANDMARK_PERCPU] = "__per_cpu_start",
	[LANDMARK_PERCPU_END] = "__per_cpu_end",
	[LANDMARK_PERCPU_OFFSETS] = "__per_cpu_offset",
	[LANDMARK_CPU_COUNT] = "nr_cpu_ids",
	[LANDMARK_TASK_CACHE] = "task_struct_cachep",
	[LANDMARK_MM_CACHE] = "mm_cachep",
	[LANDMARK_NODE_CACHE] = "radix_tree_node_cachep",
	[LANDMARK_CACHE_CACHE] = "kmem_cache",
	[LANDMARK_FIRST_PIDS] = "init_pid_ns",
	[LANDMARK_PIDS_CACHE] = "pid_cache",
};

void landmarks_find(struct address_space *space, struct landmarks *ret)
{
	_cleanup_(kallsyms_close) struct kallsyms *kallsyms = NULL;
	const struct kd_ranges walked = space->walked;

	_Static_assert(LANDMARK_COUNT <= KALLSYMS_FIND_MAX, "all at once");
	*ret = (struct landmarks){ 0 };
	space->walked = (struct kd_ranges){ 0 };
	_cleanup_(kd_error_destroy) struct kd_error *err = kallsyms_open(space, &kallsyms);
	if (!err)
		kallsyms_find_all(kallsyms, names, LANDMARK_COUNT, ret->vaddr);
	else
		kd_debug(space->log,
			 "some pages that are needed first will be written later, and data of the kernel image and of "
			 "its CPUs is told by struct pages alone: %s",
			 err->text);
	kd_ranges_free(&space->walked);
	space->walked = walked;
}

struct kd_range landmarks_range(const struct landmarks *landmarks, enum landmark start, enum landmark end)
{
	struct kd_range range = { landmarks->vaddr[start], landmarks->vaddr[end] };

	return range.start && range.start < range.end ? range : (struct kd_range){ 0 };
}
