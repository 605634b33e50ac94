/*
 * The bytes of a list, from the rows of one view to the synced file. Rows are read and encoded
 * once, straight into the file, behind room for what stands before them; that is known only when
 * their length is. What is signed is read back from the file. Memory does not grow with the list.
 * Numbers, rows of lists and names are not looked at here.
 */
#include <string.h>

#include "crlgen_list.h"
#include "smki/fault.h"
#include "smki/mem.h"

struct crlgen_digest {
	uint8_t octets[SHA384_LEN];
	unsigned len;
};

/* What stands around the entries. */
struct crlgen_frame {
	struct buf head, end; /* end = tail, and later what closes the list */
	size_t tbs_at;
};

/* Longest ECDSA-Sig-Value of a curve: two INTEGERs, each with an octet more than the field. */
static size_t
crlgen_sig_max(enum ec_curve curve)
{
	return 2 + 2 * (2 + 1 + ec_field_len(curve));
}

/* ---- entries ---- */

/*
 * The first octets are to be written, and what stands before them grows with the length of all:
 * by an octet or two at 16 MiB and at 4 GiB. A guess, made right in the end.
 */
static void
crlgen_list_begin(struct crlgen_list *list)
{
	uint64_t len = list->out->chunk.len;
	struct buf head = { 0 };
	size_t tbs_at;

	if (list->expected > list->entries && list->entries > 0)
		len = len * (uint64_t)list->expected / (uint64_t)list->entries;
	crl_head_put(&head, &list->params, len, crlgen_sig_max(list->params.curve), &tbs_at);
	list->room = head.len;
	list->out->at = head.len;
	buf_free(&head);
}

static int
crlgen_list_entry(void *ctx, const struct store_listed *listed, struct err *err)
{
	struct crlgen_list *list = ctx;
	struct crl_entry entry = {
		.serial = listed->serial,
		.revoked_at = listed->changed,
		.reason = listed->reason,
		.invalid_since = listed->invalid_since,
	};

	if (list->out->chunk.len + CRL_ENTRY_MAX > CRLGEN_CHUNK) {
		if (list->room == 0)
			crlgen_list_begin(list);
		if (crlgen_out_flush(list->out, err) != 0)
			return -1;
	}
	list->entries_len += list->which->kind == CRL_DELTA
				 ? crl_delta_entry_put(&list->out->chunk, &entry)
				 : crl_entry_put(&list->out->chunk, &entry);
	list->entries++;
	return 0;
}

int
crlgen_list_scan(struct crlgen_list *list, struct store *view, struct err *err)
{
	struct store_tally tally;

	if (list->which->kind == CRL_COMPLETE) {
		if (store_tally(view, list->which->ca, &tally, err) != 0)
			return -1;
		list->expected = tally.hold + tally.revoked;
	}
	return store_list_each(view, list->which, list->base_event, crlgen_list_entry, list, err);
}

/* ---- around the entries ---- */

/* The head for a signature of sig_len octets; the entries begin where it ends. */
static int
crlgen_list_fit(
    struct crlgen_list *list, size_t sig_len, struct crlgen_frame *frame, struct err *err)
{
	buf_reset(&frame->head);
	crl_head_put(&frame->head, &list->params, list->entries_len, sig_len, &frame->tbs_at);
	if (list->room == 0) {
		list->room = frame->head.len;
		list->out->at = frame->head.len;
	}
	if (crlgen_out_flush(list->out, err) != 0)
		return -1;
	if (list->room == frame->head.len)
		return 0;
	if (crlgen_out_move(list->out, list->room, frame->head.len, err) != 0)
		return -1;
	list->room = frame->head.len;
	return 0;
}

/* Of what is to be signed: the entries as they stand in the file, head and tail from memory. */
static int
crlgen_list_digest(const struct crlgen_list *list, const struct crlgen_frame *frame,
    struct crlgen_digest *digest, struct err *err)
{
	const EVP_MD *hash = list->params.curve == EC_P256 ? EVP_sha256() : EVP_sha384();
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int r = -1;

	if (md == NULL || EVP_DigestInit_ex(md, hash, NULL) != 1 ||
	    EVP_DigestUpdate(
		md, frame->head.data + frame->tbs_at, frame->head.len - frame->tbs_at) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	if (crlgen_out_hash(list->out, list->room, md, err) != 0)
		goto out;
	if (EVP_DigestUpdate(md, frame->end.data, frame->end.len) != 1 ||
	    EVP_DigestFinal_ex(md, digest->octets, &digest->len) != 1) {
		err_ssl(err, FAIL_INTERNAL, "crl: hash");
		goto out;
	}
	r = 0;
out:
	EVP_MD_CTX_free(md);
	return r;
}

/* The signature turned out shorter than its room, by just what a length octet more or less takes:
 * what was moved is hashed again where it stands now. */
static int
crlgen_list_again(const struct crlgen_list *list, const struct crlgen_frame *frame,
    const struct crlgen_digest *signed_digest, struct err *err)
{
	struct crlgen_digest is;

	if (crlgen_list_digest(list, frame, &is, err) != 0)
		return -1;
	if (is.len == signed_digest->len && memcmp(is.octets, signed_digest->octets, is.len) == 0)
		return 0;
	return err_set(err, FAIL_INTERNAL, "crl: the list written is not the list signed");
}

int
crlgen_list_sign(struct crlgen_list *list, const struct ca *ca, struct err *err)
{
	struct crlgen_frame frame = { .tbs_at = 0 };
	struct crlgen_digest digest;
	struct buf sig = { 0 };
	size_t room;
	int r = -1;

	crl_tail_put(&frame.end, &list->params);
	if (crlgen_list_fit(list, crlgen_sig_max(list->params.curve), &frame, err) != 0 ||
	    crlgen_list_digest(list, &frame, &digest, err) != 0)
		goto out;
	fault_point("crl.streamed");
	room = list->room;
	if (sign_digest(&ca->signer, digest.octets, digest.len, &sig, err) != 0 ||
	    crlgen_list_fit(list, sig.len, &frame, err) != 0 ||
	    (list->room != room && crlgen_list_again(list, &frame, &digest, err) != 0))
		goto out;
	crl_close_put(&frame.end, list->params.curve, buf_span(&sig));
	if (crlgen_out_put_at(list->out, 0, frame.head.data, frame.head.len, err) != 0 ||
	    crlgen_out_put(list->out, frame.end.data, frame.end.len, err) != 0 ||
	    crlgen_out_sync(list->out, err) != 0)
		goto out;
	r = 0;
out:
	buf_free(&frame.head);
	buf_free(&frame.end);
	buf_free(&sig);
	return r;
}
