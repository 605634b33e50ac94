/*
 * A home's manufacturers: policies/manufacturers.cnf and the PEM files it names, read once when a
 * service starts. What a chain proves is anchor.c's to say.
 */
#include <stdio.h>
#include <string.h>

#include "smki/conf.h"
#include "smki/file.h"
#include "smki/manufacturers.h"
#include "smki/mem.h"

#define SECTION "manufacturer "

static const struct conf_key anchors_keys[] = {
	{ SECTION "*", "anchors" },
	{ SECTION "*", "eui64" },
	{ SECTION "*", "crl" },
};

/* *out stays NULL when there is no such file. */
static int
anchors_conf(const char *path, struct conf **out, struct err *err)
{
	struct err e;

	if (conf_load(path, anchors_keys, ARRAY_LEN(anchors_keys), out, &e) == 0)
		return 0;
	if (e.code == FAIL_NOT_FOUND)
		return 0;
	return err_set(err, e.code, "%s", e.msg);
}

/* A path in the policies folder: it must not lead out of it. */
static int
anchors_check_path(const char *section, const char *key, const char *path, struct err *err)
{
	bool ok = path[0] != '\0' && path[0] != '/';

	for (const char *at = path; ok && *at != '\0'; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");

		ok = !(len == 2 && at[0] == '.' && at[1] == '.');
		at += len;
	}
	if (!ok)
		return err_set(err, FAIL_INVALID,
		    "%s: %s = %.80s: not a path relative to the policies folder and in it", section,
		    key, path);
	return 0;
}

/* Value of anchors or crl, checked; NULL when the key is absent. */
static int
anchors_path(const struct conf *conf, const char *section, const char *key, const char **out,
    struct err *err)
{
	const char *path = conf_get(conf, section, key);

	if (path != NULL && anchors_check_path(section, key, path, err) != 0)
		return -1;
	*out = path;
	return 0;
}

static int
anchors_eui(const struct conf *conf, const char *section, enum anchor_eui *out, struct err *err)
{
	const char *value;

	if (conf_need(conf, section, "eui64", &value, err) != 0)
		return -1;
	if (strcmp(value, "san") == 0)
		*out = ANCHOR_EUI_SAN;
	else if (strcmp(value, "serialNumber") == 0)
		*out = ANCHOR_EUI_SERIAL_NUMBER;
	else
		return err_set(err, FAIL_INVALID, "%s: eui64 = %.80s: not san or serialNumber",
		    section, value);
	return 0;
}

/* A file of the policies folder. An empty one is refused: it may be one whose writing failed. */
static int
anchors_read(
    const struct home *home, const char *section, const char *rel, struct buf *out, struct err *err)
{
	char path[HOME_PATH_MAX], under[HOME_PATH_MAX];

	if ((size_t)snprintf(under, sizeof(under), HOME_POLICIES "/%s", rel) >= sizeof(under))
		return err_set(err, FAIL_INVALID, "%s: %.80s: path is too long", section, rel);
	if (home_path(home, under, path, err) != 0 ||
	    file_read_own(path, ANCHOR_FILE_MAX, out, err) != 0)
		return err_prefix(err, "%s", section);
	if (out->len == 0)
		return err_set(err, FAIL_INVALID, "%s: %s: is empty", section, path);
	return 0;
}

static int
anchors_load_one(const struct home *home, const struct conf *conf, const char *section,
    struct anchor **out, struct err *err)
{
	struct buf pem = { 0 }, crl = { 0 };
	const char *pem_path, *crl_path;
	enum anchor_eui eui = ANCHOR_EUI_SAN;
	int r = -1;

