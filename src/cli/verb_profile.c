/*
 * smki profile: the profiles of the home, and the check of a file before it is put there. Reads
 * files only; smkid need not run.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "smki/conf.h"
#include "smki/file.h"
#include "smki/profile.h"

static int
profile_list(struct cli *cli, const struct profiles *profiles)
{
	for (size_t i = 0; i < profiles->n; i++) {
		const struct profile *p = profiles->profile[i];

		if (cli->json) {
			putchar('{');
			json_str("profile", p->name, 1);
			json_str("kind", profile_kind_str(p->kind), 0);
			json_str("description", p->description, 0);
			puts("}");
		} else {
			printf(
			    "%-18s %-13s %s\n", p->name, profile_kind_str(p->kind), p->description);
		}
	}
	return EXIT_DONE;
}

/* The file itself is the clearest account of a profile. */
static int
profile_show(struct cli *cli, const char *dir, const char *name, struct err *err)
{
	char path[HOME_PATH_MAX + NAME_LEN + 8];
	struct buf text = { 0 };
	int r = -1;

	snprintf(path, sizeof path, "%s/%s.cnf", dir, name);
	if (file_read(path, CONF_MAX, &text, err) != 0)
		goto out;
	if (cli->json) {
		putchar('{');
		json_str("profile", name, 1);
		json_str("text", buf_text(&text), 0);
		puts("}");
	} else if (output_write(NULL, text.data, text.len, err) != 0) {
		goto out;
	}
	r = 0;
out:
	buf_free(&text);
	return r;
}

static int
profile_check_file(struct cli *cli, const char *path, struct err *err)
{
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	size_t len = strlen(base);
	struct profile *profile = NULL;
	struct buf text = { 0 };
	char name[NAME_LEN];
	int r = -1;

	if (len < 5 || strcmp(base + len - 4, ".cnf") != 0 || len - 4 >= sizeof name) {
		err_set(err, FAIL_INVALID, "%s: a profile's file is named NAME.cnf", path);
		goto out;
	}
	memcpy(name, base, len - 4);
	name[len - 4] = 0;
	if (name_check("profile", name, err) != 0 || file_read(path, CONF_MAX, &text, err) != 0 ||
	    profile_parse(name, buf_text(&text), text.len, &profile, err) != 0)
		goto out;
	if (cli->json) {
		putchar('{');
		json_str("profile", profile->name, 1);
		puts(",\"ok\":true}");
	} else {
		printf("%s: ok\n", profile->name);
	}
	r = 0;
out:
	profile_free(profile);
	buf_free(&text);
	return r;
}

static int
profile_check_failed(struct cli *cli, const char *path, const struct err *err)
{
	if (cli->json) {
		putchar('{');
		json_str("file", path, 1);
		fputs(",\"ok\":false", stdout);
		json_str("error", err->msg, 0);
		json_str("code", err_code_str(err->code), 0);
		puts("}");
	}
	return cli_fail(err);
}

int
profile_verb(struct cli *cli, int argc, char **argv)
{
	struct profiles profiles = { 0 };
	struct home home = { 0 };
	char dir[HOME_PATH_MAX];
	struct err err;
	int status = EXIT_DONE;

	if (argc < 2)
		return cli_usage("profile");
	if (strcmp(argv[1], "check") == 0) {
		if (argc < 3)
			return cli_usage("profile");
		for (int i = 2; i < argc; i++)
			if (profile_check_file(cli, argv[i], &err) != 0) {
				int s = profile_check_failed(cli, argv[i], &err);

				status = status == EXIT_DONE ? s : status;
			}
		return status;
	}
	snprintf(home.dir, sizeof home.dir, "%s", cli->dir);
	if (home_path(&home, HOME_POLICIES, dir, &err) != 0 ||
	    profiles_load(dir, &profiles, &err) != 0)
		return cli_fail(&err);
	if (strcmp(argv[1], "list") == 0 && argc == 2) {
		status = profile_list(cli, &profiles);
	} else if (strcmp(argv[1], "show") == 0 && argc == 3) {
		if (profiles_get(&profiles, argv[2]) == NULL) {
			err_set(&err, FAIL_NOT_FOUND, "profile %s: not in %s", argv[2], dir);
			status = cli_fail(&err);
		} else if (profile_show(cli, dir, argv[2], &err) != 0) {
			status = cli_fail(&err);
		}
	} else {
		status = cli_usage("profile");
	}
	profiles_free(&profiles);
	return status;
}
