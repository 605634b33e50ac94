/*
 * Whose each import of devices is, when it may begin, and the removal of what was never finished.
 * Its rows and its end are ops_import.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imports.h"
#include "smki/clock.h"
#include "smki/mem.h"

static void imports_go(struct imports *imports);

struct imports *
imports_new(struct smkid *smkid)
{
	struct imports *imports = mem_alloc(sizeof(*imports));

	imports->smkid = smkid;
	imports->left = true; /* of the process before this one */
	require(pthread_mutex_init(&imports->lock, NULL) == 0);
	return imports;
}

void
imports_free(struct imports *imports)
{
	if (imports == NULL)
		return;
	pthread_mutex_destroy(&imports->lock);
	free(imports);
}

struct slot *
imports_find(struct imports *imports, int64_t import, const struct conn *conn)
{
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct slot *slot = &imports->slot[i];

		if (slot->state == SLOT_OPEN && slot->import == import &&
		    (conn == NULL || slot->conn == conn))
			return slot;
	}
	return NULL;
}

int
imports_none(int64_t import, struct err *err)
{
	return err_set(err, FAIL_NOT_FOUND,
	    "import %lld: is none of this connection, or ended already", (long long)import);
}

/* ---- removal of what was never finished ---- */

static int
sweep_apply(struct commit_job *job, struct store *store, struct err *err)
{
	struct imports *imports = (struct imports *)((char *)job - offsetof(struct imports, sweep));
	int64_t ids[IMPORTS_MAX + 1], id = 0;
	bool rows = false;
	size_t n = 0;

	/* One more than can be open: when there is one to remove, it is among these. */
	if (store_import_unfinished(store, ids, IMPORTS_MAX + 1, &n, err) != 0)
		return -1;
	pthread_mutex_lock(&imports->lock);
	for (size_t i = 0; i < n && id == 0; i++)
		if (imports_find(imports, ids[i], NULL) == NULL)
			id = ids[i];
	pthread_mutex_unlock(&imports->lock);
	imports->dropped = 0;
	imports->more = id != 0;
	if (id == 0)
		return 0;
	if (store_import_drop(store, id, IMPORTS_SWEEP_ROWS, &rows, err) != 0)
		return -1;
	imports->dropped = rows ? 0 : id;
	return 0;
}

static void
sweep_done(struct commit_job *job, const struct err *err)
{
	struct imports *imports = (struct imports *)((char *)job - offsetof(struct imports, sweep));
	const char *cause = err == NULL ? "" : err->msg;
	bool news;

	if (err == NULL && imports->dropped != 0)
		log_info("import %lld: was not finished, its devices are removed",
		    (long long)imports->dropped);
	pthread_mutex_lock(&imports->lock);
	imports->sweeping = false;
	if (err != NULL || imports->more)
		imports->left = true;
	news = !err_same_cause(imports->cause, cause);
	memcpy(imports->cause, cause, strlen(cause) + 1);
	pthread_mutex_unlock(&imports->lock);
	if (err == NULL)
		imports_go(imports);
	else if (news)
		log_warn("imports: what unfinished ones left is not removed: %s", cause);
}

/* ---- begin ---- */

static void
begin_done(struct register_task *task, const struct err *err)
{
	struct register_begin_task *t = (struct register_begin_task *)task;
	struct slot *slot = task->arg;
	struct request *req = slot->req;
	struct imports *imports = req->smkid->imports;
	struct buf msg = { 0 };
	bool gone;

	pthread_mutex_lock(&imports->lock);
	slot->req = NULL;
	gone = slot->conn == NULL;
	slot->state = err != NULL || gone ? SLOT_FREE : SLOT_OPEN;
	slot->import = t->import;
	imports->left = imports->left || (err == NULL && gone);
	pthread_mutex_unlock(&imports->lock);
	if (err != NULL) {
		request_fail(req, err);
	} else if (gone) {
		request_drop(req);
	} else {
		snprintf(req->note, sizeof(req->note), "import=%lld", (long long)t->import);
		request_start(req, &msg, false);
		wire_put_i64(&msg, t->import);
		request_end(req, &msg);
	}
	free(t);
	imports_go(imports);
}

static void
begin_start(struct imports *imports, struct slot *slot)
{
	struct register_begin_task *t = mem_alloc(sizeof(*t));

	memcpy(t->name, slot->name, sizeof(t->name));
	t->task.guard = imports->smkid->guard;
	t->task.uid = slot->req->uid;
	t->task.done = begin_done;
	t->task.arg = slot;
	register_begin_run(imports->smkid->committer, t);
}

/*
 * Whatever can be started now. An import begins when nothing is left of others, whose devices
 * would be in its way, and nothing is removed while one begins: in the database it would look like
 * one that nobody has.
 */
static void
imports_go(struct imports *imports)
{
	struct slot *start;
	bool beginning, sweep;
	struct err err;

	do {
		start = NULL;
		beginning = false;
		pthread_mutex_lock(&imports->lock);
		for (size_t i = 0; i < IMPORTS_MAX; i++)
			beginning = beginning || imports->slot[i].state == SLOT_BEGINNING;
		sweep = imports->left && !imports->sweeping && !beginning;
		for (size_t i = 0; i < IMPORTS_MAX && start == NULL; i++)
			if (imports->slot[i].state == SLOT_WAITING && !imports->left &&
			    !imports->sweeping)
				start = &imports->slot[i];
		if (start != NULL)
			start->state = SLOT_BEGINNING;
		if (sweep) {
			imports->sweeping = true;
			imports->left = false;
		}
		pthread_mutex_unlock(&imports->lock);
		if (start != NULL)
			begin_start(imports, start);
	} while (start != NULL);
	if (!sweep)
		return;
	imports->sweep = (struct commit_job){
		.lane = COMMIT_OTHER, .apply = sweep_apply, .done = sweep_done
	};
	if (committer_put(imports->smkid->committer, &imports->sweep, &err) != 0)
		sweep_done(&imports->sweep, &err);
}

