/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Programs of the capture image. While the kernel unpacks the image it holds every byte of it twice, so programs and
 *  libraries are stored as gzip members and expanded when somebody is about to run one: "/usr/bin/ssh" lies there as
 *  "/usr/bin/ssh.gz". Links and files that are no ELF objects are stored as they are.
 *
 *  The file KD_PROGRAMS_PATH of the image says which files a program needs to start. It consists of words, each ended
 *  by a NUL: the path by which the program was asked for, the paths of what it needs (the program itself among them),
 *  and an empty word; then the next program. */
#ifndef BASE_PROGRAMS_H
#define BASE_PROGRAMS_H

/** Commands that Red Hat's capture image has, so that scripts rely on them; NULL-terminated. Where the machine has
 *  busybox, the image has that, and the capture makes links to it for those that are no programs of the image. */
extern const char *const kd_script_commands[];

#define KD_BUSYBOX "busybox"

#define KD_PROGRAMS_PATH   "/etc/kdump.programs"
#define KD_PROGRAMS_SUFFIX ".gz"

#endif
