/*
 * Why somebody from outside was refused. The words are what operators see and what the database
 * counts; strangers get the error's one line.
 */
#ifndef SMKI_REFUSAL_H
#define SMKI_REFUSAL_H

/* The wire holds the numbers, the database the words: never reuse one. */
enum refusal {
	REFUSAL_NONE = 0,
	REFUSAL_REQUEST = 1,	  /* the certification request breaks a rule */
	REFUSAL_CREDENTIAL = 2,	  /* no credential at all, and the key is not a registered one */
	REFUSAL_CERTIFICATE = 3,  /* TLS certificate: nobody's we know, or ended */
	REFUSAL_ANCHOR = 4,	  /* chain does not verify under the manufacturer's anchor */
	REFUSAL_MANUFACTURER = 5, /* verified under an anchor, but of another manufacturer */
	REFUSAL_STATE = 6,	  /* our own certificate, on hold or revoked */
	REFUSAL_UNREGISTERED = 7,
	REFUSAL_HELD = 8,      /* the device is on hold in the register */
	REFUSAL_RETIRED = 9,   /* the device is retired */
	REFUSAL_IDENTITY = 10, /* the proof is one device's, the request another's */
	REFUSAL_SECRET = 11,   /* wrong enrolment secret */
	REFUSAL_SECRET_USED = 12,
	REFUSAL_PROOF = 13,	/* not a proof that this device is registered with */
	REFUSAL_SIGNATURE = 14, /* signature over the bootstrap statement */
	REFUSAL_TIME = 15,	/* time in the bootstrap statement */
	REFUSAL_PROFILE = 16,	/* profile cannot be enrolled for, or makes no server keys */
	REFUSAL_CONFLICT = 17,	/* identity rules: key or certificate of another */
	REFUSAL_QUOTA = 18,	/* this device's enrolments */
	REFUSAL_CEILING = 19,	/* everybody's enrolments */
	REFUSAL_SCOPE = 20,	/* OAuth: scope, grant type or client */
	REFUSAL_FORM = 21,	/* unparsable: counted in metrics only */
	REFUSALS,
};

/* "unregistered", "secret-wrong", ...: lower case and '-', at most 31 octets; "" for a number that
 * is none. */
const char *refusal_str(enum refusal reason);

#endif
