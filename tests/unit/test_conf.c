/*
 * Tests of the configuration reader: what it accepts, each refusal with its line, and the rules
 * about the file itself.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smki/buf.h"
#include "smki/conf.h"
#include "smki/mem.h"

#include "test.h"

static const struct conf_key keys[] = {
	{ "default", "top" },
	{ "http", "listen" },
	{ "http", "workers" },
	{ "http", "age" },
	{ "http", "tls" },
	{ "token *", "uri" },
	{ "ENV", "HOME" },
	{ "empty", "nothing" },
};

static int
parse(const char *text, struct conf **conf, struct err *err)
{
	return conf_parse("smki.conf", text, strlen(text), keys, ARRAY_LEN(keys), conf, err);
}

static void
test_good(void)
{
	static const char text[] = "# comment with $ and a [ and \\\\\n"
				   "top = 1\n"
				   "\n"
				   "  [ http ] \r\n"
				   "\tlisten=127.0.0.1:8080   # $HOME is only a comment\r\n"
				   "workers = \\\n"
				   "   4\n"
				   "[token issuing]\n"
				   "uri = \"pkcs11:token=a;object=b # no comment\"\n"
				   "[empty]\n"
				   "[token root]\n"
				   "uri = 'a\\'b'\n"
				   "[http]\n"
				   "age = a \\# b\n"
				   "tls =";
	struct conf *conf = NULL;
	struct err err = { 0 };
	const char *value = NULL;

	CHECK(parse(text, &conf, &err) == 0);
	CHECK_STR(err.msg, "");
	if (conf == NULL)
		return;
	CHECK_STR(conf_get(conf, "default", "top"), "1");
	CHECK_STR(conf_get(conf, "http", "listen"), "127.0.0.1:8080");
	CHECK_STR(conf_get(conf, "http", "workers"), "4");
	CHECK_STR(conf_get(conf, "http", "age"), "a # b");
	CHECK_STR(conf_get(conf, "http", "tls"), "");
	CHECK_STR(conf_get(conf, "token issuing", "uri"), "pkcs11:token=a;object=b # no comment");
	CHECK_STR(conf_get(conf, "token root", "uri"), "a'b");
	/* Nothing comes from [default] or from the environment. */
	CHECK(conf_get(conf, "http", "top") == NULL);
	CHECK(conf_get(conf, "ENV", "HOME") == NULL);
	CHECK(conf_get(conf, "empty", "nothing") == NULL);
	CHECK(conf_need(conf, "http", "listen", &value, &err) == 0);
	CHECK_STR(value, "127.0.0.1:8080");
	CHECK(conf_need(conf, "empty", "nothing", &value, &err) == -1);
	CHECK(err.code == FAIL_INVALID);
	CHECK_STR(err.msg, "smki.conf: [empty] nothing is missing");
	CHECK_STR(value, "127.0.0.1:8080");
	conf_free(conf);
	conf_free(NULL);
}

static void
test_empty(void)
{
	static const char *const rows[] = { "", "\n", "# only a comment", " \t \r\n", "[empty]" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *conf = NULL;

		CHECK_ROW(rows[i], parse(rows[i], &conf, NULL) == 0);
		CHECK_ROW(rows[i], conf != NULL && conf_get(conf, "http", "listen") == NULL);
		CHECK_ROW(rows[i], conf != NULL && conf_section(conf, "http", 0) == NULL);
		conf_free(conf);
	}
}

