/*
 * One conversation with smkid over the admin socket.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/*
 * Who answers must be root or the owner of the database, which is smkid's user: run/ is the
 * front's too, and what pretends to be smkid could have the root sign what it likes.
 */
static int
client_check_peer(const struct home *home, int fd, struct err *err)
{
	char path[HOME_PATH_MAX];
	struct stat st;
	uid_t uid;
	pid_t pid;

	if (home_path(home, HOME_DB_DIR, path, err) != 0 || wire_peer(fd, &uid, &pid, err) != 0)
		return -1;
	if (stat(path, &st) != 0)
		return err_sys(err, FAIL_UNAVAILABLE, "%s", path);
	if (uid != 0 && uid != st.st_uid)
		return err_set(err, FAIL_DENIED,
		    "smkid: process %ld of uid %ld answers at " HOME_ADMIN_SOCK
		    ", but the database belongs to uid %ld",
		    (long)pid, (long)uid, (long)st.st_uid);
	return 0;
}

static int
client_connect(struct cli *cli, struct err *err)
{
	struct home home = { 0 };
	char path[HOME_PATH_MAX];

	snprintf(home.dir, sizeof home.dir, "%s", cli->dir);
	if (home_path(&home, HOME_CONF, path, err) != 0)
		return -1;
	if (access(path, F_OK) != 0)
		return err_set(err, FAIL_NOT_FOUND,
		    "home %s: no smki.conf there; make one with: "
		    "smki --home %s init",
		    cli->dir, cli->dir);
	if (home_path(&home, HOME_ADMIN_SOCK, path, err) != 0)
		return -1;
	if (wire_connect(path, &cli->fd, err) != 0)
		return -1;
	if (client_check_peer(&home, cli->fd, err) != 0) {
		client_close(cli);
		return -1;
	}
	return 0;
}

static int
client_open(struct cli *cli, struct err *err)
{
	if (cli->fd >= 0)
		return 0;
	cli->away = client_connect(cli, err) != 0;
	return cli->away ? -1 : 0;
}

/* The connection has failed. Nothing has come, not even its end: it was waited for in vain. */
static void
client_failed(struct cli *cli)
{
	struct pollfd fd = { .fd = cli->fd, .events = POLLIN };

	cli->away = poll(&fd, 1, 0) == 0;
	client_close(cli);
}

static bool
client_only_reads(enum admin_op op)
{
	switch (op) {
	case ADMIN_HELLO:
	case ADMIN_STATUS:
	case ADMIN_SHOW:
	case ADMIN_LIST:
	case ADMIN_CA_LIST:
	case ADMIN_DEVICE_SHOW:
	case ADMIN_DEVICE_LIST:
	case ADMIN_DEVICE_NAMES:
	case ADMIN_ACCESS_KEYS:
		return true;
	case ADMIN_ISSUE:
	case ADMIN_CHANGE:
	case ADMIN_CRL:
	case ADMIN_CA_CHANGE:
	case ADMIN_CRL_BEGIN:
	case ADMIN_CRL_PUT:
	case ADMIN_CLOCK:
	case ADMIN_DEVICE_ADD:
	case ADMIN_DEVICE_CHANGE:
	case ADMIN_DEVICE_SECRET:
	case ADMIN_IMPORT_BEGIN:
	case ADMIN_IMPORT_ADD:
	case ADMIN_IMPORT_FINISH:
	case ADMIN_IMPORT_DROP:
	case ADMIN_ACCESS_KEY:
		return false;
	}
	return false;
}

void
client_start(struct cli *cli, struct buf *msg, enum admin_op op)
{
	/* "smki list | head" ends with its reader; "smki hold ... | head" does what it was asked. */
	if (!client_only_reads(op))
		signal(SIGPIPE, SIG_IGN);
	buf_reset(msg);
	wire_start(msg, (uint16_t)op, ++cli->id, 0);
}

int
client_send(struct cli *cli, const struct buf *msg, struct err *err)
{
	if (client_open(cli, err) != 0)
		return -1;
	if (wire_send(cli->fd, msg, cli->wait_ms, err) == 0)
		return 0;
	client_failed(cli);
	return err_prefix(err, "smkid: the request did not go out");
}

int
client_has_room(const struct cli *cli)
{
	struct pollfd fd = { .fd = cli->fd, .events = POLLIN | POLLOUT };

	/* Neither, for so long: whoever sends will say what is wrong. */
	if (cli->fd < 0 || poll(&fd, 1, cli->wait_ms) <= 0)
		return 1;
	/* Room is for more than one message: a socket is writable when most of its buffer is free. */
	return (fd.revents & POLLOUT) != 0 || (fd.revents & POLLIN) == 0;
}

/* The next message, whosever. -1: nothing that was asked can be answered any more. */
static int
client_next(struct cli *cli, struct buf *answer, struct wire_head *head, struct wire_in *in,
    struct err *err)
{
	if (wire_recv(cli->fd, answer, cli->wait_ms, err) == 0 &&
	    wire_head_get(answer->data, answer->len, head, in, err) == 0)
		return 0;
	client_failed(cli);
	return err_prefix(err, "smkid: no answer, it may have been done; ask again");
}

int
client_receive(struct cli *cli, uint32_t *id,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx, struct err *err)
{
	struct buf answer = { 0 };
	struct wire_head head;
	struct wire_in in;
	int r = -1;

	*id = 0;
	if (client_next(cli, &answer, &head, &in, err) != 0)
		goto out;
	*id = head.id;
	if ((head.flags & WIRE_ERROR) != 0)
		wire_get_err(&in, err);
	else
		r = reply(ctx, &in, err);
out:
	buf_wipe(&answer);
	return r;
}

int
client_call(struct cli *cli, const struct buf *msg,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx, struct err *err)
{
	struct buf answer = { 0 };
	struct wire_head head;
	struct wire_in in;
	bool whole = false; /* nothing of the answer is still to come */
	int r = -1;

	if (client_send(cli, msg, err) != 0)
		goto out;
	do {
		if (client_next(cli, &answer, &head, &in, err) != 0)
			goto out;
		if (head.id != cli->id) {
			err_set(err, FAIL_INTERNAL, "smkid: answer to another request");
			goto out;
		}
		if (head.flags & WIRE_ERROR) {
			wire_get_err(&in, err);
			whole = true;
			goto out;
		}
		if (reply != NULL && reply(ctx, &in, err) != 0)
			goto out;
	} while (head.flags & WIRE_MORE);
	whole = true;
	r = 0;
out:
	/* What comes late must not be taken for the answer to the next request. */
	if (!whole)
		client_close(cli);
	buf_wipe(&answer); /* a secret may be told in it */
	return r;
}

void
client_close(struct cli *cli)
{
	if (cli->fd >= 0)
		close(cli->fd);
	cli->fd = -1;
}
