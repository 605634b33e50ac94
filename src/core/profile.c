/*
 * Certificate profiles: reading a profile file's text, value by value; profile_rules.c says which
 * values contradict each other. It reads no file (the caller has the text) and sees no request;
 * profile_grant.c does.
 */
#include <stdlib.h>
#include <string.h>

#include "profile_rules.h"
#include "smki/conf.h"
#include "smki/mem.h"
#include "smki/name.h"

/* One item of a comma-separated list, with NUL. */
#define PROFILE_ITEM_LEN OID_TEXT_LEN
#define PROFILE_MINUTE 60L
/* 60 years: fits a 32-bit long. */
#define PROFILE_VALIDITY_MAX (60L * 365 * 86400)

#define PROFILE_SECTION "profile"

static const struct conf_key profile_keys[] = {
	{ "profile", "description" },
	{ "profile", "kind" },
	{ "profile", "curve" },
	{ "profile", "validity" },
	{ "profile", "serial_octets" },
	{ "profile", "key_usage" },
	{ "profile", "extended_key_usage" },
	{ "profile", "extended_key_usage_critical" },
	{ "profile", "key_identifier" },
	{ "profile", "policies" },
	{ "profile", "policies_critical" },
	{ "profile", "basic_constraints" },
	{ "profile", "crl_distribution_point" },
	{ "profile", "authority_information" },
	{ "profile", "ocsp_nocheck" },
	{ "profile", "hw_type_arcs" },
	{ "profile", "eui64_ouis" },
	{ "profile", "role_codes" },
	{ "profile", "enrol" },
	{ "profile", "server_keygen" },
	{ "profile", "scopes" },
	{ "subject", "C" },
	{ "subject", "O" },
	{ "subject", "OU" },
	{ "subject", "CN" },
	{ "subject", "serialNumber" },
};

static const struct {
	const char *word;
	enum profile_kind kind;
} profile_kinds[] = {
	{ "root-ca", PROFILE_ROOT_CA },
	{ "issuing-ca", PROFILE_ISSUING_CA },
	{ "ocsp", PROFILE_OCSP },
	{ "server", PROFILE_SERVER },
	{ "organisation", PROFILE_ORGANISATION },
	{ "device", PROFILE_DEVICE },
};

static const struct {
	const char *word;
	unsigned bit;
} profile_usages[] = {
	{ "digitalSignature", KEY_USAGE_DIGITAL_SIGNATURE },
	{ "keyAgreement", KEY_USAGE_KEY_AGREEMENT },
	{ "keyCertSign", KEY_USAGE_KEY_CERT_SIGN },
	{ "cRLSign", KEY_USAGE_CRL_SIGN },
};

struct profile_word {
	const char *word;
	const char *oid;
};

static const struct profile_word profile_purposes[] = {
	{ "serverAuth", PROFILE_SERVER_AUTH },
	{ "clientAuth", "1.3.6.1.5.5.7.3.2" },
	{ "OCSPSigning", PROFILE_OCSP_SIGNING },
	{ NULL, NULL },
};

/* The order in which a subject is encoded: from the general to the particular. */
static const struct {
	const char *key;
	enum name_type type;
	const char *oid;
} profile_subject[] = {
	{ "C", NAME_C, "2.5.4.6" },
	{ "O", NAME_O, "2.5.4.10" },
	{ "OU", NAME_OU, "2.5.4.11" },
	{ "CN", NAME_CN, "2.5.4.3" },
	{ "serialNumber", NAME_SERIAL_NUMBER, "2.5.4.5" },
};

const char *
profile_kind_str(enum profile_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(profile_kinds); i++)
		if (profile_kinds[i].kind == kind)
			return profile_kinds[i].word;
	return "?";
}

/* FAIL_INVALID naming the profile, the key and its value. */
static int
profile_refuse(
    const struct profile *p, const char *key, const char *value, const char *why, struct err *err)
{
	return err_set(err, FAIL_INVALID, "profile %s: %s = %.80s: %s", p->name, key, value, why);
}

/*
 * Next item of a list: blanks around it trimmed, *at moved behind it and NULL after the last. 1,
 * 0 at the end, -1 when the item is empty or too long.
 */
