/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/age_format.h"
#include "base/io.h"

enum {
	/* "-> X25519 " share newline, wrapped key newline */
	STANZA_SIZE = sizeof("-> " AGE_X25519 " ") - 1 + AGE_TEXT_32 + 1 + AGE_TEXT_32 + 1,
	FOOTER_SIZE = sizeof(AGE_FOOTER " ") - 1 + AGE_TEXT_32 + 1,
};

struct kd_age_writer {
	int fd;
	const char *name;
	bool broken; /* a write has failed, or the last chunk is written: no number may be used again */
	uint64_t number;
	size_t used; /* of chunk */
	uint8_t key[AGE_KEY];
	uint8_t chunk[KD_AGE_CHUNK];
	uint8_t sealed[AGE_SEALED_CHUNK];
};

/* Unlike libsodium's, it tells of an error instead of ending the program. */
static struct kd_error *random_bytes(void *data, size_t size)
{
	uint8_t *at = data;

	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno != EINTR)
			return kd_error_os(errno, "the kernel has no random numbers");
		at += got > 0 ? got : 0;
		size -= got > 0 ? (size_t)got : 0;
	}
	return NULL;
}

/* Append the stanza for @recipient at @at. */
static struct kd_error *put_stanza(const struct kd_age_recipient *recipient, const uint8_t file_key[AGE_FILE_KEY],
				   char *at)
{
	/* The key is used only once. */
	static const uint8_t nonce[12] = { 0 };
	uint8_t secret[32], share[32], key[AGE_KEY], wrapped[AGE_WRAPPED];
	char share_text[AGE_TEXT_32 + 1], wrapped_text[AGE_TEXT_32 + 1];
	struct kd_error *err = random_bytes(secret, sizeof(secret));

	if (err)
		return err;
	age_public_key(secret, share);
	if (!age_wrap_key(secret, recipient->key, share, recipient->key, key))
		err = kd_error_create(KD_ERR_FORMAT, "a recipient is a point of small order");
	if (!err) {
		crypto_aead_chacha20poly1305_ietf_encrypt(wrapped, NULL, file_key, AGE_FILE_KEY, NULL, 0, NULL, nonce,
							  key);
		age_encode_32(share, share_text);
		age_encode_32(wrapped, wrapped_text);
		sprintf(at, "-> " AGE_X25519 " %s\n%s\n", share_text, wrapped_text);
	}
	kd_age_erase(secret, sizeof(secret));
	kd_age_erase(key, sizeof(key));
	return err;
}

/* @header has room for all of it, and for a NUL. */
static struct kd_error *make_header(const struct kd_age_recipient *recipient, size_t count,
				    const uint8_t file_key[AGE_FILE_KEY], char *header)
{
	char *at = stpcpy(header, KD_AGE_MAGIC), mac_text[AGE_TEXT_32 + 1];
	uint8_t mac[AGE_MAC];
	struct kd_error *err = NULL;

	for (size_t i = 0; i < count && !err; i++, at += STANZA_SIZE)
		err = put_stanza(&recipient[i], file_key, at);
	if (err)
		return err;
	at = stpcpy(at, AGE_FOOTER);
	age_header_mac(file_key, header, (size_t)(at - header), mac);
	age_encode_32(mac, mac_text);
	sprintf(at, " %s\n", mac_text);
	return NULL;
}

static size_t header_size(size_t count)
{
	return strlen(KD_AGE_MAGIC) + count * STANZA_SIZE + FOOTER_SIZE;
}

static struct kd_error *put(struct kd_age_writer *writer, const void *data, size_t size)
{
	if (kd_write_all(writer->fd, data, size) == 0)
		return NULL;
	writer->broken = true;
	return kd_error_os(errno, "cannot write %s", writer->name);
}

static struct kd_error *write_header(struct kd_age_writer *writer, const struct kd_age_recipient *recipient,
				     size_t count, const uint8_t file_key[AGE_FILE_KEY])
{
	_cleanup_free_ char *header = malloc(header_size(count) + 1);
	uint8_t nonce[AGE_NONCE];
	struct kd_error *err = header ? make_header(recipient, count, file_key, header) : kd_error_nomem();

	if (!err)
		err = random_bytes(nonce, sizeof(nonce));
	if (!err)
		err = put(writer, header, header_size(count));
	if (!err)
		err = put(writer, nonce, sizeof(nonce));
	if (!err)
		age_payload_key(file_key, nonce, writer->key);
	return err;
}

struct kd_error *kd_age_begin(int fd, const char *name, const struct kd_age_recipient *recipient, size_t count,
			      struct kd_age_writer **ret)
{
	_cleanup_(kd_age_writer_free) struct kd_age_writer *writer = malloc(sizeof(*writer));
	uint8_t file_key[AGE_FILE_KEY];
	struct kd_error *err;

	assert(count > 0 && count <= KD_AGE_RECIPIENTS_MAX);
	if (!writer)
		return kd_error_nomem();
	*writer = (struct kd_age_writer){ .fd = fd, .name = name };
	/* libsodium asks the kernel for random numbers as well, and would end the program if there were none. */
	err = random_bytes(file_key, sizeof(file_key));
	if (!err)
		err = age_init();
	if (!err)
		err = write_header(writer, recipient, count, file_key);
	kd_age_erase(file_key, sizeof(file_key));
	if (err)
		return err;
	*ret = take_ptr(writer);
	return NULL;
}

static struct kd_error *seal(struct kd_age_writer *writer, bool last)
{
	uint8_t nonce[12];

	age_chunk_nonce(writer->number++, last, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt(writer->sealed, NULL, writer->chunk, writer->used, NULL, 0, NULL,
						  nonce, writer->key);
	if (last)
		writer->broken = true;
	return put(writer, writer->sealed, writer->used + KD_AGE_TAG);
}

static struct kd_error *check_state(const struct kd_age_writer *writer)
{
	return writer->broken ? kd_error_create(KD_ERR_STATE, "nothing more can be written to %s", writer->name) : NULL;
}

struct kd_error *kd_age_write(struct kd_age_writer *writer, const void *data, size_t size)
{
	struct kd_error *err = check_state(writer);

	for (const uint8_t *at = data; size > 0 && !err;) {
		size_t piece;

		/* A full chunk waits for the next byte, because the last chunk must not be empty. */
		if (writer->used == KD_AGE_CHUNK) {
			err = seal(writer, false);
			writer->used = 0;
		}
		piece = KD_AGE_CHUNK - writer->used < size ? KD_AGE_CHUNK - writer->used : size;
		memcpy(writer->chunk + writer->used, at, piece);
		writer->used += piece;
		at += piece;
		size -= piece;
	}
	return err;
}

struct kd_error *kd_age_finish(struct kd_age_writer *writer)
{
	struct kd_error *err = check_state(writer);

	return err ? err : seal(writer, true);
}

void kd_age_writer_free(struct kd_age_writer *writer)
{
	if (!writer)
		return;
	kd_age_erase(writer, sizeof(*writer));
	free(writer);
}

uint64_t kd_age_size(uint64_t content, size_t count)
{
	uint64_t chunks = content ? (content + KD_AGE_CHUNK - 1) / KD_AGE_CHUNK : 1;

	return header_size(count) + AGE_NONCE + content + chunks * KD_AGE_TAG;
}
