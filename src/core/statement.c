/*
 * A meter's statement about itself: its checks, the octets that are signed, the signature. It does
 * not judge whether the time is near enough or the device known: enrolment does.
 */
#include <stdio.h>
#include <string.h>

#include "smki/eckey.h"
#include "smki/hex.h"
#include "smki/region.h"
#include "smki/statement.h"

#define STATEMENT_LABEL "smki-bootstrap-v1"

static int
statement_check_text(const char *field, const char *text, struct err *err)
{
	size_t len = strnlen(text, STATEMENT_TEXT_LEN);

	if (len == STATEMENT_TEXT_LEN)
		return err_set(err, FAIL_INVALID, "bootstrap: %s: is over %d octets", field,
		    STATEMENT_TEXT_LEN - 1);
	if (!utf8_plain(text, len))
		return err_set(err, FAIL_INVALID,
		    "bootstrap: %s: is not UTF-8 text without control characters", field);
	return 0;
}

int
statement_check(const struct statement *statement, struct err *err)
{
	uint8_t oid[OID_DER_MAX];
	size_t oid_len;

	if (oid_from_text(statement->hw_type, oid, &oid_len) != 0)
		return err_set(
		    err, FAIL_INVALID, "bootstrap: hw_type: is not an object identifier");
	if (statement_check_text("model", statement->model, err) != 0 ||
	    statement_check_text("firmware", statement->firmware, err) != 0)
		return -1;
	if (statement->time < 0 || statement->time > TIME_NO_EXPIRY)
		return err_set(
		    err, FAIL_INVALID, "bootstrap: time: is not in the years 1970 to 9999");
	if (statement->country[0] != '\0' && !region_country_ok(statement->country))
		return err_set(err, FAIL_INVALID,
		    "bootstrap: country: is not two capital letters (ISO 3166-1)");
	if (statement->has_position &&
	    !region_position_ok(statement->latitude, statement->longitude))
		return err_set(err, FAIL_INVALID,
		    "bootstrap: position: is not on the globe (latitude -90 to 90, longitude -180 "
		    "to 180)");
	return 0;
}

void
statement_text(const struct statement *statement, const uint8_t *csr_sha256, struct buf *out)
{
	char eui[2 * EUI64_LEN + 1], digest[2 * SHA256_LEN + 1] = "";
	char position[REGION_POSITION_LEN] = "", at[TIME_TEXT_LEN];

	hex_encode(statement->eui.octets, EUI64_LEN, eui);
	time_text(statement->time, at);
	if (statement->has_position)
		region_position_text(statement->latitude, statement->longitude, position);
	if (csr_sha256 != NULL)
		hex_encode(csr_sha256, SHA256_LEN, digest);
	buf_fmt(out, STATEMENT_LABEL "\neui64=%s\nhw_type=%s\nmodel=%s\nfirmware=%s\n", eui,
	    statement->hw_type, statement->model, statement->firmware);
	buf_fmt(out, "time=%s\ncountry=%s\nposition=%s\ncsr_sha256=%s\n", at, statement->country,
	    position, digest);
}

int
statement_verify(const struct statement *statement, const uint8_t *csr_sha256,
    const struct ec_pub *pub, struct span sig, struct err *err)
{
	uint8_t digest[SHA384_LEN];
	struct buf text = { 0 };
	struct err why = { 0 };
	size_t len;
	int r = -1;

	/* Octets of what is not checked could be those of another statement. */
	if (statement_check(statement, err) != 0)
		goto out;
	statement_text(statement, csr_sha256, &text);
	len = ec_digest(pub->curve, text.data, text.len, digest);
	if (ec_verify(pub, digest, len, sig, &why) != 0) {
		err_set(err, why.code == FAIL_INVALID ? FAIL_DENIED : why.code,
		    "bootstrap: signature: %s", why.msg);
		goto out;
	}
	r = 0;
out:
	buf_free(&text);
	return r;
}