static void
test_bad(void)
{
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ "[nope]\n", "1: [nope] is not a known section" },
		{ "\n\n[token]\n", "3: [token] is not a known section" },
		{ "[http]\nnope = 1\n", "2: [http] nope is not a known key" },
		{ "[http]\nuri = 1\n", "2: [http] uri is not a known key" },
		{ "listen = 1\n", "1: [default] listen is not a known key" },
		{ "[empty]\nlisten = 1\n", "2: [empty] listen is not a known key" },
		{ "[http]\nlisten = 1\nworkers = 2\nlisten = 3\n",
		    "4: [http] listen was given in line 2 already" },
		{ "[http]\nlisten = 1\n[empty]\n[http]\nlisten = 1\n",
		    "5: [http] listen was given in line 2 already" },
		{ "top=1\n[default]\ntop=1\n", "3: [default] top was given in line 1 already" },
		/* a continued line counts for all its lines */
		{ "[http]\nlisten = \\\n\\\n1\nnope=1\n", "5: [http] nope is not a known key" },
		/* directives */
		{ ".include /etc/passwd\n", "1: directives are not allowed" },
		{ "  .include=/etc/passwd\n", "1: directives are not allowed" },
		{ "\t.include = /etc/passwd\n", "1: directives are not allowed" },
		{ ".inc\\\nlude /etc/passwd\n", "1: directives are not allowed" },
		{ "\\\n.include /etc/passwd\n", "1: directives are not allowed" },
		{ "[http]\n.pragma dollarid:true\n", "2: directives are not allowed" },
		{ ".pragma=dollarid:on\n", "1: directives are not allowed" },
		{ ".other\n", "1: directives are not allowed" },
		/* variables */
		{ "top = $ENV::HOME\n", "1: '$' is not allowed" },
		{ "top = ${top}\n", "1: '$' is not allowed" },
		{ "top = '$x'\n", "1: '$' is not allowed" },
		{ "top = \\$x\n", "1: '$' is not allowed" },
		{ "top = a\\\n$x\n", "1: '$' is not allowed" },
		{ "top = '#' $x\n", "1: '$' is not allowed" },
		{ "top = \\# $x\n", "1: '$' is not allowed" },
		/* a key in another section */
		{ "http::listen = 1\n", "1: neither \"[section]\" nor \"key = value\"" },
		{ "[empty]\nhttp::listen = 1\n", "2: neither \"[section]\" nor \"key = value\"" },
		/* form */
		{ "[http]\nlisten\n", "2: neither \"[section]\" nor \"key = value\"" },
		{ "[http]\n= 1\n", "2: neither \"[section]\" nor \"key = value\"" },
		{ "[http]\nlisten : 1\n", "2: neither \"[section]\" nor \"key = value\"" },
		{ "[http]\nli sten = 1\n", "2: neither \"[section]\" nor \"key = value\"" },
		{ "\xef\xbb\xbftop = 1\n", "1: neither \"[section]\" nor \"key = value\"" },
		{ "[http\nlisten = 1\n", "1: section header does not end in ']'" },
		{ "[http] listen = 1\n", "1: section header does not end in ']'" },
		{ "[]\n", "1: section name is empty or too long" },
		{ "[  ]\n", "1: section name is empty or too long" },
		{ "[http::x]\n",
		    "1: section name may hold letters, digits, ' ', '.', '_', '-' only" },
		{ "top = \"a\n", "1: quote is not closed" },
		{ "top = 'a\"\n", "1: quote is not closed" },
		{ "top = `a\n", "1: quote is not closed" },
		{ "top = a\\\\\\\n", "1: '\\' at the end escapes nothing" },
		{ "top = a\\", "1: the last line is continued by '\\'" },
		{ "top = a\\\n", "1: the last line is continued by '\\'" },
		{ "# a comment \\\ntop = 1\n", "1: comment in a line continued by '\\'" },
		/* control characters, plain and made by an escape */
		{ "top = a\x01\n", "1: control character" },
		{ "top = a\x7f\n", "1: control character" },
		{ "top = a\rb\n", "1: control character" },
		{ "top = a\r", "1: control character" },
		{ "top = 1\v\n", "1: control character" },
		{ "# \x1b[31m\n", "1: control character" },
		{ "\ntop = a\\nb\n", "2: [default] top: control character" },
		{ "top = a\\bb\n", "1: [default] top: control character" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *conf = NULL;
		struct err err = { 0 };

		CHECK_ROW(rows[i].text, parse(rows[i].text, &conf, &err) == -1);
		CHECK_ROW(rows[i].text, conf == NULL && err.code == FAIL_INVALID);
		CHECK_ROW(rows[i].text, strncmp(err.msg, "smki.conf:", 10) == 0);
		CHECK_STR(err.msg + 10, rows[i].msg);
		conf_free(conf);
	}
}

