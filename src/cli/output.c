/*
 * How the command writes: plain lines for people and scripts, one JSON object a line with --json.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "cli.h"
#include "smki/der.h"
#include "smki/file.h"
#include "smki/hex.h"
#include "smki/mem.h"

int
cli_fail(const struct err *err)
{
	fprintf(stderr, "smki: %s\n", err->msg);
	return err_exit_status(err->code);
}

void
cli_flush(struct cli *cli)
{
	/* What did not get out is dropped, so it fails once; a later call would know no reason. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && cli->lost == 0)
		cli->lost = errno != 0 ? errno : EIO;
}

void
json_str(const char *key, const char *value, int first)
{
	const unsigned char *p = (const unsigned char *)value;
	size_t len;

	printf("%s\"%s\":\"", first ? "" : ",", key);
	for (; *p != 0; p += len) {
		len = utf8_len(p, strlen((const char *)p));
		if (len == 0) {
			fputs("\\ufffd", stdout);
			len = 1;
		} else if (*p == '"' || *p == '\\') {
			printf("\\%c", *p);
		} else if (*p < 0x20 || *p == 0x7f) {
			printf("\\u%04x", *p);
		} else {
			fwrite(p, 1, len, stdout);
		}
	}
	putchar('"');
}

void
json_int(const char *key, long long value, int first)
{
	printf("%s\"%s\":%lld", first ? "" : ",", key, value);
}

void
json_time(const char *key, time_t value, int first)
{
	char text[TIME_TEXT_LEN];

	time_text(value, text);
	json_str(key, text, first);
}

void
json_cert_members(const struct store_cert *cert)
{
	char serial[SERIAL_TEXT_LEN], holder[HOLDER_TEXT_LEN];

	serial_text(&cert->serial, serial);
	holder_text(&cert->holder, holder);
	json_str("serial", serial, 1);
	json_str("ca", cert->ca_name, 0);
	json_str("profile", cert->profile, 0);
	json_str("holder", holder, 0);
	if (cert->holder.hw_type[0] != 0)
		json_str("hwType", cert->holder.hw_type, 0);
	json_str("state", state_str(cert->state), 0);
	if (cert->state != CERT_VALID)
		json_str("reason", reason_str(cert->reason), 0);
	json_time("notBefore", cert->not_before, 0);
	json_time("notAfter", cert->not_after, 0);
	json_time("changed", cert->changed, 0);
	if (cert->invalid_since != 0)
		json_time("invalidSince", cert->invalid_since, 0);
}

void
output_cert_head(const struct cli *cli)
{
	if (!cli->json && isatty(STDOUT_FILENO))
		printf("%-16s %-8s %-24s %-18s %-16s %s\n", "serial", "state", "reason", "profile",
		    "holder", "changed");
}

void
output_cert(const struct cli *cli, const struct store_cert *cert)
{
	char serial[SERIAL_TEXT_LEN], holder[HOLDER_TEXT_LEN], changed[TIME_TEXT_LEN];

	if (cli->json) {
		putchar('{');
		json_cert_members(cert);
		puts("}");
		return;
	}
	serial_text(&cert->serial, serial);
	holder_text(&cert->holder, holder);
	time_text(cert->changed, changed);
	printf("%-16s %-8s %-24s %-18s %-16s %s\n", serial, state_str(cert->state),
	    cert->state == CERT_VALID ? "-" : reason_str(cert->reason), cert->profile, holder,
	    changed);
}

void
output_crl(const struct cli *cli, const struct store_crl *crl)
{
	char from[TIME_TEXT_LEN], until[TIME_TEXT_LEN];

	time_text(crl->this_update, from);
	time_text(crl->next_update, until);
	if (cli->json) {
		json_int("crlNumber", crl->number, 1);
		if (crl->base != 0)
			json_int("baseCrlNumber", crl->base, 0);
		json_str("thisUpdate", from, 0);
		json_str("nextUpdate", until, 0);
		json_int("entries", crl->entries, 0);
		json_int("size", crl->size, 0);
		json_int("event", crl->event, 0);
		return;
	}
	printf("crl %lld", (long long)crl->number);
	if (crl->base != 0)
		printf(" since %lld", (long long)crl->base);
	printf(": %lld entries, %lld octets, %s to %s\n", (long long)crl->entries,
	    (long long)crl->size, from, until);
}

/* The next PEM block: 1 when it is a certificate, which is added; 0 when there is none. */
static int
output_pem_cert(BIO *mem, struct buf *der)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	int got = 0;
	long len;

	if (PEM_read_bio(mem, &name, &header, &data, &len) != 1) {
		ERR_clear_error();
		return 0;
	}
	if (strcmp(name, "CERTIFICATE") == 0) {
		buf_add(der, data, (size_t)len);
		got = 1;
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return got;
}

int
output_read_cert(const char *path, struct buf *der, struct err *err)
{
	struct buf text = { 0 }, another = { 0 };
	BIO *mem = NULL;
	int r = -1;

	if (file_read(path, 4 * CERT_DER_MAX, &text, err) != 0)
		goto out;
	if (text.len != 0 && text.data[0] == DER_SEQUENCE) {
		buf_add(der, text.data, text.len);
		r = 0;
		goto out;
	}
	mem = BIO_new_mem_buf(text.data, (int)text.len);
	if (mem == NULL || output_pem_cert(mem, der) != 1) {
		err_set(err, FAIL_INVALID, "%s: RFC 7468 5: no certificate in PEM or DER", path);
		goto out;
	}
	/* Of a chain the first may be meant, or all. */
	if (output_pem_cert(mem, &another) != 0) {
		err_set(err, FAIL_INVALID, "%s: RFC 7468 5: more than one certificate", path);
		goto out;
	}
	r = 0;
out:
	BIO_free(mem);
	buf_free(&another);
	buf_free(&text);
	return r;
}
