/*
 * The signals that end the command.
 */
#include "cli.h"

/* What others send, or a limit or timer that was set before, and what ends a process by itself. */
const int ends[ENDS] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1,
	SIGUSR2, SIGIO, SIGPWR, SIGXCPU };

/* Those of them that would end this one: who started it may have switched some off (nohup). */
void
ends_set(sigset_t *set)
{
	struct sigaction is;

	sigemptyset(set);
	for (size_t i = 0; i < ENDS; i++)
		if (sigaction(ends[i], NULL, &is) == 0 && is.sa_handler != SIG_IGN)
			sigaddset(set, ends[i]);
}

void
ends_block(sigset_t *before)
{
	sigset_t set;

	ends_set(&set);
	sigprocmask(SIG_BLOCK, &set, before);
}

int
ends_pending(void)
{
	sigset_t set, waiting;

	ends_set(&set);
	return sigpending(&waiting) == 0 && sigandset(&waiting, &waiting, &set) == 0 &&
	       sigisemptyset(&waiting) == 0;
}
