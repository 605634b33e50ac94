/*
 * Writing the bodies of EST's answers: base64 (RFC 8951 3.1) in one line, or in lines where the
 * home's clients need them. Judges nothing.
 */
#include <stdio.h>

#include "route_est.h"
#include "smki/est.h"
#include "smki/hex.h"
#include "smki/rng.h"

#define EST_LINE 64
#define EST_BOUNDARY_OCTETS 16

static void
est_reply_base64(const struct home *home, struct span octets, struct buf *out)
{
	base64_encode(octets.p, octets.len, home->enrol.base64_lines ? EST_LINE : 0, out);
	if (!home->enrol.base64_lines)
		buf_add_str(out, "\n");
}

static void
est_reply_head(const char *type, struct http_response *response)
{
	response->status = HTTP_OK;
	http_header_set(response, "Content-Type", "%s", type);
	http_header_set(response, "Cache-Control", "no-store");
}

void
est_reply_certs(const struct home *home, const char *type, const struct span *certs, size_t n,
    struct http_response *response)
{
	struct buf cms = { 0 };

	est_reply_head(type, response);
	est_certs_only(certs, n, &cms);
	est_reply_base64(home, buf_span(&cms), &response->body);
	buf_free(&cms);
}

void
est_reply_attributes(
    const struct home *home, const struct profile *profile, struct http_response *response)
{
	struct buf attrs = { 0 };

	est_reply_head("application/csrattrs", response);
	est_csrattrs(profile, &attrs);
	est_reply_base64(home, buf_span(&attrs), &response->body);
	buf_free(&attrs);
}

static void
est_reply_part(const struct home *home, const char *boundary, const char *type, struct span octets,
    struct buf *out)
{
	buf_fmt(out, "--smki-%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n",
	    boundary, type);
	est_reply_base64(home, octets, out);
	buf_add_str(out, "\r\n");
}

int
est_reply_server_key(const struct home *home, struct span key, struct span cert,
    struct http_response *response, struct err *err)
{
	uint8_t octets[EST_BOUNDARY_OCTETS];
	char boundary[2 * EST_BOUNDARY_OCTETS + 1], type[HTTP_VALUE_MAX];
	struct buf cms = { 0 };

	/* Nothing that somebody sends can be in a part: base64 holds no "--". Random all the same, so
	 * no reader takes it for granted. */
	if (rng_draw(octets, sizeof(octets)) != 0)
		return err_set(err, FAIL_INTERNAL, "est: no random octets");
	hex_encode(octets, sizeof(octets), boundary);
	snprintf(type, sizeof(type), "multipart/mixed; boundary=smki-%s", boundary);
	est_reply_head(type, response);
	est_certs_only(&cert, 1, &cms);
	/* Room for all of it: a buffer that moves leaves a copy of the key behind. */
	buf_reserve(&response->body, 2 * (key.len + cms.len) + 1024);
	response->secret = true;
	est_reply_part(home, boundary, "application/pkcs8", key, &response->body);
	est_reply_part(home, boundary, EST_TYPE_CERTS, buf_span(&cms), &response->body);
	buf_fmt(&response->body, "--smki-%s--\r\n", boundary);
	buf_free(&cms);
	return 0;
}
