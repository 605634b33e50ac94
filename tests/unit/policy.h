/*
 * What the tests of profiles and certificates share: the shipped policies, hexadecimal tables,
 * and requests made up field by field.
 */
#ifndef POLICY_H
#define POLICY_H

#include <dirent.h>

#include "smki/ext.h"
#include "smki/hex.h"
#include "smki/mem.h"
#include "smki/profile.h"

/* A whole file of at most 64 KiB, NUL terminated; the caller frees. NULL when it is not there. */
static inline char *
policy_file(const char *path, size_t *len)
{
	char *full = mem_fmt("%s/%s", test_root, path), *text;
	FILE *in = fopen(full, "rb");

	if (in == NULL)
		fprintf(stderr, "  cannot read %s\n", full);
	free(full);
	if (in == NULL)
		return NULL;
	text = mem_alloc(65537);
	*len = fread(text, 1, 65536, in);
	fclose(in);
	return text;
}

/*
 * Every file of a corpus folder through read(), which gives 0 or -1: what is named good- must be
 * read and all else refused. Returns how many files there were.
 */
static inline size_t
policy_corpus(const char *dir, int (*read)(const char *text, size_t len))
{
	char *full = mem_fmt("%s/%s", test_root, dir);
	DIR *d = opendir(full);
	struct dirent *entry;
	size_t n = 0, len;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		char *path, *text;

		if (entry->d_name[0] == '.')
			continue;
		path = mem_fmt("%s/%s", dir, entry->d_name);
		text = policy_file(path, &len);
		CHECK_ROW(entry->d_name,
		    text != NULL &&
			read(text, len) == (strncmp(entry->d_name, "good-", 5) == 0 ? 0 : -1));
		free(text);
		free(path);
		n++;
	}
	if (d != NULL)
		closedir(d);
	free(full);
	return n;
}

static inline struct profile *
policy_load(const char *name)
{
	char path[128], *text;
	struct profile *p = NULL;
	struct err err;
	size_t len;

	snprintf(path, sizeof(path), "policies/%s.cnf", name);
	text = policy_file(path, &len);
	if (text == NULL || profile_parse(name, text, len, &p, &err) != 0) {
		fprintf(stderr, "  %s: %s\n", path, text != NULL ? err.msg : "missing");
		exit(1);
	}
	free(text);
	return p;
}

/* Hexadecimal (blanks allowed) to octets in a static table of the caller's. */
static inline size_t
policy_hex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = 0;
	unsigned v;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		require(n < cap && sscanf(hex, "%2x", &v) == 1);
		out[n++] = (uint8_t)v;
		hex++;
	}
	return n;
}

/* The base point of P-256: a key that anybody can write down. */
#define POLICY_POINT                                                                               \
	"04 6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"                      \
	"   4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"

static inline struct ec_pub
policy_pub(void)
{
	struct ec_pub pub = { .curve = EC_P256 };

	pub.len = policy_hex(POLICY_POINT, pub.point, sizeof(pub.point));
	return pub;
}

/* A request under construction; spans of csr point into octets. */
struct policy_csr {
	struct csr csr;
	uint8_t octets[8192];
	size_t used;
};

static inline struct span
policy_span(struct policy_csr *r, const char *hex)
{
	struct span s = { r->octets + r->used, 0 };

	s.len = policy_hex(hex, r->octets + r->used, sizeof(r->octets) - r->used);
	r->used += s.len;
	return s;
}

static inline void
policy_csr_init(struct policy_csr *r, const char *subject)
{
	memset(r, 0, sizeof(*r));
	r->csr.subject = policy_span(r, subject);
	r->csr.pub = policy_pub();
}

static inline void
policy_csr_ext(struct policy_csr *r, enum ext_id id, const char *value)
{
	struct extlist_item *ext = &r->csr.ext[r->csr.n_ext++];

	ext->oid = ext_oid(id);
	ext->value = policy_span(r, value);
	r->csr.has_ext_request = true;
}

#define POLICY_KU_SIGN "03020780"
#define POLICY_KU_AGREE "03020308"
/* 1.3.6.1.4.1.32473.1, EUI-64 00DB123456780001 (RFC 4108 5) */
#define POLICY_SAN                                                                                 \
	"3025 A023 0608 2B06010505070804 A017 3015 0609 2B0601040181FD5901 0408 00DB123456780001"
/* OU=02, x500UniqueIdentifier=00DB123456780001 */
#define POLICY_ORG                                                                                 \
	"3021 310B 3009 0603 55040B 1302 3032 3112 3010 0603 55042D 0309 00 00DB123456780001"

#endif
