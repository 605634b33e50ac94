/*
 * Manufacturers, regions and profiles in the front's memory. A bad file never replaces a good
 * reading.
 */
#include <ftw.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "front_data.h"
#include "smki/lock.h"
#include "smki/mem.h"
#include "smki/regions.h"

#define FRONT_DATA_FDS 8

struct front_parts {
	struct anchors anchors;
	struct regions *regions;
	struct profiles profiles;
};

struct front_data {
	const struct home *home;
	pthread_rwlock_t lock; /* of parts and reading */
	struct front_parts parts;
	uint64_t reading;
	uint8_t seen[SHA256_LEN]; /* names, sizes and times of the files; the reloading thread's */
};

/* nftw() hands its callback no argument; one thread looks at a time. */
static _Thread_local EVP_MD_CTX *front_data_digest;

static int
front_data_note(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const int64_t facts[] = { (int64_t)st->st_ino, (int64_t)st->st_size, (int64_t)st->st_mode,
		(int64_t)st->st_mtim.tv_sec, (int64_t)st->st_mtim.tv_nsec,
		(int64_t)st->st_ctim.tv_sec, (int64_t)st->st_ctim.tv_nsec };

	(void)ftw;
	if (type != FTW_F && type != FTW_D)
		return 0;
	require(EVP_DigestUpdate(front_data_digest, path, strlen(path) + 1) == 1);
	require(EVP_DigestUpdate(front_data_digest, facts, sizeof(facts)) == 1);
	return 0;
}

/* The state of the policies folder as a hash. The order of a folder's entries only changes with
 * the folder. */
static int
front_data_look(const struct home *home, uint8_t out[SHA256_LEN], struct err *err)
{
	char path[HOME_PATH_MAX];
	int rc;

	if (home_path(home, HOME_POLICIES, path, err) != 0)
		return -1;
	front_data_digest = EVP_MD_CTX_new();
	if (front_data_digest == NULL ||
	    EVP_DigestInit_ex(front_data_digest, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(front_data_digest);
		return err_ssl(err, FAIL_INTERNAL, "policies");
	}
	rc = nftw(path, front_data_note, FRONT_DATA_FDS, 0);
	if (rc != 0)
		err_sys(err, FAIL_UNAVAILABLE, "policies %s", path);
	require(EVP_DigestFinal_ex(front_data_digest, out, NULL) == 1);
	EVP_MD_CTX_free(front_data_digest);
	return rc == 0 ? 0 : -1;
}

static int
front_data_regions(const struct home *home, struct regions **out, struct err *err)
{
	struct err why;

	if (regions_load(home, out, &why) == 0)
		return 0;
	if (why.code != FAIL_NOT_FOUND) {
		*err = why;
		return -1;
	}
	*out = NULL;
	return 0;
}

static void
front_data_drop(struct front_parts *parts)
{
	anchors_free(&parts->anchors);
	free(parts->regions);
	profiles_free(&parts->profiles);
}

static int
front_data_read(const struct home *home, struct front_parts *out, struct err *err)
{
	struct front_parts fresh = { 0 };
	char path[HOME_PATH_MAX];

	if (home_path(home, HOME_POLICIES, path, err) == 0 &&
	    profiles_load(path, &fresh.profiles, err) == 0 &&
	    anchors_load(home, &fresh.anchors, err) == 0 &&
	    front_data_regions(home, &fresh.regions, err) == 0) {
		*out = fresh;
		return 0;
	}
	front_data_drop(&fresh);
	return -1;
}

int
front_data_load(const struct home *home, struct front_data **out, struct err *err)
{
	struct front_data *data = mem_alloc(sizeof(*data));

	data->home = home;
	/* Looked at before it is read: what changes meanwhile is read again. */
	if (front_data_look(home, data->seen, err) != 0 ||
	    front_data_read(home, &data->parts, err) != 0) {
		free(data);
		return -1;
	}
	lock_init(&data->lock);
	*out = data;
	return 0;
}

void
front_data_free(struct front_data *data)
{
	if (data == NULL)
		return;
	front_data_drop(&data->parts);
	pthread_rwlock_destroy(&data->lock);
	free(data);
}

int
front_data_reload(struct front_data *data, bool *changed, struct err *err)
{
	struct front_parts fresh, old;
	uint8_t seen[SHA256_LEN];

	*changed = false;
	if (front_data_look(data->home, seen, err) != 0)
		return -1;
	if (memcmp(seen, data->seen, sizeof(seen)) == 0)
		return 0;
	memcpy(data->seen, seen, sizeof(seen));
	if (front_data_read(data->home, &fresh, err) != 0)
		return -1;
	pthread_rwlock_wrlock(&data->lock);
	old = data->parts;
	data->parts = fresh;
	data->reading++;
	pthread_rwlock_unlock(&data->lock);
	front_data_drop(&old);
	*changed = true;
	return 0;
}

void
front_data_hold(struct front_data *data, struct front_view *out)
{
	pthread_rwlock_rdlock(&data->lock);
	*out = (struct front_view){ &data->parts.anchors, data->parts.regions,
		&data->parts.profiles, data->reading };
}

void
front_data_release(struct front_data *data)
{
	pthread_rwlock_unlock(&data->lock);
}
