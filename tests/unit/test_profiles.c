/*
 * The folder of profiles: which files are read, and what must not be in it.
 */
#include "folder.h"
#include "smki/buf.h"
#include "smki/conf.h"
#include "smki/file.h"
#include "smki/home.h"

/* A copy of a profile that ships. */
static void
copy_profile(const char *from, const char *to, mode_t mode)
{
	char path[1024];
	struct buf text = { 0 };
	struct err err;

	snprintf(path, sizeof(path), "%s/policies/%s", test_root, from);
	if (file_read(path, CONF_MAX, &text, &err) != 0) {
		fprintf(stderr, "  %s\n", err.msg);
		exit(1);
	}
	write_file(to, text.data, text.len, mode);
	buf_free(&text);
}

static void
test_profiles(void)
{
	static const char *const names[] = { "device-agreement", "device-signature", "issuing-ca",
		"ocsp", "organisation", "root-ca", "tls-server" };
	struct profiles profiles = { .n = 99 };
	char file[80];
	struct err err;

	CHECK(profiles_load(folder, &profiles, &err) == 0 && profiles.n == 0);
	for (size_t i = ARRAY_LEN(names); i-- > 0;) {
		snprintf(file, sizeof(file), "%s.cnf", names[i]);
		copy_profile(file, file, 0644);
	}
	/* None of these is a profile. */
	write_file("README", "not a profile", 13, 0666);
	write_file(".ocsp.cnf", "hidden", 6, 0644);
	write_file("ocsp.cnf~", "an editor's", 11, 0644);
	write_file(".cnf", "", 0, 0644);
	/* Policies of another kind. */
	write_file("manufacturers.cnf", "[manufacturer x]\n", 17, 0644);
	write_file("regions.cnf", "[region x]\n", 11, 0644);
	CHECK(profiles_load(folder, &profiles, &err) == 0 && profiles.n == ARRAY_LEN(names));
	for (size_t i = 0; i < profiles.n && i < ARRAY_LEN(names); i++) {
		CHECK_STR(profiles.profile[i]->name, names[i]);
		CHECK(profiles_get(&profiles, names[i]) == profiles.profile[i]);
	}
	CHECK(profiles_get(&profiles, "ocsp.cnf") == NULL);
	CHECK(profiles_get(&profiles, "") == NULL);
	profiles_free(&profiles);
	CHECK(profiles.n == 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(file, sizeof(file), "%s.cnf", names[i]);
		remove_file(file);
	}
	remove_file("README");
	remove_file(".ocsp.cnf");
	remove_file("ocsp.cnf~");
	remove_file(".cnf");
	remove_file("manufacturers.cnf");
	remove_file("regions.cnf");
}

enum trouble {
	TROUBLE_TEXT,
	TROUBLE_GROUP,
	TROUBLE_OTHERS,
	TROUBLE_LINK,
	TROUBLE_FOLDER,
	TROUBLE_FIFO,
	TROUBLE_NAME,
	TROUBLE_LARGE,
};

static void
make_trouble(enum trouble trouble, const char *file)
{
	static char large[CONF_MAX + 1];
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	switch (trouble) {
	case TROUBLE_TEXT:
		write_file(file, "[profile]\nkind = gadget\n", 24, 0644);
		return;
	case TROUBLE_GROUP:
		copy_profile("ocsp.cnf", file, 0664);
		return;
	case TROUBLE_OTHERS:
		copy_profile("ocsp.cnf", file, 0646);
		return;
	case TROUBLE_LINK:
		require(symlink("good.cnf", path) == 0);
		return;
	case TROUBLE_FOLDER:
		require(mkdir(path, 0755) == 0);
		return;
	case TROUBLE_FIFO:
		require(mkfifo(path, 0644) == 0);
		return;
	case TROUBLE_NAME:
		copy_profile("ocsp.cnf", file, 0644);
		return;
	case TROUBLE_LARGE:
		memset(large, '#', sizeof(large));
		write_file(file, large, sizeof(large), 0644);
		return;
	}
}

