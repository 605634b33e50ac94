/*
 * Reading and writing the JSON of POST /bootstrap. Knows types and forms; whether a statement is
 * true is smkid's affair.
 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "bootstrap_json.h"
#include "smki/csr.h"
#include "smki/der.h"
#include "smki/hex.h"
#include "smki/lifecycle.h"
#include "smki/mem.h"

#define BOOTSTRAP_MILLION 1e6
/* A written millionth is nearer than this to a whole number of them: doubles err by 1e-7 at most. */
#define BOOTSTRAP_NEAR 1e-6
/* Base64 with white space in it. */
#define BOOTSTRAP_TEXT_MAX(octets) (2 * (octets))

static int
bootstrap_bad(struct err *err, const char *member, const char *finding)
{
	return err_set(err, FAIL_INVALID, "bootstrap: %s: %s", member, finding);
}

/* Nothing but these names in an object. */
static int
bootstrap_members(
    const json_t *object, const char *const *names, size_t n, const char *what, struct err *err)
{
	const char *key;
	json_t *value;
	size_t i;

	/* The loop only reads; jansson wants it otherwise. */
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		for (i = 0; i < n && strcmp(names[i], key) != 0; i++)
			;
		if (i == n)
			return bootstrap_bad(err, what, "a member that is not known");
	}
	return 0;
}

