/*
 * A home's places, names and roles, and its profiles. Reads only; smki.conf itself is read in
 * home_conf.c, and a home is made by setup.c.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smki/buf.h"
#include "smki/conf.h"
#include "smki/file.h"
#include "smki/manufacturers.h"
#include "smki/mem.h"

#define HOME_DEFAULT "/var/lib/smki"
#define PROFILE_SUFFIX ".cnf"

int
home_dir(const char *given, char out[HOME_PATH_MAX], struct err *err)
{
	char path[HOME_PATH_MAX], here[HOME_PATH_MAX];
	const char *dir = given;
	size_t len;
	int n;

	if (dir == NULL)
		dir = getenv("SMKI_HOME");
	if (dir == NULL || (given == NULL && dir[0] == '\0'))
		dir = HOME_DEFAULT;
	if (dir[0] == '\0')
		return err_set(err, FAIL_INVALID, "home: its path is empty");
	if (dir[0] == '/') {
		n = snprintf(path, sizeof(path), "%s", dir);
	} else {
		if (getcwd(here, sizeof(here)) == NULL)
			return err_sys(err, FAIL_UNAVAILABLE, "home %s: current folder", dir);
		n = snprintf(path, sizeof(path), "%s/%s", here, dir);
	}
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, FAIL_INVALID, "home: its path is longer than %d octets",
		    HOME_PATH_MAX - 1);
	for (len = (size_t)n; len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	strcpy(out, path);
	return 0;
}

int
home_path(const struct home *home, const char *rel, char out[HOME_PATH_MAX], struct err *err)
{
	char path[HOME_PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", home->dir, rel);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, FAIL_INVALID, "home %.200s: path of %.80s is longer than %d",
		    home->dir, rel, HOME_PATH_MAX - 1);
	strcpy(out, path);
	return 0;
}

const struct home_token *
home_token(const struct home *home, const char *name)
{
	for (size_t i = 0; i < home->n_tokens; i++)
		if (strcmp(home->token[i].name, name) == 0)
			return &home->token[i];
	return NULL;
}

const struct home_ca *
home_ca(const struct home *home, const char *name)
{
	for (size_t i = 0; i < home->n_cas; i++)
		if (strcmp(home->ca[i].name, name) == 0)
			return &home->ca[i];
	return NULL;
}

static bool
home_has_user(const struct home *home, enum role role, uid_t uid)
{
	for (size_t i = 0; i < home->n_users[role]; i++)
		if (home->users[role][i] == uid)
			return true;
	return false;
}

enum role
home_role(const struct home *home, uid_t uid)
{
	if (uid == 0 || home_has_user(home, ROLE_ADMINISTRATOR, uid))
		return ROLE_ADMINISTRATOR;
	if (home_has_user(home, ROLE_OPERATOR, uid))
		return ROLE_OPERATOR;
	if (home_has_user(home, ROLE_AUDITOR, uid))
		return ROLE_AUDITOR;
	return ROLE_NONE;
}

const char *
role_str(enum role role)
{
	switch (role) {
	case ROLE_NONE:
		break;
	case ROLE_AUDITOR:
		return "auditor";
	case ROLE_OPERATOR:
		return "operator";
	case ROLE_ADMINISTRATOR:
		return "administrator";
	}
	return "none";
}

/* A file of this name is a profile: NAME.cnf, not hidden, and none of the policies of another kind
 * that stand beside them. */
static bool
profiles_is_one(const char *file)
{
	static const char *const others[] = { HOME_MANUFACTURERS, HOME_REGIONS };
	size_t len = strlen(file), suffix = strlen(PROFILE_SUFFIX);

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(file, strrchr(others[i], '/') + 1) == 0)
			return false;
	return len > suffix && file[0] != '.' && strcmp(file + len - suffix, PROFILE_SUFFIX) == 0;
}

/* Names of the profiles' files in dir, each to be freed. */
static int
profiles_list(const char *dir, char *names[HOME_PROFILES_MAX], size_t *n, struct err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int rc = -1;

	if (d == NULL)
		return err_sys(err,
		    errno == ENOENT || errno == ENOTDIR ? FAIL_NOT_FOUND
		    : errno == EACCES			? FAIL_DENIED
							: FAIL_UNAVAILABLE,
		    "profiles %s", dir);
	for (;;) {
		errno = 0;
		entry = readdir(d);
		if (entry == NULL)
			break;
		if (!profiles_is_one(entry->d_name))
			continue;
		if (*n == HOME_PROFILES_MAX) {
			err_set(
			    err, FAIL_INVALID, "profiles %s: more than %d", dir, HOME_PROFILES_MAX);
			goto out;
		}
		names[(*n)++] = mem_str(entry->d_name);
	}
	if (errno != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "profiles %s", dir);
		goto out;
	}
	rc = 0;
out:
	closedir(d);
	return rc;
}

/* One profile from dir/file. */
static int
profiles_load_one(const char *dir, const char *file, struct profile **out, struct err *err)
{
	char path[HOME_PATH_MAX + NAME_MAX + 1], name[NAME_MAX + 1];
	size_t len = strlen(file) - strlen(PROFILE_SUFFIX);
	struct buf text = { 0 };
	int rc = -1, n;

	memcpy(name, file, len);
	name[len] = '\0';
	if (name_check("profile", name, err) != 0)
		goto out;
	n = snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		err_set(err, FAIL_INVALID, "profile %s: its path is too long", name);
		goto out;
	}
	/* Whoever may change a profile decides what is issued. */
	if (file_read_own(path, CONF_MAX, &text, err) != 0) {
		err_prefix(err, "profile");
		goto out;
	}
	if (profile_parse(name, buf_text(&text), text.len, out, err) != 0)
		goto out;
	rc = 0;
out:
	buf_free(&text);
	return rc;
}

static int
profiles_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
profiles_load(const char *dir, struct profiles *out, struct err *err)
{
	struct profiles profiles = { 0 };
	char *names[HOME_PROFILES_MAX];
	size_t n = 0;
	int rc = -1;

	if (profiles_list(dir, names, &n, err) != 0)
		goto out;
	qsort(names, n, sizeof(names[0]), profiles_by_name);
	for (size_t i = 0; i < n; i++) {
		if (profiles_load_one(dir, names[i], &profiles.profile[i], err) != 0)
			goto out;
		profiles.n++;
	}
	*out = profiles;
	profiles = (struct profiles){ 0 };
	rc = 0;
out:
	profiles_free(&profiles);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	return rc;
}

void
profiles_free(struct profiles *profiles)
{
	for (size_t i = 0; i < profiles->n; i++)
		profile_free(profiles->profile[i]);
	*profiles = (struct profiles){ 0 };
}

const struct profile *
profiles_get(const struct profiles *profiles, const char *name)
{
	for (size_t i = 0; i < profiles->n; i++)
		if (strcmp(profiles->profile[i]->name, name) == 0)
			return profiles->profile[i];
	return NULL;
}
