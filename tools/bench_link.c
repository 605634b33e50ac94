/*
 * Measurements' side of the admin socket.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench_link.h"
#include "smki/clock.h"

#define LINK_WAIT_MS 60000

int
bench_link_open(const char *dir, struct bench_link *out, struct err *err)
{
	struct home home = { 0 };
	char path[HOME_PATH_MAX];

	snprintf(home.dir, sizeof(home.dir), "%s", dir);
	*out = (struct bench_link){ .fd = -1 };
	if (home_path(&home, HOME_ADMIN_SOCK, path, err) != 0)
		return -1;
	return wire_connect(path, &out->fd, err);
}

void
bench_link_close(struct bench_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	buf_free(&link->msg);
}

static int
link_receive(struct bench_link *link, struct wire_head *head, struct wire_in *in, struct err *err)
{
	if (wire_recv(link->fd, &link->msg, LINK_WAIT_MS, err) != 0 ||
	    wire_head_get(link->msg.data, link->msg.len, head, in, err) != 0)
		return -1;
	if ((head->flags & WIRE_ERROR) == 0)
		return 0;
	wire_get_err(in, err);
	return -1;
}

int
bench_link_ask(struct bench_link *link, struct wire_in *in, struct err *err)
{
	struct wire_head head;

	if (wire_send(link->fd, &link->msg, LINK_WAIT_MS, err) != 0)
		return -1;
	return link_receive(link, &head, in, err);
}

int
bench_link_drain(struct bench_link *link, struct err *err)
{
	struct wire_head head;
	struct wire_in in;

	if (wire_head_get(link->msg.data, link->msg.len, &head, &in, err) != 0)
		return -1;
	while ((head.flags & WIRE_MORE) != 0)
		if (link_receive(link, &head, &in, err) != 0)
			return -1;
	return 0;
}

int
bench_link_change(
    struct bench_link *link, const struct serial *serial, enum cert_action action, struct err *err)
{
	struct status_request request = { .serial = *serial, .change = { .action = action } };
	struct wire_in in;

	wire_start(&link->msg, ADMIN_CHANGE, 1, 0);
	admin_change_put(&link->msg, &request);
	return bench_link_ask(link, &in, err);
}

static int
link_issue_send(struct bench_link *link, const struct bench_meter *meter, size_t i, struct err *err)
{
	struct issue_request request = { .csr = meter->csr };

	wire_start(&link->msg, ADMIN_ISSUE, (uint32_t)i, 0);
	admin_issue_put(&link->msg, &request);
	return wire_send(link->fd, &link->msg, LINK_WAIT_MS, err);
}

static int
link_issue_receive(struct bench_link *link, struct bench_meter *meters, size_t n, struct err *err)
{
	struct issue_result result = { 0 };
	struct wire_head head;
	struct wire_in in;

	if (link_receive(link, &head, &in, err) != 0)
		return -1;
	if (head.id >= n || meters[head.id].cert.len != 0)
		return err_set(err, FAIL_INTERNAL, "bench: an answer to no request");
	if (admin_issued_get(&in, &result, err) != 0)
		return -1;
	meters[head.id].cert = result.der;
	meters[head.id].serial = result.serial;
	return 0;
}

int
bench_link_issue(struct bench_link *link, struct bench_meter *meters, size_t n, size_t window,
    struct bench_issued *out, struct err *err)
{
	int64_t start = clock_mono_us(), before = start, now;
	size_t sent = 0;

	out->longest_us = 0;
	for (size_t done = 0; done < n; done++) {
		for (; sent < n && sent - done < window; sent++)
			if (link_issue_send(link, &meters[sent], sent, err) != 0)
				return -1;
		if (link_issue_receive(link, meters, n, err) != 0)
			return -1;
		now = clock_mono_us();
		if (now - before > out->longest_us)
			out->longest_us = now - before;
		before = now;
	}
	out->rate = (double)n * 1e6 / (double)(before - start);
	return 0;
}
