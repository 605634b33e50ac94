/*
 * Threads and their two queues: what comes in bulk and what comes alone take turns, in the order of
 * their arrival each, and neither fills the other's queue.
 */
#include <pthread.h>
#include <sched.h>

#include "pool.h"
#include "store_db.h"

#define N_BULK 20
#define N_SINGLE 5
#define QUEUE_MAX 20
#define MANY 200
#define NOT_PREPARED 'X'

struct work {
	struct pool_item item; /* first */
	char name;
};

static struct pool *pool;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool open_gate, at_gate;
static char done[3 * MANY + 1];
static size_t n_done;

static void
note(char name)
{
	pthread_mutex_lock(&lock);
	done[n_done++] = name;
	pthread_mutex_unlock(&lock);
}

static void
run(struct pool_item *item, struct store *reader)
{
	(void)reader;
	note(((struct work *)item)->name);
}

/* The one thread waits in here until all the rest is queued. */
static void
run_gate(struct pool_item *item, struct store *reader)
{
	(void)item;
	(void)reader;
	pthread_mutex_lock(&lock);
	at_gate = true;
	pthread_cond_broadcast(&moved);
	while (!open_gate)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static bool
prepare(struct pool_item *item)
{
	return ((struct work *)item)->name != NOT_PREPARED;
}

static bool
begin(struct pool_item *item, struct store *reader)
{
	run(item, reader);
	return true;
}

static void
finish(struct pool_item *item)
{
	note((char)(((struct work *)item)->name + 'a' - 'A'));
}

static struct pool_item gate = { .run = run_gate };

static void
begin_world(size_t max)
{
	struct pool_conf conf = { .db = path, .cache = 1, .threads = 1, .max = max };
	struct store *store = NULL;
	struct err err;

	store_dir();
	MUST(store_open(path, STORE_CREATE, &store, &err));
	store_close(store);
	open_gate = at_gate = false;
	n_done = 0;
	MUST(pool_new(&conf, &pool, &err));
	MUST(pool_put(pool, &gate, &err));
	pthread_mutex_lock(&lock);
	while (!at_gate)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

/* Everything that waits is done before the threads end. */
static void
end_world(void)
{
	pthread_mutex_lock(&lock);
	open_gate = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
	pool_free(pool);
	store_dir_end();
	done[n_done] = '\0';
}

static void
test_turns(void)
{
	struct work bulk[N_BULK], single[N_SINGLE];
	struct err err;

	begin_world(QUEUE_MAX);
	for (int i = 0; i < N_BULK; i++) {
		bulk[i] = (struct work){ { .run = run, .bulk = true }, (char)('A' + i) };
		MUST(pool_put(pool, &bulk[i].item, &err));
	}
	for (int i = 0; i < N_SINGLE; i++) {
		single[i] = (struct work){ { .run = run }, (char)('0' + i) };
		MUST(pool_put(pool, &single[i].item, &err));
	}
	CU_ASSERT_EQUAL(pool_waiting(pool), N_BULK + N_SINGLE);
	end_world();
	CU_ASSERT_STRING_EQUAL(done, "A0B1C2D3E4FGHIJKLMNOPQRST");
}

/* As many items, not as many turns: what is begun together counts each. */
static void
test_shares(void)
{
	struct work bulk[MANY], single[MANY];
	int ahead = 0, most = 0;
	struct err err;

	begin_world(MANY);
	for (int i = 0; i < MANY; i++) {
		bulk[i] = (struct work){
			{ .prepare = prepare, .begin = begin, .finish = finish, .bulk = true }, 'A'
		};
		MUST(pool_put(pool, &bulk[i].item, &err));
	}
	for (int i = 0; i < MANY; i++) {
		single[i] = (struct work){ { .run = run }, 's' };
		MUST(pool_put(pool, &single[i].item, &err));
	}
	end_world();
	CU_ASSERT_EQUAL(n_done, 3 * MANY);
	for (const char *p = done; *p != '\0'; p++) {
		ahead += *p == 'A' ? 1 : *p == 's' ? -1 : 0;
		most = ahead > most ? ahead : most;
	}
	CHECK(ahead == 0 && most <= POOL_TOGETHER);
	CU_ASSERT_PTR_NOT_NULL(strstr(done, "ssssssss")); /* taken one by one, in one turn */
}

/* Work with a wait in the middle is begun together, of one queue only. */
static void
test_together(void)
{
	struct work bulk[8], single;
	struct err err;

	begin_world(QUEUE_MAX);
	for (int i = 0; i < 8; i++) {
		bulk[i] = (struct work){
			{ .prepare = prepare, .begin = begin, .finish = finish, .bulk = true },
			(char)('A' + i)
		};
		MUST(pool_put(pool, &bulk[i].item, &err));
	}
	single = (struct work){ { .prepare = prepare, .begin = begin, .finish = finish }, 'Z' };
	MUST(pool_put(pool, &single.item, &err));
	end_world();
	CU_ASSERT_EQUAL(n_done, 18);
	CU_ASSERT_EQUAL(strncmp(done, "ABabZz", 6), 0);
	CU_ASSERT_PTR_NULL(strpbrk(done + 6, "Zz"));
}

/* What is not prepared is neither begun nor finished; what follows it in the same turn is. */
static void
test_not_prepared(void)
{
	static const char names[] = { 'A', NOT_PREPARED, NOT_PREPARED, 'B', NOT_PREPARED };
	struct work bulk[ARRAY_LEN(names)];
	struct err err;

	begin_world(QUEUE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bulk[i] = (struct work){
			{ .prepare = prepare, .begin = begin, .finish = finish, .bulk = true },
			names[i]
		};
		MUST(pool_put(pool, &bulk[i].item, &err));
	}
	end_world();
	CU_ASSERT_STRING_EQUAL(done, "AaBb");
}

static struct store *writer;
static int64_t seen[4];
static size_t n_seen;

/* Something is committed each time one has looked. */
static bool
begin_looking(struct pool_item *item, struct store *reader)
{
	bool fatal;
	time_t time;
	struct err err;

	MUST(store_event_newest(reader, &seen[n_seen++], &time, &err));
	MUST(store_begin(writer, &err));
	MUST(store_event_add(writer, &actor, "init", 0, &err));
	MUST(store_commit(writer, &fatal, &err));
	return begin(item, reader);
}

/* Those of one turn see what was committed when it began, and the next turn all of it. */
static void
test_one_view(void)
{
	struct work bulk[4];
	struct err err;

	begin_world(QUEUE_MAX);
	MUST(store_open(path, STORE_WRITE, &writer, &err));
	n_seen = 0;
	for (int i = 0; i < 4; i++) {
		bulk[i] = (struct work){ { .prepare = prepare,
					     .begin = begin_looking,
					     .finish = finish,
					     .bulk = true },
			(char)('A' + i) };
		MUST(pool_put(pool, &bulk[i].item, &err));
	}
	end_world();
	store_close(writer);
	CU_ASSERT_EQUAL(strncmp(done, "ABabCDcd", 8), 0);
	CHECK(seen[1] == seen[0] && seen[2] == seen[0] + 2 && seen[3] == seen[2]);
}

static void
test_full(void)
{
	struct work bulk[QUEUE_MAX + 1], single;
	struct err err = { 0 };

	begin_world(QUEUE_MAX);
	for (int i = 0; i < QUEUE_MAX; i++) {
		bulk[i] = (struct work){ { .run = run, .bulk = true }, 'A' };
		MUST(pool_put(pool, &bulk[i].item, &err));
	}
	bulk[QUEUE_MAX] = bulk[0];
	CHECK(pool_put(pool, &bulk[QUEUE_MAX].item, &err) == -1 && err.code == FAIL_LIMIT);
	single = (struct work){ { .run = run }, 'Z' };
	MUST(pool_put(pool, &single.item, &err));
	/* What was accepted before comes back whatever waits. */
	bulk[QUEUE_MAX].name = 'B';
	pool_put_again(pool, &bulk[QUEUE_MAX].item);
	CU_ASSERT_EQUAL(pool_waiting(pool), QUEUE_MAX + 2);
	end_world();
	CU_ASSERT_EQUAL(n_done, QUEUE_MAX + 2);
	CHECK(done[1] == 'Z' && done[n_done - 1] == 'B');
}

static int policy;

static void
run_policy(struct pool_item *item, struct store *reader)
{
	(void)item;
	(void)reader;
	policy = sched_getscheduler(0);
}

/* Threads whose work somebody waits for come to a core before those that do much. */
static void
test_prompt(void)
{
	struct pool_conf conf = { .db = path, .cache = 1, .threads = 1, .max = QUEUE_MAX };
	static const int policies[] = { SCHED_BATCH, SCHED_OTHER };
	struct store *store = NULL;
	struct err err;

	store_dir();
	MUST(store_open(path, STORE_CREATE, &store, &err));
	store_close(store);
	for (int i = 0; i < 2; i++) {
		struct pool_item item = { .run = run_policy };

		policy = -1;
		conf.prompt = i == 1;
		MUST(pool_new(&conf, &pool, &err));
		MUST(pool_put(pool, &item, &err));
		pool_free(pool);
		CHECK(policy == policies[i]);
	}
	store_dir_end();
}

static const struct test_case cases[] = {
	{ "prompt", test_prompt },
	{ "turns", test_turns },
	{ "shares", test_shares },
	{ "together", test_together },
	{ "not prepared", test_not_prepared },
	{ "one view", test_one_view },
	{ "full", test_full },
};

TEST_MAIN("pool", cases)
