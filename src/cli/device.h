/*
 * What the files of smki device share.
 */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include "cli.h"
#include "smki/register.h"

/* The command line of one of its verbs, from the name of the verb on. Each returns an exit status. */
int device_import(struct cli *cli, int argc, char **argv);

/* 64 hexadecimal digits, or a file that holds a public key, a certificate or a request in PEM or
 * DER, to SHA-256 of the SubjectPublicKeyInfo. Only keys that could enrol: P-256 and P-384. */
int device_key(const char *text, uint8_t out[SHA256_LEN], struct err *err) MUST_USE;

#endif
