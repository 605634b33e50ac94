/*
 * smki device import: a file of devices into the register, all of it or nothing. It is checked
 * whole before anything is sent, then read again and sent in pieces, a few under way at a time.
 * Secrets stand in it: no copy of it reaches a disk, and what it was read into is wiped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "device.h"
#include "smki/clock.h"
#include "smki/hex.h"
#include "smki/mem.h"

#define IMPORT_BUF (64 * 1024)
/* Bad lines that are shown; of the others only how many. */
#define IMPORT_SHOWN 1000
/* Devices in one file, and octets of one that cannot be read twice and is kept in memory. */
#define IMPORT_DEVICES_MAX 100000000u
#define IMPORT_PIPE_MAX (1024L * 1024 * 1024)
/* Pieces under way. */
#define IMPORT_WINDOW 2
/* More than one row of a piece ever takes. */
#define IMPORT_ROW_MAX 1024
#define IMPORT_PROGRESS 10000

/* ---- lines of the file ---- */

struct import_lines {
	int fd;
	uint32_t number; /* of the newest line */
	size_t at, len;
	bool end;
	char buf[IMPORT_BUF];
};

static int
import_fill(struct import_lines *in, struct err *err)
{
	ssize_t n;

	memmove(in->buf, in->buf + in->at, in->len - in->at);
	in->len -= in->at;
	in->at = 0;
	do
		n = read(in->fd, in->buf + in->len, sizeof(in->buf) - in->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, FAIL_UNAVAILABLE, "cannot be read");
	in->len += (size_t)n;
	in->end = n == 0;
	return 0;
}

/*
 * The next line, borrowed until the next call: 1, 0 at the end, -1. Of one that is too long *len is
 * over DEVFILE_LINE_MAX, and its rest is passed over.
 */
static int
import_line(struct import_lines *in, const char **line, size_t *len, struct err *err)
{
	bool cut = false;
	char *nl;

	for (;;) {
		nl = memchr(in->buf + in->at, '\n', in->len - in->at);
		if (nl != NULL || in->end)
			break;
		if (in->len - in->at > 2 * DEVFILE_LINE_MAX) {
			cut = true;
			in->at = in->len;
		}
		if (import_fill(in, err) != 0)
			return -1;
	}
	if (nl == NULL && in->at == in->len && !cut)
		return 0;
	if (in->number == UINT32_MAX)
		return err_set(err, FAIL_INVALID, "has too many lines");
	in->number++;
	*line = in->buf + in->at;
	*len = nl != NULL ? (size_t)(nl - *line) : in->len - in->at;
	in->at += *len + (nl != NULL);
	if (cut)
		*len = DEVFILE_LINE_MAX + 1;
	else if (*len > 0 && (*line)[*len - 1] == '\r')
		(*len)--;
	return 1;
}

static int
import_rewind(struct import_lines *in, struct err *err)
{
	in->number = 0;
	in->at = in->len = 0;
	in->end = false;
	if (lseek(in->fd, 0, SEEK_SET) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "cannot be read twice");
	return 0;
}

/* What cannot be read twice into memory that can. */
static int
import_spool(int from, int *out, struct err *err)
{
	char *buf = mem_alloc(IMPORT_BUF);
	off_t size = 0;
	ssize_t n = -1;
	int fd, r = -1;

	fd = memfd_create("smki-import", MFD_CLOEXEC);
	if (fd < 0) {
		err_sys(err, FAIL_UNAVAILABLE, "memory");
		goto out;
	}
	for (;;) {
		n = read(from, buf, IMPORT_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		size += n;
		if (size > IMPORT_PIPE_MAX) {
			err_set(err, FAIL_INVALID, "is over %ld octets; put it in a file",
			    IMPORT_PIPE_MAX);
			goto out;
		}
		if (write(fd, buf, (size_t)n) != n) {
			err_sys(err, FAIL_UNAVAILABLE, "memory");
			goto out;
		}
	}
	if (n < 0) {
		err_sys(err, errno == EISDIR ? FAIL_INVALID : FAIL_UNAVAILABLE, "cannot be read");
		goto out;
	}
	*out = fd;
	fd = -1;
	r = 0;
out:
	if (fd >= 0)
		close(fd);
	OPENSSL_cleanse(buf, IMPORT_BUF);
	free(buf);
	return r;
}

/* -1 with a message that names no file. */
static int
import_open(const char *path, int *out, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return err_sys(
		    err, errno == ENOENT ? FAIL_NOT_FOUND : FAIL_DENIED, "cannot be opened");
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*out = fd;
		return 0;
	}
	r = import_spool(fd, out, err);
	if (fd != STDIN_FILENO)
		close(fd);
	return r;
}

