/*
 * The JSON of POST /bootstrap (docs/openapi.yaml): a request to what smkid takes, an answer to text.
 */
#ifndef SMKI_HTTPD_BOOTSTRAP_JSON_H
#define SMKI_HTTPD_BOOTSTRAP_JSON_H

#include "smki/enrol.h"
#include "smki/region.h"

#define BOOTSTRAP_VERSION "smki-bootstrap-v1"

/*
 * Fills statement, signature, csr, chain ("certificates"), profile and kind of out, which is zeroed
 * and for enrol_request_free either way. No csr: ENROL_SERVER_KEY; "renew": ENROL_RENEW. Strict:
 * members unknown, twice or of the wrong type are refused, so is what base64 or a range does not
 * hold. FAIL_INVALID "bootstrap: MEMBER: ...".
 *
 * Positions are JSON numbers of at most six decimals. The reader of JSON hands them over as binary
 * fractions; the nearest millionth is exactly the number that was written, and one that is not
 * there (more decimals) is refused.
 */
int bootstrap_json_read(
    const uint8_t *data, size_t len, struct enrol_request *out, struct err *err) MUST_USE;

/* An answer's parts; all borrowed. */
struct bootstrap_answer {
	const struct enrol_answer *enrolled;
	size_t n_chain;
	const struct buf *chain;     /* DER: the issuing CA first, the root last */
	const struct region *region; /* NULL = none */
	enum region_why region_why;
	const char *ocsp, *crl; /* "" = none */
	time_t now;
	time_t renew_after; /* TIME_NO_EXPIRY = never */
};
/* Append it as one JSON object and a line end. Grown at once when it holds a key. */
void bootstrap_json_write(const struct bootstrap_answer *answer, struct buf *out);

#endif
