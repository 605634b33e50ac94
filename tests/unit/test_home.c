/* A home: smki.conf with every key at and over its limits, places and roles. */
#include <dirent.h>
#include <pwd.h>
#include <unistd.h>

#include "smki/buf.h"
#include "smki/conf.h"
#include "smki/file.h"
#include "smki/home.h"
#include "smki/mem.h"
#include "folder.h"

/* Everything that must be there. */
static const char base[] = "[smki]\n"
			   "url = http://ca.example/\n"
			   "[token issuing]\n"
			   "module = /usr/lib/softhsm/libsofthsm2.so\n"
			   "label = smki-issuing\n"
			   "pin_file = pin/issuing\n"
			   "softhsm_conf = tokens/issuing/softhsm2.conf\n"
			   "[token hsm-2]\n"
			   "module = /usr/lib/vendor.so\n"
			   "label = production\n"
			   "pin_file = credential:pin\n"
			   "[ca root]\n"
			   "token = hsm-2\n"
			   "key = root\n"
			   "[ca issuing]\n"
			   "token = issuing\n"
			   "key = issuing\n"
			   "[ocsp]\n"
			   "token = issuing\n"
			   "key = ocsp\n";

/* A change to the text above: find is replaced, or add put behind. */
static const struct row {
	const char *name;
	const char *find, *replace;
	const char *add;
	enum err_code want; /* 0 = good */
	const char *msg;
} rows[] = {
	{ "base", NULL, NULL, "", 0, NULL },
	{ "comments and spaces", "[ocsp]", "# a comment\n  [ocsp]  # more\n\n", "", 0, NULL },
	{ "CRLF", "[ocsp]\n", "[ocsp]\r\n", "", 0, NULL },
	{ "no url", "url = http://ca.example/\n", "", "", 0, NULL },
	{ "url https", "http:", "https:", "", FAIL_INVALID, "RFC 5280 8" },
	{ "url ldap", "http:", "ldap:", "", FAIL_INVALID, "url" },
	{ "url without host", "ca.example/", "", "", FAIL_INVALID, "url" },
	{ "url with blank", "ca.example", "ca .example", "", FAIL_INVALID, "octet 20" },
	{ "url with query", "ca.example", "ca.example/?a", "", FAIL_INVALID, "octet 3f" },
	{ "url with UTF-8", "ca.example", "c\xc3\xa4.example", "", FAIL_INVALID, "octet c3" },
	{ "url empty", "http://ca.example/", "", "", FAIL_INVALID, "empty" },
	{ "unknown section", NULL, NULL, "[toke x]\nlabel = x\n", FAIL_INVALID,
	    "is not a known section" },
	{ "unknown key", "pin_file = pin/issuing", "pinfile = pin/issuing", "", FAIL_INVALID,
	    "pinfile is not a known key" },
	{ "key in the wrong section", NULL, NULL, "validity = 1h\nlisten = 1\n", FAIL_INVALID,
	    "listen is not a known key" },
	{ "key twice", NULL, NULL, "key = other\n", FAIL_INVALID, "was given in line" },
	{ "key twice in a section opened again", NULL, NULL, "[ca root]\nkey = other\n",
	    FAIL_INVALID, "was given in line" },
	{ "key before any section", "[smki]\n", "", "", FAIL_INVALID, "not a known key" },
	{ "variable", "= production", "= $ENV::HOME", "", FAIL_INVALID, "'$'" },
	{ "include", NULL, NULL, ".include /etc/passwd\n", FAIL_INVALID, "directives" },
	{ "pragma", NULL, NULL, ".pragma = dollarid:true\n", FAIL_INVALID, "directives" },
	{ "quote not closed", "= production", "= \"production", "", FAIL_INVALID, "quote" },
	{ "section not closed", "[ocsp]", "[ocsp", "", FAIL_INVALID, "']'" },
	{ "control character", "= production", "= produ\001ction", "", FAIL_INVALID, "control" },
	{ "token without label", "label = production\n", "", "", FAIL_INVALID,
	    "[token hsm-2] label is missing" },
	{ "token without module", "module = /usr/lib/vendor.so\n", "", "", FAIL_INVALID,
	    "[token hsm-2] module is missing" },
	{ "token without PIN file", "pin_file = credential:pin\n", "", "", FAIL_INVALID,
	    "[token hsm-2] pin_file is missing" },
	{ "token name empty", "[token hsm-2]", "[token ]", "", FAIL_INVALID, "token" },
	{ "token name with a path", "[token hsm-2]", "[token ../x]", "", FAIL_INVALID,
	    "section name" },
	{ "token name with dots", "[token hsm-2]", "[token ..]", "", FAIL_INVALID,
	    "does not begin with a letter" },
	{ "token name with two blanks", "[token hsm-2]", "[token  hsm-2]", "", FAIL_INVALID,
	    "does not begin with a letter" },
	{ "module relative", "/usr/lib/vendor.so", "vendor.so", "", FAIL_INVALID,
	    "[token hsm-2] module: not an absolute path" },
	{ "label of 32", "= production", "= 12345678901234567890123456789012", "", 0, NULL },
	{ "label of 33", "= production", "= 123456789012345678901234567890123", "", FAIL_INVALID,
	    "longer than 32" },
	{ "sessions 32", "label = production", "label = production\nsessions = 32", "", 0, NULL },
	{ "sessions 0", "label = production", "label = production\nsessions = 0", "", FAIL_INVALID,
	    "not a number from 1 to 32" },
	{ "sessions 33", "label = production", "label = production\nsessions = 33", "",
	    FAIL_INVALID, "sessions = 33" },
	{ "timeout 100", "label = production", "label = production\ntimeout_ms = 100", "", 0,
	    NULL },
	{ "timeout 99", "label = production", "label = production\ntimeout_ms = 99", "",
	    FAIL_INVALID, "timeout_ms = 99" },
	{ "timeout 60001", "label = production", "label = production\ntimeout_ms = 60001", "",
	    FAIL_INVALID, "from 100 to 60000" },
	{ "CA on an unknown token", "token = hsm-2", "token = hsm-3", "", FAIL_INVALID,
	    "[ca root] token = hsm-3: there is no [token hsm-3]" },
	{ "CA without key", "key = root\n", "", "", FAIL_INVALID, "[ca root] key is missing" },
	{ "OCSP without token", "[ocsp]\ntoken = issuing\n", "[ocsp]\n", "", FAIL_INVALID,
	    "[ocsp] token is missing" },
	{ "OCSP on an unknown token", "[ocsp]\ntoken = issuing", "[ocsp]\ntoken = root", "",
	    FAIL_INVALID, "there is no [token root]" },
	{ "OCSP validity 5m", NULL, NULL, "validity = 5m\n", 0, NULL },
	{ "OCSP validity 299s", NULL, NULL, "validity = 299s\n", FAIL_INVALID, "[ocsp] validity" },
	{ "OCSP validity 24h", NULL, NULL, "validity = 24h\n", 0, NULL },
	{ "OCSP validity 86401s", NULL, NULL, "validity = 86401s\n", FAIL_INVALID, "validity" },
	{ "OCSP validity without unit", NULL, NULL, "validity = 3600\n", FAIL_INVALID, "validity" },
	{ "never issued revoked", NULL, NULL, "never_issued = revoked\n", 0, NULL },
	{ "never issued good", NULL, NULL, "never_issued = good\n", FAIL_INVALID,
	    "not unknown or revoked" },
	{ "listen IPv6", NULL, NULL, "[http]\nlisten = [::1]:65535\n", 0, NULL },
	{ "listen any port", NULL, NULL, "[http]\nlisten = 0.0.0.0:0\n", 0, NULL },
	{ "listen port 65536", NULL, NULL, "[http]\nlisten = 127.0.0.1:65536\n", FAIL_INVALID,
	    "listen" },
	{ "listen without port", NULL, NULL, "[http]\nlisten = 127.0.0.1\n", FAIL_INVALID,
	    "listen" },
	{ "listen empty port", NULL, NULL, "[http]\nlisten = 127.0.0.1:\n", FAIL_INVALID,
	    "listen" },
	{ "listen negative port", NULL, NULL, "[http]\nlisten = 127.0.0.1:-1\n", FAIL_INVALID,
	    "listen" },
	{ "listen name", NULL, NULL, "[http]\nlisten = localhost:80\n", FAIL_INVALID, "listen" },
	{ "listen IPv6 bare", NULL, NULL, "[http]\nlisten = ::1:80\n", FAIL_INVALID, "listen" },
	{ "listen empty brackets", NULL, NULL, "[http]\nlisten = []:80\n", FAIL_INVALID, "listen" },
	{ "listen only a colon", NULL, NULL, "[http]\nlisten = :\n", FAIL_INVALID, "listen" },
	{ "workers 16", NULL, NULL, "[http]\nworkers = 16\nconnections = 1920\n", 0, NULL },
	{ "workers 0", NULL, NULL, "[http]\nworkers = 0\n", FAIL_INVALID, "workers" },
	{ "workers 17", NULL, NULL, "[http]\nworkers = 17\n", FAIL_INVALID, "workers" },
	{ "connections 241 on 2", NULL, NULL, "[http]\nconnections = 241\n", FAIL_INVALID,
	    "from 1 to 240" },
	{ "connections 120 on 1", NULL, NULL, "[http]\nworkers = 1\nconnections = 120\n", 0, NULL },
	{ "connections 121 on 1", NULL, NULL, "[http]\nworkers = 1\nconnections = 121\n",
	    FAIL_INVALID, "connections" },
	{ "https none", NULL, NULL, "[https]\nlisten =\n", 0, NULL },
	{ "https IPv6", NULL, NULL, "[https]\nlisten = [::1]:0\n", 0, NULL },
	{ "https a word", NULL, NULL, "[https]\nlisten = none\n", FAIL_INVALID,
	    "[https] listen = none" },
	{ "https port 65536", NULL, NULL, "[https]\nlisten = 127.0.0.1:65536\n", FAIL_INVALID,
	    "[https] listen" },
	{ "https key empty", NULL, NULL, "[https]\nkey =\n", FAIL_INVALID, "[https] key" },
	{ "https chain empty", NULL, NULL, "[https]\nchain =\n", FAIL_INVALID, "[https] chain" },
	{ "TLS 1.2", NULL, NULL, "[https]\nmin_version = 1.2\n", 0, NULL },
	{ "TLS 1.1", NULL, NULL, "[https]\nmin_version = 1.1\n", FAIL_INVALID,
	    "[https] min_version = 1.1: not 1.3 or 1.2" },
	{ "https connections 1201 on 10", NULL, NULL, "[https]\nconnections = 1201\n", FAIL_INVALID,
	    "[https] connections" },
	{ "https connections 121 on 1", NULL, NULL, "[https]\nworkers = 1\nconnections = 121\n",
	    FAIL_INVALID, "from 1 to 120" },
	{ "https per address 0", NULL, NULL, "[https]\nconnections_per_address = 0\n", FAIL_INVALID,
	    "[https] connections_per_address" },
	{ "https timeout 0s", NULL, NULL, "[https]\ntimeout = 0s\n", FAIL_INVALID, "timeout" },
	{ "https timeout 601s", NULL, NULL, "[https]\ntimeout = 601s\n", FAIL_INVALID, "timeout" },
	{ "body 4096", NULL, NULL, "[https]\nbody = 4096\n", 0, NULL },
	{ "body 4095", NULL, NULL, "[https]\nbody = 4095\n", FAIL_INVALID, "[https] body" },
	{ "body 65536", NULL, NULL, "[https]\nbody = 65536\n", 0, NULL },
	{ "body 65537", NULL, NULL, "[https]\nbody = 65537\n", FAIL_INVALID, "[https] body" },
	{ "enrolments 1 and 1", NULL, NULL, "[enrol]\ndevice_per_day = 1\nper_minute = 1\n", 0,
	    NULL },
	{ "enrolments most", NULL, NULL, "[enrol]\ndevice_per_day = 1000\nper_minute = 10000000\n",
	    0, NULL },
	{ "device_per_day 0", NULL, NULL, "[enrol]\ndevice_per_day = 0\n", FAIL_INVALID,
	    "[enrol] device_per_day" },
	{ "device_per_day 1001", NULL, NULL, "[enrol]\ndevice_per_day = 1001\n", FAIL_INVALID,
	    "[enrol] device_per_day" },
	{ "per_minute 0", NULL, NULL, "[enrol]\nper_minute = 0\n", FAIL_INVALID, "per_minute" },
	{ "per_minute 10000001", NULL, NULL, "[enrol]\nper_minute = 10000001\n", FAIL_INVALID,
	    "per_minute" },
	{ "retry_after 86400", NULL, NULL, "[enrol]\nretry_after = 86400\n", 0, NULL },
	{ "retry_after 0", NULL, NULL, "[enrol]\nretry_after = 0\n", FAIL_INVALID, "retry_after" },
	{ "retry_after 86401", NULL, NULL, "[enrol]\nretry_after = 86401\n", FAIL_INVALID,
	    "retry_after" },
	{ "statement_age 1m", NULL, NULL, "[enrol]\nstatement_age = 1m\n", 0, NULL },
	{ "statement_age 59s", NULL, NULL, "[enrol]\nstatement_age = 59s\n", FAIL_INVALID,
	    "statement_age" },
	{ "statement_age 3651d", NULL, NULL, "[enrol]\nstatement_age = 3651d\n", FAIL_INVALID,
	    "statement_age" },
	{ "est_base64 wrapped", NULL, NULL, "[enrol]\nest_base64 = wrapped\n", 0, NULL },
	{ "est_base64 76", NULL, NULL, "[enrol]\nest_base64 = 76\n", FAIL_INVALID,
	    "not line or wrapped" },
	{ "refusals_kept 3650d", NULL, NULL, "[enrol]\nrefusals_kept = 3650d\n", 0, NULL },
	{ "refusals_kept 23h", NULL, NULL, "[enrol]\nrefusals_kept = 23h\n", FAIL_INVALID,
	    "refusals_kept" },
	{ "lifetime 59s", NULL, NULL, "[access]\nlifetime = 59s\n", FAIL_INVALID, "lifetime" },
	{ "lifetime 15m", NULL, NULL, "[access]\nlifetime = 15m\n", 0, NULL },
	{ "lifetime 901s", NULL, NULL, "[access]\nlifetime = 901s\n", FAIL_INVALID, "lifetime" },
	{ "issuer with UTF-8", NULL, NULL, "[access]\nissuer = \xc3\xa4\n", FAIL_INVALID,
	    "[access] issuer: octet c3" },
	{ "issuer with a blank", NULL, NULL, "[access]\nissuer = a b\n", FAIL_INVALID, "octet 20" },
	{ "audience with a quote", NULL, NULL, "[access]\naudience = 'a\"b'\n", FAIL_INVALID,
	    "[access] audience: octet 22" },
	{ "issuer empty", NULL, NULL, "[access]\nissuer =\n", FAIL_INVALID, "[access] issuer" },
	{ "access token", NULL, NULL, "[access]\ntoken = hsm-2\n", 0, NULL },
	{ "access token unknown", NULL, NULL, "[access]\ntoken = hsm-3\n", FAIL_INVALID,
	    "there is no [token hsm-3]" },
	{ "access key unknown", NULL, NULL, "[access]\nkey = a\n", FAIL_INVALID,
	    "not a known key" },
	{ "pages 16", NULL, NULL, "[database]\ncache = 16\n", 0, NULL },
	{ "pages 15", NULL, NULL, "[database]\ncache = 15\n", FAIL_INVALID, "cache" },
	{ "pages 65537", NULL, NULL, "[database]\ncache = 65537\n", FAIL_INVALID, "cache" },
	{ "CRL validity 10m", NULL, NULL, "[crl]\nvalidity = 10m\n", 0, NULL },
	{ "CRL validity 9m", NULL, NULL, "[crl]\nvalidity = 9m\n", FAIL_INVALID, "validity" },
	{ "CRL validity 11d", NULL, NULL, "[crl]\nvalidity = 11d\n", FAIL_INVALID, "validity" },
	{ "CRL interval short of validity", NULL, NULL, "[crl]\nvalidity = 600s\ninterval = 599s\n",
	    0, NULL },
	{ "CRL interval equals validity", NULL, NULL, "[crl]\nvalidity = 10m\ninterval = 10m\n",
	    FAIL_INVALID, "interval" },
	{ "CRL delay 61s", NULL, NULL, "[crl]\ndelay = 61s\n", FAIL_INVALID, "delay" },
	{ "CRL delay 0s", NULL, NULL, "[crl]\ndelay = 0s\n", FAIL_INVALID, "delay" },
	{ "deltas alone", "url", "#url", "[crl]\ndeltas = yes\n", FAIL_INVALID, "url" },
	{ "root validity 366d", NULL, NULL, "[crl]\nroot_validity = 366d\n", 0, NULL },
	{ "root validity 367d", NULL, NULL, "[crl]\nroot_validity = 367d\n", FAIL_INVALID, "root" },
	{ "certificates 10000", NULL, NULL, "[issue]\ncertificates_per_device = 10000\n", 0, NULL },
	{ "certificates 0", NULL, NULL, "[issue]\ncertificates_per_device = 0\n", FAIL_INVALID,
	    "certificates_per_device" },
	{ "certificates 10001", NULL, NULL, "[issue]\ncertificates_per_device = 10001\n",
	    FAIL_INVALID, "certificates_per_device" },
	{ "certificates a word", NULL, NULL, "[issue]\ncertificates_per_device = 9x\n",
	    FAIL_INVALID, "certificates_per_device" },
	{ "users empty", NULL, NULL, "[admin]\noperators =\n", 0, NULL },
	{ "user unknown", NULL, NULL, "[admin]\noperators = root no-such-user\n", FAIL_INVALID,
	    "there is no user no-such-user" },
	{ "uid too large", NULL, NULL, "[admin]\nauditors = 4294967295\n", FAIL_INVALID,
	    "4294967295 is not a uid" },
	{ "uid with letters", NULL, NULL, "[admin]\nauditors = 12x\n", FAIL_INVALID,
	    "12x is not a uid" },
	{ "user negative", NULL, NULL, "[admin]\nauditors = -1\n", FAIL_INVALID, "-1" },
};

