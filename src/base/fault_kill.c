/*
 * The crash tests' definition of fault_point(): SIGKILL at the place named by SMKI_FAULT. Never
 * part of the product.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smki/fault.h"
#include "smki/mem.h"

void
fault_point(const char *name)
{
	static atomic_ulong passages;
	const char *wanted = getenv("SMKI_FAULT");
	unsigned long nth = 1;
	size_t len;

	if (wanted == NULL)
		return;
	len = strcspn(wanted, ":");
	if (wanted[len] == ':') {
		char *end;

		nth = strtoul(wanted + len + 1, &end, 10);
		/* A test with a mistyped number must not pass as one in which nothing broke. */
		require(nth > 0 && *end == '\0');
	}
	if (strlen(name) != len || strncmp(name, wanted, len) != 0)
		return;
	if (atomic_fetch_add(&passages, 1) + 1 != nth)
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}
