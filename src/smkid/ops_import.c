/*
 * Imports of devices over the admin socket: begin, pieces of rows, the two ends. Rows are checked
 * and their secrets turned into HMACs in the query threads; the committer only writes, and never
 * has more than a few pieces before it.
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "imports.h"
#include "smki/mem.h"

void
op_import_begin(struct request *req, struct wire_in *in)
{
	char name[DETAIL_LEN] = "";
	struct err err;

	wire_get_str(in, name, sizeof(name));
	if (wire_end(in, "name of an import", &err) != 0 ||
	    imports_begin(req->smkid->imports, req, name, &err) != 0)
		request_fail(req, &err);
}

/* ---- rows ---- */

/* A piece on its way. */
struct chunk {
	struct pool_item item;		/* first */
	struct register_rows_task rows; /* arg = the chunk */
	struct register_names names;
	struct request *req;
	struct chunk *next; /* prepared, waiting for the committer */
};

static void
chunk_end(struct chunk *chunk, const struct err *err)
{
	const struct register_chunk_done *result = &chunk->rows.result;
	int64_t import = chunk->rows.chunk.import;
	struct request *req = chunk->req;
	struct imports *imports = req->smkid->imports;
	struct buf msg = { 0 };
	struct slot *slot;

	pthread_mutex_lock(&imports->lock);
	slot = imports_find(imports, import, NULL);
	if (slot != NULL) {
		slot->chunks--;
		slot->refused = slot->refused || err != NULL || result->n > 0;
	}
	pthread_mutex_unlock(&imports->lock);
	snprintf(req->note, sizeof(req->note), "import=%lld rows=%zu known=%u", (long long)import,
	    chunk->rows.chunk.n, result->n);
	if (err != NULL) {
		request_fail(req, err);
	} else {
		request_start(req, &msg, false);
		register_chunk_done_put(&msg, result);
		request_end(req, &msg);
	}
	register_chunk_free(&chunk->rows.chunk);
	free(chunk);
}

/* Hand on what is prepared, as far as the committer may be kept busy with it. */
static void
chunks_commit(struct imports *imports)
{
	struct chunk *chunk;

	do {
		chunk = NULL;
		pthread_mutex_lock(&imports->lock);
		if (imports->committing < IMPORTS_COMMIT_MAX && imports->first != NULL) {
			chunk = imports->first;
			imports->first = chunk->next;
			if (imports->first == NULL)
				imports->last = NULL;
			imports->committing++;
		}
		pthread_mutex_unlock(&imports->lock);
		if (chunk != NULL)
			register_rows_run(imports->smkid->committer, &chunk->rows);
	} while (chunk != NULL);
}

static void
chunk_done(struct register_task *task, const struct err *err)
{
	struct chunk *chunk = task->arg;
	struct imports *imports = chunk->req->smkid->imports;

	chunk_end(chunk, err);
	pthread_mutex_lock(&imports->lock);
	imports->committing--;
	pthread_mutex_unlock(&imports->lock);
	chunks_commit(imports);
}

static void
chunk_run(struct pool_item *item, struct store *reader)
{
	struct chunk *chunk = (struct chunk *)item;
	struct smkid *smkid = chunk->req->smkid;
	struct imports *imports = smkid->imports;
	uint8_t pepper[PEPPER_LEN];
	struct err err;
	int rc = pepper_load(&smkid->home, pepper, &err);

	if (rc == 0)
		rc = register_chunk_prepare(&chunk->rows.chunk, &chunk->names,
		    (struct span){ pepper, sizeof(pepper) }, &err);
	OPENSSL_cleanse(pepper, sizeof(pepper));
	if (rc != 0) {
		chunk_end(chunk, &err);
		return;
	}
	pthread_mutex_lock(&imports->lock);
	if (imports->last != NULL)
		imports->last->next = chunk;
	else
		imports->first = chunk;
	imports->last = chunk;
	pthread_mutex_unlock(&imports->lock);
	chunks_commit(imports);
}

