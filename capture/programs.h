/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Programs of the image, which are compressed in it until they are needed (base/programs.h). */
#ifndef CAPTURE_PROGRAMS_H
#define CAPTURE_PROGRAMS_H

#include "base/error.h"

/** Expand @program, by the path that it was put into the image by, and the libraries that it needs; NULL: all programs
 *  of the image. @image: the directory that the image's paths begin in, "" for the root. What is expanded already costs
 *  nothing, and a program that the image does not list is no error: running it will tell.
 *  KD_ERR_FORMAT (a member is damaged), KD_ERR_OS (no memory for it, or it is missing). */
struct kd_error *programs_expand(const char *image, const char *program) MUST_CHECK;

/** Make the links to busybox that scripts need (kd_script_commands[]), if the image has busybox. KD_ERR_OS. */
struct kd_error *programs_link_commands(const char *image) MUST_CHECK;

#endif
