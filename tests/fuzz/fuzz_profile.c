/*
 * Fuzz target: profile files. What loads must hold together well enough to grant a certificate
 * for a device or the service itself, or to refuse it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smki/mem.h"
#include "smki/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const name = "host.example";
	struct ec_pub pub = { .curve = EC_P256, .point = { 0x04 }, .len = 65 };
	struct eui64 eui = { .octets = { 0 } };
	struct profile *p = NULL;
	struct grant g;

	if (profile_parse("fuzz", (const char *)data, size, &p, NULL) != 0)
		return 0;
	require(strcmp(p->name, "fuzz") == 0 && p->key_usage != 0);
	require(p->no_expiry || p->validity > 0);
	require(p->ca == ((p->key_usage & KEY_USAGE_KEY_CERT_SIGN) != 0));
	require(strlen(p->scopes) < sizeof(p->scopes));
	require(p->enrol || !p->server_key);
	if (profile_grant_device(p, &eui, "1.3.6.1.4.1.32473.1", &pub, &g, NULL) == 0)
		require(p->kind == PROFILE_DEVICE && g.san_len > 0);
	if (profile_grant_service(p, "label", &name, 1, &pub, &g, NULL) == 0)
		require(g.subject_len >= 2 && (g.san_len > 0 || g.subject_len > 2));
	profile_free(p);
	return 0;
}
