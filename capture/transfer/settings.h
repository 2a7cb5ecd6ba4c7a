/* SPDX-License-Identifier: GPL-2.0-or-later */
/** How a server of objects is reached: resolved on the healthy machine, handed over as the options of a target in the
 *  plan ("address=192.0.2.1,ca=/etc/ssl/certs/ca-certificates.crt,…"), so that nothing is looked up after the crash. */
#ifndef CAPTURE_TRANSFER_SETTINGS_H
#define CAPTURE_TRANSFER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { SETTINGS_ADDRESSES = 8 };

struct settings {
	bool s3;
	char *url;     /* of the directory, without a slash at its end: "https://server:8443/dumps"; as it is sent */
	char *host;    /* of it: a name, or an address in brackets if it is one of IPv6 */
	unsigned port; /* of it */
	bool tls;
	size_t address_count;
	char *address[SETTINGS_ADDRESSES]; /* of the host, without brackets; none: the host is an address itself */
	char *ca;                          /* file of the certificates that are trusted; NULL: without TLS */
	char *user, *password;             /* S3: the access key and its secret; both NULL: none */
	char *token;                       /* HTTP: for "Authorization: Bearer"; S3: of the session; NULL: none */
	char *region;                      /* S3 */
};

/** Fill *ret. @type is "http" or "s3", @url and @options those of the plan's target. The file with the credentials is
 *  read: "USER:PASSWORD" or "Bearer TOKEN"; S3: lines as in ~/.aws/credentials. KD_ERR_FORMAT, KD_ERR_OS. */
struct kd_error *settings_parse(const char *type, const char *url, const char *options,
				struct settings *ret) MUST_CHECK;

/** A zeroed struct is allowed. */
void settings_free(struct settings *settings);
static inline void settings_free_cleanup(struct settings *settings)
{
	settings_free(settings);
}

#endif
