/*
 * Published lists that the database does not know of: found once, by their files' names. Nothing
 * is changed here.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "crlgen_file.h"
#include "smki/mem.h"

#define CRLGEN_AHEAD_FIRST 64

struct crlgen_ahead {
	size_t n, cap;
	struct crlgen_name *list;
	size_t furthest; /* in list: the largest number */
	int64_t known;	 /* what the database knows up to in its sequence */
};

/* One sequence of numbers: the complete lists and deltas of a CA (RFC 5280 5.2.3), or a shard. */
static int
crlgen_ahead_order(const struct crl_which *a, const struct crl_which *b)
{
	int64_t x = a->kind == CRL_SHARD ? a->shard : -1, y = b->kind == CRL_SHARD ? b->shard : -1;

	if (a->ca != b->ca)
		return a->ca < b->ca ? -1 : 1;
	return (x > y) - (x < y);
}

static int
crlgen_ahead_sort(const void *a, const void *b)
{
	const struct crlgen_name *x = a, *y = b;
	int order = crlgen_ahead_order(&x->which, &y->which);

	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

struct crlgen_ahead_pass {
	struct crlgen_ahead *ahead;
	const struct caset *cas;
};

static int
crlgen_ahead_entry(void *ctx, int at, const char *file, struct err *err)
{
	struct crlgen_ahead_pass *pass = ctx;
	struct crlgen_ahead *ahead = pass->ahead;
	struct crlgen_name name;

	(void)at;
	(void)err;
	if (!crlgen_name_known(file, pass->cas, &name))
		return 0;
	if (ahead->n == ahead->cap) {
		ahead->cap = ahead->cap == 0 ? CRLGEN_AHEAD_FIRST : 2 * ahead->cap;
		ahead->list = mem_resize(ahead->list, ahead->cap, sizeof(*ahead->list));
	}
	ahead->list[ahead->n++] = name;
	return 0;
}

/* Its row is committed before a list gets its name: so a number that is not finished is ahead. */
static int
crlgen_ahead_keep(struct crlgen_ahead *ahead, const struct crlgen_name *top, struct store *reader,
    struct err *err)
{
	struct store_crl newest = { .number = 0 };

	if (store_list_last(reader, &top->which, &newest, err) != 0 && err->code != FAIL_NOT_FOUND)
		return -1;
	if (top->number <= newest.number)
		return 0;
	if (ahead->n == 0 || top->number > ahead->list[ahead->furthest].number) {
		ahead->furthest = ahead->n;
		ahead->known = newest.number;
	}
	ahead->list[ahead->n++] = *top;
	return 0;
}

int
crlgen_ahead_load(const char *dir, const struct caset *cas, struct store *reader,
    struct crlgen_ahead **out, struct err *err)
{
	struct crlgen_ahead *ahead = mem_alloc(sizeof(*ahead));
	struct crlgen_ahead_pass pass = { .ahead = ahead, .cas = cas };
	struct crlgen_name top;
	size_t n;
	int r = -1;

	if (crlgen_each(dir, crlgen_ahead_entry, &pass, err) != 0)
		goto out;
	n = ahead->n;
	if (n > 0)
		qsort(ahead->list, n, sizeof(*ahead->list), crlgen_ahead_sort);
	ahead->n = 0;
	for (size_t i = 0; i < n; i++) {
		top = ahead->list[i];
		if (i + 1 < n && crlgen_ahead_order(&top.which, &ahead->list[i + 1].which) == 0)
			continue;
		if (crlgen_ahead_keep(ahead, &top, reader, err) != 0)
			goto out;
	}
	*out = ahead;
	ahead = NULL;
	r = 0;
out:
	crlgen_ahead_free(ahead);
	return r;
}

void
crlgen_ahead_free(struct crlgen_ahead *ahead)
{
	if (ahead == NULL)
		return;
	free(ahead->list);
	free(ahead);
}

int
crlgen_ahead_check(const struct crlgen_ahead *ahead, struct err *err)
{
	char stem[CRL_STEM_MAX], file[CRL_FILE_MAX];
	const struct crlgen_name *name;

	if (ahead->n == 0)
		return 0;
	name = &ahead->list[ahead->furthest];
	crlgen_stem(name->ca, &name->which, stem);
	crlgen_file(stem, name->number, file);
	return err_set(err, FAIL_CONFLICT,
	    "database: is older than crl/%s, it knows lists up to %" PRId64
	    ": an older copy was put back, and what changed since is lost; to go on with it: smki "
	    "clock accept",
	    file, ahead->known);
}

int
crlgen_check_age(const char *dir, const struct caset *cas, struct store *reader, struct err *err)
{
	struct crlgen_ahead *ahead = NULL;
	int r;

	if (crlgen_ahead_load(dir, cas, reader, &ahead, err) != 0)
		return -1;
	r = crlgen_ahead_check(ahead, err);
	crlgen_ahead_free(ahead);
	return r;
}

int64_t
crlgen_ahead_number(const struct crlgen_ahead *ahead, const struct crl_which *which)
{
	for (size_t i = 0; ahead != NULL && i < ahead->n; i++)
		if (crlgen_ahead_order(&ahead->list[i].which, which) == 0)
			return ahead->list[i].number;
	return 0;
}
