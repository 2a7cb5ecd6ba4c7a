/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Packets of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02): its numbers, and the words of a
 *  packet, in network byte order, for the client (sftp.h) and for the server of capture/transfer. */
#ifndef CAPTURE_REMOTE_PACKET_H
#define CAPTURE_REMOTE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SSH_FXP_PROTOCOL = 3 };

enum packet_type {
	SSH_FXP_INIT = 1,
	SSH_FXP_VERSION = 2,
	SSH_FXP_OPEN = 3,
	SSH_FXP_CLOSE = 4,
	SSH_FXP_READ = 5,
	SSH_FXP_WRITE = 6,
	SSH_FXP_LSTAT = 7,
	SSH_FXP_SETSTAT = 9,
	SSH_FXP_OPENDIR = 11,
	SSH_FXP_READDIR = 12,
	SSH_FXP_REMOVE = 13,
	SSH_FXP_MKDIR = 14,
	SSH_FXP_RMDIR = 15,
	SSH_FXP_STAT = 17, /* follows links, which are the server's business */
	SSH_FXP_RENAME = 18,
	SSH_FXP_STATUS = 101,
	SSH_FXP_HANDLE = 102,
	SSH_FXP_DATA = 103,
	SSH_FXP_NAME = 104,
	SSH_FXP_ATTRS = 105,
	SSH_FXP_EXTENDED = 200,
	SSH_FXP_EXTENDED_REPLY = 201,
};

/** What a status says. */
enum packet_status {
	SSH_FX_OK = 0,
	SSH_FX_EOF = 1, /* not an error */
	SSH_FX_NO_SUCH_FILE = 2,
	SSH_FX_FAILURE = 4, /* of any kind */
	SSH_FX_OP_UNSUPPORTED = 8,
};

/** Bits of SSH_FXP_OPEN. */
enum { SSH_FXF_READ = 1, SSH_FXF_WRITE = 2, SSH_FXF_CREAT = 8, SSH_FXF_TRUNC = 16, SSH_FXF_EXCL = 32 };

/** Which attributes follow. */
enum {
	SSH_FILEXFER_ATTR_SIZE = 1,
	SSH_FILEXFER_ATTR_UIDGID = 2,
	SSH_FILEXFER_ATTR_PERMISSIONS = 4,
	SSH_FILEXFER_ATTR_ACMODTIME = 8,
	SSH_FILEXFER_ATTR_EXTENDED = (int)0x80000000,
};

/** OpenSSH's limit for a packet, in bytes. */
#define PACKET_MAX (256 << 10)

/** Extensions of OpenSSH (its file PROTOCOL, section 4). */
#define SFTP_FSYNC        "fsync@openssh.com"
#define SFTP_POSIX_RENAME "posix-rename@openssh.com"
#define SFTP_STATVFS      "statvfs@openssh.com"
#define SFTP_LIMITS       "limits@openssh.com"

/** A packet that is being made in @room bytes at @data, which belong to the caller. */
struct packet_writer {
	unsigned char *data;
	size_t room, size;
};

/** Begin a packet; its length goes to the front when it is known. */
void packet_begin(struct packet_writer *writer, enum packet_type type);
/** Put the length in its place. @more bytes of the packet will follow that are not in @writer. */
void packet_end(struct packet_writer *writer, size_t more);

/** Append. The caller knows that there is room; what exceeds it is cut off. */
void packet_put(struct packet_writer *writer, const void *data, size_t size);
void packet_put_u32(struct packet_writer *writer, uint32_t value);
void packet_put_u64(struct packet_writer *writer, uint64_t value);
/** With their size in front. */
void packet_put_bytes(struct packet_writer *writer, const void *data, size_t size);
void packet_put_text(struct packet_writer *writer, const char *text);

/** A packet that was received, without its length. */
struct packet_reader {
	const unsigned char *data;
	size_t size, cursor; /* bytes; what has been taken */
};

/** Take the next @size bytes; NULL: the packet is shorter. */
const unsigned char *packet_take(struct packet_reader *reader, size_t size);
/** False: the packet is shorter, and nothing is taken. */
bool packet_take_u8(struct packet_reader *reader, uint8_t *ret);
bool packet_take_u32(struct packet_reader *reader, uint32_t *ret);
bool packet_take_u64(struct packet_reader *reader, uint64_t *ret);
/** Bytes with their size in front; NULL: the packet is shorter. */
const unsigned char *packet_take_bytes(struct packet_reader *reader, uint32_t *size);

#endif
