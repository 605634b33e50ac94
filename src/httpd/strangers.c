/*
 * Bounded tables of what strangers did. They decide nothing: a full table loses detail, never a
 * request.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "smki/mem.h"
#include "strangers.h"

/* Addresses with wrong secrets: sets of a few places, so one lookup looks at few. */
#define STRANGERS_SETS 256
#define STRANGERS_WAYS 4
#define STRANGERS_DELAY_MS 250
#define STRANGERS_DELAY_MAX_MS 4000
/* 250 ms << 4 is the longest. */
#define STRANGERS_WRONG_MAX 5
#define STRANGERS_FORGET_MS 60000
/* The last rows of the table of refusals are kept for "", one for each reason. */
#define STRANGERS_ROWS (FRONT_REFUSED_MAX - REFUSALS)

/* IPv6 holders have a whole /64 to come from. An address that is none has a place of its own. */
struct strangers_net {
	uint8_t octets[9];
};

struct strangers_guess {
	struct strangers_net net;
	unsigned wrong; /* 0 = free */
	int64_t ms;	/* of the newest */
};

struct strangers {
	pthread_mutex_t lock;
	struct front_refused refused;
	struct strangers_guess guess[STRANGERS_SETS][STRANGERS_WAYS];
};

struct strangers *
strangers_new(void)
{
	struct strangers *strangers = mem_alloc(sizeof(*strangers));

	pthread_mutex_init(&strangers->lock, NULL);
	return strangers;
}

void
strangers_free(struct strangers *strangers)
{
	if (strangers == NULL)
		return;
	pthread_mutex_destroy(&strangers->lock);
	free(strangers);
}

/* With the lock held. */
static void
strangers_add(struct strangers *strangers, const char *who, enum refusal reason, int64_t n)
{
	struct front_refused *r = &strangers->refused;
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->row[i].reason == reason && strcmp(r->row[i].who, who) == 0) {
			r->row[i].n += n;
			return;
		}
	}
	if (r->n >= STRANGERS_ROWS && who[0] != '\0') {
		strangers_add(strangers, "", reason, n);
		return;
	}
	require(r->n < FRONT_REFUSED_MAX);
	memset(r->row[i].who, 0, sizeof(r->row[i].who));
	memcpy(r->row[i].who, who, strlen(who));
	r->row[i].reason = reason;
	r->row[i].n = n;
	r->n++;
}

void
strangers_refused(struct strangers *strangers, const char *address, enum refusal reason)
{
	if (reason == REFUSAL_NONE || reason == REFUSAL_FORM ||
	    strlen(address) >= STORE_REFUSED_LEN)
		return;
	pthread_mutex_lock(&strangers->lock);
	strangers_add(strangers, address, reason, 1);
	pthread_mutex_unlock(&strangers->lock);
}

bool
strangers_take(struct strangers *strangers, struct front_refused *out)
{
	pthread_mutex_lock(&strangers->lock);
	*out = strangers->refused;
	strangers->refused.n = 0;
	pthread_mutex_unlock(&strangers->lock);
	return out->n > 0;
}

void
strangers_give_back(struct strangers *strangers, const struct front_refused *refused)
{
	pthread_mutex_lock(&strangers->lock);
	for (size_t i = 0; i < refused->n; i++)
		strangers_add(
		    strangers, refused->row[i].who, refused->row[i].reason, refused->row[i].n);
	pthread_mutex_unlock(&strangers->lock);
}

static void
strangers_net(const char *address, struct strangers_net *out)
{
	struct in6_addr v6;
	struct in_addr v4;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &v4) == 1) {
		out->octets[0] = 4;
		memcpy(out->octets + 1, &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, address, &v6) == 1) {
		out->octets[0] = 6;
		memcpy(out->octets + 1, &v6, 8);
	}
}

/* FNV-1a: who chooses addresses to meet in one set makes only these forget each other. */
static size_t
strangers_set(const struct strangers_net *net)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(net->octets); i++)
		hash = (hash ^ net->octets[i]) * 16777619u;
	return hash % STRANGERS_SETS;
}

/* The place of this address, or the one of its set that was longest without a wrong secret. */
static struct strangers_guess *
strangers_place(struct strangers *strangers, const struct strangers_net *net)
{
	struct strangers_guess *set = strangers->guess[strangers_set(net)], *oldest = set;

	for (size_t i = 0; i < STRANGERS_WAYS; i++) {
		if (set[i].wrong != 0 && memcmp(&set[i].net, net, sizeof(*net)) == 0)
			return &set[i];
		if (oldest->wrong != 0 && (set[i].wrong == 0 || set[i].ms < oldest->ms))
			oldest = &set[i];
	}
	*oldest = (struct strangers_guess){ .net = *net };
	return oldest;
}

long
strangers_wrong_secret(struct strangers *strangers, const char *address, int64_t now_ms)
{
	struct strangers_guess *g;
	struct strangers_net net;
	int64_t halves;
	long delay;

	strangers_net(address, &net);
	pthread_mutex_lock(&strangers->lock);
	g = strangers_place(strangers, &net);
	halves = g->wrong > 0 ? (now_ms - g->ms) / STRANGERS_FORGET_MS : 0;
	g->wrong = halves < 8 ? g->wrong >> halves : 0;
	if (g->wrong < STRANGERS_WRONG_MAX)
		g->wrong++;
	g->ms = now_ms;
	delay = (long)STRANGERS_DELAY_MS << (g->wrong - 1);
	pthread_mutex_unlock(&strangers->lock);
	return delay < STRANGERS_DELAY_MAX_MS ? delay : STRANGERS_DELAY_MAX_MS;
}
