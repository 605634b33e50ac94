/*
 * smki token-key: the keys that sign access tokens. A new one is made on its token in this process
 * and handed to smkid, which lets it sign once the world has had time to fetch it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "smki/access.h"
#include "smki/ceremony.h"
#include "smki/clock.h"
#include "smki/mem.h"

struct token_key_list {
	size_t n;
	struct store_access_key key[STORE_ACCESS_KEYS_MAX];
};

static int
token_key_reply(void *ctx, struct wire_in *in, struct err *err)
{
	struct token_key_list *list = ctx;

	return access_keys_get(in, list->key, &list->n, err);
}

static int
token_key_ask(struct cli *cli, struct token_key_list *list, struct err *err)
{
	struct buf msg = { 0 };
	int r;

	client_start(cli, &msg, ADMIN_ACCESS_KEYS);
	r = client_call(cli, &msg, token_key_reply, list, err);
	buf_free(&msg);
	return r;
}

static void
token_key_print(const struct cli *cli, const struct token_key_list *list, size_t i, long lifetime)
{
	const struct store_access_key *key = &list->key[i];
	time_t now = clock_now();
	bool published = access_key_is_published(list->key, list->n, i, now, lifetime);
	bool signs = access_key_now(list->key, list->n, now) == key;
	char made[TIME_TEXT_LEN], from[TIME_TEXT_LEN];

	if (cli->json) {
		putchar('{');
		json_str("label", key->label, 1);
		json_str("kid", key->kid, 0);
		json_time("made", key->made, 0);
		json_time("signsFrom", key->active_from, 0);
		printf(",\"signs\":%s,\"published\":%s}\n", signs ? "true" : "false",
		    published ? "true" : "false");
		return;
	}
	time_text(key->made, made);
	time_text(key->active_from, from);
	printf("%-12s %s  made %s  signs from %s  %s%s\n", key->label, key->kid, made, from,
	    published ? "published" : "not published", signs ? ", signs" : "");
}

static int
token_key_list(struct cli *cli, struct err *err)
{
	struct token_key_list *list = mem_alloc(sizeof(*list));
	struct home *home = mem_alloc(sizeof(*home));
	int r = -1;

	if (home_load(cli->dir, home, err) != 0 || token_key_ask(cli, list, err) != 0)
		goto out;
	for (size_t i = 0; i < list->n; i++)
		token_key_print(cli, list, i, home->access.lifetime);
	r = 0;
out:
	free(list);
	free(home);
	return r;
}

static int
token_key_hello(void *ctx, struct wire_in *in, struct err *err)
{
	return admin_hello_get(in, ctx, err);
}

/* No key is made for who may not have it recorded. */
static int
token_key_may(struct cli *cli, struct err *err)
{
	struct admin_hello hello;
	struct buf msg = { 0 };
	int r;

	client_start(cli, &msg, ADMIN_HELLO);
	r = client_call(cli, &msg, token_key_hello, &hello, err);
	buf_free(&msg);
	if (r == 0 && hello.role < ROLE_ADMINISTRATOR)
		return err_set(err, FAIL_DENIED,
		    "token-key: user %lld is no administrator; see smki.conf [admin]",
		    (long long)hello.uid);
	return r;
}

/* The number behind the newest one; labels of another form are not counted. */
static void
token_key_next(const struct token_key_list *list, char out[HSM_LABEL_MAX + 1])
{
	unsigned long most = 0, n;

	for (size_t i = 0; i < list->n; i++) {
		n = access_label_number(list->key[i].label);
		most = n > most ? n : most;
	}
	snprintf(out, HSM_LABEL_MAX + 1, ACCESS_LABEL "%lu", most + 1);
}

static int
token_key_new(struct cli *cli, struct err *err)
{
	struct token_key_list *list = mem_alloc(sizeof(*list));
	struct home *home = mem_alloc(sizeof(*home));
	struct store_access_key key = { 0 };
	struct buf msg = { 0 };
	int r = -1;

	if (home_load(cli->dir, home, err) != 0 || token_key_may(cli, err) != 0 ||
	    token_key_ask(cli, list, err) != 0)
		goto out;
	token_key_next(list, key.label);
	if (ceremony_access_key(home, key.label, &key.pub, err) != 0)
		goto out;
	client_start(cli, &msg, ADMIN_ACCESS_KEY);
	access_key_put(&msg, &key);
	if (client_call(cli, &msg, NULL, NULL, err) != 0 || token_key_ask(cli, list, err) != 0)
		goto out;
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->key[i].label, key.label) == 0)
			token_key_print(cli, list, i, home->access.lifetime);
	r = 0;
out:
	buf_free(&msg);
	free(list);
	free(home);
	return r;
}

int
token_key_verb(struct cli *cli, int argc, char **argv)
{
	struct err err;
	int r;

	if (argc != 2)
		return cli_usage("token-key");
	if (strcmp(argv[1], "list") == 0)
		r = token_key_list(cli, &err);
	else if (strcmp(argv[1], "new") == 0)
		r = token_key_new(cli, &err);
	else
		return cli_usage("token-key");
	return r == 0 ? EXIT_DONE : cli_fail(&err);
}
