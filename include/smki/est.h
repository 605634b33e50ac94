/*
 * The two structures that EST (RFC 7030, 8951, 9908) needs beside certificates.
 */
#ifndef SMKI_EST_H
#define SMKI_EST_H

#include "smki/profile.h"

/* Append a certs-only CMS SignedData: version 1, no digests, id-data without content, these
 * certificates in this order, no signers (RFC 5652 5.1, RFC 7030 4.1.3). n > 0. */
void est_certs_only(const struct span *certs, size_t n, struct buf *out);

/*
 * Append CsrAttrs (RFC 8951 3.5) of what a request for this profile must hold, in this order:
 *  Attribute id-ecPublicKey { the curves of the profile }; of two, P-384 stands first, as DER
 *   sorts a SET OF (X.690 11.6);
 *  Attribute extensionRequest { Extensions }, the one extension keyUsage, critical, with the value
 *   to be used (RFC 9908 3.2); absent when the profile leaves a choice of usages;
 *  the signature algorithm for each curve: ecdsa-with-SHA256 for P-256, ecdsa-with-SHA384 for
 *   P-384, in this order.
 * subjectAltName is not among them: no value of it is right for two devices.
 */
void est_csrattrs(const struct profile *profile, struct buf *out);

#endif
