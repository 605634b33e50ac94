/*
 * An issuer, a serial number and a grant of known octets, for the tests of certificates.
 */
#ifndef ISSUER_H
#define ISSUER_H

#include "policy.h"
#include "smki/cert.h"

/* OU=07, CN=Z1 */
#define ISSUER "301A 310B 3009 0603 55040B 1302 3037 310B 3009 0603 550403 1302 5A31"
#define ISSUER_SKI "4011223344556677"
#define T_2026 ((time_t)1767225600) /* 20260101000000Z */
#define T_2050 ((time_t)2524608000) /* 20500101000000Z */

static inline struct span
hex_span(const char *hex, uint8_t *octets, size_t cap)
{
	return (struct span){ octets, policy_hex(hex, octets, cap) };
}

static inline struct issuer
test_issuer(void)
{
	static uint8_t subject[64], ski[8];
	struct issuer issuer = { .not_after = T_2050, .curve = EC_P256 };

	issuer.subject = hex_span(ISSUER, subject, sizeof(subject));
	issuer.ski = hex_span(ISSUER_SKI, ski, sizeof(ski));
	return issuer;
}

static inline struct serial
test_serial(void)
{
	struct serial s = { .len = 8 };

	policy_hex("7F23456789ABCDEF", s.octets, sizeof(s.octets));
	return s;
}

/* A grant to the base point of P-256 from a request of these parts. */
static inline struct grant
test_grant(const struct profile *p, const char *subject, const char *usage, const char *san)
{
	struct policy_csr r;
	struct grant g;
	struct err err;

	policy_csr_init(&r, subject);
	policy_csr_ext(&r, EXT_KEY_USAGE, usage);
	if (san != NULL)
		policy_csr_ext(&r, EXT_SAN, san);
	if (profile_grant(p, &r.csr, &g, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	return g;
}

#endif
