/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/age_format.h"
#include "base/io.h"

/* age has no limit. A file for a thousand recipients has a header of 100 KiB. */
#define HEADER_MAX (256u << 10)

struct kd_age_reader {
	int fd;
	const char *name;
	uint64_t number, offset; /* of the next chunk; of it in the file */
	uint8_t key[AGE_KEY];
	/* What was read and not used yet: behind the header at first, then at most one byte, which shows that the chunk
	 * before it is not the last one. */
	size_t used;
	uint8_t *buf; /* HEADER_MAX at first */
	uint8_t chunk[KD_AGE_CHUNK];
};

/* --- the header --------------------------------------------------------------------------------------------------- */

/* A part of the header. It is not a string. */
struct cursor {
	const char *at, *end;
};

/* Cut off the next line, without its newline. False: it has no end. */
static bool next_line(struct cursor *cursor, struct cursor *line)
{
	const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));

	if (!newline)
		return false;
	*line = (struct cursor){ cursor->at, newline };
	cursor->at = newline + 1;
	return true;
}

static bool take(struct cursor *line, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(line->end - line->at) < length || memcmp(line->at, text, length) != 0)
		return false;
	line->at += length;
	return true;
}

static size_t rest(const struct cursor *line)
{
	return (size_t)(line->end - line->at);
}

/* The arguments of a stanza: one or more words of visible characters, with a blank between them. */
static bool are_words(struct cursor line)
{
	char before = ' ';

	for (; line.at < line.end; before = *line.at++)
		if (*line.at < ' ' || *line.at > '~' || (*line.at == ' ' && before == ' '))
			return false;
	return before != ' ';
}