static int
profile_item(const char **at, char separator, char item[PROFILE_ITEM_LEN])
{
	const char *p = *at, *end;
	size_t len;

	if (p == NULL)
		return 0;
	p += strspn(p, " \t");
	end = strchr(p, separator);
	len = end != NULL ? (size_t)(end - p) : strlen(p);
	*at = end != NULL ? end + 1 : NULL;
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	if (len == 0 || len >= PROFILE_ITEM_LEN)
		return -1;
	memcpy(item, p, len);
	item[len] = '\0';
	return 1;
}

static int
profile_oid_set(const char *text, struct profile_oid *out)
{
	struct profile_oid oid = { .len = 0 };

	if (oid_from_text(text, oid.octets, &oid.len) != 0 ||
	    oid_to_text((struct span){ oid.octets, oid.len }, oid.text) != 0)
		return -1;
	*out = oid;
	return 0;
}

/* A list of OIDs, or of words for them. An absent key is an empty list. */
static int
profile_read_oids(const struct profile *p, const struct conf *conf, const char *key,
    const struct profile_word *words, struct profile_oid *out, size_t *n, struct err *err)
{
	const char *value = conf_get(conf, PROFILE_SECTION, key), *at = value, *text;
	char item[PROFILE_ITEM_LEN];
	int got;

	while ((got = profile_item(&at, ',', item)) == 1) {
		struct profile_oid oid;

		text = item;
		for (const struct profile_word *w = words; w != NULL && w->word != NULL; w++)
			if (strcmp(w->word, item) == 0)
				text = w->oid;
		if (profile_oid_set(text, &oid) != 0)
			return profile_refuse(p, key, item, "not an object identifier", err);
		if (profile_has_oid(out, *n, oid.text))
			return profile_refuse(p, key, item, "given twice", err);
		if (*n == PROFILE_LIST_MAX)
			return profile_refuse(p, key, value, "more than 8 identifiers", err);
		out[(*n)++] = oid;
	}
	if (got < 0)
		return profile_refuse(p, key, value, "an item is empty or too long", err);
	return 0;
}

/* "a, b" = all of them; "a | b" = the request chooses exactly one. */
static int
profile_read_usage(struct profile *p, const struct conf *conf, struct err *err)
{
	const char *value, *at;
	char item[PROFILE_ITEM_LEN];
	int got;

	if (conf_need(conf, PROFILE_SECTION, "key_usage", &value, err) != 0)
		return -1;
	p->key_usage_choice = strchr(value, '|') != NULL;
	at = value;
	while ((got = profile_item(&at, p->key_usage_choice ? '|' : ',', item)) == 1) {
		unsigned bit = 0;

		for (size_t i = 0; i < ARRAY_LEN(profile_usages); i++)
			if (strcmp(profile_usages[i].word, item) == 0)
				bit = profile_usages[i].bit;
		if (bit == 0)
			return profile_refuse(p, "key_usage", item,
			    "RFC 5280 4.2.1.3: unknown or not for an elliptic-curve key", err);
		if (p->key_usage & bit)
			return profile_refuse(p, "key_usage", item, "given twice", err);
		p->key_usage |= bit;
	}
	if (got < 0)
		return profile_refuse(p, "key_usage", value, "an item is empty or too long", err);
	return 0;
}

static int
profile_read_curves(struct profile *p, const struct conf *conf, struct err *err)
{
	const char *value, *at;
	char item[PROFILE_ITEM_LEN];
	int got;

	if (conf_need(conf, PROFILE_SECTION, "curve", &value, err) != 0)
		return -1;
	at = value;
	while ((got = profile_item(&at, ',', item)) == 1) {
		if (strcmp(item, "P-256") == 0)
			p->curve_p256 = true;
		else if (strcmp(item, "P-384") == 0)
			p->curve_p384 = true;
		else
			return profile_refuse(
			    p, "curve", item, "RFC 5480 2.1.1: not P-256 or P-384", err);
	}
	return got == 0 ? 0 : profile_refuse(p, "curve", value, "an item is empty", err);
}