/* ---- checking ---- */

/* Where a device stands in the file. */
struct import_place {
	uint8_t eui[EUI64_LEN];
	uint8_t line[4]; /* big-endian: places sort by device, then line */
};

/* A piece under way. */
struct import_flight {
	uint32_t id; /* 0 = none */
	uint32_t n;
	uint32_t line[REGISTER_CHUNK_MAX];
	struct eui64 eui[REGISTER_CHUNK_MAX];
};

struct import {
	struct cli *cli;
	const char *path;
	bool progress;
	struct register_names names;
	struct import_lines in;
	struct devfile *format;
	struct devfile_row row;
	size_t n; /* devices checked */
	size_t cap;
	struct import_place *place;
	size_t bad;
	/* sending */
	int64_t number; /* of the import */
	size_t sent, known;
	struct buf msg;
	struct import_flight *next; /* being filled; one of: */
	struct import_flight flight[IMPORT_WINDOW + 1];
};

static void
import_progress(const struct import *import, const char *what, size_t done)
{
	if (import->progress && done % IMPORT_PROGRESS == 0)
		fprintf(stderr, "\r\033[K%s %zu", what, done);
}

static void
import_progress_end(const struct import *import)
{
	if (import->progress)
		fputs("\r\033[K", stderr);
}

static void
import_bad(struct import *import, uint32_t line, const char *what)
{
	if (import->bad++ >= IMPORT_SHOWN)
		return;
	import_progress_end(import);
	fprintf(stderr, "%s:%u: %s\n", import->path, (unsigned)line, what);
}

/*
 * The next record into import->row: 1; 0 at the end of the file; -1 with err; a line that is none
 * is told to bad() and passed over. Without a header nothing more can be read: that is the end,
 * too.
 */
static int
import_record(
    struct import *import, void (*bad)(struct import *, uint32_t, const char *), struct err *err)
{
	const char *line = NULL;
	struct err why;
	size_t len = 0;
	bool is_data;
	int r;

	while ((r = import_line(&import->in, &line, &len, err)) > 0) {
		if (len == 0)
			continue;
		if (import->format == NULL) {
			if (devfile_new(line, len, &is_data, &import->format, &why) != 0) {
				bad(import, import->in.number, why.msg);
				return 0;
			}
			if (!is_data)
				continue;
		}
		if (len > DEVFILE_LINE_MAX)
			err_set(&why, FAIL_INVALID, "line: is over %d octets", DEVFILE_LINE_MAX);
		else if (devfile_read(import->format, line, len, &import->row, &why) == 0 &&
			 register_check(&import->names, &import->row.device, &why) == 0)
			return 1;
		bad(import, import->in.number, why.msg);
	}
	return r;
}

static void
import_place_add(struct import *import, uint32_t line)
{
	struct import_place *place;

	if (import->n == import->cap) {
		import->cap = import->cap == 0 ? 4096 : 2 * import->cap;
		import->place = mem_resize(import->place, import->cap, sizeof(*import->place));
	}
	place = &import->place[import->n++];
	memcpy(place->eui, import->row.device.eui.octets, EUI64_LEN);
	for (int i = 0; i < 4; i++)
		place->line[i] = (uint8_t)(line >> (24 - 8 * i));
}

static int
import_place_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct import_place));
}

static uint32_t
import_place_line(const struct import_place *place)
{
	return (uint32_t)place->line[0] << 24 | (uint32_t)place->line[1] << 16 |
	       (uint32_t)place->line[2] << 8 | place->line[3];
}

/* Devices that stand in the file more than once: each line but the first. */
static void
import_doubles(struct import *import)
{
	char eui[2 * EUI64_LEN + 1], what[80];
	size_t first = 0;

	qsort(import->place, import->n, sizeof(*import->place), import_place_order);
	for (size_t i = 1; i < import->n; i++) {
		if (memcmp(import->place[i].eui, import->place[first].eui, EUI64_LEN) != 0) {
			first = i;
			continue;
		}
		hex_encode(import->place[i].eui, EUI64_LEN, eui);
		snprintf(what, sizeof(what), "eui64: %s stands on line %u already", eui,
		    (unsigned)import_place_line(&import->place[first]));
		import_bad(import, import_place_line(&import->place[i]), what);
	}
}

