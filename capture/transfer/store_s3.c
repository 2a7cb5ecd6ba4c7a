/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An object is made of parts, which may be sent in any order: those with pages first, as they come, and the
 * beginning of the file last, with its header and tables, which are written again until the end. So the beginning
 * stays in memory, up to FRONT_MAX; the tables of a dump of very many pages are larger, and it becomes a flattened
 * stream instead.
 *
 * Memory: the beginning (5 to 16 MiB), and two parts at most. A part has 5 MiB, the least that S3 takes; after each
 * 1250 the next ones are twice as large, so that the 10,000 that S3 takes hold 1.5 TiB, and the first 6 GiB need no
 * more than 5 MiB at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "capture/transfer/flat.h"
#include "capture/transfer/store.h"

enum {
	PART_MIN = 5 << 20,
	FRONT_MAX = 16 << 20,
	PARTS_MAX = 10000,
	PARTS_OF_A_SIZE = 1250,
	UPLOAD_ID_MAX = 1024,
};

struct part {
	unsigned int number;
	char etag[128];
};

/* A part that is being filled. */
struct window {
	unsigned char *data; /* NULL: nothing has been written to it */
	uint64_t start;      /* in the file */
	size_t size, filled;
};

struct s3_upload {
	struct upload upload;
	struct http *http;
	char *path, *encoded; /* of the object */
	char *id;             /* of the multipart upload, encoded; NULL: it has not begun */
	unsigned char *front; /* the beginning of the file, FRONT_MAX bytes of room */
	uint64_t front_end;   /* of what was written or reserved there */
	uint64_t data_start;  /* where the second part begins; 0: not known yet */
	uint64_t end;         /* of all that was written */
	unsigned int number;  /* of the part in window[0] */
	struct window window[2];
	struct part *part;
	size_t part_count;
	uint64_t size; /* when it is finished */
	bool is_flat;
	struct flat flat;
	uint64_t flat_end;
};

static struct s3_upload *from(struct upload *upload)
{
	return (struct s3_upload *)upload;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct kd_error *call(struct s3_upload *s3, const char *method, const char *query, const void *body, size_t size,
			     struct http_answer *answer)
{
	const struct http_request request = {
		.method = method, .path = s3->encoded, .query = query, .body = body, .size = size
	};
	struct kd_error *err = http_call(s3->http, &request, answer);

	return err ? err : http_judge(&request, answer);
}

/* The text of the element @name, which has none inside; NULL: there is none. The caller owns it. */
static char *element(const char *xml, const char *name)
{
	char open[64];
	const char *start;

	snprintf(open, sizeof(open), "<%s>", name);
	start = strstr(xml, open);
	return start ? strndup(start + strlen(open), strcspn(start + strlen(open), "<")) : NULL;
}

static struct kd_error *begin_parts(struct s3_upload *s3, struct http_answer *answer)
{
	_cleanup_free_ char *id = NULL;
	struct kd_error *err;

	if (s3->id)
		return NULL;
	err = call(s3, "POST", "uploads=", NULL, 0, answer);
	if (err)
		return err;
	id = element(answer->body, "UploadId");
	if (!id || !*id || strlen(id) > UPLOAD_ID_MAX)
		return kd_error_create(KD_ERR_FORMAT, "the server's answer to CreateMultipartUpload names no upload");
	err = http_encode(id, &s3->id);
	/* A slash is data in a query. */
	for (char *slash; !err && (slash = strchr(s3->id, '/'));) {
		_cleanup_free_ char *before = take_ptr(s3->id);

		*slash = '\0';
		err = kd_format(&s3->id, "%s%%2F%s", before, slash + 1);
	}
	return err;
}

static struct kd_error *send_part(struct s3_upload *s3, unsigned int number, const void *data, size_t size)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	struct part *grown = reallocarray(s3->part, s3->part_count + 1, sizeof(*grown));
	_cleanup_free_ char *query = NULL;
	struct kd_error *err;

