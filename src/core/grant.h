/*
 * What profile_grant.c, profile_service.c and profile_device.c share. Private to core.
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
/* keyUsage of an end entity, and what its key is then for. */
void grant_end_entity(unsigned bits, struct grant *g);
/* SAN and holder of a device (RFC 4108 5, GBCS 12): hwType (contents octets) under an arc of the
 * profile, serial of 8 octets beginning with one of its OUIs. FAIL_INVALID naming object. */
int grant_module(const struct profile *profile, const char *object, struct span hw_type,
    struct span serial, struct grant *g, struct err *err) MUST_USE;

#endif
