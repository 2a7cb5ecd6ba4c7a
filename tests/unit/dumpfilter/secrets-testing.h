/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Data in the machine of dumpfilter-testing.h that a dump of it should not have, and its types and symbols. */
#ifndef TESTS_UNIT_DUMPFILTER_SECRETS_TESTING_H
#define TESTS_UNIT_DUMPFILTER_SECRETS_TESTING_H

#include "tests/unit/dumpfilter/debuginfo-testing.h"

/* The machine's secrets. struct secret { char *name; void *addr; long size; char buffer[24]; struct list_head list;
 * struct secret *next; u8 *raw; int bits : 3; struct secret *more[2]; } of 128 bytes. */
#define SECRET_SIZE 128
#define NAME        0
#define ADDR        8
#define SIZE        16
#define BUFFER      24
#define LIST        48
#define NEXT        64
#define RAW         72
#define MORE        88

#define ONE      DATA_AT
#define TWO      (DATA_AT + 0x100)
#define THREE    (DATA_AT + 0x200)
#define POINTER  (DATA_AT + 0x300)
#define HEAD     (DATA_AT + 0x310)
#define STRING   (DATA_AT + 0x320)
#define BYTES    (DATA_AT + 0x400)
#define ARRAY    (DATA_AT + 0x500) /* two secrets */
#define UNTYPED  (DATA_AT + 0x700)
#define TABLE    (DATA_AT + 0x800)
#define ACROSS   (DATA_AT + 0xff8) /* the end of a page */
#define DANGLING (DATA_AT + 0x900)
#define HEAD_PTR (DATA_AT + 0x910)
#define CANARY   "CANARY-4711"

void machine_put_word(struct machine *machine, uint64_t vaddr, uint64_t value);
void machine_put_text(struct machine *machine, uint64_t vaddr, const char *text);

void machine_add_secret_types(struct machine *machine);
void machine_add_secrets(struct machine *machine);

#endif
