/*
 * CRLs and CA certificates (RFC 5280 4.2.1.13, 4.2.2.1; RFC 2585). Which CRL is served is the
 * database's word; its bytes go from file to socket and are never held in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "route.h"
#include "smki/clock.h"
#include "smki/crlgen.h"
#include "smki/hex.h"
#include "smki/mem.h"

/* A list may be finished, renamed or superseded and removed while it is looked for. */
#define ROUTE_CRL_TRIES 3
/* A CA's certificate never changes under its name. */
#define ROUTE_CA_AGE 86400

/* The answer to a failure that has been met; its text may name files, so strangers get ours. */
static void
route_file_failed(
    struct route_ctx *ctx, const struct err *err, const char *what, struct http_response *response)
{
	char detail[64];

	if (err->code == FAIL_NOT_FOUND) {
		snprintf(detail, sizeof(detail), "%s: not found", what);
	} else {
		httpd_say(ctx->httpd, err);
		snprintf(detail, sizeof(detail), "%s: cannot be served now", what);
	}
	http_response_free(response);
	http_fail(response, err->code, detail);
}

/* The CA whose name is the first len octets of name. */
static int
route_file_name(
    struct store *store, const char *name, size_t len, struct store_ca *out, struct err *err)
{
	struct store_ca rows[STORE_CAS_MAX];
	size_t n = 0;

	if (store_ca_list(store, rows, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strlen(rows[i].name) != len || memcmp(rows[i].name, name, len) != 0)
			continue;
		*out = rows[i];
		return 0;
	}
	return err_set(err, FAIL_NOT_FOUND, "http: no such CA");
}

/* The CA that NAME + suffix names; *stem = length of NAME, set also when there is no such CA. */
static int
route_file_ca(struct store *store, const char *rest, const char *suffix, size_t *stem,
    struct store_ca *out, struct err *err)
{
	size_t len = strlen(rest), tail = strlen(suffix);

	*stem = 0;
	if (store == NULL)
		return err_set(err, FAIL_UNAVAILABLE, "http: the database is away");
	if (len <= tail || len - tail >= CRL_STEM_MAX || strcmp(rest + len - tail, suffix) != 0)
		return err_set(err, FAIL_NOT_FOUND, "http: no such file");
	*stem = len - tail;
	return route_file_name(store, rest, *stem, out, err);
}

/* The lists that NAME.crl, NAME-delta.crl or NAME-SHARD.crl means. No two CAs' names make one of
 * these ambiguous: the database refuses such names. */
static int
route_crl_which(struct store *store, const char *rest, struct store_ca *ca, struct crl_which *which,
    struct err *err)
{
	char stem[CRL_STEM_MAX], again[CRL_STEM_MAX];
	const char *part;
	size_t len, head;

	*which = (struct crl_which){ .kind = CRL_COMPLETE };
	if (route_file_ca(store, rest, ".crl", &len, ca, err) == 0)
		goto out;
	if (err->code != FAIL_NOT_FOUND || len == 0)
		return -1;
	memcpy(stem, rest, len);
	stem[len] = '\0';
	part = strrchr(stem, '-');
	if (part == NULL)
		return -1;
	head = (size_t)(part - stem);
	part++;
	which->kind = strcmp(part, "delta") == 0 ? CRL_DELTA : CRL_SHARD;
	if (which->kind == CRL_SHARD) {
		which->shard = strtoll(part, NULL, 10);
		snprintf(again, sizeof(again), "%" PRId64, which->shard);
		if (which->shard < 0 || strcmp(again, part) != 0)
			return -1;
	}
	if (route_file_name(store, stem, head, ca, err) != 0)
		return -1;
out:
	which->ca = ca->id;
	return 0;
}

/* Open the file of a finished list: under its name, or the one it has until it is renamed.
 * FAIL_NOT_FOUND: neither is there. */
static int
route_crl_open(const struct home *home, const char *stem, const struct store_crl *crl, int *out,
    struct err *err)
{
	static const char *const suffix[] = { "", ".new", "" };
	char path[HOME_PATH_MAX], rel[CRL_FILE_MAX + 16], name[CRL_FILE_MAX];
	struct stat st;
	int fd = -1;