	if (grown)
		s3->part = grown;
	if (!grown || !answer)
		return kd_error_nomem();
	if (number > PARTS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "an object has no more than %d parts", PARTS_MAX);
	err = begin_parts(s3, answer);
	if (!err)
		err = kd_format(&query, "partNumber=%u&uploadId=%s", number, s3->id);
	if (!err)
		err = call(s3, "PUT", query, data, size, answer);
	if (err)
		return kd_error_wrap(err, "part %u", number);
	if (!*answer->etag || strpbrk(answer->etag, "<>&"))
		return kd_error_create(KD_ERR_FORMAT, "the server's answer to part %u has no ETag", number);
	grown[s3->part_count].number = number;
	memcpy(grown[s3->part_count].etag, answer->etag, sizeof(answer->etag));
	s3->part_count++;
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	const struct part *one = a, *other = b;

	return (one->number > other->number) - (one->number < other->number);
}

static struct kd_error *complete(struct s3_upload *s3)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	_cleanup_free_ char *query = NULL, *body = NULL;
	struct kd_error *err = kd_format(&query, "uploadId=%s", s3->id);
	size_t size;
	FILE *out;

	if (err)
		return err;
	out = open_memstream(&body, &size);
	if (!out || !answer) {
		if (out)
			fclose(out);
		return kd_error_nomem();
	}
	qsort(s3->part, s3->part_count, sizeof(*s3->part), by_number);
	fputs("<CompleteMultipartUpload>", out);
	for (size_t i = 0; i < s3->part_count; i++)
		fprintf(out, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", s3->part[i].number,
			s3->part[i].etag);
	fputs("</CompleteMultipartUpload>", out);
	if (fclose(out) != 0)
		return kd_error_nomem();
	err = call(s3, "POST", query, body, size, answer);
	/* It may say 200 before it knows. */
	if (!err && !strstr(answer->body, "CompleteMultipartUploadResult"))
		err = kd_error_create(KD_ERR_STATE, "the server could not put the parts together: %.160s",
				      answer->body);
	return err;
}

/* --- parts that follow the beginning ------------------------------------------------------------------------------ */

static size_t part_size(unsigned int number)
{
	return (size_t)PART_MIN << ((number - 2) / PARTS_OF_A_SIZE);
}

static void place_windows(struct s3_upload *s3, uint64_t start)
{
	s3->window[0].start = start;
	s3->window[0].size = part_size(s3->number);
	s3->window[1].start = start + s3->window[0].size;
	s3->window[1].size = part_size(s3->number + 1);
	s3->window[1].filled = 0;
}

static void begin_windows(struct s3_upload *s3, uint64_t start)
{
	s3->number = 2;
	place_windows(s3, start);
}

/* Send the first @size bytes of the first window, and go on with the second. */
static struct kd_error *send_window(struct s3_upload *s3, size_t size)
{
	struct window first = s3->window[0], second = s3->window[1];
	struct kd_error *err = NULL;

	if (!first.data && !(first.data = calloc(1, first.size)))
		return kd_error_nomem();
	err = send_part(s3, s3->number, first.data, size);
	free(first.data);
	s3->number++;
	s3->window[0] = second;
	s3->window[1] = (struct window){ 0 };
	place_windows(s3, second.start);
	return err;
}

static struct kd_error *put_window(struct window *window, uint64_t offset, const void *data, size_t size)
{
	if (!window->data && !(window->data = calloc(1, window->size)))
		return kd_error_nomem();
	memcpy(window->data + (offset - window->start), data, size);
	window->filled += size;
	return NULL;
}

static struct kd_error *write_data(struct s3_upload *s3, uint64_t offset, const unsigned char *data, size_t size)
{
	struct kd_error *err = NULL;