/* Begins that waited for too long, or that a stop leaves no time for. */
void
imports_tick(struct imports *imports, bool stopping)
{
	struct request *late[IMPORTS_MAX];
	int64_t now_ms = clock_mono_ms();
	struct err err;
	size_t n = 0;

	pthread_mutex_lock(&imports->lock);
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct slot *slot = &imports->slot[i];

		if (slot->state != SLOT_WAITING || (!stopping && now_ms < slot->wait_by_ms))
			continue;
		late[n++] = slot->req;
		slot->req = NULL;
		slot->state = SLOT_FREE;
	}
	pthread_mutex_unlock(&imports->lock);
	err_set(&err, FAIL_UNAVAILABLE, "import: %s",
	    stopping ? "the service is stopping"
		     : "what an unfinished import left is still being removed; try again");
	for (size_t i = 0; i < n; i++)
		request_fail(late[i], &err);
	imports_go(imports);
}

void
imports_gone(struct imports *imports, const struct conn *conn)
{
	struct request *waiting[IMPORTS_MAX];
	bool left = false;
	size_t n = 0;

	pthread_mutex_lock(&imports->lock);
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct slot *slot = &imports->slot[i];

		if (slot->state == SLOT_FREE || slot->conn != conn)
			continue;
		slot->conn = NULL;
		switch (slot->state) {
		case SLOT_FREE:
		case SLOT_LOADING:
		case SLOT_BEGINNING:
			break; /* seen by who is at it */
		case SLOT_WAITING:
			waiting[n++] = slot->req;
			slot->req = NULL;
			slot->state = SLOT_FREE;
			break;
		case SLOT_OPEN:
			slot->state = SLOT_FREE;
			imports->left = left = true;
			break;
		}
	}
	pthread_mutex_unlock(&imports->lock);
	for (size_t i = 0; i < n; i++)
		request_drop(waiting[i]);
	if (left)
		imports_go(imports);
}

struct begin {
	struct pool_item item; /* first */
	struct imports *imports;
	struct slot *slot;
};

static void
begin_run(struct pool_item *item, struct store *reader)
{
	struct begin *begin = (struct begin *)item;
	struct imports *imports = begin->imports;
	struct slot *slot = begin->slot;
	struct request *req = slot->req;
	struct err err;
	int rc = register_names_load(&imports->smkid->home, &slot->names, &err);
	bool gone;

	pthread_mutex_lock(&imports->lock);
	gone = slot->conn == NULL;
	if (rc == 0 && !gone) {
		slot->state = SLOT_WAITING;
		slot->wait_by_ms = clock_mono_ms() + IMPORTS_WAIT_MS;
	} else {
		slot->state = SLOT_FREE;
		slot->req = NULL;
	}
	pthread_mutex_unlock(&imports->lock);
	if (gone)
		request_drop(req);
	else if (rc != 0)
		request_fail(req, &err);
	free(begin);
	imports_go(imports);
}

/* A slot for this request, all of it new. */
static int
imports_take(struct imports *imports, struct request *req, const char *name, struct slot **out,
    struct err *err)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&imports->lock);
	for (size_t i = 0; i < IMPORTS_MAX && slot == NULL; i++)
		if (imports->slot[i].state == SLOT_FREE)
			slot = &imports->slot[i];
	if (slot != NULL) {
		memset(slot, 0, sizeof(*slot));
		slot->state = SLOT_LOADING;
		slot->conn = req->conn;
		slot->req = req;
		snprintf(slot->name, sizeof(slot->name), "%s", name);
	}
	pthread_mutex_unlock(&imports->lock);
	if (slot == NULL)
		return err_set(
		    err, FAIL_LIMIT, "import: %d are under way already; try again", IMPORTS_MAX);
	*out = slot;
	return 0;
}

int
imports_begin(struct imports *imports, struct request *req, const char *name, struct err *err)
{
	struct begin *begin = mem_alloc(sizeof(*begin));

	begin->item.run = begin_run;
	begin->imports = imports;
	if (imports_take(imports, req, name, &begin->slot, err) != 0)
		goto out;
	if (pool_put(req->smkid->queries, &begin->item, err) == 0)
		return 0;
	pthread_mutex_lock(&imports->lock);
	begin->slot->state = SLOT_FREE;
	begin->slot->req = NULL;
	pthread_mutex_unlock(&imports->lock);
out:
	free(begin);
	return -1;
}

int
imports_drop(struct imports *imports, int64_t import, const struct conn *conn, struct err *err)
{
	struct slot *slot;

	pthread_mutex_lock(&imports->lock);
	slot = imports_find(imports, import, conn);
	if (slot != NULL) {
		slot->state = SLOT_FREE;
		imports->left = true;
	}
	pthread_mutex_unlock(&imports->lock);
	if (slot == NULL)
		return imports_none(import, err);
	imports_go(imports);
	return 0;
}
