/*
 * Files: bounded reads, secrets, durable writes, folders.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smki/file.h"
#include "smki/mem.h"

#include "test.h"

static char dir[64];

static void
dir_new(void)
{
	strcpy(dir, "/tmp/smki-file-XXXXXX");
	if (mkdtemp(dir) == NULL)
		abort();
}

static void
dir_end(void)
{
	CHECK(file_remove_tree(dir, NULL) == 0);
	CHECK(access(dir, F_OK) != 0);
}

/* A path in the folder; few at a time. */
static const char *
in(const char *name)
{
	static char path[4][128];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof path[next], "%s/%s", dir, name);
	return path[next];
}

static void
put(const char *name, const char *text, mode_t mode)
{
	int fd = open(in(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(fchmod(fd, mode) == 0);
	close(fd);
}

static size_t
entries(void)
{
	char command[128];
	unsigned n = 99;
	FILE *p;

	snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
	p = popen(command, "r");
	CHECK(p != NULL && fscanf(p, "%u", &n) == 1);
	pclose(p);
	return n;
}

static void
test_read(void)
{
	struct buf out = { 0 };
	struct err err;
	char *big = mem_alloc(40001);

	dir_new();
	memset(big, 'x', 40000);
	put("ten", "0123456789", 0644);
	put("empty", "", 0644);
	put("big", big, 0644);
	CHECK(file_read(in("ten"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "0123456789", 10);
	CHECK(file_read(in("ten"), 9, &out, &err) != 0 && err.code == FAIL_INVALID);
	CHECK_MEM(out.data, out.len, "0123456789", 10);
	CHECK(file_read(in("ten"), 100, &out, &err) == 0); /* appends */
	CU_ASSERT_EQUAL(out.len, 20);
	CHECK(file_read(in("empty"), 0, &out, &err) == 0);
	CU_ASSERT_EQUAL(out.len, 20);
	buf_reset(&out);
	CHECK(file_read(in("big"), 40000, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, big, 40000);
	CHECK(file_read(in("big"), 39999, &out, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(file_read(in("none"), 10, &out, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(strstr(err.msg, "none") != NULL);
	CHECK(file_read(dir, 10, &out, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(file_read("/dev/zero", 100, &out, &err) != 0 && err.code == FAIL_INVALID);
	buf_free(&out);
	free(big);
	dir_end();
}

static void
test_stdin(void)
{
	struct buf out = { 0 };
	struct err err;
	int saved = dup(STDIN_FILENO), fds[2];

	CHECK(pipe(fds) == 0 && write(fds[1], "piped", 5) == 5);
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	CHECK(file_read("-", 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "piped", 5);
	dup2(saved, STDIN_FILENO);
	close(saved);
	buf_free(&out);
}

static void
test_secret(void)
{
	static const struct {
		const char *name;
		const char *text;
		mode_t mode;
		const char *want; /* NULL = FAIL_DENIED */
	} rows[] = {
		{ "plain", "1234", 0400, "1234" },
		{ "line end", "1234\n", 0600, "1234" },
		{ "line end of Windows", "1234\r\n", 0400, "1234" },
		{ "one line end only", "1234\n\n", 0400, "1234\n" },
		{ "group may read", "1234", 0440, "1234" },
		{ "empty", "", 0400, "" },
		{ "only a line end", "\n", 0400, "" },
		{ "group may write", "1234", 0620, NULL },
		{ "others may read", "1234", 0404, NULL },
		{ "others may write", "1234", 0402, NULL },
		{ "others may run", "1234", 0401, NULL },
	};
	struct buf out = { 0 };
	struct err err;

	dir_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r;

		put("pin", rows[i].text, rows[i].mode);
		r = file_read_secret(in("pin"), 32, &out, &err);
		if (rows[i].want == NULL) {
			CHECK_ROW(rows[i].name, r != 0 && err.code == FAIL_DENIED);
			CHECK_ROW(rows[i].name, out.len == 0);
			CHECK_ROW(rows[i].name, strstr(err.msg, "1234") == NULL);
		} else {
			CHECK_ROW(rows[i].name, r == 0 && out.len == strlen(rows[i].want));
			CHECK_ROW(rows[i].name, memcmp(out.data, rows[i].want, out.len) == 0);
		}
		buf_wipe(&out);
		unlink(in("pin"));
	}
	put("pin", "123456", 0400);
	CHECK(file_read_secret(in("pin"), 5, &out, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(out.len == 0 && memcmp(out.data, "\0\0\0\0\0\0", 6) == 0); /* wiped */
	CHECK(symlink(in("pin"), in("link")) == 0);
	CHECK(file_read_secret(in("link"), 32, &out, &err) != 0 && err.code == FAIL_DENIED);
	CHECK(file_read_secret(in("none"), 32, &out, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(file_read_secret(dir, 32, &out, &err) != 0 && err.code == FAIL_DENIED);
	CHECK(mkfifo(in("fifo"), 0600) == 0); /* nobody writes: must not wait */
	CHECK(file_read_secret(in("fifo"), 32, &out, &err) != 0 && err.code == FAIL_DENIED);
	if (geteuid() == 0) {
		CHECK(chown(in("pin"), 65534, 65534) == 0);
		CHECK(file_read_secret(in("pin"), 32, &out, &err) != 0 && err.code == FAIL_DENIED);
	}
	CU_ASSERT_EQUAL(out.len, 0);
	buf_wipe(&out);
	dir_end();
}

static void
test_own(void)
{
	static const struct {
		mode_t mode;
		int r;
	} rows[] = {
		{ 0400, 0 },
		{ 0644, 0 },
		{ 0444, 0 },
		{ 0664, -1 },
		{ 0620, -1 },
		{ 0646, -1 },
	};
	struct buf out = { 0 };
	struct err err;

	dir_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put("conf", "text\n", rows[i].mode);
		buf_reset(&out);
		CU_ASSERT_EQUAL(file_read_own(in("conf"), 5, &out, &err), rows[i].r);
		CHECK(rows[i].r == 0 ? out.len == 5 : out.len == 0 && err.code == FAIL_DENIED);
		unlink(in("conf"));
	}
	buf_reset(&out);
	put("conf", "text\n", 0644);
	CHECK(file_read_own(in("conf"), 4, &out, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(symlink(in("conf"), in("link")) == 0);
	CHECK(file_read_own(in("link"), 5, &out, &err) != 0 && err.code == FAIL_DENIED);
	CHECK(file_read_own(in("none"), 5, &out, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(file_read_own(dir, 5, &out, &err) != 0 && err.code == FAIL_DENIED);
	CHECK(mkfifo(in("fifo"), 0600) == 0); /* nobody writes: must not wait */
	CHECK(file_read_own(in("fifo"), 5, &out, &err) != 0 && err.code == FAIL_DENIED);
	if (geteuid() == 0) {
		CHECK(chown(in("conf"), 65534, 65534) == 0);
		CHECK(file_read_own(in("conf"), 5, &out, &err) != 0 && err.code == FAIL_DENIED);
	}
	CU_ASSERT_EQUAL(out.len, 0);
	buf_free(&out);
	dir_end();
}

static int
mode_of(const char *name)
{
	struct stat st;

	return lstat(in(name), &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static void
test_write(void)
{
	struct buf out = { 0 };
	struct err err;
	mode_t mask = umask(0077);

	dir_new();
	CHECK(file_write(in("a"), "one", 3, 0644, &err) == 0);
	CU_ASSERT_EQUAL(mode_of("a"), 0644);
	umask(0);
	CHECK(file_write(in("a"), "second", 6, 0400, &err) == 0);
	CU_ASSERT_EQUAL(mode_of("a"), 0400);
	CHECK(file_read(in("a"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "second", 6);
	CHECK(file_write(in("empty"), NULL, 0, 0600, &err) == 0);
	CU_ASSERT_EQUAL(entries(), 2); /* no temporary file */

	/* a link is replaced, not followed */
	CHECK(symlink(in("a"), in("link")) == 0);
	CHECK(file_write(in("link"), "third", 5, 0600, &err) == 0);
	CU_ASSERT_EQUAL(mode_of("a"), 0400);
	CU_ASSERT_EQUAL(mode_of("link"), 0600);

	/* failures leave nothing */
	CHECK(file_write(in("no/where"), "x", 1, 0600, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(mkdir(in("folder"), 0700) == 0);
	CHECK(file_write(in("folder"), "x", 1, 0600, &err) != 0 && err.code == FAIL_INVALID);
	CU_ASSERT_EQUAL(entries(), 4);
	umask(mask);
	buf_free(&out);
	dir_end();
}

/* The disk takes only a part: what was there stays, the part goes. */
static void
test_write_full(void)
{
	struct buf out = { 0 };
	struct err err;
	int status = 0;
	pid_t pid;

	dir_new();
	put("a", "old", 0600);
	pid = fork();
	if (pid == 0) {
		struct rlimit limit = { 1000, 1000 };
		char data[2000] = { 0 };

		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(1);
		_exit(file_write(in("a"), data, sizeof data, 0600, &err) != 0 &&
			      err.code == FAIL_UNAVAILABLE
			  ? 42
			  : 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42);
	CU_ASSERT_EQUAL(entries(), 1);
	CHECK(file_read(in("a"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "old", 3);
	buf_free(&out);
	dir_end();
}

/* In parts: nothing under the name until the end, and nothing at all of what is dropped. */
static void
test_parts(void)
{
	struct file_out one = { 0 }, two = { 0 };
	struct buf out = { 0 };
	struct err err;

	dir_new();
	put("a", "old", 0600);
	put("other", "not ours", 0600);
	CHECK(symlink(in("other"), in("a.new")) == 0);
	CHECK(file_out_begin(in("a"), 0640, &one, &err) == 0);
	CHECK(file_out_begin(in("a"), 0644, &two, &err) == 0);
	CHECK(file_out_add(&one, "in ", 3, &err) == 0 && file_out_add(&two, "x", 1, &err) == 0);
	CHECK(file_read(in("a"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "old", 3);
	CU_ASSERT_EQUAL(entries(), 5);
	file_out_drop(&two);
	CU_ASSERT_EQUAL(entries(), 4);
	CHECK(file_out_add(&one, "parts", 5, &err) == 0 && file_out_end(&one, &err) == 0);
	file_out_drop(&one); /* is no harm */
	buf_reset(&out);
	CHECK(file_read(in("a"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "in parts", 8);
	CU_ASSERT_EQUAL(mode_of("a"), 0640);
	buf_reset(&out);
	CHECK(file_read(in("other"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "not ours", 8);
	CU_ASSERT_EQUAL(entries(), 3);

	/* an end that fails leaves nothing */
	CHECK(mkdir(in("folder"), 0700) == 0);
	CHECK(file_out_begin(in("folder"), 0644, &one, &err) == 0);
	CHECK(file_out_end(&one, &err) != 0 && err.code == FAIL_INVALID);
	CU_ASSERT_EQUAL(entries(), 4);
	two = (struct file_out){ 0 };
	file_out_drop(&two);
	CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	buf_free(&out);
	dir_end();
}

/* Into what stands there, which stays; never into a file. */
static void
test_into(void)
{
	struct file_out one = { 0 };
	struct buf out = { 0 };
	char got[8] = "";
	struct err err;
	int fifo, fds[2];

	dir_new();
	CHECK(mkfifo(in("fifo"), 0600) == 0);
	fifo = open(in("fifo"), O_RDONLY | O_NONBLOCK);
	CHECK(fifo >= 0 && file_out_into(in("fifo"), &one, &err) == 0);
	CHECK(file_out_add(&one, "text", 4, &err) == 0 && file_out_end(&one, &err) == 0);
	CHECK(read(fifo, got, sizeof got) == 4 && memcmp(got, "text", 4) == 0);
	CU_ASSERT_EQUAL(entries(), 1);
	close(fifo);
	put("file", "old", 0600);
	CHECK(file_out_into(in("file"), &one, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(file_read(in("file"), 10, &out, &err) == 0);
	CHECK_MEM(out.data, out.len, "old", 3);
	CHECK(file_out_into(dir, &one, &err) != 0 && err.code == FAIL_INVALID);
	CHECK(file_out_into(in("none"), &one, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(file_out_into("/dev/full", &one, &err) == 0);
	CHECK(file_out_add(&one, "x", 1, &err) != 0 && err.code == FAIL_UNAVAILABLE);
	file_out_drop(&one);

	CHECK(pipe(fds) == 0 && file_out_fd(fds[1], "a pipe", &one, &err) == 0);
	CHECK(file_out_add(&one, "more", 4, &err) == 0 && file_out_end(&one, &err) == 0);
	CHECK(read(fds[0], got, sizeof got) == 4 && memcmp(got, "more", 4) == 0);
	CHECK(write(fds[1], "x", 1) == 1); /* it is still open */
	close(fds[0]);
	close(fds[1]);
	CHECK(file_out_fd(fds[1], "a pipe", &one, &err) != 0 && strstr(err.msg, "a pipe") != NULL);
	buf_free(&out);
	dir_end();
}

static void
test_dirs(void)
{
	struct err err;
	mode_t mask = umask(0077);

	dir_new();
	CHECK(file_make_dir(in("db"), 02750, &err) == 0);
	CU_ASSERT_EQUAL(mode_of("db"), 02750);
	umask(mask);
	CHECK(file_make_dir(in("db"), 0700, &err) != 0 && err.code == FAIL_CONFLICT);
	CU_ASSERT_EQUAL(mode_of("db"), 02750);
	CHECK(file_make_dir(in("x/y"), 0700, &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(file_sync_dir(in("db"), &err) == 0);
	CHECK(file_sync_dir(in("none"), &err) != 0 && err.code == FAIL_NOT_FOUND);
	put("file", "x", 0600);
	CHECK(file_sync_dir(in("file"), &err) != 0);

	/* a tree with links out of it, and unreadable files */
	CHECK(mkdir(in("tree"), 0700) == 0 && mkdir(in("tree/sub"), 0700) == 0);
	put("tree/sub/deep", "x", 0000);
	CHECK(symlink(in("db"), in("tree/sub/link")) == 0);
	CHECK(symlink(in("file"), in("tree/link")) == 0);
	CHECK(file_remove_tree(in("tree"), &err) == 0);
	CU_ASSERT_EQUAL(mode_of("tree"), -1);
	CHECK(mode_of("db") != -1 && mode_of("file") != -1);
	CHECK(file_remove_tree(in("tree"), &err) == 0); /* nothing there: fine */

	/* emptied through a link: what it names stays, with its mode */
	CHECK(mkdir(in("tree"), 0700) == 0 && mkdir(in("tree/sub"), 0700) == 0);
	put("tree/sub/deep", "x", 0000);
	CHECK(symlink(in("db"), in("tree/link")) == 0 && symlink(in("tree"), in("to-tree")) == 0);
	CHECK(file_empty_dir(in("to-tree"), &err) == 0);
	CHECK(mode_of("tree") == 0700 && mode_of("tree/sub") == -1 && mode_of("db") != -1);
	CHECK(rmdir(in("tree")) == 0 && unlink(in("to-tree")) == 0);
	CHECK(file_empty_dir(in("tree"), &err) != 0 && err.code == FAIL_NOT_FOUND);
	CHECK(symlink(in("db"), in("to-db")) == 0);
	CHECK(file_remove_tree(in("to-db"), &err) == 0);
	CHECK(mode_of("to-db") == -1 && mode_of("db") != -1);
	CHECK(file_remove_tree(in("file"), &err) == 0);
	CU_ASSERT_EQUAL(mode_of("file"), -1);
	dir_end();
}

static const struct test_case cases[] = {
	{ "read", test_read },
	{ "standard input", test_stdin },
	{ "secrets", test_secret },
	{ "what decides something", test_own },
	{ "write", test_write },
	{ "write on a full disk", test_write_full },
	{ "in parts", test_parts },
	{ "into a pipe or a device", test_into },
	{ "folders", test_dirs },
};

TEST_MAIN("file", cases)
