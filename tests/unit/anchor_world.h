/*
 * Two manufacturers, for tests of anchors: roots, intermediates good and bad, keys. A certificate is
 * named by a letter: L the device's (which the test brings), M the intermediate, R the root, O and P
 * another's root and intermediate, m and r ended, N a root without keyUsage, p the intermediate
 * without basicConstraints, F a forged one. Never part of a program.
 */
#ifndef ANCHOR_WORLD_H
#define ANCHOR_WORLD_H

#include "idevid.h"
#include "test.h"

/* The time of all tests: 20260921141320Z. */
#define T0 ((time_t)1790000000)
#define DAY 86400

/* A manufacturer's root and intermediate, another's, and keys. */
static struct {
	EVP_PKEY *root_key, *mid_key, *other_key, *leaf_key, *p384, *p521, *ed25519, *rsa;
	X509 *root, *mid, *mid_old, *mid_plain, *mid_fake, *root_old, *root_bare, *other,
	    *other_mid;
} world;

static inline X509 *
world_ca(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, time_t to)
{
	struct idevid_spec spec = { .cn = cn,
		.key = key,
		.issuer = issuer,
		.issuer_key = issuer_key,
		.ca = true,
		.cert_sign = true,
		.number = 7,
		.from = T0 - 300 * DAY,
		.to = to };

	return idevid_new(&spec);
}

static inline void
world_make(void)
{
	struct idevid_spec bare = { .cn = "acme", .ca = true, .from = T0 - DAY, .san = IDEVID_SAN };
	struct idevid_spec plain = { .cn = "acme mid", .cert_sign = true, .from = T0 - DAY };

	world.root_key = EVP_EC_gen("P-256");
	world.mid_key = EVP_EC_gen("P-256");
	world.other_key = EVP_EC_gen("P-256");
	world.leaf_key = EVP_EC_gen("P-256");
	world.p384 = EVP_EC_gen("P-384");
	world.p521 = EVP_EC_gen("P-521");
	world.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	world.rsa = EVP_RSA_gen(1024);
	world.root = world_ca("acme", world.root_key, NULL, world.root_key, 0);
	world.root_old = world_ca("acme", world.root_key, NULL, world.root_key, T0 - 1);
	world.mid = world_ca("acme mid", world.mid_key, world.root, world.root_key, 0);
	world.mid_old = world_ca("acme mid", world.mid_key, world.root, world.root_key, T0 - 1);
	world.other = world_ca("other", world.other_key, NULL, world.other_key, 0);
	world.other_mid = world_ca("other mid", world.p384, world.other, world.other_key, 0);
	/* The name of the intermediate, and the root's name as issuer, but another's signature. */
	world.mid_fake = world_ca("acme mid", world.other_key, world.root, world.other_key, 0);
	bare.key = bare.issuer_key = world.root_key;
	world.root_bare = idevid_new(&bare);
	plain.key = world.mid_key;
	plain.issuer = world.root;
	plain.issuer_key = world.root_key;
	world.mid_plain = idevid_new(&plain);
}

static inline void
world_free(void)
{
	EVP_PKEY *keys[] = { world.root_key, world.mid_key, world.other_key, world.leaf_key,
		world.p384, world.p521, world.ed25519, world.rsa };
	X509 *certs[] = { world.root, world.mid, world.mid_old, world.mid_plain, world.mid_fake,
		world.root_old, world.root_bare, world.other, world.other_mid };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(certs); i++)
		X509_free(certs[i]);
}

static inline const X509 *
world_letter(char letter, const X509 *leaf)
{
	switch (letter) {
	case 'L':
	case 't':
		return leaf;
	case 'M':
	case 'x':
		return world.mid;
	case 'm':
		return world.mid_old;
	case 'p':
		return world.mid_plain;
	case 'F':
		return world.mid_fake;
	case 'R':
		return world.root;
	case 'r':
		return world.root_old;
	case 'N':
		return world.root_bare;
	case 'O':
		return world.other;
	case 'P':
		return world.other_mid;
	}
	require(!"a letter");
	return NULL;
}

/* First and last case of a suite. */
static inline void
world_begin(void)
{
	world_make();
	CHECK(world.root != NULL);
}

static inline void
world_end(void)
{
	CHECK(world.root != NULL);
	world_free();
}

#endif
