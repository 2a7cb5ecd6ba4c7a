/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The capture kernel's clock: milliseconds since its boot. Deadlines are values of this clock. */
#ifndef CAPTURE_CLOCK_H
#define CAPTURE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/** The earlier of @seconds from now and @limit. */
static inline int64_t clock_deadline(unsigned int seconds, int64_t limit)
{
	int64_t deadline = clock_ms() + seconds * INT64_C(1000);

	return deadline < limit ? deadline : limit;
}

/** The time left until @deadline as a timeout for poll(2): never negative, because poll would then wait forever. */
static inline int clock_timeout(int64_t deadline)
{
	int64_t left = deadline - clock_ms();

	if (left < 0)
		return 0;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

/** The time that it is, in seconds since the epoch, where this kernel's clock says @now, and @booted seconds ago it was
 *  booted by a kernel that crashed at @crash_time (0: unknown). The crashed kernel's clock was set by the network; the
 *  hardware clock, which this kernel has taken over, may hold local time or be wrong. */
static inline int64_t clock_since_crash(uint64_t crash_time, int64_t booted, int64_t now)
{
	enum { TOLERANCE = 60, FIRMWARE = 10 /* seconds, at most, from the crash to the boot of this kernel */ };
	int64_t then = (int64_t)(crash_time & INT64_MAX) + booted;

	if (!crash_time || crash_time > INT64_MAX / 2 || (now > then - TOLERANCE && now < then + TOLERANCE + FIRMWARE))
		return now;
	return then;
}

#endif