/* Count the piece to its import. */
static int
chunk_take(struct imports *imports, struct chunk *chunk, struct err *err)
{
	int64_t import = chunk->rows.chunk.import;
	struct slot *slot;
	int r = 0;

	pthread_mutex_lock(&imports->lock);
	slot = imports_find(imports, import, chunk->req->conn);
	if (slot == NULL) {
		r = imports_none(import, err);
	} else if (slot->chunks == IMPORTS_CHUNKS_MAX) {
		r = err_set(err, FAIL_LIMIT, "import %lld: %d pieces are on their way already",
		    (long long)import, IMPORTS_CHUNKS_MAX);
	} else {
		slot->chunks++;
		chunk->names = slot->names;
	}
	pthread_mutex_unlock(&imports->lock);
	return r;
}

void
op_import_add(struct request *req, struct wire_in *in)
{
	struct chunk *chunk = mem_alloc(sizeof(*chunk));
	struct err err;

	chunk->item.run = chunk_run;
	chunk->req = req;
	chunk->rows.task.guard = req->smkid->guard;
	chunk->rows.task.uid = req->uid;
	chunk->rows.task.done = chunk_done;
	chunk->rows.task.arg = chunk;
	if (register_chunk_get(in, &chunk->rows.chunk, &err) != 0 ||
	    chunk_take(req->smkid->imports, chunk, &err) != 0) {
		register_chunk_free(&chunk->rows.chunk);
		free(chunk);
		request_fail(req, &err);
	} else if (pool_put(req->smkid->queries, &chunk->item, &err) != 0) {
		chunk_end(chunk, &err);
	}
}

/* ---- the two ends ---- */

static void
finish_done(struct register_task *task, const struct err *err)
{
	struct register_finish_task *t = (struct register_finish_task *)task;
	struct request *req = task->arg;
	struct imports *imports = req->smkid->imports;
	struct buf msg = { 0 };
	struct slot *slot;

	snprintf(req->note, sizeof(req->note), "import=%lld devices=%lld", (long long)t->import,
	    (long long)t->count);
	if (err != NULL) {
		request_fail(req, err);
		free(t);
		return;
	}
	pthread_mutex_lock(&imports->lock);
	slot = imports_find(imports, t->import, NULL);
	if (slot != NULL)
		slot->state = SLOT_FREE;
	pthread_mutex_unlock(&imports->lock);
	request_start(req, &msg, false);
	request_end(req, &msg);
	free(t);
}

void
op_import_finish(struct request *req, struct wire_in *in)
{
	struct register_finish_task *t = mem_alloc(sizeof(*t));
	struct imports *imports = req->smkid->imports;
	bool found, refused;
	struct slot *slot;
	struct err err;

	t->task.guard = req->smkid->guard;
	t->task.uid = req->uid;
	t->task.done = finish_done;
	t->task.arg = req;
	t->import = wire_get_i64(in);
	t->count = wire_get_i64(in);
	if (wire_end(in, "import to finish", &err) != 0)
		goto out;
	pthread_mutex_lock(&imports->lock);
	slot = imports_find(imports, t->import, req->conn);
	found = slot != NULL;
	refused = found && slot->refused;
	pthread_mutex_unlock(&imports->lock);
	if (!found) {
		imports_none(t->import, &err);
		goto out;
	}
	if (refused) {
		err_set(&err, FAIL_CONFLICT,
		    "import %lld: devices of it were refused, so none of it is registered",
		    (long long)t->import);
		goto out;
	}
	register_finish_run(req->smkid->committer, t);
	return;
out:
	free(t);
	request_fail(req, &err);
}

void
op_import_drop(struct request *req, struct wire_in *in)
{
	int64_t import = wire_get_i64(in);
	struct buf msg = { 0 };
	struct err err;

	if (wire_end(in, "import to drop", &err) != 0 ||
	    imports_drop(req->smkid->imports, import, req->conn, &err) != 0) {
		request_fail(req, &err);
		return;
	}
	snprintf(req->note, sizeof(req->note), "import=%lld", (long long)import);
	request_start(req, &msg, false);
	request_end(req, &msg);
}
