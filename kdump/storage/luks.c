/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/luks.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

/* The binary header, of which there are two copies; the JSON text follows it. Numbers are big-endian. */
struct header {
	char magic[6];
	uint16_t version;
	uint64_t size; /* with the text */
} __attribute__((packed));

enum { BINARY_SIZE = 4096, COPY_MIN = 16 << 10, COPY_MAX = 4 << 20 };

static bool is_header(const struct header *header, const char *magic)
{
	uint64_t size = be64toh(header->size);

	return memcmp(header->magic, magic, sizeof(header->magic)) == 0 && be16toh(header->version) == 2 &&
	       size > BINARY_SIZE && size <= COPY_MAX;
}

/* Read the JSON text behind the copy at @offset. *ret is owned by the caller, and NULL if there is no copy. */
static struct kd_error *read_copy(int fd, const char *node, const char *magic, off_t offset, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct header header;
	size_t size;

	*ret = NULL;
	if (kd_pread_all(fd, &header, sizeof(header), offset) != sizeof(header) || !is_header(&header, magic))
		return NULL;
	size = be64toh(header.size) - BINARY_SIZE;
	text = calloc(1, size + 1);
	if (!text)
		return kd_error_nomem();
	if (kd_pread_all(fd, text, size, offset + BINARY_SIZE) != (ssize_t)size)
		return kd_error_create(KD_ERR_FORMAT, "the LUKS2 header on %s is cut off", node);
	*ret = take_ptr(text);
	return NULL;
}

/* If the first copy is damaged, the second one counts. It lies behind the first, whose size is a power of two. */
static struct kd_error *read_text(int fd, const char *node, char **ret)
{
	struct kd_error *err = read_copy(fd, node, "LUKS\xba\xbe", 0, ret);

	for (off_t offset = COPY_MIN; !err && !*ret && offset <= COPY_MAX; offset *= 2)
		err = read_copy(fd, node, "SKUL\xba\xbe", offset, ret);
	return err;
}

/* The first of "requirements":{"mandatory":["NAME",…]}. Only that object has such a member. */
static bool find_requirement(const char *text, char *name, size_t size)
{
	static const char key[] = "\"mandatory\"";
	const char *at = strstr(text, key);
	size_t length;

	if (!at)
		return false;
	at += sizeof(key) - 1;
	at += strspn(at, " \t\r\n:[");
	if (*at != '"')
		return false; /* the list is empty */
	length = strcspn(++at, "\"");
	if (length >= size)
		length = size - 1;
	memcpy(name, at, length);
	name[length] = '\0';
	return true;
}

struct kd_error *luks_check(const struct kd_sysroot *root, const char *node)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct kd_error *err;
	char name[64];

	if (fd < 0)
		return kd_error_os(errno, "cannot read the LUKS header on %s", node);
	err = read_text(fd, node, &text);
	if (err || !text || !find_requirement(text, name, sizeof(name)))
		return err;
	if (strstr(name, "reencrypt"))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"%s is being re-encrypted (its LUKS2 header requires %s), and the key of its sectors "
			"changes: let \"cryptsetup reencrypt\" end first (--resume-only continues it), or choose another "
			"dump target",
			node, name);
	return kd_error_create(
		KD_ERR_UNSUPPORTED,
		"the LUKS2 header on %s requires %s, and nobody has shown yet that such volumes survive a "
		"capture: choose a dump target on another volume",
		node, name);
}
