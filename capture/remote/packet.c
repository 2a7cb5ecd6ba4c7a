/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/remote/packet.h"

#include <endian.h>
#include <string.h>

enum { LENGTH_SIZE = 4 };

void packet_begin(struct packet_writer *writer, enum packet_type type)
{
	uint8_t byte = (uint8_t)type;

	writer->size = LENGTH_SIZE;
	packet_put(writer, &byte, sizeof(byte));
}

void packet_end(struct packet_writer *writer, size_t more)
{
	uint32_t length = htobe32((uint32_t)(writer->size - LENGTH_SIZE + more));

	memcpy(writer->data, &length, sizeof(length));
}

void packet_put(struct packet_writer *writer, const void *data, size_t size)
{
	if (size > writer->room - writer->size)
		size = writer->room - writer->size;
	memcpy(writer->data + writer->size, data, size);
	writer->size += size;
}

void packet_put_u32(struct packet_writer *writer, uint32_t value)
{
	value = htobe32(value);
	packet_put(writer, &value, sizeof(value));
}

void packet_put_u64(struct packet_writer *writer, uint64_t value)
{
	value = htobe64(value);
	packet_put(writer, &value, sizeof(value));
}

void packet_put_bytes(struct packet_writer *writer, const void *data, size_t size)
{
	packet_put_u32(writer, (uint32_t)size);
	packet_put(writer, data, size);
}

void packet_put_text(struct packet_writer *writer, const char *text)
{
	packet_put_bytes(writer, text, strlen(text));
}

const unsigned char *packet_take(struct packet_reader *reader, size_t size)
{
	const unsigned char *place = reader->data + reader->cursor;

	if (size > reader->size - reader->cursor)
		return NULL;
	reader->cursor += size;
	return place;
}

bool packet_take_u8(struct packet_reader *reader, uint8_t *ret)
{
	const unsigned char *place = packet_take(reader, sizeof(*ret));

	if (place)
		*ret = *place;
	return place;
}

bool packet_take_u32(struct packet_reader *reader, uint32_t *ret)
{
	const unsigned char *place = packet_take(reader, sizeof(*ret));

	if (!place)
		return false;
	memcpy(ret, place, sizeof(*ret));
	*ret = be32toh(*ret);
	return true;
}

bool packet_take_u64(struct packet_reader *reader, uint64_t *ret)
{
	const unsigned char *place = packet_take(reader, sizeof(*ret));

	if (!place)
		return false;
	memcpy(ret, place, sizeof(*ret));
	*ret = be64toh(*ret);
	return true;
}

const unsigned char *packet_take_bytes(struct packet_reader *reader, uint32_t *size)
{
	return packet_take_u32(reader, size) ? packet_take(reader, *size) : NULL;
}
