/*
 * Changes of many objects against a smkid that answers, says nothing, goes away or is not there:
 * what is asked for, what is told, the exit status. And the lists that name them.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "../../src/cli/changes.h"
#include "folder.h"

/* An answer that comes; one that does not, which is waited for in full. */
#define WAIT_MS 20000
#define SILENT_WAIT_MS 1000

/* What the server does with a request. */
enum server_does {
	SERVER_ANSWERS,
	SERVER_IS_SILENT, /* it reads no more until the other end closes */
	SERVER_CLOSES,	  /* this connection; the next is answered */
	SERVER_ENDS,	  /* for good */
};

struct server {
	int listener;
	enum server_does first; /* what it does with the first request */
	atomic_uint asked;
	pthread_t thread;
};

static char a[] = "a", b[] = "b", c[] = "c", d[] = "d", e[] = "e", zz[] = "zz";
static char *names[] = { a, b, c, d, e, NULL };

static void
path_of(const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s", folder, name);
}

/* Requests of one connection. Whether another may come. */
static bool
server_talk(struct server *server, int fd)
{
	struct buf msg = { 0 }, answer = { 0 };
	struct wire_head head;
	struct wire_in in;
	bool more = true;

	while (wire_recv(fd, &msg, WAIT_MS, NULL) == 0 &&
	       wire_head_get(msg.data, msg.len, &head, &in, NULL) == 0) {
		enum server_does does = atomic_fetch_add(&server->asked, 1) == 0 ? server->first
										 : SERVER_ANSWERS;

		if (does == SERVER_IS_SILENT)
			continue;
		if (does == SERVER_CLOSES)
			break;
		if (does == SERVER_ENDS) {
			/* Nobody gets a connection any more. */
			shutdown(server->listener, SHUT_RDWR);
			more = false;
			break;
		}
		wire_start(&answer, head.op, head.id, 0);
		require(wire_send(fd, &answer, WAIT_MS, NULL) == 0);
	}
	close(fd);
	buf_free(&msg);
	buf_free(&answer);
	return more;
}

static void *
server_run(void *ctx)
{
	struct server *server = ctx;
	int fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0 && server_talk(server, fd))
		;
	return NULL;
}

static void
server_start(struct server *server, enum server_does first)
{
	char path[256];

	path_of(HOME_ADMIN_SOCK, path);
	server->first = first;
	atomic_init(&server->asked, 0);
	require(wire_listen(path, 0600, &server->listener, NULL) == 0);
	require(fcntl(server->listener, F_SETFL, 0) == 0);
	require(pthread_create(&server->thread, NULL, server_run, server) == 0);
}

static void
server_stop(struct server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	remove_file(HOME_ADMIN_SOCK);
}

static void
home_make(struct cli *cli)
{
	char path[256];

	folder_make();
	path_of(HOME_DB_DIR, path);
	require(mkdir(path, 0700) == 0);
	path_of("run", path);
	require(mkdir(path, 0700) == 0);
	write_file(HOME_CONF, "", 0, 0600);
	*cli = (struct cli){ .fd = -1, .wait_ms = WAIT_MS };
	snprintf(cli->dir, sizeof(cli->dir), "%s", folder);
}

static void
home_end(struct cli *cli)
{
	client_close(cli);
	remove_file(HOME_CONF);
	remove_file(HOME_DB_DIR);
	remove_file("run");
	folder_end();
}

static char done[4096]; /* names of what was changed, blanks between */

static void
change_one(struct changes *changes, const char *name)
{
	struct buf msg = { 0 };
	struct err err;

	if (strcmp(name, "zz") == 0) {
		err_set(&err, FAIL_INVALID, "no name");
		changes_failed(changes, name, &err);
		return;
	}
	client_start(changes->cli, &msg, ADMIN_CHANGE);
	if (changes_ask(changes, name, &msg, NULL, NULL) == 0) {
		strcat(done, name);
		strcat(done, " ");
	}
	buf_free(&msg);
}

/* All of them; what is told is in said. */
static int
run_all(struct cli *cli, char **all, const char *from, char said[4096])
{
	struct changes changes = { .cli = cli, .object = "serial", .one = change_one };
	int status, was = dup(STDERR_FILENO), fd;
	char path[256];
	ssize_t n;

	done[0] = '\0';
	path_of("said", path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	require(was >= 0 && fd >= 0);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	status = changes_all(&changes, all, from);
	dup2(was, STDERR_FILENO);
	n = pread(fd, said, 4095, 0);
	require(n >= 0);
	said[n] = '\0';
	close(was);
	close(fd);
	remove_file("said");
	return status;
}

#define LOST "smki: a: smkid: no answer, it may have been done; ask again: wire: "

static void
test_away(void)
{
	static const struct {
		const char *name;
		enum server_does first;
		unsigned asked;
		const char *done, *said;
	} rows[] = {
		{ "silent", SERVER_IS_SILENT, 1, "",
		    LOST "no message in time\n"
			 "smki: smkid: does not answer; 4 more were not asked for\n" },
		{ "closes", SERVER_CLOSES, 5, "b c d e ", LOST "the peer is gone\n" },
		{ "ends", SERVER_ENDS, 1, "", NULL },
	};
	char said[4096];
	struct cli cli;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server server;

		home_make(&cli);
		if (rows[i].first == SERVER_IS_SILENT)
			cli.wait_ms = SILENT_WAIT_MS;
		server_start(&server, rows[i].first);
		CHECK_ROW(rows[i].name, run_all(&cli, names, NULL, said) == EXIT_UNAVAILABLE);
		client_close(&cli);
		server_stop(&server);
		CHECK_ROW(rows[i].name, atomic_load(&server.asked) == rows[i].asked);
		CHECK_STR(done, rows[i].done);
		if (rows[i].said != NULL) {
			CHECK_STR(said, rows[i].said);
		} else {
			/* The first was lost, the second had no connection. */
			CHECK_ROW(said, strstr(said, "\nsmki: b: smkid: no answer at ") != NULL);
			CHECK_ROW(said, strstr(said, "\nsmki: smkid: does not answer; 3 more were "
						     "not asked for\n") != NULL);
		}
		home_end(&cli);
	}
}