static int
profile_read_roles(struct profile *p, const struct conf *conf, struct err *err)
{
	const char *value = conf_get(conf, PROFILE_SECTION, "role_codes"), *at = value;
	char item[PROFILE_ITEM_LEN];
	int got;

	while ((got = profile_item(&at, ',', item)) == 1) {
		uint8_t role;

		if (strlen(item) != 2 || strspn(item, "0123456789abcdefABCDEF") != 2)
			return profile_refuse(
			    p, "role_codes", item, "not two hexadecimal digits", err);
		role = (uint8_t)strtoul(item, NULL, 16);
		for (size_t i = 0; i < p->n_roles; i++)
			if (p->roles[i] == role)
				return profile_refuse(p, "role_codes", item, "given twice", err);
		if (p->n_roles == ARRAY_LEN(p->roles))
			return profile_refuse(p, "role_codes", value, "more than 64 codes", err);
		p->roles[p->n_roles++] = role;
	}
	if (got < 0)
		return profile_refuse(p, "role_codes", value, "an item is empty or too long", err);
	return 0;
}

/* Who may have numbered a device: MA-L, MA-M or MA-S of the IEEE Registration Authority. */
static int
profile_read_ouis(struct profile *p, const struct conf *conf, struct err *err)
{
	static const char key[] = "eui64_ouis";
	const char *value = conf_get(conf, PROFILE_SECTION, key), *at = value;
	char item[PROFILE_ITEM_LEN];
	int got;

	while ((got = profile_item(&at, ',', item)) == 1) {
		size_t len = strlen(item);

		for (char *c = item; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'F')
				*c = (char)(*c - 'A' + 'a');
		if ((len != 6 && len != 7 && len != 9) || strspn(item, "0123456789abcdef") != len)
			return profile_refuse(
			    p, key, item, "an OUI is 6, 7 or 9 hexadecimal digits", err);
		for (size_t i = 0; i < p->n_ouis; i++)
			if (strcmp(p->ouis[i], item) == 0)
				return profile_refuse(p, key, item, "given twice", err);
		if (p->n_ouis == PROFILE_OUIS_MAX)
			return profile_refuse(p, key, value, "more than 32 OUIs", err);
		memcpy(p->ouis[p->n_ouis++], item, len + 1);
	}
	if (got < 0)
		return profile_refuse(p, key, value, "an item is empty or too long", err);
	return 0;
}

/* 1 when the list, one space between its tokens, holds this one. */
static int
profile_has_scope(const char *list, const char *scope, size_t len)
{
	for (const char *at = list; *at != '\0'; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n == len && memcmp(at, scope, len) == 0)
			return 1;
		at += n;
	}
	return 0;
}

/* Scope-tokens of RFC 6749 3.3, blanks between them. */
static int
profile_read_scopes(struct profile *p, const struct conf *conf, struct err *err)
{
	static const char key[] = "scopes";
	const char *value = conf_get(conf, PROFILE_SECTION, key);
	size_t used = 0;

	if (value == NULL)
		return 0;
	for (const char *at = value + strspn(value, " \t"); *at != '\0'; at += strspn(at, " \t")) {
		size_t len = strcspn(at, " \t");

		for (size_t i = 0; i < len; i++)
			if (at[i] < 0x21 || at[i] > 0x7e || at[i] == '"' || at[i] == '\\')
				return profile_refuse(
				    p, key, value, "RFC 6749 3.3: not a scope-token", err);
		if (profile_has_scope(p->scopes, at, len))
			return profile_refuse(p, key, value, "a scope-token is given twice", err);
		if (used + (used > 0) + len >= sizeof(p->scopes))
			return profile_refuse(p, key, value, "longer than 255 octets", err);
		if (used > 0)
			p->scopes[used++] = ' ';
		memcpy(p->scopes + used, at, len);
		used += len;
		p->scopes[used] = '\0';
		at += len;
	}
	if (used == 0)
		return profile_refuse(p, key, value, "RFC 6749 3.3: no scope-token", err);
	return 0;
}

