/*
 * Access tokens over the front's socket, and the keys that sign them over the admin's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"
#include "smki/clock.h"
#include "smki/front.h"
#include "smki/mem.h"
#include "smkid.h"

/* ---- a token ---- */

struct token_ask {
	struct pool_item item; /* first */
	struct request *req;
	struct access_request asked;
};

static void
token_ask_free(struct token_ask *ask)
{
	access_request_free(&ask->asked);
	free(ask);
}

static void
token_ask_run(struct pool_item *item, struct store *reader)
{
	struct token_ask *ask = (struct token_ask *)item;
	struct access_answer *answer = mem_alloc(sizeof(*answer));
	struct request *req = ask->req;
	struct buf msg = { 0 };
	struct err err;

	if (access_run(req->smkid->access, &ask->asked, reader, answer, &err) != 0) {
		request_fail(req, &err);
	} else {
		/* Tokens change nothing and come by the thousand; both are counted. */
		req->quiet = true;
		request_start(req, &msg, false);
		front_access_put(&msg, answer);
		request_end(req, &msg);
	}
	free(answer);
	token_ask_free(ask);
}

void
op_token(struct request *req, struct wire_in *in)
{
	struct token_ask *ask = mem_alloc(sizeof(*ask));
	struct err err;

	ask->item.run = token_ask_run;
	ask->req = req;
	if (front_token_get(in, &ask->asked, &err) != 0 ||
	    pool_put(req->smkid->workers, &ask->item, &err) != 0) {
		token_ask_free(ask);
		request_fail(req, &err);
	}
}

/* ---- the list of keys ---- */

struct keys_ask {
	struct pool_item item; /* first */
	struct request *req;
};

static void
keys_ask_run(struct pool_item *item, struct store *reader)
{
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	struct request *req = ((struct keys_ask *)item)->req;
	struct buf msg = { 0 };
	struct err err;
	size_t n = 0;

	if (store_access_key_list(reader, keys, &n, &err) != 0) {
		request_fail(req, &err);
	} else {
		request_start(req, &msg, false);
		access_keys_put(&msg, keys, n);
		request_end(req, &msg);
	}
	free(item);
}

void
op_access_keys(struct request *req, struct wire_in *in)
{
	struct keys_ask *ask = mem_alloc(sizeof(*ask));
	struct err err;

	ask->item.run = keys_ask_run;
	ask->req = req;
	if (wire_end(in, "access keys", &err) != 0 ||
	    pool_put(req->smkid->queries, &ask->item, &err) != 0) {
		free(ask);
		request_fail(req, &err);
	}
}

/* ---- a new key ---- */

struct key_add {
	struct commit_job job;
	struct pool_item item;
	struct request *req;
	struct store_access_key key;
};

/*
 * In the transaction: when it signs. The list is of a fixed length; a key that is still needed to
 * verify tokens is not pushed off it.
 */
static int
key_add_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct key_add *add = (struct key_add *)job;
	const struct smkid *smkid = add->req->smkid;
	struct store_access_key keys[STORE_ACCESS_KEYS_MAX];
	struct store_actor actor = { .uid = add->req->uid };
	int64_t event;
	time_t newest;
	size_t n = 0;

	if (store_event_newest(store, &event, &newest, err) != 0 ||
	    store_access_key_list(store, keys, &n, err) != 0)
		return -1;
	actor.now = clock_record_time(clock_now(), newest);
	if (n == STORE_ACCESS_KEYS_MAX &&
	    access_key_is_published(keys, n, 0, actor.now, smkid->home.access.lifetime))
		return err_set(err, FAIL_LIMIT,
		    "access key %s: %d keys are published already; wait until the oldest is not",
		    add->key.label, STORE_ACCESS_KEYS_MAX);
	add->key.made = actor.now;
	add->key.active_from = actor.now + ACCESS_PUBLISH_S;
	return store_access_key_add(store, &actor, &add->key, err);
}

static void
key_add_done(struct commit_job *job, const struct err *err)
{
	struct key_add *add = (struct key_add *)job;
	struct request *req = add->req;
	struct buf msg = { 0 };

	snprintf(req->note, sizeof(req->note), "kid=%s", add->key.kid);
	if (err != NULL) {
		request_fail(req, err);
	} else {
		timeguard_note(req->smkid->guard, add->key.made);
		request_start(req, &msg, false);
		request_end(req, &msg);
	}
	free(add);
}

/* The token first: what is recorded is there to sign with. */
static void
key_add_run(struct pool_item *item, struct store *reader)
{
	struct key_add *add = (struct key_add *)((char *)item - offsetof(struct key_add, item));
	struct smkid *smkid = add->req->smkid;
	struct err err;
	time_t now;

	(void)reader;
	if (timeguard_now(smkid->guard, &now, &err) != 0 ||
	    lanes_access_add(smkid->lanes, add->key.label, &add->key.pub, &err) != 0 ||
	    committer_put(smkid->committer, &add->job, &err) != 0)
		key_add_done(&add->job, &err);
}

void
op_access_key(struct request *req, struct wire_in *in)
{
	struct key_add *add = mem_alloc(sizeof(*add));
	struct err err;

	add->job = (struct commit_job){
		.lane = COMMIT_OTHER, .apply = key_add_apply, .done = key_add_done
	};
	add->item.run = key_add_run;
	add->req = req;
	access_key_get(in, &add->key);
	if (wire_end(in, "access key", &err) != 0)
		goto out;
	/* Only its label and its point are the command's to say. */
	if (access_label_number(add->key.label) == 0) {
		err_set(&err, FAIL_DENIED, "access key: its label is not " ACCESS_LABEL "NUMBER");
		goto out;
	}
	jwt_kid(&add->key.pub, add->key.kid);
	if (pool_put(req->smkid->workers, &add->item, &err) == 0)
		return;
out:
	free(add);
	request_fail(req, &err);
}
