/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Files that are encrypted to public keys, in the format age v1 (age-encryption.org/v1, C2SP age.md), which the
 *  programs age(1) and rage(1) read and write, too. Keys are X25519.
 *
 *      age-encryption.org/v1
 *      -> X25519 EPHEMERAL-SHARE          a stanza per recipient: the file key, wrapped for that recipient
 *      WRAPPED-FILE-KEY
 *      --- MAC                            of the header, by the file key
 *      nonce (16 bytes), then chunks of 64 KiB of the content, each with a tag of 16 bytes
 *
 *  A chunk is sealed under its number and a flag that says whether it is the last one. So a file that was cut off, one
 *  in which a bit has changed, and one whose chunks have changed their places are told apart from a whole one, and each
 *  chunk can be opened as soon as it is there. A file can only be written from its beginning to its end: two contents
 *  under one number of one file would tell both.
 *
 *  Secrets come from getrandom(2), and are erased from memory when they are not needed any more. */
#ifndef BASE_AGE_H
#define BASE_AGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define KD_AGE_SUFFIX         ".age"
#define KD_AGE_MAGIC          "age-encryption.org/v1\n" /* how a file begins */
#define KD_AGE_CHUNK          65536u                    /* bytes of content, of each chunk but the last */
#define KD_AGE_TAG            16u                       /* bytes that each chunk has more in the file */
#define KD_AGE_RECIPIENTS_MAX 64                        /* of one file that is written */

/* --- keys --------------------------------------------------------------------------------------------------------- */

/** A public key: "age1…". */
struct kd_age_recipient {
	uint8_t key[32];
};

/** Parse a recipient. The text must be exactly what age-keygen(1) prints: Bech32 in lower case with a right checksum. A
 *  point of small order is refused, because everybody could open what is encrypted to it. KD_ERR_FORMAT with the
 *  reason, without @text in it. */
struct kd_error *kd_age_recipient_parse(const char *text, struct kd_age_recipient *ret) MUST_CHECK;

/** A secret key: "AGE-SECRET-KEY-1…". Erase it with kd_age_identity_erase(). */
struct kd_age_identity {
	uint8_t secret[32];
	struct kd_age_recipient recipient;
};

/** Parse an identity. KD_ERR_FORMAT with the reason; no part of the key is in the text. */
struct kd_error *kd_age_identity_parse(const char *text, struct kd_age_identity *ret) MUST_CHECK;
void kd_age_identity_erase(struct kd_age_identity *identity);

/** Overwrite @data even where the compiler thinks that nobody reads it any more. */
void kd_age_erase(void *data, size_t size);

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct kd_age_writer;

/** Write the header of a new file to @fd, which is borrowed; @name is its name in errors, borrowed as well. Each of the
 *  @count recipients (1 to KD_AGE_RECIPIENTS_MAX) can open the file alone. It may wait until the kernel has random
 *  numbers. KD_ERR_OS, KD_ERR_NOMEM. */
struct kd_error *kd_age_begin(int fd, const char *name, const struct kd_age_recipient *recipient, size_t count,
			      struct kd_age_writer **ret) MUST_CHECK;

/** Append to the content. What does not fill a chunk waits for more. After an error nothing more can be written.
 *  KD_ERR_OS, KD_ERR_STATE (an earlier write failed). */
struct kd_error *kd_age_write(struct kd_age_writer *writer, const void *data, size_t size) MUST_CHECK;

/** Write the last chunk, which says that the content is complete. Nothing is synced. KD_ERR_OS, KD_ERR_STATE. */
struct kd_error *kd_age_finish(struct kd_age_writer *writer) MUST_CHECK;

/** Free @writer (NULL is allowed). Without kd_age_finish() before, the file is cut off at a whole chunk. */
void kd_age_writer_free(struct kd_age_writer *writer);
DEFINE_CLEANUP(struct kd_age_writer *, kd_age_writer_free)

/** Bytes that a file for @count recipients has, with @content bytes in it. */
uint64_t kd_age_size(uint64_t content, size_t count);

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct kd_age_reader;

/** Read the header from @fd, which is borrowed, and find the file key with one of the @count identities. @name is for
 *  errors, borrowed. The file may come from anybody. KD_ERR_FORMAT (not such a file; damaged), KD_ERR_NOT_FOUND (it is
 *  for none of the identities), KD_ERR_OS, KD_ERR_NOMEM. */
struct kd_error *kd_age_open(int fd, const char *name, const struct kd_age_identity *identity, size_t count,
			     struct kd_age_reader **ret) MUST_CHECK;

enum kd_age_state {
	KD_AGE_MORE, /* a chunk; others follow */
	KD_AGE_LAST, /* the last chunk, which may be empty: the content is complete */
	KD_AGE_CUT,  /* no chunk: the file ends before its last chunk, or what should be that one is damaged */
};

/** Read the next chunk: *data and *size, valid until the next call (NULL and 0 if there is none). Only content that is
 *  authentic is ever handed out. After KD_AGE_LAST, KD_AGE_CUT or an error do not call it again. KD_ERR_OS;
 *  KD_ERR_FORMAT (the chunk is damaged, or something follows the last one: the text says where in the file). */
struct kd_error *kd_age_read(struct kd_age_reader *reader, const uint8_t **data, size_t *size,
			     enum kd_age_state *state) MUST_CHECK;

/** Where in the file the next chunk begins. After KD_AGE_CUT this is the end of the last chunk that could be read. */
uint64_t kd_age_offset(const struct kd_age_reader *reader);

void kd_age_reader_free(struct kd_age_reader *reader); /* NULL is allowed */
DEFINE_CLEANUP(struct kd_age_reader *, kd_age_reader_free)

/** Where the chunks begin in a file, by its header, which need not be authentic: so the length of the content can be
 *  told without a key. @head: the first @size bytes of the file. False: it is no such file, or @size is too small. */
bool kd_age_payload_offset(const void *head, size_t size, uint64_t *ret);

/** Can a file that is whole have so many bytes behind its header? One that was cut off can, unless it ends within
 *  the 16 bytes behind a border of two chunks. */
bool kd_age_may_be_whole(uint64_t payload_size);

#endif