static void
test_bad_profiles(void)
{
	static const struct {
		const char *name;
		enum trouble trouble;
		const char *file;
		enum err_code want;
		const char *msg;
	} bad[] = {
		{ "bad text", TROUBLE_TEXT, "x.cnf", FAIL_INVALID, "x" },
		{ "group may write", TROUBLE_GROUP, "x.cnf", FAIL_DENIED,
		    "x.cnf: mode 0664 is writable" },
		{ "others may write", TROUBLE_OTHERS, "x.cnf", FAIL_DENIED, "mode 0646" },
		{ "link", TROUBLE_LINK, "x.cnf", FAIL_DENIED, "is a symbolic link" },
		{ "folder", TROUBLE_FOLDER, "x.cnf", FAIL_DENIED, "is not a regular file" },
		{ "FIFO", TROUBLE_FIFO, "x.cnf", FAIL_DENIED, "is not a regular file" },
		{ "name", TROUBLE_NAME, "1x.cnf", FAIL_INVALID, "\"1x\"" },
		{ "name with dot", TROUBLE_NAME, "a.b.cnf", FAIL_INVALID, "\"a.b\"" },
		{ "large", TROUBLE_LARGE, "x.cnf", FAIL_INVALID, "has over 65536 octets" },
	};
	char long_file[80];

	copy_profile("ocsp.cnf", "good.cnf", 0444);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct profiles profiles = { .n = 99 };
		struct err err = { 0 };

		make_trouble(bad[i].trouble, bad[i].file);
		CHECK_ROW(bad[i].name, profiles_load(folder, &profiles, &err) == -1);
		CHECK_ROW(bad[i].name, err.code == bad[i].want && profiles.n == 99);
		CHECK_ROW(bad[i].name, strstr(err.msg, bad[i].msg) != NULL);
		CHECK_ROW(bad[i].name, strncmp(err.msg, "profile", 7) == 0);
		remove_file(bad[i].file);
	}
	remove_file("good.cnf");

	/* Names of 63 characters are the longest. */
	for (int len = NAME_LEN - 1; len <= NAME_LEN; len++) {
		struct profiles profiles = { 0 };

		memset(long_file, 'a', sizeof(long_file));
		strcpy(long_file + len, ".cnf");
		copy_profile("ocsp.cnf", long_file, 0644);
		CHECK(profiles_load(folder, &profiles, NULL) == (len < NAME_LEN ? 0 : -1));
		profiles_free(&profiles);
		remove_file(long_file);
	}
}

static void
test_many_profiles(void)
{
	struct profiles profiles = { 0 };
	char file[32];
	struct err err;

	CHECK(profiles_load("/nonexistent/policies", &profiles, &err) == -1);
	CHECK(err.code == FAIL_NOT_FOUND);
	for (int i = 0; i <= HOME_PROFILES_MAX; i++) {
		if (i == HOME_PROFILES_MAX) {
			CHECK(profiles_load(folder, &profiles, &err) == 0);
			CHECK(profiles.n == HOME_PROFILES_MAX);
			profiles_free(&profiles);
		}
		snprintf(file, sizeof(file), "p%d.cnf", i);
		copy_profile("ocsp.cnf", file, 0644);
	}
	CHECK(profiles_load(folder, &profiles, &err) == -1 && err.code == FAIL_INVALID);
	CHECK(strstr(err.msg, "more than 64") != NULL);
	for (int i = 0; i <= HOME_PROFILES_MAX; i++) {
		snprintf(file, sizeof(file), "p%d.cnf", i);
		remove_file(file);
	}
}

static const struct test_case cases[] = {
	{ "profiles", test_profiles },
	{ "bad profiles", test_bad_profiles },
	{ "many profiles", test_many_profiles },
};

int
main(int argc, char **argv)
{
	int rc;

	folder_make();
	rc = test_main(argc, argv, "profiles", cases, ARRAY_LEN(cases));
	folder_end();
	return rc;
}
