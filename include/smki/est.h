/*
 * The two structures that EST (RFC 7030, 8951, 9908) needs beside certificates.
 */
#ifndef SMKI_EST_H
#define SMKI_EST_H

#include "smki/profile.h"

/* Append a certs-only CMS SignedData: version 1, no digests, id-data without content, these
 * certificates in this order, no signers (RFC 5652 5.1, RFC 7030 4.1.3). */
void est_certs_only(const struct span *certs, size_t n, struct buf *out);

/* Append CsrAttrs (RFC 8951 3.5) of what a request for this profile must hold: id-ecPublicKey with
 * the curve, the signature algorithm, and extensionRequest with keyUsage (when the profile leaves
 * no choice) and subjectAltName's OID wanted by way of RFC 9908's template where the profile is a
 * device's. One curve: its own; two: P-256's first. */
void est_csrattrs(const struct profile *profile, struct buf *out);

#endif
