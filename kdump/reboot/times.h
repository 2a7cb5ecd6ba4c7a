/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How long a reboot took, phase by phase.
 *
 *  Before the jump the command leaves a record (KD_STATEDIR/reboot); the next boot compares it with its own clocks.
 *  What goes on over a kexec is the CPU's time stamp counter: no device and no setting of the clock lies between two
 *  readings of it. The firmware resets it; then, and where there is none, the system's time of day is taken, whose
 *  error is up to a second, since the machine's clock counts seconds. */
#ifndef KDUMP_REBOOT_TIMES_H
#define KDUMP_REBOOT_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/proc.h"
#include "base/sysroot.h"

#define REBOOT_TIMES_PATH KD_STATEDIR "/reboot"

/** A moment by all clocks. Microseconds. */
struct reboot_moment {
	uint64_t cycles, hertz; /* the counter, and how fast it counts; 0: there is none */
	uint64_t monotonic;     /* since this kernel's start */
	uint64_t realtime;      /* since the epoch */
};

/** The moment of the call. It takes a twentieth of a second, to measure how fast the counter counts. */
void reboot_moment_now(struct reboot_moment *ret);

/** What is noted before the jump. */
struct reboot_note {
	struct reboot_moment command;
	char boot[KD_BOOT_ID_SIZE]; /* KD_BOOT_ID_PATH */
	char from[65];              /* uname -r */
};

/** Write the record. KD_ERR_OS, KD_ERR_STATE. */
struct kd_error *reboot_note_write(const struct kd_sysroot *root, const struct reboot_note *note) MUST_CHECK;

/** Read it. KD_ERR_NOT_FOUND: there is none; KD_ERR_FORMAT: it is damaged. Others as of kd_record_read(). */
struct kd_error *reboot_note_read(const struct kd_sysroot *root, struct reboot_note *ret) MUST_CHECK;

/** This boot, as systemd tells it: microseconds since the kernel's start; 0: unknown, or there was no such phase. */
struct reboot_arrival {
	struct reboot_moment now;
	uint64_t stopped;   /* the earlier boot's last entry in the journal, since that kernel's start */
	uint64_t initrd;    /* systemd started in the initramfs; 0 if that has no systemd */
	uint64_t userspace; /* systemd started in the root file system */
	uint64_t reached;   /* the unit that was asked for was up */
};

enum reboot_phase {
	REBOOT_PHASE_STOP,   /* from the command to the end of the journal */
	REBOOT_PHASE_JUMP,   /* to the kernel's start: unmounting, stopping the devices, and the jump or the firmware */
	REBOOT_PHASE_KERNEL, /* to systemd in the initramfs, or to that in the root file system */
	REBOOT_PHASE_INITRD, /* to systemd in the root file system */
	REBOOT_PHASE_USERSPACE, /* to the unit that was asked for */
	REBOOT_PHASE_TOTAL,
	REBOOT_PHASES,
};

struct reboot_times {
	uint64_t phase[REBOOT_PHASES]; /* microseconds */
	bool known[REBOOT_PHASES];
	bool by_counter; /* the counter has gone on: there was no firmware between */
};

/** Compute the phases. What is not known, or would be negative, is left out; then REBOOT_PHASE_JUMP has the stop in
 *  it. */
void reboot_times_make(const struct reboot_note *note, const struct reboot_arrival *arrival, struct reboot_times *ret);

#endif