	crlgen_file(stem, crl->number, name);
	for (size_t i = 0; i < ARRAY_LEN(suffix) && fd < 0; i++) {
		snprintf(rel, sizeof(rel), HOME_CRL "/%s%s", name, suffix[i]);
		if (home_path(home, rel, path, err) != 0)
			return -1;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno != ENOENT)
			return err_sys(err, FAIL_UNAVAILABLE, "crl %s", path);
	}
	if (fd < 0)
		return err_set(err, FAIL_NOT_FOUND, "crl %s: its file is missing", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != crl->size) {
		close(fd);
		return err_set(err, FAIL_UNAVAILABLE,
		    "crl %s: its file is not the one recorded (%lld octets)", name,
		    (long long)crl->size);
	}
	*out = fd;
	return 0;
}

static int
route_crl_newest(struct route_ctx *ctx, const struct store_ca *ca, const struct crl_which *which,
    struct store_crl *crl, int *fd, struct err *err)
{
	char stem[CRL_STEM_MAX];
	struct store_shard shard;
	int rc = -1;
	size_t n;

	if (which->kind == CRL_SHARD &&
	    store_shard_get(ctx->store, ca->id, which->shard, &shard, err) != 0)
		return -1;
	crlgen_stem(ca->name, which, stem);
	for (int i = 0; i < ROUTE_CRL_TRIES && rc != 0; i++) {
		if (store_list_recent(ctx->store, which, crl, 1, &n, err) != 0)
			return -1;
		/* The CA is there, or the shard, so its list will be; of deltas nobody knows. */
		if (n == 0)
			return err_set(err,
			    which->kind == CRL_DELTA ? FAIL_NOT_FOUND : FAIL_UNAVAILABLE,
			    "crl %s: there is none yet", stem);
		rc = route_crl_open(&ctx->httpd->home, stem, crl, fd, err);
		if (rc != 0 && err->code != FAIL_NOT_FOUND)
			return -1;
	}
	if (rc != 0)
		err->code = FAIL_UNAVAILABLE;
	return rc;
}

void
route_crl(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	char etag[2 * SHA256_LEN + 1];
	struct http_validity v = { .etag = etag, .now = clock_now() };
	struct store_crl crl = { 0 };
	struct crl_which which;
	struct store_ca ca;
	struct err err;
	int fd = -1;

	if (route_crl_which(ctx->store, rest, &ca, &which, &err) != 0 ||
	    route_crl_newest(ctx, &ca, &which, &crl, &fd, &err) != 0) {
		route_file_failed(ctx, &err, "crl", response);
		return;
	}
	http_header_set(response, "Content-Type", "application/pkix-crl");
	hex_encode(crl.sha256, sizeof(crl.sha256), etag);
	v.modified = crl.this_update;
	/* A ceremony may sign two within a second. */
	v.dated = ca.parent != ca.id;
	v.expires = crl.next_update;
	http_validate(request, &v, response);
	response->fd = fd;
	response->size = (uint64_t)crl.size;
}

void
route_ca(struct route_ctx *ctx, const struct http_request *request, const char *rest,
    struct http_response *response)
{
	uint8_t digest[SHA256_LEN];
	char etag[2 * SHA256_LEN + 1];
	struct http_validity v = { .etag = etag, .dated = true, .now = clock_now() };
	struct store_cert row;
	struct store_ca ca;
	struct err err;
	size_t len;

	if (route_file_ca(ctx->store, rest, ".cer", &len, &ca, &err) != 0)
		goto failed;
	if (ca.certificate == 0) {
		err_set(&err, FAIL_NOT_FOUND, "ca %s: has no certificate", ca.name);
		goto failed;
	}
	if (store_cert_get(ctx->store, ca.certificate, &row, &err) != 0 ||
	    store_cert_der(ctx->store, ca.certificate, &response->body, &err) != 0)
		goto failed;
	http_header_set(response, "Content-Type", "application/pkix-cert");
	require(EVP_Digest(response->body.data, response->body.len, digest, NULL, EVP_sha256(),
		    NULL) == 1);
	hex_encode(digest, sizeof(digest), etag);
	v.modified = row.not_before;
	v.expires = v.now + ROUTE_CA_AGE;
	http_validate(request, &v, response);
	return;
failed:
	route_file_failed(ctx, &err, "ca", response);
}
