/*
 * Enrolment secrets: how they are made and hashed, and the pepper's file.
 */
#include "enrol_rig.h"

static void
test_secret_text(void)
{
	static const uint8_t pepper[PEPPER_LEN] = { 1 };
	static const uint8_t other[PEPPER_LEN] = { 2 };
	const struct span p = { pepper, PEPPER_LEN }, q = { other, PEPPER_LEN };
	const struct eui64 one = enrol_eui(1), two = enrol_eui(2);
	uint8_t made[SHA256_LEN], hmac[SHA256_LEN];
	char text[ENROL_SECRET_MAX + 1], again[ENROL_SECRET_MAX + 1];
	struct err err;

	CHECK(enrol_secret_make(p, &one, text, made, &err) == 0);
	CHECK(strlen(text) == 26 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == 26);
	CHECK(enrol_secret_hmac(p, &one, text, hmac, &err) == 0);
	CHECK_MEM(hmac, SHA256_LEN, made, SHA256_LEN);
	CHECK(enrol_secret_make(p, &one, again, hmac, &err) == 0 && strcmp(text, again) != 0);
	for (char *c = text; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	CHECK(enrol_secret_hmac(p, &one, text, hmac, &err) == 0);
	CHECK_MEM(hmac, SHA256_LEN, made, SHA256_LEN);
	CHECK(enrol_secret_hmac(p, &two, text, hmac, &err) == 0);
	CHECK(memcmp(hmac, made, SHA256_LEN) != 0);
	CHECK(enrol_secret_hmac(q, &one, text, hmac, &err) == 0);
	CHECK(memcmp(hmac, made, SHA256_LEN) != 0);
	CHECK(enrol_secret_hmac(p, &one, "GEZDGNBVGY3TQOJQGEZDGNBVG", hmac, &err) == -1);
	CHECK(err.code == FAIL_INVALID && strstr(err.msg, "GEZDG") == NULL);
	CHECK(enrol_secret_hmac(p, &one, "", hmac, &err) == -1);
	CHECK(enrol_secret_hmac(p, &one, "0123456789abcdeffedcba987654321", hmac, &err) == -1);
	CHECK(enrol_secret_hmac(p, &one, "0123456789abcdeffedcba9876543201", hmac, &err) == 0);
	/* HMAC-SHA-256(pepper, EUI-64 || secret), so that imports of old stay good. */
	{
		uint8_t message[EUI64_LEN + 26], want[SHA256_LEN];
		size_t len = 0;

		memcpy(message, one.octets, EUI64_LEN);
		memcpy(message + EUI64_LEN, ENROL_SECRET, 26);
		CHECK(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, pepper, PEPPER_LEN, message,
			  sizeof(message), want, sizeof(want), &len) != NULL);
		CHECK(enrol_secret_hmac(p, &one, ENROL_SECRET, hmac, &err) == 0);
		CHECK_MEM(hmac, SHA256_LEN, want, len);
	}
}

static void
test_pepper(void)
{
	struct home home = { 0 };
	uint8_t want[PEPPER_LEN], got[PEPPER_LEN];
	char dir[] = "/tmp/smki-pepper-XXXXXX";
	struct err err;
	char *path;

	require(mkdtemp(dir) != NULL);
	snprintf(home.dir, sizeof(home.dir), "%s", dir);
	CHECK(pepper_load(&home, got, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	path = mem_fmt("%s/" HOME_SECRET, dir);
	RIG(file_make_dir(path, 0700, &rig_err));
	free(path);
	path = mem_fmt("%s/" HOME_SECRET "/pepper", dir);
	/* Every octet counts, also what looks like a line's end. */
	memset(want, '\n', sizeof(want));
	RIG(file_write(path, want, sizeof(want), 0400, &rig_err));
	CHECK(pepper_load(&home, got, &err) == 0 && memcmp(got, want, PEPPER_LEN) == 0);
	RIG(file_write(path, want, sizeof(want) - 1, 0400, &rig_err));
	CHECK(pepper_load(&home, got, &err) == -1 && err.code == FAIL_INVALID);
	RIG(file_write(path, want, sizeof(want), 0444, &rig_err));
	CHECK(pepper_load(&home, got, &err) == -1 && err.code == FAIL_UNAVAILABLE);
	free(path);
	RIG(file_remove_tree(dir, &rig_err));
}

static const struct test_case cases[] = {
	{ "secrets", test_secret_text },
	{ "pepper", test_pepper },
};
TEST_MAIN("enrol_secret", cases)