	while (size && !err) {
		struct window *window = &s3->window[offset >= s3->window[1].start];
		size_t piece;

		if (offset < window->start)
			return kd_error_create(KD_ERR_UNSUPPORTED,
					       "the dump is written again at %" PRIu64
					       ", where its part is sent already",
					       offset);
		if (offset >= window->start + window->size) {
			err = send_window(s3, s3->window[0].size); /* what is missing is a hole */
			continue;
		}
		piece = size < window->start + window->size - offset ? size :
								       (size_t)(window->start + window->size - offset);
		err = put_window(window, offset, data, piece);
		offset += piece;
		data += piece;
		size -= piece;
		while (!err && s3->window[0].filled >= s3->window[0].size)
			err = send_window(s3, s3->window[0].size);
	}
	return err;
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static struct kd_error *append(void *arg, const void *data, size_t size)
{
	struct s3_upload *s3 = arg;
	uint64_t offset = s3->flat_end;

	s3->flat_end += size;
	return write_data(s3, offset, data, size);
}

static struct kd_error *name_object(struct s3_upload *s3, const char *path)
{
	struct kd_error *err = kd_set_text(&s3->path, path);

	free(take_ptr(s3->encoded));
	return err ? err : http_encode(path, &s3->encoded);
}

/* Nothing has been sent yet. */
static struct kd_error *become_flat(struct s3_upload *s3)
{
	enum { PIECE = 64 << 10 };
	_cleanup_free_ unsigned char *front = take_ptr(s3->front);
	_cleanup_free_ char *name = NULL;
	struct kd_error *err = kd_format(&name, "%s.flat", s3->path);

	if (!err)
		err = name_object(s3, name);
	s3->is_flat = true;
	s3->flat.send = append;
	s3->flat.arg = s3;
	begin_windows(s3, 0);
	for (size_t at = 0; at < FRONT_MAX && !err; at += PIECE)
		err = flat_write(&s3->flat, at, front + at, PIECE);
	return err;
}

static void note_front(struct s3_upload *s3, uint64_t end)
{
	if (s3->front_end < end)
		s3->front_end = end;
}

/* Before the first page's data, the writer reserves room for its tables by zeros: that is the beginning, and 5 MiB at
 * least, since no part but the last may be smaller. *taken: @data belongs to it. */
static struct kd_error *write_early(struct s3_upload *s3, uint64_t offset, const void *data, size_t size, bool *taken)
{
	uint64_t end = offset + size;
	bool zero = kd_all_zero(data, size);

	*taken = true;
	if (zero || end <= PART_MIN || end <= s3->front_end)
		note_front(s3, end);
	if (s3->front_end > FRONT_MAX)
		return become_flat(s3);
	if (zero)
		return NULL;
	if (end <= PART_MIN || end <= s3->front_end) {
		memcpy(s3->front + offset, data, size);
		return NULL;
	}
	s3->data_start = s3->front_end > PART_MIN ? s3->front_end : PART_MIN;
	begin_windows(s3, s3->data_start);
	*taken = false;
	return NULL;
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

static struct kd_error *s3_mkdir(struct http *http, const char *path)
{
	return NULL;
}

static void s3_free(struct upload *upload)
{
	struct s3_upload *s3 = from(upload);

	free(s3->path);
	free(s3->encoded);
	free(s3->id);
	free(s3->front);
	free(s3->window[0].data);
	free(s3->window[1].data);
	free(s3->part);
	free(s3);
}

/* An object gets its name when its upload begins, and keeps it. What is not complete has a note beside it. */
static struct kd_error *s3_begin(struct http *http, const struct settings *settings, const char *path,
				 struct upload **ret)
{
	static const char suffix[] = "-incomplete";
	const char *tail = strstr(path, suffix);
	struct s3_upload *s3 = calloc(1, sizeof(*s3));
	_cleanup_free_ char *name = NULL;
	struct kd_error *err;

