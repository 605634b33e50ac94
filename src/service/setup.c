/*
 * smki init: the folders and files of a new home, in the order of the ceremony. Policies are in
 * setup_policies.c, tokens in setup_token.c, the authority itself in setup_ca.c. Whatever fails,
 * nothing half-done remains.
 */
#include "smki/setup.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "setup.h"
#include "smki/clock.h"
#include "smki/file.h"
#include "smki/mem.h"
#include "smki/rng.h"
#include "smki/wire.h"

/* Octets of the pepper for enrolment secrets. */
#define PEPPER_LEN 32

const char *const setup_token_name[SETUP_TOKENS] = { "root", "issuing", "ocsp" };

int
setup_path(
    const struct setup_state *state, char out[HOME_PATH_MAX], struct err *err, const char *fmt, ...)
{
	char rel[HOME_PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(rel, sizeof rel, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof rel ||
	    (size_t)snprintf(out, HOME_PATH_MAX, "%s/%s", state->dir, rel) >= HOME_PATH_MAX)
		return err_set(err, FAIL_INVALID, "home: path is over %d octets: %s/...",
		    HOME_PATH_MAX - 1, state->dir);
	return 0;
}

uid_t
setup_token_uid(const struct setup *setup, enum setup_token which)
{
	switch (which) {
	case SETUP_ROOT:
	case SETUP_TOKENS:
		break;
	case SETUP_ISSUING:
		return setup->ca_uid;
	case SETUP_OCSP:
		return setup->http_uid;
	}
	return (uid_t)-1;
}

void
setup_say(const struct setup *setup, const char *fmt, ...)
{
	char line[DETAIL_LEN];
	va_list ap;

	if (setup->progress == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	setup->progress(line);
}

int
setup_own(const char *path, uid_t uid, gid_t gid, struct err *err)
{
	char *roots[2] = { NULL, NULL };
	FTS *walk = NULL;
	FTSENT *e;
	int r = -1;

	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	roots[0] = mem_str(path);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (walk == NULL) {
		err_sys(err, FAIL_UNAVAILABLE, "%s: cannot be read", path);
		goto out;
	}
	for (errno = 0; (e = fts_read(walk)) != NULL; errno = 0) {
		if (e->fts_info == FTS_DP)
			continue;
		if (lchown(e->fts_accpath, uid, gid) != 0) {
			err_sys(err, FAIL_DENIED, "%s: owner cannot be set", e->fts_path);
			goto out;
		}
		/* A change of owner may clear the set-group bit of a folder. */
		if (e->fts_info == FTS_D &&
		    chmod(e->fts_accpath, e->fts_statp->st_mode & 07777) != 0) {
			err_sys(err, FAIL_DENIED, "%s: mode cannot be set", e->fts_path);
			goto out;
		}
	}
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "%s: cannot be walked", path);
		goto out;
	}
	r = 0;
out:
	if (walk != NULL)
		fts_close(walk);
	free(roots[0]);
	return r;
}

/* Whoever can write in the home decides what is in it. */
static int
setup_check_folder(const struct setup *setup, DIR *d, struct err *err)
{
	struct stat st;

	if (fstat(dirfd(d), &st) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "home %s", setup->dir);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, FAIL_DENIED,
		    "home %s: folder is writable by group or others (mode %04o)", setup->dir,
		    (unsigned)st.st_mode & 07777u);
	if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != setup->ca_uid)
		return err_set(
		    err, FAIL_DENIED, "home %s: folder is uid %ld's", setup->dir, (long)st.st_uid);
	return 0;
}

/* 0 when dir does not exist (*made = 1 after it is made) or is an empty folder. */
static int
setup_claim(const struct setup *setup, int *made, struct err *err)
{
	const char *dir = setup->dir;
	struct dirent *e;
	DIR *d;
	int r = -1;

	if (file_make_dir(dir, 0755, err) == 0) {
		*made = 1;
		return 0;
	}
	if (err->code != FAIL_CONFLICT)
		return err_prefix(err, "home");
	d = opendir(dir);
	if (d == NULL)
		return err_set(
		    err, FAIL_CONFLICT, "home %s: exists and is no folder; left untouched", dir);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			break;
	if (e != NULL)
		err_set(err, FAIL_CONFLICT,
		    "home %s: exists and is not empty; left untouched; name another with --home",
		    dir);
	else
		r = setup_check_folder(setup, d, err);
	closedir(d);
	*made = 0;
	return r;
}

