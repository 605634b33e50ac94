/*
 * Certificate revocation lists (RFC 5280 5), written as a stream: the caller passes entries one
 * by one, so memory does not grow with the list; and a strict reader for CRLs of this PKI.
 */
#ifndef SMKI_CRL_H
#define SMKI_CRL_H

#include "smki/eckey.h"
#include "smki/sign.h"
#include "smki/types.h"

/* Largest encoded entry: serial 22, date 17, two extensions, headers. */
#define CRL_ENTRY_MAX 128
/* Largest head (tag to the first entry) and tail (after the last entry to the end of tbs), when
 * the issuer has at most 900 octets, its key identifier 20 and each URI 511. */
#define CRL_HEAD_MAX 1024
#define CRL_TAIL_MAX 1536

struct crl_entry {
	struct serial serial;
	time_t revoked_at;
	enum crl_reason reason; /* unspecified is left out (5.3.1) */
	time_t invalid_since;	/* 0 = no invalidityDate */
};

struct crl_params {
	struct span issuer; /* the CA's subject, byte for byte */
	struct span ski;    /* AKI keyIdentifier */
	enum ec_curve curve;
	int64_t number; /* CRLNumber, > 0 */
	time_t this_update, next_update;
	/* A delta (RFC 5280 5.2.4): number of its base; 0 = a complete list. */
	int64_t base;
	/* Where deltas are (5.2.6); never in a delta. NULL = not told. */
	const char *freshest;
	/* Of the certificates with this URI as their distribution point only (5.2.5). NULL = of all. */
	const char *shard;
};

/* Append one entry to out; returns its length. removeFromCRL is a bug here: no delta CRL. */
size_t crl_entry_put(struct buf *out, const struct crl_entry *entry);
/* The same for a delta, where an entry may be removeFromCRL; its date is that of the removal. */
size_t crl_delta_entry_put(struct buf *out, const struct crl_entry *entry);

/*
 * The octets before the first entry: for the whole object of which the entries take entries_len
 * octets and sig_len octets of ECDSA-Sig-Value close. *tbs_at = where in head the TBSCertList
 * starts (the hash starts there). With entries_len 0 revokedCertificates is absent (5.1.2.6).
 * The object is: head, entries, tail (crlExtensions, end of tbs), then AlgorithmIdentifier and
 * BIT STRING by crl_close_put. Because the outer length depends on the signature's length, the
 * head for hashing is the part from tbs_at on and does not change with sig_len.
 */
void crl_head_put(struct buf *out, const struct crl_params *params, uint64_t entries_len,
    size_t sig_len, size_t *tbs_at);
void crl_tail_put(struct buf *out, const struct crl_params *params);
void crl_close_put(struct buf *out, enum ec_curve curve, struct span sig);

/* A small CRL in memory (the root's), signed, verified, appended to out. Errors of the signer. */
int crl_build(const struct crl_params *params, const struct crl_entry *entries, size_t n,
    const struct signer *signer, struct buf *out, struct err *err) MUST_USE;

/* A parsed CRL; spans borrow. entries is a cursor for crl_entry_get. */
struct crl {
	struct span tbs;
	struct span issuer;
	time_t this_update, next_update;
	int64_t number;
	struct span aki;
	struct der entries;
	struct span sig;
	enum ec_curve sig_curve;
};
/*
 * Strict parse of a complete CRL. FAIL_INVALID naming the clause: not DER, trailing bytes, not v2,
 * not ECDSA or two different algorithms, empty issuer, times in the wrong form, nextUpdate missing
 * or not after thisUpdate, an empty revokedCertificates, AKI (keyIdentifier only) or CRLNumber
 * missing, critical or malformed, a number over 2^63-1, an extension twice or unknown and critical,
 * deltaCRLIndicator or IssuingDistributionPoint. Neither entries nor signature are looked at.
 */
int crl_parse(const uint8_t *der, size_t len, struct crl *out, struct err *err) MUST_USE;
/* Next entry, 1 = got one, 0 = end, -1 = FAIL_INVALID (removeFromCRL, an unknown critical
 * extension, anything malformed). */
int crl_entry_get(struct crl *crl, struct crl_entry *out, struct err *err) MUST_USE;
/* Signature by this key. */
int crl_check_signature(const struct crl *crl, const struct ec_pub *pub, struct err *err) MUST_USE;

#endif
