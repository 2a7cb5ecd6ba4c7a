/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/kernel/dmesg.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

/* A record's text_len is 16 bits wide. */
#define TEXT_MAX 65536u
#define CHUNK    (64u << 10)

/* Descriptor ids count without end, in the 62 bits that the state leaves of a word. */
#define ID_MASK         ((UINT64_C(1) << 62) - 1)
#define STATE_SHIFT     62
#define STATE_COMMITTED 1u
#define STATE_FINALIZED 2u
/* A position with this bit set stands for a record without text. */
#define LPOS_DATALESS UINT64_C(1)
/* Records of kernels before 5.10 begin at multiples of this (LOG_ALIGN, at least). */
#define RECORD_ALIGN 4

/* An array in the crashed kernel, read in chunks; elements are asked for in about rising order. */
struct array {
	struct address_space *space;
	uint64_t vaddr;
	uint64_t size; /* of all, in bytes */
	uint64_t chunk_start, chunk_size;
	uint8_t *chunk;
};

/* An array that is larger than the dump's memory cannot be one: page tables that lead in circles can pretend any
 * size. */
static struct kd_error *array_init(struct array *array, struct address_space *space, uint64_t vaddr, uint64_t count,
				   uint64_t element_size)
{
	if (count > kd_ranges_total(vmcore_contents(space->vmcore)) / element_size)
		return kd_error_create(KD_ERR_FORMAT, "the log's %lu times %lu bytes are more than the dump has", count,
				       element_size);
	*array = (struct array){ .space = space, .vaddr = vaddr, .size = count * element_size };
	array->chunk = malloc(CHUNK);
	return array->chunk ? NULL : kd_error_nomem();
}

static struct kd_error *array_fill(struct array *array, uint64_t offset, uint64_t size)
{
	struct kd_error *err;

	array->chunk_size = 0;
	err = address_space_read(array->space, array->vaddr + offset, array->chunk, size);
	if (err)
		return err;
	array->chunk_start = offset;
	array->chunk_size = size;
	return NULL;
}

/* [offset, offset + size) of the array, size <= CHUNK; the caller keeps within the array. */
static struct kd_error *array_get(struct array *array, uint64_t offset, uint64_t size, const uint8_t **ret)
{
	if (offset < array->chunk_start || offset + size > array->chunk_start + array->chunk_size) {
		uint64_t chunk_size = array->size - offset < CHUNK ? array->size - offset : CHUNK;
		struct kd_error *err = array_fill(array, offset, chunk_size);

		/* A page that cannot be read takes nothing with it but what lies in it. */
		if (err) {
			kd_error_destroy(err);
			err = array_fill(array, offset, size);
		}
		if (err)
			return err;
	}
	*ret = array->chunk + (offset - array->chunk_start);
	return NULL;
}

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint16_t get_u16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

struct ringbuffer {
	unsigned int count_bits, text_bits;
	uint64_t head_id, tail_id;
	uint64_t text_left; /* all records together cannot have more than the ring */
	struct array descs, infos, text;
	/* Sizes of one descriptor and one info, and offsets of the fields used. */
	uint64_t desc_size, info_size;
	uint64_t state, begin, next;
	uint64_t ts_nsec, text_len;
	/* Records that are older are passed over; their number is at this offset of an info. */
	uint64_t first_seq, seq;
};