/* The whole file. What is wrong with its lines is told here. */
static int
import_check(struct import *import, struct err *err)
{
	int r;

	while ((r = import_record(import, import_bad, err)) > 0) {
		if (import->n == IMPORT_DEVICES_MAX)
			return err_set(err, FAIL_INVALID, "holds over %u devices; split it",
			    IMPORT_DEVICES_MAX);
		import_place_add(import, import->in.number);
		import_progress(import, "checked", import->n);
	}
	import_progress_end(import);
	if (r != 0)
		return -1;
	if (import->n > 0)
		import_doubles(import);
	if (import->bad > IMPORT_SHOWN)
		fprintf(
		    stderr, "%s: %zu more bad lines\n", import->path, import->bad - IMPORT_SHOWN);
	if (import->bad == 0 && import->n == 0)
		return err_set(err, FAIL_INVALID, "holds no device");
	return 0;
}

/* ---- sending ---- */

static int
import_names_reply(void *ctx, struct wire_in *in, struct err *err)
{
	return register_names_get(in, ctx, err);
}

static int
import_begin_reply(void *ctx, struct wire_in *in, struct err *err)
{
	*(int64_t *)ctx = wire_get_i64(in);
	return wire_end(in, "import begun", err);
}

static int
import_rows_reply(void *ctx, struct wire_in *in, struct err *err)
{
	return register_chunk_done_get(in, ctx, err);
}

static struct import_flight *
import_flight_find(struct import *import, uint32_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(import->flight); i++)
		if (import->flight[i].id == id)
			return &import->flight[i];
	return NULL;
}

static void
import_known(struct import *import, const struct import_flight *flight, uint32_t row)
{
	char eui[2 * EUI64_LEN + 1];

	hex_encode(flight->eui[row].octets, EUI64_LEN, eui);
	import_progress_end(import);
	fprintf(stderr, "%s:%u: eui64: %s is registered already\n", import->path,
	    (unsigned)flight->line[row], eui);
	import->known++;
}

/* Take one answer. */
static int
import_take(struct import *import, struct err *err)
{
	struct register_chunk_done done = { .n = 0 };
	struct import_flight *flight;
	uint32_t id;

	if (client_receive(import->cli, &id, import_rows_reply, &done, err) != 0)
		return -1;
	flight = id == 0 ? NULL : import_flight_find(import, id);
	if (flight == NULL)
		return err_set(err, FAIL_INTERNAL, "smkid: answer to another request");
	for (uint32_t i = 0; i < done.n; i++) {
		if (done.row[i] >= flight->n)
			return err_set(err, FAIL_INTERNAL, "smkid: answer about another row");
		import_known(import, flight, done.row[i]);
	}
	flight->id = 0;
	return 0;
}

static size_t
import_under_way(const struct import *import)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(import->flight); i++)
		n += import->flight[i].id != 0 && &import->flight[i] != import->next;
	return n;
}

/* Send the piece that was filled, when there is room for one under way. */
static int
import_send(struct import *import, struct err *err)
{
	if (import->next == NULL)
		return 0;
	while (import_under_way(import) >= IMPORT_WINDOW)
		if (import_take(import, err) != 0)
			return -1;
	if (client_send(import->cli, &import->msg, err) != 0)
		return -1;
	import->next = NULL;
	return 0;
}

static int
import_row(struct import *import, struct err *err)
{
	struct import_flight *flight = import->next;

	if (flight != NULL &&
	    (flight->n == REGISTER_CHUNK_MAX || import->msg.len > WIRE_MAX - IMPORT_ROW_MAX)) {
		if (import_send(import, err) != 0)
			return -1;
		flight = NULL;
	}
	if (flight == NULL) {
		flight = import->next = import_flight_find(import, 0);
		require(flight != NULL);
		client_start(import->cli, &import->msg, ADMIN_IMPORT_ADD);
		register_chunk_start(&import->msg, import->number);
		flight->id = import->cli->id;
		flight->n = 0;
	}
	flight->line[flight->n] = import->in.number;
	flight->eui[flight->n++] = import->row.device.eui;
	register_chunk_row(&import->msg, &import->row.device, import->row.secret);
	import->sent++;
	import_progress(import, "sent", import->sent);
	return 0;
}

