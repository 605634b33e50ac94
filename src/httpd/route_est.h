/*
 * Answers of EST (RFC 7030, 8951): the bodies around certificates, keys and attributes.
 */
#ifndef SMKI_HTTPD_ROUTE_EST_H
#define SMKI_HTTPD_ROUTE_EST_H

#include "http.h"
#include "smki/home.h"
#include "smki/profile.h"

/* 200 with a certs-only message of these (4.1.3, 4.2.3). type: the whole media type. */
void est_reply_certs(const struct home *home, const char *type, const struct span *certs, size_t n,
    struct http_response *response);
/* 200 with what a request for this profile must hold (4.5.2). */
void est_reply_attributes(
    const struct home *home, const struct profile *profile, struct http_response *response);
/* 200 with a key, PKCS#8, and its certificate (4.4.2); the answer is a secret. FAIL_INTERNAL without
 * randomness. */
int est_reply_server_key(const struct home *home, struct span key, struct span cert,
    struct http_response *response, struct err *err) MUST_USE;

#define EST_TYPE_CERTS "application/pkcs7-mime; smime-type=certs-only"

#endif