static void ringbuffer_release(struct ringbuffer *ring)
{
	free(ring->descs.chunk);
	free(ring->infos.chunk);
	free(ring->text.chunk);
}
static inline void ringbuffer_release_cleanup(struct ringbuffer *ring)
{
	ringbuffer_release(ring);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

/* A record that cannot be read, or makes no sense, is skipped: after memory was corrupted the rest of the log matters
 * most. */
struct damage {
	struct kd_error *first; /* why; owned */
	unsigned int gaps;      /* in what was written */
	uint64_t written;       /* records */
	bool in_gap;
};

static void damage_add(struct damage *damage, struct kd_error *err, FILE *out)
{
	if (damage->first)
		kd_error_destroy(err);
	else
		damage->first = err;
	if (damage->in_gap)
		return;
	damage->in_gap = true;
	damage->gaps++;
	fputs("-- the log is damaged here: records are missing --\n", out);
}

/* The end of the log: with nothing to show, the reason is the result. */
static struct kd_error *damage_finish(struct damage *damage, const struct kd_log *log)
{
	struct kd_error *err = take_ptr(damage->first);

	if (!err || !damage->written)
		return err;
	kd_warn(log, "the crashed kernel's log is damaged in %u places, where records are missing: %s", damage->gaps,
		err->text);
	kd_error_destroy(err);
	return NULL;
}

/* A key of VMCOREINFO that is needed, and where its value goes. */
struct key {
	const char *name;
	uint64_t *ret;
};

static struct kd_error *get_keys(const struct vmcoreinfo *info, const struct key *key, size_t count,
				 bool (*get)(const struct vmcoreinfo *info, const char *name, uint64_t *ret))
{
	for (size_t i = 0; i < count; i++)
		if (!get(info, key[i].name, key[i].ret))
			return kd_error_create(KD_ERR_FORMAT, "the kernel's log cannot be found (no %s in VMCOREINFO)",
					       key[i].name);
	return NULL;
}
#define GET_KEYS(info, keys, get) get_keys(info, keys, ARRAY_SIZE(keys), get)

/* Where the fields are that lead to the arrays, from the start of struct printk_ringbuffer. */
struct ring_layout {
	uint64_t prb;
	uint64_t desc_ring, text_ring;
	uint64_t count_bits, descs, infos, head_id, tail_id;
	uint64_t size_bits, data;
};

static struct kd_error *get_layout(const struct vmcoreinfo *info, struct ring_layout *layout, struct ringbuffer *ring)
{
	uint64_t counter, blk_begin, blk_next, text_lpos;
	const struct key symbols[] = { { "prb", &layout->prb } };
	const struct key sizes[] = { { "prb_desc", &ring->desc_size }, { "printk_info", &ring->info_size } };
	const struct key offsets[] = {
		{ "printk_ringbuffer.desc_ring", &layout->desc_ring },
		{ "printk_ringbuffer.text_data_ring", &layout->text_ring },
		{ "prb_desc_ring.count_bits", &layout->count_bits },
		{ "prb_desc_ring.descs", &layout->descs },
		{ "prb_desc_ring.infos", &layout->infos },
		{ "prb_desc_ring.head_id", &layout->head_id },
		{ "prb_desc_ring.tail_id", &layout->tail_id },
		{ "prb_data_ring.size_bits", &layout->size_bits },
		{ "prb_data_ring.data", &layout->data },
		{ "prb_desc.state_var", &ring->state },
		{ "prb_desc.text_blk_lpos", &text_lpos },
		{ "prb_data_blk_lpos.begin", &blk_begin },
		{ "prb_data_blk_lpos.next", &blk_next },
		{ "printk_info.ts_nsec", &ring->ts_nsec },
		{ "printk_info.text_len", &ring->text_len },
		{ "atomic_long_t.counter", &counter },
	};
	struct kd_error *err = GET_KEYS(info, symbols, vmcoreinfo_symbol);

	if (!err)
		err = GET_KEYS(info, sizes, vmcoreinfo_size);
	if (!err)
		err = GET_KEYS(info, offsets, vmcoreinfo_offset);
	if (err)
		return err;
	ring->state += counter;
	layout->head_id += counter;
	layout->tail_id += counter;
	ring->begin = text_lpos + blk_begin;
	ring->next = text_lpos + blk_next;
	if (ring->desc_size > CHUNK || ring->info_size > CHUNK || ring->state > ring->desc_size - 8 ||
	    ring->begin > ring->desc_size - 8 || ring->next > ring->desc_size - 8 ||
	    ring->ts_nsec > ring->info_size - 8 || ring->text_len > ring->info_size - 2 || ring->desc_size < 8 ||
	    ring->info_size < 8)
		return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO describes an impossible log");
	return NULL;
}

static struct kd_error *ringbuffer_open(struct ringbuffer *ring, struct address_space *space)
{
	struct ring_layout layout;
	uint64_t rb, desc_ring, text_ring, descs, infos, text;
	uint32_t count_bits, text_bits;
	struct kd_error *err = get_layout(space->info, &layout, ring);

	if (!err)
		err = address_space_read_u64(space, layout.prb, &rb);
	if (err)
		return err;
	desc_ring = rb + layout.desc_ring;
	text_ring = rb + layout.text_ring;
	if ((err = address_space_read_u32(space, desc_ring + layout.count_bits, &count_bits)) ||
	    (err = address_space_read_u64(space, desc_ring + layout.descs, &descs)) ||
	    (err = address_space_read_u64(space, desc_ring + layout.infos, &infos)) ||
	    (err = address_space_read_u64(space, desc_ring + layout.head_id, &ring->head_id)) ||
	    (err = address_space_read_u64(space, desc_ring + layout.tail_id, &ring->tail_id)) ||
	    (err = address_space_read_u32(space, text_ring + layout.size_bits, &text_bits)) ||
	    (err = address_space_read_u64(space, text_ring + layout.data, &text)))
		return err;
	if (count_bits == 0 || count_bits > 31 || text_bits < 4 || text_bits > 31)
		return kd_error_create(KD_ERR_FORMAT,
				       "VMCOREINFO describes an impossible log: 2^%u records in 2^%u bytes", count_bits,
				       text_bits);
	ring->count_bits = count_bits;
	ring->text_bits = text_bits;
	ring->text_left = UINT64_C(1) << text_bits;
	ring->head_id &= ID_MASK;
	ring->tail_id &= ID_MASK;
	if ((err = array_init(&ring->descs, space, descs, UINT64_C(1) << count_bits, ring->desc_size)) ||
	    (err = array_init(&ring->infos, space, infos, UINT64_C(1) << count_bits, ring->info_size)) ||
	    (err = array_init(&ring->text, space, text, UINT64_C(1) << text_bits, 1)))
		return err;
	return NULL;
}

/* The text of the record whose block is [begin, next): behind its id, which tells that the block is still this
 * record's. A block that would cross the end of the ring is at its start instead. */
static struct kd_error *get_text(struct ringbuffer *ring, uint64_t id, uint64_t begin, uint64_t next, uint64_t *length,
				 const uint8_t **ret)
{
	uint64_t ring_size = UINT64_C(1) << ring->text_bits;
	uint64_t offset = begin & (ring_size - 1), size = next - begin;
	const uint8_t *block;
	struct kd_error *err;

	if (begin >> ring->text_bits != (next - 1) >> ring->text_bits) {
		offset = 0;
		size = next & (ring_size - 1);
	}
	if ((begin & LPOS_DATALESS) || size <= 8 || size > ring_size - offset) {
		*length = 0;
		return NULL;
	}
	if (*length > size - 8)
		*length = size - 8;
	if (*length > CHUNK - 8)
		*length = CHUNK - 8;
	err = array_get(&ring->text, offset, *length + 8, &block);
	if (err)
		return err;
	if ((get_u64(block) & ID_MASK) != id)
		*length = 0;
	/* Blocks that overlap could otherwise make any amount of text of a small ring. */
	if (*length > ring->text_left)
		return kd_error_create(KD_ERR_FORMAT, "the log's records have more text than its %lu bytes", ring_size);
	ring->text_left -= *length;
	*ret = block + 8;
	return NULL;
}

static void write_record(FILE *out, uint64_t ts_nsec, const uint8_t *text, uint64_t length)
{
	int indent = fprintf(out, "[%5" PRIu64 ".%06" PRIu64 "] ", ts_nsec / 1000000000, ts_nsec % 1000000000 / 1000);

	for (uint64_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			fprintf(out, "\n%*s", indent, "");
		else if (isascii(text[i]) && (isprint(text[i]) || isspace(text[i])))
			putc(text[i], out);
		else
			fprintf(out, "\\x%02x", text[i]);
	}
	putc('\n', out);
}

static bool is_written(uint64_t state)
{
	return state >> STATE_SHIFT == STATE_COMMITTED || state >> STATE_SHIFT == STATE_FINALIZED;
}

/* The state of the descriptor at @index, which holds its id. */
static struct kd_error *get_state(struct ringbuffer *ring, uint64_t index, uint64_t *ret)
{
	const uint8_t *desc;
	struct kd_error *err = array_get(&ring->descs, index * ring->desc_size, ring->desc_size, &desc);

	if (!err)
		*ret = get_u64(desc + ring->state);
	return err;
}

/* *found: does the slot hold this record, and is there one? */
static struct kd_error *write_descriptor(struct ringbuffer *ring, uint64_t id, FILE *out, bool *found)
{
	uint64_t index = id & ((UINT64_C(1) << ring->count_bits) - 1);
	uint64_t state, begin, next, length, ts_nsec;
	const uint8_t *desc, *info, *text = NULL;
	struct kd_error *err = array_get(&ring->descs, index * ring->desc_size, ring->desc_size, &desc);

	*found = false;
	if (err)
		return err;
	state = get_u64(desc + ring->state);
	begin = get_u64(desc + ring->begin);
	next = get_u64(desc + ring->next);
	if ((state & ID_MASK) != id || !is_written(state))
		return NULL;
	*found = true;
	err = array_get(&ring->infos, index * ring->info_size, ring->info_size, &info);
	if (err)
		return err;
	if (ring->first_seq && get_u64(info + ring->seq) < ring->first_seq)
		return NULL;
	ts_nsec = get_u64(info + ring->ts_nsec);
	length = get_u16(info + ring->text_len);
	err = get_text(ring, id, begin, next, &length, &text);
	if (!err)
		write_record(out, ts_nsec, text, length);
	return err;
}

/* The number of the first record since the log was cleared. Kept twice since 5.12 ("printk: use seqcount_latch for
 * clear_seq"): the half that is not being written counts, which the lowest bit of a counter in front of them tells. */
static struct kd_error *find_cleared(struct ringbuffer *ring, struct address_space *space)
{
	uint64_t clear_seq, size, val = 0;
	const struct key symbols[] = { { "clear_seq", &clear_seq } };
	const struct key offsets[] = { { "printk_info.seq", &ring->seq } };
	struct kd_error *err = GET_KEYS(space->info, symbols, vmcoreinfo_symbol);
	uint32_t counter = 0;

	if (!err)
		err = GET_KEYS(space->info, offsets, vmcoreinfo_offset);
	if (err)
		return err;
	if (ring->seq > ring->info_size - 8)
		return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO describes an impossible log");
	if (vmcoreinfo_size(space->info, "latched_seq", &size) &&
	    vmcoreinfo_offset(space->info, "latched_seq.val", &val))
		err = address_space_read_u32(space, clear_seq, &counter);
	return err ? err : address_space_read_u64(space, clear_seq + val + (counter & 1) * 8, &ring->first_seq);
}

static void write_one(struct ringbuffer *ring, uint64_t id, struct damage *damage, FILE *out)
{
	bool found;
	struct kd_error *err = write_descriptor(ring, id, out, &found);

	if (err)
		return damage_add(damage, err, out);
	damage->written += found;
	damage->in_gap = damage->in_gap && !found;
}

static int by_id(const void *a, const void *b)
{
	const uint64_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

/* The ids of oldest and newest record lead nowhere: take every slot that holds a record, by their ids. */
static struct kd_error *write_by_slots(struct ringbuffer *ring, struct damage *damage, FILE *out)
{
	uint64_t slots = UINT64_C(1) << ring->count_bits, count = 0, state = 0;
	_cleanup_free_ uint64_t *id = malloc(slots * sizeof(*id));

	if (!id)
		return kd_error_nomem();
	for (uint64_t index = 0; index < slots; index++) {
		if (!kd_error_discard(get_state(ring, index, &state)) && is_written(state) &&
		    (state & (slots - 1)) == index)
			id[count++] = (state + slots) & ID_MASK; /* in order across the wrap of ids, too */
	}
	qsort(id, count, sizeof(*id), by_id);
	if (count)
		damage_add(damage, kd_error_create(KD_ERR_FORMAT, "its first record %lu is not there", ring->tail_id),
			   out);
	for (uint64_t i = 0; i < count; i++)
		write_one(ring, (id[i] - slots) & ID_MASK, damage, out);
	return NULL;
}

static struct kd_error *write_ringbuffer(struct address_space *space, bool since_clear, struct damage *damage,
					 FILE *out)
{
	_cleanup_(ringbuffer_release) struct ringbuffer ring = { 0 };
	struct kd_error *err = ringbuffer_open(&ring, space);
	uint64_t id, left;

	if (!err && since_clear)
		err = find_cleared(&ring, space);
	if (err)
		return err;
	id = ring.tail_id;
	for (left = UINT64_C(1) << ring.count_bits; left > 0; left--) {
		write_one(&ring, id, damage, out);
		if (id == ring.head_id)
			break;
		id = (id + 1) & ID_MASK;
	}
	return damage->written || damage->first ? NULL : write_by_slots(&ring, damage, out);
}

/* --- kernels before 5.10 ------------------------------------------------------------------------------------------ */

/* One buffer of records, each with its text behind it (struct printk_log). One of length 0 stands at the end, where
 * the next did not fit any more and was put to the start. */
struct record_buffer {
	struct array bytes;
	uint32_t size, first, next;
	uint64_t header_size;
	uint64_t ts_nsec, length, text_length; /* offsets */
};

static void record_buffer_release(struct record_buffer *buffer)
{
	free(buffer->bytes.chunk);
}
static inline void record_buffer_release_cleanup(struct record_buffer *buffer)
{
	record_buffer_release(buffer);
}

static struct kd_error *record_buffer_open(struct record_buffer *buffer, struct address_space *space)
{
	uint64_t log_buf, log_buf_len, first, next, bytes;
	const struct key symbols[] = {
		{ "log_buf", &log_buf },
		{ "log_buf_len", &log_buf_len },
		{ "log_first_idx", &first },
		{ "log_next_idx", &next },
	};
	const struct key sizes[] = { { "printk_log", &buffer->header_size } };
	const struct key offsets[] = {
		{ "printk_log.ts_nsec", &buffer->ts_nsec },
		{ "printk_log.len", &buffer->length },
		{ "printk_log.text_len", &buffer->text_length },
	};
	struct kd_error *err = GET_KEYS(space->info, symbols, vmcoreinfo_symbol);

	if (!err)
		err = GET_KEYS(space->info, sizes, vmcoreinfo_size);
	if (!err)
		err = GET_KEYS(space->info, offsets, vmcoreinfo_offset);
	if (err)
		return err;
	if (buffer->header_size < 8 || buffer->header_size > CHUNK || buffer->ts_nsec > buffer->header_size - 8 ||
	    buffer->length > buffer->header_size - 2 || buffer->text_length > buffer->header_size - 2)
		return kd_error_create(KD_ERR_FORMAT, "VMCOREINFO describes an impossible log");
	if ((err = address_space_read_u64(space, log_buf, &bytes)) ||
	    (err = address_space_read_u32(space, log_buf_len, &buffer->size)) ||
	    (err = address_space_read_u32(space, first, &buffer->first)) ||
	    (err = address_space_read_u32(space, next, &buffer->next)))
		return err;
	return array_init(&buffer->bytes, space, bytes, buffer->size, 1);
}

struct record {
	uint64_t ts_nsec;
	uint64_t length; /* of all of it; 0: the mark at the buffer's end */
	uint64_t text_length;
};

/* The record at @index of what ends at @end. KD_ERR_FORMAT: there can be none. */
static struct kd_error *get_record(struct record_buffer *buffer, uint32_t index, uint32_t end, struct record *ret)
{
	const uint8_t *header;
	struct kd_error *err;

	if (index > end || end - index < buffer->header_size)
		return kd_error_create(KD_ERR_FORMAT, "a record at %u of %u bytes", index, end);
	err = array_get(&buffer->bytes, index, buffer->header_size, &header);
	if (err)
		return err;
	*ret = (struct record){ get_u64(header + buffer->ts_nsec), get_u16(header + buffer->length),
				get_u16(header + buffer->text_length) };
	if (ret->length && (ret->length < buffer->header_size || ret->length > end - index ||
			    ret->text_length > ret->length - buffer->header_size))
		return kd_error_create(KD_ERR_FORMAT, "the record at %u has %lu bytes, %lu of them text", index,
				       ret->length, ret->text_length);
	return NULL;
}

/* Does a record begin at @index that is followed by another one, or by the end? */
static bool begins_record(struct record_buffer *buffer, uint32_t index, uint32_t end)
{
	struct record record, next;

	if (kd_error_discard(get_record(buffer, index, end, &record)) || !record.length)
		return false;
	index += (uint32_t)record.length;
	return index == end || !kd_error_discard(get_record(buffer, index, end, &next));
}

/* Behind a damaged record: where does the next one begin? @end if none does. */
static uint32_t find_record(struct record_buffer *buffer, uint32_t index, uint32_t end)
{
	do {
		index += RECORD_ALIGN;
	} while (index < end && !begins_record(buffer, index, end));
	return index < end ? index : end;
}

static struct kd_error *write_record_at(struct record_buffer *buffer, uint32_t index, const struct record *record,
					FILE *out)
{
	const uint8_t *text;
	struct kd_error *err = array_get(&buffer->bytes, index + buffer->header_size, record->text_length, &text);

	if (!err)
		write_record(out, record->ts_nsec, text, record->text_length);
	return err;
}

/* The records of [index, end); true if a mark has ended them before. */
static bool write_part(struct record_buffer *buffer, uint32_t index, uint32_t end, bool may_end, struct damage *damage,
		       FILE *out)
{
	while (index < end) {
		struct record record;
		struct kd_error *err = get_record(buffer, index, end, &record);

		if (!err && !record.length && may_end && index)
			return true;
		if (!err && !record.length)
			err = kd_error_create(KD_ERR_FORMAT, "the record at %u is the mark of the end", index);
		if (!err) {
			err = write_record_at(buffer, index, &record, out);
			index += (uint32_t)record.length;
		} else {
			index = find_record(buffer, index, end);
		}
		if (err) {
			damage_add(damage, err, out);
			continue;
		}
		damage->written++;
		damage->in_gap = false;
	}
	return false;
}

static struct kd_error *write_records(struct address_space *space, struct damage *damage, FILE *out)
{
	_cleanup_(record_buffer_release) struct record_buffer buffer = { 0 };
	struct kd_error *err = record_buffer_open(&buffer, space);

	if (err)
		return err;
	if (buffer.first >= buffer.size || buffer.next > buffer.size) {
		damage_add(damage,
			   kd_error_create(KD_ERR_FORMAT, "its records are at %u to %u of %u bytes", buffer.first,
					   buffer.next, buffer.size),
			   out);
		write_part(&buffer, 0, buffer.size, false, damage, out);
	} else if (buffer.first > buffer.next) {
		write_part(&buffer, buffer.first, buffer.size, true, damage, out);
		write_part(&buffer, 0, buffer.next, true, damage, out);
	} else if (write_part(&buffer, buffer.first, buffer.next, true, damage, out)) {
		/* Behind the mark nothing follows, so the newest ones must be at the start. */
		damage_add(damage, kd_error_create(KD_ERR_FORMAT, "its last record at %u is not there", buffer.next),
			   out);
		write_part(&buffer, 0, buffer.first, true, damage, out);
	}
	return NULL;
}

/* Has it the records of kernels before 5.10? */
static bool has_records(const struct vmcoreinfo *info)
{
	uint64_t symbol;

	return !vmcoreinfo_symbol(info, "prb", &symbol) && vmcoreinfo_symbol(info, "log_first_idx", &symbol);
}

struct kd_error *dmesg_write(struct address_space *space, bool since_clear, FILE *out)
{
	bool records = has_records(space->info);
	struct damage damage = { 0 };
	struct kd_error *err;

	if (records && since_clear)
		return kd_error_create(KD_ERR_UNSUPPORTED, "the kernel's log: kernels before 5.10 do not say what "
							   "came after it was cleared");
	err = records ? write_records(space, &damage, out) : write_ringbuffer(space, since_clear, &damage, out);
	if (!err)
		err = damage_finish(&damage, space->log);
	kd_error_destroy(damage.first);
	if (err)
		return kd_error_wrap(err, "the kernel's log");
	if (fflush(out) != 0 || ferror(out))
		return kd_error_os(errno, "writing the kernel's log");
	return NULL;
}

static void find_array(const struct array *array, struct kd_ranges *frames)
{
	address_space_find_frames(array->space, array->vaddr, array->size, frames);
}

static struct kd_error *find_ringbuffer(struct address_space *space, struct kd_ranges *frames)
{
	_cleanup_(ringbuffer_release) struct ringbuffer ring = { 0 };
	struct kd_error *err = ringbuffer_open(&ring, space);

	if (err)
		return err;
	find_array(&ring.descs, frames);
	find_array(&ring.infos, frames);
	find_array(&ring.text, frames);
	return NULL;
}

static struct kd_error *find_records(struct address_space *space, struct kd_ranges *frames)
{
	_cleanup_(record_buffer_release) struct record_buffer buffer = { 0 };
	struct kd_error *err = record_buffer_open(&buffer, space);

	if (!err)
		find_array(&buffer.bytes, frames);
	return err;
}

void dmesg_find_frames(struct address_space *space, struct kd_ranges *frames)
{
	_cleanup_(kd_error_destroy) struct kd_error *err = has_records(space->info) ? find_records(space, frames) :
										      find_ringbuffer(space, frames);

	if (err)
		kd_debug(space->log, "the kernel's log: %s", err->text);
}
