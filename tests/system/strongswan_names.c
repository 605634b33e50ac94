/*
 * For strongSwan's pki under LD_PRELOAD: its reader of certification requests gives up at a
 * subjectAltName with an otherName that is not one of its own two kinds (5.9 and 6.0), so it would
 * not send a meter's request, which has a HardwareModuleName. Here names are passed over; the request
 * goes out as it stands. Certificates are read by its openssl plugin and are not concerned.
 */
#include <stdbool.h>
#include <stddef.h>

/* Of strongSwan: chunk_t. */
struct chunk {
	unsigned char *ptr;
	size_t len;
};

bool x509_parse_generalNames(struct chunk blob, int level0, bool implicit, void *list);

bool
x509_parse_generalNames(struct chunk blob, int level0, bool implicit, void *list)
{
	return true;
}