/* "none", "ca" or "ca, pathlen:N". */
static int
profile_read_constraints(struct profile *p, const struct conf *conf, struct err *err)
{
	const char *value = conf_get(conf, PROFILE_SECTION, "basic_constraints"), *at = value;
	char item[PROFILE_ITEM_LEN];

	p->path_len = -1;
	if (value == NULL || strcmp(value, "none") == 0)
		return 0;
	if (profile_item(&at, ',', item) == 1 && strcmp(item, "ca") == 0) {
		p->ca = true;
		if (at == NULL)
			return 0;
		if (profile_item(&at, ',', item) == 1 && at == NULL &&
		    strncmp(item, "pathlen:", 8) == 0 && strlen(item) == 9 && item[8] >= '0' &&
		    item[8] <= '9') {
			p->path_len = item[8] - '0';
			return 0;
		}
	}
	return profile_refuse(p, "basic_constraints", value,
	    "RFC 5280 4.2.1.9: not \"none\", \"ca\" or \"ca, pathlen:N\" with N of 0 to 9", err);
}

/* Where status and the issuer's certificate are found; both absent by default. */
static int
profile_read_pointers(struct profile *p, const struct conf *conf, struct err *err)
{
	const char *value = conf_get(conf, PROFILE_SECTION, "authority_information"), *at = value;
	char item[PROFILE_ITEM_LEN];
	int got;

	while ((got = profile_item(&at, ',', item)) == 1) {
		if (strcmp(item, "ocsp") == 0)
			p->aia_ocsp = true;
		else if (strcmp(item, "ca-issuers") == 0)
			p->aia_ca = true;
		else
			return profile_refuse(p, "authority_information", item,
			    "RFC 5280 4.2.2.1: not \"ocsp\" or \"ca-issuers\"", err);
	}
	if (got < 0)
		return profile_refuse(
		    p, "authority_information", value, "an item is empty or too long", err);
	value = conf_get(conf, PROFILE_SECTION, "crl_distribution_point");
	if (value != NULL && strcmp(value, "shard") == 0) {
		p->cdp = p->cdp_shard = true;
		return 0;
	}
	return conf_bool(conf, PROFILE_SECTION, "crl_distribution_point", false, &p->cdp, err);
}

static int
profile_read_subject(struct profile *p, const struct conf *conf, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(profile_subject); i++) {
		const char *key = profile_subject[i].key, *value, *percent;
		struct profile_attr *attr = &p->subject[p->n_subject];
		char filled[PROFILE_TEXT_MAX];
		uint8_t tag;

		if ((value = conf_get(conf, "subject", key)) == NULL)
			continue;
		if (strlen(value) >= PROFILE_TEXT_MAX)
			return profile_refuse(
			    p, key, value, "RFC 5280 A.1: longer than 63 octets", err);
		percent = strchr(value, '%');
		if (percent != NULL && (percent[1] != 's' || strchr(percent + 1, '%') != NULL))
			return profile_refuse(
			    p, key, value, "'%' stands only in one \"%s\", the label", err);
		/* '%' is outside PrintableString, but gone when the label is in: letters and digits. */
		strcpy(filled, value);
		if (percent != NULL)
			filled[percent - value] = 's';
		tag = name_string_tag((struct span){ (const uint8_t *)filled, strlen(filled) });
		if (tag == 0)
			return profile_refuse(
			    p, key, value, "RFC 5280 4.1.2.4: not a UTF8String", err);
		if (profile_subject[i].type == NAME_C &&
		    (strlen(value) != 2 || tag != DER_PRINTABLE || percent != NULL))
			return profile_refuse(
			    p, key, value, "RFC 5280 A.1: a country is two letters", err);
		if (profile_subject[i].type == NAME_SERIAL_NUMBER && tag != DER_PRINTABLE)
			return profile_refuse(
			    p, key, value, "RFC 5280 A.1: not a PrintableString", err);
		require(profile_oid_set(profile_subject[i].oid, &attr->type) == 0);
		memcpy(attr->value, value, strlen(value) + 1);
		p->n_subject++;
	}
	return 0;
}