	if (anchors_path(conf, section, "anchors", &pem_path, err) != 0 ||
	    conf_need(conf, section, "anchors", &pem_path, err) != 0 ||
	    anchors_path(conf, section, "crl", &crl_path, err) != 0 ||
	    anchors_eui(conf, section, &eui, err) != 0 ||
	    anchors_read(home, section, pem_path, &pem, err) != 0 ||
	    (crl_path != NULL && anchors_read(home, section, crl_path, &crl, err) != 0) ||
	    anchor_new(section + strlen(SECTION), eui, buf_span(&pem), buf_span(&crl), out, err) !=
		0)
		goto out;
	r = 0;
out:
	buf_free(&pem);
	buf_free(&crl);
	return r;
}

int
anchors_load(const struct home *home, struct anchors *out, struct err *err)
{
	struct anchors anchors = { 0 };
	char path[HOME_PATH_MAX];
	struct conf *conf = NULL;
	const char *section;
	int r = -1;

	if (home_path(home, HOME_MANUFACTURERS, path, err) != 0 ||
	    anchors_conf(path, &conf, err) != 0)
		return -1;
	for (size_t i = 0; conf != NULL && (section = conf_section(conf, SECTION, i)) != NULL;
	     i++) {
		if (i == MANUFACTURERS_MAX) {
			err_set(err, FAIL_INVALID, "%s: more than %d manufacturers", path,
			    MANUFACTURERS_MAX);
			goto out;
		}
		if (anchors_load_one(home, conf, section, &anchors.anchor[i], err) != 0)
			goto out;
		anchors.n++;
	}
	*out = anchors;
	anchors = (struct anchors){ 0 };
	r = 0;
out:
	anchors_free(&anchors);
	conf_free(conf);
	return r;
}

void
anchors_free(struct anchors *anchors)
{
	for (size_t i = 0; i < anchors->n; i++)
		anchor_free(anchors->anchor[i]);
	*anchors = (struct anchors){ 0 };
}

int
anchors_files(const char *policies, int (*each)(void *ctx, const char *rel, struct err *err),
    void *ctx, struct err *err)
{
	static const char *const keys[] = { "anchors", "crl" };
	char path[HOME_PATH_MAX];
	struct conf *conf = NULL;
	const char *section, *rel;
	int r = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", policies,
		strrchr(HOME_MANUFACTURERS, '/')) >= sizeof(path))
		return err_set(err, FAIL_INVALID, "policies: path is too long");
	if (anchors_conf(path, &conf, err) != 0)
		return -1;
	for (size_t i = 0; conf != NULL && (section = conf_section(conf, SECTION, i)) != NULL; i++)
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			if (anchors_path(conf, section, keys[k], &rel, err) != 0 ||
			    (rel != NULL && each(ctx, rel, err) != 0))
				goto out;
		}
	r = 0;
out:
	conf_free(conf);
	return r;
}

const struct anchor *
anchors_get(const struct anchors *anchors, const char *manufacturer)
{
	for (size_t i = 0; i < anchors->n; i++)
		if (strcmp(anchor_manufacturer(anchors->anchor[i]), manufacturer) == 0)
			return anchors->anchor[i];
	return NULL;
}

int
anchors_find(const struct anchors *anchors, const struct span *chain, size_t n, time_t now,
    const struct anchor **out, struct idevid *id, enum refusal *why, struct err *err)
{
	struct anchor_chain *c = NULL;
	struct err found, one;
	bool leads = false;
	int r = -1;

	if (anchor_chain_read(chain, n, &c, why, err) != 0)
		return -1;
	for (size_t i = 0; r != 0 && i < anchors->n; i++) {
		enum refusal reason;

		r = anchor_chain_verify(anchors->anchor[i], c, now, id, &reason, &one);
		if (r == 0) {
			*out = anchors->anchor[i];
		} else if (reason == REFUSAL_CERTIFICATE && !leads) {
			leads = true;
			found = one;
		}
	}
	anchor_chain_free(c);
	if (r == 0)
		return 0;
	*why = leads ? REFUSAL_CERTIFICATE : REFUSAL_ANCHOR;
	if (leads)
		return err_set(err, found.code, "%s", found.msg);
	return err_set(
	    err, FAIL_DENIED, "certificate: RFC 5280 6.1: leads to no manufacturer's anchor");
}