struct setup_folder {
	const char *name;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static int
setup_folders(struct setup_state *state, struct err *err)
{
	const struct setup *s = state->setup;
	const uid_t nobody = (uid_t)-1;
	const struct setup_folder folder[] = {
		{ HOME_POLICIES, 0755, nobody, (gid_t)-1 },
		{ HOME_DB_DIR, 02750, s->ca_uid, s->http_gid },
		{ HOME_TOKENS, 0711, nobody, (gid_t)-1 },
		{ HOME_TOKENS "/root", 0700, nobody, (gid_t)-1 },
		{ HOME_TOKENS "/issuing", 0700, s->ca_uid, s->ca_gid },
		{ HOME_TOKENS "/ocsp", 0700, s->http_uid, s->http_gid },
		{ HOME_PINS, 0711, nobody, (gid_t)-1 },
		{ HOME_SECRET, 0700, s->ca_uid, s->ca_gid },
		{ HOME_CRL, 02750, s->ca_uid, s->http_gid },
		/* smkid reads the certificate, not the key */
		{ HOME_TLS, 0751, s->http_uid, s->http_gid },
		/* sticky: the front cannot remove the sockets of smkid */
		{ HOME_RUN, 03775, s->ca_uid, s->http_gid },
	};
	char path[HOME_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(folder); i++) {
		if (setup_path(state, path, err, "%s", folder[i].name) != 0 ||
		    file_make_dir(path, folder[i].mode, err) != 0 ||
		    setup_own(path, folder[i].uid, folder[i].gid, err) != 0)
			return -1;
	}
	return 0;
}

/* [token NAME], with paths inside the home relative to it. */
static void
setup_conf_token(const struct setup_state *state, enum setup_token which, struct buf *text)
{
	const struct hsm_conf *conf = &state->token[which];
	const char *name = setup_token_name[which];

	buf_fmt(text, "\n[token %s]\nmodule = %s\nlabel = %s\n", name, conf->module, conf->token);
	if (state->setup->token_uri[which] != NULL)
		buf_fmt(text, "pin_file = %s\n", conf->pin_file);
	else
		buf_fmt(text,
		    "pin_file = " HOME_PINS "/%s\nsofthsm_conf = " HOME_TOKENS
		    "/%s/softhsm2.conf\n",
		    name, name);
	buf_add_str(text, "sessions = 4\n");
}

/* A label or path that the configuration's syntax would read as another. */
static int
setup_check_tokens(const struct setup_state *state, const struct home *home, struct err *err)
{
	const struct home_token *token;

	for (int i = 0; i < SETUP_TOKENS; i++) {
		token = home_token(home, setup_token_name[i]);
		if (token == NULL || strcmp(token->conf.token, state->token[i].token) != 0 ||
		    strcmp(token->conf.module, state->token[i].module) != 0 ||
		    strcmp(token->conf.pin_file, state->token[i].pin_file) != 0)
			return err_set(err, FAIL_INVALID,
			    HOME_CONF ": [token %s]: label, module or PIN file cannot be written "
				      "in the configuration's syntax",
			    setup_token_name[i]);
	}
	return 0;
}

static int
setup_conf(struct setup_state *state, struct err *err)
{
	const struct setup *s = state->setup;
	struct home *home = mem_alloc(sizeof *home);
	char path[HOME_PATH_MAX];
	struct buf text = { 0 };
	int r = -1;

	buf_add_str(
	    &text, "# smki: configuration of this home; smki.conf(5) tells all keys.\n\n[smki]\n");
	if (s->url != NULL)
		buf_fmt(&text, "url = %s\n", s->url);
	for (int i = 0; i < SETUP_TOKENS; i++)
		setup_conf_token(state, (enum setup_token)i, &text);
	buf_add_str(&text,
	    "\n[ca root]\ntoken = root\nkey = root\n"
	    "\n[ca issuing]\ntoken = issuing\nkey = issuing\n"
	    "\n[ocsp]\ntoken = ocsp\nkey = ocsp\nvalidity = 1h\nnever_issued = unknown\n"
	    "\n[http]\n");
	buf_fmt(&text, "listen = %s\n", s->http);
	buf_fmt(&text, "\n[https]\nlisten = %s\n", s->https);
	buf_add_str(&text,
	    "\n[crl]\nvalidity = 24h\ninterval = 12h\ndelay = 10s\nroot_validity = 365d\n"
	    "\n[issue]\ncertificates_per_device = 99\n\n[admin]\n");
	buf_fmt(&text, "administrators = %lu\n", (unsigned long)geteuid());
	/* Read as the daemons will: what they would refuse is no home. */
	if (setup_path(state, path, err, HOME_CONF) == 0 &&
	    file_write(path, text.data, text.len, 0644, err) == 0 &&
	    home_load(state->dir, home, err) == 0 && setup_check_tokens(state, home, err) == 0)
		r = 0;
	free(home);
	buf_free(&text);
	return r;
}

static int
setup_pepper(struct setup_state *state, struct err *err)
{
	uint8_t pepper[PEPPER_LEN];
	char path[HOME_PATH_MAX];
	int r = -1;

	if (rng_draw(pepper, sizeof pepper) != 0)
		return err_set(err, FAIL_INTERNAL, "pepper: no random octets");
	if (setup_path(state, path, err, HOME_SECRET "/pepper") == 0 &&
	    file_write(path, pepper, sizeof pepper, 0400, err) == 0 &&
	    setup_own(path, state->setup->ca_uid, state->setup->ca_gid, err) == 0)
		r = 0;
	OPENSSL_cleanse(pepper, sizeof pepper);
	return r;
}

static int
setup_go_on(const struct setup *setup, struct err *err)
{
	if (setup->interrupted == NULL || setup->interrupted() == 0)
		return 0;
	return err_set(err, FAIL_UNAVAILABLE, "init: interrupted; what was made is removed");
}

static int
setup_all(struct setup_state *state, struct err *err)
{
	static const char *const needed[] = { "root-ca", "issuing-ca", "ocsp", "tls-server" };
	const struct profile *p;

	if (setup_folders(state, err) != 0 || setup_policies(state, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (profiles_get(&state->profiles, needed[i]) == NULL)
			return err_set(err, FAIL_INVALID, "profile %s: is missing", needed[i]);
	if (setup_pepper(state, err) != 0 || setup_tokens(state, err) != 0)
		return -1;
	for (int i = 0; i < SETUP_TOKENS; i++) {
		p = profiles_get(&state->profiles, needed[i]);
		if (setup_go_on(state->setup, err) != 0 ||
		    setup_key(state, (enum setup_token)i, p->curve_p256 ? EC_P256 : EC_P384, err) !=
			0)
			return -1;
	}
	if (setup_go_on(state->setup, err) != 0 || setup_access_key(state, err) != 0 ||
	    setup_go_on(state->setup, err) != 0 || setup_conf(state, err) != 0 ||
	    setup_authority(state, err) != 0 || setup_tokens_own(state, err) != 0)
		return -1;
	return setup_go_on(state->setup, err);
}

/* What would make a home in which smkid cannot listen. */
static int
setup_check_sockets(const struct setup_state *state, struct err *err)
{
	static const char *const names[] = { HOME_ADMIN_SOCK, HOME_FRONT_SOCK };
	char path[HOME_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (setup_path(state, path, err, "%s", names[i]) != 0 ||
		    wire_path_check(path, err) != 0)
			return -1;
	return 0;
}

int
setup_run(const struct setup *setup, struct err *err)
{
	struct setup_state state = { .setup = setup, .now = clock_now() };
	struct err undo;
	int made = 0, keys_stay = 0, r;

	if (setup->n_names == 0)
		return err_set(err, FAIL_INVALID, "init: no host name for the TLS certificate");
	if ((size_t)snprintf(state.dir, sizeof state.dir, "%s", setup->dir) >= sizeof state.dir)
		return err_set(
		    err, FAIL_INVALID, "home: path is over %d octets", HOME_PATH_MAX - 1);
	if (setup_check_sockets(&state, err) != 0 || setup_claim(setup, &made, err) != 0)
		return -1;
	r = setup_all(&state, err);
	profiles_free(&state.profiles);
	if (r == 0)
		return 0;
	for (int i = 0; i < SETUP_TOKENS; i++)
		keys_stay |= setup->token_uri[i] != NULL && state.pub[i].len != 0;
	if (keys_stay)
		err_prefix(err, "keys already made stay on the tokens named");
	/* A folder that was there stays, as it was. */
	if ((made ? file_remove_tree(state.dir, &undo) : file_empty_dir(state.dir, &undo)) != 0)
		return err_prefix(err, "%s (what was made could not all be removed)", undo.msg);
	return -1;
}
