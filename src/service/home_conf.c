/*
 * smki.conf: every section, key, default and range of it, and nothing else about a home. What is
 * not listed here is refused, so that a misspelt key is never a silent default.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "home_conf.h"
#include "smki/buf.h"
#include "smki/mem.h"

/* Signatures of one token are waited for this long, in milliseconds. */
#define HOME_TIMEOUT_MS 5000L

static const struct conf_key home_keys[] = {
	{ "smki", "url" },
	{ "database", "cache" },
	{ "token *", "module" },
	{ "token *", "label" },
	{ "token *", "pin_file" },
	{ "token *", "softhsm_conf" },
	{ "token *", "sessions" },
	{ "token *", "timeout_ms" },
	{ "ca *", "token" },
	{ "ca *", "key" },
	{ "ocsp", "token" },
	{ "ocsp", "key" },
	{ "ocsp", "validity" },
	{ "ocsp", "never_issued" },
	{ "ocsp", "cache" },
	{ "http", "listen" },
	{ "http", "workers" },
	{ "http", "connections" },
	{ "http", "connections_per_address" },
	{ "http", "timeout" },
	{ "https", "listen" },
	{ "https", "key" },
	{ "https", "chain" },
	{ "https", "min_version" },
	{ "https", "workers" },
	{ "https", "connections" },
	{ "https", "connections_per_address" },
	{ "https", "timeout" },
	{ "https", "body" },
	{ "enrol", "device_per_day" },
	{ "enrol", "per_minute" },
	{ "enrol", "retry_after" },
	{ "enrol", "statement_age" },
	{ "enrol", "est_base64" },
	{ "enrol", "refusals_kept" },
	{ "access", "lifetime" },
	{ "access", "issuer" },
	{ "access", "audience" },
	{ "access", "token" },
	{ "crl", "validity" },
	{ "crl", "interval" },
	{ "crl", "delay" },
	{ "crl", "deltas" },
	{ "crl", "root_validity" },
	{ "issue", "certificates_per_device" },
	{ "admin", "administrators" },
	{ "admin", "operators" },
	{ "admin", "auditors" },
};

int
home_text(const struct conf *conf, const char *section, const char *key, char *out, size_t cap,
    struct err *err)
{
	const char *value = conf_get(conf, section, key);

	if (value == NULL)
		return 0;
	if (value[0] == '\0' || strlen(value) >= cap)
		return err_set(err, FAIL_INVALID,
		    HOME_CONF ": [%s] %s: empty, or longer than %zu octets", section, key, cap - 1);
	strcpy(out, value);
	return 0;
}

static int
home_need(const struct conf *conf, const char *section, const char *key, char *out, size_t cap,
    struct err *err)
{
	const char *value;

	if (conf_need(conf, section, key, &value, err) != 0)
		return -1;
	return home_text(conf, section, key, out, cap, err);
}

int
home_absolute(const struct home *home, char path[HSM_PATH_MAX], struct err *err)
{
	char full[HOME_PATH_MAX];

	if (path[0] == '\0' || path[0] == '/')
		return 0;
	if (home_path(home, path, full, err) != 0)
		return -1;
	_Static_assert(HOME_PATH_MAX <= HSM_PATH_MAX, "a home's paths fit a token's");
	strcpy(path, full);
	return 0;
}

int
home_url_check(const char *given, char out[URI_MAX], struct err *err)
{
	static const char scheme[] = "http://";
	static const char more[] = "-._~:/[]@!&'()*+,;=%";
	size_t len = strlen(given);

	if (len == 0)
		return err_set(err, FAIL_INVALID, "RFC 5280 4.2.1.13: is empty");
	while (len > 0 && given[len - 1] == '/')
		len--;
	/* What caset_uris() puts behind it: "/crl/" NAME ".crl" is the longest. */
	if (len >= URI_MAX - NAME_LEN - 16)
		return err_set(err, FAIL_INVALID, "RFC 5280 4.2.1.13: is over %d octets",
		    URI_MAX - NAME_LEN - 17);
	if (strncmp(given, scheme, strlen(scheme)) != 0 || len <= strlen(scheme) ||
	    given[strlen(scheme)] == '/')
		return err_set(err, FAIL_INVALID, "RFC 5280 8: is not http://HOST...");
	for (size_t i = 0; i < len; i++) {
		char c = given[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    strchr(more, c) == NULL)
			return err_set(err, FAIL_INVALID,
			    "RFC 3986: octet %02x is not allowed here", (unsigned char)c);
	}
	memcpy(out, given, len);
	out[len] = '\0';
	return 0;
}

