/*
 * Random octets.
 */
#include "smki/rng.h"

#include <limits.h>

#include <openssl/rand.h>

int
rng_draw(uint8_t *out, size_t n)
{
	if (n > INT_MAX)
		return -1;
	return RAND_priv_bytes(out, (int)n) == 1 ? 0 : -1;
}
