/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Threads with small stacks, for when memory is short. */
#ifndef DUMPFILTER_PAGES_THREADS_H
#define DUMPFILTER_PAGES_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** Size of each thread's stack: the default of 8 MiB would count where address space is limited. */
#define THREAD_STACK_BYTES (UINT64_C(256) << 10)

/** pthread_create() with such a stack. False: no thread was made, and another one has to do the work. */
bool thread_start(pthread_t *thread, void *(*work)(void *), void *arg);

#endif