static void
test_sizes(void)
{
	struct conf *conf = NULL;
	struct err err = { 0 };
	struct buf b = { 0 };

	/* NUL */
	CHECK(conf_parse("c", "top = 1\0\n", 9, keys, ARRAY_LEN(keys), &conf, &err) == -1);
	CHECK_STR(err.msg, "c:1: control character");
	/* line length */
	buf_fmt(&b, "top = %0494d", 7);
	CHECK(b.len == 500 && parse(buf_text(&b), &conf, &err) == 0);
	CHECK(conf != NULL && strlen(conf_get(conf, "default", "top")) == 494);
	conf_free(conf);
	conf = NULL;
	buf_add_str(&b, "8\n");
	CHECK(parse(buf_text(&b), &conf, &err) == -1);
	CHECK_STR(err.msg, "smki.conf:1: line is longer than 500 octets");
	/* a long value in several lines */
	buf_reset(&b);
	buf_fmt(&b, "top = %0400d\\\n%0400d\\\n%0400d\n", 1, 2, 3);
	CHECK(parse(buf_text(&b), &conf, &err) == 0);
	CHECK(conf != NULL && strlen(conf_get(conf, "default", "top")) == 1200);
	conf_free(conf);
	conf = NULL;
	/* file size */
	buf_reset(&b);
	while (b.len < CONF_MAX)
		buf_add_str(&b, b.len % 64 == 63 ? "\n" : "#");
	CHECK(b.len == CONF_MAX && parse(buf_text(&b), &conf, &err) == 0);
	conf_free(conf);
	conf = NULL;
	buf_add_u8(&b, '\n');
	CHECK(parse(buf_text(&b), &conf, &err) == -1);
	CHECK_STR(err.msg, "smki.conf: larger than 65536 octets");
	buf_free(&b);
}

static struct conf *
one(const char *key, const char *value)
{
	struct conf *conf = NULL;
	struct buf b = { 0 };

	buf_fmt(&b, "[http]\n%s = %s\n", key, value);
	if (parse(buf_text(&b), &conf, NULL) != 0)
		conf = NULL;
	buf_free(&b);
	require(conf != NULL);
	return conf;
}

static void
test_number(void)
{
	static const struct {
		const char *text;
		int rc;
		long value;
	} rows[] = {
		{ "-5", 0, -5 },
		{ "-6", -1, 0 },
		{ "0", 0, 0 },
		{ "64", 0, 64 },
		{ "65", -1, 0 },
		{ "007", 0, 7 },
		{ "", -1, 0 },
		{ "-", -1, 0 },
		{ "+5", -1, 0 },
		{ "--5", -1, 0 },
		{ "5x", -1, 0 },
		{ "0x5", -1, 0 },
		{ "5 5", -1, 0 },
		{ "1.5", -1, 0 },
		{ "18446744073709551620", -1, 0 },
		{ "9223372036854775808", -1, 0 },
	};
	struct conf *conf;
	struct err err = { 0 };
	long value;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		conf = one("workers", rows[i].text);
		value = 777;
		CHECK_ROW(rows[i].text,
		    conf_number(conf, "http", "workers", -5, 64, 9, &value, &err) == rows[i].rc);
		CHECK_ROW(rows[i].text, value == (rows[i].rc == 0 ? rows[i].value : 777));
		conf_free(conf);
	}
	conf = one("workers", "65");
	CHECK(conf_number(conf, "http", "workers", 1, 64, 9, &value, &err) == -1);
	CHECK(err.code == FAIL_INVALID);
	CHECK_STR(err.msg, "smki.conf: [http] workers = 65: not a number from 1 to 64");
	/* The fallback is the caller's and not judged. */
	CHECK(conf_number(conf, "http", "age", 1, 64, -1, &value, &err) == 0 && value == -1);
	conf_free(conf);
}

