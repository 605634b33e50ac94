/*
 * Named places where a crash test kills the process. Programs link one of two definitions:
 * fault_none.c (the product: does nothing) or fault_kill.c (tests only: SIGKILL at the place
 * named by the environment variable SMKI_FAULT as NAME or NAME:N for the Nth passage).
 */
#ifndef SMKI_FAULT_H
#define SMKI_FAULT_H

void fault_point(const char *name);

#endif