static void
import_changed(struct import *import, uint32_t line, const char *what)
{
	import->bad++;
}

/* All rows, and the answers to them. */
static int
import_rows(struct import *import, struct err *err)
{
	int r;

	devfile_free(import->format);
	import->format = NULL;
	if (import_rewind(&import->in, err) != 0)
		return -1;
	while ((r = import_record(import, import_changed, err)) > 0)
		if (import_row(import, err) != 0)
			return -1;
	if (r != 0 || import_send(import, err) != 0)
		return -1;
	while (import_under_way(import) > 0)
		if (import_take(import, err) != 0)
			return -1;
	import_progress_end(import);
	if (import->bad > 0 || import->sent != import->n)
		return err_set(err, FAIL_INVALID, "was changed while it was read");
	return 0;
}

static int
import_ask(struct import *import, struct err *err)
{
	const char *name = strrchr(import->path, '/');
	char cut[DETAIL_LEN];
	int r;

	snprintf(cut, sizeof(cut), "%s", name != NULL ? name + 1 : import->path);
	client_start(import->cli, &import->msg, ADMIN_IMPORT_BEGIN);
	wire_put_str(&import->msg, cut);
	if (client_call(import->cli, &import->msg, import_begin_reply, &import->number, err) != 0)
		return -1;
	r = import_rows(import, err);
	if (r == 0 && import->known == 0) {
		client_start(import->cli, &import->msg, ADMIN_IMPORT_FINISH);
		wire_put_i64(&import->msg, import->number);
		wire_put_i64(&import->msg, (int64_t)import->sent);
		return client_call(import->cli, &import->msg, NULL, NULL, err);
	}
	/* With the connection it is dropped, too; answers on their way are not waited for. */
	if (r != 0) {
		client_close(import->cli);
		return -1;
	}
	client_start(import->cli, &import->msg, ADMIN_IMPORT_DROP);
	wire_put_i64(&import->msg, import->number);
	return client_call(import->cli, &import->msg, NULL, NULL, err);
}

static int
import_run(struct import *import, struct err *err)
{
	client_start(import->cli, &import->msg, ADMIN_DEVICE_NAMES);
	if (client_call(import->cli, &import->msg, import_names_reply, &import->names, err) != 0)
		return -1;
	if (import_open(import->path, &import->in.fd, err) != 0 ||
	    import_rewind(&import->in, err) != 0 || import_check(import, err) != 0)
		return err_prefix(err, "%s", import->path);
	if (import->bad > 0)
		return 0;
	return import_ask(import, err);
}

static void
import_print(const struct import *import, int64_t ms)
{
	if (import->cli->json) {
		putchar('{');
		json_int("devices", (long long)import->sent, 1);
		json_int("import", import->number, 0);
		json_int("milliseconds", ms, 0);
		puts("}");
	} else {
		printf("%zu device%s imported\n", import->sent, import->sent == 1 ? "" : "s");
	}
}

int
device_import(struct cli *cli, int argc, char **argv)
{
	struct import *import;
	int64_t start_ms = clock_mono_ms();
	int status = EXIT_DONE;
	struct err err;

	if (argc != 2)
		return cli_usage("device");
	import = mem_alloc(sizeof(*import));
	import->cli = cli;
	import->path = argv[1];
	import->in.fd = -1;
	import->progress = isatty(STDERR_FILENO) != 0;
	buf_reserve(&import->msg, WIRE_MAX);
	if (import_run(import, &err) != 0)
		status = cli_fail(&err);
	else if (import->bad > 0)
		status = err_exit_status(FAIL_INVALID);
	else if (import->known > 0)
		status = err_exit_status(FAIL_CONFLICT);
	else
		import_print(import, clock_mono_ms() - start_ms);
	devfile_free(import->format);
	if (import->in.fd >= 0)
		close(import->in.fd);
	buf_wipe(&import->msg);
	free(import->place);
	OPENSSL_cleanse(import, sizeof(*import));
	free(import);
	return status;
}
