/*
 * Random octets from the system's CSPRNG by way of libcrypto.
 */
#ifndef SMKI_RNG_H
#define SMKI_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Fill out with n octets. 0, or -1 when none can be had: the caller must not go on. */
int rng_draw(uint8_t *out, size_t n) __attribute__((warn_unused_result));

#endif
