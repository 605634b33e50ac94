/*
 * Identifiers of the extensions this PKI knows, and the contents shared by requests and
 * certificates. It judges form only; what is allowed is a profile's business.
 */
#include <string.h>

#include "smki/ext.h"
#include "smki/mem.h"

static const uint8_t ext_ce_aki[] = { 0x55, 0x1d, 0x23 };
static const uint8_t ext_ce_ski[] = { 0x55, 0x1d, 0x0e };
static const uint8_t ext_ce_key_usage[] = { 0x55, 0x1d, 0x0f };
static const uint8_t ext_ce_policies[] = { 0x55, 0x1d, 0x20 };
static const uint8_t ext_ce_san[] = { 0x55, 0x1d, 0x11 };
static const uint8_t ext_ce_basic_constraints[] = { 0x55, 0x1d, 0x13 };
static const uint8_t ext_ce_eku[] = { 0x55, 0x1d, 0x25 };
static const uint8_t ext_pkix_nocheck[] = { 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5 };
static const uint8_t ext_ce_cdp[] = { 0x55, 0x1d, 0x1f };
static const uint8_t ext_pe_aia[] = { 0x2b, 6, 1, 5, 5, 7, 1, 1 };

/* id-on-hardwareModuleName 1.3.6.1.5.5.7.8.4 */
static const uint8_t ext_on_hardware[] = { 0x2b, 6, 1, 5, 5, 7, 8, 4 };

static const struct span ext_oids[] = {
	[EXT_AKI] = { ext_ce_aki, sizeof(ext_ce_aki) },
	[EXT_SKI] = { ext_ce_ski, sizeof(ext_ce_ski) },
	[EXT_KEY_USAGE] = { ext_ce_key_usage, sizeof(ext_ce_key_usage) },
	[EXT_POLICIES] = { ext_ce_policies, sizeof(ext_ce_policies) },
	[EXT_SAN] = { ext_ce_san, sizeof(ext_ce_san) },
	[EXT_BASIC_CONSTRAINTS] = { ext_ce_basic_constraints, sizeof(ext_ce_basic_constraints) },
	[EXT_EKU] = { ext_ce_eku, sizeof(ext_ce_eku) },
	[EXT_NOCHECK] = { ext_pkix_nocheck, sizeof(ext_pkix_nocheck) },
	[EXT_CDP] = { ext_ce_cdp, sizeof(ext_ce_cdp) },
	[EXT_AIA] = { ext_pe_aia, sizeof(ext_pe_aia) },
};

struct span
ext_oid(enum ext_id id)
{
	require(id > EXT_UNKNOWN && id < (enum ext_id)ARRAY_LEN(ext_oids));
	return ext_oids[id];
}

enum ext_id
ext_find(struct span oid)
{
	for (size_t i = EXT_UNKNOWN + 1; i < ARRAY_LEN(ext_oids); i++)
		if (span_eq(oid, ext_oids[i]))
			return (enum ext_id)i;
	return EXT_UNKNOWN;
}

int
ext_key_usage_get(struct span value, unsigned *bits)
{
	struct der d = der_from(value.p, value.len), content;
	struct span s;
	unsigned unused, found = 0;
	uint8_t last;

	if (der_get(&d, DER_BIT_STRING, &content) != 0 || !der_end(&d))
		return -1;
	s = der_span(&content);
	if (s.len < 2 || s.len > 3 || s.p[0] > 7)
		return -1;
	unused = s.p[0];
	last = s.p[s.len - 1];
	/* X.690 11.2.2: the last bit that is in use is a one, and those behind it are zero. */
	if ((last >> unused & 1) == 0 || (last & ((1u << unused) - 1)) != 0)
		return -1;
	/* The ninth and last bit is decipherOnly. */
	if (s.len == 3 && last != 0x80)
		return -1;
	for (size_t i = 0; i < 8 * (s.len - 1); i++)
		if (s.p[1 + i / 8] & 0x80 >> i % 8)
			found |= 1u << i;
	*bits = found;
	return 0;
}