static void
row_text(const struct row *row, struct buf *out)
{
	const char *at = row->find != NULL ? strstr(base, row->find) : NULL;

	require(row->find == NULL || at != NULL);
	if (at != NULL) {
		buf_add(out, base, (size_t)(at - base));
		buf_add_str(out, row->replace);
		buf_add_str(out, at + strlen(row->find));
	} else {
		buf_add_str(out, base);
	}
	buf_add_str(out, row->add);
}

/* home_load of this text. */
static int
load_text(const void *text, size_t len, struct home *out, struct err *err)
{
	write_file(HOME_CONF, text, len, 0644);
	return home_load(folder, out, err);
}

static void
home_gone(struct home *home)
{
	remove_file(HOME_CONF);
	free(home);
}

static void
test_conf(void)
{
	struct home *home = mem_alloc(sizeof(*home));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };
		struct err err = { 0 };
		int rc;

		row_text(&rows[i], &text);
		home->n_tokens = 99;
		rc = load_text(text.data, text.len, home, &err);
		buf_free(&text);
		if (rows[i].want == 0) {
			if (rc != 0)
				fprintf(stderr, "  %s\n", err.msg);
			CHECK_ROW(rows[i].name, rc == 0 && home->n_tokens == 2);
			continue;
		}
		CHECK_ROW(rows[i].name, rc == -1 && err.code == rows[i].want);
		CHECK_ROW(rows[i].name, home->n_tokens == 99);
		if (strstr(err.msg, rows[i].msg) == NULL || strstr(err.msg, HOME_CONF) == NULL)
			fprintf(stderr, "  got \"%s\"\n", err.msg);
		CHECK_ROW(rows[i].name, strstr(err.msg, rows[i].msg) != NULL);
		CHECK_ROW(rows[i].name, strstr(err.msg, HOME_CONF) != NULL);
	}
	home_gone(home);
}