static int
home_read_url(const struct conf *conf, struct home *home, struct err *err)
{
	const char *url = conf_get(conf, "smki", "url");

	if (url == NULL)
		return 0;
	if (home_url_check(url, home->url, err) != 0)
		return err_prefix(err, HOME_CONF ": [smki] url");
	return 0;
}

static int
home_read_token(const struct conf *conf, const char *section, struct home *home, struct err *err)
{
	struct home_token *token = &home->token[home->n_tokens];
	const char *name = section + strlen("token ");
	struct hsm_conf *hsm = &token->conf;
	char rel[NAME_LEN + sizeof(HOME_TOKENS "//pin.refused")];

	if (name_check(HOME_CONF ": token", name, err) != 0)
		return -1;
	strcpy(token->name, name);
	if (home_need(conf, section, "module", hsm->module, sizeof(hsm->module), err) != 0 ||
	    home_need(conf, section, "label", hsm->token, sizeof(hsm->token), err) != 0 ||
	    home_need(conf, section, "pin_file", hsm->pin_file, sizeof(hsm->pin_file), err) != 0 ||
	    home_text(conf, section, "softhsm_conf", hsm->softhsm_conf, sizeof(hsm->softhsm_conf),
		err) != 0 ||
	    conf_number(conf, section, "sessions", 1, HSM_SESSIONS_MAX, 4, &hsm->sessions, err) !=
		0 ||
	    conf_number(conf, section, "timeout_ms", 100, 60000, HOME_TIMEOUT_MS, &hsm->timeout_ms,
		err) != 0)
		return -1;
	/* The loader would look for a bare name in folders that are not this file's business. */
	if (hsm->module[0] != '/')
		return err_set(
		    err, FAIL_INVALID, HOME_CONF ": [%s] module: not an absolute path", section);
	if (strncmp(hsm->pin_file, "credential:", strlen("credential:")) != 0 &&
	    home_absolute(home, hsm->pin_file, err) != 0)
		return -1;
	if (home_absolute(home, hsm->softhsm_conf, err) != 0)
		return -1;
	snprintf(rel, sizeof(rel), HOME_TOKENS "/%s/pin.refused", name);
	if (home_path(home, rel, hsm->latch_file, err) != 0)
		return -1;
	home->n_tokens++;
	return 0;
}

int
home_known_token(const struct home *home, const char *section, const char *name, struct err *err)
{
	if (home_token(home, name) == NULL)
		return err_set(err, FAIL_INVALID,
		    HOME_CONF ": [%s] token = %s: there is no [token %s]", section, name, name);
	return 0;
}

static int
home_read_ca(const struct conf *conf, const char *section, struct home *home, struct err *err)
{
	struct home_ca *ca = &home->ca[home->n_cas];
	const char *name = section + strlen("ca ");

	if (name_check(HOME_CONF ": ca", name, err) != 0)
		return -1;
	strcpy(ca->name, name);
	if (home_need(conf, section, "token", ca->token, sizeof(ca->token), err) != 0 ||
	    home_need(conf, section, "key", ca->key, sizeof(ca->key), err) != 0 ||
	    home_known_token(home, section, ca->token, err) != 0)
		return -1;
	home->n_cas++;
	return 0;
}

static int
home_read_lists(const struct conf *conf, struct home *home, struct err *err)
{
	const char *section;

	for (size_t i = 0; (section = conf_section(conf, "token ", i)) != NULL; i++) {
		if (i == HOME_TOKENS_MAX)
			return err_set(
			    err, FAIL_INVALID, HOME_CONF ": more than %d tokens", HOME_TOKENS_MAX);
		if (home_read_token(conf, section, home, err) != 0)
			return -1;
	}
	for (size_t i = 0; (section = conf_section(conf, "ca ", i)) != NULL; i++) {
		if (i == STORE_CAS_MAX)
			return err_set(
			    err, FAIL_INVALID, HOME_CONF ": more than %d CAs", STORE_CAS_MAX);
		if (home_read_ca(conf, section, home, err) != 0)
			return -1;
	}
	return 0;
}