	if (!s3 || !(s3->front = calloc(1, FRONT_MAX))) {
		free(s3);
		return kd_error_nomem();
	}
	s3->upload.store = &store_s3;
	s3->http = http;
	err = tail ? kd_format(&name, "%.*s%s", (int)(tail - path), path, tail + strlen(suffix)) :
		     kd_set_text(&name, path);
	if (!err)
		err = name_object(s3, name);
	if (err) {
		s3_free(&s3->upload);
		return err;
	}
	*ret = &s3->upload;
	return NULL;
}

static struct kd_error *s3_write(struct upload *upload, uint64_t offset, const void *data, size_t size)
{
	struct s3_upload *s3 = from(upload);
	const unsigned char *bytes = data;
	bool taken = false;
	struct kd_error *err = NULL;

	if (s3->end < offset + size)
		s3->end = offset + size;
	if (s3->is_flat)
		return flat_write(&s3->flat, offset, data, size);
	if (!s3->data_start)
		err = write_early(s3, offset, data, size, &taken);
	if (err || taken)
		return err;
	if (offset < s3->data_start) {
		size_t piece = size < s3->data_start - offset ? size : (size_t)(s3->data_start - offset);

		memcpy(s3->front + offset, bytes, piece);
		offset += piece;
		bytes += piece;
		size -= piece;
	}
	return write_data(s3, offset, bytes, size);
}

static struct kd_error *send_rest(struct s3_upload *s3, uint64_t end)
{
	struct kd_error *err = NULL;

	while (!err && s3->window[0].start < end) {
		uint64_t left = end - s3->window[0].start;

		err = send_window(s3, left < s3->window[0].size ? (size_t)left : s3->window[0].size);
	}
	return err;
}

static struct kd_error *s3_finish(struct upload *upload, uint64_t size)
{
	struct s3_upload *s3 = from(upload);
	struct kd_error *err = NULL;

	s3->size = size > s3->end ? size : s3->end;
	if (s3->is_flat) {
		err = flat_finish(&s3->flat, s3->size);
		return err ? err : send_rest(s3, s3->flat_end);
	}
	if (!s3->data_start && s3->size > FRONT_MAX) {
		s3->data_start = FRONT_MAX;
		begin_windows(s3, FRONT_MAX);
	}
	if (!s3->data_start)
		return NULL; /* one PUT will do */
	err = send_rest(s3, s3->size);
	return err ? err : send_part(s3, 1, s3->front, (size_t)s3->data_start);
}

static struct kd_error *s3_commit(struct upload *upload, const char *path)
{
	struct s3_upload *s3 = from(upload);

	return s3->id ? complete(s3) : store_put(s3->http, s3->path, s3->front, (size_t)s3->size);
}

static struct kd_error *s3_keep(struct upload *upload)
{
	static const char words[] = "The object that this one is named after is not a complete dump.\n";
	struct s3_upload *s3 = from(upload);
	_cleanup_free_ char *note = NULL;
	struct kd_error *err = kd_format(&note, "%s-incomplete.txt", s3->path);

	if (!err)
		err = store_put(s3->http, note, words, sizeof(words) - 1);
	return err ? err : s3_commit(upload, NULL);
}

static void s3_drop(struct upload *upload)
{
	_cleanup_free_ struct http_answer *answer = malloc(sizeof(*answer));
	struct s3_upload *s3 = from(upload);
	_cleanup_free_ char *query = NULL;

	if (s3->id && answer && !kd_error_discard(kd_format(&query, "uploadId=%s", s3->id)))
		kd_error_destroy(call(s3, "DELETE", query, NULL, 0, answer));
}

const struct store store_s3 = {
	.mkdir = s3_mkdir,
	.begin = s3_begin,
	.write = s3_write,
	.finish = s3_finish,
	.commit = s3_commit,
	.keep = s3_keep,
	.drop = s3_drop,
	.free = s3_free,
	.hidden = true,
};
