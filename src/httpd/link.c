/*
 * The connection to smkid's front socket: opened again when it breaks, never waited for beyond a
 * deadline.
 */
#include <fcntl.h>
#include <unistd.h>

#include "link.h"
#include "smki/admin.h"
#include "smki/clock.h"
#include "smki/wire.h"

int
link_init(struct link_smkid *link, const struct home *home, int fd, struct err *err)
{
	*link = (struct link_smkid){ .fd = fd };
	if (home_path(home, HOME_FRONT_SOCK, link->path, err) != 0)
		return -1;
	if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_sys(err, FAIL_INVALID, "--front-fd %d", fd);
	return 0;
}

static void
link_break(struct link_smkid *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

void
link_close(struct link_smkid *link)
{
	link_break(link);
	buf_free(&link->msg);
}

/* The reply to the last request; one that came too late for an earlier request is passed over. */
static int
link_reply(struct link_smkid *link, int64_t deadline, struct err *err)
{
	struct admin_hello hello;
	struct wire_head head;
	struct wire_in in;
	int64_t left;

	do {
		left = deadline - clock_mono_ms();
		if (left <= 0)
			return err_set(err, FAIL_UNAVAILABLE, "smkid: does not answer in time");
		if (wire_recv(link->fd, &link->msg, (int)left, err) != 0 ||
		    wire_head_get(link->msg.data, link->msg.len, &head, &in, err) != 0)
			return -1;
	} while (head.id != link->id);
	if ((head.flags & WIRE_ERROR) != 0) {
		wire_get_err(&in, err);
		return -1;
	}
	return admin_hello_get(&in, &hello, err);
}

int
link_hello(struct link_smkid *link, int timeout_ms, struct err *err)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;

	if (link->fd < 0 && wire_connect(link->path, &link->fd, err) != 0) {
		link->fd = -1;
		return -1;
	}
	wire_start(&link->msg, FRONT_HELLO, ++link->id, 0);
	if (wire_send(link->fd, &link->msg, timeout_ms, err) == 0 &&
	    link_reply(link, deadline, err) == 0)
		return 0;
	/* Only a silent peer keeps its connection: an inherited one could not be opened again. */
	if (clock_mono_ms() < deadline)
		link_break(link);
	return -1;
}
