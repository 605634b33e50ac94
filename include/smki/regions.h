/*
 * The regions of a home: HOME/policies/regions.cnf.
 */
#ifndef SMKI_REGIONS_H
#define SMKI_REGIONS_H

#include "smki/home.h"
#include "smki/region.h"

/* No such file: FAIL_NOT_FOUND; one that others may write: FAIL_DENIED; a bad one: FAIL_INVALID as
 * regions_parse tells. Of home only dir is looked at. *out is the caller's, for free(). */
int regions_load(const struct home *home, struct regions **out, struct err *err) MUST_USE;

#endif