static void
test_duration(void)
{
	static const struct {
		const char *text;
		int rc;
		long value;
	} rows[] = {
		{ "0s", 0, 0 },
		{ "90s", 0, 90 },
		{ "2m", 0, 120 },
		{ "3h", 0, 10800 },
		{ "14d", 0, 1209600 },
		{ "1y", 0, 31536000 },
		{ "10y", 0, 315360000 },
		{ "315360001s", -1, 0 },
		{ "11y", -1, 0 },
		{ "-1s", -1, 0 },
		{ "5", -1, 0 },
		{ "0", -1, 0 },
		{ "d", -1, 0 },
		{ "", -1, 0 },
		{ "5w", -1, 0 },
		{ "5D", -1, 0 },
		{ "5dd", -1, 0 },
		{ "5 d", -1, 0 },
		{ "1h30m", -1, 0 },
		{ "9223372036854775807y", -1, 0 },
		/* 2^64 / 86400 rounded up: wraps to a small number */
		{ "213503982334602d", -1, 0 },
	};
	struct conf *conf;
	struct err err = { 0 };
	long value;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		conf = one("age", rows[i].text);
		value = 777;
		CHECK_ROW(rows[i].text, conf_duration(conf, "http", "age", 0, 315360000, 9, &value,
					    &err) == rows[i].rc);
		CHECK_ROW(rows[i].text, value == (rows[i].rc == 0 ? rows[i].value : 777));
		conf_free(conf);
	}
	conf = one("age", "5");
	CHECK(conf_duration(conf, "http", "age", 60, 3600, 9, &value, &err) == -1);
	CHECK_STR(err.msg, "smki.conf: [http] age = 5: not a duration (number and s, m, h, d or y) "
			   "from 60s to 3600s");
	CHECK(conf_duration(conf, "http", "workers", 60, 3600, 9, &value, &err) == 0 && value == 9);
	conf_free(conf);
}

static void
test_bool(void)
{
	static const struct {
		const char *text;
		int rc;
		bool value;
	} rows[] = {
		{ "yes", 0, true },
		{ "true", 0, true },
		{ "no", 0, false },
		{ "false", 0, false },
		{ "", -1, false },
		{ "1", -1, false },
		{ "YES", -1, false },
		{ "yess", -1, false },
		{ "ye", -1, false },
	};
	struct err err = { 0 };
	struct conf *conf;
	bool value;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		conf = one("tls", rows[i].text);
		value = !rows[i].value;
		CHECK_ROW(rows[i].text,
		    conf_bool(conf, "http", "tls", false, &value, &err) == rows[i].rc);
		CHECK_ROW(rows[i].text, value == (rows[i].rc == 0 ? rows[i].value : true));
		conf_free(conf);
	}
	conf = one("tls", "maybe");
	CHECK(conf_bool(conf, "http", "tls", false, &value, &err) == -1);
	CHECK_STR(err.msg, "smki.conf: [http] tls = maybe: not yes, no, true or false");
	CHECK(conf_bool(conf, "http", "age", true, &value, &err) == 0 && value);
	conf_free(conf);
}

