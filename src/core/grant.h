/*
 * What profile_grant.c and profile_service.c share. Private to core.
 */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "smki/host.h"
#include "smki/profile.h"

/* Move what was encoded into its place in the grant; FAIL_INVALID naming what when over cap. */
int grant_store(const char *what, const struct buf *b, uint8_t *out, size_t cap, size_t *len,
    struct err *err) MUST_USE;
/* The key, when the profile has its curve; object names the holder in messages. FAIL_INVALID. */
int grant_key(const struct profile *profile, const char *object, const struct ec_pub *pub,
    struct grant *g, struct err *err) MUST_USE;
/* 30 00. */
void grant_subject_empty(struct grant *g);
/* SAN and holder of a server; n > 0. FAIL_INVALID naming object when the SAN is too large. */
int grant_server_names(const char *object, const struct host *hosts, size_t n, struct grant *g,
    struct err *err) MUST_USE;

#endif
