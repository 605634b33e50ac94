/*
 * smki init: a new home with configuration, database, tokens, keys, CAs, responder, TLS server
 * certificate, first key for access tokens and root CRL. The one writer of the database beside smkid, before smkid ever ran.
 */
#ifndef SMKI_SETUP_H
#define SMKI_SETUP_H

#include "smki/home.h"

#define SETUP_NAMES_MAX 16

/* Roles of tokens, in the order of the ceremony. */
enum setup_token {
	SETUP_ROOT = 0,
	SETUP_ISSUING,
	SETUP_OCSP,
	SETUP_TOKENS,
};

struct setup {
	const char *dir;
	const char *token_uri[SETUP_TOKENS]; /* NULL = SoftHSM in the home */
	const char *url;		     /* NULL = none: profiles with CDP or AIA refuse */
	const char *http;		     /* ADDR:PORT */
	const char *https;		     /* ADDR:PORT, "" = no TLS listener */
	const char *policies;		    /* folder of policies to take; NULL = those that ship */
	const char *names[SETUP_NAMES_MAX]; /* host names of the TLS certificate */
	size_t n_names;
	/* Owners of the files when root sets up (design: two uids); -1 = whoever runs it. */
	uid_t ca_uid, http_uid;
	gid_t ca_gid, http_gid;
	void (*progress)(const char *line); /* may be NULL */
	int (*interrupted)(void);	    /* asked between steps, 1 = give up; may be NULL */
};

/*
 * An existing path (other than an empty folder): FAIL_CONFLICT, untouched; an empty folder that
 * others can write or that is another's: FAIL_DENIED. On any failure
 * everything that was made is removed again. Tokens named by URI keep keys made on them: the
 * message says so.
 */
int setup_run(const struct setup *setup, struct err *err) MUST_USE;

#endif
