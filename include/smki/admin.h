/*
 * The operations on smkid's two sockets and their payloads, written and read by one pair of
 * functions each, so both ends agree. Fields stand in the order of the struct.
 */
#ifndef SMKI_ADMIN_H
#define SMKI_ADMIN_H

#include "smki/home.h"
#include "smki/issue.h"
#include "smki/lifecycle.h"
#include "smki/status.h"
#include "smki/store_crl.h"
#include "smki/wire.h"

/* Numbers are on the wire: never reuse one. */
enum admin_op {
	ADMIN_HELLO = 1,     /* -> struct admin_hello */
	ADMIN_STATUS = 2,    /* -> struct admin_status, then struct admin_ca messages (MORE) */
	ADMIN_ISSUE = 3,     /* struct issue_request -> struct issue_result */
	ADMIN_CHANGE = 4,    /* struct status_request -> struct status_result */
	ADMIN_SHOW = 5,	     /* struct admin_find -> struct admin_found messages (MORE) */
	ADMIN_LIST = 6,	     /* struct admin_list -> messages of count(4) store_cert (MORE) */
	ADMIN_CRL = 7,	     /* struct admin_crl_ask -> struct store_crl, then the file in pieces of
			       * one wire_put_bytes each (MORE) */
	ADMIN_CA_LIST = 8,   /* -> struct admin_ca messages (MORE) */
	ADMIN_CA_CHANGE = 9, /* as ADMIN_CHANGE, for certificates that a root issued */
	ADMIN_CRL_BEGIN =
	    10,		    /* struct admin_name -> struct admin_crl_begin: number, what to list */
	ADMIN_CRL_PUT = 11, /* struct admin_crl_put -> nothing: a CRL signed by the ceremony */
	ADMIN_CLOCK = 12,   /* -> i64: the clock is accepted */
	/* the register (register.h) */
	ADMIN_DEVICE_ADD = 13,	  /* struct register_add -> struct register_added */
	ADMIN_DEVICE_CHANGE = 14, /* struct register_change -> struct register_changed */
	ADMIN_DEVICE_SHOW = 15,	  /* EUI-64 -> struct register_found */
	ADMIN_DEVICE_LIST = 16,	  /* struct store_device_filter -> device rows (MORE) */
	ADMIN_DEVICE_SECRET = 17, /* EUI-64 -> struct register_added */
	ADMIN_IMPORT_BEGIN = 18,  /* name -> i64 import */
	ADMIN_IMPORT_ADD = 19,	  /* struct register_chunk -> struct register_chunk_done */
	ADMIN_IMPORT_FINISH = 20, /* i64 import, i64 count -> nothing: all of it is visible */
	ADMIN_IMPORT_DROP = 21,	  /* i64 import -> nothing: none of it ever is */
	ADMIN_ACCESS_KEY = 22,	  /* struct store_access_key -> nothing: take it up */
	ADMIN_ACCESS_KEYS = 23,	  /* -> count, struct store_access_key each */
	ADMIN_DEVICE_NAMES = 24,  /* -> struct register_names */
};

/* A root has few children; more revoked ones than this need another way. */
#define ADMIN_ROOT_ENTRIES_MAX 1000
/* Events of one certificate that show tells, newest kept. */
#define ADMIN_EVENTS_MAX 64
/* Certificates that one show may tell of: over what a device may ever have (smki.conf [issue]). */
#define ADMIN_FOUND_MAX 16384

struct admin_hello {
	char version[32];
	enum role role;
	int64_t uid;
};

struct admin_name {
	char ca[NAME_LEN]; /* "" = the only issuing CA */
};

struct admin_crl_ask {
	char ca[NAME_LEN];  /* as in admin_name */
	enum crl_kind kind; /* of the list to be made */
	int64_t shard;	    /* CRL_SHARD: its number, else 0 */
};

struct admin_find {
	bool by_device;	   /* else by serial */
	bool der;	   /* the certificates themselves too */
	char ca[NAME_LEN]; /* "" = any */
	struct serial serial;
	struct eui64 device;
};

struct admin_found {
	struct store_cert cert;
	struct buf der; /* empty unless asked for; owned: admin_found_free */
	size_t n_events;
	struct store_event event[ADMIN_EVENTS_MAX];
};

struct admin_list {
	bool by_state;
	enum cert_state state;
	char ca[NAME_LEN];
	bool by_device;
	struct eui64 device;
	time_t since;
	int64_t limit;
};