static void
test_refused(void)
{
	char *one[] = { a, NULL }, *bad[] = { zz, a, b, zz, NULL };
	char said[4096];
	struct cli cli;

	home_make(&cli);
	CHECK(run_all(&cli, one, NULL, said) == EXIT_UNAVAILABLE);
	CHECK(strncmp(said, "smki: a: smkid: no answer at ", 29) == 0);
	CHECK(strchr(said, '\n')[1] == '\0');
	/* The first failure is another. What is wrong by itself is told all the same. */
	CHECK(run_all(&cli, bad, NULL, said) == EXIT_INVALID);
	CHECK(strncmp(said, "smki: zz: no name\nsmki: ", 24) == 0);
	CHECK(strstr(said, "\nsmki: zz: no name\n") != NULL);
	CHECK(strstr(said, "\nsmki: smkid: does not answer; 2 more were not asked for\n") != NULL);
	home_end(&cli);
}

/* Whether a list is what is asked for, and what is told of it behind its name. */
static void
list_says(const void *text, size_t len, int status, const char *wants, const char *told)
{
	char path[256], want[1024] = "", said[4096];
	struct server server;
	struct cli cli;

	home_make(&cli);
	server_start(&server, SERVER_ANSWERS);
	path_of("list", path);
	write_file("list", text, len, 0600);
	if (told != NULL)
		snprintf(want, sizeof(want), "smki: %s:%s\n", path, told);
	CHECK(run_all(&cli, names + 5, path, said) == status);
	CHECK_STR(said, want);
	CHECK_STR(done, wants);
	client_close(&cli);
	server_stop(&server);
	remove_file("list");
	home_end(&cli);
}

static void
test_lists(void)
{
	struct buf text = { 0 };

#define LIST(literal, ...) list_says(literal, sizeof(literal) - 1, __VA_ARGS__)
	LIST("", 0, "", NULL);
	LIST("a\nb", 0, "a b ", NULL);
	LIST("\xef\xbb\xbf"
	     "a\r\n\r\n \t b \t\r\n\t# c\n#d\n\n  \n e\n",
	    0, "a b e ", NULL);
	LIST("\xef\xbb\xbf# c\na\n", 0, "a ", NULL);
	/* Only there it is none of the name. */
	LIST("a\n\xef\xbb\xbf"
	     "b\n",
	    0,
	    "a \xef\xbb\xbf"
	    "b ",
	    NULL);
	LIST("a\nb\0c\nd\n", EXIT_INVALID, "a d ", "2: holds a NUL");
	LIST("a\n\0\n# \0\n", EXIT_INVALID, "a ", "2: holds a NUL");
#undef LIST
	/* Blanks behind it do not make a line too long, nor does what a comment says. */
	buf_fmt(&text, "#%0*d\na%*s\n%0*d\nb\n", 300, 0, 300, "", 256, 0);
	list_says(text.data, text.len, EXIT_INVALID, "a b ", "3: line is over 255 octets");
	/* What has no end is no list. */
	buf_reset(&text);
	buf_fmt(&text, "a\n%0*d\nb\n", (1 << 20) + 1, 0);
	list_says(text.data, text.len, EXIT_INVALID, "a ", "2: is no list: over 1048576 octets");
	buf_free(&text);
}

static void
test_status(void)
{
	char *bad[] = { zz, a, NULL };
	struct server server;
	char said[4096];
	struct cli cli;

	home_make(&cli);
	server_start(&server, SERVER_ANSWERS);
	CHECK(run_all(&cli, bad, "/nonexistent/list", said) == EXIT_INVALID);
	CHECK_STR(done, "a ");
	CHECK(run_all(&cli, bad + 1, "/nonexistent/list", said) == EXIT_NOT_FOUND);
	CHECK(run_all(&cli, bad + 1, NULL, said) == EXIT_DONE);
	client_close(&cli);
	server_stop(&server);
	home_end(&cli);
}

static const struct test_case cases[] = {
	{ "away", test_away },
	{ "refused", test_refused },
	{ "lists", test_lists },
	{ "status", test_status },
};

TEST_MAIN("changes", cases)