void
ext_key_usage_put(struct buf *b, unsigned bits)
{
	uint8_t content[2] = { 7, 0 };

	require(bits != 0 && bits < 1u << 8);
	for (unsigned i = 0; i < 8; i++)
		if (bits & 1u << i) {
			content[1] |= (uint8_t)(0x80 >> i);
			content[0] = (uint8_t)(7 - i);
		}
	der_put(b, DER_BIT_STRING, content, sizeof(content));
}

void
ext_key_usage_text(unsigned bits, char out[EXT_USAGE_TEXT_LEN])
{
	static const char *const names[] = { "digitalSignature", "nonRepudiation",
		"keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
		"encipherOnly", "decipherOnly" };

	out[0] = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (bits & 1u << i) {
			if (out[0] != '\0')
				strcat(out, "+");
			strcat(out, names[i]);
		}
}

/* The contents of one otherName: 1 a HardwareModuleName, 0 another kind, -1 malformed. */
static int
ext_hardware_name(struct der other, struct span *hw_type, struct span *serial)
{
	const struct span want = { ext_on_hardware, sizeof(ext_on_hardware) };
	struct der inner, module, octets;
	struct span oid, type;

	if (der_get_oid(&other, &oid) != 0)
		return -1;
	if (!span_eq(oid, want))
		return 0;
	if (der_get(&other, DER_CONTEXT(0), &inner) != 0 || !der_end(&other) ||
	    der_get(&inner, DER_SEQUENCE, &module) != 0 || !der_end(&inner) ||
	    der_get_oid(&module, &type) != 0 || der_get(&module, DER_OCTET_STRING, &octets) != 0 ||
	    !der_end(&module))
		return -1;
	*hw_type = type;
	*serial = der_span(&octets);
	return 1;
}

int
ext_hardware_get(struct span value, struct span *hw_type, struct span *serial)
{
	struct der d = der_from(value.p, value.len), names, other;

	if (der_get(&d, DER_SEQUENCE, &names) != 0 || !der_end(&d) ||
	    der_get(&names, DER_CONTEXT(0), &other) != 0 || !der_end(&names))
		return -1;
	return ext_hardware_name(other, hw_type, serial) == 1 ? 0 : -1;
}

int
ext_hardware_find(struct span value, struct span *hw_type, struct span *serial)
{
	struct der d = der_from(value.p, value.len), names, name;
	struct span type = { NULL, 0 }, octets = { NULL, 0 };
	int found = 0, one;
	uint8_t tag;

	if (der_get(&d, DER_SEQUENCE, &names) != 0 || !der_end(&d))
		return -1;
	while (!der_end(&names)) {
		/* Every GeneralName has a context-specific tag (RFC 5280 4.2.1.6). */
		if (der_get_any(&names, &tag, &name, NULL) != 0 || (tag & 0xc0) != 0x80)
			return -1;
		if (tag != DER_CONTEXT(0))
			continue;
		one = ext_hardware_name(name, &type, &octets);
		if (one < 0 || (found += one) > 1)
			return -1;
	}
	if (found != 1)
		return -1;
	*hw_type = type;
	*serial = octets;
	return 0;
}

void
ext_hardware_put(struct buf *b, struct span hw_type, struct span serial)
{
	size_t names = der_open(b, DER_SEQUENCE), other = der_open(b, DER_CONTEXT(0)), inner,
	       module;

	der_put(b, DER_OID, ext_on_hardware, sizeof(ext_on_hardware));
	inner = der_open(b, DER_CONTEXT(0));
	module = der_open(b, DER_SEQUENCE);
	der_put_span(b, DER_OID, hw_type);
	der_put_span(b, DER_OCTET_STRING, serial);
	der_close(b, module);
	der_close(b, inner);
	der_close(b, other);
	der_close(b, names);
}
