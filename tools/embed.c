/*
 * Build helper: print a C array of struct embed_file named argv[1] with the texts of the files
 * argv[2...], in that order.
 */
#include <stdio.h>
#include <string.h>

static int
embed_file(const char *path)
{
	const char *base = strrchr(path, '/');
	FILE *in = fopen(path, "rb");
	size_t len = 0;
	int c;

	if (in == NULL) {
		perror(path);
		return -1;
	}
	printf("\t{ \"%s\",\n\t  \"", base != NULL ? base + 1 : path);
	while ((c = getc(in)) != EOF) {
		len++;
		if (c == '\n')
			printf("\\n\"\n\t  \"");
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			printf("\\%03o", (unsigned)c);
		else
			putchar(c);
	}
	printf("\", %zu },\n", len);
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
	if (argc < 3) {
		fprintf(stderr, "usage: embed ARRAY FILE...\n");
		return 64;
	}
	printf("#include \"smki/embed.h\"\n\nconst struct embed_file %s[] = {\n", argv[1]);
	for (int i = 2; i < argc; i++)
		if (embed_file(argv[i]) != 0)
			return 1;
	printf("\t{ NULL, NULL, 0 },\n};\n");
	return fflush(stdout) != 0 || ferror(stdout);
}
