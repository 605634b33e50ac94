/*
 * The product's definition of fault_point(): nothing. The crash tests link another.
 */
#include "smki/fault.h"

void
fault_point(const char *name)
{
	(void)name;
}