/* Text into out; "" when absent, which is an error when it must be there. */
static int
bootstrap_text(
    const json_t *root, const char *name, bool wanted, char *out, size_t cap, struct err *err)
{
	const json_t *value = json_object_get(root, name);

	out[0] = '\0';
	if (value == NULL)
		return wanted ? bootstrap_bad(err, name, "is missing") : 0;
	if (!json_is_string(value))
		return bootstrap_bad(err, name, "is no string");
	if (json_string_length(value) >= cap)
		return bootstrap_bad(err, name, "is too long");
	memcpy(out, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

static int
bootstrap_base64(
    const json_t *value, const char *name, size_t max, struct buf *out, struct err *err)
{
	if (!json_is_string(value))
		return bootstrap_bad(err, name, "is no string");
	if (json_string_length(value) > BOOTSTRAP_TEXT_MAX(max) ||
	    base64_decode(json_string_value(value), json_string_length(value), max, 0, out) != 0)
		return bootstrap_bad(err, name, "RFC 4648 4: is no base64, or too long");
	if (out->len == 0)
		return bootstrap_bad(err, name, "is empty");
	return 0;
}

static int
bootstrap_degrees(const json_t *position, const char *name, int32_t *out, struct err *err)
{
	const json_t *value = json_object_get(position, name);
	double degrees, millionths;

	if (!json_is_number(value))
		return bootstrap_bad(err, name, "is no number");
	degrees = json_number_value(value);
	/* The range proper is the statement's; this one is of the type. */
	if (!(degrees >= -360.0 && degrees <= 360.0))
		return bootstrap_bad(err, name, "is no angle");
	millionths = degrees * BOOTSTRAP_MILLION;
	if (fabs(millionths - (double)llround(millionths)) > BOOTSTRAP_NEAR)
		return bootstrap_bad(err, name, "has more than six decimals");
	*out = (int32_t)llround(millionths);
	return 0;
}

static int
bootstrap_position(const json_t *root, struct statement *out, struct err *err)
{
	static const char *const names[] = { "latitude", "longitude" };
	const json_t *position = json_object_get(root, "position");

	if (position == NULL)
		return 0;
	if (!json_is_object(position))
		return bootstrap_bad(err, "position", "is no object");
	out->has_position = true;
	if (bootstrap_members(position, names, ARRAY_LEN(names), "position", err) != 0 ||
	    bootstrap_degrees(position, names[0], &out->latitude, err) != 0)
		return -1;
	return bootstrap_degrees(position, names[1], &out->longitude, err);
}

static int
bootstrap_statement(const json_t *root, struct statement *out, struct err *err)
{
	char version[sizeof(BOOTSTRAP_VERSION)], eui[3 * EUI64_LEN], time[TIME_TEXT_LEN];

	if (bootstrap_text(root, "version", true, version, sizeof(version), err) != 0)
		return -1;
	if (strcmp(version, BOOTSTRAP_VERSION) != 0)
		return bootstrap_bad(err, "version", "is not " BOOTSTRAP_VERSION);
	if (bootstrap_text(root, "eui64", true, eui, sizeof(eui), err) != 0)
		return -1;
	if (eui64_parse(eui, &out->eui, NULL) != 0)
		return bootstrap_bad(err, "eui64", "is no EUI-64");
	if (bootstrap_text(root, "hw_type", true, out->hw_type, sizeof(out->hw_type), err) != 0 ||
	    bootstrap_text(root, "model", false, out->model, sizeof(out->model), err) != 0 ||
	    bootstrap_text(root, "firmware", false, out->firmware, sizeof(out->firmware), err) !=
		0 ||
	    bootstrap_text(root, "time", true, time, sizeof(time), err) != 0)
		return -1;
	if (strlen(time) != TIME_TEXT_LEN - 1 || time_parse(time, &out->time) != 0)
		return bootstrap_bad(err, "time", "is not YYYY-MM-DDTHH:MM:SSZ");
	if (bootstrap_text(root, "country", false, out->country, sizeof(out->country), err) != 0 ||
	    bootstrap_position(root, out, err) != 0)
		return -1;
	return statement_check(out, err);
}

static int
bootstrap_certificates(const json_t *root, struct enrol_request *out, struct err *err)
{
	const json_t *list = json_object_get(root, "certificates");
	size_t n;

	if (list == NULL)
		return 0;
	n = json_is_array(list) ? json_array_size(list) : 0;
	if (n == 0 || n > ANCHOR_CHAIN_MAX)
		return bootstrap_bad(err, "certificates", "is no array of 1 to 6 certificates");
	out->n_chain = n;
	for (size_t i = 0; i < n; i++)
		if (bootstrap_base64(json_array_get(list, i), "certificates", ANCHOR_CERT_MAX,
			&out->chain[i], err) != 0)
			return -1;
	return 0;
}

static int
bootstrap_csr(const json_t *root, struct enrol_request *out, struct err *err)
{
	const json_t *csr = json_object_get(root, "csr"), *renew = json_object_get(root, "renew");

	if (renew != NULL && !json_is_boolean(renew))
		return bootstrap_bad(err, "renew", "is neither true nor false");
	out->kind = csr == NULL		  ? ENROL_SERVER_KEY
		    : json_is_true(renew) ? ENROL_RENEW
					  : ENROL_FIRST;
	if (csr == NULL)
		return json_is_true(renew) ? bootstrap_bad(err, "renew", "needs a csr") : 0;
	if (!json_is_string(csr))
		return bootstrap_bad(err, "csr", "is no string");
	if (json_string_length(csr) == 0 || json_string_length(csr) > CSR_TEXT_MAX)
		return bootstrap_bad(err, "csr", "is empty or too long");
	buf_add_str(&out->csr, json_string_value(csr));
	return 0;
}

static int
bootstrap_root(const json_t *root, struct enrol_request *out, struct err *err)
{
	static const char *const names[] = { "version", "eui64", "hw_type", "model", "firmware",
		"time", "country", "position", "csr", "certificates", "signature", "profile",
		"renew" };

	if (!json_is_object(root))
		return bootstrap_bad(err, "body", "is no JSON object");
	if (bootstrap_members(root, names, ARRAY_LEN(names), "body", err) != 0 ||
	    bootstrap_statement(root, &out->statement, err) != 0 ||
	    bootstrap_certificates(root, out, err) != 0 || bootstrap_csr(root, out, err) != 0 ||
	    bootstrap_text(root, "profile", false, out->profile, sizeof(out->profile), err) != 0)
		return -1;
	if (out->profile[0] != '\0' && name_check("profile", out->profile, NULL) != 0)
		return bootstrap_bad(err, "profile", "is no profile's name");
	out->has_statement = true;
	return bootstrap_base64(
	    json_object_get(root, "signature"), "signature", ENROL_SIG_MAX, &out->signature, err);
}

int
bootstrap_json_read(const uint8_t *data, size_t len, struct enrol_request *out, struct err *err)
{
	json_error_t why;
	json_t *root = len > 0 ? json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, &why)
			       : NULL;
	int rc;

	if (root == NULL)
		return bootstrap_bad(err, "body", "RFC 8259: is no JSON, or holds a member twice");
	rc = bootstrap_root(root, out, err);
	json_decref(root);
	return rc;
}

/* ---- the answer ---- */

/* "name": "text", with what RFC 8259 7 wants escaped. */
static void
bootstrap_put_text(struct buf *out, const char *name, const char *text)
{
	buf_fmt(out, ",\"%s\":\"", name);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			buf_fmt(out, "\\u%04x", (unsigned)(unsigned char)*p);
		else
			buf_add_u8(out, (uint8_t)*p);
	}
	buf_add_str(out, "\"");
}

