/*
 * smki init: the policies of a new home, those that ship or those of a folder: profiles,
 * manufacturers with the files they name, regions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "setup.h"
#include "smki/conf.h"
#include "smki/embed.h"
#include "smki/file.h"
#include "smki/manufacturers.h"
#include "smki/mem.h"

/* The folders of a path below the home's policies that are not there yet. */
static int
setup_policy_folders(const struct setup_state *state, const char *rel, struct err *err)
{
	char path[HOME_PATH_MAX];

	for (const char *end = strchr(rel, '/'); end != NULL; end = strchr(end + 1, '/')) {
		struct stat st;

		if (setup_path(state, path, err, HOME_POLICIES "/%.*s", (int)(end - rel), rel) != 0)
			return -1;
		if (stat(path, &st) != 0 && file_make_dir(path, 0755, err) != 0)
			return -1;
	}
	return 0;
}

/* One file of the caller's folder to the same place in the home. */
static int
setup_policy_copy(void *ctx, const char *rel, struct err *err)
{
	const struct setup_state *state = ctx;
	char from[HOME_PATH_MAX], to[HOME_PATH_MAX];
	struct buf text = { 0 };
	int r = -1;

	if ((size_t)snprintf(from, sizeof(from), "%s/%s", state->setup->policies, rel) >=
	    sizeof(from))
		return err_set(err, FAIL_INVALID, "policies: path is too long");
	if (file_read_own(from, ANCHOR_FILE_MAX, &text, err) != 0 ||
	    setup_path(state, to, err, HOME_POLICIES "/%s", rel) != 0 ||
	    setup_policy_folders(state, rel, err) != 0 ||
	    file_write(to, text.data, text.len, 0644, err) != 0)
		goto out;
	r = 0;
out:
	buf_free(&text);
	return r;
}

static int
setup_policy_profiles(struct setup_state *state, struct err *err)
{
	struct profiles given = { 0 };
	char file[NAME_LEN + 4];
	int r = -1;

	if (profiles_load(state->setup->policies, &given, err) != 0)
		return -1;
	if (given.n == 0) {
		err_set(err, FAIL_INVALID, "policies %s: no profile there", state->setup->policies);
		goto out;
	}
	for (size_t i = 0; i < given.n; i++) {
		snprintf(file, sizeof(file), "%s.cnf", given.profile[i]->name);
		if (setup_policy_copy(state, file, err) != 0)
			goto out;
	}
	r = 0;
out:
	profiles_free(&given);
	return r;
}

/* What a folder may have beside profiles: none of it needs to be there. */
static int
setup_policy_others(struct setup_state *state, struct err *err)
{
	static const char *const others[] = { HOME_MANUFACTURERS, HOME_REGIONS };
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (setup_policy_copy(state, strrchr(others[i], '/') + 1, &e) != 0 &&
		    e.code != FAIL_NOT_FOUND)
			return err_set(err, e.code, "%s", e.msg);
	return anchors_files(state->setup->policies, setup_policy_copy, state, err);
}

/* Read as the daemons will: what they would refuse is no home. */
static int
setup_policy_anchors(const struct setup_state *state, struct err *err)
{
	struct home *home = mem_alloc(sizeof(*home));
	struct anchors anchors = { 0 };
	int r;

	strcpy(home->dir, state->dir);
	r = anchors_load(home, &anchors, err);
	anchors_free(&anchors);
	free(home);
	return r;
}

int
setup_policies(struct setup_state *state, struct err *err)
{
	char path[HOME_PATH_MAX];

	if (state->setup->policies != NULL) {
		if (setup_policy_profiles(state, err) != 0 || setup_policy_others(state, err) != 0)
			return -1;
	} else {
		for (const struct embed_file *f = policy_text; f->name != NULL; f++)
			if (setup_path(state, path, err, HOME_POLICIES "/%s", f->name) != 0 ||
			    file_write(path, f->text, f->len, 0644, err) != 0)
				return -1;
	}
	if (setup_path(state, path, err, HOME_POLICIES) != 0 ||
	    profiles_load(path, &state->profiles, err) != 0)
		return -1;
	return setup_policy_anchors(state, err);
}
