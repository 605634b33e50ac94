/*
 * The sections of smki.conf that concern meters which come by themselves: [https], [enrol] and
 * [access]. The list of keys is in home_conf.c.
 */
#include <string.h>

#include "home_conf.h"

#define HOME_BODY_MIN 4096L
#define HOME_BODY_MAX 65536L
#define HOME_BODY 32768L

/* One of two words; absent: the first. */
static int
home_choice(const struct conf *conf, const char *section, const char *key, const char *first,
    const char *second, bool *is_second, struct err *err)
{
	const char *value = conf_get(conf, section, key);

	if (value == NULL || strcmp(value, first) == 0)
		*is_second = false;
	else if (strcmp(value, second) == 0)
		*is_second = true;
	else
		return err_set(err, FAIL_INVALID, HOME_CONF ": [%s] %s = %.40s: not %s or %s",
		    section, key, value, first, second);
	return 0;
}

static int
home_read_https(const struct conf *conf, struct home *home, struct err *err)
{
	struct home_https *https = &home->https;
	const struct home_listener listener = { &https->workers, &https->connections,
		&https->per_address, &https->timeout };
	const char *listen = conf_get(conf, "https", "listen");

	strcpy(https->key, HOME_TLS "/server.key");
	strcpy(https->chain, HOME_TLS "/server.pem");
	if (listen != NULL && listen[0] != '\0') {
		if (home_listen_check(HOME_CONF ": [https] listen", listen, err) != 0)
			return -1;
		strcpy(https->listen, listen);
	}
	if (home_text(conf, "https", "key", https->key, sizeof(https->key), err) != 0 ||
	    home_absolute(home, https->key, err) != 0 ||
	    home_text(conf, "https", "chain", https->chain, sizeof(https->chain), err) != 0 ||
	    home_absolute(home, https->chain, err) != 0 ||
	    home_choice(conf, "https", "min_version", "1.3", "1.2", &https->tls12, err) != 0 ||
	    home_listener(conf, "https", HOME_HTTPS_WORKERS, 10, &listener, err) != 0)
		return -1;
	return conf_number(
	    conf, "https", "body", HOME_BODY_MIN, HOME_BODY_MAX, HOME_BODY, &https->body, err);
}

static int
home_read_enrol(const struct conf *conf, struct home_enrol *enrol, struct err *err)
{
	if (conf_number(
		conf, "enrol", "device_per_day", 1, 1000, 10, &enrol->device_per_day, err) != 0 ||
	    conf_number(conf, "enrol", "per_minute", 1, 10000000, 30000, &enrol->per_minute, err) !=
		0 ||
	    conf_number(conf, "enrol", "retry_after", 1, DAY, 60, &enrol->retry_after, err) != 0 ||
	    conf_duration(conf, "enrol", "statement_age", MINUTE, 3650 * DAY, DAY,
		&enrol->statement_age, err) != 0 ||
	    home_choice(
		conf, "enrol", "est_base64", "line", "wrapped", &enrol->base64_lines, err) != 0)
		return -1;
	return conf_duration(
	    conf, "enrol", "refusals_kept", DAY, 3650 * DAY, 30 * DAY, &enrol->refusals_kept, err);
}

/* What stands in a token as it is: printable, and nothing that JSON would escape. */
static int
home_claim(const struct conf *conf, const char *key, char out[HOME_CLAIM_LEN], struct err *err)
{
	if (home_text(conf, "access", key, out, HOME_CLAIM_LEN, err) != 0)
		return -1;
	for (const char *p = out; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
			return err_set(err, FAIL_INVALID,
			    HOME_CONF ": [access] %s: octet %02x is not allowed here", key,
			    (unsigned char)*p);
	return 0;
}

static int
home_read_access(const struct conf *conf, struct home *home, struct err *err)
{
	struct home_access *access = &home->access;
	const struct home_ca *issuing = home_ca(home, "issuing");

	if (issuing != NULL)
		strcpy(access->token, issuing->token);
	if (conf_duration(conf, "access", "lifetime", MINUTE, 15 * MINUTE, 10 * MINUTE,
		&access->lifetime, err) != 0 ||
	    home_claim(conf, "issuer", access->issuer, err) != 0 ||
	    home_claim(conf, "audience", access->audience, err) != 0 ||
	    home_text(conf, "access", "token", access->token, sizeof(access->token), err) != 0)
		return -1;
	return access->token[0] == '\0' ? 0 : home_known_token(home, "access", access->token, err);
}

int
home_read_front(const struct conf *conf, struct home *home, struct err *err)
{
	if (home_read_https(conf, home, err) != 0 || home_read_enrol(conf, &home->enrol, err) != 0)
		return -1;
	return home_read_access(conf, home, err);
}
