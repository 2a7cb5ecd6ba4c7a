/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/threads.h"

bool thread_start(pthread_t *thread, void *(*work)(void *), void *arg)
{
	pthread_attr_t attr;
	bool started;

	if (pthread_attr_init(&attr) != 0)
		return false;
	started = pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES) == 0 &&
		  pthread_create(thread, &attr, work, arg) == 0;
	pthread_attr_destroy(&attr);
	return started;
}