/* As above; "" is null. */
static void
bootstrap_put_maybe(struct buf *out, const char *name, const char *text)
{
	if (text[0] != '\0')
		bootstrap_put_text(out, name, text);
	else
		buf_fmt(out, ",\"%s\":null", name);
}

static void
bootstrap_put_time(struct buf *out, const char *name, time_t t)
{
	char text[TIME_TEXT_LEN];

	time_text(t, text);
	bootstrap_put_text(out, name, text);
}

static void
bootstrap_put_octets(struct buf *out, const struct buf *octets)
{
	buf_add_str(out, "\"");
	base64_encode(octets->data, octets->len, 0, out);
	buf_add_str(out, "\"");
}

static void
bootstrap_put_region(struct buf *out, const struct bootstrap_answer *a)
{
	struct buf list = { 0 };

	bootstrap_put_maybe(out, "region", a->region != NULL ? a->region->name : "");
	bootstrap_put_maybe(
	    out, "region_by", a->region != NULL ? region_why_str(a->region_why) : "");
	for (size_t i = 0; a->region != NULL && i < a->region->n_endpoints; i++)
		bootstrap_put_text(&list, a->region->endpoint[i].name, a->region->endpoint[i].url);
	/* Each begins with a comma; the first goes. */
	buf_fmt(out, ",\"endpoints\":{%s}", list.len > 0 ? buf_text(&list) + 1 : "");
	buf_free(&list);
}

void
bootstrap_json_write(const struct bootstrap_answer *a, struct buf *out)
{
	const struct issue_result *issued = &a->enrolled->issued;
	char serial[SERIAL_TEXT_LEN];

	/* A buffer that moves leaves a copy of the key behind. */
	if (a->enrolled->key.len > 0)
		buf_reserve(out, 128 * 1024);
	serial_text(&issued->serial, serial);
	buf_add_str(out, "{\"version\":\"" BOOTSTRAP_VERSION "\",\"status\":\"issued\"");
	bootstrap_put_text(out, "serial", serial);
	bootstrap_put_text(out, "state", state_str(issued->state));
	bootstrap_put_text(out, "profile", issued->profile);
	bootstrap_put_text(out, "ca", issued->ca);
	buf_add_str(out, ",\"certificate\":");
	bootstrap_put_octets(out, &issued->der);
	buf_add_str(out, ",\"chain\":[");
	for (size_t i = 0; i < a->n_chain; i++) {
		buf_add_str(out, i > 0 ? "," : "");
		bootstrap_put_octets(out, &a->chain[i]);
	}
	buf_add_str(out, "]");
	if (a->enrolled->key.len > 0) {
		buf_add_str(out, ",\"private_key\":");
		bootstrap_put_octets(out, &a->enrolled->key);
	}
	bootstrap_put_region(out, a);
	bootstrap_put_maybe(out, "ocsp", a->ocsp);
	bootstrap_put_maybe(out, "crl", a->crl);
	bootstrap_put_time(out, "server_time", a->now);
	bootstrap_put_time(out, "not_after", a->enrolled->not_after);
	if (a->renew_after < TIME_NO_EXPIRY)
		bootstrap_put_time(out, "renew_after", a->renew_after);
	else
		buf_add_str(out, ",\"renew_after\":null");
	buf_add_str(out, "}\n");
}
