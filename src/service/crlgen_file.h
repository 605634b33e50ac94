/*
 * The files of CRLs in HOME/crl: "STEM-NUMBER.crl", ".new" behind it until its row is committed.
 */
#ifndef SERVICE_CRLGEN_FILE_H
#define SERVICE_CRLGEN_FILE_H

#include <openssl/evp.h>

#include "smki/caset.h"
#include "smki/crlgen.h"

/* Octets gathered before they are written, and read at a time. */
#define CRLGEN_CHUNK (256 * 1024)

/* A list being written. Start with fd -1. */
struct crlgen_out {
	int fd;
	bool made;	 /* the new file is there and not published: crlgen_out_close removes it */
	const char *dir; /* borrowed */
	char path[HOME_PATH_MAX];     /* as published */
	char path_new[HOME_PATH_MAX]; /* until then */
	struct buf chunk;	      /* gathered; has room for CRLGEN_CHUNK octets */
	uint64_t at;		      /* where in the file it goes */
	uint64_t started;	      /* up to here the disk was told to begin writing */
	uint64_t size;		      /* these two after crlgen_out_sync */
	uint8_t sha256[SHA256_LEN];
};

/* A number is used once: what a crash left of it under its new name is replaced; what stands
 * published under it is FAIL_CONFLICT. */
int crlgen_out_open(const char *dir, const char *stem, int64_t number, struct crlgen_out *out,
    struct err *err) MUST_USE;
/* Gather len octets, or write what is gathered and then them. */
int crlgen_out_put(struct crlgen_out *out, const void *data, size_t len, struct err *err) MUST_USE;
/* Write what is gathered. */
int crlgen_out_flush(struct crlgen_out *out, struct err *err) MUST_USE;
/* Write over what is there, or into what was left out by setting at. */
int crlgen_out_put_at(
    struct crlgen_out *out, uint64_t at, const void *data, size_t len, struct err *err) MUST_USE;
/* Nothing is gathered: what stands from from up to at stands from to on then, and at follows. */
int crlgen_out_move(struct crlgen_out *out, uint64_t from, uint64_t to, struct err *err) MUST_USE;
/* Nothing is gathered: what stands from from up to at, through md. */
int crlgen_out_hash(
    const struct crlgen_out *out, uint64_t from, EVP_MD_CTX *md, struct err *err) MUST_USE;
/* Written whole, and durable under its new name: file and folder. size and sha256 are set, read
 * from the file. */
int crlgen_out_sync(struct crlgen_out *out, struct err *err) MUST_USE;
/* Rename. From here on the file stays, whatever happens. */
int crlgen_out_publish(struct crlgen_out *out, struct err *err) MUST_USE;
/* Frees; removes what was not published. */
void crlgen_out_close(struct crlgen_out *out);

/* A file's name taken apart. */
struct crlgen_name {
	char ca[NAME_LEN];
	struct crl_which which;
	int64_t number;
};

/* 1 for "STEM-NUMBER.crl" as it is written here, of a CA that there is; 0 for any other name. */
int crlgen_name_known(const char *file, const struct caset *cas, struct crlgen_name *out);
/* Call fn for each entry of dir until it fails. */
int crlgen_each(const char *dir, int (*fn)(void *ctx, int at, const char *name, struct err *err),
    void *ctx, struct err *err) MUST_USE;

/* Remove published lists of the kind just finished that are older than those to be kept. */
int crlgen_prune(const struct crlgen_conf *conf, const struct ca *ca, const struct crl_which *which,
    struct store *reader, struct err *err) MUST_USE;

#endif
