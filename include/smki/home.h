/*
 * A home: the folder of one installation, its smki.conf and the places of its files. The home
 * holds smki.conf, policies/, db/, tokens/, pin/, secret/, crl/, tls/, run/.
 */
#ifndef SMKI_HOME_H
#define SMKI_HOME_H

#include <sys/types.h>

#include "smki/cert.h"
#include "smki/hsm.h"
#include "smki/profile.h"
#include "smki/store.h"
#include "smki/types.h"

#define HOME_PATH_MAX 1024
#define HOME_TOKENS_MAX 8
#define HOME_PROFILES_MAX 64
#define HOME_ROLE_MAX 64 /* users named for one role */

/* [token NAME] of smki.conf */
struct home_token {
	char name[NAME_LEN];
	struct hsm_conf conf; /* paths made absolute */
};

/* [ca NAME]: where its key is */
struct home_ca {
	char name[NAME_LEN];
	char token[NAME_LEN];
	char key[HSM_LABEL_MAX + 1];
};

/* Least first: each may do all that the one before may. */
enum role {
	ROLE_NONE = 0,
	ROLE_AUDITOR,	    /* show, list, status */
	ROLE_OPERATOR,	    /* issue, hold, reactivate, revoke, crl */
	ROLE_ADMINISTRATOR, /* CA ceremony, clock accept */
};

/* [https]: the TLS listener */
struct home_https {
	char listen[64];	   /* ADDR:PORT, "" = none */
	char key[HOME_PATH_MAX];   /* PEM, default tls/server.key */
	char chain[HOME_PATH_MAX]; /* PEM, server's first, default tls/server.pem */
	bool tls12;		   /* min_version = 1.2; else 1.3 */
	long workers, connections, per_address, timeout; /* as [http] */
	long body; /* octets of a request's body, at most: 4k..64k, 32768 */
};

/* [enrol] */
struct home_enrol {
	long device_per_day; /* enrolments of one device in 24 h: 10 (1..1000) */
	long per_minute;     /* of all devices: 30000 (1..10000000) */
	long retry_after;    /* seconds told to who waits for approval: 60 (1..86400) */
	long statement_age;  /* how far a statement's time may be off: 1d (1m..3650d) */
	bool base64_lines;   /* est_base64 = line | wrapped: EST answers in lines of 64 */
	long refusals_kept;  /* 30d (1d..3650d) */
};

/* Issuer and audience of access tokens, with NUL. */
#define HOME_CLAIM_LEN 256

/* [access] tokens */
struct home_access {
	long lifetime;		       /* 10m (1m..15m) */
	char issuer[HOME_CLAIM_LEN];   /* iss; "" = the home's url, without one "smki" */
	char audience[HOME_CLAIM_LEN]; /* aud; "" = the issuer */
	char token[NAME_LEN]; /* where the keys are, [ca issuing]'s unless told; "" = nowhere */
};

struct home {
	char dir[HOME_PATH_MAX]; /* absolute */
	char url[URI_MAX];	 /* [smki] url, "" = none; without a final '/' */
	long db_cache; /* [database] cache: MiB of pages smkid's writer keeps, 40 (16..65536) */
	long db_reader_cache; /* what each thread that reads keeps: a tenth of that */
	size_t n_tokens;
	struct home_token token[HOME_TOKENS_MAX];
	size_t n_cas;
	struct home_ca ca[STORE_CAS_MAX];
	char ocsp_token[NAME_LEN]; /* [ocsp] token, key */
	char ocsp_key[HSM_LABEL_MAX + 1];
	long ocsp_validity;	   /* [ocsp] validity: 1h, 5m..24h */
	bool ocsp_extended_revoke; /* [ocsp] never_issued = unknown | revoked */
	long ocsp_cache;	   /* [ocsp] cache: MiB of signed answers, 64 (0..4096) */
	char http_listen[64];	   /* [http] listen ADDR:PORT */
	long http_workers;	   /* [http] workers, 1..16 */
	long http_connections;	   /* [http] connections, at most 120 a worker */
	long http_per_address;	   /* [http] connections_per_address */
	long http_timeout;	   /* [http] timeout, seconds for a whole request */
	struct home_https https;
	struct home_enrol enrol;
	struct home_access access;
	long crl_validity;	/* [crl] validity: 24h */
	long crl_interval;	/* [crl] interval: 12h */
	long crl_delay;		/* [crl] delay: at most this often on change, 10 s (1 s..60 s) */
	bool crl_deltas;	/* [crl] deltas: on change a delta, not a complete list: no */
	long root_crl_validity; /* [crl] root_validity: 365 d */
	long certificates_per_device; /* [issue] certificates_per_device: 99 */
	size_t n_users[ROLE_ADMINISTRATOR + 1];
	uid_t users[ROLE_ADMINISTRATOR + 1][HOME_ROLE_MAX]; /* [admin] auditors, operators, ... */
};