static int
home_read_database(const struct conf *conf, struct home *home, struct err *err)
{
	if (conf_number(conf, "database", "cache", 16, 65536, 40, &home->db_cache, err) != 0)
		return -1;
	home->db_reader_cache = home->db_cache / 10;
	return 0;
}

static int
home_read_ocsp(const struct conf *conf, struct home *home, struct err *err)
{
	const char *never = conf_get(conf, "ocsp", "never_issued");

	if (home_need(conf, "ocsp", "token", home->ocsp_token, sizeof(home->ocsp_token), err) !=
		0 ||
	    home_need(conf, "ocsp", "key", home->ocsp_key, sizeof(home->ocsp_key), err) != 0 ||
	    home_known_token(home, "ocsp", home->ocsp_token, err) != 0 ||
	    conf_duration(conf, "ocsp", "validity", 5 * MINUTE, 24 * HOUR, HOUR,
		&home->ocsp_validity, err) != 0 ||
	    conf_number(conf, "ocsp", "cache", 0, 4096, 64, &home->ocsp_cache, err) != 0)
		return -1;
	if (never == NULL || strcmp(never, "unknown") == 0)
		return 0;
	if (strcmp(never, "revoked") != 0)
		return err_set(err, FAIL_INVALID,
		    HOME_CONF ": [ocsp] never_issued = %.40s: not unknown or revoked", never);
	home->ocsp_extended_revoke = true;
	return 0;
}

int
home_listen_check(const char *what, const char *listen, struct err *err)
{
	char address[sizeof(((struct home *)0)->http_listen)];
	const char *colon = strrchr(listen, ':');
	uint8_t binary[sizeof(struct in6_addr)];
	size_t len, digits;
	int family = AF_INET;

	if (colon == NULL || strlen(listen) >= sizeof(address))
		goto bad;
	digits = strspn(colon + 1, "0123456789");
	if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || atol(colon + 1) > 65535)
		goto bad;
	len = (size_t)(colon - listen);
	memcpy(address, listen, len);
	address[len] = '\0';
	if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
		family = AF_INET6;
		address[len - 1] = '\0';
		memmove(address, address + 1, len - 1);
	}
	if (inet_pton(family, address, binary) == 1)
		return 0;
bad:
	return err_set(
	    err, FAIL_INVALID, "%s = %.80s: not ADDRESS:PORT or [ADDRESS]:PORT", what, listen);
}

int
home_listener(const struct conf *conf, const char *section, long workers, long seconds,
    const struct home_listener *out, struct err *err)
{
	long most;

	if (conf_number(conf, section, "workers", 1, 16, workers, out->workers, err) != 0)
		return -1;
	most = HOME_WORKER_CONNECTIONS * *out->workers;
	if (conf_number(conf, section, "connections", 1, most, most, out->connections, err) != 0 ||
	    conf_number(conf, section, "connections_per_address", 1, 16 * HOME_WORKER_CONNECTIONS,
		64, out->per_address, err) != 0 ||
	    conf_duration(conf, section, "timeout", 1, 10 * MINUTE, seconds, out->timeout, err) !=
		0)
		return -1;
	return 0;
}

static int
home_read_http(const struct conf *conf, struct home *home, struct err *err)
{
	const struct home_listener listener = { &home->http_workers, &home->http_connections,
		&home->http_per_address, &home->http_timeout };

	strcpy(home->http_listen, "127.0.0.1:8080");
	if (home_text(conf, "http", "listen", home->http_listen, sizeof(home->http_listen), err) !=
	    0)
		return -1;
	if (home_listen_check(HOME_CONF ": [http] listen", home->http_listen, err) != 0)
		return -1;
	return home_listener(conf, "http", HOME_HTTP_WORKERS, 30, &listener, err);
}

static int
home_read_crl(const struct conf *conf, struct home *home, struct err *err)
{
	if (conf_duration(
		conf, "crl", "validity", 10 * MINUTE, 10 * DAY, DAY, &home->crl_validity, err) != 0)
		return -1;
	/* The next list stands before the last one ends; with none given, at half of its life. */
	if (conf_duration(conf, "crl", "interval", MINUTE, home->crl_validity - 1,
		home->crl_validity / 2, &home->crl_interval, err) != 0)
		return -1;
	if (conf_duration(conf, "crl", "delay", 1, MINUTE, 10, &home->crl_delay, err) != 0 ||
	    conf_bool(conf, "crl", "deltas", false, &home->crl_deltas, err) != 0)
		return -1;
	/* Complete lists tell where the deltas are (RFC 5280 5.2.6). */
	if (home->crl_deltas && home->url[0] == '\0')
		return err_set(err, FAIL_INVALID, HOME_CONF ": [crl] deltas: needs [smki] url");
	return conf_duration(
	    conf, "crl", "root_validity", DAY, 366 * DAY, 365 * DAY, &home->root_crl_validity, err);
}

