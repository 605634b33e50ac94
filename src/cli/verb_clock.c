/*
 * smki clock accept: an administrator has checked the machine's time.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "smki/der.h"

static int
clock_reply(void *ctx, struct wire_in *in, struct err *err)
{
	time_t *at = ctx;

	*at = (time_t)wire_get_i64(in);
	return wire_end(in, "clock", err);
}

int
clock_verb(struct cli *cli, int argc, char **argv)
{
	struct buf msg = { 0 };
	char text[TIME_TEXT_LEN];
	time_t at = 0;
	struct err err;
	int r;

	if (argc != 2 || strcmp(argv[1], "accept") != 0)
		return cli_usage("clock");
	client_start(cli, &msg, ADMIN_CLOCK);
	r = client_call(cli, &msg, clock_reply, &at, &err);
	buf_free(&msg);
	if (r != 0)
		return cli_fail(&err);
	time_text(at, text);
	if (cli->json) {
		putchar('{');
		json_str("accepted", text, 1);
		puts("}");
	} else {
		printf("clock accepted: %s\n", text);
	}
	return EXIT_DONE;
}
