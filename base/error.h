/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Errors as values.
 *
 *  Whatever can fail returns `struct kd_error *`: NULL is success, anything else is owned by the caller, who
 *  wraps it and returns it, or destroys it. Only main() (kdump programs) and the step loop (capture) print.
 *  Outputs come last and are untouched on failure.
 *
 *      err = vmcore_open(path, &vmcore);
 *      if (err)
 *              return kd_error_wrap(err, "cannot filter %s", path);
 *
 *  prints as "cannot filter /proc/vmcore: not an ELF file (offset 0x0)".
 *  "No such note", "page excluded" and the like are results, not errors.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/cleanup.h"

#define MUST_CHECK                __attribute__((warn_unused_result))
#define PRINTF_FORMAT(fmt, first) __attribute__((format(printf, fmt, first)))

enum kd_error_code {
	KD_ERR_OS = 1,      /* a system call failed; errnum says how */
	KD_ERR_NOMEM,       /* out of memory; a static object, made without memory */
	KD_ERR_USAGE,       /* the command line is wrong */
	KD_ERR_CONFIG,      /* a configuration file is wrong; the text names file:line */
	KD_ERR_FORMAT,      /* a file is truncated, corrupt or in another format */
	KD_ERR_HOLE,        /* the address is not covered by the dump */
	KD_ERR_UNSUPPORTED, /* the input is well formed, but this program cannot handle it */
	KD_ERR_NOT_FOUND,   /* a device, file, symbol or module that must exist does not */
	KD_ERR_LIMIT,       /* something does not fit (memory region, segment count, size limit) */
	KD_ERR_STATE,       /* the machine's state forbids it (no reservation, not loaded, lockdown) */
	KD_ERR_TIMEOUT,     /* a deadline passed */
};

struct kd_error {
	enum kd_error_code code;
	int errnum; /* errno for KD_ERR_OS, else 0 */
	char *text; /* complete, without newline; never NULL */
};

/** A new error with this text. Never NULL: without memory it is the KD_ERR_NOMEM object. */
struct kd_error *kd_error_create(enum kd_error_code code, const char *fmt, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;

/** KD_ERR_OS; ": " and the text of @errnum (an errno value) are appended to the message. */
struct kd_error *kd_error_os(int errnum, const char *fmt, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;

/** The static out-of-memory error. */
struct kd_error *kd_error_nomem(void) MUST_CHECK;

/** Put the caller's words in front: "<fmt...>: <old text>". Consumes @err, keeps code and errnum. NULL stays NULL, so
 *  the result of a call can be wrapped without a test. */
struct kd_error *kd_error_wrap(struct kd_error *err, const char *fmt, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;

/** NULL is allowed, as in free(). */
void kd_error_destroy(struct kd_error *err);
/** Destroy @err where it only matters whether there was an error. Returns true if there was one. */
_Bool kd_error_discard(struct kd_error *err) MUST_CHECK;
DEFINE_CLEANUP(struct kd_error *, kd_error_destroy)

#endif
