/*
 * What a pool thread is asked to do with its session: look keys up, make them, sign.
 */
#ifndef IO_HSM_KEY_H
#define IO_HSM_KEY_H

#include "hsm_session.h"

enum hsm_job_kind {
	JOB_OPEN, /* nothing but a session that is logged in */
	JOB_FIND,
	JOB_GENERATE,
	JOB_SIGN,
};

struct hsm_job {
	enum hsm_job_kind kind;
	char label[HSM_LABEL_MAX + 1]; /* FIND, GENERATE, SIGN */
	enum ec_curve curve;	       /* GENERATE */
	size_t index;		       /* SIGN: which handle of the session, < HSM_KEYS_MAX */
	struct ec_pub pub;	       /* SIGN: the key it must be; FIND, GENERATE: out */
	bool known;		       /* FIND, SIGN: it was there; gone, the token is lost */
	uint8_t digest[SHA384_LEN];    /* SIGN: as long as a coordinate of pub */
	uint8_t rs[EC_RS_MAX];	       /* SIGN: out */
};

/* Do the job in the open session; on VERDICT_DONE its out fields are set. */
enum hsm_verdict hsm_key_job(const struct hsm_module *module, struct hsm_session *session,
    struct hsm_job *job, struct err *err) MUST_USE;

#endif
