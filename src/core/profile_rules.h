/*
 * What a profile's values demand of each other. Private to core.
 */
#ifndef CORE_PROFILE_RULES_H
#define CORE_PROFILE_RULES_H

#include "smki/profile.h"

#define PROFILE_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define PROFILE_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"

/* The first contradiction as clause and finding; NULL when there is none. */
const char *profile_contradiction(const struct profile *profile);
/* true when the list holds this OID. */
bool profile_has_oid(const struct profile_oid *list, size_t n, const char *text);
/* true for exactly one bit: what a key is for is then known without a request. */
bool profile_one_usage(unsigned bits);

#endif