static int
profile_read_scalars(struct profile *p, const struct conf *conf, struct err *err)
{
	const char *value;

	if (conf_need(conf, PROFILE_SECTION, "description", &value, err) != 0)
		return -1;
	if (strlen(value) >= sizeof(p->description))
		return profile_refuse(p, "description", value, "too long", err);
	memcpy(p->description, value, strlen(value) + 1);

	if (conf_need(conf, PROFILE_SECTION, "kind", &value, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(profile_kinds); i++)
		if (strcmp(profile_kinds[i].word, value) == 0)
			p->kind = profile_kinds[i].kind;
	if (p->kind == 0)
		return profile_refuse(p, "kind", value,
		    "not device, organisation, server, ocsp, issuing-ca or root-ca", err);

	if (conf_need(conf, PROFILE_SECTION, "validity", &value, err) != 0)
		return -1;
	p->no_expiry = strcmp(value, "no-expiry") == 0;
	if (!p->no_expiry && conf_duration(conf, PROFILE_SECTION, "validity", PROFILE_MINUTE,
				 PROFILE_VALIDITY_MAX, 0, &p->validity, err) != 0)
		return -1;

	value = conf_get(conf, PROFILE_SECTION, "key_identifier");
	p->short_key_id = value != NULL && strcmp(value, "method-2") == 0;
	if (value != NULL && !p->short_key_id && strcmp(value, "method-1") != 0)
		return profile_refuse(
		    p, "key_identifier", value, "RFC 5280 4.2.1.2: not method-1 or method-2", err);

	if (conf_number(conf, PROFILE_SECTION, "serial_octets", 8, SERIAL_MAX, 8, &p->serial_octets,
		err) != 0 ||
	    conf_bool(conf, PROFILE_SECTION, "extended_key_usage_critical", false, &p->eku_critical,
		err) != 0 ||
	    conf_bool(conf, PROFILE_SECTION, "policies_critical", false, &p->policies_critical,
		err) != 0 ||
	    conf_bool(conf, PROFILE_SECTION, "ocsp_nocheck", false, &p->ocsp_nocheck, err) != 0 ||
	    conf_bool(conf, PROFILE_SECTION, "enrol", false, &p->enrol, err) != 0 ||
	    conf_bool(conf, PROFILE_SECTION, "server_keygen", false, &p->server_key, err) != 0)
		return -1;
	return 0;
}

static int
profile_read(struct profile *p, const struct conf *conf, struct err *err)
{
	if (profile_read_scalars(p, conf, err) != 0 || profile_read_curves(p, conf, err) != 0 ||
	    profile_read_usage(p, conf, err) != 0 || profile_read_constraints(p, conf, err) != 0 ||
	    profile_read_pointers(p, conf, err) != 0 || profile_read_roles(p, conf, err) != 0 ||
	    profile_read_ouis(p, conf, err) != 0 || profile_read_scopes(p, conf, err) != 0 ||
	    profile_read_subject(p, conf, err) != 0)
		return -1;
	if (profile_read_oids(
		p, conf, "extended_key_usage", profile_purposes, p->eku, &p->n_eku, err) != 0 ||
	    profile_read_oids(p, conf, "policies", NULL, p->policies, &p->n_policies, err) != 0 ||
	    profile_read_oids(p, conf, "hw_type_arcs", NULL, p->hw_arcs, &p->n_hw_arcs, err) != 0)
		return -1;
	return 0;
}

int
profile_parse(const char *name, const char *text, size_t len, struct profile **out, struct err *err)
{
	struct conf *conf = NULL;
	struct profile *p = NULL;
	const char *finding;
	char object[NAME_LEN + 8] = "profile ";
	int r = -1;

	if (name_check("profile", name, err) != 0)
		goto out;
	strcat(object, name);
	if (conf_parse(object, text, len, profile_keys, ARRAY_LEN(profile_keys), &conf, err) != 0)
		goto out;
	p = mem_alloc(sizeof(*p));
	strcpy(p->name, name);
	if (profile_read(p, conf, err) != 0)
		goto out;
	if ((finding = profile_contradiction(p)) != NULL) {
		err_set(err, FAIL_INVALID, "profile %s: %s", p->name, finding);
		goto out;
	}
	*out = p;
	p = NULL;
	r = 0;
out:
	profile_free(p);
	conf_free(conf);
	return r;
}

void
profile_free(struct profile *profile)
{
	free(profile);
}
