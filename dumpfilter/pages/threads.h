/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Threads that count little where memory is short. */
#ifndef DUMPFILTER_PAGES_THREADS_H
#define DUMPFILTER_PAGES_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** Of each one's stack: otherwise it would count with 8 MiB where address space is limited. */
#define THREAD_STACK_BYTES (UINT64_C(256) << 10)

/** pthread_create() with such a stack. False: there is none, and somebody else has to do the work. */
bool thread_start(pthread_t *thread, void *(*work)(void *), void *arg);

#endif