/* A user by name or number. */
static int
home_user(const char *key, const char *name, uid_t *uid, struct err *err)
{
	char space[16384]; /* one passwd entry */
	struct passwd entry, *found = NULL;
	unsigned long number;
	char *end;
	int rc;

	if (name[0] >= '0' && name[0] <= '9') {
		errno = 0;
		number = strtoul(name, &end, 10);
		/* The last number is chown's and setuid's "none". */
		if (errno != 0 || *end != '\0' || number >= (uid_t)-1)
			return err_set(err, FAIL_INVALID, HOME_CONF ": [admin] %s: %s is not a uid",
			    key, name);
		*uid = (uid_t)number;
		return 0;
	}
	rc = getpwnam_r(name, &entry, space, sizeof(space), &found);
	if (found == NULL && rc != 0 && rc != ENOENT) {
		errno = rc;
		return err_sys(err, FAIL_UNAVAILABLE, HOME_CONF ": [admin] %s: user %s", key, name);
	}
	if (found == NULL)
		return err_set(
		    err, FAIL_INVALID, HOME_CONF ": [admin] %s: there is no user %s", key, name);
	*uid = entry.pw_uid;
	return 0;
}

static int
home_read_users(
    const struct conf *conf, const char *key, enum role role, struct home *home, struct err *err)
{
	static const char between[] = ", \t";
	const char *p = conf_get(conf, "admin", key);
	char name[64];
	size_t len;

	for (p = p != NULL ? p : ""; *(p += strspn(p, between)) != '\0'; p += len) {
		len = strcspn(p, between);
		if (len >= sizeof(name))
			return err_set(err, FAIL_INVALID,
			    HOME_CONF ": [admin] %s: a user name has %zu characters", key, len);
		if (home->n_users[role] == HOME_ROLE_MAX)
			return err_set(err, FAIL_INVALID,
			    HOME_CONF ": [admin] %s: more than %d users", key, HOME_ROLE_MAX);
		memcpy(name, p, len);
		name[len] = '\0';
		if (home_user(key, name, &home->users[role][home->n_users[role]], err) != 0)
			return -1;
		home->n_users[role]++;
	}
	return 0;
}

static int
home_read(const struct conf *conf, struct home *home, struct err *err)
{
	if (home_read_url(conf, home, err) != 0 || home_read_database(conf, home, err) != 0 ||
	    home_read_lists(conf, home, err) != 0 || home_read_ocsp(conf, home, err) != 0 ||
	    home_read_http(conf, home, err) != 0 || home_read_front(conf, home, err) != 0 ||
	    home_read_crl(conf, home, err) != 0 ||
	    conf_number(conf, "issue", "certificates_per_device", 1, 10000, 99,
		&home->certificates_per_device, err) != 0 ||
	    home_read_users(conf, "administrators", ROLE_ADMINISTRATOR, home, err) != 0 ||
	    home_read_users(conf, "operators", ROLE_OPERATOR, home, err) != 0 ||
	    home_read_users(conf, "auditors", ROLE_AUDITOR, home, err) != 0)
		return -1;
	return 0;
}

int
home_load(const char *dir, struct home *out, struct err *err)
{
	struct home *home = mem_alloc(sizeof(*home));
	struct conf *conf = NULL;
	char path[HOME_PATH_MAX];
	struct err why;
	int rc = -1;

	if (home_dir(dir, home->dir, err) != 0 || home_path(home, HOME_CONF, path, err) != 0)
		goto out;
	if (conf_load(path, home_keys, ARRAY_LEN(home_keys), &conf, &why) != 0) {
		if (why.code == FAIL_NOT_FOUND)
			err_set(err, FAIL_NOT_FOUND,
			    "home %s: no " HOME_CONF "; make one with: smki init", home->dir);
		else
			err_set(err, why.code, "%s", why.msg);
		goto out;
	}
	if (home_read(conf, home, err) != 0)
		goto out;
	*out = *home;
	rc = 0;
out:
	conf_free(conf);
	free(home);
	return rc;
}
