/*
 * Reads the RFC 7512 URI by which an operator names an existing token, through p11-kit.
 * It must not repeat the URI in a message: somebody may have put a PIN in it.
 */
#include <stdio.h>
#include <string.h>

#include <p11-kit/uri.h>

#include "smki/mem.h"
#include "smki/token.h"

/* Longer ones are refused unread: a label and two paths fit well inside, percent-encoded too. */
#define P11URI_MAX 8192

/* p11-kit's blank padded label as text. Returns its length, 0 when the URI has none. */
static size_t
p11uri_label(P11KitUri *uri, char out[HSM_LABEL_MAX + 1])
{
	const CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);
	size_t len = HSM_LABEL_MAX;

	/* p11-kit pads with blanks; what the URI leaves out stays all NUL. */
	memcpy(out, info->label, HSM_LABEL_MAX);
	out[HSM_LABEL_MAX] = '\0';
	while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '\0'))
		out[--len] = '\0';
	return len;
}

/* "file:/p", "file:///p", "/p" to a path; "credential:NAME" stays. NULL for anything else. */
static const char *
p11uri_pin_source(const char *source)
{
	if (strncmp(source, "credential:", 11) == 0)
		return source;
	if (strncmp(source, "file:", 5) == 0)
		source += 5;
	if (strncmp(source, "///", 3) == 0)
		source += 2;
	return source[0] == '/' && source[1] != '/' ? source : NULL;
}

/* What names something other than a token, or would be ignored, is refused. */
static int
p11uri_check(P11KitUri *uri, struct err *err)
{
	CK_ULONG attributes = 0;

	if (p11_kit_uri_get_pin_value(uri) != NULL)
		return err_set(err, FAIL_INVALID,
		    "token URI: RFC 7512 2.4: pin-value is refused, "
		    "a PIN never stands in an argument; use pin-source");
	if (p11_kit_uri_any_unrecognized(uri))
		return err_set(
		    err, FAIL_INVALID, "token URI: RFC 7512 2.3: an attribute is not known here");
	(void)p11_kit_uri_get_attributes(uri, &attributes);
	if (attributes != 0 || p11_kit_uri_get_slot_id(uri) != (CK_SLOT_ID)-1)
		return err_set(err, FAIL_INVALID,
		    "token URI: RFC 7512 2.3: names an object or slot; a token is wanted");
	return 0;
}

int
token_uri_parse(const char *text, struct hsm_conf *conf, struct err *err)
{
	P11KitUri *uri = NULL;
	char label[HSM_LABEL_MAX + 1];
	const char *module, *source;
	int rv, r = -1;

	if (strlen(text) > P11URI_MAX)
		return err_set(
		    err, FAIL_INVALID, "token URI: is longer than %d octets", P11URI_MAX);
	uri = p11_kit_uri_new();
	require(uri != NULL);
	rv = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	if (rv != P11_KIT_URI_OK) {
		err_set(err, FAIL_INVALID, "token URI: RFC 7512 2.3: %s", p11_kit_uri_message(rv));
		goto out;
	}
	if (p11uri_check(uri, err) != 0)
		goto out;
	if (p11uri_label(uri, label) == 0) {
		err_set(err, FAIL_INVALID, "token URI: RFC 7512 2.3: token= is missing");
		goto out;
	}
	module = p11_kit_uri_get_module_path(uri);
	if (module == NULL || module[0] != '/' || strlen(module) >= HSM_PATH_MAX) {
		err_set(err, FAIL_INVALID,
		    "token URI: RFC 7512 2.4: module-path= is missing or not a full path");
		goto out;
	}
	source = p11_kit_uri_get_pin_source(uri);
	source = source == NULL ? NULL : p11uri_pin_source(source);
	if (source == NULL || strlen(source) >= HSM_PATH_MAX) {
		err_set(err, FAIL_INVALID,
		    "token URI: RFC 7512 2.4: pin-source= is missing or not file: and a full path");
		goto out;
	}
	memcpy(conf->token, label, sizeof(label));
	memcpy(conf->module, module, strlen(module) + 1);
	memcpy(conf->pin_file, source, strlen(source) + 1);
	r = 0;
out:
	p11_kit_uri_free(uri);
	return r;
}