static bool is_base64(struct cursor line)
{
	for (; line.at < line.end; line.at++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", *line.at) || !*line.at)
			return false;
	return true;
}

struct stanza {
	struct cursor words;
	struct cursor body; /* the first line */
	bool one_line;      /* the body has no other */
};

/* A body is lines of 64 characters, and a shorter one, which may be empty. */
static bool read_body(struct cursor *cursor, struct stanza *ret)
{
	struct cursor line;
	bool first = true;

	do {
		if (!next_line(cursor, &line) || rest(&line) > AGE_COLUMNS || !is_base64(line))
			return false;
		if (first)
			ret->body = line;
		ret->one_line = first;
		first = false;
	} while (rest(&line) == AGE_COLUMNS);
	return true;
}

enum line_kind { LINE_STANZA, LINE_FOOTER, LINE_BAD };

/* *words: behind "-> " or "--- ". */
static enum line_kind read_line(struct cursor *cursor, struct cursor *words)
{
	if (!next_line(cursor, words))
		return LINE_BAD;
	if (take(words, AGE_FOOTER " "))
		return rest(words) == AGE_TEXT_32 ? LINE_FOOTER : LINE_BAD;
	return take(words, "-> ") && are_words(*words) ? LINE_STANZA : LINE_BAD;
}

struct header {
	const char *start, *mac, *end;
	struct cursor stanzas;
};

static bool parse_header(const char *data, size_t size, struct header *ret)
{
	struct cursor cursor = { data, data + size }, words;
	struct stanza stanza;
	enum line_kind kind;

	if (!take(&cursor, KD_AGE_MAGIC))
		return false;
	*ret = (struct header){ .start = data, .stanzas = { .at = cursor.at } };
	while ((kind = read_line(&cursor, &words)) == LINE_STANZA)
		if (!read_body(&cursor, &stanza))
			return false;
	if (kind != LINE_FOOTER)
		return false;
	ret->mac = words.at;
	ret->end = cursor.at;
	ret->stanzas.end = words.at - strlen(AGE_FOOTER " ");
	return ret->stanzas.end > ret->stanzas.at;
}

bool kd_age_payload_offset(const void *head, size_t size, uint64_t *ret)
{
	struct header header;

	if (!parse_header(head, size, &header))
		return false;
	*ret = (uint64_t)(header.end - header.start) + AGE_NONCE;
	return true;
}

bool kd_age_may_be_whole(uint64_t payload_size)
{
	uint64_t left = payload_size % AGE_SEALED_CHUNK;

	return payload_size == KD_AGE_TAG || (payload_size > 0 && (left == 0 || left > KD_AGE_TAG));
}

/* --- the file key ------------------------------------------------------------------------------------------------- */

enum unwrapping { UNWRAPPED, FOR_OTHERS, DAMAGED };

/* Stanzas of other types are for other programs; one of this type has to be right. */
static enum unwrapping unwrap(const struct stanza *stanza, const struct kd_age_identity *identity,
			      uint8_t file_key[AGE_FILE_KEY])
{
	static const uint8_t nonce[12] = { 0 };
	struct cursor words = stanza->words;
	uint8_t share[32], wrapped[AGE_WRAPPED], key[AGE_KEY];
	bool opened;

	if (!take(&words, AGE_X25519) || (rest(&words) && *words.at != ' '))
		return FOR_OTHERS;
	if (!take(&words, " ") || rest(&words) != AGE_TEXT_32 || !age_decode_32(words.at, share) || !stanza->one_line ||
	    rest(&stanza->body) != AGE_TEXT_32 || !age_decode_32(stanza->body.at, wrapped) ||
	    !age_wrap_key(identity->secret, share, share, identity->recipient.key, key))
		return DAMAGED;
	opened = crypto_aead_chacha20poly1305_ietf_decrypt(file_key, NULL, NULL, wrapped, sizeof(wrapped), NULL, 0,
							   nonce, key) == 0;
	kd_age_erase(key, sizeof(key));
	return opened ? UNWRAPPED : FOR_OTHERS;
}

static enum unwrapping find_file_key(const struct header *header, const struct kd_age_identity *identity, size_t count,
				     uint8_t file_key[AGE_FILE_KEY])
{
	struct cursor cursor = header->stanzas;

	while (cursor.at < cursor.end) {
		struct stanza stanza;

		if (read_line(&cursor, &stanza.words) != LINE_STANZA || !read_body(&cursor, &stanza))
			return DAMAGED;
		for (size_t i = 0; i < count; i++) {
			enum unwrapping result = unwrap(&stanza, &identity[i], file_key);

			if (result != FOR_OTHERS)
				return result;
		}
	}
	return FOR_OTHERS;
}

static bool mac_fits(const struct header *header, const uint8_t file_key[AGE_FILE_KEY])
{
	uint8_t expected[AGE_MAC], mac[AGE_MAC];

	age_header_mac(file_key, header->start, (size_t)(header->mac - 1 - header->start), expected);
	return age_decode_32(header->mac, mac) && sodium_memcmp(mac, expected, sizeof(mac)) == 0;
}

static struct kd_error *damaged_header(const char *name)
{
	return kd_error_create(KD_ERR_FORMAT, "%s is damaged: its header is not what was written", name);
}

static struct kd_error *get_file_key(const struct kd_age_reader *reader, const struct header *header,
				     const struct kd_age_identity *identity, size_t count,
				     uint8_t file_key[AGE_FILE_KEY])
{
	switch (find_file_key(header, identity, count, file_key)) {
	case UNWRAPPED:
		return mac_fits(header, file_key) ? NULL : damaged_header(reader->name);
	case FOR_OTHERS:
		return kd_error_create(KD_ERR_NOT_FOUND, "%s is not encrypted to any of the keys given", reader->name);
	case DAMAGED:
		break;
	}
	return damaged_header(reader->name);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static struct kd_error *fill(struct kd_age_reader *reader, size_t size)
{
	ssize_t got = kd_read_all(reader->fd, reader->buf + reader->used, size - reader->used);

	if (got < 0)
		return kd_error_os(errno, "cannot read %s", reader->name);
	reader->used += (size_t)got;
	return NULL;
}

static void drop(struct kd_age_reader *reader, size_t size)
{
	reader->used -= size;
	memmove(reader->buf, reader->buf + size, reader->used);
}

static struct kd_error *read_header(struct kd_age_reader *reader, const struct kd_age_identity *identity, size_t count)
{
	struct header header;
	uint8_t file_key[AGE_FILE_KEY] = { 0 };
	struct kd_error *err = fill(reader, HEADER_MAX);
	size_t size;

	if (err)
		return err;
	if (reader->used < strlen(KD_AGE_MAGIC) || memcmp(reader->buf, KD_AGE_MAGIC, strlen(KD_AGE_MAGIC)) != 0)
		return kd_error_create(KD_ERR_FORMAT, "%s is not encrypted in the format age v1", reader->name);
	if (!parse_header((const char *)reader->buf, reader->used, &header))
		return kd_error_create(KD_ERR_FORMAT, "%s is damaged or was cut off: its header is not one of age v1",
				       reader->name);
	size = (size_t)(header.end - header.start);
	err = get_file_key(reader, &header, identity, count, file_key);
	if (!err && reader->used - size < AGE_NONCE)
		err = kd_error_create(KD_ERR_FORMAT, "%s was cut off behind its header", reader->name);
	if (!err)
		age_payload_key(file_key, reader->buf + size, reader->key);
	kd_age_erase(file_key, sizeof(file_key));
	if (err)
		return err;
	reader->offset = size + AGE_NONCE;
	drop(reader, size + AGE_NONCE);
	return NULL;
}

struct kd_error *kd_age_open(int fd, const char *name, const struct kd_age_identity *identity, size_t count,
			     struct kd_age_reader **ret)
{
	_cleanup_(kd_age_reader_free) struct kd_age_reader *reader = calloc(1, sizeof(*reader));
	struct kd_error *err = age_init();

	if (err)
		return err;
	if (!reader || !(reader->buf = malloc(HEADER_MAX)))
		return kd_error_nomem();
	reader->fd = fd;
	reader->name = name;
	err = read_header(reader, identity, count);
	if (err)
		return err;
	*ret = take_ptr(reader);
	return NULL;
}

static bool open_chunk(struct kd_age_reader *reader, size_t sealed_size, bool last)
{
	uint8_t nonce[12];

	age_chunk_nonce(reader->number, last, nonce);
	return crypto_aead_chacha20poly1305_ietf_decrypt(reader->chunk, NULL, NULL, reader->buf, sealed_size, NULL, 0,
							 nonce, reader->key) == 0;
}

static struct kd_error *damaged_chunk(const struct kd_age_reader *reader)
{
	return kd_error_create(KD_ERR_FORMAT,
			       "%s is damaged: chunk %" PRIu64 ", at offset 0x%" PRIx64 " of the file, is not what was "
			       "written",
			       reader->name, reader->number, reader->offset);
}

struct kd_error *kd_age_read(struct kd_age_reader *reader, const uint8_t **data, size_t *size, enum kd_age_state *state)
{
	struct kd_error *err = reader->used > AGE_SEALED_CHUNK ? NULL : fill(reader, AGE_SEALED_CHUNK + 1);
	size_t sealed = reader->used < AGE_SEALED_CHUNK ? reader->used : AGE_SEALED_CHUNK;
	bool at_end = reader->used <= AGE_SEALED_CHUNK, last = false;

	if (err)
		return err;
	*data = NULL;
	*size = 0;
	*state = KD_AGE_CUT;
	/* Only the end of the file can hold the last chunk, or a part of one. A whole chunk may be the last one or not;
	 * a shorter one that cannot be opened as the last one is a part of a chunk, or damaged: nobody can tell. */
	if (at_end && sealed >= KD_AGE_TAG)
		last = open_chunk(reader, sealed, true);
	if (!last && sealed < AGE_SEALED_CHUNK)
		return NULL;
	if (!last && !open_chunk(reader, sealed, false))
		return !at_end && open_chunk(reader, sealed, true) ?
			       kd_error_create(KD_ERR_FORMAT, "%s is damaged: something follows its last chunk",
					       reader->name) :
			       damaged_chunk(reader);
	if (last && sealed == KD_AGE_TAG && reader->number > 0)
		return damaged_chunk(reader);
	*state = last ? KD_AGE_LAST : KD_AGE_MORE;
	*data = reader->chunk;
	*size = sealed - KD_AGE_TAG;
	reader->number++;
	reader->offset += sealed;
	drop(reader, sealed);
	return NULL;
}

uint64_t kd_age_offset(const struct kd_age_reader *reader)
{
	return reader->offset;
}

void kd_age_reader_free(struct kd_age_reader *reader)
{
	if (!reader)
		return;
	if (reader->buf)
		kd_age_erase(reader->buf, HEADER_MAX);
	free(reader->buf);
	kd_age_erase(reader, sizeof(*reader));
	free(reader);
}
