/* x */
#include "cli.h"
