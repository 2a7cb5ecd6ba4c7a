/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Release bound to acquisition: a variable releases its value when its scope ends.
 *
 *  A type of this project gets a line next to its declaration:
 *
 *      DEFINE_CLEANUP(struct vmcore *, vmcore_close)
 *      ...
 *      _cleanup_(vmcore_close) struct vmcore *vmcore = NULL;
 *
 *  To hand the value over, `return_ptr(p)` or `*ret = take_ptr(p)`.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function##_cleanup)))

/** Make `_cleanup_(function)` usable on variables of @type; @function must take a NULL (or the type's empty value). */
#define DEFINE_CLEANUP(type, function)                                                                                 \
	static inline void function##_cleanup(type *p)                                                                 \
	{                                                                                                              \
		function(*p);                                                                                          \
	}

/** The value of @p; @p is set to NULL, so the expression owns the value. */
#define take_ptr(p)                                                                                                    \
	({                                                                                                             \
		__typeof__(p) *_place = &(p), _taken = *_place;                                                        \
		*_place = NULL;                                                                                        \
		_taken;                                                                                                \
	})
#define return_ptr(p) return take_ptr(p)

/** As take_ptr(), for a file descriptor: the variable is set to -1. */
#define take_fd(fd)                                                                                                    \
	({                                                                                                             \
		int _taken = (fd);                                                                                     \
		(fd) = -1;                                                                                             \
		_taken;                                                                                                \
	})

static inline void kd_free_cleanup(void *p)
{
	free(*(void **)p);
}

static inline void kd_close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void kd_fclose_cleanup(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void kd_closedir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_free_     _cleanup_(kd_free)
#define _cleanup_close_    _cleanup_(kd_close)
#define _cleanup_fclose_   _cleanup_(kd_fclose)
#define _cleanup_closedir_ _cleanup_(kd_closedir)

#endif
