/*
 * HTTP Basic as meters use it for their one-time secret (RFC 7617): user = EUI-64, password =
 * secret. Only inside TLS.
 */
#ifndef SMKI_HTTPD_BASIC_H
#define SMKI_HTTPD_BASIC_H

#include "smki/enrol.h"

/*
 * Value of the Authorization header to its parts. Strict base64, an EUI-64 without colons (RFC
 * 7617 2: the first one ends the user), a secret of 1 to ENROL_SECRET_MAX printable characters.
 * FAIL_INVALID; the message holds nothing of either. The outputs are the caller's to wipe.
 */
int basic_parse(const char *authorization, struct eui64 *user, char secret[ENROL_SECRET_MAX + 1],
    struct err *err) MUST_USE;

#endif