/* Fixed places, relative to the home. */
#define HOME_CONF "smki.conf"
#define HOME_DB_DIR "db"
#define HOME_DB "db/smki.db"
#define HOME_STATUS "db/status.page" /* the newest state change (statuspage.h) */
#define HOME_LOCK "db/smkid.lock"    /* held by the smkid that serves the home */
#define HOME_POLICIES "policies"
#define HOME_TOKENS "tokens"
#define HOME_PINS "pin"
#define HOME_SECRET "secret"
#define HOME_CRL "crl"
#define HOME_TLS "tls"
#define HOME_RUN "run"
#define HOME_ADMIN_SOCK "run/admin.sock"
#define HOME_FRONT_SOCK "run/front.sock"
#define HOME_ADDRESSES "run/addresses"

/* --home value or NULL -> $SMKI_HOME -> /var/lib/smki; absolute. */
int home_dir(const char *given, char out[HOME_PATH_MAX], struct err *err) MUST_USE;
/* Read and check DIR/smki.conf; every value range-checked, unknown keys refused with their line.
 * No such home: FAIL_NOT_FOUND "home DIR: no smki.conf; make one with: smki init". */
int home_load(const char *dir, struct home *out, struct err *err) MUST_USE;
/* FAIL_INVALID "WHAT = ...: ..." unless ADDR:PORT with a numeric address, IPv6 in brackets; port 0 =
 * any free one. */
int home_listen_check(const char *what, const char *listen, struct err *err) MUST_USE;
/*
 * The URL goes into certificates as it stands, with a path behind it: an http URI of RFC 3986
 * without query or fragment; final slashes are dropped on the way to out. https is refused:
 * fetching a CRL would need a certificate whose CRL is to be fetched (RFC 5280 8).
 * FAIL_INVALID, the message beginning with the clause.
 */
int home_url_check(const char *given, char out[URI_MAX], struct err *err) MUST_USE;
/* dir/rel; a path too long is FAIL_INVALID. */
int home_path(
    const struct home *home, const char *rel, char out[HOME_PATH_MAX], struct err *err) MUST_USE;
/* NULL when there is none of this name. */
const struct home_token *home_token(const struct home *home, const char *name);
const struct home_ca *home_ca(const struct home *home, const char *name);
/* Highest role of a uid; root has the administrator's. */
enum role home_role(const struct home *home, uid_t uid);
const char *role_str(enum role role);

/* All profiles of the folder dir (HOME/policies): its files NAME.cnf, by name; any bad one fails
 * the whole, named. Other names are not looked at. */
struct profiles {
	size_t n;
	struct profile *profile[HOME_PROFILES_MAX];
};
int profiles_load(const char *dir, struct profiles *out, struct err *err) MUST_USE;
void profiles_free(struct profiles *profiles);
/* NULL when there is none of this name. */
const struct profile *profiles_get(const struct profiles *profiles, const char *name);

#endif