static void
test_defaults(void)
{
	struct home *home = mem_alloc(sizeof(*home));
	const struct home_token *token;
	char want[256];
	struct err err;

	CHECK(load_text(base, strlen(base), home, &err) == 0);
	CHECK_STR(home->dir, folder);
	CHECK_STR(home->url, "http://ca.example");
	CHECK(home->n_tokens == 2 && home->n_cas == 2);
	token = home_token(home, "issuing");
	CHECK(token != NULL && home_token(home, "ocsp") == NULL);
	if (token != NULL) {
		CHECK_STR(token->conf.module, "/usr/lib/softhsm/libsofthsm2.so");
		CHECK_STR(token->conf.token, "smki-issuing");
		snprintf(want, sizeof(want), "%s/pin/issuing", folder);
		CHECK_STR(token->conf.pin_file, want);
		snprintf(want, sizeof(want), "%s/tokens/issuing/softhsm2.conf", folder);
		CHECK_STR(token->conf.softhsm_conf, want);
		snprintf(want, sizeof(want), "%s/tokens/issuing/pin.refused", folder);
		CHECK_STR(token->conf.latch_file, want);
		CHECK(token->conf.sessions == 4 && token->conf.timeout_ms == 5000);
	}
	CHECK_STR(home->token[1].conf.pin_file, "credential:pin");
	CHECK_STR(home->token[1].conf.softhsm_conf, "");
	CHECK(home_ca(home, "root") == &home->ca[0] && home_ca(home, "Root") == NULL);
	CHECK_STR(home->ca[0].token, "hsm-2");
	CHECK_STR(home->ca[1].key, "issuing");
	CHECK(strcmp(home->ocsp_token, "issuing") == 0 && strcmp(home->ocsp_key, "ocsp") == 0);
	CHECK(home->ocsp_validity == 3600 && !home->ocsp_extended_revoke);
	CHECK_STR(home->http_listen, "127.0.0.1:8080");
	CHECK(home->http_workers == 2 && home->http_connections == 240);
	CHECK(home->http_per_address == 64 && home->http_timeout == 30);
	snprintf(want, sizeof(want), "%s/tls/server.key", folder);
	CHECK_STR(home->https.key, want);
	snprintf(want, sizeof(want), "%s/tls/server.pem", folder);
	CHECK_STR(home->https.chain, want);
	CHECK(!home->https.tls12 && home->https.workers == 10 && home->https.connections == 1200);
	CHECK(home->https.per_address == 64 && home->https.timeout == 10);
	CHECK(home->https.body == 32768 && home->https.listen[0] == '\0');
	CHECK(home->enrol.device_per_day == 10 && home->enrol.per_minute == 30000);
	CHECK(home->enrol.retry_after == 60 && home->enrol.statement_age == 86400);
	CHECK(!home->enrol.base64_lines && home->enrol.refusals_kept == 30L * 86400);
	CHECK(home->access.lifetime == 600);
	CHECK(home->access.issuer[0] == '\0' && home->access.audience[0] == '\0');
	CHECK_STR(home->access.token, "issuing");
	CHECK(home->crl_validity == 86400 && home->crl_interval == 43200);
	CHECK(home->crl_delay == 10 && home->root_crl_validity == 365L * 86400);
	CHECK(home->certificates_per_device == 99);
	CHECK(home->db_cache == 40 && home->db_reader_cache == 4);
	CHECK(home->n_users[ROLE_ADMINISTRATOR] == 0 && home->n_users[ROLE_OPERATOR] == 0);
	home_gone(home);
}

