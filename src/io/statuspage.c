/*
 * The shared page of status changes: a file of one page, mapped by its writer and its readers. It
 * holds numbers only, no rule.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/mem.h"
#include "smki/statuspage.h"

#define STATUSPAGE_SIZE 4096
#define STATUSPAGE_MODE 0640
/* "smkiST" and the version of the layout */
#define STATUSPAGE_MAGIC UINT64_C(0x736d6b6953540001)

/* As it lies in the file; the epoch goes in last, so that a page with one is whole. */
struct statuspage_map {
	_Atomic uint64_t magic;
	_Atomic uint64_t epoch;
	uint8_t apart[48]; /* the generation has a cache line of its own */
	_Atomic uint64_t generation;
};

struct statuspage {
	struct statuspage_map *map;
	char *path;
	dev_t dev;
	ino_t ino;
};

static int
statuspage_map(const char *path, int fd, bool write, struct statuspage **out, struct err *err)
{
	struct statuspage *page;
	struct stat st;
	void *map;

	if (fstat(fd, &st) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size != STATUSPAGE_SIZE)
		return err_set(err, FAIL_UNAVAILABLE, "%s: is no status page", path);
	map = mmap(
	    NULL, STATUSPAGE_SIZE, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(err, FAIL_UNAVAILABLE, "%s: cannot be mapped", path);
	page = mem_alloc(sizeof(*page));
	page->map = map;
	page->path = mem_str(path);
	page->dev = st.st_dev;
	page->ino = st.st_ino;
	*out = page;
	return 0;
}

int
statuspage_make(
    const char *path, uint64_t epoch, uint64_t generation, struct statuspage **out, struct err *err)
{
	struct statuspage *page = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, STATUSPAGE_MODE), r = -1;

	require(epoch != 0);
	if (fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (ftruncate(fd, STATUSPAGE_SIZE) != 0) {
		err_sys(err, FAIL_UNAVAILABLE, "%s", path);
		goto out;
	}
	if (statuspage_map(path, fd, true, &page, err) != 0)
		goto out;
	atomic_store(&page->map->generation, generation);
	atomic_store(&page->map->magic, STATUSPAGE_MAGIC);
	atomic_store(&page->map->epoch, epoch);
	*out = page;
	r = 0;
out:
	close(fd);
	return r;
}

int
statuspage_open(const char *path, struct statuspage **out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), r;
	struct statuspage *page = NULL;

	if (fd < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	r = statuspage_map(path, fd, false, &page, err);
	close(fd);
	if (r != 0)
		return -1;
	if (atomic_load(&page->map->epoch) == 0 ||
	    atomic_load(&page->map->magic) != STATUSPAGE_MAGIC) {
		statuspage_close(page);
		return err_set(err, FAIL_UNAVAILABLE, "%s: is no status page", path);
	}
	*out = page;
	return 0;
}

void
statuspage_close(struct statuspage *page)
{
	if (page == NULL)
		return;
	require(munmap(page->map, STATUSPAGE_SIZE) == 0);
	free(page->path);
	free(page);
}

bool
statuspage_is_moved(const struct statuspage *page)
{
	struct stat st;

	return stat(page->path, &st) != 0 || st.st_dev != page->dev || st.st_ino != page->ino ||
	       st.st_size != STATUSPAGE_SIZE;
}

void
statuspage_bump(struct statuspage *page, uint64_t generation)
{
	uint64_t is = atomic_load(&page->map->generation);

	while (is < generation &&
	       !atomic_compare_exchange_weak(&page->map->generation, &is, generation))
		;
}

struct statusmark
statuspage_get(const struct statuspage *page)
{
	return (struct statusmark){
		.epoch = atomic_load(&page->map->epoch),
		.generation = atomic_load(&page->map->generation),
	};
}
