/*
 * One list in the making: its entries scanned into the file, then the frame around them, signed.
 */
#ifndef SERVICE_CRLGEN_LIST_H
#define SERVICE_CRLGEN_LIST_H

#include "crlgen_file.h"
#include "smki/crl.h"

struct crlgen_list {
	const struct crl_which *which; /* borrowed */
	struct crlgen_out *out;	       /* borrowed; open */
	struct crl_params params;
	int64_t base_event; /* of a delta */
	/* So many entries are guessed, only to save a move of what is written; 0 = nobody knows. Of a
	 * complete list crlgen_list_scan asks the database. */
	int64_t expected;
	/* These are crlgen_list_scan's; zero before. */
	int64_t entries;
	uint64_t entries_len;
	size_t room; /* where the entries begin in the file; 0 = none was written yet */
};

/* All that stands on the list by view, once, behind the room for what comes before it. */
int crlgen_list_scan(struct crlgen_list *list, struct store *view, struct err *err) MUST_USE;
/*
 * The rest: what is signed is hashed as it stands in the file, signed and the signature verified;
 * head and end are written, all is durable under its new name.
 */
int crlgen_list_sign(struct crlgen_list *list, const struct ca *ca, struct err *err) MUST_USE;

#endif