static void
test_values(void)
{
	static const char more[] =
	    "never_issued = revoked\nvalidity = 30m\n"
	    "[http]\nlisten = [::]:80\nworkers = 1\ntimeout = 1m\n"
	    "[https]\nlisten = 127.0.0.1:8443\nkey = /etc/tls/key\n"
	    "chain = tls/other.pem\nmin_version = 1.2\nworkers = 3\n"
	    "[enrol]\nest_base64 = wrapped\n"
	    "[access]\nissuer = https://ca.example:8443\naudience = hes\n"
	    "token = hsm-2\nlifetime = 5m\n"
	    "[crl]\nvalidity = 2h\ndelay = 5s\ndeltas = yes\nroot_validity = 30d\n"
	    "[issue]\ncertificates_per_device = 7\n"
	    "[database]\ncache = 1024\n";
	struct home *home = mem_alloc(sizeof(*home));
	struct buf text = { 0 };
	char path[256];
	struct err err;

	buf_add_str(&text, base);
	buf_add_str(&text, more);
	CHECK(load_text(text.data, text.len, home, &err) == 0);
	CHECK(home->ocsp_validity == 1800 && home->ocsp_extended_revoke);
	CHECK_STR(home->http_listen, "[::]:80");
	CHECK_STR(home->https.listen, "127.0.0.1:8443");
	CHECK_STR(home->https.key, "/etc/tls/key");
	snprintf(path, sizeof(path), "%s/tls/other.pem", folder);
	CHECK_STR(home->https.chain, path);
	CHECK(home->https.tls12 && home->https.workers == 3 && home->https.connections == 360);
	CHECK(home->enrol.base64_lines && home->access.lifetime == 300);
	CHECK_STR(home->access.issuer, "https://ca.example:8443");
	CHECK(
	    strcmp(home->access.audience, "hes") == 0 && strcmp(home->access.token, "hsm-2") == 0);
	/* What depends on another value follows it. */
	CHECK(home->http_workers == 1 && home->http_connections == 120);
	CHECK(home->http_timeout == 60 && home->crl_deltas);
	CHECK(home->crl_validity == 7200 && home->crl_interval == 3600 && home->crl_delay == 5);
	CHECK(home->root_crl_validity == 30L * 86400 && home->certificates_per_device == 7);
	CHECK(home->db_cache == 1024 && home->db_reader_cache == 102);
	buf_free(&text);
	home_gone(home);
}

