/*
 * Build helper: print a C array of struct embed_file named argv[1] with the texts of the files
 * argv[2...], in that order.
 */
#include <stdio.h>
#include <string.h>

/* The octets as an array, not a string: a compiler need not take long string literals. */
static int
embed_octets(const char *path, int number, size_t *len)
{
	FILE *in = fopen(path, "rb");
	int c;

	if (in == NULL) {
		perror(path);
		return -1;
	}
	printf("static const char text%d[] = {", number);
	for (*len = 0; (c = getc(in)) != EOF; ++*len)
		printf("%s%d,", *len % 20 == 0 ? "\n\t" : "", (signed char)c);
	printf("0\n};\n\n");
	if (ferror(in)) {
		perror(path);
		fclose(in);
		return -1;
	}
	fclose(in);
	return 0;
}

int
main(int argc, char **argv)
{
	size_t len[64];

	if (argc < 3 || argc - 2 > (int)(sizeof len / sizeof *len)) {
		fprintf(stderr, "usage: embed ARRAY FILE...\n");
		return 64;
	}
	printf("#include \"smki/embed.h\"\n\n");
	for (int i = 2; i < argc; i++)
		if (embed_octets(argv[i], i - 2, &len[i - 2]) != 0)
			return 1;
	printf("const struct embed_file %s[] = {\n", argv[1]);
	for (int i = 2; i < argc; i++) {
		const char *base = strrchr(argv[i], '/');

		printf("\t{ \"%s\", text%d, %zu },\n", base != NULL ? base + 1 : argv[i], i - 2,
		    len[i - 2]);
	}
	printf("\t{ NULL, NULL, 0 },\n};\n");
	return fflush(stdout) != 0 || ferror(stdout);
}