struct admin_status {
	char version[32];
	int64_t pid;
	time_t started;
	time_t now;
	int64_t event; /* newest event number */
	bool token_ready;
	uint32_t queue;		 /* requests waiting */
	char alarm[ERR_MSG_MAX]; /* "" = none: clock in doubt, token away, CRL overdue */
	int64_t refused;	 /* requests of devices and strangers refused in the last hour */
	uint32_t imports;	 /* going on, or broken off and not removed yet */
	time_t server_until;	 /* end of the TLS server's newest certificate; 0 = none */
};

struct admin_ca {
	char name[NAME_LEN];
	char parent[NAME_LEN];
	bool key_bound;
	struct store_tally tally;
	bool has_crl;
	struct store_crl crl; /* newest */
	struct buf der;	      /* its certificate; owned: admin_ca_free */
	struct buf responder; /* OCSP responder certificate, empty when none; owned */
};

struct admin_crl_begin {
	int64_t number;
	int64_t event;
	struct buf der; /* the CA's certificate; owned */
	size_t n;
	struct store_listed entry[ADMIN_ROOT_ENTRIES_MAX];
};

struct admin_crl_put {
	char ca[NAME_LEN];
	int64_t number;
	int64_t event;
	struct buf der; /* owned */
};

/* Each put appends to a started message; each get reads a whole payload (wire_end included) and
 * fails with FAIL_INVALID, out then holds nothing to free. The uid of a request and
 * whether it is the ceremony's are not on the wire: get sets ACTOR_SELF and false, and the server
 * puts there what the socket and the operation say. Times are 0 to
 * TIME_NO_EXPIRY, ids and counts not negative, enums in range. */
void admin_hello_put(struct buf *msg, const struct admin_hello *hello);
int admin_hello_get(struct wire_in *in, struct admin_hello *out, struct err *err) MUST_USE;
void admin_name_put(struct buf *msg, const struct admin_name *name);
int admin_name_get(struct wire_in *in, struct admin_name *out, struct err *err) MUST_USE;
void admin_crl_ask_put(struct buf *msg, const struct admin_crl_ask *ask);
int admin_crl_ask_get(struct wire_in *in, struct admin_crl_ask *out, struct err *err) MUST_USE;
void admin_find_put(struct buf *msg, const struct admin_find *find);
int admin_find_get(struct wire_in *in, struct admin_find *out, struct err *err) MUST_USE;
void admin_found_put(struct buf *msg, const struct admin_found *found);
int admin_found_get(struct wire_in *in, struct admin_found *out, struct err *err) MUST_USE;
void admin_found_free(struct admin_found *found);
void admin_list_put(struct buf *msg, const struct admin_list *list);
int admin_list_get(struct wire_in *in, struct admin_list *out, struct err *err) MUST_USE;
/* One certificate row inside a message; get leaves the verdict to wire_end. */
void admin_cert_put(struct buf *msg, const struct store_cert *cert);
void admin_cert_get(struct wire_in *in, struct store_cert *out);
void admin_status_put(struct buf *msg, const struct admin_status *status);
int admin_status_get(struct wire_in *in, struct admin_status *out, struct err *err) MUST_USE;
void admin_ca_put(struct buf *msg, const struct admin_ca *ca);
int admin_ca_get(struct wire_in *in, struct admin_ca *out, struct err *err) MUST_USE;
void admin_ca_free(struct admin_ca *ca);
void admin_crl_put_put(struct buf *msg, const struct admin_crl_put *put);
int admin_crl_put_get(struct wire_in *in, struct admin_crl_put *out, struct err *err) MUST_USE;
void admin_crl_put_free(struct admin_crl_put *put);
void admin_crl_begin_put(struct buf *msg, const struct admin_crl_begin *begin);
int admin_crl_begin_get(struct wire_in *in, struct admin_crl_begin *out, struct err *err) MUST_USE;
void admin_crl_begin_free(struct admin_crl_begin *begin);
void admin_crl_row_put(struct buf *msg, const struct store_crl *crl);
int admin_crl_row_get(struct wire_in *in, struct store_crl *out, struct err *err) MUST_USE;
void admin_issue_put(struct buf *msg, const struct issue_request *request);
int admin_issue_get(struct wire_in *in, struct issue_request *out, struct err *err) MUST_USE;
void admin_issued_put(struct buf *msg, const struct issue_result *result);
int admin_issued_get(struct wire_in *in, struct issue_result *out, struct err *err) MUST_USE;
void admin_change_put(struct buf *msg, const struct status_request *request);
int admin_change_get(struct wire_in *in, struct status_request *out, struct err *err) MUST_USE;
void admin_changed_put(struct buf *msg, const struct status_result *result);
int admin_changed_get(struct wire_in *in, struct status_result *out, struct err *err) MUST_USE;

#endif