static void
test_roles(void)
{
	static const struct {
		uid_t uid;
		enum role want;
	} uids[] = {
		{ 0, ROLE_ADMINISTRATOR },
		{ 1000, ROLE_ADMINISTRATOR },
		{ 1001, ROLE_OPERATOR },
		{ 1002, ROLE_AUDITOR },
		{ 1003, ROLE_OPERATOR }, /* named twice: the higher */
		{ 1004, ROLE_NONE },
		{ 4294967294u, ROLE_AUDITOR },
		{ (uid_t)-1, ROLE_NONE },
	};
	struct home *home = mem_alloc(sizeof(*home));
	const struct passwd *daemon = getpwnam("daemon");
	struct buf text = { 0 };
	struct err err;

	buf_add_str(&text, base);
	buf_add_str(&text, "[admin]\nadministrators = 1000\noperators = 1001, 1003 ,\n"
			   "auditors = 1002,1003  4294967294");
	if (daemon != NULL)
		buf_add_str(&text, ",daemon");
	CHECK(load_text(text.data, text.len, home, &err) == 0);
	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		CHECK(home_role(home, uids[i].uid) == uids[i].want);
	if (daemon != NULL)
		CHECK(home_role(home, daemon->pw_uid) == ROLE_AUDITOR);
	CHECK_STR(role_str(ROLE_NONE), "none");
	CHECK_STR(role_str(ROLE_AUDITOR), "auditor");
	CHECK_STR(role_str(ROLE_OPERATOR), "operator");
	CHECK_STR(role_str(ROLE_ADMINISTRATOR), "administrator");

	/* As many as fit, and one more. */
	for (int n = HOME_ROLE_MAX; n <= HOME_ROLE_MAX + 1; n++) {
		buf_reset(&text);
		buf_add_str(&text, base);
		buf_add_str(&text, "[admin]\noperators =");
		for (int i = 0; i < n; i++)
			buf_fmt(&text, " %d", 2000 + i);
		CHECK(load_text(text.data, text.len, home, &err) == (n > HOME_ROLE_MAX ? -1 : 0));
	}
	CHECK(strstr(err.msg, "operators: more than 64 users") != NULL);
	buf_free(&text);
	home_gone(home);
}

