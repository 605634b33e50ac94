/*
 * One conversation with smkid over the admin socket.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"

static int
client_open(struct cli *cli, struct err *err)
{
	struct home home = { 0 };
	char path[HOME_PATH_MAX];

	if (cli->fd >= 0)
		return 0;
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
	return wire_connect(path, &cli->fd, err);
}

void
client_start(struct cli *cli, struct buf *msg, enum admin_op op)
{
	buf_reset(msg);
	wire_start(msg, (uint16_t)op, ++cli->id, 0);
}

int
client_call(struct cli *cli, const struct buf *msg,
    int (*reply)(void *ctx, struct wire_in *in, struct err *err), void *ctx, struct err *err)
{
	struct buf answer = { 0 };
	struct wire_head head;
	struct wire_in in;
	int r = -1;

	if (client_open(cli, err) != 0 || wire_send(cli->fd, msg, CLI_WAIT_MS, err) != 0)
		goto out;
	do {
		if (wire_recv(cli->fd, &answer, CLI_WAIT_MS, err) != 0 ||
		    wire_head_get(answer.data, answer.len, &head, &in, err) != 0)
			goto out;
		if (head.id != cli->id) {
			err_set(err, FAIL_INTERNAL, "smkid: answer to another request");
			goto out;
		}
		if (head.flags & WIRE_ERROR) {
			wire_get_err(&in, err);
			goto out;
		}
		if (reply != NULL && reply(ctx, &in, err) != 0)
			goto out;
	} while (head.flags & WIRE_MORE);
	r = 0;
out:
	buf_free(&answer);
	return r;
}

void
client_close(struct cli *cli)
{
	if (cli->fd >= 0)
		close(cli->fd);
	cli->fd = -1;
}
