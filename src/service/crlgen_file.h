/*
 * The files of CRLs in HOME/crl: "STEM-NUMBER.crl", ".new" behind it until its row is committed.
 */
#ifndef SERVICE_CRLGEN_FILE_H
#define SERVICE_CRLGEN_FILE_H

#include <openssl/evp.h>

#include "smki/caset.h"
#include "smki/crlgen.h"

/* A list being written. Start with fd -1. */
struct crlgen_out {
	int fd;
	bool made;	 /* the new file is there and not published: crlgen_out_close removes it */
	const char *dir; /* borrowed */
	char path[HOME_PATH_MAX];     /* as published */
	char path_new[HOME_PATH_MAX]; /* until then */
	EVP_MD_CTX *md;
	uint64_t size;
	uint8_t sha256[SHA256_LEN]; /* after crlgen_out_sync */
};

/* A number is used once: what a crash left of it under its new name is replaced. */
int crlgen_out_open(const char *dir, const char *stem, int64_t number, struct crlgen_out *out,
    struct err *err) MUST_USE;
int crlgen_out_put(struct crlgen_out *out, const void *data, size_t len, struct err *err) MUST_USE;
/* Durable under its new name: file and folder; sha256 is set. */
int crlgen_out_sync(struct crlgen_out *out, struct err *err) MUST_USE;
/* Rename. From here on the file stays, whatever happens. */
int crlgen_out_publish(struct crlgen_out *out, struct err *err) MUST_USE;
/* Frees; removes what was not published. */
void crlgen_out_close(struct crlgen_out *out);

/* Remove published lists of the kind just finished that are older than those to be kept. */
int crlgen_prune(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, struct err *err) MUST_USE;

#endif