/* One token and one CA more than fit. */
static void
test_many(void)
{
	struct home *home = mem_alloc(sizeof(*home));
	struct buf text = { 0 };
	struct err err;

	for (int extra = 0; extra <= 1; extra++) {
		buf_reset(&text);
		for (int i = 0; i < HOME_TOKENS_MAX + extra; i++)
			buf_fmt(&text, "[token t%d]\nmodule=/m\nlabel=l\npin_file=p\n", i);
		buf_add_str(&text, "[ocsp]\ntoken=t0\nkey=ocsp\n");
		CHECK(load_text(text.data, text.len, home, &err) == -extra);
	}
	CHECK(strstr(err.msg, "more than 8 tokens") != NULL);
	for (int extra = 0; extra <= 1; extra++) {
		buf_reset(&text);
		buf_add_str(&text, "[ocsp]\ntoken=t0\nkey=ocsp\n");
		for (int i = 0; i < STORE_CAS_MAX + extra; i++)
			buf_fmt(&text, "[ca c%d]\ntoken=t0\nkey=k\n", i);
		buf_add_str(&text, "[token t0]\nmodule=/m\nlabel=l\npin_file=p\n");
		CHECK(load_text(text.data, text.len, home, &err) == -extra);
	}
	CHECK(strstr(err.msg, "more than 32 CAs") != NULL);
	buf_free(&text);
	home_gone(home);
}