static void
file_write(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	require(fd >= 0);
	require(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	require(fchmod(fd, mode) == 0);
	require(close(fd) == 0);
}

/* 0 when the file loads, else its err code. */
static int
load(const char *path, struct err *err)
{
	struct conf *conf = NULL;
	int rc = conf_load(path, keys, ARRAY_LEN(keys), &conf, err);

	CHECK((rc == 0) == (conf != NULL));
	if (conf != NULL)
		CHECK_STR(conf_get(conf, "http", "listen"), "x");
	conf_free(conf);
	return rc == 0 ? 0 : (int)err->code;
}

static void
test_load(void)
{
	char dir[] = "/tmp/smki-test-conf-XXXXXX";
	char *path = NULL, *link_path = NULL, *below = NULL, *fifo = NULL;
	struct buf big = { 0 };
	struct err err = { 0 };

	require(mkdtemp(dir) != NULL);
	path = mem_fmt("%s/a.conf", dir);
	link_path = mem_fmt("%s/link.conf", dir);
	below = mem_fmt("%s/a.conf/b.conf", dir);
	fifo = mem_fmt("%s/fifo", dir);

	CHECK(load(path, &err) == FAIL_NOT_FOUND);
	CHECK(strncmp(err.msg, path, strlen(path)) == 0);
	file_write(path, "[http]\nlisten = x\n", 0644);
	CHECK(load(path, &err) == 0);
	CHECK(load(below, &err) == FAIL_NOT_FOUND);
	CHECK(chmod(path, 0664) == 0 && load(path, &err) == FAIL_DENIED);
	CHECK(strstr(err.msg, "writable by group or others (mode 0664)") != NULL);
	CHECK(chmod(path, 0646) == 0 && load(path, &err) == FAIL_DENIED);
	CHECK(chmod(path, 0400) == 0 && load(path, &err) == 0);
	if (geteuid() == 0) {
		CHECK(chown(path, 12345, (gid_t)-1) == 0 && load(path, &err) == FAIL_DENIED);
		CHECK(strstr(err.msg, "owned by uid 12345") != NULL);
	} else {
		CHECK(chmod(path, 0000) == 0 && load(path, &err) == FAIL_DENIED);
	}
	CHECK(unlink(path) == 0);
	file_write(path, "[http]\nlisten = x\n", 0600);
	CHECK(symlink("a.conf", link_path) == 0 && load(link_path, &err) == FAIL_DENIED);
	CHECK(load(dir, &err) == FAIL_DENIED);
	/* Refused, not waited for. */
	CHECK(mkfifo(fifo, 0600) == 0 && load(fifo, &err) == FAIL_DENIED);

	file_write(path, "[http]\nlisten = x\nnope = 1\n", 0600);
	CHECK(load(path, &err) == FAIL_INVALID);
	CHECK(strncmp(err.msg, path, strlen(path)) == 0);
	CHECK_STR(err.msg + strlen(path), ":3: [http] nope is not a known key");

	buf_add_str(&big, "[http]\nlisten = x\n");
	while (big.len < CONF_MAX)
		buf_add_u8(&big, '\n');
	file_write(path, buf_text(&big), 0600);
	CHECK(load(path, &err) == 0);
	buf_add_u8(&big, '\n');
	file_write(path, buf_text(&big), 0600);
	CHECK(load(path, &err) == FAIL_INVALID);

	CHECK(unlink(path) == 0 && unlink(link_path) == 0 && unlink(fifo) == 0 && rmdir(dir) == 0);
	buf_free(&big);
	free(path);
	free(link_path);
	free(below);
	free(fifo);
}

/* Keys with a common beginning, in the file's order. */
static void
test_key_names(void)
{
	static const struct conf_key named[] = { { "a *", "end_*" }, { "a *", "plain" } };
	static const char text[] = "[a x]\nend_2 = b\nplain = c\nend_1 = d\n[a y]\nend_ = e\n";
	static const char *const bad[] = { "[a x]\nend = 1\n", "[a x]\nplainer = 1\n",
		"[a x]\nend_1 = 1\nend_1 = 2\n" };
	struct conf *conf = NULL;
	struct err err;

	CHECK(conf_parse("t", text, strlen(text), named, ARRAY_LEN(named), &conf, &err) == 0);
	CHECK_STR(conf_key_name(conf, "a x", "end_", 0), "end_2");
	CHECK_STR(conf_key_name(conf, "a x", "end_", 1), "end_1");
	CHECK(conf_key_name(conf, "a x", "end_", 2) == NULL);
	CHECK_STR(conf_key_name(conf, "a x", "", 1), "plain");
	CHECK_STR(conf_key_name(conf, "a y", "end_", 0), "end_");
	CHECK(conf_key_name(conf, "a z", "", 0) == NULL);
	CHECK_STR(conf_get(conf, "a x", "end_1"), "d");
	conf_free(conf);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ROW(bad[i], conf_parse("t", bad[i], strlen(bad[i]), named, ARRAY_LEN(named),
				      &conf, &err) == -1);
}

static const struct test_case cases[] = {
	{ "accepted", test_good },
	{ "empty", test_empty },
	{ "refused", test_bad },
	{ "sizes", test_sizes },
	{ "number", test_number },
	{ "duration", test_duration },
	{ "boolean", test_bool },
	{ "file", test_load },
	{ "key names", test_key_names },
};

TEST_MAIN("conf", cases)