static void
test_dir(void)
{
	char out[HOME_PATH_MAX] = "untouched", here[HOME_PATH_MAX], want[HOME_PATH_MAX + 16];
	char given[HOME_PATH_MAX + 8];
	struct home *home = mem_alloc(sizeof(*home));
	struct err err;

	require(getcwd(here, sizeof(here)) != NULL);
	CHECK(unsetenv("SMKI_HOME") == 0);
	CHECK(home_dir(NULL, out, &err) == 0);
	CHECK_STR(out, "/var/lib/smki");
	CHECK(setenv("SMKI_HOME", "/srv/ca//", 1) == 0);
	CHECK(home_dir(NULL, out, &err) == 0);
	CHECK_STR(out, "/srv/ca");
	CHECK(home_dir("/given/", out, &err) == 0);
	CHECK_STR(out, "/given");
	CHECK(home_dir("/", out, &err) == 0);
	CHECK_STR(out, "/");
	CHECK(home_dir("rel/home", out, &err) == 0);
	snprintf(want, sizeof(want), "%s/rel/home", here);
	CHECK_STR(out, want);
	CHECK(home_dir("", out, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(setenv("SMKI_HOME", "", 1) == 0);
	CHECK(home_dir(NULL, out, &err) == 0);
	CHECK_STR(out, "/var/lib/smki");
	CHECK(unsetenv("SMKI_HOME") == 0);
	memset(given, 'x', sizeof(given));
	given[0] = '/';
	given[HOME_PATH_MAX - 1] = '\0';
	CHECK(home_dir(given, out, &err) == 0);
	given[HOME_PATH_MAX - 1] = 'x';
	given[HOME_PATH_MAX] = '\0';
	CHECK(home_dir(given, out, &err) == -1 && err.code == FAIL_INVALID);

	strcpy(home->dir, "/h");
	CHECK(home_path(home, HOME_DB, out, &err) == 0);
	CHECK_STR(out, "/h/db/smki.db");
	given[HOME_PATH_MAX - 4] = '\0'; /* with "/h/" and NUL exactly full */
	CHECK(home_path(home, given, out, &err) == 0 && strlen(out) == HOME_PATH_MAX - 1);
	given[HOME_PATH_MAX - 4] = 'x';
	CHECK(home_path(home, given, out, &err) == -1 && err.code == FAIL_INVALID);

	CHECK(home_load(folder, home, &err) == -1 && err.code == FAIL_NOT_FOUND);
	snprintf(want, sizeof(want), "home %s: no smki.conf; make one with: smki init", folder);
	CHECK_STR(err.msg, want);
	write_file(HOME_CONF, base, strlen(base), 0664);
	CHECK(home_load(folder, home, &err) == -1 && err.code == FAIL_DENIED);
	CHECK(strstr(err.msg, "writable by group or others") != NULL);
	home_gone(home);
}

/* The rows above stand as files for the fuzz target too; each reads as its name says. */
static void
test_corpus(void)
{
	struct home *home = mem_alloc(sizeof(*home));
	char path[1024];
	const struct dirent *entry;
	size_t seen = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/tests/corpus/conf", test_root);
	d = opendir(path);
	CHECK(d != NULL);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		struct buf text = { 0 };
		int want = strncmp(entry->d_name, "ok-", 3) == 0 ? 0 : -1;

		if (want != 0 && strncmp(entry->d_name, "bad-", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/tests/corpus/conf/%s", test_root, entry->d_name);
		CHECK_ROW(path, file_read(path, CONF_MAX, &text, NULL) == 0);
		CHECK_ROW(path, load_text(text.data, text.len, home, NULL) == want);
		buf_free(&text);
		seen++;
	}
	if (d != NULL)
		closedir(d);
	CHECK(seen >= ARRAY_LEN(rows));
	home_gone(home);
}

static int
write_corpus(const char *root)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };
		char path[1024];
		int n = snprintf(path, sizeof(path), "%s/tests/corpus/conf/%s-%s.cnf", root,
		    rows[i].want == 0 ? "ok" : "bad", rows[i].name);
		FILE *f;

		require(n > 0 && (size_t)n < sizeof(path));
		for (char *p = path + strlen(root); *p != '\0'; p++)
			if (*p == ' ')
				*p = '-';
		row_text(&rows[i], &text);
		f = fopen(path, "wb");
		if (f == NULL || fwrite(text.data, 1, text.len, f) != text.len || fclose(f) != 0) {
			perror(path);
			return 1;
		}
		buf_free(&text);
	}
	return 0;
}

static const struct test_case cases[] = {
	{ "conf", test_conf },
	{ "defaults", test_defaults },
	{ "values", test_values },
	{ "roles", test_roles },
	{ "many", test_many },
	{ "dir", test_dir },
	{ "corpus", test_corpus },
};

/* With "--corpus" behind the root, the files of tests/corpus/conf are written instead. */
int
main(int argc, char **argv)
{
	int rc;

	if (argc == 3 && strcmp(argv[2], "--corpus") == 0)
		return write_corpus(argv[1]);
	folder_make();
	rc = test_main(argc, argv, "home", cases, ARRAY_LEN(cases));
	folder_end();
	return rc;
}
